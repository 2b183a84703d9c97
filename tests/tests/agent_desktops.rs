//! The agent on real notification servers: what a person sees. The pictures are in `target/pictures`.

use anyhow::{Context, Result, ensure};
use firebell_shared::{
    alert::{Alert, Attribution, OriginWord, Phase},
    severity::Severity,
};
use firebell_tests::{
    fake_collector::{FakeCollector, later, scan},
    private_bus::{PrivateBus, until},
    program::{Program, built, run},
    rig::{Desktop, Notification, Notifications, pictures, with_rigs},
};
use std::{path::Path, thread, time::Duration};

const SOON: Duration = Duration::from_secs(5);
/// The person at the desk: a user of every bare system.
const VIEWER: &str = "games";

/// A desktop, an agent on it, and a collector to tell it things, on a bus where anybody may be the collector.
struct Scene {
    collector: FakeCollector,
    notifications: Notifications,
    agent: Program,
    desktop: Desktop,
    _system: PrivateBus,
    daemon: &'static str,
}

impl Scene {
    fn up(daemon: &'static str) -> Result<Self> {
        let desktop = Desktop::up(daemon, VIEWER, &[])?;
        // The target folder may be where other users cannot go.
        let folder = tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir()?;
        let program = folder.path().join("firebell-notifier");
        std::fs::copy(built()?.join("firebell-notifier"), &program)?;
        let system = PrivateBus::start()?;
        let address = system.address();
        let notifications = desktop.notifications()?;
        let agent = Program::start("firebell-notifier", desktop.command(&program)?.env("DBUS_SYSTEM_BUS_ADDRESS", &address))?;
        agent.wait_for(SOON, |line| line.text.contains("not on the system bus; waiting"))?;
        let collector = FakeCollector::start(&address, "a")?;
        agent.wait_for(SOON, |line| line.text.contains("listening to the collector"))?;
        Ok(Self { collector, notifications, agent, desktop, _system: system, daemon })
    }

    /// Waits for the `n`th call of `Notify`.
    fn call(&self, n: usize) -> Result<Notification> {
        until(SOON, || self.notifications.all().ok()?.get(n.checked_sub(1)?).cloned())
            .with_context(|| format!("call {n} of {:#?}\n{:#?}", self.notifications.all(), self.agent.lines()))
    }

    fn picture(&self, name: &str) -> Result<()> {
        self.desktop.picture(&pictures()?.join(format!("agent-{name}-{}.png", self.daemon)))
    }
}

fn changed(mut alert: Alert, change: impl FnOnce(&mut Alert)) -> Alert {
    change(&mut alert);
    alert
}

#[test]
fn real_servers_show_a_popup_and_its_update_and_its_end_in_one_place() -> Result<()> {
    with_rigs("the agent on real servers", || {
        for daemon in ["dunst", "xfce4-notifyd"] {
            let scene = Scene::up(daemon)?;
            let first = changed(scan(66, 1), |alert| {
                alert.details.contacts = 7;
                alert.details.ports = "22-25,80,443,8080".to_owned();
                alert.details.last_seen = alert.details.first_seen + 300_000;
            });
            scene.collector.tell(&first)?;
            scene.call(1)?;
            scene.picture("scan")?;
            let worse = changed(scan(66, 2), |alert| {
                alert.severity = Severity::BROAD;
                alert.details.phase = Phase::Escalated;
                alert.details.tool = "nmap".to_owned();
            });
            scene.collector.tell(&worse)?;
            let update = scene.call(2)?;
            ensure!(update.replaces > 0, "{daemon}: {update:?}");
            thread::sleep(Duration::from_millis(500));
            scene.picture("scan-worse")?;
            scene.collector.tell(&later(&worse, 3, Phase::Closed, Severity::BROAD))?;
            let end = scene.call(3)?;
            ensure!(end.replaces == update.replaces && end.summary.ends_with("(ended)"), "{daemon}: {end:?}");
            thread::sleep(Duration::from_millis(500));
            scene.picture("scan-ended")?;
        }
        Ok(())
    })
}

