//! Reads one netfilter log record.
//!
//! A walk over the bytes in the order in which the kernel prints them, one token after the other. What a token
//! means depends on where it stands: `LEN=` before `PROTO=` is the length of the IP packet, behind it that of the
//! UDP datagram; `ACK=` is a number, `ACK` a flag. Nothing is searched for but the `IN=` that starts the record.
//!
//! Source of order and spelling: Linux 6.18 `net/netfilter/nf_log_syslog.c`; ulogd2 and the firewall logger of
//! Proxmox print the same names, leave out some and swap a few.

mod kernel_order;
mod repeat;

use crate::{
    cursor::{Cursor, digit_bits, hex_digit, hits, value_of},
    packet::{Header, Options, Packet, Proto, TcpFlags},
};
use repeat::Repeats;
use std::net::{IpAddr, Ipv6Addr};

/// The longest line we read, in bytes. The kernel prints at most 1,019 of a record (`S_SIZE` in
/// `net/netfilter/nf_log.c`), syslog daemons cut at 8 KiB.
pub const MAX_LINE: usize = 8192;

/// How many `IN=` of one line are tried. A real line has one, a glued or forged one two or three; the limit keeps
/// the cost of hostile lines linear.
const MAX_TRIES: usize = 8;

/// Why a line gave no packet, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub kind: MalformedKind,
    /// The byte of the text at which it was found.
    pub offset: usize,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MalformedKind {
    /// Other log traffic: nothing is wrong. By far the most common answer, and the cheapest.
    NotNetfilter,
    /// Longer than [`MAX_LINE`].
    TooLong,
    /// Source or destination is missing: cut, or a packet that is neither IP nor ARP.
    NoAddress,
    /// An address does not decode, as `192.0.2.300` or `x.x.x.x`.
    BadAddress,
    /// Another known field does not decode, or does not fit its range.
    BadValue,
    /// The line ends before `PROTO=`.
    NoProtocol,
}

impl MalformedKind {
    /// All of them, for tables of counters.
    pub const ALL: [Self; 6] = [Self::NotNetfilter, Self::TooLong, Self::NoAddress, Self::BadAddress, Self::BadValue, Self::NoProtocol];

    /// The word for it in counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotNetfilter => "not-netfilter",
            Self::TooLong => "too-long",
            Self::NoAddress => "no-address",
            Self::BadAddress => "bad-address",
            Self::BadValue => "bad-value",
            Self::NoProtocol => "no-protocol",
        }
    }
}

/// Reads one netfilter log record.
///
/// `text` is a single record without time stamp, host and newline ([`crate::record::Record::text`]), any bytes. The
/// result borrows from it; numbers are decoded. Never allocates; some 150 ns for a record, a few for other lines.
///
/// A prefix may hold `IN=` itself, and two lines may be glued together: the record starts at the first `IN=` from
/// which the whole rest is one record, otherwise at the last one that gives a packet ([`Packet::is_whole`] is then
/// false). Lines without `IN=` start at `OUT=`, as those of ulogd2 do.
///
/// # Errors
/// [`MalformedKind::NotNetfilter`] for other log traffic; the other kinds, with the offset, for a record that is cut
/// too early or in which a known field does not decode.
pub fn parse(text: &[u8]) -> Result<Packet<'_>, Malformed> {
    Parser::default().parse_into(text, &mut None).copied()
}

/// Reads the records of one log, each as [`parse`] does, and faster where one has something in common with the one before.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    before: Repeats,
}

impl Parser {
    /// Reads a record where the caller wants it: a packet is some 900 bytes, and [`parse`] moves them.
    ///
    /// # Errors
    /// As those of [`parse`]; what `place` holds then is of no use.
    pub fn parse_into<'p, 'a>(&mut self, text: &'a [u8], place: &'p mut Option<Packet<'a>>) -> Result<&'p Packet<'a>, Malformed> {
        let head = &self.before.head;
        let has_same_head = head.begins(text);
        let anchor = if has_same_head { Some(head.anchor) } else { next_anchor(text, 0) };
        match anchor {
            Some(_) if text.len() > MAX_LINE => return Err(Malformed { kind: MalformedKind::TooLong, offset: MAX_LINE }),
            Some(anchor) => {
                let outcome = walk(text, anchor, has_same_head, &mut self.before, place);
                if !matches!((outcome, &place), (Ok(()), Some(Packet { is_whole: true, .. }))) {
                    parse_further(text, anchor, place, outcome)?;
                }
            }
            None => parse_without_in(text, place)?,
        }
        place.as_ref().ok_or(NOT_NETFILTER)
    }
}

