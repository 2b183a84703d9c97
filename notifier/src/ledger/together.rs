//! Incidents that are told together and afterwards: what happened while nobody was there to be told, and the digest of what is
//! not worth a popup of its own.

use super::slot::{Change, Slot, Window};
use crate::{present, words::Words};
use firebell_shared::{alert::Alert, severity::Severity};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// So many incidents are told from each other. With more of them one may count twice.
pub(super) const MAX_IDS: usize = 4096;
/// So many sources are told from each other; with more of them there are "at least" so many.
pub(super) const MAX_SOURCES: usize = 1024;
/// Titles that the popup shows, the worst ones.
const SHOWN_TITLES: usize = 5;

/// What is told together, and its place on the screen.
#[derive(Debug)]
pub(super) struct Together {
    pub(super) slot: Slot,
    ids: BTreeSet<u64>,
    pub(super) count: u64,
    sources: BTreeSet<String>,
    has_more_sources: bool,
    are_scans: bool,
    pub(super) worst: Severity,
    /// The worst ones, by severity and in the order in which they came.
    titles: BTreeMap<(std::cmp::Reverse<Severity>, u64), String>,
}

impl Together {
    /// Nothing yet, to be shown as `window` says.
    pub(super) fn new(window: Window, now: Duration) -> Self {
        Self {
            slot: Slot { window, ..Slot::new(now) },
            ids: BTreeSet::new(),
            count: 0,
            sources: BTreeSet::new(),
            has_more_sources: false,
            are_scans: true,
            worst: Severity::BACKGROUND,
            titles: BTreeMap::new(),
        }
    }

    /// Takes an incident in, once.
    pub(super) fn add(&mut self, words: &Words, alert: &Alert, now: Duration) {
        if self.ids.contains(&alert.id) {
            return;
        }
        if self.ids.len() < MAX_IDS {
            self.ids.insert(alert.id);
        }
        self.count += 1;
        self.worst = self.worst.max(alert.severity);
        self.are_scans &= alert.kind.ends_with("-scan");
        for source in std::iter::once(&alert.source).chain(&alert.details.sources).filter(|source| !source.is_empty()) {
            if self.sources.len() < MAX_SOURCES {
                self.sources.insert(source.clone());
            } else {
                self.has_more_sources |= !self.sources.contains(source);
            }
        }
        self.titles.insert((std::cmp::Reverse(alert.severity), self.count), present::headline(words, alert));
        while self.titles.len() > SHOWN_TITLES {
            self.titles.pop_last();
        }
        match self.slot.window {
            Window::Shown(_) => self.slot.change = Some(Change { since: now, is_urgent: false }),
            Window::Unknown => self.slot.window = Window::Wanted(Some(now)),
            Window::Held | Window::Wanted(_) | Window::Gone => {}
        }
    }

    /// For the popup.
    pub(super) fn summary(&self) -> present::Summary {
        present::Summary {
            count: self.count,
            sources: self.sources.len() as u64,
            has_more_sources: self.has_more_sources,
            are_scans: self.are_scans,
            worst: self.worst,
            titles: self.titles.values().cloned().collect(),
        }
    }
}
