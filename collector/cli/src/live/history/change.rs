//! `firebell history prune` and `firebell history import`: through the collector while it runs, else in its files, as who they belong to.

use super::FOLDER;
use crate::{
    Failure,
    live::{Form, ask, json, lines},
    times,
};
use anyhow::Context as _;
use clap::Args;
use firebell_collector::{
    history::network_of,
    store::{Database, Import as Numbers, Imported, StoreError},
};
use firebell_engine::tick::Tick;
use firebell_shared::{
    alert::{Alert, Wire},
    client::CollectorProxy,
    names::{MAX_ID, MAX_IMPORT},
    text::thousands,
};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde::Deserialize;
use serde_json::json as value;
use std::{
    fs,
    io::{self, BufRead, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The longest line, in bytes: an incident with full lists has a fifth of it.
const MAX_LINE: u64 = 256 << 10;
/// What goes to the collector at once, in bytes of lines: the bus takes 32 MiB in a message.
const MAX_BATCH: usize = 4 << 20;
/// Mistakes that are told one by one.
const MAX_TOLD: u64 = 10;
/// So long after now a moment may lie that another machine wrote down.
const MAX_AHEAD: u64 = 86_400_000_000;
/// The collector answers twenty calls a second.
const PACE: Duration = Duration::from_millis(60);

/// Forgets old incidents that are over; those that go on stay, and no number is used again. It asks nothing, and cannot be undone but by
/// `firebell history import` of what was exported before.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub(crate) struct Prune {
    /// Those that were last told before this moment: 2026-11-22, 2026-11-22T08:15Z, or so long ago: 12h, 30d. Times without a zone are UTC.
    #[arg(long, value_name = "TIME", value_parser = times::moment, group = "which")]
    before: Option<Tick>,
    /// Those that are not among the newest so many.
    #[arg(long, value_name = "NUMBER", group = "which")]
    keep: Option<u64>,
    /// Where the files are that are changed while no collector runs (root).
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Takes in what `firebell history export` has printed, here or elsewhere. What is here already is not doubled.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// One JSON object a line; - is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the files are that are changed while no collector runs (root).
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Forgets.
///
/// # Errors
/// This user may not, or there is neither a collector nor a history.
pub(super) fn prune(out: &mut Vec<u8>, arguments: &Prune) -> Result<(), Failure> {
    let (before, keep) = (arguments.before.map_or(0, Tick::as_micros), arguments.keep.unwrap_or(MAX_ID).min(MAX_ID));
    let asked = ask(async |collector| collector.prune_history(before, keep).await);
    let removed = or_in_files(asked, &arguments.folder, |database| {
        let mut removed = 0;
        loop {
            match database.forget(before, keep)?.len() as u64 {
                0 => return Ok(removed),
                more => removed += more,
            }
        }
    })?;
    match arguments.output {
        Form::Json => json(out, &value!({ "removed": removed })),
        Form::Text => {
            let before = arguments.before.map(|before| format!("last told before {} UTC", times::plain(before)));
            let which: Vec<_> = before.into_iter().chain(arguments.keep.map(|keep| format!("not among the newest {keep}"))).collect();
            let what = if removed == 1 { "incident that was over is" } else { "incidents that were over are" };
            lines(out, &format!("{} {what} forgotten: {}", thousands(removed), which.join(", or ")));
        }
    }
    Ok(())
}

/// Takes in.
///
/// # Errors
/// The same, the file cannot be read, or some of its lines are no incidents: then the others are taken.
pub(super) fn import(out: &mut Vec<u8>, arguments: &Import) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    // Before anything is given up, and before anybody is asked: what cannot be read changes nothing.
    let is_stdin = arguments.file == Path::new("-");
    let source: Box<dyn io::Read> =
        if is_stdin { Box::new(io::stdin()) } else { Box::new(fs::File::open(&arguments.file).with_context(|| name.clone())?) };
    let mut input = io::BufReader::new(source);
    let mut reader = Reader { name: &name, number: 0, mistakes: Vec::new(), bad: 0, next: None };
    let first = reader.batch(&mut input).with_context(|| name.clone())?;
    let mut sum = Imported::default();
    let mut add = |done: Imported| (sum.taken, sum.known) = (sum.taken + done.taken, sum.known + done.known);
    let asked = ask(async |collector| {
        let mut batch = first.as_ref().map(Batch::to_wire);
        while let Some((history, alerts)) = batch {
            add(send(&collector, &history, alerts).await?);
            batch = reader.batch(&mut input).map_err(|error| zbus::Error::Failure(error.to_string()))?.as_ref().map(Batch::to_wire);
        }
        Ok(())
    });
    or_in_files(asked, &arguments.folder, |database| {
        let mut batch = first;
        while let Some(Batch { history, alerts }) = batch {
            let numbers = database.numbers();
            let import = Numbers { history_id: history, after_id: numbers.last_id, after_seq: numbers.last_seq };
            add(database.import(&import, &alerts)?);
            batch = reader.batch(&mut input).map_err(StoreError::Io)?;
        }
        Ok(())
    })?;
    match arguments.output {
        Form::Json => json(out, &value!({ "taken": sum.taken, "known": sum.known, "refused": reader.bad })),
        Form::Text => lines(out, &format!("{} incidents are new, {} were here already", thousands(sum.taken), thousands(sum.known))),
    }
    if reader.bad == 0 {
        return Ok(());
    }
    let more = reader.bad.saturating_sub(reader.mistakes.len() as u64);
    let more = if more == 0 { String::new() } else { format!("\nand {} more", thousands(more)) };
    Err(anyhow::anyhow!("{}{more}\n{} lines are no incidents and were left out", reader.mistakes.join("\n"), thousands(reader.bad)).into())
}

/// Gives a batch to the collector, later where it has been asked too often.
async fn send(collector: &CollectorProxy<'_>, history: &str, alerts: Vec<Wire>) -> zbus::Result<Imported> {
    let (taken, known) = collector.import_history(history, alerts).await?;
    tokio::time::sleep(PACE).await;
    Ok(Imported { taken, known })
}

/// Incidents of one history.
struct Batch {
    history: String,
    alerts: Vec<Alert>,
}

impl Batch {
    fn to_wire(&self) -> (String, Vec<Wire>) {
        (self.history.clone(), self.alerts.iter().map(Alert::to_wire).collect())
    }
}

/// Which history has given an incident its number.
#[derive(Deserialize)]
struct Of {
    #[serde(default)]
    history: String,
}

/// Lines that become incidents.
struct Reader<'a> {
    name: &'a str,
    number: u64,
    mistakes: Vec<String>,
    bad: u64,
    /// What was read of another history.
    next: Option<(String, Alert)>,
}