const NOT_NETFILTER: Malformed = Malformed { kind: MalformedKind::NotNetfilter, offset: 0 };

/// The next `IN=` that is no `PHYSIN=`, at or behind `from`.
fn next_anchor(text: &[u8], from: usize) -> Option<usize> {
    let searched = text.get(..MAX_LINE).unwrap_or(text).get(from..)?;
    memchr::memchr_iter(b'=', searched).map(|at| from + at).find_map(|equals| {
        let before = text.get(..equals)?.strip_suffix(b"IN")?;
        (!before.ends_with(b"PHYS")).then_some(before.len())
    })
}

/// Tries the anchors behind the first, which gave `outcome`.
#[cold]
fn parse_further<'a>(text: &'a [u8], first: usize, place: &mut Option<Packet<'a>>, mut outcome: Outcome) -> Outcome {
    let mut from = first;
    for _ in 1..MAX_TRIES {
        let Some(anchor) = next_anchor(text, from + 3) else { break };
        from = anchor;
        let mut other = None;
        match walk(text, anchor, false, &mut Repeats::default(), &mut other) {
            Ok(()) => {
                (*place, outcome) = (other, Ok(()));
                if other.is_some_and(|packet| packet.is_whole) {
                    break;
                }
            }
            Err(error) if outcome.is_err() && error.kind != MalformedKind::NotNetfilter => outcome = Err(error),
            Err(_) => {}
        }
    }
    outcome
}

/// Starts at the last `OUT=` that is no `PHYSOUT=`.
fn parse_without_in<'a>(text: &'a [u8], place: &mut Option<Packet<'a>>) -> Outcome {
    let searched = text.get(..MAX_LINE).unwrap_or(text);
    let anchor = memchr::memrchr_iter(b'=', searched).find_map(|equals| {
        let before = text.get(..equals)?.strip_suffix(b"OUT")?;
        (!before.ends_with(b"PHYS")).then_some(before.len())
    });
    match anchor {
        Some(anchor) if text.len() <= MAX_LINE => walk(text, anchor, false, &mut Repeats::default(), place),
        _ => Err(NOT_NETFILTER),
    }
}

/// Whether there is a packet now.
type Outcome = Result<(), Malformed>;

/// Why a walk ends before the line does. [`Walk::rest`] then starts at the place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// Text that is no part of a record: the packet is not whole.
    Stop,
    /// The line was cut inside this token.
    Cut,
    /// The line is malformed.
    NoAddress,
    BadAddress,
    BadValue,
}

type Step = Result<(), Halt>;

/// Which protocol the fields behind `PROTO=` belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer4 {
    /// `PROTO=` has not come yet.
    Pending,
    Tcp,
    Icmp,
    Arp,
    Other,
}

/// Where the walk is.
struct Walk<'a> {
    text: &'a [u8],
    /// What is still to be read: the end of `text`.
    rest: Cursor<'a>,
    layer4: Layer4,
    has_src: bool,
    has_dst: bool,
    /// An unknown `KEY=value` was passed over.
    is_strange: bool,
}

/// Walks the record that starts at `anchor`, an `IN=` or `OUT=`. `has_same_head`: the text starts as that of the record before.
fn walk<'a>(text: &'a [u8], anchor: usize, has_same_head: bool, before: &mut Repeats, place: &mut Option<Packet<'a>>) -> Outcome {
    let (prefix, rest) = text.split_at_checked(anchor).unwrap_or((text, b""));
    let packet = place.insert(Packet::blank(prefix.strip_suffix(b" ").unwrap_or(prefix)));
    let mut walk = Walk { text, rest: Cursor(rest), layer4: Layer4::Pending, has_src: false, has_dst: false, is_strange: false };
    walk.kernel_order(packet, has_same_head, before);
    let end = if walk.rest.0 == b" " { Ok(()) } else { walk.tokens(packet) };
    walk.verdict(packet, end).map_err(|kind| Malformed { kind, offset: walk.at() })
}

