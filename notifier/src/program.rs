//! Popups for another program, where there is no desktop or one prefers something else: `--exec`.
//!
//! The program is run once for each popup that is shown, changed or taken away, with one JSON document on its standard
//! input. It is started as it is named, by no shell, and nothing of an alert is ever an argument. One run at a time, so
//! that a later document never overtakes an earlier one; one that takes longer than [`MAX_RUN`] is killed with all that it
//! started. Meanwhile alerts wait where they wait for a slow notification server. What went wrong is sorted as there, so
//! that it is tried again as there.

use crate::{
    ledger::Failure,
    present::{About, Popup, Urgency},
};
use anyhow::Context as _;
use firebell_shared::text;
use rustix::{
    fs::Access,
    process::{Pid, Signal, kill_process_group},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

/// The longest run of the program. As long as a notification server may take to answer.
const MAX_RUN: Duration = Duration::from_secs(10);
/// So much of what it says on standard error is kept, in bytes, to tell why it failed. The rest is read and forgotten.
const MAX_SAID: usize = 200;
/// How long they may take to arrive once it has failed.
const LAST_WORDS: Duration = Duration::from_millis(50);
/// Popups that are remembered until they are taken away; the oldest goes first. With six an hour, that is half a day.
const MAX_OPEN: usize = 64;

/// The program, and what it was told.
#[derive(Debug)]
pub(crate) struct Program {
    path: OsString,
    arguments: Vec<OsString>,
    last_id: u32,
    open: BTreeMap<u32, Popup>,
}

/// What stands on its standard input. See docs/NOTIFIER.md, "Without a desktop".
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u8,
    action: &'a str,
    id: u32,
    title: &'a str,
    body: &'a str,
    urgency: &'a str,
    severity: u8,
    stays: bool,
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

impl Program {
    /// The program of a command line.
    ///
    /// # Errors
    /// When there is none, or nobody may start it.
    pub(crate) fn new(command: &[OsString]) -> anyhow::Result<Self> {
        let (path, arguments) = command.split_first().context("--exec needs a program")?;
        anyhow::ensure!(can_start(path), "there is no program {} that could be started; give its path", name(path));
        Ok(Self { path: path.clone(), arguments: arguments.to_vec(), last_id: 0, open: BTreeMap::new() })
    }

    /// For messages.
    pub(crate) fn name(&self) -> String {
        name(&self.path)
    }

    /// Tells of a popup, or of what became of `replaces` unless that is 0; gives its id.
    pub(crate) async fn show(&mut self, popup: &Popup, replaces: u32) -> Result<u32, (Failure, String)> {
        let (action, id) = if replaces == 0 { ("shown", self.last_id.wrapping_add(1).max(1)) } else { ("updated", replaces) };
        self.run(action, id, popup).await?;
        self.last_id = self.last_id.max(id);
        self.open.insert(id, popup.clone());
        if self.open.len() > MAX_OPEN {
            self.open.pop_first();
        }
        Ok(id)
    }

    /// Tells that a popup is no longer wanted. That nobody remembers it is no failure.
    pub(crate) async fn close(&mut self, id: u32) -> Result<(), (Failure, String)> {
        match self.open.remove(&id) {
            Some(popup) => self.run("closed", id, &popup).await,
            None => Ok(()),
        }
    }

    async fn run(&self, action: &str, id: u32, popup: &Popup) -> Result<(), (Failure, String)> {
        let refused = |error: std::io::Error| (Failure::Refused, error.to_string());
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(refused)?;
        // Also when we are told to end meanwhile. What is killed is reaped by tokio.
        let _group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let (mut input, mut errors) = (child.stdin.take(), child.stderr.take());
        let document = document(action, id, popup);
        let mut said = Vec::new();
        let run = async {
            if let Some(input) = &mut input {
                // A program need not read it. It fits into a pipe, so nobody waits for that.
                let _ = input.write_all(&document).await;
            }
            drop(input.take());
            loop {
                tokio::select! {
                    biased;
                    is_more = listen(&mut errors, &mut said) => if !is_more { errors = None },
                    status = child.wait() => break status,
                }
            }
        };
        match tokio::time::timeout(MAX_RUN, run).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                // Its last words may still be in the pipe.
                let _ = tokio::time::timeout(LAST_WORDS, listen(&mut errors, &mut said)).await;
                Err((Failure::Refused, why(status, &said)))
            }
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err((Failure::Silent, format!("it took longer than {} s and was killed", MAX_RUN.as_secs()))),
        }
    }
}

