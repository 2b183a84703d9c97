//! A table as it is kept over a restart.

use super::{Fresh, KEPT, Kept, Table};
use crate::{
    contacts::Bitmap,
    hash::{Hasher, Random},
    tick::Tick,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Everything but the index, which follows from the rest, and the sizes, which are the configuration's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State<'t> {
    random: Random,
    fresh: Cow<'t, [Fresh]>,
    free: Cow<'t, [u32]>,
    kept: Cow<'t, [Kept]>,
    bitmaps: Cow<'t, [(Bitmap, u32)]>,
    evicted: u64,
    refused: u64,
    bitmaps_reused: u64,
}

impl Table {
    pub(crate) fn state(&self) -> State<'_> {
        State {
            random: self.random,
            fresh: Cow::Borrowed(&self.fresh),
            free: Cow::Borrowed(&self.free),
            kept: Cow::Borrowed(&self.kept),
            bitmaps: Cow::Borrowed(&self.bitmaps),
            evicted: self.evicted,
            refused: self.refused,
            bitmaps_reused: self.bitmaps_reused,
        }
    }

    /// Goes on with what another table has held, before it has held anything. `hasher` must be that table's.
    pub(crate) fn restore(&mut self, state: State<'_>, hasher: Hasher) -> Result<(), String> {
        let State { random, fresh, free, kept, bitmaps, evicted, refused, bitmaps_reused } = state;
        if fresh.len() > self.max_fresh || kept.len() > self.max_kept || bitmaps.len() > self.max_bitmaps {
            return Err("source table: it was larger than the configuration lets it be".into());
        }
        (self.random, self.hasher) = (random, hasher);
        self.free = free.into_owned();
        (self.fresh, self.kept, self.bitmaps) = (fresh.into_owned(), kept.into_owned(), bitmaps.into_owned());
        (self.evicted, self.refused, self.bitmaps_reused) = (evicted, refused, bitmaps_reused);
        for slot in 0..u32::try_from(self.fresh.len()).unwrap_or(0) {
            if self.fresh.get(slot as usize).is_none_or(|fresh| !fresh.is_there()) {
                continue;
            }
            self.take_back(slot)?;
            if let Some(key) = self.key_at(slot) {
                self.count_group(self.group(key), 1);
            }
        }
        for slot in 0..u32::try_from(self.kept.len()).unwrap_or(0) {
            self.take_back(slot | KEPT)?;
        }
        self.check_invariants()
    }

    fn take_back(&mut self, slot: u32) -> Result<(), String> {
        let Some(key) = self.key_at(slot) else { return Ok(()) };
        let hash = self.hash(key);
        if self.find_hashed(key, hash).is_some() {
            return Err("source table: a source is there twice".into());
        }
        self.insert(hash, slot);
        Ok(())
    }

    /// What must hold of what the slots hold.
    pub(crate) fn check_values(&self, now: Tick) -> Result<(), String> {
        let briefs = self.fresh.iter().map(|fresh| &fresh.brief).chain(self.kept.iter().map(|kept| &kept.brief));
        if briefs.clone().any(|brief| brief.first > now || brief.last > now) {
            return Err("source table: a source was seen in the future".into());
        }
        if self.kept.iter().any(|kept| !kept.recent.is_sound()) || self.bitmaps.iter().any(|(bitmap, _)| !bitmap.is_sound()) {
            return Err("source table: a contact memory is broken".into());
        }
        Ok(())
    }
}
