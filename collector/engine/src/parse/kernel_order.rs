//! The straight way through a record: its fields where the kernel puts them.
//!
//! By far the most lines keep that order, and asking of each token what it is costs three times as much. Nothing is
//! decided here: a field that is missing, odd or out of its range is left, and [`Walk::tokens`] says what that means.

use super::{
    Layer4, Walk,
    repeat::{Head, Middle, Repeats, Tail},
};
use crate::{
    cursor::Cursor,
    packet::{Header, Options, Packet, Proto, TcpFlags},
};
use std::net::{IpAddr, Ipv6Addr};

impl<'a> Walk<'a> {
    /// Reads what stands where the kernel puts it, as far as that goes. The packet is still blank.
    pub(super) fn kernel_order(&mut self, packet: &mut Packet<'a>, has_same_head: bool, before: &mut Repeats) {
        let mut rest = self.rest;
        // The place in the line stays in registers; without an answer it is that of the first field that is left.
        let _ = self.fields(&mut rest, packet, has_same_head, before);
        self.rest = rest;
    }

    #[inline(always)]
    fn fields(&mut self, rest: &mut Cursor<'a>, packet: &mut Packet<'a>, has_same_head: bool, before: &mut Repeats) -> Option<()> {
        if has_same_head {
            before.head.recall(self.text, rest, packet)?;
        } else {
            let is_usual;
            (*rest, is_usual) = self.head(*rest, packet, &mut before.head);
            if !is_usual {
                return None;
            }
        }
        let header = &mut packet.header;
        header.src = address_of(rest, b" SRC=")?;
        self.has_src = true;
        if before.middle.recall(rest, header) {
            self.has_dst = true;
        } else {
            *rest = self.middle(*rest, header, &mut before.middle)?;
        }
        if header.src.is_ipv4() {
            header.ttl = rest.byte_of(b" TTL=");
            header.id = rest.number_of(b" ID=");
            if rest.has(0, b" DF ") {
                header.ip_flags.df = true;
                rest.step(3)?;
            }
        } else {
            header.hop_limit = rest.byte_of(b" HOPLIMIT=");
            header.flow_label = rest.number_of(b" FLOWLBL=");
        }
        self.layer4(rest, header, &mut before.tail)
    }

    /// The start of a record, up to its sender or to what is not as usual there. Says whether nothing was.
    #[inline(never)]
    fn head(&self, mut rest: Cursor<'a>, packet: &mut Packet<'a>, before: &mut Head) -> (Cursor<'a>, bool) {
        let anchor = self.at();
        packet.in_iface = rest.word_of(b"IN=");
        packet.out_iface = packet.in_iface.and_then(|_| rest.word_of(b" OUT="));
        if packet.out_iface.is_none() {
            return (rest, false);
        }
        if rest.has(0, b" PHYSIN=") {
            packet.phys_in = rest.word_of(b" PHYSIN=");
            packet.phys_out = rest.word_of(b" PHYSOUT=");
        }
        let link = &mut packet.link;
        link.mac = rest.word_of(b" MAC=");
        if rest.has(0, b" MACSRC=") {
            link.mac_src = rest.word_of(b" MACSRC=");
            link.mac_dst = rest.word_of(b" MACDST=");
            link.mac_proto = rest.word_of(b" MACPROTO=");
        }
        before.learn(self.text, rest, packet, anchor);
        (rest, true)
    }

    /// From the destination to the time to live; nothing where no destination is here.
    #[inline(never)]
    fn middle(&mut self, mut rest: Cursor<'a>, header: &mut Header<'a>, before: &mut Middle) -> Option<Cursor<'a>> {
        let start = rest;
        header.dst = address_of(&mut rest, b" DST=")?;
        self.has_dst = true;
        header.len = rest.number_of(b" LEN=");
        if header.src.is_ipv4() {
            header.tos = rest.hex_byte_of(b" TOS=0x");
            header.prec = rest.hex_byte_of(b" PREC=0x");
        } else {
            header.tc = rest.hex_of(b" TC=");
        }
        before.learn(start, rest, header);
        Some(rest)
    }

    #[inline(always)]
    fn layer4(&mut self, rest: &mut Cursor<'a>, header: &mut Header<'a>, before: &mut Tail) -> Option<()> {
        if rest.has(0, b" PROTO=TCP ") {
            header.proto = Proto { name: rest.ahead(10).get(7..)?, number: Some(6) };
            self.layer4 = Layer4::Tcp;
            rest.step(10)?;
            tcp(rest, header, before)
        } else if rest.has(0, b" PROTO=UDP ") {
            header.proto = Proto { name: rest.ahead(10).get(7..)?, number: Some(17) };
            self.layer4 = Layer4::Other;
            rest.step(10)?;
            *rest = udp(*rest, header);
            Some(())
        } else if rest.has(0, b" PROTO=ICMP ") {
            header.proto = Proto { name: rest.ahead(11).get(7..)?, number: Some(1) };
            self.layer4 = Layer4::Icmp;
            rest.step(11)?;
            *rest = icmp(*rest, header);
            Some(())
        } else {
            None
        }
    }
}

