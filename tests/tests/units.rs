//! What systemd makes of our units, and what the collector tells it.

use anyhow::{Context, Result, ensure};
use firebell_tests::{
    bus::{Bus, collector_command, folder_for_all, state_in, wait_until},
    program::{Program, built, repository, run},
    rig::{CannotRun, with_rigs},
};
use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const COLLECTOR: &str = "firebell-collector.service";
/// A machine that is busy with other tests is slow.
const SECONDS: Duration = Duration::from_secs(30);

fn systemd_analyze() -> Result<Command> {
    if run(Command::new("systemd-analyze").arg("--version")).is_err() {
        return Err(CannotRun("no systemd-analyze (Debian: systemd)".into()).into());
    }
    Ok(Command::new("systemd-analyze"))
}

/// A folder with our units as an installation of this build would have them, and with these drop-ins of the collector.
fn installed(drop_ins: &[&str]) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for entry in fs::read_dir(repository().join("systemd"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "service" || kind == "mount") {
            let bin = built()?.to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)?;
            let text = text.replace("=/usr/sbin/firebelld", &format!("={bin}/firebelld"));
            let text = text.replace("=/usr/bin/firebell-notifier", &format!("={bin}/firebell-notifier"));
            fs::write(folder.path().join(path.file_name().context("no name")?), text)?;
        }
    }
    let there = folder.path().join(format!("{COLLECTOR}.d"));
    fs::create_dir(&there)?;
    for name in drop_ins {
        fs::copy(repository().join("systemd").join(format!("{COLLECTOR}.d")).join(name), there.join(name))?;
    }
    Ok(folder)
}

/// Is the collector's unit exposed to at most `tenths` of a point of ten, as systemd counts it?
fn is_within(drop_ins: &[&str], tenths: u32) -> Result<bool> {
    let folder = installed(drop_ins)?;
    let mut command = systemd_analyze()?;
    command.args(["security", "--offline=true", "--no-pager"]).arg(format!("--threshold={tenths}")).arg(folder.path().join(COLLECTOR));
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.contains("Overall exposure level"), "{output:?}");
    Ok(output.status.success())
}

#[test]
fn the_collector_is_exposed_to_less_than_a_point_of_ten_and_less_still_when_it_reads_the_journal() -> Result<()> {
    with_rigs("what systemd says of the unit", || {
        ensure!(is_within(&[], 9)?, "the unit is exposed to more than 0.9: systemd-analyze security --offline=true says by what");
        ensure!(is_within(&["journal.conf"], 3)?, "with journal.conf it is exposed to more than 0.3");
        ensure!(!is_within(&["read-root-only-logs.conf"], 7)?, "this guard cannot fail");
        Ok(())
    })
}

#[test]
fn the_document_names_every_crate_of_the_collector_and_no_other() -> Result<()> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--offline", "-p", "firebell-collector", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let tree = run(tree.args(["--target", "x86_64-unknown-linux-gnu"]).current_dir(repository()))?;
    let mut crates: Vec<_> = tree
        .lines()
        .filter(|line| !line.contains("(proc-macro)"))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    let document = fs::read_to_string(repository().join("docs/EXPOSURE.md"))?;
    let list = document.split("| crate |").nth(1).context("no list of crates")?;
    let mut named: Vec<_> = list.lines().skip(2).filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).collect();
    named.sort_unstable();
    named.dedup();
    ensure!(crates == named, "make exposure writes it anew\nthe collector: {crates:?}\nthe document: {named:?}");
    Ok(())
}

#[test]
fn systemd_has_nothing_to_say_against_our_units() -> Result<()> {
    with_rigs("units as systemd reads them", || {
        for drop_ins in [&[][..], &["journal.conf"], &["read-root-only-logs.conf"]] {
            let folder = installed(drop_ins)?;
            for (unit, whose) in
                [(COLLECTOR, "--system"), ("run-firebell-nf_log_all_netns.mount", "--system"), ("firebell-notifier.service", "--user")]
            {
                let mut command = systemd_analyze()?;
                command.args([whose, "--man=no", "verify"]).arg(folder.path().join(unit)).env("XDG_RUNTIME_DIR", folder.path());
                let output = command.output()?;
                // Of other units of this machine it may have to say what it wants.
                let said = String::from_utf8_lossy(&output.stderr);
                let ours: Vec<_> = said.lines().filter(|line| line.contains("firebell")).collect();
                ensure!(ours.is_empty(), "{unit} with {drop_ins:?}: {ours:?}");
            }
        }
        Ok(())
    })
}

