//! One incident: what has been seen of one attack so far.

use crate::{
    address::Key,
    class::{Layer, Probe, Service},
    contacts::{Crowd, ONE},
    detect::{Detector, Verdict, scan_kind, system, tool::Tool},
    finding::{Action, Attribution, Delivery, Kind},
    lists::Standing,
    origin::Origin,
    packet::Packet,
    ports::PortSet,
    score::Weight,
    signature::{Found, Matched},
    snapshot::Name,
    texts::{Edition, interface, mac},
    tick::Tick,
};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, time::Duration};

mod told;

/// Lists in a finding have at most so many entries, as on the bus.
pub(crate) const MAX_ENTRIES: usize = 16;
/// Port lists are bounded as strings on the bus are.
const MAX_TEXT: usize = 512;

/// One packet, as an incident sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'p, 'a> {
    pub(crate) packet: &'p Packet<'a>,
    /// How it asks; nothing for what is no probe.
    pub(crate) probe: Option<(Probe, Service)>,
    pub(crate) action: Action,
    /// Of the packet's texts.
    pub(crate) texts: Edition,
    /// New contacts, times [`ONE`].
    pub(crate) new_contacts: u32,
    pub(crate) tool: Option<Tool>,
    /// What the packet is known for.
    pub(crate) known: &'p Found,
    pub(crate) tick: Tick,
}

/// What is known of a source when its incident opens.
#[derive(Debug)]
pub(crate) struct Dossier {
    pub(crate) key: Key,
    pub(crate) address: IpAddr,
    pub(crate) is_near: bool,
    pub(crate) first: Tick,
    pub(crate) packets: u32,
    /// Times [`ONE`].
    pub(crate) contacts: u32,
    pub(crate) probes: [u32; Probe::COUNT],
    pub(crate) is_sweep: bool,
    /// What it has asked so far, as far as it is known exactly.
    pub(crate) services: Vec<(Option<IpAddr>, Service)>,
    pub(crate) score: Weight,
}

impl Dossier {
    pub(crate) const fn contact_count(&self) -> usize {
        (self.contacts / ONE) as usize
    }
}

/// Whom an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Who {
    /// One source.
    One(IpAddr),
    /// Several.
    Many,
    /// Neighbours in one network.
    Network(IpAddr, u8),
    /// This machine.
    Own,
}

/// By what an incident is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// A source that it is about, alone or with others.
    Source(Key),
    /// What many sources have in common, by hash: a flooded service, a scanned address, a network, a set of decoys.
    Group(u64),
    /// Sources that came at once.
    Fold(Origin),
    /// This machine.
    Own,
    /// The log itself.
    Log,
    /// What many sources had in common before a restart that lost what it was, by the number of the incident.
    Lost(u64),
}

/// One incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) id: u64,
    pub(crate) subject: Subject,
    pub(crate) who: Who,
    /// Sources whose packets belong to it.
    pub(crate) members: Vec<Key>,
    /// The first few of them, for people, and how many there were.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) source_count: u32,
    /// Those that are neither listed nor members.
    crowd: Option<Box<Crowd>>,
    pub(crate) is_open: bool,
    /// How bad it is by what was seen.
    pub(crate) severity: u8,
    /// How bad it is said to be: see `Incidents::settle`.
    pub(crate) shown: u8,
    /// What the lists say of its sources.
    #[serde(skip)]
    pub(crate) standing: Standing,
    pub(crate) detector: Detector,
    pub(crate) is_near: bool,
    pub(crate) origin: Origin,
    pub(crate) score: Weight,
    pub(crate) packets: u64,
    /// Times [`ONE`].
    pub(crate) contacts: u64,
    pub(crate) probes: [u32; Probe::COUNT],
    pub(crate) is_sweep: bool,
    pub(crate) tcp: PortSet,
    pub(crate) udp: PortSet,
    /// Contacts by layer.
    pub(crate) protocols: [u64; 4],
    pub(crate) targets: Vec<IpAddr>,
    pub(crate) more_targets: bool,
    pub(crate) first: Tick,
    pub(crate) last: Tick,
    /// Median gap between packets, in microseconds.
    pub(crate) gap: u64,
    pub(crate) action: Action,
    pub(crate) interface: Vec<u8>,
    pub(crate) prefix: Vec<u8>,
    pub(crate) mac: Vec<u8>,
    /// The edition of the texts that these three are from.
    #[serde(skip)]
    texts: Edition,
    pub(crate) uid: Option<u32>,
    pub(crate) tool: Option<Tool>,
    /// Rules that fitted.
    pub(crate) known: Matched,
    /// The operating system that the sender's TCP looks like.
    #[serde(deserialize_with = "crate::snapshot::system")]
    pub(crate) system: Option<Name>,
    /// Records that were lost, where it is about the log.
    pub(crate) lost: u64,
    protocol: u8,
    pub(crate) packet_at_open: u64,
    pub(crate) contacts_at_open: u32,
    pub(crate) revision: u32,
    pub(crate) told: Told,
    /// Times it was told for being quiet.
    pub(crate) settled: u32,
    /// The port sets do not hold all of it, so its contacts are estimated.
    pub(crate) is_estimated: bool,
    /// When to look at it again.
    pub(crate) due: Tick,
    /// Below these there is no news of it, but for a worse verdict, and it is looked at when it is quiet. None: weigh it.
    pub(crate) steady_below: Option<Steady>,
}

