//! The agent between two real buses, a collector that tells what the test wants told, and a strict notification server.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, names, severity::Severity};
use firebell_tests::{
    fake_collector::{FakeCollector, later, scan},
    fake_server::{FakeServer, Mood},
    private_bus::{PrivateBus, until, wait},
    program::{Program, built, run},
    rig::with_rigs,
    session::{NOTHING, SOON, Session, count, says},
};
use std::{
    collections::HashMap,
    fs::{self, DirEntry},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use zbus::wire::Variant;

#[test]
fn an_alert_becomes_a_popup_with_the_right_hints_and_inert_markup() -> Result<()> {
    with_rigs("the agent: hints", || {
        let (session, collector, server) = Session::attended()?;
        let _agent = session.listening()?;
        let mut alert = scan(66, 1);
        alert.details.advice = "Look at <b>this</b> & that".to_owned();
        collector.tell(&alert)?;
        let popup = server.call(1)?;
        ensure!(popup.summary == "Port scan from 198.51.100.66", "{popup:?}");
        ensure!(popup.body.starts_with("TCP SYN scan: 1,000 ports in 5 seconds, among them 22 (SSH)"), "{popup:?}");
        ensure!(popup.body.ends_with("Look at &lt;b&gt;this&lt;/b&gt; &amp; that."), "{popup:?}");
        ensure!((popup.app.as_str(), popup.icon.as_str(), popup.urgency) == ("Firebell", "dialog-warning", Some(1)), "{popup:?}");
        ensure!((popup.category.as_str(), popup.desktop_entry.as_str(), popup.timeout) == ("network", "firebell", 0), "{popup:?}");
        Ok(())
    })
}

#[test]
fn a_blind_collector_is_one_quiet_popup_over_restarts_until_it_sees() -> Result<()> {
    with_rigs("the agent: blindness", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        collector.blind(Some("no <log> can be read"))?;
        let popup = server.call(1)?;
        ensure!((popup.summary.as_str(), popup.urgency) == ("Firebell cannot see the firewall log", Some(0)), "{popup:?}");
        ensure!(popup.body.starts_with("No &lt;log&gt; can be read.") && popup.timeout == 0, "{popup:?}");
        collector.blind(Some("no <log> can be read"))?;

        // It restarts: well for a moment, and blind again.
        collector.stop()?;
        agent.wait_for(SOON, says("not on the system bus; waiting"))?;
        let collector = session.collector()?;
        until(SOON, || (count(&agent, "listening to the collector") == 2).then_some(())).context("it does not come back")?;
        collector.blind(Some("no <log> can be read"))?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 1 && server.screen().len() == 1, "{:?}", server.calls());

        collector.blind(None)?;
        until(SOON, || server.screen().is_empty().then_some(())).context("it stays on the screen")?;
        // Another time it is told again.
        collector.blind(Some("again"))?;
        ensure!(server.call(2)?.replaces == 0);
        Ok(())
    })
}

#[test]
fn popups_speak_the_language_of_the_session() -> Result<()> {
    with_rigs("the agent: languages", || {
        let (session, collector, server) = Session::attended()?;
        let _agent = session.listening_with(&[], &[("LANG", "en_US.UTF-8"), ("LANGUAGE", "tlh:pt_BR:de")])?;
        collector.tell(&scan(66, 1))?;
        let popup = server.call(1)?;
        ensure!(popup.summary == "Varredura de portas de 198.51.100.66", "{popup:?}");
        ensure!(popup.body.starts_with("Varredura TCP SYN: 1.000 portas em 5 segundos, incluindo 22 (SSH)"), "{popup:?}");
        Ok(())
    })
}

#[test]
fn a_body_is_plain_where_the_server_reads_no_markup_and_only_bad_ones_stay() -> Result<()> {
    with_rigs("the agent: plain body", || {
        let session = Session::new()?;
        session.configure("stay-from-severity = 4\n")?;
        let collector = session.collector()?;
        let server = FakeServer::start(&session.bus, false, 0)?;
        let _agent = session.listening()?;
        let mut alert = scan(1, 1);
        alert.details.advice = "a < b & c".to_owned();
        collector.tell(&alert)?;
        let popup = server.call(1)?;
        ensure!(popup.body.ends_with("a < b & c.") && popup.timeout == -1, "{popup:?}");
        collector.tell(&later(&alert, 2, Phase::Escalated, Severity::BROAD))?;
        let popup = server.call(2)?;
        ensure!((popup.timeout, popup.urgency, popup.replaces, popup.id) == (0, Some(2), 1, 1), "{popup:?}");
        Ok(())
    })
}

