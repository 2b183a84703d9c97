//! Illegal flags (D4).
//!
//! No TCP stack sends a segment without flags, FIN without ACK, or SYN with FIN. One such packet is worth a note
//! (severity 2); `packets` of them on as many contacts are a scan at once (severity 3).
//!
//! It misses nothing that is logged, but a single packet may be a broken middlebox.

use super::{Detector, Evidence, Limits, Reading, Verdict};

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let limits = limits.illegal?;
    let severity = match evidence.illegal {
        0 => return None,
        n if n >= limits.packets => limits.severity,
        _ => limits.single_severity,
    };
    Some(Verdict { severity, detector: Detector::IllegalFlags })
}

/// Contacts with such flags, beside how many are a scan; a single one is told too.
pub(crate) fn reading(illegal: u32, limits: &Limits) -> Option<Reading> {
    let packets = limits.illegal?.packets;
    let reading = Reading::new("D4", "illegal-flags", "contacts with illegal flags", f64::from(illegal), f64::from(packets), "packets");
    Some(Reading { spoke: illegal > 0, ..reading })
}
