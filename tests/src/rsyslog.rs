//! rsyslog, as a reader of what programs write.

use crate::{
    bus::{folder_for_all, wait_until},
    program::{Program, run},
    rig::CannotRun,
};
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

/// What works is there within this.
const SECONDS: Duration = Duration::from_secs(20);

/// rsyslog with a socket and a log file of its own, and the machine's kernel log, as distributions set it up.
#[derive(Debug)]
pub struct Rsyslog {
    folder: tempfile::TempDir,
    _program: Program,
}

impl Rsyslog {
    /// Starts it, and waits until programs can write to it.
    ///
    /// # Errors
    /// [`CannotRun`] without it, else when it does not come up.
    pub fn start() -> Result<Self> {
        if run(Command::new("rsyslogd").arg("-v")).is_err() {
            return Err(CannotRun("no rsyslogd (Debian: rsyslog)".to_owned()).into());
        }
        let folder = folder_for_all()?;
        let place = folder.path().display();
        let config = folder.path().join("rsyslog.conf");
        // Not imklog, which would take the lines away from the machine's own daemon.
        fs::write(
            &config,
            format!(
                "global(workDirectory=\"{place}\")\nmodule(load=\"imkmsg\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
                 input(type=\"imuxsock\" Socket=\"{place}/socket\")\nmodule(load=\"builtin:omfile\" Template=\"RSYSLOG_TraditionalFileFormat\")\n\
                 *.* action(type=\"omfile\" file=\"{place}/kern.log\" fileCreateMode=\"0644\")\n"
            ),
        )?;
        fs::write(folder.path().join("kern.log"), "")?;
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(&config).arg("-i").arg(folder.path().join("pid")).stdin(Stdio::null());
        let program = Program::start("rsyslogd", &mut command)?;
        wait_until("rsyslog has its socket", SECONDS, || Ok(folder.path().join("socket").exists()))
            .with_context(|| format!("{:?}", program.lines()))?;
        Ok(Self { folder, _program: program })
    }

    /// Where programs write to, as `/dev/log`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What it writes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("kern.log")
    }

    /// Whether that has this in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn has(&self, text: &str) -> Result<bool> {
        Ok(String::from_utf8_lossy(&fs::read(self.log())?).contains(text))
    }
}
