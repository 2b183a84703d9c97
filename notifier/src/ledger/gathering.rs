//! Incidents that share a popup, for want of budget or because they are too many.

use super::{
    HOUR, MINUTE,
    screen::{Record, checked, number},
    slot::{Change, Slot, Window},
};
use crate::{
    present::{self, Popup},
    words::Words,
};
use firebell_shared::{
    alert::{Alert, Phase},
    severity::Severity,
    text,
};
use serde::{Deserialize, Serialize};
use std::{num::NonZeroU32, time::Duration};

/// Titles that the gathering popup shows, the worst ones: who makes many small ones cannot hide a worse one among them.
const SHOWN_TITLES: usize = 5;

/// Incidents that share a popup.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) opened: Duration,
    pub(super) slot: Slot,
    pub(super) count: u64,
    pub(super) worst: Severity,
    /// By severity and in the order in which they came.
    titles: Vec<Title>,
    /// When an incident was put into it last.
    heard: Duration,
    /// The only incident in it, which is then shown as if it had a popup of its own.
    pub(super) only: Option<Alert>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Title {
    severity: Severity,
    id: u64,
    text: String,
}

/// What the next agent has to know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Nothing where somebody closed it.
    pub(super) popup: Option<NonZeroU32>,
    shown: Option<Severity>,
    count: u64,
    worst: Severity,
    titles: Vec<Title>,
    only: Option<Alert>,
    /// The incidents in it that are on record.
    pub(super) shared: Vec<Record>,
}

impl Gathering {
    /// A popup for this incident, and for others that may come.
    pub(super) fn new(words: &Words, alert: &Alert, slot: Slot, now: Duration) -> Self {
        let mut gathering =
            Self { opened: now, slot, count: 1, worst: alert.severity, titles: Vec::new(), heard: now, only: Some(alert.clone()) };
        gathering.title(words, alert);
        gathering
    }

    /// For the next agent, unless it is not on the screen yet.
    pub(super) fn keep(&self, shared: Vec<Record>) -> Option<Kept> {
        let popup = number(self.slot.window)?;
        let (count, worst, shown) = (self.count, self.worst, self.slot.severity);
        Some(Kept { popup, shown, count, worst, titles: self.titles.clone(), only: self.only.clone(), shared })
    }

    /// That of an earlier agent; `popup`: its place on the screen. Its hour begins anew.
    pub(super) fn resume(kept: Kept, popup: Option<u32>, renews: bool, now: Duration) -> Option<Self> {
        let Kept { shown, count, worst, mut titles, only, .. } = kept;
        let only = match only {
            Some(alert) => Some(checked(&alert)?),
            None => None,
        };
        titles.truncate(SHOWN_TITLES);
        for title in &mut titles {
            title.text = text::safe(title.text.as_bytes(), present::MAX_TITLE);
        }
        Some(Self { opened: now, slot: Slot::inherited(popup, shown, renews, now), count, worst, titles, heard: now, only })
    }

    /// After an hour the budget has room again, for a new one too.
    pub(super) fn is_past(&self, now: Duration) -> bool {
        now.saturating_sub(self.opened) >= HOUR
    }

    /// It is not on the screen any more, and what it was about is not going on.
    pub(super) fn is_left_alone(&self, now: Duration) -> bool {
        self.slot.window == Window::Gone && now.saturating_sub(self.heard) >= MINUTE
    }

    /// The server's id of it, where this incident is the only one in it and it is on the screen.
    pub(super) fn shown_for(&self, id: u64) -> Option<u32> {
        match self.slot.window {
            Window::Shown(popup) if self.only.as_ref().is_some_and(|only| only.id == id) => Some(popup),
            _ => None,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.only.as_ref().map_or(self.count, size)
    }

    pub(super) fn add(&mut self, words: &Words, alert: &Alert, now: Duration) {
        // From one to several is the change that matters; after that it may settle.
        let is_urgent = self.only.take().is_some();
        if is_urgent {
            self.slot.size = 1;
        }
        self.count += 1;
        self.heard = now;
        self.title(words, alert);
        self.worsen(alert.severity, now, is_urgent);
    }

    pub(super) fn revise(&mut self, words: &Words, alert: &Alert, now: Duration) {
        self.title(words, alert);
        let is_only = self.only.as_ref().is_some_and(|only| only.id == alert.id);
        if is_only {
            self.only = Some(alert.clone());
        }
        if is_only || alert.severity > self.worst {
            self.worsen(alert.severity, now, is_only && alert.details.phase == Phase::Closed);
        }
    }

    /// Keeps the title of an incident, where it is among the worst.
    fn title(&mut self, words: &Words, alert: &Alert) {
        let place = self.titles.iter().position(|title| title.id == alert.id);
        if let Some(title) = place.and_then(|place| self.titles.get_mut(place)) {
            title.severity = title.severity.max(alert.severity);
        } else if self.titles.len() < SHOWN_TITLES || self.titles.last().is_some_and(|last| last.severity < alert.severity) {
            let text = present::headline(words, alert);
            self.titles.push(Title { severity: alert.severity, id: alert.id, text });
        }
        // Sorting is stable: of equal ones those stay in front that came first.
        self.titles.sort_by_key(|title| std::cmp::Reverse(title.severity));
        self.titles.truncate(SHOWN_TITLES);
    }

    fn worsen(&mut self, severity: Severity, now: Duration, is_urgent: bool) {
        let is_worse = severity > self.worst;
        self.worst = self.worst.max(severity);
        match self.slot.window {
            Window::Shown(_) => {
                let is_urgent = is_urgent || is_worse || self.slot.change.is_some_and(|change| change.is_urgent);
                // Counted from the last update: with always more of them there may never be a quiet moment.
                self.slot.change = Some(Change { since: self.slot.at, is_urgent });
            }
            Window::Unknown => self.slot.window = Window::Wanted(Some(now)),
            Window::Gone | Window::Held | Window::Wanted(_) => {}
        }
    }

    /// `is_veiled`: without addresses, so without the titles of the incidents too.
    pub(super) fn popup(&self, words: &Words, stay_from: Severity, is_veiled: bool) -> Popup {
        match &self.only {
            Some(alert) => present::incident_veiled(words, alert, stay_from, is_veiled),
            None => {
                let titles: Vec<&str> = self.titles.iter().filter(|_| !is_veiled).map(|title| title.text.as_str()).collect();
                present::several(words, self.count, &titles, self.worst, stay_from)
            }
        }
    }
}

/// What grows while an incident goes on.
pub(super) fn size(alert: &Alert) -> u64 {
    u64::from(alert.details.contacts).max(alert.details.packets).max(1)
}
