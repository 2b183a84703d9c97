//! Whoever sends packets to break the tables does not succeed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use firebell_engine::{
    engine::{Config, Engine},
    finding::{Finding, Kind, Source},
    origin::{Origin, judge},
    parse::parse,
    record::Record,
    replay::{Moment, ReplayClock},
    tick::Tick,
};
use firebell_traffic::{Random, SECOND, START, syn, v4, v6};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

fn us() -> IpAddr {
    v4(198, 51, 100, 10)
}

fn findings(engine: &mut Engine) -> Vec<Finding> {
    std::iter::from_fn(|| engine.next_finding()).collect()
}

/// How many seeds of `seeds` find a scanner of one port in five seconds under so many spoofed packets a second, with a table
/// for `sources`, within 25 minutes.
fn found_under_a_flood(seeds: u8, sources: usize, packets_a_second: u64) -> u32 {
    let scanner = v4(203, 0, 113, 9);
    let mut found = 0;
    for seed in 0..seeds {
        let mut engine = Engine::new(Config { max_sources: sources, ..Config::default() }, [seed; 16]);
        let mut random = Random(u64::from(seed));
        'seed: for probe in 0..300_u16 {
            let at = START + u64::from(probe) * 5 * SECOND;
            engine.observe(&syn(scanner, 40_000, us(), probe + 1), Origin::Kernel, Tick::from_micros(at));
            for finding in findings(&mut engine) {
                if finding.severity >= 3 && finding.source == Source::Address(scanner) {
                    found += 1;
                    break 'seed;
                }
            }
            for n in 0..5 * packets_a_second {
                let spoofed = syn(random.internet(), random.ephemeral(), us(), 443);
                engine.observe(&spoofed, Origin::Kernel, Tick::from_micros(at + n * SECOND / packets_a_second));
            }
        }
        engine.check_invariants().unwrap();
    }
    found
}

/// What decides is the ratio of the flood to the table, so that most seeds run at an eightieth of both, and some in full.
#[test]
fn a_slow_scanner_is_found_under_twenty_thousand_spoofed_packets_a_second() {
    if cfg!(debug_assertions) {
        assert_eq!(found_under_a_flood(2, 327, 100), 2);
    } else {
        assert!(found_under_a_flood(100, 819, 250) >= 99);
        assert_eq!(found_under_a_flood(2, 65_536, 20_000), 2);
    }
}

#[test]
fn a_scanner_that_takes_a_new_address_of_its_64_for_every_probe_is_one_source() {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let mut random = Random(1);
    for n in 0..1_000_u16 {
        let source = v6(0x2001_0db8_0001_0002, random.next());
        let packet = syn(source, random.ephemeral(), v6(0x2001_0db8_0051_0000, 10), n + 1);
        engine.observe(&packet, Origin::Kernel, Tick::from_micros(START + u64::from(n) * SECOND / 10));
    }
    let said = findings(&mut engine);
    assert!(said.iter().all(|finding| finding.id == 1));
    assert_eq!((said[0].kind, said[0].contacts_at_open, said.last().unwrap().severity), (Kind::SynScan, 7, 4));
    assert_eq!(engine.status().far.kept + engine.status().far.fresh, 1);
}

#[test]
fn a_scanner_that_takes_a_new_64_of_its_48_for_every_probe_is_one_incident() {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let mut random = Random(1);
    for n in 0..1_000_u16 {
        let source = v6(0x2001_0db8_0001_0000 | random.below(1 << 16), random.next());
        let packet = syn(source, random.ephemeral(), v6(0x2001_0db8_0051_0000, 10), n + 1);
        engine.observe(&packet, Origin::Kernel, Tick::from_micros(START + u64::from(n) * SECOND / 10));
    }
    engine.advance(Tick::from_micros(START + 400 * SECOND));
    let said = findings(&mut engine);
    assert!(said.iter().all(|finding| finding.id == 1), "{said:#?}");
    let last = said.last().unwrap();
    assert_eq!((last.kind, last.severity, last.packets), (Kind::DistributedScan, 4, 1_000));
    assert_eq!(last.ports, "1-1000");
    assert!(said.len() <= 4, "{said:#?}");
}

/// Addresses that would share a place in a table that hashes without a key: multiples of a power of two.
#[test]
fn sources_chosen_to_collide_cost_no_more_than_others() {
    let time = |address: &dyn Fn(u32) -> u32| {
        let run = || {
            let mut engine = Engine::new(Config::default(), [7; 16]);
            let begin = Instant::now();
            for n in 0..32_000_u32 {
                let [a, b, c, d] = address(n).to_be_bytes();
                for port in [80, 443] {
                    engine.observe(&syn(v4(a, b, c, d), 40_000, us(), port), Origin::Kernel, Tick::from_micros(START + u64::from(n) * 50));
                }
            }
            let time = begin.elapsed();
            engine.check_invariants().unwrap();
            assert_eq!(engine.status().far.kept + engine.status().near.kept, 32_000);
            time
        };
        (0..3).map(|_| run()).min().unwrap_or(Duration::MAX)
    };
    let spread = time(&|n| (n.wrapping_mul(0x9e37_79b1) & 0x0fff_ffff) | 0x4000_0000);
    for chosen in [time(&|n| 0x4000_0000 + (n << 13)), time(&|n| 0x4000_0000 + n), time(&|n| (n << 16) | (n >> 15) | 0x0000_4000)] {
        assert!(chosen < spread * 4, "{chosen:?} instead of {spread:?}");
    }
}

