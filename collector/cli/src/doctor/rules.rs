//! Does the firewall log what it refuses? A few packets of a stranger are followed through the rules.

use super::{AS_ROOT, Finding, Severity};
use crate::{
    firewall::{
        Firewall, Place,
        gather::{self, Gathered},
        manager::{self, Keeper},
        walk::{self, End, Kind, Probe, Sight},
    },
    live::at_bus,
};
use std::collections::{BTreeMap, BTreeSet};

/// Packets of one fate.
#[derive(Default)]
struct Group {
    kinds: BTreeSet<Kind>,
    versions: BTreeSet<&'static str>,
    ifaces: BTreeSet<String>,
    is_unsure: bool,
}

impl Group {
    fn add(&mut self, probe: &Probe<'_>, is_unsure: bool) {
        self.kinds.insert(probe.kind);
        self.versions.insert(if probe.is_v6 { "IPv6" } else { "IPv4" });
        self.ifaces.insert(probe.iface.to_owned());
        self.is_unsure |= is_unsure;
    }

    fn describe(&self) -> String {
        let list = |words: Vec<&str>| words.join(", ");
        format!(
            "{} over {} on {}",
            list(self.kinds.iter().map(|kind| kind.as_str()).collect()),
            self.versions.iter().copied().collect::<Vec<_>>().join(" and "),
            list(self.ifaces.iter().map(String::as_str).collect())
        )
    }

    fn doubt(&self) -> &'static str {
        if self.is_unsure { " (some rules on the way are not understood here and were taken not to fit)" } else { "" }
    }
}

/// Follows the packets.
pub(super) fn check(gathered: &Gathered, findings: &mut Vec<Finding>) {
    for what in &gathered.unseen {
        findings.push(Finding::unseen("firewall", what, AS_ROOT));
    }
    let firewall = &gathered.firewall;
    let is_partly_seen = !gathered.unseen.is_empty();
    let ifaces = gather::outer_interfaces();
    let fates = walk::strangers(firewall, &ifaces);
    if manager::are_both_on(firewall) {
        findings.push(Finding::new("two-firewalls", Severity::Warning, manager::BOTH_ON.0, manager::BOTH_ON.1));
    }
    if manager::has_firewalld(firewall)
        && let Err(error) = at_bus(zbus::connection::Builder::system(), async |connection| {
            manager::FirewalldProxy::new(connection).await?.get_log_denied().await
        })
    {
        findings.push(Finding::unseen("firewalld", format!("what firewalld logs: {error}"), AS_ROOT));
    }
    let mut refused: BTreeMap<(Sight, Place), Group> = BTreeMap::new();
    let (mut open, mut queued, mut lost) = (Group::default(), Group::default(), Group::default());
    let mut open_kinds_seen = false;
    for (probe, fate) in &fates {
        match &fate.end {
            End::Dropped(place) | End::Rejected(place) => {
                refused.entry((fate.sight(), place.clone())).or_default().add(probe, fate.is_unsure);
            }
            End::Accepted => {
                open_kinds_seen |= fate.sight() == Sight::Clear;
                open.add(probe, fate.is_unsure);
            }
            End::Queued => queued.add(probe, fate.is_unsure),
            End::Unknown => lost.add(probe, true),
        }
    }
    let refuses = fates.iter().any(|(probe, fate)| matches!(probe.kind, Kind::TcpSyn | Kind::Udp) && !matches!(fate.end, End::Accepted));
    if !refuses && !is_partly_seen {
        if open_kinds_seen {
            findings.push(Finding::ok("firewall-open", "the firewall refuses nothing, but logs what comes in"));
        } else {
            findings.push(Finding::new(
                "firewall-open",
                Severity::Problem,
                "no rule refuses what nobody asked for, and none logs it: a scan of this machine leaves no line",
                "firebell setup",
            ));
        }
    }
    for ((sight, place), group) in &refused {
        findings.push(refusal(firewall, *sight, place, group, "input"));
    }
    for (group, what) in [(&queued, "a program decides on"), (&lost, "the rules are too many or go in circles for")] {
        if !group.kinds.is_empty() {
            findings.push(Finding::new("firewall-unclear", Severity::Note, format!("{what} {}", group.describe()), ""));
        }
    }
    forward(firewall, &ifaces, findings);
}

