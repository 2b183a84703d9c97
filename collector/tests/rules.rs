//! The rule language: what each key fits and just misses, what is refused and where, and how files go over each other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use firebell_collector::{
    config::{Config, Signatures},
    rules::{Loaded, Rules, Source},
};
use firebell_engine::{
    engine::{self, Engine},
    origin::Origin,
    parse::parse,
    signature::Confidence,
    tick::Tick,
};
use std::path::{Path, PathBuf};

const HEAD: &str =
    "[[rule]]\nid = \"x\"\ntitle = \"X\"\nseverity = 3\nconfidence = \"sure\"\ncategory = \"probe\"\nwhy = \"Because.\"\n[rule.match]\n";
/// The first line behind [`HEAD`].
const FIRST: usize = 9;

fn source(name: &str, text: &str) -> Source {
    Source { path: PathBuf::from(name), text: text.to_owned() }
}

fn load(text: &str) -> Result<Rules, String> {
    let loaded = Loaded::of(&[source("r.toml", text)]);
    match loaded.problems.first() {
        None => Ok(loaded.rules),
        Some(problem) => Err(problem.to_string()),
    }
}

/// How many of the lines a rule with these keys fits.
fn fits(keys: &str, line: &str) -> bool {
    let rules = load(&format!("{HEAD}{keys}\n")).unwrap_or_else(|problem| panic!("{problem}"));
    let mut engine = Engine::new(engine::Config::default(), [7; 16]);
    engine.replace_rules(rules.set(&Signatures::default()));
    let packet = parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {line}"));
    engine.observe(&packet, Origin::Kernel, Tick::from_secs(1));
    let packets = engine.rule_hits().map(|(_, hits)| hits.packets).sum::<u64>();
    packets == 1
}

const SYN: &str = "DROP IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC=198.51.100.7 DST=203.0.113.1 LEN=44 TOS=0x00 PREC=0x20 TTL=50 ID=54321 PROTO=TCP SPT=40000 DPT=23 SEQ=3405803777 ACK=0 WINDOW=1024 RES=0x03 ECE SYN URGP=0 OPT (020405B4) MARK=0x2a ";
const UDP: &str =
    "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=404 TOS=0x00 PREC=0x00 TTL=50 ID=1 DF PROTO=UDP SPT=53 DPT=53 LEN=384 ";
const PING: &str =
    "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=84 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE=8 CODE=9 ID=7 SEQ=295 ";
const LAND: &str = "DROP IN=eth0 OUT= SRC=203.0.113.1 DST=203.0.113.1 LEN=40 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=139 DPT=139 WINDOW=1024 RES=0x00 SYN URGP=0 ";
const FRAGMENT: &str = "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=1 MF FRAG:16 PROTO=UDP ";
const NULL: &str = "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=40 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=1 DPT=2 WINDOW=1024 RES=0x00 URGP=0 ";
const V6: &str = "DROP IN=br-lan OUT= PHYSIN=veth3 MACSRC=02:00:00:00:00:01 MACDST=02:00:00:00:00:02 MACPROTO=86dd VPROTO=8100 VID=42 SRC=2001:db8:66::1 DST=2001:db8::a LEN=60 TC=8 HOPLIMIT=33 FLOWLBL=77777 PROTO=TCP SPT=1 DPT=2 WINDOW=1024 RES=0x00 SYN URGP=0 ";
const TOO_BIG: &str = "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=56 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE=3 CODE=4 [SRC=203.0.113.1 DST=198.51.100.9 LEN=1500 TOS=0x00 PREC=0x00 TTL=64 ID=2 DF PROTO=TCP SPT=99 DPT=443 WINDOW=1 RES=0x00 ACK URGP=0 ] MTU=68 ";
const ROUTED: &str = "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=52 TOS=0x00 PREC=0x00 TTL=50 ID=1 OPT (8907040A0000010183030400) PROTO=ICMP TYPE=8 CODE=0 ID=7 SEQ=1 ";
const OWN: &str = "DROP IN= OUT=eth0 SRC=192.168.1.2 DST=198.51.100.7 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=TCP SPT=1 DPT=2 WINDOW=64240 RES=0x00 SYN URGP=0 UID=1000 GID=100 ";
const FORWARD: &str = "REJECT IN=eth0 OUT=virbr0 SRC=192.168.1.9 DST=10.0.0.5 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 CE PROTO=TCP SPT=1 DPT=2 WINDOW=64240 RES=0x00 SYN URGP=0 ";

