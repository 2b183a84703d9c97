//! The way of a packet through the rules: a few packets of a stranger are thought through, none is sent.
//!
//! The stranger is in no network and no set that a rule names, and uses ports that no service has. What cannot be known (a
//! mark, a match of another module) is taken not to fit, and the result says that it is unsure.

use super::{Base, Field, Firewall, Flags, Limit, Log, Place, Rule, Step, Table, Test, Value, Verdict, Wanted};
use std::net::IpAddr;

/// What a stranger sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    TcpSyn,
    Udp,
    Ping,
    /// FIN without a connection: stands for null, FIN, Xmas and ACK scans, which connection tracking calls invalid.
    TcpFin,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::TcpSyn, Self::Udp, Self::Ping, Self::TcpFin];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TcpSyn => "TCP connections",
            Self::Udp => "UDP",
            Self::Ping => "pings",
            Self::TcpFin => "TCP without a connection (FIN, null, Xmas and ACK scans)",
        }
    }
}

/// One packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe<'a> {
    pub(crate) kind: Kind,
    pub(crate) is_v6: bool,
    pub(crate) iface: &'a str,
    /// Through this machine to another; the interface on which it leaves.
    pub(crate) out_iface: Option<&'a str>,
}

/// tcpmux: nothing answers there today, and no rule has a reason to name it.
const PORT: u64 = 1;
/// Of the stranger.
const SOURCE_PORT: u64 = 47_111;
const FIN: u8 = 1;
const SYN: u8 = 2;

/// What comes of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fate<'a> {
    pub(crate) end: End,
    /// What logged it before that, with the limits that stand before it.
    pub(crate) logs: Vec<(&'a Log, Vec<Limit>)>,
    /// A rule on the way says something that is not understood here.
    pub(crate) is_unsure: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Accepted,
    Dropped(Place),
    Rejected(Place),
    /// A program decides.
    Queued,
    /// Rules that go in circles or are too many.
    Unknown,
}

/// How well a packet is seen that was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    Nothing,
    /// Only by a program on a netlink group or in the audit log.
    Elsewhere,
    /// By a rule that is silent most of the time.
    Blinking,
    Clear,
}

/// A log rule that writes less than this is silent in a scan, lines a second: ufw's writes 3 a minute.
pub(crate) const BLIND_BELOW: f64 = 1.0;

impl Fate<'_> {
    pub(crate) fn sight(&self) -> Sight {
        self.logs.iter().map(|(log, limits)| sight(log, limits)).max().unwrap_or(Sight::Nothing)
    }
}

/// How well this rule shows what passes by it.
pub(crate) fn sight(log: &Log, limits: &[Limit]) -> Sight {
    if !log.is_kernel_log() {
        Sight::Elsewhere
    } else if limits.iter().any(|limit| !limit.per_source && limit.per_second < BLIND_BELOW) {
        Sight::Blinking
    } else {
        Sight::Clear
    }
}

/// Follows a packet through every base chain that it meets.
pub(crate) fn follow<'a>(firewall: &'a Firewall, probe: &Probe<'_>) -> Fate<'a> {
    let mut walk = Walk { probe, steps: 0, fate: Fate { end: End::Accepted, logs: Vec::new(), is_unsure: false }, limits: Vec::new() };
    let last = if probe.out_iface.is_some() { "forward" } else { "input" };
    for hook in ["prerouting", last] {
        let mut bases: Vec<(&Table, &str, &Base)> = Vec::new();
        for table in &firewall.tables {
            if matches!((table.family.as_str(), probe.is_v6), ("inet", _) | ("ip", false) | ("ip6", true)) {
                let chains = table.chains.iter().filter_map(|(name, chain)| Some((table, name.as_str(), chain.base.as_ref()?)));
                bases.extend(chains.filter(|(_, _, base)| base.hook == hook && base.kind == "filter"));
            }
        }
        bases.sort_by_key(|(_, _, base)| base.priority);
        for (table, name, base) in bases {
            walk.limits.clear();
            let end = match walk.chain(table, name, 0) {
                Flow::End(end) => end,
                Flow::Back if base.drops => End::Dropped(table.place(name, None)),
                Flow::Back => End::Accepted,
            };
            if end != End::Accepted {
                walk.fate.end = end;
                return walk.fate;
            }
        }
    }
    walk.fate
}

