//! This machine scans others (D17).
//!
//! New outgoing SYN, UDP or ICMP requests that our own firewall refused: ten destinations on one of the ports that worms
//! spread by, or fifteen ports on one destination, in ten minutes. Severity 5: a program on this machine attacks others.
//! The user behind it is named where the firewall logs it.
//!
//! It misses what the firewall lets out, which no log shows.

use crate::{
    cache::Cache,
    hash::Hasher,
    packet::{Packet, TcpFlags},
    tick::Tick,
};
use std::time::Duration;

/// Ports by which worms spread: SSH, telnet, SMB, remote desktop, Android debug bridge.
const WORM_PORTS: [u16; 5] = [22, 23, 445, 3389, 5555];
const DESTINATIONS: u32 = 10;
const PORTS: u32 = 15;
const WINDOW: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) struct Egress {
    /// Distinct destinations by worm port.
    ports: [Marks; WORM_PORTS.len()],
    /// Distinct ports by destination.
    destinations: Cache<Marks>,
}

/// Distinct things in a window, by hash: 64 marks tell ten or fifteen apart well enough.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    since: Tick,
    marks: u64,
}

impl Marks {
    fn note(&mut self, hash: u64, tick: Tick) -> u32 {
        if tick.since(self.since) > WINDOW {
            *self = Self { since: tick, marks: 0 };
        }
        self.marks |= 1 << (hash % 64);
        // n distinct things set 64 (1 - e^(-n/64)) marks: 9.3 for 10, 13.4 for 15.
        let set = self.marks.count_ones();
        set + set * set / 128
    }
}

impl Egress {
    pub(crate) fn new() -> Self {
        Self { ports: [Marks::default(); WORM_PORTS.len()], destinations: Cache::new(256) }
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
        if !is_new {
            return false;
        }
        let port = header.dport.unwrap_or(0);
        let mut is_scan = false;
        if let Some(n) = WORM_PORTS.iter().position(|known| *known == port)
            && let Some(marks) = self.ports.get_mut(n)
        {
            is_scan = marks.note(destination, tick) >= DESTINATIONS;
        }
        let marks = self.destinations.get_or_insert_with(destination, tick, Marks::default);
        is_scan | (marks.note(hasher.mix(u64::from(port), 9), tick) >= PORTS)
    }
}
