//! Floods (D11).
//!
//! For each (destination, service), in bins of a second: `C = max(0, C + x - mu - k)` with x the packets of the second, mu
//! their running mean over ten minutes and `k = max(20, 3 sqrt(mu))`; alarm at `C > 10 k` (CUSUM: Page, Biometrika 1954),
//! in a second with at least `3 k` packets: a sum of small excesses is a busy service, not a flood. C stops at `20 k`, so that a
//! rate that has become usual is soon forgiven.
//!
//! It misses floods of fewer than 60 packets a second, those that grow slower than the mean learns, and those that a rate limit keeps out of the log (D18).

use super::Reading;
use crate::{cache::Cache, parameters::Flood, tick::Tick};
use serde::{Deserialize, Serialize};
use std::hint::cold_path;

/// Pairs of destination and service that are watched.
const ENTRIES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Floods {
    limits: Limits,
    pub(crate) severity: u8,
    pub(crate) rates: Cache<Rate>,
}

/// Parameters, in packets and seconds.
#[derive(Clone, Copy, Debug)]
struct Limits {
    is_enabled: bool,
    smallest_k: u64,
    alarm: u64,
    busy: u64,
    /// The mean moves by this part of the difference each second.
    learn: u64,
    calm: u64,
}

/// The rate of packets to one service.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Rate {
    second: u64,
    in_second: u64,
    /// Mean, packets a second, times 1024.
    mean: u64,
    /// What is allowed beyond the mean, packets a second.
    allowance: u64,
    /// Cumulative sum of what was above mean and allowance.
    sum: u64,
    /// The last second of the alarm, 0 for none.
    alarm: u64,
    packets: u32,
    /// Marks of sources, by hash, to tell one from many.
    sources: [u64; 4],
}

/// A service that is being flooded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// One source sends nearly all of it.
    pub(crate) is_single: bool,
}

impl Limits {
    fn new(parameters: &Flood) -> Self {
        Self {
            is_enabled: parameters.enabled,
            smallest_k: parameters.allowance,
            alarm: parameters.alarm,
            busy: parameters.busy,
            learn: parameters.learn.as_secs().max(1),
            calm: parameters.calm.as_secs(),
        }
    }
}

impl Floods {
    pub(crate) fn new(parameters: &Flood) -> Self {
        Self { limits: Limits::new(parameters), severity: parameters.severity, rates: Cache::new(ENTRIES) }
    }

    /// Goes by other parameters; what is usual stays known.
    pub(crate) fn adopt(&mut self, parameters: &Flood) {
        (self.limits, self.severity) = (Limits::new(parameters), parameters.severity);
    }

    /// Packets above the usual rate of one service, in allowances, beside how many are a flood. `hash` as in [`Self::note`].
    pub(crate) fn reading(&self, hash: u64) -> Option<Reading> {
        let rate = self.rates.peek(hash).filter(|_| self.limits.is_enabled)?;
        let allowance = rate.allowance.max(1);
        let above = (rate.sum + rate.in_second).saturating_sub(rate.mean / 1024 + allowance);
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let [above, alarm] = [above as f64 / allowance as f64, self.limits.alarm as f64];
        let reading = Reading::new("D11", "flood", "packets above the usual, in allowances", above, alarm, "alarm");
        Some(Reading { spoke: rate.alarm > 0, ..reading })
    }

    /// One packet. `hash` is of destination and service, `source` of the source.
    pub(crate) fn note(&mut self, hash: u64, source: u64, tick: Tick) -> Option<Alarm> {
        let limits = self.limits;
        if !limits.is_enabled {
            return None;
        }
        let second = tick.as_secs();
        let rate = self.rates.get_or_insert_with(hash, tick, || Rate {
            second,
            in_second: 0,
            mean: 0,
            allowance: limits.smallest_k,
            sum: 0,
            alarm: 0,
            packets: 0,
            sources: [0; 4],
        });
        if second > rate.second {
            cold_path();
            rate.close_second(second, &limits);
        }
        rate.in_second += 1;
        if rate.packets < 256 {
            rate.packets += 1;
            if let Some(word) = rate.sources.get_mut((source >> 6 & 3) as usize) {
                *word |= 1 << (source & 63);
            }
        }
        let k = rate.allowance;
        if (rate.sum + rate.in_second).saturating_sub(rate.mean / 1024 + k) > limits.alarm * k && rate.in_second >= limits.busy * k {
            rate.alarm = second;
        }
        if rate.alarm == 0 || second > rate.alarm + limits.calm {
            rate.alarm = 0;
            return None;
        }
        Some(rate.judge())
    }
}

fn allowance(mean: u64, limits: &Limits) -> u64 {
    limits.smallest_k.max(3 * (mean / 1024).isqrt())
}

impl Rate {
    #[inline(never)]
    fn close_second(&mut self, now: u64, limits: &Limits) {
        let excess = (self.sum + self.in_second).saturating_sub(self.mean / 1024 + self.allowance);
        self.sum = excess.min(2 * limits.alarm * self.allowance);
        self.learn(self.in_second, limits.learn);
        let quiet = now - self.second - 1;
        if quiet > 0 {
            let allowance = allowance(self.mean, limits);
            self.sum = self.sum.saturating_sub(quiet.saturating_mul(self.mean / 1024 + allowance));
            // Many quiet seconds at once; after twelve times the time to learn nothing is left of any mean.
            for _ in 0..quiet.min(12 * limits.learn) {
                if self.mean == 0 {
                    break;
                }
                self.learn(0, limits.learn);
            }
        }
        if self.alarm == 0 {
            self.packets = 0;
            self.sources = [0; 4];
        }
        self.allowance = allowance(self.mean, limits);
        (self.second, self.in_second) = (now, 0);
    }

    fn learn(&mut self, packets: u64, learn: u64) {
        let sample = packets * 1024;
        self.mean =
            if sample > self.mean { self.mean + (sample - self.mean) / learn } else { self.mean - (self.mean - sample).div_ceil(learn) };
    }

    fn judge(&self) -> Alarm {
        let marks: u32 = self.sources.iter().map(|word| word.count_ones()).sum();
        Alarm { is_single: marks <= 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_packets_a_second_are_a_flood_and_ten_a_second_are_not() {
        let mut floods = Floods::new(&Flood::default());
        for n in 0..36_000_u64 {
            assert_eq!(floods.note(1, n % 5, Tick::from_micros(1_000_000_000 + n * 100_000)), None);
        }
        let alarms = (0..1_000_u64)
            .filter_map(|n| floods.note(2, n.wrapping_mul(0x9e37_79b9), Tick::from_micros(2_000_000_000 + n * 1_000)))
            .collect::<Vec<_>>();
        assert!(alarms.len() > 700, "{}", alarms.len());
        assert!(alarms.iter().all(|alarm| !alarm.is_single));
    }

    #[test]
    fn a_rate_that_was_always_there_is_no_flood() {
        let mut floods = Floods::new(&Flood::default());
        let mut late = 0;
        for n in 0..100_000_u64 {
            let alarm = floods.note(1, 0, Tick::from_micros(1_000_000_000 + n * 20_000));
            late += u32::from(n > 50_000 && alarm.is_some());
        }
        assert_eq!(late, 0);
    }
}
