//! Incidents: one attack is one incident is one notification that changes.
//!
//! Opened at the first verdict; told again when its severity rises or it has grown tenfold since it was last told, at most
//! every `update_every`; told its last state once it is quiet; closed after `idle_close` or four of its median gaps;
//! the same source within `reopen_within` reopens it. More than `incidents_per_minute` new ones of single sources fold
//! into one, unless a source is broad enough on its own.

use crate::{
    address::Key,
    class::{Layer, Probe, Service},
    config::Config,
    contacts::ONE,
    detect::{Detector, Limits, Verdict, scan_kind},
    finding::{Action, Attribution, Delivery, Finding, Kind, Phase, Source},
    hash::Hasher,
    origin::Origin,
    packet::Packet,
    ports::PortSet,
    score::Weight,
    tick::Tick,
    words,
};
use hashbrown::HashTable;
use std::{collections::VecDeque, net::IpAddr, time::Duration};

/// Lists in a finding have at most so many entries, as on the bus.
const MAX_ENTRIES: usize = 16;
/// Exact port sets of 8 KiB that may exist at a time: 4 MiB.
const MAX_PORT_SETS: usize = 512;
/// Findings that wait for the caller. It takes them after every packet, so only one who forgets ever meets this.
const MAX_FINDINGS: usize = 4_096;
/// Port lists are bounded as strings on the bus are.
const MAX_TEXT: usize = 512;
/// A minute in the budget of new incidents.
const MINUTE: Duration = Duration::from_secs(60);
/// A slow scan, or a source that comes back again and again, is over after a day of quiet.
const SLOW_CLOSE: Duration = Duration::from_secs(86_400);

/// One packet, as an incident sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'p, 'a> {
    pub(crate) packet: &'p Packet<'a>,
    pub(crate) probe: Probe,
    pub(crate) service: Service,
    pub(crate) action: Action,
    /// New contacts, times [`ONE`].
    pub(crate) new_contacts: u32,
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
    const fn contact_count(&self) -> usize {
        (self.contacts / ONE) as usize
    }
}

/// One incident.
#[derive(Debug)]
pub(crate) struct Incident {
    pub(crate) id: u64,
    pub(crate) who: Who,
    pub(crate) is_open: bool,
    pub(crate) severity: u8,
    pub(crate) detector: Detector,
    pub(crate) is_near: bool,
    pub(crate) origin: Origin,
    pub(crate) score: Weight,
    pub(crate) packets: u64,
    /// Times [`ONE`].
    contacts: u64,
    probes: [u32; Probe::COUNT],
    is_sweep: bool,
    pub(crate) tcp: PortSet,
    pub(crate) udp: PortSet,
    pub(crate) protocols: [u64; 4],
    pub(crate) targets: Vec<IpAddr>,
    pub(crate) more_targets: bool,
    pub(crate) first: Tick,
    pub(crate) last: Tick,
    /// Median gap between packets, in microseconds.
    gap: u64,
    pub(crate) action: Action,
    interface: Vec<u8>,
    prefix: Vec<u8>,
    mac: Vec<u8>,
    uid: Option<u32>,
    protocol: u8,
    ttl_min: u8,
    ttl_max: u8,
    packet_at_open: u64,
    contacts_at_open: u32,
    revision: u32,
    told: Told,
    /// The port sets do not hold all of it, so its contacts are estimated.
    is_estimated: bool,
    /// When to look at it again.
    due: Tick,
}

/// Whom an incident is about.
#[derive(Debug)]
pub(crate) enum Who {
    /// One source.
    One(Key, IpAddr),
    /// Many that came at once: the first few, and how many in all.
    Many(Vec<IpAddr>, u32),
}

/// The state that was told last.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Tick,
    severity: u8,
    contacts: u32,
}

