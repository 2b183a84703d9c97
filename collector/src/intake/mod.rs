//! Where log lines come from.
//!
//! Inputs are opened while we may ([`open`], [`open_replay`]); threads read them ([`start`]) only with the
//! token of [`crate::privilege`], and hand whole lines over to one loop. Threads and not tasks: tokio has
//! no safe way to wait for a descriptor that is not its own, and a ring that holds 550 records must be
//! drained while something else computes.

pub mod export;
pub mod file;
pub mod handover;
pub mod journal;
pub mod kmsg;
pub mod lines;
mod links;
pub mod pattern;
pub mod position;

pub use handover::{Batch, Handover, Numbered, Slot, Time};
pub use position::MAX_POSITION;

use crate::{clock::Clock, config, privilege::Unprivileged};
use firebell_engine::tick::Tick;
use position::{Place, Position};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{FileExt as _, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// Files that hold the kernel's messages where no `files` are configured; the first that can be read.
///
/// Debian and Ubuntu, Red Hat and SUSE, and a plain rsyslog.
pub const USUAL_FILES: [&str; 3] = ["/var/log/kern.log", "/var/log/messages", "/var/log/syslog"];

/// An input that is open and that nobody has read yet.
#[derive(Debug)]
pub struct Input {
    /// What is known about it.
    pub info: Arc<Info>,
    what: What,
}

#[derive(Debug)]
enum What {
    Kmsg(File, config::From),
    File(file::Tail),
    Found(pattern::Found),
    Journal(journal::Journal),
    Stream(File),
}

/// What is known about an intake.
#[derive(Debug)]
pub struct Info {
    /// `/dev/kmsg`, `journal`, a path, a pattern of paths, or `standard input`.
    pub name: String,
    /// Only the kernel can have written what it gives.
    pub vouches: bool,
    /// It is the kernel's own log, as it is or through the journal: other network namespaces may write to it, and its
    /// facility counts.
    pub is_kmsg: bool,
    /// Files of a pattern that it reads at most; 0 where it is one log.
    pub files: u16,
    /// Groups that must be kept to read it, where those only may.
    pub groups: Vec<u32>,
    /// What happened to it.
    pub counters: Counters,
}

/// What happened to an intake. Written by its reader.
#[derive(Debug, Default)]
pub struct Counters {
    records: AtomicU64,
    lost: AtomicU64,
    last_loss: AtomicU64,
    overruns: AtomicU64,
    too_long: AtomicU64,
    truncations: AtomicU64,
    rotations: AtomicU64,
    restarts: AtomicU64,
    malformed: AtomicU64,
    is_readable: AtomicBool,
    /// Some of the files of a pattern are not read.
    is_partly: AtomicBool,
    /// Something is not read because we may not.
    is_denied: AtomicBool,
    left_out: AtomicU64,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $add:ident $get:ident;)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $get(&self) -> u64 {
            self.$get.load(Relaxed)
        }

        fn $add(&self) {
            self.$get.fetch_add(1, Relaxed);
        }
    )* };
}

impl Counters {
    counters! {
        /// Lines that were read.
        add_record records;
        /// How often the kernel log overwrote what had not been read.
        add_overrun overruns;
        /// How often the file was cut to nothing.
        add_truncation truncations;
        /// How often another file took the place of the one being read.
        add_rotation rotations;
        /// How often `journalctl` was started again.
        add_restart restarts;
        /// What `journalctl` wrote and should not have written.
        add_malformed malformed;
    }

    /// Records that are known to be lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// When the last one was found missing.
    #[must_use]
    pub fn last_loss(&self) -> Option<Tick> {
        Some(self.last_loss.load(Relaxed)).filter(|micros| *micros > 0).map(Tick::from_micros)
    }

    /// Lines that were too long to be looked at.
    #[must_use]
    pub fn too_long(&self) -> u64 {
        self.too_long.load(Relaxed)
    }

