//! A chain of our own for iptables and ip6tables, jumped to before what refuses in silence.
//!
//! `hashlimit` has no rule for sources that find no room: where its table is full, the kernel drops the packet there and then
//! (`hashlimit_mt_common()` in Linux `net/netfilter/xt_hashlimit.c`), which is what our caller is about to do with it.

use super::{ALL_BURST, ALL_RATE, Change, MARK, Need, REMEMBERED, SOURCE_BURST, SOURCE_RATE, SOURCES, change};
use crate::firewall::{Backend, Firewall, Place, Raw, Table};
use anyhow::{Context as _, anyhow};
use std::collections::BTreeSet;

/// What our chains are called: `FIREBELL_DROP`, `FIREBELL_REJECT`.
const CHAIN: &str = "FIREBELL_";

/// Our chains, and a jump to them before each rule or policy that refuses in silence.
pub(super) fn add(firewall: &Firewall, mut needs: Vec<Need>) -> anyhow::Result<Vec<Change>> {
    // From the last rule to the first, so that numbers stay what they are; a policy comes after all of them.
    needs.sort_by_key(|need| std::cmp::Reverse(need.place.number.unwrap_or(usize::MAX)));
    let mut commands: Vec<(&'static str, Vec<String>)> = Vec::new();
    let mut chains = BTreeSet::new();
    for need in &needs {
        let place = &need.place;
        let program = place.iptables().context("a place of iptables")?;
        let chain = format!("{CHAIN}{}", need.verdict());
        let is_there = firewall.table_at(place).is_some_and(|table| table.chains.contains_key(&chain));
        if !is_there && chains.insert((program, place.table.clone(), chain.clone())) {
            commands.extend(our_chain(place, need.verdict()).into_iter().map(|words| (program, words)));
        }
        let mut words = vec!["-t".to_owned(), place.table.clone()];
        match place.number {
            Some(number) => words.extend(["-I".to_owned(), place.chain.clone(), number.to_string()]),
            None => words.extend(["-A".to_owned(), place.chain.clone()]),
        }
        words.extend(conditions(firewall, place).with_context(|| format!("{place} cannot be read again"))?);
        words.extend(["-m", "comment", "--comment", MARK, "-j", &chain].map(str::to_owned));
        commands.push((program, words));
    }
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let text = commands.iter().map(|(program, words)| format!("{program} {}", quoted(words))).collect::<Vec<_>>().join("\n");
    Ok(vec![Change::new(text, move || {
        for (program, words) in &commands {
            run(program, words)?;
        }
        Ok(())
    })])
}

/// `-w`: another program may hold the lock for a moment.
fn run(program: &str, words: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = ["-w", "10"].into_iter().chain(words.iter().map(String::as_str)).collect();
    change(program, &words, b"")
}

/// For a shell, and for people.
fn quoted(words: &[String]) -> String {
    let plain = |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.,:/+@=".contains(&byte));
    words
        .iter()
        .map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) })
        .collect::<Vec<_>>()
        .join(" ")
}

fn our_chain(place: &Place, verdict: &str) -> Vec<Vec<String>> {
    let chain = format!("{CHAIN}{verdict}");
    let with = |rest: &str| -> Vec<String> { ["-t", &place.table].into_iter().chain(rest.split(' ')).map(str::to_owned).collect() };
    let mask = if place.family == "ip6" { "--hashlimit-srcmask 64 " } else { "" };
    let mut log = with(&format!(
        "-A {chain} -m hashlimit --hashlimit-upto {SOURCE_RATE}/sec --hashlimit-burst {SOURCE_BURST} --hashlimit-mode srcip {mask}--hashlimit-name {} \
         --hashlimit-htable-max {SOURCES} --hashlimit-htable-expire {} -m limit --limit {ALL_RATE}/sec --limit-burst {ALL_BURST} \
         -j LOG --log-tcp-sequence --log-tcp-options --log-ip-options --log-prefix",
        chain.to_ascii_lowercase(),
        REMEMBERED * 1_000
    ));
    log.push(format!("firebell {verdict} "));
    vec![
        with(&format!("-N {chain}")),
        with(&format!("-A {chain} -i lo -j RETURN")),
        with(&format!("-A {chain} -m pkttype ! --pkt-type unicast -j RETURN")),
        log,
    ]
}

/// The words of the refusing rule before its target, without its comment.
fn conditions(firewall: &Firewall, place: &Place) -> Option<Vec<String>> {
    let Some(number) = place.number else { return Some(Vec::new()) };
    let Raw::Words(words) = &firewall.table_at(place)?.chains.get(&place.chain)?.rules.get(number.checked_sub(1)?)?.raw else {
        return None;
    };
    let mut conditions = Vec::new();
    let mut words = words.iter().take_while(|word| !["-j", "--jump", "-g", "--goto"].contains(&word.as_str())).peekable();
    while let Some(word) = words.next() {
        if word == "-m" && words.peek().is_some_and(|module| *module == "comment") {
            // `-m comment --comment TEXT`
            words.nth(2);
        } else {
            conditions.push(word.clone());
        }
    }
    Some(conditions)
}

/// Something of ours is in the rules.
pub(super) fn has_ours(firewall: &Firewall) -> bool {
    firewall.tables.iter().any(|table| table.backend != Backend::Nft && our_chains(table).next().is_some())
}

fn our_chains(table: &Table) -> impl Iterator<Item = &String> {
    table.chains.keys().filter(|name| name.starts_with(CHAIN))
}

/// Takes our jumps and chains away.
pub(super) fn undo(firewall: &Firewall) -> Vec<Change> {
    let mut changes = Vec::new();
    for table in firewall.tables.iter().filter(|table| table.backend != Backend::Nft) {
        let Some(program) = table.place("", None).iptables() else { continue };
        let mut commands: Vec<Vec<String>> = Vec::new();
        let mut push = |words: &[&str]| commands.push(["-t", &table.name].iter().chain(words).map(|word| (*word).to_owned()).collect());
        for (chain, rules) in &table.chains {
            // From the last to the first, so that numbers stay what they are.
            for (at, _) in rules.rules.iter().enumerate().rev().filter(|(_, rule)| rule.comment == MARK) {
                push(&["-D", chain, &(at + 1).to_string()]);
            }
        }
        for chain in our_chains(table) {
            push(&["-F", chain]);
            push(&["-X", chain]);
        }
        if !commands.is_empty() {
            let text = format!("{program} table {}: take our chain and the jumps to it away", table.name);
            changes.push(Change::new(text, move || {
                commands.iter().try_for_each(|words| run(program, words).map_err(|error| anyhow!("{error:#}")))
            }));
        }
    }
    changes
}
