//! Rules on single packets (D14): what fits, what that makes of an incident, and that it stays bounded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::{Config, Engine},
    finding::{Finding, Kind, Phase},
    origin::Origin,
    packet::{Packet, TcpFlags},
    parse::parse,
    signature::{
        Addresses, Category, Condition, Confidence, Count, Direction, Distinct, Field, Match, Numbers, Pattern, Per, Place, Range,
        Relation, Rule, RuleSet, Sids, Technique,
    },
    tick::Tick,
};
use firebell_traffic::{SECOND, START, syn, tcp, udp};
use proptest::prelude::*;
use std::{net::IpAddr, time::Duration};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn rule(id: &str, severity: u8, confidence: Confidence, protocols: &[u8], conditions: Vec<Condition>) -> Rule {
    Rule {
        id: id.to_owned(),
        title: format!("Title of {id}"),
        severity,
        confidence,
        category: Category::Probe,
        attack: vec![Technique::new("T1595.002").unwrap()],
        cve: Vec::new(),
        references: Vec::new(),
        why: format!("Why {id}."),
        matching: Match { protocols: protocols.to_vec(), conditions, ..Match::default() },
        count: None,
    }
}

fn is(field: Field, number: u32) -> Condition {
    Condition::Number(field, Numbers::new(vec![(number, number)], false).unwrap())
}

fn dport(port: u32) -> Condition {
    is(Field::Dport, port)
}

fn engine(rules: Vec<Rule>) -> Engine {
    engine_with(Config::default(), rules)
}

fn engine_with(config: Config, rules: Vec<Rule>) -> Engine {
    let mut engine = Engine::new(config, [7; 16]);
    engine.replace_rules(RuleSet::new(rules, Sids::default()));
    engine
}

fn at(seconds: u64) -> Tick {
    Tick::from_micros(START + seconds * SECOND)
}

fn findings(engine: &mut Engine) -> Vec<Finding> {
    engine.check_invariants().unwrap();
    std::iter::from_fn(|| engine.next_finding()).collect()
}

fn show(engine: &mut Engine, packet: &Packet<'_>, seconds: u64) -> Vec<Finding> {
    engine.observe(packet, Origin::Kernel, at(seconds));
    findings(engine)
}

const FAR: &str = "198.51.100.7";
const HERE: &str = "203.0.113.1";

fn probe(port: u16) -> Packet<'static> {
    syn(ip(FAR), 40_000, ip(HERE), port)
}

#[test]
fn a_sure_rule_opens_an_incident_with_one_packet() {
    let mut engine = engine(vec![rule("known", 4, Confidence::Sure, &[6], vec![dport(23)])]);
    assert!(show(&mut engine, &probe(22), 0).is_empty());
    let told = show(&mut engine, &probe(23), 1);
    let [opened] = &told[..] else { panic!("{told:?}") };
    assert_eq!((opened.phase, opened.kind, opened.severity), (Phase::Opened, Kind::Signature, 4));
    assert_eq!(opened.signatures.iter().map(|hit| (hit.id.as_str(), hit.count)).collect::<Vec<_>>(), [("known", 1)]);
    assert_eq!(opened.summary, "Title of known: 1 packet to 203.0.113.1 in a second; the firewall dropped the packets");
    assert!(opened.why.contains("Title of known (Why known)"), "{}", opened.why);
    assert_eq!(opened.attack, ["T1595.002"]);
    assert_eq!(opened.packets, 2);
}

#[test]
fn a_likely_rule_alone_stays_below_a_popup_and_counts_in_full_beside_a_scan() {
    let mut engine = engine(vec![rule("tool", 4, Confidence::Likely, &[6], vec![dport(23)])]);
    let told = show(&mut engine, &probe(23), 0);
    assert_eq!(told.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [2]);
    let mut severities = Vec::new();
    for port in 1..20 {
        severities.extend(show(&mut engine, &probe(port), 20 + u64::from(port)).iter().map(|finding| (finding.kind, finding.severity)));
    }
    assert_eq!(severities.last(), Some(&(Kind::SynScan, 4)), "{severities:?}");
}

#[test]
fn a_hint_and_a_rule_of_severity_1_explain_an_incident_and_open_none() {
    let rules = vec![rule("hint", 2, Confidence::Hint, &[6], vec![dport(5)]), rule("low", 1, Confidence::Sure, &[6], vec![dport(6)])];
    let mut engine = engine(rules);
    assert!(show(&mut engine, &probe(5), 0).is_empty());
    assert!(show(&mut engine, &probe(6), 1).is_empty());
    for port in 100..110 {
        show(&mut engine, &probe(port), 2);
    }
    for port in [5, 6] {
        show(&mut engine, &probe(port), 30);
    }
    engine.close_all();
    let last = findings(&mut engine).pop().unwrap();
    assert_eq!((last.kind, last.severity), (Kind::SynScan, 3));
    let ids: Vec<&str> = last.signatures.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!(ids, ["low", "hint"]);
}

