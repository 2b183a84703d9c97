//! What people change: sources that are muted or trusted, incidents that are dealt with, notes.

use super::{
    Question,
    service::{Collector, Error},
};
use crate::{
    hiding::{Change, Refusal},
    remark::Remark,
    store::Import,
};
use firebell_shared::{
    alert::{Alert, Wire},
    mutes::{self, Entry, MAX_SECONDS, Manner, Source},
    names::MAX_IMPORT,
    severity::Severity,
    text::{MAX_FIELD, safe},
};
use std::time::{SystemTime, UNIX_EPOCH};

impl Collector {
    /// Mutes a source for so many seconds.
    pub(super) async fn mute_source(&self, source: &str, seconds: u64) -> Result<(), Error> {
        let source = read_source(source)?;
        if !(1..=MAX_SECONDS).contains(&seconds) {
            return Err(Error::InvalidArgument(format!("seconds is {seconds}; use 1 to {MAX_SECONDS}")));
        }
        let until = now().saturating_add(seconds);
        let up_to = mutes::up_to(Manner::Muted, self.worst_of(source));
        self.hide(Change::Hide(Entry { source, manner: Manner::Muted, up_to, until: Some(until) })).await
    }

    /// Trusts a source until somebody says otherwise.
    pub(super) async fn trust_source(&self, source: &str) -> Result<(), Error> {
        let source = read_source(source)?;
        let up_to = mutes::up_to(Manner::Trusted, self.worst_of(source));
        self.hide(Change::Hide(Entry { source, manner: Manner::Trusted, up_to, until: None })).await
    }

    /// Ends either.
    pub(super) async fn end_hiding(&self, manner: Manner, source: &str) -> Result<(), Error> {
        let source = read_source(source)?;
        self.hide(Change::End(manner, source)).await
    }

    fn worst_of(&self, source: Source) -> Option<Severity> {
        self.board().lock().history.worst_of(source.network())
    }

    /// Changes the list, and answers when that is on the disk, or cannot be written: then it is in force until the program ends.
    async fn hide(&self, change: Change) -> Result<(), Error> {
        let answer = self.ask(|answer| Question::Hide(change, answer)).await?;
        let written = answer.map_err(|refusal| match refusal {
            Refusal::NothingToEnd { .. } => Error::NotFound(refusal.to_string()),
            Refusal::Full(_) | Refusal::Busy => Error::LimitExceeded(refusal.to_string()),
        })?;
        if let Some(written) = written {
            // Health says that the history cannot be written.
            let _ = written.await;
        }
        Ok(())
    }

    /// Takes incidents in, under numbers that the loop gives for them.
    pub(super) async fn import_incidents(&self, history_id: String, wires: Vec<Wire>) -> Result<(u64, u64), Error> {
        if wires.len() > MAX_IMPORT {
            return Err(Error::InvalidArgument(format!("there are {} incidents; send at most {MAX_IMPORT} at once", wires.len())));
        }
        let alerts = wires.into_iter().map(Alert::from_wire).collect::<Result<Vec<_>, _>>();
        let alerts = alerts.map_err(|error| Error::InvalidArgument(error.to_string()))?;
        let (after_id, after_seq) = self.ask(|answer| Question::Reserve(alerts.len() as u64, answer)).await?;
        let done = self.board().import(Import { history_id, after_id, after_seq }, alerts).await?;
        Ok((done.taken, done.known))
    }

    /// Writes a note to an incident, or takes it away.
    pub(super) async fn note_incident(&self, id: u64, note: &str) -> Result<(), Error> {
        let note = safe(note.trim().as_bytes(), usize::MAX);
        if note.len() > MAX_FIELD {
            return Err(Error::InvalidArgument(format!("the note has {} bytes; use at most {MAX_FIELD}", note.len())));
        }
        self.board().remark(id, Remark::Note(note)).await.map(drop)
    }

    /// Says that an incident is dealt with.
    pub(super) async fn acknowledge_incident(&self, id: u64) -> Result<(), Error> {
        let time_usec = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
        self.board().remark(id, Remark::Acknowledged(time_usec)).await.map(drop)
    }

    /// Says that it is not.
    pub(super) async fn unacknowledge_incident(&self, id: u64) -> Result<(), Error> {
        let before = self.board().remark(id, Remark::Unacknowledged).await?;
        match before.details.acknowledged {
            Some(_) => Ok(()),
            None => Err(Error::NotFound(format!("incident {id} is not acknowledged"))),
        }
    }
}

fn read_source(text: &str) -> Result<Source, Error> {
    text.parse().map_err(|error: mutes::BadSource| Error::InvalidArgument(error.to_string()))
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
