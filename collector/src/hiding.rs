//! Sources that somebody has muted or trusted for everybody on this machine.
//!
//! A muted source is seen, counted and kept; its incidents are told without a popup unless they become worse. The packets of a
//! trusted one are not looked at, as with `[lists] trusted`.

use crate::bus::Value;
use firebell_engine::config::Network as Range;
use firebell_shared::{
    alert::{Alert, Delivery},
    mutes::{Entry, Full, Manner, Mutes, Source},
};

/// A change of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Hide a source from here on.
    Hide(Entry),
    /// End that for exactly this source.
    End(Manner, Source),
}

/// Why nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no room.
    #[error(transparent)]
    Full(#[from] Full),
    /// It is not hidden.
    #[error("{whom} is not {} here", manner.as_str())]
    NothingToEnd {
        /// In which way.
        manner: Manner,
        /// Who.
        whom: Source,
    },
    /// Changes come faster than they can be written.
    #[error("too many changes wait to be written; try again")]
    Busy,
}

/// The list after `change`, at `now` in seconds since 1970.
///
/// # Errors
/// [`Refusal`]
pub fn changed(mutes: &Mutes, change: Change, now: u64) -> Result<Mutes, Refusal> {
    let mut mutes = mutes.clone();
    match change {
        Change::Hide(entry) => mutes.hide(entry, now)?,
        Change::End(manner, source) => {
            if !mutes.end(manner, source, now) {
                return Err(Refusal::NothingToEnd { manner, whom: source });
            }
        }
    }
    Ok(mutes)
}

/// Makes nothing of an alert that nobody wants to hear of, and says how to undo that.
pub fn quiet(mutes: &Mutes, alert: &mut Alert, now: u64) {
    if mutes.hides(alert, now) {
        alert.details.delivery = Delivery::Log;
        alert.details.advice = "no popup: muted on this machine; firebell status names what is muted, firebell unmute ends it".to_owned();
    }
}

/// The networks whose packets are not looked at.
#[must_use]
pub fn trusted(mutes: &Mutes, now: u64) -> Vec<Range> {
    let trusted = mutes.list(now).filter(|entry| entry.manner == Manner::Trusted);
    trusted.map(|entry| (entry.source.network().network(), entry.source.network().prefix_len())).collect()
}

/// For `Status()`.
#[must_use]
pub fn status(mutes: &Mutes, now: u64) -> [(&'static str, Value); 3] {
    let named = |manner| mutes.list(now).filter(move |entry| entry.manner == manner);
    [
        ("muted", Value::List(named(Manner::Muted).map(|entry| entry.source.to_string()).collect())),
        ("muted_until", Value::Numbers(named(Manner::Muted).map(|entry| entry.until.unwrap_or(0)).collect())),
        ("trusted", Value::List(named(Manner::Trusted).map(|entry| entry.source.to_string()).collect())),
    ]
}
