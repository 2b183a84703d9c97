//! Insistent tries (D13): one service, again and again.
//!
//! Distinct source ports (where the sequence number is logged: distinct numbers) tell attempts from retransmissions.
//! Ten attempts at one listed service in ten minutes, or thirty in a day, are severity 2: somebody guesses passwords, or
//! a worm knocks, or a program of yours is wrongly configured.
//!
//! It misses attempts spread over many sources.

use super::{Detector, Reading, Verdict};
use crate::{cache::Cache, parameters::InsistentTries, ports::PortSet, tick::Tick};
use serde::{Deserialize, Serialize};

/// Triples of source, destination and service that are watched.
const ENTRIES: usize = 4096;

#[derive(Debug)]
pub(crate) struct Tries {
    limits: InsistentTries,
    listed: PortSet,
    pub(crate) tries: Cache<Count>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Count {
    /// The last attempts, as 16 bits of a hash.
    recent: [u16; 32],
    next: u8,
    fast: u32,
    fast_since: Tick,
    slow: u32,
    slow_since: Tick,
}

impl Tries {
    pub(crate) fn new(limits: InsistentTries) -> Self {
        Self { listed: listed(&limits), limits, tries: Cache::new(ENTRIES) }
    }

    /// Goes by other parameters; what was counted stays.
    pub(crate) fn adopt(&mut self, limits: InsistentTries) {
        self.listed = listed(&limits);
        self.limits = limits;
    }

    /// Is this a service whose attempts are counted?
    pub(crate) fn is_listed(&self, port: u16) -> bool {
        self.listed.contains(port)
    }

    /// Attempts at one service, beside how many are insistent. `hash` as in [`Self::note`].
    pub(crate) fn readings(&self, hash: u64) -> Vec<Reading> {
        let Some(count) = self.tries.peek(hash) else { return Vec::new() };
        let limits = &self.limits;
        vec![
            Reading::new(
                "D13",
                "insistent-tries",
                "attempts at one service",
                f64::from(count.fast),
                f64::from(limits.attempts),
                "attempts",
            ),
            Reading::new(
                "D13",
                "insistent-tries",
                "attempts in a day",
                f64::from(count.slow),
                f64::from(limits.slow_attempts),
                "slow-attempts",
            ),
        ]
    }

    /// One SYN to a listed service. `hash` is of source, destination and port, `attempt` (a hash) tells attempts apart.
    pub(crate) fn note(&mut self, hash: u64, attempt: u64, tick: Tick) -> Option<Verdict> {
        let fresh = || Count { recent: [0; 32], next: 0, fast: 0, fast_since: tick, slow: 0, slow_since: tick };
        let count = self.tries.get_or_insert_with(hash, tick, fresh);
        if tick.since(count.slow_since) > self.limits.slow_within {
            *count = fresh();
        }
        if tick.since(count.fast_since) > self.limits.within {
            (count.fast, count.fast_since) = (0, tick);
        }
        #[allow(clippy::cast_possible_truncation, reason = "16 bits of a hash")]
        let mark = attempt as u16 | 1;
        if !count.recent.contains(&mark) {
            if let Some(slot) = count.recent.get_mut(usize::from(count.next % 32)) {
                *slot = mark;
            }
            count.next = count.next.wrapping_add(1);
            count.fast = count.fast.saturating_add(1);
            count.slow = count.slow.saturating_add(1);
        }
        let is_insistent = count.fast >= self.limits.attempts || count.slow >= self.limits.slow_attempts;
        is_insistent.then_some(Verdict { severity: self.limits.severity, detector: Detector::InsistentTries })
    }
}

fn listed(limits: &InsistentTries) -> PortSet {
    let mut listed = PortSet::default();
    if limits.enabled {
        limits.ports.iter().cloned().flatten().for_each(|port| listed.insert(port));
    }
    listed
}
