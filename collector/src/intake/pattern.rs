//! Log files of a pattern, as `/var/log/remote/*/kern.log`: one reader for all of them, that finds new ones and forgets those that are gone.
//!
//! Each file that is found has a number, and a position that names it ([`Place::Found`]). A file that was not there before is read from
//! its beginning; one that was read under another name goes on behind what was read. All files have one inotify descriptor, and
//! folders are looked through again when one of them changes, at most once a second: who logs from afar may make names as it likes.

use super::{
    Counters,
    file::{self, Looked, Resumed, Tail},
    handover::{Batch, Slot},
    position::{FilePlace, MAX_PATH, Place, Position},
};
use crate::{clock::Clock, config::From};
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::MetadataExt as _,
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Files of one pattern that are read at a time.
pub const MAX_FILES: u16 = 64;
/// Names that are looked at for one pattern.
const MAX_NAMES: usize = 10_000;
/// Folders that are looked into for one pattern; each takes a watch of the kernel's.
const MAX_FOLDERS: usize = 512;
/// Files that were left when another one took their name, and may be found under a new one.
const MAX_LEFT: usize = 256;
/// Folders are looked through so often at most.
const SCAN_EVERY: Duration = Duration::from_secs(1);
/// What is packed is no text.
const PACKED: [&str; 8] = ["gz", "xz", "bz2", "zst", "lz4", "lzma", "Z", "zip"];

/// Is this path of the configuration a pattern?
#[must_use]
pub fn is_pattern(path: &OsStr) -> bool {
    path.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?'))
}

/// The files that a pattern finds now, packed and rotated ones left out, in the order of their names; at most 64.
#[must_use]
pub fn files(pattern: &Path) -> Vec<PathBuf> {
    let mut found = walk(pattern, |_| ()).files;
    let names = found.clone();
    found.retain(|path| !is_rotated(path, |base| names.binary_search_by(|name| name.as_path().cmp(base)).is_ok()));
    found.truncate(MAX_FILES.into());
    found
}

/// The files of a pattern.
#[derive(Debug)]
pub struct Found {
    pattern: PathBuf,
    events: Arc<OwnedFd>,
    /// By number.
    tails: Vec<Option<Tail>>,
    /// The number that is given next: one that was given back is given last.
    next: usize,
    /// The number that is looked at first.
    first: usize,
    left: VecDeque<FilePlace>,
    /// Where the first look through the folders begins in the files that it finds. Later ones find new files.
    from: Option<From>,
    /// There were more than [`MAX_FILES`], so one that comes in later is not new.
    was_full: bool,
    is_said: bool,
    scanned: Option<Instant>,
    is_scan_wanted: bool,
    /// Why something is not read that is.
    trouble: Option<io::Error>,
    /// A folder or a file could not be opened when they were last looked through.
    has_failed: bool,
    is_troubled: bool,
    is_denied: bool,
}

