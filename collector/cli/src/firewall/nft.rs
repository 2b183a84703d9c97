//! Reads `nft -j list ruleset` (libnftables-json(5)).
//!
//! What is not understood is kept as unknown, so a rule set of a newer nft is read as far as it goes.

use super::{Backend, Base, Chain, Field, Firewall, Flags, Limit, Log, Raw, Rule, Step, Table, Test, Value, Verdict, Wanted};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

/// Reads a rule set.
///
/// # Errors
/// It is no JSON, or not of this form.
pub(crate) fn read(text: &[u8]) -> Result<Firewall, String> {
    let document: Json = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let objects = document.get("nftables").and_then(Json::as_array).ok_or("there is no list \"nftables\" in it")?;
    let mut known = Known::default();
    let mut firewall = Firewall::default();
    for object in objects {
        for kind in ["set", "map"] {
            if let Some(set) = object.get(kind) {
                let elements = set.get("elem").and_then(Json::as_array).cloned().unwrap_or_default();
                known.sets.insert((key(set, "family"), key(set, "table"), key(set, "name")), elements);
            }
        }
        if let Some(limit) = object.get("limit") {
            known.limits.insert((key(limit, "family"), key(limit, "table"), key(limit, "name")), self::limit(limit, false));
        }
        if let Some(table) = object.get("table") {
            let (family, name) = (key(table, "family"), key(table, "name"));
            firewall.tables.push(Table { backend: Backend::Nft, family, name, chains: BTreeMap::new(), sets: BTreeSet::new() });
        }
    }
    for object in objects {
        if let Some(set) = object.get("set")
            && let Some(table) = firewall.table_of(set)
        {
            table.sets.insert(key(set, "name"));
        }
        if let Some(chain) = object.get("chain")
            && let Some(table) = firewall.table_of(chain)
        {
            table.chains.insert(key(chain, "name"), Chain { base: base(chain), rules: Vec::new() });
        }
    }
    for object in objects {
        if let Some(rule) = object.get("rule")
            && let Some(table) = firewall.table_of(rule)
            && let Some(chain) = table.chains.get_mut(&key(rule, "chain"))
        {
            let scope = Scope { known: &known, family: key(rule, "family"), table: key(rule, "table") };
            let expressions = rule.get("expr").and_then(Json::as_array).cloned().unwrap_or_default();
            let mut steps = Vec::new();
            for expression in &expressions {
                scope.expression(expression, &mut steps);
            }
            let handle = rule.get("handle").and_then(Json::as_u64);
            chain.rules.push(Rule { handle, comment: key(rule, "comment"), steps, raw: Raw::Nft(expressions) });
        }
    }
    Ok(firewall)
}

impl Firewall {
    fn table_of(&mut self, object: &Json) -> Option<&mut Table> {
        let (family, name) = (key(object, "family"), key(object, "table"));
        self.tables.iter_mut().find(|table| table.family == family && table.name == name)
    }
}

/// Named things that rules refer to, by family, table and name.
#[derive(Default)]
struct Known {
    sets: HashMap<(String, String, String), Vec<Json>>,
    limits: HashMap<(String, String, String), Limit>,
}

fn key(object: &Json, key: &str) -> String {
    object.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn base(chain: &Json) -> Option<Base> {
    let hook = chain.get("hook").and_then(Json::as_str)?.to_owned();
    let priority = chain.get("prio").and_then(Json::as_i64).unwrap_or(0);
    Some(Base { hook, kind: key(chain, "type"), priority, drops: key(chain, "policy") == "drop" })
}

struct Scope<'a> {
    known: &'a Known,
    family: String,
    table: String,
}

