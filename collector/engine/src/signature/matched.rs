//! What has been recognised: in one packet, and in an incident so far.

use super::rule::Confidence;
use serde::{Deserialize, Serialize};

/// A rule by its number, or a rule of the firewall that a prefix names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Known {
    Rule(u32),
    Sid(u32),
}

/// A rule that fits a packet, and how much that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hit {
    pub(crate) known: Known,
    pub(crate) severity: u8,
    pub(crate) confidence: Confidence,
}

/// From this severity on an incident is aimed at us, and what is only likely counts in full.
const AIMED: u8 = 3;
/// What is only likely is no worse than this on its own.
const LIKELY: u8 = 2;

impl Hit {
    /// How severe it makes an incident that is as severe as `severity` for other reasons.
    fn beside(self, severity: u8) -> u8 {
        match self.confidence {
            Confidence::Hint => 0,
            Confidence::Likely if severity < AIMED => self.severity.min(LIKELY),
            Confidence::Likely | Confidence::Sure => self.severity,
        }
    }

    /// How severe it is by itself.
    pub(crate) fn alone(self) -> u8 {
        self.beside(0)
    }
}

/// The order in which hits matter: the most certain first, then the most severe.
pub(crate) const fn weight(hit: &Hit) -> (Confidence, u8) {
    (hit.confidence, hit.severity)
}

/// What one packet is known for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    hits: [Hit; Self::MAX],
    count: u8,
}

impl Found {
    /// For nothing.
    pub(crate) const NONE: Self =
        Self { hits: [Hit { known: Known::Rule(0), severity: 0, confidence: Confidence::Hint }; Self::MAX], count: 0 };

    /// So many rules of one packet are told.
    pub(crate) const MAX: usize = 4;

    pub(crate) fn push(&mut self, hit: Hit) {
        if let Some(slot) = self.hits.get_mut(usize::from(self.count)) {
            *slot = hit;
            self.count += 1;
        } else if let Some(least) = self.hits.iter_mut().min_by_key(|hit| weight(hit))
            && weight(least) < weight(&hit)
        {
            *least = hit;
        }
    }

    pub(crate) fn hits(&self) -> &[Hit] {
        self.hits.get(..usize::from(self.count)).unwrap_or_default()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What an incident is known for: the best few rules, each with the packets that fitted it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Matched(Vec<(Hit, u64)>);

/// Rules that one incident remembers.
const MAX_RULES: usize = 8;

impl Matched {
    pub(crate) fn hits(&self) -> &[(Hit, u64)] {
        &self.0
    }

    /// Is it one that noting makes?
    pub(crate) fn is_sound(&self) -> bool {
        self.0.len() <= MAX_RULES
    }

    /// Takes what a packet is known for.
    pub(crate) fn note(&mut self, found: &Found) {
        for hit in found.hits() {
            self.add(*hit, 1);
        }
    }

    /// Takes over what another incident is known for.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (hit, packets) in &other.0 {
            self.add(*hit, *packets);
        }
    }

    /// How severe an incident is by this, when it is as severe as `severity` for other reasons.
    pub(crate) fn raise(&self, severity: u8) -> u8 {
        self.0.iter().map(|(hit, _)| hit.beside(severity)).max().unwrap_or(0).max(severity)
    }

    /// Follows the rules to their new numbers; what has none is forgotten.
    pub(crate) fn renumber(&mut self, numbers: &[Option<u32>]) {
        self.0.retain_mut(|(hit, _)| match hit.known {
            Known::Sid(_) => true,
            Known::Rule(number) => match numbers.get(number as usize).copied().flatten() {
                Some(new) => {
                    hit.known = Known::Rule(new);
                    true
                }
                None => false,
            },
        });
    }

    pub(crate) fn add(&mut self, hit: Hit, packets: u64) {
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| known.known == hit.known) {
            *count = count.saturating_add(packets);
        } else if self.0.len() < MAX_RULES {
            self.0.push((hit, packets));
        } else if let Some(least) = self.0.iter_mut().min_by_key(|(hit, count)| (weight(hit), *count))
            && weight(&least.0) < weight(&hit)
        {
            *least = (hit, packets);
        }
    }
}
