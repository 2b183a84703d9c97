//! The rigs do what other tests believe of them.

use anyhow::{Result, ensure};
use firebell_tests::{
    program::run,
    rig::{Desktop, Network, pictures, with_rigs},
};
use std::{path::Path, time::Duration};

#[test]
fn a_network_logs_what_its_firewall_refuses_and_leaves_nothing_behind() -> Result<()> {
    with_rigs("a network", || {
        let network = Network::up("FBRIG ", &[])?;
        let namespace = Path::new("/run/netns").join(network.value("RIG_VIC_NS")?);
        let kept = tempfile::NamedTempFile::new()?;
        let said = network.scan_into("quiet-dns", kept.path())?;
        ensure!(said.contains("packets_logged=8"), "{said}");
        let log = std::fs::read_to_string(kept.path())?;
        ensure!(log.matches(";FBRIG IN=eth0 OUT= MAC=").count() == 8, "{log}");
        ensure!(namespace.exists());
        drop(network);
        ensure!(!namespace.exists(), "{namespace:?} is still there");
        Ok(())
    })
}

#[test]
fn both_desktops_show_a_notification_that_the_monitor_hears() -> Result<()> {
    with_rigs("desktops", || {
        for daemon in ["dunst", "xfce4-notifyd"] {
            let desktop = Desktop::up(daemon, "games", &[])?;
            let heard = desktop.notifications()?;
            run(desktop.command(Path::new("notify-send"))?.args(["A title", "and a body"]))?;
            let one = heard.first(Duration::from_secs(5))?;
            ensure!((one.replaces, one.summary.as_str(), one.body.as_str()) == (0, "A title", "and a body"), "{one:?}");
            desktop.picture(&pictures()?.join(format!("rig-{daemon}.png")))?;
            ensure!(heard.all()?.len() == 1);
        }
        Ok(())
    })
}
