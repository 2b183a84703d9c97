//! What the collector needs is missing, broken or too much: it goes on detecting, says what is wrong, and recovers.
//!
//! The full disk and somebody else's folder are in history.rs, kill -9 is in kill.rs.

use anyhow::{Context, Result, ensure};
use firebell_tests::{
    bus::{collector_user, folder_for_all, need_root, scan_lines, wait_until},
    program::{Program, built, run},
    rig::{CannotRun, Desktop, Network, VIEWER, bus_policy, with_rigs},
    stage::{EACH, Stage},
};
use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const SECONDS: Duration = Duration::from_secs(20);
/// Packets of the flood, each of which is a line of the kernel's.
const FLOOD: u64 = 50_000;

/// The command, in a mount namespace that this script has prepared.
fn behind(stage: &Stage, config: &str, script: &str) -> Result<Command> {
    let plain = stage.command(config)?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-euc", &format!("{script}\nexec \"$@\""), "sh"]).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        command.env(name, value.context("a variable without a value")?);
    }
    command.current_dir("/").stdin(Stdio::null());
    Ok(command)
}

/// Detects, and has nothing to complain about in its history.
fn is_well(stage: &Stage, source: &str) -> Result<()> {
    stage.scan(source, 20)?;
    stage.wait_for(source)?;
    let (_, reason) = stage.health()?;
    ensure!(!reason.contains("history"), "{reason}");
    Ok(())
}

#[test]
fn a_history_that_is_corrupt_is_moved_aside_and_said_and_a_new_one_begins() -> Result<()> {
    with_rigs("a corrupt history", || {
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        is_well(&stage, "198.51.100.66")?;
        collector.stop()?;
        let database = stage.state().join("history.db");
        let len = fs::metadata(&database)?.len();
        let mut file = fs::File::options().write(true).open(&database)?;
        file.write_all(&vec![0xa5; usize::try_from(len)?])?;
        drop(file);
        for suffix in ["-wal", "-shm"] {
            let _none = fs::remove_file(stage.state().join(format!("history.db{suffix}")));
        }

        let collector = stage.follow()?;
        collector
            .wait_for(SECONDS, |line| line.text.contains("history that was there is now") && line.text.contains("a new one begins"))?;
        is_well(&stage, "198.51.100.67")?;
        ensure!(fs::read_dir(stage.state())?.count() > 1, "the old one is gone");
        // It is no crash loop: the next start finds the new one.
        collector.stop()?;
        let collector = stage.follow()?;
        stage.wait_for("198.51.100.67")?;
        ensure!(!collector.lines().iter().any(|line| line.text.contains("a new one begins")), "{:?}", collector.lines());
        Ok(())
    })
}

#[test]
fn a_history_of_a_newer_version_is_moved_aside_and_said_and_a_new_one_begins() -> Result<()> {
    with_rigs("a history of a newer version", || {
        if run(Command::new("sqlite3").arg("--version")).is_err() {
            return Err(CannotRun("no sqlite3 (Debian: sqlite3)".to_owned()).into());
        }
        let stage = Stage::new()?;
        stage.follow()?.stop()?;
        run(Command::new("sqlite3").arg(stage.state().join("history.db")).arg("PRAGMA user_version = 99"))?;
        let collector = stage.follow()?;
        collector
            .wait_for(SECONDS, |line| line.text.contains("history that was there is now") && line.text.contains("a new one begins"))?;
        is_well(&stage, "198.51.100.66")
    })
}

#[test]
fn with_a_state_folder_that_cannot_be_written_detection_goes_on_and_it_is_written_when_it_can() -> Result<()> {
    with_rigs("a read-only state folder", || {
        need_root()?;
        let stage = Stage::new()?;
        fs::create_dir(stage.state())?;
        let state = stage.state().display().to_string();
        let script = format!("mount -t tmpfs -o ro,mode=700,uid=$(id -u {}) none {state}", collector_user()?);
        let collector = Stage::start(behind(&stage, &stage.following(EACH), &script)?)?;
        collector.wait_for(SECONDS, |line| line.text.contains("alerts are told and kept in memory"))?;
        stage.scan("198.51.100.66", 20)?;
        stage.wait_for("198.51.100.66")?;
        let (health, reason) = stage.health()?;
        ensure!(health == "degraded" && reason.contains("history cannot be written"), "{health}: {reason}");
        let inside = format!("--mount=/proc/{}/ns/mnt", collector.pid());
        run(Command::new("nsenter").arg(inside).args(["--", "mount", "-o", "remount,rw", &state]))?;
        wait_until("the history is written", 3 * SECONDS, || Ok(!stage.health()?.1.contains("history cannot be written")))?;
        let [waiting] = stage.numbers(["history_waiting"])?;
        ensure!(waiting == 0, "{waiting} incidents still wait");
        Ok(())
    })
}

