//! When the agent keeps still: quiet hours, do-not-disturb, a locked screen, and what it tells afterwards.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, severity::Severity};
use firebell_tests::{
    fake_collector::{later, scan},
    private_bus::{PrivateBus, until, wait},
    rig::{CannotRun, with_rigs},
    session::{NOTHING, SOON, Session, says},
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
};
use zbus::{Connection, fdo, wire::Variant};

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
        let (session, collector, server) = Session::attended()?;
        let screen = Screen::new(&session.bus, true)?;
        let agent = session.listening()?;
        agent.wait_for(SOON, says("popups wait now"))?;
        for n in 1..=3 {
            let first = scan(n, 10 * n);
            collector.tell(&first)?;
            collector.tell(&later(&first, 10 * n + 1, Phase::Closed, Severity::AIMED))?;
        }
        collector.tell(&scan(4, 50))?;
        thread::sleep(NOTHING);
        ensure!(server.calls().is_empty(), "{:#?}", server.calls());
        let status = session.status()?;
        ensure!(status["quiet"] == serde_json::json!(["locked"]) && status["incidents_waiting"] == 4, "{status:#}");
        // What is as bad as can be comes all the same, and says to a stranger no more than it has to.
        let mut worst = scan(5, 60);
        worst.severity = Severity::CRITICAL;
        collector.tell(&worst)?;
        let popup = server.call(1)?;
        ensure!(popup.summary == "Port scan" && !format!("{popup:?}").contains("198.51"), "{popup:?}");
        screen.lock(false)?;
        server.shows(&["Port scan from 198.51.100.5", "Port scan from 198.51.100.4", "While you were away: 3 scans from 3 addresses"])?;
        agent.wait_for(SOON, says("popups come now"))?;
        // A saver that ends took the lock along.
        screen.lock(true)?;
        until(SOON, || (session.status().ok()?["quiet"] == serde_json::json!(["locked"])).then_some(()))?;
        drop(screen);
        until(SOON, || (session.status().ok()?["quiet"] == serde_json::json!([])).then_some(())).context("it is still taken for locked")
    })
}

#[test]
fn what_waits_when_the_agent_ends_is_told_by_the_next_one() -> Result<()> {
    with_rigs("quiet: restart", || {
        let (session, collector, server) = Session::attended()?;
        let screen = Screen::new(&session.bus, false)?;
        let agent = session.listening()?;
        collector.tell(&scan(9, 1))?;
        server.call(1)?;
        screen.lock(true)?;
        agent.wait_for(SOON, says("popups wait now"))?;
        let first = scan(1, 2);
        collector.tell(&first)?;
        collector.tell(&later(&first, 3, Phase::Closed, Severity::AIMED))?;
        collector.tell(&scan(2, 4))?;
        until(SOON, || (collector.acknowledged() == 4).then_some(()))?;
        agent.stop()?;
        let _agent = session.listening()?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 1, "{:#?}", server.calls());
        screen.lock(false)?;
        server.shows(&["Port scan from 198.51.100.9", "Port scan from 198.51.100.2", "While you were away: 1 scan from 1 address"])
    })
}

#[test]
fn quiet_hours_hold_popups_and_end_with_them() -> Result<()> {
    with_rigs("quiet: hours", || {
        let (session, collector, server) = Session::attended()?;
        session.configure("quiet-hours = [\"00:00-24:00\"]\nquiet-from-severity = 4\n")?;
        let agent = session.listening()?;
        collector.tell(&scan(1, 1))?;
        let mut broad = scan(2, 2);
        broad.severity = Severity::BROAD;
        collector.tell(&broad)?;
        ensure!(server.call(1)?.summary == "Port scan from 198.51.100.2");
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 1, "{:#?}", server.calls());
        ensure!(session.status()?["quiet"] == serde_json::json!(["hours"]));
        session.configure("quiet-hours = []\n")?;
        ensure!(Command::new("kill").args(["-HUP", &agent.pid().to_string()]).status()?.success());
        ensure!(server.call(2)?.summary == "Port scan from 198.51.100.1");
        Ok(())
    })
}

/// A library that gives a program another clock on the wall.
fn faketime() -> Result<String> {
    let folders = fs::read_dir("/usr/lib")?.filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketime.so.1")));
    let library = folders.into_iter().find(|path| path.exists());
    Ok(library.ok_or_else(|| CannotRun("no libfaketime (Debian: faketime)".to_owned()))?.display().to_string())
}

