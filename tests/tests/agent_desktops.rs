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
use std::{
    io::Write as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(5);
/// The person at the desk: a user of every bare system.
const VIEWER: &str = "games";

/// A desktop, an agent on it, and a collector to tell it things, on a bus where anybody may be the collector.
struct Scene {
    collector: FakeCollector,
    notifications: Notifications,
    agent: Program,
    desktop: Desktop,
    /// Where our programs are, and a browser that writes down what it was opened with.
    folder: tempfile::TempDir,
    system: PrivateBus,
    daemon: &'static str,
}

impl Scene {
    fn up(daemon: &'static str) -> Result<Self> {
        let desktop = Desktop::up(daemon, VIEWER, &[])?;
        // The target folder may be where other users cannot go.
        let folder = tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir()?;
        for name in ["firebell-notifier", "firebell"] {
            std::fs::copy(built()?.join(name), folder.path().join(name))?;
        }
        let opener = folder.path().join("xdg-open");
        std::fs::write(&opener, "#!/bin/sh\necho \"$1\" >\"$XDG_RUNTIME_DIR/opened\"\n")?;
        std::fs::set_permissions(&opener, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let system = PrivateBus::start()?;
        let address = system.address();
        let notifications = desktop.notifications()?;
        let agent = start(&desktop, folder.path(), &address)?;
        agent.wait_for(SOON, |line| line.text.contains("not on the system bus; waiting"))?;
        let collector = FakeCollector::start(&address, "a")?;
        agent.wait_for(SOON, |line| line.text.contains("listening to the collector"))?;
        Ok(Self { collector, notifications, agent, desktop, folder, system, daemon })
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

/// An agent, on this desktop and this system bus, from this folder.
fn start(desktop: &Desktop, folder: &Path, address: &str) -> Result<Program> {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = desktop.command(&folder.join("firebell-notifier"))?;
    Program::start("firebell-notifier", command.env("DBUS_SYSTEM_BUS_ADDRESS", address).env("PATH", path))
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

/// What could be taken for markup, a direction or a control is shown as text, and the server lives.
fn odd_text(scene: &Scene) -> Result<()> {
    let daemon = scene.daemon;
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
    // It is still there, and shows what comes next.
    scene.collector.tell(&scan(3, 3))?;
    scene.call(3)?;
    Ok(())
}

#[test]
fn real_servers_show_markup_and_odd_text_as_what_it_is() -> Result<()> {
    with_rigs("odd text on real servers", || {
        let x11 = ["dunst", "xfce4-notifyd", "mate-notification-daemon", "lxqt-notificationd", "notification-daemon"];
        for daemon in x11.into_iter().chain(["mako", "swaync"]) {
            odd_text(&Scene::up(daemon)?)?;
        }
        Ok(())
    })
}

#[test]
fn a_thousand_incidents_in_a_second_are_one_popup_and_one_digest_on_a_real_screen() -> Result<()> {
    with_rigs("a thousand sources on real servers", || {
        for daemon in ["dunst", "xfce4-notifyd"] {
            let scene = Scene::up(daemon)?;
            let start = Instant::now();
            for n in 1..=1000 {
                scene.collector.tell(&changed(scan(n, n), |alert| {
                    alert.severity = Severity::BROAD;
                    alert.source = format!("203.0.{}.{}", n / 250, n % 250 + 1);
                }))?;
            }
            let took = start.elapsed();
            let all = || scene.notifications.all().unwrap_or_default();
            until(Duration::from_secs(60), || (all().last()?.summary == "999 more firewall incidents").then_some(()))
                .with_context(|| format!("{daemon}: {:#?}", all()))?;
            thread::sleep(Duration::from_millis(500));
            scene.picture("many")?;
            let calls = all();
            let new: Vec<&str> = calls.iter().filter(|popup| popup.replaces == 0).map(|popup| popup.summary.as_str()).collect();
            ensure!(new.len() == 2 && new[0] == "Port scan from 203.0.0.2" && calls.len() <= 6, "{daemon}: {calls:#?}");
            let memory = scene.agent.own_memory()?;
            writeln!(std::io::stderr(), "{daemon}: 1,000 incidents in {took:?}: {} calls, {memory} KiB", calls.len())?;
            ensure!(memory < 8 * 1024, "{daemon}: {memory} KiB");
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

/// Shows, updates and takes away one popup; gives the server's id of it.
fn one_popup(scene: &Scene) -> Result<()> {
    let daemon = scene.daemon;
    let closed = scene.desktop.signals("NotificationClosed")?;
    let first = scan(66, 1);
    scene.collector.tell(&first)?;
    let shown = scene.call(1)?;
    ensure!(shown.replaces == 0, "{daemon}: {shown:?}");
    scene.picture("one")?;
    let worse = later(&first, 2, Phase::Escalated, Severity::BROAD);
    scene.collector.tell(&worse)?;
    let update = scene.call(2)?;
    ensure!(update.replaces > 0, "{daemon}: {update:?}");
    thread::sleep(Duration::from_millis(500));
    scene.picture("one-worse")?;
    ensure!(closed.all()?.is_empty(), "{daemon} closed it: {:?}", closed.all());
    let mut merged = later(&worse, 3, Phase::Merged, Severity::BROAD);
    merged.details.merged_into = Some(9);
    scene.collector.tell(&merged)?;
    let gone = closed.first(SOON).with_context(|| format!("{daemon} does not close it"))?;
    ensure!(gone.pointer("/payload/data/0").and_then(serde_json::Value::as_u64) == Some(update.replaces), "{daemon}: {gone}");
    Ok(())
}

#[test]
fn mate_shows_updates_and_closes_one_popup() -> Result<()> {
    with_rigs("one popup on MATE", || one_popup(&Scene::up("mate-notification-daemon")?))
}

#[test]
fn lxqt_shows_updates_and_closes_one_popup() -> Result<()> {
    with_rigs("one popup on LXQt", || one_popup(&Scene::up("lxqt-notificationd")?))
}

#[test]
fn notification_daemon_shows_updates_and_closes_one_popup() -> Result<()> {
    with_rigs("one popup on notification-daemon", || one_popup(&Scene::up("notification-daemon")?))
}

#[test]
fn mako_shows_updates_and_closes_one_popup() -> Result<()> {
    with_rigs("one popup on mako", || one_popup(&Scene::up("mako")?))
}

#[test]
fn swaync_shows_updates_and_closes_one_popup() -> Result<()> {
    with_rigs("one popup on SwayNC", || one_popup(&Scene::up("swaync")?))
}

/// A whole desktop is too much to install for one test, so it is left out where it is missing, also where everything else is required, and says so.
fn whole_desktop(name: &str, program: &str, daemon: &'static str) -> Result<()> {
    let what = format!("one popup, and odd text, on {name}");
    if !Path::new(program).exists() {
        writeln!(std::io::stderr(), "left out: {what}: no {program}")?;
        return Ok(());
    }
    with_rigs(&what, || {
        one_popup(&Scene::up(daemon)?)?;
        odd_text(&Scene::up(daemon)?)
    })
}

#[test]
fn gnome_shell_shows_updates_and_closes_one_popup_and_odd_text_as_what_it_is() -> Result<()> {
    whole_desktop("GNOME Shell", "/usr/bin/gnome-shell", "gnome-shell")
}

#[test]
fn plasma_shows_updates_and_closes_one_popup_and_odd_text_as_what_it_is() -> Result<()> {
    whole_desktop("Plasma", "/usr/bin/plasmashell", "plasma")
}

#[test]
fn while_dunst_is_paused_popups_wait_and_one_tells_what_is_over_by_then() -> Result<()> {
    with_rigs("dunst paused", || {
        let scene = Scene::up("dunst")?;
        let pause = |is_paused: &str| run(scene.desktop.command(Path::new("dunstctl"))?.args(["set-paused", is_paused]));
        pause("true")?;
        scene.agent.wait_for(SOON, |line| line.text.contains("popups wait now"))?;
        for n in 1..=3 {
            let first = scan(n, 10 * n);
            scene.collector.tell(&first)?;
            scene.collector.tell(&later(&first, 10 * n + 1, Phase::Closed, Severity::AIMED))?;
        }
        scene.collector.tell(&scan(4, 50))?;
        thread::sleep(Duration::from_millis(700));
        ensure!(scene.notifications.all()?.is_empty(), "{:?}", scene.notifications.all());
        pause("false")?;
        let titles = [scene.call(1)?.summary, scene.call(2)?.summary];
        ensure!(titles == ["Port scan from 198.51.100.4", "While you were away: 3 scans from 3 addresses"], "{titles:?}");
        thread::sleep(Duration::from_millis(500));
        scene.picture("away")
    })
}

#[test]
fn what_was_over_before_the_collector_could_be_heard_is_one_popup() -> Result<()> {
    with_rigs("away on xfce4-notifyd", || {
        let mut scene = Scene::up("xfce4-notifyd")?;
        let mut history = scene.collector.stop()?;
        scene.agent.wait_for(SOON, |line| line.text.contains("not on the system bus; waiting"))?;
        history.extend((1..=7).map(|n| later(&scan(n, 2 * n), 2 * n + 1, Phase::Closed, Severity::AIMED)));
        scene.collector = FakeCollector::resume(&scene.system.address(), "a", history)?;
        let popup = scene.call(1)?;
        ensure!(popup.summary == "While you were away: 7 scans from 7 addresses", "{popup:?}");
        thread::sleep(Duration::from_millis(500));
        scene.picture("away")
    })
}

#[test]
fn dunst_and_mako_open_the_page_when_somebody_asks_for_details() -> Result<()> {
    with_rigs("details on dunst and mako", || {
        for (daemon, invoke) in [("dunst", &["dunstctl", "action"][..]), ("mako", &["makoctl", "invoke", "details"])] {
            let scene = Scene::up(daemon)?;
            scene.collector.tell(&scan(66, 1))?;
            scene.call(1)?;
            thread::sleep(Duration::from_millis(500));
            run(scene.desktop.command(Path::new(invoke[0]))?.args(&invoke[1..]))?;
            let page = page(&scene)?;
            ensure!(page.contains("<h1>") && page.contains("198.51.100.66"), "{daemon}: {page}");
        }
        Ok(())
    })
}

/// The page that the browser was opened with.
fn page(scene: &Scene) -> Result<String> {
    let folder = scene.desktop.runtime()?;
    let opened = until(SOON, || std::fs::read_to_string(folder.join("opened")).ok().filter(|path| path.ends_with('\n')))
        .with_context(|| format!("{}: nothing was opened\n{:#?}", scene.daemon, scene.agent.lines()))?;
    Ok(std::fs::read_to_string(opened.trim())?)
}

#[test]
fn a_hand_on_the_mouse_presses_the_buttons_of_xfce() -> Result<()> {
    with_rigs("clicks on xfce4-notifyd", || {
        let scene = Scene::up("xfce4-notifyd")?;
        let closed = scene.desktop.signals("NotificationClosed")?;
        let gone = |n: usize| until(SOON, || (closed.all().ok()?.len() >= n).then_some(())).context("the popup stays");
        // The two buttons stand at the right, each 121 pixels wide, and 31 above the lower edge: see the picture.
        let (left, right, up) = (202, 74, 31);
        scene.collector.tell(&scan(66, 1))?;
        scene.call(1)?;
        scene.picture("buttons")?;
        scene.desktop.click(left, up, 1)?;
        ensure!(page(&scene)?.contains("198.51.100.66"));
        gone(1)?;
        thread::sleep(Duration::from_secs(1));
        scene.collector.tell(&scan(67, 2))?;
        scene.call(2)?;
        thread::sleep(Duration::from_millis(500));
        scene.desktop.click(right, up, 1)?;
        let said = scene.call(3)?;
        ensure!(said.body.contains("198.51.100.67 is muted"), "{said:?}");
        gone(2)?;
        thread::sleep(Duration::from_millis(500));
        scene.picture("muted")?;
        scene.desktop.click(right, up, 1)?;
        let said = scene.call(4)?;
        ensure!(said.body.contains("198.51.100.67 is no longer muted"), "{said:?}");
        Ok(())
    })
}

#[test]
fn a_middle_click_on_dunst_opens_the_page() -> Result<()> {
    with_rigs("a click on dunst", || {
        let scene = Scene::up("dunst")?;
        scene.collector.tell(&scan(66, 1))?;
        scene.call(1)?;
        scene.picture("click")?;
        scene.desktop.click(100, 40, 2)?;
        ensure!(page(&scene)?.contains("198.51.100.66"));
        Ok(())
    })
}

/// What the agent has written down of the popups on the screen.
fn kept(desktop: &Desktop) -> Result<String> {
    let folder = desktop.runtime()?.join("firebell");
    let file = std::fs::read_dir(&folder)?.flatten().next().with_context(|| format!("nothing in {}", folder.display()))?;
    Ok(std::fs::read_to_string(file.path())?)
}

/// Kills the agent once it has written down `words`, does `meanwhile`, and starts it again.
fn killed(mut scene: Scene, words: &str, meanwhile: impl FnOnce(&Desktop, &FakeCollector) -> Result<()>) -> Result<Scene> {
    until(SOON, || kept(&scene.desktop).ok()?.contains(words).then_some(()))
        .with_context(|| format!("{}: {words} is not in {:?}", scene.daemon, kept(&scene.desktop)))?;
    scene.agent.kill()?;
    meanwhile(&scene.desktop, &scene.collector)?;
    scene.agent = start(&scene.desktop, scene.folder.path(), &scene.system.address())?;
    for words in ["listening to the collector", "took over what an earlier agent left"] {
        scene.agent.wait_for(SOON, |line| line.text.contains(words))?;
    }
    Ok(scene)
}

/// The popup of an incident that grows and ends is one, though the agent is killed over and over.
fn one_popup_of_many_agents(daemon: &'static str) -> Result<Scene> {
    let scene = Scene::up(daemon)?;
    let closed = scene.desktop.signals("NotificationClosed")?;
    let titled = |scene: &Scene, title: &str, says: &str| {
        let last = || scene.notifications.all().ok()?.last().cloned();
        until(SOON, || last().filter(|popup| popup.summary == title && popup.body.contains(says)))
            .with_context(|| format!("{daemon}: {title} is not {:#?}", scene.notifications.all()))
    };
    let first = scan(66, 1);
    scene.collector.tell(&first)?;
    ensure!(scene.call(1)?.replaces == 0);
    let scene = killed(scene, "\"revision\":1,", |_, _| Ok(()))?;
    let worse = changed(later(&first, 2, Phase::Escalated, Severity::BROAD), |alert| alert.details.tool = "nmap".to_owned());
    scene.collector.tell(&worse)?;
    let id = titled(&scene, "Port scan from 198.51.100.66", "nmap")?.replaces;
    scene.picture("heir-worse")?;
    let ended = later(&worse, 3, Phase::Closed, Severity::BROAD);
    let scene = killed(scene, "\"revision\":2,", |_, collector| {
        collector.keep(&ended);
        Ok(())
    })?;
    titled(&scene, "Port scan from 198.51.100.66 (ended)", "nmap")?;
    let scene = killed(scene, "\"revision\":3,", |_, _| Ok(()))?;
    thread::sleep(Duration::from_millis(1500));
    scene.picture("heir-ended")?;
    let calls = scene.notifications.all()?;
    ensure!(id > 0 && calls.iter().skip(1).all(|popup| popup.replaces == id), "{daemon}: {calls:#?}");
    // dunst and GNOME say what becomes of a popup to nobody but who showed it last, so each agent shows it, as it is or as it has become by then.
    let expected = if daemon == "xfce4-notifyd" { 3..=3 } else { 4..=5 };
    ensure!(expected.contains(&calls.len()), "{daemon}: {calls:#?}");
    ensure!(closed.all()?.is_empty(), "{daemon} closed it: {:?}", closed.all());
    Ok(scene)
}

#[test]
fn agents_that_are_killed_have_one_popup_on_dunst_and_its_button_works() -> Result<()> {
    with_rigs("killed on dunst", || {
        let scene = one_popup_of_many_agents("dunst")?;
        let dunstctl = |arguments: &[&str]| run(scene.desktop.command(Path::new("dunstctl"))?.args(arguments));
        ensure!(dunstctl(&["count", "displayed"])?.trim() == "1");
        dunstctl(&["action"])?;
        ensure!(page(&scene)?.contains("198.51.100.66"));
        Ok(())
    })
}

#[test]
fn agents_that_are_killed_have_one_popup_on_gnome_shell() -> Result<()> {
    if !Path::new("/usr/bin/gnome-shell").exists() {
        writeln!(std::io::stderr(), "left out: killed on GNOME Shell: no /usr/bin/gnome-shell")?;
        return Ok(());
    }
    with_rigs("killed on GNOME Shell", || one_popup_of_many_agents("gnome-shell").map(drop))
}

#[test]
fn agents_that_are_killed_have_one_popup_on_xfce_and_its_button_works() -> Result<()> {
    with_rigs("killed on xfce4-notifyd", || {
        let scene = one_popup_of_many_agents("xfce4-notifyd")?;
        // The left one of its two buttons: see the picture.
        scene.desktop.click(202, 31, 1)?;
        ensure!(page(&scene)?.contains("198.51.100.66"));
        Ok(())
    })
}

#[test]
fn what_was_closed_on_dunst_while_there_was_no_agent_stays_closed() -> Result<()> {
    with_rigs("closed while there is no agent", || {
        let scene = Scene::up("dunst")?;
        let first = scan(66, 1);
        scene.collector.tell(&first)?;
        scene.call(1)?;
        let close = |desktop: &Desktop, _: &FakeCollector| run(desktop.command(Path::new("dunstctl"))?.arg("close-all")).map(drop);
        let scene = killed(scene, "\"revision\":1,", close)?;
        let first = later(&first, 2, Phase::Reopened, Severity::AIMED);
        scene.collector.tell(&first)?;
        thread::sleep(Duration::from_millis(1500));
        ensure!(scene.notifications.all()?.len() == 1, "{:#?}", scene.notifications.all());
        scene.collector.tell(&later(&first, 3, Phase::Escalated, Severity::BROAD))?;
        ensure!(scene.call(2)?.replaces == 0);
        Ok(())
    })
}

#[test]
fn what_was_closed_on_gnome_shell_while_there_was_no_agent_stays_closed() -> Result<()> {
    if !Path::new("/usr/bin/gnome-shell").exists() {
        writeln!(std::io::stderr(), "left out: closed while there is no agent, on GNOME Shell: no /usr/bin/gnome-shell")?;
        return Ok(());
    }
    with_rigs("closed while there is no agent, on GNOME Shell", || {
        let scene = Scene::up("gnome-shell")?;
        let closed = scene.desktop.signals("NotificationClosed")?;
        let first = scan(66, 1);
        scene.collector.tell(&first)?;
        scene.call(1)?;
        let close = |desktop: &Desktop, _: &FakeCollector| {
            let place = ["org.freedesktop.Notifications", "/org/freedesktop/Notifications", "org.freedesktop.Notifications"];
            let left: serde_json::Value = serde_json::from_str(&kept(desktop)?)?;
            let id = left.pointer("/screen/popups/0/popup").context("no popup")?.to_string();
            let mut busctl = desktop.command(Path::new("busctl"))?;
            run(busctl.args(["--user", "call"]).args(place).args(["CloseNotification", "u", &id])).map(drop)
        };
        let scene = killed(scene, "\"revision\":1,", close)?;
        // It is shown once more, under a new number, and taken away at once.
        scene.call(2)?;
        let numbers = || closed.all().ok()?.iter().map(|signal| signal.pointer("/payload/data/0")?.as_u64()).collect::<Option<Vec<u64>>>();
        until(SOON, || numbers()?.iter().any(|&number| number > 1).then_some(())).context("it stays on the screen")?;
        scene.collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
        ensure!(scene.call(3)?.replaces == 0, "{:#?}", scene.notifications.all());
        Ok(())
    })
}
