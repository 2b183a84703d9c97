//! What the engine says of packets, from a first probe to the end of an incident.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::{Config, Engine},
    finding::{Attribution, Delivery, Finding, Kind, Phase, Source},
    origin::Origin,
    parse::parse,
    tick::Tick,
};
use proptest::prelude::*;

const ATTACKER: &str = "203.0.113.9";
const NEIGHBOUR: &str = "192.168.1.77";
const US: &str = "198.51.100.10";
/// 2026-11-22 07:10:00 UTC: any moment that is not the beginning of the line.
const START: u64 = 1_795_331_400;

/// An engine with a clock that the test turns.
struct Bench {
    engine: Engine,
    now: u64,
    said: Vec<Finding>,
    steps: usize,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self { engine: Engine::new(config, [7; 16]), now: START * 1_000_000, said: Vec::new(), steps: 0 }
    }

    fn wait(&mut self, millis: u64) -> &mut Self {
        self.now += millis * 1000;
        self.engine.advance(Tick::from_micros(self.now));
        self.collect();
        self
    }

    fn see_from(&mut self, origin: Origin, line: &str) -> &mut Self {
        let packet = parse(line.as_bytes()).unwrap();
        self.engine.observe(&packet, origin, Tick::from_micros(self.now));
        self.collect();
        self
    }

    fn see(&mut self, line: &str) -> &mut Self {
        self.see_from(Origin::Kernel, line)
    }

    fn collect(&mut self) {
        while let Some(finding) = self.engine.next_finding() {
            self.said.push(finding);
        }
        // The check looks at every source, so it is made after every step while there are few, and less often when there are many.
        let status = self.engine.status();
        let sources = status.far.fresh + status.far.kept + status.near.fresh + status.near.kept;
        self.steps += 1;
        if self.steps.is_multiple_of(1 + sources / 64) {
            self.engine.check_invariants().unwrap();
        }
    }

    fn phases(&self) -> Vec<Phase> {
        self.said.iter().map(|finding| finding.phase).collect()
    }

    fn last(&self) -> &Finding {
        self.said.last().unwrap()
    }
}

