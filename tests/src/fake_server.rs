//! A notification server without a screen, stricter than those with one.
//!
//! It refuses what the specification does not allow and what the strictest real server would not do: a popup is replaced
//! or closed only by the connection that made it, as long as there is one (GNOME), a hint of the wrong type is an error.

#![allow(clippy::needless_pass_by_value, clippy::too_many_arguments, reason = "a D-Bus method takes what its signature says")]

use crate::private_bus::{PrivateBus, until, wait};
use anyhow::Result;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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

/// What a real server answers and does differently from others, as far as a program that shows popups can tell.
///
/// The answers were asked of the servers themselves, in the versions that Debian 12 has, but those of Plasma, which were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// What it calls itself.
    pub name: &'static str,
    /// `GetCapabilities`.
    pub capabilities: &'static [&'static str],
    /// A popup belongs to the connection that made it; nobody else may replace or close it while that is there.
    pub is_owned: bool,
    /// More popups of one program on the screen than that, and the oldest expires.
    pub most: usize,
    /// More calls than that in [`Model::BURST`], and it answers `ExcessNotificationGeneration`.
    pub most_calls: usize,
    /// It draws every action as a button, also `default`.
    pub draws_default: bool,
}

impl Model {
    /// The span in which calls are counted.
    pub const BURST: Duration = Duration::from_secs(1);

    /// One that does nothing special.
    const fn plain(name: &'static str, capabilities: &'static [&'static str]) -> Self {
        Self { name, capabilities, is_owned: false, most: usize::MAX, most_calls: usize::MAX, draws_default: false }
    }

    /// GNOME Shell 43.
    pub const GNOME: Self = Self {
        is_owned: true,
        most: 3,
        ..Self::plain("gnome-shell", &["actions", "body", "body-markup", "icon-static", "persistence", "sound"])
    };
    /// KDE Plasma 5.27.
    pub const PLASMA: Self = Self {
        most_calls: 3,
        ..Self::plain(
            "Plasma",
            &["body", "body-hyperlinks", "body-markup", "body-images", "icon-static", "actions", "persistence", "inline-reply"],
        )
    };
    /// xfce4-notifyd 0.7.
    pub const XFCE: Self = Self {
        draws_default: true,
        ..Self::plain(
            "Xfce Notify Daemon",
            &["action-icons", "actions", "body", "body-hyperlinks", "body-markup", "icon-static", "x-canonical-private-icon-only"],
        )
    };
    /// mate-notification-daemon 1.26.
    pub const MATE: Self =
        Self::plain("Notification Daemon", &["actions", "action-icons", "body", "body-hyperlinks", "body-markup", "icon-static", "sound"]);
    /// lxqt-notificationd 1.2.
    pub const LXQT: Self =
        Self::plain("lxqt-notificationd", &["actions", "body", "body-hyperlinks", "body-images", "body-markup", "persistence"]);
    /// dunst 1.9 with its markup on.
    pub const DUNST: Self =
        Self::plain("dunst", &["actions", "body", "body-hyperlinks", "icon-static", "synchronous", "x-dunst-stack-tag", "body-markup"]);
    /// mako 1.7.
    pub const MAKO: Self = Self::plain("mako", &["body", "body-markup", "actions", "icon-static", "x-dunst-stack-tag"]);
    /// SwayNotificationCenter 0.7.
    pub const SWAYNC: Self =
        Self::plain("SwayNotificationCenter", &["actions", "body", "body-markup", "body-images", "persistence", "synchronous"]);
    /// One that can do no more than it must.
    pub const BARE: Self = Self::plain("bare", &["body"]);

    /// Each of them.
    pub const ALL: [Self; 9] =
        [Self::GNOME, Self::PLASMA, Self::XFCE, Self::MATE, Self::LXQT, Self::DUNST, Self::MAKO, Self::SWAYNC, Self::BARE];

    /// Is that among its capabilities?
    #[must_use]
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.contains(&capability)
    }
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
    /// It shows the popup, and answers after so long.
    Slow(Duration),
    /// It shows the popup, and answers 0, which is no number of a popup.
    Zero,
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
    /// Hint `sound-name`.
    pub sound: String,
    /// Hint `image-path`.
    pub image: String,
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
    model: Option<Model>,
    /// When it was called, the last few times.
    called: Vec<Instant>,
    refused: Vec<String>,
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

    /// Comes up on `bus` as one of the real ones.
    ///
    /// # Errors
    /// When there is another server.
    pub fn like(bus: &PrivateBus, model: Model) -> Result<Self> {
        let server = Self::start(bus, model.can("body-markup"), 0)?;
        server.set_name(model.name);
        let mut books = server.books();
        books.has_actions = model.can("actions");
        books.model = Some(model);
        drop(books);
        Ok(server)
    }

    /// Why it said no, each time.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.books().refused.clone()
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