const LINE: &str = "desk kernel: DROP IN=eth0 OUT= SRC=203.0.113.9 DST=198.51.100.10 LEN=44 TOS=0x00 PREC=0x00 TTL=50 ID=7 PROTO=TCP SPT=40000 DPT=PORT WINDOW=1024 RES=0x00 SYN URGP=0 ";

/// The engine and the clock of a text log.
fn replay(lines: &[String]) -> Vec<Finding> {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let mut clock = ReplayClock::new(2026, 0);
    let mut said = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let record = Record::read(line.as_bytes());
        let ahead = lines[n + 1..].iter().filter_map(|line| Moment::of(&Record::read(line.as_bytes())));
        let tick = clock.tick(Moment::of(&record), ahead);
        if let Ok(packet) = parse(record.text) {
            engine.observe(&packet, judge(true, &packet, record.text), tick);
            engine.check_invariants().unwrap();
        }
        said.extend(findings(&mut engine));
    }
    said
}

/// A scan of one port in four minutes, which is found by its twelve ports in a day, and in between lines of the reader's choice.
fn slow_scan(between: impl Fn(u32) -> Vec<String>) -> Vec<String> {
    let mut lines = Vec::new();
    for n in 0..13 {
        let minute = n * 4;
        lines.push(format!("2026-11-22T10:{minute:02}:00.000000+00:00 {}", LINE.replace("PORT", &(n + 20).to_string())));
        lines.extend(between(minute));
    }
    lines
}

#[test]
fn a_forged_time_stamp_hides_no_scan() {
    let truth = replay(&slow_scan(|_| Vec::new()));
    assert_eq!((truth.len(), truth[0].kind, truth[0].contacts), (1, Kind::SlowScan, 12));
    for forged in [
        "2031-11-22T10:00:00.000000+00:00",
        "1970-01-01T00:00:00.000000+00:00",
        "2026-11-24T10:00:00.000000+00:00",
        "9999-12-31T23:59:60+14:00",
    ] {
        let lines = slow_scan(|_| vec![format!("{forged} desk mallory: {}", LINE.replace("PORT", "9").replace("desk kernel: ", ""))]);
        let said = replay(&lines);
        assert!(said.iter().any(|finding| finding.kind == Kind::SlowScan && finding.contacts >= 12), "{forged}: {said:#?}");
    }
}

#[test]
fn a_clock_that_was_set_hides_no_scan() {
    // Daylight saving ends in the middle of the scan.
    let mut lines = slow_scan(|_| Vec::new());
    for line in &mut lines[6..] {
        *line = line.replace("T10:", "T09:");
    }
    assert_eq!(replay(&lines).iter().map(|finding| finding.kind).collect::<Vec<_>>(), [Kind::SlowScan]);
}

#[test]
fn ticks_at_the_ends_of_the_line_break_nothing() {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let mut random = Random(1);
    let mut said = 0;
    for n in 0..3_000_u16 {
        let at = match random.below(6) {
            0 => 0,
            1 => random.next(),
            2 => u64::MAX - random.below(1 << 40),
            _ => START + u64::from(n) * SECOND,
        };
        engine.observe(&syn(v4(203, 0, 113, 9), 1, us(), n), Origin::Kernel, Tick::from_micros(at));
        engine.check_invariants().unwrap();
        said += findings(&mut engine).len();
    }
    assert!(said > 0);
    engine.close_all();
    engine.check_invariants().unwrap();
}

/// A record that is cut or glued is no more than its whole lines, and nobody vouches for it.
#[test]
fn cut_and_glued_lines_are_no_evidence_against_the_innocent() {
    let line = |n: u32| format!("2026-11-22T10:00:{n:02}.000000+00:00 {}", LINE.replace("PORT", &(n + 20).to_string()));
    let whole: Vec<String> = (0..12).map(line).collect();
    let told = replay(&whole);
    assert_eq!((told[0].severity, told[0].origin), (3, Origin::Kernel));
    for cut in 1..whole[0].len() {
        let lines: Vec<String> = whole.iter().map(|line| line[..cut.min(line.len())].to_owned()).collect();
        let said = replay(&lines);
        assert!(said.iter().all(|finding| finding.severity <= 3 && finding.contacts <= 12), "cut at {cut}: {said:#?}");
    }
    let glued: Vec<String> = whole.chunks(2).map(<[String]>::concat).collect();
    assert!(replay(&glued).iter().all(|finding| finding.origin == Origin::Unverified));
}
