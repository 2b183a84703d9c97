//! Event time for text logs.
//!
//! A log file is not a clock: lines come late or twice, the clock of the machine was set, daylight saving ended,
//! anybody can write a stamp with `logger`. So time advances by the differences between stamps, never runs back, and
//! a large step must be confirmed by the lines behind it.

use crate::{record::Record, stamp::Stamp, tick::Tick};

/// A step of more than this must be confirmed; an hour, since that is what daylight saving does.
const LARGE_STEP_MICROS: i64 = 3600 * 1_000_000;

/// How many of the following stamps must confirm a large step.
const WITNESSES: usize = 3;

/// How far lines may come out of order without a step back being suspected: writers on several cores, and the whole
/// seconds of RFC 3164.
const DISORDER_MICROS: i64 = 60 * 1_000_000;

/// How far the kernel's clock and the calendar stamp of one line may drift apart before the calendar is believed: it
/// has whole seconds, and a daemon adds some delay. Suspend stops the kernel's log clock and shows up here.
const DRIFT_MICROS: i64 = 2 * 1_000_000;

/// A stamp without year that lies so far behind the one before it is from the next year: 180 days.
const NEW_YEAR_MICROS: i64 = 180 * 86_400 * 1_000_000;

/// When a record was written, by both clocks that a line can bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As [`Record::stamp`].
    pub stamp: Stamp,
    /// As [`Record::uptime`].
    pub uptime: Option<u64>,
}

impl Moment {
    /// The moment of a record, if its line says one.
    #[must_use]
    pub fn of(record: &Record<'_>) -> Option<Self> {
        record.stamp.map(|stamp| Self { stamp, uptime: record.uptime })
    }
}

/// Turns the stamps of a log into ticks.
///
/// Ticks are microseconds since the Unix epoch where the log has calendar time, and since boot where it only has
/// the kernel's. They never decrease. The same lines give the same ticks.
///
/// - A step back counts as none. One of more than a minute moves the clock's idea of "now" back if the next three
///   stamps confirm it (the clock was set, daylight saving ended, the machine booted), and is ignored otherwise.
/// - A step forward of more than an hour counts when the next three stamps confirm it, and is ignored otherwise.
/// - A calendar stamp is refined by the kernel's, which has microseconds, while the two agree.
/// - A stamp without year is of the year of the one before it, or of the next where that fits better.
#[derive(Clone, Debug)]
pub struct ReplayClock {
    year: i32,
    offset_secs: i32,
    tick: Tick,
    last: Option<Reading>,
    /// Calendar time minus uptime, of the last line that had both.
    boot: Option<i64>,
    /// The last calendar stamp, a year for it, and when that is: the next ones are often the same.
    same: Option<(Stamp, i32, i64)>,
}

/// A stamp on one of the two lines of time, which cannot be compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    micros: i64,
    is_wall: bool,
    /// The year of a calendar stamp.
    year: i32,
    /// What the stamp says alone.
    stamp_micros: i64,
}

impl ReplayClock {
    /// `year` is that of the first stamp without one; `offset_secs` (east of UTC) stands in where a stamp has none.
    #[must_use]
    pub const fn new(year: i32, offset_secs: i32) -> Self {
        Self { year, offset_secs, tick: Tick::ZERO, last: None, boot: None, same: None }
    }

    /// The tick of the next record.
    ///
    /// `moment` is what its line says, `None` where it says nothing: then no time has passed. `ahead` gives the moments of
    /// the lines behind it, in order, and is asked at most three times, after a large step only. Where it gives fewer
    /// (end of the log) those decide; where it gives none, the step counts.
    pub fn tick(&mut self, moment: Option<Moment>, ahead: impl IntoIterator<Item = Moment>) -> Tick {
        let Some(moment) = moment else { return self.tick };
        let now = self.reading(moment);
        if now.is_wall {
            self.same = Some((moment.stamp, now.year, now.stamp_micros));
        }
        let Some(last) = self.last.filter(|last| last.is_wall == now.is_wall) else {
            // The first stamp of its kind sets the clock, but not back.
            self.tick = self.tick.max(Tick::from_micros(u64::try_from(now.micros).unwrap_or(0)));
            self.accept(moment, now);
            return self.tick;
        };
        let step = now.micros.saturating_sub(last.micros);
        if !(-DISORDER_MICROS..=LARGE_STEP_MICROS).contains(&step) {
            // A witness stands with the new time rather than with the old one.
            let halfway = last.micros.saturating_add(step / 2);
            let mut witnesses = ahead.into_iter().take(WITNESSES).map(|moment| self.reading(moment));
            let is_confirmed = witnesses.all(|other| other.is_wall != now.is_wall || (other.micros > halfway) == (step > 0));
            if !is_confirmed {
                return self.tick;
            }
        }
        if step >= 0 {
            self.tick = Tick::from_micros(self.tick.as_micros().saturating_add(step.unsigned_abs()));
            self.accept(moment, now);
        } else if step < -DISORDER_MICROS {
            self.accept(moment, now);
        }
        self.tick
    }

    /// A stamp was accepted. Before that, ticks mean nothing.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// The year of the last accepted stamp, or the one given for the first.
    #[must_use]
    pub const fn year(&self) -> i32 {
        self.year
    }

    fn accept(&mut self, moment: Moment, reading: Reading) {
        self.last = Some(reading);
        if reading.is_wall {
            self.year = reading.year;
            self.boot = moment.uptime.and_then(|uptime| i64::try_from(uptime).ok()).map(|uptime| reading.micros.saturating_sub(uptime));
        }
    }

    /// Where a moment lies, by the better of its clocks.
    fn reading(&self, moment: Moment) -> Reading {
        if let Stamp::Uptime { .. } = moment.stamp {
            let micros = moment.stamp.unix_micros(0, 0);
            return Reading { micros, is_wall: false, year: self.year, stamp_micros: micros };
        }
        let (year, wall) = self.wall(moment.stamp);
        let refined = match (self.boot, moment.uptime.and_then(|uptime| i64::try_from(uptime).ok())) {
            (Some(boot), Some(uptime)) => boot.checked_add(uptime).filter(|refined| refined.abs_diff(wall) <= DRIFT_MICROS.unsigned_abs()),
            _ => None,
        };
        Reading { micros: refined.unwrap_or(wall), is_wall: true, year, stamp_micros: wall }
    }

    /// Where a calendar stamp lies, in its own year or in the one that puts it nearest behind the last one.
    fn wall(&self, stamp: Stamp) -> (i32, i64) {
        let in_year = |year| match self.same {
            Some((same, its_year, micros)) if same == stamp && its_year == year => (year, micros),
            _ => (year, stamp.unix_micros(year, self.offset_secs)),
        };
        if let Stamp::Wall { year: Some(year), .. } = stamp {
            return in_year(year);
        }
        let same = in_year(self.year);
        match self.last.filter(|last| last.is_wall) {
            Some(last) if same.1.saturating_sub(last.micros) < -NEW_YEAR_MICROS => in_year(self.year + 1),
            // A late line of the old year, behind the first of the new one.
            Some(last) if same.1.saturating_sub(last.micros) > NEW_YEAR_MICROS => in_year(self.year - 1),
            _ => same,
        }
    }
}
