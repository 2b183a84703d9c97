//! Takes the envelope off a log line: time stamp, host, priority.

use crate::{cursor::Cursor, stamp::Stamp};
use std::ops::Range;

/// A log line without its envelope.
///
/// Everything borrows from the line. What an envelope of this form does not say is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When, by the best clock of the line: calendar time where there is one, otherwise [`Record::uptime`].
    pub stamp: Option<Stamp>,
    /// The kernel's own stamp, microseconds since boot. `imklog` and `dmesg` print it beside or instead of calendar time.
    pub uptime: Option<u64>,
    /// The machine.
    pub host: Option<&'a [u8]>,
    /// The program that wrote it, without brackets and colon: `kernel`, `ulogd`.
    pub tag: Option<&'a [u8]>,
    /// Facility times 8 plus level, from kmsg or `<n>`. Facility 0 is the kernel (RFC 5424 section 6.2.1).
    pub priority: Option<u32>,
    /// Sequence number of a kmsg record.
    pub seq: Option<u64>,
    /// The message.
    pub text: &'a [u8],
}

impl<'a> Record<'a> {
    /// Splits one line, without its newline. Any bytes will do: a line in no known form is all text. Never allocates.
    ///
    /// Knows `/dev/kmsg` records (`4,354645,2451192320,-;text`), RFC 3164 and RFC 5424 with and without `<pri>`, RFC 3339
    /// and journald's `short-iso` in front of `host tag: text`, `dmesg` with and without `-T`, and the files of Proxmox and OpenWrt.
    #[must_use]
    pub fn read(line: &'a [u8]) -> Self {
        Self::read_usual(without_return(line)).0
    }

    /// The same; and how long the envelope is without its uptime, if it is a calendar stamp, a host and `kernel: `, and nothing
    /// in front of them or behind them had a say in that.
    fn read_usual(line: &'a [u8]) -> (Self, Option<usize>) {
        let mut record = Self { stamp: None, uptime: None, host: None, tag: None, priority: None, seq: None, text: line };
        match line.first() {
            Some(b'0'..=b'9') if let Some(record) = Self::of_kmsg(line) => return (record, None),
            Some(b'0'..=b'9') if record.read_proxmox() => return (record, None),
            Some(b'<') if record.read_priority() && record.read_rfc5424() => return (record, None),
            Some(b'a'..=b'z') => record.read_priority_words(b": "),
            _ => {}
        }
        // A date in brackets is that of `dmesg`, which prints no host.
        let has_host = record.read_date() && !line.starts_with(b"[");
        record.read_uptime();
        if has_host || record.uptime.is_some() {
            record.read_priority_words(b" ");
        }
        let is_plain = has_host && record.uptime.is_none() && record.priority.is_none();
        record.read_origin(has_host);
        let is_usual = is_plain && record.host.is_some() && record.tag == Some(KERNEL);
        let length = is_usual.then_some(line.len() - record.text.len());
        record.read_uptime();
        if record.stamp.is_none() {
            record.stamp = record.uptime.map(|micros| Stamp::Uptime { micros });
        }
        (record, length)
    }

    /// `4,354645,2451192320,-;text`: priority, sequence, microseconds, flags. The kernel's text holds no further envelope.
    ///
    /// Source: Linux `Documentation/ABI/testing/dev-kmsg`.
    #[inline(always)]
    fn of_kmsg(line: &'a [u8]) -> Option<Self> {
        let (priority, rest) = number(line)?;
        let (seq, rest) = number(rest.strip_prefix(b",")?)?;
        let (micros, rest) = number(rest.strip_prefix(b",")?)?;
        let text = match rest.strip_prefix(b",-;") {
            Some(text) => text,
            None => behind_flags(rest.strip_prefix(b",")?)?,
        };
        let priority = Some(u32::try_from(priority).ok()?);
        let stamp = Some(Stamp::Uptime { micros });
        Some(Self { stamp, uptime: Some(micros), host: None, tag: None, priority, seq: Some(seq), text })
    }

    /// `101 1 tap101i0-IN 20/Jun/2026:13:12:46 +0200 text`: guest, level, chain.
    fn read_proxmox(&mut self) -> bool {
        let Some((_, rest)) = number(self.text) else { return false };
        let Some((level, rest)) = rest.strip_prefix(b" ").and_then(number) else { return false };
        let Some((_, rest)) = rest.strip_prefix(b" ").and_then(word) else { return false };
        let Some((stamp, length)) = Stamp::read_wall(rest) else { return false };
        self.priority = u32::try_from(level).ok();
        self.stamp = Some(stamp);
        self.text = rest.get(length..).unwrap_or_default().trim_ascii_start();
        true
    }

    /// `<13>`.
    fn read_priority(&mut self) -> bool {
        let Some((priority, rest)) = self.text.strip_prefix(b"<").and_then(number) else { return false };
        let (Ok(priority @ 0..=191), Some(rest)) = (u32::try_from(priority), rest.strip_prefix(b">")) else { return false };
        self.priority = Some(priority);
        self.text = rest;
        true
    }

