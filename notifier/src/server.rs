//! The notification server on the session bus, over its restarts.
//!
//! One long-lived connection, because a popup can only be replaced by the connection that made it (GNOME), and some
//! servers drop what belongs to a connection that is gone. Our own small proxy, because it waits for nobody: a server
//! that is silent costs [`CALL_TIMEOUT`], one that refuses costs a line in the ledger.

use crate::{
    buttons::{self, Button, DEFAULT, Offers, Press},
    control::{Control, Request},
    ledger::Failure,
    present::Popup,
    words::Words,
};
use firebell_shared::{names, text};
use futures_util::{StreamExt, stream};
use std::{collections::HashMap, env, path::PathBuf, time::Duration};
use tokio::sync::mpsc;
use tracing::debug;
use zbus::{
    connection, fdo,
    proxy::CacheProperties,
    wire::{OwnedVariant, Variant},
};

/// The name of our icon in the icon theme. Source: Icon Theme Specification 0.13, "Installing Application Icons".
const ICON: &str = "firebell";
/// The longest wait for the server. Shells that compile their style sheets again take seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait for what it remembers.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(1);
/// The interface of dunst's own.
const DUNST: &str = "org.dunstproject.cmd0";
/// The longest word of a signal that is kept, in bytes: longer than any key and any token that we take.
const MAX_WORD: usize = 300;
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
    fn get_server_information(&self) -> zbus::Result<(String, String, String, String)>;
}

/// What the server tells us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A popup is no longer on the screen.
    Closed(u32),
    /// The server went away, and its popups with it.
    Gone,
    /// There is a server that was not there before.
    Back,
    /// Somebody clicked a button of ours.
    Pressed(Press),
}

/// What came off the bus, of whichever program's popups.
#[derive(Debug)]
enum Heard {
    Closed(u32),
    Gone,
    /// By its unique name.
    Back(String),
    Token(u32, String),
    Action(u32, String),
}

/// What a server can do. Asked once for each server.
#[derive(Clone, Copy, Debug)]
struct Abilities {
    /// It reads markup in a body.
    reads_markup: bool,
    /// It tells which button was pressed, whether it draws them or offers them in some other way.
    has_actions: bool,
    /// It draws a button for what a click beside the buttons means.
    draws_default: bool,
    /// What becomes of a popup it tells only the connection that showed it last.
    tells_maker_alone: bool,
}

