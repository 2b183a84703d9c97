//! All incidents: one attack is one incident is one notification that changes.
//!
//! Opened at the first verdict; told again when its severity rises or it has grown tenfold since it was last told, at most
//! every `update_every`; told its last state once it is quiet; closed after `idle_close` or four of its median gaps;
//! the same source within `reopen_within` reopens it. Sources that turn out to belong together (decoys, one scan shared,
//! neighbours in one network) become one incident, and their own are merged into it. More than `incidents_per_minute`
//! new ones of single sources fold into one, unless a source is broad enough on its own.

use crate::{
    address::Key,
    class::Service,
    config::{Config, Network, Scanner},
    contacts::ONE,
    detect::{Detector, Limits, Verdict},
    finding::{Finding, Phase, Source},
    hash::Hasher,
    incident::{Dossier, Incident, MAX_ENTRIES, NEVER, Sighting, Steady, Subject, Told, Who},
    lists::Grades,
    origin::Origin,
    score::Weight,
    signature::{RuleSet, Signatures},
    tick::Tick,
    words,
};
use hashbrown::HashTable;
use std::{collections::VecDeque, hint::cold_path, mem, net::IpAddr, time::Duration};

/// Exact port sets of 8 KiB that may exist at a time: 4 MiB.
const MAX_PORT_SETS: usize = 512;
/// Findings that wait for the caller. It takes them after every packet, so only one who forgets ever meets this.
const MAX_FINDINGS: usize = 4_096;
/// Sources that may belong to one incident; of more, the packets are counted by their own.
const MAX_MEMBERS: usize = 256;
/// A minute in the budget of new incidents.
const MINUTE: Duration = Duration::from_secs(60);
/// A slow scan, or a source that comes back again and again, is over after a day of quiet.
const SLOW_CLOSE: Duration = Duration::from_secs(86_400);

mod state;
mod told;

pub(crate) use state::State;

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

/// What a group of sources is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'s> {
    pub(crate) subject: Subject,
    pub(crate) who: Who,
    pub(crate) verdict: Verdict,
    pub(crate) is_near: bool,
    pub(crate) origin: Origin,
    /// Hash of the source at hand.
    pub(crate) source: u64,
    /// Sources that become part of it.
    pub(crate) members: &'s [Member],
}

/// A source that becomes part of a group, and what it has done so far.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: Key,
    pub(crate) address: IpAddr,
    pub(crate) packets: u32,
    /// Times [`ONE`].
    pub(crate) contacts: u32,
    pub(crate) first: Tick,
    /// What it has asked, where no incident tells.
    pub(crate) services: Vec<(Option<IpAddr>, Service)>,
}

