//! Remembers over restarts of the agent how far it has heard, so that nothing is told twice and nothing is missed.
//!
//! One line, `SEQ HISTORY`, in a file in `$XDG_STATE_HOME/firebell`.

use crate::{collector::Position, state::StateFile};
use std::time::Duration;

/// More than a line can be is no line of ours.
const MAX_BYTES: u64 = 4096;
/// Shortest time between two writes. Writing blocks whatever else we do, acknowledgements included, and a busy disk may take
/// its time: a flood of alerts must not become one of writes.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The file, and what is in it.
#[derive(Debug)]
pub(crate) struct Seen {
    file: StateFile,
    written: Option<Position>,
    /// What stands there in the end, also when we end before its time.
    position: Option<Position>,
    next_write: Duration,
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
        Self { file, written: None, position: None, next_write: Duration::ZERO }
    }

    /// What an earlier run wrote. A file that is absent, unreadable or damaged is none.
    pub(crate) fn read(&self) -> Option<Position> {
        parse(&self.file.read(MAX_BYTES).ok()??)
    }

    /// Writes it down, now or later, and not before `not_before`: what has been told is not said to be before what is on the screen is
    /// written down. Gives when to call again, where that is later.
    pub(crate) fn write(&mut self, position: &Position, now: Duration, not_before: Option<Duration>) -> Option<Duration> {
        if self.written.as_ref() == Some(position) {
            return None;
        }
        if self.position.as_ref() != Some(position) {
            self.position = Some(position.clone());
        }
        let at = self.next_write.max(not_before.unwrap_or_default());
        if now < at {
            return Some(at);
        }
        self.next_write = now + WRITE_EVERY;
        self.write_down();
        None
    }

    fn write_down(&mut self) {
        if let Some(Position { history, seq }) = &self.position
            && self.file.write(&format!("{seq} {history}\n"))
        {
            self.written.clone_from(&self.position);
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if self.written != self.position {
            self.write_down();
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
        assert_eq!(seen.write(&position, Duration::ZERO, None), None);
        assert_eq!(seen.read(), Some(position));
        for damage in ["", "42", "42 x", "-1 x\n", "9007199254740992 x\n", "\0\0\0\n"] {
            fs::write(&path, damage).unwrap();
            assert_eq!(seen.read(), None, "{damage:?}");
        }
        fs::write(&path, "1 x\n".repeat(5000)).unwrap();
        assert_eq!(seen.read(), None);
    }

    #[test]
    fn a_thousand_positions_in_a_second_are_two_writes_and_the_last_one_stands_there_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notifier-seen");
        let mut seen = Seen::in_file(StateFile::at(path.clone()));
        let at = |seq| Position { history: "x".into(), seq };
        let second = Duration::from_secs(1);
        for ms in 0..1000 {
            let later = seen.write(&at(ms), Duration::from_millis(ms), None);
            assert_eq!((later, seen.read()), ((ms > 0).then_some(second), Some(at(0))));
        }
        assert_eq!((seen.write(&at(999), second, None), seen.read()), (None, Some(at(999))));
        assert_eq!(seen.write(&at(999), second * 2, None), None, "there is nothing to write");
        assert_eq!(seen.write(&at(1000), second * 2, None), None);
        assert_eq!((seen.write(&at(1001), second * 2, None), seen.read()), (Some(second * 3), Some(at(1000))));
        assert_eq!(seen.write(&at(1001), second * 3, Some(second * 4)), Some(second * 4));
        drop(seen);
        assert_eq!(Seen::in_file(StateFile::at(path)).read(), Some(at(1001)));
    }
}
