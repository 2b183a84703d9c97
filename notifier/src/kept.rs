//! Remembers over a crash of the agent which popups on the screen are its own.
//!
//! One JSON document in `$XDG_RUNTIME_DIR/firebell/popups-BUS`, where BUS is the id of the session bus: the folder is gone after the
//! login, as the ids of a notification server are, and agents on different buses have a file each. On one bus there is one agent.
//! What stands there counts only for the same server (a bus never gives a unique name twice) and the same history of the collector.

use crate::ledger::Screen;
use firebell_shared::text;
use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, OFlags},
    io::Errno,
    process::geteuid,
};
use serde::{Deserialize, Serialize};
use std::{
    env,
    fs::File,
    io::{self, ErrorKind, Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tracing::warn;

/// What is longer was not written by us, in bytes. An alert has some 1,500 of them.
const MAX_BYTES: usize = 1 << 20;
/// Shortest time between two writes.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Files of other buses that are left alone, the newest: each private session bus of a user may leave one.
const MAX_OTHERS: usize = 8;
/// The beginning of each file's name.
const PREFIX: &str = "popups-";
const SCHEMA: u8 = 1;

/// The file, and what is in it.
#[derive(Debug)]
pub(crate) struct Kept {
    place: Option<Place>,
    /// What the ledger's mark was when it was written.
    written: Option<u64>,
    next_write: Duration,
}

#[derive(Debug)]
struct Place {
    folder: PathBuf,
    name: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u8,
    /// Unique name of the notification server.
    server: String,
    /// `HistoryId` of the collector.
    history: String,
    screen: Screen,
}

impl Kept {
    /// Nowhere: each start is the first.
    pub(crate) fn nowhere() -> Self {
        Self { place: None, written: None, next_write: Duration::ZERO }
    }

    /// For the session bus of this id; nowhere where the session has no folder for what is running.
    pub(crate) fn beside(bus: &str) -> Self {
        let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        runtime.map_or_else(Self::nowhere, |runtime| Self::in_folder(runtime.join("firebell"), bus))
    }

    fn in_folder(folder: PathBuf, bus: &str) -> Self {
        let is_id = (1..=64).contains(&bus.len()) && bus.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self { place: is_id.then(|| Place { folder, name: format!("{PREFIX}{bus}") }), ..Self::nowhere() }
    }

    /// What an earlier agent left on the screen of this server. A file that cannot be trusted is none, which is said.
    pub(crate) fn read(&self, server: &str, history: &str) -> Option<Screen> {
        let place = self.place.as_ref()?;
        place.remove_old_ones();
        let document = place.read().and_then(|text| {
            let Some(text) = text else { return Ok(None) };
            let document: Document =
                serde_json::from_str(&text).map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
            if document.schema != SCHEMA {
                return Err(io::Error::new(ErrorKind::InvalidData, format!("it is of version {}, not {SCHEMA}", document.schema)));
            }
            Ok(Some(document))
        });
        match document {
            Ok(document) => document.filter(|found| found.server == server && found.history == history).map(|found| found.screen),
            Err(error) => {
                let why = text::safe(error.to_string().as_bytes(), 200);
                warn!(path = %place.path().display(), "not used, popups that are on the screen already stay as they are: {why}");
                None
            }
        }
    }

    /// Writes down what is on the screen of `server`, now or later, where `mark` says that it is something else by now. `None` for
    /// the server: there is none, and nothing on its screen. Gives when to call again, where that is later.
    pub(crate) fn write(
        &mut self,
        mark: u64,
        now: Duration,
        server: Option<&str>,
        history: &str,
        screen: impl FnOnce() -> Screen,
    ) -> Option<Duration> {
        let place = self.place.as_ref().filter(|_| self.written != Some(mark))?;
        if now < self.next_write {
            return Some(self.next_write);
        }
        self.written = Some(mark);
        let screen = server.map(|_| screen()).unwrap_or_default();
        let result = if screen.is_empty() {
            place.remove()
        } else {
            self.next_write = now + WRITE_EVERY;
            place.write(&document(server.unwrap_or_default(), history, screen))
        };
        if let Err(error) = result {
            warn!(%error, path = %place.path().display(), "cannot remember which popups are on the screen; an agent that is started anew shows them twice");
            self.place = None;
        }
        None
    }

    /// The next write need not wait: there is none after it.
    pub(crate) fn hurry(&mut self) {
        self.next_write = Duration::ZERO;
    }

    /// Nothing of it will ever be true again.
    pub(crate) fn forget(&mut self) {
        if let Some(place) = self.place.take() {
            // It would mean nothing to anybody.
            let _ = place.remove();
        }
    }
}

/// As long as may be: of too much the oldest is left out.
fn document(server: &str, history: &str, screen: Screen) -> String {
    let mut document = Document { schema: SCHEMA, server: server.to_owned(), history: history.to_owned(), screen };
    loop {
        // Numbers, texts and lists: there is nothing that JSON could not say.
        let text = serde_json::to_string(&document).unwrap_or_default();
        if text.len() <= MAX_BYTES || !document.screen.shorten() {
            return text;
        }
    }
}

impl Place {
    fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The folder, which is ours and nobody else's; nothing where there is none.
    fn open(&self) -> io::Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match fs::openat(CWD, &self.folder, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            folder => folder?,
        };
        let stat = fs::fstat(&folder)?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "its folder belongs to somebody else"));
        }
        if stat.st_mode & 0o077 != 0 {
            fs::fchmod(&folder, Mode::RWXU)?;
        }
        Ok(Some(folder))
    }

    fn read(&self) -> io::Result<Option<String>> {
        let Some(folder) = self.open()? else { return Ok(None) };
        // A pipe that nobody writes to is not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match fs::openat(&folder, self.name.as_str(), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(io::Error::new(ErrorKind::InvalidData, "it is a link")),
            file => file?,
        };
        let stat = fs::fstat(&file)?;
        let is_ours = stat.st_uid == geteuid().as_raw() && stat.st_mode & 0o077 == 0 && stat.st_nlink == 1;
        if !FileType::from_raw_mode(stat.st_mode).is_file() || !is_ours {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "it is no file that only this user can read and write"));
        }
        let mut text = String::new();
        File::from(file).take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
        if text.len() > MAX_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("it is larger than {MAX_BYTES} bytes")));
        }
        Ok(Some(text))
    }

    /// Writes it anew. The old file stays until the new one is complete.
    fn write(&self, text: &str) -> io::Result<()> {
        match fs::mkdirat(CWD, &self.folder, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let folder = self.open()?.ok_or(ErrorKind::NotFound)?;
        let new = format!("{}.new", self.name);
        // One of an agent that was killed just then; or a link, which would be followed.
        let _ = fs::unlinkat(&folder, new.as_str(), AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&folder, new.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
        File::from(file).write_all(text.as_bytes())?;
        fs::renameat(&folder, new.as_str(), &folder, self.name.as_str())?;
        Ok(())
    }

    fn remove(&self) -> io::Result<()> {
        let Some(folder) = self.open()? else { return Ok(()) };
        match fs::unlinkat(&folder, self.name.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the oldest files of other buses, where there are many. Whoever still needs one writes it again.
    fn remove_old_ones(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let is_other = |path: &Path| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.starts_with(PREFIX) && name != self.name)
        };
        let mut others: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| is_other(&entry.path()))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        others.sort();
        let too_many = others.len().saturating_sub(MAX_OTHERS);
        for (_, path) in others.into_iter().take(too_many) {
            // What cannot be removed does no harm.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::screen_of;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    const BUS: &str = "0123456789abcdef0123456789abcdef";

    fn kept(folder: &Path) -> Kept {
        Kept::in_folder(folder.join("firebell"), BUS)
    }

    fn write(kept: &mut Kept, mark: u64, seconds: u64) -> Option<Duration> {
        kept.write(mark, Duration::from_secs(seconds), Some(":1.5"), "a", || screen_of(1))
    }

    #[test]
    fn what_was_on_the_screen_is_read_again_for_the_same_server_and_history_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = kept(dir.path());
        assert_eq!(kept.read(":1.5", "a"), None);
        assert_eq!(write(&mut kept, 1, 0), None);
        assert_eq!(kept.read(":1.5", "a"), Some(screen_of(1)));
        assert_eq!((kept.read(":1.6", "a"), kept.read(":1.5", "b")), (None, None));
        let (folder, file) = (dir.path().join("firebell"), kept.place.as_ref().unwrap().path());
        assert_eq!((folder.metadata().unwrap().mode() & 0o777, file.metadata().unwrap().mode() & 0o777), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        // An empty screen is no file.
        assert_eq!(kept.write(2, WRITE_EVERY, Some(":1.5"), "a", Screen::default), None);
        assert!(!file.exists());
        write(&mut kept, 3, 5);
        assert_eq!(kept.write(4, WRITE_EVERY * 9, None, "a", || screen_of(1)), None);
        assert!(!file.exists(), "a server that is gone has no popups");
    }

    #[test]
    fn a_thousand_changes_in_a_second_are_one_write_and_one_when_it_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = kept(dir.path());
        let mut writes = 0;
        for ms in 0..1000 {
            let screen = || {
                writes += 1;
                screen_of(1)
            };
            let later = kept.write(ms + 1, Duration::from_millis(ms), Some(":1.5"), "a", screen);
            assert_eq!(later, (ms > 0).then_some(WRITE_EVERY));
        }
        assert_eq!((write(&mut kept, 1000, 1), writes), (None, 1));
        assert_eq!(kept.write(1000, WRITE_EVERY * 3, Some(":1.5"), "a", || unreachable!("nothing has changed")), None);
        assert_eq!((write(&mut kept, 1001, 1), kept.hurry(), write(&mut kept, 1001, 1)), (Some(WRITE_EVERY * 2), (), None));
    }

    #[test]
    fn a_file_that_is_damaged_huge_a_link_a_pipe_or_open_to_others_is_none_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = kept(dir.path());
        write(&mut kept, 1, 0);
        let path = kept.place.as_ref().unwrap().path();
        let good = std::fs::read_to_string(&path).unwrap();
        let elsewhere = dir.path().join("elsewhere");
        std::fs::write(&elsewhere, &good).unwrap();
        std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o600)).unwrap();
        let write_text = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        let bad: [(&str, &dyn Fn()); 10] = [
            ("empty", &|| write_text(b"")),
            ("half", &|| write_text(&good.as_bytes()[..good.len() / 2])),
            ("no text", &|| write_text(b"\xff\xfe\0")),
            ("deep", &|| write_text("[".repeat(100_000).as_bytes())),
            ("another version", &|| write_text(good.replace("\"schema\":1", "\"schema\":2").as_bytes())),
            ("a popup without a number", &|| write_text(good.replace("\"popup\":1", "\"popup\":0").as_bytes())),
            ("huge", &|| write_text(format!("{good}{}", " ".repeat(MAX_BYTES)).as_bytes())),
            ("open", &|| {
                write_text(good.as_bytes());
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            }),
            ("a link", &|| symlink(&elsewhere, &path).unwrap()),
            ("a second name", &|| std::fs::hard_link(&elsewhere, &path).unwrap()),
        ];
        for (n, (what, make)) in (2..).zip(bad) {
            std::fs::remove_file(&path).unwrap();
            make();
            assert_eq!(kept.read(":1.5", "a"), None, "{what}");
            assert_eq!((write(&mut kept, n, n * 10), kept.read(":1.5", "a")), (None, Some(screen_of(1))), "{what}");
        }
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), good, "what a link leads to is not touched");
        std::fs::remove_file(&path).unwrap();
        fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(kept.read(":1.5", "a"), None);
        // Nothing takes the place of a folder.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!((kept.read(":1.5", "a"), write(&mut kept, 99, 999)), (None, None));
        assert!(kept.place.is_none(), "it is tried once");
    }

    #[test]
    fn two_buses_have_a_file_each_and_of_many_the_newest_stay() {
        let dir = tempfile::tempdir().unwrap();
        for n in 1..=40_u64 {
            let mut other = Kept::in_folder(dir.path().join("firebell"), &format!("{n:032x}"));
            write(&mut other, 1, 0);
            let file = File::options().write(true).open(other.place.as_ref().unwrap().path()).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(n)).unwrap();
        }
        let mut kept = kept(dir.path());
        write(&mut kept, 1, 0);
        assert_eq!(kept.read(":1.5", "a"), Some(screen_of(1)));
        assert_eq!(std::fs::read_dir(dir.path().join("firebell")).unwrap().count(), MAX_OTHERS + 1);
        assert!(Kept::in_folder(dir.path().join("firebell"), &format!("{:032x}", 40)).read(":1.5", "a").is_some());
        for bad in ["", "../x", "a/b", "é"] {
            assert!(Kept::in_folder(dir.path().into(), bad).place.is_none(), "{bad:?}");
        }
    }

    #[test]
    fn of_too_much_the_oldest_is_left_out() {
        let text = document(":1.5", "a", screen_of(48));
        assert!(text.len() <= MAX_BYTES);
        let mut screen = screen_of(48);
        screen.stuff(&"x".repeat(100_000));
        let text = document(":1.5", "a", screen);
        assert!(text.len() <= MAX_BYTES && text.contains("\"popup\":1,"), "{}", text.len());
    }
}
