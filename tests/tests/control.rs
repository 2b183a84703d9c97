//! `org.firebell.Notifier1` and `firebell notify`: what the person at the desk asks of the agent.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, client::NotifierProxy, kind::KINDS, names, severity::Severity};
use firebell_tests::{
    fake_collector::{FakeCollector, later, scan},
    fake_server::{FakeServer, Mood},
    private_bus::{PrivateBus, until, wait},
    program::{Program, built, repository},
    rig::with_rigs,
};
use std::{
    fs,
    process::{Command, Output},
    thread,
    time::Duration,
};

const SOON: Duration = Duration::from_secs(5);
/// So long we wait to see that nothing happens. Everything here takes milliseconds.
const NOTHING: Duration = Duration::from_millis(700);

/// Two private buses, a collector, a notification server and an agent that listens.
struct Stage {
    system: PrivateBus,
    session: PrivateBus,
    home: tempfile::TempDir,
    collector: FakeCollector,
    server: FakeServer,
    agent: Option<Program>,
}

impl Stage {
    fn new() -> Result<Self> {
        let (system, session) = (PrivateBus::start()?, PrivateBus::start()?);
        let collector = FakeCollector::start(&system.address(), "a")?;
        let server = FakeServer::start(&session, true, 0)?;
        let mut stage = Self { system, session, home: tempfile::tempdir()?, collector, server, agent: None };
        stage.start()?;
        Ok(stage)
    }

    /// Starts the agent, after ending the one before it.
    fn start(&mut self) -> Result<()> {
        if let Some(agent) = self.agent.take() {
            agent.stop()?;
        }
        let agent = Program::start("firebell-notifier", &mut self.command("firebell-notifier")?)?;
        agent.wait_for(SOON, |line| line.text.contains("listening to the collector"))?;
        self.agent = Some(agent);
        Ok(())
    }

    fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(built()?.join(program));
        command.env_clear().env("HOME", self.home.path());
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.system.address()).env("DBUS_SESSION_BUS_ADDRESS", self.session.address());
        Ok(command)
    }

    /// `firebell notify`.
    fn notify(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command("firebell")?.arg("notify").args(arguments).output()?)
    }

    /// The same, which has to go well; gives what it prints.
    fn says(&self, arguments: &[&str]) -> Result<String> {
        let output = self.notify(arguments)?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The same, which has to fail with this status; gives what it says.
    fn fails(&self, status: i32, arguments: &[&str]) -> Result<String> {
        let output = self.notify(arguments)?;
        ensure!(output.status.code() == Some(status), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stderr)?)
    }

    fn titles(&self) -> Vec<String> {
        self.server.screen().into_iter().map(|popup| popup.summary).collect()
    }

    fn configure(&self, text: &str) -> Result<()> {
        let folder = self.home.path().join(".config/firebell");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("notifier.toml"), text)?)
    }
}

#[test]
fn the_introspection_file_is_what_the_agent_offers() -> Result<()> {
    with_rigs("the agent's introspection", || {
        let stage = Stage::new()?;
        let connection = stage.session.connect()?;
        let reply = wait(connection.call_method(
            Some(names::NOTIFIER_NAME),
            names::NOTIFIER_PATH,
            Some("org.freedesktop.DBus.Introspectable"),
            "Introspect",
            &(),
        ))?;
        let live = reply.body().deserialize::<String>()?;
        let start = live.find("<interface name=\"org.firebell.Notifier1\"").context("no interface")?;
        let length = live[start..].find("</interface>").context("no end")? + "</interface>".len();
        let described = format!(
            "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
             \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n\
             <!-- org.firebell.Notifier1 as firebell-notifier offers it. Kept by a test: FIREBELL_BLESS=1 cargo test rewrites it. -->\n\
             <node name=\"{}\">\n  {}\n</node>\n",
            names::NOTIFIER_PATH,
            &live[start..start + length]
        );
        let path = repository().join("dbus-policy/org.firebell.Notifier1.xml");
        if std::env::var_os("FIREBELL_BLESS").is_some() {
            fs::write(&path, &described)?;
        }
        let kept = fs::read_to_string(&path)?;
        ensure!(kept == described, "the interface has changed; read the difference, then FIREBELL_BLESS=1 cargo test:\n{described}");
        Ok(())
    })
}