#[test]
fn real_servers_show_markup_and_odd_text_as_what_it_is() -> Result<()> {
    with_rigs("odd text on real servers", || {
        for daemon in ["dunst", "xfce4-notifyd"] {
            let scene = Scene::up(daemon)?;
            scene.collector.tell(&changed(scan(1, 1), |alert| {
                alert.kind = "udp-scan".to_owned();
                alert.details.contacts = 60;
                alert.details.ports = "53,67-125".to_owned();
                alert.details.origin = OriginWord::Unverified;
                alert.details.advice = "Tags <b>like</b> &amp; <img src=\"http://198.51.100.1/x\"> & \u{202e}bidi \x1b[31m".to_owned();
            }))?;
            let popup = scene.call(1)?;
            ensure!(popup.body.contains("&lt;b&gt;like&lt;/b&gt; &amp;amp;"), "{daemon}: {popup:?}");
            scene.collector.tell(&changed(scan(2, 2), |alert| {
                alert.kind = "decoy-scan".to_owned();
                alert.source = String::new();
                alert.severity = Severity::CRITICAL;
                alert.details.sources = (1..=5).map(|n| format!("203.0.113.{n}")).collect();
                alert.details.attribution = Attribution::DecoySet;
            }))?;
            scene.call(2)?;
            thread::sleep(Duration::from_millis(500));
            scene.picture("odd")?;
        }
        Ok(())
    })
}

#[test]
fn an_attack_from_everywhere_does_not_fill_a_real_screen() -> Result<()> {
    with_rigs("many sources on real servers", || {
        for daemon in ["dunst", "xfce4-notifyd"] {
            let scene = Scene::up(daemon)?;
            for n in 1..=30 {
                scene.collector.tell(&changed(scan(n, n), |alert| alert.severity = Severity::BROAD))?;
                thread::sleep(Duration::from_millis(20));
            }
            thread::sleep(Duration::from_secs(12));
            scene.picture("many")?;
            let all = scene.notifications.all()?;
            ensure!(all.iter().filter(|popup| popup.replaces == 0).count() == 6, "{daemon}: {all:#?}");
            ensure!(all.last().is_some_and(|popup| popup.summary == "25 more firewall incidents"), "{daemon}: {all:#?}");
        }
        Ok(())
    })
}

#[test]
fn blindness_is_one_popup_on_dunst_and_goes_with_it() -> Result<()> {
    with_rigs("blindness on dunst", || {
        let scene = Scene::up("dunst")?;
        let shown =
            || Ok::<_, anyhow::Error>(run(scene.desktop.command(Path::new("dunstctl"))?.args(["count", "displayed"]))?.trim().to_owned());
        scene.collector.blind(Some("no log can be read since a minute or longer; see the journal of firebelld"))?;
        let popup = scene.call(1)?;
        ensure!(popup.summary == "Firebell cannot see the firewall log" && popup.replaces == 0, "{popup:?}");
        scene.collector.tell(&changed(scan(1, 1), |alert| {
            (alert.details.known, alert.details.known_surely) = ("masscan's ports & <sequence>".to_owned(), true);
        }))?;
        ensure!(scene.call(2)?.body.contains("\nRecognised: masscan&apos;s ports &amp; &lt;sequence&gt;.\n"), "{:?}", scene.call(2)?);
        until(SOON, || (shown().ok()? == "2").then_some(())).context("two popups")?;
        scene.picture("blind")?;
        scene.collector.blind(None)?;
        until(SOON, || (shown().ok()? == "1").then_some(())).context("the one about blindness stays")?;
        Ok(())
    })
}

#[test]
fn what_a_person_closed_on_dunst_stays_closed() -> Result<()> {
    with_rigs("closing on dunst", || {
        let scene = Scene::up("dunst")?;
        let first = scan(1, 1);
        scene.collector.tell(&first)?;
        scene.call(1)?;
        run(scene.desktop.command(Path::new("dunstctl"))?.arg("close-all"))?;
        thread::sleep(Duration::from_millis(300));
        scene.collector.tell(&later(&first, 2, Phase::Reopened, Severity::AIMED))?;
        scene.collector.tell(&later(&first, 3, Phase::Closed, Severity::AIMED))?;
        scene.collector.tell(&scan(2, 4))?;
        let next = scene.call(2)?;
        ensure!(next.summary.ends_with(".2") && next.replaces == 0, "{next:?}");
        Ok(())
    })
}
