//! Sweeps over our addresses: port sweep (D8) and ping sweep (D9).
//!
//! The same few services on seven of our addresses. Severity 2 from the Internet, where every host is swept all day, 3
//! from a private or on-link source: a worm inside. What a guest of this host asks on the Internet as every client does (a
//! container that may not go out) is 2 as well.
//!
//! It misses sweeps of networks of which fewer than seven addresses are logged here. On its own link nmap asks by ARP,
//! which no firewall logs.

use super::{Detector, Evidence, Limits, Reading, Sweep, Verdict};
use crate::{contacts::ONE, table::Kept};

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let limits = &limits.sweep;
    let is_sweep = limits.is_enabled && evidence.kept.is_some_and(|kept| is_sweep(kept, limits));
    is_sweep.then_some(Verdict { severity: limits.severity.of(evidence.is_worm_like), detector: Detector::Sweep })
}

/// Did it ask few services of many destinations?
pub(crate) const fn is_sweep(kept: &Kept, limits: &Sweep) -> bool {
    kept.targets >= limits.targets && (kept.services <= limits.max_services || kept.targets >= kept.services.saturating_mul(2))
}

/// Destinations, beside how many are a sweep; of many services they are none.
pub(crate) fn reading(kept: &Kept, limits: &Limits) -> Option<Reading> {
    let limits = &limits.sweep;
    let [targets, least] = [kept.targets, limits.targets].map(|number| f64::from(number / ONE));
    let reading = Reading::new("D8", "sweep", "destinations of few services", targets, least, "targets");
    limits.is_enabled.then(|| Reading { spoke: is_sweep(kept, limits), ..reading })
}
