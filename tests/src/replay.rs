//! A recorded log, from its lines to what the engine says of them, as the collector takes them.

use firebell_engine::{
    engine::{Config, Engine},
    finding::{Finding, Phase},
    origin::judge,
    parse::parse,
    record::Record,
    replay::{Moment, ReplayClock},
    tick::Tick,
};
use std::time::Duration;

/// Long enough for every incident to be told its last state.
const AFTERWARDS: Duration = Duration::from_secs(300);

/// What the engine says of `lines`, which it takes for the kernel's. Behind them come five quiet minutes, and then the end.
///
/// Lines that are no packets are passed over.
#[must_use]
pub fn findings<L: AsRef<[u8]>>(lines: &[L]) -> Vec<Finding> {
    replay(lines, Config::default()).0
}

/// The same with other parameters, and the moment of the first packet.
#[must_use]
pub fn replay<L: AsRef<[u8]>>(lines: &[L], config: Config) -> (Vec<Finding>, Tick) {
    replay_into(lines, &mut Engine::new(config, [7; 16]))
}

/// The same by an engine that is there already.
#[must_use]
pub fn replay_into<L: AsRef<[u8]>>(lines: &[L], engine: &mut Engine) -> (Vec<Finding>, Tick) {
    let mut clock = ReplayClock::new(2026, 0);
    let (mut said, mut first) = (Vec::new(), None);
    for (n, line) in lines.iter().enumerate() {
        let record = Record::read(line.as_ref());
        let Ok(packet) = parse(record.text) else { continue };
        let ahead = lines.get(n + 1..).unwrap_or_default().iter().filter_map(|line| Moment::of(&Record::read(line.as_ref())));
        let tick = clock.tick(Moment::of(&record), ahead);
        first = first.or(Some(tick));
        engine.observe(&packet, judge(true, &packet, record.text), tick);
        said.extend(std::iter::from_fn(|| engine.next_finding()));
    }
    engine.advance(clock.tick(None, []).after(AFTERWARDS));
    engine.close_all();
    said.extend(std::iter::from_fn(|| engine.next_finding()));
    (said, first.unwrap_or(Tick::ZERO))
}

/// One incident: how it began, how it ended, and how often it was told in between.
#[derive(Clone, Debug)]
pub struct Story {
    /// The first thing said of it.
    pub first: Finding,
    /// The first thing said of it that is worth a popup, if anything was.
    pub popup: Option<Finding>,
    /// The last.
    pub last: Finding,
    /// Times it was told anew after the first popup; the end does not count.
    pub updates: usize,
}

/// The incidents in `findings`, in the order in which they opened. Those that became part of another one are left out.
#[must_use]
pub fn stories(findings: &[Finding]) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for finding in findings {
        let story = match stories.iter_mut().find(|story| story.first.id == finding.id) {
            Some(story) => story,
            None => {
                stories.push(Story { first: finding.clone(), popup: None, last: finding.clone(), updates: 0 });
                let Some(story) = stories.last_mut() else { continue };
                story
            }
        };
        story.last = finding.clone();
        if finding.severity < 3 {
            continue;
        }
        if story.popup.is_none() {
            story.popup = Some(finding.clone());
        } else if finding.phase != Phase::Closed {
            story.updates += 1;
        }
    }
    stories.retain(|story| story.last.phase != Phase::Merged);
    stories
}
