//! Time stamps of log lines: reading them, and what moment they mean.

use crate::cursor::Cursor;

/// The time stamp of a log line, as far as the line says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stamp {
    /// Time since boot: `/dev/kmsg`, `dmesg`.
    Uptime {
        /// Microseconds since boot.
        micros: u64,
    },
    /// Calendar time. Every field is in its range; the day exists in its month of the given year.
    Wall {
        /// RFC 3164 has none.
        year: Option<i32>,
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
        /// 0 to 60: a leap second is the second before it once more.
        second: u8,
        /// Microseconds of the second.
        micros: u32,
        /// Seconds east of UTC, where the line says so.
        offset_secs: Option<i32>,
    },
}

impl Stamp {
    /// Microseconds since the Unix epoch; since boot for [`Stamp::Uptime`].
    ///
    /// `year` and `offset_secs` (east of UTC) stand in for what the line does not say.
    #[must_use]
    pub fn unix_micros(self, year: i32, offset_secs: i32) -> i64 {
        match self {
            Self::Uptime { micros } => i64::try_from(micros).unwrap_or(i64::MAX),
            Self::Wall { year: stamped, month, day, hour, minute, second, micros, offset_secs: own } => {
                let days = days_from_civil(stamped.unwrap_or(year), month, day);
                let seconds = days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.min(59))
                    - i64::from(own.unwrap_or(offset_secs));
                seconds * 1_000_000 + i64::from(micros)
            }
        }
    }

    /// Reads the calendar stamp at the start of `text`, and says how long it is.
    ///
    /// Knows `Nov 22 07:11:01` (RFC 3164; also with a year behind the day or behind the time, with a fraction, and
    /// with the weekday in front), `2026-11-22T07:11:01.5+00:00` (RFC 3339; also a space for the `T`, an offset without
    /// colon or none at all) and `22/Nov/2026:07:11:01 +0100` (Proxmox). Never allocates.
    #[must_use]
    pub fn read_wall(text: &[u8]) -> Option<(Self, usize)> {
        let first = *text.first()?;
        let mut reader = Reader { rest: Cursor(text) };
        let stamp = if first.is_ascii_digit() {
            if text.get(2) == Some(&b'/') { reader.proxmox()? } else { reader.iso()? }
        } else {
            reader.traditional()?
        };
        // `2026-11-22T07:11:01x` is no stamp.
        matches!(reader.rest.0, [] | [b' ' | b']', ..]).then_some((stamp, text.len() - reader.rest.0.len()))
    }

    /// Reads `[ 2451.192320]` at the start of `text`: microseconds since boot, and the length with the brackets.
    #[must_use]
    pub fn read_uptime(text: &[u8]) -> Option<(u64, usize)> {
        let mut reader = Reader { rest: Cursor(text) };
        reader.byte(b'[')?;
        reader.rest.skip_spaces();
        let before = reader.rest.0.len();
        let seconds = reader.rest.number().filter(|_| before - reader.rest.0.len() <= 12)?;
        reader.byte(b'.')?;
        let micros = reader.rest.millionths()?;
        reader.byte(b']')?;
        Some((seconds * 1_000_000 + u64::from(micros), text.len() - reader.rest.0.len()))
    }
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// How many days a month has; February has 29 where the year is not known.
fn days_in_month(year: Option<i32>, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => match year {
            Some(year) if year % 4 != 0 || (year % 100 == 0 && year % 400 != 0) => 28,
            _ => 29,
        },
        _ => 31,
    }
}

/// Reads forward through a stamp.
struct Reader<'a> {
    rest: Cursor<'a>,
}

/// Hour, minute, second, microseconds.
type Clock = (u8, u8, u8, u32);

