//! Times of day as a language says them.

use super::Words;
use jiff::{Timestamp, civil::DateTime};

impl Words {
    /// Says the message `id-time` with `$time`, or `id-day` with `$day` too where that is another day than `now`'s.
    /// Both in microseconds since the Unix epoch; `None` for what is no time.
    pub(crate) fn say_time(&self, id: &str, micros: u64, now: u64, took: &str) -> Option<String> {
        let (then, now) = (self.local(micros)?, self.local(now)?);
        let time = format!("{:02}:{:02}", then.hour(), then.minute());
        if then.date() == now.date() {
            return Some(self.say(&format!("{id}-time"), &[("time", (&time).into()), ("took", took.into())]));
        }
        let number = |number: i8| u64::from(number.unsigned_abs());
        let day = self.say("day", &[("day", number(then.day()).into()), ("month", number(then.month()).into())]);
        Some(self.say(&format!("{id}-day"), &[("time", (&time).into()), ("day", (&day).into()), ("took", took.into())]))
    }

    fn local(&self, micros: u64) -> Option<DateTime> {
        let time = Timestamp::from_microsecond(i64::try_from(micros).ok().filter(|&micros| micros > 0)?).ok()?;
        Some(self.zone.to_datetime(time))
    }
}
