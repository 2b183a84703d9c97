//! Rules made quick: one table by what tells packets apart, so that a packet meets only rules that may fit it.
//!
//! Every rule is entered under one field that it asks for few values of: the destination port for most, otherwise an ICMP
//! type, a window, an address, a prefix, whichever is rarest among the rules. A packet is looked up once for each field that
//! is in use for its protocol. Only rules that ask for no such thing are tried on every packet of their protocol.

use super::{
    matching::{Scene, holds, is_set, number, text},
    rule::{Bit, Condition, Direction, Field, Place, Range, Relation, Rule},
};
use crate::{
    finding::Action,
    packet::{Packet, TcpFlags},
};
use hashbrown::HashTable;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All rules that are in force, ready to be matched.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    sids: Sids,
    table: HashTable<Entry>,
    candidates: Vec<u32>,
    /// One bit for each key of the table, by its lower bits: most packets ask for nothing that is there.
    seen: Vec<u64>,
    /// Fields in use, by protocol number; [`ANY`] for rules that name no protocol.
    fields: Vec<u32>,
    /// Rules that are tried on every packet, by protocol number.
    rest: Vec<Vec<u32>>,
}

/// Log prefixes that name a rule by its number, as fwsnort's `SID1234` do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sids {
    /// What stands before the number; empty: such prefixes are not looked for.
    pub before: Vec<u8>,
    /// The severity of such a hit.
    pub severity: u8,
    /// Titles of numbers, ascending.
    pub titles: Vec<(u32, String)>,
}

/// The number that a prefix names, remembered for the prefix seen last: a firewall has few.
#[derive(Debug)]
pub(crate) struct Prefixes {
    last: [u8; MAX_PREFIX],
    last_len: usize,
    last_sid: Option<u32>,
}

/// The kernel's own bound on a prefix (`NF_LOG_PREFIXLEN` in `include/net/netfilter/nf_log.h`).
const MAX_PREFIX: usize = 128;

impl Default for Prefixes {
    fn default() -> Self {
        Self { last: [0; MAX_PREFIX], last_len: 0, last_sid: None }
    }
}

impl Prefixes {
    /// The number that `prefix` names.
    pub(crate) fn sid(&mut self, sids: &Sids, prefix: &[u8]) -> Option<u32> {
        if sids.before.is_empty() || prefix.is_empty() {
            return None;
        }
        let Some(slot) = self.last.get_mut(..prefix.len()) else { return sids.number(prefix) };
        if self.last_len != prefix.len() || slot != prefix {
            slot.copy_from_slice(prefix);
            self.last_len = prefix.len();
            self.last_sid = sids.number(prefix);
        }
        self.last_sid
    }
}

impl Sids {
    /// The first number that stands behind the text.
    fn number(&self, prefix: &[u8]) -> Option<u32> {
        let mut starts = memchr::memmem::find_iter(prefix, &self.before);
        starts.find_map(|at| {
            let digits = prefix.get(at + self.before.len()..)?;
            let digits = digits.get(..digits.iter().take_while(|byte| byte.is_ascii_digit()).count())?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        })
    }
}

/// The rules under one value of one field.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    start: u32,
    count: u32,
}

/// Stands for all protocols.
const ANY: u16 = 256;
/// A rule that asks for more values of a field is not entered under it, unless the field has no more than 256 at all.
const MAX_VALUES: u32 = 64;
/// Networks that are wider than the place they are entered under stand for so many places at most.
const MAX_NETWORKS: usize = 512;
/// Words of [`RuleSet::seen`]: 4 KiB.
const SEEN: usize = 512;

/// What rules are entered under, in the order of preference among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Under {
    Field(Field),
    Flags,
    Prefix,
    /// It is a fragment.
    Fragment,
    /// It has the reserved bit.
    Reserved,
    /// It has options in its IPv4 header.
    IpOptions,
    /// It comes from where it goes.
    SameAddress,
    /// The upper 24 bits of an IPv4 source, the upper 48 of an IPv6 one, hashed.
    SourceNear,
    /// 16 and 32.
    SourceFar,
    /// 8 and 16.
    SourceWide,
    DestinationNear,
    DestinationFar,
    DestinationWide,
}

