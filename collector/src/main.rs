//! `firebelld`: reads the firewall log, emits alerts on the system bus.

use anyhow::{Context as _, anyhow};
use clap::Parser;
use firebell_collector::{
    accounts::{Accounts, User},
    bus::{self, Board, BusError, Log, Question, Questions, Rights, Value},
    clock::Clock,
    config::{self, Config, Loaded},
    evidence,
    exports::{Exports, METRICS_EVERY},
    health::Health,
    hiding::{self, Change, Refusal},
    history::History,
    intake::{self, AllNetns, Batch, Input, OpenError, Opened, Readers},
    lists::Files,
    manager::{Life, Manager},
    privilege::{self, DropError, Keep, Unprivileged},
    rules,
    sandbox::{Limits, Report},
    store::{self, Bounds, Checkpoint, Desk, Found, Store, Written, attempts::Attempts},
    watch::{Recorded, Watch},
};
use firebell_engine::{replay::ReplayClock, tick::Tick};
use firebell_shared::{alert::Alert, mutes::Mutes};
use jiff::{Timestamp, tz::TimeZone};
use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{debug, error, info, level_filters::LevelFilter, warn};
use tracing_subscriber::{fmt, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _};

/// Not permitted (sysexits.h `EX_NOPERM`).
const EXIT_NOT_PERMITTED: u8 = 77;
/// Bad configuration (sysexits.h `EX_CONFIG`).
const EXIT_BAD_CONFIGURATION: u8 = 78;
/// So many lines are looked at before others may run: about a tenth of a millisecond.
const LINES_AT_ONCE: usize = 256;
/// What was taken in is written so often at most; with alerts more often, as far as the next three allow.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// It costs one part in so many of the time.
const TIMES_THE_WORK: u32 = 100;
/// And a disk writes so many bytes of it a second in the long run: 11 GB a day while tables are full. Whoever forges senders
/// can fill them, and a memory card lasts for some thousand times its size.
const BYTES_A_SECOND: f64 = 128.0 * 1024.0;
/// Less often than this it is of no use.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// After two starts from one checkpoint lines are written down one by one for so long. Questions wait meanwhile.
const SLOW: Duration = Duration::from_secs(2);
/// A disk that is busy with it is looked at again after this.
const BUSY: Duration = Duration::from_millis(20);

/// Reads the firewall log and tells what it means on the system bus.
///
/// On SIGHUP it reads the configuration, rule files and lists again, and says what needs a restart. Exit status: 0 ended on request, 1 failed, 2 usage, 77 not permitted, 78 bad configuration.
#[derive(Debug, Parser)]
#[command(name = "firebelld", version)]
struct Arguments {
    /// Read this file instead of /etc/firebell/firebell.toml and the files beside it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, say what is in force, and end.
    #[arg(long)]
    check: bool,
    /// Read a recorded log (- is the standard input) instead of the live one; time is that of its stamps.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Take the recorded lines for the kernel's own.
    #[arg(long, requires = "replay")]
    vouch: bool,
    /// The user to become when started as root.
    #[arg(long, value_name = "NAME", default_value = privilege::USER)]
    user: String,
    /// Take no files and system calls away from the process beyond its user's rights: for a program in the place of journalctl that starts others.
    #[arg(long)]
    no_sandbox: bool,
    /// How much to say: error, warn, info, debug.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The journal notes the time itself; colours would go into files as well.
    let (filter, level) = reload::Layer::new(arguments.log_level);
    tracing_subscriber::registry().with(filter).with(fmt::layer().with_writer(io::stderr).without_time().with_target(false)).init();
    let log = Arc::new(Log::new(arguments.log_level, move |new| level.reload(new).is_ok()));
    let loaded = match config::load(arguments.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let mut text = String::new();
            for problem in problems {
                // Writing to a string does not fail.
                let _ = writeln!(text, "firebelld: {problem}");
            }
            // Without a standard error there is only the exit status.
            let _ = io::stderr().write_all(text.as_bytes());
            return ExitCode::from(EXIT_BAD_CONFIGURATION);
        }
    };
    let result = if arguments.check { check(&loaded) } else { run(&arguments, &loaded, log) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            exit_code(&error)
        }
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_not_permitted = matches!(error.downcast_ref(), Some(OpenError::NotPermitted { .. }))
        || matches!(error.downcast_ref(), Some(BusError::Denied(_)))
        || matches!(error.downcast_ref(), Some(DropError::Refused { .. }));
    let is_bad_configuration = matches!(error.downcast_ref(), Some(DropError::WrongUser { .. }));
    if is_not_permitted {
        ExitCode::from(EXIT_NOT_PERMITTED)
    } else if is_bad_configuration {
        ExitCode::from(EXIT_BAD_CONFIGURATION)
    } else {
        ExitCode::FAILURE
    }
}

