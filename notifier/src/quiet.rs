//! When it is to be quiet: hours that the user names, do-not-disturb, a locked screen. Pure: what time it is, and what the desktop
//! says, come in as values.

use crate::ledger::Quiet;
use firebell_shared::severity::Severity;
use serde::Deserialize;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;
/// So many spans of quiet hours are enough for anybody.
pub(crate) const MAX_HOURS: usize = 32;

/// What the user chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) hours: Vec<Hours>,
    /// What is at least so severe comes all the same.
    pub(crate) from: Severity,
    /// Keep still while the desktop's own do-not-disturb is on.
    pub(crate) obeys_do_not_disturb: bool,
    pub(crate) when_locked: WhenLocked,
}

/// What to do while the screen is locked.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WhenLocked {
    /// As always.
    Show,
    /// Show popups without addresses.
    HideAddresses,
    /// Wait until somebody is back. What comes all the same has no addresses.
    Hold,
}

/// What the desktop says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Desk {
    pub(crate) is_locked: bool,
    pub(crate) does_not_disturb: bool,
}

/// A minute of the week, from Monday 00:00 on, in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minute(u16);

impl Minute {
    /// `weekday` 0 is Monday. What is out of range wraps around.
    pub(crate) fn new(weekday: u16, hour: u16, minute: u16) -> Self {
        Self(((weekday % 7) * DAY + (hour % 24) * 60 + minute % 60) % WEEK)
    }
}

/// One span of quiet hours: `22:00-07:00`, `sat-sun 00:00-24:00`, `mon,wed 12:00-13:00`. Over midnight it belongs to the day on
/// which it begins.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(crate) struct Hours {
    /// Mondays first.
    days: [bool; 7],
    /// Minutes of the day; `from` below 24:00.
    from: u16,
    /// How long.
    minutes: u16,
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        read(&text).ok_or_else(|| {
            "these are no quiet hours; write \"22:00-07:00\", with days in front where not every day: \"mon-fri 22:00-07:00\", \
             \"sat,sun 00:00-24:00\""
                .to_owned()
        })
    }
}

fn read(text: &str) -> Option<Hours> {
    let (days, span) = match text.trim().rsplit_once(' ') {
        Some((days, span)) => (read_days(days.trim())?, span),
        None => ([true; 7], text.trim()),
    };
    let (from, to) = span.split_once('-')?;
    let (from, to) = (read_time(from)?, read_time(to)?);
    if from == to || from >= DAY {
        return None;
    }
    Some(Hours { days, from, minutes: if to > from { to - from } else { to + DAY - from } })
}

fn read_time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    if !text.is_ascii() || hour.len() > 2 || minute.len() != 2 || text.contains(['+', '-']) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour * 60 + minute <= DAY && minute < 60).then_some(hour * 60 + minute)
}

fn read_days(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name.trim());
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        for n in 0..=(last + 7 - first) % 7 {
            *days.get_mut((first + n) % 7)? = true;
        }
    }
    Some(days)
}

impl Hours {
    fn holds(&self, Minute(now): Minute) -> bool {
        let starts = self.days.iter().zip((0..).step_by(usize::from(DAY))).filter(|(is_on, _)| **is_on);
        starts.map(|(_, midnight)| midnight + self.from).any(|start: u16| (now + WEEK - start % WEEK) % WEEK < self.minutes)
    }
}

/// Is it a quiet hour?
pub(crate) fn is_quiet_hour(hours: &[Hours], now: Minute) -> bool {
    hours.iter().any(|hours| hours.holds(now))
}

/// In how many minutes that changes; `None` where it never does.
pub(crate) fn minutes_to_change(hours: &[Hours], Minute(now): Minute) -> Option<u16> {
    if hours.is_empty() {
        return None;
    }
    let is_quiet = is_quiet_hour(hours, Minute(now));
    (1..=WEEK).find(|minutes| is_quiet_hour(hours, Minute((now + minutes) % WEEK)) != is_quiet)
}

