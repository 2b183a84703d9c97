//! What rules are entered under: the fields that tell packets apart.

use super::{
    compile::Plan,
    matching::{is_related, is_set, text},
    rule::{Addresses, Bit, Condition, Field, Place, Range, Relation, Rule},
};
use crate::packet::Packet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A rule that asks for more values of a field is not entered under it.
const MAX_VALUES: u32 = 256;
/// The same for sets of TCP flags: two that must be there leave 64.
const MAX_FLAGS: usize = 64;
/// Networks that are wider than the place they are entered under stand for so many places at most.
const MAX_NETWORKS: usize = 512;

/// A field, in the order of preference among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    Dport,
    IcmpType,
    /// It is a fragment.
    Fragment,
    /// It has the reserved bit.
    Reserved,
    /// It has options in its IPv4 header.
    IpOptions,
    /// It comes from where it goes.
    SameAddress,
    /// Its sequence number is its destination.
    SeqIsDst,
    /// Its IPv4 identification is made of destination, port and sequence number.
    IdIsCookie,
    Sport,
    Window,
    Id,
    Len,
    Urgp,
    Ttl,
    FlowLabel,
    IcmpCode,
    IcmpId,
    IcmpSeq,
    Seq,
    Ack,
    Prefix,
    /// The bits that its length takes: what a rule asks for by "longer than".
    LenBits,
    Flags,
    /// The upper 24 bits of an IPv4 source, the upper 48 of an IPv6 one, hashed.
    SourceNear,
    /// 16 and 32.
    SourceFar,
    /// 8 and 16.
    SourceWide,
    DestinationNear,
    DestinationFar,
    DestinationWide,
}

impl Under {
    pub(super) const ALL: [Self; 29] = [
        Self::Dport,
        Self::IcmpType,
        Self::Fragment,
        Self::Reserved,
        Self::IpOptions,
        Self::SameAddress,
        Self::SeqIsDst,
        Self::IdIsCookie,
        Self::Sport,
        Self::Window,
        Self::Id,
        Self::Len,
        Self::Urgp,
        Self::Ttl,
        Self::FlowLabel,
        Self::IcmpCode,
        Self::IcmpId,
        Self::IcmpSeq,
        Self::Seq,
        Self::Ack,
        Self::Prefix,
        Self::LenBits,
        Self::Flags,
        Self::SourceNear,
        Self::SourceFar,
        Self::SourceWide,
        Self::DestinationNear,
        Self::DestinationFar,
        Self::DestinationWide,
    ];

    /// The fields of the source, and of the destination, with their depths.
    const SOURCE: [(Self, Depth); 3] = [(Self::SourceNear, NEAR), (Self::SourceFar, FAR), (Self::SourceWide, WIDE)];
    const DESTINATION: [(Self, Depth); 3] = [(Self::DestinationNear, NEAR), (Self::DestinationFar, FAR), (Self::DestinationWide, WIDE)];

    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The numeric field that it is.
    const fn field(self) -> Option<Field> {
        Some(match self {
            Self::Dport => Field::Dport,
            Self::IcmpType => Field::IcmpType,
            Self::Sport => Field::Sport,
            Self::Window => Field::Window,
            Self::Id => Field::Id,
            Self::Len => Field::Len,
            Self::Urgp => Field::Urgp,
            Self::Ttl => Field::Ttl,
            Self::FlowLabel => Field::FlowLabel,
            Self::IcmpCode => Field::IcmpCode,
            Self::IcmpId => Field::IcmpId,
            Self::IcmpSeq => Field::IcmpSeq,
            Self::Seq => Field::Seq,
            Self::Ack => Field::Ack,
            _ => return None,
        })
    }

