//! Moments and spans, as people and JSON write them.

use firebell_engine::tick::Tick;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use std::time::Duration;

/// Uptime is no calendar: what lies before 1980 was counted from boot. No netfilter log is that old (Linux 2.4 is of 2001).
const FIRST_CALENDAR: Tick = Tick::from_secs(10 * 365 * 86_400);

/// RFC 3339 in UTC, with microseconds: `2026-11-22T07:36:51.192320Z`.
pub(crate) fn rfc3339(tick: Tick) -> String {
    let timestamp =
        i64::try_from(tick.as_micros()).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or(Timestamp::MAX);
    format!("{timestamp:.6}")
}

/// Whether a moment was counted from boot.
pub(crate) fn is_uptime(tick: Tick) -> bool {
    tick < FIRST_CALENDAR
}

/// For people: `2026-11-22 07:36:51`, or `2451.192 s after boot`.
pub(crate) fn plain(tick: Tick) -> String {
    if is_uptime(tick) {
        let secs = Duration::from_micros(tick.as_micros()).as_secs_f64();
        return format!("{secs:.3} s after boot");
    }
    let text = rfc3339(tick);
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

/// For people, two units at most: `4 s`, `3 min 22 s`, `5 h 1 min`, `12 d 3 h`.
pub(crate) fn span(span: Duration) -> String {
    let secs = span.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
    };
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => two(secs / 60, "min", secs % 60, "s"),
        3600..86_400 => two(secs / 3600, "h", secs / 60 % 60, "min"),
        _ => two(secs / 86_400, "d", secs / 3600 % 24, "h"),
    }
}

/// A time zone for stamps that name none: `UTC`, `local`, `Europe/Berlin`, `+01:00`.
///
/// # Errors
/// What was expected.
pub(crate) fn zone(text: &str) -> Result<TimeZone, String> {
    match text {
        "local" => return Ok(TimeZone::system()),
        // Known without a time zone database, which a small system may not have.
        "UTC" => return Ok(TimeZone::UTC),
        _ => {}
    }
    if let Some(offset) = offset(text) {
        return Ok(offset.to_time_zone());
    }
    TimeZone::get(text)
        .map_err(|_| format!("'{text}' is no time zone here; use local, UTC, an offset such as +01:00 or a name such as Europe/Berlin"))
}

/// `+01:00`, `-0530`, `+2`.
fn offset(text: &str) -> Option<jiff::tz::Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number =
        |digits: &str| digits.parse::<i32>().ok().filter(|_| digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let secs = number(hours)? * 3600 + number(minutes).filter(|minutes| *minutes < 60)? * 60;
    jiff::tz::Offset::from_seconds(sign * secs).ok()
}

/// This moment.
pub(crate) fn now() -> Tick {
    Tick::from_micros(u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0))
}

/// A moment as people give it: `2026-11-22`, `2026-11-22 08:15`, `2026-11-22T08:15:00+01:00`, or so long ago: `30m`, `6h`, `7d`.
/// Without a zone it is UTC, as everything that is printed.
///
/// # Errors
/// What was expected.
pub(crate) fn moment(text: &str) -> Result<Tick, String> {
    let tick = |micros: i64| u64::try_from(micros).map(Tick::from_micros).map_err(|_| format!("'{text}' lies before 1970"));
    if let Some((digits, unit)) = text.split_at_checked(text.len().saturating_sub(1))
        && let Ok(count) = digits.parse::<u32>()
        && let Some(secs) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)].iter().find(|(name, _)| *name == unit).map(|(_, secs)| secs)
    {
        return Ok(Tick::from_micros(now().as_micros().saturating_sub(u64::from(count) * secs * 1_000_000)));
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return tick(timestamp.as_microsecond());
    }
    let local = text.parse::<civil::DateTime>().or_else(|_| text.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)));
    match local.ok().and_then(|local| TimeZone::UTC.to_timestamp(local).ok()) {
        Some(timestamp) => tick(timestamp.as_microsecond()),
        None => Err(format!("'{text}' is no moment; write 2026-11-22, 2026-11-22T08:15Z, or how long ago: 30m, 6h, 7d")),
    }
}

/// How many seconds east of UTC a zone is at a local time; where a clock was turned, by the rule before.
pub(crate) fn offset_at(zone: &TimeZone, local: civil::DateTime) -> i32 {
    zone.to_ambiguous_zoned_datetime(local).compatible().map_or(0, |zoned| zoned.offset().seconds())
}

/// The year of a moment since the Unix epoch.
pub(crate) fn year_of(moment: Duration) -> i32 {
    SignedDuration::try_from(moment)
        .and_then(Timestamp::from_duration)
        .map_or(1970, |moment| i32::from(TimeZone::UTC.to_datetime(moment).year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_with_microseconds() {
        assert_eq!(rfc3339(Tick::from_micros(1_795_331_461_000_500)), "2026-11-22T07:11:01.000500Z");
        assert_eq!(rfc3339(Tick::ZERO), "1970-01-01T00:00:00.000000Z");
        assert!(rfc3339(Tick::from_micros(u64::MAX)).starts_with("9999-"));
        assert_eq!(plain(Tick::from_secs(1_795_331_461)), "2026-11-22 07:11:01");
        assert_eq!(plain(Tick::from_micros(2_451_192_320)), "2451.192 s after boot");
    }

    #[test]
    fn moments_are_given_as_dates_times_or_how_long_ago() {
        let at = |text: &str| rfc3339(moment(text).unwrap());
        assert_eq!(at("2026-11-22"), "2026-11-22T00:00:00.000000Z");
        assert_eq!(at("2026-11-22 08:15"), "2026-11-22T08:15:00.000000Z");
        assert_eq!(at("2026-11-22T08:15:00+01:00"), "2026-11-22T07:15:00.000000Z");
        let hour = now().since(moment("60m").unwrap());
        assert!((3590..3610).contains(&hour.as_secs()));
        assert!(moment("7d").unwrap() < moment("6h").unwrap());
        for bad in ["", "yesterday", "1969-07-20", "2026-13-01", "-5m", "5", "m", "5y"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (secs, text) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (202, "3 min 22 s"), (18_060, "5 h 1 min"), (1_047_600, "12 d 3 h")] {
            assert_eq!(span(Duration::from_secs(secs)), text);
        }
    }

    #[test]
    fn zones_are_names_or_offsets() {
        let july = civil::date(2026, 7, 1).at(12, 0, 0, 0);
        for (text, secs) in [("UTC", 0), ("+01:00", 3600), ("-0530", -19_800), ("+2", 7200), ("Europe/Berlin", 7200)] {
            assert_eq!(offset_at(&zone(text).unwrap(), july), secs, "{text}");
        }
        for bad in ["", "Mars/Olympus", "+99:00", "+1:60", "+x", "+01:+1"] {
            assert!(zone(bad).is_err(), "{bad}");
        }
    }
}
