//! What was told is remembered: over kill -9, a full disk, a folder that is not there or not ours.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Alert, client::CollectorProxy};
use firebell_tests::{
    bus::{Bus, collector_command, folder_for_all, need_root, scan_lines, state_in, wait_until},
    program::{Program, run},
    rig::with_rigs,
};
use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use zbus::Connection;

/// Each source is an incident of its own: these tests are about what is remembered.
const EACH: &str = "[engine]\nincidents-per-minute = 1000\n[detect.roll-up]\nenabled = false\n[detect.decoys]\nenabled = false\n\
                    [detect.distributed]\nenabled = false\n";
const SECONDS: Duration = Duration::from_secs(10);

/// A log file, a collector that reads it, and its history.
struct Stage {
    bus: Bus,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new() -> Result<Self> {
        let (bus, folder) = (Bus::up(true)?, folder_for_all()?);
        fs::write(folder.path().join("kern.log"), "")?;
        Ok(Self { bus, folder, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("kern.log")
    }

    /// A scan of `ports` ports, as a logging daemon writes it.
    fn scan(&self, source: &str, ports: u16) -> Result<()> {
        let lines: String = scan_lines("DROP", source, ports)
            .lines()
            .filter_map(|line| line.split_once(';'))
            .map(|(_, text)| format!("{} host kernel: {text}\n", now_as_stamp()))
            .collect();
        Ok(fs::File::options().append(true).open(self.log())?.write_all(lines.as_bytes())?)
    }

    fn command(&self) -> Result<Command> {
        let config = format!("[intake]\nsource = \"file\"\nfiles = [{:?}]\n{EACH}", self.log());
        let mut command = collector_command(&config, &[])?;
        state_in(self.folder.path(), &mut command)?;
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.bus.address());
        Ok(command)
    }

    fn start(&self, mut command: Command) -> Result<Program> {
        let program = Program::start("firebelld", &mut command)?;
        program.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        Ok(program)
    }

    /// The history's name, and every incident in it by its source.
    fn history(&self) -> Result<(String, HashMap<String, Alert>)> {
        self.ask(async |proxy| {
            let (mut after, mut all) = (0, HashMap::new());
            loop {
                let (alerts, last_seq, more) = proxy.list_alerts(after, 1000, HashMap::new()).await?;
                for alert in alerts {
                    let alert = Alert::from_wire(alert)?;
                    ensure!(all.insert(alert.source.clone(), alert).is_none(), "two incidents of one source");
                }
                after = last_seq;
                if !more {
                    return Ok((proxy.history_id().await?, all));
                }
            }
        })
    }

    fn health(&self) -> Result<(String, String)> {
        self.ask(async |proxy| Ok(proxy.health().await?))
    }

    fn ask<T>(&self, question: impl AsyncFnOnce(CollectorProxy<'static>) -> Result<T>) -> Result<T> {
        self.runtime.block_on(async {
            let address = self.bus.address();
            let connection: Connection = zbus::connection::Builder::address(address.as_str()).method_timeout(SECONDS).build().await?;
            question(CollectorProxy::new(&connection).await?).await
        })
    }

    fn wait_for(&self, source: &str) -> Result<()> {
        wait_until(source, SECONDS, || Ok(self.history()?.1.contains_key(source)))
    }
}

/// Now, as rsyslog writes it.
fn now_as_stamp() -> String {
    run(Command::new("date").arg("+%Y-%m-%dT%H:%M:%S.%6N%:z")).unwrap_or_default().trim().to_owned()
}

#[test]
fn after_kill_9_every_alert_is_there_with_its_id_and_new_ones_are_higher() -> Result<()> {
    with_rigs("kill -9", || {
        let stage = Stage::new()?;
        let collector = stage.start(stage.command()?)?;
        let sources = ["198.51.100.66", "198.51.100.67"];
        for source in sources {
            stage.scan(source, 20)?;
            stage.wait_for(source)?;
        }
        let (history_id, before) = stage.history()?;
        collector.kill()?;

        let collector = stage.start(stage.command()?)?;
        let (again, after) = stage.history()?;
        ensure!(again == history_id, "the history has another name");
        ensure!(after == before, "{after:?} and not {before:?}");
        let id = before["198.51.100.66"].id;
        let alert = stage.ask(async |proxy| Ok(Alert::from_wire(proxy.get_alert(id).await?)?))?;
        ensure!(alert == before["198.51.100.66"]);
        stage.scan("198.51.100.68", 20)?;
        stage.wait_for("198.51.100.68")?;
        let newest = stage.history()?.1["198.51.100.68"].clone();
        let highest = |of: fn(&Alert) -> u64| before.values().map(of).max().unwrap_or(0);
        ensure!(newest.id > highest(|alert| alert.id) && newest.details.seq > highest(|alert| alert.details.seq), "{newest:?}");

        // In order, numbers go on without a leap.
        let (status, said) = collector.stop()?;
        ensure!(status.success(), "{said}");
        let _collector = stage.start(stage.command()?)?;
        stage.scan("198.51.100.69", 20)?;
        stage.wait_for("198.51.100.69")?;
        ensure!(stage.history()?.1["198.51.100.69"].id == newest.id + 1);
        Ok(())
    })
}

#[test]
fn what_is_written_while_the_collector_is_down_is_read_at_the_next_start_over_a_rotation() -> Result<()> {
    with_rigs("down for a while", || {
        let stage = Stage::new()?;
        let collector = stage.start(stage.command()?)?;
        stage.scan("198.51.100.66", 20)?;
        stage.wait_for("198.51.100.66")?;
        let (status, said) = collector.stop()?;
        ensure!(status.success(), "{said}");
        stage.scan("198.51.100.67", 20)?;
        fs::rename(stage.log(), stage.folder.path().join("kern.log.1"))?;
        fs::write(stage.log(), "")?;
        stage.scan("198.51.100.68", 20)?;
        let _collector = stage.start(stage.command()?)?;
        for source in ["198.51.100.67", "198.51.100.68"] {
            stage.wait_for(source)?;
        }
        let lines = stage.ask(async |proxy| Ok(u64::try_from(&*proxy.status().await?["lines"])?))?;
        ensure!(lines == 60, "{lines} lines, and not each of them once");
        Ok(())
    })
}

#[test]
fn a_history_that_is_somebody_elses_is_refused_and_detection_goes_on() -> Result<()> {
    with_rigs("a history of somebody else", || {
        need_root()?;
        let stage = Stage::new()?;
        let state = stage.folder.path().join("state");
        // Of root: the collector is somebody else by the time it opens it.
        fs::create_dir(&state)?;
        let collector = stage.start(stage.command()?)?;
        let said = collector.wait_for(SECONDS, |line| line.text.contains("belongs to user id 0"))?;
        ensure!(said.text.contains("alerts are told and kept in memory"), "{said:?}");
        stage.scan("198.51.100.66", 20)?;
        stage.wait_for("198.51.100.66")?;
        let (health, reason) = stage.health()?;
        ensure!(health == "degraded" && reason.contains("history cannot be written"), "{health}: {reason}");

        let user = firebell_tests::bus::collector_user()?;
        run(Command::new("chown").arg(&user).arg(&state))?;
        wait_until("the history is written", Duration::from_secs(40), || Ok(!stage.health()?.1.contains("history cannot be written")))?;
        let (history_id, before) = stage.history()?;
        collector.kill()?;
        let _collector = stage.start(stage.command()?)?;
        ensure!(stage.history()? == (history_id, before), "what was told meanwhile is there");
        Ok(())
    })
}

#[test]
fn on_a_full_disk_detection_goes_on_and_says_so_and_everything_is_written_when_there_is_room() -> Result<()> {
    with_rigs("a full disk", || {
        need_root()?;
        let stage = Stage::new()?;
        let state = stage.folder.path().join("state");
        fs::create_dir(&state)?;
        let user = firebell_tests::bus::collector_user()?;
        let plain = stage.command()?;
        // In a mount namespace of its own: the small disk goes away with the collector.
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o size=1m,mode=700,uid=$(id -u \"$1\") none \"$2\" && shift 2 && exec \"$@\"",
            "sh",
        ]);
        command.arg(&user).arg(&state).arg(plain.get_program()).args(plain.get_args()).current_dir("/");
        for (name, value) in plain.get_envs() {
            command.env(name, value.context("a variable without a value")?);
        }
        let collector = stage.start(command)?;
        let disk = Path::new("/proc").join(collector.pid().to_string()).join("root").join(state.strip_prefix("/")?);
        ensure!(disk.join("history.db").exists(), "the history is not on the small disk");
        stage.scan("198.51.100.1", 20)?;
        stage.wait_for("198.51.100.1")?;
        ensure!(!stage.health()?.1.contains("history"), "{:?}", stage.health()?);

        let filler = disk.join("filler");
        let mut file = fs::File::create(&filler)?;
        while file.write_all(&[0; 512]).is_ok() {}
        drop(file);
        for number in 2..=40 {
            stage.scan(&format!("198.51.100.{number}"), 20)?;
        }
        collector.wait_for(SECONDS, |line| line.text.contains("alerts are told and kept in memory"))?;
        stage.wait_for("198.51.100.40")?;
        let (health, reason) = stage.health()?;
        ensure!(health == "degraded" && reason.contains("history cannot be written"), "{health}: {reason}");

        fs::remove_file(&filler)?;
        wait_until("it is written", Duration::from_secs(60), || Ok(!stage.health()?.1.contains("history cannot be written")))
            .with_context(|| format!("{:?} {:?}", collector.lines(), run(Command::new("ls").arg("-la").arg(&disk))))?;
        let waiting = stage.ask(async |proxy| Ok(u64::try_from(&*proxy.status().await?["history_waiting"])?))?;
        ensure!(waiting == 0, "{waiting} incidents still wait");
        Ok(())
    })
}