/// Keys, a line that fits, and keys that just miss the same line.
const KEYS: &[(&str, &str, &[&str])] = &[
    ("family = \"ipv4\"", SYN, &["family = \"ipv6\""]),
    ("proto = \"tcp\"", SYN, &["proto = \"udp\"", "proto = [\"udp\", 1, 132]"]),
    ("proto = [\"udp\", 6]", SYN, &["proto = 7"]),
    ("ip-proto = \"0-6\"", SYN, &["ip-proto = \"7-255\"", "ip-proto = { not = 6 }"]),
    (
        "src = \"198.51.100.0/24\"",
        SYN,
        &["src = \"198.51.101.0/24\"", "src = [\"198.51.100.0/24\", \"!198.51.100.7\"]", "src = \"!198.51.100.0/24\""],
    ),
    ("src = \"$internet\"", SYN, &["src = \"$lan\"", "src = \"$home\"", "src = \"!$internet\""]),
    ("dst = \"$home\"", SYN, &["dst = \"$lan\"", "dst = \"!$home\""]),
    ("src = \"$lan\"", FORWARD, &["src = \"$internet\"", "src = [\"$lan\", \"!192.168.0.0/16\"]"]),
    ("src = \"dst\"", LAND, &["src = \"!203.0.113.1\""]),
    ("sport = \"dport\"", LAND, &["sport = \"140\""]),
    ("sport = 40000", SYN, &["sport = 40001", "sport = \"dport\"", "sport = { not = \"1024-65535\" }"]),
    ("dport = [22, \"23-25\"]", SYN, &["dport = [22, \"24-25\"]", "dport = { not = [22, 23] }"]),
    ("ttl = \"37-59\"", SYN, &["ttl = \"51-255\""]),
    ("ttl = 33", V6, &["ttl = 34"]),
    ("id = 54321", SYN, &["id = 54320"]),
    ("len = 44", SYN, &["len = 43"]),
    ("payload = 0", SYN, &["payload = \"1-65535\""]),
    ("payload = 376", UDP, &["payload = 375"]),
    ("payload = 0", V6, &["payload = 1"]),
    ("payload = 56", PING, &["payload = 55"]),
    ("tos = 0", SYN, &["tos = 2"]),
    ("tos = 8", V6, &["tos = 0"]),
    ("prec = 0x20", SYN, &["prec = 20"]),
    ("window = 1024", SYN, &["window = 1025"]),
    ("urgp = 0", SYN, &["urgp = 1"]),
    ("res = 3", SYN, &["res = 0"]),
    ("frag = 16", FRAGMENT, &["frag = 0"]),
    ("seq = \"dst\"", SYN, &["seq = { not = 3405803777 }"]),
    ("ack = 0", SYN, &["ack = 1"]),
    (
        "id = \"dst^dport^seq\"",
        "DROP IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=40 TTL=250 ID=23 PROTO=TCP SPT=4 DPT=23 SEQ=3405803777 ACK=0 WINDOW=1024 RES=0x00 SYN URGP=0 ",
        &["id = 24"],
    ),
    ("mark = 42", SYN, &["mark = 43"]),
    ("uid = 1000\ndirection = \"out\"", OWN, &["uid = 0\ndirection = \"out\"", "uid = 1000"]),
    ("gid = 100\ndirection = \"out\"", OWN, &["gid = 1\ndirection = \"out\""]),
    ("icmp-type = 8", PING, &["icmp-type = 0"]),
    ("icmp-code = { not = 0 }", PING, &["icmp-code = 0"]),
    ("icmp-id = 7", PING, &["icmp-id = 8"]),
    ("icmp-seq = 295", PING, &["icmp-seq = 296"]),
    ("mtu = \"0-575\"", TOO_BIG, &["mtu = \"576-1500\""]),
    ("flow-label = 77777", V6, &["flow-label = 0"]),
    ("vlan = 42", V6, &["vlan = 43"]),
    ("flags = [\"SYN\", \"ECE\"]", SYN, &["flags = \"SYN\"", "flags = [\"SYN\", \"ECE\", \"CWR\"]", "flags = []"]),
    (
        "flags = { set = \"SYN\", clear = [\"ACK\"] }",
        SYN,
        &["flags = { set = \"SYN\", clear = \"ECE\" }", "flags = { set = [\"SYN\", \"ACK\"] }"],
    ),
    ("flags = []", NULL, &["flags = { set = \"SYN\" }"]),
    ("df = true", UDP, &["df = false"]),
    ("df = false", SYN, &["df = true"]),
    ("mf = true", FRAGMENT, &["mf = false"]),
    ("ce = true", FORWARD, &["ce = false"]),
    ("fragment = true", FRAGMENT, &["fragment = false"]),
    ("tcp-option = \"mss\"", SYN, &["tcp-option = [\"mss\", \"timestamp\"]", "tcp-option = 5"]),
    ("tcp-options = \"020405b4\"", SYN, &["tcp-options = \"020405b5\"", "tcp-options = \"0204\"", "tcp-options = \"\""]),
    ("tcp-options = \"\"", NULL, &["tcp-options = \"01\""]),
    (
        "ip-option = [\"strict-source-route\", 131]",
        ROUTED,
        &["ip-option = \"record-route\"", "ip-option = [\"source-route\", \"timestamp\"]"],
    ),
    ("ip-option = \"source-route\"", ROUTED, &["ip-option = 7"]),
    ("prefix = \"DROP \"", SYN, &["prefix = \"DRO\"", "prefix = \"drop\""]),
    ("prefix = { glob = \"D*P\" }", SYN, &["prefix = { glob = \"D?P\" }"]),
    ("prefix = { regex = \"^D[RX]\" }", SYN, &["prefix = { regex = \"^R\" }"]),
    ("in = \"eth+\"", SYN, &["in = \"eth1\"", "in = { glob = \"?th\" }"]),
    ("out = { glob = \"vir*\" }", FORWARD, &["out = \"eth0\""]),
    ("physin = \"veth3\"", V6, &["physin = \"veth+\"\nphysout = \"+\""]),
    ("mac = \"52:54:00:00:00:42\"", SYN, &["mac = \"52:54:00:00:00:0a\"", "mac = \"52:54:??\""]),
    ("mac = \"02:00:*\"", V6, &["mac = \"03:*\""]),
    ("proto = \"tcp\"\nverdict = \"dropped\"", SYN, &["proto = \"tcp\"\nverdict = [\"rejected\", \"accepted\"]"]),
    ("proto = \"tcp\"\nverdict = \"rejected\"", FORWARD, &["proto = \"tcp\"\nverdict = \"unknown\""]),
    ("proto = \"tcp\"\ndirection = \"in\"", SYN, &["proto = \"tcp\"\ndirection = [\"forward\", \"out\"]"]),
    ("proto = \"tcp\"\ndirection = \"forward\"", FORWARD, &["proto = \"tcp\"\ndirection = \"in\""]),
];

