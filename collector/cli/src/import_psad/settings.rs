//! What becomes of each variable of psad.conf (psad 2.4.6, `required_vars` and the file it comes with).

use std::fmt;

/// What firebell has in the place of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// A key of firebell.toml, or a file that is converted.
    Converted,
    /// Something of the agent's, which each user chooses for themselves.
    Agent,
    /// Nothing is to be set: it is so in any case.
    Always,
    /// Nothing, and why.
    None,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converted => "converted",
            Self::Agent => "yours to choose",
            Self::Always => "nothing to set",
            Self::None => "no counterpart",
        })
    }
}

/// Variables that share an answer.
#[derive(Debug)]
pub(super) struct Row {
    /// `NAME=VALUE`, with psad's default, or `NAME` where a changed value means nothing to firebell, as a path of psad's own.
    pub(super) variables: &'static [&'static str],
    pub(super) fate: Fate,
    /// For people, and for the table in the documentation: Markdown.
    pub(super) answer: &'static str,
}

impl Row {
    /// Names and psad's defaults.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        self.variables.iter().map(|variable| match variable.split_once('=') {
            Some((name, default)) => (name, Some(default)),
            None => (*variable, None),
        })
    }
}

/// The row of a variable.
pub(super) fn row(name: &str) -> Option<(&'static Row, Option<&'static str>)> {
    ROWS.iter().find_map(|row| row.variables().find(|(known, _)| *known == name).map(|(_, default)| (row, default)))
}

