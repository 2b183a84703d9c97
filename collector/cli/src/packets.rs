//! One packet as one line of JSON.

use crate::times;
use firebell_engine::{
    origin::Origin,
    packet::{Header, Options, Packet},
    tick::Tick,
};
use firebell_shared::text::{MAX_FIELD, safe};
use std::io::Write as _;

/// Writes an object of the fields that a line has, in the order in which the kernel prints them.
///
/// `into` takes the line with its newline. Bytes that are not fit to show are escaped as [`safe`] does.
pub(crate) fn write(into: &mut Vec<u8>, packet: &Packet<'_>, host: Option<&[u8]>, origin: Origin, tick: Option<Tick>) {
    let mut object = Object::open(into);
    object.bytes("in", packet.in_iface);
    object.bytes("out", packet.out_iface);
    object.bytes("physin", packet.phys_in);
    object.bytes("physout", packet.phys_out);
    let link = &packet.link;
    object.bytes("mac", link.mac);
    object.bytes("macsrc", link.mac_src);
    object.bytes("macdst", link.mac_dst);
    object.bytes("macproto", link.mac_proto);
    object.bytes("vproto", link.vlan_proto);
    object.number("vid", link.vlan_id);
    header(&mut object, &packet.header);
    object.number("mtu", packet.mtu);
    object.text("gateway", packet.gateway.map(|gateway| gateway.to_string()).as_deref());
    object.bytes("mark", packet.mark);
    object.number("uid", packet.uid);
    object.number("gid", packet.gid);
    if let Some(quoted) = &packet.nested {
        object.key("nested");
        let mut inner = Object::open(object.into);
        header(&mut inner, quoted);
        inner.close();
    }
    object.bytes("prefix", Some(packet.prefix));
    object.text("time", tick.map(times::rfc3339).as_deref());
    object.bytes("host", host);
    object.text("origin", Some(origin.as_str()));
    object.close();
    into.push(b'\n');
}

fn header(object: &mut Object<'_>, header: &Header<'_>) {
    let is_arp = header.proto.name == b"ARP";
    object.text(if is_arp { "ipsrc" } else { "src" }, Some(&header.src.to_string()));
    object.text(if is_arp { "ipdst" } else { "dst" }, Some(&header.dst.to_string()));
    object.number("len", header.len);
    object.bytes("tos", header.tos);
    object.bytes("tc", header.tc);
    object.bytes("prec", header.prec);
    object.number("ttl", header.ttl);
    object.number("hoplimit", header.hop_limit);
    object.number("id", header.id);
    object.number("flowlbl", header.flow_label);
    object.flag("df", header.ip_flags.df);
    object.flag("ce", header.ip_flags.ce);
    object.flag("mf", header.ip_flags.mf);
    object.number("frag", header.frag);
    object.options("ip_opt", header.ip_opt);
    object.bytes("proto", Some(header.proto.name).filter(|name| !name.is_empty()));
    object.number("opcode", header.arp_opcode);
    object.flag("incomplete", header.is_incomplete);
    object.number("spt", header.sport);
    object.number("dpt", header.dport);
    object.number("l4_len", header.l4_len);
    object.number("tcp_seq", header.tcp_seq);
    object.number("tcp_ack", header.tcp_ack);
    object.number("window", header.window);
    object.bytes("res", header.res);
    if let Some(flags) = header.flags {
        object.list("flags", flags.names().map(str::as_bytes));
    }
    object.number("urgp", header.urgp);
    object.options("tcp_opt", header.tcp_opt);
    object.number("type", header.icmp_type);
    object.number("code", header.icmp_code);
    object.number("icmp_id", header.icmp_id);
    object.number("icmp_seq", header.icmp_seq);
    object.bytes("spi", header.spi);
}

/// A JSON object that is being written. By hand: a packet has forty fields that may be absent, and there are many packets.
struct Object<'a> {
    into: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn open(into: &'a mut Vec<u8>) -> Self {
        into.push(b'{');
        Self { into, is_empty: true }
    }

    fn close(self) {
        self.into.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !self.is_empty {
            self.into.push(b',');
        }
        self.is_empty = false;
        self.into.push(b'"');
        self.into.extend_from_slice(key.as_bytes());
        self.into.extend_from_slice(b"\":");
    }

    fn number(&mut self, key: &str, value: Option<impl Into<u32>>) {
        if let Some(value) = value {
            self.key(key);
            // Writing into memory does not fail.
            let _ = write!(self.into, "{}", value.into());
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.key(key);
            self.into.extend_from_slice(b"true");
        }
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        self.bytes(key, value.map(str::as_bytes));
    }

    fn bytes(&mut self, key: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.key(key);
            self.string(value);
        }
    }

    fn options(&mut self, key: &str, options: Options<'_>) {
        if !options.0.is_empty() {
            self.list(key, options.groups());
        }
    }

    fn list<'b>(&mut self, key: &str, values: impl Iterator<Item = &'b [u8]>) {
        self.key(key);
        self.into.push(b'[');
        for (n, value) in values.enumerate() {
            if n > 0 {
                self.into.push(b',');
            }
            self.string(value);
        }
        self.into.push(b']');
    }

    fn string(&mut self, value: &[u8]) {
        let is_plain = value.len() <= MAX_FIELD && value.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte));
        if is_plain {
            self.into.push(b'"');
            self.into.extend_from_slice(value);
            self.into.push(b'"');
        } else {
            let text = serde_json::Value::from(safe(value, MAX_FIELD));
            let _ = write!(self.into, "{text}");
        }
    }
}
