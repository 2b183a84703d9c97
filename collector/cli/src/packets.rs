//! One packet as one line of JSON, or as one row of CSV.

use crate::times;
use firebell_engine::{
    origin::Origin,
    packet::{Header, Options, Packet},
    parse::parse,
    tick::Tick,
};
use firebell_shared::text::{MAX_FIELD, safe};
use std::io::{self, Write};

/// Takes the fields of a packet, one after the other, in the order in which the kernel prints them.
trait Fields {
    fn bytes(&mut self, key: &str, value: Option<&[u8]>);
    fn number(&mut self, key: &str, value: Option<impl Into<u32>>);
    /// Several values in one field.
    fn list<'b>(&mut self, key: &str, values: Option<impl Iterator<Item = &'b [u8]>>);
    fn flag(&mut self, key: &str, value: bool);

    fn text(&mut self, key: &str, value: Option<&str>) {
        self.bytes(key, value.map(str::as_bytes));
    }

    fn options(&mut self, key: &str, options: Options<'_>) {
        self.list(key, (!options.0.is_empty()).then(|| options.groups()));
    }
}

/// Writes an object of the fields that a line has, in the order in which the kernel prints them.
///
/// `into` takes the line with its newline. Bytes that are not fit to show are escaped as [`safe`] does.
pub(crate) fn write(into: &mut Vec<u8>, packet: &Packet<'_>, host: Option<&[u8]>, origin: Origin, tick: Option<Tick>) {
    let mut object = Object::open(into);
    before(&mut object, packet);
    if let Some(quoted) = &packet.nested {
        object.key("nested");
        let mut inner = Object::open(object.into);
        header(&mut inner, quoted);
        inner.close();
    }
    after(&mut object, packet, host, origin, tick);
    object.close();
    into.push(b'\n');
}

fn before(object: &mut impl Fields, packet: &Packet<'_>) {
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
    header(object, &packet.header);
    object.number("mtu", packet.mtu);
    object.text("gateway", packet.gateway.map(|gateway| gateway.to_string()).as_deref());
    object.bytes("mark", packet.mark);
    object.number("uid", packet.uid);
    object.number("gid", packet.gid);
}

fn after(object: &mut impl Fields, packet: &Packet<'_>, host: Option<&[u8]>, origin: Origin, tick: Option<Tick>) {
    object.bytes("prefix", Some(packet.prefix));
    object.text("time", tick.map(times::rfc3339).as_deref());
    object.bytes("host", host);
    object.text("origin", Some(origin.as_str()));
}

fn header(object: &mut impl Fields, header: &Header<'_>) {
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
    object.list("flags", header.flags.map(|flags| flags.names().map(str::as_bytes)));
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

impl Fields for Object<'_> {
    fn bytes(&mut self, key: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.key(key);
            self.string(value);
        }
    }

    fn number(&mut self, key: &str, value: Option<impl Into<u32>>) {
        if let Some(value) = value {
            self.key(key);
            // Writing into memory does not fail.
            let _ = write!(self.into, "{}", value.into());
        }
    }

    fn list<'b>(&mut self, key: &str, values: Option<impl Iterator<Item = &'b [u8]>>) {
        let Some(values) = values else { return };
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

    fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.key(key);
            self.into.extend_from_slice(b"true");
        }
    }
}

/// Packets as CSV (RFC 4180), a row each, with a first row of names. A packet that is quoted inside of another one is left out.
pub(crate) struct Table<W: Write>(csv::Writer<W>);

