//! Log rules in the user's own nftables chains, or, where no chain refuses anything, in a table of our own.
//!
//! nft is told in JSON (libnftables-json(5)), so that the conditions of a rule can be written again as they were read.

use super::{ALL_BURST, ALL_RATE, Change, FULL_BURST, FULL_RATE, MARK, Need, REMEMBERED, SOURCE_BURST, SOURCE_RATE, SOURCES, change};
use crate::{
    firewall::{Backend, Firewall, Raw, Table, walk::Kind},
    programs,
};
use anyhow::anyhow;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// The table of our own: `inet firebell`.
const OWN_TABLE: &str = "firebell";
/// Sets of sources that have been logged, of each version of IP.
const SETS: [(&str, &str); 2] = [("firebell4", "ipv4_addr"), ("firebell6", "ipv6_addr")];

/// A log rule before each rule or policy that refuses in silence. All or nothing.
pub(super) fn add(firewall: &Firewall, needs: &[Need]) -> anyhow::Result<Vec<Change>> {
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let (mut texts, mut tables) = (Vec::new(), BTreeSet::new());
    let mut rules = Vec::new();
    for need in needs {
        let place = &need.place;
        let conditions = conditions(firewall, need).ok_or_else(|| {
            anyhow!(
                "{place} refuses packets by conditions that setup cannot write again; add a log rule before it yourself, nothing is changed"
            )
        })?;
        tables.insert((place.family.clone(), place.table.clone()));
        let where_ = if place.number.is_some() { "before" } else { "at the end, for" };
        texts.push(format!(
            "{place}: {where_} what refuses, log as \"firebell {} \"{}",
            need.verdict(),
            if conditions.is_empty() { "" } else { " what it refuses" }
        ));
        for (is_v6, wanted) in [(false, need.v4), (true, need.v6)] {
            if wanted {
                for expressions in log_rules(&conditions, is_v6, need.verdict()) {
                    let mut rule =
                        json!({ "family": place.family, "table": place.table, "chain": place.chain, "comment": MARK, "expr": expressions });
                    if let (Some(handle), Some(object)) = (place.handle, rule.as_object_mut()) {
                        object.insert("handle".into(), handle.into());
                    }
                    rules.push(if place.handle.is_some() {
                        json!({ "insert": { "rule": rule } })
                    } else {
                        json!({ "add": { "rule": rule } })
                    });
                }
            }
        }
    }
    texts.push(limits());
    // nft 1.0 knows no such flag in JSON and sets it by itself.
    let documents = [json!(["dynamic", "timeout"]), json!(["timeout"])].map(|flags| {
        let mut commands: Vec<Json> = Vec::new();
        for (family, table_name) in &tables {
            let is_there = |name: &str| {
                let tables = firewall.tables.iter().filter(|table| table.backend == Backend::Nft && table.family == *family && table.name == *table_name);
                tables.into_iter().any(|table| table.sets.contains(name))
            };
            // The kernel takes one that is there already for another, by flags that nft adds.
            for (name, kind) in SETS.iter().filter(|(name, _)| !is_there(name) && (family == "inet" || (family == "ip6") == name.ends_with('6'))) {
                commands.push(json!({ "add": { "set": { "family": family, "table": table_name, "name": name, "type": kind, "size": SOURCES, "flags": flags, "timeout": REMEMBERED } } }));
            }
        }
        commands.extend(rules.iter().cloned());
        json!({ "nftables": commands }).to_string()
    });
    let document = first_that_works(&documents)?;
    let act = move || change("nft", &["-j", "-f", "-"], document.as_bytes());
    Ok(vec![Change::new(texts.join("\n"), act)])
}

/// The first of these that nft would do (`-c`, checks only).
fn first_that_works(documents: &[String]) -> anyhow::Result<String> {
    let mut complaint = String::new();
    for document in documents {
        let said = programs::run("nft", &["-j", "-c", "-f", "-"], document.as_bytes())?;
        if said.is_success {
            return Ok(document.clone());
        }
        complaint = said.complaint();
    }
    Err(anyhow!("nft would not take the rules, nothing is changed: {complaint}"))
}