impl Incident {
    /// Distinct contacts: exact while one source asks one destination, estimated beyond.
    pub(crate) fn contact_count(&self) -> u32 {
        let [_, _, icmp, other] = self.protocols;
        let exact = u64::from(self.tcp.len()) + u64::from(self.udp.len()) + icmp + other;
        let is_exact = matches!(self.who, Who::One(..)) && self.targets.len() == 1 && !self.is_estimated && exact > 0;
        u32::try_from(if is_exact { exact } else { self.contacts / u64::from(ONE) }).unwrap_or(u32::MAX)
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
            Attribution::ForgedLinePossible
        } else if matches!(self.who, Who::Many(..)) || self.packets < 7 || udp * 2 > self.protocols.iter().sum() {
            Attribution::Spoofable
        } else {
            Attribution::Plausible
        }
    }

    pub(crate) const fn delivery(severity: u8) -> Delivery {
        match severity {
            0 | 1 => Delivery::Log,
            2 => Delivery::Digest,
            _ => Delivery::Popup,
        }
    }

    fn add(&mut self, sighting: &Sighting<'_, '_>) {
        let Sighting { packet, probe, service, action, new_contacts, tick } = *sighting;
        self.packets += 1;
        self.contacts += u64::from(new_contacts);
        let gap = u64::try_from(tick.since(self.last).as_micros()).unwrap_or(u64::MAX);
        // A running median that moves by an eighth towards each gap (after Ma, Muthukrishnan, Sandler, "Frugal Streaming", 2013).
        self.gap = if gap > self.gap { self.gap + self.gap / 8 + 1 } else { self.gap - self.gap / 8 };
        self.last = self.last.max(tick);
        if let Some(count) = self.probes.get_mut(probe as usize) {
            *count = count.saturating_add(1);
        }
        self.add_service(Some(packet.header.dst), service, new_contacts > 0);
        if action != Action::Unknown {
            self.action = action;
        }
        if let Some(ttl) = packet.header.ttl.or(packet.header.hop_limit) {
            self.ttl_min = self.ttl_min.min(ttl);
            self.ttl_max = self.ttl_max.max(ttl);
        }
        if let Some(number) = packet.header.proto.number {
            self.protocol = number;
        }
        self.uid = packet.uid.or(self.uid);
        replace(&mut self.interface, packet.in_iface.unwrap_or_default(), 16);
        replace(&mut self.prefix, packet.prefix, 128);
        replace(&mut self.mac, packet.link.mac.or(packet.link.mac_src).unwrap_or_default(), 64);
    }

    /// Takes over what a source did while it was not part of this incident.
    fn catch_up(&mut self, dossier: &Dossier, sighting: &Sighting<'_, '_>) {
        if matches!(self.who, Who::One(..)) {
            self.packets = self.packets.max(u64::from(dossier.packets.saturating_sub(1)));
        }
        self.contacts += u64::from(dossier.contacts.saturating_sub(sighting.new_contacts));
        self.is_estimated |= dossier.contact_count() > dossier.services.len();
        for (target, service) in &dossier.services {
            self.add_service(*target, *service, true);
        }
        self.add(sighting);
    }

    fn add_service(&mut self, target: Option<IpAddr>, service: Service, is_new: bool) {
        if is_new && let Some(count) = self.protocols.get_mut(service.layer as usize) {
            *count += 1;
        }
        match service.layer {
            Layer::Tcp => self.tcp.insert(service.number),
            Layer::Udp => self.udp.insert(service.number),
            Layer::Icmp | Layer::Other => {}
        }
        if let Some(target) = target
            && !self.targets.contains(&target)
        {
            if self.targets.len() < MAX_ENTRIES { self.targets.push(target) } else { self.more_targets = true }
        }
    }

    fn give_up_ports(&mut self) {
        self.contacts = u64::from(self.contact_count()) * u64::from(ONE);
        self.is_estimated = true;
        self.tcp = PortSet::default();
        self.udp = PortSet::default();
    }

    /// The destination ports, as on the bus: those of the protocol that has more of them.
    fn ports(&self) -> String {
        let mut out = String::new();
        let set = if self.udp.len() > self.tcp.len() { &self.udp } else { &self.tcp };
        set.write(&mut out, MAX_TEXT);
        out
    }

    /// IP protocol number of most contacts.
    fn main_protocol(&self) -> u8 {
        let [tcp, udp, icmp, other] = self.protocols;
        match [tcp, udp, icmp, other].iter().max() {
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
}

/// Keeps a copy of `new`, without a new allocation where the room suffices.
fn replace(old: &mut Vec<u8>, new: &[u8], max: usize) {
    let new = new.get(..max).unwrap_or(new);
    if old.as_slice() != new {
        old.clear();
        old.extend_from_slice(new);
    }
}

/// Counters of the incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncidentStatus {
    /// Open incidents.
    pub open: usize,
    /// Closed ones that may be reopened.
    pub closed: usize,
    /// Sources that became part of a folded incident.
    pub folded: u64,
    /// Incidents that were ended early to make room.
    pub evicted: u64,
    /// Findings that nobody took in time.
    pub lost_findings: u64,
}

