//! What was told is remembered: over kill -9, a full disk, a folder that is not there or not ours. Other tools are told as well.

use anyhow::{Context, Result, ensure};
use firebell_shared::alert::Alert;
use firebell_tests::{
    bus::{need_root, wait_until},
    program::{Program, repository, run},
    rig::{CannotRun, with_rigs},
    rsyslog::Rsyslog,
    stage::{EACH, Stage},
};
use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::Path,
    process::Command,
    time::Duration,
};

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
        let plain = stage.command(&(stage.following(EACH) + &format!("[exports]\nfolder = {:?}\n", state.join("log"))))?;
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
        // Its folder for other tools is on it as well; root makes none where it is not asked to.
        run(Command::new("install").args(["-d", "-o", &user]).arg(disk.join("log")))?;
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

        wait_until("what other tools miss is counted", SECONDS, || Ok(stage.numbers(["exports_failed"])?[0] > 0))?;

        fs::remove_file(&filler)?;
        wait_until("it is written", Duration::from_secs(60), || Ok(!stage.health()?.1.contains("history cannot be written")))
            .with_context(|| format!("{:?} {:?}", collector.lines(), run(Command::new("ls").arg("-la").arg(&disk))))?;
        let waiting = stage.numbers(["history_waiting"])?[0];
        ensure!(waiting == 0, "{waiting} incidents still wait");
        stage.scan("198.51.100.99", 20)?;
        let exported = disk.join("log/alerts.json");
        wait_until("other tools hear of it again", SECONDS, || Ok(fs::read_to_string(&exported)?.contains("198.51.100.99")))?;
        for line in fs::read_to_string(&exported)?.lines() {
            serde_json::from_str::<Alert>(line).with_context(|| format!("half a line: {line}"))?;
        }
        Ok(())
    })
}

/// What a reader of alerts makes of a file.
fn read_by(program: &str, package: &str, arguments: &[&str], file: &Path) -> Result<String> {
    let mut command = Command::new(program);
    match command.args(arguments).arg(file).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(CannotRun(format!("no {program} (Debian: {package})")).into()),
        output => {
            let output = output?;
            ensure!(output.status.success(), "{command:?}: {output:?}\n{}", fs::read_to_string(file)?);
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
    }
}

/// The collector with a `/dev/log` and a socket of the journal of its own, so that this machine's hear nothing.
fn collector_beside(stage: &Stage, config: &str, syslog: &Path) -> Result<Program> {
    let (folder, plain) = (stage.folder.path(), stage.command(config)?);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec"]).arg(
        "mount -t tmpfs none /run; mkdir -p /run/systemd/journal \"$1/dev\"; ln -s \"$1/journal\" /run/systemd/journal/socket\n\
         for f in null urandom zero; do touch \"$1/dev/$f\"; mount --bind /dev/$f \"$1/dev/$f\"; done\n\
         ln -s \"$2\" \"$1/dev/log\"; mount --rbind \"$1/dev\" /dev\n\
         JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); export JOURNAL_STREAM; shift 2; exec \"$@\"",
    );
    command.arg("sh").args([folder, syslog]).arg(plain.get_program()).args(plain.get_args()).current_dir("/");
    for (name, value) in plain.get_envs() {
        command.env(name, value.context("a variable without a value")?);
    }
    Stage::start(command)
}

/// What journald would have written down of a datagram, as `journalctl` shows it.
fn journalctl(folder: &Path, datagram: &[u8], arguments: &[&str]) -> Result<String> {
    let (export, journal) = (folder.join("record.export"), folder.join("record.journal"));
    let stamp = b"__REALTIME_TIMESTAMP=1763800000000000\n__MONOTONIC_TIMESTAMP=1000000\n_BOOT_ID=0123456789abcdef0123456789abcdef\n";
    fs::write(&export, [&stamp[..], datagram, b"\n"].concat())?;
    let remote = "/usr/lib/systemd/systemd-journal-remote";
    let output = format!("--output={}", journal.display());
    read_by(remote, "systemd-journal-remote", &[&output], &export)?;
    run(Command::new("journalctl").arg(format!("--file={}", journal.display())).args(arguments))
}

