//! The whole way: packets, the kernel's log, the collector, the system bus, the agent, the desktop.
//!
//! Each scan runs in a network of its own, against the real kernel log; two desktops listen at the same time. The pictures
//! of what they showed are in `target/pictures`.

use anyhow::{Context, Result, ensure};
use firebell_tests::{
    program::{Program, built, repository},
    rig::{Desktop, Network, Notification, Notifications, VIEWER, bus_policy, only_prefix, pictures, with_rigs},
};
use std::{
    process::Stdio,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// An open incident is told again at most every ten seconds, so this long nothing more has to come to be sure.
const QUIET: Duration = Duration::from_secs(12);
/// The most updates one scan of a thousand ports may make.
const MAX_UPDATES: usize = 3;

/// A thousand ports, as nmap likes them: not all in a row.
const THOUSAND_PORTS: (&str, &str) = ("SCAN_PORTS", "20-1019");
const SIXTY_UDP_PORTS: (&str, &str) = ("SCAN_UDP", "200-259");

#[test]
fn a_syn_scan_of_1000_ports_is_one_notification_on_both_desktops() -> Result<()> {
    scan_is_one_notification("syn", THOUSAND_PORTS, "RIG_ATTACKER4")
}

#[test]
fn a_connect_scan_of_1000_ports_is_one_notification_on_both_desktops() -> Result<()> {
    scan_is_one_notification("connect", THOUSAND_PORTS, "RIG_ATTACKER4")
}

#[test]
fn a_fin_scan_of_1000_ports_is_one_notification_on_both_desktops() -> Result<()> {
    scan_is_one_notification("fin", THOUSAND_PORTS, "RIG_ATTACKER4")
}

#[test]
fn an_xmas_scan_of_1000_ports_is_one_notification_on_both_desktops() -> Result<()> {
    scan_is_one_notification("xmas", THOUSAND_PORTS, "RIG_ATTACKER4")
}

#[test]
fn a_null_scan_of_1000_ports_is_one_notification_on_both_desktops() -> Result<()> {
    scan_is_one_notification("null", THOUSAND_PORTS, "RIG_ATTACKER4")
}

#[test]
fn a_udp_scan_of_60_ports_is_one_notification_on_both_desktops() -> Result<()> {
    scan_is_one_notification("udp", SIXTY_UDP_PORTS, "RIG_ATTACKER4")
}

#[test]
fn an_ipv6_syn_scan_of_1000_ports_is_one_notification_on_both_desktops() -> Result<()> {
    scan_is_one_notification("v6-syn", THOUSAND_PORTS, "RIG_ATTACKER6")
}

/// Every harmless capture one after the other, then a real scan: the only popup is about the scan, so the whole way was
/// open while the others went by.
#[test]
fn harmless_traffic_gives_no_popup() -> Result<()> {
    with_rigs("harmless traffic", || {
        let corpus = repository().join("tests/corpus/dev");
        let mut lines = tempfile::NamedTempFile::new()?;
        let mut names: Vec<_> =
            std::fs::read_dir(&corpus)?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default())).collect::<Result<_>>()?;
        names.retain(|name| name.starts_with("quiet-") && name.ends_with(".kmsg.log"));
        names.sort();
        ensure!(names.len() >= 11, "only {names:?}");
        names.push("fin.kmsg.log".to_owned());
        for name in &names {
            std::io::copy(&mut std::fs::File::open(corpus.join(name))?, &mut lines)?;
        }
        let desk = Desk::up("dunst", None)?;
        let _collector =
            desk.desktop.collector(&built()?.join("firebelld"), "", &["--replay", "-", "--vouch"], Stdio::from(lines.reopen()?))?;
        let all = desk.notifications_after_silence()?;
        ensure!(all.iter().filter(|one| one.replaces == 0).count() == 1, "{all:#?}");
        ensure!(all.iter().all(|one| one.summary.contains("198.51.100.66")), "{all:#?}");
        Ok(())
    })
}

fn scan_is_one_notification(scan: &str, parameter: (&str, &str), source: &str) -> Result<()> {
    with_rigs(&format!("the {scan} scan"), || {
        // The kernel log is one for all: a prefix of our own keeps tests apart that run at the same time.
        let prefix = format!("FB{scan} DROP ");
        let network = Network::up(&prefix, &[])?;
        let dunst = Desk::up("dunst", None)?;
        let xfce = Desk::up("xfce4-notifyd", Some(&dunst))?;
        let collector = dunst.desktop.collector(&built()?.join("firebelld"), &only_prefix(&prefix), &[], Stdio::null())?;
        for desk in [&dunst, &xfce] {
            desk.agent.wait_for(Duration::from_secs(10), |line| line.text.contains("listening to the collector"))?;
        }

        let report = network.scan(scan, &[parameter])?;

        for (desk, daemon) in [(&dunst, "dunst"), (&xfce, "xfce4-notifyd")] {
            desk.notifications.first(Duration::from_secs(5)).with_context(|| format!("{daemon}: {report}"))?;
            desk.desktop.picture(&pictures()?.join(format!("{scan}-{daemon}.png")))?;
        }
        let about = network.value(source)?;
        for (desk, daemon) in [(&dunst, "dunst"), (&xfce, "xfce4-notifyd")] {
            let all = desk.notifications_after_silence()?;
            is_one(&all, about).with_context(|| format!("{daemon}: {report}\n{all:#?}"))?;
            desk.desktop.picture(&pictures()?.join(format!("{scan}-{daemon}-last.png")))?;
        }
        let (status, said) = collector.stop()?;
        ensure!(status.success(), "the collector ended with {status}: {said}");
        Ok(())
    })
}

/// One new notification, and then only updates of it, few of them, all about `source`.
fn is_one(all: &[Notification], source: &str) -> Result<()> {
    let (first, updates) = all.split_first().context("no notification")?;
    ensure!(first.replaces == 0, "the first one replaces another");
    ensure!(updates.len() <= MAX_UPDATES, "{} updates", updates.len());
    let id = updates.first().map_or(1, |one| one.replaces);
    ensure!(id != 0 && updates.iter().all(|one| one.replaces == id), "a second notification");
    ensure!(all.iter().all(|one| format!("{} {}", one.summary, one.body).contains(source)), "not about {source}");
    Ok(())
}

/// A desktop with an agent on it.
struct Desk {
    notifications: Notifications,
    agent: Program,
    desktop: Desktop,
}

impl Desk {
    /// With `beside`, its agent listens to the collector on the other desktop's system bus.
    fn up(daemon: &str, beside: Option<&Self>) -> Result<Self> {
        let desktop = Desktop::up(daemon, VIEWER, &["--policy", &bus_policy()])?;
        let notifications = desktop.notifications()?;
        let mut command = desktop.our_command(&built()?.join("firebell-notifier"))?;
        if let Some(other) = beside {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", other.desktop.system_bus()?);
        }
        let agent = Program::start("firebell-notifier", &mut command)?;
        agent.wait_for(Duration::from_secs(10), |line| line.text.contains("waiting for it"))?;
        Ok(Self { notifications, agent, desktop })
    }

    /// All notifications, once none has come for as long as an update can be held back.
    fn notifications_after_silence(&self) -> Result<Vec<Notification>> {
        self.notifications.first(Duration::from_secs(20))?;
        loop {
            let all = self.notifications.all()?;
            let last = all.last().context("there was a first one")?;
            let silent = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_micros(last.time)).unwrap_or_default();
            match QUIET.checked_sub(silent) {
                Some(left) if !left.is_zero() => thread::sleep(left),
                _ => return Ok(all),
            }
        }
    }
}
