//! psad.conf: its variables, and the configuration that they become.

use super::{
    addresses, lines, quoted, quoted_list,
    settings::{self, Fate},
    variables::{Variables, is_name},
};
use firebell_shared::text::safe;
use std::{collections::BTreeMap, fmt::Write as _};

/// The longest value that is told, bytes.
const MAX_VALUE: usize = 200;
/// Ports, networks and words that one key of ours may have.
const MAX_LIST: usize = 64;
/// Log files that the collector follows at most.
const MAX_PREFIX: usize = 127;
/// Variables that are kept; psad.conf has 211.
const MAX_VARIABLES: usize = 4096;
/// Where the collector looks for log files by itself.
const USUAL_LOGS: [&str; 3] = ["/var/log/kern.log", "/var/log/messages", "/var/log/syslog"];
/// What psad calls the protocols that our configuration has names for.
const PROTOCOLS: [&str; 7] = ["tcp", "udp", "icmp", "icmpv6", "udplite", "esp", "ah"];

/// The variables of a file; of one that is given twice the last, as psad has it.
#[derive(Debug, Default)]
pub(super) struct Conf {
    values: BTreeMap<String, (usize, String)>,
    /// Lines that are no `NAME value;`.
    pub(super) not_understood: Vec<usize>,
}

/// What became of one variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: String,
    /// None: psad has no such variable.
    pub(super) fate: Option<Fate>,
    /// Whether it says something else than the file that psad comes with.
    pub(super) is_changed: bool,
    /// For people.
    pub(super) answer: String,
}

/// A configuration, and what became of each variable.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub(super) toml: String,
    pub(super) told: Vec<Told>,
}

impl Conf {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut conf = Self::default();
        for (number, line) in lines::logical(bytes) {
            let line = String::from_utf8_lossy(&line);
            match line.split_once(|c: char| c.is_ascii_whitespace()).and_then(|(name, rest)| Some((name, rest.split_once(';')?.0))) {
                Some((name, value)) if is_name(name) && conf.values.len() < MAX_VARIABLES => {
                    conf.values.insert(name.to_owned(), (number, value.trim().to_owned()));
                }
                _ => conf.not_understood.push(number),
            }
        }
        conf
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(_, value)| value.as_str())
    }

    /// The entries of a list; none where psad has `NONE`.
    fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let value = self.get(name).filter(|value| *value != "NONE").unwrap_or_default();
        value.split(',').map(str::trim).filter(|entry| !entry.is_empty())
    }

    /// Makes our configuration of it; `with_levels`: severity by the number of packets, as psad has it.
    pub(super) fn convert(&self, variables: &Variables, with_levels: bool) -> Converted {
        let mut maker = Maker { conf: self, variables, out: String::new(), answers: BTreeMap::new() };
        if with_levels {
            maker.levels();
        }
        maker.intake();
        maker.engine();
        maker.signatures();
        maker.ignored();
        let Maker { out: toml, mut answers, .. } = maker;
        let told = self.values.iter().map(|(name, (line, value))| {
            let row = settings::row(name);
            let default = row.and_then(|(_, default)| default);
            Told {
                line: *line,
                name: name.clone(),
                value: safe(value.as_bytes(), MAX_VALUE),
                fate: row.map(|(row, _)| row.fate),
                is_changed: row.is_none() || default.is_some_and(|default| default != value),
                answer: match (answers.remove(name.as_str()), row) {
                    (Some(answer), _) => answer,
                    (None, Some((row, _))) => row.answer.to_owned(),
                    (None, None) => "psad has no such variable".to_owned(),
                },
            }
        });
        Converted { toml, told: told.collect() }
    }
}

/// Writes the configuration, table by table.
struct Maker<'a> {
    conf: &'a Conf,
    variables: &'a Variables,
    out: String,
    /// What was made of a variable, where its row does not say all.
    answers: BTreeMap<&'static str, String>,
}