/// What becomes of each kind of packet that is sent to this machine, of each version of IP in use, on each of these interfaces.
pub(crate) fn strangers<'a>(firewall: &'a Firewall, ifaces: &'a [String]) -> Vec<(Probe<'a>, Fate<'a>)> {
    let versions: &[bool] = if super::gather::has_v6() { &[false, true] } else { &[false] };
    let mut fates = Vec::new();
    for iface in ifaces {
        for is_v6 in versions {
            for kind in Kind::ALL {
                let probe = Probe { kind, is_v6: *is_v6, iface, out_iface: None };
                let fate = follow(firewall, &probe);
                fates.push((probe, fate));
            }
        }
    }
    fates
}

/// The same for what passes through this machine to another, where it forwards.
pub(crate) fn passers<'a>(firewall: &'a Firewall, ifaces: &'a [String]) -> Vec<(Probe<'a>, Fate<'a>)> {
    let mut fates = Vec::new();
    for is_v6 in [false, true].into_iter().filter(|is_v6| super::gather::forwards(*is_v6)) {
        for iface in ifaces {
            for kind in Kind::ALL {
                let probe = Probe { kind, is_v6, iface, out_iface: Some("another interface") };
                let fate = follow(firewall, &probe);
                fates.push((probe, fate));
            }
        }
    }
    fates
}

/// The kernel allows 16 (`NFT_JUMP_STACK_SIZE`).
const MAX_DEPTH: usize = 32;
/// More rules than any packet meets.
const MAX_STEPS: usize = 200_000;

struct Walk<'a, 'p> {
    probe: &'p Probe<'p>,
    steps: usize,
    fate: Fate<'a>,
    /// Of the jumps that led here.
    limits: Vec<Limit>,
}

enum Flow {
    /// To the rule behind the jump.
    Back,
    End(End),
}

