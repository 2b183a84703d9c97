//! What the administrator knows of sources: whom to leave alone, and whose incidents weigh more or less.
//!
//! [`Mute`] is asked once for each packet, in `Engine::observe`, before anything is remembered of it. [`Grades`] is asked
//! when an incident is weighed. Networks are looked up in sorted arrays; a packet pays nothing for a list that is empty.

use crate::{
    class::{Class, Layer},
    config::{self, Ignore, Level, Network, SeverityRule},
    detect::Detector,
    incident::Incident,
    packet::Packet,
};
use std::{fmt::Write as _, net::IpAddr, ops::RangeInclusive};

/// Packets that are not looked at.
#[derive(Debug)]
pub(crate) struct Mute {
    trusted: Networks<()>,
    ignored: Vec<Ignore>,
}

/// Why a packet is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Muted {
    Trusted,
    Ignored,
}

impl Mute {
    pub(crate) fn new(lists: &config::Lists) -> Self {
        // A severity that is fixed at 0 says the same as `[[ignore]]`.
        let nothing = lists.severities.iter().filter(|rule| rule.level == Level::Fixed(0)).map(|rule| Ignore {
            source: Some(rule.source),
            protocol: rule.protocol,
            ports: rule.ports.clone(),
            ..Ignore::default()
        });
        Self {
            trusted: Networks::new(lists.trusted.iter().map(|network| (*network, ()))),
            ignored: lists.ignored.iter().cloned().chain(nothing).collect(),
        }
    }

    /// Is this packet to be left alone? What this machine sends is not trusted for its address: whoever trusts the own
    /// network still wants to hear that a program here scans it.
    pub(crate) fn covers(&self, packet: &Packet<'_>, class: Class) -> Option<Muted> {
        if !self.trusted.is_empty() && class != Class::Outbound && self.trusted.get(packet.header.src).is_some() {
            return Some(Muted::Trusted);
        }
        (!self.ignored.is_empty() && self.ignores(packet)).then_some(Muted::Ignored)
    }

    #[inline(never)]
    fn ignores(&self, packet: &Packet<'_>) -> bool {
        self.ignored.iter().any(|rule| is_ignored(rule, packet))
    }
}

/// Does everything that the rule gives fit?
fn is_ignored(rule: &Ignore, packet: &Packet<'_>) -> bool {
    is_meant(rule.source, rule.protocol, &rule.ports, packet)
        && rule.interface.as_deref().is_none_or(|name| is_interface(name, packet.in_iface) || is_interface(name, packet.out_iface))
        && rule.prefix.as_deref().is_none_or(|prefix| prefix.as_bytes() == packet.prefix.trim_ascii_end())
}

fn is_meant(source: Option<Network>, protocol: Option<u8>, ports: &[RangeInclusive<u16>], packet: &Packet<'_>) -> bool {
    let header = &packet.header;
    source.is_none_or(|(network, length)| crate::address::contains(network, length, header.src))
        && protocol.is_none_or(|protocol| header.proto.number == Some(protocol))
        && (ports.is_empty() || header.dport.is_some_and(|port| ports.iter().any(|range| range.contains(&port))))
}

/// `+` at the end stands for anything, as in iptables(8) `-i`.
fn is_interface(wanted: &str, name: Option<&[u8]>) -> bool {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return false };
    wanted.strip_suffix('+').map_or(wanted.as_bytes() == name, |start| name.starts_with(start.as_bytes()))
}

/// Sources whose incidents are worse or milder than what they do.
#[derive(Debug)]
pub(crate) struct Grades {
    rules: Vec<SeverityRule>,
    reputation: Networks<()>,
    scanners: Networks<u16>,
    names: Vec<String>,
    /// Changes with the lists.
    edition: u32,
}

/// What the lists say of the sources of an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The edition of the lists, and the number of sources, for which this holds.
    of: Option<(u32, usize)>,
    /// One of them is reputed bad.
    is_bad: bool,
    /// All of them are research scanners; this is the first one's name.
    scanner: Option<u16>,
}

impl Grades {
    pub(crate) fn new(lists: config::Lists) -> Self {
        let mut grades = Self {
            rules: lists
                .severities
                .into_iter()
                .filter(|rule| rule.level != Level::Fixed(0))
                .map(|rule| SeverityRule { source: source_of(rule.source), ..rule })
                .collect(),
            reputation: Networks::default(),
            scanners: Networks::default(),
            names: Vec::new(),
            edition: 0,
        };
        grades.replace(&lists.reputation, lists.scanners);
        grades
    }

    /// Takes everything anew.
    pub(crate) fn adopt(&mut self, lists: config::Lists) {
        let edition = self.edition.wrapping_add(1);
        *self = Self { edition, ..Self::new(lists) };
    }

