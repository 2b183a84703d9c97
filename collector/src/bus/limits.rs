//! How much a caller may ask for, and how often we speak.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Calls of one user that are answered in a second.
pub(super) const CALLS_PER_SECOND: u32 = 20;
/// Questions to polkit that may wait for one user.
pub(super) const PENDING_CHECKS: usize = 4;
/// Calls of everybody that are worked on at the same time.
pub(super) const CALLS_AT_ONCE: usize = 64;
/// Alerts that are signalled in a second.
pub(super) const ALERTS_PER_SECOND: u32 = 20;
/// Users whose calls are counted at a time. More than a machine has accounts in use within a second.
const MAX_USERS: usize = 1024;

/// Holds a second's worth of tokens and gets as many back in a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_second: u32,
    /// Thousandths of a token.
    level: u64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second, level: u64::from(per_second) * 1000, at: now }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let has_one = self.level >= 1000;
        if has_one {
            self.level -= 1000;
        }
        has_one
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        // Whole milliseconds only, and the rest of one is kept for the next time.
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        self.level = self.level.saturating_add(millis.saturating_mul(u64::from(self.per_second))).min(u64::from(self.per_second) * 1000);
        self.at = if millis >= 1000 { now } else { self.at + Duration::from_millis(millis) };
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level >= u64::from(self.per_second) * 1000
    }
}

/// What each user has asked for lately.
#[derive(Debug, Default)]
pub(super) struct Calls {
    buckets: HashMap<u32, Bucket>,
    checks: HashMap<u32, usize>,
    at_once: usize,
    refused: u64,
}

impl Calls {
    /// May one more call be worked on? Then [`Calls::end`] must follow.
    pub(super) fn begin(&mut self) -> bool {
        let may = self.at_once < CALLS_AT_ONCE;
        if may {
            self.at_once += 1;
        } else {
            self.refused += 1;
        }
        may
    }

    /// The call has been answered.
    pub(super) fn end(&mut self) {
        self.at_once = self.at_once.saturating_sub(1);
    }

    /// Counts a call of `uid`. False: too many in this second.
    pub(super) fn count(&mut self, uid: u32, now: Instant) -> bool {
        if self.buckets.len() >= MAX_USERS && !self.buckets.contains_key(&uid) {
            // A full bucket says nothing that a new one would not.
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let has_room = self.buckets.len() < MAX_USERS || self.buckets.contains_key(&uid);
        let may = has_room && self.buckets.entry(uid).or_insert_with(|| Bucket::new(CALLS_PER_SECOND, now)).take(now);
        if !may {
            self.refused += 1;
        }
        may
    }

    /// May polkit be asked about `uid` once more? Then [`Calls::end_check`] must follow.
    pub(super) fn begin_check(&mut self, uid: u32) -> bool {
        let pending = self.checks.entry(uid).or_default();
        let may = *pending < PENDING_CHECKS;
        if may {
            *pending += 1;
        } else {
            self.refused += 1;
        }
        may
    }

    /// polkit has answered.
    pub(super) fn end_check(&mut self, uid: u32) {
        if let Some(pending) = self.checks.get_mut(&uid) {
            *pending = pending.saturating_sub(1);
            if *pending == 0 {
                self.checks.remove(&uid);
            }
        }
    }

    /// Calls that were refused so far.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_calls_a_second_are_answered_and_no_more() {
        let (mut calls, start) = (Calls::default(), Instant::now());
        assert_eq!((0..100).filter(|_| calls.count(1000, start)).count(), 20);
        assert!(calls.count(1001, start), "another user is not concerned");
        let later = start + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| calls.count(1000, later)).count(), 10);
        // A call every millisecond for ten seconds.
        let answered = (0..10_000).filter(|ms| calls.count(7, later + Duration::from_millis(*ms))).count();
        assert!((200..=220).contains(&answered), "{answered}");
    }

    #[test]
    fn many_users_take_bounded_memory_and_old_ones_make_room() {
        let (mut calls, start) = (Calls::default(), Instant::now());
        let answered = (0..5000).filter(|uid| calls.count(*uid, start)).count();
        assert_eq!((answered, calls.buckets.len()), (MAX_USERS, MAX_USERS));
        assert!(calls.count(9999, start + Duration::from_secs(2)));
        assert_eq!(calls.buckets.len(), 1);
    }

    #[test]
    fn four_checks_wait_for_one_user_and_the_fifth_is_refused() {
        let mut calls = Calls::default();
        assert_eq!((0..9).filter(|_| calls.begin_check(1000)).count(), 4);
        assert!(calls.begin_check(1001));
        calls.end_check(1000);
        assert!(calls.begin_check(1000) && !calls.begin_check(1000));
        for uid in [1000, 1000, 1000, 1000, 1001] {
            calls.end_check(uid);
        }
        assert!(calls.checks.is_empty());
    }

    #[test]
    fn calls_at_once_are_bounded() {
        let mut calls = Calls::default();
        assert_eq!((0..1000).filter(|_| calls.begin()).count(), CALLS_AT_ONCE);
        calls.end();
        assert!(calls.begin() && !calls.begin());
        assert_eq!(calls.refused(), 1000 - 64 + 1);
    }
}
