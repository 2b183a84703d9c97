//! Known packets (D14): rules that an administrator or we wrote, matched against each packet.
//!
//! [`rule`] is what a rule says, [`compile`] makes rules quick, [`matching`] is one packet against one rule, [`counts`] those
//! that count. What fits goes to the incident of its source ([`Matched`]).

use self::{compile::Asked, counts::Counts, matched::weight};
pub use self::{
    compile::RuleSet,
    pattern::Pattern,
    rule::{
        Addresses, Bit, Category, Condition, Confidence, Count, Direction, Distinct, Family, Field, Match, Numbers, Per, Place, Range,
        Relation, Rule,
    },
    sids::Sids,
    techniques::Technique,
};
pub(crate) use self::{
    matched::{Found, Hit, Known, Matched},
    matching::{Scene, direction},
    sids::Prefixes,
    state::State,
};
use crate::{
    detect::{Detector, Verdict},
    finding::Signature,
    hash::Hasher,
    packet::Packet,
    texts::Edition,
    tick::Tick,
};
use serde::{Deserialize, Serialize};

mod compile;
mod counts;
mod matched;
mod matching;
mod pattern;
mod rule;
mod sids;
mod state;
mod techniques;
mod under;

/// The rules in force, and what they have found.
#[derive(Debug)]
pub(crate) struct Signatures {
    rules: RuleSet,
    prefixes: Prefixes,
    /// Taken only where a rule counts.
    counts: Option<Box<Counts>>,
    hasher: Hasher,
    /// By rule number.
    hits: Vec<RuleHits>,
    by_prefix: RuleHits,
}

/// What one rule has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHits {
    /// Packets since the start; a reload keeps them for rules of the same id.
    pub packets: u64,
    /// The last one.
    pub last: Option<Tick>,
}

/// Counters of the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignatureStatus {
    /// Rules in force.
    pub rules: usize,
    /// Packets that fitted a rule, once for each.
    pub packets: u64,
    /// Packets whose prefix named a rule.
    pub prefix_packets: u64,
    /// Counters of counting rules that made room for others.
    pub counters_evicted: u64,
}

impl RuleHits {
    fn note(&mut self, tick: Tick) {
        self.packets += 1;
        self.last = Some(tick);
    }
}

