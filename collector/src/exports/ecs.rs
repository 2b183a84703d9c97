//! An alert in the Elastic Common Schema, version 8.11.
//!
//! Source: the ECS field reference (`event`, `rule`, `source`, `destination`, `network`, `observer`, `threat`, `related`), and its
//! lists of allowed values of `event.kind`, `event.category` and `event.type`.

use super::{
    eve::category,
    parties::{self, Parties},
    pruned, stamp,
};
use firebell_shared::alert::{Action, Alert, Phase};
use serde_json::{Value, json};

/// One document. Everything else that firebell says is in `firebell`, as a line of `alerts.json` has it.
#[must_use]
pub fn document(alert: &Alert) -> Value {
    const UTC: &str = "%Y-%m-%dT%H:%M:%S.%6fZ";
    let Parties { source, target, port } = Parties::of(alert);
    let d = &alert.details;
    let moment = |usec: u64| (usec > 0).then(|| stamp(usec, UTC));
    let related: Vec<&str> = std::iter::once(&alert.source)
        .chain(&d.sources)
        .chain(&d.targets)
        .filter(|text| text.parse::<std::net::IpAddr>().is_ok())
        .map(String::as_str)
        .collect();
    pruned(
        json!({
            "@timestamp": stamp(alert.time_usec, UTC),
            "ecs": { "version": "8.11.0" },
            "message": alert.summary,
            "event": {
                "kind": "alert",
                "category": ["network", "intrusion_detection"],
                "type": types(alert),
                "action": alert.kind,
                "module": "firebell",
                "dataset": "firebell.alert",
                "id": format!("{}-{}", alert.id, d.revision),
                "sequence": d.seq,
                "severity": alert.severity.get(),
                "start": moment(d.first_seen),
                "end": if alert.is_open() { None } else { moment(d.last_seen) },
                "reason": d.why,
            },
            "rule": {
                "id": parties::sid(alert).to_string(),
                "name": parties::title(alert),
                "category": category(&alert.kind),
                "ruleset": "firebell",
            },
            "source": { "address": alert.source, "ip": source, "mac": mac(&d.mac), "packets": d.packets },
            "destination": { "ip": target, "port": port },
            "network": { "transport": d.protocol, "packets": d.packets },
            "observer": { "vendor": "firebell", "product": "firebell", "type": "ids", "ingress": { "interface": { "name": d.interface } } },
            "threat": { "framework": if d.attack.is_empty() { "" } else { "MITRE ATT&CK" }, "technique": { "id": d.attack } },
            "related": { "ip": related },
        }),
        alert,
    )
}

/// What a reader may filter by.
fn types(alert: &Alert) -> Vec<&'static str> {
    let action = match alert.details.action {
        Action::Dropped | Action::Rejected => "denied",
        Action::Accepted => "allowed",
        Action::Unknown => "info",
    };
    let phase = match alert.details.phase {
        Phase::Opened | Phase::Reopened => Some("start"),
        Phase::Closed | Phase::Merged => Some("end"),
        Phase::Updated | Phase::Escalated => None,
    };
    std::iter::once(action).chain(phase).collect()
}

/// As RFC 7042 writes it, which ECS asks for; nothing where it is none.
fn mac(text: &str) -> Option<String> {
    let is_mac = text.len() == 17 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    is_mac.then(|| text.to_uppercase().replace(':', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::tests::{hostile, sample};

    #[test]
    fn a_document_has_the_fields_of_the_schema() {
        let document = document(&sample());
        assert_eq!(document["@timestamp"], "2025-11-22T08:26:40.000001Z");
        assert_eq!(document["ecs"]["version"], "8.11.0");
        assert_eq!(document["event"]["type"], json!(["denied", "start"]));
        assert_eq!(document["event"]["id"], "7-2");
        assert_eq!(
            document["source"],
            json!({ "address": "198.51.100.66", "ip": "198.51.100.66", "mac": "52-54-00-00-00-42", "packets": 1996 })
        );
        assert_eq!(document["destination"], json!({ "ip": "198.51.100.10" }));
        assert_eq!(document["related"]["ip"], json!(["198.51.100.66", "198.51.100.10"]));
        assert_eq!(document["threat"], json!({ "framework": "MITRE ATT&CK", "technique": { "id": ["T1046"] } }));
        assert_eq!(document["event"].get("end"), None);
    }

    #[test]
    fn the_end_of_an_incident_has_its_time_and_nonsense_has_no_field() {
        let mut alert = sample();
        (alert.details.phase, alert.details.mac, alert.details.attack) = (Phase::Closed, "nonsense".into(), Vec::new());
        let document = document(&alert);
        assert_eq!(
            (&document["event"]["type"], &document["event"]["end"]),
            (&json!(["denied", "end"]), &json!("2025-11-22T08:26:40.000000Z"))
        );
        assert_eq!((document["source"].get("mac"), document.get("threat")), (None, None));
    }

    #[test]
    fn hostile_text_stays_inside_its_string() {
        let text = document(&hostile()).to_string();
        assert!(!text.contains('\n') && serde_json::from_str::<Value>(&text).is_ok_and(|document| document["event"]["kind"] == "alert"));
    }
}
