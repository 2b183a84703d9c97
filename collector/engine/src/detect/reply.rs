//! What looks like replies (D5), and answers to packets that somebody forged (D12).
//!
//! Late replies score nothing: every closed connection leaves some. But a scanner may send its probes from port 443 or 53
//! to look like one. From one (source, source port): fifteen distinct destination ports in ten seconds without PSH
//! and DF, which real servers set, or forty in sixty seconds, are no replies. Then all of them count.
//!
//! SYN-ACK and RST that we did not ask for are answers to somebody who sends in our name: twenty of them from one
//! (source, source port) in ten minutes are told at severity 1, and the source is named as the victim it is.
//!
//! It misses reply-looking scans slower than 40 ports a minute that set DF.

use crate::{
    cache::Cache,
    contacts::Contact,
    parameters::{Backscatter, ReplyScan},
    tick::Tick,
};

/// Contacts that are remembered of one (source, source port).
const MANY: usize = 40;

/// Pairs of source and source port that are watched.
const ENTRIES: usize = 1024;

/// Watches what looks like replies.
#[derive(Debug)]
pub(crate) struct Replies {
    scan: ReplyScan,
    pub(crate) backscatter: Backscatter,
    late: Cache<Late>,
    answers: Cache<Answers>,
}

/// The contacts of one (source, source port) in the last minute.
#[derive(Clone, Debug)]
pub(crate) struct Late {
    seen: [(Contact, Tick, bool); MANY],
    len: usize,
    /// It was found out; what it sends counts until then.
    until: Tick,
}

#[derive(Clone, Copy, Debug)]
struct Answers {
    since: Tick,
    count: u32,
}

/// What a late reply turns out to be.
pub(crate) enum Reply {
    /// What it seems.
    Real,
    /// One more probe of a scan that was found out.
    Probe,
    /// Here it was found out: these contacts, the one at hand the last, are a scan.
    Scan(Vec<Contact>),
}

impl Replies {
    pub(crate) fn new(scan: ReplyScan, backscatter: Backscatter) -> Self {
        Self { scan, backscatter, late: Cache::new(ENTRIES), answers: Cache::new(ENTRIES) }
    }

    /// A late reply. `is_plain`: without PSH and DF. `hash` is of source and source port.
    pub(crate) fn late_reply(&mut self, hash: u64, contact: Contact, is_plain: bool, tick: Tick) -> Reply {
        if !self.scan.enabled {
            return Reply::Real;
        }
        let (short, long) = (self.scan.within, self.scan.any_within);
        let late = self.late.get_or_insert_with(hash, tick, || Late {
            seen: [(Contact::default(), Tick::ZERO, false); MANY],
            len: 0,
            until: Tick::ZERO,
        });
        if tick < late.until {
            late.until = tick.after(long);
            return Reply::Probe;
        }
        let mut kept = 0;
        for n in 0..late.len {
            if let Some(entry) = late.seen.get(n).copied()
                && tick.since(entry.1) <= long
                && !entry.0.is_same(contact)
                && let Some(slot) = late.seen.get_mut(kept)
            {
                *slot = entry;
                kept += 1;
            }
        }
        // The same port again moves to the end, so a full minute always has room for one more.
        if let Some(slot) = late.seen.get_mut(kept) {
            *slot = (contact, tick, is_plain);
            kept += 1;
        }
        late.len = kept;
        let seen = late.seen.get(..kept).unwrap_or_default();
        let plain = seen.iter().filter(|(_, at, is_plain)| *is_plain && tick.since(*at) <= short).count();
        if plain < self.scan.ports as usize && kept < (self.scan.any_ports as usize).min(MANY) {
            return Reply::Real;
        }
        let contacts = seen.iter().map(|(contact, _, _)| *contact).collect();
        late.len = 0;
        late.until = tick.after(long);
        Reply::Scan(contacts)
    }

    /// An unasked answer. True: it is the one that makes backscatter of it.
    pub(crate) fn answer(&mut self, hash: u64, tick: Tick) -> bool {
        let answers = self.answers.get_or_insert_with(hash, tick, || Answers { since: tick, count: 0 });
        if tick.since(answers.since) > self.backscatter.within {
            *answers = Answers { since: tick, count: 0 };
        }
        answers.count = answers.count.saturating_add(1);
        self.backscatter.enabled && answers.count >= self.backscatter.answers
    }
}
