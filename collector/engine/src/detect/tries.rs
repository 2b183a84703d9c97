//! Insistent tries (D13): one service, again and again.
//!
//! Distinct source ports (where the sequence number is logged: distinct numbers) tell attempts from retransmissions.
//! Ten attempts at one listed service in ten minutes, or thirty in a day, are severity 2: somebody guesses passwords, or
//! a worm knocks, or a program of yours is wrongly configured.
//!
//! It misses attempts spread over many sources.

use super::{Detector, Verdict};
use crate::{cache::Cache, tick::Tick};
use std::time::Duration;

/// Attempts in ten minutes and in a day.
const FAST: u16 = 10;
const SLOW: u16 = 30;
const TEN_MINUTES: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);
/// Triples of source, destination and service that are watched.
const ENTRIES: usize = 4096;

/// Services at which people and worms knock: remote shells and desktops, file sharing, mail, databases, router and
/// camera administration. Source: the port lists of published honeypot reports, and the services of IANA's registry.
pub(crate) const fn is_listed(port: u16) -> bool {
    matches!(
        port,
        21..=23
            | 25
            | 110
            | 139
            | 143
            | 389
            | 445
            | 465
            | 587
            | 873
            | 993
            | 995
            | 1433
            | 1521
            | 1723
            | 2222
            | 2323
            | 2375
            | 2376
            | 3306
            | 3389
            | 5038
            | 5060
            | 5432
            | 5555
            | 5900
            | 5901
            | 5985
            | 5986
            | 6379
            | 7547
            | 8080
            | 8291
            | 8443
            | 9200
            | 10_000
            | 11_211
            | 27_017
            | 37_215
    )
}

#[derive(Debug)]
pub(crate) struct Tries {
    tries: Cache<Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    /// The last attempts, as 16 bits of a hash.
    recent: [u16; 32],
    next: u8,
    fast: u16,
    fast_since: Tick,
    slow: u16,
    slow_since: Tick,
}

impl Tries {
    pub(crate) fn new() -> Self {
        Self { tries: Cache::new(ENTRIES) }
    }

    /// One SYN to a listed service. `hash` is of source, destination and port, `attempt` (a hash) tells attempts apart.
    pub(crate) fn note(&mut self, hash: u64, attempt: u64, tick: Tick) -> Option<Verdict> {
        let fresh = || Count { recent: [0; 32], next: 0, fast: 0, fast_since: tick, slow: 0, slow_since: tick };
        let count = self.tries.get_or_insert_with(hash, tick, fresh);
        if tick.since(count.slow_since) > DAY {
            *count = fresh();
        }
        if tick.since(count.fast_since) > TEN_MINUTES {
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
        (count.fast >= FAST || count.slow >= SLOW).then_some(Verdict { severity: 2, detector: Detector::InsistentTries })
    }
}
