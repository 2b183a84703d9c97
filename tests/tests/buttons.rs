//! Buttons of popups: what a click does, and what it cannot be made to do.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, severity::Severity};
use firebell_tests::{
    fake_collector::{FakeCollector, later, scan},
    fake_server::{FakeServer, Shown},
    private_bus::{PrivateBus, until},
    program::{Line, Program, built, write_program},
    rig::with_rigs,
};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command, thread, time::Duration};

const SOON: Duration = Duration::from_secs(5);
/// So long we wait to see that nothing happens. Everything here takes milliseconds.
const NOTHING: Duration = Duration::from_millis(700);

/// Two buses, a server with buttons, a collector, and a home with a browser that writes down what it was opened with.
struct Stage {
    system: PrivateBus,
    session: PrivateBus,
    home: tempfile::TempDir,
    collector: FakeCollector,
    server: FakeServer,
}

impl Stage {
    fn new() -> Result<Self> {
        let (system, session) = (PrivateBus::start()?, PrivateBus::start()?);
        let collector = FakeCollector::start(&system.address(), "a")?;
        let server = FakeServer::start(&session, true, 0)?;
        server.draw_actions();
        let stage = Self { system, session, home: tempfile::tempdir()?, collector, server };
        fs::create_dir(stage.path("bin"))?;
        fs::create_dir(stage.path("run"))?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A program of the user's.
    fn program(&self, name: &str, script: &str) -> Result<()> {
        write_program(&self.path("bin").join(name), &format!("#!/bin/sh\ncd {}\n{script}\n", self.home.path().display()))
    }

    fn listening(&self) -> Result<Program> {
        let mut command = Command::new(built()?.join("firebell-notifier"));
        command.env_clear().env("HOME", self.home.path()).env("PATH", format!("{}:/bin", self.path("bin").display()));
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("XDG_ACTIVATION_TOKEN", "of-somebody-else");
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.system.address()).env("DBUS_SESSION_BUS_ADDRESS", self.session.address());
        let agent = Program::start("firebell-notifier", &mut command)?;
        agent.wait_for(SOON, |line: &Line| line.text.contains("listening to the collector"))?;
        Ok(agent)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

fn keys(popup: &Shown) -> Vec<&str> {
    popup.actions.iter().map(|(key, _)| key.as_str()).collect()
}

const NOTE: &str = "echo \"$# $1|$XDG_ACTIVATION_TOKEN|$DESKTOP_STARTUP_ID\" >>opened.new; cat opened.new >opened";

#[test]
fn details_opens_a_page_of_the_incident_in_the_browser() -> Result<()> {
    with_rigs("buttons: details", || {
        let stage = Stage::new()?;
        stage.program("xdg-open", NOTE)?;
        let agent = stage.listening()?;
        let mut alert = scan(66, 1);
        alert.details.advice = "<script>alert(1)</script>".to_owned();
        stage.collector.tell(&alert)?;
        let popup = stage.server.call(1)?;
        ensure!(keys(&popup) == ["details", "mute", "default"], "{popup:?}");
        ensure!(popup.actions[0].1 == "Details" && popup.actions[2].1.is_empty(), "{popup:?}");
        stage.server.click(popup.id, "details", Some("token-7"))?;
        let file = stage.path("run/firebell").join(format!("incident-{}.html", alert.id));
        let opened = until(SOON, || Some(stage.read("opened")).filter(|said| !said.is_empty())).context("nothing was opened")?;
        ensure!(opened == format!("1 {}|token-7|token-7\n", file.display()), "{opened}");
        let page = fs::read_to_string(&file)?;
        ensure!(
            page.contains("<h1>") && page.contains("198.51.100.66") && page.contains("&lt;script&gt;") && !page.contains("<script"),
            "{page}"
        );
        ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);
        // A click beside the buttons does the same, without a token; what is clicked elsewhere does nothing.
        stage.server.click(popup.id, "default", None)?;
        until(SOON, || (stage.read("opened").lines().count() == 2).then_some(())).context("not opened again")?;
        ensure!(stage.read("opened").ends_with("||\n"), "{}", stage.read("opened"));
        for (id, key) in [(popup.id, "undo"), (popup.id, "Details; reboot"), (popup.id + 1, "details"), (0, "default")] {
            stage.server.click(id, key, Some("x"))?;
        }
        stage.server.say_nonsense()?;
        thread::sleep(NOTHING);
        ensure!(stage.read("opened").lines().count() == 2 && stage.server.calls().len() == 1, "{:?}", stage.server.calls());
        let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).ok();
        until(SOON, || children()?.is_empty().then_some(())).with_context(|| format!("left: {:?}", children()))
    })
}

