//! What the running collector knows, asked over the system bus.

mod alerts;
mod changes;
mod history;
mod page;
mod show;
mod status;
mod timeline;
mod watch;

pub(crate) use alerts::{Arguments as AlertsArguments, other};
pub(crate) use changes::{
    Ack as AckArguments, Mute as MuteArguments, Note as NoteArguments, Of as SourceArguments, ack, mute, note, trust, unmute, untrust,
};
pub(crate) use history::{Command as HistoryCommand, FOLDER, From as HistoryPart, each as each_of_history, run as history};
pub(crate) use show::Arguments as ShowArguments;
pub(crate) use status::{Arguments as StatusArguments, plain};
pub(crate) use watch::{Arguments as WatchArguments, run as watch};

use crate::Failure;
pub(crate) use crate::form::Form;
use firebell_shared::{
    alert::Alert,
    client::CollectorProxy,
    names::{MAX_ID, MAX_LIST},
    text::safe,
};
use serde_json::Value;
use std::{
    collections::HashMap,
    io::{self, Write as _},
    time::Duration,
};
use zbus::wire::Variant;

/// Bytes of a line; more than any of ours has.
const MAX_LINE: usize = 4096;
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// `firebell status`.
///
/// # Errors
/// There is no collector on the bus, or it does not serve this user.
pub(crate) fn status(arguments: &StatusArguments) -> Result<(), Failure> {
    print(|out| status::run(out, arguments))
}

/// `firebell alerts`.
///
/// # Errors
/// The same.
pub(crate) fn alerts(arguments: &AlertsArguments) -> Result<(), Failure> {
    print(|out| alerts::run(out, arguments))
}

/// `firebell show`.
///
/// # Errors
/// The same, and where there is no such alert.
pub(crate) fn show(arguments: &ShowArguments) -> Result<(), Failure> {
    print(|out| show::run(out, arguments))
}

/// Prints what was written, also where it comes with a failure.
pub(crate) fn print(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut out = Vec::new();
    let result = write(&mut out);
    io::stdout().write_all(&out).map_err(anyhow::Error::from)?;
    result
}

/// Lines for people. The collector sends nothing that a terminal would obey, but what is not its own word is not trusted.
pub(crate) fn lines(out: &mut Vec<u8>, text: &str) {
    for line in text.lines() {
        out.extend(safe(line.as_bytes(), MAX_LINE).bytes());
        out.push(b'\n');
    }
}

/// Asks the collector.
///
/// # Errors
/// There is no collector on the bus, it does not serve this user, or it has no such thing.
pub(crate) fn ask<T>(question: impl AsyncFnOnce(CollectorProxy<'static>) -> zbus::Result<T>) -> Result<T, Failure> {
    at_bus(zbus::connection::Builder::system(), async |connection| question(CollectorProxy::new(connection).await?).await)
        .map_err(|error| Failure::from_bus(&error))
}

/// Every alert after `after_seq` that fits `filter`, oldest first. Gives the last sequence number.
///
/// # Errors
/// What the collector answers.
pub(crate) async fn pages(
    collector: &CollectorProxy<'static>,
    after_seq: u64,
    filter: &HashMap<&str, Variant<'_>>,
    mut each: impl FnMut(Alert),
) -> zbus::Result<u64> {
    let mut after = after_seq;
    loop {
        let filter = filter.iter().map(|(key, value)| Ok((*key, value.try_clone()?))).collect::<zbus::Result<_>>()?;
        let (wires, last, more) = collector.list_alerts(after, MAX_LIST, filter).await?;
        wires.into_iter().filter_map(|wire| Alert::from_wire(wire).ok()).for_each(&mut each);
        // One that never ends would have us ask for ever.
        if !more || last <= after || last >= MAX_ID {
            return Ok(last.max(after));
        }
        after = last;
    }
}

/// Asks on a bus of one's own choice, and waits.
///
/// # Errors
/// There is no such bus, or it or who is asked answers with an error.
pub(crate) fn at_bus<T>(
    bus: zbus::connection::Builder<'_>,
    question: impl AsyncFnOnce(&zbus::Connection) -> zbus::Result<T>,
) -> zbus::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { question(&bus.method_timeout(PATIENCE).build().await?).await })
}

/// An incident for tests.
#[cfg(test)]
pub(crate) fn sample() -> Alert {
    use firebell_shared::{alert, severity::Severity};
    Alert {
        id: 7,
        time_usec: 1_763_800_005_000_000,
        severity: Severity::AIMED,
        kind: "syn-scan".into(),
        source: "198.51.100.66".into(),
        summary: "SYN scan of 7 TCP ports".into(),
        details: alert::Details {
            seq: 9,
            revision: 2,
            phase: alert::Phase::Updated,
            packets: 14,
            contacts: 7,
            ports: "1-7".into(),
            protocol: "tcp".into(),
            targets: vec!["198.51.100.10".into()],
            first_seen: 1_763_800_000_000_000,
            last_seen: 1_763_800_005_000_000,
            action: alert::Action::Dropped,
            ..alert::Details::default()
        },
    }
}

/// One document. Writing into memory does not fail.
pub(crate) fn json(out: &mut Vec<u8>, document: &Value) {
    let _ = serde_json::to_writer_pretty(&mut *out, document);
    out.push(b'\n');
}
