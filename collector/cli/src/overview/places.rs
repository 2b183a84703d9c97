//! Where an address is, and whose network it is in, by files of MaxMind's form (GeoLite2, DB-IP, IPinfo): bytes from elsewhere.

use anyhow::{Context as _, ensure};
use firebell_shared::text::safe;
use maxminddb::Reader;
use serde::Deserialize;
use std::{
    fs::File,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// The largest file that is read: ten times the largest that there are.
const MAX_FILE: u64 = 1 << 30;
/// Bytes of a name.
const MAX_NAME: usize = 80;

/// What the files say of an address; empty where they say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) country: String,
    pub(super) network: String,
}

/// Files, in the order in which they are asked.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<(PathBuf, Reader<Vec<u8>>)>);

/// What an entry may have, of countries, cities or autonomous systems.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    country: Option<Country<'a>>,
    #[serde(borrow)]
    registered_country: Option<Country<'a>>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'a str>,
}

#[derive(Deserialize)]
struct Country<'a> {
    iso_code: Option<&'a str>,
    names: Option<Names<'a>>,
}

#[derive(Deserialize)]
struct Names<'a> {
    en: Option<&'a str>,
}

impl Places {
    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be read, or is of another form.
    pub(super) fn open(paths: &[PathBuf]) -> anyhow::Result<Self> {
        paths.iter().map(|path| Ok((path.clone(), open(path)?))).collect::<anyhow::Result<_>>().map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they say of an address.
    ///
    /// # Errors
    /// A file breaks its form there.
    pub(super) fn of(&self, address: IpAddr) -> anyhow::Result<Place> {
        let mut place = Place::default();
        for (path, reader) in &self.0 {
            // A file of IPv4 has nothing to say of IPv6.
            if address.is_ipv6() && reader.metadata().ip_version != 6 {
                continue;
            }
            let found = reader.lookup(address).and_then(|found| found.decode::<Entry<'_>>());
            let Some(entry) = found.with_context(|| format!("{}: its entry of {address} is damaged", path.display()))? else { continue };
            let country = entry.country.or(entry.registered_country).and_then(|country| {
                let name = country.names.and_then(|names| names.en);
                name.or(country.iso_code).map(|name| safe(name.as_bytes(), MAX_NAME))
            });
            if let Some(country) = country.filter(|_| place.country.is_empty()) {
                place.country = country;
            }
            if let Some(number) = entry.autonomous_system_number.filter(|_| place.network.is_empty()) {
                let name = entry.autonomous_system_organization.unwrap_or_default();
                place.network = safe(format!("AS{number} {name}").trim_end().as_bytes(), MAX_NAME);
            }
        }
        Ok(place)
    }
}

fn open(path: &Path) -> anyhow::Result<Reader<Vec<u8>>> {
    let naming = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(naming)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(naming)?;
    ensure!(bytes.len() as u64 <= MAX_FILE, "{}: larger than 1 GiB, which no such file is", path.display());
    let other = || format!("{}: no file of MaxMind's form (.mmdb)", path.display());
    Reader::from_source(bytes).with_context(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of MaxMind's form. Source: MaxMind DB File Format Specification, version 2.0, "Output Data Section".
    enum Value {
        Text(&'static str),
        Small(u16),
        Number(u32),
        Large(u64),
        Nothing,
        Map(Vec<(&'static str, Value)>),
    }

    fn put(into: &mut Vec<u8>, value: &Value) {
        match value {
            Value::Text(text) => {
                // From 29 on the length goes on in another byte.
                let length = u8::try_from(text.len()).unwrap();
                into.push(2 << 5 | length.min(29));
                into.extend(length.checked_sub(29));
                into.extend(text.bytes());
            }
            Value::Small(number) => {
                into.push(5 << 5 | 2);
                into.extend(number.to_be_bytes());
            }
            // Types from 8 on stand in a byte of their own, less 7.
            Value::Large(number) => {
                into.extend([8, 9 - 7]);
                into.extend(number.to_be_bytes());
            }
            Value::Nothing => into.extend([0, 11 - 7]),
            Value::Number(number) => {
                into.push(6 << 5 | 4);
                into.extend(number.to_be_bytes());
            }
            Value::Map(pairs) => {
                into.push(7 << 5 | u8::try_from(pairs.len()).unwrap());
                for (key, value) in pairs {
                    put(into, &Value::Text(key));
                    put(into, value);
                }
            }
        }
    }

    /// A file of IPv4 in which 203.0.113.0/24 has an entry and nothing else has: a node for each of 24 bits.
    fn file() -> Vec<u8> {
        let prefix = u32::from_be_bytes([203, 0, 113, 0]);
        let (nodes, mut bytes) = (24_u32, Vec::new());
        for node in 0..nodes {
            let next = if node + 1 == nodes { nodes + 16 } else { node + 1 };
            let bit = prefix >> (31 - node) & 1;
            for side in 0..2 {
                bytes.extend(&(if side == bit { next } else { nodes }).to_be_bytes()[1..]);
            }
        }
        bytes.extend([0; 16]);
        put(
            &mut bytes,
            &Value::Map(vec![
                (
                    "country",
                    Value::Map(vec![("iso_code", Value::Text("XX")), ("names", Value::Map(vec![("en", Value::Text("<b>Nowhere\x1b"))]))]),
                ),
                ("autonomous_system_number", Value::Number(64_500)),
                ("autonomous_system_organization", Value::Text("Example Net")),
            ]),
        );
        bytes.extend(b"\xab\xcd\xefMaxMind.com");
        put(
            &mut bytes,
            &Value::Map(vec![
                ("binary_format_major_version", Value::Small(2)),
                ("binary_format_minor_version", Value::Small(0)),
                ("build_epoch", Value::Large(1)),
                ("database_type", Value::Text("Test")),
                ("description", Value::Map(vec![])),
                ("ip_version", Value::Small(4)),
                ("languages", Value::Nothing),
                ("node_count", Value::Number(nodes)),
                ("record_size", Value::Small(24)),
            ]),
        );
        bytes
    }

    fn ask(bytes: &[u8], address: &str) -> anyhow::Result<Place> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Places::open(&[file.path().to_owned()])?.of(address.parse().unwrap())
    }

    #[test]
    fn the_file_of_the_other_tests_is_made_by_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/test.mmdb");
        if std::env::var_os("FIREBELL_BLESS").is_some() {
            std::fs::write(&path, file()).unwrap();
        }
        assert_eq!(std::fs::read(path).unwrap(), file());
    }

    #[test]
    fn an_address_has_the_country_and_the_network_that_the_file_says() {
        let place = ask(&file(), "203.0.113.9").unwrap();
        assert_eq!(place, Place { country: "<b>Nowhere\\x1b".into(), network: "AS64500 Example Net".into() });
        assert_eq!(ask(&file(), "203.0.112.9").unwrap(), Place::default());
        assert_eq!(ask(&file(), "2001:db8::1").unwrap(), Place::default());
        assert!(ask(b"no such file", "203.0.113.9").unwrap_err().to_string().contains("no file of MaxMind's form"));
    }

    #[test]
    fn whatever_is_in_a_file_is_an_answer_or_an_error() {
        let good = file();
        for at in 0..good.len() {
            for change in [0, 0xff, good[at] ^ 0x20, good[at].wrapping_add(1)] {
                let mut bad = good.clone();
                bad[at] = change;
                if let Ok(reader) = Reader::from_source(bad.clone()) {
                    let _ = Places(vec![("f".into(), reader)]).of("203.0.113.9".parse().unwrap());
                }
            }
            if let Ok(reader) = Reader::from_source(good[..at].to_vec()) {
                let _ = Places(vec![("f".into(), reader)]).of("203.0.113.9".parse().unwrap());
            }
        }
    }
}
