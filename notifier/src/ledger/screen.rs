//! What of the books outlives the agent: which popups are on the screen, what was closed, and what each of them told last.
//!
//! Whoever takes them over cannot ask the server which of them are still there. Most are known: dunst remembers what was closed, and a
//! server that gives another number for a popup when it is changed says that it was gone (GNOME); then it is taken away again. Of
//! the rest nobody knows (Xfce; others were not tried): what was closed while there was no agent comes back with its next change, because one
//! that says something that is not so any more, for ever, is worse. Where a server tells only the connection that showed a popup
//! last what becomes of it, each is shown once more, in its own place: that makes it ours.

use super::{
    Blindness, Gathering, Incident, Key, Ledger, MAX_INCIDENTS, gathering,
    slot::{Slot, Window},
};
use crate::present::{self, Popup};
use firebell_shared::{
    alert::{Alert, Details, Phase},
    severity::Severity,
    text,
};
use serde::{Deserialize, Serialize};
use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    num::NonZeroU32,
    time::Duration,
};

/// Popups of single incidents that are kept, those heard of last. More fit on no screen.
const MAX_POPUPS: usize = 32;
/// Popups of incidents that are over, which stay on the screen until somebody closes them; the newest.
pub(super) const MAX_OVER: usize = 16;

/// The popups of an agent, for the next one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Screen {
    /// Incidents with a popup of their own, the one heard of last first; then those that are over.
    popups: Vec<One>,
    /// Incidents whose popup was closed, or that the user does not want to see.
    closed: Vec<Record>,
    gathering: Option<gathering::Kept>,
    blindness: Option<Blind>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    popup: NonZeroU32,
    /// The worst severity that was shown.
    shown: Option<Severity>,
    alert: Alert,
}

/// All that has to be known of an incident that is not on the screen by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    id: u64,
    revision: u32,
    severity: Severity,
    shown: Option<Severity>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Blind {
    /// Nothing where somebody closed it.
    popup: Option<NonZeroU32>,
    reason: Option<String>,
}

impl Screen {
    /// Is there nothing to remember?
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Leaves out half of the popups, the oldest. False: there is none left.
    pub(crate) fn shorten(&mut self) -> bool {
        let half = self.popups.len() / 2;
        let is_shorter = !self.popups.is_empty();
        self.popups.truncate(half);
        is_shorter
    }

    /// The server's numbers of all popups that were on the screen.
    fn numbers(&self) -> impl Iterator<Item = NonZeroU32> {
        let several = self.gathering.as_ref().and_then(|gathering| gathering.popup);
        let blind = self.blindness.as_ref().and_then(|blind| blind.popup);
        self.popups.iter().map(|one| one.popup).chain(several).chain(blind)
    }

    /// How many were on the screen.
    pub(crate) fn count(&self) -> usize {
        self.numbers().count()
    }
}

impl Record {
    fn of(alert: &Alert, shown: Option<Severity>) -> Self {
        Self { id: alert.id, revision: alert.details.revision, severity: alert.severity, shown }
    }

    /// An alert that says no more than this; the next revision has the rest.
    fn alert(&self) -> Alert {
        let details = Details { revision: self.revision, ..Details::default() };
        let (id, severity) = (self.id, self.severity);
        Alert { id, time_usec: 0, severity, kind: String::new(), source: String::new(), summary: String::new(), details }
    }
}

impl Ledger {
    /// Differs whenever there is something else to remember than before, and stays the same while alerts change nothing on the screen.
    pub(crate) fn mark(&self) -> u64 {
        let mark = |key: (Key, u32), slot: &Slot| {
            let mut hasher = DefaultHasher::new();
            (key, slot.severity, slot.at, slot.change.is_some_and(|change| change.is_urgent)).hash(&mut hasher);
            match slot.window {
                Window::Shown(id) => id.hash(&mut hasher),
                Window::Gone => {}
                Window::Wanted(_) | Window::Held | Window::Unknown => return 0,
            }
            hasher.finish()
        };
        // Added up, because a table has no order.
        let incidents = self.incidents.iter().filter_map(|(&id, incident)| Some(mark((Key::Incident(id), 0), incident.slot.as_ref()?)));
        let several = self.gathering.as_ref().map(|gathering| mark((Key::Gathering, 0), &gathering.slot));
        let blind = self.blindness.as_ref().map(|blindness| mark((Key::Sight, 0), &blindness.slot));
        let over = self.over.iter().map(|(popup, alert)| {
            let mut hasher = DefaultHasher::new();
            (popup, alert.id).hash(&mut hasher);
            hasher.finish()
        });
        incidents.chain(several).chain(blind).chain(over).fold(0, u64::wrapping_add)
    }

