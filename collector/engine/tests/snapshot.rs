//! An engine goes on after a restart as if there had been none, and takes no state that no engine can have.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::{Config, Engine, RestoreError},
    finding::{Finding, Phase},
    origin::Origin,
    packet::{Packet, TcpFlags},
    signature::{Category, Condition, Confidence, Count, Distinct, Field, Match, Numbers, Per, Rule, RuleSet, Sids},
    tick::Tick,
};
use firebell_traffic::{Random, START, exposed, icmp, stack_tcp, syn, tcp, udp, v4, v6};
use proptest::prelude::*;
use std::{collections::BTreeMap, time::Duration};

fn rule(id: &str, port: u32, count: Option<Count>) -> Rule {
    let conditions = vec![Condition::Number(Field::Dport, Numbers::new(vec![(port, port)], false).unwrap())];
    Rule {
        id: id.to_owned(),
        title: format!("Title of {id}"),
        severity: 3,
        confidence: Confidence::Likely,
        category: Category::Probe,
        attack: Vec::new(),
        cve: Vec::new(),
        references: Vec::new(),
        why: "A test.".to_owned(),
        matching: Match { protocols: vec![6], conditions, ..Match::default() },
        count,
    }
}

/// One that counts, and one that does not.
fn rules() -> Vec<Rule> {
    let count = Count { at_least: 3, within: Duration::from_secs(3600), distinct: Some(Distinct::Sport), per: Per::Src };
    vec![rule("counts", 22, Some(count)), rule("one", 23, None)]
}

fn set(rules: Vec<Rule>) -> RuleSet {
    RuleSet::new(rules, Sids::default())
}

fn engine() -> Engine {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    engine.replace_rules(set(rules()));
    engine
}

fn restored(engine: &Engine) -> Engine {
    Engine::restore(Config::default(), set(rules()), &engine.snapshot()).unwrap()
}

fn findings(engine: &mut Engine) -> Vec<Finding> {
    std::iter::from_fn(|| engine.next_finding()).collect()
}

/// Scanners of every kind among others, for a few days.
fn packet(random: &mut Random) -> Packet<'static> {
    let number = u8::try_from(random.below(12)).unwrap();
    let far = [v4(203, 0, number, 9), v4(203, 0, 113, number), v6(0x2001_0db8_0000_0000 | u64::from(number), random.below(9))];
    let from = [far[usize::from(number) % 3], v4(10, 0, 0, number)][usize::from(random.below(4) == 0)];
    let us = [v4(198, 51, 100, u8::try_from(random.below(40)).unwrap()), v4(198, 51, 100, 10)][usize::from(random.below(3) > 0)];
    let us = if from.is_ipv6() { v6(0x2001_0db8_00ff_0000, random.below(3)) } else { us };
    let (sport, port) = (random.port(1024, 60_000), random.port(1, 60_000));
    match random.below(14) {
        0..4 => syn(from, sport, us, port),
        4 => syn(from, sport, us, 22),
        5 => stack_tcp(from, sport, us, 23, TcpFlags::SYN),
        6 => tcp(from, 40_000, us, port, TcpFlags::FIN),
        7 => tcp(from, 443, us, port, TcpFlags::ACK | TcpFlags::FIN),
        8 => tcp(from, 80, us, port, TcpFlags::SYN | TcpFlags::ACK),
        9 => udp(from, sport, us, port),
        10 => icmp(from, us, 8),
        11 => Packet { in_iface: None, out_iface: Some(b"eth0"), ..syn(us, sport, from, 445) },
        12 => stack_tcp(from, sport, us, 22, TcpFlags::SYN),
        _ => tcp(from, 40_000, us, port, 0),
    }
}

