//! What one line of a firewall log says about one packet.

use std::net::IpAddr;

/// One netfilter log record.
///
/// Borrows from the line; numbers are decoded. `None` means that the line does not carry the field.
/// Values the kernel prints in more than one way (`TOS=0x00`, `TOS=00`) are kept as printed.
///
/// Source of the field names: Linux `net/netfilter/nf_log_syslog.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The rule's log prefix: the text before `IN=`, without the space that ends it.
    pub prefix: &'a [u8],
    /// `IN=`; `Some(b"")` for a packet of our own.
    pub in_iface: Option<&'a [u8]>,
    /// `OUT=`; `Some(b"")` for a packet to ourselves.
    pub out_iface: Option<&'a [u8]>,
    /// `PHYSIN=`, the bridge port.
    pub phys_in: Option<&'a [u8]>,
    /// `PHYSOUT=`, the bridge port.
    pub phys_out: Option<&'a [u8]>,
    /// Layer 2.
    pub link: Link<'a>,
    /// The packet itself; for ARP see [`Packet::arp`].
    pub header: Header<'a>,
    /// What an ICMP error quotes in `[ … ]`: chosen by the remote side, never mixed with [`Packet::header`].
    pub nested: Option<Header<'a>>,
    /// `MTU=` of an ICMP error.
    pub mtu: Option<u32>,
    /// `GATEWAY=` of an ICMP redirect.
    pub gateway: Option<IpAddr>,
    /// `MARK=` as printed.
    pub mark: Option<&'a [u8]>,
    /// `UID=` of the socket behind our own packet.
    pub uid: Option<u32>,
    /// `GID=` of that socket.
    pub gid: Option<u32>,
    /// The line was walked to its last byte. False for glued or trailing text: then nobody vouches for it.
    pub is_whole: bool,
}

/// Layer 2, as far as it is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link<'a> {
    /// `MAC=` as printed: destination, source, EtherType, sometimes more or less.
    pub mac: Option<&'a [u8]>,
    /// `MACSRC=`.
    pub mac_src: Option<&'a [u8]>,
    /// `MACDST=`.
    pub mac_dst: Option<&'a [u8]>,
    /// `MACPROTO=`, hex without `0x`.
    pub mac_proto: Option<&'a [u8]>,
    /// `VPROTO=`, hex without `0x`.
    pub vlan_proto: Option<&'a [u8]>,
    /// `VID=`.
    pub vlan_id: Option<u32>,
}

/// An IP header and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// `SRC=` (`IPSRC=` for ARP).
    pub src: IpAddr,
    /// `DST=` (`IPDST=` for ARP).
    pub dst: IpAddr,
    /// `LEN=` of the IP packet, bytes.
    pub len: Option<u32>,
    /// `TOS=` as printed.
    pub tos: Option<&'a [u8]>,
    /// `TC=` of IPv6, as printed.
    pub tc: Option<&'a [u8]>,
    /// `PREC=` as printed.
    pub prec: Option<&'a [u8]>,
    /// `TTL=`.
    pub ttl: Option<u8>,
    /// `HOPLIMIT=` of IPv6.
    pub hop_limit: Option<u8>,
    /// `ID=` of the IP header.
    pub id: Option<u16>,
    /// `FLOWLBL=` of IPv6.
    pub flow_label: Option<u32>,
    /// `CE`, `DF`, `MF`. For IPv6 "more fragments" is the `INCOMPLETE` in front of `PROTO=`.
    pub ip_flags: IpFlags,
    /// `FRAG:`, the fragment offset as printed: in units of 8 bytes for IPv4, in bytes for IPv6.
    pub frag: Option<u32>,
    /// IP options or IPv6 extension headers, `OPT (…)` before `PROTO=`.
    pub ip_opt: Options<'a>,
    /// The protocol; with an empty name where the kernel does not print it (IPv6 ESP without
    /// `--log-ip-options`, later fragments of AH).
    pub proto: Proto<'a>,
    /// `INCOMPLETE [n bytes]`: the transport header was cut.
    pub is_incomplete: bool,
    /// `SPT=`.
    pub sport: Option<u16>,
    /// `DPT=`.
    pub dport: Option<u16>,
    /// The second `LEN=`, of UDP and UDPLITE, bytes.
    pub l4_len: Option<u32>,
    /// `SEQ=` of TCP.
    pub tcp_seq: Option<u32>,
    /// `ACK=` of TCP, the number.
    pub tcp_ack: Option<u32>,
    /// `WINDOW=`.
    pub window: Option<u32>,
    /// `RES=` as printed.
    pub res: Option<&'a [u8]>,
    /// TCP flags; `None` where the line has no TCP header.
    pub flags: Option<TcpFlags>,
    /// `URGP=`.
    pub urgp: Option<u32>,
    /// TCP options, `OPT (…)` after `URGP=`, hex.
    pub tcp_opt: Options<'a>,
    /// `TYPE=` of ICMP.
    pub icmp_type: Option<u8>,
    /// `CODE=` of ICMP.
    pub icmp_code: Option<u8>,
    /// The second `ID=`, of an ICMP echo. Some loggers print more than 16 bits.
    pub icmp_id: Option<u32>,
    /// `SEQ=` of an ICMP echo.
    pub icmp_seq: Option<u32>,
    /// `SPI=` of ESP and AH, as printed.
    pub spi: Option<&'a [u8]>,
    /// `OPCODE=` of ARP.
    pub arp_opcode: Option<u32>,
}

