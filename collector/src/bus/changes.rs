//! What people change: sources that are muted or trusted, incidents that are dealt with, notes. Each answer says how to undo it.

use super::{
    Question,
    service::{Collector, Error},
};
use crate::{
    hiding::{Change, Refusal},
    remark::Remark,
};
use firebell_shared::{
    mutes::{self, Entry, MAX_SECONDS, Manner, Source},
    severity::Severity,
    text::{MAX_FIELD, safe},
};
use jiff::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

impl Collector {
    /// Mutes a source for so many seconds.
    pub(super) async fn mute_source(&self, source: &str, seconds: u64) -> Result<String, Error> {
        let source = read_source(source)?;
        if !(1..=MAX_SECONDS).contains(&seconds) {
            return Err(Error::InvalidArgument(format!("seconds is {seconds}; use 1 to {MAX_SECONDS}")));
        }
        let until = now().saturating_add(seconds);
        let up_to = mutes::up_to(Manner::Muted, self.worst_of(source));
        let written = self.hide(Change::Hide(Entry { source, manner: Manner::Muted, up_to, until: Some(until) })).await?;
        Ok(format!(
            "{source} is muted for everybody on this machine until {} UTC: it is seen and kept, and has a popup only when it becomes worse than \
             severity {up_to}{written}; firebell unmute {source} ends that",
            calendar(until)
        ))
    }

    /// Trusts a source until somebody says otherwise.
    pub(super) async fn trust_source(&self, source: &str) -> Result<String, Error> {
        let source = read_source(source)?;
        let up_to = mutes::up_to(Manner::Trusted, self.worst_of(source));
        let written = self.hide(Change::Hide(Entry { source, manner: Manner::Trusted, up_to, until: None })).await?;
        Ok(format!("{source} is trusted: what it sends is counted and not looked at{written}; firebell untrust {source} ends that"))
    }

    /// Ends either.
    pub(super) async fn end_hiding(&self, manner: Manner, source: &str) -> Result<String, Error> {
        let source = read_source(source)?;
        let written = self.hide(Change::End(manner, source)).await?;
        let (word, again) = match manner {
            Manner::Muted => ("muted", format!("firebell mute {source} mutes it again")),
            Manner::Trusted => ("trusted", format!("firebell trust {source} trusts it again")),
        };
        Ok(format!("{source} is not {word} any more{written}; {again}"))
    }

    fn worst_of(&self, source: Source) -> Option<Severity> {
        self.board().lock().history.worst_of(source.network())
    }

    /// Changes the list. What is to be said where it is not on the disk.
    async fn hide(&self, change: Change) -> Result<&'static str, Error> {
        let answer = self.ask(|answer| Question::Hide(change, answer)).await?;
        let written = answer.map_err(|refusal| match refusal {
            Refusal::NothingToEnd { .. } => Error::NotFound(refusal.to_string()),
            Refusal::Full(_) | Refusal::Busy => Error::LimitExceeded(refusal.to_string()),
        })?;
        let Some(written) = written else { return Ok(" (until firebelld ends)") };
        let is_written = matches!(written.await, Ok(Ok(())));
        Ok(if is_written { "" } else { " (until firebelld ends, as the history cannot be written)" })
    }

    /// Writes a note to an incident, or takes it away.
    pub(super) async fn note_incident(&self, id: u64, note: &str) -> Result<String, Error> {
        let note = safe(note.trim().as_bytes(), usize::MAX);
        if note.len() > MAX_FIELD {
            return Err(Error::InvalidArgument(format!("the note has {} bytes; use at most {MAX_FIELD}", note.len())));
        }
        let is_empty = note.is_empty();
        let before = self.board().remark(id, Remark::Note(note)).await?;
        let former = match before.details.note.as_str() {
            "" => format!("firebell note {id} --remove takes it away"),
            former => format!("the note before was: {former}"),
        };
        match (is_empty, before.details.note.is_empty()) {
            (true, true) => Ok(format!("incident {id} had no note")),
            (true, false) => Ok(format!("incident {id} has no note any more; {former}")),
            (false, _) => Ok(format!("incident {id} has the note; {former}")),
        }
    }

    /// Says that an incident is dealt with.
    pub(super) async fn acknowledge_incident(&self, id: u64) -> Result<String, Error> {
        let time_usec = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
        self.board().remark(id, Remark::Acknowledged(time_usec)).await?;
        Ok(format!("incident {id} is acknowledged until it becomes worse or begins again; firebell ack --undo {id} takes that back"))
    }

    /// Says that it is not.
    pub(super) async fn unacknowledge_incident(&self, id: u64) -> Result<String, Error> {
        let before = self.board().remark(id, Remark::Unacknowledged).await?;
        match before.details.acknowledged {
            Some(_) => Ok(format!("incident {id} is not acknowledged any more; firebell ack {id} acknowledges it again")),
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

/// `2026-11-22 07:36:51`
fn calendar(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX);
    moment.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
