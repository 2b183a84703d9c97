//! The history on the disk: a thread that owns the database, so that neither the loop nor the bus waits for a disk.
//!
//! An alert is written before it is told: the loop gives it to [`Store::tell`], the thread writes all that have gathered
//! in one transaction, and tells them then. What cannot be written, or not within [`PATIENCE`], is told all the same, kept
//! in memory within bounds, and written when the disk is well again.

pub mod attempts;
mod database;
pub mod folder;
mod moments;

pub use database::{Aside, Checkpoint, Database, FILE, Import, Imported, Numbers, Saved, StoreError};
pub use moments::{Lines, MAX_LINE, Moment, MomentRow};

use crate::{
    bus::Value,
    digest::Digest,
    history::{Filter, Page},
    remark::Remark,
};
use firebell_shared::{alert::Alert, mutes::Mutes};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt, io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::oneshot;
use tracing::{info, warn};

/// So many of the newest incidents are in memory as well.
pub const IN_MEMORY: usize = 1000;
/// So long an alert waits for the disk at most. A disk that sleeps is awake by then, or nearly.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Alerts that may wait for the disk.
const MAX_WAITING: usize = 1024;
/// Lines of the log that may wait for the disk with them.
const MAX_LINES: usize = 2048;
/// Incidents that are kept until they can be written.
const MAX_LATE: usize = 1000;
/// Questions that may wait.
const MAX_QUESTIONS: usize = 16;
/// The first wait before writing is tried again, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Trouble is said in the journal so often at most: alerts, and with them trouble, can be made by others.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// How often incidents that are too old are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(86_400);

/// The bounds of the history.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The newest so many incidents are kept.
    pub max_alerts: usize,
    /// And those that were last told within this time.
    pub max_age: Duration,
}

/// The history as it was found at the start.
#[derive(Debug)]
pub struct Found {
    /// The numbers to go on with.
    pub numbers: Numbers,
    /// The newest incidents, at most [`IN_MEMORY`], oldest first.
    pub newest: Vec<Arc<Alert>>,
    /// There are older ones.
    pub has_older: bool,
    /// What the last checkpoint says.
    pub saved: Saved,
    /// Whom nobody wants to hear of.
    pub mutes: Mutes,
    folder: PathBuf,
    bounds: Bounds,
    database: Option<Database>,
}

impl Found {
    /// Opens the history in `folder`. What is wrong with it is said in the journal, and the history that begins with
    /// `history_id` is in memory until it can be written.
    #[must_use]
    pub fn open(folder: &Path, bounds: Bounds, history_id: String) -> Self {
        let fresh = Numbers::new(history_id);
        let open = || {
            let (mut database, aside) = Database::open(folder, &fresh, false)?;
            say_aside(&aside);
            while database.prune(age_limit(bounds.max_age), bounds.max_alerts)? {}
            let (newest, saved, mutes) = (database.newest(IN_MEMORY)?, database.start()?, database.mutes()?);
            Ok((database, newest, saved, mutes))
        };
        let opened = open().or_else(|error: StoreError| {
            if !error.is_damage() {
                return Err(error);
            }
            say_aside(&[Aside { path: folder::move_aside(&folder.join(FILE), "damaged")?, why: error.to_string() }]);
            open()
        });
        let (folder, mut numbers) = (folder.to_owned(), fresh);
        match opened {
            Ok((database, newest, saved, mutes)) => {
                numbers.clone_from(database.numbers());
                let has_older = database.rows() > newest.len();
                Self { numbers, newest, has_older, saved, mutes, folder, bounds, database: Some(database) }
            }
            Err(error) => {
                say_failing(&folder, &error);
                let (saved, mutes) = (Saved::default(), Mutes::default());
                Self { numbers, newest: Vec::new(), has_older: false, saved, mutes, folder, bounds, database: None }
            }
        }
    }
}

