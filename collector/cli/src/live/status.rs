//! `firebell status`: is it at work, what does it read, what has it seen. A screen of 80 columns and 24 lines holds it.

use super::{Form, ask, at_bus, json, lines, pages};
use crate::{Failure, times};
use clap::Args;
use firebell_engine::tick::Tick;
use firebell_shared::{
    alert::Alert,
    client::NotifierProxy,
    names::NOTIFIER_NAME,
    services,
    text::{safe, thousands},
};
use serde_json::{Map, Value, json as value};
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use zbus::{fdo::DBusProxy, wire::OwnedVariant};

/// Tells how well the collector sees, what it has read and lost, who was here today and what they wanted, and what goes on now.
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
/// Columns of a screen.
const COLUMNS: usize = 79;
/// Intakes that have a line.
const INTAKES: usize = 3;
/// Lines of the tables.
const ROWS: usize = 5;
/// Incidents that go on and have a line.
const SHOWN: usize = 6;
/// Lines of a terminal.
const LINES: usize = 24;

/// What was answered.
#[derive(Debug, Default)]
struct Answer {
    counters: BTreeMap<String, Value>,
    /// Of a day.
    summary: BTreeMap<String, Value>,
    /// The open ones, the worst first.
    open: Vec<Alert>,
    /// What the agent of this session says, if there is one.
    agent: Option<BTreeMap<String, Value>>,
}

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus, it does not serve this user, or it is blind.
pub(super) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = micros(now.saturating_sub(DAY));
    let (status, summary, mut open) = ask(async |collector| {
        let (status, summary) = (collector.status().await?, collector.summary(since, micros(now)).await?);
        let (mut open, filter) = (Vec::new(), HashMap::from([("since", since.into())]));
        pages(&collector, 0, &filter, |alert| open.extend(Some(alert).filter(Alert::is_open))).await?;
        Ok((status, summary, open))
    })?;
    open.sort_by_key(|alert| std::cmp::Reverse((alert.severity.get(), alert.details.last_seen)));
    let answer = Answer { counters: plain_all(&status), summary: plain_all(&summary), open, agent: agent() };
    match arguments.output {
        Form::Json => json(out, &document(&answer)),
        Form::Text => lines(out, &text(&answer)),
    }
    if word(&answer.counters, "health") == "blind" {
        return Err(Failure::Other(anyhow::anyhow!("the collector sees nothing: {}", word(&answer.counters, "health_reason"))));
    }
    Ok(())
}

/// Asks the agent of this session, without starting one.
fn agent() -> Option<BTreeMap<String, Value>> {
    at_bus(zbus::connection::Builder::session(), async |connection| {
        let is_there = DBusProxy::new(connection).await?.name_has_owner(NOTIFIER_NAME.try_into()?).await?;
        if is_there { NotifierProxy::new(connection).await?.status().await.map(Some) } else { Ok(None) }
    })
    .ok()
    .flatten()
    .map(|status| plain_all(&status))
}

pub(super) fn plain_all(values: &HashMap<String, OwnedVariant>) -> BTreeMap<String, Value> {
    values.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
}

fn word<'a>(values: &'a BTreeMap<String, Value>, key: &str) -> &'a str {
    values.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(values: &BTreeMap<String, Value>, key: &str) -> u64 {
    values.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn words<'a>(values: &'a BTreeMap<String, Value>, key: &str) -> impl Iterator<Item = &'a str> {
    values.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn numbers(values: &BTreeMap<String, Value>, key: &str) -> impl Iterator<Item = u64> {
    values.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64)
}

/// A value of the bus, of a type that a newer collector may have added too.
pub(crate) fn plain(value: &OwnedVariant) -> Value {
    if let Ok(number) = u64::try_from(&**value) {
        number.into()
    } else if let Ok(truth) = bool::try_from(&**value) {
        truth.into()
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
    let object = |values: &BTreeMap<String, Value>| values.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>();
    value!({
        "status": object(&answer.counters),
        "last_day": object(&answer.summary),
        "open": answer.open,
        "agent": answer.agent.as_ref().map(object),
    })
}

/// What became of the lines of intake number `number`; what is nothing is left out.
fn of_intake(answer: &Answer, number: usize) -> String {
    let count = |key: &str| answer.counters.get(key).and_then(|list| list.get(number)).and_then(Value::as_u64);
    let mut parts = vec![
        format!("{} lines", thousands(count("each_lines").unwrap_or(0))),
        format!("{} firewall records", thousands(count("each_packets").unwrap_or(0))),
    ];
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
        parts.extend(count(key).filter(|count| *count > 0).map(|count| format!("{} {what}", thousands(count))));
    }
    if count("each_readable") == Some(0) {
        parts.push("cannot be read now".to_owned());
    }
    parts.join(", ")
}