#[test]
fn one_incident_is_one_popup_from_its_beginning_to_its_end() -> Result<()> {
    with_rigs("the agent: one popup", || {
        let session = Session::new()?;
        let collector = session.collector()?;
        let server = FakeServer::start(&session.bus, true, 100)?;
        let _agent = session.listening()?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        server.call(1)?;
        let mut worse = first.clone();
        for n in 2..500 {
            worse = later(
                &worse,
                n,
                if n == 200 { Phase::Escalated } else { Phase::Updated },
                Severity::try_from(if n < 200 { 3 } else { 4 })?,
            );
            worse.details.contacts += 1;
            collector.tell(&worse)?;
        }
        server.call(2)?;
        collector.tell(&later(&worse, 500, Phase::Closed, Severity::BROAD))?;
        let last = server.call(3)?;
        ensure!(last.summary == "Port scan from 198.51.100.1 (ended)" && last.replaces == 101, "{last:?}");
        ensure!(server.calls().len() == 3 && server.screen().len() == 1, "{:#?}", server.calls());
        Ok(())
    })
}

#[test]
fn a_popup_that_was_closed_comes_back_only_when_it_becomes_worse() -> Result<()> {
    with_rigs("the agent: dismissed", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        // Signals that mean nothing to us, and one that is not even one.
        server.call(1)?;
        server.say_closed(4711, 2)?;
        server.say_nonsense()?;
        server.dismiss(1)?;
        thread::sleep(NOTHING);
        collector.tell(&later(&first, 2, Phase::Reopened, Severity::AIMED))?;
        collector.tell(&later(&first, 3, Phase::Closed, Severity::AIMED))?;
        collector.tell(&scan(2, 4))?;
        server.call(2)?;
        ensure!(server.calls().iter().all(|popup| popup.replaces == 0) && server.screen().len() == 1, "{:#?}", server.calls());
        let second = scan(2, 4);
        server.dismiss(2)?;
        thread::sleep(NOTHING);
        collector.tell(&later(&second, 5, Phase::Escalated, Severity::BROAD))?;
        ensure!(server.call(3)?.replaces == 0);
        drop(agent);
        Ok(())
    })
}

#[test]
fn a_merged_incident_takes_its_popup_along() -> Result<()> {
    with_rigs("the agent: merged", || {
        let (session, collector, server) = Session::attended()?;
        let _agent = session.listening()?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        server.call(1)?;
        let mut merged = later(&first, 2, Phase::Merged, Severity::AIMED);
        merged.details.merged_into = Some(9);
        collector.tell(&merged)?;
        until(SOON, || server.screen().is_empty().then_some(())).context("the popup is still there")
    })
}

#[test]
fn every_alert_is_acknowledged_in_time_and_not_one_by_one() -> Result<()> {
    with_rigs("the agent: acknowledgements", || {
        let (session, collector, _server) = Session::attended()?;
        let _agent = session.listening()?;
        let before = collector.acknowledgements();
        for n in 1..=400 {
            // In time is before 64 are open, so an agent that lets more than 48 be open is too late. The clock says nothing about it.
            until(SOON, || (collector.acknowledged() + 48 >= n).then_some(())).with_context(|| format!("not acknowledged before {n}"))?;
            collector.tell(&scan(n, n))?;
            // The real one sends at most 20 a second; this is ten times as fast.
            thread::sleep(Duration::from_millis(5));
        }
        until(SOON, || (collector.acknowledged() == 400).then_some(())).context("not everything is acknowledged")?;
        let calls = collector.acknowledgements() - before;
        ensure!(calls <= 60 && collector.held_back() == 0, "{calls} calls, {} held back", collector.held_back());
        Ok(())
    })
}

#[test]
fn an_agent_that_stood_still_for_a_while_misses_nothing() -> Result<()> {
    with_rigs("the agent: stopped and continued", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        let send = |signal: &str| run(Command::new("kill").args([signal, &agent.pid().to_string()]));
        send("-STOP")?;
        for n in 1..=100 {
            collector.tell(&scan(n, n))?;
        }
        ensure!(collector.held_back() == 36, "{} held back", collector.held_back());
        send("-CONT")?;
        until(SOON, || (collector.acknowledged() == 100).then_some(())).context("what was held back is not fetched")?;
        until(Duration::from_secs(30), || server.titles().iter().any(|title| title == "99 more firewall incidents").then_some(()))
            .with_context(|| format!("{:?}", server.titles()))
    })
}

