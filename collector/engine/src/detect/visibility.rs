//! What the log does not show (D18).
//!
//! ufw's default log rule allows 3 lines a minute per chain. On an exposed host it is always exhausted, and a scan leaves no
//! line at all: one line comes every 20 s, as the limit lets it. Fifteen such gaps in a row are no coincidence. Records
//! that the kernel or a log daemon dropped are told by the intake. Severity 2, once a day.
//!
//! It misses limits other than one line in 20 s, and logs that were never switched on.

use crate::{parameters, tick::Tick};

/// Prefixes that are watched: a firewall has few rules that log.
const PREFIXES: usize = 8;

#[derive(Debug)]
pub(crate) struct Visibility {
    limits: parameters::Visibility,
    rates: [Rate; PREFIXES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    prefix: u64,
    last: Tick,
    gaps: u32,
    /// Marks of sources: one device that calls every 20 s is no limit.
    sources: u16,
}

impl Visibility {
    pub(crate) fn new(limits: parameters::Visibility) -> Self {
        Self { limits, rates: <[Rate; PREFIXES]>::default() }
    }

    /// One line with the prefix that hashes to `prefix`, of a source that hashes to `source`. True: the rule that writes it is limited, and the limit is used up.
    pub(crate) fn note(&mut self, prefix: u64, source: u64, tick: Tick) -> bool {
        let limits = &self.limits;
        if !limits.enabled {
            return false;
        }
        let known = self.rates.iter().position(|rate| rate.prefix == prefix && rate.last > Tick::ZERO);
        let place = known.or_else(|| (0..PREFIXES).min_by_key(|n| self.rates.get(*n).map(|rate| rate.last)));
        let Some(rate) = place.and_then(|place| self.rates.get_mut(place)) else { return false };
        if known.is_none() {
            *rate = Rate { prefix, last: tick, gaps: 0, sources: 0 };
            return false;
        }
        let gap = tick.since(rate.last);
        rate.last = tick;
        if (limits.shortest_gap..=limits.longest_gap).contains(&gap) {
            rate.gaps = rate.gaps.saturating_add(1);
            rate.sources |= 1 << (source % 16);
        } else {
            (rate.gaps, rate.sources) = (0, 0);
        }
        rate.gaps >= limits.gaps && rate.sources.count_ones() >= limits.sources
    }
}
