//! How often we have ended while we took the line behind the checkpoint.
//!
//! A few bytes in a file of their own, written by who takes the line: with a thread or a transaction between the mark and the line,
//! somebody who kills us at random would now and then seem to be that line. They are for the next start of the program, not of the
//! machine, so no disk is waited for.

use super::folder;
use rustix::fs::{Mode, OFlags};
use std::{
    fs::File,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

/// The file, beside the history.
pub const FILE: &str = "attempts";

/// The mark: how often, and for which place in the log.
#[derive(Debug)]
pub struct Attempts {
    file: File,
    place: u64,
    count: u8,
}

impl Attempts {
    /// Reads what the last start has left. `folder` is the one of the history, and was looked at.
    ///
    /// # Errors
    /// What the system says, or whose the file is.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        folder::check(folder, &path)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?);
        let mut bytes = [0; 9];
        let [place @ .., count] = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => [0; 9],
            Err(error) => return Err(error),
        };
        Ok(Self { file, place: u64::from_ne_bytes(place), count })
    }

    /// How many attempts at the line behind these positions have ended us.
    #[must_use]
    pub fn at(&self, positions: &[Vec<u8>]) -> u8 {
        if self.place == place(positions) { self.count } else { 0 }
    }

    /// The line behind these positions is being taken.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(&mut self, positions: &[Vec<u8>]) -> io::Result<()> {
        self.write(place(positions), self.at(positions).saturating_add(1))
    }

    /// It has not ended us.
    ///
    /// # Errors
    /// What the system says.
    pub fn end(&mut self) -> io::Result<()> {
        self.write(self.place, 0)
    }

    fn write(&mut self, place: u64, count: u8) -> io::Result<()> {
        (self.place, self.count) = (place, count);
        let [a, b, c, d, e, f, g, h] = place.to_ne_bytes();
        self.file.write_all_at(&[a, b, c, d, e, f, g, h, count], 0)
    }
}

/// A place in the log as a number. Another version of Rust may give another one; then the next line has one attempt more.
fn place(positions: &[Vec<u8>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    positions.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn attempts_count_for_one_place_until_one_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = ([b"10".to_vec(), vec![]], [b"11".to_vec(), vec![]]);
        for before in 0..3 {
            let mut attempts = Attempts::open(dir.path()).unwrap();
            assert_eq!((attempts.at(&here), attempts.at(&there)), (before, 0));
            attempts.begin(&here).unwrap();
        }
        Attempts::open(dir.path()).unwrap().begin(&there).unwrap();
        let mut attempts = Attempts::open(dir.path()).unwrap();
        assert_eq!((attempts.at(&here), attempts.at(&there)), (0, 1));
        attempts.end().unwrap();
        assert_eq!(Attempts::open(dir.path()).unwrap().at(&there), 0);
    }

    #[test]
    fn a_file_that_is_cut_says_nothing_and_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), b"cut").unwrap();
        assert_eq!(Attempts::open(dir.path()).unwrap().at(&[]), 0);
        fs::rename(dir.path().join(FILE), dir.path().join("other")).unwrap();
        symlink("other", dir.path().join(FILE)).unwrap();
        assert!(Attempts::open(dir.path()).is_err());
    }
}
