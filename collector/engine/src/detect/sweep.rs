//! Sweeps over our addresses: port sweep (D8) and ping sweep (D9).
//!
//! The same few services on seven of our addresses. Severity 2 from the Internet, where every host is swept all day, 3
//! from a private or on-link source: a worm inside. What a guest of this host asks on the Internet as every client does (a
//! container that may not go out) is 2 as well.
//!
//! It misses sweeps of networks of which fewer than seven addresses are logged here. On its own link nmap asks by ARP,
//! which no firewall logs.

use super::{Detector, Evidence, Verdict};
use crate::{
    class::{Layer, Service},
    contacts::ONE,
    table::Kept,
};

/// Destinations of a sweep.
pub(crate) const TARGETS: u32 = 7;
/// nmap's host discovery asks four services of each destination; more than that is a scan of several hosts.
const MAX_SERVICES: u32 = 4;

pub(crate) fn judge(evidence: &Evidence<'_>) -> Option<Verdict> {
    let is_sweep = evidence.kept.is_some_and(is_sweep);
    is_sweep.then_some(Verdict { severity: if evidence.is_worm_like { 3 } else { 2 }, detector: Detector::Sweep })
}

/// What every client does on the Internet: names, time, web, mail, calls, chat and push messages.
pub(crate) const fn is_errand(service: Service) -> bool {
    match service.layer {
        Layer::Tcp | Layer::Udp => {
            matches!(service.number, 53 | 80 | 123 | 443 | 465 | 587 | 853 | 993 | 3478 | 5222 | 5223 | 5228 | 8080 | 8443)
        }
        Layer::Icmp | Layer::Other => false,
    }
}

/// Did it ask few services of many destinations?
pub(crate) fn is_sweep(kept: &Kept) -> bool {
    kept.targets >= TARGETS * ONE && (kept.services <= MAX_SERVICES * ONE || kept.targets >= kept.services.saturating_mul(2))
}
