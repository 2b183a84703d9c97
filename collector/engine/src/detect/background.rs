//! What a normal day looks like here (D19).
//!
//! Packets by class and new sources are counted by the day; the mean of past days moves by a quarter with each. It judges
//! nothing: it is what a digest compares today with.
//!
//! It misses what one day differs from another in, such as weekends.

use crate::{class::Class, tick::Tick};
use serde::{Deserialize, Serialize};

const DAY_SECS: u64 = 86_400;
const CLASSES: usize = Class::ALL.len();

/// Today, and a usual day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// Number of the day since the Unix epoch, UTC.
    day: u64,
    /// Whole days that were learned from.
    pub days: u32,
    /// Packets of today, in the order of [`Class::ALL`].
    pub today: [u64; CLASSES],
    /// Packets of a usual day.
    pub usual: [u64; CLASSES],
    /// Sources of today that were not remembered from before.
    pub sources_today: u64,
    /// The same of a usual day.
    pub sources_usual: u64,
}

impl Background {
    /// One packet.
    pub(crate) fn note(&mut self, class: Class, tick: Tick) {
        let day = tick.as_secs() / DAY_SECS;
        if day > self.day {
            self.turn(day);
        }
        if let Some(count) = self.today.get_mut(class as usize) {
            *count += 1;
        }
    }

    /// One source that is new.
    pub(crate) fn note_source(&mut self) {
        self.sources_today += 1;
    }

    fn turn(&mut self, day: u64) {
        if self.day > 0 {
            self.learn();
            // Days without a packet count too; after a month nothing is left of what was.
            let silent = (day - self.day - 1).min(31);
            (self.today, self.sources_today) = ([0; CLASSES], 0);
            (0..silent).for_each(|_| self.learn());
        }
        (self.day, self.today, self.sources_today) = (day, [0; CLASSES], 0);
    }

    fn learn(&mut self) {
        let is_first = self.days == 0;
        let mean = |usual: u64, today: u64| if is_first { today } else { (usual * 3 + today) / 4 };
        for (usual, today) in self.usual.iter_mut().zip(self.today) {
            *usual = mean(*usual, today);
        }
        self.sources_usual = mean(self.sources_usual, self.sources_today);
        self.days = self.days.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(background: &mut Background, day: u64, packets: u64) {
        for n in 0..packets {
            background.note(Class::Syn, Tick::from_secs(day * DAY_SECS + n));
            background.note_source();
        }
    }

    #[test]
    fn a_usual_day_is_the_mean_of_the_last_ones() {
        let mut background = Background::default();
        (100..110).for_each(|n| day(&mut background, n, 40));
        day(&mut background, 110, 1);
        assert_eq!((background.days, background.sources_usual, background.sources_today), (10, 40, 1));
        assert_eq!(background.usual.iter().sum::<u64>(), 40);
    }

    #[test]
    fn a_silent_month_is_the_new_usual() {
        let mut background = Background::default();
        day(&mut background, 100, 1000);
        day(&mut background, 140, 1);
        assert_eq!(background.sources_usual, 0);
    }
}
