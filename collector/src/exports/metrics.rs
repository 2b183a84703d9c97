//! Counters as a text file for Prometheus, by way of node_exporter's textfile collector.
//!
//! Source: "Exposition formats: Text-based format" of Prometheus, and its rules for names. Labels are words and numbers that we
//! know, and the names of intakes, which the administrator gives: nobody from outside can make a series.

use crate::{bus::Value, health::State};
use firebell_shared::{
    alert::{Alert, Phase},
    kind::{KINDS, is_known},
};
use std::{collections::BTreeMap, fmt::Write as _};

/// A family of one value: key of `Status()`, name, type, help.
type Family = (&'static str, &'static str, &'static str, &'static str);

/// Those of the whole.
const SINGLE: &[Family] = &[
    ("packets_trusted", "firebell_packets_trusted_total", COUNTER, "Packets of trusted sources."),
    ("packets_ignored", "firebell_packets_ignored_total", COUNTER, "Packets that the configuration ignores."),
    ("lines_skipped", "firebell_lines_skipped_total", COUNTER, "Lines left out because the collector ended with them."),
    ("alerts", "firebell_alert_revisions_total", COUNTER, "Revisions of incidents, updates included."),
    ("incidents_open", "firebell_incidents_open", GAUGE, "Incidents that go on."),
    ("incidents_evicted", "firebell_incidents_evicted_total", COUNTER, "Incidents that made room for others."),
    ("sources", "firebell_sources", GAUGE, "Sources that are remembered."),
    ("sources_evicted", "firebell_sources_evicted_total", COUNTER, "Sources that made room for others."),
    ("rules", "firebell_rules", GAUGE, "Rules in force."),
    ("rule_hits", "firebell_rule_hits_total", COUNTER, "Packets that fitted a rule."),
    ("history_stored", "firebell_history_incidents", GAUGE, "Incidents in the history."),
    ("history_failures", "firebell_history_failures_total", COUNTER, "Times that the history could not be written."),
    ("history_dropped", "firebell_history_dropped_total", COUNTER, "Incidents that never got into the history."),
    ("exports_written", "firebell_exports_written_total", COUNTER, "Records given to other tools."),
    ("exports_failed", "firebell_exports_failed_total", COUNTER, "Records that could not be given to other tools."),
    ("exports_lost", "firebell_exports_lost_total", COUNTER, "Alerts that found the queue to the exports full."),
    ("exports_suppressed", "firebell_exports_suppressed_total", COUNTER, "Alerts beyond records-per-minute."),
];

/// Those of each intake.
const EACH: &[Family] = &[
    ("each_readable", "firebell_intake_readable", GAUGE, "Whether the intake can be read."),
    ("each_lines", "firebell_intake_lines_total", COUNTER, "Lines read."),
    ("each_packets", "firebell_intake_packets_total", COUNTER, "Packets judged."),
    ("each_packets_copied", "firebell_intake_packets_copied_total", COUNTER, "Packets that another intake had shown."),
    ("each_packets_unverified", "firebell_intake_packets_unverified_total", COUNTER, "Packets that the kernel does not vouch for."),
    ("each_packets_other_prefix", "firebell_intake_packets_other_prefix_total", COUNTER, "Packets of prefixes that are not read."),
    ("each_lost", "firebell_intake_records_lost_total", COUNTER, "Records lost before they were read."),
    ("each_too_long", "firebell_intake_lines_too_long_total", COUNTER, "Lines too long to be looked at."),
    ("each_not_netfilter", "firebell_intake_lines_other_total", COUNTER, "Lines that are not the firewall's."),
    ("each_malformed", "firebell_intake_lines_malformed_total", COUNTER, "Lines of the firewall that could not be read."),
];

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
/// Every state of the property `Health`.
const STATES: [State; 3] = [State::Ok, State::Degraded, State::Blind];

/// What is counted here, from alert to alert.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Incidents that began, by kind and severity.
    incidents: BTreeMap<(&'static str, u8), u64>,
}

