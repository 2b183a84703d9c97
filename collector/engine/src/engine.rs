//! The way of a packet: class, source, verdict, incident, finding.

use crate::{
    address::{self, Home, Key},
    class::{self, Class, Classified, Layer, Probe, Service, Verdicts},
    contacts::{self, Contact, ONE, Targets},
    detect::{self, Evidence, Limits, Verdict, fast_scan, sweep},
    finding::{Action, Finding, Kind},
    hash::Hasher,
    incident::{Dossier, Incident, Incidents, Sighting},
    origin::Origin,
    packet::Packet,
    ports::PortSet,
    score::{HalfLife, Weight},
    table::{Membership, Place, Table},
    tick::Tick,
};
use std::net::IpAddr;

pub use crate::{config::Config, incident::IncidentStatus, table::TableStatus};

/// Turns packets into findings. Bounded whatever comes; the same packets with the same key give the same findings.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    half_life: HalfLife,
    verdicts: Verdicts,
    home: Home,
    targets: Targets,
    /// Sources on the Internet.
    far: Table,
    /// Private and on-link sources, which outside traffic cannot push out.
    near: Table,
    incidents: Incidents,
    classes: [u64; Class::ALL.len()],
    now: Tick,
}

/// What the engine holds and has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Packets by class, in the order of [`Class::ALL`].
    pub classes: [u64; Class::ALL.len()],
    /// Sources on the Internet.
    pub far: TableStatus,
    /// Private and on-link sources.
    pub near: TableStatus,
    /// Incidents.
    pub incidents: IncidentStatus,
}

/// One source, for a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// Its address; of an IPv6 /64 the one seen first.
    pub source: IpAddr,
    /// 1 (background) to 5.
    pub severity: u8,
    /// Logged packets.
    pub packets: u64,
    /// Distinct contacts.
    pub contacts: u32,
    /// Our addresses it asked, as far as they are known exactly.
    pub targets: Vec<IpAddr>,
    /// TCP ports as ranges.
    pub tcp_ports: String,
    /// UDP ports as ranges.
    pub udp_ports: String,
    /// IP protocol numbers, ascending.
    pub protocols: Vec<u8>,
    /// First packet.
    pub first: Tick,
    /// Last packet.
    pub last: Tick,
    /// What its incident is.
    pub kinds: Vec<Kind>,
}

/// Large contact memories of 8 KiB: 4 MiB for the Internet, 1 MiB for the neighbours.
const FAR_BITMAPS: usize = 512;
const NEAR_BITMAPS: usize = 128;
/// Port lists in a report.
const MAX_PORT_TEXT: usize = 4096;

impl Engine {
    /// An engine that has seen nothing. `key` must be secret and random where packets come from the wire; a fixed one makes
    /// replays exact.
    #[must_use]
    pub fn new(config: Config, key: [u8; 16]) -> Self {
        let hasher = Hasher::new(key);
        let limits = Limits::new(&config);
        Self {
            limits,
            half_life: HalfLife::new(config.half_life),
            verdicts: Verdicts::new(&config.accepted_words),
            home: Home::new(&config.home),
            targets: Targets::new(hasher),
            far: Table::new(config.max_sources, FAR_BITMAPS, hasher, hasher.hash(1, 0)),
            near: Table::new(config.max_near_sources, NEAR_BITMAPS, hasher, hasher.hash(2, 0)),
            incidents: Incidents::new(config, limits, hasher),
            classes: [0; Class::ALL.len()],
            now: Tick::ZERO,
        }
    }