#[test]
fn a_burst_beyond_every_queue_is_caught_up_with() -> Result<()> {
    with_rigs("the agent: burst", || {
        let (session, collector, server) = Session::attended()?;
        let _agent = session.listening()?;
        for n in 1..=1000 {
            collector.tell(&scan(n, n))?;
        }
        until(SOON, || (collector.acknowledged() == 1000).then_some(())).context("not everything was heard of")?;
        ensure!(collector.held_back() > 0, "the burst was no burst");
        // The gathering says how many there are by then, and after each of them waits before it changes: 10 s, then 20 s.
        until(Duration::from_secs(60), || server.screen().iter().any(|popup| popup.summary == "999 more firewall incidents").then_some(()))
            .with_context(|| format!("{:#?}", server.screen()))?;
        ensure!(server.screen().len() == 2 && server.calls().len() <= 6, "{:#?}", server.calls());
        Ok(())
    })
}

#[test]
fn alerts_that_were_held_back_are_fetched() -> Result<()> {
    with_rigs("the agent: suppressed", || {
        let (session, collector, server) = Session::attended()?;
        let _agent = session.listening()?;
        collector.tell(&scan(1, 1))?;
        collector.keep(&scan(2, 2));
        collector.say_suppressed(2, 2, 1)?;
        ensure!(server.call(2)?.summary.ends_with(".2"));
        ensure!(collector.lists().last() == Some(&1), "{:?}", collector.lists());
        Ok(())
    })
}

#[test]
fn a_collector_that_restarts_is_found_again_and_nothing_is_missed_or_told_twice() -> Result<()> {
    with_rigs("the agent: collector restarts", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        server.call(1)?;
        let mut history = collector.stop()?;
        agent.wait_for(SOON, says("not on the system bus; waiting"))?;
        history.push(scan(2, 2));
        let collector = FakeCollector::resume(&session.system.address(), "a", history)?;
        ensure!(server.call(2)?.summary.ends_with(".2"));
        collector.tell(&later(&first, 3, Phase::Escalated, Severity::BROAD))?;
        let update = server.call(3)?;
        ensure!((update.replaces, update.id) == (1, 1), "the popup of before is still known: {update:?}");
        // Now one whose ids mean something else.
        collector.stop()?;
        let collector = FakeCollector::resume(&session.system.address(), "b", vec![scan(1, 1)])?;
        ensure!(server.call(4)?.replaces == 0, "another incident 1 is another popup");
        collector.tell(&scan(3, 2))?;
        server.call(5)?;
        ensure!(server.calls().len() == 5, "{:#?}", server.calls());
        Ok(())
    })
}

#[test]
fn what_was_told_before_the_agent_restarted_is_not_told_again_and_the_rest_is() -> Result<()> {
    with_rigs("the agent: agent restarts", || {
        let session = Session::new()?;
        let over = later(&scan(8, 1), 2, Phase::Closed, Severity::AIMED);
        let collector = FakeCollector::resume(&session.system.address(), "a", vec![over, scan(1, 3)])?;
        let server = session.server()?;
        let agent = session.listening()?;
        // The very first start: what goes on is told, what is over is not.
        ensure!(server.call(1)?.summary == "Port scan from 198.51.100.1");
        until(SOON, || (collector.acknowledged() == 3).then_some(()))?;
        // What it has shown and not written down would be told again, as after a crash.
        let seen = session.path(".local/state/firebell/notifier-seen");
        until(SOON, || fs::read_to_string(&seen).is_ok_and(|line| line.starts_with("3 ")).then_some(()))?;
        agent.stop()?;
        // While nobody listened, one came and ended, and one came.
        collector.keep(&later(&scan(2, 4), 5, Phase::Closed, Severity::AIMED));
        collector.keep(&scan(3, 6));
        let _agent = session.listening()?;
        let titles = [server.call(2)?.summary, server.call(3)?.summary];
        ensure!(titles == ["Port scan from 198.51.100.3", "While you were away: 1 scan from 1 address"], "{titles:?}");
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 3, "{:#?}", server.calls());
        Ok(())
    })
}

/// The file in which the agent of this session keeps what is on the screen.
fn kept(session: &Session) -> Result<PathBuf> {
    let folder = session.path("run/firebell");
    let is_kept = |entry: &DirEntry| entry.file_name().to_str().is_some_and(|name| name.starts_with("popups-") && !name.ends_with(".new"));
    until(SOON, || fs::read_dir(&folder).ok()?.flatten().find(is_kept).map(|entry| entry.path())).context("nothing is kept")
}

/// Kills the agent as soon as it has written these words down.
fn kill(session: &Session, agent: Program, words: &str) -> Result<PathBuf> {
    let path = kept(session)?;
    until(SOON, || fs::read_to_string(&path).is_ok_and(|text| text.contains(words)).then_some(()))
        .with_context(|| format!("{words} is not in {:?}", fs::read_to_string(&path)))?;
    agent.kill()?;
    Ok(path)
}

