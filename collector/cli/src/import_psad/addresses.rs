//! Lists of addresses: `any`, `10.0.0.0/8`, `[a,!b]`, `!$HOME_NET`.

use super::{
    Reason, Refusal,
    numbers::{has_commas, split_list},
    quoted_list,
};
use std::net::IpAddr;

/// Entries that a list of our language may have.
const MAX_ENTRIES: usize = 64;
/// How deep lists may stand in lists.
const MAX_DEPTH: usize = 8;

/// A set of addresses: those of `with`, or all, but those of `but`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    with: Option<Vec<String>>,
    but: Vec<String>,
}

impl Addresses {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let addresses = Self::within(text, 0)?;
        if addresses.with.as_ref().is_some_and(Vec::is_empty) {
            return Err(Refusal::new(Reason::Never, format!("no address is left of {text}")));
        }
        if addresses.with.as_ref().map_or(0, Vec::len) + addresses.but.len() > MAX_ENTRIES {
            return Err(Refusal::new(Reason::Value, format!("more than {MAX_ENTRIES} addresses")));
        }
        Ok(addresses)
    }

    fn within(text: &str, depth: usize) -> Result<Self, Refusal> {
        let text = text.trim();
        let wrong = || Refusal::new(Reason::Value, format!("address {text}"));
        if depth > MAX_DEPTH {
            return Err(wrong());
        }
        if let Some(rest) = text.strip_prefix('!') {
            let inner = Self::within(rest, depth + 1)?;
            return match (inner.with, inner.but) {
                (Some(but), none) if none.is_empty() => Ok(Self { with: None, but }),
                (None, but) => Ok(Self { with: Some(but), but: Vec::new() }),
                // Everything, but some of which others come back: two lists would be needed.
                _ => Err(wrong()),
            };
        }
        let inside = text.strip_prefix('[').map_or(Ok(None), |rest| rest.strip_suffix(']').map(Some).ok_or_else(wrong))?;
        if inside.is_some() || has_commas(text) {
            return Self::list(inside.unwrap_or(text), depth).and_then(|list| list.ok_or_else(wrong));
        }
        // NOT_USED is how old versions of psad wrote it.
        if text == "any" || text.eq_ignore_ascii_case("not_used") {
            return Ok(Self::default());
        }
        Ok(Self { with: Some(vec![entry(text).ok_or_else(wrong)?]), but: Vec::new() })
    }

    /// `[a,b,!c]`. Nothing: such a list has no counterpart.
    fn list(text: &str, depth: usize) -> Result<Option<Self>, Refusal> {
        let (mut with, mut is_any, mut but) = (Vec::new(), true, Vec::new());
        let items: Vec<_> = split_list(text).collect();
        for item in &items {
            if let Some(item) = item.trim().strip_prefix('!') {
                let inner = Self::within(item, depth + 1)?;
                match inner {
                    Self { with: Some(entries), but: none } if none.is_empty() => but.extend(entries),
                    Self { with: None, but: none } if none.is_empty() => return Ok(Some(Self { with: Some(Vec::new()), but: Vec::new() })),
                    _ => return Ok(None),
                }
            } else {
                let inner = Self::within(item, depth + 1)?;
                // An exception inside of one item does not hold for the others.
                if !inner.but.is_empty() && items.len() > 1 {
                    return Ok(None);
                }
                but.extend(inner.but);
                match inner.with {
                    Some(entries) => {
                        is_any = false;
                        with.extend(entries);
                    }
                    None if items.len() > 1 => return Ok(None),
                    None => {}
                }
            }
            if with.len() + but.len() > 2 * MAX_ENTRIES {
                return Err(Refusal::new(Reason::Value, format!("more than {MAX_ENTRIES} addresses")));
            }
        }
        if items.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { with: (!is_any).then_some(with), but }))
    }

    pub(super) fn is_any(&self) -> bool {
        self.with.is_none() && self.but.is_empty()
    }

    /// Networks without exceptions and without our own variables.
    pub(super) fn plain(&self) -> Option<&[String]> {
        self.with.as_deref().filter(|with| self.but.is_empty() && with.iter().all(|entry| !entry.starts_with('$')))
    }

    /// As our language writes it.
    pub(super) fn toml(&self) -> String {
        let but: Vec<_> = self.but.iter().map(|entry| format!("!{entry}")).collect();
        quoted_list(self.with.iter().flatten().chain(&but).map(String::as_str))
    }
}

