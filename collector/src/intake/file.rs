//! Log files that somebody else writes, followed without looking at them when nothing happens.
//!
//! inotify says when to look. A file that became shorter is read from its beginning (logrotate's
//! `copytruncate`); one that was renamed is read to its end, and left when a new file of its name has
//! content (logrotate's `create`: the logging daemon writes to the old one until it is told).
//!
//! After a start the file of the position is looked for: under its own name, under another one in the same folder, or, when
//! it was copied and cut, as the copy. The rest of it comes first, then what was rotated later, then the file itself.

use super::{
    Counters, Time,
    handover::{Batch, Slot},
    lines::{Lines, MAX_LINE},
    links,
    position::{FilePlace, Head, MAX_HEAD, Place, Position},
};
use crate::{clock::Clock, config::From};
use rustix::fs::{
    OFlags,
    inotify::{self, WatchFlags},
};
use std::{
    cmp::Reverse,
    collections::VecDeque,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt as _,
            fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
};

/// A look hands over what it read when that takes so many bytes.
const BATCH: usize = 64 << 10;
/// So many names of a folder are looked at for a file that was rotated.
const MAX_NAMES: usize = 10_000;
/// Rotated files that are read behind the one of the position: logrotate keeps a week or a month of them.
const MAX_LATER: usize = 64;

/// Opens a log file.
///
/// # Errors
/// What the system says; for anything that is not a regular file; and, for who may read every file, for a link that somebody else has made.
pub fn open(path: &Path) -> io::Result<File> {
    if crate::privilege::is_root() || crate::privilege::may_read_all() {
        return links::open(path);
    }
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
}

/// Follows one file by its name.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    events: Arc<OwnedFd>,
    /// Its positions name it, since a pattern has found it.
    is_found: bool,
    is_readable: bool,
    /// Where it stood in files that lost their name to another one; only when found.
    left: Vec<FilePlace>,
    open: Option<Open>,
    /// Rotated files to be read before the one that has the name now.
    later: VecDeque<Open>,
    /// What was written before we came: its own stamps say when.
    is_backlog: bool,
    position: Vec<u8>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    id: (u64, u64),
    offset: u64,
    head: Head,
    lines: Lines,
}

/// The place of a file that did not exist.
const NO_FILE: FilePlace = FilePlace { id: (0, 0), offset: 0, head: Head::NOTHING };

/// What became of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// Reading goes on there.
    There,
    /// The file is gone, and what was not read of it; reading begins with the one that has its name now.
    Gone,
    /// It is no place in a file.
    NoPlace,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Everything was read.
    AtEnd,
    /// The batch is large enough to be handed over, or a file that a pattern has found was left; there may be more.
    Full,
}

impl Tail {
    /// Follows `path`, which need not exist yet. Watches are set now, so nothing is missed after this.
    ///
    /// # Errors
    /// When the folder cannot be watched, or the file exists and cannot be read.
    pub fn new(path: &Path, from: From) -> io::Result<Self> {
        Self::watched(&Arc::new(events()?), path, from, false)
    }