#[test]
fn every_key_fits_its_line_and_a_near_miss_does_not() {
    for (keys, line, misses) in KEYS {
        assert!(fits(keys, line), "{keys}\n{line}");
        for miss in *misses {
            assert!(!fits(miss, line), "{miss}\n{line}");
        }
    }
    let named: Vec<&str> = KEYS.iter().flat_map(|(keys, ..)| keys.lines()).filter_map(|line| line.split(" =").next()).collect();
    let error = load(&format!("{HEAD}nonsense = 1\n")).unwrap_err();
    let valid = error.lines().next().unwrap().split("expected one of ").nth(1).unwrap();
    for key in valid.split(", ").map(|key| key.trim_matches('`')) {
        assert!(named.contains(&key) || key == "physout", "{key} has no test");
    }
}

#[test]
fn what_the_line_does_not_carry_holds_never_not_even_negated() {
    for keys in ["seq = { not = 1 }", "icmp-type = { not = 1 }", "tcp-option = \"mss\"", "uid = \"0-4294967295\"", "vlan = { not = 1 }"] {
        assert!(!fits(keys, NULL), "{keys}");
    }
    // Without the logged options 40 bytes of them may stand behind the header.
    assert!(!fits("payload = 16", &LAND.replace("LEN=40", "LEN=56")));
    assert!(fits("payload = \"1-100\"", &LAND.replace("LEN=40", "LEN=90")));
}

