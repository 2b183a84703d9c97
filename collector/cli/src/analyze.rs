//! `firebell analyze`: recorded logs through the engine of the collector.

use crate::{
    Failure,
    choice::{Choice, Chosen},
    compare::{self, Comparison},
    input::{Lines, Next, Window},
    live,
    live::HistoryPart,
    overview::Tally,
    packets::{self, Table},
    report::{self, Counts, Document, Report},
    times,
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use firebell_collector::{
    config::{self, Config, Prefix},
    convert, exports,
    lists::Files,
    rules::Loaded,
};
use firebell_engine::{
    engine::Engine,
    origin::Origin,
    packet::Packet,
    parse::{MalformedKind, Parser},
    record::{Record, RecordReader},
    replay::{Moment, ReplayClock},
    signature::RuleSet,
    stamp::Stamp,
    tick::Tick,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{civil, tz::TimeZone};
use std::{
    io::{self, IsTerminal as _, Write as _},
    num::NonZero,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, SystemTime},
};

/// A first stamp without year may be so much later than the last change of its file: clocks and time zones differ.
const LATER_THAN_FILE: Duration = Duration::from_secs(86_400);
/// How far into a file a first time stamp is looked for.
const PEEKED_LINES: usize = 100;
/// From so many bytes of log on it is shown how far the reading is: less takes no second.
const SHOWN_FROM: u64 = 32 << 20;
/// Output is written in pieces of about this size.
const PIECE: usize = 64 << 10;

/// Reads recorded logs of a netfilter firewall in any usual form (syslog, journalctl, dmesg, /dev/kmsg; plain, gzip, zstd or xz).
///
/// Several files are read in the order of their first time stamps, as one log. Nothing vouches for a file, so every
/// record counts as unverified, and no alert is held back for that. Equal options and files give equal output.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reading: Reading,
    /// Tells which alerts would come, go or change with this configuration instead.
    #[arg(long, value_name = "OTHER", conflicts_with = "packets")]
    compare: Option<PathBuf>,
    /// text for people, json for one document, jsonl for one line an alert (or a packet, or a difference), csv likewise; eve (Suricata), ecs (Elastic) and psad for other tools.
    #[arg(short, long, value_name = "FORM", default_value = "text", default_value_if("packets", "true", "jsonl"))]
    output: Form,
    /// Prints every packet that was read, one JSON object (or CSV row) a line, instead of judging them.
    #[arg(long)]
    packets: bool,
    /// Log files; - is the standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

// How logs are read and judged. (No docstring: clap would print it as the help of the commands that have these options.)
#[derive(Debug, Args)]
#[allow(missing_docs)]
pub(crate) struct Reading {
    /// Detection parameters and prefixes from this file; without it the defaults, whatever is in /etc/firebell.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Rules from the *.toml files in this folder, in place of those that firebell ships.
    #[arg(long, value_name = "DIR")]
    pub(crate) signatures: Option<PathBuf>,
    #[command(flatten)]
    choice: Chosen,
    /// The year of the first time stamp without one [default: that of the file's last change, or the one before].
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    year: Option<i16>,
    /// The time zone of time stamps without one: UTC, local, +01:00, Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = times::zone, allow_hyphen_values = true)]
    pub(crate) timezone: TimeZone,
    /// So many threads work at once; the output is the same for any number [default: one for each processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,
}

impl Reading {
    /// The part of the history that was asked for.
    pub(crate) fn part_of(&self, folder: &Path) -> HistoryPart {
        let (since, until) = self.choice.moments();
        HistoryPart { folder: folder.to_owned(), since, until }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Jsonl,
    Csv,
    Eve,
    Ecs,
    Psad,
}

/// Reads, judges, prints.
///
/// # Errors
/// A file cannot be read, a configuration is wrong, or nobody takes the output.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let conflict = match arguments.output {
        Form::Text | Form::Json | Form::Eve | Form::Ecs | Form::Psad if arguments.packets => {
            Some("--packets prints lines: use -o jsonl, -o csv, or no -o")
        }
        Form::Csv | Form::Eve | Form::Ecs | Form::Psad if arguments.compare.is_some() => {
            Some("--compare has neither CSV nor the forms of other tools: use -o jsonl")
        }
        _ => None,
    };
    if let Some(conflict) = conflict {
        use clap::{CommandFactory as _, error::ErrorKind};
        crate::Arguments::command().error(ErrorKind::ArgumentConflict, conflict).exit();
    }
    let reading = &arguments.reading;
    let config = load(reading.config.as_deref())?;
    let other = arguments.compare.as_deref().map(|other| compare::check(&arguments.files).map(|()| other)).transpose()?;
    let other = other.map(|path| load(Some(path)).map(|config| (path, config))).transpose()?;
    let signatures = reading.signatures.as_deref();
    let rules = rules(signatures, reading.config.as_deref(), &config)?;
    let other = other.map(|(path, config)| self::rules(signatures, Some(path), &config).map(|rules| (path, config, rules))).transpose()?;
    let sink = match arguments.output {
        Form::Csv if arguments.packets => Sink::Table(Box::new(Table::new(io::stdout()).map_err(anyhow::Error::from)?)),
        _ if arguments.packets => Sink::Lines(Vec::with_capacity(2 * PIECE)),
        _ => Sink::Engine,
    };
    let mut judge = read(reading, &arguments.files, &config, rules, sink)?;
    if arguments.packets {
        return Ok(judge.sink.flush()?);
    }
    let mut document = judge.document();
    if let Some((path, config, rules)) = other {
        let mut other = read(reading, &arguments.files, &config, rules, Sink::Engine)?;
        document.comparison = Some(Comparison::new(&document.alerts, &other.document().alerts, reading.config.as_deref(), path));
    }
    let mut out = Vec::new();
    match (arguments.output, &document.comparison) {
        (Form::Csv, _) => report::csv(&mut out, &document.alerts).map_err(anyhow::Error::from)?,
        (Form::Json, _) => report::json(&mut out, &document),
        (Form::Eve, _) => told(&mut out, exports::Form::Eve, &document),
        (Form::Ecs, _) => told(&mut out, exports::Form::Ecs, &document),
        (Form::Psad, _) => told(&mut out, exports::Form::Psad, &document),
        (Form::Text, None) => report::text(&mut out, &document),
        (Form::Text, Some(comparison)) => comparison.text(&mut out),
        (Form::Jsonl, None) => report::json_lines(&mut out, &document.alerts),
        (Form::Jsonl, Some(comparison)) => report::json_lines(&mut out, &comparison.changes),
    }
    Ok(put(&out)?)
}

