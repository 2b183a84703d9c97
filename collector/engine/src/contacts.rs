//! Which contacts a source has made: the last twelve exactly, the rest in a bitmap.
//!
//! A contact is (destination, protocol, port). Packets are not counted: Linux sends one SYN seven times when
//! nobody answers, so a packet counter calls two refused ports an attack (measured).

use crate::{
    class::{Layer, Service},
    hash::Hasher,
    tick::Tick,
};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One contact in six bytes: the place, and the minute it was first made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    /// Destination, as [`Targets`] numbers it (12 bits), whether it was asked with illegal flags (1 bit), and layer (2 bits).
    side: u16,
    /// Number of the service.
    number: u16,
    /// Minutes, modulo 45 days.
    minute: u16,
}

impl Contact {
    pub(crate) fn new(target: TargetId, service: Service, tick: Tick) -> Self {
        Self { side: target.0 << 4 | service.layer as u16, number: service.number, minute: minute(tick) }
    }

    pub(crate) const fn service(self) -> Service {
        let layer = match self.side & 3 {
            0 => Layer::Tcp,
            1 => Layer::Udp,
            2 => Layer::Icmp,
            _ => Layer::Other,
        };
        Service { layer, number: self.number }
    }

    pub(crate) const fn target(self) -> TargetId {
        TargetId(self.side >> 4)
    }

    /// Destination, layer and number in one word.
    pub(crate) const fn place(self) -> u32 {
        ((self.side & !ILLEGAL) as u32) << 16 | self.number as u32
    }

    /// It was asked with illegal flags (D4), once at least.
    pub(crate) const fn is_illegal(self) -> bool {
        self.side & ILLEGAL != 0
    }

    /// Asked with illegal flags now, if `is_illegal`. True: for the first time.
    pub(crate) const fn ask(&mut self, is_illegal: bool) -> bool {
        let is_first = is_illegal && !self.is_illegal();
        if is_first {
            self.side |= ILLEGAL;
        }
        is_first
    }

    /// Layer and number in one word.
    pub(crate) const fn service_word(self) -> u32 {
        self.place() & 0xf_ffff
    }

    pub(crate) const fn minute(self) -> u16 {
        self.minute
    }

    /// The same place, whenever.
    pub(crate) const fn is_same(self, other: Self) -> bool {
        self.place() == other.place()
    }

    /// Minutes between the two, up to 45 days.
    pub(crate) const fn minutes_until(self, later: u16) -> u16 {
        later.wrapping_sub(self.minute)
    }
}

const ILLEGAL: u16 = 4;

impl TargetId {
    pub(crate) const fn number(self) -> u16 {
        self.0
    }
}

#[allow(clippy::cast_possible_truncation, reason = "modulo 45 days, as documented")]
pub(crate) const fn minute(tick: Tick) -> u16 {
    (tick.as_micros() / 60_000_000) as u16
}

/// Our addresses, numbered, so that a contact fits into six bytes.
#[derive(Debug)]
pub(crate) struct Targets {
    hasher: Hasher,
    known: Vec<IpAddr>,
    index: HashTable<u16>,
    last: Option<(IpAddr, TargetId)>,
}

/// Number of one of our addresses, 12 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TargetId(u16);

/// So many addresses are known by name. The rest of the 12 bits are for all others, told apart by their last bits.
const MAX_TARGETS: u16 = 2048;