#[inline(always)]
fn tcp<'a>(rest: &mut Cursor<'a>, header: &mut Header<'a>, before: &mut Tail) -> Option<()> {
    header.sport = rest.number_of(b" SPT=");
    header.dport = rest.number_of(b" DPT=");
    // With `--log-tcp-sequence`.
    header.tcp_seq = rest.long_number_of(b" SEQ=");
    if before.recall(rest, header) {
        return Some(());
    }
    *rest = tail(*rest, header, before);
    Some(())
}

/// The rest of a TCP header, as far as it is as usual.
#[inline(never)]
fn tail<'a>(mut rest: Cursor<'a>, header: &mut Header<'a>, before: &mut Tail) -> Cursor<'a> {
    let start = rest;
    header.tcp_ack = rest.long_number_of(b" ACK=");
    header.window = rest.number_of(b" WINDOW=");
    header.res = rest.hex_byte_of(b" RES=0x");
    let behind_res = rest;
    header.flags = flags(&mut rest);
    header.urgp = rest.number_of(b" URGP=");
    // With `--log-tcp-options`; 40 bytes at most.
    let mut inside = rest;
    if inside.eat(b" OPT (") {
        let length = inside.hex_digits();
        let brackets = rest.0.get(5..length + 7).filter(|brackets| length <= 80 && brackets.last() == Some(&b')'));
        let Some(brackets) = brackets else { return rest };
        header.tcp_opt = Options(brackets);
        rest.skip(length + 7);
    }
    before.learn(start, behind_res, rest, header);
    rest
}

#[inline(never)]
fn udp<'a>(mut rest: Cursor<'a>, header: &mut Header<'a>) -> Cursor<'a> {
    header.sport = rest.number_of(b" SPT=");
    header.dport = rest.number_of(b" DPT=");
    header.l4_len = rest.number_of(b" LEN=");
    rest
}

#[inline(never)]
fn icmp<'a>(mut rest: Cursor<'a>, header: &mut Header<'a>) -> Cursor<'a> {
    header.icmp_type = rest.byte_of(b" TYPE=");
    header.icmp_code = rest.byte_of(b" CODE=");
    header.icmp_id = rest.number_of(b" ID=");
    header.icmp_seq = rest.number_of(b" SEQ=");
    rest
}

/// The flag words, if any.
#[inline(always)]
fn flags(rest: &mut Cursor<'_>) -> Option<TcpFlags> {
    let mut flags = TcpFlags::default();
    loop {
        let bit = match rest.peek() & 0x00ff_ffff_ffff {
            SYN => TcpFlags::SYN,
            ACK => TcpFlags::ACK,
            RST => TcpFlags::RST,
            PSH => TcpFlags::PSH,
            FIN => TcpFlags::FIN,
            URG => TcpFlags::URG,
            ECE => TcpFlags::ECE,
            CWR => TcpFlags::CWR,
            _ => break,
        };
        flags = flags.with(bit);
        rest.step(4)?;
    }
    (flags != TcpFlags::default()).then_some(flags)
}

/// A flag between two spaces, as the low five bytes of eight.
const fn flag(name: [u8; 3]) -> u64 {
    let [a, b, c] = name;
    u64::from_le_bytes([b' ', a, b, c, b' ', 0, 0, 0])
}

const SYN: u64 = flag(*b"SYN");
const ACK: u64 = flag(*b"ACK");
const RST: u64 = flag(*b"RST");
const PSH: u64 = flag(*b"PSH");
const FIN: u64 = flag(*b"FIN");
const URG: u64 = flag(*b"URG");
const ECE: u64 = flag(*b"ECE");
const CWR: u64 = flag(*b"CWR");

/// The address behind `key`, in one of the two forms in which the kernel prints it.
#[inline(always)]
fn address_of(rest: &mut Cursor<'_>, key: &[u8]) -> Option<IpAddr> {
    let mut value = *rest;
    if !value.eat(key) {
        return None;
    }
    let address = match value.ipv4() {
        Some(address) => IpAddr::V4(address),
        None => IpAddr::V6(ipv6(&mut value)?),
    };
    *rest = value;
    Some(address)
}

