//! Rules and lists as psad's and Snort's files have them, and what nobody would write.

use super::{Imported, Kind, Reason, convert, lists, variables::Variables};
use firebell_collector::{
    config::Config,
    rules::{Loaded, Source},
};
use proptest::prelude::*;
use std::path::Path;

fn import(text: &str) -> Imported {
    convert::signatures(text.as_bytes(), Variables::of_psad())
}

/// The conditions of the only rule that `text` becomes.
fn conditions(text: &str) -> Vec<String> {
    let imported = import(text);
    assert_eq!((imported.converted, &imported.notes[..]), (1, &[][..]), "{text}");
    rules(&imported).remove(0)
}

/// The lines below each `[rule.match]`.
fn rules(imported: &Imported) -> Vec<Vec<String>> {
    let rules = imported.toml.split("[rule.match]\n").skip(1);
    rules.map(|rule| rule.lines().take_while(|line| !line.is_empty()).map(str::to_owned).collect()).collect()
}

/// Options of a rule of the given protocol, as conditions.
fn options(proto: &str, options: &str) -> Vec<String> {
    let mut lines = conditions(&format!("alert {proto} any any -> any any (msg:\"x\"; {options}; sid:1;)"));
    if proto != "ip" {
        assert_eq!(lines.remove(0), format!("proto = \"{proto}\""));
    }
    lines
}

fn refusal(text: &str) -> Reason {
    let imported = import(text);
    assert_eq!((imported.converted, imported.refused.len()), (0, 1), "{text}: {:?}", imported.notes);
    *imported.refused.keys().next().unwrap()
}

#[test]
fn a_rule_of_psad_becomes_one_of_ours() {
    let imported = import(
        "# a comment\nalert icmp $EXTERNAL_NET any -> $HOME_NET any (msg:\"A \\\"loud\\\" ping\"; itype:8; icode:0; \
         reference:cve,2003-0352; reference:url,example.org/x; reference:bugtraq,9; classtype:trojan-activity; psad_id:100209; \
         psad_dl:3; psad_derived_sids:5,6; psad_ip_len:92;)\n",
    );
    assert_eq!(
        imported.toml,
        "\n# Line 2.\n[[rule]]\nid = \"sid-100209\"\ntitle = \"A \\\"loud\\\" ping\"\nseverity = 3\nconfidence = \"likely\"\n\
         category = \"malware\"\ncve = [\"CVE-2003-0352\"]\n\
         references = [\"http://example.org/x\", \"Bugtraq 9\", \"Snort sid 5,6\"]\n\
         why = \"Imported rule 100209 (trojan-activity).\"\n[rule.match]\nproto = \"icmp\"\nicmp-type = 8\nicmp-code = 0\nlen = 92\n"
    );
    assert_eq!(imported.summary(), "1 converted, 0 refused");
}

#[test]
fn addresses_ports_and_directions_are_kept() {
    assert_eq!(
        conditions("alert tcp !10.0.0.0/8 1024: -> [192.0.2.1,198.51.100.0/24] [80,443,!443] (flags:S; ttl:>220; sid:1;)"),
        [
            "proto = \"tcp\"",
            "src = [\"!10.0.0.0/8\"]",
            "dst = [\"192.0.2.1\", \"198.51.100.0/24\"]",
            "sport = \"1024-65535\"",
            "dport = 80",
            "ttl = \"221-255\"",
            "flags = [\"SYN\"]"
        ]
    );
    // Our own packets are meant as well where the sender is at home.
    assert!(
        conditions("alert tcp $HOME_NET any -> any 8888 (flags:S; sid:1;)")
            .contains(&"direction = [\"in\", \"out\", \"forward\"]".to_owned())
    );
    let both = import("alert tcp any 5 <> any 6 (sid:1;)");
    assert_eq!(rules(&both).iter().map(|rule| rule[1..3].join(" ")).collect::<Vec<_>>(), ["sport = 5 dport = 6", "sport = 6 dport = 5"]);
    assert!(both.toml.contains("id = \"sid-1\"") && both.toml.contains("id = \"sid-1-2\""));
    let mut variables = Variables::of_psad();
    variables.read_psad_conf(b"HOME_NET 192.168.1.0/24;\nEXTERNAL_NET !$HOME_NET;\n");
    let text =
        convert::signatures(b"portvar WEB [80,8080]\nalert tcp $EXTERNAL_NET any -> $HOME_NET $WEB (flags:S; sid:1;)", variables).toml;
    assert!(text.contains("src = [\"!192.168.1.0/24\"]\ndst = [\"192.168.1.0/24\"]\ndport = [80, 8080]\n"), "{text}");
}

