//! Reads what `iptables-save` and `ip6tables-save` write (iptables-extensions(8) for the words).

use super::{Backend, Base, Chain, Field, Firewall, Flags, Limit, Log, Raw, Rule, Step, Table, Test, Value, Verdict, Wanted};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Reads the tables of one program. Lines of another form are left out: comments, and tables that nft only understands.
pub(crate) fn read(text: &[u8], backend: Backend, is_v6: bool) -> Firewall {
    let mut firewall = Firewall::default();
    for line in lines(text) {
        let line = String::from_utf8_lossy(line);
        if let Some(name) = line.strip_prefix('*') {
            let family = if is_v6 { "ip6" } else { "ip" };
            firewall.tables.push(Table {
                backend,
                family: family.to_owned(),
                name: name.trim().to_owned(),
                chains: BTreeMap::new(),
                sets: BTreeSet::new(),
            });
            continue;
        }
        let Some(table) = firewall.tables.last_mut() else { continue };
        if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split_whitespace();
            let (Some(name), policy) = (words.next(), words.next().unwrap_or("-")) else { continue };
            let base = base(&table.name, name, policy);
            table.chains.insert(name.to_owned(), Chain { base, rules: Vec::new() });
        } else {
            let words = words(&line);
            // With counters (`-c`) they stand in front.
            let words = if words.first().is_some_and(|word| word.starts_with('[')) { words.get(1..).unwrap_or_default() } else { &words };
            if let [add, name, rest @ ..] = words
                && add == "-A"
                && let Some(chain) = table.chains.get_mut(name)
            {
                chain.rules.push(rule(rest));
            }
        }
    }
    for table in &mut firewall.tables {
        targets(table);
    }
    firewall
}

