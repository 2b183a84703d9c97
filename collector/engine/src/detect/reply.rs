//! What looks like replies (D5), and answers to packets that somebody forged (D12).
//!
//! Late replies score nothing: every closed connection leaves some. But a scanner may send its probes from port 443 or 53
//! to look like one. From one (source, source port): fifteen distinct destination ports in ten seconds, three quarters of
//! which bear no mark of a real server, or forty in sixty seconds, are no replies. Then all of them count. The mark is PSH or DF, and over UDP a
//! payload that can be an answer: when a resolver has been away, its late answers come in a burst, one for each of our ports.
//!
//! SYN-ACK and RST that we did not ask for are answers to somebody who sends in our name: twenty of them from one
//! (source, source port) in ten minutes are told at severity 1, and the source is named as the victim it is.
//!
//! It misses reply-looking scans slower than 40 ports a minute that set DF.

use super::Reading;
use crate::{
    cache::Cache,
    contacts::Contact,
    packet::{Header, TcpFlags},
    parameters::{Backscatter, ReplyScan},
    tick::Tick,
};
use serde::{Deserialize, Serialize};

/// Contacts that are remembered of one (source, source port).
const MANY: usize = 40;

/// A UDP header of 8 bytes, and the 12 of a DNS header. NTP (48), STUN (20), QUIC (21) and IKE (28) need more.
/// Source: RFC 1035, RFC 5905, RFC 8489, RFC 9000, RFC 7296.
const SHORTEST_ANSWER: u32 = 8 + 12;

/// Pairs of source and source port that are watched.
const ENTRIES: usize = 1024;

/// Watches what looks like replies.
#[derive(Debug)]
pub(crate) struct Replies {
    scan: ReplyScan,
    pub(crate) backscatter: Backscatter,
    pub(crate) late: Cache<Late>,
    pub(crate) answers: Cache<Answers>,
}

/// The contacts of one (source, source port) in the last minute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Late {
    #[serde(with = "crate::snapshot::many")]
    seen: [(Contact, Tick, bool); MANY],
    len: usize,
    /// It was found out; what it sends counts until then.
    until: Tick,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Answers {
    since: Tick,
    count: u32,
}

impl Late {
    /// Is it one that noting makes?
    pub(crate) const fn is_sound(&self) -> bool {
        self.len <= MANY
    }
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

    /// Goes by other parameters; what was counted stays.
    pub(crate) fn adopt(&mut self, scan: ReplyScan, backscatter: Backscatter) {
        (self.scan, self.backscatter) = (scan, backscatter);
    }

    /// A late reply. `is_plain`: see [`is_plain`]. `hash` is of source and source port.
    pub(crate) fn late_reply(&mut self, hash: u64, contact: Contact, is_plain: bool, tick: Tick) -> Reply {
        if !self.scan.enabled {
            return Reply::Real;
        }
        let (short, long) = (self.scan.within, self.scan.any_within);
        let new = || Late { seen: [(Contact::default(), Tick::ZERO, false); MANY], len: 0, until: Tick::ZERO };
        // What lies beyond the length is never looked at, so it may stay.
        let late = self.late.get_or_reuse(hash, tick, new, |late| (late.len, late.until) = (0, Tick::ZERO));
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
        let recent = seen.iter().filter(|(_, at, _)| tick.since(*at) <= short);
        let (count, plain) = recent.fold((0, 0), |(count, plain), (_, _, is_plain)| (count + 1, plain + usize::from(*is_plain)));
        // A scanner has a payload of its own for a few ports, which does not make it a server.
        let is_plainly_a_scan = count >= self.scan.ports as usize && plain * 4 >= count * 3;
        if !is_plainly_a_scan && kept < (self.scan.any_ports as usize).min(MANY) {
            return Reply::Real;
        }
        let contacts = seen.iter().map(|(contact, _, _)| *contact).collect();
        late.len = 0;
        late.until = tick.after(long);
        Reply::Scan(contacts)
    }

    /// Ports that were answered from one (source, source port), beside how many are a scan: within a minute, and in a burst that
    /// bears no mark of a server. `hash` as in [`Self::late_reply`].
    pub(crate) fn late_readings(&self, hash: u64, tick: Tick) -> Vec<Reading> {
        let Some(late) = self.late.peek(hash).filter(|_| self.scan.enabled) else { return Vec::new() };
        let seen = late.seen.get(..late.len).unwrap_or_default();
        let count = |within, is_counted: fn(bool) -> bool| {
            let count = seen.iter().filter(|(_, at, is_plain)| tick.since(*at) <= within && is_counted(*is_plain)).count();
            u32::try_from(count).map_or(f64::MAX, f64::from)
        };
        let (plain, any) = (count(self.scan.within, |is_plain| is_plain), count(self.scan.any_within, |_| true));
        // Once it is found out, its ports are forgotten.
        let spoke = tick < late.until;
        [
            Reading::new("D5", "reply-scan", "ports that look like no server's replies", plain, f64::from(self.scan.ports), "ports"),
            Reading::new("D5", "reply-scan", "ports that look like replies", any, f64::from(self.scan.any_ports), "any-ports"),
        ]
        .map(|reading| Reading { spoke: spoke || reading.spoke, ..reading })
        .to_vec()
    }

    /// Unasked answers from one (source, source port), beside how many are backscatter. `hash` as in [`Self::answer`].
    pub(crate) fn answer_reading(&self, hash: u64) -> Option<Reading> {
        let answers = self.answers.peek(hash).filter(|_| self.backscatter.enabled)?;
        Some(Reading::new(
            "D12",
            "backscatter",
            "unasked answers",
            f64::from(answers.count),
            f64::from(self.backscatter.answers),
            "answers",
        ))
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

/// Has it none of the marks that real replies bear?
pub(crate) fn is_plain(header: &Header<'_>) -> bool {
    let may_be_an_answer = match header.flags {
        Some(flags) => flags.bits() & TcpFlags::PSH != 0,
        None => header.l4_len.is_some_and(|length| length >= SHORTEST_ANSWER),
    };
    !header.ip_flags.df && !may_be_an_answer
}