/// The kernel prints no `PROTO=` for IPv6 ESP, nor for a later fragment of AH: the header must then be complete.
fn may_lack_protocol(header: &Header<'_>) -> bool {
    match header.src {
        IpAddr::V6(_) => header.tc.is_some() && header.hop_limit.is_some() && header.flow_label.is_some(),
        IpAddr::V4(_) => header.id.is_some() && header.frag.is_some_and(|offset| offset > 0),
    }
}

impl Header<'_> {
    /// Decides whether a TCP header without a flag word is a null packet or a cut line.
    ///
    /// The kernel prints `URGP=` behind the flags. Proxmox prints none, and a space behind each field.
    fn settle_flags(&mut self, text: &[u8]) {
        let is_past =
            self.urgp.is_some() || (self.tcp_seq.is_some() && self.window.is_some() && self.res.is_none() && text.ends_with(b" "));
        if self.flags.is_none() && is_past {
            self.flags = Some(TcpFlags::default());
        }
    }
}

/// A token's name with the `=` or space that ends it, as the eight bytes that [`Walk::name`] reads.
const fn name(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let (into, _) = bytes.split_at_mut(text.len());
    into.copy_from_slice(text);
    u64::from_le_bytes(bytes)
}

/// `name(b"SRC=")` and so on, as patterns.
macro_rules! names {
    ($($constant:ident $text:literal)*) => { $(const $constant: u64 = name($text);)* };
}

names! {
    IN b"IN=" OUT b"OUT=" PHYSIN b"PHYSIN=" PHYSOUT b"PHYSOUT=" MAC b"MAC=" MACSRC b"MACSRC=" MACDST b"MACDST=" MACPROTO b"MACPROTO"
    VPROTO b"VPROTO=" VID b"VID=" TUNNEL b"TUNNEL=" SRC b"SRC=" DST b"DST=" LEN b"LEN=" TOS b"TOS=" PREC b"PREC=" TTL b"TTL=" ID b"ID="
    TC b"TC=" HOPLIMIT b"HOPLIMIT" FLOWLBL b"FLOWLBL=" CE b"CE " DF b"DF " MF b"MF " OPT b"OPT " PROTO b"PROTO=" SPT b"SPT=" DPT b"DPT="
    SEQ b"SEQ=" ACK_NUMBER b"ACK=" WINDOW b"WINDOW=" RES b"RES=" URGP b"URGP=" AE b"AE " CWR b"CWR " ECE b"ECE " URG b"URG " ACK b"ACK "
    PSH b"PSH " RST b"RST " SYN b"SYN " FIN b"FIN " TYPE b"TYPE=" CODE b"CODE=" MTU b"MTU=" GATEWAY b"GATEWAY=" POINTER b"POINTER="
    PARAMETER b"PARAMETE" SPI b"SPI=" MARK b"MARK=" UID b"UID=" GID b"GID=" INCOMPLETE b"INCOMPLE" ARP b"ARP " HTYPE b"HTYPE="
    PTYPE b"PTYPE=" OPCODE b"OPCODE=" IPSRC b"IPSRC=" IPDST b"IPDST="
}

impl<'a> Walk<'a> {
    /// Says what a walk that ended so is worth.
    fn verdict(&self, packet: &mut Packet<'a>, end: Step) -> Result<(), MalformedKind> {
        match end {
            Err(Halt::NoAddress) => return Err(MalformedKind::NoAddress),
            Err(Halt::BadAddress) => return Err(MalformedKind::BadAddress),
            Err(Halt::BadValue) => return Err(MalformedKind::BadValue),
            Ok(()) | Err(Halt::Stop | Halt::Cut) => {}
        }
        if !(self.has_src && self.has_dst) {
            // `LOGIN=…` and prose that mentions `IN=` are not ours; a record cut before its addresses is.
            let has_link = packet.link.mac.is_some() || packet.link.mac_src.is_some();
            let is_ours = self.has_src || has_link || (packet.out_iface.is_some() && end != Err(Halt::Stop));
            return Err(if is_ours { MalformedKind::NoAddress } else { MalformedKind::NotNetfilter });
        }
        if packet.header.src.is_ipv4() != packet.header.dst.is_ipv4() {
            return Err(MalformedKind::BadAddress);
        }
        if self.layer4 == Layer4::Pending && !(end.is_ok() && may_lack_protocol(&packet.header)) {
            return Err(MalformedKind::NoProtocol);
        }
        packet.header.settle_flags(self.text);
        packet.is_whole = end.is_ok() && !self.is_strange;
        Ok(())
    }

