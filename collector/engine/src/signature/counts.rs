//! Rules that count: how many packets, or different values, in a while.

use super::rule::{Count, Distinct, Per};
use crate::{cache::Cache, hash::Hasher, packet::Packet, tick::Tick};
use serde::{Deserialize, Serialize};

/// Counters of all counting rules. As many as the memory holds; the one that was not used for longest makes room.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(super) counters: Cache<Counter>,
}

/// Counters that are kept: 2.2 MiB, taken only where a rule counts.
const COUNTERS: usize = 8_192;
/// Values that are told apart in one counter, or parts of its time.
const CELLS: usize = Count::MAX_DISTINCT as usize;

/// One rule and one of whom it counts for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    /// In use, from the front.
    used: u8,
    /// Of different values: hash of the value and second it was last seen, the latest last.
    /// Of packets: number of the part of time, and packets in it, the latest last.
    cells: [(u32, u32); CELLS],
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self { counters: Cache::new(COUNTERS) }
    }

    /// Counters that made room for others while they were in use.
    pub(crate) const fn evicted(&self) -> u64 {
        self.counters.replaced
    }

    /// One more packet for a counting rule: is it enough now? `rule` is the rule's number, `source` the hash of the source.
    pub(crate) fn note(&mut self, rule: u32, count: &Count, packet: &Packet<'_>, source: u64, hasher: &Hasher, now: Tick) -> bool {
        let header = &packet.header;
        let destination = || match header.dst {
            std::net::IpAddr::V4(address) => hasher.hash(u64::from(address.to_bits()), 4),
            std::net::IpAddr::V6(address) => {
                let [high, low] = [address.to_bits() >> 64, address.to_bits() & u128::from(u64::MAX)];
                #[allow(clippy::cast_possible_truncation, reason = "two halves of 128 bits")]
                hasher.hash(high as u64, low as u64)
            }
        };
        let whom = match count.per {
            Per::Src => source,
            Per::Dst => destination(),
        };
        let counter = self.counters.get_or_insert_with(hasher.mix(whom, 1 << 32 | u64::from(rule)), now, Counter::default);
        let value = match count.distinct {
            None => return counter.add_packet(count, now) >= u32::from(count.at_least),
            Some(Distinct::Dport) => header.dport.map(u64::from),
            Some(Distinct::Sport) => header.sport.map(u64::from),
            Some(Distinct::Dst) => Some(destination()),
            Some(Distinct::Src) => Some(source),
        };
        let Some(value) = value else { return false };
        #[allow(clippy::cast_possible_truncation, reason = "32 bits of a hash")]
        let value = hasher.mix(value, 9) as u32;
        counter.add_value(value, count, now) >= usize::from(count.at_least)
    }
}

impl Counter {
    /// Is it one that noting makes?
    pub(super) fn is_sound(&self) -> bool {
        usize::from(self.used) <= CELLS
    }

    /// Notes a value; how many different ones there were in the time.
    fn add_value(&mut self, value: u32, count: &Count, now: Tick) -> usize {
        let used = usize::from(self.used);
        let room = usize::from(count.at_least).min(CELLS);
        let cells = self.cells.get_mut(..used).unwrap_or_default();
        // What is latest stands last, so the first to go is the one that has to.
        if let Some(known) = cells.iter().position(|(known, _)| *known == value) {
            cells.get_mut(known..).unwrap_or_default().rotate_left(1);
        } else if used < room {
            self.used += 1;
        } else {
            cells.rotate_left(1);
        }
        let now = seconds(now);
        let used = usize::from(self.used);
        if let Some(last) = self.cells.get_mut(used.saturating_sub(1)) {
            *last = (value, now);
        }
        let within = u32::try_from(count.within.as_secs()).unwrap_or(u32::MAX);
        self.cells.iter().take(used).filter(|(_, seen)| now.saturating_sub(*seen) <= within).count()
    }

    /// Notes a packet; how many there were in the time, or up to a 32nd of it less.
    fn add_packet(&mut self, count: &Count, now: Tick) -> u32 {
        let part = u64::try_from(count.within.as_micros()).unwrap_or(u64::MAX) / CELLS as u64;
        #[allow(clippy::cast_possible_truncation, reason = "parts of 31 ms and more wrap after four years, and then nothing is lost")]
        let now = (now.as_micros() / part.max(1)) as u32;
        let used = usize::from(self.used);
        match used.checked_sub(1).and_then(|last| self.cells.get_mut(last)) {
            Some((last, packets)) if *last == now => *packets = packets.saturating_add(1),
            _ => {
                if used < CELLS {
                    self.used += 1;
                } else {
                    self.cells.rotate_left(1);
                }
                if let Some(last) = self.cells.get_mut(usize::from(self.used).saturating_sub(1)) {
                    *last = (now, 1);
                }
            }
        }
        let is_current = |part: u32| (now.wrapping_sub(part) as usize) < CELLS;
        let current = self.cells.iter().take(usize::from(self.used)).filter(|(part, _)| is_current(*part));
        current.fold(0, |sum, (_, packets)| sum.saturating_add(*packets))
    }
}

fn seconds(tick: Tick) -> u32 {
    u32::try_from(tick.as_secs()).unwrap_or(u32::MAX)
}
