//! The kernel log, `/dev/kmsg`.
//!
//! Source of its form: Linux Documentation/ABI/testing/dev-kmsg. Each read gives one record,
//! `level,sequence,microseconds,flags;text`, then lines ` KEY=value`. The sequence number counts
//! records, so a gap is a record that the ring overwrote before it was read.

use super::{Counters, Time, handover::Batch};
use crate::clock::{Clock, uptime_micros};
use firebell_engine::tick::Tick;
use rustix::{
    fs::{Mode, OFlags, SeekFrom},
    io::Errno,
};
use std::{fs::File, io, os::fd::OwnedFd};

/// The device.
pub const PATH: &str = "/dev/kmsg";
/// Room for one record. Linux kernel/printk/internal.h: `PRINTK_MESSAGE_MAX` is 2,048, and was 8,192 before 6.4.
const MAX_RECORD: usize = 8192;
/// So many errors in a row without one record are no passing trouble.
const MAX_ERRORS: u32 = 1000;
/// Records are handed over at the latest when they take so many bytes.
const BATCH: usize = 64 << 10;

/// Opens the kernel log for reading, not blocking, at its beginning or its end.
///
/// # Errors
/// What the system says: without CAP_SYSLOG it is `EPERM` where `kernel.dmesg_restrict` is 1.
pub fn open(from_start: bool) -> io::Result<File> {
    let fd: OwnedFd = rustix::fs::open(PATH, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::seek(&fd, if from_start { SeekFrom::Start(0) } else { SeekFrom::End(0) })?;
    Ok(fd.into())
}

/// Reads the kernel log.
#[derive(Debug)]
pub struct Kmsg {
    file: File,
    place: Place,
    buffer: Vec<u8>,
}

/// What the records say about themselves.
#[derive(Debug)]
struct Place {
    /// Sequence number of the next record.
    next: Option<u64>,
    /// The moment that the kernel's stamps count from, microseconds since the Unix epoch.
    boot: u64,
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// There are no more records now.
    Empty,
    /// The batch is large enough to be handed over.
    Full,
}

impl Kmsg {
    /// A reader of the opened kernel log.
    #[must_use]
    pub fn new(file: File, clock: &Clock) -> Self {
        let boot = clock.now().as_micros().saturating_sub(uptime_micros());
        Self { file, place: Place { next: None, boot }, buffer: vec![0; MAX_RECORD] }
    }

    /// The file, to wait for.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads records into `batch` until there are no more or the batch is full. With `is_fresh` the first
    /// one was written just now: it says what the kernel's clock shows at this moment.
    ///
    /// # Errors
    /// Those that do not pass: the kernel log is gone.
    pub fn drain(&mut self, intake: u8, batch: &mut Batch, counters: &Counters, clock: &Clock, is_fresh: bool) -> io::Result<Drained> {
        let (mut is_fresh, mut errors) = (is_fresh, 0);
        let mut now = clock.now();
        while batch.size() < BATCH {
            match rustix::io::read(&self.file, &mut self.buffer[..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    errors = 0;
                    let Some(record) = self.buffer.get(..len) else { continue };
                    let line = record.split(|byte| *byte == b'\n').next().unwrap_or_default();
                    if is_fresh {
                        now = clock.now();
                    }
                    let (tick, lost) = self.place.read(line, now, is_fresh);
                    is_fresh = false;
                    counters.add_lost(lost, now);
                    counters.add_record();
                    batch.push(intake, Time::At(tick), line);
                    continue;
                }
                Err(Errno::AGAIN) => return Ok(Drained::Empty),
                // Records were overwritten; the next one's number says how many. Before the first record nobody knows
                // where we were, so it is at least one.
                Err(Errno::PIPE) => {
                    counters.add_overrun();
                    counters.add_lost(u64::from(self.place.next.is_none()), now);
                }
                // A record that does not fit. The kernel has moved on (devkmsg_read() in kernel/printk/printk.c).
                Err(Errno::INVAL) => counters.add_too_long(1),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            errors += 1;
            if errors > MAX_ERRORS {
                return Err(io::Error::other("it gives errors only"));
            }
        }
        Ok(Drained::Full)
    }
}

impl Place {
    /// The time of a record, and how many were lost before it.
    fn read(&mut self, line: &[u8], now: Tick, is_fresh: bool) -> (Tick, u64) {
        let mut fields = line.split(|byte| *byte == b',');
        let (seq, stamp) = (fields.nth(1).and_then(number), fields.next().and_then(number));
        let mut lost = 0;
        if let Some(seq) = seq {
            lost = self.next.map_or(0, |next| seq.saturating_sub(next));
            self.next = Some(seq.saturating_add(1));
        }
        let Some(stamp) = stamp else { return (now, lost) };
        if is_fresh {
            self.boot = now.as_micros().saturating_sub(stamp);
        }
        (Tick::from_micros(self.boot.saturating_add(stamp)).min(now), lost)
    }
}

/// A decimal number and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_numbers_is_loss_and_the_first_record_is_not() {
        let mut place = Place { next: None, boot: 0 };
        let now = Tick::from_secs(100);
        assert_eq!(place.read(b"4,700,5000000,-;x", now, false), (Tick::from_secs(5), 0));
        assert_eq!(place.read(b"4,701,6000000,-;x", now, false).1, 0);
        assert_eq!(place.read(b"4,705,6000000,-;x", now, false).1, 3);
        assert_eq!(place.read(b"nonsense", now, false), (now, 0));
        assert_eq!(place.read(b"4,706,6000000,-;x", now, false).1, 0);
    }

    #[test]
    fn a_backlog_keeps_its_spacing_and_no_record_is_from_the_future() {
        let mut place = Place { next: None, boot: 1_000_000_000 };
        let now = Tick::from_secs(1100);
        let times: Vec<_> = [&b"6,1,10000000,-;a"[..], b"6,2,10500000,-;b", b"6,3,99000000000,-;c"]
            .iter()
            .map(|line| place.read(line, now, false).0.as_micros())
            .collect();
        assert_eq!(times, [1_010_000_000, 1_010_500_000, 1_100_000_000]);
    }

    #[test]
    fn a_fresh_record_corrects_the_drift_between_the_clocks() {
        let mut place = Place { next: None, boot: 1_000_000_000 };
        let now = Tick::from_secs(1100);
        // The kernel's clock shows 90 s, ours 100 s since boot: its clock is behind.
        assert_eq!(place.read(b"6,1,90000000,-;a", now, true).0, now);
        assert_eq!(place.read(b"6,2,89000000,-;b", now, false).0, Tick::from_secs(1099));
    }
}
