//! Where an intake stands behind a line: what is kept, so that the next start goes on there.
//!
//! Everybody else passes these bytes on as they are. What comes back from the disk is untrusted: what does not decode, or could
//! not have been written by us, is no position.

use serde::{Deserialize, Serialize};

/// The longest position in its stored form, bytes. A cursor of the journal has some 130 (systemd `sd_journal_get_cursor()`).
pub const MAX_POSITION: usize = 1024;
/// The longest cursor that is passed on to `journalctl`, bytes.
const MAX_CURSOR: usize = 512;
/// The longest path of a file that a pattern finds, bytes: with its place it is no longer than a position may be.
pub(super) const MAX_PATH: usize = 900;
/// The first so many bytes of a file tell it from another one that has its place or its number: the stamp of the first line,
/// and what that says.
pub(super) const MAX_HEAD: usize = 256;

/// A position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position<'p> {
    /// Records that the intake has lost so far.
    pub lost: u64,
    /// Where it is.
    #[serde(borrow)]
    pub place: Place<'p>,
}

/// The place of a position. New kinds go to the end: the number of a kind is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place<'p> {
    /// In `/dev/kmsg`: the boot, and the sequence number of the last record.
    Kmsg {
        /// As in `/proc/sys/kernel/random/boot_id`.
        boot: u128,
        /// Of the last record that was read.
        seq: u64,
    },
    /// In a file, `offset` bytes behind its beginning.
    File(FilePlace),
    /// In the journal, behind the record of this cursor.
    Journal {
        /// The cursor.
        cursor: &'p [u8],
        /// When journald took the record, microseconds since 1970.
        taken: u64,
    },
    /// In the journal, at this moment of the wall clock, microseconds since 1970. Of a pattern: files that were found then have places of their
    /// own, so one that has none came later.
    Since(u64),
    /// In a file that a pattern has found.
    Found {
        /// Its path.
        path: &'p [u8],
        /// Where in it.
        place: FilePlace,
    },
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// Device and inode.
    pub id: (u64, u64),
    /// Bytes before it.
    pub offset: u64,
    /// What the file begins with.
    pub head: Head,
}

/// The beginning of a file, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    len: u16,
    hash: u64,
}

impl Head {
    /// Of no bytes: every file begins like this.
    pub const NOTHING: Self = Self { len: 0, hash: 0xcbf2_9ce4_8422_2325 };

    /// Takes in the bytes behind those that it knows; what is beyond [`MAX_HEAD`] is left out.
    pub fn extend(&mut self, bytes: &[u8]) {
        let room = MAX_HEAD.saturating_sub(usize::from(self.len));
        for byte in bytes.iter().take(room) {
            // FNV-1a (Fowler, Noll, Vo): it tells files apart, and guards nothing that somebody could gain by.
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            self.len += 1;
        }
    }

    /// Of how many bytes it is.
    #[must_use]
    pub fn len(self) -> usize {
        usize::from(self.len)
    }

    /// Is it of no bytes, so that every file begins like this?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl<'p> Position<'p> {
    /// Puts the stored form into `out` instead of what is there.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        let mut bytes = [0; MAX_POSITION];
        // A cursor that is too long has no position: `Place::cursor` keeps none.
        if let Ok(bytes) = postcard::to_slice(self, &mut bytes) {
            out.extend_from_slice(bytes);
        }
    }

    /// Reads the stored form; nothing when it is none of ours.
    #[must_use]
    pub fn read(bytes: &'p [u8]) -> Option<Self> {
        if bytes.len() > MAX_POSITION {
            return None;
        }
        let (position, rest): (Self, _) = postcard::take_from_bytes(bytes).ok()?;
        (rest.is_empty() && position.place.is_possible()).then_some(position)
    }
}

impl Place<'_> {
    fn is_possible(&self) -> bool {
        match self {
            Self::Kmsg { .. } | Self::Since(_) => true,
            Self::File(FilePlace { head, .. }) => head.len() <= MAX_HEAD,
            Self::Found { path, place } => path.len() <= MAX_PATH && place.head.len() <= MAX_HEAD,
            Self::Journal { cursor, .. } => is_cursor(cursor),
        }
    }
}

/// The id of this boot. journald writes it without dashes.
pub(super) fn boot_id() -> Option<u128> {
    // The unit has a `/proc` without the kernel's settings (`ProcSubset=pid`), and gives the number itself.
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").or_else(|_| std::env::var("FIREBELL_BOOT_ID")).ok()?;
    u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
}

/// Has it the form of a cursor? It becomes an argument of `journalctl`.
pub(super) fn is_cursor(cursor: &[u8]) -> bool {
    !cursor.is_empty()
        && cursor.len() <= MAX_CURSOR
        && cursor.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b';' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(offset: u64, head: &[u8]) -> Place<'static> {
        let mut begin = Head::NOTHING;
        begin.extend(head);
        Place::File(FilePlace { id: (2049, 1_234_567), offset, head: begin })
    }

    fn stored(place: Place<'_>) -> Vec<u8> {
        let mut out = vec![7; 3];
        Position { lost: 12, place }.write(&mut out);
        out
    }

    #[test]
    fn what_was_written_is_read_again() {
        for place in [
            Place::Kmsg { boot: u128::MAX, seq: u64::MAX },
            file(300, &[b'x'; 300]),
            Place::Journal { cursor: b"s=0123;i=5;b=ab-cd;m=1;t=2;x=3", taken: 1_763_800_000_000_000 },
            Place::Since(5),
            Place::Found {
                path: &[0xff; MAX_PATH],
                place: FilePlace { id: (u64::MAX, u64::MAX), offset: u64::MAX, head: Head { len: 256, hash: u64::MAX } },
            },
        ] {
            assert_eq!(Position::read(&stored(place)), Some(Position { lost: 12, place }));
        }
    }

    #[test]
    fn what_we_cannot_have_written_is_no_position() {
        let good = stored(Place::Since(5));
        assert_eq!(Position::read(&[&good[..], b"x"].concat()), None, "something behind it");
        for len in 0..good.len() {
            assert_eq!(Position::read(&good[..len]), None, "cut after {len}");
        }
        for cursor in ["", "s=1 --all", "s=1\n", "s=1/../2", &"x".repeat(MAX_CURSOR + 1)] {
            assert_eq!(Position::read(&stored(Place::Journal { cursor: cursor.as_bytes(), taken: 1 })), None, "{cursor}");
        }
        let place = FilePlace { id: (1, 2), offset: 300, head: Head { len: 257, hash: 1 } };
        for place in [
            Place::File(place),
            Place::Found { path: b"/a", place },
            Place::Found { path: &[b'a'; MAX_PATH + 1], place: FilePlace { head: Head::NOTHING, ..place } },
        ] {
            assert_eq!(Position::read(&stored(place)), None);
        }
        assert_eq!(Position::read(&[0xff; MAX_POSITION + 1]), None);
        assert_eq!(Position::read(&[0xff; MAX_POSITION]), None);
    }

    #[test]
    fn a_head_is_the_same_in_one_piece_and_in_many() {
        let (mut whole, mut pieces) = (Head::NOTHING, Head::NOTHING);
        whole.extend(&[b'a'; 1000]);
        (0..100).for_each(|_| pieces.extend(&[b'a'; 10]));
        assert_eq!((whole, whole.len()), (pieces, MAX_HEAD));
    }
}
