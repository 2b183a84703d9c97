//! Rule sets as their programs print them, and what becomes of a stranger's packet in each.

use super::{
    Backend, Firewall, nft,
    walk::{self, End, Kind, Probe, Sight},
    xtables,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const WAYS: [Kind; 4] = Kind::ALL;

fn probe(kind: Kind, is_v6: bool) -> Probe<'static> {
    Probe { kind, is_v6, iface: "eth0", out_iface: None }
}

/// End and sight, in words.
fn fate(firewall: &Firewall, kind: Kind) -> (String, Sight) {
    let fate = walk::follow(firewall, &probe(kind, false));
    let end = match &fate.end {
        End::Accepted => "accepted".to_owned(),
        End::Dropped(place) => format!("dropped {} {:?}", place.chain, place.handle.or(place.number.map(|number| number as u64))),
        End::Rejected(place) => format!("rejected {} {:?}", place.chain, place.handle.or(place.number.map(|number| number as u64))),
        End::Queued => "queued".to_owned(),
        End::Unknown => "unknown".to_owned(),
    };
    (end, fate.sight())
}

/// A chain on input that drops at its end, with these rules, as nft prints them; handles from 10.
fn input(rules: &[&str]) -> Firewall {
    let mut text = r#"{"nftables":[{"metainfo":{}},{"table":{"family":"inet","name":"t","handle":1}},
        {"set":{"family":"inet","name":"lan","table":"t","type":"ifname","elem":["eth1","eth2"]}},
        {"set":{"family":"inet","name":"bad","table":"t","type":"ipv4_addr","elem":[{"prefix":{"addr":"10.0.0.0","len":8}}]}},
        {"chain":{"family":"inet","table":"t","name":"other","handle":2}},
        {"chain":{"family":"inet","table":"t","name":"input","handle":3,"type":"filter","hook":"input","prio":0,"policy":"drop"}},
        {"rule":{"family":"inet","table":"t","chain":"other","handle":4,"expr":[{"log":{"prefix":"OTHER "}}]}}"#
        .to_owned();
    for (at, rule) in rules.iter().enumerate() {
        text += &format!(r#",{{"rule":{{"family":"inet","table":"t","chain":"input","handle":{},"expr":[{rule}]}}}}"#, at + 10);
    }
    nft::read((text + "]}").as_bytes()).unwrap()
}

const LOG: &str = r#"{"log":{"prefix":"DROP "}}"#;

#[test]
fn a_chain_that_drops_at_its_end_is_silent_until_a_rule_logs() {
    assert_eq!(fate(&input(&[]), Kind::TcpSyn), ("dropped input None".to_owned(), Sight::Nothing));
    assert_eq!(fate(&input(&[LOG]), Kind::TcpSyn).1, Sight::Clear);
    assert_eq!(fate(&input(&[r#"{"jump":{"target":"other"}}"#]), Kind::Udp).1, Sight::Clear);
    assert_eq!(fate(&input(&[r#"{"log":{"prefix":"x","group":2}}"#]), Kind::Udp).1, Sight::Elsewhere);
    assert_eq!(fate(&input(&[r#"{"log":{"level":"audit"}}"#]), Kind::Udp).1, Sight::Elsewhere);
}

#[test]
fn a_limit_blinds_unless_each_source_has_its_own() {
    let limit = |rate: &str| fate(&input(&[&format!(r#"{{"limit":{rate}}},{LOG}"#)]), Kind::TcpSyn).1;
    assert_eq!(limit(r#"{"rate":3,"burst":10,"per":"minute"}"#), Sight::Blinking);
    assert_eq!(limit(r#"{"rate":50,"burst":500,"per":"second"}"#), Sight::Clear);
    // What is over a limit only is not every packet.
    assert_eq!(limit(r#"{"rate":3,"per":"minute","inv":true}"#), Sight::Nothing);
    let each = r#"{"set":{"op":"update","elem":{"payload":{"protocol":"ip","field":"saddr"}},"set":"@x","stmt":[{"limit":{"rate":3,"per":"minute"}}]}}"#;
    assert_eq!(fate(&input(&[&format!("{each},{LOG}")]), Kind::TcpSyn).1, Sight::Clear);
    // The limit may stand before the jump to the chain that logs.
    let jump = r#"{"limit":{"rate":3,"burst":10,"per":"minute"}},{"jump":{"target":"other"}}"#;
    assert_eq!(fate(&input(&[jump]), Kind::TcpSyn).1, Sight::Blinking);
}

#[test]
fn each_match_of_nft_fits_or_does_not() {
    let is = |left: &str, op: &str, right: &str, kind| {
        let rule = format!(r#"{{"match":{{"op":"{op}","left":{left},"right":{right}}}}},{{"accept":null}}"#);
        fate(&input(&[&rule]), kind).0 == "accepted"
    };
    let payload = |protocol: &str, field: &str| format!(r#"{{"payload":{{"protocol":"{protocol}","field":"{field}"}}}}"#);
    let meta = |key: &str| format!(r#"{{"meta":{{"key":"{key}"}}}}"#);
    let state = r#"{"ct":{"key":"state"}}"#;
    for (left, op, right, syn, fin) in [
        (state.to_owned(), "in", r#"["established","related"]"#, false, false),
        (state.to_owned(), "in", r#""new""#, true, false),
        (state.to_owned(), "==", r#"{"set":["invalid","untracked"]}"#, false, true),
        (state.to_owned(), "!=", r#""invalid""#, true, false),
        (meta("iifname"), "==", r#""lo""#, false, false),
        (meta("iifname"), "!=", r#""lo""#, true, true),
        (meta("iifname"), "==", r#""eth*""#, true, true),
        (meta("iifname"), "==", r#""@lan""#, false, false),
        (payload("ip", "saddr"), "==", r#""@bad""#, false, false),
        (payload("ip", "saddr"), "!=", r#""@bad""#, true, true),
        (payload("ip", "saddr"), "==", r#"{"prefix":{"addr":"0.0.0.0","len":0}}"#, true, true),
        (payload("ip", "daddr"), "==", r#""192.0.2.1""#, true, true),
        (payload("ip", "daddr"), "==", r#""255.255.255.255""#, false, false),
        (payload("ip6", "saddr"), "!=", r#""fe80::1""#, false, false),
        (payload("tcp", "dport"), "==", r#"{"set":[22,{"range":[80,90]}]}"#, false, false),
        (payload("tcp", "dport"), "!=", r#"{"set":[22]}"#, true, true),
        (payload("tcp", "dport"), "<", "1024", true, true),
        (payload("tcp", "dport"), ">=", "1024", false, false),
        (payload("udp", "dport"), "!=", "53", false, false),
        (payload("th", "dport"), "==", r#"{"range":[0,1023]}"#, true, true),
        (meta("l4proto"), "==", r#"{"set":["tcp","udp"]}"#, true, true),
        (meta("l4proto"), "==", r#"{"set":["icmp","ipv6-icmp"]}"#, false, false),
        (meta("nfproto"), "==", r#""ipv6""#, false, false),
        (meta("pkttype"), "==", r#""multicast""#, false, false),
        (meta("mark"), "==", "5", false, false),
        (r#"{"fib":{"result":"type","flags":["daddr"]}}"#.to_owned(), "==", r#""broadcast""#, false, false),
        (r#"{"fib":{"result":"type","flags":"daddr"}}"#.to_owned(), "==", r#""local""#, true, true),
        (payload("tcp", "flags"), "in", r#""syn""#, true, false),
        (payload("tcp", "flags"), "!", r#"["fin","syn"]"#, false, false),
        (format!(r#"{{"&":[{},["fin","syn","rst","ack"]]}}"#, payload("tcp", "flags")), "==", r#""syn""#, true, false),
        (format!(r#"{{"&":[{},{{"|":["fin","syn"]}}]}}"#, payload("tcp", "flags")), "!=", r#""syn""#, false, true),
        (r#"{"socket":{"key":"wildcard"}}"#.to_owned(), "==", "0", false, false),
    ] {
        assert_eq!((is(&left, op, right, Kind::TcpSyn), is(&left, op, right, Kind::TcpFin)), (syn, fin), "{left} {op} {right}");
    }
}

#[test]
fn a_rule_that_is_not_understood_makes_the_answer_unsure() {
    let rule = r#"{"match":{"op":"==","left":{"osf":{"key":"name"}},"right":"Linux"}},{"accept":null}"#;
    assert!(walk::follow(&input(&[rule]), &probe(Kind::TcpSyn, false)).is_unsure);
    assert!(!walk::follow(&input(&[LOG]), &probe(Kind::TcpSyn, false)).is_unsure);
}

#[test]
fn a_verdict_map_decides_by_its_entry() {
    let map = r#"{"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["invalid",{"drop":null}],["new",{"goto":{"target":"other"}}]]}}}"#;
    assert_eq!(fate(&input(&[map, r#"{"accept":null}"#]), Kind::TcpFin).0, "dropped input Some(10)");
    // A `goto` does not come back: the policy is next.
    assert_eq!(fate(&input(&[map, r#"{"accept":null}"#]), Kind::TcpSyn), ("dropped input None".to_owned(), Sight::Clear));
}

#[test]
fn chains_that_go_in_circles_end() {
    let loops = input(&[r#"{"jump":{"target":"input"}}"#]);
    assert_eq!(fate(&loops, Kind::TcpSyn).0, "unknown");
    let mut wide = loops.clone();
    let chains: BTreeMap<_, _> = wide.tables[0].chains.iter().map(|(name, chain)| (name.clone(), chain.clone())).collect();
    let rule = chains["input"].rules[0].clone();
    wide.tables[0].chains.get_mut("input").unwrap().rules = vec![rule; 1_000];
    assert_eq!(fate(&wide, Kind::TcpSyn).0, "unknown");
}

/// What Debian's ufw loads at its level `low`, in short.
const SAVED: &str = "# Generated by iptables-save v1.8.9\n*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    :ufw-before-input - [0:0]\n:ufw-after-input - [0:0]\n:ufw-after-logging-input - [0:0]\n:ufw-skip-to-policy-input - [0:0]\n:ufw-user-input - [0:0]\n\
    -A INPUT -j ufw-before-input\n-A INPUT -j ufw-after-input\n-A INPUT -j ufw-after-logging-input\n\
    -A ufw-before-input -i lo -j ACCEPT\n-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
    -A ufw-before-input -m conntrack --ctstate INVALID -j DROP\n-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT\n\
    -A ufw-before-input -j ufw-user-input\n\
    -A ufw-after-input -p udp -m udp --dport 137 -j ufw-skip-to-policy-input\n\
    -A ufw-after-input -m addrtype --dst-type BROADCAST -j ufw-skip-to-policy-input\n\
    -A ufw-after-logging-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW BLOCK] \"\n\
    -A ufw-skip-to-policy-input -j DROP\n-A ufw-user-input -p tcp -m multiport --dports 22,80:90 -j ACCEPT\nCOMMIT\n";

#[test]
fn ufw_at_its_lowest_level_blinks_and_is_silent_on_odd_packets() {
    let firewall = xtables::read(SAVED.as_bytes(), Backend::IptablesLegacy, false);
    assert_eq!(fate(&firewall, Kind::TcpSyn), ("dropped INPUT None".to_owned(), Sight::Blinking));
    assert_eq!(fate(&firewall, Kind::TcpFin), ("dropped ufw-before-input Some(3)".to_owned(), Sight::Nothing));
    assert_eq!(fate(&firewall, Kind::Ping).0, "accepted");
    let logs = firewall.logs();
    assert_eq!((logs.len(), logs[0].1.prefix.as_str()), (1, "[UFW BLOCK] "));
    // These rules are for IPv4 only.
    assert_eq!(walk::follow(&firewall, &probe(Kind::TcpSyn, true)).end, End::Accepted);
}

#[test]
fn each_match_of_iptables_fits_or_does_not() {
    let is = |rule: &str, kind| {
        let text = format!("*filter\n:INPUT DROP [0:0]\n:X - [0:0]\n-A INPUT {rule}\nCOMMIT\n");
        fate(&xtables::read(text.as_bytes(), Backend::IptablesNft, false), kind).0 == "accepted"
    };
    for (rule, syn, fin) in [
        ("-m state --state NEW -j ACCEPT", true, false),
        ("! -i lo -j ACCEPT", true, true),
        ("-i eth+ -j ACCEPT", true, true),
        ("! -s 10.0.0.0/8 ! -i wlan+ -p tcp -j ACCEPT", true, true),
        ("-s 10.0.0.0/255.0.0.0 -j ACCEPT", false, false),
        ("-d 192.0.2.1/32 -p tcp -j ACCEPT", true, true),
        ("-p udp -j ACCEPT", false, false),
        ("-p tcp -m tcp --dport 1:1023 -j ACCEPT", true, true),
        ("-p tcp -m tcp ! --dport 22 -j ACCEPT", true, true),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", true, false),
        ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", false, true),
        ("-m comment --comment \"-j DROP \\\"x\" -j ACCEPT", true, true),
        ("-m mark --mark 0x5/0xff -j ACCEPT", false, false),
        ("-m pkttype --pkt-type multicast -j ACCEPT", false, false),
        ("-m set --match-set bad src -j ACCEPT", false, false),
        ("-m mac --mac-source 00:11:22:33:44:55 -j ACCEPT", false, false),
        ("[1:2] -j ACCEPT", false, false),
        ("-j MARK --set-xmark 0x1/0xffffffff", false, false),
    ] {
        assert_eq!((is(rule, Kind::TcpSyn), is(rule, Kind::TcpFin)), (syn, fin), "{rule}");
    }
}

#[test]
fn an_iptables_limit_for_each_source_is_no_blindness() {
    let sight = |rule: &str| {
        let text = format!("*filter\n:INPUT DROP [0:0]\n-A INPUT {rule}\nCOMMIT\n");
        fate(&xtables::read(text.as_bytes(), Backend::IptablesLegacy, false), Kind::TcpSyn).1
    };
    assert_eq!(sight("-m limit --limit 5/min -j LOG --log-prefix \"a b \""), Sight::Blinking);
    assert_eq!(sight("-m hashlimit --hashlimit-upto 5/min --hashlimit-mode srcip --hashlimit-name x -j LOG"), Sight::Clear);
    assert_eq!(sight("-m hashlimit --hashlimit-upto 5/min --hashlimit-mode dstip --hashlimit-name x -j LOG"), Sight::Blinking);
    assert_eq!(sight("-j NFLOG --nflog-group 2"), Sight::Elsewhere);
}

#[test]
fn what_drops_first_decides_also_in_another_table() {
    let text = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DROP\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j LOG\nCOMMIT\n";
    let firewall = xtables::read(text.as_bytes(), Backend::IptablesLegacy, false);
    assert_eq!(fate(&firewall, Kind::TcpSyn), ("dropped PREROUTING Some(1)".to_owned(), Sight::Nothing));
}

/// JSON that looks like a rule set, with anything in the place of anything.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    const WORDS: [&str; 24] = [
        "table", "chain", "rule", "family", "inet", "t", "name", "expr", "match", "left", "right", "op", "==", "set", "payload", "vmap",
        "data", "log", "limit", "jump", "target", "&", "range", "elem",
    ];
    let word = proptest::sample::select(&WORDS[..]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        word.clone().prop_map(Into::into),
        "@?[a-z0-9./:*]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
            proptest::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

fn follow_all(firewall: &Firewall) {
    for kind in WAYS {
        for is_v6 in [false, true] {
            walk::follow(firewall, &probe(kind, is_v6));
        }
    }
    for (place, _, _) in firewall.logs() {
        let _ = place.to_string();
    }
}

proptest! {
    #[test]
    fn any_rules_of_nft_are_read_and_followed_without_harm(rules in proptest::collection::vec(any_json(), 0..6)) {
        let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
        follow_all(&input(&rules.iter().map(String::as_str).collect::<Vec<_>>()));
    }

    #[test]
    fn any_document_is_read_or_refused(objects in proptest::collection::vec(any_json(), 0..6)) {
        let text = serde_json::json!({ "nftables": objects }).to_string();
        follow_all(&nft::read(text.as_bytes()).unwrap());
    }

    #[test]
    fn any_bytes_instead_of_a_rule_set_do_no_harm(bytes: Vec<u8>) {
        let _ = nft::read(&bytes);
        follow_all(&xtables::read(&bytes, Backend::IptablesNft, true));
    }

    #[test]
    fn no_comment_changes_what_becomes_of_a_packet(comment in proptest::collection::vec(proptest::sample::select(&["\"", "\\", "'", "\n", "-A INPUT -j ACCEPT", " ", "#", "*filter", "\u{1b}", "\0", "ü"][..]), 0..12)) {
        let comment = comment.concat();
        let firewall = xtables::read(saved_with(&comment).as_bytes(), Backend::IptablesLegacy, false);
        prop_assert_eq!(fate(&firewall, Kind::TcpSyn), ("dropped INPUT Some(4)".to_owned(), Sight::Clear));
        prop_assert_eq!(&firewall.tables[0].chains["INPUT"].rules[2].comment, &comment);
    }

    #[test]
    fn any_line_of_iptables_does_no_harm(line in "(-[A-Za-z]|--[a-z-]{1,14}|!|\"|\\\\|[a-zA-Z0-9:/,.]{0,9}| ){0,40}") {
        let text = format!("*filter\n:INPUT DROP [0:0]\n:X - [0:0]\n-A INPUT {line}\n-A X {line} -j INPUT\nCOMMIT\n");
        follow_all(&xtables::read(text.as_bytes(), Backend::IptablesLegacy, false));
    }
}

/// As `xtables_save_string()` of iptables prints it (`libxtables/xtables.c`).
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(character);
    }
    out + "\""
}

/// A drop with this comment between two others, and a log with this prefix.
fn saved_with(comment: &str) -> String {
    let text = quoted(comment);
    format!(
        "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m comment --comment {text} -j LOG --log-prefix {text}\n\
         -A INPUT -s 10.0.0.0/8 -m comment --comment {text} -j ACCEPT\n-A INPUT -j DROP\nCOMMIT\n"
    )
}

fn input_with(comment: &str) -> Firewall {
    let text = serde_json::json!(comment);
    let mut document: serde_json::Value = serde_json::json!({ "nftables": [
        { "table": { "family": "inet", "name": "t" } },
        { "chain": { "family": "inet", "table": "t", "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "drop" } },
    ] });
    let rule = serde_json::json!({ "rule": { "family": "inet", "table": "t", "chain": "input", "handle": 4, "comment": text,
        "expr": [{ "log": { "prefix": text } }] } });
    document["nftables"].as_array_mut().unwrap().push(rule);
    nft::read(document.to_string().as_bytes()).unwrap()
}

/// Words that would be more than words where somebody takes them for rules, for a terminal's commands, or for markup.
const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{7}\r\u{0}\u{202e}",
    "<b onclick='x'>&amp;</b>",
    "x\n-A INPUT -j ACCEPT\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\n",
    "\" -j ACCEPT",
    "\\\" -j ACCEPT \\",
    "x\n# Table `filter' is incompatible, use 'nft' tool.\n",
    "-j ACCEPT --comment",
    "%s%n{}$(reboot)`reboot`",
];

#[test]
fn what_a_comment_or_a_prefix_says_is_no_rule() {
    let long = "\u{1b}<&\n".repeat(64 << 10);
    for comment in HOSTILE.iter().copied().chain([long.as_str()]) {
        let firewall = xtables::read(saved_with(comment).as_bytes(), Backend::IptablesNft, false);
        let chain = &firewall.tables[0].chains["INPUT"];
        assert_eq!((firewall.tables.len(), firewall.tables[0].chains.len(), chain.rules.len()), (1, 1, 4), "{comment:?}");
        assert!(chain.rules[1].comment == comment && firewall.logs()[0].1.prefix == comment);
        assert_eq!(fate(&firewall, Kind::TcpSyn), ("dropped INPUT Some(4)".to_owned(), Sight::Clear), "{comment:?}");
        assert_eq!(fate(&input_with(comment), Kind::TcpSyn), ("dropped input None".to_owned(), Sight::Clear), "{comment:?}");
    }
}

#[test]
fn quotes_that_are_never_closed_hide_no_rule() {
    let text = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment \"x -j LOG\n-A INPUT -j DROP\nCOMMIT\n";
    let firewall = xtables::read(text.as_bytes(), Backend::IptablesNft, false);
    assert_eq!(fate(&firewall, Kind::TcpSyn).0, "dropped INPUT Some(2)");
    assert_eq!(xtables::lines(b""), [b""]);
    assert_eq!(xtables::lines(b"-A \"\\"), [b"-A \"\\"]);
}

#[test]
fn a_rule_set_that_breaks_off_is_refused_and_never_taken_for_a_shorter_one() {
    let whole = r#"{"nftables":[{"table":{"family":"inet","name":"t"}},{"chain":{"family":"inet","table":"t","name":"c",
        "type":"filter","hook":"input","prio":0,"policy":"drop"}},{"rule":{"family":"inet","table":"t","chain":"c","handle":3,
        "comment":"\u001b\ud83d\ude00","expr":[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"lo"}},{"accept":null}]}}]}"#;
    assert!(nft::read(whole.as_bytes()).is_ok());
    for length in 0..whole.len() {
        assert!(nft::read(&whole.as_bytes()[..length]).is_err(), "{length} bytes");
    }
    // As deep as it likes.
    assert!(nft::read("[".repeat(1 << 20).as_bytes()).is_err());
}

#[test]
fn a_table_that_nobody_knows_changes_nothing_in_those_that_are_known() {
    let strange = "*\u{1b}[2J\n:INPUT - [0:0]\n:\n-A INPUT -j DROP\n-A nowhere -j DROP\nCOMMIT\n*\n*broute\n:BROUTING ACCEPT [0:0]\n-A BROUTING -j DROP\nCOMMIT\n";
    let firewall = xtables::read(format!("{strange}{SAVED}{strange}").as_bytes(), Backend::IptablesLegacy, false);
    assert_eq!(fate(&firewall, Kind::TcpSyn), ("dropped INPUT None".to_owned(), Sight::Blinking));
    follow_all(&firewall);
}