fn refusal(firewall: &Firewall, sight: Sight, place: &Place, group: &Group, hook: &str) -> Finding {
    let packets = group.describe();
    let doubt = group.doubt();
    // Scans of this kind are the smaller part, and what passes through is meant for others.
    let is_main = group.kinds.iter().any(|kind| *kind != Kind::TcpFin) && hook == "input";
    let bad = if is_main { Severity::Problem } else { Severity::Warning };
    let bad = if hook == "forward" { Severity::Note } else { bad };
    match sight {
        Sight::Clear => Finding::ok("firewall-logs", format!("{packets}: logged, then refused by {place}")),
        Sight::Blinking => Finding::new(
            "firewall-limited",
            bad.min(Severity::Warning),
            format!("{packets}: refused by {place} and logged less than once a second, which hides a scan behind any other traffic{doubt}"),
            remedy(firewall, place, group),
        ),
        Sight::Elsewhere => Finding::new(
            "firewall-elsewhere",
            bad,
            format!("{packets}: refused by {place} and logged to a netlink group or the audit log only, never to the kernel log{doubt}"),
            remedy(firewall, place, group),
        ),
        Sight::Nothing => Finding::new(
            "firewall-silent",
            bad,
            format!("{packets}: refused by {place}, and no rule logs it before that{doubt}"),
            remedy(firewall, place, group),
        ),
    }
}

/// Packets through this machine to another, where it forwards any.
fn forward(firewall: &Firewall, ifaces: &[String], findings: &mut Vec<Finding>) {
    let mut refused: BTreeMap<(Sight, Place), Group> = BTreeMap::new();
    for (probe, fate) in walk::passers(firewall, ifaces) {
        if let End::Dropped(place) | End::Rejected(place) = &fate.end {
            refused.entry((fate.sight(), place.clone())).or_default().add(&probe, fate.is_unsure);
        }
    }
    for ((sight, place), group) in &refused {
        let mut finding = refusal(firewall, *sight, place, group, "forward");
        finding.what = format!("through this machine: {}", finding.what);
        findings.push(finding);
    }
}

/// In the words of who keeps the rules.
fn remedy(firewall: &Firewall, place: &Place, group: &Group) -> String {
    let only_invalid = group.kinds.iter().all(|kind| *kind == Kind::TcpFin);
    let own_words = match manager::keeper(firewall, place) {
        Keeper::Ufw => {
            let is_low = manager::ufw(firewall).is_some_and(|ufw| matches!(ufw.level.as_str(), "off" | "low" | "medium"));
            let is_ufws = is_low && place.chain.starts_with("ufw") || place.number.is_none();
            if is_ufws { Some("ufw logging high".to_owned()) } else { log_rule(place, only_invalid) }
        }
        Keeper::Firewalld => Some("firewall-cmd --set-log-denied=unicast".to_owned()),
        Keeper::Nobody => log_rule(place, only_invalid),
    };
    match own_words {
        Some(words) => format!("firebell setup, or: {words}"),
        None => "firebell setup".to_owned(),
    }
}

/// The command that adds a log rule there: before what refuses these packets, or at the end of a chain whose policy does.
fn log_rule(place: &Place, only_invalid: bool) -> Option<String> {
    let chain = &place.chain;
    // Names that a shell would take for something else are not put into a command.
    if ![&place.family, &place.table, chain]
        .iter()
        .all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)))
    {
        return None;
    }
    match place.iptables() {
        None => {
            let at = match place.handle {
                Some(handle) => format!("insert rule {} {} {chain} handle {handle}", place.family, place.table),
                None => format!("add rule {} {} {chain}", place.family, place.table),
            };
            let invalid = if only_invalid { "ct state invalid " } else { "" };
            Some(format!(
                "nft '{at} {invalid}limit rate 50/second burst 500 packets log prefix \"DROP \" flags tcp sequence,options flags ip options'"
            ))
        }
        Some(program) => {
            let at = place.number.map_or_else(|| format!("-A {chain}"), |number| format!("-I {chain} {number}"));
            let invalid = if only_invalid { "-m conntrack --ctstate INVALID " } else { "" };
            let table = if place.table == "filter" { String::new() } else { format!("-t {} ", place.table) };
            Some(format!(
                "{program} {table}{at} {invalid}-m limit --limit 50/s --limit-burst 500 -j LOG --log-prefix 'DROP ' --log-tcp-sequence --log-tcp-options --log-ip-options"
            ))
        }
    }
}
