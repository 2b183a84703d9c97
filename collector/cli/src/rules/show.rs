//! Rules in print: as a table, as JSON, as docs/RULES.md.

use firebell_collector::rules::{Entry, Rules};
use firebell_engine::signature::Count;
use serde_json::{Value, json as value};
use std::{io::Write as _, path::Path};

/// One document. Writing into memory does not fail, neither here nor below.
pub(super) fn json(out: &mut Vec<u8>, document: &Value) {
    let _ = serde_json::to_writer_pretty(&mut *out, document);
    out.push(b'\n');
}

pub(super) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn list_text(out: &mut Vec<u8>, rules: &Rules) {
    let width = rules.entries().iter().map(|entry| entry.rule.id.len()).max().unwrap_or(0);
    for Entry { rule, is_enabled, is_changed, .. } in rules.entries() {
        let mark = match (is_enabled, is_changed) {
            (false, _) => "  (off)",
            (true, true) => "  (changed)",
            (true, false) => "",
        };
        let _ = writeln!(out, "{}  {:<6}  {:<width$}  {}{mark}", rule.severity, rule.confidence.as_str(), rule.id, rule.title);
    }
    let in_force = rules.entries().iter().filter(|entry| entry.is_enabled).count();
    let (all, files) = (plural(rules.entries().len(), "rule"), plural(rules.files().len(), "file"));
    let _ = writeln!(out, "{all} from {files}, {in_force} in force");
}

pub(super) fn list_json(out: &mut Vec<u8>, rules: &Rules) {
    json(out, &value!({ "rules": rules.entries().iter().map(document).collect::<Vec<_>>() }));
}

pub(super) fn rule_json(out: &mut Vec<u8>, entry: &Entry) {
    let mut document = document(entry);
    if let Some(object) = document.as_object_mut() {
        object.insert("text".to_owned(), entry.text.clone().into());
    }
    json(out, &document);
}

fn document(entry: &Entry) -> Value {
    let rule = &entry.rule;
    value!({
        "id": rule.id,
        "title": rule.title,
        "severity": rule.severity,
        "confidence": rule.confidence.as_str(),
        "category": rule.category.as_str(),
        "attack": rule.attack.iter().map(|technique| technique.id()).collect::<Vec<_>>(),
        "cve": rule.cve,
        "references": rule.references,
        "why": rule.why,
        "enabled": entry.is_enabled,
        "changed": entry.is_changed,
        "file": entry.place.file,
        "line": entry.place.line,
        "tests": entry.tests.len(),
    })
}

pub(super) fn rule_text(out: &mut Vec<u8>, entry: &Entry) {
    let rule = &entry.rule;
    let _ = writeln!(out, "{}: {}", rule.id, rule.title);
    let _ = writeln!(out, "{}", rule.why);
    let state = match (entry.is_enabled, entry.is_changed) {
        (false, _) => "not in force",
        (true, true) => "in force, changed by an override",
        (true, false) => "in force",
    };
    let _ = writeln!(out, "severity {}, {}, {}; {state}", rule.severity, rule.confidence.as_str(), rule.category.as_str());
    for technique in &rule.attack {
        let _ = writeln!(out, "ATT&CK {}: {}", technique.id(), technique.name());
    }
    for cve in &rule.cve {
        let _ = writeln!(out, "{cve}");
    }
    for reference in &rule.references {
        let _ = writeln!(out, "see {reference}");
    }
    if let Some(count) = &rule.count {
        let _ = writeln!(out, "counts {}", counted(count));
    }
    let _ = writeln!(out, "\n{}:\n\n{}", entry.place, entry.text.trim_end());
}

fn counted(count: &Count) -> String {
    let what = count.distinct.map_or_else(|| "packets".to_owned(), |distinct| format!("different values of {}", distinct.as_str()));
    format!("{} {what} in {} s for each {}", count.at_least, count.within.as_secs(), count.per.as_str())
}

/// docs/RULES.md, by file.
pub(super) fn list_markdown(out: &mut Vec<u8>, rules: &Rules) {
    let _ = writeln!(
        out,
        "# The shipped rules\n\n\
         Written by `firebell rules list --shipped -o markdown`; a test keeps it true (`FIREBELL_BLESS=1 cargo test -p firebell-cli`\n\
         rewrites it). The language is in [RULE-LANGUAGE.md](RULE-LANGUAGE.md), what a hit means in [DETECTION.md](DETECTION.md).\n\
         `firebell rules show ID` shows a rule with its reasons and its tests.\n\n{}.",
        plural(rules.entries().len(), "rule")
    );
    let mut file = Path::new("");
    for entry in rules.entries() {
        let rule = &entry.rule;
        if entry.place.file != file {
            file = &entry.place.file;
            let _ = writeln!(
                out,
                "\n## {}\n\n| id | title | severity | confidence | ATT&CK | source |\n| --- | --- | --- | --- | --- | --- |",
                file.display()
            );
        }
        let cell = |text: &str| text.replace('|', "\\|");
        let attack: Vec<&str> = rule.attack.iter().map(|technique| technique.id()).collect();
        let sources: Vec<String> = rule.cve.iter().chain(&rule.references).map(|text| cell(text)).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} |",
            rule.id,
            cell(&rule.title),
            rule.severity,
            rule.confidence.as_str(),
            attack.join(" "),
            sources.join("; ")
        );
    }
}
