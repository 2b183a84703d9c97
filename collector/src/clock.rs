//! The clock of live reading.

use firebell_engine::tick::Tick;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::{Mutex, PoisonError};

/// Wall-clock time that never goes back.
///
/// Between two looks it moves as the boot clock does, which counts suspend and ignores settings of the
/// wall clock; a wall clock that was set forward is followed. One that was set back is not, since an
/// engine whose time stands still would judge an hour of packets as one moment.
#[derive(Debug, Default)]
pub struct Clock {
    /// The last answer, and the boot clock then, both in microseconds.
    last: Mutex<(u64, u64)>,
}

impl Clock {
    /// The time, microseconds since the Unix epoch, at least what it was before.
    #[must_use]
    pub fn now(&self) -> Tick {
        self.at(micros(clock_gettime(ClockId::Realtime)), micros(clock_gettime(ClockId::Boottime)))
    }

    /// Goes on from `tick` where the wall clock is behind it.
    pub fn go_on_from(&self, tick: Tick) {
        let boot = micros(clock_gettime(ClockId::Boottime));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 < tick.as_micros() {
            *last = (tick.as_micros(), boot);
        }
    }

    fn at(&self, wall: u64, boot: u64) -> Tick {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = if last.0 == 0 { 0 } else { boot.saturating_sub(last.1) };
        *last = (wall.max(last.0.saturating_add(passed)), boot);
        Tick::from_micros(last.0)
    }
}

/// Microseconds of the clock that stamps kernel log records, or so nearly so that a backlog keeps its
/// spacing: the kernel's own (`local_clock()`) cannot be asked.
#[must_use]
pub fn uptime_micros() -> u64 {
    micros(clock_gettime(ClockId::Monotonic))
}

fn micros(time: Timespec) -> u64 {
    let (secs, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    secs.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_keeps_running_and_one_set_forward_is_followed() {
        let clock = Clock::default();
        assert_eq!(clock.at(1000, 50).as_micros(), 1000);
        assert_eq!(clock.at(400, 60).as_micros(), 1010, "set back: ten microseconds have passed");
        assert_eq!(clock.at(5000, 70).as_micros(), 5000, "set forward");
    }

    #[test]
    fn it_goes_on_from_a_moment_that_the_wall_clock_has_not_reached() {
        let clock = Clock::default();
        let later = clock.now().after(std::time::Duration::from_secs(60));
        clock.go_on_from(later);
        assert!((later..later.after(std::time::Duration::from_secs(5))).contains(&clock.now()));
        clock.go_on_from(Tick::from_secs(1));
        assert!(clock.now() >= later);
    }

    #[test]
    fn it_is_now() {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(Clock::default().now().since(Tick::from_micros(u64::try_from(wall.as_micros()).unwrap())).as_secs() < 5);
    }
}
