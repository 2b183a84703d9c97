//! Rules made quick: one table by what tells packets apart, so that a packet meets only rules that may fit it.
//!
//! Every rule is entered under one field that it asks for few values of: the destination port for most, otherwise an ICMP
//! type, a window, an address, a prefix, whichever is rarest among the rules. A packet is looked up once for each field that
//! is in use for its protocol, and most look-ups end at a filter. Only rules that ask for no such thing are tried on every
//! packet of their protocol.

use super::{
    matching::{Scene, holds},
    rule::{Condition, Direction, Field, Rule},
    sids::Sids,
    under::{FirstBytes, Under, Values},
};
use crate::{
    finding::Action,
    packet::{Packet, TcpFlags},
};
use hashbrown::HashTable;

/// All rules that are in force, ready to be matched.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    sids: Sids,
    table: HashTable<Entry>,
    candidates: Vec<u32>,
    sources: FirstBytes,
    destinations: FirstBytes,
    /// What to look up for protocols that rules are about, and first for all others.
    plans: Vec<Plan>,
    /// By protocol number; [`ANY`] for packets of none.
    plan_of: Vec<u16>,
}

/// The rules under one value of one field.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    start: u32,
    count: u32,
}

/// What to look up for packets of one protocol.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// [`Under::bit`] of the fields in use.
    fields: u32,
    /// By field.
    filters: [Filter; Under::ALL.len()],
    words: Vec<u64>,
    /// Rules that are tried on every packet.
    rest: Vec<u32>,
}

/// What rules may ask one packet for.
#[derive(Debug)]
pub(super) struct Asked {
    protocol: u16,
    values: Values,
}

/// Says of most values that no rule asks for them: a bit for each that one does, eight times as many bits as values.
#[derive(Clone, Copy, Debug, Default)]
struct Filter {
    /// In [`Plan::words`].
    start: u32,
    /// How far the hash of a value is shifted to be the number of its bit.
    shift: u8,
}

/// Stands for all protocols.
const ANY: u16 = 256;

/// What a rule can be found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    number: u8,
    protocol: u16,
    value: u32,
}

impl Key {
    const fn packed(self) -> u64 {
        (self.number as u64) << 48 | (self.protocol as u64) << 32 | self.value as u64
    }
}

/// What most packets have is as bad a place for a rule as one that it shares with so many.
const COMMON: usize = 64;

impl Key {
    /// Does much of what is logged have this? What scanners and systems write into their SYN: nothing but the header, a few
    /// options, or a usual window (nmap 7.93 and masscan 1.3 send 1024).
    fn is_common(self) -> bool {
        let of = |under: Under| self.number == under as u8;
        (of(Under::Flags) && self.value == u32::from(TcpFlags::SYN))
            || (of(Under::Window) && matches!(self.value, 1024 | 64_240 | 65_535))
            || (of(Under::Len) && matches!(self.value, 28 | 40 | 44 | 52 | 60))
            || (of(Under::LenBits) && matches!(self.value, 5 | 6))
    }
}

