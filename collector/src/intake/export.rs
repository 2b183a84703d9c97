//! Reads the stream that `journalctl --output=export` writes.
//!
//! Source of its form: <https://systemd.io/JOURNAL_EXPORT_FORMATS>. A field is `NAME=text` and a newline, or, where the
//! text is no plain text, `NAME`, a newline, its length as 64 bits little endian, its bytes and a newline. An empty line
//! ends a record. It is given away with that line: nothing waits for the next record.

use super::lines::MAX_LINE;

/// The longest text of a field that is kept besides MESSAGE, bytes. The longest known is a cursor, some 150.
const MAX_FIELD: usize = 512;
/// The longest name of a field, bytes: journald takes 64 (systemd `journal_field_valid()`).
const MAX_NAME: usize = 64;
/// journald stores no field of more than 768 MiB (systemd `DATA_SIZE_MAX`): what claims more is no record.
const MAX_BINARY: u64 = 768 << 20;

/// The fields that say something here. Those with two underscores stand for the place of a record, those with one
/// were set by journald itself and by nobody else (systemd.journal-fields(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Message,
    Transport,
    Priority,
    Facility,
    Cursor,
    Realtime,
    Monotonic,
    SourceMonotonic,
    Boot,
    MessageId,
}

impl Field {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"MESSAGE" => Self::Message,
            b"_TRANSPORT" => Self::Transport,
            b"PRIORITY" => Self::Priority,
            b"SYSLOG_FACILITY" => Self::Facility,
            b"__CURSOR" => Self::Cursor,
            b"__REALTIME_TIMESTAMP" => Self::Realtime,
            b"__MONOTONIC_TIMESTAMP" => Self::Monotonic,
            b"_SOURCE_MONOTONIC_TIMESTAMP" => Self::SourceMonotonic,
            b"_BOOT_ID" => Self::Boot,
            b"MESSAGE_ID" => Self::MessageId,
            _ => return None,
        })
    }

    const fn limit(self) -> usize {
        match self {
            Self::Message => MAX_LINE,
            _ => MAX_FIELD,
        }
    }
}

/// How a record came into the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Through `/dev/kmsg`: from the kernel, or from a program that may write there. The facility tells them apart.
    Kernel,
    /// journald itself says something.
    Driver,
    /// Anything else.
    #[default]
    Other,
}

/// One record of the journal.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// `MESSAGE`, any bytes, at most [`MAX_LINE`].
    pub message: Vec<u8>,
    /// `_TRANSPORT`
    pub transport: Transport,
    /// `PRIORITY`: 0 to 7.
    pub priority: Option<u8>,
    /// `SYSLOG_FACILITY`: 0 is the kernel.
    pub facility: Option<u8>,
    /// `__CURSOR`: where to go on after this record.
    pub cursor: Vec<u8>,
    /// `__REALTIME_TIMESTAMP`: when journald took it, microseconds since 1970.
    pub realtime: Option<u64>,
    /// `__MONOTONIC_TIMESTAMP`: the same on the clock that counts from boot.
    pub monotonic: Option<u64>,
    /// `_SOURCE_MONOTONIC_TIMESTAMP`: the kernel's own stamp, microseconds since boot.
    pub source_monotonic: Option<u64>,
    /// `_BOOT_ID`
    pub boot: Option<u128>,
    /// `MESSAGE_ID`
    pub message_id: Option<u128>,
    /// One of these fields was too long to be kept.
    pub is_too_long: bool,
    /// One of these fields is not what it should be, or is there twice.
    pub is_malformed: bool,
    /// Has it any field, known or not?
    pub(super) has_any: bool,
    /// Which of these fields it had, a bit for each.
    pub(super) seen: u16,
}

impl Entry {
    /// Everything but the memory.
    fn clear(&mut self) {
        let (mut message, mut cursor) = (std::mem::take(&mut self.message), std::mem::take(&mut self.cursor));
        message.clear();
        cursor.clear();
        *self = Self { message, cursor, ..Self::default() };
    }

