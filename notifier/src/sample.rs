//! An incident of each kind, as it could be, so that somebody can see how its popup looks. Addresses are those that RFC 5737 and
//! RFC 3849 keep for examples.

use firebell_shared::{
    alert::{Action, Alert, Attribution, Delivery, Details, OriginWord},
    severity::Severity,
};

/// Invents one of `kind` that was seen last at `now`, in microseconds since 1970.
pub(crate) fn alert(kind: &str, now: u64) -> Alert {
    let severity = match kind {
        "egress-scan" | "flood" => Severity::CRITICAL,
        "syn-scan" | "signature" | "distributed-scan" => Severity::BROAD,
        "slow-scan" | "backscatter" | "visibility" | "ping-sweep" => Severity::NOTABLE,
        _ => Severity::AIMED,
    };
    let (ports, protocol, packets, contacts, targets) = match kind {
        "udp-scan" => ("53,123,161,1900", "udp", 480, 240, 1),
        "ping-sweep" => ("", "icmp", 62, 62, 16),
        "protocol-scan" => ("", "", 128, 128, 1),
        "port-sweep" => ("22", "tcp", 254, 254, 16),
        "insistent-tries" => ("22", "tcp", 310, 1, 1),
        "flood" => ("443", "tcp", 180_000, 1, 1),
        "backscatter" => ("", "tcp", 900, 700, 1),
        "egress-scan" => ("22,23,2323", "tcp", 640, 320, 16),
        "os-detection" => ("1,22,80", "tcp", 16, 6, 1),
        "slow-scan" => ("21,22,23,80,443,3389", "tcp", 6, 6, 1),
        "signature" => ("5060", "udp", 3, 1, 1),
        _ => ("1-1000", "tcp", 1996, 1000, 1),
    };
    let is_set = matches!(kind, "decoy-scan" | "distributed-scan");
    let is_ours = matches!(kind, "egress-scan" | "visibility" | "test");
    let details = Details {
        revision: 1,
        packets,
        contacts,
        ports: ports.to_owned(),
        protocol: protocol.to_owned(),
        targets: (1..=targets).map(|n| format!("192.0.2.{n}")).collect(),
        sources: if is_set { (1..=5).map(|n| format!("203.0.113.{n}")).collect() } else { Vec::new() },
        first_seen: now.saturating_sub(if kind == "slow-scan" { 7_200_000_000 } else { 12_000_000 }),
        last_seen: now,
        action: Action::Dropped,
        origin: OriginWord::Kernel,
        attribution: if kind == "decoy-scan" { Attribution::DecoySet } else { Attribution::Plausible },
        delivery: Delivery::Popup,
        ..Details::default()
    };
    let summary = match kind {
        "signature" => "a SIP client asks whether there is a telephone system to be abused",
        "visibility" => "the log rules of the firewall leave out most packets",
        _ => "",
    };
    Alert {
        id: 0,
        time_usec: now,
        severity,
        kind: kind.to_owned(),
        source: if is_set || is_ours { String::new() } else { "198.51.100.66".to_owned() },
        summary: summary.to_owned(),
        details,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::{self, tests::english};
    use firebell_shared::kind::KINDS;
    use std::collections::HashSet;

    #[test]
    fn each_kind_has_a_preview_that_says_so_and_that_no_other_kind_has() {
        let popups: Vec<_> = KINDS.iter().map(|kind| present::preview(&english(), &alert(kind, 1_790_000_000_000_000))).collect();
        let bodies: HashSet<&str> = popups.iter().map(|popup| popup.body.as_str()).collect();
        assert_eq!(bodies.len(), KINDS.len(), "{popups:#?}");
        for popup in &popups {
            assert!(popup.title.starts_with("Preview: ") && !popup.stays && popup.body.ends_with("nothing has happened."), "{popup:?}");
            assert!(!popup.title.contains("Firewall alert") && !popup.body.contains(" 0 "), "{popup:?}");
        }
    }
}
