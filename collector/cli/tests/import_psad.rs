//! `firebell rules import-psad`, as a person runs it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn firebell(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firebell")).args(arguments).output().unwrap()
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

const RULES: &str = "\
# Two that can be had, one that looks into packets, one that nobody understands.
alert udp $EXTERNAL_NET any -> $HOME_NET 31335 (msg:\"A daemon reports\"; dsize:>2; sid:7; psad_dl:3;)
alert tcp $EXTERNAL_NET any -> $HOME_NET 1433 (msg:\"A database\"; flags:S; sid:8;)
alert tcp any any -> any 80 (msg:\"A shell\"; content:\"/bin/sh\"; sid:9;)
alert tcp any any -> any 80 (msg:\"What\"; frobnicate:1; sid:10;)
";

#[test]
fn what_is_imported_is_a_rule_file_and_finds_packets() {
    let dir = tempfile::tempdir().unwrap();
    let (rules, folder) = (file(dir.path(), "signatures", RULES.as_bytes()), dir.path().join("rules.d"));
    let imported = firebell(&["rules", "import-psad", rules.to_str().unwrap()]);
    assert!(imported.status.success());
    let said = String::from_utf8(imported.stderr).unwrap();
    let told: Vec<_> = said.lines().map(|line| line.split_once("signatures:").unwrap().1).collect();
    assert_eq!(
        told,
        [
            "4: rule 9: refused: looks into the payload: content",
            "5: rule 10: refused: has a keyword without counterpart: frobnicate",
            " 2 converted, 2 refused: 1 looks into the payload; 1 has a keyword without counterpart"
        ]
    );
    fs::create_dir(&folder).unwrap();
    let psad = file(&folder, "psad.toml", &imported.stdout);
    assert!(firebell(&["rules", "check", psad.to_str().unwrap()]).status.success());

    let log = file(
        dir.path(),
        "log",
        b"[1.0] DROP IN=eth0 OUT= SRC=203.0.113.66 DST=198.51.100.10 LEN=35 TOS=0x00 PREC=0x00 TTL=52 ID=8271 PROTO=UDP SPT=41126 DPT=31335 LEN=15\n",
    );
    let found = firebell(&["analyze", "--signatures", folder.to_str().unwrap(), "-o", "json", log.to_str().unwrap()]);
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["sources"][0]["signatures"], serde_json::json!([{ "id": "sid-7", "title": "A daemon reports", "count": 1 }]));
}

#[test]
fn levels_of_rules_are_overrides_of_imported_rules() {
    let dir = tempfile::tempdir().unwrap();
    let rules = file(dir.path(), "signatures", RULES.as_bytes());
    let levels = file(dir.path(), "snort_rule_dl", b"7 5;\n8 0;\n");
    let of = |path: &Path| firebell(&["rules", "import-psad", path.to_str().unwrap()]).stdout;
    let (rules, levels) = (file(dir.path(), "a.toml", &of(&rules)), file(dir.path(), "b.toml", &of(&levels)));
    let checked = firebell(&["rules", "check", rules.to_str().unwrap(), levels.to_str().unwrap()]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_file_that_is_not_there_is_said() {
    let output = firebell(&["rules", "import-psad", "/nowhere/signatures"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot open /nowhere/signatures"));
    assert_eq!(firebell(&["rules", "import-psad", "--variable", "HOME NET", "x"]).status.code(), Some(2));
}

#[test]
fn a_folder_of_psad_is_taken_over_at_once_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let (psad, into) = (dir.path().join("psad"), dir.path().join("firebell"));
    fs::create_dir_all(psad.join("snort_rules")).unwrap();
    file(&psad, "psad.conf", b"HOME_NET 192.168.7.0/24;\nIGNORE_PORTS udp/5353;\nENABLE_AUTO_IDS Y;\n");
    file(&psad, "auto_dl", b"192.0.2.0/24 3 tcp/22;\nprinter 2;\n");
    file(&psad, "signatures", RULES.as_bytes());
    file(&psad, "snort_rule_dl", b"7 4;\n8 4;\n9999 1;\n");
    file(&psad.join("snort_rules"), "my own.rules", b"alert tcp any any -> any 99 (msg:\"Another\"; flags:S; window:17; sid:11;)\n");
    let import = |more: &[&str]| firebell(&[&["import-psad", psad.to_str().unwrap()], more].concat());

    // Only told.
    let told = import(&[]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success() && !into.exists());
    for part in [
        "would be conf.d/psad.toml",
        "printer",
        "HOME_NET 192.168.7.0/24 (line 1)",
        "no counterpart\n  ENABLE_AUTO_IDS Y (line 3)",
        "rule 8 only explains, so severity 2 instead of 4",
        "9999",
        "Nothing was written",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    // Written, and right.
    let done = import(&["--into", into.to_str().unwrap(), "-o", "json"]);
    assert!(done.status.success(), "{done:?}");
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["variables"].as_array().unwrap().len(), 3);
    let files: Vec<_> = report["files"].as_array().unwrap().iter().map(|made| made["file"].as_str().unwrap()).collect();
    let expected = ["conf.d/psad.toml", "rules.d/psad-signatures.toml", "rules.d/psad-snort-my-own.toml", "rules.d/psad-z-levels.toml"];
    assert_eq!(files, expected);
    let log = file(
        dir.path(),
        "log",
        b"[1.0] DROP IN=eth0 OUT= SRC=203.0.113.66 DST=192.168.7.9 LEN=35 TOS=0x00 PREC=0x00 TTL=52 ID=8271 PROTO=UDP SPT=41126 DPT=31335 LEN=15\n",
    );
    let conf = into.join(files[0]);
    let found = firebell(&[
        "analyze",
        "--config",
        conf.to_str().unwrap(),
        "--signatures",
        into.join("rules.d").to_str().unwrap(),
        "-o",
        "json",
        log.to_str().unwrap(),
    ]);
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["sources"][0]["signatures"][0]["id"], "sid-7", "{found}");
    // The level of snort_rule_dl, not that of the rule.
    let shown = firebell(&["rules", "show", "sid-7", "--signatures", into.join("rules.d").to_str().unwrap(), "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["severity"], 4, "{shown}");

    // A second time only when that is meant; a link in the way is replaced and not followed.
    let again = import(&["--into", into.to_str().unwrap()]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("--replace"), "{again:?}");
    let victim = file(dir.path(), "victim", b"mine");
    fs::remove_file(&conf).unwrap();
    std::os::unix::fs::symlink(&victim, &conf).unwrap();
    assert!(import(&["--into", into.to_str().unwrap(), "--replace"]).status.success());
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    assert!(fs::symlink_metadata(&conf).unwrap().is_file() && fs::read_to_string(&conf).unwrap().contains("192.168.7.0/24"));
}

#[test]
fn without_psad_it_says_what_it_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let output = firebell(&["import-psad", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("psad.conf"), "{output:?}");
}
