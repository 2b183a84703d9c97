//! What one packet is (D1).
//!
//! Flags decide who is who: on real logs the sources with the most "distinct ports" are victims of
//! somebody else's flood, answering to our forged address. A counter that ignores flags calls them attackers.
//!
//! What it misses: a scanner whose probes look like replies scores nothing here. D5 is for those.

use crate::{
    address::{self, Home},
    finding::Action,
    packet::{Header, Packet, TcpFlags},
    texts::Edition,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The classes, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The prefix says that the packet was let through.
    Accepted,
    /// `IN=` is empty: our own packet.
    Outbound,
    /// What every network does all day: multicast, broadcast, neighbour discovery, service discovery.
    Housekeeping,
    /// An answer to a packet that somebody else sent in our name.
    Backscatter,
    /// The tail of a connection that the firewall has forgotten.
    LateReply,
    /// TCP flags that no TCP stack sends.
    IllegalFlags,
    /// A TCP connection is tried.
    Syn,
    /// ACK or FIN that is not a late reply.
    AckFamily,
    /// Any other UDP.
    Udp,
    /// ICMP echo, timestamp, information or address mask request.
    IcmpRequest,
    /// A protocol that is none of these.
    OtherProtocol,
    /// What fits nowhere: ARP, fragments without ports, other ICMP.
    Other,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Accepted,
        Self::Outbound,
        Self::Housekeeping,
        Self::Backscatter,
        Self::LateReply,
        Self::IllegalFlags,
        Self::Syn,
        Self::AckFamily,
        Self::Udp,
        Self::IcmpRequest,
        Self::OtherProtocol,
        Self::Other,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Outbound => "outbound",
            Self::Housekeeping => "housekeeping",
            Self::Backscatter => "backscatter",
            Self::LateReply => "late_reply",
            Self::IllegalFlags => "illegal_flags",
            Self::Syn => "syn",
            Self::AckFamily => "ack_family",
            Self::Udp => "udp",
            Self::IcmpRequest => "icmp_request",
            Self::OtherProtocol => "other_protocol",
            Self::Other => "other",
        }
    }
}

/// How a probe asks: what names the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Probe {
    /// A SYN that no operating system writes.
    Syn,
    /// A SYN as an operating system writes it.
    Connect,
    Fin,
    Null,
    Xmas,
    Ack,
    Maimon,
    Udp,
    Protocol,
    Icmp,
}

impl Probe {
    pub(crate) const COUNT: usize = 10;
}

/// What kind of contact a probe makes, beside its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) layer: Layer,
    /// Destination port, ICMP type, or protocol number.
    pub(crate) number: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Layer {
    Tcp,
    Udp,
    Icmp,
    Other,
}

/// The verdict on one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Classified {
    pub(crate) class: Class,
    /// For classes that count towards a scan, and late replies, which may turn out to.
    pub(crate) probe: Option<(Probe, Service)>,
}

/// Ports on which a network talks to itself.
///
/// DHCP 67 68; NetBIOS 137 138; SSDP 1900; WS-Discovery 3702; mDNS 5353; LLMNR 5355 (IANA service names);
/// Dropbox 17500, Spotify 57621, Steam 27036, Plex 32412-32414, `UniFi` 10001, `MikroTik` 5678, Sonos 6771 (their vendors' documentation).
const fn is_chatter_port(port: u16) -> bool {
    matches!(port, 67 | 68 | 137 | 138 | 1900 | 3702 | 5353 | 5355 | 17500 | 57621 | 27036 | 32412..=32414 | 10001 | 5678 | 6771)
}

/// TCP ports whose server may have the last word: below 1024, and services that live above.
///
/// Source: IANA Service Name and Transport Protocol Port Number Registry; 8000-8888 by custom of web servers.
const fn is_tcp_service(port: u16) -> bool {
    port < 1024
        || matches!(
            port,
            1194 | 1433 | 1521 | 1723 | 1883 | 1935 | 2049 | 2082..=2087 | 2095 | 2096 | 3128 | 3306 | 3389 | 4443 | 5000 | 5060 | 5061 | 5222
                | 5223 | 5228..=5230 | 5269 | 5432 | 5671 | 5672 | 5900 | 5938 | 6379 | 6667 | 6697 | 7777 | 8000 | 8008 | 8009 | 8080 | 8081
                | 8088 | 8096 | 8333 | 8443 | 8883 | 8888 | 9000 | 9001 | 9030 | 9092 | 9200 | 9418 | 9443 | 11211 | 19302 | 25565 | 27017
                | 32400
        )
}