impl Signatures {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self {
            rules: RuleSet::default(),
            prefixes: Prefixes::default(),
            counts: None,
            hasher,
            hits: Vec::new(),
            by_prefix: RuleHits::default(),
        }
    }

    /// Takes new rules for the old ones. Says for each old rule which new one has its id, so that incidents can follow.
    pub(crate) fn replace(&mut self, rules: RuleSet) -> Vec<Option<u32>> {
        let mut by_id: Vec<(&str, u32)> = rules.rules().iter().map(|rule| rule.id.as_str()).zip(0..).collect();
        by_id.sort_unstable();
        let new_number = |id: &str| by_id.binary_search_by(|(known, _)| (*known).cmp(id)).ok().and_then(|at| by_id.get(at));
        let renumbered: Vec<Option<u32>> = self.rules.rules().iter().map(|rule| new_number(&rule.id).map(|(_, number)| *number)).collect();
        let mut hits = vec![RuleHits::default(); rules.rules().len()];
        for (old, number) in self.hits.iter().zip(&renumbered) {
            if let Some(new) = number.and_then(|number| hits.get_mut(number as usize)) {
                *new = *old;
            }
        }
        self.hits = hits;
        self.counts = rules.rules().iter().any(|rule| rule.count.is_some()).then(|| Box::new(Counts::new()));
        self.prefixes = Prefixes::default();
        self.rules = rules;
        renumbered
    }

    /// What the packet is known for, the best [`Found::MAX`] rules. `texts` is the edition of its texts, `source` the hash of the source.
    pub(crate) fn look<'s, 'p, 'a: 'p>(
        &mut self,
        packet: &'p Packet<'a>,
        texts: Edition,
        scene: impl FnOnce() -> Scene<'s, 'p, 'a>,
        source: u64,
        now: Tick,
    ) -> Found {
        let sid = self.prefixes.sid(self.rules.sids(), packet.prefix, texts);
        let asked = self.rules.asked(packet);
        // Most packets have nothing that any rule asks for.
        if sid.is_none() && asked.is_none() {
            return Found::NONE;
        }
        self.find(sid, asked.as_ref(), &scene(), source, now)
    }

    /// What a packet is known for of which a rule may ask something, or whose prefix names a rule.
    #[inline(never)]
    fn find(&mut self, sid: Option<u32>, asked: Option<&Asked>, scene: &Scene<'_, '_, '_>, source: u64, now: Tick) -> Found {
        let Self { rules, counts, hasher, hits, by_prefix, .. } = self;
        let mut found = Found::NONE;
        if let Some(sid) = sid {
            by_prefix.note(now);
            found.push(Hit { known: Known::Sid(sid), severity: rules.sids().severity, confidence: Confidence::Sure });
        }
        let Some(asked) = asked else { return found };
        rules.each_match(scene, asked, |number, rule| {
            if let (Some(count), Some(counts)) = (&rule.count, counts.as_mut())
                && !counts.note(number, count, scene.packet, source, hasher, now)
            {
                return;
            }
            if let Some(hits) = hits.get_mut(number as usize) {
                hits.note(now);
            }
            found.push(Hit { known: Known::Rule(number), severity: rule.severity, confidence: rule.confidence });
        });
        found
    }

    /// The hits of an incident for people, the best first.
    pub(crate) fn tell(&self, matched: &Matched) -> Vec<Signature> {
        let mut best: Vec<_> = matched.hits().to_vec();
        best.sort_by(|(one, one_count), (other, other_count)| weight(other).cmp(&weight(one)).then(other_count.cmp(one_count)));
        best.iter().filter_map(|(hit, count)| self.name(hit, *count)).collect()
    }

    /// What an incident was known for, from what was told of it: rules that are still in force.
    pub(crate) fn recall(&self, told: &[Signature]) -> Matched {
        let mut matched = Matched::default();
        for Signature { id, count, .. } in told {
            if let Some((number, rule)) = (0..).zip(self.rules.rules()).find(|(_, rule)| rule.id == *id) {
                matched.add(Hit { known: Known::Rule(number), severity: rule.severity, confidence: rule.confidence }, *count);
            }
        }
        matched
    }

    /// The techniques of the hits that are more than hints.
    pub(crate) fn attack(&self, matched: &Matched) -> impl Iterator<Item = &'static str> {
        let rules = matched.hits().iter().filter(|(hit, _)| hit.confidence > Confidence::Hint).filter_map(|(hit, _)| self.rule(hit.known));
        rules.flat_map(|rule| rule.attack.iter().map(|technique| technique.id()))
    }

    /// Every rule in force, and what it has found.
    pub(crate) fn rule_hits(&self) -> impl Iterator<Item = (&Rule, RuleHits)> {
        self.rules.rules().iter().zip(self.hits.iter().copied())
    }

    pub(crate) fn status(&self) -> SignatureStatus {
        SignatureStatus {
            rules: self.rules.rules().len(),
            packets: self.hits.iter().map(|hits| hits.packets).sum(),
            prefix_packets: self.by_prefix.packets,
            counters_evicted: self.counts.as_ref().map_or(0, |counts| counts.evicted()),
        }
    }

    fn rule(&self, known: Known) -> Option<&Rule> {
        if let Known::Rule(number) = known { self.rules.rules().get(number as usize) } else { None }
    }

    fn name(&self, hit: &Hit, count: u64) -> Option<Signature> {
        let Hit { known, severity, confidence } = *hit;
        let (id, title, why) = match known {
            Known::Rule(_) => {
                let rule = self.rule(known)?;
                (rule.id.clone(), rule.title.clone(), rule.why.clone())
            }
            Known::Sid(number) => {
                let titles = &self.rules.sids().titles;
                let title = titles.binary_search_by_key(&number, |(number, _)| *number).ok().and_then(|at| titles.get(at));
                let title =
                    title.map_or_else(|| format!("a packet that rule {number} of the firewall looks for"), |(_, title)| title.clone());
                (format!("sid-{number}"), title, "a rule of the firewall found what it looks for inside the packet".to_owned())
            }
        };
        Some(Signature { id, title, why, severity, confidence, count })
    }
}

/// What a packet says on its own, where its source has no incident: a hint says nothing, what is likely 2 at most.
pub(crate) fn verdict(found: &Found) -> Option<Verdict> {
    let severity = found.hits().iter().map(|hit| hit.alone()).max().unwrap_or(0);
    (severity >= 2).then_some(Verdict { severity, detector: Detector::Signature })
}
