//! The five levels of severity.

use std::fmt;

/// How bad an incident is, 1 (background) to 5 (act now).
///
/// Ordered: a higher level is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(u8);

impl Severity {
    /// Single probes, backscatter: counted, told in a digest.
    pub const BACKGROUND: Self = Self(1);
    /// Slow or repeated, known research scanners, visibility problems.
    pub const NOTABLE: Self = Self(2);
    /// Aimed at this machine.
    pub const AIMED: Self = Self(3);
    /// Broad or intrusive.
    pub const BROAD: Self = Self(4);
    /// Act now.
    pub const CRITICAL: Self = Self(5);

    /// The level as a number, 1..=5.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Severity {
    type Error = BadSeverity;

    fn try_from(level: u8) -> Result<Self, BadSeverity> {
        if (1..=5).contains(&level) { Ok(Self(level)) } else { Err(BadSeverity(level)) }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> serde::Deserialize<'de> for Severity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let level = u8::deserialize(deserializer)?;
        Self::try_from(level).map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Severity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

/// A number that is no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a severity; use 1 (background) to 5 (act now)")]
pub struct BadSeverity(pub u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_to_five_are_severities() {
        assert_eq!(Severity::try_from(0), Err(BadSeverity(0)));
        assert_eq!(Severity::try_from(6), Err(BadSeverity(6)));
        assert_eq!(Severity::try_from(3), Ok(Severity::AIMED));
        assert!(Severity::CRITICAL > Severity::BACKGROUND);
    }
}