#[test]
fn keywords_mean_what_psad_and_snort_mean() {
    for (proto, keyword, expected) in [
        ("tcp", "flags:S", &["flags = [\"SYN\"]"][..]),
        ("tcp", "flags:0", &["flags = []"]),
        ("tcp", "flags:SRAFPU", &["flags = [\"SYN\", \"RST\", \"ACK\", \"FIN\", \"PSH\", \"URG\"]"]),
        ("tcp", "flags:S,12", &["flags = { set = [\"SYN\"], clear = [\"FIN\", \"RST\", \"PSH\", \"ACK\", \"URG\"] }"]),
        ("tcp", "flags:SF+", &["flags = { set = [\"SYN\", \"FIN\"] }"]),
        ("tcp", "flags:!SF", &["flags = { clear = [\"SYN\", \"FIN\"] }"]),
        ("tcp", "seq:1958810375; ack:0; window:55808", &["seq = 1958810375", "ack = 0", "window = 55808"]),
        (
            "icmp",
            "itype:5; icode:>0; icmp_id:456; icmp_seq:0",
            &["icmp-type = 5", "icmp-code = \"1-255\"", "icmp-id = 456", "icmp-seq = 0"],
        ),
        ("udp", "dsize:>2", &["payload = \"3-65535\""]),
        ("udp", "psad_dsize:10<>20", &["payload = \"10-20\""]),
        ("ip", "ttl:0; id:413", &["ttl = 0", "id = 413"]),
        ("ip", "ip_proto:>134", &["ip-proto = \"135-255\""]),
        ("ip", "ip_proto:!tcp", &["ip-proto = { not = 6 }"]),
        ("ip", "tos:20", &["tos = 20", "prec = 0"]),
        ("ip", "tos:164", &["tos = 4", "prec = 160"]),
        ("ip", "ipopts:lsrr ", &["ip-option = [131]"]),
        ("ip", "fragbits:M", &["mf = true", "df = false", "ce = false"]),
        ("ip", "fragbits:MD+", &["mf = true", "df = true"]),
        ("ip", "fragbits:!D", &["df = false"]),
        ("ip", "fragoffset:>0", &["frag = \"1-8191\""]),
        ("ip", "sameip", &["src = \"dst\"", "in = { regex = \"^([^l]|l[^o]|lo.)\" }"]),
        (
            "udp",
            "detection_filter:track by_src, count 4, seconds 60; id:7",
            &["id = 7", "[rule.count]", "at-least = 5", "within = \"60s\"", "per = \"src\""],
        ),
        ("udp", "threshold:type limit, track by_src, count 1, seconds 60; id:7", &["id = 7"]),
        ("udp", "metadata:a b; rev:3; priority:1; gid:1; tag:host,1,packets; flow:stateless; id:7", &["id = 7"]),
    ] {
        assert_eq!(options(proto, keyword), expected, "{keyword}");
    }
}

#[test]
fn one_of_several_flags_is_a_rule_for_each_and_no_packet_counts_twice() {
    let imported = import("alert tcp any any -> any any (flags:SF*; sid:1;)");
    let flags: Vec<_> = rules(&imported).iter().map(|rule| rule[1].clone()).collect();
    assert_eq!(flags, ["flags = { set = [\"SYN\"] }", "flags = { set = [\"FIN\"], clear = [\"SYN\"] }"]);
}

