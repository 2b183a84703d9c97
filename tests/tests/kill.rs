//! Killed at any moment, over rotations of the log: each line counts once, each incident is there once, under one number.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use anyhow::{Context as _, Result, ensure};
use firebell_shared::alert::Alert;
use firebell_tests::{
    bus::wait_until,
    program::{Program, run},
    rig::with_rigs,
    stage::Stage,
};
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

const KILLS: usize = 50;
const RENAMES: usize = 20;
const CUTS: usize = 5;
const SCANNERS: usize = 60;
const PORTS: usize = 40;
/// Each source stands for itself, and says its last state soon.
const EACH: &str = "[engine]\nincidents-per-minute = 1000\nupdate-every = \"1s\"\nsettle = \"8s\"\n[detect.roll-up]\nenabled = false\n\
                    [detect.decoys]\nenabled = false\n[detect.distributed]\nenabled = false\n[detect.flood]\nenabled = false\n\
                    [detect.visibility]\nenabled = false\n[signatures]\nshipped = false\n";
const SECONDS: Duration = Duration::from_secs(30);

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Starts one that follows the log; `more` is of its intake.
fn start(stage: &Stage, more: &str) -> Result<Program> {
    Program::start("firebelld", &mut stage.command(&stage.following(&format!("{more}{EACH}")))?)
}

/// Waits until so many lines are counted, and every scanner's last state is told.
fn wait_for(stage: &Stage, lines: u64) -> Result<()> {
    wait_until("every line is counted", SECONDS, || Ok(stage.numbers(["lines"])? >= [lines]))?;
    wait_until("the last state is told", SECONDS, || {
        let told = packets(&stage.alerts(0)?);
        Ok(told.len() >= SCANNERS && told.values().all(|(packets, _)| *packets == PORTS as u64))
    })
    .with_context(|| {
        let alerts = stage.alerts(0).unwrap_or_default();
        let wrong: Vec<_> = alerts.iter().filter(|alert| alert.details.packets != PORTS as u64).collect();
        format!("{} incidents, and of these not all is told: {wrong:#?}", alerts.len())
    })
}

/// Packets and kind of the incident of each source.
fn packets(alerts: &[Alert]) -> BTreeMap<String, (u64, String)> {
    alerts.iter().map(|alert| (alert.source.clone(), (alert.details.packets, alert.kind.clone()))).collect()
}

/// Numbered lines: scanners, each with the rest of the Internet in between.
fn lines() -> Vec<String> {
    let mut random = Random(1);
    let mut asked = [0; SCANNERS];
    let mut lines = Vec::new();
    while asked.iter().any(|ports| *ports < PORTS) {
        // Ten at a time, as scanners come and go.
        let first = asked.iter().position(|ports| *ports < PORTS).unwrap();
        let scanner = usize::try_from(random.below(10)).unwrap() + first;
        let (source, port) = match asked.get_mut(scanner) {
            Some(ports) if *ports < PORTS && random.below(2) == 0 => {
                *ports += 1;
                (format!("198.51.100.{}", scanner + 1), *ports)
            }
            _ => (format!("203.{}.{}.9", lines.len() / 250, lines.len() % 250), 23),
        };
        lines.push(format!(
            "DROP IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC={source} DST=198.51.100.250 LEN=44 TOS=0x00 PREC=0x00 TTL=41 \
             ID={} PROTO=TCP SPT=40000 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0 ",
            lines.len()
        ));
    }
    lines
}

/// Appends lines as a logging daemon does, stamped when they are written.
struct Writer {
    log: PathBuf,
    file: fs::File,
    /// All of it in one file, for the other run.
    whole: fs::File,
    begun: Instant,
    wall: jiff::Timestamp,
}

impl Writer {
    fn new(log: &Path, whole: &Path) -> Result<Self> {
        let file = fs::File::options().append(true).open(log)?;
        Ok(Self { log: log.to_owned(), file, whole: fs::File::create(whole)?, begun: Instant::now(), wall: jiff::Timestamp::now() })
    }