#[test]
fn what_is_no_probe_opens_an_incident_too_and_every_packet_counts_once() {
    let redirect = "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=56 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE=5 CODE=1 GATEWAY=192.0.2.1 [SRC=203.0.113.1 DST=192.0.2.9 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=2 PROTO=TCP SPT=1 DPT=2 WINDOW=1 RES=0x00 SYN URGP=0 ] ";
    let packet = parse(redirect.as_bytes()).unwrap();
    let mut engine = engine(vec![rule("redirect", 3, Confidence::Sure, &[1], vec![is(Field::IcmpType, 5)])]);
    let told = show(&mut engine, &packet, 0);
    assert_eq!(told.iter().map(|finding| (finding.kind, finding.severity)).collect::<Vec<_>>(), [(Kind::Signature, 3)]);
    for n in 1..10 {
        show(&mut engine, &packet, n);
    }
    show(&mut engine, &probe(23), 11);
    engine.close_all();
    let last = findings(&mut engine).pop().unwrap();
    assert_eq!(last.signatures[0].count, 10);
    assert_eq!(last.packets, 10);
    assert_eq!(engine.rule_hits().map(|(rule, hits)| (rule.id.as_str(), hits.packets)).collect::<Vec<_>>(), [("redirect", 10)]);
}

#[test]
fn a_scan_names_an_incident_that_a_rule_opened() {
    let mut engine = engine(vec![rule("known", 5, Confidence::Sure, &[6], vec![dport(1)])]);
    let mut last = None;
    for port in 1..30 {
        last = show(&mut engine, &probe(port), u64::from(port)).pop().or(last);
    }
    engine.close_all();
    let last = findings(&mut engine).pop().or(last).unwrap();
    assert_eq!((last.kind, last.severity, last.id), (Kind::SynScan, 5, 1));
}

#[test]
fn an_unverified_line_is_held_back_whatever_rule_fits_it() {
    let config = Config { unverified_max_severity: Some(2), ..Config::default() };
    let mut engine = engine_with(config, vec![rule("known", 5, Confidence::Sure, &[6], vec![dport(23)])]);
    engine.observe(&probe(23), Origin::Unverified, at(0));
    assert_eq!(findings(&mut engine).iter().map(|finding| finding.severity).collect::<Vec<_>>(), [2]);
}

#[test]
fn trusted_and_ignored_packets_meet_no_rule() {
    let mut config = Config::default();
    config.lists.trusted = vec![(ip(FAR), 32)];
    let mut engine = engine_with(config, vec![rule("known", 5, Confidence::Sure, &[6], vec![dport(23)])]);
    assert!(show(&mut engine, &probe(23), 0).is_empty());
    assert_eq!(engine.rule_hits().map(|(_, hits)| hits.packets).collect::<Vec<_>>(), [0]);
}

#[test]
fn single_forged_packets_fold_into_one_incident() {
    let mut engine = engine(vec![rule("known", 5, Confidence::Sure, &[6], vec![dport(23)])]);
    let mut opened = 0;
    for n in 0..200_u32 {
        let source = IpAddr::from((0x0b00_0001_u32 + n * 0x1_0001).to_be_bytes());
        opened += show(&mut engine, &syn(source, 40_000, ip(HERE), 23), 0).iter().filter(|told| told.phase == Phase::Opened).count();
    }
    assert_eq!(opened, 9, "eight of their own, and one for all others");
}

#[test]
fn accepted_and_own_packets_need_a_rule_that_asks_for_them() {
    let accepted = "ACCEPT IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=60 TTL=50 ID=1 PROTO=TCP SPT=40000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0 ";
    let own = "DROP IN= OUT=eth0 SRC=192.168.1.2 DST=198.51.100.7 LEN=60 TTL=64 ID=1 PROTO=TCP SPT=40000 DPT=23 WINDOW=64240 RES=0x00 SYN URGP=0 ";
    let quiet = || rule("plain", 4, Confidence::Sure, &[6], vec![dport(23)]);
    let mut engine = engine(vec![quiet()]);
    for line in [accepted, own] {
        assert!(show(&mut engine, &parse(line.as_bytes()).unwrap(), 0).is_empty(), "{line}");
    }
    let mut asks = quiet();
    asks.matching.actions = firebell_engine::finding::Action::ALL.to_vec();
    asks.matching.directions = vec![Direction::In, Direction::Out];
    engine.replace_rules(RuleSet::new(vec![asks], Sids::default()));
    let told = show(&mut engine, &parse(accepted.as_bytes()).unwrap(), 1);
    assert_eq!(told.iter().map(|told| (told.kind, told.severity)).collect::<Vec<_>>(), [(Kind::Signature, 4)]);
    let told = show(&mut engine, &parse(own.as_bytes()).unwrap(), 2);
    assert_eq!(told.iter().map(|told| (told.source, told.severity)).collect::<Vec<_>>(), [(firebell_engine::finding::Source::Own, 4)]);
}

