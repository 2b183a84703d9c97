//! What a person gets to see of one log.

use crate::replay::{self, Story};
use firebell_collector::{config::Config as CollectorConfig, rules::Loaded};
use firebell_engine::{
    engine::{Config, Engine},
    finding::{Delivery, Finding, Kind, Source},
    signature::RuleSet,
};
use std::{sync::LazyLock, time::Duration};

/// An engine with the rules that firebell ships.
#[must_use]
pub fn engine(config: Config) -> Engine {
    static SHIPPED: LazyLock<RuleSet> = LazyLock::new(|| Loaded::shipped().rules.set(&CollectorConfig::default().signatures));
    let mut engine = Engine::new(config, [7; 16]);
    engine.replace_rules(SHIPPED.clone());
    engine
}

/// What is said of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is told of it, worst first; empty where nobody hears of it.
    pub incidents: Vec<Incident>,
}

/// One incident, as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// What it is in the end.
    pub kind: Kind,
    /// In the end, 1 to 5.
    pub severity: u8,
    /// In the end.
    pub delivery: Delivery,
    /// Who: an address, a network, `6 sources`.
    pub source: String,
    /// The tool that is named.
    pub tool: Option<&'static str>,
    /// How sure the source is.
    pub attribution: &'static str,
    /// Packets of the incident when it became worth this delivery.
    pub packets: u64,
    /// Distinct contacts then.
    pub contacts: u32,
    /// From the first packet of the log until then.
    pub after: Duration,
    /// Notices behind the first popup; the end does not count.
    pub updates: usize,
}

impl Verdict {
    /// Judges a log.
    #[must_use]
    pub fn of<L: AsRef<[u8]>>(lines: &[L], config: Config) -> Self {
        let (said, first) = replay::replay_into(lines, &mut engine(config));
        let told = |story: &Story| {
            let last = &story.last;
            let is_told = |finding: &&Finding| finding.id == last.id && finding.delivery == last.delivery;
            let at = said.iter().find(is_told).unwrap_or(last);
            Incident {
                kind: last.kind,
                severity: last.severity,
                delivery: last.delivery,
                source: source(last),
                tool: last.tool.map(|tool| tool.name),
                attribution: last.attribution.as_str(),
                packets: at.packets,
                contacts: at.contacts,
                after: at.at.since(first),
                updates: story.updates,
            }
        };
        let mut incidents: Vec<Incident> = replay::stories(&said).iter().map(told).collect();
        incidents.sort_by_key(|incident| std::cmp::Reverse(incident.severity));
        Self { incidents }
    }

    /// The worst, but for what is said of the log itself.
    #[must_use]
    pub fn main(&self) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.kind != Kind::Visibility)
    }

    /// How the worst is told; `None`: not at all.
    #[must_use]
    pub fn delivery(&self) -> Option<Delivery> {
        self.main().map(|incident| incident.delivery)
    }
}

/// Who it is, in a word.
#[must_use]
pub fn source(finding: &Finding) -> String {
    match finding.source {
        Source::Address(address) => address.to_string(),
        Source::Network(address, length) => format!("{address}/{length}"),
        Source::Set => format!("{} sources", finding.sources.len()),
        Source::Own => "this host".to_owned(),
    }
}

/// `0.2 ms`, `31 ms`, `0.3 s`, `4 min`, `1.5 h`: two figures or three.
#[must_use]
pub fn time(span: Duration) -> String {
    let secs = span.as_secs_f64();
    match secs {
        ..0.0095 => format!("{:.1} ms", secs * 1e3),
        ..0.095 => format!("{:.0} ms", secs * 1e3),
        ..9.95 => format!("{secs:.1} s"),
        ..120.0 => format!("{secs:.0} s"),
        ..7200.0 => format!("{:.0} min", secs / 60.0),
        _ => format!("{:.1} h", secs / 3600.0),
    }
}
