//! When the agent keeps still: quiet hours, do-not-disturb, a locked screen, and what it tells afterwards.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, severity::Severity};
use firebell_tests::{
    fake_collector::{FakeCollector, later, scan},
    fake_server::FakeServer,
    private_bus::{PrivateBus, until, wait},
    program::{Line, Program, built},
    rig::with_rigs,
};
use std::{
    collections::HashMap,
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use zbus::{Connection, fdo, wire::Variant};

const SOON: Duration = Duration::from_secs(5);
/// So long we wait to see that nothing happens. Everything here takes milliseconds.
const NOTHING: Duration = Duration::from_millis(700);

struct Stage {
    system: PrivateBus,
    session: PrivateBus,
    home: tempfile::TempDir,
    collector: FakeCollector,
    server: FakeServer,
}

impl Stage {
    fn new(config: &str) -> Result<Self> {
        let (system, session) = (PrivateBus::start()?, PrivateBus::start()?);
        let collector = FakeCollector::start(&system.address(), "a")?;
        let server = FakeServer::start(&session, true, 0)?;
        let stage = Self { system, session, home: tempfile::tempdir()?, collector, server };
        stage.configure(config)?;
        Ok(stage)
    }

    fn configure(&self, config: &str) -> Result<()> {
        let folder = self.home.path().join(".config/firebell");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("notifier.toml"), config)?)
    }

    fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(built()?.join(program));
        command.env_clear().env("HOME", self.home.path()).env("TZ", "UTC");
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.system.address()).env("DBUS_SESSION_BUS_ADDRESS", self.session.address());
        Ok(command)
    }

    fn listening(&self) -> Result<Program> {
        let agent = Program::start("firebell-notifier", &mut self.command("firebell-notifier")?)?;
        agent.wait_for(SOON, |line| line.text.contains("listening to the collector"))?;
        Ok(agent)
    }

    /// `firebell notify status -o json`.
    fn status(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.command("firebell")?.args(["notify", "status", "-o", "json"]).output()?.stdout)?)
    }

    fn titles(&self) -> Vec<String> {
        self.server.screen().into_iter().map(|popup| popup.summary).collect()
    }

    fn waits_for(&self, titles: &[&str]) -> Result<()> {
        until(SOON, || (self.titles() == titles).then_some(())).with_context(|| format!("{titles:?} instead of {:?}", self.titles()))
    }
}

fn says(words: &'static str) -> impl Fn(&Line) -> bool {
    move |line| line.text.contains(words)
}

/// A screen saver as GNOME's and KDE's say it.
struct Saver(Arc<AtomicBool>);