/// An address or a network, with a prefix length or a mask, or one of our own variables.
pub(super) fn entry(text: &str) -> Option<String> {
    if matches!(text, "$home" | "$lan" | "$internet") {
        return Some(text.to_owned());
    }
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address.trim(), Some(length.trim())),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => return Some(address.to_string()),
        Some(mask) if mask.contains('.') => length_of(mask)?,
        Some(length) => length.parse().ok().filter(|length| *length <= max)?,
    };
    // Host bits do not matter in psad and Snort; we want none.
    let network = match address {
        IpAddr::V4(address) => IpAddr::V4((address.to_bits() & u32::MAX.checked_shl(32 - length).unwrap_or(0)).into()),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & u128::MAX.checked_shl(128 - length).unwrap_or(0)).into()),
    };
    Some(format!("{network}/{length}"))
}

/// The length of a mask such as 255.255.255.0.
fn length_of(mask: &str) -> Option<u32> {
    let bits = mask.parse::<std::net::Ipv4Addr>().ok()?.to_bits();
    (bits.leading_ones() + bits.trailing_zeros() >= 32).then_some(bits.leading_ones())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_exceptions_are_the_addresses_they_name() {
        for (text, toml) in [
            ("10.1.2.3", r#"["10.1.2.3"]"#),
            ("10.1.2.3/8", r#"["10.0.0.0/8"]"#),
            ("255.255.255.0/255.255.255.0", r#"["255.255.255.0/24"]"#),
            ("[232.0.0.0/8, 239.0.0.0/8]", r#"["232.0.0.0/8", "239.0.0.0/8"]"#),
            ("10.0.0.0/8, 192.168.1.0/24", r#"["10.0.0.0/8", "192.168.1.0/24"]"#),
            ("!10.0.0.0/8", r#"["!10.0.0.0/8"]"#),
            ("![10.0.0.0/8,192.0.2.1]", r#"["!10.0.0.0/8", "!192.0.2.1"]"#),
            ("[10.0.0.0/8,!10.1.0.0/16]", r#"["10.0.0.0/8", "!10.1.0.0/16"]"#),
            ("[!10.0.0.0/8,!$home]", r#"["!10.0.0.0/8", "!$home"]"#),
            ("!!10.0.0.1", r#"["10.0.0.1"]"#),
            ("2001:db8::1/32", r#"["2001:db8::/32"]"#),
            ("0.0.0.0/0", r#"["0.0.0.0/0"]"#),
        ] {
            assert_eq!(Addresses::parse(text).unwrap().toml(), toml, "{text}");
        }
        assert!(Addresses::parse("any").unwrap().is_any() && Addresses::parse("[any]").unwrap().is_any());
        for text in ["!any", "[10.0.0.0/8,!any]"] {
            assert_eq!(Addresses::parse(text).unwrap_err().reason, Reason::Never, "{text}");
        }
        for text in [
            "",
            "[]",
            "host",
            "10.0.0.0/33",
            "10.0.0.0/255.0.255.0",
            "[10.0.0.0/8",
            "![10.0.0.0/8,!10.1.0.0/16]",
            "[any,10.0.0.1]",
            "[[10.0.0.0/8,!10.1.0.0/16],192.0.2.1]",
        ] {
            assert_eq!(Addresses::parse(text).unwrap_err().reason, Reason::Value, "{text}");
        }
    }
}
