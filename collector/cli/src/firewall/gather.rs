//! Asks the firewall programs of this machine for their rules.

use super::{Backend, Firewall, nft, xtables};
use crate::programs;
use std::{fs, io};

/// What could be read, and what could not.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) firewall: Firewall,
    /// What could not be looked at, and why.
    pub(crate) unseen: Vec<String>,
}

/// Reads every rule set of this network namespace.
pub(crate) fn gather() -> Gathered {
    let mut gathered = Gathered::default();
    let nft_text = gathered.ask("nft", &["-j", "list", "ruleset"]);
    // An empty rule set is an empty text for some versions.
    if let Some(text) = nft_text.filter(|text| !text.trim_ascii().is_empty()) {
        match nft::read(&text) {
            Ok(firewall) => gathered.firewall = firewall,
            Err(error) => gathered.unseen.push(format!("the rule set that nft prints: {error}")),
        }
    }
    // Tables of nftables that `iptables` keeps are read in its words: nft cannot show its matches.
    for (program, family) in [("iptables-nft-save", "ip"), ("ip6tables-nft-save", "ip6")] {
        if gathered.firewall.tables.iter().any(|table| table.family == family)
            && let Some(text) = gathered.ask(program, &[])
        {
            let mut read = xtables::read(&text, Backend::IptablesNft, family == "ip6");
            let remarks: Vec<_> =
                xtables::lines(&text).into_iter().filter(|line| line.first() == Some(&b'#')).map(String::from_utf8_lossy).collect();
            let foreign =
                |name: &str| remarks.iter().any(|line| line.starts_with(&format!("# Table `{name}' ")) && line.contains("incompatible"));
            let is_there = |name: &str| gathered.firewall.tables.iter().any(|table| table.family == family && table.name == name);
            read.tables.retain(|table| !foreign(&table.name) && is_there(&table.name));
            gathered.firewall.tables.retain(|table| table.family != family || !read.tables.iter().any(|ours| ours.name == table.name));
            gathered.firewall.tables.extend(read.tables);
        }
    }
    // The old tables are loaded by merely asking for them, so ask only when they are.
    for (program, plain, names, is_v6) in [
        ("iptables-legacy-save", "iptables-save", "/proc/net/ip_tables_names", false),
        ("ip6tables-legacy-save", "ip6tables-save", "/proc/net/ip6_tables_names", true),
    ] {
        match fs::read_to_string(names) {
            Ok(text) if text.trim().is_empty() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => gathered.unseen.push(format!("{names}: {error}")),
            Ok(_) => {
                let program = if programs::find(program).is_some() { program } else { plain };
                if let Some(text) = gathered.ask(program, &[]) {
                    gathered.firewall.tables.extend(xtables::read(&text, Backend::IptablesLegacy, is_v6).tables);
                }
            }
        }
    }
    gathered
}

impl Gathered {
    /// What a program prints; none where it is not installed, or is told in `unseen`.
    fn ask(&mut self, program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
        match programs::run(program, arguments, b"") {
            Ok(said) if said.is_success => return Some(said.out),
            Ok(said) => self.unseen.push(format!("{program}: {}", said.complaint())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.unseen.push(error.to_string()),
        }
        None
    }
}

/// The interfaces through which strangers come: those with a default route, or all but the loop back where there is none.
pub(crate) fn outer_interfaces() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut found = default_routes(&read("/proc/net/route"), &read("/proc/net/ipv6_route"));
    if found.is_empty() {
        found = read("/proc/net/dev").lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect();
    }
    found.retain(|name| name != "lo");
    found.sort();
    found.dedup();
    // A machine with more has other troubles; the rest is like these.
    found.truncate(16);
    if found.is_empty() { vec!["eth0".to_owned()] } else { found }
}

/// `Iface Destination Gateway ... Mask`, and for IPv6 destination, its length, ..., interface (both as in proc(5), in hexadecimal).
fn default_routes(v4: &str, v6: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in v4.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [name, "00000000", _, _, _, _, _, "00000000", ..] = fields.as_slice() {
            found.push((*name).to_owned());
        }
    }
    for line in v6.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let ([destination, "00", ..], Some(name)) = (fields.as_slice(), fields.last())
            && destination.bytes().all(|byte| byte == b'0')
        {
            found.push((*name).to_owned());
        }
    }
    found
}

/// Whether IPv6 is in use.
pub(crate) fn has_v6() -> bool {
    fs::read_to_string("/proc/sys/net/ipv6/conf/all/disable_ipv6").is_ok_and(|text| text.trim() == "0")
}

/// Whether packets are forwarded from one network to another.
pub(crate) fn forwards(is_v6: bool) -> bool {
    let path = if is_v6 { "/proc/sys/net/ipv6/conf/all/forwarding" } else { "/proc/sys/net/ipv4/ip_forward" };
    fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_of_the_default_route_is_where_strangers_come_from() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                  wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
                  wlan0\t0000A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n";
        let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80 00000400 00000001 00000000 00000003 eth1\n\
                  fe800000000000000000000000000000 40 00000000000000000000000000000000 00 0000 00000100 00000001 00000000 00000001 eth2\n";
        assert_eq!(default_routes(v4, v6), ["wlan0", "eth1"]);
        assert!(default_routes("\n\nx", "00").is_empty());
    }
}
