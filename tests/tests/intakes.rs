//! Several intakes, and what becomes of their lines when the collector is killed.

use anyhow::{Context as _, Result, ensure};
use firebell_shared::alert::OriginWord;
use firebell_tests::{
    bus::{need_root, scan_lines, wait_until},
    program::Program,
    rig::{CannotRun, Network, with_rigs},
    stage::{EACH, Stage},
};
use std::{
    cell::Cell,
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const SECONDS: Duration = Duration::from_secs(30);

/// Both the kernel's log and the file, and only lines with this prefix, which the rigs may log from another network namespace.
fn both(stage: &Stage, prefix: &str) -> String {
    let log = stage.log();
    format!("[intake]\nsource = [\"kmsg\", \"file\"]\nfiles = [{log:?}]\nprefixes = [{prefix:?}]\nvouched-prefixes = [{prefix:?}]\n")
}

fn append(log: &Path, text: &str) -> Result<()> {
    Ok(fs::File::options().append(true).open(log)?.write_all(text.as_bytes())?)
}

/// A logging daemon: writes the kernel's lines of a prefix to a file.
struct Daemon {
    written: Arc<AtomicU64>,
    is_held: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Daemon {
    fn start(log: &Path, prefix: &str) -> Result<Self> {
        let (written, is_held, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let mut kmsg = fs::File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open("/dev/kmsg")?;
        kmsg.seek(SeekFrom::End(0))?;
        let (count, held, over) = (Arc::clone(&written), Arc::clone(&is_held), Arc::clone(&is_over));
        let (log, begin) = (log.to_owned(), format!(";{prefix} "));
        let work = move || {
            let mut buffer = vec![0; 16 << 10];
            while !over.load(Relaxed) {
                if held.load(Relaxed) {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                }
                let len = match kmsg.read(&mut buffer) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                    len => len?,
                };
                let record = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default()).into_owned();
                let first = record.lines().next().unwrap_or_default();
                if first.contains(&begin) {
                    let text = first.split_once(';').context("no text")?.1;
                    append(&log, &format!("{} host kernel: {text}\n", jiff::Timestamp::now()))?;
                    count.fetch_add(1, Relaxed);
                }
            }
            Ok(())
        };
        Ok(Self { written, is_held, is_over, thread: Some(thread::spawn(work)) })
    }

    fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Relaxed);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn what_the_kernel_log_and_a_file_both_have_counts_once_also_when_killed_between_them() -> Result<()> {
    with_rigs("the kernel log and a file of it", || {
        need_root()?;
        let prefix = format!("FBT{}", std::process::id());
        let (stage, network) = (Stage::new()?, Network::up(&format!("{prefix} "), &[])?);
        let daemon = Daemon::start(&stage.log(), &prefix)?;
        let config = both(&stage, &prefix);
        let collector = Stage::start(stage.command(&config)?)?;
        let counts = || stage.numbers(["packets", "packets_copied", "packets_unverified"]);
        network.scan("syn", &[("SCAN_PORTS", "1-60")])?;
        stage.wait_for(network.value("RIG_ATTACKER4")?)?;
        wait_until("every line of the file is a copy", SECONDS, || {
            let [packets, copied, _] = counts()?;
            Ok(packets >= 60 && copied == packets && packets == daemon.written.load(Relaxed))
        })?;
        ensure!(counts()?[2] == 0, "{:?}", counts()?);

        // The kernel's lines are taken in, and those of the file come when nobody is there.
        let first = counts()?[0];
        daemon.hold(true);
        network.scan("syn", &[("SCAN_PORTS", "61-120")])?;
        wait_until("the kernel's lines are counted", SECONDS, || Ok(counts()?[0] >= first + 60))?;
        // A second later they are in the checkpoint. If not, both come again.
        thread::sleep(Duration::from_millis(1500));
        let second = counts()?[0];
        collector.kill()?;
        daemon.hold(false);
        wait_until("the file has them", SECONDS, || Ok(daemon.written.load(Relaxed) == second))?;
        let collector = Stage::start(stage.command(&config)?)?;
        wait_until("every line of the file is a copy", SECONDS, || Ok(counts()?[1] == second))?;
        // The last line of the file is judged behind all others.
        network.scan("syn", &[("SCAN_PORTS", "121-140")])?;
        wait_until("the rest", SECONDS, || {
            let [packets, copied, _] = counts()?;
            Ok(copied == packets && copied == daemon.written.load(Relaxed) && packets >= second + 20)
        })?;
        ensure!(counts()?[2] == 0, "{:?}", counts()?);
        let attacker = network.value("RIG_ATTACKER4")?;
        let alerts: Vec<_> = stage.alerts(0)?.into_iter().filter(|alert| alert.source == attacker).collect();
        let [alert] = alerts.as_slice() else { anyhow::bail!("{} incidents: {alerts:#?}", alerts.len()) };
        ensure!(alert.details.origin == OriginWord::Kernel, "{alert:#?}");
        let (_, said) = collector.stop()?;
        println!("{} packets in the kernel log and in a file, counted once each, one incident\n{said}", daemon.written.load(Relaxed));
        Ok(())
    })
}

#[test]
fn lines_that_wait_for_somebody_who_vouches_when_we_are_killed_are_counted_once() -> Result<()> {
    const TURNS: u64 = 5;
    const LINES: u16 = 20;
    with_rigs("killed while lines wait", || {
        need_root()?;
        let prefix = format!("FBU{}", std::process::id());
        let stage = Stage::new()?;
        let config = both(&stage, &prefix);
        let counts = || stage.numbers(["lines", "packets", "packets_unverified", "packets_copied"]);
        let mut waited = 0;
        for turn in 0..TURNS {
            let collector = Stage::start(stage.command(&config)?)?;
            let before = counts()?[0];
            let source = format!("203.0.113.{}", turn + 1);
            let lines: Vec<String> =
                scan_lines(&prefix, &source, LINES).lines().filter_map(|line| Some(line.split_once(';')?.1.to_owned())).collect();
            let lines: String = lines.iter().map(|line| format!("{} host kernel: {line}\n", jiff::Timestamp::now())).collect();
            append(&stage.log(), &lines)?;
            wait_until("the lines are there", SECONDS, || Ok(counts()?[0] >= before + u64::from(LINES)))?;
            // Some turns end before the checkpoint, some behind it.
            thread::sleep(Duration::from_millis(100 * turn));
            waited += u64::from(counts()?[1] < (turn + 1) * u64::from(LINES));
            collector.kill()?;
        }
        ensure!(waited > 0, "no line waited when it was killed");
        let all = TURNS * u64::from(LINES);
        let collector = Stage::start(stage.command(&config)?)?;
        wait_until("all are counted", SECONDS, || Ok(counts()?[1] >= all))?;
        // One more line is judged behind all others.
        append(
            &stage.log(),
            &format!(
                "{} host kernel: {}\n",
                jiff::Timestamp::now(),
                scan_lines(&prefix, "203.0.113.99", 1).trim_end().split_once(';').context("no text")?.1
            ),
        )?;
        wait_until("the last line is counted", SECONDS, || Ok(counts()?[1] > all))?;
        let [_, packets, unverified, copied] = counts()?;
        ensure!((packets, unverified, copied) == (all + 1, all + 1, 0), "{:?} of {all} and one", counts()?);
        collector.stop()?;
        println!("{all} lines over {TURNS} kills, {waited} of these while lines waited");
        Ok(())
    })
}

/// Follows every file of the pattern; sources stand for themselves.
fn start_pattern(stage: &Stage) -> Result<Program> {
    let pattern = stage.folder.path().join("remote/*/kern.log*");
    Stage::start(stage.command(&format!("[intake]\nsource = \"file\"\nfiles = [{pattern:?}]\n{EACH}"))?)
}

#[test]
fn killed_while_files_of_a_pattern_come_go_and_are_rotated_each_line_counts_once() -> Result<()> {
    const TURNS: u32 = 12;
    const LINES: u32 = 25;
    with_rigs("a pattern of files", || {
        let stage = Stage::new()?;
        let remote = stage.folder.path().join("remote");
        let log = |host: u32| remote.join(format!("host{host}/kern.log"));
        let written = Cell::new(0_u32);
        let write = |host: u32, count: u32| -> Result<()> {
            let text: String = (written.get()..written.get() + count)
                .map(|number| {
                    let line = scan_lines("DROP", &format!("198.51.{host}.66"), 1);
                    let line = line.trim_end_matches('\n').split_once(';').map_or("", |(_, text)| text);
                    let line = line
                        .replace("ID=7 ", &format!("ID={} ", number % 65_536))
                        .replace("DPT=1 ", &format!("DPT={} ", 1 + number % 1000));
                    format!("{} host{host} kernel: {line}\n", jiff::Timestamp::now())
                })
                .collect();
            written.set(written.get() + count);
            fs::create_dir_all(log(host).parent().context("no folder")?)?;
            fs::File::options().append(true).create(true).open(log(host))?.write_all(text.as_bytes())?;
            Ok(())
        };
        // Where it began is written before the first kill.
        start_pattern(&stage)?.stop()?;
        let mut collector = start_pattern(&stage)?;
        for turn in 0..TURNS {
            // A new host each second turn; every one of them writes, before the kill, after it, or both.
            let hosts = 1 + turn / 2;
            for host in 0..hosts {
                write(host, LINES)?;
            }
            let rotated = log(turn % hosts);
            if turn % 3 == 1 {
                fs::rename(&rotated, rotated.with_extension(format!("log.{turn}")))?;
            }
            if turn % 3 == 2 {
                // No name of logrotate's, and one that the pattern finds.
                fs::rename(&rotated, rotated.with_extension(format!("log-before-{turn}")))?;
            }
            thread::sleep(Duration::from_millis(u64::from(turn % 5) * 300));
            collector.kill()?;
            for host in 0..=hosts {
                write(host, LINES)?;
            }
            if turn % 4 == 3 {
                let rotated = log((turn + 1) % hosts);
                fs::rename(&rotated, rotated.with_extension(format!("log.{turn}")))?;
                write((turn + 1) % hosts, LINES)?;
            }
            collector = start_pattern(&stage)?;
        }
        let all = u64::from(written.get());
        let counts = || stage.numbers(["lines", "packets"]);
        let wait_for = |all: u64| {
            wait_until("every line is counted", 2 * SECONDS, || Ok(counts()?[0] >= all)).with_context(|| format!("{:?} of {all}", counts()))
        };
        wait_for(all)?;
        collector.stop()?;
        // One that is removed is forgotten, and others have its number.
        let collector = start_pattern(&stage)?;
        fs::remove_dir_all(remote.join("host0"))?;
        write(99, LINES)?;
        let all = all + u64::from(LINES);
        wait_for(all)?;
        collector.stop()?;
        let collector = start_pattern(&stage)?;
        write(98, LINES)?;
        let all = all + u64::from(LINES);
        wait_for(all)?;
        ensure!(counts()? == [all, all], "{:?} of {all}", counts()?);
        let (_, said) = collector.stop()?;
        ensure!(!said.contains("gone"), "{said}");
        println!("{all} lines of {} hosts, {TURNS} kills", TURNS / 2 + 3);
        Ok(())
    })
}

#[test]
fn in_another_boot_the_whole_ring_is_new_and_in_the_same_one_only_what_came_since() -> Result<()> {
    with_rigs("another boot", || {
        need_root()?;
        let prefix = format!("FBV{}", std::process::id());
        let stage = Stage::new()?;
        let config = format!("[intake]\nsource = \"kmsg\"\nprefixes = [{prefix:?}]\n");
        let write = |source: &str| -> Result<()> {
            for line in scan_lines(&prefix, source, 20).lines() {
                let text = line.split_once(';').context("no text")?.1;
                // Opened for each: the kernel takes ten records in five seconds from one opening.
                fs::File::options().write(true).open("/dev/kmsg")?.write_all(format!("<4>{text}\n").as_bytes())?;
            }
            Ok(())
        };
        let counts = || stage.numbers(["packets", "lines_lost"]);
        let wait_for = |packets: u64| -> Result<()> {
            wait_until("packets", SECONDS, || Ok(counts()?[0] >= packets)).or_else(|error| match counts()? {
                [_, 0] => Err(error),
                _ => Err(CannotRun("somebody floods the kernel log".to_owned()).into()),
            })
        };
        let collector = Stage::start(stage.command(&config)?)?;
        write("203.0.113.31")?;
        wait_for(20)?;
        collector.stop()?;
        write("203.0.113.32")?;
        let collector = Stage::start(stage.command(&config)?)?;
        wait_for(40)?;
        let [packets, lost] = counts()?;
        ensure!(packets == 40, "{packets} of 40");
        collector.stop()?;

        // The name of the boot is all that tells; the ring is the same, so all that it still holds comes again.
        let boot = stage.folder.path().join("boot_id");
        fs::write(&boot, "01234567-89ab-4cde-8f01-23456789abcd\n")?;
        let plain = stage.command(&config)?;
        let mut command = Command::new("unshare");
        let script = format!("mount --bind {} /proc/sys/kernel/random/boot_id; exec \"$@\"", boot.display());
        command.args(["--mount", "sh", "-euc", &script, "sh"]).arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            command.env(name, value.context("a variable without a value")?);
        }
        let most = in_the_ring(&prefix)?;
        let collector = Stage::start(command)?;
        let least = in_the_ring(&prefix)?;
        wait_for(40 + least)?;
        let [packets, lost_now] = counts()?;
        ensure!(least > 0 && packets <= 40 + most && lost_now == lost, "{packets} packets, {lost_now} lost; {least} to {most} in the ring");
        write("203.0.113.33")?;
        wait_for(packets + 20)?;
        collector.stop()?;
        println!("{packets} packets of 40 and the {most} that the ring holds");
        Ok(())
    })
}

/// Records of a prefix that the kernel's log holds.
fn in_the_ring(prefix: &str) -> Result<u64> {
    let mut kmsg = fs::File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open("/dev/kmsg")?;
    let (mut buffer, mut count) = (vec![0; 16 << 10], 0);
    loop {
        match kmsg.read(&mut buffer) {
            Ok(len) => count += u64::from(String::from_utf8_lossy(buffer.get(..len).unwrap_or_default()).contains(&format!(";{prefix} "))),
            // Overwritten while we read.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::PIPE.raw_os_error()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(count),
            Err(error) => return Err(error.into()),
        }
    }
}
