//! Made-up packets, without the detour by way of text: for histories of millions.

#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::Engine,
    finding::{Finding, Phase},
    origin::Origin,
    packet::{Packet, TcpFlags},
    parse::parse,
    tick::Tick,
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

/// 2026-11-22 07:10:00 UTC, in microseconds: any moment that is not the beginning of the line.
pub(crate) const START: u64 = 1_795_331_400_000_000;
pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const DAY: u64 = 86_400 * SECOND;

fn template(line: &'static str) -> Packet<'static> {
    parse(line.as_bytes()).unwrap()
}

static TCP: LazyLock<Packet<'static>> = LazyLock::new(|| {
    template(
        "DROP IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:08:00 SRC=192.0.2.1 DST=192.0.2.2 LEN=44 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=40000 DPT=1 WINDOW=1024 RES=0x00 URGP=0 ",
    )
});
static UDP: LazyLock<Packet<'static>> = LazyLock::new(|| {
    template(
        "DROP IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:08:00 SRC=192.0.2.1 DST=192.0.2.2 LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=UDP SPT=40000 DPT=1 LEN=8 ",
    )
});
static ICMP: LazyLock<Packet<'static>> = LazyLock::new(|| {
    template(
        "DROP IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:08:00 SRC=192.0.2.1 DST=192.0.2.2 LEN=84 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE=8 CODE=0 ID=1 SEQ=1 ",
    )
});
static ICMP6: LazyLock<Packet<'static>> = LazyLock::new(|| {
    template(
        "DROP IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:86:dd SRC=fe80::1 DST=ff02::1 LEN=72 TC=0 HOPLIMIT=255 FLOWLBL=0 PROTO=ICMPv6 TYPE=135 CODE=0 ",
    )
});
static IGMP: LazyLock<Packet<'static>> =
    LazyLock::new(|| template("DROP IN=eth0 OUT= SRC=192.0.2.1 DST=224.0.0.1 LEN=32 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=2 "));

/// A TCP packet with these flags, as a raw scanner writes it.
pub(crate) fn tcp(src: IpAddr, sport: u16, dst: IpAddr, dport: u16, flags: u8) -> Packet<'static> {
    let mut packet = *TCP;
    (packet.header.src, packet.header.dst) = (src, dst);
    (packet.header.sport, packet.header.dport) = (Some(sport), Some(dport));
    packet.header.flags = Some((0..8).filter(|bit| flags >> bit & 1 != 0).fold(TcpFlags::default(), |all, bit| all.with(1 << bit)));
    packet.header.id = Some(id(src, sport, dport));
    packet
}

pub(crate) fn syn(src: IpAddr, sport: u16, dst: IpAddr, dport: u16) -> Packet<'static> {
    tcp(src, sport, dst, dport, TcpFlags::SYN)
}

/// A TCP packet as an operating system writes it.
pub(crate) fn stack_tcp(src: IpAddr, sport: u16, dst: IpAddr, dport: u16, flags: u8) -> Packet<'static> {
    let mut packet = tcp(src, sport, dst, dport, flags);
    packet.header.len = Some(60);
    packet.header.window = Some(64_240);
    packet.header.ip_flags.df = true;
    packet
}

pub(crate) fn udp(src: IpAddr, sport: u16, dst: IpAddr, dport: u16) -> Packet<'static> {
    let mut packet = *UDP;
    (packet.header.src, packet.header.dst) = (src, dst);
    (packet.header.sport, packet.header.dport) = (Some(sport), Some(dport));
    packet.header.id = Some(id(src, sport, dport));
    packet
}

/// Every source draws IDs of its own, as real ones do.
fn id(src: IpAddr, sport: u16, dport: u16) -> u16 {
    let address = match src {
        IpAddr::V4(a) => u64::from(a.to_bits()),
        #[allow(clippy::cast_possible_truncation, reason = "some bits")]
        IpAddr::V6(a) => (a.to_bits() >> 64) as u64 ^ a.to_bits() as u64,
    };
    let bits = Random(address << 32 ^ u64::from(sport) << 16 ^ u64::from(dport)).next();
    u16::try_from(bits >> 48).unwrap() | 1
}

pub(crate) fn icmp(src: IpAddr, dst: IpAddr, kind: u8) -> Packet<'static> {
    let mut packet = if src.is_ipv6() { *ICMP6 } else { *ICMP };
    (packet.header.src, packet.header.dst) = (src, dst);
    packet.header.icmp_type = Some(kind);
    packet
}

pub(crate) fn igmp(src: IpAddr, dst: IpAddr) -> Packet<'static> {
    let mut packet = *IGMP;
    (packet.header.src, packet.header.dst) = (src, dst);
    packet
}

/// The packet goes on to another network.
pub(crate) fn forwarded(mut packet: Packet<'static>) -> Packet<'static> {
    (packet.in_iface, packet.out_iface) = (Some(b"docker0".as_slice()), Some(b"eth0".as_slice()));
    packet
}

pub(crate) fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    Ipv4Addr::new(a, b, c, d).into()
}

pub(crate) fn v6(upper: u64, lower: u64) -> IpAddr {
    Ipv6Addr::from_bits(u128::from(upper) << 64 | u128::from(lower)).into()
}

/// Random numbers with a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let n = usize::try_from(self.below(from.len() as u64)).unwrap();
        *from.get(n).unwrap()
    }

    /// A port of a client.
    pub(crate) fn ephemeral(&mut self) -> u16 {
        u16::try_from(32_768 + self.below(28_000)).unwrap()
    }

    /// An address of the Internet.
    pub(crate) fn internet(&mut self) -> IpAddr {
        let [b, c, d, ..] = self.next().to_be_bytes();
        let a = self.pick(&[1, 5, 20, 31, 45, 64, 71, 80, 91, 103, 118, 138, 141, 162, 167, 178, 185, 194, 205, 212, 218]);
        v4(a, b, c, d)
    }
}

/// What happens, and when.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    pub(crate) entries: Vec<(u64, Packet<'static>)>,
}

impl Diary {
    pub(crate) fn note(&mut self, at: u64, packet: Packet<'static>) {
        self.entries.push((at, packet));
    }

    /// Lets the engine see it in order, and keeps what it says.
    pub(crate) fn tell(mut self, engine: &mut Engine, said: &mut Vec<Finding>) {
        self.entries.sort_by_key(|(at, _)| *at);
        for (at, packet) in &self.entries {
            engine.observe(packet, Origin::Kernel, Tick::from_micros(*at));
            said.extend(std::iter::from_fn(|| engine.next_finding()));
        }
    }
}

/// The popups that a person gets: incidents when they first become worth one, and when they begin again.
pub(crate) fn popups(said: &[Finding]) -> Vec<&Finding> {
    let mut shown = BTreeSet::new();
    let is_popup = |finding: &&Finding| {
        finding.severity >= 3
            && !matches!(finding.phase, Phase::Closed | Phase::Merged)
            && (shown.insert(finding.id) || finding.phase == Phase::Reopened)
    };
    said.iter().filter(is_popup).collect()
}
