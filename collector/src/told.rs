//! What was told before the start, beside an engine that goes on from a checkpoint: nothing of it is told twice, and all of it goes on.
//!
//! Alerts are on the disk before they are told, and the checkpoint comes with them or a little later. After a kill the lines in between
//! are read again, and the engine comes to the same incidents. After a power cut they are gone: the engine knows less of an incident than
//! was told, or nothing. While lines are read that were there before the start nobody knows which of the two it is, so what the engine finds
//! is compared with what was told. Then it takes up from that what it does not know.

use crate::convert;
use firebell_engine::{
    engine::Engine,
    finding::{Finding, Kind},
    tick::Tick,
};
use firebell_shared::alert::{Alert, Details, Phase};
use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// The incidents that the engine may not know as they were told.
#[derive(Debug, Default)]
pub(crate) struct Retold {
    rows: HashMap<u64, Row>,
    /// What the engine has found, under the numbers that were told.
    found: VecDeque<Finding>,
    /// Ends of incidents that go on no more.
    ended: VecDeque<Alert>,
    /// The last number of the engine's own incidents, and the one behind which it numbers new ones.
    own_id: u64,
    after_id: u64,
    /// What was told up to here is in the checkpoint.
    after_seq: u64,
}

#[derive(Debug)]
struct Row {
    /// The last that was told.
    alert: Alert,
    /// What it was about.
    told: Option<Finding>,
    /// The engine has it.
    is_known: bool,
}

impl Retold {
    /// Of `told`, what the engine does not know or what was told after `after_seq`.
    pub(crate) fn new(told: &[Arc<Alert>], after_seq: u64, engine: &Engine) -> Self {
        let row = |alert: &Arc<Alert>| Row { is_known: engine.knows(alert.id), told: convert::finding(alert), alert: Alert::clone(alert) };
        let rows = told.iter().map(|alert| (alert.id, row(alert)));
        let rows = rows.filter(|(_, row)| !row.is_known || row.alert.details.seq > after_seq).collect();
        Self { rows, after_seq, ..Self::default() }
    }

    /// Numbers what the engine finds from here on behind everything that has a number, and behind `last_id`.
    pub(crate) fn number_after(&mut self, engine: &mut Engine, last_id: u64, last_seq: u64) {
        let (own_id, own_seq) = engine.last_numbers();
        let told = self.rows.keys().max().copied().unwrap_or(0);
        (self.own_id, self.after_id) = (own_id, last_id.max(own_id).max(told));
        engine.number_after(self.after_id, last_seq.max(own_seq));
    }

    /// The sequence number that a checkpoint goes up to: what is to be taken up must be found again by the next start.
    pub(crate) fn checked_seq(&self, engine: &Engine) -> u64 {
        if self.rows.is_empty() { engine.last_numbers().1 } else { self.after_seq }
    }

    /// The next thing to tell. Counts in `found` what the engine has found, told or not.
    pub(crate) fn next_alert(&mut self, engine: &mut Engine, found: &mut u64) -> Option<Alert> {
        if let Some(alert) = self.ended.pop_front() {
            return Some(alert);
        }
        loop {
            let finding = if self.rows.is_empty() && self.found.is_empty() { engine.next_finding()? } else { self.next_found(engine)? };
            *found += 1;
            if let Some(alert) = self.news(convert::alert(&finding)) {
                return Some(alert);
            }
        }
    }

    /// The next finding. All that wait come at once, so that one which names an incident that was told before does not come before that is known.
    fn next_found(&mut self, engine: &mut Engine) -> Option<Finding> {
        while let Some(mut finding) = engine.next_finding() {
            let id = finding.id;
            if let Some(told) = self.told_as(&finding) {
                engine.renumber(id, told);
                self.found.iter_mut().chain([&mut finding]).for_each(|finding| finding.renumber(id, told));
            }
            self.found.push_back(finding);
        }
        self.found.pop_front()
    }

    /// The number under which a new incident was told before: when lines are read again each comes in its turn, when they were lost it is
    /// the newest about the same.
    fn told_as(&mut self, finding: &Finding) -> Option<u64> {
        let nth = finding.id.checked_sub(self.after_id).filter(|nth| *nth > 0 && finding.revision == 1)?;
        let is_it = |row: &Row| row.told.as_ref().is_some_and(|told| finding.is_about_the_same(told));
        let candidates = self.rows.values_mut().filter(|row| !row.is_known && is_it(row));
        let found = candidates.max_by_key(|row| (row.alert.id == self.own_id + nth, row.alert.is_open(), row.alert.details.seq))?;
        found.is_known = true;
        Some(found.alert.id)
    }

    /// What of an alert has not been told, and how.
    fn news(&mut self, mut alert: Alert) -> Option<Alert> {
        let Some(Row { alert: before, .. }) = self.rows.get_mut(&alert.id) else { return Some(alert) };
        let is_again = before.details.phase == Phase::Closed && alert.is_open() && alert.details.last_seen > before.time_usec;
        let is_more = is_again
            || alert.details.packets > before.details.packets
            || alert.severity > before.severity
            || (alert.kind == Kind::Visibility.as_str() && alert.details.last_seen > before.details.last_seen);
        // When something was told depends on when lines were read, so the same revision may say more now.
        if !is_more && (alert.is_open() || !before.is_open()) {
            return None;
        }
        if alert.details.packets < before.details.packets {
            // It goes by lines of which some are lost.
            alert = Alert {
                time_usec: alert.time_usec,
                severity: alert.severity.max(before.severity),
                details: alert.details,
                ..before.clone()
            };
            let (now, then) = (&alert.details, &before.details);
            alert.details = Details {
                seq: now.seq,
                phase: now.phase,
                merged_into: now.merged_into,
                last_seen: now.last_seen.max(then.last_seen),
                delivery: now.delivery,
                ..then.clone()
            };
        }
        if !alert.source.is_empty() && !before.source.is_empty() {
            // An IPv6 /64 is named by the address that was seen first.
            alert.source.clone_from(&before.source);
        }
        alert.details.revision = before.details.revision.saturating_add(1);
        alert.details.phase = match (before.is_open(), alert.details.phase) {
            (true, Phase::Opened | Phase::Reopened) if alert.severity > before.severity => Phase::Escalated,
            (true, Phase::Opened | Phase::Reopened) => Phase::Updated,
            (false, Phase::Opened | Phase::Updated | Phase::Escalated) => Phase::Reopened,
            (_, phase) => phase,
        };
        before.clone_from(&alert);
        Some(alert)
    }

    /// Everything was read that was there before the start, at `now`: the engine goes on with what was told. What cannot go on is over.
    pub(crate) fn end(&mut self, engine: &mut Engine, now: Tick) {
        let mut rows: Vec<Alert> = std::mem::take(&mut self.rows).into_values().map(|row| row.alert).collect();
        // Those that go on come first, and those that became part of one of them last.
        rows.sort_by_key(|alert| (alert.details.phase == Phase::Merged, !alert.is_open(), Reverse(alert.details.seq)));
        for mut alert in rows {
            let is_taken_up = convert::finding(&alert).is_some_and(|told| engine.take_up(&told, now));
            if !is_taken_up && alert.is_open() {
                let (last_id, last_seq) = engine.last_numbers();
                engine.number_after(last_id, last_seq + 1);
                alert.time_usec = now.as_micros();
                let details = &mut alert.details;
                (details.seq, details.revision, details.phase) = (last_seq + 1, details.revision.saturating_add(1), Phase::Closed);
                self.ended.push_back(alert);
            }
        }
    }
}

#[cfg(test)]
mod tests;