/// Every source draws IDs of its own, as real ones do.
fn tcp(src: &str, dst: &str, dport: u16, flags: &str) -> String {
    let bytes = src.bytes().chain(dport.to_be_bytes());
    let id = bytes.fold(7_u64, |id, byte| (id ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 48;
    format!(
        "DROP IN=eth0 OUT= SRC={src} DST={dst} LEN=44 TOS=0x00 PREC=0x00 TTL=50 ID={id} PROTO=TCP SPT=40000 DPT={dport} WINDOW=1024 RES=0x00 {flags}URGP=0 "
    )
}

fn syn(src: &str, dport: u16) -> String {
    tcp(src, US, dport, "SYN ")
}

fn udp(src: &str, dport: u16) -> String {
    format!("DROP IN=eth0 OUT= SRC={src} DST={US} LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=UDP SPT=40000 DPT={dport} LEN=8 ")
}

#[test]
fn the_seventh_new_port_is_a_scan_and_the_sixth_is_not() {
    let mut bench = Bench::new();
    for port in 1..=6 {
        bench.see(&syn(ATTACKER, port)).wait(400);
    }
    assert_eq!(bench.said, []);
    bench.see(&syn(ATTACKER, 7));
    let scan = bench.last();
    assert_eq!((scan.kind, scan.severity, scan.delivery, scan.phase), (Kind::SynScan, 3, Delivery::Popup, Phase::Opened));
    assert_eq!((scan.packet_at_open, scan.contacts_at_open, scan.contacts, scan.ports.as_str()), (7, 7, 7, "1-7"));
    assert_eq!(scan.source, Source::Address(ATTACKER.parse().unwrap()));
    assert_eq!(scan.attribution, Attribution::Plausible);
    assert!(scan.summary.starts_with("SYN scan of 7 TCP ports on 198.51.100.10"), "{}", scan.summary);
}

#[test]
fn a_connection_that_is_tried_again_and_again_is_no_scan() {
    let mut bench = Bench::new();
    for _ in 0..700 {
        bench.see(&syn(ATTACKER, 8443)).see(&syn(ATTACKER, 443)).wait(1000);
    }
    assert_eq!(bench.said, []);
}

#[test]
fn a_service_that_is_asked_for_days_is_new_once_a_day() {
    let mut bench = Bench::new();
    for _ in 0..3 * 24 * 60 {
        bench.see(&syn(NEIGHBOUR, 8006)).see(&syn(NEIGHBOUR, 9000)).wait(60_000);
    }
    assert_eq!(bench.said, []);
}

#[test]
fn after_an_incident_a_source_is_remembered_as_well_as_before() {
    let mut bench = Bench::new();
    for port in 1..=40 {
        bench.see(&syn(ATTACKER, port));
    }
    bench.wait(7_200_000);
    assert_eq!(bench.phases(), [Phase::Opened, Phase::Updated, Phase::Closed]);
    for target in 10..14 {
        for port in [80, 443, 8080, 8443] {
            bench.see(&tcp(ATTACKER, &format!("198.51.100.{target}"), port, "SYN "));
        }
    }
    assert_eq!(bench.said.len(), 3, "four services of four addresses: {:?}", bench.last());
}

#[test]
fn the_ninth_new_udp_port_is_a_scan() {
    let mut bench = Bench::new();
    for port in 1..=8 {
        bench.see(&udp(ATTACKER, port));
    }
    assert_eq!(bench.said, []);
    bench.see(&udp(ATTACKER, 9));
    assert_eq!((bench.last().kind, bench.last().severity, bench.last().attribution), (Kind::UdpScan, 3, Attribution::Spoofable));
}

#[test]
fn one_illegal_packet_is_noted_and_the_second_is_a_popup_at_once() {
    let mut bench = Bench::new();
    bench.see(&tcp(ATTACKER, US, 22, "FIN "));
    assert_eq!((bench.last().severity, bench.last().delivery), (2, Delivery::Digest));
    bench.see(&tcp(ATTACKER, US, 22, "FIN "));
    assert_eq!(bench.said.len(), 1, "the same port again is no second contact");
    bench.see(&tcp(ATTACKER, US, 23, "FIN "));
    assert_eq!((bench.last().severity, bench.last().delivery, bench.last().phase), (3, Delivery::Popup, Phase::Escalated));
    assert_eq!(bench.last().kind, Kind::FinScan);
}

#[test]
fn one_port_in_five_minutes_is_a_slow_scan() {
    for (source, severity) in [(ATTACKER, 2), (NEIGHBOUR, 3)] {
        let mut bench = Bench::new();
        for port in 1..=11 {
            bench.see(&syn(source, port)).wait(300_000);
        }
        assert_eq!(bench.said, []);
        bench.see(&syn(source, 12));
        assert_eq!((bench.last().kind, bench.last().severity, bench.last().contacts), (Kind::SlowScan, severity, 12));
    }
}

#[test]
fn a_slow_scan_of_two_addresses_in_turn_is_found_and_a_client_of_many_is_not() {
    let ask = |source: &str, target: &str, port: u16| tcp(source, target, port, "SYN ");
    for (source, severity) in [(ATTACKER, 2), (NEIGHBOUR, 3)] {
        let mut bench = Bench::new();
        for port in 1..=12 {
            assert_eq!(bench.said, []);
            bench.see(&ask(source, US, port)).wait(150_000).see(&ask(source, "198.51.100.11", port)).wait(150_000);
        }
        assert_eq!((bench.said[0].kind, bench.said[0].severity), (Kind::SlowScan, severity));
    }
    let mut bench = Bench::new();
    for n in 1..=40 {
        bench.see(&ask(ATTACKER, &format!("198.51.100.{n}"), 1 + n % 13)).wait(1_200_000);
    }
    assert!(bench.said.iter().all(|finding| finding.kind != Kind::SlowScan));
}

#[test]
fn one_port_in_half_an_hour_is_still_found_and_one_in_three_hours_is_not() {
    let mut bench = Bench::new();
    for port in 1..=12 {
        bench.see(&syn(NEIGHBOUR, port)).wait(1_800_000);
    }
    assert_eq!((bench.said[0].kind, bench.said[0].severity), (Kind::SlowScan, 3));
    let mut bench = Bench::new();
    for port in 1..=100 {
        bench.see(&syn(NEIGHBOUR, port)).wait(10_800_000);
    }
    assert_eq!(bench.said, []);
}

#[test]
fn a_traceroute_to_us_is_no_scan_and_a_scan_of_its_ports_is_one() {
    let probes = |ttl: fn(u16) -> u16| {
        let mut bench = Bench::new();
        for n in 0..90 {
            let line = udp(NEIGHBOUR, 33_434 + n);
            bench.see(&line.replace("TTL=50", &format!("TTL={}", ttl(n)))).wait(20);
        }
        bench.said
    };
    assert_eq!(probes(|n| 1 + n / 3), []);
    assert_eq!(probes(|n| 37 + n % 22)[0].kind, Kind::UdpScan);
}

#[test]
fn a_sweep_is_named_at_the_seventh_address() {
    for (source, severity) in [(ATTACKER, 2), (NEIGHBOUR, 3)] {
        let mut bench = Bench::new();
        for n in 10..=16 {
            assert_eq!(bench.said, []);
            bench.see(&tcp(source, &format!("198.51.100.{n}"), 445, "SYN "));
        }
        assert_eq!((bench.last().kind, bench.last().severity), (Kind::PortSweep, severity));
    }
}

#[test]
fn what_else_a_sweeper_asks_hides_no_sweep_whenever_it_comes() {
    let sweep: Vec<(u8, u16)> = vec![(10, 445), (11, 445), (12, 445), (13, 445), (14, 445), (15, 22), (16, 80)];
    let more = vec![(17, 1001), (17, 1002), (17, 1003)];
    for asked in [[sweep.clone(), more.clone()].concat(), [more, sweep].concat()] {
        let mut bench = Bench::new();
        for (host, port) in asked {
            bench.see(&tcp(ATTACKER, &format!("198.51.100.{host}"), port, "SYN "));
        }
        assert_eq!((bench.said.len(), bench.last().severity), (1, 2));
    }
}

#[test]
fn a_sweep_from_the_internet_is_no_popup_however_many_addresses_are_logged() {
    let mut bench = Bench::new();
    for n in 0..=255 {
        bench.see(&tcp(ATTACKER, &format!("198.51.100.{n}"), 445, "SYN "));
    }
    bench.wait(60_000);
    assert!(bench.said.iter().all(|finding| (finding.kind, finding.severity) == (Kind::PortSweep, 2)), "{:?}", bench.said);
}

#[test]
fn what_a_container_may_not_ask_the_internet_is_no_worm() {
    let refused = |port: u16, severity: u8| {
        let mut bench = Bench::new();
        for n in 1..=40 {
            let line = tcp("172.17.0.2", &format!("203.0.{n}.9"), port, "SYN ");
            bench.see(&line.replace("IN=eth0 OUT=", "IN=docker0 OUT=eth0")).wait(500);
        }
        bench.wait(60_000);
        assert_eq!((bench.last().kind, bench.last().severity), (Kind::PortSweep, severity), "{port}");
    };
    refused(443, 2);
    refused(445, 3);
}

#[test]
fn answers_to_a_search_come_to_a_new_port_each_time_and_are_no_scan() {
    let answer = |sport: u16, port: u16| udp(NEIGHBOUR, port).replace("SPT=40000", &format!("SPT={sport}"));
    let mut bench = Bench::new();
    for n in 0..700 {
        bench.see(&answer(1900, 33_000 + n * 7)).see(&answer(161, 33_001 + n * 11)).wait(120_000);
    }
    assert_eq!(bench.said, []);
    for port in 2000..2015 {
        bench.see(&answer(1900, port)).wait(100);
    }
    assert_eq!((bench.last().kind, bench.last().severity), (Kind::UdpScan, 3), "a scan from that port is one");
}

#[test]
fn a_thousand_ports_are_told_at_most_three_times_after_the_first() {
    let mut bench = Bench::new();
    for port in 1..=1000 {
        bench.see(&syn(ATTACKER, port)).wait(5);
    }
    bench.wait(120_000);
    assert!(bench.said.len() <= 4, "{:?}", bench.phases());
    let last = bench.last();
    assert_eq!((last.contacts, last.severity, last.ports.as_str()), (1000, 4, "1-1000"));
    assert!(bench.said.iter().all(|finding| finding.id == 1));
}

#[test]
fn all_ports_are_told_at_most_five_times_after_the_first() {
    let mut bench = Bench::new();
    for port in 1..=65_535 {
        bench.now += 25_000;
        bench.engine.observe(&parse(syn(ATTACKER, port).as_bytes()).unwrap(), Origin::Kernel, Tick::from_micros(bench.now));
    }
    bench.collect();
    bench.wait(120_000);
    assert!(bench.said.len() <= 6, "{:?}", bench.phases());
    assert_eq!((bench.last().contacts, bench.last().severity, bench.last().ports.as_str()), (65_535, 5, "1-65535"));
}

#[test]
fn a_short_scan_is_told_its_last_state_once_it_is_quiet() {
    let mut bench = Bench::new();
    for port in 1..=20 {
        bench.see(&syn(ATTACKER, port)).wait(10);
    }
    assert_eq!((bench.phases(), bench.last().contacts), (vec![Phase::Opened], 7));
    bench.wait(40_000);
    assert_eq!((bench.phases(), bench.last().contacts), (vec![Phase::Opened, Phase::Updated], 20));
    assert_eq!(bench.engine.deadline(), Some(bench.last().last.after(std::time::Duration::from_secs(3600))));
}

/// Popups that change all day are popups nobody reads.
#[test]
fn a_slow_scan_changes_its_popup_a_few_times_and_not_with_every_port() {
    for minutes in [1, 5, 30] {
        let mut bench = Bench::new();
        for port in 1..=200 {
            bench.see(&tcp(NEIGHBOUR, US, port, "FIN ")).wait(minutes * 60_000);
        }
        let told = bench.said.iter().filter(|finding| matches!(finding.phase, Phase::Updated | Phase::Escalated)).count();
        assert!(told <= 6, "one port in {minutes} minutes: {told} updates");
        bench.wait(86_400_000);
        assert_eq!((bench.last().phase, bench.last().packets), (Phase::Closed, 200), "the last state is told");
    }
}

#[test]
fn an_incident_ends_after_an_hour_and_the_same_source_reopens_it() {
    let mut bench = Bench::new();
    let scan = |bench: &mut Bench| {
        for port in 1..=7 {
            bench.see(&syn(ATTACKER, port)).wait(10);
        }
    };
    scan(&mut bench);
    bench.wait(3_700_000);
    assert_eq!(bench.phases(), [Phase::Opened, Phase::Closed]);
    scan(&mut bench);
    assert_eq!((bench.last().phase, bench.last().id, bench.last().packets), (Phase::Reopened, 1, 14));
    bench.wait(100_000_000);
    assert_eq!(bench.last().phase, Phase::Closed);
    scan(&mut bench);
    assert_eq!((bench.last().phase, bench.last().id), (Phase::Opened, 2));
}

#[test]
fn many_incidents_in_a_minute_become_one() {
    let mut bench = Bench::new();
    for host in 1..=50 {
        for port in 1..=7 {
            bench.see(&syn(&format!("203.0.{host}.9"), port));
        }
    }
    bench.wait(60_000);
    let opened: Vec<_> = bench.said.iter().filter(|finding| finding.phase == Phase::Opened).collect();
    assert_eq!(opened.len(), 9, "{opened:#?}");
    let folded = bench.last();
    assert_eq!((folded.source, folded.sources.len(), folded.attribution), (Source::Set, 16, Attribution::Spoofable));
    assert!(folded.summary.starts_with("42 sources at once"), "{}", folded.summary);
}

#[test]
fn a_broad_scan_does_not_hide_behind_many_cheap_ones() {
    let mut bench = Bench::new();
    for host in 1..=20 {
        for port in 1..=7 {
            bench.see(&syn(&format!("203.0.{host}.9"), port));
        }
    }
    for port in 1..=200 {
        bench.see(&syn("192.0.2.200", port));
    }
    let own = bench.said.iter().find(|finding| finding.source == Source::Address("192.0.2.200".parse().unwrap()));
    assert_eq!(own.map(|finding| (finding.severity, finding.phase)), Some((4, Phase::Opened)));
}

#[test]
fn what_nobody_vouches_for_stays_apart_and_low() {
    let mut bench = Bench::with(Config { unverified_max_severity: Some(2), ..Config::default() });
    for port in 1..=4 {
        bench.see(&syn(ATTACKER, port)).see_from(Origin::Unverified, &syn(ATTACKER, port + 100));
    }
    assert_eq!(bench.said, [], "four and four are not eight");
    for port in 5..=1600 {
        bench.see_from(Origin::Unverified, &syn(ATTACKER, port + 100));
    }
    bench.wait(60_000);
    assert_eq!(
        (bench.last().severity, bench.last().origin, bench.last().attribution),
        (2, Origin::Unverified, Attribution::ForgedLinePossible)
    );
}

#[test]
fn an_ipv6_neighbour_is_known_by_lines_that_the_kernel_vouches_for_or_where_nobody_does() {
    let severity = |config: Config, origin| {
        let mut bench = Bench::with(config);
        for n in 10..=16 {
            let line = tcp("2001:0db8:0051:0000:0000:0000:0000:0042", &format!("2001:0db8:0051:0000:0000:0000:0000:00{n}"), 445, "SYN ");
            bench.see_from(origin, &line.replace("TOS=0x00 PREC=0x00 TTL=50 ID=", "TC=0 HOPLIMIT=50 FLOWLBL="));
        }
        bench.last().severity
    };
    let with_a_vouching_intake = || Config { unverified_max_severity: Some(5), ..Config::default() };
    assert_eq!(severity(Config::default(), Origin::Kernel), 3);
    assert_eq!(severity(Config::default(), Origin::Unverified), 3);
    assert_eq!(severity(with_a_vouching_intake(), Origin::Unverified), 2);
}

#[test]
fn an_ipv6_source_that_changes_its_address_with_every_packet_is_one_source() {
    let mut bench = Bench::new();
    for n in 1..=7 {
        let line = tcp(&format!("2001:0db8:0001:0002:0000:0000:0000:{n:04x}"), "2001:0db8:0051:0000:0000:0000:0000:000a", n, "SYN ");
        bench.see(&line.replace("TOS=0x00 PREC=0x00 TTL=50 ID=", "TC=0 HOPLIMIT=50 FLOWLBL="));
    }
    assert_eq!((bench.said.len(), bench.last().source), (1, Source::Address("2001:db8:1:2::1".parse().unwrap())));
}

#[test]
fn the_answers_of_a_flood_victim_are_no_scan() {
    let mut bench = Bench::new();
    for n in 0..2_000_u16 {
        let line = tcp(ATTACKER, US, 1024 + n * 31, if n % 2 == 0 { "ACK SYN " } else { "ACK RST " });
        bench.see(&line.replace("SPT=40000", "SPT=443"));
    }
    assert!(bench.said.iter().all(|finding| finding.severity == 1));
}

#[test]
fn accepted_and_outgoing_packets_are_no_evidence() {
    let mut bench = Bench::new();
    for port in 1..=500 {
        bench.see(&syn(ATTACKER, port).replace("DROP ", "[UFW ALLOW] "));
        bench.see(&tcp(US, ATTACKER, 443, "SYN ").replace("IN=eth0 OUT=", "IN= OUT=eth0"));
    }
    assert_eq!(bench.said, []);
}

#[test]
fn a_prefix_that_denies_is_not_read_as_one_that_allows() {
    let mut bench = Bench::new();
    for port in 1..=7 {
        bench.see(&syn(ATTACKER, port).replace("DROP ", "NOT ALLOWED "));
    }
    assert_eq!(bench.said.len(), 1);
}

/// A five hundredth of 20,000 spoofed packets a second over five seconds a probe: what counts is the ratio of the flood to the table.
#[test]
fn a_slow_scanner_is_found_under_a_spoofed_flood() {
    let seeds = if cfg!(debug_assertions) { 1 } else { 100 };
    let mut found = 0;
    for seed in 0..seeds {
        let mut engine = Engine::new(Config { max_sources: 131, ..Config::default() }, [seed; 16]);
        let mut random = u64::from(seed) + 1;
        let mut now = START * 1_000_000;
        for probe in 0..200_u16 {
            engine.observe(&parse(syn(ATTACKER, probe + 1).as_bytes()).unwrap(), Origin::Kernel, Tick::from_micros(now));
            for _ in 0..200 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                now += 25_000;
                let [a, b, c, d, ..] = random.to_be_bytes();
                let line = syn(&format!("{}.{b}.{c}.{d}", a % 200 + 11), 443);
                engine.observe(&parse(line.as_bytes()).unwrap(), Origin::Kernel, Tick::from_micros(now));
            }
        }
        engine.check_invariants().unwrap();
        let attacker = Source::Address(ATTACKER.parse().unwrap());
        found += u32::from(std::iter::from_fn(|| engine.next_finding()).any(|finding| finding.source == attacker && finding.severity >= 3));
    }
    assert!(found * 100 >= u32::from(seeds) * 99, "{found} of {seeds}");
}

#[test]
fn outside_traffic_does_not_push_a_neighbour_out() {
    let mut bench = Bench::with(Config { max_sources: 64, ..Config::default() });
    for port in 1..=7 {
        bench.see(&syn(NEIGHBOUR, port));
        for n in 0..200_u16 {
            let source = format!("203.0.{port}.{n}");
            bench.see(&syn(&source, 1)).see(&syn(&source, 2));
        }
    }
    assert!(bench.said.iter().any(|finding| finding.source == Source::Address(NEIGHBOUR.parse().unwrap())));
}

fn replay(name: &str) -> Vec<Finding> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/fingerprints").join(name);
    let mut bench = Bench::new();
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        let record = firebell_engine::record::Record::read(line.as_bytes());
        bench.now = record.stamp.map_or(bench.now, |stamp| u64::try_from(stamp.unix_micros(2026, 0)).unwrap_or(0)).max(bench.now);
        bench.see(std::str::from_utf8(record.text).unwrap());
    }
    bench.engine.close_all();
    bench.collect();
    bench.said
}