#[test]
fn a_log_that_may_not_be_read_any_more_is_said_once_and_read_to_the_last_line_when_it_may() -> Result<()> {
    with_rigs("an unreadable log", || {
        need_root()?;
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        is_well(&stage, "198.51.100.66")?;
        // As a logrotate does that creates the new file for root alone.
        fs::rename(stage.log(), stage.folder.path().join("kern.log.1"))?;
        fs::write(stage.folder.path().join("new"), scan_lines("DROP", "198.51.100.67", 20))?;
        fs::set_permissions(stage.folder.path().join("new"), fs::Permissions::from_mode(0o600))?;
        fs::rename(stage.folder.path().join("new"), stage.log())?;
        collector.wait_for(SECONDS, |line| line.text.contains("the log file cannot be read; waiting until it can"))?;
        stage.scan("198.51.100.67", 20)?;
        fs::set_permissions(stage.log(), fs::Permissions::from_mode(0o644))?;
        stage.wait_for("198.51.100.67")?;
        let [lines] = stage.numbers(["lines"])?;
        ensure!(lines == 60, "{lines} lines");
        let said = collector.lines().iter().filter(|line| line.text.contains("cannot be read")).count();
        ensure!(said == 1, "said {said} times");
        Ok(())
    })
}

/// A program in the place of `journalctl`, which goes away and comes back. What it gives is what is written to a file.
struct Journalctl {
    folder: PathBuf,
}

impl Journalctl {
    /// For a mount namespace: a journal that a group may read.
    const SCRIPT: &str = "mount -t tmpfs none /var/log; mkdir -p /var/log/journal/$(cat /etc/machine-id); touch /var/log/journal/$(cat /etc/machine-id)/system.journal
            chgrp adm /var/log/journal/*/*; chmod 640 /var/log/journal/*/*";

    /// Not there yet.
    fn new(stage: &Stage) -> Result<Self> {
        let folder = stage.folder.path().to_owned();
        fs::write(folder.join("stream"), "")?;
        fs::write(folder.join("pid"), "")?;
        fs::set_permissions(folder.join("pid"), fs::Permissions::from_mode(0o666))?;
        Ok(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.join("journalctl")
    }

    fn config(&self) -> String {
        format!("[intake]\nsource = \"journal\"\njournalctl = {:?}\nvouched-prefixes = [\"DROP\"]\n", self.path())
    }

    /// A collector that reads what it gives. The program starts others, which the limits of a collector would not let it.
    fn collector(&self, stage: &Stage) -> Result<Command> {
        let mut command = behind(stage, &self.config(), Self::SCRIPT)?;
        command.arg("--no-sandbox");
        Ok(command)
    }

    fn install(&self) -> Result<()> {
        let (pid, stream) = (self.folder.join("pid"), self.folder.join("stream"));
        fs::write(self.path(), format!("#!/bin/sh\necho $$ >{}\nexec tail -q -c +1 -f {}\n", pid.display(), stream.display()))?;
        Ok(fs::set_permissions(self.path(), fs::Permissions::from_mode(0o755))?)
    }

    /// Removes it, and ends the one that runs.
    fn take_away(&self) -> Result<()> {
        let pid = self.folder.join("pid");
        wait_until("it is started", SECONDS, || Ok(fs::read_to_string(&pid)?.ends_with('\n')))?;
        let child = fs::read_to_string(&pid)?;
        fs::remove_file(self.path())?;
        run(Command::new("kill").arg(child.trim())).map(drop)
    }

    /// Lets the kernel log a scan.
    fn scan(&self, source: &str) -> Result<()> {
        let mut records = String::new();
        for line in scan_lines("DROP", source, 20).lines() {
            let text = line.split_once(';').context("no text")?.1;
            records +=
                &format!("__REALTIME_TIMESTAMP={}\n_TRANSPORT=kernel\nPRIORITY=4\nSYSLOG_FACILITY=0\nMESSAGE={text}\n\n", now_micros()?);
        }
        Ok(fs::File::options().append(true).open(self.folder.join("stream"))?.write_all(records.as_bytes())?)
    }
}

#[test]
fn without_journalctl_a_collector_of_the_journal_says_what_is_missing() -> Result<()> {
    with_rigs("no journalctl", || {
        need_root()?;
        let stage = Stage::new()?;
        let journalctl = Journalctl::new(&stage)?;
        let start = || journalctl.collector(&stage);
        let output = start()?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1) && said.contains("No such file or directory"), "{output:?}");

        // It goes away and comes back while we run.
        journalctl.install()?;
        let collector = Stage::start(start()?)?;
        journalctl.take_away()?;
        collector.wait_for(SECONDS, |line| line.text.contains("journalctl has ended; it is started again until it stays"))?;
        journalctl.install()?;
        journalctl.scan("198.51.100.66")?;
        stage.wait_for("198.51.100.66")?;
        wait_until("its restart is counted", SECONDS, || Ok(stage.numbers(["intake_restarts"])?[0] > 0))
    })
}

