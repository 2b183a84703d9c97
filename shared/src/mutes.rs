//! Whom somebody does not want to hear of: sources that are muted, devices that are trusted. Pure.
//!
//! - The agent keeps such a list for its user, the collector one for all.
//! - Hidden is what is no worse than it was when somebody said so ([`Entry::up_to`]). An incident that becomes worse shows again.
//! - What is not one source (decoys, a shared scan) is hidden only when each address in it is, and all are known.
//! - At most [`MAX_ENTRIES`]; what is over makes room, nothing else does.

use crate::{
    alert::{self, Alert},
    severity::Severity,
};
use ipnet::IpNet;
use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr};

/// Muted and trusted sources together.
pub const MAX_ENTRIES: usize = 1024;
/// The file that keeps them is no larger than this, in bytes: a line has at most 80.
pub const MAX_BYTES: u64 = 100_000;
/// The longest mute with an end, in seconds: 30 days, as at the collector.
pub const MAX_SECONDS: u64 = 2_592_000;
/// The first line of the file.
const HEADER: &str = "firebell-mutes 1";
/// Text longer than this is no address.
const MAX_TEXT: usize = 64;

/// An address or a network, written as one: `192.0.2.7`, `2001:db8::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(IpNet);

/// A text that is no [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// It names nobody.
    #[error("that is no address; write one (192.0.2.7, 2001:db8::7) or a network (192.0.2.0/24)")]
    NoAddress,
    /// It names too many.
    #[error("{0} is too much of the internet to be hidden at once; use /8 or longer (IPv6: /16)")]
    TooWide(Source),
}

impl FromStr for Source {
    type Err = BadSource;

    fn from_str(text: &str) -> Result<Self, BadSource> {
        let source = read(text).ok_or(BadSource::NoAddress)?;
        let shortest = if source.0.addr().is_ipv4() { 8 } else { 16 };
        if source.0.prefix_len() < shortest { Err(BadSource::TooWide(source)) } else { Ok(source) }
    }
}

/// Any address or network, the whole internet included.
fn read(text: &str) -> Option<Source> {
    if text.len() > MAX_TEXT {
        return None;
    }
    match text.parse::<IpAddr>() {
        // A source that is written as IPv4 in IPv6 is the IPv4 one.
        Ok(address) => Some(Source(address.to_canonical().into())),
        Err(_) => text.parse::<IpNet>().ok().map(|network| Source(network.trunc())),
    }
}

impl Source {
    /// As a network; an address is one of its own.
    #[must_use]
    pub const fn network(&self) -> IpNet {
        self.0
    }

    /// Is the incident from this source, and from nowhere else?
    #[must_use]
    pub fn is_of(&self, alert: &Alert) -> bool {
        read(&alert.source).is_some_and(|source| self.contains(source))
    }

    /// Is that one the same, or part of it?
    #[must_use]
    pub fn contains(&self, other: Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// In which way a source is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    /// For a time, or until told otherwise.
    Muted,
    /// Somebody knows that device.
    Trusted,
}

impl Manner {
    /// The word in the file and on the bus.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Muted => "muted",
            Self::Trusted => "trusted",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Muted, Self::Trusted].into_iter().find(|manner| manner.as_str() == word)
    }
}

/// One hidden source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub source: Source,
    /// How.
    pub manner: Manner,
    /// What is worse than this shows.
    pub up_to: Severity,
    /// When it is over, in seconds since 1970. `None`: when somebody says so.
    pub until: Option<u64>,
}

/// There is no room for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_ENTRIES} sources are muted or trusted already; end some, or mute a network")]
pub struct Full;

/// The list. Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutes {
    entries: BTreeMap<(Manner, Source), (Severity, Option<u64>)>,
}