impl Scope<'_> {
    fn name(&self, name: &str) -> (String, String, String) {
        (self.family.clone(), self.table.clone(), name.to_owned())
    }

    fn expression(&self, expression: &Json, steps: &mut Vec<Step>) {
        // `{"accept": null}`: one key; newer ones give some as a plain string.
        let Some((word, body)) = expression.as_object().and_then(|object| object.iter().next()) else { return };
        match word.as_str() {
            "match" => self.test(body, steps),
            "vmap" => {
                let left = body.get("key").unwrap_or(&Json::Null);
                let field = self.field(left, steps);
                let mut entries = Vec::new();
                for element in self.elements(body.get("data").unwrap_or(&Json::Null), 0) {
                    let (value, verdict) = (element.get(0).unwrap_or(&Json::Null), element.get(1).unwrap_or(&Json::Null));
                    let mut values = Vec::new();
                    self.values(field, value, 0, &mut values);
                    entries.extend(values.into_iter().map(|value| (value, self::verdict(verdict).unwrap_or(Verdict::Continue))));
                }
                steps.push(Step::Map(field, entries));
            }
            "limit" => steps.push(Step::Limit(match body.as_str() {
                Some(name) => self.known.limits.get(&self.name(name)).copied().unwrap_or(UNKNOWN_LIMIT),
                None => limit(body, false),
            })),
            // A rule that puts sources into a set may have a limit for each.
            "set" | "meter" => {
                let key = body.get("elem").or_else(|| body.get("key")).map(Json::to_string).unwrap_or_default();
                for statement in body.get("stmt").and_then(Json::as_array).into_iter().flatten() {
                    if let Some(body) = statement.get("limit") {
                        steps.push(Step::Limit(limit(body, key.contains("saddr"))));
                    }
                }
            }
            "log" => steps.push(Step::Log(log(body))),
            "accept" | "drop" | "reject" | "return" | "continue" | "jump" | "goto" | "queue" => {
                steps.extend(verdict(expression).map(Step::Verdict));
            }
            // An `iptables` match in a table that is not read by iptables-save.
            "xt" if body.get("type").and_then(Json::as_str) == Some("match") => steps.push(unknown()),
            "ct count" | "quota" | "ct timeout" | "secmark" => steps.push(unknown()),
            // Counters, marks, address translation: they decide nothing.
            _ => {}
        }
    }

    /// Elements of a set that is written out or named.
    fn elements(&self, value: &Json, depth: usize) -> Vec<Json> {
        if let Some(name) = value.as_str().and_then(|name| name.strip_prefix('@')) {
            return self.known.sets.get(&self.name(name)).cloned().unwrap_or_default();
        }
        match value.get("set") {
            Some(Json::Array(elements)) => elements.clone(),
            Some(inner) if depth < 4 => self.elements(inner, depth + 1),
            _ => Vec::new(),
        }
    }

    fn test(&self, body: &Json, steps: &mut Vec<Step>) {
        let (left, right) = (body.get("left").unwrap_or(&Json::Null), body.get("right").unwrap_or(&Json::Null));
        let operator = body.get("op").and_then(Json::as_str).unwrap_or("==");
        if is_flags(left) || left.get("&").and_then(|both| both.get(0)).is_some_and(is_flags) {
            steps.push(protocol("tcp"));
            steps.push(Step::Flags(flags(left, operator, right)));
            return;
        }
        let field = self.field(left, steps);
        let mut values = Vec::new();
        match operator {
            "==" | "!=" | "in" => self.values(field, right, 0, &mut values),
            "<" | "<=" | ">" | ">=" => values.push(comparison(operator, right)),
            _ => values.push(Value::Unknown),
        }
        steps.push(Step::Test(Test { field, values, is_negated: operator == "!=" }));
    }

    /// What is looked at. A field of a protocol is there in packets of that protocol only, which the rule does not say again.
    fn field(&self, left: &Json, steps: &mut Vec<Step>) -> Field {
        if let Some(payload) = left.get("payload") {
            let (protocol_name, field) = (key(payload, "protocol"), key(payload, "field"));
            match protocol_name.as_str() {
                "tcp" | "udp" => steps.push(protocol(&protocol_name)),
                "icmp" | "icmpv6" => steps.push(protocol(&protocol_name)),
                "ip" => steps.push(family("ipv4")),
                "ip6" => steps.push(family("ipv6")),
                _ => {}
            }
            return match (protocol_name.as_str(), field.as_str()) {
                ("tcp" | "udp" | "th", "dport") => Field::DestinationPort,
                ("tcp" | "udp" | "th", "sport") => Field::SourcePort,
                ("ip" | "ip6", "saddr") => Field::Source,
                ("ip" | "ip6", "daddr") => Field::Destination,
                ("ip", "protocol") | ("ip6", "nexthdr") => Field::Protocol,
                ("icmp" | "icmpv6", "type") => Field::IcmpType,
                _ => Field::Other,
            };
        }
        if let Some(meta) = left.get("meta") {
            return match meta.get("key").and_then(Json::as_str).unwrap_or_default() {
                "iif" | "iifname" => Field::InIface,
                "oif" | "oifname" => Field::OutIface,
                "l4proto" => Field::Protocol,
                "nfproto" | "protocol" => Field::Family,
                "pkttype" => Field::PacketType,
                "mark" => Field::Mark,
                _ => Field::Other,
            };
        }
        if left.pointer("/ct/key").and_then(Json::as_str) == Some("state") {
            return Field::State;
        }
        if let Some(fib) = left.get("fib")
            && fib.get("result").and_then(Json::as_str) == Some("type")
        {
            let has = |flag: &str| match fib.get("flags") {
                Some(Json::String(one)) => one == flag,
                Some(Json::Array(all)) => all.iter().any(|one| one.as_str() == Some(flag)),
                _ => false,
            };
            if has("daddr") {
                return Field::DestinationType;
            }
            if has("saddr") {
                return Field::SourceType;
            }
        }
        // `ip saddr & 255.255.0.0`: the rest is still an address of the stranger's, in no network that is named.
        if let Some(inner) = left.get("&").and_then(|both| both.get(0)) {
            // One level: the fields of a packet are no deeper.
            return if inner.get("payload").is_some() { self.field(inner, steps) } else { Field::Other };
        }
        Field::Other
    }

    fn values(&self, field: Field, right: &Json, depth: usize, values: &mut Vec<Value>) {
        if depth > 4 {
            values.push(Value::Unknown);
            return;
        }
        match right {
            Json::String(name) if name.starts_with('@') => {
                for element in self.elements(right, 0) {
                    self.values(field, &element, depth + 1, values);
                }
            }
            Json::String(text) => values.push(value(field, text)),
            Json::Number(number) => values.push(number.as_u64().map_or(Value::Unknown, |number| Value::Numbers(number, number))),
            Json::Array(all) => {
                for one in all {
                    self.values(field, one, depth + 1, values);
                }
            }
            Json::Object(object) => {
                if let Some(set) = object.get("set") {
                    self.values(field, set, depth + 1, values);
                } else if let Some(element) = object.get("elem").and_then(|element| element.get("val")) {
                    self.values(field, element, depth + 1, values);
                } else if let Some(bits) = object.get("|") {
                    self.values(field, bits, depth + 1, values);
                } else if let Some(prefix) = object.get("prefix") {
                    let length = prefix.get("len").and_then(Json::as_u64).and_then(|length| u8::try_from(length).ok());
                    values.push(match (key(prefix, "addr").parse(), length) {
                        (Ok(address), Some(length)) => Value::Network(address, length),
                        _ => Value::Unknown,
                    });
                } else if let Some(range) = object.get("range") {
                    values.push(match (range.get(0), range.get(1)) {
                        (Some(low), Some(high)) => self::range(low, high),
                        _ => Value::Unknown,
                    });
                } else {
                    values.push(Value::Unknown);
                }
            }
            _ => values.push(Value::Unknown),
        }
    }
}

