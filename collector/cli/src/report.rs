//! What an analysis found, as JSON and as text.

use crate::{compare::Comparison, overview::Kept, packets::cell, times};
use firebell_collector::convert;
use firebell_engine::{
    class::Class,
    engine::{Engine, SourceReport},
    finding::{Finding, Kind, Phase, Signature, Source as Who, Tool},
    tick::Tick,
};
use firebell_shared::{
    services,
    text::{safe, thousands},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Display,
    io::Write as _,
    net::IpAddr,
};

/// Alerts of one report. A log that holds more than that is under a flood, and the first ones tell.
const MAX_ALERTS: usize = 65_536;
/// Bytes of a list of ports in a table.
const MAX_PORTS: usize = 35;
/// A list of ports up to this length, in bytes, has room for the names of its services.
const NAMED_PORTS: usize = 11;
/// Lines of a table in text.
const SHOWN: usize = 20;

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) lines: u64,
    pub(crate) packets: u64,
    pub(crate) not_netfilter: u64,
    pub(crate) malformed: u64,
    /// Packets that were not asked for; `None` where all are.
    pub(crate) left_out: Option<u64>,
    first: Option<Tick>,
    last: Option<Tick>,
}

impl Counts {
    /// `is_chosen`: not all packets are looked at.
    pub(crate) fn new(is_chosen: bool) -> Self {
        Self { left_out: is_chosen.then_some(0), ..Self::default() }
    }

    pub(crate) fn seen(&mut self, tick: Option<Tick>) {
        self.first = self.first.or(tick);
        self.last = tick.or(self.last);
    }
}

/// The incidents so far, by id.
#[derive(Debug, Default)]
pub(crate) struct Report {
    incidents: BTreeMap<u64, Incident>,
    /// The worst that was said of each source: the engine forgets what is long over.
    accused: HashMap<IpAddr, Accused>,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Accused {
    severity: u8,
    kinds: BTreeSet<Kind>,
    tool: Option<Tool>,
    /// The last that was said of it alone.
    alone: Option<SourceReport>,
}

#[derive(Debug)]
struct Incident {
    opened: Tick,
    closed: Option<Tick>,
    updates: u32,
    latest: Finding,
}

impl Report {
    /// Takes one revision of an incident.
    pub(crate) fn note(&mut self, finding: Finding) {
        self.accuse(&finding);
        if finding.phase == Phase::Merged {
            // It is told by the one that it became part of.
            self.incidents.remove(&finding.id);
            return;
        }
        let is_full = self.incidents.len() >= MAX_ALERTS;
        match self.incidents.get_mut(&finding.id) {
            Some(incident) => {
                match finding.phase {
                    Phase::Closed => incident.closed = Some(finding.at),
                    Phase::Opened | Phase::Updated | Phase::Escalated | Phase::Reopened | Phase::Merged => {
                        incident.closed = None;
                        incident.updates += 1;
                    }
                }
                incident.latest = finding;
            }
            None if is_full => self.left_out += u64::from(finding.phase == Phase::Opened),
            None => {
                self.incidents.insert(finding.id, Incident { opened: finding.at, closed: None, updates: 0, latest: finding });
            }
        }
    }

    fn accuse(&mut self, finding: &Finding) {
        let alone = if let Who::Address(address) = finding.source { Some(address) } else { None };
        for address in alone.iter().chain(&finding.sources) {
            if self.accused.len() >= MAX_ALERTS && !self.accused.contains_key(address) {
                continue;
            }
            let accused = self.accused.entry(*address).or_default();
            accused.severity = accused.severity.max(finding.severity);
            accused.kinds.insert(finding.kind);
            if alone.is_some() {
                accused.tool = finding.tool.or(accused.tool);
                accused.alone = Some(summed_up(*address, finding));
            }
        }
    }

