//! Distributed scans (D10): one scan shared between several sources.
//!
//! For each of our addresses, the distinct ports that all sources together asked in ten minutes. More than
//! `max(20, 4 times the usual)` of them, from at least three sources that share fewer than a fifth of their ports and
//! none of which asked more than half of them, most of which send the same kind of packet, are one scan. What is usual is learned: the largest ordinary count, fading by
//! 2 % in ten minutes. Until a day has been learned, the sources must also ask more than one port each on average: on an exposed
//! host hundreds of unrelated scanners ask one port each.
//!
//! One tool that forges its senders gives itself away by source ports that count up across them (hping3 `--rand-source`):
//! then one port each is enough. So it is where four of five pairs come from one /24 or /48: whoever holds a /48 may take a new
//! /64 for every probe.
//!
//! It misses distributed scans of an address that is under constant fire.

use super::Reading;
use crate::{address::Key, cache::Cache, parameters, score::thousandths, tick::Tick};
use serde::{Deserialize, Serialize};
use std::{hint::cold_path, net::IpAddr, time::Duration};

/// Addresses of ours that are watched.
const ENTRIES: usize = 16;
/// Sources that are listed; more are counted.
const SOURCES: usize = 64;
/// What is usual is known after this time.
const LEARNED: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
pub(crate) struct Distributed {
    pub(crate) limits: parameters::Distributed,
    parts: Parts,
    pub(crate) targets: Cache<Window>,
}

/// The parts among the parameters, in thousandths.
#[derive(Clone, Copy, Debug)]
struct Parts {
    distinct: u64,
    largest: u64,
    alike: u64,
    in_step: u64,
}

/// Are `some` at least so many thousandths of `all`?
fn is_part(some: u32, all: u32, thousandths: u64) -> bool {
    u64::from(some) * 1000 >= u64::from(all) * thousandths
}

/// What one of our addresses was asked in ten minutes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Window {
    since: Tick,
    ports: Box<[u64]>,
    distinct: u32,
    /// (source, port) pairs.
    pairs: u32,
    /// How many pairs were sent with the commonest kind of packet, and how many came from the commonest network.
    shape: Commonest,
    network: Commonest,
    /// Source port of the last pair, and how many pairs came from a port just behind that of the one before.
    last_sport: u16,
    in_step: u32,
    sources: Vec<(Key, IpAddr)>,
    /// By what each of `sources` is found: a part of its hash.
    marks: Vec<u32>,
    /// Pairs of each of `sources`.
    asked: Vec<u32>,
    more_sources: u32,
    usual: u32,
    windows: u32,
    is_alarmed: bool,
}

/// A majority, and about how often it came (the vote of Boyer and Moore, and a count).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Commonest {
    value: u64,
    votes: u32,
    count: u32,
}

impl Commonest {
    fn note(&mut self, value: u64) {
        if self.votes == 0 {
            (self.value, self.votes, self.count) = (value, 1, self.count.min(1));
        } else if self.value == value {
            self.votes += 1;
        } else {
            self.votes -= 1;
        }
        self.count += u32::from(self.value == value);
    }
}

impl Window {
    fn new(since: Tick) -> Self {
        Self {
            since,
            ports: vec![0; 1024].into_boxed_slice(),
            distinct: 0,
            pairs: 0,
            shape: Commonest::default(),
            network: Commonest::default(),
            last_sport: 0,
            in_step: 0,
            sources: Vec::with_capacity(SOURCES),
            marks: Vec::with_capacity(SOURCES),
            asked: Vec::with_capacity(SOURCES),
            more_sources: 0,
            usual: 0,
            windows: 0,
            is_alarmed: false,
        }
    }

    /// Is it one that noting makes?
    pub(crate) fn is_sound(&self) -> bool {
        let sources = self.sources.len();
        self.ports.len() == 1024 && sources <= SOURCES && self.marks.len() == sources && self.asked.len() == sources
    }

    #[inline(never)]
    fn start_anew(&mut self, now: Tick, within: Duration) {
        let passed = u32::try_from(now.since(self.since).as_secs() / within.as_secs().max(1)).unwrap_or(u32::MAX);
        if !self.is_alarmed {
            self.usual = self.usual.max(self.distinct);
        }
        for _ in 0..passed.min(500) {
            self.usual -= self.usual.div_ceil(50);
        }
        self.windows = self.windows.saturating_add(passed.max(1));
        self.since = now;
        self.ports.fill(0);
        (self.distinct, self.pairs, self.in_step, self.more_sources) = (0, 0, 0, 0);
        (self.shape, self.network) = (Commonest::default(), Commonest::default());
        self.sources.clear();
        self.marks.clear();
        self.asked.clear();
        self.is_alarmed = false;
    }

    /// A source that did not ask in this window before.
    #[inline(never)]
    fn meet(&mut self, source: (Key, IpAddr), mark: u32) {
        if self.sources.len() < SOURCES {
            self.sources.push(source);
            self.marks.push(mark);
            self.asked.push(1);
        } else {
            self.more_sources = self.more_sources.saturating_add(1);
        }
    }

    /// Many asked so much: do they share the work of one scan?
    #[inline(never)]
    fn is_one_scan(&self, parts: &Parts, within: Duration) -> bool {
        let is_apart = is_part(self.distinct, self.pairs, parts.distinct);
        // One scanner and a few strangers that ask a port each are no team.
        let is_shared = || self.asked.iter().all(|asked| u64::from(*asked) * 1000 <= u64::from(self.pairs) * parts.largest);
        let is_alike = is_part(self.shape.count, self.pairs, parts.alike);
        let is_more_than_one_each = within.saturating_mul(self.windows) >= LEARNED || self.pairs * 2 >= self.source_count() * 3;
        let is_one_tool = is_part(self.in_step, self.pairs, parts.in_step);
        let is_one_network = is_part(self.network.count, self.pairs, parts.alike);
        is_apart && is_alike && (is_more_than_one_each || is_one_tool || is_one_network) && is_shared()
    }

