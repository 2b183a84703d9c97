//! What rules have found, as it is kept over a restart.

use super::{RuleHits, RuleSet, Signatures, counts::Counter};
use crate::{cache, hash::Hasher};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Rules are the administrator's and may be others after a restart, so they are named by their ids.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State<'s> {
    /// By rule number: what they have found, and the ids of those that have found something.
    rules: Vec<(Cow<'s, str>, RuleHits)>,
    by_prefix: RuleHits,
    /// All rules in their order: counters know them by number.
    digest: u64,
    counters: Option<cache::State<'s, Counter>>,
}

impl Signatures {
    pub(crate) fn state(&self) -> State<'_> {
        let rules = self.rules.rules().iter().zip(&self.hits);
        let rules = rules.map(|(rule, hits)| (Cow::Borrowed(if hits.packets > 0 { rule.id.as_str() } else { "" }), *hits)).collect();
        let counters = self.counts.as_ref().map(|counts| counts.counters.state());
        State { rules, by_prefix: self.by_prefix, digest: digest(&self.hasher, &self.rules), counters }
    }

    /// Goes on with what was found before, by the rules that are in force now. Says for each old rule which one has its id.
    pub(crate) fn restore(&mut self, state: State<'_>, hasher: Hasher) -> Result<Vec<Option<u32>>, String> {
        let State { rules, by_prefix, digest: known, counters } = state;
        (self.by_prefix, self.hasher) = (by_prefix, hasher);
        let mut by_id: Vec<(&str, u32)> = self.rules.rules().iter().map(|rule| rule.id.as_str()).zip(0..).collect();
        by_id.sort_unstable();
        let number = |id: &str| by_id.binary_search_by(|(known, _)| (*known).cmp(id)).ok().and_then(|at| by_id.get(at)).map(|(_, n)| *n);
        let numbers: Vec<Option<u32>> = rules.iter().map(|(id, _)| number(id)).collect();
        for ((_, old), number) in rules.iter().zip(&numbers) {
            if let Some(hits) = number.and_then(|number| self.hits.get_mut(number as usize)) {
                *hits = *old;
            }
        }
        if let (Some(counts), Some(counters), true) = (&mut self.counts, counters, known == digest(&hasher, &self.rules)) {
            counts.counters.restore(counters, Counter::is_sound)?;
        }
        Ok(numbers)
    }
}

fn digest(hasher: &Hasher, rules: &RuleSet) -> u64 {
    let bytes = rules.rules().iter().flat_map(|rule| rule.id.bytes().chain([0]));
    bytes.fold(0, |digest, byte| hasher.mix(digest, u64::from(byte) + 1))
}
