//! Addresses: who is near, who is one source, and which are our own.

use crate::{hash::Hasher, origin::Origin};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One source, as the tables know it: an IPv4 address or an IPv6 /64, by who vouches for it.
///
/// A host has 2^64 addresses in its /64 and may change them with every packet (RFC 8981), so the /64 is the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    bits: u64,
    is_v6: bool,
    origin: Origin,
}

impl Key {
    pub(crate) fn new(address: IpAddr, origin: Origin) -> Self {
        match address {
            IpAddr::V4(a) => Self { bits: u64::from(a.to_bits()), is_v6: false, origin },
            IpAddr::V6(a) => Self { bits: upper_half(a), is_v6: true, origin },
        }
    }

    /// The address or the upper half of it, whether it is IPv6, and who vouches.
    pub(crate) const fn parts(self) -> (u64, bool, Origin) {
        (self.bits, self.is_v6, self.origin)
    }

    /// The key with these parts.
    pub(crate) const fn from_parts(bits: u64, is_v6: bool, origin: Origin) -> Self {
        Self { bits, is_v6, origin }
    }

    /// Its keyed hash.
    pub(crate) fn hash(self, hasher: &Hasher) -> u64 {
        let (bits, tag) = self.to_words();
        hasher.hash(bits, u64::from(tag))
    }

    /// The IPv4 address, if it is one.
    pub(crate) const fn v4(self) -> Option<u32> {
        #[allow(clippy::cast_possible_truncation, reason = "an IPv4 address")]
        if self.is_v6 { None } else { Some(self.bits as u32) }
    }

    pub(crate) const fn origin(self) -> Origin {
        self.origin
    }

    /// The network that it rolls up to, /24 or /48, and who vouches, as words to hash.
    pub(crate) const fn network_words(self) -> (u64, u8) {
        let bits = if self.is_v6 { self.bits >> 16 } else { self.bits >> 8 };
        (bits, (self.is_v6 as u8) << 1 | matches!(self.origin, Origin::Kernel) as u8)
    }

    /// The network that it rolls up to.
    pub(crate) fn network(self) -> (IpAddr, u8) {
        match self.v4() {
            Some(bits) => (Ipv4Addr::from_bits(bits & !0xff).into(), 24),
            None => (Ipv6Addr::from_bits(u128::from(self.bits & !0xffff) << 64).into(), 48),
        }
    }

    /// The network that may hold only a part of probation: /16 or /32.
    pub(crate) const fn group(self) -> u32 {
        #[allow(clippy::cast_possible_truncation, reason = "the upper 16 of 32 bits, the upper 32 of 64")]
        if self.is_v6 { (self.bits >> 32) as u32 } else { (self.bits >> 16) as u32 }
    }

    /// The bytes that are hashed.
    const fn to_words(self) -> (u64, u8) {
        (self.bits, (self.is_v6 as u8) << 1 | matches!(self.origin, Origin::Kernel) as u8)
    }
}

const fn upper_half(address: Ipv6Addr) -> u64 {
    #[allow(clippy::cast_possible_truncation, reason = "the upper half of 128 bits")]
    {
        (address.to_bits() >> 64) as u64
    }
}

/// Networks that count as home, and those learned from packets that were addressed to this host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    configured: Vec<(IpAddr, u8)>,
    pub(crate) links: Vec<u64>,
}

/// So many /64 are learned; a desktop has a few.
const MAX_LINKS: usize = 64;

impl Home {
    pub(crate) fn new(configured: &[(IpAddr, u8)]) -> Self {
        Self { configured: configured.to_vec(), links: Vec::with_capacity(MAX_LINKS) }
    }

    /// Goes on with what was learned before; false: nobody can have learned that.
    pub(crate) fn restore(&mut self, links: &[u64]) -> bool {
        self.links.extend_from_slice(links.get(..MAX_LINKS).unwrap_or(links));
        links.len() <= MAX_LINKS
    }

    /// Takes other configured networks; what is on-link stays known.
    pub(crate) fn adopt(&mut self, configured: &[(IpAddr, u8)]) {
        self.configured = configured.to_vec();
    }

