//! `org.freedesktop.LogControl1`: how much is said, changed while we run (`systemctl service-log-level firebell-collector debug`).
//!
//! Source: org.freedesktop.LogControl1(5). Whoever may change what the collector does may set the level; where it is said to
//! is the unit's to choose.

use super::{Board, service::Collector};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tracing::level_filters::LevelFilter;
use zbus::{Connection, fdo, message::Header};

/// Where it is, as of all services.
pub(super) const PATH: &str = "/org/freedesktop/LogControl1";

/// Levels of syslog, and what each is with us. The first word of a level is its name.
const LEVELS: [(&str, LevelFilter); 8] = [
    ("err", LevelFilter::ERROR),
    ("emerg", LevelFilter::ERROR),
    ("alert", LevelFilter::ERROR),
    ("crit", LevelFilter::ERROR),
    ("warning", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("notice", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
];

/// How much is said, and how to change that.
pub struct Log {
    level: Mutex<LevelFilter>,
    change: Box<dyn Fn(LevelFilter) -> bool + Send + Sync>,
}

impl Log {
    /// `change` sets another level than `level`; false where it cannot.
    pub fn new(level: LevelFilter, change: impl Fn(LevelFilter) -> bool + Send + Sync + 'static) -> Self {
        Self { level: Mutex::new(level), change: Box::new(change) }
    }

    fn level(&self) -> &'static str {
        let level = *self.level.lock().unwrap_or_else(PoisonError::into_inner);
        LEVELS.iter().find(|(_, ours)| *ours == level).map_or("info", |(name, _)| name)
    }

    fn set(&self, level: LevelFilter) -> bool {
        let is_set = (self.change)(level);
        if is_set {
            *self.level.lock().unwrap_or_else(PoisonError::into_inner) = level;
        }
        is_set
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.level()).finish_non_exhaustive()
    }
}

/// The object at [`PATH`].
pub(super) struct LogControl {
    log: Arc<Log>,
    collector: Collector,
}

impl LogControl {
    pub(super) fn new(log: &Arc<Log>, board: &Arc<Board>) -> Self {
        Self { log: Arc::clone(log), collector: Collector::new(Arc::clone(board)) }
    }
}

#[zbus::interface(name = "org.freedesktop.LogControl1")]
impl LogControl {
    /// `err`, `warning`, `info` or `debug`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn log_level(&self) -> &str {
        self.log.level()
    }

    #[zbus(property)]
    async fn set_log_level(
        &self,
        level: String,
        #[zbus(header)] header: Option<Header<'_>>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        let header = header.ok_or_else(|| fdo::Error::AccessDenied("the call has no header".into()))?;
        self.collector.may_change(&header, connection).await.map_err(fdo::Error::AccessDenied)?;
        let known = LEVELS.iter().find(|(name, _)| *name == level).map(|(_, level)| *level);
        let level =
            known.ok_or_else(|| fdo::Error::InvalidArgs("a level is one of emerg alert crit err warning notice info debug".into()))?;
        if self.log.set(level) { Ok(()) } else { Err(fdo::Error::Failed("the level cannot be changed".into())) }
    }

    /// Standard error, which systemd connects with the journal.
    #[zbus(property(emits_changed_signal = "const"))]
    fn log_target(&self) -> &str {
        "console"
    }

    #[zbus(property)]
    fn set_log_target(&self, target: &str) -> fdo::Result<()> {
        if target == "console" {
            Ok(())
        } else {
            Err(fdo::Error::NotSupported("it is always the standard error; StandardError= of the unit says where that goes".into()))
        }
    }

    /// As it stands in the journal.
    #[zbus(property(emits_changed_signal = "const"))]
    fn syslog_identifier(&self) -> &str {
        "firebelld"
    }
}
