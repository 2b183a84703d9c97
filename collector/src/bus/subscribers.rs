//! Who asked for alerts, and how far each of them has come.

use firebell_shared::names::MAX_UNACKNOWLEDGED;
use std::collections::VecDeque;
use zbus::names::OwnedUniqueName;

/// Subscriptions at a time.
pub(super) const MAX: usize = 32;

/// The subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Vec<Subscriber>);

#[derive(Debug)]
struct Subscriber {
    name: OwnedUniqueName,
    /// Sequence numbers of alerts that were sent and not acknowledged, at most [`MAX_UNACKNOWLEDGED`].
    sent: VecDeque<u64>,
    missed: Option<Missed>,
}

/// Alerts that somebody did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) count: u32,
}

impl Missed {
    /// One alert more, after the others.
    pub(super) fn add(missed: &mut Option<Self>, seq: u64) {
        let missed = missed.get_or_insert(Self { first_seq: seq, last_seq: seq, count: 0 });
        missed.last_seq = seq;
        missed.count = missed.count.saturating_add(1);
    }
}

impl Subscribers {
    /// Begins a subscription, or begins it anew. False: there are too many.
    pub(super) fn add(&mut self, name: OwnedUniqueName) -> bool {
        self.remove(&name);
        let has_room = self.0.len() < MAX;
        if has_room {
            self.0.push(Subscriber { name, sent: VecDeque::new(), missed: None });
        }
        has_room
    }

    /// Ends a subscription.
    pub(super) fn remove(&mut self, name: &OwnedUniqueName) {
        self.0.retain(|subscriber| subscriber.name != *name);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, name: &OwnedUniqueName) -> bool {
        self.0.iter().any(|subscriber| subscriber.name == *name)
    }

    /// All of them.
    pub(super) fn names(&self) -> Vec<OwnedUniqueName> {
        self.0.iter().map(|subscriber| subscriber.name.clone()).collect()
    }

    /// Those that get the alert `seq`. The others are behind; it is noted that they missed it.
    ///
    /// Someone who missed one gets none until all that was sent is acknowledged: alerts arrive in order, and
    /// what is left out in one piece can be fetched in one piece.
    pub(super) fn send(&mut self, seq: u64) -> Vec<OwnedUniqueName> {
        let mut names = Vec::new();
        for subscriber in &mut self.0 {
            if subscriber.missed.is_some() || subscriber.sent.len() as u64 >= MAX_UNACKNOWLEDGED {
                Missed::add(&mut subscriber.missed, seq);
            } else {
                subscriber.sent.push_back(seq);
                names.push(subscriber.name.clone());
            }
        }
        names
    }

    /// `name` has got everything up to `seq`. Gives what it missed, once it has caught up with what was
    /// sent. `None`: no such subscription.
    pub(super) fn received(&mut self, name: &OwnedUniqueName, seq: u64) -> Option<Option<Missed>> {
        let subscriber = self.0.iter_mut().find(|subscriber| subscriber.name == *name)?;
        while subscriber.sent.front().is_some_and(|sent| *sent <= seq) {
            subscriber.sent.pop_front();
        }
        Some(if subscriber.sent.is_empty() { subscriber.missed.take() } else { None })
    }

    /// What was taken by [`Subscribers::received`] could not be told.
    pub(super) fn put_back(&mut self, name: &OwnedUniqueName, missed: Missed) {
        if let Some(subscriber) = self.0.iter_mut().find(|subscriber| subscriber.name == *name) {
            subscriber.missed = Some(missed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> OwnedUniqueName {
        OwnedUniqueName::try_from(format!(":1.{number}")).unwrap()
    }

    #[test]
    fn a_slow_subscriber_gets_64_and_hears_what_it_missed_when_it_comes_back() {
        let mut subscribers = Subscribers::default();
        subscribers.add(name(1));
        assert_eq!((1..=100).filter(|seq| !subscribers.send(*seq).is_empty()).count(), 64);
        assert_eq!(subscribers.received(&name(1), 40), Some(None));
        assert!(subscribers.send(101).is_empty(), "still behind");
        assert_eq!(subscribers.received(&name(1), 64), Some(Some(Missed { first_seq: 65, last_seq: 101, count: 37 })));
        assert_eq!(subscribers.send(102), [name(1)]);
        assert_eq!(subscribers.received(&name(2), 1), None);
    }

    #[test]
    fn one_that_keeps_up_is_not_held_by_one_that_does_not() {
        let mut subscribers = Subscribers::default();
        subscribers.add(name(1));
        subscribers.add(name(2));
        for seq in 1..=1000 {
            assert!(subscribers.send(seq).contains(&name(2)));
            assert_eq!(subscribers.received(&name(2), seq), Some(None));
        }
        assert!(subscribers.0.iter().all(|subscriber| subscriber.sent.len() as u64 <= MAX_UNACKNOWLEDGED));
    }

    #[test]
    fn there_are_at_most_32_and_asking_twice_counts_once() {
        let mut subscribers = Subscribers::default();
        assert_eq!((0..100).filter(|number| subscribers.add(name(*number))).count(), MAX);
        assert!(subscribers.add(name(3)));
        assert!(!subscribers.add(name(77)));
        subscribers.remove(&name(5));
        assert!(subscribers.add(name(77)));
        assert_eq!(subscribers.len(), MAX);
    }
}
