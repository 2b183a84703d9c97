//! The way of a packet: class, source, verdict, incident, finding.

use crate::{
    address::{self, Home, Key},
    class::{self, Class, Classified, Layer, Probe, Service, Verdicts},
    config::{Network, Scanner},
    contacts::{self, Contact, ONE, Targets},
    detect::{
        self, Detector, Evidence, Limits, Verdict,
        decoy::{self, Decoys},
        distributed::{Distributed, Shared},
        egress::Egress,
        fast_scan::{self, Novel},
        flood::{Alarm, Floods},
        reply::{self, Replies, Reply},
        sweep,
        tool::{Sure, Tool},
        tries::Tries,
        visibility::Visibility,
    },
    finding::{Action, Finding, Kind, Signature},
    hash::Hasher,
    incident::{Dossier, Incident, Sighting, Subject, Who},
    incidents::{Group, Incidents, Member},
    lists::{Mute, Muted},
    origin::Origin,
    packet::{Packet, TcpFlags},
    ports::{PortSet, write_ranges},
    score::Weight,
    signature::{self, Found},
    table::{self, Place, Table},
    texts::{Edition, Texts},
    tick::Tick,
};
use std::{hint::cold_path, net::IpAddr};

mod adopt;
mod explain;
mod known;

mod snapshot;

pub use explain::{Explanation, IncidentReadings, Standing};
pub use snapshot::{MAX_SNAPSHOT, RestoreError};

pub use crate::{
    config::Config,
    detect::Reading,
    detect::background::Background,
    incidents::IncidentStatus,
    signature::{RuleHits, SignatureStatus},
    table::TableStatus,
};

/// Turns packets into findings. Bounded whatever comes; the same packets with the same key give the same findings.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    texts: Texts,
    verdicts: Verdicts,
    /// Ports of services that every client asks of many addresses.
    errands: Vec<u16>,
    home: Home,
    nobody_vouches: bool,
    mute: Mute,
    targets: Targets,
    /// Sources on the Internet.
    far: Table,
    /// Private and on-link sources, which outside traffic cannot push out.
    near: Table,
    replies: Replies,
    tries: Tries,
    decoys: Decoys,
    distributed: Distributed,
    floods: Floods,
    egress: Egress,
    visibility: Visibility,
    background: Background,
    incidents: Incidents,
    hasher: Hasher,
    /// Of the hasher.
    key: [u8; 16],
    classes: [u64; Class::ALL.len()],
    trusted: u64,
    ignored: u64,
    now: Tick,
}

/// What is known of the packet at hand.
#[derive(Clone, Copy, Debug)]
struct Facts {
    class: Class,
    action: Action,
    texts: Edition,
    key: Key,
    is_near: bool,
    /// Number of the destination.
    target: u64,
    /// Hash of the source.
    source: u64,
    /// What the packet is known for.
    known: Found,
    tick: Tick,
}

impl Facts {
    fn sighting<'p, 'a>(&'p self, packet: &'p Packet<'a>) -> Sighting<'p, 'a> {
        let Self { action, texts, ref known, tick, .. } = *self;
        Sighting { packet, probe: None, action, texts, new_contacts: 0, tool: None, known, tick }
    }
}

