//! Every parameter does something, and every preset says what it is for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails")]

use firebell_engine::{
    config::{Level, SeverityRule},
    engine::{Config, Engine},
    finding::{Delivery, Finding, Kind},
    origin::Origin,
    parameters::{Detect, Preset},
    parse::parse,
    record::Record,
    replay::{Moment, ReplayClock},
    tick::Tick,
};
use std::{collections::BTreeSet, time::Duration};

const FAR: &str = "203.0.113.9";
const NEAR: &str = "192.168.1.77";
const US: &str = "198.51.100.10";

/// Lines with their times, in milliseconds.
type Log = Vec<(u64, String)>;

/// Everything that is said of a log, to its end.
fn said(config: Config, log: &Log) -> Vec<Finding> {
    said_by(Engine::new(config, [7; 16]), log)
}

fn said_by(mut engine: Engine, log: &Log) -> Vec<Finding> {
    for (millis, line) in log {
        engine.observe(&parse(line.as_bytes()).unwrap(), Origin::Kernel, Tick::from_micros((1_795_331_400_000 + millis) * 1000));
    }
    engine.close_all();
    std::iter::from_fn(|| engine.next_finding()).collect()
}

/// Every source draws IDs of its own, as real ones do.
fn tcp(src: &str, dst: &str, sport: u16, dport: u16, flags: &str) -> String {
    numbered(1000 + u32::from(dport) % 7919 + src.bytes().map(u32::from).sum::<u32>(), src, dst, sport, dport, flags)
}

fn numbered(id: u32, src: &str, dst: &str, sport: u16, dport: u16, flags: &str) -> String {
    format!(
        "DROP IN=eth0 OUT= SRC={src} DST={dst} LEN=44 TOS=0x00 PREC=0x00 TTL=50 ID={id} PROTO=TCP SPT={sport} DPT={dport} WINDOW=1024 RES=0x00 {flags}URGP=0 "
    )
}

fn udp(src: &str, dport: u16) -> String {
    format!("DROP IN=eth0 OUT= SRC={src} DST={US} LEN=28 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=UDP SPT=40000 DPT={dport} LEN=8 ")
}

fn icmp(src: &str, dst: &str, kind: u8) -> String {
    format!(
        "DROP IN=eth0 OUT= SRC={src} DST={dst} LEN={} TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=ICMP TYPE={kind} CODE=0 ID=1 SEQ=1 ",
        if kind == 8 { 28 } else { 40 }
    )
}

fn out(dst: &str, dport: u16) -> String {
    format!(
        "REJECT IN= OUT=eth0 SRC={US} DST={dst} LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=TCP SPT=40000 DPT={dport} WINDOW=64240 RES=0x00 SYN URGP=0 "
    )
}

/// `count` lines, `gap` milliseconds apart.
fn every(gap: u64, count: u16, line: impl Fn(u16) -> String) -> Log {
    (0..count).map(|n| (u64::from(n) * gap, line(n))).collect()
}

fn syns(src: &str, gap: u64, count: u16) -> Log {
    every(gap, count, |n| tcp(src, US, 40_000, 100 + n, "SYN "))
}

fn host(n: u16) -> String {
    format!("198.51.100.{n}")
}

/// Two sources send the same `count` probes, half a second after one another.
fn decoys(gap: u64, count: u16) -> Log {
    let probe = |src: &str, n: u16| numbered(5000 + u32::from(n), src, US, 40_000, 100 + n, "SYN ");
    (0..count).flat_map(|n| [(u64::from(n) * gap, probe("203.0.113.9", n)), (u64::from(n) * gap + 500, probe("192.0.2.8", n))]).collect()
}

/// `sources` ask `ports` ports each in turn, one a second.
fn shared(from: u64, first: u16, sources: u16, ports: u16) -> Log {
    let ask = |n: u16| tcp(&format!("203.0.{}.9", n % sources), US, 40_000, first + n, "SYN ");
    every(1000, sources * ports, ask).into_iter().map(|(millis, line)| (from * 1000 + millis, line)).collect()
}