/// The alerts as another tool reads them, each as it was at its end.
fn told(out: &mut Vec<u8>, form: exports::Form, document: &Document) {
    let alerts: Vec<_> = document.alerts.iter().filter_map(|alert| alert.latest.as_ref()).map(convert::alert).collect();
    live::other(out, form, alerts.iter());
}

/// The configuration in a file, or the defaults.
pub(crate) fn load(path: Option<&Path>) -> Result<Config, Failure> {
    let Some(path) = path else { return Ok(Config::default()) };
    let loaded = config::load(Some(path)).map_err(|problems| Failure::Configuration(report::list(&problems)))?;
    Ok(loaded.config)
}

/// The rules of a configuration. Without a file of it, those that firebell ships, whatever is in `/etc/firebell`.
pub(crate) fn rules(instead: Option<&Path>, path: Option<&Path>, config: &Config) -> Result<RuleSet, Failure> {
    let loaded = match (instead, path) {
        (instead, Some(_)) => Loaded::read(&config.signatures, instead),
        (Some(folder), None) => Loaded::folder(folder),
        (None, None) => Loaded::shipped(),
    };
    if loaded.problems.is_empty() {
        Ok(loaded.rules.set(&config.signatures))
    } else {
        Err(Failure::Configuration(report::list(&loaded.problems)))
    }
}