    /// Takes one packet. `tick` is its time in microseconds since the Unix epoch; a time before the last one counts as that.
    ///
    /// Allocates nothing but when a table grows (bounded) or an incident has news. Findings wait in [`Engine::next_finding`].
    pub fn observe(&mut self, packet: &Packet<'_>, origin: Origin, tick: Tick) {
        self.advance(tick);
        let tick = self.now;
        let action = self.verdicts.action(packet.prefix);
        if origin == Origin::Kernel && is_for_this_host(packet) {
            self.home.learn(packet.header.dst);
        }
        let Classified { class, probe } = class::classify(packet, action == Action::Accepted, &self.home);
        if let Some(count) = self.classes.get_mut(class as usize) {
            *count += 1;
        }
        let Some((probe, service)) = probe else { return };
        let address = packet.header.src;
        let key = Key::new(address, origin);
        let is_near = self.home.is_near(address);
        let table = if is_near { &mut self.near } else { &mut self.far };
        let contact = Contact::new(self.targets.id(packet.header.dst), service, tick);
        let (place, novelty) = table.note(key, address, contact, probe, tick);
        let Some(brief) = table.brief_mut(place) else { return };
        let mut verdict = None;
        if novelty.contacts > 0 {
            let step = self.half_life.step(tick);
            brief.score.add(step, fast_scan::weight(class, novelty.is_sweep, is_near, &self.limits));
            brief.illegal = brief.illegal.saturating_add(u8::from(class == Class::IllegalFlags));
            let (score, illegal) = (brief.score.at(step), u32::from(brief.illegal));
            let kept = if let Place::Kept(slot) = place { table.kept(slot) } else { None };
            let evidence = Evidence { score, illegal, is_near, minute: contacts::minute(tick), kept };
            verdict = detect::judge(&evidence, &self.limits).map(|verdict| (verdict, score, kept.is_some_and(sweep::is_sweep)));
        }
        let sighting = Sighting { packet, probe, service, action, new_contacts: novelty.contacts, tick };
        match table.brief_mut(place).map(|brief| brief.in_incident) {
            Some(Membership::Own) => {
                if !self.incidents.add(key, &sighting, verdict)
                    && let Some(verdict) = verdict
                {
                    self.open(place, key, is_near, verdict, &sighting);
                }
            }
            Some(Membership::Folded) => match verdict {
                // One that is broad on its own does not hide among many small ones.
                Some(verdict) if self.is_broad(place, is_near) => self.open(place, key, is_near, verdict, &sighting),
                _ => self.incidents.add_to_fold(&sighting),
            },
            _ => {
                if let Some(verdict) = verdict {
                    self.open(place, key, is_near, verdict, &sighting);
                }
            }
        }
    }