/// Hears that `Health` has changed, and waits for what it is now.
struct Changes(Program);

impl Changes {
    fn listen(stage: &Stage) -> Result<Self> {
        let rule = "--match=type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'";
        let mut busctl = Command::new("busctl");
        busctl.arg(format!("--address={}", stage.bus.address())).args(["--json=short", "monitor", rule]).stdin(Stdio::null());
        let program = Program::start("busctl monitor", &mut busctl)?;
        program.wait_for(SECONDS, |line| line.is_stderr && line.text.contains("Monitoring"))?;
        Ok(Self(program))
    }

    /// The reason that came with it.
    fn wait_for(&self, state: &str) -> Result<String> {
        let begin = format!("\"data\":[\"{state}\",");
        let line = self.0.wait_for(8 * SECONDS, |line| !line.is_stderr && line.text.contains("Health") && line.text.contains(&begin))?;
        let reason = line.text.split_once(&begin).and_then(|(_, rest)| rest.split_once(']')).context("no reason")?.0;
        Ok(reason.to_owned())
    }
}

#[test]
fn a_log_that_is_taken_away_is_said_after_a_minute_and_no_more_when_it_is_back() -> Result<()> {
    with_rigs("blind", || {
        need_root()?;
        let (removed, denied, journal) = (Stage::new()?, Stage::new()?, Stage::new()?);
        let journalctl = Journalctl::new(&journal)?;
        journalctl.install()?;
        let collectors = [removed.follow()?, denied.follow()?, Stage::start(journalctl.collector(&journal)?)?];
        ensure!(journal.health()?.0 == "ok", "{:?}", journal.health()?);
        let changes = [Changes::listen(&removed)?, Changes::listen(&denied)?, Changes::listen(&journal)?];

        fs::remove_file(removed.log())?;
        let new = denied.folder.path().join("new");
        fs::write(&new, "")?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        fs::rename(&new, denied.log())?;
        // Something must come before the new one is opened.
        denied.scan("198.51.100.66", 20)?;
        journalctl.take_away()?;
        for ((stage, changes), expected) in [&removed, &denied, &journal].into_iter().zip(&changes).zip([
            "no log can be read since a minute or longer",
            "no log may be read since a minute or longer",
            "no log can be read since a minute or longer",
        ]) {
            let reason = changes.wait_for("blind")?;
            ensure!(reason.contains(expected), "{reason}");
            ensure!(stage.health()?.0 == "blind", "{:?}", stage.health()?);
        }
        ensure!(denied.health()?.1.contains("read-root-only-logs.conf"), "{:?}", denied.health()?);

        fs::write(removed.log(), "")?;
        fs::set_permissions(denied.log(), fs::Permissions::from_mode(0o644))?;
        journalctl.install()?;
        // To a file any user can write.
        ensure!(changes[0].wait_for("degraded")?.contains("any user"), "{:?}", removed.health()?);
        ensure!(changes[1].wait_for("degraded")?.contains("any user"), "{:?}", denied.health()?);
        changes[2].wait_for("ok")?;
        removed.scan("198.51.100.67", 20)?;
        removed.wait_for("198.51.100.67")?;
        denied.wait_for("198.51.100.66")?;
        journalctl.scan("198.51.100.68")?;
        journal.wait_for("198.51.100.68")?;
        for collector in collectors {
            collector.stop()?;
        }
        Ok(())
    })
}

