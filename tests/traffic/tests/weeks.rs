//! Nothing is aimed at the host, for a week or a month, and it stays quiet.
//!
//! Optimised builds go through the whole time, others through a part of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::{Config, Engine},
    finding::Finding,
};
use firebell_traffic::{
    DAY, START, desktop,
    diary::{History, popups},
    exposed,
};

const IS_OPTIMISED: bool = !cfg!(debug_assertions);
const DAYS: u64 = if IS_OPTIMISED { 7 } else { 1 };
const MONTH: u64 = if IS_OPTIMISED { 30 } else { 2 };
const SEEDS: u64 = if IS_OPTIMISED { 3 } else { 2 };

fn summaries(findings: &[&Finding]) -> String {
    let shown = findings.iter().take(10);
    shown.map(|f| format!("{} {:?} {}: {} {}\n", f.severity, f.kind, f.at.as_secs(), f.summary, f.why)).collect()
}

fn judge(history: &History, seed: u64) -> (Engine, Vec<Finding>) {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let said = history.judge(seed, &mut engine);
    engine.check_invariants().unwrap();
    (engine, said)
}

#[test]
fn a_quiet_week_on_a_desktop_brings_no_popup() {
    for (name, day) in desktop::PARTS {
        let (engine, said) = judge(&History { day, days: DAYS.min(3) }, 1);
        assert!(popups(&said).is_empty(), "{name}:\n{}", summaries(&popups(&said)));
        assert!(engine.status().classes.iter().sum::<u64>() > 100, "{name}: not quiet for want of packets");
    }
    for seed in 1..=SEEDS {
        let (engine, said) = judge(&History { days: DAYS, ..desktop::WEEK }, seed);
        assert!(popups(&said).is_empty(), "seed {seed}:\n{}", summaries(&popups(&said)));
        assert!(engine.status().classes.iter().sum::<u64>() > DAYS * 100_000);
    }
}

#[test]
fn an_exposed_host_brings_at_most_one_popup_a_day() {
    for seed in 1..=SEEDS {
        let (engine, said) = judge(&History { days: MONTH, ..exposed::MONTH }, seed);
        let popups = popups(&said);
        for day in 0..MONTH {
            let of_day = |finding: &&&Finding| (finding.at.as_micros() - START) / DAY == day;
            let of_day: Vec<_> = popups.iter().filter(of_day).copied().collect();
            assert!(of_day.len() <= 1, "seed {seed}, day {day}:\n{}", summaries(&of_day));
        }
        assert!(engine.status().classes.iter().sum::<u64>() > MONTH * 5_000);
    }
}
