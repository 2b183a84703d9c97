//! A small file in the user's state directory, `$XDG_STATE_HOME/firebell/`, that is either whole or absent.

use crate::config;
use std::{
    fs,
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};
use tracing::warn;

/// The file, and whether writing to it still makes sense.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: Option<PathBuf>,
    /// What does not survive a restart without it; for the one complaint.
    loss: &'static str,
}

impl StateFile {
    /// `name` in the user's state directory; nowhere when there is none.
    pub(crate) fn in_state_dir(name: &str, loss: &'static str) -> Self {
        Self { path: config::user_dir("XDG_STATE_HOME", ".local/state").map(|dir| dir.join(name)), loss }
    }

    /// Nowhere: each start is the first.
    pub(crate) fn nowhere() -> Self {
        Self { path: None, loss: "" }
    }

    #[cfg(test)]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path: Some(path), loss: "what a test wrote is lost" }
    }

    /// What an earlier run wrote; nothing where there is no file.
    ///
    /// # Errors
    /// Why it cannot be read: rights, no text, or more than `max` bytes.
    pub(crate) fn read(&self, max: u64) -> io::Result<Option<String>> {
        let Some(path) = &self.path else { return Ok(None) };
        let file = match fs::File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(max + 1).read_to_string(&mut text)?;
        if text.len() as u64 > max {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("larger than {max} bytes")));
        }
        Ok(Some(text))
    }

    /// Writes it anew. The old file stays until the new one is complete. False: it could not, which is said once.
    pub(crate) fn write(&mut self, text: &str) -> bool {
        let Some(path) = &self.path else { return false };
        let write = || -> io::Result<()> {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)?;
            }
            let new = path.with_extension("new");
            // Whom somebody does not want to hear of is nobody else's business.
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            // Not forced to the disk, which would cost each alert some milliseconds: the file systems of desktops write a file
            // out before it takes the place of another (ext4: auto_da_alloc), and damage is noticed.
            file.write_all(text.as_bytes())?;
            fs::rename(&new, path)
        };
        let Err(error) = write() else { return true };
        warn!(%error, path = %path.display(), "{}", self.loss);
        self.path = None;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_more_than_the_bound_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        let mut file = StateFile::at(path.clone());
        assert_eq!(file.read(9).unwrap(), None);
        assert!(file.write("123456789"));
        assert_eq!(file.read(9).unwrap().as_deref(), Some("123456789"));
        assert!(file.read(8).is_err());
        fs::write(&path, b"\xff").unwrap();
        assert!(file.read(9).is_err());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn where_nothing_can_be_written_it_is_tried_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let mut file = StateFile::at(dir.path().join("file/below"));
        assert!(!file.write("x"));
        assert!(file.path.is_none() && !file.write("x"));
    }
}
