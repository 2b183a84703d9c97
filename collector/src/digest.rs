//! What many incidents come to: who, what, which ports. Answers `Summary` and `ListSources`.

use crate::bus::Value;
use firebell_shared::alert::Alert;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

/// Of each thing the first so many are named.
const TOP: usize = 10;
/// An incident that asked for more ports than this tried whatever there is, and says nothing of any of them.
const TELLING_PORTS: usize = 16;

/// A source as `ListSources` gives it: source, highest severity, packets, contacts, when it was last seen in microseconds since 1970.
pub type SourceRow = (String, u8, u64, u32, u64);

/// Sums over incidents. It has an entry for each source, kind, rule and telling port that they name, so whoever adds bounds it.
#[derive(Debug, Default)]
pub struct Digest {
    incidents: u64,
    open: u64,
    acknowledged: u64,
    packets: u64,
    by_severity: [u64; 5],
    kinds: BTreeMap<String, u64>,
    sources: HashMap<String, Source>,
    ports: HashMap<String, u64>,
    rules: HashMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    severity: u8,
    packets: u64,
    contacts: u32,
    last_seen: u64,
}

impl Digest {
    /// One incident more, as it stands.
    pub fn add(&mut self, alert: &Alert) {
        let d = &alert.details;
        self.incidents += 1;
        self.open += u64::from(alert.is_open());
        self.acknowledged += u64::from(d.acknowledged.is_some());
        self.packets += d.packets;
        if let Some(count) = self.by_severity.get_mut(usize::from(alert.severity.get()) - 1) {
            *count += 1;
        }
        count(self.kinds.entry(alert.kind.clone()).or_default(), 1);
        if !alert.source.is_empty() {
            let source = self.sources.entry(alert.source.clone()).or_default();
            source.severity = source.severity.max(alert.severity.get());
            source.packets = source.packets.saturating_add(d.packets);
            source.contacts = source.contacts.saturating_add(d.contacts);
            source.last_seen = source.last_seen.max(d.last_seen);
        }
        for port in telling_ports(&d.ports) {
            count(self.ports.entry(format!("{} {port}", d.protocol)).or_default(), 1);
        }
        for rule in &d.signatures {
            // `id: title xN`, as [`crate::convert`] writes it.
            if let Some((rule, packets)) = rule.rsplit_once(" x") {
                count(self.rules.entry(rule.to_owned()).or_default(), packets.parse().unwrap_or(0));
            }
        }
    }

    /// How many sources there are.
    #[must_use]
    pub fn count_sources(&self) -> usize {
        self.sources.len()
    }

    /// The sources without the first `skip`, the most severe first and of these the one that was seen last.
    #[must_use]
    pub fn sources(&self, skip: usize, limit: usize) -> Vec<SourceRow> {
        let mut rows: Vec<SourceRow> =
            self.sources.iter().map(|(name, of)| (name.clone(), of.severity, of.packets, of.contacts, of.last_seen)).collect();
        rows.sort_unstable_by(|a, b| (Reverse((a.1, a.4)), &a.0).cmp(&(Reverse((b.1, b.4)), &b.0)));
        rows.into_iter().skip(skip).take(limit).collect()
    }

    /// What `Summary` says. `is_whole`: every incident of the time was added.
    #[must_use]
    pub fn summary(&self, since: u64, until: u64, is_whole: bool) -> Vec<(&'static str, Value)> {
        let sources = self.sources(0, TOP);
        let (kinds, kinds_incidents) = top(&self.kinds, usize::MAX);
        let (ports, ports_incidents) = top(&self.ports, TOP);
        let (rules, rules_packets) = top(&self.rules, TOP);
        vec![
            ("since", Value::Number(since)),
            ("until", Value::Number(until)),
            ("is_whole", Value::Truth(is_whole)),
            ("incidents", Value::Number(self.incidents)),
            ("open", Value::Number(self.open)),
            ("acknowledged", Value::Number(self.acknowledged)),
            ("packets", Value::Number(self.packets)),
            ("sources", Value::Number(self.sources.len() as u64)),
            ("by_severity", Value::Numbers(self.by_severity.to_vec())),
            ("kinds", Value::List(kinds)),
            ("kinds_incidents", Value::Numbers(kinds_incidents)),
            ("top_sources", Value::List(sources.iter().map(|row| row.0.clone()).collect())),
            ("top_sources_severity", Value::Numbers(sources.iter().map(|row| row.1.into()).collect())),
            ("top_sources_packets", Value::Numbers(sources.iter().map(|row| row.2).collect())),
            ("top_ports", Value::List(ports)),
            ("top_ports_incidents", Value::Numbers(ports_incidents)),
            ("top_signatures", Value::List(rules)),
            ("top_signatures_packets", Value::Numbers(rules_packets)),
        ]
    }
}