    /// As [`Tail::new`], for a file that a pattern has found: its events come with those of others, and its positions name it.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn found(events: &Arc<OwnedFd>, path: &Path, from: From) -> io::Result<Self> {
        Self::watched(events, path, from, true)
    }

    fn watched(events: &Arc<OwnedFd>, path: &Path, from: From, is_found: bool) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("/"));
        let folder_flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE | WatchFlags::ATTRIB;
        watch(events, folder, folder_flags)?;
        let mut tail = Self {
            path: path.to_owned(),
            events: Arc::clone(events),
            is_found,
            is_readable: false,
            left: Vec::new(),
            open: None,
            later: VecDeque::new(),
            is_backlog: from == From::Start,
            position: Vec::new(),
            buffer: vec![0; 16 << 10],
        };
        match open(path) {
            Ok(file) => {
                let mut opened = tail.begin(file)?;
                if from == From::End {
                    let end = opened.file.metadata()?.len();
                    opened.go_to(end)?;
                }
                tail.open = Some(opened);
                tail.is_readable = true;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(tail)
    }

    /// Goes on where an earlier start has stopped.
    ///
    /// # Errors
    /// What the system says; then everything is as it was.
    pub fn resume(&mut self, place: &Place<'_>) -> io::Result<Resumed> {
        let (Place::File(place) | Place::Found { place, .. }) = place else { return Ok(Resumed::NoPlace) };
        if let Some(open) = &mut self.open
            && open.id == place.id
            && is_there(&open.file, place)
        {
            open.go_to(place.offset)?;
            self.is_backlog = true;
            return Ok(Resumed::There);
        }
        if *place == NO_FILE {
            self.is_backlog = true;
            return self.open.as_mut().map_or(Ok(()), |open| open.go_to(0)).map(|()| Resumed::There);
        }
        let siblings = self.siblings(place.id)?;
        // The file itself under another name, or a copy of it.
        let by_id = siblings.iter().find(|file| file.id == place.id && is_there(&file.file, place));
        let by_head = || {
            let is_copy = |file: &&Sibling| file.is_rotated && !place.head.is_empty() && is_there(&file.file, place);
            siblings.iter().filter(is_copy).max_by_key(|file| file.modified)
        };
        let found = by_id.or_else(by_head).map(|file| (file.id, file.modified));
        self.is_backlog = true;
        let Some((id, modified)) = found else {
            // What is there now was written later.
            if let Some(open) = &mut self.open {
                open.go_to(0)?;
            }
            return Ok(Resumed::Gone);
        };
        let newer = |file: &Sibling| file.id == id || (file.is_rotated && file.modified >= modified);
        let mut newer: Vec<Sibling> = siblings.into_iter().filter(newer).collect();
        // Of the same moment, the higher number is older.
        newer.sort_by_key(|file| (file.id != id, file.modified, Reverse((file.path.as_os_str().len(), file.path.clone()))));
        newer.truncate(1 + MAX_LATER);
        if let Some(first) = newer.first() {
            // Whoever writes to it may not know yet that it was renamed.
            watch(&self.events, &first.path, WatchFlags::MODIFY)?;
        }
        self.later = newer
            .into_iter()
            .map(|file| Open { file: file.file, id: file.id, offset: 0, head: Head::NOTHING, lines: Lines::default() })
            .collect();
        if let Some(mut first) = self.later.pop_front() {
            first.go_to(place.offset)?;
            self.open = Some(first);
        }
        Ok(Resumed::There)
    }

    /// Where it stands before it has read anything.
    #[must_use]
    pub fn place(&self) -> Place<'static> {
        self.open.as_ref().map_or(Place::File(NO_FILE), Open::place)
    }

    /// The stored form of [`Tail::place`].
    pub(super) fn position(&self, counters: &Counters) -> Vec<u8> {
        let place = self.open.as_ref().map_or(NO_FILE, |open| open.place_at(open.offset));
        let mut position = Vec::new();
        Position { lost: counters.lost(), place: named(self.name(), place) }.write(&mut position);
        position
    }

    /// Its name, where positions tell it.
    fn name(&self) -> Option<&[u8]> {
        self.is_found.then(|| self.path.as_os_str().as_bytes())
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Goes to where a file of this number stands when it is another name of one that was read; false: it is not.
    pub(super) fn go_behind(&mut self, place: &FilePlace) -> bool {
        let is_same = self.open.as_ref().is_some_and(|open| open.id == place.id && is_there(&open.file, place));
        is_same && self.open.as_mut().is_some_and(|open| open.go_to(place.offset).is_ok())
    }

    /// Goes to the beginning: all of it was written while nobody looked.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn go_to_start(&mut self) -> io::Result<()> {
        self.is_backlog = true;
        self.open.as_mut().map_or(Ok(()), |open| open.go_to(0))
    }

    /// What it holds was written while we read.
    pub(super) fn is_news(&mut self) {
        self.is_backlog = false;
    }

    /// Files that it has open, by device and inode.
    pub(super) fn ids(&self) -> impl Iterator<Item = (u64, u64)> {
        self.open.iter().chain(&self.later).map(|open| open.id)
    }

    /// Where it stood in files that it has left since this was last asked.
    pub(super) fn take_left(&mut self) -> impl Iterator<Item = FilePlace> {
        self.left.drain(..)
    }

    /// Has nothing its name? Then, with `for_good`, nothing has any name of it any more, or its folder is gone.
    pub(super) fn is_gone(&self, for_good: bool) -> bool {
        let is_missing = |path: &Path| fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let is_unlinked = || self.metadata().is_none_or(|metadata| metadata.nlink() == 0);
        is_missing(&self.path) && (!for_good || is_unlinked() || self.path.parent().is_none_or(is_missing))
    }

    /// Can it be read at the moment?
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// The files in the folder that logrotate makes of this one, and the one of this `id`, as far as they can be read.
    fn siblings(&self, wanted: (u64, u64)) -> io::Result<Vec<Sibling>> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Ok(Vec::new()) };
        let mut siblings = Vec::new();
        let own = fs::metadata(&self.path).map(|metadata| id(&metadata)).ok();
        for entry in fs::read_dir(folder)?.take(MAX_NAMES) {
            let entry = entry?;
            // `.1`, `-20251126`, `-20251126-1764130000`; what is packed is no text.
            let is_rotated =
                entry.file_name().as_encoded_bytes().strip_prefix(name.as_encoded_bytes()).is_some_and(|suffix| {
                    !suffix.is_empty() && suffix.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
                });
            // Of a link, that of the link.
            let Ok(metadata) = entry.metadata() else { continue };
            let id = id(&metadata);
            if metadata.is_file()
                && (is_rotated || id == wanted)
                && Some(id) != own
                && let Ok(file) = open(&entry.path())
            {
                siblings.push(Sibling { path: entry.path(), id, modified: (metadata.mtime(), metadata.mtime_nsec()), is_rotated, file });
            }
        }
        Ok(siblings)
    }

    /// Of the file, where there is one.
    #[must_use]
    pub fn metadata(&self) -> Option<Metadata> {
        self.open.as_ref().and_then(|open| open.file.metadata().ok())
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

    /// Reads what there is into `batch`.
    ///
    /// # Errors
    /// What the system says; looking again later may help.
    pub fn look(&mut self, slot: Slot, batch: &mut Batch, counters: &Counters, clock: &Clock) -> io::Result<Looked> {
        let looked = self.look_on(slot, batch, counters, clock);
        match looked {
            Ok(looked) => self.is_backlog &= looked == Looked::Full,
            Err(_) => self.is_readable = false,
        }
        looked
    }

    fn look_on(&mut self, slot: Slot, batch: &mut Batch, counters: &Counters, clock: &Clock) -> io::Result<Looked> {
        loop {
            if self.read(slot, batch, counters, clock)? == Looked::Full {
                return Ok(Looked::Full);
            }
            let Some(next) = self.later.pop_front() else { break };
            self.leave(slot, batch, counters, clock);
            self.open = Some(next);
            if self.is_found {
                return Ok(Looked::Full);
            }
        }
        let metadata = match fs::metadata(&self.path) {
            // Renamed, and nothing in its place yet: the old one may still grow.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // One that has no name any more is nobody's log, though somebody may still write to it.
                self.is_readable = self.metadata().is_some_and(|metadata| metadata.nlink() > 0);
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
                    // No error yet: whoever makes it may be about to give it to its group.
                    self.is_readable = open(&self.path).is_ok();
                    return Ok(Looked::AtEnd);
                }
                return self.change(slot, batch, counters, clock);
            }
            _ => return self.change(slot, batch, counters, clock),
        }
        self.is_readable = true;
        Ok(Looked::AtEnd)
    }

    /// Leaves the old file behind and begins the new one.
    fn change(&mut self, slot: Slot, batch: &mut Batch, counters: &Counters, clock: &Clock) -> io::Result<Looked> {
        let file = open(&self.path)?;
        // Once more, after the new one is there: what was written to the old one in between.
        if self.read(slot, batch, counters, clock)? == Looked::Full {
            return Ok(Looked::Full);
        }
        self.leave(slot, batch, counters, clock);
        self.open = Some(self.begin(file)?);
        self.is_readable = true;
        if self.is_found {
            // Nothing is read before the old one is known by its new name.
            return Ok(Looked::Full);
        }
        self.read(slot, batch, counters, clock)
    }

    /// Leaves the open file for the next one.
    fn leave(&mut self, slot: Slot, batch: &mut Batch, counters: &Counters, clock: &Clock) {
        if let Some(left) = self.finish(slot, batch, counters, clock) {
            counters.add_rotation();
            if self.is_found {
                self.left.push(left);
            }
        }
    }

    /// Ends the open file, which is read to its end: its last line may have none. Gives where it ended.
    pub(super) fn finish(&mut self, slot: Slot, batch: &mut Batch, counters: &Counters, clock: &Clock) -> Option<FilePlace> {
        let mut old = self.open.take()?;
        let time = if self.is_backlog { Time::Stamped } else { Time::At(clock.now()) };
        let place = old.place_at(old.offset);
        let name = self.is_found.then(|| self.path.as_os_str().as_bytes());
        Position { lost: counters.lost(), place: named(name, place) }.write(&mut self.position);
        let too_long = old.lines.finish(|line| {
            counters.add_record();
            batch.push(slot, time, line, &self.position);
        });
        counters.add_too_long(too_long);
        Some(place)
    }

    fn begin(&self, file: File) -> io::Result<Open> {
        self.watch()?;
        let id = id(&file.metadata()?);
        Ok(Open { file, id, offset: 0, head: Head::NOTHING, lines: Lines::default() })
    }

    fn watch(&self) -> io::Result<()> {
        match watch(&self.events, &self.path, WatchFlags::MODIFY | WatchFlags::MOVE_SELF) {
            // It was renamed between opening and this: the next look finds the new one.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn read(&mut self, slot: Slot, batch: &mut Batch, counters: &Counters, clock: &Clock) -> io::Result<Looked> {
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
                open.go_to(0)?;
                continue;
            }
            let bytes = self.buffer.get(..len).unwrap_or_default();
            if open.offset < MAX_HEAD as u64 {
                open.head.extend(bytes);
            }
            let (before, position) = (open.place_at(open.offset), &mut self.position);
            let name = self.is_found.then(|| self.path.as_os_str().as_bytes());
            open.offset += len as u64;
            let too_long = open.lines.feed(bytes, |line, used| {
                counters.add_record();
                let offset = before.offset + used as u64;
                Position { lost: counters.lost(), place: named(name, FilePlace { offset, ..before }) }.write(position);
                batch.push(slot, time, line, position);
            });
            counters.add_too_long(too_long);
        }
    }
}