#[test]
fn an_agent_that_is_killed_leaves_its_popups_to_the_next_one() -> Result<()> {
    with_rigs("the agent: killed", || {
        let (session, collector, server) = Session::attended()?;
        server.set_name("gnome-shell");
        let agent = session.listening()?;
        let [first, second, third] = [(1, 1), (2, 2), (3, 3)].map(|(n, seq)| scan(n, seq));
        // One that goes on, one that ends meanwhile, and one that somebody has closed.
        for (n, alert) in (1..).zip([&first, &second, &third]) {
            collector.tell(alert)?;
            ensure!(server.call(n)?.replaces == 0);
            thread::sleep(Duration::from_millis(1100));
        }
        server.dismiss(3)?;
        let path = kill(&session, agent, "\"closed\":[{\"id\":3,")?;
        let mode = |path: &Path| Ok::<_, anyhow::Error>(fs::metadata(path)?.permissions().mode() & 0o777);
        ensure!((mode(&path)?, mode(path.parent().context("no folder")?)?) == (0o600, 0o700));
        collector.keep(&later(&second, 4, Phase::Closed, Severity::AIMED));
        let agent = session.listening()?;
        agent.wait_for(SOON, says("took over what an earlier agent left on the screen popups=2"))?;
        let again = [server.call(4)?, server.call(5)?].map(|popup| (popup.replaces, popup.summary));
        ensure!(again.contains(&(1, "Port scan from 198.51.100.1".to_owned())), "{again:?}");
        ensure!(again.contains(&(2, "Port scan from 198.51.100.2 (ended)".to_owned())), "{again:?}");
        let first = later(&first, 5, Phase::Escalated, Severity::BROAD);
        collector.tell(&first)?;
        ensure!(server.call(6)?.replaces == 1, "{:#?}", server.calls());
        let third = later(&third, 6, Phase::Reopened, Severity::AIMED);
        collector.tell(&third)?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 6, "what was closed stays closed: {:#?}", server.calls());

        // It ends well this time, and is told of the end by the one after it. Then nothing is on the screen any more.
        agent.stop()?;
        let agent = session.listening()?;
        collector.tell(&later(&first, 7, Phase::Closed, Severity::BROAD))?;
        until(SOON, || server.titles().iter().all(|title| title.ends_with("(ended)")).then_some(()))
            .with_context(|| format!("{:?}", server.titles()))?;
        ensure!(server.screen().iter().map(|popup| popup.id).eq([1, 2]) && server.calls().iter().all(|popup| popup.id <= 3));
        // The agent has heard the answer, too: a popup that is closed before it comes back is there.
        until(SOON, || fs::read_to_string(&path).is_ok_and(|text| text.contains("\"seq\":7,")).then_some(()))
            .context("it is not written down")?;
        thread::sleep(NOTHING);
        server.dismiss(1)?;
        server.dismiss(2)?;
        collector.tell(&later(&third, 8, Phase::Closed, Severity::AIMED))?;
        until(SOON, || (!path.exists()).then_some(())).context("an empty screen is kept")?;
        drop(agent);
        Ok(())
    })
}

#[test]
fn a_popup_that_was_closed_while_there_was_no_agent_comes_back_only_when_it_is_worse() -> Result<()> {
    with_rigs("the agent: closed meanwhile", || {
        let (session, collector, server) = Session::attended()?;
        server.set_name("gnome-shell");
        let agent = session.listening()?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        server.call(1)?;
        kill(&session, agent, "\"popup\":1,")?;
        server.dismiss(1)?;
        let _agent = session.listening()?;
        // The server says that it was gone by showing it under another number, so it is taken away again.
        ensure!(server.call(2)?.id == 2);
        until(SOON, || server.screen().is_empty().then_some(())).context("it stays")?;
        let first = later(&first, 2, Phase::Reopened, Severity::AIMED);
        collector.tell(&first)?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 2, "{:#?}", server.calls());
        collector.tell(&later(&first, 3, Phase::Escalated, Severity::BROAD))?;
        ensure!(server.call(3)?.replaces == 0);
        server.shows(&["Port scan from 198.51.100.1"])
    })
}