/// What the loop and the bus have of the thread. All of it is quick.
#[derive(Debug)]
pub struct Store {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Where the thread, the loop and the bus meet.
pub struct Desk {
    inbox: Mutex<Inbox>,
    /// There is something for the thread.
    changed: Condvar,
    publish: Box<dyn Fn(Arc<Alert>) + Send + Sync>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Inbox {
    /// Alerts to be written and then told, in the order of their numbers.
    waiting: Vec<Arc<Alert>>,
    /// The lines that have caused some of them, at most [`MAX_LINES`].
    lines: Lines,
    /// Those among them that are being written.
    writing: Vec<Arc<Alert>>,
    /// When the oldest of both came.
    since: Option<Instant>,
    /// Incidents that were told and could not be written, at most [`MAX_LATE`].
    late: BTreeMap<u64, Arc<Alert>>,
    /// How far the alerts above and everything before them go, if that is to be written.
    checkpoint: Option<Checkpoint>,
    /// One is being written.
    is_checking: bool,
    questions: VecDeque<Question>,
    /// Other bounds than before.
    bounds: Option<Bounds>,
    /// Nothing is written at the moment: alerts are told at once.
    is_failing: bool,
    has_ended: bool,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    rows: u64,
    commits: u64,
    failures: u64,
    told_unwritten: u64,
    dropped: u64,
}

/// Somebody wants alerts that memory does not hold, or to write something down.
#[derive(Debug)]
pub enum Question {
    /// Those after a number up to another one; see [`Database::list`].
    List {
        /// After this.
        after_seq: u64,
        /// Up to this.
        last_seq: u64,
        /// At most so many.
        limit: usize,
        /// Which of them.
        filter: Filter,
        /// The answer; nothing when the disk does not give one.
        answer: oneshot::Sender<Option<Page>>,
    },
    /// The newest revision of an incident.
    Get {
        /// Its number.
        id: u64,
        /// The answer; nothing when there is none.
        answer: oneshot::Sender<Option<Arc<Alert>>>,
    },
    /// What incidents come to.
    Digest {
        /// After this sequence number.
        after_seq: u64,
        /// Up to this.
        last_seq: u64,
        /// Which of them.
        filter: Filter,
        /// So far.
        digest: Box<Digest>,
        /// As far as one answer goes, and where the next question goes on; nothing when the disk does not give one.
        answer: oneshot::Sender<Option<(Box<Digest>, Option<u64>)>>,
    },
    /// How an incident went.
    Moments {
        /// Its number.
        id: u64,
        /// The answer; nothing when the disk does not give one.
        answer: oneshot::Sender<Option<Vec<Moment>>>,
    },
    /// To forget some incidents; see [`Database::forget`].
    Forget {
        /// Last told before this moment, microseconds since the Unix epoch.
        before: u64,
        /// Or not among the newest so many.
        keep: u64,
        /// Their numbers.
        answer: oneshot::Sender<Result<Vec<u64>, NotWritten>>,
    },
    /// To take incidents in; see [`Database::import`].
    Import {
        /// Whence, and under which numbers.
        import: Import,
        /// All of them.
        alerts: Vec<Alert>,
        /// How many were new.
        answer: oneshot::Sender<Result<Imported, NotWritten>>,
    },
    /// Something is said of an incident.
    Remark {
        /// Its number.
        id: u64,
        /// What.
        remark: Remark,
        /// The incident as it was before, or nothing when there is none; [`NotWritten`] when the disk does not take it.
        answer: oneshot::Sender<Result<Option<Arc<Alert>>, NotWritten>>,
    },
    /// Whom nobody wants to hear of, from here on.
    Mutes {
        /// All of them.
        mutes: Mutes,
        /// Whether it is on the disk.
        answer: oneshot::Sender<Result<(), NotWritten>>,
    },
}

/// Tells whether something is on the disk.
pub type Written = oneshot::Receiver<Result<(), NotWritten>>;

/// The disk has not taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history cannot be written")]
pub struct NotWritten;

impl Desk {
    /// `publish` tells an alert; it is called by the thread and by the loop, one alert at a time.
    #[must_use]
    pub fn new(publish: impl Fn(Arc<Alert>) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { inbox: Mutex::default(), changed: Condvar::new(), publish: Box::new(publish) })
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the thread. False: too many ask already.
    #[must_use]
    pub fn ask(&self, question: Question) -> bool {
        let mut inbox = self.lock();
        let has_room = inbox.questions.len() < MAX_QUESTIONS;
        if has_room {
            inbox.questions.push_back(question);
            self.changed.notify_one();
        }
        has_room
    }