/// Says what is in force, in a form that can be saved as a configuration file.
fn check(loaded: &Loaded) -> anyhow::Result<()> {
    rights(&loaded.config, &Accounts::read()?);
    for complaint in Files::read(&loaded.config).1 {
        warn!("{complaint}");
    }
    for problem in rules::Loaded::read(&loaded.config.signatures, None).problems {
        warn!("{problem}; this file is left out");
    }
    let mut text = String::new();
    if loaded.files.is_empty() {
        text.push_str("# no configuration file; these are the defaults\n");
    }
    for file in &loaded.files {
        writeln!(text, "# from {}", file.display())?;
    }
    write!(text, "{}", loaded.config)?;
    io::stdout().write_all(text.as_bytes()).context("writing to the standard output")
}

/// Whom the configuration lets hear alerts. Names that nobody has are told.
fn rights(config: &Config, accounts: &Accounts) -> Rights {
    let (rights, unknown) = Rights::new(&config.bus, accounts, rustix::process::geteuid().as_raw());
    for name in unknown {
        warn!("[bus] viewers: there is no user or group {name}");
    }
    rights
}

/// The bounds of the history, and how much of it is in memory: everything where none of it `is_stored`.
fn bounds(config: &Config, is_stored: bool) -> (Bounds, usize) {
    let max_alerts = config.history.max_alerts.get();
    let in_memory = if is_stored { max_alerts.min(store::IN_MEMORY) } else { max_alerts };
    (Bounds { max_alerts, max_age: config.history.max_age }, in_memory)
}

/// Opens, gives up what it may, and only then reads, starts threads and speaks.
fn run(arguments: &Arguments, loaded: &Loaded, log: Arc<Log>) -> anyhow::Result<()> {
    let accounts = Accounts::read()?;
    let is_replay = arguments.replay.is_some();
    let Opened { inputs, why } = match &arguments.replay {
        Some(path) => Opened { inputs: vec![intake::open_replay(path, arguments.vouch)?], why: "--replay".into() },
        None => intake::open(&loaded.config.intake)?,
    };
    let (all_netns, recorded) = (AllNetns::open(), recorded(&inputs));
    let random = random()?;
    // What we write is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let state = loaded.config.history.folder(std::env::var_os("STATE_DIRECTORY").as_deref());
    let logs = loaded.config.exports.folder(std::env::var_os("LOGS_DIRECTORY").as_deref());
    if !is_replay {
        make_folder(&state, accounts.user(&arguments.user));
        if loaded.config.exports.has_files() {
            make_folder(&logs, accounts.user(&arguments.user));
        }
    }
    let keep = if loaded.config.intake.read_root_only && inputs.iter().any(Input::is_followed) { Keep::Reading } else { Keep::Nothing };
    let limits = if arguments.no_sandbox {
        Limits::off()
    } else {
        let file = arguments.config.as_deref().map(std::path::absolute).transpose()?;
        let written: &[&Path] = if is_replay { &[] } else { &[&state, &logs] };
        Limits::of(&loaded.config, file.as_deref(), written, keep, inputs.iter().any(Input::is_journal))
    };
    let token = drop_privileges(arguments, &accounts, &inputs, keep, &limits)?;
    if !token.limits().is_whole {
        warn!("not all is taken away from firebelld that could be: {}", token.limits());
    }
    if keep == Keep::Reading && !privilege::may_read_all() {
        warn!(
            "[intake] read-root-only: firebelld was started without CAP_DAC_READ_SEARCH, which the drop-in read-root-only-logs.conf of firebell-collector.service gives it"
        );
    }
    let start = Start {
        loaded,
        log,
        file: arguments.config.clone(),
        accounts,
        inputs,
        why,
        all_netns,
        recorded,
        random,
        state: (!is_replay).then_some(state),
        logs,
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(watch(token, start))
}

/// As root, makes a folder to write to. Without it detection goes on; that it is missing is said by whoever opens it.
fn make_folder(folder: &Path, user: Option<&User>) {
    if privilege::is_root()
        && let Some(user) = user
        && let Err(error) = store::folder::make(folder, user)
    {
        warn!(%error, "the folder {} cannot be made", folder.display());
    }
}

fn drop_privileges(
    arguments: &Arguments,
    accounts: &Accounts,
    inputs: &[Input],
    keep: Keep,
    limits: &Limits,
) -> anyhow::Result<Unprivileged> {
    let user = accounts.user(&arguments.user);
    if privilege::is_root() && user.is_none() {
        let missing = DropError::WrongUser { name: "root".into(), uid: 0 };
        return Err(anyhow!(missing).context(format!("there is no user {}", arguments.user)));
    }
    let groups: Vec<u32> = inputs.iter().flat_map(|input| input.info.groups.iter().copied()).collect();
    Ok(privilege::drop(user, &groups, keep, limits)?)
}

/// What the start has gathered.
struct Start<'a> {
    loaded: &'a Loaded,
    /// How much is said.
    log: Arc<Log>,
    /// The only file of the configuration, where somebody named one.
    file: Option<PathBuf>,
    accounts: Accounts,
    inputs: Vec<Input>,
    why: String,
    all_netns: AllNetns,
    recorded: Recorded,
    random: [u8; 32],
    /// The folder of the history. A recorded log is not remembered, since it may be read again.
    state: Option<PathBuf>,
    /// The folder for other tools.
    logs: PathBuf,
}