#[test]
fn a_muted_source_loses_its_popup_and_gets_none_until_it_becomes_worse() -> Result<()> {
    with_rigs("notify: mute", || {
        let stage = Stage::new()?;
        let (first, other) = (scan(7, 1), scan(8, 2));
        stage.collector.tell(&first)?;
        stage.collector.tell(&other)?;
        stage.server.call(2)?;
        let said = stage.says(&["mute", "198.51.100.7", "--for", "8h"])?;
        ensure!(said.starts_with("198.51.100.7 is muted for 8 hours. What is worse than severity 3 is still shown."), "{said}");
        ensure!(said.trim_end().ends_with("To undo: firebell notify unmute 198.51.100.7"), "{said}");
        until(SOON, || (stage.titles() == ["Port scan from 198.51.100.8"]).then_some(())).context("its popup stays")?;
        let again = later(&first, 3, Phase::Reopened, Severity::AIMED);
        stage.collector.tell(&again)?;
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().len() == 2, "{:#?}", stage.server.calls());
        stage.collector.tell(&later(&again, 4, Phase::Escalated, Severity::BROAD))?;
        ensure!(stage.server.call(3)?.summary == "Port scan from 198.51.100.7");
        let said = stage.says(&["unmute", "198.51.100.7"])?;
        ensure!(said.contains("no longer muted") && said.contains("To undo: firebell notify mute 198.51.100.7"), "{said}");
        let said = stage.fails(1, &["unmute", "198.51.100.7"])?;
        ensure!(said.contains("198.51.100.7 is not muted"), "{said}");
        Ok(())
    })
}

#[test]
fn what_is_muted_and_trusted_survives_a_restart_and_a_damaged_file_is_said() -> Result<()> {
    with_rigs("notify: restart", || {
        let mut stage = Stage::new()?;
        stage.says(&["mute", "198.51.100.0/25"])?;
        let said = stage.says(&["trust", "2001:db8::7"])?;
        ensure!(said.contains("2001:db8::7 is trusted. What is worse than severity 4"), "{said}");
        stage.start()?;
        stage.collector.tell(&scan(7, 1))?;
        stage.collector.tell(&scan(200, 2))?;
        ensure!(stage.server.call(1)?.summary == "Port scan from 198.51.100.200");
        let status: serde_json::Value = serde_json::from_str(&stage.says(&["status", "-o", "json"])?)?;
        let expected = serde_json::json!([["198.51.100.0/25"], [0], ["2001:db8::7"], 1, 1, "ok"]);
        let keys = ["muted", "muted_until", "trusted", "incidents_muted", "popups_shown", "collector"];
        ensure!(keys.map(|key| status[key].clone()).to_vec() == *expected.as_array().context("no list")?, "{status:#}");
        let said = stage.says(&["status"])?;
        ensure!(said.contains("muted    198.51.100.0/25 until you end it: firebell notify unmute 198.51.100.0/25"), "{said}");
        let said = stage.fails(1, &["unmute", "198.51.100.7"])?;
        ensure!(said.contains("part of 198.51.100.0/25"), "{said}");

        fs::write(stage.home.path().join(".local/state/firebell/notifier-mutes"), "firebell-mutes 1\nmuted \n")?;
        stage.start()?;
        let lines = stage.agent.as_ref().context("no agent")?.lines();
        ensure!(lines.iter().filter(|line| line.text.contains("cannot read what is muted and trusted")).count() == 1, "{lines:?}");
        stage.collector.tell(&scan(9, 3))?;
        ensure!(stage.server.call(2)?.summary == "Port scan from 198.51.100.9");
        Ok(())
    })
}

#[test]
fn every_kind_has_a_preview_in_one_place_and_a_test_says_when_nobody_shows_it() -> Result<()> {
    with_rigs("notify: preview", || {
        let stage = Stage::new()?;
        for (kind, n) in KINDS.iter().zip(1..) {
            // Twenty calls a second are granted.
            thread::sleep(Duration::from_millis(60));
            stage.says(&["preview", kind])?;
            let popup = stage.server.call(n)?;
            ensure!(popup.summary.starts_with("Preview: ") && popup.id == 1, "{popup:?}");
            ensure!(popup.body.ends_with("This is a preview; nothing has happened."), "{popup:?}");
        }
        stage.server.set_mood(Mood::Excess);
        let said = stage.fails(1, &["test"])?;
        ensure!(said.contains("not shown") && said.contains("ExcessNotificationGeneration"), "{said}");
        stage.server.set_mood(Mood::Good);
        ensure!(stage.says(&["test"])? == "The preview is on the screen.\n");
        ensure!(stage.says(&["test", "-o", "json"])?.contains("\"answer\": \"The preview is on the screen.\""));
        Ok(())
    })
}