/// Every variable, by what it is about.
pub(super) static ROWS: &[Row] = &[
    Row {
        variables: &["HOME_NET=any"],
        fate: Fate::Converted,
        answer: "`home` in `[engine]`. Seldom needed: private networks are home, and so is each address that packets come for.",
    },
    Row {
        variables: &["IGNORE_PORTS=NONE", "IGNORE_PROTOCOLS=NONE", "IGNORE_INTERFACES=NONE"],
        fate: Fate::Converted,
        answer: "`[[ignore]]` tables with `protocol`, `ports` and `interface`.",
    },
    Row {
        variables: &["IGNORE_LOG_PREFIXES=NONE"],
        fate: Fate::Converted,
        answer: "`[[ignore]]` tables with `prefix`. psad looks for a regular expression anywhere in the prefix; firebell compares whole prefixes, so a pattern is not taken over.",
    },
    Row {
        variables: &["SNORT_SID_STR=SID"],
        fate: Fate::Converted,
        answer: "`sid-prefix` in `[signatures]`: a number behind this text in a log prefix, as fwsnort writes it.",
    },
    Row {
        variables: &["SCAN_TIMEOUT=3600"],
        fate: Fate::Converted,
        answer: "`idle-close` in `[engine]`: an incident ends after this much quiet. The detectors have times of their own.",
    },
    Row {
        variables: &["ENABLE_SYSLOG_FILE=Y", "IPT_SYSLOG_FILE=/var/log/messages"],
        fate: Fate::Converted,
        answer: "`source = \"file\"` and `files` in `[intake]`, for a file in an unusual place only: the kernel log and the journal, which firebell reads by itself, tell what the kernel wrote from what a user wrote.",
    },
    Row {
        variables: &[
            "DANGER_LEVEL1=5",
            "DANGER_LEVEL2=15",
            "DANGER_LEVEL3=150",
            "DANGER_LEVEL4=1500",
            "DANGER_LEVEL5=10000",
            "PORT_RANGE_SCAN_THRESHOLD=1",
        ],
        fate: Fate::Converted,
        answer: "With `--levels`: `preset = \"psad\"` and `levels` and `ports` in `[detect.packet-count]`, severity by the number of packets as psad has it. Without it by what the packets are, which misses less and alarms less.",
    },
    Row {
        variables: &["SIGS_FILE", "SNORT_RULES_DIR", "FWSNORT_RULES_DIR", "SNORT_RULE_DL_FILE"],
        fate: Fate::Converted,
        answer: "The files themselves become rule files in `rules.d`; `firebell rules import-psad FILE` does it for one file. firebell's own rules are in force besides.",
    },
    Row {
        variables: &["AUTO_DL_FILE"],
        fate: Fate::Converted,
        answer: "The file itself becomes `[[severity]]` tables; level 0 is to ignore.",
    },
    Row {
        variables: &[
            "EXTERNAL_NET=any",
            "HTTP_SERVERS=$HOME_NET",
            "SMTP_SERVERS=$HOME_NET",
            "DNS_SERVERS=$HOME_NET",
            "SQL_SERVERS=$HOME_NET",
            "TELNET_SERVERS=$HOME_NET",
            "AIM_SERVERS",
            "HTTP_PORTS=80",
            "SHELLCODE_PORTS=!80",
            "ORACLE_PORTS=1521",
        ],
        fate: Fate::Converted,
        answer: "Stand in the rules that are converted. In firebell's rules `$home`, `$lan` and `$internet` are learned.",
    },
    Row {
        variables: &["EMAIL_ALERT_DANGER_LEVEL=1", "MIN_DANGER_LEVEL=1"],
        fate: Fate::Agent,
        answer: "`popup-from-severity` in `notifier.toml`: 3, what is aimed at you, unless it says otherwise.",
    },
    Row {
        variables: &["EMAIL_LIMIT=0", "EMAIL_THROTTLE=0", "ENABLE_EMAIL_LIMIT_PER_DST=N", "EMAIL_LIMIT_STATUS_MSG=Y"],
        fate: Fate::Agent,
        answer: "`popups-per-hour` in `notifier.toml`. One attack has one popup, which changes while it goes on; what is over the limit is told together.",
    },
    Row { variables: &["ALERT_ALL=Y"], fate: Fate::Agent, answer: "`every-alert = true` in `notifier.toml` shows each alert for itself." },
    Row {
        variables: &["ENABLE_EXT_SCRIPT_EXEC=N", "EXTERNAL_SCRIPT=/bin/true", "EXEC_EXT_SCRIPT_PER_ALERT=N"],
        fate: Fate::Agent,
        answer: "`firebell-notifier --exec PROGRAM` as a user of your choice, never as root; the alert is a JSON document on its standard input, and nothing of it on a command line.",
    },
    Row {
        variables: &[
            "EMAIL_ADDRESSES=root@localhost",
            "ALERTING_METHODS=ALL",
            "HOSTNAME",
            "MAIL_ALERT_PREFIX=[psad-alert]",
            "MAIL_STATUS_PREFIX",
            "MAIL_ERROR_PREFIX",
            "MAIL_FATAL_PREFIX",
            "EMAIL_APPEND_HEADER=NONE",
            "mailCmd",
            "sendmailCmd",
        ],
        fate: Fate::Agent,
        answer: "firebell tells you on your desktop and sends no mail. `firebell-notifier --exec` runs a program that does.",
    },
    Row {
        variables: &["FW_SEARCH_ALL=Y", "FW_MSG_SEARCH=DROP"],
        fate: Fate::Always,
        answer: "Every line of the firewall is read, whatever its prefix. `prefixes` in `[intake]` chooses among whole prefixes.",
    },
    Row {
        variables: &[
            "DL1_UNIQUE_HOSTS=10",
            "DL2_UNIQUE_HOSTS=20",
            "DL3_UNIQUE_HOSTS=50",
            "DL4_UNIQUE_HOSTS=100",
            "DL5_UNIQUE_HOSTS=500",
            "PORT_RANGE_SWEEP_THRESHOLD=0",
            "PROTOCOL_SCAN_THRESHOLD=5",
        ],
        fate: Fate::Always,
        answer: "Sweeps and protocol scans are found by detectors of their own: `[detect.sweep]`, `[detect.fast-scan]`, `[detect.slow-scan]`.",
    },
    Row {
        variables: &["ENABLE_PERSISTENCE=N", "PERSISTENCE_CTR_THRESHOLD=5", "MAX_SCAN_IP_PAIRS=0", "IMPORT_OLD_SCANS=N"],
        fate: Fate::Always,
        answer: "What is known of a source is kept for days and over restarts, in tables that have a bound (`max-sources` in `[engine]`).",
    },
    Row { variables: &["CHECK_INTERVAL=5", "FW_MSG_READ_MIN_PKTS=30"], fate: Fate::Always, answer: "A line is judged when it is written." },
    Row {
        variables: &[
            "AUTO_DETECT_JOURNALCTL=Y",
            "ENABLE_FW_MSG_READ_CMD=N",
            "FW_MSG_READ_CMD",
            "FW_MSG_READ_CMD_ARGS",
            "USE_FW_MSG_READ_CMD_ARGS",
        ],
        fate: Fate::Always,
        answer: "`source = \"auto\"` reads the kernel log, else the journal, else files.",
    },
    Row {
        variables: &[
            "EXPECT_TCP_OPTIONS=Y",
            "IGNORE_KERNEL_TIMESTAMP=Y",
            "ENABLE_CUSTOM_SYSLOG_TS_RE=N",
            "CUSTOM_SYSLOG_TS_RE",
            "ENABLE_IPV6_DETECTION=Y",
            "MAX_HOPS=20",
        ],
        fate: Fate::Always,
        answer: "Lines are read as they are: with options and without, IPv4 and IPv6, with the time stamps of syslog, the kernel, journald and ISO 8601.",
    },
    Row {
        variables: &["IGNORE_CONNTRACK_BUG_PKTS=Y", "ENABLE_INTF_LOCAL_NETS=Y"],
        fate: Fate::Always,
        answer: "Late replies of servers are told from scans that look like them, and your networks are learned.",
    },
    Row {
        variables: &["ENABLE_MAC_ADDR_REPORTING=N"],
        fate: Fate::Always,
        answer: "A device of your own network has its name and its maker in the popup.",
    },
    Row {
        variables: &["ENABLE_FW_LOGGING_CHECK=Y", "fwcheck_psadCmd", "FW_CHECK_FILE"],
        fate: Fate::Always,
        answer: "`firebell doctor` says what the firewall does not log, and `firebell setup` mends it.",
    },
    Row {
        variables: &["SHOW_ALL_SIGNATURES=N", "ENABLE_SNORT_SIG_STRICT=Y"],
        fate: Fate::Always,
        answer: "`firebell show` has every rule that an incident fitted, once; rules are strict.",
    },
    Row {
        variables: &[
            "TOP_PORTS_LOG_THRESHOLD",
            "STATUS_PORTS_THRESHOLD",
            "TOP_SIGS_LOG_THRESHOLD",
            "STATUS_SIGS_THRESHOLD",
            "TOP_IP_LOG_THRESHOLD",
            "STATUS_IP_THRESHOLD",
            "TOP_SCANS_CTR_THRESHOLD",
        ],
        fate: Fate::Always,
        answer: "`firebell status`, `firebell alerts` and `firebell analyze` list them.",
    },
    Row {
        variables: &["ENABLE_PSADWATCHD=N", "PSADWATCHD_CHECK_INTERVAL", "PSADWATCHD_MAX_RETRIES", "psadwatchdCmd", "PSADWATCHD_PID_FILE"],
        fate: Fate::Always,
        answer: "systemd looks after `firebell-collector.service`.",
    },
    Row {
        variables: &[
            "ENABLE_SCAN_ARCHIVE=N",
            "MIN_ARCHIVE_DANGER_LEVEL=1",
            "TRUNCATE_FWDATA=Y",
            "IPT_WRITE_FWDATA=Y",
            "SCAN_DATA_ARCHIVE_DIR",
            "CONF_ARCHIVE_DIR",
        ],
        fate: Fate::Always,
        answer: "The history keeps incidents, bounded by `max-alerts` and `max-age` in `[history]`. Log lines stay in the log.",
    },
    Row {
        variables: &["DISK_CHECK_INTERVAL=300", "DISK_MAX_PERCENTAGE=95", "DISK_MAX_RM_RETRIES=10"],
        fate: Fate::Always,
        answer: "Nothing grows without a bound, so nothing has to be deleted.",
    },
    Row {
        variables: &[
            "ENABLE_SIG_MSG_SYSLOG=Y",
            "SIG_MSG_SYSLOG_THRESHOLD=10",
            "SIG_SID_SYSLOG_THRESHOLD=10",
            "SYSLOG_IDENTITY=psad",
            "SYSLOG_FACILITY=LOG_LOCAL7",
            "SYSLOG_PRIORITY=LOG_INFO",
        ],
        fate: Fate::None,
        answer: "Alerts go to the bus, the history and the journal, so many a minute at most. `psad-syslog = true` in `[exports]` writes lines as psad does.",
    },
    Row {
        variables: &[
            "ENABLE_AUTO_IDS=N",
            "AUTO_IDS_DANGER_LEVEL=5",
            "AUTO_BLOCK_TIMEOUT=3600",
            "AUTO_BLOCK_DL1_TIMEOUT=$AUTO_BLOCK_TIMEOUT",
            "AUTO_BLOCK_DL2_TIMEOUT=$AUTO_BLOCK_TIMEOUT",
            "AUTO_BLOCK_DL3_TIMEOUT=$AUTO_BLOCK_TIMEOUT",
            "AUTO_BLOCK_DL4_TIMEOUT=$AUTO_BLOCK_TIMEOUT",
            "AUTO_BLOCK_DL5_TIMEOUT=0",
            "ENABLE_AUTO_IDS_REGEX=N",
            "AUTO_BLOCK_REGEX=ESTAB",
            "ENABLE_RENEW_BLOCK_EMAILS=N",
            "ENABLE_AUTO_IDS_EMAILS=Y",
            "IPTABLES_BLOCK_METHOD=Y",
            "IPT_AUTO_CHAIN1",
            "IPT_AUTO_CHAIN2",
            "IPT_AUTO_CHAIN3",
            "FLUSH_IPT_AT_INIT=Y",
            "IPTABLES_PREREQ_CHECK=1",
            "TCPWRAPPERS_BLOCK_METHOD=N",
            "ENABLE_EXT_BLOCK_SCRIPT_EXEC=N",
            "EXTERNAL_BLOCK_SCRIPT=/bin/true",
            "AUTO_BLOCK_IPT_FILE",
            "AUTO_BLOCK_TCPWR_FILE",
            "AUTO_IPT_SOCK",
            "ETC_HOSTS_DENY_FILE",
            "ENABLE_OVERRIDE_FW_CMD=N",
            "FW_CMD=NONE",
            "FW_CMD_ARGS=NONE",
        ],
        fate: Fate::None,
        answer: "firebell blocks nobody. Its packets were refused already, and a forged sender would have you block whom the attacker names.",
    },
    Row {
        variables: &[
            "ENABLE_WHOIS_LOOKUPS=Y",
            "WHOIS_TIMEOUT=60",
            "WHOIS_LOOKUP_THRESHOLD=20",
            "ENABLE_WHOIS_FORCE_ASCII=N",
            "ENABLE_WHOIS_FORCE_SRC_IP=N",
            "ENABLE_DNS_LOOKUPS=Y",
            "DNS_LOOKUP_THRESHOLD=20",
            "whoisCmd",
        ],
        fate: Fate::None,
        answer: "firebell asks nobody about an address: the attacker would learn that they were seen. Names come from this machine alone.",
    },
    Row {
        variables: &[
            "ENABLE_DSHIELD_ALERTS=N",
            "DSHIELD_ALERT_EMAIL=reports@dshield.org",
            "DSHIELD_ALERT_INTERVAL=6",
            "DSHIELD_USER_ID=0",
            "DSHIELD_USER_EMAIL=NONE",
            "DSHIELD_DL_THRESHOLD=0",
            "DSHIELD_EMAIL_FILE",
            "DSHIELD_COUNTER_FILE",
        ],
        fate: Fate::None,
        answer: "firebell sends nothing to anybody.",
    },
    Row { variables: &["SIG_UPDATE_URL", "wgetCmd"], fate: Fate::None, answer: "Rules come with the package." },
    Row {
        variables: &["PROTOCOLS_FILE", "ICMP_TYPES_FILE", "ICMP6_TYPES_FILE", "POSF_FILE", "P0F_FILE", "IP_OPTS_FILE"],
        fate: Fate::Always,
        answer: "Protocols, ICMP types, IP options and the marks of systems and tools are known.",
    },
    Row {
        variables: &[
            "IFCFGTYPE",
            "SYSLOG_DAEMON",
            "ETC_SYSLOG_CONF",
            "ETC_RSYSLOG_CONF",
            "ETC_SYSLOGNG_CONF",
            "ETC_METALOG_CONF",
            "INSTALL_ROOT",
            "PSAD_DIR",
            "PSAD_RUN_DIR",
            "PSAD_FIFO_DIR",
            "PSAD_LIBS_DIR",
            "PSAD_CONF_DIR",
            "PSAD_ERR_DIR",
            "ANALYSIS_MODE_DIR",
            "FW_DATA_FILE",
            "ULOG_DATA_FILE",
            "PSAD_FIFO_FILE",
            "STATUS_OUTPUT_FILE",
            "ANALYSIS_OUTPUT_FILE",
            "INSTALL_LOG_FILE",
            "PSAD_PID_FILE",
            "PSAD_FW_READ_PID_FILE",
            "PSAD_CMDLINE_FILE",
            "KMSGSD_PID_FILE",
            "FW_ERROR_LOG",
            "PRINT_SCAN_HASH",
            "PROC_FORWARD_FILE",
            "PACKET_COUNTER_FILE",
            "TOP_SCANNED_PORTS_FILE",
            "TOP_SIGS_FILE",
            "TOP_ATTACKERS_FILE",
            "IPT_PREFIX_COUNTER_FILE",
            "IPT_OUTPUT_PATTERN",
            "IPT_ERROR_PATTERN",
            "iptablesCmd",
            "ip6tablesCmd",
            "shCmd",
            "gzipCmd",
            "mknodCmd",
            "psCmd",
            "ifconfigCmd",
            "ipCmd",
            "killallCmd",
            "netstatCmd",
            "unameCmd",
            "dfCmd",
            "kmsgsdCmd",
            "psadCmd",
        ],
        fate: Fate::Always,
        answer: "psad's own files and the programs it runs. firebell has `/etc/firebell`, `/var/lib/firebell` and no helper but `journalctl`.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs};

    #[test]
    fn a_variable_has_one_row() {
        let mut seen = BTreeSet::new();
        for (name, _) in ROWS.iter().flat_map(Row::variables) {
            assert!(seen.insert(name), "{name} twice");
        }
    }

    /// `FIREBELL_BLESS=1 cargo test -p firebell-cli variables_are_documented` writes the table.
    #[test]
    fn all_variables_are_documented() {
        const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/migrating-from-psad.md");
        const MARK: &str = "| variables of psad.conf | | firebell |\n|---|---|---|\n";
        let table: String = ROWS
            .iter()
            .map(|row| {
                let names: Vec<_> = row.variables().map(|(name, _)| format!("`{name}`")).collect();
                format!("| {} | {} | {} |\n", names.join(" "), row.fate, row.answer)
            })
            .collect();
        let page = fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(MARK).unwrap();
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        let expected = format!("{before}{MARK}{table}\n{after}");
        if std::env::var_os("FIREBELL_BLESS").is_some() {
            fs::write(PAGE, &expected).unwrap();
        }
        assert_eq!(fs::read_to_string(PAGE).unwrap(), expected);
    }
}