async fn watch(token: Unprivileged, start: Start<'_>) -> anyhow::Result<()> {
    let Start { loaded, log, file, accounts, inputs, why, all_netns, recorded, random, state, logs } = start;
    let (config, is_replay, limits) = (&loaded.config, state.is_none(), token.limits().clone());
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let hangup = signal(SignalKind::hangup())?;
    let rights = rights(config, &accounts);
    let (key, id) = random.split_at(16);
    let history_id = id.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let (bounds, in_memory) = bounds(config, !is_replay);
    let mut found = state.as_ref().map(|folder| Found::open(folder, bounds, history_id.clone()));
    let (history, history_id) = match &found {
        Some(found) => {
            let history = History::resume(in_memory, found.newest.clone(), found.has_older, found.numbers.last_seq);
            (history, found.numbers.history_id.clone())
        }
        None => (History::new(in_memory), history_id),
    };
    let (board, outbox, questions) = Board::new(history, rights, config.bus.broadcast, history_id);

    let clock = Arc::new(Clock::default());
    // A replay must say the same every time; live, nobody may know which sources share a place in the tables.
    let key = if is_replay { [0; 16] } else { key.try_into()? };
    let saved = found.as_mut().map(|found| std::mem::take(&mut found.saved)).unwrap_or_default();
    let intakes = inputs.iter().map(|input| Arc::clone(&input.info)).collect();
    let mut watch = Watch::go_on(config, key, intakes, all_netns, recorded, is_replay, &saved, clock.now()).chosen(why.clone());
    clock.go_on_from(watch.last());
    let mutes = found.as_mut().map(|found| std::mem::take(&mut found.mutes)).unwrap_or_default();
    watch.trust(config, hiding::trusted(&mutes, seconds(clock.now())));
    let readers = intake::start(&token, inputs, &clock, &saved.checkpoint.positions)?;
    let names: Vec<_> = readers.intakes.iter().map(|intake| intake.name.as_str()).collect();
    let intakes = names.join(" ");
    info!(%intakes, %why, "reading");
    let (store, exports) = match found {
        Some(found) => {
            watch.number_after(found.numbers.last_id, found.numbers.last_seq);
            let (publisher, handover) = (Arc::clone(&board), Arc::clone(&readers.handover));
            let exports = Exports::start(config.exports.clone(), &logs, found.newest.clone())?;
            let outlet = exports.outlet();
            let desk = Desk::new(move |alert: Arc<Alert>| {
                outlet.tell(Arc::clone(&alert));
                publisher.publish(alert);
            });
            board.remember_with(Arc::clone(&desk));
            (Some(Store::start(&desk, found, move || handover.wake())?), Some(exports))
        }
        // What was recorded is not told to other tools as if it happened now.
        None => (None, None),
    };

    let manager = Arc::new(Manager::of_environment());
    let (mut is_first, told) = (true, Arc::clone(&manager));
    let ready = move || {
        told.ready();
        if std::mem::take(&mut is_first) {
            info!(%intakes, "ready");
        } else {
            info!("on the system bus again");
        }
    };
    let serving = tokio::spawn(bus::serve(token, Arc::clone(&board), log, outbox, ready));
    let mut place = Place::begin(readers.positions.clone(), saved.starts);
    if place.is_slow()
        && let Some(folder) = &state
    {
        place.mark(folder);
    }
    let config = config.clone();
    let mut reading = Loop {
        config,
        file,
        watch,
        board,
        store,
        exports,
        counted: None,
        mutes,
        questions,
        hangup,
        clock,
        readers,
        place,
        alerts: Vec::new(),
        lines: Vec::new(),
        is_replay,
        health: None,
        limits,
        manager: Arc::clone(&manager),
        life: Life::new(),
    };
    let ended = tokio::select! {
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
        served = serving => served.context("the task that serves the bus")?.map_err(Into::into),
        never = reading.run() => match never {},
    };
    manager.stopping();
    reading.end();
    ended
}

