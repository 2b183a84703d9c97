//! Listens to what the agent shows: this program again, as the person who calls us, a monitor on the bus of their session.
//!
//! A session's bus lets nobody else in, root neither. It ends when its standard input is closed.

use super::watch::Event;
use crate::programs;
use firebell_shared::names;
use futures_util::StreamExt as _;
use std::{
    collections::HashMap,
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    process::{self, Child, Stdio},
    thread,
    time::Instant,
};
use tokio::sync::mpsc::UnboundedSender;
use zbus::{
    MatchRule, MessageStream,
    connection::Builder,
    fdo::{DBusProxy, MonitoringProxy},
    wire::OwnedVariant,
};

/// A listener; dropping it ends it.
pub(super) struct Listener(Child);

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Begins to listen; none where there is no session or no agent in it.
pub(super) fn start(events: &UnboundedSender<Event>) -> Option<Listener> {
    // Who calls us by sudo; else root, who may have a session too.
    let id = |name: &str| env::var(name).ok().and_then(|id| id.parse::<u32>().ok()).unwrap_or(0);
    let (uid, gid) = (id("SUDO_UID"), id("SUDO_GID"));
    let address = env::var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_else(|_| format!("unix:path=/run/user/{uid}/bus"));
    let this = env::current_exe().ok()?;
    let mut child = programs::command("setpriv")
        .ok()?
        .args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups", "--"])
        .arg(this)
        .args(["test", "--live", "--popups"])
        .env("DBUS_SESSION_BUS_ADDRESS", address)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut said = BufReader::new(child.stdout.take()?).lines();
    let listener = Listener(child);
    // Without a session or an agent it ends at once, and says nothing.
    said.next()?.ok()?;
    let events = events.clone();
    thread::spawn(move || {
        while let Some(Ok(summary)) = said.next() {
            let _ = events.send(Event::Popup(summary, Instant::now()));
        }
    });
    Some(listener)
}

/// The listener: says `here` when it listens, then the summary of each popup in a line.
///
/// # Errors
/// There is no session, or no agent in it.
pub(super) async fn run() -> zbus::Result<()> {
    let connection = Builder::session().build().await?;
    let bus = DBusProxy::new(&connection).await?;
    if !bus.name_has_owner(names::NOTIFIER_NAME.try_into()?).await? {
        return Err(zbus::Error::Failure("no agent runs in this session".to_owned()));
    }
    let rule = MatchRule::builder().interface("org.freedesktop.Notifications").member("Notify").build()?;
    let mut messages = MessageStream::from(&connection);
    MonitoringProxy::new(&connection).await?.become_monitor(&[rule], 0).await?;
    thread::spawn(|| {
        let _ = io::stdin().lock().read(&mut [0]);
        process::exit(0);
    });
    say("here")?;
    while let Some(Ok(message)) = messages.next().await {
        // Name, what it replaces, icon, summary, body, actions, hints, time (Desktop Notifications Specification 1.2).
        type Notify = (String, u32, String, String, String, Vec<String>, HashMap<String, OwnedVariant>, i32);
        if let Ok((_, _, _, summary, ..)) = message.body().deserialize::<Notify>() {
            say(&summary.replace('\n', " "))?;
        }
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
