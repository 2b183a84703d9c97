//! Every shape of a netfilter record that has bitten somebody. Addresses are those of RFC 5737 and RFC 3849.

#![allow(clippy::expect_used, clippy::panic)]

use firebell_engine::{
    packet::{Header, Packet, TcpFlags},
    parse::{MAX_LINE, Malformed, MalformedKind, parse},
};
use proptest::prelude::*;

const SYN: &str = "DROP IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=203.0.113.9 DST=192.0.2.1 LEN=44 TOS=0x00 PREC=0x20 TTL=52 ID=54321 PROTO=TCP SPT=40000 DPT=22 SEQ=4294967295 ACK=7 WINDOW=1024 RES=0x00 SYN URGP=0 OPT (020405B4) ";

/// The text is leaked, so that a test may look at the packet after its line is gone.
fn read(text: impl Into<String>) -> Packet<'static> {
    let text = String::leak(text.into());
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?} in {text}"))
}

/// Reads a record that must be one to its last byte.
fn whole(text: impl Into<String>) -> Packet<'static> {
    let text = text.into();
    let packet = read(text.as_str());
    assert!(packet.is_whole, "not whole: {text}");
    packet
}

fn kind(text: &str) -> MalformedKind {
    parse(text.as_bytes()).expect_err(text).kind
}

