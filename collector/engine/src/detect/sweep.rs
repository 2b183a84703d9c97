//! Sweeps over our addresses: port sweep (D8) and ping sweep (D9).
//!
//! The same few services on seven of our addresses. Severity 2 from the Internet, where every host is swept all day, 3
//! from a private or on-link source: a worm inside. What a guest of this host asks on the Internet as every client does (a
//! container that may not go out) is 2 as well.
//!
//! It misses sweeps of networks of which fewer than seven addresses are logged here. On its own link nmap asks by ARP,
//! which no firewall logs.

use super::{Detector, Evidence, Limits, Sweep, Verdict};
use crate::table::Kept;

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let limits = &limits.sweep;
    let is_sweep = limits.is_enabled && evidence.kept.is_some_and(|kept| is_sweep(kept, limits));
    is_sweep.then_some(Verdict { severity: limits.severity.of(evidence.is_worm_like), detector: Detector::Sweep })
}

/// Did it ask few services of many destinations?
pub(crate) const fn is_sweep(kept: &Kept, limits: &Sweep) -> bool {
    kept.targets >= limits.targets && (kept.services <= limits.max_services || kept.targets >= kept.services.saturating_mul(2))
}