impl Under {
    const ALL: [Self; 25] = [
        Self::Field(Field::Dport),
        Self::Field(Field::IcmpType),
        Self::Fragment,
        Self::Reserved,
        Self::IpOptions,
        Self::SameAddress,
        Self::Field(Field::Sport),
        Self::Field(Field::Window),
        Self::Field(Field::Id),
        Self::Field(Field::Len),
        Self::Field(Field::Urgp),
        Self::Field(Field::Ttl),
        Self::Field(Field::IcmpCode),
        Self::Field(Field::IcmpId),
        Self::Field(Field::IcmpSeq),
        Self::Field(Field::Seq),
        Self::Field(Field::Ack),
        Self::Prefix,
        Self::Flags,
        Self::SourceNear,
        Self::SourceFar,
        Self::SourceWide,
        Self::DestinationNear,
        Self::DestinationFar,
        Self::DestinationWide,
    ];

    /// What a packet has here.
    fn value(self, packet: &Packet<'_>) -> Option<u32> {
        let header = &packet.header;
        let there = |is_there: bool| is_there.then_some(1);
        match self {
            Self::Field(field) => number(field, packet),
            Self::Flags => header.flags.map(|flags| u32::from(flags.bits())),
            Self::Prefix => text(Place::Prefix, packet).map(prefix_value),
            Self::Fragment => there(is_set(Bit::Fragment, header)),
            Self::Reserved => there(header.ip_flags.ce),
            Self::IpOptions => there(!header.ip_opt.0.is_empty()),
            Self::SameAddress => there(header.src == header.dst),
            Self::SourceNear => Some(upper(header.src, NEAR)),
            Self::SourceFar => Some(upper(header.src, FAR)),
            Self::SourceWide => Some(upper(header.src, WIDE)),
            Self::DestinationNear => Some(upper(header.dst, NEAR)),
            Self::DestinationFar => Some(upper(header.dst, FAR)),
            Self::DestinationWide => Some(upper(header.dst, WIDE)),
        }
    }

    /// The values that a rule asks for here, if they are few.
    fn asked(self, rule: &Rule) -> Option<Vec<u32>> {
        rule.matching.conditions.iter().find_map(|condition| match (self, condition) {
            (Self::Field(field), Condition::Number(asked, numbers)) if field == *asked => {
                numbers.few(if field.max() < 256 { 256 } else { MAX_VALUES })
            }
            (Self::Flags, Condition::Flags { set, clear }) => {
                let fits = |bits: &u32| u8::try_from(*bits).is_ok_and(|bits| bits & set == *set && bits & clear == 0);
                let values: Vec<u32> = (0..=255).filter(fits).collect();
                (values.len() <= MAX_VALUES as usize).then_some(values)
            }
            (Self::Prefix, Condition::Text(Place::Prefix, pattern)) => Some(vec![prefix_value(pattern.literal()?)]),
            (Self::Fragment, Condition::Bit(Bit::Fragment | Bit::Mf, true))
            | (Self::Reserved, Condition::Bit(Bit::Ce, true))
            | (Self::IpOptions, Condition::IpOptions(_))
            | (Self::SameAddress, Condition::Relation(Relation::SrcIsDst)) => Some(vec![1]),
            (Self::Fragment, Condition::Number(Field::Frag, numbers)) => (!numbers.contains(0)).then(|| vec![1]),
            (Self::SourceNear, Condition::Source(addresses)) => networks(&addresses.within, NEAR),
            (Self::SourceFar, Condition::Source(addresses)) => networks(&addresses.within, FAR),
            (Self::SourceWide, Condition::Source(addresses)) => networks(&addresses.within, WIDE),
            (Self::DestinationNear, Condition::Destination(addresses)) => networks(&addresses.within, NEAR),
            (Self::DestinationFar, Condition::Destination(addresses)) => networks(&addresses.within, FAR),
            (Self::DestinationWide, Condition::Destination(addresses)) => networks(&addresses.within, WIDE),
            _ => None,
        })
    }

    fn key(number: usize, protocol: u16, value: u32) -> u64 {
        (number as u64) << 48 | u64::from(protocol) << 32 | u64::from(value)
    }
}

