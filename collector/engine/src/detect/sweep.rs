//! Sweeps over our addresses: port sweep (D8) and ping sweep (D9).
//!
//! The same few services on seven of our addresses. Severity 2 from the Internet, where every host is swept all day, 3
//! from a private or on-link source: a worm inside. What a guest of this host asks on the Internet as every client does (a
//! container that may not go out) is 2 as well.
//!
//! While the contacts are few enough to be known one by one, the few services may be among others: seven contacts of the four
//! services that were asked most are a sweep whatever else was asked. So what is a sweep stays one, and the order of packets
//! with the same stamp decides nothing.
//!
//! It misses sweeps of networks of which fewer than seven addresses are logged here. On its own link nmap asks by ARP,
//! which no firewall logs.

use super::{Detector, Evidence, Limits, Reading, Sweep, Verdict};
use crate::{
    contacts::{Contact, ONE, Recent},
    table::Kept,
};
use std::cmp::Reverse;

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let limits = &limits.sweep;
    let is_sweep = limits.is_enabled && evidence.kept.is_some_and(|kept| is_sweep(kept, limits) || holds_a_sweep(kept, limits));
    is_sweep.then_some(Verdict { severity: limits.severity.of(evidence.is_worm_like), detector: Detector::Sweep })
}

/// Did it ask few services of many destinations?
pub(crate) const fn is_sweep(kept: &Kept, limits: &Sweep) -> bool {
    kept.targets >= limits.targets && (kept.services <= limits.max_services || kept.targets >= kept.services.saturating_mul(2))
}

/// The same of the services that it asked most, as long as every contact is known.
#[inline(never)]
fn holds_a_sweep(kept: &Kept, limits: &Sweep) -> bool {
    let contacts = kept.contact_count() as usize;
    if kept.targets < limits.targets || contacts > Recent::EXACT {
        return false;
    }
    // Older ones are of another day.
    let known = || kept.recent.iter().skip(kept.recent.len().saturating_sub(contacts));
    let mut asked = [0_u32; Recent::EXACT];
    for (count, contact) in asked.iter_mut().zip(known()) {
        // Each service is counted where it stands first.
        let of_it = |other: &Contact| other.service_word() == contact.service_word();
        let is_first = known().find(of_it).is_some_and(|first| first.is_same(contact));
        *count = if is_first { u32::try_from(known().filter(of_it).count()).unwrap_or(0) } else { 0 };
    }
    asked.sort_unstable_by_key(|count| Reverse(*count));
    asked.iter().take((limits.max_services / ONE) as usize).sum::<u32>() * ONE >= limits.targets
}

/// Destinations, beside how many are a sweep; of many services they are none.
pub(crate) fn reading(kept: &Kept, limits: &Limits) -> Option<Reading> {
    let limits = &limits.sweep;
    let [targets, least] = [kept.targets, limits.targets].map(|number| f64::from(number / ONE));
    let reading = Reading::new("D8", "sweep", "destinations of few services", targets, least, "targets");
    limits.is_enabled.then(|| Reading { spoke: is_sweep(kept, limits) || holds_a_sweep(kept, limits), ..reading })
}
