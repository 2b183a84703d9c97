//! Prefixes that name a rule of the firewall, as fwsnort's do.

use crate::texts::Edition;

/// Log prefixes that name a rule by its number, as fwsnort's `SID1234` do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sids {
    /// What stands before the number; empty: such prefixes are not looked for.
    pub before: Vec<u8>,
    /// The severity of such a hit.
    pub severity: u8,
    /// Titles of numbers, ascending.
    pub titles: Vec<(u32, String)>,
}

/// The number that a prefix names, remembered for the prefix seen last: a firewall has few.
#[derive(Debug)]
pub(crate) struct Prefixes {
    last: [u8; MAX_PREFIX],
    last_len: usize,
    last_sid: Option<u32>,
    /// Of the texts of the packet seen last.
    edition: Edition,
}

/// The kernel's own bound on a prefix (`NF_LOG_PREFIXLEN` in `include/net/netfilter/nf_log.h`).
const MAX_PREFIX: usize = 128;

impl Default for Prefixes {
    fn default() -> Self {
        Self { last: [0; MAX_PREFIX], last_len: 0, last_sid: None, edition: Edition::default() }
    }
}

impl Prefixes {
    /// The number that `prefix` names, which is of this edition.
    pub(crate) fn sid(&mut self, sids: &Sids, prefix: &[u8], edition: Edition) -> Option<u32> {
        if self.edition == edition { self.last_sid } else { self.learn(sids, prefix, edition) }
    }

    #[cold]
    fn learn(&mut self, sids: &Sids, prefix: &[u8], edition: Edition) -> Option<u32> {
        if sids.before.is_empty() || prefix.is_empty() {
            return None;
        }
        let Some(slot) = self.last.get_mut(..prefix.len()) else { return sids.number(prefix) };
        if self.last_len != prefix.len() || slot != prefix {
            slot.copy_from_slice(prefix);
            self.last_len = prefix.len();
            self.last_sid = sids.number(prefix);
        }
        self.edition = edition;
        self.last_sid
    }
}

impl Sids {
    /// The first number that stands behind the text.
    fn number(&self, prefix: &[u8]) -> Option<u32> {
        let mut starts = memchr::memmem::find_iter(prefix, &self.before);
        starts.find_map(|at| {
            let digits = prefix.get(at + self.before.len()..)?;
            let digits = digits.get(..digits.iter().take_while(|byte| byte.is_ascii_digit()).count())?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        })
    }
}