fn text(answer: &Answer) -> String {
    let mut rows = head(answer);
    let tables = tables(&answer.summary);
    if !tables.is_empty() {
        rows.push(String::new());
        rows.extend(tables);
    }
    rows.push(String::new());
    if answer.open.is_empty() {
        rows.push("Nothing is going on".to_owned());
    } else {
        // With the line that names them.
        let shown = SHOWN.min(LINES.saturating_sub(rows.len() + 1));
        let more = answer.open.len().saturating_sub(shown);
        let hint = if more > 0 { format!("; and {more} more: firebell alerts --open") } else { String::new() };
        rows.push(format!("Going on now, the worst first (UTC{hint}); one: firebell show ID"));
        rows.extend(answer.open.iter().take(shown).map(super::alerts::line));
    }
    rows.iter().map(|row| cut(row, COLUMNS) + "\n").collect()
}

/// How it is.
fn head(answer: &Answer) -> Vec<String> {
    let Answer { counters, summary, agent, .. } = answer;
    let reason = word(counters, "health_reason");
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let started = Tick::from_micros(number(counters, "started"));
    let mut rows = vec![
        format!("firebelld {}, {}{because}", word(counters, "version"), word(counters, "health")),
        format!(
            "since    {} UTC, {} ago; it is {} now",
            times::plain(started),
            times::span(times::now().since(started)),
            times::plain(times::now())
        ),
    ];
    let intakes: Vec<&str> = words(counters, "intakes").collect();
    for (n, intake) in intakes.iter().take(INTAKES).enumerate() {
        rows.push(format!("{:<8} {intake}: {}", if n == 0 { "reads" } else { "" }, of_intake(answer, n)));
    }
    if intakes.len() > INTAKES {
        rows.push(format!("         and {} more, see -o json", intakes.len() - INTAKES));
    }
    let untold: Vec<String> = [("exports_failed", "failed"), ("exports_lost", "lost"), ("exports_suppressed", "beyond the bound")]
        .into_iter()
        .filter_map(|(key, what)| {
            Some(number(counters, key)).filter(|count| *count > 0).map(|count| format!("{} {what}", thousands(count)))
        })
        .collect();
    if !untold.is_empty() {
        rows.push(format!("exports  other tools miss records: {}", untold.join(", ")));
    }
    rows.push(match agent {
        None => "agent    none in this session: no popups here".to_owned(),
        Some(agent) if word(agent, "server") == "absent" => "agent    runs, and finds no notification server".to_owned(),
        Some(agent) if word(agent, "collector") != "ok" => "agent    runs, and does not hear the collector".to_owned(),
        Some(agent) => {
            let (shown, muted) = (number(agent, "popups_shown"), words(agent, "muted").chain(words(agent, "trusted")).count());
            format!("agent    {shown} popups shown, {muted} sources hidden from you: firebell notify status")
        }
    });
    let hidden: Vec<String> = [("muted", "muted "), ("trusted", "trusted ")]
        .into_iter()
        .flat_map(|(key, name)| words(counters, key).map(move |source| format!("{name}{source}")))
        .collect();
    if !hidden.is_empty() {
        rows.push(format!("hidden   {}", hidden.join(", ")));
    }
    let mut severities: Vec<u64> = numbers(summary, "by_severity").collect();
    severities.reverse();
    let severities: Vec<String> =
        (1..=5).rev().zip(severities).filter(|(_, count)| *count > 0).map(|(of, count)| format!("{count} of severity {of}")).collect();
    let at_least = if summary.get("is_whole") == Some(&Value::Bool(false)) { "at least " } else { "" };
    let (incidents, sources) = (thousands(number(summary, "incidents")), thousands(number(summary, "sources")));
    rows.push(format!(
        "24 hours {at_least}{incidents} incidents, {sources} sources{}{}",
        if severities.is_empty() { "" } else { ": " },
        severities.join(", ")
    ));
    rows
}