    /// Reads to the end of the line.
    #[inline(never)]
    fn tokens(&mut self, packet: &mut Packet<'a>) -> Step {
        loop {
            self.rest.skip_spaces();
            if self.rest.0.is_empty() {
                return Ok(());
            }
            self.token(packet)?;
        }
    }

    /// Reads one token of the outer packet: what only that one has, or what [`Self::header_token`] knows.
    #[inline]
    fn token(&mut self, packet: &mut Packet<'a>) -> Step {
        let (name, length) = self.name();
        let is_arp = self.layer4 == Layer4::Arp;
        match name {
            IN => self.word_into(3, &mut packet.in_iface),
            OUT => self.word_into(4, &mut packet.out_iface),
            PHYSIN => self.word_into(7, &mut packet.phys_in),
            PHYSOUT => self.word_into(8, &mut packet.phys_out),
            MAC => self.word_into(4, &mut packet.link.mac),
            // The body of an ARP packet repeats both; where they were logged already, the frame's own stay.
            MACSRC if is_arp && packet.link.mac_src.is_some() => self.skip_value(7),
            MACDST if is_arp && packet.link.mac_dst.is_some() => self.skip_value(7),
            MACSRC => self.word_into(7, &mut packet.link.mac_src),
            MACDST => self.word_into(7, &mut packet.link.mac_dst),
            MACPROTO if self.rest.has(8, b"=") => self.word_into(9, &mut packet.link.mac_proto),
            VPROTO => self.word_into(7, &mut packet.link.vlan_proto),
            VID => self.number_into(4, u32::MAX, &mut packet.link.vlan_id),
            TUNNEL => self.skip_value(7),
            MARK => self.hex_into(5, &mut packet.mark),
            UID => self.number_into(4, u32::MAX, &mut packet.uid),
            GID => self.number_into(4, u32::MAX, &mut packet.gid),
            MTU => self.number_into(4, u32::MAX, &mut packet.mtu),
            GATEWAY => {
                self.rest.skip(8);
                let mut gateway = packet.header.src;
                self.address_into(&mut gateway)?;
                fill(&mut packet.gateway, gateway)
            }
            _ if self.rest.has(0, b"[") => self.nested(packet),
            _ => self.header_token(name, length, &mut packet.header),
        }
    }

    /// Reads what an ICMP error quotes, up to the closing bracket.
    fn nested(&mut self, packet: &mut Packet<'a>) -> Step {
        if self.layer4 != Layer4::Icmp || packet.nested.is_some() {
            return Err(Halt::Stop);
        }
        if self.rest.has(1, b"TRUNCATED]") {
            self.rest.skip(11);
            return Ok(());
        }
        if !self.rest.has(1, b"SRC=") {
            return Err(Halt::Stop);
        }
        let mut header = Header::blank();
        let mut inner = Walk {
            text: self.text,
            rest: Cursor(self.rest.0.get(1..).unwrap_or_default()),
            layer4: Layer4::Pending,
            has_src: false,
            has_dst: false,
            is_strange: false,
        };
        // What is wrong in here does not spoil the packet around it, but then nobody vouches for the line.
        let is_closed = loop {
            inner.rest.skip_spaces();
            if inner.rest.eat(b"]") {
                break true;
            }
            if inner.rest.0.is_empty() {
                break false;
            }
            let (name, length) = inner.name();
            let step = match name {
                MTU => inner.skip_value(4),
                GATEWAY => inner.skip_value(8),
                _ => inner.header_token(name, length, &mut header),
            };
            if step.is_err() {
                break false;
            }
        };
        self.rest = inner.rest;
        if inner.has_src && inner.has_dst && header.src.is_ipv4() == header.dst.is_ipv4() {
            header.settle_flags(b"");
            packet.nested = Some(header);
        }
        self.is_strange |= inner.is_strange;
        if is_closed { Ok(()) } else { Err(Halt::Stop) }
    }