    /// Ends what is still going on, and gives everything, ready to be printed.
    pub(crate) fn finish(mut self, files: Vec<String>, counts: &Counts, engine: &mut Engine) -> Document {
        // An incident that has ended forgets its ports: the sources come first.
        let sources = engine.sources();
        engine.close_all();
        while let Some(finding) = engine.next_finding() {
            self.note(finding);
        }
        let sources = merge(sources, self.accused);
        Document {
            schema: 1,
            input: Input {
                files,
                lines: counts.lines,
                packets: counts.packets,
                not_netfilter: counts.not_netfilter,
                malformed: counts.malformed,
                left_out: counts.left_out,
                first: counts.first.map(Time),
                last: counts.last.map(Time),
            },
            classes: Some(Classes(engine.status().classes)),
            sources,
            alerts: self.incidents.into_values().map(Incident::alert).collect(),
            comparison: None,
            left_out: self.left_out,
        }
    }
}

/// What the history in `place` says, in the order in which the incidents began; so many older ones are left out.
pub(crate) fn of_history(place: String, incidents: Vec<Kept>, left_out: u64) -> Document {
    let mut sources: BTreeMap<IpAddr, Source> = BTreeMap::new();
    for kept in &incidents {
        let Ok(address) = kept.alert.source.parse() else { continue };
        let (severity, last) = (kept.alert.severity, Time(kept.last));
        let source = sources.entry(address).or_insert_with(|| Source {
            source: kept.alert.source.clone(),
            severity,
            packets: 0,
            contacts: 0,
            targets: 0,
            ports: Ports { tcp: String::new(), udp: String::new() },
            protocols: Vec::new(),
            first: kept.alert.opened,
            last,
            kinds: Vec::new(),
            signatures: Vec::new(),
            tool: None,
        });
        source.severity = source.severity.max(severity);
        source.packets = source.packets.saturating_add(kept.packets);
        source.contacts = source.contacts.saturating_add(kept.contacts);
        source.targets = source.targets.max(kept.targets);
        source.last = source.last.max(last);
        if !source.kinds.contains(&kept.alert.kind) {
            source.kinds.push(kept.alert.kind);
        }
        match kept.protocol {
            6 => source.ports.tcp.clone_from(&kept.ports),
            17 => source.ports.udp.clone_from(&kept.ports),
            _ => {}
        }
    }
    let mut sources: Vec<Source> = sources.into_values().collect();
    sources.sort_by_key(|source| (std::cmp::Reverse((source.severity, source.packets)), source.first));
    Document {
        schema: 1,
        input: Input {
            files: vec![place],
            lines: 0,
            packets: incidents.iter().fold(0, |sum, kept| sum.saturating_add(kept.packets)),
            not_netfilter: 0,
            malformed: 0,
            left_out: None,
            first: incidents.first().map(|kept| kept.alert.opened),
            last: incidents.iter().map(|kept| Time(kept.last)).max(),
        },
        classes: None,
        sources,
        alerts: incidents.into_iter().map(|kept| kept.alert).collect(),
        comparison: None,
        left_out,
    }
}

/// A source as its incident of its own describes it.
fn summed_up(address: IpAddr, finding: &Finding) -> SourceReport {
    let ports = |protocol| if finding.protocol == protocol { finding.ports.clone() } else { String::new() };
    SourceReport {
        source: address,
        severity: finding.severity,
        packets: finding.packets,
        contacts: finding.contacts,
        targets: finding.targets.clone(),
        tcp_ports: ports(6),
        udp_ports: ports(17),
        protocols: vec![finding.protocol],
        first: finding.first,
        last: finding.last,
        kinds: Vec::new(),
        tool: finding.tool,
        signatures: finding.signatures.clone(),
    }
}

/// What the engine still knows of each source, and what was said of it; most severe first, then by packets and address.
fn merge(known: Vec<SourceReport>, mut accused: HashMap<IpAddr, Accused>) -> Vec<Source> {
    let mut all: Vec<(SourceReport, BTreeSet<Kind>)> = known
        .into_iter()
        .map(|mut source| {
            let mut kinds: BTreeSet<Kind> = source.kinds.iter().copied().collect();
            if let Some(said) = accused.remove(&source.source) {
                source.severity = source.severity.max(said.severity);
                source.tool = source.tool.or(said.tool);
                kinds.extend(said.kinds);
                if let Some(alone) = said.alone {
                    source.packets = source.packets.max(alone.packets);
                    source.contacts = source.contacts.max(alone.contacts);
                    source.first = source.first.min(alone.first);
                    if source.signatures.len() <= alone.signatures.len() {
                        source.signatures = alone.signatures;
                    }
                    if source.tcp_ports.len() + source.udp_ports.len() < alone.tcp_ports.len() + alone.udp_ports.len() {
                        (source.tcp_ports, source.udp_ports) = (alone.tcp_ports, alone.udp_ports);
                    }
                }
            }
            (source, kinds)
        })
        .collect();
    all.extend(accused.into_values().filter_map(|said| {
        let source = SourceReport { severity: said.severity, tool: said.tool, ..said.alone? };
        Some((source, said.kinds))
    }));
    all.retain(|(source, _)| source.severity >= 1);
    all.sort_by(|(a, _), (b, _)| {
        b.severity.cmp(&a.severity).then(b.packets.cmp(&a.packets)).then(a.source.cmp(&b.source)).then(a.first.cmp(&b.first))
    });
    all.into_iter()
        .map(|(source, kinds)| Source {
            source: source.source.to_string(),
            severity: source.severity,
            packets: source.packets,
            contacts: source.contacts,
            targets: source.targets.len(),
            ports: Ports { tcp: source.tcp_ports, udp: source.udp_ports },
            protocols: source.protocols,
            first: Time(source.first),
            last: Time(source.last),
            kinds: kinds.iter().map(|kind| kind.as_str()).collect(),
            signatures: source.signatures.into_iter().map(|Signature { id, title, count, .. }| Hit { id, title, count }).collect(),
            tool: source.tool.map(|tool| ToolLabel { name: tool.name, confidence: if tool.is_sure { "sure" } else { "likely" } }),
        })
        .collect()
}

impl Incident {
    fn alert(self) -> Alert {
        let told = convert::alert(&self.latest);
        Alert {
            id: self.latest.id,
            severity: self.latest.severity,
            kind: self.latest.kind.as_str(),
            source: told.source,
            sources: told.details.sources,
            delivery: self.latest.delivery.as_str(),
            opened: Time(self.opened),
            closed: self.closed.map(Time),
            packet_at_open: self.latest.packet_at_open,
            contacts_at_open: self.latest.contacts_at_open,
            updates: self.updates,
            summary: told.summary,
            latest: Some(self.latest),
        }
    }
}

/// The report, in the words of the bus.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    pub(crate) input: Input,
    /// Of packets; the history has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Classes>,
    pub(crate) sources: Vec<Source>,
    pub(crate) alerts: Vec<Alert>,
    /// What another configuration would say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comparison: Option<Comparison>,
    /// Alerts behind the first [`MAX_ALERTS`]: no part of the document, so that its shape stays.
    #[serde(skip)]
    pub(crate) left_out: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Input {
    pub(crate) files: Vec<String>,
    pub(crate) lines: u64,
    pub(crate) packets: u64,
    not_netfilter: u64,
    pub(crate) malformed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<u64>,
    pub(crate) first: Option<Time>,
    pub(crate) last: Option<Time>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Source {
    pub(crate) source: String,
    pub(crate) severity: u8,
    pub(crate) packets: u64,
    pub(crate) contacts: u32,
    targets: usize,
    pub(crate) ports: Ports,
    protocols: Vec<u8>,
    pub(crate) first: Time,
    pub(crate) last: Time,
    pub(crate) kinds: Vec<&'static str>,
    signatures: Vec<Hit>,
    tool: Option<ToolLabel>,
}

/// A rule that fitted, and so many packets.
#[derive(Debug, Serialize)]
struct Hit {
    id: String,
    title: String,
    count: u64,
}

#[derive(Debug, Serialize)]
struct ToolLabel {
    name: &'static str,
    confidence: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Ports {
    tcp: String,
    udp: String,
}

/// One incident, at its end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Alert {
    pub(crate) id: u64,
    pub(crate) severity: u8,
    pub(crate) kind: &'static str,
    pub(crate) source: String,
    pub(crate) sources: Vec<String>,
    pub(crate) delivery: &'static str,
    pub(crate) opened: Time,
    pub(crate) closed: Option<Time>,
    /// 0 where nobody knows it any more, as of an incident of the history.
    pub(crate) packet_at_open: u64,
    /// Likewise.
    pub(crate) contacts_at_open: u32,
    pub(crate) updates: u32,
    pub(crate) summary: String,
    /// All of it; nothing of an incident of the history.
    #[serde(skip)]
    pub(crate) latest: Option<Finding>,
}

/// Packets by class, in the order of [`Class::ALL`].
#[derive(Debug)]
struct Classes([u64; Class::ALL.len()]);

impl Classes {
    fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Class::ALL.iter().map(|class| class.as_str()).zip(self.0)
    }
}

impl Serialize for Classes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// A moment, in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Tick);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&times::rfc3339(self.0))
    }
}