/// Numbers of an incident.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Steady {
    pub(crate) contacts: u32,
    pub(crate) breadth: u32,
    /// Where packets count.
    pub(crate) packets: u64,
}

/// The state that was told last.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Tick,
    pub(crate) severity: u8,
    pub(crate) contacts: u32,
    pub(crate) packets: u64,
}

/// Nothing is due.
pub(crate) const NEVER: Tick = Tick::from_micros(u64::MAX);

impl Incident {
    /// An incident that has seen nothing.
    pub(crate) fn new(id: u64, subject: Subject, who: Who, detector: Detector, is_near: bool, origin: Origin, first: Tick) -> Self {
        Self {
            id,
            subject,
            who,
            members: Vec::new(),
            sources: Vec::new(),
            source_count: 0,
            crowd: None,
            is_open: true,
            severity: 0,
            shown: 0,
            standing: Standing::default(),
            detector,
            is_near,
            origin,
            score: Weight(0),
            packets: 0,
            contacts: 0,
            probes: [0; Probe::COUNT],
            is_sweep: false,
            tcp: PortSet::default(),
            udp: PortSet::default(),
            protocols: [0; 4],
            targets: Vec::new(),
            more_targets: false,
            first,
            last: first,
            gap: 0,
            action: Action::Unknown,
            interface: Vec::with_capacity(16),
            prefix: Vec::with_capacity(128),
            mac: Vec::with_capacity(64),
            texts: Edition::default(),
            uid: None,
            tool: None,
            known: Matched::default(),
            system: None,
            lost: 0,
            protocol: 0,
            packet_at_open: 0,
            contacts_at_open: 0,
            revision: 0,
            told: Told::default(),
            settled: 0,
            is_estimated: false,
            due: NEVER,
            steady_below: None,
        }
    }

    /// Is it one that packets make?
    pub(crate) fn is_sound(&self) -> bool {
        let texts = self.interface.len() <= 16 && self.prefix.len() <= 128 && self.mac.len() <= 64;
        let lists = self.targets.len() <= MAX_ENTRIES && self.sources.len() <= MAX_ENTRIES && self.known.is_sound();
        texts && lists && self.tcp.is_sound() && self.udp.is_sound() && self.crowd.as_ref().is_none_or(|crowd| crowd.is_sound())
    }

    /// The last of the moments that it remembers.
    pub(crate) fn latest(&self) -> Tick {
        self.first.max(self.last).max(self.told.at)
    }

    /// Distinct contacts: exact while one source asks one destination, estimated beyond.
    pub(crate) fn contact_count(&self) -> u32 {
        let [_, _, icmp, other] = self.protocols;
        let exact = u64::from(self.tcp.len()) + u64::from(self.udp.len()) + icmp + other;
        let is_exact = matches!(self.who, Who::One(..)) && self.targets.len() == 1 && !self.is_estimated && exact > 0;
        u32::try_from(if is_exact { exact } else { self.contacts / u64::from(ONE) }).unwrap_or(u32::MAX)
    }