/// Lines in, alerts out.
struct Loop {
    /// What is in force.
    config: Config,
    file: Option<PathBuf>,
    watch: Watch,
    board: Arc<Board>,
    store: Option<Store>,
    /// After the store, which tells what is left when it ends.
    exports: Option<Exports>,
    /// When the counters were last given to Prometheus.
    counted: Option<Instant>,
    /// Whom nobody wants to hear of.
    mutes: Mutes,
    questions: Questions,
    hangup: Signal,
    clock: Arc<Clock>,
    readers: Readers,
    place: Place,
    /// Those that are not handed to the store yet.
    alerts: Vec<Arc<Alert>>,
    /// The lines that have caused some of them, by sequence number.
    lines: Vec<(u64, Box<[u8]>)>,
    is_replay: bool,
    health: Option<Health>,
    limits: Report,
    manager: Arc<Manager>,
    life: Life,
}

/// How far the lines are taken in.
struct Place {
    /// By number of the log.
    positions: Vec<Vec<u8>>,
    /// The last line of each log that its position does not tell of yet.
    last: Vec<Option<usize>>,
    /// Nothing was taken in since it was written.
    is_written: bool,
    /// When that was.
    written: Option<Instant>,
    /// How long to wait then: more where there is much to write.
    pause: Duration,
    /// Until then lines are written down one by one, since one of them may be our end.
    slow_until: Option<Instant>,
    /// The lines that are written down one by one are marked here while they are taken.
    attempts: Option<Attempts>,
    /// Logs whose next line was our end before.
    skip: Vec<bool>,
    /// Everything was read that was there before the start. Until then time is that of the lines.
    is_current: bool,
}

impl Loop {
    /// Nothing in here sends or keeps half of something: it may be dropped at any await.
    async fn run(&mut self) -> std::convert::Infallible {
        let (mut batch, mut is_reading) = (Batch::default(), true);
        loop {
            let (wake, is_news) = self.report();
            let alive = self.show_life(is_news);
            let handover = Arc::clone(&self.readers.handover);
            tokio::select! {
                more = handover.take(&mut batch), if is_reading => {
                    self.look(&batch).await;
                    if batch.is_current() && !std::mem::replace(&mut self.place.is_current, true) {
                        self.watch.catch_up(self.clock.now());
                    }
                    if !more {
                        is_reading = false;
                        if self.is_replay {
                            self.watch.finish(self.clock.now());
                        }
                    }
                }
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {
                    if self.place.is_current {
                        self.watch.advance(self.clock.now());
                    }
                }
                () = tokio::time::sleep(alive.unwrap_or_default()), if alive.is_some() => {}
                Some(question) = self.questions.recv() => self.answer(question),
                _ = self.hangup.recv() => match self.reload() {
                    Ok(in_force) => info!("reloaded: {in_force}"),
                    Err(problems) => warn!("nothing is reloaded: {problems}"),
                },
            }
        }
    }