/// All incidents, open and lately closed.
#[derive(Debug)]
pub(crate) struct Incidents {
    hasher: Hasher,
    limits: Limits,
    config: Config,
    all: Vec<Incident>,
    /// Slots by source.
    index: HashTable<u32>,
    fold: Option<u64>,
    minute: Tick,
    opened_in_minute: u32,
    next_id: u64,
    next_seq: u64,
    /// Nothing is due before this.
    earliest: Tick,
    findings: VecDeque<Finding>,
    /// Sources whose incident is over.
    over: Vec<Key>,
    folded: u64,
    evicted: u64,
    lost_findings: u64,
}

const NEVER: Tick = Tick::from_micros(u64::MAX);

impl Incidents {
    pub(crate) fn new(config: Config, limits: Limits, hasher: Hasher) -> Self {
        Self {
            hasher,
            limits,
            config,
            all: Vec::new(),
            index: HashTable::new(),
            fold: None,
            minute: Tick::ZERO,
            opened_in_minute: 0,
            next_id: 1,
            next_seq: 1,
            earliest: NEVER,
            findings: VecDeque::new(),
            over: Vec::new(),
            folded: 0,
            evicted: 0,
            lost_findings: 0,
        }
    }

    pub(crate) fn earliest(&self) -> Tick {
        self.earliest
    }

    pub(crate) fn next_finding(&mut self) -> Option<Finding> {
        self.findings.pop_front()
    }

    pub(crate) fn next_over(&mut self) -> Option<Key> {
        self.over.pop()
    }

    pub(crate) fn status(&self) -> IncidentStatus {
        let open = self.all.iter().filter(|incident| incident.is_open).count();
        IncidentStatus {
            open,
            closed: self.all.len() - open,
            folded: self.folded,
            evicted: self.evicted,
            lost_findings: self.lost_findings,
        }
    }

    /// The incident about `key`, open or lately closed.
    pub(crate) fn of(&self, key: Key) -> Option<&Incident> {
        self.find(key).and_then(|slot| self.all.get(slot as usize))
    }

    /// One more packet of a source that has an incident. False: there is none.
    pub(crate) fn add(&mut self, key: Key, sighting: &Sighting<'_, '_>, verdict: Option<(Verdict, Weight, bool)>) -> bool {
        let Some(slot) = self.find(key) else { return false };
        let Some(incident) = self.all.get_mut(slot as usize).filter(|incident| incident.is_open) else { return false };
        incident.add(sighting);
        if let Some((verdict, score, is_sweep)) = verdict {
            raise(incident, verdict, score, is_sweep);
        }
        self.weigh(slot, sighting.tick);
        true
    }