/// What that means for popups.
pub(crate) fn quiet(settings: &Settings, is_quiet_hour: bool, desk: Desk) -> Quiet {
    let is_held = is_quiet_hour
        || (desk.does_not_disturb && settings.obeys_do_not_disturb)
        || (desk.is_locked && settings.when_locked == WhenLocked::Hold);
    Quiet { below: is_held.then_some(settings.from), is_veiled: desk.is_locked && settings.when_locked != WhenLocked::Show }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hours(text: &str) -> Hours {
        Hours::try_from(text.to_owned()).unwrap()
    }

    const MONDAY: u16 = 0;
    const FRIDAY: u16 = 4;
    const SATURDAY: u16 = 5;
    const SUNDAY: u16 = 6;

    #[test]
    fn a_night_goes_over_midnight_and_over_the_end_of_the_week() {
        let nights = [hours("22:00-07:00")];
        for (day, hour, minute, expected) in [
            (MONDAY, 21, 59, false),
            (MONDAY, 22, 0, true),
            (SUNDAY, 23, 59, true),
            (MONDAY, 0, 0, true),
            (MONDAY, 6, 59, true),
            (MONDAY, 7, 0, false),
        ] {
            assert_eq!(is_quiet_hour(&nights, Minute::new(day, hour, minute)), expected, "{day} {hour}:{minute}");
        }
        assert_eq!(minutes_to_change(&nights, Minute::new(SUNDAY, 22, 0)), Some(9 * 60));
        assert_eq!(minutes_to_change(&nights, Minute::new(SUNDAY, 7, 0)), Some(15 * 60));
    }

    #[test]
    fn days_are_those_on_which_the_span_begins() {
        let workdays = [hours("mon-fri 22:00-07:00")];
        assert!(is_quiet_hour(&workdays, Minute::new(SATURDAY, 6, 0)) && !is_quiet_hour(&workdays, Minute::new(SATURDAY, 22, 0)));
        assert!(!is_quiet_hour(&workdays, Minute::new(MONDAY, 6, 0)));
        let weekend = [hours("sat,sun 00:00-24:00"), hours("fri 12:00-24:00")];
        assert_eq!(minutes_to_change(&weekend, Minute::new(FRIDAY, 12, 0)), Some(60 * 60), "spans that touch are one");
        assert_eq!(hours("fri-mon 1:00-2:00").days, [true, false, false, false, true, true, true]);
        assert_eq!(minutes_to_change(&[hours("0:00-24:00")], Minute::new(0, 0, 0)), None, "always quiet is no change");
        assert_eq!(minutes_to_change(&[], Minute::new(0, 0, 0)), None);
    }

    #[test]
    fn what_are_no_hours_says_how_to_write_them() {
        for text in [
            "",
            "22-07",
            "22:00",
            "25:00-07:00",
            "22:60-07:00",
            "22:00-22:00",
            "24:00-07:00",
            "funday 22:00-07:00",
            "+1:00-2:00",
            "22:00-24:01",
            "mon- 1:00-2:00",
        ] {
            let error = Hours::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains("write \"22:00-07:00\""), "{text}: {error}");
        }
    }

    #[test]
    fn a_locked_screen_holds_or_hides_and_do_not_disturb_holds() {
        let settings =
            |when_locked, obeys_do_not_disturb| Settings { hours: vec![], from: Severity::CRITICAL, obeys_do_not_disturb, when_locked };
        let locked = Desk { is_locked: true, does_not_disturb: false };
        let busy = Desk { is_locked: false, does_not_disturb: true };
        let held = Some(Severity::CRITICAL);
        for (when_locked, below, is_veiled) in
            [(WhenLocked::Show, None, false), (WhenLocked::HideAddresses, None, true), (WhenLocked::Hold, held, true)]
        {
            assert_eq!(quiet(&settings(when_locked, true), false, locked), Quiet { below, is_veiled });
            assert_eq!(quiet(&settings(when_locked, true), false, Desk::default()), Quiet::default());
            assert_eq!(quiet(&settings(when_locked, true), true, Desk::default()).below, held);
        }
        assert_eq!(quiet(&settings(WhenLocked::Hold, true), false, busy).below, held);
        assert_eq!(quiet(&settings(WhenLocked::Hold, false), false, busy), Quiet::default());
    }

    proptest! {
        #[test]
        fn it_is_the_same_until_it_changes_and_another_then(days in 0_usize..7, from in 0_u16..DAY, to in 0_u16..=DAY, now in 0_u16..WEEK) {
            let text = format!("{}-sun {}:{:02}-{}:{:02}", DAYS[days], from / 60, from % 60, to / 60, to % 60);
            let Some(span) = read(&text) else { return Ok(()) };
            let spans = [span];
            let is_quiet = |minute: u16| is_quiet_hour(&spans, Minute(minute % WEEK));
            if let Some(minutes) = minutes_to_change(&spans, Minute(now)) {
                prop_assert!((0..minutes).all(|n| is_quiet(now + n) == is_quiet(now)));
                prop_assert_ne!(is_quiet(now + minutes), is_quiet(now));
            } else {
                prop_assert!((0..WEEK).all(|n| is_quiet(n) == is_quiet(now)));
            }
        }
    }
}