/// All incidents, open and lately closed.
#[derive(Debug)]
pub(crate) struct Incidents {
    hasher: Hasher,
    limits: Limits,
    grades: Grades,
    /// Known packets.
    pub(crate) signatures: Signatures,
    config: Config,
    all: Vec<Incident>,
    /// Slots by what an incident is about and by whom.
    index: HashTable<(Subject, u32)>,
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

impl Incidents {
    pub(crate) fn new(mut config: Config, limits: Limits, hasher: Hasher) -> Self {
        Self {
            hasher,
            limits,
            grades: Grades::new(mem::take(&mut config.lists)),
            signatures: Signatures::new(hasher),
            config,
            all: Vec::new(),
            index: HashTable::new(),
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

    /// The next incident and the next finding are numbered after these.
    pub(crate) fn number_after(&mut self, last_id: u64, last_seq: u64) {
        (self.next_id, self.next_seq) = (last_id + 1, last_seq + 1);
    }

    /// The sources whose severity is the administrator's.
    pub(crate) fn grades(&self) -> &Grades {
        &self.grades
    }

    /// Takes new lists of addresses; open incidents that are worse by them are told with the next [`Incidents::advance`].
    pub(crate) fn replace_lists(&mut self, reputation: &[Network], scanners: Vec<Scanner>, now: Tick) {
        self.grades.replace(reputation, scanners);
        self.weigh_again(now);
    }

    /// Takes other parameters and lists; open incidents follow as with new lists.
    pub(crate) fn adopt(&mut self, mut config: Config, limits: Limits, now: Tick) {
        self.grades.adopt(mem::take(&mut config.lists));
        (self.config, self.limits) = (config, limits);
        self.weigh_again(now);
        // Who waits for a time that has another length now is looked at soon.
        for incident in self.all.iter_mut().filter(|incident| incident.is_open) {
            incident.due = incident.due.min(now.after(self.config.settle));
            self.earliest = self.earliest.min(incident.due);
        }
    }

    /// What goes by lists and parameters is not as it was.
    fn weigh_again(&mut self, now: Tick) {
        for incident in self.all.iter_mut().filter(|incident| incident.is_open) {
            incident.steady_below = None;
            settle(incident, &self.grades, &self.config);
            if incident.shown > incident.told.severity {
                incident.due = incident.due.min(incident.told.at.after(self.config.update_every).max(now));
                self.earliest = self.earliest.min(incident.due);
            }
        }
    }

    /// Takes new rules; open incidents keep the hits of those that are still there.
    pub(crate) fn replace_rules(&mut self, rules: RuleSet) {
        let numbers = self.signatures.replace(rules);
        for incident in &mut self.all {
            incident.known.renumber(&numbers);
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

    /// The incident that the source `key` belongs to, open or lately closed.
    pub(crate) fn of(&self, key: Key) -> Option<&Incident> {
        self.find(Subject::Source(key)).and_then(|slot| self.all.get(slot as usize))
    }

    /// Has the source an open incident? `hash` is the source's.
    pub(crate) fn is_open(&self, key: Key, hash: u64) -> bool {
        let slot = self.index.find(hash, |(known, _)| *known == Subject::Source(key)).map(|(_, slot)| *slot);
        slot.and_then(|slot| self.all.get(slot as usize)).is_some_and(|incident| incident.is_open)
    }

    /// One more packet of a source that belongs to an incident; `hash` is the source's. False: to none that is open.
    pub(crate) fn add(
        &mut self,
        key: Key,
        hash: u64,
        sighting: &Sighting<'_, '_>,
        verdict: Option<(Verdict, Weight, bool)>,
        contacts: u32,
    ) -> bool {
        let subject = Subject::Source(key);
        let Some(slot) = self.index.find(hash, |(known, _)| *known == subject).map(|(_, slot)| *slot) else { return false };
        let Some(incident) = self.all.get_mut(slot as usize).filter(|incident| incident.is_open) else { return false };
        if matches!(incident.subject, Subject::Fold(_)) && contacts >= self.limits.broad_contacts && verdict.is_some() {
            cold_path();
            // One that is broad on its own does not hide among many small ones.
            self.leave(slot, key);
            return false;
        }
        let severity = incident.severity;
        incident.add(sighting);
        if let Some((verdict, score, is_sweep)) = verdict {
            incident.raise(verdict, score, is_sweep);
        }
        if incident.severity > severity || !sighting.known.is_empty() || !incident.is_steady() {
            self.weigh(slot, sighting.tick);
        }
        true
    }

    /// A verdict on a source that has no open incident: opens one, reopens its last one, or puts it with others.
    pub(crate) fn open(&mut self, dossier: &Dossier, verdict: Verdict, sighting: &Sighting<'_, '_>) {
        let tick = sighting.tick;
        if let Some(slot) = self.find(Subject::Source(dossier.key)) {
            self.resume(slot, dossier, verdict, sighting);
            return;
        }
        let network = self.network_of(dossier);
        if let Some(slot) = network.and_then(|(subject, _)| self.find_open(subject)) {
            self.join(slot, dossier.key, dossier.address);
            self.resume(slot, dossier, verdict, sighting);
            return;
        }
        let severity = self.limits.broaden(verdict.severity, dossier.contacts / ONE);
        // Whom the administrator waits for does not hide among many. One forged packet that a rule knows costs nothing.
        let is_broad = severity >= 4 && verdict.detector != Detector::Signature;
        if !is_broad && verdict.detector != Detector::Listed && !self.may_open(tick) {
            self.fold_in(dossier, verdict, sighting);
            return;
        }
        let subject = Subject::Source(dossier.key);
        let slot =
            self.insert(subject, Who::One(dossier.address), verdict.detector, dossier.is_near, dossier.key.origin(), dossier.first, tick);
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.members.push(dossier.key);
            incident.sources.push(dossier.address);
            incident.source_count = 1;
            incident.catch_up(dossier, sighting);
            let span = u64::try_from(incident.duration().as_micros()).unwrap_or(u64::MAX);
            incident.gap = span / incident.packets.saturating_sub(1).max(1);
            incident.raise(verdict, dossier.score, dossier.is_sweep);
            incident.severity = self.limits.broaden(incident.severity, incident.breadth());
            incident.packet_at_open = incident.packets;
            incident.contacts_at_open = dossier.contacts / ONE;
        }
        match network.filter(|(subject, _)| self.neighbours(*subject) >= self.config.detect.roll_up.sources as usize) {
            Some((subject, who)) => self.roll_up(subject, who, dossier, verdict, sighting),
            None => self.tell(slot, Phase::Opened, tick),
        }
    }

    /// What a group of sources does together: opens its incident or goes on with it. Incidents of single members become part of it.
    pub(crate) fn group(&mut self, group: &Group<'_>, sighting: &Sighting<'_, '_>) {
        let tick = sighting.tick;
        let known = self.find(group.subject).or_else(|| self.find_lost(group, sighting)).or_else(|| self.group_of_members(group));
        let (slot, phase) = match known {
            Some(slot) => (slot, self.all.get(slot as usize).filter(|incident| !incident.is_open).map(|_| Phase::Reopened)),
            None if group.verdict.severity < 2 && !self.may_open(tick) => return,
            None => {
                let slot = self.insert(group.subject, group.who, group.verdict.detector, group.is_near, group.origin, tick, tick);
                (slot, Some(Phase::Opened))
            }
        };
        let Some(slot) = self.take_members(slot, group.members, tick) else { return };
        let mut is_steady = false;
        if let Some(incident) = self.all.get_mut(slot as usize) {
            let severity = incident.severity;
            incident.is_open = true;
            incident.who = if group.who == Who::Many { Who::Many } else { incident.who };
            if group.members.is_empty() && group.who != Who::Own {
                incident.meet_source(sighting.packet.header.src, group.source);
            }
            // The packets of members are counted by way of their membership; what they did before they joined, in their totals.
            let new_contacts = if group.members.is_empty() && phase == Some(Phase::Opened) { ONE } else { sighting.new_contacts };
            if group.members.is_empty() {
                incident.add(&Sighting { new_contacts, ..*sighting });
            } else if phase.is_some() {
                incident.add(&Sighting { new_contacts: 0, ..*sighting });
                incident.packets -= 1;
            }
            incident.raise(group.verdict, Weight(0), false);
            if phase == Some(Phase::Opened) {
                incident.packet_at_open = incident.packets;
                incident.contacts_at_open = incident.contact_count();
            }
            is_steady = incident.severity == severity && sighting.known.is_empty() && incident.is_steady();
        }
        match phase {
            Some(phase) => self.tell(slot, phase, tick),
            None if is_steady => {}
            None => self.weigh(slot, tick),
        }
    }

    /// One more contact of a group that is known: of a member, or of one of many more than can be. False: it is neither.
    #[inline(never)]
    pub(crate) fn one_more(&mut self, group: Subject, key: Key, hash: u64, sighting: &Sighting<'_, '_>) -> bool {
        let Some(slot) = self.find_open(group) else { return false };
        let subject = Subject::Source(key);
        let own = self.index.find(hash, |(known, _)| *known == subject).map(|(_, slot)| *slot);
        let Some(incident) = self.all.get_mut(slot as usize) else { return false };
        match own {
            Some(own) if own == slot => {}
            None if incident.members.len() >= MAX_MEMBERS => {
                incident.packets += 1;
                incident.contacts += u64::from(ONE);
                if let Some((_, service)) = sighting.probe {
                    incident.add_service(Some(sighting.packet.header.dst), service, true);
                }
                incident.meet_source(sighting.packet.header.src, hash);
            }
            _ => return false,
        }
        if !incident.is_steady() {
            self.weigh(slot, sighting.tick);
        }
        true
    }

    /// The log is incomplete: `lost` records are gone, or, with 0, a limit keeps most packets out of it. Told once a day.
    pub(crate) fn note_log(&mut self, lost: u64, origin: Origin, tick: Tick) {
        let known = self.find(Subject::Log);
        let slot = known.unwrap_or_else(|| self.insert(Subject::Log, Who::Own, Detector::Visibility, false, origin, tick, tick));
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        let phase = if known.is_none() { Phase::Opened } else { Phase::Reopened };
        let is_news = known.is_none() || !incident.is_open;
        incident.is_open = true;
        incident.last = incident.last.max(tick);
        incident.lost = incident.lost.saturating_add(lost);
        incident.severity = 2;
        if is_news {
            self.tell(slot, phase, tick);
        }
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
        let mut expected = 0;
        for (slot, incident) in (0..).zip(&self.all) {
            let is_source = matches!(incident.subject, Subject::Source(_));
            expected += incident.members.len() + usize::from(!is_source);
            if is_source && incident.members.len() != 1 {
                return fail("an incident of one source has other members");
            }
            if self.find(incident.subject) != Some(slot)
                || incident.members.iter().any(|key| self.find(Subject::Source(*key)) != Some(slot))
            {
                return fail("an incident is not found by what it is about");
            }
            if !(1..=5).contains(&incident.severity)
                || !(1..=5).contains(&incident.shown)
                || incident.members.len() > MAX_MEMBERS
                || !incident.is_sound()
            {
                return fail("a value is out of its range");
            }
        }
        if expected != self.index.len() {
            return fail("index and incidents differ in number");
        }
        if self.all.iter().map(Incident::port_sets).sum::<usize>() > MAX_PORT_SETS { fail("too many port sets") } else { Ok(()) }
    }

    fn hash_of(hasher: &Hasher, subject: Subject) -> u64 {
        match subject {
            Subject::Source(key) => key.hash(hasher),
            Subject::Group(hash) => hasher.mix(hash, 16),
            Subject::Fold(origin) => hasher.mix(origin as u64, 17),
            Subject::Own => hasher.mix(0, 18),
            Subject::Log => hasher.mix(0, 19),
            Subject::Lost(id) => hasher.mix(id, 20),
        }
    }

    fn find(&self, subject: Subject) -> Option<u32> {
        self.index.find(Self::hash_of(&self.hasher, subject), |(known, _)| *known == subject).map(|(_, slot)| *slot)
    }

    fn find_open(&self, subject: Subject) -> Option<u32> {
        self.find(subject).filter(|slot| self.all.get(*slot as usize).is_some_and(|incident| incident.is_open))
    }

    /// An incident that is open, or may be reopened.
    pub(crate) fn by_id(&self, id: u64) -> Option<&Incident> {
        self.slot_of(id).and_then(|slot| self.all.get(slot as usize))
    }

    fn slot_of(&self, id: u64) -> Option<u32> {
        (0..).zip(&self.all).find(|(_, incident)| incident.id == id).map(|(slot, _)| slot)
    }

    /// Points `subject` to `slot`, or to nothing.
    fn point(&mut self, subject: Subject, slot: Option<u32>) {
        let Self { index, hasher, .. } = self;
        let hash = Self::hash_of(hasher, subject);
        match (index.find_entry(hash, |(known, _)| *known == subject), slot) {
            (Ok(mut entry), Some(slot)) => entry.get_mut().1 = slot,
            (Ok(entry), None) => drop(entry.remove()),
            (Err(_), Some(slot)) => {
                index.insert_unique(hash, (subject, slot), |(subject, _)| Self::hash_of(hasher, *subject));
            }
            (Err(_), None) => {}
        }
    }

    /// Points everything that `slot` is found by to `to`.
    fn point_all(&mut self, slot: u32, to: Option<u32>) {
        let Some(incident) = self.all.get(slot as usize) else { return };
        let mut subjects: Vec<Subject> = incident.members.iter().map(|key| Subject::Source(*key)).collect();
        if !matches!(incident.subject, Subject::Source(_)) {
            subjects.push(incident.subject);
        }
        for subject in subjects {
            self.point(subject, to);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what a new incident is")]
    fn insert(&mut self, subject: Subject, who: Who, detector: Detector, is_near: bool, origin: Origin, first: Tick, now: Tick) -> u32 {
        self.make_room(now);
        let slot = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Incident::new(self.next_id, subject, who, detector, is_near, origin, first));
        self.next_id += 1;
        self.point(subject, Some(slot));
        slot
    }

    /// May one more incident open in this minute?
    fn may_open(&mut self, tick: Tick) -> bool {
        if tick.since(self.minute) >= MINUTE {
            self.minute = tick;
            self.opened_in_minute = 0;
        }
        self.opened_in_minute = self.opened_in_minute.saturating_add(1);
        self.opened_in_minute <= self.config.incidents_per_minute
    }

    /// A source goes on with the incident it belongs to, or belongs to it from now on.
    fn resume(&mut self, slot: u32, dossier: &Dossier, verdict: Verdict, sighting: &Sighting<'_, '_>) {
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        let was_open = incident.is_open;
        incident.is_open = true;
        incident.catch_up(dossier, sighting);
        incident.raise(verdict, dossier.score, dossier.is_sweep);
        if was_open {
            self.weigh(slot, sighting.tick);
        } else {
            self.tell(slot, Phase::Reopened, sighting.tick);
        }
    }

    /// Too many at once: they become one incident of many sources.
    fn fold_in(&mut self, dossier: &Dossier, verdict: Verdict, sighting: &Sighting<'_, '_>) {
        self.folded += 1;
        // What nobody vouches for does not hide among what the kernel says, nor the other way round.
        let subject = Subject::Fold(dossier.key.origin());
        if let Some(slot) = self.find_open(subject) {
            self.join(slot, dossier.key, dossier.address);
            self.resume(slot, dossier, verdict, sighting);
            return;
        }
        if let Some(slot) = self.find(subject) {
            self.remove(slot);
        }
        let slot = self.insert(subject, Who::Many, verdict.detector, dossier.is_near, dossier.key.origin(), dossier.first, sighting.tick);
        self.join(slot, dossier.key, dossier.address);
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.catch_up(dossier, sighting);
            incident.raise(verdict, dossier.score, dossier.is_sweep);
            incident.packet_at_open = incident.packets;
            incident.contacts_at_open = incident.contact_count();
        }
        self.tell(slot, Phase::Opened, sighting.tick);
    }

    /// `key` belongs to the incident in `slot` from now on.
    fn join(&mut self, slot: u32, key: Key, address: IpAddr) {
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        incident.add_source(address);
        if incident.members.len() < MAX_MEMBERS {
            incident.members.push(key);
            self.point(Subject::Source(key), Some(slot));
        }
    }

    fn leave(&mut self, slot: u32, key: Key) {
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.members.retain(|member| *member != key);
            self.point(Subject::Source(key), None);
        }
    }

    /// A group of the same kind that one of the members is part of already: a second source port of the same decoys.
    fn group_of_members(&self, group: &Group<'_>) -> Option<u32> {
        group.members.iter().filter_map(|member| self.find_open(Subject::Source(member.key))).find(|slot| {
            self.all
                .get(*slot as usize)
                .is_some_and(|incident| incident.detector == group.verdict.detector && matches!(incident.subject, Subject::Group(_)))
        })
    }

    /// Sources turn out to be part of the incident in `slot`. Where that is then.
    fn take_members(&mut self, slot: u32, members: &[Member], tick: Tick) -> Option<u32> {
        if members.is_empty() {
            return Some(slot);
        }
        let id = self.all.get(slot as usize)?.id;
        for member in members {
            self.take_member(id, member, tick);
        }
        self.slot_of(id)
    }

    /// A source turns out to be part of the incident `id`: its own is merged into that. Who is part of another group stays there.
    fn take_member(&mut self, id: u64, member: &Member, tick: Tick) {
        let Some(slot) = self.slot_of(id) else { return };
        let known = self.find(Subject::Source(member.key));
        let subject = known.and_then(|known| self.all.get(known as usize)).map(|incident| incident.subject);
        match (known, subject) {
            (Some(known), _) if known == slot => return,
            (Some(known), Some(Subject::Source(_))) => self.merge(known, id, tick),
            (Some(known), Some(Subject::Fold(_))) => self.leave(known, member.key),
            (Some(_), _) => return,
            (None, _) => {
                if let Some(incident) = self.all.get_mut(slot as usize) {
                    // Who cannot join comes by with every contact.
                    let is_full = incident.members.len() >= MAX_MEMBERS;
                    incident.packets += if is_full { 1 } else { u64::from(member.packets) };
                    incident.contacts += if is_full { u64::from(ONE) } else { u64::from(member.contacts) };
                    incident.first = incident.first.min(member.first);
                    for (target, service) in &member.services {
                        incident.add_service(*target, *service, true);
                    }
                }
            }
        }
        if let Some(slot) = self.slot_of(id) {
            self.join(slot, member.key, member.address);
        }
    }

    /// The incident in `slot` becomes part of the incident `into`.
    fn merge(&mut self, slot: u32, into: u64, tick: Tick) {
        let Some(target) = self.slot_of(into) else { return };
        if self.all.get(slot as usize).is_some_and(|incident| incident.revision > 0 && incident.is_open) {
            self.say(slot, Phase::Merged, tick, Some(into));
        }
        self.point_all(slot, None);
        let last = self.all.len() - 1;
        let other = self.all.swap_remove(slot as usize);
        let target = if target as usize == last { slot } else { target };
        if slot as usize != last {
            self.point_all(slot, Some(slot));
        }
        if let Some(incident) = self.all.get_mut(target as usize) {
            incident.absorb(&other);
        }
    }

    /// The network that sources roll up to (D16): /24 and /48 on the Internet. Neighbours of our own stay apart: each is a device.
    fn network_of(&self, dossier: &Dossier) -> Option<(Subject, Who)> {
        let (network, length) = dossier.key.network();
        (!dossier.is_near && self.config.detect.roll_up.enabled).then(|| (self.network_subject(dossier.key), Who::Network(network, length)))
    }

    fn network_subject(&self, key: Key) -> Subject {
        let (bits, tag) = key.network_words();
        Subject::Group(self.hasher.hash(bits, 32 + u64::from(tag)))
    }

    /// Open incidents of single sources in a network.
    fn neighbours(&self, network: Subject) -> usize {
        self.single_in(network).count()
    }

    fn single_in(&self, network: Subject) -> impl Iterator<Item = (Key, IpAddr)> {
        self.all.iter().filter(|incident| incident.is_open && !incident.is_near).filter_map(move |incident| {
            match (incident.subject, incident.who) {
                (Subject::Source(key), Who::One(address)) if self.network_subject(key) == network => Some((key, address)),
                _ => None,
            }
        })
    }

    /// Neighbours become one incident.
    fn roll_up(&mut self, subject: Subject, who: Who, dossier: &Dossier, verdict: Verdict, sighting: &Sighting<'_, '_>) {
        let members: Vec<(Key, IpAddr)> = self.single_in(subject).collect();
        let member = |(key, address)| Member { key, address, packets: 0, contacts: 0, first: dossier.first, services: Vec::new() };
        if let Some(slot) = self.find(subject) {
            self.remove(slot);
        }
        let slot = self.insert(subject, who, verdict.detector, false, dossier.key.origin(), sighting.tick, sighting.tick);
        let Some(id) = self.all.get(slot as usize).map(|incident| incident.id) else { return };
        for source in members {
            self.take_member(id, &member(source), sighting.tick);
        }
        let Some(slot) = self.slot_of(id) else { return };
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.raise(verdict, dossier.score, dossier.is_sweep);
            incident.packet_at_open = incident.packets;
            incident.contacts_at_open = incident.contact_count();
        }
        self.tell(slot, Phase::Opened, sighting.tick);
    }

    /// Decides when to tell an incident that has moved.
    fn weigh(&mut self, slot: u32, tick: Tick) {
        let (limits, config, grades) = (&self.limits, &self.config, &self.grades);
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        let contacts = incident.contact_count();
        incident.severity = incident.known.raise(incident.severity);
        // Many unrelated sources with a little each are no broader attack.
        if !matches!(incident.subject, Subject::Fold(_)) {
            incident.severity = limits.broaden(incident.severity, incident.breadth());
        }
        settle(incident, grades, config);
        let is_news = incident.shown > incident.told.severity || has_grown(incident);
        // What becomes worth a popup only now does not wait behind what was not.
        let is_first_popup = incident.shown >= 3 && incident.told.severity < 3;
        let may_tell = if is_first_popup { tick } else { incident.told.at.after(config.update_every) };
        if is_news && tick >= may_tell {
            let phase = if incident.shown > incident.told.severity { Phase::Escalated } else { Phase::Updated };
            self.tell(slot, phase, tick);
            return;
        }
        let quiet = incident.quiet(config.settle);
        let due = if is_news { may_tell } else { tick.after(quiet).max(may_tell) };
        if contacts > incident.told.contacts || is_news || incident.due > due {
            incident.due = incident.due.min(due);
            self.earliest = self.earliest.min(incident.due);
        }
        // Where its own pace decides when it is quiet, that changes with every packet.
        let is_paced = quiet > incident.least_quiet(config.settle);
        incident.steady_below = if is_news || is_paced { None } else { Some(steady_below(incident, limits)) };
    }

    /// An incident is due.
    fn look(&mut self, slot: u32, tick: Tick) {
        let Some(incident) = self.all.get(slot as usize) else { return };
        if !incident.is_open {
            self.remove(slot);
            return;
        }
        let may_tell = tick >= incident.told.at.after(self.config.update_every);
        let quiet = incident.last.after(incident.quiet(self.config.settle));
        let is_quiet = tick >= quiet;
        let is_untold = incident.contact_count() > incident.told.contacts || incident.packets >= incident.told.packets.saturating_mul(2);
        let ends = incident.last.after(self.idle(incident));
        if tick >= ends {
            self.close(slot, tick);
        } else if may_tell && incident.shown > incident.told.severity {
            self.tell(slot, Phase::Escalated, tick);
        } else if may_tell && (has_grown(incident) || (is_quiet && is_untold)) {
            let is_settled = !has_grown(incident);
            self.tell(slot, Phase::Updated, tick);
            if let Some(incident) = self.all.get_mut(slot as usize) {
                incident.settled += u32::from(is_settled);
            }
        } else {
            let settled = quiet.max(incident.told.at.after(self.config.update_every));
            let due = if is_untold { settled.min(ends) } else { ends };
            if let Some(incident) = self.all.get_mut(slot as usize) {
                incident.steady_below = None;
                // Never twice at the same time.
                incident.due = due.max(tick.after(Duration::from_micros(1)));
            }
        }
    }

    /// The quiet after which an incident is over.
    fn idle(&self, incident: &Incident) -> Duration {
        if matches!(incident.detector, Detector::SlowScan | Detector::Visibility) {
            return SLOW_CLOSE.max(self.config.idle_close);
        }
        self.config.idle_close.max(Duration::from_micros(incident.gap.saturating_mul(4))).min(SLOW_CLOSE.max(self.config.idle_close))
    }

    fn close(&mut self, slot: u32, tick: Tick) {
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        incident.is_open = false;
        self.over.extend(&incident.members);
        self.tell(slot, Phase::Closed, tick);
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.due = incident.last.after(self.config.reopen_within).max(tick.after(Duration::from_micros(1)));
            incident.give_up_ports();
            self.earliest = self.earliest.min(incident.due);
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(last) = self.all.len().checked_sub(1) else { return };
        self.point_all(slot, None);
        self.all.swap_remove(slot as usize);
        if slot as usize != last {
            self.point_all(slot, Some(slot));
        }
    }

    /// At the limit, the closed, least severe, oldest incident goes.
    fn make_room(&mut self, tick: Tick) {
        let max = self.config.max_incidents.max(1);
        while self.all.len() >= max {
            let victim = (0..)
                .zip(&self.all)
                .min_by_key(|(_, incident)| (incident.is_open, incident.shown, incident.last, incident.id))
                .map(|(slot, _)| slot);
            let Some(slot) = victim else { return };
            if self.all.get(slot as usize).is_some_and(|incident| incident.is_open) {
                self.evicted += 1;
                self.close(slot, tick);
            }
            self.remove(slot);
        }
        self.make_room_for_ports();
    }

    fn make_room_for_ports(&mut self) {
        // Port sets are dear: the incident that is quiet for longest gives its own up.
        while self.all.iter().map(Incident::port_sets).sum::<usize>() + 2 > MAX_PORT_SETS {
            let Some(incident) =
                self.all.iter_mut().filter(|incident| incident.port_sets() > 0).min_by_key(|incident| (incident.last, incident.id))
            else {
                return;
            };
            incident.give_up_ports();
        }
    }

    /// Tells an incident, and sets when to look at it again.
    fn tell(&mut self, slot: u32, phase: Phase, tick: Tick) {
        let ends = self.all.get(slot as usize).map_or(NEVER, |incident| incident.last.after(self.idle(incident)));
        self.say(slot, phase, tick, None);
        if let Some(incident) = self.all.get_mut(slot as usize) {
            incident.told = Told { at: tick, severity: incident.shown, contacts: incident.contact_count(), packets: incident.packets };
            incident.steady_below = None;
            incident.due = ends.max(tick.after(Duration::from_micros(1)));
            self.earliest = self.earliest.min(incident.due);
        }
    }

    /// Puts the state of an incident into words, and into the queue.
    fn say(&mut self, slot: u32, phase: Phase, tick: Tick, merged_into: Option<u64>) {
        let Some(incident) = self.all.get_mut(slot as usize) else { return };
        settle(incident, &self.grades, &self.config);
        incident.revision = incident.revision.saturating_add(1);
        let (source, sources) = match incident.who {
            Who::One(address) => (Source::Address(address), Vec::new()),
            Who::Many => (Source::Set, incident.sources.clone()),
            Who::Network(network, length) => (Source::Network(network, length), incident.sources.clone()),
            Who::Own => (Source::Own, Vec::new()),
        };
        let signatures = self.signatures.tell(&incident.known);
        let mut why = words::why(incident, &self.config);
        words::explain(&signatures, &mut why);
        self.grades.explain(incident, &mut why);
        let mut attack = words::attack(incident);
        for technique in self.signatures.attack(&incident.known) {
            if attack.len() < MAX_ENTRIES && !attack.contains(&technique) {
                attack.push(technique);
            }
        }
        let finding = Finding {
            id: incident.id,
            seq: self.next_seq,
            revision: incident.revision,
            phase,
            merged_into,
            at: tick,
            severity: incident.shown,
            kind: incident.kind(),
            source,
            packets: incident.packets,
            contacts: incident.contact_count(),
            ports: incident.ports(),
            targets: incident.targets.clone(),
            sources,
            protocol: incident.main_protocol(),
            first: incident.first,
            last: incident.last,
            action: incident.action,
            origin: incident.origin,
            attribution: incident.attribution(),
            tool: incident.tool,
            interface: incident.interface.clone(),
            prefix: incident.prefix.clone(),
            mac: incident.mac.clone(),
            uid: incident.uid,
            delivery: Incident::delivery(incident.shown),
            summary: words::summary(incident, &self.config, signatures.first()),
            signatures,
            why,
            advice: words::advice(incident),
            attack,
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

/// Tenfold since it was last told, by contacts; by packets where contacts say nothing.
fn has_grown(incident: &Incident) -> bool {
    let contacts = incident.contact_count() >= incident.told.contacts.saturating_mul(10).max(1) && incident.told.contacts > 0;
    let packets = incident.detector.counts_packets() && incident.packets >= incident.told.packets.saturating_mul(10).max(1);
    contacts || packets
}

/// Below which numbers an incident neither grows worse by breadth nor has grown tenfold.
fn steady_below(incident: &Incident, limits: &Limits) -> Steady {
    let breadth = incident.breadth();
    let next = [limits.broad_contacts, limits.critical_contacts].into_iter().filter(|step| *step > breadth).min();
    Steady {
        contacts: incident.told.contacts.saturating_mul(10),
        breadth: next.unwrap_or(u32::MAX),
        packets: incident.told.packets.saturating_mul(10),
    }
}

/// How bad an incident is said to be: what was seen, as the lists make it worse or milder, and never above what an
/// unverified line may be. The only place where a severity is changed for who the source is.
fn settle(incident: &mut Incident, grades: &Grades, config: &Config) {
    incident.shown = cap(grades.severity(incident), incident.origin, config);
}

fn cap(severity: u8, origin: Origin, config: &Config) -> u8 {
    match config.unverified_max_severity {
        Some(max) if origin == Origin::Unverified => severity.min(max.max(2)),
        _ => severity,
    }
}
