//! The sources we remember, in tables that an attacker cannot abuse.
//!
//! New sources enter *probation*: half of the table, where a newcomer replaces a random one. The second distinct
//! contact moves a source to the *kept* half, which forgets the one seen least recently of a few. A plain LRU never sees a
//! scanner that probes every 5 s under 20,000 spoofed sources a second; this one does in every seeded run (measured).
//! Room is made for a few newcomers at a time: places that lie side by side, so that memory is waited for once.
//! One /16 or IPv6 /32 may hold at most an eighth of probation.
//!
//! A source takes 64 bytes on probation, 168 when kept, and 10 in the index: 126 on average.
//!
//! Where even this fails (spoofed sources that all make two contacts), the flood detector is the answer.

use crate::{
    address::Key,
    class::Probe,
    contacts::{self, Bitmap, Contact, ONE, Recent},
    detect::tool::{Marks, Tool},
    hash::{Hasher, Random},
    origin::Origin,
    score::Score,
    tick::Tick,
};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::{
    mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What is remembered of every source.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Brief {
    /// Its key, in parts that leave no gaps.
    bits: u64,
    is_v6: bool,
    origin: Origin,
    /// The lower half of the IPv6 address seen first.
    host: u64,
    pub(crate) first: Tick,
    pub(crate) last: Tick,
    /// Logged packets.
    pub(crate) packets: u32,
    /// Suspicion (D2).
    pub(crate) score: Score,
    /// Contacts that were made with illegal flags (D4), saturating.
    pub(crate) illegal: u8,
    /// It belongs, or lately belonged, to an incident.
    pub(crate) has_incident: bool,
}

impl Brief {
    pub(crate) const fn key(&self) -> Key {
        Key::from_parts(self.bits, self.is_v6, self.origin)
    }

    /// The address by which the source is named.
    pub(crate) fn address(&self) -> IpAddr {
        match self.key().v4() {
            Some(bits) => Ipv4Addr::from_bits(bits).into(),
            None => Ipv6Addr::from_bits(u128::from(self.bits) << 64 | u128::from(self.host)).into(),
        }
    }
}

/// A source with one contact.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Fresh {
    brief: Brief,
    contact: Contact,
    /// Packets by way of asking, saturating.
    probes: [u8; Probe::COUNT],
}

/// A source with two contacts and more.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) brief: Brief,
    /// Distinct contacts, destination services and destinations in the current day, times [`ONE`].
    pub(crate) contacts: u32,
    pub(crate) services: u32,
    pub(crate) targets: u32,
    pub(crate) recent: Recent,
    /// Packets by way of asking, saturating.
    pub(crate) probes: [u8; Probe::COUNT],
    /// What its packets say about the tool.
    pub(crate) tool: Marks,
    /// Minute in which the current day began.
    pub(crate) since: u16,
    bitmap: u16,
}

impl Kept {
    /// Distinct contacts in the current day.
    pub(crate) const fn contact_count(&self) -> u32 {
        self.contacts / ONE
    }
}

impl Fresh {
    /// A place that holds nobody has seen no packet.
    const fn is_there(&self) -> bool {
        self.brief.packets > 0
    }
}

/// What was new about a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Novelty {
    /// The contact is new; it stands for so many, times [`ONE`]. 0: it is not new.
    pub(crate) contacts: u32,
    /// The source asked this service of another destination before.
    pub(crate) is_sweep: bool,
    /// The contact was not asked with illegal flags before.
    pub(crate) is_illegal: bool,
    /// Nor was its service, of any destination.
    pub(crate) is_service_illegal: bool,
}

impl Novelty {
    /// Of a known contact: is it new that it, and that its service, is asked with illegal flags?
    const fn of_known(is_illegal: bool, is_service_illegal: bool) -> Self {
        Self { contacts: 0, is_sweep: false, is_illegal, is_service_illegal }
    }

