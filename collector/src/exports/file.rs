//! A file of lines that others read while we write it, and may take away.
//!
//! **Rotation.** Before each line the name is looked at: where it stands for another file than the one that is open, or for none, a
//! new one is begun. So whoever rotates it (logrotate, with a rename) has to tell us nothing. That was chosen over a signal,
//! which a rotation that runs as our user could not send to a service, and over `copytruncate`, which loses what is written
//! while it copies. Where nobody rotates it, a file of [`MAX_BYTES`] is renamed by ourselves to `NAME.old`, in the place of the one before.

use crate::store::folder;
use rustix::fs::OFlags;
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// A file that nobody rotates grows to this.
pub(super) const MAX_BYTES: u64 = 64 << 20;
/// The last line is looked for in this much of the end.
const TAIL: u64 = 256 << 10;
/// For us to write, for the group to read.
const MODE: u32 = 0o640;

/// One file, opened when there is something to write.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    open: Option<(File, u64)>,
    max: u64,
}

impl Lines {
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        Self { path: folder.join(name), open: None, max: MAX_BYTES }
    }

    /// Appends one line, without its end. Nothing of it is left where it cannot be written as a whole.
    ///
    /// # Errors
    /// What the system says, or whose the file is.
    pub(super) fn append(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        line.push(b'\n');
        let mut len = self.begin()?;
        if len > 0 && len + line.len() as u64 > self.max {
            self.open = None;
            let mut old = self.path.clone().into_os_string();
            old.push(".old");
            fs::rename(&self.path, old)?;
            len = self.begin()?;
        }
        let Some((file, _)) = &mut self.open else { return Ok(()) };
        let written = file.write_all(&line);
        if written.is_err() {
            // A reader shall not see half a line; where even this fails, the next one begins behind an end of line.
            let _ = file.set_len(len);
            self.open = None;
        }
        written
    }

    /// The last line that was written as a whole, if there is one.
    pub(super) fn last(&mut self) -> io::Result<Option<Vec<u8>>> {
        let len = self.begin()?;
        let Some((file, _)) = &self.open else { return Ok(None) };
        let mut file: &File = file;
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        Ok(tail.rsplit(|byte| *byte == b'\n').find(|line| !line.is_empty()).map(<[u8]>::to_vec))
    }

    /// Opens the file that has the name now. Gives its length.
    fn begin(&mut self) -> io::Result<u64> {
        if let Some((file, inode)) = &self.open
            && fs::symlink_metadata(&self.path).is_ok_and(|there| there.is_file() && there.ino() == *inode)
        {
            return Ok(file.metadata()?.len());
        }
        self.open = None;
        // As in the folder of the history: neither it nor the file may be somebody else's, a link, or have a second name.
        folder::check(self.path.parent().unwrap_or(Path::new("/")), &self.path)?;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut file = OpenOptions::new().append(true).read(true).create(true).mode(MODE).custom_flags(flags).open(&self.path)?;
        // Whatever mask we were started with, its group may read it.
        file.set_permissions(Permissions::from_mode(MODE))?;
        let metadata = file.metadata()?;
        let mut len = metadata.len();
        if len > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != [b'\n'] {
                file.write_all(b"\n")?;
                len += 1;
            }
        }
        self.open = Some((file, metadata.ino()));
        Ok(len)
    }
}

/// Puts a whole file in the place of `path`, for everybody to read: a reader sees the old one or the new one.
///
/// # Errors
/// What the system says.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&beside)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(content)?;
    drop(file);
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn lines_are_appended_and_a_file_that_was_taken_away_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("alerts.json"), dir.path().join("alerts.json.1"));
        fs::write(&path, "half a li").unwrap();
        let mut lines = Lines::new(dir.path(), "alerts.json");
        lines.append(b"one".to_vec()).unwrap();
        lines.append(b"two".to_vec()).unwrap();
        assert_eq!(text(&path), "half a li\none\ntwo\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        fs::rename(&path, &old).unwrap();
        lines.append(b"three".to_vec()).unwrap();
        assert_eq!((text(&old).lines().count(), text(&path).as_str()), (3, "three\n"));
        fs::remove_file(&path).unwrap();
        lines.append(b"four".to_vec()).unwrap();
        assert_eq!(text(&path), "four\n");
        assert_eq!(lines.last().unwrap().as_deref(), Some(&b"four"[..]));
    }

    #[test]
    fn a_link_a_second_name_or_what_is_no_file_is_refused_and_nothing_is_written_through_it() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, target) = (dir.path().join("log"), dir.path().join("target"));
        fs::create_dir(&folder).unwrap();
        fs::write(&target, "precious\n").unwrap();
        let path = folder.join("eve.json");
        let refused = || Lines::new(&folder, "eve.json").append(b"line".to_vec()).unwrap_err().to_string();
        symlink(&target, &path).unwrap();
        assert!(refused().contains("is no regular file"), "{}", refused());
        fs::remove_file(&path).unwrap();
        fs::hard_link(&target, &path).unwrap();
        assert!(refused().contains("second name"), "{}", refused());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refused().contains("is no regular file"), "{}", refused());
        fs::remove_dir(&path).unwrap();
        // While it is open as well.
        let mut lines = Lines::new(&folder, "eve.json");
        lines.append(b"line".to_vec()).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&target, &path).unwrap();
        assert!(lines.append(b"line".to_vec()).is_err());
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        assert!(refused().contains("written to by others"), "{}", refused());
        assert_eq!(text(&target), "precious\n");
    }

    #[test]
    fn what_nobody_rotates_is_two_files_of_bounded_length() {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = Lines { max: 30, ..Lines::new(dir.path(), "ecs.json") };
        for number in 10..30 {
            lines.append(format!("line {number}").into_bytes()).unwrap();
        }
        assert_eq!(text(&dir.path().join("ecs.json")), "line 28\nline 29\n");
        assert_eq!(text(&dir.path().join("ecs.json.old")).lines().count(), 3);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_link_is_no_way_to_another() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("firebell.prom"), dir.path().join("target"));
        fs::write(&target, "precious\n").unwrap();
        symlink(&target, &path).unwrap();
        symlink(&target, dir.path().join("firebell.prom.new")).unwrap();
        replace(&path, b"new\n").unwrap();
        assert_eq!((text(&path).as_str(), text(&target).as_str()), ("new\n", "precious\n"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
