//! Which tool it is (D15), and OS detection.
//!
//! | tool | sure when | source |
//! |---|---|---|
//! | nmap, raw scans | TTLs of one source spread by 8 and more over 3 and more values in 4 packets of 10 s (nmap draws 37-59 for each packet), or one SEQ on two ports | nmap `scan_engine_raw.cc`, captures |
//! | nmap -O | ICMP echo CODE=9 SEQ=295; UDP ID=4162 LEN=328; SYN ECE CWR with WINDOW=3 URGP=63477 | nmap `osscan2.cc`, captures |
//! | nmap -6 -O | FLOWLBL=0x12345 on an ICMP echo with CODE=9 or ID=0xabcd, or on UDP with 300 bytes | nmap `FPEngine.cc`, captures |
//! | nmap host discovery | ICMP 8 LEN=28, SYN to 443, ACK to 80, ICMP 13 LEN=40 from one source within a second; over IPv6 without the last | nmap(1) "Host discovery" |
//! | nmap -sO | five protocols with LEN=20 | captures |
//! | masscan | ID = destination address ^ destination port ^ SEQ, low 16 bits | masscan `templ-pkt.c`, captures |
//! | zmap | ID=54321, WINDOW=65535 | zmap `module_tcp_synscan.c` |
//! | Mirai family | SEQ = destination address, port 23 or 2323 | Mirai's published `scanner.c` |
//! | hping3 | a SYN with WINDOW=512 and a non-zero ACK number | hping3 `sendtcp.c`, captures |
//!
//! WINDOW=1024 LEN=44 with a low TTL alone is not nmap: on an exposed host that is wrong in 96.5 of 100 cases (measured).
//! A label needs the same mark twice, but for nmap's OS detection, whose packets nobody else sends.

use crate::{
    class::{Layer, Probe, Service},
    packet::{Header, Packet, TcpFlags},
    snapshot::Name,
    tick::Tick,
};
use serde::{Deserialize, Serialize};
use std::{hint::cold_path, net::IpAddr};

/// A tool, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "crate::snapshot::NamedTool")]
pub struct Tool {
    /// Its name, lowercase.
    pub name: Name,
    /// Sure; else it only looks like it.
    pub is_sure: bool,
}

/// What no program sends but to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sure {
    /// Probes that identify the operating system.
    OsDetection,
    /// Several kinds of packets at once that ask whether a host is up.
    Discovery,
}

/// The marks of tools on the packets of one source, in 24 bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Marks {
    /// Two bits each for the tools of [`SEEN_TWICE`]: seen once, seen twice.
    seen: u16,
    bare_protocols: u8,
    /// The steps of a host discovery, and the second in which they were seen.
    discovery: u8,
    second: u16,
    last_port: u16,
    last_seq: u32,
    ttl: Ttl,
}

/// TTLs of the last ten seconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Ttl {
    /// Second, modulo 18 hours.
    since: u16,
    low: u8,
    high: u8,
    packets: u8,
    values: u8,
    last: u8,
    is_drawn: bool,
}

/// Tools that are named once their mark was seen twice, the surest first; the number is the place in [`Marks::seen`].
pub(crate) const SEEN_TWICE: [(u16, &str); 6] =
    [(OS, "nmap"), (MASSCAN, "masscan"), (ZMAP, "zmap"), (MIRAI, "mirai"), (HPING, "hping3"), (SAME_SEQ, "nmap")];
const OS: u16 = 0;
const MASSCAN: u16 = 1;
const ZMAP: u16 = 2;
const MIRAI: u16 = 3;
const HPING: u16 = 4;
const SAME_SEQ: u16 = 5;
/// The bits of [`Marks::seen`] that say "twice".
const TWICE: u16 = 0xaaaa;