    /// Something is.
    pub(crate) const fn is_any(self) -> bool {
        self.contacts > 0 || self.is_illegal
    }
}

/// Where a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On probation, by slot.
    Fresh(u32),
    /// Kept, by slot.
    Kept(u32),
    /// Nowhere: its network holds too much of probation already.
    Refused,
}

const NO_BITMAP: u16 = u16::MAX;
const KEPT: u32 = 1 << 31;

/// When a kept source must go, it is the one seen least recently of so many: in 255 of 256 cases one of the older half.
const LOOKS: usize = 8;

/// So many newcomers find room when some is made, where that is no more than a sixty-fourth of probation.
const RUN: usize = 8;

/// Places for networks: 8 KiB.
const GROUPS: usize = 2048;

/// So many contacts of one day are remembered as known.
const DAY_MINUTES: u16 = 24 * 60;

/// Counters of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStatus {
    /// Sources on probation.
    pub fresh: usize,
    /// Sources with two contacts and more.
    pub kept: usize,
    /// Sources that were replaced by newer ones.
    pub evicted: u64,
    /// Sources that were not taken in, since their network holds too much of probation.
    pub refused: u64,
    /// Contact memories that were taken from one source for another.
    pub bitmaps_reused: u64,
}

mod state;

pub(crate) use state::State;

#[derive(Debug)]
pub(crate) struct Table {
    hasher: Hasher,
    random: Random,
    index: HashTable<u32>,
    /// Places on probation; those in `free` hold nobody.
    fresh: Vec<Fresh>,
    max_fresh: usize,
    free: Vec<u32>,
    kept: Vec<Kept>,
    max_kept: usize,
    /// Sources on probation by their network's keyed hash. Networks that share a place, one in [`GROUPS`], share what they may hold.
    groups: Box<[u32]>,
    bitmaps: Vec<(Bitmap, u32)>,
    max_bitmaps: usize,
    evicted: u64,
    refused: u64,
    bitmaps_reused: u64,
}

impl Table {
    /// A table for `max` sources, with at most `max_bitmaps` large contact memories of 8 KiB.
    pub(crate) fn new(max: usize, max_bitmaps: usize, hasher: Hasher, seed: u64) -> Self {
        let max = max.clamp(16, 1 << 24);
        Self {
            hasher,
            random: Random::new(seed),
            index: HashTable::new(),
            fresh: Vec::new(),
            max_fresh: max / 2,
            free: Vec::new(),
            kept: Vec::new(),
            max_kept: max - max / 2,
            groups: vec![0; GROUPS].into_boxed_slice(),
            bitmaps: Vec::new(),
            max_bitmaps: max_bitmaps.clamp(1, usize::from(NO_BITMAP)),
            evicted: 0,
            refused: 0,
            bitmaps_reused: 0,
        }
    }

    pub(crate) fn status(&self) -> TableStatus {
        TableStatus {
            fresh: self.fresh.len() - self.free.len(),
            kept: self.kept.len(),
            evicted: self.evicted,
            refused: self.refused,
            bitmaps_reused: self.bitmaps_reused,
        }
    }

    /// Notes one packet of the source `key` (whose full address is `address`, and which hashes to `hash`). Says where the source stands now, and what was new.
    pub(crate) fn note(&mut self, key: Key, hash: u64, address: IpAddr, contact: Contact, probe: Probe, tick: Tick) -> (Place, Novelty) {
        match self.find_hashed(key, hash) {
            Some(slot) if slot & KEPT != 0 => {
                let slot = slot & !KEPT;
                let novelty = self.note_contact(slot, contact, tick);
                if let Some(kept) = self.kept.get_mut(slot as usize) {
                    kept.brief.packets = kept.brief.packets.saturating_add(1);
                    kept.brief.last = tick;
                    count(&mut kept.probes, probe);
                }
                (Place::Kept(slot), novelty)
            }
            Some(slot) => self.note_fresh(slot, hash, contact, probe, tick),
            None => {
                let is_illegal = contact.is_illegal();
                let novelty = Novelty { contacts: ONE, is_sweep: false, is_illegal, is_service_illegal: is_illegal };
                (self.take_in(key, hash, address, contact, probe, tick), novelty)
            }
        }
    }

