//! Decoys (D10): the same probe from several addresses, of which at most one is real.
//!
//! nmap -D sends each probe once for every decoy with the same IP ID, source port and destination port. Two sources that
//! agree in all three within a second are a coincidence of 1 in 4 billion; twice is a decoy scan. IDs that tools keep
//! constant (0, 256, 54321) do not count. IPv6 has no ID: there the sequence number stands in, where it is logged.
//!
//! It misses decoys whose real address alone is logged.

use super::Reading;
use crate::{address::Key, cache::Cache, packet::Packet, parameters, tick::Tick};
use serde::{Deserialize, Serialize};
use std::{hint::cold_path, net::IpAddr, time::Duration};

/// Pairs of destination and source port that are watched.
const ENTRIES: usize = 256;
/// Probes of one pair that are remembered.
const PROBES: usize = 24;
/// Sources that agree.
pub(crate) const SOURCES: usize = 16;

#[derive(Debug)]
pub(crate) struct Decoys {
    pub(crate) limits: parameters::Decoys,
    pub(crate) pairs: Cache<Pair>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pair {
    /// What the probes are told apart by: ID and destination port; 0 for none. Most packets are found to be new by these alone.
    marks: [u32; PROBES],
    probes: [Option<Seen>; PROBES],
    next: usize,
    sources: Set,
    agreed: u32,
    last: Tick,
}

/// A probe, and who sent it first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Seen {
    tick: Tick,
    source: (Key, IpAddr),
    is_shared: bool,
}

/// The sources that sent the same probes.
pub(crate) type Set = [Option<(Key, IpAddr)>; SOURCES];

impl Decoys {
    pub(crate) fn new(limits: parameters::Decoys) -> Self {
        Self { limits, pairs: Cache::new(ENTRIES) }
    }

    /// Goes by other parameters; what was counted stays.
    pub(crate) fn adopt(&mut self, limits: parameters::Decoys) {
        self.limits = limits;
    }

    /// Probes that several sources sent alike, beside how many are decoys. `hash` as in [`Self::note`].
    pub(crate) fn reading(&self, hash: u64) -> Option<Reading> {
        let pair = self.pairs.peek(hash).filter(|_| self.limits.enabled)?;
        Some(Reading::new(
            "D10",
            "decoys",
            "probes alike from several sources",
            f64::from(pair.agreed),
            f64::from(self.limits.probes),
            "probes",
        ))
    }

    /// One probe; `hash` is of destination and source port. The set it belongs to, once there is one.
    pub(crate) fn note(&mut self, hash: u64, key: Key, packet: &Packet<'_>, tick: Tick) -> Option<Set> {
        if !self.limits.enabled {
            return None;
        }
        let header = &packet.header;
        let mark = match header.id {
            Some(0 | 256 | 54_321) => return None,
            Some(id) => id,
            #[allow(clippy::cast_possible_truncation, reason = "half of a random number marks a probe as well")]
            None => header.tcp_seq.filter(|seq| *seq != 0)? as u16 | 1,
        };
        let mark = u32::from(mark) << 16 | u32::from(header.dport?);
        let pair = self.pairs.get_or_reuse(hash, tick, || Pair::new(tick), |pair| pair.start_anew(tick));
        if pair.has_met() && tick.since(pair.last) > self.limits.forget {
            cold_path();
            (pair.sources, pair.agreed) = ([None; SOURCES], 0);
        }
        let source = (key, header.src);
        // Without a way out of the loop the processor compares many at once.
        let may_be_known = pair.marks.iter().fold(false, |found, known| found | (*known == mark));
        if !(may_be_known && pair.see_again(mark, source, self.limits.within, tick)) {
            if let Some(slot) = pair.probes.get_mut(pair.next) {
                *slot = Some(Seen { tick, source, is_shared: false });
            }
            if let Some(slot) = pair.marks.get_mut(pair.next) {
                *slot = mark;
            }
            pair.next = (pair.next + 1) % PROBES;
        }
        (pair.agreed >= self.limits.probes && pair.has(key)).then_some(pair.sources)
    }
}

impl Pair {
    /// The probe may be one that was sent before: then its sender joins whoever sent it first. False: it is new.
    #[inline(never)]
    fn see_again(&mut self, mark: u32, source: (Key, IpAddr), within: Duration, tick: Tick) -> bool {
        let mut same = self.marks.iter().zip(&mut self.probes).filter(|(known, _)| **known == mark);
        let Some(seen) = same.find_map(|(_, seen)| seen.as_mut().filter(|seen| tick.since(seen.tick) <= within)) else { return false };
        if seen.source.0 != source.0 {
            self.agreed = self.agreed.saturating_add(u32::from(!seen.is_shared));
            seen.is_shared = true;
            self.last = tick;
            let first = seen.source;
            join(&mut self.sources, first);
            join(&mut self.sources, source);
        }
        true
    }

    /// Are there sources that agreed?
    fn has_met(&self) -> bool {
        self.agreed > 0 || self.sources.first().is_some_and(Option::is_some)
    }

    #[inline(never)]
    fn has(&self, key: Key) -> bool {
        self.sources.iter().flatten().any(|(known, _)| *known == key)
    }

    /// Is it one that noting makes?
    pub(crate) const fn is_sound(&self) -> bool {
        self.next < PROBES
    }

    fn new(tick: Tick) -> Self {
        Self { marks: [0; PROBES], probes: [None; PROBES], next: 0, sources: [None; SOURCES], agreed: 0, last: tick }
    }

    /// Probes without a mark are never looked at, so they may stay.
    fn start_anew(&mut self, tick: Tick) {
        self.marks = [0; PROBES];
        self.next = 0;
        if self.agreed > 0 {
            self.sources = [None; SOURCES];
        }
        (self.agreed, self.last) = (0, tick);
    }
}

fn join(set: &mut Set, source: (Key, IpAddr)) {
    if !set.iter().flatten().any(|(known, _)| *known == source.0)
        && let Some(slot) = set.iter_mut().find(|slot| slot.is_none())
    {
        *slot = Some(source);
    }
}