    /// When [`Engine::advance`] has something to do next, if it ever has.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        let earliest = self.incidents.earliest();
        (earliest < Tick::from_micros(u64::MAX)).then_some(earliest)
    }

    /// Lets time pass: tells, closes and forgets incidents that are due. Time never runs backwards.
    pub fn advance(&mut self, tick: Tick) {
        self.now = self.now.max(tick);
        if self.incidents.earliest() <= self.now {
            self.incidents.advance(self.now);
            self.forget_what_is_over();
        }
    }

    /// Ends every open incident: the end of a replay.
    pub fn close_all(&mut self) {
        self.incidents.close_all(self.now);
        self.forget_what_is_over();
    }

    /// The next thing to tell, oldest first.
    pub fn next_finding(&mut self) -> Option<Finding> {
        self.incidents.next_finding()
    }

    /// Counters and sizes.
    #[must_use]
    pub fn status(&self) -> Status {
        Status { classes: self.classes, far: self.far.status(), near: self.near.status(), incidents: self.incidents.status() }
    }

    /// Every source that is remembered, most severe first, then by packets and address.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceReport> {
        let mut reports: Vec<SourceReport> = self.far.briefs().chain(self.near.briefs()).map(|view| self.report(&view)).collect();
        reports.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then(b.packets.cmp(&a.packets)).then(a.source.cmp(&b.source)).then(a.first.cmp(&b.first))
        });
        reports
    }

    /// Checks what must always hold; for tests, after every step.
    ///
    /// # Errors
    /// What is broken.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.far.check_invariants()?;
        self.near.check_invariants()?;
        self.incidents.check_invariants()
    }

    fn is_broad(&self, place: Place, is_near: bool) -> bool {
        let table = if is_near { &self.near } else { &self.far };
        matches!(place, Place::Kept(slot) if table.kept(slot).is_some_and(|kept| kept.contact_count() >= self.limits.broad_contacts))
    }

    fn open(
        &mut self,
        place: Place,
        key: Key,
        is_near: bool,
        (verdict, score, is_sweep): (Verdict, Weight, bool),
        sighting: &Sighting<'_, '_>,
    ) {
        let table = if is_near { &mut self.near } else { &mut self.far };
        let targets = &self.targets;
        let named = |contact: Contact| (targets.address(contact.target()), contact.service());
        let mut probes = [0; Probe::COUNT];
        let (contacts, services) = match place {
            Place::Kept(slot) => {
                let Some(kept) = table.kept(slot) else { return };
                for (sum, count) in probes.iter_mut().zip(kept.probes) {
                    *sum = u32::from(count);
                }
                (kept.contacts, kept.recent.iter().map(named).collect())
            }
            Place::Fresh(slot) => {
                let Some((contact, probe)) = table.first_contact(slot) else { return };
                if let Some(count) = probes.get_mut(probe as usize) {
                    *count = 1;
                }
                (ONE, vec![named(contact)])
            }
            Place::Refused => return,
        };
        let Some(brief) = table.brief_mut(place) else { return };
        let dossier = Dossier {
            key,
            address: brief.address(),
            is_near,
            first: brief.first,
            packets: brief.packets,
            contacts,
            probes,
            is_sweep,
            services,
            score,
        };
        brief.in_incident = if self.incidents.open(&dossier, verdict, sighting) { Membership::Own } else { Membership::Folded };
        self.forget_what_is_over();
    }

    fn forget_what_is_over(&mut self) {
        while let Some(key) = self.incidents.next_over() {
            self.far.forget_contacts(key);
            self.near.forget_contacts(key);
        }
    }

    fn report(&self, view: &crate::table::SourceView<'_>) -> SourceReport {
        let incident = self.incidents.of(view.brief.key);
        let (mut tcp, mut udp) = (PortSet::default(), PortSet::default());
        let (mut protocols, mut targets) = (Vec::new(), Vec::new());
        for contact in view.contacts() {
            let service = contact.service();
            match service.layer {
                Layer::Tcp => tcp.insert(service.number),
                Layer::Udp => udp.insert(service.number),
                Layer::Icmp | Layer::Other => {}
            }
            protocols.push(protocol_number(service, view.brief.address()));
            targets.extend(self.targets.address(contact.target()));
        }
        if let Some(incident) = incident {
            targets.extend(&incident.targets);
        }
        protocols.sort_unstable();
        protocols.dedup();
        targets.sort_unstable();
        targets.dedup();
        let text = |own: &PortSet, of_incident: Option<&PortSet>| {
            let mut out = String::new();
            of_incident.filter(|set| set.len() > 0).unwrap_or(own).write(&mut out, MAX_PORT_TEXT);
            out
        };
        SourceReport {
            source: view.brief.address(),
            severity: incident.map_or(1, |incident| incident.severity),
            packets: u64::from(view.brief.packets),
            contacts: view.contacts.max(incident.map_or(0, Incident::contact_count)),
            targets,
            tcp_ports: text(&tcp, incident.map(|incident| &incident.tcp)),
            udp_ports: text(&udp, incident.map(|incident| &incident.udp)),
            protocols,
            first: view.brief.first,
            last: view.brief.last,
            kinds: incident.map(Incident::kind).into_iter().collect(),
        }
    }
}

/// A unicast packet that came in and does not go on: its destination is one of our addresses.
fn is_for_this_host(packet: &Packet<'_>) -> bool {
    packet.in_iface.is_some_and(|name| !name.is_empty())
        && packet.out_iface.is_some_and(<[u8]>::is_empty)
        && !address::is_for_many(packet.header.dst)
}

fn protocol_number(service: Service, source: IpAddr) -> u8 {
    match service.layer {
        Layer::Tcp => 6,
        Layer::Udp => 17,
        Layer::Icmp => {
            if source.is_ipv6() {
                58
            } else {
                1
            }
        }
        Layer::Other => u8::try_from(service.number).unwrap_or(u8::MAX),
    }
}