#[zbus::interface(name = "org.freedesktop.ScreenSaver")]
impl Saver {
    fn get_active(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A locked or unlocked screen on this bus.
struct Screen {
    connection: Connection,
    is_locked: Arc<AtomicBool>,
}

impl Screen {
    fn new(bus: &PrivateBus, is_locked: bool) -> Result<Self> {
        let is_locked = Arc::new(AtomicBool::new(is_locked));
        let saver = Saver(Arc::clone(&is_locked));
        let builder = zbus::connection::Builder::address(bus.address().as_str());
        let connection = wait(builder.serve_at("/org/freedesktop/ScreenSaver", saver).name("org.freedesktop.ScreenSaver").build())?;
        Ok(Self { connection, is_locked })
    }

    fn lock(&self, is_locked: bool) -> Result<()> {
        self.is_locked.store(is_locked, Ordering::Relaxed);
        let name = "org.freedesktop.ScreenSaver";
        wait(self.connection.emit_signal(None::<&str>, "/org/freedesktop/ScreenSaver", name, "ActiveChanged", &is_locked))?;
        Ok(())
    }
}

#[test]
fn behind_a_locked_screen_popups_wait_and_one_tells_what_is_over() -> Result<()> {
    with_rigs("quiet: locked", || {
        let stage = Stage::new("")?;
        let screen = Screen::new(&stage.session, true)?;
        let agent = stage.listening()?;
        agent.wait_for(SOON, says("popups wait now"))?;
        for n in 1..=3 {
            let first = scan(n, 10 * n);
            stage.collector.tell(&first)?;
            stage.collector.tell(&later(&first, 10 * n + 1, Phase::Closed, Severity::AIMED))?;
        }
        stage.collector.tell(&scan(4, 50))?;
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().is_empty(), "{:#?}", stage.server.calls());
        let status = stage.status()?;
        ensure!(status["quiet"] == serde_json::json!(["locked"]) && status["incidents_waiting"] == 4, "{status:#}");
        // What is as bad as can be comes all the same, and says to a stranger no more than it has to.
        let mut worst = scan(5, 60);
        worst.severity = Severity::CRITICAL;
        stage.collector.tell(&worst)?;
        let popup = stage.server.call(1)?;
        ensure!(popup.summary == "Port scan" && !format!("{popup:?}").contains("198.51"), "{popup:?}");
        screen.lock(false)?;
        stage.waits_for(&[
            "Port scan from 198.51.100.5",
            "Port scan from 198.51.100.4",
            "While you were away: 3 scans from 3 addresses",
        ])?;
        agent.wait_for(SOON, says("popups come now"))?;
        // A saver that ends took the lock along.
        screen.lock(true)?;
        until(SOON, || (stage.status().ok()?["quiet"] == serde_json::json!(["locked"])).then_some(()))?;
        drop(screen);
        until(SOON, || (stage.status().ok()?["quiet"] == serde_json::json!([])).then_some(())).context("it is still taken for locked")
    })
}

#[test]
fn what_waits_when_the_agent_ends_is_told_by_the_next_one() -> Result<()> {
    with_rigs("quiet: restart", || {
        let stage = Stage::new("")?;
        let screen = Screen::new(&stage.session, false)?;
        let agent = stage.listening()?;
        stage.collector.tell(&scan(9, 1))?;
        stage.server.call(1)?;
        screen.lock(true)?;
        agent.wait_for(SOON, says("popups wait now"))?;
        let first = scan(1, 2);
        stage.collector.tell(&first)?;
        stage.collector.tell(&later(&first, 3, Phase::Closed, Severity::AIMED))?;
        stage.collector.tell(&scan(2, 4))?;
        until(SOON, || (stage.collector.acknowledged() == 4).then_some(()))?;
        agent.stop()?;
        let _agent = stage.listening()?;
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().len() == 1, "{:#?}", stage.server.calls());
        screen.lock(false)?;
        stage.waits_for(&["Port scan from 198.51.100.9", "Port scan from 198.51.100.2", "While you were away: 1 scan from 1 address"])
    })
}

#[test]
fn quiet_hours_hold_popups_and_end_with_them() -> Result<()> {
    with_rigs("quiet: hours", || {
        let stage = Stage::new("quiet-hours = [\"00:00-24:00\"]\nquiet-from-severity = 4\n")?;
        let agent = stage.listening()?;
        stage.collector.tell(&scan(1, 1))?;
        let mut broad = scan(2, 2);
        broad.severity = Severity::BROAD;
        stage.collector.tell(&broad)?;
        ensure!(stage.server.call(1)?.summary == "Port scan from 198.51.100.2");
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().len() == 1, "{:#?}", stage.server.calls());
        ensure!(stage.status()?["quiet"] == serde_json::json!(["hours"]));
        stage.configure("quiet-hours = []\n")?;
        ensure!(Command::new("kill").args(["-HUP", &agent.pid().to_string()]).status()?.success());
        ensure!(stage.server.call(2)?.summary == "Port scan from 198.51.100.1");
        Ok(())
    })
}

#[test]
fn the_servers_do_not_disturb_is_obeyed_unless_the_user_says_otherwise() -> Result<()> {
    with_rigs("quiet: do not disturb", || {
        let stage = Stage::new("")?;
        let agent = stage.listening()?;
        // It answers when it hears the desktop, which may be a moment after it hears the collector.
        stage.status()?;
        let changed = |interface: &'static str, property: &'static str, value: Variant<'static>| -> Result<()> {
            let body = (interface, HashMap::from([(property, value)]), Vec::<String>::new());
            Ok(wait(stage.server.say("org.freedesktop.DBus.Properties", "PropertiesChanged", &body))?)
        };
        for (n, (interface, property)) in
            (1_u8..).zip([("org.freedesktop.Notifications", "Inhibited"), ("org.dunstproject.cmd0", "paused")])
        {
            changed(interface, property, true.into())?;
            until(SOON, || (stage.status().ok()?["quiet"] == serde_json::json!(["do-not-disturb"])).then_some(()))?;
            // What is no truth value changes nothing.
            changed(interface, property, "no".into())?;
            stage.collector.tell(&scan(n.into(), n.into()))?;
            thread::sleep(NOTHING);
            ensure!(stage.server.calls().len() + 1 == usize::from(n), "{:#?}", stage.server.calls());
            changed(interface, property, false.into())?;
            stage.server.call(usize::from(n))?;
        }
        stage.configure("do-not-disturb = false\n")?;
        ensure!(Command::new("kill").args(["-HUP", &agent.pid().to_string()]).status()?.success());
        agent.wait_for(SOON, says("reloaded: "))?;
        changed("org.freedesktop.Notifications", "Inhibited", true.into())?;
        stage.collector.tell(&scan(9, 9))?;
        stage.server.call(3)?;
        Ok(())
    })
}