/// Reads all the files, and gives each packet to `sink`, or to an engine.
pub(crate) fn read(reading: &Reading, paths: &[PathBuf], config: &Config, rules: RuleSet, sink: Sink) -> anyhow::Result<Judge> {
    let choice = reading.choice.choice();
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let mut files = Vec::new();
    for path in paths {
        let mut lines = Lines::open(path, &progress)?;
        let first = first_moment(&mut lines).with_context(|| format!("cannot read {}", path.display()))?;
        files.push(File { path: path.clone(), lines, first });
    }
    show(&progress, &files, !matches!(sink, Sink::Engine | Sink::Tally(_)));
    let year = arrange(&mut files, reading.year.map(i32::from));
    let zone = match reading.timezone.to_fixed_offset() {
        Ok(fixed) => Zone::Fixed(fixed.seconds()),
        Err(_) => Zone::Rules(reading.timezone.clone()),
    };
    let engine = engine(config, rules);
    let mut reader = Reader { prefixes: &config.intake.prefixes, records: RecordReader::default(), parser: Parser::default() };
    let mut judge = Judge {
        files: paths.iter().map(|path| path.display().to_string()).collect(),
        zone,
        clock: ReplayClock::new(year, 0),
        counts: Counts::new(!choice.is_all()),
        choice,
        sink,
        engine,
        report: Report::default(),
    };
    let jobs = reading.jobs.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from);
    for File { path, mut lines, .. } in files {
        let naming = || format!("reading {}", path.display());
        lines.begin().with_context(naming)?;
        loop {
            let (window, next) = lines.split();
            if window.is_empty() {
                break;
            }
            let next = match jobs {
                1 => {
                    alone(window, &mut reader, &mut judge)?;
                    next.read()
                }
                _ => together(window, next, jobs - 1, &reader, &mut judge)?,
            };
            next.with_context(naming)?;
            lines.go_on();
        }
    }
    progress.finish_and_clear();
    Ok(judge)
}

/// Shows on a terminal how far it is, where that takes a while.
fn show(progress: &ProgressBar, files: &[File], prints_lines: bool) {
    let size: u64 = files.iter().map(|file| file.lines.size).sum();
    if size < SHOWN_FROM || (prints_lines && io::stdout().is_terminal()) {
        return;
    }
    progress.set_length(size);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left") {
        progress.set_style(style);
    }
    // Where standard error is no terminal, it stays hidden.
    progress.set_draw_target(ProgressDrawTarget::stderr());
}

/// An engine for recorded logs.
///
/// A fixed key: the same log gives the same report. Nothing vouches for a file: what the collector may hold back of such lines is
/// all that there is here.
pub(crate) fn engine(config: &Config, rules: RuleSet) -> Engine {
    let mut parameters = config.parameters(false);
    let (lists, complaints) = Files::read(config);
    for complaint in complaints {
        // Without a standard error there is nobody to tell.
        let _ = writeln!(io::stderr(), "firebell: {complaint}");
    }
    lists.fill(&mut parameters.lists);
    let mut engine = Engine::new(parameters, [0; 16]);
    engine.replace_rules(rules);
    engine
}

/// Reads and judges in turn.
fn alone(window: Window<'_>, reader: &mut Reader<'_>, judge: &mut Judge) -> anyhow::Result<()> {
    let mut batch = Batch::default();
    window.pieces(READ_AT_ONCE).try_for_each(|piece| {
        reader.piece(piece, &mut batch);
        judge.batch(&batch)
    })
}

/// Reads in `readers` threads and judges in this one, while one more gets what follows; gives the outcome of that.
///
/// The pieces of the window go to the readers in turn, and so does whoever takes what they have made of them: the order is
/// that of the lines.
fn together(
    window: Window<'_>,
    next: Next<'_>,
    readers: usize,
    reader: &Reader<'_>,
    judge: &mut Judge,
) -> anyhow::Result<anyhow::Result<()>> {
    thread::scope(|scope| {
        let next = scope.spawn(move || next.read());
        let mut channels = Vec::new();
        for first in 0..readers {
            let (full, batches) = mpsc::sync_channel(WAITING);
            let (empty, recycled) = mpsc::sync_channel(WAITING);
            channels.push((batches, empty));
            let mut reader = reader.clone();
            scope.spawn(move || {
                for piece in window.pieces(READ_AT_ONCE).skip(first).step_by(readers) {
                    let mut batch: Batch<'_> = recycled.try_recv().unwrap_or_default();
                    reader.piece(piece, &mut batch);
                    if full.send(batch).is_err() {
                        // The judge has failed, and says why.
                        break;
                    }
                }
            });
        }
        for (batches, empty) in channels.iter().cycle() {
            // The first reader without a piece is the end.
            let Ok(batch) = batches.recv() else { break };
            judge.batch(&batch)?;
            // When there are enough of them, this one is dropped.
            let _ = empty.try_send(batch);
        }
        Ok(next.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the reading thread has failed"))))
    })
}

/// Puts files into the order of their first stamps, and gives the year of the very first one, if that has none.
///
/// Rotated logs are often named newest first. Where one of them has no calendar, the order given is all there is.
fn arrange(files: &mut [File], given_year: Option<i32>) -> i32 {
    let begin = |file: &File| match file.first {
        Some(Moment { stamp: stamp @ Stamp::Wall { .. }, .. }) => Some(stamp.unix_micros(given_year.unwrap_or_else(|| file.year()), 0)),
        _ => None,
    };
    if files.iter().all(|file| begin(file).is_some()) {
        files.sort_by_key(|file| begin(file));
    }
    given_year.or_else(|| files.first().map(File::year)).unwrap_or(1970)
}

/// A file that is open, and when it begins.
struct File {
    path: PathBuf,
    lines: Lines,
    first: Option<Moment>,
}

impl File {
    /// The year of its first stamp, if that has none: the last one that does not put it behind the file's last change.
    fn year(&self) -> i32 {
        let modified = self.lines.modified.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default());
        let year = times::year_of(modified);
        let latest = i64::try_from((modified + LATER_THAN_FILE).as_micros()).unwrap_or(i64::MAX);
        match self.first {
            Some(Moment { stamp, .. }) if stamp.unix_micros(year, 0) > latest => year - 1,
            _ => year,
        }
    }
}

