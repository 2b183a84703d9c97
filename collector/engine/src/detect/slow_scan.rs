//! Slow scan (D3).
//!
//! Twelve distinct services on one of our addresses within a rolling day, however far apart; or, where several of our
//! addresses are asked in turn, twelve in the source's current day and at least three times as many services as addresses.
//! Severity 2 from the Internet, where such things are background, 3 from a private or on-link source.
//!
//! Twelve is what [`Recent`](crate::contacts::Recent) keeps exactly, and far beyond what a neighbour or a forgotten
//! connection asks for in a day.
//!
//! It misses scans slower than one port in two hours, and the first eleven ports of all others.

use super::{Detector, Evidence, Limits, Reading, Slow, Verdict};
use crate::{
    contacts::{Contact, ONE},
    table::Kept,
};

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let (limits, kept) = (limits.slow?, evidence.kept?);
    let is_slow = is_on_few_addresses(kept, evidence.minute, &limits) || is_on_one_address(kept, evidence.minute, &limits).unwrap_or(false);
    is_slow.then_some(Verdict { severity: limits.severity.of(evidence.is_near), detector: Detector::SlowScan })
}

/// The last contacts have one destination. They are distinct, so their services are.
#[inline(never)]
fn is_on_one_address(kept: &Kept, minute: u16, limits: &Slow) -> Option<bool> {
    let mut contacts = kept.recent.iter().skip(kept.recent.len().checked_sub(limits.ports)?);
    let first = contacts.next()?;
    Some(first.minutes_until(minute) <= limits.minutes && contacts.all(|contact| contact.target() == first.target()))
}

/// A client asks few services of many addresses, a scanner many services of few.
fn is_on_few_addresses(kept: &Kept, minute: u16, limits: &Slow) -> bool {
    let is_many = kept.services / ONE >= u32::try_from(limits.ports).unwrap_or(u32::MAX);
    is_many && kept.targets.saturating_mul(3) <= kept.services && minute.wrapping_sub(kept.since) <= limits.minutes
}

/// Services of one address within the time, beside how many are a scan.
pub(crate) fn reading(kept: &Kept, minute: u16, limits: &Limits) -> Option<Reading> {
    let limits = limits.slow?;
    let newest = kept.recent.iter().last();
    let is_close = |contact: &Contact| {
        contact.minutes_until(minute) <= limits.minutes && newest.is_some_and(|newest| newest.target() == contact.target())
    };
    let mut count = kept.recent.iter().filter(is_close).count();
    if is_on_few_addresses(kept, minute, &limits) {
        count = count.max(limits.ports);
    }
    let [count, ports] = [count, limits.ports].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    Some(Reading::new("D3", "slow-scan", "services of one address in the time", f64::from(count), f64::from(ports), "ports"))
}