#[test]
fn tools_are_named_only_when_it_is_sure() {
    let cases = [
        ("nmap_sS.log", Some("nmap")),
        ("nmap_sA.log", Some("nmap")),
        ("nmap_sX.log", Some("nmap")),
        ("nmap_O.log", Some("nmap")),
        ("nmap_ping.log", Some("nmap")),
        ("nmap_sT.log", None),
        ("masscan.log", Some("masscan")),
        ("hping_scan.log", Some("hping3")),
    ];
    for (name, tool) in cases {
        let said = replay(name);
        assert_eq!(said.last().unwrap().tool.map(|tool| tool.name), tool, "{name}");
    }
}

#[test]
fn nmaps_os_detection_and_host_discovery_are_known() {
    let os = replay("nmap_O.log");
    assert_eq!((os.last().unwrap().kind, os.last().unwrap().severity), (Kind::OsDetection, 4));
    let ping = replay("nmap_ping.log");
    assert_eq!((ping.last().unwrap().kind, ping.last().unwrap().severity), (Kind::PingSweep, 2));
}

#[test]
fn a_host_discovery_needs_no_second_round() {
    let lines = [
        "LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=41698 PROTO=ICMP TYPE=8 CODE=0 ID=4050 SEQ=0 ",
        "LEN=44 TOS=0x00 PREC=0x00 TTL=44 ID=56098 PROTO=TCP SPT=53259 DPT=443 WINDOW=1024 RES=0x00 SYN URGP=0 ",
        "LEN=40 TOS=0x00 PREC=0x00 TTL=43 ID=19378 PROTO=TCP SPT=53259 DPT=80 WINDOW=1024 RES=0x00 ACK URGP=0 ",
        "LEN=40 TOS=0x00 PREC=0x00 TTL=45 ID=23660 PROTO=ICMP TYPE=13 CODE=0 ID=45969 SEQ=0 ",
    ];
    for first in 0..lines.len() {
        let mut bench = Bench::new();
        for n in 0..lines.len() {
            assert_eq!(bench.said, []);
            bench.see(&format!("DROP IN=eth0 OUT= SRC={ATTACKER} DST={US} {}", lines[(first + n) % lines.len()]));
        }
        assert_eq!((bench.last().kind, bench.last().severity), (Kind::PingSweep, 2));
    }
}

