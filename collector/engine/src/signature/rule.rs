//! What a rule says: plain values that a loader has checked, and that [`super::compile`] makes quick.

use super::{pattern::Pattern, techniques::Technique};
use crate::{
    config::Network,
    finding::{Action, words},
};
use std::time::Duration;

/// One known packet, and what to make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name: stable, unique, never reused.
    pub id: String,
    /// What a person reads.
    pub title: String,
    /// 1 (background) to 5.
    pub severity: u8,
    /// How sure it is that the packet is what the title says.
    pub confidence: Confidence,
    /// What kind of thing it is.
    pub category: Category,
    /// MITRE ATT&CK techniques.
    pub attack: Vec<Technique>,
    /// CVE numbers.
    pub cve: Vec<String>,
    /// Where the facts come from.
    pub references: Vec<String>,
    /// One or two plain sentences: why this counts.
    pub why: String,
    /// What a packet must be.
    pub matching: Match,
    /// How often.
    pub count: Option<Count>,
}

words! {
    /// How sure a rule is.
    Confidence {
        /// Explains an incident, and never opens or raises one: a port alone.
        Hint = "hint",
        /// Opens an incident of severity 2 at most; counts in full where others found severity 3 or more.
        Likely = "likely",
        /// Only this sends such a packet.
        Sure = "sure",
    }
}

words! {
    /// What kind of thing a rule knows.
    Category {
        /// Somebody looks around.
        Scan = "scan",
        /// One telling packet.
        Probe = "probe",
        /// Too much, or a part of it.
        Flood = "flood",
        /// Something infected.
        Malware = "malware",
        /// Something set up wrongly.
        Misconfiguration = "misconfiguration",
        /// Good to know.
        Information = "information",
    }
}

words! {
    /// Which way a packet goes.
    Direction {
        /// To this host.
        In = "in",
        /// From this host.
        Out = "out",
        /// Through this host.
        Forward = "forward",
    }
}

words! {
    /// An IP version.
    Family {
        /// IPv4.
        V4 = "ipv4",
        /// IPv6.
        V6 = "ipv6",
    }
}

/// What a packet must be: all of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// IP protocol numbers, one of these; empty: any.
    pub protocols: Vec<u8>,
    /// What the firewall did with it, one of these; empty: anything but [`Action::Accepted`].
    pub actions: Vec<Action>,
    /// Which way it goes, one of these; empty: in or forward.
    pub directions: Vec<Direction>,
    /// The rest.
    pub conditions: Vec<Condition>,
}

/// Something that must hold of a packet. What the line does not carry holds never, not even negated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The IP version.
    Family(Family),
    /// A number in a set.
    Number(Field, Numbers),
    /// TCP flags, as the bits of [`crate::packet::TcpFlags`]: all of `set`, none of `clear`.
    Flags {
        /// Must be set.
        set: u8,
        /// Must not be set.
        clear: u8,
    },
    /// A bit of the IP header.
    Bit(Bit, bool),
    /// Where it comes from.
    Source(Addresses),
    /// Where it goes.
    Destination(Addresses),
    /// Two fields have to do with each other.
    Relation(Relation),
    /// TCP options by kind: all of them are there.
    TcpOptions(Vec<u8>),
    /// The TCP options are exactly these bytes. Empty: the length of the packet leaves no room for any.
    TcpOptionBytes(Vec<u8>),
    /// IP options by type: of each list one is there.
    IpOptions(Vec<Vec<u8>>),
    /// A text of the line.
    Text(Place, Pattern),
}

