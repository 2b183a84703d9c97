//! `firebell analyze`: recorded logs through the engine of the collector.

use crate::{
    Failure,
    input::Lines,
    packets,
    report::{self, Counts, Report},
    times,
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use firebell_collector::config::{self, Config};
use firebell_engine::{
    engine::Engine,
    origin::Origin,
    parse::{MalformedKind, parse},
    record::Record,
    replay::{Moment, ReplayClock},
    stamp::Stamp,
};
use jiff::{civil, tz::TimeZone};
use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// A first stamp without year may be so much later than the last change of its file: clocks and time zones differ.
const LATER_THAN_FILE: Duration = Duration::from_secs(86_400);
/// How far into a file a first time stamp is looked for.
const PEEKED_LINES: usize = 100;
/// Output is written in pieces of about this size.
const PIECE: usize = 64 << 10;

/// Reads recorded logs of a netfilter firewall in any usual form (syslog, journalctl, dmesg, /dev/kmsg; plain or gzip).
///
/// Several files are read in the order of their first time stamps, as one log. Nothing vouches for a file, so every
/// record counts as unverified, and no alert is held back for that. Equal options and files give equal output.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Detection parameters and prefixes from this file; without it the defaults, whatever is in /etc/firebell.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// text for people, json for one document, jsonl for one line an alert (or a packet).
    #[arg(short, long, value_name = "FORM", default_value = "text", default_value_if("packets", "true", "jsonl"))]
    output: Form,
    /// Prints every packet that was read, one JSON object a line, instead of judging them.
    #[arg(long)]
    packets: bool,
    /// The year of the first time stamp without one [default: that of the file's last change, or the one before].
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    year: Option<i16>,
    /// The time zone of time stamps without one: UTC, local, +01:00, Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = times::zone, allow_hyphen_values = true)]
    timezone: TimeZone,
    /// Log files; - is the standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Jsonl,
}

/// Reads, judges, prints.
///
/// # Errors
/// A file cannot be read, the configuration is wrong, or nobody takes the output.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.packets && arguments.output != Form::Jsonl {
        use clap::{CommandFactory as _, error::ErrorKind};
        crate::Arguments::command().error(ErrorKind::ArgumentConflict, "--packets prints JSON lines: use -o jsonl, or no -o").exit();
    }
    let config = match &arguments.config {
        None => Config::default(),
        Some(path) => config::load(Some(path)).map_err(|problems| Failure::Configuration(report::list(&problems)))?.config,
    };
    let mut files = Vec::new();
    for path in &arguments.files {
        let mut lines = Lines::open(path)?;
        let first = first_moment(&mut lines).with_context(|| format!("cannot read {}", path.display()))?;
        files.push(File { path: path.clone(), lines, first });
    }
    let mut reader = Reader::new(arguments, config, &mut files);
    for file in &mut files {
        reader.file(file)?;
    }
    reader.finish()
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

/// What happens to each line.
struct Reader<'a> {
    arguments: &'a Arguments,
    config: Config,
    clock: ReplayClock,
    engine: Engine,
    counts: Counts,
    report: Report,
    out: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(arguments: &'a Arguments, config: Config, files: &mut [File]) -> Self {
        // Rotated logs are often named newest first. Where one has no calendar, the order given is all there is.
        let given_year = arguments.year.map(i32::from);
        let begin = |file: &File| match file.first {
            Some(Moment { stamp: stamp @ Stamp::Wall { .. }, .. }) => Some(stamp.unix_micros(given_year.unwrap_or_else(|| file.year()), 0)),
            _ => None,
        };
        if files.iter().all(|file| begin(file).is_some()) {
            files.sort_by_key(|file| begin(file));
        }
        let year = given_year.or_else(|| files.first().map(File::year)).unwrap_or(1970);
        // Nothing vouches for a file: what the collector may hold back of such lines is all that there is here.
        let parameters = config.engine.parameters(false);
        Self {
            arguments,
            config,
            clock: ReplayClock::new(year, 0),
            // A fixed key: the same log gives the same report.
            engine: Engine::new(parameters, [0; 16]),
            counts: Counts::default(),
            report: Report::default(),
            out: Vec::with_capacity(2 * PIECE),
        }
    }

    fn file(&mut self, file: &mut File) -> anyhow::Result<()> {
        file.lines.each(|line, ahead| self.line(line, ahead)).with_context(|| format!("reading {}", file.path.display()))
    }

    fn line(&mut self, line: &[u8], ahead: &[u8]) -> anyhow::Result<()> {
        self.counts.lines += 1;
        let record = Record::read(line);
        let packet = match parse(record.text) {
            Ok(packet) => packet,
            Err(error) => {
                if error.kind == MalformedKind::NotNetfilter {
                    self.counts.not_netfilter += 1;
                } else {
                    self.counts.malformed += 1;
                }
                return Ok(());
            }
        };
        let prefixes = &self.config.intake.prefixes;
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| prefix.is(packet.prefix)) {
            self.counts.not_netfilter += 1;
            return Ok(());
        }
        self.counts.packets += 1;
        let zone = &self.arguments.timezone;
        let moment = Moment::of(&record).map(|moment| in_zone(moment, zone, self.clock.year()));
        let year = self.clock.year();
        let witnesses = ahead.split(|byte| *byte == b'\n').filter_map(|line| Moment::of(&Record::read(line)));
        let tick = self.clock.tick(moment, witnesses.map(|moment| in_zone(moment, zone, year)));
        let tick_known = self.clock.has_begun().then_some(tick);
        if self.arguments.packets {
            packets::write(&mut self.out, &packet, record.host, Origin::Unverified, tick_known);
            if self.out.len() >= PIECE {
                self.flush()?;
            }
            return Ok(());
        }
        self.counts.seen(tick_known);
        self.engine.observe(&packet, Origin::Unverified, tick);
        while let Some(finding) = self.engine.next_finding() {
            self.report.note(finding);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        if !self.arguments.packets {
            let files = self.arguments.files.iter().map(|file| file.display().to_string()).collect();
            let document = std::mem::take(&mut self.report).finish(files, &self.counts, &mut self.engine);
            if document.left_out > 0 {
                // Without a standard error nobody can be told.
                let _ = writeln!(io::stderr(), "firebell: {} later alerts are left out: too many for one report", document.left_out);
            }
            match self.arguments.output {
                Form::Text => report::text(&mut self.out, &document),
                Form::Json => report::json(&mut self.out, &document),
                Form::Jsonl => report::json_lines(&mut self.out, &document),
            }
        }
        Ok(self.flush()?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&self.out).and_then(|()| stdout.flush()).context("writing to the standard output")?;
        self.out.clear();
        Ok(())
    }
}

/// Puts a stamp without time zone into `zone`.
fn in_zone(moment: Moment, zone: &TimeZone, default_year: i32) -> Moment {
    let Stamp::Wall { year, month, day, hour, minute, second, micros, offset_secs: None } = moment.stamp else { return moment };
    let offset_secs = if let Ok(fixed) = zone.to_fixed_offset() {
        Some(fixed.seconds())
    } else {
        local(year.unwrap_or(default_year), month, day, hour, minute).map(|local| times::offset_at(zone, local))
    };
    Moment { stamp: Stamp::Wall { year, month, day, hour, minute, second, micros, offset_secs }, ..moment }
}

fn local(year: i32, month: u8, day: u8, hour: u8, minute: u8) -> Option<civil::DateTime> {
    let small = |number: u8| i8::try_from(number).ok();
    civil::DateTime::new(i16::try_from(year).ok()?, small(month)?, small(day)?, small(hour)?, small(minute)?, 0, 0).ok()
}
