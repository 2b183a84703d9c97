//! What holds for every history, not only for those that somebody thought of.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::{Config, Engine},
    finding::{Finding, Kind, Phase, Source},
    origin::Origin,
    packet::{Packet, TcpFlags},
    tick::Tick,
};
use firebell_traffic::{SECOND, START, icmp, tcp, udp, v4};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// One packet of a random history.
#[derive(Clone, Copy, Debug)]
struct Step {
    source: u8,
    far: bool,
    kind: u8,
    port: u16,
    target: u8,
    /// Milliseconds since the one before.
    wait: u64,
}

fn step(sources: u8, waits: impl Strategy<Value = u64>) -> impl Strategy<Value = Step> {
    (0..sources, any::<bool>(), 0..8_u8, prop_oneof![0..30_u16, any::<u16>()], 0..9_u8, waits)
        .prop_map(|(source, far, kind, port, target, wait)| Step { source, far, kind, port, target, wait })
}

fn any_wait() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..2_000_u64, 2 => 0..600_000_u64, 1 => 0..200_000_000_u64]
}

/// Sources that do not share a network, so that none of them is rolled up.
fn source(step: &Step) -> IpAddr {
    if step.far { v4(203, 0, step.source, 9) } else { v4(10, 0, step.source, 9) }
}

fn packet(step: &Step) -> Packet<'static> {
    let (from, to) = (source(step), v4(198, 51, 100, step.target));
    let sport = 40_000 + u16::from(step.source);
    match step.kind {
        0 | 1 => tcp(from, sport, to, step.port, TcpFlags::SYN),
        2 => tcp(from, sport, to, step.port, TcpFlags::FIN),
        3 => tcp(from, sport, to, step.port, TcpFlags::ACK),
        4 => tcp(from, sport, to, step.port, 0),
        5 => udp(from, sport, to, step.port),
        6 => tcp(from, 443, to, step.port, TcpFlags::ACK | TcpFlags::FIN),
        _ => icmp(from, to, 8),
    }
}

/// At which ticks the packets come.
fn history(steps: &[Step]) -> Vec<(u64, Packet<'static>)> {
    let mut at = START;
    let timed = steps.iter().map(|step| {
        at += step.wait * 1000;
        (at, packet(step))
    });
    timed.collect()
}

