//! A small memory of fixed size, for what several packets have to do with each other.

use crate::tick::Tick;

/// Entries that may stand in for one another: one is replaced when a newcomer needs its place.
const WAYS: usize = 4;

/// Remembers the values used last, by a keyed 64-bit hash. Takes all its memory at once and never more;
/// an attacker without the key cannot aim at an entry.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    slots: Vec<Slot<V>>,
    /// Values that were replaced while they were in use.
    pub(crate) replaced: u64,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    hash: u64,
    used: Tick,
    value: Option<V>,
}

impl<V: Clone> Cache<V> {
    /// A memory for about `entries` values.
    pub(crate) fn new(entries: usize) -> Self {
        let buckets = (entries / WAYS).next_power_of_two();
        Self { slots: vec![Slot { hash: 0, used: Tick::ZERO, value: None }; buckets * WAYS], replaced: 0 }
    }

    /// The value for `hash`, made now if it is not remembered. The one of its four places that was not used for longest makes room.
    pub(crate) fn get_or_insert_with(&mut self, hash: u64, now: Tick, make: impl Fn() -> V) -> &mut V {
        self.get_or_reuse(hash, now, &make, |old| *old = make())
    }

    /// The same for large values: `reset` makes one new whose place is needed.
    pub(crate) fn get_or_reuse(&mut self, hash: u64, now: Tick, make: impl FnOnce() -> V, reset: impl FnOnce(&mut V)) -> &mut V {
        #[allow(clippy::cast_possible_truncation, reason = "some bits of the hash choose the bucket")]
        let start = (hash as usize % (self.slots.len() / WAYS).max(1)) * WAYS;
        let bucket = self.slots.get(start..start + WAYS).unwrap_or_default();
        let found = bucket.iter().position(|slot| slot.value.is_some() && slot.hash == hash);
        let place =
            found.or_else(|| (0..bucket.len()).min_by_key(|n| bucket.get(*n).map(|slot| (slot.value.is_some(), slot.used)))).unwrap_or(0);
        #[allow(clippy::indexing_slicing, reason = "the bucket lies inside: its start is a multiple of WAYS below the length")]
        let slot = &mut self.slots[start + place];
        if found.is_none() {
            self.replaced += u64::from(slot.value.is_some());
            slot.hash = hash;
            if let Some(value) = &mut slot.value {
                reset(value);
            }
        }
        slot.used = now;
        slot.value.get_or_insert_with(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_makes_room() {
        let mut cache = Cache::new(4);
        for n in 0..100_u64 {
            *cache.get_or_insert_with(7, Tick::from_secs(n), || 0) += 1;
            cache.get_or_insert_with(n * 1000 + 8, Tick::from_secs(n), || 0);
        }
        assert_eq!(*cache.get_or_insert_with(7, Tick::from_secs(100), || 0), 100);
        assert_eq!(cache.replaced, 97);
    }
}
