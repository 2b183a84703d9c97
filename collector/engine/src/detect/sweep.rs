//! Sweeps over our addresses: port sweep (D8) and ping sweep (D9).
//!
//! The same few services on seven of our addresses. Severity 2 from the Internet, where every host is swept all day, 3
//! from a private or on-link source: a worm inside.
//!
//! It misses sweeps of networks of which fewer than seven addresses are logged here. On its own link nmap asks by ARP,
//! which no firewall logs.

use super::{Detector, Evidence, Verdict};
use crate::{contacts::ONE, table::Kept};

/// Destinations of a sweep.
pub(crate) const TARGETS: u32 = 7;
/// nmap's host discovery asks four services of each destination; more than that is a scan of several hosts.
const MAX_SERVICES: u32 = 4;

pub(crate) fn judge(evidence: &Evidence<'_>) -> Option<Verdict> {
    let is_sweep = evidence.kept.is_some_and(is_sweep);
    is_sweep.then_some(Verdict { severity: if evidence.is_near { 3 } else { 2 }, detector: Detector::Sweep })
}

/// Did it ask few services of many destinations?
pub(crate) fn is_sweep(kept: &Kept) -> bool {
    kept.targets >= TARGETS * ONE && (kept.services <= MAX_SERVICES * ONE || kept.targets >= kept.services.saturating_mul(2))
}
