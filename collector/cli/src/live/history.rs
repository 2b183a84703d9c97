//! `firebell history`: what is kept of all incidents, from the collector, or from its files while it is stopped.

mod change;

use super::{ask, json, lines, pages, print};
use crate::{Failure, live::Form, times};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use firebell_collector::{
    history::Filter,
    store::{Database, FILE, Numbers},
};
use firebell_engine::tick::Tick;
use firebell_shared::{alert::Alert, names::MAX_LIST, text::thousands};
use serde::Serialize;
use serde_json::json as value;
use std::{
    collections::HashMap,
    fs::{self, DirBuilder},
    io::{self, BufWriter, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};
use zbus::wire::Variant;

/// Where the collector keeps it unless `[history] folder` says otherwise.
pub(crate) const FOLDER: &str = "/var/lib/firebell";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How much is kept, from when to when, and how severe it was.
    Stats(Stats),
    /// Prints every incident as it stands, one JSON object a line, the one told longest ago first.
    Export(Export),
    /// Forgets old incidents that are over; those that go on stay, and no number is used again.
    Prune(change::Prune),
    /// Takes in what `firebell history export` has printed, here or elsewhere. What is here already is not doubled.
    Import(change::Import),
}

/// Where from, and which.
#[derive(Debug, Args)]
pub(crate) struct From {
    /// Where the files are that are read while no collector runs (root).
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    pub(crate) folder: PathBuf,
    /// Told at this time or later: 2026-11-22, 2026-11-22T08:15Z, or so long ago: 30m, 6h, 7d. Times without a zone are UTC.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    pub(crate) since: Option<Tick>,
    /// Told at this time or earlier.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    pub(crate) until: Option<Tick>,
}

#[derive(Debug, Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    from: From,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    from: From,
}

/// Reads, and prints.
///
/// # Errors
/// There is neither a collector nor a history that this user may read.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Stats(arguments) => print(|out| stats(out, arguments)),
        Command::Export(arguments) => export(&arguments.from),
        Command::Prune(arguments) => print(|out| change::prune(out, arguments)),
        Command::Import(arguments) => print(|out| change::import(out, arguments)),
    }
}

/// Sums over all of it.
#[derive(Debug, Default)]
struct Sums {
    incidents: u64,
    open: u64,
    acknowledged: u64,
    noted: u64,
    packets: u64,
    by_severity: [u64; 5],
    first: Option<u64>,
    last: Option<u64>,
}

impl Sums {
    fn add(&mut self, alert: &Alert) {
        self.incidents += 1;
        self.open += u64::from(alert.is_open());
        self.acknowledged += u64::from(alert.details.acknowledged.is_some());
        self.noted += u64::from(!alert.details.note.is_empty());
        self.packets = self.packets.saturating_add(alert.details.packets);
        if let Some(count) = self.by_severity.get_mut(usize::from(alert.severity.get()) - 1) {
            *count += 1;
        }
        self.first = Some(self.first.map_or(alert.time_usec, |first| first.min(alert.time_usec)));
        self.last = self.last.max(Some(alert.time_usec));
    }
}

fn stats(out: &mut Vec<u8>, arguments: &Stats) -> Result<(), Failure> {
    let mut sums = Sums::default();
    let place = each(&arguments.from, |alert, _| {
        sums.add(alert);
        Ok(())
    })?;
    let moment = |micros: Option<u64>| micros.map(Tick::from_micros);
    match arguments.output {
        Form::Json => json(
            out,
            &value!({
                "from": place,
                "incidents": sums.incidents,
                "open": sums.open,
                "acknowledged": sums.acknowledged,
                "noted": sums.noted,
                "packets": sums.packets,
                "by_severity": sums.by_severity,
                "first": moment(sums.first).map(times::rfc3339),
                "last": moment(sums.last).map(times::rfc3339),
            }),
        ),
        Form::Text => {
            let span = match (moment(sums.first), moment(sums.last)) {
                (Some(first), Some(last)) => format!(", told from {} to {} UTC", times::plain(first), times::plain(last)),
                _ => String::new(),
            };
            let [one, two, three, four, five] = sums.by_severity.map(thousands);
            lines(
                out,
                &format!(
                    "{} incidents from {place}{span}\n{five} of severity 5, {four} of 4, {three} of 3, {two} of 2, {one} of 1\n\
                     {} go on, {} are acknowledged, {} have a note; {} packets",
                    thousands(sums.incidents),
                    thousands(sums.open),
                    thousands(sums.acknowledged),
                    thousands(sums.noted),
                    thousands(sums.packets)
                ),
            );
        }
    }
    Ok(())
}

