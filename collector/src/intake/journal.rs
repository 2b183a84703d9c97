//! The journal of systemd, read through a child `journalctl`.
//!
//! A child and no library: readers of the journal's files in Rust lose records when those rotate, and libsystemd would
//! be linked into a process that reads hostile bytes. The child gets no environment and nothing to read, and ends with us:
//! we kill it, and when we are killed ourselves `journalctl --follow` ends because nobody holds the other end of its
//! pipe (systemd `wait_for_change()`; tried with 252). It cannot be told to die with its parent (`PR_SET_PDEATHSIG`)
//! without `unsafe` between fork and exec.
//!
//! Who may write what is measured in docs/ARCHITECTURE.md: `_TRANSPORT=kernel` says that a record came through
//! `/dev/kmsg`, where root may write as well; `SYSLOG_FACILITY` says which of the two. So a record becomes the line that
//! `/dev/kmsg` would have given, facility and all, and is judged as such a line.

use super::{
    Counters, Time,
    export::{Broken, Entry, Export, Transport, number},
    handover::Batch,
    lines::MAX_LINE,
    position::{self, Position, boot_id},
};
use crate::{
    clock::{Clock, uptime_micros},
    config::From,
};
use firebell_engine::tick::Tick;
use rustix::fs::OFlags;
use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    os::{fd::AsFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    time::{Duration, SystemTime},
};

/// The name of this intake.
pub const NAME: &str = "journal";
/// Where journald keeps the machine's journal: on disk, or in memory.
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// journald's own record that it missed lines of the kernel: `SD_MESSAGE_JOURNAL_MISSED` in systemd `sd-messages.h`. Its
/// rate limit (`SD_MESSAGE_JOURNAL_DROPPED`) is one of services and never one of the kernel.
const MISSED: u128 = 0xe9bf_28e6_e834_481b_b6f4_8f54_8ad1_3606;
/// What is asked for; a cursor, two times and the boot id come unasked (journalctl(1), `--output-fields`).
const FIELDS: &str = "--output-fields=MESSAGE,_TRANSPORT,PRIORITY,SYSLOG_FACILITY,_SOURCE_MONOTONIC_TIMESTAMP,MESSAGE_ID,_BOOT_ID";
/// Records are handed over at the latest when they take so many bytes.
const BATCH: usize = 64 << 10;
/// So much of what the child complains about is kept, bytes.
const MAX_COMPLAINT: usize = 400;
/// The first pause before the child is started again, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A child that lives so long works.
pub(super) const SETTLED: Duration = Duration::from_secs(2);

/// What is needed to read the journal.
#[derive(Debug)]
pub struct Journal {
    program: PathBuf,
    /// The machine's journal, to see whether we may read it.
    file: PathBuf,
    place: Place,
    /// What earlier boots have left is read first. `journalctl --follow` shows nothing of them: it means `--boot` as well,
    /// unless `--merge` is given, and that would let the journals of containers in (measured with systemd 252).
    is_past: bool,
    stamps: Stamps,
    pause: Duration,
    line: Vec<u8>,
    position: Vec<u8>,
    buffer: Vec<u8>,
}

/// Where the child begins.
#[derive(Debug)]
enum Place {
    /// With the oldest record of this boot.
    Boot,
    /// At this moment of the wall clock, microseconds since 1970.
    Since(u64),
    /// After the record with this cursor, which was taken at the second, microseconds since 1970.
    After(Vec<u8>, u64),
}

/// The child at work.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
    export: Export,
    complaint: Vec<u8>,
    begun: std::time::Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or does now; either way it is waited for, and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a look at the child has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Everything that it wrote was read.
    Empty,
    /// The batch is large enough to be handed over.
    Full,
    /// It has ended, or writes nonsense.
    Ended,
}

