//! `firebell status`: is it at work, what does it read, what has it seen.

use super::{Form, ask, json, lines};
use crate::{Failure, times};
use clap::Args;
use firebell_shared::{alert::Alert, names::MAX_LIST};
use serde_json::{Map, Value, json as value};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use zbus::wire::OwnedVariant;

/// Tells how well the collector sees, what it has read and lost, and what is open now.
///
/// Exit status 1 when it is blind.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// text for people, json for one document with every counter.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// So much of the past is a picture of today.
const DAY: Duration = Duration::from_secs(86_400);
/// Lines of the list of what is open.
const SHOWN: usize = 8;

/// What was answered.
struct Answer {
    counters: BTreeMap<String, Value>,
    alerts: Vec<Alert>,
    more: bool,
}

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus, it does not serve this user, or it is blind.
pub(super) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    let since = SystemTime::now().checked_sub(DAY).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    let since = since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0));
    let (status, (wires, _, more)) = ask(async |collector| {
        let filter = HashMap::from([("since", since.into())]);
        Ok((collector.status().await?, collector.list_alerts(0, MAX_LIST, filter).await?))
    })?;
    let alerts = wires.into_iter().filter_map(|wire| Alert::from_wire(wire).ok()).collect();
    let answer = Answer { counters: status.iter().map(|(key, value)| (key.clone(), plain(value))).collect(), alerts, more };
    match arguments.output {
        Form::Json => json(out, &document(&answer)),
        Form::Text => lines(out, &text(&answer)),
    }
    if answer.word("health") == "blind" {
        return Err(Failure::Other(anyhow::anyhow!("the collector sees nothing: {}", answer.word("health_reason"))));
    }
    Ok(())
}

impl Answer {
    fn word(&self, key: &str) -> &str {
        self.counters.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, key: &str) -> u64 {
        self.counters.get(key).and_then(Value::as_u64).unwrap_or_default()
    }

    /// The open ones, the worst first.
    fn open(&self) -> Vec<&Alert> {
        let mut open: Vec<&Alert> = self.alerts.iter().filter(|alert| alert.is_open()).collect();
        open.sort_by_key(|alert| std::cmp::Reverse((alert.severity.get(), alert.details.last_seen)));
        open
    }

    fn by_severity(&self) -> [usize; 5] {
        let mut counts = [0; 5];
        for alert in &self.alerts {
            if let Some(count) = counts.get_mut(usize::from(alert.severity.get()) - 1) {
                *count += 1;
            }
        }
        counts
    }
}

/// A value of the bus, of a type that a newer collector may have added too.
pub(crate) fn plain(value: &OwnedVariant) -> Value {
    if let Ok(number) = u64::try_from(&**value) {
        number.into()
    } else if let Ok(text) = <&str>::try_from(&**value) {
        text.into()
    } else if let Ok(list) = Vec::<String>::try_from(value.clone()) {
        list.into()
    } else if let Ok(list) = Vec::<u64>::try_from(value.clone()) {
        list.into()
    } else {
        Value::Null
    }
}

fn document(answer: &Answer) -> Value {
    let counters: Map<String, Value> = answer.counters.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let [one, two, three, four, five] = answer.by_severity();
    value!({
        "status": counters,
        "last_day": { "incidents": answer.alerts.len(), "more": answer.more, "by_severity": [one, two, three, four, five] },
        "open": answer.open(),
    })
}

/// What became of the lines of intake number `number`; what is nothing is left out.
fn of_intake(answer: &Answer, number: usize) -> String {
    let count = |key: &str| answer.counters.get(key).and_then(|list| list.get(number)).and_then(Value::as_u64);
    let mut parts =
        vec![format!("{} lines", count("each_lines").unwrap_or(0)), format!("{} firewall records", count("each_packets").unwrap_or(0))];
    for (key, what) in [
        ("each_packets_copied", "told by another log too"),
        ("each_packets_unverified", "by nobody vouched for"),
        ("each_packets_other_prefix", "with another prefix"),
        ("each_not_netfilter", "other lines"),
        ("each_malformed", "that cannot be read"),
        ("each_lost", "lost"),
        ("each_too_long", "too long"),
        ("each_files_left_out", "files left out, as only 64 of a pattern are read"),
    ] {
        parts.extend(count(key).filter(|count| *count > 0).map(|count| format!("{count} {what}")));
    }
    if count("each_readable") == Some(0) {
        parts.push("cannot be read now".to_owned());
    }
    parts.join(", ")
}

fn text(answer: &Answer) -> String {
    let mut out = String::new();
    let reason = answer.word("health_reason");
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let intakes = answer.counters.get("intakes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let intakes: Vec<&str> = intakes.iter().filter_map(Value::as_str).collect();
    let lost = answer.number("lines_lost") + answer.number("lines_too_long");
    // Writing to a String does not fail, neither here nor below.
    let _ = writeln!(out, "firebelld {}, {}{because}", answer.word("version"), answer.word("health"));
    let _ = writeln!(out, "reads      {}", intakes.join(", "));
    let _ = writeln!(
        out,
        "so far     {} lines, {} firewall records, {} of them by nobody vouched for, {} lines lost",
        answer.number("lines"),
        answer.number("packets"),
        answer.number("packets_unverified"),
        lost
    );
    for (number, intake) in intakes.iter().enumerate() {
        let _ = writeln!(out, "           {intake}: {}", of_intake(answer, number));
    }
    let _ = writeln!(
        out,
        "remembers  {} sources, {} of them with more than one contact; {} new ones today",
        answer.number("sources") + answer.number("sources_on_probation"),
        answer.number("sources"),
        answer.number("sources_today")
    );
    let _ = writeln!(out, "rules      {} in force, {} packets fitted one", answer.number("rules"), answer.number("rule_hits"));
    let [one, two, three, four, five] = answer.by_severity();
    let at_least = if answer.more { "at least " } else { "" };
    let _ = writeln!(
        out,
        "24 hours   {at_least}{} incidents: {five} of severity 5, {four} of 4, {three} of 3, {two} of 2, {one} of 1",
        answer.alerts.len()
    );
    let open = answer.open();
    if open.is_empty() {
        out.push_str("\nNothing is going on\n");
        return out;
    }
    let _ = writeln!(out, "\nGoing on now, the worst first");
    for alert in open.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}", super::alerts::line(alert));
    }
    if open.len() > SHOWN {
        let _ = writeln!(out, "  and {} more: firebell alerts --open", open.len() - SHOWN);
    }
    let _ = writeln!(out, "\nSee one with firebell show ID; times are UTC, it is {} now", times::plain(times::now()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_intake_has_a_line_of_its_own_that_names_what_is_not_nothing() {
        let numbers = [
            ("each_lines", [9, 8]),
            ("each_packets", [5, 1]),
            ("each_packets_copied", [0, 4]),
            ("each_lost", [2, 0]),
            ("each_readable", [1, 0]),
        ];
        let mut counters: BTreeMap<String, Value> = numbers.map(|(key, list)| (key.to_owned(), value!(list))).into();
        counters.insert("intakes".to_owned(), value!(["/dev/kmsg", "/var/log/ufw.log"]));
        let shown = text(&Answer { counters, alerts: Vec::new(), more: false });
        assert!(shown.contains("\n           /dev/kmsg: 9 lines, 5 firewall records, 2 lost\n"), "{shown}");
        assert!(
            shown.contains("\n           /var/log/ufw.log: 8 lines, 1 firewall records, 4 told by another log too, cannot be read now\n"),
            "{shown}"
        );
    }
}