    /// A unicast packet for this host names one of its addresses. Its /64 is on-link.
    #[inline]
    pub(crate) fn learn(&mut self, destination: IpAddr) {
        if let IpAddr::V6(address) = destination {
            self.learn_link(address);
        }
    }

    #[inline(never)]
    fn learn_link(&mut self, address: Ipv6Addr) {
        let link = upper_half(address);
        if !address.is_multicast() && !address.is_unspecified() && self.links.len() < MAX_LINKS && !self.links.contains(&link) {
            self.links.push(link);
        }
    }

    /// Private, link-local, configured or on-link: a neighbour, not the Internet.
    pub(crate) fn is_near(&self, address: IpAddr) -> bool {
        is_private(address)
            || matches!(address, IpAddr::V6(a) if self.links.contains(&upper_half(a)))
            || self.configured.iter().any(|(network, length)| contains(*network, *length, address))
    }
}

/// Private, unique-local, link-local, shared (RFC 6598), loopback and unspecified addresses.
///
/// Source: RFC 1918, RFC 3927, RFC 6598, RFC 4193, RFC 4291, RFC 1122 (0.0.0.0 is a host without an address).
#[must_use]
#[inline(never)]
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let [first, second, ..] = a.octets();
            a.is_private() || a.is_link_local() || a.is_loopback() || a.is_unspecified() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(a) => a.is_unique_local() || a.is_unicast_link_local() || a.is_loopback() || a.is_unspecified(),
    }
}

/// Sent to many: multicast, the limited broadcast, and `x.x.x.255` of a private network.
///
/// A directed broadcast is known for sure only to whoever knows the netmask, and we read no interfaces;
/// in the private ranges .255 is the broadcast address in all but rare networks.
#[must_use]
pub(crate) fn is_for_many(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_multicast() || a == Ipv4Addr::BROADCAST || (a.octets()[3] == 255 && is_private(address)),
        IpAddr::V6(a) => a.is_multicast(),
    }
}

/// Is `address` in `network`/`length`?
#[must_use]
pub(crate) fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(n), IpAddr::V4(a)) => {
            let shift = 32_u32.saturating_sub(u32::from(length));
            n.to_bits().checked_shr(shift).unwrap_or(0) == a.to_bits().checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V6(n), IpAddr::V6(a)) => {
            let shift = 128_u32.saturating_sub(u32::from(length));
            n.to_bits().checked_shr(shift).unwrap_or(0) == a.to_bits().checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_source_is_its_64() {
        let key = |text| Key::new(ip(text), Origin::Kernel);
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("::1.2.3.4"), key("1.2.3.4"));
        assert_ne!(Key::new(ip("1.2.3.4"), Origin::Kernel), Key::new(ip("1.2.3.4"), Origin::Unverified));
    }

    #[test]
    fn the_link_of_our_own_ipv6_address_is_near() {
        let mut home = Home::new(&[(ip("203.0.113.0"), 24)]);
        assert!(!home.is_near(ip("2001:db8:51::42")));
        home.learn(ip("2001:db8:51::a"));
        assert!(home.is_near(ip("2001:db8:51::42")));
        assert!(!home.is_near(ip("2001:db8:52::42")));
        assert!(home.is_near(ip("203.0.113.200")));
        assert!(home.is_near(ip("100.64.1.1")));
        assert!(!home.is_near(ip("198.51.100.1")));
    }

    #[test]
    fn broadcasts_are_for_many() {
        assert!(is_for_many(ip("192.168.1.255")));
        assert!(is_for_many(ip("255.255.255.255")));
        assert!(is_for_many(ip("ff02::fb")));
        assert!(!is_for_many(ip("203.0.113.255")));
    }

    #[test]
    fn networks_of_length_zero_hold_everything_of_their_family() {
        assert!(contains(ip("0.0.0.0"), 0, ip("198.51.100.1")));
        assert!(!contains(ip("0.0.0.0"), 0, ip("::1")));
        assert!(contains(ip("::"), 0, ip("::1")));
        assert!(!contains(ip("192.0.2.1"), 32, ip("192.0.2.2")));
    }
}
