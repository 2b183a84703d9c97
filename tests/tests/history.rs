//! What was told is remembered: over kill -9, a full disk, a folder that is not there or not ours.

use anyhow::{Context, Result, ensure};
use firebell_shared::alert::Alert;
use firebell_tests::{
    bus::{need_root, wait_until},
    program::run,
    rig::with_rigs,
    stage::{EACH, Stage},
};
use std::{collections::HashMap, fs, io::Write as _, path::Path, process::Command, time::Duration};

const SECONDS: Duration = Duration::from_secs(10);

/// The history's name, and every incident in it by its source.
fn history(stage: &Stage) -> Result<(String, HashMap<String, Alert>)> {
    let mut all = HashMap::new();
    for alert in stage.alerts(0)? {
        ensure!(all.insert(alert.source.clone(), alert).is_none(), "two incidents of one source");
    }
    Ok((stage.ask(async |proxy| Ok(proxy.history_id().await?))?, all))
}

#[test]
fn after_kill_9_every_alert_is_there_with_its_id_and_new_ones_are_higher() -> Result<()> {
    with_rigs("kill -9", || {
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        let sources = ["198.51.100.66", "198.51.100.67"];
        for source in sources {
            stage.scan(source, 20)?;
            stage.wait_for(source)?;
        }
        let (history_id, before) = history(&stage)?;
        collector.kill()?;

        let collector = stage.follow()?;
        let (again, after) = history(&stage)?;
        ensure!(again == history_id, "the history has another name");
        ensure!(after == before, "{after:?} and not {before:?}");
        let id = before["198.51.100.66"].id;
        let alert = stage.ask(async |proxy| Ok(Alert::from_wire(proxy.get_alert(id).await?)?))?;
        ensure!(alert == before["198.51.100.66"]);
        stage.scan("198.51.100.68", 20)?;
        stage.wait_for("198.51.100.68")?;
        let newest = history(&stage)?.1["198.51.100.68"].clone();
        let highest = |of: fn(&Alert) -> u64| before.values().map(of).max().unwrap_or(0);
        ensure!(newest.id > highest(|alert| alert.id) && newest.details.seq > highest(|alert| alert.details.seq), "{newest:?}");

        // In order, numbers go on without a leap.
        let (status, said) = collector.stop()?;
        ensure!(status.success(), "{said}");
        let _collector = stage.follow()?;
        stage.scan("198.51.100.69", 20)?;
        stage.wait_for("198.51.100.69")?;
        ensure!(history(&stage)?.1["198.51.100.69"].id == newest.id + 1);
        Ok(())
    })
}

#[test]
fn what_is_written_while_the_collector_is_down_is_read_at_the_next_start_over_a_rotation() -> Result<()> {
    with_rigs("down for a while", || {
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        stage.scan("198.51.100.66", 20)?;
        stage.wait_for("198.51.100.66")?;
        let (status, said) = collector.stop()?;
        ensure!(status.success(), "{said}");
        stage.scan("198.51.100.67", 20)?;
        fs::rename(stage.log(), stage.folder.path().join("kern.log.1"))?;
        fs::write(stage.log(), "")?;
        stage.scan("198.51.100.68", 20)?;
        let _collector = stage.follow()?;
        for source in ["198.51.100.67", "198.51.100.68"] {
            stage.wait_for(source)?;
        }
        let lines = stage.numbers(["lines"])?[0];
        ensure!(lines == 60, "{lines} lines, and not each of them once");
        Ok(())
    })
}

#[test]
fn a_history_that_is_somebody_elses_is_refused_and_detection_goes_on() -> Result<()> {
    with_rigs("a history of somebody else", || {
        need_root()?;
        let stage = Stage::new()?;
        let state = stage.state();
        // Of root: the collector is somebody else by the time it opens it.
        fs::create_dir(&state)?;
        let collector = stage.follow()?;
        let said = collector.wait_for(SECONDS, |line| line.text.contains("belongs to user id 0"))?;
        ensure!(said.text.contains("alerts are told and kept in memory"), "{said:?}");
        stage.scan("198.51.100.66", 20)?;
        stage.wait_for("198.51.100.66")?;
        let (health, reason) = stage.health()?;
        ensure!(health == "degraded" && reason.contains("history cannot be written"), "{health}: {reason}");

        let user = firebell_tests::bus::collector_user()?;
        run(Command::new("chown").arg(&user).arg(&state))?;
        wait_until("the history is written", Duration::from_secs(40), || Ok(!stage.health()?.1.contains("history cannot be written")))?;
        let (history_id, before) = history(&stage)?;
        collector.kill()?;
        let _collector = stage.follow()?;
        ensure!(history(&stage)? == (history_id, before), "what was told meanwhile is there");
        Ok(())
    })
}

#[test]
fn on_a_full_disk_detection_goes_on_and_says_so_and_everything_is_written_when_there_is_room() -> Result<()> {
    with_rigs("a full disk", || {
        need_root()?;
        let stage = Stage::new()?;
        let state = stage.state();
        fs::create_dir(&state)?;
        let user = firebell_tests::bus::collector_user()?;
        let plain = stage.command(&stage.following(EACH))?;
        // In a mount namespace of its own: the small disk goes away with the collector.
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o size=1m,mode=700,uid=$(id -u \"$1\") none \"$2\" && shift 2 && exec \"$@\"",
            "sh",
        ]);
        command.arg(&user).arg(&state).arg(plain.get_program()).args(plain.get_args()).current_dir("/");
        for (name, value) in plain.get_envs() {
            command.env(name, value.context("a variable without a value")?);
        }
        let collector = Stage::start(command)?;
        let disk = Path::new("/proc").join(collector.pid().to_string()).join("root").join(state.strip_prefix("/")?);
        ensure!(disk.join("history.db").exists(), "the history is not on the small disk");
        stage.scan("198.51.100.1", 20)?;
        stage.wait_for("198.51.100.1")?;
        ensure!(!stage.health()?.1.contains("history"), "{:?}", stage.health()?);

        let filler = disk.join("filler");
        let mut file = fs::File::create(&filler)?;
        while file.write_all(&[0; 512]).is_ok() {}
        drop(file);
        for number in 2..=40 {
            stage.scan(&format!("198.51.100.{number}"), 20)?;
        }
        collector.wait_for(SECONDS, |line| line.text.contains("alerts are told and kept in memory"))?;
        stage.wait_for("198.51.100.40")?;
        let (health, reason) = stage.health()?;
        ensure!(health == "degraded" && reason.contains("history cannot be written"), "{health}: {reason}");

        fs::remove_file(&filler)?;
        wait_until("it is written", Duration::from_secs(60), || Ok(!stage.health()?.1.contains("history cannot be written")))
            .with_context(|| format!("{:?} {:?}", collector.lines(), run(Command::new("ls").arg("-la").arg(&disk))))?;
        let waiting = stage.numbers(["history_waiting"])?[0];
        ensure!(waiting == 0, "{waiting} incidents still wait");
        Ok(())
    })
}