impl Mutes {
    /// Hides a source. One that is hidden in this manner already goes by the new terms.
    ///
    /// # Errors
    /// [`Full`].
    pub fn hide(&mut self, entry: Entry, now: u64) -> Result<(), Full> {
        self.entries.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        let key = (entry.manner, entry.source);
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&key) {
            return Err(Full);
        }
        self.entries.insert(key, (entry.up_to, entry.until));
        Ok(())
    }

    /// Ends it for exactly this source. False: it was not hidden in this manner.
    pub fn end(&mut self, manner: Manner, source: Source, now: u64) -> bool {
        self.entries.remove(&(manner, source)).is_some_and(|(_, until)| until.is_none_or(|until| until > now))
    }

    /// What is hidden now: muted ones first, each by address.
    pub fn list(&self, now: u64) -> impl Iterator<Item = Entry> {
        let entries = self.entries.iter().map(|(&(manner, source), &(up_to, until))| Entry { source, manner, up_to, until });
        entries.filter(move |entry| entry.until.is_none_or(|until| until > now))
    }

    /// Does nobody want to hear of this?
    #[must_use]
    pub fn hides(&self, alert: &Alert, now: u64) -> bool {
        // Somebody has asked for a test.
        if self.entries.is_empty() || alert.kind == "test" {
            return false;
        }
        let hides = |source: &String| {
            read(source).is_some_and(|s| self.list(now).any(|entry| entry.source.0.contains(&s.0) && alert.severity <= entry.up_to))
        };
        if !alert.source.is_empty() {
            return hides(&alert.source);
        }
        let sources = &alert.details.sources;
        // A full list was probably cut.
        (1..alert::MAX_ENTRIES).contains(&sources.len()) && sources.iter().all(hides)
    }

    /// As it is kept in a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (&(manner, source), (up_to, until)) in &self.entries {
            let until = until.map_or_else(|| "-".to_owned(), |until| until.to_string());
            text.push_str(&format!("{} {source} {up_to} {until}\n", manner.as_str()));
        }
        text
    }

    /// Reads [`Mutes::to_text`]. `None`: it is damaged, in whatever place, and nothing of it is believed.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut mutes = Self::default();
        for line in text.strip_suffix('\n')?.strip_prefix(HEADER)?.split('\n').skip(1) {
            let [manner, source, up_to, until] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
            let until = if until == "-" { None } else { Some(until.parse().ok()?) };
            let up_to = Severity::try_from(up_to.parse::<u8>().ok()?).ok()?;
            mutes.entries.insert((Manner::from_word(manner)?, source.parse().ok()?), (up_to, until));
        }
        (mutes.entries.len() <= MAX_ENTRIES).then_some(mutes)
    }
}

