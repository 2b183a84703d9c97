//! What an incident is, in plain words.
//!
//! Everything here is written by us; nothing comes from a log line but addresses and numbers.

use crate::{
    config::Config,
    contacts::ONE,
    detect::Detector,
    finding::{Action, Kind, Signature},
    incident::{Incident, Subject, Who},
    origin::Origin,
};
use std::{fmt::Write as _, time::Duration};

/// One sentence: what, how much, where, in what time, and what the firewall did. `known`: the best rule that fitted.
pub(crate) fn summary(incident: &Incident, config: &Config, known: Option<&Signature>) -> String {
    let mut out = String::new();
    let kind = incident.kind();
    if matches!(incident.subject, Subject::Fold(_)) {
        let _ = write!(out, "{} at once: ", plural(incident.source_count, "source", "sources"));
    }
    let (things, whom) = (things(incident), whom(incident));
    // Writing to a String cannot fail.
    let _ = match kind {
        Kind::PortSweep | Kind::PingSweep => write!(out, "{} over {}", name(kind), plural(targets(incident), "address", "addresses")),
        Kind::ProtocolScan => write!(out, "protocol scan of {} on {whom}", plural(incident.contact_count(), "protocol", "protocols")),
        Kind::Flood => write!(out, "flood of {} packets to {} on {whom}{}", incident.packets, port(incident, config), from(incident)),
        Kind::Backscatter => {
            write!(out, "{} answers to packets that somebody else sent in our name; this source is the victim", incident.packets)
        }
        Kind::InsistentTries => write!(out, "{} connection attempts to {} on {whom}", incident.packets, port(incident, config)),
        Kind::DecoyScan => {
            write!(out, "scan of {things} on {whom} from {} addresses at once, of which at most one is real", incident.source_count)
        }
        Kind::DistributedScan => write!(out, "one scan of {things} on {whom}, shared between {} sources", incident.source_count),
        Kind::EgressScan => write!(out, "this machine tries {things} on {whom}; its firewall refused it"),
        Kind::Visibility => {
            let _ = match incident.lost {
                0 => write!(out, "the limit of the firewall's log rule is used up all the time: most packets are not logged"),
                lost => write!(out, "{lost} log records were lost before they could be read: what is shown is incomplete"),
            };
            return out;
        }
        Kind::Signature => {
            let title = known.map_or(name(kind), |known| &known.title);
            let count = known.map_or(incident.packets, |known| known.count);
            write!(out, "{title}: {} to {whom}", plural(u32::try_from(count).unwrap_or(u32::MAX), "packet", "packets"))
        }
        _ => write!(out, "{} of {things} on {whom}", name(kind)),
    };
    if matches!(incident.who, Who::Network(..)) {
        let _ = write!(out, " by {} sources in one network", incident.source_count);
    }
    let _ = write!(out, " in {}", duration(incident.duration()));
    out.push_str(match incident.action {
        _ if matches!(kind, Kind::EgressScan | Kind::Backscatter) => "",
        Action::Dropped => "; the firewall dropped the packets",
        Action::Rejected => "; the firewall rejected the packets",
        Action::Accepted => "; the firewall let them through",
        Action::Unknown => "; the log does not say what the firewall did with them",
    });
    out
}

/// Which detector spoke, with its numbers.
pub(crate) fn why(incident: &Incident, config: &Config) -> String {
    let limits = &config.detect;
    let mut out = String::new();
    let contacts = incident.contact_count();
    let (id, sources) = (incident.detector.id(), incident.source_count);
    let _ = match incident.detector {
        Detector::Signature => write!(out, "known packets ({id})"),
        Detector::Listed => write!(out, "{id}: {contacts} contacts of a source that the configuration names"),
        Detector::PacketCount => write!(out, "packet count ({id}): {} packets of one source", incident.packets),
        Detector::FastScan => write!(
            out,
            "fast scan ({id}): {contacts} distinct contacts in quick succession; suspicion passed the threshold of {:.1} with {:.1}",
            limits.fast_scan.threshold,
            incident.score.as_f64(),
        ),
        Detector::IllegalFlags => write!(out, "illegal flags ({id}): TCP flags that no operating system sends, on {contacts} contacts"),
        Detector::SlowScan => {
            write!(out, "slow scan ({id}): {contacts} distinct ports on one of our addresses within {}", duration(limits.slow_scan.within))
        }
        Detector::Discovery => {
            write!(out, "host discovery ({id}): several kinds of packets that ask whether a host is up, within a second")
        }
        Detector::Sweep => write!(out, "sweep ({id}): the same services on {} of our addresses", targets(incident)),
        Detector::InsistentTries => {
            let crate::parameters::InsistentTries { attempts, within, slow_attempts, slow_within, .. } = &limits.insistent_tries;
            let (within, slow_within) = (duration(*within), duration(*slow_within));
            write!(
                out,
                "insistent tries ({id}): at least {attempts} attempts at one service in {within}, or {slow_attempts} in {slow_within}"
            )
        }
        Detector::OsDetection => write!(out, "OS detection ({id}): packets that only nmap's OS detection sends"),
        Detector::Flood => write!(out, "flood ({id}): far more packets a second to one service than is usual here"),
        Detector::Backscatter => write!(
            out,
            "backscatter ({id}): at least {} unasked answers from one port in {}",
            limits.backscatter.answers,
            duration(limits.backscatter.within)
        ),
        Detector::Decoys => {
            write!(out, "decoys ({id}): equal IP ID, source port and destination port from {sources} sources within a second")
        }
        Detector::Distributed => {
            write!(out, "distributed scan ({id}): {sources} sources ask different ports of one address with the same kind of packet")
        }
        Detector::Egress => {
            write!(out, "egress ({id}): refused packets of our own to many destinations or ports within {}", duration(limits.egress.within))
        }
        Detector::Visibility if incident.lost > 0 => write!(out, "visibility ({id}): the numbers of the log's records have gaps"),
        Detector::Visibility => {
            write!(
                out,
                "visibility ({id}): one line in {}, {} times in a row, as a limit lets them through",
                duration(limits.visibility.period),
                limits.visibility.gaps
            )
        }
    };
    if incident.breadth() >= config.broad_contacts && incident.severity >= 4 {
        let broad = if incident.breadth() >= config.critical_contacts { config.critical_contacts } else { config.broad_contacts };
        let _ = write!(out, "; broad: {broad} contacts and more");
    }
    if let Some(tool) = incident.tool {
        let _ = write!(out, "; the packets are {}'s", tool.name);
    }
    if let Some(system) = incident.system {
        let _ = write!(out, "; the sender's TCP looks like {system}'s");
    }
    if incident.origin == Origin::Unverified {
        out.push_str("; nobody vouches for these log lines, any user of this machine may have written them");
    }
    out
}

