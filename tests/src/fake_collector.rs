//! A collector that sees nothing: it tells what a test wants told, in the exact words of the bus contract.
//!
//! Strict where the real one is: limits, filters, who is subscribed, what is not acknowledged.

#![allow(clippy::needless_pass_by_value, clippy::too_many_arguments, reason = "a D-Bus method takes what its signature says")]

use crate::private_bus::{until, wait};
use anyhow::{Context, Result};
use firebell_shared::{
    alert::{Action, Alert, Attribution, Delivery, Details, OriginWord, Phase, Wire},
    names,
    severity::Severity,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use zbus::{
    message::Header,
    names::BusName,
    object_server::SignalEmitter,
    wire::{OwnedVariant, Variant},
};

/// The collector on one bus, until it is dropped.
#[derive(Debug)]
pub struct FakeCollector {
    conn: zbus::Connection,
    books: Arc<Mutex<Books>>,
}

/// What it knows, and what it was asked.
#[derive(Debug, Default)]
struct Books {
    history_id: String,
    /// `Health`, unless all is well.
    trouble: Option<(String, String)>,
    alerts: Vec<Alert>,
    /// Unique name of each subscriber, and how far it has acknowledged.
    subscribers: HashMap<String, u64>,
    /// Sent and not acknowledged, by subscriber.
    unacknowledged: HashMap<String, Vec<u64>>,
    /// What each subscriber missed for not acknowledging: first, last and how many.
    missed: HashMap<String, (u64, u64, u32)>,
    lists: Vec<u64>,
    received: Vec<u64>,
    refuses: bool,
    /// Alerts that were not sent because a subscriber did not acknowledge.
    held_back: u64,
}

impl FakeCollector {
    /// Comes up on the bus at `address` with an empty history.
    ///
    /// # Errors
    /// When its name is taken.
    pub fn start(address: &str, history_id: &str) -> Result<Self> {
        Self::resume(address, history_id, Vec::new())
    }

    /// Comes up with a history.
    ///
    /// # Errors
    /// When its name is taken.
    pub fn resume(address: &str, history_id: &str, alerts: Vec<Alert>) -> Result<Self> {
        let books = Arc::new(Mutex::new(Books { history_id: history_id.to_owned(), alerts, ..Books::default() }));
        let service = Service { books: Arc::clone(&books) };
        let builder = zbus::connection::Builder::address(address).serve_at(names::COLLECTOR_PATH, service).name(names::COLLECTOR_NAME);
        Ok(Self { conn: wait(builder.build())?, books })
    }

    /// Keeps an alert and sends it to every subscriber that has not fallen behind.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn tell(&self, alert: &Alert) -> Result<()> {
        self.keep(alert);
        let subscribers: Vec<String> = self.books().subscribers.keys().cloned().collect();
        for subscriber in subscribers {
            {
                let (mut books, seq) = (self.books(), alert.details.seq);
                let is_behind = books.missed.contains_key(&subscriber);
                let waiting = books.unacknowledged.entry(subscriber.clone()).or_default();
                if is_behind || waiting.len() as u64 >= names::MAX_UNACKNOWLEDGED {
                    books.held_back += 1;
                    let missed = books.missed.entry(subscriber).or_insert((seq, seq, 0));
                    *missed = (missed.0, seq, missed.2 + 1);
                    continue;
                }
                waiting.push(seq);
            }
            self.send(&subscriber, "Alert", &alert.to_wire())?;
        }
        Ok(())
    }

    /// Tells of `count` scans, each from an address of its own, as fast as they are taken.
    ///
    /// # Errors
    /// When the subscriber takes no more.
    pub fn tell_many(&self, count: u64) -> Result<()> {
        let taken = |at_least: u64| until(Duration::from_secs(30), || (self.acknowledged() >= at_least).then_some(()));
        for n in 1..=count {
            let mut alert = scan(n, n);
            alert.source = format!("10.0.{}.{}", n / 250, n % 250);
            self.tell(&alert)?;
            if n % 32 == 0 {
                taken(n - 32)?;
            }
        }
        taken(count)
    }

    /// Keeps an alert without a word to anybody.
    pub fn keep(&self, alert: &Alert) {
        self.books().alerts.push(alert.clone());
    }

    /// Says that alerts were held back by the rate limit.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn say_suppressed(&self, first: u64, last: u64, count: u32) -> Result<()> {
        let subscribers: Vec<String> = self.books().subscribers.keys().cloned().collect();
        for subscriber in subscribers {
            self.send(&subscriber, "AlertsSuppressed", &(first, last, count))?;
        }
        Ok(())
    }

    /// Sends any signal of our interface to the first subscriber: for messages that break the contract.
    ///
    /// # Errors
    /// When nobody is subscribed.
    pub fn send_raw<B: serde::Serialize + zbus::wire::DynamicType>(&self, member: &str, body: &B) -> Result<()> {
        let subscriber = self.books().subscribers.keys().next().cloned().context("nobody is subscribed")?;
        self.send(&subscriber, member, body)
    }

    /// Says how well it sees: not, for this reason, or well.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn blind(&self, reason: Option<&str>) -> Result<()> {
        self.books().trouble = reason.map(|reason| ("blind".to_owned(), reason.to_owned()));
        let health = if let Some(reason) = reason { ("blind", reason) } else { ("ok", "") };
        let changed = HashMap::from([("Health", Variant::from(health))]);
        let body = (names::COLLECTOR_INTERFACE, changed, Vec::<&str>::new());
        let interface = "org.freedesktop.DBus.Properties";
        wait(self.conn.emit_signal(None::<BusName<'_>>, names::COLLECTOR_PATH, interface, "PropertiesChanged", &body))?;
        Ok(())
    }

    /// Whether to refuse `Subscribe` from now on.
    pub fn refuse(&self, refuses: bool) {
        self.books().refuses = refuses;
    }

    /// Unique names of the subscribers.
    #[must_use]
    pub fn subscribers(&self) -> Vec<String> {
        self.books().subscribers.keys().cloned().collect()
    }

    /// `after_seq` of each `ListAlerts`.
    #[must_use]
    pub fn lists(&self) -> Vec<u64> {
        self.books().lists.clone()
    }

    /// The highest sequence number that was acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.books().received.iter().copied().max().unwrap_or(0)
    }

    /// How often `Received` was called.
    #[must_use]
    pub fn acknowledgements(&self) -> usize {
        self.books().received.len()
    }

    /// Alerts that were not sent because the subscriber had fallen behind.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.books().held_back
    }

    /// Leaves the bus.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn stop(self) -> Result<Vec<Alert>> {
        let alerts = std::mem::take(&mut self.books().alerts);
        wait(self.conn.clone().close())?;
        Ok(alerts)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    fn send<B: serde::Serialize + zbus::wire::DynamicType>(&self, to: &str, member: &str, body: &B) -> Result<()> {
        let to = BusName::try_from(to)?;
        wait(self.conn.emit_signal(Some(to), names::COLLECTOR_PATH, names::COLLECTOR_INTERFACE, member, body))?;
        Ok(())
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Errors of the contract.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.firebell.Error")]
enum Error {
    #[zbus(error)]
    ZBus(zbus::Error),
    NotAuthorized(String),
    NotFound(String),
    InvalidArgument(String),
}

struct Service {
    books: Arc<Mutex<Books>>,
}

#[zbus::interface(name = "org.firebell.Collector1")]
impl Service {
    fn subscribe(&self, #[zbus(header)] header: Header<'_>) -> Result<u64, Error> {
        let mut books = lock(&self.books);
        if books.refuses {
            return Err(Error::NotAuthorized("not for you".to_owned()));
        }
        let seq = books.alerts.iter().map(|alert| alert.details.seq).max().unwrap_or(0);
        if let Some(sender) = header.sender() {
            books.subscribers.insert(sender.to_string(), seq);
            books.unacknowledged.remove(sender.as_str());
            books.missed.remove(sender.as_str());
        }
        Ok(seq)
    }

    fn unsubscribe(&self, #[zbus(header)] header: Header<'_>) {
        if let Some(sender) = header.sender() {
            lock(&self.books).subscribers.remove(sender.as_str());
        }
    }

    async fn received(
        &self,
        seq: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(), Error> {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let missed = {
            let mut books = lock(&self.books);
            if !books.subscribers.contains_key(&sender) {
                return Err(Error::InvalidArgument("not subscribed".to_owned()));
            }
            books.received.push(seq);
            let waiting = books.unacknowledged.entry(sender.clone()).or_default();
            waiting.retain(|&waiting| waiting > seq);
            if waiting.is_empty() { books.missed.remove(&sender) } else { None }
        };
        if let (Some((first, last, count)), Some(sender)) = (missed, header.sender()) {
            Self::alerts_suppressed(&emitter.set_destination(sender.to_owned().into()), first, last, count).await?;
        }
        Ok(())
    }

    fn list_alerts(&self, after_seq: u64, limit: u32, filter: HashMap<String, OwnedVariant>) -> Result<(Vec<Wire>, u64, bool), Error> {
        if limit == 0 || limit > names::MAX_LIST {
            return Err(Error::InvalidArgument(format!("limit is 1 to {}, not {limit}", names::MAX_LIST)));
        }
        let (mut least, mut source) = (1_u8, None);
        for (key, value) in &filter {
            match (key.as_str(), &**value) {
                ("min_severity", Variant::U8(severity)) => least = *severity,
                ("source", Variant::Str(wanted)) => source = Some(wanted.to_string()),
                _ => return Err(Error::InvalidArgument(format!("filter {key}"))),
            }
        }
        let mut books = lock(&self.books);
        books.lists.push(after_seq);
        let mut after: Vec<&Alert> =
            books.alerts.iter().filter(|alert| alert.details.seq > after_seq && alert.severity.get() >= least).collect();
        after.retain(|alert| source.as_ref().is_none_or(|source| alert.source == *source || alert.details.sources.contains(source)));
        after.sort_by_key(|alert| alert.details.seq);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = after.iter().take(limit).map(|alert| alert.to_wire()).collect();
        let last = books.alerts.iter().map(|alert| alert.details.seq).max().unwrap_or(0);
        Ok((page, last, after.len() > limit))
    }

    fn get_alert(&self, id: u64) -> Result<(Wire,), Error> {
        let books = lock(&self.books);
        let newest = books.alerts.iter().filter(|alert| alert.id == id).max_by_key(|alert| alert.details.revision);
        newest.map(|alert| (alert.to_wire(),)).ok_or_else(|| Error::NotFound(format!("no alert {id}")))
    }

    fn status(&self) -> HashMap<String, OwnedVariant> {
        HashMap::new()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    #[zbus(property)]
    fn history_id(&self) -> String {
        lock(&self.books).history_id.clone()
    }

    #[zbus(property)]
    fn health(&self) -> (String, String) {
        lock(&self.books).trouble.clone().unwrap_or_else(|| ("ok".to_owned(), String::new()))
    }

    #[zbus(signal)]
    async fn alert(
        emitter: &SignalEmitter<'_>,
        id: u64,
        time_usec: u64,
        severity: u8,
        kind: String,
        source: String,
        summary: String,
        details: HashMap<String, OwnedVariant>,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn alerts_suppressed(emitter: &SignalEmitter<'_>, first_seq: u64, last_seq: u64, count: u32) -> zbus::Result<()>;
}

/// A port scan of 1,000 ports, dropped, told as a popup; a test changes what matters to it.
#[must_use]
pub fn scan(id: u64, seq: u64) -> Alert {
    Alert {
        id,
        time_usec: 1_763_800_000_000_000,
        severity: Severity::AIMED,
        kind: "syn-scan".to_owned(),
        source: format!("198.51.100.{id}"),
        summary: "SYN scan of 1000 TCP ports".to_owned(),
        details: Details {
            seq,
            revision: u32::try_from(seq).unwrap_or(u32::MAX),
            phase: Phase::Opened,
            packets: 1996,
            contacts: 1000,
            ports: "1-1000".to_owned(),
            targets: vec!["198.51.100.10".to_owned()],
            protocol: "tcp".to_owned(),
            first_seen: 1_763_800_000_000_000,
            last_seen: 1_763_800_005_000_000,
            action: Action::Dropped,
            origin: OriginWord::Kernel,
            attribution: Attribution::Plausible,
            delivery: Delivery::Popup,
            ..Details::default()
        },
    }
}

/// A later revision of it.
#[must_use]
pub fn later(alert: &Alert, seq: u64, phase: Phase, severity: Severity) -> Alert {
    let mut alert = alert.clone();
    alert.severity = severity;
    alert.details.seq = seq;
    alert.details.revision += 1;
    alert.details.phase = phase;
    alert
}
