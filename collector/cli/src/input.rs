//! Log files as windows of whole lines: plain or gzip, large reads, bounded memory.

use anyhow::{Context as _, Result};
use flate2::read::MultiGzDecoder;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::{Duration, SystemTime},
};

/// How much is held of a file, and how long a line can be: longer ones are cut, which is far beyond any log line.
const BUFFER: usize = 4 << 20;
/// So much of what follows is at hand with each line but the last ones: the clock of a replay asks for witnesses.
const AHEAD: usize = 64 << 10;

/// A log that is being read.
pub(crate) struct Lines {
    source: Box<dyn Read>,
    buffer: Vec<u8>,
    /// What of the buffer is filled, and not yet given out.
    start: usize,
    end: usize,
    is_at_end: bool,
    /// When the file was last written; `None` for standard input.
    pub(crate) modified: Option<Duration>,
}

impl Lines {
    /// Opens a file, or standard input for `-`. What begins as gzip does is unpacked, whatever its name.
    ///
    /// # Errors
    /// With the file's name, when it cannot be opened or read.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (mut source, modified): (Box<dyn Read>, _) = if path.as_os_str() == "-" {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
            (Box::new(file), modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()))
        };
        let mut magic = Vec::new();
        source.by_ref().take(2).read_to_end(&mut magic).with_context(|| format!("cannot read {}", path.display()))?;
        let is_gzip = magic == [0x1f, 0x8b];
        let source = io::Cursor::new(magic).chain(source);
        let source: Box<dyn Read> =
            if is_gzip { Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(BUFFER / 4, source))) } else { Box::new(source) };
        Ok(Self { source, buffer: vec![0; AHEAD], start: 0, end: 0, is_at_end: false, modified })
    }

    /// The next lines that have not been given out, and what follows them; `None` at the end of the file.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn next(&mut self) -> Result<Option<Window<'_>>> {
        // Before, many files may be open at once.
        self.buffer.resize(BUFFER, 0);
        self.fill()?;
        let filled = self.buffer.get(..self.end).unwrap_or_default();
        let length = if self.is_at_end {
            filled.len()
        } else {
            // A buffer without any newline is one line that is cut.
            let end = filled.len().saturating_sub(AHEAD);
            memchr::memrchr(b'\n', filled.get(..end).unwrap_or_default()).map_or(filled.len(), |at| at + 1)
        };
        self.start = length;
        Ok((length > 0).then_some(Window { filled, length }))
    }

    /// The first lines of a file that is not being read yet; they stay in the buffer.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn peek(&mut self) -> Result<&[u8]> {
        self.fill()?;
        Ok(self.buffer.get(..self.end).unwrap_or_default())
    }

    /// Moves what is left to the front, and reads until the buffer is full.
    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while !self.is_at_end
            && let Some(room) = self.buffer.get_mut(self.end..).filter(|room| !room.is_empty())
        {
            match self.source.read(room) {
                Ok(0) => self.is_at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
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

    fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut found = Vec::new();
        let mut lines = Lines::open(file.path()).unwrap();
        while let Some(window) = lines.next().unwrap() {
            found.extend(window.lines().map(|(line, _)| line.to_vec()));
        }
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
    fn gzip_is_known_by_its_content_even_in_several_parts() {
        let mut packed = Vec::new();
        for part in ["a\nb", "c\n"] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            packed.extend(encoder.finish().unwrap());
        }
        assert_eq!(lines(&packed), [b"a".to_vec(), b"bc".to_vec()]);
    }

    #[test]
    fn what_follows_a_line_is_at_hand() {
        let text: String = (0..150_000).map(|n| format!("{n:0>60}\n")).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut left = text.len();
        let mut lines = Lines::open(file.path()).unwrap();
        while let Some(window) = lines.next().unwrap() {
            for (line, ahead) in window.lines() {
                left -= line.len() + 1;
                assert!(ahead.len() >= left.min(AHEAD - line.len() - 1));
            }
        }
        assert_eq!(left, 0);
    }
}
