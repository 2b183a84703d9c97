//! Searches a file line by line in bounded memory.

use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Longer lines are passed over, in bytes.
const MAX_LINE: usize = 1024;
/// Read at once, in bytes.
const BLOCK: usize = 16 << 10;

/// What `look` finds in the first line in which it finds anything, within the first `max` bytes.
///
/// A file that is absent, unreadable or no regular file has no lines; a line that is not UTF-8 is none.
pub(super) fn find<T>(path: &Path, max: u64, mut look: impl FnMut(&str) -> Option<T>) -> Option<T> {
    let file = open(path)?;
    let mut reader = BufReader::with_capacity(BLOCK, file.take(max));
    let mut line = Vec::with_capacity(MAX_LINE);
    while let Some(is_whole) = next_line(&mut reader, &mut line) {
        let found = if is_whole { std::str::from_utf8(&line).ok().and_then(&mut look) } else { None };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Without waiting: somebody may have put a pipe there.
fn open(path: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// Reads the next line without its end. False: it is too long to be kept. `None`: there is no more.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Option<bool> {
    line.clear();
    let (mut is_whole, mut is_any) = (true, false);
    loop {
        let block = reader.fill_buf().ok()?;
        if block.is_empty() {
            return is_any.then_some(is_whole);
        }
        is_any = true;
        let end = block.iter().position(|byte| *byte == b'\n');
        let piece = block.get(..end.unwrap_or(block.len()))?;
        is_whole &= line.len() + piece.len() <= MAX_LINE;
        if is_whole {
            line.extend_from_slice(piece);
        }
        let used = piece.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Some(is_whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], max: u64) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut lines = Vec::new();
        assert_eq!(
            find::<()>(file.path(), max, |line| {
                lines.push(line.to_owned());
                None
            }),
            None
        );
        lines
    }

    #[test]
    fn lines_are_read_whole_or_not_at_all() {
        assert_eq!(read(b"a\n\nb", 100), ["a", "", "b"]);
        assert_eq!(read(b"a\n\xff\nb\n", 100), ["a", "b"]);
        let long = [b"a\n".to_vec(), vec![b'x'; 100_000], b"\nb\n".to_vec()].concat();
        assert_eq!(read(&long, u64::MAX), ["a", "b"]);
        assert_eq!(read(&[vec![b'y'; MAX_LINE], b"\n".to_vec()].concat(), u64::MAX), ["y".repeat(MAX_LINE)]);
        assert_eq!(read(b"abc\ndef\n", 5), ["abc", "d"]);
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), folder.path(), Path::new("/nonexistent")] {
            assert_eq!(find(path, 100, |_| Some(())), None);
        }
    }
}
