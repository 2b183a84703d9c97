//! Texts of earlier lines that are compared with those of the line at hand.

/// Some bytes of a line, at most `N`; none before any were kept.
#[derive(Clone, Debug)]
pub(crate) struct Bytes<const N: usize> {
    bytes: [u8; N],
    /// [`NONE`], which no line is, for none.
    length: usize,
}

const NONE: usize = usize::MAX;

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Self { bytes: [0; N], length: NONE }
    }
}

impl<const N: usize> Bytes<N> {
    /// Does `text` begin with them?
    #[inline(always)]
    pub(crate) fn begin(&self, text: &[u8]) -> bool {
        text.get(..self.length).is_some_and(|start| self.are(start))
    }

    /// Are they `text`?
    #[inline(always)]
    pub(crate) fn are(&self, text: &[u8]) -> bool {
        self.bytes.get(..self.length) == Some(text)
    }

    /// How many they are.
    #[inline(always)]
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// Keeps these for those before. False, and nothing kept: they are too many.
    pub(crate) fn learn(&mut self, bytes: &[u8]) -> bool {
        let Some(place) = self.bytes.get_mut(..bytes.len()) else { return false };
        place.copy_from_slice(bytes);
        self.length = bytes.len();
        true
    }

    pub(crate) fn forget(&mut self) {
        self.length = NONE;
    }
}
