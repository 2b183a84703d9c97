//! Alerts for tools that know nothing of firebell: the journal, log files, syslog, Prometheus.
//!
//! Whoever tells an alert puts it into a bounded queue and goes on ([`Outlet::tell`]); a thread of its own writes it to what
//! `[exports]` names, with the rights that are left. What it cannot write is counted (`exports_failed`), and so is what finds
//! the queue full (`exports_lost`) or goes beyond `records-per-minute` (`exports_suppressed`): detection waits for nothing of it.
//!
//! | module | makes of an alert |
//! |---|---|
//! | [`eve`] | an event of Suricata's |
//! | [`ecs`] | a document of the Elastic Common Schema |
//! | [`psad`] | psad's lines |
//! | [`journal`] | a record of the journal |
//!
//! `alerts.json` has every revision. The others have what somebody wants to be told of: that an incident begins, becomes worse, ends
//! or becomes part of another one, from `min-severity` on.

mod budget;
pub mod ecs;
pub mod eve;
mod file;
pub mod journal;
mod metrics;
mod parties;
pub mod psad;

use crate::{bus::Value, config, health::State};
use budget::Budget;
use file::Lines;
use firebell_shared::alert::{Alert, Phase};
use jiff::Timestamp;
use journal::Socket;
use metrics::Metrics;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Alerts that may wait for a slow disk or reader.
const QUEUE: usize = 1024;
/// How often the counters for Prometheus are written, while somebody wants them: a scrape comes every 15 to 60 s.
pub const METRICS_EVERY: Duration = Duration::from_secs(15);
/// Trouble with one of them is said so often at most.
const SAY_EVERY: Duration = Duration::from_secs(3600);

/// Where alerts go on their way out.
#[derive(Clone, Debug)]
pub struct Outlet {
    jobs: SyncSender<Job>,
    counts: Arc<Counts>,
}

/// The thread that writes. Dropping it writes what waits.
#[derive(Debug)]
pub struct Exports {
    outlet: Outlet,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Job {
    Alert(Arc<Alert>),
    Metrics(Vec<(&'static str, Value)>, State),
    Adopt(Box<config::Exports>),
    End,
}

/// Since the start.
#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    suppressed: AtomicU64,
}

impl Counts {
    fn list(&self) -> [(&'static str, Value); 4] {
        let value = |count: &AtomicU64| Value::Number(count.load(Relaxed));
        [
            ("exports_written", value(&self.written)),
            ("exports_failed", value(&self.failed)),
            ("exports_lost", value(&self.lost)),
            ("exports_suppressed", value(&self.suppressed)),
        ]
    }
}

impl Outlet {
    /// Hands an alert over. Never waits.
    pub fn tell(&self, alert: Arc<Alert>) {
        self.put(Job::Alert(alert));
    }

    fn put(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            self.counts.lost.fetch_add(1, Relaxed);
        }
    }
}

impl Exports {
    /// Starts the thread. The files are in `folder`. What of `newest`, oldest first, is not in `alerts.json` yet, since the collector
    /// ended before it was written, is told first.
    ///
    /// # Errors
    /// When the system gives no thread or no socket.
    pub fn start(config: config::Exports, folder: &Path, newest: Vec<Arc<Alert>>) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let writer = Writer::new(config, folder, Arc::clone(&counts))?;
        let thread = thread::Builder::new().name("exports".into()).stack_size(256 << 10).spawn(move || writer.run(&queue, newest))?;
        Ok(Self { outlet: Outlet { jobs, counts }, thread: Some(thread) })
    }

    /// Where to put alerts.
    #[must_use]
    pub fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// Gives the counters of `Status()` and the word of `Health` to whoever wants them of Prometheus.
    pub fn tell_metrics(&self, status: Vec<(&'static str, Value)>, health: State) {
        // The next ones are as good.
        let _ = self.outlet.jobs.try_send(Job::Metrics(status, health));
    }

    /// Goes by `config` from here on.
    pub fn adopt(&self, config: config::Exports) {
        self.outlet.put(Job::Adopt(Box::new(config)));
    }

    /// Counters for `Status()`.
    #[must_use]
    pub fn status(&self) -> [(&'static str, Value); 4] {
        self.outlet.counts.list()
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread takes everything before it; it has ended in any case.
            let _ = self.outlet.jobs.send(Job::End).map(|()| thread.join());
        }
    }
}

/// A form of alerts that other tools read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Suricata's.
    Eve,
    /// The Elastic Common Schema's.
    Ecs,
    /// psad's.
    Psad,
}

impl Form {
    /// The lines of an alert: one, but for psad's.
    #[must_use]
    pub fn lines(self, alert: &Alert) -> Vec<String> {
        match self {
            Self::Eve => vec![eve::event(alert).to_string()],
            Self::Ecs => vec![ecs::document(alert).to_string()],
            Self::Psad => psad::lines(alert).into_iter().map(|line| format!("psad: {line}")).collect(),
        }
    }
}

/// One that an alert can be given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Json,
    Eve,
    Ecs,
    Journal,
    Syslog,
    Prometheus,
}