#[test]
fn what_an_icmp_error_quotes_is_never_matched() {
    for keys in ["dport = 443", "proto = \"tcp\"", "df = true", "src = \"203.0.113.1\"", "flags = \"ACK\""] {
        assert!(!fits(keys, TOO_BIG), "{keys}");
    }
}

#[test]
fn mistakes_say_where_they_are_and_what_is_valid() {
    let at_match = |keys: &str, column: usize, starts: &str| {
        let error = load(&format!("{HEAD}{keys}\n")).unwrap_err();
        let wanted = format!("r.toml:{FIRST}:{column}: {starts}");
        assert!(error.starts_with(&wanted), "{keys}: {error}\nis not {wanted}");
        assert!(error.contains('^'), "{error}");
    };
    at_match("dports = 22", 1, "unknown field `dports`, expected one of `family`, `proto`");
    at_match("dport = 65536", 9, "65536 is out of range for dport; use 0 to 65535");
    at_match("dport = [22, 70000]", 14, "70000 is out of range for dport");
    at_match("dport = \"25-24\"", 9, "`25-24` is no range of dport");
    at_match("dport = []", 9, "an empty list");
    at_match("dport = { no = 1 }", 11, "unknown field `no`, expected `not`");
    at_match("dport = { not = 1, and = 2 }", 20, "unknown field `and`, expected `not`");
    at_match("dport = true", 9, "invalid type: boolean `true`, expected a number");
    at_match("ttl = 256", 7, "256 is out of range for ttl; use 0 to 255");
    at_match("proto = \"TCP\"", 9, "`TCP` is no protocol; use icmp, igmp");
    at_match("src = \"192.0.2.1/24\"", 7, "`192.0.2.1/24` has bits behind the prefix; write 192.0.2.0/24");
    at_match("src = [\"$home\", \"$hme\"]", 17, "`$hme` is no variable; use $home, $lan or $internet");
    at_match("dst = \"src\"", 7, "`src` is no network");
    at_match("seq = \"dport\"", 7, "`dport` is no range of seq");
    at_match("flags = [\"SYN\", \"FOO\"]", 17, "`FOO` is no TCP flag; use FIN, SYN");
    at_match("flags = { set = \"SYN\", clear = \"SYN\" }", 9, "a flag cannot be both set and clear");
    at_match("tcp-option = \"mms\"", 14, "`mms` is no option; use eol, nop, mss");
    at_match("tcp-options = \"0x\"", 15, "`0x` is no row of at most 40 bytes");
    at_match("prefix = { regex = \"a(\" }", 20, "regex parse error");
    at_match("prefix = { regex = \"[ab]*a[ab]{12}\" }", 20, "`[ab]*a[ab]{12}` needs a table of more than 64 KiB");
    at_match("prefix = { glob = \"a\", regex = \"b\" }", 10, "give either glob or regex");
    at_match("in = \"a/b\"", 6, "`a/b` is no interface");
    at_match("mac = \"gg:*\"", 7, "`gg:*` is no MAC address");
    at_match("verdict = \"drop\"", 11, "`drop` is no verdict; use dropped, rejected, accepted, unknown");
    at_match("direction = []", 13, "an empty list; give at least one entry");

    let change = |from: &str, to: &str, place: &str| {
        let text = format!("{HEAD}dport = 1\n");
        assert!(text.contains(from));
        let error = load(&text.replace(from, to)).unwrap_err();
        assert!(error.starts_with(&format!("r.toml:{place}")), "{error}");
    };
    change("id = \"x\"", "id = \"X y\"", "2:6: `X y` is no id");
    change("severity = 3", "severity = 6", "4:12: 6 is not a severity");
    change("\"sure\"", "\"certain\"", "5:14: `certain` is no confidence; use hint, likely, sure");
    change("\"sure\"", "\"hint\"", "1:1: a hint only explains: give it severity 1 or 2");
    change("\"probe\"", "\"evil\"", "6:12: `evil` is no category; use scan, probe, flood, malware");
    change("why = \"Because.\"\n", "", "1:1: missing field `why`");
    change("[rule.match]", "attack = [\"T1046\", \"T1595.009\"]\n[rule.match]", "8:20: `T1595.009` is no ATT&CK technique");
    change("[rule.match]", "cve = [\"2014-1234\"]\n[rule.match]", "8:8: `2014-1234` is no CVE number");
    change("[rule.match]", "note = \"\"\n[rule.match]", "8:1: unknown field `note`, expected one of `id`, `title`");
    change("dport = 1\n", "", "8:1: this would fit every packet");
    change("dport = 1\n", "dport = 1\n[rule.count]\nat-least = 1\nwithin = \"1m\"\n", "11:12: 1 is out of range; use 2 to 65535");
    change("dport = 1\n", "dport = 1\n[rule.count]\nat-least = 2\nwithin = \"2d\"\n", "12:10: `2d` is longer than a day");
    change(
        "dport = 1\n",
        "dport = 1\n[rule.count]\nat-least = 33\ndistinct = \"dport\"\nwithin = \"1m\"\n",
        "10:1: at-least is 33; at most 32",
    );
    change(
        "dport = 1\n",
        "dport = 1\n[rule.count]\nat-least = 3\ndistinct = \"src\"\nwithin = \"1m\"\n",
        "10:1: each has only one of these",
    );
    change("dport = 1\n", "dport = 1\n[[rule.test]]\nexpect = true\n", "10:1: give either line or lines");
}

