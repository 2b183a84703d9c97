//! One packet against one rule.

use super::rule::{Addresses, Bit, Condition, Direction, Family, Field, Place, Range, Relation};
use crate::{
    address::{self, Home},
    finding::Action,
    packet::{Header, Packet},
};
use std::net::IpAddr;

/// A packet, and what the engine knows about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'s, 'p, 'a> {
    pub(crate) packet: &'p Packet<'a>,
    pub(crate) home: &'s Home,
    pub(crate) action: Action,
    /// It is addressed to this host.
    pub(crate) is_for_us: bool,
    pub(crate) direction: Direction,
}

/// Which way a packet goes. A line that names no interface is taken for one that came in.
pub(crate) fn direction(packet: &Packet<'_>) -> Direction {
    let is_named = |name: Option<&[u8]>| name.is_some_and(|name| !name.is_empty());
    match (packet.in_iface, is_named(packet.out_iface)) {
        (Some(b""), _) | (None, true) => Direction::Out,
        (Some(_), true) => Direction::Forward,
        _ => Direction::In,
    }
}

/// Does the condition hold of the packet?
pub(super) fn holds(condition: &Condition, scene: &Scene<'_, '_, '_>) -> bool {
    let packet = scene.packet;
    let header = &packet.header;
    match condition {
        Condition::Family(family) => header.src.is_ipv6() == (*family == Family::V6) && header.proto.name != b"ARP",
        Condition::Number(Field::Payload, numbers) => payload(header).is_some_and(|(least, most)| numbers.contains_all(least, most)),
        Condition::Number(field, numbers) => number(*field, packet).is_some_and(|number| numbers.contains(number)),
        Condition::Flags { set, clear } => header.flags.is_some_and(|flags| flags.bits() & set == *set && flags.bits() & clear == 0),
        Condition::Bit(bit, wanted) => is_set(*bit, header) == *wanted,
        Condition::Source(addresses) => contains(addresses, header.src, scene.direction == Direction::Out, scene.home),
        Condition::Destination(addresses) => contains(addresses, header.dst, scene.is_for_us, scene.home),
        Condition::Relation(relation) => is_related(*relation, header),
        Condition::TcpOptions(wanted) => wanted.iter().all(|kind| tcp_options(header).any(|known| known == *kind)),
        Condition::TcpOptionBytes(wanted) => are_tcp_options(header, wanted),
        Condition::IpOptions(wanted) => wanted.iter().all(|types| ip_options(header).any(|known| types.contains(&known))),
        Condition::Text(place, pattern) => text(*place, packet).is_some_and(|text| pattern.matches(text)),
    }
}

/// The value of a field, if the line carries it. [`Field::Payload`] is none: see [`payload`].
fn number(field: Field, packet: &Packet<'_>) -> Option<u32> {
    let header = &packet.header;
    match field {
        Field::Sport => header.sport.map(u32::from),
        Field::Dport => header.dport.map(u32::from),
        Field::Ttl => header.ttl.or(header.hop_limit).map(u32::from),
        Field::Id => header.id.map(u32::from),
        Field::Len => header.len,
        Field::Payload => None,
        // The kernel prints TOS in hex and TC in decimal.
        Field::Tos => header.tos.and_then(hex).or_else(|| header.tc.and_then(decimal)),
        Field::Prec => header.prec.and_then(hex),
        Field::Window => header.window,
        Field::Urgp => header.urgp,
        Field::Res => header.res.and_then(hex),
        Field::Frag => header.frag,
        Field::Seq => header.tcp_seq,
        Field::Ack => header.tcp_ack,
        Field::Mark => packet.mark.and_then(|text| if text.starts_with(b"0x") { hex(text) } else { decimal(text) }),
        Field::Uid => packet.uid,
        Field::Gid => packet.gid,
        Field::IcmpType => header.icmp_type.map(u32::from),
        Field::IcmpCode => header.icmp_code.map(u32::from),
        Field::IcmpId => header.icmp_id,
        Field::IcmpSeq => header.icmp_seq,
        Field::Mtu => packet.mtu,
        Field::FlowLabel => header.flow_label,
        Field::Vlan => packet.link.vlan_id,
        Field::IpProto => header.proto.number.map(u32::from),
    }
}

/// A text of the line, if it carries it.
pub(super) fn text<'a>(place: Place, packet: &Packet<'a>) -> Option<&'a [u8]> {
    match place {
        Place::Prefix => Some(packet.prefix.trim_ascii_end()),
        Place::In => packet.in_iface,
        Place::Out => packet.out_iface,
        Place::PhysIn => packet.phys_in,
        Place::PhysOut => packet.phys_out,
        // Destination, source and EtherType, three characters a byte.
        Place::Mac => packet.link.mac_src.or_else(|| packet.link.mac.and_then(|mac| mac.get(18..35))),
    }
}

