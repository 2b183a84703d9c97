//! What people change on the bus: mutes, trust, notes, what is dealt with; and what stays.

use anyhow::{Context, Result, ensure};
use firebell_shared::alert::{Alert, Delivery};
use firebell_tests::{
    bus::need_root,
    program::{Program, built},
    rig::with_rigs,
    stage::Stage,
};
use std::{
    fs,
    process::{Command, Output},
    time::Duration,
};

const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn what_people_change_is_in_force_at_once_and_after_kill_9_and_can_be_undone() -> Result<()> {
    with_rigs("changes that stay", || {
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        stage.scan("198.51.100.66", 20)?;
        stage.wait_for("198.51.100.66")?;
        let id = of(&stage, "198.51.100.66")?.context("no incident")?.id;
        stage.ask(async |proxy| {
            proxy.note(id, "the new\u{202e} printer").await?;
            proxy.acknowledge(id).await?;
            proxy.mute("198.51.100.67", 3600).await?;
            Ok(proxy.trust("198.51.100.68").await?)
        })?;
        collector.kill()?;

        let _collector = stage.follow()?;
        let alert = of(&stage, "198.51.100.66")?.context("the incident is gone")?;
        ensure!(alert.details.note == "the new\\u{202e} printer" && alert.details.acknowledged.is_some(), "{alert:?}");
        for source in ["198.51.100.67", "198.51.100.68", "198.51.100.69"] {
            stage.scan(source, 20)?;
        }
        stage.wait_for("198.51.100.69")?;
        let loud = of(&stage, "198.51.100.69")?.context("no incident")?;
        let muted = of(&stage, "198.51.100.67")?.context("a muted source is seen")?;
        ensure!(loud.details.delivery == Delivery::Popup && muted.details.delivery == Delivery::Log, "{loud:?} {muted:?}");
        ensure!(muted.details.advice.contains("firebell unmute"), "{muted:?}");
        ensure!(
            of(&stage, "198.51.100.68")?.is_none() && stage.numbers(["packets_trusted"])? == [20],
            "what a trusted one sends is not looked at"
        );

        stage.ask(async |proxy| {
            let status = proxy.status().await?;
            let list = |key: &str| Vec::<String>::try_from(status[key].clone());
            ensure!((list("muted")?, list("trusted")?) == (vec!["198.51.100.67".to_owned()], vec!["198.51.100.68".to_owned()]));
            proxy.unmute("198.51.100.67").await?;
            proxy.untrust("198.51.100.68").await?;
            proxy.unacknowledge(id).await?;
            proxy.note(id, "").await?;
            for again in [proxy.unmute("198.51.100.67").await, proxy.untrust("198.51.100.68").await, proxy.unacknowledge(id).await] {
                ensure!(format!("{again:?}").contains("org.firebell.Error.NotFound"), "{again:?}");
            }
            Ok(())
        })?;
        stage.scan("198.51.100.68", 30)?;
        stage.wait_for("198.51.100.68")?;
        let alert = of(&stage, "198.51.100.66")?.context("the incident is gone")?;
        ensure!(alert.details.note.is_empty() && alert.details.acknowledged.is_none(), "{alert:?}");
        Ok(())
    })
}

#[test]
fn the_command_for_people_changes_lists_and_follows() -> Result<()> {
    with_rigs("firebell ack, note, mute, trust and alerts", || {
        let stage = Stage::new()?;
        let _collector = stage.follow()?;
        for source in ["198.51.100.66", "198.51.100.67", "198.51.100.68"] {
            stage.scan(source, 8)?;
            stage.wait_for(source)?;
        }
        let command = |arguments: &[&str]| -> Result<Command> {
            let mut command = Command::new(built()?.join("firebell"));
            command.args(arguments).env("DBUS_SYSTEM_BUS_ADDRESS", stage.bus.address());
            Ok(command)
        };
        let holds = |code: i32, arguments: &[&str], pieces: &[&str]| -> Result<String> {
            let output = command(arguments)?.output()?;
            let said = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
            ensure!(
                output.status.code() == Some(code) && pieces.iter().all(|piece| said.contains(piece)),
                "{arguments:?} gave {}\n{said}",
                output.status
            );
            Ok(said)
        };
        let id = of(&stage, "198.51.100.66")?.context("no incident")?.id.to_string();
        let follow = Program::start("firebell", &mut command(&["alerts", "--follow", "-o", "jsonl"])?)?;
        follow.wait_for(SECONDS, |line| line.text.contains("198.51.100.68"))?;

        holds(0, &["ack", &id], &["is acknowledged until", &format!("firebell ack --undo {id}")])?;
        holds(0, &["note", &id, "the", "new", "printer"], &["--remove"])?;
        holds(0, &["mute", "198.51.100.70", "--for", "2h"], &["firebell unmute 198.51.100.70"])?;
        holds(0, &["trust", "198.51.100.71"], &["firebell untrust 198.51.100.71"])?;
        holds(0, &["alerts", "--state", "acknowledged"], &["198.51.100.66: SYN scan", "(acknowledged)", "[the new printer]"])?;
        let rest = holds(0, &["alerts", "--state", "unacknowledged", "-o", "csv"], &["id,severity,kind", "\"198.51.100.67\""])?;
        ensure!(!rest.contains("198.51.100.66") && rest.lines().count() == 3, "{rest}");
        ensure!(holds(0, &["alerts", "-n1"], &["198.51.100.68", "older ones: --page 2"])?.lines().count() == 2);
        holds(0, &["alerts", "-n1", "--page", "2"], &["198.51.100.67"])?;
        holds(0, &["alerts", "--port", "4"], &["198.51.100.66"])?;
        holds(0, &["alerts", "--port", "4000"], &["No alerts"])?;
        holds(0, &["ack", "--undo", &id], &[&format!("firebell ack {id}")])?;
        holds(0, &["note", &id, "--remove"], &["the note before was: the new printer"])?;
        holds(0, &["unmute", "198.51.100.70"], &["not muted any more"])?;
        holds(0, &["untrust", "198.51.100.71"], &["not trusted any more"])?;
        holds(1, &["unmute", "198.51.100.70"], &["is not muted here"])?;
        holds(1, &["ack", "99999"], &["there is no incident 99999"])?;
        holds(2, &["mute", "example.org"], &["write an address"])?;

        stage.scan("198.51.100.69", 8)?;
        let line = follow.wait_for(SECONDS, |line| line.text.contains("198.51.100.69"))?;
        ensure!(serde_json::from_str::<Alert>(&line.text)?.source == "198.51.100.69", "{line:?}");
        Ok(())
    })
}