    /// Who asked may have gone.
    fn answer(&mut self, question: Question) {
        match question {
            Question::Status(answer) => {
                let mut status = self.watch.status();
                status.extend(self.store.iter().flat_map(Store::status));
                status.extend(self.exports.iter().flat_map(Exports::status));
                status.extend(hiding::status(&self.mutes, seconds(self.clock.now())));
                status.push(("limited_files", Value::Text(self.limits.files.clone())));
                status.push(("limited_calls", Value::Text(self.limits.calls.clone())));
                drop(answer.send(status));
            }
            Question::RuleHits(answer) => drop(answer.send(self.watch.rule_hits())),
            Question::Explain(id, answer) => drop(answer.send(self.watch.explain(id))),
            Question::Reserve(count, answer) => {
                let _ = answer.send(self.watch.reserve(count));
                // The numbers are left out after a crash, too.
                (self.place.is_written, self.place.written) = (false, None);
            }
            Question::Reload(answer) => drop(answer.send(self.reload())),
            Question::Hide(change, answer) => drop(answer.send(self.hide(change))),
        }
    }

    /// Mutes, trusts, or ends that. What is given tells when it is on the disk.
    fn hide(&mut self, change: Change) -> Result<Option<Written>, Refusal> {
        let now = seconds(self.clock.now());
        let mutes = hiding::changed(&self.mutes, change, now)?;
        let written = match &self.store {
            Some(store) => Some(store.keep_mutes(mutes.clone()).ok_or(Refusal::Busy)?),
            None => None,
        };
        self.mutes = mutes;
        self.watch.trust(&self.config, hiding::trusted(&self.mutes, now));
        Ok(written)
    }

    /// Reads everything again that somebody wrote for us. Nothing changes where any of it is wrong.
    fn reload(&mut self) -> Result<String, String> {
        let loaded = config::load(self.file.as_deref())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let accounts = Accounts::read().map_err(|error| error.to_string())?;
        let (config, waiting) = self.config.adopt(loaded.config);
        let mut in_force = self.watch.reload(&config)?;
        let (bounds, in_memory) = bounds(&config, self.store.is_some());
        self.board.adopt(rights(&config, &accounts), config.bus.broadcast, in_memory);
        if let Some(store) = &self.store {
            store.bound(bounds);
        }
        if let Some(exports) = &self.exports {
            exports.adopt(config.exports.clone());
        }
        self.config = config;
        if !waiting.is_empty() {
            in_force.push_str("; restart needed: ");
            in_force.push_str(&waiting.join(", "));
        }
        Ok(in_force)
    }

    async fn look(&mut self, batch: &Batch) {
        let now = self.clock.now();
        let (mut lines, mut count) = (batch.lines(), 0_usize);
        let mut places = batch.places().peekable();
        while let Some(line) = lines.next() {
            while let Some((_, log, position)) = places.next_if(|(before, ..)| *before <= count) {
                self.place.begin_log(log, position);
            }
            if let Some(last) = self.place.last.get_mut(usize::from(line.0.log)) {
                *last = Some(count);
            }
            let is_slow = self.place.is_slow();
            if self.place.is_to_skip(line.0.log) {
                self.watch.skip(line.0.intake);
            } else if is_slow {
                self.place.attempt(|| self.watch.line(line, lines.clone(), now));
            } else {
                self.watch.line(line, lines.clone(), now);
            }
            self.take_alerts(line.2);
            count += 1;
            if is_slow || count.is_multiple_of(LINES_AT_ONCE) {
                self.place.go_on(batch);
                self.publish();
                tokio::task::yield_now().await;
            }
            if is_slow {
                self.wait_for_disk().await;
            }
        }
        places.for_each(|(_, log, position)| self.place.begin_log(log, position));
        self.place.go_on(batch);
        self.publish();
    }