#[test]
fn a_browser_that_stays_is_neither_waited_for_nor_ended() -> Result<()> {
    with_rigs("buttons: a browser that stays", || {
        let stage = Stage::new()?;
        stage.program("xdg-open", "echo $$ >browser; exec sleep 60")?;
        let agent = stage.listening()?;
        stage.collector.tell(&scan(1, 1))?;
        stage.server.click(stage.server.call(1)?.id, "details", None)?;
        let browser: u32 = until(SOON, || stage.read("browser").trim().parse().ok()).context("nothing was opened")?;
        stage.collector.tell(&scan(2, 2))?;
        stage.server.call(2)?;
        ensure!(agent.stop()?.0.success());
        let cmdline = fs::read_to_string(format!("/proc/{browser}/cmdline"));
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(browser)?).context("no pid")?,
            rustix::process::Signal::KILL,
        )?;
        ensure!(cmdline.is_ok_and(|line| line.starts_with("sleep")), "the browser ended with the agent");
        Ok(())
    })
}

#[test]
fn where_nothing_opens_a_page_the_popup_says_what_to_type() -> Result<()> {
    with_rigs("buttons: no browser", || {
        let stage = Stage::new()?;
        stage.program("xdg-open", "exit 3")?;
        stage.program("gio", "exit 2")?;
        let agent = stage.listening()?;
        let alert = scan(1, 1);
        stage.collector.tell(&alert)?;
        stage.server.click(stage.server.call(1)?.id, "details", None)?;
        let said = stage.server.call(2)?;
        ensure!(said.body.contains(&format!("firebell show {} tells the same", alert.id)) && said.actions.is_empty(), "{said:?}");
        agent.wait_for(SOON, |line| line.text.contains("cannot show incident"))?;
        // The collector has forgotten it, or does not know us.
        stage.collector.tell(&scan(2, 2))?;
        let popup = stage.server.call(3)?;
        stage.collector.refuse(true);
        stage.server.click(popup.id, "details", None)?;
        stage.server.call(4)?;
        Ok(())
    })
}

#[test]
fn mute_and_trust_say_how_to_undo_them_and_undo_does() -> Result<()> {
    with_rigs("buttons: mute and trust", || {
        let stage = Stage::new()?;
        let _agent = stage.listening()?;
        let mut near = scan(7, 1);
        near.source = "192.168.1.7".to_owned();
        stage.collector.tell(&near)?;
        let popup = stage.server.call(1)?;
        ensure!(keys(&popup) == ["details", "mute", "trust", "default"], "{popup:?}");
        stage.server.click(popup.id, "mute", None)?;
        let said = stage.server.call(2)?;
        ensure!(said.body.contains("192.168.1.7 is muted") && said.body.contains("firebell notify unmute 192.168.1.7"), "{said:?}");
        ensure!(keys(&said) == ["undo"] && said.timeout == -1, "{said:?}");
        // It goes on, no worse than before: nothing is heard of it. Then it is undone, and it is heard of again.
        let mut again = later(&near, 2, Phase::Updated, Severity::AIMED);
        again.details.contacts *= 20;
        stage.collector.tell(&again)?;
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().len() == 2, "{:?}", stage.server.calls());
        stage.server.click(said.id, "undo", None)?;
        let undone = stage.server.call(3)?;
        ensure!(undone.body.contains("no longer muted") && undone.actions.is_empty(), "{undone:?}");
        let mut next = scan(8, 3);
        next.source = "192.168.1.7".to_owned();
        stage.collector.tell(&next)?;
        let popup = stage.server.call(4)?;
        stage.server.click(popup.id, "trust", None)?;
        let said = stage.server.call(5)?;
        ensure!(said.body.contains("firebell notify untrust 192.168.1.7") && keys(&said) == ["undo"], "{said:?}");
        ensure!(stage.read(".local/state/firebell/notifier-mutes").contains("trusted 192.168.1.7 "));
        stage.server.click(said.id, "undo", None)?;
        ensure!(stage.server.call(6)?.body.contains("no longer trusted"));
        ensure!(!stage.read(".local/state/firebell/notifier-mutes").contains("192.168.1.7"));
        Ok(())
    })
}

#[test]
fn a_server_that_restarts_has_no_old_buttons() -> Result<()> {
    with_rigs("buttons: server restarts", || {
        let stage = Stage::new()?;
        stage.program("xdg-open", NOTE)?;
        let _agent = stage.listening()?;
        stage.collector.tell(&scan(1, 1))?;
        let popup = stage.server.call(1)?;
        stage.server.leave()?;
        let server = FakeServer::start(&stage.session, true, 0)?;
        thread::sleep(NOTHING);
        // Another program's popup has that id now.
        server.click(popup.id, "details", None)?;
        stage.collector.tell(&scan(2, 2))?;
        let popup = server.call(1)?;
        ensure!(popup.actions.is_empty(), "this one has no buttons: {popup:?}");
        thread::sleep(NOTHING);
        ensure!(stage.read("opened").is_empty(), "{}", stage.read("opened"));
        Ok(())
    })
}

#[test]
fn xfce_gets_no_button_for_a_click_beside_the_buttons() -> Result<()> {
    with_rigs("buttons: Xfce", || {
        let stage = Stage::new()?;
        stage.server.set_name("Xfce Notify Daemon");
        let _agent = stage.listening()?;
        stage.collector.tell(&scan(1, 1))?;
        ensure!(keys(&stage.server.call(1)?) == ["details", "mute"]);
        Ok(())
    })
}