fn limits() -> String {
    format!(
        "  {SOURCE_BURST} lines at once and {SOURCE_RATE} a second for each source (IPv6: each /64), {ALL_RATE} a second for all; {SOURCES} sources are \
         remembered for {REMEMBERED} s,\n  and when there are more, new ones are logged {FULL_RATE} a second with \"full\" in the prefix. Not on lo, only what is sent to this machine alone"
    )
}

/// What a packet has to be to meet this refusal; empty where everything that gets there does. None: it cannot be said again.
fn conditions(firewall: &Firewall, need: &Need) -> Option<Vec<Json>> {
    let place = &need.place;
    let Some(number) = place.number else { return Some(Vec::new()) };
    let Raw::Nft(expressions) = &firewall.table_at(place)?.chains.get(&place.chain)?.rules.get(number.checked_sub(1)?)?.raw else {
        return None;
    };
    let mut conditions = Vec::new();
    for expression in expressions {
        let word = expression.as_object().and_then(|object| object.keys().next()).map_or("", String::as_str);
        match word {
            "match" => conditions.push(expression.clone()),
            "vmap" => conditions.push(refused_by(expression.get("vmap")?, need)?),
            // They ask nothing.
            "counter" | "log" | "drop" | "reject" | "mangle" | "notrack" => {}
            // Limits, sets that are filled, matches that nft itself cannot show.
            _ => return None,
        }
    }
    Some(conditions)
}

/// The keys of a verdict map that refuse.
fn refused_by(map: &Json, need: &Need) -> Option<Json> {
    let key = map.get("key")?;
    if need.kinds.iter().all(|kind| *kind == Kind::TcpFin) && key.pointer("/ct/key").and_then(Json::as_str) == Some("state") {
        return Some(json!({ "match": { "op": "in", "left": key, "right": "invalid" } }));
    }
    let entries = map.pointer("/data/set")?.as_array()?;
    let refuses = |verdict: &Json| verdict.get("drop").is_some();
    let keys: Vec<&Json> = entries.iter().filter(|entry| entry.get(1).is_some_and(refuses)).filter_map(|entry| entry.get(0)).collect();
    if keys.is_empty() { None } else { Some(json!({ "match": { "op": "==", "left": key, "right": { "set": keys } } })) }
}

/// The two rules: within the limit of the source, and sources for which there is no room.
fn log_rules(conditions: &[Json], is_v6: bool, verdict: &str) -> [Vec<Json>; 2] {
    let (set, address) = if is_v6 {
        let address = json!({ "payload": { "protocol": "ip6", "field": "saddr" } });
        // A neighbour has the whole /64 to choose addresses from.
        ("@firebell6", json!({ "&": [address, "ffff:ffff:ffff:ffff::"] }))
    } else {
        ("@firebell4", json!({ "payload": { "protocol": "ip", "field": "saddr" } }))
    };
    let limit = |rate: u32, burst: u32| json!({ "limit": { "rate": rate, "burst": burst, "per": "second" } });
    let log = |prefix: String| json!({ "log": { "prefix": prefix, "flags": ["tcp sequence", "tcp options", "ip options"] } });
    let mut start = conditions.to_vec();
    start.push(json!({ "match": { "op": "!=", "left": { "meta": { "key": "iifname" } }, "right": "lo" } }));
    start.push(json!({ "match": { "op": "==", "left": { "meta": { "key": "pkttype" } }, "right": "host" } }));
    let with = |more: [Json; 3]| start.iter().cloned().chain(more).collect();
    [
        with([
            json!({ "set": { "op": "update", "elem": address, "set": set, "stmt": [limit(SOURCE_RATE, SOURCE_BURST)] } }),
            limit(ALL_RATE, ALL_BURST),
            log(format!("firebell {verdict} ")),
        ]),
        with([
            json!({ "match": { "op": "!=", "left": address, "right": set } }),
            limit(FULL_RATE, FULL_BURST),
            log(format!("firebell {verdict} full ")),
        ]),
    ]
}