    /// Tells an alert that is not written; it is written later.
    fn tell_unwritten(&self, inbox: &mut Inbox, alert: Arc<Alert>) {
        (self.publish)(Arc::clone(&alert));
        inbox.counts.told_unwritten += 1;
        inbox.keep(alert);
    }

    /// Tells everything that waits for the disk.
    fn give_up_waiting(&self, inbox: &mut Inbox) {
        let all: Vec<_> = inbox.writing.drain(..).chain(mem::take(&mut inbox.waiting)).collect();
        for alert in all {
            self.tell_unwritten(inbox, alert);
        }
        inbox.since = None;
        inbox.is_failing = true;
    }
}

impl Inbox {
    fn keep(&mut self, alert: Arc<Alert>) {
        self.late.insert(alert.id, alert);
        if self.late.len() > MAX_LATE {
            self.late.pop_first();
            self.counts.dropped += 1;
        }
    }
}

impl Store {
    /// Starts the thread. `wake` is called when [`Store::is_failing`] has changed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(desk: &Arc<Desk>, found: Found, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        let Found { numbers, folder, bounds, database, .. } = found;
        let mut inbox = desk.lock();
        inbox.is_failing = database.is_none();
        inbox.counts.rows = database.as_ref().map_or(0, |database| database.rows() as u64);
        drop(inbox);
        let retry = database.is_none().then(|| Instant::now() + BACK_OFF.0);
        let writer = Writer {
            desk: Arc::clone(desk),
            wake: Box::new(wake),
            folder,
            bounds,
            numbers,
            said: database.is_none().then(Instant::now),
            is_damaged: false,
            database,
            retry,
            back_off: BACK_OFF.0,
            prune: Instant::now() + PRUNE_EVERY,
        };
        let thread = thread::Builder::new().name("store".into()).stack_size(256 << 10).spawn(move || writer.run())?;
        Ok(Self { desk: Arc::clone(desk), thread: Some(thread) })
    }

    /// Lines that have caused alerts which are about to be told. What there is no room for is not kept.
    pub fn keep_lines(&self, lines: impl IntoIterator<Item = (u64, Box<[u8]>)>) {
        let mut inbox = self.desk.lock();
        let room = MAX_LINES.saturating_sub(inbox.lines.len());
        inbox.lines.extend(lines.into_iter().take(room));
    }

    /// Writes alerts and tells them then. The `checkpoint`, which goes as far as they do, is written with them, or with the next
    /// ones. Never waits.
    pub fn tell(&self, alerts: impl IntoIterator<Item = Arc<Alert>>, checkpoint: Option<Checkpoint>) {
        let mut inbox = self.desk.lock();
        for alert in alerts {
            if inbox.is_failing {
                self.desk.tell_unwritten(&mut inbox, alert);
                continue;
            }
            inbox.since.get_or_insert_with(Instant::now);
            inbox.waiting.push(alert);
            if inbox.waiting.len() > MAX_WAITING {
                self.desk.give_up_waiting(&mut inbox);
            }
        }
        if checkpoint.is_some() {
            inbox.checkpoint = checkpoint;
        }
        self.desk.changed.notify_one();
    }

    /// Is the last checkpoint on the disk, so that there may be another one?
    #[must_use]
    pub fn may_check(&self) -> bool {
        let inbox = self.desk.lock();
        inbox.checkpoint.is_none() && !inbox.is_checking
    }