#[test]
fn three_icmp_requests_at_once_ask_whether_a_host_is_up() {
    for (source, severity) in [(ATTACKER, 2), (NEIGHBOUR, 3)] {
        let mut bench = Bench::new();
        for kind in [17, 8, 13] {
            assert_eq!(bench.said, []);
            let len = if kind == 8 { 28 } else { 40 };
            bench.see(&format!(
                "DROP IN=eth0 OUT= SRC={source} DST={US} LEN={len} TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE={kind} CODE=0 "
            ));
        }
        assert_eq!((bench.last().kind, bench.last().severity, bench.last().tool), (Kind::PingSweep, severity, None));
    }
}

#[test]
fn decoys_are_one_incident_with_a_list_of_sources() {
    let said = replay("nmap_D.log");
    assert!(said.iter().all(|finding| finding.id == 1));
    let last = said.last().unwrap();
    assert_eq!((last.kind, last.source, last.attribution, last.sources.len()), (Kind::DecoyScan, Source::Set, Attribution::DecoySet, 3));
}

#[test]
fn a_scan_that_looks_like_replies_is_found_at_the_fifteenth_port() {
    let probe = |port| tcp(ATTACKER, US, port, "ACK ").replace("SPT=40000", "SPT=443");
    let mut bench = Bench::new();
    for port in 2000..2014 {
        bench.see(&probe(port)).wait(100);
    }
    assert_eq!(bench.said, []);
    bench.see(&probe(2014));
    assert_eq!((bench.last().kind, bench.last().severity, bench.last().contacts), (Kind::AckScan, 3, 15));
}

