//! Each row of the table of servers in docs/NOTIFIER.md, against a strict fake that does what that server does.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, severity::Severity};
use firebell_tests::{
    fake_collector::{FakeCollector, later, scan},
    fake_server::{FakeServer, Model, Mood, Shown},
    private_bus::until,
    program::Program,
    rig::with_rigs,
    session::{NOTHING, SOON, Session},
};
use std::{fs, thread, time::Duration};

/// A session with a server like one of the real ones.
struct Stage {
    collector: FakeCollector,
    server: FakeServer,
    agent: Program,
    _session: Session,
}

impl Stage {
    fn new(model: Model, config: &str, has_icon: bool) -> Result<Self> {
        let session = Session::new()?;
        let (collector, server) = (session.collector()?, FakeServer::like(&session.bus, model)?);
        session.configure(config)?;
        if has_icon {
            let folder = session.path(".local/share/icons/hicolor/scalable/apps");
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("firebell.svg"), "<svg/>")?;
        }
        let nowhere = session.path("none").display().to_string();
        let agent = session.listening_with(&[], &[("XDG_DATA_DIRS", &nowhere)])?;
        Ok(Self { collector, server, agent, _session: session })
    }
}

fn keys(popup: &Shown) -> Vec<&str> {
    popup.actions.iter().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn one_incident_is_one_popup_with_what_each_server_can_do() -> Result<()> {
    with_rigs("servers: one popup", || {
        for model in Model::ALL {
            let stage = Stage::new(model, "", false)?;
            let mut first = scan(66, 1);
            first.details.advice = "Look at <b> & c".to_owned();
            stage.collector.tell(&first)?;
            let shown = stage.server.call(1).with_context(|| model.name)?;
            let body = if model.can("body-markup") { "Look at &lt;b&gt; &amp; c." } else { "Look at <b> & c." };
            ensure!(shown.body.ends_with(body) && shown.summary == "Port scan from 198.51.100.66", "{}: {shown:?}", model.name);
            let buttons: &[&str] = match (model.can("actions"), model.draws_default) {
                (false, _) => &[],
                (true, true) => &["details", "mute"],
                (true, false) => &["details", "mute", "default"],
            };
            ensure!(keys(&shown) == buttons, "{}: {shown:?}", model.name);
            let worse = later(&first, 2, Phase::Escalated, Severity::BROAD);
            stage.collector.tell(&worse)?;
            let update = stage.server.call(2).with_context(|| model.name)?;
            ensure!((update.replaces, update.id) == (shown.id, shown.id), "{}: {update:?}", model.name);
            let mut merged = later(&worse, 3, Phase::Merged, Severity::BROAD);
            merged.details.merged_into = Some(9);
            stage.collector.tell(&merged)?;
            until(SOON, || stage.server.screen().is_empty().then_some(())).with_context(|| format!("{}: it stays", model.name))?;
            ensure!(stage.server.refused().is_empty(), "{}: {:?}", model.name, stage.server.refused());
        }
        Ok(())
    })
}

#[test]
fn what_gnome_pushes_off_the_screen_comes_back_only_when_it_becomes_worse() -> Result<()> {
    with_rigs("servers: GNOME keeps three", || {
        let stage = Stage::new(Model::GNOME, "", false)?;
        for n in 1..=5 {
            stage.collector.tell(&scan(n, n))?;
            stage.server.call(usize::try_from(n)?)?;
            // What comes within a second shares a popup.
            thread::sleep(Duration::from_secs(1));
        }
        ensure!(stage.server.screen().iter().map(|popup| popup.id).collect::<Vec<_>>() == [3, 4, 5], "{:?}", stage.server.screen());
        thread::sleep(NOTHING);
        let more = later(&scan(1, 1), 6, Phase::Updated, Severity::AIMED);
        stage.collector.tell(&more)?;
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().len() == 5, "{:#?}", stage.server.calls());
        stage.collector.tell(&later(&more, 7, Phase::Escalated, Severity::BROAD))?;
        let again = stage.server.call(6)?;
        ensure!(again.replaces == 0 && again.summary.ends_with(".1"), "{again:?}");
        Ok(())
    })
}

