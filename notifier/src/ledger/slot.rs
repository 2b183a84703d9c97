//! A place on the screen, and when there is reason to change what is in it.

use firebell_shared::severity::Severity;
use std::time::Duration;

/// Shortest time between two plain updates of a popup; doubles with each, up to [`MAX_SETTLE`].
const SETTLE: Duration = Duration::from_secs(10);
const MAX_SETTLE: Duration = Duration::from_secs(600);
/// Shortest time between two changes of one popup, whatever their reason.
pub(super) const BLINK: Duration = Duration::from_secs(1);
/// An incident that grew by this factor is news at once.
const GROWTH: u64 = 10;

/// A place on the screen.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) window: Window,
    /// The worst severity that was shown.
    pub(super) severity: Option<Severity>,
    /// Size at that time.
    pub(super) size: u64,
    pub(super) at: Duration,
    /// Updates without a special reason.
    pub(super) plain_updates: u32,
    /// Tries and restarts that failed in a row.
    pub(super) tries: u32,
    /// The newest change that is not shown yet.
    pub(super) change: Option<Change>,
    /// It was shown without addresses.
    pub(super) is_veiled: bool,
    /// Another agent has shown it, and whether it is still there is not known.
    pub(super) is_inherited: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) since: Duration,
    pub(super) is_urgent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// Not on the screen but should be, from then on; `None`: as soon as there is a server.
    Wanted(Option<Duration>),
    /// On the screen, by the server's id.
    Shown(u32),
    /// It waits until popups may come again.
    Held,
    /// The server was silent; whether it is on the screen is not known.
    Unknown,
    /// Closed, expired, given up or without budget.
    Gone,
}

impl Slot {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            window: Window::Wanted(Some(now)),
            severity: None,
            size: 0,
            at: now,
            plain_updates: 0,
            tries: 0,
            change: None,
            is_veiled: false,
            is_inherited: false,
        }
    }

    /// Of what the user does not want to see, up to this severity.
    pub(super) fn hidden(severity: Option<Severity>, now: Duration) -> Self {
        Self { window: Window::Gone, severity, ..Self::new(now) }
    }

    /// Of another agent, which has shown it up to this severity; `None`: somebody closed it. `renews`: it is shown again at once.
    pub(super) fn inherited(popup: Option<u32>, severity: Option<Severity>, renews: bool, now: Duration) -> Self {
        let (window, is_inherited) = (popup.map_or(Window::Gone, Window::Shown), popup.is_some());
        let change = popup.filter(|_| renews).map(|_| Change { since: now, is_urgent: true });
        Self { window, severity, change, is_inherited, ..Self::new(now) }
    }

    /// Was what another agent has shown no longer there when we changed it? `id`: what the server calls it now.
    pub(super) fn is_gone(&self, id: u32) -> bool {
        self.is_inherited && matches!(self.window, Window::Shown(before) if before != id)
    }

    /// When to show it, where there is something to show.
    pub(super) fn due(&self, size: u64) -> Option<Duration> {
        match self.window {
            Window::Wanted(at) => at,
            Window::Shown(_) => {
                let change = self.change?;
                let settle = (SETTLE * 2_u32.saturating_pow(self.plain_updates.min(16))).min(MAX_SETTLE);
                Some(if change.is_urgent {
                    self.at + BLINK
                } else if size >= self.size.saturating_mul(GROWTH) {
                    self.at + SETTLE
                } else {
                    change.since.max(self.at) + settle
                })
            }
            Window::Held | Window::Unknown | Window::Gone => None,
        }
    }
}