/// What a run leaves behind is killed with it: nothing of it outlives the popup.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nothing is left of it as a rule.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Takes in the next piece of what the program says. False: there is no more.
async fn listen(errors: &mut Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) -> bool {
    let Some(errors) = errors else { return std::future::pending().await };
    let mut piece = [0; 512];
    let Ok(n @ 1..) = errors.read(&mut piece).await else { return false };
    let room = MAX_SAID.saturating_sub(said.len());
    said.extend(piece.iter().take(n.min(room)));
    true
}

fn why(status: ExitStatus, said: &[u8]) -> String {
    let line = said.split(|&byte| byte == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    let said = if line.is_empty() { String::new() } else { format!(", it said: {}", text::safe(line, MAX_SAID)) };
    format!("{status}{said}")
}

fn document(action: &str, id: u32, popup: &Popup) -> Vec<u8> {
    let (incident, kind, source) = match &popup.about {
        About::Incident { id, kind, source } => (Some(*id), Some(kind.as_str()), Some(source.as_str())),
        About::Hidden { .. } | About::Nothing => (None, None, None),
    };
    let document = Document {
        schema: 1,
        action,
        id,
        title: &popup.title,
        body: &popup.body,
        urgency: match popup.urgency() {
            Urgency::Low => "low",
            Urgency::Normal => "normal",
            Urgency::Critical => "critical",
        },
        severity: popup.severity.get(),
        stays: popup.stays,
        test: popup.is_test,
        incident,
        kind,
        source: source.filter(|source| !source.is_empty()),
    };
    let mut json = Vec::new();
    // Writing texts and numbers into memory does not fail.
    let _ = serde_json::to_writer(&mut json, &document);
    json.push(b'\n');
    json
}

/// Is it a program, by its path or in one of the folders of `PATH`?
fn can_start(path: &OsStr) -> bool {
    let is_program = |path: &Path| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok();
    if path.as_encoded_bytes().contains(&b'/') {
        return is_program(Path::new(path));
    }
    !path.is_empty() && env::var_os("PATH").is_some_and(|folders| env::split_paths(&folders).any(|folder| is_program(&folder.join(path))))
}

fn name(path: &OsStr) -> String {
    text::safe(path.as_encoded_bytes(), MAX_SAID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::{
        incident, several,
        tests::{alert, english},
    };
    use firebell_shared::severity::Severity;
    use std::os::unix::process::ExitStatusExt as _;

    fn told(action: &str, popup: &Popup) -> serde_json::Value {
        let bytes = document(action, 7, popup);
        assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), 1, "one document, one line");
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_document_has_everything_that_a_popup_has() {
        let json = told("updated", &incident(&english(), &alert(17, "syn-scan", 4), Severity::AIMED));
        assert!(json["body"].as_str().unwrap().starts_with("TCP SYN scan: 1,000 ports"), "{json}");
        for (key, value) in [
            ("schema", serde_json::json!(1)),
            ("action", "updated".into()),
            ("id", 7.into()),
            ("title", "Port scan from 198.51.100.66".into()),
            ("urgency", "critical".into()),
            ("severity", 4.into()),
            ("stays", true.into()),
            ("test", false.into()),
            ("incident", 17.into()),
            ("kind", "syn-scan".into()),
            ("source", "198.51.100.66".into()),
        ] {
            assert_eq!(json[key], value, "{key} in {json}");
        }
        let json = told("closed", &several(&english(), 9, &["one"], Severity::AIMED, Severity::AIMED));
        assert_eq!((json.get("incident"), json.get("kind"), json.get("source")), (None, None, None));
    }

    #[test]
    fn what_a_program_says_when_it_fails_is_one_bounded_safe_line() {
        let status = ExitStatus::from_raw(256);
        assert_eq!(why(status, b""), "exit status: 1");
        assert_eq!(why(status, b"\n\x1b[31mno\nmore"), "exit status: 1, it said: \\x1b[31mno");
        assert!(why(status, &b"\xff".repeat(10_000)).len() < 300);
    }

    #[test]
    fn only_what_can_be_started_is_a_program() {
        for path in ["/bin/sh", "sh"] {
            assert!(Program::new(&[path.into(), "-c".into()]).is_ok(), "{path}");
        }
        for path in ["", "/", "/etc/passwd", "/nonexistent", "no-such-program-here", "../sh"] {
            let error = Program::new(&[path.into()]).unwrap_err().to_string();
            assert!(error.contains("give its path"), "{error}");
        }
    }
}