    /// One more packet of a source on probation.
    #[inline(never)]
    fn note_fresh(&mut self, slot: u32, hash: u64, contact: Contact, probe: Probe, tick: Tick) -> (Place, Novelty) {
        let Some(fresh) = self.fresh.get_mut(slot as usize) else { return (Place::Refused, Novelty::default()) };
        if fresh.contact.is_same(contact) && fresh.contact.minutes_until(contacts::minute(tick)) <= DAY_MINUTES {
            fresh.brief.packets = fresh.brief.packets.saturating_add(1);
            fresh.brief.last = tick;
            count(&mut fresh.probes, probe);
            let is_illegal = fresh.contact.ask(contact.is_illegal());
            return (Place::Fresh(slot), Novelty::of_known(is_illegal, is_illegal));
        }
        self.promote(slot, hash, contact, probe, tick)
    }

    pub(crate) fn kept(&self, slot: u32) -> Option<&Kept> {
        self.kept.get(slot as usize)
    }

    pub(crate) fn kept_mut(&mut self, slot: u32) -> Option<&mut Kept> {
        self.kept.get_mut(slot as usize)
    }

    pub(crate) fn brief_mut(&mut self, place: Place) -> Option<&mut Brief> {
        match place {
            Place::Fresh(slot) => self.fresh.get_mut(slot as usize).map(|fresh| &mut fresh.brief),
            Place::Kept(slot) => self.kept.get_mut(slot as usize).map(|kept| &mut kept.brief),
            Place::Refused => None,
        }
    }

    /// The contact of a source that has one, and its packets by way of asking.
    pub(crate) fn first_contact(&self, slot: u32) -> Option<(Contact, [u8; Probe::COUNT])> {
        self.fresh.get(slot as usize).map(|fresh| (fresh.contact, fresh.probes))
    }

    /// Packets, contacts (times [`ONE`]) and first packet of a source.
    pub(crate) fn totals(&self, key: Key) -> Option<(u32, u32, Tick)> {
        let slot = self.find(key)?;
        let of = |brief: &Brief, contacts| (brief.packets, contacts, brief.first);
        if slot & KEPT == 0 {
            self.fresh.get(slot as usize).map(|fresh| of(&fresh.brief, ONE))
        } else {
            self.kept.get((slot & !KEPT) as usize).map(|kept| of(&kept.brief, kept.contacts))
        }
    }

    /// What a source that belongs to no incident has asked, as far as it is known exactly.
    pub(crate) fn contacts_of_single(&self, key: Key) -> Vec<Contact> {
        let Some(slot) = self.find(key) else { return Vec::new() };
        if slot & KEPT == 0 {
            self.fresh.get(slot as usize).filter(|fresh| !fresh.brief.has_incident).map(|fresh| fresh.contact).into_iter().collect()
        } else {
            let kept = self.kept.get((slot & !KEPT) as usize).filter(|kept| !kept.brief.has_incident);
            kept.into_iter().flat_map(|kept| kept.recent.iter()).collect()
        }
    }

    /// The source belongs to an incident.
    pub(crate) fn mark_incident(&mut self, key: Key) {
        if let Some(slot) = self.find(key) {
            let place = if slot & KEPT == 0 { Place::Fresh(slot) } else { Place::Kept(slot & !KEPT) };
            if let Some(brief) = self.brief_mut(place) {
                brief.has_incident = true;
            }
        }
    }

