//! What the administrator's lists change, and what they do not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use firebell_engine::{
    config::{Ignore, Level, Lists, Network, Scanner, SeverityRule},
    engine::{Config, Engine},
    finding::{Delivery, Finding, Kind, Phase, Source},
    origin::Origin,
    parse::parse,
    tick::Tick,
};
use proptest::prelude::*;

const US: [&str; 2] = ["198.51.100.10", "2001:db8:51::a"];
const THEM: [&str; 2] = ["203.0.113.9", "2001:db8:66::9"];

fn network(text: &str) -> Network {
    let (address, length) = text.split_once('/').unwrap();
    (address.parse().unwrap(), length.parse().unwrap())
}

/// Their networks, for both families.
fn theirs() -> Vec<Network> {
    vec![network("203.0.113.0/24"), network("2001:db8:66::/48")]
}

fn engine(lists: Lists) -> Engine {
    Engine::new(Config { lists, ..Config::default() }, [7; 16])
}

fn header(src: &str) -> String {
    let (dst, rest) = if src.contains(':') { (US[1], "TC=0 HOPLIMIT=50 FLOWLBL=0") } else { (US[0], "TOS=0x00 PREC=0x00 TTL=50 ID=7") };
    format!("SRC={src} DST={dst} LEN=44 {rest} ")
}

fn syn(src: &str, dport: u16) -> String {
    format!("DROP IN=eth0 OUT= {}PROTO=TCP SPT=40000 DPT={dport} WINDOW=1024 RES=0x00 SYN URGP=0 ", header(src))
}

fn udp(src: &str, dport: u16) -> String {
    format!("DROP IN=eth0 OUT= {}PROTO=UDP SPT=40000 DPT={dport} LEN=24 ", header(src))
}

/// Shows the engine lines, a second apart, from second `from` on.
fn show(engine: &mut Engine, from: u64, lines: impl IntoIterator<Item = String>) -> Vec<Finding> {
    for (n, line) in (from..).zip(lines) {
        let tick = Tick::from_secs(1_795_331_400 + n);
        engine.observe(&parse(line.as_bytes()).unwrap(), Origin::Kernel, tick);
        engine.check_invariants().unwrap();
    }
    std::iter::from_fn(|| engine.next_finding()).collect()
}

fn scan(lists: Lists, src: &str) -> Vec<Finding> {
    show(&mut engine(lists), 0, (1..=20).map(|port| syn(src, port)))
}