impl Targets {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self { hasher, known: Vec::new(), index: HashTable::new(), last: None }
    }

    /// The number of `address`, given to it now if it is new.
    pub(crate) fn id(&mut self, address: IpAddr) -> TargetId {
        match self.last {
            Some((last, id)) if last == address => id,
            _ => {
                let id = self.find_or_add(address);
                self.last = Some((address, id));
                id
            }
        }
    }

    /// The number that was given last, if it was to this address.
    pub(crate) fn last(&self, address: IpAddr) -> Option<TargetId> {
        self.last.filter(|(last, _)| *last == address).map(|(_, id)| id)
    }

    #[inline(never)]
    fn find_or_add(&mut self, address: IpAddr) -> TargetId {
        let Self { hasher, known, index, .. } = self;
        let hash_of = |address: IpAddr| match address {
            IpAddr::V4(a) => hasher.hash(u64::from(a.to_bits()), 4),
            IpAddr::V6(a) => {
                let [high, low] = [a.to_bits() >> 64, a.to_bits() & u128::from(u64::MAX)];
                #[allow(clippy::cast_possible_truncation, reason = "two halves of 128 bits")]
                hasher.hash(high as u64, low as u64)
            }
        };
        let hash = hash_of(address);
        if let Some(number) = index.find(hash, |number| known.get(usize::from(*number)) == Some(&address)) {
            return TargetId(*number);
        }
        match u16::try_from(known.len()) {
            Ok(number) if number < MAX_TARGETS => {
                known.push(address);
                index.insert_unique(hash, number, |number| known.get(usize::from(*number)).map_or(0, |address| hash_of(*address)));
                TargetId(number)
            }
            #[allow(clippy::cast_possible_truncation, reason = "less than MAX_TARGETS")]
            _ => TargetId(MAX_TARGETS + (hash % u64::from(MAX_TARGETS)) as u16),
        }
    }

    /// The addresses by their numbers.
    pub(crate) fn known(&self) -> &[IpAddr] {
        &self.known
    }

    /// Numbers these addresses as they were; false: those cannot have been numbered so.
    pub(crate) fn restore(&mut self, known: &[IpAddr]) -> bool {
        known.len() <= usize::from(MAX_TARGETS) && (0..).zip(known).all(|(number, address)| self.find_or_add(*address).0 == number)
    }

    /// The address behind a number, if it has one of its own.
    pub(crate) fn address(&self, id: TargetId) -> Option<IpAddr> {
        self.known.get(usize::from(id.0)).copied()
    }
}

/// What a source is remembered to have asked in the last day.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recent {
    ring: [Contact; Self::EXACT],
    len: u8,
    next: u8,
}

impl Recent {
    /// A slow scan is judged by its last twelve contacts (D3), so these are kept exactly.
    pub(crate) const EXACT: usize = 12;
    const EXACT_U8: u8 = 12;

    /// The contacts, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Contact> {
        let (newer, older) = self.ring.split_at_checked(usize::from(self.next)).unwrap_or_default();
        let older = if usize::from(self.len) == Self::EXACT { older } else { &[] };
        older.iter().chain(newer).copied()
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Is it one that pushing makes?
    pub(crate) const fn is_sound(&self) -> bool {
        self.len <= Self::EXACT_U8 && self.next < Self::EXACT_U8 && (self.len == Self::EXACT_U8 || self.len == self.next)
    }

    /// The same contact among these, if it is current. There may be an older one of yesterday.
    pub(crate) fn find(&mut self, contact: Contact, is_current: impl Fn(&Contact) -> bool) -> Option<&mut Contact> {
        self.ring.iter_mut().take(usize::from(self.len)).find(|known| known.is_same(contact) && is_current(known))
    }

    /// Is the ring full: may there be older contacts that it does not know?
    pub(crate) const fn is_full(&self) -> bool {
        self.len as usize == Self::EXACT
    }

    /// Keeps a new contact in place of the oldest.
    pub(crate) fn push(&mut self, contact: Contact) {
        if let Some(slot) = self.ring.get_mut(usize::from(self.next)) {
            *slot = contact;
        }
        self.next = if self.next + 1 == Self::EXACT_U8 { 0 } else { self.next + 1 };
        self.len = (self.len + 1).min(Self::EXACT_U8);
    }
}

/// Distinct things that are only counted, by hash: exact for the first few, and within 3 % up to 10,000. 512 bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Crowd {
    #[serde(with = "crate::snapshot::many")]
    words: [u64; Self::BITS as usize / 64],
    free: u32,
    /// Times [`ONE`].
    count: u32,
}

impl Crowd {
    const BITS: u32 = 4096;

    pub(crate) fn new() -> Self {
        Self { words: [0; Self::BITS as usize / 64], free: Self::BITS, count: 0 }
    }

