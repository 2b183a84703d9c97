//! The collector and the agent as their clients see them.
//!
//! The generated proxy believes only the owner of [`crate::names::COLLECTOR_NAME`]. A match rule with
//! `sender=` alone does not stop a unicast forgery, so nobody should listen in another way.

use crate::alert::Wire;
use std::collections::HashMap;
use zbus::wire::{OwnedVariant, Variant};

/// Interface `org.firebell.Collector1`.
#[zbus::proxy(
    interface = "org.firebell.Collector1",
    default_service = "org.firebell.Collector1",
    default_path = "/org/firebell/Collector1"
)]
pub trait Collector {
    /// Asks for the `Alert` signals; gives the sequence number of the newest one.
    fn subscribe(&self) -> zbus::Result<u64>;
    /// Ends the subscription.
    fn unsubscribe(&self) -> zbus::Result<()>;
    /// Says that all alerts up to `seq` have arrived.
    fn received(&self, seq: u64) -> zbus::Result<()>;
    /// Alerts after `after_seq`, oldest first: them, the last sequence number, whether there are more.
    fn list_alerts(&self, after_seq: u64, limit: u32, filter: HashMap<&str, Variant<'_>>) -> zbus::Result<(Vec<Wire>, u64, bool)>;
    /// The newest revision of one incident.
    fn get_alert(&self, id: u64) -> zbus::Result<Wire>;
    /// Why there is the incident `id`, and what would silence it, as JSON.
    fn explain(&self, id: u64) -> zbus::Result<String>;
    /// State and counters.
    fn status(&self) -> zbus::Result<HashMap<String, OwnedVariant>>;
    /// The rules in force: id, packets that fitted, and when the last one did in microseconds since 1970 (0: never).
    fn rule_hits(&self) -> zbus::Result<Vec<(String, u64, u64)>>;
    /// How an incident went: when in microseconds since 1970, what happened, severity, packets and contacts so far, the line of the log.
    fn timeline(&self, id: u64) -> zbus::Result<Vec<(u64, String, u8, u64, u32, String)>>;
    /// The sources of all incidents, at most so many: source, severity, packets, contacts, last seen in microseconds since 1970.
    fn list_sources(&self, limit: u32) -> zbus::Result<Vec<(String, u8, u64, u32, u64)>>;
    /// The same without the first `skip`; and how many there are.
    fn page_sources(&self, skip: u32, limit: u32) -> zbus::Result<(Vec<(String, u8, u64, u32, u64)>, u32)>;
    /// What the incidents come to that were last told between two moments, in microseconds since 1970.
    fn summary(&self, since: u64, until: u64) -> zbus::Result<HashMap<String, OwnedVariant>>;
    /// Hides the popups of a source from everybody for so many seconds.
    fn mute(&self, source: &str, seconds: u64) -> zbus::Result<()>;
    /// Ends [`Self::mute`].
    fn unmute(&self, source: &str) -> zbus::Result<()>;
    /// Looks at nothing that a source sends.
    fn trust(&self, source: &str) -> zbus::Result<()>;
    /// Ends [`Self::trust`].
    fn untrust(&self, source: &str) -> zbus::Result<()>;
    /// Writes a note to an incident; an empty one takes it away.
    fn note(&self, id: u64, note: &str) -> zbus::Result<()>;
    /// Says that an incident is dealt with.
    fn acknowledge(&self, id: u64) -> zbus::Result<()>;
    /// Takes [`Self::acknowledge`] back.
    fn unacknowledge(&self, id: u64) -> zbus::Result<()>;
    /// Forgets incidents that are over, of before that moment or not among the newest `keep`: how many.
    fn prune_history(&self, before: u64, keep: u64) -> zbus::Result<u64>;
    /// Takes in at most [`crate::names::MAX_IMPORT`] incidents of the history with this name: how many are new, and how many are here already.
    fn import_history(&self, history_id: &str, alerts: Vec<Wire>) -> zbus::Result<(u64, u64)>;
    /// Reads the configuration, rule files and lists again; says what is in force now.
    fn reload(&self) -> zbus::Result<String>;
    /// Sends an alert of kind `test` to the caller alone; gives its id.
    fn send_test(&self) -> zbus::Result<u64>;

    /// One revision of one incident.
    #[zbus(signal)]
    #[allow(clippy::too_many_arguments)]
    fn alert(
        &self,
        id: u64,
        time_usec: u64,
        severity: u8,
        kind: String,
        source: String,
        summary: String,
        details: HashMap<String, OwnedVariant>,
    ) -> zbus::Result<()>;

    /// Alerts that were held back by the rate limit: first and last sequence number, how many.
    #[zbus(signal)]
    fn alerts_suppressed(&self, first_seq: u64, last_seq: u64, count: u32) -> zbus::Result<()>;

    /// Version of the collector.
    #[zbus(property)]
    fn version(&self) -> zbus::Result<String>;
    /// Changes when ids start anew.
    #[zbus(property)]
    fn history_id(&self) -> zbus::Result<String>;
    /// State (`ok`, `degraded`, `blind`) and its reason.
    #[zbus(property)]
    fn health(&self) -> zbus::Result<(String, String)>;
}

/// Interface `org.firebell.Notifier1` of the user's agent, on the session bus. Sentences are for people.
#[zbus::proxy(interface = "org.firebell.Notifier1", default_service = "org.firebell.Notifier1", default_path = "/org/firebell/Notifier1")]
pub trait Notifier {
    /// Versions, state and counters.
    fn status(&self) -> zbus::Result<HashMap<String, OwnedVariant>>;
    /// Hides the popups of a source for so many seconds; 0: until [`Self::unmute`].
    fn mute(&self, source: &str, seconds: u64) -> zbus::Result<String>;
    /// Ends [`Self::mute`].
    fn unmute(&self, source: &str) -> zbus::Result<String>;
    /// Hides the popups of a known device.
    fn trust(&self, source: &str) -> zbus::Result<String>;
    /// Ends [`Self::trust`].
    fn untrust(&self, source: &str) -> zbus::Result<String>;
    /// Shows how a popup of that kind looks.
    fn preview(&self, kind: &str) -> zbus::Result<String>;
    /// Reads the configuration again; says what is in force now.
    fn reload(&self) -> zbus::Result<String>;
}