impl Found {
    /// Opens what there is. Watches are set now, so nothing is missed after this.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(pattern: &Path, from: From) -> io::Result<Self> {
        let mut found = Self {
            pattern: pattern.to_owned(),
            events: Arc::new(file::events()?),
            tails: (0..MAX_FILES).map(|_| None).collect(),
            next: 0,
            first: 0,
            left: VecDeque::new(),
            from: Some(from),
            was_full: false,
            is_said: false,
            scanned: None,
            is_scan_wanted: true,
            trouble: None,
            has_failed: false,
            is_troubled: false,
            is_denied: false,
        };
        found.scan(&Counters::default(), |_, _| ());
        // Again when there is somebody who counts.
        found.is_scan_wanted = true;
        Ok(found)
    }

    /// Groups that must be kept to read the files, where only those may.
    #[must_use]
    pub fn groups(&self) -> Vec<u32> {
        let mut groups: Vec<u32> = self.tails.iter().flatten().filter_map(|tail| super::group(&tail.metadata()?)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Goes on where an earlier start has stopped: `places` by number.
    pub fn resume(&mut self, places: &[Option<Position<'_>>], name: &str) {
        let mut opened: Vec<Tail> = self.tails.iter_mut().filter_map(Option::take).collect();
        for (tail, position) in self.tails.iter_mut().zip(places) {
            let Some(Position { place: place @ Place::Found { path, place: there }, .. }) = position else { continue };
            let path = Path::new(OsStr::from_bytes(path));
            // The path is from the disk, and may be of another pattern.
            if !fits(&self.pattern, path) {
                continue;
            }
            let found = match opened.iter().position(|tail| tail.path() == path) {
                Some(at) => Ok(opened.swap_remove(at)),
                None => Tail::found(&self.events, path, From::End),
            };
            let resumed = found.and_then(|mut tail| tail.resume(place).map(|resumed| (resumed, tail)));
            match resumed {
                Ok((resumed, there)) => {
                    if resumed == Resumed::Gone {
                        tracing::warn!(intake = %name, "{} is gone, and what it had more is not read", shown(path));
                    }
                    *tail = Some(there).filter(|there| resumed == Resumed::There || !there.is_gone(false));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::warn!(intake = %name, "{} is gone, and what it had more is not read", shown(path));
                }
                // When it can be opened again it goes on there.
                Err(error) => {
                    self.left.push_back(*there);
                    self.trouble = Some(error);
                }
            }
        }
        // One that is read under its old name comes later under its new one.
        let ids: Vec<_> = self.tails.iter().flatten().flat_map(Tail::ids).collect();
        opened.retain(|tail| !tail.ids().any(|id| ids.contains(&id)));
        let mut free = self.tails.iter_mut().filter(|tail| tail.is_none());
        for mut tail in opened {
            // It was not there when the last start looked; if there are too many, it may have been.
            if !self.was_full && tail.go_to_start().is_err() {
                continue;
            }
            if let Some(free) = free.next() {
                *free = Some(tail);
            }
        }
        self.next = self.tails.iter().position(Option::is_none).unwrap_or(0);
    }

    /// Where each of them stands, by number; nothing for a number without a file.
    #[must_use]
    pub fn positions(&self, counters: &Counters) -> Vec<Vec<u8>> {
        self.tails.iter().map(|tail| tail.as_ref().map(|tail| tail.position(counters)).unwrap_or_default()).collect()
    }

    /// The descriptor that becomes readable when there may be something.
    #[must_use]
    pub fn events(&self) -> &OwnedFd {
        &self.events
    }

    /// Takes in what has happened.
    pub fn take_events(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&*self.events, &mut buffer);
        while let Ok(event) = reader.next() {
            // Of a folder, or of a file that was renamed; what was written needs no looking for.
            self.is_scan_wanted |= event.file_name().is_some() || event.events() != ReadFlags::MODIFY;
        }
    }

    /// How long to wait for events at most.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        self.is_scan_wanted.then(|| self.scanned.map_or(Duration::ZERO, |scanned| SCAN_EVERY.saturating_sub(scanned.elapsed())))
    }

    /// Is there something to read, and is all of it read?
    #[must_use]
    pub fn is_readable(&self) -> (bool, bool) {
        let is_readable = self.tails.iter().flatten().any(Tail::is_readable);
        (is_readable, is_readable && !self.is_troubled && !self.was_full && self.tails.iter().flatten().all(Tail::is_readable))
    }

    /// Is something not read because we may not?
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.is_denied
    }

    /// Reads what there is into `batch`. `own`: the number of the intake; `first`: that of the first file.
    pub fn look(&mut self, (own, first): (u8, u16), name: &str, batch: &mut Batch, counters: &Counters, clock: &Clock) -> Looked {
        if self.pause() == Some(Duration::ZERO) {
            self.scan(counters, |at, tail| batch.begin(first + at, tail.position(counters)));
        }
        let len = self.tails.len();
        let (mut looked, left) = (Looked::AtEnd, self.left.len());
        for turn in 0..len {
            let at = (self.first + turn) % len;
            let Some(place) = self.tails.get_mut(at) else { continue };
            let Some(tail) = place else { continue };
            let slot = Slot { intake: own, log: first + number(at) };
            match tail.look(slot, batch, counters, clock) {
                Ok(now) => looked = now,
                Err(error) => self.trouble = Some(error),
            }
            self.left.extend(tail.take_left());
            if looked == Looked::Full {
                // The others come first then.
                self.first = at + 1;
                break;
            }
            if tail.is_gone(true) {
                tail.finish(slot, batch, counters, clock);
                *place = None;
                batch.begin(slot.log, Vec::new());
            }
        }
        if self.left.len() > left {
            // Under their new names they are known before anything else is handed over.
            self.scan(counters, |at, tail| batch.begin(first + at, tail.position(counters)));
        }
        while self.left.len() > MAX_LEFT {
            self.left.pop_front();
        }
        self.say(name);
        looked
    }

    /// Said once each time that it begins, and once that there are too many.
    fn say(&mut self, name: &str) {
        let is_unreadable = self.tails.iter().flatten().any(|tail| !tail.is_readable() && !tail.is_gone(false));
        let is_troubled = self.has_failed || is_unreadable;
        self.is_denied &= is_troubled;
        self.is_denied |= self.trouble.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        if let Some(error) = self.trouble.take()
            && !std::mem::replace(&mut self.is_troubled, is_troubled)
        {
            let remedy = if error.kind() == io::ErrorKind::PermissionDenied { super::NEW_FILE } else { "" };
            tracing::warn!(intake = %name, %error, "one of the log files cannot be read; waiting until it can{remedy}");
        }
        self.is_troubled = is_troubled;
        if self.was_full && !std::mem::replace(&mut self.is_said, true) {
            tracing::warn!(intake = %name, "more than {MAX_FILES} log files fit the pattern, and only those are read; write a narrower one (firebell status counts those left out)");
        }
    }

    /// Looks for files, and tells `begun` of each new one and its number.
    fn scan(&mut self, counters: &Counters, mut begun: impl FnMut(u16, &Tail)) {
        (self.scanned, self.is_scan_wanted) = (Some(Instant::now()), false);
        let events = Arc::clone(&self.events);
        let mut watched = None;
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ATTRIB;
        let walked = walk(&self.pattern, |folder| {
            let failed = file::watch(&events, folder, flags | WatchFlags::ONLYDIR).err();
            // It may have gone this moment.
            watched = failed.filter(|error| error.kind() != io::ErrorKind::NotFound).or_else(|| watched.take());
        });
        let mut trouble = watched.or(walked.trouble);
        let mut left_out = walked.left_out;
        for path in walked.files {
            let is_followed = |path: &Path| self.tails.iter().flatten().any(|tail| tail.path() == path);
            if is_followed(&path) || is_rotated(&path, |base| is_followed(base) || base.is_file()) {
                continue;
            }
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let id = (metadata.dev(), metadata.ino());
            if self.tails.iter().flatten().flat_map(Tail::ids).any(|known| known == id) {
                // It was renamed, and is read already.
                continue;
            }
            let Some(at) = self.free() else {
                left_out += 1;
                continue;
            };
            // One for which there was no room has been there for long.
            let from = self.from.unwrap_or(if self.was_full { From::End } else { From::Start });
            match Tail::found(&self.events, &path, from) {
                Ok(mut tail) => {
                    let _ = self.left.iter().rev().find(|place| tail.go_behind(place));
                    if self.from.is_none() {
                        tail.is_news();
                    }
                    begun(number(at), &tail);
                    if let Some(place) = self.tails.get_mut(at) {
                        *place = Some(tail);
                    }
                }
                Err(error) => trouble = Some(error),
            }
        }
        self.has_failed = trouble.is_some();
        self.trouble = trouble.or_else(|| self.trouble.take());
        (self.from, self.was_full) = (None, left_out > 0);
        counters.set_left_out(left_out);
    }

    /// A number that no file has, or one whose name is gone.
    fn free(&mut self) -> Option<usize> {
        let len = self.tails.len();
        let turn = |next: usize| (0..len).map(move |turn| (next + turn) % len);
        let is_free = |at: &usize| self.tails.get(*at).is_some_and(Option::is_none);
        let is_gone = |at: &usize| self.tails.get(*at).is_some_and(|tail| tail.as_ref().is_some_and(|tail| tail.is_gone(false)));
        let at = turn(self.next).find(is_free).or_else(|| turn(self.next).find(is_gone))?;
        self.next = at + 1;
        Some(at)
    }
}