words! {
    /// A number in the line, by its name in rule files.
    Field {
        /// `SPT=`.
        Sport = "sport",
        /// `DPT=`.
        Dport = "dport",
        /// `TTL=`, or `HOPLIMIT=` of IPv6.
        Ttl = "ttl",
        /// `ID=` of the IP header.
        Id = "id",
        /// `LEN=` of the IP packet, bytes.
        Len = "len",
        /// Bytes behind the transport header, as far as the lengths say.
        Payload = "payload",
        /// `TOS=`, or `TC=` of IPv6.
        Tos = "tos",
        /// `PREC=`.
        Prec = "prec",
        /// `WINDOW=`.
        Window = "window",
        /// `URGP=`.
        Urgp = "urgp",
        /// `RES=`.
        Res = "res",
        /// `FRAG:`, as printed.
        Frag = "frag",
        /// `SEQ=` of TCP.
        Seq = "seq",
        /// `ACK=` of TCP.
        Ack = "ack",
        /// `MARK=`.
        Mark = "mark",
        /// `UID=`.
        Uid = "uid",
        /// `GID=`.
        Gid = "gid",
        /// `TYPE=` of ICMP.
        IcmpType = "icmp-type",
        /// `CODE=` of ICMP.
        IcmpCode = "icmp-code",
        /// `ID=` of an ICMP echo.
        IcmpId = "icmp-id",
        /// `SEQ=` of an ICMP echo.
        IcmpSeq = "icmp-seq",
        /// `MTU=` of an ICMP error.
        Mtu = "mtu",
        /// `FLOWLBL=`.
        FlowLabel = "flow-label",
        /// `VID=`.
        Vlan = "vlan",
        /// The number of the IP protocol.
        IpProto = "ip-proto",
    }
}

impl Field {
    /// The largest value it can have. [`Field::IcmpId`]: some loggers print more than 16 bits.
    #[must_use]
    pub const fn max(self) -> u32 {
        match self {
            Self::Ttl | Self::Tos | Self::Prec | Self::Res | Self::IcmpType | Self::IcmpCode | Self::IpProto => 255,
            Self::Sport | Self::Dport | Self::Id | Self::Len | Self::Payload | Self::Window | Self::Urgp | Self::Frag => 65_535,
            Self::FlowLabel => 0xf_ffff,
            Self::Vlan => 4_095,
            Self::Seq | Self::Ack | Self::Mark | Self::Uid | Self::Gid | Self::IcmpId | Self::IcmpSeq | Self::Mtu => u32::MAX,
        }
    }
}

words! {
    /// A bit of the IP header, by its name in rule files.
    Bit {
        /// `DF`.
        Df = "df",
        /// `MF`; of IPv6 the `INCOMPLETE` in front of the protocol.
        Mf = "mf",
        /// `CE`, which the kernel prints for the reserved bit.
        Ce = "ce",
        /// A fragment of a larger packet: an offset, or more to follow.
        Fragment = "fragment",
    }
}

words! {
    /// How two fields of one packet belong together, as rule files say it.
    Relation {
        /// The sequence number is the destination address, as Mirai's scanner writes it.
        SeqIsDst = "seq = \"dst\"",
        /// The IP ID is the low half of destination, port and sequence number combined, as masscan writes it.
        IdIsCookie = "id = \"dst^dport^seq\"",
        /// It claims to come from its own destination.
        SrcIsDst = "src = \"dst\"",
        /// Both ports are the same.
        SportIsDport = "sport = \"dport\"",
    }
}

words! {
    /// A text in the line, by its name in rule files.
    Place {
        /// The log prefix, without spaces at its end.
        Prefix = "prefix",
        /// `IN=`.
        In = "in",
        /// `OUT=`.
        Out = "out",
        /// `PHYSIN=`.
        PhysIn = "physin",
        /// `PHYSOUT=`.
        PhysOut = "physout",
        /// The sender's address in `MAC=`, or `MACSRC=`.
        Mac = "mac",
    }
}

/// A set of numbers, as ranges or as all but these ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// First and last, ascending, apart from each other.
    ranges: Vec<(u32, u32)>,
    is_negated: bool,
}