    /// Can it be read at the moment?
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.is_readable.load(Relaxed)
    }

    /// Is all of it read at the moment?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_readable() && !self.is_partly.load(Relaxed)
    }

    /// Is something not read because we may not?
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.is_denied.load(Relaxed)
    }

    /// Files that fit a pattern and are not read, since there are too many.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Relaxed)
    }

    fn set_left_out(&self, count: u64) {
        self.left_out.store(count, Relaxed);
    }

    pub(crate) fn add_lost(&self, count: u64, now: Tick) {
        if count > 0 {
            self.lost.fetch_add(count, Relaxed);
            self.last_loss.store(now.as_micros(), Relaxed);
        }
    }

    fn add_too_long(&self, count: u64) {
        self.too_long.fetch_add(count, Relaxed);
    }

    /// An earlier start has counted these.
    fn go_on(&self, lost: u64) {
        self.lost.store(lost, Relaxed);
    }

    pub(crate) fn set_readable(&self, is_readable: bool) -> bool {
        self.is_readable.swap(is_readable, Relaxed) != is_readable
    }
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// We may not.
    #[error("{path} may not be read by this user ({error}); {}", remedy(path))]
    NotPermitted {
        /// What was tried.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// It does not work.
    #[error("{path}: {error}")]
    Failed {
        /// What was tried.
        path: String,
        /// What the system said.
        error: io::Error,
    },
}

/// A log that root alone may read was opened while we were root; the next one of its name cannot be.
const NEW_FILE: &str = ". Let logrotate make it for a group that the user firebell is in (create 0640 root adm), or let firebelld read the kernel log or \
     the journal ([intake] source), or every file (read-root-only in firebell.toml(5), with the drop-in read-root-only-logs.conf)";

fn remedy(path: &str) -> &'static str {
    if path == journal::NAME {
        "start firebelld as root, or as a member of the group systemd-journal"
    } else if path == kmsg::PATH {
        "start firebelld as root or with CAP_SYSLOG, or let it read the journal or a log file ([intake] source)"
    } else {
        "start firebelld as root, or as a member of the group that may read it, or with the drop-in read-root-only-logs.conf (see read-root-only in \
         firebell.toml(5))"
    }
}

impl OpenError {
    fn new(path: &Path, error: io::Error) -> Self {
        let path = firebell_shared::text::safe(path.as_os_str().as_encoded_bytes(), 4096);
        if error.kind() == io::ErrorKind::PermissionDenied { Self::NotPermitted { path, error } } else { Self::Failed { path, error } }
    }
}

/// Opens what the configuration names.
///
/// # Errors
/// [`OpenError`] for the input that was wanted; with `source = "auto"` for `/dev/kmsg`, when neither the journal nor a log
/// file can be read.
pub fn open(config: &config::Intake) -> Result<Opened, OpenError> {
    if config.source.has(config::Source::Auto) {
        return open_best(config);
    }
    let mut inputs = Vec::new();
    for source in config.source.iter() {
        match source {
            config::Source::Auto => {}
            config::Source::Kmsg => inputs.push(open_kmsg(config)?),
            config::Source::Journal => inputs.push(open_journal(config)?),
            config::Source::File => inputs.extend(open_files(config)?),
        }
    }
    Ok(Opened { inputs, why: format!("[intake] source = {}", config.source) })
}

/// Inputs, and why these.
#[derive(Debug)]
pub struct Opened {
    /// What is read.
    pub inputs: Vec<Input>,
    /// A sentence for the log and for `Status()`.
    pub why: String,
}

/// The kernel's own log loses least and says what it lost; the journal vouches as well; to a file anybody can write.
fn open_best(config: &config::Intake) -> Result<Opened, OpenError> {
    let kmsg = match open_kmsg(config) {
        Ok(input) => return Ok(Opened { inputs: vec![input], why: "the kernel's own log can be opened".into() }),
        Err(error) => error,
    };
    let journal = match open_journal(config) {
        Ok(input) => return Ok(Opened { inputs: vec![input], why: kmsg.to_string() }),
        Err(error) => error,
    };
    match open_files(config) {
        Ok(inputs) if inputs.iter().any(|input| input.info.counters.is_readable()) => {
            Ok(Opened { inputs, why: format!("{kmsg}; {journal}") })
        }
        _ => Err(kmsg),
    }
}

