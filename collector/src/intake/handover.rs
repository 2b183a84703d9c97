//! How lines get from the readers to the loop: one buffer that readers fill and the loop takes whole.
//!
//! A channel of batches would hold a fixed *number* of them, large or small; this holds a fixed number of
//! bytes. One lock a batch, none a line. When it is full the readers wait, and the kernel counts what
//! they miss.

use firebell_engine::tick::Tick;
use serde::{Deserialize, Serialize};
use std::{
    mem,
    sync::{Condvar, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// What may wait for the loop, in bytes. A kernel ring of 128 KiB holds some 550 records; this holds a
/// burst of thirty such rings.
pub const MAX_WAITING: usize = 4 << 20;
/// A buffer that grew larger than this in a burst is given back when it is empty. A reader hands over when its batch takes 64 KiB
/// and a bit, so less than that would be given back, and grown anew, for every batch.
const KEEP: usize = 256 << 10;

/// When a line happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Then.
    At(Tick),
    /// When its own stamp says: a log that was written earlier.
    Stamped,
}

/// Who a line is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The number of the intake.
    pub intake: u8,
    /// The number of the log: that of the intake, or of one of the files that its pattern finds (see [`super::slots`]).
    pub log: u16,
}

impl From<u8> for Slot {
    fn from(intake: u8) -> Self {
        Self { intake, log: intake.into() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Line {
    end: usize,
    /// Where its position ends, which lies behind its bytes.
    position_end: usize,
    slot: Slot,
    time: Time,
}

/// A line in a batch: whose it is, time, bytes.
pub type Numbered<'a> = (Slot, Time, &'a [u8]);

/// Whole lines from one or more intakes.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// How many lines come before it, the log, and its position.
    places: Vec<(usize, u16, Vec<u8>)>,
    /// Every reader had read what was there before it began.
    is_current: bool,
}

impl Batch {
    /// Adds a line without its newline of a log which stands at `position` behind it; empty where there is no position to keep.
    pub fn push(&mut self, slot: impl Into<Slot>, time: Time, line: &[u8], position: &[u8]) {
        self.bytes.extend_from_slice(line);
        let end = self.bytes.len();
        self.bytes.extend_from_slice(position);
        self.lines.push(Line { end, position_end: self.bytes.len(), slot: slot.into(), time });
    }

    /// Says that the log of this number begins at `position` from here on, or with an empty one that there is none of this number any more.
    pub fn begin(&mut self, log: u16, position: Vec<u8>) {
        self.places.push((self.lines.len(), log, position));
    }

    /// What [`Batch::begin`] was told, in order: how many lines come before it, the log, and its position.
    pub fn places(&self) -> impl Iterator<Item = (usize, u16, &[u8])> {
        self.places.iter().map(|(before, log, position)| (*before, *log, position.as_slice()))
    }

    /// The lines, in the order in which they came.
    pub fn lines(&self) -> impl Iterator<Item = Numbered<'_>> + Clone {
        let mut start = 0;
        self.lines.iter().filter_map(move |line| {
            let bytes = self.bytes.get(start..line.end);
            start = line.position_end;
            bytes.map(|bytes| (line.slot, line.time, bytes))
        })
    }

    /// Where its log stands behind line number `line`.
    #[must_use]
    pub fn position(&self, line: usize) -> &[u8] {
        self.lines.get(line).and_then(|line| self.bytes.get(line.end..line.position_end)).unwrap_or_default()
    }

    /// Are these, and those that come later, lines that were written while we read?
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    /// Has it no line and no place?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.places.is_empty()
    }

    /// How much memory its content takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() + self.lines.len() * size_of::<Line>()
    }

    /// Forgets the lines, and the memory of a burst.
    pub fn clear(&mut self) {
        if self.bytes.capacity() + self.lines.capacity() * size_of::<Line>() > KEEP {
            *self = Self::default();
        }
        self.bytes.clear();
        self.lines.clear();
        self.places.clear();
    }

    fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            mem::swap(self, other);
        } else {
            let shift = self.bytes.len();
            self.bytes.append(&mut other.bytes);
            let moved = |line: Line| Line { end: line.end + shift, position_end: line.position_end + shift, ..line };
            let before = self.lines.len();
            self.lines.extend(other.lines.drain(..).map(moved));
            self.places.extend(other.places.drain(..).map(|(at, log, position)| (before + at, log, position)));
        }
        other.clear();
    }
}

/// The buffer between readers and loop.
#[derive(Debug, Default)]
pub struct Handover {
    waiting: Mutex<Waiting>,
    has_room: Condvar,
    has_some: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    readers: usize,
    /// Those that still read what was there before they began.
    behind: usize,
    is_stopped: bool,
}