    /// By what its breadth is judged: contacts of one source; of many, the ports they asked in all.
    pub(crate) fn breadth(&self) -> u32 {
        match self.who {
            Who::One(_) => self.contact_count(),
            _ => self.tcp.len() + self.udp.len(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.detector.names().unwrap_or_else(|| scan_kind::name(&self.probes, self.is_sweep))
    }

    pub(crate) fn duration(&self) -> Duration {
        self.last.since(self.first)
    }

    pub(crate) fn attribution(&self) -> Attribution {
        let [_, udp, _, _] = self.protocols;
        if self.origin == Origin::Unverified {
            return Attribution::ForgedLinePossible;
        }
        match self.detector {
            Detector::Decoys => Attribution::DecoySet,
            Detector::Flood | Detector::Backscatter => Attribution::Spoofable,
            // About one contact of each: who forges senders needs no answers, who has them would ask more.
            Detector::Distributed if self.source_count.saturating_mul(2) > self.contact_count() => Attribution::Spoofable,
            Detector::Egress | Detector::Visibility => Attribution::Plausible,
            _ if matches!(self.subject, Subject::Fold(_)) => Attribution::Spoofable,
            _ if self.packets < 7 || udp * 2 > self.protocols.iter().sum() => Attribution::Spoofable,
            _ => Attribution::Plausible,
        }
    }

    /// The quiet that is waited for whatever its pace: twice as long after each time.
    pub(crate) fn least_quiet(&self, settle: Duration) -> Duration {
        settle.saturating_mul(1 << self.settled.min(16))
    }

    /// The quiet after which it seems to be over: twice the usual time to one more of what it is counted by, and each time longer,
    /// so that a scan of one port in five minutes does not change its popup with every port.
    pub(crate) fn quiet(&self, settle: Duration) -> Duration {
        let count = if self.detector.counts_packets() { u32::try_from(self.packets).unwrap_or(u32::MAX) } else { self.contact_count() };
        let usual = self.duration() / count.max(1);
        self.least_quiet(settle).max(usual.saturating_mul(2))
    }

    /// One more packet of it changes nothing that is told.
    pub(crate) fn is_steady(&self) -> bool {
        self.steady_below.is_some_and(|below| {
            (!self.detector.counts_packets() || self.packets < below.packets)
                && self.contact_count() < below.contacts
                && self.breadth() < below.breadth
        })
    }

    pub(crate) const fn delivery(severity: u8) -> Delivery {
        match severity {
            0 | 1 => Delivery::Log,
            2 => Delivery::Digest,
            _ => Delivery::Popup,
        }
    }

    /// Takes one packet.
    pub(crate) fn add(&mut self, sighting: &Sighting<'_, '_>) {
        let Sighting { packet, probe, action, texts, new_contacts, tool, known, tick } = *sighting;
        self.packets += 1;
        self.contacts += u64::from(new_contacts);
        let gap = tick.micros_since(self.last);
        // A running median that moves by an eighth towards each gap (after Ma, Muthukrishnan, Sandler, "Frugal Streaming", 2013).
        self.gap = if gap > self.gap { self.gap + self.gap / 8 + 1 } else { self.gap - self.gap / 8 };
        self.last = self.last.max(tick);
        if let Some((probe, service)) = probe {
            if let Some(count) = self.probes.get_mut(probe as usize) {
                *count = count.saturating_add(1);
            }
            self.add_service(Some(packet.header.dst), service, new_contacts > 0);
        } else {
            self.add_target(packet.header.dst);
        }
        if action != Action::Unknown {
            self.action = action;
        }
        if let Some(number) = packet.header.proto.number {
            self.protocol = number;
        }
        if packet.uid.is_some() {
            self.uid = packet.uid;
        }
        if tool.is_some() {
            self.tool = tool;
        }
        if !known.is_empty() {
            self.known.note(known);
        }
        // What a raw scanner writes says nothing, so it is looked at only once a stack is seen at work.
        if self.system.is_none() && matches!(probe, Some((Probe::Connect, _))) {
            self.system = system::guess(packet);
        }
        if self.texts != texts {
            self.take_texts(packet, texts);
        }
    }

    #[inline(never)]
    fn take_texts(&mut self, packet: &Packet<'_>, texts: Edition) {
        self.texts = texts;
        replace(&mut self.interface, interface(packet), 16);
        replace(&mut self.prefix, packet.prefix, 128);
        replace(&mut self.mac, mac(packet), 64);
    }

    /// Takes over what a source did while it was not part of this incident; the packet at hand is its last.
    pub(crate) fn catch_up(&mut self, dossier: &Dossier, sighting: &Sighting<'_, '_>) {
        let before = u64::from(dossier.packets.saturating_sub(1));
        // Of the only one there is, it has the packets already, unless the source was forgotten meanwhile.
        let is_counted = self.members.len() == 1 && dossier.first <= self.last;
        self.packets = if is_counted { self.packets.max(before) } else { self.packets + before };
        self.contacts += u64::from(dossier.contacts.saturating_sub(sighting.new_contacts));
        for (count, more) in self.probes.iter_mut().zip(dossier.probes) {
            *count = count.saturating_add(more);
        }
        // The packet at hand is counted among these already.
        if let Some((probe, _)) = sighting.probe
            && let Some(count) = self.probes.get_mut(probe as usize)
        {
            *count = count.saturating_sub(1);
        }
        self.is_estimated |= dossier.contact_count() > dossier.services.len();
        self.first = self.first.min(dossier.first);
        for (target, service) in &dossier.services {
            self.add_service(*target, *service, true);
        }
        let counted = self.protocols;
        self.add(sighting);
        if sighting.new_contacts > 0
            && dossier.services.last().is_some_and(|(_, service)| sighting.probe.is_some_and(|(_, at_hand)| at_hand == *service))
        {
            // It is the newest of the dossier's contacts too.
            self.protocols = counted;
        }
    }

    /// Swallows another incident.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.packets += other.packets;
        self.contacts += u64::from(other.contact_count()) * u64::from(ONE);
        self.is_estimated = true;
        for (count, more) in self.probes.iter_mut().zip(other.probes) {
            *count = count.saturating_add(more);
        }
        other.tcp.iter().for_each(|port| self.tcp.insert(port));
        other.udp.iter().for_each(|port| self.udp.insert(port));
        for (count, more) in self.protocols.iter_mut().zip(other.protocols) {
            *count += more;
        }
        other.targets.iter().for_each(|target| self.add_target(*target));
        self.more_targets |= other.more_targets;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.severity = self.severity.max(other.severity);
        self.score = self.score.max(other.score);
        self.tool = self.tool.or(other.tool);
        self.known.absorb(&other.known);
        self.action = if self.action == Action::Unknown { other.action } else { self.action };
    }

    /// A source that comes by with every packet; `hash` is its.
    pub(crate) fn meet_source(&mut self, address: IpAddr, hash: u64) {
        if self.sources.contains(&address) {
            return;
        }
        if self.sources.len() < MAX_ENTRIES {
            self.add_source(address);
            return;
        }
        let crowd = self.crowd.get_or_insert_with(|| Box::new(Crowd::new()));
        let known = crowd.count();
        self.source_count = self.source_count.saturating_add(crowd.note(hash) - known);
    }

    /// A source that was not part of it before.
    pub(crate) fn add_source(&mut self, address: IpAddr) {
        self.source_count = self.source_count.saturating_add(1);
        self.steady_below = None;
        if self.sources.len() < MAX_ENTRIES {
            self.sources.push(address);
        }
    }

    pub(crate) fn add_service(&mut self, target: Option<IpAddr>, service: Service, is_new: bool) {
        if is_new && let Some(count) = self.protocols.get_mut(service.layer as usize) {
            *count += 1;
        }
        match service.layer {
            Layer::Tcp => self.tcp.insert(service.number),
            Layer::Udp => self.udp.insert(service.number),
            Layer::Icmp | Layer::Other => {}
        }
        if let Some(target) = target {
            self.add_target(target);
        }
    }

    fn add_target(&mut self, target: IpAddr) {
        if !self.targets.contains(&target) {
            if self.targets.len() < MAX_ENTRIES { self.targets.push(target) } else { self.more_targets = true }
        }
    }

    /// Frees the port sets; what they held stays counted.
    pub(crate) fn give_up_ports(&mut self) {
        self.contacts = u64::from(self.contact_count()) * u64::from(ONE);
        self.is_estimated = true;
        self.tcp = PortSet::default();
        self.udp = PortSet::default();
    }

    /// Port sets it holds.
    pub(crate) fn port_sets(&self) -> usize {
        usize::from(self.tcp.len() > 0) + usize::from(self.udp.len() > 0)
    }

    /// The destination ports, as on the bus: those of the protocol that has more of them.
    pub(crate) fn ports(&self) -> String {
        let mut out = String::new();
        let set = if self.udp.len() > self.tcp.len() { &self.udp } else { &self.tcp };
        set.write(&mut out, MAX_TEXT);
        out
    }

    /// IP protocol number of most contacts.
    pub(crate) fn main_protocol(&self) -> u8 {
        let [tcp, udp, icmp, other] = self.protocols;
        match [tcp, udp, icmp, other].iter().max() {
            Some(0) | None => self.protocol,
            Some(most) if *most == tcp => 6,
            Some(most) if *most == udp => 17,
            Some(most) if *most == icmp => {
                if matches!(self.targets.first(), Some(IpAddr::V6(_))) {
                    58
                } else {
                    1
                }
            }
            _ => self.protocol,
        }
    }

    /// A verdict makes an incident worse, never better. What a group is, is said by whoever found the group.
    pub(crate) fn raise(&mut self, verdict: Verdict, score: Weight, is_sweep: bool) {
        let is_better = match (self.detector.is_last_resort(), verdict.detector.is_last_resort()) {
            (true, false) => true,
            (false, true) => false,
            _ => (verdict.severity, verdict.detector) > (self.severity, self.detector),
        };
        let names = matches!(self.subject, Subject::Source(_)) && is_better;
        if names || self.severity == 0 {
            if matches!(self.subject, Subject::Source(_)) {
                self.detector = verdict.detector;
            }
            self.score = score;
        }
        self.severity = self.known.raise(self.severity.max(verdict.severity));
        self.is_sweep = is_sweep;
    }
}

/// Keeps a copy of `new`, without a new allocation where the room suffices.
fn replace(old: &mut Vec<u8>, new: &[u8], max: usize) {
    let new = new.get(..max).unwrap_or(new);
    if old.as_slice() != new {
        old.clear();
        old.extend_from_slice(new);
    }
}
