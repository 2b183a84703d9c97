//! Reads one netfilter log record.
//!
//! A walk over the bytes in the order in which the kernel prints them, one token after the other. What a token
//! means depends on where it stands: `LEN=` before `PROTO=` is the length of the IP packet, behind it that of the
//! UDP datagram; `ACK=` is a number, `ACK` a flag. Nothing is searched for but the `IN=` that starts the record.
//!
//! Source of order and spelling: Linux 6.18 `net/netfilter/nf_log_syslog.c`; ulogd2 and the firewall logger of
//! Proxmox print the same names, leave out some and swap a few.

use crate::packet::{Header, Options, Packet, Proto, TcpFlags};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    let mut outcome = Err(Malformed { kind: MalformedKind::NotNetfilter, offset: 0 });
    let mut tries = 0;
    let mut out_anchor = None;
    let searched = text.get(..MAX_LINE).unwrap_or(text);
    for equals in memchr::memchr_iter(b'=', searched) {
        let before = text.get(..equals).unwrap_or_default();
        if before.ends_with(b"IN") {
            if before.ends_with(b"PHYSIN") {
                continue;
            }
            if text.len() > MAX_LINE {
                return Err(Malformed { kind: MalformedKind::TooLong, offset: MAX_LINE });
            }
            match walk(text, equals - 2) {
                Ok(packet) if packet.is_whole => return Ok(packet),
                Ok(packet) => outcome = Ok(packet),
                Err(error) if outcome.is_err() && error.kind != MalformedKind::NotNetfilter => outcome = Err(error),
                Err(_) => {}
            }
            tries += 1;
            if tries == MAX_TRIES {
                break;
            }
        } else if before.ends_with(b"OUT") && !before.ends_with(b"PHYSOUT") {
            out_anchor = Some(equals - 3);
        }
    }
    match out_anchor {
        Some(at) if tries == 0 && text.len() <= MAX_LINE => walk(text, at),
        _ => outcome,
    }
}

/// What follows a token.
enum Flow {
    /// The next one.
    Next,
    /// Text that is no part of a record: the walk ends, and the packet is not whole.
    Stop,
    /// The line was cut inside this token.
    Cut,
}

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
    at: usize,
    layer4: Layer4,
    has_src: bool,
    has_dst: bool,
    /// An unknown `KEY=value` was passed over.
    is_strange: bool,
}