#[test]
fn ten_thousand_alerts_in_a_night_take_little_memory_and_become_few_popups() -> Result<()> {
    with_rigs("quiet: ten thousand", || {
        let stage = Stage::new("")?;
        let screen = Screen::new(&stage.session, true)?;
        let agent = stage.listening()?;
        agent.wait_for(SOON, says("popups wait now"))?;
        for n in 1..=10_000 {
            let mut alert = scan(n, n);
            alert.source = format!("10.0.{}.{}", n / 250, n % 250);
            stage.collector.tell(&alert)?;
            if n % 32 == 0 {
                // As fast as they are taken.
                until(Duration::from_secs(30), || (stage.collector.acknowledged() + 32 >= n).then_some(()))?;
            }
        }
        until(Duration::from_secs(30), || (stage.collector.acknowledged() == 10_000).then_some(()))?;
        until(SOON, || (stage.status().ok()?["incidents_waiting"] == 10_000).then_some(())).context("not all of them wait")?;
        let memory = agent.own_memory()?;
        ensure!(memory < 8 * 1024, "{memory} KiB");
        screen.lock(false)?;
        until(SOON, || stage.titles().iter().any(|title| title.starts_with("While you were away: 9,744 scans")).then_some(()))
            .with_context(|| format!("{:?}", stage.titles()))?;
        ensure!(stage.titles().len() <= 7, "{:?}", stage.titles());
        Ok(())
    })
}

/// What logind tells of users and sessions.
struct Login;
struct User;
struct Session(bool);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Login {
    fn get_user(&self, _uid: u32) -> fdo::Result<zbus::wire::OwnedObjectPath> {
        path("/org/freedesktop/login1/user/_1")
    }
}

#[zbus::interface(name = "org.freedesktop.login1.User")]
impl User {
    #[zbus(property)]
    fn display(&self) -> fdo::Result<(String, zbus::wire::OwnedObjectPath)> {
        Ok(("c1".to_owned(), path("/org/freedesktop/login1/session/c1")?))
    }
}

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.0
    }
}

fn path(path: &'static str) -> fdo::Result<zbus::wire::OwnedObjectPath> {
    path.try_into().map_err(|_| fdo::Error::Failed("no path".to_owned()))
}

#[test]
fn the_locked_hint_of_the_users_session_at_logind_counts() -> Result<()> {
    with_rigs("quiet: logind", || {
        let stage = Stage::new("when-locked = \"hide-addresses\"\n")?;
        let builder = zbus::connection::Builder::address(stage.system.address().as_str())
            .serve_at("/org/freedesktop/login1", Login)
            .serve_at("/org/freedesktop/login1/user/_1", User)
            .serve_at("/org/freedesktop/login1/session/c1", Session(true))
            .name("org.freedesktop.login1");
        let connection = wait(builder.build())?;
        let _agent = stage.listening()?;
        until(SOON, || (stage.status().ok()?["quiet"] == serde_json::json!(["locked"])).then_some(()))?;
        stage.collector.tell(&scan(1, 1))?;
        ensure!(stage.server.call(1)?.summary == "Port scan");
        wait(async {
            let session = connection.object_server().interface::<_, Session>("/org/freedesktop/login1/session/c1").await?;
            session.get_mut().await.0 = false;
            session.get().await.locked_hint_changed(session.signal_emitter()).await
        })?;
        stage.waits_for(&["Port scan from 198.51.100.1"])
    })
}
