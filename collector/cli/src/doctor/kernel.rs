//! Settings of the kernel.
//!
//! Not here: `net.netfilter.nf_log.2` and `.10`. They say who logs for connection tracking; where they are `NONE`, rules log all
//! the same (measured with `LOG` and nftables' `log` on Linux 6.18). Nor `kernel.printk_ratelimit`, which no log rule asks
//! (`nf_log_buf_close()` in `net/netfilter/nf_log.c`).

use super::{AS_ROOT, Finding, Severity, some_of};
use crate::firewall::Firewall;
use firebell_collector::intake::{AllNetns, Netns};
use firebell_engine::tick::Tick;
use std::fs;

/// Looks at each.
pub(super) fn check(firewall: &Firewall, findings: &mut Vec<Finding>) {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).map(|text| text.trim().to_owned());
    findings.push(other_namespaces(AllNetns::open().holds(Tick::ZERO)));
    match read("kernel/dmesg_restrict").as_deref() {
        Ok("0") => findings.push(Finding::new(
            "dmesg",
            Severity::Note,
            "every user may read the kernel log, so alerts are no secret either",
            "sysctl -w kernel.dmesg_restrict=1; to keep it: echo kernel.dmesg_restrict=1 >/etc/sysctl.d/60-dmesg.conf",
        )),
        Ok(_) => findings.push(Finding::ok("dmesg", "the kernel log is root's")),
        Err(error) => findings.push(Finding::unseen("dmesg", error, AS_ROOT)),
    }
    if let Ok(printk) = read("kernel/printk") {
        findings.extend(console(firewall, &printk));
    }
}

/// Whose lines the kernel log holds, as the collector would judge where we are.
fn other_namespaces(netns: Netns) -> Finding {
    match netns {
        Netns::Own => Finding::ok("other-namespaces", "other network namespaces cannot write firewall lines"),
        Netns::All => Finding::new(
            "other-namespaces",
            Severity::Warning,
            "net.netfilter.nf_log_all_netns is 1: any user can make the kernel write firewall lines, so none counts as this machine's",
            "sysctl -w net.netfilter.nf_log_all_netns=0",
        ),
        Netns::Hidden => Finding::new(
            "other-namespaces",
            Severity::Warning,
            "this is another network namespace than the machine's own (a container, ip netns, PrivateNetwork= of a unit): \
             net.netfilter.nf_log_all_netns cannot be seen here, so a firebelld that runs here believes no line to be the machine's own, \
             and the firewall looked at is the one of this namespace",
            "start firebelld, and doctor, outside of it (without PrivateNetwork=yes in the unit), or name the firewall's prefixes: \
             vouched-prefixes = [\"DROP \"] below [intake] in /etc/firebell/firebell.toml",
        ),
    }
}

/// What is below the console's level is written to the console too, which may be a serial line (`console_loglevel`, proc(5)).
fn console(firewall: &Firewall, printk: &str) -> Option<Finding> {
    // What LOG and nftables' log write at without a level (`LOGLEVEL_WARNING`).
    const USUAL: u8 = 4;
    let console: u8 = printk.split_whitespace().next()?.parse().ok()?;
    let logs = firewall.logs();
    let loud = logs.iter().filter(|(_, log, _)| log.is_kernel_log() && log.level.unwrap_or(USUAL) < console);
    let loud: Vec<String> = loud.map(|(place, _, _)| place.to_string()).collect();
    (!loud.is_empty()).then(|| {
        Finding::new(
            "console",
            Severity::Note,
            format!(
                "each line of these rules goes to the console as well, which slows a flood down to the speed of the console: {}",
                some_of(&loud)
            ),
            format!("dmesg -n {USUAL}; to keep it: echo 'kernel.printk = {USUAL} {USUAL} 1 7' >/etc/sysctl.d/60-console.conf"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::nft;

    #[test]
    fn a_network_namespace_that_hides_the_setting_is_told_with_what_follows() {
        let said = other_namespaces(Netns::Hidden);
        assert!(said.severity == Severity::Warning && said.what.contains("cannot be seen") && said.remedy.contains("vouched-prefixes"));
        assert_eq!(other_namespaces(Netns::Own).severity, Severity::Ok);
        assert!(other_namespaces(Netns::All).remedy.contains("nf_log_all_netns=0"));
    }

    #[test]
    fn lines_that_the_console_prints_too_are_told() {
        let firewall = nft::read(
            br#"{"nftables":[{"table":{"family":"inet","name":"t"}},{"chain":{"family":"inet","table":"t","name":"c"}},
            {"rule":{"family":"inet","table":"t","chain":"c","handle":3,"expr":[{"log":null}]}},
            {"rule":{"family":"inet","table":"t","chain":"c","handle":4,"expr":[{"log":{"level":"debug"}}]}}]}"#,
        )
        .unwrap();
        assert_eq!(console(&firewall, "4 4 1 7\n"), None);
        let said = console(&firewall, "7 4 1 7\n").unwrap().what;
        assert!(said.contains("handle 3") && !said.contains("handle 4"), "{said}");
        assert_eq!(console(&firewall, ""), None);
    }
}