fn history(seed: u64, len: usize) -> Vec<(Tick, Packet<'static>)> {
    let (mut random, mut at) = (Random(seed), START);
    (0..len)
        .map(|_| {
            at += match random.below(200) {
                0 => random.below(80_000_000_000),
                1..10 => random.below(900_000_000),
                _ => random.below(400_000),
            };
            (Tick::from_micros(at), packet(&mut random))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn wherever_an_engine_is_stopped_the_next_one_says_the_same(seed: u64, len in 1..3_000_usize, stops in 1..6_usize) {
        let history = history(seed, len);
        let (mut steady, mut stopped) = (engine(), engine());
        for (n, (tick, packet)) in history.iter().enumerate() {
            if n % (len / stops).max(1) == 0 {
                stopped = restored(&stopped);
            }
            let origin = if n % 50 == 0 { Origin::Unverified } else { Origin::Kernel };
            steady.observe(packet, origin, *tick);
            stopped.observe(packet, origin, *tick);
            prop_assert_eq!(findings(&mut steady), findings(&mut stopped));
        }
        prop_assert_eq!(steady.status(), stopped.status());
        prop_assert_eq!(steady.sources(), stopped.sources());
        prop_assert!(steady.snapshot() == stopped.snapshot(), "what is not said yet differs");
    }

    #[test]
    fn an_engine_that_lost_what_came_after_its_snapshot_goes_on_from_what_was_told(seed: u64, len in 2..2_000_usize, kept: prop::sample::Index) {
        let history = history(seed, len);
        let (mut steady, mut told) = (engine(), BTreeMap::new());
        let mut lost = restored(&steady);
        for (n, (tick, packet)) in history.iter().enumerate() {
            steady.observe(packet, Origin::Kernel, *tick);
            told.extend(findings(&mut steady).into_iter().map(|finding| (finding.id, finding)));
            if n == kept.index(len) {
                lost = restored(&steady);
            }
        }
        let now = steady.now();
        lost.number_after(steady.last_numbers().0, steady.last_numbers().1);
        let taken: BTreeMap<_, _> = told.into_iter().filter(|(_, finding)| lost.take_up(finding, now)).collect();
        lost.check_invariants().unwrap();
        lost = restored(&lost);
        let mut again = self::history(seed ^ 1, len);
        again.iter_mut().for_each(|(tick, _)| *tick = now.after(tick.since(Tick::from_micros(START))));
        let mut last = taken.clone();
        for (tick, packet) in &again {
            lost.observe(packet, Origin::Kernel, *tick);
            for finding in findings(&mut lost) {
                if let Some(before) = last.get(&finding.id) {
                    prop_assert!(finding.revision == before.revision + 1 && finding.seq > before.seq, "{before:?} {finding:?}");
                    prop_assert!(finding.packets >= before.packets && finding.severity >= before.severity, "{before:?} {finding:?}");
                }
                last.insert(finding.id, finding);
            }
        }
        lost.check_invariants().unwrap();
        lost.advance(lost.now().after(Duration::from_secs(200 * 86_400)));
        last.extend(findings(&mut lost).into_iter().map(|finding| (finding.id, finding)));
        let is_over = |finding: &Finding| matches!(finding.phase, Phase::Closed | Phase::Merged);
        prop_assert!(taken.keys().all(|id| is_over(&last[id]) || lost.knows(*id)), "{:?}", last);
        prop_assert_eq!(lost.status().incidents.open, 0);
    }

    #[test]
    fn a_forged_snapshot_is_refused_or_is_one_that_an_engine_can_have(
        seed: u64,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let mut engine = engine();
        for (tick, packet) in history(seed, 600) {
            engine.observe(&packet, Origin::Kernel, tick);
            findings(&mut engine);
        }
        let mut bytes = engine.snapshot();
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
            prop_assert!(Engine::restore(Config::default(), set(rules()), &bytes).is_err());
        }
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Ok(restored) = Engine::restore(Config::default(), set(rules()), &bytes) {
            restored.check_invariants().unwrap();
        }
    }
}

#[test]
fn over_a_busy_day_with_a_restart_every_thousand_packets_everything_is_the_same() {
    let mut events = Vec::new();
    exposed::BUSY_DAY.tell(1, |event| events.push((Tick::from_micros(event.at()), event.packet())));
    events.truncate(20_000);
    let (mut steady, mut stopped) = (engine(), engine());
    for (n, (tick, packet)) in events.iter().enumerate() {
        if n % 1000 == 0 {
            stopped = restored(&stopped);
        }
        steady.observe(packet, Origin::Kernel, *tick);
        stopped.observe(packet, Origin::Kernel, *tick);
        assert_eq!(findings(&mut steady), findings(&mut stopped));
    }
    assert!(steady.status().far.kept > 100 && steady.status().incidents.open > 0);
    assert!(steady.snapshot() == stopped.snapshot());
}

#[test]
fn what_is_no_snapshot_of_ours_is_refused_with_the_reason() {
    let mut engine = engine();
    for (tick, packet) in history(1, 2_000) {
        engine.observe(&packet, Origin::Kernel, tick);
    }
    let good = engine.snapshot();
    let refused = |bytes: &[u8]| Engine::restore(Config::default(), set(rules()), bytes).unwrap_err();
    let mut other = good.clone();
    other[0] += 1;
    assert_eq!(refused(&other), RestoreError::OtherFormat);
    assert_eq!(refused(&[&good[..], &[0]].concat()), RestoreError::NotASnapshot);
    assert_eq!(refused(&good[..good.len() - 1]), RestoreError::NotASnapshot);
    assert_eq!(refused(b""), RestoreError::NotASnapshot);
    // A key, the time and counters, and then a list that says to be as long as can be.
    let endless = [&good[..4], &[0; 16 + 1 + 12 + 2], &[0xff; 9], &[1]].concat();
    assert_eq!(refused(&endless), RestoreError::NotASnapshot);
    let small = Config { max_sources: 16, max_near_sources: 16, ..Config::default() };
    assert!(matches!(Engine::restore(small, set(rules()), &good), Err(RestoreError::Broken(why)) if why.contains("larger than")));
    let few = Config { max_incidents: 1, ..Config::default() };
    assert!(matches!(Engine::restore(few, set(rules()), &good), Err(RestoreError::Broken(why)) if why.contains("over their limit")));
}

#[test]
fn rules_that_are_others_after_a_restart_keep_their_own_hits() {
    let mut engine = engine();
    for (tick, packet) in history(1, 2_000) {
        engine.observe(&packet, Origin::Kernel, tick);
    }
    let hits = |engine: &Engine| engine.rule_hits().map(|(rule, hits)| (rule.id.clone(), hits.packets)).collect::<Vec<_>>();
    let before = hits(&engine);
    assert!(before.iter().all(|(_, packets)| *packets > 0), "{before:?}");
    let others = vec![rule("new", 24, None), rule("one", 23, None)];
    let after = hits(&Engine::restore(Config::default(), set(others), &engine.snapshot()).unwrap());
    assert_eq!(after, [("new".to_owned(), 0), before[1].clone()]);
}
