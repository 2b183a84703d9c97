//! Log files that somebody else writes, followed without looking at them when nothing happens.
//!
//! inotify says when to look. A file that became shorter is read from its beginning (logrotate's
//! `copytruncate`); one that was renamed is read to its end, and left when a new file of its name has
//! content (logrotate's `create`: the logging daemon writes to the old one until it is told).

use super::{
    Counters, Time,
    handover::Batch,
    lines::{Lines, MAX_LINE},
};
use crate::{clock::Clock, config::From};
use rustix::{
    fs::{OFlags, inotify},
    io::Errno,
};
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::{
        fd::OwnedFd,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

/// A look hands over what it read when that takes so many bytes.
const BATCH: usize = 64 << 10;

/// Opens a log file.
///
/// # Errors
/// What the system says, and for anything that is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
}

/// Follows one file by its name.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    events: OwnedFd,
    open: Option<Open>,
    /// Bytes of the first look were written before we came: their own stamps say when.
    is_backlog: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    id: (u64, u64),
    offset: u64,
    lines: Lines,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Everything was read.
    AtEnd,
    /// The batch is large enough to be handed over; there may be more.
    Full,
}

impl Tail {
    /// Follows `path`, which need not exist yet. Watches are set now, so nothing is missed after this.
    ///
    /// # Errors
    /// When the folder cannot be watched, or the file exists and cannot be read.
    pub fn new(path: &Path, from: From) -> io::Result<Self> {
        let events = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("/"));
        inotify::add_watch(&events, folder, inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::ATTRIB)?;
        let mut tail = Self { path: path.to_owned(), events, open: None, is_backlog: from == From::Start, buffer: vec![0; 16 << 10] };
        match open(path) {
            Ok(file) => {
                let mut opened = tail.begin(file)?;
                if from == From::End {
                    opened.offset = opened.file.seek(SeekFrom::End(0))?;
                    // The rest of a line that is being written now is no line.
                    opened.lines = Lines::in_the_middle(opened.offset > 0 && !ends_with_newline(&opened.file, opened.offset));
                }
                tail.open = Some(opened);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(tail)
    }

    /// The descriptor that becomes readable when there may be something.
    #[must_use]
    pub fn events(&self) -> &OwnedFd {
        &self.events
    }

    /// Forgets the events: whatever they were, the answer is to look.
    pub fn clear_events(&mut self) {
        while matches!(rustix::io::read(&self.events, &mut self.buffer[..]), Ok(len) if len > 0) {}
    }

    /// Reads what there is into `batch`, and says in `counters` whether the file can be read.
    ///
    /// # Errors
    /// What the system says; looking again later may help.
    pub fn look(&mut self, intake: u8, batch: &mut Batch, counters: &Counters, clock: &Clock) -> io::Result<Looked> {
        if self.read(intake, batch, counters, clock)? == Looked::Full {
            return Ok(Looked::Full);
        }
        self.is_backlog = false;
        let metadata = match fs::metadata(&self.path) {
            // Renamed, and nothing in its place yet: the old one may still grow.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                counters.set_readable(self.open.is_some());
                return Ok(Looked::AtEnd);
            }
            metadata => metadata?,
        };
        let id = id(&metadata);
        match &self.open {
            Some(open) if open.id == id => {}
            Some(_) if metadata.len() == 0 => {
                // Wait for the first byte of the new file.
                self.watch()?;
                if fs::metadata(&self.path)?.len() == 0 {
                    return Ok(Looked::AtEnd);
                }
                return self.change(intake, batch, counters, clock);
            }
            _ => return self.change(intake, batch, counters, clock),
        }
        counters.set_readable(true);
        Ok(Looked::AtEnd)
    }

    /// Leaves the old file behind and begins the new one.
    fn change(&mut self, intake: u8, batch: &mut Batch, counters: &Counters, clock: &Clock) -> io::Result<Looked> {
        let file = open(&self.path)?;
        // Once more, after the new one is there: what was written to the old one in between.
        if self.read(intake, batch, counters, clock)? == Looked::Full {
            return Ok(Looked::Full);
        }
        if let Some(mut old) = self.open.take() {
            counters.add_rotation();
            let now = clock.now();
            counters.add_too_long(old.lines.finish(|line| batch.push(intake, Time::At(now), line)));
        }
        self.open = Some(self.begin(file)?);
        counters.set_readable(true);
        self.read(intake, batch, counters, clock)
    }

    fn begin(&self, file: File) -> io::Result<Open> {
        self.watch()?;
        let id = id(&file.metadata()?);
        Ok(Open { file, id, offset: 0, lines: Lines::default() })
    }

    fn watch(&self) -> io::Result<()> {
        match inotify::add_watch(&self.events, &self.path, inotify::WatchFlags::MODIFY | inotify::WatchFlags::MOVE_SELF) {
            // It was renamed between opening and this: the next look finds the new one.
            Ok(_) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self, intake: u8, batch: &mut Batch, counters: &Counters, clock: &Clock) -> io::Result<Looked> {
        let Some(open) = &mut self.open else { return Ok(Looked::AtEnd) };
        let now = clock.now();
        let time = if self.is_backlog { Time::Stamped } else { Time::At(now) };
        loop {
            if batch.size() >= BATCH {
                return Ok(Looked::Full);
            }
            let len = match open.file.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                len => len?,
            };
            if len == 0 {
                if open.file.metadata()?.len() >= open.offset {
                    return Ok(Looked::AtEnd);
                }
                counters.add_truncation();
                open.lines.forget();
                open.offset = 0;
                open.file.seek(SeekFrom::Start(0))?;
                continue;
            }
            open.offset += len as u64;
            let too_long = open.lines.feed(self.buffer.get(..len).unwrap_or_default(), |line| {
                counters.add_record();
                batch.push(intake, time, line);
            });
            counters.add_too_long(too_long);
        }
    }
}