#[test]
fn numbers_of_another_server_another_history_or_a_damaged_file_mean_nothing() -> Result<()> {
    type Change = fn(&Path) -> Result<()>;
    let damage: Change = |path| Ok(fs::write(path, "{\"schema\":1,\"server\":")?);
    let link: Change = |path| {
        let elsewhere = path.ancestors().nth(2).context("no folder")?.join("elsewhere");
        fs::rename(path, &elsewhere)?;
        Ok(std::os::unix::fs::symlink(elsewhere, path)?)
    };
    let other_history: Change = |path| Ok(fs::write(path, fs::read_to_string(path)?.replace("\"history\":\"a\"", "\"history\":\"b\""))?);
    let other_user: Change = |path| Ok(std::os::unix::fs::chown(path, Some(5), None)?);
    with_rigs("the agent: damaged file", || {
        for (change, warnings) in [(damage, 1), (link, 1), (other_user, 1), (other_history, 0)] {
            let (session, collector, server) = Session::attended()?;
            server.set_name("gnome-shell");
            let agent = session.listening()?;
            let first = scan(1, 1);
            collector.tell(&first)?;
            server.call(1)?;
            let path = kill(&session, agent, "\"popup\":1,")?;
            change(&path)?;
            let agent = session.listening()?;
            collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
            ensure!(server.call(2)?.replaces == 0, "{:#?}", server.calls());
            ensure!(count(&agent, "stay as they are") == warnings, "{:#?}", agent.lines());
            // From here on it is right again.
            kill(&session, agent, "\"popup\":2,")?;
            let _agent = session.listening()?;
            ensure!(server.call(3)?.replaces == 2);
        }
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        server.call(1)?;
        until(SOON, || session.read(".local/state/firebell/notifier-seen").starts_with("1 ").then_some(())).context("it is not told")?;
        kill(&session, agent, "\"popup\":1,")?;
        server.stop()?;
        let server = session.server()?;
        let _agent = session.listening()?;
        thread::sleep(NOTHING * 2);
        ensure!(server.calls().is_empty(), "{:#?}", server.calls());
        collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
        ensure!(server.call(1)?.replaces == 0);
        Ok(())
    })
}

#[test]
fn without_a_folder_for_what_is_running_nothing_is_kept_and_popups_come() -> Result<()> {
    with_rigs("the agent: no XDG_RUNTIME_DIR", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening_with(&[], &[("XDG_RUNTIME_DIR", "")])?;
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        let (status, said) = agent.stop()?;
        ensure!(status.success() && !said.contains("WARN"), "{status}: {said}");
        ensure!(fs::read_dir(session.path("run"))?.count() == 0);
        Ok(())
    })
}

#[test]
fn two_agents_of_one_user_on_two_buses_keep_their_popups_apart() -> Result<()> {
    with_rigs("the agent: two buses", || {
        let (session, collector, server) = Session::attended()?;
        let (bus, state) = (PrivateBus::start()?, session.path("other-state"));
        let (second_server, address) = (FakeServer::start(&bus, true, 100)?, bus.address());
        server.set_name("gnome-shell");
        second_server.set_name("gnome-shell");
        let second = [("DBUS_SESSION_BUS_ADDRESS", address.as_str()), ("XDG_STATE_HOME", state.to_str().context("no text")?)];
        let agents = [session.listening()?, session.listening_with(&[], &second)?];
        let first = scan(1, 1);
        collector.tell(&first)?;
        let files = || fs::read_dir(session.path("run/firebell")).map_or(0, |files| files.flatten().count());
        until(SOON, || (files() == 2).then_some(())).context("no two files")?;
        for agent in agents {
            agent.kill()?;
        }
        let _agents = [session.listening()?, session.listening_with(&[], &second)?];
        ensure!((server.call(2)?.replaces, second_server.call(2)?.replaces) == (1, 101));
        Ok(())
    })
}

#[test]
fn a_long_history_is_read_page_by_page() -> Result<()> {
    with_rigs("the agent: long history", || {
        let (session, collector, _server) = Session::attended()?;
        let agent = session.listening()?;
        let mut history = collector.stop()?;
        history.extend((1..=950).map(|n| scan(n % 7 + 1, n)));
        let collector = FakeCollector::resume(&session.system.address(), "a", history)?;
        until(SOON, || (collector.acknowledged() == 950).then_some(())).with_context(|| format!("{:?}", collector.lists()))?;
        ensure!(collector.lists() == [0, 200, 400, 600, 800], "{:?}", collector.lists());
        drop(agent);
        Ok(())
    })
}

#[test]
fn a_system_bus_that_restarts_is_found_again() -> Result<()> {
    with_rigs("the agent: system bus restarts", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        session.system.stop()?;
        drop(collector);
        agent.wait_for(SOON, says("no connection to the system bus"))?;
        session.system.resume()?;
        let _collector = FakeCollector::resume(&session.system.address(), "a", vec![scan(1, 1), scan(2, 2)])?;
        ensure!(server.call(2)?.summary.ends_with(".2"));
        ensure!(server.calls().len() == 2 && count(&agent, "no connection to the system bus") == 1, "{:?}", agent.lines());
        Ok(())
    })
}