impl Journal {
    /// Reads the machine's journal with `program`. Second: the group that may read it, where only a group may.
    ///
    /// # Errors
    /// When there is no journal, or no program that can be trusted, or we may not read: neither now nor, as root, after
    /// becoming somebody else.
    pub fn new(program: &Path, from: From, is_root: bool) -> io::Result<(Self, Option<u32>)> {
        check_program(program)?;
        let file = find(FOLDERS.map(Path::new), &fs::read_to_string("/etc/machine-id")?)?;
        let audience = audience(&fs::metadata(&file)?);
        if !is_root {
            File::open(&file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
        } else if audience == Audience::Nobody {
            let text =
                format!("{} may be read by root only; give it to the group systemd-journal (systemd-tmpfiles --create)", file.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let place = match from {
            From::Start => Place::Boot,
            From::End => Place::Since(u64::try_from(now.as_micros()).unwrap_or(u64::MAX)),
        };
        let group = if let Audience::Group(group) = audience { Some(group) } else { None };
        Ok((Self { program: program.to_owned(), file, ..Self::at(place) }, group))
    }

    fn at(place: Place) -> Self {
        let stamps = Stamps { ours: boot_id(), last: None };
        let (program, file) = (PathBuf::new(), PathBuf::new());
        Self {
            program,
            file,
            place,
            is_past: false,
            stamps,
            pause: PAUSE.0,
            line: Vec::new(),
            position: Vec::new(),
            buffer: vec![0; 64 << 10],
        }
    }

    /// Goes on where an earlier start has stopped. False: that is no place in the journal.
    pub fn resume(&mut self, place: &position::Place<'_>) -> bool {
        self.place = match place {
            position::Place::Journal { cursor, taken } => Place::After(cursor.to_vec(), *taken),
            position::Place::Since(micros) => Place::Since(*micros),
            _ => return false,
        };
        self.is_past = true;
        true
    }

    /// Where it stands before it has read anything; nothing where that is the beginning of this boot.
    #[must_use]
    pub fn place(&self) -> Option<position::Place<'_>> {
        self.place.stored()
    }

    /// Starts the child where the last one stopped.
    pub(super) fn start(&self) -> io::Result<Running> {
        check_program(&self.program)?;
        // Without the right to read, journalctl says so only as long as there is nothing else that it may read.
        File::open(&self.file).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}; let firebelld be a member of its group", self.file.display()))
        })?;
        let mut command = Command::new(&self.program);
        if !self.is_past {
            command.args(["--follow", "--no-tail"]);
        }
        command.args(["--quiet", "--system", "--output=export", FIELDS]);
        match &self.place {
            Place::Boot => command.arg("--boot"),
            Place::Since(micros) => command.arg(format!("--since=@{}.{:06}", micros / 1_000_000, micros % 1_000_000)),
            Place::After(cursor, _) => command.arg(format!("--after-cursor={}", String::from_utf8_lossy(cursor))),
        };
        command.args(["_TRANSPORT=kernel", "+", "_TRANSPORT=driver"]).arg(format!("MESSAGE_ID={MISSED:032x}"));
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            // The limits know it by its inode.
            io::ErrorKind::PermissionDenied => {
                let text = format!("{}: {error}; if it was replaced since firebelld started, restart firebelld", self.program.display());
                io::Error::new(error.kind(), text)
            }
            _ => error,
        })?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("a child without its pipes"));
        };
        let running = Running { child, stdout, stderr, export: Export::default(), complaint: Vec::new(), begun: std::time::Instant::now() };
        for fd in [running.stdout.as_fd(), running.stderr.as_fd()] {
            rustix::fs::fcntl_setfl(fd, rustix::fs::fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
        }
        Ok(running)
    }

    /// Reads what the child has written into `batch`.
    pub(super) fn look(&mut self, running: &mut Running, intake: u8, batch: &mut Batch, counters: &Counters, clock: &Clock) -> Looked {
        running.read_complaint();
        let (now, uptime) = (clock.now(), uptime_micros());
        let Self { place, stamps, line, position, buffer, .. } = self;
        while batch.size() < BATCH {
            let bytes = match running.stdout.read(buffer) {
                Ok(len) if len > 0 => buffer.get(..len).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Looked::Empty,
                Ok(_) | Err(_) => return Looked::Ended,
            };
            let read = running.export.feed(bytes, |entry| {
                if !take(entry, place, line, counters, now) {
                    return;
                }
                position.clear();
                if let Some(place) = place.stored() {
                    Position { lost: counters.lost(), place }.write(position);
                }
                batch.push(intake, Time::At(stamps.tick(entry, now, uptime)), line, position);
            });
            if read == Err(Broken) {
                // Asked again, it would write the same: go on with what is written from now on.
                counters.add_malformed();
                counters.add_lost(1, now);
                *place = Place::Since(now.as_micros());
                running.complaint = Broken.to_string().into();
                return Looked::Ended;
            }
        }
        Looked::Full
    }

    /// Why the child has ended, and how long to wait before another is started. Without a reason: it has read the past, as
    /// it should.
    pub(super) fn ended(&mut self, mut running: Running) -> (String, Duration) {
        running.read_complaint();
        let mut why = firebell_shared::text::safe(running.complaint.trim_ascii(), MAX_COMPLAINT);
        // It knows the place no longer: the files were removed. Times it always knows.
        if let (Place::After(_, taken), true) = (&self.place, why.contains("cursor")) {
            self.place = Place::Since(taken.saturating_add(1));
        }
        if why.is_empty() && std::mem::take(&mut self.is_past) {
            return (why, Duration::ZERO);
        }
        if why.is_empty() {
            why = match running.child.try_wait() {
                Ok(Some(status)) => status.to_string(),
                _ => "it closed its output".into(),
            };
        }
        let pause = self.pause(running.begun.elapsed());
        (why, pause)
    }

    /// How long to wait after a child that lived for `lived`.
    pub(super) fn pause(&mut self, lived: Duration) -> Duration {
        if lived > PAUSE.1 {
            self.pause = PAUSE.0;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE.1);
        pause
    }
}

