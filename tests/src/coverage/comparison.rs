//! `docs/COMPARISON.md`: firebell and psad on the same recordings, and what is known of others.

use super::{document, rows, verdict::Verdict};
use crate::corpus::{self, Label};
use anyhow::{Context as _, Result};
use firebell_engine::{finding::Kind, parameters::Preset};
use std::{collections::BTreeMap, fmt::Write as _, fs};

/// The whole document; the same at any time, on any machine.
///
/// # Errors
/// When a recording, or what psad said of it, cannot be read.
pub fn write() -> Result<String> {
    let psad = Psad::read()?;
    let mut rows = Vec::new();
    for label in rows::captures()? {
        let lines = rows::recording(&label.capture)?;
        let (signatures, theirs) = psad
            .said
            .get(&label.capture)
            .cloned()
            .with_context(|| format!("{}: tests/rigs/psad-levels has not judged it", label.capture))?;
        rows.push(Row {
            ours: Verdict::of(&lines, Preset::Desktop.config()),
            as_psad: levels(&Verdict::of(&lines, Preset::Psad.config())),
            label,
            theirs,
            signatures,
        });
    }
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = out.write_str(HEAD);
    let _ = summary(&mut out, &psad.version, &rows);
    let _ = table(&mut out, &psad.version, &rows);
    let _ = out.write_str(OTHERS);
    Ok(out)
}

const HEAD: &str = "\
# Beside other programs

`tests/rigs/coverage --write` writes this document. The columns of psad come from `tests/corpus/psad.tsv`, which
`tests/rigs/psad-levels --write` makes anew wherever Debian's package psad can be installed; without psad it says so. A test of
`make check` holds the columns of firebell. The choice of recordings, and what of them is harmless, is ours: read the rows, not
the sums.

";

/// One recording.
struct Row {
    label: Label,
    ours: Verdict,
    /// Levels with the preset `psad`.
    as_psad: String,
    theirs: String,
    signatures: String,
}

/// What psad says, as `tests/rigs/psad-levels` keeps it.
struct Psad {
    version: String,
    /// Signatures and danger levels (`DL2x6`: six sources with level 2), by capture.
    said: BTreeMap<String, (String, String)>,
}

impl Psad {
    fn read() -> Result<Self> {
        let table = fs::read_to_string(corpus::directory().join("psad.tsv")).context("tests/rigs/psad-levels --write makes it")?;
        let version = table.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
        let row = |line: &str| {
            let mut columns = line.split('\t').map(str::to_owned);
            let (name, levels, signatures) = (columns.next()?, columns.nth(1)?, columns.next()?);
            Some((name, (signatures, levels)))
        };
        Ok(Self { version, said: table.lines().skip(2).filter_map(row).collect() })
    }
}

/// Sources by severity, as psad writes its levels; `-`: none.
fn levels(verdict: &Verdict) -> String {
    let mut sources: BTreeMap<u8, usize> = BTreeMap::new();
    for incident in verdict.incidents.iter().filter(|incident| incident.kind != Kind::Visibility) {
        *sources.entry(incident.severity).or_default() += 1;
    }
    let text: Vec<String> = sources.iter().map(|(level, count)| format!("DL{level}x{count}")).collect();
    if text.is_empty() { "-".to_owned() } else { text.join(" ") }
}

/// The highest of some levels; 0: none.
fn highest(levels: &str) -> u8 {
    levels.split(' ').filter_map(|level| level.strip_prefix("DL")?.split('x').next()?.parse().ok()).max().unwrap_or(0)
}

impl Row {
    /// Why the preset `psad` says something else than psad; empty where it does not.
    fn difference(&self) -> &'static str {
        if self.as_psad == self.theirs {
            ""
        } else if !self.label.capture.contains("v6")
            && highest(&self.as_psad) > highest(&self.theirs)
            && self.label.scan_type != "tcp-odd-flags"
        {
            "a rule of firebell's raises the level"
        } else if self.signatures != "-" {
            "psad's signatures raise the level; a port or a ping alone raises none here"
        } else if self.label.expect == "quiet" {
            "psad counts broadcasts, multicast, late replies and ICMP errors as probes"
        } else if self.label.scan_type == "traceroute" {
            "psad counts the packets of a traceroute as probes"
        } else if self.label.scan_type == "tcp-odd-flags" {
            "psad leaves out whatever has ACK, also with all other flags beside it"
        } else if self.label.capture.contains("v6") && self.theirs == "-" {
            "psad reads no IPv6 line with TCP sequence numbers or options"
        } else if self.label.capture.contains("v6") && self.label.scan_type == "icmp-sweep" {
            "psad keeps ICMPv6 at level 1"
        } else {
            document::UNEXPLAINED
        }
    }
}