    /// Forgets what a source has asked, as its incident is over: the next scan is a new one.
    pub(crate) fn forget_contacts(&mut self, key: Key) {
        let Some(slot) = self.find(key) else { return };
        if slot & KEPT == 0 {
            self.remove_fresh(slot);
            return;
        }
        let slot = slot & !KEPT;
        if let Some(kept) = self.kept.get_mut(slot as usize) {
            kept.brief.has_incident = false;
            kept.brief.score = Score::default();
            kept.brief.illegal = 0;
            kept.recent = Recent::default();
            (kept.contacts, kept.services, kept.targets) = (0, 0, 0);
            kept.probes = [0; Probe::COUNT];
            if let Some((bitmap, owner)) = self.bitmaps.get_mut(usize::from(kept.bitmap))
                && *owner == slot
            {
                bitmap.clear();
            }
        }
    }

    /// Every source, to be changed.
    pub(crate) fn briefs_mut(&mut self) -> impl Iterator<Item = &mut Brief> {
        self.fresh.iter_mut().map(|fresh| &mut fresh.brief).chain(self.kept.iter_mut().map(|kept| &mut kept.brief))
    }

    /// Every source, in no order that means anything.
    pub(crate) fn briefs(&self) -> impl Iterator<Item = SourceView<'_>> {
        let fresh = self.fresh.iter().filter(|fresh| fresh.is_there()).map(|fresh| SourceView {
            brief: &fresh.brief,
            contacts: 1,
            tool: None,
            first: Some(fresh.contact),
            recent: None,
        });
        let kept = self.kept.iter().map(|kept| SourceView {
            brief: &kept.brief,
            contacts: kept.contact_count(),
            tool: kept.tool.tool(),
            first: None,
            recent: Some(&kept.recent),
        });
        fresh.chain(kept)
    }

    /// A source, and what is kept of it once it has two contacts.
    pub(crate) fn look_at(&self, key: Key) -> Option<(&Brief, Option<&Kept>)> {
        let slot = self.find(key)?;
        if slot & KEPT == 0 {
            self.fresh.get(slot as usize).map(|fresh| (&fresh.brief, None))
        } else {
            self.kept.get((slot & !KEPT) as usize).map(|kept| (&kept.brief, Some(kept)))
        }
    }

    fn find(&self, key: Key) -> Option<u32> {
        self.find_hashed(key, self.hash(key))
    }

    fn find_hashed(&self, key: Key, hash: u64) -> Option<u32> {
        self.index.find(hash, |slot| self.key_at(*slot) == Some(key)).copied()
    }

    fn hash(&self, key: Key) -> u64 {
        key.hash(&self.hasher)
    }

    fn key_at(&self, slot: u32) -> Option<Key> {
        if slot & KEPT == 0 {
            self.fresh.get(slot as usize).map(|f| f.brief.key())
        } else {
            self.kept.get((slot & !KEPT) as usize).map(|k| k.brief.key())
        }
    }

    fn insert(&mut self, hash: u64, slot: u32) {
        let Self { index, fresh, kept, hasher, .. } = self;
        index.insert_unique(hash, slot, |slot| {
            let brief = if slot & KEPT == 0 {
                fresh.get(*slot as usize).map(|fresh| &fresh.brief)
            } else {
                kept.get((slot & !KEPT) as usize).map(|kept| &kept.brief)
            };
            brief.map_or(0, |brief| brief.key().hash(hasher))
        });
    }

    fn unindex(&mut self, key: Key, slot: u32) {
        let hash = self.hash(key);
        if let Ok(entry) = self.index.find_entry(hash, |at| *at == slot) {
            entry.remove();
        }
    }

    /// A new source enters probation.
    fn take_in(&mut self, key: Key, hash: u64, address: IpAddr, contact: Contact, probe: Probe, tick: Tick) -> Place {
        let host = match address {
            IpAddr::V4(_) => 0,
            #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
            IpAddr::V6(a) => a.to_bits() as u64,
        };
        let (bits, is_v6, origin) = key.parts();
        let brief = Brief {
            bits,
            is_v6,
            origin,
            host,
            first: tick,
            last: tick,
            packets: 1,
            score: Score::default(),
            illegal: 0,
            has_incident: false,
        };
        let mut new = Fresh { brief, contact, probes: [0; Probe::COUNT] };
        count(&mut new.probes, probe);
        let share = (self.max_fresh / 8).max(1);
        let group = self.group(key);
        if self.groups.get(group).is_some_and(|held| *held as usize >= share) {
            // Its network has its share: only one of its own may make room. Sixteen looks find one in 88 of 100 cases.
            let mut random = self.random;
            let neighbour = (0..16)
                .map(|_| random.below(self.fresh.len().max(1)))
                .find(|slot| self.fresh.get(*slot).is_some_and(|fresh| fresh.is_there() && self.group(fresh.brief.key()) == group));
            self.random = random;
            let Some(neighbour) = neighbour else {
                self.refused += 1;
                return Place::Refused;
            };
            self.evict(neighbour, 1);
        } else if self.free.is_empty() && self.fresh.len() >= self.max_fresh {
            let run = RUN.min(self.max_fresh / 64).max(1);
            let runs = self.fresh.len().div_ceil(run);
            let first = self.random.below(runs) * run;
            self.evict(first, run);
        }
        let Ok(slot) = self.free.pop().map_or_else(|| u32::try_from(self.fresh.len()), Ok) else { return Place::Refused };
        match self.fresh.get_mut(slot as usize) {
            Some(place) => *place = new,
            None => self.fresh.push(new),
        }
        self.count_group(group, 1);
        self.insert(hash, slot);
        Place::Fresh(slot)
    }

    /// Takes those who hold `count` places from `first` on, at most [`RUN`], out of probation.
    fn evict(&mut self, first: usize, count: usize) {
        let mut hashes = [0; RUN];
        // All hashes first, so that the processor can wait for all their places in the index at once.
        for (hash, fresh) in hashes.iter_mut().zip(self.fresh.iter().skip(first)).take(count) {
            *hash = fresh.brief.key().hash(&self.hasher);
        }
        for (slot, hash) in (first..).zip(hashes).take(count) {
            let Some(fresh) = self.fresh.get(slot).filter(|fresh| fresh.is_there()) else { continue };
            let (group, Ok(slot)) = (self.group(fresh.brief.key()), u32::try_from(slot)) else { return };
            self.evicted += 1;
            self.count_group(group, -1);
            self.leave(slot, hash);
        }
    }

    /// Nobody holds the place on probation any more.
    fn leave(&mut self, slot: u32, hash: u64) {
        if let Ok(entry) = self.index.find_entry(hash, |at| *at == slot) {
            entry.remove();
        }
        if let Some(fresh) = self.fresh.get_mut(slot as usize) {
            fresh.brief.packets = 0;
            self.free.push(slot);
        }
    }

    /// The place of the network that may hold only a part of probation.
    #[allow(clippy::cast_possible_truncation, reason = "some bits of the hash")]
    fn group(&self, key: Key) -> usize {
        self.hasher.mix(u64::from(key.group()), 1) as usize % GROUPS
    }

    fn count_group(&mut self, group: usize, change: i32) {
        if let Some(held) = self.groups.get_mut(group) {
            *held = held.saturating_add_signed(change);
        }
    }

    /// Takes a source out of probation.
    fn remove_fresh(&mut self, slot: u32) -> Option<Fresh> {
        let removed = *self.fresh.get(slot as usize)?;
        let key = removed.brief.key();
        self.leave(slot, self.hash(key));
        self.count_group(self.group(key), -1);
        Some(removed)
    }

    /// A second contact: the source leaves probation.
    fn promote(&mut self, slot: u32, hash: u64, contact: Contact, probe: Probe, tick: Tick) -> (Place, Novelty) {
        let Some(fresh) = self.remove_fresh(slot) else { return (Place::Refused, Novelty::default()) };
        let mut brief = fresh.brief;
        brief.packets = brief.packets.saturating_add(1);
        brief.last = tick;
        let mut kept = Kept {
            brief,
            contacts: ONE,
            services: ONE,
            targets: ONE,
            recent: Recent::default(),
            probes: fresh.probes,
            tool: Marks::after(&fresh.probes, fresh.contact.service(), fresh.brief.last),
            since: fresh.contact.minute(),
            bitmap: NO_BITMAP,
        };
        kept.recent.push(fresh.contact);
        count(&mut kept.probes, probe);
        let slot = if self.kept.len() < self.max_kept {
            self.kept.push(kept);
            u32::try_from(self.kept.len() - 1).unwrap_or(0)
        } else {
            self.replace_kept(kept, fresh.contact)
        };
        self.insert(hash, slot | KEPT);
        let novelty = self.note_contact(slot, contact, tick);
        (Place::Kept(slot), novelty)
    }

    /// Puts a source that has made one contact so far into the slot of one that was not seen for long.
    fn replace_kept(&mut self, mut new: Kept, contact: Contact) -> u32 {
        let Self { random, kept, .. } = self;
        let looks = (0..LOOKS).map(|_| random.below(kept.len().max(1)));
        let slot = looks.min_by_key(|slot| kept.get(*slot).map(|kept| kept.brief.last)).unwrap_or(0);
        let Ok(number) = u32::try_from(slot) else { return 0 };
        if let Some(place) = kept.get_mut(slot) {
            // Its large memory, if it has one, stays with the slot.
            new.bitmap = place.bitmap;
            let old = mem::replace(place, new);
            if let Some((bitmap, owner)) = self.bitmaps.get_mut(usize::from(old.bitmap))
                && *owner == number
            {
                bitmap.clear();
                bitmap_mark(bitmap, &self.hasher, contact);
            }
            self.unindex(old.brief.key(), number | KEPT);
            self.evicted += 1;
        }
        number
    }

    fn note_contact(&mut self, slot: u32, contact: Contact, tick: Tick) -> Novelty {
        let now = contacts::minute(tick);
        let Some(kept) = self.kept.get_mut(slot as usize) else { return Novelty::default() };
        let mut bitmap = self.bitmaps.get_mut(usize::from(kept.bitmap)).filter(|(_, owner)| *owner == slot);
        // A day is over, or nothing was heard for so long that minutes no longer tell.
        if now.wrapping_sub(kept.since) > DAY_MINUTES || tick.since(kept.brief.last).as_secs() > 86_400 {
            kept.since = now;
            if tick.since(kept.brief.last).as_secs() > 86_400 {
                kept.recent = Recent::default();
            }
            (kept.contacts, kept.services, kept.targets) = (0, 0, 0);
            kept.brief.illegal = 0;
            kept.probes = [0; Probe::COUNT];
            if let Some((bitmap, _)) = &mut bitmap {
                bitmap.clear();
                for contact in kept.recent.iter().filter(|contact| contact.minutes_until(now) <= DAY_MINUTES) {
                    bitmap_mark(bitmap, &self.hasher, contact);
                }
            }
        }
        let is_current = |known: &Contact| known.minutes_until(now) <= DAY_MINUTES;
        let mut is_service_illegal = contact.is_illegal()
            && !kept.recent.iter().any(|known| is_current(&known) && known.is_illegal() && known.service_word() == contact.service_word());
        let (mut stands_for, is_service_known, is_target_known);
        if kept.recent.is_full() {
            let bitmap = match bitmap {
                // It knows what the ring knows.
                Some((bitmap, _)) => bitmap,
                None => {
                    if let Some(known) = kept.recent.find(contact, is_current) {
                        return Novelty::of_known(known.ask(contact.is_illegal()), is_service_illegal);
                    }
                    let Some(number) = self.assign_bitmap(slot) else { return Novelty::default() };
                    let (Some(kept), Some((bitmap, _))) = (self.kept.get_mut(slot as usize), self.bitmaps.get_mut(usize::from(number)))
                    else {
                        return Novelty::default();
                    };
                    kept.bitmap = number;
                    for known in kept.recent.iter().filter(is_current) {
                        bitmap_mark(bitmap, &self.hasher, known);
                    }
                    bitmap
                }
            };
            let new = bitmap_mark(bitmap, &self.hasher, contact);
            if new.contact == 0 {
                return Novelty::of_known(new.is_illegal_new, new.is_service_illegal_new);
            }
            is_service_illegal = new.is_service_illegal_new;
            (stands_for, is_service_known, is_target_known) = (new.contact, !new.is_service_new, !new.is_target_new);
        } else {
            // A large memory from earlier takes over again when the ring is full, and must know what the ring knew.
            if let Some((bitmap, _)) = bitmap {
                bitmap_mark(bitmap, &self.hasher, contact);
            }
            if let Some(known) = kept.recent.find(contact, is_current) {
                return Novelty::of_known(known.ask(contact.is_illegal()), is_service_illegal);
            }
            stands_for = ONE;
            let known = || kept.recent.iter().filter(is_current);
            is_service_known = known().any(|known| known.service_word() == contact.service_word());
            is_target_known = known().any(|known| known.target() == contact.target());
        }
        // What was estimated never counts for less than what is plain to see.
        stands_for = stands_for.max(ONE);
        let Some(kept) = self.kept.get_mut(slot as usize) else { return Novelty::default() };
        kept.recent.push(contact);
        kept.contacts = kept.contacts.saturating_add(stands_for);
        if !is_service_known {
            kept.services = kept.services.saturating_add(stands_for);
        }
        if !is_target_known {
            kept.targets = kept.targets.saturating_add(stands_for);
        }
        Novelty { contacts: stands_for, is_sweep: is_service_known, is_illegal: contact.is_illegal(), is_service_illegal }
    }

    /// A large contact memory for `slot`: a new one, or that of the source seen least recently of a few.
    fn assign_bitmap(&mut self, slot: u32) -> Option<u16> {
        if self.bitmaps.len() < self.max_bitmaps {
            self.bitmaps.push((Bitmap::new(), slot));
            return u16::try_from(self.bitmaps.len() - 1).ok();
        }
        let candidate = (0..4).map(|_| self.random.below(self.bitmaps.len())).min_by_key(|number| {
            self.bitmaps.get(*number).and_then(|(_, owner)| self.kept.get(*owner as usize)).map(|kept| kept.brief.last)
        })?;
        self.bitmaps_reused += 1;
        let (bitmap, owner) = self.bitmaps.get_mut(candidate)?;
        bitmap.clear();
        if let Some(kept) = self.kept.get_mut(*owner as usize) {
            kept.bitmap = NO_BITMAP;
        }
        *owner = slot;
        u16::try_from(candidate).ok()
    }

    /// Checks what must always hold.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let fail = |what: &str| Err(format!("source table: {what}"));
        if self.fresh.len() > self.max_fresh || self.kept.len() > self.max_kept || self.bitmaps.len() > self.max_bitmaps {
            return fail("over its limits");
        }
        let held = self.fresh.iter().filter(|fresh| fresh.is_there()).count();
        let mut free = self.free.clone();
        free.sort_unstable();
        free.dedup();
        let is_free = |slot: &u32| self.fresh.get(*slot as usize).is_some_and(|fresh| !fresh.is_there());
        if held + free.len() != self.fresh.len() || free.len() != self.free.len() || !free.iter().all(is_free) {
            return fail("a place on probation is neither free nor held");
        }
        if self.index.len() != held + self.kept.len() {
            return fail("index and slots differ in number");
        }
        for (slot, fresh) in self.fresh.iter().enumerate().filter(|(_, fresh)| fresh.is_there()) {
            if self.find(fresh.brief.key()).map(|at| at as usize) != Some(slot) {
                return fail("a source on probation is not found");
            }
        }
        if self.groups.iter().map(|held| *held as usize).sum::<usize>() != held {
            return fail("networks and probation differ in number");
        }
        for (slot, kept) in (0..).zip(&self.kept) {
            if self.find(kept.brief.key()) != Some(slot | KEPT) {
                return fail("a kept source is not found");
            }
            if kept.bitmap != NO_BITMAP && self.bitmaps.get(usize::from(kept.bitmap)).is_none_or(|(_, owner)| *owner != slot) {
                return fail("a contact memory has two owners");
            }
        }
        Ok(())
    }
}

