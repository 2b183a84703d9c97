//! What the user chose, and what the moment allows.

use firebell_shared::{kind::KINDS, severity::Severity};
use serde::Deserialize;
use std::time::Duration;

/// Whether popups may come now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quiet {
    /// Incidents below this severity wait; without it none does.
    pub(crate) below: Option<Severity>,
    /// Strangers may see the screen: no addresses.
    pub(crate) is_veiled: bool,
}

/// What the user chose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Popups from this severity on stay until they are closed.
    pub(crate) stay_from: Severity,
    /// Popups from this severity on; without it the collector's advice decides.
    pub(crate) popup_from: Option<Severity>,
    /// New popups an hour; severity 5 is not counted.
    pub(crate) per_hour: u32,
    /// What becomes of the popup of an incident that is over.
    pub(crate) when_over: WhenOver,
    /// What pops up of single kinds, before everything else.
    pub(crate) kinds: Kinds,
    /// Each alert its own popup.
    pub(crate) every_alert: bool,
    /// A digest of what is not worth a popup, at most once in this time.
    pub(crate) digest_every: Option<Duration>,
}

/// When an incident of one kind pops up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threshold {
    Never,
    From(Severity),
    Always,
}

/// Thresholds by kind, in the order of [`KINDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(pub(super) [Option<Threshold>; KINDS.len()]);

impl Kinds {
    /// Sets one. False: there is no such kind.
    pub(crate) fn set(&mut self, kind: &str, threshold: Threshold) -> bool {
        let place = KINDS.iter().position(|known| *known == kind).and_then(|n| self.0.get_mut(n));
        place.map(|place| *place = Some(threshold)).is_some()
    }

    pub(crate) fn of(&self, kind: &str) -> Option<Threshold> {
        *self.0.get(KINDS.iter().position(|known| *known == kind)?)?
    }
}

/// What becomes of the popup of an incident that is over.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WhenOver {
    /// It says so.
    Say,
    /// It goes away.
    Close,
}