#[test]
fn without_a_notification_server_it_says_so_once_and_waits() -> Result<()> {
    with_rigs("the agent: no server", || {
        let session = Session::new()?;
        let collector = session.collector()?;
        let agent = session.listening()?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        collector.tell(&scan(2, 2))?;
        collector.tell(&later(&first, 3, Phase::Escalated, Severity::BROAD))?;
        agent.wait_for(SOON, says("no notification server in this session"))?;
        thread::sleep(NOTHING);
        ensure!(count(&agent, "no notification server") == 1, "{:?}", agent.lines());
        let server = session.server()?;
        let popups = [server.call(1)?, server.call(2)?];
        ensure!(popups.iter().map(|popup| popup.urgency).max() == Some(Some(2)), "as it is by then: {popups:?}");
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 2, "{:#?}", server.calls());
        Ok(())
    })
}

#[test]
fn a_notification_server_that_restarts_shows_the_popups_again() -> Result<()> {
    with_rigs("the agent: server restarts", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening_with(&["--log-level", "debug"], &[])?;
        let first = scan(1, 1);
        collector.tell(&first)?;
        collector.tell(&scan(2, 2))?;
        server.call(2)?;
        server.dismiss(2)?;
        thread::sleep(NOTHING);
        server.stop()?;
        // Its ids overlap with those of before and mean other popups now.
        let server = FakeServer::start(&session.bus, false, 40)?;
        let again = server.call(1)?;
        ensure!((again.replaces, again.id) == (0, 41) && again.summary.ends_with(".1"), "{again:?}");
        collector.tell(&later(&first, 3, Phase::Escalated, Severity::BROAD))?;
        ensure!(server.call(2)?.replaces == 41, "{:#?}\n{:#?}", server.calls(), agent.lines());
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 2, "{:#?}", server.calls());
        Ok(())
    })
}

#[test]
fn a_server_that_refuses_or_is_silent_does_no_harm() -> Result<()> {
    with_rigs("the agent: bad server", || {
        let (session, collector, server) = Session::attended()?;
        let mut agent = session.listening()?;
        server.set_mood(Mood::Excess);
        collector.tell(&scan(1, 1))?;
        agent.wait_for(SOON, says("ExcessNotificationGeneration"))?;
        // Another attack right behind it would wait with it.
        thread::sleep(Duration::from_secs(1));
        server.set_mood(Mood::Silent);
        let second = scan(2, 2);
        collector.tell(&second)?;
        until(SOON, || (server.asked() == 2).then_some(()))?;
        // While it waits for the answer, popups come and go on that server, more than any queue takes.
        for id in 0..2000 {
            server.say_closed(10_000 + id, 1)?;
        }
        collector.tell(&later(&second, 3, Phase::Escalated, Severity::BROAD))?;
        server.set_mood(Mood::Good);
        let popup = until(Duration::from_secs(20), || server.calls().into_iter().next()).context("it does not try again")?;
        ensure!(popup.summary.ends_with(".2") && popup.urgency == Some(2), "{popup:?}");
        ensure!(agent.is_running());
        Ok(())
    })
}

#[test]
fn forged_alerts_give_no_popup_however_they_are_sent() -> Result<()> {
    with_rigs("the agent: forgeries", || {
        let (session, collector, server) = Session::attended()?;
        let _agent = session.listening()?;
        let agent_name = collector.subscribers().first().cloned().context("nobody subscribed")?;
        let forger = session.system.connect()?;
        let me = forger.unique_name().context("no name")?.to_string();
        let forge = |to: Option<&str>, path: &str, interface: &str, member: &str, body: &dyn Fn() -> Vec<Variant<'static>>| {
            // The signature of a structure's fields is that of the arguments.
            let mut fields = zbus::wire::StructureBuilder::new();
            for value in body() {
                fields.push_value(value);
            }
            wait(forger.emit_signal(to, path, interface, member, &fields.build()?))?;
            anyhow::Ok(())
        };
        let alert = || -> Vec<Variant<'static>> {
            let wire = scan(66, 99).to_wire();
            vec![wire.0.into(), wire.1.into(), wire.2.into(), wire.3.into(), wire.4.into(), wire.5.into(), Variant::from(wire.6)]
        };
        let steal = || -> Vec<Variant<'static>> { vec![names::COLLECTOR_NAME.into(), String::new().into(), Variant::from(me.clone())] };
        let rubbish = || -> Vec<Variant<'static>> { vec![names::COLLECTOR_NAME.into(), 7_u32.into(), Variant::from(vec![1_u8, 2])] };
        let (path, interface) = (names::COLLECTOR_PATH, names::COLLECTOR_INTERFACE);
        let (bus_path, bus) = ("/org/freedesktop/DBus", "org.freedesktop.DBus");
        for _ in 0..3 {
            forge(None, path, interface, "Alert", &alert)?;
            forge(Some(&agent_name), path, interface, "Alert", &alert)?;
            // As if the collector's name had a new owner: the forger. And the next alert from that one.
            forge(Some(&agent_name), bus_path, bus, "NameOwnerChanged", &steal)?;
            forge(Some(&agent_name), bus_path, bus, "NameOwnerChanged", &rubbish)?;
        }
        // More than any queue takes, while the collector speaks as well.
        for _ in 0..500 {
            forge(Some(&agent_name), path, interface, "Alert", &alert)?;
        }
        collector.tell(&scan(1, 1))?;
        ensure!(server.call(1)?.summary == "Port scan from 198.51.100.1");
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 1, "{:#?}", server.calls());
        // Without an owner nobody is believed either.
        collector.stop()?;
        forge(Some(&agent_name), path, interface, "Alert", &alert)?;
        thread::sleep(NOTHING);
        ensure!(server.calls().len() == 1, "{:#?}", server.calls());
        Ok(())
    })
}