/// One source, for a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceView<'a> {
    pub(crate) brief: &'a Brief,
    pub(crate) contacts: u32,
    pub(crate) tool: Option<Tool>,
    first: Option<Contact>,
    recent: Option<&'a Recent>,
}

impl SourceView<'_> {
    /// The contacts that are known exactly.
    pub(crate) fn contacts(&self) -> impl Iterator<Item = Contact> {
        self.first.into_iter().chain(self.recent.into_iter().flat_map(Recent::iter))
    }
}

struct New {
    /// The contact is new; it stands for so many, times [`ONE`]. 0: it is known.
    contact: u32,
    is_illegal_new: bool,
    is_service_illegal_new: bool,
    is_service_new: bool,
    is_target_new: bool,
}

/// Marks a contact. No service and no target is new where the contact is not.
fn bitmap_mark(bitmap: &mut Bitmap, hasher: &Hasher, contact: Contact) -> New {
    let mut mark = |word: u32, what| bitmap.mark(hasher.mix(u64::from(word) << 2, what));
    let is_illegal_new = contact.is_illegal() && mark(contact.place(), 4).is_some();
    let is_service_illegal_new = contact.is_illegal() && mark(contact.service_word(), 5).is_some();
    match mark(contact.place(), 1) {
        None => New { contact: 0, is_illegal_new, is_service_illegal_new, is_service_new: false, is_target_new: false },
        Some(contacts) => New {
            contact: contacts,
            is_illegal_new,
            is_service_illegal_new,
            is_service_new: mark(contact.service_word(), 2).is_some(),
            is_target_new: mark(u32::from(contact.target().number()), 3).is_some(),
        },
    }
}

