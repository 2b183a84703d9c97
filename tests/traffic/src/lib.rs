//! Made-up traffic, without a wire and without the detour by way of text: packets for tests, and whole weeks of them.
//!
//! Everything is drawn from a seed: the same seed gives the same packets. [`line`](line::line) writes a packet as the kernel logs it.

#![allow(clippy::missing_panics_doc, reason = "the templates are right, a test holds that")]

pub mod desktop;
pub mod diary;
pub mod exposed;
pub mod line;

use firebell_engine::{
    packet::{Packet, TcpFlags},
    parse::parse,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

/// 2026-11-22 07:10:00 UTC, in microseconds: any moment that is not the beginning of the line.
pub const START: u64 = 1_795_331_400_000_000;
/// In microseconds.
pub const SECOND: u64 = 1_000_000;
/// In microseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// In microseconds.
pub const DAY: u64 = 86_400 * SECOND;

macro_rules! template {
    ($name:ident, $mac_type:literal, $rest:literal) => {
        static $name: LazyLock<Packet<'static>> = LazyLock::new(|| {
            let line = concat!("DROP IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:", $mac_type, " ", $rest);
            #[allow(clippy::panic, reason = "a constant that a test reads")]
            parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {line}"))
        });
    };
}

template!(
    TCP,
    "08:00",
    "SRC=192.0.2.1 DST=192.0.2.2 LEN=44 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=40000 DPT=1 WINDOW=1024 RES=0x00 URGP=0 "
);
template!(
    TCP6,
    "86:dd",
    "SRC=fe80::1 DST=ff02::1 LEN=64 TC=0 HOPLIMIT=50 FLOWLBL=0 PROTO=TCP SPT=40000 DPT=1 WINDOW=1024 RES=0x00 URGP=0 "
);
template!(UDP, "08:00", "SRC=192.0.2.1 DST=192.0.2.2 LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=UDP SPT=40000 DPT=1 LEN=8 ");
template!(UDP6, "86:dd", "SRC=fe80::1 DST=ff02::1 LEN=48 TC=0 HOPLIMIT=50 FLOWLBL=0 PROTO=UDP SPT=40000 DPT=1 LEN=8 ");
template!(ICMP, "08:00", "SRC=192.0.2.1 DST=192.0.2.2 LEN=84 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE=8 CODE=0 ID=1 SEQ=1 ");
template!(ICMP6, "86:dd", "SRC=fe80::1 DST=ff02::1 LEN=72 TC=0 HOPLIMIT=255 FLOWLBL=0 PROTO=ICMPv6 TYPE=135 CODE=0 ");
template!(IGMP, "08:00", "SRC=192.0.2.1 DST=224.0.0.1 LEN=32 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=2 ");

/// The flags in the order in which the kernel prints them.
const PRINTED: [u8; 8] =
    [TcpFlags::CWR, TcpFlags::ECE, TcpFlags::URG, TcpFlags::ACK, TcpFlags::PSH, TcpFlags::RST, TcpFlags::SYN, TcpFlags::FIN];

/// A TCP packet with these flags, as a raw scanner writes it.
#[must_use]
pub fn tcp(src: IpAddr, sport: u16, dst: IpAddr, dport: u16, flags: u8) -> Packet<'static> {
    let mut packet = addressed(&TCP, &TCP6, src, sport, dst, dport);
    packet.header.flags = Some(PRINTED.into_iter().filter(|bit| flags & bit != 0).fold(TcpFlags::default(), TcpFlags::with));
    packet
}

/// The first packet of a connection, as a raw scanner writes it.
#[must_use]
pub fn syn(src: IpAddr, sport: u16, dst: IpAddr, dport: u16) -> Packet<'static> {
    tcp(src, sport, dst, dport, TcpFlags::SYN)
}