#[test]
fn messages_that_break_the_contract_are_counted_and_dropped() -> Result<()> {
    with_rigs("the agent: broken messages", || {
        let (session, collector, server) = Session::attended()?;
        let mut agent = session.listening()?;
        collector.send_raw("Alert", &("not", 1_u8))?;
        collector.send_raw("Alert", &())?;
        collector.send_raw("AlertsSuppressed", &"x")?;
        let mut wire = scan(1, 1).to_wire();
        wire.2 = 200;
        collector.send_raw("Alert", &wire)?;
        let mut wire = scan(1, 1).to_wire();
        wire.6.insert("packets".to_owned(), Variant::from(vec!["many"]).try_to_owned()?);
        for _ in 0..200 {
            collector.send_raw("Alert", &wire)?;
        }
        let mut wire = scan(1, u64::MAX).to_wire();
        wire.0 = u64::MAX;
        collector.send_raw("Alert", &wire)?;
        let mut huge = scan(5, 5).to_wire();
        huge.4 = "\u{202e}<b>".repeat(50_000);
        huge.5 = "x".repeat(500_000);
        huge.6.insert("unknown".to_owned(), Variant::from(HashMap::from([("a", 1_u32)])).try_to_owned()?);
        huge.6.insert("sources".to_owned(), Variant::from(vec!["1.2.3.4"; 10_000]).try_to_owned()?);
        collector.send_raw("Alert", &huge)?;
        let popup = server.call(1)?;
        ensure!(popup.summary.len() < 200 && popup.body.len() < 2000 && !popup.summary.contains('\u{202e}'), "{popup:?}");
        let said = count(&agent, "dropped messages of the collector");
        ensure!((1..=12).contains(&said) && agent.is_running(), "said {said} times: {:?}", agent.lines());
        collector.tell(&scan(6, 6))?;
        server.call(2)?;
        Ok(())
    })
}

#[test]
fn somebody_who_may_not_see_alerts_is_told_what_to_do_once() -> Result<()> {
    with_rigs("the agent: refused", || {
        let session = Session::new()?;
        let collector = session.collector()?;
        collector.refuse(true);
        let server = session.server()?;
        let agent = session.start(&[])?;
        agent.wait_for(SOON, says("add the user to `viewers`"))?;
        thread::sleep(Duration::from_secs(2));
        ensure!(count(&agent, "does not show alerts to this user") == 1, "{:?}", agent.lines());
        collector.refuse(false);
        agent.wait_for(SOON, says("listening to the collector"))?;
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        Ok(())
    })
}

#[test]
fn a_session_has_one_agent() -> Result<()> {
    with_rigs("the agent: single instance", || {
        let session = Session::new()?;
        let _collector = session.collector()?;
        let _first = session.listening()?;
        let (code, said) = session.run(&[])?;
        ensure!(code == Some(0) && said.contains("another firebell-notifier serves this session"), "{code:?}: {said}");
        Ok(())
    })
}

#[test]
fn a_session_bus_that_comes_back_is_found_again_and_one_that_is_gone_ends_the_agent() -> Result<()> {
    with_rigs("the agent: session bus", || {
        let (session, collector, server) = Session::attended()?;
        let mut agent = session.listening()?;
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        session.bus.stop()?;
        agent.wait_for(SOON, says("the session bus closed the connection"))?;
        session.bus.resume()?;
        let server = session.server()?;
        ensure!(server.call(1)?.summary.ends_with(".1"), "what was on the screen is there again");
        collector.tell(&scan(2, 2))?;
        server.call(2)?;
        session.bus.stop()?;
        until(Duration::from_secs(20), || (!agent.is_running()).then_some(())).context("it does not end")?;
        let (status, said) = agent.stop()?;
        ensure!(status.success() && said.contains("the session is over"), "{status}: {said}");
        Ok(())
    })
}

