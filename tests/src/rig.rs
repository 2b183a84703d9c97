//! Networks that log and desktops, made by the scripts in `tests/rigs` and undone when dropped.
//!
//! `FIREBELL_RIGS=required` makes a failure of what a machine cannot do, `never` leaves all of it out; without it a test
//! that cannot run here says so on standard error and passes.

use crate::program::{Line, Program, as_user, repository, run};
use anyhow::{Context, Result, bail};
use std::{
    collections::HashMap,
    fmt,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// What a rig answers where the machine cannot do it (exit status 77 of the scripts): not root, a program missing.
#[derive(Debug)]
pub struct CannotRun(pub String);

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotRun {}

/// Runs a test that needs a rig, or leaves it out and says so, as `FIREBELL_RIGS` wants it.
///
/// # Errors
/// Those of `test`; [`CannotRun`] only with `FIREBELL_RIGS=required`.
pub fn with_rigs(name: &str, test: impl FnOnce() -> Result<()>) -> Result<()> {
    let wish = std::env::var("FIREBELL_RIGS").unwrap_or_default();
    let reason = match wish.as_str() {
        "never" => "FIREBELL_RIGS=never".to_owned(),
        "" | "required" => match test() {
            Err(error) if wish.is_empty() && error.is::<CannotRun>() => error.to_string(),
            result => return result,
        },
        other => bail!("FIREBELL_RIGS is 'required', 'never' or not set; it is {other:?}"),
    };
    // Not by eprintln!: the test harness would keep that to itself.
    writeln!(std::io::stderr(), "left out: {name}: {reason}")?;
    Ok(())
}

/// A script of `tests/rigs`.
#[must_use]
pub fn script(name: &str) -> Command {
    Command::new(repository().join("tests/rigs").join(name))
}

/// Runs a script of `tests/rigs`; gives its standard output.
///
/// # Errors
/// [`CannotRun`] for its exit status 77, else what it wrote to standard error.
pub fn run_script(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("running {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Some(77) => Err(CannotRun(said.trim().to_owned()).into()),
        _ => bail!("{command:?}: {}\n{said}", output.status),
    }
}

/// Names of rigs differ between tests that run at the same time.
fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a script printed as shell assignments, quoted or not, with or without `export`.
fn assignments(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| match line.strip_prefix("export ") {
            Some(several) => several.split(' ').collect(),
            None => vec![line],
        })
        .filter_map(|one| one.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

/// Three network namespaces, a logging firewall in the middle one.
#[derive(Debug)]
pub struct Network {
    id: String,
    named: HashMap<String, String>,
}

impl Network {
    /// Brings one up whose firewall logs with this prefix; `options` are more options of `netns-up`.
    ///
    /// # Errors
    /// [`CannotRun`] without root or a program it needs.
    pub fn up(prefix: &str, options: &[&str]) -> Result<Self> {
        let id = fresh_id();
        let said = run_script(script("netns-up").args(["--id", &id, "--prefix", prefix]).args(options))?;
        Ok(Self { id, named: assignments(&said) })
    }

    /// A value that `netns-up` printed, `RIG_ATTACKER4` say.
    ///
    /// # Errors
    /// When it printed none of that name.
    pub fn value(&self, name: &str) -> Result<&str> {
        self.named.get(name).map(String::as_str).with_context(|| format!("netns-up printed no {name}"))
    }

    /// Runs a scan of `scan --list`, with its parameters in the environment; gives what it reports.
    ///
    /// # Errors
    /// [`CannotRun`] without the scanner, else when it fails.
    pub fn scan(&self, name: &str, parameters: &[(&str, &str)]) -> Result<String> {
        run_script(script("scan").args(["--id", &self.id, name]).envs(parameters.iter().copied()))
    }

    /// Runs a scan, and keeps what the firewall logged of it as raw `/dev/kmsg` records.
    ///
    /// # Errors
    /// As [`Network::scan`].
    pub fn scan_into(&self, name: &str, kmsg: &Path) -> Result<String> {
        run_script(script("scan").args(["--id", &self.id, "--kmsg"]).arg(kmsg).arg(name))
    }

    /// A command in the attacker's namespace.
    ///
    /// # Errors
    /// Never, unless `netns-up` printed no name for it.
    pub fn attacker(&self) -> Result<Command> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.value("RIG_ATK_NS")?]);
        Ok(command)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = run_script(script("netns-down").args(["--id", &self.id]));
    }
}