#[test]
fn a_changed_file_is_taken_as_a_whole_or_not_at_all() -> Result<()> {
    with_rigs("notify: reload", || {
        let stage = Stage::new()?;
        ensure!(stage.says(&["reload"])? == "no configuration file; the defaults are in force\n");
        stage.configure("popup-from-severity = 9\n")?;
        let said = stage.fails(78, &["reload"])?;
        ensure!(said.contains("notifier.toml:1:23: 9 is not a severity"), "{said}");
        stage.collector.tell(&scan(1, 1))?;
        stage.server.call(1)?;
        stage.configure("popup-from-severity = 4\n")?;
        ensure!(stage.says(&["reload"])?.ends_with("/.config/firebell/notifier.toml is in force\n"));
        stage.collector.tell(&scan(2, 2))?;
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().len() == 1, "{:#?}", stage.server.calls());
        // By signal.
        stage.configure("popup-from-severity = 3\n")?;
        let agent = stage.agent.as_ref().context("no agent")?;
        ensure!(Command::new("kill").args(["-HUP", &agent.pid().to_string()]).status()?.success());
        agent.wait_for(SOON, |line| line.text.contains("reloaded: "))?;
        stage.collector.tell(&scan(3, 3))?;
        stage.server.call(2)?;
        Ok(())
    })
}

#[test]
fn what_is_wrong_is_said_with_the_right_exit_status() -> Result<()> {
    with_rigs("notify: mistakes", || {
        let mut stage = Stage::new()?;
        for arguments in [&["mute", "example.org"][..], &["mute", "192.0.2.7", "--for", "1y"], &["preview", "love"], &[]] {
            stage.fails(2, arguments)?;
        }
        stage.agent.take().context("no agent")?.stop()?;
        ensure!(stage.fails(69, &["status"])?.contains("no agent runs in this session; start firebell-notifier"));
        stage.session.stop()?;
        ensure!(stage.fails(69, &["mute", "192.0.2.7"])?.contains("this is no desktop session"));
        Ok(())
    })
}

#[test]
fn floods_of_calls_and_arguments_without_end_are_refused_and_do_no_harm() -> Result<()> {
    with_rigs("notify: hostile calls", || {
        let mut stage = Stage::new()?;
        let connection = stage.session.connect()?;
        let long = "9".repeat(65_536);
        let refused = wait(async {
            let agent = NotifierProxy::new(&connection).await?;
            for answer in
                [agent.mute(&long, 1).await, agent.trust(&long).await, agent.preview(&long).await, agent.mute("192.0.2.7", u64::MAX).await]
            {
                let zbus::Error::MethodError(name, text, _) = answer.err().context("it was taken")? else {
                    anyhow::bail!("no error of ours")
                };
                ensure!(name == "org.firebell.Error.InvalidArgument" && text.is_some_and(|text| text.len() < 500));
            }
            let mut refused = 0;
            for _ in 0..2000 {
                if let Err(zbus::Error::MethodError(name, ..)) = agent.mute("192.0.2.7", 60).await {
                    ensure!(name == "org.firebell.Error.LimitExceeded", "{name}");
                    refused += 1;
                }
            }
            Ok(refused)
        })?;
        ensure!(refused > 1000, "{refused} calls were refused");
        // Calls of the wrong shape.
        for (member, body) in [("Mute", 7_u32), ("Nothing", 7)] {
            let answer =
                wait(connection.call_method(Some(names::NOTIFIER_NAME), names::NOTIFIER_PATH, Some(names::NOTIFIER_NAME), member, &body));
            ensure!(answer.is_err(), "{member} was answered");
        }
        stage.collector.tell(&scan(1, 1))?;
        stage.server.call(1)?;
        ensure!(stage.agent.as_mut().is_some_and(Program::is_running));
        Ok(())
    })
}