fn open_journal(config: &config::Intake) -> Result<Input, OpenError> {
    let (journal, group) = journal::Journal::new(config.journalctl.path(), config.from, crate::privilege::is_root())
        .map_err(|error| OpenError::new(Path::new(journal::NAME), error))?;
    let info = Info {
        name: journal::NAME.into(),
        vouches: true,
        is_kmsg: true,
        files: 0,
        groups: group.into_iter().collect(),
        counters: Counters::default(),
    };
    info.counters.set_readable(true);
    Ok(Input { info: Arc::new(info), what: What::Journal(journal) })
}

fn open_kmsg(config: &config::Intake) -> Result<Input, OpenError> {
    let file = kmsg::open(config.from == config::From::Start).map_err(|error| OpenError::new(Path::new(kmsg::PATH), error))?;
    let info = Info { name: kmsg::PATH.into(), vouches: true, is_kmsg: true, files: 0, groups: Vec::new(), counters: Counters::default() };
    info.counters.set_readable(true);
    Ok(Input { info: Arc::new(info), what: What::Kmsg(file, config.from) })
}

fn open_files(config: &config::Intake) -> Result<Vec<Input>, OpenError> {
    if !config.files.is_empty() {
        let open =
            |path: &Path| if pattern::is_pattern(path.as_os_str()) { open_found(path, config.from) } else { open_file(path, config.from) };
        return config.files.iter().map(|file| open(file.path())).collect();
    }
    let mut refused = None;
    for path in USUAL_FILES.map(Path::new) {
        if path.exists() {
            match open_file(path, config.from) {
                Ok(input) => return Ok(vec![input]),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
    }
    Err(refused.unwrap_or_else(|| {
        let error =
            io::Error::new(io::ErrorKind::NotFound, "no such file, nor another usual place of kernel messages; name one in [intake] files");
        OpenError::new(Path::new(USUAL_FILES[0]), error)
    }))
}

fn open_file(path: &Path, from: config::From) -> Result<Input, OpenError> {
    let tail = file::Tail::new(path, from).map_err(|error| OpenError::new(path, error))?;
    let metadata = tail.metadata();
    let name = firebell_shared::text::safe(path.as_os_str().as_encoded_bytes(), 4096);
    let groups = metadata.as_ref().and_then(group).into_iter().collect();
    let info = Info { name, vouches: false, is_kmsg: false, files: 0, groups, counters: Counters::default() };
    info.counters.set_readable(metadata.is_some());
    Ok(Input { info: Arc::new(info), what: What::File(tail) })
}

fn open_found(path: &Path, from: config::From) -> Result<Input, OpenError> {
    let found = pattern::Found::new(path, from).map_err(|error| OpenError::new(path, error))?;
    let name = firebell_shared::text::safe(path.as_os_str().as_encoded_bytes(), 4096);
    let (groups, files) = (found.groups(), pattern::MAX_FILES);
    let info = Info { name, vouches: false, is_kmsg: false, files, groups, counters: Counters::default() };
    info.counters.set_readable(found.is_readable().0);
    Ok(Input { info: Arc::new(info), what: What::Found(found) })
}

/// The group of a file that may be read by its group and not by others (0o040, 0o004); that of root is kept for nothing.
fn group(metadata: &std::fs::Metadata) -> Option<u32> {
    (metadata.mode() & 0o044 == 0o040 && metadata.gid() != 0).then(|| metadata.gid())
}

/// Opens a recorded log; `-` is the standard input.
///
/// # Errors
/// [`OpenError`] when it cannot be opened.
pub fn open_replay(path: &Path, vouches: bool) -> Result<Input, OpenError> {
    let is_stdin = path.as_os_str() == "-";
    let opened = if is_stdin { io::stdin().as_fd().try_clone_to_owned().map(File::from) } else { File::open(path) };
    let file = opened.map_err(|error| OpenError::new(path, error))?;
    let name = if is_stdin { "standard input".into() } else { firebell_shared::text::safe(path.as_os_str().as_encoded_bytes(), 4096) };
    let info = Info { name, vouches, is_kmsg: false, files: 0, groups: Vec::new(), counters: Counters::default() };
    info.counters.set_readable(true);
    Ok(Input { info: Arc::new(info), what: What::Stream(file) })
}

impl Input {
    /// Is it a log file that is followed, or a pattern of them?
    #[must_use]
    pub fn is_followed(&self) -> bool {
        matches!(self.what, What::File(_) | What::Found(_))
    }

    /// Is it the journal, which a child reads?
    #[must_use]
    pub fn is_journal(&self) -> bool {
        matches!(self.what, What::Journal(_))
    }

    /// When the file was last written: the year of stamps that have none.
    #[must_use]
    pub fn modified(&self) -> Option<std::time::SystemTime> {
        match &self.what {
            What::Stream(file) => file.metadata().and_then(|metadata| metadata.modified()).ok(),
            _ => None,
        }
    }
}

/// Readers at work. They end when this is dropped.
#[derive(Debug)]
pub struct Readers {
    /// What they read comes here.
    pub handover: Arc<Handover>,
    /// The intakes, by the number that comes with a line.
    pub intakes: Vec<Arc<Info>>,
    /// The logs, by number: the intake of each, and its name; see [`slots`].
    pub slots: Vec<(u8, String)>,
    /// Where each of the logs began; empty where there is no position to keep.
    pub positions: Vec<Vec<u8>>,
    stop: Arc<OwnedFd>,
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.handover.stop();
        // The counter of a new eventfd is far from its end: the write does not fail.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }
}

/// Logs at most: as many entries as `[intake] files` may have, each a pattern, and the kernel log and the journal.
pub const MAX_LOGS: usize = 18 + 16 * pattern::MAX_FILES as usize;

/// The logs of these intakes by number: the number of the intake, and the name under which positions are kept. First the intakes themselves,
/// then the files that patterns find.
#[must_use]
pub fn slots(intakes: &[Arc<Info>]) -> Vec<(u8, String)> {
    let numbered = || (0_u8..).zip(intakes);
    let own = numbered().map(|(number, info)| (number, info.name.clone()));
    own.chain(numbered().flat_map(|(number, info)| (0..info.files).map(move |file| (number, format!("{} {file}", info.name))))).collect()
}

/// Where logs stand, by their names.
pub type Positions = BTreeMap<String, Vec<u8>>;

/// Starts one thread for each input, at its position where it has one. Only with the token: what they read is hostile.
///
/// # Errors
/// When the system gives no thread or descriptor.
pub fn start(_: &Unprivileged, inputs: Vec<Input>, clock: &Arc<Clock>, positions: &Positions) -> io::Result<Readers> {
    let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let intakes: Vec<_> = inputs.iter().map(|input| Arc::clone(&input.info)).collect();
    let mut readers = Readers { handover: Arc::default(), slots: slots(&intakes), intakes, positions: Vec::new(), stop };
    let (mut ready, mut found) = (Vec::new(), Vec::new());
    for (number, input) in (0_u8..).zip(inputs) {
        let first = readers.intakes.len() + found.len();
        let stored = readers.slots.iter().skip(first).take(input.info.files.into()).map(|(_, name)| positions.get(name));
        let reader = Reader {
            number,
            first: u16::try_from(first).unwrap_or(u16::MAX),
            info: input.info,
            handover: Arc::clone(&readers.handover),
            stop: Arc::clone(&readers.stop),
            clock: Arc::clone(clock),
            is_behind: true,
        };
        let source = Source::begin(input.what, &reader.info, clock, positions.get(&reader.info.name), stored);
        readers.positions.push(source.position(&reader.info.counters, clock));
        if let Source::Found(files) = &source {
            found.extend(files.positions(&reader.info.counters));
        }
        readers.handover.begin();
        ready.push((reader, source));
    }
    readers.positions.append(&mut found);
    for (reader, source) in ready {
        let name = format!("intake-{}", reader.number);
        thread::Builder::new().name(name).stack_size(128 << 10).spawn(move || reader.run(source))?;
    }
    Ok(readers)
}

/// An input at the place where reading begins.
enum Source {
    Kmsg(kmsg::Kmsg),
    File(file::Tail),
    Found(pattern::Found),
    Journal(journal::Journal),
    Stream(File),
}

impl Source {
    /// Goes to `position`; without one, or where that is lost, it begins as `[intake] from` says. `files`: the positions of those that a
    /// pattern has found before.
    fn begin<'p>(
        what: What,
        info: &Info,
        clock: &Clock,
        position: Option<&Vec<u8>>,
        files: impl Iterator<Item = Option<&'p Vec<u8>>>,
    ) -> Self {
        let stored = position.map(|bytes| Position::read(bytes));
        let place = stored.flatten().map(|position| position.place);
        let mut is_lost = stored == Some(None);
        let source = match what {
            What::Stream(file) => Self::Stream(file),
            What::Found(mut found) => {
                if stored.is_some() {
                    let places: Vec<_> = files.map(|bytes| Position::read(bytes?)).collect();
                    found.resume(&places, &info.name);
                }
                Self::Found(found)
            }
            What::Journal(mut journal) => {
                is_lost |= place.is_some_and(|place| !journal.resume(&place));
                Self::Journal(journal)
            }
            What::File(mut tail) => {
                match place.map(|place| tail.resume(&place)) {
                    None | Some(Ok(file::Resumed::There)) => {}
                    Some(Ok(file::Resumed::NoPlace)) => is_lost = true,
                    Some(Ok(file::Resumed::Gone)) => {
                        tracing::warn!(intake = %info.name, "the file that was read last is gone; what it had more is not read, and the one that is there is read from its beginning");
                    }
                    Some(Err(error)) => {
                        tracing::warn!(intake = %info.name, %error, "looking for the file that was read last");
                        is_lost = true;
                    }
                }
                Self::File(tail)
            }
            What::Kmsg(file, from) => {
                let mut kmsg = kmsg::Kmsg::new(file, clock);
                let resumed = place.map_or(Ok(false), |place| kmsg.resume(&place));
                is_lost |= place.is_some() && !matches!(resumed, Ok(true));
                let found = match resumed {
                    Ok(true) => Ok(()),
                    _ if from == config::From::Start => Ok(()),
                    Ok(false) | Err(_) => kmsg.find_end(),
                };
                if let Err(error) = found {
                    tracing::warn!(intake = %info.name, %error, "looking for the end of the kernel log");
                }
                Self::Kmsg(kmsg)
            }
        };
        if is_lost {
            tracing::warn!(intake = %info.name, "the position that was kept is none of this intake; it begins as [intake] from says");
        }
        if let Some(position) = stored.flatten() {
            info.counters.go_on(position.lost);
        }
        source
    }

    /// Where it stands, in the stored form.
    fn position(&self, counters: &Counters, clock: &Clock) -> Vec<u8> {
        let place: Option<Place<'_>> = match self {
            Self::Kmsg(kmsg) => kmsg.place(),
            Self::File(tail) => Some(tail.place()),
            Self::Found(_) => Some(Place::Since(clock.now().as_micros())),
            Self::Journal(journal) => journal.place(),
            Self::Stream(_) => None,
        };
        let mut bytes = Vec::new();
        if let Some(place) = place {
            Position { lost: counters.lost(), place }.write(&mut bytes);
        }
        bytes
    }
}

