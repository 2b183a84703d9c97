//! `firebell test --live` on this machine's own kernel log, with a private bus and desktop.

use anyhow::{Context, Result, ensure};
use firebell_tests::{
    bus::need_root,
    program::{Program, built, run},
    rig::{Desktop, VIEWER, bus_policy, only_prefix, with_rigs},
};
use serde_json::Value;
use std::{
    process::{Command, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// One test after the other: what they send goes through one kernel log and has one prefix.
static KERNEL_LOG: Mutex<()> = Mutex::new(());

/// The interface and the table that the process `id` has made, and that must not outlive it. The interface is there as long as the
/// helper in the private namespace is.
fn made_by(id: u32) -> Result<Vec<String>> {
    let all = run(Command::new("sh").args(["-c", "ip -o link; nft list tables"]))?;
    let (interface, table) = (format!("fbtest{id}@"), format!("firebell_test_{id}"));
    Ok(all.lines().filter(|line| line.contains(&interface) || line.ends_with(&table)).map(str::to_owned).collect())
}

#[test]
fn every_scan_is_seen_from_packet_to_popup_and_nothing_is_left() -> Result<()> {
    with_rigs("firebell test --live", || {
        need_root()?;
        let _turn = KERNEL_LOG.lock();
        let desktop = Desktop::up("dunst", VIEWER, &["--policy", &bus_policy()])?;
        // Other tests may let other namespaces write to the kernel log meanwhile, so the prefix is vouched for.
        let collector = desktop.collector(&built()?.join("firebelld"), &only_prefix("firebell TEST DROP "), &[], Stdio::null())?;
        let agent = Program::start("firebell-notifier", &mut desktop.our_command(&built()?.join("firebell-notifier"))?)?;
        agent.wait_for(Duration::from_secs(10), |line| line.text.contains("listening to the collector"))?;
        // Again and again, as whoever mends a firewall does: scans of one run are not taken for a part of the last
        // one's, and those that came too many a minute are sent once more.
        for round in 0..3 {
            let mut command = Command::new(built()?.join("firebell"));
            command.args(["test", "--live", "-o", "json"]);
            command.env("DBUS_SYSTEM_BUS_ADDRESS", desktop.system_bus()?).env("DBUS_SESSION_BUS_ADDRESS", desktop.session_bus()?);
            // As sudo would have it.
            for (name, option) in [("SUDO_UID", "-u"), ("SUDO_GID", "-g")] {
                command.env(name, run(Command::new("id").args([option, VIEWER]))?.trim());
            }
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
            let id = child.id();
            let output = child.wait_with_output()?;
            let said: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
            // The agent shows only so many popups an hour, so at last there may be none for them.
            ensure!(output.status.success() || round > 0, "{said:#}\n{output:?}");
            let scans = said["scans"].as_array().context("no scans")?;
            ensure!(scans.len() >= 3, "{said:#}");
            for (scan, kind) in scans.iter().zip(["syn-scan", "fin-scan", "udp-scan", "syn-scan"]) {
                ensure!(scan["logged"] == scan["sent"] && scan["alert"].as_str().is_some_and(|alert| alert.starts_with(kind)), "{said:#}");
            }
            ensure!(scans[0]["popup_ms"].is_number() || round > 0, "{said:#}");
            ensure!(made_by(id)?.is_empty(), "{:?}", made_by(id)?);
        }
        collector.stop()?;
        Ok(())
    })
}

/// `firebell test --live` on a machine without these programs: `/dev/null` stands in their place. Its process id, and what it says.
fn without(programs: &[&str]) -> Result<(u32, Output)> {
    let hide = "for name in $HIDDEN; do for folder in /usr/sbin /usr/bin /sbin /bin; do
        [ ! -f $folder/$name ] || mount --bind /dev/null $folder/$name; done; done; exec \"$0\" test --live -o json";
    let child = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--", "sh", "-ec", hide])
        .arg(built()?.join("firebell"))
        .env("HIDDEN", programs.join(" "))
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok((child.id(), child.wait_with_output()?))
}

const IPTABLES: [&str; 6] = ["iptables", "ip6tables", "iptables-nft", "ip6tables-nft", "xtables-nft-multi", "xtables-legacy-multi"];

#[test]
fn with_nftables_alone_it_works_and_without_it_says_what_to_install_and_leaves_nothing() -> Result<()> {
    with_rigs("firebell test --live, programs missing", || {
        need_root()?;
        let _turn = KERNEL_LOG.lock();
        let (id, output) = without(&IPTABLES)?;
        let said: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
        let scans = said["scans"].as_array().context("no scans")?;
        ensure!(scans.len() >= 3 && scans.iter().all(|scan| scan["sent"] == 40 && scan["logged"] == 40), "{said:#}");
        // 69: nobody but the log has seen them.
        ensure!(output.status.code() == Some(69) && made_by(id)?.is_empty(), "{output:?}");
        for (programs, packages) in [
            (&["nft"][..], "needs nft, which is not installed: apt-get install nftables "),
            (&["nft", "ip", "iptables", "ip6tables"], "needs ip and nft, which is not installed: apt-get install iproute2 nftables "),
            (&["unshare"], "apt-get install util-linux "),
        ] {
            let (id, output) = without(programs)?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(output.status.code() == Some(1) && said.contains(packages), "{programs:?}: {output:?}");
            ensure!(made_by(id)?.is_empty(), "{programs:?}: {:?}", made_by(id)?);
        }
        Ok(())
    })
}

#[test]
fn killed_at_any_moment_it_leaves_nothing() -> Result<()> {
    with_rigs("firebell test --live, killed anywhere", || {
        need_root()?;
        let _turn = KERNEL_LOG.lock();
        for delay in (0..400).step_by(20) {
            let mut command = Command::new(built()?.join("firebell"));
            let mut child = command.args(["test", "--live"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            let id = child.id();
            thread::sleep(Duration::from_millis(delay));
            child.kill()?;
            child.wait()?;
            // The kernel takes a namespace away some time after the last of its processes.
            let end = Instant::now() + Duration::from_secs(10);
            while !made_by(id)?.is_empty() && Instant::now() < end {
                thread::sleep(Duration::from_millis(5));
            }
            ensure!(made_by(id)?.is_empty(), "killed after {delay} ms: {:?}", made_by(id)?);
        }
        Ok(())
    })
}

#[test]
fn killed_in_the_middle_it_leaves_nothing() -> Result<()> {
    with_rigs("firebell test --live, killed", || {
        need_root()?;
        let _turn = KERNEL_LOG.lock();
        let mut child =
            Command::new(built()?.join("firebell")).args(["test", "--live"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let id = child.id();
        let until = |wanted: &dyn Fn() -> Result<bool>| -> Result<bool> {
            let end = Instant::now() + Duration::from_secs(10);
            while Instant::now() < end {
                if wanted()? {
                    return Ok(true);
                }
                thread::sleep(Duration::from_millis(5));
            }
            Ok(false)
        };
        let is_up = until(&|| Ok(made_by(id)?.iter().any(|line| line.contains("state UP"))))?;
        child.kill()?;
        child.wait()?;
        ensure!(is_up, "it never got its interface");
        ensure!(until(&|| Ok(made_by(id)?.is_empty()))?, "{:?}", made_by(id)?);
        Ok(())
    })
}
