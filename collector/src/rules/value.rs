//! The values of a rule file: how each is read and checked.
//!
//! Every check runs inside a visitor, so that an error has the place of the value that is wrong.

use firebell_engine::{
    finding::Action,
    signature::{
        Addresses, Bit, Category, Condition, Confidence, Count, Direction, Distinct, Family, Field, Match, Numbers, Pattern, Per, Place,
        Range, Relation, Technique,
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData, time::Duration};

/// Entries of a list in a rule.
const MAX_ENTRIES: usize = 64;

/// A word of a fixed list.
pub(super) trait Listed: Copy + 'static {
    /// What the list is of.
    const WHAT: &'static str;
    const ALL: &'static [Self];
    fn word(self) -> &'static str;
}

macro_rules! listed {
    ($($name:ident $what:literal)*) => { $(
        impl Listed for $name {
            const WHAT: &'static str = $what;
            const ALL: &'static [Self] = $name::ALL;
            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    )* };
}

listed! {
    Confidence "confidence"
    Category "category"
    Direction "direction"
    Family "family"
    Action "verdict"
    Distinct "value that can be told apart"
    Per "side"
}

fn listed<T: Listed>(text: &str) -> Result<T, String> {
    T::ALL.iter().copied().find(|known| known.word() == text).ok_or_else(|| {
        format!("`{text}` is no {}; use {}", T::WHAT, T::ALL.iter().map(|known| known.word()).collect::<Vec<_>>().join(", "))
    })
}

macro_rules! text {
    ($($(#[$doc:meta])* $name:ident($inner:ty) $expected:literal: $read:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        let read: fn(&str) -> Result<$inner, String> = $read;
                        read(text).map($name).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    )* };
}

text! {
    /// The name of a rule.
    Id(String) "a name in quotes": |text| {
        let is_id = (1..=64).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if is_id { Ok(text.to_owned()) } else { Err(format!("`{text}` is no id of 1 to 64 small letters, digits and `-`")) }
    };
    Title(String) "a title in quotes": |text| plain(text, 120);
    Why(String) "one or two sentences in quotes": |text| plain(text, 500);
    Reference(String) "a reference in quotes": |text| plain(text, 300);
    TestLine(String) "a log line in quotes": |text| {
        if text.len() <= firebell_engine::parse::MAX_LINE { Ok(text.to_owned()) } else { Err("longer than a log line can be".to_owned()) }
    };
    /// A MITRE ATT&CK technique.
    TechniqueId(Technique) "an ATT&CK id in quotes": |text| Technique::new(text)
        .ok_or_else(|| format!("`{text}` is no ATT&CK technique that firebell knows; ids look like T1046 or T1595.002"));
    /// As `CVE-2014-1234` (CVE Record Format: four digits of year, four or more of number).
    Cve(String) "a CVE number in quotes": |text| {
        let parts = text.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
        let is_number = |part: &str, range: std::ops::RangeInclusive<usize>| {
            range.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_cve = parts.is_some_and(|(year, number)| is_number(year, 4..=4) && is_number(number, 4..=12));
        if is_cve { Ok(text.to_owned()) } else { Err(format!("`{text}` is no CVE number; they look like CVE-2014-1234")) }
    };
    ConfidenceWord(Confidence) "a confidence in quotes": listed;
    CategoryWord(Category) "a category in quotes": listed;
    DistinctWord(Distinct) "a field in quotes": listed;
    PerWord(Per) "src or dst in quotes": listed;
    Within(Duration) "a time in quotes, as \"10m\"": |text| {
        let time = crate::config::Time::try_from(text)?.get();
        if time <= Count::MAX_WITHIN { Ok(time) } else { Err(format!("`{text}` is longer than a day")) }
    };
}

/// Text for people: one line of printable characters.
fn plain(text: &str, max: usize) -> Result<String, String> {
    let is_plain = (1..=max).contains(&text.len()) && firebell_shared::text::safe(text.as_bytes(), max) == text;
    if is_plain { Ok(text.to_owned()) } else { Err(format!("this is no text of 1 to {max} bytes in one line of plain characters")) }
}

/// One `T`, or a list of them.
struct Several<S>(S);

/// Reads one entry, of a string or a number.
trait Entry: Copy {
    type Value;
    const EXPECTED: &'static str;
    /// An empty list says something.
    const MAY_BE_NONE: bool = false;

    fn text(self, text: &str) -> Result<Self::Value, String>;

    fn number(self, number: i64) -> Result<Self::Value, String> {
        Err(format!("{number} is a number; expected {}", Self::EXPECTED))
    }
}

/// An [`Entry`] on its own.
struct One<S>(S);

impl<'de, S: Entry> DeserializeSeed<'de> for One<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<S: Entry> Visitor<'_> for One<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<S::Value, E> {
        self.0.text(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<S::Value, E> {
        self.0.number(number).map_err(E::custom)
    }
}

impl<'de, S: Entry> DeserializeSeed<'de> for Several<S> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Entry> Visitor<'de> for Several<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list of these", S::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.0.text(text).map(|value| vec![value]).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.0.number(number).map(|value| vec![value]).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = list.next_element_seed(One(self.0))? {
            if all.len() == MAX_ENTRIES {
                return Err(de::Error::custom(format!("more than {MAX_ENTRIES} entries")));
            }
            all.push(value);
        }
        if all.is_empty() && !S::MAY_BE_NONE {
            return Err(de::Error::custom(format!("an empty list; give at least one entry: {}", S::EXPECTED)));
        }
        Ok(all)
    }
}

