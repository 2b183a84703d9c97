//! A bus of type system with our policy, and the collector on it: smaller than a desktop, and it can be started anew.

use crate::{
    program::{Program, as_user, built, repository, run},
    rig::{CannotRun, Desktop},
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A private bus. It ends when dropped.
#[derive(Debug)]
pub struct Bus {
    folder: tempfile::TempDir,
    daemon: Option<Program>,
}

impl Bus {
    /// Starts one whose policy is that of a system bus and, with `ours`, our own. As root the collector's user is the one
    /// of [`collector_user`], so the policy names that one.
    ///
    /// # Errors
    /// [`CannotRun`] without a `dbus-daemon`, else when it does not start.
    pub fn up(ours: bool) -> Result<Self> {
        if run(Command::new("dbus-daemon").arg("--version")).is_err() {
            return Err(CannotRun("no dbus-daemon (Debian: dbus-daemon)".to_owned()).into());
        }
        let folder = tempfile::Builder::new().prefix("firebell-bus").tempdir()?;
        // Others come by to the socket.
        run(Command::new("chmod").arg("755").arg(folder.path()))?;
        policy_file("org.firebell.Collector1.conf", &folder.path().join("ours.conf"))?;
        let include = if ours { "<include>ours.conf</include>" } else { "" };
        // The policy of dbus' own system.conf, without what it reads from /etc and /usr.
        fs::write(
            folder.path().join("bus.conf"),
            format!(
                r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
<allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
<allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/></policy>
<policy user="root"><allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/></policy>
{include}</busconfig>"#,
                socket = folder.path().join("socket").display()
            ),
        )?;
        let mut bus = Self { folder, daemon: None };
        bus.start()?;
        Ok(bus)
    }

    /// Starts the daemon again after [`Bus::stop`].
    ///
    /// # Errors
    /// When it does not answer within five seconds.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"]);
        command.arg(format!("--config-file={}", self.folder.path().join("bus.conf").display()));
        let daemon = Program::start("dbus-daemon", &mut command)?;
        daemon.wait_for(Duration::from_secs(5), |line| line.text.starts_with("unix:path="))?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Ends the daemon; the address stays.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop()?;
        }
        let _ = fs::remove_file(self.folder.path().join("socket"));
        Ok(())
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("socket").display())
    }

    /// Starts the collector with this configuration and these arguments, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready within ten seconds.
    pub fn collector(&self, config: &str, arguments: &[&str], input: Stdio) -> Result<Program> {
        start_collector(&self.address(), config, arguments, input)
    }

    /// Starts the collector with the configuration in `file`, which its user must be able to read, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready within ten seconds.
    pub fn collector_reading(&self, file: &Path, arguments: &[&str], input: Stdio) -> Result<Program> {
        start(&self.address(), collector_reading(file, arguments)?, input)
    }

    /// Runs `dbus-send` for a call to the collector, as `user`.
    ///
    /// # Errors
    /// When it cannot be started; its answer may still be an error.
    pub fn call(&self, user: &str, member: &str, arguments: &[&str]) -> Result<Output> {
        call(&self.address(), as_user(user, Path::new("dbus-send"))?, member, arguments)
    }
}

/// A bus of type system with our policy, and on it polkitd with our actions and this rule.
///
/// # Errors
/// [`CannotRun`] without root or a program it needs.
pub fn with_polkit(rule: &str) -> Result<Desktop> {
    let folder = folder_for_all()?;
    let part = |name: &str| -> Result<PathBuf> {
        let part = folder.path().join(name);
        fs::create_dir(&part)?;
        Ok(part)
    };
    let (bus, actions, rules) = (part("bus")?, part("actions")?, part("rules")?);
    policy_file("org.firebell.Collector1.conf", &bus.join("ours.conf"))?;
    policy_file("org.firebell.policy", &actions.join("org.firebell.policy"))?;
    fs::write(rules.join("10-firebell-test.rules"), rule)?;
    let [bus, actions, rules] = [bus, actions, rules].map(|part| part.to_string_lossy().into_owned());
    let desktop = Desktop::up("none", "root", &["--no-screen", "--policy", &bus, "--polkit-actions", &actions, "--polkit-rules", &rules])?;
    // The bus reads its policy again when the folder changes.
    Ok(desktop.keeping(folder))
}

/// Writes a file of `dbus-policy` with the user that these tests give to the collector.
fn policy_file(name: &str, to: &Path) -> Result<()> {
    let (text, user) = (fs::read_to_string(repository().join("dbus-policy").join(name))?, collector_user()?);
    let text = text.replace("user=\"firebell\"", &format!("user=\"{user}\"")).replace("unix-user:firebell", &format!("unix-user:{user}"));
    Ok(fs::write(to, text)?)
}

