//! Remembers over restarts of the agent how far it has heard, so that nothing is told twice and nothing is missed.
//!
//! One line, `SEQ HISTORY`, in `$XDG_STATE_HOME/firebell/notifier-seen`.

use crate::{collector::Position, config};
use std::{fs, io, path::PathBuf};
use tracing::warn;

/// More than a line can be is no line of ours.
const MAX_BYTES: u64 = 4096;

/// The file, and whether writing to it still makes sense.
#[derive(Debug)]
pub(crate) struct Seen {
    path: Option<PathBuf>,
    last: Option<Position>,
}

impl Seen {
    /// In the user's state directory.
    pub(crate) fn in_state_dir() -> Self {
        Self { path: config::user_dir("XDG_STATE_HOME", ".local/state").map(|dir| dir.join("notifier-seen")), last: None }
    }

    /// Nowhere: each start is the first.
    pub(crate) fn nowhere() -> Self {
        Self { path: None, last: None }
    }

    /// What an earlier run wrote. A file that is absent, unreadable or damaged is none.
    pub(crate) fn read(&self) -> Option<Position> {
        let path = self.path.as_ref()?;
        if fs::metadata(path).ok()?.len() > MAX_BYTES {
            return None;
        }
        parse(&fs::read_to_string(path).ok()?)
    }

    /// Writes it down. The old file stays until the new one is complete. A failure is said once.
    pub(crate) fn write(&mut self, position: &Position) {
        let Some(path) = self.path.clone().filter(|_| self.last.as_ref() != Some(position)) else { return };
        let write = || -> io::Result<()> {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)?;
            }
            let new = path.with_extension("new");
            fs::write(&new, format!("{} {}\n", position.seq, position.history))?;
            fs::rename(&new, &path)
        };
        match write() {
            Ok(()) => self.last = Some(position.clone()),
            Err(error) => {
                warn!(%error, path = %path.display(), "cannot remember what was shown; after a restart it is shown again");
                self.path = None;
            }
        }
    }
}

fn parse(text: &str) -> Option<Position> {
    let (seq, history) = text.strip_suffix('\n')?.split_once(' ')?;
    let seq = seq.parse().ok().filter(|&seq| seq < firebell_shared::names::MAX_ID)?;
    Some(Position { history: history.to_owned(), seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_damage_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/notifier-seen");
        let mut seen = Seen { path: Some(path.clone()), last: None };
        assert_eq!(seen.read(), None);
        let position = Position { history: "an id".into(), seq: 42 };
        seen.write(&position);
        assert_eq!(seen.read(), Some(position));
        for damage in ["", "42", "42 x", "-1 x\n", "9007199254740992 x\n", "\0\0\0\n"] {
            fs::write(&path, damage).unwrap();
            assert_eq!(seen.read(), None, "{damage:?}");
        }
        fs::write(&path, "1 x\n".repeat(5000)).unwrap();
        assert_eq!(seen.read(), None);
    }
}