/// Packets that ask whether a host is up, as bits: echo, timestamp, SYN to 443, ACK to 80, address mask.
const ECHO: u8 = 1;
const TIMESTAMP: u8 = 2;
const SYN_443: u8 = 4;
const ACK_80: u8 = 8;
const MASK: u8 = 16;
/// nmap's host discovery.
const NMAP_STEPS: u8 = ECHO | TIMESTAMP | SYN_443 | ACK_80;
/// All three ICMP requests (nmap -PE -PP -PM, and others): nobody needs more than one of them.
const ICMP_STEPS: u8 = ECHO | TIMESTAMP | MASK;

const fn asks_whether_up(steps: u8) -> bool {
    steps & NMAP_STEPS == NMAP_STEPS || steps & ICMP_STEPS == ICMP_STEPS
}

impl Marks {
    /// The marks of a source that asked `service` in these ways, at last at `tick`: of that no more is known.
    pub(crate) fn after(probes: &[u8; Probe::COUNT], service: Service, tick: Tick) -> Self {
        let asked = |probe: Probe| probes.get(probe as usize).is_some_and(|packets| *packets > 0);
        let discovery = match (service.layer, service.number) {
            (Layer::Icmp, 8) => ECHO,
            (Layer::Icmp, 13) => TIMESTAMP,
            (Layer::Icmp, 17) => MASK,
            (Layer::Icmp, 128) => ECHO | TIMESTAMP,
            (Layer::Tcp, 443) if asked(Probe::Syn) => SYN_443,
            (Layer::Tcp, 80) if asked(Probe::Ack) => ACK_80,
            _ => 0,
        };
        Self { discovery, second: second_of(tick), ..Self::default() }
    }

    /// Looks at one packet of the source. Says what only nmap's OS detection or host discovery can be.
    pub(crate) fn note(&mut self, packet: &Packet<'_>, tick: Tick) -> Option<Sure> {
        let header = &packet.header;
        let second = second_of(tick);
        if let Some(ttl) = header.ttl.or(header.hop_limit) {
            self.ttl.note(ttl, second);
        }
        let (is_os_probe, step) = match header.proto.number {
            Some(6) => {
                self.note_tcp(header);
                of_tcp(header)
            }
            Some(number) => self.note_other(header, number),
            None => (false, 0),
        };
        if is_os_probe {
            cold_path();
            // Nobody else sends these: once is enough.
            self.mark(OS);
            self.mark(OS);
        }
        let mut is_discovery = false;
        if step != 0 && !asks_whether_up(self.discovery) {
            if second.wrapping_sub(self.second) > 1 {
                self.discovery = 0;
            }
            self.discovery |= step;
            self.second = second;
            is_discovery = asks_whether_up(self.discovery);
        }
        if is_os_probe { Some(Sure::OsDetection) } else { is_discovery.then_some(Sure::Discovery) }
    }

    /// The same as [`of_tcp`] for all other protocols.
    #[inline(never)]
    fn note_other(&mut self, header: &Header<'_>, number: u8) -> (bool, u8) {
        match number {
            1 => of_icmp(header),
            17 => (header.id == Some(4162) && header.len == Some(328) || (has_nmaps_flow(header) && header.l4_len == Some(308)), 0),
            58 => of_icmp6(header),
            2 => (false, 0),
            _ => {
                self.bare_protocols = self.bare_protocols.saturating_add(u8::from(header.len == Some(20)));
                (false, 0)
            }
        }
    }

    fn note_tcp(&mut self, header: &Header<'_>) {
        let (Some(dport), Some(flags)) = (header.dport, header.flags) else { return };
        let is_syn = flags.bits() == TcpFlags::SYN;
        if is_syn && header.id == Some(54_321) && header.window == Some(65_535) {
            self.mark(ZMAP);
        }
        let Some(seq) = header.tcp_seq else { return };
        if let (IpAddr::V4(dst), Some(id)) = (header.dst, header.id)
            && is_syn
        {
            let dst = dst.to_bits();
            if u32::from(id) == (dst ^ u32::from(dport) ^ seq) & 0xffff {
                self.mark(MASSCAN);
            }
            if seq == dst && matches!(dport, 23 | 2323) {
                self.mark(MIRAI);
            }
        }
        if is_syn && header.window == Some(512) && header.tcp_ack.is_some_and(|ack| ack != 0) {
            self.mark(HPING);
        }
        // Zero is what some tools send everywhere.
        if seq != 0 && self.last_seq == seq && self.last_port != dport {
            self.mark(SAME_SEQ);
        }
        (self.last_seq, self.last_port) = (seq, dport);
    }

