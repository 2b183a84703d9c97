//! Cuts a stream of bytes into lines of bounded length.

/// The longest line that is kept, in bytes. The kernel's records have at most 2,048 (Linux
/// kernel/printk/internal.h, `PRINTKRB_RECORD_MAX`, and twice that in its older releases); syslog daemons keep 8 KiB
/// by default (rsyslog `$MaxMessageSize`).
pub const MAX_LINE: usize = 8192;

/// Holds the beginning of a line until its end comes.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    /// The line that comes in is too long: its rest is thrown away.
    is_skipping: bool,
}

impl Lines {
    /// Begins with the rest of a line whose beginning is not known, when `is_inside` one: it is left out.
    #[must_use]
    pub fn in_the_middle(is_inside: bool) -> Self {
        Self { partial: Vec::new(), is_skipping: is_inside }
    }

    /// Takes the next bytes and gives `each` every line that they complete, without the newline, and how many of `bytes` are
    /// behind it or in it. Lines longer than [`MAX_LINE`] are left out; the result is how many those were.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8], usize)) -> u64 {
        let (mut rest, mut too_long) = (bytes, 0);
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(at);
            rest = after.get(1..).unwrap_or_default();
            if self.is_skipping || self.partial.len() + line.len() > MAX_LINE {
                too_long += 1;
            } else if self.partial.is_empty() {
                each(line, bytes.len() - rest.len());
            } else {
                self.partial.extend_from_slice(line);
                each(&self.partial, bytes.len() - rest.len());
            }
            self.forget();
        }
        if self.is_skipping || self.partial.len() + rest.len() > MAX_LINE {
            self.is_skipping = true;
            self.partial.clear();
        } else {
            self.partial.extend_from_slice(rest);
        }
        too_long
    }

    /// The last line of a stream that has ended, if it had no newline.
    pub fn finish(&mut self, each: impl FnOnce(&[u8])) -> u64 {
        let too_long = u64::from(self.is_skipping);
        if !self.partial.is_empty() {
            each(&self.partial);
        }
        self.forget();
        too_long
    }

    /// Forgets the beginning of a line.
    pub fn forget(&mut self) {
        self.partial.clear();
        self.is_skipping = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let (mut lines, mut out, mut too_long) = (Lines::default(), Vec::new(), 0);
        for chunk in chunks {
            too_long += lines.feed(chunk, |line, _| out.push(line.to_vec()));
        }
        too_long += lines.finish(|line| out.push(line.to_vec()));
        (out, too_long)
    }

    #[test]
    fn a_line_is_held_until_its_newline_comes() {
        let mut lines = Lines::default();
        let mut seen = 0;
        lines.feed(b"IN=eth0 SRC=", |_, _| seen += 1);
        assert_eq!(seen, 0);
        lines.feed(b"198.51.100.66\nD", |line, used| {
            assert_eq!((line, used), (&b"IN=eth0 SRC=198.51.100.66"[..], 14));
            seen += 1;
        });
        assert_eq!(seen, 1);
    }

    #[test]
    fn wherever_it_is_cut_the_lines_are_the_same() {
        let text = b"one\n\ntwo three\nlast";
        let whole = cut(&[text]);
        assert_eq!(whole.0, [&b"one"[..], b"", b"two three", b"last"]);
        for at in 0..text.len() {
            assert_eq!(cut(&[&text[..at], &text[at..]]), whole);
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory_and_the_next_one_is_read() {
        let long = vec![b'x'; MAX_LINE];
        assert_eq!(cut(&[&long, b"\n"]), (vec![long.clone()], 0));
        let mut lines = Lines::default();
        for _ in 0..1000 {
            assert_eq!(lines.feed(&long, |_, _| panic!("no line has ended")), 0);
            assert!(lines.partial.len() <= MAX_LINE);
        }
        let mut out = Vec::new();
        assert_eq!(lines.feed(b"\nnext\n", |line, _| out.push(line.to_vec())), 1);
        assert_eq!(out, [b"next"]);
        assert_eq!(cut(&[&long, b"y"]), (vec![], 1));
    }
}