    /// `1 2026-11-22T07:36:51.287536+00:00 desk kernel - - - text`, behind the priority.
    ///
    /// Source: RFC 5424 section 6.
    fn read_rfc5424(&mut self) -> bool {
        let Some((stamp, rest)) = self.text.strip_prefix(b"1 ").and_then(word) else { return false };
        let stamp = match stamp {
            b"-" => None,
            _ => match Stamp::read_wall(stamp) {
                Some((stamp, _)) => Some(stamp),
                None => return false,
            },
        };
        let Some((host, rest)) = word(rest) else { return false };
        let Some((tag, rest)) = word(rest) else { return false };
        let Some((_process, rest)) = word(rest) else { return false };
        let Some((_message_id, rest)) = word(rest) else { return false };
        let Some(rest) = structured_data(rest) else { return false };
        self.stamp = stamp;
        self.host = Some(host).filter(|host| *host != b"-");
        self.tag = Some(tag).filter(|tag| *tag != b"-");
        // A message in UTF-8 may start with a byte order mark.
        self.text = rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest);
        self.read_uptime();
        true
    }

    /// `kern.warn kernel: …` (OpenWrt), `kern.info: Oct 12 …`.
    fn read_priority_words(&mut self, end: &[u8]) {
        const LEVELS: [&[u8]; 8] = [b"emerg", b"alert", b"crit", b"err", b"warn", b"notice", b"info", b"debug"];
        let Some(rest) = self.text.strip_prefix(b"kern.") else { return };
        for (number, level) in (0..).zip(LEVELS) {
            if let Some(rest) = rest.strip_prefix(level).and_then(|rest| rest.strip_prefix(end)) {
                self.priority = Some(number);
                self.text = rest;
                return;
            }
        }
    }

    /// A calendar stamp, in brackets or not, with the space behind it.
    fn read_date(&mut self) -> bool {
        let (inside, brackets) = match self.text.strip_prefix(b"[") {
            Some(inside) => (inside, 1),
            None => (self.text, 0),
        };
        let Some((stamp, length)) = Stamp::read_wall(inside) else { return false };
        let rest = inside.get(length..).unwrap_or_default();
        let rest = if brackets == 1 { rest.strip_prefix(b"]") } else { Some(rest) };
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix(b" ")) else { return false };
        self.stamp = Some(stamp);
        self.text = rest;
        true
    }

    /// `[ 2451.192320] `, once.
    fn read_uptime(&mut self) {
        if self.uptime.is_some() {
            return;
        }
        if let Some((micros, length)) = Stamp::read_uptime(self.text) {
            self.uptime = Some(micros);
            let rest = self.text.get(length..).unwrap_or_default();
            self.text = rest.strip_prefix(b" ").unwrap_or(rest);
        }
    }

    /// `desk kernel: `, `kernel: `, `desk ulogd[77]: `, or just `desk ` behind a date.
    fn read_origin(&mut self, has_host: bool) {
        // By far the most lines of ours.
        if has_host
            && let Some((host, rest)) = word(self.text)
            && let Some(rest) = rest.strip_prefix(b"kernel: ")
            && is_host(host)
        {
            (self.host, self.tag, self.text) = (Some(host), Some(KERNEL), rest);
            return;
        }
        if let Some((tag, rest)) = tag(self.text) {
            if has_host || tag == b"kernel" {
                self.tag = Some(tag);
                self.text = rest;
            }
            return;
        }
        let Some((host, rest)) = word(self.text) else { return };
        if !is_host(host) {
            return;
        }
        if let Some((tag, after)) = tag(rest) {
            // `dmesg` prints no host: there `word tag:` is text, unless the tag is `kernel` (journald's `short-monotonic`).
            if has_host || (self.uptime.is_some() && tag == b"kernel") {
                self.host = Some(host);
                self.tag = Some(tag);
                self.text = after;
            }
        } else if has_host && self.uptime.is_none() {
            self.host = Some(host);
            self.text = rest;
        }
    }
}

/// What is behind the flags of a kmsg record, and the fields of later kernels.
#[inline(never)]
fn behind_flags(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().take(64).position(|byte| *byte == b';')?;
    text.get(end + 1..)
}

/// The tag of what the kernel wrote.
const KERNEL: &[u8] = b"kernel";

/// Reads the lines of one log, each as [`Record::read`] does, and faster where one has the envelope of the one before: the stamps of
/// syslog have whole seconds, and those of the kernel begin with them.
#[derive(Clone, Debug)]
pub struct RecordReader {
    /// The usual envelope that was read last, with the kernel's stamp up to its point where there is one.
    envelope: [u8; 96],
    length: usize,
    stamp: Option<Stamp>,
    /// Where the host's name is in it.
    host: Range<usize>,
    /// What the kernel's stamp says up to its point, in microseconds.
    seconds: Option<u64>,
}

impl Default for RecordReader {
    fn default() -> Self {
        Self { envelope: [0; 96], length: 0, stamp: None, host: 0..0, seconds: None }
    }
}