/// A connection to the session bus, and through it to whatever server there is.
pub(crate) struct Server {
    proxy: NotificationsProxy<'static>,
    signals: mpsc::Receiver<Heard>,
    pump: tokio::task::JoinHandle<()>,
    abilities: Option<Abilities>,
    /// The id of the session bus.
    bus: String,
    /// Unique name of the server that is there.
    name: Option<String>,
    /// Our icon is installed.
    has_icon: bool,
    offers: Offers,
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
        // All of them through one stream, because their order matters: a token is told before its click.
        let heard = proxy.inner().receive_all_signals().await?.map(|signal| [heard(&signal), None]);
        let owner = proxy.inner().receive_owner_changed().await?;
        let bus = fdo::DBusProxy::builder(&conn).cache_properties(CacheProperties::No).build().await?;
        let name = match bus.get_name_owner(proxy.inner().destination().clone()).await {
            Ok(name) => Some(name.to_string()),
            Err(fdo::Error::NameHasNoOwner(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let id = bus.get_id().await?.to_string();
        let mut is_there = name.is_some();
        let owner = owner.map(move |owner| {
            let was_there = std::mem::replace(&mut is_there, owner.is_some());
            [was_there.then_some(Heard::Gone), owner.map(|name| Heard::Back(name.to_string()))]
        });
        let mut all = stream::select(owner, heard);
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
        Ok(Self { proxy, signals, pump, abilities: None, bus: id, name, has_icon: has_icon(), offers: Offers::default() })
    }

    /// The id of the session bus: of each bus that was ever started another one.
    pub(crate) fn bus(&self) -> &str {
        &self.bus
    }

    /// The unique name of the server that is there: of each that ever was on this bus another one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Popups that are known to be closed, where the server remembers them (dunst). A short answer is all that is waited for.
    pub(crate) async fn closed(&self) -> Vec<u32> {
        let Some(name) = self.name() else { return Vec::new() };
        let path = self.proxy.inner().path();
        let list = self.connection().call_method(Some(name), path, Some(DUNST), "NotificationListHistory", &());
        let answer = tokio::time::timeout(HISTORY_TIMEOUT, list).await;
        let history = answer.ok().and_then(Result::ok).and_then(|answer| {
            answer.body().deserialize::<Vec<HashMap<String, OwnedVariant>>>().inspect_err(|error| debug!(%error, "history")).ok()
        });
        let number = |one: &HashMap<String, OwnedVariant>| match **one.get("id")? {
            Variant::I32(id) => u32::try_from(id).ok(),
            Variant::U32(id) => Some(id),
            _ => None,
        };
        history.unwrap_or_default().iter().filter_map(number).collect()
    }

    /// Do we hear of a popup that another connection has shown only once we have shown it again? A server that does not say who it
    /// is is taken for one that tells everybody, as most do.
    pub(crate) async fn tells_maker_alone(&mut self) -> bool {
        self.abilities().await.is_ok_and(|abilities| abilities.tells_maker_alone)
    }

    /// A popup that another agent of ours has shown is ours now, with its buttons.
    pub(crate) fn adopt(&mut self, id: u32, popup: &Popup) {
        self.offers.put(id, buttons::of(&popup.about), popup.sound().is_some());
    }

    /// The connection, for what else there is to hear on the session bus.
    pub(crate) fn connection(&self) -> &zbus::Connection {
        self.proxy.inner().connection()
    }

    /// The next signal; `None` when the connection is closed. Safe to cancel.
    pub(crate) async fn signal(&mut self) -> Option<Signal> {
        loop {
            let heard = self.signals.recv().await?;
            if let Some(signal) = self.signal_of(heard) {
                return Some(signal);
            }
        }
    }

    /// A signal that is there already.
    pub(crate) fn waiting_signal(&mut self) -> Option<Signal> {
        loop {
            let heard = self.signals.try_recv().ok()?;
            if let Some(signal) = self.signal_of(heard) {
                return Some(signal);
            }
        }
    }

    /// What it means to us. Of the popups of other programs we hear as well.
    fn signal_of(&mut self, heard: Heard) -> Option<Signal> {
        match heard {
            Heard::Closed(id) => Some(Signal::Closed(id)),
            Heard::Token(id, token) => {
                self.offers.token(id, &token);
                None
            }
            Heard::Action(id, key) => self.offers.press(id, &key).map(Signal::Pressed),
            Heard::Gone => {
                self.is_another(None);
                Some(Signal::Gone)
            }
            Heard::Back(name) => {
                self.is_another(Some(name));
                Some(Signal::Back)
            }
        }
    }

    /// Another server, other abilities, and other popups under the same ids.
    fn is_another(&mut self, name: Option<String>) {
        self.name = name;
        self.abilities = None;
        self.offers.clear();
    }

    /// Shows a popup, in the place of `replaces` unless that is 0; gives its id.
    pub(crate) async fn show(&mut self, words: &Words, popup: &Popup, replaces: u32, has_sound: bool) -> Result<u32, (Failure, String)> {
        let abilities = self.abilities().await?;
        let body = if abilities.reads_markup { text::escape_markup(&popup.body) } else { popup.body.clone() };
        let mut hints = HashMap::from([
            ("urgency", Variant::from(popup.urgency() as u8)),
            ("category", Variant::from("network")),
            ("desktop-entry", Variant::from("firebell")),
        ]);
        if let Some(sound) = popup.sound().filter(|_| has_sound && self.offers.becomes_loud(replaces)) {
            hints.insert("sound-name", Variant::from(sound));
        }
        // Our icon is the sender's; the picture tells how bad it is. Both by name: a server looks them up in its own themes.
        let icon = if self.has_icon {
            hints.insert("image-path", Variant::from(popup.icon()));
            ICON
        } else {
            popup.icon()
        };
        let timeout = if popup.stays { 0 } else { -1 };
        let buttons = if abilities.has_actions { buttons::of(&popup.about) } else { Vec::new() };
        let labels: Vec<String> = buttons.iter().map(|button| words.say(button.label(), &[])).collect();
        let mut actions: Vec<&str> = buttons.iter().zip(&labels).flat_map(|(button, label)| [button.key(), label]).collect();
        if matches!(buttons.first(), Some(Button::Details(_))) && !abilities.draws_default {
            // Without a label: where it is drawn after all, it is drawn small.
            actions.extend([DEFAULT, ""]);
        }
        let id = self
            .proxy
            .notify("Firebell", replaces, icon, &popup.title, &body, &actions, &hints, timeout)
            .await
            .map_err(|error| failure(&error))?;
        if id == 0 {
            return Err((Failure::Silent, "it gave the popup the number 0, which means none".to_owned()));
        }
        self.offers.put(id, buttons, popup.sound().is_some());
        Ok(id)
    }

    /// Takes a popup away. That it is gone already is no failure.
    pub(crate) async fn close(&mut self, id: u32) {
        if let Err(error) = self.proxy.close_notification(id).await {
            debug!(%error, "popup not closed");
        }
    }

    /// A server that does not say is taken for one that reads markup and has no buttons: an `&amp;` on the screen is better
    /// than markup that somebody else wrote.
    async fn abilities(&mut self) -> Result<Abilities, (Failure, String)> {
        if let Some(abilities) = self.abilities {
            return Ok(abilities);
        }
        let can = match answered(self.proxy.get_capabilities().await)? {
            Some(capabilities) => capabilities,
            None => vec!["body-markup".to_owned()],
        };
        let can = |capability: &str| can.iter().any(|one| one == capability);
        let (reads_markup, has_actions) = (can("body-markup"), can("actions"));
        let name = answered(self.proxy.get_server_information().await)?.map(|(name, ..)| name).unwrap_or_default();
        // Xfce has no click beside the buttons, so it makes that one more button. Source of the others: dunst 1.9, `dbus.c`
        // (`n->dbus_client`); GNOME Shell, `notificationDaemon.js` (`emitSignalToDestination`).
        let tells_maker_alone = name == "dunst" || name == "gnome-shell";
        let abilities = Abilities { reads_markup, has_actions, draws_default: name.starts_with("Xfce"), tells_maker_alone };
        self.abilities = Some(abilities);
        Ok(abilities)
    }
}

/// An answer, or `None` where the server says no or something else than was asked. Errors are those that may pass.
fn answered<T>(answer: zbus::Result<T>) -> Result<Option<T>, (Failure, String)> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error @ (zbus::Error::InputOutput(_) | zbus::Error::FDO(_))) => match failure(&error) {
            (Failure::Refused, _) => Ok(None),
            failure => Err(failure),
        },
        Err(_) => Ok(None),
    }
}