#[test]
fn a_rule_twice_is_refused_with_both_places() {
    let error = load(&format!("{HEAD}dport = 1\n{HEAD}dport = 2\n")).unwrap_err();
    assert!(error.starts_with("r.toml:10:1: `x` is a rule already, at r.toml:1\n"), "{error}");
    let rule = format!("{HEAD}dport = 1\n");
    let loaded = Loaded::of(&[source("a.toml", &rule), source("b.toml", &rule)]);
    assert_eq!(loaded.rules.files(), [PathBuf::from("a.toml")]);
    let text = loaded.problems[0].to_string();
    assert!(text.starts_with("b.toml:1:1: `x` is a rule already, at a.toml:1; to change that one, use [[override]]"), "{text}");
}

#[test]
fn a_file_with_a_mistake_is_refused_whole_and_the_others_stay() {
    let good = |id: &str| format!("{}dport = 1\n", HEAD.replace("\"x\"", &format!("\"{id}\"")));
    let files = [
        source("10.toml", &good("one")),
        source("20.toml", &format!("{}{}[[rule]]\nid = 7\n", good("two"), good("three"))),
        source("30.toml", &good("four")),
    ];
    let loaded = Loaded::of(&files);
    let ids: Vec<&str> = loaded.rules.entries().iter().map(|entry| entry.rule.id.as_str()).collect();
    assert_eq!((ids, loaded.problems.len()), (vec!["one", "four"], 1));
}

