//! The collector on the system bus: name, path and interface `org.firebell.Collector1`.
//!
//! The loop gives alerts to the [`Board`]; [`serve`] keeps a connection, answers calls from the board and
//! sends. One task sends, and no send is ever cancelled half way: zbus writes a message in pieces.

mod callers;
mod changes;
mod limits;
mod log_control;
mod past;
mod rights;
#[expect(clippy::too_many_arguments, reason = "the signal of the contract has seven")]
mod service;
mod subscribers;
mod writer;

pub use log_control::Log;
pub use rights::Rights;
pub use service::introspection;

use crate::{
    health::Health,
    hiding::{Change, Refusal},
    history::History,
    privilege::Unprivileged,
    store::{Desk, Written},
};
use callers::Callers;
use firebell_engine::engine::IncidentReadings;
use firebell_shared::{
    alert::Alert,
    names::{COLLECTOR_NAME, COLLECTOR_PATH, MAX_ID},
    severity::Severity,
};
use futures_util::StreamExt as _;
use limits::Calls;
use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use subscribers::{Missed, Subscribers};
use tokio::sync::{Semaphore, mpsc, oneshot};
use zbus::{Connection, MatchRule, MessageStream, connection, fdo, message::Type, names::OwnedUniqueName};

/// What may wait to be sent. The bus takes 20 alerts a second; more than this is told as a number.
const OUTBOX: usize = 256;
/// Questions to the loop that may wait: those of a few users, who may ask 20 times a second each.
const QUESTIONS: usize = 64;
/// Looks through the history that go on at the same time.
const SUMMARIES_AT_ONCE: usize = 2;
/// The longest wait for an answer from the bus or from polkit.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The first wait before connecting again, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// Only alerts at least so severe are signalled; the others are for the history.
const MIN_SIGNALLED: Severity = Severity::NOTABLE;

/// What the loop knows and the bus tells.
#[derive(Debug)]
pub struct Board {
    state: Mutex<State>,
    outbox: mpsc::Sender<Out>,
    questions: mpsc::Sender<Question>,
    history_id: String,
    /// Microseconds since 1970.
    started_usec: u64,
    /// Who has alerts that memory does not hold.
    past: OnceLock<Arc<Desk>>,
    /// Places for those who have the whole history looked through.
    summaries: Semaphore,
}

#[derive(Debug)]
struct State {
    history: History,
    rights: Rights,
    broadcast: bool,
    health: Health,
    subscribers: Subscribers,
    callers: Callers,
    calls: Calls,
    /// Alerts that found the outbox full.
    missed: Option<Missed>,
    suppressed: u64,
    tests: u64,
}

/// A value of `Status()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A counter.
    Number(u64),
    /// A word or sentence.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// Several counters.
    Numbers(Vec<u64>),
    /// Yes or no.
    Truth(bool),
}

/// Something to send.
#[derive(Debug)]
enum Out {
    Alert(Arc<Alert>),
    Test(OwnedUniqueName, Arc<Alert>),
    Missed(OwnedUniqueName, Missed),
    Health,
}

/// What [`serve`] takes from the board to send it.
#[derive(Debug)]
pub struct Outbox(mpsc::Receiver<Out>);

/// Somebody wants something of the loop, which keeps what it has where no lock is needed.
#[derive(Debug)]
pub enum Question {
    /// Its counters.
    Status(oneshot::Sender<Vec<(&'static str, Value)>>),
    /// The rules in force: id, packets that fitted, and when the last one did in microseconds since 1970, 0 for never.
    RuleHits(oneshot::Sender<Vec<(String, u64, u64)>>),
    /// What the detectors have counted of the source of an incident, if it is remembered.
    Explain(u64, oneshot::Sender<Option<IncidentReadings>>),
    /// To read the configuration, rule files and lists again: what is in force now, or what is wrong.
    Reload(oneshot::Sender<Result<String, String>>),
    /// To leave out so many numbers of incidents and of alerts: the last ones before them.
    Reserve(u64, oneshot::Sender<(u64, u64)>),
    /// To mute or trust a source, or to end that. It is in force with the answer; whether it is on the disk comes later, or not at
    /// all where there is no history on a disk.
    Hide(Change, oneshot::Sender<Result<Option<Written>, Refusal>>),
}

/// Questions to the loop.
pub type Questions = mpsc::Receiver<Question>;

impl Board {
    /// A board with the alerts so far. `history_id` names this count of incidents.
    #[must_use]
    pub fn new(history: History, rights: Rights, broadcast: bool, history_id: String) -> (Arc<Self>, Outbox, Questions) {
        let (outbox, receiver) = mpsc::channel(OUTBOX);
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let state = State {
            history,
            rights,
            broadcast,
            health: Health::default(),
            subscribers: Subscribers::default(),
            callers: Callers::default(),
            calls: Calls::default(),
            missed: None,
            suppressed: 0,
            tests: 0,
        };
        (
            Arc::new(Self {
                state: Mutex::new(state),
                outbox,
                questions,
                history_id,
                started_usec: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0)),
                past: OnceLock::new(),
                summaries: Semaphore::new(SUMMARIES_AT_ONCE),
            }),
            Outbox(receiver),
            asked,
        )
    }

