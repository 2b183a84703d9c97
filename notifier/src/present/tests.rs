use super::{
    fields::value,
    ports::which_ports,
    sentences::{MAX_SENTENCE, duration},
    *,
};
use crate::{template::Field, words::Language};
use firebell_shared::{
    alert::{Action, Attribution, Details, OriginWord},
    kind::KINDS,
};
use jiff::tz::TimeZone;
use proptest::prelude::*;

pub(crate) fn words(language: Language) -> Words {
    Words::new(language, TimeZone::UTC)
}

pub(crate) fn english() -> Words {
    words(Language::English)
}

pub(crate) fn alert(id: u64, kind: &str, severity: u8) -> Alert {
    Alert {
        id,
        time_usec: 1_763_800_000_000_000,
        severity: Severity::try_from(severity).unwrap(),
        kind: kind.into(),
        source: "198.51.100.66".into(),
        summary: "something happened".into(),
        details: Details {
            seq: id,
            revision: 1,
            packets: 1996,
            contacts: 1000,
            ports: "1-1000".into(),
            targets: vec!["198.51.100.10".into()],
            protocol: "tcp".into(),
            first_seen: 1_763_800_000_000_000,
            last_seen: 1_763_800_005_000_000,
            action: Action::Dropped,
            origin: OriginWord::Kernel,
            attribution: Attribution::Plausible,
            delivery: firebell_shared::alert::Delivery::Popup,
            ..Details::default()
        },
    }
}

#[test]
fn a_scan_is_told_in_the_words_of_the_person_at_the_desk() {
    let popup = incident(&english(), &alert(1, "syn-scan", 4), Severity::AIMED);
    assert_eq!(popup.title, "Port scan from 198.51.100.66");
    assert_eq!(
        popup.body,
        "TCP SYN scan: 1,000 ports in 5 seconds, among them 22 (SSH), 80 (HTTP), 443 (HTTPS), 445 (Windows shares).\n\
         The firewall dropped the packets.\n\
         The sender's address is most likely real.\n\
         Nothing to do as long as your firewall holds."
    );
    assert_eq!((popup.urgency(), popup.icon(), popup.stays), (Urgency::Critical, "dialog-error", true));
}

#[test]
fn every_kind_has_a_title_of_its_own_words() {
    for kind in KINDS {
        let popup = incident(&english(), &alert(1, kind, 3), Severity::AIMED);
        assert!(!popup.title.starts_with("Firewall alert"), "{kind} has no words");
        assert!(!kind.contains('-') || !popup.title.contains(kind), "{kind} is shown raw: {}", popup.title);
        assert!(popup.title.chars().next().unwrap().is_uppercase() && popup.body.lines().count() >= 2, "{popup:?}");
    }
    assert_eq!(incident(&english(), &alert(1, "newer-kind", 3), Severity::AIMED).title, "Firewall alert from 198.51.100.66");
}

#[test]
fn what_is_known_is_one_sentence_and_no_surer_than_the_rule() {
    let mut scan = alert(1, "insistent-tries", 3);
    let second = |scan: &Alert| incident(&english(), scan, Severity::AIMED).body.lines().nth(1).unwrap().to_owned();
    assert_eq!(second(&scan), "The firewall dropped the packets.");
    scan.details.known = "Mirai looks for \u{1b}[31m<b>victims</b>".into();
    assert_eq!(second(&scan), r"Looks like: Mirai looks for \x1b[31m<b>victims</b>.");
    scan.details.known_surely = true;
    assert!(second(&scan).starts_with("Recognised: Mirai looks for "), "{}", second(&scan));
    scan.details.known = "Looks like hping".into();
    assert_eq!(second(&scan), "Looks like hping.");
    scan.details.known = "x".repeat(1000);
    assert!(second(&scan).len() <= MAX_SENTENCE + 1);
    (scan.details.known, scan.details.tool) = ("masscan".into(), "masscan".into());
    assert_eq!(second(&scan), "Tool: masscan.");
    scan.kind = "signature".into();
    scan.details.known = "SQL Slammer".into();
    assert!(!incident(&english(), &scan, Severity::AIMED).body.contains("Recognised"), "its own sentence says that");
}

#[test]
fn a_set_of_sources_does_not_name_one_of_them_as_the_culprit() {
    let mut decoys = alert(1, "decoy-scan", 3);
    decoys.source = String::new();
    decoys.details.sources = (1..=5).map(|n| format!("203.0.113.{n}")).collect();
    decoys.details.attribution = Attribution::DecoySet;
    let popup = incident(&english(), &decoys, Severity::AIMED);
    assert_eq!(popup.title, "Port scan hidden among 5 addresses");
    assert!(popup.body.contains("From 203.0.113.1, 203.0.113.2, 203.0.113.3 and 2 more."), "{}", popup.body);
    assert!(popup.body.contains("At most one of these addresses is the real one."), "{}", popup.body);
}