#[test]
fn late_answers_of_a_resolver_come_in_a_burst_and_are_no_scan_and_empty_ones_are() {
    let answer = |port, bytes: u16| udp(ATTACKER, port).replace("SPT=40000", "SPT=53").replace("LEN=8 ", &format!("LEN={} ", 8 + bytes));
    let burst = |bytes| {
        let mut bench = Bench::new();
        for n in 0..30 {
            bench.see(&answer(33_000 + n * 331, bytes)).wait(100);
        }
        bench
    };
    assert_eq!(burst(45).said, []);
    assert_eq!(burst(12).said, [], "a DNS header alone, with an error code");
    assert_eq!(burst(0).last().kind, Kind::UdpScan);
    // What nobody asks of one resolver in a minute is a scan, whatever it looks like.
    let mut bench = burst(45);
    for n in 0..10 {
        bench.see(&answer(50_000 + n * 331, 45)).wait(100);
    }
    assert_eq!(bench.last().kind, Kind::UdpScan);
    assert!((38..=42).contains(&bench.last().contacts_at_open), "an estimate of 40");
}

#[test]
fn the_tails_of_closed_connections_are_no_scan() {
    let mut bench = Bench::new();
    for n in 0..600_u16 {
        let server = format!("203.0.113.{}", n % 200);
        bench.see(&tcp(&server, US, 33_000 + n * 7, "ACK FIN ").replace("SPT=40000", "SPT=443").replace(" PROTO=", " DF PROTO=")).wait(150);
    }
    assert_eq!(bench.said, []);
}

