//! `firebell rules`, as a person runs it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn firebell(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firebell")).args(arguments).env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A file with the template, in which `from` stands as `to`.
fn template(folder: &Path, from: &str, to: &str) -> String {
    let text = out(&firebell(&["rules", "new"]));
    assert!(text.contains(from));
    let path = folder.join("mine.toml");
    fs::write(&path, text.replace(from, to)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_template_is_a_rule_file_without_mistake_whose_tests_pass() {
    let dir = tempfile::tempdir().unwrap();
    let path = template(dir.path(), "", "");
    let check = firebell(&["rules", "check", &path]);
    assert_eq!((code(&check), out(&check).as_str()), (0, "no mistake: 1 rule\n"), "{}", err(&check));
    let test = firebell(&["rules", "test", &path]);
    assert_eq!((code(&test), out(&test).as_str()), (0, "2 tests of 1 rule: 0 failed\n"), "{}", err(&test));
    // What it shows in comments is valid as well.
    let dir = tempfile::tempdir().unwrap();
    let path = template(dir.path(), "# [[sid]]\n# number = 1234\n# title", "[[sid]]\nnumber = 1234\ntitle");
    assert_eq!(code(&firebell(&["rules", "check", &path])), 0);
}

#[test]
fn a_test_that_fails_names_rule_place_and_reason_and_ends_with_1() {
    let dir = tempfile::tempdir().unwrap();
    let path = template(dir.path(), "DPT=82", "DPT=81");
    let text = fs::read_to_string(&path).unwrap();
    let path_of = |text: &str| {
        fs::write(&path, text).unwrap();
        path.clone()
    };
    let test = firebell(&["rules", "test", &path_of(&text.replace("at-least = 3", "at-least = 4"))]);
    assert_eq!(code(&test), 1);
    let line = text.lines().position(|line| line.starts_with("[[rule.test]]")).unwrap() + 1;
    let expected = format!("{path}:{line}: my-first-rule: the rule has to fit the last line, and does not");
    assert!(err(&test).contains(&expected), "{} is not {expected}", err(&test));
    let json = firebell(&["rules", "test", &path, "-o", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["tests"], &json["failures"][0]["line"]), (&2.into(), &line.into()));
}

#[test]
fn a_mistake_is_shown_where_it_is_and_ends_with_78() {
    let dir = tempfile::tempdir().unwrap();
    let path = template(dir.path(), "dport = [81, ", "dport = [81000, ");
    for command in ["check", "test"] {
        let output = firebell(&["rules", command, &path]);
        assert_eq!(code(&output), 78);
        assert!(
            err(&output).contains(": 81000 is out of range for dport; use 0 to 65535") && err(&output).contains('^'),
            "{}",
            err(&output)
        );
    }
    let json: Value = serde_json::from_slice(&firebell(&["rules", "check", "-o", "json", &path]).stdout).unwrap();
    assert_eq!((&json["ok"], json["problems"].as_array().unwrap().len()), (&false.into(), 1));
    assert_eq!(code(&firebell(&["rules", "check", "/nowhere.toml"])), 78);
    assert_eq!(code(&firebell(&["rules", "check"])), 2);
}

#[test]
fn the_rules_of_a_folder_are_listed_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = template(dir.path(), "", "");
    let folder = dir.path().to_str().unwrap();
    let config = dir.path().join("firebell.conf");
    fs::write(&config, "[signatures]\nfolders = []\n").unwrap();
    let config = config.to_str().unwrap();
    let list = firebell(&["rules", "list", "--signatures", folder, "--config", config]);
    assert_eq!(out(&list), "3  sure    my-first-rule  Somebody tries the old camera\n1 rule from 1 file, 1 in force\n", "{}", err(&list));
    let show = out(&firebell(&["rules", "show", "my-first-rule", "--signatures", folder, "--config", config]));
    for part in [
        "The camera on this port",
        "ATT&CK T1595.002: Vulnerability Scanning",
        "CVE-2017-8225",
        "counts 3 different",
        &path,
        "at-least = 3",
    ] {
        assert!(show.contains(part), "{part}: {show}");
    }
    let json = firebell(&["rules", "show", "my-first-rule", "--signatures", folder, "--config", config, "-o", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["severity"], &json["line"]), (&3.into(), &4.into()));
    assert!(json["text"].as_str().unwrap().starts_with("[[rule]]\nid = \"my-first-rule\""));
    let missing = firebell(&["rules", "show", "nothing", "--signatures", folder, "--config", config]);
    assert_eq!((code(&missing), err(&missing).as_str()), (1, "firebell: there is no rule nothing; firebell rules list names them\n"));
}

#[test]
fn the_shipped_rules_pass_their_tests_and_the_document_lists_them() {
    let test = firebell(&["rules", "test", "--shipped"]);
    assert_eq!(code(&test), 0, "{}", err(&test));
    let listed = firebell(&["rules", "list", "--shipped", "-o", "markdown"]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/RULES.md");
    if std::env::var_os("FIREBELL_BLESS").is_some() {
        fs::write(&path, out(&listed)).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept == out(&listed), "docs/RULES.md is not what the rule files say; FIREBELL_BLESS=1 cargo test rewrites it");
}

#[test]
fn without_a_collector_stats_ends_with_69() {
    let stats = firebell(&["rules", "stats"]);
    assert_eq!(code(&stats), 69, "{}", err(&stats));
    assert!(err(&stats).starts_with("firebell: the system bus cannot be reached"), "{}", err(&stats));
}

#[test]
fn analyze_tells_what_a_rule_knows_and_how_often() {
    let dir = tempfile::tempdir().unwrap();
    let rule = "[[rule]]\nid = \"two\"\ntitle = \"Two\"\nseverity = 4\nconfidence = \"sure\"\ncategory = \"malware\"\nwhy = \"A test.\"\n[rule.match]\ndport = 4242\n";
    fs::write(dir.path().join("two.toml"), rule).unwrap();
    let log = dir.path().join("kern.log");
    let line = |port: u16| {
        format!(
            "[{port}.5] DROP IN=eth0 OUT= SRC=198.51.100.7 DST=192.168.1.20 LEN=60 TTL=50 ID=1 PROTO=TCP SPT=4 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0\n"
        )
    };
    fs::write(&log, line(4241) + &line(4242) + &line(4242)).unwrap();
    let arguments = ["analyze", "-o", "json", "--signatures", dir.path().to_str().unwrap(), log.to_str().unwrap()];
    let output = firebell(&arguments);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", err(&output)));
    let source = &json["sources"][0];
    assert_eq!(source["signatures"], serde_json::json!([{ "id": "two", "title": "Two", "count": 2 }]), "{json:#}");
    assert_eq!((&source["severity"], &json["alerts"][0]["kind"]), (&4.into(), &"signature".into()));
}