/// Starts the collector on a bus, with this configuration and these arguments, and waits until it is ready.
///
/// # Errors
/// When it does not become ready within ten seconds.
pub fn start_collector(address: &str, config: &str, arguments: &[&str], input: Stdio) -> Result<Program> {
    start(address, collector_command(config, arguments)?, input)
}

fn start(address: &str, mut command: Command, input: Stdio) -> Result<Program> {
    let folder = folder_for_all()?;
    state_in(folder.path(), &mut command)?;
    let program = Program::start("firebelld", command.env("DBUS_SYSTEM_BUS_ADDRESS", address).stdin(input))?.keeping(folder);
    program.wait_for(Duration::from_secs(10), |line| line.text.contains("ready"))?;
    Ok(program)
}

/// A folder that every user may enter.
///
/// # Errors
/// When it cannot be made.
pub fn folder_for_all() -> Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("firebell-test").permissions(permissions).tempdir().context("a folder for a test")
}

/// Lets a collector keep its history and its files for other tools in `folder`, instead of where a real one has them. As root it makes
/// them itself. Gives the place of the history.
///
/// # Errors
/// When the folder cannot be made.
pub fn state_in(folder: &Path, command: &mut Command) -> Result<PathBuf> {
    for (variable, name) in [("STATE_DIRECTORY", "state"), ("LOGS_DIRECTORY", "log")] {
        let folder = folder.join(name);
        if !is_root() && !folder.exists() {
            fs::create_dir(&folder)?;
        }
        command.env(variable, folder);
    }
    Ok(folder.join("state"))
}

/// The collector with this configuration and these arguments, not yet started.
///
/// # Errors
/// When it does not build.
pub fn collector_command(config: &str, arguments: &[&str]) -> Result<Command> {
    let folder = config_folder()?;
    let file = folder.join(format!("{:x}.toml", hash(config)));
    fs::write(&file, config)?;
    collector_reading(&file, arguments)
}

fn collector_reading(file: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(built()?.join("firebelld"));
    command.arg("--config").arg(file).args(["--user", &collector_user()?]).args(arguments).current_dir("/").stdin(Stdio::null());
    Ok(command)
}

/// Where the configurations of this test process are kept, in the build folder.
fn config_folder() -> Result<PathBuf> {
    let folder = built()?.join("test-configs").join(std::process::id().to_string());
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Runs a prepared `dbus-send` for a call to the collector.
///
/// # Errors
/// When it cannot be started; its answer may still be an error.
pub fn call(address: &str, mut dbus_send: Command, member: &str, arguments: &[&str]) -> Result<Output> {
    dbus_send.arg(format!("--bus={address}")).args(["--print-reply", "--dest=org.firebell.Collector1", "/org/firebell/Collector1"]);
    dbus_send.arg(format!("org.firebell.Collector1.{member}")).args(arguments);
    dbus_send.stdin(Stdio::null()).output().context("running dbus-send (Debian: dbus-bin)")
}

/// The user that a collector started by root becomes: `firebell` where there is one, else one that every Debian has.
/// Not as root: us.
///
/// # Errors
/// When `id` fails.
pub fn collector_user() -> Result<String> {
    if !is_root() {
        return Ok(run(Command::new("id").arg("-nu"))?.trim().to_owned());
    }
    Ok(if run(Command::new("id").args(["-u", "firebell"])).is_ok() { "firebell" } else { "sys" }.to_owned())
}

/// Whether this test runs as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Leaves a test out that needs root.
///
/// # Errors
/// [`CannotRun`] for anybody else.
pub fn need_root() -> Result<()> {
    if is_root() { Ok(()) } else { Err(CannotRun("must be root".to_owned()).into()) }
}

/// Asks `wanted` until it says yes.
///
/// # Errors
/// When it did not within `limit`.
pub fn wait_until(what: &str, limit: Duration, mut wanted: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + limit;
    while !wanted()? {
        if Instant::now() > end {
            bail!("not within {limit:?}: {what}");
        }
        // The collector answers twenty calls a second.
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// `/dev/kmsg`-like lines of a scan: `ports` TCP ports of 198.51.100.10, all in one second.
#[must_use]
pub fn scan_lines(prefix: &str, source: &str, ports: u16) -> String {
    (1..=ports)
        .map(|port| {
            format!(
                "4,{port},{stamp},-;{prefix} IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC={source} DST=198.51.100.10 LEN=44 \
                 TOS=0x00 PREC=0x00 TTL=41 ID=7 PROTO=TCP SPT=40000 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0 \n",
                stamp = 1_000_000_000 + u64::from(port)
            )
        })
        .collect()
}