#[test]
fn the_user_and_the_folders_of_the_packages_are_made_as_the_units_need_them() -> Result<()> {
    with_rigs("sysusers.d and tmpfiles.d", || {
        let root = tempfile::tempdir()?;
        let rooted = |program: &str, file: &str| -> Result<String> {
            let mut command = Command::new(program);
            command.arg(format!("--root={}", root.path().display()));
            if program == "systemd-tmpfiles" {
                command.arg("--create");
            }
            // Below the root, where both look for it.
            let to = root.path().join("made").join(file);
            fs::create_dir_all(to.parent().context("no folder")?)?;
            fs::copy(repository().join("systemd").join(file), &to)?;
            run(command.arg(&to)).map_err(|error| if is_there(program) { error } else { CannotRun(format!("no {program}")).into() })
        };
        fs::create_dir(root.path().join("etc"))?;
        rooted("systemd-sysusers", "firebell.sysusers")?;
        let users = fs::read_to_string(root.path().join("etc/passwd"))?;
        ensure!(users.lines().any(|line| line.starts_with("firebell:") && line.ends_with(":/nonexistent:/usr/sbin/nologin")), "{users}");
        rooted("systemd-tmpfiles", "firebell.tmpfiles")?;
        for (path, mode) in [("run/firebell", 0o755), ("run/firebell/nf_log_all_netns", 0o444), ("etc/firebell/rules.d", 0o755)] {
            let found = fs::metadata(root.path().join(path)).with_context(|| path.to_owned())?.permissions().mode() & 0o7777;
            ensure!(found == mode, "{path}: {found:o}");
        }
        Ok(())
    })
}

fn is_there(program: &str) -> bool {
    run(Command::new(program).arg("--version")).is_ok()
}

/// A service manager that listens.
struct Manager {
    _folder: tempfile::TempDir,
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn listen() -> Result<Self> {
        let folder = folder_for_all()?;
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path)?;
        // The collector is another user by the time it speaks.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
        socket.set_read_timeout(Some(SECONDS))?;
        Ok(Self { _folder: folder, socket, path })
    }

    fn heard(&self) -> Result<String> {
        let mut bytes = [0; 4096];
        let len = self.socket.recv(&mut bytes).context("the collector tells nothing")?;
        Ok(String::from_utf8_lossy(bytes.get(..len).unwrap_or_default()).into_owned())
    }

    /// Reads until there is a message that begins so.
    fn wait_for(&self, begin: &str) -> Result<String> {
        for _ in 0..100 {
            let message = self.heard()?;
            if message.starts_with(begin) {
                return Ok(message);
            }
        }
        anyhow::bail!("no {begin} among a hundred messages")
    }
}

fn collector_of(manager: &Manager, bus: &Bus, state: &Path, watchdog: Duration) -> Result<Program> {
    let file = repository().join("tests/corpus/dev/syn.kmsg.log");
    let mut command = collector_command("[bus]\nbroadcast = true\n", &["--replay", "-", "--vouch"])?;
    state_in(state, &mut command)?;
    command.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address()).env("NOTIFY_SOCKET", &manager.path);
    command.env("WATCHDOG_USEC", watchdog.as_micros().to_string()).stdin(Stdio::from(fs::File::open(file)?));
    Program::start("firebelld", &mut command)
}

#[test]
fn the_service_manager_hears_that_the_collector_is_ready_how_it_is_and_that_it_lives() -> Result<()> {
    with_rigs("talking to the service manager", || {
        let (mut bus, manager, folder) = (Bus::up(true)?, Manager::listen()?, folder_for_all()?);
        let collector = collector_of(&manager, &bus, folder.path(), Duration::from_secs(1))?;
        manager.wait_for("READY=1")?;
        // Ready means that it answers.
        let said = String::from_utf8_lossy(&bus.call("root", "Status", &[])?.stdout).into_owned();
        ensure!(!firebell_tests::bus::is_root() || said.contains("version"), "{said}");
        for _ in 0..3 {
            ensure!(manager.wait_for("WATCHDOG=1")? == "WATCHDOG=1");
        }
        // Also without the bus, and when that comes back it is not ready a second time.
        bus.stop()?;
        ensure!(manager.wait_for("WATCHDOG=1")? == "WATCHDOG=1");
        bus.start()?;
        collector.wait_for(SECONDS, |line| line.text.contains("on the system bus again"))?;
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(collector.pid())?).context("no pid")?,
            rustix::process::Signal::TERM,
        )?;
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| last != "STOPPING=1") {
            seen.push(manager.heard()?);
        }
        ensure!(!seen.iter().any(|message| message == "READY=1"), "{seen:?}");
        Ok(())
    })
}