/// What makes it the same file under another name.
fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn ends_with_newline(file: &File, offset: u64) -> bool {
    use std::os::unix::fs::FileExt as _;
    let mut last = [0];
    file.read_exact_at(&mut last, offset - 1).is_ok() && last == *b"\n"
}

const _: () = assert!(MAX_LINE < BATCH, "a batch has room for a line");

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    struct Log {
        dir: tempfile::TempDir,
        tail: Tail,
        counters: Counters,
    }

    impl Log {
        fn new(text: Option<&[u8]>, from: From) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("kern.log");
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            Self { tail: Tail::new(&path, from).unwrap(), dir, counters: Counters::default() }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("kern.log")
        }

        fn append(&self, text: &[u8]) {
            OpenOptions::new().append(true).create(true).open(self.path()).unwrap().write_all(text).unwrap();
        }

        /// The lines of one look. It must have been announced by an event, or be the first.
        fn look(&mut self) -> Vec<String> {
            self.tail.clear_events();
            let mut batch = Batch::default();
            while self.tail.look(0, &mut batch, &self.counters, &Clock::default()).unwrap() == Looked::Full {}
            batch.lines().map(|(_, _, line)| String::from_utf8(line.to_vec()).unwrap()).collect()
        }

        fn has_event(&self) -> bool {
            let mut fds = [rustix::event::PollFd::new(self.tail.events(), rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap() > 0
        }
    }

    #[test]
    fn from_the_end_only_what_is_written_later_is_read() {
        let mut log = Log::new(Some(b"old\n"), From::End);
        assert_eq!(log.look(), [""; 0]);
        assert!(!log.has_event());
        log.append(b"new\nhal");
        assert!(log.has_event());
        assert_eq!(log.look(), ["new"]);
        log.append(b"f\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["half"]);
    }

    #[test]
    fn from_the_end_in_the_middle_of_a_line_its_rest_is_left_out() {
        let mut log = Log::new(Some(b"old\nhalf of a li"), From::End);
        log.append(b"ne SRC=198.51.100.1\nnext\n");
        assert_eq!(log.look(), ["next"]);
    }

    #[test]
    fn from_the_start_everything_is_read_by_its_own_stamps() {
        let mut log = Log::new(Some(b"one\ntwo\n"), From::Start);
        let mut batch = Batch::default();
        log.tail.look(0, &mut batch, &log.counters, &Clock::default()).unwrap();
        assert!(batch.lines().all(|(_, time, _)| time == Time::Stamped));
        assert_eq!(batch.lines().count(), 2);
        batch.clear();
        log.append(b"three\n");
        log.tail.look(0, &mut batch, &log.counters, &Clock::default()).unwrap();
        assert!(batch.lines().all(|(_, time, _)| matches!(time, Time::At(_))));
    }

    #[test]
    fn a_file_that_comes_later_is_found() {
        let mut log = Log::new(None, From::End);
        assert_eq!(log.look(), [""; 0]);
        assert!(!log.counters.is_readable());
        log.append(b"first\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["first"]);
        assert!(log.counters.is_readable());
        log.append(b"second\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["second"]);
    }

    #[test]
    fn after_copytruncate_reading_goes_on_at_the_beginning() {
        let mut log = Log::new(Some(b"a long old line\n"), From::Start);
        assert_eq!(log.look(), ["a long old line"]);
        fs::write(log.path(), b"").unwrap();
        log.append(b"new\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["new"]);
    }

    #[test]
    fn after_a_rename_the_old_file_is_read_until_the_new_one_has_content() {
        let mut log = Log::new(Some(b"one\n"), From::Start);
        assert_eq!(log.look(), ["one"]);
        let mut old = OpenOptions::new().append(true).open(log.path()).unwrap();
        fs::rename(log.path(), log.dir.path().join("kern.log.1")).unwrap();
        assert!(log.has_event());
        assert_eq!(log.look(), [""; 0]);
        old.write_all(b"two\n").unwrap();
        assert!(log.has_event());
        assert_eq!(log.look(), ["two"]);
        File::create(log.path()).unwrap();
        assert!(log.has_event());
        assert_eq!(log.look(), [""; 0]);
        old.write_all(b"three\n").unwrap();
        log.append(b"four\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["three", "four"]);
        log.append(b"five\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["five"]);
    }

    #[test]
    fn a_large_file_is_handed_over_in_pieces_and_whole() {
        let text = "a line of forty characters, more or less\n".repeat(20_000);
        let mut log = Log::new(Some(text.as_bytes()), From::Start);
        let (mut batch, mut lines, mut looks) = (Batch::default(), 0, 0);
        loop {
            let looked = log.tail.look(0, &mut batch, &log.counters, &Clock::default()).unwrap();
            assert!(batch.size() < 3 * BATCH);
            lines += batch.lines().count();
            batch.clear();
            looks += 1;
            if looked == Looked::AtEnd {
                break;
            }
        }
        assert_eq!(lines, 20_000);
        assert!(looks > 5);
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Tail::new(dir.path(), From::End).is_err());
    }
}