fn summary(out: &mut String, version: &str, rows: &[Row]) -> std::fmt::Result {
    let count = |expect: &str, is: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| row.label.expect == expect && is(row)).count();
    let scans = count("alert", &|_| true);
    let quiet = count("quiet", &|_| true);
    let is_told = |row: &Row| row.ours.incidents.iter().any(|incident| incident.severity > 1);
    let is_psad_told = |row: &Row| row.theirs != "-";
    writeln!(out, "| of | firebell | {version} |\n|---|---|---|")?;
    writeln!(
        out,
        "| {scans} recordings of scans and attacks are told | {} | {} |",
        count("alert", &is_told),
        count("alert", &is_psad_told)
    )?;
    writeln!(
        out,
        "| {quiet} recordings of harmless traffic are told | {} | {} |",
        count("quiet", &is_told),
        count("quiet", &is_psad_told)
    )?;
    let equal = rows.iter().filter(|row| row.difference().is_empty()).count();
    writeln!(
        out,
        "\nWith `preset = \"psad\"` firebell gives psad's levels on {equal} of the {} recordings, with the shipped rules in force; the table says why not on the others.\n",
        rows.len()
    )
}

fn table(out: &mut String, version: &str, rows: &[Row]) -> std::fmt::Result {
    writeln!(
        out,
        "## On the same recordings\n\nfirebell: what it is called, severity, and how many incidents; psad: danger levels, and of how many sources. *expect*: `alert` a scan or attack, `quiet` harmless, `any` a \
         judgement call.\n\n| recording | expect | firebell | {version} | firebell, preset `psad` | why the preset differs |\n|---|---|---|---|---|---|"
    )?;
    for row in rows {
        let mut told: BTreeMap<(u8, &str), usize> = BTreeMap::new();
        for incident in row.ours.incidents.iter().filter(|incident| incident.severity > 1) {
            *told.entry((incident.severity, incident.kind.as_str())).or_default() += 1;
        }
        let told: Vec<String> = told
            .iter()
            .rev()
            .map(|((severity, kind), count)| if *count == 1 { format!("{kind} {severity}") } else { format!("{kind} {severity} x{count}") })
            .collect();
        let told = if told.is_empty() { "-".to_owned() } else { told.join(", ") };
        let Row { label, as_psad, theirs, .. } = row;
        writeln!(out, "| {} | {} | {told} | {theirs} | {as_psad} | {} |", label.capture, label.expect, row.difference())?;
    }
    out.push('\n');
    Ok(())
}

/// Read, not run: each has its source.
const OTHERS: &str = "\
## What is known of others

Not run by us on these recordings: most of them read packets, not logs, or need rules that somebody has to write. What stands
here is from their documentation and configuration, as of November 2026.

| program | reads | calls a scan | what follows | source |
|---|---|---|---|---|
| fail2ban | log lines, by a regular expression for each service | five lines in ten minutes (its defaults), of one address; for scans there is a filter for PortSentry's log, none for a firewall's | counts lines, not ports; a ban, no notice on the desktop | `config/jail.conf`, `config/filter.d/portsentry.conf` of the project |
| CrowdSec, scenario `iptables-scan-multi_ports` | firewall log lines, TCP and UDP | a bucket of 15 distinct ports that loses one in 5 s | told at the 16th port when the ports come faster than one in 5 s: T1 and slower are not; no ICMP, no other protocol; a ban | `scenarios/crowdsecurity/iptables-scan-multi_ports.yaml` of crowdsecurity/hub |
| Snort 3, `port_scan` | packets, both directions | counts of ports, hosts and refusals in a window, three presets of sensitivity; off by default | sees the answers, so it tells open from refused; needs the wire and a sensor | Snort 3 Inspector Reference, Port Scan |
| Suricata | packets | no scan engine; rules that count, as those of ET SCAN, or bundles for nmap's windows and timings (T1 to T5 for -sS, T2 to T5 for -sT and -sA) | as good as the rules; window size 1024 alone is on most research scanners too | rules of Emerging Threats; aleksibovellan/opnsense-suricata-nmaps |
| Zeek, `misc/scan` | packets, both directions | 15 ports of one host, or 25 hosts on one port, refused within 5 minutes | the closest in kind: distinct contacts, failures only; needs the wire | `scripts/policy/misc/scan.zeek` |
| OpenSnitch | outgoing connections | - | it asks about programs here, not about probes from outside | the project's README |
| OpenSnitch, the fork of NRGLine4Sec | all incoming packets, by eBPF | a score that leaks one point in 10 s, threshold 100: at the 9th port of a SYN or connect scan, at the 7th of FIN, null, Xmas | sees open ports too, needs no log rule; slowest SYN scan told within an hour: one probe in 1 min 36 s, so T0 is not; publishes a generated coverage table, costs and limits, as this project does | the fork's wiki, pages Port Scan Detection: Coverage, Limits, Settings |

firebell reads what the firewall logs and nothing else: what is let through it does not see, and behind a limited log rule it sees
little ([COVERAGE.md](COVERAGE.md), Misses). In return it needs no place on the wire and no rights over packets.
";