impl Reader<'_> {
    /// The next incidents of one history; nothing at the end. A line that is no incident is counted, and told with its number.
    fn batch(&mut self, input: &mut impl BufRead) -> io::Result<Option<Batch>> {
        let mut batch = self.next.take().map(|(history, alert)| Batch { history, alerts: vec![alert] });
        let (mut line, mut bytes) = (Vec::new(), 0);
        while batch.as_ref().is_none_or(|batch| batch.alerts.len() < MAX_IMPORT && bytes < MAX_BATCH) {
            line.clear();
            if input.take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            self.number += 1;
            bytes += line.len();
            if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
                self.refuse(&format!("the line is longer than {} KiB", MAX_LINE >> 10));
                skip_line(input)?;
                continue;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match read(&line) {
                Err(why) => self.refuse(&why),
                Ok((history, alert)) => match &mut batch {
                    None => batch = Some(Batch { history, alerts: vec![alert] }),
                    Some(batch) if batch.history == history => batch.alerts.push(alert),
                    Some(_) => {
                        self.next = Some((history, alert));
                        break;
                    }
                },
            }
        }
        Ok(batch)
    }

    fn refuse(&mut self, why: &str) {
        self.bad += 1;
        if self.bad <= MAX_TOLD {
            self.mistakes.push(format!("{}:{}: {why}", self.name, self.number));
        }
    }
}

/// Reads over the rest of a line.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let chunk = input.fill_buf()?;
        let (used, is_end) = match chunk.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (chunk.len(), chunk.is_empty()),
        };
        input.consume(used);
        if is_end {
            return Ok(());
        }
    }
}

/// An incident, every text and list within its bounds.
fn read(line: &[u8]) -> Result<(String, Alert), String> {
    let Of { history } = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let alert: Alert = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let alert = Alert::from_wire(alert.to_wire()).map_err(|error| error.to_string())?;
    let d = &alert.details;
    let latest = times::now().as_micros().saturating_add(MAX_AHEAD);
    match () {
        () if history.len() > 64 => Err("the name of the history is longer than 64 bytes".to_owned()),
        () if alert.id == 0 => Err("0 is no number of an incident".to_owned()),
        () if alert.time_usec == 0 || [alert.time_usec, d.first_seen, d.last_seen].iter().any(|time| *time > latest) => {
            Err("its time is not between 1970 and tomorrow".to_owned())
        }
        () if d.packets >= MAX_ID => Err("packets is not below 2^53".to_owned()),
        () if alert.kind.is_empty() || !alert.kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') => {
            Err("kind is no word".to_owned())
        }
        () if !alert.source.is_empty() && network_of(&alert.source).is_none() => {
            Err("source is neither an address nor a network".to_owned())
        }
        () => Ok((history, alert)),
    }
}