fn count(probes: &mut [u8; Probe::COUNT], probe: Probe) {
    if let Some(count) = probes.get_mut(probe as usize) {
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        class::{Layer, Service},
        contacts::Targets,
    };

    #[test]
    fn a_full_table_takes_less_than_128_bytes_a_source() {
        const SOURCES: usize = 65_536;
        let hasher = Hasher::new([7; 16]);
        let mut table = Table::new(SOURCES, 1, hasher, 1);
        let us = Targets::new(hasher).id(IpAddr::from([198, 51, 100, 10]));
        for n in 0..200_000_u32 {
            let address = IpAddr::from(n.wrapping_mul(0x9e37_79b1).to_be_bytes());
            let key = Key::new(address, Origin::Kernel);
            for number in 0..2 - n % 2 {
                let service = Service { layer: Layer::Tcp, number: u16::try_from(number).unwrap() };
                let contact = Contact::new(us, service, Tick::from_secs(u64::from(n)));
                table.note(key, key.hash(&hasher), address, contact, Probe::Syn, Tick::from_secs(u64::from(n)));
            }
        }
        assert!(table.fresh.len() + table.kept.len() == SOURCES && table.free.len() < RUN);
        let lists = table.fresh.capacity() * size_of::<Fresh>() + table.kept.capacity() * size_of::<Kept>();
        let bytes = lists + table.index.allocation_size() + size_of_val(&*table.groups);
        assert!(bytes / SOURCES < 128, "{} bytes a source", bytes / SOURCES);
        table.check_invariants().unwrap();
    }
}