impl Reader<'_> {
    /// `Nov 22 07:11:01`, `Nov  2 2026 07:11:01`, `Sat Nov 22 07:11:01 2026`, `Nov 22 07:11:01.123 2026`.
    fn traditional(&mut self) -> Option<Stamp> {
        let month = self.month().or_else(|| {
            self.weekday()?;
            self.byte(b' ')?;
            self.month()
        })?;
        self.byte(b' ')?;
        self.byte(b' ');
        let day = self.one_or_two()?;
        self.byte(b' ')?;
        let before = self.year_and_space();
        let clock = self.clock()?;
        let year = before.or_else(|| {
            let start = self.rest;
            let year = self.byte(b' ').and_then(|()| self.year());
            // `07:11:01 2026 host`, not `07:11:01 2001:db8::1`.
            if year.is_some() && matches!(self.rest.0, [] | [b' ' | b']', ..]) {
                return year;
            }
            self.rest = start;
            None
        });
        stamp(year, month, day, clock, None)
    }

    /// `2026-11-22T07:11:01.123456+01:00`.
    fn iso(&mut self) -> Option<Stamp> {
        let year = self.year()?;
        self.byte(b'-')?;
        let month = self.two()?;
        self.byte(b'-')?;
        let day = self.two()?;
        self.byte(b'T').or_else(|| self.byte(b't')).or_else(|| self.byte(b' '))?;
        let clock = self.clock()?;
        let offset = self.offset();
        stamp(Some(year), month, day, clock, offset)
    }

    /// `22/Nov/2026:07:11:01 +0100`.
    fn proxmox(&mut self) -> Option<Stamp> {
        let day = self.two()?;
        self.byte(b'/')?;
        let month = self.month()?;
        self.byte(b'/')?;
        let year = self.year()?;
        self.byte(b':')?;
        let clock = self.clock()?;
        self.byte(b' ')?;
        let offset = self.offset()?;
        stamp(Some(year), month, day, clock, Some(offset))
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.rest.eat(&[byte]).then_some(())
    }

    #[inline(always)]
    fn two(&mut self) -> Option<u8> {
        self.rest.two_digits()
    }

    fn one_or_two(&mut self) -> Option<u8> {
        self.two().or_else(|| {
            let [digit @ b'0'..=b'9', ..] = self.rest.0 else { return None };
            self.rest.skip(1);
            Some(digit - b'0')
        })
    }

    fn year(&mut self) -> Option<i32> {
        let (century, year) = (self.two()?, self.two()?);
        Some(i32::from(century) * 100 + i32::from(year)).filter(|year| *year >= 1900)
    }

    fn year_and_space(&mut self) -> Option<i32> {
        if self.rest.0.get(4) != Some(&b' ') {
            return None;
        }
        let start = self.rest;
        let year = self.year().filter(|_| self.byte(b' ').is_some());
        if year.is_none() {
            self.rest = start;
        }
        year
    }

    fn month(&mut self) -> Option<u8> {
        let (name, rest) = self.rest.0.split_first_chunk()?;
        let month = month_of(*name)?;
        self.rest = Cursor(rest);
        Some(month)
    }

    fn weekday(&mut self) -> Option<()> {
        let (name, rest) = self.rest.0.split_first_chunk()?;
        if !matches!(name, b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun") {
            return None;
        }
        self.rest = Cursor(rest);
        Some(())
    }

    /// `07:11:01`, `07:11:01.123456`, `07:11:01,123`.
    fn clock(&mut self) -> Option<Clock> {
        let (hour, minute, second) = self.rest.clock()?;
        let micros = if self.byte(b'.').or_else(|| self.byte(b',')).is_some() { self.rest.millionths()? } else { 0 };
        (hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second, micros))
    }

    /// `Z`, `+01:00`, `-0500`, `+01`, in seconds; `None`, and nothing read, where there is none.
    fn offset(&mut self) -> Option<i32> {
        if self.byte(b'Z').or_else(|| self.byte(b'z')).is_some() {
            return Some(0);
        }
        let start = self.rest;
        let sign = if self.byte(b'+').is_some() {
            1
        } else if self.byte(b'-').is_some() {
            -1
        } else {
            return None;
        };
        let read = self.two().and_then(|hours| {
            self.byte(b':');
            let minutes = self.two().unwrap_or(0);
            (hours <= 18 && minutes < 60).then_some(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
        });
        if read.is_none() {
            self.rest = start;
        }
        read
    }
}

const fn month_of(name: [u8; 3]) -> Option<u8> {
    const fn word([a, b, c]: [u8; 3]) -> u32 {
        u32::from_be_bytes([0, a, b, c])
    }
    const JAN: u32 = word(*b"Jan");
    const FEB: u32 = word(*b"Feb");
    const MAR: u32 = word(*b"Mar");
    const APR: u32 = word(*b"Apr");
    const MAY: u32 = word(*b"May");
    const JUN: u32 = word(*b"Jun");
    const JUL: u32 = word(*b"Jul");
    const AUG: u32 = word(*b"Aug");
    const SEP: u32 = word(*b"Sep");
    const OCT: u32 = word(*b"Oct");
    const NOV: u32 = word(*b"Nov");
    const DEC: u32 = word(*b"Dec");
    Some(match word(name) {
        JAN => 1,
        FEB => 2,
        MAR => 3,
        APR => 4,
        MAY => 5,
        JUN => 6,
        JUL => 7,
        AUG => 8,
        SEP => 9,
        OCT => 10,
        NOV => 11,
        DEC => 12,
        _ => return None,
    })
}

fn stamp(year: Option<i32>, month: u8, day: u8, (hour, minute, second, micros): Clock, offset_secs: Option<i32>) -> Option<Stamp> {
    ((1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month)).then_some(Stamp::Wall {
        year,
        month,
        day,
        hour,
        minute,
        second,
        micros,
        offset_secs,
    })
}
