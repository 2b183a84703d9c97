//! The notification server on the session bus, over its restarts.
//!
//! One long-lived connection, because a popup can only be replaced by the connection that made it (GNOME), and some
//! servers drop what belongs to a connection that is gone. Our own small proxy, because it waits for nobody: a server
//! that is silent costs [`CALL_TIMEOUT`], one that refuses costs a line in the ledger.

use crate::{
    control::{Control, Request},
    ledger::Failure,
    present::Popup,
};
use firebell_shared::{names, text};
use futures_util::{StreamExt, stream};
use std::{collections::HashMap, time::Duration};
use tokio::sync::mpsc;
use tracing::debug;
use zbus::{connection, fdo, proxy::CacheProperties, wire::Variant};

/// The longest wait for the server. Shells that compile their style sheets again take seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Signals that wait for us while we wait for the server.
const MAX_QUEUE: usize = 256;

/// Desktop Notifications Specification 1.2, chapter "D-BUS Protocol".
#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    #[allow(clippy::too_many_arguments)]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: &HashMap<&str, Variant<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;
    fn close_notification(&self, id: u32) -> zbus::Result<()>;
    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;
    #[zbus(signal)]
    fn notification_closed(&self, id: u32, reason: u32) -> zbus::Result<()>;
}

/// What the server tells us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A popup is no longer on the screen.
    Closed(u32),
    /// The server went away, and its popups with it.
    Gone,
    /// There is a server that was not there before.
    Back,
}

/// A connection to the session bus, and through it to whatever server there is.
pub(crate) struct Server {
    proxy: NotificationsProxy<'static>,
    signals: mpsc::Receiver<Signal>,
    pump: tokio::task::JoinHandle<()>,
    /// Does the server read markup? Asked once for each server.
    reads_markup: Option<bool>,
}

impl Server {
    /// Connects to the session bus and takes the name that only one agent in a session may have. Whoever asks there is handed to `ask`.
    ///
    /// # Errors
    /// [`zbus::Error::NameTaken`] when another agent has it; anything else when there is no bus.
    pub(crate) async fn connect(ask: mpsc::Sender<Request>) -> zbus::Result<Self> {
        let conn = connection::Builder::session()
            .method_timeout(CALL_TIMEOUT)
            .serve_at(names::NOTIFIER_PATH, Control::new(ask))
            .name(names::NOTIFIER_NAME)
            // Without these two zbus takes the name from whoever has it, and lets the next one take it from us.
            .replace_existing_names(false)
            .allow_name_replacements(false)
            .build()
            .await?;
        let proxy = NotificationsProxy::builder(&conn).cache_properties(CacheProperties::No).build().await?;
        let closed = proxy
            .receive_notification_closed()
            .await?
            .map(|signal| signal.args().map_or([None; 2], |args| [Some(Signal::Closed(args.id)), None]));
        let owner = proxy.inner().receive_owner_changed().await?;
        let bus = fdo::DBusProxy::builder(&conn).cache_properties(CacheProperties::No).build().await?;
        let mut is_there = bus.name_has_owner(proxy.inner().destination().clone()).await?;
        let owner = owner.map(move |owner| {
            let was_there = std::mem::replace(&mut is_there, owner.is_some());
            [was_there.then_some(Signal::Gone), is_there.then_some(Signal::Back)]
        });
        let mut all = stream::select(owner, closed);
        let (queue, signals) = mpsc::channel(MAX_QUEUE);
        // zbus reads nothing more, replies included, while a signal stream is full: so somebody always takes them.
        let pump = tokio::spawn(async move {
            while let Some(signals) = all.next().await {
                for signal in signals.into_iter().flatten() {
                    if queue.try_send(signal).is_err() {
                        // The server closed some hundred popups, other programs' included, while it did not answer us.
                        // At worst we update a popup that is closed, and it shows up again.
                        debug!("dropped a signal of the notification server");
                    }
                }
            }
        });
        Ok(Self { proxy, signals, pump, reads_markup: None })
    }

    /// The next signal; `None` when the connection is closed. Safe to cancel.
    pub(crate) async fn signal(&mut self) -> Option<Signal> {
        let signal = self.signals.recv().await;
        self.note(signal);
        signal
    }

    /// A signal that is there already.
    pub(crate) fn waiting_signal(&mut self) -> Option<Signal> {
        let signal = self.signals.try_recv().ok();
        self.note(signal);
        signal
    }

    /// Shows a popup, in the place of `replaces` unless that is 0; gives its id.
    pub(crate) async fn show(&mut self, popup: &Popup, replaces: u32) -> Result<u32, (Failure, String)> {
        let body = if self.reads_markup().await? { text::escape_markup(&popup.body) } else { popup.body.clone() };
        let hints = HashMap::from([
            ("urgency", Variant::from(popup.urgency() as u8)),
            ("category", Variant::from("network")),
            ("desktop-entry", Variant::from("firebell")),
        ]);
        let timeout = if popup.stays { 0 } else { -1 };
        // A later version has buttons: they go where the empty list is.
        self.proxy
            .notify("Firebell", replaces, popup.icon(), &popup.title, &body, &[], &hints, timeout)
            .await
            .map_err(|error| failure(&error))
    }

    /// Takes a popup away. That it is gone already is no failure.
    pub(crate) async fn close(&mut self, id: u32) {
        if let Err(error) = self.proxy.close_notification(id).await {
            debug!(%error, "popup not closed");
        }
    }

    /// A server that does not say is taken for one that does: an `&amp;` on the screen is better than markup
    /// that somebody else wrote.
    async fn reads_markup(&mut self) -> Result<bool, (Failure, String)> {
        if let Some(reads) = self.reads_markup {
            return Ok(reads);
        }
        let reads = match self.proxy.get_capabilities().await {
            Ok(capabilities) => capabilities.iter().any(|capability| capability == "body-markup"),
            Err(error) => match failure(&error) {
                (Failure::Refused, _) => true,
                failure => return Err(failure),
            },
        };
        self.reads_markup = Some(reads);
        Ok(reads)
    }

    /// Another server, another set of capabilities.
    fn note(&mut self, signal: Option<Signal>) {
        if matches!(signal, Some(Signal::Gone | Signal::Back)) {
            self.reads_markup = None;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// Sorts what can go wrong into what the ledger can do about it.
fn failure(error: &zbus::Error) -> (Failure, String) {
    let kind = match error {
        zbus::Error::FDO(fdo) => match **fdo {
            fdo::Error::ServiceUnknown(_)
            | fdo::Error::NameHasNoOwner(_)
            | fdo::Error::SpawnExecFailed(_)
            | fdo::Error::SpawnForkFailed(_)
            | fdo::Error::SpawnChildExited(_)
            | fdo::Error::SpawnChildSignaled(_)
            | fdo::Error::SpawnFailed(_)
            | fdo::Error::SpawnServiceNotFound(_) => Failure::NoServer,
            fdo::Error::NoReply(_) | fdo::Error::TimedOut(_) | fdo::Error::Timeout(_) => Failure::Silent,
            _ => Failure::Refused,
        },
        zbus::Error::InputOutput(_) => Failure::Silent,
        _ => Failure::Refused,
    };
    (kind, text::safe(error.to_string().as_bytes(), 200))
}