#[test]
fn plasma_is_asked_for_less_when_it_has_had_enough_and_nothing_is_lost() -> Result<()> {
    with_rigs("servers: Plasma has had enough", || {
        let stage = Stage::new(Model::PLASMA, "", false)?;
        for n in 1..=5 {
            // Of several addresses each, so that none of them is taken for one of many forged ones.
            let mut several = scan(n, n);
            several.source = String::new();
            stage.collector.tell(&several)?;
        }
        stage.server.call(3)?;
        stage.agent.wait_for(SOON, |line| line.text.contains("ExcessNotificationGeneration"))?;
        thread::sleep(NOTHING);
        ensure!(stage.server.asked() <= 5, "it is not let alone: {} calls", stage.server.asked());
        // Half a minute later what was refused comes, together.
        let rest = until(Duration::from_secs(45), || stage.server.calls().get(3).cloned()).context("what was refused is lost")?;
        ensure!(rest.summary == "2 more firewall incidents" && rest.replaces == 0, "{rest:?}");
        ensure!(stage.server.refused().is_empty(), "{:?}", stage.server.refused());
        Ok(())
    })
}

#[test]
fn an_answer_that_comes_late_is_taken() -> Result<()> {
    with_rigs("servers: slow answers", || {
        let stage = Stage::new(Model::GNOME, "", false)?;
        stage.server.set_mood(Mood::Slow(Duration::from_secs(3)));
        let first = scan(1, 1);
        stage.collector.tell(&first)?;
        stage.server.call(1)?;
        stage.server.set_mood(Mood::Good);
        stage.collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
        ensure!(stage.server.call(2)?.replaces == 1, "{:#?}", stage.server.calls());
        ensure!(stage.server.screen().len() == 1);
        Ok(())
    })
}

#[test]
fn an_answer_that_is_none_is_not_tried_again_at_once() -> Result<()> {
    with_rigs("servers: malformed answers", || {
        let stage = Stage::new(Model::BARE, "", false)?;
        stage.server.set_mood(Mood::Zero);
        let first = scan(1, 1);
        stage.collector.tell(&first)?;
        stage.agent.wait_for(SOON, |line| line.text.contains("the number 0"))?;
        thread::sleep(NOTHING);
        ensure!(stage.server.calls().len() == 1, "{:#?}", stage.server.calls());
        // What is new about it is told as something new, in the place of nothing.
        stage.server.set_mood(Mood::Good);
        stage.collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
        ensure!(stage.server.call(2)?.replaces == 0, "{:#?}", stage.server.calls());
        Ok(())
    })
}

#[test]
fn only_what_is_bad_is_heard_and_only_once_and_not_where_the_user_says_no() -> Result<()> {
    with_rigs("servers: sound", || {
        let stage = Stage::new(Model::GNOME, "", false)?;
        let first = scan(1, 1);
        stage.collector.tell(&first)?;
        ensure!(stage.server.call(1)?.sound.is_empty());
        let worse = later(&first, 2, Phase::Escalated, Severity::BROAD);
        stage.collector.tell(&worse)?;
        ensure!(stage.server.call(2)?.sound == "dialog-warning");
        stage.collector.tell(&later(&worse, 3, Phase::Closed, Severity::BROAD))?;
        ensure!(stage.server.call(3)?.sound.is_empty(), "an update is not heard");
        let mut worst = scan(2, 4);
        worst.severity = Severity::CRITICAL;
        stage.collector.tell(&worst)?;
        ensure!(stage.server.call(4)?.sound == "dialog-error");
        let stage = Stage::new(Model::GNOME, "sound = false\n", false)?;
        stage.collector.tell(&worst)?;
        ensure!(stage.server.call(1)?.sound.is_empty());
        Ok(())
    })
}

#[test]
fn our_icon_is_the_senders_where_it_is_installed() -> Result<()> {
    with_rigs("servers: icon", || {
        for (has_icon, icon, image) in [(true, "firebell", "dialog-warning"), (false, "dialog-warning", "")] {
            let stage = Stage::new(Model::MATE, "", has_icon)?;
            stage.collector.tell(&scan(1, 1))?;
            let popup = stage.server.call(1)?;
            ensure!((popup.icon.as_str(), popup.image.as_str()) == (icon, image), "{popup:?}");
        }
        Ok(())
    })
}