    /// Reads one token of an IP header and of what follows it.
    #[inline]
    fn header_token(&mut self, name: u64, length: usize, header: &mut Header<'a>) -> Step {
        let is_pending = self.layer4 == Layer4::Pending;
        match name {
            SRC if !self.has_src => {
                self.rest.skip(4);
                self.address_into(&mut header.src)?;
                self.has_src = true;
                Ok(())
            }
            DST if !self.has_dst => {
                self.rest.skip(4);
                self.address_into(&mut header.dst)?;
                self.has_dst = true;
                Ok(())
            }
            LEN if is_pending => self.number_into(4, u32::MAX, &mut header.len),
            LEN => self.number_into(4, u32::MAX, &mut header.l4_len),
            TOS => self.hex_into(4, &mut header.tos),
            PREC => self.hex_into(5, &mut header.prec),
            TTL => self.byte_into(4, &mut header.ttl),
            ID if is_pending => self.short_into(3, &mut header.id),
            ID if self.layer4 == Layer4::Icmp => self.number_into(3, u32::MAX, &mut header.icmp_id),
            TC => self.hex_into(3, &mut header.tc),
            HOPLIMIT if self.rest.has(8, b"=") => self.byte_into(9, &mut header.hop_limit),
            FLOWLBL => self.number_into(8, u32::MAX, &mut header.flow_label),
            CE if is_pending => self.flag(2, &mut header.ip_flags.ce),
            DF if is_pending => self.flag(2, &mut header.ip_flags.df),
            MF if is_pending => self.flag(2, &mut header.ip_flags.mf),
            OPT if self.rest.has(4, b"(") => self.options(header),
            PROTO if is_pending => self.protocol(header),
            SPT => self.short_into(4, &mut header.sport),
            DPT => self.short_into(4, &mut header.dport),
            SEQ if self.layer4 == Layer4::Tcp => self.number_into(4, u32::MAX, &mut header.tcp_seq),
            SEQ if self.layer4 == Layer4::Icmp => self.number_into(4, u32::MAX, &mut header.icmp_seq),
            ACK_NUMBER if self.layer4 == Layer4::Tcp => self.number_into(4, u32::MAX, &mut header.tcp_ack),
            WINDOW => self.number_into(7, u32::MAX, &mut header.window),
            RES => self.hex_into(4, &mut header.res),
            URGP => self.number_into(5, u32::MAX, &mut header.urgp),
            // `URGP=` ends them.
            AE | CWR | ECE | URG | ACK | PSH | RST | SYN | FIN if self.layer4 == Layer4::Tcp && header.urgp.is_none() => {
                let flags = header.flags.unwrap_or_default();
                header.flags = Some(match name {
                    SYN => flags.with(TcpFlags::SYN),
                    ACK => flags.with(TcpFlags::ACK),
                    FIN => flags.with(TcpFlags::FIN),
                    RST => flags.with(TcpFlags::RST),
                    PSH => flags.with(TcpFlags::PSH),
                    URG => flags.with(TcpFlags::URG),
                    ECE => flags.with(TcpFlags::ECE),
                    CWR => flags.with(TcpFlags::CWR),
                    _ => flags.with_ae(),
                });
                self.rest.skip(length - 1);
                Ok(())
            }
            TYPE => self.byte_into(5, &mut header.icmp_type),
            CODE => self.byte_into(5, &mut header.icmp_code),
            POINTER => self.skip_value(8),
            PARAMETER if self.rest.has(8, b"R=") => self.skip_value(10),
            SPI => self.hex_into(4, &mut header.spi),
            INCOMPLETE if self.rest.has(8, b"TE [") => self.incomplete(header),
            // An IPv6 fragment header says "more fragments" with the same word.
            INCOMPLETE if is_pending && self.rest.has(8, b"TE ") => self.flag(10, &mut header.ip_flags.mf),
            ARP if is_pending => {
                header.proto = Proto { name: self.rest.ahead(3), number: None };
                self.layer4 = Layer4::Arp;
                self.rest.skip(3);
                Ok(())
            }
            HTYPE if self.layer4 == Layer4::Arp => self.skip_value(6),
            PTYPE if self.layer4 == Layer4::Arp => self.skip_value(6),
            OPCODE if self.layer4 == Layer4::Arp => self.number_into(7, u32::MAX, &mut header.arp_opcode),
            IPSRC if self.layer4 == Layer4::Arp && !self.has_src => {
                self.rest.skip(6);
                self.address_into(&mut header.src)?;
                self.has_src = true;
                Ok(())
            }
            IPDST if self.layer4 == Layer4::Arp && !self.has_dst => {
                self.rest.skip(6);
                self.address_into(&mut header.dst)?;
                self.has_dst = true;
                Ok(())
            }
            _ => self.rare_token(header),
        }
    }

