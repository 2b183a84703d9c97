//! From lines to findings on one core, with everything on: `make bench-observe`.
//!
//! Each line goes the whole way: envelope off, clock, parse, judge, observe with all shipped rules, findings taken. The lines are
//! those of five scanners, and of half a million sources with two ports each; made up from a seed, in the shape of lines captured
//! on Linux 6.18, as syslog writes them and as /dev/kmsg gives them. At the end the same logs go through `grep -c SRC=`, which reads every byte and understands nothing, for comparison.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use divan::{Bencher, counter::ItemsCount};
use firebell_collector::{config, rules::Loaded};
use firebell_engine::{
    engine::{Config, Engine},
    origin::{Origin, judge},
    packet::Packet,
    parse::Parser,
    record::{Record, RecordReader},
    replay::{Moment, ReplayClock},
    signature::RuleSet,
    tick::Tick,
};
use std::{fmt::Write as _, fs, process::Command, sync::LazyLock};

fn main() {
    divan::main();
    if std::env::args().any(|argument| argument == "--bench") {
        compare("few sources, syslog", &FEW);
        compare("few sources, kmsg", &FEW_KMSG);
        compare("many sources, syslog", &MANY);
    }
}

/// A log, and where its lines begin and end.
struct Log {
    text: String,
    lines: Vec<(usize, usize)>,
}

static FEW: LazyLock<Log> = LazyLock::new(|| log(400_000, 5, 1_000, false));
static FEW_KMSG: LazyLock<Log> = LazyLock::new(|| log(400_000, 5, 1_000, true));
static MANY: LazyLock<Log> = LazyLock::new(|| log(1_000_000, 500_000, 2, false));
static RULES: LazyLock<RuleSet> = LazyLock::new(|| Loaded::shipped().rules.set(&config::Config::default().signatures));

/// Lines of so many sources in turn, each of which asks so many ports, 500 lines a second. A tenth is no SYN.
fn log(lines: usize, sources: usize, ports: usize, is_kmsg: bool) -> Log {
    let mut random = 1_u64;
    let mut below = move |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let mut log = Log { text: String::with_capacity(lines * 280), lines: Vec::with_capacity(lines) };
    for n in 0..lines {
        let (source, asked) = (n % sources, n / sources % ports);
        let [_, b, c, d] = u32::try_from(source * 33 + 77).unwrap().to_be_bytes();
        let port = (asked * 61 + 1) % 65_535 + 1;
        let (id, ttl, sport) = (below(65_536), 37 + below(23), 32_768 + source % 28_000);
        let start = log.text.len();
        if is_kmsg {
            write!(log.text, "4,{n},{},-;", 2_340_000_000 + n * 2_000).unwrap();
        } else {
            let (minute, second, uptime, micros) = (n / 30_000 % 60, n / 500 % 60, 2_340 + n / 500, n % 500 * 2_000);
            write!(log.text, "Nov 22 08:{minute:02}:{second:02} desk kernel: [{uptime:5}.{micros:06}] ").unwrap();
        }
        let link = "IN=eth0 OUT= MAC=d2:5f:bc:95:8f:a8:e6:d7:6d:29:3d:97:08:00";
        write!(log.text, "DROP {link} SRC=77.{b}.{c}.{d} DST=198.51.100.10 ").unwrap();
        let tcp =
            |flags| format!("PROTO=TCP SPT={sport} DPT={port} SEQ={} ACK=0 WINDOW=1024 RES=0x00 {flags}URGP=0 ", n * 7_919 % 4_294_967_296);
        let rest = match below(80) {
            0 => format!("LEN=28 TOS=0x00 PREC=0x00 TTL={ttl} ID={id} PROTO=ICMP TYPE=8 CODE=0 ID={sport} SEQ={} ", asked % 65_536),
            1 => format!("LEN=40 TOS=0x00 PREC=0x00 TTL={ttl} ID={id} {}", tcp("FIN ")),
            2 => format!("LEN=40 TOS=0x00 PREC=0x00 TTL={ttl} ID={id} {}", tcp("ACK ")),
            3..=7 => format!("LEN=28 TOS=0x00 PREC=0x00 TTL={ttl} ID={id} PROTO=UDP SPT={sport} DPT={port} LEN=8 "),
            _ => format!("LEN=44 TOS=0x00 PREC=0x00 TTL={ttl} ID={id} {}OPT (020405B4) ", tcp("SYN ")),
        };
        log.text.push_str(&rest);
        log.lines.push((start, log.text.len()));
        log.text.push('\n');
    }
    log
}