#[test]
fn other_tools_read_what_they_are_told() -> Result<()> {
    with_rigs("exports and their readers", || {
        need_root()?;
        let stage = Stage::new()?;
        let (folder, logs) = (stage.folder.path().to_owned(), stage.folder.path().join("log"));
        let rsyslog = Rsyslog::start()?;
        let journal = UnixDatagram::bind(folder.join("journal"))?;
        fs::set_permissions(folder.join("journal"), fs::Permissions::from_mode(0o777))?;
        journal.set_read_timeout(Some(SECONDS))?;
        let metrics = logs.join("firebell.prom");
        let config = stage.following(EACH) + &format!("[exports]\neve = true\necs = true\npsad-syslog = true\nprometheus = {metrics:?}\n");
        let collector = collector_beside(&stage, &config, &rsyslog.socket())?;
        stage.scan("198.51.100.66", 20)?;
        stage.wait_for("198.51.100.66")?;

        let scan = " psad: scan detected: 198.51.100.66 -> 198.51.100.10 tcp: [";
        wait_until("rsyslog has it in psad's words", SECONDS, || rsyslog.has(scan))?;
        let mut record = vec![0; 1 << 16];
        let len = journal.recv(&mut record).with_context(|| format!("the journal is told nothing: {:?}", collector.lines()))?;
        record.truncate(len);
        let id = "MESSAGE_ID=cf40cc91797e49b58564ed3b79a6cad4";
        with_rigs("alerts as journalctl shows them", || {
            let shown = journalctl(&folder, &record, &[id, "FIREBELL_KIND=syn-scan", "-o", "json"])?;
            let shown: serde_json::Value = serde_json::from_str(&shown)?;
            ensure!(shown["FIREBELL_SOURCE"] == "198.51.100.66" && shown["PRIORITY"] == "4", "{shown}");
            ensure!(shown["MESSAGE"].as_str().is_some_and(|text| text.starts_with("198.51.100.66: ")), "{shown}");
            Ok(())
        })?;
        for (name, filter) in [
            ("alerts.json", ".source == \"198.51.100.66\" and .details.phase == \"opened\""),
            ("eve.json", ".event_type == \"alert\" and .src_ip == \"198.51.100.66\" and .alert.signature_id > 0"),
            ("ecs.json", ".event.kind == \"alert\" and .source.ip == \"198.51.100.66\""),
        ] {
            wait_until(name, SECONDS, || Ok(fs::read_to_string(logs.join(name)).is_ok_and(|text| text.ends_with('\n'))))?;
            with_rigs("alerts as jq reads them", || {
                read_by("jq", "jq", &["-es", &format!("any(.[]; {filter})")], &logs.join(name)).map(drop)
            })?;
        }
        let check = "import json, sys, jsonschema\nwith open(sys.argv[1]) as f: schema = json.load(f)\nwith open(sys.argv[2]) as f:\n  \
                     for line in f: jsonschema.validate(json.loads(line), schema, format_checker=jsonschema.FormatChecker())";
        with_rigs("alerts by their schemas", || {
            if run(Command::new("/usr/bin/python3").args(["-c", "import jsonschema"])).is_err() {
                return Err(CannotRun("no jsonschema (Debian: python3-jsonschema)".into()).into());
            }
            for name in ["eve.json", "ecs.json"] {
                let schema = repository().join("tests/corpus/schemas").join(name);
                read_by("/usr/bin/python3", "python3", &["-c", check, &schema.to_string_lossy()], &logs.join(name))?;
            }
            Ok(())
        })?;
        let text = fs::read_to_string(&metrics)?;
        ensure!(text.contains("# TYPE firebell_intake_lines_total counter\n"), "{text}");

        // Rotated as the packages have it, it begins anew without being told.
        let user = firebell_tests::bus::collector_user()?;
        let group = run(Command::new("id").args(["-gn", &user]))?;
        let rotation = fs::read_to_string(repository().join("systemd/firebell.logrotate"))?;
        let rotation = rotation.replace("/var/log/firebell", &logs.to_string_lossy());
        let file = folder.join("logrotate.conf");
        fs::write(&file, rotation.replace("su firebell firebell", &format!("su {user} {}", group.trim())))?;
        let state = folder.join("logrotate.state");
        read_by("logrotate", "logrotate", &["--force", "--state", &state.to_string_lossy()], &file)?;
        ensure!(logs.join("alerts.json.1").exists() && !logs.join("alerts.json").exists(), "nothing was rotated");
        stage.scan("198.51.100.67", 20)?;
        wait_until("a new file", SECONDS, || {
            Ok(fs::read_to_string(logs.join("alerts.json")).is_ok_and(|text| text.contains("198.51.100.67")))
        })?;
        let [failed, lost] = stage.numbers(["exports_failed", "exports_lost"])?;
        ensure!((failed, lost) == (0, 0), "{failed} failed, {lost} lost: {:?}", collector.lines());
        Ok(())
    })
}