impl Running {
    /// What it writes, and what it complains about.
    pub(super) fn pipes(&self) -> (&ChildStdout, &ChildStderr) {
        (&self.stdout, &self.stderr)
    }

    /// How much longer it must live to be called a child that works; nothing when it has.
    pub(super) fn unsettled(&self) -> Duration {
        SETTLED.saturating_sub(self.begun.elapsed())
    }

    /// Its standard error is emptied, so that it never waits for us, and the beginning kept.
    fn read_complaint(&mut self) {
        let mut bytes = [0; 1024];
        while let Ok(len @ 1..) = self.stderr.read(&mut bytes) {
            let room = MAX_COMPLAINT.saturating_sub(self.complaint.len());
            self.complaint.extend_from_slice(bytes.get(..len.min(room)).unwrap_or_default());
        }
    }
}

/// What becomes of a record: a `line` (true), a loss, or nothing. `place` moves behind it.
fn take(entry: &Entry, place: &mut Place, line: &mut Vec<u8>, counters: &Counters, now: Tick) -> bool {
    if entry.is_malformed {
        counters.add_malformed();
        return false;
    }
    place.set(entry);
    match entry.transport {
        Transport::Kernel => {
            counters.add_record();
            let fits = write_line(entry, line);
            counters.add_too_long(u64::from(!fits));
            return fits;
        }
        Transport::Driver if entry.message_id == Some(MISSED) => counters.add_lost(missed(&entry.message), now),
        // Not what was asked for.
        Transport::Driver | Transport::Other => counters.add_malformed(),
    }
    false
}

impl Place {
    fn stored(&self) -> Option<position::Place<'_>> {
        match self {
            Self::Boot => None,
            Self::Since(micros) => Some(position::Place::Since(*micros)),
            Self::After(cursor, taken) => position::is_cursor(cursor).then_some(position::Place::Journal { cursor, taken: *taken }),
        }
    }

    /// Behind `entry`, if it says where it is.
    fn set(&mut self, entry: &Entry) {
        let (false, Some(taken)) = (entry.cursor.is_empty(), entry.realtime) else { return };
        if !matches!(self, Self::After(..)) {
            *self = Self::After(Vec::new(), taken);
        }
        if let Self::After(cursor, at) = self {
            cursor.clone_from(&entry.cursor);
            *at = taken;
        }
    }
}

/// The number in `Missed 12 kernel messages`; at least one was.
fn missed(message: &[u8]) -> u64 {
    let digits = message.strip_prefix(b"Missed ").and_then(|rest| rest.split(|byte| *byte == b' ').next());
    digits.and_then(number).unwrap_or(1).max(1)
}