    /// The values that a rule asks for here, if they are few.
    pub(super) fn asked(self, rule: &Rule) -> Option<Vec<u32>> {
        rule.matching.conditions.iter().find_map(|condition| match (self, condition) {
            (_, Condition::Number(asked, numbers)) if self.field() == Some(*asked) => numbers.few(MAX_VALUES),
            (Self::LenBits, Condition::Number(Field::Len, numbers)) => {
                let (ranges, is_negated) = numbers.ranges();
                let values = ranges.iter().flat_map(|(first, last)| bits(*first)..=bits(*last)).collect();
                (!is_negated).then_some(values)
            }
            (Self::Flags, Condition::Flags { set, clear }) => {
                let fits = |bits: &u32| u8::try_from(*bits).is_ok_and(|bits| bits & set == *set && bits & clear == 0);
                let values: Vec<u32> = (0..=255).filter(fits).collect();
                (values.len() <= MAX_FLAGS).then_some(values)
            }
            (Self::Prefix, Condition::Text(Place::Prefix, pattern)) => Some(vec![prefix_value(pattern.literal()?)]),
            (Self::Fragment, Condition::Bit(Bit::Fragment | Bit::Mf, true))
            | (Self::Reserved, Condition::Bit(Bit::Ce, true))
            | (Self::IpOptions, Condition::IpOptions(_))
            | (Self::SameAddress, Condition::Relation(Relation::SrcIsDst))
            | (Self::SeqIsDst, Condition::Relation(Relation::SeqIsDst))
            | (Self::IdIsCookie, Condition::Relation(Relation::IdIsCookie)) => Some(vec![1]),
            (Self::Fragment, Condition::Number(Field::Frag, numbers)) => (!numbers.contains(0)).then(|| vec![1]),
            (_, Condition::Source(addresses)) => networks(&addresses.within, self.depth(&Self::SOURCE)?),
            (_, Condition::Destination(addresses)) => networks(&addresses.within, self.depth(&Self::DESTINATION)?),
            _ => None,
        })
    }

    fn depth(self, depths: &[(Self, Depth)]) -> Option<Depth> {
        depths.iter().find(|(under, _)| *under == self).map(|(_, depth)| *depth)
    }
}

/// First bytes of addresses that some rule asks for: most packets come from others, and need no look at more of them.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstBytes {
    v4: [u64; 4],
    v6: [u64; 4],
}

impl FirstBytes {
    /// Those of every source, or destination, that a rule asks for.
    pub(super) fn add(&mut self, addresses: &Addresses) {
        for range in &addresses.within {
            let Range::Network((address, length)) = *range else { continue };
            let (first, bits) = match address {
                IpAddr::V4(address) => (address.octets()[0], &mut self.v4),
                IpAddr::V6(address) => (address.octets()[0], &mut self.v6),
            };
            let more = u8::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            for byte in first & !more..=first | more {
                if let Some(word) = bits.get_mut(usize::from(byte) / 64) {
                    *word |= 1 << (byte % 64);
                }
            }
        }
    }

    fn has(&self, address: IpAddr) -> bool {
        let (first, bits) = match address {
            IpAddr::V4(address) => (address.octets()[0], &self.v4),
            IpAddr::V6(address) => (address.octets()[0], &self.v6),
        };
        bits.get(usize::from(first) / 64).is_some_and(|word| word >> (first % 64) & 1 != 0)
    }
}

/// What a packet has in the fields that rules are entered under, as far as a rule may ask for it.
#[derive(Debug)]
pub(super) struct Values {
    /// [`Under::bit`] of them.
    fields: u32,
    of: [u32; 32],
}

impl Values {
    /// Those of `packet`; the plan of its protocol says what rules ask for.
    pub(super) fn new(packet: &Packet<'_>, plan: &Plan, sources: &FirstBytes, destinations: &FirstBytes) -> Self {
        let header = &packet.header;
        let mut values = Self { fields: 0, of: [0; 32] };
        values.put(Under::Dport, header.dport.map(u32::from));
        values.put(Under::Sport, header.sport.map(u32::from));
        values.put(Under::Window, header.window);
        values.put(Under::Id, header.id.map(u32::from));
        values.put(Under::Len, header.len);
        values.put(Under::LenBits, header.len.map(bits));
        values.put(Under::Urgp, header.urgp);
        values.put(Under::Ttl, header.ttl.or(header.hop_limit).map(u32::from));
        values.put(Under::FlowLabel, header.flow_label);
        values.put(Under::IcmpType, header.icmp_type.map(u32::from));
        values.put(Under::IcmpCode, header.icmp_code.map(u32::from));
        values.put(Under::IcmpId, header.icmp_id);
        values.put(Under::IcmpSeq, header.icmp_seq);
        values.put(Under::Seq, header.tcp_seq);
        values.put(Under::Ack, header.tcp_ack);
        values.put(Under::Flags, header.flags.map(|flags| u32::from(flags.bits())));
        values.put_if(Under::Fragment, is_set(Bit::Fragment, header));
        values.put_if(Under::Reserved, header.ip_flags.ce);
        values.put_if(Under::IpOptions, !header.ip_opt.0.is_empty());
        values.put_if(Under::SameAddress, header.src == header.dst);
        values.put_if(Under::SeqIsDst, plan.has(Under::SeqIsDst) && is_related(Relation::SeqIsDst, header));
        values.put_if(Under::IdIsCookie, plan.has(Under::IdIsCookie) && is_related(Relation::IdIsCookie, header));
        if plan.has(Under::Prefix) {
            values.put(Under::Prefix, text(Place::Prefix, packet).map(prefix_value));
        }
        if sources.has(header.src) {
            values.put_networks(&Under::SOURCE, header.src);
        }
        if destinations.has(header.dst) {
            values.put_networks(&Under::DESTINATION, header.dst);
        }
        values.leave(plan);
        values
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// Each with the number of its field, in the order of the fields.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut fields = self.fields;
        std::iter::from_fn(move || {
            let number = fields.trailing_zeros();
            let value = self.of.get(number as usize)?;
            fields &= fields - 1;
            Some((number, *value))
        })
    }