    /// Without a `value` it was too long.
    fn set(&mut self, field: Field, value: Option<&[u8]>) {
        let bit = 1_u16 << field as u16;
        if self.seen & bit != 0 {
            // Which one would count? journald writes none of these twice for a line of the kernel.
            self.is_malformed = true;
            return;
        }
        self.seen |= bit;
        let Some(value) = value.filter(|value| value.len() <= field.limit()) else {
            self.is_too_long = true;
            return;
        };
        let is_good = match field {
            Field::Message => {
                self.message.extend_from_slice(value);
                true
            }
            Field::Cursor => {
                self.cursor.extend_from_slice(value);
                // It becomes an argument of a program.
                value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b';'))
            }
            Field::Transport => {
                self.transport = match value {
                    b"kernel" => Transport::Kernel,
                    b"driver" => Transport::Driver,
                    _ => Transport::Other,
                };
                true
            }
            Field::Priority => set(&mut self.priority, number(value)),
            Field::Facility => set(&mut self.facility, number(value)),
            Field::Realtime => set(&mut self.realtime, number(value)),
            Field::Monotonic => set(&mut self.monotonic, number(value)),
            Field::SourceMonotonic => set(&mut self.source_monotonic, number(value)),
            Field::Boot => set(&mut self.boot, id(value)),
            Field::MessageId => set(&mut self.message_id, id(value)),
        };
        self.is_malformed |= !is_good;
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

/// The stream is not in this form, or is no longer: nobody knows where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("journalctl wrote something that is not its export format")]
pub struct Broken;

/// Puts records together from the pieces of a stream.
#[derive(Debug, Default)]
pub struct Export {
    entry: Entry,
    /// A line whose end has not come, or the beginning of a text that is kept.
    partial: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// In a line.
    #[default]
    Line,
    /// In a line that is too long; which field that is.
    LongLine(Option<Field>),
    /// In the length of a binary field.
    Length(Option<Field>),
    /// In a binary field: so many bytes come, of so many in all.
    Binary(Option<Field>, u64, u64),
    /// Behind a binary field, before its newline.
    End,
}

impl Export {
    /// Takes the next bytes and gives `each` every record that they complete.
    ///
    /// Memory is bounded whatever the bytes are: [`MAX_LINE`] for a message and one field, and 512 bytes for a cursor.
    ///
    /// # Errors
    /// [`Broken`]: nothing can be read from this stream any more.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&Entry)) -> Result<(), Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Line => self.line(rest, &mut each)?,
                State::LongLine(field) => self.long_line(field, rest),
                State::Length(field) => self.length(field, rest)?,
                State::Binary(field, left, all) => self.binary(field, left, all, rest),
                State::End => {
                    let (first, after) = rest.split_first().ok_or(Broken)?;
                    self.state = State::Line;
                    if *first == b'\n' { after } else { return Err(Broken) }
                }
            };
        }
        Ok(())
    }

    fn line<'a>(&mut self, bytes: &'a [u8], each: &mut impl FnMut(&Entry)) -> Result<&'a [u8], Broken> {
        let Some(at) = memchr::memchr(b'\n', bytes) else {
            self.partial.extend_from_slice(bytes);
            if self.partial.len() > MAX_NAME + 1 + MAX_LINE {
                let (name, _) = split(&self.partial).ok_or(Broken)?;
                self.state = State::LongLine(Field::of(name));
                self.entry.has_any = true;
                self.partial.clear();
            }
            return Ok(&[]);
        };
        let (line, rest) = bytes.split_at(at);
        let rest = rest.get(1..).unwrap_or_default();
        if self.partial.is_empty() {
            self.whole_line(line, each)?;
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            partial.extend_from_slice(line);
            let read = self.whole_line(&partial, each);
            partial.clear();
            self.partial = partial;
            read?;
        }
        Ok(rest)
    }

    fn whole_line(&mut self, line: &[u8], each: &mut impl FnMut(&Entry)) -> Result<(), Broken> {
        if line.is_empty() {
            if self.entry.has_any {
                each(&self.entry);
            }
            self.entry.clear();
            return Ok(());
        }
        self.entry.has_any = true;
        match split(line) {
            Some((name, value)) => {
                if let Some(field) = Field::of(name) {
                    self.entry.set(field, Some(value));
                }
            }
            None if is_name(line) => self.state = State::Length(Field::of(line)),
            None => return Err(Broken),
        }
        Ok(())
    }

    fn long_line<'a>(&mut self, field: Option<Field>, bytes: &'a [u8]) -> &'a [u8] {
        let Some(at) = memchr::memchr(b'\n', bytes) else { return &[] };
        if let Some(field) = field {
            self.entry.set(field, None);
        }
        self.state = State::Line;
        bytes.get(at + 1..).unwrap_or_default()
    }

    fn length<'a>(&mut self, field: Option<Field>, bytes: &'a [u8]) -> Result<&'a [u8], Broken> {
        let (now, rest) = bytes.split_at(bytes.len().min(8 - self.partial.len().min(8)));
        self.partial.extend_from_slice(now);
        if let Ok(length) = <[u8; 8]>::try_from(self.partial.as_slice()) {
            let length = u64::from_le_bytes(length);
            self.partial.clear();
            if length > MAX_BINARY {
                return Err(Broken);
            }
            self.state = State::Binary(field, length, length);
            if length == 0 {
                self.binary(field, 0, 0, &[]);
            }
        }
        Ok(rest)
    }

    fn binary<'a>(&mut self, field: Option<Field>, left: u64, all: u64, bytes: &'a [u8]) -> &'a [u8] {
        let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (now, rest) = bytes.split_at(count);
        let left = left - count as u64;
        let kept = field.filter(|field| all <= field.limit() as u64);
        if kept.is_some() {
            self.partial.extend_from_slice(now);
        }
        self.state = State::Binary(field, left, all);
        if left == 0 {
            if let Some(field) = field {
                self.entry.set(field, kept.map(|_| self.partial.as_slice()));
            }
            self.partial.clear();
            self.state = State::End;
        }
        rest
    }
}