/// A word of a list.
struct WordOf<T>(PhantomData<T>);

impl<T> Clone for WordOf<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for WordOf<T> {}

impl<T: Listed> Entry for WordOf<T> {
    type Value = T;
    const EXPECTED: &'static str = "a word in quotes";

    fn text(self, text: &str) -> Result<T, String> {
        listed(text)
    }
}

fn words<'de, T: Listed, A: MapAccess<'de>>(map: &mut A) -> Result<Vec<T>, A::Error> {
    map.next_value_seed(Several(WordOf::<T>(PhantomData)))
}

/// Names of IP protocols. Source: IANA, Assigned Internet Protocol Numbers.
const PROTOCOLS: [(&str, u8); 14] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ospf", 89),
    ("pim", 103),
    ("sctp", 132),
    ("udplite", 136),
];

#[derive(Clone, Copy)]
struct Protocol;

impl Entry for Protocol {
    type Value = u8;
    const EXPECTED: &'static str = "a protocol as \"tcp\" or as a number";

    fn text(self, text: &str) -> Result<u8, String> {
        PROTOCOLS.iter().find(|(name, _)| *name == text).map(|(_, number)| *number).ok_or_else(|| {
            format!("`{text}` is no protocol; use {}, or a number from 0 to 255", PROTOCOLS.map(|(name, _)| name).join(", "))
        })
    }

    fn number(self, number: i64) -> Result<u8, String> {
        u8::try_from(number).map_err(|_| format!("{number} is no protocol number; use 0 to 255"))
    }
}

/// A number or a range of them.
#[derive(Clone, Copy)]
struct RangeOf(Field);

impl Entry for RangeOf {
    type Value = (u32, u32);
    const EXPECTED: &'static str = "a number, or several as \"1-9\"";

    fn text(self, text: &str) -> Result<(u32, u32), String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let read = |text: &str| match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-'])),
            None => text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())),
        };
        match (read(first), read(last)) {
            (Some(first), Some(last)) if first <= last => Ok((self.number(first)?.0, self.number(last)?.0)),
            _ => Err(format!("`{text}` is no range of {}; write 22 or \"6000-6010\"", self.0.as_str())),
        }
    }

    fn number(self, number: i64) -> Result<(u32, u32), String> {
        let number_in_range = u32::try_from(number).ok().filter(|number| *number <= self.0.max());
        number_in_range
            .map(|number| (number, number))
            .ok_or_else(|| format!("{number} is out of range for {}; use 0 to {}", self.0.as_str(), self.0.max()))
    }
}

/// The relation that a field can be in, by the word for it.
fn relation(field: Field, word: &str) -> Option<Relation> {
    match (field, word) {
        (Field::Seq, "dst") => Some(Relation::SeqIsDst),
        (Field::Id, "dst^dport^seq") => Some(Relation::IdIsCookie),
        (Field::Sport, "dport") => Some(Relation::SportIsDport),
        _ => None,
    }
}

/// A set of numbers, or a relation.
struct NumbersOf {
    field: Field,
    is_negated: bool,
}

impl NumbersOf {
    fn set<E: de::Error>(&self, ranges: Vec<(u32, u32)>) -> Result<Condition, E> {
        let numbers = Numbers::new(ranges, self.is_negated).ok_or_else(|| E::custom("this is no set of numbers"))?;
        Ok(Condition::Number(self.field, numbers))
    }
}

impl<'de> DeserializeSeed<'de> for NumbersOf {
    type Value = Condition;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Condition, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "kebab-case")]
