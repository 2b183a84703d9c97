//! What an incident is, in plain words.
//!
//! Everything here is written by us; nothing comes from a log line but addresses and numbers.

use crate::{
    contacts::ONE,
    detect::{Detector, Limits},
    finding::{Action, Kind},
    incident::{Incident, Who},
    origin::Origin,
};
use std::{fmt::Write as _, time::Duration};

/// One sentence: what, how much, where, in what time, and what the firewall did.
pub(crate) fn summary(incident: &Incident) -> String {
    let mut out = String::new();
    let kind = incident.kind();
    if let Who::Many(_, sources) = incident.who {
        let _ = write!(out, "{sources} sources at once: ");
    }
    out.push_str(name(kind));
    let _ = match kind {
        Kind::PortSweep | Kind::PingSweep => write!(out, " over {}", plural(targets(incident), "address", "addresses")),
        Kind::ProtocolScan => write!(out, " of {} on {}", plural(incident.contact_count(), "protocol", "protocols"), whom(incident)),
        _ => write!(out, " of {} on {}", things(incident), whom(incident)),
    };
    let _ = write!(out, " in {}", duration(incident.duration()));
    out.push_str(match incident.action {
        Action::Dropped => "; the firewall dropped the packets",
        Action::Rejected => "; the firewall rejected the packets",
        Action::Accepted => "; the firewall let them through",
        Action::Unknown => "; the log does not say what the firewall did with them",
    });
    out
}

/// Which detector spoke, with its numbers.
pub(crate) fn why(incident: &Incident, limits: &Limits) -> String {
    let mut out = String::new();
    let contacts = incident.contact_count();
    let _ = match incident.detector {
        Detector::FastScan => write!(
            out,
            "fast scan ({}): {contacts} distinct contacts in quick succession; suspicion passed the threshold of {:.1} with {:.1}",
            Detector::FastScan.id(),
            limits.scan_threshold.as_f64(),
            incident.score.as_f64(),
        ),
        Detector::IllegalFlags => {
            write!(out, "illegal flags ({}): TCP flags that no operating system sends, on {contacts} contacts", Detector::IllegalFlags.id())
        }
        Detector::SlowScan => {
            write!(out, "slow scan ({}): {contacts} distinct ports on one of our addresses within a day", Detector::SlowScan.id())
        }
        Detector::Sweep => write!(out, "sweep ({}): the same services on {} of our addresses", Detector::Sweep.id(), targets(incident)),
    };
    if contacts >= limits.broad_contacts && incident.severity >= 4 {
        let _ = write!(
            out,
            "; broad: {} contacts and more",
            if contacts >= limits.critical_contacts { limits.critical_contacts } else { limits.broad_contacts }
        );
    }
    if incident.origin == Origin::Unverified {
        out.push_str("; nobody vouches for these log lines, any user of this machine may have written them");
    }
    out
}

/// What to do.
pub(crate) fn advice(incident: &Incident) -> String {
    let refused = matches!(incident.action, Action::Dropped | Action::Rejected);
    let text = match (incident.is_near, refused) {
        (true, true) => {
            "The source is in your own network: find out which device it is, and what runs on it. Your firewall refused the packets."
        }
        (true, false) => {
            "The source is in your own network: find out which device it is, and what runs on it. Check that no service here answers it."
        }
        (false, true) => {
            "Your firewall refused the packets; nothing needs to be done unless a service listens on one of these ports on purpose."
        }
        (false, false) => "Check that the firewall refuses these ports, and that no service listens there without need.",
    };
    text.to_owned()
}

/// MITRE ATT&CK techniques: T1046 Network Service Discovery, T1595 Active Scanning (.001 of address blocks),
/// T1018 Remote System Discovery. Source: attack.mitre.org, version 17.
pub(crate) fn attack(incident: &Incident) -> Vec<&'static str> {
    match (incident.kind(), incident.is_near) {
        (Kind::PingSweep, true) => vec!["T1018"],
        (Kind::PingSweep | Kind::PortSweep, false) => vec!["T1595.001"],
        (_, true) => vec!["T1046"],
        (_, false) => vec!["T1595", "T1046"],
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::SynScan => "SYN scan",
        Kind::ConnectScan => "connect scan",
        Kind::FinScan => "FIN scan",
        Kind::NullScan => "null scan",
        Kind::XmasScan => "Xmas scan",
        Kind::AckScan => "ACK scan",
        Kind::MaimonScan => "Maimon scan",
        Kind::UdpScan => "UDP scan",
        Kind::ProtocolScan => "protocol scan",
        Kind::PingSweep => "ping sweep",
        Kind::PortSweep => "port sweep",
        Kind::SlowScan => "slow scan",
        Kind::DecoyScan => "decoy scan",
        Kind::DistributedScan => "distributed scan",
        Kind::OsDetection => "OS detection",
        Kind::Flood => "flood",
        Kind::Backscatter => "backscatter",
        Kind::InsistentTries => "insistent tries",
        Kind::EgressScan => "scan by this machine",
        Kind::Signature => "known attack packet",
        Kind::Visibility => "incomplete firewall log",
        Kind::Test => "test",
    }
}

fn things(incident: &Incident) -> String {
    let (tcp, udp) = (incident.tcp.len(), incident.udp.len());
    match (tcp, udp) {
        (0, 0) => plural(incident.contact_count(), "contact", "contacts"),
        (tcp, 0) => plural(tcp, "TCP port", "TCP ports"),
        (0, udp) => plural(udp, "UDP port", "UDP ports"),
        (tcp, udp) => format!("{} and {}", plural(tcp, "TCP port", "TCP ports"), plural(udp, "UDP port", "UDP ports")),
    }
}

fn targets(incident: &Incident) -> u32 {
    u32::try_from(incident.targets.len()).unwrap_or(u32::MAX)
}

fn whom(incident: &Incident) -> String {
    match incident.targets.as_slice() {
        [one] => one.to_string(),
        _ if incident.more_targets => format!("more than {} of our addresses", incident.targets.len()),
        several => format!("{} of our addresses", several.len()),
    }
}

fn plural(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn duration(time: Duration) -> String {
    let secs = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match secs {
        0 | 1 => "a second".to_owned(),
        2..=119 => format!("{secs} seconds"),
        120..=7_199 => format!("{} minutes", (secs + 30) / 60),
        7_200..=172_799 => format!("{} hours", (secs + 1_800) / 3_600),
        _ => format!("{} days", (secs + 43_200) / 86_400),
    }
}

// Contacts are added up in fixed point; whoever shows them divides by this.
const _: () = assert!(ONE == 256);
