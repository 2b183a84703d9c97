//! `firebell show`: everything about one incident.

use super::{Form, ask, json, lines};
use crate::{Failure, times};
use clap::Args;
use firebell_engine::tick::Tick;
use firebell_shared::{alert::Alert, names::MAX_ID, services};
use std::{fmt::Write as _, time::Duration};

/// Shows one incident as it stands.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its id, as `firebell alerts` lists it.
    #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..=MAX_ID))]
    id: u64,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus, no such incident, or the collector does not serve this user.
pub(super) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    let wire = ask(|collector| async move { collector.get_alert(arguments.id).await })?;
    let alert = Alert::from_wire(wire).map_err(anyhow::Error::from)?;
    match arguments.output {
        Form::Json => json(out, &serde_json::to_value(&alert).map_err(anyhow::Error::from)?),
        Form::Text => lines(out, &text(&alert)),
    }
    Ok(())
}

fn text(alert: &Alert) -> String {
    let mut out = String::new();
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
    ];
    // Writing to a String does not fail, neither here nor below.
    let _ = writeln!(out, "{}: {}\n", alert.id, alert.summary);
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "{name:<10}  {value}");
    }
    for known in &d.signatures {
        let _ = writeln!(out, "{:<10}  {known}", "rule");
    }
    for (name, value) in [("why", &d.why), ("what to do", &d.advice)] {
        if !value.is_empty() {
            let _ = writeln!(out, "\n{name}\n  {value}");
        }
    }
    let _ = writeln!(out, "\nfirebell explain {} tells what each detector counted", alert.id);
    out
}
