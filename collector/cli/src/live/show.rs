//! `firebell show`: everything about one incident.

use super::{
    Form, ask,
    history::{FOLDER, Stopped},
    json, lines, page, pages,
    timeline::Timeline,
};
use crate::{Failure, times};
use anyhow::Context as _;
use clap::Args;
use firebell_collector::{
    history::{Filter, network_of},
    store::Moment,
};
use firebell_engine::tick::Tick;
use firebell_shared::{alert::Alert, names::MAX_ID, services};
use std::{
    collections::{HashMap, VecDeque},
    fmt::Write as _,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use zbus::wire::Variant;

/// So many other incidents of the same source are named, the newest.
const RELATED: usize = 5;

/// Shows one incident as it stands.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its id, as `firebell alerts` lists it.
    #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..=MAX_ID))]
    id: u64,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
    /// A web page that needs nothing else, without script and network.
    #[arg(long, conflicts_with = "output")]
    html: bool,
    /// Where the history is that is read while no collector runs (root).
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
}

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus and no history that this user may read, no such incident, or the collector does not serve this user.
pub(super) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    let asked = ask(async |collector| {
        let wire = collector.get_alert(arguments.id).await?;
        let alert = Alert::from_wire(wire).map_err(|error| zbus::Error::Failure(error.to_string()))?;
        let mut others = Others { of: alert.id, newest: VecDeque::new() };
        if let Some(source) = main_source(&alert) {
            let filter = HashMap::from([("source", Variant::from(source))]);
            pages(&collector, 0, &filter, |other| others.note(other)).await?;
        }
        let timeline = Timeline::ask(&collector, alert.id, seen(&alert)).await?;
        Ok((alert, others.newest, timeline))
    });
    let (alert, mut others, timeline) = match asked {
        Err(Failure::NoCollector(why)) => match stopped(arguments) {
            // Who may not read the history wants a collector.
            Err(Failure::NoCollector(_) | Failure::NotPermitted(_)) => return Err(Failure::NoCollector(why)),
            outcome => outcome?,
        },
        outcome => outcome?,
    };
    match arguments.output {
        _ if arguments.html => out.extend(page::page(&alert, &timeline).bytes()),
        Form::Json => {
            let mut document = serde_json::to_value(&alert).map_err(anyhow::Error::from)?;
            if let Some(document) = document.as_object_mut() {
                document.insert("timeline".to_owned(), timeline.json());
                document.insert("related".to_owned(), serde_json::to_value(&others).map_err(anyhow::Error::from)?);
            }
            json(out, &document);
        }
        Form::Text => lines(out, &text(&alert, &timeline, others.make_contiguous())),
    }
    Ok(())
}

/// An incident, others of its source, and how it went.
type Whole = (Alert, VecDeque<Alert>, Timeline);

/// The same from the history of a collector that does not run.
fn stopped(arguments: &Arguments) -> Result<Whole, Failure> {
    let history = Stopped::open(&arguments.folder)?;
    let found = history.database.get(arguments.id).context("reading the history")?;
    let alert = found.with_context(|| format!("there is no incident {} in {}", arguments.id, arguments.folder.display()))?;
    let mut others = Others { of: alert.id, newest: VecDeque::new() };
    if let Some(source) = main_source(&alert).and_then(network_of) {
        history.each(&Filter { source: Some(source), ..Filter::default() }, |other, _| others.note(other.clone()))?;
    }
    let moments = history.database.moments(alert.id).context("reading the history")?;
    let timeline = Timeline::of(moments.into_iter().map(Moment::row), seen(&alert));
    Ok((Arc::unwrap_or_clone(alert), others.newest, timeline))
}

/// Whose other incidents are told.
fn main_source(alert: &Alert) -> Option<&str> {
    Some(&alert.source).filter(|source| !source.is_empty()).or(alert.details.sources.first()).map(String::as_str)
}

/// The first packet and the last one, microseconds since the Unix epoch.
const fn seen(alert: &Alert) -> (u64, u64) {
    (alert.details.first_seen, alert.details.last_seen)
}

/// The newest incidents beside one.
struct Others {
    of: u64,
    newest: VecDeque<Alert>,
}

impl Others {
    fn note(&mut self, other: Alert) {
        if other.id != self.of {
            self.newest.push_back(other);
        }
        if self.newest.len() > RELATED {
            self.newest.pop_front();
        }
    }
}

/// What is worth telling, in the order in which it is told: names and values, none empty, nothing of it made safe yet.
pub(super) struct Facts {
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) rules: Vec<String>,
    /// Longer texts, each with what it is about.
    pub(super) paragraphs: Vec<(&'static str, String)>,
}

pub(super) fn facts(alert: &Alert) -> Facts {
    let d = &alert.details;
    let (first, last) = (Tick::from_micros(d.first_seen), Tick::from_micros(d.last_seen));
    let span = times::span(Duration::from_micros(d.last_seen.saturating_sub(d.first_seen)));
    let merged = d.merged_into.map(|id| format!(" into {id}")).unwrap_or_default();
    let fields = [
        ("kind", format!("{}, severity {}, told as {}", alert.kind, alert.severity, d.delivery.as_str())),
        ("state", format!("{}{merged}, revision {}", d.phase.as_str(), d.revision)),
        ("source", alert.source.clone()),
        ("sources", d.sources.join(" ")),
        ("sender", d.mac.clone()),
        ("certainty", format!("{}; log lines: {}", d.attribution.as_str(), d.origin.as_str())),
        ("seen", format!("{} to {} UTC ({span})", times::plain(first), times::plain(last))),
        ("packets", format!("{}, {} distinct contacts", d.packets, d.contacts)),
        ("targets", d.targets.join(" ")),
        ("ports", if d.ports.is_empty() { d.protocol.clone() } else { format!("{} {}", d.protocol, services::told(&d.ports)) }),
        (
            "firewall",
            format!("{}{}", d.action.as_str(), if d.prefix.is_empty() { String::new() } else { format!(", prefix {}", d.prefix) }),
        ),
        ("interface", d.interface.clone()),
        ("tool", d.tool.clone()),
        ("user", d.uid.map(|uid| uid.to_string()).unwrap_or_default()),
        ("techniques", d.attack.join(" ")),
        ("dealt with", d.acknowledged.map(|time_usec| format!("{} UTC", times::plain(Tick::from_micros(time_usec)))).unwrap_or_default()),
        ("note", d.note.clone()),
    ];
    let paragraphs = [("why", d.why.clone()), ("what to do", d.advice.clone())];
    Facts {
        fields: fields.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        rules: d.signatures.clone(),
        paragraphs: paragraphs.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
    }
}

/// For people. `others` are of the same source.
pub(super) fn text(alert: &Alert, timeline: &Timeline, others: &[Alert]) -> String {
    let Facts { fields, rules, paragraphs } = facts(alert);
    // Writing to a String does not fail, neither here nor below.
    let mut out = String::new();
    let _ = writeln!(out, "{}: {}\n", alert.id, alert.summary);
    for (name, value) in fields {
        let _ = writeln!(out, "{name:<10}  {value}");
    }
    for rule in rules {
        let _ = writeln!(out, "{:<10}  {rule}", "rule");
    }
    for (name, value) in paragraphs {
        let _ = writeln!(out, "\n{name}\n  {value}");
    }
    out.push_str(&timeline.text());
    if !others.is_empty() {
        let _ = writeln!(out, "\nother incidents of this source");
        for other in others {
            let _ = writeln!(out, "{}", super::alerts::line(other));
        }
    }
    let _ = writeln!(out, "\nfirebell explain {} tells what each detector counted", alert.id);
    out
}