struct Reader {
    number: u8,
    /// The number of the first file of a pattern.
    first: u16,
    info: Arc<Info>,
    handover: Arc<Handover>,
    stop: Arc<OwnedFd>,
    clock: Arc<Clock>,
    /// What was there before it began is not all handed over yet.
    is_behind: bool,
}

impl Reader {
    fn run(mut self, source: Source) {
        let (result, is_endless) = match source {
            Source::Kmsg(kmsg) => (self.kmsg(kmsg), true),
            Source::File(tail) => (self.follow(tail), true),
            Source::Found(found) => (self.follow_all(found), true),
            Source::Journal(journal) => (self.journal(journal), true),
            Source::Stream(file) => (self.stream(file), false),
        };
        self.catch_up();
        if let Err(error) = result {
            tracing::error!(intake = %self.info.name, %error, "reading has ended");
        }
        // A recorded log has an end; anything else that ends is missed.
        if is_endless {
            self.info.counters.set_readable(false);
        }
        self.handover.end();
    }

    fn catch_up(&mut self) {
        if std::mem::take(&mut self.is_behind) {
            self.handover.catch_up();
        }
    }

    fn kmsg(&mut self, mut kmsg: kmsg::Kmsg) -> io::Result<()> {
        let (mut batch, mut is_fresh) = (Batch::default(), false);
        loop {
            let drained = kmsg.drain(self.number, &mut batch, &self.info.counters, &self.clock, is_fresh)?;
            if !batch.is_empty() && !self.handover.put(&mut batch) {
                return Ok(());
            }
            is_fresh = drained == kmsg::Drained::Empty;
            if is_fresh {
                self.catch_up();
            }
            if is_fresh && !self.wait(kmsg.file())? {
                return Ok(());
            }
        }
    }

