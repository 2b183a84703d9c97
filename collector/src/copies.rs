//! The same packet in two intakes counts once.
//!
//! Two records are of the same packet when they say the same about it. Their text is not the same: the journal and syslog
//! daemons cut and escape it in other ways than the kernel, `ulogd` prints more, two rules have two prefixes. Nor are
//! their stamps, which half of the forms do not have. So what is compared is a keyed hash of what was read.
//!
//! A packet may come twice with all of its numbers the same, and must count twice. So each intake counts how often it has shown
//! such a packet; a record is a copy when another intake has shown it at least as often. Who comes first does not matter then, nor how the
//! intakes are mixed, and a record that one of them lost is taken from the other.
//!
//! What nobody vouches for never makes a copy of what the kernel wrote: any user could write first what is to be overlooked.
//! So a line that nobody vouches for waits for [`WAIT`] in a [`Copies`] beside an intake that vouches. Mostly its twin comes, and it is
//! a copy; what is left then was in no other log, and is judged as unverified evidence.
//!
//! All of it goes into a checkpoint ([`Copies::save`]): the position of an intake is then behind lines that still wait, and behind packets
//! whose copy comes after the next start.

use crate::intake::Slot;
use firebell_engine::{
    origin::Origin,
    packet::{Header, Packet, TcpFlags},
    tick::Tick,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, DefaultHasher, Hash, Hasher as _, RandomState},
    time::Duration,
};

/// So long after the last new packet of a kind its copies are known. A syslog daemon is a second behind, journald under a flood
/// some more.
const WINDOW: Duration = Duration::from_secs(30);
/// So long waits a line that nobody vouches for. The kernel log and the journal are milliseconds behind; a syslog daemon that
/// is quicker than both is rare.
pub const WAIT: Duration = Duration::from_secs(2);
/// What waits takes at most so many bytes: some 4,000 lines. Then the oldest no longer waits.
const MAX_WAITING: usize = 1 << 20;
/// Places of a hash.
const WAYS: usize = 4;
/// Kinds of packets that are remembered at most are four times as many (2.6 MiB in all): a flood of 50,000 lines a second passes
/// in 1.3 s. What is forgotten early counts twice.
const SETS: usize = 1 << 14;
/// Intakes that may show one packet.
const SHOWN: usize = 4;

/// How often each log has shown each packet of late, and lines that wait. Each file of a pattern is a log of its own, since another
/// one may hold the same packets.
#[derive(Debug)]
pub struct Copies {
    key: [u64; 2],
    /// When a record was last judged.
    last: Tick,
    sets: Vec<[Kind; WAYS]>,
    waiting: VecDeque<Waiting>,
    bytes: VecDeque<u8>,
}

/// Packets that are alike in everything.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Kind {
    hash: u64,
    /// When the last one was new.
    last: Tick,
    shown: [Shown; SHOWN],
}

/// How often a log has shown it. Twice 0 is a free place.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Shown {
    log: u16,
    kernel: u16,
    unverified: u16,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    until: Tick,
    slot: Slot,
    tick: Tick,
    len: usize,
}

/// What is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    key: [u64; 2],
    last: Tick,
    /// Of the logs, by number.
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// Log, moment and text of each line that waits.
    waiting: Vec<(u16, Tick, Vec<u8>)>,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Of a packet that no other intake has shown yet.
    New,
    /// A copy.
    Copy,
    /// That will be known later.
    Wait,
}

impl Default for Copies {
    fn default() -> Self {
        // From the system's own random source.
        let random = RandomState::new();
        Self {
            key: [random.hash_one(0), random.hash_one(1)],
            last: Tick::ZERO,
            sets: vec![[Kind::default(); WAYS]; SETS],
            waiting: VecDeque::new(),
            bytes: VecDeque::new(),
        }
    }
}

impl Copies {
    /// Judges a record of log number `log` that came at `now`. With `may_wait` it is [`Met::Wait`] instead of [`Met::New`],
    /// and is judged again later.
    pub fn meet(&mut self, packet: &Packet<'_>, log: u16, origin: Origin, may_wait: bool, now: Tick) -> Met {
        self.last = now;
        let hash = self.hash((packet.in_iface, packet.out_iface, told(&packet.header), packet.nested.as_ref().map(told)));
        let Some(kind) = self.kind(hash, now) else { return Met::New };
        let count = |shown: &Shown| match origin {
            Origin::Kernel => shown.kernel,
            Origin::Unverified => shown.kernel.saturating_add(shown.unverified),
        };
        let others = kind.shown.iter().filter(|shown| shown.log != log).map(count).max().unwrap_or(0);
        let own = kind.shown.iter().filter(|shown| shown.log == log).map(count).max().unwrap_or(0);
        let is_new = own >= others;
        if is_new && may_wait {
            return Met::Wait;
        }
        if own == u16::MAX {
            kind.shown = Default::default();
        }
        kind.add(log, origin);
        if is_new {
            kind.last = now;
        }
        if is_new { Met::New } else { Met::Copy }
    }

    /// Lets a line wait that is of the moment `tick`.
    pub fn wait(&mut self, slot: Slot, tick: Tick, line: &[u8], now: Tick) {
        self.bytes.extend(line);
        self.waiting.push_back(Waiting { until: now.after(WAIT), slot, tick, len: line.len() });
    }

