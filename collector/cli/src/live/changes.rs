//! `firebell ack`, `note`, `mute`, `unmute`, `trust`, `untrust`: what people tell the collector. Each answer says how to undo it.

use super::{Form, ask, json, lines, print};
use crate::{
    Failure,
    notify::{seconds, source},
    times,
};
use clap::Args;
use firebell_engine::tick::Tick;
use firebell_shared::{alert::Alert, client::CollectorProxy, names::MAX_ID};
use serde_json::json as value;

/// Says that incidents are dealt with, until they become worse or begin again.
#[derive(Debug, Args)]
pub(crate) struct Ack {
    /// Their ids, as `firebell alerts` lists them.
    #[arg(value_name = "ID", required = true, num_args = 1..=16, value_parser = clap::value_parser!(u64).range(1..=MAX_ID))]
    ids: Vec<u64>,
    /// Says that they are not, after all.
    #[arg(long)]
    undo: bool,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Writes a note to an incident, in the place of the one before.
#[derive(Debug, Args)]
pub(crate) struct Note {
    /// Its id, as `firebell alerts` lists it.
    #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..=MAX_ID))]
    id: u64,
    /// What to write, at most 512 bytes; several words make one note.
    #[arg(value_name = "TEXT", required_unless_present = "remove", conflicts_with = "remove")]
    text: Vec<String>,
    /// Takes the note away.
    #[arg(long)]
    remove: bool,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Gives a source no popups on this machine for a time, for anybody, unless it becomes worse. It is seen and kept.
#[derive(Debug, Args)]
pub(crate) struct Mute {
    #[command(flatten)]
    of: Of,
    /// For so long: 30m, 8h, 7d; at most 30d.
    #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = seconds)]
    seconds: u64,
}

/// A source, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// An address (192.0.2.7, 2001:db8::7) or a network (192.0.2.0/24).
    #[arg(value_name = "SOURCE", value_parser = source)]
    source: String,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// `firebell ack`.
///
/// # Errors
/// There is no collector on the bus, this user may not change anything, or there is no such incident; those before it are dealt with.
pub(crate) fn ack(arguments: &Ack) -> Result<(), Failure> {
    for id in &arguments.ids {
        tell(arguments.output, async |collector| acknowledge(&collector, *id, !arguments.undo).await)?;
    }
    Ok(())
}

/// `firebell note`.
///
/// # Errors
/// The same.
pub(crate) fn note(arguments: &Note) -> Result<(), Failure> {
    tell(arguments.output, async |collector| write_note(&collector, arguments.id, &arguments.text.join(" ")).await)
}

/// `firebell mute`.
///
/// # Errors
/// There is no collector on the bus, this user may not change anything, or there is no room.
pub(crate) fn mute(arguments: &Mute) -> Result<(), Failure> {
    tell(arguments.of.output, async |collector| hide(&collector, &arguments.of.source, arguments.seconds).await)
}

/// `firebell unmute`.
///
/// # Errors
/// There is no collector on the bus, this user may not change anything, or there is nothing to end.
pub(crate) fn unmute(arguments: &Of) -> Result<(), Failure> {
    let source = &arguments.source;
    tell(arguments.output, async |collector| {
        collector.unmute(source).await?;
        Ok(format!("{source} is not muted any more; firebell mute {source} mutes it again"))
    })
}

/// `firebell trust`.
///
/// # Errors
/// As for [`mute`].
pub(crate) fn trust(arguments: &Of) -> Result<(), Failure> {
    let source = &arguments.source;
    tell(arguments.output, async |collector| {
        collector.trust(source).await?;
        Ok(format!("{source} is trusted: what it sends is counted and not looked at; firebell untrust {source} ends that"))
    })
}

/// `firebell untrust`.
///
/// # Errors
/// As for [`unmute`].
pub(crate) fn untrust(arguments: &Of) -> Result<(), Failure> {
    let source = &arguments.source;
    tell(arguments.output, async |collector| {
        collector.untrust(source).await?;
        Ok(format!("{source} is not trusted any more; firebell trust {source} trusts it again"))
    })
}

/// Says that an incident is dealt with, or that it is not; what to tell.
pub(super) async fn acknowledge(collector: &CollectorProxy<'_>, id: u64, is_dealt_with: bool) -> zbus::Result<String> {
    if is_dealt_with {
        collector.acknowledge(id).await?;
        Ok(format!("incident {id} is acknowledged until it becomes worse or begins again; firebell ack --undo {id} takes that back"))
    } else {
        collector.unacknowledge(id).await?;
        Ok(format!("incident {id} is not acknowledged any more; firebell ack {id} acknowledges it again"))
    }
}

/// Mutes a source; what to tell.
pub(super) async fn hide(collector: &CollectorProxy<'_>, source: &str, seconds: u64) -> zbus::Result<String> {
    collector.mute(source, seconds).await?;
    let until = Tick::from_micros(times::now().as_micros().saturating_add(seconds.saturating_mul(1_000_000)));
    Ok(format!(
        "{source} is muted for everybody on this machine until {} UTC: it is seen and kept, and has a popup only when it becomes worse; \
         firebell unmute {source} ends that",
        times::plain(until)
    ))
}

/// Writes a note or takes it away; what to tell.
async fn write_note(collector: &CollectorProxy<'_>, id: u64, note: &str) -> zbus::Result<String> {
    let before = Alert::from_wire(collector.get_alert(id).await?).map(|alert| alert.details.note).unwrap_or_default();
    collector.note(id, note).await?;
    let former = match before.as_str() {
        "" => format!("firebell note {id} --remove takes it away"),
        former => format!("the note before was: {former}"),
    };
    Ok(match (note.is_empty(), before.is_empty()) {
        (true, true) => format!("incident {id} had no note"),
        (true, false) => format!("incident {id} has no note any more; {former}"),
        (false, _) => format!("incident {id} has the note; {former}"),
    })
}

/// Asks for a change, and prints what came of it.
fn tell(form: Form, change: impl AsyncFnOnce(CollectorProxy<'static>) -> zbus::Result<String>) -> Result<(), Failure> {
    print(|out| {
        let sentence = ask(change)?;
        match form {
            Form::Json => json(out, &value!({ "answer": sentence })),
            Form::Text => lines(out, &sentence),
        }
        Ok(())
    })
}