    fn follow(&mut self, mut tail: file::Tail) -> io::Result<()> {
        let mut batch = Batch::default();
        let info = Arc::clone(&self.info);
        let counters = &info.counters;
        loop {
            tail.clear_events();
            loop {
                match tail.look(self.number.into(), &mut batch, counters, &self.clock) {
                    Ok(looked) => {
                        if !batch.is_empty() && !self.handover.put(&mut batch) {
                            return Ok(());
                        }
                        counters.is_denied.store(false, Relaxed);
                        if counters.set_readable(tail.is_readable()) {
                            self.handover.wake();
                        }
                        if looked == file::Looked::AtEnd {
                            break;
                        }
                    }
                    Err(error) => {
                        counters.is_denied.store(error.kind() == io::ErrorKind::PermissionDenied, Relaxed);
                        if counters.set_readable(false) {
                            let remedy = if error.kind() == io::ErrorKind::PermissionDenied { NEW_FILE } else { "" };
                            tracing::warn!(intake = %self.info.name, %error, "the log file cannot be read; waiting until it can{remedy}");
                            self.handover.wake();
                        }
                        break;
                    }
                }
            }
            self.catch_up();
            if !self.wait(tail.events())? {
                return Ok(());
            }
        }
    }

    fn follow_all(&mut self, mut found: pattern::Found) -> io::Result<()> {
        let mut batch = Batch::default();
        let info = Arc::clone(&self.info);
        let counters = &info.counters;
        loop {
            found.take_events();
            loop {
                let looked = found.look((self.number, self.first), &info.name, &mut batch, counters, &self.clock);
                if !batch.is_empty() && !self.handover.put(&mut batch) {
                    return Ok(());
                }
                let (is_readable, is_whole) = found.is_readable();
                let was_whole = counters.is_whole();
                counters.is_partly.store(is_readable && !is_whole, Relaxed);
                counters.is_denied.store(found.is_denied(), Relaxed);
                if counters.set_readable(is_readable) || counters.is_whole() != was_whole {
                    self.handover.wake();
                }
                if looked == file::Looked::AtEnd {
                    break;
                }
            }
            self.catch_up();
            if !self.wait_for(&[found.events().as_fd()], found.pause())? {
                return Ok(());
            }
        }
    }

