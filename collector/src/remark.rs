//! What people say of an incident: that it is dealt with, and a note. It stays with the incident over its revisions.

use firebell_shared::alert::{Alert, Phase};
use std::sync::Arc;

/// Something that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It is dealt with, since this moment in microseconds since the Unix epoch.
    Acknowledged(u64),
    /// It is not, after all.
    Unacknowledged,
    /// A note, at most [`firebell_shared::text::MAX_FIELD`] bytes; an empty one takes the note away.
    Note(String),
}

impl Remark {
    /// Puts it down.
    pub fn apply(&self, alert: &mut Alert) {
        match self {
            Self::Acknowledged(time_usec) => alert.details.acknowledged = Some(*time_usec),
            Self::Unacknowledged => alert.details.acknowledged = None,
            Self::Note(note) => alert.details.note.clone_from(note),
        }
    }
}

/// Does `new` take away that `old` was acknowledged? What becomes worse, or begins again, is to be looked at again.
#[must_use]
pub fn is_news(old: &Alert, new: &Alert) -> bool {
    new.severity > old.severity || new.details.phase == Phase::Reopened
}

/// The newer revision with what was said of the older one, where it says nothing itself.
#[must_use]
pub fn carry(old: &Alert, new: Arc<Alert>) -> Arc<Alert> {
    let acknowledged = old.details.acknowledged.filter(|_| new.details.acknowledged.is_none() && !is_news(old, &new));
    let note = Some(&old.details.note).filter(|note| !note.is_empty() && new.details.note.is_empty());
    if acknowledged.is_none() && note.is_none() {
        return new;
    }
    let mut alert = Arc::unwrap_or_clone(new);
    alert.details.acknowledged = alert.details.acknowledged.or(acknowledged);
    if let Some(note) = note {
        alert.details.note.clone_from(note);
    }
    Arc::new(alert)
}
