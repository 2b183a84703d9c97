//! firewalld: `LogDenied`, over the bus. It keeps it for good, and writes all that it refuses: it knows no limit.

use super::{Change, state::State};
use crate::{firewall::manager::FirewalldProxy, live::at_bus};
use anyhow::Context as _;

/// Not `all`: broadcast and multicast say nothing about attacks.
const WANTED: &str = "unicast";

/// Asks firewalld to log what it refuses.
pub(super) fn add() -> anyhow::Result<Change> {
    let former = get().context("firewalld keeps the rules, but does not answer on the bus; is it running?")?;
    let text = format!("firewall-cmd --set-log-denied={WANTED}    (it is \"{former}\"; firewalld knows no limit for it)");
    Ok(Change::new(text, move || {
        State { firewalld_log_denied: Some(former) }.write()?;
        set(WANTED)
    }))
}

/// Puts back what was before.
pub(super) fn undo() -> anyhow::Result<Option<Change>> {
    let Some(former) = State::read()?.firewalld_log_denied else { return Ok(None) };
    Ok(Some(Change::new(format!("firewall-cmd --set-log-denied={former}"), move || {
        // Somebody may have chosen another value since.
        if get()? == WANTED {
            set(&former)?;
        }
        State::default().write()
    })))
}

fn get() -> anyhow::Result<String> {
    let asked =
        at_bus(zbus::connection::Builder::system(), async |connection| FirewalldProxy::new(connection).await?.get_log_denied().await);
    Ok(asked?)
}

fn set(value: &str) -> anyhow::Result<()> {
    let asked =
        at_bus(zbus::connection::Builder::system(), async |connection| FirewalldProxy::new(connection).await?.set_log_denied(value).await);
    asked.context("firewalld does not change LogDenied")
}
