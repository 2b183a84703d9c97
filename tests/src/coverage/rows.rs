//! Every log that is judged, by name.

use super::transform::{self, Lines};
use crate::corpus::{self, Label};
use anyhow::{Context as _, Result, bail};
use firebell_traffic::{
    DAY, SECOND, START, desktop,
    diary::{Diary, History},
    exposed, line, v4,
};
use std::{fmt, time::Duration};

/// nmap's ten kinds of scan, by option.
pub const KINDS: [&str; 10] = ["sS", "sT", "sA", "sW", "sM", "sN", "sF", "sX", "sU", "sO"];

/// How fast nmap goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A recording of this timing template, 1 to 5.
    Template(u8),
    /// A recording of `-T1` with this pause between two probes.
    Pause(u64),
}

/// From half an hour to nothing between two probes. `-T0` waits five minutes.
pub const PACES: [Pace; 7] =
    [Pace::Pause(1800), Pace::Pause(300), Pace::Template(1), Pace::Template(2), Pace::Template(3), Pace::Template(4), Pace::Template(5)];

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(template) => write!(f, "T{template}"),
            Self::Pause(300) => f.write_str("T0"),
            Self::Pause(secs) => write!(f, "{} min", secs / 60),
        }
    }
}

/// Where the scanner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On the Internet.
    Far,
    /// A neighbour.
    Near,
}

/// One scan of nmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Over IPv6.
    pub is_v6: bool,
    /// Where it comes from.
    pub side: Side,
    /// How fast.
    pub pace: Pace,
}

impl Scan {
    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        let sides = [Side::Far, Side::Near];
        KINDS.into_iter().flat_map(move |kind| {
            [false, true].into_iter().flat_map(move |is_v6| {
                sides.into_iter().flat_map(move |side| PACES.into_iter().map(move |pace| Self { kind, is_v6, side, pace }))
            })
        })
    }

    /// Its log.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn lines(&self) -> Result<Lines> {
        let template = if let Pace::Template(template) = self.pace { template } else { 1 };
        let prefix = if self.is_v6 { "v6-" } else { "" };
        let mut lines = recording(&format!("nmap/{prefix}{}.t{template}", self.kind))?;
        if let Pace::Pause(secs) = self.pace {
            lines = transform::paced(&lines, Duration::from_secs(secs));
        }
        // 192.0.2.x counts as Internet, and the /64 of the target as its link.
        Ok(match (self.side, self.is_v6) {
            (Side::Far, false) | (Side::Near, true) => lines,
            (Side::Near, false) => transform::sent_by(&lines, "192.168.7.66"),
            (Side::Far, true) => transform::sent_by(&lines, "2001:0db8:0099:0000:0000:0000:0000:0042"),
        })
    }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (v6, lan) = (if self.is_v6 { "v6-" } else { "" }, if self.side == Side::Near { ".lan" } else { "" });
        write!(f, "{v6}{}.{}{lan}", self.kind, self.pace.to_string().replace(' ', "").to_lowercase())
    }
}

/// A capture of the corpus, line by line.
///
/// # Errors
/// When it is not there.
pub fn recording(capture: &str) -> Result<Lines> {
    let lines = corpus::lines(capture, "kmsg")?.with_context(|| format!("no capture {capture}"))?;
    Ok(lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

/// The captures of `dev` and `more`, in that order, each in the order of their labels.
///
/// # Errors
/// When the labels cannot be read.
pub fn captures() -> Result<Vec<Label>> {
    Ok([corpus::labels("dev")?, corpus::labels("more")?].concat())
}

/// The name of [`exposed_and_scanned`].
pub const EXPOSED_AND_SCANNED: &str = "exposed-and-scanned";

/// Histories that are made up.
pub const HISTORIES: [(&str, History); 3] =
    [("desktop-week", desktop::WEEK), ("exposed-month", exposed::MONTH), ("all-ports", History { day: all_ports, days: 1 })];

/// All ports of one address, a thousand a second.
fn all_ports(diary: &mut Diary, from: u64, _: u64, _: &mut firebell_traffic::Random) {
    for port in 1..=u16::MAX {
        diary.masscan(from + u64::from(port) * SECOND / 1000, (v4(203, 0, 113, 9), 40_000), (v4(198, 51, 100, 10), port));
    }
}

/// A busy day of an exposed host, and a scan of twenty ports at noon.
///
/// # Errors
/// When the recording cannot be read.
pub fn exposed_and_scanned() -> Result<Lines> {
    let mut lines = Vec::new();
    exposed::BUSY_DAY.tell(1, |event| lines.push((event.at() - START, line::kmsg(0, event.at() - START, &event.packet()))));
    let scan = recording("nmap/sS.t4")?;
    lines.extend(scan.iter().zip(0_u64..).map(|(line, n)| {
        let moment = DAY / 2 + n * 20_000;
        let text = line.split_once(';').map_or("", |(_, text)| text);
        (moment, format!("4,0,{moment},-;{text}"))
    }));
    lines.sort_by_key(|(at, _)| *at);
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// Writes a log by name: a scan (`v6-sS.t0.lan`), a capture (`more/hping-rand`), or a history with a seed
/// (`desktop-week`, `exposed-month:2`), or the busy day of an exposed host with a scan in it (`exposed-and-scanned`). Each `.plain` at its end leaves out what `--log-tcp-options` and the like add, each
/// `.ufw` what ufw's limit lets go.
///
/// # Errors
/// When there is none of that name, or it cannot be written.
pub fn write(name: &str, into: &mut dyn std::io::Write) -> Result<()> {
    for (suffix, change) in [(".plain", transform::without_options as fn(&[String]) -> Lines), (".ufw", transform::limited)] {
        if let Some(name) = name.strip_suffix(suffix) {
            let mut lines = Vec::new();
            write(name, &mut lines)?;
            let lines: Lines = String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect();
            return Ok(change(&lines).iter().try_for_each(|line| writeln!(into, "{line}"))?);
        }
    }
    let (history, seed) = name.split_once(':').unwrap_or((name, "1"));
    if let Some((_, history)) = HISTORIES.iter().find(|(name, _)| *name == history) {
        let seed = seed.parse().with_context(|| format!("{seed} is no seed; use a number"))?;
        let (mut number, mut result) = (0, Ok(()));
        history.tell(seed, |event| {
            number += 1;
            if result.is_ok() {
                result = writeln!(into, "{}", line::kmsg(number, event.at() - START, &event.packet()));
            }
        });
        return Ok(result?);
    }
    let lines = if name == EXPOSED_AND_SCANNED {
        exposed_and_scanned()?
    } else if let Some(scan) = Scan::all().find(|scan| scan.to_string() == name) {
        scan.lines()?
    } else if let Ok(lines) = recording(name) {
        lines
    } else {
        bail!("no log named {name}; --names has them all")
    };
    Ok(lines.iter().try_for_each(|line| writeln!(into, "{line}"))?)
}

/// The names that [`write`] knows.
///
/// # Errors
/// When the labels cannot be read.
pub fn names() -> Result<Vec<String>> {
    let scans = Scan::all().map(|scan| scan.to_string());
    let captures = captures()?.into_iter().map(|label| label.capture);
    let made = HISTORIES.iter().map(|(name, _)| *name).chain([EXPOSED_AND_SCANNED]).map(str::to_owned);
    Ok(made.chain(scans).chain(captures).collect())
}
