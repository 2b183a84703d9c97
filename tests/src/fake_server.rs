//! A notification server without a screen, stricter than those with one.
//!
//! It refuses what the specification does not allow and what the strictest real server would not do: a popup is replaced
//! or closed only by the connection that made it (GNOME), a hint of the wrong type is an error.

#![allow(clippy::needless_pass_by_value, clippy::too_many_arguments, reason = "a D-Bus method takes what its signature says")]

use crate::private_bus::{PrivateBus, until, wait};
use anyhow::Result;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use zbus::{
    message::Header,
    object_server::SignalEmitter,
    wire::{OwnedVariant, Variant},
};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// The server on one bus, until it is dropped.
#[derive(Debug)]
pub struct FakeServer {
    conn: zbus::Connection,
    books: Arc<Mutex<Books>>,
}

/// What it does with a call of `Notify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It shows the popup.
    #[default]
    Good,
    /// It has enough (KDE Plasma: more than so many popups in a short time).
    Excess,
    /// It never answers.
    Silent,
}

/// A popup on the screen, or one that was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// Its id.
    pub id: u32,
    /// What `Notify` was asked to replace.
    pub replaces: u32,
    /// Unique name of the connection that made it.
    pub owner: String,
    /// The name of the program.
    pub app: String,
    /// The name of the icon.
    pub icon: String,
    /// Title.
    pub summary: String,
    /// Text as it came, markup and all.
    pub body: String,
    /// 0, 1, 2.
    pub urgency: Option<u8>,
    /// Hint `category`.
    pub category: String,
    /// Hint `desktop-entry`.
    pub desktop_entry: String,
    /// -1: as the server likes; 0: until it is closed.
    pub timeout: i32,
    /// Key and label of each button.
    pub actions: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Books {
    mood: Mood,
    markup: bool,
    next_id: u32,
    screen: BTreeMap<u32, Shown>,
    calls: Vec<Shown>,
    asked: usize,
    has_actions: bool,
    name: String,
}

impl FakeServer {
    /// Comes up on `bus`; `markup`: it reads markup in a body. Its ids begin after `last_id`.
    ///
    /// # Errors
    /// When there is another server.
    pub fn start(bus: &PrivateBus, markup: bool, last_id: u32) -> Result<Self> {
        let books = Arc::new(Mutex::new(Books { markup, next_id: last_id, name: "fake".to_owned(), ..Books::default() }));
        let service = Service { books: Arc::clone(&books) };
        let builder = zbus::connection::Builder::address(bus.address().as_str()).serve_at(PATH, service).name(NAME);
        Ok(Self { conn: wait(builder.build())?, books })
    }

    /// How it is from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.books().mood = mood;
    }

    /// It has buttons from now on. Agents ask once, so say it before they come.
    pub fn draw_actions(&self) {
        self.books().has_actions = true;
    }

    /// What it calls itself.
    pub fn set_name(&self, name: &str) {
        name.clone_into(&mut self.books().name);
    }

    /// A person clicks a button, as GNOME tells it: the token of the click, the click, and the popup goes.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn click(&self, id: u32, key: &str, token: Option<&str>) -> Result<()> {
        if let Some(token) = token {
            wait(self.conn.emit_signal(None::<&str>, PATH, NAME, "ActivationToken", &(id, token)))?;
        }
        wait(self.conn.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &(id, key)))?;
        self.dismiss(id)
    }

    /// What is on the screen.
    #[must_use]
    pub fn screen(&self) -> Vec<Shown> {
        self.books().screen.values().cloned().collect()
    }

    /// Every popup and every update that it showed.
    #[must_use]
    pub fn calls(&self) -> Vec<Shown> {
        self.books().calls.clone()
    }

    /// Calls of `Notify`, the refused ones included.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.books().asked
    }

    /// Waits for the `n`th popup or update.
    ///
    /// # Errors
    /// When it does not come within five seconds.
    pub fn call(&self, n: usize) -> Result<Shown> {
        until(Duration::from_secs(5), || self.books().calls.get(n.checked_sub(1)?).cloned())
            .map_err(|error| error.context(format!("popup or update {n} of {:#?}", self.calls())))
    }

    /// A person closes a popup.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn dismiss(&self, id: u32) -> Result<()> {
        self.books().screen.remove(&id);
        self.say_closed(id, 2)
    }

    /// Says that a popup was closed, whether there is one or not.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn say_closed(&self, id: u32, reason: u32) -> Result<()> {
        wait(self.conn.emit_signal(None::<&str>, PATH, NAME, "NotificationClosed", &(id, reason)))?;
        Ok(())
    }

    /// Sends any signal from its path.
    ///
    /// # Errors
    /// When the bus is gone.
    pub async fn say<B: serde::Serialize + zbus::wire::DynamicType>(&self, interface: &str, member: &str, body: &B) -> zbus::Result<()> {
        self.conn.emit_signal(None::<&str>, PATH, interface, member, body).await
    }

    /// Sends a signal of its interface that is not as the specification has it.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn say_nonsense(&self) -> Result<()> {
        wait(self.conn.emit_signal(None::<&str>, PATH, NAME, "NotificationClosed", &("seven", vec![1.5_f64])))?;
        wait(self.conn.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &(vec![1_u32], "details")))?;
        wait(self.conn.emit_signal(None::<&str>, PATH, NAME, "ActivationToken", &()))?;
        wait(self.conn.emit_signal(None::<&str>, PATH, NAME, "NotificationReplied", &(1_u32, "x".repeat(100_000))))?;
        Ok(())
    }

    /// Leaves the bus.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn stop(self) -> Result<()> {
        self.leave()
    }

    /// The same, for one that others still hold.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn leave(&self) -> Result<()> {
        Ok(wait(self.conn.clone().close())?)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.Notifications.Error")]