fn first_moment(lines: &mut Lines) -> anyhow::Result<Option<Moment>> {
    let start = lines.peek()?;
    Ok(start.split(|byte| *byte == b'\n').take(PEEKED_LINES).find_map(|line| Moment::of(&Record::read(line))))
}

/// One packet of a log, on its way from a thread that reads to the one that judges.
#[derive(Default)]
struct Seen<'a> {
    /// `None` only before it is read: it is large, and made where it stays.
    packet: Option<Packet<'a>>,
    host: Option<&'a [u8]>,
    moment: Option<Moment>,
    /// What follows its line.
    ahead: &'a [u8],
}

/// What a piece of a log says. Used again, so that its memory stays in the caches.
#[derive(Default)]
struct Batch<'a> {
    lines: u64,
    not_netfilter: u64,
    malformed: u64,
    /// The packets, and behind them those of earlier pieces.
    seen: Vec<Seen<'a>>,
    packets: usize,
}

impl<'a> Batch<'a> {
    fn clear(&mut self) {
        (self.lines, self.not_netfilter, self.malformed, self.packets) = (0, 0, 0, 0);
    }

    /// Where the next packet belongs. It only counts when `packets` says so.
    fn place(&mut self) -> Option<&mut Seen<'a>> {
        if self.packets == self.seen.len() {
            self.seen.push(Seen::default());
        }
        self.seen.get_mut(self.packets)
    }

    fn packets(&self) -> &[Seen<'a>] {
        self.seen.get(..self.packets).unwrap_or_default()
    }
}

/// What failed where nobody takes the output.
const WRITING: &str = "writing to the standard output";
/// So many bytes of a log are read at once: their packets are some 60 KiB, which stay in the caches on their way.
const READ_AT_ONCE: usize = 16 << 10;
/// So many batches of one reader wait at most.
const WAITING: usize = 8;

/// What happens to each line, in any order: it is read, and counted.
/// Takes lines apart.
#[derive(Clone)]
struct Reader<'c> {
    prefixes: &'c [Prefix],
    records: RecordReader,
    parser: Parser,
}

impl Reader<'_> {
    fn piece<'a>(&mut self, piece: Window<'a>, batch: &mut Batch<'a>) {
        batch.clear();
        for (line, ahead) in piece.lines() {
            batch.lines += 1;
            let record = self.records.read(line);
            let Some(seen) = batch.place() else { break };
            match self.parser.parse_into(record.text, &mut seen.packet) {
                Ok(packet) if is_wanted(self.prefixes, packet.prefix) => {
                    (seen.host, seen.moment, seen.ahead) = (record.host, Moment::of(&record), ahead);
                    batch.packets += 1;
                }
                Err(error) if error.kind != MalformedKind::NotNetfilter => batch.malformed += 1,
                _ => batch.not_netfilter += 1,
            }
        }
    }
}

fn is_wanted(prefixes: &[Prefix], prefix: &[u8]) -> bool {
    prefixes.is_empty() || prefixes.iter().any(|wanted| wanted.is(prefix))
}