/// Who was here today, and what they wanted, side by side; nothing where there was nobody.
fn tables(summary: &BTreeMap<String, Value>) -> Vec<String> {
    let ports = words(summary, "top_ports").map(|port| match port.split_once(' ') {
        Some((protocol, list)) => format!("{protocol} {}", services::told(list)),
        None => port.to_owned(),
    });
    let ports: Vec<String> =
        ports.zip(numbers(summary, "top_ports_incidents")).map(|(port, count)| format!("{:>5} {port}", thousands(count))).collect();
    let sources: Vec<String> = words(summary, "top_sources")
        .zip(numbers(summary, "top_sources_severity"))
        .zip(numbers(summary, "top_sources_packets"))
        .map(|((source, severity), packets)| format!("{severity} {:>7} {source}", thousands(packets)))
        .collect();
    let rules = words(summary, "top_signatures").zip(numbers(summary, "top_signatures_packets"));
    let rules: Vec<String> =
        rules.map(|(rule, count)| format!("{:>6} {}", thousands(count), rule.split(':').next().unwrap_or(rule))).collect();
    if ports.is_empty() && sources.is_empty() && rules.is_empty() {
        return Vec::new();
    }
    let line = |[a, b, c]: [&str; 3]| format!("{:<24} {:<29} {}", cut(a, 24), cut(b, 29), cut(c, 24)).trim_end().to_owned();
    let row = |n: usize| [&ports, &sources, &rules].map(|table| table.get(n).map_or("", String::as_str));
    let longest = ports.len().max(sources.len()).max(rules.len()).min(ROWS);
    let head = line(["times asked for a port", "severity, packets, source", "packets of a rule"]);
    std::iter::once(head).chain((0..longest).map(|n| line(row(n)))).collect()
}

/// At most `width` columns; whoever wants all of it asks for it. What is cut is made safe first, so that it takes the columns that it is given.
fn cut(text: &str, width: usize) -> String {
    let text = safe(text.as_bytes(), super::MAX_LINE);
    if text.chars().count() <= width { text } else { text.chars().take(width.saturating_sub(1)).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::sample;

    fn values(list: &[(&str, Value)]) -> BTreeMap<String, Value> {
        list.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn each_intake_has_a_line_of_its_own_that_names_what_is_not_nothing() {
        let counters = values(&[
            ("each_lines", value!([9000, 8])),
            ("each_packets", value!([5, 1])),
            ("each_packets_copied", value!([0, 4])),
            ("each_lost", value!([2, 0])),
            ("each_readable", value!([1, 0])),
            ("exports_failed", value!(1200)),
            ("exports_suppressed", value!(3)),
            ("intakes", value!(["/dev/kmsg", "/var/log/ufw.log"])),
        ]);
        let answer = Answer { counters, ..Answer::default() };
        let rows = head(&answer);
        assert!(rows.contains(&"reads    /dev/kmsg: 9,000 lines, 5 firewall records, 2 lost".to_owned()), "{rows:?}");
        assert!(rows.contains(&"exports  other tools miss records: 1,200 failed, 3 beyond the bound".to_owned()), "{rows:?}");
        let second = "         /var/log/ufw.log: 8 lines, 1 firewall records, 4 told by another log too, cannot be read now";
        assert!(rows.contains(&second.to_owned()), "{rows:?}");
    }

    #[test]
    fn the_busiest_day_takes_24_lines_of_79_columns() {
        let long = "x".repeat(300);
        let lists = |words: &str| value!(vec![words; 10]);
        let counters = values(&[
            ("version", value!("0.1.0")),
            ("health", value!("degraded")),
            ("health_reason", value!(long)),
            ("intakes", lists(&long)),
            ("exports_lost", value!(1_000_000_000)),
            ("muted", lists("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")),
        ]);
        let mut summary = values(&[("by_severity", value!([9, 9, 9, 9, 9]))]);
        for (names, counts) in
            [("top_ports", "top_ports_incidents"), ("top_sources", "top_sources_severity"), ("top_signatures", "top_signatures_packets")]
        {
            summary.insert(names.to_owned(), lists(&long));
            summary.insert(counts.to_owned(), value!(vec![1_000_000_000; 10]));
        }
        summary.insert("top_sources_packets".to_owned(), value!(vec![1_000_000_000; 10]));
        let mut alert = sample();
        (alert.summary, alert.details.note) = (long.clone(), "\u{1b}[2J\u{4e2d}".repeat(40));
        let answer = Answer { counters, summary, open: vec![alert; 40], agent: Some(BTreeMap::new()) };
        let text = text(&answer);
        assert!(text.lines().count() <= 24, "{} lines\n{text}", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.contains("and 35 more: firebell alerts --open") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn ports_have_their_names_and_a_quiet_day_is_short() {
        let summary = values(&[("top_ports", value!(["tcp 22", "udp 53"])), ("top_ports_incidents", value!([12, 3]))]);
        let tables = tables(&summary);
        assert!(tables.len() == 3 && tables[1].trim_start().starts_with("12 tcp 22 (SSH)"), "{tables:?}");
        let quiet = text(&Answer::default());
        assert!(quiet.ends_with("\n\nNothing is going on\n") && quiet.contains("agent    none in this session"), "{quiet}");
    }
}
