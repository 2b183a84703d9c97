//! The tables of `firebell.toml`: each key once, with the form it is read by.

use super::{
    Bus, Config, Engine, Exports, History, Intake, Lists, Signatures,
    value::{
        Age, Count, FilePath, IgnoreEntry, Levels, List, Network, Part, Port, Ports, Prefix, Print as _, Score, SeverityEntry, SidPrefix,
        Time, Value as _, Viewer, Whole, Word, print_ignore, print_severity, quoted,
    },
};
use firebell_engine::{
    engine,
    parameters::{self, Preset},
};
use firebell_shared::severity::Severity;
use serde::Deserialize;
use std::fmt;

/// `preset`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PresetName {
    Desktop,
    Server,
    Honeynet,
    Psad,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Desktop => Self::Desktop,
            PresetName::Server => Self::Server,
            PresetName::Honeynet => Self::Honeynet,
            PresetName::Psad => Self::Psad,
        }
    }
}

const fn preset_name(preset: Preset) -> &'static str {
    match preset {
        Preset::Desktop => "desktop",
        Preset::Server => "server",
        Preset::Honeynet => "honeynet",
        Preset::Psad => "psad",
    }
}

/// What a file may say in one table, how it goes over what is there, and how what is in force is printed.
macro_rules! table {
    ($layer:ident for $target:ty { $($key:ident: $form:ty,)* }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        struct $layer {
            $($key: Option<$form>,)*
        }

        impl $layer {
            /// The keys, and the forms that they are read by.
            #[cfg(test)]
            const KEYS: &[(&str, &str)] = &[$((stringify!($key), stringify!($form))),*];

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
    source: super::Sources,
    files: List<FilePath, 16>,
    from: super::From,
    prefixes: List<Prefix, 64>,
    vouched_prefixes: List<Prefix, 64>,
    journalctl: FilePath,
    read_root_only: bool,
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
    folder: FilePath,
    max_alerts: Count<1_000_000>,
    max_age: Age,
} }

table! { ExportsLayer for Exports {
    journal: bool,
    json: bool,
    eve: bool,
    ecs: bool,
    psad_syslog: bool,
    prometheus: FilePath,
    folder: FilePath,
    min_severity: Severity,
    records_per_minute: Count<100_000>,
} }

table! { SignaturesLayer for Signatures {
    enabled: bool,
    shipped: bool,
    folders: List<FilePath, 16>,
    sid_prefix: SidPrefix,
    sid_severity: Severity,
} }

table! { FastScanLayer for parameters::FastScan {
    enabled: bool,
    half_life: Time,
    contact_weight: Score,
    threshold: Score,
    illegal_weight: Part,
    udp_weight: Part,
    icmp_weight: Part,
    sweep_weight: Part,
    sweep_destinations: Whole<0, 4096>,
    severity: Severity,
} }

table! { SlowScanLayer for parameters::SlowScan {
    enabled: bool,
    ports: Whole<2, 12>,
    within: Time,
    severity: Severity,
    near_severity: Severity,
} }

table! { IllegalFlagsLayer for parameters::IllegalFlags {
    enabled: bool,
    packets: Count<255>,
    severity: Severity,
    single_severity: Severity,
} }

table! { ReplyScanLayer for parameters::ReplyScan {
    enabled: bool,
    ports: Whole<2, 40>,
    within: Time,
    any_ports: Whole<2, 40>,
    any_within: Time,
} }

table! { SweepLayer for parameters::Sweep {
    enabled: bool,
    targets: Whole<2, 1000>,
    max_services: Count<1000>,
    severity: Severity,
    near_severity: Severity,
    errand_ports: List<Port, 64>,
} }

table! { DecoysLayer for parameters::Decoys {
    enabled: bool,
    probes: Count<255>,
    within: Time,
    forget: Time,
    severity: Severity,
} }

table! { DistributedLayer for parameters::Distributed {
    enabled: bool,
    ports: Count<65_535>,
    times_usual: Count<1000>,
    sources: Whole<2, 64>,
    within: Time,
    distinct_part: Part,
    largest_part: Part,
    alike_part: Part,
    in_step_part: Part,
    severity: Severity,
} }

table! { FloodLayer for parameters::Flood {
    enabled: bool,
    allowance: Count<1_000_000>,
    alarm: Count<1000>,
    busy: Count<1000>,
    learn: Time,
    calm: Time,
    severity: Severity,
} }

table! { BackscatterLayer for parameters::Backscatter {
    enabled: bool,
    answers: Count<1_000_000>,
    within: Time,
    severity: Severity,
} }

table! { InsistentTriesLayer for parameters::InsistentTries {
    enabled: bool,
    ports: List<Ports, 256>,
    attempts: Whole<2, 1_000_000>,
    within: Time,
    slow_attempts: Whole<2, 1_000_000>,
    slow_within: Time,
    severity: Severity,
} }

table! { ToolsLayer for parameters::Tools {
    enabled: bool,
    os_severity: Severity,
    discovery_severity: Severity,
    near_discovery_severity: Severity,
} }

table! { RollUpLayer for parameters::RollUp {
    enabled: bool,
    sources: Whole<2, 1000>,
} }

table! { EgressLayer for parameters::Egress {
    enabled: bool,
    worm_ports: List<Port, 16>,
    destinations: Whole<2, 40>,
    ports: Whole<2, 40>,
    within: Time,
    severity: Severity,
} }

table! { VisibilityLayer for parameters::Visibility {
    enabled: bool,
    gaps: Whole<2, 10_000>,
    period: Time,
    slack: Time,
    sources: Whole<1, 16>,
} }

table! { PacketCountLayer for parameters::PacketCount {
    enabled: bool,
    levels: Levels,
    ports: Count<1000>,
} }

/// The tables of the detectors: all of `[detect]`.
macro_rules! detectors {
    ($($detector:ident: $layer:ident,)*) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        struct DetectLayer {
            $($detector: $layer,)*
        }

        impl DetectLayer {
            #[cfg(test)]
            const TABLES: &[(&str, &[(&str, &str)])] = &[$((concat!("detect.", stringify!($detector)), $layer::KEYS)),*];

            fn apply(self, target: &mut parameters::Detect) {
                $(self.$detector.apply(&mut target.$detector);)*
            }

            fn print(target: &parameters::Detect, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let parameters::Detect { $($detector),* } = target;
                $(
                    writeln!(f, "\n[detect.{}]", stringify!($detector).replace('_', "-"))?;
                    $layer::print($detector, f)?;
                )*
                Ok(())
            }
        }
    };
}

