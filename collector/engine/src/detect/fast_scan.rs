//! Fast scan (D2, and D6 through the weight of UDP).
//!
//! A source collects suspicion, `S = S * 2^(-dt / half-life) + weight * novel`, where a contact is novel that it did not
//! make in the last day. At `threshold` it is a scanner: severity 3, more with breadth.
//!
//! | class | weight |
//! |---|---|
//! | illegal flags | 2 w, the second w once for each service |
//! | SYN, other ACK family, other protocol | w |
//! | UDP | 0.75 w: one packet proves less, anybody can send it in another's name |
//! | ICMP request | 0.5 w |
//! | the same service on one more destination, from the Internet | 0.12 of that: background radiation hits whole networks |
//! | the same beyond 20 of them | 0: a sweep is for D8, however many addresses are logged here |
//!
//! Seven TCP ports or nine UDP ports in quick succession reach the threshold. It misses whoever takes more than a few
//! minutes a port: those are for D3.

use super::{Detector, Evidence, Limits, Reading, Verdict};
use crate::{
    class::{Class, Layer},
    parameters::FastScan,
    score::{HalfLife, Weight, thousandths},
};

/// What contacts weigh, and how much is a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights {
    pub(crate) half_life: HalfLife,
    contact: Weight,
    /// What a service weighs more once it is asked with illegal flags: in whichever order, it weighs the same.
    pub(crate) more_for_illegal_flags: Weight,
    udp: Weight,
    icmp: Weight,
    /// Thousandths.
    sweep: u32,
    pub(crate) sweep_destinations: u32,
    threshold: Weight,
    severity: u8,
}

impl Weights {
    pub(crate) fn new(parameters: &FastScan) -> Self {
        let contact = Weight::from_f64(parameters.contact_weight);
        let part = |of: f64| contact.scaled(thousandths(of), 1000);
        Self {
            half_life: HalfLife::new(parameters.half_life),
            contact,
            more_for_illegal_flags: part((parameters.illegal_weight - 1.0).max(0.0)),
            udp: part(parameters.udp_weight),
            icmp: part(parameters.icmp_weight),
            sweep: thousandths(parameters.sweep_weight),
            sweep_destinations: parameters.sweep_destinations,
            // No suspicion reaches this.
            threshold: if parameters.enabled { Weight::from_f64(parameters.threshold) } else { Weight(u32::MAX) },
            severity: parameters.severity,
        }
    }
}

/// What is new about a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novel {
    /// The service, or, of a neighbour, anything.
    Service,
    /// The destination.
    Destination,
    /// The destination, of very many.
    Nothing,
}

/// What a new contact weighs.
pub(crate) const fn weight(class: Class, layer: Layer, novel: Novel, limits: &Limits) -> Weight {
    let weights = &limits.fast;
    let full = match class {
        Class::IllegalFlags | Class::Syn | Class::AckFamily | Class::OtherProtocol => weights.contact,
        // A late reply counts only once it is known to be none, and then as what it is, whichever comes first.
        Class::LateReply if matches!(layer, Layer::Tcp) => weights.contact,
        // Housekeeping counts only where it asks from a foreign port.
        Class::Udp | Class::Housekeeping | Class::LateReply => weights.udp,
        Class::IcmpRequest => weights.icmp,
        Class::Accepted | Class::Outbound | Class::Backscatter | Class::Other => Weight(0),
    };
    match novel {
        Novel::Service => full,
        Novel::Destination => full.scaled(weights.sweep, 1000),
        Novel::Nothing => Weight(0),
    }
}

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let Weights { threshold, severity, .. } = limits.fast;
    (evidence.score >= threshold && threshold < Weight(u32::MAX)).then_some(Verdict { severity, detector: Detector::FastScan })
}

/// Suspicion beside its threshold.
pub(crate) fn reading(score: Weight, limits: &Limits) -> Option<Reading> {
    let threshold = limits.fast.threshold;
    (threshold < Weight(u32::MAX)).then(|| Reading::new("D2", "fast-scan", "suspicion", score.as_f64(), threshold.as_f64(), "threshold"))
}