/// Writes the line that `/dev/kmsg` would have given, but for its sequence number; false: it is too long.
///
/// The kernel escapes what is not printable ASCII and the backslash (`msg_add_ext_text()` in Linux kernel/printk/printk.c);
/// journald takes that back.
fn write_line(entry: &Entry, line: &mut Vec<u8>) -> bool {
    line.clear();
    // Without a facility nobody says that the kernel wrote it: 1 is that of programs.
    push_number(line, u64::from(entry.facility.unwrap_or(1)) * 8 + u64::from(entry.priority.unwrap_or(6) & 7));
    line.extend_from_slice(b",0,");
    push_number(line, entry.source_monotonic.unwrap_or(0));
    line.extend_from_slice(b",-;");
    if entry.message.iter().all(|byte| is_plain(*byte)) {
        line.extend_from_slice(&entry.message);
    } else {
        for byte in &entry.message {
            if is_plain(*byte) {
                line.push(*byte);
            } else {
                let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
                line.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    !entry.is_too_long && line.len() <= MAX_LINE
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

fn push_number(line: &mut Vec<u8>, number: u64) {
    let from = line.len();
    let mut rest = number;
    loop {
        line.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = line.get_mut(from..) {
        digits.reverse();
    }
}

/// Turns the stamps of a record into its time.
///
/// The kernel's stamp is of a clock of its own (`local_clock()`), which drifts against the others by some parts in a
/// million. journald notes its own monotonic clock beside it, a moment later: the least such delay of late is the drift, and
/// what is above it is time for which the record lay in the kernel's ring.
#[derive(Debug, Default)]
struct Stamps {
    /// The boot that this is.
    ours: Option<u128>,
    /// Boot id, journald's monotonic clock and the least delay, of the last record; all in microseconds.
    last: Option<(Option<u128>, u64, i64)>,
}

impl Stamps {
    /// When it was written. `now` and `uptime` are this moment on our clock and on the monotonic one.
    fn tick(&mut self, entry: &Entry, now: Tick, uptime: u64) -> Tick {
        let Some(taken) = entry.monotonic else { return now };
        let delay = match entry.source_monotonic {
            Some(stamp) => {
                let signed = |micros| i64::try_from(micros).unwrap_or(i64::MAX);
                let delay = signed(taken).saturating_sub(signed(stamp));
                // It may rise by a thousandth: more than any clock drifts, less than a burst matters.
                let risen = |before: u64, least: i64| least.saturating_add(signed(taken.saturating_sub(before) / 1000));
                let least = match self.last {
                    Some((boot, before, least)) if boot == entry.boot => risen(before, least).min(delay),
                    _ => delay,
                };
                self.last = Some((entry.boot, taken, least));
                delay.saturating_sub(least).unsigned_abs()
            }
            None => 0,
        };
        // Of this boot by the clock that nobody sets; of an earlier one there is only the wall clock.
        let at = match (self.ours, entry.realtime) {
            (Some(ours), _) if entry.boot == Some(ours) => now.as_micros().saturating_sub(uptime.saturating_sub(taken)),
            (_, Some(realtime)) => realtime,
            _ => return now,
        };
        Tick::from_micros(at.saturating_sub(delay)).min(now)
    }
}

/// Who else may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Everybody,
    Group(u32),
    Nobody,
}

fn audience(metadata: &Metadata) -> Audience {
    match metadata.mode() & 0o044 {
        0o004 | 0o044 => Audience::Everybody,
        0o040 if metadata.gid() != 0 => Audience::Group(metadata.gid()),
        _ => Audience::Nobody,
    }
}

/// The machine's journal in the first folder that has one. Others beside it are of users and of other machines.
fn find(folders: [&Path; 2], machine_id: &str) -> io::Result<PathBuf> {
    let [disk, memory] = folders.map(|folder| folder.join(machine_id.trim()).join("system.journal"));
    // Without the right to look, it is there: opening it says why not.
    let is_there =
        |file: &Path| fs::metadata(file).map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |metadata| metadata.is_file());
    if is_there(&disk) {
        Ok(disk)
    } else if is_there(&memory) {
        Ok(memory)
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no system.journal in {} or {}", disk.display(), memory.display())))
    }
}

/// It is a program that only root, or who we are ourselves, can have put there.
fn check_program(program: &Path) -> io::Result<()> {
    let metadata = fs::metadata(program).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
    let owner = metadata.uid();
    let is_trusted = owner == 0 || owner == rustix::process::geteuid().as_raw();
    if metadata.is_file() && metadata.mode() & 0o111 != 0 && metadata.mode() & 0o022 == 0 && is_trusted {
        return Ok(());
    }
    let text = format!("{} is not a program of root's that only root can change", program.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::VecDeque,
        fs::OpenOptions,
        io::Write as _,
        os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
        time::Instant,
    };

    fn entry(text: &str) -> Entry {
        let (mut export, mut found) = (Export::default(), VecDeque::new());
        export.feed(format!("{text}\n\n").as_bytes(), |entry| found.push_back(entry.clone())).unwrap();
        found.pop_front().unwrap()
    }

    fn line(text: &str) -> Option<String> {
        let (mut line, counters) = (Vec::new(), Counters::default());
        let is_line = take(&entry(text), &mut Place::Boot, &mut line, &counters, Tick::from_secs(9));
        assert_eq!(counters.malformed(), u64::from(!is_line));
        is_line.then(|| String::from_utf8(line).unwrap())
    }

    #[test]
    fn a_record_becomes_the_line_that_kmsg_would_have_given() {
        let text = "_TRANSPORT=kernel\nPRIORITY=4\nSYSLOG_FACILITY=0\n_SOURCE_MONOTONIC_TIMESTAMP=19676988689\nMESSAGE=a\\b \u{fc}\tx";
        assert_eq!(line(text).unwrap(), "4,0,19676988689,-;a\\x5cb \\xc3\\xbc\\x09x");
        assert_eq!(line("_TRANSPORT=kernel\nSYSLOG_FACILITY=3\nPRIORITY=6\nMESSAGE=x").unwrap(), "30,0,0,-;x");
    }

    #[test]
    fn a_record_without_facility_is_a_program_s_and_other_transports_are_no_lines() {
        assert_eq!(line("_TRANSPORT=kernel\nPRIORITY=4\nMESSAGE=x").unwrap(), "12,0,0,-;x");
        for text in [
            "MESSAGE=x",
            "_TRANSPORT=syslog\nSYSLOG_FACILITY=0\nMESSAGE=x",
            "_TRANSPORT=driver\nMESSAGE=x",
            "_TRANSPORT=kernel\n_TRANSPORT=kernel\nMESSAGE=x",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }

    #[test]
    fn what_journald_missed_is_counted_as_lost() {
        let counters = Counters::default();
        for message in ["Missed 12 kernel messages", "Missed no kernel messages", "Missed 0 kernel messages"] {
            let entry = entry(&format!("_TRANSPORT=driver\nMESSAGE_ID={MISSED:032x}\nMESSAGE={message}"));
            assert!(!take(&entry, &mut Place::Boot, &mut Vec::new(), &counters, Tick::from_secs(9)));
        }
        assert_eq!((counters.lost(), counters.malformed(), counters.last_loss()), (14, 0, Some(Tick::from_secs(9))));
    }

    #[test]
    fn escapes_do_not_make_a_line_longer_than_the_limit() {
        let mut line = Vec::new();
        let mut entry = Entry { message: vec![b'\n'; MAX_LINE / 4], ..Entry::default() };
        assert!(!write_line(&entry, &mut line));
        entry.message.truncate(MAX_LINE / 4 - 4);
        assert!(write_line(&entry, &mut line));
    }

    /// Times in seconds: of a record that the kernel stamped at `stamp` and journald took at `taken`, read at `uptime`.
    fn at(stamps: &mut Stamps, boot: u128, stamp: u64, taken: u64, uptime: u64) -> u64 {
        let micros = |secs| Some(secs * 1_000_000);
        let entry = Entry {
            boot: Some(boot),
            monotonic: micros(taken),
            source_monotonic: micros(stamp),
            realtime: micros(5_000 + taken),
            ..Entry::default()
        };
        stamps.tick(&entry, Tick::from_secs(100_000 + uptime), uptime * 1_000_000).as_micros() / 1_000_000
    }

    #[test]
    fn records_of_this_boot_keep_their_spacing_whatever_the_wall_clock_says() {
        let mut stamps = Stamps { ours: Some(1), last: None };
        // The kernel's clock is 7 seconds behind; the third lay in the ring for 20 seconds.
        assert_eq!(at(&mut stamps, 1, 93, 100, 500), 100_100);
        assert_eq!(at(&mut stamps, 1, 103, 110, 500), 100_110);
        assert_eq!(at(&mut stamps, 1, 113, 140, 500), 100_120);
        assert_eq!(at(&mut stamps, 1, 0, 900, 500), 100_000 - 393, "none is from the future");
    }

    #[test]
    fn records_of_an_earlier_boot_are_placed_by_the_wall_clock() {
        let mut stamps = Stamps { ours: Some(1), last: None };
        assert_eq!(at(&mut stamps, 2, 100, 100, 500), 5_100);
        assert_eq!(at(&mut stamps, 2, 110, 115, 500), 5_110);
        assert_eq!(at(&mut stamps, 1, 3, 10, 500), 100_010, "another boot has another drift");
    }

    #[test]
    fn the_drift_of_the_kernel_s_clock_is_followed() {
        let mut stamps = Stamps { ours: Some(1), last: None };
        // A hundred parts in a million slow: after a day 8 seconds behind.
        let last = (0..24 * 60).map(|minute| at(&mut stamps, 1, minute * 60 - minute * 60 / 10_000, minute * 60, 100_000)).last();
        assert_eq!(last, Some(100_000 + 23 * 3600 + 59 * 60));
    }

    /// A `journalctl` that is a script, and a journal that may be read.
    struct Fake {
        dir: tempfile::TempDir,
        journal: Journal,
        counters: Counters,
    }

    impl Fake {
        fn new(script: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let (program, file) = (dir.path().join("journalctl"), dir.path().join("system.journal"));
            let mut options = OpenOptions::new();
            options.write(true).create(true).mode(0o755).open(&program).unwrap().write_all(script.as_bytes()).unwrap();
            fs::write(&file, "").unwrap();
            let journal = Journal { program, file, ..Journal::at(Place::Since(1_500_000)) };
            Self { dir, journal, counters: Counters::default() }
        }

        /// The lines of one child until it ends, and what was said about the end.
        fn run(&mut self) -> (Vec<String>, String) {
            let (mut batch, clock, begun) = (Batch::default(), Clock::default(), Instant::now());
            let mut running = self.journal.start().unwrap();
            while self.journal.look(&mut running, 0, &mut batch, &self.counters, &clock) != Looked::Ended {
                assert!(begun.elapsed() < Duration::from_secs(20), "it never ends");
                std::thread::sleep(Duration::from_millis(1));
            }
            let lines = batch.lines().map(|(.., line)| String::from_utf8(line.to_vec()).unwrap()).collect();
            (lines, self.journal.ended(running).0)
        }
    }

    const RECORDS: &str = r"printf '__CURSOR=s=1;i=5\n__REALTIME_TIMESTAMP=7000000\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\nMESSAGE=%s\n\n' ";

    #[test]
    fn a_child_that_is_started_again_goes_on_behind_the_last_record() {
        let mut fake = Fake::new(&format!("#!/bin/sh\n{RECORDS} \"$*\"\n"));
        let first = fake.run().0;
        assert!(
            first[0].contains("--since=@1.500000 _TRANSPORT=kernel + _TRANSPORT=driver MESSAGE_ID=e9bf28e6e834481bb6f48f548ad13606"),
            "{first:?}"
        );
        let second = fake.run().0;
        assert!(second[0].contains("--after-cursor=s=1;i=5 ") && !second[0].contains("--since"), "{second:?}");
    }

    #[test]
    fn a_later_start_goes_on_behind_the_position_of_a_line() {
        let mut first = Fake::new(&format!("#!/bin/sh\n{RECORDS} x\n"));
        let (mut batch, mut running) = (Batch::default(), first.journal.start().unwrap());
        while first.journal.look(&mut running, 0, &mut batch, &first.counters, &Clock::default()) != Looked::Ended {
            std::thread::sleep(Duration::from_millis(1));
        }
        let position = Position::read(batch.position(0)).unwrap();
        let mut later = Fake::new(&format!("#!/bin/sh\n{RECORDS} \"$*\"\n"));
        assert!(later.journal.resume(&position.place));
        assert!(later.run().0[0].contains("--after-cursor=s=1;i=5 "));
        let before = later.journal.place().unwrap();
        let mut last = Fake::new(&format!("#!/bin/sh\n{RECORDS} \"$*\"\n"));
        assert!(last.journal.resume(&before) && !last.journal.resume(&position::Place::Kmsg { boot: 1, seq: 1 }));
        assert_eq!(Journal::at(Place::Since(1_500_000)).place(), Some(position::Place::Since(1_500_000)));
    }

    #[test]
    fn what_earlier_boots_have_left_is_read_before_this_one_is_followed() {
        let mut later = Fake::new(&format!("#!/bin/sh\n{RECORDS} \"$*\"\n"));
        assert!(later.journal.resume(&position::Place::Journal { cursor: b"s=1;i=4", taken: 1 }));
        let (past, why) = later.run();
        assert!(past[0].contains("--after-cursor=s=1;i=4 ") && !past[0].contains("--follow"), "{past:?}");
        assert_eq!(why, "");
        let (now, why) = later.run();
        assert!(now[0].contains("--follow") && now[0].contains("--after-cursor=s=1;i=5 "), "{now:?}");
        assert_ne!(why, "");
    }

    #[test]
    fn a_place_that_is_gone_is_found_by_its_time() {
        let mut fake = Fake::new(&format!(
            "#!/bin/sh\ncase $* in *--after-cursor*) echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1;; esac\n{RECORDS} \"$*\"\n"
        ));
        fake.run();
        assert_eq!(fake.run(), (vec![], "Failed to seek to cursor: Invalid argument".into()));
        assert!(fake.run().0[0].contains("--since=@7.000001 "));
    }

    #[test]
    fn the_child_has_no_environment_and_nothing_to_read() {
        // What a shell sets by itself, and nothing else.
        let mut fake =
            Fake::new(&format!("#!/bin/sh\nread -r x || x=none\n{RECORDS} \"$x $HOME$USER$DBUS_SESSION_BUS_ADDRESS$CARGO $(pwd)\"\n"));
        assert_eq!(fake.run().0, ["6,0,0,-;none  /"]);
    }

    #[test]
    fn a_child_that_writes_nonsense_is_ended_and_what_follows_is_read_later() {
        let mut fake = Fake::new("#!/bin/sh\necho what is this\nexec sleep 1000\n");
        assert_eq!(fake.run().1, Broken.to_string());
        assert_eq!((fake.counters.malformed(), fake.counters.lost()), (1, 1));
        assert!(matches!(fake.journal.place, Place::Since(at) if at > 1_500_000));
    }

    #[test]
    fn a_child_that_only_complains_never_blocks_and_little_of_it_is_kept() {
        let mut fake = Fake::new("#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' 'x' >&2\n");
        let (lines, why) = fake.run();
        assert!(lines.is_empty() && why.starts_with("xxx") && why.len() <= MAX_COMPLAINT, "{}", why.len());
    }

    #[test]
    fn a_child_that_ends_without_a_word_is_told_with_its_status() {
        assert!(Fake::new("#!/bin/sh\nexit 3\n").run().1.contains('3'));
        assert!(Fake::new("#!/bin/sh\nkill -9 $$\n").run().1.contains("signal: 9"));
    }

    #[test]
    fn the_pauses_grow_to_a_minute_and_a_child_that_lived_long_makes_them_short_again() {
        let mut journal = Journal::at(Place::Boot);
        let pauses: Vec<_> = (0..8).map(|_| journal.pause(Duration::ZERO).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(journal.pause(Duration::from_secs(61)), PAUSE.0);
    }

    #[test]
    fn a_program_that_others_can_change_is_refused() {
        let fake = Fake::new("#!/bin/sh\n");
        let program = fake.dir.path().join("journalctl");
        assert!(check_program(&program).is_ok());
        for mode in [0o775, 0o757, 0o644] {
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
            assert!(fake.journal.start().is_err(), "{mode:o}");
        }
        assert!(check_program(fake.dir.path()).is_err());
    }

    #[test]
    fn the_machine_s_journal_is_looked_for_on_disk_first_and_then_in_memory() {
        let (disk, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [disk.path(), memory.path()];
        let make = |folder: &Path| {
            fs::create_dir(folder.join("1a")).unwrap();
            fs::write(folder.join("1a/system.journal"), "").unwrap();
        };
        assert_eq!(find(folders, "1a\n").unwrap_err().kind(), io::ErrorKind::NotFound);
        make(memory.path());
        assert_eq!(find(folders, "1a\n").unwrap(), memory.path().join("1a/system.journal"));
        make(disk.path());
        assert_eq!(find(folders, "1a\n").unwrap(), disk.path().join("1a/system.journal"));
        let file = disk.path().join("1a/system.journal");
        for (mode, expected) in [(0o644, Audience::Everybody), (0o604, Audience::Everybody), (0o600, Audience::Nobody)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(audience(&fs::metadata(&file).unwrap()), expected);
        }
    }
}