/// Up to which severity a source is hidden whose worst incident on record has this one: no worse than what the user has
/// seen, or would see of most. Somebody's own device may also scan broadly; only "act now" is more.
#[must_use]
pub fn up_to(manner: Manner, seen: Option<Severity>) -> Severity {
    match manner {
        Manner::Muted => seen.unwrap_or(Severity::AIMED),
        Manner::Trusted => seen.unwrap_or(Severity::BROAD).max(Severity::BROAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Details;
    use proptest::prelude::*;

    const NOW: u64 = 1_790_000_000;

    fn entry(manner: Manner, source: &str, up_to: Severity, until: Option<u64>) -> Entry {
        Entry { manner, source: source.parse().unwrap(), up_to, until }
    }

    fn muted(source: &str) -> Mutes {
        let mut mutes = Mutes::default();
        mutes.hide(entry(Manner::Muted, source, Severity::AIMED, None), NOW).unwrap();
        mutes
    }

    fn from(source: &str, severity: u8) -> Alert {
        Alert {
            id: 1,
            time_usec: 1_763_800_000_000_000,
            severity: Severity::try_from(severity).unwrap(),
            kind: "syn-scan".into(),
            source: source.into(),
            summary: "something happened".into(),
            details: Details::default(),
        }
    }

    #[test]
    fn a_mute_hides_its_source_and_what_is_in_it_and_nobody_else() {
        let mutes = muted("192.0.2.7");
        assert!(mutes.hides(&from("192.0.2.7", 3), NOW) && mutes.hides(&from("::ffff:192.0.2.7", 3), NOW));
        assert!(!mutes.hides(&from("192.0.2.8", 3), NOW) && !mutes.hides(&from("192.0.2.0/24", 3), NOW));
        let mutes = muted("192.0.2.99/24");
        assert!(mutes.hides(&from("192.0.2.8", 3), NOW) && mutes.hides(&from("192.0.2.0/24", 3), NOW));
        assert!(!mutes.hides(&from("192.0.0.0/16", 3), NOW) && !mutes.hides(&from("2001:db8::1", 3), NOW));
        assert!(muted("2001:db8::/32").hides(&from("2001:db8:1::/48", 3), NOW));
        assert!(!mutes.hides(&from("no address", 3), NOW) && !mutes.hides(&from("", 3), NOW));
    }

    #[test]
    fn what_is_worse_than_at_the_time_of_the_mute_shows() {
        let mutes = muted("192.0.2.7");
        assert!(mutes.hides(&from("192.0.2.7", 3), NOW) && !mutes.hides(&from("192.0.2.7", 4), NOW));
        assert_eq!(up_to(Manner::Muted, None), Severity::AIMED);
        assert_eq!(up_to(Manner::Muted, Some(Severity::NOTABLE)), Severity::NOTABLE);
        assert_eq!(up_to(Manner::Trusted, Some(Severity::NOTABLE)), Severity::BROAD, "act now is never hidden by trust alone");
    }

    #[test]
    fn a_mute_with_an_end_ends_by_itself() {
        let mut mutes = Mutes::default();
        mutes.hide(entry(Manner::Muted, "192.0.2.7", Severity::AIMED, Some(NOW + 60)), NOW).unwrap();
        assert!(mutes.hides(&from("192.0.2.7", 3), NOW + 59) && !mutes.hides(&from("192.0.2.7", 3), NOW + 60));
        assert_eq!((mutes.list(NOW + 59).count(), mutes.list(NOW + 60).count()), (1, 0));
        assert!(!mutes.clone().end(Manner::Muted, "192.0.2.7".parse().unwrap(), NOW + 60), "there is nothing left to end");
        assert!(!mutes.end(Manner::Trusted, "192.0.2.7".parse().unwrap(), NOW), "that is another manner");
        assert!(mutes.end(Manner::Muted, "192.0.2.7".parse().unwrap(), NOW) && mutes == Mutes::default());
    }

    #[test]
    fn a_set_of_sources_is_hidden_only_when_each_of_them_is() {
        let mutes = muted("192.0.2.0/24");
        let mut set = from("", 3);
        set.details.sources = vec!["192.0.2.1".into(), "192.0.2.2".into()];
        assert!(mutes.hides(&set, NOW));
        set.details.sources.push("198.51.100.1".into());
        assert!(!mutes.hides(&set, NOW));
        set.details.sources = vec!["192.0.2.1".into(); alert::MAX_ENTRIES];
        assert!(!mutes.hides(&set, NOW), "there may be more than the list holds");
        assert!(!mutes.hides(&Alert { kind: "test".into(), ..from("192.0.2.1", 1) }, NOW), "a test is shown");
    }

    #[test]
    fn only_what_is_over_makes_room() {
        let mut mutes = Mutes::default();
        for n in 0..MAX_ENTRIES {
            let source = format!("10.{}.{}.1", n / 256, n % 256);
            mutes.hide(entry(Manner::Muted, &source, Severity::AIMED, (n == 0).then_some(NOW + 60)), NOW).unwrap();
        }
        let more = entry(Manner::Trusted, "192.0.2.1", Severity::BROAD, None);
        assert_eq!(mutes.hide(more, NOW), Err(Full));
        assert_eq!(mutes.hide(entry(Manner::Muted, "10.0.1.1", Severity::BROAD, None), NOW), Ok(()), "one that is there already");
        assert_eq!(mutes.hide(more, NOW + 60), Ok(()));
        assert!(mutes.to_text().len() as u64 <= MAX_BYTES && Mutes::from_text(&mutes.to_text()) == Some(mutes));
    }

    #[test]
    fn damage_anywhere_is_nothing_at_all() {
        let mut mutes = muted("192.0.2.7");
        mutes.hide(entry(Manner::Trusted, "2001:db8::/32", Severity::BROAD, Some(NOW)), 0).unwrap();
        let text = mutes.to_text();
        assert_eq!(text, "firebell-mutes 1\nmuted 192.0.2.7 3 -\ntrusted 2001:db8::/32 4 1790000000\n");
        assert_eq!(Mutes::from_text(&text), Some(mutes));
        assert_eq!(Mutes::from_text("firebell-mutes 1\n"), Some(Mutes::default()));
        for damage in [
            "",
            "firebell-mutes 2\n",
            "firebell-mutes 1",
            "firebell-mutes 1\nmuted 192.0.2.7 3 -",
            "firebell-mutes 1\nmuted 192.0.2.7 9 -\n",
            "firebell-mutes 1\nmuted 0.0.0.0/0 3 -\n",
            "firebell-mutes 1\nloved 192.0.2.7 3 -\n",
            "firebell-mutes 1\nmuted 192.0.2.7 3 -1\n",
            "firebell-mutes 1\n\n",
        ] {
            assert_eq!(Mutes::from_text(damage), None, "{damage:?}");
        }
    }

    #[test]
    fn what_is_no_address_or_too_wide_says_what_to_write() {
        for text in ["", "example.org", "192.0.2.7/33", "192.0.2.7 ", &"1".repeat(65_536)] {
            assert_eq!(text.parse::<Source>(), Err(BadSource::NoAddress), "{text:.20}");
        }
        let wide = "0.0.0.0/0".parse::<Source>().unwrap_err().to_string();
        assert!(wide.starts_with("0.0.0.0/0 is too much"), "{wide}");
        assert!("::/0".parse::<Source>().is_err() && "10.0.0.0/8".parse::<Source>().is_ok());
        assert_eq!("192.0.2.7/32".parse::<Source>().unwrap().to_string(), "192.0.2.7");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not_and_what_is_read_is_written_the_same(lines in prop::collection::vec("(muted|trusted) [0-9./:a-f]{1,20} [0-9] ([0-9]{1,4}|-)", 0..4)) {
            let text = format!("{HEADER}\n{}\n", lines.join("\n"));
            if let Some(mutes) = Mutes::from_text(&text) {
                prop_assert_eq!(Mutes::from_text(&mutes.to_text()), Some(mutes));
            }
        }
    }
}
