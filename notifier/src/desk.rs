//! What the desktop says of the person: whether the screen is locked, whether they want to be left alone. Nobody is polled; who is
//! not there says nothing.
//!
//! - Screen savers on the session bus: `ActiveChanged` of org.freedesktop.ScreenSaver (KDE Plasma, LXQt) and its relatives.
//! - logind on the system bus: `LockedHint` of the user's session (GNOME, KDE Plasma, elementary and some lockers set it).
//! - The notification server: `Inhibited` of org.freedesktop.Notifications (KDE Plasma), `paused` of org.dunstproject.cmd0 (dunst).
//!   GNOME, Xfce and the others keep their do-not-disturb to themselves and apply it themselves.

use crate::{backoff::Backoff, quiet::Desk};
use futures_util::StreamExt;
use rustix::process::getuid;
use std::{collections::BTreeSet, time::Duration};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::debug;
use zbus::{
    Connection, Proxy, connection, fdo,
    proxy::{self, CacheProperties},
    wire::{ObjectPath, OwnedObjectPath},
};

/// The longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Words that wait for the agent.
pub(crate) const MAX_QUEUE: usize = 64;

/// Name, which is the interface too, and path.
const SAVERS: [(&str, &str); 5] = [
    ("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
    ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
    ("org.mate.ScreenSaver", "/org/mate/ScreenSaver"),
    ("org.cinnamon.ScreenSaver", "/org/cinnamon/ScreenSaver"),
    ("org.xfce.ScreenSaver", "/org/xfce/ScreenSaver"),
];
/// So many say how it is, each at once: the screen savers, logind, the notification server.
const VOICES: usize = SAVERS.len() + 2;
const LOGIND: &str = "org.freedesktop.login1";
const SERVER: &str = "org.freedesktop.Notifications";
const SERVER_PATH: &str = "/org/freedesktop/Notifications";
/// Interface and property of a server that does not disturb.
const DO_NOT_DISTURB: [(&str, &str); 2] = [("org.freedesktop.Notifications", "Inhibited"), ("org.dunstproject.cmd0", "paused")];

/// One of those above says that it is on, or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    who: &'static str,
    is_on: bool,
}

/// Who says that it is on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Voices {
    on: BTreeSet<&'static str>,
    heard: BTreeSet<&'static str>,
}

impl Voices {
    /// Takes in a word.
    pub(crate) fn hear(&mut self, said: Said) {
        debug!(?said, "desktop");
        self.heard.insert(said.who);
        if said.is_on {
            self.on.insert(said.who);
        } else {
            self.on.remove(said.who);
        }
    }

    /// Has everybody said how it is?
    pub(crate) fn are_complete(&self) -> bool {
        self.heard.len() >= VOICES
    }

    /// What they say together: locked when anybody says so.
    pub(crate) fn desk(&self) -> Desk {
        Desk { is_locked: self.on.iter().any(|who| *who != SERVER), does_not_disturb: self.on.contains(SERVER) }
    }
}

/// Listens on a connection to the session bus, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    _tasks: JoinSet<()>,
}

impl Watch {
    /// Everybody says first how it is.
    pub(crate) fn session(conn: &Connection, tell: &mpsc::Sender<Said>) -> Self {
        let mut tasks = JoinSet::new();
        for (name, path) in SAVERS {
            let (conn, tell) = (conn.clone(), tell.clone());
            tasks.spawn(async move { given_up(name, saver(&conn, name, path, &tell).await) });
        }
        let (conn, tell) = (conn.clone(), tell.clone());
        tasks.spawn(async move { given_up(SERVER, server(&conn, &tell).await) });
        Self { _tasks: tasks }
    }

    /// The user's session at logind, on a connection of its own, over restarts of the bus.
    pub(crate) fn login(tell: mpsc::Sender<Said>) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
            loop {
                match connection::Builder::system().method_timeout(CALL_TIMEOUT).build().await {
                    Err(error) => debug!(%error, "no system bus"),
                    Ok(conn) => {
                        let result = session(&conn, &tell).await;
                        if !conn.is_closed() {
                            return given_up(LOGIND, result);
                        }
                        backoff.reset();
                    }
                }
                say(&tell, LOGIND, false);
                tokio::time::sleep(backoff.next_wait()).await;
            }
        });
        Self { _tasks: tasks }
    }
}

fn given_up(who: &str, result: zbus::Result<()>) {
    if let Err(error) = result {
        debug!(who, %error, "nobody listens to it");
    }
}

/// Never waits: zbus reads nothing more, replies included, while a signal stream is full.
fn say(tell: &mpsc::Sender<Said>, who: &'static str, is_on: bool) {
    if tell.try_send(Said { who, is_on }).is_err() {
        debug!(who, is_on, "dropped a word of the desktop");
    }
}

async fn proxy_of(
    conn: &Connection,
    name: &'static str,
    path: ObjectPath<'static>,
    interface: &'static str,
) -> zbus::Result<Proxy<'static>> {
    proxy::Builder::new(conn).destination(name).path(path).interface(interface).cache_properties(CacheProperties::No).build().await
}

async fn has_owner(conn: &Connection, name: &str) -> zbus::Result<bool> {
    let bus = fdo::DBusProxy::builder(conn).cache_properties(CacheProperties::No).build().await?;
    Ok(bus.name_has_owner(name.try_into()?).await?)
}

