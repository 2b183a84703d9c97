//! `firebell alerts`: what there was, and what comes.

use super::{ask, json, lines, pages};
use crate::{Failure, times};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use firebell_collector::exports;
use firebell_engine::tick::Tick;
use firebell_shared::{alert::Alert, client::CollectorProxy, kind::KINDS, text::safe};
use serde_json::json as value;
use std::{
    collections::{HashMap, VecDeque},
    io::{self, Write as _},
    thread,
    time::Duration,
};
use zbus::wire::Variant;

/// Pages that one may go back.
const MAX_PAGE: u32 = 1000;
/// How often `--follow` asks for news.
const EVERY: Duration = Duration::from_secs(1);
/// How often it looks for a collector that has gone.
const EVERY_WITHOUT: Duration = Duration::from_secs(5);

/// Lists incidents, each as it stands, the newest last.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// So many of the incidents that fit.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Which so many: 1 are the newest, 2 those before them.
    #[arg(short, long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    page: u32,
    /// At least this severe, 1 to 5.
    #[arg(short, long, value_name = "SEVERITY", value_parser = clap::value_parser!(u8).range(1..=5))]
    severity: Option<u8>,
    /// Of this kind.
    #[arg(short, long, value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(KINDS))]
    kind: Option<String>,
    /// Of a source in this network, or of this address.
    #[arg(long, value_name = "ADDRESS|NETWORK")]
    source: Option<String>,
    /// That asked for this port.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// That fitted a rule whose id or title has this in it.
    #[arg(long, value_name = "TEXT")]
    signature: Option<String>,
    /// Told at this time or later: 2026-11-22, 2026-11-22T08:15Z, or so long ago: 30m, 6h, 7d. Times without a zone are UTC.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    since: Option<Tick>,
    /// Told at this time or earlier.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    until: Option<Tick>,
    /// Only those in this state.
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// Only those that go on; the same as --state open.
    #[arg(long, conflicts_with = "state")]
    open: bool,
    /// Goes on and prints what changes, until Ctrl-C, also over a restart of the collector.
    #[arg(short, long, conflicts_with_all = ["page", "until"])]
    follow: bool,
    /// text for people, json for one document, jsonl for one line an alert, csv for tables; eve (Suricata), ecs (Elastic) and psad for other tools.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: ListForm,
}

/// What became of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Goes on.
    Open,
    /// Has ended, or is part of another one.
    Over,
    /// Somebody has acknowledged it.
    Acknowledged,
    /// Nobody has.
    Unacknowledged,
}

/// How to print a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListForm {
    Text,
    Json,
    Jsonl,
    Csv,
    Eve,
    Ecs,
    Psad,
}

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus, or it does not serve this user.
pub(super) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.follow && arguments.output == ListForm::Json {
        return Err(Failure::Other(anyhow::anyhow!("a document has an end; use --output jsonl with --follow")));
    }
    let found = list(arguments, 0)?;
    let (alerts, more) = page(found.alerts, arguments);
    write(out, arguments.output, alerts.iter(), true)?;
    if arguments.output == ListForm::Text && !arguments.follow {
        if alerts.is_empty() {
            lines(out, "No alerts");
        } else if more {
            lines(out, &format!("older ones: --page {}", arguments.page + 1));
        }
    }
    if arguments.follow { follow(out, arguments, found.last_seq) } else { Ok(()) }
}

/// What there is, oldest first.
struct Found {
    alerts: VecDeque<Alert>,
    last_seq: u64,
}

/// The newest alerts after `after_seq` that fit, as many as are asked for and one more.
fn list(arguments: &Arguments, after_seq: u64) -> Result<Found, Failure> {
    let most = arguments.limit.saturating_mul(arguments.page) as usize + 1;
    ask(async |collector: CollectorProxy<'static>| {
        let mut alerts = VecDeque::new();
        let last_seq = pages(&collector, after_seq, &filter(arguments), |alert| {
            alerts.extend(Some(alert).filter(|alert| fits(arguments, alert)));
            if alerts.len() > most {
                alerts.pop_front();
            }
        })
        .await?;
        Ok(Found { alerts, last_seq })
    })
}

/// The page that is asked for. True: there are older ones.
fn page(mut alerts: VecDeque<Alert>, arguments: &Arguments) -> (VecDeque<Alert>, bool) {
    let (limit, newer) = (arguments.limit as usize, arguments.limit.saturating_mul(arguments.page - 1) as usize);
    alerts.truncate(alerts.len().saturating_sub(newer));
    let older = alerts.len().saturating_sub(limit);
    alerts.drain(..older);
    (alerts, older > 0)
}