    /// Waits until the line at hand is on the disk, or the disk is too slow.
    async fn wait_for_disk(&self) {
        let begun = Instant::now();
        while self.store.as_ref().is_some_and(|store| !store.may_check()) && begun.elapsed() < store::PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Takes what there is to be told, and keeps a copy of `line` for those that it has caused.
    fn take_alerts(&mut self, line: &[u8]) {
        while let Some(mut alert) = self.watch.next_alert() {
            if self.store.is_some() && evidence::is_of(&alert, line) {
                let kept = line.get(..store::MAX_LINE).unwrap_or(line);
                self.lines.push((alert.details.seq, kept.into()));
            }
            hiding::quiet(&self.mutes, &mut alert, seconds(self.clock.now()));
            debug!(id = alert.id, severity = %alert.severity, kind = alert.kind, phase = alert.details.phase.as_str(), "alert");
            self.alerts.push(Arc::new(alert));
        }
    }

    /// Hands over what is to be told, with how far that goes.
    fn publish(&mut self) {
        self.take_alerts(b"");
        match &self.store {
            Some(store) => {
                let left = self.place.left(!self.alerts.is_empty());
                let checkpoint =
                    (left == Some(Duration::ZERO) && store.may_check()).then(|| self.place.checkpoint(&self.readers, &self.watch));
                if checkpoint.is_some() || !self.alerts.is_empty() {
                    store.keep_lines(self.lines.drain(..));
                    store.tell(self.alerts.drain(..), checkpoint);
                }
            }
            None => self.alerts.drain(..).for_each(|alert| self.board.publish(alert)),
        }
    }

    /// The service manager hears that we go round. Gives the time until it has to hear it again.
    fn show_life(&mut self, is_news: bool) -> Option<Duration> {
        let Self { manager, life, watch, health, .. } = self;
        life.show(manager, is_news, || {
            let health = health.unwrap_or_default();
            let reason = if health.reason.is_empty() { String::new() } else { format!(" ({})", health.reason) };
            format!("{}{reason}; {}", health.state, watch.in_a_line())
        })
    }

    /// Publishes alerts, and health when it has changed. Gives the time until something is to be done without being told, and whether
    /// health has changed.
    fn report(&mut self) -> (Option<Duration>, bool) {
        let now = self.clock.now();
        self.watch.notice_losses(if self.place.is_current { now } else { self.watch.last() });
        self.publish();
        let relieve = self.store.as_ref().and_then(Store::relieve);
        let (health, recheck) = self.watch.health(now, self.store.as_ref().is_some_and(Store::is_failing));
        let is_news = self.health.replace(health) != Some(health);
        if is_news {
            self.board.set_health(health);
        }
        let losses = self.watch.tell_losses(now);
        let until = |tick: Tick| tick.since(now).max(Duration::from_millis(1));
        let deadline = self.watch.deadline().filter(|_| self.place.is_current);
        let check = self.place.left(false).filter(|_| self.store.is_some()).map(|left| left.max(BUSY));
        let count = self.count();
        (deadline.into_iter().chain(recheck).chain([losses]).map(until).chain(relieve).chain(check).chain(count).min(), is_news)
    }

    /// Gives the counters to whoever wants them of Prometheus. Gives the time until the next ones; nothing where nobody wants any.
    fn count(&mut self) -> Option<Duration> {
        let exports = self.exports.as_ref().filter(|_| self.config.exports.prometheus.is_some())?;
        let left = self.counted.map_or(Duration::ZERO, |counted| METRICS_EVERY.saturating_sub(counted.elapsed()));
        if !left.is_zero() {
            return Some(left);
        }
        self.counted = Some(Instant::now());
        let mut status = self.watch.status();
        status.extend(self.store.iter().flat_map(Store::status));
        exports.tell_metrics(status, self.health.unwrap_or_default().state);
        Some(METRICS_EVERY)
    }

    /// The end in order: what was taken in so far is written, however late that is. Lines that wait for a twin go on waiting after the next
    /// start.
    fn end(&mut self) {
        self.take_alerts(b"");
        if let Some(store) = &self.store {
            store.keep_lines(self.lines.drain(..));
            store.tell(self.alerts.drain(..), Some(self.place.checkpoint(&self.readers, &self.watch)));
        }
    }
}

impl Place {
    /// `starts` from the same checkpoint, this one included. From the second on, lines are taken in one by one, so that the checkpoint
    /// moves up to the one that ends us.
    fn begin(positions: Vec<Vec<u8>>, starts: u32) -> Self {
        let slow_until = (starts >= 2).then(|| Instant::now() + SLOW);
        // A first start keeps where it began; another one writes nothing before it has got on.
        Self {
            last: vec![None; positions.len()],
            skip: vec![false; positions.len()],
            positions,
            is_written: starts > 0,
            written: None,
            pause: Duration::ZERO,
            slow_until,
            attempts: None,
            is_current: false,
        }
    }