/// Walks the record that starts at `anchor`, an `IN=` or `OUT=`.
fn walk(text: &[u8], anchor: usize) -> Result<Packet<'_>, Malformed> {
    let before = text.get(..anchor).unwrap_or_default();
    let mut packet = Packet::blank(before.strip_suffix(b" ").unwrap_or(before));
    let mut walk = Walk { text, at: anchor, layer4: Layer4::Pending, has_src: false, has_dst: false, is_strange: false };
    let end = loop {
        walk.skip_spaces();
        if walk.at >= text.len() {
            break Flow::Next;
        }
        match walk.token(&mut packet)? {
            Flow::Next => {}
            end => break end,
        }
    };
    let is_at_end = matches!(end, Flow::Next);
    if !(walk.has_src && walk.has_dst) {
        // `LOGIN=…` and prose that mentions `IN=` are not ours; a record cut before its addresses is.
        let has_link = packet.link.mac.is_some() || packet.link.mac_src.is_some();
        let is_ours = walk.has_src || has_link || (packet.out_iface.is_some() && !matches!(end, Flow::Stop));
        return Err(walk.error(if is_ours { MalformedKind::NoAddress } else { MalformedKind::NotNetfilter }));
    }
    if packet.header.src.is_ipv4() != packet.header.dst.is_ipv4() {
        return Err(walk.error(MalformedKind::BadAddress));
    }
    if walk.layer4 == Layer4::Pending && !(is_at_end && may_lack_protocol(&packet.header)) {
        return Err(walk.error(MalformedKind::NoProtocol));
    }
    packet.header.settle_flags(text);
    packet.is_whole = is_at_end && !walk.is_strange;
    Ok(packet)
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

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The high bit of each byte of `word` that equals `byte`; right up to the first such byte, which is all we use.
const fn hits(word: u64, byte: u8) -> u64 {
    let zeroed = word ^ each(byte);
    zeroed.wrapping_sub(each(1)) & !zeroed & each(0x80)
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
    /// Reads one token of the outer packet: what only that one has, or what [`Self::header_token`] knows.
    #[inline]
    fn token(&mut self, packet: &mut Packet<'a>) -> Result<Flow, Malformed> {
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
            MACPROTO if self.has(8, b"=") => self.word_into(9, &mut packet.link.mac_proto),
            VPROTO => self.word_into(7, &mut packet.link.vlan_proto),
            VID => self.number_into(4, u32::MAX, &mut packet.link.vlan_id),
            TUNNEL => self.skip_value(7),
            MARK => self.hex_into(5, &mut packet.mark),
            UID => self.number_into(4, u32::MAX, &mut packet.uid),
            GID => self.number_into(4, u32::MAX, &mut packet.gid),
            MTU => self.number_into(4, u32::MAX, &mut packet.mtu),
            GATEWAY => {
                self.at += 8;
                let gateway = self.address()?;
                Ok(fill(&mut packet.gateway, gateway))
            }
            _ if self.has(0, b"[") => self.nested(packet),
            _ => self.header_token(name, length, &mut packet.header),
        }
    }

    /// Reads what an ICMP error quotes, up to the closing bracket.
    fn nested(&mut self, packet: &mut Packet<'a>) -> Result<Flow, Malformed> {
        if self.layer4 != Layer4::Icmp || packet.nested.is_some() {
            return Ok(Flow::Stop);
        }
        if self.has(1, b"TRUNCATED]") {
            self.at += 11;
            return Ok(Flow::Next);
        }
        if !self.has(1, b"SRC=") {
            return Ok(Flow::Stop);
        }
        let mut header = Header::blank();
        let mut inner =
            Walk { text: self.text, at: self.at + 1, layer4: Layer4::Pending, has_src: false, has_dst: false, is_strange: false };
        // What is wrong in here does not spoil the packet around it, but then nobody vouches for the line.
        let is_closed = loop {
            inner.skip_spaces();
            if inner.has(0, b"]") {
                inner.at += 1;
                break true;
            }
            if inner.at >= self.text.len() {
                break false;
            }
            let (name, length) = inner.name();
            let flow = match name {
                MTU => inner.skip_value(4),
                GATEWAY => inner.skip_value(8),
                _ => inner.header_token(name, length, &mut header),
            };
            if !matches!(flow, Ok(Flow::Next)) {
                break false;
            }
        };
        self.at = inner.at;
        if inner.has_src && inner.has_dst && header.src.is_ipv4() == header.dst.is_ipv4() {
            header.settle_flags(b"");
            packet.nested = Some(header);
        }
        self.is_strange |= inner.is_strange;
        Ok(if is_closed { Flow::Next } else { Flow::Stop })
    }

    /// Reads one token of an IP header and of what follows it.
    #[inline]
    fn header_token(&mut self, name: u64, length: usize, header: &mut Header<'a>) -> Result<Flow, Malformed> {
        let is_pending = self.layer4 == Layer4::Pending;
        match name {
            SRC if !self.has_src => {
                self.at += 4;
                header.src = self.address()?;
                self.has_src = true;
                Ok(Flow::Next)
            }
            DST if !self.has_dst => {
                self.at += 4;
                header.dst = self.address()?;
                self.has_dst = true;
                Ok(Flow::Next)
            }
            LEN if is_pending => self.number_into(4, u32::MAX, &mut header.len),
            LEN => self.number_into(4, u32::MAX, &mut header.l4_len),
            TOS => self.hex_into(4, &mut header.tos),
            PREC => self.hex_into(5, &mut header.prec),
            TTL => self.byte_into(4, &mut header.ttl),
            ID if is_pending => self.short_into(3, &mut header.id),
            ID if self.layer4 == Layer4::Icmp => self.number_into(3, u32::MAX, &mut header.icmp_id),
            TC => self.hex_into(3, &mut header.tc),
            HOPLIMIT if self.has(8, b"=") => self.byte_into(9, &mut header.hop_limit),
            FLOWLBL => self.number_into(8, u32::MAX, &mut header.flow_label),
            CE if is_pending => self.flag(2, &mut header.ip_flags.ce),
            DF if is_pending => self.flag(2, &mut header.ip_flags.df),
            MF if is_pending => self.flag(2, &mut header.ip_flags.mf),
            OPT if self.has(4, b"(") => self.options(header),
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
                self.at += length - 1;
                Ok(Flow::Next)
            }
            TYPE => self.byte_into(5, &mut header.icmp_type),
            CODE => self.byte_into(5, &mut header.icmp_code),
            POINTER => self.skip_value(8),
            PARAMETER if self.has(8, b"R=") => self.skip_value(10),
            SPI => self.hex_into(4, &mut header.spi),
            INCOMPLETE if self.has(8, b"TE [") => self.incomplete(header),
            // An IPv6 fragment header says "more fragments" with the same word.
            INCOMPLETE if is_pending && self.has(8, b"TE ") => self.flag(10, &mut header.ip_flags.mf),
            ARP if is_pending => {
                header.proto = Proto { name: self.slice(self.at, self.at + 3), number: None };
                self.layer4 = Layer4::Arp;
                self.at += 3;
                Ok(Flow::Next)
            }
            HTYPE if self.layer4 == Layer4::Arp => self.skip_value(6),
            PTYPE if self.layer4 == Layer4::Arp => self.skip_value(6),
            OPCODE if self.layer4 == Layer4::Arp => self.number_into(7, u32::MAX, &mut header.arp_opcode),
            IPSRC if self.layer4 == Layer4::Arp && !self.has_src => {
                self.at += 6;
                header.src = self.address()?;
                self.has_src = true;
                Ok(Flow::Next)
            }
            IPDST if self.layer4 == Layer4::Arp && !self.has_dst => {
                self.at += 6;
                header.dst = self.address()?;
                self.has_dst = true;
                Ok(Flow::Next)
            }
            _ => self.rare_token(header),
        }
    }

    /// Tokens without a name of their own, and whatever is not ours.
    #[cold]
    fn rare_token(&mut self, header: &mut Header<'a>) -> Result<Flow, Malformed> {
        if self.has(0, b"FRAG:") || self.has(0, b"FRAG=") {
            return self.number_into(5, u32::MAX, &mut header.frag);
        }
        // The identification of an IPv6 fragment.
        if self.has(0, b"ID:") && self.layer4 == Layer4::Pending {
            return self.skip_value(3);
        }
        // A field of another logger: passed over, and the line is no longer the kernel's word.
        let rest = self.text.get(self.at..).unwrap_or_default();
        let key = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let is_field = key > 0 && rest.get(key) == Some(&b'=');
        let is_own = rest.starts_with(b"IN=") || rest.starts_with(b"OUT=") || rest.starts_with(b"SRC=") || rest.starts_with(b"DST=");
        if !is_field || is_own {
            return Ok(Flow::Stop);
        }
        self.is_strange = true;
        self.skip_value(key + 1)
    }

    /// `PROTO=TCP`, `PROTO=47`.
    fn protocol(&mut self, header: &mut Header<'a>) -> Result<Flow, Malformed> {
        self.at += 6;
        let value = self.word();
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
            b"" => return Ok(Flow::Cut),
            digits if digits.iter().all(u8::is_ascii_digit) => {
                let number = digits.iter().take(4).fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
                let number = u8::try_from(number).map_err(|_| self.error(MalformedKind::BadValue))?;
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
        Ok(Flow::Next)
    }

    /// `OPT (94040000)`, `OPT ( )`, `OPT ( FRAG:0 ID:00000001 )`, `OPT ( ESP SPI=0x1 )`.
    fn options(&mut self, header: &mut Header<'a>) -> Result<Flow, Malformed> {
        let open = self.at + 4;
        // 15 words of options are 120 hex digits; an extension header is shorter.
        let window = self.slice(open, (open + 160).min(self.text.len()));
        let Some(length) = window.iter().position(|byte| *byte == b')') else { return Ok(Flow::Cut) };
        let close = open + length + 1;
        let group = window.get(1..length).unwrap_or_default();
        if self.layer4 == Layer4::Pending {
            // The groups follow each other: one slice from the first bracket to the last.
            let first = match header.ip_opt.0 {
                b"" => open,
                earlier => open - 5 - earlier.len(),
            };
            header.ip_opt = Options(self.slice(first, close));
            if group.starts_with(b" ") {
                self.extension_header(open + 1, close - 1, header)?;
            } else if !is_hex(group) && group != b"TRUNCATED" {
                return Ok(Flow::Stop);
            }
        } else {
            if !header.tcp_opt.0.is_empty() || self.layer4 != Layer4::Tcp || !(is_hex(group) || group == b"TRUNCATED") {
                return Ok(Flow::Stop);
            }
            header.tcp_opt = Options(self.slice(open, close));
        }
        self.at = close;
        Ok(Flow::Next)
    }

    /// The inside of an `OPT ( … )` of IPv6.
    #[cold]
    fn extension_header(&mut self, start: usize, end: usize, header: &mut Header<'a>) -> Result<(), Malformed> {
        let mut inner =
            Walk { text: self.slice(0, end), at: start, layer4: Layer4::Pending, has_src: true, has_dst: true, is_strange: false };
        loop {
            inner.skip_spaces();
            if inner.at >= end {
                break;
            }
            let (name, length) = inner.name();
            if inner.has(0, b"ESP ") {
                // What follows is encrypted: the kernel ends the line here, so this is the protocol.
                header.proto = Proto { name: inner.slice(inner.at, inner.at + 3), number: Some(50) };
                self.layer4 = Layer4::Other;
                inner.at += 4;
            } else if inner.has(0, b"AH ") {
                inner.at += 3;
            } else if !matches!(inner.header_token(name, length, header)?, Flow::Next) {
                self.is_strange = true;
                break;
            }
        }
        self.is_strange |= inner.is_strange;
        Ok(())
    }

    /// `INCOMPLETE [8 bytes]`.
    fn incomplete(&mut self, header: &mut Header<'a>) -> Result<Flow, Malformed> {
        let rest = self.text.get(self.at + 12..).unwrap_or_default();
        let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || !rest.get(digits..).unwrap_or_default().starts_with(b" bytes]") || header.is_incomplete {
            return Ok(Flow::Stop);
        }
        header.is_incomplete = true;
        self.at += 12 + digits + 7;
        Ok(Flow::Next)
    }

    /// The name of the token here, with the `=` or space that ends it, and its length; at most 8 bytes.
    #[inline]
    fn name(&self) -> (u64, usize) {
        let word = match self.text.get(self.at..self.at + 8).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => u64::from_le_bytes(bytes),
            None => self.last_name(),
        };
        let hit = hits(word, b' ') | hits(word, b'=');
        if hit == 0 { (word, 8) } else { (word & (hit ^ (hit - 1)), hit.trailing_zeros() as usize / 8 + 1) }
    }

    /// The same in the last bytes of a line, where spaces stand in for what is not there.
    fn last_name(&self) -> u64 {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut bytes = [b' '; 8];
        for (to, from) in bytes.iter_mut().zip(rest) {
            *to = *from;
        }
        u64::from_le_bytes(bytes)
    }

    #[inline]
    fn has(&self, ahead: usize, what: &[u8]) -> bool {
        self.text.get(self.at + ahead..).is_some_and(|rest| rest.starts_with(what))
    }

    fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline]
    fn skip_spaces(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    /// The bytes up to the next space.
    #[inline]
    fn word(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn skip_value(&mut self, name: usize) -> Result<Flow, Malformed> {
        self.at += name;
        self.word();
        Ok(Flow::Next)
    }

    #[inline]
    fn word_into(&mut self, name: usize, into: &mut Option<&'a [u8]>) -> Result<Flow, Malformed> {
        self.at += name;
        let word = self.word();
        Ok(fill(into, word))
    }

    /// A value that is kept as printed, such as `0x00`, `00` or `1a0000`.
    #[inline]
    fn hex_into(&mut self, name: usize, into: &mut Option<&'a [u8]>) -> Result<Flow, Malformed> {
        self.at += name;
        let start = self.at;
        let word = self.word();
        let digits = word.strip_prefix(b"0x").unwrap_or(word);
        if digits.is_empty() && self.at >= self.text.len() {
            return Ok(Flow::Cut);
        }
        if digits.is_empty() || digits.len() > 8 || !is_hex(digits) {
            return Err(Malformed { kind: MalformedKind::BadValue, offset: start });
        }
        Ok(fill(into, word))
    }

    #[inline]
    fn number_into(&mut self, name: usize, max: u32, into: &mut Option<u32>) -> Result<Flow, Malformed> {
        self.at += name;
        Ok(match self.number(max)? {
            Some(number) => fill(into, number),
            None => Flow::Cut,
        })
    }

    #[inline]
    fn short_into(&mut self, name: usize, into: &mut Option<u16>) -> Result<Flow, Malformed> {
        self.at += name;
        Ok(match self.number(u32::from(u16::MAX))? {
            #[expect(clippy::cast_possible_truncation, reason = "number() has checked it")]
            Some(number) => fill(into, number as u16),
            None => Flow::Cut,
        })
    }

    #[inline]
    fn byte_into(&mut self, name: usize, into: &mut Option<u8>) -> Result<Flow, Malformed> {
        self.at += name;
        Ok(match self.number(u32::from(u8::MAX))? {
            #[expect(clippy::cast_possible_truncation, reason = "number() has checked it")]
            Some(number) => fill(into, number as u8),
            None => Flow::Cut,
        })
    }

    #[inline]
    fn flag(&mut self, name: usize, into: &mut bool) -> Result<Flow, Malformed> {
        let flow = if *into { Flow::Stop } else { Flow::Next };
        *into = true;
        self.at += name;
        Ok(flow)
    }

    /// A decimal number of at most `max`, ended by a space or by the line; `None` where the line ends before it.
    #[inline]
    fn number(&mut self, max: u32) -> Result<Option<u32>, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut value = 0_u64;
        let mut length = 0;
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value * 10 + u64::from(digit);
            length += 1;
            if length > 10 {
                return Err(self.error(MalformedKind::BadValue));
            }
        }
        if length == 0 && rest.is_empty() {
            return Ok(None);
        }
        let is_ended = matches!(rest.get(length), None | Some(b' '));
        match u32::try_from(value) {
            Ok(value) if length > 0 && is_ended && value <= max => {
                self.at += length;
                Ok(Some(value))
            }
            _ => Err(self.error(MalformedKind::BadValue)),
        }
    }

    /// An address, ended by a space or by the line.
    #[inline]
    fn address(&mut self) -> Result<IpAddr, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if let Some((address, length)) = ipv4(rest) {
            self.at += length;
            return Ok(IpAddr::V4(address));
        }
        let start = self.at;
        let word = self.word();
        match ipv6(word) {
            Some(address) => Ok(IpAddr::V6(address)),
            None if word.is_empty() && self.at >= self.text.len() => Err(Malformed { kind: MalformedKind::NoAddress, offset: start }),
            None => Err(Malformed { kind: MalformedKind::BadAddress, offset: start }),
        }
    }

    fn error(&self, kind: MalformedKind) -> Malformed {
        Malformed { kind, offset: self.at }
    }
}

