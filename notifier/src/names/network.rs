//! What the kernel says about the network, in files that everybody may read. Source: proc_net(5), and for IPv6
//! Linux `net/ipv6/addrconf.c` (`if6_seq_show`) and `net/ipv6/route.c` (`rt6_info_route`).
//!
//! The table of IPv6 neighbours is only to be had over netlink; the alert's own MAC address serves instead.

use super::{lines, mac::Mac};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

/// A router of the Internet has a million routes; a desktop has some ten.
const MAX_TABLE: u64 = 4 << 20;

/// Is this an address of this computer?
pub(super) fn is_ours(root: &Path, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            // An address, and below it what it is for.
            let mut is_it = false;
            let find = lines::find(&root.join("proc/net/fib_trie"), MAX_TABLE, |line| {
                let line = line.trim();
                if let Some(there) = line.strip_prefix("|-- ") {
                    is_it = there.parse() == Ok(address);
                    return None;
                }
                (is_it && line == "/32 host LOCAL").then_some(())
            });
            find.is_some()
        }
        IpAddr::V6(address) => lines::find(&root.join("proc/net/if_inet6"), MAX_TABLE, |line| {
            (ipv6(line.split_whitespace().next()?)? == address).then_some(())
        })
        .is_some(),
    }
}

/// Does a default route lead over this address?
pub(super) fn is_router(root: &Path, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => find_route4(root, |route| (route.mask == 0 && route.gateway == address).then_some(())).is_some(),
        IpAddr::V6(address) => find_route6(root, |route| (route.length == 0 && route.gateway == address).then_some(())).is_some(),
    }
}

/// Is it on our own wire, with no router between?
pub(super) fn is_neighbour(root: &Path, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_link_local()
                || find_route4(root, |route| {
                    let is_there = route.gateway.is_unspecified() && u32::from(address) & route.mask == u32::from(route.destination);
                    (is_there && route.mask != 0).then_some(())
                })
                .is_some()
        }
        IpAddr::V6(address) => {
            address.is_unicast_link_local()
                || find_route6(root, |route| {
                    let mask = u128::MAX.checked_shl(128 - route.length).unwrap_or(0);
                    let is_there = route.gateway.is_unspecified() && u128::from(address) & mask == u128::from(route.destination);
                    (is_there && route.length != 0).then_some(())
                })
                .is_some()
        }
    }
}

/// The MAC address that the neighbour table has for it.
pub(super) fn mac(root: &Path, address: IpAddr) -> Option<Mac> {
    lines::find(&root.join("proc/net/arp"), MAX_TABLE, |line| {
        let mut words = line.split_whitespace();
        if words.next()?.parse() != Ok(address) {
            return None;
        }
        Mac::parse(words.nth(2)?)
    })
}

struct Route4 {
    destination: Ipv4Addr,
    gateway: Ipv4Addr,
    mask: u32,
}

fn find_route4<T>(root: &Path, mut look: impl FnMut(Route4) -> Option<T>) -> Option<T> {
    lines::find(&root.join("proc/net/route"), MAX_TABLE, |line| {
        let mut words = line.split_whitespace().skip(1);
        let (destination, gateway) = (ipv4(words.next()?)?, ipv4(words.next()?)?);
        look(Route4 { destination, gateway, mask: ipv4(words.nth(4)?)?.into() })
    })
}

struct Route6 {
    destination: Ipv6Addr,
    /// 0 to 128.
    length: u32,
    gateway: Ipv6Addr,
}

fn find_route6<T>(root: &Path, mut look: impl FnMut(Route6) -> Option<T>) -> Option<T> {
    lines::find(&root.join("proc/net/ipv6_route"), MAX_TABLE, |line| {
        let mut words = line.split_whitespace();
        let (destination, length) = (ipv6(words.next()?)?, u32::from_str_radix(words.next()?, 16).ok().filter(|length| *length <= 128)?);
        look(Route6 { destination, length, gateway: ipv6(words.nth(2)?)? })
    })
}

/// Eight hexadecimal digits, as this computer's memory has them.
fn ipv4(digits: &str) -> Option<Ipv4Addr> {
    (digits.len() == 8).then(|| u32::from_str_radix(digits, 16).ok())?.map(|number| Ipv4Addr::from(number.to_ne_bytes()))
}

/// Thirty-two hexadecimal digits, as they are sent.
fn ipv6(digits: &str) -> Option<Ipv6Addr> {
    (digits.len() == 32).then(|| u128::from_str_radix(digits, 16).ok())?.map(Ipv6Addr::from)
}