/// Where packets go.
pub(crate) enum Sink {
    /// They are judged.
    Engine,
    /// They are judged and counted.
    Tally(Box<Tally>),
    /// They are printed as JSON.
    Lines(Vec<u8>),
    /// They are printed as CSV.
    Table(Box<Table<io::Stdout>>),
}

impl Sink {
    fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Engine | Self::Tally(_) => Ok(()),
            Self::Table(table) => table.flush().context(WRITING),
            Self::Lines(out) => {
                put(out)?;
                out.clear();
                Ok(())
            }
        }
    }
}

fn put(out: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(out).and_then(|()| stdout.flush()).context(WRITING)
}

/// What happens to each packet, in the order of the lines: it gets its time, and is judged or printed.
pub(crate) struct Judge {
    files: Vec<String>,
    zone: Zone,
    clock: ReplayClock,
    counts: Counts,
    choice: Choice,
    pub(crate) sink: Sink,
    engine: Engine,
    report: Report,
}

impl Judge {
    fn batch(&mut self, batch: &Batch<'_>) -> anyhow::Result<()> {
        self.counts.lines += batch.lines;
        self.counts.not_netfilter += batch.not_netfilter;
        self.counts.malformed += batch.malformed;
        batch.packets().iter().try_for_each(|seen| self.packet(seen))
    }

    fn packet(&mut self, seen: &Seen<'_>) -> anyhow::Result<()> {
        let Some(packet) = &seen.packet else { return Ok(()) };
        let tick = self.tick(seen);
        let dated = self.clock.has_begun().then_some(tick);
        if !self.choice.has(packet, tick) {
            self.counts.left_out = self.counts.left_out.map(|count| count + 1);
            return Ok(());
        }
        self.counts.packets += 1;
        self.counts.seen(dated);
        match &mut self.sink {
            Sink::Engine => {}
            Sink::Tally(tally) => tally.note(packet, dated),
            Sink::Table(table) => return table.row(packet, seen.host, Origin::Unverified, dated).context(WRITING),
            Sink::Lines(out) => {
                packets::write(out, packet, seen.host, Origin::Unverified, dated);
                return if out.len() >= PIECE { self.sink.flush() } else { Ok(()) };
            }
        }
        self.engine.observe(packet, Origin::Unverified, tick);
        while let Some(finding) = self.engine.next_finding() {
            self.report.note(finding);
        }
        Ok(())
    }

    fn tick(&mut self, seen: &Seen<'_>) -> Tick {
        let (zone, year) = (&self.zone, self.clock.year());
        let witnesses = seen.ahead.split(|byte| *byte == b'\n').filter_map(|line| Moment::of(&Record::read(line)));
        self.clock.tick(seen.moment.map(|moment| in_zone(moment, zone, year)), witnesses.map(|moment| in_zone(moment, zone, year)))
    }

    /// Ends what is still going on, and tells everything.
    pub(crate) fn document(&mut self) -> Document {
        let document = std::mem::take(&mut self.report).finish(std::mem::take(&mut self.files), &self.counts, &mut self.engine);
        if document.left_out > 0 {
            // Without a standard error nobody can be told.
            let _ = writeln!(io::stderr(), "firebell: {} later alerts are left out: too many for one report", document.left_out);
        }
        document
    }
}

/// The time zone of stamps without one.
enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    /// With daylight saving.
    Rules(TimeZone),
}

/// Puts a stamp without time zone into `zone`.
fn in_zone(moment: Moment, zone: &Zone, default_year: i32) -> Moment {
    let Stamp::Wall { year, month, day, hour, minute, second, micros, offset_secs: None } = moment.stamp else { return moment };
    let offset_secs = match zone {
        Zone::Fixed(offset) => Some(*offset),
        Zone::Rules(rules) => local(year.unwrap_or(default_year), month, day, hour, minute).map(|local| times::offset_at(rules, local)),
    };
    Moment { stamp: Stamp::Wall { year, month, day, hour, minute, second, micros, offset_secs }, ..moment }
}

fn local(year: i32, month: u8, day: u8, hour: u8, minute: u8) -> Option<civil::DateTime> {
    let small = |number: u8| i8::try_from(number).ok();
    civil::DateTime::new(i16::try_from(year).ok()?, small(month)?, small(day)?, small(hour)?, small(minute)?, 0, 0).ok()
}