/// The best rules that fitted, with their reasons.
pub(crate) fn explain(signatures: &[Signature], why: &mut String) {
    for (n, Signature { title, why: reason, count, .. }) in signatures.iter().take(2).enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(why, "; {} of them: {title}", plural(u32::try_from(*count).unwrap_or(u32::MAX), "packet", "packets"));
        if n == 0 && !reason.is_empty() {
            let _ = write!(why, " ({})", reason.trim_end_matches('.'));
        }
    }
}

/// What to do.
pub(crate) fn advice(incident: &Incident) -> String {
    let is_refused = matches!(incident.action, Action::Dropped | Action::Rejected);
    let text = match incident.detector {
        Detector::Egress => {
            "A program on this machine attacks others: find it (the user is named where the firewall logs it), and take the machine off the network meanwhile."
        }
        Detector::Visibility if incident.lost > 0 => {
            "Make the kernel's log larger (boot option log_buf_len=4M), or limit the firewall's log rule per source."
        }
        Detector::Visibility => "Raise or remove the limit of the firewall's log rule; with ufw: the limit of 3/min in its logging chains.",
        Detector::Backscatter => "Nothing to do: somebody forges your address to attack this source.",
        Detector::Flood => "If a service stops answering, ask your provider for help; the addresses of the senders may be forged.",
        Detector::Decoys => "Do not block these addresses without looking: all but one are innocent.",
        _ => match (incident.is_near, is_refused) {
            (true, true) => "The source is in your own network: find out which device it is, and what runs on it.",
            (true, false) => {
                "The source is in your own network: find out which device it is, and what runs on it. Check that no service here answers it."
            }
            (false, true) => "Nothing needs to be done, unless a service listens on one of these ports on purpose.",
            (false, false) => "Check that the firewall refuses these ports, and that no service listens there without need.",
        },
    };
    text.to_owned()
}

/// MITRE ATT&CK techniques: T1046 Network Service Discovery, T1595 Active Scanning (.001 of address blocks, .002 for vulnerabilities),
/// T1018 Remote System Discovery, T1498 Network Denial of Service, T1110 Brute Force. Source: attack.mitre.org, version 17.
pub(crate) fn attack(incident: &Incident) -> Vec<&'static str> {
    match (incident.kind(), incident.is_near) {
        // What a rule knows, it says itself.
        (Kind::Visibility | Kind::Backscatter | Kind::Signature, _) => vec![],
        (Kind::Flood, _) => vec!["T1498"],
        (Kind::InsistentTries, _) => vec!["T1110"],
        (Kind::EgressScan, _) => vec!["T1046"],
        (Kind::OsDetection, _) => vec!["T1595.002", "T1046"],
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

/// The one port that it is about, with what people call it.
fn port(incident: &Incident, config: &Config) -> String {
    let (layer, port) = match (incident.tcp.iter().next(), incident.udp.iter().next()) {
        (Some(port), None) => ("TCP", port),
        (None, Some(port)) => ("UDP", port),
        (None, None) => return "ICMP".to_owned(),
        _ => return "several ports".to_owned(),
    };
    match config.services.iter().find(|(known, _)| *known == port) {
        Some((_, name)) => format!("{layer} port {port} ({name})"),
        None => format!("{layer} port {port}"),
    }
}

fn from(incident: &Incident) -> &'static str {
    match incident.who {
        Who::Many => " from many sources, whose addresses may be forged",
        _ => "",
    }
}

fn targets(incident: &Incident) -> u32 {
    u32::try_from(incident.targets.len()).unwrap_or(u32::MAX)
}

fn whom(incident: &Incident) -> String {
    let ours = if incident.who == Who::Own { "addresses" } else { "of our addresses" };
    match incident.targets.as_slice() {
        [] => "this machine".to_owned(),
        [one] => one.to_string(),
        _ if incident.more_targets => format!("more than {} {ours}", incident.targets.len()),
        several => format!("{} {ours}", several.len()),
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
