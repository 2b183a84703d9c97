//! The collector with a log file, a folder for its history, and a bus of its own.

use crate::{
    bus::{Bus, collector_command, folder_for_all, scan_lines, state_in, wait_until},
    program::{Program, run},
};
use anyhow::{Context as _, Result};
use firebell_shared::{alert::Alert, client::CollectorProxy};
use std::{collections::HashMap, fs, io::Write as _, path::PathBuf, process::Command, time::Duration};

/// Configuration with which each source is an incident of its own.
pub const EACH: &str = "[engine]\nincidents-per-minute = 1000\n[detect.roll-up]\nenabled = false\n[detect.decoys]\nenabled = false\n\
                        [detect.distributed]\nenabled = false\n";
/// What works is there within this.
const SECONDS: Duration = Duration::from_secs(20);

/// A log file, a folder for the history, and a bus.
#[derive(Debug)]
pub struct Stage {
    /// Where the collector speaks.
    pub bus: Bus,
    /// Holds the log, and the history in `state`.
    pub folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// An empty log, and no history yet.
    ///
    /// # Errors
    /// When there can be no bus.
    pub fn new() -> Result<Self> {
        let (bus, folder) = (Bus::up(true)?, folder_for_all()?);
        fs::write(folder.path().join("kern.log"), "")?;
        Ok(Self { bus, folder, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    /// The log file.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("kern.log")
    }

    /// The folder of the history.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Configuration that follows the log; `more` begins inside of `[intake]`.
    #[must_use]
    pub fn following(&self, more: &str) -> String {
        format!("[intake]\nsource = \"file\"\nfiles = [{:?}]\n{more}", self.log())
    }

    /// How the collector is started with this configuration.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn command(&self, config: &str) -> Result<Command> {
        let mut command = collector_command(config, &[])?;
        state_in(self.folder.path(), &mut command)?;
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.bus.address());
        Ok(command)
    }

    /// Starts it, and waits until it is on the bus.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(mut command: Command) -> Result<Program> {
        let program = Program::start("firebelld", &mut command)?;
        program.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        Ok(program)
    }

    /// Starts one that follows the log, where [`EACH`] source stands for itself.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn follow(&self) -> Result<Program> {
        Self::start(self.command(&self.following(EACH))?)
    }

    /// Writes a scan of `ports` ports as a logging daemon does.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn scan(&self, source: &str, ports: u16) -> Result<()> {
        self.write(&scan_lines("DROP", source, ports))
    }

    /// Writes lines of `/dev/kmsg` as a logging daemon does, all of them now.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn write(&self, kmsg: &str) -> Result<()> {
        let lines: String = kmsg
            .lines()
            .filter_map(|line| line.split_once(';'))
            .map(|(_, text)| format!("{} host kernel: {text}\n", now_as_stamp()))
            .collect();
        Ok(fs::File::options().append(true).open(self.log())?.write_all(lines.as_bytes())?)
    }

    /// Waits for an incident of this source.
    ///
    /// # Errors
    /// When there is none in time.
    pub fn wait_for(&self, source: &str) -> Result<()> {
        wait_until(source, SECONDS, || Ok(self.alerts(0)?.iter().any(|alert| alert.source == source)))
    }

    /// Every alert after the one numbered `after`, page by page.
    ///
    /// # Errors
    /// When the collector does not answer.
    pub fn alerts(&self, after: u64) -> Result<Vec<Alert>> {
        self.ask(async |proxy| {
            let (mut after, mut all) = (after, Vec::new());
            loop {
                let (alerts, last_seq, more) = proxy.list_alerts(after, 1000, HashMap::new()).await?;
                all.extend(alerts.into_iter().map(Alert::from_wire).collect::<Result<Vec<_>, _>>()?);
                after = last_seq;
                if !more {
                    return Ok(all);
                }
            }
        })
    }

    /// State and reason.
    ///
    /// # Errors
    /// When the collector does not answer.
    pub fn health(&self) -> Result<(String, String)> {
        self.ask(async |proxy| Ok(proxy.health().await?))
    }

    /// Counters of one `Status()`.
    ///
    /// # Errors
    /// When the collector does not answer, or has no such counter.
    pub fn numbers<const N: usize>(&self, keys: [&str; N]) -> Result<[u64; N]> {
        self.ask(async |proxy| {
            let status = proxy.status().await?;
            let mut numbers = [0; N];
            for (number, key) in numbers.iter_mut().zip(keys) {
                *number = u64::try_from(&**status.get(key).with_context(|| format!("no {key}"))?)?;
            }
            Ok(numbers)
        })
    }

    /// Asks the collector.
    ///
    /// # Errors
    /// Those of the question, and when there is no bus.
    pub fn ask<T>(&self, question: impl AsyncFnOnce(CollectorProxy<'static>) -> Result<T>) -> Result<T> {
        self.runtime.block_on(async {
            let address = self.bus.address();
            let connection = zbus::connection::Builder::address(address.as_str()).method_timeout(SECONDS).build().await?;
            question(CollectorProxy::new(&connection).await?).await
        })
    }
}

/// Now, as rsyslog writes it.
fn now_as_stamp() -> String {
    run(Command::new("date").arg("+%Y-%m-%dT%H:%M:%S.%6N%:z")).unwrap_or_default().trim().to_owned()
}