#[test]
fn a_flood_victim_is_named_as_the_victim_and_only_logged() {
    let mut bench = Bench::new();
    for n in 0..40_u16 {
        bench.see(&tcp(ATTACKER, US, 20_000 + n * 31, "ACK SYN ").replace("SPT=40000", "SPT=443")).wait(100);
    }
    let first = &bench.said[0];
    assert_eq!((first.kind, first.severity, first.delivery), (Kind::Backscatter, 1, Delivery::Log));
    assert!(first.summary.contains("victim"), "{}", first.summary);
}

#[test]
fn ten_attempts_at_one_service_are_insistent_and_retransmissions_are_not() {
    let attempt = |sport: u16| syn(ATTACKER, 22).replace("SPT=40000", &format!("SPT={sport}"));
    let mut bench = Bench::new();
    for _ in 0..70 {
        bench.see(&attempt(40_000)).wait(1000);
    }
    assert_eq!(bench.said, []);
    for n in 0..9 {
        bench.see(&attempt(41_000 + n)).wait(1000);
    }
    assert_eq!((bench.last().kind, bench.last().severity, bench.last().delivery), (Kind::InsistentTries, 2, Delivery::Digest));
}

#[test]
fn a_flood_is_one_incident_however_many_sources_it_has() {
    let mut bench = Bench::new();
    for n in 0..3_000_u32 {
        let [_, a, b, c] = (n * 7919 + 0x0b00_0000).to_be_bytes();
        bench.see(&syn(&format!("{}.{b}.{c}.9", a % 100 + 20), 443)).wait(1);
    }
    bench.wait(60_000);
    assert!(bench.said.iter().all(|finding| finding.kind == Kind::Flood && finding.severity == 4), "{:?}", bench.said[0]);
    assert!(bench.said.len() <= 3, "{:?}", bench.phases());
    assert_eq!((bench.last().source, bench.last().attribution), (Source::Set, Attribution::Spoofable));
}