/// A parameter by name, and another value for it.
type Tweak = (&'static str, fn(&mut Detect));

struct Case {
    detector: &'static str,
    base: fn(&mut Detect),
    log: Log,
    tweaks: Vec<Tweak>,
}

fn case(detector: &'static str, base: fn(&mut Detect), log: Log, tweaks: Vec<Tweak>) -> Case {
    Case { detector, base, log, tweaks }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Only the detector at hand is on, where another one would speak as well.
fn quiet(d: &mut Detect) {
    d.fast_scan.enabled = false;
    d.slow_scan.enabled = false;
    d.distributed.enabled = false;
}

fn scans() -> Vec<Case> {
    vec![
        case(
            "fast_scan",
            |_| {},
            syns(FAR, 400, 8),
            vec![
                ("enabled", |d| d.fast_scan.enabled = false),
                ("half_life", |d| d.fast_scan.half_life = seconds(1)),
                ("contact_weight", |d| d.fast_scan.contact_weight = 1.0),
                ("threshold", |d| d.fast_scan.threshold = 50.0),
                ("severity", |d| d.fast_scan.severity = 2),
            ],
        ),
        case(
            "fast_scan",
            |d| d.illegal_flags.enabled = false,
            every(400, 4, |n| tcp(FAR, US, 40_000, n + 1, "FIN ")),
            vec![("illegal_weight", |d| {
                d.fast_scan.illegal_weight = 1.0;
            })],
        ),
        case("fast_scan", |_| {}, every(400, 9, |n| udp(FAR, n + 1)), vec![("udp_weight", |d| d.fast_scan.udp_weight = 0.5)]),
        case(
            "fast_scan",
            |d| d.sweep.enabled = false,
            every(400, 15, |n| icmp(NEAR, &host(n), 8)),
            vec![("icmp_weight", |d| {
                d.fast_scan.icmp_weight = 0.1;
            })],
        ),
        case(
            "fast_scan",
            |d| d.fast_scan.sweep_destinations = 64,
            every(400, 64, |n| tcp(FAR, &host(n), 40_000, 22, "SYN ")),
            vec![("sweep_weight", |d| d.fast_scan.sweep_weight = 0.0), ("sweep_destinations", |d| d.fast_scan.sweep_destinations = 20)],
        ),
        case(
            "slow_scan",
            |_| {},
            syns(FAR, 1_800_000, 12),
            vec![
                ("enabled", |d| d.slow_scan.enabled = false),
                ("ports", |d| d.slow_scan.ports = 6),
                ("within", |d| d.slow_scan.within = seconds(3 * 3600)),
                ("severity", |d| d.slow_scan.severity = 3),
            ],
        ),
        case("slow_scan", |_| {}, syns(NEAR, 1_800_000, 12), vec![("near_severity", |d| d.slow_scan.near_severity = 2)]),
        case(
            "illegal_flags",
            |_| {},
            every(400, 2, |n| tcp(FAR, US, 40_000, n + 1, "FIN ")),
            vec![
                ("enabled", |d| d.illegal_flags.enabled = false),
                ("packets", |d| d.illegal_flags.packets = 3),
                ("severity", |d| d.illegal_flags.severity = 4),
                ("single_severity", |d| d.illegal_flags.single_severity = 1),
            ],
        ),
        case(
            "reply_scan",
            |_| {},
            every(200, 20, |n| tcp(FAR, US, 443, 2000 + n, "ACK ")),
            vec![
                ("enabled", |d| d.reply_scan.enabled = false),
                ("ports", |d| d.reply_scan.ports = 10),
                ("within", |d| d.reply_scan.within = seconds(1)),
            ],
        ),
        case(
            "reply_scan",
            |_| {},
            every(200, 45, |n| tcp(FAR, US, 443, 2000 + n, "ACK ").replace(" PROTO", " DF PROTO")),
            vec![("any_ports", |d| d.reply_scan.any_ports = 20), ("any_within", |d| d.reply_scan.any_within = seconds(3))],
        ),
        case(
            "sweep",
            quiet,
            every(400, 8, |n| tcp(FAR, &host(n), 40_000, 22, "SYN ")),
            vec![("enabled", |d| d.sweep.enabled = false), ("targets", |d| d.sweep.targets = 9), ("severity", |d| d.sweep.severity = 1)],
        ),
        case(
            "sweep",
            quiet,
            every(400, 40, |n| tcp(FAR, &host(n / 5), 40_000, 20 + n % 5, "SYN ")),
            vec![("max_services", |d| d.sweep.max_services = 5)],
        ),
        case(
            "sweep",
            quiet,
            every(400, 8, |n| tcp(NEAR, &host(n), 40_000, 22, "SYN ")),
            vec![("near_severity", |d| d.sweep.near_severity = 2)],
        ),
        case(
            "sweep",
            quiet,
            every(400, 8, |n| tcp(NEAR, &host(n), 40_000, 443, "SYN ").replace("OUT=", "OUT=wan0")),
            vec![("errand_ports", |d| d.sweep.errand_ports.clear())],
        ),
        case(
            "decoys",
            quiet,
            decoys(60_000, 3),
            vec![
                ("enabled", |d| d.decoys.enabled = false),
                ("probes", |d| d.decoys.probes = 4),
                ("within", |d| d.decoys.within = Duration::from_millis(100)),
                ("forget", |d| d.decoys.forget = seconds(30)),
                ("severity", |d| d.decoys.severity = 2),
            ],
        ),
        case(
            "distributed",
            |_| {},
            shared(0, 1, 5, 6),
            vec![
                ("enabled", |d| d.distributed.enabled = false),
                ("ports", |d| d.distributed.ports = 40),
                ("sources", |d| d.distributed.sources = 6),
                ("within", |d| d.distributed.within = seconds(10)),
                ("distinct_part", |d| d.distributed.distinct_part = 1.1),
                ("largest_part", |d| d.distributed.largest_part = 0.1),
                ("alike_part", |d| d.distributed.alike_part = 1.1),
                ("severity", |d| d.distributed.severity = 2),
            ],
        ),
        case(
            "distributed",
            |_| {},
            every(1000, 40, |n| tcp(&format!("203.0.{n}.9"), US, 40_000 + n, 1000 + n, "SYN ")),
            vec![("in_step_part", |d| d.distributed.in_step_part = 1.1)],
        ),
        case(
            "distributed",
            |_| {},
            [shared(0, 1, 4, 3), shared(700, 100, 5, 5)].concat(),
            vec![("times_usual", |d| d.distributed.times_usual = 1)],
        ),
        case(
            "roll_up",
            |_| {},
            every(400, 32, |n| tcp(&format!("203.0.113.{}", n / 8), US, 40_000, n % 8, "SYN ")),
            vec![("enabled", |d| d.roll_up.enabled = false), ("sources", |d| d.roll_up.sources = 5)],
        ),
    ]
}

fn others() -> Vec<Case> {
    let flood = |from: u64, seconds: u64, rate: fn(u64) -> u64| -> Log {
        let second = |s: u64| (0..rate(s)).map(move |n| ((from + s) * 1000 + n * 1000 / rate(s), s * 1000 + n));
        (0..seconds)
            .flat_map(second)
            .map(|(at, n)| (at, tcp(&format!("203.{}.{}.9", n / 250 % 250, n % 250), US, 40_000, 80, "SYN ")))
            .collect()
    };
    let short = [flood(0, 2, |_| 1000), flood(30, 1, |_| 5)].concat();
    let asks = every(100, 3, |n| icmp(FAR, US, [8, 13, 17][usize::from(n)]));
    let near_asks = every(100, 3, |n| icmp(NEAR, US, [8, 13, 17][usize::from(n)]));
    let os = |n: u16| tcp(FAR, US, 40_000, 22 + n, "CWR ECE SYN ").replace("WINDOW=1024", "WINDOW=3").replace("URGP=0", "URGP=63477");
    let attempts = |gap, count| every(gap, count, |n| tcp(FAR, US, 30_000 + n, 22, "SYN "));
    vec![
        case(
            "flood",
            quiet,
            short,
            vec![
                ("enabled", |d| d.flood.enabled = false),
                ("allowance", |d| d.flood.allowance = 2000),
                ("alarm", |d| d.flood.alarm = 200),
                ("busy", |d| d.flood.busy = 100),
                ("calm", |d| d.flood.calm = seconds(1)),
                ("severity", |d| d.flood.severity = 3),
            ],
        ),
        case("flood", quiet, flood(0, 300, |second| 1 + second / 3), vec![("learn", |d| d.flood.learn = seconds(20))]),
        case(
            "backscatter",
            |_| {},
            every(400, 25, |n| tcp(FAR, US, 80, 2000 + n, "ACK SYN ")),
            vec![
                ("enabled", |d| d.backscatter.enabled = false),
                ("answers", |d| d.backscatter.answers = 50),
                ("within", |d| d.backscatter.within = seconds(1)),
                ("severity", |d| d.backscatter.severity = 2),
            ],
        ),
        case(
            "insistent_tries",
            |_| {},
            attempts(400, 12),
            vec![
                ("enabled", |d| d.insistent_tries.enabled = false),
                ("ports", |d| d.insistent_tries.ports = vec![23..=80]),
                ("attempts", |d| d.insistent_tries.attempts = 20),
                ("within", |d| d.insistent_tries.within = seconds(2)),
                ("severity", |d| d.insistent_tries.severity = 3),
            ],
        ),
        case(
            "insistent_tries",
            |_| {},
            attempts(1_200_000, 32),
            vec![
                ("slow_attempts", |d| d.insistent_tries.slow_attempts = 40),
                ("slow_within", |d| d.insistent_tries.slow_within = seconds(3600)),
            ],
        ),
        case(
            "tools",
            |_| {},
            every(400, 3, os),
            vec![("enabled", |d| d.tools.enabled = false), ("os_severity", |d| d.tools.os_severity = 5)],
        ),
        case("tools", |_| {}, asks, vec![("discovery_severity", |d| d.tools.discovery_severity = 4)]),
        case("tools", |_| {}, near_asks, vec![("near_discovery_severity", |d| d.tools.near_discovery_severity = 4)]),
        case(
            "egress",
            |_| {},
            every(500, 14, |n| out(&format!("192.0.2.{n}"), 445)),
            vec![
                ("enabled", |d| d.egress.enabled = false),
                ("worm_ports", |d| d.egress.worm_ports = vec![22]),
                ("destinations", |d| d.egress.destinations = 30),
                ("within", |d| d.egress.within = seconds(1)),
                ("severity", |d| d.egress.severity = 4),
            ],
        ),
        case("egress", |_| {}, every(500, 20, |n| out("192.0.2.1", 100 + n)), vec![("ports", |d| d.egress.ports = 40)]),
        case(
            "visibility",
            |_| {},
            every(20_060, 22, |n| tcp(&format!("203.0.{n}.9"), US, 40_000, 22, "SYN ")),
            vec![
                ("enabled", |d| d.visibility.enabled = false),
                ("gaps", |d| d.visibility.gaps = 30),
                ("period", |d| d.visibility.period = seconds(21)),
                ("slack", |d| d.visibility.slack = Duration::from_millis(900)),
                ("sources", |d| d.visibility.sources = 16),
            ],
        ),
        case(
            "packet_count",
            |d| d.packet_count.enabled = true,
            every(400, 20, |n| tcp(FAR, US, 40_000, n % 2, "SYN ")),
            vec![
                ("enabled", |d| d.packet_count.enabled = false),
                ("levels", |d| d.packet_count.levels = [5, 6, 7, 8, 10_000]),
                ("ports", |d| d.packet_count.ports = 3),
            ],
        ),
    ]
}

#[test]
fn every_parameter_changes_what_is_said() {
    let mut seen = BTreeSet::new();
    for Case { detector, base, log, tweaks } in scans().into_iter().chain(others()) {
        let mut config = Config::default();
        base(&mut config.detect);
        let plain = said(config.clone(), &log);
        for (name, tweak) in tweaks {
            let mut tweaked = config.clone();
            tweak(&mut tweaked.detect);
            let other = said(tweaked.clone(), &log);
            assert!(other != plain, "{detector}.{name} does nothing; {plain:?}");
            let mut engine = Engine::new(config.clone(), [7; 16]);
            engine.adopt(tweaked);
            assert_eq!(said_by(engine, &log), other, "{detector}.{name} is not adopted by an engine that runs");
            assert!(seen.insert(format!("{detector}.{name}")), "{detector}.{name} twice");
        }
    }
    // All names, as the debugger shows them: detectors at four spaces, parameters at eight.
    let (mut all, mut detector) = (BTreeSet::new(), "");
    let shown = format!("{:#?}", Detect::default());
    for line in shown.lines() {
        let Some((name, _)) = line.trim_start().split_once(": ") else { continue };
        match line.len() - line.trim_start().len() {
            4 => detector = name,
            8 => drop(all.insert(format!("{detector}.{name}"))),
            _ => {}
        }
    }
    assert_eq!(seen, all);
}

/// Everything that is said of a log while `config` is adopted before each line with the number in `at`.
fn said_adopting(first: Config, config: &Config, at: &[usize], log: &Log) -> Vec<Finding> {
    let mut engine = Engine::new(first, [7; 16]);
    let mut said = Vec::new();
    for (n, (millis, line)) in log.iter().enumerate() {
        if at.contains(&n) {
            engine.adopt(config.clone());
            engine.check_invariants().unwrap();
        }
        engine.observe(&parse(line.as_bytes()).unwrap(), Origin::Kernel, Tick::from_micros((1_795_331_400_000 + millis) * 1000));
        said.extend(std::iter::from_fn(|| engine.next_finding()));
    }
    engine.close_all();
    said.extend(std::iter::from_fn(|| engine.next_finding()));
    said
}

#[test]
fn to_adopt_what_is_in_force_already_changes_nothing() {
    for Case { detector, base, log, .. } in scans().into_iter().chain(others()) {
        let mut config = Config::default();
        base(&mut config.detect);
        let always: Vec<usize> = (0..log.len()).collect();
        // Who is looked at again may be told a packet earlier, and that is all.
        let timeless = |said: Vec<Finding>| said.into_iter().map(|finding| Finding { at: Tick::ZERO, ..finding }).collect::<Vec<_>>();
        assert_eq!(timeless(said_adopting(config.clone(), &config, &always, &log)), timeless(said(config, &log)), "{detector}");
    }
}

#[test]
fn what_was_counted_before_counts_by_the_new_parameters() {
    let log = syns(FAR, 400, 6);
    assert_eq!(said(Config::default(), &log), []);
    let mut stricter = Config::default();
    // Another length of a half-life must neither forget the suspicion nor keep it from fading.
    (stricter.detect.fast_scan.threshold, stricter.detect.fast_scan.half_life) = (7.0, seconds(60));
    let found = said_adopting(Config::default(), &stricter, &[5], &log);
    assert_eq!(found.first().map(|finding| (finding.kind, finding.packets, finding.contacts)), Some((Kind::SynScan, 6, 6)), "{found:?}");
    let late: Log = log.iter().enumerate().map(|(n, (millis, line))| (millis + if n == 5 { 600_000 } else { 0 }, line.clone())).collect();
    assert_eq!(said_adopting(Config::default(), &stricter, &[4], &late), [], "ten half-lives later");
    stricter.detect.fast_scan.half_life = seconds(86_400);
    assert_eq!(said_adopting(Config::default(), &stricter, &[4], &late).len(), 2, "ten minutes are nothing to a day");
}

#[test]
fn an_incident_that_is_open_follows_new_parameters_as_the_same_incident() {
    let mut lists = Config::default();
    lists.lists.severities =
        vec![SeverityRule { source: (FAR.parse().unwrap(), 32), protocol: None, ports: Vec::new(), level: Level::Fixed(5) }];
    let mut log = syns(FAR, 400, 10);
    log.push((60_000, tcp(FAR, US, 40_000, 99, "SYN ")));
    let found = said_adopting(Config::default(), &lists, &[10], &log);
    let told: Vec<_> = found.iter().map(|finding| (finding.id, finding.severity)).collect();
    assert!(told.starts_with(&[(1, 3)]) && told.contains(&(1, 5)), "{told:?}");
    let mut trusting = Config::default();
    trusting.lists.trusted = vec![(FAR.parse().unwrap(), 32)];
    let found = said_adopting(Config::default(), &trusting, &[10], &log);
    assert!(found.iter().all(|finding| finding.packets <= 10 && finding.id == 1), "{found:?}");
}

fn preset(preset: Preset, log: &Log) -> Option<(Kind, u8, Delivery)> {
    said(preset.config(), log).last().map(|finding| (finding.kind, finding.severity, finding.delivery))
}

#[test]
fn a_server_is_not_told_of_small_scans_and_sweeps_but_of_broad_ones() {
    let sweep = every(400, 8, |n| tcp(FAR, &host(n), 40_000, 22, "SYN "));
    let tries = every(400, 12, |n| tcp(FAR, US, 30_000 + n, 22, "SYN "));
    assert_eq!(preset(Preset::Desktop, &sweep).unwrap().2, Delivery::Digest);
    assert_eq!(preset(Preset::Server, &sweep).unwrap().2, Delivery::Log);
    assert_eq!(preset(Preset::Server, &tries).unwrap(), (Kind::InsistentTries, 1, Delivery::Log));
    assert_eq!(preset(Preset::Desktop, &syns(FAR, 400, 8)).unwrap().2, Delivery::Popup);
    assert_eq!(preset(Preset::Server, &syns(FAR, 400, 8)), None);
    assert_eq!(preset(Preset::Server, &syns(FAR, 400, 15)).unwrap().2, Delivery::Digest);
    assert_eq!(preset(Preset::Server, &syns(FAR, 400, 30)).unwrap().2, Delivery::Popup);
}

#[test]
fn in_a_honeynet_two_ports_are_a_scan_and_three_tries_are_insistent() {
    assert_eq!(preset(Preset::Honeynet, &syns(FAR, 400, 1)), None);
    assert_eq!(preset(Preset::Honeynet, &syns(FAR, 400, 2)).unwrap(), (Kind::SynScan, 3, Delivery::Popup));
    assert_eq!(
        preset(Preset::Honeynet, &every(400, 3, |n| tcp(FAR, US, 30_000 + n, 9999, "SYN "))).unwrap(),
        (Kind::InsistentTries, 3, Delivery::Popup)
    );
}

/// The highest severity that is said of a capture of the corpus, and of how many sources.
fn capture(name: &str, preset: Preset) -> u8 {
    let path = format!("{}/../../tests/corpus/dev/{name}.kmsg.log", env!("CARGO_MANIFEST_DIR"));
    let log = std::fs::read(path).unwrap();
    let (mut engine, mut clock) = (Engine::new(preset.config(), [7; 16]), ReplayClock::new(2026, 0));
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record = Record::read(line);
        let tick = clock.tick(Moment::of(&record), std::iter::empty());
        engine.observe(&parse(record.text).unwrap(), Origin::Kernel, tick);
    }
    engine.close_all();
    std::iter::from_fn(|| engine.next_finding()).map(|finding| finding.severity).max().unwrap_or(0)
}

#[test]
fn the_psad_preset_gives_the_danger_levels_that_psad_gives() {
    // As psad 2.4.6 with its own configuration judged these captures, by packets alone.
    let levels = [
        ("syn", 4),
        ("syn-slow", 2),
        ("syn-noopt", 2),
        ("connect", 3),
        ("fin", 3),
        ("xmas", 3),
        ("null", 3),
        ("ack", 0),
        ("window", 0),
        ("maimon", 0),
        ("synfin", 2),
        ("urgpshsynfin", 2),
        ("udp", 2),
        ("proto", 3),
        ("version", 2),
        ("decoys", 2),
        ("frag", 2),
        ("srcport53", 2),
        ("ttl", 2),
        ("data", 2),
        ("portsweep", 1),
        ("forward", 2),
        ("distributed", 2),
        ("masscan", 3),
        ("zmap", 1),
        ("hping-syn", 2),
        ("hping-udp", 2),
        ("hping-icmp", 3),
        ("ping-sweep", 2),
        ("sctp", 2),
        ("mirai", 1),
        ("synflood", 0),
        ("quiet-ping", 2),
        ("quiet-retry", 0),
        ("quiet-late", 0),
    ];
    let wrong: Vec<_> =
        levels.iter().map(|(name, level)| (name, *level, capture(name, Preset::Psad))).filter(|(_, level, ours)| level != ours).collect();
    assert_eq!(wrong, []);
}