/// So many lines are read before they are judged, about as many as `firebell analyze` reads at once: what reads and what judges
/// have half a processor's first memory of instructions each, and would push each other out with every line.
const BATCH: usize = 64;

/// A line that was read.
#[derive(Default)]
struct Seen<'a> {
    packet: Option<Packet<'a>>,
    /// Who vouches for it, and when it was written; nothing of a line without a packet.
    told: Option<(Origin, Tick)>,
}

impl Log {
    fn line(&self, n: usize) -> Option<&[u8]> {
        let (start, end) = self.lines.get(n)?;
        self.text.as_bytes().get(*start..*end)
    }

    /// Everything that is said of it, counted.
    fn tell(&self, mut engine: Engine) -> u64 {
        let mut clock = ReplayClock::new(2026, 0);
        let (mut reader, mut parser) = (RecordReader::default(), Parser::default());
        let mut findings = 0;
        let mut batch: Vec<Seen<'_>> = (0..BATCH).map(|_| Seen::default()).collect();
        for first in (0..self.lines.len()).step_by(BATCH) {
            for (n, seen) in (first..self.lines.len()).zip(&mut batch) {
                let record = reader.read(divan::black_box(self.line(n).unwrap_or_default()));
                let ahead = (n + 1..n + 4).filter_map(|n| Moment::of(&Record::read(self.line(n)?)));
                let tick = clock.tick(Moment::of(&record), ahead);
                let packet = parser.parse_into(record.text, &mut seen.packet);
                seen.told = packet.ok().map(|packet| (judge(true, packet, record.text), tick));
            }
            for (_, seen) in (first..self.lines.len()).zip(&batch) {
                let (Some(packet), Some((origin, tick))) = (&seen.packet, seen.told) else { continue };
                engine.observe(packet, origin, tick);
                while engine.next_finding().is_some() {
                    findings += 1;
                }
            }
        }
        findings
    }
}

fn engine() -> Engine {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    engine.replace_rules(RULES.clone());
    engine
}

fn tell(bencher: Bencher<'_, '_>, log: &Log) {
    bencher.counter(ItemsCount::new(log.lines.len())).with_inputs(engine).bench_values(|engine| log.tell(engine));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn few_sources(bencher: Bencher<'_, '_>) {
    tell(bencher, &FEW);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn few_sources_kmsg(bencher: Bencher<'_, '_>) {
    tell(bencher, &FEW_KMSG);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn many_sources(bencher: Bencher<'_, '_>) {
    tell(bencher, &MANY);
}

/// What an engine costs before its first packet.
#[divan::bench]
fn empty() -> Engine {
    engine()
}

/// Processor time of this thread in seconds (Linux `Documentation/scheduler/sched-stats.rst`): on a busy machine a clock says
/// little.
fn own() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Processor time of the programs that were started and have ended, in seconds: fields 16 and 17 of proc_pid_stat(5).
fn of_children() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = text.rsplit(')').next().unwrap().split_whitespace().skip(13).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

fn best(time: impl Fn() -> f64, mut run: impl FnMut()) -> f64 {
    let run = |()| {
        let begin = time();
        run();
        time() - begin
    };
    [(), (), ()].map(run).into_iter().fold(f64::MAX, f64::min)
}

/// Our time beside that of `grep -c SRC=`.
fn compare(name: &str, log: &Log) {
    let path = format!("{}/observe-{}.log", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    fs::write(&path, &log.text).unwrap();
    let grep = best(of_children, || {
        let output = Command::new("grep").args(["-c", "SRC=", &path]).env("LC_ALL", "C").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), log.lines.len().to_string());
    });
    fs::remove_file(&path).unwrap();
    let ours = best(own, || {
        divan::black_box(log.tell(engine()));
    });
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = log.lines.len() as f64 / ours / 1e6;
    println!("{name}: {rate:.2} million lines/s of processor time, {:.1} times that of grep -c SRC=", ours / grep);
}
