//! What is known of one source.

use super::Seen;
use crate::times;
use firebell_collector::{
    config::Config,
    explain::{self, Heard, Silence},
};
use firebell_engine::{
    class::Class,
    engine::{Explanation, Reading, Standing},
    finding::{Finding, Phase, Source},
    origin::Origin,
    tick::Tick,
};
use firebell_shared::text;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    path::Path,
};

/// Lines from the beginning that are shown, and from the end.
const FIRST: usize = 10;
const LAST: usize = 3;
/// Bytes of a line that are shown.
const MAX_LINE: usize = 400;

/// Everything about one source of a log.
#[derive(Debug, Serialize)]
pub(super) struct Case {
    schema: u32,
    pub(super) file: String,
    pub(super) source: String,
    /// Private or on-link.
    pub(super) is_near: bool,
    pub(super) packets: u64,
    pub(super) contacts: u32,
    pub(super) tool: Option<&'static str>,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
    /// Packets by what they are.
    pub(super) classes: BTreeMap<&'static str, u64>,
    pub(super) alerts: Vec<Told>,
    pub(super) detectors: Vec<Peak>,
    /// Why nothing is told; empty where something is.
    pub(super) why_not: Vec<String>,
    pub(super) silenced_by: Vec<Silence>,
    /// The line that was asked about.
    pub(super) line: Option<Shown>,
    pub(super) lines: Vec<Shown>,
    pub(super) lines_left_out: u64,
    #[serde(skip)]
    subject: IpAddr,
    #[serde(skip)]
    asked: Option<u64>,
    #[serde(skip)]
    ids: BTreeSet<u64>,
    #[serde(skip)]
    newest: VecDeque<Shown>,
    #[serde(skip)]
    trusted: u64,
    #[serde(skip)]
    ignored: u64,
}

/// A moment, in RFC 3339.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) Tick);

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&times::rfc3339(self.0))
    }
}

/// An alert that the source is a part of, at its worst.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    id: u64,
    pub(super) severity: u8,
    pub(super) kind: &'static str,
    pub(super) delivery: &'static str,
    /// The line by which it became so.
    pub(super) line: u64,
    pub(super) summary: String,
    pub(super) why: String,
}

/// What a detector counted at most.
#[derive(Debug, Serialize)]
pub(super) struct Peak {
    #[serde(flatten)]
    pub(super) heard: Heard,
    /// The first line at which it spoke.
    pub(super) line: Option<u64>,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Shown {
    pub(super) number: u64,
    pub(super) time: Moment,
    pub(super) class: &'static str,
    pub(super) text: String,
}

impl Case {
    pub(super) fn new(file: &Path, subject: IpAddr, asked: Option<u64>) -> Self {
        Self {
            schema: 1,
            file: file.display().to_string(),
            source: subject.to_string(),
            is_near: false,
            packets: 0,
            contacts: 0,
            tool: None,
            first: None,
            last: None,
            classes: BTreeMap::new(),
            alerts: Vec::new(),
            detectors: Vec::new(),
            why_not: Vec::new(),
            silenced_by: Vec::new(),
            line: None,
            lines: Vec::new(),
            lines_left_out: 0,
            subject,
            asked,
            ids: BTreeSet::new(),
            newest: VecDeque::new(),
            trusted: 0,
            ignored: 0,
        }
    }

    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Is a person told of it?
    pub(super) fn is_told(&self) -> bool {
        self.alerts.iter().any(|alert| alert.severity > 1)
    }

    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        let is_its = is_same(seen.packet.header.src, self.subject);
        for finding in &seen.said {
            self.hear(finding, seen.number, is_its);
        }
        if !is_its {
            return;
        }
        let explained = seen.engine.explain(seen.packet, Origin::Unverified);
        self.packets += 1;
        self.contacts = self.contacts.max(explained.contacts);
        self.is_near = explained.is_near;
        self.tool = explained.tool.filter(|tool| tool.is_sure).map(|tool| tool.name).or(self.tool);
        self.first = self.first.or(Some(Moment(seen.tick)));
        self.last = Some(Moment(seen.tick));
        *self.classes.entry(explained.class.as_str()).or_default() += 1;
        self.trusted += u64::from(explained.standing == Standing::Trusted);
        self.ignored += u64::from(explained.standing == Standing::Ignored);
        for reading in &explained.readings {
            self.read(reading, seen.number);
        }
        self.keep(seen, &explained);
    }

    fn keep(&mut self, seen: &Seen<'_>, explained: &Explanation) {
        let shown = || Shown {
            number: seen.number,
            time: Moment(seen.tick),
            class: explained.class.as_str(),
            text: text::safe(seen.text, MAX_LINE).trim_end().to_owned(),
        };
        if self.asked == Some(seen.number) {
            self.line = Some(shown());
        }
        if self.lines.len() < FIRST {
            self.lines.push(shown());
            return;
        }
        if self.newest.len() == LAST {
            self.newest.pop_front();
            self.lines_left_out += 1;
        }
        self.newest.push_back(shown());
    }

