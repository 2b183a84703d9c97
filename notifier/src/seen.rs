//! Remembers over restarts of the agent how far it has heard, so that nothing is told twice and nothing is missed.
//!
//! One line, `SEQ HISTORY`, in a file in `$XDG_STATE_HOME/firebell`.

use crate::{collector::Position, state::StateFile};

/// More than a line can be is no line of ours.
const MAX_BYTES: u64 = 4096;

/// The file, and what is in it.
#[derive(Debug)]
pub(crate) struct Seen {
    file: StateFile,
    last: Option<Position>,
}

impl Seen {
    /// In the file `name` in the user's state directory.
    pub(crate) fn in_state_dir(name: &str) -> Self {
        Self::in_file(StateFile::in_state_dir(name, "cannot remember what was shown; after a restart it is shown again"))
    }

    /// Nowhere: each start is the first.
    pub(crate) fn nowhere() -> Self {
        Self::in_file(StateFile::nowhere())
    }

    fn in_file(file: StateFile) -> Self {
        Self { file, last: None }
    }

    /// What an earlier run wrote. A file that is absent, unreadable or damaged is none.
    pub(crate) fn read(&self) -> Option<Position> {
        parse(&self.file.read(MAX_BYTES).ok()??)
    }

    /// Writes it down.
    pub(crate) fn write(&mut self, position: &Position) {
        if self.last.as_ref() != Some(position) && self.file.write(&format!("{} {}\n", position.seq, position.history)) {
            self.last = Some(position.clone());
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
    use std::fs;

    #[test]
    fn what_was_written_is_read_again_and_damage_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notifier-seen");
        let mut seen = Seen::in_file(StateFile::at(path.clone()));
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
