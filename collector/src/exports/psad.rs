//! An alert in the words of psad's syslog lines, which decoders of OSSEC and Wazuh, filters of fail2ban and many a script read.
//!
//! ```text
//! scan detected: 198.51.100.66 -> 198.51.100.10 tcp: [1-1000] flags: SYN tcp pkts: 1996 DL: 3 total scan dsts: 1
//! src: 198.51.100.66 signature match: "Nmap OS detection" (sid: 1234) tcp port: 22
//! ```
//! Source: `scan_logr()` and `scan_logr_signatures()` of psad 3.0. What psad may put in brackets behind "detected" is left out, as
//! in psad 2: readers look for the address behind `detected: `.

use super::parties::{Parties, Rule};
use firebell_shared::{alert::Alert, text::safe};
use std::fmt::Write as _;

/// psad tells so many signatures of a scan (`SIG_SID_SYSLOG_THRESHOLD`).
const MAX_RULES: usize = 10;
/// The longest part of a line that is not ours, in bytes.
const MAX_PART: usize = 200;

/// The lines without what syslog puts before them. None where psad would have none: without a source that could be named, and for
/// backscatter, whose source is a victim. Whoever blocks by these lines would block that one.
#[must_use]
pub fn lines(alert: &Alert) -> Vec<String> {
    let d = &alert.details;
    let Parties { source: Some(source), target: Some(target), port } = Parties::of(alert) else { return Vec::new() };
    if alert.kind == "backscatter" {
        return Vec::new();
    }
    let protocol = d.protocol.as_str();
    let has_ports = ["tcp", "udp", "udplite"].contains(&protocol);
    let mut scan = format!("scan detected: {source} -> {target}");
    // Writing to a string does not fail.
    if has_ports {
        let _ = write!(scan, " {protocol}: [{}]", range(&d.ports));
    }
    if let Some(flags) = flags(&alert.kind).filter(|_| protocol == "tcp") {
        let _ = write!(scan, " flags: {flags}");
    }
    let counted = match protocol {
        "icmpv6" => "icmp",
        known if has_ports || known == "icmp" => known,
        _ => "other proto",
    };
    let _ = write!(scan, " {counted} pkts: {} DL: {} total scan dsts: {}", d.packets, alert.severity, d.targets.len());
    let rules = Rule::all(alert).take(MAX_RULES).map(|rule| {
        let mut line = format!("src: {source} signature match: \"{}\" (sid: {}) {}", inert(rule.title), rule.sid(), inert(protocol));
        if let Some(port) = port.filter(|_| has_ports) {
            let _ = write!(line, " port: {port}");
        }
        line
    });
    rules.chain([scan]).collect()
}

/// From the lowest to the highest of `22-25,80`, as psad has it.
fn range(ports: &str) -> String {
    let numbers = || ports.split([',', '-']).filter_map(|number| number.parse::<u16>().ok());
    match (numbers().min(), numbers().max()) {
        (Some(low), Some(high)) if low < high => format!("{low}-{high}"),
        (low, _) => low.map(|low| low.to_string()).unwrap_or_default(),
    }
}

/// Nothing in it ends its quotes, or can be taken for the address behind `detected: `.
fn inert(text: &str) -> String {
    safe(text.as_bytes(), MAX_PART).replace('"', "'").replace(':', ";").replace("->", "-")
}

/// The flags of such probes, as psad names them.
fn flags(kind: &str) -> Option<&'static str> {
    match kind {
        "syn-scan" | "connect-scan" => Some("SYN"),
        "fin-scan" => Some("FIN"),
        "null-scan" => Some("NULL"),
        "xmas-scan" => Some("URG PSH FIN"),
        "ack-scan" => Some("ACK"),
        "maimon-scan" => Some("ACK FIN"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::tests::{hostile, sample};

    #[test]
    fn a_scan_is_told_as_psad_tells_it_its_signatures_before_it() {
        assert_eq!(
            lines(&sample()),
            [
                "src: 198.51.100.66 signature match: \"Nmap OS detection\" (sid: 1234) tcp",
                "scan detected: 198.51.100.66 -> 198.51.100.10 tcp: [22-80] flags: SYN tcp pkts: 1996 DL: 3 total scan dsts: 1",
            ]
        );
        let mut alert = sample();
        (alert.details.protocol, alert.kind, alert.details.signatures) = ("icmp".into(), "ping-sweep".into(), Vec::new());
        assert_eq!(lines(&alert), ["scan detected: 198.51.100.66 -> 198.51.100.10 icmp pkts: 1996 DL: 3 total scan dsts: 1"]);
    }

    #[test]
    fn nobody_is_named_who_is_a_victim_or_not_known() {
        let mut alert = sample();
        alert.kind = "backscatter".into();
        assert!(lines(&alert).is_empty());
        let mut alert = sample();
        alert.source = String::new();
        assert!(lines(&alert).is_empty());
    }

    #[test]
    fn a_hostile_title_neither_ends_its_quotes_nor_the_line() {
        let lines = lines(&hostile());
        assert!(!lines.is_empty());
        for line in lines {
            assert!(line.len() < 1024 && !line.chars().any(char::is_control) && line.matches('"').count() != 1, "{line:?}");
            assert!(line.matches("detected: ").count() + line.matches("match: ").count() == 1, "{line:?}");
        }
    }
}
