//! What journald does with the kernel's lines, where the journal or a file behind it is read.
//!
//! Its rate limit is for services and never for the kernel (journald.conf(5), `RateLimitIntervalSec=`).

use super::{Finding, Severity};
use crate::programs;
use firebell_collector::config::{Intake, Source};

/// Looks at the configuration in force.
pub(super) fn check(intake: &Intake, findings: &mut Vec<Finding>) {
    if intake.source.iter().all(|source| source == Source::Kmsg) {
        return;
    }
    // Without systemd there is no journal.
    let Ok(said) = programs::run("systemd-analyze", &["cat-config", "systemd/journald.conf"], b"") else { return };
    if said.is_success {
        let source = if intake.source.has(Source::Journal) { Source::Journal } else { Source::Auto };
        findings.extend(judge(&String::from_utf8_lossy(&said.out), source));
    }
}

fn judge(text: &str, source: Source) -> Option<Finding> {
    // The last one of several files counts.
    let value = |key: &str| {
        text.lines().filter_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')).next_back().map(str::trim)
    };
    let is_no = |value: &str| ["no", "false", "0", "off"].contains(&value.to_ascii_lowercase().as_str());
    let severity = if source == Source::Journal { Severity::Problem } else { Severity::Note };
    if value("ReadKMsg").is_some_and(is_no) {
        let text = "journald does not read the kernel log (ReadKMsg=no), so the journal has no firewall lines";
        return Some(Finding::new(
            "journal",
            severity,
            text,
            "ReadKMsg=yes below [Journal] in /etc/systemd/journald.conf; systemctl restart systemd-journald",
        ));
    }
    if value("Storage").is_some_and(|value| value.eq_ignore_ascii_case("none")) {
        let text = "journald keeps nothing (Storage=none), so there is nothing to read in the journal";
        return Some(Finding::new(
            "journal",
            severity,
            text,
            "Storage=auto below [Journal] in /etc/systemd/journald.conf; systemctl restart systemd-journald",
        ));
    }
    let level = value("MaxLevelStore").unwrap_or("debug");
    if ["0", "1", "2", "3", "emerg", "alert", "crit", "err"].contains(&level) {
        let text = format!("journald keeps lines of level {level} and worse only; log rules write at level warning");
        return Some(Finding::new(
            "journal",
            severity,
            text,
            "MaxLevelStore=debug below [Journal] in /etc/systemd/journald.conf; systemctl restart systemd-journald",
        ));
    }
    Some(Finding::ok("journal", "journald takes the kernel's lines, and no rate limit of its own is for them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_without_kernel_lines_is_told() {
        let of = |text: &str| judge(text, Source::Journal).unwrap();
        assert_eq!(of("[Journal]\n#ReadKMsg=no\n").severity, Severity::Ok);
        assert_eq!(of("ReadKMsg=yes\nReadKMsg = no\n").severity, Severity::Problem);
        assert_eq!(of("Storage=none").severity, Severity::Problem);
        assert_eq!(of("MaxLevelStore=err").severity, Severity::Problem);
        assert_eq!(judge("Storage=none", Source::Auto).unwrap().severity, Severity::Note);
    }
}