    fn source_count(&self) -> u32 {
        u32::try_from(self.sources.len()).unwrap_or(u32::MAX).saturating_add(self.more_sources)
    }
}

/// What a contact has to do with others.
pub(crate) enum Shared<'a> {
    /// Nothing.
    No,
    /// It is the one by which a scan is found out, which these sources share.
    Found(&'a [(Key, IpAddr)]),
    /// It belongs to a scan that was found out.
    OneMore,
}

impl Parts {
    fn new(limits: &parameters::Distributed) -> Self {
        let part = |part| u64::from(thousandths(part));
        Self {
            distinct: part(limits.distinct_part),
            largest: part(limits.largest_part),
            alike: part(limits.alike_part),
            in_step: part(limits.in_step_part),
        }
    }
}

impl Distributed {
    pub(crate) fn new(limits: parameters::Distributed) -> Self {
        Self { parts: Parts::new(&limits), limits, targets: Cache::new(ENTRIES) }
    }

    /// Goes by other parameters; what is usual stays known.
    pub(crate) fn adopt(&mut self, limits: parameters::Distributed) {
        self.parts = Parts::new(&limits);
        self.limits = limits;
    }

    /// Ports of one address that all sources asked, beside how many are unusual. `hash` as in [`Self::note`].
    pub(crate) fn reading(&self, hash: u64) -> Option<Reading> {
        let window = self.targets.peek(hash).filter(|_| self.limits.enabled)?;
        let most = self.limits.ports.max(window.usual.saturating_mul(self.limits.times_usual));
        let what = "ports of one address, asked by several";
        let reading = Reading::new("D10", "distributed", what, f64::from(window.distinct), f64::from(most) + 1.0, "ports");
        Some(Reading { spoke: window.is_alarmed, ..reading })
    }

    /// A contact that is new for its source, from `sport` to `port`. `hash` is of the destination, `mark` of the source; `shape` tells kinds of packet apart, `network` where they come from.
    pub(crate) fn note(
        &mut self,
        hash: u64,
        source: (Key, IpAddr),
        mark: u32,
        (sport, port): (u16, u16),
        (shape, network): (u64, u64),
        tick: Tick,
    ) -> Shared<'_> {
        let limits = &self.limits;
        if !limits.enabled {
            return Shared::No;
        }
        let window = self.targets.get_or_reuse(
            hash,
            tick,
            || Window::new(tick),
            |window| {
                window.start_anew(tick, limits.within);
                (window.usual, window.windows) = (0, 0);
            },
        );
        if tick.since(window.since) > limits.within {
            cold_path();
            window.start_anew(tick, limits.within);
        }
        window.pairs += 1;
        // A few of the tool's packets may be lost or thrown away on the way.
        window.in_step += u32::from((1..=4).contains(&sport.wrapping_sub(window.last_sport)));
        window.last_sport = sport;
        if let Some(word) = window.ports.get_mut(usize::from(port / 64)) {
            let mark = 1 << (port % 64);
            window.distinct += u32::from(*word & mark == 0);
            *word |= mark;
        }
        window.shape.note(shape);
        window.network.note(network);
        // Without a way out of the loop the processor compares many at once.
        let is_known = window.marks.iter().fold(false, |found, known| found | (*known == mark));
        let at = if is_known { window.sources.iter().position(|(known, _)| *known == source.0) } else { None };
        match at.and_then(|at| window.asked.get_mut(at)) {
            Some(asked) => *asked += 1,
            None => window.meet(source, mark),
        }
        if window.is_alarmed {
            return Shared::OneMore;
        }
        let is_unusual = window.distinct > limits.ports.max(window.usual.saturating_mul(limits.times_usual));
        if !is_unusual || window.source_count() < limits.sources || !window.is_one_scan(&self.parts, limits.within) {
            return Shared::No;
        }
        window.is_alarmed = true;
        Shared::Found(&window.sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;
    use std::net::Ipv4Addr;

    /// Whether these sources, which ask so many ports each, in turn, one a second, are one scan.
    fn is_one_scan(asked: &[u16]) -> bool {
        let mut distributed = Distributed::new(parameters::Distributed::default());
        let mut port = 0;
        let mut alarm = false;
        for round in 0..asked.iter().copied().max().unwrap_or(0) {
            for (n, _) in asked.iter().enumerate().filter(|(_, count)| round < **count) {
                port += 1;
                let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, u8::try_from(n).unwrap()));
                let source = (Key::new(address, Origin::Kernel), address);
                alarm |= !matches!(
                    distributed.note(
                        1,
                        source,
                        u32::try_from(n).unwrap(),
                        (0, port),
                        (0, u64::from(port)),
                        Tick::from_secs(u64::from(port))
                    ),
                    Shared::No
                );
            }
        }
        alarm
    }

    #[test]
    fn five_sources_that_share_the_ports_are_one_scan() {
        assert!(is_one_scan(&[10, 10, 10, 10, 10]));
    }

    #[test]
    fn a_scanner_among_strangers_is_not_shared_with_them() {
        assert!(!is_one_scan(&[100, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
    }
}