/// What was asked of the collector or, where there is none, done to the history in `folder`.
fn or_in_files<T>(
    asked: Result<T, Failure>,
    folder: &Path,
    work: impl FnOnce(&mut Database) -> Result<T, StoreError>,
) -> Result<T, Failure> {
    match asked {
        Err(Failure::NoCollector(_)) => {}
        done => return done,
    }
    become_owner(folder)?;
    let naming = || format!("the history in {}", folder.display());
    let mut database = Database::open_existing(folder).with_context(naming)?;
    let done = work(&mut database);
    database.close().with_context(naming)?;
    Ok(done.with_context(naming)?)
}

/// Root becomes who the history belongs to: files of root beside it would be refused by the collector. Only this thread does, and nothing else
/// runs any more.
fn become_owner(folder: &Path) -> Result<(), Failure> {
    let path = folder.display();
    let metadata = match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::NoCollector(format!("no collector runs, and there is no {path}")));
        }
        metadata => metadata.with_context(|| path.to_string())?,
    };
    let ours = rustix::process::geteuid();
    if metadata.uid() == ours.as_raw() {
        return Ok(());
    }
    if !ours.is_root() {
        return Err(Failure::NotPermitted(format!("{path} belongs to user id {}; ask as root", metadata.uid())));
    }
    let (user, group) = (rustix::process::Uid::from_raw(metadata.uid()), rustix::process::Gid::from_raw(metadata.gid()));
    set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(group, group, group))
        .and_then(|()| set_thread_res_uid(user, user, user))
        .with_context(|| format!("becoming user id {}, whose {path} is", metadata.uid()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::sample;

    fn line(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut document = serde_json::to_value(sample()).unwrap();
        change(&mut document);
        document.to_string() + "\n"
    }

    #[test]
    fn lines_that_are_no_incidents_are_told_by_their_number_and_the_others_are_read() {
        let mut text = line(|_| ()) + "\n{\n" + &line(|document| document["severity"] = 9.into());
        text += &line(|document| document["source"] = "example.org; rm -rf /".into());
        text += &line(|document| document["time_usec"] = u64::MAX.into());
        text += &("[".repeat(100_000) + "\n");
        text += &("x".repeat(300_000) + "\n");
        text += &line(|document| document["id"] = (1_u64 << 53).into());
        text += &line(|document| document["kind"] = "<b>".into());
        text += &line(|document| document["history"] = "other".into());
        text += &line(|document| document["history"] = "x".repeat(65).into());
        text += "\u{0}\n\u{202e}\n".repeat(20).as_str();
        let (mut reader, mut input) =
            (Reader { name: "f", number: 0, mistakes: Vec::new(), bad: 0, next: None }, io::Cursor::new(text.as_bytes()));
        let mut batches = Vec::new();
        while let Some(batch) = reader.batch(&mut input).unwrap() {
            batches.push((batch.history, batch.alerts.len()));
        }
        assert_eq!(batches, [(String::new(), 1), ("other".to_owned(), 1)]);
        assert_eq!((reader.bad, reader.mistakes.len() as u64), (49, MAX_TOLD));
        for (at, part) in [
            (0, "f:3: EOF"),
            (1, "f:4: 9 is not a severity"),
            (2, "f:5: source is neither"),
            (3, "f:6: its time"),
            (5, "f:8: the line is longer"),
        ] {
            assert!(reader.mistakes[at].starts_with(part), "{} and not {part}", reader.mistakes[at]);
        }
    }

    #[test]
    fn a_batch_is_bounded_and_what_is_read_has_its_bounds() {
        let text = line(|document| document["details"]["why"] = "x".repeat(100_000).into()).repeat(1001);
        let (mut reader, mut input) =
            (Reader { name: "f", number: 0, mistakes: Vec::new(), bad: 0, next: None }, io::Cursor::new(text.as_bytes()));
        let first = reader.batch(&mut input).unwrap().unwrap();
        assert!(first.alerts.len() <= 42 && first.alerts[0].details.why.len() <= 512, "{}", first.alerts.len());
    }
}
