//! `docs/COVERAGE.md` says what the engine says.

use anyhow::{Context as _, Result, ensure};
use firebell_engine::{finding::Delivery, parameters::Preset};
use firebell_tests::{
    corpus,
    coverage::{
        comparison, document,
        rows::{self, Pace, Scan, Side},
        transform,
        verdict::Verdict,
    },
    difference::difference,
    program::repository,
};
use std::fs;

#[test]
fn the_document_is_what_the_engine_says() -> Result<()> {
    let kept = fs::read_to_string(repository().join("docs/COVERAGE.md")).context("tests/rigs/coverage --write makes it")?;
    let now = document::write()?;
    ensure!(kept == now, "tests/rigs/coverage --write accepts this:\n{}", difference(&kept, &now));
    ensure!(!now.contains(document::UNEXPLAINED), "a miss without a reason");
    Ok(())
}

#[test]
fn the_comparison_is_what_the_engine_says_beside_psad() -> Result<()> {
    let kept = fs::read_to_string(repository().join("docs/COMPARISON.md")).context("tests/rigs/coverage --write makes it")?;
    let now = comparison::write()?;
    ensure!(kept == now, "tests/rigs/coverage --write accepts this:\n{}", difference(&kept, &now));
    ensure!(!now.contains(document::UNEXPLAINED), "the preset psad differs from psad, and nobody has said why");
    Ok(())
}

/// A check that cannot fail is none: other parameters must be seen in the verdicts.
#[test]
fn another_threshold_is_another_verdict() -> Result<()> {
    let scan = Scan { kind: "sS", is_v6: false, side: Side::Far, pace: Pace::Template(4) };
    let mut config = Preset::Desktop.config();
    let usual = Verdict::of(&scan.lines()?, config.clone());
    config.detect.fast_scan.threshold += config.detect.fast_scan.contact_weight;
    let later = Verdict::of(&scan.lines()?, config);
    let contacts = |verdict: &Verdict| verdict.main().map(|main| main.contacts);
    ensure!((contacts(&usual), contacts(&later)) == (Some(7), Some(8)), "{usual:?} {later:?}");
    Ok(())
}

#[test]
fn every_named_log_can_be_had_and_no_other() -> Result<()> {
    let names = rows::names()?;
    ensure!(names.len() > 400, "{}", names.len());
    for name in ["sS.t0.lan", "v6-sU.t2.plain.ufw", "more/distributed-50", "quiet-mdns"] {
        let mut log = Vec::new();
        rows::write(name, &mut log)?;
        ensure!(log.split(|byte| *byte == b'\n').count() > 5, "{name}");
    }
    ensure!(rows::write("sQ.t9", &mut Vec::new()).is_err());
    Ok(())
}

#[test]
fn a_recording_of_t0_is_told_as_the_made_up_one() -> Result<()> {
    let mut compared = 0;
    for label in corpus::labels("nmap")? {
        let Some(name) = label.capture.strip_suffix(".t0") else { continue };
        let slowed = transform::paced(&rows::recording(&format!("{name}.t1"))?, std::time::Duration::from_secs(300));
        let told = |lines: &[String]| {
            let verdict = Verdict::of(lines, Preset::Desktop.config());
            verdict.main().map(|main| (main.kind, main.delivery, main.contacts))
        };
        let (real, slowed) = (told(&rows::recording(&label.capture)?), told(&slowed));
        ensure!(real == slowed && real.is_some_and(|(_, delivery, _)| delivery >= Delivery::Digest), "{name}: {real:?} and {slowed:?}");
        compared += 1;
    }
    ensure!(compared > 0);
    Ok(())
}