/// UDP ports that answer: DNS, NTP, QUIC, STUN, IKE and its NAT traversal.
const fn is_udp_service(port: u16) -> bool {
    matches!(port, 53 | 123 | 443 | 3478 | 500 | 4500)
}

/// UDP ports that answer a search which went to everybody: those of [`is_chatter_port`], and of printers and scanners.
///
/// A firewall cannot tell such an answer from a probe, since it comes from an address that was not asked: a browser that looks
/// for televisions every two minutes gets "probes" of a new port every two minutes.
/// SNMP 161; Canon BJNP 8610-8612, Epson 3289 (as in the `sane-backends` documentation).
const fn answers_searches(port: u16) -> bool {
    is_chatter_port(port) || matches!(port, 161 | 3289 | 8610..=8612)
}

/// Classifies one packet. `is_accepted`: the prefix says so.
pub(crate) fn classify(packet: &Packet<'_>, is_accepted: bool, home: &Home) -> Classified {
    let just = |class| Classified { class, probe: None };
    if is_accepted {
        return just(Class::Accepted);
    }
    if packet.in_iface.is_none_or(<[u8]>::is_empty) && packet.out_iface.is_some_and(|out| !out.is_empty()) {
        return just(Class::Outbound);
    }
    let header = &packet.header;
    if address::is_for_many(header.dst) || is_broadcast_frame(packet) {
        return just(Class::Housekeeping);
    }
    // A later fragment has no transport header; its first bytes are no ports.
    if header.frag.is_some_and(|offset| offset > 0) {
        return just(Class::Other);
    }
    match header.proto.number {
        Some(6) => tcp(header),
        Some(17) => udp(header, home),
        Some(1) => icmp(header),
        Some(58) => icmp6(header),
        Some(2) => just(Class::Housekeeping),
        Some(number) => Classified {
            class: Class::OtherProtocol,
            probe: Some((Probe::Protocol, Service { layer: Layer::Other, number: u16::from(number) })),
        },
        None => just(Class::Other),
    }
}

/// The frame was sent to everybody, as its MAC address says, and the address may be the broadcast address of a network.
///
/// The MAC address alone would let a scanner on the link hide its probes in broadcast frames, which the kernel accepts.
fn is_broadcast_frame(packet: &Packet<'_>) -> bool {
    // All ones in the last three bits: the smallest network with a broadcast address that is worth the name is a /29.
    let may_be_one = matches!(packet.header.dst, IpAddr::V4(dst) if dst.octets()[3] & 7 == 7);
    may_be_one && packet.header.proto.number != Some(6) && [packet.link.mac, packet.link.mac_dst].into_iter().flatten().any(is_everybody)
}

/// Does a MAC address, or a frame's header that begins with it, say so?
#[inline(never)]
fn is_everybody(mac: &[u8]) -> bool {
    mac.get(..17).is_some_and(|mac| mac.eq_ignore_ascii_case(b"ff:ff:ff:ff:ff:ff"))
}

