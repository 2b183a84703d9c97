//! `firebell explain` as people call it, and `docs/EXPLAIN.md`, which it writes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use firebell_traffic::{MINUTE, SECOND, line, stack_tcp, syn, tcp, v4};
use serde_json::{Value, json};
use std::{
    env,
    fmt::Write as _,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const HOST: IpAddr = v4(198, 51, 100, 10);
const ATTACKER: IpAddr = v4(203, 0, 113, 9);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn firebell(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firebell")).args(arguments).current_dir(root()).stdin(Stdio::null()).output().unwrap()
}

fn explain(arguments: &[&str]) -> String {
    let output = firebell(&[&["explain", "--file"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn document(arguments: &[&str]) -> Value {
    serde_json::from_str(&explain(&[arguments, &["-o", "json"]].concat())).unwrap()
}

/// A log of these packets, one every so many microseconds.
fn made_up(folder: &Path, name: &str, gap: u64, texts: &[String]) -> String {
    let path = folder.join(name);
    let log: String = (0_u64..).zip(texts).map(|(n, text)| format!("4,{n},{},-;{text}\n", (n + 1) * gap)).collect();
    fs::write(&path, log).unwrap();
    path.display().to_string()
}

/// A log for each kind of alert: its name for people, and where it is.
fn logs(folder: &Path) -> Vec<(&'static str, String, String)> {
    let mut logs: Vec<_> = [
        ("syn-scan", "version"),
        ("connect-scan", "connect"),
        ("fin-scan", "fin"),
        ("null-scan", "null"),
        ("xmas-scan", "xmas"),
        ("ack-scan", "window"),
        ("maimon-scan", "maimon"),
        ("udp-scan", "udp"),
        ("protocol-scan", "proto"),
        ("ping-sweep", "ping-sweep"),
        ("port-sweep", "portsweep"),
        ("decoy-scan", "decoys"),
        ("distributed-scan", "distributed"),
        ("os-detection", "os"),
        ("flood", "synflood"),
        ("insistent-tries", "mirai"),
        ("signature", "land"),
    ]
    .map(|(kind, capture)| {
        let path = format!("tests/corpus/dev/{capture}.kmsg.log");
        (kind, path.clone(), path)
    })
    .to_vec();
    let slow: Vec<_> = (1..14).map(|port| line::line(&syn(ATTACKER, 40_000, HOST, port))).collect();
    let answers: Vec<_> = (0..25).map(|n| line::line(&tcp(ATTACKER, 443, HOST, 2000 + n * 7, 0b1_0010))).collect();
    let own: Vec<_> = (1..13)
        .map(|n| {
            let text = line::line(&stack_tcp(HOST, 40_000 + u16::from(n), v4(192, 0, 2, n), 445, 2));
            text.replace("IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:08:00", "IN= OUT=eth0") + "UID=1000 GID=1000 "
        })
        .collect();
    let limited: Vec<_> = (1..25).map(|n| line::line(&syn(v4(203, 0, n, 9), 40_000, HOST, 443))).collect();
    for (kind, gap, texts, what) in [
        ("slow-scan", 5 * MINUTE, slow, "thirteen ports, one in five minutes"),
        ("backscatter", SECOND, answers, "25 SYN-ACKs from one port"),
        ("egress-scan", SECOND, own, "this host asks twelve others for port 445"),
        ("visibility", 20 * SECOND, limited, "one line in 20 seconds, from one source after the other"),
    ] {
        logs.push((kind, made_up(folder, kind, gap, &texts), format!("made up: {what}")));
    }
    logs
}

/// The output without the lines of the log, which are long.
fn without_lines(text: &str) -> &str {
    text.split("\nIts lines\n").next().unwrap().trim_end()
}

const HEAD: &str = "\
# Why there is an alert, and why there is none

`firebell explain --file LOG` tells what each detector counted of a source, beside the number at which it speaks; which were near; what would have
silenced the alert; and why nothing is told where nothing is. `--source` names the source, `--line` a line of the log; else it is the source of the
worst alert, or the busiest one. `firebell explain ID` asks the running collector about one of its alerts. `-o json` has the same as one document,
and the first lines of the source, which are left out here.

What would have silenced an alert is tried before it is said: the log is judged again with it, and nothing is told. All lines of *parameters* belong
together. Numbers are the highest that a detector came to, not those of the moment of the alert.

A test of `make check` writes this page (`FIREBELL_BLESS=1 cargo test -p firebell-cli --test explain`): one alert of each kind, and each recording of
harmless traffic.

";

fn page() -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut out = HEAD.to_owned();
    for (kind, path, name) in logs(folder.path()) {
        let text = explain(&[&path]);
        assert!(text.lines().any(|line| line.starts_with(&format!("{kind} "))), "{kind}: {text}");
        writeln!(out, "## {kind}\n\n{name}\n\n```\n{}\n```\n", without_lines(&text)).unwrap();
    }
    out.push_str("# Why nothing is told\n\n");
    let mut quiet: Vec<_> =
        fs::read_dir(root().join("tests/corpus/dev")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    quiet.retain(|name| name.starts_with("quiet-") && name.ends_with(".kmsg.log"));
    quiet.sort();
    assert!(quiet.len() >= 11, "{quiet:?}");
    for name in quiet {
        let path = format!("tests/corpus/dev/{name}");
        let text = explain(&[&path]);
        assert!(text.contains("Why nothing is told"), "{text}");
        writeln!(out, "## {}\n\n{path}\n\n```\n{}\n```\n", name.trim_end_matches(".kmsg.log"), without_lines(&text)).unwrap();
    }
    out
}

#[test]
fn the_page_of_explanations_is_what_the_command_says() {
    let path = root().join("docs/EXPLAIN.md");
    let now = page();
    if env::var_os("FIREBELL_BLESS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    for (n, (kept, now)) in kept.lines().zip(now.lines()).enumerate() {
        assert_eq!(kept, now, "docs/EXPLAIN.md:{}; FIREBELL_BLESS=1 accepts it", n + 1);
    }
    assert_eq!(kept.lines().count(), now.lines().count());
}

#[test]
fn whatever_would_have_silenced_an_alert_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    let few = ["syn-scan", "decoy-scan", "flood", "slow-scan", "egress-scan", "insistent-tries"];
    for (kind, path, _) in logs(folder.path()).into_iter().filter(|(kind, ..)| few.contains(kind)) {
        let found = document(&[&path]);
        let ways = found["silenced_by"].as_array().unwrap();
        assert!(ways.len() >= 2, "{kind}: {found}");
        for way in ways {
            let config = folder.path().join("way.toml");
            fs::write(&config, way["toml"].as_str().unwrap()).unwrap();
            let silenced = document(&[&path, "--source", found["source"].as_str().unwrap(), "--config", config.to_str().unwrap()]);
            let told = |alert: &Value| alert["severity"].as_u64() > Some(1);
            assert!(!silenced["alerts"].as_array().unwrap().iter().any(told), "{kind}: {way}");
            tried += 1;
        }
    }
    assert!(tried >= 15, "{tried}");
}

#[test]
fn a_line_is_explained_with_its_source() {
    let path = "tests/corpus/dev/quiet-late.kmsg.log";
    let found = document(&[path, "--line", "3"]);
    assert_eq!((&found["line"]["class"], &found["line"]["number"]), (&json!("late_reply"), &json!(3)));
    assert_eq!((&found["source"], &found["packets"], &found["alerts"]), (&json!("198.51.100.66"), &json!(18), &json!([])));
    assert_eq!(found["classes"], json!({"backscatter": 6, "late_reply": 12}));
    assert_eq!(found["lines"].as_array().unwrap().len() as u64 + found["lines_left_out"].as_u64().unwrap(), 18);
    assert!(found["why_not"][1].as_str().unwrap().contains("late replies"), "{found}");
}

#[test]
fn detectors_say_what_they_counted_and_who_spoke() {
    let found = document(&["tests/corpus/dev/version.kmsg.log"]);
    let of = |name: &str| found["detectors"].as_array().unwrap().iter().find(|row| row["detector"] == name).unwrap().clone();
    let fast = of("fast-scan");
    assert_eq!((&fast["state"], &fast["line"], &fast["parameter"]), (&json!("spoke"), &json!(7), &json!("detect.fast-scan.threshold")));
    assert!(fast["value"].as_f64().unwrap() > 22.0);
    assert_eq!((&of("distributed")["state"], &of("sweep")["state"]), (&json!("nearly"), &json!("silent")));
}

#[test]
fn a_source_that_is_trusted_or_not_there_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("trust.toml");
    fs::write(&config, "[lists]\ntrusted = [\"198.51.100.66\"]\n").unwrap();
    let text = explain(&["tests/corpus/dev/syn-slow.kmsg.log", "--config", config.to_str().unwrap()]);
    assert!(text.contains("The configuration trusts this source."), "{text}");
    for (arguments, why) in
        [(vec!["--source", "192.0.2.99"], "no firewall line of 192.0.2.99"), (vec!["--line", "100000"], "is no firewall line")]
    {
        let output = firebell(&[vec!["explain", "--file", "tests/corpus/dev/syn-slow.kmsg.log"], arguments].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{output:?}");
    }
    assert_eq!(firebell(&["explain"]).status.code(), Some(2));
    assert_eq!(firebell(&["explain", "7", "--file", "x"]).status.code(), Some(2));
}

#[test]
fn without_a_collector_it_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_firebell"))
        .args(["explain", "7"])
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}
