//! `firebell analyze --compare` as people call it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn corpus(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus").join(file).display().to_string()
}

fn analyze(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firebell")).arg("analyze").args(arguments).stdin(Stdio::null()).output().unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn config(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

fn comparison(arguments: &[&str]) -> Value {
    let output = analyze(&[&["-o", "json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["comparison"].clone()
}

#[test]
fn a_higher_threshold_loses_the_alert_and_a_lower_one_tells_it_earlier() {
    let folder = Folder::new();
    let deaf = folder.config("deaf.toml", "[detect.fast-scan]\nenabled = false\n[detect.slow-scan]\nenabled = false\n");
    let keen = folder.config("keen.toml", "[detect.fast-scan]\nthreshold = 4.0\n");
    let log = corpus("dev/version.kmsg.log");

    let gone = comparison(&["--compare", &deaf, &log]);
    assert_eq!((&gone["before"]["popups"], &gone["after"]["alerts"]), (&json!(1), &json!(0)));
    assert_eq!((&gone["changes"][0]["change"], &gone["changes"][0]["before"]["kind"]), (&json!("gone"), &json!("syn-scan")));
    assert_eq!(gone["changes"][0]["after"], Value::Null);

    let changed = comparison(&["--config", &deaf, "--compare", &keen, &log]);
    assert_eq!((&changed["changes"][0]["change"], &changed["before"]["config"]), (&json!("new"), &json!(deaf)));

    let earlier = comparison(&["--compare", &keen, &log])["changes"][0].clone();
    assert_eq!(earlier["change"], "changed");
    assert!(earlier["differs"].as_array().unwrap().contains(&json!("contacts_at_open")), "{earlier}");
    assert_eq!((&earlier["before"]["contacts_at_open"], &earlier["after"]["contacts_at_open"]), (&json!(7), &json!(3)));
}

#[test]
fn a_set_of_sources_is_the_same_set_with_another_configuration() {
    let folder = Folder::new();
    let louder = folder.config("louder.toml", "[detect.decoys]\nseverity = 5\n");
    let found = comparison(&["--compare", &louder, &corpus("dev/decoys.kmsg.log")]);
    assert_eq!(found["changes"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["changes"][0]["differs"], json!(["severity"]));
}

#[test]
fn equal_configurations_differ_in_nothing() {
    let folder = Folder::new();
    let same = folder.config("same.toml", "");
    let logs = ["dev/syn.kmsg.log", "dev/decoys.kmsg.log", "dev/quiet-late.kmsg.log"].map(corpus);
    let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
    let found = comparison(&[&["--compare", &same], logs.as_slice()].concat());
    assert_eq!((&found["changes"], &found["same"]), (&json!([]), &found["before"]["alerts"]));
    let text = String::from_utf8(analyze(&[&["--compare", &same], logs.as_slice()].concat()).stdout).unwrap();
    assert!(text.contains("No difference"), "{text}");
}

#[test]
fn people_read_what_came_went_and_changed() {
    let folder = Folder::new();
    let other = folder.config("other.toml", "[lists]\ntrusted = [\"198.51.100.66\"]\n");
    let said = analyze(&["--compare", &other, &corpus("dev/xmas.kmsg.log")]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.starts_with("before: 1 alerts, 1 as popup, 0 in the digest  (the defaults)\nafter:  0 alerts"), "{text}");
    assert!(text.contains("\nGone\n  - "), "{text}");
    let lines = analyze(&["-o", "jsonl", "--compare", &other, &corpus("dev/xmas.kmsg.log")]).stdout;
    let change: Value = serde_json::from_slice(&lines).unwrap();
    assert_eq!(change["change"], "gone");
}

#[test]
fn what_can_be_read_only_once_is_refused() {
    let folder = Folder::new();
    let other = folder.config("other.toml", "");
    let said = analyze(&["--compare", &other, "-"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("- can be read only once"), "{said:?}");
    let bad = folder.config("bad.toml", "[detect.fast-scan]\nthreshhold = 4.0\n");
    let said = analyze(&["--compare", &bad, &corpus("dev/xmas.kmsg.log")]);
    assert_eq!(said.status.code(), Some(78));
    let said = analyze(&["--packets", "--compare", &other, &corpus("dev/xmas.kmsg.log")]);
    assert_eq!(said.status.code(), Some(2));
}
