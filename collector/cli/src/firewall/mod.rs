//! This machine's firewall as it stands, in one form for nftables and iptables: which rules a stranger's packet meets.
//!
//! Read from `nft -j list ruleset` and from `iptables-save`; what a rule does not say in words that are known here is kept as
//! such (`Field::Other`), and taken not to fit.

pub(crate) mod gather;
pub(crate) mod manager;
pub(crate) mod nft;
#[cfg(test)]
mod tests;
pub(crate) mod walk;
pub(crate) mod xtables;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

/// Who keeps a table, and so how it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backend {
    Nft,
    /// `iptables` over nftables.
    IptablesNft,
    /// `iptables` with the kernel's old tables.
    IptablesLegacy,
}

/// Everything that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Firewall {
    pub(crate) tables: Vec<Table>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) backend: Backend,
    /// `inet`, `ip`, `ip6`, `bridge`, `netdev`, `arp`.
    pub(crate) family: String,
    pub(crate) name: String,
    pub(crate) chains: BTreeMap<String, Chain>,
    /// The names of its sets; iptables has none.
    pub(crate) sets: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chain {
    /// Where the kernel calls it; none for one that is only jumped to.
    pub(crate) base: Option<Base>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Base {
    /// `prerouting`, `input`, `forward`, ...
    pub(crate) hook: String,
    /// `filter`, `nat`, `route`.
    pub(crate) kind: String,
    pub(crate) priority: i64,
    /// What reaches the end is dropped.
    pub(crate) drops: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rule {
    /// nftables' number of it.
    pub(crate) handle: Option<u64>,
    pub(crate) comment: String,
    pub(crate) steps: Vec<Step>,
    /// As it was read, to be written again: nftables' expressions, or the words of iptables-save.
    pub(crate) raw: Raw,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Nft(Vec<serde_json::Value>),
    Words(Vec<String>),
}

impl Default for Raw {
    fn default() -> Self {
        Self::Words(Vec::new())
    }
}

/// A part of a rule; all before it have to let the packet on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Test(Test),
    Flags(Flags),
    Limit(Limit),
    Log(Log),
    Verdict(Verdict),
    /// The first value that fits decides.
    Map(Field, Vec<(Value, Verdict)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    pub(crate) field: Field,
    pub(crate) values: Vec<Value>,
    pub(crate) is_negated: bool,
}

/// What of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    InIface,
    OutIface,
    /// IPv4 or IPv6.
    Family,
    Protocol,
    State,
    Source,
    Destination,
    SourcePort,
    DestinationPort,
    PacketType,
    DestinationType,
    SourceType,
    IcmpType,
    Mark,
    /// Something else: whether it fits is not known.
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// In lower case; a `*` at its end stands for anything.
    Word(String),
    Numbers(u64, u64),
    Network(IpAddr, u8),
    /// Whether it fits is not known.
    Unknown,
}

/// TCP flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) mask: u8,
    pub(crate) wanted: Wanted,
    pub(crate) is_negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Of the mask exactly these.
    Exactly(u8),
    /// Any of the mask.
    Any,
    /// Some of the expression is not understood.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) per_second: f64,
    /// Each source has one of its own.
    pub(crate) per_source: bool,
    /// It lets on what is over the limit.
    pub(crate) is_over: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    pub(crate) prefix: String,
    /// syslog(2); 4, `warning`, where the rule says nothing.
    pub(crate) level: Option<u8>,
    /// To a program that listens on this netlink group, and not to the kernel's log.
    pub(crate) group: Option<u64>,
    /// To the audit log.
    pub(crate) is_audit: bool,
    pub(crate) tcp_sequence: bool,
    pub(crate) tcp_options: bool,
    pub(crate) ip_options: bool,
}

impl Log {
    /// It gets into the kernel's log.
    pub(crate) const fn is_kernel_log(&self) -> bool {
        self.group.is_none() && !self.is_audit
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Drop,
    Reject,
    Return,
    Jump(String),
    Goto(String),
    /// A program decides.
    Queue,
    Continue,
}

/// A rule, or the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    pub(crate) family: String,
    pub(crate) table: String,
    pub(crate) chain: String,
    /// From 1; none: the end of the chain, where its policy decides.
    pub(crate) number: Option<usize>,
    pub(crate) handle: Option<u64>,
}

impl Place {
    /// The iptables program that changes it.
    pub(crate) fn iptables(&self) -> Option<&'static str> {
        let is_v6 = self.family == "ip6";
        match self.backend {
            Backend::Nft => None,
            Backend::IptablesNft => Some(if is_v6 { "ip6tables-nft" } else { "iptables-nft" }),
            Backend::IptablesLegacy => Some(if is_v6 { "ip6tables-legacy" } else { "iptables-legacy" }),
        }
        .map(|exact| {
            if crate::programs::find(exact).is_some() {
                exact
            } else if is_v6 {
                "ip6tables"
            } else {
                "iptables"
            }
        })
    }
}

impl fmt::Display for Place {
    /// Names come from a rule set, so what prints this makes it safe.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.iptables() {
            None => write!(f, "nftables table {} {}, chain {}", self.family, self.table, self.chain)?,
            Some(program) => write!(f, "{program} table {}, chain {}", self.table, self.chain)?,
        }
        match (self.number, self.handle) {
            (_, Some(handle)) => write!(f, ", rule with handle {handle}"),
            (Some(number), None) => write!(f, ", rule {number}"),
            (None, None) => f.write_str(", policy"),
        }
    }
}

impl Firewall {
    /// The table of a place.
    pub(crate) fn table_at(&self, place: &Place) -> Option<&Table> {
        self.tables.iter().find(|table| table.backend == place.backend && table.family == place.family && table.name == place.table)
    }

    /// Every rule that logs, with the limits that stand before it in its rule.
    pub(crate) fn logs(&self) -> Vec<(Place, &Log, Vec<Limit>)> {
        let mut found = Vec::new();
        for table in &self.tables {
            for (name, chain) in &table.chains {
                for (at, rule) in chain.rules.iter().enumerate() {
                    let mut limits = Vec::new();
                    for step in &rule.steps {
                        match step {
                            Step::Limit(limit) => limits.push(*limit),
                            Step::Log(log) => found.push((table.place(name, Some((at, rule))), log, limits.clone())),
                            _ => {}
                        }
                    }
                }
            }
        }
        found
    }
}

impl Table {
    pub(crate) fn place(&self, chain: &str, rule: Option<(usize, &Rule)>) -> Place {
        Place {
            backend: self.backend,
            family: self.family.clone(),
            table: self.name.clone(),
            chain: chain.to_owned(),
            number: rule.map(|(at, _)| at + 1),
            handle: rule.and_then(|(_, rule)| rule.handle),
        }
    }
}