/// Flags of the IPv4 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpFlags {
    /// Congestion experienced; printed for the reserved bit.
    pub ce: bool,
    /// Do not fragment.
    pub df: bool,
    /// More fragments follow.
    pub mf: bool,
}

/// The protocol above IP, as printed and as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proto<'a> {
    /// `TCP`, `UDP`, `ICMPv6`, `47`, `ARP`, … as printed.
    pub name: &'a [u8],
    /// IANA protocol number; `None` for ARP and for names we do not know.
    pub number: Option<u8>,
}

/// TCP flags, and the order in which they were printed.
///
/// The kernel prints `AE CWR ECE URG ACK PSH RST SYN FIN`; other loggers have other orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    bits: u8,
    /// Accurate ECN, a ninth flag since Linux 6.18: it has no place in the byte.
    ae: bool,
    /// Four bits a flag, first printed lowest.
    order: u64,
}

impl TcpFlags {
    /// The bits, as in the TCP header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128 (RFC 9293, RFC 3168).
    pub const FIN: u8 = 1;
    #[allow(missing_docs)]
    pub const SYN: u8 = 2;
    #[allow(missing_docs)]
    pub const RST: u8 = 4;
    #[allow(missing_docs)]
    pub const PSH: u8 = 8;
    #[allow(missing_docs)]
    pub const ACK: u8 = 16;
    #[allow(missing_docs)]
    pub const URG: u8 = 32;
    #[allow(missing_docs)]
    pub const ECE: u8 = 64;
    #[allow(missing_docs)]
    pub const CWR: u8 = 128;

    /// The flags as the TCP header carries them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// The accurate-ECN flag (`AE`), once called NS.
    #[must_use]
    pub const fn ae(self) -> bool {
        self.ae
    }

    /// Adds one flag, the last printed so far. `bit` has exactly one bit set.
    #[must_use]
    pub const fn with(self, bit: u8) -> Self {
        if self.bits & bit != 0 {
            return self;
        }
        Self { bits: self.bits | bit, order: self.order | ((bit.trailing_zeros() as u64) << (self.len() * 4)), ..self }
    }

    /// Adds `AE`, the last printed so far.
    #[must_use]
    pub const fn with_ae(self) -> Self {
        if self.ae {
            return self;
        }
        Self { ae: true, order: self.order | (8 << (self.len() * 4)), ..self }
    }

    const fn len(self) -> u32 {
        self.bits.count_ones() + self.ae as u32
    }

    /// The names in the order printed.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [&str; 9] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"];
        (0..self.len()).filter_map(move |n| NAMES.get(((self.order >> (n * 4)) & 15) as usize).copied())
    }
}

/// The `OPT (…)` groups of a header, hex text without the brackets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a>(pub &'a [u8]);

impl<'a> Packet<'a> {
    /// What is known before the first field is read.
    pub(crate) const fn blank(prefix: &'a [u8]) -> Self {
        Self {
            prefix,
            in_iface: None,
            out_iface: None,
            phys_in: None,
            phys_out: None,
            link: Link { mac: None, mac_src: None, mac_dst: None, mac_proto: None, vlan_proto: None, vlan_id: None },
            header: Header::blank(),
            nested: None,
            mtu: None,
            gateway: None,
            mark: None,
            uid: None,
            gid: None,
            is_whole: false,
        }
    }
}

impl Header<'_> {
    /// What is known before the first field is read; an address of no use stands in for both.
    pub(crate) const fn blank() -> Self {
        const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        Self {
            src: NOWHERE,
            dst: NOWHERE,
            len: None,
            tos: None,
            tc: None,
            prec: None,
            ttl: None,
            hop_limit: None,
            id: None,
            flow_label: None,
            ip_flags: IpFlags { ce: false, df: false, mf: false },
            frag: None,
            ip_opt: Options(b""),
            proto: Proto { name: b"", number: None },
            is_incomplete: false,
            sport: None,
            dport: None,
            l4_len: None,
            tcp_seq: None,
            tcp_ack: None,
            window: None,
            res: None,
            flags: None,
            urgp: None,
            tcp_opt: Options(b""),
            icmp_type: None,
            icmp_code: None,
            icmp_id: None,
            icmp_seq: None,
            spi: None,
            arp_opcode: None,
        }
    }
}

impl<'a> Options<'a> {
    /// The text of each group, trimmed: `020405B4`, or empty for `OPT ( )`.
    pub fn groups(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.split(|byte| *byte == b'(').skip(1).map(|group| group.split(|byte| *byte == b')').next().unwrap_or_default().trim_ascii())
    }
}
