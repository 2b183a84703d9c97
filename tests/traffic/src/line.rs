//! A packet as the kernel logs it.

use firebell_engine::packet::Packet;
use std::{fmt::Write as _, net::IpAddr};

/// The record that `/dev/kmsg` gives for a packet: priority, number, microseconds, and the text of a `LOG` rule.
///
/// Only what [`crate`] makes is written: no fragments, no options, no quoted packet.
///
/// Source of the order: Linux `net/netfilter/nf_log_syslog.c`.
#[must_use]
pub fn kmsg(number: u64, micros: u64, packet: &Packet<'_>) -> String {
    format!("4,{number},{micros},-;{}", line(packet))
}

/// The text of a `LOG` rule alone, as the kernel prints it, with the space at its end.
#[must_use]
pub fn line(packet: &Packet<'_>) -> String {
    let mut out = String::with_capacity(256);
    // Writing into a string does not fail.
    let _ = write_line(&mut out, packet);
    out
}

fn write_line(out: &mut String, packet: &Packet<'_>) -> std::fmt::Result {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let header = &packet.header;
    write!(out, "{} IN={} OUT={} ", text(Some(packet.prefix)), text(packet.in_iface), text(packet.out_iface))?;
    if let Some(mac) = packet.link.mac {
        write!(out, "MAC={} ", text(Some(mac)))?;
    }
    let address = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|part| format!("{part:04x}")).join(":"),
    };
    write!(out, "SRC={} DST={} LEN={} ", address(header.src), address(header.dst), header.len.unwrap_or_default())?;
    if header.src.is_ipv4() {
        let (tos, prec) = (text(header.tos), text(header.prec));
        write!(out, "TOS={tos} PREC={prec} TTL={} ID={} ", header.ttl.unwrap_or_default(), header.id.unwrap_or_default())?;
        if header.ip_flags.df {
            out.push_str("DF ");
        }
    } else {
        let (hops, label) = (header.hop_limit.unwrap_or_default(), header.flow_label.unwrap_or_default());
        write!(out, "TC={} HOPLIMIT={hops} FLOWLBL={label} ", text(header.tc))?;
    }
    write!(out, "PROTO={} ", text(Some(header.proto.name)))?;
    if let (Some(sport), Some(dport)) = (header.sport, header.dport) {
        write!(out, "SPT={sport} DPT={dport} ")?;
    }
    if let Some(flags) = header.flags {
        write!(out, "WINDOW={} RES={} ", header.window.unwrap_or_default(), text(header.res))?;
        for name in flags.names() {
            write!(out, "{name} ")?;
        }
        write!(out, "URGP={} ", header.urgp.unwrap_or_default())?;
    } else if let Some(length) = header.l4_len {
        write!(out, "LEN={length} ")?;
    } else if let (Some(kind), Some(code)) = (header.icmp_type, header.icmp_code) {
        write!(out, "TYPE={kind} CODE={code} ")?;
        if let (Some(id), Some(seq)) = (header.icmp_id, header.icmp_seq) {
            write!(out, "ID={id} SEQ={seq} ")?;
        }
    }
    Ok(())
}
