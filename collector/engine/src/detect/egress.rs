//! This machine scans others (D17).
//!
//! New outgoing SYN, UDP or ICMP requests that our own firewall refused: ten destinations on one of the ports that worms
//! spread by, or fifteen ports on one destination, in ten minutes. Severity 5: a program on this machine attacks others.
//! The user behind it is named where the firewall logs it.
//!
//! It misses what the firewall lets out, which no log shows.

use super::Reading;
use crate::{
    cache::Cache,
    hash::Hasher,
    packet::{Packet, TcpFlags},
    parameters,
    tick::Tick,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Egress {
    pub(crate) limits: parameters::Egress,
    /// Distinct destinations by worm port.
    pub(crate) ports: Vec<Marks>,
    /// Distinct ports by destination.
    pub(crate) destinations: Cache<Marks>,
}

/// Distinct things in a window, by hash: 64 marks tell ten or fifteen apart well enough.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Marks {
    since: Tick,
    marks: u64,
}

impl Marks {
    fn note(&mut self, hash: u64, tick: Tick, within: Duration) -> u32 {
        if tick.since(self.since) > within {
            *self = Self { since: tick, marks: 0 };
        }
        self.marks |= 1 << (hash % 64);
        self.count()
    }

    fn count(&self) -> u32 {
        // n distinct things set 64 (1 - e^(-n/64)) marks: 9.3 for 10, 13.4 for 15.
        let set = self.marks.count_ones();
        set + set * set / 128
    }
}

impl Egress {
    pub(crate) fn new(limits: parameters::Egress) -> Self {
        let ports = vec![Marks::default(); limits.worm_ports.len()];
        Self { limits, ports, destinations: Cache::new(256) }
    }

    /// Goes by other parameters; what was counted of ports that stay stays.
    pub(crate) fn adopt(&mut self, limits: parameters::Egress) {
        let known = |port| self.limits.worm_ports.iter().position(|known| known == port).and_then(|n| self.ports.get(n));
        self.ports = limits.worm_ports.iter().map(|port| known(port).copied().unwrap_or_default()).collect();
        self.limits = limits;
    }

    /// Destinations and ports of our own refused packets, beside how many are a scan. `destination` as in [`Self::note`].
    pub(crate) fn readings(&self, port: u16, destination: u64) -> Vec<Reading> {
        let Self { limits, ports, destinations } = self;
        let at = limits.worm_ports.iter().position(|known| *known == port).and_then(|n| ports.get(n)).map_or(0, Marks::count);
        let on = destinations.peek(destination).map_or(0, Marks::count);
        if !limits.enabled {
            return Vec::new();
        }
        vec![
            Reading::new("D17", "egress", "destinations on a worm's port", f64::from(at), f64::from(limits.destinations), "destinations"),
            Reading::new("D17", "egress", "ports on one destination", f64::from(on), f64::from(limits.ports), "ports"),
        ]
    }

    /// One refused packet of our own. True: this machine scans.
    pub(crate) fn note(&mut self, packet: &Packet<'_>, hasher: &Hasher, destination: u64, tick: Tick) -> bool {
        let header = &packet.header;
        let is_new = match header.proto.number {
            Some(6) => header.flags.is_some_and(|flags| flags.bits() & (TcpFlags::SYN | TcpFlags::ACK | TcpFlags::RST) == TcpFlags::SYN),
            Some(17) => header.sport.is_none_or(|sport| sport >= 1024),
            Some(1) => header.icmp_type == Some(8),
            Some(58) => header.icmp_type == Some(128),
            _ => false,
        };
        let Self { limits, ports, destinations } = self;
        if !is_new || !limits.enabled {
            return false;
        }
        let port = header.dport.unwrap_or(0);
        let mut is_scan = false;
        if let Some(n) = limits.worm_ports.iter().position(|known| *known == port)
            && let Some(marks) = ports.get_mut(n)
        {
            is_scan = marks.note(destination, tick, limits.within) >= limits.destinations;
        }
        let marks = destinations.get_or_insert_with(destination, tick, Marks::default);
        is_scan | (marks.note(hasher.mix(u64::from(port), 9), tick, limits.within) >= limits.ports)
    }
}