#[inline(never)]
fn ipv6(value: &mut Cursor<'_>) -> Option<Ipv6Addr> {
    let (full, rest) = value.0.split_first_chunk()?;
    let bits = super::ipv6_full(full)?;
    *value = Cursor(rest);
    // Anything but a space is more of the address.
    (rest.first() == Some(&b' ')).then(|| Ipv6Addr::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parse::{MalformedKind, Parser, next_anchor, parse},
        record::Record,
    };
    use std::{collections::BTreeSet, fs};

    /// What is read of a line with the straight way and without it, and where an error is found.
    fn read(text: &[u8], is_straight: bool) -> Result<Packet<'_>, (MalformedKind, usize)> {
        let anchor = next_anchor(text, 0).unwrap_or_default();
        let (mut packet, rest) = (Packet::blank(b""), Cursor(&text[anchor..]));
        let mut walk = Walk { text, rest, layer4: Layer4::Pending, has_src: false, has_dst: false, is_strange: false };
        if is_straight {
            walk.kernel_order(&mut packet, false, &mut Repeats::default());
        }
        let end = walk.tokens(&mut packet);
        walk.verdict(&mut packet, end).map(|()| packet).map_err(|kind| (kind, walk.at()))
    }

    fn assert_equal(text: &[u8]) {
        assert_eq!(read(text, true), read(text, false), "{}", String::from_utf8_lossy(text));
    }

    /// Reads `text` behind `before`, behind which it must mean what it means alone.
    fn assert_equal_behind(parser: &mut Parser, before: &[u8], text: &[u8]) {
        let _ = parser.parse_into(before, &mut None);
        let mut place = None;
        let behind = parser.parse_into(text, &mut place).copied();
        assert_eq!(behind, parse(text), "{}\nbehind {}", String::from_utf8_lossy(text), String::from_utf8_lossy(before));
    }

    #[test]
    fn the_straight_way_and_the_tokens_read_the_same() {
        let (mut shapes, mut lines) = (BTreeSet::new(), Vec::new());
        for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/dev")).unwrap() {
            let path = file.unwrap().path();
            if !path.to_string_lossy().ends_with(".kmsg.log") {
                continue;
            }
            for line in fs::read(path).unwrap().split(|byte| *byte == b'\n') {
                let text = Record::read(line).text;
                // Lines that differ only in their digits tell the same.
                if text.len() < 400 && shapes.insert(text.iter().filter(|byte| !byte.is_ascii_digit()).copied().collect::<Vec<_>>()) {
                    check(text);
                    lines.push(text.to_vec());
                }
            }
        }
        assert!(shapes.len() > 50, "{}", shapes.len());
        // And one behind the other.
        let mut parser = Parser::default();
        for before in &lines {
            for text in &lines {
                assert_equal_behind(&mut parser, before, text);
            }
        }
    }

    /// The line as it is, cut, with another byte, without one, and with one twice, at each place.
    fn check(text: &[u8]) {
        let mut parser = Parser::default();
        let mut assert_equal = |other: &[u8]| {
            assert_equal(other);
            assert_equal_behind(&mut parser, text, other);
            assert_equal_behind(&mut parser, other, text);
        };
        assert_equal(text);
        for at in 0..text.len() {
            assert_equal(&text[..at]);
            for byte in *b" =0[\xff" {
                let mut other = text.to_vec();
                other[at] = byte;
                assert_equal(&other);
            }
            let mut shorter = text.to_vec();
            let byte = shorter.remove(at);
            assert_equal(&shorter);
            shorter.splice(at..at, [byte, byte]);
            assert_equal(&shorter);
        }
    }

    #[test]
    fn numbers_of_every_length_are_read_the_same() {
        for (key, rest) in [("LEN", ""), ("TTL", ""), ("ID", ""), ("SPT", ""), ("SEQ", " ACK=0"), ("ACK", ""), ("WINDOW", "")] {
            let transport = if matches!(key, "LEN" | "TTL" | "ID") { "" } else { " PROTO=TCP" };
            for value in ["", "x", "-1", "1x", "00", "007", "255", "256", "65535", "65536", "1234567", "12345678", "123456789"] {
                assert_equal(format!("IN=a OUT= SRC=192.0.2.1 DST=192.0.2.2{transport} {key}={value}{rest}").as_bytes());
            }
            for value in ["4294967295", "4294967296", "9999999999", "0000000001", "00000000001", "12345678901234567890"] {
                assert_equal(format!("IN=a OUT= SRC=192.0.2.1 DST=192.0.2.2{transport} {key}={value}{rest} ").as_bytes());
            }
        }
    }
}
