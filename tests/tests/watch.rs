//! `firebell watch` on a real terminal of 80 columns and 24 lines, without colours, driven by keys.

use anyhow::{Context as _, Result, ensure};
use firebell_tests::{bus::wait_until, program::built, rig::with_rigs, stage::Stage, terminal::Terminal};
use std::{process::Command, time::Duration};

const SECONDS: Duration = Duration::from_secs(20);

/// A terminal without colours, with the program on it.
fn start(stage: &Stage) -> Result<Terminal> {
    let line = format!(
        "env NO_COLOR=1 DBUS_SYSTEM_BUS_ADDRESS={} {} watch; echo ended with $?; exec cat",
        stage.bus.address(),
        built()?.join("firebell").display()
    );
    Terminal::start(stage.folder.path(), &line)
}

#[test]
fn the_whole_screen_follows_incidents_and_keys_mute_acknowledge_and_filter() -> Result<()> {
    with_rigs("firebell watch", || {
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        stage.scan("198.51.100.66", 8)?;
        stage.wait_for("198.51.100.66")?;
        let terminal = start(&stage)?;
        terminal.wait_for(&["1 incident goes on", "198.51.100.66: SYN scan of 7 TCP ports", "q quit"])?;
        stage.scan("198.51.100.67", 8)?;
        let shown = terminal.wait_for(&["2 incidents go on", "198.51.100.67: SYN scan"])?;
        ensure!(!has_colour(&shown), "a colour, where none is wanted: {shown:?}");
        ensure!(shown.lines().count() <= 24, "{shown}");

        terminal.press(&["/", "100.66", "Enter"])?;
        wait_until("the other one is filtered out", SECONDS, || Ok(!terminal.shown()?.contains("198.51.100.67:")))?;
        terminal.press(&["Enter"])?;
        terminal.wait_for(&["kind        syn-scan, severity 3", "firewall    dropped"])?;
        terminal.press(&["Enter", "a"])?;
        terminal.wait_for(&["is acknowledged until it becomes worse"])?;
        terminal.press(&["m"])?;
        terminal.wait_for(&["Mute 198.51.100.66 for a day"])?;
        terminal.press(&["y"])?;
        terminal.wait_for(&["198.51.100.66 is muted for everybody"])?;
        let alerts = stage.alerts(0)?;
        let alert = alerts.iter().find(|alert| alert.source == "198.51.100.66").context("no incident")?;
        ensure!(alert.details.acknowledged.is_some(), "{alert:?}");

        // A collector that goes away is waited for.
        collector.kill()?;
        terminal.wait_for(&["no collector is on the system bus; start firebelld; waiting for it"])?;
        let _collector = stage.follow()?;
        terminal.press(&["Escape"])?;
        terminal.wait_for(&["198.51.100.67: SYN scan", "2 incidents go on"])?;
        terminal.press(&["q"])?;
        terminal.wait_for(&["ended with 0"])?;
        Ok(())
    })
}

/// Does anything in it choose a colour? 39 and 49 go back to the terminal's own (ECMA-48, section 8.3.117).
fn has_colour(shown: &str) -> bool {
    let codes = shown.split("\u{1b}[").skip(1).filter_map(|rest| rest.split('m').next());
    codes.flat_map(|codes| codes.split(';')).any(|code| matches!(code.parse(), Ok(30..=38 | 40..=48 | 90..=107)))
}

#[test]
fn colours_are_told_from_what_takes_them_back() {
    assert!(has_colour("a\u{1b}[1;33mb") && has_colour("\u{1b}[38;5;1m"));
    assert!(!has_colour("\u{1b}[0m\u{1b}[39m\u{1b}[49m\u{1b}[7m33"));
}

#[test]
fn where_there_is_no_terminal_it_says_what_does() -> Result<()> {
    let output = Command::new(built()?.join("firebell")).arg("watch").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1) && said.contains("firebell alerts --follow"), "{output:?}");
    Ok(())
}
