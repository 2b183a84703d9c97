//! Every recorded scan gets the verdict that a person should see, and nothing harmless gets one.
//!
//! `docs/COVERAGE.md` holds the verdicts. What must hold whatever that table says is asserted here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use firebell_engine::finding::{Delivery, Kind};
use firebell_tests::{
    corpus::{self, Label},
    coverage::{rows, verdict::source},
    replay::{Story, findings, stories},
};
use std::{collections::BTreeMap, sync::LazyLock};

/// Verdicts on each capture, by name.
static VERDICTS: LazyLock<BTreeMap<String, Vec<Story>>> = LazyLock::new(|| {
    let read = |capture: String| {
        let lines = corpus::lines(&capture, "kmsg").unwrap().unwrap();
        let stories = stories(&findings(&lines));
        (capture, stories)
    };
    let all = corpus::captures().unwrap().into_iter().chain(corpus::more().unwrap());
    all.filter(|capture| capture != "edge").map(read).collect()
});

fn labels() -> Vec<Label> {
    rows::captures().unwrap()
}

/// The kind that each type of scan must be called, whatever the table says.
fn kind(scan_type: &str) -> Option<Kind> {
    Some(match scan_type {
        "tcp-syn"
        | "tcp-syn-slow"
        | "tcp-syn-no-options"
        | "tcp-syn-fragments"
        | "tcp-syn-source-port-53"
        | "tcp-syn-low-ttl"
        | "tcp-syn-data"
        | "tcp-syn-forward"
        | "tcp-syn-masscan"
        | "tcp-syn-ipv6-extension-headers"
        | "tcp-syn-fin"
        | "tcp-odd-flags"
        | "version"
        | "backdoor-probes" => Kind::SynScan,
        "tcp-connect" => Kind::ConnectScan,
        "tcp-fin" => Kind::FinScan,
        "tcp-xmas" => Kind::XmasScan,
        "tcp-null" => Kind::NullScan,
        "tcp-ack" | "tcp-window" | "tcp-ack-source-port" => Kind::AckScan,
        "tcp-maimon" | "tcp-maimon-source-port" => Kind::MaimonScan,
        "udp" | "udp-source-port" => Kind::UdpScan,
        "ip-protocol" => Kind::ProtocolScan,
        "os-detection" => Kind::OsDetection,
        "tcp-syn-decoys" => Kind::DecoyScan,
        "tcp-syn-distributed" | "tcp-syn-spoofed" => Kind::DistributedScan,
        "icmp-sweep" | "icmp-types" => Kind::PingSweep,
        "tcp-port-sweep" | "tcp-syn-zmap" => Kind::PortSweep,
        "tcp-syn-flood" => Kind::Flood,
        "mirai-like" => Kind::InsistentTries,
        _ => return None,
    })
}

/// Scans that are told in the digest: sweeps from the Internet, which every host sees all day, and insistent knocking.
const DIGESTED: [&str; 5] = ["icmp-sweep", "icmp-types", "tcp-port-sweep", "tcp-syn-zmap", "mirai-like"];
/// Attacks of a packet or two, which only signatures can tell.
const FOR_SIGNATURES: [&str; 1] = ["land"];

#[test]
fn every_scan_is_one_incident_of_its_kind() {
    for Label { capture, scan_type, expect, .. } in labels() {
        if expect != "alert" || FOR_SIGNATURES.contains(&scan_type.as_str()) {
            continue;
        }
        // What is only written to the history beside it nobody sees.
        let told: Vec<_> = VERDICTS[&capture].iter().filter(|story| story.last.severity > 1).collect();
        let [story] = told.as_slice() else { panic!("{capture}: not one incident: {told:#?}") };
        let last = &story.last;
        if let Some(kind) = kind(&scan_type) {
            assert_eq!(last.kind, kind, "{capture}");
        }
        let is_digested = DIGESTED.contains(&scan_type.as_str());
        assert!(last.delivery == Delivery::Popup || (is_digested && last.delivery == Delivery::Digest), "{capture}");
    }
}

/// DETECTION targets: distinct contacts at the first popup.
#[test]
fn a_scan_is_told_at_its_seventh_contact_and_an_illegal_one_at_its_second() {
    for Label { capture, scan_type, .. } in labels() {
        let most = match kind(&scan_type) {
            _ if matches!(scan_type.as_str(), "tcp-syn-fin" | "tcp-odd-flags") => 2,
            _ if scan_type.ends_with("-source-port") => 15,
            Some(Kind::FinScan | Kind::NullScan | Kind::XmasScan) => 2,
            Some(Kind::SynScan | Kind::ConnectScan | Kind::AckScan | Kind::MaimonScan | Kind::ProtocolScan | Kind::OsDetection) => 7,
            Some(Kind::UdpScan) => 9,
            _ => continue,
        };
        let story = VERDICTS[&capture].iter().find(|story| story.last.severity > 1).unwrap_or_else(|| panic!("{capture}"));
        let popup = story.popup.as_ref().unwrap_or_else(|| panic!("{capture}: no popup"));
        assert!(popup.contacts <= most, "{capture}: {} contacts at the popup", popup.contacts);
        assert!(story.updates <= 3, "{capture}: {} updates", story.updates);
    }
}

#[test]
fn nothing_harmless_is_told() {
    let mut quiet = 0;
    for Label { capture, expect, .. } in labels() {
        if expect == "quiet" {
            quiet += 1;
            assert!(VERDICTS[&capture].iter().all(|story| story.last.severity < 2), "{capture}: {:#?}", VERDICTS[&capture]);
        }
    }
    assert!(quiet >= 11, "{quiet}");
}

/// The labels say which tool it was.
#[test]
fn no_tool_is_named_that_did_not_send() {
    let mut named = 0;
    for Label { capture, tool: sender, .. } in labels() {
        for story in &VERDICTS[&capture] {
            if let Some(tool) = story.last.tool {
                assert_eq!(tool.name, sender, "{capture}");
                named += 1;
            }
        }
    }
    assert!(named > 70, "{named}");
}

/// By name, what does not hang on how exactly a form keeps the time.
fn essence(story: &Story) -> (Kind, u8, Delivery, String, Option<&'static str>, u32, Option<u32>) {
    let last = &story.last;
    let popup = story.popup.as_ref().map(|popup| popup.contacts);
    (last.kind, last.severity, last.delivery, source(last), last.tool.map(|tool| tool.name), last.contacts, popup)
}

#[test]
fn the_four_forms_of_a_capture_get_the_same_verdict() {
    let mut compared = 0;
    for (capture, kmsg) in &*VERDICTS {
        for form in &corpus::FORMS[1..] {
            let Some(lines) = corpus::lines(capture, form).unwrap() else { continue };
            let other = stories(&findings(&lines));
            let kmsg: Vec<_> = kmsg.iter().map(essence).collect();
            assert_eq!(kmsg, other.iter().map(essence).collect::<Vec<_>>(), "{capture}.{form}");
            compared += 1;
        }
    }
    assert!(compared > 240, "{compared}");
}

#[test]
fn the_same_lines_give_the_same_findings() {
    for capture in ["syn", "decoys", "distributed", "synflood"] {
        let lines = corpus::lines(capture, "kmsg").unwrap().unwrap();
        assert_eq!(format!("{:?}", findings(&lines)), format!("{:?}", findings(&lines)), "{capture}");
    }
}
