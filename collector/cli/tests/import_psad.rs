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