    /// Tells what has waited for the disk too long. Gives the time until this has to be called again.
    pub fn relieve(&self) -> Option<Duration> {
        let mut inbox = self.desk.lock();
        let left = PATIENCE.saturating_sub(inbox.since?.elapsed());
        if left.is_zero() {
            self.desk.give_up_waiting(&mut inbox);
            return None;
        }
        Some(left)
    }

    /// Keeps other bounds from here on.
    pub fn bound(&self, bounds: Bounds) {
        self.desk.lock().bounds = Some(bounds);
        self.desk.changed.notify_one();
    }

    /// Writes down whom nobody wants to hear of. What is given tells when that is on the disk; nothing where too much waits to be
    /// written.
    #[must_use]
    pub fn keep_mutes(&self, mutes: Mutes) -> Option<Written> {
        let (answer, written) = oneshot::channel();
        self.desk.ask(Question::Mutes { mutes, answer }).then_some(written)
    }

    /// Are alerts told that are not written?
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.desk.lock().is_failing
    }

    /// Counters for `Status()`.
    #[must_use]
    pub fn status(&self) -> [(&'static str, Value); 6] {
        let inbox = self.desk.lock();
        let counts = inbox.counts;
        [
            ("history_stored", Value::Number(counts.rows)),
            ("history_commits", Value::Number(counts.commits)),
            ("history_failures", Value::Number(counts.failures)),
            ("history_told_unwritten", Value::Number(counts.told_unwritten)),
            ("history_waiting", Value::Number((inbox.late.len() + inbox.waiting.len() + inbox.writing.len()) as u64)),
            ("history_dropped", Value::Number(counts.dropped)),
        ]
    }
}

impl Drop for Store {
    /// Writes what there is and ends in order. A disk that hangs is waited for.
    fn drop(&mut self) {
        self.desk.lock().has_ended = true;
        self.desk.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has ended in any case.
            let _ = thread.join();
        }
    }
}

/// The thread.
struct Writer {
    desk: Arc<Desk>,
    wake: Box<dyn Fn() + Send>,
    folder: PathBuf,
    bounds: Bounds,
    /// Those that are in use, whatever the file says.
    numbers: Numbers,
    database: Option<Database>,
    /// The open file is not to be trusted any more.
    is_damaged: bool,
    /// When to try again.
    retry: Option<Instant>,
    back_off: Duration,
    /// When trouble was last said.
    said: Option<Instant>,
    prune: Instant,
}

impl Writer {
    fn run(mut self) {
        loop {
            let (question, has_ended) = self.wait();
            if let Some(bounds) = self.desk.lock().bounds.take() {
                (self.bounds, self.prune) = (bounds, Instant::now());
            }
            self.write(has_ended);
            if has_ended {
                break;
            }
            if let Some(question) = question {
                self.answer(question);
            }
            if self.prune <= Instant::now() {
                self.prune();
            }
        }
        if let Some(database) = self.database
            && let Err(error) = database.close()
        {
            say_failing(&self.folder, &error);
        }
    }