    /// Puts the next line that has waited long enough, or for which there is no room, into `line`: whose it is, and its moment.
    pub fn next(&mut self, now: Tick, line: &mut Vec<u8>) -> Option<(Slot, Tick)> {
        let first = *self.waiting.front()?;
        if first.until > now && self.bytes.len() <= MAX_WAITING {
            return None;
        }
        self.waiting.pop_front();
        line.clear();
        line.extend(self.bytes.drain(..first.len.min(self.bytes.len())));
        Some((first.slot, first.tick))
    }

    /// When the first line has waited long enough.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        self.waiting.front().map(|first| first.until)
    }

    /// What a later start goes on with, in its stored form. `names` are those of the logs, by number.
    #[must_use]
    pub fn save(&self, names: Vec<String>) -> Vec<u8> {
        let is_known = |kind: &&Kind| kind.hash != 0 && self.last.since(kind.last) <= WINDOW;
        let kinds = self.sets.iter().flatten().filter(is_known).copied().collect();
        let mut bytes = self.bytes.iter().copied();
        let waiting = self.waiting.iter().map(|line| (line.slot.log, line.tick, bytes.by_ref().take(line.len).collect())).collect();
        // A vector takes everything.
        postcard::to_allocvec(&Saved { key: self.key, last: self.last, names, kinds, waiting }).unwrap_or_default()
    }

    /// Goes on at `now` with what was saved by a start whose logs may have had other numbers; with nothing where that is none of ours.
    /// `slots`: see [`crate::intake::slots`]. The time between does not count: while nobody read, no copy could come. An intake that is
    /// gone takes its lines with it.
    #[must_use]
    pub fn restore(saved: &[u8], slots: &[(u8, String)], now: Tick) -> Self {
        let mut copies = Self::default();
        let Ok(saved) = postcard::from_bytes::<Saved>(saved) else { return copies };
        let numbers: HashMap<&str, Slot> =
            (0..).zip(slots).map(|(log, (intake, name))| (name.as_str(), Slot { intake: *intake, log })).collect();
        let number = |old: u16| numbers.get(saved.names.get(usize::from(old))?.as_str()).copied();
        (copies.key, copies.last) = (saved.key, now);
        for mut kind in saved.kinds.iter().copied() {
            kind.last = Tick::from_micros(now.as_micros().saturating_sub(micros(saved.last.since(kind.last))));
            for shown in &mut kind.shown {
                *shown = number(shown.log).map_or(Shown::default(), |slot| Shown { log: slot.log, ..*shown });
            }
            if let Some(place) = copies.kind(kind.hash, now) {
                *place = kind;
            }
        }
        for (log, tick, line) in &saved.waiting {
            if let Some(slot) = number(*log) {
                copies.wait(slot, *tick, line, now);
            }
        }
        copies
    }

    /// Never 0, which is a free place. The key is what the hash begins with, so nobody else knows what falls together.
    fn hash(&self, what: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.key, what).hash(&mut hasher);
        hasher.finish().max(1)
    }

    /// The place of a kind, which may have to be made.
    fn kind(&mut self, hash: u64, now: Tick) -> Option<&mut Kind> {
        let at = usize::try_from(hash % SETS as u64).ok()?;
        let set = self.sets.get_mut(at)?;
        let is_known = |kind: &Kind| kind.hash == hash && now.since(kind.last) <= WINDOW;
        match set.iter().position(is_known) {
            Some(way) => set.get_mut(way),
            None => {
                let oldest = set.iter_mut().min_by_key(|kind| if kind.hash == hash { Tick::ZERO } else { kind.last })?;
                *oldest = Kind { hash, last: now, ..Kind::default() };
                Some(oldest)
            }
        }
    }
}

impl Kind {
    fn add(&mut self, log: u16, origin: Origin) {
        let own = self.shown.iter().position(|shown| shown.log == log && !shown.is_free());
        let place = own.or_else(|| self.shown.iter().position(Shown::is_free)).unwrap_or(SHOWN - 1);
        let Some(shown) = self.shown.get_mut(place) else { return };
        if shown.log != log {
            *shown = Shown { log, ..Shown::default() };
        }
        let count = match origin {
            Origin::Kernel => &mut shown.kernel,
            Origin::Unverified => &mut shown.unverified,
        };
        *count = count.saturating_add(1);
    }
}

impl Shown {
    fn is_free(&self) -> bool {
        self.kernel == 0 && self.unverified == 0
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What every logger tells of a header. `ulogd` always prints sequence numbers, the kernel only where the rule wants them.
fn told(header: &Header<'_>) -> impl Hash + use<> {
    let ip = (header.src, header.dst, header.len, header.ttl, header.hop_limit, header.id, header.flow_label, header.frag);
    let ports = (header.proto.number, header.sport, header.dport, header.l4_len, header.window, header.flags.map(TcpFlags::bits));
    let icmp = (header.icmp_type, header.icmp_code, header.icmp_id, header.icmp_seq, header.arp_opcode);
    (ip, ports, icmp)
}

#[cfg(test)]
mod tests;