#[test]
fn the_line_of_status_says_what_is_read_and_how_well() -> Result<()> {
    with_rigs("the line of status", || {
        let (bus, manager, folder) = (Bus::up(true)?, Manager::listen()?, folder_for_all()?);
        let _collector = collector_of(&manager, &bus, folder.path(), Duration::from_secs(60))?;
        let status = manager.wait_for("STATUS=")?;
        ensure!(status.starts_with("STATUS=ok; reading standard input: ") && status.ends_with(" alerts"), "{status}");
        Ok(())
    })
}

#[test]
fn how_much_is_said_is_changed_while_it_runs_by_who_may_and_by_nobody_else() -> Result<()> {
    with_rigs("the level of the log", || {
        firebell_tests::bus::need_root()?;
        let bus = Bus::up(true)?;
        let collector = bus.collector("", &["--replay", "-", "--vouch"], Stdio::null())?;
        let busctl = |user: &str, arguments: &[&str]| -> Result<std::process::Output> {
            let mut command = firebell_tests::program::as_user(user, Path::new("busctl"))?;
            command.arg(format!("--address={}", bus.address())).args(arguments.iter().take(1));
            command.args(["org.firebell.Collector1", "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"]);
            Ok(command.args(arguments.iter().skip(1)).output()?)
        };
        let level =
            || Ok::<_, anyhow::Error>(String::from_utf8_lossy(&busctl("root", &["get-property", "LogLevel"])?.stdout).trim().to_owned());
        ensure!(level()? == "s \"info\"", "{}", level()?);
        let refused = busctl("games", &["set-property", "LogLevel", "s", "debug"])?;
        ensure!(!refused.status.success() && level()? == "s \"info\"", "{refused:?}");
        let wrong = busctl("root", &["set-property", "LogLevel", "s", "loud"])?;
        ensure!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("emerg"), "{wrong:?}");
        let set = busctl("root", &["set-property", "LogLevel", "s", "err"])?;
        ensure!(set.status.success() && level()? == "s \"err\"", "{set:?}");
        let set = busctl("root", &["set-property", "LogLevel", "s", "debug"])?;
        ensure!(set.status.success() && level()? == "s \"debug\"", "{set:?}");
        let pid = rustix::process::Pid::from_raw(i32::try_from(collector.pid())?).context("no pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::HUP)?;
        collector.wait_for(SECONDS, |line| line.text.contains("reloaded"))?;
        let other = busctl("root", &["set-property", "LogTarget", "s", "syslog"])?;
        ensure!(!other.status.success(), "{other:?}");
        Ok(())
    })
}

#[test]
fn a_collector_whose_loop_stands_still_feeds_no_watchdog() -> Result<()> {
    with_rigs("a loop that stands still", || {
        let (bus, manager, folder) = (Bus::up(true)?, Manager::listen()?, folder_for_all()?);
        let collector = collector_of(&manager, &bus, folder.path(), Duration::from_millis(300))?;
        manager.wait_for("WATCHDOG=1")?;
        let pid = rustix::process::Pid::from_raw(i32::try_from(collector.pid())?).context("no pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::STOP)?;
        manager.socket.set_nonblocking(true)?;
        // What it had sent before is read; then nothing comes.
        wait_until("silence", SECONDS, || Ok(manager.heard().is_err()))?;
        manager.socket.set_nonblocking(false)?;
        manager.socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        ensure!(manager.heard().is_err(), "it is fed by something else than the process");
        rustix::process::kill_process(pid, rustix::process::Signal::CONT)?;
        manager.socket.set_read_timeout(Some(SECONDS))?;
        ensure!(manager.wait_for("WATCHDOG=1").is_ok());
        Ok(())
    })
}
