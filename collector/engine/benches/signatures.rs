//! What rules cost a packet, by how many there are: `cargo bench -p firebell-engine --bench signatures`.
//!
//! The packets are those of one scanner and of a resolver's late answers, which fit none of the rules but one in a hundred. The
//! rules are of every kind that the table knows: ports, windows, IP IDs, TCP options, ICMP types, networks, prefixes.
//! What is promised: 10,000 rules cost a packet no more than one and a half times of what 10 cost.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use divan::{Bencher, counter::ItemsCount};
use firebell_engine::{
    engine::{Config, Engine},
    origin::Origin,
    packet::Packet,
    parse::parse,
    signature::{Addresses, Category, Condition, Confidence, Field, Match, Numbers, Pattern, Place, Range, Rule, RuleSet, Sids},
    tick::Tick,
};

fn main() {
    divan::main();
}

const PACKETS: u32 = 10_000;

/// The rule of this number.
fn rule(n: u32) -> Rule {
    let number = |field, value| Condition::Number(field, Numbers::new(vec![(value, value)], false).unwrap());
    let ranged = |field, first, last| Condition::Number(field, Numbers::new(vec![(first, last)], false).unwrap());
    let [_, _, high, low] = n.to_be_bytes();
    let (protocol, conditions) = match n % 10 {
        0 => (6, vec![number(Field::Dport, 20_000 + n % 40_000)]),
        1 => (17, vec![number(Field::Dport, 20_000 + n % 40_000)]),
        2 => (6, vec![number(Field::Dport, 22), number(Field::Window, 1 + n % 60_000), Condition::Flags { set: 2, clear: 16 }]),
        3 => (6, vec![number(Field::Id, n % 65_536), number(Field::Window, 65_535)]),
        4 => (1, vec![number(Field::IcmpType, n % 256), number(Field::IcmpCode, n % 16)]),
        5 => (6, vec![Condition::Source(Addresses { within: vec![Range::Network(([11, high, low, 0].into(), 24))], without: vec![] })]),
        6 => (17, vec![Condition::Text(Place::Prefix, Pattern::exactly(format!("RULE {n}").as_bytes()))]),
        7 => (6, vec![number(Field::Len, 60 + n % 1_000), ranged(Field::Ttl, 1, 30), Condition::TcpOptions(vec![2, 8])]),
        8 => (17, vec![number(Field::Sport, 20_000 + n % 40_000), ranged(Field::Payload, 100, 2_000)]),
        _ => (6, vec![ranged(Field::Dport, 20_000 + n % 40_000, 20_005 + n % 40_000), Condition::Flags { set: 2, clear: 253 }]),
    };
    Rule {
        id: format!("rule-{n}"),
        title: "A rule".to_owned(),
        severity: 2,
        confidence: Confidence::Hint,
        category: Category::Probe,
        attack: Vec::new(),
        cve: Vec::new(),
        references: Vec::new(),
        why: "It is one.".to_owned(),
        matching: Match { protocols: vec![protocol], conditions, ..Match::default() },
        count: None,
    }
}

/// Lines of a scanner and of a resolver.
fn lines() -> Vec<String> {
    let line = |n: u32| {
        let head = "DROP IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:08:00 SRC=198.51.100.66 DST=203.0.113.1";
        match n % 4 {
            3 => format!("{head} LEN=120 TOS=0x00 PREC=0x00 TTL=58 ID={n} DF PROTO=UDP SPT=53 DPT={} LEN=100 ", 30_000 + n % 30_000),
            _ => format!(
                "{head} LEN=44 TOS=0x00 PREC=0x00 TTL={} ID={n} PROTO=TCP SPT=40000 DPT={} WINDOW=1024 RES=0x00 SYN URGP=0 ",
                37 + n % 23,
                1 + n * 61 % 19_000
            ),
        }
    };
    (0..PACKETS).map(line).collect()
}

#[divan::bench(args = [0, 10, 1_000, 10_000])]
fn packets(bencher: Bencher<'_, '_>, rules: u32) {
    let lines = lines();
    let packets: Vec<Packet<'_>> = lines.iter().map(|line| parse(line.as_bytes()).unwrap()).collect();
    let set = RuleSet::new((0..rules).map(rule).collect(), Sids { before: b"SID".to_vec(), severity: 3, titles: Vec::new() });
    bencher
        .counter(ItemsCount::new(PACKETS))
        .with_inputs(|| {
            let mut engine = Engine::new(Config::default(), [7; 16]);
            engine.replace_rules(set.clone());
            engine
        })
        .bench_values(|mut engine| {
            for (n, packet) in (0_u64..).zip(&packets) {
                engine.observe(divan::black_box(packet), Origin::Kernel, Tick::from_micros(n * 1_000));
                while engine.next_finding().is_some() {}
            }
            engine
        });
}