/// A private bus of type system with our policy, a session bus, a screen and a notification daemon.
#[derive(Debug)]
pub struct Desktop {
    id: String,
    user: String,
    programs: tempfile::TempDir,
    named: HashMap<String, String>,
    kept: Option<tempfile::TempDir>,
}

impl Desktop {
    /// Brings one up that belongs to `user`; `daemon` is one that `desktop-up` knows. `options` are more options of
    /// `desktop-up`, as `--policy` with [`bus_policy`].
    ///
    /// # Errors
    /// [`CannotRun`] without root or a program it needs.
    pub fn up(daemon: &str, user: &str, options: &[&str]) -> Result<Self> {
        let id = fresh_id();
        let said = run_script(script("desktop-up").args(["--id", &id, "--daemon", daemon, "--as", user]).args(options))?;
        let programs = tempfile::tempdir()?;
        std::fs::set_permissions(programs.path(), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { id, user: user.to_owned(), programs, named: assignments(&said), kept: None })
    }

    /// Keeps this folder as long as itself.
    #[must_use]
    pub fn keeping(mut self, folder: tempfile::TempDir) -> Self {
        self.kept = Some(folder);
        self
    }

    /// The address of its bus of type system.
    ///
    /// # Errors
    /// When `desktop-up` printed none.
    pub fn system_bus(&self) -> Result<&str> {
        self.named.get("DBUS_SYSTEM_BUS_ADDRESS").map(String::as_str).context("desktop-up printed no system bus")
    }

    /// Its `XDG_RUNTIME_DIR`.
    ///
    /// # Errors
    /// When `desktop-up` printed none.
    pub fn runtime(&self) -> Result<PathBuf> {
        self.named.get("XDG_RUNTIME_DIR").map(PathBuf::from).context("desktop-up printed no runtime folder")
    }

    /// The address of its session bus.
    ///
    /// # Errors
    /// When `desktop-up` printed none.
    pub fn session_bus(&self) -> Result<&str> {
        self.named.get("DBUS_SESSION_BUS_ADDRESS").map(String::as_str).context("desktop-up printed no session bus")
    }