/// A TCP packet as an operating system writes it.
#[must_use]
pub fn stack_tcp(src: IpAddr, sport: u16, dst: IpAddr, dport: u16, flags: u8) -> Packet<'static> {
    let mut packet = tcp(src, sport, dst, dport, flags);
    packet.header.len = Some(if src.is_ipv6() { 80 } else { 60 });
    packet.header.window = Some(64_240);
    packet.header.ip_flags.df = src.is_ipv4();
    packet
}

/// A UDP packet without payload.
#[must_use]
pub fn udp(src: IpAddr, sport: u16, dst: IpAddr, dport: u16) -> Packet<'static> {
    addressed(&UDP, &UDP6, src, sport, dst, dport)
}

fn addressed(v4: &Packet<'static>, v6: &Packet<'static>, src: IpAddr, sport: u16, dst: IpAddr, dport: u16) -> Packet<'static> {
    let mut packet = if src.is_ipv6() { *v6 } else { *v4 };
    (packet.header.src, packet.header.dst) = (src, dst);
    (packet.header.sport, packet.header.dport) = (Some(sport), Some(dport));
    packet.header.id = src.is_ipv4().then(|| id(src, sport, dport));
    packet
}

/// Every source draws IDs of its own, as real ones do.
fn id(src: IpAddr, sport: u16, dport: u16) -> u16 {
    #[allow(clippy::cast_possible_truncation, reason = "some bits")]
    let address = match src {
        IpAddr::V4(a) => u64::from(a.to_bits()),
        IpAddr::V6(a) => (a.to_bits() >> 64) as u64 ^ a.to_bits() as u64,
    };
    Random(address << 32 ^ u64::from(sport) << 16 ^ u64::from(dport)).bits16() | 1
}

/// An ICMP packet of this type; ICMPv6 from an IPv6 address.
#[must_use]
pub fn icmp(src: IpAddr, dst: IpAddr, kind: u8) -> Packet<'static> {
    let mut packet = if src.is_ipv6() { *ICMP6 } else { *ICMP };
    (packet.header.src, packet.header.dst) = (src, dst);
    packet.header.icmp_type = Some(kind);
    // The kernel prints identifier and number of an echo and of its reply only.
    if !matches!(kind, 0 | 8) {
        (packet.header.icmp_id, packet.header.icmp_seq) = (None, None);
    }
    packet
}

/// A report of group membership.
#[must_use]
pub fn igmp(src: IpAddr, dst: IpAddr) -> Packet<'static> {
    let mut packet = *IGMP;
    (packet.header.src, packet.header.dst) = (src, dst);
    packet
}

/// The same packet, on its way from a container to another network.
#[must_use]
pub const fn forwarded(mut packet: Packet<'static>) -> Packet<'static> {
    (packet.in_iface, packet.out_iface) = (Some(b"docker0".as_slice()), Some(b"eth0".as_slice()));
    packet
}

/// An IPv4 address.
#[must_use]
pub const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// An IPv6 address by its halves.
#[must_use]
pub const fn v6(upper: u64, lower: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits((upper as u128) << 64 | lower as u128))
}

/// Random numbers with a seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// Any number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any number of 16 bits.
    pub const fn bits16(&mut self) -> u16 {
        #[allow(clippy::cast_possible_truncation, reason = "16 bits are left")]
        {
            (self.next() >> 48) as u16
        }
    }

    /// Below `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of these, each as likely as the others. There must be one.
    #[allow(clippy::indexing_slicing, reason = "below its length")]
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }

    /// A port from `low` on, `width` of them.
    pub fn port(&mut self, low: u16, width: u16) -> u16 {
        low.saturating_add(self.bits16() % width.max(1))
    }

    /// A port of a client.
    pub fn ephemeral(&mut self) -> u16 {
        self.port(32_768, 28_000)
    }

    /// An address of the Internet.
    pub fn internet(&mut self) -> IpAddr {
        let [b, c, d, ..] = self.next().to_be_bytes();
        let a = self.pick(&[1, 5, 20, 31, 45, 64, 71, 80, 91, 103, 118, 138, 141, 162, 167, 178, 185, 194, 205, 212, 218]);
        v4(a, b, c, d)
    }
}
