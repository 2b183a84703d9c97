//! MAC addresses and their makers.

use super::lines;
use firebell_shared::text;
use std::{net::IpAddr, path::Path};

/// Where distributions keep lists of makers; the first that is there and names the maker counts.
const LISTS: [&str; 5] = [
    "usr/share/ieee-data/oui.txt",
    "var/lib/ieee-data/oui.txt",
    "usr/share/hwdata/oui.txt",
    "usr/share/arp-scan/ieee-oui.txt",
    "usr/share/nmap/nmap-mac-prefixes",
];
/// The list of the IEEE has some 6 MB.
const MAX_LIST: u64 = 64 << 20;
/// The longest name of a maker, in bytes.
const MAX_MAKER: usize = 64;

/// A MAC address of a device, neither broadcast nor nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mac([u8; 6]);

impl Mac {
    /// Reads `52:54:00:00:00:42`. `None` for anything else, and for addresses that no device has.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 6];
        let mut words = text.trim().split(':');
        for octet in &mut octets {
            let word = words.next().filter(|word| word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            *octet = u8::from_str_radix(word, 16).ok()?;
        }
        let [first, ..] = octets;
        // The lowest bit is for groups. Source: IEEE 802-2014, 8.2.2.
        let is_device = words.next().is_none() && octets != [0; 6] && first & 1 == 0;
        is_device.then_some(Self(octets))
    }

    /// The one that an IPv6 address was made of. Source: RFC 4291, appendix A.
    pub(super) fn inside(address: IpAddr) -> Option<Self> {
        let IpAddr::V6(address) = address else { return None };
        let [.., a, b, c, 0xff, 0xfe, d, e, f] = address.octets() else { return None };
        // Made of a MAC address, the bit says the opposite of what it says there; set, it was given by a maker.
        (a & 3 == 2).then_some(Self([a ^ 2, b, c, d, e, f]))
    }

    /// Is it one that the device made up, as telephones do? Source: IEEE 802-2014, 8.2.2: the second lowest bit.
    pub(super) fn is_made_up(self) -> bool {
        let Self([first, ..]) = self;
        first & 2 != 0
    }

    /// Its maker, from the first list that is installed and knows it.
    pub(super) fn maker(self, root: &Path) -> Option<String> {
        let Self(octets) = self;
        let digits: String = octets.iter().map(|octet| format!("{octet:02X}")).collect();
        LISTS.into_iter().find_map(|list| {
            // Blocks of 6, 7 or 9 digits are given away; the longest is the maker's, the others are the seller's of the block.
            let mut best: Option<(usize, String)> = None;
            let _: Option<()> = lines::find(&root.join(list), MAX_LIST, |line| {
                if let Some((length, name)) = entry(line, &digits)
                    && best.as_ref().is_none_or(|(longest, _)| length > *longest)
                {
                    best = Some((length, name));
                }
                None
            });
            best.map(|(_, name)| name)
        })
    }
}

/// The maker in a line whose prefix is one of `digits`, with the length of the prefix in digits.
///
/// `00-80-77   (hex)\t\tBrother industries, LTD.` (IEEE) or `008077 Brother Industries` (nmap, arp-scan).
fn entry(line: &str, digits: &str) -> Option<(usize, String)> {
    let (prefix, name) = line.split_once([' ', '\t'])?;
    // Most lines end here, without a copy.
    let mut rest = digits.bytes();
    let mut length = 0;
    for byte in prefix.bytes().filter(|byte| !matches!(byte, b'-' | b':')) {
        if rest.next()? != byte.to_ascii_uppercase() {
            return None;
        }
        length += 1;
    }
    let name = name.trim();
    let name = name.strip_prefix("(hex)").or_else(|| name.strip_prefix("(base 16)")).unwrap_or(name).trim();
    let is_name = length >= 6 && !name.is_empty() && !name.eq_ignore_ascii_case("private");
    is_name.then(|| (length, text::safe(name.as_bytes(), MAX_MAKER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_is_read_and_nothing_else_is() {
        assert_eq!(Mac::parse("00:80:77:Ab:cd:0f"), Some(Mac([0, 0x80, 0x77, 0xab, 0xcd, 0x0f])));
        let others = [
            "",
            "00:80:77:ab:cd",
            "00:80:77:ab:cd:0f:08:00",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
            "00:00:00:00:00:00",
            "+0:80:77:ab:cd:0f",
            "0:80:77:ab:cd:0f",
        ];
        for text in others {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_ipv6_address_tells_the_mac_address_it_was_made_of() {
        assert_eq!(Mac::inside("fe80::280:77ff:feab:cd0f".parse().unwrap()), Mac::parse("00:80:77:ab:cd:0f"));
        for other in ["fe80::1", "2001:db8::80:77ff:feab:cd0f", "192.168.1.7"] {
            assert_eq!(Mac::inside(other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn a_line_of_any_list_is_read() {
        let digits = "008077ABCD0F";
        assert_eq!(entry("00-80-77   (hex)\t\tBrother industries, LTD.", digits), Some((6, "Brother industries, LTD.".into())));
        assert_eq!(entry("008077     (base 16)\t\tBrother industries, LTD.", digits), Some((6, "Brother industries, LTD.".into())));
        assert_eq!(entry("008077\tBrother", digits), Some((6, "Brother".into())));
        assert_eq!(entry("008077ABC Small \u{1b}[31m Maker", digits), Some((9, r"Small \x1b[31m Maker".into())));
        for other in ["# 008077 x", "00:80 x", "008078 x", "008077", "008077 ", "008077 Private", "008077ABCD0F00 x", ""] {
            assert_eq!(entry(other, digits), None, "{other}");
        }
    }
}
