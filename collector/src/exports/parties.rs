//! Who, whom and which rule of an alert, for readers that take one address and one number where we may have several.

use firebell_shared::{alert::Alert, kind::KINDS};
use std::net::IpAddr;

/// The first number that is ours: those from 1,000,000 to 1,999,999 are for local use among the readers of Snort's and
/// Suricata's rules (the Snort manual, "sid").
const FIRST_SID: u32 = 1_000_001;
/// Numbers of rules begin here, behind those of kinds.
const FIRST_RULE: u32 = 1_100_000;
/// And there are so many.
const RULES: u32 = 900_000;

/// One address for each side, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parties {
    /// The source; of several the first, of a network its address. Nothing where it is our own host.
    pub(super) source: Option<IpAddr>,
    /// The first target.
    pub(super) target: Option<IpAddr>,
    /// The port, where it was only one.
    pub(super) port: Option<u16>,
}

/// A rule that fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// What it says.
    pub(super) title: &'a str,
}

impl Parties {
    /// Those of this alert.
    pub(super) fn of(alert: &Alert) -> Self {
        let address = |text: &String| text.split('/').next().and_then(|address| address.parse().ok());
        Self {
            source: alert
                .details
                .sources
                .first()
                .filter(|_| alert.source.is_empty() || alert.source.contains('/'))
                .map_or_else(|| address(&alert.source), address),
            target: alert.details.targets.first().and_then(address),
            port: alert.details.ports.parse().ok(),
        }
    }
}

impl<'a> Rule<'a> {
    /// Those of this alert, the best first.
    pub(super) fn all(alert: &'a Alert) -> impl Iterator<Item = Self> {
        // `id: title xN`, as `convert` writes it.
        alert.details.signatures.iter().filter_map(|text| {
            let (id, rest) = text.split_once(": ")?;
            Some(Self { id, title: rest.rsplit_once(" x").map_or(rest, |(title, _)| title) })
        })
    }

    /// The one that the alert is about, where it is about one.
    pub(super) fn told(alert: &'a Alert) -> Option<Self> {
        Self::all(alert).next().filter(|_| alert.kind == "signature")
    }

    /// Its number: the one in a name such as `SID1234`, which fwsnort's have, else one that is made of the name and stays the same.
    pub(super) fn sid(self) -> u32 {
        let digits = self.id.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let is_number = self.id.len() - digits.len() <= 4 && self.id.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("sid"));
        is_number.then(|| digits.parse().ok()).flatten().unwrap_or_else(|| {
            // FNV-1a of 32 bits: small, and the same for ever.
            let hash = self.id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
            FIRST_RULE + hash % RULES
        })
    }
}

/// The number of what the alert says: that of its rule, or of its kind.
pub(super) fn sid(alert: &Alert) -> u32 {
    let kind = || KINDS.iter().zip(FIRST_SID..).find(|(kind, _)| **kind == alert.kind).map_or(FIRST_SID - 1, |(_, sid)| sid);
    Rule::told(alert).map_or_else(kind, Rule::sid)
}

/// And in words that are the same for each such alert, so that a reader can count them.
pub(super) fn title(alert: &Alert) -> String {
    Rule::told(alert).map_or_else(|| format!("firebell {}", alert.kind), |rule| rule.title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::tests::sample;

    #[test]
    fn of_several_sources_the_first_is_named_and_of_a_network_its_address() {
        let of = |source: &str, sources: &[&str]| {
            let mut alert = sample();
            (alert.source, alert.details.sources) = (source.into(), sources.iter().map(|source| (*source).to_owned()).collect());
            Parties::of(&alert).source.map(|address| address.to_string())
        };
        assert_eq!(of("198.51.100.66", &["203.0.113.1"]).as_deref(), Some("198.51.100.66"));
        assert_eq!(of("198.51.100.0/24", &[]).as_deref(), Some("198.51.100.0"));
        assert_eq!(of("2001:db8::/48", &["2001:db8::7"]).as_deref(), Some("2001:db8::7"));
        assert_eq!(of("", &["203.0.113.1", "203.0.113.2"]).as_deref(), Some("203.0.113.1"));
        assert_eq!((of("", &[]), of("nonsense", &[])), (None, None));
    }

    #[test]
    fn numbers_of_kinds_and_rules_stay_what_they_are() {
        let mut alert = sample();
        assert_eq!((sid(&alert), title(&alert).as_str()), (1_000_001, "firebell syn-scan"));
        alert.kind = "flood".into();
        assert_eq!(sid(&alert), 1_000_016);
        alert.kind = "signature".into();
        alert.details.signatures = vec!["mirai-syn: Mirai: looks for victims x12".into(), "other: Other x1".into()];
        assert_eq!((sid(&alert), title(&alert).as_str()), (1_913_834, "Mirai: looks for victims"));
        let number = |id| Rule { id, title: "" }.sid();
        assert_eq!((number("sid-2003"), number("SID1234")), (2003, 1234));
        assert!((FIRST_RULE..FIRST_RULE + RULES).contains(&number("side-99999999999")));
    }
}
