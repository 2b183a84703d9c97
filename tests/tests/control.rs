//! `org.firebell.Notifier1` and `firebell notify`: what the person at the desk asks of the agent.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, client::NotifierProxy, kind::KINDS, names, severity::Severity};
use firebell_tests::{
    fake_collector::{later, scan},
    fake_server::Mood,
    private_bus::{until, wait},
    program::repository,
    rig::with_rigs,
    session::{NOTHING, SOON, Session},
};
use std::{fs, process::Command, thread, time::Duration};

#[test]
fn the_introspection_file_is_what_the_agent_offers() -> Result<()> {
    with_rigs("the agent's introspection", || {
        let (session, _collector, _server) = Session::attended()?;
        let _agent = session.listening()?;
        let connection = session.bus.connect()?;
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
        let (session, collector, server) = Session::attended()?;
        let _agent = session.listening()?;
        let (first, other) = (scan(7, 1), scan(8, 2));
        collector.tell(&first)?;
        collector.tell(&other)?;
        server.call(2)?;
        let said = session.notify_says(&["mute", "198.51.100.7", "--for", "8h"])?;
        ensure!(said.starts_with("198.51.100.7 is muted for 8 hours. What is worse than severity 3 is still shown."), "{said}");
        ensure!(said.trim_end().ends_with("To undo: firebell notify unmute 198.51.100.7"), "{said}");
        until(SOON, || (server.titles() == ["Port scan from 198.51.100.8"]).then_some(())).context("its popup stays")?;
        let again = later(&first, 3, Phase::Reopened, Severity::AIMED);
        collector.tell(&again)?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 2, "{:#?}", server.calls());
        collector.tell(&later(&again, 4, Phase::Escalated, Severity::BROAD))?;
        ensure!(server.call(3)?.summary == "Port scan from 198.51.100.7");
        let said = session.notify_says(&["unmute", "198.51.100.7"])?;
        ensure!(said.contains("no longer muted") && said.contains("To undo: firebell notify mute 198.51.100.7"), "{said}");
        let said = session.notify_fails(1, &["unmute", "198.51.100.7"])?;
        ensure!(said.contains("198.51.100.7 is not muted"), "{said}");
        Ok(())
    })
}

#[test]
fn what_is_muted_and_trusted_survives_a_restart_and_a_damaged_file_is_said() -> Result<()> {
    with_rigs("notify: restart", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        session.notify_says(&["mute", "198.51.100.0/25"])?;
        let said = session.notify_says(&["trust", "2001:db8::7"])?;
        ensure!(said.contains("2001:db8::7 is trusted. What is worse than severity 4"), "{said}");
        agent.stop()?;
        let agent = session.listening()?;
        collector.tell(&scan(7, 1))?;
        collector.tell(&scan(200, 2))?;
        ensure!(server.call(1)?.summary == "Port scan from 198.51.100.200");
        let status: serde_json::Value = serde_json::from_str(&session.notify_says(&["status", "-o", "json"])?)?;
        let expected = serde_json::json!([["198.51.100.0/25"], [0], ["2001:db8::7"], 1, 1, "ok"]);
        let keys = ["muted", "muted_until", "trusted", "incidents_muted", "popups_shown", "collector"];
        ensure!(keys.map(|key| status[key].clone()).to_vec() == *expected.as_array().context("no list")?, "{status:#}");
        let said = session.notify_says(&["status"])?;
        ensure!(said.contains("muted    198.51.100.0/25 until you end it: firebell notify unmute 198.51.100.0/25"), "{said}");
        let said = session.notify_fails(1, &["unmute", "198.51.100.7"])?;
        ensure!(said.contains("part of 198.51.100.0/25"), "{said}");

        fs::write(session.home.path().join(".local/state/firebell/notifier-mutes"), "firebell-mutes 1\nmuted \n")?;
        agent.stop()?;
        let agent = session.listening()?;
        let lines = agent.lines();
        ensure!(lines.iter().filter(|line| line.text.contains("cannot read what is muted and trusted")).count() == 1, "{lines:?}");
        collector.tell(&scan(9, 3))?;
        ensure!(server.call(2)?.summary == "Port scan from 198.51.100.9");
        Ok(())
    })
}

#[test]
fn every_kind_has_a_preview_in_one_place_and_a_test_says_when_nobody_shows_it() -> Result<()> {
    with_rigs("notify: preview", || {
        let (session, _collector, server) = Session::attended()?;
        let _agent = session.listening()?;
        for (kind, n) in KINDS.iter().zip(1..) {
            // Twenty calls a second are granted.
            thread::sleep(Duration::from_millis(60));
            session.notify_says(&["preview", kind])?;
            let popup = server.call(n)?;
            ensure!(popup.summary.starts_with("Preview: ") && popup.id == 1, "{popup:?}");
            ensure!(popup.body.ends_with("This is a preview; nothing has happened."), "{popup:?}");
        }
        server.set_mood(Mood::Excess);
        let said = session.notify_fails(1, &["test"])?;
        ensure!(said.contains("not shown") && said.contains("ExcessNotificationGeneration"), "{said}");
        server.set_mood(Mood::Good);
        ensure!(session.notify_says(&["test"])? == "The preview is on the screen.\n");
        ensure!(session.notify_says(&["test", "-o", "json"])?.contains("\"answer\": \"The preview is on the screen.\""));
        Ok(())
    })
}

#[test]
fn a_changed_file_is_taken_as_a_whole_or_not_at_all() -> Result<()> {
    with_rigs("notify: reload", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        ensure!(session.notify_says(&["reload"])? == "no configuration file; the defaults are in force\n");
        session.configure("popup-from-severity = 9\n")?;
        let said = session.notify_fails(78, &["reload"])?;
        ensure!(said.contains("notifier.toml:1:23: 9 is not a severity"), "{said}");
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        session.configure("popup-from-severity = 4\n")?;
        ensure!(session.notify_says(&["reload"])?.ends_with("/.config/firebell/notifier.toml is in force\n"));
        collector.tell(&scan(2, 2))?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 1, "{:#?}", server.calls());
        // By signal.
        session.configure("popup-from-severity = 3\n")?;
        ensure!(Command::new("kill").args(["-HUP", &agent.pid().to_string()]).status()?.success());
        agent.wait_for(SOON, |line| line.text.contains("reloaded: "))?;
        collector.tell(&scan(3, 3))?;
        server.call(2)?;
        Ok(())
    })
}

#[test]
fn what_is_wrong_is_said_with_the_right_exit_status() -> Result<()> {
    with_rigs("notify: mistakes", || {
        let (session, _collector, _server) = Session::attended()?;
        let agent = session.listening()?;
        for arguments in [&["mute", "example.org"][..], &["mute", "192.0.2.7", "--for", "1y"], &["preview", "love"], &[]] {
            session.notify_fails(2, arguments)?;
        }
        agent.stop()?;
        ensure!(session.notify_fails(69, &["status"])?.contains("no agent runs in this session; start firebell-notifier"));
        session.bus.stop()?;
        ensure!(session.notify_fails(69, &["mute", "192.0.2.7"])?.contains("this is no desktop session"));
        Ok(())
    })
}

#[test]
fn floods_of_calls_and_arguments_without_end_are_refused_and_do_no_harm() -> Result<()> {
    with_rigs("notify: hostile calls", || {
        let (session, collector, server) = Session::attended()?;
        let mut program = session.listening()?;
        let connection = session.bus.connect()?;
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
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        ensure!(program.is_running());
        Ok(())
    })
}