fn judge(config: &Config, history: &[(u64, Packet<'static>)]) -> Vec<Finding> {
    let mut engine = Engine::new(config.clone(), [7; 16]);
    let mut said = Vec::new();
    for (at, packet) in history {
        engine.observe(packet, Origin::Kernel, Tick::from_micros(*at));
        said.extend(std::iter::from_fn(|| engine.next_finding()));
    }
    engine.advance(Tick::from_micros(history.last().map_or(START, |(at, _)| *at) + 300 * SECOND));
    // The end tells the last state of everything, also of what was not news.
    engine.close_all();
    said.extend(std::iter::from_fn(|| engine.next_finding()));
    said
}

/// The worst that was said of each incident, wherever it was merged into.
fn worst(said: &[Finding]) -> BTreeMap<u64, u8> {
    let mut worst: BTreeMap<u64, u8> = BTreeMap::new();
    for finding in said {
        for id in std::iter::once(finding.id).chain(finding.merged_into) {
            let severity = worst.entry(id).or_default();
            *severity = finding.severity.max(*severity);
        }
    }
    worst
}

/// Many incidents at once fold into one, and groups take their members in; both are not what is asked here.
fn roomy() -> Config {
    Config { incidents_per_minute: 1_000, ..Config::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 48 } else { 512 }, ..ProptestConfig::default() })]

    /// At every moment, of every incident: what was said of it is never taken back, also where it is merged.
    #[test]
    fn more_packets_never_lower_what_was_said(steps in proptest::collection::vec(step(6, any_wait()), 1..300), cut in 0.0..1.0_f64) {
        let history = history(&steps);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "some place in it")]
        let cut = (history.len() as f64 * cut) as usize;
        let (part, whole) = (judge(&roomy(), &history[..cut]), worst(&judge(&roomy(), &history)));
        for (id, severity) in worst(&part) {
            prop_assert!(whole.get(&id).is_some_and(|now| *now >= severity), "incident {} fell from {} to {:?}", id, severity, whole.get(&id));
        }
    }

    /// Ports that a scanner asks beside the others make it worse, whenever it asks them.
    #[test]
    fn more_ports_never_make_a_scanner_better(
        ports in proptest::collection::btree_map(1..1_000_u16, 0..2_000_u64, 0..40),
        more in proptest::collection::btree_map(1_000..2_000_u16, 0..2_000_u64, 0..40),
        far: bool,
        kind in 0..6_u8,
    ) {
        let severity = |ports: &BTreeMap<u16, u64>| {
            let mut history: Vec<_> = ports
                .iter()
                .map(|(port, second)| {
                    let step = Step { source: 1, far, kind, port: *port, target: 1, wait: 0 };
                    (START + second * SECOND, packet(&step))
                })
                .collect();
            history.sort_by_key(|(at, _)| *at);
            judge(&roomy(), &history).iter().map(|finding| finding.severity).max().unwrap_or(0)
        };
        let alone = severity(&ports);
        let both = ports.into_iter().chain(more).collect();
        prop_assert!(severity(&both) >= alone);
    }

    /// While no table is full.
    #[test]
    fn order_among_equal_stamps_changes_no_verdict(
        steps in proptest::collection::vec(step(4, prop_oneof![6 => Just(0), 1 => 1..20_000_u64]), 1..120),
        seed: u64,
    ) {
        let history = history(&steps);
        let mut shuffled = history.clone();
        let mut random = firebell_traffic::Random(seed);
        shuffled.sort_by_cached_key(|(at, _)| (*at, random.next()));
        let verdicts = |said: &[Finding]| {
            let mut last: BTreeMap<u64, (Source, Kind, u8)> = BTreeMap::new();
            for finding in said.iter().filter(|finding| finding.severity > 1 && finding.phase != Phase::Merged) {
                last.insert(finding.id, (finding.source, finding.kind, finding.severity));
            }
            last.into_values().collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(verdicts(&judge(&roomy(), &history)), verdicts(&judge(&roomy(), &shuffled)));
    }

    /// Whatever comes, nothing holds more than it may.
    #[test]
    fn no_table_grows_beyond_its_limit(steps in proptest::collection::vec(step(200, any_wait()), 1..400)) {
        let config = Config { max_sources: 32, max_near_sources: 16, max_incidents: 6, ..Config::default() };
        let mut engine = Engine::new(config, [7; 16]);
        for (at, packet) in history(&steps) {
            engine.observe(&packet, Origin::Kernel, Tick::from_micros(at));
            let status = engine.status();
            prop_assert!(status.far.fresh + status.far.kept <= 32 && status.near.fresh + status.near.kept <= 16);
            prop_assert!(status.incidents.open + status.incidents.closed <= 6);
            prop_assert_eq!(engine.check_invariants(), Ok(()));
            while let Some(finding) = engine.next_finding() {
                prop_assert!(finding.ports.len() <= 512 && finding.targets.len() <= 16 && finding.sources.len() <= 16);
                prop_assert!(finding.summary.len() <= 512 && finding.why.len() <= 512 && finding.advice.len() <= 512);
            }
        }
        prop_assert_eq!(engine.status().incidents.lost_findings, 0);
    }

    #[test]
    fn the_same_history_gives_the_same_words(steps in proptest::collection::vec(step(30, any_wait()), 1..300)) {
        let history = history(&steps);
        prop_assert_eq!(format!("{:?}", judge(&Config::default(), &history)), format!("{:?}", judge(&Config::default(), &history)));
    }
}