fn tcp(header: &Header<'_>) -> Classified {
    const SYN: u8 = TcpFlags::SYN;
    const ACK: u8 = TcpFlags::ACK;
    const RST: u8 = TcpFlags::RST;
    const FIN: u8 = TcpFlags::FIN;
    const PSH: u8 = TcpFlags::PSH;
    const URG: u8 = TcpFlags::URG;
    let (Some(flags), Some(sport), Some(dport)) = (header.flags, header.sport, header.dport) else {
        return Classified { class: Class::Other, probe: None };
    };
    // ECN is normal: its two flags say nothing here.
    let bits = flags.bits() & (SYN | ACK | RST | FIN | PSH | URG);
    let has = |mask: u8| bits & mask != 0;
    let service = Service { layer: Layer::Tcp, number: dport };
    let probe = |class, probe| Classified { class, probe: Some((probe, service)) };
    if (bits & !(PSH | URG) == SYN | ACK || bits & !(ACK | PSH) == RST) && dport >= 1024 {
        return Classified { class: Class::Backscatter, probe: None };
    }
    // Every TCP segment after the SYN carries ACK (RFC 9293, 3.10.7.4), so a reply without it is none.
    if has(ACK) && !has(SYN | RST) && is_tcp_service(sport) && dport >= 1024 {
        return probe(Class::LateReply, if has(FIN) && !has(PSH | URG) { Probe::Maimon } else { Probe::Ack });
    }
    match bits {
        0 => probe(Class::IllegalFlags, Probe::Null),
        FIN => probe(Class::IllegalFlags, Probe::Fin),
        _ if has(SYN) && has(FIN | RST) => probe(Class::IllegalFlags, Probe::Syn),
        _ if !has(SYN | ACK | RST) => probe(Class::IllegalFlags, Probe::Xmas),
        _ if has(SYN) && !has(ACK) => probe(Class::Syn, if is_written_by_a_stack(header) { Probe::Connect } else { Probe::Syn }),
        _ if has(ACK) && has(FIN) && !has(SYN | RST | PSH | URG) => probe(Class::AckFamily, Probe::Maimon),
        _ if has(ACK) => probe(Class::AckFamily, Probe::Ack),
        _ => Classified { class: Class::Other, probe: None },
    }
}

/// Does this SYN look as operating systems write it?
///
/// They all send MSS, SACK and window scale, so at least 12 bytes of options (RFC 9293, RFC 2018, RFC 7323), set DF, and
/// offer a window of more than 5,000 bytes; raw scanners send at most an MSS and windows of 1,024 to 4,096 (nmap
/// `tcpip.cc`, masscan and zmap sources, and the captures in `tests/corpus`).
fn is_written_by_a_stack(header: &Header<'_>) -> bool {
    let (fixed, is_unfragmented) = if header.src.is_ipv6() { (60, true) } else { (40, header.ip_flags.df) };
    is_unfragmented
        && header.len.is_some_and(|len| (fixed + 12..=fixed + 40).contains(&len))
        && header.window.is_some_and(|window| window > 5_000)
}

fn udp(header: &Header<'_>, home: &Home) -> Classified {
    let (Some(sport), Some(dport)) = (header.sport, header.dport) else {
        return Classified { class: Class::Other, probe: None };
    };
    if is_chatter_port(dport) && home.is_near(header.src) {
        // What asks one of our addresses from a port that such protocols do not use may be a scanner on the link that
        // tries these ports among others. It counts, but is called what it most likely is.
        let probe = (!is_chatter_port(sport)).then_some((Probe::Udp, Service { layer: Layer::Udp, number: dport }));
        return Classified { class: Class::Housekeeping, probe };
    }
    let number = if is_traceroute(dport, header) { TRACEROUTE } else { dport };
    let is_answer = is_udp_service(sport) || (answers_searches(sport) && home.is_near(header.src));
    let class = if is_answer && dport >= 1024 { Class::LateReply } else { Class::Udp };
    Classified { class, probe: Some((Probe::Udp, Service { layer: Layer::Udp, number })) }
}

/// The first port that traceroute asks.
const TRACEROUTE: u16 = 33_434;

/// Is this a probe of a traceroute to us?
///
/// It asks a new port with each of its three times thirty probes, and where the firewall throws them away, it asks them all. What
/// gets here has a TTL of at most the 30 hops that it allows (traceroute(8): ports from 33434, 30 hops), which no system and no
/// scanner begins with. All of it is one contact; nothing listens there.
fn is_traceroute(dport: u16, header: &Header<'_>) -> bool {
    (TRACEROUTE..=TRACEROUTE + 3 * 30).contains(&dport) && header.ttl.or(header.hop_limit).is_some_and(|hops| hops <= 30)
}

