//! The values of `firebell.toml`: how each is read, checked and printed.

use super::{From, Source, Sources};
use firebell_engine::config::{Ignore, Level, Network as Range, SeverityRule};
use firebell_shared::severity::Severity;
use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};
use std::{
    fmt,
    marker::PhantomData,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

/// The absolute path of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// One that the program knows; absolute.
    pub(super) fn from_static(path: &'static str) -> Self {
        Self(path.into())
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl TryFrom<&str> for FilePath {
    type Error = String;

    fn try_from(path: &str) -> Result<Self, String> {
        if path.starts_with('/') { Ok(Self(path.into())) } else { Err(format!("`{path}` is not an absolute path; write it from `/`")) }
    }
}

/// A log prefix as a rule gives it. The space that ends it does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Is this the prefix of a line, given without the space that ends it?
    #[must_use]
    pub fn is(&self, prefix: &[u8]) -> bool {
        self.0.as_bytes() == prefix.trim_ascii_end()
    }
}

impl TryFrom<&str> for Prefix {
    type Error = String;

    fn try_from(prefix: &str) -> Result<Self, String> {
        let prefix = prefix.trim_end();
        // Linux include/uapi/linux/netfilter/nf_log.h: NF_LOG_PREFIXLEN is 128 with the final zero.
        if (1..=127).contains(&prefix.len()) {
            Ok(Self(prefix.to_owned()))
        } else {
            Err(format!("a log prefix has 1 to 127 bytes, this one has {}", prefix.len()))
        }
    }
}

/// Someone who may hear alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A user by number.
    Uid(u32),
    /// A user by name or, when no user is called so, a group.
    Name(String),
    /// A group, written `@name`.
    Group(String),
}

impl TryFrom<&str> for Viewer {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        const FORMS: &str = "write a user (`ana`), a group (`@wheel`) or a user id (`1000`)";
        if let Ok(uid) = text.parse() {
            return Ok(Self::Uid(uid));
        }
        let (name, is_group) = text.strip_prefix('@').map_or((text, false), |name| (name, true));
        if name.is_empty() || name.len() > 256 || name.contains([':', ',', '@', '\n', ' ']) {
            return Err(format!("`{text}` is no viewer; {FORMS}"));
        }
        Ok(if is_group { Self::Group(name.to_owned()) } else { Self::Name(name.to_owned()) })
    }
}

impl fmt::Display for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => uid.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

/// A number from 1 to `MAX`.
pub type Count<const MAX: u32> = Whole<1, MAX>;

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Whole<const MIN: u32, const MAX: u32>(pub(super) u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// The number, in the width that it was read by.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> TryFrom<i64> for Whole<MIN, MAX> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let number_in_range = u32::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
        number_in_range.map(Self).ok_or_else(|| format!("{number} is out of range; use {MIN} to {MAX}"))
    }
}

/// A time as `1500ms`, `90s`, `10m`, `1h` or `2d`: at least a second, at most `DAYS` days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpTo<const DAYS: u64>(pub(super) Duration);

/// A time in which something is watched or waited for.
pub(crate) type Time = UpTo<30>;
/// A time for which something is kept.
pub(super) type Age = UpTo<3650>;

impl Time {
    pub(crate) const fn get(self) -> Duration {
        self.0
    }
}

impl<const DAYS: u64> TryFrom<&str> for UpTo<DAYS> {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time; use a number and a unit from 1s to {DAYS}d: 1500ms, 90s, 10m, 1h, 2d");
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
        let millis = number.parse::<u32>().ok().map(|number| u64::from(number) * unit);
        millis
            .filter(|millis| (1_000..=DAYS * 86_400_000).contains(millis))
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(wrong)
    }
}

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The shortest form that [`Time`] reads as the same.
pub(super) fn time_text(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (name, unit) = UNITS.iter().find(|(_, unit)| millis.is_multiple_of(*unit)).unwrap_or(&("ms", 1));
    quoted(&format!("{}{name}", millis / unit))
}

/// A positive number of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Score(f64);

impl TryFrom<f64> for Score {
    type Error = String;

    fn try_from(score: f64) -> Result<Self, String> {
        if (0.01..=1000.0).contains(&score) { Ok(Self(score)) } else { Err(format!("{score} is out of range; use 0.01 to 1000")) }
    }
}