/// What a look through the folders found.
#[derive(Debug, Default)]
struct Walked {
    /// In the order of their names.
    files: Vec<PathBuf>,
    /// Files or folders beyond the bounds.
    left_out: u64,
    trouble: Option<io::Error>,
}

/// Looks through the folders that the pattern names, and tells `each` of those in which something may appear, before it looks.
fn walk(pattern: &Path, mut each: impl FnMut(&Path)) -> Walked {
    let (mut walked, mut names) = (Walked::default(), 0);
    let parts: Vec<&OsStr> = pattern.iter().skip(1).collect();
    let mut here = vec![PathBuf::from("/")];
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        let mut next = Vec::new();
        for folder in here {
            let path = folder.join(part);
            if !is_pattern(part) {
                // A folder on the way that is there is not watched: what counts happens below.
                if is_last || !path.is_dir() {
                    each(&folder);
                }
                next.push(path);
                continue;
            }
            each(&folder);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    walked.trouble = Some(error);
                    continue;
                }
            };
            for entry in entries.flatten() {
                names += 1;
                if names > MAX_NAMES {
                    walked.left_out += 1;
                    break;
                }
                if matches(part.as_bytes(), entry.file_name().as_bytes()) {
                    next.push(entry.path());
                }
            }
        }
        next.retain(|path| if is_last { is_log(path) } else { path.is_dir() });
        next.sort_unstable();
        if !is_last && next.len() > MAX_FOLDERS {
            walked.left_out += (next.len() - MAX_FOLDERS) as u64;
            next.truncate(MAX_FOLDERS);
        }
        here = next;
    }
    walked.files = here;
    walked
}

