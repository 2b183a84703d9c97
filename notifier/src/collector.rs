//! The agent's ear: the collector on the system bus, over restarts of either.
//!
//! Two tasks share the work. The *pump* takes signals off the connection all the time, because zbus stops reading the
//! socket, replies included, while a signal stream is full. The *session* makes the calls: subscribe, catch up,
//! acknowledge. Only what the owner of the collector's name sends gets through (the generated proxy sees to that).
//!
//! Nothing is missed: after each gap (reconnect, new owner, alerts held back, a full queue) `ListAlerts` fills it from
//! the last sequence number that was seen.

use crate::backoff::Backoff;
use firebell_shared::{
    alert::{Alert, Phase},
    client::CollectorProxy,
    names, text,
};
use futures_util::{StreamExt, stream};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use tracing::{debug, info, warn};
use zbus::{connection, fdo, proxy::CacheProperties, wire::Variant};

/// The longest wait for an answer. polkit may have to be started first.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Signals between the pump and the session; when it is full, we catch up instead.
const MAX_QUEUE: usize = 128;
/// Alerts in one `ListAlerts`. Small, so that the answer stays below some 300 KB.
const PAGE: u32 = 200;
/// So many signals waiting mean that we were slow.
const MANY_WAITING: usize = 32;
/// Pages in one catch-up: 20,000 revisions. More is history, not news.
const MAX_PAGES: usize = 100;
/// Acknowledge after so many alerts, well before [`names::MAX_UNACKNOWLEDGED`] ...
const ACKNOWLEDGE_AT: u64 = 16;
/// ... or this long after the first of them.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_secs(1);
/// Shortest time between two catch-ups on one connection: the collector grants 20 calls a second.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

/// How far we have heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// `HistoryId` of the collector: sequence numbers mean something only within it.
    pub(crate) history: String,
    /// Sequence number of the last alert.
    pub(crate) seq: u64,
}

/// What the listener tells the agent.
#[derive(Debug)]
pub(crate) enum Word {
    /// What happened.
    News(News),
    /// Whether we would hear of it.
    Sight(Sight),
}

/// Is anything watching the firewall log?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// The collector saw nothing for a while and sees again.
    Back,
    /// There is a collector that has nothing to complain of, or not yet: it takes it a minute to be sure that it is blind.
    Fresh,
    /// The collector has not been able to read any log for a minute, for this reason.
    Blind(String),
    /// There was a collector, and there is none.
    Absent,
}

/// Alerts, and how far we are with them.
#[derive(Debug)]
pub(crate) struct News {
    /// Ids mean other incidents from here on.
    pub(crate) starts_anew: bool,
    /// Revisions in order.
    pub(crate) alerts: Vec<Alert>,
    /// They come from the history; of each incident only the newest revision in a page.
    pub(crate) is_late: bool,
    /// Where we are after them.
    pub(crate) position: Position,
}