    /// A program as its user, in its session.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn command(&self, program: &Path) -> Result<Command> {
        let mut command = as_user(&self.user, program)?;
        command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY").envs(&self.named).current_dir("/").stdin(Stdio::null());
        command.env("HOME", self.named.get("XDG_RUNTIME_DIR").map_or("/nonexistent", String::as_str)).env_remove("XDG_CONFIG_HOME");
        // What it says is compared with English, whatever the tester speaks.
        command.env("LC_ALL", "C.UTF-8");
        Ok(command)
    }

    /// A program of ours as its user: a copy, since the user may have no way into the folder it was built in.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn our_command(&self, program: &Path) -> Result<Command> {
        let copy = self.programs.path().join(program.file_name().context("a program has a name")?);
        std::fs::copy(program, &copy)?;
        self.command(&copy)
    }

    /// Starts the collector as root on its bus of type system, with this configuration (no section `[bus]` in it), and waits
    /// until it listens. The desktop's user is a viewer.
    ///
    /// # Errors
    /// [`CannotRun`] without the user that it becomes, else when it does not start.
    pub fn collector(&self, firebelld: &Path, config: &str, arguments: &[&str], input: Stdio) -> Result<Program> {
        if run(Command::new("id").args(["-u", "firebell"])).is_err() {
            return Err(CannotRun("no system user firebell for the collector to become (make check makes one)".to_owned()).into());
        }
        let folder = crate::bus::folder_for_all()?;
        // It is there as long as the collector, which may be asked to read it again.
        let file = folder.path().join("firebell.toml");
        std::fs::write(&file, format!("{config}\n[bus]\nviewers = [\"{}\"]\n", self.user))?;
        let mut command = Command::new(firebelld);
        command.arg("--config").arg(&file).args(arguments).stdin(input).current_dir("/");
        crate::bus::state_in(folder.path(), &mut command)?;
        let program = Program::start("firebelld", command.env("DBUS_SYSTEM_BUS_ADDRESS", self.system_bus()?))?.keeping(folder);
        program.wait_for(Duration::from_secs(10), |line| line.text.contains("ready"))?;
        Ok(program)
    }

    /// Takes a picture of the screen once something is drawn on it.
    ///
    /// # Errors
    /// When nothing was drawn within five seconds.
    pub fn picture(&self, to: &Path) -> Result<()> {
        run_script(script("desktop-shot").args(["--id", &self.id]).arg(to)).map(drop)
    }

    /// Clicks into the window that is right at the top of an X screen, which is where popups are: so many pixels from its right edge
    /// and from its lower one, with this mouse button.
    ///
    /// # Errors
    /// [`CannotRun`] without xdotool, else when there is no such window.
    pub fn click(&self, from_right: i64, from_bottom: i64, button: u8) -> Result<()> {
        let xdotool = |arguments: &[&str]| -> Result<String> {
            match run(self.command(Path::new("xdotool"))?.args(arguments)) {
                Err(_) if !Path::new("/usr/bin/xdotool").exists() => Err(CannotRun("no xdotool".to_owned()).into()),
                said => said,
            }
        };
        let mut corner = None;
        for window in xdotool(&["search", "--onlyvisible", "--name", ".*"])?.lines() {
            let said = xdotool(&["getwindowgeometry", "--shell", window])?;
            let number = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.parse::<i64>().ok()).context("no geometry");
            let (x, y, width, height) = (number("X=")?, number("Y=")?, number("WIDTH=")?, number("HEIGHT=")?);
            // Not the root window, nor one that is there to hold something else.
            if x > 0 && width > 100 && corner.is_none_or(|(top, _, _)| y < top) {
                corner = Some((y, x + width, y + height));
            }
        }
        let (_, right, bottom) = corner.context("there is no popup on the screen")?;
        let (x, y) = ((right - from_right).to_string(), (bottom - from_bottom).to_string());
        xdotool(&["mousemove", &x, &y, "click", &button.to_string()]).map(drop)
    }

    /// Listens to every call of `Notify` on the session bus.
    ///
    /// # Errors
    /// When the monitor does not start.
    pub fn notifications(&self) -> Result<Notifications> {
        // GNOME Shell is asked by the name that everybody asks for, and asks another part of itself the same.
        let name = "org.freedesktop.Notifications";
        let rule = format!("type='method_call',destination='{name}',interface='{name}',member='Notify'");
        Monitor::start(self.command(Path::new("busctl"))?, self.session_bus()?, &rule).map(|monitor| Notifications { monitor })
    }

    /// Listens to every signal of the notification daemon with this name, `NotificationClosed` say.
    ///
    /// # Errors
    /// When the monitor does not start.
    pub fn signals(&self, member: &str) -> Result<Monitor> {
        let rule = format!("type='signal',interface='org.freedesktop.Notifications',member='{member}'");
        Monitor::start(self.command(Path::new("busctl"))?, self.session_bus()?, &rule)
    }

    /// Listens, as root, to every `Alert` on the bus of type system, whoever it is for.
    ///
    /// # Errors
    /// When the monitor does not start.
    pub fn alerts(&self) -> Result<Monitor> {
        let rule = "type='signal',interface='org.firebell.Collector1',member='Alert'";
        Monitor::start(Command::new("busctl"), self.system_bus()?, rule)
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = run_script(script("desktop-down").args(["--id", &self.id]));
    }
}