detectors! {
    fast_scan: FastScanLayer,
    slow_scan: SlowScanLayer,
    illegal_flags: IllegalFlagsLayer,
    reply_scan: ReplyScanLayer,
    sweep: SweepLayer,
    decoys: DecoysLayer,
    distributed: DistributedLayer,
    flood: FloodLayer,
    backscatter: BackscatterLayer,
    insistent_tries: InsistentTriesLayer,
    tools: ToolsLayer,
    roll_up: RollUpLayer,
    egress: EgressLayer,
    visibility: VisibilityLayer,
    packet_count: PacketCountLayer,
}

/// What one file says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Layer {
    preset: Option<PresetName>,
    intake: IntakeLayer,
    bus: BusLayer,
    engine: EngineLayer,
    detect: DetectLayer,
    lists: ListsLayer,
    history: HistoryLayer,
    exports: ExportsLayer,
    signatures: SignaturesLayer,
    ignore: Option<List<IgnoreEntry, 256>>,
    severity: Option<List<SeverityEntry, 256>>,
}

impl Config {
    /// What the layers say, the last one over the others; a preset of any of them lies under all.
    pub(super) fn of(layers: Vec<Layer>) -> Self {
        let mut config = Self::default();
        if let Some(preset) = layers.iter().rev().find_map(|layer| layer.preset) {
            config.preset = preset.into();
            config.engine.parameters = config.preset.config();
        }
        for layer in layers {
            config.apply(layer);
        }
        config
    }

