//! A session of one person: two private buses, a home, and the agent in it.

use crate::{
    fake_collector::FakeCollector,
    fake_server::FakeServer,
    private_bus::PrivateBus,
    program::{Line, Program, built, write_program},
};
use anyhow::{Result, ensure};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

/// What works is there within this.
pub const SOON: Duration = Duration::from_secs(5);
/// So long we wait to see that nothing happens. Everything here takes milliseconds.
pub const NOTHING: Duration = Duration::from_millis(700);

/// Two private buses and a home of its own, with folders for programs of the user's (`bin`) and for what is running (`run`).
#[derive(Debug)]
pub struct Session {
    /// Where the collector speaks.
    pub system: PrivateBus,
    /// Where the notification server is.
    pub bus: PrivateBus,
    /// `HOME`.
    pub home: tempfile::TempDir,
}

impl Session {
    /// Nobody is on the buses yet, and the home is empty.
    ///
    /// # Errors
    /// When there can be no bus.
    pub fn new() -> Result<Self> {
        let session = Self { system: PrivateBus::start()?, bus: PrivateBus::start()?, home: tempfile::tempdir()? };
        for folder in ["bin", "run"] {
            fs::create_dir(session.path(folder))?;
        }
        Ok(session)
    }

    /// One with a collector and a server on its buses.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn attended() -> Result<(Self, FakeCollector, FakeServer)> {
        let session = Self::new()?;
        let (collector, server) = (session.collector()?, session.server()?);
        Ok((session, collector, server))
    }

    /// A collector with an empty history.
    ///
    /// # Errors
    /// When there is one already.
    pub fn collector(&self) -> Result<FakeCollector> {
        FakeCollector::start(&self.system.address(), "a")
    }

    /// A server that reads markup and draws no buttons.
    ///
    /// # Errors
    /// When there is one already.
    pub fn server(&self) -> Result<FakeServer> {
        FakeServer::start(&self.bus, true, 0)
    }

    /// A path in the home.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What stands in a file in the home; nothing where there is none.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes `notifier.toml`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, text: &str) -> Result<()> {
        let folder = self.path(".config/firebell");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("notifier.toml"), text)?)
    }

    /// A program of the user's, which comes before every other of its name and works in the home.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn program(&self, name: &str, script: &str) -> Result<()> {
        write_program(&self.path("bin").join(name), &format!("#!/bin/sh\ncd {}\n{script}\n", self.home.path().display()))
    }

    /// `command` with nothing from the tester's surroundings, in this session.
    pub fn surround(&self, command: &mut Command) {
        command.env_clear().env("HOME", self.home.path()).env("TZ", "UTC").env("PATH", format!("{}:/bin", self.path("bin").display()));
        command.env("XDG_RUNTIME_DIR", self.path("run"));
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.system.address()).env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
    }

    /// A program of ours in this session.
    ///
    /// # Errors
    /// When it does not build.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(built()?.join(program));
        self.surround(&mut command);
        Ok(command)
    }

    /// The agent, started.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn start(&self, arguments: &[&str]) -> Result<Program> {
        Program::start("firebell-notifier", self.command("firebell-notifier")?.args(arguments))
    }

    /// An agent that listens to the collector already.
    ///
    /// # Errors
    /// When it does not.
    pub fn listening(&self) -> Result<Program> {
        self.listening_with(&[], &[])
    }

    /// The same with these arguments, and these variables besides.
    ///
    /// # Errors
    /// As there.
    pub fn listening_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Program> {
        let mut command = self.command("firebell-notifier")?;
        let agent = Program::start("firebell-notifier", command.args(arguments).envs(variables.iter().copied()))?;
        agent.wait_for(SOON, says("listening to the collector"))?;
        Ok(agent)
    }

    /// Runs the agent to its end; gives its exit code and what it said. 124: it does not end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let mut command = Command::new("/usr/bin/timeout");
        self.surround(&mut command);
        let output = command.arg("10").arg(built()?.join("firebell-notifier")).args(arguments).output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// `firebell notify`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn notify(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command("firebell")?.arg("notify").args(arguments).output()?)
    }

    /// The same, which has to go well; gives what it prints.
    ///
    /// # Errors
    /// When it does not.
    pub fn notify_says(&self, arguments: &[&str]) -> Result<String> {
        let output = self.notify(arguments)?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The same, which has to fail with this status; gives what it says.
    ///
    /// # Errors
    /// When it does not.
    pub fn notify_fails(&self, status: i32, arguments: &[&str]) -> Result<String> {
        let output = self.notify(arguments)?;
        ensure!(output.status.code() == Some(status), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stderr)?)
    }

    /// `firebell notify status -o json`.
    ///
    /// # Errors
    /// When it fails.
    pub fn status(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.notify_says(&["status", "-o", "json"])?)?)
    }
}

/// A line on standard error with these words in it.
pub fn says(words: &'static str) -> impl Fn(&Line) -> bool {
    move |line| line.is_stderr && line.text.contains(words)
}

/// How often it has said that.
#[must_use]
pub fn count(program: &Program, words: &str) -> usize {
    program.lines().iter().filter(|line| line.text.contains(words)).count()
}