enum NotKey {
    Not,
}

impl<'de> Visitor<'de> for NumbersOf {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, several as \"1-9\", a list of these, or { not = … }")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Condition, E> {
        let range = RangeOf(self.field).number(number).map_err(E::custom)?;
        self.set(vec![range])
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
        if let Some(relation) = relation(self.field, text).filter(|_| !self.is_negated) {
            return Ok(Condition::Relation(relation));
        }
        let range = RangeOf(self.field).text(text).map_err(E::custom)?;
        self.set(vec![range])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Condition, A::Error> {
        let ranges = Several(RangeOf(self.field)).visit_seq(list)?;
        self.set(ranges)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
        if self.is_negated {
            return Err(de::Error::custom("not of not; give the numbers themselves"));
        }
        let Some(NotKey::Not) = map.next_key()? else { return Err(de::Error::custom("an empty table; write { not = … }")) };
        let condition = map.next_value_seed(Self { field: self.field, is_negated: true })?;
        // A second key is no `not`, so this says that it is unknown.
        map.next_key::<NotKey>()?;
        Ok(condition)
    }
}

/// An address or a network, perhaps with `!`, or a variable.
#[derive(Clone, Copy)]
struct AddressEntry;

impl Entry for AddressEntry {
    type Value = (bool, Range);
    const EXPECTED: &'static str = "a network in quotes";

    fn text(self, text: &str) -> Result<(bool, Range), String> {
        let (name, is_out) = text.strip_prefix('!').map_or((text, false), |rest| (rest.trim_start(), true));
        let range = match name {
            "$home" => Range::Home,
            "$lan" => Range::Lan,
            "$internet" => Range::Internet,
            _ if name.starts_with('$') => return Err(format!("`{name}` is no variable; use $home, $lan or $internet")),
            _ => Range::Network(crate::config::Network::try_from(name)?.range()),
        };
        Ok((is_out, range))
    }
}

/// Addresses of one side.
struct AddressesOf {
    is_source: bool,
}

impl AddressesOf {
    fn condition(&self, entries: Vec<(bool, Range)>) -> Condition {
        let mut addresses = Addresses::default();
        for (is_out, range) in entries {
            if is_out { addresses.without.push(range) } else { addresses.within.push(range) }
        }
        if self.is_source { Condition::Source(addresses) } else { Condition::Destination(addresses) }
    }
}

impl<'de> DeserializeSeed<'de> for AddressesOf {
    type Value = Condition;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Condition, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AddressesOf {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a network in quotes, or a list of these")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
        if self.is_source && text == "dst" {
            return Ok(Condition::Relation(Relation::SrcIsDst));
        }
        AddressEntry.text(text).map(|entry| self.condition(vec![entry])).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Condition, A::Error> {
        Several(AddressEntry).visit_seq(list).map(|entries| self.condition(entries))
    }
}

/// A TCP flag.
#[derive(Clone, Copy)]
struct Flag;

/// In the order of their bits: FIN is 1, CWR is 128.
const FLAGS: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

impl Entry for Flag {
    type Value = u8;
    const EXPECTED: &'static str = "a TCP flag in quotes";
    const MAY_BE_NONE: bool = true;

    fn text(self, text: &str) -> Result<u8, String> {
        let bit = FLAGS.iter().position(|name| *name == text);
        bit.map(|bit| 1 << bit).ok_or_else(|| format!("`{text}` is no TCP flag; use {}", FLAGS.join(", ")))
    }
}

/// All of these and no others, or some set and some clear.
struct FlagsOf;

impl<'de> DeserializeSeed<'de> for FlagsOf {
    type Value = Condition;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Condition, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "kebab-case")]
enum FlagKey {
    Set,
    Clear,
}

impl<'de> Visitor<'de> for FlagsOf {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a TCP flag in quotes, a list of these, or { set = […], clear = […] }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
        let set = Flag.text(text).map_err(E::custom)?;
        Ok(Condition::Flags { set, clear: !set })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Condition, A::Error> {
        let set = Several(Flag).visit_seq(list)?.into_iter().fold(0, |all, bit| all | bit);
        Ok(Condition::Flags { set, clear: !set })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
        let (mut set, mut clear) = (0, 0);
        while let Some(key) = map.next_key()? {
            let bits = map.next_value_seed(Several(Flag))?.into_iter().fold(0, |all, bit| all | bit);
            match key {
                FlagKey::Set => set = bits,
                FlagKey::Clear => clear = bits,
            }
        }
        match (set | clear, set & clear) {
            (0, _) => Err(de::Error::custom("this says nothing; name flags that are set or clear")),
            (_, 0) => Ok(Condition::Flags { set, clear }),
            _ => Err(de::Error::custom("a flag cannot be both set and clear")),
        }
    }
}