impl RuleSet {
    /// Makes the rules ready. They are told in the order given where it matters.
    #[must_use]
    pub fn new(rules: Vec<Rule>, sids: Sids) -> Self {
        let mut set = Self {
            seen: vec![0; SEEN],
            fields: vec![0; usize::from(ANY) + 1],
            rest: vec![Vec::new(); usize::from(ANY) + 1],
            rules,
            sids,
            ..Self::default()
        };
        for rule in &mut set.rules {
            rule.matching.conditions.sort_by_key(cost);
        }
        let asked = set.asked();
        let mut popularity: Vec<u64> = asked.iter().map(|(key, _, _)| *key).collect();
        popularity.sort_unstable();
        let popularity = |key: u64| popularity.partition_point(|known| *known <= key) - popularity.partition_point(|known| *known < key);
        // Under its rarest value, so that no list grows long.
        let mut best: Vec<Option<(usize, usize)>> = vec![None; set.rules.len()];
        let mut worst_of: Vec<[usize; Under::ALL.len()]> = vec![[0; Under::ALL.len()]; set.rules.len()];
        for (key, rule, number) in &asked {
            if let Some(worst) = worst_of.get_mut(*rule as usize).and_then(|worst| worst.get_mut(*number)) {
                *worst = popularity(*key).max(*worst);
            }
        }
        for (best, worst) in best.iter_mut().zip(&worst_of) {
            *best = worst.iter().enumerate().filter(|(_, worst)| **worst > 0).map(|(number, worst)| (*worst, number)).min();
        }
        let mut chosen: Vec<(u64, u32)> = Vec::new();
        for (key, rule, number) in asked {
            if best.get(rule as usize).is_some_and(|best| best.is_some_and(|(_, best)| best == number)) {
                chosen.push((key, rule));
                let protocol = usize::try_from(key >> 32 & 0xffff).unwrap_or_default();
                if let Some(fields) = set.fields.get_mut(protocol) {
                    *fields |= 1 << number;
                }
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        for group in chosen.chunk_by(|one, other| one.0 == other.0) {
            let (Some((key, _)), Ok(start), Ok(count)) = (group.first(), u32::try_from(set.candidates.len()), u32::try_from(group.len()))
            else {
                continue;
            };
            set.candidates.extend(group.iter().map(|(_, rule)| *rule));
            set.mark(*key);
            set.table.insert_unique(scatter(*key), Entry { key: *key, start, count }, |entry| scatter(entry.key));
        }
        for ((number, rule), _) in (0_u32..).zip(&set.rules).zip(&best).filter(|(_, best)| best.is_none()) {
            for protocol in protocols(rule) {
                if let Some(rest) = set.rest.get_mut(usize::from(protocol)) {
                    rest.push(number);
                }
            }
        }
        set
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Prefixes that name a rule.
    #[must_use]
    pub fn sids(&self) -> &Sids {
        &self.sids
    }

    /// Hands each rule that fits the packet, and its number, to `found`.
    pub(crate) fn each_match<'r>(&'r self, scene: &Scene<'_, '_, '_>, mut found: impl FnMut(u32, &'r Rule)) {
        if self.rules.is_empty() {
            return;
        }
        let packet = scene.packet;
        let mut attempt = |number: &u32| {
            if let Some(rule) = self.rules.get(*number as usize).filter(|rule| fits(rule, scene)) {
                found(*number, rule);
            }
        };
        for protocol in packet.header.proto.number.map(u16::from).into_iter().chain([ANY]) {
            let at = usize::from(protocol);
            let mut fields = self.fields.get(at).copied().unwrap_or(0);
            while fields != 0 {
                let number = fields.trailing_zeros() as usize;
                fields &= fields - 1;
                let Some(value) = Under::ALL.get(number).and_then(|under| under.value(packet)) else { continue };
                let key = Under::key(number, protocol, value);
                let hash = scatter(key);
                if !self.may_have(hash) {
                    continue;
                }
                let Some(entry) = self.table.find(hash, |entry| entry.key == key) else { continue };
                let (start, count) = (entry.start as usize, entry.count as usize);
                self.candidates.get(start..start + count).unwrap_or_default().iter().for_each(&mut attempt);
            }
            self.rest.get(at).into_iter().flatten().for_each(&mut attempt);
        }
    }

    fn mark(&mut self, key: u64) {
        let (word, bit) = place(scatter(key));
        if let Some(word) = self.seen.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_have(&self, hash: u64) -> bool {
        let (word, bit) = place(hash);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Everything that may be looked up: key, rule, place in [`Under::ALL`].
    fn asked(&self) -> Vec<(u64, u32, usize)> {
        let mut all = Vec::new();
        for (rule_number, rule) in (0..).zip(&self.rules) {
            for (number, under) in Under::ALL.iter().enumerate() {
                for value in under.asked(rule).unwrap_or_default() {
                    all.extend(protocols(rule).map(|protocol| (Under::key(number, protocol, value), rule_number, number)));
                }
            }
        }
        all
    }
}

/// Does all of a rule hold?
fn fits(rule: &Rule, scene: &Scene<'_, '_, '_>) -> bool {
    let wanted = &rule.matching;
    let is_action = if wanted.actions.is_empty() { scene.action != Action::Accepted } else { wanted.actions.contains(&scene.action) };
    if !is_action {
        return false;
    }
    let is_direction =
        if wanted.directions.is_empty() { scene.direction != Direction::Out } else { wanted.directions.contains(&scene.direction) };
    is_direction && wanted.conditions.iter().all(|condition| holds(condition, scene))
}

/// The word of [`RuleSet::seen`], and the bit in it, of a hash.
const fn place(hash: u64) -> (usize, u64) {
    #[allow(clippy::cast_possible_truncation, reason = "some bits of the hash")]
    let word = (hash >> 6) as usize % SEEN;
    (word, 1 << (hash % 64))
}

/// What costs least stands first.
fn cost(condition: &Condition) -> u8 {
    match condition {
        Condition::Family(_) | Condition::Flags { .. } | Condition::Bit(..) | Condition::Relation(_) => 0,
        Condition::Number(Field::Payload | Field::Tos | Field::Prec | Field::Res | Field::Mark, _) => 2,
        Condition::Number(..) => 1,
        Condition::TcpOptions(_) | Condition::TcpOptionBytes(_) | Condition::IpOptions(_) => 3,
        Condition::Source(_) | Condition::Destination(_) => 4,
        Condition::Text(..) => 5,
    }
}

/// The protocols that a rule is about: those it names, or those that its `ip-proto` leaves.
fn protocols(rule: &Rule) -> impl Iterator<Item = u16> {
    let by_number = rule.matching.conditions.iter().find_map(|condition| match condition {
        Condition::Number(Field::IpProto, numbers) if rule.matching.protocols.is_empty() => Some(numbers),
        _ => None,
    });
    let any = (rule.matching.protocols.is_empty() && by_number.is_none()).then_some(ANY);
    let left = by_number.into_iter().flat_map(|numbers| (0..ANY).filter(|number| numbers.contains(u32::from(*number))));
    rule.matching.protocols.iter().map(|number| u16::from(*number)).chain(left).chain(any)
}

/// So many upper bits of an IPv4 address, and of an IPv6 one.
type Depth = (u32, u32);
const NEAR: Depth = (24, 48);
const FAR: Depth = (16, 32);
const WIDE: Depth = (8, 16);

/// The upper bits of an address, folded to 32 with a mark that tells IPv6 from IPv4.
fn upper(address: IpAddr, (v4, v6): Depth) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits() >> (32 - v4),
        #[allow(clippy::cast_possible_truncation, reason = "48 bits, folded")]
        IpAddr::V6(address) => {
            let bits = (address.to_bits() >> (128 - v6)) as u64;
            (bits as u32 ^ ((bits >> 32) as u32).wrapping_mul(0x9e37_79b1)) | 1 << 31
        }
    }
}

/// The values of [`upper`] that addresses in these networks have, if they are few.
fn networks(ranges: &[Range], depth: Depth) -> Option<Vec<u32>> {
    let (v4, v6) = depth;
    let mut values = Vec::new();
    for range in ranges {
        let Range::Network((address, length)) = *range else { return None };
        let length = u32::from(length);
        // A network that is wider than the depth stands for several places.
        let (missing, bits) = if address.is_ipv4() { (v4.saturating_sub(length), 32 - v4) } else { (v6.saturating_sub(length), 128 - v6) };
        let count = 1_usize.checked_shl(missing).filter(|count| values.len() + count <= MAX_NETWORKS)?;
        // Of an address in the network, as people write it, only the network counts.
        values.extend((0_u128..).take(count).map(|step| match address {
            #[allow(clippy::cast_possible_truncation, reason = "less than 2^24 steps of an IPv4 address")]
            IpAddr::V4(any) => {
                let first = any.to_bits() & !u32::MAX.checked_shr(length).unwrap_or(0);
                upper(Ipv4Addr::from_bits(first | (step << bits) as u32).into(), depth)
            }
            IpAddr::V6(any) => {
                let first = any.to_bits() & !u128::MAX.checked_shr(length).unwrap_or(0);
                upper(Ipv6Addr::from_bits(first | step << bits).into(), depth)
            }
        }));
    }
    values.sort_unstable();
    values.dedup();
    (!values.is_empty()).then_some(values)
}

/// FNV-1a: an administrator writes prefixes, not an attacker.
fn prefix_value(prefix: &[u8]) -> u32 {
    prefix.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The table is filled by rules and never by packets, so nothing can be aimed at it and this needs no key.
fn scatter(key: u64) -> u64 {
    let mixed = (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

// The flags of the table and of the packet are the same byte.
const _: () = assert!(TcpFlags::FIN == 1 && TcpFlags::CWR == 128 && Under::ALL.len() <= 32);