/// A number that others are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Part(f64);

impl TryFrom<f64> for Part {
    type Error = String;

    fn try_from(part: f64) -> Result<Self, String> {
        if (0.0..=10.0).contains(&part) { Ok(Self(part)) } else { Err(format!("{part} is out of range; use 0 to 10")) }
    }
}

/// Five numbers, each larger than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<u32>")]
pub(super) struct Levels([u32; 5]);

impl TryFrom<Vec<u32>> for Levels {
    type Error = &'static str;

    fn try_from(levels: Vec<u32>) -> Result<Self, Self::Error> {
        let levels = <[u32; 5]>::try_from(levels).ok().filter(|levels| levels.is_sorted_by(|a, b| a < b) && levels.first() > Some(&0));
        levels.map(Self).ok_or("write five numbers of packets, each larger than the one before: [5, 15, 150, 1500, 10000]")
    }
}

/// One port.
pub(super) type Port = Whole<0, 65_535>;

/// A network, as `192.0.2.0/24`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(IpNet);

impl Network {
    /// Its address and the length of its prefix.
    pub(crate) fn range(self) -> Range {
        (self.0.network(), self.0.prefix_len())
    }
}

impl TryFrom<&str> for Network {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let network =
            crate::history::network_of(text).ok_or_else(|| format!("`{text}` is no network; write 192.0.2.0/24 or 2001:db8::/32"))?;
        if network.trunc() == network {
            Ok(Self(network))
        } else {
            Err(format!("`{text}` has bits behind the prefix; write {}", network.trunc()))
        }
    }
}

/// What stands in a log prefix before a number; empty for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SidPrefix(String);

impl TryFrom<&str> for SidPrefix {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let is_text = text.len() <= 32 && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !byte.is_ascii_digit());
        if is_text { Ok(Self(text.to_owned())) } else { Err(format!("`{text}` is no text of at most 32 characters without digits")) }
    }
}

/// A word in a log prefix: letters and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word(String);

impl TryFrom<&str> for Word {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let is_word = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_word { Ok(Self(text.to_owned())) } else { Err(format!("`{text}` is no word of 1 to 32 letters and digits")) }
    }
}

/// A name for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl TryFrom<&str> for Name {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let is_name = (1..=64).contains(&text.len()) && firebell_shared::text::safe(text.as_bytes(), 64) == text;
        if is_name { Ok(Self(text.to_owned())) } else { Err("this is no name of 1 to 64 plain characters".to_owned()) }
    }
}

impl std::convert::From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// The name of a network interface; a `+` at the end stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface(String);

impl TryFrom<&str> for Interface {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        // Linux include/uapi/linux/if.h: IFNAMSIZ is 16 with the final zero; net/core/dev.c, dev_valid_name().
        let is_name = (1..=15).contains(&text.len()) && !text.contains(['/', ':', ' ']);
        if is_name { Ok(Self(text.to_owned())) } else { Err(format!("`{text}` is no interface of 1 to 15 characters")) }
    }
}

/// An IP protocol: a name or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Protocol(u8);

/// Names that netfilter logs. Source: Linux net/netfilter/nf_log_syslog.c; numbers from IANA's registry.
const PROTOCOLS: [(&str, u8); 7] = [("tcp", 6), ("udp", 17), ("icmp", 1), ("icmpv6", 58), ("udplite", 136), ("esp", 50), ("ah", 51)];

impl TryFrom<&str> for Protocol {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let known = PROTOCOLS.iter().find(|(name, _)| *name == text);
        known.map(|(_, number)| Self(*number)).ok_or_else(|| {
            format!("`{text}` is no protocol; use {}, or a number from 0 to 255", PROTOCOLS.map(|(name, _)| name).join(", "))
        })
    }
}

impl TryFrom<i64> for Protocol {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        u8::try_from(number).map(Self).map_err(|_| format!("{number} is no protocol number; use 0 to 255"))
    }
}

fn protocol_text(number: u8) -> String {
    PROTOCOLS.iter().find(|(_, known)| *known == number).map_or_else(|| number.to_string(), |(name, _)| quoted(name))
}

/// A port, or several from the first to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports(RangeInclusive<u16>);