impl RuleSet {
    /// Makes the rules ready. They are told in the order given where it matters.
    #[must_use]
    pub fn new(mut rules: Vec<Rule>, sids: Sids) -> Self {
        for rule in &mut rules {
            rule.matching.conditions.sort_by_key(cost);
        }
        let entered = choose(&rules);
        let mut is_entered = vec![false; rules.len()];
        for (_, rule) in &entered {
            if let Some(is_entered) = is_entered.get_mut(*rule as usize) {
                *is_entered = true;
            }
        }
        let left = (0_u32..).zip(&rules).zip(is_entered).filter(|(_, is_entered)| !is_entered).map(|(rule, _)| rule);
        let rest: Vec<(u16, u32)> = left.flat_map(|(number, rule)| protocols(rule).map(move |protocol| (protocol, number))).collect();
        let mut set = Self { rules, sids, ..Self::default() };
        set.enter(&entered);
        set.plan(&entered, &rest);
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

    /// What some rule may ask the packet for; nothing where no rule can fit it.
    #[inline(always)]
    pub(super) fn asked(&self, packet: &Packet<'_>) -> Option<Asked> {
        let protocol = packet.header.proto.number.map_or(ANY, u16::from);
        let plan = self.plan_for(protocol)?;
        let values = Values::new(packet, plan, &self.sources, &self.destinations);
        (!values.is_empty() || !plan.rest.is_empty()).then_some(Asked { protocol, values })
    }

    fn plan_for(&self, protocol: u16) -> Option<&Plan> {
        self.plan_of.get(usize::from(protocol)).and_then(|plan| self.plans.get(usize::from(*plan)))
    }

    /// Hands each rule that fits the packet, and its number, to `found`.
    pub(super) fn each_match<'r>(&'r self, scene: &Scene<'_, '_, '_>, asked: &Asked, mut found: impl FnMut(u32, &'r Rule)) {
        for (number, value) in asked.values.iter() {
            self.look_up(number, asked.protocol, value, scene, &mut found);
        }
        for number in self.plan_for(asked.protocol).map_or(&[][..], |plan| &plan.rest) {
            self.attempt(*number, scene, &mut found);
        }
    }

    #[inline(never)]
    fn look_up<'r>(&'r self, number: u32, protocol: u16, value: u32, scene: &Scene<'_, '_, '_>, found: &mut impl FnMut(u32, &'r Rule)) {
        for protocol in [protocol, ANY].into_iter().take(if protocol == ANY { 1 } else { 2 }) {
            let key = u64::from(number) << 48 | u64::from(protocol) << 32 | u64::from(value);
            let Some(entry) = self.table.find(scatter(key), |entry| entry.key == key) else { continue };
            let (start, count) = (entry.start as usize, entry.count as usize);
            for number in self.candidates.get(start..start + count).unwrap_or_default() {
                self.attempt(*number, scene, found);
            }
        }
    }

    fn attempt<'r>(&'r self, number: u32, scene: &Scene<'_, '_, '_>, found: &mut impl FnMut(u32, &'r Rule)) {
        if let Some(rule) = self.rules.get(number as usize).filter(|rule| fits(rule, scene)) {
            found(number, rule);
        }
    }

    /// Fills the table.
    fn enter(&mut self, entered: &[(Key, u32)]) {
        for group in entered.chunk_by(|one, other| one.0 == other.0) {
            let (Some((key, _)), Ok(start), Ok(count)) = (group.first(), u32::try_from(self.candidates.len()), u32::try_from(group.len()))
            else {
                continue;
            };
            self.candidates.extend(group.iter().map(|(_, rule)| *rule));
            let key = key.packed();
            self.table.insert_unique(scatter(key), Entry { key, start, count }, |entry| scatter(entry.key));
        }
    }

    /// Makes the filters that stand before the table. `rest` are the rules that are entered nowhere, by their protocols.
    fn plan(&mut self, entered: &[(Key, u32)], rest: &[(u16, u32)]) {
        for condition in self.rules.iter().flat_map(|rule| &rule.matching.conditions) {
            match condition {
                Condition::Source(addresses) => self.sources.add(addresses),
                Condition::Destination(addresses) => self.destinations.add(addresses),
                _ => {}
            }
        }
        let of = |protocol: u16| entered.iter().map(|(key, _)| *key).filter(move |key| key.protocol == protocol);
        let rest_of = |wanted: u16| rest.iter().filter(move |(protocol, _)| *protocol == wanted).map(|(_, rule)| *rule);
        self.plans.push(Plan::new(&of(ANY).collect::<Vec<_>>(), rest_of(ANY).collect()));
        self.plan_of = vec![0; usize::from(ANY) + 1];
        let protocols = entered.iter().map(|(key, _)| key.protocol).chain(rest.iter().map(|(protocol, _)| *protocol));
        let mut protocols: Vec<u16> = protocols.filter(|protocol| *protocol != ANY).collect();
        protocols.sort_unstable();
        protocols.dedup();
        for protocol in protocols {
            if let (Some(plan), Ok(number)) = (self.plan_of.get_mut(usize::from(protocol)), u16::try_from(self.plans.len())) {
                *plan = number;
                let rest = rest_of(protocol).chain(rest_of(ANY)).collect();
                self.plans.push(Plan::new(&of(protocol).chain(of(ANY)).collect::<Vec<_>>(), rest));
            }
        }
    }
}