/// A table whose chain only looks: what becomes of the packet is not known there, and the prefix says nothing of it.
///
/// Where the kernel can tell, what somebody listens for is left out: that is no scan, but every visitor.
pub(super) fn own_table() -> anyhow::Result<Change> {
    if programs::find("nft").is_none() {
        return Err(anyhow!("there is no firewall that refuses anything, and no nft to add a table that logs; install nftables"));
    }
    let texts = [true, false].map(own_rules);
    for text in &texts {
        if programs::run("nft", &["-c", "-f", "-"], text.as_bytes())?.is_success {
            let shown =
                format!("no rule refuses anything, so what became of a packet is not known; a table of our own that only logs:\n{text}");
            let text = text.clone();
            return Ok(Change::new(shown, move || change("nft", &["-f", "-"], text.as_bytes())));
        }
    }
    let said = programs::run("nft", &["-c", "-f", "-"], texts[1].as_bytes())?;
    Err(anyhow!("nft would not take a table of our own: {}", said.complaint()))
}

fn own_rules(knows_sockets: bool) -> String {
    let listens = if knows_sockets { "\n        socket wildcard { 0, 1 } return" } else { "" };
    let each = |set: &str, address: &str| {
        format!(
            "\n        update @{set} {{ {address} limit rate {SOURCE_RATE}/second burst {SOURCE_BURST} packets }} limit rate {ALL_RATE}/second burst {ALL_BURST} packets \
             log prefix \"firebell SEEN \" flags tcp sequence,options flags ip options comment \"{MARK}\"\
             \n        {address} != @{set} limit rate {FULL_RATE}/second burst {FULL_BURST} packets \
             log prefix \"firebell SEEN full \" flags tcp sequence,options flags ip options comment \"{MARK}\""
        )
    };
    format!(
        "table inet {OWN_TABLE} {{\
         \n    set firebell4 {{ type ipv4_addr; size {SOURCES}; flags dynamic,timeout; timeout {REMEMBERED}s; }}\
         \n    set firebell6 {{ type ipv6_addr; size {SOURCES}; flags dynamic,timeout; timeout {REMEMBERED}s; }}\
         \n    chain input {{\
         \n        type filter hook input priority 10; policy accept;\
         \n        iifname \"lo\" return\
         \n        meta pkttype != host return\
         \n        ct state established,related return{listens}\
         \n        icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query }} return{}{}\
         \n    }}\
         \n}}\n",
        each("firebell4", "ip saddr"),
        each("firebell6", "ip6 saddr & ffff:ffff:ffff:ffff::"),
    )
}

/// Something of ours is in the rules.
pub(super) fn has_ours(firewall: &Firewall) -> bool {
    firewall.tables.iter().any(|table| table.backend == Backend::Nft && is_ours(table))
}

/// Rules of ours, or sets that are left of them when somebody has flushed a chain.
fn is_ours(table: &Table) -> bool {
    our_sets(table).next().is_some() || table.chains.values().flat_map(|chain| &chain.rules).any(|rule| rule.comment == MARK)
}

fn our_sets(table: &Table) -> impl Iterator<Item = &'static str> {
    SETS.iter().map(|(name, _)| *name).filter(|name| table.sets.contains(*name))
}

/// Takes our rules and sets away, and our table.
pub(super) fn undo(firewall: &Firewall) -> Vec<Change> {
    let mut changes = Vec::new();
    for table in firewall.tables.iter().filter(|table| table.backend == Backend::Nft && is_ours(table)) {
        let (family, name) = (&table.family, &table.name);
        let mut commands = Vec::new();
        if family == "inet" && name == OWN_TABLE {
            commands.push(json!({ "delete": { "table": { "family": family, "name": name } } }));
        } else {
            for (chain, rules) in &table.chains {
                for rule in rules.rules.iter().filter(|rule| rule.comment == MARK) {
                    commands
                        .push(json!({ "delete": { "rule": { "family": family, "table": name, "chain": chain, "handle": rule.handle } } }));
                }
            }
            for set in our_sets(table) {
                commands.push(json!({ "delete": { "set": { "family": family, "table": name, "name": set } } }));
            }
        }
        let document = json!({ "nftables": commands }).to_string();
        changes.push(Change::new(format!("nftables table {family} {name}: take our log rules away"), move || {
            change("nft", &["-j", "-f", "-"], document.as_bytes())
        }));
    }
    changes
}
