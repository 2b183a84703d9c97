//! What went wrong with lines, said once an hour: the journal of `firebelld` must not grow with what an outsider sends.

use firebell_engine::tick::Tick;
use std::time::Duration;

/// So often at most it is said.
const EVERY: Duration = Duration::from_secs(3600);

/// Numbers of one intake, since it was first read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Records that were lost, and lines too long to be looked at.
    pub lost: u64,
    /// Firewall records that cannot be read.
    pub malformed: u64,
    /// Records that somebody else than the kernel wrote into a log that mostly vouches for the kernel.
    pub unverified: u64,
}

impl Numbers {
    fn since(self, before: Self) -> Self {
        Self {
            lost: self.lost.saturating_sub(before.lost),
            malformed: self.malformed.saturating_sub(before.malformed),
            unverified: self.unverified.saturating_sub(before.unverified),
        }
    }
}

/// What was said last, and when.
#[derive(Debug, Default)]
pub struct Losses {
    since: Option<Tick>,
    said: Vec<Numbers>,
}

impl Losses {
    /// When there may be something to say. The first hour begins when this is first asked, with the `numbers` of each intake.
    pub fn due(&mut self, now: Tick, numbers: impl Iterator<Item = Numbers>) -> Tick {
        let since = *self.since.get_or_insert_with(|| {
            self.said = numbers.collect();
            now
        });
        since.after(EVERY)
    }

    /// What has moved in the last hour, by the number of its intake; nothing before the hour is over. `numbers` are asked in
    /// the order of the intakes.
    pub fn say(&mut self, now: Tick, numbers: impl Iterator<Item = Numbers>) -> Vec<(usize, Numbers)> {
        if self.since.is_none_or(|since| now < since.after(EVERY)) {
            return Vec::new();
        }
        self.since = Some(now);
        let moved = numbers.zip(&mut self.said).map(|(now, said)| now.since(std::mem::replace(said, now)));
        moved.enumerate().filter(|(_, numbers)| *numbers != Numbers::default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_is_said_once_an_hour_for_each_intake_and_what_did_not_is_not() {
        let numbers =
            |lost, malformed| [Numbers { lost, malformed: 9, unverified: 0 }, Numbers { malformed, ..Numbers::default() }].into_iter();
        let mut losses = Losses::default();
        assert!(losses.say(Tick::from_secs(5), numbers(3, 3)).is_empty());
        assert_eq!(losses.due(Tick::from_secs(10), numbers(7, 0)), Tick::from_secs(3610));
        assert!(losses.say(Tick::from_secs(3609), numbers(8, 0)).is_empty());
        assert_eq!(losses.say(Tick::from_secs(3610), numbers(9, 0)), [(0, Numbers { lost: 2, ..Numbers::default() })]);
        assert!(losses.say(Tick::from_secs(3611), numbers(50, 50)).is_empty());
        assert_eq!(losses.due(Tick::from_secs(3611), numbers(50, 50)), Tick::from_secs(7210));
        let later = losses.say(Tick::from_secs(9000), numbers(9, 50));
        assert_eq!(later, [(1, Numbers { malformed: 50, ..Numbers::default() })]);
        assert!(losses.say(Tick::from_secs(20_000), numbers(9, 50)).is_empty());
    }
}