impl Open {
    /// Goes on behind `offset` bytes.
    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.offset = self.file.seek(SeekFrom::Start(offset))?;
        self.head = head_of(&self.file, offset)?;
        // The rest of a line whose beginning is not read is no line.
        self.lines = Lines::in_the_middle(offset > 0 && !ends_with_newline(&self.file, offset));
        Ok(())
    }

    fn place(&self) -> Place<'static> {
        Place::File(self.place_at(self.offset))
    }

    fn place_at(&self, offset: u64) -> FilePlace {
        FilePlace { id: self.id, offset, head: self.head }
    }
}

/// The place in a file, with the name of one that a pattern has found.
fn named(name: Option<&[u8]>, place: FilePlace) -> Place<'_> {
    name.map_or(Place::File(place), |path| Place::Found { path, place })
}

/// A descriptor for events.
pub(super) fn events() -> io::Result<OwnedFd> {
    Ok(inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?)
}

/// Lets `path` tell of these events, and of those that somebody else wants to hear of.
pub(super) fn watch(events: &OwnedFd, path: &Path, flags: WatchFlags) -> io::Result<()> {
    inotify::add_watch(events, path, flags | WatchFlags::MASK_ADD)?;
    Ok(())
}

/// Another file in the folder.
#[derive(Debug)]
struct Sibling {
    path: PathBuf,
    id: (u64, u64),
    modified: (i64, i64),
    /// Its name is one that logrotate gives.
    is_rotated: bool,
    file: File,
}

