//! `firebell report`: what a log says, as a page, as Markdown or as JSON.

mod charts;
mod page;
mod past;
mod places;
mod png;
mod tally;

use crate::{
    Failure,
    analyze::{self, Reading, Sink},
    report::{Alert, Document},
    times,
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use firebell_shared::{services, text::thousands};
pub(crate) use past::Kept;
use places::{Place, Places};
use serde_json::json;
use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::OpenOptions,
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};
use tally::Series;
pub(crate) use tally::Tally;

/// Rows of a list in Markdown.
const SHOWN: usize = 30;

/// Makes one self-contained page of log files, or of the history: incidents and packets over time, hours of the week, who asked for which port, and tables
/// that sort and filter. It loads nothing from anywhere, and prints well.
///
/// Files are read as by firebell analyze, with the same options. Hours and weekdays are those of --timezone. With --history the incidents are
/// those of the collector or, while it is stopped, of its files, which root may read; the packets of each are spread evenly over its time.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reading: Reading,
    /// html: one page. markdown: for a wiki or a ticket. json: the document of firebell analyze, with what the charts show.
    #[arg(short, long, value_name = "FORM", default_value = "html")]
    output: Form,
    /// Writes here instead of to the standard output; a file that is there is replaced.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// Draws two charts there as PNG, too: packets.png, packets over time, and ports.png, which source asked for which port.
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// Tells the countries and networks of sources by a file of MaxMind's form (.mmdb); may be given several times.
    #[arg(long, value_name = "FILE")]
    geoip: Vec<PathBuf>,
    /// Tells of the history, not of log files.
    #[arg(long, conflicts_with_all = ["files", "config", "signatures", "source", "conditions", "year", "jobs"])]
    history: bool,
    /// With --history: where its files are that are read while no collector runs (root).
    #[arg(long, value_name = "DIR", default_value = crate::live::FOLDER, requires = "history")]
    folder: PathBuf,
    /// The title.
    #[arg(long, value_name = "TEXT", default_value = "Firewall report")]
    title: String,
    /// Log files; - is the standard input.
    #[arg(value_name = "FILE", required_unless_present = "history")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Html,
    Markdown,
    Json,
}

/// All that a report shows.
struct Picture {
    title: String,
    zone: String,
    document: Document,
    tally: Box<Tally>,
    /// The incidents are those of the history.
    is_history: bool,
    /// Where sources are, by their addresses; nothing where nobody has asked.
    places: Option<HashMap<String, Place>>,
}

/// Reads, judges, counts, writes.
///
/// # Errors
/// A file cannot be read, a configuration is wrong, or nobody takes the output.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let reading = &arguments.reading;
    // Before a long log is read.
    let places = Places::open(&arguments.geoip)?;
    let (document, tally) = if arguments.history {
        past::read(&reading.part_of(&arguments.folder), reading.timezone.clone())?
    } else {
        of_files(reading, &arguments.files)?
    };
    let places = if places.is_empty() { None } else { Some(located(&places, &document)?) };
    let zone = reading.timezone.iana_name().map_or_else(|| "at a fixed offset from UTC".to_owned(), str::to_owned);
    let picture = Picture { title: arguments.title.clone(), zone, document, tally, is_history: arguments.history, places };
    if let Some(folder) = &arguments.png {
        picture.draw(folder)?;
    }
    let out = match arguments.output {
        Form::Html => page::page(&picture),
        Form::Markdown => picture.markdown(),
        Form::Json => picture.json()?,
    };
    match &arguments.into {
        None => io::stdout().write_all(out.as_bytes()).context("writing to the standard output")?,
        Some(path) => write(path, out.as_bytes())?,
    }
    Ok(())
}

/// A file that is there is replaced.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let naming = || format!("cannot write {}", path.display());
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).with_context(naming)?;
    file.write_all(bytes).with_context(naming)
}