#[test]
fn a_port_alone_is_a_hint_and_so_is_what_has_a_condition_that_a_log_does_not_show() {
    let confidence = |text: &str| import(text).toml.lines().find_map(|line| line.strip_prefix("confidence = ").map(str::to_owned)).unwrap();
    assert_eq!(confidence("alert tcp any any -> any 1433 (flags:S; sid:1;)"), "\"hint\"");
    assert_eq!(confidence("alert udp any any -> any 31335 (sid:1;)"), "\"hint\"");
    assert_eq!(confidence("alert icmp any any -> any any (itype:8; icode:0; sid:1;)"), "\"hint\"");
    assert_eq!(confidence("alert icmp any any -> any any (itype:8; icode:>0; sid:1;)"), "\"likely\"");
    assert_eq!(confidence("alert icmp any any -> any any (itype:5; icode:0; sid:1;)"), "\"likely\"");
    assert_eq!(confidence("alert icmp any any -> any any (itype:8; icode:0; psad_ip_len:92; sid:1;)"), "\"likely\"");
    assert_eq!(confidence("alert udp any any -> any 31335 (dsize:>2; sid:1;)"), "\"likely\"");
    assert_eq!(confidence("alert tcp any any -> any 23 (flags:SF; sid:1;)"), "\"likely\"");
    let weak = import("alert tcp any any -> any 80 (flags:PA; flow:to_server,established; sid:7;)");
    assert_eq!(rules(&weak)[0][2], "flags = [\"PSH\", \"ACK\"]");
    assert!(weak.toml.contains("confidence = \"hint\""));
    assert_eq!(
        weak.notes.iter().map(|(line, note)| format!("{line}: {note}")).collect::<Vec<_>>(),
        [
            "1: rule 7: flow:to_server is not looked at; it becomes a hint",
            "1: rule 7: flow:established is looked for only as the flag ACK; it becomes a hint"
        ]
    );
    assert_eq!(weak.summary(), "1 converted (1 of them only as hints, since a condition is not looked at), 0 refused");
}

#[test]
fn a_rule_that_looks_into_the_payload_is_refused_and_leaves_its_name_for_fwsnort() {
    let imported = import("alert tcp any any -> any 80 (msg:\"WEB x\"; flags:A; content:\"|90 90|; flags:S;\"; nocase; sid:1234; rev:2;)");
    assert_eq!(imported.toml, "\n# Line 1: only as the name of a log prefix.\n[[sid]]\nnumber = 1234\ntitle = \"WEB x\"\n");
    assert_eq!(imported.summary(), "0 converted, 1 refused: 1 looks into the payload");
    assert_eq!(imported.notes, [(1, "rule 1234: refused: looks into the payload: content".to_owned())]);
}

#[test]
fn what_has_no_counterpart_is_refused_with_its_reason() {
    let with = |options: &str| refusal(&format!("alert tcp any any -> any any ({options}; sid:1;)"));
    assert_eq!(with("flowbits:isset,x"), Reason::State);
    assert_eq!(with("frobnicate:1"), Reason::Keyword);
    assert_eq!(with("itype:8"), Reason::Keyword, "of tcp");
    assert_eq!(with("ipopts:any"), Reason::Keyword);
    assert_eq!(with("tos:!4"), Reason::Value);
    assert_eq!(with("flags:X"), Reason::Value);
    assert_eq!(with("ttl:300"), Reason::Value);
    assert_eq!(with("ttl:<0"), Reason::Never);
    assert_eq!(with("psad_dl:9"), Reason::Value);
    assert_eq!(with("fragoffset:0"), Reason::Keyword);
    assert_eq!(with("pcre:\"/x/\"; frobnicate:1"), Reason::Payload, "the payload is what matters");
    assert_eq!(refusal("alert tcp any any -> any any (msg:\"x\";)"), Reason::Number);
    assert_eq!(refusal("pass tcp any any -> any any (sid:1;)"), Reason::Action);
    assert_eq!(refusal("alert http any any -> any any (sid:1;)"), Reason::Protocol);
    assert_eq!(refusal("alert icmp any 7 -> any any (sid:1;)"), Reason::Value);
    assert_eq!(refusal("alert tcp $MY_NET any -> any any (sid:1;)"), Reason::Variable);
    assert_eq!(refusal("alert tcp !any any -> any any (sid:1;)"), Reason::Never);
    assert_eq!(refusal("alert ip any any -> any any (sid:1;)"), Reason::Value, "it fits every packet");
    assert_eq!(refusal("config detection: x"), Reason::Syntax);
    let twice = import("alert tcp any any -> any 1 (sid:1;)\nalert tcp any any -> any 2 (psad_id:1;)");
    assert_eq!(
        (twice.converted, twice.notes[0].1.as_str()),
        (1, "rule 1: refused: has no number of its own (sid or psad_id): 1 is that of line 1")
    );
}

