//! Incidents that were told, and of which less or nothing is known here: what came after the snapshot was lost, as with the power.

use super::{Group, Incidents, MAX_MEMBERS, settle};
use crate::{
    address::Key,
    detect::Detector,
    finding::{Finding, Kind, Phase, Source},
    incident::{Incident, Sighting, Subject, Who},
    tick::Tick,
};
use std::{mem, time::Duration};

impl Incidents {
    /// Goes on with an incident as it was told. False: nothing goes on by it here.
    pub(crate) fn take_up(&mut self, told: &Finding, is_near: bool, now: Tick) -> bool {
        let known = self.slot_of(told.id);
        if told.phase == Phase::Merged {
            known.inspect(|slot| self.follow(*slot, told.merged_into));
            return known.is_some();
        }
        let is_open = told.phase != Phase::Closed;
        if !is_open && known.is_none() && told.last.after(self.config.reopen_within) <= now {
            return false;
        }
        self.make_room_for_ports();
        let Some(slot) = known.or_else(|| self.insert_told(told, is_near, now)) else { return false };
        let matched = self.signatures.recall(&told.signatures);
        let Some(incident) = self.all.get_mut(slot as usize) else { return false };
        incident.level(told, now);
        if known.is_none() {
            incident.known.absorb(&matched);
        }
        // What the lists add was told with it, and is added again.
        let seen = mem::replace(&mut incident.severity, told.severity);
        let shown = self.grades.severity(incident);
        incident.severity = (2 * told.severity).saturating_sub(shown).clamp(1, 5).max(seen);
        settle(incident, &self.grades, &self.config);
        if incident.is_open && !is_open {
            self.over.extend(&incident.members);
        }
        let soon = now.after(Duration::from_micros(1));
        incident.is_open = is_open;
        incident.due = if is_open { soon } else { incident.last.after(self.config.reopen_within).max(soon) };
        self.earliest = self.earliest.min(incident.due);
        true
    }

    /// One that is not known here. Nothing: another one is about the same, or there is no room.
    fn insert_told(&mut self, told: &Finding, is_near: bool, now: Tick) -> Option<u32> {
        let detector = Detector::of(told.kind)?;
        let key = |address| Key::new(address, told.origin);
        let (subject, who) = match (told.kind, told.source) {
            (Kind::Visibility, _) => (Subject::Log, Who::Own),
            (_, Source::Own) => (Subject::Own, Who::Own),
            (Kind::Flood | Kind::Backscatter, Source::Address(address)) => (Subject::Lost(told.id), Who::One(address)),
            (Kind::Flood | Kind::DecoyScan | Kind::DistributedScan, _) => (Subject::Lost(told.id), Who::Many),
            (_, Source::Address(address)) => (Subject::Source(key(address)), Who::One(address)),
            (_, Source::Network(address, length)) => (self.network_subject(key(address)), Who::Network(address, length)),
            (_, Source::Set) => (Subject::Fold(told.origin), Who::Many),
        };
        if self.find(subject).is_some() || self.all.len() >= self.config.max_incidents.max(1) {
            return None;
        }
        let next_id = mem::replace(&mut self.next_id, told.id);
        let slot = self.insert(subject, who, detector, is_near, told.origin, told.first.min(now), now);
        self.next_id = next_id.max(self.next_id);
        match subject {
            Subject::Source(member) => self.all.get_mut(slot as usize)?.members.push(member),
            // Those who flood are members of nothing.
            _ if told.kind == Kind::Flood => {}
            _ => told.sources.iter().for_each(|source| self.count_in(slot, key(*source))),
        }
        Some(slot)
    }

    /// The incident in `slot` was told to be part of another one: its sources are that one's, if it is known.
    fn follow(&mut self, slot: u32, into: Option<u64>) {
        let members = self.all.get(slot as usize).map(|incident| incident.members.clone()).unwrap_or_default();
        self.remove(slot);
        if let Some(slot) = into.and_then(|id| self.slot_of(id)) {
            members.iter().for_each(|member| self.count_in(slot, *member));
        }
    }

    /// `key` is a source that was told to belong to the incident in `slot`, unless it belongs to another one by now.
    fn count_in(&mut self, slot: u32, key: Key) {
        let is_free = self.find(Subject::Source(key)).is_none();
        if let Some(incident) = self.all.get_mut(slot as usize).filter(|incident| is_free && incident.members.len() < MAX_MEMBERS) {
            incident.members.push(key);
            self.point(Subject::Source(key), Some(slot));
        }
    }

    /// An incident of before that is about the same as `group`: it is found by that from here on.
    pub(super) fn find_lost(&mut self, group: &Group<'_>, sighting: &Sighting<'_, '_>) -> Option<u32> {
        let target = &sighting.packet.header.dst;
        let is_same = |incident: &Incident| match incident.detector {
            Detector::Decoys => group.members.iter().any(|member| incident.members.contains(&member.key)),
            Detector::Backscatter => incident.who == group.who,
            Detector::Flood => incident.targets.contains(target) && sighting.probe.is_none_or(|(_, service)| incident.has_asked(service)),
            _ => incident.targets.contains(target),
        };
        let (slot, lost) = (0..).zip(&self.all).find_map(|(slot, incident)| {
            let is_lost = matches!(incident.subject, Subject::Lost(_));
            let is_alike = incident.detector == group.verdict.detector && incident.origin == group.origin;
            (is_lost && is_alike && is_same(incident)).then_some((slot, incident.subject))
        })?;
        self.point(lost, None);
        self.all.get_mut(slot as usize)?.subject = group.subject;
        self.point(group.subject, Some(slot));
        Some(slot)
    }
}