/// A line of what is exported: which history has given the incident its number, and the incident.
#[derive(Serialize)]
struct Exported<'a> {
    history: &'a str,
    #[serde(flatten)]
    alert: &'a Alert,
}

fn export(from: &From) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    each(from, |alert, history| {
        serde_json::to_writer(&mut out, &Exported { history, alert }).map_err(io::Error::from)?;
        out.write_all(b"\n")
    })?;
    out.flush().context("writing to the standard output")?;
    Ok(())
}

/// Looks at each incident, with the name of its history. Gives where they came from, for people.
pub(crate) fn each(from: &From, mut look: impl FnMut(&Alert, &str) -> io::Result<()>) -> Result<String, Failure> {
    let mut written = Ok(());
    let mut look = |alert: &Alert, history: &str| {
        if written.is_ok() {
            written = look(alert, history);
        }
    };
    let asked = ask(async |collector| {
        let moments = [("since", from.since), ("until", from.until)];
        let filter: HashMap<&str, Variant<'_>> =
            moments.into_iter().filter_map(|(key, moment)| Some((key, moment?.as_micros().into()))).collect();
        let history = collector.history_id().await?;
        pages(&collector, 0, &filter, |alert| look(&alert, &history)).await
    });
    let place = match asked {
        Ok(_) => "the collector".to_owned(),
        Err(Failure::NoCollector(_)) => {
            read_files(from, look)?;
            from.folder.join(FILE).display().to_string()
        }
        Err(other) => return Err(other),
    };
    written.context("writing to the standard output")?;
    Ok(place)
}

fn read_files(from: &From, look: impl FnMut(&Alert, &str)) -> Result<(), Failure> {
    let micros = |moment: Option<Tick>| moment.map(Tick::as_micros);
    let filter = Filter { since: micros(from.since), until: micros(from.until), ..Filter::default() };
    Stopped::open(&from.folder)?.each(&filter, look)
}

/// The history of a collector that does not run.
///
/// It is a copy: whoever opens the files themselves leaves others beside them that the collector would refuse, being of another user.
pub(super) struct Stopped {
    pub(super) database: Database,
    /// Behind the database, which is closed first.
    _copy: Copy,
}

impl Stopped {
    /// Copies and opens what is in `folder`.
    ///
    /// # Errors
    /// There is none, this user may not read it, or it is damaged.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let copy = Copy::of(folder)?;
        // The copy is nobody else's, so that whatever is done to it is done to nothing.
        let opened = Database::open(&copy.0, &Numbers::new(String::new()), false);
        let (database, aside) = opened.with_context(|| format!("reading {}", folder.join(FILE).display()))?;
        if let Some(aside) = aside.first() {
            return Err(Failure::Other(anyhow::anyhow!("the history in {} cannot be read: {}", folder.display(), aside.why)));
        }
        Ok(Self { database, _copy: copy })
    }

    /// Looks at each incident that fits, the one told longest ago first, with the name of its history.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn each(&self, filter: &Filter, mut look: impl FnMut(&Alert, &str)) -> Result<(), Failure> {
        let Numbers { last_seq, history_id, .. } = self.database.numbers();
        let mut after = 0;
        while after < *last_seq {
            let page = self.database.list(after, *last_seq, MAX_LIST as usize, filter).context("reading the history")?;
            page.alerts.iter().for_each(|alert| look(alert, history_id));
            after = page.last_seq;
        }
        Ok(())
    }
}

/// A copy of the history in a folder that nobody else may enter. It goes when dropped.
struct Copy(PathBuf);

impl Copy {
    fn of(folder: &Path) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("firebell-history-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).with_context(|| path.display().to_string())?;
        let copy = Self(path);
        let file = |suffix: &str| format!("{FILE}{suffix}");
        // The write-ahead log after the database: what is written in between is then read, or is damage that is found.
        for suffix in ["", "-wal"] {
            let (from, to) = (folder.join(file(suffix)), copy.0.join(file(suffix)));
            match fs::copy(&from, &to) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Failure::NotPermitted(format!("{}: {error}; ask as root", from.display())));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Failure::NoCollector(format!("no collector runs, and there is no {}", from.display())));
                }
                Err(error) => return Err(Failure::Other(anyhow::Error::from(error).context(from.display().to_string()))),
            }
        }
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What cannot be removed lies in a folder of our own.
        let _ = fs::remove_dir_all(&self.0);
    }
}
