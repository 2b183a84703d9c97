//! What every detector makes of a packet and of who sent it: why there is an alert, or why there is none.

use super::{Engine, protocol_number};
use crate::{
    address::Key,
    class::{self, Class, Classified, Layer},
    contacts,
    detect::{Reading, fast_scan, illegal_flags, packet_count, slow_scan, sweep},
    finding::{Action, Tool},
    lists::Muted,
    origin::Origin,
    packet::Packet,
    score::Weight,
    table::{Brief, Kept},
};
use std::net::IpAddr;

/// What is known of the sender of a packet, right behind that packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What the packet is.
    pub class: Class,
    /// Who sent it; of an IPv6 /64 the address at hand.
    pub source: IpAddr,
    /// Is the sender looked at?
    pub standing: Standing,
    /// Private or on-link.
    pub is_near: bool,
    /// IP protocol of what it asks; `None` where it asks nothing.
    pub protocol: Option<u8>,
    /// Logged packets that counted.
    pub packets: u64,
    /// Distinct contacts.
    pub contacts: u32,
    /// The scanner that was recognised.
    pub tool: Option<Tool>,
    /// What each detector that has something to go by has counted, by their numbers.
    pub readings: Vec<Reading>,
    /// The incident of this source, if there is one, and its severity.
    pub incident: Option<(u64, u8)>,
}

/// What the detectors have counted of the source of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentReadings {
    /// Its first source.
    pub source: Option<IpAddr>,
    /// By their numbers. Suspicion is that of the worst moment.
    pub readings: Vec<Reading>,
}

/// Is a source looked at?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Judged,
    /// `[lists] trusted` names it.
    Trusted,
    /// `[[ignore]]` leaves the packet alone.
    Ignored,
}

impl Engine {
    /// Explains the packet that was observed last.
    ///
    /// Only of that one everything is at hand. Changes nothing.
    #[must_use]
    pub fn explain(&self, packet: &Packet<'_>, origin: Origin) -> Explanation {
        let header = &packet.header;
        let is_accepted = self.verdicts.read(packet.prefix) == Action::Accepted;
        let Classified { class, probe } = class::classify(packet, is_accepted, &self.home);
        let key = Key::new(header.src, origin);
        let is_near = self.home.is_near(header.src);
        let known = if is_near { self.near.look_at(key) } else { self.far.look_at(key) };
        let kept = known.and_then(|(_, kept)| kept);
        let standing = match self.mute.covers(packet, class) {
            None => Standing::Judged,
            Some(Muted::Trusted) => Standing::Trusted,
            Some(Muted::Ignored) => Standing::Ignored,
        };
        let incident = self.incidents.of(key);
        Explanation {
            class,
            source: header.src,
            standing,
            is_near,
            protocol: probe.map(|(_, service)| protocol_number(service, header.src)),
            packets: known.map_or(0, |(brief, _)| u64::from(brief.packets)),
            contacts: known.map_or(0, |_| kept.map_or(1, Kept::contact_count)),
            tool: kept.and_then(|kept| kept.tool.tool()),
            readings: if standing == Standing::Judged {
                self.readings(packet, class, probe.map(|(_, service)| service), key, is_near)
            } else {
                Vec::new()
            },
            incident: incident.map(|incident| (incident.id, incident.shown)),
        }
    }

    /// What is known of an incident that is open, or may be reopened.
    #[must_use]
    pub fn explain_incident(&self, id: u64) -> Option<IncidentReadings> {
        let incident = self.incidents.by_id(id)?;
        let key = incident.members.first().copied();
        let known = key.and_then(|key| if incident.is_near { self.near.look_at(key) } else { self.far.look_at(key) });
        let mut readings = Vec::new();
        if let Some((brief, kept)) = known {
            let step = self.limits.fast.half_life.step(self.now);
            readings.extend(self.of_source(brief, kept, incident.score.max(brief.score.at(step))));
        }
        Some(IncidentReadings { source: known.map(|(brief, _)| brief.address()), readings })
    }

    fn of_source(&self, brief: &Brief, kept: Option<&Kept>, score: Weight) -> Vec<Reading> {
        let limits = &self.limits;
        let mut found = Vec::new();
        found.extend(fast_scan::reading(score, limits));
        found.extend(kept.and_then(|kept| slow_scan::reading(kept, contacts::minute(self.now), limits)));
        found.extend(illegal_flags::reading(u32::from(brief.illegal), limits).filter(|reading| reading.value > 0.0));
        found.extend(kept.and_then(|kept| sweep::reading(kept, limits)));
        found.extend(packet_count::reading(brief.packets, limits));
        found
    }

    fn readings(&self, packet: &Packet<'_>, class: Class, service: Option<class::Service>, key: Key, is_near: bool) -> Vec<Reading> {
        let header = &packet.header;
        let (limits, hasher) = (&self.limits, &self.hasher);
        let source = key.hash(hasher);
        let target = self.targets.last(header.dst).map_or(0, |target| u64::from(target.number()));
        let sport = u64::from(header.sport.unwrap_or(0));
        let mut found = Vec::new();
        let known = if is_near { self.near.look_at(key) } else { self.far.look_at(key) };
        if let Some((brief, kept)) = known {
            let step = limits.fast.half_life.step(self.now);
            found.extend(self.of_source(brief, kept, brief.score.at(step)));
        }
        match class {
            Class::LateReply => found.extend(self.replies.late_readings(hasher.mix(source, 2 << 20 | sport), self.now)),
            Class::Backscatter => found.extend(self.replies.answer_reading(hasher.mix(source, 1 << 20 | sport))),
            Class::Outbound => found.extend(self.egress.readings(header.dport.unwrap_or(0), target)),
            _ => {
                if let Some(service) = service {
                    if class == Class::Syn && self.tries.is_listed(service.number) {
                        found.extend(self.tries.readings(hasher.mix(source, target << 16 | u64::from(service.number))));
                    }
                    if matches!(service.layer, Layer::Tcp | Layer::Udp) {
                        found.extend(self.decoys.reading(hasher.mix(target << 16 | sport, 7)));
                    }
                    if service.layer == Layer::Tcp {
                        found.extend(self.distributed.reading(hasher.mix(target << 1 | key.origin() as u64, 8)));
                    }
                    found.extend(
                        self.floods.reading(hasher.mix(target << 24 | (service.layer as u64) << 16 | u64::from(service.number), 10)),
                    );
                }
            }
        }
        found.extend(self.visibility.reading(self.verdicts.prefix_number()));
        found
    }
}