fn counting(distinct: Option<Distinct>, at_least: u16, within: u64, per: Per) -> Rule {
    let mut rule = rule("count", 3, Confidence::Sure, &[17], vec![dport(53)]);
    rule.count = Some(Count { distinct, at_least, within: Duration::from_secs(within), per });
    if distinct == Some(Distinct::Dport) {
        rule.matching.conditions = Vec::new();
    }
    rule
}

#[test]
fn a_counting_rule_waits_for_its_number_within_its_time() {
    let ask = |sport: u16| udp(ip(FAR), sport, ip(HERE), 53);
    let mut packets = engine(vec![counting(None, 3, 60, Per::Src)]);
    for second in [0, 50, 100, 150] {
        assert!(show(&mut packets, &ask(1), second).is_empty(), "{second}: two within a minute");
    }
    assert!(show(&mut packets, &ask(1), 160).is_empty());
    assert_eq!(show(&mut packets, &ask(1), 170).len(), 1);

    let mut ports = engine(vec![counting(Some(Distinct::Sport), 3, 60, Per::Src)]);
    for (n, sport) in [1, 2, 1, 2, 2].into_iter().enumerate() {
        assert!(show(&mut ports, &ask(sport), n as u64).is_empty(), "two source ports");
    }
    assert_eq!(show(&mut ports, &ask(3), 10).len(), 1);

    let mut late = engine(vec![counting(Some(Distinct::Sport), 3, 60, Per::Src)]);
    for (n, sport) in [1, 2].into_iter().enumerate() {
        show(&mut late, &ask(sport), n as u64);
    }
    assert!(show(&mut late, &ask(3), 62).is_empty(), "the first two are too old");
}

#[test]
fn a_counting_rule_counts_for_each_source_or_for_the_target() {
    let ask = |n: u8| udp(IpAddr::from([198, 51, 100, n]), 7, ip(HERE), 53);
    let mut each = engine(vec![counting(None, 3, 60, Per::Src)]);
    let mut target = engine(vec![counting(Some(Distinct::Src), 3, 60, Per::Dst)]);
    for n in 1..=2 {
        assert!(show(&mut each, &ask(n), 0).is_empty() && show(&mut target, &ask(n), 0).is_empty());
    }
    assert!(show(&mut each, &ask(3), 0).is_empty());
    assert_eq!(show(&mut target, &ask(3), 0).len(), 1);
}

#[test]
fn counters_stay_few_whoever_comes() {
    let mut engine = engine(vec![counting(None, 2, 3_600, Per::Src)]);
    for n in 0..40_000_u32 {
        engine.observe(&udp(IpAddr::from((0x0b00_0000 + n).to_be_bytes()), 7, ip(HERE), 53), Origin::Kernel, at(0));
        while engine.next_finding().is_some() {}
    }
    assert!(engine.status().signatures.counters_evicted > 30_000, "{:?}", engine.status().signatures);
}

#[test]
fn a_prefix_that_names_a_rule_is_a_hit_with_its_number_and_title() {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let sids = Sids { before: b"SID".to_vec(), severity: 3, titles: vec![(1234, "A shell in a request".to_owned())] };
    engine.replace_rules(RuleSet::new(Vec::new(), sids));
    let line = |prefix: &str| {
        format!(
            "{prefix} IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=60 TTL=50 ID=1 PROTO=TCP SPT=40000 DPT=80 WINDOW=1024 RES=0x00 ACK PSH URGP=0 "
        )
    };
    for other in ["DROP", "SID", "SIDE 7", "sid1234"] {
        assert!(show(&mut engine, &parse(line(other).as_bytes()).unwrap(), 0).is_empty(), "{other}");
    }
    let told = show(&mut engine, &parse(line("[7] REJ SID1234 ESTAB").as_bytes()).unwrap(), 1);
    let hit = &told[0].signatures[0];
    assert_eq!((told[0].severity, hit.id.as_str(), hit.title.as_str()), (3, "sid-1234", "A shell in a request"));
    assert_eq!(engine.status().signatures.prefix_packets, 1);
}