    /// Tokens without a name of their own, and whatever is not ours.
    #[cold]
    fn rare_token(&mut self, header: &mut Header<'a>) -> Step {
        if self.rest.has(0, b"FRAG:") || self.rest.has(0, b"FRAG=") {
            return self.number_into(5, u32::MAX, &mut header.frag);
        }
        // The identification of an IPv6 fragment.
        if self.rest.has(0, b"ID:") && self.layer4 == Layer4::Pending {
            return self.skip_value(3);
        }
        // A field of another logger: passed over, and the line is no longer the kernel's word.
        let rest = self.rest.0;
        let key = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let is_field = key > 0 && rest.get(key) == Some(&b'=');
        let is_own = rest.starts_with(b"IN=") || rest.starts_with(b"OUT=") || rest.starts_with(b"SRC=") || rest.starts_with(b"DST=");
        if !is_field || is_own {
            return Err(Halt::Stop);
        }
        self.is_strange = true;
        self.skip_value(key + 1)
    }

    /// `PROTO=TCP`, `PROTO=47`.
    fn protocol(&mut self, header: &mut Header<'a>) -> Step {
        self.rest.skip(6);
        let value = self.rest.word();
        let (number, layer4) = match value {
            b"TCP" => (Some(6), Layer4::Tcp),
            b"UDP" => (Some(17), Layer4::Other),
            b"ICMP" => (Some(1), Layer4::Icmp),
            b"ICMPv6" => (Some(58), Layer4::Icmp),
            b"UDPLITE" => (Some(136), Layer4::Other),
            b"ESP" => (Some(50), Layer4::Other),
            b"AH" => (Some(51), Layer4::Other),
            b"SCTP" => (Some(132), Layer4::Other),
            b"DCCP" => (Some(33), Layer4::Other),
            b"GRE" => (Some(47), Layer4::Other),
            b"IGMP" => (Some(2), Layer4::Other),
            b"" => return Err(Halt::Cut),
            digits if digits.iter().all(u8::is_ascii_digit) => {
                let number = digits.iter().take(4).fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
                let number = u8::try_from(number).map_err(|_| Halt::BadValue)?;
                let layer4 = match number {
                    6 => Layer4::Tcp,
                    1 | 58 => Layer4::Icmp,
                    _ => Layer4::Other,
                };
                (Some(number), layer4)
            }
            _ => {
                self.is_strange = true;
                (None, Layer4::Other)
            }
        };
        header.proto = Proto { name: value, number };
        self.layer4 = layer4;
        Ok(())
    }

    /// `OPT (94040000)`, `OPT ( )`, `OPT ( FRAG:0 ID:00000001 )`, `OPT ( ESP SPI=0x1 )`.
    fn options(&mut self, header: &mut Header<'a>) -> Step {
        // 15 words of options are 120 hex digits; an extension header is shorter.
        let window = self.rest.ahead(164);
        let Some(close) = memchr::memchr(b')', window) else { return Err(Halt::Cut) };
        let brackets = window.get(4..=close).unwrap_or_default();
        let group = window.get(5..close).unwrap_or_default();
        if self.layer4 == Layer4::Pending {
            // The groups follow each other: one slice from the first bracket to the last.
            let end = self.at() + close + 1;
            let length = match header.ip_opt.0 {
                b"" => brackets.len(),
                earlier => earlier.len() + 1 + close + 1,
            };
            header.ip_opt = Options(self.text.get(end.saturating_sub(length)..end).unwrap_or_default());
            if group.starts_with(b" ") {
                self.extension_header(group, header)?;
            } else if !is_hex(group) && group != b"TRUNCATED" {
                return Err(Halt::Stop);
            }
        } else {
            if !header.tcp_opt.0.is_empty() || self.layer4 != Layer4::Tcp || !(is_hex(group) || group == b"TRUNCATED") {
                return Err(Halt::Stop);
            }
            header.tcp_opt = Options(brackets);
        }
        self.rest.skip(close + 1);
        Ok(())
    }