impl TryFrom<&str> for Ports {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let ends = text.split_once('-').and_then(|(first, last)| Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?)));
        match ends.filter(|(first, last)| first <= last) {
            Some((first, last)) => Ok(Self(first..=last)),
            None => Err(format!("`{text}` is no range of ports; write 22 or \"6000-6010\"")),
        }
    }
}

impl TryFrom<i64> for Ports {
    type Error = String;

    fn try_from(port: i64) -> Result<Self, String> {
        u16::try_from(port).map(|port| Self(port..=port)).map_err(|_| format!("{port} is no port; use 0 to 65535"))
    }
}

fn ports_text(ports: &[RangeInclusive<u16>]) -> String {
    let text = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => quoted(&format!("{first}-{last}")),
    };
    format!("[{}]", ports.iter().map(text).collect::<Vec<_>>().join(", "))
}

macro_rules! from_text {
    ($($name:ident $expected:literal)*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text($expected, PhantomData))
            }
        }
    )* };
}

from_text! {
    FilePath "an absolute path in quotes"
    Prefix "a log prefix in quotes"
    Viewer "a user or group in quotes"
    Time "a time in quotes, as \"10m\""
    Age "a time in quotes, as \"365d\""
    Network "a network in quotes"
    Word "a word in quotes"
    SidPrefix "a text in quotes"
    Name "a name in quotes"
    Interface "the name of an interface in quotes"
}

/// Reads a string as a `T`; first what is expected instead of anything else. The check runs inside the
/// visitor: `#[serde(try_from)]` checks later, when the parser has forgotten which entry of a list it was.
struct Text<T>(&'static str, PhantomData<T>);

impl<T: for<'a> TryFrom<&'a str, Error = String>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::try_from(text).map_err(E::custom)
    }
}

/// As [`Text`], or a whole number.
struct TextOrNumber<T>(&'static str, PhantomData<T>);

impl<T: for<'a> TryFrom<&'a str, Error = String> + TryFrom<i64, Error = String>> de::Visitor<'_> for TextOrNumber<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::try_from(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::try_from(number).map_err(E::custom)
    }
}

macro_rules! from_text_or_number {
    ($($name:ident $expected:literal)*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(TextOrNumber($expected, PhantomData))
            }
        }
    )* };
}

from_text_or_number! {
    Protocol "a protocol as \"tcp\" or as a number"
    Ports "a port as a number, or several as \"6000-6010\""
}

/// A list of at most `MAX` entries.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<T>", bound = "T: Deserialize<'de>")]
pub(super) struct List<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> TryFrom<Vec<T>> for List<T, MAX> {
    type Error = String;

    fn try_from(list: Vec<T>) -> Result<Self, String> {
        if list.len() <= MAX { Ok(Self(list)) } else { Err(format!("{} entries; at most {MAX} are allowed", list.len())) }
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => f.write_str(&one.print().unwrap_or_default()),
            several => write!(f, "[{}]", several.iter().filter_map(Source::print).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> de::Visitor<'de> for OneOrSeveral {
            type Value = Sources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("auto, kmsg, journal or file in quotes, or a list")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sources, E> {
                Source::deserialize(de::value::StrDeserializer::new(text)).map(|source| Sources(vec![source]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Sources, A::Error> {
                let mut sources = Vec::new();
                while let Some(source) = list.next_element()? {
                    if source == Source::Auto {
                        return Err(de::Error::custom("auto chooses one; a list names those that are all read: kmsg, journal, file"));
                    }
                    if sources.contains(&source) {
                        return Err(de::Error::custom("this list names a source twice"));
                    }
                    sources.push(source);
                }
                if sources.is_empty() { Err(de::Error::custom("an empty list; name kmsg, journal or file")) } else { Ok(Sources(sources)) }
            }
        }

        deserializer.deserialize_any(OneOrSeveral)
    }
}

/// Packets to ignore, as the file gives them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct IgnoreTable {
    source: Option<Network>,
    protocol: Option<Protocol>,
    ports: Option<List<Ports, 64>>,
    interface: Option<Interface>,
    prefix: Option<Prefix>,
}

impl TryFrom<IgnoreTable> for Ignore {
    type Error = &'static str;

    fn try_from(table: IgnoreTable) -> Result<Self, Self::Error> {
        let ignore = Self {
            source: table.source.map(Network::range),
            protocol: table.protocol.map(|protocol| protocol.0),
            ports: table.ports.map(Value::value).unwrap_or_default(),
            interface: table.interface.map(|name| name.0),
            prefix: table.prefix.map(|prefix| prefix.0),
        };
        if ignore == Self::default() {
            Err("this would ignore every packet; give source, protocol, ports, interface or prefix")
        } else {
            Ok(ignore)
        }
    }
}

/// A severity of its own for a source, as the file gives it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SeverityTable {
    source: Network,
    protocol: Option<Protocol>,
    ports: Option<List<Ports, 64>>,
    minimum: Option<Whole<1, 5>>,
    fixed: Option<Whole<0, 5>>,
}

impl TryFrom<SeverityTable> for SeverityRule {
    type Error = &'static str;

