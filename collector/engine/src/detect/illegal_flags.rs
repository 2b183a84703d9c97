//! Illegal flags (D4).
//!
//! No TCP stack sends a segment without flags, FIN without ACK, or SYN with FIN. One such packet is worth a note
//! (severity 2); `illegal_packets` of them on as many contacts are a scan at once (severity 3).
//!
//! It misses nothing that is logged, but a single packet may be a broken middlebox.

use super::{Detector, Evidence, Limits, Verdict};

pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let severity = match evidence.illegal {
        0 => return None,
        n if n >= limits.illegal_packets => 3,
        _ => 2,
    };
    Some(Verdict { severity, detector: Detector::IllegalFlags })
}
