//! `firebell ack`, `note`, `mute`, `unmute`, `trust`, `untrust`: what people tell the collector. It answers with how to undo it.

use super::{Form, ask, json, lines, print};
use crate::{
    Failure,
    notify::{seconds, source},
};
use clap::Args;
use firebell_shared::{client::CollectorProxy, names::MAX_ID};
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
        tell(arguments.output, async |collector| match arguments.undo {
            true => collector.unacknowledge(*id).await,
            false => collector.acknowledge(*id).await,
        })?;
    }
    Ok(())
}

/// `firebell note`.
///
/// # Errors
/// The same.
pub(crate) fn note(arguments: &Note) -> Result<(), Failure> {
    tell(arguments.output, async |collector| collector.note(arguments.id, &arguments.text.join(" ")).await)
}

/// `firebell mute`.
///
/// # Errors
/// There is no collector on the bus, this user may not change anything, or there is no room.
pub(crate) fn mute(arguments: &Mute) -> Result<(), Failure> {
    tell(arguments.of.output, async |collector| collector.mute(&arguments.of.source, arguments.seconds).await)
}

/// `firebell unmute`.
///
/// # Errors
/// There is no collector on the bus, this user may not change anything, or there is nothing to end.
pub(crate) fn unmute(arguments: &Of) -> Result<(), Failure> {
    tell(arguments.output, async |collector| collector.unmute(&arguments.source).await)
}

/// `firebell trust`.
///
/// # Errors
/// As for [`mute`].
pub(crate) fn trust(arguments: &Of) -> Result<(), Failure> {
    tell(arguments.output, async |collector| collector.trust(&arguments.source).await)
}

/// `firebell untrust`.
///
/// # Errors
/// As for [`unmute`].
pub(crate) fn untrust(arguments: &Of) -> Result<(), Failure> {
    tell(arguments.output, async |collector| collector.untrust(&arguments.source).await)
}

/// Asks for a change, and prints the sentence that comes back.
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