#[test]
fn doubt_is_said_and_certainty_is_not_claimed() {
    let mut scan = alert(1, "udp-scan", 3);
    scan.details.attribution = Attribution::Spoofable;
    assert!(incident(&english(), &scan, Severity::AIMED).body.contains("address may be forged"));
    scan.details.origin = OriginWord::Unverified;
    assert!(incident(&english(), &scan, Severity::AIMED).body.contains("any program on this computer can write such log lines"));
    scan.details.action = Action::Unknown;
    let body = incident(&english(), &scan, Severity::AIMED).body;
    assert!(body.contains("The log does not say") && !body.contains("dropped"), "{body}");
}

#[test]
fn every_kind_and_phase_is_told_in_every_language_without_a_word_of_english() {
    let phases = [Phase::Opened, Phase::Updated, Phase::Escalated, Phase::Closed, Phase::Reopened];
    for language in Language::ALL {
        let words = words(language);
        for kind in KINDS.into_iter().chain(["newer-kind"]) {
            for (phase, action) in phases
                .into_iter()
                .flat_map(|phase| [Action::Dropped, Action::Rejected, Action::Accepted, Action::Unknown].map(|action| (phase, action)))
            {
                for attribution in [Attribution::Plausible, Attribution::Spoofable, Attribution::DecoySet, Attribution::ForgedLinePossible]
                {
                    let mut alert = alert(1, kind, 3);
                    (alert.details.phase, alert.details.action, alert.details.attribution) = (phase, action, attribution);
                    alert.details.advice = "Unplug it".into();
                    alert.details.last_seen += 3_600_000_000;
                    alert.details.targets.push("198.51.100.11".into());
                    alert.details.sources.clone_from(&alert.details.targets);
                    let popup = incident(&words, &alert, Severity::AIMED);
                    let text = format!("{}\n{}", popup.title, popup.body);
                    assert!(popup.title.len() < MAX_TITLE && popup.body.len() < MAX_BODY, "{text}");
                    assert!(!text.contains(['{', '}', '$']), "{text}");
                    assert!(!kind.contains('-') || !text.contains(kind), "{text}");
                    assert_eq!(text::safe(text.replace('\n', " ").as_bytes(), usize::MAX), text.replace('\n', " "));
                    if language == Language::English {
                        continue;
                    }
                    assert!(!text.contains("something happened") && !text.contains("Unplug"), "{language:?}: {text}");
                    let english = incident(&english(), &alert, Severity::AIMED);
                    let english: Vec<&str> = english.body.lines().chain([english.title.as_str()]).collect();
                    assert!(!text.lines().any(|line| english.contains(&line)), "{language:?}: {text}");
                }
            }
        }
    }
}

#[test]
fn what_went_on_for_long_is_told_with_its_beginning_and_what_is_over_with_its_end() {
    let mut scan = alert(1, "slow-scan", 3);
    scan.details.last_seen = scan.details.first_seen + 7_200_000_000;
    scan.time_usec = scan.details.last_seen;
    let first = incident(&english(), &scan, Severity::AIMED).body;
    assert!(first.starts_with("A few ports at a time: 1,000 ports in 2 hours (since 08:26), among them"), "{first}");
    scan.details.phase = Phase::Closed;
    scan.time_usec += 86_400_000_000;
    let over = incident(&words(Language::German), &scan, Severity::AIMED);
    assert_eq!(over.title, "Langsamer Portscan von 198.51.100.66 (beendet)");
    assert!(over.body.contains("in 2 Stunden (seit 22. November, 08:26 Uhr), darunter 22 (SSH)"), "{}", over.body);
    assert!(over.body.contains("\nVorbei: kein Paket mehr seit 22. November, 10:26 Uhr.\n"), "{}", over.body);
}

#[test]
fn several_targets_are_named() {
    let mut scan = alert(1, "port-sweep", 3);
    scan.details.targets = (1..=5).map(|n| format!("198.51.100.{n}")).collect();
    let aimed = |scan: &Alert| incident(&english(), scan, Severity::AIMED).body.lines().nth(1).unwrap().to_owned();
    assert_eq!(aimed(&scan), "Aimed at 198.51.100.1, 198.51.100.2, 198.51.100.3 and 2 more.");
    scan.details.targets = (1..=16).map(|n| format!("198.51.100.{n}")).collect();
    assert_eq!(aimed(&scan), "Aimed at 198.51.100.1, 198.51.100.2, 198.51.100.3 and others.");
    let mut egress = alert(1, "egress-scan", 5);
    egress.source = String::new();
    assert_eq!(aimed(&egress), "Aimed at 198.51.100.10.");
}