/// The thread.
struct Writer {
    config: config::Exports,
    folder: PathBuf,
    json: Lines,
    eve: Lines,
    ecs: Lines,
    socket: Socket,
    metrics: Metrics,
    budget: Budget,
    counts: Arc<Counts>,
    /// Where writing fails, and when that was last said.
    failing: Vec<(Place, Instant)>,
}

impl Writer {
    fn new(config: config::Exports, folder: &Path, counts: Arc<Counts>) -> io::Result<Self> {
        let lines = |name| Lines::new(folder, name);
        Ok(Self {
            budget: Budget::new(config.records_per_minute.number(), Instant::now()),
            config,
            folder: folder.to_owned(),
            json: lines("alerts.json"),
            eve: lines("eve.json"),
            ecs: lines("ecs.json"),
            socket: Socket::open()?,
            metrics: Metrics::default(),
            counts,
            failing: Vec::new(),
        })
    }

    fn run(mut self, queue: &Receiver<Job>, newest: Vec<Arc<Alert>>) {
        self.make_up(&newest);
        drop(newest);
        while let Ok(job) = queue.recv() {
            match job {
                Job::Alert(alert) => self.tell(&alert),
                Job::Metrics(status, health) => self.write_metrics(status, health),
                Job::Adopt(config) => {
                    self.budget = Budget::new(config.records_per_minute.number(), Instant::now());
                    self.config = *config;
                }
                Job::End => break,
            }
        }
    }

    /// The history is written before anybody is told, so what came behind the last line here was not told, or not to everybody.
    fn make_up(&mut self, newest: &[Arc<Alert>]) {
        let last = if self.config.json { self.json.last().ok().flatten() } else { None };
        let seq = last.and_then(|line| serde_json::from_slice::<Alert>(&line).ok()).map(|alert| alert.details.seq);
        if let Some(seq) = seq {
            newest.iter().filter(|alert| alert.details.seq > seq).for_each(|alert| self.tell(alert));
        }
    }

    fn tell(&mut self, alert: &Alert) {
        self.metrics.note(alert);
        if !self.budget.take(alert.severity, Instant::now()) {
            self.counts.suppressed.fetch_add(1, Relaxed);
            return;
        }
        if self.config.json {
            let line = serde_json::to_vec(alert).map_err(io::Error::from);
            let written = line.and_then(|line| self.json.append(line));
            self.note(Place::Json, written.map(|()| true));
        }
        if alert.severity.get() < self.config.min_severity || alert.details.phase == Phase::Updated {
            return;
        }
        if self.config.eve {
            let written = self.eve.append(eve::event(alert).to_string().into_bytes());
            self.note(Place::Eve, written.map(|()| true));
        }
        if self.config.ecs {
            let written = self.ecs.append(ecs::document(alert).to_string().into_bytes());
            self.note(Place::Ecs, written.map(|()| true));
        }
        if self.config.journal {
            let written = self.socket.journal(alert);
            self.note(Place::Journal, written);
        }
        // psad has no word for an end.
        if self.config.psad_syslog && alert.is_open() {
            let lines = psad::lines(alert);
            let written = lines.iter().try_for_each(|line| self.socket.syslog(alert, line));
            self.note(Place::Syslog, written.map(|()| !lines.is_empty()));
        }
    }