/// `NAME=value`, if the name may be one.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', line.get(..line.len().min(MAX_NAME + 1)).unwrap_or_default())?;
    let (name, value) = line.split_at(at);
    is_name(name).then_some((name, value.get(1..).unwrap_or_default()))
}

fn is_name(name: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// A decimal number and nothing else.
pub(super) fn number<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    if digits.is_empty() {
        return None;
    }
    let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit.is_ascii_digit().then(|| digit - b'0')?));
    T::try_from(digits.iter().try_fold(0, add)?).ok()
}

/// 32 hexadecimal digits.
fn id(digits: &[u8]) -> Option<u128> {
    let add = |number: u128, digit: &u8| Some(number << 4 | u128::from(char::from(*digit).to_digit(16)?));
    if digits.len() == 32 { digits.iter().try_fold(0, add) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(name: &str, value: &[u8]) -> Vec<u8> {
        [name.as_bytes(), b"\n", &(value.len() as u64).to_le_bytes(), value, b"\n"].concat()
    }

    /// Message, transport, facility, too long, malformed of every record.
    type Seen = (Vec<u8>, Transport, Option<u8>, bool, bool);

    fn read(chunks: &[&[u8]]) -> (Vec<Seen>, Result<(), Broken>) {
        let (mut export, mut seen) = (Export::default(), Vec::new());
        let each = |seen: &mut Vec<Seen>, entry: &Entry| {
            seen.push((entry.message.clone(), entry.transport, entry.facility, entry.is_too_long, entry.is_malformed));
        };
        let end = chunks.iter().try_for_each(|chunk| export.feed(chunk, |entry| each(&mut seen, entry)));
        assert!(export.partial.len() <= MAX_NAME + 1 + MAX_LINE + chunks.iter().map(|chunk| chunk.len()).max().unwrap_or(0));
        assert!(export.entry.message.len() <= MAX_LINE && export.entry.cursor.len() <= MAX_FIELD);
        (seen, end)
    }

    /// As journalctl 252 wrote it.
    const REAL: &[u8] = b"__CURSOR=s=aa7b4deadef245e992365eed2c325f36;i=5a;b=580d7e10671f4bb9aea2312b42f69078;m=494d72213;t=661263f14d3df;x=4fbaf8638d506abf\n\
        __REALTIME_TIMESTAMP=1795666755245023\n__MONOTONIC_TIMESTAMP=19676996115\n_BOOT_ID=580d7e10671f4bb9aea2312b42f69078\n_TRANSPORT=kernel\n\
        _SOURCE_MONOTONIC_TIMESTAMP=19676988689\nPRIORITY=4\nSYSLOG_FACILITY=0\nMESSAGE=DROP IN=eth0 OUT=\n\n";

    #[test]
    fn a_record_is_read_field_by_field_and_given_away_with_its_empty_line() {
        let (mut export, mut records) = (Export::default(), 0);
        export.feed(&REAL[..REAL.len() - 1], |_| records += 1).unwrap();
        assert_eq!(records, 0);
        export.feed(b"\n", |_| records += 1).unwrap();
        assert_eq!(records, 1);
        export
            .feed(REAL, |entry| {
                assert_eq!(entry.message, b"DROP IN=eth0 OUT=");
                assert_eq!((entry.transport, entry.priority, entry.facility), (Transport::Kernel, Some(4), Some(0)));
                assert_eq!(
                    (entry.realtime, entry.monotonic, entry.source_monotonic),
                    (Some(1_795_666_755_245_023), Some(19_676_996_115), Some(19_676_988_689))
                );
                assert_eq!(entry.boot, Some(0x580d_7e10_671f_4bb9_aea2_312b_42f6_9078));
                assert!(entry.cursor.starts_with(b"s=aa7b") && entry.cursor.ends_with(b"506abf"));
                assert!(!entry.is_malformed && !entry.is_too_long);
                records += 1;
            })
            .unwrap();
        assert_eq!(records, 2);
    }

    #[test]
    fn wherever_it_is_cut_the_records_are_the_same() {
        let text =
            [REAL, &binary("MESSAGE", b"a\n\n_TRANSPORT=kernel\n\nb"), b"_TRANSPORT=driver\n\n", &binary("MESSAGE", b""), b"\n"].concat();
        let whole = read(&[&text]);
        assert_eq!(whole.1, Ok(()));
        assert_eq!(whole.0.len(), 3);
        assert_eq!(whole.0[1].1, Transport::Driver, "what is inside a text is no field");
        for at in 0..text.len() {
            assert_eq!(read(&[&text[..at], &text[at..]]), whole, "cut at {at}");
        }
        assert_eq!(read(&text.iter().map(std::slice::from_ref).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn a_long_message_is_counted_and_the_next_record_is_read() {
        let long = vec![b'x'; MAX_LINE + 1];
        let text =
            [b"_TRANSPORT=kernel\nMESSAGE=", &long[..], b"\n\n", b"_TRANSPORT=kernel\n", &binary("MESSAGE", &long), b"\n", REAL].concat();
        for size in [1, 7, 4096, text.len()] {
            let (seen, end) = read(&text.chunks(size).collect::<Vec<_>>());
            assert_eq!(end, Ok(()));
            assert_eq!(seen.iter().map(|record| (record.0.len(), record.3)).collect::<Vec<_>>(), [(0, true), (0, true), (17, false)]);
        }
        let text = [b"MESSAGE=", &long[1..], b"\n\n"].concat();
        assert_eq!(read(&[&text]).0[0].0.len(), MAX_LINE);
    }

    #[test]
    fn a_long_field_that_nobody_needs_does_no_harm() {
        let text = [b"_KERNEL_X=", &vec![b'x'; 100_000][..], b"\n", &binary("COREDUMP", &vec![0; 100_000]), REAL].concat();
        for size in [100, 5000] {
            assert!(!read(&text.chunks(size).collect::<Vec<_>>()).0[0].3);
        }
    }

    #[test]
    fn a_field_that_is_there_twice_or_is_no_number_makes_a_record_doubtful() {
        for text in [
            "_TRANSPORT=kernel\n_TRANSPORT=kernel\n\n",
            "SYSLOG_FACILITY=256\n\n",
            "SYSLOG_FACILITY=\n\n",
            "PRIORITY=+4\n\n",
            "__REALTIME_TIMESTAMP=99999999999999999999\n\n",
            "_BOOT_ID=580d\n\n",
            "__CURSOR=s=1 --file=/x\n\n",
        ] {
            let (seen, end) = read(&[text.as_bytes()]);
            assert!(end.is_ok() && seen.len() == 1 && seen[0].4, "{text}");
        }
    }

    #[test]
    fn what_is_no_export_stream_is_an_error_and_takes_no_memory() {
        let huge = [b"MESSAGE\n", &(MAX_BINARY + 1).to_le_bytes()[..]].concat();
        let unended = [&binary("MESSAGE", b"x")[..], b"MESSAGE"].concat();
        for text in [&b"No journal files were found.\n"[..], b"=x\n", b"lower=1\n", &[0xff; 20_000], &huge, &unended[..10].repeat(3)] {
            assert_eq!(read(&[text]).1, Err(Broken), "{:?}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn empty_lines_are_no_records() {
        assert_eq!(read(&[b"\n\n\n"]), (vec![], Ok(())));
    }
}
