//! A small memory of fixed size, for what several packets have to do with each other.

use crate::tick::Tick;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, hint::cold_path};

/// Entries that may stand in for one another: one is replaced when a newcomer needs its place.
const WAYS: usize = 4;

/// Remembers the values used last, by a keyed 64-bit hash. Takes all its memory at once and never more;
/// an attacker without the key cannot aim at an entry.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    /// Apart from the values, so that those of a place lie together. 0: nothing is there.
    hashes: Vec<[u64; WAYS]>,
    used: Vec<[Tick; WAYS]>,
    values: Vec<Option<V>>,
    /// Values that were replaced while they were in use.
    pub(crate) replaced: u64,
}

impl<V: Clone> Cache<V> {
    /// A memory for about `entries` values.
    pub(crate) fn new(entries: usize) -> Self {
        let buckets = (entries / WAYS).next_power_of_two();
        Self { hashes: vec![[0; WAYS]; buckets], used: vec![[Tick::ZERO; WAYS]; buckets], values: vec![None; buckets * WAYS], replaced: 0 }
    }

    /// The value for `hash`, made now if it is not remembered. The one of its four places that was not used for longest makes room.
    #[inline]
    pub(crate) fn get_or_insert_with(&mut self, hash: u64, now: Tick, make: impl Fn() -> V) -> &mut V {
        self.get_or_reuse(hash, now, &make, |old| *old = make())
    }

    /// The value for `hash`, if it is remembered.
    pub(crate) fn peek(&self, hash: u64) -> Option<&V> {
        let hash = hash.max(1);
        #[allow(clippy::cast_possible_truncation, reason = "as where it was put")]
        let bucket = hash as usize & (self.hashes.len() - 1);
        let place = self.hashes.get(bucket)?.iter().position(|known| *known == hash)?;
        self.values.get(bucket * WAYS + place)?.as_ref()
    }

    /// The same for large values: `reset` makes one new whose place is needed.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "the bucket is below the number of buckets, the place below that of ways")]
    pub(crate) fn get_or_reuse(&mut self, hash: u64, now: Tick, make: impl FnOnce() -> V, reset: impl FnOnce(&mut V)) -> &mut V {
        let hash = hash.max(1);
        #[allow(clippy::cast_possible_truncation, reason = "some bits of the hash choose the bucket")]
        let bucket = hash as usize & (self.hashes.len() - 1);
        let found = self.hashes[bucket].iter().position(|known| *known == hash);
        let place = found.unwrap_or_else(|| {
            cold_path();
            self.make_room(bucket, hash, reset)
        });
        self.used[bucket][place] = now;
        self.values[bucket * WAYS + place].get_or_insert_with(|| {
            cold_path();
            make()
        })
    }

    /// The place in the bucket that was not used for longest is for `hash` now; a value that is there becomes new.
    #[inline(never)]
    #[allow(clippy::indexing_slicing, reason = "as above")]
    fn make_room(&mut self, bucket: usize, hash: u64, reset: impl FnOnce(&mut V)) -> usize {
        let (hashes, used) = (&mut self.hashes[bucket], &self.used[bucket]);
        let place = (0..WAYS).min_by_key(|place| (hashes[*place] != 0, used[*place])).unwrap_or(0);
        hashes[place] = hash;
        if let Some(value) = self.values[bucket * WAYS + place].as_mut() {
            self.replaced += 1;
            reset(value);
        }
        place
    }
}

/// What a memory holds, without its empty places.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "V: Serialize", deserialize = "V: Deserialize<'de>"))]
pub(crate) struct State<'c, V: Clone> {
    buckets: u64,
    replaced: u64,
    /// Place, hash, last use and value.
    entries: Vec<(u32, u64, Tick, Cow<'c, V>)>,
}

impl<V: Clone> Cache<V> {
    pub(crate) fn state(&self) -> State<'_, V> {
        let places = self.hashes.iter().flatten().zip(self.used.iter().flatten()).zip(&self.values);
        let entries = (0..)
            .zip(places)
            .filter_map(|(place, ((hash, used), value))| value.as_ref().map(|value| (place, *hash, *used, Cow::Borrowed(value))))
            .collect();
        State { buckets: self.hashes.len() as u64, replaced: self.replaced, entries }
    }

    /// Takes what another memory of this size has held, if every value `is_sound`.
    pub(crate) fn restore(&mut self, state: State<'_, V>, is_sound: impl Fn(&V) -> bool) -> Result<(), &'static str> {
        if state.buckets != self.hashes.len() as u64 {
            return Err("a memory has another size");
        }
        self.replaced = state.replaced;
        for (place, hash, used, value) in state.entries {
            let place = place as usize;
            let (bucket, way) = (place / WAYS, place % WAYS);
            #[allow(clippy::cast_possible_truncation, reason = "as where it is looked for")]
            let is_in_place = hash as usize & (self.hashes.len() - 1) == bucket;
            let (Some(known), Some(last), Some(slot)) = (
                self.hashes.get_mut(bucket).and_then(|hashes| hashes.get_mut(way)),
                self.used.get_mut(bucket).and_then(|used| used.get_mut(way)),
                self.values.get_mut(place),
            ) else {
                return Err("a memory has a place that it cannot have");
            };
            if hash == 0 || !is_in_place || slot.is_some() || !is_sound(&value) {
                return Err("a memory holds what it cannot hold");
            }
            (*known, *last, *slot) = (hash, used, Some(value.into_owned()));
        }
        Ok(())
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
