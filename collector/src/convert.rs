//! What the engine found, as the bus tells it: the one place where a [`Finding`] becomes an [`Alert`], and the other way round.

use firebell_engine::{
    finding::{self, Finding, Kind, Signature, Source},
    origin::Origin,
    signature::Confidence,
    tick::Tick,
};
use firebell_shared::{
    alert::{Action, Alert, Attribution, Delivery, Details, MAX_ENTRIES, OriginWord, Phase},
    severity::Severity,
    text::{MAX_FIELD, safe},
};

/// Makes the alert of a finding. All its text is fit to show; lists have at most [`MAX_ENTRIES`] entries.
#[must_use]
pub fn alert(finding: &Finding) -> Alert {
    let known = known(finding);
    Alert {
        id: finding.id,
        time_usec: finding.at.as_micros(),
        severity: Severity::try_from(finding.severity.clamp(1, 5)).unwrap_or(Severity::BACKGROUND),
        kind: finding.kind.as_str().to_owned(),
        source: source(finding.source),
        summary: safe(finding.summary.as_bytes(), MAX_FIELD),
        details: Details {
            seq: finding.seq,
            revision: finding.revision,
            phase: phase(finding.phase),
            merged_into: finding.merged_into,
            packets: finding.packets,
            contacts: finding.contacts,
            ports: safe(finding.ports.as_bytes(), MAX_FIELD),
            targets: finding.targets.iter().take(MAX_ENTRIES).map(ToString::to_string).collect(),
            sources: finding.sources.iter().take(MAX_ENTRIES).map(ToString::to_string).collect(),
            protocol: protocol(finding.protocol),
            first_seen: finding.first.as_micros(),
            last_seen: finding.last.as_micros(),
            action: action(finding.action),
            origin: match finding.origin {
                Origin::Kernel => OriginWord::Kernel,
                Origin::Unverified => OriginWord::Unverified,
            },
            attribution: attribution(finding.attribution),
            tool: finding.tool.map(|tool| tool.name.to_owned()).unwrap_or_default(),
            signatures: finding.signatures.iter().take(MAX_ENTRIES).map(signature).collect(),
            known: known.map(|known| safe(known.title.as_bytes(), MAX_FIELD)).unwrap_or_default(),
            known_surely: known.is_some_and(|known| known.confidence == Confidence::Sure),
            attack: finding.attack.iter().take(MAX_ENTRIES).map(|id| (*id).to_owned()).collect(),
            interface: safe(&finding.interface, MAX_FIELD),
            prefix: safe(&finding.prefix, MAX_FIELD),
            mac: last_hop(&finding.mac),
            uid: finding.uid,
            delivery: delivery(finding.delivery),
            why: safe(finding.why.as_bytes(), MAX_FIELD),
            advice: safe(finding.advice.as_bytes(), MAX_FIELD),
            // Those are people's to say.
            acknowledged: None,
            note: String::new(),
            imported: false,
        },
    }
}

/// `mirai-syn: Mirai looks for victims x12`: what fitted, and how many packets did.
fn signature(Signature { id, title, count, .. }: &Signature) -> String {
    safe(format!("{id}: {title} x{count}").as_bytes(), MAX_FIELD)
}

/// What the incident is known for, in one rule: the best that is sure, else the best that is likely and fitted half of the
/// packets. A scan of many ports meets many a likely rule with a packet or two, and is none of what they look for.
fn known(finding: &Finding) -> Option<&Signature> {
    finding.signatures.iter().find(|known| match known.confidence {
        Confidence::Sure => true,
        Confidence::Likely => known.count.saturating_mul(2) >= finding.packets,
        Confidence::Hint => false,
    })
}

fn source(source: Source) -> String {
    match source {
        Source::Address(address) => address.to_string(),
        Source::Network(address, length) => format!("{address}/{length}"),
        Source::Set | Source::Own => String::new(),
    }
}

fn phase(phase: finding::Phase) -> Phase {
    match phase {
        finding::Phase::Opened => Phase::Opened,
        finding::Phase::Updated => Phase::Updated,
        finding::Phase::Escalated => Phase::Escalated,
        finding::Phase::Closed => Phase::Closed,
        finding::Phase::Reopened => Phase::Reopened,
        finding::Phase::Merged => Phase::Merged,
    }
}

fn action(action: finding::Action) -> Action {
    match action {
        finding::Action::Dropped => Action::Dropped,
        finding::Action::Rejected => Action::Rejected,
        finding::Action::Accepted => Action::Accepted,
        finding::Action::Unknown => Action::Unknown,
    }
}

