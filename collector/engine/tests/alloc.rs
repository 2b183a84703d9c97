//! The way from a line to a packet never touches the heap, whatever the line, and neither do the rules.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use firebell_engine::{
    engine::{Config, Engine},
    origin::{Origin, judge},
    parse::parse,
    record::Record,
    replay::{Moment, ReplayClock},
    signature::{Category, Condition, Confidence, Count, Distinct, Field, Match, Numbers, Pattern, Per, Place, Rule, RuleSet, Sids},
    tick::Tick,
};
use std::{process::Command, time::Duration};

#[global_allocator]
static GUARD: AllocDisabler = AllocDisabler;

/// With this in the environment the second test breaks the rule.
const BREAK: &str = "FIREBELL_TEST_ALLOCATES";

const LINES: &[&[u8]] = &[
    b"Nov 22 07:11:01 gw kernel: [ 1.5] DROP IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=203.0.113.9 DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=52 ID=1 DF PROTO=TCP SPT=40000 DPT=22 SEQ=1 ACK=0 WINDOW=1024 RES=0x00 SYN URGP=0 OPT (020405B4) UID=0 GID=0 MARK=0x2a ",
    b"4,1,2,-;IN=eth0 OUT= MACSRC=02:00:00:00:00:01 MACDST=02:00:00:00:00:02 MACPROTO=86dd SRC=2001:0db8:0000:0000:0000:0000:0000:0042 DST=2001:db8::a LEN=112 TC=0 HOPLIMIT=64 FLOWLBL=0 OPT ( FRAG:0 ID:0000beef ) PROTO=ICMPv6 TYPE=1 CODE=4 [SRC=2001:db8::a DST=2001:db8::42 LEN=64 TC=0 HOPLIMIT=1 FLOWLBL=0 PROTO=UDP SPT=40000 DPT=33434 LEN=24 ] ",
    b"<4>1 2026-11-22T07:36:51.287536+00:00 desk kernel - - - IN=eth1 OUT= ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 MACSRC=02:00:00:00:00:02 IPSRC=192.0.2.2 MACDST=00:00:00:00:00:00 IPDST=192.0.2.1",
    b"IN=eth0 OUT= SRC=999.0.113.9 DST=x",
    b"IN= OUT= SRC=\xff\xff DST=",
    b"IN=a IN=b IN=c IN=d IN=e IN=f IN=g IN=h IN=i IN=j OUT= SRC=192.0.2.1 DST=192.0.2.2 PROTO=47 a[7]: x",
    b"Nov 22 07:11:01 gw sshd[77]: Accepted publickey for alice from 192.0.2.20 port 50422 ssh2",
    b"",
    &[b'='; 4096],
    &[b' '; 4096],
];

#[test]
fn reading_a_line_never_allocates() {
    let mut clock = ReplayClock::new(2026, 0);
    for line in LINES {
        assert_no_alloc(|| {
            let record = Record::read(line);
            clock.tick(Moment::of(&record), []);
            matches!(&parse(record.text), Ok(packet) if judge(true, packet, record.text) == Origin::Kernel)
        });
    }
}

#[test]
fn matching_rules_never_allocates() {
    let rule = |id: &str, condition: Condition, count: Option<Count>| Rule {
        id: id.to_owned(),
        title: id.to_owned(),
        severity: 2,
        confidence: Confidence::Hint,
        category: Category::Information,
        attack: Vec::new(),
        cve: Vec::new(),
        references: Vec::new(),
        why: id.to_owned(),
        matching: Match { protocols: vec![6], conditions: vec![condition], ..Match::default() },
        count,
    };
    let count = |distinct| Some(Count { distinct, at_least: 2, within: Duration::from_secs(60), per: Per::Src });
    let port = || Condition::Number(Field::Dport, Numbers::new(vec![(22, 22)], false).unwrap());
    let rules = vec![
        rule("port", port(), None),
        rule("regex", Condition::Text(Place::Prefix, Pattern::regex("^D[A-Z]+P *x?$").unwrap()), None),
        rule("glob", Condition::Text(Place::Prefix, Pattern::glob("*D*R*O*P*")), None),
        rule("options", Condition::TcpOptions(vec![2]), None),
        rule("packets", port(), count(None)),
        rule("ports", port(), count(Some(Distinct::Sport))),
    ];
    let mut engine = Engine::new(Config::default(), [7; 16]);
    engine.replace_rules(RuleSet::new(rules, Sids { before: b"SID".to_vec(), severity: 3, titles: Vec::new() }));
    let packet = parse(Record::read(LINES[0]).text).unwrap();
    engine.observe(&packet, Origin::Kernel, Tick::from_secs(1));
    engine.observe(&packet, Origin::Kernel, Tick::from_secs(1));
    assert_no_alloc(|| {
        for _ in 0..100 {
            engine.observe(&packet, Origin::Kernel, Tick::from_secs(2));
        }
    });
    let hits: Vec<u64> = engine.rule_hits().map(|(_, hits)| hits.packets).collect();
    assert_eq!(hits, [102, 102, 102, 102, 101, 0]);
}

#[test]
fn the_guard_ends_a_test_that_allocates() {
    if std::env::var_os(BREAK).is_some() {
        assert_no_alloc(|| Record::read(LINES[0]).text.to_vec());
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", "the_guard_ends_a_test_that_allocates"]).env(BREAK, "1").output().unwrap();
    assert!(!output.status.success(), "the guard let an allocation pass");
    assert!(String::from_utf8_lossy(&output.stderr).contains("memory allocation"), "it ended for another reason: {output:?}");
}