    /// Waits until there is something to do, and marks the alerts that will be written.
    fn wait(&self) -> (Option<Question>, bool) {
        let mut inbox = self.desk.lock();
        loop {
            let now = Instant::now();
            let until = self.retry.into_iter().chain([self.prune]).min().unwrap_or(now);
            let is_late = (inbox.is_failing || inbox.checkpoint.is_some()) && self.retry.is_none();
            let is_asked = !inbox.questions.is_empty() || inbox.bounds.is_some() || inbox.has_ended;
            if !inbox.waiting.is_empty() || is_asked || is_late || until <= now {
                let waiting = mem::take(&mut inbox.waiting);
                inbox.writing.extend(waiting);
                return (inbox.questions.pop_front(), inbox.has_ended);
            }
            inbox = self.desk.changed.wait_timeout(inbox, until - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes what is to be written, and tells what waited for it.
    fn write(&mut self, is_last: bool) {
        let is_due = is_last || self.retry.is_none_or(|retry| retry <= Instant::now());
        let (writing, late, is_failing, checkpoint, lines) = {
            let mut inbox = self.desk.lock();
            // Those that came since go with the checkpoint that came with them.
            let waiting = mem::take(&mut inbox.waiting);
            inbox.writing.extend(waiting);
            let checkpoint = if is_due { inbox.checkpoint.take() } else { None };
            inbox.is_checking = checkpoint.is_some();
            let late: Vec<_> = inbox.late.values().cloned().collect();
            // They go with their alerts, or not at all.
            let newest = inbox.writing.iter().map(|alert| alert.details.seq).max().unwrap_or(0);
            let lines = inbox.lines.extract_if(|seq, _| *seq <= newest).collect();
            (inbox.writing.clone(), late, inbox.is_failing, checkpoint, lines)
        };
        if !(is_due && (is_failing || checkpoint.is_some()) || !writing.is_empty()) {
            return;
        }
        let written = if is_due { Some(self.try_write(&late, &writing, &lines, checkpoint.as_ref())) } else { None };
        let mut inbox = self.desk.lock();
        inbox.is_checking = false;
        if !matches!(written, Some(Ok(_))) {
            inbox.checkpoint = inbox.checkpoint.take().or(checkpoint);
        }
        match &written {
            Some(Ok(said)) => {
                inbox.counts.commits += 1;
                // Meanwhile there may be newer revisions.
                let is_written = |alert: &Arc<Alert>| late.iter().chain(&writing).any(|one| Arc::ptr_eq(one, alert));
                inbox.late.retain(|_, alert| !is_written(alert));
                for alert in mem::take(&mut inbox.writing) {
                    (self.desk.publish)(with_remarks(alert, said));
                }
                inbox.since = if inbox.waiting.is_empty() { None } else { Some(Instant::now()) };
                // What is still late is written in the next round.
                inbox.is_failing = !inbox.late.is_empty();
            }
            Some(Err(_)) => {
                inbox.counts.failures += 1;
                self.desk.give_up_waiting(&mut inbox);
            }
            None => self.desk.give_up_waiting(&mut inbox),
        }
        inbox.counts.rows = self.database.as_ref().map_or(0, |database| database.rows() as u64);
        let has_changed = inbox.is_failing != is_failing;
        drop(inbox);
        match written {
            Some(Ok(_)) => {
                if self.retry.take().is_some() {
                    info!("the history in {} is written again", self.folder.display());
                }
                self.back_off = BACK_OFF.0;
            }
            Some(Err(error)) => {
                self.retry = Some(Instant::now() + self.back_off);
                self.back_off = (self.back_off * 2).min(BACK_OFF.1);
                self.say(&error);
            }
            None => {}
        }
        if has_changed {
            (self.wake)();
        }
    }

    fn try_write(
        &mut self,
        late: &[Arc<Alert>],
        writing: &[Arc<Alert>],
        lines: &Lines,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<HashMap<u64, Vec<Remark>>, StoreError> {
        for alert in late.iter().chain(writing) {
            self.numbers.last_id = self.numbers.last_id.max(alert.id);
            self.numbers.last_seq = self.numbers.last_seq.max(alert.details.seq);
        }
        if self.is_damaged || self.database.as_ref().is_some_and(|database| !database.is_in_place()) {
            self.database = None;
        }
        let database = match &mut self.database {
            Some(database) => database,
            None => {
                if mem::take(&mut self.is_damaged) {
                    let path = folder::move_aside(&self.folder.join(FILE), "damaged")?;
                    say_aside(&[Aside { path, why: "it was found damaged while it was in use".into() }]);
                }
                let (database, aside) = Database::open(&self.folder, &self.numbers, true)?;
                say_aside(&aside);
                self.database.insert(database)
            }
        };
        let written = database.commit(late.iter().chain(writing), lines, checkpoint);
        self.is_damaged = written.as_ref().is_err_and(StoreError::is_damage);
        let said = written?;
        // More than the bound by a tenth: it is not waited for until tomorrow.
        if database.rows() > self.bounds.max_alerts + self.bounds.max_alerts / 10 {
            self.prune = Instant::now();
        }
        Ok(said)
    }

    fn answer(&mut self, question: Question) {
        let failed = |error: StoreError| {
            self.is_damaged |= error.is_damage();
            if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                self.said = Some(Instant::now());
                say_failing(&self.folder, &error);
            }
        };
        // Who asked may have gone.
        match question {
            Question::List { after_seq, last_seq, limit, filter, answer } => {
                let page = self.database.as_ref().map(|database| database.list(after_seq, last_seq, limit, &filter));
                let _ = answer.send(page.transpose().map_err(failed).ok().flatten());
            }
            Question::Get { id, answer } => {
                let alert = self.database.as_ref().map(|database| database.get(id));
                let _ = answer.send(alert.transpose().map_err(failed).ok().flatten().flatten());
            }
            Question::Digest { after_seq, last_seq, filter, mut digest, answer } => {
                let reached = self.database.as_ref().map(|database| database.digest(after_seq, last_seq, &filter, &mut digest));
                let _ = answer.send(reached.transpose().map_err(failed).ok().flatten().map(|reached| (digest, reached)));
            }
            Question::Moments { id, answer } => {
                let moments = self.database.as_ref().map(|database| database.moments(id));
                let _ = answer.send(moments.transpose().map_err(failed).ok().flatten());
            }
            Question::Forget { before, keep, answer } => {
                let gone = self.database.as_mut().ok_or(NotWritten).map(|database| database.forget(before, keep));
                let _ = answer.send(gone.and_then(|gone| gone.map_err(failed).map_err(|()| NotWritten)));
            }
            Question::Import { import, alerts, answer } => {
                let done = self.database.as_mut().ok_or(NotWritten).map(|database| database.import(&import, &alerts));
                let _ = answer.send(done.and_then(|done| done.map_err(failed).map_err(|()| NotWritten)));
            }
            Question::Remark { id, remark, answer } => {
                let before = self.database.as_mut().ok_or(NotWritten).map(|database| database.remark(id, &remark));
                let _ = answer.send(before.and_then(|before| before.map_err(failed).map_err(|()| NotWritten)));
            }
            Question::Mutes { mutes, answer } => {
                let written = self.database.as_mut().ok_or(NotWritten).map(|database| database.keep_mutes(&mutes));
                let _ = answer.send(written.and_then(|written| written.map_err(failed).map_err(|()| NotWritten)));
            }
        }
    }

    /// Forgets some of what is too old or too much; the rest after the alerts that have come meanwhile.
    fn prune(&mut self) {
        let pruned = self.database.as_mut().map(|database| database.prune(age_limit(self.bounds.max_age), self.bounds.max_alerts));
        let has_more = match pruned {
            Some(Ok(has_more)) => has_more,
            Some(Err(error)) => {
                self.is_damaged |= error.is_damage();
                self.say(&error);
                false
            }
            None => false,
        };
        if !has_more {
            self.prune = Instant::now() + PRUNE_EVERY;
        }
        self.desk.lock().counts.rows = self.database.as_ref().map_or(0, |database| database.rows() as u64);
    }

    fn say(&mut self, error: &StoreError) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            self.said = Some(Instant::now());
            say_failing(&self.folder, error);
        }
    }
}

/// The alert with what people have said of its incident.
fn with_remarks(mut alert: Arc<Alert>, said: &HashMap<u64, Vec<Remark>>) -> Arc<Alert> {
    if let Some(remarks) = said.get(&alert.id) {
        remarks.iter().for_each(|remark| remark.apply(Arc::make_mut(&mut alert)));
    }
    alert
}

fn age_limit(max_age: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.saturating_sub(max_age).as_micros()).unwrap_or(u64::MAX)
}

fn say_failing(folder: &Path, error: &StoreError) {
    warn!("the history in {} cannot be used ({error}); alerts are told and kept in memory, and written when it can", folder.display());
}

fn say_aside(aside: &[Aside]) {
    for Aside { path, why } in aside {
        warn!("the history that was there is now {} ({why}); a new one begins", path.display());
    }
}

#[cfg(test)]
mod tests;