fn of_files(reading: &Reading, files: &[PathBuf]) -> Result<(Document, Box<Tally>), Failure> {
    let config = analyze::load(reading.config.as_deref())?;
    let rules = analyze::rules(reading.signatures.as_deref(), reading.config.as_deref(), &config)?;
    let sink = Sink::Tally(Box::new(Tally::new(reading.timezone.clone())));
    let mut judge = analyze::read(reading, files, &config, rules, sink)?;
    let document = judge.document();
    let Sink::Tally(tally) = judge.sink else { return Err(anyhow::anyhow!("nothing was counted").into()) };
    Ok((document, tally))
}

/// Where the sources of a report are.
fn located(places: &Places, document: &Document) -> anyhow::Result<HashMap<String, Place>> {
    let addresses = document.sources.iter().filter_map(|source| Some((source.source.clone(), source.source.parse().ok()?)));
    addresses.map(|(name, address)| Ok((name, places.of(address)?))).collect()
}

impl Picture {
    fn period(&self) -> String {
        match (self.document.input.first, self.document.input.last) {
            (Some(first), Some(last)) => {
                let zone = if times::is_uptime(first.0) { "" } else { " UTC" };
                format!("{} to {}{zone} ({})", times::plain(first.0), times::plain(last.0), times::span(last.0.since(first.0)))
            }
            _ => "no records".to_owned(),
        }
    }

    /// How many sources there are, or more than how many.
    fn sources(&self) -> String {
        let count = thousands(self.tally.sources() as u64);
        if self.tally.others > 0 { format!("more than {count}") } else { count }
    }