impl<W: Write> Table<W> {
    /// Writes the row of names.
    ///
    /// # Errors
    /// Nobody takes it.
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut names = Names(Vec::new());
        // Any will do: each has all the names.
        let any = parse(b"IN= OUT= SRC=0.0.0.0 DST=0.0.0.0 LEN=20 TOS=0x00 PREC=0x00 TTL=1 ID=1 PROTO=255");
        let any = any.map_err(|error| io::Error::other(format!("{:?}", error.kind)))?;
        before(&mut names, &any);
        after(&mut names, &any, None, Origin::Unverified, None);
        let mut out = csv::WriterBuilder::new().buffer_capacity(64 << 10).from_writer(out);
        out.write_record(&names.0)?;
        Ok(Self(out))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Nobody takes it.
    pub(crate) fn row(&mut self, packet: &Packet<'_>, host: Option<&[u8]>, origin: Origin, tick: Option<Tick>) -> io::Result<()> {
        let mut row = Row { out: &mut self.0, failure: None };
        before(&mut row, packet);
        after(&mut row, packet, host, origin, tick);
        if let Some(failure) = row.failure {
            return Err(failure.into());
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Nobody takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A cell that no spreadsheet takes for a formula (OWASP, CSV injection): others may have written what a log says.
pub(crate) fn cell(text: &[u8]) -> String {
    let text = safe(text, MAX_FIELD);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

struct Names(Vec<String>);

impl Fields for Names {
    fn bytes(&mut self, key: &str, _: Option<&[u8]>) {
        self.0.push(key.to_owned());
    }

    fn number(&mut self, key: &str, _: Option<impl Into<u32>>) {
        self.0.push(key.to_owned());
    }

    fn list<'b>(&mut self, key: &str, _: Option<impl Iterator<Item = &'b [u8]>>) {
        self.0.push(key.to_owned());
    }

    fn flag(&mut self, key: &str, _: bool) {
        self.0.push(key.to_owned());
    }
}

struct Row<'a, W: Write> {
    out: &'a mut csv::Writer<W>,
    failure: Option<csv::Error>,
}

impl<W: Write> Row<'_, W> {
    fn put(&mut self, text: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.out.write_field(text).err();
        }
    }
}

impl<W: Write> Fields for Row<'_, W> {
    fn bytes(&mut self, _: &str, value: Option<&[u8]>) {
        self.put(value.map(cell).unwrap_or_default().as_bytes());
    }

    fn number(&mut self, _: &str, value: Option<impl Into<u32>>) {
        self.put(value.map(|value| value.into().to_string()).unwrap_or_default().as_bytes());
    }

    fn list<'b>(&mut self, _: &str, values: Option<impl Iterator<Item = &'b [u8]>>) {
        let values: Vec<_> = values.into_iter().flatten().map(String::from_utf8_lossy).collect();
        self.put(cell(values.join(" ").as_bytes()).as_bytes());
    }

    fn flag(&mut self, _: &str, value: bool) {
        self.put(if value { b"true" } else { b"" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_name_and_no_formula() {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out).unwrap();
        for line in [
            &b"=cmd(),\"x\" IN=eth0 OUT= SRC=203.0.113.66 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=52 ID=8271 DF PROTO=TCP SPT=41126 DPT=22 WINDOW=1024 RES=0x00 ACK SYN URGP=0"[..],
            b"DROP IN=eth0 OUT= SRC=203.0.113.66 DST=192.0.2.1 LEN=28 TOS=0x00 PREC=0x00 TTL=52 ID=8271 PROTO=UDP SPT=41126 DPT=53 LEN=8",
        ] {
            table.row(&parse(line).unwrap(), Some(b"host"), Origin::Unverified, None).unwrap();
        }
        table.flush().unwrap();
        drop(table);
        let mut rows = csv::Reader::from_reader(&out[..]);
        let names = rows.headers().unwrap().clone();
        let cells =
            |row: &csv::StringRecord, name: &str| row.get(names.iter().position(|known| known == name).unwrap()).unwrap().to_owned();
        let rows: Vec<_> = rows.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(cells(&rows[0], "prefix"), "'=cmd(),\"x\"");
        let wanted = [("src", "203.0.113.66"), ("dpt", "22"), ("flags", "ACK SYN"), ("df", "true"), ("host", "host"), ("uid", "")];
        for (name, value) in wanted {
            assert_eq!(cells(&rows[0], name), value, "{name}");
        }
        assert_eq!((cells(&rows[1], "dpt"), cells(&rows[1], "flags"), cells(&rows[1], "df")), ("53".into(), String::new(), String::new()));
    }
}