    /// Marks in `folder` which line is being taken. The next one is left out when two attempts at it have ended us.
    fn mark(&mut self, folder: &Path) {
        match Attempts::open(folder) {
            Ok(attempts) => {
                let before = attempts.at(&self.positions);
                if before >= 2 {
                    warn!(attempts = before, "the starts before this one ended where they began to read: the next line is left out");
                    self.skip.fill(true);
                }
                self.attempts = Some(attempts);
            }
            Err(error) => warn!(%error, "a line that ends us again and again will not be left out"),
        }
    }

    /// Takes a line that may be our end.
    fn attempt(&mut self, take: impl FnOnce()) {
        // A mark that cannot be made is no reason not to take the line.
        let _ = self.attempts.as_mut().map(|attempts| attempts.begin(&self.positions));
        take();
        let _ = self.attempts.as_mut().map(Attempts::end);
    }

    /// A log comes or, where `position` is empty, goes.
    fn begin_log(&mut self, log: u16, position: &[u8]) {
        if let (Some(place), Some(last)) = (self.positions.get_mut(usize::from(log)), self.last.get_mut(usize::from(log))) {
            place.clear();
            place.extend_from_slice(position);
            (*last, self.is_written) = (None, false);
        }
    }

    /// The lines up to the last ones are taken in.
    fn go_on(&mut self, batch: &Batch) {
        for (place, line) in self.positions.iter_mut().zip(&mut self.last) {
            if let Some(position) = line.take().map(|line| batch.position(line)).filter(|position| !position.is_empty()) {
                place.clear();
                place.extend_from_slice(position);
                self.is_written = false;
            }
        }
    }

    fn checkpoint(&mut self, readers: &Readers, watch: &Watch) -> Checkpoint {
        let begun = Instant::now();
        let (counters, engine, last_seq) = watch.save();
        let seconds = (counters.len() + engine.len()) as f64 / BYTES_A_SECOND;
        self.pause = (begun.elapsed() * TIMES_THE_WORK).max(Duration::from_secs_f64(seconds)).min(LONGEST_PAUSE);
        (self.is_written, self.written) = (true, Some(Instant::now()));
        let named = readers.slots.iter().map(|(_, name)| name.clone()).zip(self.positions.iter().cloned());
        let positions = named.filter(|(_, position)| !position.is_empty()).collect();
        Checkpoint { positions, counters, engine, last_seq, is_slow: self.is_slow() }
    }

    /// The time until it is to be written; nothing while there is nothing to write.
    fn left(&self, has_alerts: bool) -> Option<Duration> {
        let pause = if has_alerts { self.pause } else { self.pause.max(CHECK_EVERY) };
        let left = self.written.map_or(Duration::ZERO, |written| pause.saturating_sub(written.elapsed()));
        (has_alerts || !self.is_written).then_some(if self.is_slow() { Duration::ZERO } else { left })
    }

    /// Is this line left out? The first one of each log is, where the last starts have ended with it.
    fn is_to_skip(&mut self, log: u16) -> bool {
        self.skip.get_mut(usize::from(log)).is_some_and(std::mem::take)
    }

    /// Is the line at hand to be written down before the next one?
    fn is_slow(&self) -> bool {
        self.slow_until.is_some_and(|until| Instant::now() < until)
    }
}

/// Since 1970.
const fn seconds(now: Tick) -> u64 {
    now.as_micros() / 1_000_000
}

/// How to read stamps that say no year, no time zone, or only the time since boot: as written by this machine, when the
/// file was last changed.
fn recorded(inputs: &[Input]) -> Recorded {
    let modified = inputs.iter().find_map(Input::modified).and_then(|time| Timestamp::try_from(time).ok());
    let modified = modified.unwrap_or_else(Timestamp::now);
    let there = modified.to_zoned_datetime(TimeZone::system());
    let begin = Tick::from_micros(u64::try_from(modified.as_microsecond()).unwrap_or(0));
    Recorded::new(ReplayClock::new(i32::from(there.year()), there.offset().seconds()), begin)
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(bytes)
}