    /// A verdict on a source that has no open incident: opens one, reopens its last one, or folds it into one with others.
    ///
    /// True: the source has an incident of its own; false: it is one of many.
    pub(crate) fn open(&mut self, dossier: &Dossier, verdict: Verdict, sighting: &Sighting<'_, '_>) -> bool {
        let tick = sighting.tick;
        if let Some(slot) = self.find(dossier.key) {
            if let Some(incident) = self.all.get_mut(slot as usize) {
                let phase = if incident.is_open { None } else { Some(Phase::Reopened) };
                incident.is_open = true;
                incident.catch_up(dossier, sighting);
                raise(incident, verdict, dossier.score, dossier.is_sweep);
                match phase {
                    Some(phase) => self.tell(slot, phase, tick),
                    None => self.weigh(slot, tick),
                }
            }
            return true;
        }
        let severity = self.limits.broaden(verdict.severity, dossier.contacts / ONE);
        if tick.since(self.minute) >= MINUTE {
            self.minute = tick;
            self.opened_in_minute = 0;
        }
        self.opened_in_minute = self.opened_in_minute.saturating_add(1);
        if self.opened_in_minute > self.config.incidents_per_minute && severity < 4 {
            self.fold_in(dossier, verdict, sighting);
            return false;
        }
        let who = Who::One(dossier.key, dossier.address);
        self.insert(who, dossier, verdict, sighting);
        true
    }