    fn try_from(table: SeverityTable) -> Result<Self, Self::Error> {
        let level = match (table.minimum, table.fixed) {
            (Some(minimum), None) => Level::Minimum(u8::try_from(minimum.0).unwrap_or(5)),
            (None, Some(fixed)) => Level::Fixed(u8::try_from(fixed.0).unwrap_or(5)),
            _ => return Err("give either minimum (1 to 5) or fixed (0 to 5)"),
        };
        let ports = table.ports.map(Value::value).unwrap_or_default();
        Ok(Self { source: table.source.range(), protocol: table.protocol.map(|protocol| protocol.0), ports, level })
    }
}

/// Reads a table as an `F`, and makes a `T` of it inside the visitor, for the reason that [`Text`] gives.
struct Table<F, T>(PhantomData<(F, T)>);

impl<'de, F: Deserialize<'de>, T: TryFrom<F, Error = &'static str>> de::Visitor<'de> for Table<F, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::try_from(F::deserialize(MapAccessDeserializer::new(map))?).map_err(de::Error::custom)
    }
}

/// An `[[ignore]]` table.
#[derive(Debug)]
pub(super) struct IgnoreEntry(Ignore);

impl<'de> Deserialize<'de> for IgnoreEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table::<IgnoreTable, _>(PhantomData)).map(Self)
    }
}

/// A `[[severity]]` table.
#[derive(Debug)]
pub(super) struct SeverityEntry(SeverityRule);

impl<'de> Deserialize<'de> for SeverityEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table::<SeverityTable, _>(PhantomData)).map(Self)
    }
}

/// What is read becomes a value of the type `T`.
pub(super) trait Value<T> {
    fn value(self) -> T;
}

macro_rules! value {
    ($($from:ty => $to:ty: $get:expr;)*) => { $(
        impl Value<$to> for $from {
            fn value(self) -> $to {
                let get: fn($from) -> $to = $get;
                get(self)
            }
        }
    )* };
}

value! {
    bool => bool: |value| value;
    String => String: |value| value;
    Sources => Sources: |value| value;
    From => From: |value| value;
    FilePath => FilePath: |value| value;
    Prefix => Prefix: |value| value;
    Viewer => Viewer: |value| value;
    Score => f64: |score| score.0;
    Word => String: |word| word.0;
    SidPrefix => String: |text| text.0;
    Network => Range: Network::range;
    Ports => RangeInclusive<u16>: |ports| ports.0;
    IgnoreEntry => Ignore: |entry| entry.0;
    SeverityEntry => SeverityRule: |entry| entry.0;
    Severity => Option<u8>: |severity| Some(severity.get());
    Severity => u8: Severity::get;
    Part => f64: |part| part.0;
    Levels => [u32; 5]: |levels| levels.0;
}

impl<const DAYS: u64> Value<Duration> for UpTo<DAYS> {
    fn value(self) -> Duration {
        self.0
    }
}

impl Value<Option<Self>> for FilePath {
    fn value(self) -> Option<Self> {
        Some(self)
    }
}

impl<const MIN: u32, const MAX: u32> Value<usize> for Whole<MIN, MAX> {
    fn value(self) -> usize {
        self.get()
    }
}

