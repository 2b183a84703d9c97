//! Slow scan (D3).
//!
//! Twelve distinct services on one of our addresses within a rolling day, however far apart. Severity 2 from the
//! Internet, where such things are background, 3 from a private or on-link source.
//!
//! Twelve is what [`Recent`](crate::contacts::Recent) keeps exactly, and far beyond what a neighbour or a forgotten
//! connection asks for in a day.
//!
//! It misses scans slower than one port in two hours, and the first eleven ports of all others.

use super::{Detector, Evidence, Limits, Verdict};
use crate::contacts::Contact;

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let (limits, kept) = (limits.slow?, evidence.kept?);
    let mut contacts = kept.recent.iter().skip(kept.recent.len().checked_sub(limits.ports)?);
    let first = contacts.next()?;
    let is_old = |contact: Contact| contact.minutes_until(evidence.minute) > limits.minutes;
    if is_old(first) || contacts.any(|contact| contact.target() != first.target()) {
        return None;
    }
    // The contacts are distinct and have one destination, so their services are distinct.
    Some(Verdict { severity: limits.severity.of(evidence.is_near), detector: Detector::SlowScan })
}