/// Keeps the first value. A field that comes twice is no part of this record.
#[inline]
fn fill<T>(into: &mut Option<T>, value: T) -> Flow {
    if into.is_some() {
        return Flow::Stop;
    }
    *into = Some(value);
    Flow::Next
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// The dotted quad at the start of `text`, and its length. As strict as the kernel is when it prints: no leading
/// zeros, nothing but a space or the end behind it.
#[inline]
fn ipv4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0_u8; 4];
    let mut at = 0;
    for (n, octet) in octets.iter_mut().enumerate() {
        let first = text.get(at)?.wrapping_sub(b'0');
        if first > 9 {
            return None;
        }
        let mut value = u32::from(first);
        at += 1;
        while let Some(byte) = text.get(at) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if value == 0 {
                return None;
            }
            value = value * 10 + u32::from(digit);
            if value > 255 {
                return None;
            }
            at += 1;
        }
        *octet = u8::try_from(value).ok()?;
        if n < 3 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
    }
    matches!(text.get(at), None | Some(b' ')).then_some((Ipv4Addr::from(octets), at))
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
    for (at, byte) in text.iter().enumerate() {
        if at % 5 == 4 {
            if *byte != b':' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        bits = bits << 4 | u128::from(digit);
    }
    Some(bits)
}