/// The lines. A comment may hold an end of line of its own, which is printed as it is between its quotes: what follows it would
/// look like a rule that is not there. Where the quotes are never closed, each end of line is one.
pub(crate) fn lines(text: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut start, mut at, mut is_inside, mut has_quotes) = (Vec::new(), 0, 0, false, true);
    while let Some(byte) = text.get(at) {
        // Of rules alone: a remark of the program's has quotes of another kind.
        let is_rule = has_quotes && text.get(start) == Some(&b'-');
        match byte {
            b'\\' if is_inside => at += 1,
            b'"' if is_rule => is_inside = !is_inside,
            b'\n' if !is_inside => {
                lines.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
        if is_inside && at >= text.len() {
            (at, is_inside, has_quotes) = (start, false, false);
        }
    }
    lines.push(text.get(start..).unwrap_or_default());
    lines
}

/// Where the kernel calls a chain that it has by itself, and when (`enum nf_ip_hook_priorities` in
/// `include/uapi/linux/netfilter_ipv4.h`).
fn base(table: &str, chain: &str, policy: &str) -> Option<Base> {
    let priority = match table {
        "raw" => -300,
        "mangle" => -150,
        "nat" => -100,
        "security" => 50,
        _ => 0,
    };
    let hook = match chain {
        "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING" if policy != "-" => chain.to_ascii_lowercase(),
        _ => return None,
    };
    let kind = if table == "nat" { "nat" } else { "filter" };
    Some(Base { hook, kind: kind.to_owned(), priority, drops: policy == "DROP" })
}

/// The words of a line; `"` keeps them together and `\` keeps what follows.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_inside, mut is_word) = (Vec::new(), String::new(), false, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if is_inside => word.extend(characters.next()),
            '"' => (is_inside, is_word) = (!is_inside, true),
            ' ' | '\t' | '\r' if !is_inside => {
                if is_word {
                    words.push(std::mem::take(&mut word));
                    is_word = false;
                }
            }
            _ => {
                word.push(character);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    words
}

fn rule(words: &[String]) -> Rule {
    let mut rule = Rule { raw: Raw::Words(words.to_vec()), ..Rule::default() };
    let (mut limit, mut log, mut verdict): (Option<Limit>, Option<Log>, Option<Verdict>) = (None, None, None);
    let (mut is_negated, mut is_target, mut at) = (false, false, 0);
    while let Some(word) = words.get(at) {
        at += 1;
        if word == "!" {
            is_negated = true;
            continue;
        }
        let count = words.get(at..).unwrap_or_default().iter().take_while(|word| !word.starts_with('-') && *word != "!").count();
        // A prefix or comment may begin with a hyphen.
        let count = if matches!(word.as_str(), "--log-prefix" | "--comment" | "--nflog-prefix") { 1 } else { count };
        let values = words.get(at..at + count).unwrap_or_default();
        at += count;
        let first = values.first().map_or("", String::as_str);
        let mut test = |field, values: Vec<Value>| rule.steps.push(Step::Test(Test { field, values, is_negated }));
        let list = |field| first.split(',').map(|part| value(field, part)).collect::<Vec<_>>();
        match word.as_str() {
            "-m" | "--match" => {}
            "--comment" => first.clone_into(&mut rule.comment),
            "-s" | "--source" => test(Field::Source, list(Field::Source)),
            "-d" | "--destination" => test(Field::Destination, list(Field::Destination)),
            "-i" | "--in-interface" => test(Field::InIface, vec![interface(first)]),
            "-o" | "--out-interface" => test(Field::OutIface, vec![interface(first)]),
            "-p" | "--protocol" if first == "all" => {}
            "-p" | "--protocol" => test(Field::Protocol, list(Field::Protocol)),
            "--ctstate" | "--state" => test(Field::State, list(Field::State)),
            "--dport" | "--dports" | "--destination-port" => test(Field::DestinationPort, list(Field::DestinationPort)),
            "--sport" | "--sports" | "--source-port" => test(Field::SourcePort, list(Field::SourcePort)),
            "--icmp-type" | "--icmpv6-type" => test(Field::IcmpType, list(Field::IcmpType)),
            "--dst-type" => test(Field::DestinationType, list(Field::DestinationType)),
            "--src-type" => test(Field::SourceType, list(Field::SourceType)),
            "--pkt-type" => test(Field::PacketType, list(Field::PacketType)),
            "--mark" if !is_target => test(Field::Mark, vec![mark(first)]),
            "--tcp-flags" => rule.steps.push(Step::Flags(flags(first, values.get(1).map_or("", String::as_str), is_negated))),
            "--syn" => rule.steps.push(Step::Flags(flags("FIN,SYN,RST,ACK", "SYN", is_negated))),
            "--limit" | "--hashlimit-upto" | "--hashlimit-above" | "--hashlimit" => {
                let is_over = word == "--hashlimit-above" || is_negated;
                limit = Some(Limit { per_second: rate(first), per_source: false, is_over });
            }
            "--hashlimit-mode" => limit.iter_mut().for_each(|limit| limit.per_source = first.contains("srcip")),
            "--limit-burst" | "--limit-iface-in" | "--limit-iface-out" => {}
            option if option.starts_with("--hashlimit") => {}
            "-j" | "--jump" | "-g" | "--goto" => {
                is_target = true;
                match first {
                    "LOG" => log = Some(Log::default()),
                    "NFLOG" => log = Some(Log { group: Some(0), ..Log::default() }),
                    "ULOG" => log = Some(Log { group: Some(1), ..Log::default() }),
                    "AUDIT" => log = Some(Log { is_audit: true, ..Log::default() }),
                    "ACCEPT" => verdict = Some(Verdict::Accept),
                    "DROP" | "STEAL" | "TARPIT" => verdict = Some(Verdict::Drop),
                    "REJECT" => verdict = Some(Verdict::Reject),
                    "RETURN" => verdict = Some(Verdict::Return),
                    "QUEUE" | "NFQUEUE" => verdict = Some(Verdict::Queue),
                    chain if word.ends_with('g') || word == "--goto" => verdict = Some(Verdict::Goto(chain.to_owned())),
                    chain => verdict = Some(Verdict::Jump(chain.to_owned())),
                }
            }
            "--log-prefix" => log.iter_mut().for_each(|log| first.clone_into(&mut log.prefix)),
            "--log-level" => log.iter_mut().for_each(|log| log.level = level(first)),
            "--log-tcp-sequence" => log.iter_mut().for_each(|log| log.tcp_sequence = true),
            "--log-tcp-options" => log.iter_mut().for_each(|log| log.tcp_options = true),
            "--log-ip-options" => log.iter_mut().for_each(|log| log.ip_options = true),
            "--nflog-group" => log.iter_mut().for_each(|log| log.group = first.parse().ok().or(log.group)),
            // What a target does is not asked, but what another match asks is not known.
            _ if is_target => {}
            _ => test(Field::Other, vec![Value::Unknown]),
        }
        is_negated = false;
    }
    rule.steps.extend(limit.map(Step::Limit));
    rule.steps.extend(log.map(Step::Log));
    rule.steps.extend(verdict.map(Step::Verdict));
    rule
}

/// Jumps to what is no chain are targets that decide nothing (MARK, TCPMSS, ...).
fn targets(table: &mut Table) {
    let names: BTreeSet<String> = table.chains.keys().cloned().collect();
    for rule in table.chains.values_mut().flat_map(|chain| &mut chain.rules) {
        rule.steps.retain(|step| match step {
            Step::Verdict(Verdict::Jump(target) | Verdict::Goto(target)) => names.contains(target),
            _ => true,
        });
    }
}

fn interface(name: &str) -> Value {
    Value::Word(name.strip_suffix('+').map_or_else(|| name.to_owned(), |start| format!("{start}*")))
}

fn value(field: Field, text: &str) -> Value {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    if let Ok(address) = address.parse::<IpAddr>() {
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length = match length.map(|length| (length.parse::<u8>(), length.parse::<IpAddr>())) {
            None => whole,
            Some((Ok(length), _)) => length,
            Some((_, Ok(IpAddr::V4(mask)))) => u8::try_from(mask.to_bits().count_ones()).unwrap_or(whole),
            Some(_) => return Value::Unknown,
        };
        return Value::Network(address, length);
    }
    let number = |text: &str, default| if text.is_empty() { Some(default) } else { text.parse::<u64>().ok() };
    let is_port = matches!(field, Field::SourcePort | Field::DestinationPort);
    if let Some((low, high)) = text.split_once(':').filter(|_| is_port) {
        return number(low, 0).zip(number(high, 65_535)).map_or(Value::Unknown, |(low, high)| Value::Numbers(low, high));
    }
    // `3/1` is a type of ICMP with its code.
    if let Some(number) = number(address, 0) {
        return Value::Numbers(number, number);
    }
    Value::Word(text.to_ascii_lowercase())
}

/// `0x5/0xff`: an unmarked packet fits when the value is 0.
fn mark(text: &str) -> Value {
    let value = text.split('/').next().unwrap_or_default();
    let number = value.strip_prefix("0x").map_or_else(|| value.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok());
    number.map_or(Value::Unknown, |number| Value::Numbers(number, number))
}

/// `3/min`, in a second; of bytes, as good as none.
fn rate(text: &str) -> f64 {
    let (count, unit) = text.split_once('/').unwrap_or((text, "second"));
    let seconds = match unit.as_bytes().first() {
        Some(b'm') => 60.0,
        Some(b'h') => 3_600.0,
        Some(b'd') => 86_400.0,
        _ => 1.0,
    };
    count.parse::<f64>().map_or(f64::INFINITY, |count| count / seconds)
}

fn level(text: &str) -> Option<u8> {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    text.parse().ok().or_else(|| LEVELS.iter().position(|name| text.starts_with(name)).and_then(|at| u8::try_from(at).ok()))
}

fn flags(mask: &str, wanted: &str, is_negated: bool) -> Flags {
    let bits = |text: &str| match text {
        "ALL" => Some(0x3f),
        "NONE" => Some(0),
        text => text.split(',').try_fold(0, |bits, name| Some(bits | flag(name)?)),
    };
    match (bits(mask), bits(wanted)) {
        (Some(mask), Some(wanted)) => Flags { mask, wanted: Wanted::Exactly(wanted), is_negated },
        _ => Flags { mask: 0, wanted: Wanted::Unknown, is_negated },
    }
}

/// A TCP flag by its name. Bits: RFC 9293, section 3.1.
pub(super) fn flag(name: &str) -> Option<u8> {
    const NAMES: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
    NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)).map(|at| 1 << at)
}
