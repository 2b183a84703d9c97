//! The time that budgets and waits go by: since the start, the machine's sleep included.
//!
//! An hour is an hour, also where the machine slept through it (`CLOCK_BOOTTIME`, clock_gettime(2)), and whatever somebody does to the
//! clock on the wall.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::time::Instant;

/// When we started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: since_boot() }
    }

    /// How long ago that is.
    pub(crate) fn elapsed(self) -> Duration {
        since_boot().saturating_sub(self.start)
    }

    /// `elapsed` as the timers know it, which stand still while the machine sleeps. So it may come too late then, never too early.
    pub(crate) fn deadline(self, elapsed: Duration) -> Instant {
        Instant::now() + elapsed.saturating_sub(self.elapsed())
    }
}

fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
