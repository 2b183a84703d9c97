//! Any stamps, one a line: reading them, and the clock that they drive.
#![no_main]

use firebell_engine::{
    record::Record,
    replay::{Moment, ReplayClock},
    stamp::Stamp,
    tick::Tick,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let moments: Vec<Option<Moment>> = text.split(|byte| *byte == b'\n').take(64).map(|line| Moment::of(&Record::read(line))).collect();
    let mut clock = ReplayClock::new(2026, 3600);
    let mut last = Tick::ZERO;
    for (n, moment) in moments.iter().enumerate() {
        let tick = clock.tick(*moment, moments[n + 1..].iter().copied().flatten());
        assert!(tick >= last, "time runs back");
        last = tick;
    }
    if let Some((Stamp::Wall { month, day, hour, minute, second, micros, .. }, length)) = Stamp::read_wall(text) {
        assert!(length <= text.len());
        assert!((1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60 && micros < 1_000_000);
    }
});