#[test]
fn the_history_is_read_the_same_from_the_collector_and_from_its_files_when_it_is_killed() -> Result<()> {
    with_rigs("firebell history", || {
        need_root()?;
        let stage = Stage::new()?;
        let collector = stage.follow()?;
        for source in ["198.51.100.66", "198.51.100.67"] {
            stage.scan(source, 8)?;
            stage.wait_for(source)?;
        }
        let folder = stage.state();
        let history = |arguments: &[&str]| -> Result<Output> {
            let mut command = Command::new(built()?.join("firebell"));
            command.arg("history").args(arguments).arg("--folder").arg(&folder).env("DBUS_SYSTEM_BUS_ADDRESS", stage.bus.address());
            Ok(command.output()?)
        };
        let running = history(&["export"])?;
        collector.kill()?;
        let names = || -> Result<Vec<_>> {
            Ok(fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>()?)
        };
        let before = names()?;
        let stopped = history(&["export"])?;
        ensure!(stopped.status.success() && stopped.stdout == running.stdout && !running.stdout.is_empty(), "{running:?} {stopped:?}");
        let sources: Vec<String> = String::from_utf8(stopped.stdout)?
            .lines()
            .map(|line| Ok(serde_json::from_str::<Alert>(line)?.source))
            .collect::<Result<_>>()?;
        ensure!(sources == ["198.51.100.66", "198.51.100.67"], "{sources:?}");
        let stats = history(&["stats"])?;
        ensure!(String::from_utf8_lossy(&stats.stdout).starts_with("2 incidents from /"), "{stats:?}");
        ensure!(String::from_utf8_lossy(&history(&["stats", "--until", "2020-01-01"])?.stdout).starts_with("0 incidents from /"));
        ensure!(names()? == before, "nothing is left beside the history: {:?}", names()?);
        let _collector = stage.follow()?;
        ensure!(stage.alerts(0)?.len() == 2);
        Ok(())
    })
}