const UNKNOWN_LIMIT: Limit = Limit { per_second: f64::INFINITY, per_source: false, is_over: false };

fn unknown() -> Step {
    Step::Test(Test { field: Field::Other, values: vec![Value::Unknown], is_negated: false })
}

fn protocol(name: &str) -> Step {
    Step::Test(Test { field: Field::Protocol, values: vec![Value::Word(name.to_owned())], is_negated: false })
}

fn family(name: &str) -> Step {
    Step::Test(Test { field: Field::Family, values: vec![Value::Word(name.to_owned())], is_negated: false })
}

/// A value in words: an address, or a name.
fn value(field: Field, text: &str) -> Value {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Value::Network(address, if address.is_ipv4() { 32 } else { 128 });
    }
    // Names of interfaces keep their case.
    Value::Word(if matches!(field, Field::InIface | Field::OutIface) { text.to_owned() } else { text.to_ascii_lowercase() })
}

/// Of ports, or of addresses, which a stranger's is not in.
fn range(low: &Json, high: &Json) -> Value {
    match (low.as_u64(), high.as_u64()) {
        (Some(low), Some(high)) => Value::Numbers(low, high),
        _ => Value::Word("a range".to_owned()),
    }
}

fn comparison(operator: &str, right: &Json) -> Value {
    let Some(number) = right.as_u64() else { return Value::Unknown };
    match operator {
        "<" => number.checked_sub(1).map_or(Value::Unknown, |high| Value::Numbers(0, high)),
        "<=" => Value::Numbers(0, number),
        ">" => number.checked_add(1).map_or(Value::Unknown, |low| Value::Numbers(low, u64::MAX)),
        _ => Value::Numbers(number, u64::MAX),
    }
}