/// `busctl monitor`: every message that a rule matches, as JSON.
#[derive(Debug)]
pub struct Monitor {
    program: Program,
}

impl Monitor {
    fn start(mut busctl: Command, address: &str, rule: &str) -> Result<Self> {
        busctl.arg(format!("--address={address}")).args(["--json=short", "monitor"]).arg(format!("--match={rule}"));
        let program = Program::start("busctl monitor", busctl.stdin(Stdio::null()))?;
        program.wait_for(Duration::from_secs(5), |line| line.is_stderr && line.text.contains("Monitoring"))?;
        Ok(Self { program })
    }

    /// Every message so far. Its key `timestamp-realtime` says when the monitor got it, in microseconds since 1970.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn all(&self) -> Result<Vec<serde_json::Value>> {
        self.program.lines().iter().filter(|line| !line.is_stderr).map(message).collect()
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// When none came within `limit`.
    pub fn first(&self, limit: Duration) -> Result<serde_json::Value> {
        message(&self.program.wait_for(limit, |line| !line.is_stderr)?)
    }
}

fn message(line: &Line) -> Result<serde_json::Value> {
    serde_json::from_str(&line.text).with_context(|| format!("reading {}", line.text))
}

/// When a [`Monitor`] got a message, in microseconds since 1970.
///
/// # Errors
/// When it does not say.
pub fn time_of(message: &serde_json::Value) -> Result<u64> {
    message.get("timestamp-realtime").and_then(serde_json::Value::as_u64).context("busctl gives no time")
}

/// A listener to `Notify` on one session bus.
#[derive(Debug)]
pub struct Notifications {
    monitor: Monitor,
}

/// One call of `org.freedesktop.Notifications.Notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The notification it replaces; 0 for a new one.
    pub replaces: u64,
    /// Title.
    pub summary: String,
    /// Text, with markup where the server has that.
    pub body: String,
    /// When it was sent, in microseconds since 1970.
    pub time: u64,
}

impl Notifications {
    /// Every call so far.
    ///
    /// # Errors
    /// When a message cannot be read.
    pub fn all(&self) -> Result<Vec<Notification>> {
        self.monitor.all()?.iter().map(notification).collect()
    }

    /// Waits for a call.
    ///
    /// # Errors
    /// When none came within `limit`.
    pub fn first(&self, limit: Duration) -> Result<Notification> {
        notification(&self.monitor.first(limit)?)
    }
}

fn notification(message: &serde_json::Value) -> Result<Notification> {
    let argument = |at: usize| message.pointer(&format!("/payload/data/{at}")).with_context(|| format!("no argument {at} in {message}"));
    let text = |at: usize| Ok::<_, anyhow::Error>(argument(at)?.as_str().context("not a text")?.to_owned());
    let replaces = argument(1)?.as_u64().context("not a number")?;
    Ok(Notification { replaces, summary: text(3)?, body: text(4)?, time: time_of(message)? })
}

/// The person at the desk: a user of every bare Debian who is neither root nor firebell.
pub const VIEWER: &str = "games";

/// Configuration of a collector that reads, from the live kernel log, only what a rule with this prefix logs. It believes
/// the kernel there although the rule is in another network namespace.
#[must_use]
pub fn only_prefix(prefix: &str) -> String {
    format!("[intake]\nsource = \"kmsg\"\nfrom = \"end\"\nprefixes = [\"{prefix}\"]\nvouched-prefixes = [\"{prefix}\"]\n")
}

/// The folder with our bus policy.
#[must_use]
pub fn bus_policy() -> String {
    repository().join("dbus-policy").to_string_lossy().into_owned()
}

/// Where pictures of a test are kept, for whoever wants to look: `target/pictures`.
///
/// # Errors
/// When the folder cannot be made.
pub fn pictures() -> Result<PathBuf> {
    let folder = repository().join("target/pictures");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