#[test]
fn a_trusted_source_is_neither_told_nor_remembered_whatever_it_sends() {
    for source in THEM {
        let mut engine = engine(Lists { trusted: theirs(), ..Lists::default() });
        let flags = ["SYN ", "FIN ", "", "ACK SYN ", "RST ", "ACK ", "ACK FIN ", "SYN FIN "];
        let mut lines: Vec<String> = (1..=100).flat_map(|port| [syn(source, port), udp(source, port)]).collect();
        lines.extend(flags.iter().flat_map(|flags| (1..=60).map(|port| syn(source, 2000 + port).replace("SYN ", flags))));
        lines.extend((0..3000).map(|n| syn(source, 443).replace("SPT=40000", &format!("SPT={}", 1024 + n))));
        let (count, family) = (lines.len(), usize::from(source.contains(':')));
        assert_eq!(show(&mut engine, 0, lines), []);
        assert_eq!((engine.sources(), engine.status().trusted), (vec![], count as u64));
        // Whoever is not trusted is told as always.
        let stranger = ["192.0.2.1", "2001:db8:77::1"][family];
        assert!(!show(&mut engine, 5000, (1..=20).map(|port| syn(stranger, port))).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// There is one place where a packet may go on; were there a second way past it, some order of packets would find it.
    #[test]
    fn no_finding_ever_names_a_trusted_source(
        packets in prop::collection::vec((0_usize..2, 0_u8..6, 1_u16..40, 0_usize..8, any::<bool>()), 0..400)
    ) {
        let mut engine = engine(Lists { trusted: theirs(), ..Lists::default() });
        let flags = ["SYN ", "FIN ", "", "ACK SYN ", "RST ", "ACK ", "ACK FIN ", "SYN FIN "];
        let lines = packets.iter().map(|(family, host, port, shape, is_udp)| {
            let source = if *family == 0 {
                format!("{}{host}", if *host < 4 { "203.0.113." } else { "192.0.2." })
            } else {
                format!("{}{host}::1", if *host < 4 { "2001:db8:66:" } else { "2001:db8:77:" })
            };
            if *is_udp { udp(&source, *port) } else { syn(&source, *port).replace("SYN ", flags[*shape]) }
        });
        let trusted = |address: std::net::IpAddr| address.to_string().starts_with("203.0.113.") || address.to_string().starts_with("2001:db8:66:");
        for finding in show(&mut engine, 0, lines) {
            let one = match finding.source { Source::Address(address) | Source::Network(address, _) => Some(address), _ => None };
            prop_assert!(!finding.sources.iter().copied().chain(one).any(trusted), "{finding:?}");
        }
        prop_assert!(engine.sources().iter().all(|report| !trusted(report.source)));
    }
}

#[test]
fn trusting_the_own_network_does_not_hide_that_this_machine_scans() {
    let mut engine = engine(Lists { trusted: vec![network("198.51.100.0/24")], ..Lists::default() });
    let out = |n| {
        format!(
            "REJECT IN= OUT=eth0 SRC={} DST=192.0.2.{n} LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=TCP SPT=40000 DPT=445 WINDOW=64240 RES=0x00 SYN URGP=0 ",
            US[0]
        )
    };
    let said = show(&mut engine, 0, (1..40).map(out));
    assert_eq!(said.first().map(|finding| (finding.kind, finding.severity)), Some((Kind::EgressScan, 5)));
}

#[test]
fn an_ignore_rule_holds_where_all_of_it_fits_and_nowhere_else() {
    let ports = |first, last| vec![first..=last];
    let rule = Ignore {
        source: Some(network("203.0.113.0/24")),
        protocol: Some(6),
        ports: ports(1, 20),
        interface: Some("eth+".into()),
        prefix: Some("DROP".into()),
    };
    let lists = |rule: &Ignore| Lists { ignored: vec![rule.clone()], ..Lists::default() };
    let mut silent = engine(lists(&rule));
    assert_eq!(show(&mut silent, 0, (1..=20).map(|port| syn(THEM[0], port))), []);
    assert_eq!((silent.status().ignored, silent.sources()), (20, vec![]));
    let misses = [
        Ignore { source: Some(network("203.0.114.0/24")), ..rule.clone() },
        Ignore { source: Some(network("2001:db8::/32")), ..rule.clone() },
        Ignore { protocol: Some(17), ..rule.clone() },
        Ignore { ports: ports(21, 65535), ..rule.clone() },
        Ignore { interface: Some("eth1".into()), ..rule.clone() },
        Ignore { interface: Some("eth".into()), ..rule.clone() },
        Ignore { interface: Some("wl+".into()), ..rule.clone() },
        Ignore { prefix: Some("DRO".into()), ..rule.clone() },
    ];
    for miss in misses {
        assert!(!scan(lists(&miss), THEM[0]).is_empty(), "{miss:?}");
    }
    for one in [
        Ignore { source: rule.source, ..Ignore::default() },
        Ignore { protocol: rule.protocol, ..Ignore::default() },
        Ignore { ports: rule.ports.clone(), ..Ignore::default() },
        Ignore { interface: Some("eth0".into()), ..Ignore::default() },
        Ignore { prefix: rule.prefix, ..Ignore::default() },
    ] {
        assert_eq!(scan(lists(&one), THEM[0]), [], "{one:?}");
    }
}

fn severity(source: &str, level: Level) -> Lists {
    let networks = if source.contains(':') { network("2001:db8:66::/48") } else { network("203.0.113.0/24") };
    Lists { severities: vec![SeverityRule { source: networks, protocol: None, ports: vec![], level }], ..Lists::default() }
}

#[test]
fn a_source_with_a_minimum_is_told_at_its_first_packet_and_others_are_not() {
    for source in THEM {
        let mut engine = engine(severity(source, Level::Minimum(4)));
        let said = show(&mut engine, 0, [syn(source, 22)]);
        assert_eq!((said.len(), said[0].severity, said[0].delivery), (1, 4, Delivery::Popup));
        assert!(said[0].why.contains("at least severity 4"), "{}", said[0].why);
        assert_eq!(show(&mut engine, 1, [syn("192.0.2.1", 22)]), []);
        // What it does afterwards is the reason, and its severity still rises.
        let said = show(&mut engine, 2, (1..=1600).map(|port| syn(source, port)));
        let last = said.last().unwrap();
        assert_eq!(last.severity, 5);
        assert!(last.why.starts_with("fast scan (D2)"), "{}", last.why);
    }
}

#[test]
fn a_fixed_severity_holds_whatever_the_source_does() {
    for source in THEM {
        for fixed in 1..=5 {
            let said = scan(severity(source, Level::Fixed(fixed)), source);
            assert!(!said.is_empty() && said.iter().all(|finding| finding.severity == fixed), "{fixed}: {said:?}");
        }
        let mut ignored = engine(severity(source, Level::Fixed(0)));
        assert_eq!(show(&mut ignored, 0, (1..=20).map(|port| syn(source, port))), []);
        assert_eq!(ignored.status().ignored, 20);
    }
}

#[test]
fn a_severity_for_one_port_waits_for_that_port() {
    let mut lists = severity(THEM[0], Level::Minimum(5));
    lists.severities[0].ports = vec![22..=22];
    lists.severities[0].protocol = Some(6);
    let mut engine = engine(lists);
    assert_eq!(show(&mut engine, 0, [syn(THEM[0], 80), udp(THEM[0], 22)]), []);
    assert_eq!(show(&mut engine, 2, [syn(THEM[0], 22)])[0].severity, 5);
}

#[test]
fn neighbours_of_fixed_severity_keep_it_when_they_roll_up() {
    let mut engine = engine(severity(THEM[0], Level::Fixed(1)));
    let said = show(&mut engine, 0, (1..=5).flat_map(|host| (1..=20).map(move |port| syn(&format!("203.0.113.{host}"), port))));
    assert!(said.iter().any(|finding| matches!(finding.source, Source::Network(..))), "{said:?}");
    assert!(said.iter().all(|finding| finding.severity == 1), "{said:?}");
}

#[test]
fn what_nobody_vouches_for_does_not_pass_its_limit_by_way_of_a_list() {
    let config = Config { lists: severity(THEM[0], Level::Minimum(5)), unverified_max_severity: Some(2), ..Config::default() };
    let mut engine = Engine::new(config, [7; 16]);
    engine.observe(&parse(syn(THEM[0], 22).as_bytes()).unwrap(), Origin::Unverified, Tick::from_secs(1_795_331_400));
    assert_eq!(engine.next_finding().map(|finding| finding.severity), Some(2));
}

#[test]
fn a_bad_reputation_makes_what_was_done_one_step_worse_and_opens_nothing() {
    for source in THEM {
        let mut engine = engine(Lists { reputation: theirs(), ..Lists::default() });
        assert_eq!(show(&mut engine, 0, (1..=6).map(|port| syn(source, port))), []);
        let said = show(&mut engine, 6, [syn(source, 7)]);
        assert_eq!((said[0].severity, said[0].phase), (4, Phase::Opened));
        assert!(said[0].why.contains("reputed bad"), "{}", said[0].why);
    }
}

#[test]
fn an_ipv6_host_that_is_reputed_bad_stays_so_with_another_address() {
    let mut engine = engine(Lists { reputation: vec![network("2001:db8:66::bad/128")], ..Lists::default() });
    let said = show(&mut engine, 0, (1..=7).map(|port| syn(&format!("2001:db8:66::{port}"), port)));
    assert_eq!(said[0].severity, 4);
    let rule = SeverityRule { source: network("2001:db8:66::bad/128"), protocol: None, ports: vec![], level: Level::Minimum(5) };
    let mut waiting = self::engine(Lists { severities: vec![rule], ..Lists::default() });
    assert_eq!(show(&mut waiting, 0, [syn("2001:db8:66::1", 22)])[0].severity, 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Sources 0 to 9 of one network: some are bad, some scanners, some both, some have severities of their own.
    #[test]
    fn with_any_lists_more_evidence_never_lowers_a_severity(
        packets in prop::collection::vec((0_u8..10, 1_u16..60, 0_usize..4, 0_u64..4), 0..400),
        bad in prop::collection::vec(0_u8..10, 0..4),
        research in prop::collection::vec(0_u8..10, 0..10),
        own in prop::collection::vec((0_u8..10, 1_u8..=5, any::<bool>()), 0..4),
        is_one_network in any::<bool>(),
    ) {
        let address = |n: u8| if is_one_network { format!("203.0.113.{n}") } else { format!("203.0.{n}.9") };
        let host = |n: u8| network(&format!("{}/32", address(n)));
        let severities = own.iter().map(|(n, severity, is_fixed)| SeverityRule {
            source: host(*n),
            protocol: None,
            ports: vec![],
            level: if *is_fixed { Level::Fixed(*severity) } else { Level::Minimum(*severity) },
        });
        let lists = Lists {
            reputation: bad.iter().copied().map(host).collect(),
            scanners: scanner(research.iter().copied().map(host).collect()),
            severities: severities.collect(),
            ..Lists::default()
        };
        let mut engine = engine(lists);
        let (mut worst, mut second) = (std::collections::BTreeMap::new(), 0);
        for (n, port, shape, gap) in packets {
            second += gap * 5;
            let line = match shape {
                0 => udp(&address(n), port),
                1 => syn(&address(n), port).replace("SYN ", "FIN "),
                _ => syn(&address(n), port),
            };
            for finding in show(&mut engine, second, [line]) {
                let before = worst.insert(finding.id, finding.severity).unwrap_or(0);
                prop_assert!(finding.severity >= before, "{before}, then {finding:?}");
            }
        }
    }
}

fn scanner(networks: Vec<Network>) -> Vec<Scanner> {
    vec![Scanner { name: "Example Labs".into(), networks }]
}

#[test]
fn a_research_scanner_is_one_step_milder_named_and_never_hidden() {
    for source in THEM {
        let said = scan(Lists { scanners: scanner(theirs()), ..Lists::default() }, source);
        assert_eq!((said[0].severity, said[0].delivery), (2, Delivery::Digest));
        assert!(said[0].why.contains("Example Labs scans the whole Internet"), "{}", said[0].why);
    }
    let mut engine = engine(Lists { scanners: scanner(theirs()), ..Lists::default() });
    let said = show(&mut engine, 0, (1..=12).map(|n| syn(THEM[0], 22).replace("SPT=40000", &format!("SPT={}", 30_000 + n))));
    assert_eq!((said[0].kind, said[0].severity), (Kind::InsistentTries, 1));
}

#[test]
fn a_network_is_milder_only_while_all_of_it_are_research_scanners() {
    let lists = || Lists {
        scanners: scanner((1..=4).map(|host| (format!("203.0.113.{host}").parse().unwrap(), 32)).collect()),
        ..Lists::default()
    };
    let hosts =
        |hosts: std::ops::RangeInclusive<u8>| hosts.flat_map(|host| (1..=20).map(move |port| syn(&format!("203.0.113.{host}"), port)));
    let mut engine = engine(lists());
    let all = show(&mut engine, 0, hosts(1..=4));
    assert!(
        all.iter().any(|finding| matches!(finding.source, Source::Network(..))) && all.iter().all(|finding| finding.severity <= 2),
        "{all:?}"
    );
    let mixed = show(&mut engine, 100, hosts(5..=5));
    assert_eq!(mixed.last().map(|finding| finding.severity), Some(3), "{mixed:?}");
}

#[test]
fn new_lists_hold_for_incidents_that_are_open() {
    let mut engine = engine(Lists::default());
    assert_eq!(show(&mut engine, 0, (1..=20).map(|port| syn(THEM[0], port)))[0].severity, 3);
    show(&mut engine, 60, [syn("192.0.2.1", 22)]);
    engine.replace_lists(&theirs(), Vec::new());
    let said = show(&mut engine, 61, [syn("192.0.2.1", 23)]);
    assert_eq!(said.iter().map(|finding| (finding.severity, finding.phase)).collect::<Vec<_>>(), [(4, Phase::Escalated)]);
    engine.replace_lists(&[], scanner(theirs()));
    let said = show(&mut engine, 100, [syn(THEM[0], 21)]);
    assert_eq!(said.last().map(|finding| finding.severity), None, "what became milder is not told for that");
}