    fn journal(&mut self, mut journal: journal::Journal) -> io::Result<()> {
        let (mut batch, mut is_told) = (Batch::default(), false);
        loop {
            let (why, pause) = match journal.start() {
                Ok(running) => match self.child(&mut journal, running, &mut batch, &mut is_told)? {
                    Some(ended) => ended,
                    None => return Ok(()),
                },
                Err(error) => (error.to_string(), journal.pause(Duration::ZERO)),
            };
            if why.is_empty() {
                continue;
            }
            self.catch_up();
            if self.info.counters.set_readable(false) {
                self.handover.wake();
            }
            // Once for each time that it worked; after that the counter says how often.
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(intake = %self.info.name, %why, "journalctl has ended; it is started again until it stays");
            }
            if !self.wait_for(&[], Some(pause))? {
                return Ok(());
            }
            self.info.counters.add_restart();
        }
    }

    /// Reads one child to its end: why it ended, and how long to wait. `None`: it is time to stop.
    fn child(
        &mut self,
        journal: &mut journal::Journal,
        mut running: journal::Running,
        batch: &mut Batch,
        is_told: &mut bool,
    ) -> io::Result<Option<(String, Duration)>> {
        let info = Arc::clone(&self.info);
        let counters = &info.counters;
        loop {
            let looked = journal.look(&mut running, self.number, batch, counters, &self.clock);
            if !batch.is_empty() && !self.handover.put(batch) {
                return Ok(None);
            }
            let unsettled = running.unsettled();
            if unsettled.is_zero() && counters.set_readable(true) {
                if std::mem::take(is_told) {
                    tracing::info!(intake = %self.info.name, "the journal is read again");
                }
                self.handover.wake();
            }
            match looked {
                journal::Looked::Ended => return Ok(Some(journal.ended(running))),
                journal::Looked::Full => {}
                journal::Looked::Empty => {
                    // A child that has said nothing yet may still be looking for its place.
                    if unsettled.is_zero() {
                        self.catch_up();
                    }
                    let (stdout, stderr) = running.pipes();
                    if !self.wait_for(&[stdout.as_fd(), stderr.as_fd()], (!unsettled.is_zero()).then_some(unsettled))? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn stream(&self, mut file: File) -> io::Result<()> {
        let (mut lines, mut batch, mut buffer) = (lines::Lines::default(), Batch::default(), vec![0; 32 << 10]);
        let counters = &self.info.counters;
        loop {
            if !self.wait(&file)? {
                return Ok(());
            }
            let len = match file.read(&mut buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => continue,
                len => len?,
            };
            let mut push = |line: &[u8]| {
                counters.add_record();
                batch.push(self.number, Time::Stamped, line, &[]);
            };
            let too_long =
                if len == 0 { lines.finish(push) } else { lines.feed(buffer.get(..len).unwrap_or_default(), |line, _| push(line)) };
            counters.add_too_long(too_long);
            if (!batch.is_empty() && !self.handover.put(&mut batch)) || len == 0 {
                return Ok(());
            }
        }
    }

    /// Waits until `fd` has something. False: it is time to stop.
    fn wait(&self, fd: &impl AsFd) -> io::Result<bool> {
        self.wait_for(&[fd.as_fd()], None)
    }

    /// Waits until one of `fds` has something or the time is over. False: it is time to stop.
    fn wait_for(&self, fds: &[BorrowedFd<'_>], time: Option<Duration>) -> io::Result<bool> {
        let time = time.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        let mut polled = vec![PollFd::new(&*self.stop, PollFlags::IN)];
        polled.extend(fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        loop {
            match poll(&mut polled, time.as_ref()) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(polled.first().is_none_or(|stop| stop.revents().is_empty())),
            }
        }
    }
}

/// Does the kernel log hold lines of other network namespaces? Then any user may make it log any packet.
///
/// Looked at when lines arrive and a minute has passed since; never by a timer.
#[derive(Debug, Default)]
pub struct AllNetns {
    path: PathBuf,
    /// The same, where somebody shows it to us.
    shown: PathBuf,
    file: Option<File>,
    holds: Netns,
    checked: Option<Tick>,
}

/// Whose firewall lines the kernel log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Netns {
    /// Those of the machine's own network alone, or there were none yet.
    #[default]
    Own,
    /// Those of every network namespace, and any user may make one.
    All,
    /// We are in a network namespace ourselves, or see no settings at all, and cannot tell.
    Hidden,
}

impl AllNetns {
    /// The setting, `net.netfilter.nf_log_all_netns` (Linux Documentation/networking/netfilter-sysctl.rst).
    pub const PATH: &'static str = "/proc/sys/net/netfilter/nf_log_all_netns";
    /// Where `run-firebell-nf_log_all_netns.mount` shows it to the system unit, which is in a network namespace of its own. `BindReadOnlyPaths=`
    /// cannot: systemd enters that namespace first.
    pub const SHOWN: &'static str = "/run/firebell/nf_log_all_netns";
    /// How long an answer holds.
    const HOLDS: Duration = Duration::from_secs(60);

    /// Opens it, while we may.
    #[must_use]
    pub fn open() -> Self {
        Self::open_in(Path::new(Self::PATH), Path::new(Self::SHOWN))
    }

    #[cfg(test)]
    pub(crate) fn open_at(path: &Path) -> Self {
        Self::open_in(path, Path::new(""))
    }

    fn open_in(path: &Path, shown: &Path) -> Self {
        let mut setting = Self { path: path.to_owned(), shown: shown.to_owned(), file: None, holds: Netns::Own, checked: None };
        setting.file = setting.find();
        setting
    }

    fn find(&self) -> Option<File> {
        let shown = || File::open(&self.shown).ok().filter(is_of_proc);
        File::open(&self.path).ok().or_else(shown)
    }

    /// Whose lines there may be, as of a minute ago at most.
    pub fn holds(&mut self, now: Tick) -> Netns {
        if self.checked.is_none_or(|checked| now.since(checked) >= Self::HOLDS) {
            self.checked = Some(now);
            self.holds = self.look();
        }
        self.holds
    }

    fn look(&mut self) -> Netns {
        if self.file.is_none() {
            // It appears with the kernel's module nf_log.
            self.file = self.find();
        }
        let Some(file) = &self.file else {
            // The setting is there for the first network namespace alone, and the folder beside it for each
            // (`netfilter_log_sysctl_init()` in Linux net/netfilter/nf_log.c). Without any settings (`ProcSubset=pid`) that says nothing.
            let settings = self.path.parent().and_then(Path::parent);
            let is_seen = settings.is_some_and(Path::exists) && !self.path.with_file_name("nf_log").exists();
            return if is_seen { Netns::Own } else { Netns::Hidden };
        };
        let mut text = [0; 16];
        match file.read_at(&mut text, 0) {
            Ok(len) if matches!(text.get(..len), Some(b"0\n" | b"0")) => Netns::Own,
            Ok(_) => Netns::All,
            Err(_) => Netns::Hidden,
        }
    }
}

/// A file of the kernel's, and none that somebody has put in its place.
fn is_of_proc(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_setting_is_looked_at_again_after_a_minute_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nf_log_all_netns");
        fs::write(&path, "0\n").unwrap();
        let mut setting = AllNetns::open_at(&path);
        assert_eq!(setting.holds(Tick::from_secs(10)), Netns::Own);
        fs::write(&path, "1\n").unwrap();
        assert_eq!(setting.holds(Tick::from_secs(69)), Netns::Own);
        assert_eq!(setting.holds(Tick::from_secs(70)), Netns::All);
    }

    #[test]
    fn in_a_network_namespace_the_setting_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let mut setting = AllNetns::open_at(&dir.path().join("nf_log_all_netns"));
        assert_eq!(setting.holds(Tick::from_secs(10)), Netns::Own, "nothing was logged since the machine started");
        fs::create_dir(dir.path().join("nf_log")).unwrap();
        assert_eq!(setting.holds(Tick::from_secs(70)), Netns::Hidden);
        fs::write(dir.path().join("nf_log_all_netns"), "0\n").unwrap();
        assert_eq!(setting.holds(Tick::from_secs(130)), Netns::Own);
    }

    #[test]
    fn without_any_settings_nobody_can_tell_and_a_file_that_is_not_the_kernel_s_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, shown) = (dir.path().join("net/netfilter/nf_log_all_netns"), dir.path().join("shown"));
        fs::write(&shown, "0\n").unwrap();
        let mut setting = AllNetns::open_in(&path, &shown);
        assert_eq!(setting.holds(Tick::from_secs(10)), Netns::Hidden);
        fs::create_dir(dir.path().join("net")).unwrap();
        assert_eq!(setting.holds(Tick::from_secs(70)), Netns::Own, "a kernel without netfilter");
        fs::remove_dir(dir.path().join("net")).unwrap();
        // Any file of the kernel's that holds a 0 will do.
        let mut setting = AllNetns::open_in(&path, Path::new("/proc/sys/kernel/cap_last_cap"));
        assert_eq!(setting.holds(Tick::from_secs(10)), Netns::All, "not 0");
        assert!(is_of_proc(&File::open("/proc/self/status").unwrap()) && !is_of_proc(&File::open(&shown).unwrap()));
    }

    #[test]
    fn what_may_not_be_read_says_what_to_do() {
        let error = OpenError::new(Path::new(kmsg::PATH), Errno::PERM.into());
        assert!(matches!(error, OpenError::NotPermitted { .. }));
        assert!(error.to_string().contains("start firebelld as root or with CAP_SYSLOG"), "{error}");
    }
}