/// What the engine holds and has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Packets by class, in the order of [`Class::ALL`].
    pub classes: [u64; Class::ALL.len()],
    /// Packets of trusted sources.
    pub trusted: u64,
    /// Packets that the configuration says to ignore.
    pub ignored: u64,
    /// Sources on the Internet.
    pub far: TableStatus,
    /// Private and on-link sources.
    pub near: TableStatus,
    /// Incidents.
    pub incidents: IncidentStatus,
    /// Today, and a usual day.
    pub background: Background,
    /// Rules on single packets.
    pub signatures: SignatureStatus,
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
    /// The scanner that was recognised.
    pub tool: Option<Tool>,
    /// The rules that fitted packets of its incident, the best first.
    pub signatures: Vec<Signature>,
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
        let detect = config.detect.clone();
        Self {
            limits,
            texts: Texts::default(),
            verdicts: Verdicts::new(&config.accepted_words),
            errands: detect.sweep.errand_ports,
            home: Home::new(&config.home),
            nobody_vouches: config.unverified_max_severity.is_none(),
            mute: Mute::new(&config.lists),
            targets: Targets::new(hasher),
            far: Table::new(config.max_sources, FAR_BITMAPS, hasher, hasher.hash(1, 0)),
            near: Table::new(config.max_near_sources, NEAR_BITMAPS, hasher, hasher.hash(2, 0)),
            replies: Replies::new(detect.reply_scan, detect.backscatter),
            tries: Tries::new(detect.insistent_tries),
            decoys: Decoys::new(detect.decoys),
            distributed: Distributed::new(detect.distributed),
            floods: Floods::new(&detect.flood),
            egress: Egress::new(detect.egress),
            visibility: Visibility::new(detect.visibility),
            background: Background::default(),
            incidents: Incidents::new(config, limits, hasher),
            hasher,
            key,
            classes: [0; Class::ALL.len()],
            trusted: 0,
            ignored: 0,
            now: Tick::ZERO,
        }
    }

    /// Takes one packet. `tick` is its time in microseconds since the Unix epoch; a time before the last one counts as that.
    ///
    /// Allocates nothing but when a table grows (bounded) or an incident has news. Findings wait in [`Engine::next_finding`].
    pub fn observe(&mut self, packet: &Packet<'_>, origin: Origin, tick: Tick) {
        self.advance(tick);
        let tick = self.now;
        let texts = self.texts.edition(packet);
        let action = self.verdicts.action(packet.prefix, texts);
        // A forged line must not make a stranger a neighbour; where nothing vouches, there is nothing better to learn from.
        if (origin == Origin::Kernel || self.nobody_vouches) && is_for_this_host(packet) {
            self.home.learn(packet.header.dst);
        }
        let Classified { class, probe } = class::classify(packet, action == Action::Accepted, &self.home);
        if let Some(count) = self.classes.get_mut(class as usize) {
            *count += 1;
        }
        match self.mute.covers(packet, class) {
            None => {}
            Some(Muted::Trusted) => {
                self.trusted += 1;
                return;
            }
            Some(Muted::Ignored) => {
                self.ignored += 1;
                return;
            }
        }
        self.background.note(class, tick);
        let target = self.targets.id(packet.header.dst);
        let key = Key::new(packet.header.src, origin);
        let source = key.hash(&self.hasher);
        let facts = Facts {
            class,
            action,
            texts,
            key,
            is_near: self.home.is_near(packet.header.src),
            target: u64::from(target.number()),
            source,
            known: self.look_up(packet, action, texts, source, tick),
            tick,
        };
        self.watch_the_log(&facts);
        let is_counted = match (class, probe) {
            (Class::Outbound, _) => self.watch_ourselves(packet, &facts),
            (Class::Backscatter, _) => self.watch_answers(packet, &facts),
            (Class::LateReply, Some((probe, service))) => self.watch_replies(packet, &facts, probe, Contact::new(target, service, tick)),
            (_, Some((probe, service))) => {
                let mut contact = Contact::new(target, service, tick);
                contact.ask(class == Class::IllegalFlags);
                self.watch_source(packet, &facts, probe, contact, true);
                self.watch_target(packet, &facts, probe, service);
                true
            }
            _ => false,
        };
        if !facts.known.is_empty() {
            self.watch_known(packet, &facts, is_counted);
        }
    }

    /// Goes on with the numbers of an engine before this one: the first incident is the one after `last_id`, the first
    /// finding the one after `last_seq`. To be called before there is any.
    pub fn number_after(&mut self, last_id: u64, last_seq: u64) {
        self.incidents.number_after(last_id, last_seq);
    }

    /// The numbers of the last incident and the last finding so far.
    #[must_use]
    pub fn last_numbers(&self) -> (u64, u64) {
        self.incidents.last_numbers()
    }

    /// Gives an incident the number that it was told under; no other one may have that. Findings that were taken keep theirs.
    pub fn renumber(&mut self, id: u64, new: u64) {
        self.incidents.renumber(id, new);
    }

    /// Is the incident known, open or lately closed?
    #[must_use]
    pub fn knows(&self, id: u64) -> bool {
        self.incidents.by_id(id).is_some()
    }

    /// The time that has come so far.
    #[must_use]
    pub fn now(&self) -> Tick {
        self.now
    }

    /// Says that `records` of the log were lost on the way to us: what we say is incomplete (D18).
    pub fn note_loss(&mut self, records: u64, tick: Tick) {
        self.advance(tick);
        self.incidents.note_log(records, Origin::Kernel, self.now);
    }

    /// Takes new lists of bad and of research addresses for those of [`Config`]: their files have changed. Incidents that are
    /// open follow.
    pub fn replace_lists(&mut self, reputation: &[Network], scanners: Vec<Scanner>) {
        self.incidents.replace_lists(reputation, scanners, self.now);
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
        Status {
            classes: self.classes,
            trusted: self.trusted,
            ignored: self.ignored,
            far: self.far.status(),
            near: self.near.status(),
            incidents: self.incidents.status(),
            background: self.background,
            signatures: self.incidents.signatures.status(),
        }
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
        self.far.check_values(self.now)?;
        self.near.check_values(self.now)?;
        self.incidents.check_values(self.now)?;
        self.incidents.check_invariants()
    }

    /// One source: what it asked before, and whether that is bad (D2 to D9, D13, D15). `is_whole`: the packet is the contact.
    fn watch_source(&mut self, packet: &Packet<'_>, facts: &Facts, probe: Probe, contact: Contact, is_whole: bool) {
        let Facts { class, action, texts, key, is_near, tick, .. } = *facts;
        // A guest that goes out asks many addresses on the Internet for the same few services, and is no worm for that.
        let is_worm_like = is_near && !self.is_errand(packet, contact.service());
        let table = if is_near { &mut self.near } else { &mut self.far };
        let (place, novelty) = table.note(key, facts.source, packet.header.src, contact, probe, tick);
        if novelty.contacts > 0 && !matches!(place, Place::Kept(_)) {
            self.background.note_source();
        }
        let (mut tool, mut sure) = (None, None);
        if is_whole
            && let Place::Kept(slot) = place
            && let Some(kept) = table.kept_mut(slot)
        {
            sure = kept.tool.note(packet, tick);
            tool = kept.tool.tool();
        }
        let kept = if let Place::Kept(slot) = place { table.kept(slot) } else { None };
        let is_sweep = kept.is_some_and(|kept| sweep::is_sweep(kept, &self.limits.sweep));
        let more_destinations = kept.map_or(0, |kept| kept.contacts.saturating_sub(kept.services) / ONE);
        let Some(brief) = table.brief_mut(place) else { return };
        let step = self.limits.fast.half_life.step(tick);
        let layer = contact.service().layer;
        if novelty.contacts > 0 {
            let one_more = if is_worm_like || !novelty.is_sweep {
                Novel::Service
            } else if more_destinations <= self.limits.fast.sweep_destinations {
                Novel::Destination
            } else {
                Novel::Nothing
            };
            brief.score.add(step, fast_scan::weight(class, layer, one_more, &self.limits));
        }
        if if is_worm_like { novelty.is_illegal } else { novelty.is_service_illegal } {
            brief.score.add(step, self.limits.fast.more_for_illegal_flags);
        }
        brief.illegal = brief.illegal.saturating_add(u8::from(novelty.is_illegal));
        let (score, illegal, packets, has_incident) = (brief.score.at(step), u32::from(brief.illegal), brief.packets, brief.has_incident);
        let kept = if let Place::Kept(slot) = place { table.kept(slot) } else { None };
        let contacts = kept.map_or(1, table::Kept::contact_count);
        let mut verdict = None;
        if is_whole && (novelty.is_any() || self.limits.count.is_some()) {
            let evidence = Evidence { score, illegal, class, packets, is_near, is_worm_like, minute: contacts::minute(tick), kept };
            verdict = detect::judge(&evidence, &self.limits);
        }
        if let (Some(sure), Some(limits)) = (sure, self.limits.tools) {
            cold_path();
            let verdict_on_tool = match sure {
                Sure::OsDetection => Verdict { severity: limits.os_severity, detector: Detector::OsDetection },
                Sure::Discovery => Verdict { severity: limits.discovery_severity.of(is_near), detector: Detector::Discovery },
            };
            verdict = detect::worse(verdict, Some(verdict_on_tool));
        }
        if let Some(tries) = self.count_try(packet, facts) {
            verdict = detect::worse(verdict, Some(tries));
        }
        if let Some(known) = signature::verdict(&facts.known).filter(|_| is_whole) {
            verdict = detect::worse(verdict, Some(known));
        }
        if self.incidents.grades().waits_for(packet) {
            cold_path();
            verdict = detect::worse(verdict, Some(Verdict { severity: 1, detector: Detector::Listed }));
        }
        let verdict = verdict.map(|verdict| (verdict, score, is_sweep));
        let known = if is_whole { &facts.known } else { &Found::NONE };
        let sighting =
            Sighting { packet, probe: Some((probe, contact.service())), action, texts, new_contacts: novelty.contacts, tool, known, tick };
        let is_counted = has_incident && self.incidents.add(key, facts.source, &sighting, verdict, contacts);
        if !is_counted && let Some(verdict) = verdict {
            cold_path();
            self.open(place, key, is_near, verdict, &sighting);
        }
        if is_whole && matches!(packet.header.proto.number, Some(6 | 17)) {
            self.watch_decoys(facts, &sighting);
            if novelty.contacts > 0 && layer == Layer::Tcp {
                self.watch_shares(facts, &sighting, contact.service().number);
            }
        }
    }

    /// Does a packet go on to the Internet, as those of a container do, for what every client does there?
    #[inline(never)]
    fn is_errand(&self, packet: &Packet<'_>, service: Service) -> bool {
        packet.out_iface.is_some_and(|out| !out.is_empty())
            && matches!(service.layer, Layer::Tcp | Layer::Udp)
            && self.errands.contains(&service.number)
            && !self.home.is_near(packet.header.dst)
    }

    /// One more attempt at a service that people guess passwords of (D13).
    fn count_try(&mut self, packet: &Packet<'_>, facts: &Facts) -> Option<Verdict> {
        let dport = packet.header.dport.filter(|port| facts.class == Class::Syn && self.tries.is_listed(*port))?;
        let attempt = packet.header.tcp_seq.unwrap_or(0) ^ u32::from(packet.header.sport.unwrap_or(0));
        let hash = self.hasher.mix(facts.source, facts.target << 16 | u64::from(dport));
        self.tries.note(hash, self.hasher.mix(u64::from(attempt), 6), facts.tick)
    }

    /// The same probe from several sources (D10).
    fn watch_decoys(&mut self, facts: &Facts, sighting: &Sighting<'_, '_>) {
        let header = &sighting.packet.header;
        let subject = self.hasher.mix(facts.target << 16 | u64::from(header.sport.unwrap_or(0)), 7);
        if let Some(set) = self.decoys.note(subject, facts.key, sighting.packet, facts.tick) {
            self.watch_decoy_set(facts, sighting, subject, &set);
        }
    }

    #[cold]
    fn watch_decoy_set(&mut self, facts: &Facts, sighting: &Sighting<'_, '_>, subject: u64, set: &decoy::Set) {
        let header = &sighting.packet.header;
        let mut members = [(facts.key, header.src); decoy::SOURCES];
        let mut count = 0;
        for (slot, member) in members.iter_mut().zip(set.iter().flatten()) {
            *slot = *member;
            count += 1;
        }
        let verdict = Verdict { severity: self.decoys.limits.severity, detector: Detector::Decoys };
        self.group(facts, Subject::Group(subject), Who::Many, verdict, members.get(..count).unwrap_or_default(), sighting);
    }

    /// One scan shared between several sources (D10).
    fn watch_shares(&mut self, facts: &Facts, sighting: &Sighting<'_, '_>, port: u16) {
        let header = &sighting.packet.header;
        let flags = header.flags.map_or(0, TcpFlags::bits);
        let (network, _) = facts.key.network_words();
        let shape = u64::from(header.window.unwrap_or(0)) << 32 | u64::from(header.len.unwrap_or(0)) << 8 | u64::from(flags);
        let ports = (header.sport.unwrap_or(0), port);
        let subject = self.hasher.mix(facts.target << 1 | facts.key.origin() as u64, 8);
        let source = (facts.key, header.src);
        #[allow(clippy::cast_possible_truncation, reason = "half of the hash")]
        let members = match self.distributed.note(subject, source, facts.source as u32, ports, (shape, network), facts.tick) {
            Shared::No => return,
            Shared::Found(sources) => sources.to_vec(),
            Shared::OneMore if self.incidents.one_more(Subject::Group(subject), facts.key, facts.source, sighting) => return,
            Shared::OneMore => vec![source],
        };
        self.watch_shared_scan(facts, sighting, subject, &members);
    }

    #[inline(never)]
    fn watch_shared_scan(&mut self, facts: &Facts, sighting: &Sighting<'_, '_>, subject: u64, members: &[(Key, IpAddr)]) {
        let verdict = Verdict { severity: self.distributed.limits.severity, detector: Detector::Distributed };
        self.group(facts, Subject::Group(subject), Who::Many, verdict, members, sighting);
    }

    /// One of our services: how many packets it gets (D11).
    fn watch_target(&mut self, packet: &Packet<'_>, facts: &Facts, probe: Probe, service: Service) {
        let subject = self.hasher.mix(facts.target << 24 | (service.layer as u64) << 16 | u64::from(service.number), 10);
        if let Some(alarm) = self.floods.note(subject, facts.source, facts.tick) {
            self.watch_flood(packet, facts, subject, alarm, (probe, service));
        }
    }

    #[inline(never)]
    fn watch_flood(&mut self, packet: &Packet<'_>, facts: &Facts, subject: u64, alarm: Alarm, asked: (Probe, Service)) {
        let who = if alarm.is_single { Who::One(packet.header.src) } else { Who::Many };
        let sighting = Sighting { probe: Some(asked), known: &Found::NONE, ..facts.sighting(packet) };
        let verdict = Verdict { severity: self.floods.severity, detector: Detector::Flood };
        self.group(facts, Subject::Group(subject), who, verdict, &[], &sighting);
    }

    /// Answers to packets that we did not send (D12). True: an incident has counted the packet.
    #[inline(never)]
    fn watch_answers(&mut self, packet: &Packet<'_>, facts: &Facts) -> bool {
        let (Some(sport), Some(6)) = (packet.header.sport, packet.header.proto.number) else { return false };
        let subject = self.hasher.mix(facts.source, 1 << 20 | u64::from(sport));
        let is_backscatter = self.replies.answer(subject, facts.tick);
        if is_backscatter {
            let who = Who::One(packet.header.src);
            let verdict = Verdict { severity: self.replies.backscatter.severity, detector: Detector::Backscatter };
            self.group(facts, Subject::Group(subject), who, verdict, &[], &facts.sighting(packet));
        }
        is_backscatter
    }

    /// What looks like late replies (D5). True: its source has counted the packet.
    #[inline(never)]
    fn watch_replies(&mut self, packet: &Packet<'_>, facts: &Facts, probe: Probe, contact: Contact) -> bool {
        let header = &packet.header;
        let hash = self.hasher.mix(facts.source, 2 << 20 | u64::from(header.sport.unwrap_or(0)));
        match self.replies.late_reply(hash, contact, reply::is_plain(header), facts.tick) {
            Reply::Real => return false,
            Reply::Probe => self.watch_source(packet, facts, probe, contact, true),
            Reply::Scan(contacts) => {
                for (n, earlier) in contacts.iter().enumerate() {
                    self.watch_source(packet, facts, probe, *earlier, n + 1 == contacts.len());
                }
            }
        }
        true
    }

    /// Our own refused packets (D17). True: an incident has counted the packet.
    #[inline(never)]
    fn watch_ourselves(&mut self, packet: &Packet<'_>, facts: &Facts) -> bool {
        let is_loopback = packet.out_iface == Some(b"lo");
        if is_loopback || facts.action == Action::Accepted || address::is_for_many(packet.header.dst) {
            return false;
        }
        let is_scan = self.egress.note(packet, &self.hasher, facts.target, facts.tick);
        if is_scan {
            let mut sighting = facts.sighting(packet);
            if let Some(dport) = packet.header.dport {
                let (layer, probe) =
                    if packet.header.proto.number == Some(17) { (Layer::Udp, Probe::Udp) } else { (Layer::Tcp, Probe::Connect) };
                sighting.probe = Some((probe, Service { layer, number: dport }));
                sighting.new_contacts = ONE;
            }
            let verdict = Verdict { severity: self.egress.limits.severity, detector: Detector::Egress };
            self.group(facts, Subject::Own, Who::Own, verdict, &[], &sighting);
        }
        is_scan
    }

    /// The log itself (D18).
    fn watch_the_log(&mut self, facts: &Facts) {
        if self.visibility.note(self.verdicts.prefix_number(), facts.source, facts.tick) {
            self.incidents.note_log(0, facts.key.origin(), facts.tick);
        }
    }

    fn group(
        &mut self,
        facts: &Facts,
        subject: Subject,
        who: Who,
        verdict: Verdict,
        members: &[(Key, IpAddr)],
        sighting: &Sighting<'_, '_>,
    ) {
        let members: Vec<Member> = members.iter().map(|(key, address)| self.member(*key, *address)).collect();
        let group =
            Group { subject, who, verdict, is_near: facts.is_near, origin: facts.key.origin(), source: facts.source, members: &members };
        self.incidents.group(&group, sighting);
        for Member { key, .. } in &members {
            self.far.mark_incident(*key);
            self.near.mark_incident(*key);
        }
        self.forget_what_is_over();
    }

    /// A source, with what it has done so far.
    fn member(&self, key: Key, address: IpAddr) -> Member {
        let (packets, contacts, first) = self.far.totals(key).or_else(|| self.near.totals(key)).unwrap_or((0, 0, self.now));
        let table = if self.home.is_near(address) { &self.near } else { &self.far };
        let named = |contact: &Contact| (self.targets.address(contact.target()), contact.service());
        let services = table.contacts_of_single(key).iter().map(named).collect();
        Member { key, address, packets, contacts, first, services }
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
                let Some((contact, counts)) = table.first_contact(slot) else { return };
                for (sum, count) in probes.iter_mut().zip(counts) {
                    *sum = u32::from(count);
                }
                (ONE, vec![named(contact)])
            }
            Place::Refused => return,
        };
        let Some(brief) = table.brief_mut(place) else { return };
        brief.has_incident = true;
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
        self.incidents.open(&dossier, verdict, sighting);
        self.forget_what_is_over();
    }

    fn forget_what_is_over(&mut self) {
        while let Some(key) = self.incidents.next_over() {
            self.far.forget_contacts(key);
            self.near.forget_contacts(key);
        }
    }

    fn report(&self, view: &table::SourceView<'_>) -> SourceReport {
        let incident = self.incidents.of(view.brief.key());
        // What an incident of several sources knows is not all this one's.
        let own = incident.filter(|incident| matches!(incident.subject, Subject::Source(_)));
        let (mut tcp, mut udp, mut protocols, mut targets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for contact in view.contacts() {
            let service = contact.service();
            match service.layer {
                Layer::Tcp => tcp.push(service.number),
                Layer::Udp => udp.push(service.number),
                Layer::Icmp | Layer::Other => {}
            }
            protocols.push(protocol_number(service, view.brief.address()));
            targets.extend(self.targets.address(contact.target()));
        }
        if let Some(own) = own {
            targets.extend(&own.targets);
        }
        protocols.sort_unstable();
        protocols.dedup();
        targets.sort_unstable();
        targets.dedup();
        // Few, where they are not those of an incident: a set of them would be 8 KiB for each source.
        let text = |mut own: Vec<u16>, of_incident: Option<&PortSet>| {
            let mut out = String::new();
            if let Some(set) = of_incident.filter(|set| set.len() > 0) {
                set.write(&mut out, MAX_PORT_TEXT);
            } else {
                own.sort_unstable();
                own.dedup();
                write_ranges(own.into_iter(), &mut out, MAX_PORT_TEXT);
            }
            out
        };
        SourceReport {
            source: view.brief.address(),
            severity: incident.map_or(1, |incident| incident.shown),
            packets: u64::from(view.brief.packets),
            contacts: view.contacts.max(own.map_or(0, Incident::contact_count)),
            targets,
            tcp_ports: text(tcp, own.map(|incident| &incident.tcp)),
            udp_ports: text(udp, own.map(|incident| &incident.udp)),
            protocols,
            first: view.brief.first,
            last: view.brief.last,
            kinds: incident.map(Incident::kind).into_iter().collect(),
            tool: view.tool.or(incident.and_then(|incident| incident.tool)),
            signatures: own.map(|own| self.incidents.signatures.tell(&own.known)).unwrap_or_default(),
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
