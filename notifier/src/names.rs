//! Friendlier names for addresses, from what this computer knows already. Nothing here asks the network.
//!
//! ```text
//! names    /etc/hosts, /etc/avahi/hosts, leases of dnsmasq; this computer's own addresses; the default router
//! devices  MAC address: of the alert, of the neighbour table, or inside the IPv6 address --> maker, from a list if one is installed
//! ```
//! Files are read when a popup is made, line by line, and nothing is kept: they are few and small, and popups are rare.
//! A name is what the address is called, no proof of who sent. It may have been chosen by the device itself, so it is hostile text.

mod lines;
mod mac;
mod network;

use firebell_shared::text;
use mac::Mac;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

/// The longest name, in bytes. Source: RFC 1035 section 2.3.4, one label; longer ones fill the title.
const MAX_NAME: usize = 63;
/// So much of a file of names is read; lists that block advertising have some hundred thousand lines.
const MAX_NAMES: u64 = 8 << 20;

/// What this computer knows about addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Below which the files are; `None`: nothing is known.
    root: Option<PathBuf>,
}

/// What an address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// It is one of our own.
    Ourselves,
    /// It is that of the default router.
    Router,
    /// That is its name; safe to show.
    Called(String),
}

/// Who made the device behind an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// The name in the list; safe to show.
    Of(String),
    /// Its MAC address is one that it made up.
    Hidden,
}

impl Names {
    /// Of the computer that we run on.
    pub(crate) fn of_this_computer() -> Self {
        Self::below("/")
    }

    /// Of the computer whose files are below `root`.
    pub(crate) fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: Some(root.into()) }
    }

    /// What `source` is called here; nothing for what is no address.
    pub(crate) fn name(&self, source: &str) -> Option<Name> {
        let (root, address) = (self.root.as_deref()?, address(source)?);
        if address.is_loopback() || network::is_ours(root, address) {
            return Some(Name::Ourselves);
        }
        let in_hosts = ["etc/hosts", "etc/avahi/hosts"].into_iter().find_map(|file| in_hosts(&root.join(file), address));
        let name = in_hosts.or_else(|| in_leases(&root.join("var/lib/misc/dnsmasq.leases"), address));
        name.map(Name::Called).or_else(|| network::is_router(root, address).then_some(Name::Router))
    }

    /// Who made the device at `source`, where it is in our own network. `logged` is the MAC address that the packets came from.
    ///
    /// Nothing where the neighbour table says that the address belongs to another device than the one that sent.
    pub(crate) fn maker(&self, source: &str, logged: &str) -> Option<Maker> {
        let (root, address) = (self.root.as_deref()?, address(source)?);
        if address.is_loopback() || network::is_ours(root, address) || !network::is_neighbour(root, address) {
            return None;
        }
        let (logged, known) = (Mac::parse(logged), network::mac(root, address));
        let mac = match (logged, known) {
            (Some(logged), Some(known)) if logged != known => return None,
            (Some(mac), _) | (None, Some(mac)) => mac,
            (None, None) => Mac::inside(address)?,
        };
        if mac.is_made_up() { Some(Maker::Hidden) } else { mac.maker(root).map(Maker::Of) }
    }
}

fn address(source: &str) -> Option<IpAddr> {
    source.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The first name of the address in a file like `/etc/hosts`. Source: hosts(5).
fn in_hosts(path: &Path, address: IpAddr) -> Option<String> {
    lines::find(path, MAX_NAMES, |line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let is_it = words.next()?.parse::<IpAddr>().is_ok_and(|there| there.to_canonical() == address);
        if is_it { shown(words.next()?) } else { None }
    })
}

/// The name that a device gave when it asked for the address: `EXPIRY MAC ADDRESS NAME ID`, `*` without one.
/// Source: dnsmasq 2.90, `src/lease.c`.
fn in_leases(path: &Path, address: IpAddr) -> Option<String> {
    lines::find(path, MAX_NAMES, |line| {
        let mut words = line.split_whitespace().skip(2);
        let is_it = words.next()?.parse::<IpAddr>().is_ok_and(|there| there == address);
        words.next().filter(|name| is_it && *name != "*").and_then(shown)
    })
}

fn shown(name: &str) -> Option<String> {
    Some(text::safe(name.as_bytes(), MAX_NAME)).filter(|name| !name.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
