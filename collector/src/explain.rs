//! Why there is an alert, and what would silence it: what `Explain` answers and `firebell explain` prints.

use crate::config::Config;
use firebell_engine::engine::{IncidentReadings, Reading};
use firebell_shared::alert::Alert;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    path::Path,
};

/// What a detector counted, beside the number at which it speaks.
#[derive(Clone, Debug, Serialize)]
pub struct Heard {
    /// Its number in `docs/DETECTION.md`.
    pub id: &'static str,
    /// Its table in `firebell.toml`, without `detect.`.
    pub detector: &'static str,
    /// What is counted.
    pub what: &'static str,
    /// How much.
    pub value: f64,
    /// At which it speaks.
    pub threshold: f64,
    /// The key in `firebell.toml`: `detect.fast-scan.threshold`.
    pub parameter: String,
    /// `spoke`, `nearly` (half of the threshold and more) or `silent`.
    pub state: &'static str,
    #[serde(skip)]
    key: &'static str,
}

impl From<&Reading> for Heard {
    fn from(reading: &Reading) -> Self {
        Self {
            id: reading.id,
            detector: reading.detector,
            what: reading.what,
            value: reading.value,
            threshold: reading.threshold,
            parameter: format!("detect.{}.{}", reading.detector, reading.parameter),
            state: if reading.spoke {
                "spoke"
            } else if reading.is_near() {
                "nearly"
            } else {
                "silent"
            },
            key: reading.parameter,
        }
    }
}

impl Heard {
    /// Takes one more reading of the same thing: the highest counts, and that it spoke.
    pub fn join(&mut self, reading: &Reading) {
        let other = Self::from(reading);
        if other.value >= self.value {
            (self.value, self.threshold) = (other.value, other.threshold);
        }
        let rank = |state: &str| ["silent", "nearly", "spoke"].iter().position(|known| *known == state);
        if rank(other.state) > rank(self.state) {
            self.state = other.state;
        }
    }

    /// The line of its table with which it would not have spoken.
    fn above(&self) -> String {
        let line = if self.key == "threshold" {
            format!("threshold = {:.1}", self.value + 0.1)
        } else {
            format!("{} = {:.0}", self.key, self.value.floor() + 1.0)
        };
        let is_allowed = Config::parse(Path::new("-"), &format!("[detect.{}]\n{line}\n", self.detector)).is_ok();
        if is_allowed { line } else { "enabled = false".to_owned() }
    }
}

/// A way to hear nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// `trust`, `ignore` or `parameters`.
    pub how: &'static str,
    /// What to write into `firebell.toml`.
    pub toml: String,
}

/// The ways to hear nothing of a source, as far as what `heard` says goes: all that spoke must be silenced together.
#[must_use]
pub fn silences(source: IpAddr, heard: &[Heard]) -> Vec<Silence> {
    let network = match source {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    };
    let mut ways = vec![
        Silence { how: "trust", toml: format!("[lists]\ntrusted = [\"{network}\"]\n") },
        Silence { how: "ignore", toml: format!("[[ignore]]\nsource = \"{network}\"\n") },
    ];
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for heard in heard.iter().filter(|heard| heard.state == "spoke") {
        tables.entry(heard.detector).or_default().push(heard.above());
    }
    let mut toml = String::new();
    for (table, mut lines) in tables {
        if lines.iter().any(|line| line == "enabled = false") {
            lines.truncate(1);
            lines = lines.into_iter().map(|_| "enabled = false".to_owned()).collect();
        }
        toml.push_str(&format!("[detect.{table}]\n{}\n", lines.join("\n")));
    }
    if !toml.is_empty() {
        ways.push(Silence { how: "parameters", toml });
    }
    ways
}

/// What `Explain` answers, as JSON: the alert, and, while its incident is remembered, what the detectors have counted of its source.
#[must_use]
pub fn document(alert: &Alert, found: Option<&IncidentReadings>) -> String {
    let detectors: Vec<Heard> = found.map(|found| found.readings.iter().map(Heard::from).collect()).unwrap_or_default();
    let source = alert.source.parse().ok().or(found.and_then(|found| found.source));
    let details = &alert.details;
    serde_json::json!({
        "schema": 1,
        "id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity.get(),
        "delivery": details.delivery.as_str(),
        "source": alert.source,
        "sources": details.sources,
        "summary": alert.summary,
        "why": details.why,
        "advice": details.advice,
        "is_remembered": found.is_some(),
        "detectors": detectors,
        "silenced_by": source.map(|source| silences(source, &detectors)).unwrap_or_default(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(detector: &'static str, parameter: &'static str, value: f64, threshold: f64) -> Reading {
        Reading { id: "D0", detector, what: "things", value, threshold, parameter, spoke: value >= threshold }
    }

    #[test]
    fn what_spoke_is_silenced_by_a_threshold_above_it_or_switched_off_where_there_is_none() {
        let readings =
            [reading("fast-scan", "threshold", 9.7, 9.2), reading("slow-scan", "ports", 12.0, 12.0), reading("sweep", "targets", 4.0, 7.0)];
        let heard: Vec<Heard> = readings.iter().map(Heard::from).collect();
        assert_eq!(heard.iter().map(|heard| heard.state).collect::<Vec<_>>(), ["spoke", "spoke", "nearly"]);
        let ways = silences("2001:db8::1:2".parse().unwrap(), &heard);
        assert_eq!(ways[0].toml, "[lists]\ntrusted = [\"2001:db8::/64\"]\n");
        assert_eq!(ways[2].toml, "[detect.fast-scan]\nthreshold = 9.8\n[detect.slow-scan]\nenabled = false\n");
        for way in ways {
            assert!(Config::parse(Path::new("-"), &way.toml).is_ok(), "{}", way.toml);
        }
    }
}
