//! How long from the first probe packet of a real scan to the `Alert` on the bus and the `Notify` on the desktop.
//!
//! `make bench-latency`. Each run: a fresh collector and a fresh agent, nmap -sS against a logging firewall in a network
//! namespace, the real kernel log. Times: the kernel's own stamp of the first probe's record and of the one that made the
//! seventh contact (where the score crosses its threshold); what a monitor on each bus saw.
#![allow(clippy::print_stdout, reason = "prints its result")]

use anyhow::{Context, Result};
use firebell_tests::{
    program::{Program, built, run},
    rig::{Desktop, Network, VIEWER, bus_policy, only_prefix, time_of},
};
use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

const RUNS: usize = 20;
const PREFIX: &str = "FBLAT ";
/// Fresh contacts until the score of a SYN scan crosses its threshold.
const CONTACTS: usize = 7;

fn main() -> Result<()> {
    let network = Network::up(PREFIX, &[])?;
    let desktop = Desktop::up("dunst", VIEWER, &["--policy", &bus_policy()])?;
    let mut first_to_alert = Vec::new();
    let mut first_to_notify = Vec::new();
    let mut crossing_to_alert = Vec::new();
    let mut crossing_to_notify = Vec::new();
    for n in 1..=RUNS {
        let times = one_run(&network, &desktop)?;
        let [first, crossing, alert, notify] = times;
        println!(
            "run {n:2}: first probe +{:.1} ms seventh contact, +{:.1} ms Alert, +{:.1} ms Notify",
            ms(first, crossing),
            ms(first, alert),
            ms(first, notify)
        );
        first_to_alert.push(ms(first, alert));
        first_to_notify.push(ms(first, notify));
        crossing_to_alert.push(ms(crossing, alert));
        crossing_to_notify.push(ms(crossing, notify));
    }
    println!("\n{RUNS} runs, milliseconds                 median      max");
    for (what, values) in [
        ("first probe -> Alert", &mut first_to_alert),
        ("first probe -> Notify", &mut first_to_notify),
        ("seventh contact -> Alert", &mut crossing_to_alert),
        ("seventh contact -> Notify", &mut crossing_to_notify),
    ] {
        values.sort_by(f64::total_cmp);
        let middle = values.get(values.len() / 2).context("no runs")?;
        println!("{what:<32} {middle:>10.1} {:>8.1}", values.last().context("no runs")?);
    }
    println!("\n{} on {}", run(Command::new("nproc").arg("--all"))?.trim(), run(Command::new("uname").arg("-srm"))?.trim());
    Ok(())
}

/// Times, in microseconds since 1970, of the first probe, the seventh contact, the alert and the notification.
fn one_run(network: &Network, desktop: &Desktop) -> Result<[u64; 4]> {
    let alerts = desktop.alerts()?;
    let notifications = desktop.notifications()?;
    let collector = desktop.collector(&built()?.join("firebelld"), &only_prefix(PREFIX), &[], Stdio::null())?;
    let agent = Program::start("firebell-notifier", &mut desktop.our_command(&built()?.join("firebell-notifier"))?)?;
    agent.wait_for(Duration::from_secs(10), |line| line.text.contains("listening to the collector"))?;
    // Both have settled: what follows finds them asleep, as a scan would.
    thread::sleep(Duration::from_millis(300));

    let mut log = KernelLog::open()?;
    network.scan("syn", &[("SCAN_PORTS", "20-119")])?;
    let alert = time_of(&alerts.first(Duration::from_secs(5))?)?;
    let notify = notifications.first(Duration::from_secs(5))?.time;
    let probes = log.probes()?;
    let first = probes.first().context("no record of the scan")?;
    let mut ports = HashSet::new();
    let crossing = probes.iter().find(|probe| ports.insert(probe.port) && ports.len() == CONTACTS).context("too few ports")?;
    let times = [first.time, crossing.time, alert, notify];
    collector.stop()?;
    agent.stop()?;
    Ok(times)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds")]
fn ms(from: u64, to: u64) -> f64 {
    (to as f64 - from as f64) / 1000.0
}

/// What the kernel logs from here on.
struct KernelLog {
    file: File,
    /// Microseconds from the kernel's stamps to wall-clock time.
    offset: i128,
}

struct Probe {
    time: u64,
    port: u16,
}

impl KernelLog {
    /// Writes a mark, to learn how the kernel's stamps relate to wall-clock time.
    fn open() -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits())?)
            .open("/dev/kmsg")?;
        let mut log = Self { file, offset: 0 };
        rustix::fs::seek(&log.file, rustix::fs::SeekFrom::End(0))?;
        let mark = format!("firebell-latency-mark-{}", std::process::id());
        let before = now()?;
        writeln!(log.file, "<15>{mark}")?;
        let after = now()?;
        let records = log.records()?;
        let (stamp, _) = records.iter().rfind(|(_, text)| text.contains(&mark)).context("the mark is not in the kernel log")?;
        log.offset = i128::from(before.midpoint(after)) - i128::from(*stamp);
        Ok(log)
    }

    /// Stamp and text of every record since the last call.
    fn records(&mut self) -> Result<Vec<(u64, String)>> {
        let mut records = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            match self.file.read(&mut buffer) {
                Ok(n) => {
                    let record = String::from_utf8_lossy(buffer.get(..n).unwrap_or_default()).into_owned();
                    let stamp = record.split(',').nth(2).and_then(|field| field.parse().ok()).context("no stamp")?;
                    records.push((stamp, record));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(records),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn probes(&mut self) -> Result<Vec<Probe>> {
        let offset = self.offset;
        let records = self.records()?;
        records
            .iter()
            .filter(|(_, text)| text.contains(PREFIX))
            .map(|(stamp, text)| {
                let port = text.split(" DPT=").nth(1).and_then(|rest| rest.split(' ').next()).context("no port")?;
                Ok(Probe { time: u64::try_from(i128::from(*stamp) + offset)?, port: port.parse()? })
            })
            .collect()
    }
}

fn now() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros())?)
}