#[test]
fn without_a_session_bus_it_says_so_and_print_needs_none() -> Result<()> {
    with_rigs("the agent: no session bus", || {
        let session = Session::new()?;
        session.bus.stop()?;
        let (code, said) = session.run(&[])?;
        ensure!(code == Some(69) && said.contains("--print"), "{code:?}: {said}");

        let collector = session.collector()?;
        let agent = session.listening_with(&["--print"], &[])?;
        let mut first = scan(1, 1);
        first.details.advice = "\x1b[31mred\x1b[0m\nsecond line".to_owned();
        collector.tell(&first)?;
        collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
        agent.wait_for(SOON, |line| line.text == "severity 4 (update), Port scan from 198.51.100.1")?;
        let out: Vec<String> = agent.lines().into_iter().filter(|line| !line.is_stderr).map(|line| line.text).collect();
        ensure!(out.first().is_some_and(|line| line == "severity 3, Port scan from 198.51.100.1"), "{out:#?}");
        ensure!(out.iter().skip(1).take(3).all(|line| line.starts_with("    ")) && !out.concat().contains('\x1b'), "{out:#?}");
        Ok(())
    })
}

#[test]
fn once_shows_a_popup_through_another_client() -> Result<()> {
    with_rigs("the agent: once", || {
        let session = Session::new()?;
        let (code, said) = session.run(&["--once", "A title", "a body"])?;
        ensure!(code == Some(69) && said.contains("the popup was not shown"), "{code:?}: {said}");
        let server = session.server()?;
        let (code, said) = session.run(&["--once", "A title", "a <body>\nof \x1btwo"])?;
        ensure!(code == Some(0), "{code:?}: {said}");
        let popup = server.call(1)?;
        ensure!((popup.summary.as_str(), popup.body.as_str()) == ("A title", "a &lt;body&gt;\nof \\x1btwo"), "{popup:?}");
        Ok(())
    })
}

#[test]
fn check_says_where_the_mistake_is() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), "popups-per-hour = 6\nstay-form-severity = 3\n")?;
    let check = |file: &Path| -> Result<_> {
        Ok(Command::new(built()?.join("firebell-notifier")).arg("--check").arg("--config").arg(file).output()?)
    };
    let output = check(file.path())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let place = format!("{}:2:1: unknown field `stay-form-severity`", file.path().display());
    ensure!(output.status.code() == Some(78) && said.contains(&place) && said.contains("^^^"), "{}: {said}", output.status);
    fs::write(file.path(), "popups-per-hour = 6\n")?;
    ensure!(check(file.path())?.status.success());
    Ok(())
}

#[test]
fn ten_thousand_alerts_leave_the_agent_small() -> Result<()> {
    with_rigs("the agent: ten thousand alerts", || {
        let (session, collector, server) = Session::attended()?;
        let agent = session.listening()?;
        collector.tell_many(10_000)?;
        ensure!(server.screen().len() == 2, "{:#?}", server.screen());
        let own = agent.own_memory()?;
        writeln!(std::io::stderr(), "after 10,000 alerts: {own} KiB of its own, {} KiB resident", agent.resident_memory()?)?;
        ensure!(own < 8 * 1024, "{own} KiB");
        Ok(())
    })
}

#[test]
fn an_idle_agent_does_not_wake_up() -> Result<()> {
    with_rigs("the agent: idle", || {
        let session = Session::new()?;
        // With a timer for the hours, and a popup all the same.
        session.configure("quiet-hours = [\"00:00-23:59\"]\nquiet-from-severity = 3\n")?;
        let collector = session.collector()?;
        let server = session.server()?;
        let agent = session.listening()?;
        collector.tell(&scan(1, 1))?;
        server.call(1)?;
        // The acknowledgement comes a second later; after that there is nothing to do.
        until(SOON, || (collector.acknowledged() == 1).then_some(()))?;
        thread::sleep(NOTHING);
        let before = wakeups(agent.pid())?;
        let start = Instant::now();
        thread::sleep(Duration::from_secs(4));
        let woke = wakeups(agent.pid())? - before;
        ensure!(woke == 0, "woke up {woke} times in {:?}", start.elapsed());
        Ok(())
    })
}

/// How often the threads of a process gave up the processor by themselves: each wake-up ends with it.
fn wakeups(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).context("no counter")?;
        sum += line.split_whitespace().nth(1).context("no number")?.parse::<u64>()?;
    }
    Ok(sum)
}