impl RecordReader {
    /// As [`Record::read`].
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Record<'a> {
        let line = without_return(line);
        if let Some(record) = self.recall(line) {
            return record;
        }
        if line.first().is_some_and(u8::is_ascii_digit)
            && let Some(record) = Record::of_kmsg(line)
        {
            return record;
        }
        self.read_anew(line)
    }

    #[inline(never)]
    fn read_anew<'a>(&mut self, line: &'a [u8]) -> Record<'a> {
        let (record, length) = Record::read_usual(line);
        if let (Some(length), Some(Stamp::Wall { micros: 0, .. })) = (length, record.stamp) {
            self.learn(&record, line, length);
        }
        record
    }

    #[inline(always)]
    fn recall<'a>(&self, line: &'a [u8]) -> Option<Record<'a>> {
        let (start, rest) = line.split_at_checked(self.length)?;
        if self.length == 0 || self.envelope.get(..self.length) != Some(start) {
            return None;
        }
        let host = start.get(self.host.clone());
        let mut record = Record { stamp: self.stamp, uptime: None, host, tag: Some(KERNEL), priority: None, seq: None, text: rest };
        match self.seconds {
            Some(seconds) => {
                let mut rest = Cursor(rest);
                record.uptime = Some(seconds + u64::from(rest.six_digits(b"] ")?));
                record.text = rest.0;
            }
            None => record.read_uptime(),
        }
        Some(record)
    }

    /// Remembers the envelope of `line`, which is `length` long without the kernel's stamp.
    fn learn(&mut self, record: &Record<'_>, line: &[u8], length: usize) {
        let Some(host) = record.host else { return };
        // As far as the point, if it has one and what is behind it has the usual form.
        let point = record.uptime.and_then(|uptime| {
            let point = length + line.get(length..)?.iter().position(|byte| *byte == b'.')? + 1;
            let behind = Cursor(line.get(point..)?).six_digits(b"] ")?;
            Some((point, uptime - u64::from(behind)))
        });
        let whole = point.map_or(length, |(point, _)| point);
        let (Some(place), Some(bytes)) = (self.envelope.get_mut(..whole), line.get(..whole)) else { return };
        place.copy_from_slice(bytes);
        (self.length, self.stamp, self.seconds) = (whole, record.stamp, point.map(|(_, seconds)| seconds));
        // The host stands before `kernel: ` or what else the kernel is called.
        let tag = bytes.get(..length - 1).and_then(|envelope| envelope.iter().rposition(|byte| *byte == b' '));
        self.host = tag.map_or(0..0, |end| end - host.len()..end);
    }
}

/// Files from other systems end their lines with `\r\n`.
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A decimal number of at most 19 digits at the start of `text`, and what is behind it.
#[inline(always)]
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut rest = Cursor(text);
    // Priorities have one digit, levels too.
    if let [digit @ b'0'..=b'9', b' ' | b',', ..] = text {
        return Some((u64::from(digit - b'0'), text.get(1..)?));
    }
    rest.number().map(|value| (value, rest.0))
}

/// The bytes up to a space, at most 255 of them, and what is behind the space.
#[inline(always)]
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = Cursor(text.get(..256).unwrap_or(text));
    let word = rest.word();
    if word.is_empty() || rest.0.is_empty() { None } else { Some((word, text.get(word.len() + 1..)?)) }
}

/// `kernel: `, `ulogd[77]: `: the name, and what is behind the space.
///
/// A name holds neither space nor colon, so that `Shorewall:net2fw:DROP: IN=` stays a prefix. Neither does it stand
/// right before `IN=`: then it is the whole prefix.
fn tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = word(text)?;
    let name = word.strip_suffix(b":")?;
    let name = match name.strip_suffix(b"]") {
        Some(inner) => {
            let open = inner.iter().rposition(|byte| *byte == b'[')?;
            let is_process = inner.get(open + 1..)?.iter().all(u8::is_ascii_digit);
            inner.get(..open).filter(|_| is_process)?
        }
        None => name,
    };
    let is_name = !name.is_empty() && name.len() <= 48 && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._/-@".contains(byte));
    let is_prefix = name != b"kernel" && (rest.starts_with(b"IN=") || rest.starts_with(b"OUT="));
    (is_name && !is_prefix).then_some((name, rest))
}

/// Whether a word can be the name of a machine. Some relays join several with commas.
fn is_host(word: &[u8]) -> bool {
    word.iter().all(|byte| IN_HOST.get(usize::from(*byte)) == Some(&true)) && !word.ends_with(b":")
}

/// Which bytes may be in the name of a machine.
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "checked by the compiler: it is evaluated there")]
const IN_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'.' | b'_' | b'-' | b':' | b',' | b'%');
        byte += 1;
    }
    table
};

/// What is behind the structured data of RFC 5424: `-`, or `[id name="value" …]` with `\"`, `\\` and `\]` in values.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return rest.strip_prefix(b" ").or(rest.is_empty().then_some(rest));
    }
    if text.first() != Some(&b'[') {
        return None;
    }
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b']' if !is_quoted => {
                let rest = text.get(at + 1..)?;
                match rest.first() {
                    Some(b'[') => {}
                    Some(b' ') => return rest.get(1..),
                    _ => return Some(rest),
                }
            }
            _ => {}
        }
    }
    None
}