/// An option by its name or number.
#[derive(Clone, Copy)]
struct OptionOf(&'static [(&'static str, &'static [u8])]);

/// Source: IANA, Transmission Control Protocol (TCP) Parameters, TCP Option Kind Numbers.
const TCP_OPTIONS: &[(&str, &[u8])] = &[
    ("eol", &[0]),
    ("nop", &[1]),
    ("mss", &[2]),
    ("window-scale", &[3]),
    ("sack-permitted", &[4]),
    ("sack", &[5]),
    ("timestamp", &[8]),
    ("md5", &[19]),
    ("mptcp", &[30]),
    ("fast-open", &[34]),
];
/// Source: IANA, Internet Protocol Version 4 (IPv4) Parameters, IP Option Numbers.
const IP_OPTIONS: &[(&str, &[u8])] = &[
    ("eol", &[0]),
    ("nop", &[1]),
    ("record-route", &[7]),
    ("timestamp", &[68]),
    ("traceroute", &[82]),
    ("security", &[130]),
    ("loose-source-route", &[131]),
    ("strict-source-route", &[137]),
    ("source-route", &[131, 137]),
    ("router-alert", &[148]),
];

impl Entry for OptionOf {
    /// One of these.
    type Value = Vec<u8>;
    const EXPECTED: &'static str = "the name of an option in quotes, or its number";

    fn text(self, text: &str) -> Result<Vec<u8>, String> {
        self.0.iter().find(|(name, _)| *name == text).map(|(_, kinds)| kinds.to_vec()).ok_or_else(|| {
            format!("`{text}` is no option; use {}, or a number", self.0.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
        })
    }

    fn number(self, number: i64) -> Result<Vec<u8>, String> {
        u8::try_from(number).map(|kind| vec![kind]).map_err(|_| format!("{number} is no option; use 0 to 255"))
    }
}

text! {
    /// Options as hex digits.
    HexBytes(Vec<u8>) "hex digits in quotes": |text| {
        let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>().unwrap_or_default();
        // A TCP header has room for 40 bytes (RFC 9293).
        if digits.len() == text.len() && digits.len().is_multiple_of(2) && digits.len() <= 80 {
            Ok(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | u8::try_from(*digit).unwrap_or(0))).collect())
        } else {
            Err(format!("`{text}` is no row of at most 40 bytes in hex digits"))
        }
    };
}

/// A text, a glob, or a regular expression.
struct PatternOf(Place);

/// Linux include/uapi/linux/netfilter/nf_log.h: `NF_LOG_PREFIXLEN` is 128 with the final zero.
const MAX_PATTERN: usize = 127;

impl PatternOf {
    fn literal(&self, text: &str) -> Result<Pattern, String> {
        match self.0 {
            Place::Prefix if (1..=MAX_PATTERN).contains(&text.trim_end().len()) => Ok(Pattern::exactly(text.trim_end().as_bytes())),
            Place::Prefix => Err(format!("a log prefix has 1 to {MAX_PATTERN} bytes, this one has {}", text.len())),
            Place::Mac => {
                let text = text.to_ascii_lowercase();
                let is_mac = (1..=17).contains(&text.len())
                    && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':' | b'*' | b'?'));
                if is_mac {
                    Ok(Pattern::glob(&text))
                } else {
                    Err(format!("`{text}` is no MAC address; write aa:bb:cc:dd:ee:ff or aa:bb:cc:*"))
                }
            }
            Place::In | Place::Out | Place::PhysIn | Place::PhysOut => {
                // Linux include/uapi/linux/if.h: IFNAMSIZ is 16 with the final zero.
                let is_name = (1..=15).contains(&text.len()) && !text.contains(['/', ':', ' ']);
                if is_name { Ok(Pattern::interface(text)) } else { Err(format!("`{text}` is no interface of 1 to 15 characters")) }
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for PatternOf {
    type Value = Condition;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Condition, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "kebab-case")]
enum PatternKey {
    Glob,
    Regex,
}

text! {
    Glob(Pattern) "a pattern in quotes": |text| {
        if (1..=MAX_PATTERN).contains(&text.len()) { Ok(Pattern::glob(text)) } else { Err(format!("a pattern has 1 to {MAX_PATTERN} bytes")) }
    };
    RegularExpression(Pattern) "a regular expression in quotes": |text| {
        if (1..=MAX_PATTERN).contains(&text.len()) { Pattern::regex(text) } else { Err(format!("a pattern has 1 to {MAX_PATTERN} bytes")) }
    };
}

impl<'de> Visitor<'de> for PatternOf {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes, { glob = \"…\" } or { regex = \"…\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
        self.literal(text).map(|pattern| Condition::Text(self.0, pattern)).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
        let pattern = match map.next_key()? {
            Some(PatternKey::Glob) => map.next_value::<Glob>()?.0,
            Some(PatternKey::Regex) => map.next_value::<RegularExpression>()?.0,
            None => return Err(de::Error::custom("an empty table; write { glob = \"…\" } or { regex = \"…\" }")),
        };
        if map.next_key::<PatternKey>()?.is_some() {
            return Err(de::Error::custom("give either glob or regex"));
        }
        Ok(Condition::Text(self.0, pattern))
    }
}

/// The keys of `[rule.match]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Family,
    Proto,
    Src,
    Dst,
    Number(Field),
    Flags,
    Bit(Bit),
    TcpOption,
    TcpOptions,
    IpOption,
    Text(Place),
    Verdict,
    Direction,
}

