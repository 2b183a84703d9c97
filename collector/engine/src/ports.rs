//! The ports an incident has touched, exactly, and as people write them.

use serde::{Deserialize, Serialize};
use std::{fmt::Write as _, hint::cold_path};

/// A set of ports: 8 KiB once it holds one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PortSet {
    words: Option<Box<[u64]>>,
    count: u32,
}

impl PortSet {
    pub(crate) fn insert(&mut self, port: u16) {
        let words = self.words.get_or_insert_with(|| {
            cold_path();
            vec![0; 1024].into_boxed_slice()
        });
        if let Some(word) = words.get_mut(usize::from(port / 64)) {
            let mask = 1 << (port % 64);
            self.count += u32::from(*word & mask == 0);
            *word |= mask;
        }
    }

    pub(crate) fn contains(&self, port: u16) -> bool {
        let word = self.words.as_deref().and_then(|words| words.get(usize::from(port / 64)));
        word.is_some_and(|word| word >> (port % 64) & 1 != 0)
    }

    /// Is it one that inserting makes?
    pub(crate) fn is_sound(&self) -> bool {
        let words = self.words.as_deref();
        words.is_none_or(|words| words.len() == 1024)
            && words.unwrap_or_default().iter().map(|word| word.count_ones()).sum::<u32>() == self.count
    }

    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    /// The ports in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        (0_u16..).zip(self.words.as_deref().unwrap_or_default()).filter(|(_, word)| **word != 0).flat_map(|(n, word)| {
            let word = *word;
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| n * 64 + bit)
        })
    }

    /// Takes in what [`PortSet::write`] wrote; what is no port is left out.
    pub(crate) fn read(&mut self, text: &str) {
        for piece in text.split(',') {
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            if let (Ok(first), Ok(last)) = (first.parse(), last.parse()) {
                (first..=last).for_each(|port| self.insert(port));
            }
        }
    }

    /// Writes `22-25,80` to `out`, which stays within `max` bytes. False: there were more.
    pub(crate) fn write(&self, out: &mut String, max: usize) -> bool {
        write_ranges(self.iter(), out, max)
    }
}

/// The same for ascending ports.
pub(crate) fn write_ranges(ports: impl Iterator<Item = u16>, out: &mut String, max: usize) -> bool {
    let mut ports = ports.peekable();
    let mut piece = String::new();
    while let Some(first) = ports.next() {
        let mut last = first;
        while let Some(next) = ports.next_if(|next| last.checked_add(1) == Some(*next)) {
            last = next;
        }
        piece.clear();
        // Writing to a String cannot fail.
        let _ = if first == last { write!(piece, "{first}") } else { write!(piece, "{first}-{last}") };
        let comma = usize::from(!out.is_empty());
        if out.len() + comma + piece.len() > max {
            return false;
        }
        if comma == 1 {
            out.push(',');
        }
        out.push_str(&piece);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ports: impl IntoIterator<Item = u16>) -> PortSet {
        let mut set = PortSet::default();
        ports.into_iter().for_each(|port| set.insert(port));
        set
    }

    #[test]
    fn neighbours_become_ranges() {
        let mut out = String::new();
        assert!(set([80, 22, 23, 24, 25, 0, 65535, 80]).write(&mut out, 512));
        assert_eq!(out, "0,22-25,80,65535");
        let mut read = PortSet::default();
        read.read(&(out.clone() + ",x,70000,9-3,"));
        assert!(read.iter().eq(set([80, 22, 23, 24, 25, 0, 65535]).iter()));
        assert_eq!(set([80, 80, 81]).len(), 2);
    }

    #[test]
    fn the_text_stays_within_its_bound() {
        let mut out = String::new();
        assert!(!set((0..1000).map(|n| n * 3)).write(&mut out, 20));
        assert_eq!(out, "0,3,6,9,12,15,18,21");
        let mut all = String::new();
        assert!(set(0..=65535).write(&mut all, 7));
        assert_eq!(all, "0-65535");
    }
}