#[test]
fn whoever_sits_at_the_desk_is_told_when_the_log_is_gone_and_the_popup_goes_when_it_is_back() -> Result<()> {
    with_rigs("blind, on a desktop", || {
        need_root()?;
        let desktop = Desktop::up("dunst", VIEWER, &["--policy", &bus_policy()])?;
        let folder = folder_for_all()?;
        let log = folder.path().join("kern.log");
        fs::write(&log, "")?;
        let config = format!("[intake]\nsource = \"file\"\nfiles = [{log:?}]\n");
        let _collector = desktop.collector(&built()?.join("firebelld"), &config, &[], Stdio::null())?;
        let agent = Program::start("firebell-notifier", &mut desktop.our_command(&built()?.join("firebell-notifier"))?)?;
        agent.wait_for(SECONDS, |line| line.text.contains("listening to the collector"))?;
        let popups = desktop.notifications()?;
        let rule = "--match=type='method_call',interface='org.freedesktop.Notifications',member='CloseNotification'";
        let mut busctl = desktop.command(Path::new("busctl"))?;
        busctl.arg(format!("--address={}", desktop.session_bus()?)).args(["--json=short", "monitor", rule]);
        let closings = Program::start("busctl monitor", &mut busctl)?;
        closings.wait_for(SECONDS, |line| line.is_stderr && line.text.contains("Monitoring"))?;

        fs::remove_file(&log)?;
        let popup = popups.first(8 * SECONDS)?;
        ensure!(popup.body.contains("log can be read since a minute"), "{popup:?}");
        ensure!(popups.all()?.len() == 1, "{:?}", popups.all()?);
        fs::write(&log, "")?;
        closings.wait_for(SECONDS, |line| !line.is_stderr && line.text.contains("CloseNotification"))?;
        println!("{popup:?}");
        Ok(())
    })
}

/// A scan as a logging daemon writes it whose clock shows `secs` since 1970.
fn stamped(source: &str, secs: i64) -> Result<String> {
    let stamp = jiff::Timestamp::from_second(secs)?;
    let lines = scan_lines("DROP", source, 20);
    Ok(lines.lines().filter_map(|line| line.split_once(';')).map(|(_, text)| format!("{stamp} host kernel: {text}\n")).collect())
}

#[test]
fn a_log_whose_clock_is_set_back_a_day_is_read_on_and_nothing_happens_before_what_came_first() -> Result<()> {
    const DAY: i64 = 86_400;
    with_rigs("stamps that go back", || {
        let stage = Stage::new()?;
        let now = i64::try_from(now_micros()? / 1_000_000)?;
        let backlog = [("198.51.100.66", now - 7200), ("198.51.100.67", now - 7140 - DAY), ("198.51.100.68", now - 7000 - DAY)];
        for (source, secs) in backlog {
            fs::File::options().append(true).open(stage.log())?.write_all(stamped(source, secs)?.as_bytes())?;
        }
        let collector = Stage::start(stage.command(&stage.following(&format!("from = \"start\"\n{EACH}")))?)?;
        for (source, _) in backlog {
            stage.wait_for(source)?;
        }
        // One that is written now is of now, whatever its stamp is.
        fs::File::options().append(true).open(stage.log())?.write_all(stamped("198.51.100.69", now - DAY)?.as_bytes())?;
        stage.wait_for("198.51.100.69")?;
        let mut alerts = stage.alerts(0)?;
        alerts.sort_by_key(|alert| alert.id);
        let sources: Vec<&str> = alerts.iter().map(|alert| alert.source.as_str()).collect();
        ensure!(sources == ["198.51.100.66", "198.51.100.67", "198.51.100.68", "198.51.100.69"], "{sources:?}");
        let begun: Vec<i64> = alerts.iter().map(|alert| i64::try_from(alert.details.first_seen / 1_000_000)).collect::<Result<_, _>>()?;
        ensure!(begun.is_sorted() && begun[0] == now - 7200 && begun[3] >= now, "{begun:?}, and now is {now}");
        ensure!(stage.numbers(["lines", "packets"])? == [80, 80], "{:?}", stage.numbers(["lines", "packets"])?);
        let (status, said) = collector.stop()?;
        ensure!(status.success() && !said.contains("WARN") && !said.contains("ERROR"), "{said}");
        Ok(())
    })
}