    /// Titles of what is on the screen, the oldest popup first.
    #[must_use]
    pub fn titles(&self) -> Vec<String> {
        self.screen().into_iter().map(|popup| popup.summary).collect()
    }

    /// Waits until the popups on the screen are these.
    ///
    /// # Errors
    /// When they are not within five seconds.
    pub fn shows(&self, titles: &[&str]) -> Result<()> {
        until(Duration::from_secs(5), || (self.titles() == titles).then_some(()))
            .map_err(|error| error.context(format!("{titles:?} instead of {:?}", self.titles())))
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

/// Is somebody of this unique name on the bus?
async fn is_there(conn: &zbus::Connection, name: &str) -> zbus::Result<bool> {
    let bus = zbus::fdo::DBusProxy::new(conn).await?;
    Ok(bus.name_has_owner(name.try_into()?).await?)
}

struct Service {
    books: Arc<Mutex<Books>>,
}

impl Service {
    /// Says no, and remembers why.
    fn refuse(&self, why: String) -> Error {
        lock(&self.books).refused.push(why.clone());
        Error::InvalidArgument(why)
    }
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
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<u32, Error> {
        let (mood, is_excess) = {
            let mut books = lock(&self.books);
            books.asked += 1;
            books.called.retain(|at| at.elapsed() < Model::BURST);
            books.called.push(Instant::now());
            (books.mood, books.model.is_some_and(|model| books.called.len() > model.most_calls))
        };
        if is_excess {
            return Err(Error::ExcessNotificationGeneration("Created too many similar notifications in quick succession".to_owned()));
        }
        match mood {
            Mood::Good | Mood::Slow(_) | Mood::Zero => {}
            Mood::Excess => return Err(Error::ExcessNotificationGeneration("too many".to_owned())),
            Mood::Silent => std::future::pending().await,
        }
        let maker = lock(&self.books).screen.get(&replaces_id).map(|old| old.owner.clone());
        let is_maker_there = match maker {
            Some(maker) => is_there(emitter.connection(), &maker).await?,
            None => false,
        };
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
            return Err(self.refuse(format!("{shown:?}")));
        }
        for (key, value) in &hints {
            match (key.as_str(), &**value) {
                ("urgency", Variant::U8(urgency)) if *urgency <= 2 => shown.urgency = Some(*urgency),
                ("category", Variant::Str(category)) => category.as_str().clone_into(&mut shown.category),
                ("desktop-entry", Variant::Str(entry)) => entry.as_str().clone_into(&mut shown.desktop_entry),
                ("sound-name", Variant::Str(sound)) => sound.as_str().clone_into(&mut shown.sound),
                ("image-path", Variant::Str(image)) => image.as_str().clone_into(&mut shown.image),
                _ => return Err(self.refuse(format!("hint {key}"))),
            }
        }
        let (id, expired) = {
            let mut books = lock(&self.books);
            if !shown.actions.is_empty() && !books.has_actions {
                drop(books);
                return Err(self.refuse("actions on a server that has none".to_owned()));
            }
            let model = books.model.unwrap_or(Model { is_owned: true, ..Model::BARE });
            if model.draws_default && shown.actions.iter().any(|(key, _)| key == "default") {
                drop(books);
                return Err(self.refuse("a button for the default action".to_owned()));
            }
            shown.id = match books.screen.get(&replaces_id) {
                Some(old) if model.is_owned && is_maker_there && old.owner != shown.owner => {
                    return Err(Error::NotYours(format!("{replaces_id} is not yours")));
                }
                Some(_) => replaces_id,
                None => {
                    books.next_id += 1;
                    books.next_id
                }
            };
            let id = shown.id;
            books.screen.insert(id, shown.clone());
            books.calls.push(shown);
            let oldest = books.screen.keys().next().copied().filter(|_| books.screen.len() > model.most);
            (id, oldest.inspect(|oldest| drop(books.screen.remove(oldest))))
        };
        if let Some(oldest) = expired {
            Self::notification_closed(&emitter, oldest, 1).await?;
        }
        match mood {
            Mood::Slow(time) => tokio::time::sleep(time).await,
            Mood::Zero => return Ok(0),
            _ => {}
        }
        Ok(id)
    }

    async fn close_notification(
        &self,
        id: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(), Error> {
        let maker = lock(&self.books).screen.get(&id).map(|shown| shown.owner.clone());
        let is_caller = maker.as_deref() == header.sender().map(zbus::names::UniqueName::as_str);
        match maker {
            Some(maker) if is_caller || !is_there(emitter.connection(), &maker).await? => lock(&self.books).screen.remove(&id),
            _ => return Err(Error::NotYours(format!("{id} is not yours"))),
        };
        Self::notification_closed(&emitter, id, 3).await?;
        Ok(())
    }

    fn get_capabilities(&self) -> Vec<String> {
        if let Some(model) = lock(&self.books).model {
            return model.capabilities.iter().map(|&capability| capability.to_owned()).collect();
        }
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