    /// Without a branch: which fields a packet has differs from one to the next.
    #[inline(always)]
    fn put(&mut self, under: Under, value: Option<u32>) {
        if let Some(slot) = self.of.get_mut(under as usize) {
            *slot = value.unwrap_or(0);
        }
        self.fields |= u32::from(value.is_some()) << under as u32;
    }

    #[inline(always)]
    fn put_if(&mut self, under: Under, is_there: bool) {
        self.put(under, is_there.then_some(1));
    }

    #[inline(never)]
    fn put_networks(&mut self, fields: &[(Under, Depth)], address: IpAddr) {
        fields.iter().for_each(|(under, depth)| self.put(*under, Some(upper(address, *depth))));
    }

    /// Leaves those that a rule may ask for.
    #[inline(always)]
    fn leave(&mut self, plan: &Plan) {
        let (mut had, mut asked) = (self.fields & plan.fields(), 0);
        while had != 0 {
            let number = had.trailing_zeros();
            let value = self.of.get(number as usize).copied().unwrap_or(0);
            asked |= u32::from(plan.asks(number as usize, value)) << number;
            had &= had - 1;
        }
        self.fields = asked;
    }
}

/// How many bits a number takes.
const fn bits(number: u32) -> u32 {
    32 - number.leading_zeros()
}

/// So many upper bits of an IPv4 address, and of an IPv6 one.
type Depth = (u32, u32);
const NEAR: Depth = (24, 48);
const FAR: Depth = (16, 32);
const WIDE: Depth = (8, 16);

/// The upper bits of an address, folded to 32 with a mark that tells IPv6 from IPv4.
fn upper(address: IpAddr, (v4, v6): Depth) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits() >> (32 - v4),
        #[allow(clippy::cast_possible_truncation, reason = "48 bits, folded")]
        IpAddr::V6(address) => {
            let bits = (address.to_bits() >> (128 - v6)) as u64;
            (bits as u32 ^ ((bits >> 32) as u32).wrapping_mul(0x9e37_79b1)) | 1 << 31
        }
    }
}

/// The values of [`upper`] that addresses in these networks have, if they are few.
fn networks(ranges: &[Range], depth: Depth) -> Option<Vec<u32>> {
    let (v4, v6) = depth;
    let mut values = Vec::new();
    for range in ranges {
        let Range::Network((address, length)) = *range else { return None };
        let length = u32::from(length);
        // A network that is wider than the depth stands for several places.
        let (missing, bits) = if address.is_ipv4() { (v4.saturating_sub(length), 32 - v4) } else { (v6.saturating_sub(length), 128 - v6) };
        let count = 1_usize.checked_shl(missing).filter(|count| values.len() + count <= MAX_NETWORKS)?;
        // Of an address in the network, as people write it, only the network counts.
        values.extend((0_u128..).take(count).map(|step| match address {
            #[allow(clippy::cast_possible_truncation, reason = "less than 2^24 steps of an IPv4 address")]
            IpAddr::V4(any) => {
                let first = any.to_bits() & !u32::MAX.checked_shr(length).unwrap_or(0);
                upper(Ipv4Addr::from_bits(first | (step << bits) as u32).into(), depth)
            }
            IpAddr::V6(any) => {
                let first = any.to_bits() & !u128::MAX.checked_shr(length).unwrap_or(0);
                upper(Ipv6Addr::from_bits(first | step << bits).into(), depth)
            }
        }));
    }
    values.sort_unstable();
    values.dedup();
    (!values.is_empty()).then_some(values)
}

/// FNV-1a: an administrator writes prefixes, not an attacker.
fn prefix_value(prefix: &[u8]) -> u32 {
    prefix.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

const _: () = assert!(Under::ALL.len() <= 32);
