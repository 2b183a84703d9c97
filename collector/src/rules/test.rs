//! The tests that rules carry: log lines, and whether the rule fits them.

use super::{Entry, Place, Rules, Test};
use firebell_engine::{
    engine::{Config, Engine},
    origin::Origin,
    parse::parse,
    record::Record,
    replay::{Moment, ReplayClock},
    signature::{RuleSet, Sids},
};
use std::fmt;

/// What became of the tests.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rules that have a test.
    pub rules: usize,
    /// Tests that were run.
    pub tests: usize,
    /// Rules without any.
    pub untested: Vec<String>,
    /// Tests that failed.
    pub failures: Vec<Failure>,
}

/// A test that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Of which rule.
    pub id: String,
    /// Where it is.
    pub place: Place,
    /// Why it failed.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.id, self.reason)
    }
}

impl Rules {
    /// Runs every test of every rule, each rule alone, in force or not.
    #[must_use]
    pub fn run_tests(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for entry in self.entries() {
            if entry.tests.is_empty() {
                outcome.untested.push(entry.rule.id.clone());
                continue;
            }
            outcome.rules += 1;
            outcome.tests += entry.tests.len();
            let failed = entry.tests.iter().filter_map(|test| {
                let reason = run(entry, test).err()?;
                Some(Failure { id: entry.rule.id.clone(), place: test.place.clone(), reason })
            });
            outcome.failures.extend(failed);
        }
        outcome
    }
}

/// Runs one test the way that live lines go: envelope off, clock, parse, observe.
fn run(entry: &Entry, test: &Test) -> Result<(), String> {
    let mut engine = Engine::new(Config::default(), [0; 16]);
    engine.replace_rules(RuleSet::new(vec![entry.rule.clone()], Sids::default()));
    let mut clock = ReplayClock::new(2026, 0);
    let (mut hits, mut last) = (0, false);
    for (number, line) in (1..).zip(&test.lines) {
        let record = Record::read(line.as_bytes());
        // No witnesses: the steps of a test are meant.
        let tick = clock.tick(Moment::of(&record), []);
        let packet = parse(record.text).map_err(|error| {
            let of = if test.lines.len() > 1 { format!("line {number} of it is") } else { "its line is".to_owned() };
            format!("{of} no firewall record: {}", error.kind.as_str())
        })?;
        engine.observe(&packet, Origin::Kernel, tick);
        while engine.next_finding().is_some() {}
        let packets = engine.rule_hits().map(|(_, hits)| hits.packets).sum::<u64>();
        last = packets > hits;
        hits = packets;
    }
    match (test.expect, last, hits) {
        (true, false, _) if test.lines.len() > 1 => Err("the rule has to fit the last line, and does not".to_owned()),
        (true, false, _) => Err("the rule has to fit this line, and does not".to_owned()),
        (false, _, 1..) => Err(format!("the rule must not fit, and fits {hits} of the lines")),
        _ => Ok(()),
    }
}