fn count(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// The highest first, equal ones by name.
fn top<'a>(sums: impl IntoIterator<Item = (&'a String, &'a u64)>, limit: usize) -> (Vec<String>, Vec<u64>) {
    let mut all: Vec<_> = sums.into_iter().collect();
    all.sort_unstable_by_key(|(name, sum)| (Reverse(**sum), *name));
    all.into_iter().take(limit).map(|(name, sum)| (name.clone(), *sum)).unzip()
}

/// The ports of `22-25,80`, where there are few.
fn telling_ports(list: &str) -> Vec<u16> {
    let ports = ports(list, TELLING_PORTS + 1);
    if ports.len() > TELLING_PORTS { Vec::new() } else { ports }
}

/// The first so many ports of `22-25,80`.
#[must_use]
pub fn ports(list: &str, most: usize) -> Vec<u16> {
    let range = |text: &str| -> Option<RangeInclusive<u16>> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        Some(low.parse().ok()?..=high.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert;

    fn alert(source: &str, severity: u8, ports: &str) -> Alert {
        let mut alert = convert::alert(&convert::tests::finding());
        (alert.source, alert.severity) = (source.into(), severity.try_into().unwrap());
        (alert.details.packets, alert.details.contacts, alert.details.ports) = (10, 4, ports.into());
        alert.details.signatures = vec!["mirai: Mirai looks x12 times x3".into()];
        alert
    }

    #[test]
    fn a_summary_names_the_worst_sources_the_ports_that_were_meant_and_the_rules() {
        let mut digest = Digest::default();
        for (source, severity, ports) in [("192.0.2.1", 3, "22,80"), ("192.0.2.1", 2, "22"), ("192.0.2.2", 4, "1-1000"), ("", 2, "")] {
            digest.add(&alert(source, severity, ports));
        }
        assert_eq!(
            digest.sources(0, 9).iter().map(|row| (row.0.as_str(), row.1, row.2, row.3)).collect::<Vec<_>>(),
            [("192.0.2.2", 4, 10, 4), ("192.0.2.1", 3, 20, 8)]
        );
        assert_eq!((digest.sources(0, 1).len(), digest.sources(1, 9).len(), digest.sources(2, 9).len()), (1, 1, 0));
        let summary: HashMap<_, _> = digest.summary(1, 2, true).into_iter().collect();
        let list = |words: &[&str]| Value::List(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(summary["top_ports"], list(&["tcp 22", "tcp 80"]));
        assert_eq!(summary["top_ports_incidents"], Value::Numbers(vec![2, 1]));
        assert_eq!(summary["top_signatures"], list(&["mirai: Mirai looks x12 times"]));
        assert_eq!(summary["top_signatures_packets"], Value::Numbers(vec![12]));
        assert_eq!(summary["by_severity"], Value::Numbers(vec![0, 2, 1, 1, 0]));
        assert_eq!((&summary["incidents"], &summary["sources"]), (&Value::Number(4), &Value::Number(2)));
    }

    #[test]
    fn many_ports_or_none_or_nonsense_tell_nothing() {
        for list in ["1-17", "1-65535", "", "x", "5-4", "70000", "1-8,10-18"] {
            assert_eq!(telling_ports(list), [0; 0], "{list}");
        }
        assert_eq!(telling_ports("22-23,80,x"), [22, 23, 80]);
        assert_eq!(telling_ports("1-16").len(), 16);
    }
}
