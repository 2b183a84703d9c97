//! The user's list of muted and trusted sources, by the wall clock and kept over restarts:
//! `$XDG_STATE_HOME/firebell/notifier-mutes`.

use crate::{
    mutes::{self, Entry, Full, Manner, Mutes, Source},
    state::StateFile,
};
use firebell_shared::{alert::Alert, severity::Severity};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::warn;

/// The list, and where it is kept.
#[derive(Debug)]
pub(crate) struct Hidden {
    mutes: Mutes,
    file: StateFile,
}

impl Hidden {
    /// What an earlier run wrote. A damaged file is none, which is said.
    pub(crate) fn in_state_dir() -> Self {
        Self::in_file(StateFile::in_state_dir(
            "notifier-mutes",
            "cannot write down what is muted and trusted; after a restart it is forgotten",
        ))
    }

    /// Nobody, and nothing is written.
    pub(crate) fn nothing() -> Self {
        Self { mutes: Mutes::default(), file: StateFile::nowhere() }
    }

    fn in_file(file: StateFile) -> Self {
        let why = match file.read(mutes::MAX_BYTES) {
            Ok(None) => return Self { mutes: Mutes::default(), file },
            Ok(Some(text)) => match Mutes::from_text(&text) {
                Some(mutes) => return Self { mutes, file },
                None => "it is damaged".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        warn!("cannot read what is muted and trusted ({why}); nothing is");
        Self { mutes: Mutes::default(), file }
    }

    /// Does the user not want to hear of this now?
    pub(crate) fn hides(&self, alert: &Alert) -> bool {
        self.mutes.hides(alert, now())
    }

    /// Everything that is hidden now.
    pub(crate) fn list(&self) -> Vec<Entry> {
        self.mutes.list(now()).collect()
    }

    /// Hides a source from now on. `seconds` 0: until somebody ends it. `seen`: the worst of it on record. Gives what holds now.
    ///
    /// # Errors
    /// [`Full`].
    pub(crate) fn hide(&mut self, manner: Manner, source: Source, seconds: u64, seen: Option<Severity>) -> Result<Entry, Full> {
        let until = (seconds > 0).then(|| now().saturating_add(seconds));
        let entry = Entry { source, manner, up_to: mutes::up_to(manner, seen), until };
        self.mutes.hide(entry, now())?;
        self.file.write(&self.mutes.to_text());
        Ok(entry)
    }

    /// Ends it. False: there was nothing to end.
    pub(crate) fn end(&mut self, manner: Manner, source: Source) -> bool {
        let was_hidden = self.mutes.end(manner, source, now());
        if was_hidden {
            self.file.write(&self.mutes.to_text());
        }
        was_hidden
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::tests::alert;
    use std::fs;

    #[test]
    fn what_is_hidden_stays_hidden_over_a_restart_and_damage_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notifier-mutes");
        let source: Source = "198.51.100.66".parse().unwrap();
        let mut hidden = Hidden::in_file(StateFile::at(path.clone()));
        assert!(!hidden.hides(&alert(1, "syn-scan", 3)));
        hidden.hide(Manner::Muted, source, 60, None).unwrap();
        hidden.hide(Manner::Trusted, source, 0, None).unwrap();
        let mut again = Hidden::in_file(StateFile::at(path.clone()));
        assert!(again.hides(&alert(1, "syn-scan", 4)) && again.list() == hidden.list() && again.list().len() == 2);
        assert!(again.end(Manner::Trusted, source) && !again.end(Manner::Trusted, source));
        assert_eq!(Hidden::in_file(StateFile::at(path.clone())).list().len(), 1);
        fs::write(&path, "rubbish").unwrap();
        assert_eq!(Hidden::in_file(StateFile::at(path)).list(), []);
    }
}
