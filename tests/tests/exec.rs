//! `firebell-notifier --exec`: popups for another program, on a machine without a desktop.

use anyhow::{Context, Result, ensure};
use firebell_shared::{alert::Phase, severity::Severity};
use firebell_tests::{
    fake_collector::{FakeCollector, later, scan},
    private_bus::until,
    program::{Program, built, write_program},
    rig::with_rigs,
    session::{SOON, Session, count, says},
};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command, time::Duration};

/// The program is given ten seconds.
const LATE: Duration = Duration::from_secs(15);

/// A collector, and a program that does what a test wants. The agent is told of no session bus.
struct Stage {
    session: Session,
    collector: FakeCollector,
}

impl Stage {
    fn new(script: &str) -> Result<Self> {
        let session = Session::new()?;
        let collector = session.collector()?;
        write_program(&session.path("program"), &format!("#!/bin/sh\n{script}\n"))?;
        Ok(Self { session, collector })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.session.path(name)
    }

    fn listening(&self, arguments: &[&str]) -> Result<Program> {
        let mut command = self.session.command("firebell-notifier")?;
        command.env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("XDG_RUNTIME_DIR").current_dir(self.path(""));
        command.arg("--exec").arg(self.path("program")).args(arguments);
        let agent = Program::start("firebell-notifier", &mut command)?;
        agent.wait_for(SOON, says("listening to the collector"))?;
        Ok(agent)
    }

    /// The documents that the program wrote down.
    fn documents(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.path("documents")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    fn document(&self, n: usize) -> Result<Value> {
        until(SOON, || self.documents().ok()?.get(n.checked_sub(1)?).cloned())
            .with_context(|| format!("document {n} of {:#?}", self.documents()))
    }
}

/// Waits until it has no child any more, none that is dead either.
fn is_alone(agent: &Program) -> Result<()> {
    let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).ok();
    until(SOON, || children()?.is_empty().then_some(())).with_context(|| format!("left: {:?}", children()))
}

#[test]
fn a_popup_is_a_document_when_it_comes_changes_and_goes() -> Result<()> {
    with_rigs("exec: documents", || {
        let stage = Stage::new("cat >>documents; printf '%s\\n' \"$@\" >arguments; echo heard; echo heard >&2")?;
        let agent = stage.listening(&["--log-level", "a b; touch owned", "$(touch owned)"])?;
        let mut first = scan(1, 1);
        first.details.advice = "\"quoted\" <b>\\ \x1b[31m\n$(touch owned)".to_owned();
        stage.collector.tell(&first)?;
        let shown = stage.document(1)?;
        ensure!((&shown["action"], &shown["id"], &shown["incident"]) == (&"shown".into(), &1.into(), &first.id.into()), "{shown}");
        ensure!((&shown["source"], &shown["kind"]) == (&"198.51.100.1".into(), &"syn-scan".into()), "{shown}");
        let body = shown["body"].as_str().context("no body")?;
        ensure!(body.contains("\"quoted\" <b>\\ \\x1b[31m\\x0a$(touch owned)") && !body.contains('\x1b'), "{body}");
        stage.collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
        let updated = stage.document(2)?;
        ensure!(
            (&updated["action"], &updated["id"], &updated["urgency"]) == (&"updated".into(), &1.into(), &"critical".into()),
            "{updated}"
        );
        let mut merged = later(&first, 3, Phase::Merged, Severity::BROAD);
        merged.details.merged_into = Some(9);
        stage.collector.tell(&merged)?;
        let closed = stage.document(3)?;
        ensure!((&closed["action"], &closed["id"], &closed["title"]) == (&"closed".into(), &1.into(), &updated["title"]), "{closed}");
        // Its last run may not be over yet.
        is_alone(&agent)?;
        ensure!(fs::read_to_string(stage.path("arguments"))? == "--log-level\na b; touch owned\n$(touch owned)\n");
        ensure!(!stage.path("owned").exists() && count(&agent, "heard") == 0, "{:?}", agent.lines());
        Ok(())
    })
}

#[test]
fn what_the_program_was_told_it_is_not_told_again_after_a_restart() -> Result<()> {
    with_rigs("exec: restart", || {
        let stage = Stage::new("cat >>documents")?;
        let agent = stage.listening(&[])?;
        stage.collector.tell(&scan(1, 1))?;
        stage.document(1)?;
        let seen = stage.path(".local/state/firebell/exec-seen");
        until(SOON, || fs::read_to_string(&seen).is_ok_and(|line| line.starts_with("1 ")).then_some(()))?;
        agent.stop()?;
        stage.collector.keep(&scan(2, 2));
        let _agent = stage.listening(&[])?;
        ensure!(stage.document(2)?["source"] == "198.51.100.2");
        Ok(())
    })
}

#[test]
fn a_program_that_fails_is_said_with_its_words_and_not_each_time() -> Result<()> {
    with_rigs("exec: failures", || {
        // More than a pipe takes, and it closes its input at once.
        let stage = Stage::new("exec <&-; echo run >>runs; echo no route to the pager >&2; yes | head -c 300000 >&2; exit 3")?;
        let mut agent = stage.listening(&[])?;
        for n in 1..=5 {
            // Of several addresses each: single ones would share a popup.
            let mut several = scan(n, n);
            several.source = String::new();
            stage.collector.tell(&several)?;
        }
        until(SOON, || (fs::read_to_string(stage.path("runs")).ok()?.lines().count() >= 5).then_some(()))?;
        agent.wait_for(SOON, says("exit status: 3, it said: no route to the pager"))?;
        until(SOON, || (count(&agent, "did not show a popup") == 3).then_some(())).with_context(|| format!("{:#?}", agent.lines()))?;
        ensure!(agent.is_running());
        is_alone(&agent)
    })
}

#[test]
fn a_program_that_hangs_is_killed_with_all_that_it_started() -> Result<()> {
    with_rigs("exec: hanging", || {
        let stage = Stage::new("cat >>documents; sleep 1000 & echo $! >sleeper; wait")?;
        let agent = stage.listening(&[])?;
        let first = scan(1, 1);
        stage.collector.tell(&first)?;
        agent.wait_for(LATE, says("took longer than 10 s and was killed"))?;
        let sleeper = fs::read_to_string(stage.path("sleeper"))?;
        until(SOON, || (!is_alive(sleeper.trim())).then_some(())).context("what it started is still there")?;
        is_alone(&agent)?;
        // Perhaps it heard of it; what is new about it is told as such.
        stage.collector.tell(&later(&first, 2, Phase::Escalated, Severity::BROAD))?;
        ensure!(stage.document(2)?["severity"] == 4);
        // Now we end while it runs.
        until(SOON, || (fs::read_to_string(stage.path("sleeper")).is_ok_and(|now| now != sleeper && now.ends_with('\n'))).then_some(()))?;
        let sleeper = fs::read_to_string(stage.path("sleeper"))?;
        ensure!(is_alive(sleeper.trim()));
        ensure!(agent.stop()?.0.success());
        until(SOON, || (!is_alive(sleeper.trim())).then_some(())).context("what it started outlives us")?;
        Ok(())
    })
}

fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_program_that_is_not_there_is_said_at_once() -> Result<()> {
    let output = Command::new(built()?.join("firebell-notifier")).args(["--exec", "/nonexistent/pager"]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && said.contains("there is no program /nonexistent/pager"), "{}: {said}", output.status);
    Ok(())
}