    fn packets_are(&self) -> &'static str {
        if self.is_history { "packets" } else { "firewall records" }
    }

    fn popups(&self) -> u64 {
        self.document.alerts.iter().filter(|alert| alert.delivery == "popup").count() as u64
    }

    /// The worst first.
    fn ranked(&self) -> Vec<&Alert> {
        let mut all: Vec<&Alert> = self.document.alerts.iter().collect();
        all.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
        all
    }

    /// Countries with their sources and packets, the most packets first; sources that no file knows are under an empty name.
    fn countries(&self) -> Vec<(&str, u64, u64)> {
        let Some(places) = &self.places else { return Vec::new() };
        let mut sums: HashMap<&str, (u64, u64)> = HashMap::new();
        for source in &self.document.sources {
            let country = places.get(&source.source).map_or("", |place| place.country.as_str());
            let sum = sums.entry(country).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(source.packets));
        }
        let mut all: Vec<_> = sums.into_iter().map(|(country, (sources, packets))| (country, sources, packets)).collect();
        all.sort_by_key(|(country, sources, packets)| (std::cmp::Reverse((*packets, *sources)), *country));
        all
    }

    fn draw(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let series = self.tally.series.coarse(charts::BARS);
        let title = format!("{}: packets over time, incidents by severity", self.title);
        write(&folder.join("packets.png"), &png::over_time(&title, &series, &self.incidents(&series))?)?;
        let title = format!("{}: sources and ports", self.title);
        write(&folder.join("ports.png"), &png::sources_by_ports(&title, &self.tally.points(), &self.severities())?)
    }

    /// Incidents that began in each step of `series`: the step, severity, how many.
    fn incidents(&self, series: &Series) -> Vec<(usize, u8, u64)> {
        let mut counts: HashMap<(usize, u8), u64> = HashMap::new();
        for alert in &self.document.alerts {
            *counts.entry((series.step(alert.opened.0), alert.severity)).or_default() += 1;
        }
        let mut all: Vec<_> = counts.into_iter().map(|((step, severity), count)| (step, severity, count)).collect();
        all.sort_unstable();
        all
    }

    fn severities(&self) -> HashMap<IpAddr, u8> {
        self.document.sources.iter().filter_map(|source| Some((source.source.parse().ok()?, source.severity))).collect()
    }

    fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a String does not fail, neither here nor below.
        let _ = writeln!(out, "# {}\n\n{}\n", plain(&self.title), self.period());
        let input = &self.document.input;
        let _ = writeln!(
            out,
            "{} {} of {} sources, {} incidents, {} popups.\n",
            thousands(input.packets),
            self.packets_are(),
            self.sources(),
            thousands(self.document.alerts.len() as u64),
            thousands(self.popups()),
        );
        let alerts = self.ranked();
        if !alerts.is_empty() {
            out.push_str("## Incidents\n\n| severity | began | what |\n|---:|---|---|\n");
            for alert in alerts.iter().take(SHOWN) {
                let _ = writeln!(out, "| {} | {} | {} |", alert.severity, times::plain(alert.opened.0), plain(&alert.summary));
            }
            more(&mut out, alerts.len());
        }
        let sources = &self.document.sources;
        if !sources.is_empty() {
            out.push_str("## Sources\n\n| severity | source | packets | contacts | what |\n|---:|---|---:|---:|---|\n");
            for source in sources.iter().take(SHOWN) {
                let (packets, contacts) = (thousands(source.packets), thousands(source.contacts.into()));
                let _ = writeln!(out, "| {} | {} | {packets} | {contacts} | {} |", source.severity, source.source, source.kinds.join(" "));
            }
            more(&mut out, sources.len());
        }
        let countries = self.countries();
        if !countries.is_empty() {
            out.push_str("## Countries\n\n| country | sources | packets |\n|---|---:|---:|\n");
            for (country, sources, packets) in countries.iter().take(SHOWN) {
                let _ = writeln!(out, "| {} | {} | {} |", plain(named(country)), thousands(*sources), thousands(*packets));
            }
            more(&mut out, countries.len());
        }
        let ports = self.tally.ports(SHOWN);
        if !ports.is_empty() {
            out.push_str("## Ports\n\n| port | protocol | packets |\n|---|---|---:|\n");
            for (protocol, port, packets) in ports {
                let name = if protocol == 6 { "tcp" } else { "udp" };
                let _ = writeln!(out, "| {} | {name} | {} |", services::told(&port.to_string()), thousands(packets));
            }
        }
        out
    }

    fn json(&self) -> anyhow::Result<String> {
        let series = &self.tally.series;
        let steps: Vec<_> = series
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(step, count)| json!({ "time": times::rfc3339(series.at(step)), "packets": count }))
            .collect();
        let points: Vec<_> = self
            .tally
            .points()
            .iter()
            .map(|point| json!({ "source": point.source.to_string(), "port": point.port, "packets": point.packets }))
            .collect();
        let ports: Vec<_> = self
            .tally
            .ports(usize::MAX)
            .iter()
            .map(|(protocol, port, packets)| json!({ "protocol": protocol, "port": port, "packets": packets }))
            .collect();
        let talkers: Vec<_> =
            self.tally.talkers(100).iter().map(|(source, packets)| json!({ "source": source.to_string(), "packets": packets })).collect();
        let places = self.places.as_ref().map(|places| {
            let known =
                |(source, place): (&String, &Place)| (source.clone(), json!({ "country": place.country, "network": place.network }));
            places.iter().map(known).collect::<std::collections::BTreeMap<_, _>>()
        });
        let document = json!({
            "schema": 1, "title": self.title, "analysis": self.document, "seconds_a_step": series.width, "packets_over_time": steps,
            "timezone": self.zone, "packets_by_weekday_and_hour": self.tally.week, "pairs": points, "ports": ports, "talkers": talkers,
            "places": places,
        });
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }
}

/// A text that ends no cell of a table and is no markup.
fn plain(text: &str) -> String {
    crate::html::escape(text).replace('|', "\\|").replace('[', "\\[").replace('`', "\\`")
}

/// A country that no file names is said to be unknown.
fn named(country: &str) -> &str {
    if country.is_empty() { "unknown" } else { country }
}

fn more(out: &mut String, count: usize) {
    let _ = writeln!(out);
    if count > SHOWN {
        let _ = writeln!(out, "And {} more.\n", thousands((count - SHOWN) as u64));
    }
}
