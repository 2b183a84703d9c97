//! firewalld: `LogDenied`, over the bus. It keeps it for good, and writes all that it refuses: it knows no limit.
//!
//! It loads its rules again for that, and takes all rules of iptables away first (`flush()` in its `core/fw.py`), also ufw's;
//! so this is done before anything else, and ufw is told to load its own again.

use super::{Change, state::State, ufw};
use crate::{firewall::manager::FirewalldProxy, live::at_bus};
use anyhow::Context as _;

/// What to set where `former` leaves out what is sent to this machine alone; none where it does not, or is not known.
///
/// Not `all` by itself: broadcast and multicast say nothing about attacks. But who logs them goes on to.
fn wanted(former: &str) -> Option<&'static str> {
    match former {
        "off" => Some("unicast"),
        "broadcast" | "multicast" => Some("all"),
        _ => None,
    }
}

/// Asks firewalld to log what it refuses; none where it does so already. `has_ufw`: ufw's rules are loaded too.
pub(super) fn add(has_ufw: bool) -> anyhow::Result<Option<Change>> {
    let former = get().context("firewalld keeps the rules, but does not answer on the bus; is it running?")?;
    let Some(wanted) = wanted(&former) else { return Ok(None) };
    let text = format!("firewall-cmd --set-log-denied={wanted}    (it is \"{former}\"; firewalld knows no limit for it)");
    Ok(Some(change(text, has_ufw, move || {
        State { firewalld_log_denied: Some(former) }.write()?;
        set(wanted)
    })))
}

/// Puts back what was before.
pub(super) fn undo(has_ufw: bool) -> anyhow::Result<Option<Change>> {
    let Some(former) = State::read()?.firewalld_log_denied else { return Ok(None) };
    Ok(Some(change(format!("firewall-cmd --set-log-denied={former}"), has_ufw, move || {
        // Somebody may have chosen another value since.
        if Some(get()?.as_str()) == wanted(&former) {
            set(&former)?;
        }
        State::default().write()
    })))
}

fn change(mut text: String, has_ufw: bool, act: impl FnOnce() -> anyhow::Result<()> + 'static) -> Change {
    if has_ufw {
        text += "\nufw reload    (firewalld takes ufw's rules away when it loads its own)";
    }
    let mut change = Change::new(text, move || {
        act()?;
        if has_ufw { ufw::reload() } else { Ok(()) }
    });
    change.moves_others = true;
    change
}

fn get() -> anyhow::Result<String> {
    let asked =
        at_bus(zbus::connection::Builder::system(), async |connection| FirewalldProxy::new(connection).await?.get_log_denied().await);
    Ok(asked?)
}

fn set(value: &str) -> anyhow::Result<()> {
    let asked =
        at_bus(zbus::connection::Builder::system(), async |connection| FirewalldProxy::new(connection).await?.set_log_denied(value).await);
    match asked {
        // Somebody was quicker (`ALREADY_SET` in firewalld's `errors.py`).
        Err(zbus::Error::MethodError(_, Some(text), _)) if text.starts_with("ALREADY_SET") => Ok(()),
        asked => asked.context("firewalld does not change LogDenied"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_already_goes_on_to_be() {
        assert_eq!(wanted("off"), Some("unicast"));
        assert_eq!((wanted("broadcast"), wanted("multicast")), (Some("all"), Some("all")));
        assert_eq!((wanted("unicast"), wanted("all"), wanted("something new")), (None, None, None));
        // So that undo takes back what setup has set, and nothing that it has not.
        assert!(["off", "broadcast", "multicast"].iter().filter_map(|former| wanted(former)).all(|ours| wanted(ours).is_none()));
    }
}