#[test]
fn the_history_is_pruned_and_imported_while_the_collector_runs_and_while_it_is_stopped() -> Result<()> {
    with_rigs("firebell history prune and import", || {
        need_root()?;
        let stage = Stage::new()?;
        let mut collector = Some(stage.follow()?);
        let firebell = |arguments: &[&str]| -> Result<Output> {
            let mut command = Command::new(built()?.join("firebell"));
            Ok(command.args(arguments).env("DBUS_SYSTEM_BUS_ADDRESS", stage.bus.address()).output()?)
        };
        let folder = stage.state().display().to_string();
        let history = |arguments: &[&str], says: &str| -> Result<Vec<u8>> {
            let output = firebell(&[&["history"], arguments, &["--folder", &folder]].concat())?;
            ensure!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(says), "{arguments:?}: {output:?}");
            Ok(output.stdout)
        };
        stage.scan("198.51.100.66", 8)?;
        stage.wait_for("198.51.100.66")?;
        let id = of(&stage, "198.51.100.66")?.context("no incident")?.id.to_string();
        let said = String::from_utf8(firebell(&["show", &id])?.stdout)?;
        ensure!(said.contains("opened     severity 3") && said.contains("SRC=198.51.100.66 DST=198.51.100.10 LEN=44"), "{said}");

        // What comes from elsewhere is over, so it can be forgotten; what goes on here cannot.
        let export = stage.folder.path().join("export.jsonl");
        let elsewhere = String::from_utf8(history(&["export"], "")?)?.replace("198.51.100.66", "203.0.113.9");
        fs::write(&export, elsewhere.replace("\"history\":\"", "\"history\":\"x"))?;
        let export = export.display().to_string();
        for is_running in [true, false] {
            if !is_running {
                collector.take().map(Program::kill).transpose()?;
            }
            let shown = String::from_utf8(firebell(&["show", &id, "--folder", &folder])?.stdout)?;
            ensure!(shown.lines().eq(said.lines()), "with a collector\n{said}\nwithout\n{shown}");
            history(&["import", &export], "1 incidents are new, 0 were here already")?;
            history(&["import", &export], "0 incidents are new, 1 were here already")?;
            let kept = history(&["export"], "")?;
            ensure!(String::from_utf8_lossy(&kept).lines().count() == 2, "{}", String::from_utf8_lossy(&kept));
            history(&["prune", "--keep", "0"], "1 incident that was over is forgotten")?;
            history(&["stats"], "1 incidents from")?;
            if !is_running {
                collector = Some(stage.follow()?);
            }
            ensure!(stage.alerts(0)?.iter().map(|alert| alert.source.as_str()).eq(["198.51.100.66"]), "{:?}", stage.alerts(0)?);
            fs::write(stage.folder.path().join("back"), &kept)?;
            history(&["import", &stage.folder.path().join("back").display().to_string()], "1 incidents are new, 1 were here already")?;
            let back = of(&stage, "203.0.113.9")?.context("what was forgotten is not back")?;
            ensure!(String::from_utf8_lossy(&kept).contains(&format!("\"id\":{},", back.id)) && !back.is_open(), "{back:?}");
            history(&["prune", "--before", "0s"], "1 incident that was over is forgotten")?;
        }
        // New incidents have numbers that nothing else had.
        stage.scan("198.51.100.67", 8)?;
        stage.wait_for("198.51.100.67")?;
        let newest = of(&stage, "198.51.100.67")?.context("no incident")?;
        ensure!(newest.id > id.parse::<u64>()? + 2, "{newest:?}");
        let refused = firebell(&["history", "import", "/dev/null/x"])?;
        ensure!(refused.status.code() == Some(1), "{refused:?}");
        Ok(())
    })
}

fn of(stage: &Stage, source: &str) -> Result<Option<Alert>> {
    Ok(stage.alerts(0)?.into_iter().find(|alert| alert.source == source))
}

#[test]
fn arguments_that_make_no_sense_say_what_would() -> Result<()> {
    with_rigs("arguments of changes", || {
        let stage = Stage::new()?;
        let _collector = stage.follow()?;
        stage.ask(async |proxy| {
            let refused = [
                (proxy.mute("192.0.2.7", 0).await, "InvalidArgument", "use 1 to 2592000"),
                (proxy.mute("192.0.2.7", 2_592_001).await, "InvalidArgument", "use 1 to 2592000"),
                (proxy.mute("example.org", 60).await, "InvalidArgument", "that is no address"),
                (proxy.trust("0.0.0.0/0").await, "InvalidArgument", "too much of the internet"),
                (proxy.note(1, &"x".repeat(513)).await, "InvalidArgument", "at most 512"),
                (proxy.note(1, "x").await, "NotFound", "there is no incident 1"),
                (proxy.acknowledge(1 << 60).await, "NotFound", "there is no incident"),
            ];
            for (answer, error, text) in refused {
                let said = format!("{answer:?}");
                ensure!(said.contains(&format!("org.firebell.Error.{error}")) && said.contains(text), "{said}");
            }
            let (limit, order) = (proxy.list_sources(1001).await, proxy.summary(2, 1).await);
            ensure!(format!("{limit:?}{order:?}").matches("InvalidArgument").count() == 2, "{limit:?} {order:?}");
            Ok(())
        })
    })
}

#[test]
fn sources_and_summaries_add_up_what_is_in_the_history() -> Result<()> {
    with_rigs("sums", || {
        let stage = Stage::new()?;
        let _collector = stage.follow()?;
        for source in ["198.51.100.66", "198.51.100.67"] {
            stage.scan(source, 8)?;
            stage.wait_for(source)?;
        }
        stage.ask(async |proxy| {
            let sources = proxy.list_sources(10).await?;
            let names: Vec<_> = sources.iter().map(|(source, severity, ..)| (source.as_str(), *severity)).collect();
            ensure!(names == [("198.51.100.67", 3), ("198.51.100.66", 3)], "{sources:?}");
            ensure!(proxy.list_sources(1).await?.len() == 1);
            let summary = proxy.summary(0, 1 << 52).await?;
            let number = |key: &str| u64::try_from(&*summary[key]).context("no number");
            ensure!((number("incidents")?, number("open")?, number("sources")?) == (2, 2, 2), "{summary:?}");
            ensure!(Vec::<u64>::try_from(summary["by_severity"].clone())? == [0, 0, 2, 0, 0], "{summary:?}");
            ensure!(Vec::<String>::try_from(summary["kinds"].clone())? == ["syn-scan"], "{summary:?}");
            ensure!(Vec::<String>::try_from(summary["top_ports"].clone())?.first().is_some_and(|port| port == "tcp 1"), "{summary:?}");
            ensure!(u64::try_from(&*proxy.summary(0, 1).await?["incidents"])? == 0);
            Ok(())
        })
    })
}