#[test]
fn new_rules_take_over_at_once_and_incidents_keep_the_hits_of_those_that_stay() {
    let (one, two) = (rule("one", 4, Confidence::Sure, &[6], vec![dport(1)]), rule("two", 4, Confidence::Sure, &[6], vec![dport(2)]));
    let mut engine = engine(vec![one.clone(), two.clone()]);
    for port in [1, 1, 2] {
        show(&mut engine, &probe(port), 0);
    }
    engine.replace_rules(RuleSet::new(vec![rule("new", 4, Confidence::Sure, &[6], vec![dport(3)]), two], Sids::default()));
    show(&mut engine, &probe(1), 1);
    show(&mut engine, &probe(2), 1);
    show(&mut engine, &probe(3), 1);
    engine.close_all();
    let last = findings(&mut engine).pop().unwrap();
    let mut hits: Vec<(&str, u64)> = last.signatures.iter().map(|hit| (hit.id.as_str(), hit.count)).collect();
    hits.sort_unstable();
    assert_eq!(hits, [("new", 1), ("two", 2)]);
    assert_eq!(engine.rule_hits().map(|(rule, hits)| (rule.id.as_str(), hits.packets)).collect::<Vec<_>>(), [("new", 1), ("two", 2)]);
}

#[test]
fn an_incident_remembers_the_best_eight_rules() {
    let mut rules: Vec<Rule> = (1..=20).map(|n| rule(&format!("hint-{n}"), 2, Confidence::Hint, &[6], vec![dport(n)])).collect();
    rules.push(rule("sure", 4, Confidence::Sure, &[6], vec![dport(30)]));
    let mut engine = engine(rules);
    for port in (100..110).chain(1..=20).chain([30]) {
        show(&mut engine, &probe(port), 0);
    }
    engine.close_all();
    let last = findings(&mut engine).pop().unwrap();
    assert_eq!((last.signatures.len(), last.signatures[0].id.as_str()), (8, "sure"));
}

/// The conditions of made-up rules: a bit of everything that the table can be entered under.
fn condition() -> impl Strategy<Value = Condition> {
    let number = |field: Field, top: u32| {
        (0..top, 0..3_u32, any::<bool>())
            .prop_map(move |(first, more, not)| Condition::Number(field, Numbers::new(vec![(first, first + more)], not).unwrap()))
    };
    prop_oneof![
        number(Field::Dport, 6),
        number(Field::Sport, 6),
        number(Field::Window, 4),
        number(Field::Id, 4),
        number(Field::Ttl, 300),
        (any::<u8>(), any::<u8>()).prop_map(|(set, clear)| Condition::Flags { set: set & 3, clear: clear & 0x3c }),
        (0..4_u8, prop::sample::select(vec![0_u8, 4, 8, 16, 20, 24, 32])).prop_map(|(n, length)| Condition::Source(Addresses {
            within: vec![Range::Network(([10, n, 0, 1].into(), length))],
            without: vec![]
        })),
        (0..4_u8)
            .prop_map(|n| Condition::Destination(Addresses { within: vec![Range::Network(([192, 0, n, 0].into(), 24))], without: vec![] })),
        prop::sample::select(vec!["A", "B"]).prop_map(|text| Condition::Text(Place::Prefix, Pattern::exactly(text.as_bytes()))),
        Just(Condition::Relation(Relation::SportIsDport)),
    ]
}

proptest! {
    /// Rules that share a value, a field, a protocol or nothing: what fits does not depend on the others.
    #[test]
    fn the_table_finds_what_each_rule_finds_alone(
        rules in prop::collection::vec((prop::collection::vec(condition(), 0..4), prop::sample::select(vec![vec![], vec![6], vec![17], vec![6, 17]])), 1..12),
        packets in prop::collection::vec((0..4_u8, 0..4_u8, 0..6_u16, 0..6_u16, 0..4_u16, any::<bool>(), prop::sample::select(vec![&b"A "[..], b"B", b"C"])), 1..12),
    ) {
        let rules: Vec<Rule> = rules.into_iter().enumerate().map(|(n, (conditions, protocols))| rule(&format!("r{n}"), 1, Confidence::Hint, &protocols, conditions)).collect();
        let mut all = engine(rules.clone());
        let mut alone: Vec<Engine> = rules.iter().map(|rule| engine(vec![rule.clone()])).collect();
        for (source, net, sport, dport, window, is_tcp, prefix) in packets {
            let (source, destination) = (IpAddr::from([10, source, 0, 1]), IpAddr::from([192, 0, net, 1]));
            let mut packet = if is_tcp { tcp(source, sport, destination, dport, TcpFlags::SYN) } else { udp(source, sport, destination, dport) };
            packet.prefix = prefix;
            packet.header.window = is_tcp.then_some(window.into());
            packet.header.id = Some(window);
            let fitting = alone.iter_mut().map(|engine| {
                let before = engine.status().signatures.packets;
                engine.observe(&packet, Origin::Kernel, at(0));
                engine.status().signatures.packets - before
            }).sum::<u64>();
            let before = all.status().signatures.packets;
            all.observe(&packet, Origin::Kernel, at(0));
            prop_assert_eq!(all.status().signatures.packets - before, fitting);
        }
    }
}