    /// Serves whom `rights` let from here on, and keeps at most `max_alerts` incidents in memory. A subscription that somebody
    /// has lasts until its owner leaves.
    pub fn adopt(&self, rights: Rights, broadcast: bool, max_alerts: usize) {
        let mut state = self.lock();
        (state.rights, state.broadcast) = (rights, broadcast);
        state.history.bound(max_alerts);
    }

    /// Remembers an alert and sends it to whom it concerns. Never waits.
    pub fn publish(&self, alert: Arc<Alert>) {
        let mut state = self.lock();
        state.history.put(Arc::clone(&alert));
        if alert.severity >= MIN_SIGNALLED
            && let Err(mpsc::error::TrySendError::Full(Out::Alert(alert))) = self.outbox.try_send(Out::Alert(alert))
        {
            Missed::add(&mut state.missed, alert.details.seq);
        }
    }

    /// Says how well we see; the bus hears of changes.
    pub fn set_health(&self, health: Health) {
        let mut state = self.lock();
        if state.health != health {
            state.health = health;
            // When the outbox is full, whoever asks still gets the new one.
            let _ = self.outbox.try_send(Out::Health);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection is another one: names on it mean other processes.
    fn forget_connection(&self) {
        let mut state = self.lock();
        state.subscribers.clear();
        state.callers.clear();
    }

    /// Ids of tests come from the far end, where no incident will ever get to.
    fn next_test(&self) -> u64 {
        let mut state = self.lock();
        state.tests += 1;
        MAX_ID - state.tests
    }
}

/// Why the bus cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The bus policy does not let us have our name.
    #[error(
        "the system bus does not let this user be {COLLECTOR_NAME} ({0}); install dbus-policy/org.firebell.Collector1.conf in /usr/share/dbus-1/system.d"
    )]
    Denied(zbus::Error),
    /// Another collector runs.
    #[error("{COLLECTOR_NAME} is on the system bus already; stop the other firebelld first")]
    Taken,
}

/// Serves the board on the system bus until the process ends; connects again whenever the bus goes away.
/// `ready` is told each time the name is ours.
///
/// The token: the connection is made after privileges are gone, or the bus would know us as root.
///
/// # Errors
/// [`BusError`], only before the first success: then somebody is there to read it.
pub async fn serve(
    _: Unprivileged,
    board: Arc<Board>,
    log: Arc<Log>,
    mut outbox: Outbox,
    mut ready: impl FnMut() + Send,
) -> Result<(), BusError> {
    let (mut wait, mut was_ready, mut complaint) = (BACK_OFF.0, false, String::new());
    loop {
        match connect(&board, &log).await {
            Ok((connection, mut lost)) => {
                (wait, was_ready) = (BACK_OFF.0, true);
                complaint.clear();
                ready();
                let end = writer::run(&board, &connection, &mut outbox.0, &mut lost).await;
                tracing::warn!("{end}; connecting again");
                board.forget_connection();
                drop(lost);
                // The socket may be gone already; then there is nothing to close.
                let _ = connection.close().await;
            }
            Err(error) => {
                match &error {
                    zbus::Error::NameTaken if !was_ready => return Err(BusError::Taken),
                    error if !was_ready && is_denied(error) => return Err(BusError::Denied(error.clone())),
                    _ => {}
                }
                let text = error.to_string();
                if text != complaint {
                    tracing::warn!(%error, "the system bus cannot be used; trying again");
                    complaint = text;
                }
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(BACK_OFF.1);
    }
}

/// Connects, puts the object up, takes the name. The stream tells when it is taken away.
async fn connect(board: &Arc<Board>, log: &Arc<Log>) -> zbus::Result<(Connection, MessageStream)> {
    let connection = connection::Builder::system()
        .serve_at(COLLECTOR_PATH, service::Collector::new(Arc::clone(board)))
        .serve_at(log_control::PATH, log_control::LogControl::new(log, board))
        .method_timeout(CALL_TIMEOUT)
        .build()
        .await?;
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameLost")
        .arg(0, COLLECTOR_NAME)
        .build()?;
    let lost = MessageStream::for_match_rule(rule, &connection, None).await?;
    // Nobody may take the name from us, and we take it from nobody.
    connection.request_name_with_flags(COLLECTOR_NAME, fdo::RequestNameFlags::DO_NOT_QUEUE).await?;
    Ok((connection, lost))
}

fn is_denied(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::MethodError(name, ..) => name.as_str() == "org.freedesktop.DBus.Error.AccessDenied",
        zbus::Error::FDO(error) => matches!(**error, fdo::Error::AccessDenied(_)),
        _ => false,
    }
}

/// Waits until `stream` says something or ends.
async fn spoke(stream: &mut MessageStream) {
    stream.next().await;
}