#[test]
fn when_the_clock_has_jumped_the_quiet_hours_go_by_what_it_shows() -> Result<()> {
    with_rigs("quiet: the clock jumps", || {
        let (session, collector, server) = Session::attended()?;
        session.configure("quiet-hours = [\"22:00-07:00\"]\n")?;
        let screen = Screen::new(&session.bus, false)?;
        let (library, clock) = (faketime()?, session.path("clock").display().to_string());
        fs::write(&clock, "2026-11-26 21:59:00\n")?;
        let agent = session.listening_with(
            &[],
            &[
                ("LD_PRELOAD", &library),
                ("FAKETIME_TIMESTAMP_FILE", &clock),
                ("FAKETIME_NO_CACHE", "1"),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ],
        )?;
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        // Into the night, over it, and back into it: as a sleeping machine and somebody who sets the clock make it. That it is another
        // time is said here by the screen saver; the kernel does it for a clock that is really set.
        for (time, is_night, popups) in
            [("26 22:30:00", true, 1), ("27 07:00:00", false, 2), ("26 23:00:00", true, 2), ("29 12:00:00", false, 3)]
        {
            fs::write(&clock, format!("2026-11-{time}\n"))?;
            screen.lock(true)?;
            screen.lock(false)?;
            let reasons = if is_night { serde_json::json!(["hours"]) } else { serde_json::json!([]) };
            until(SOON, || (session.status().ok()?["quiet"] == reasons).then_some(()))
                .with_context(|| format!("{time}: {:?}", agent.lines()))?;
            if is_night {
                let n = popups as u64 + 1;
                collector.tell(&scan(n, n))?;
                thread::sleep(NOTHING);
            }
            until(SOON, || (server.calls().len() == popups).then_some(())).with_context(|| format!("{time}: {:#?}", server.calls()))?;
        }
        Ok(())
    })
}

#[test]
fn the_servers_do_not_disturb_is_obeyed_unless_the_user_says_otherwise() -> Result<()> {
    with_rigs("quiet: do not disturb", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        // It answers when it hears the desktop, which may be a moment after it hears the collector.
        session.status()?;
        let changed = |interface: &'static str, property: &'static str, value: Variant<'static>| -> Result<()> {
            let body = (interface, HashMap::from([(property, value)]), Vec::<String>::new());
            Ok(wait(server.say("org.freedesktop.DBus.Properties", "PropertiesChanged", &body))?)
        };
        for (n, (interface, property)) in
            (1_u8..).zip([("org.freedesktop.Notifications", "Inhibited"), ("org.dunstproject.cmd0", "paused")])
        {
            changed(interface, property, true.into())?;
            until(SOON, || (session.status().ok()?["quiet"] == serde_json::json!(["do-not-disturb"])).then_some(()))?;
            // What is no truth value changes nothing.
            changed(interface, property, "no".into())?;
            collector.tell(&scan(n.into(), n.into()))?;
            thread::sleep(NOTHING);
            ensure!(server.calls().len() + 1 == usize::from(n), "{:#?}", server.calls());
            changed(interface, property, false.into())?;
            server.call(usize::from(n))?;
        }
        session.configure("do-not-disturb = false\n")?;
        ensure!(Command::new("kill").args(["-HUP", &agent.pid().to_string()]).status()?.success());
        agent.wait_for(SOON, says("reloaded: "))?;
        changed("org.freedesktop.Notifications", "Inhibited", true.into())?;
        collector.tell(&scan(9, 9))?;
        server.call(3)?;
        Ok(())
    })
}

#[test]
fn ten_thousand_alerts_in_a_night_take_little_memory_and_become_few_popups() -> Result<()> {
    with_rigs("quiet: ten thousand", || {
        let (session, collector, server) = Session::attended()?;
        let screen = Screen::new(&session.bus, true)?;
        let agent = session.listening()?;
        agent.wait_for(SOON, says("popups wait now"))?;
        collector.tell_many(10_000)?;
        until(SOON, || (session.status().ok()?["incidents_waiting"] == 10_000).then_some(())).context("not all of them wait")?;
        let memory = agent.own_memory()?;
        ensure!(memory < 8 * 1024, "{memory} KiB");
        screen.lock(false)?;
        until(SOON, || server.titles().iter().any(|title| title.starts_with("While you were away: 9,744 scans")).then_some(()))
            .with_context(|| format!("{:?}", server.titles()))?;
        ensure!(server.titles().len() <= 7, "{:?}", server.titles());
        Ok(())
    })
}

/// What logind tells of users and sessions.
struct Login;
struct User;
struct LoginSession(bool);

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
impl LoginSession {
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
        let (session, collector, server) = Session::attended()?;
        session.configure("when-locked = \"hide-addresses\"\n")?;
        let builder = zbus::connection::Builder::address(session.system.address().as_str())
            .serve_at("/org/freedesktop/login1", Login)
            .serve_at("/org/freedesktop/login1/user/_1", User)
            .serve_at("/org/freedesktop/login1/session/c1", LoginSession(true))
            .name("org.freedesktop.login1");
        let connection = wait(builder.build())?;
        let _agent = session.listening()?;
        until(SOON, || (session.status().ok()?["quiet"] == serde_json::json!(["locked"])).then_some(()))?;
        collector.tell(&scan(1, 1))?;
        ensure!(server.call(1)?.summary == "Port scan");
        wait(async {
            let login = connection.object_server().interface::<_, LoginSession>("/org/freedesktop/login1/session/c1").await?;
            login.get_mut().await.0 = false;
            login.get().await.locked_hint_changed(login.signal_emitter()).await
        })?;
        server.shows(&["Port scan from 198.51.100.1"])
    })
}