#[test]
fn a_source_that_this_computer_knows_is_named() {
    let home = crate::names::tests::home();
    let words = english().knowing(crate::names::Names::below(home.path()));
    let mut scan = alert(1, "syn-scan", 3);
    scan.source = "192.168.1.7".into();
    scan.details.mac = "00:80:77:ab:cd:0f".into();
    let popup = incident(&words, &scan, Severity::AIMED);
    assert_eq!(popup.title, "Port scan from 192.168.1.7 (printer)");
    assert!(popup.body.contains("\nprinter, a device of Somebody Small.\n"), "{}", popup.body);
    assert!(popup.body.contains("\nThe sender's address is most likely real.\n"), "{}", popup.body);
    scan.details.attribution = Attribution::Spoofable;
    let body = incident(&words, &scan, Severity::AIMED).body;
    assert!(body.contains("\nThe sender's address may be forged; printer is only what the address is called here.\n"), "{body}");
    scan.source = "192.168.1.20".into();
    scan.details.mac = String::new();
    let popup = incident(&words, &scan, Severity::AIMED);
    assert_eq!(popup.title, r"Port scan from 192.168.1.20 (my-phone\x1b[2J<b>)");
    assert!(popup.body.contains("\nA device that hides its maker"), "{}", popup.body);
    scan.source = "192.168.1.5".into();
    assert_eq!(incident(&words, &scan, Severity::AIMED).title, "Port scan from 192.168.1.5 (this computer)");
    scan.source = "203.0.113.7".into();
    assert_eq!(incident(&words, &scan, Severity::AIMED).title, "Port scan from 203.0.113.7");
}

fn templates(title: &str, body: &str) -> Templates {
    let template = |text: &str| Some(Template::try_from(text).unwrap());
    Templates { title: template(title), body: template(body) }
}

#[test]
fn incidents_are_told_as_the_user_wishes() {
    let words = english().telling(templates("Firewall Alert", "Intrusion detected from {{ source }}"));
    let popup = incident(&words, &alert(1, "syn-scan", 3), Severity::AIMED);
    assert_eq!((popup.title.as_str(), popup.body.as_str()), ("Firewall Alert", "Intrusion detected from 198.51.100.66"));
    let mut over = alert(1, "egress-scan", 3);
    (over.source, over.details.phase) = (String::new(), Phase::Closed);
    let popup = incident(&words, &over, Severity::AIMED);
    assert_eq!((popup.title.as_str(), popup.body.as_str()), ("Firewall Alert (ended)", "Intrusion detected from this computer"));
    assert_eq!(incident(&words, &alert(1, "test", 1), Severity::AIMED).title, "Firebell test", "a test tests what is there");
    assert_eq!(headline(&words, &alert(1, "syn-scan", 3)), "Port scan from 198.51.100.66");
    let words = english().telling(templates("{{ tool }}", "{{ tool }}\n{{ known }}"));
    let plain = incident(&english(), &alert(1, "syn-scan", 3), Severity::AIMED);
    assert_eq!(incident(&words, &alert(1, "syn-scan", 3), Severity::AIMED), plain, "nothing left of it");
}

#[test]
fn every_field_has_a_value_and_the_body_keeps_its_lines() {
    let mut full = alert(7, "syn-scan", 3);
    let home = crate::names::tests::home();
    full.source = "192.168.1.7".into();
    let d = &mut full.details;
    (d.tool, d.known, d.interface, d.prefix, d.mac) =
        ("nmap".into(), "a rule".into(), "eth0".into(), "DROP ".into(), "00:80:77:ab:cd:0f".into());
    let words = english().knowing(crate::names::Names::below(home.path()));
    for (name, field) in Field::ALL {
        assert!(!value(&words, &full, "printer", *field).is_empty(), "{name}");
    }
    let plain = incident(&words, &full, Severity::AIMED);
    let wrapped = incident(&words.telling(templates("{{ title }}", "{{ body }}")), &full, Severity::AIMED);
    assert_eq!(wrapped, plain);
}

#[test]
fn the_collectors_english_is_for_those_who_read_english() {
    let mut rule = alert(1, "signature", 3);
    rule.details.known = "SQL Slammer".into();
    rule.details.advice = "Unplug it".into();
    let body = |language| incident(&words(language), &rule, Severity::AIMED).body;
    assert!(body(Language::English).starts_with("Something happened.\n") && body(Language::English).ends_with("\nUnplug it."));
    assert!(
        body(Language::French).starts_with("SQL Slammer\u{a0}: 1\u{202f}996 paquets en 5 secondes, dont 22 (SSH)"),
        "{}",
        body(Language::French)
    );
    let mut near = alert(1, "syn-scan", 3);
    near.source = "192.168.1.7".into();
    near.details.advice = "Unplug it".into();
    let body = incident(&words(Language::Spanish), &near, Severity::AIMED).body;
    assert!(body.ends_with("\nEl origen está en su propia red: averigüe qué dispositivo es y qué se ejecuta en él."), "{body}");
    let blind = blindness(&words(Language::German), Some("no log can be read"));
    assert_eq!(blind.body, "Der Sammeldienst meldet: No log can be read.\nBis sich das ändert, erfahren Sie nichts von Angriffen.");
}

