//! What is counted of the packets of a log, beside what the engine makes of them. Its memory has a bound, whatever is in the log.

use crate::times;
use firebell_engine::{packet::Packet, tick::Tick};
use jiff::{Timestamp, tz::TimeZone};
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

/// Steps of time that are counted. When the log is longer, two become one.
const STEPS: usize = 2_048;
/// Sources that are counted one by one; the packets of later ones are counted together.
const SOURCES: usize = 65_536;
/// Pairs of source and port that are drawn: a fair sample, those with the smallest hashes.
const POINTS: usize = 4_000;
/// Tuesdays at ten, and so on.
pub(super) type Week = [[u64; 24]; 7];

/// Counts.
#[derive(Debug)]
pub(crate) struct Tally {
    zone: TimeZone,
    pub(super) series: Series,
    /// By weekday from Monday, and hour, in the time zone.
    pub(super) week: Week,
    /// The hour that was last looked up in the calendar: its number since 1970, weekday and hour.
    hour: (u64, usize, usize),
    sources: HashMap<IpAddr, u64>,
    /// Packets of sources that are not in `sources`.
    pub(super) others: u64,
    ports: HashMap<(u8, u16), u64>,
    points: BTreeMap<u64, Point>,
}

/// A source that asked a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) source: IpAddr,
    pub(super) port: u16,
    pub(super) packets: u64,
}

