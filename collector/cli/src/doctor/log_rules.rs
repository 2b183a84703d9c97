//! The rules that log: what their lines leave out, and which lines firebell would not take.

use super::{Finding, Severity, some_of};
use crate::{
    firewall::{Firewall, Rule, Step, Verdict},
    setup::MARK,
};
use firebell_collector::config::Intake;
use firebell_engine::{
    origin::{self, Origin},
    parse::parse,
};

/// Looks at each.
pub(super) fn check(firewall: &Firewall, intake: &Intake, findings: &mut Vec<Finding>) {
    let all = firewall.logs();
    let kernel: Vec<_> = all.iter().filter(|(_, log, _)| log.is_kernel_log()).collect();
    if kernel.is_empty() && !all.is_empty() {
        findings.push(Finding::new(
            "log-group",
            Severity::Problem,
            "every rule that logs writes to a netlink group or the audit log, which the kernel log never shows",
            "firebell setup, or without `group N` (nftables), with -j LOG instead of -j NFLOG (iptables)",
        ));
    }
    let places = |wanted: &dyn Fn(&crate::firewall::Log) -> bool| -> Vec<String> {
        kernel.iter().filter(|(_, log, _)| wanted(log)).map(|(place, _, _)| place.to_string()).collect()
    };
    let refused = places(&|log| vouched_line(&log.prefix) == Some(Origin::Unverified));
    if !refused.is_empty() {
        findings.push(Finding::new(
            "log-prefix",
            Severity::Warning,
            format!(
                "a prefix that looks like a program's name with its number, or like the start of another kernel message, is not believed to be the firewall's: {}",
                some_of(&refused)
            ),
            "give these rules a prefix such as \"DROP \": at most 29 bytes, without `name[1]: `",
        ));
    }
    let long = places(&|log| log.prefix.len() > MAX_IPTABLES_PREFIX);
    if !long.is_empty() {
        findings.push(Finding::new(
            "log-prefix-long",
            Severity::Note,
            format!("a prefix is longer than the 29 bytes that iptables takes: {}", some_of(&long)),
            "",
        ));
    }
    let prefixes = &intake.prefixes;
    let left_alone = places(&|log| !prefixes.is_empty() && !prefixes.iter().any(|prefix| prefix.is(log.prefix.as_bytes())));
    if !left_alone.is_empty() {
        findings.push(Finding::new(
            "log-prefix-configured",
            Severity::Warning,
            format!("[intake] prefixes leaves out what these rules log: {}", some_of(&left_alone)),
            "add their prefixes to [intake] prefixes in /etc/firebell/firebell.toml, or remove the key",
        ));
    }
    let nameless = places(&|log| log.prefix.is_empty());
    if !nameless.is_empty() {
        findings.push(Finding::new(
            "log-prefix-none",
            Severity::Note,
            format!("without a prefix nobody knows what became of the packet: {}", some_of(&nameless)),
            "log prefix \"DROP \" (nftables), --log-prefix 'DROP ' (iptables)",
        ));
    }
    let overtaken = overtaken(firewall);
    if !overtaken.is_empty() {
        findings.push(Finding::new(
            "log-order",
            Severity::Warning,
            format!("rules were added behind those of setup, which log as refused what these may let in: behind {}", some_of(&overtaken)),
            "firebell setup --undo --yes && firebell setup --yes",
        ));
    }
    let poor = places(&|log| !(log.tcp_sequence && log.tcp_options && log.ip_options));
    if !poor.is_empty() {
        findings.push(Finding::new(
            "log-flags",
            Severity::Note,
            format!(
                "lines without TCP sequence numbers, TCP options and IP options do not tell which tool scans, nor show source routes: {}",
                some_of(&poor)
            ),
            "log flags tcp sequence,options flags ip options (nftables), --log-tcp-sequence --log-tcp-options --log-ip-options (iptables)",
        ));
    }
    if !kernel.is_empty() && refused.is_empty() && left_alone.is_empty() {
        findings.push(Finding::ok("log-rules", format!("{} rules write to the kernel log, and their lines are taken", kernel.len())));
    }
}

/// Rules of setup's that no longer stand right before what refuses.
fn overtaken(firewall: &Firewall) -> Vec<String> {
    let refuses = |rule: &Rule| {
        rule.steps.iter().any(|step| match step {
            Step::Verdict(verdict) => matches!(verdict, Verdict::Drop | Verdict::Reject),
            Step::Map(_, entries) => entries.iter().any(|(_, verdict)| *verdict == Verdict::Drop),
            _ => false,
        })
    };
    let mut places = Vec::new();
    for table in &firewall.tables {
        for (name, chain) in &table.chains {
            for (at, (rule, next)) in chain.rules.iter().zip(chain.rules.iter().skip(1)).enumerate() {
                if rule.comment == MARK && next.comment != MARK && !refuses(next) {
                    places.push(table.place(name, Some((at, rule))).to_string());
                }
            }
        }
    }
    places
}

/// `--log-prefix` of iptables-extensions(8).
const MAX_IPTABLES_PREFIX: usize = 29;

/// What the engine would say of a line with this prefix that the kernel wrote.
fn vouched_line(prefix: &str) -> Option<Origin> {
    // The kernel leaves out what is longer than `NF_LOG_PREFIXLEN`.
    let line = format!(
        "{prefix}IN=eth0 OUT= MAC=00:00:5e:00:53:01:00:00:5e:00:53:02:08:00 SRC=198.51.100.66 DST=198.51.100.10 LEN=44 TOS=0x00 PREC=0x00 TTL=52 ID=1 PROTO=TCP SPT=1 DPT=2 WINDOW=1024 RES=0x00 SYN URGP=0 "
    );
    let packet = parse(line.as_bytes()).ok()?;
    Some(origin::judge(true, &packet, line.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_could_be_a_crashing_program_is_not_believed() {
        assert_eq!(vouched_line("DROP "), Some(Origin::Kernel));
        assert_eq!(vouched_line("[UFW BLOCK] "), Some(Origin::Kernel));
        assert_eq!(vouched_line("fw[3]: "), Some(Origin::Unverified));
        assert_eq!(vouched_line("audit: "), Some(Origin::Unverified));
    }
}