    /// What the next agent has to know.
    pub(crate) fn screen(&self) -> Screen {
        let (mut popups, mut closed, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        for Incident { alert, heard, slot } in self.incidents.values() {
            match slot {
                None => shared.push(Record::of(alert, None)),
                Some(Slot { window: Window::Shown(popup), severity, .. }) => {
                    popups.extend(NonZeroU32::new(*popup).map(|popup| (*heard, One { popup, shown: *severity, alert: alert.clone() })));
                }
                Some(Slot { window: Window::Gone, severity, .. }) => closed.push(Record::of(alert, *severity)),
                // What waits is told again by whoever has not heard of it.
                Some(_) => {}
            }
        }
        popups.sort_by_key(|(heard, one)| (std::cmp::Reverse(*heard), one.popup));
        popups.truncate(MAX_POPUPS);
        let over =
            self.over.iter().rev().filter_map(|(popup, alert)| {
                Some(One { popup: NonZeroU32::new(*popup)?, shown: Some(alert.severity), alert: alert.clone() })
            });
        let popups = popups.into_iter().map(|(_, one)| one).chain(over).collect();
        let blindness = self
            .blindness
            .as_ref()
            .and_then(|Blindness { slot, reason, .. }| Some(Blind { popup: number(slot.window)?, reason: reason.clone() }));
        Screen { popups, closed, gathering: self.gathering.as_ref().and_then(|gathering| gathering.keep(shared)), blindness }
    }

    /// Takes over what an earlier agent left. `closed`: popups that are known to be gone. `renews`: shows
    /// each of the others once more. Gives what is on the screen, by the server's numbers.
    pub(crate) fn take_over(&mut self, screen: Screen, closed: &[u32], renews: bool, now: Duration) -> Vec<(u32, Popup)> {
        let still = |popup: NonZeroU32| Some(popup.get()).filter(|popup| !closed.contains(popup));
        for One { popup, shown, alert } in screen.popups.into_iter().take(MAX_POPUPS + MAX_OVER) {
            let Some(alert) = checked(&alert).filter(|alert| alert.details.phase != Phase::Merged && alert.kind != "test") else {
                continue;
            };
            match still(popup) {
                // There is nothing more to say of it.
                Some(popup) if alert.details.phase == Phase::Closed && !renews => self.over.push_front((popup, alert)),
                None if alert.details.phase == Phase::Closed => {}
                popup => self.inherit(alert, Some(Slot::inherited(popup, shown, renews, now)), now),
            }
        }
        self.over.truncate(MAX_OVER);
        for record in screen.closed {
            self.inherit(record.alert(), Some(Slot::inherited(None, record.shown, renews, now)), now);
        }
        if let Some(kept) = screen.gathering {
            let popup = kept.popup.and_then(still);
            for record in &kept.shared {
                self.inherit(record.alert(), None, now);
            }
            self.gathering = Gathering::resume(kept, popup, renews, now);
        }
        if let Some(Blind { popup, reason }) = screen.blindness {
            let slot = Slot::inherited(popup.and_then(still), Some(Severity::BACKGROUND), renews, now);
            let reason = reason.map(|reason| text::safe(reason.as_bytes(), text::MAX_FIELD));
            self.blindness = Some(Blindness { slot, reason, over: None });
        }
        let shown = |slot: &Slot| if let Window::Shown(popup) = slot.window { Some(popup) } else { None };
        let (words, stay_from) = (&self.words, self.rules.stay_from);
        let single = self
            .incidents
            .values()
            .filter_map(|incident| Some((shown(incident.slot.as_ref()?)?, present::incident(words, &incident.alert, stay_from))));
        let several = self.gathering.as_ref().and_then(|g| Some((shown(&g.slot)?, g.popup(words, stay_from, false))));
        let over = self.over.iter().map(|(popup, alert)| (*popup, present::incident(words, alert, stay_from)));
        single.chain(several).chain(over).collect()
    }

    /// Takes up an incident of an earlier agent, while there is room.
    fn inherit(&mut self, alert: Alert, slot: Option<Slot>, now: Duration) {
        if self.incidents.len() < MAX_INCIDENTS {
            self.incidents.entry(alert.id).or_insert(Incident { alert, heard: now, slot });
        }
    }
}

/// The server's number of a popup that is on the screen, or that it was closed. `None`: neither.
pub(super) fn number(window: Window) -> Option<Option<NonZeroU32>> {
    match window {
        Window::Shown(popup) => NonZeroU32::new(popup).map(Some),
        Window::Gone => Some(None),
        Window::Wanted(_) | Window::Held | Window::Unknown => None,
    }
}

/// An alert within the bounds that the bus has.
pub(super) fn checked(alert: &Alert) -> Option<Alert> {
    Alert::from_wire(alert.to_wire()).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::present::tests::alert;

    /// One with so many popups on it.
    pub(crate) fn screen_of(popups: u32) -> Screen {
        let one = |popup| One {
            popup: NonZeroU32::new(popup).unwrap(),
            shown: Some(Severity::AIMED),
            alert: checked(&alert(u64::from(popup), "syn-scan", 3)).unwrap(),
        };
        Screen { popups: (1..=popups).map(one).collect(), ..Screen::default() }
    }

    impl Screen {
        /// Popups that are on the screen, and incidents whose popup was closed.
        pub(crate) fn numbers_and_closed(&self) -> (Vec<NonZeroU32>, Vec<u64>) {
            let mut closed: Vec<u64> = self.closed.iter().map(|record| record.id).collect();
            closed.sort_unstable();
            let mut numbers: Vec<NonZeroU32> = self.numbers().collect();
            numbers.sort_unstable();
            (numbers, closed)
        }

        /// Makes each of its alerts as long as no bus would let it be.
        pub(crate) fn stuff(&mut self, text: &str) {
            self.popups.iter_mut().for_each(|one| text.clone_into(&mut one.alert.summary));
        }
    }
}