/// Prints what comes after `last_seq`. Asked every second rather than listened to: what is not severe enough to be signalled is
/// told too, and nothing is missed while the collector is started again.
fn follow(out: &mut Vec<u8>, arguments: &Arguments, mut last_seq: u64) -> Result<(), Failure> {
    let (mut stdout, mut is_gone) = (io::stdout(), false);
    loop {
        stdout.write_all(out).and_then(|()| stdout.flush()).context("writing to the standard output")?;
        out.clear();
        thread::sleep(if is_gone { EVERY_WITHOUT } else { EVERY });
        match list(arguments, last_seq) {
            Ok(found) => {
                is_gone = false;
                last_seq = last_seq.max(found.last_seq);
                write(out, arguments.output, found.alerts.iter(), false)?;
            }
            Err(Failure::NoCollector(why)) => {
                if !is_gone {
                    // Without a standard error nobody wants to know.
                    let _ = writeln!(io::stderr(), "firebell: {}; waiting for it", safe(why.as_bytes(), super::MAX_LINE));
                }
                is_gone = true;
            }
            Err(other) => return Err(other),
        }
    }
}

/// What the collector looks at.
fn filter(arguments: &Arguments) -> HashMap<&str, Variant<'_>> {
    let mut filter: HashMap<&str, Variant<'_>> = HashMap::new();
    if let Some(severity) = arguments.severity {
        filter.insert("min_severity", severity.into());
    }
    if let Some(kind) = &arguments.kind {
        filter.insert("kind", kind.as_str().into());
    }
    if let Some(source) = &arguments.source {
        filter.insert("source", source.as_str().into());
    }
    for (key, moment) in [("since", arguments.since), ("until", arguments.until)] {
        if let Some(moment) = moment {
            filter.insert(key, moment.as_micros().into());
        }
    }
    filter
}

/// And what is looked at here.
fn fits(arguments: &Arguments, alert: &Alert) -> bool {
    let (is_open, is_acknowledged) = (alert.is_open(), alert.details.acknowledged.is_some());
    let state = if arguments.open { Some(State::Open) } else { arguments.state };
    state.is_none_or(|state| match state {
        State::Open => is_open,
        State::Over => !is_open,
        State::Acknowledged => is_acknowledged,
        State::Unacknowledged => !is_acknowledged,
    }) && arguments.port.is_none_or(|port| has_port(&alert.details.ports, port))
        && arguments.signature.as_ref().is_none_or(|text| {
            let text = text.to_lowercase();
            alert.details.signatures.iter().any(|rule| rule.to_lowercase().contains(&text))
        })
}

/// Is `port` one of `22-25,80`?
pub(super) fn has_port(list: &str, port: u16) -> bool {
    list.split(',').any(|range| {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        matches!((low.parse::<u16>(), high.parse::<u16>()), (Ok(low), Ok(high)) if (low..=high).contains(&port))
    })
}

/// `is_first`: with what a form begins with.
fn write<'a>(out: &mut Vec<u8>, form: ListForm, alerts: impl Iterator<Item = &'a Alert>, is_first: bool) -> Result<(), Failure> {
    match form {
        ListForm::Json => json(out, &value!({ "alerts": alerts.collect::<Vec<_>>() })),
        ListForm::Jsonl => {
            for alert in alerts {
                serde_json::to_writer(&mut *out, alert).context("an alert as JSON")?;
                out.push(b'\n');
            }
        }
        ListForm::Csv => {
            if is_first {
                out.extend(format!("{}\r\n", CSV.join(",")).bytes());
            }
            alerts.for_each(|alert| out.extend(row(alert).bytes()));
        }
        ListForm::Eve => other(out, exports::Form::Eve, alerts),
        ListForm::Ecs => other(out, exports::Form::Ecs, alerts),
        ListForm::Psad => other(out, exports::Form::Psad, alerts),
        ListForm::Text => alerts.for_each(|alert| lines(out, &line(alert))),
    }
    Ok(())
}

/// As other tools read them, a line for each (psad's are several, or none).
pub(crate) fn other<'a>(out: &mut Vec<u8>, form: exports::Form, alerts: impl Iterator<Item = &'a Alert>) {
    alerts.flat_map(|alert| form.lines(alert)).for_each(|line| out.extend(line.bytes().chain([b'\n'])));
}

/// The columns. Names are those of the bus.
const CSV: [&str; 14] = [
    "id",
    "severity",
    "kind",
    "source",
    "phase",
    "first_seen",
    "last_seen",
    "packets",
    "contacts",
    "protocol",
    "ports",
    "action",
    "acknowledged",
    "summary",
];

