//! What happens, and when.

use crate::{Random, forwarded, icmp, igmp, stack_tcp, syn, tcp, udp};
use firebell_engine::{
    engine::Engine,
    finding::{Finding, Phase},
    origin::Origin,
    packet::Packet,
    tick::Tick,
};
use std::{collections::BTreeSet, net::IpAddr};

/// A packet to come, small: a day has hundreds of thousands of them.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    at: u64,
    src: IpAddr,
    dst: IpAddr,
    sport: u16,
    dport: u16,
    shape: Shape,
    is_forwarded: bool,
}

/// Who wrote a packet.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A raw scanner, with these TCP flags.
    Raw(u8),
    /// An operating system, with these TCP flags.
    Stack(u8),
    Zmap,
    Masscan,
    Mirai,
    Udp,
    /// Of this type.
    Icmp(u8),
    Igmp,
}

impl Event {
    /// The whole packet.
    #[must_use]
    pub fn packet(&self) -> Packet<'static> {
        let Self { src, dst, sport, dport, .. } = *self;
        let mut packet = match self.shape {
            Shape::Raw(flags) => tcp(src, sport, dst, dport, flags),
            Shape::Stack(flags) => stack_tcp(src, sport, dst, dport, flags),
            Shape::Udp => udp(src, sport, dst, dport),
            Shape::Icmp(kind) => icmp(src, dst, kind),
            Shape::Igmp => igmp(src, dst),
            Shape::Zmap | Shape::Masscan | Shape::Mirai => syn(src, sport, dst, dport),
        };
        match self.shape {
            // Source: zmap 2 to 4 probe modules; version 4 draws the ID by default, most of what is on the wire does not.
            Shape::Zmap => (packet.header.id, packet.header.window) = (Some(54_321), Some(65_535)),
            Shape::Masscan => (packet.header.ttl, packet.header.len) = (Some(240), Some(40)),
            Shape::Mirai => (packet.header.len, packet.header.window) = (Some(40), Some(u32::from(sport))),
            // A payload of 20 to 275 bytes, as questions, answers and announcements have.
            Shape::Udp => {
                let length = 28 + u32::from(sport.wrapping_mul(31).wrapping_add(dport) & 0xff);
                (packet.header.len, packet.header.l4_len) = (Some(length + if src.is_ipv6() { 40 } else { 20 }), Some(length));
            }
            _ => {}
        }
        if self.is_forwarded { forwarded(packet) } else { packet }
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }
}

/// What happens, in any order while it is written.
#[derive(Debug, Default)]
pub struct Diary {
    events: Vec<Event>,
}

impl Diary {
    fn note(&mut self, at: u64, (src, sport): (IpAddr, u16), (dst, dport): (IpAddr, u16), shape: Shape) {
        self.events.push(Event { at, src, dst, sport, dport, shape, is_forwarded: false });
    }

    /// A TCP packet of a raw scanner.
    pub fn raw(&mut self, at: u64, from: (IpAddr, u16), to: (IpAddr, u16), flags: u8) {
        self.note(at, from, to, Shape::Raw(flags));
    }

    /// A TCP packet of an operating system.
    pub fn stack(&mut self, at: u64, from: (IpAddr, u16), to: (IpAddr, u16), flags: u8) {
        self.note(at, from, to, Shape::Stack(flags));
    }

    /// A SYN of zmap.
    pub fn zmap(&mut self, at: u64, from: (IpAddr, u16), to: (IpAddr, u16)) {
        self.note(at, from, to, Shape::Zmap);
    }

    /// A SYN of masscan.
    pub fn masscan(&mut self, at: u64, from: (IpAddr, u16), to: (IpAddr, u16)) {
        self.note(at, from, to, Shape::Masscan);
    }

    /// A SYN of the Mirai family.
    pub fn mirai(&mut self, at: u64, from: (IpAddr, u16), to: (IpAddr, u16)) {
        self.note(at, from, to, Shape::Mirai);
    }

    /// A UDP packet.
    pub fn udp(&mut self, at: u64, from: (IpAddr, u16), to: (IpAddr, u16)) {
        self.note(at, from, to, Shape::Udp);
    }

    /// An ICMP packet of this type.
    pub fn icmp(&mut self, at: u64, from: IpAddr, to: IpAddr, kind: u8) {
        self.note(at, (from, 0), (to, 0), Shape::Icmp(kind));
    }

    /// A report of group membership.
    pub fn igmp(&mut self, at: u64, from: IpAddr, group: IpAddr) {
        self.note(at, (from, 0), (group, 0), Shape::Igmp);
    }

    /// What a container sends to the Internet: `udp`, or a SYN of its operating system.
    pub fn container(&mut self, at: u64, from: (IpAddr, u16), to: (IpAddr, u16), is_udp: bool) {
        self.note(at, from, to, if is_udp { Shape::Udp } else { Shape::Stack(firebell_engine::packet::TcpFlags::SYN) });
        if let Some(event) = self.events.last_mut() {
            event.is_forwarded = true;
        }
    }

    /// Everything, in order.
    #[must_use]
    pub fn events(mut self) -> Vec<Event> {
        self.events.sort_by_key(Event::at);
        self.events
    }
}

/// A history that is written day by day.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// Writes the day that begins at this microsecond; the days are numbered from 0.
    pub day: fn(&mut Diary, u64, u64, &mut Random),
    /// How many.
    pub days: u64,
}

impl History {
    /// Goes through all of it with this seed. `see` gets each event in order.
    pub fn tell(&self, seed: u64, mut see: impl FnMut(&Event)) {
        let mut random = Random(seed);
        for day in 0..self.days {
            let mut diary = Diary::default();
            (self.day)(&mut diary, crate::START + day * crate::DAY, day, &mut random);
            diary.events().iter().for_each(&mut see);
        }
    }

    /// Lets `engine` see all of it, and gives what it says.
    pub fn judge(&self, seed: u64, engine: &mut Engine) -> Vec<Finding> {
        let mut said = Vec::new();
        self.tell(seed, |event| {
            engine.observe(&event.packet(), Origin::Kernel, Tick::from_micros(event.at));
            said.extend(std::iter::from_fn(|| engine.next_finding()));
        });
        engine.advance(Tick::from_micros(crate::START + self.days * crate::DAY));
        said.extend(std::iter::from_fn(|| engine.next_finding()));
        said
    }
}

/// The popups that a person gets: incidents when they first become worth one, and when they begin again.
#[must_use]
pub fn popups(said: &[Finding]) -> Vec<&Finding> {
    let mut shown = BTreeSet::new();
    let is_popup = |finding: &&Finding| {
        finding.severity >= 3
            && !matches!(finding.phase, Phase::Closed | Phase::Merged)
            && (shown.insert(finding.id) || finding.phase == Phase::Reopened)
    };
    said.iter().filter(is_popup).collect()
}