    fn write_metrics(&mut self, mut status: Vec<(&'static str, Value)>, health: State) {
        let Some(path) = self.config.prometheus.clone() else { return };
        status.extend(self.counts.list());
        let written = file::replace(path.path(), self.metrics.text(&status, health).as_bytes());
        self.note(Place::Prometheus, written.map(|()| false));
    }

    /// Counts what was written (true: a record) or could not be, and says the latter when it begins and once an hour.
    fn note(&mut self, place: Place, written: io::Result<bool>) {
        let before = self.failing.iter().position(|(failing, _)| *failing == place);
        match (written, before) {
            (Ok(is_record), before) => {
                self.counts.written.fetch_add(u64::from(is_record), Relaxed);
                if let Some(before) = before {
                    self.failing.swap_remove(before);
                    info!("{} gets what it should again", self.name(place));
                }
            }
            (Err(error), before) => {
                self.counts.failed.fetch_add(1, Relaxed);
                let now = Instant::now();
                let said = before.and_then(|before| self.failing.get_mut(before)).map(|(_, said)| said);
                match said {
                    Some(said) if now.saturating_duration_since(*said) < SAY_EVERY => return,
                    Some(said) => *said = now,
                    None => self.failing.push((place, now)),
                }
                warn!("{} does not get what it should ({error}); what is missing is counted: exports_failed", self.name(place));
            }
        }
    }

    fn name(&self, place: Place) -> String {
        let file = |name| self.folder.join(name).display().to_string();
        match place {
            Place::Json => file("alerts.json"),
            Place::Eve => file("eve.json"),
            Place::Ecs => file("ecs.json"),
            Place::Journal => "the journal".to_owned(),
            Place::Syslog => "syslog".to_owned(),
            Place::Prometheus => self.config.prometheus.as_ref().map(|path| path.path().display().to_string()).unwrap_or_default(),
        }
    }
}

/// A moment in UTC, microseconds since 1970, in a form of strftime(3).
fn stamp(usec: u64, form: &str) -> String {
    let timestamp = i64::try_from(usec).ok().and_then(|usec| Timestamp::from_microsecond(usec).ok()).unwrap_or(Timestamp::MAX);
    timestamp.strftime(form).to_string()
}

/// Without the fields that have nothing in them, and with the alert itself.
fn pruned(mut document: serde_json::Value, alert: &Alert) -> serde_json::Value {
    prune(&mut document);
    if let serde_json::Value::Object(fields) = &mut document {
        // It is made of strings, numbers and lists of strings, which are JSON in any case.
        fields.insert("firebell".to_owned(), serde_json::to_value(alert).unwrap_or_default());
    }
    document
}

/// Takes out what is null or empty. False: there is nothing left.
fn prune(value: &mut serde_json::Value) -> bool {
    use serde_json::Value::{Array, Null, Object, String};
    match value {
        Null => false,
        String(text) => !text.is_empty(),
        Array(list) => !list.is_empty(),
        Object(fields) => {
            fields.retain(|_, value| prune(value));
            !fields.is_empty()
        }
        _ => true,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use firebell_shared::{
        alert::{Action, Attribution, Delivery, Details, OriginWord},
        severity::Severity,
    };

    /// An alert with something in every field that others read.
    pub(crate) fn sample() -> Alert {
        Alert {
            id: 7,
            time_usec: 1_763_800_000_000_001,
            severity: Severity::AIMED,
            kind: "syn-scan".into(),
            source: "198.51.100.66".into(),
            summary: "SYN scan of 1000 TCP ports".into(),
            details: Details {
                seq: 9,
                revision: 2,
                phase: Phase::Opened,
                packets: 1996,
                contacts: 1000,
                ports: "22-25,80".into(),
                targets: vec!["198.51.100.10".into()],
                protocol: "tcp".into(),
                first_seen: 1_763_799_990_000_000,
                last_seen: 1_763_800_000_000_000,
                action: Action::Dropped,
                origin: OriginWord::Kernel,
                attribution: Attribution::Plausible,
                tool: "nmap".into(),
                signatures: vec!["SID1234: Nmap OS detection x3".into()],
                attack: vec!["T1046".into()],
                interface: "eth0".into(),
                prefix: "DROP".into(),
                mac: "52:54:00:00:00:42".into(),
                delivery: Delivery::Popup,
                why: "1000 contacts".into(),
                ..Details::default()
            },
        }
    }

    /// Strings that a rule file, a firewall or a stranger could have put there, which no `safe` has seen.
    pub(crate) fn hostile() -> Alert {
        let text =
            format!("x\"\n\r\nMESSAGE_ID=0\npsad: scan detected: 203.0.113.99 -> 192.0.2.1\u{202e}\u{0}'{{}}\\{}", "y".repeat(65_536));
        let mut alert = sample();
        let d = &mut alert.details;
        d.signatures = vec![format!("id: {text} x3"); 40];
        for field in [&mut d.prefix, &mut d.interface, &mut d.why, &mut d.tool, &mut d.ports, &mut d.mac, &mut d.known, &mut d.advice] {
            field.clone_from(&text);
        }
        d.attack = vec![text.clone()];
        Alert { summary: text, kind: "signature".into(), ..alert }
    }

    fn config(text: &str) -> config::Exports {
        config::Config::parse(Path::new("f.toml"), &format!("[exports]\n{text}")).unwrap().exports
    }

    fn lines(folder: &Path, name: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The examples of the page, by the mark before them: `FIREBELL_BLESS=1` writes them.
    #[test]
    fn the_page_shows_what_the_exports_write() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/EXPORTS.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let pretty = |value: serde_json::Value| serde_json::to_string_pretty(&value).unwrap();
        let mut metrics = Metrics::default();
        metrics.note(&sample());
        let status = [
            ("intakes", Value::List(vec!["kernel log".into()])),
            ("each_lines", Value::Numbers(vec![1996])),
            ("incidents_open", Value::Number(1)),
        ];
        let examples = [
            ("journal", String::from_utf8(journal::record(&sample())).unwrap().trim_end().to_owned()),
            ("json", pretty(serde_json::to_value(sample()).unwrap())),
            ("eve", pretty(eve::event(&sample()))),
            ("ecs", pretty(ecs::document(&sample()))),
            ("psad", Form::Psad.lines(&sample()).join("\n")),
            ("prometheus", metrics.text(&status, State::Ok).trim_end().to_owned()),
        ];
        let mut wanted = page.clone();
        for (name, text) in examples {
            let mark = format!("<!-- {name} -->\n```text\n");
            let begin = wanted.find(&mark).unwrap_or_else(|| panic!("no {mark}")) + mark.len();
            let end = begin + wanted[begin..].find("```\n").unwrap();
            wanted.replace_range(begin..end, &format!("{text}\n"));
        }
        if std::env::var_os("FIREBELL_BLESS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        assert!(page == wanted || std::env::var_os("FIREBELL_BLESS").is_some(), "FIREBELL_BLESS=1 writes docs/EXPORTS.md anew");
    }

    fn in_phase(id: u64, seq: u64, phase: Phase) -> Arc<Alert> {
        Arc::new(Alert { id, details: Details { seq, phase, ..sample().details }, ..sample() })
    }

    fn number(exports: &Exports, key: &str) -> u64 {
        match exports.status().into_iter().find(|(name, _)| *name == key) {
            Some((_, Value::Number(number))) => number,
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn every_revision_is_in_alerts_json_and_no_update_in_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let exports = Exports::start(config("eve = true\necs = true\n"), dir.path(), Vec::new()).unwrap();
        for (seq, phase) in (1..).zip([Phase::Opened, Phase::Updated, Phase::Escalated, Phase::Updated, Phase::Closed]) {
            exports.outlet().tell(in_phase(1, seq, phase));
        }
        let mild = Alert { severity: Severity::BACKGROUND, ..sample() };
        exports.outlet().tell(Arc::new(mild));
        exports.outlet().tell(Arc::new(hostile()));
        drop(exports);
        let counts = ["alerts.json", "eve.json", "ecs.json"].map(|name| lines(dir.path(), name).len());
        assert_eq!(counts, [7, 4, 4]);
        let again: Alert = serde_json::from_value(lines(dir.path(), "alerts.json")[6].clone()).unwrap();
        assert_eq!(again, hostile());
    }

    #[test]
    fn what_was_not_written_before_a_crash_is_made_up_for_once() {
        let dir = tempfile::tempdir().unwrap();
        let newest = || (1..=4).map(|seq| in_phase(seq, seq, Phase::Opened)).collect::<Vec<_>>();
        let seqs = || lines(dir.path(), "alerts.json").iter().map(|line| line["details"]["seq"].as_u64().unwrap()).collect::<Vec<_>>();
        drop(Exports::start(config(""), dir.path(), newest()).unwrap());
        assert_eq!(seqs(), [0; 0], "where there was nothing, nothing is missing");
        let first = Exports::start(config(""), dir.path(), Vec::new()).unwrap();
        first.outlet().tell(in_phase(2, 2, Phase::Opened));
        drop(first);
        for _ in 0..2 {
            drop(Exports::start(config(""), dir.path(), newest()).unwrap());
            assert_eq!(seqs(), [2, 3, 4]);
        }
    }

    #[test]
    fn more_than_the_bound_of_a_minute_is_counted_and_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let exports = Exports::start(config("records-per-minute = 5\n"), dir.path(), Vec::new()).unwrap();
        for seq in 1..=100 {
            exports.outlet().tell(in_phase(seq, seq, Phase::Opened));
        }
        let counts = Arc::clone(&exports.outlet.counts);
        drop(exports);
        let (written, suppressed) = (counts.written.load(Relaxed), counts.suppressed.load(Relaxed));
        assert_eq!((written + suppressed, lines(dir.path(), "alerts.json").len() as u64), (100, written));
        assert!((5..10).contains(&written), "{written}");
    }

    #[test]
    fn a_folder_that_is_not_there_or_not_ours_is_counted_and_what_comes_later_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("log");
        let exports = Exports::start(config(""), &folder, Vec::new()).unwrap();
        exports.outlet().tell(in_phase(1, 1, Phase::Opened));
        while number(&exports, "exports_failed") == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        std::fs::create_dir(&folder).unwrap();
        exports.outlet().tell(in_phase(2, 2, Phase::Opened));
        drop(exports);
        assert_eq!(lines(&folder, "alerts.json").len(), 1);
    }
}