/// Is our icon in one of the folders where every theme looks? Source: XDG Base Directory Specification 0.8.
fn has_icon() -> bool {
    let home = env::var_os("XDG_DATA_HOME").or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/share").into()));
    let shared = env::var_os("XDG_DATA_DIRS").filter(|dirs| !dirs.is_empty()).unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let icon = format!("icons/hicolor/scalable/apps/{ICON}.svg");
    home.map(PathBuf::from).into_iter().chain(env::split_paths(&shared)).any(|dir| dir.is_absolute() && dir.join(&icon).is_file())
}

/// What a signal of the server says. `None`: one that we do not know, or that is not as the specification has it.
fn heard(signal: &zbus::Message) -> Option<Heard> {
    let header = signal.header();
    let body = signal.body();
    match header.member()?.as_str() {
        "NotificationClosed" => body.deserialize::<(u32, u32)>().ok().map(|(id, _)| Heard::Closed(id)),
        "ActivationToken" => body.deserialize::<(u32, &str)>().ok().map(|(id, token)| Heard::Token(id, head(token))),
        "ActionInvoked" => body.deserialize::<(u32, &str)>().ok().map(|(id, key)| Heard::Action(id, head(key))),
        _ => None,
    }
}

/// The beginning of a text that others wrote, in which everything that matters to us has room.
fn head(text: &str) -> String {
    let mut head = text.to_owned();
    head.truncate(head.floor_char_boundary(MAX_WORD));
    head
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
        zbus::Error::MethodError(name, ..) if name.as_str().ends_with(".ExcessNotificationGeneration") => Failure::Excess,
        zbus::Error::MethodError(..) => Failure::Refused,
        // It did not come, or is none: whether there is a popup is not known.
        _ => Failure::Silent,
    };
    (kind, text::safe(error.to_string().as_bytes(), 200))
}