    /// The inside of an `OPT ( … )` of IPv6.
    #[cold]
    fn extension_header(&mut self, group: &'a [u8], header: &mut Header<'a>) -> Step {
        let mut inner = Walk { text: group, rest: Cursor(group), layer4: Layer4::Pending, has_src: true, has_dst: true, is_strange: false };
        loop {
            inner.rest.skip_spaces();
            if inner.rest.0.is_empty() {
                break;
            }
            let (name, length) = inner.name();
            if inner.rest.has(0, b"ESP ") {
                // What follows is encrypted: the kernel ends the line here, so this is the protocol.
                header.proto = Proto { name: inner.rest.ahead(3), number: Some(50) };
                self.layer4 = Layer4::Other;
                inner.rest.skip(4);
            } else if inner.rest.has(0, b"AH ") {
                inner.rest.skip(3);
            } else {
                inner.header_token(name, length, header)?;
            }
        }
        self.is_strange |= inner.is_strange;
        Ok(())
    }

    /// `INCOMPLETE [8 bytes]`.
    fn incomplete(&mut self, header: &mut Header<'a>) -> Step {
        let rest = self.rest.0.get(12..).unwrap_or_default();
        let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || !rest.get(digits..).unwrap_or_default().starts_with(b" bytes]") || header.is_incomplete {
            return Err(Halt::Stop);
        }
        header.is_incomplete = true;
        self.rest.skip(12 + digits + 7);
        Ok(())
    }

    /// Where the walk is, in bytes from the start of the line.
    fn at(&self) -> usize {
        self.text.len() - self.rest.0.len()
    }

    /// The name of the token here, with the `=` or space that ends it, and its length; at most 8 bytes.
    #[inline]
    fn name(&self) -> (u64, usize) {
        let word = self.rest.peek();
        let hit = hits(word, b' ') | hits(word, b'=');
        if hit == 0 { (word, 8) } else { (word & (hit ^ (hit - 1)), hit.trailing_zeros() as usize / 8 + 1) }
    }

    fn skip_value(&mut self, name: usize) -> Step {
        self.rest.skip(name);
        self.rest.word();
        Ok(())
    }

    #[inline(always)]
    fn word_into(&mut self, name: usize, into: &mut Option<&'a [u8]>) -> Step {
        self.rest.skip(name);
        let word = self.rest.word();
        fill(into, word)
    }

    /// A value that is kept as printed, such as `0x00`, `00` or `1a0000`.
    #[inline(always)]
    fn hex_into(&mut self, name: usize, into: &mut Option<&'a [u8]>) -> Step {
        self.rest.skip(name);
        // The kernel's own form, `0x` and two digits.
        if let [b'0', b'x', high, low, b' ', ..] = self.rest.0
            && high.is_ascii_hexdigit()
            && low.is_ascii_hexdigit()
        {
            let value = self.rest.ahead(4);
            self.rest.skip(4);
            return fill(into, value);
        }
        self.odd_hex_into(into)
    }

    #[inline(never)]
    fn odd_hex_into(&mut self, into: &mut Option<&'a [u8]>) -> Step {
        let start = self.rest;
        let word = self.rest.word();
        let digits = word.strip_prefix(b"0x").unwrap_or(word);
        if digits.is_empty() && self.rest.0.is_empty() {
            return Err(Halt::Cut);
        }
        if digits.is_empty() || digits.len() > 8 || !is_hex(digits) {
            self.rest = start;
            return Err(Halt::BadValue);
        }
        fill(into, word)
    }

    #[inline(always)]
    fn number_into(&mut self, name: usize, max: u32, into: &mut Option<u32>) -> Step {
        self.rest.skip(name);
        let number = self.number(max)?;
        fill(into, number)
    }