#[test]
fn an_end_is_said_in_the_title() {
    let mut scan = alert(1, "syn-scan", 3);
    scan.details.phase = Phase::Closed;
    assert_eq!(incident(&english(), &scan, Severity::AIMED).title, "Port scan from 198.51.100.66 (ended)");
}

#[test]
fn few_ports_are_listed_and_one_port_is_named() {
    assert_eq!(which_ports(&english(), "1000-1007"), ": 1000-1007");
    assert_eq!(which_ports(&english(), "22"), ": 22 (SSH)");
    assert_eq!(which_ports(&english(), "4444"), ": port 4444");
    assert_eq!(which_ports(&english(), "21-23,80"), ", among them 21 (FTP), 22 (SSH), 23 (Telnet), 80 (HTTP)");
    assert_eq!(which_ports(&english(), "22-25,8…"), "", "a list that was cut is not taken for whole");
    assert_eq!(which_ports(&english(), ""), "");
}

#[test]
fn only_popups_from_the_chosen_severity_on_stay() {
    assert!(!incident(&english(), &alert(1, "syn-scan", 3), Severity::BROAD).stays);
    assert!(incident(&english(), &alert(1, "syn-scan", 4), Severity::BROAD).stays);
    assert!(!incident(&english(), &alert(1, "test", 5), Severity::AIMED).stays, "a test does not have to be closed");
}

#[test]
fn durations_read_well() {
    assert_eq!(duration(&english(), 999_999), "in less than a second");
    assert_eq!(duration(&english(), 1_000_000), "in 1 second");
    assert_eq!(duration(&english(), 300_000_000), "in 5 minutes");
    assert_eq!(duration(&english(), 86_400_000_000), "in 24 hours");
    assert_eq!(duration(&english(), u64::MAX), "in 213,503,982 days");
}

prop_compose! {
    fn any_text()(bytes in prop::collection::vec(any::<u8>(), 0..1500)) -> String { String::from_utf8_lossy(&bytes).into_owned() }
}

prop_compose! {
    fn any_alert()(
        kind in prop_oneof![Just(0_usize), 0..KINDS.len()], odd_kind in prop::option::of(any_text()), severity in 1_u8..=5,
        texts in prop::array::uniform9(any_text()), list in prop::collection::vec(any_text(), 0..20),
        numbers in any::<(u64, u64, u64, u32, Option<u32>)>(), phase in 0_usize..6,
    ) -> Alert {
        let mut a = alert(1, KINDS[kind], severity);
        if let Some(odd) = odd_kind { a.kind = odd; }
        [&mut a.source, &mut a.summary, &mut a.details.ports, &mut a.details.protocol, &mut a.details.tool, &mut a.details.known, &mut a.details.advice, &mut a.details.why, &mut a.details.prefix]
            .into_iter().zip(texts).for_each(|(field, text)| *field = text);
        a.details.targets.clone_from(&list);
        a.details.sources = list;
        (a.details.packets, a.details.first_seen, a.details.last_seen, a.details.contacts, a.details.uid) = numbers;
        a.details.phase = [Phase::Opened, Phase::Updated, Phase::Escalated, Phase::Closed, Phase::Reopened, Phase::Merged][phase];
        a
    }
}

proptest! {
    #[test]
    fn any_alert_in_any_language_is_bounded_safe_text(alert in any_alert(), language in prop::sample::select(&Language::ALL[..]), is_wished: bool) {
        let mut words = words(language);
        if is_wished {
            let all: Vec<String> = Field::ALL.iter().map(|(name, _)| format!("{{{{ {name} }}}}")).collect();
            words = words.telling(templates(&all.join(" "), &all.join("\n")));
        }
        let popup = incident(&words, &alert, Severity::AIMED);
        prop_assert!(popup.title.len() <= MAX_TITLE && popup.body.len() <= MAX_BODY);
        prop_assert!(!popup.title.contains('\n'));
        for line in std::iter::once(popup.title.as_str()).chain(popup.body.split('\n')) {
            // What is safe already is not changed by being made safe.
            prop_assert_eq!(text::safe(line.as_bytes(), usize::MAX), line);
        }
    }
}