impl Metrics {
    /// Counts an alert.
    pub(super) fn note(&mut self, alert: &Alert) {
        if let Some(kind) =
            KINDS.iter().find(|kind| is_known(kind) && **kind == alert.kind).filter(|_| alert.details.phase == Phase::Opened)
        {
            *self.incidents.entry((kind, alert.severity.get())).or_default() += 1;
        }
    }

    /// The file. `status` is what `Status()` says; `health` how well we see.
    pub(super) fn text(&self, status: &[(&'static str, Value)], health: State) -> String {
        let mut out = String::with_capacity(8 << 10);
        let value = |wanted: &str| status.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value);
        head(&mut out, "firebell_build_info", GAUGE, "The version that runs.");
        line(&mut out, "firebell_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        head(&mut out, "firebell_health", GAUGE, "How well firebell sees: 1 for the state it is in.");
        STATES.iter().for_each(|state| line(&mut out, "firebell_health", &[("state", &state.to_string())], u64::from(*state == health)));
        if !self.incidents.is_empty() {
            head(
                &mut out,
                "firebell_incidents_total",
                COUNTER,
                "Incidents that began since the start, with the severity that they began with.",
            );
        }
        for ((kind, severity), count) in &self.incidents {
            line(&mut out, "firebell_incidents_total", &[("kind", kind), ("severity", &severity.to_string())], *count);
        }
        for (key, name, of, help) in SINGLE {
            if let Some(Value::Number(number)) = value(key) {
                head(&mut out, name, of, help);
                line(&mut out, name, &[], *number);
            }
        }
        let Some(Value::List(intakes)) = value("intakes") else { return out };
        for (key, name, of, help) in EACH {
            if let Some(Value::Numbers(numbers)) = value(key) {
                head(&mut out, name, of, help);
                for (intake, number) in intakes.iter().zip(numbers) {
                    line(&mut out, name, &[("intake", intake)], *number);
                }
            }
        }
        out
    }
}

// Writing to a string does not fail.
fn head(out: &mut String, name: &str, of: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {of}");
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")))
        .collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(out, "{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::tests::{hostile, sample};
    use firebell_shared::alert::Details;

    fn text() -> String {
        let mut metrics = Metrics::default();
        for alert in [sample(), sample(), hostile(), Alert { kind: "invented".into(), ..sample() }] {
            metrics.note(&alert);
        }
        metrics.note(&Alert { details: Details { phase: Phase::Updated, ..sample().details }, ..sample() });
        let status = [
            ("intakes", Value::List(vec!["/var/log/a \"b\" \\ \n.log".into(), "kernel log".into()])),
            ("each_lines", Value::Numbers(vec![5, 7])),
            ("each_readable", Value::Numbers(vec![1, 0])),
            ("incidents_open", Value::Number(3)),
        ];
        metrics.text(&status, State::Degraded)
    }

    #[test]
    fn counters_have_a_type_and_a_help_and_labels_are_escaped() {
        let text = text();
        for line in [
            "# TYPE firebell_intake_lines_total counter",
            "firebell_intake_lines_total{intake=\"/var/log/a \\\"b\\\" \\\\ \\n.log\"} 5",
            "firebell_intake_lines_total{intake=\"kernel log\"} 7",
            "firebell_incidents_total{kind=\"syn-scan\",severity=\"3\"} 2",
            "firebell_incidents_open 3",
            "firebell_health{state=\"degraded\"} 1",
            "firebell_health{state=\"ok\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(!text.contains("invented"), "{text}");
    }

    #[test]
    fn promtool_has_nothing_to_say_against_it() {
        use std::{
            io::Write as _,
            process::{Command, Stdio},
        };
        let Ok(mut promtool) =
            Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
        else {
            // Not by eprintln!: the test harness would keep that to itself.
            writeln!(std::io::stderr(), "left out: no promtool (Debian: prometheus)").unwrap();
            return;
        };
        promtool.stdin.take().unwrap().write_all(text().as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{}", text());
    }

    #[test]
    fn every_counter_is_named_as_one_and_every_key_is_one_of_status() {
        for (_, name, of, _) in SINGLE.iter().chain(EACH) {
            assert_eq!(name.ends_with("_total"), *of == COUNTER, "{name}");
        }
    }
}
