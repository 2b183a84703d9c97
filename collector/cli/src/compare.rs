//! What another configuration would say of the same log.

use crate::{report::Alert, times};
use anyhow::{Context as _, ensure};
use firebell_shared::text::thousands;
use serde::Serialize;
use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The difference in alerts between two configurations.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    before: Side,
    after: Side,
    /// Alerts that are the same with both.
    same: usize,
    /// In the order in which they opened.
    pub(crate) changes: Vec<Change>,
}

/// One of the two configurations.
#[derive(Debug, Serialize)]
struct Side {
    /// Its file; `None`: the defaults.
    config: Option<String>,
    alerts: usize,
    popups: usize,
    digests: usize,
}

/// An alert that only one of them gives, or each in its own way.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    change: Kind,
    /// What is different, by the names of an alert's fields; empty where only one side has it.
    differs: Vec<&'static str>,
    before: Option<Alert>,
    after: Option<Alert>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Gone,
    New,
    Changed,
}

/// The log is read once with each configuration: what can only be read once will not do.
///
/// # Errors
/// With the name of the first such input.
pub(crate) fn check(files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        let is_standard_input = file.as_os_str() == "-";
        let metadata =
            if is_standard_input { None } else { Some(fs::metadata(file).with_context(|| format!("cannot open {}", file.display()))?) };
        let is_file = metadata.is_some_and(|metadata| metadata.is_file());
        ensure!(is_file, "--compare reads the log twice, and {} can be read only once: save it to a file first", file.display());
    }
    Ok(())
}

impl Comparison {
    /// Compares the alerts of one configuration (`None`: the defaults) with those of another.
    ///
    /// Two alerts are the same incident when their sources are the same and their times overlap. Numbers mean nothing:
    /// each engine counts on its own.
    pub(crate) fn new(before: &[Alert], after: &[Alert], before_config: Option<&Path>, after_config: &Path) -> Self {
        let mut waiting: HashMap<&str, Vec<&Alert>> = HashMap::new();
        for alert in after {
            waiting.entry(&alert.source).or_default().push(alert);
        }
        let mut same = 0;
        let mut changes = Vec::new();
        for alert in before {
            let Some(other) = waiting.get_mut(alert.source.as_str()).and_then(|others| take_match(alert, others)) else {
                changes.push(Change { change: Kind::Gone, differs: Vec::new(), before: Some(alert.clone()), after: None });
                continue;
            };
            let differs = differences(alert, other);
            if differs.is_empty() {
                same += 1;
            } else {
                changes.push(Change { change: Kind::Changed, differs, before: Some(alert.clone()), after: Some(other.clone()) });
            }
        }
        let new = waiting.into_values().flatten();
        changes.extend(new.map(|alert| Change { change: Kind::New, differs: Vec::new(), before: None, after: Some(alert.clone()) }));
        changes.sort_by_key(|change| {
            let alert = change.either();
            (alert.map(|alert| (alert.opened, alert.id)), change.before.is_none())
        });
        let side = |config: Option<&Path>, alerts: &[Alert]| Side {
            config: config.map(|path| path.display().to_string()),
            alerts: alerts.len(),
            popups: alerts.iter().filter(|alert| alert.delivery == "popup").count(),
            digests: alerts.iter().filter(|alert| alert.delivery == "digest").count(),
        };
        Self { before: side(before_config, before), after: side(Some(after_config), after), same, changes }
    }

    /// For people. Writing into memory does not fail.
    pub(crate) fn text(&self, into: &mut Vec<u8>) {
        for (word, side) in [("before:", &self.before), ("after: ", &self.after)] {
            let [alerts, popups, digests] = [side.alerts, side.popups, side.digests].map(|count| thousands(count as u64));
            let config = side.config.as_deref().unwrap_or("the defaults");
            let _ = writeln!(into, "{word} {alerts} alerts, {popups} as popup, {digests} in the digest  ({config})");
        }
        if self.changes.is_empty() {
            let _ = writeln!(into, "\nNo difference");
            return;
        }
        for (kind, sign, title) in [(Kind::Gone, '-', "Gone"), (Kind::New, '+', "New"), (Kind::Changed, '~', "Changed")] {
            let mut changes = self.changes.iter().filter(|change| change.change == kind).peekable();
            if changes.peek().is_some() {
                let _ = writeln!(into, "\n{title}");
            }
            for change in changes {
                change.text(into, sign);
            }
        }
        if self.same > 0 {
            let _ = writeln!(into, "\n{} the same", thousands(self.same as u64));
        }
    }
}

impl Change {
    fn either(&self) -> Option<&Alert> {
        self.before.as_ref().or(self.after.as_ref())
    }

    fn text(&self, into: &mut Vec<u8>, sign: char) {
        let Some(alert) = self.either() else { return };
        let _ = writeln!(into, "  {sign} {}  {}  {:<6}  {}", times::plain(alert.opened.0), alert.severity, alert.delivery, alert.summary);
        if let (Some(before), Some(after)) = (&self.before, &self.after) {
            for field in &self.differs {
                // A summary holds the numbers that are told beside it.
                if *field != "summary" || self.differs.len() == 1 {
                    let _ = writeln!(into, "      {}: {} -> {}", field.replace('_', " "), value(before, field), value(after, field));
                }
            }
        }
    }
}

/// Takes the alert out of `others` that is the same incident: one that overlaps, and best of the same kind.
fn take_match<'a>(alert: &Alert, others: &mut Vec<&'a Alert>) -> Option<&'a Alert> {
    let overlaps = |other: &Alert| {
        let begins_before_end = |one: &Alert, end: &Alert| end.closed.is_none_or(|closed| one.opened <= closed);
        // What names no source is a set, or this host.
        let is_same_set = !alert.source.is_empty()
            || (alert.kind == other.kind && alert.sources.is_empty() && other.sources.is_empty())
            || alert.sources.iter().any(|source| other.sources.contains(source));
        is_same_set && begins_before_end(alert, other) && begins_before_end(other, alert)
    };
    let best = others.iter().enumerate().filter(|(_, other)| overlaps(other)).min_by_key(|(_, other)| other.kind != alert.kind);
    let index = best.map(|(index, _)| index)?;
    Some(others.remove(index))
}

/// The fields in which two alerts differ; their numbers do not count.
fn differences(one: &Alert, other: &Alert) -> Vec<&'static str> {
    FIELDS.into_iter().filter(|field| value(one, field) != value(other, field)).collect()
}

const FIELDS: [&str; 10] =
    ["severity", "kind", "delivery", "sources", "opened", "packet_at_open", "contacts_at_open", "updates", "closed", "summary"];

/// A field of an alert, for people.
fn value(alert: &Alert, field: &str) -> String {
    match field {
        "severity" => alert.severity.to_string(),
        "kind" => alert.kind.to_owned(),
        "delivery" => alert.delivery.to_owned(),
        "sources" => alert.sources.join(" "),
        "opened" => times::rfc3339(alert.opened.0),
        "packet_at_open" => alert.packet_at_open.to_string(),
        "contacts_at_open" => alert.contacts_at_open.to_string(),
        "updates" => alert.updates.to_string(),
        "closed" => alert.closed.map_or_else(|| "not".to_owned(), |closed| times::rfc3339(closed.0)),
        _ => alert.summary.clone(),
    }
}