/// Does the file reach to the place, and begin as the one of the place did?
fn is_there(file: &File, place: &FilePlace) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.len() >= place.offset)
        && head_of(file, place.head.len() as u64).is_ok_and(|head| head == place.head)
}

/// The head of a file of which `offset` bytes were read.
fn head_of(file: &File, offset: u64) -> io::Result<Head> {
    let (mut head, mut bytes) = (Head::NOTHING, [0; MAX_HEAD]);
    let len = usize::try_from(offset).unwrap_or(MAX_HEAD).min(MAX_HEAD);
    let bytes = bytes.get_mut(..len).unwrap_or_default();
    file.read_exact_at(bytes, 0)?;
    head.extend(bytes);
    Ok(head)
}

/// What makes it the same file under another name.
fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn ends_with_newline(file: &File, offset: u64) -> bool {
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
            while self.tail.look(Slot::default(), &mut batch, &self.counters, &Clock::default()).unwrap() == Looked::Full {}
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
        log.tail.look(Slot::default(), &mut batch, &log.counters, &Clock::default()).unwrap();
        assert!(batch.lines().all(|(_, time, _)| time == Time::Stamped));
        assert_eq!(batch.lines().count(), 2);
        batch.clear();
        log.append(b"three\n");
        log.tail.look(Slot::default(), &mut batch, &log.counters, &Clock::default()).unwrap();
        assert!(batch.lines().all(|(_, time, _)| matches!(time, Time::At(_))));
    }

    #[test]
    fn a_file_that_comes_later_is_found() {
        let mut log = Log::new(None, From::End);
        assert_eq!(log.look(), [""; 0]);
        assert!(!log.tail.is_readable());
        log.append(b"first\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["first"]);
        assert!(log.tail.is_readable());
        log.append(b"second\n");
        assert!(log.has_event());
        assert_eq!(log.look(), ["second"]);
    }

    #[test]
    fn a_file_that_is_removed_is_no_log_any_more_and_its_last_lines_are_read() {
        let mut log = Log::new(Some(b"old\n"), From::End);
        log.look();
        let mut writer = OpenOptions::new().append(true).open(log.path()).unwrap();
        writer.write_all(b"last\n").unwrap();
        fs::remove_file(log.path()).unwrap();
        assert!(log.has_event());
        assert_eq!((log.look(), log.tail.is_readable()), (vec!["last".to_owned()], false));
        writer.write_all(b"later\n").unwrap();
        assert_eq!(log.look(), ["later"]);
        log.append(b"");
        assert!(log.has_event());
        assert_eq!((log.look(), log.tail.is_readable()), (vec![], true));
        log.append(b"new\n");
        assert!(log.has_event());
        assert_eq!((log.look(), log.tail.is_readable()), (vec!["new".to_owned()], true));
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
            let looked = log.tail.look(Slot::default(), &mut batch, &log.counters, &Clock::default()).unwrap();
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

    /// The lines that a later start reads, which goes on behind line number `line` of this one's first look.
    fn later(log: &Log, position: &[u8], expected: Resumed) -> (Vec<String>, u64) {
        let mut tail = Tail::new(&log.path(), From::End).unwrap();
        assert_eq!(tail.resume(&Position::read(position).unwrap().place).unwrap(), expected);
        let (mut batch, counters) = (Batch::default(), Counters::default());
        while tail.look(Slot::default(), &mut batch, &counters, &Clock::default()).unwrap() == Looked::Full {}
        assert!(batch.lines().all(|(_, time, _)| time == Time::Stamped));
        for line in 0..batch.lines().count() {
            assert!(Position::read(batch.position(line)).is_some());
        }
        (batch.lines().map(|(.., line)| String::from_utf8(line.to_vec()).unwrap()).collect(), counters.rotations())
    }

    /// The positions behind each line of a log that holds `text`.
    fn positions(log: &mut Log) -> Vec<Vec<u8>> {
        let mut batch = Batch::default();
        while log.tail.look(Slot::default(), &mut batch, &log.counters, &Clock::default()).unwrap() == Looked::Full {}
        (0..batch.lines().count()).map(|line| batch.position(line).to_vec()).collect()
    }

    const THREE: &[u8] = b"1 one\n2 two\n3 three\n";

    #[test]
    fn a_later_start_reads_behind_the_position_of_any_line() {
        let mut log = Log::new(Some(THREE), From::Start);
        let positions = positions(&mut log);
        log.append(b"4 four\nhalf");
        let all = ["2 two", "3 three", "4 four"];
        for (line, position) in positions.iter().enumerate() {
            assert_eq!(later(&log, position, Resumed::There), (all[line..].iter().map(ToString::to_string).collect(), 0));
        }
        log.append(b" of five\n");
        assert_eq!(later(&log, &positions[2], Resumed::There).0, ["4 four", "half of five"]);
    }

    #[test]
    fn a_start_before_anything_was_read_is_followed_by_one_that_reads_what_came_between() {
        for (text, more, expected) in
            [(Some(THREE), &b"4 four\n"[..], "4 four"), (None, b"1 one\n", "1 one"), (Some(b"a half"), b"\n1 one\n", "1 one")]
        {
            let log = Log::new(text, From::End);
            let mut position = Vec::new();
            Position { lost: 0, place: log.tail.place() }.write(&mut position);
            log.append(more);
            assert_eq!(later(&log, &position, Resumed::There).0, [expected]);
        }
    }

    #[test]
    fn after_renames_the_rest_of_the_old_file_comes_first_then_those_between_then_the_new_one() {
        let mut log = Log::new(Some(THREE), From::Start);
        let positions = positions(&mut log);
        let name = |number: u32| log.dir.path().join(format!("kern.log.{number}"));
        let pause = || std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(log.dir.path().join("kern.log.9"), b"0 older\n").unwrap();
        pause();
        log.append(b"4 four");
        fs::rename(log.path(), name(1)).unwrap();
        assert_eq!(later(&log, &positions[1], Resumed::There).0, ["3 three"], "nothing has its place yet, so that it may still grow");
        pause();
        fs::write(log.path(), b"").unwrap();
        assert_eq!(later(&log, &positions[1], Resumed::There), (vec!["3 three".into()], 0));
        log.append(b"5 five\n");
        fs::write(log.dir.path().join("kern.log.2.gz"), b"packed\n").unwrap();
        fs::write(log.dir.path().join("kern.log-filtered"), b"another\n").unwrap();
        assert_eq!(later(&log, &positions[1], Resumed::There), (["3 three", "4 four", "5 five"].map(String::from).to_vec(), 1));
        fs::rename(name(1), name(2)).unwrap();
        fs::rename(log.path(), name(1)).unwrap();
        pause();
        log.append(b"6 six\n");
        assert_eq!(later(&log, &positions[1], Resumed::There), (["3 three", "4 four", "5 five", "6 six"].map(String::from).to_vec(), 2));
    }

    #[test]
    fn after_copytruncate_the_rest_is_in_the_copy_and_without_one_the_new_beginning_is_read() {
        let mut log = Log::new(Some(THREE), From::Start);
        let positions = positions(&mut log);
        log.append(b"4 four\n");
        let copy = log.dir.path().join("kern.log.1");
        fs::copy(log.path(), &copy).unwrap();
        fs::write(log.path(), b"").unwrap();
        // Longer than where it was.
        log.append(b"5 five\n6 six\n7 seven\n8 eight\n");
        let new = ["5 five", "6 six", "7 seven", "8 eight"];
        assert_eq!(later(&log, &positions[1], Resumed::There).0, [&["3 three", "4 four"][..], &new].concat());
        fs::remove_file(copy).unwrap();
        assert_eq!(later(&log, &positions[1], Resumed::Gone).0, new);
    }

    #[test]
    fn a_file_that_took_the_number_of_the_old_one_is_another_one() {
        let mut log = Log::new(Some(THREE), From::Start);
        let positions = positions(&mut log);
        fs::write(log.path(), b"8 eight\n9 nine, longer than where it was\n").unwrap();
        assert_eq!(later(&log, &positions[0], Resumed::Gone).0, ["8 eight", "9 nine, longer than where it was"]);
        let mut tail = Tail::new(&log.path(), From::End).unwrap();
        assert_eq!(tail.resume(&Place::Since(5)).unwrap(), Resumed::NoPlace);
    }
}