fn attribution(attribution: finding::Attribution) -> Attribution {
    match attribution {
        finding::Attribution::Plausible => Attribution::Plausible,
        finding::Attribution::Spoofable => Attribution::Spoofable,
        finding::Attribution::DecoySet => Attribution::DecoySet,
        finding::Attribution::ForgedLinePossible => Attribution::ForgedLinePossible,
    }
}

fn delivery(delivery: finding::Delivery) -> Delivery {
    match delivery {
        finding::Delivery::Popup => Delivery::Popup,
        finding::Delivery::Digest => Delivery::Digest,
        finding::Delivery::Log => Delivery::Log,
    }
}

/// Usual names of IP protocols (IANA "Protocol Numbers").
const PROTOCOLS: [(u8, &str); 10] = [
    (1, "icmp"),
    (2, "igmp"),
    (6, "tcp"),
    (17, "udp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "icmpv6"),
    (132, "sctp"),
    (136, "udplite"),
];

/// The usual name of an IP protocol, or its number.
fn protocol(number: u8) -> String {
    PROTOCOLS.iter().find(|(known, _)| *known == number).map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// What an alert of ours says, for an engine that has forgotten it: numbers and names, no text. Nothing where a newer version has told it.
#[must_use]
pub fn finding(alert: &Alert) -> Option<Finding> {
    let d = &alert.details;
    let kind = of_word(Kind::ALL, Kind::as_str, &alert.kind)?;
    let source = match alert.source.split_once('/') {
        Some((address, length)) => Source::Network(address.parse().ok()?, length.parse().ok()?),
        None if !alert.source.is_empty() => Source::Address(alert.source.parse().ok()?),
        None if matches!(kind, Kind::EgressScan | Kind::Visibility) => Source::Own,
        None => Source::Set,
    };
    let addresses = |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect();
    Some(Finding {
        id: alert.id,
        seq: d.seq,
        revision: d.revision,
        phase: of_word(finding::Phase::ALL, finding::Phase::as_str, d.phase.as_str())?,
        merged_into: d.merged_into,
        at: Tick::from_micros(alert.time_usec),
        severity: alert.severity.get(),
        kind,
        source,
        packets: d.packets,
        contacts: d.contacts,
        ports: d.ports.clone(),
        targets: addresses(&d.targets),
        sources: addresses(&d.sources),
        protocol: PROTOCOLS.iter().find(|(_, name)| *name == d.protocol).map(|(number, _)| *number).or(d.protocol.parse().ok())?,
        first: Tick::from_micros(d.first_seen),
        last: Tick::from_micros(d.last_seen),
        action: of_word(finding::Action::ALL, finding::Action::as_str, d.action.as_str())?,
        origin: match d.origin {
            OriginWord::Kernel => Origin::Kernel,
            OriginWord::Unverified => Origin::Unverified,
        },
        attribution: of_word(finding::Attribution::ALL, finding::Attribution::as_str, d.attribution.as_str())?,
        tool: None,
        signatures: d.signatures.iter().filter_map(|text| read_signature(text)).collect(),
        interface: Vec::new(),
        prefix: Vec::new(),
        mac: Vec::new(),
        uid: d.uid,
        delivery: of_word(finding::Delivery::ALL, finding::Delivery::as_str, d.delivery.as_str())?,
        summary: String::new(),
        why: String::new(),
        advice: String::new(),
        attack: Vec::new(),
        packet_at_open: 0,
        contacts_at_open: 0,
    })
}

/// Engine and bus have the same words.
fn of_word<T: Copy>(all: &[T], word_of: fn(T) -> &'static str, word: &str) -> Option<T> {
    all.iter().copied().find(|one| word_of(*one) == word)
}

/// What [`signature`] wrote, as far as it says how often which rule fitted.
fn read_signature(text: &str) -> Option<Signature> {
    let ((id, rest), (_, count)) = (text.split_once(": ")?, text.rsplit_once(" x")?);
    let title = rest.rsplit_once(" x").map_or(rest, |(title, _)| title).to_owned();
    Some(Signature { id: id.to_owned(), title, why: String::new(), severity: 0, confidence: Confidence::Hint, count: count.parse().ok()? })
}

/// The address of the last hop in a `MAC=` field: octets 6 to 11 of destination, source, EtherType. A
/// field of another length is shown as it is.
fn last_hop(mac: &[u8]) -> String {
    let octets: Vec<&[u8]> = mac.split(|byte| *byte == b':').collect();
    let is_ethernet = octets.len() == 14 && octets.iter().all(|octet| octet.len() == 2);
    let source = if is_ethernet { octets.get(6..12) } else { None };
    source.map_or_else(|| safe(mac, MAX_FIELD), |source| safe(&source.join(&b':'), MAX_FIELD))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn finding() -> Finding {
        Finding {
            id: 7,
            seq: 9,
            revision: 2,
            phase: finding::Phase::Escalated,
            merged_into: None,
            at: Tick::from_secs(1_763_800_000),
            severity: 3,
            kind: Kind::SynScan,
            source: Source::Address([198, 51, 100, 66].into()),
            packets: 1996,
            contacts: 1000,
            ports: "22-25,80".into(),
            targets: vec![[198, 51, 100, 10].into(); 40],
            sources: Vec::new(),
            protocol: 6,
            first: Tick::from_secs(1_763_799_990),
            last: Tick::from_secs(1_763_800_000),
            action: finding::Action::Dropped,
            origin: Origin::Kernel,
            attribution: finding::Attribution::Plausible,
            tool: Some(finding::Tool { name: "nmap", is_sure: true }),
            signatures: vec![Signature {
                id: "nmap-os-ecn".into(),
                title: "Nmap OS detection".into(),
                why: "only nmap sends this".into(),
                severity: 4,
                confidence: Confidence::Sure,
                count: 3,
            }],
            interface: b"eth0".to_vec(),
            prefix: b"DROP \x1b[2J".to_vec(),
            mac: b"52:54:00:00:00:0a:52:54:00:00:00:42:08:00".to_vec(),
            uid: None,
            delivery: finding::Delivery::Popup,
            summary: "SYN scan of 1000 TCP ports".into(),
            why: "x".repeat(1000),
            advice: String::new(),
            attack: vec!["T1046"],
            packet_at_open: 7,
            contacts_at_open: 7,
        }
    }

    #[test]
    fn a_finding_becomes_an_alert_that_survives_the_wire() {
        let alert = alert(&finding());
        assert_eq!(alert.source, "198.51.100.66");
        assert_eq!(alert.kind, "syn-scan");
        assert_eq!(alert.details.protocol, "tcp");
        assert_eq!(alert.details.mac, "52:54:00:00:00:42");
        assert_eq!(alert.details.signatures, ["nmap-os-ecn: Nmap OS detection x3"]);
        assert_eq!((alert.details.known.as_str(), alert.details.known_surely), ("Nmap OS detection", true));
        assert_eq!(alert.details.targets.len(), MAX_ENTRIES);
        assert_eq!(Alert::from_wire(alert.to_wire()), Ok(alert));
    }

    #[test]
    fn an_incident_is_known_for_its_best_rule_that_is_no_hint_nor_a_stray_packet() {
        let rule = |confidence, count| Signature { confidence, count, ..finding().signatures.remove(0) };
        let known = |signatures| {
            let details = alert(&Finding { signatures, packets: 10, ..finding() }).details;
            (!details.known.is_empty(), details.known_surely)
        };
        let (hint, stray, likely) = (rule(Confidence::Hint, 10), rule(Confidence::Likely, 4), rule(Confidence::Likely, 5));
        assert_eq!(known(vec![hint.clone()]), (false, false));
        assert_eq!(known(vec![stray.clone(), hint.clone()]), (false, false));
        assert_eq!(known(vec![stray, likely.clone(), hint]), (true, false));
        assert_eq!(known(vec![rule(Confidence::Sure, 1), likely]), (true, true));
    }

    #[test]
    fn text_from_a_log_line_is_fit_to_show_and_bounded() {
        let alert = alert(&finding());
        assert_eq!(alert.details.prefix, r"DROP \x1b[2J");
        assert!(alert.details.why.len() <= MAX_FIELD);
    }

    #[test]
    fn every_word_of_the_engine_is_a_word_of_the_bus() {
        assert!(Kind::ALL.iter().all(|kind| firebell_shared::kind::is_known(kind.as_str())));
        assert!(finding::Phase::ALL.iter().all(|word| phase(*word).as_str() == word.as_str()));
        assert!(finding::Action::ALL.iter().all(|word| action(*word).as_str() == word.as_str()));
        assert!(finding::Attribution::ALL.iter().all(|word| attribution(*word).as_str() == word.as_str()));
        assert!(finding::Delivery::ALL.iter().all(|word| delivery(*word).as_str() == word.as_str()));
    }

    #[test]
    fn networks_sets_and_our_own_host_are_named_as_the_contract_says() {
        assert_eq!(source(Source::Network([198, 51, 100, 0].into(), 24)), "198.51.100.0/24");
        assert_eq!(source(Source::Set), "");
        assert_eq!(source(Source::Own), "");
        assert_eq!(protocol(99), "99");
        assert_eq!(last_hop(b"nonsense"), "nonsense");
    }
}