    #[inline(always)]
    fn short_into(&mut self, name: usize, into: &mut Option<u16>) -> Step {
        self.rest.skip(name);
        let number = self.number(u32::from(u16::MAX))?;
        #[expect(clippy::cast_possible_truncation, reason = "number() has checked it")]
        fill(into, number as u16)
    }

    #[inline(always)]
    fn byte_into(&mut self, name: usize, into: &mut Option<u8>) -> Step {
        self.rest.skip(name);
        let number = self.number(u32::from(u8::MAX))?;
        #[expect(clippy::cast_possible_truncation, reason = "number() has checked it")]
        fill(into, number as u8)
    }

    #[inline]
    fn flag(&mut self, name: usize, into: &mut bool) -> Step {
        if *into {
            return Err(Halt::Stop);
        }
        *into = true;
        self.rest.skip(name);
        Ok(())
    }

    /// A decimal number of at most `max`, ended by a space or by the line.
    #[inline(always)]
    fn number(&mut self, max: u32) -> Result<u32, Halt> {
        let word = self.rest.peek();
        let bits = digit_bits(word);
        if bits == 0 || bits == 56 {
            return self.odd_number(max);
        }
        let value = value_of(word, bits);
        if word >> bits & 0xff != u64::from(b' ') || value > max {
            return Err(Halt::BadValue);
        }
        self.rest.skip(bits as usize / 8);
        Ok(value)
    }

    /// The same where there is no digit, or more than six.
    #[inline(never)]
    fn odd_number(&mut self, max: u32) -> Result<u32, Halt> {
        let rest = self.rest.0;
        if rest.is_empty() {
            return Err(Halt::Cut);
        }
        let length = rest.iter().take(11).take_while(|byte| byte.is_ascii_digit()).count();
        let value = rest.iter().take(length).fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let is_ended = matches!(rest.get(length), None | Some(b' '));
        match u32::try_from(value) {
            Ok(value) if length > 0 && length <= 10 && is_ended && value <= max => {
                self.rest.skip(length);
                Ok(value)
            }
            _ => Err(Halt::BadValue),
        }
    }

    /// An address, ended by a space or by the line.
    #[inline(always)]
    fn address_into(&mut self, into: &mut IpAddr) -> Step {
        match self.rest.ipv4() {
            Some(address) => *into = IpAddr::V4(address),
            None => *into = IpAddr::V6(self.other_address()?),
        }
        Ok(())
    }

    #[inline(never)]
    fn other_address(&mut self) -> Result<Ipv6Addr, Halt> {
        let start = self.rest;
        let word = self.rest.word();
        match ipv6(word) {
            Some(address) => Ok(address),
            None if word.is_empty() && self.rest.0.is_empty() => Err(Halt::NoAddress),
            None => {
                self.rest = start;
                Err(Halt::BadAddress)
            }
        }
    }
}

/// Keeps the first value. A field that comes twice is no part of this record.
#[inline]
fn fill<T>(into: &mut Option<T>, value: T) -> Step {
    if into.is_some() {
        return Err(Halt::Stop);
    }
    *into = Some(value);
    Ok(())
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// The kernel prints eight groups of four digits; ulogd2 compresses.
fn ipv6(word: &[u8]) -> Option<Ipv6Addr> {
    if let Ok(full) = <&[u8; 39]>::try_from(word)
        && let Some(bits) = ipv6_full(full)
    {
        return Some(Ipv6Addr::from_bits(bits));
    }
    // The longest form is `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`.
    if word.len() > 45 {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn ipv6_full(text: &[u8; 39]) -> Option<u128> {
    let mut bits = 0_u128;
    let mut seen = 0;
    for group in text.chunks(5) {
        let &[a, b, c, d, ref colon @ ..] = group else { return None };
        if !matches!(colon, [] | [b':']) {
            return None;
        }
        let mut value = 0_u32;
        for byte in [a, b, c, d] {
            let digit = hex_digit(byte);
            seen |= digit;
            value = value << 4 | u32::from(digit);
        }
        bits = bits << 16 | u128::from(value);
    }
    (seen < 16).then_some(bits)
}
