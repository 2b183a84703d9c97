//! `firebell alerts`: what there was.

use super::{Form, ask, json, lines};
use crate::{Failure, times};
use clap::Args;
use firebell_engine::tick::Tick;
use firebell_shared::{
    alert::Alert,
    kind::KINDS,
    names::{MAX_ID, MAX_LIST},
};
use serde_json::json as value;
use std::collections::{HashMap, VecDeque};
use zbus::wire::Variant;

/// Lists incidents, each as it stands, the newest last.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only these of the newest incidents that fit.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// At least this severe, 1 to 5.
    #[arg(short, long, value_name = "SEVERITY", value_parser = clap::value_parser!(u8).range(1..=5))]
    severity: Option<u8>,
    /// Of this kind.
    #[arg(short, long, value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(KINDS))]
    kind: Option<String>,
    /// Of a source in this network, or of this address.
    #[arg(long, value_name = "ADDRESS|NETWORK")]
    source: Option<String>,
    /// Told at this time or later: 2026-11-22, 2026-11-22T08:15Z, or so long ago: 30m, 6h, 7d. Times without a zone are UTC.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    since: Option<Tick>,
    /// Told at this time or earlier.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    until: Option<Tick>,
    /// Only those that go on.
    #[arg(long)]
    open: bool,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus, or it does not serve this user.
pub(super) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    let alerts = ask(|collector| async move {
        let (mut all, mut after) = (VecDeque::new(), 0);
        loop {
            let (wires, last, more) = collector.list_alerts(after, MAX_LIST, filter(arguments)).await?;
            let page = wires.into_iter().filter_map(|wire| Alert::from_wire(wire).ok());
            all.extend(page.filter(|alert| !arguments.open || alert.is_open()));
            while all.len() > arguments.limit as usize {
                all.pop_front();
            }
            // One that never ends would have us ask for ever.
            if !more || last <= after || last >= MAX_ID {
                return Ok(all);
            }
            after = last;
        }
    })?;
    match arguments.output {
        Form::Json => json(out, &value!({ "alerts": alerts })),
        Form::Text if alerts.is_empty() => lines(out, "No alerts"),
        Form::Text => alerts.iter().for_each(|alert| lines(out, &line(alert))),
    }
    Ok(())
}

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

/// One incident in a line.
pub(super) fn line(alert: &Alert) -> String {
    let source = match alert.source.as_str() {
        "" if alert.details.sources.is_empty() => "this machine",
        "" => "several sources",
        source => source,
    };
    let state = if alert.is_open() { "" } else { "  (over)" };
    format!(
        "{:>6}  {}  {}  {source}: {}{state}",
        alert.id,
        alert.severity,
        times::plain(Tick::from_micros(alert.details.last_seen)),
        alert.summary
    )
}