    /// Is it one that noting makes?
    pub(crate) fn is_sound(&self) -> bool {
        self.words.iter().map(|word| word.count_zeros()).sum::<u32>() == self.free
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> u32 {
        self.count / ONE
    }

    /// One more, which may be a known one. How many there are now.
    pub(crate) fn note(&mut self, hash: u64) -> u32 {
        let bit = hash % u64::from(Self::BITS);
        if let Some(word) = self.words.get_mut((bit / 64) as usize) {
            let mask = 1 << (bit % 64);
            if *word & mask == 0 && self.free > 0 {
                // As in [`Bitmap::mark`].
                self.count = self.count.saturating_add((Self::BITS << 8) / self.free);
                self.free -= 1;
            }
            *word |= mask;
        }
        self.count()
    }
}

/// Bits in a bitmap. 65,536 tell 65,535 ports of one host apart well enough: 131,000 marks leave 13 % of them free.
const BITS: u32 = 1 << 16;

/// Remembers contacts, services and destinations of one source beyond the last twelve, by hash.
///
/// How many there were is estimated as they come: a bit that is set for the first time stands for
/// `BITS / free bits` of them (Ting, "Streamed approximate counting of distinct elements", KDD 2014: the
/// martingale form of linear counting), in 24.8 fixed point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bitmap {
    words: Box<[u64]>,
    free: u32,
}

impl Bitmap {
    pub(crate) fn new() -> Self {
        Self { words: vec![0; BITS as usize / 64].into_boxed_slice(), free: BITS }
    }

    /// Is it one that marking makes?
    pub(crate) fn is_sound(&self) -> bool {
        self.words.len() == BITS as usize / 64 && self.words.iter().map(|word| word.count_zeros()).sum::<u32>() == self.free
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
        self.free = BITS;
    }

    /// Marks one thing. For one that is new: how many it stands for, times 256.
    pub(crate) fn mark(&mut self, hash: u64) -> Option<u32> {
        #[allow(clippy::cast_possible_truncation, reason = "16 bits of the hash")]
        let bit = hash as usize % BITS as usize;
        let word = self.words.get_mut(bit / 64)?;
        let mask = 1 << (bit % 64);
        if *word & mask != 0 {
            return None;
        }
        *word |= mask;
        let stands_for = (BITS << 8) / self.free.max(1);
        self.free = self.free.saturating_sub(1);
        Some(stands_for)
    }
}

/// Numbers are added up in 24.8 fixed point; this is one.
pub(crate) const ONE: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_counts_65535_ports_within_three_percent() {
        let hasher = Hasher::new([7; 16]);
        let mut bitmap = Bitmap::new();
        let mut count = 0;
        for port in 0..65_535_u64 {
            count += bitmap.mark(hasher.hash(port, 1)).unwrap_or(0);
            bitmap.mark(hasher.hash(port, 2));
        }
        let count = f64::from(count) / f64::from(ONE);
        assert!((count / 65_535.0 - 1.0).abs() < 0.03, "{count}");
    }

    #[test]
    fn a_crowd_counts_10000_things_within_three_percent_and_each_once() {
        let hasher = Hasher::new([7; 16]);
        let mut crowd = Crowd::new();
        for n in 0..10_000_u64 {
            let count = crowd.note(hasher.hash(n, 1));
            assert_eq!(count, crowd.note(hasher.hash(n, 1)));
            assert!(n > 9 || u64::from(count) == n + 1);
        }
        let count = crowd.note(hasher.hash(0, 1));
        assert!((9_700..10_300).contains(&count), "{count}");
    }

    #[test]
    fn the_ring_gives_the_last_twelve_in_order() {
        let mut ring = Recent::default();
        for port in 1..=15 {
            ring.push(Contact::new(TargetId(1), Service { layer: Layer::Tcp, number: port }, Tick::ZERO));
            assert_eq!(ring.is_full(), port >= 12);
        }
        let ports: Vec<u16> = ring.iter().map(|contact| contact.service().number).collect();
        assert_eq!(ports, (4..=15).collect::<Vec<_>>());
    }

    #[test]
    fn addresses_beyond_the_known_ones_are_still_told_apart() {
        let mut targets = Targets::new(Hasher::new([7; 16]));
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let first = targets.id(address(0));
        for n in 1..5_000 {
            targets.id(address(n));
        }
        assert_eq!(targets.id(address(0)), first);
        assert_eq!(targets.address(first), Some(address(0)));
        assert_ne!(targets.id(address(4_000)), targets.id(address(4_001)));
        let unnamed = targets.id(address(4_000));
        assert_eq!(targets.address(unnamed), None);
    }
}
