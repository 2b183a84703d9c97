//! A clock that rings at a time of day: also after the machine has slept, and when somebody sets the clock.
//!
//! The timers of tokio stand still while the machine sleeps and know nothing of the wall clock. A timerfd of Linux knows both
//! (timerfd_create(2): `CLOCK_REALTIME`, `TFD_TIMER_CANCEL_ON_SET`); a thread of its own waits for it, and costs nothing meanwhile.

use rustix::{
    fd::OwnedFd,
    io::{self, Errno},
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};
use std::{sync::Arc, thread};
use tokio::sync::mpsc;

/// The clock.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: Arc<OwnedFd>,
    rings: mpsc::Receiver<()>,
}

impl Alarm {
    /// # Errors
    /// When the system grants no timer or no thread.
    pub(crate) fn new() -> std::io::Result<Self> {
        let timer = Arc::new(timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC)?);
        let (ring, rings) = mpsc::channel(1);
        let watched = Arc::clone(&timer);
        thread::Builder::new().name("alarm".to_owned()).stack_size(64 * 1024).spawn(move || {
            let mut expirations = [0; 8];
            loop {
                match io::read(&watched, &mut expirations) {
                    // It is time, or somebody has set the clock.
                    Ok(_) | Err(Errno::CANCELED) => {}
                    Err(Errno::INTR) => continue,
                    Err(_) => return,
                }
                match ring.try_send(()) {
                    // One that is not heard yet says the same.
                    Ok(()) | Err(mpsc::error::TrySendError::Full(())) => {}
                    Err(mpsc::error::TrySendError::Closed(())) => return,
                }
            }
        })?;
        Ok(Self { timer, rings })
    }

    /// Rings at this second since 1970, and whenever the clock is set before; never with `None`.
    ///
    /// # Errors
    /// When the time is out of range.
    pub(crate) fn set(&self, at: Option<i64>) -> std::io::Result<()> {
        // A time of zero would switch it off.
        let it_value = Timespec { tv_sec: at.map_or(0, |at| at.max(1)), tv_nsec: 0 };
        let it = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &it)?;
        Ok(())
    }

    /// Waits until it rings. Safe to cancel.
    pub(crate) async fn ring(&mut self) {
        if self.rings.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    fn now() -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
    }

    #[test]
    fn it_rings_once_at_its_time_and_a_time_that_is_past_is_now() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut alarm = Alarm::new().unwrap();
            let mut ring = async |wait: Duration| tokio::time::timeout(wait, alarm.ring()).await.is_ok();
            assert!(!ring(Duration::from_millis(50)).await, "nobody has set it");
            let mut alarm = Alarm::new().unwrap();
            alarm.set(Some(now() + 1)).unwrap();
            alarm.ring().await;
            alarm.set(Some(now() - 5)).unwrap();
            alarm.ring().await;
            alarm.set(Some(now() + 1)).unwrap();
            alarm.set(None).unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(1200), alarm.ring()).await.is_err(), "it was switched off");
        });
    }
}