#[inline(never)]
fn icmp(header: &Header<'_>) -> Classified {
    match header.icmp_type {
        // Echo, timestamp, information and address mask request (IANA ICMP Parameters).
        Some(kind @ (8 | 13 | 15 | 17)) => {
            Classified { class: Class::IcmpRequest, probe: Some((Probe::Icmp, Service { layer: Layer::Icmp, number: u16::from(kind) })) }
        }
        // Replies to these, and the errors.
        Some(0 | 3 | 4 | 5 | 11 | 12 | 14 | 16 | 18) => Classified { class: Class::Backscatter, probe: None },
        _ => Classified { class: Class::Other, probe: None },
    }
}

#[inline(never)]
fn icmp6(header: &Header<'_>) -> Classified {
    match header.icmp_type {
        // Echo request (RFC 4443).
        Some(128) => Classified { class: Class::IcmpRequest, probe: Some((Probe::Icmp, Service { layer: Layer::Icmp, number: 128 })) },
        // Errors and echo reply (RFC 4443).
        Some(1..=4 | 129) => Classified { class: Class::Backscatter, probe: None },
        // Multicast listener discovery (RFC 2710, RFC 3810), neighbour discovery (RFC 4861).
        Some(130..=137 | 143) => Classified { class: Class::Housekeeping, probe: None },
        _ => Classified { class: Class::Other, probe: None },
    }
}

/// What a log prefix says about the fate of a packet, remembered for the prefix seen last: a firewall has few.
#[derive(Clone, Debug)]
pub(crate) struct Verdicts {
    accepted_words: Vec<Vec<u8>>,
    last: [u8; MAX_PREFIX],
    last_len: usize,
    last_action: Action,
    /// Of the texts of the packet seen last.
    edition: Edition,
    /// Tells prefixes apart (FNV-1a; an administrator writes them, not an attacker).
    last_number: u64,
}

/// The kernel's own bound on a prefix (`NF_LOG_PREFIXLEN` in `include/net/netfilter/nf_log.h`).
const MAX_PREFIX: usize = 128;

impl Verdicts {
    pub(crate) fn new(accepted_words: &[String]) -> Self {
        let accepted_words =
            accepted_words.iter().map(|word| word.to_ascii_uppercase().into_bytes()).filter(|word| !word.is_empty()).collect();
        Self {
            accepted_words,
            last: [0; MAX_PREFIX],
            last_len: 0,
            last_action: Action::Unknown,
            edition: Edition::default(),
            last_number: 0,
        }
    }

    /// What the firewall did with a packet that was logged with `prefix`, which is of this edition.
    pub(crate) fn action(&mut self, prefix: &[u8], edition: Edition) -> Action {
        if self.edition == edition { self.last_action } else { self.learn(prefix, edition) }
    }

    #[cold]
    fn learn(&mut self, prefix: &[u8], edition: Edition) -> Action {
        let Some(slot) = self.last.get_mut(..prefix.len()) else {
            return self.read(prefix);
        };
        self.edition = edition;
        if self.last_len == prefix.len() && slot == prefix {
            return self.last_action;
        }
        slot.copy_from_slice(prefix);
        self.last_len = prefix.len();
        self.last_action = self.read(prefix);
        self.last_number = prefix.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        self.last_action
    }

    /// A number for the prefix seen last.
    pub(crate) const fn prefix_number(&self) -> u64 {
        self.last_number
    }

    /// The same, and nothing is remembered.
    pub(crate) fn read(&self, prefix: &[u8]) -> Action {
        let says = |word: &[u8]| has_word(prefix, word);
        if says(b"REJECT") {
            Action::Rejected
        } else if says(b"DROP") || says(b"BLOCK") || says(b"DENY") || says(b"DENIED") {
            Action::Dropped
        } else if self.accepted_words.iter().any(|word| says(word)) && !says(b"NOT") {
            Action::Accepted
        } else {
            Action::Unknown
        }
    }
}

/// Does `text` have `word` (upper case) at the start of a word?
fn has_word(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(word) && !at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphabetic)
    })
}