fn verdict(expression: &Json) -> Option<Verdict> {
    let (word, body) = expression.as_object()?.iter().next()?;
    let target = || key(body, "target");
    Some(match word.as_str() {
        "accept" => Verdict::Accept,
        "drop" => Verdict::Drop,
        "reject" => Verdict::Reject,
        "return" => Verdict::Return,
        "queue" => Verdict::Queue,
        "jump" => Verdict::Jump(target()),
        "goto" => Verdict::Goto(target()),
        _ => return None,
    })
}

fn limit(body: &Json, per_source: bool) -> Limit {
    let rate = body.get("rate").and_then(Json::as_f64);
    let seconds = match body.get("per").and_then(Json::as_str).unwrap_or("second") {
        "second" => 1.0,
        "minute" => 60.0,
        "hour" => 3_600.0,
        "day" => 86_400.0,
        _ => 604_800.0,
    };
    // Of bytes: as good as none.
    let is_bytes = body.get("rate_unit").and_then(Json::as_str).is_some_and(|unit| unit != "packets");
    let per_second = rate.filter(|_| !is_bytes).map_or(f64::INFINITY, |rate| rate / seconds);
    Limit { per_second, per_source, is_over: body.get("inv").and_then(Json::as_bool).unwrap_or(false) }
}

fn log(body: &Json) -> Log {
    // libnftables: emerg 0 to debug 7, audit beside them.
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    let level = key(body, "level");
    let flags: Vec<&str> = match body.get("flags") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let has = |flag: &str| flags.contains(&flag) || flags.contains(&"all");
    Log {
        prefix: key(body, "prefix"),
        level: LEVELS.iter().position(|name| *name == level).and_then(|at| u8::try_from(at).ok()),
        group: body.get("group").and_then(Json::as_u64),
        is_audit: level == "audit",
        tcp_sequence: has("tcp sequence"),
        tcp_options: has("tcp options"),
        ip_options: has("ip options"),
    }
}

fn is_flags(left: &Json) -> bool {
    left.pointer("/payload/protocol").and_then(Json::as_str) == Some("tcp")
        && left.pointer("/payload/field").and_then(Json::as_str) == Some("flags")
}

fn flags(left: &Json, operator: &str, right: &Json) -> Flags {
    let mask = left.get("&").and_then(|both| both.get(1));
    let (mask, right) = (mask.map_or(Some(0xff), |mask| bits(mask, 0)), bits(right, 0));
    let (Some(mask), Some(right)) = (mask, right) else { return Flags { mask: 0, wanted: Wanted::Unknown, is_negated: false } };
    match operator {
        "==" => Flags { mask, wanted: Wanted::Exactly(right), is_negated: false },
        "!=" => Flags { mask, wanted: Wanted::Exactly(right), is_negated: true },
        "in" => Flags { mask: mask & right, wanted: Wanted::Any, is_negated: false },
        "!" => Flags { mask: mask & right, wanted: Wanted::Any, is_negated: true },
        _ => Flags { mask, wanted: Wanted::Unknown, is_negated: false },
    }
}

/// TCP flags as a number, a name, or several. Bits: RFC 9293, section 3.1.
fn bits(value: &Json, depth: usize) -> Option<u8> {
    if depth > 16 {
        return None;
    }
    match value {
        Json::Number(number) => number.as_u64().and_then(|number| u8::try_from(number).ok()),
        Json::String(name) => super::xtables::flag(name),
        Json::Array(all) => all.iter().try_fold(0, |bits, one| Some(bits | self::bits(one, depth + 1)?)),
        Json::Object(object) => object.get("|").or_else(|| object.get("set")).and_then(|inner| bits(inner, depth + 1)),
        _ => None,
    }
}