    /// One more packet of a source that is one of many.
    pub(crate) fn add_to_fold(&mut self, sighting: &Sighting<'_, '_>) {
        let Some(slot) = self.fold_slot() else { return };
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.add(sighting);
        }
        self.weigh(slot, sighting.tick);
    }

    /// Time has come to `tick`: tells, closes and forgets what is due, each at its own time.
    pub(crate) fn advance(&mut self, tick: Tick) {
        while self.earliest <= tick {
            let next = self
                .all
                .iter()
                .enumerate()
                .min_by_key(|(_, incident)| (incident.due, incident.id))
                .map(|(slot, incident)| (slot, incident.due));
            match next {
                Some((slot, due)) if due <= tick => {
                    self.earliest = due;
                    if let Ok(slot) = u32::try_from(slot) {
                        self.look(slot, due);
                    }
                }
                Some((_, due)) => self.earliest = due,
                None => self.earliest = NEVER,
            }
        }
    }

    /// Closes all that is open, at the time it was last seen: the end of a replay.
    pub(crate) fn close_all(&mut self, now: Tick) {
        let mut open: Vec<(u64, u32)> =
            (0..).zip(&self.all).filter(|(_, incident)| incident.is_open).map(|(slot, incident)| (incident.id, slot)).collect();
        open.sort_unstable();
        for (_, slot) in open {
            self.close(slot, now);
        }
    }

    /// What must always hold.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let fail = |what: &str| Err(format!("incidents: {what}"));
        if self.all.len() > self.config.max_incidents {
            return fail("over their limit");
        }
        if self.all.iter().any(|incident| incident.due < self.earliest) {
            return fail("something is due before the earliest");
        }
        let single = self.all.iter().filter(|incident| matches!(incident.who, Who::One(..))).count();
        if single != self.index.len() {
            return fail("index and slots differ in number");
        }
        for (slot, incident) in (0..).zip(&self.all) {
            if let Who::One(key, _) = incident.who
                && self.find(key) != Some(slot)
            {
                return fail("an incident is not found by its source");
            }
            if !(2..=5).contains(&incident.severity) || incident.targets.len() > MAX_ENTRIES {
                return fail("a value is out of its range");
            }
        }
        if self.all.iter().map(port_sets).sum::<usize>() > MAX_PORT_SETS { fail("too many port sets") } else { Ok(()) }
    }

    fn find(&self, key: Key) -> Option<u32> {
        self.index.find(self.hash(key), |slot| self.key_of(*slot) == Some(key)).copied()
    }

    fn key_of(&self, slot: u32) -> Option<Key> {
        self.all.get(slot as usize).and_then(key_of)
    }

    fn hash(&self, key: Key) -> u64 {
        let (bits, tag) = key.to_words();
        self.hasher.hash(bits, u64::from(tag))
    }

    fn insert(&mut self, who: Who, dossier: &Dossier, verdict: Verdict, sighting: &Sighting<'_, '_>) {
        self.make_room(sighting.tick);
        let Ok(slot) = u32::try_from(self.all.len()) else { return };
        let mut incident = Incident {
            id: self.next_id,
            who,
            is_open: true,
            severity: 0,
            detector: verdict.detector,
            is_near: dossier.is_near,
            origin: dossier.key.origin(),
            score: Weight(0),
            packets: u64::from(dossier.packets.saturating_sub(1)),
            contacts: u64::from(dossier.contacts.saturating_sub(sighting.new_contacts)),
            probes: dossier.probes,
            is_sweep: dossier.is_sweep,
            tcp: PortSet::default(),
            udp: PortSet::default(),
            protocols: [0; 4],
            targets: Vec::new(),
            more_targets: false,
            first: dossier.first,
            last: sighting.tick,
            gap: 0,
            action: sighting.action,
            interface: Vec::with_capacity(16),
            prefix: Vec::with_capacity(128),
            mac: Vec::with_capacity(64),
            uid: None,
            protocol: 0,
            ttl_min: u8::MAX,
            ttl_max: 0,
            packet_at_open: u64::from(dossier.packets),
            contacts_at_open: dossier.contacts / ONE,
            revision: 0,
            told: Told { at: Tick::ZERO, severity: 0, contacts: 0 },
            is_estimated: dossier.contact_count() > dossier.services.len(),
            due: NEVER,
        };
        // The packet at hand is in the dossier already, except for what only an incident keeps.
        if let Some(count) = incident.probes.get_mut(sighting.probe as usize) {
            *count = count.saturating_sub(1);
        }
        for (target, service) in &dossier.services {
            incident.add_service(*target, *service, true);
        }
        incident.add(&Sighting { new_contacts: 0, ..*sighting });
        incident.contacts += u64::from(sighting.new_contacts);
        let span = u64::try_from(incident.duration().as_micros()).unwrap_or(u64::MAX);
        incident.gap = span / incident.packets.saturating_sub(1).max(1);
        raise(&mut incident, verdict, dossier.score, dossier.is_sweep);
        if matches!(incident.who, Who::One(..)) {
            incident.severity = self.limits.broaden(incident.severity, incident.contact_count());
        }
        self.next_id += 1;
        let key = key_of(&incident);
        self.all.push(incident);
        if let Some(key) = key {
            self.index_slot(key, slot);
        }
        self.tell(slot, Phase::Opened, sighting.tick);
    }

    fn index_slot(&mut self, key: Key, slot: u32) {
        let hash = self.hash(key);
        let Self { index, all, hasher, .. } = self;
        index.insert_unique(hash, slot, |slot| {
            all.get(*slot as usize).and_then(key_of).map_or(0, |key| hasher.hash(key.to_words().0, u64::from(key.to_words().1)))
        });
    }

    fn fold_slot(&self) -> Option<u32> {
        let id = self.fold?;
        (0..).zip(&self.all).find(|(_, incident)| incident.id == id && incident.is_open).map(|(slot, _)| slot)
    }

    /// Too many at once: they become one incident of many sources.
    fn fold_in(&mut self, dossier: &Dossier, verdict: Verdict, sighting: &Sighting<'_, '_>) {
        self.folded += 1;
        let Some(slot) = self.fold_slot() else {
            self.fold = Some(self.next_id);
            self.insert(Who::Many(vec![dossier.address], 1), dossier, verdict, sighting);
            return;
        };
        if let Some(incident) = self.all.get_mut(slot as usize) {
            if let Who::Many(sources, count) = &mut incident.who {
                *count += 1;
                if sources.len() < MAX_ENTRIES {
                    sources.push(dossier.address);
                }
            }
            incident.packets += u64::from(dossier.packets.saturating_sub(1));
            incident.catch_up(dossier, sighting);
            raise(incident, verdict, dossier.score, dossier.is_sweep);
            // What nobody vouches for does not hide among what the kernel says, nor the other way round.
            incident.origin = incident.origin.min(dossier.key.origin());
        }
        self.weigh(slot, sighting.tick);
    }

    /// Decides when to tell an incident that has moved.
    fn weigh(&mut self, slot: u32, tick: Tick) {
        let (limits, config) = (self.limits, &self.config);
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        let contacts = incident.contact_count();
        // Many sources with a little each are no broader attack.
        if matches!(incident.who, Who::One(..)) {
            incident.severity = limits.broaden(incident.severity, contacts);
        }
        incident.severity = cap(incident.severity, incident.origin, config);
        let is_news = incident.severity > incident.told.severity || contacts >= incident.told.contacts.saturating_mul(10).max(1);
        // What becomes worth a popup only now does not wait behind what was not.
        let is_first_popup = incident.severity >= 3 && incident.told.severity < 3;
        let may_tell = if is_first_popup { tick } else { incident.told.at.after(config.update_every) };
        if is_news && tick >= may_tell {
            let phase = if incident.severity > incident.told.severity { Phase::Escalated } else { Phase::Updated };
            self.tell(slot, phase, tick);
            return;
        }
        let due = if is_news { may_tell } else { tick.after(config.settle).max(may_tell) };
        if is_news || incident.due > due {
            incident.due = incident.due.min(due);
            self.earliest = self.earliest.min(incident.due);
        }
    }

    /// An incident is due.
    fn look(&mut self, slot: u32, tick: Tick) {
        let Some(incident) = self.all.get(slot as usize) else { return };
        if !incident.is_open {
            self.remove(slot);
            return;
        }
        let contacts = incident.contact_count();
        let (is_worse, is_bigger) =
            (incident.severity > incident.told.severity, contacts >= incident.told.contacts.saturating_mul(10).max(1));
        let may_tell = tick >= incident.told.at.after(self.config.update_every);
        let is_quiet = tick >= incident.last.after(self.config.settle);
        let ends = incident.last.after(self.idle(incident));
        if tick >= ends {
            self.close(slot, tick);
        } else if may_tell && is_worse {
            self.tell(slot, Phase::Escalated, tick);
        } else if may_tell && (is_bigger || (is_quiet && contacts > incident.told.contacts)) {
            self.tell(slot, Phase::Updated, tick);
        } else {
            let is_untold = contacts > incident.told.contacts;
            let due = if is_untold {
                incident.last.after(self.config.settle).max(incident.told.at.after(self.config.update_every)).min(ends)
            } else {
                ends
            };
            if let Some(incident) = self.all.get_mut(slot as usize) {
                // Never twice at the same time.
                incident.due = due.max(tick.after(Duration::from_micros(1)));
            }
        }
    }

    /// The quiet after which an incident is over.
    fn idle(&self, incident: &Incident) -> Duration {
        if incident.detector == Detector::SlowScan {
            return SLOW_CLOSE.max(self.config.idle_close);
        }
        self.config.idle_close.max(Duration::from_micros(incident.gap.saturating_mul(4))).min(SLOW_CLOSE.max(self.config.idle_close))
    }

    fn close(&mut self, slot: u32, tick: Tick) {
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        incident.is_open = false;
        match incident.who {
            Who::One(key, _) => self.over.push(key),
            Who::Many(..) => self.fold = None,
        }
        self.tell(slot, Phase::Closed, tick);
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.due = incident.last.after(self.config.reopen_within).max(tick.after(Duration::from_micros(1)));
            incident.give_up_ports();
            self.earliest = self.earliest.min(incident.due);
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(last) = self.all.len().checked_sub(1).and_then(|last| u32::try_from(last).ok()) else { return };
        for (key, at) in [(self.key_of(slot), slot), (self.key_of(last), last)] {
            if let Some(key) = key
                && let Ok(entry) = self.index.find_entry(self.hash(key), |known| *known == at)
            {
                entry.remove();
            }
        }
        self.all.swap_remove(slot as usize);
        if let Some(moved) = self.key_of(slot) {
            self.index_slot(moved, slot);
        }
    }

    /// At the limit, the closed, least severe, oldest incident goes.
    fn make_room(&mut self, tick: Tick) {
        let max = self.config.max_incidents.max(1);
        while self.all.len() >= max {
            let victim = (0..)
                .zip(&self.all)
                .min_by_key(|(_, incident)| (incident.is_open, incident.severity, incident.last, incident.id))
                .map(|(slot, _)| slot);
            let Some(slot) = victim else { return };
            if self.all.get(slot as usize).is_some_and(|incident| incident.is_open) {
                self.evicted += 1;
                self.close(slot, tick);
            }
            self.remove(slot);
        }
        // Port sets are dear: the incident that is quiet for longest gives its own up.
        while self.all.iter().map(port_sets).sum::<usize>() + 2 > MAX_PORT_SETS {
            let Some(incident) =
                self.all.iter_mut().filter(|incident| port_sets(incident) > 0).min_by_key(|incident| (incident.last, incident.id))
            else {
                return;
            };
            incident.give_up_ports();
        }
    }

    /// Puts the state of an incident into words, and into the queue.
    fn tell(&mut self, slot: u32, phase: Phase, tick: Tick) {
        let ends = self.all.get(slot as usize).map_or(NEVER, |incident| incident.last.after(self.idle(incident)));
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        incident.severity = cap(incident.severity, incident.origin, &self.config);
        incident.revision = incident.revision.saturating_add(1);
        let contacts = incident.contact_count();
        incident.told = Told { at: tick, severity: incident.severity, contacts };
        incident.due = ends.max(tick.after(Duration::from_micros(1)));
        self.earliest = self.earliest.min(incident.due);
        let (source, sources) = match &incident.who {
            Who::One(_, address) => (Source::Address(*address), Vec::new()),
            Who::Many(sources, _) => (Source::Set, sources.clone()),
        };
        let finding = Finding {
            id: incident.id,
            seq: self.next_seq,
            revision: incident.revision,
            phase,
            merged_into: None,
            at: tick,
            severity: incident.severity,
            kind: incident.kind(),
            source,
            packets: incident.packets,
            contacts,
            ports: incident.ports(),
            targets: incident.targets.clone(),
            sources,
            protocol: incident.main_protocol(),
            first: incident.first,
            last: incident.last,
            action: incident.action,
            origin: incident.origin,
            attribution: incident.attribution(),
            tool: None,
            interface: incident.interface.clone(),
            prefix: incident.prefix.clone(),
            mac: incident.mac.clone(),
            uid: incident.uid,
            delivery: Incident::delivery(incident.severity),
            summary: words::summary(incident),
            why: words::why(incident, &self.limits),
            advice: words::advice(incident),
            attack: words::attack(incident),
            packet_at_open: incident.packet_at_open,
            contacts_at_open: incident.contacts_at_open,
        };
        self.next_seq += 1;
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push_back(finding);
        } else {
            self.lost_findings += 1;
        }
    }
}

fn key_of(incident: &Incident) -> Option<Key> {
    match incident.who {
        Who::One(key, _) => Some(key),
        Who::Many(..) => None,
    }
}

fn port_sets(incident: &Incident) -> usize {
    usize::from(incident.tcp.len() > 0) + usize::from(incident.udp.len() > 0)
}

/// A verdict makes an incident worse, never better.
fn raise(incident: &mut Incident, verdict: Verdict, score: Weight, is_sweep: bool) {
    if (verdict.severity, verdict.detector) > (incident.severity, incident.detector) || incident.severity == 0 {
        incident.detector = verdict.detector;
        incident.score = score;
    }
    incident.severity = incident.severity.max(verdict.severity);
    incident.is_sweep = is_sweep;
}

fn cap(severity: u8, origin: Origin, config: &Config) -> u8 {
    match config.unverified_max_severity {
        Some(max) if origin == Origin::Unverified => severity.min(max.max(2)),
        _ => severity,
    }
}