/// Every key of `[rule.match]`, as it is written.
fn keys() -> impl Iterator<Item = (&'static str, Key)> {
    let fixed = [
        ("family", Key::Family),
        ("proto", Key::Proto),
        ("src", Key::Src),
        ("dst", Key::Dst),
        ("flags", Key::Flags),
        ("tcp-option", Key::TcpOption),
        ("tcp-options", Key::TcpOptions),
        ("ip-option", Key::IpOption),
        ("verdict", Key::Verdict),
        ("direction", Key::Direction),
    ];
    let numbers = Field::ALL.iter().map(|field| (field.as_str(), Key::Number(*field)));
    let bits = Bit::ALL.iter().map(|bit| (bit.as_str(), Key::Bit(*bit)));
    let texts = Place::ALL.iter().map(|place| (place.as_str(), Key::Text(*place)));
    fixed.into_iter().chain(numbers).chain(bits).chain(texts)
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key of [rule.match]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
                keys().find(|(name, _)| *name == text).map(|(_, key)| key).ok_or_else(|| {
                    let names: Vec<String> = keys().map(|(name, _)| format!("`{name}`")).collect();
                    E::custom(format!("unknown field `{text}`, expected one of {}", names.join(", ")))
                })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

/// `[rule.match]`
#[derive(Debug)]
pub(super) struct MatchTable(pub(super) Match);

impl<'de> Deserialize<'de> for MatchTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = MatchTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of what a packet must be")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MatchTable, A::Error> {
                let mut found = Match::default();
                while let Some(key) = map.next_key::<Key>()? {
                    let condition = match key {
                        Key::Proto => {
                            found.protocols = map.next_value_seed(Several(Protocol))?;
                            continue;
                        }
                        Key::Verdict => {
                            found.actions = words(&mut map)?;
                            continue;
                        }
                        Key::Direction => {
                            found.directions = words(&mut map)?;
                            continue;
                        }
                        Key::Family => Condition::Family(map.next_value_seed(One(WordOf::<Family>(PhantomData)))?),
                        Key::Src => map.next_value_seed(AddressesOf { is_source: true })?,
                        Key::Dst => map.next_value_seed(AddressesOf { is_source: false })?,
                        Key::Number(field) => map.next_value_seed(NumbersOf { field, is_negated: false })?,
                        Key::Flags => map.next_value_seed(FlagsOf)?,
                        Key::Bit(bit) => Condition::Bit(bit, map.next_value()?),
                        Key::TcpOption => Condition::TcpOptions(map.next_value_seed(Several(OptionOf(TCP_OPTIONS)))?.concat()),
                        Key::TcpOptions => Condition::TcpOptionBytes(map.next_value::<HexBytes>()?.0),
                        Key::IpOption => Condition::IpOptions(map.next_value_seed(Several(OptionOf(IP_OPTIONS)))?),
                        Key::Text(place) => map.next_value_seed(PatternOf(place))?,
                    };
                    found.conditions.push(condition);
                }
                found.protocols.sort_unstable();
                found.protocols.dedup();
                if found.protocols.is_empty() && found.conditions.is_empty() {
                    return Err(de::Error::custom("this would fit every packet; give proto or any other key"));
                }
                Ok(MatchTable(found))
            }
        }
        deserializer.deserialize_map(Table)
    }
}