impl<'a> Walk<'a, '_> {
    fn chain(&mut self, table: &'a Table, name: &str, depth: usize) -> Flow {
        let Some(chain) = table.chains.get(name).filter(|_| depth < MAX_DEPTH) else { return Flow::End(End::Unknown) };
        for (at, rule) in chain.rules.iter().enumerate() {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Flow::End(End::Unknown);
            }
            let before = self.limits.len();
            let verdict = self.rule(rule);
            let place = || table.place(name, Some((at, rule)));
            let flow = match verdict {
                None | Some(Verdict::Continue) => None,
                Some(Verdict::Accept) => Some(Flow::End(End::Accepted)),
                Some(Verdict::Drop) => Some(Flow::End(End::Dropped(place()))),
                Some(Verdict::Reject) => Some(Flow::End(End::Rejected(place()))),
                Some(Verdict::Queue) => Some(Flow::End(End::Queued)),
                Some(Verdict::Return) => Some(Flow::Back),
                Some(Verdict::Goto(target)) => Some(self.chain(table, target, depth + 1)),
                Some(Verdict::Jump(target)) => match self.chain(table, target, depth + 1) {
                    Flow::Back => None,
                    end => Some(end),
                },
            };
            self.limits.truncate(before);
            if let Some(flow) = flow {
                return flow;
            }
        }
        Flow::Back
    }

    /// What the rule does with the packet; none where it does not fit or decides nothing.
    fn rule(&mut self, rule: &'a Rule) -> Option<&'a Verdict> {
        for (at, step) in rule.steps.iter().enumerate() {
            match step {
                Step::Test(test) => match self.fits(test) {
                    Some(true) => {}
                    Some(false) => return None,
                    None => {
                        self.fate.is_unsure = true;
                        return None;
                    }
                },
                Step::Flags(flags) => match flags_fit(*flags, self.probe.kind) {
                    Some(true) => {}
                    other => {
                        self.fate.is_unsure |= other.is_none();
                        return None;
                    }
                },
                // One packet is over no limit.
                Step::Limit(limit) if limit.is_over => return None,
                // What is dropped up to a limit only goes on, in a scan.
                Step::Limit(_) if rule.steps.iter().skip(at).any(|step| matches!(step, Step::Verdict(Verdict::Drop | Verdict::Reject))) => {
                    return None;
                }
                Step::Limit(limit) => self.limits.push(*limit),
                Step::Log(log) => self.fate.logs.push((log, self.limits.clone())),
                Step::Verdict(verdict) => return Some(verdict),
                Step::Map(field, entries) => {
                    for (value, verdict) in entries {
                        match self.matches(*field, value) {
                            Some(true) => return Some(verdict),
                            Some(false) => {}
                            None => self.fate.is_unsure = true,
                        }
                    }
                    return None;
                }
            }
        }
        None
    }

    /// None: not known.
    fn fits(&self, test: &Test) -> Option<bool> {
        let mut is_known = true;
        for value in &test.values {
            match self.matches(test.field, value) {
                Some(true) => return Some(!test.is_negated),
                Some(false) => {}
                None => is_known = false,
            }
        }
        is_known.then_some(test.is_negated)
    }

    fn matches(&self, field: Field, value: &Value) -> Option<bool> {
        let probe = self.probe;
        let (protocol, names): (u64, &[&str]) = match (probe.kind, probe.is_v6) {
            (Kind::TcpSyn | Kind::TcpFin, _) => (6, &["tcp"]),
            (Kind::Udp, _) => (17, &["udp"]),
            (Kind::Ping, false) => (1, &["icmp"]),
            (Kind::Ping, true) => (58, &["ipv6-icmp", "icmpv6", "icmp6"]),
        };
        match field {
            Field::InIface => word(value, &[probe.iface]),
            Field::OutIface => word(value, &[probe.out_iface.unwrap_or_default()]),
            Field::Family => word(value, if probe.is_v6 { &["ipv6", "ip6", "10", "inet6"] } else { &["ipv4", "ip", "2", "inet"] }),
            Field::Protocol => {
                if let Value::Numbers(low, high) = value {
                    Some((*low..=*high).contains(&protocol))
                } else {
                    word(value, names)
                }
            }
            Field::State => word(value, &[if probe.kind == Kind::TcpFin { "invalid" } else { "new" }]),
            // In no network that somebody names, but in the whole world.
            Field::Source => network(value, probe.is_v6, |_, length| length == 0),
            // One of this machine's, which may be any but those of nobody.
            Field::Destination => {
                network(value, probe.is_v6, |address, _| !(address.is_loopback() || address.is_multicast() || is_broadcast(address)))
            }
            Field::SourcePort | Field::DestinationPort if !matches!(probe.kind, Kind::TcpSyn | Kind::TcpFin | Kind::Udp) => Some(false),
            Field::SourcePort => number(value, SOURCE_PORT),
            Field::DestinationPort => number(value, PORT),
            Field::PacketType => word(value, &["host", "unicast"]),
            Field::DestinationType => word(value, &[if probe.out_iface.is_some() { "unicast" } else { "local" }]),
            Field::SourceType => word(value, &["unicast"]),
            Field::IcmpType => match (probe.kind, value) {
                (Kind::Ping, Value::Word(word)) => Some(word == "echo-request" || word == "any"),
                (Kind::Ping, value) => number(value, if probe.is_v6 { 128 } else { 8 }),
                _ => Some(false),
            },
            // Set by other rules, most often for what they accept.
            Field::Mark => number(value, 0),
            Field::Other => None,
        }
    }
}

fn word(value: &Value, mine: &[&str]) -> Option<bool> {
    match value {
        Value::Word(word) => Some(match word.strip_suffix('*') {
            Some(start) => mine.iter().any(|mine| mine.starts_with(start)),
            None => mine.contains(&word.as_str()),
        }),
        Value::Numbers(low, high) => Some(low == high && mine.iter().any(|mine| *mine == low.to_string())),
        _ => None,
    }
}

/// A word is the name of a service, and those are not asked.
fn number(value: &Value, mine: u64) -> Option<bool> {
    match value {
        Value::Numbers(low, high) => Some((*low..=*high).contains(&mine)),
        Value::Word(_) => Some(false),
        _ => None,
    }
}

fn network(value: &Value, is_v6: bool, fits: impl Fn(&IpAddr, u8) -> bool) -> Option<bool> {
    match value {
        Value::Network(address, length) => Some(address.is_ipv6() == is_v6 && fits(address, *length)),
        Value::Unknown => None,
        // A name or a range of addresses.
        _ => Some(false),
    }
}

fn is_broadcast(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

fn flags_fit(test: Flags, kind: Kind) -> Option<bool> {
    let flags = match kind {
        Kind::TcpSyn => SYN,
        Kind::TcpFin => FIN,
        _ => return Some(false),
    };
    let fits = match test.wanted {
        Wanted::Exactly(wanted) => flags & test.mask == wanted,
        Wanted::Any => flags & test.mask != 0,
        Wanted::Unknown => return None,
    };
    Some(fits != test.is_negated)
}
