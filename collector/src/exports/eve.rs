//! An alert as Suricata's `eve.json` has it: `event_type: alert`.
//!
//! Source: the Suricata user guide, "EVE JSON Format" (common section; "Event type: Alert"), and `etc/schema.json` of its source.
//! What Suricata knows of one packet and we of many is left out where it would be a guess: `src_port`, and `dest_port` where
//! there were several. Suricata's own events without addresses (of packets that it cannot decode) leave out `src_ip` likewise.

use super::{
    parties::{self, Parties},
    pruned, stamp,
};
use firebell_shared::alert::{Action, Alert};
use serde_json::{Value, json};

/// One event. Everything else that firebell says is in `firebell`, as a line of `alerts.json` has it.
#[must_use]
pub fn event(alert: &Alert) -> Value {
    let Parties { source, target, port } = Parties::of(alert);
    let d = &alert.details;
    pruned(
        json!({
            "timestamp": stamp(alert.time_usec, "%Y-%m-%dT%H:%M:%S.%6f+0000"),
            "flow_id": alert.id,
            "in_iface": d.interface,
            "event_type": "alert",
            "src_ip": source,
            "dest_ip": target,
            "dest_port": port,
            "proto": proto(&d.protocol),
            "alert": {
                "action": action(d.action),
                "gid": 1,
                "signature_id": parties::sid(alert),
                "rev": 1,
                "signature": parties::title(alert),
                "category": category(&alert.kind),
                "severity": priority(alert.severity.get()),
                "metadata": { "mitre_technique_id": d.attack },
            },
        }),
        alert,
    )
}

/// The protocol in Suricata's words: names that it has, else three digits.
fn proto(name: &str) -> String {
    match name {
        "icmpv6" => "IPv6-ICMP".to_owned(),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => format!("{number:0>3}"),
        name => name.to_uppercase(),
    }
}

/// Suricata knows of no "unknown"; what only watches says `allowed`.
const fn action(action: Action) -> &'static str {
    match action {
        Action::Dropped | Action::Rejected => "blocked",
        Action::Accepted | Action::Unknown => "allowed",
    }
}

/// Suricata counts down: 1 is the worst, and 4 the least of its `classification.config`.
const fn priority(severity: u8) -> u8 {
    match severity {
        5 | 4 => 1,
        3 => 2,
        2 => 3,
        _ => 4,
    }
}

/// The description of a class in Suricata's `classification.config`, which readers sort by.
pub(super) fn category(kind: &str) -> &'static str {
    match kind {
        "flood" => "Detection of a Denial of Service Attack",
        "os-detection" => "Attempted Information Leak",
        "egress-scan" => "Potentially Bad Traffic",
        "insistent-tries" | "signature" => "Misc Attack",
        "backscatter" | "visibility" | "test" => "Misc activity",
        _ => "Detection of a Network Scan",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::tests::{hostile, sample};

    #[test]
    fn an_event_has_what_readers_of_eve_ask_for() {
        let event = event(&sample());
        assert_eq!(event["timestamp"], "2025-11-22T08:26:40.000001+0000");
        assert_eq!((&event["src_ip"], &event["dest_ip"]), (&json!("198.51.100.66"), &json!("198.51.100.10")));
        assert_eq!((&event["proto"], &event["event_type"], &event["flow_id"]), (&json!("TCP"), &json!("alert"), &json!(7)));
        assert_eq!(event.get("dest_port"), None, "there were several");
        assert_eq!(
            event["alert"],
            json!({ "action": "blocked", "gid": 1, "signature_id": 1_000_001, "rev": 1, "signature": "firebell syn-scan",
                    "category": "Detection of a Network Scan", "severity": 2, "metadata": { "mitre_technique_id": ["T1046"] } })
        );
        assert_eq!((&event["firebell"]["severity"], &event["firebell"]["details"]["ports"]), (&json!(3), &json!("22-25,80")));
    }

    #[test]
    fn what_is_not_known_is_left_out_and_one_port_is_named() {
        let mut alert = sample();
        (alert.source, alert.details.ports) = (String::new(), "22".into());
        (alert.details.targets, alert.details.protocol, alert.details.interface) = (Vec::new(), "99".into(), String::new());
        let event = event(&alert);
        for key in ["src_ip", "dest_ip", "in_iface"] {
            assert_eq!(event.get(key), None, "{key}");
        }
        assert_eq!((&event["dest_port"], &event["proto"]), (&json!(22), &json!("099")));
    }

    #[test]
    fn hostile_text_stays_inside_its_string() {
        let text = event(&hostile()).to_string();
        assert!(!text.contains('\n') && serde_json::from_str::<Value>(&text).is_ok_and(|event| event["event_type"] == "alert"));
    }
}