    #[cold]
    fn mark(&mut self, tool: u16) {
        let once = 1 << (2 * tool);
        self.seen |= if self.seen & once == 0 { once } else { once << 1 };
    }

    #[inline(never)]
    fn seen_twice(&self) -> Option<Name> {
        SEEN_TWICE.iter().find(|(tool, _)| self.seen & 2 << (2 * tool) != 0).map(|(_, name)| *name)
    }

    /// The tool, if the marks say one.
    pub(crate) fn tool(&self) -> Option<Tool> {
        let is_nmap = self.discovery & NMAP_STEPS == NMAP_STEPS || self.ttl.is_drawn || self.bare_protocols >= 5;
        let twice = if self.seen & TWICE == 0 { None } else { self.seen_twice() };
        twice.or(is_nmap.then_some("nmap")).map(|name| Tool { name, is_sure: true })
    }
}

impl Ttl {
    fn note(&mut self, ttl: u8, second: u16) {
        if self.packets == 0 || second.wrapping_sub(self.since) > 10 {
            cold_path();
            *self = Self { since: second, low: ttl, high: ttl, packets: 0, values: 1, last: ttl, is_drawn: self.is_drawn };
        }
        self.packets = self.packets.saturating_add(1);
        let is_new = ttl < self.low || ttl > self.high || (ttl != self.last && ttl != self.low && ttl != self.high);
        self.values = self.values.saturating_add(u8::from(is_new));
        self.low = self.low.min(ttl);
        self.high = self.high.max(ttl);
        self.last = ttl;
        // nmap draws from 37 to 59 before the hops on the way take some off (scan_engine_raw.cc).
        self.is_drawn |= self.packets >= 4 && self.values >= 3 && self.high - self.low >= 8 && self.high <= 59;
    }
}

/// nmap's IPv6 OS detection sets this flow label (nmap `FPEngine.cc`).
fn has_nmaps_flow(header: &Header<'_>) -> bool {
    header.flow_label == Some(0x12345)
}

/// Is this one of the packets that only nmap's OS detection sends, and which of those that ask whether a host is up, as a bit?
fn of_tcp(header: &Header<'_>) -> (bool, u8) {
    const ECN: u8 = TcpFlags::SYN | TcpFlags::ECE | TcpFlags::CWR;
    let flags = header.flags.map_or(0, TcpFlags::bits);
    let step = match (header.dport, flags) {
        (Some(443), TcpFlags::SYN) => SYN_443,
        (Some(80), TcpFlags::ACK) => ACK_80,
        _ => 0,
    };
    (header.window == Some(3) && header.urgp == Some(63_477) && flags == ECN, step)
}

/// The same.
fn of_icmp(header: &Header<'_>) -> (bool, u8) {
    let is_os_probe = header.icmp_type == Some(8) && header.icmp_code == Some(9) && header.icmp_seq == Some(295);
    let step = match (header.icmp_type, header.len) {
        (Some(8), Some(28)) => ECHO,
        (Some(13), Some(40)) => TIMESTAMP,
        (Some(17), _) => MASK,
        _ => 0,
    };
    (is_os_probe, step)
}

/// The same. `ICMPv6` has no timestamp, so nmap's packets are three there.
fn of_icmp6(header: &Header<'_>) -> (bool, u8) {
    if header.icmp_type != Some(128) {
        return (false, 0);
    }
    (has_nmaps_flow(header) && (header.icmp_code == Some(9) || header.icmp_id == Some(0xabcd)), ECHO | TIMESTAMP)
}

#[allow(clippy::cast_possible_truncation, reason = "differences of seconds wrap as they should")]
const fn second_of(tick: Tick) -> u16 {
    tick.as_secs() as u16
}