/// One document. Writing into memory does not fail, neither here nor below.
pub(crate) fn json(into: &mut Vec<u8>, document: &Document) {
    let _ = serde_json::to_writer_pretty(&mut *into, document);
    into.push(b'\n');
}

/// One line each.
pub(crate) fn json_lines(into: &mut Vec<u8>, values: &[impl Serialize]) {
    for value in values {
        let _ = serde_json::to_writer(&mut *into, value);
        into.push(b'\n');
    }
}

/// The alerts as CSV (RFC 4180), a row each, with a first row of names.
///
/// # Errors
/// Never, as it writes into memory.
pub(crate) fn csv(into: &mut Vec<u8>, alerts: &[Alert]) -> csv::Result<()> {
    let mut out = csv::Writer::from_writer(into);
    out.write_record([
        "id",
        "severity",
        "kind",
        "source",
        "sources",
        "delivery",
        "opened",
        "closed",
        "packet_at_open",
        "contacts_at_open",
        "updates",
        "summary",
    ])?;
    for alert in alerts {
        out.write_record([
            alert.id.to_string(),
            alert.severity.to_string(),
            alert.kind.to_owned(),
            alert.source.clone(),
            alert.sources.join(" "),
            alert.delivery.to_owned(),
            times::rfc3339(alert.opened.0),
            alert.closed.map(|closed| times::rfc3339(closed.0)).unwrap_or_default(),
            alert.packet_at_open.to_string(),
            alert.contacts_at_open.to_string(),
            alert.updates.to_string(),
            cell(alert.summary.as_bytes()),
        ])?;
    }
    Ok(out.flush()?)
}