fn names(header: &Header<'_>) -> Vec<&'static str> {
    header.flags.expect("flags").names().collect()
}

#[test]
fn every_field_of_a_kernel_line_is_read() {
    let packet = whole(SYN);
    assert_eq!(packet.prefix, b"DROP");
    assert_eq!((packet.in_iface, packet.out_iface), (Some(&b"eth0"[..]), Some(&b""[..])));
    assert_eq!(packet.link.mac, Some(&b"02:00:00:00:00:01:02:00:00:00:00:02:08:00"[..]));
    let header = packet.header;
    assert_eq!((header.src, header.dst), ("203.0.113.9".parse().unwrap(), "192.0.2.1".parse().unwrap()));
    assert_eq!((header.len, header.ttl, header.id), (Some(44), Some(52), Some(54321)));
    assert_eq!((header.tos, header.prec, header.res), (Some(&b"0x00"[..]), Some(&b"0x20"[..]), Some(&b"0x00"[..])));
    assert_eq!((header.proto.name, header.proto.number), (&b"TCP"[..], Some(6)));
    assert_eq!((header.sport, header.dport, header.window, header.urgp), (Some(40000), Some(22), Some(1024), Some(0)));
    assert_eq!(header.flags.unwrap().bits(), TcpFlags::SYN);
    assert_eq!(header.tcp_opt.groups().collect::<Vec<_>>(), [b"020405B4"]);
    assert!(packet.nested.is_none() && header.l4_len.is_none() && packet.mark.is_none());
}

#[test]
fn ack_is_a_number_before_the_flags_and_a_flag_among_them() {
    let header = whole(SYN.replace(" SYN ", " ACK PSH ")).header;
    assert_eq!((header.tcp_seq, header.tcp_ack), (Some(u32::MAX), Some(7)));
    assert_eq!(names(&header), ["ACK", "PSH"]);
    let header = whole(SYN.replace("SEQ=4294967295 ACK=7 ", "")).header;
    assert_eq!((header.tcp_ack, header.flags.unwrap().bits()), (None, TcpFlags::SYN));
}

#[test]
fn a_null_packet_has_flags_and_none_of_them_is_set() {
    assert_eq!(whole(SYN.replace(" SYN ", " ")).header.flags, Some(TcpFlags::default()));
    // The logger of Proxmox prints neither RES nor URGP.
    let proxmox = "REJECT: IN=vmbr0 SRC=203.0.113.9 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=TCP SPT=1 DPT=22 SEQ=5 ACK=0 WINDOW=1024 ";
    assert_eq!(whole(proxmox).header.flags, Some(TcpFlags::default()));
    // A line that was cut before the flags says nothing about them.
    assert_eq!(read(proxmox.trim_end()).header.flags, None);
    assert_eq!(read(SYN.split("RES").next().unwrap()).header.flags, Some(TcpFlags::default()), "ends like that logger's line");
    assert_eq!(read(SYN.split(" SYN").next().unwrap()).header.flags, None);
}

#[test]
fn all_nine_flags_come_in_the_order_printed() {
    let header = whole(SYN.replace(" SYN ", " AE CWR ECE URG ACK PSH RST SYN FIN ")).header;
    assert_eq!(names(&header), ["AE", "CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"]);
    assert_eq!((header.flags.unwrap().bits(), header.flags.unwrap().ae()), (255, true));
    assert_eq!(names(&whole(SYN.replace(" SYN ", " URG PSH FIN ")).header), ["URG", "PSH", "FIN"]);
    assert_eq!(names(&whole(SYN.replace(" SYN ", " FIN URG PSH ")).header), ["FIN", "URG", "PSH"]);
}

#[test]
fn len_and_id_mean_the_datagram_and_the_echo_behind_proto() {
    let udp =
        whole("IN=lo OUT= MAC= SRC=192.0.2.2 DST=192.0.2.1 LEN=189 TOS=0x00 PREC=0x00 TTL=64 ID=7 DF PROTO=UDP SPT=5353 DPT=62201 LEN=169");
    assert_eq!((udp.header.len, udp.header.l4_len, udp.header.id), (Some(189), Some(169), Some(7)));
    assert!(udp.header.ip_flags.df);
    assert_eq!((udp.prefix, udp.link.mac), (&b""[..], Some(&b""[..])));
    let echo = whole(
        "ICMP IN=eth0 OUT= SRC=192.0.2.2 DST=192.0.2.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=18443 PROTO=ICMP TYPE=8 CODE=2 ID=98765 SEQ=512",
    );
    assert_eq!((echo.header.id, echo.header.icmp_id, echo.header.icmp_seq), (Some(18443), Some(98765), Some(512)));
    assert_eq!((echo.header.icmp_type, echo.header.icmp_code, echo.header.tcp_seq), (Some(8), Some(2), None));
}

#[test]
fn what_an_icmp_error_quotes_is_kept_apart() {
    let outer = "IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=56 TOS=0x00 PREC=0xC0 TTL=64 ID=1 PROTO=ICMP TYPE=3 CODE=4 ";
    let text = format!(
        "{outer}[SRC=192.0.2.1 DST=198.51.100.7 LEN=1500 TOS=0x00 PREC=0x00 TTL=63 ID=2 DF PROTO=TCP SPT=34153 DPT=80 WINDOW=65535 RES=0x00 ACK URGP=0 ] MTU=1492 MARK=0x2a "
    );
    let packet = whole(text);
    assert_eq!((packet.header.src, packet.header.len, packet.header.dport), ("203.0.113.9".parse().unwrap(), Some(56), None));
    assert_eq!((packet.mtu, packet.mark), (Some(1492), Some(&b"0x2a"[..])));
    let quoted = packet.nested.unwrap();
    assert_eq!((quoted.src, quoted.len, quoted.dport), ("192.0.2.1".parse().unwrap(), Some(1500), Some(80)));
    assert_eq!((names(&quoted), quoted.ip_flags.df, packet.header.ip_flags.df), (vec!["ACK"], true, false));
}

#[test]
fn quoted_packets_come_incomplete_fragmented_truncated_and_behind_a_gateway() {
    let outer = "IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=56 TOS=0x00 PREC=0xC0 TTL=64 ID=1 PROTO=ICMP TYPE=5 CODE=1 ";
    let inner = "SRC=192.0.2.1 DST=198.51.100.7 LEN=60 TOS=0x00 PREC=0x00 TTL=42 ID=3 ";
    let text = format!("{outer}GATEWAY=192.0.2.254 [{inner}PROTO=TCP INCOMPLETE [8 bytes] ] ");
    let packet = whole(text);
    assert_eq!(packet.gateway, Some("192.0.2.254".parse().unwrap()));
    assert!(packet.nested.unwrap().is_incomplete && !packet.header.is_incomplete);
    assert_eq!(whole(format!("{outer}[{inner}FRAG:64 PROTO=UDP ] ")).nested.unwrap().frag, Some(64));
    assert_eq!(whole(format!("{outer}[{inner}PROTO=47 ] ")).nested.unwrap().proto.number, Some(47));
    assert_eq!(whole(format!("{outer}[TRUNCATED] ")).nested, None);
    // The quoted packet may be a redirect itself.
    assert_eq!(whole(format!("{outer}[{inner}PROTO=ICMP TYPE=5 CODE=0 GATEWAY=192.0.2.3 ] ")).gateway, None);
    assert_eq!(whole(format!("{outer}[{inner}PROTO=ICMP TYPE=12 CODE=0 PARAMETER=20 ] ")).nested.unwrap().icmp_type, Some(12));
}

#[test]
fn a_quote_that_is_cut_or_broken_leaves_the_packet_around_it() {
    let text = "IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=56 TOS=0x00 PREC=0xC0 TTL=64 ID=1 PROTO=ICMP TYPE=3 CODE=3 [SRC=192.0.2.1 DST=198.51.100.7 LEN=60 TOS=0x00 PREC=0x00 TTL=42 ID=3 PROTO=UDP SPT=53 DPT=5";
    let packet = read(text);
    assert!(!packet.is_whole);
    assert_eq!(packet.nested.unwrap().sport, Some(53));
    let broken = text.replace("198.51.100.7", "198.51.100.700");
    assert_eq!(read(&broken).nested, None);
    assert_eq!(read(&broken).header.icmp_type, Some(3));
    // Brackets belong to ICMP errors; behind TCP they are somebody's text.
    assert!(!read(format!("{SYN}[SRC=192.0.2.1 DST=192.0.2.2 ] ")).is_whole);
}

#[test]
fn fragments_and_incomplete_headers_are_told_apart() {
    let start = "DROP IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=28 TOS=0x00 PREC=0x00 TTL=56 ID=43002 ";
    let text = format!("{start}MF PROTO=TCP INCOMPLETE [8 bytes] ");
    let first = whole(text).header;
    assert!(first.is_incomplete && first.ip_flags.mf && first.frag.is_none() && first.flags.is_none());
    let text = format!("{start}CE DF MF FRAG:1 PROTO=TCP MARK=0x2a ");
    let second = whole(text);
    assert_eq!((second.header.frag, second.header.dport, second.mark), (Some(1), None, Some(&b"0x2a"[..])));
    assert!(second.header.ip_flags.ce && second.header.ip_flags.df && second.header.ip_flags.mf);
    assert!(whole(format!("{start}PROTO=ICMP TYPE=3 CODE=1 INCOMPLETE [8 bytes] ")).header.is_incomplete);
    assert!(whole(format!("{start}PROTO=UDPLITE INCOMPLETE [0 bytes] ")).header.is_incomplete);
    assert!(!read(format!("{start}PROTO=UDP INCOMPLETE [x bytes] ")).is_whole);
}

#[test]
fn options_stand_before_proto_for_ip_and_behind_urgp_for_tcp() {
    let ip = whole("IN= OUT=eth0 SRC=192.0.2.5 DST=224.0.0.22 LEN=40 TOS=0x00 PREC=0xC0 TTL=1 ID=0 DF OPT (94040000) PROTO=2");
    assert_eq!(ip.header.ip_opt.groups().collect::<Vec<_>>(), [b"94040000"]);
    assert_eq!((ip.header.tcp_opt.0, ip.header.proto.number), (&b""[..], Some(2)));
    let text = SYN.replace("OPT (020405B4)", "OPT (0101080A0588C9ECF077CEED)");
    let tcp = whole(text);
    assert_eq!(tcp.header.tcp_opt.groups().collect::<Vec<_>>(), [b"0101080A0588C9ECF077CEED"]);
    assert!(tcp.header.ip_opt.0.is_empty());
    assert!(whole(SYN.replace("020405B4", "TRUNCATED")).is_whole);
    // Brackets with anything else in them are not the kernel's.
    assert!(!read(SYN.replace("020405B4", "hello")).is_whole);
    assert!(!read(SYN.replace("020405B4", "IN= OUT=")).is_whole);
}

const V6: &str = "DROP IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:86:dd SRC=2001:0db8:0000:0000:0000:0000:0000:0042 DST=2001:0db8:0000:0000:0000:0000:0000:000a LEN=64 TC=3 HOPLIMIT=64 FLOWLBL=868225 ";

#[test]
fn ipv6_comes_full_and_compressed_and_in_two_orders() {
    let text = format!("{V6}PROTO=ICMPv6 TYPE=128 CODE=0 ID=3427 SEQ=1 ");
    let kernel = whole(&text).header;
    assert_eq!((kernel.src, kernel.dst), ("2001:db8::42".parse().unwrap(), "2001:db8::a".parse().unwrap()));
    assert_eq!((kernel.tc, kernel.hop_limit, kernel.flow_label), (Some(&b"3"[..]), Some(64), Some(868_225)));
    assert_eq!((kernel.proto.name, kernel.proto.number, kernel.icmp_id), (&b"ICMPv6"[..], Some(58), Some(3427)));
    let ulogd = whole("X: IN=eth0 OUT=eth1 MAC= SRC=2001:db8::a DST=::ffff:192.0.2.7 LEN=40 TC=0 FLOWLBL=634336 HOPLIMIT=64 PROTO=TCP SPT=59368 DPT=22 SEQ=3 ACK=0 WINDOW=64800 SYN ").header;
    assert_eq!((ulogd.hop_limit, ulogd.flow_label, ulogd.dport), (Some(64), Some(634_336), Some(22)));
    assert_eq!(kind(&text.replace(":000a LEN", " LEN")), MalformedKind::BadAddress);
    assert_eq!(kind(&text.replace("DST=2001:0db8:0000:0000:0000:0000:0000:000a", "DST=192.0.2.1")), MalformedKind::BadAddress);
}

#[test]
fn ipv6_extension_headers_are_groups_of_options() {
    let text = format!("{V6}OPT ( ) OPT ( ) OPT ( ) PROTO=TCP SPT=58537 DPT=1234 WINDOW=8192 RES=0x00 SYN URGP=0 ");
    let three = whole(text).header;
    assert_eq!(three.ip_opt.groups().collect::<Vec<_>>(), [b"", b"", b""]);
    let text = format!("{V6}OPT ( FRAG:1448 INCOMPLETE ID:0000beef ) PROTO=UDP ");
    let fragment = whole(text).header;
    assert_eq!((fragment.frag, fragment.ip_flags.mf, fragment.is_incomplete), (Some(1448), true, false));
    let text = format!("{V6}FRAG:0 INCOMPLETE ID:0000beef PROTO=UDP SPT=1 DPT=53 LEN=2000 ");
    let first = whole(text).header;
    assert_eq!((first.frag, first.ip_flags.mf, first.dport), (Some(0), true, Some(53)));
    let text = format!("{V6}OPT ( AH SPI=0x91ffc911 ) PROTO=TCP SPT=1 DPT=2 WINDOW=1 RES=0x00 SYN URGP=0 ");
    let authenticated = whole(text).header;
    assert_eq!((authenticated.spi, authenticated.dport), (Some(&b"0x91ffc911"[..]), Some(2)));
}

#[test]
fn ipv6_esp_ends_the_line_with_or_without_its_name() {
    let text = format!("{V6}OPT ( ESP SPI=0xda70e672 )");
    let named = whole(text).header;
    assert_eq!((named.proto.name, named.proto.number, named.spi), (&b"ESP"[..], Some(50), Some(&b"0xda70e672"[..])));
    let bare = whole(V6).header;
    assert_eq!((bare.proto.name, bare.proto.number), (&b""[..], None));
    // A line cut before that has no protocol.
    assert_eq!(kind(V6.split("FLOWLBL").next().unwrap()), MalformedKind::NoProtocol);
    assert_eq!(kind(&format!("{V6}PRO")), MalformedKind::NoProtocol);
    assert_eq!(kind(&format!("{V6}PROTO=")), MalformedKind::NoProtocol);
}

#[test]
fn later_fragments_of_ah_have_no_protocol() {
    let text = "IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=28 TOS=0x00 PREC=0x00 TTL=56 ID=43002 FRAG:2 MARK=0x1 ";
    assert_eq!(whole(text).header.frag, Some(2));
    assert_eq!(kind(&text.replace("FRAG:2 ", "")), MalformedKind::NoProtocol);
}

#[test]
fn protocols_come_by_name_and_by_number() {
    let start = "IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=120 TOS=0x00 PREC=0x00 TTL=55 ID=0 DF ";
    for (end, number) in [
        ("PROTO=ESP SPI=0xcb886522", 50),
        ("PROTO=AH SPI=0xac1010e7 ", 51),
        ("PROTO=UDPLITE SPT=1 DPT=2 LEN=1638 ", 136),
        ("PROTO=132 ", 132),
        ("PROTO=SCTP SPT=1 DPT=2 ", 132),
        ("PROTO=47 ", 47),
        ("PROTO=41", 41),
        ("PROTO=0 ", 0),
        ("PROTO=255 ", 255),
    ] {
        let text = format!("{start}{end}");
        assert_eq!(whole(text).header.proto.number, Some(number), "{end}");
    }
    assert_eq!(kind(&format!("{start}PROTO=256 ")), MalformedKind::BadValue);
    assert_eq!(kind(&format!("{start}PROTO=99999999999999999999 ")), MalformedKind::BadValue);
    let text = format!("{start}PROTO=QUX ");
    let unknown = read(text);
    assert_eq!((unknown.header.proto.name, unknown.header.proto.number, unknown.is_whole), (&b"QUX"[..], None, false));
}

#[test]
fn layer_2_comes_whole_or_decoded_or_odd() {
    let rest = "SRC=203.0.113.9 DST=192.0.2.1 LEN=52 TOS=0x00 PREC=0x00 TTL=53 ID=1 PROTO=132 ";
    let text = format!("t: IN=veth0 OUT= MACSRC=02:00:00:00:00:02 MACDST=02:00:00:00:00:01 VPROTO=8100 VID=10 MACPROTO=0800 {rest}");
    let link = whole(text).link;
    assert_eq!((link.mac, link.mac_src, link.mac_dst), (None, Some(&b"02:00:00:00:00:02"[..]), Some(&b"02:00:00:00:00:01"[..])));
    assert_eq!((link.mac_proto, link.vlan_proto, link.vlan_id), (Some(&b"0800"[..]), Some(&b"8100"[..]), Some(10)));
    for bytes in [0, 1, 10, 14, 16, 18, 19, 20] {
        let mac = vec!["5e"; bytes].join(":");
        let text = format!("IN=eth0 OUT= MAC={mac} {rest}");
        assert_eq!(whole(text).link.mac, Some(mac.as_bytes()));
    }
    assert!(whole(format!("IN=sit1 OUT= MAC=45:00 TUNNEL=192.0.2.1->192.0.2.2 {rest}")).is_whole);
    let text = format!("b IN=br0 PHYSIN=eth0 OUT=br1 PHYSOUT=eth1 {rest}");
    let bridge = whole(text);
    assert_eq!((bridge.phys_in, bridge.phys_out, bridge.out_iface), (Some(&b"eth0"[..]), Some(&b"eth1"[..]), Some(&b"br1"[..])));
    // Two spaces behind MAC= (ulogd2), and many at the end (UniFi).
    assert!(whole(format!("IN=eth2 OUT= MAC=02:00  {rest}            ")).is_whole);
}

#[test]
fn marks_and_users_end_the_line() {
    let rest = "SRC=203.0.113.9 DST=192.0.2.1 LEN=52 TOS=00 PREC=0x00 TTL=53 ID=1 PROTO=132 ";
    let text = format!("IN= OUT=eth0 {rest}UID=1000 GID=4294967295 MARK=0xff00 ");
    let packet = whole(text);
    assert_eq!((packet.uid, packet.gid, packet.mark), (Some(1000), Some(u32::MAX), Some(&b"0xff00"[..])));
    assert_eq!(packet.header.tos, Some(&b"00"[..]));
    for mark in ["0", "40000", "1a0000", "0xFFFFFFFF"] {
        let text = format!("IN= OUT=eth0 {rest}MARK={mark}");
        assert_eq!(whole(text).mark, Some(mark.as_bytes()));
    }
    // The last value decides whether the line ends there: a quote of somebody's text ends with a bracket or a quote.
    assert_eq!(kind(&format!("IN= OUT=eth0 {rest}MARK=0x1'")), MalformedKind::BadValue);
    assert_eq!(kind(&format!("IN= OUT=eth0 {rest}MARK=0x1[400000+1000]")), MalformedKind::BadValue);
}

#[test]
fn the_prefix_may_abut_and_may_look_like_a_record() {
    for prefix in [
        "",
        "[wan-lan-default-D]",
        "DROP(src wan)",
        "x nft",
        "Shorewall:net2fw:DROP:",
        "\"iptables-dropped:\"",
        "DESCR=\"no rule\" ",
        "a  ",
    ] {
        let text = format!("{prefix}{}", SYN.strip_prefix("DROP ").unwrap());
        assert_eq!(whole(text).prefix, prefix.strip_suffix(' ').unwrap_or(prefix).as_bytes());
    }
    for prefix in ["SRC=198.51.100.67 DST=198.51.100.9 x", "IN=ens3", "PLUGIN=a IN= OUT=", "IN=IN=IN=", "PHYSIN=eth7", "OUT=eth9 MAC="] {
        let text = format!("{prefix} {}", SYN.strip_prefix("DROP ").unwrap());
        let packet = whole(text);
        assert_eq!((packet.prefix, packet.in_iface), (prefix.as_bytes(), Some(&b"eth0"[..])), "{prefix}");
        assert_eq!(packet.header.src.to_string(), "203.0.113.9");
    }
}

#[test]
fn of_two_records_glued_together_the_whole_one_counts() {
    let cut = SYN.split("321 PROTO").next().unwrap();
    let text = format!("{cut}[547219.375140] [UFW BLOCK] {}", SYN.replace("DROP IN", "IN").replace("203.0.113.9", "203.0.113.10"));
    let packet = whole(text);
    assert_eq!(packet.header.src.to_string(), "203.0.113.10");
    assert!(packet.prefix.len() > 127);
    // Whole and cut: the whole one, and nobody vouches.
    let text = format!("{SYN}{cut}");
    let packet = read(text);
    assert_eq!((packet.prefix, packet.header.dport, packet.is_whole), (&b"DROP"[..], Some(22), false));
}

#[test]
fn trailing_text_means_that_nobody_vouches() {
    for end in [
        "x",
        "[1234]: segfault at 0 ip 0 sp 0 error 4 in a[400000+1000]",
        "SRC=192.0.2.9 ",
        "LEN=3 LEN=4 ",
        "SYN",
        "DF ",
        "URGn=0",
        "\u{1}",
        "(x)",
    ] {
        let text = format!("{SYN}{end}");
        let packet = read(text);
        assert!(!packet.is_whole, "{end}");
        assert_eq!(packet.header.src.to_string(), "203.0.113.9", "{end}");
        assert_eq!(packet.header.len, Some(44));
    }
}

#[test]
fn records_of_other_loggers_start_at_out() {
    let text = "REJECT: OUT=vmbr0 SRC=192.0.2.12 DST=192.0.2.10 LEN=60 TOS=0x10 PREC=0x00 TTL=64 ID=59156 DF PROTO=TCP SPT=49566 DPT=22 SEQ=7 ACK=0 WINDOW=64240 SYN ";
    let packet = whole(text);
    assert_eq!((packet.prefix, packet.in_iface, packet.out_iface), (&b"REJECT:"[..], None, Some(&b"vmbr0"[..])));
    assert_eq!((packet.header.flags.unwrap().bits(), packet.header.urgp), (TcpFlags::SYN, None));
    let short = whole("[UFW BLOCK] IN=eth0 SRC=203.0.113.9 DST=192.0.2.1 PROTO=TCP SPT=34560 DPT=80");
    assert_eq!((short.out_iface, short.header.dport, short.header.flags), (None, Some(80), None));
    let typo = whole("IN=wlan0 OUT=MAC=02:00 SRC=203.0.113.9 DST=192.0.2.1 PROTO=47");
    assert_eq!(typo.out_iface, Some(&b"MAC=02:00"[..]));
    let strange = read("IN=eth0 OUT= RULE=7 SRC=203.0.113.9 DST=192.0.2.1 PROTO=47");
    assert_eq!((strange.header.proto.number, strange.is_whole), (Some(47), false));
}

#[test]
fn arp_lines_have_their_own_addresses() {
    let body = "ARP HTYPE=1 PTYPE=0x0800 OPCODE=2 MACSRC=02:00:00:00:00:02 IPSRC=192.0.2.2 MACDST=02:00:00:00:00:01 IPDST=192.0.2.1";
    let text = format!("[arp]IN=eth1 OUT= {body}");
    let arp = whole(text);
    assert_eq!((arp.header.src.to_string(), arp.header.dst.to_string()), ("192.0.2.2".into(), "192.0.2.1".into()));
    assert_eq!((arp.header.proto.name, arp.header.proto.number, arp.header.arp_opcode), (&b"ARP"[..], None, Some(2)));
    assert_eq!(arp.link.mac_src, Some(&b"02:00:00:00:00:02"[..]));
    let text = format!("t: IN=v OUT= MACSRC=02:00:00:00:00:22 MACDST=02:00:00:00:00:11 VPROTO=8100 VID=10 MACPROTO=0806 {body}  ");
    assert_eq!(whole(text).link.mac_src, Some(&b"02:00:00:00:00:22"[..]), "the frame's own");
    assert_eq!(kind("IN=eth1 OUT= ARP HTYPE=6 PTYPE=0x0800 OPCODE=1"), MalformedKind::NoAddress);
}

#[test]
fn octets_above_255_and_words_are_no_addresses() {
    for bad in [
        "203.0.113.256",
        "999.0.113.9",
        "203.0.113",
        "203.0.113.9.1",
        "203.0.113.09",
        "x.x.x.x",
        "74.94.*.*",
        "203.0.113.9.DST=192.0.2.1",
        "",
        "1.2.3.4x",
    ] {
        assert_eq!(kind(&SYN.replace("203.0.113.9", bad)), MalformedKind::BadAddress, "{bad}");
    }
    let error = parse(SYN.replace("203.0.113.9", "203.0.113.256").as_bytes()).unwrap_err();
    assert_eq!(error, Malformed { kind: MalformedKind::BadAddress, offset: SYN.find("203").unwrap() });
}

#[test]
fn numbers_out_of_range_are_malformed() {
    for (good, bad) in [
        ("TTL=52", "TTL=256"),
        ("SPT=40000", "SPT=65536"),
        ("ID=54321", "ID=65536"),
        ("LEN=44", "LEN=4294967296"),
        ("ACK=7", "ACK=00000000000000000007"),
        ("DPT=22", "DPT=-1"),
        ("DPT=22", "DPT="),
        ("TOS=0x00", "TOS=0xzz"),
        ("TOS=0x00", "TOS="),
    ] {
        assert_eq!(kind(&SYN.replace(good, bad)), MalformedKind::BadValue, "{bad}");
    }
}

#[test]
fn a_line_cut_anywhere_gives_its_packet_or_says_what_is_missing() {
    let full = whole(SYN);
    let mut packets = 0;
    for end in 0..=SYN.len() {
        match parse(&SYN.as_bytes()[..end]) {
            Ok(packet) => {
                packets += 1;
                assert_eq!((packet.header.src, packet.header.dst, packet.header.len), (full.header.src, full.header.dst, full.header.len));
                assert!(end >= SYN.find("PROTO=").unwrap() + 7);
            }
            Err(error) => {
                assert!(error.offset <= end && end < SYN.find("PROTO=").unwrap() + 7);
                if end < SYN.find("MAC=").unwrap() {
                    assert!(matches!(error.kind, MalformedKind::NotNetfilter | MalformedKind::NoAddress), "{error:?} at {end}");
                } else if end > SYN.find("DST=").unwrap() + 13 {
                    assert_eq!(error.kind, MalformedKind::NoProtocol, "at {end}");
                }
            }
        }
    }
    assert!(packets > 80);
}

#[test]
fn other_log_lines_are_not_netfilter() {
    for text in [
        "",
        "=",
        "IN=",
        "usb 1-3: new high-speed USB device number 4 using xhci_hcd",
        "br0: topology change detected, propagating",
        "martian source 192.0.2.9 from 192.0.2.1, on dev eth1",
        "__ratelimit: 225 callbacks suppressed",
        "SRC= DST= IN= OUT= looks like a packet line but is none",
        "LOGIN=alice TTY=pts/0",
        "audit: type=1400 audit(1.2:3): apparmor=\"DENIED\" operation=\"open\" IN=x",
        "id=\"2001\" srcip=\"203.0.113.44\" dstip=\"192.0.2.9\" proto=\"6\"",
    ] {
        assert_eq!(kind(text), MalformedKind::NotNetfilter, "{text}");
    }
}

#[test]
fn a_record_that_is_neither_ip_nor_arp_is_counted_as_one_without_address() {
    assert_eq!(kind("IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:88:cc "), MalformedKind::NoAddress);
    assert_eq!(kind("IN=eth0 OUT= SRC=203.0.113.9"), MalformedKind::NoAddress);
}

#[test]
fn bytes_that_are_not_utf_8_pass_through_the_prefix() {
    let mut line = b"\xff\xfe\x00 IN=\xc3\x28 OUT= ".to_vec();
    line.extend_from_slice(&SYN.as_bytes()[SYN.find("MAC=").unwrap()..]);
    let packet = parse(&line).unwrap();
    assert_eq!((packet.prefix, packet.in_iface, packet.is_whole), (&b"\xff\xfe\x00"[..], Some(&b"\xc3\x28"[..]), true));
}

#[test]
fn longer_lines_than_any_logger_writes_are_refused() {
    let long = format!("{SYN}{}", " ".repeat(MAX_LINE));
    assert_eq!(kind(&long), MalformedKind::TooLong);
    assert_eq!(kind(&"x".repeat(10 * MAX_LINE)), MalformedKind::NotNetfilter);
}

/// Tokens that mean something, so that random lines go deep.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(SYN.split(' ').map(str::to_owned).collect::<Vec<_>>()),
        2 => prop::sample::select(
            ["IN=", "OUT=", "SRC=2001:db8::1", "DST=2001:0db8:0000:0000:0000:0000:0000:0001", "PROTO=ICMP", "PROTO=UDP", "TYPE=3", "CODE=4", "[SRC=192.0.2.1", "]",
             "MTU=1", "OPT ( )", "OPT ( ESP SPI=0x1 )", "OPT (", ")", "FRAG:9", "INCOMPLETE [8 bytes]", "ARP", "IPSRC=192.0.2.1", "IPDST=192.0.2.2", "PHYSIN=a",
             "TRUNCATED", "ID:0000beef", "HOPLIMIT=1", "FLOWLBL=0", "TC=0", "MARK=0x1", "UID=0", "AE"].map(str::to_owned).to_vec()),
        1 => "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Err(error) = parse(&bytes) {
            prop_assert!(error.offset <= bytes.len());
        }
    }

    #[test]
    fn any_tokens_give_a_packet_whose_parts_lie_in_the_line(tokens in prop::collection::vec(token(), 0..60), glue in prop::sample::select(vec![" ", "", "  "])) {
        let text = tokens.join(glue);
        let line = text.as_bytes();
        if let Ok(packet) = parse(line) {
            prop_assert!(line.starts_with(packet.prefix));
            let range = line.as_ptr_range();
            for part in [packet.in_iface, packet.mark, packet.header.tos, Some(packet.header.proto.name), Some(packet.header.ip_opt.0), Some(packet.header.tcp_opt.0)].into_iter().flatten() {
                prop_assert!(part.is_empty() || (range.contains(&part.as_ptr()) && part.as_ptr_range().end <= range.end));
            }
            // Spaces at the end change nothing.
            let padded = format!("{text}   ");
            let again = parse(padded.as_bytes()).expect("still a packet");
            prop_assert_eq!((again.header.src, again.header.proto, again.is_whole), (packet.header.src, packet.header.proto, packet.is_whole));
        }
    }
}