    fn write(&mut self, lines: &[String]) -> Result<()> {
        for line in lines {
            let text = format!("{} host kernel: {line}\n", self.wall.checked_add(self.begun.elapsed())?);
            self.file.write_all(text.as_bytes())?;
            self.whole.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn rotated(&self, number: usize) -> PathBuf {
        self.log.with_extension(format!("log.{number}"))
    }

    fn shift(&self) -> Result<()> {
        for number in (1..40).rev().filter(|number| self.rotated(*number).exists()) {
            fs::rename(self.rotated(number), self.rotated(number + 1))?;
        }
        Ok(())
    }

    /// As logrotate's `create`: a new file takes the name.
    fn rename(&mut self) -> Result<()> {
        self.shift()?;
        fs::rename(&self.log, self.rotated(1))?;
        self.file = fs::File::options().append(true).create(true).open(&self.log)?;
        Ok(())
    }

    /// As logrotate's `copytruncate`.
    fn cut(&mut self) -> Result<()> {
        self.shift()?;
        fs::copy(&self.log, self.rotated(1))?;
        fs::File::options().write(true).open(&self.log)?.set_len(0)?;
        Ok(())
    }
}

#[test]
fn killed_fifty_times_over_rotations_each_line_counts_once_and_each_incident_keeps_its_number() -> Result<()> {
    with_rigs("fifty kills", || {
        let (stage, lines) = (Stage::new()?, lines());
        let whole = stage.folder.path().join("whole.log");
        let mut writer = Writer::new(&stage.log(), &whole)?;
        let mut random = Random(2);
        let (mut ids, mut heard): (BTreeMap<String, u64>, Vec<Alert>) = (BTreeMap::new(), Vec::new());
        let mut note = |alerts: Vec<Alert>, heard: &mut Vec<Alert>| -> Result<()> {
            for alert in alerts {
                let known = *ids.entry(alert.source.clone()).or_insert(alert.id);
                ensure!(known == alert.id, "{} was {known} and is {}", alert.source, alert.id);
                heard.push(alert);
            }
            Ok(())
        };
        let (mut collector, mut written) = (start(&stage, "")?, 0);
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        for turn in 0..KILLS {
            let next = lines.len() * (turn + 1) / KILLS;
            let middle = written + usize::try_from(random.below((next - written) as u64)).unwrap();
            writer.write(&lines[written..middle])?;
            // Before the kill, after it, or while nothing runs, as it comes.
            let (renames, cuts) = (turn * RENAMES / KILLS, turn * CUTS / KILLS);
            if renames < (turn + 1) * RENAMES / KILLS {
                writer.rename()?;
            }
            thread::sleep(Duration::from_millis(random.below(150)));
            if turn % 10 == 9 {
                // Who listens is down most of the time, and catches up.
                collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
                let after = heard.iter().map(|alert| alert.details.seq).max().unwrap_or(0);
                note(stage.alerts(after)?, &mut heard)?;
            }
            collector.kill()?;
            writer.write(&lines[middle..next])?;
            written = next;
            if cuts < (turn + 1) * CUTS / KILLS {
                writer.cut()?;
            }
            collector = start(&stage, "")?;
        }
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        let all = lines.len() as u64;
        wait_for(&stage, all)?;
        ensure!(
            (stage.numbers(["lines"])?[0], stage.numbers(["packets"])?[0], stage.numbers(["lines_skipped"])?[0]) == (all, all, 0),
            "{all} lines, and {:?}",
            (stage.numbers(["lines"])?[0], stage.numbers(["packets"])?[0], stage.numbers(["lines_skipped"])?[0])
        );
        let after = heard.iter().map(|alert| alert.details.seq).max().unwrap_or(0);
        note(stage.alerts(after)?, &mut heard)?;
        let alerts = stage.alerts(0)?;
        note(alerts.clone(), &mut Vec::new())?;
        let told = packets(&alerts);
        ensure!(alerts.len() == told.len(), "two incidents of one source");
        ensure!(packets(&heard) == told, "who was down has missed something");
        collector.stop()?;

        let steady = Stage::new()?;
        fs::copy(&whole, steady.log())?;
        let collector = start(&steady, "from = \"start\"\n")?;
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        wait_for(&steady, all)?;
        ensure!(packets(&steady.alerts(0)?) == told, "{:?}\n{told:?}", packets(&steady.alerts(0)?));
        println!("{all} lines, {KILLS} kills, {RENAMES} renames, {CUTS} cuts: {} incidents", told.len());
        Ok(())
    })
}

#[test]
fn what_was_written_and_not_told_is_heard_by_whoever_asks_after_the_start() -> Result<()> {
    with_rigs("killed between the disk and the signal", || {
        let (mut stage, lines) = (Stage::new()?, lines());
        let mut writer = Writer::new(&stage.log(), &stage.folder.path().join("whole.log"))?;
        let collector = start(&stage, "")?;
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        // Without a bus alerts are written, and nobody hears them.
        stage.bus.stop()?;
        writer.write(&lines)?;
        let database = stage.folder.path().join("state/history.db-wal");
        let size = || fs::metadata(&database).map_or(0, |metadata| metadata.len());
        let mut last = 0;
        wait_until("the alerts are written", SECONDS, || {
            thread::sleep(Duration::from_millis(1500));
            let before = std::mem::replace(&mut last, size());
            Ok(before == last && last > 0)
        })?;
        collector.kill()?;
        stage.bus.start()?;
        let collector = start(&stage, "")?;
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        ensure!(packets(&stage.alerts(0)?).len() == SCANNERS, "{:?}", stage.alerts(0)?.len());
        ensure!(stage.numbers(["lines"])?[0] == lines.len() as u64);
        Ok(())
    })
}

#[test]
fn without_a_state_that_fits_reading_goes_on_and_the_detectors_begin_anew() -> Result<()> {
    with_rigs("a state of another version", || {
        if run(Command::new("sqlite3").arg("--version")).is_err() {
            return Err(firebell_tests::rig::CannotRun("no sqlite3 (Debian: sqlite3)".to_owned()).into());
        }
        let (stage, lines) = (Stage::new()?, lines());
        let mut writer = Writer::new(&stage.log(), &stage.folder.path().join("whole.log"))?;
        let collector = start(&stage, "")?;
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        writer.write(&lines[..100])?;
        wait_until("100 lines", SECONDS, || Ok(stage.numbers(["lines"])?[0] == 100))?;
        collector.stop()?;
        let database = stage.folder.path().join("state/history.db");
        run(Command::new("sqlite3").arg(&database).arg("UPDATE checkpoint SET engine = x'ffffffff'"))?;
        writer.write(&lines[100..200])?;
        let collector = start(&stage, "")?;
        collector.wait_for(SECONDS, |line| line.text.contains("not taken over (another version"))?;
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        wait_until("the other 100 lines", SECONDS, || Ok(stage.numbers(["lines"])?[0] == 200))?;
        collector.stop()?;
        run(Command::new("sqlite3").arg(&database).arg("UPDATE positions SET position = x'ffffffff'"))?;
        let collector = start(&stage, "")?;
        collector.wait_for(SECONDS, |line| line.text.contains("the position that was kept is none of this intake"))?;
        Ok(())
    })
}