impl Maker<'_> {
    fn table(&mut self, head: &str, body: &str) {
        let gap = if self.out.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail, neither here nor below.
        let _ = write!(self.out, "{gap}{head}\n{body}");
    }

    fn answer(&mut self, name: &'static str, answer: String) {
        self.answers.insert(name, answer);
    }

    /// `DANGER_LEVEL1` to `5` and `PORT_RANGE_SCAN_THRESHOLD`.
    fn levels(&mut self) {
        let names = ["DANGER_LEVEL1", "DANGER_LEVEL2", "DANGER_LEVEL3", "DANGER_LEVEL4", "DANGER_LEVEL5"];
        let levels: Vec<u32> = names.iter().filter_map(|name| self.conf.get(name)?.parse().ok()).collect();
        let is_good = levels.len() == names.len() && levels.is_sorted_by(|a, b| a < b) && levels.first() > Some(&0);
        let mut body = String::new();
        if is_good {
            let _ = writeln!(body, "levels = {levels:?}");
        }
        // psad has the distance of the lowest port from the highest, we have how many.
        let range = self.conf.get("PORT_RANGE_SCAN_THRESHOLD").and_then(|range| range.parse::<u32>().ok()).filter(|range| *range < 1_000);
        if let Some(range) = range {
            let _ = writeln!(body, "ports = {}", range + 1);
        }
        for name in names {
            let what = if is_good {
                "`levels` in `[detect.packet-count]`"
            } else {
                "left out: five numbers are needed, each larger than the one before"
            };
            self.answer(name, what.to_owned());
        }
        let what = match range {
            Some(range) => format!("`ports = {}` in `[detect.packet-count]`", range + 1),
            None => "left out: not a number below 1,000".to_owned(),
        };
        self.answer("PORT_RANGE_SCAN_THRESHOLD", what);
        self.table("preset = \"psad\"", &format!("\n[detect.packet-count]\n{body}"));
    }

    /// `IPT_SYSLOG_FILE`.
    fn intake(&mut self) {
        let Some(file) = self.conf.get("IPT_SYSLOG_FILE").filter(|_| self.conf.get("ENABLE_SYSLOG_FILE") == Some("Y")) else { return };
        if USUAL_LOGS.contains(&file) {
            return;
        }
        let file = safe(file.as_bytes(), MAX_VALUE);
        if file.starts_with('/') && !file.contains('$') {
            self.table("[intake]", &format!("source = \"file\"\nfiles = {}\n", quoted_list([file.as_str()])));
            self.answer(
                "IPT_SYSLOG_FILE",
                "`files` in `[intake]`. Where the kernel log of this machine is meant, leave it out: any user can write to a file."
                    .to_owned(),
            );
        } else {
            self.answer("IPT_SYSLOG_FILE", "left out: not an absolute path".to_owned());
        }
    }

    /// `HOME_NET` and `SCAN_TIMEOUT`.
    fn engine(&mut self) {
        let mut body = String::new();
        if let Some(text) = self.conf.get("HOME_NET") {
            match self.variables.expand(text).and_then(|text| addresses::Addresses::parse(&text)) {
                Ok(home) if home.is_any() => {}
                Ok(home) => match home.plain() {
                    Some(networks) => {
                        let _ = writeln!(body, "home = {}", quoted_list(networks.iter().map(String::as_str)));
                        self.answer("HOME_NET", "`home` in `[engine]`".to_owned());
                    }
                    None => self.answer("HOME_NET", "left out: home is a list of networks, without exceptions".to_owned()),
                },
                Err(refusal) => self.answer("HOME_NET", format!("left out: {refusal}")),
            }
        }
        let timeout =
            self.conf.get("SCAN_TIMEOUT").filter(|timeout| *timeout != "3600" && self.conf.get("ENABLE_PERSISTENCE") != Some("Y"));
        if let Some(timeout) = timeout {
            match timeout.parse::<u32>() {
                Ok(seconds @ 1..=2_592_000) => {
                    let _ = writeln!(body, "idle-close = \"{seconds}s\"");
                    self.answer("SCAN_TIMEOUT", "`idle-close` in `[engine]`".to_owned());
                }
                _ => self.answer("SCAN_TIMEOUT", "left out: not a number of seconds up to 30 days".to_owned()),
            }
        }
        if !body.is_empty() {
            self.table("[engine]", &body);
        }
    }

    /// `SNORT_SID_STR`.
    fn signatures(&mut self) {
        let Some(text) = self.conf.get("SNORT_SID_STR").filter(|text| *text != "SID") else { return };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b':' | b' '));
        if is_plain && (1..=32).contains(&text.len()) {
            self.table("[signatures]", &format!("sid-prefix = {}\n", quoted(text)));
        } else {
            self.answer("SNORT_SID_STR", "left out: a pattern, or longer than 32 characters".to_owned());
        }
    }

    /// `IGNORE_PORTS`, `IGNORE_PROTOCOLS`, `IGNORE_INTERFACES` and `IGNORE_LOG_PREFIXES`.
    fn ignored(&mut self) {
        let conf = self.conf;
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        let mut left_out = Vec::new();
        for entry in conf.list("IGNORE_PORTS") {
            let made = entry.split_once('/').and_then(|(protocol, ports)| {
                let list = match protocol.trim() {
                    name if name.eq_ignore_ascii_case("tcp") => &mut tcp,
                    name if name.eq_ignore_ascii_case("udp") => &mut udp,
                    _ => return None,
                };
                list.push(super::lists::ports_of(ports)?);
                Some(())
            });
            if made.is_none() {
                left_out.push(entry);
            }
        }
        for (protocol, ports) in [("tcp", tcp), ("udp", udp)] {
            for ports in ports.chunks(MAX_LIST) {
                self.table("[[ignore]]", &format!("protocol = \"{protocol}\"\nports = [{}]\n", ports.join(", ")));
            }
        }
        self.say_left_out("IGNORE_PORTS", &left_out, "not tcp or udp with a port or a range");
        let mut left_out = Vec::new();
        for entry in conf.list("IGNORE_PROTOCOLS") {
            let name = entry.to_ascii_lowercase().replace("ipv6-icmp", "icmpv6").replace("icmp6", "icmpv6");
            match entry.parse::<u8>() {
                Ok(number) => self.table("[[ignore]]", &format!("protocol = {number}\n")),
                Err(_) if PROTOCOLS.contains(&name.as_str()) => self.table("[[ignore]]", &format!("protocol = {}\n", quoted(&name))),
                Err(_) => left_out.push(entry),
            }
        }
        self.say_left_out("IGNORE_PROTOCOLS", &left_out, "firebell has no such name; give the number");
        let mut left_out = Vec::new();
        for entry in conf.list("IGNORE_INTERFACES") {
            // Linux: IFNAMSIZ is 16 with the final zero.
            let is_name =
                entry.len() <= 15 && entry.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'"' | b'\\' | b'+'));
            if is_name {
                self.table("[[ignore]]", &format!("interface = {}\n", quoted(entry)));
            } else {
                left_out.push(entry);
            }
        }
        self.say_left_out("IGNORE_INTERFACES", &left_out, "no name of an interface");
        let patterns = conf.get("IGNORE_LOG_PREFIXES").filter(|value| *value != "NONE").unwrap_or_default();
        let mut left_out = Vec::new();
        for entry in patterns.split('|').filter(|entry| !entry.trim().is_empty()) {
            let text = entry.trim();
            let is_plain = text.len() <= MAX_PREFIX && !text.contains(['.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '^', '$', '\\']);
            if is_plain {
                self.table("[[ignore]]", &format!("prefix = {}\n", quoted(&safe(text.as_bytes(), MAX_PREFIX))));
            } else {
                left_out.push(text);
            }
        }
        if !patterns.is_empty() && left_out.is_empty() {
            self.answer(
                "IGNORE_LOG_PREFIXES",
                "`[[ignore]]` tables with `prefix`; complete it where the log prefix is longer, since it is compared as a whole".to_owned(),
            );
        }
        self.say_left_out("IGNORE_LOG_PREFIXES", &left_out, "a pattern");
    }

    /// What the row of the variable promises holds, but for these.
    fn say_left_out(&mut self, name: &'static str, entries: &[&str], why: &str) {
        if !entries.is_empty() {
            self.answer(name, format!("`[[ignore]]` tables, without {}: {why}", safe(entries.join(", ").as_bytes(), MAX_VALUE)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebell_collector::config::Config;
    use std::path::Path;

    fn convert(text: &str, with_levels: bool) -> Converted {
        let mut variables = Variables::of_psad();
        variables.read_psad_conf(text.as_bytes());
        let converted = Conf::read(text.as_bytes()).convert(&variables, with_levels);
        Config::parse(Path::new("psad.toml"), &converted.toml).unwrap();
        converted
    }

    fn answer<'a>(converted: &'a Converted, name: &str) -> &'a Told {
        converted.told.iter().find(|told| told.name == name).unwrap()
    }

    #[test]
    fn what_psad_comes_with_becomes_nothing() {
        let defaults: String = settings::ROWS
            .iter()
            .flat_map(settings::Row::variables)
            .map(|(name, value)| format!("{name} {};\n", value.unwrap_or("/x")))
            .collect();
        let converted = convert(&defaults, false);
        assert_eq!(converted.toml, "");
        assert!(converted.told.len() > 200 && converted.told.iter().all(|told| !told.is_changed && told.fate.is_some()));
    }

    #[test]
    fn what_was_changed_becomes_keys() {
        let text = "HOME_NET 192.168.7.0/24, 10.0.0.0/255.0.0.0; ### ours\nIGNORE_PORTS tcp/53, udp/5000 - 6001;\nIGNORE_PROTOCOLS 47, ESP;\n\
            IGNORE_INTERFACES eth1;\nIGNORE_LOG_PREFIXES INPUT printer;\nSCAN_TIMEOUT 7200;\nSNORT_SID_STR RULE;\nENABLE_SYSLOG_FILE Y;\n\
            IPT_SYSLOG_FILE /var/log/fw.log;\nDANGER_LEVEL1 2;\nDANGER_LEVEL2 3;\nDANGER_LEVEL3 4;\nDANGER_LEVEL4 5;\nDANGER_LEVEL5 6;\n\
            PORT_RANGE_SCAN_THRESHOLD 4;\n";
        let converted = convert(text, true);
        let expected = "preset = \"psad\"\n\n[detect.packet-count]\nlevels = [2, 3, 4, 5, 6]\nports = 5\n\n\
            [intake]\nsource = \"file\"\nfiles = [\"/var/log/fw.log\"]\n\n\
            [engine]\nhome = [\"192.168.7.0/24\", \"10.0.0.0/8\"]\nidle-close = \"7200s\"\n\n[signatures]\nsid-prefix = \"RULE\"\n\n\
            [[ignore]]\nprotocol = \"tcp\"\nports = [53]\n\n[[ignore]]\nprotocol = \"udp\"\nports = [\"5000-6001\"]\n\n\
            [[ignore]]\nprotocol = 47\n\n[[ignore]]\nprotocol = \"esp\"\n\n[[ignore]]\ninterface = \"eth1\"\n\n[[ignore]]\nprefix = \"INPUT printer\"\n";
        assert_eq!(converted.toml, expected);
        assert!(!convert(text, false).toml.contains("packet-count"));
    }

    #[test]
    fn what_cannot_be_had_is_told_with_the_reason() {
        let text = "HOME_NET !10.0.0.0/8;\nIGNORE_PORTS tcp/1, icmp/3;\nIGNORE_PROTOCOLS igmp, 300;\nIGNORE_INTERFACES a\"b, waytoolongforaname;\n\
            IGNORE_LOG_PREFIXES FW.*x;\nSCAN_TIMEOUT soon;\nSNORT_SID_STR S.D;\nENABLE_SYSLOG_FILE Y;\nIPT_SYSLOG_FILE $LOG/fw;\n\
            DANGER_LEVEL1 9;\nDANGER_LEVEL2 3;\nPORT_RANGE_SCAN_THRESHOLD x;\nENABLE_AUTO_IDS Y;\nNEW 1;\nbroken\n";
        let converted = convert(text, true);
        assert_eq!(converted.toml, "preset = \"psad\"\n\n[detect.packet-count]\n\n[[ignore]]\nprotocol = \"tcp\"\nports = [1]\n");
        for (name, part) in [
            ("HOME_NET", "without exceptions"),
            ("IGNORE_PORTS", "without icmp/3"),
            ("IGNORE_PROTOCOLS", "without igmp, 300"),
            ("IGNORE_INTERFACES", "waytoolongforaname"),
            ("IGNORE_LOG_PREFIXES", "FW.*x: a pattern"),
            ("SCAN_TIMEOUT", "not a number"),
            ("SNORT_SID_STR", "a pattern"),
            ("IPT_SYSLOG_FILE", "not an absolute path"),
            ("DANGER_LEVEL1", "five numbers"),
            ("PORT_RANGE_SCAN_THRESHOLD", "not a number"),
            ("ENABLE_AUTO_IDS", "blocks nobody"),
            ("NEW", "no such variable"),
        ] {
            assert!(answer(&converted, name).answer.contains(part), "{name}: {}", answer(&converted, name).answer);
        }
        assert_eq!(Conf::read(text.as_bytes()).not_understood, [15]);
    }

    #[test]
    fn a_hostile_file_makes_no_configuration_that_is_wrong() {
        let text = "HOME_NET $HOME_NET;\nIGNORE_INTERFACES \u{1b}[1m, x\\;\nIGNORE_LOG_PREFIXES a\"]\u{202e}b|\u{7}c;\nSNORT_SID_STR \"\"\"x;\n\
            ENABLE_SYSLOG_FILE Y;\nIPT_SYSLOG_FILE /x\"\ny = 1;\n";
        let converted = convert(text, false);
        assert!(converted.told.iter().all(|told| !told.value.contains(['\u{1b}', '\u{202e}', '\u{7}'])));
    }
}
