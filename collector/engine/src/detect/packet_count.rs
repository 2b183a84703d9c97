//! Severity by the number of packets, as psad's danger levels: off unless asked for (preset `psad`).
//!
//! 5, 15, 150, 1500 and 10000 packets of one source, of any kind that is a probe, are severity 1 to 5. What psad 2.4.6 does about
//! ports, by its levels on recorded scans: a source that asks for one port stays at 1, on a single host it has none; packets
//! without ports count as they are; ACK packets do not count, and what looks like a UDP reply does.
//!
//! It calls two refused ports that are asked again and again an attack, and misses scans of few packets: that is why it is off.

use super::{Detector, Evidence, Limits, Reading, Verdict};
use crate::{
    class::{Class, Probe},
    contacts::ONE,
};

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let limits = limits.count?;
    let asks_by_udp = evidence.kept.is_some_and(|kept| kept.probes.get(Probe::Udp as usize).is_some_and(|count| *count > 0));
    if evidence.class == Class::AckFamily || (evidence.class == Class::LateReply && !asks_by_udp) {
        return None;
    }
    let has_ports = !matches!(evidence.class, Class::IcmpRequest | Class::OtherProtocol | Class::Other);
    let level = (1..).zip(limits.levels).take_while(|(_, packets)| evidence.packets >= *packets).last()?.0;
    let severity = match evidence.kept {
        None if has_ports => return None,
        Some(kept) if has_ports && kept.services / ONE < limits.ports => 1,
        _ => level,
    };
    Some(Verdict { severity, detector: Detector::PacketCount })
}

/// Packets, beside how many are the first level.
pub(crate) fn reading(packets: u32, limits: &Limits) -> Option<Reading> {
    let [first, ..] = limits.count?.levels;
    Some(Reading::new("as psad", "packet-count", "packets", f64::from(packets), f64::from(first), "levels"))
}