/// Listens for as long as somebody wants the news.
///
/// `start` is how far an earlier run has heard. Without it what goes on already is told, and what is over is not.
pub(crate) async fn listen(news: mpsc::Sender<Word>, start: Option<Position>) {
    let mut listener = Listener { news, position: start, was_absent: false, is_listening: false, sight: None, complaint: String::new() };
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
    while !listener.news.is_closed() {
        let Err(error) = listener.session(&mut backoff).await;
        match error {
            Lost::Agent => return,
            Lost::Bus(error) => listener.complain(&format!("no connection to the system bus ({error}); trying again")),
        }
        if listener.see(Sight::Absent).await.is_err() {
            return;
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

struct Listener {
    news: mpsc::Sender<Word>,
    position: Option<Position>,
    /// The collector came after us, so all that it says is news.
    was_absent: bool,
    /// Said so, and nothing has been wrong since.
    is_listening: bool,
    /// What the agent knows; nothing before there was a collector.
    sight: Option<Sight>,
    /// What was wrong last, so that it is said once.
    complaint: String,
}

/// Why a session ended.
enum Lost {
    Bus(zbus::Error),
    Agent,
}

impl From<zbus::Error> for Lost {
    fn from(error: zbus::Error) -> Self {
        Self::Bus(error)
    }
}

/// What the pump hands over.
#[derive(Debug)]
enum Signal {
    Alert(Box<Alert>),
    Suppressed,
    /// A property changed: `HistoryId` or `Health`.
    Properties,
    Owner(bool),
    /// Signals were dropped for want of room.
    Lost,
}

/// Why the subscription ended.
enum Next {
    /// The collector went away or was replaced.
    Owner(bool),
    /// Ask for everything again.
    Resync,
}

impl Listener {
    /// One connection to the bus, from the first call to the last signal.
    async fn session(&mut self, backoff: &mut Backoff) -> Result<std::convert::Infallible, Lost> {
        let conn = connection::Builder::system().method_timeout(CALL_TIMEOUT).build().await?;
        let proxy: CollectorProxy<'static> = CollectorProxy::builder(&conn).cache_properties(CacheProperties::No).build().await?;
        let mut signals = Pump::start(&proxy).await?;
        let bus = fdo::DBusProxy::builder(&conn).cache_properties(CacheProperties::No).build().await?;
        let mut is_there = has_owner(&bus).await?;
        let mut refusals = Backoff::new(Duration::from_secs(1), Duration::from_secs(600));
        loop {
            if !is_there {
                self.was_absent = true;
                self.complain("the collector (firebelld) is not on the system bus; waiting for it");
                self.see(Sight::Absent).await?;
                match signals.recv().await? {
                    Signal::Owner(owner) => is_there = owner,
                    Signal::Lost => is_there = has_owner(&bus).await?,
                    _ => {}
                }
                continue;
            }
            backoff.reset();
            match self.subscription(&proxy, &mut signals).await {
                Ok(Next::Owner(owner)) => {
                    is_there = owner;
                    refusals.reset();
                }
                Ok(Next::Resync) => is_there = has_owner(&bus).await?,
                Err(Lost::Agent) => return Err(Lost::Agent),
                Err(Lost::Bus(error)) if conn.is_closed() => return Err(Lost::Bus(error)),
                Err(Lost::Bus(error)) => {
                    self.complain(&explain(&error));
                    // It may come back, or allow us later (polkit starts, the session becomes active).
                    is_there = wait_for_owner(&mut signals, refusals.next_wait()).await?.unwrap_or(has_owner(&bus).await?);
                }
            }
        }
    }

    /// From `Subscribe` until the collector goes away or the history has to be read anew.
    async fn subscription(&mut self, proxy: &CollectorProxy<'_>, signals: &mut Pump) -> Result<Next, Lost> {
        let newest = proxy.subscribe().await?;
        let history = history_id(proxy).await?;
        self.see(sight(proxy, Sight::Fresh).await?).await?;
        self.find_position(history, newest).await?;
        self.catch_up(proxy).await?;
        self.acknowledge(proxy).await;
        if !self.is_listening {
            info!("listening to the collector");
            self.is_listening = true;
        }
        self.complaint.clear();
        let mut caught_up = Instant::now();
        let mut wants_catch_up = false;
        let mut unacknowledged = 0;
        let mut acknowledge_at: Option<Instant> = None;
        loop {
            let due = acknowledge_at.into_iter().chain(wants_catch_up.then_some(caught_up + CATCH_UP_EVERY)).min();
            let signal = match due {
                Some(due) => tokio::time::timeout_at(due, signals.recv()).await.ok().transpose()?,
                None => Some(signals.recv().await?),
            };
            // So many waited that the collector may have stopped sending.
            wants_catch_up |= signals.waiting() >= MANY_WAITING;
            match signal {
                Some(Signal::Alert(alert)) => {
                    unacknowledged += 1;
                    acknowledge_at.get_or_insert_with(|| Instant::now() + ACKNOWLEDGE_AFTER);
                    self.take(*alert).await?;
                }
                Some(Signal::Suppressed) => wants_catch_up = true,
                Some(Signal::Properties) => {
                    let history = history_id(proxy).await?;
                    if self.position.as_ref().is_none_or(|position| position.history != history) {
                        return Ok(Next::Resync);
                    }
                    self.see(sight(proxy, Sight::Back).await?).await?;
                }
                Some(Signal::Owner(is_there)) => return Ok(Next::Owner(is_there)),
                Some(Signal::Lost) => return Ok(Next::Resync),
                None => {}
            }
            let now = Instant::now();
            if unacknowledged >= ACKNOWLEDGE_AT || acknowledge_at.is_some_and(|at| at <= now) {
                self.acknowledge(proxy).await;
                unacknowledged = 0;
                acknowledge_at = None;
            }
            if wants_catch_up && now >= caught_up + CATCH_UP_EVERY {
                self.catch_up(proxy).await?;
                self.acknowledge(proxy).await;
                caught_up = Instant::now();
                wants_catch_up = false;
            }
        }
    }

    /// Where to begin in this history. `newest` is the last sequence number in it.
    async fn find_position(&mut self, history: String, newest: u64) -> Result<(), Lost> {
        let is_known = self.position.as_ref().is_some_and(|position| position.history == history && position.seq <= newest);
        if is_known {
            return Ok(());
        }
        let is_first = self.position.is_none();
        let position = Position { history, seq: 0 };
        self.position = Some(position.clone());
        // Nobody told us what we had heard: what is over is not news.
        self.was_absent |= !is_first;
        self.tell(News { starts_anew: !is_first, alerts: Vec::new(), is_late: false, position }).await
    }

    /// Reads from the history what came after our position.
    async fn catch_up(&mut self, proxy: &CollectorProxy<'_>) -> Result<(), Lost> {
        let skips_past = self.position.as_ref().is_some_and(|position| position.seq == 0) && !self.was_absent;
        for _ in 0..MAX_PAGES {
            let Some(position) = self.position.clone() else { return Ok(()) };
            let filter = HashMap::from([("min_severity", Variant::from(2_u8))]);
            let (page, last, has_more) = proxy.list_alerts(position.seq, PAGE, filter).await?;
            let mut alerts = newest_of_each(page.into_iter().filter_map(read));
            let mut seq = alerts.iter().map(|alert| alert.details.seq).max().unwrap_or(position.seq);
            if !has_more {
                // What was left out for its severity lies behind us too.
                seq = seq.max(last.min(names::MAX_ID - 1));
            }
            let has_moved = seq > position.seq;
            let position = Position { seq: seq.max(position.seq), ..position };
            if skips_past {
                alerts.retain(|alert| alert.details.phase != Phase::Closed);
            }
            self.position = Some(position.clone());
            if has_moved || !alerts.is_empty() {
                self.tell(News { starts_anew: false, alerts, is_late: true, position }).await?;
            }
            if !has_more || !has_moved {
                break;
            }
        }
        self.was_absent = false;
        Ok(())
    }

    /// One alert as it happens. What the history told us already is dropped.
    async fn take(&mut self, alert: Alert) -> Result<(), Lost> {
        let Some(position) = &mut self.position else { return Ok(()) };
        // A test is not in the history.
        if alert.kind != "test" {
            if alert.details.seq <= position.seq {
                return Ok(());
            }
            position.seq = alert.details.seq;
        }
        let position = position.clone();
        self.tell(News { starts_anew: false, alerts: vec![alert], is_late: false, position }).await
    }

    async fn acknowledge(&self, proxy: &CollectorProxy<'_>) {
        let Some(position) = &self.position else { return };
        // Without it the collector stops after 64 alerts and says so; then we catch up.
        if let Err(error) = proxy.received(position.seq).await {
            debug!(%error, "not acknowledged");
        }
    }

    async fn tell(&self, news: News) -> Result<(), Lost> {
        self.news.send(Word::News(news)).await.map_err(|_| Lost::Agent)
    }

    /// Tells the agent whether anything watches, when that has changed. That there is none is worth a word only after there was one.
    async fn see(&mut self, sight: Sight) -> Result<(), Lost> {
        if self.sight.as_ref() == Some(&sight) || (self.sight.is_none() && sight == Sight::Absent) {
            return Ok(());
        }
        self.sight = Some(sight.clone());
        self.news.send(Word::Sight(sight)).await.map_err(|_| Lost::Agent)
    }

    /// Says what is wrong, once until something else is.
    fn complain(&mut self, what: &str) {
        self.is_listening = false;
        if self.complaint == what {
            debug!("{what}");
        } else {
            warn!("{what}");
            what.clone_into(&mut self.complaint);
        }
    }
}

async fn has_owner(bus: &fdo::DBusProxy<'_>) -> zbus::Result<bool> {
    let name = names::COLLECTOR_NAME.try_into()?;
    Ok(bus.name_has_owner(name).await?)
}

/// Waits until the owner of the collector's name changes, at most for `wait`.
async fn wait_for_owner(signals: &mut Pump, wait: Duration) -> zbus::Result<Option<bool>> {
    let until = Instant::now() + wait;
    loop {
        match tokio::time::timeout_at(until, signals.recv()).await {
            Ok(Ok(Signal::Owner(is_there))) => return Ok(Some(is_there)),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(None),
        }
    }
}

/// Names the history that the sequence numbers belong to.
async fn history_id(proxy: &CollectorProxy<'_>) -> zbus::Result<String> {
    Ok(text::safe(proxy.history_id().await?.as_bytes(), 128))
}

/// How well the collector says it sees; `well` where it has nothing worse to say.
async fn sight(proxy: &CollectorProxy<'_>, well: Sight) -> zbus::Result<Sight> {
    let (state, reason) = proxy.health().await?;
    Ok(if state == "blind" { Sight::Blind(text::safe(reason.as_bytes(), text::MAX_FIELD)) } else { well })
}

/// What an error of the collector means to the person who reads our log.
fn explain(error: &zbus::Error) -> String {
    let name = match error {
        zbus::Error::MethodError(name, ..) => name.as_str(),
        zbus::Error::FDO(fdo) if matches!(**fdo, fdo::Error::AccessDenied(_)) => "org.freedesktop.DBus.Error.AccessDenied",
        _ => "",
    };
    match name.strip_prefix(names::ERROR_PREFIX) {
        Some(".NotAuthorized") => "the collector does not show alerts to this user; add the user to `viewers` in the [bus] section of \
                                   /etc/firebell/firebell.toml, or to the group adm"
            .to_owned(),
        Some(".NotReady") => "the collector is not ready yet; waiting for it".to_owned(),
        _ => format!("the collector does not answer as it should ({error}); trying again"),
    }
}

/// Messages that were no alerts, since the start.
static MALFORMED: AtomicU64 = AtomicU64::new(0);

/// Counts a message that is no alert. Said at the 1st, 2nd, 4th, 8th, ... of them.
fn count_malformed(why: &dyn std::fmt::Display) {
    let malformed = MALFORMED.fetch_add(1, Ordering::Relaxed) + 1;
    if malformed.is_power_of_two() {
        warn!(malformed, %why, "dropped messages of the collector that are no alerts; is it newer than this agent?");
    }
}

/// An alert off the wire, or one more malformed message.
fn read(wire: firebell_shared::alert::Wire) -> Option<Alert> {
    Alert::from_wire(wire).inspect_err(|error| count_malformed(error)).ok()
}

/// Of several revisions of one incident only the newest, in the order of their first.
fn newest_of_each(alerts: impl Iterator<Item = Alert>) -> Vec<Alert> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut newest: Vec<Alert> = Vec::new();
    for alert in alerts {
        match places.entry(alert.id) {
            Entry::Vacant(place) => {
                place.insert(newest.len());
                newest.push(alert);
            }
            Entry::Occupied(place) => {
                if let Some(older) = newest.get_mut(*place.get())
                    && older.details.revision < alert.details.revision
                {
                    *older = alert;
                }
            }
        }
    }
    newest
}

/// Takes signals off a connection, whatever the session is busy with.
struct Pump {
    signals: mpsc::Receiver<Signal>,
    /// The queue was full and something was dropped.
    lost: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Pump {
    async fn start(proxy: &CollectorProxy<'static>) -> zbus::Result<Self> {
        let conn = proxy.inner().connection();
        let properties = fdo::PropertiesProxy::builder(conn)
            .destination(names::COLLECTOR_NAME)
            .path(names::COLLECTOR_PATH)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let alerts = proxy.receive_alert().await?.map(|message| match message.args() {
            Ok(args) => read((args.id, args.time_usec, args.severity, args.kind, args.source, args.summary, args.details))
                .map(|alert| Signal::Alert(Box::new(alert))),
            Err(error) => {
                count_malformed(&error);
                None
            }
        });
        let suppressed = proxy.receive_alerts_suppressed().await?.map(|_| Some(Signal::Suppressed));
        let properties = properties.receive_properties_changed().await?.map(|_| Some(Signal::Properties));
        let owners = proxy.inner().receive_owner_changed().await?.map(|owner| Some(Signal::Owner(owner.is_some())));
        let mut all = stream::select(owners, stream::select(properties, stream::select(suppressed, alerts)));
        let (queue, signals) = mpsc::channel(MAX_QUEUE);
        let lost = Arc::new(AtomicBool::new(false));
        let has_lost = Arc::clone(&lost);
        let task = tokio::spawn(async move {
            while let Some(signal) = all.next().await {
                let Some(signal) = signal else { continue };
                // Never wait here: see the module.
                if queue.try_send(signal).is_err() {
                    has_lost.store(true, Ordering::Relaxed);
                }
            }
        });
        Ok(Self { signals, lost, task })
    }

    /// The next signal; an error when the connection is closed.
    async fn recv(&mut self) -> zbus::Result<Signal> {
        if self.lost.swap(false, Ordering::Relaxed) {
            // What is still there is older than what was dropped, and worth nothing without it.
            while self.signals.try_recv().is_ok() {}
            return Ok(Signal::Lost);
        }
        self.signals.recv().await.ok_or_else(|| zbus::Error::Failure("the bus closed the connection".to_owned()))
    }

    /// Signals that are not taken yet.
    fn waiting(&self) -> usize {
        self.signals.len()
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}
