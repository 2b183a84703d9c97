//! Keyed hashing: addresses come from the wire, and whoever knows the hash can choose those that collide.

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// `SipHash` 1-3 with a key of its own per start (a fixed one in replay, so that it is exact).
///
/// Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012; the 1-3 variant is what hash tables use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    base: SipHasher13,
    /// Secret and odd.
    first: u64,
    second: u64,
}

impl Hasher {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        let mut hasher = Self { base: SipHasher13::new_with_key(&key), first: 0, second: 0 };
        (hasher.first, hasher.second) = (hasher.hash(1, 1) | 1, hasher.hash(2, 2) | 1);
        hasher
    }

    /// Hashes two words that the wire chose.
    pub(crate) fn hash(&self, first: u64, second: u64) -> u64 {
        // All at once is faster than one after the other.
        self.base.hash(&(u128::from(second) << 64 | u128::from(first)).to_le_bytes())
    }

    /// Mixes two words of which at least one is a hash of ours or counts things of ours, in a tenth of the time.
    ///
    /// A multiplication with secret factors, folded (as in wyhash and foldhash). Nobody sees its results, and what goes
    /// in is keyed already, so nothing can be aimed at.
    pub(crate) fn mix(&self, first: u64, second: u64) -> u64 {
        let product = u128::from(first ^ self.first).wrapping_mul(u128::from(second ^ self.second));
        #[allow(clippy::cast_possible_truncation, reason = "the two halves of 128 bits")]
        let folded = product as u64 ^ (product >> 64) as u64;
        folded.wrapping_mul(self.first).rotate_left(23)
    }
}

/// Numbers that nobody outside can foresee, the same ones in every replay (SplitMix64; Steele, Lea, Flood, OOPSLA 2014).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        #[allow(clippy::cast_possible_truncation, reason = "less than the bound, which is a usize")]
        {
            ((u128::from(z) * bound as u128) >> 64) as usize
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher as _;

    #[test]
    fn two_words_hash_as_if_they_came_one_after_the_other() {
        let key = [7; 16];
        for (first, second) in [(0, 0), (1, 2), (u64::MAX, 1), (0x0102_0304_0506_0708, u64::MAX)] {
            let mut state = SipHasher13::new_with_key(&key);
            state.write_u64(first);
            state.write_u64(second);
            assert_eq!(Hasher::new(key).hash(first, second), state.finish());
        }
    }
}
