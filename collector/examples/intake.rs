//! How many lines a second come through an intake, to the engine's verdict, and when the last line of a burst is out.
//!
//! `make bench-intake`. The journal comes from a `journalctl` that prints a made-up stream: the real one is measured by
//! itself. Processor time is that of this process, the reader's thread included and `journalctl` not.
#![allow(clippy::print_stdout, reason = "prints its result")]

use anyhow::{Context as _, Result, ensure};
use firebell_collector::{
    accounts::Accounts,
    clock::Clock,
    config::Config,
    intake::{self, AllNetns, Batch, Positions, Readers},
    privilege, sandbox,
    watch::{Recorded, Watch},
};
use firebell_engine::{replay::ReplayClock, tick::Tick};
use rustix::time::{ClockId, clock_gettime};
use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const LINES: usize = 1_000_000;
const BURSTS: usize = 20;
const BURST: usize = 10_000;
/// Ends a burst. Nothing else ends so.
const LAST: &[u8] = b"the last of a burst";

fn main() -> Result<()> {
    let kind = std::env::args().nth(1).context("which intake: file or journal?")?;
    let is_journal = kind == "journal";
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    let (stream, program) = (dir.path().join("stream"), dir.path().join("journalctl"));
    let source = if is_journal {
        fs::write(&program, format!("#!/bin/sh\nexec tail -q -c +1 -f {}\n", stream.display()))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        format!("source = \"journal\"\njournalctl = {program:?}")
    } else {
        format!("source = \"file\"\nfiles = [{stream:?}]\nfrom = \"start\"")
    };
    let config = Config::parse(Path::new("bench.toml"), &format!("[intake]\nvouched-prefixes = [\"DROP\"]\n{source}\n"))?;
    let write = |file: &mut File, from: usize, count: usize, is_burst: bool| -> Result<()> {
        let mut text = Vec::new();
        for n in from..from + count {
            line(&mut text, n, is_journal, None)?;
        }
        if is_burst {
            line(&mut text, 0, is_journal, Some(LAST))?;
        }
        Ok(file.write_all(&text)?)
    };
    let mut file = OpenOptions::new().append(true).create(true).open(&stream)?;
    write(&mut file, 0, LINES, true)?;

    let (alone, judged) = (intake::open(&config.intake)?.inputs, intake::open(&config.intake)?.inputs);
    let (accounts, all_netns) = (Accounts::read()?, AllNetns::open());
    let groups: Vec<u32> = judged.iter().flat_map(|input| input.info.groups.iter().copied()).collect();
    let token = privilege::drop(accounts.user(privilege::USER), &groups, privilege::Keep::Nothing, &sandbox::Limits::off())?;
    let clock = Arc::new(Clock::default());
    let recorded = Recorded::new(ReplayClock::new(2026, 0), Tick::ZERO);
    let intakes = judged.iter().map(|input| Arc::clone(&input.info)).collect();
    let mut watch = Watch::new(&config, [0; 16], intakes, all_netns, recorded, false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut next = LINES;
    for (what, inputs, mut watch) in [("intake", alone, None), ("intake, parse and engine", judged, Some(&mut watch))] {
        let begun = (Instant::now(), processor());
        let readers = intake::start(&token, inputs, &clock, &Positions::new())?;
        // What the bursts of an earlier turn have written is read first.
        let bursts = (next - LINES) / BURST;
        let seen = runtime.block_on(until_last(&readers, watch.as_deref_mut(), &clock, 1 + bursts))?;
        ensure!(seen == next + 1 + bursts, "{seen} lines of {}", next + 1 + bursts);
        let (clock_time, processor_time) = (begun.0.elapsed(), processor() - begun.1);
        let rate = |time: Duration| next as f64 / time.as_secs_f64() / 1e6;
        println!(
            "{kind}, {what}: {next} lines, {:.2} million/s of processor time, {:.2} on the clock",
            rate(processor_time),
            rate(clock_time)
        );
        let mut times = Vec::new();
        for _ in 0..BURSTS {
            thread::sleep(Duration::from_millis(50));
            write(&mut file, next, BURST, true)?;
            next += BURST;
            let written = Instant::now();
            let seen = runtime.block_on(until_last(&readers, watch.as_deref_mut(), &clock, 1))?;
            times.push(written.elapsed());
            ensure!(seen == BURST + 1, "{seen} lines of a burst of {}", BURST + 1);
        }
        times.sort();
        let [median, max] = [times.get(BURSTS / 2), times.last()].map(|time| time.map_or(0.0, |time| time.as_secs_f64() * 1e3));
        println!("{kind}, {what}: the last of {BURST} lines after their write {median:.1} ms, {max:.1} ms at most");
    }
    Ok(())
}

/// Takes lines up to the end of so many bursts, and gives them to the engine if there is one. How many lines that were.
async fn until_last(readers: &Readers, mut watch: Option<&mut Watch>, clock: &Clock, lasts: usize) -> Result<usize> {
    let (mut batch, mut count, mut ended) = (Batch::default(), 0, 0);
    loop {
        ensure!(readers.handover.take(&mut batch).await, "the reader has ended");
        let (now, mut lines) = (clock.now(), batch.lines());
        while let Some(line) = lines.next() {
            count += 1;
            if let Some(watch) = &mut watch {
                watch.line(line, lines.clone(), now);
                while watch.next_alert().is_some() {}
            }
            ended += usize::from(line.2.ends_with(LAST));
        }
        if ended == lasts {
            return Ok(count);
        }
    }
}

/// One log line of a source that comes back every thousandth line, as the file or the journal holds it.
fn line(text: &mut Vec<u8>, n: usize, is_journal: bool, message: Option<&[u8]>) -> Result<()> {
    let message = match message {
        Some(message) => message.to_vec(),
        None => format!(
            "DROP IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC=198.51.{}.{} DST=198.51.100.10 LEN=44 TOS=0x00 PREC=0x00 TTL=41 \
             ID={} PROTO=TCP SPT=40000 DPT={} WINDOW=1024 RES=0x00 SYN URGP=0 ",
            n / 250 % 4,
            n % 250,
            n % 65_536,
            n % 1000 + 1
        )
        .into_bytes(),
    };
    if is_journal {
        write!(
            text,
            "__CURSOR=s=aa7b4deadef245e992365eed2c325f36;i={n:x};b=580d7e10671f4bb9aea2312b42f69078;m={n:x};t=661263f14d3df;x=4fbaf8638d506abf\n\
             __REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID=580d7e10671f4bb9aea2312b42f69078\n_TRANSPORT=kernel\nPRIORITY=4\n\
             SYSLOG_FACILITY=0\n_SOURCE_MONOTONIC_TIMESTAMP={}\nMESSAGE=",
            1_795_666_755_245_023 + n * 10,
            19_676_996_115 + n * 10,
            19_676_988_689 + n * 10
        )?;
        text.extend_from_slice(&message);
        text.extend_from_slice(b"\n\n");
    } else {
        write!(text, "Nov 26 04:00:{:02} host kernel: [{:5}.{:06}] ", n / 50_000 % 60, n / 50_000, n % 50_000 * 20)?;
        text.extend_from_slice(&message);
        text.push(b'\n');
    }
    Ok(())
}

/// Processor time of this process.
fn processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}
