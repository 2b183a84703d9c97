//! Fast scan (D2, and D6 through the weight of UDP).
//!
//! A source collects suspicion, `S = S * 2^(-dt / half-life) + weight * novel`, where a contact is novel that it did not
//! make in the last day. At `scan_threshold` it is a scanner: severity 3, more with breadth.
//!
//! | class | weight |
//! |---|---|
//! | illegal flags | 2 w |
//! | SYN, other ACK family, other protocol | w |
//! | UDP | 0.75 w: one packet proves less, anybody can send it in another's name |
//! | ICMP request | 0.5 w |
//! | the same service on one more destination, from the Internet | 0.12 of that: background radiation hits whole networks |
//! | the same, once it is a sweep | 0: that is for D8, however many addresses are logged here |
//!
//! Seven TCP ports or nine UDP ports in quick succession reach the threshold. It misses whoever takes more than a few
//! minutes a port: those are for D3.

use super::{Detector, Evidence, Limits, Verdict};
use crate::{class::Class, score::Weight};

/// What is new about a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novel {
    /// The service, or, of a neighbour, anything.
    Service,
    /// The destination.
    Destination,
    /// The destination, of a sweep.
    Nothing,
}

/// What a new contact weighs.
pub(crate) fn weight(class: Class, novel: Novel, limits: &Limits) -> Weight {
    let w = limits.contact_weight;
    let full = match class {
        Class::IllegalFlags => w.scaled(2, 1),
        Class::Syn | Class::AckFamily | Class::OtherProtocol => w,
        // Housekeeping counts only where it asks from a foreign port, a late reply only once it is known to be none.
        Class::Udp | Class::Housekeeping | Class::LateReply => w.scaled(3, 4),
        Class::IcmpRequest => w.scaled(1, 2),
        Class::Accepted | Class::Outbound | Class::Backscatter | Class::Other => Weight(0),
    };
    match novel {
        Novel::Service => full,
        Novel::Destination => full.scaled(12, 100),
        Novel::Nothing => Weight(0),
    }
}

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    (evidence.score >= limits.scan_threshold).then_some(Verdict { severity: 3, detector: Detector::FastScan })
}
