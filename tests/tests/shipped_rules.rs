//! The shipped rules name what they should, and leave a quiet machine quiet.

#![allow(clippy::unwrap_used, clippy::panic)]

use firebell_collector::{config::Config as CollectorConfig, rules::Loaded};
use firebell_engine::{
    engine::{Config, Engine},
    finding::{Finding, Kind},
};
use firebell_tests::{corpus, replay::replay_into};
use firebell_traffic::{desktop, diary::History, diary::popups, exposed};
use std::collections::BTreeMap;

/// An engine with what firebell ships.
fn engine() -> Engine {
    let loaded = Loaded::shipped();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let mut engine = Engine::new(Config::default(), [7; 16]);
    engine.replace_rules(loaded.rules.set(&CollectorConfig::default().signatures));
    engine
}

/// Packets that each rule found, and the severity of the rule.
fn hits(engine: &Engine) -> BTreeMap<String, (u8, u64)> {
    let found = engine.rule_hits().filter(|(_, hits)| hits.packets > 0);
    found.map(|(rule, hits)| (rule.id.clone(), (rule.severity, hits.packets))).collect()
}

/// What the rules find in a recorded scan.
fn seen(capture: &str) -> (BTreeMap<String, (u8, u64)>, Vec<Finding>) {
    let mut engine = engine();
    let said = replay_into(&corpus::lines(capture, "kmsg").unwrap().unwrap(), &mut engine).0;
    (hits(&engine), said)
}

#[test]
fn no_shipped_rule_finds_anything_severe_in_harmless_traffic() {
    let mut count = 0;
    for label in corpus::labels("dev").unwrap().into_iter().filter(|label| label.expect != "alert") {
        let (hits, said) = seen(&label.capture);
        assert!(hits.values().all(|(severity, _)| *severity < 3), "{}: {hits:?}", label.capture);
        assert!(said.iter().all(|finding| finding.kind != Kind::Signature || finding.severity < 2), "{}: {said:?}", label.capture);
        count += 1;
    }
    assert!(count >= 15, "only {count} captures");
}

/// Debug builds see a part of it.
const DAYS: u64 = if cfg!(debug_assertions) { 1 } else { 7 };

#[test]
fn a_quiet_desktop_and_an_exposed_host_get_no_popup_by_a_rule() {
    for (name, history) in [("desktop", History { days: DAYS, ..desktop::WEEK }), ("exposed", History { days: 2 * DAYS, ..exposed::MONTH })]
    {
        let mut with = engine();
        let said = history.judge(1, &mut with);
        let popups =
            |said: &[Finding]| popups(said).into_iter().map(|finding| (finding.kind, finding.source, finding.at)).collect::<Vec<_>>();
        let without = history.judge(1, &mut Engine::new(Config::default(), [7; 16]));
        assert_eq!(popups(&said), popups(&without), "{name}");
        assert!(popups(&said).iter().all(|(kind, ..)| *kind != Kind::Signature), "{name}");
        // And nothing in the digest: a rule that finds the everyday packets of a desktop is wrong.
        assert!(name != "desktop" || said.iter().all(|finding| finding.kind != Kind::Signature), "{:?}", hits(&with));
        // They were looked at: an exposed host is scanned by tools that can be told.
        assert_eq!(hits(&with).contains_key("zmap-syn"), name == "exposed", "{:?}", hits(&with));
    }
}

#[test]
fn recorded_attacks_are_called_by_their_names() {
    for (capture, expected) in [
        ("os", &["nmap-os-ie1", "nmap-os-ie2", "nmap-os-u1", "nmap-os-t4-t6", "nmap-os-t7"][..]),
        ("more/v6-os", &["nmap-os6-echo", "nmap-os6-udp"]),
        ("land", &["land-attack", "same-source-and-destination"]),
        ("null", &["null-scan"]),
        ("fin", &["fin-scan"]),
        ("v6-xmas", &["xmas-scan"]),
        ("synfin", &["syn-fin-scan"]),
        ("masscan", &["masscan-syn"]),
        ("zmap", &["zmap-syn"]),
        ("hping-syn", &["hping-syn"]),
        ("srcport53", &["service-source-port"]),
        ("ping-types", &["icmp-timestamp-request", "icmp-address-mask-request"]),
        ("proto", &["unassigned-protocol", "gre-from-internet", "ipip-from-internet", "sixinfour-from-internet"]),
        ("more/ipopts", &["record-route"]),
        ("odd-packets", &["port-zero-tcp", "port-zero-udp", "full-xmas-scan", "icmp-unassigned-type", "icmp-redirect-from-internet"]),
        ("backdoor", &["slammer", "back-orifice", "netbus", "subseven"]),
        ("quiet-one", &["telnet", "smb-worm", "svc-rdp", "svc-vnc", "svc-redis"]),
    ] {
        let (hits, _) = seen(capture);
        for id in expected {
            assert!(hits.contains_key(*id), "{capture}: no {id} in {hits:?}");
        }
    }
}

#[test]
fn os_detection_is_told_at_the_severity_of_its_rules() {
    let (_, said) = seen("os");
    assert_eq!(said.iter().map(|finding| finding.severity).max(), Some(4));
    assert!(said.iter().any(|finding| finding.signatures.iter().any(|signature| signature.id == "nmap-os-u1")), "{said:?}");
}
