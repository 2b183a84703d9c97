//! Suspicion in fixed point, so that every processor comes to the same verdict.

use crate::tick::Tick;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Steps in one half-life. Decay happens in whole steps; what is left of a step stays for the next time,
/// so a stream of small gaps decays as much as one long gap.
const STEPS: u32 = 256;

/// 2^(-i/256) for i in 0..256, as fractions of 2^32.
const DECAY: [u32; STEPS as usize] = {
    // 2^(-1/256) as a fraction of 2^63, then powers of it: integers only, the same at every build.
    const ONE_STEP: u128 = 9_198_432_556_164_277_248;
    let mut table = [0; STEPS as usize];
    let mut value: u128 = 1 << 63;
    let mut i = 0;
    while i < STEPS as usize {
        #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
        {
            table[i] = if i == 0 { u32::MAX } else { (value >> 31) as u32 };
        }
        value = (value * ONE_STEP) >> 63;
        i += 1;
    }
    table
};

/// A weight or threshold: natural logarithm units in 16.16 fixed point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Weight(pub(crate) u32);

impl Weight {
    /// From a configured number; below 0 is 0, above 65,535 is that.
    pub(crate) fn from_f64(value: f64) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32")]
        Self((value.clamp(0.0, 65_535.0) * 65_536.0).round() as u32)
    }

    /// `numerator / denominator` of it.
    pub(crate) const fn scaled(self, numerator: u32, denominator: u32) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "a fraction of a u32")]
        Self((self.0 as u64 * numerator as u64 / denominator as u64) as u32)
    }

    /// For people.
    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.0) / 65_536.0
    }
}

/// A configured part, up to 100 wholes, as an integer.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small range")]
pub(crate) fn thousandths(part: f64) -> u32 {
    (part.clamp(0.0, 100.0) * 1000.0).round() as u32
}

/// The length of a decay step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HalfLife {
    step_micros: u64,
}

impl HalfLife {
    pub(crate) fn new(half_life: Duration) -> Self {
        let micros = u64::try_from(half_life.as_micros()).unwrap_or(u64::MAX);
        Self { step_micros: (micros / u64::from(STEPS)).max(1) }
    }

    /// The number of the step that `tick` falls in. Wraps after 300 years at ten minutes a half-life.
    pub(crate) fn step(self, tick: Tick) -> u32 {
        #[allow(clippy::cast_possible_truncation, reason = "differences of step numbers wrap as they should")]
        {
            (tick.as_micros() / self.step_micros) as u32
        }
    }
}

/// Suspicion of one source, decaying by halves.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Score {
    value: u32,
    step: u32,
}

impl Score {
    /// What is left of it at `step`. Time that runs backwards does not count.
    pub(crate) fn at(self, step: u32) -> Weight {
        let steps = step.wrapping_sub(self.step);
        if steps == 0 || steps > u32::MAX / 2 {
            return Weight(self.value);
        }
        let halves = steps / STEPS;
        if halves >= 32 {
            return Weight(0);
        }
        let factor = DECAY.get((steps % STEPS) as usize).copied().unwrap_or(u32::MAX);
        #[allow(clippy::cast_possible_truncation, reason = "a product with a fraction below one")]
        Weight(((u64::from(self.value) * u64::from(factor)).div_ceil(1 << 32) >> halves) as u32)
    }

    /// Goes on in steps of another length: what is left at `old` is what there is at `new`.
    pub(crate) fn restep(&mut self, old: u32, new: u32) {
        *self = Self { value: self.at(old).0, step: new };
    }

    /// Decays to `step` and adds `weight`.
    pub(crate) fn add(&mut self, step: u32, weight: Weight) {
        let now = self.at(step);
        if step.wrapping_sub(self.step) <= u32::MAX / 2 {
            self.step = step;
        }
        self.value = now.0.saturating_add(weight.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score_after(gap_secs: u64, contacts: u64) -> f64 {
        let half_life = HalfLife::new(Duration::from_secs(600));
        let mut score = Score::default();
        for n in 0..contacts {
            score.add(half_life.step(Tick::from_secs(1_000_000 + n * gap_secs)), Weight::from_f64(4_f64.ln()));
        }
        score.at(half_life.step(Tick::from_secs(1_000_000 + contacts.saturating_sub(1) * gap_secs))).as_f64()
    }

    #[test]
    fn seven_quick_contacts_reach_the_threshold_and_six_do_not() {
        let threshold = (0.99_f64 / 1e-4).ln();
        assert!(score_after(1, 7) >= threshold);
        assert!(score_after(1, 6) < threshold);
    }

    #[test]
    fn one_contact_in_five_minutes_never_reaches_it() {
        assert!(score_after(300, 10_000) < 5.0);
    }

    #[test]
    fn many_small_gaps_decay_like_one_long_gap() {
        let half_life = HalfLife::new(Duration::from_secs(600));
        let start = 777_777;
        let mut often = Score::default();
        often.add(half_life.step(Tick::from_secs(start)), Weight::from_f64(8.0));
        for n in 1..=12_000 {
            often.add(half_life.step(Tick::from_micros(start * 1_000_000 + n * 50_000)), Weight(0));
        }
        let left = often.at(half_life.step(Tick::from_secs(start + 600))).as_f64();
        assert!((left - 4.0).abs() < 0.02, "{left}");
    }

    #[test]
    fn time_that_runs_backwards_changes_nothing() {
        let mut score = Score::default();
        score.add(1000, Weight::from_f64(5.0));
        score.add(900, Weight(0));
        assert_eq!(score.at(1000), Weight::from_f64(5.0));
        assert_eq!(score.at(10), Weight::from_f64(5.0));
    }
}
