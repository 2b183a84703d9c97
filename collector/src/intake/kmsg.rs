//! The kernel log, `/dev/kmsg`.
//!
//! Source of its form: Linux Documentation/ABI/testing/dev-kmsg. Each read gives one record,
//! `level,sequence,microseconds,flags;text`, then lines ` KEY=value`. The sequence number counts
//! records, so a gap is a record that the ring overwrote before it was read.

use super::{
    Counters, Time,
    handover::Batch,
    position::{self, Position},
};
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
/// More records than any ring holds: 32 bytes each (`PRB_AVGBITS` in Linux kernel/printk/printk.c) of at most 128 MiB.
const MAX_RING: usize = 4 << 20;
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
    /// The boot that this is; without it no position is kept.
    boot_id: Option<u128>,
    position: Vec<u8>,
    buffer: Vec<u8>,
}

/// What the records say about themselves.
#[derive(Debug)]
struct Place {
    /// Sequence number of the next record.
    next: Option<u64>,
    /// Up to this one they were read by an earlier start.
    known: Option<u64>,
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
        let place = Place { next: None, known: None, boot };
        Self { file, place, boot_id: position::boot_id(), position: Vec::new(), buffer: vec![0; MAX_RECORD] }
    }

    /// Goes on where an earlier start has stopped: behind its last record, or, when the machine has booted since, with the
    /// oldest record there is. False: that is no place in the kernel log.
    ///
    /// # Errors
    /// What the system says.
    pub fn resume(&mut self, place: &position::Place<'_>) -> io::Result<bool> {
        let position::Place::Kmsg { boot, seq } = *place else { return Ok(false) };
        rustix::fs::seek(&self.file, SeekFrom::Start(0))?;
        self.place.go_on(self.boot_id == Some(boot), seq);
        Ok(true)
    }

    /// Finds out where the end is, for a file that was opened there: the numbers of records begin with it.
    ///
    /// # Errors
    /// What the system says.
    pub fn find_end(&mut self) -> io::Result<()> {
        rustix::fs::seek(&self.file, SeekFrom::Start(0))?;
        // More than any ring holds, so that this ends while somebody writes.
        for _ in 0..MAX_RING {
            match rustix::io::read(&self.file, &mut self.buffer[..]) {
                Ok(len) => drop(self.place.read(self.buffer.get(..len).unwrap_or_default(), Tick::ZERO, false)),
                Err(Errno::PIPE | Errno::INVAL | Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Where it stands before it has read anything, if that is known.
    #[must_use]
    pub fn place(&self) -> Option<position::Place<'static>> {
        let seq = self.place.next?.checked_sub(1)?;
        self.boot_id.map(|boot| position::Place::Kmsg { boot, seq })
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
                    let Some((tick, lost)) = self.place.read(line, now, is_fresh) else { continue };
                    is_fresh = false;
                    counters.add_lost(lost, now);
                    counters.add_record();
                    self.position.clear();
                    if let Some(place) = self.place() {
                        Position { lost: counters.lost(), place }.write(&mut self.position);
                    }
                    batch.push(intake, Time::At(tick), line, &self.position);
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
    /// Behind record number `seq` of this boot, or at the beginning of another one.
    fn go_on(&mut self, is_same_boot: bool, seq: u64) {
        self.known = is_same_boot.then_some(seq);
        self.next = is_same_boot.then(|| seq.saturating_add(1));
    }

    /// The time of a record, and how many were lost before it; nothing for one that is known.
    fn read(&mut self, line: &[u8], now: Tick, is_fresh: bool) -> Option<(Tick, u64)> {
        let mut fields = line.split(|byte| *byte == b',');
        let (seq, stamp) = (fields.nth(1).and_then(number), fields.next().and_then(number));
        let mut lost = 0;
        if let Some(seq) = seq {
            if self.known.is_some_and(|known| seq <= known) {
                return None;
            }
            self.known = None;
            lost = self.next.map_or(0, |next| seq.saturating_sub(next));
            self.next = Some(seq.saturating_add(1));
        }
        let Some(stamp) = stamp else { return Some((now, lost)) };
        if is_fresh {
            self.boot = now.as_micros().saturating_sub(stamp);
        }
        Some((Tick::from_micros(self.boot.saturating_add(stamp)).min(now), lost))
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
        let mut place = Place { next: None, known: None, boot: 0 };
        let now = Tick::from_secs(100);
        assert_eq!(place.read(b"4,700,5000000,-;x", now, false), Some((Tick::from_secs(5), 0)));
        assert_eq!(place.read(b"4,701,6000000,-;x", now, false).unwrap().1, 0);
        assert_eq!(place.read(b"4,705,6000000,-;x", now, false).unwrap().1, 3);
        assert_eq!(place.read(b"nonsense", now, false), Some((now, 0)));
        assert_eq!(place.read(b"4,706,6000000,-;x", now, false).unwrap().1, 0);
    }

    #[test]
    fn a_backlog_keeps_its_spacing_and_no_record_is_from_the_future() {
        let mut place = Place { next: None, known: None, boot: 1_000_000_000 };
        let now = Tick::from_secs(1100);
        let times: Vec<_> = [&b"6,1,10000000,-;a"[..], b"6,2,10500000,-;b", b"6,3,99000000000,-;c"]
            .iter()
            .map(|line| place.read(line, now, false).unwrap().0.as_micros())
            .collect();
        assert_eq!(times, [1_010_000_000, 1_010_500_000, 1_100_000_000]);
    }

    #[test]
    fn a_fresh_record_corrects_the_drift_between_the_clocks() {
        let mut place = Place { next: None, known: None, boot: 1_000_000_000 };
        let now = Tick::from_secs(1100);
        // The kernel's clock shows 90 s, ours 100 s since boot: its clock is behind.
        assert_eq!(place.read(b"6,1,90000000,-;a", now, true).unwrap().0, now);
        assert_eq!(place.read(b"6,2,89000000,-;b", now, false).unwrap().0, Tick::from_secs(1099));
    }

    #[test]
    fn after_a_start_in_the_same_boot_known_records_are_left_out_and_a_gap_is_loss() {
        let now = Tick::from_secs(100);
        let mut place = Place { next: None, known: None, boot: 0 };
        place.go_on(true, 701);
        assert_eq!(place.read(b"4,700,5000000,-;x", now, false), None);
        assert_eq!(place.read(b"4,701,5000000,-;x", now, false), None);
        assert_eq!(place.read(b"4,702,5000000,-;x", now, false), Some((Tick::from_secs(5), 0)));
        let mut place = Place { next: None, known: None, boot: 0 };
        place.go_on(true, 701);
        assert_eq!(place.read(b"4,710,5000000,-;x", now, false).unwrap().1, 8, "the ring has gone on");
    }

    #[test]
    fn after_another_boot_all_records_of_the_ring_are_new_and_none_is_loss() {
        let mut place = Place { next: None, known: None, boot: 0 };
        place.go_on(false, 701);
        assert_eq!(place.read(b"4,30,5000000,-;x", Tick::from_secs(100), false), Some((Tick::from_secs(5), 0)));
    }

    #[test]
    fn the_kernel_s_log_goes_on_behind_the_position_and_not_at_that_of_another_boot() {
        // Without the right to read it there is nothing to see.
        let Ok(file) = open(false) else { return };
        let clock = Clock::default();
        let mut kmsg = Kmsg::new(file, &clock);
        kmsg.find_end().unwrap();
        let Some(position::Place::Kmsg { boot, seq }) = kmsg.place() else { return };
        let count = |place: &position::Place<'_>| {
            let mut kmsg = Kmsg::new(open(false).unwrap(), &clock);
            assert!(kmsg.resume(place).unwrap());
            let (mut batch, mut count, counters) = (Batch::default(), 0, Counters::default());
            loop {
                let drained = kmsg.drain(0, &mut batch, &counters, &clock, false).unwrap();
                count += batch.lines().count() as u64 + counters.lost();
                batch.clear();
                if drained == Drained::Empty {
                    return count;
                }
            }
        };
        let back = seq.min(20);
        assert!(count(&position::Place::Kmsg { boot, seq: seq - back }) >= back);
        assert!(count(&position::Place::Kmsg { boot: !boot, seq }) > 0);
        let mut kmsg = Kmsg::new(open(false).unwrap(), &clock);
        assert!(!kmsg.resume(&position::Place::Since(1)).unwrap());
    }
}