    fn hear(&mut self, finding: &Finding, line: u64, is_by_its_line: bool) {
        let is_about = match finding.source {
            Source::Address(address) => is_same(address, self.subject),
            _ => finding.sources.iter().any(|source| is_same(*source, self.subject)),
        };
        let is_news = matches!(finding.phase, Phase::Opened | Phase::Escalated | Phase::Reopened);
        if finding.phase == Phase::Merged {
            self.ids.remove(&finding.id);
            self.alerts.retain(|alert| alert.id != finding.id);
            return;
        }
        if is_about || (is_news && is_by_its_line) {
            self.ids.insert(finding.id);
        }
        if !self.ids.contains(&finding.id) {
            return;
        }
        let told = Told {
            id: finding.id,
            severity: finding.severity,
            kind: finding.kind.as_str(),
            delivery: finding.delivery.as_str(),
            line,
            summary: finding.summary.clone(),
            why: finding.why.clone(),
        };
        match self.alerts.iter_mut().find(|alert| alert.id == finding.id) {
            Some(known) if finding.severity > known.severity => *known = told,
            // Its number of packets may have grown.
            Some(known) => (known.kind, known.summary) = (told.kind, told.summary),
            None => self.alerts.push(told),
        }
    }

    fn read(&mut self, reading: &Reading, line: u64) {
        let is_it = |peak: &&mut Peak| peak.heard.detector == reading.detector && peak.heard.what == reading.what;
        let spoke_at = reading.spoke.then_some(line);
        match self.detectors.iter_mut().find(is_it) {
            Some(peak) => {
                peak.heard.join(reading);
                peak.line = peak.line.or(spoke_at);
            }
            None => self.detectors.push(Peak { heard: reading.into(), line: spoke_at }),
        }
    }

    /// The log has ended; `said` is what was said then.
    pub(super) fn end(&mut self, said: &[Finding]) {
        let last = self.newest.back().or(self.lines.last()).map_or(0, |line| line.number);
        for finding in said {
            self.hear(finding, last, false);
        }
        self.lines.extend(self.newest.drain(..));
        // Half a reading of nothing says nothing.
        self.detectors.retain(|peak| peak.heard.value > 0.0 || peak.heard.state != "silent");
        self.detectors.sort_by(|a, b| number(a.heard.id).cmp(&number(b.heard.id)).then(a.heard.parameter.cmp(&b.heard.parameter)));
        if !self.is_told() {
            self.why_not = self.reasons();
        }
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.trusted > 0 {
            reasons.push("The configuration trusts this source.".to_owned());
        }
        if self.ignored > 0 {
            reasons.push(format!("The configuration says to ignore {} of its packets.", self.ignored));
        }
        for (class, count) in &self.classes {
            if let Some(reason) = harmless(class) {
                reasons.push(format!("{count} of its packets are {reason}"));
            }
        }
        let ratio = |heard: &Heard| heard.value / heard.threshold;
        let nearest = self.detectors.iter().map(|peak| &peak.heard).max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        match nearest {
            Some(nearest) if self.trusted + self.ignored < self.packets => reasons.push(format!(
                "No detector reached its threshold; the nearest is {} ({}): {} of {}.",
                nearest.what,
                nearest.id,
                figure(nearest.value),
                figure(nearest.threshold)
            )),
            _ if reasons.is_empty() => reasons.push("No detector has counted anything.".to_owned()),
            _ => {}
        }
        reasons
    }

    /// Finds out what would have silenced it. `try_out` says whether nothing is told with a configuration.
    pub(super) fn silence(&mut self, may_try: bool, try_out: impl Fn(&Config) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        if !self.is_told() {
            return Ok(());
        }
        let heard: Vec<Heard> = self.detectors.iter().map(|peak| peak.heard.clone()).collect();
        for way in explain::silences(self.subject, &heard) {
            let is_enough = match Config::parse(Path::new("-"), &way.toml) {
                Ok(config) if may_try => try_out(&config)?,
                Ok(_) => true,
                Err(_) => false,
            };
            if is_enough {
                self.silenced_by.push(way);
            }
        }
        Ok(())
    }
}

/// The same address; of IPv6 the same /64, which is what is judged.
fn is_same(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() >> 64 == other.to_bits() >> 64,
        _ => one == other,
    }
}

/// `D2` before `D13`.
fn number(id: &str) -> u32 {
    id.trim_start_matches('D').parse().unwrap_or(u32::MAX)
}

/// `9.2`, `12`: as exact as it must be.
pub(super) fn figure(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// Why packets of a class say nothing against who sent them.
fn harmless(class: &str) -> Option<&'static str> {
    let is = |known: Class| class == known.as_str();
    Some(if is(Class::Housekeeping) {
        "housekeeping, which every device sends: multicast, broadcast, DHCP, name and service search, neighbour discovery."
    } else if is(Class::LateReply) {
        "late replies: what is left of connections that the firewall has forgotten."
    } else if is(Class::Backscatter) {
        "answers to what somebody sent in this host's name; who sends them is a victim."
    } else if is(Class::Accepted) {
        "packets that the firewall let through."
    } else if is(Class::Outbound) {
        "this host's own."
    } else if is(Class::Other) {
        "of no kind that asks anything."
    } else {
        return None;
    })
}