/// One screen saver, for as long as there is a connection.
async fn saver(conn: &Connection, name: &'static str, path: &'static str, tell: &mpsc::Sender<Said>) -> zbus::Result<()> {
    let proxy = proxy_of(conn, name, path.try_into()?, name).await?;
    let mut changes = proxy.receive_signal("ActiveChanged").await?;
    let mut owners = proxy.receive_owner_changed().await?;
    let ask = || {
        let (proxy, tell) = (proxy.clone(), tell.clone());
        // Beside the loop, which takes signals off the connection all the time.
        tokio::spawn(async move {
            let is_on = proxy.call::<_, _, bool>("GetActive", &()).await;
            say(&tell, name, is_on.unwrap_or(false));
        });
    };
    // Who is not there is not started by our question.
    if has_owner(conn, name).await? {
        ask();
    } else {
        say(tell, name, false);
    }
    loop {
        tokio::select! {
            Some(change) = changes.next() => {
                if let Ok(is_on) = change.body().deserialize::<bool>() {
                    say(tell, name, is_on);
                }
            }
            Some(owner) = owners.next() => if owner.is_some() { ask(); } else { say(tell, name, false); },
            else => return Ok(()),
        }
    }
}

/// The notification server, whichever it is.
async fn server(conn: &Connection, tell: &mpsc::Sender<Said>) -> zbus::Result<()> {
    let properties = properties_of(conn, SERVER, SERVER_PATH.try_into()?).await?;
    let mut changes = properties.receive_properties_changed().await?;
    let mut owners = properties.inner().receive_owner_changed().await?;
    let ask = || {
        let (properties, tell) = (properties.clone(), tell.clone());
        tokio::spawn(async move {
            let mut is_on = false;
            for (interface, property) in DO_NOT_DISTURB {
                is_on |= read(&properties, interface, property).await.unwrap_or(false);
            }
            say(&tell, SERVER, is_on);
        });
    };
    if has_owner(conn, SERVER).await? {
        ask();
    } else {
        say(tell, SERVER, false);
    }
    loop {
        tokio::select! {
            Some(change) = changes.next() => {
                let Ok(change) = change.args() else { continue };
                for (interface, property) in DO_NOT_DISTURB.iter().filter(|(interface, _)| change.interface_name.as_str() == *interface) {
                    if let Some(is_on) = change.changed_properties.get(property).and_then(|value| bool::try_from(value).ok()) {
                        say(tell, SERVER, is_on);
                    } else if change.invalidated_properties.contains(property) {
                        debug!(interface, property, "changed without its value");
                        ask();
                    }
                }
            }
            Some(owner) = owners.next() => if owner.is_some() { ask(); } else { say(tell, SERVER, false); },
            else => return Ok(()),
        }
    }
}

/// `LockedHint` of the session on the user's display, for as long as there is a connection.
async fn session(conn: &Connection, tell: &mpsc::Sender<Said>) -> zbus::Result<()> {
    if !has_owner(conn, LOGIND).await? {
        say(tell, LOGIND, false);
        return Ok(());
    }
    let manager = proxy_of(conn, LOGIND, "/org/freedesktop/login1".try_into()?, "org.freedesktop.login1.Manager").await?;
    // A user service belongs to no session, so the user's own is asked for first.
    let user: zbus::Result<OwnedObjectPath> = manager.call("GetUser", &(getuid().as_raw())).await;
    let of_user = match user {
        Ok(user) => {
            let user = proxy_of(conn, LOGIND, user.into_inner(), "org.freedesktop.login1.User").await?;
            user.get_property::<(String, OwnedObjectPath)>("Display").await.ok().filter(|(id, _)| !id.is_empty()).map(|(_, path)| path)
        }
        Err(_) => None,
    };
    let path = match of_user {
        Some(path) => path,
        None => manager.call("GetSessionByPID", &(std::process::id())).await?,
    };
    let properties = properties_of(conn, LOGIND, path.into_inner()).await?;
    let mut changes = properties.receive_properties_changed().await?;
    let interface = "org.freedesktop.login1.Session";
    say(tell, LOGIND, read(&properties, interface, "LockedHint").await.unwrap_or(false));
    while let Some(change) = changes.next().await {
        let Ok(change) = change.args() else { continue };
        if let Some(is_on) = change.changed_properties.get("LockedHint").and_then(|value| bool::try_from(value).ok()) {
            say(tell, LOGIND, is_on);
        }
    }
    Ok(())
}

async fn properties_of(conn: &Connection, name: &'static str, path: ObjectPath<'static>) -> zbus::Result<fdo::PropertiesProxy<'static>> {
    fdo::PropertiesProxy::builder(conn).destination(name).path(path).cache_properties(CacheProperties::No).build().await
}

async fn read(properties: &fdo::PropertiesProxy<'_>, interface: &str, property: &str) -> Option<bool> {
    bool::try_from(properties.get(interface.try_into().ok()?, property).await.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_locked_until_nobody_says_so_any_more() {
        let mut voices = Voices::default();
        assert_eq!(voices.desk(), Desk::default());
        for (who, is_on, is_locked, does_not_disturb) in [
            (LOGIND, true, true, false),
            ("org.gnome.ScreenSaver", true, true, false),
            (SERVER, true, true, true),
            (LOGIND, false, true, true),
            ("org.gnome.ScreenSaver", false, false, true),
            (SERVER, false, false, false),
        ] {
            voices.hear(Said { who, is_on });
            assert_eq!(voices.desk(), Desk { is_locked, does_not_disturb });
        }
    }
}