    fn apply(&mut self, layer: Layer) {
        let Layer { preset: _, intake, bus, engine, detect, lists, history, exports, signatures, ignore, severity } = layer;
        intake.apply(&mut self.intake);
        bus.apply(&mut self.bus);
        engine.apply(&mut self.engine.parameters);
        detect.apply(&mut self.engine.parameters.detect);
        lists.apply(&mut self.lists);
        history.apply(&mut self.history);
        exports.apply(&mut self.exports);
        signatures.apply(&mut self.signatures);
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
        let Self { preset, intake, bus, engine: Engine { parameters }, lists, history, exports, signatures } = self;
        writeln!(f, "preset = {}\n\n[intake]", quoted(preset_name(*preset)))?;
        IntakeLayer::print(intake, f)?;
        writeln!(f, "\n[bus]")?;
        BusLayer::print(bus, f)?;
        writeln!(f, "\n[engine]")?;
        EngineLayer::print(parameters, f)?;
        DetectLayer::print(&parameters.detect, f)?;
        writeln!(f, "\n[lists]")?;
        ListsLayer::print(lists, f)?;
        writeln!(f, "\n[history]")?;
        HistoryLayer::print(history, f)?;
        writeln!(f, "\n[exports]")?;
        ExportsLayer::print(exports, f)?;
        writeln!(f, "\n[signatures]")?;
        SignaturesLayer::print(signatures, f)?;
        lists.ignored.iter().try_for_each(|ignore| print_ignore(ignore, f))?;
        lists.severities.iter().try_for_each(|rule| print_severity(rule, f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const PAGE: &str = include_str!("../../../docs/man/firebell.toml.5");

    /// The text as it is shown, without the macros that begin a line.
    fn plain(text: &str) -> String {
        text.replace("\\(dq", "\"").replace("\\(aq", "'").replace("\\-", "-").replace("\\&", "")
    }

    /// The part of the page below this heading.
    fn section<'a>(page: &'a str, heading: &str) -> &'a str {
        let start = page.find(heading).unwrap_or_else(|| panic!("the page has no {heading}"));
        let rest = &page[start + heading.len()..];
        let end = [".Ss", ".Sh"].iter().filter_map(|macro_| rest.find(&format!("\n{macro_} "))).min();
        &rest[..end.unwrap_or(rest.len())]
    }

    fn entry<'a>(section: &'a str, key: &str) -> &'a str {
        let entries: Vec<_> = section.split("\n.It Ic ").skip(1).filter(|entry| entry.split([' ', '\n']).next() == Some(key)).collect();
        assert_eq!(entries.len(), 1, "{key} has an entry: {entries:?}");
        entries[0]
    }

    #[test]
    fn the_manual_names_every_key_with_its_default_and_its_range() {
        let page = plain(PAGE);
        let defaults = Config::default().to_string();
        let mut tables = vec![
            ("intake", IntakeLayer::KEYS),
            ("bus", BusLayer::KEYS),
            ("engine", EngineLayer::KEYS),
            ("lists", ListsLayer::KEYS),
            ("history", HistoryLayer::KEYS),
            ("exports", ExportsLayer::KEYS),
            ("signatures", SignaturesLayer::KEYS),
        ];
        tables.extend(DetectLayer::TABLES);
        let (mut keys, mut headings) = (0, 0);
        for (table, forms) in tables {
            let heading = format!("[{}]\n", table.replace('_', "-"));
            let section = section(&page, &format!(".Ss {heading}"));
            assert_eq!(section.matches("\n.It Ic ").count(), forms.len(), "{heading} names something else");
            let defaults = defaults.split_once(&heading).unwrap().1;
            let defaults = &defaults[..defaults.find("\n\n").unwrap_or(defaults.len())];
            for (key, form) in forms {
                let key = key.replace('_', "-");
                let entry = entry(section, &key);
                if let Some(default) = defaults.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))) {
                    let is_there = entry.starts_with(&format!("{key} = {default}\n")) || entry.contains(&format!("\nDefault: {default}."));
                    assert!(is_there, "{heading} {key} has the default {default}: {entry}");
                }
                let numbers: Vec<_> = form
                    .split(|c: char| !c.is_ascii_digit() && c != '_')
                    .filter(|part| part.starts_with(|c: char| c.is_ascii_digit()))
                    .collect();
                let numbers: Vec<_> = numbers.iter().map(|number| number.replace('_', "")).collect();
                let range = match (form.split('<').next().unwrap().trim(), numbers.as_slice()) {
                    ("Whole", [least, most]) => format!("{least} to {most}"),
                    ("Count", [most]) => format!("1 to {most}"),
                    ("List", [most]) => format!("At most {most} "),
                    ("Severity", []) => "1 to 5".to_owned(),
                    ("Time", []) => "1s to 30d".to_owned(),
                    ("Age", []) => "1s to 3650d".to_owned(),
                    ("FilePath", []) => "An absolute path".to_owned(),
                    ("Score", []) => "0.01 to 1000".to_owned(),
                    ("Part", []) => "0 to 10".to_owned(),
                    ("bool", []) => "true or false".to_owned(),
                    ("Levels", []) => "Five numbers".to_owned(),
                    ("SidPrefix", []) => "At most 32 characters".to_owned(),
                    ("super::Sources", []) => "\"auto\", \"kmsg\", \"journal\" or \"file\", or a list".to_owned(),
                    ("super::From", []) => "\"start\" or \"end\"".to_owned(),
                    other => panic!("no range is known of {other:?}"),
                };
                assert!(entry.contains(&range), "{heading} {key}: {range}: {entry}");
                keys += 1;
            }
            headings += 1;
        }
        for heading in ["[[ignore]]", "[[severity]]"] {
            let section = section(&page, &format!(".Ss {heading}\n"));
            for key in ["source", "protocol", "ports"].iter().chain(if heading == "[[ignore]]" {
                &["interface", "prefix"]
            } else {
                &["minimum", "fixed"]
            }) {
                entry(section, key);
            }
        }
        entry(section(&page, ".Sh PRESETS\n"), "preset");
        assert_eq!(
            (keys, headings),
            (defaults.matches(" = ").count() - 1 + 5, 22),
            "unverified-max-severity, scanner-files, prometheus and the folders of history and exports have no default"
        );
    }

    #[test]
    fn every_example_of_the_manual_is_valid() {
        let examples: Vec<_> =
            PAGE.split(".Bd -literal").skip(1).map(|rest| rest.split_once('\n').unwrap().1.split(".Ed").next().unwrap()).collect();
        for example in &examples {
            if example.contains("[[scanner]]") {
                crate::lists::scanners(Path::new("example.toml"), example).unwrap();
            } else {
                Config::parse(Path::new("example.toml"), example).unwrap();
            }
        }
        assert_eq!(examples.len(), 4);
    }
}