impl Numbers {
    /// The numbers in `ranges` (first and last, inclusive), or with `is_negated` all others. Nothing for no range, or for one
    /// that ends before it begins.
    #[must_use]
    pub fn new(mut ranges: Vec<(u32, u32)>, is_negated: bool) -> Option<Self> {
        if ranges.is_empty() || ranges.iter().any(|(first, last)| first > last) {
            return None;
        }
        ranges.sort_unstable();
        let mut apart: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match apart.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => apart.push((first, last)),
            }
        }
        Some(Self { ranges: apart, is_negated })
    }

    /// Is every number from `first` to `last` in the set?
    #[must_use]
    pub fn contains_all(&self, first: u32, last: u32) -> bool {
        let behind = self.ranges.partition_point(|(start, _)| *start <= first);
        let holder = behind.checked_sub(1).and_then(|at| self.ranges.get(at)).filter(|(_, end)| first <= *end);
        if self.is_negated {
            holder.is_none() && self.ranges.get(behind).is_none_or(|(start, _)| last < *start)
        } else {
            holder.is_some_and(|(_, end)| last <= *end)
        }
    }

    /// Is `number` in the set?
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        self.contains_all(number, number)
    }

    /// The ranges, and whether it is all but these.
    #[must_use]
    pub fn ranges(&self) -> (&[(u32, u32)], bool) {
        (&self.ranges, self.is_negated)
    }

    /// The numbers one by one, if they are no more than `max`.
    pub(super) fn few(&self, max: u32) -> Option<Vec<u32>> {
        let count = self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum::<u64>();
        let is_few = !self.is_negated && count <= u64::from(max);
        is_few.then(|| self.ranges.iter().flat_map(|(first, last)| *first..=*last).collect())
    }
}

/// A set of addresses: one of `within`, none of `without`. An empty `within` holds all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// In one of these.
    pub within: Vec<Range>,
    /// In none of these.
    pub without: Vec<Range>,
}

/// Some addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// A network.
    Network(Network),
    /// `$home`: private, link-local, loopback, configured and on-link addresses, and those that this host answers to.
    Home,
    /// `$lan`: private, link-local, shared, configured and on-link addresses: neighbours.
    Lan,
    /// `$internet`: all others that are no multicast and no broadcast.
    Internet,
}

/// How often a packet must come before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Different values of what; nothing: packets.
    pub distinct: Option<Distinct>,
    /// So many: 2 to [`Count::MAX_DISTINCT`], or to [`Count::MAX_PACKETS`].
    pub at_least: u16,
    /// In this time: [`Count::MAX_WITHIN`] at most.
    pub within: Duration,
    /// For each of whom.
    pub per: Per,
}

impl Count {
    /// Different values that are told apart.
    pub const MAX_DISTINCT: u16 = 32;
    /// Packets that are counted.
    pub const MAX_PACKETS: u16 = u16::MAX;
    /// The longest time.
    pub const MAX_WITHIN: Duration = Duration::from_secs(86_400);
}

words! {
    /// What is told apart, by its name in rule files.
    Distinct {
        /// Destination ports.
        Dport = "dport",
        /// Source ports.
        Sport = "sport",
        /// Destinations.
        Dst = "dst",
        /// Sources.
        Src = "src",
    }
}

words! {
    /// Whose packets are counted together.
    Per {
        /// Those of one source: an IPv4 address, an IPv6 /64.
        Src = "src",
        /// Those for one destination.
        Dst = "dst",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_numbers_joins_what_touches() {
        let set = Numbers::new(vec![(80, 90), (22, 22), (91, 99), (23, 23)], false).unwrap();
        assert_eq!(set.ranges(), (&[(22, 23), (80, 99)][..], false));
        assert_eq!([21, 22, 23, 24, 79, 80, 99, 100].map(|n| set.contains(n)), [false, true, true, false, false, true, true, false]);
        assert!(set.contains_all(81, 99) && !set.contains_all(81, 100) && !set.contains_all(23, 80));
        assert_eq!(Numbers::new(vec![], false), None);
        assert_eq!(Numbers::new(vec![(5, 4)], false), None);
        assert!(Numbers::new(vec![(0, u32::MAX), (7, 7)], false).unwrap().contains(u32::MAX));
    }

    #[test]
    fn a_negated_set_holds_a_range_that_touches_none_of_its_numbers() {
        let set = Numbers::new(vec![(0, 0), (10, 20)], true).unwrap();
        assert_eq!([0, 1, 9, 10, 20, 21].map(|n| set.contains(n)), [false, true, true, false, false, true]);
        assert!(set.contains_all(1, 9) && !set.contains_all(0, 9) && !set.contains_all(9, 10) && !set.contains_all(5, 30));
    }
}
