//! Names on the buses. Inside version 1 of the interface there are only additions.

/// Well-known name of the collector on the system bus.
pub const COLLECTOR_NAME: &str = "org.firebell.Collector1";
/// Object path of the collector.
pub const COLLECTOR_PATH: &str = "/org/firebell/Collector1";
/// Interface of the collector, with the `Alert` signal.
pub const COLLECTOR_INTERFACE: &str = "org.firebell.Collector1";
/// What every error name of the collector begins with.
pub const ERROR_PREFIX: &str = "org.firebell.Error";
/// Well-known name of the agent on the session bus: one agent a session.
pub const NOTIFIER_NAME: &str = "org.firebell.Notifier1";
/// Object path of the agent.
pub const NOTIFIER_PATH: &str = "/org/firebell/Notifier1";
/// polkit action for `Subscribe` and the reading methods.
pub const ACTION_VIEW: &str = "org.firebell.view-alerts";
/// polkit action for the methods that change something.
pub const ACTION_MANAGE: &str = "org.firebell.manage";

/// Ids and sequence numbers stay below this, so that JSON readers keep every digit (2^53, the
/// integers a double holds exactly).
pub const MAX_ID: u64 = 1 << 53;
/// `ListAlerts` gives at most this many alerts.
pub const MAX_LIST: u32 = 1000;
/// So many alerts may be on their way to a subscriber before it has to say [`Received`]. After that
/// it catches up with `ListAlerts`: a receiver that stands still would otherwise fill the bus daemon.
///
/// [`Received`]: https://dbus.freedesktop.org/doc/dbus-specification.html
pub const MAX_UNACKNOWLEDGED: u64 = 64;
/// `ImportHistory` takes at most this many alerts.
pub const MAX_IMPORT: usize = 500;
