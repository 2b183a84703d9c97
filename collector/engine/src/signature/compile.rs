//! Rules made quick: one table by what tells packets apart, so that a packet meets only rules that may fit it.
//!
//! Every rule is entered under one field that it asks for few values of: the destination port for most, otherwise an ICMP
//! type, a window, an address, a prefix, whichever is rarest among the rules. A packet is looked up once for each field that
//! is in use for its protocol. Only rules that ask for no such thing are tried on every packet of their protocol.

use super::{
    matching::{Scene, direction, holds, number, text},
    rule::{Condition, Direction, Field, Place, Range, Rule},
};
use crate::{
    finding::Action,
    packet::{Packet, TcpFlags},
};
use hashbrown::HashTable;
use std::net::IpAddr;

/// All rules that are in force, ready to be matched.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    sids: Sids,
    table: HashTable<Entry>,
    candidates: Vec<u32>,
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
/// A rule that asks for more values of a field is not entered under it.
const MAX_VALUES: u32 = 64;

/// What rules are entered under, in the order of preference among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Under {
    Field(Field),
    Flags,
    Prefix,
    /// The upper 24 bits of an IPv4 source, the upper 48 of an IPv6 one, hashed.
    SourceNear,
    /// 16 and 32.
    SourceFar,
    DestinationNear,
    DestinationFar,
}

impl Under {
    const ALL: [Self; 19] = [
        Self::Field(Field::Dport),
        Self::Field(Field::IcmpType),
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
        Self::DestinationNear,
        Self::DestinationFar,
    ];

    /// What a packet has here.
    fn value(self, packet: &Packet<'_>) -> Option<u32> {
        let header = &packet.header;
        match self {
            Self::Field(field) => number(field, packet),
            Self::Flags => header.flags.map(|flags| u32::from(flags.bits())),
            Self::Prefix => text(Place::Prefix, packet).map(prefix_value),
            Self::SourceNear => Some(upper(header.src, 24, 48)),
            Self::SourceFar => Some(upper(header.src, 16, 32)),
            Self::DestinationNear => Some(upper(header.dst, 24, 48)),
            Self::DestinationFar => Some(upper(header.dst, 16, 32)),
        }
    }

    /// The values that a rule asks for here, if they are few.
    fn asked(self, rule: &Rule) -> Option<Vec<u32>> {
        rule.matching.conditions.iter().find_map(|condition| match (self, condition) {
            (Self::Field(field), Condition::Number(asked, numbers)) if field == *asked => numbers.few(MAX_VALUES),
            (Self::Flags, Condition::Flags { set, clear }) => {
                let fits = |bits: &u32| u8::try_from(*bits).is_ok_and(|bits| bits & set == *set && bits & clear == 0);
                let values: Vec<u32> = (0..=255).filter(fits).collect();
                (values.len() <= MAX_VALUES as usize).then_some(values)
            }
            (Self::Prefix, Condition::Text(Place::Prefix, pattern)) => Some(vec![prefix_value(pattern.literal()?)]),
            (Self::SourceNear, Condition::Source(addresses)) => networks(&addresses.within, 24, 48),
            (Self::SourceFar, Condition::Source(addresses)) => networks(&addresses.within, 16, 32),
            (Self::DestinationNear, Condition::Destination(addresses)) => networks(&addresses.within, 24, 48),
            (Self::DestinationFar, Condition::Destination(addresses)) => networks(&addresses.within, 16, 32),
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
        let mut set =
            Self { fields: vec![0; usize::from(ANY) + 1], rest: vec![Vec::new(); usize::from(ANY) + 1], rules, sids, ..Self::default() };
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
                let Some(entry) = self.table.find(scatter(key), |entry| entry.key == key) else { continue };
                let (start, count) = (entry.start as usize, entry.count as usize);
                self.candidates.get(start..start + count).unwrap_or_default().iter().for_each(&mut attempt);
            }
            self.rest.get(at).into_iter().flatten().for_each(&mut attempt);
        }
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
    let direction = direction(scene.packet);
    let is_direction = if wanted.directions.is_empty() { direction != Direction::Out } else { wanted.directions.contains(&direction) };
    is_direction && wanted.conditions.iter().all(|condition| holds(condition, scene))
}

fn protocols(rule: &Rule) -> impl Iterator<Item = u16> {
    let any = rule.matching.protocols.is_empty().then_some(ANY);
    rule.matching.protocols.iter().map(|number| u16::from(*number)).chain(any)
}

/// The upper bits of an address: so many of IPv4, so many of IPv6, folded to 32 with a mark that tells the two apart.
fn upper(address: IpAddr, v4: u32, v6: u32) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits() >> (32 - v4),
        IpAddr::V6(address) => {
            let [high, middle, ..] = address.segments().map(u32::from);
            let first = high << 16 | middle;
            let third = if v6 > 32 { u32::from(address.segments()[2]) } else { 0 };
            (first ^ third.wrapping_mul(0x9e37_79b1)) | 1 << 31
        }
    }
}

/// The values of [`upper`] that networks of at least that length have; nothing where one is wider.
fn networks(ranges: &[Range], v4: u32, v6: u32) -> Option<Vec<u32>> {
    let value = |range: &Range| match *range {
        Range::Network((address @ IpAddr::V4(_), length)) => (u32::from(length) >= v4).then(|| upper(address, v4, v6)),
        Range::Network((address @ IpAddr::V6(_), length)) => (u32::from(length) >= v6).then(|| upper(address, v4, v6)),
        Range::Home | Range::Lan | Range::Internet => None,
    };
    let values = ranges.iter().map(value).collect::<Option<Vec<u32>>>()?;
    (1..=MAX_VALUES as usize).contains(&values.len()).then_some(values)
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