#[test]
fn an_override_silences_and_weighs_a_rule_and_makes_it_only_less_sure() {
    let base = || source("shipped.toml", &format!("{HEAD}dport = 1\n"));
    let change = |text: &str| Loaded::of(&[base(), source("local.toml", &format!("[[override]]\nid = \"x\"\n{text}\n"))]);
    let loaded = change("severity = 5");
    assert_eq!((loaded.rules.get("x").unwrap().rule.severity, loaded.problems.len()), (5, 0));
    assert!(loaded.rules.get("x").unwrap().is_changed);
    let silenced = change("enabled = false");
    assert!(!silenced.rules.get("x").unwrap().is_enabled && silenced.rules.set(&Signatures::default()).rules().is_empty());
    let hint = change("confidence = \"hint\"").rules;
    assert_eq!((hint.get("x").unwrap().rule.confidence, hint.get("x").unwrap().rule.severity), (Confidence::Hint, 2));
    let text = change("confidence = \"hint\"\nseverity = 4").problems[0].to_string();
    assert!(text.starts_with("local.toml:1:1: a hint only explains"), "{text}");
    let text = Loaded::of(&[
        source("a.toml", &format!("{HEAD}dport = 1\n").replace("sure", "likely")),
        source("b.toml", "[[override]]\nid = \"x\"\nconfidence = \"sure\"\n"),
    ])
    .problems[0]
        .to_string();
    assert!(text.starts_with("b.toml:1:1: `x` is likely; an override can make a rule only less sure"), "{text}");
    let text = change("").problems[0].to_string();
    assert!(text.starts_with("local.toml:1:1: this changes nothing"), "{text}");
    let text = Loaded::of(&[source("b.toml", "\n[[override]]\nid = \"y\"\nenabled = false\n")]).problems[0].to_string();
    assert!(text.starts_with("b.toml:2:1: there is no rule `y` to override"), "{text}");
}

#[test]
fn the_folders_of_the_configuration_are_read_and_what_is_no_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("10.toml", &format!("{HEAD}dport = 1\n[[sid]]\nnumber = 1234\ntitle = \"A shell\"\n"));
    write("notes.txt", "nonsense");
    std::fs::create_dir(dir.path().join("20.toml")).unwrap();
    let text = format!("[signatures]\nshipped = false\nfolders = [{:?}]\n", dir.path());
    let config = Config::parse(Path::new("f.toml"), &text).unwrap();
    let loaded = Loaded::read(&config.signatures, None);
    assert_eq!(loaded.rules.entries().len(), 1);
    assert!(loaded.problems[0].to_string().ends_with("20.toml: not a regular file"), "{:?}", loaded.problems);
    let set = loaded.rules.set(&config.signatures);
    assert_eq!((set.rules().len(), set.sids().titles.as_slice()), (1, &[(1234, "A shell".to_owned())][..]));
    let off = Signatures { enabled: false, ..config.signatures };
    assert_eq!((Loaded::read(&off, None).rules.entries().len(), loaded.rules.set(&off).rules().len()), (0, 0));
}

#[test]
fn tests_that_fail_say_rule_line_and_reason() {
    let text = format!(
        "{HEAD}dport = 23\n[[rule.test]]\nline = {SYN:?}\nexpect = true\n[[rule.test]]\nline = {SYN:?}\nexpect = false\n\
         [[rule.test]]\nline = {UDP:?}\nexpect = true\n[[rule.test]]\nline = \"IN=eth0\"\nexpect = false\n"
    );
    let outcome = load(&text).unwrap().run_tests();
    assert_eq!((outcome.rules, outcome.tests), (1, 4));
    let failures: Vec<String> = outcome.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        failures,
        [
            "r.toml:13: x: the rule must not fit, and fits 1 of the lines",
            "r.toml:16: x: the rule has to fit this line, and does not",
            "r.toml:19: x: its line is no firewall record: not-netfilter",
        ]
    );
}

#[test]
fn a_counting_rule_is_tested_with_lines_that_carry_their_time() {
    let line = |secs: u32, port: u16| format!("{:?}", format!("[{secs}.000000] {}", UDP.replace("DPT=53", &format!("DPT={port}"))));
    let lines = |spaced: u32| (1..=3).map(|n| line(u32::from(n) * spaced, n)).collect::<Vec<_>>().join(", ");
    let text = format!(
        "{HEAD}proto = \"udp\"\n[rule.count]\ndistinct = \"dport\"\nat-least = 3\nwithin = \"1m\"\n\
         [[rule.test]]\nlines = [{}]\nexpect = true\n[[rule.test]]\nlines = [{}]\nexpect = false\n",
        lines(10),
        lines(40)
    );
    let failures = load(&text).unwrap().run_tests().failures;
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn so_many_rules_and_no_more() {
    let many: String = (0..10_001).map(|n| format!("{}dport = 1\n", HEAD.replace("\"x\"", &format!("\"r{n}\"")))).collect();
    let error = load(&many).unwrap_err();
    assert!(error.contains("more than 10000 rules in all"), "{error}");
}