#[test]
fn a_state_of_tomorrow_is_left_alone_and_said_and_the_lines_go_on_where_they_stopped() -> Result<()> {
    with_rigs("a clock that was set back", || {
        if run(Command::new("sqlite3").arg("--version")).is_err() {
            return Err(CannotRun("no sqlite3 (Debian: sqlite3)".to_owned()).into());
        }
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        is_well(&stage, "198.51.100.66")?;
        let before = stage.alerts(0)?;
        collector.stop()?;
        // What the last start would have left if its clock had been a day ahead. The machine's own is nothing to play with.
        let config = firebell_collector::config::Config::parse(Path::new("f.toml"), EACH)?;
        let mut engine = firebell_engine::engine::Engine::new(config.parameters(false), [1; 16]);
        engine.advance(firebell_engine::tick::Tick::from_micros(u64::try_from(now_micros()? + 86_400_000_000)?));
        let state: String = engine.snapshot().iter().map(|byte| format!("{byte:02x}")).collect();
        let script = stage.folder.path().join("tomorrow.sql");
        fs::write(&script, format!("UPDATE checkpoint SET engine = x'{state}';\n"))?;
        run(Command::new("sqlite3").arg(stage.state().join("history.db")).arg(format!(".read {}", script.display())))?;
        stage.scan("198.51.100.67", 20)?;
        let collector = stage.follow()?;
        let said = collector.wait_for(SECONDS, |line| line.text.contains("the clock was set back by"))?;
        ensure!(said.text.contains("set back by 1439 minutes") || said.text.contains("set back by 1440 minutes"), "{}", said.text);
        stage.wait_for("198.51.100.67")?;
        let after = stage.alerts(0)?;
        ensure!(after.len() == 2 && after.iter().any(|alert| alert.id == before[0].id && alert.source == before[0].source), "{after:?}");
        let newest = after.iter().find(|alert| alert.source == "198.51.100.67").context("it was there")?;
        ensure!(newest.id > before[0].id && u128::from(newest.time_usec) <= now_micros()?, "{newest:?}");
        ensure!(stage.numbers(["lines", "packets"])? == [40, 40], "{:?}", stage.numbers(["lines", "packets"])?);
        collector.stop()?;
        Ok(())
    })
}

fn now_micros() -> Result<u128> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros())
}

#[test]
fn in_a_flood_of_the_kernel_log_read_and_lost_are_what_the_kernel_has_numbered() -> Result<()> {
    with_rigs("a flood of the kernel log", || {
        need_root()?;
        let prefix = format!("FBG{} ", std::process::id());
        let (stage, network) = (Stage::new()?, Network::up(&prefix, &[])?);
        let collector = Stage::start(stage.command("[intake]\nsource = \"kmsg\"\n")?)?;
        let mut kmsg = fs::File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open("/dev/kmsg")?;
        // Lines that are read or lost, and the number of the newest record, at one moment.
        let mut level = || -> Result<(u64, u64)> {
            let mut both = None;
            wait_until("the kernel log is quiet", 3 * SECONDS, || {
                let before = newest(&mut kmsg)?;
                let [lines, lost] = stage.numbers(["lines", "lines_lost"])?;
                std::thread::sleep(Duration::from_millis(200));
                let again: u64 = stage.numbers(["lines", "lines_lost"])?.iter().sum();
                both = Some((lines + lost, before));
                Ok(lines + lost == again && newest(&mut kmsg)? == before)
            })?;
            both.context("it was asked")
        };
        let (counted, newest) = level()?;
        let [before, lost_before] = stage.numbers(["lines", "lines_lost"])?;
        let flood = "import os, socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor n in range(int(sys.argv[2])):\n    s.sendto(b'x', (sys.argv[1], 1 + n % 60000))\n";
        run(network.attacker()?.args(["python3", "-I", "-c", flood, network.value("RIG_VICTIM4")?, &FLOOD.to_string()]))?;
        let (counted_after, newest_after) = level()?;
        let [lines, lost] = stage.numbers(["lines", "lines_lost"])?;
        let pid = collector.pid();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // utime and stime, the 12th and 13th behind the name (proc(5)); a hundredth of a second each.
        let ticks: u64 =
            stat.rsplit_once(')').context("no name")?.1.split_whitespace().skip(11).take(2).filter_map(|one| one.parse::<u64>().ok()).sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim();
        writeln!(
            std::io::stderr(),
            "kmsg flood: {} records, {} read, {} lost, {} ms of processor time since its start, {rss} at most",
            newest_after - newest,
            lines - before,
            lost - lost_before,
            ticks * 10
        )?;
        ensure!(newest_after - newest >= FLOOD, "only {} records", newest_after - newest);
        ensure!(counted_after - counted == newest_after - newest, "{} counted of {}", counted_after - counted, newest_after - newest);
        Ok(())
    })
}

/// The number of the newest record in the kernel's log.
fn newest(kmsg: &mut fs::File) -> Result<u64> {
    // To the end of what is there, and one record back by reading from the last clear or the beginning.
    kmsg.seek(SeekFrom::Start(0))?;
    let (mut buffer, mut last) = (vec![0; 16 << 10], None);
    loop {
        match kmsg.read(&mut buffer) {
            Ok(len) => {
                let text = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default());
                last = text.split(',').nth(1).and_then(|number| number.parse().ok()).or(last);
            }
            // Overwritten while we read.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::PIPE.raw_os_error()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return last.context("the kernel log is empty"),
            Err(error) => return Err(error.into()),
        }
    }
}
