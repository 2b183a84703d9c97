//! Ten million spoofed sources do not fill the memory. A test of its own process, since it reads how large that is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::{Config, Engine},
    origin::Origin,
    tick::Tick,
};
use firebell_traffic::{Random, START, syn, v4, v6};

const SOURCES: u64 = if cfg!(debug_assertions) { 300_000 } else { 10_000_000 };

/// Memory of this process in RAM, KiB (proc_pid_status(5)).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[test]
fn ten_million_spoofed_sources_take_less_than_24_mib() {
    let before = resident();
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let empty = resident();
    let mut random = Random(1);
    let us = v4(198, 51, 100, 10);
    for n in 0..SOURCES {
        let tick = Tick::from_micros(START + n * 50);
        let source = match n % 4 {
            0 => v6(0x2000_0000_0000_0000 | random.next() >> 3, random.next()),
            1 => v4(10, 0, 0, 0).max(random.internet()),
            _ => random.internet(),
        };
        // A third of them make two contacts, so that both halves of the table fill up.
        for port in 0..1 + n % 3 % 2 {
            let port = u16::try_from(random.below(60_000) + port).unwrap();
            engine.observe(&syn(source, 40_000, us, port), Origin::Kernel, tick);
        }
        while engine.next_finding().is_some() {}
    }
    engine.check_invariants().unwrap();
    let status = engine.status();
    let held = u64::try_from(status.far.fresh + status.far.kept).unwrap();
    let (all, growth) = (resident() - before, resident() - empty);
    println!(
        "{SOURCES} sources: {all} KiB in all, {} KiB of it before the first; {} bytes for each of {held} that are held; {status:?}",
        all - growth,
        growth * 1024 / held
    );
    // Room is made for a few newcomers at a time.
    assert!((65_528..=65_536).contains(&held), "{held}");
    assert!(all <= 24 * 1024, "{all} KiB");
}