impl<const MIN: u32, const MAX: u32> Value<u32> for Whole<MIN, MAX> {
    fn value(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Value<u64> for Whole<MIN, MAX> {
    fn value(self) -> u64 {
        u64::from(self.0)
    }
}

impl Value<u16> for Port {
    fn value(self) -> u16 {
        u16::try_from(self.0).unwrap_or(u16::MAX)
    }
}

impl<const MAX: u32> Value<Self> for Count<MAX> {
    fn value(self) -> Self {
        self
    }
}

impl<F: Value<T>, T, const MAX: usize> Value<Vec<T>> for List<F, MAX> {
    fn value(self) -> Vec<T> {
        self.0.into_iter().map(F::value).collect()
    }
}

impl<F: Value<T>, T, const MAX: usize> Value<Option<Vec<T>>> for List<F, MAX> {
    fn value(self) -> Option<Vec<T>> {
        Some(self.value())
    }
}

/// A value as the file says it; nothing where leaving the key out says the same.
pub(super) trait Print {
    fn print(&self) -> Option<String>;
}

macro_rules! print {
    ($($type:ty: $print:expr;)*) => { $(
        impl Print for $type {
            fn print(&self) -> Option<String> {
                let print: fn(&$type) -> String = $print;
                Some(print(self))
            }
        }
    )* };
}

print! {
    bool: bool::to_string;
    u8: u8::to_string;
    u16: u16::to_string;
    u32: u32::to_string;
    u64: u64::to_string;
    [u32; 5]: |levels| format!("{levels:?}");
    usize: usize::to_string;
    f64: |number| format!("{number:?}");
    Duration: |time| time_text(*time);
    String: |text| quoted(text);
    FilePath: |file| quoted(&file.0.to_string_lossy());
    Prefix: |prefix| quoted(&prefix.0);
    Viewer: |viewer| quoted(&viewer.to_string());
    Range: |(address, length)| quoted(&format!("{address}/{length}"));
    Vec<RangeInclusive<u16>>: |ports| ports_text(ports);
    Source: |source| quoted(match source {
        Source::Auto => "auto",
        Source::Kmsg => "kmsg",
        Source::Journal => "journal",
        Source::File => "file",
    });
    Sources: Sources::to_string;
    From: |from| quoted(match from {
        From::Start => "start",
        From::End => "end",
    });
}

impl Print for Option<u8> {
    fn print(&self) -> Option<String> {
        self.as_ref().map(u8::to_string)
    }
}

impl Print for Option<FilePath> {
    fn print(&self) -> Option<String> {
        self.as_ref().and_then(FilePath::print)
    }
}

impl<const MAX: u32> Print for Count<MAX> {
    fn print(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

impl<T: Print> Print for Vec<T> {
    fn print(&self) -> Option<String> {
        Some(format!("[{}]", self.iter().filter_map(T::print).collect::<Vec<_>>().join(", ")))
    }
}

impl<T: Print> Print for Option<Vec<T>> {
    fn print(&self) -> Option<String> {
        self.as_ref().and_then(Vec::print)
    }
}

/// An `[[ignore]]` table as the file says it.
pub(super) fn print_ignore(ignore: &Ignore, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Ignore { source, protocol, ports, interface, prefix } = ignore;
    writeln!(f, "\n[[ignore]]")?;
    let lines = [
        source.and_then(|source| source.print()).map(|text| ("source", text)),
        protocol.map(|protocol| ("protocol", protocol_text(protocol))),
        (!ports.is_empty()).then(|| ("ports", ports_text(ports))),
        interface.as_ref().map(|name| ("interface", quoted(name))),
        prefix.as_ref().map(|prefix| ("prefix", quoted(prefix))),
    ];
    lines.into_iter().flatten().try_for_each(|(key, text)| writeln!(f, "{key} = {text}"))
}

/// A `[[severity]]` table as the file says it.
pub(super) fn print_severity(rule: &SeverityRule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let SeverityRule { source: (address, length), protocol, ports, level } = rule;
    writeln!(f, "\n[[severity]]\nsource = {}", quoted(&format!("{address}/{length}")))?;
    if let Some(protocol) = protocol {
        writeln!(f, "protocol = {}", protocol_text(*protocol))?;
    }
    if !ports.is_empty() {
        writeln!(f, "ports = {}", ports_text(ports))?;
    }
    match level {
        Level::Minimum(severity) => writeln!(f, "minimum = {severity}"),
        Level::Fixed(severity) => writeln!(f, "fixed = {severity}"),
    }
}

/// A TOML basic string (TOML 1.0, "String").
pub(super) fn quoted(text: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