#[test]
fn one_scan_shared_between_sources_is_one_incident() {
    let mut bench = Bench::new();
    for round in 0..10_u16 {
        for host in 0..8_u16 {
            bench.see(&syn(&format!("203.0.{host}.7"), 1000 + host * 50 + round)).wait(100);
        }
    }
    bench.wait(60_000);
    let open: std::collections::BTreeSet<u64> = bench
        .said
        .iter()
        .map(|finding| finding.id)
        .filter(|id| !bench.said.iter().any(|finding| finding.id == *id && finding.phase == Phase::Merged))
        .collect();
    assert_eq!(open.len(), 1, "{:?}", bench.said);
    assert_eq!((bench.last().kind, bench.last().source, bench.last().sources.len()), (Kind::DistributedScan, Source::Set, 8));
}

#[test]
fn three_neighbours_in_one_network_become_one_incident() {
    let mut bench = Bench::new();
    for host in 1..=5 {
        for port in 1..=7 {
            bench.see(&syn(&format!("203.0.113.{host}"), port)).wait(1000);
        }
    }
    bench.wait(60_000);
    let last = bench.last();
    assert_eq!((last.source, last.sources.len()), (Source::Network("203.0.113.0".parse().unwrap(), 24), 5));
    let merged: Vec<_> = bench.said.iter().filter(|finding| finding.phase == Phase::Merged).map(|finding| finding.merged_into).collect();
    assert_eq!(merged, [Some(last.id), Some(last.id)]);
}

#[test]
fn this_machine_scanning_others_is_the_worst() {
    let mut bench = Bench::new();
    for n in 1..=12 {
        let line = tcp(US, &format!("203.0.113.{n}"), 445, "SYN ").replace("IN=eth0 OUT=", "IN= OUT=eth0");
        bench.see(&format!("{line}UID=1000 GID=1000 ")).wait(1000);
    }
    assert_eq!(
        (bench.said[0].kind, bench.said[0].severity, bench.said[0].source, bench.said[0].uid),
        (Kind::EgressScan, 5, Source::Own, Some(1000))
    );
}

#[test]
fn a_log_rule_at_its_limit_is_told_once_a_day() {
    let mut bench = Bench::new();
    for n in 0..6_000_u32 {
        bench.see(&syn(&format!("203.{}.{}.9", n / 250 % 250, n % 250), 443).replace("DROP ", "[UFW BLOCK] ")).wait(20_000);
    }
    let told: Vec<_> = bench.said.iter().filter(|finding| finding.kind == Kind::Visibility).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].severity, told[0].source), (2, Source::Own));
}

