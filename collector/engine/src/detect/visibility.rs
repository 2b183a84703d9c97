//! What the log does not show (D18).
//!
//! ufw's default log rule allows 3 lines a minute per chain. On an exposed host it is always exhausted, and a scan leaves no
//! line at all: a line comes every 20 s, or later by the time until the next packet, and what one is late the next is not. So
//! sixteen lines of several sources that keep in step with a clock of 20 s, each at most 5 s off, are no coincidence: fifteen
//! lines of chance, three a minute, do so once in 10^9 times. (The gaps alone do not tell: on a host that gets 40 packets a minute
//! they are 13 to 27 s.) Records that the kernel or a log daemon dropped are told by the intake. Severity 2, once a day.
//!
//! It misses limits other than one line in 20 s, and logs that were never switched on.

use super::Reading;
use crate::{parameters, tick::Tick};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Prefixes that are watched: a firewall has few rules that log.
pub(crate) const PREFIXES: usize = 8;

#[derive(Debug)]
pub(crate) struct Visibility {
    limits: parameters::Visibility,
    /// Of the limits, in microseconds.
    period: u64,
    slack: u64,
    pub(crate) rates: [Rate; PREFIXES],
    /// Where the last line's prefix is: most often the next one's too.
    at: usize,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rate {
    prefix: u64,
    last: Tick,
    /// The line that the clock is set by.
    begin: Tick,
    gaps: u32,
    /// How far lines were before and behind the clock, in microseconds.
    early: u64,
    late: u64,
    /// Marks of sources: one device that calls every 20 s is no limit.
    sources: u16,
}

impl Rate {
    fn new(prefix: u64, begin: Tick) -> Self {
        Self { prefix, last: begin, begin, ..Self::default() }
    }

    fn is_of(&self, prefix: u64) -> bool {
        self.prefix == prefix && self.last > Tick::ZERO
    }
}

impl Visibility {
    pub(crate) fn new(limits: parameters::Visibility) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (period, slack) = (micros(limits.period), micros(limits.slack));
        Self { limits, period, slack, rates: <[Rate; PREFIXES]>::default(), at: 0 }
    }

    /// Goes by other parameters. Lines in step with another period mean nothing.
    pub(crate) fn adopt(&mut self, limits: parameters::Visibility) {
        if limits.period == self.limits.period && limits.slack == self.limits.slack {
            self.limits = limits;
        } else {
            *self = Self::new(limits);
        }
    }

    /// Lines in step with a limit of the log, beside how many are one. `prefix` as in [`Self::note`].
    pub(crate) fn reading(&self, prefix: u64) -> Option<Reading> {
        let rate = self.rates.iter().find(|rate| rate.prefix == prefix).filter(|_| self.limits.enabled)?;
        let reading = Reading::new(
            "D18",
            "visibility",
            "lines in step with a limit of the log",
            f64::from(rate.gaps),
            f64::from(self.limits.gaps),
            "gaps",
        );
        Some(Reading { spoke: reading.spoke && rate.sources.count_ones() >= self.limits.sources, ..reading })
    }

    /// One line with the prefix that hashes to `prefix`, of a source that hashes to `source`. True: the rule that writes it is limited, and the limit is used up.
    pub(crate) fn note(&mut self, prefix: u64, source: u64, tick: Tick) -> bool {
        if !self.limits.enabled {
            return false;
        }
        if !self.rates.get(self.at).is_some_and(|rate| rate.is_of(prefix)) && !self.turn_to(prefix, tick) {
            return false;
        }
        let Some(rate) = self.rates.get_mut(self.at) else { return false };
        rate.last = tick;
        rate.gaps = rate.gaps.saturating_add(1);
        let clock = rate.begin.as_micros().saturating_add(self.period.saturating_mul(u64::from(rate.gaps)));
        rate.early = rate.early.max(clock.saturating_sub(tick.as_micros()));
        rate.late = rate.late.max(tick.as_micros().saturating_sub(clock));
        if rate.early.saturating_add(rate.late) > self.slack {
            *rate = Rate::new(prefix, tick);
            return false;
        }
        rate.sources |= 1 << (source % 16);
        rate.gaps >= self.limits.gaps && rate.sources.count_ones() >= self.limits.sources
    }

    /// Finds the place of a prefix. False: it had none, and has one from this line on.
    #[cold]
    fn turn_to(&mut self, prefix: u64, tick: Tick) -> bool {
        let known = self.rates.iter().position(|rate| rate.is_of(prefix));
        let oldest = || (0..PREFIXES).min_by_key(|n| self.rates.get(*n).map(|rate| rate.last));
        self.at = known.or_else(oldest).unwrap_or(0);
        if known.is_none()
            && let Some(rate) = self.rates.get_mut(self.at)
        {
            *rate = Rate::new(prefix, tick);
        }
        known.is_some()
    }
}
