//! Incidents as they are kept over a restart.

use super::{Incidents, Subject};
use crate::{hash::Hasher, incident::Incident, tick::Tick};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Everything but what follows from the rest, and what is the configuration's. Findings that nobody took are not among it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State<'i> {
    all: Cow<'i, [Incident]>,
    minute: Tick,
    opened_in_minute: u32,
    next_id: u64,
    next_seq: u64,
    folded: u64,
    evicted: u64,
    lost_findings: u64,
}

impl Incidents {
    pub(crate) fn state(&self) -> State<'_> {
        State {
            all: Cow::Borrowed(&self.all),
            minute: self.minute,
            opened_in_minute: self.opened_in_minute,
            next_id: self.next_id,
            next_seq: self.next_seq,
            folded: self.folded,
            evicted: self.evicted,
            lost_findings: self.lost_findings,
        }
    }

    /// Goes on with what others have held, before these have held anything. `hasher` must be theirs, and rules are renumbered
    /// by `numbers`.
    pub(crate) fn restore(&mut self, state: State<'_>, hasher: Hasher, numbers: &[Option<u32>]) -> Result<(), String> {
        let State { all, minute, opened_in_minute, next_id, next_seq, folded, evicted, lost_findings } = state;
        (self.all, self.hasher) = (all.into_owned(), hasher);
        (self.minute, self.opened_in_minute, self.next_id, self.next_seq) = (minute, opened_in_minute, next_id, next_seq);
        (self.folded, self.evicted, self.lost_findings) = (folded, evicted, lost_findings);
        for slot in 0..u32::try_from(self.all.len()).unwrap_or(0) {
            let Some(incident) = self.all.get_mut(slot as usize) else { break };
            incident.known.renumber(numbers);
            self.earliest = self.earliest.min(incident.due);
            let mut subjects: Vec<Subject> = incident.members.iter().map(|key| Subject::Source(*key)).collect();
            if !matches!(incident.subject, Subject::Source(_)) {
                subjects.push(incident.subject);
            }
            for subject in subjects {
                if self.find(subject).is_some() {
                    return Err("incidents: two are about the same".into());
                }
                self.point(subject, Some(slot));
            }
        }
        self.check_invariants()
    }

    pub(crate) fn last_numbers(&self) -> (u64, u64) {
        (self.next_id.saturating_sub(1), self.next_seq.saturating_sub(1))
    }

    /// The incident `id` has the number `new` from here on, which no other one has.
    pub(crate) fn renumber(&mut self, id: u64, new: u64) {
        self.next_id = self.next_id.max(new.saturating_add(1));
        if let Some(incident) = self.all.iter_mut().find(|incident| incident.id == id) {
            incident.id = new;
        }
        for finding in &mut self.findings {
            finding.renumber(id, new);
        }
    }

    /// What must hold of the numbers of incidents.
    pub(crate) fn check_values(&self, now: Tick) -> Result<(), String> {
        let mut ids: Vec<u64> = self.all.iter().map(|incident| incident.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) || ids.last().is_some_and(|id| *id >= self.next_id) {
            return Err("incidents: an id is given twice".into());
        }
        if self.minute > now || self.all.iter().any(|incident| incident.latest() > now) {
            return Err("incidents: something happened in the future".into());
        }
        Ok(())
    }
}