#[test]
fn a_limit_that_is_used_up_is_told_whatever_the_packets_come_at_and_a_quiet_log_is_not() {
    // A packet every so many milliseconds on average, at random, and what a bucket of ten tokens, three a minute, lets through.
    let told = |mean: u64, is_limited: bool| {
        let mut bench = Bench::new();
        let (mut random, mut credit) = (firebell_traffic::Random(mean), 200_000);
        for n in 0..(24 * 3_600_000 / mean).min(5_000) {
            let wait = (0..2).map(|_| random.below(mean)).sum();
            bench.wait(wait);
            credit = (credit + wait).min(200_000);
            if credit >= 20_000 || !is_limited {
                credit -= if is_limited { 20_000 } else { 0 };
                bench.see(&syn(&format!("203.{}.{}.9", n / 250 % 250, n % 250), 443));
            }
        }
        bench.said.iter().any(|finding| finding.kind == Kind::Visibility)
    };
    assert!([100, 500, 1_000, 2_000].into_iter().all(|mean| told(mean, true)));
    assert!([1_000, 10_000, 20_000, 30_000, 60_000].into_iter().all(|mean| !told(mean, false)));
    assert!(!told(30_000, true), "two packets a minute leave some of the limit");
}

#[test]
fn lost_records_are_told() {
    let mut bench = Bench::new();
    bench.engine.note_loss(50, Tick::from_micros(bench.now));
    bench.collect();
    assert_eq!((bench.last().kind, bench.last().severity), (Kind::Visibility, 2));
    assert!(bench.last().summary.starts_with("50 log records"));
}

/// One step of a random history.
#[derive(Clone, Debug)]
struct Step {
    source: u8,
    far: bool,
    kind: u8,
    port: u16,
    target: u8,
    wait_ms: u64,
    verified: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (
        0..12_u8,
        any::<bool>(),
        0..7_u8,
        prop_oneof![0..20_u16, any::<u16>()],
        0..9_u8,
        prop_oneof![8 => 0..2_000_u64, 1 => 0..200_000_000_u64],
        any::<bool>(),
    )
        .prop_map(|(source, far, kind, port, target, wait_ms, verified)| Step { source, far, kind, port, target, wait_ms, verified })
}

fn line(step: &Step) -> String {
    let source = if step.far { format!("203.0.113.{}", step.source) } else { format!("10.0.0.{}", step.source) };
    let target = format!("198.51.100.{}", step.target);
    match step.kind {
        0 => tcp(&source, &target, step.port, "SYN "),
        1 => tcp(&source, &target, step.port, "FIN "),
        2 => tcp(&source, &target, step.port, "ACK "),
        3 => tcp(&source, &target, step.port, ""),
        4 => udp(&source, step.port),
        5 => format!(
            "DROP IN=eth0 OUT= SRC={source} DST={target} LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE=8 CODE=0 ID=1 SEQ=1 "
        ),
        _ => format!("DROP IN=eth0 OUT= SRC={source} DST={target} LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO={} ", step.port % 250 + 3),
    }
}

fn origin(step: &Step) -> Origin {
    if step.verified { Origin::Kernel } else { Origin::Unverified }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_invariants_hold_and_severity_never_falls(steps in proptest::collection::vec(step(), 0..600)) {
        let mut bench = Bench::with(Config { max_sources: 24, max_near_sources: 16, max_incidents: 5, ..Config::default() });
        let mut worst = std::collections::HashMap::new();
        let mut last_seq = 0;
        for step in &steps {
            bench.wait(step.wait_ms);
            bench.see_from(origin(step), &line(step));
        }
        bench.engine.close_all();
        bench.collect();
        for finding in &bench.said {
            prop_assert!(finding.seq == last_seq + 1);
            last_seq = finding.seq;
            let before = worst.insert(finding.id, finding.severity).unwrap_or(0);
            prop_assert!(finding.severity >= before);
            prop_assert!(finding.contacts >= 1 && finding.packets >= 1 && finding.first <= finding.last);
        }
        prop_assert_eq!(bench.engine.status().incidents.open, 0);
    }

    #[test]
    fn the_same_packets_give_the_same_findings(steps in proptest::collection::vec(step(), 0..300)) {
        let run = || {
            let mut bench = Bench::with(Config { max_sources: 24, ..Config::default() });
            for step in &steps {
                bench.wait(step.wait_ms).see_from(origin(step), &line(step));
            }
            bench.said
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn order_among_equal_stamps_changes_no_verdict(ports in proptest::collection::hash_set(1..200_u16, 1..40), seed: u64) {
        let verdict = |ports: &[u16]| {
            let mut bench = Bench::new();
            for port in ports {
                bench.see(&syn(ATTACKER, *port));
            }
            bench.wait(100_000);
            bench.said.last().map(|finding| (finding.kind, finding.severity, finding.contacts, finding.ports.clone()))
        };
        let forward: Vec<u16> = ports.into_iter().collect();
        let mut shuffled = forward.clone();
        shuffled.sort_by_key(|port| u64::from(*port).wrapping_mul(seed | 1));
        prop_assert_eq!(verdict(&forward), verdict(&shuffled));
    }
}
