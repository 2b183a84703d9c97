//! How much is told to others: a flood of incidents must not fill a disk, or the journal.

use firebell_shared::severity::Severity;
use std::time::{Duration, Instant};

/// From this severity on an alert has a part of its own, which what is less severe cannot use up.
const SEVERE: Severity = Severity::BROAD;

/// What is left of this minute. It comes back bit by bit.
#[derive(Debug)]
pub(super) struct Budget {
    per_minute: f64,
    /// Of others, and of [`SEVERE`] ones.
    left: [f64; 2],
    at: Instant,
}

impl Budget {
    pub(super) fn new(per_minute: u32, now: Instant) -> Self {
        Self { per_minute: per_minute.into(), left: [per_minute.into(); 2], at: now }
    }

    /// May an alert of this severity be told?
    pub(super) fn take(&mut self, severity: Severity, now: Instant) -> bool {
        let back = now.saturating_duration_since(self.at).as_secs_f64() * self.per_minute / Duration::from_secs(60).as_secs_f64();
        self.at = now;
        self.left = self.left.map(|left| (left + back).min(self.per_minute));
        let [others, severe] = &mut self.left;
        let left = if severity >= SEVERE { severe } else { others };
        let has_some = *left >= 1.0;
        if has_some {
            *left -= 1.0;
        }
        has_some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_minute_and_the_severe_ones_have_their_own() {
        let begin = Instant::now();
        let mut budget = Budget::new(10, begin);
        let mut told = |severity, secs| (0..100).filter(|_| budget.take(severity, begin + Duration::from_secs(secs))).count();
        assert_eq!((told(Severity::NOTABLE, 0), told(Severity::CRITICAL, 0)), (10, 10));
        assert_eq!((told(Severity::AIMED, 6), told(Severity::BROAD, 12)), (1, 2));
        assert_eq!(told(Severity::NOTABLE, 100_000), 10);
    }
}