/// One problem a line.
pub(crate) fn list(problems: &[impl Display]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// For people.
pub(crate) fn text(into: &mut Vec<u8>, document: &Document) {
    let Document { input, classes, sources, alerts, .. } = document;
    let other = if input.malformed == 0 { String::new() } else { format!(", {} broken", thousands(input.malformed)) };
    let (records, lines) = (thousands(input.packets), thousands(input.lines));
    let left_out = input.left_out.map(|count| format!("; {} were not asked for", thousands(count))).unwrap_or_default();
    let _ = writeln!(into, "{records} firewall records in {lines} lines{other}{left_out}");
    if input.packets == 0 && input.left_out.is_some_and(|count| count > 0) {
        return;
    }
    if input.packets == 0 {
        let _ = writeln!(into, "\nThis is no log of a netfilter firewall, or the firewall logs nothing. Its records look like this:");
        let _ = writeln!(into, "    … kernel: DROP IN=eth0 OUT= MAC=… SRC=203.0.113.9 DST=192.0.2.1 LEN=60 … PROTO=TCP SPT=40000 DPT=22 …");
        return;
    }
    if let (Some(Time(first)), Some(Time(last))) = (input.first, input.last) {
        let zone = if times::is_uptime(first) { "" } else { " UTC" };
        let _ = writeln!(into, "from {} to {}{zone} ({})", times::plain(first), times::plain(last), times::span(last.since(first)));
    }
    let _ = writeln!(into, "\n{}", title(alerts.len(), "alert"));
    let mut ranked: Vec<&Alert> = alerts.iter().collect();
    ranked.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
    for alert in ranked.iter().take(SHOWN) {
        let _ = writeln!(into, "  {}  {}  {}", alert.severity, times::plain(alert.opened.0), alert.summary);
    }
    more(into, alerts.len());
    let notable: Vec<&Source> = sources.iter().filter(|source| source.severity > 1).collect();
    let _ = writeln!(into, "\n{}", title(notable.len(), "suspect"));
    let rows = notable.iter().take(SHOWN).map(|source| {
        let kinds = if source.kinds.is_empty() { "-".to_owned() } else { source.kinds.join(" ") };
        [
            source.severity.to_string(),
            source.source.clone(),
            thousands(source.packets),
            thousands(source.contacts.into()),
            kinds,
            ports(&source.ports),
        ]
    });
    table(into, ["severity", "source", "packets", "contacts", "what", "ports"], &rows.collect::<Vec<_>>());
    more(into, notable.len());
    let background = sources.len() - notable.len();
    if background > 0 {
        let plural = if background == 1 { "source" } else { "sources" };
        let _ = writeln!(
            into,
            "{}{} {plural} of no more than the usual background",
            if notable.is_empty() { "" } else { "  and " },
            thousands(background as u64)
        );
    }
    let _ = writeln!(into, "\nRecords by class");
    for (class, count) in classes.iter().flat_map(Classes::iter).filter(|(_, count)| *count > 0) {
        let _ = writeln!(into, "  {:<15} {:>12}", class.replace('_', " "), thousands(count));
    }
}

fn title(count: usize, what: &str) -> String {
    match count {
        0 => format!("No {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{} {what}s, worst first", thousands(count as u64)),
    }
}

fn more(into: &mut Vec<u8>, count: usize) {
    if count > SHOWN {
        let _ = writeln!(into, "  and {} more: -o json has them all", thousands((count - SHOWN) as u64));
    }
}

/// `tcp 22-25,80  udp 53`, as far as a line of a terminal goes.
pub(crate) fn ports(ports: &Ports) -> String {
    let mut text = String::new();
    for (name, list) in [("tcp", &ports.tcp), ("udp", &ports.udp)] {
        if !list.is_empty() {
            let gap = if text.is_empty() { "" } else { "  " };
            let shown = if list.len() <= NAMED_PORTS { services::told(list) } else { safe(list.as_bytes(), MAX_PORTS) };
            text.push_str(&format!("{gap}{name} {shown}"));
        }
    }
    text
}

/// Columns as wide as they must be; the first, third and fourth are numbers and stand right.
fn table<const N: usize>(into: &mut Vec<u8>, head: [&str; N], rows: &[[String; N]]) {
    if rows.is_empty() {
        return;
    }
    let head = head.map(str::to_owned);
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = if matches!(column, 0 | 2 | 3) { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line.push_str("  ");
            line.push_str(&cell);
        }
        let _ = writeln!(into, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 34_115, 1_234_567].map(thousands), ["0", "999", "1,000", "34,115", "1,234,567"]);
    }

    #[test]
    fn columns_line_up() {
        let mut out = Vec::new();
        table(
            &mut out,
            ["n", "source", "x", "y"],
            &[["3", "192.0.2.1", "10", "-"], ["12", "a", "5", ""]].map(|row| row.map(str::to_owned)),
        );
        assert_eq!(String::from_utf8(out).unwrap(), "   n  source      x  y\n   3  192.0.2.1  10  -\n  12  a           5\n");
    }
}