    /// Takes new lists of addresses for the old ones.
    pub(crate) fn replace(&mut self, reputation: &[Network], mut scanners: Vec<config::Scanner>) {
        scanners.truncate(usize::from(u16::MAX));
        let named = (0..).zip(&scanners).flat_map(|(n, scanner)| scanner.networks.iter().map(move |network| (*network, n)));
        self.scanners = Networks::new(named);
        self.reputation = Networks::new(reputation.iter().map(|network| (source_of(*network), ())));
        self.names = scanners.into_iter().map(|scanner| scanner.name).collect();
        self.edition = self.edition.wrapping_add(1);
    }

    /// Is a single packet of this source an incident, because its severity is 2 or more whatever it does?
    pub(crate) fn waits_for(&self, packet: &Packet<'_>) -> bool {
        !self.rules.is_empty() && self.has_level_for(packet)
    }

    #[inline(never)]
    fn has_level_for(&self, packet: &Packet<'_>) -> bool {
        let mut rules = self.rules.iter().filter(|rule| rule.level.number() >= 2);
        rules.any(|rule| is_meant(Some(rule.source), rule.protocol, &rule.ports, packet))
    }

    /// The severity of an incident: what its sources did, as the lists make it worse or milder.
    ///
    /// More sources never make it milder: for the worse one bad source is enough, for the milder all must be scanners.
    pub(crate) fn severity(&self, incident: &mut Incident) -> u8 {
        let of = Some((self.edition, incident.sources.len()));
        if incident.standing.of != of {
            incident.standing = Standing { of, ..self.standing(incident) };
        }
        let mut severity = incident.severity;
        if severity >= 2 && incident.standing.is_bad && is_from_its_sources(incident.detector) {
            severity = (severity + 1).min(5);
        }
        if incident.standing.scanner.is_some() {
            severity = severity.saturating_sub(1).max(1);
        }
        if self.rules.is_empty() {
            return severity;
        }
        match self.ruled(incident) {
            Ruled { fixed: Some(fixed), .. } => fixed,
            Ruled { at_least, .. } => severity.max(at_least),
        }
    }

    /// Says what [`Grades::severity`] went by.
    pub(crate) fn explain(&self, incident: &Incident, why: &mut String) {
        // Writing to a String cannot fail.
        if incident.standing.is_bad && is_from_its_sources(incident.detector) {
            why.push_str("; the source is on a list of addresses reputed bad: one step more severe");
        }
        if let Some(name) = incident.standing.scanner.and_then(|scanner| self.names.get(usize::from(scanner))) {
            let _ = write!(why, "; {name} scans the whole Internet for research and says so: one step less severe");
        }
        match self.ruled(incident) {
            Ruled { fixed: Some(fixed), .. } => {
                let _ = write!(why, "; the configuration fixes the severity of this source at {fixed}");
            }
            Ruled { at_least: 0, .. } => {}
            Ruled { at_least, .. } => {
                let _ = write!(why, "; the configuration gives this source at least severity {at_least}");
            }
        }
    }

    fn standing(&self, incident: &Incident) -> Standing {
        let sources = &incident.sources;
        let is_bad = !self.reputation.is_empty() && sources.iter().any(|source| self.reputation.get(*source).is_some());
        let is_complete = incident.source_count as usize == sources.len();
        let scanner = sources.first().filter(|_| is_complete && !self.scanners.is_empty()).and_then(|source| self.scanners.get(*source));
        let scanner = scanner.filter(|_| sources.iter().all(|source| self.scanners.get(*source).is_some()));
        Standing { of: None, is_bad, scanner }
    }

    /// What the rules say of the sources of an incident.
    fn ruled(&self, incident: &Incident) -> Ruled {
        let mut ruled = Ruled::default();
        if self.rules.is_empty() {
            return ruled;
        }
        let mut is_all_fixed = incident.source_count as usize == incident.sources.len();
        for source in &incident.sources {
            let mut fixed = None;
            for rule in self.rules.iter().filter(|rule| is_about(rule, *source, incident)) {
                match rule.level {
                    Level::Minimum(severity) => ruled.at_least = ruled.at_least.max(severity),
                    Level::Fixed(severity) => fixed = fixed.or(Some(severity)),
                }
            }
            is_all_fixed &= fixed.is_some();
            ruled.fixed = ruled.fixed.max(fixed);
        }
        if !is_all_fixed {
            ruled.at_least = ruled.at_least.max(ruled.fixed.unwrap_or(0));
            ruled.fixed = None;
        }
        ruled
    }
}

/// What the rules say of an incident.
#[derive(Clone, Copy, Debug, Default)]
struct Ruled {
    /// The highest that is fixed, where all of its sources have one.
    fixed: Option<u8>,
    /// The least, 0 for none.
    at_least: u8,
}

