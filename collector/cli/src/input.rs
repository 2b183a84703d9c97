//! Log files as windows of whole lines: plain or packed, large reads, bounded memory.

use crate::unpack::unpack;
use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::{Duration, SystemTime},
};

/// How much is held of a file, twice, and how long a line can be: longer ones are cut, which is far beyond any log line.
const BUFFER: usize = 2 << 20;
/// So much of what follows is at hand with each line but the last ones: the clock of a replay asks for witnesses.
const AHEAD: usize = 64 << 10;

/// A log that is being read: while one buffer is worked on, the other one can be filled.
pub(crate) struct Lines {
    source: Source,
    front: Buffer,
    back: Buffer,
    /// When the file was last written; `None` for standard input.
    pub(crate) modified: Option<Duration>,
    /// Bytes of the file, packed as it is; 0 where that is not known.
    pub(crate) size: u64,
}

struct Source {
    bytes: Box<dyn Read + Send>,
    is_at_end: bool,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// So much of it is filled, …
    end: usize,
    /// … and so much of that are lines to be read now.
    length: usize,
}

impl Lines {
    /// Opens a file, or standard input for `-`. What is packed is unpacked, whatever its name. `progress` counts what is read.
    ///
    /// # Errors
    /// With the file's name, when it cannot be opened or read.
    pub(crate) fn open(path: &Path, progress: &ProgressBar) -> Result<Self> {
        let (source, modified, size): (Box<dyn Read + Send>, _, _) = if path.as_os_str() == "-" {
            (Box::new(progress.wrap_read(io::stdin())), None, 0)
        } else {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let metadata = file.metadata().ok();
            let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
            let modified = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
            (Box::new(progress.wrap_read(file)), modified, metadata.map_or(0, |metadata| metadata.len()))
        };
        let bytes = unpack(source).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { source: Source { bytes, is_at_end: false }, front: Buffer::default(), back: Buffer::default(), modified, size })
    }

    /// The first lines of a file that is not being read yet; they stay in the buffer, which is small: many files may be
    /// open at once.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn peek(&mut self) -> Result<&[u8]> {
        self.front.fill(AHEAD, &mut self.source)?;
        Ok(self.front.filled())
    }

    /// Begins, perhaps with what [`Self::peek`] has read.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.front.fill(BUFFER, &mut self.source)
    }

    /// The lines to be read now, which are none at the end of the file, and the way to those behind them.
    pub(crate) fn split(&mut self) -> (Window<'_>, Next<'_>) {
        let filled = self.front.filled();
        let left = filled.get(self.front.length..).unwrap_or_default();
        (Window { filled, length: self.front.length }, Next { left, into: &mut self.back, source: &mut self.source })
    }

    /// Goes on to what [`Next::read`] has read.
    pub(crate) fn go_on(&mut self) {
        std::mem::swap(&mut self.front, &mut self.back);
    }
}

/// What follows a window.
pub(crate) struct Next<'a> {
    left: &'a [u8],
    into: &'a mut Buffer,
    source: &'a mut Source,
}

impl Next<'_> {
    /// Reads it.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn read(self) -> Result<()> {
        self.into.bytes.resize(BUFFER, 0);
        if let Some(room) = self.into.bytes.get_mut(..self.left.len()) {
            room.copy_from_slice(self.left);
        }
        self.into.end = self.left.len();
        self.into.fill(BUFFER, self.source)
    }
}

impl Buffer {
    fn filled(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    /// Reads until so much is filled, and finds out which of it are whole lines with enough behind them.
    fn fill(&mut self, size: usize, source: &mut Source) -> Result<()> {
        self.bytes.resize(size, 0);
        while !source.is_at_end
            && let Some(room) = self.bytes.get_mut(self.end..).filter(|room| !room.is_empty())
        {
            match source.bytes.read(room) {
                Ok(0) => source.is_at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let filled = self.filled();
        self.length = if source.is_at_end {
            filled.len()
        } else {
            // A buffer without any newline is one line that is cut.
            let end = filled.len().saturating_sub(AHEAD);
            memchr::memrchr(b'\n', filled.get(..end).unwrap_or_default()).map_or(filled.len(), |at| at + 1)
        };
        Ok(())
    }
}

/// A piece of a file.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    filled: &'a [u8],
    /// So much of it are lines to be read; what is behind them is only to be looked at.
    length: usize,
}

impl<'a> Window<'a> {
    pub(crate) const fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The same lines in pieces of about `size` bytes.
    pub(crate) fn pieces(self, size: usize) -> impl Iterator<Item = Self> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let filled = self.filled.get(at..)?;
            let left = self.length.checked_sub(at).filter(|left| *left > 0)?;
            let lines = filled.get(..left)?;
            let length = lines.get(size..).and_then(|behind| memchr::memchr(b'\n', behind)).map_or(left, |more| size + more + 1);
            at += length;
            Some(Self { filled, length })
        })
    }

    /// The lines without their newlines, each with all that follows it. An empty line counts.
    pub(crate) fn lines(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.filled.get(at..).unwrap_or_default();
            if at >= self.length {
                return None;
            }
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            at += end + 1;
            Some((rest.get(..end)?, rest.get(end + 1..).unwrap_or_default()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn windows(path: &Path, mut each: impl FnMut(Window<'_>)) {
        let mut lines = Lines::open(path, &ProgressBar::hidden()).unwrap();
        lines.begin().unwrap();
        loop {
            let (window, next) = lines.split();
            if window.is_empty() {
                break;
            }
            each(window);
            next.read().unwrap();
            lines.go_on();
        }
    }

    fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut found = Vec::new();
        windows(file.path(), |window| found.extend(window.pieces(100).flat_map(Window::lines).map(|(line, _)| line.to_vec())));
        found
    }

    #[test]
    fn lines_come_whole_whatever_the_size_of_the_file() {
        for count in [0, 1, 3, 1_000_000] {
            let text: String = (0..count).map(|n| format!("line {n}\n")).collect();
            let found = lines(text.as_bytes());
            assert_eq!(found.len(), count);
            assert!(found.iter().enumerate().all(|(n, line)| *line == format!("line {n}").into_bytes()));
        }
    }

    #[test]
    fn the_last_line_needs_no_newline_and_an_empty_one_counts() {
        assert_eq!(lines(b"a\n\nb"), [b"a".to_vec(), b"".to_vec(), b"b".to_vec()]);
    }

    #[test]
    fn a_line_longer_than_the_buffer_is_cut_and_what_follows_is_read() {
        let mut text = vec![b'x'; 2 * BUFFER + 10];
        text.extend(b"\nIN=\n");
        let found = lines(&text);
        assert_eq!((found.len(), found.last().unwrap().as_slice()), (4, &b"IN="[..]));
        assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 2 * BUFFER + 13);
    }

    #[test]
    fn what_follows_a_line_is_at_hand() {
        let text: String = (0..150_000).map(|n| format!("{n:0>60}\n")).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut left = text.len();
        windows(file.path(), |window| {
            for (line, ahead) in window.pieces(1000).flat_map(Window::lines) {
                left -= line.len() + 1;
                assert!(ahead.len() >= left.min(AHEAD - line.len() - 1));
            }
        });
        assert_eq!(left, 0);
    }
}
