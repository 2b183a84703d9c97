//! The packets of the scans, written by hand: headers as in RFC 791, RFC 8200, RFC 9293 and RFC 768.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Syn,
    Fin,
    Udp,
    SynV6,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Syn, Self::Fin, Self::Udp, Self::SynV6];

    /// Its name for people and on the way to the sender.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Syn => "SYN scan",
            Self::Fin => "FIN scan",
            Self::Udp => "UDP scan",
            Self::SynV6 => "IPv6 SYN scan",
        }
    }
}

/// One scan of ports in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) kind: Kind,
    pub(super) source: IpAddr,
    /// Of the family of the source.
    pub(super) target: IpAddr,
    pub(super) first_port: u16,
    pub(super) count: u16,
}

/// The machine, as its neighbour at the other end knows it: networks for documentation (RFC 5737, RFC 3849).
pub(super) const GATEWAY4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub(super) const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, 0xa);
/// Where scans go to, by way of the machine: other networks for documentation. Nobody has these addresses, the rule drops what comes
/// for them. Each scan has an address of its own: those of several runs on one address would be one scan shared between sources.
pub(super) const TARGETS4: &str = "198.51.100.0/24";
pub(super) const TARGETS6: &str = "2001:db8:52::/64";

pub(super) const fn target4(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, n)
}

pub(super) const fn target6(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x52, 0, 0, 0, 0, n)
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const FIN: u8 = 1;
const SYN: u8 = 2;

impl Scan {
    /// A line for the sender.
    pub(super) fn to_line(self) -> String {
        let kind = Kind::ALL.iter().position(|kind| *kind == self.kind).unwrap_or(0);
        format!("{kind} {} {} {} {}\n", self.source, self.target, self.first_port, self.count)
    }

    pub(super) fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let kind = *Kind::ALL.get(words.next()?.parse::<usize>().ok()?)?;
        let (source, target) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (first_port, count) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { kind, source, target, first_port, count })
    }

    /// The packets, with their IP headers.
    pub(super) fn packets(self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.count).map(move |n| {
            let dport = self.first_port.wrapping_add(n);
            let sport = 40_000 + self.first_port % 20_000;
            let (protocol, payload) = match self.kind {
                Kind::Udp => (UDP, udp(sport, dport)),
                Kind::Fin => (TCP, tcp(sport, dport, FIN)),
                Kind::Syn | Kind::SynV6 => (TCP, tcp(sport, dport, SYN)),
            };
            match (self.source, self.target) {
                (IpAddr::V4(source), IpAddr::V4(target)) => v4([source, target], n, protocol, &payload),
                (source, target) => v6([source, target].map(mapped), protocol, &payload),
            }
        })
    }
}

/// As nmap writes it: a small window, an MSS. The checksum stays 0: nobody is there to look at it.
fn tcp(sport: u16, dport: u16, flags: u8) -> Vec<u8> {
    let options: &[u8] = if flags == SYN { &[2, 4, 5, 0xb4] } else { &[] };
    let words = if options.is_empty() { 5 } else { 6 };
    let mut bytes = Vec::new();
    bytes.extend(sport.to_be_bytes());
    bytes.extend(dport.to_be_bytes());
    bytes.extend(u32::from(dport).wrapping_mul(2_654_435_761).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend([words << 4, flags]);
    bytes.extend(1_024_u16.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(options);
    bytes
}

fn udp(sport: u16, dport: u16) -> Vec<u8> {
    [sport.to_be_bytes(), dport.to_be_bytes(), 8_u16.to_be_bytes(), [0; 2]].concat()
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// With `ends`, the source and the target.
fn v4(ends: [Ipv4Addr; 2], id: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![0x45, 0];
    bytes.extend(length.to_be_bytes());
    // A zero would be filled in by the kernel (raw(7)), as the checksum is.
    bytes.extend((id.wrapping_mul(7_919) | 1).to_be_bytes());
    bytes.extend([0, 0, 52, protocol, 0, 0]);
    bytes.extend(ends.map(|end| end.octets()).concat());
    bytes.extend(payload);
    bytes
}

fn v6(ends: [Ipv6Addr; 2], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([protocol, 52]);
    bytes.extend(ends.map(|end| end.octets()).concat());
    bytes.extend(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_goes_over_a_line_and_its_packets_are_whole() {
        for (kind, source) in Kind::ALL.into_iter().zip(["198.18.0.1", "198.18.1.1", "198.18.2.1", "2001:db8:8000::1"]) {
            let target = if kind == Kind::SynV6 { target6(1).into() } else { target4(1).into() };
            let scan = Scan { kind, source: source.parse().unwrap(), target, first_port: 65_000, count: 40 };
            assert_eq!(Scan::from_line(&scan.to_line()), Some(scan));
            let packets: Vec<_> = scan.packets().collect();
            assert_eq!(packets.len(), 40);
            for packet in packets {
                let header = if scan.source.is_ipv6() { 40 } else { 20 };
                let length =
                    if header == 40 { 40 + u16::from_be_bytes([packet[4], packet[5]]) } else { u16::from_be_bytes([packet[2], packet[3]]) };
                assert_eq!(usize::from(length), packet.len());
                let transport = &packet[header..];
                assert!(kind == Kind::Udp || transport.len() == usize::from(transport[12] >> 4) * 4);
            }
        }
        assert_eq!(Scan::from_line("9 198.18.0.1 198.51.100.1 1 1"), None);
        assert_eq!(Scan::from_line("0 nobody 198.51.100.1 1 1"), None);
    }
}