#[test]
fn a_file_without_end_is_answered_within_bounds() {
    let rubbish = import(&"x\n".repeat(50_000));
    assert_eq!((rubbish.notes.len(), rubbish.unsaid), (super::MAX_NOTES, 40_000));
    let rules: String = (0..100_000).map(|n| format!("alert tcp any any -> any 1 (sid:{n};)\n")).collect();
    let many = import(&rules);
    assert!(many.toml.len() < super::MAX_OUTPUT + 1024 && many.converted > 10_000, "{}", many.toml.len());
    assert_eq!(many.refused.into_iter().collect::<Vec<_>>(), [(Reason::TooMuch, 1)]);
    let words = import(&format!("alert tcp any any -> any 1 (flow:{}to_server; sid:1;)", "to_server,".repeat(5000)));
    assert_eq!(words.notes.len(), 1);
}

#[test]
fn a_level_of_zero_turns_the_rule_off() {
    let toml = import("alert tcp any any -> any 1 (psad_dl:0; sid:1;)").toml;
    assert!(toml.contains("severity = 1\n") && toml.contains("enabled = false\n[rule.match]"), "{toml}");
}

#[test]
fn a_hint_is_no_more_severe_than_a_hint_can_be() {
    let severity = |text: &str| import(text).toml.lines().find_map(|line| line.strip_prefix("severity = ").map(str::to_owned)).unwrap();
    assert_eq!(severity("alert tcp any any -> any 1 (psad_dl:5; sid:1;)"), "2");
    assert_eq!(severity("alert tcp any any -> any 1 (psad_dl:5; ttl:1; sid:1;)"), "5");
}

#[test]
fn levels_of_sources_become_severities() {
    let imported = lists::auto_dl(
        b"#  127.0.0.1  0;\n10.111.21.23     5;                # very bad\n127.0.0.1        0;\n10.10.1.0/24 3 tcp/1-1024, tcp/8080,udp;\n\
          10.0.0.0 / 255.0.0.0   1  icmp;\n2001:db8::/32 4;\nbad.example.org 5;\n192.0.2.1 6;\n192.0.2.1\n192.0.2.1 3 sctp;\n",
    );
    assert_eq!(
        imported.toml,
        "\n# Line 2.\n[[severity]]\nsource = \"10.111.21.23\"\nminimum = 5\n\
         \n# Line 3.\n[[severity]]\nsource = \"127.0.0.1\"\nfixed = 0\n\
         \n# Line 4.\n[[severity]]\nsource = \"10.10.1.0/24\"\nprotocol = \"tcp\"\nports = [\"1-1024\", 8080]\nminimum = 3\n\
         \n# Line 4.\n[[severity]]\nsource = \"10.10.1.0/24\"\nprotocol = \"udp\"\nminimum = 3\n\
         \n# Line 5.\n[[severity]]\nsource = \"10.0.0.0/8\"\nprotocol = \"icmp\"\nminimum = 1\n\
         \n# Line 6.\n[[severity]]\nsource = \"2001:db8::/32\"\nminimum = 4\n"
    );
    assert_eq!(imported.refused.into_iter().collect::<Vec<_>>(), [(Reason::Syntax, 2), (Reason::Protocol, 1), (Reason::Host, 1)]);
    // The collector takes it.
    Config::parse(Path::new("auto_dl.toml"), &imported.toml).unwrap();
}

#[test]
fn levels_of_rules_become_overrides() {
    let imported = lists::snort_rule_dl(b"# comment\n 2284   3;\n1421 0\nx 3;\n7 9;\n7;\n", |_| lists::Rule::Teller);
    assert_eq!(
        imported.toml,
        "\n# Line 2.\n[[override]]\nid = \"sid-2284\"\nseverity = 3\n\n# Line 3.\n[[override]]\nid = \"sid-1421\"\nenabled = false\n"
    );
    assert_eq!(imported.refused.into_iter().collect::<Vec<_>>(), [(Reason::Value, 1), (Reason::Syntax, 2)]);
}

#[test]
fn the_kind_of_a_file_is_told_by_its_name() {
    assert_eq!(
        ["/etc/psad/auto_dl", "snort_rule_dl", "signatures", "web.rules", "-"].map(|name| Kind::of(Path::new(name))),
        [Kind::AutoDl, Kind::SnortRuleDl, Kind::Signatures, Kind::Signatures, Kind::Signatures]
    );
}

/// Whatever is read, every line is accounted for, and what is said of it is fit for a terminal.
fn check(bytes: &[u8], imported: &Imported) -> Result<(), TestCaseError> {
    let lines = super::lines::logical(bytes).count();
    prop_assert!(imported.converted + imported.refused.values().sum::<usize>() <= lines);
    for (line, note) in &imported.notes {
        prop_assert!(*line > 0 && note.len() < 512 && !note.chars().any(char::is_control), "{note:?}");
    }
    Ok(())
}