impl Plan {
    fn new(keys: &[Key], rest: Vec<u32>) -> Self {
        let mut plan = Self { rest, ..Self::default() };
        for (number, under) in (0_u8..).zip(Under::ALL) {
            let values = || keys.iter().filter(|key| key.number == number).map(|key| key.value);
            let count = values().count();
            if count == 0 {
                continue;
            }
            let bits = count.saturating_mul(8).next_power_of_two().clamp(64, 1 << 20);
            let (Ok(start), Ok(shift)) = (u32::try_from(plan.words.len()), u8::try_from(32 - bits.trailing_zeros())) else { continue };
            let filter = Filter { start, shift };
            plan.words.resize(plan.words.len() + bits / 64, 0);
            for value in values() {
                let (word, bit) = filter.place(value);
                if let Some(word) = plan.words.get_mut(word) {
                    *word |= bit;
                }
            }
            plan.fields |= under.bit();
            if let Some(slot) = plan.filters.get_mut(usize::from(number)) {
                *slot = filter;
            }
        }
        plan
    }

    /// Is a rule entered under the field?
    #[inline(always)]
    pub(super) const fn has(&self, under: Under) -> bool {
        self.fields & under.bit() != 0
    }

    /// The fields under which rules are entered, as bits.
    pub(super) const fn fields(&self) -> u32 {
        self.fields
    }

    /// May a rule ask for this value of the field of this number?
    #[inline(always)]
    pub(super) fn asks(&self, field: usize, value: u32) -> bool {
        let Some(filter) = self.filters.get(field) else { return false };
        let (word, bit) = filter.place(value);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl Filter {
    /// The word of a value, and the bit in it.
    const fn place(self, value: u32) -> (usize, u64) {
        let hash = scattered(value) >> self.shift;
        (self.start as usize + hash as usize / 64, 1 << (hash % 64))
    }
}

/// Knuth's multiplicative hash: the golden ratio times 2^32. Rules fill the filters, never packets.
const fn scattered(value: u32) -> u32 {
    value.wrapping_mul(0x9e37_79b1)
}

/// Where each rule is entered: under its rarest value, so that no list grows long. Ascending.
fn choose(rules: &[Rule]) -> Vec<(Key, u32)> {
    let asked = asked(rules);
    let mut popularity: Vec<Key> = asked.iter().map(|(key, _)| *key).collect();
    popularity.sort_unstable();
    let popularity = |key: Key| {
        let rules = popularity.partition_point(|known| *known <= key) - popularity.partition_point(|known| *known < key);
        rules + if key.is_common() { COMMON } else { 0 }
    };
    let mut worst_of: Vec<[usize; Under::ALL.len()]> = vec![[0; Under::ALL.len()]; rules.len()];
    for (key, rule) in &asked {
        if let Some(worst) = worst_of.get_mut(*rule as usize).and_then(|worst| worst.get_mut(usize::from(key.number))) {
            *worst = popularity(*key).max(*worst);
        }
    }
    let best =
        |worst: &[usize]| (0_u8..).zip(worst).filter(|(_, worst)| **worst > 0).min_by_key(|(_, worst)| **worst).map(|(number, _)| number);
    let best: Vec<Option<u8>> = worst_of.iter().map(|worst| best(worst)).collect();
    let mut chosen: Vec<(Key, u32)> =
        asked.into_iter().filter(|(key, rule)| best.get(*rule as usize).is_some_and(|best| *best == Some(key.number))).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Everything that each rule could be found by.
fn asked(rules: &[Rule]) -> Vec<(Key, u32)> {
    let mut all = Vec::new();
    for (rule_number, rule) in (0..).zip(rules) {
        for (number, under) in (0_u8..).zip(Under::ALL) {
            for value in under.asked(rule).unwrap_or_default() {
                all.extend(protocols(rule).map(|protocol| (Key { number, protocol, value }, rule_number)));
            }
        }
    }
    all
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

/// The table is filled by rules and never by packets, so nothing can be aimed at it and this needs no key.
fn scatter(key: u64) -> u64 {
    let mixed = (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

// The flags of the table and of the packet are the same byte.
const _: () = assert!(TcpFlags::FIN == 1 && TcpFlags::CWR == 128);