enum Error {
    #[zbus(error)]
    ZBus(zbus::Error),
    ExcessNotificationGeneration(String),
    InvalidArgument(String),
    NotYours(String),
}

struct Service {
    books: Arc<Mutex<Books>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    async fn notify(
        &self,
        app_name: String,
        replaces_id: u32,
        app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        expire_timeout: i32,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<u32, Error> {
        let mood = {
            let mut books = lock(&self.books);
            books.asked += 1;
            books.mood
        };
        match mood {
            Mood::Good => {}
            Mood::Excess => return Err(Error::ExcessNotificationGeneration("too many".to_owned())),
            Mood::Silent => std::future::pending().await,
        }
        let owner = header.sender().map(ToString::to_string).unwrap_or_default();
        let mut shown = Shown {
            replaces: replaces_id,
            owner,
            app: app_name,
            icon: app_icon,
            summary,
            body,
            timeout: expire_timeout,
            actions: actions.chunks_exact(2).filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone()))).collect(),
            ..Shown::default()
        };
        if !actions.len().is_multiple_of(2) || expire_timeout < -1 || shown.summary.is_empty() || shown.summary.contains('\n') {
            return Err(Error::InvalidArgument(format!("{shown:?}")));
        }
        for (key, value) in &hints {
            match (key.as_str(), &**value) {
                ("urgency", Variant::U8(urgency)) if *urgency <= 2 => shown.urgency = Some(*urgency),
                ("category", Variant::Str(category)) => category.as_str().clone_into(&mut shown.category),
                ("desktop-entry", Variant::Str(entry)) => entry.as_str().clone_into(&mut shown.desktop_entry),
                _ => return Err(Error::InvalidArgument(format!("hint {key}"))),
            }
        }
        let mut books = lock(&self.books);
        if !shown.actions.is_empty() && !books.has_actions {
            return Err(Error::InvalidArgument("actions on a server that has none".to_owned()));
        }
        shown.id = match books.screen.get(&replaces_id) {
            Some(old) if old.owner != shown.owner => return Err(Error::NotYours(format!("{replaces_id} is not yours"))),
            Some(_) => replaces_id,
            None => {
                books.next_id += 1;
                books.next_id
            }
        };
        books.screen.insert(shown.id, shown.clone());
        books.calls.push(shown.clone());
        Ok(shown.id)
    }

    async fn close_notification(
        &self,
        id: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(), Error> {
        {
            let mut books = lock(&self.books);
            let owner = header.sender().map(ToString::to_string).unwrap_or_default();
            if books.screen.get(&id).is_none_or(|shown| shown.owner != owner) {
                return Err(Error::NotYours(format!("{id} is not yours")));
            }
            books.screen.remove(&id);
        }
        Self::notification_closed(&emitter, id, 3).await?;
        Ok(())
    }

    fn get_capabilities(&self) -> Vec<String> {
        let mut capabilities = vec!["body".to_owned(), "persistence".to_owned()];
        let books = lock(&self.books);
        if books.markup {
            capabilities.push("body-markup".to_owned());
        }
        if books.has_actions {
            capabilities.push("actions".to_owned());
        }
        capabilities
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        (lock(&self.books).name.clone(), "firebell".to_owned(), env!("CARGO_PKG_VERSION").to_owned(), "1.2".to_owned())
    }

    #[zbus(signal)]
    async fn notification_closed(emitter: &SignalEmitter<'_>, id: u32, reason: u32) -> zbus::Result<()>;
}