/// And the collector takes every rule that comes out.
fn check_rules(bytes: &[u8]) -> Result<(), TestCaseError> {
    let imported = convert::signatures(bytes, Variables::of_psad());
    check(bytes, &imported)?;
    let loaded = Loaded::of(&[Source { path: "x.toml".into(), text: imported.toml.clone() }]);
    prop_assert!(loaded.problems.is_empty(), "{}\n{}", loaded.problems[0], imported.toml);
    prop_assert!(loaded.rules.entries().len() >= imported.converted);
    Ok(())
}

/// Words of rules, in any order.
fn wordy() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "alert",
        "tcp",
        "udp",
        "icmp",
        "ip",
        "any",
        "$HOME_NET",
        "->",
        "<>",
        "<-",
        "(",
        ")",
        ";",
        ":",
        "[",
        "]",
        "!",
        ",",
        "1:1024",
        "80",
        "\"",
        "\\",
        "\n",
        "10.0.0.0/8",
        "msg:\"x\";",
        "sid:1;",
        "flags:S;",
        "flags:SF*;",
        "fragbits:MD*;",
        "content:\"x\";",
        "ttl:>5;",
        "dsize:1<>3;",
        "sameip;",
        "psad_dl:3;",
        "flow:established;",
        "threshold:track by_src,count 5,seconds 9;",
        "reference:cve,1999-0001;",
        "var",
        "X",
        "$X",
        "#",
        "\u{202e}",
        "5",
        ";\n",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" ").into_bytes())
}

proptest! {
    #[test]
    fn any_bytes_are_rules_or_refused(bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..600), wordy()]) {
        check_rules(&bytes)?;
        let imported = lists::auto_dl(&bytes);
        check(&bytes, &imported)?;
        prop_assert!(Config::parse(Path::new("x.toml"), &imported.toml).is_ok(), "{}", imported.toml);
        check(&bytes, &lists::snort_rule_dl(&bytes, |_| lists::Rule::Teller))?;
        Variables::of_psad().read_psad_conf(&bytes);
    }

    #[test]
    fn any_value_in_a_rule_is_taken_or_refused(value in "[!<>=*+a-zA-Z0-9:,.\\[\\]\" /$-]{0,40}", keyword in prop::sample::select(KEYWORDS)) {
        for text in [
            format!("alert tcp any any -> any any ({keyword}:{value}; sid:1;)"),
            format!("alert ip any any -> any any ({keyword}:{value}; sid:1;)"),
            format!("alert tcp {value} any -> any any (sid:1;)"),
            format!("alert tcp any {value} -> any any (sid:1;)"),
        ] {
            check_rules(text.as_bytes())?;
        }
    }

    #[test]
    fn any_numbers_in_a_keyword_are_taken_or_refused(a in "[!<>=]{0,2}[0-9]{0,6}", between in "(|<>|-|:)", b in "[0-9]{0,6}", keyword in prop::sample::select(KEYWORDS)) {
        for proto in ["tcp", "udp", "icmp", "ip"] {
            check_rules(format!("alert {proto} any any -> any any ({keyword}:{a}{between}{b}; sid:1;)").as_bytes())?;
        }
    }

    #[test]
    fn any_line_of_a_list_is_a_severity_or_refused(source in "[0-9.:/a-f ]{0,24}", level in "[0-9]{0,2}", protocol in "(|tcp|udp|icmp|xyz)", ports in "[/0-9, -]{0,16}") {
        let text = format!("{source} {level} {protocol}{ports};");
        let imported = lists::auto_dl(text.as_bytes());
        check(text.as_bytes(), &imported)?;
        prop_assert!(Config::parse(Path::new("x.toml"), &imported.toml).is_ok(), "{text}\n{}", imported.toml);
    }
}

const KEYWORDS: &[&str] = &[
    "flags",
    "ttl",
    "itype",
    "icode",
    "icmp_id",
    "icmp_seq",
    "dsize",
    "fragbits",
    "fragoffset",
    "flow",
    "ipopts",
    "tos",
    "ip_proto",
    "id",
    "seq",
    "ack",
    "window",
    "psad_ip_len",
    "psad_dl",
    "threshold",
    "detection_filter",
    "msg",
    "reference",
    "classtype",
    "sid",
];
