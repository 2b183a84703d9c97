//! Severity by the number of packets, as psad's danger levels: off unless asked for (preset `psad`).
//!
//! 5, 15, 150, 1500 and 10000 packets of one source, of any kind that is a probe, are severity 1 to 5, but for a source that asks
//! one service alone, which stays at 1. As in psad, ACK packets do not count.
//!
//! It calls two refused ports that are asked again and again an attack, and misses scans of few packets: that is why it is off.

use super::{Detector, Evidence, Limits, Verdict};
use crate::{class::Class, contacts::ONE};

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let limits = limits.count?;
    if evidence.class == Class::AckFamily {
        return None;
    }
    let level = (1..).zip(limits.levels).take_while(|(_, packets)| evidence.packets >= *packets).last()?.0;
    let services = evidence.kept.map_or(1, |kept| kept.services / ONE);
    Some(Verdict { severity: if services < limits.ports { 1 } else { level }, detector: Detector::PacketCount })
}
