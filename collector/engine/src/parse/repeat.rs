//! What a line has in common with the one before.
//!
//! The lines of one attack differ in an address and a few numbers; the rest of each is, byte for byte, what stood in the
//! one before. So the straight way remembers three parts of the last record that had them, with what they say: from the
//! start to the sender, from the destination to the time to live, and from the acknowledgement to the end of a TCP header.
//! A part that stands there again is compared instead of read. What it says depends on its own bytes alone, so a record
//! means the same whatever came before it.

use crate::{
    bytes::Bytes,
    cursor::Cursor,
    packet::{Header, Options, Packet, TcpFlags},
};
use std::{net::IpAddr, ops::Range};

/// Parts of the records before.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    pub(super) head: Head,
    pub(super) middle: Middle,
    pub(super) tail: Tail,
}

/// The start of the text up to and with ` SRC=`. All places are in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    bytes: Bytes<192>,
    /// Where the record starts.
    pub(super) anchor: usize,
    in_iface: Range<usize>,
    out_iface: Range<usize>,
    mac: Option<Range<usize>>,
}

const SRC: &[u8] = b" SRC=";

impl Head {
    /// Does `text` begin with it?
    #[inline(always)]
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        self.bytes.begin(text)
    }

    /// Reads it at the start of `text`, which begins with it, and leaves `rest` before the sender.
    #[inline(always)]
    pub(super) fn recall<'a>(&self, text: &'a [u8], rest: &mut Cursor<'a>, packet: &mut Packet<'a>) -> Option<()> {
        packet.in_iface = text.get(self.in_iface.clone());
        packet.out_iface = text.get(self.out_iface.clone());
        packet.link.mac = self.mac.clone().and_then(|mac| text.get(mac));
        rest.0 = text.get(self.bytes.len().checked_sub(SRC.len())?..)?;
        Some(())
    }

    /// Remembers what was read of `text` up to `rest`, unless that is more than the usual.
    pub(super) fn learn(&mut self, text: &[u8], rest: Cursor<'_>, packet: &Packet<'_>, anchor: usize) {
        let (Some(in_iface), Some(out_iface)) = (packet.in_iface, packet.out_iface) else { return };
        if packet.phys_in.is_some() || packet.link.mac_src.is_some() || !rest.has(0, SRC) {
            return;
        }
        let length = text.len() - rest.0.len();
        if !self.bytes.learn(text.get(..length + SRC.len()).unwrap_or_default()) {
            return;
        }
        self.anchor = anchor;
        let start = anchor + b"IN=".len();
        self.in_iface = start..start + in_iface.len();
        let start = self.in_iface.end + b" OUT=".len();
        self.out_iface = start..start + out_iface.len();
        let start = self.out_iface.end + b" MAC=".len();
        self.mac = packet.link.mac.map(|mac| start..start + mac.len());
    }
}

/// The part from ` DST=` up to and with ` TTL=` or ` HOPLIMIT=`.
#[derive(Clone, Debug, Default)]
pub(super) struct Middle {
    bytes: Bytes<96>,
    /// How much of it is read: the last name is not.
    length: usize,
    dst: Option<IpAddr>,
    len: Option<u32>,
    tos: Option<Range<usize>>,
    prec: Option<Range<usize>>,
    tc: Option<Range<usize>>,
}

impl Middle {
    /// Reads it at the start of `rest` and steps over it, if it is there and the sender is of its family.
    #[inline(always)]
    pub(super) fn recall<'a>(&self, rest: &mut Cursor<'a>, header: &mut Header<'a>) -> bool {
        let Some(dst) = self.dst.filter(|dst| dst.is_ipv4() == header.src.is_ipv4() && self.bytes.begin(rest.0)) else { return false };
        let part = |range: &Option<Range<usize>>| range.clone().and_then(|range| rest.0.get(range));
        (header.dst, header.len) = (dst, self.len);
        (header.tos, header.prec, header.tc) = (part(&self.tos), part(&self.prec), part(&self.tc));
        rest.skip(self.length);
        true
    }

    /// Remembers what was read between `start` and `rest`, unless something is missing there.
    pub(super) fn learn(&mut self, start: Cursor<'_>, rest: Cursor<'_>, header: &Header<'_>) {
        let (is_complete, name): (bool, &[u8]) = match header.src {
            IpAddr::V4(_) => (header.tos.is_some() && header.prec.is_some(), b" TTL="),
            IpAddr::V6(_) => (header.tc.is_some(), b" HOPLIMIT="),
        };
        let length = start.0.len() - rest.0.len();
        if !is_complete || header.len.is_none() || !rest.has(0, name) || !self.bytes.learn(start.ahead(length + name.len())) {
            return;
        }
        (self.length, self.dst, self.len) = (length, Some(header.dst), header.len);
        self.prec = header.prec.map(|prec| length - prec.len()..length);
        let end = length - header.prec.map_or(0, |prec| prec.len() + b" PREC=".len());
        self.tos = header.tos.map(|tos| end - tos.len()..end);
        self.tc = header.tc.map(|tc| end - tc.len()..end);
    }
}

/// All that is behind the sequence number of a TCP header, or behind its ports.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    bytes: Bytes<160>,
    ack: Option<u32>,
    window: Option<u32>,
    res: Option<Range<usize>>,
    flags: Option<TcpFlags>,
    urgp: Option<u32>,
    /// From there to the last space.
    tcp_opt: Option<usize>,
}

/// What is left of a record of which nothing is left to be read.
const END: &[u8] = b" ";

impl Tail {
    /// Reads it, if it is all that is left, and steps over it.
    #[inline(always)]
    pub(super) fn recall<'a>(&self, rest: &mut Cursor<'a>, header: &mut Header<'a>) -> bool {
        if !self.bytes.are(rest.0) {
            return false;
        }
        let end = rest.0.len() - END.len();
        (header.tcp_ack, header.window, header.flags, header.urgp) = (self.ack, self.window, self.flags, self.urgp);
        header.res = self.res.clone().and_then(|res| rest.0.get(res));
        header.tcp_opt = Options(self.tcp_opt.and_then(|start| rest.0.get(start..end)).unwrap_or_default());
        rest.skip(end);
        true
    }

    /// Remembers what was read between `start` and `rest`, if that is the end. `RES=` ended at `behind_res`.
    pub(super) fn learn(&mut self, start: Cursor<'_>, behind_res: Cursor<'_>, rest: Cursor<'_>, header: &Header<'_>) {
        if rest.0 != END || !self.bytes.learn(start.0) {
            return;
        }
        (self.ack, self.window, self.flags, self.urgp) = (header.tcp_ack, header.window, header.flags, header.urgp);
        let end = start.0.len() - behind_res.0.len();
        self.res = header.res.map(|res| end - res.len()..end);
        let end = start.0.len() - END.len();
        self.tcp_opt = Some(header.tcp_opt.0.len()).filter(|length| *length > 0).map(|length| end - length);
    }
}