impl Handover {
    /// Hands `batch` over and leaves it empty. Waits while the buffer is full. False: nobody takes any more.
    pub fn put(&self, batch: &mut Batch) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A batch larger than the whole buffer still passes, alone.
        while !waiting.is_stopped && !waiting.batch.is_empty() && waiting.batch.size() + batch.size() > MAX_WAITING {
            waiting = self.has_room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_stopped {
            return false;
        }
        waiting.batch.append(batch);
        self.has_some.notify_one();
        true
    }

    /// Takes all that waits into `batch`, whose content is forgotten. An empty one says that a reader
    /// has news in its counters. False: every reader has ended and everything was taken.
    ///
    /// Cancel safe.
    pub async fn take(&self, batch: &mut Batch) -> bool {
        self.has_some.notified().await;
        batch.clear();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut waiting.batch, batch);
        batch.is_current = waiting.behind == 0;
        self.has_room.notify_all();
        if waiting.readers == 0 {
            // Nobody else will say that this was the end.
            self.has_some.notify_one();
        }
        !(batch.is_empty() && waiting.readers == 0)
    }

    /// Lets the loop look at the counters.
    pub fn wake(&self) {
        self.has_some.notify_one();
    }

    /// Counts one reader more, which has to catch up.
    pub fn begin(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.readers += 1;
        waiting.behind += 1;
    }

    /// A reader has handed over what was there before it began. Once for each.
    pub fn catch_up(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.behind = waiting.behind.saturating_sub(1);
        self.has_some.notify_one();
    }

    /// Counts one reader less.
    pub fn end(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.readers = waiting.readers.saturating_sub(1);
        self.has_some.notify_one();
    }

    /// Turns the readers away from now on.
    pub fn stop(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_stopped = true;
        self.has_room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn batch(lines: &[&[u8]]) -> Batch {
        let mut batch = Batch::default();
        for (number, line) in (0..).zip(lines) {
            batch.push(number, Time::Stamped, line, &[number; 3]);
        }
        batch
    }

    #[test]
    fn lines_keep_their_order_and_their_intake() {
        let mut first = batch(&[b"one", b"", b"three"]);
        first.append(&mut batch(&[b"four"]));
        first.begin(7, vec![1]);
        let mut last = Batch::default();
        last.push(0, Time::Stamped, b"five", b"");
        last.begin(7, vec![]);
        first.append(&mut last);
        assert_eq!(first.places().collect::<Vec<_>>(), [(4, 7, &[1][..]), (5, 7, &[])]);
        let lines: Vec<_> = first.lines().take(4).map(|(slot, _, line)| (slot.intake, line.to_vec())).collect();
        assert_eq!(lines, [(0, b"one".to_vec()), (1, b"".to_vec()), (2, b"three".to_vec()), (0, b"four".to_vec())]);
        assert_eq!((0..5).map(|line| first.position(line)).collect::<Vec<_>>(), [&[0; 3][..], &[1; 3], &[2; 3], &[0; 3], &[]]);
    }

    #[tokio::test]
    async fn lines_are_current_once_every_reader_has_caught_up() {
        let (handover, mut taken) = (Handover::default(), Batch::default());
        handover.begin();
        handover.begin();
        for expected in [false, true] {
            handover.catch_up();
            assert!(handover.take(&mut taken).await);
            assert_eq!(taken.is_current(), expected);
        }
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back() {
        let mut batch = batch(&[&[0; KEEP + 1]]);
        batch.clear();
        assert!(batch.bytes.capacity() == 0 && batch.lines.capacity() == 0);
    }

    #[tokio::test]
    async fn a_full_buffer_holds_the_reader_and_loses_nothing() {
        let handover = Arc::new(Handover::default());
        handover.begin();
        let reader = std::thread::spawn({
            let handover = Arc::clone(&handover);
            move || {
                for _ in 0..100 {
                    assert!(handover.put(&mut batch(&[&[7; 100_000]])));
                }
                handover.end();
            }
        });
        let (mut lines, mut taken) = (0, Batch::default());
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            let more = handover.take(&mut taken).await;
            assert!(taken.size() <= MAX_WAITING);
            lines += taken.lines().count();
            if !more {
                break;
            }
        }
        reader.join().unwrap();
        assert_eq!(lines, 100);
    }

    #[test]
    fn a_reader_that_waits_is_let_go_when_reading_stops() {
        let handover = Arc::new(Handover::default());
        assert!(handover.put(&mut batch(&[&[7; MAX_WAITING]])));
        let reader = std::thread::spawn({
            let handover = Arc::clone(&handover);
            move || handover.put(&mut batch(&[b"late"]))
        });
        handover.stop();
        assert!(!reader.join().unwrap());
    }
}