/// Is the rule about `source`, and about what the incident has seen?
fn is_about(rule: &SeverityRule, source: IpAddr, incident: &Incident) -> bool {
    let (is_tcp, is_udp) = (rule.protocol.is_none_or(|number| number == 6), rule.protocol.is_none_or(|number| number == 17));
    let asks = |ports: &crate::ports::PortSet| ports.iter().any(|port| rule.ports.iter().any(|range| range.contains(&port)));
    let has = |layer: Layer| incident.protocols.get(layer as usize).is_some_and(|contacts| *contacts > 0);
    crate::address::contains(rule.source.0, rule.source.1, source)
        && if rule.ports.is_empty() {
            match rule.protocol {
                None => true,
                Some(6) => has(Layer::Tcp),
                Some(17) => has(Layer::Udp),
                Some(1 | 58) => has(Layer::Icmp),
                Some(number) => has(Layer::Other) && incident.main_protocol() == number,
            }
        } else {
            (is_tcp && asks(&incident.tcp)) || (is_udp && asks(&incident.udp))
        }
}

/// The source that a network names at least: of IPv6 a /64, in which a host changes its address at will.
const fn source_of((address, length): Network) -> Network {
    match address {
        IpAddr::V6(_) if length > 64 => (address, 64),
        _ => (address, length),
    }
}

/// Where the addresses may be forged or are victims, their reputation says nothing.
const fn is_from_its_sources(detector: Detector) -> bool {
    !matches!(detector, Detector::Flood | Detector::Backscatter | Detector::Decoys)
}

/// Networks, each with a value, in sorted arrays: 12 bytes or more for each of IPv4, 48 for each of IPv6.
#[derive(Debug)]
struct Networks<T> {
    v4: Vec<(u32, u32, T)>,
    v6: Vec<(u128, u128, T)>,
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new() }
    }
}

impl<T: Copy> Networks<T> {
    /// Of networks within each other the widest counts.
    fn new(networks: impl Iterator<Item = (Network, T)>) -> Self {
        let mut all = Self::default();
        for ((address, length), value) in networks {
            match address {
                IpAddr::V4(address) => {
                    let host = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                    all.v4.push((address.to_bits() & !host, address.to_bits() | host, value));
                }
                IpAddr::V6(address) => {
                    let host = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                    all.v6.push((address.to_bits() & !host, address.to_bits() | host, value));
                }
            }
        }
        keep_the_widest(&mut all.v4);
        keep_the_widest(&mut all.v6);
        all
    }

    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    fn get(&self, address: IpAddr) -> Option<T> {
        match address {
            IpAddr::V4(address) => find(&self.v4, address.to_bits()),
            IpAddr::V6(address) => find(&self.v6, address.to_bits()),
        }
    }
}

/// Networks lie apart or within each other; what lies within goes, so that the rest lies apart.
fn keep_the_widest<N: Ord + Copy, T: Copy>(ranges: &mut Vec<(N, N, T)>) {
    // Stable: of equal networks the first counts.
    ranges.sort_by(|(low, high, _), (other_low, other_high, _)| low.cmp(other_low).then(other_high.cmp(high)));
    ranges.dedup_by(|(_, high, _), (_, kept_high, _)| *high <= *kept_high);
    ranges.shrink_to_fit();
}

fn find<N: Ord + Copy, T: Copy>(ranges: &[(N, N, T)], address: N) -> Option<T> {
    let behind = ranges.partition_point(|(low, ..)| *low <= address);
    ranges.get(behind.checked_sub(1)?).filter(|(_, high, _)| address <= *high).map(|(.., value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::contains;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sorted_arrays_find_what_a_plain_search_finds(
            networks in prop::collection::vec((any::<u8>(), 0_u8..=32, any::<bool>()), 0..40),
            address in any::<u8>(),
        ) {
            // Few distinct bits, so that networks meet.
            let spread = |n: u8| u32::from(n & 0xf) << 28 | u32::from(n >> 4 & 3) << 15 | u32::from(n >> 6);
            let ip = |n: u8, is_v4: bool| -> IpAddr {
                if is_v4 { spread(n).to_be_bytes().into() } else { (u128::from(spread(n)) << 96 | u128::from(n)).to_be_bytes().into() }
            };
            let networks: Vec<Network> =
                networks.iter().map(|(n, length, is_v4)| (ip(*n, *is_v4), if *is_v4 { *length } else { length * 4 })).collect();
            let sorted = Networks::new(networks.iter().map(|network| (*network, ())));
            for is_v4 in [true, false] {
                let address = ip(address, is_v4);
                let is_listed = networks.iter().any(|(network, length)| contains(*network, *length, address));
                prop_assert_eq!(sorted.get(address).is_some(), is_listed);
            }
        }
    }
}