fn hex(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    let is_short = (1..=8).contains(&digits.len());
    is_short.then(|| digits.iter().try_fold(0, |sum: u32, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))).flatten()
}

fn decimal(text: &[u8]) -> Option<u32> {
    let add = |sum: u32, digit: &u8| sum.checked_mul(10)?.checked_add(char::from(*digit).to_digit(10)?);
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

pub(super) fn is_set(bit: Bit, header: &Header<'_>) -> bool {
    match bit {
        Bit::Df => header.ip_flags.df,
        Bit::Mf => header.ip_flags.mf,
        Bit::Ce => header.ip_flags.ce,
        Bit::Fragment => header.ip_flags.mf || header.frag.is_some_and(|offset| offset > 0),
    }
}

/// How many bytes follow the transport header: at least and at most. TCP options count only where they are logged; without
/// them there may be 40 bytes of options.
fn payload(header: &Header<'_>) -> Option<(u32, u32)> {
    let options =
        |groups: crate::packet::Options<'_>| u32::try_from(groups.groups().map(<[u8]>::len).sum::<usize>() / 2).unwrap_or(u32::MAX);
    let fixed = if header.src.is_ipv6() { 40 } else { 20 + options(header.ip_opt) };
    let behind_ip = || header.len.and_then(|len| len.checked_sub(fixed));
    let exactly = |length: u32| Some((length, length));
    match header.proto.number {
        Some(17 | 136) => match header.l4_len {
            Some(len) => exactly(len.checked_sub(8)?),
            None => exactly(behind_ip()?.checked_sub(8)?),
        },
        Some(1 | 58) => exactly(behind_ip()?.checked_sub(8)?),
        Some(6) => {
            let behind = behind_ip()?.checked_sub(20)?;
            match options(header.tcp_opt) {
                0 => Some((behind.saturating_sub(40), behind)),
                logged => exactly(behind.checked_sub(logged)?),
            }
        }
        _ => None,
    }
}

fn contains(addresses: &Addresses, address: IpAddr, is_ours: bool, home: &Home) -> bool {
    let is_in = |range: &Range| match *range {
        Range::Network((network, length)) => address::contains(network, length, address),
        Range::Home => is_ours || home.is_near(address),
        Range::Lan => !address.is_loopback() && !address.is_unspecified() && home.is_near(address),
        Range::Internet => !address::is_for_many(address) && !home.is_near(address),
    };
    (addresses.within.is_empty() || addresses.within.iter().any(is_in)) && !addresses.without.iter().any(is_in)
}

pub(super) fn is_related(relation: Relation, header: &Header<'_>) -> bool {
    match relation {
        Relation::SeqIsDst => matches!(header.dst, IpAddr::V4(dst) if header.tcp_seq == Some(dst.to_bits())),
        Relation::IdIsCookie => match (header.dst, header.id, header.dport, header.tcp_seq) {
            (IpAddr::V4(dst), Some(id), Some(dport), Some(seq)) => u32::from(id) == (dst.to_bits() ^ u32::from(dport) ^ seq) & 0xffff,
            _ => false,
        },
        Relation::SrcIsDst => header.src == header.dst && header.proto.name != b"ARP",
        Relation::SportIsDport => header.sport.is_some() && header.sport == header.dport,
    }
}

/// The bytes of the first group of options.
fn bytes(groups: crate::packet::Options<'_>) -> impl Iterator<Item = u8> {
    let group = groups.groups().next().unwrap_or_default();
    group.chunks_exact(2).map_while(|pair| hex(pair).and_then(|byte| u8::try_from(byte).ok()))
}

/// The kinds of options that are there. End (0) ends the list and no-operation (1) has no length (RFC 9293 3.1, RFC 791 3.1).
fn kinds(mut bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        let kind = if is_over { return None } else { bytes.next()? };
        match kind {
            0 => is_over = true,
            1 => {}
            _ => match bytes.next() {
                Some(length) if length >= 2 => is_over = (2..length).any(|_| bytes.next().is_none()),
                _ => is_over = true,
            },
        }
        Some(kind)
    })
}

fn tcp_options(header: &Header<'_>) -> impl Iterator<Item = u8> {
    kinds(bytes(header.tcp_opt))
}

fn ip_options(header: &Header<'_>) -> impl Iterator<Item = u8> {
    let is_v4 = header.src.is_ipv4();
    kinds(bytes(header.ip_opt)).filter(move |_| is_v4)
}

fn are_tcp_options(header: &Header<'_>, wanted: &[u8]) -> bool {
    if wanted.is_empty() {
        let fixed = if header.src.is_ipv6() { 60 } else { 40 };
        return header.flags.is_some() && header.tcp_opt.0.is_empty() && header.ip_opt.0.is_empty() && header.len == Some(fixed);
    }
    bytes(header.tcp_opt).eq(wanted.iter().copied())
}
