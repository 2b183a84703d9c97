//! `firebell explain`: why there is an alert, and why there is none.

mod case;
mod live;
mod show;

use crate::{Failure, analyze, form::Form, input::Lines, times};
use anyhow::{Context as _, anyhow};
use case::Case;
use clap::Args;
use firebell_collector::config::Config;
use firebell_engine::{
    engine::Engine,
    finding::{Finding, Phase},
    origin::Origin,
    packet::Packet,
    parse::parse,
    record::Record,
    replay::{Moment, ReplayClock},
    signature::RuleSet,
    tick::Tick,
};
use indicatif::ProgressBar;
use std::{
    cmp::Reverse,
    collections::HashMap,
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};

/// Explains an alert of the running collector by its id, or what a recorded log says of a source: its lines, what each detector
/// counted beside the number at which it speaks, what would have silenced it, and why nothing was told where nothing was.
///
/// Without --source and --line it is the source of the worst alert, or the busiest one where there is none. Time stamps without a zone are taken for UTC.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The id of an alert, as `firebell-notifier` and the bus have it. The collector is asked.
    #[arg(value_name = "ID", required_unless_present = "file", conflicts_with_all = ["file", "source", "line", "config"])]
    id: Option<u64>,
    /// A recorded log, in any form that analyze reads. No collector is needed.
    #[arg(long, value_name = "LOG")]
    file: Option<PathBuf>,
    /// The source that is asked about.
    #[arg(long, value_name = "ADDRESS", requires = "file", conflicts_with = "line")]
    source: Option<IpAddr>,
    /// The line that is asked about, from 1, and with it its source.
    #[arg(long, value_name = "NUMBER", requires = "file", value_parser = clap::value_parser!(u64).range(1..))]
    line: Option<u64>,
    /// Detection parameters from this file; without it the defaults, whatever is in /etc/firebell.
    #[arg(long, value_name = "FILE", requires = "file")]
    config: Option<PathBuf>,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Explains, and prints.
///
/// # Errors
/// The log cannot be read, nothing in it is of that source, or the collector does not answer.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut out = Vec::new();
    match (&arguments.file, arguments.id) {
        (Some(file), _) => {
            let case = offline(arguments, file)?;
            match arguments.output {
                Form::Text => show::text(&mut out, &case),
                Form::Json => show::json(&mut out, &case),
            }
        }
        (None, Some(id)) => live::run(&mut out, id, arguments.output == Form::Json)?,
        (None, None) => return Err(anyhow!("an id, or --file; see --help").into()),
    }
    Ok(io::stdout().lock().write_all(&out).context("writing to the standard output")?)
}

fn offline(arguments: &Arguments, file: &Path) -> Result<Case, Failure> {
    let config = analyze::load(arguments.config.as_deref())?;
    let rules = analyze::rules(None, arguments.config.as_deref(), &config)?;
    let log = Log { path: file, config: &config, rules: &rules };
    let subject = match (arguments.source, arguments.line) {
        (Some(source), _) => source,
        (None, Some(line)) => log.source_of(line)?,
        (None, None) => log.worst()?.with_context(|| format!("no firewall line in {}", file.display()))?,
    };
    let mut case = log.case(subject, arguments.line)?;
    if case.packets() == 0 {
        return Err(anyhow!("no firewall line of {subject} in {}", file.display()).into());
    }
    // Beside a configuration of one's own, what is suggested may already stand there.
    case.silence(arguments.config.is_none(), |config| {
        let silenced = Log { config, ..log }.case(subject, None)?;
        Ok(!silenced.is_told())
    })?;
    Ok(case)
}

/// Sources whose lines are counted; a log with more than that is no quiet one.
const MAX_SOURCES: usize = 65_536;

/// A log that is read as often as it must be.
#[derive(Clone, Copy)]
struct Log<'a> {
    path: &'a Path,
    config: &'a Config,
    rules: &'a RuleSet,
}

/// One packet of it, right behind the engine's look at it.
struct Seen<'a> {
    number: u64,
    /// Without its envelope.
    text: &'a [u8],
    packet: &'a Packet<'a>,
    tick: Tick,
    engine: &'a Engine,
    said: Vec<Finding>,
}

impl Log<'_> {
    /// Goes through the log; then gives what is said at its end. `see` says whether to go on.
    fn replay(&self, mut see: impl FnMut(Seen<'_>) -> bool) -> anyhow::Result<Vec<Finding>> {
        let mut lines = Lines::open(self.path, &ProgressBar::hidden())?;
        let year = lines.modified.map_or(1970, times::year_of);
        let mut clock = ReplayClock::new(year, 0);
        let mut engine = analyze::engine(self.config, self.rules.clone());
        let prefixes = &self.config.intake.prefixes;
        let mut number = 0;
        let reading = || format!("reading {}", self.path.display());
        lines.begin().with_context(reading)?;
        loop {
            let (window, next) = lines.split();
            if window.is_empty() {
                break;
            }
            for (line, ahead) in window.lines() {
                number += 1;
                let record = Record::read(line);
                let Ok(packet) = parse(record.text) else { continue };
                if !prefixes.is_empty() && !prefixes.iter().any(|wanted| wanted.is(packet.prefix)) {
                    continue;
                }
                let witnesses = ahead.split(|byte| *byte == b'\n').filter_map(|line| Moment::of(&Record::read(line)));
                let tick = clock.tick(Moment::of(&record), witnesses);
                engine.observe(&packet, Origin::Unverified, tick);
                let said = std::iter::from_fn(|| engine.next_finding()).collect();
                if !see(Seen { number, text: record.text, packet: &packet, tick, engine: &engine, said }) {
                    return Ok(Vec::new());
                }
            }
            next.read().with_context(reading)?;
            lines.go_on();
        }
        engine.close_all();
        Ok(std::iter::from_fn(|| engine.next_finding()).collect())
    }

    fn source_of(&self, line: u64) -> anyhow::Result<IpAddr> {
        let mut found = None;
        self.replay(|seen| {
            if seen.number == line {
                found = Some(seen.packet.header.src);
            }
            seen.number < line
        })?;
        found.with_context(|| format!("line {line} of {} is no firewall line", self.path.display()))
    }

    /// Who sent the line by which the worst alert became what it is; without an alert, who sent most lines.
    fn worst(&self) -> anyhow::Result<Option<IpAddr>> {
        let mut worst: Option<(u8, IpAddr)> = None;
        let mut packets: HashMap<IpAddr, u64> = HashMap::new();
        self.replay(|seen| {
            let source = seen.packet.header.src;
            if packets.len() < MAX_SOURCES || packets.contains_key(&source) {
                *packets.entry(source).or_default() += 1;
            }
            for finding in seen.said {
                let is_news = matches!(finding.phase, Phase::Opened | Phase::Escalated | Phase::Reopened);
                if is_news && worst.is_none_or(|(severity, _)| finding.severity > severity) {
                    worst = Some((finding.severity, source));
                }
            }
            true
        })?;
        let busiest = packets.into_iter().max_by_key(|(source, packets)| (*packets, Reverse(*source))).map(|(source, _)| source);
        Ok(worst.map(|(_, source)| source).or(busiest))
    }

    fn case(&self, subject: IpAddr, line: Option<u64>) -> anyhow::Result<Case> {
        let mut case = Case::new(self.path, subject, line);
        let end = self.replay(|seen| {
            case.see(&seen);
            true
        })?;
        case.end(&end);
        Ok(case)
    }
}