impl Tally {
    /// Hours and weekdays are those of `zone`.
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            series: Series::default(),
            week: Week::default(),
            hour: (u64::MAX, 0, 0),
            sources: HashMap::new(),
            others: 0,
            ports: HashMap::new(),
            points: BTreeMap::new(),
        }
    }

    /// Counts a packet; without a time it is on no axis of time.
    pub(crate) fn note(&mut self, packet: &Packet<'_>, tick: Option<Tick>) {
        let header = &packet.header;
        if let Some(tick) = tick {
            self.note_time(tick, 1);
        }
        self.note_source(header.src, 1);
        if let (Some(number @ (6 | 17)), Some(port)) = (header.proto.number, header.dport) {
            self.note_port(number, header.src, port, 1);
        }
    }

    /// So many packets came then.
    pub(super) fn note_time(&mut self, tick: Tick, packets: u64) {
        self.series.note(tick, packets);
        if !times::is_uptime(tick) {
            self.note_hour(tick, packets);
        }
    }

    /// So many packets came from there.
    pub(super) fn note_source(&mut self, source: IpAddr, packets: u64) {
        let is_full = self.sources.len() >= SOURCES;
        match self.sources.get_mut(&source) {
            Some(count) => *count += packets,
            None if is_full => self.others += packets,
            None => {
                self.sources.insert(source, packets);
            }
        }
    }

    /// So many packets asked for that port.
    pub(super) fn note_port(&mut self, protocol: u8, source: IpAddr, port: u16, packets: u64) {
        *self.ports.entry((protocol, port)).or_default() += packets;
        self.note_point(source, port, packets);
    }

    fn note_hour(&mut self, tick: Tick, packets: u64) {
        let number = tick.as_micros() / 3_600_000_000;
        if self.hour.0 != number {
            let moment = i64::try_from(tick.as_micros()).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
            let local = self.zone.to_datetime(moment.unwrap_or_default());
            let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
            self.hour = (number, day, usize::try_from(local.hour()).unwrap_or(0));
        }
        if let Some(count) = self.week.get_mut(self.hour.1).and_then(|day| day.get_mut(self.hour.2)) {
            *count += packets;
        }
    }

    fn note_point(&mut self, source: IpAddr, port: u16, packets: u64) {
        let hash = hash(source, port);
        if let Some(point) = self.points.get_mut(&hash) {
            point.packets += packets;
        } else if self.points.len() < POINTS || self.points.last_key_value().is_some_and(|(last, _)| hash < *last) {
            self.points.insert(hash, Point { source, port, packets });
            if self.points.len() > POINTS {
                self.points.pop_last();
            }
        }
    }

    /// Distinct sources that were counted one by one.
    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    /// The busiest sources, with their packets.
    pub(super) fn talkers(&self, count: usize) -> Vec<(IpAddr, u64)> {
        let mut all: Vec<_> = self.sources.iter().map(|(source, packets)| (*source, *packets)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(count);
        all
    }

    /// The ports asked for most: protocol, port, packets.
    pub(super) fn ports(&self, count: usize) -> Vec<(u8, u16, u64)> {
        let mut all: Vec<_> = self.ports.iter().map(|((protocol, port), packets)| (*protocol, *port, *packets)).collect();
        all.sort_by(|a, b| b.2.cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        all.truncate(count);
        all
    }

    /// Were there more pairs than are kept?
    pub(super) fn is_sample(&self) -> bool {
        self.points.len() >= POINTS
    }

    /// Pairs of source and port, by source.
    pub(super) fn points(&self) -> Vec<Point> {
        let mut all: Vec<_> = self.points.values().copied().collect();
        all.sort_by_key(|point| (point.source, point.port));
        all
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a fair order of pairs, the same in each run.
fn hash(source: IpAddr, port: u16) -> u64 {
    let mix = |value: u64| {
        let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    };
    let (high, low) = match source {
        IpAddr::V4(source) => (0, u64::from(source.to_bits())),
        #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
        IpAddr::V6(source) => ((source.to_bits() >> 64) as u64, source.to_bits() as u64),
    };
    mix(mix(mix(high.wrapping_add(1)) ^ low) ^ u64::from(port))
}

/// Packets over time, in equal steps.
#[derive(Debug)]
pub(super) struct Series {
    /// The first moment, in steps of a second.
    start: Option<u64>,
    /// Seconds of one step.
    pub(super) width: u64,
    pub(super) counts: Vec<u64>,
}

impl Default for Series {
    fn default() -> Self {
        Self { start: None, width: 1, counts: Vec::new() }
    }
}

impl Series {
    fn note(&mut self, tick: Tick, packets: u64) {
        let second = tick.as_micros() / 1_000_000;
        let start = *self.start.get_or_insert(second);
        // What a log has out of order belongs to its beginning.
        let since = second.saturating_sub(start);
        while since / self.width >= STEPS as u64 {
            self.counts = self.counts.chunks(2).map(|two| two.iter().sum()).collect();
            self.width *= 2;
        }
        let at = usize::try_from(since / self.width).unwrap_or(0);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(at) {
            *count += packets;
        }
    }

    /// The same in at most `steps` steps.
    pub(super) fn coarse(&self, steps: usize) -> Self {
        let fold = self.counts.len().div_ceil(steps.max(1)).max(1);
        Self {
            start: self.start,
            width: self.width * fold as u64,
            counts: self.counts.chunks(fold).map(|some| some.iter().sum()).collect(),
        }
    }

    /// The step of a moment.
    pub(super) fn step(&self, tick: Tick) -> usize {
        let since = (tick.as_micros() / 1_000_000).saturating_sub(self.start.unwrap_or(0)) / self.width;
        usize::try_from(since).unwrap_or(usize::MAX).min(self.counts.len().saturating_sub(1))
    }

    /// When a step begins.
    pub(super) fn at(&self, step: usize) -> Tick {
        Tick::from_secs(self.start.unwrap_or(0) + step as u64 * self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_in_steps_whatever_its_length() {
        let mut series = Series::default();
        for second in [100, 101, 101, 50, 100 + 10 * STEPS as u64] {
            series.note(Tick::from_secs(second), 1);
        }
        assert!(series.counts.len() <= STEPS && series.counts.iter().sum::<u64>() == 5);
        assert_eq!((series.width, series.counts[0], *series.counts.last().unwrap()), (16, 4, 1));
        let coarse = series.coarse(100);
        assert!(coarse.counts.len() <= 100 && coarse.counts.iter().sum::<u64>() == 5);
        series.note(Tick::from_micros(u64::MAX), 1);
        assert!(series.counts.len() <= STEPS);
    }

    #[test]
    fn the_sample_of_points_is_the_same_in_any_order() {
        let pairs: Vec<_> = (0..200_u32).flat_map(|n| (0..100_u16).map(move |port| (IpAddr::from(n.to_be_bytes()), port))).collect();
        let sample = |pairs: &mut dyn Iterator<Item = &(IpAddr, u16)>| {
            let mut tally = Tally::new(TimeZone::UTC);
            pairs.for_each(|(source, port)| tally.note_point(*source, *port, 1));
            tally.points()
        };
        let found = sample(&mut pairs.iter());
        assert_eq!(found.len(), POINTS);
        assert_eq!(found, sample(&mut pairs.iter().rev()));
    }
}
