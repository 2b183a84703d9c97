//! The tables of `firebell.toml`: each key once, with the form it is read by.

use super::{
    Bus, Config, Engine, History, Intake, Lists,
    value::{
        Count, FilePath, IgnoreEntry, List, Network, Prefix, Print as _, Score, SeverityEntry, Time, Value as _, Viewer, Word,
        print_ignore, print_severity,
    },
};
use firebell_engine::engine;
use firebell_shared::severity::Severity;
use serde::Deserialize;
use std::fmt;

/// What a file may say in one table, how it goes over what is there, and how what is in force is printed.
macro_rules! table {
    ($layer:ident for $target:ty { $($key:ident: $form:ty,)* }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        struct $layer {
            $($key: Option<$form>,)*
        }

        impl $layer {
            fn apply(self, target: &mut $target) {
                $(if let Some(value) = self.$key {
                    target.$key = value.value();
                })*
            }

            fn print(target: &$target, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(if let Some(text) = target.$key.print() {
                    writeln!(f, "{} = {text}", stringify!($key).replace('_', "-"))?;
                })*
                Ok(())
            }
        }
    };
}

table! { IntakeLayer for Intake {
    source: super::Source,
    files: List<FilePath, 16>,
    from: super::From,
    prefixes: List<Prefix, 64>,
    vouched_prefixes: List<Prefix, 64>,
} }

table! { BusLayer for Bus {
    viewers: List<Viewer, 256>,
    groups: List<String, 64>,
    broadcast: bool,
} }

table! { EngineLayer for engine::Config {
    max_sources: Count<1_000_000>,
    max_near_sources: Count<100_000>,
    max_incidents: Count<100_000>,
    half_life: Time,
    contact_weight: Score,
    scan_threshold: Score,
    illegal_packets: Count<255>,
    broad_contacts: Count<1_000_000>,
    critical_contacts: Count<1_000_000>,
    update_every: Time,
    settle: Time,
    idle_close: Time,
    reopen_within: Time,
    unverified_max_severity: Severity,
    accepted_words: List<Word, 32>,
    home: List<Network, 64>,
    incidents_per_minute: Count<1000>,
} }

table! { ListsLayer for Lists {
    trusted: List<Network, 1024>,
    reputation_files: List<FilePath, 16>,
    scanner_files: List<FilePath, 16>,
} }

table! { HistoryLayer for History {
    max_alerts: Count<1_000_000>,
} }

/// What one file says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Layer {
    intake: IntakeLayer,
    bus: BusLayer,
    engine: EngineLayer,
    lists: ListsLayer,
    history: HistoryLayer,
    ignore: Option<List<IgnoreEntry, 256>>,
    severity: Option<List<SeverityEntry, 256>>,
}

impl Config {
    pub(super) fn apply(&mut self, layer: Layer) {
        let Layer { intake, bus, engine, lists, history, ignore, severity } = layer;
        intake.apply(&mut self.intake);
        bus.apply(&mut self.bus);
        engine.apply(&mut self.engine.parameters);
        lists.apply(&mut self.lists);
        history.apply(&mut self.history);
        if let Some(ignore) = ignore {
            self.lists.ignored = ignore.value();
        }
        if let Some(severity) = severity {
            self.lists.severities = severity.value();
        }
    }
}

/// What is in force, as a configuration file that says the same.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { intake, bus, engine: Engine { parameters }, lists, history } = self;
        writeln!(f, "[intake]")?;
        IntakeLayer::print(intake, f)?;
        writeln!(f, "\n[bus]")?;
        BusLayer::print(bus, f)?;
        writeln!(f, "\n[engine]")?;
        EngineLayer::print(parameters, f)?;
        writeln!(f, "\n[lists]")?;
        ListsLayer::print(lists, f)?;
        writeln!(f, "\n[history]")?;
        HistoryLayer::print(history, f)?;
        lists.ignored.iter().try_for_each(|ignore| print_ignore(ignore, f))?;
        lists.severities.iter().try_for_each(|rule| print_severity(rule, f))
    }
}