/// A line of a table, as RFC 4180 has it.
fn row(alert: &Alert) -> String {
    let d = &alert.details;
    let moment = |micros: u64| times::rfc3339(Tick::from_micros(micros));
    let fields: [String; CSV.len()] = [
        alert.id.to_string(),
        alert.severity.to_string(),
        alert.kind.clone(),
        alert.source.clone(),
        d.phase.as_str().to_owned(),
        moment(d.first_seen),
        moment(d.last_seen),
        d.packets.to_string(),
        d.contacts.to_string(),
        d.protocol.clone(),
        d.ports.clone(),
        d.action.as_str().to_owned(),
        d.acknowledged.map(moment).unwrap_or_default(),
        alert.summary.clone(),
    ];
    let fields: Vec<String> =
        fields.iter().map(|field| format!("\"{}\"", safe(field.as_bytes(), super::MAX_LINE).replace('"', "\"\""))).collect();
    fields.join(",") + "\r\n"
}

/// One incident in a line.
pub(super) fn line(alert: &Alert) -> String {
    let source = source(alert);
    let state = match (alert.is_open(), alert.details.acknowledged.is_some()) {
        (true, false) => "",
        (true, true) => "  (acknowledged)",
        (false, false) => "  (over)",
        (false, true) => "  (over, acknowledged)",
    };
    let note = if alert.details.note.is_empty() { String::new() } else { format!("  [{}]", alert.details.note) };
    format!(
        "{:>6}  {}  {}  {source}: {}{state}{note}",
        alert.id,
        alert.severity,
        times::plain(Tick::from_micros(alert.details.last_seen)),
        alert.summary
    )
}

/// Who it is, for people.
pub(super) fn source(alert: &Alert) -> &str {
    match alert.source.as_str() {
        "" if alert.details.sources.is_empty() => "this machine",
        "" => "several sources",
        source => source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::sample;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(words: &[&str]) -> Arguments {
        Command::try_parse_from([&["alerts"], words].concat()).unwrap().arguments
    }

    #[test]
    fn pages_go_back_from_the_newest_and_say_whether_there_are_older_ones() {
        let all = || (1..=10).map(|id| Alert { id, ..sample() }).collect::<VecDeque<_>>();
        let ids = |words: &[&str]| {
            let (alerts, more) = page(all(), &arguments(words));
            (alerts.iter().map(|alert| alert.id).collect::<Vec<_>>(), more)
        };
        assert_eq!(ids(&["-n4"]), (vec![7, 8, 9, 10], true));
        assert_eq!(ids(&["-n4", "-p2"]), (vec![3, 4, 5, 6], true));
        assert_eq!(ids(&["-n4", "-p3"]), (vec![1, 2], false));
        assert_eq!(ids(&["-n4", "-p4"]), (vec![], false));
        assert!(!ids(&["-n10"]).1);
    }

    #[test]
    fn states_ports_and_rules_leave_out_what_does_not_fit() {
        let mut alert = sample();
        alert.details.ports = "22-25,80".into();
        alert.details.signatures = vec!["mirai-syn: Mirai looks for victims x12".into()];
        let holds = |alert: &Alert, words: &[&str]| fits(&arguments(words), alert);
        assert!(holds(&alert, &["--port", "24"]) && holds(&alert, &["--port", "80"]) && !holds(&alert, &["--port", "26"]));
        assert!(
            holds(&alert, &["--signature", "mirai"])
                && holds(&alert, &["--signature", "Victims"])
                && !holds(&alert, &["--signature", "nmap"])
        );
        assert!(holds(&alert, &["--open"]) && holds(&alert, &["--state", "unacknowledged"]) && !holds(&alert, &["--state", "over"]));
        alert.details.acknowledged = Some(1);
        assert!(holds(&alert, &["--state", "acknowledged"]) && !holds(&alert, &["--state", "unacknowledged"]));
        alert.details.ports = "x,-,9-".into();
        assert!(!holds(&alert, &["--port", "9"]));
    }

    #[test]
    fn a_row_of_a_table_has_its_quotes_doubled_and_nothing_that_a_terminal_obeys() {
        let mut alert = sample();
        alert.summary = "a \"b\", \u{1b}[2J\n".into();
        let row = row(&alert);
        assert!(row.ends_with(",\"a \"\"b\"\", \\x1b[2J\\x0a\"\r\n") && row.lines().count() == 1, "{row:?}");
        assert_eq!(row.matches("\",\"").count(), CSV.len() - 1);
    }
}