/// A file that may be read as text, and whose name fits into a position.
fn is_log(path: &Path) -> bool {
    let is_packed = path.extension().is_some_and(|extension| PACKED.iter().any(|packed| extension == *packed));
    !is_packed && path.as_os_str().len() <= MAX_PATH && path.is_file()
}

/// Is it what logrotate has made of a file for which `is_there` says yes: `kern.log.1`, `kern.log-20251126`?
fn is_rotated(path: &Path, is_there: impl Fn(&Path) -> bool) -> bool {
    let Some(name) = path.file_name().map(OsStr::as_bytes) else { return false };
    let begin = name.iter().rposition(|byte| !(byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))).map_or(0, |last| last + 1);
    // The hosts 192.0.2.1 and 192.0.2.10 have logs of their own.
    let ends = (begin.max(1)..name.len().saturating_sub(1)).filter(|end| name.get(*end).is_some_and(|byte| matches!(byte, b'.' | b'-')));
    ends.filter_map(|end| name.get(..end)).any(|base| is_there(&path.with_file_name(OsString::from_vec(base.to_vec()))))
}

/// Does `name` fit the pattern of one name? `*` is any text and `?` any byte; neither is the point that a hidden name begins with.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // The last star, and the first byte that is not in what it stands for.
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(b'?') => (at, seen) = (at + 1, seen + 1),
            Some(byte) if name.get(seen) == Some(byte) => (at, seen) = (at + 1, seen + 1),
            _ => {
                let Some((begin, taken)) = star else { return false };
                star = Some((begin, taken + 1));
                (at, seen) = (begin + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// Does the path fit the pattern, name by name?
fn fits(pattern: &Path, path: &Path) -> bool {
    let (mut parts, mut names) = (pattern.iter().skip(1), path.iter());
    names.next() == Some(OsStr::new("/"))
        && loop {
            match (parts.next(), names.next()) {
                (None, None) => break true,
                (Some(part), Some(name)) if matches(part.as_bytes(), name.as_bytes()) => {}
                _ => break false,
            }
        }
}

/// As a number, which is less than [`MAX_FILES`].
fn number(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(MAX_FILES)
}

/// A path, as a person may see it.
fn shown(path: &Path) -> String {
    firebell_shared::text::safe(path.as_os_str().as_bytes(), 4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::BTreeMap,
        fs::{File, OpenOptions},
        io::Write as _,
    };

    #[test]
    fn a_star_is_any_text_of_one_name_and_a_question_mark_is_one_byte() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*", "", true),
            ("*", ".a", false),
            (".*", ".a", true),
            ("?", ".", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcdef", false),
            ("*.log", "kern.log", true),
            ("*.log", "kern.log.1", false),
            ("?ern.log", "kern.log", true),
            ("?ern.log", "ern.log", false),
            ("a**b", "ab", true),
            ("kern.log", "kern.log", true),
            ("kern.log", "kern.lo", false),
            ("kern.lo", "kern.log", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        // Each star is left for good once the next one is reached: no name makes this slow.
        assert!(!matches(&b"*a".repeat(100), &[b'a'; 255][..99]));
        assert!(matches(&b"*a".repeat(100), &[b'a'; 255]));
        for (path, expected) in
            [("/l/a/k.log", true), ("/l/a/b/k.log", false), ("/l/k.log", false), ("l/a/k.log", false), ("/l/.a/k.log", false)]
        {
            assert_eq!(fits(Path::new("/l/*/k.log"), Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn what_logrotate_has_renamed_is_known_and_addresses_are_no_such_names() {
        let there = |base: &Path| base == Path::new("/l/kern.log") || base == Path::new("/l/192.0.2.1");
        for name in ["kern.log.1", "kern.log-20251126", "kern.log-20251126-1764130000", "kern.log.10"] {
            assert!(is_rotated(&Path::new("/l").join(name), there), "{name}");
        }
        for name in ["kern.log", "192.0.2.1", "192.0.2.10", "other.log.1", "kern.log.", "kern.log1", "1", "-1"] {
            assert!(!is_rotated(&Path::new("/l").join(name), there), "{name}");
        }
    }

    struct Logs {
        dir: tempfile::TempDir,
        found: Found,
        counters: Counters,
        /// Positions by number, as the loop keeps them.
        places: Vec<Vec<u8>>,
    }

    impl Logs {
        /// Hosts that have a log at the start, and the pattern below the folder.
        fn new(hosts: &[&str], pattern: &str, from: From) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for host in hosts {
                write(dir.path(), host, "old\n");
            }
            let found = Found::new(&dir.path().join(pattern), from).unwrap();
            let counters = Counters::default();
            Self { places: found.positions(&counters), dir, found, counters }
        }

        /// Another start.
        fn again(self) -> Self {
            let mut found = Found::new(&self.found.pattern, From::End).unwrap();
            let places: Vec<_> = self.places.iter().map(|bytes| Position::read(bytes)).collect();
            found.resume(&places, "test");
            let counters = Counters::default();
            Self { places: found.positions(&counters), dir: self.dir, found, counters }
        }

        fn write(&self, name: &str, text: &str) {
            write(self.dir.path(), name, text);
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.dir.path().join(from), self.dir.path().join(to)).unwrap();
        }

        /// The lines of one look that an event has announced, or that is the first, by the path of the position.
        fn look(&mut self) -> Vec<String> {
            self.found.take_events();
            // A second later.
            self.found.scanned = None;
            let mut batch = Batch::default();
            while self.found.look((0, 1), "test", &mut batch, &self.counters, &Clock::default()) == Looked::Full {}
            let lines = batch.lines().enumerate().map(|(at, (slot, ..))| (at, 1, slot.log, batch.position(at)));
            let mut all: Vec<_> = batch.places().map(|(before, log, position)| (before, 0, log, position)).chain(lines).collect();
            all.sort_by_key(|(at, kind, ..)| (*at, *kind));
            for (.., log, position) in all {
                self.places[usize::from(log) - 1] = position.to_vec();
            }
            let mut lines: Vec<String> = batch.lines().map(|(.., line)| String::from_utf8(line.to_vec()).unwrap()).collect();
            lines.sort();
            lines
        }

        /// The names of the files that have positions.
        fn kept(&self) -> BTreeMap<String, usize> {
            let mut kept = BTreeMap::new();
            for position in &self.places {
                if let Some(Position { place: Place::Found { path, .. }, .. }) = Position::read(position) {
                    let path = Path::new(OsStr::from_bytes(path)).strip_prefix(self.dir.path()).unwrap();
                    *kept.entry(path.to_str().unwrap().to_owned()).or_default() += 1;
                }
            }
            kept
        }
    }

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn names(kept: &BTreeMap<String, usize>) -> Vec<&str> {
        assert!(kept.values().all(|count| *count == 1), "{kept:?}");
        kept.keys().map(String::as_str).collect()
    }

    #[test]
    fn files_and_folders_that_appear_later_are_read_from_their_beginning() {
        let mut logs = Logs::new(&["a/kern.log"], "*/kern.log", From::End);
        assert_eq!(logs.look(), [""; 0]);
        logs.write("a/kern.log", "a1\n");
        logs.write("b/kern.log", "b1\n");
        assert_eq!(logs.look(), ["a1", "b1"]);
        fs::create_dir(logs.dir.path().join("c")).unwrap();
        assert_eq!(logs.look(), [""; 0]);
        logs.write("c/kern.log", "c1\n");
        logs.write("c/other.log", "no\n");
        assert_eq!(logs.look(), ["c1"]);
        assert_eq!(names(&logs.kept()), ["a/kern.log", "b/kern.log", "c/kern.log"]);
        assert_eq!(logs.found.is_readable(), (true, true));
    }

    #[test]
    fn a_folder_on_the_way_may_come_later() {
        let mut logs = Logs::new(&[], "remote/*/kern.log", From::End);
        assert_eq!((logs.look(), logs.found.is_readable()), (vec![], (false, false)));
        logs.write("remote/a/kern.log", "a1\n");
        assert_eq!((logs.look(), logs.found.is_readable()), (vec!["a1".to_owned()], (true, true)));
    }

    #[test]
    fn each_file_goes_on_at_its_own_place_after_a_start_and_one_that_came_meanwhile_is_read_whole() {
        let mut logs = Logs::new(&["a.log", "b.log"], "*.log", From::End);
        logs.write("a.log", "a1\na2\n");
        assert_eq!(logs.look(), ["a1", "a2"]);
        logs.write("a.log", "a3\n");
        logs.write("b.log", "b1\n");
        logs.write("c.log", "c1\n");
        let mut logs = logs.again();
        assert_eq!(logs.look(), ["a3", "b1", "c1"]);
        let mut logs = logs.again();
        assert_eq!(logs.look(), [""; 0]);
    }

    #[test]
    fn a_file_that_is_removed_is_read_to_its_end_and_forgotten() {
        let mut logs = Logs::new(&["a.log", "b.log"], "*.log", From::End);
        logs.look();
        logs.write("a.log", "a1\nhalf");
        fs::remove_file(logs.dir.path().join("a.log")).unwrap();
        assert_eq!(logs.look(), ["a1", "half"]);
        assert_eq!(logs.found.tails.iter().flatten().count(), 1);
        assert_eq!(logs.look(), [""; 0]);
        logs.write("a.log", "new\n");
        assert_eq!(logs.look(), ["new"]);
        fs::remove_file(logs.dir.path().join("b.log")).unwrap();
        logs.look();
        assert_eq!(names(&logs.kept()), ["a.log"]);
    }

    #[test]
    fn what_is_rotated_is_read_once_whatever_its_new_name_is() {
        let mut logs = Logs::new(&["kern.log"], "kern*", From::End);
        logs.write("kern.log", "1\n");
        assert_eq!(logs.look(), ["1"]);
        logs.write("kern.log", "2\n");
        logs.rename("kern.log", "kern.log.1");
        assert_eq!(logs.look(), ["2"]);
        logs.write("kern.log", "3\n");
        assert_eq!(logs.look(), ["3"]);
        assert_eq!(names(&logs.kept()), ["kern.log"]);
        // Not as logrotate does.
        logs.write("kern.log", "4\n");
        logs.rename("kern.log", "kern.old");
        logs.write("kern.log", "5\n");
        logs.write("kern.old", "late\n");
        assert_eq!(logs.look(), ["4", "5", "late"]);
        assert_eq!(names(&logs.kept()), ["kern.log", "kern.old"]);
        File::create(logs.dir.path().join("kern.log.2.gz")).unwrap().write_all(b"packed\n").unwrap();
        let mut logs = logs.again();
        assert_eq!(logs.look(), [""; 0]);
        logs.write("kern.log", "6\n");
        logs.rename("kern.log", "kern.older");
        logs.write("kern.log", "7\n");
        let mut logs = logs.again();
        assert_eq!(logs.look(), ["6", "7"]);
        let mut logs = logs.again();
        assert_eq!(logs.look(), [""; 0]);
    }

    #[test]
    fn files_beyond_the_bound_are_counted_and_come_in_at_their_end() {
        let hosts: Vec<String> = (0..70).map(|host| format!("{host:02}/kern.log")).collect();
        let mut logs = Logs::new(&hosts.iter().map(String::as_str).collect::<Vec<_>>(), "*/kern.log", From::End);
        logs.look();
        assert_eq!((logs.counters.left_out(), logs.found.is_readable()), (6, (true, false)));
        logs.write("69/kern.log", "not read\n");
        fs::remove_dir_all(logs.dir.path().join("00")).unwrap();
        assert_eq!(logs.look(), [""; 0]);
        // The number is free, and the folders are looked through again when something happens.
        fs::remove_dir_all(logs.dir.path().join("01")).unwrap();
        logs.look();
        for host in 2..70 {
            logs.write(&format!("{host:02}/kern.log"), &format!("{host:02}\n"));
        }
        let lines = logs.look();
        assert_eq!(lines.len(), 64);
        let mut logs = logs.again();
        assert_eq!((logs.look(), logs.counters.left_out()), (vec![], 4));
    }

    #[test]
    fn positions_of_paths_that_do_not_fit_are_left_alone() {
        let other = tempfile::tempdir().unwrap();
        let secret = other.path().join("secret");
        fs::write(&secret, "secret\n").unwrap();
        let mut logs = Logs::new(&["a.log"], "*.log", From::End);
        let place = FilePlace { id: (1, 1), offset: 0, head: crate::intake::position::Head::NOTHING };
        let mut forged = Vec::new();
        Position { lost: 0, place: Place::Found { path: secret.as_os_str().as_bytes(), place } }.write(&mut forged);
        logs.places[5] = forged;
        let mut logs = logs.again();
        assert_eq!(logs.look(), [""; 0]);
        assert_eq!(names(&logs.kept()), ["a.log"]);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_told_of_and_read_when_it_can() {
        let mut logs = Logs::new(&["a.log"], "*.log", From::End);
        logs.look();
        // What is no file is none of the pattern; a link to nowhere neither.
        std::os::unix::fs::symlink("nowhere", logs.dir.path().join("b.log")).unwrap();
        fs::create_dir(logs.dir.path().join("c.log")).unwrap();
        assert_eq!((logs.look(), logs.found.is_readable()), (vec![], (true, true)));
        std::os::unix::fs::symlink("a.log", logs.dir.path().join("d.log")).unwrap();
        logs.write("a.log", "once\n");
        assert_eq!(logs.look(), ["once"]);
    }
}
