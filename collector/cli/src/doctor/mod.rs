//! `firebell doctor`: why nothing is seen, or not everything, and what to do.
//!
//! Each check looks at one thing and says what it found; none changes anything. What may not be looked at is said too.

mod bus;
mod desktop;
mod intake;
mod journal;
mod kernel;
mod log_rules;
mod readers;
mod rules;

use crate::{Failure, firewall::gather, form::Form};
use clap::Args;
use firebell_collector::config::{self, Config};
use firebell_shared::text::safe;
use serde::Serialize;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
};

/// Looks for what keeps firebell from seeing attacks, or you from seeing them, and says what to do about each.
///
/// Works as any user, and says what only root can look at; run it as root for the firewall, and as the person at the desk for
/// the popups. Exit status 1 when something is a warning or a problem.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The collector's configuration, instead of the usual files.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
    /// What is as it should be, too.
    #[arg(short, long)]
    all: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Ok,
    /// Good to know, or could not be looked at.
    Note,
    /// Part of what happens is not seen.
    Warning,
    /// Nothing is seen, or nobody hears of it.
    Problem,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Stable, for programs.
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) what: String,
    /// A command or a line of a file that helps; empty where there is nothing to do.
    pub(crate) remedy: String,
}

impl Finding {
    fn new(id: &'static str, severity: Severity, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, severity, what: what.into(), remedy: remedy.into() }
    }

    fn ok(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Severity::Ok, what, "")
    }

    /// What could not be looked at, and who can.
    fn unseen(id: &'static str, what: impl std::fmt::Display, who: &str) -> Self {
        Self::new(id, Severity::Note, format!("could not look: {what}; {who}"), "")
    }
}

/// As whom the firewall can be looked at.
const AS_ROOT: &str = "run as root";

/// Bytes of a finding's text.
const MAX_TEXT: usize = 1_000;

/// Looks at everything, and prints.
///
/// # Errors
/// Something is not as it should be.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut findings = Vec::new();
    let config = match config::load(arguments.config.as_deref()) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            findings.push(Finding::new("configuration", Severity::Problem, problems.join("; "), "firebelld --check"));
            Config::default()
        }
    };
    let gathered = gather::gather();
    rules::check(&gathered, &mut findings);
    log_rules::check(&gathered.firewall, &config.intake, &mut findings);
    kernel::check(&gathered.firewall, &mut findings);
    readers::check(&mut findings);
    intake::check(&config.intake, &mut findings);
    journal::check(&config.intake, &mut findings);
    bus::check(&mut findings);
    desktop::check(&mut findings);
    for finding in &mut findings {
        finding.what = safe(finding.what.as_bytes(), MAX_TEXT);
        finding.remedy = safe(finding.remedy.as_bytes(), MAX_TEXT);
    }
    // The worst first; the order of the checks otherwise.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let text = match arguments.output {
        Form::Json => {
            serde_json::to_string_pretty(&serde_json::json!({ "schema": 1, "findings": findings })).map_err(anyhow::Error::from)? + "\n"
        }
        Form::Text => text(&findings, arguments.all),
    };
    io::stdout().write_all(text.as_bytes()).map_err(anyhow::Error::from)?;
    let bad = findings.iter().filter(|finding| finding.severity >= Severity::Warning).count();
    if bad == 0 { Ok(()) } else { Err(Failure::Other(anyhow::anyhow!("{bad} of {} checks found something", findings.len()))) }
}

fn text(findings: &[Finding], all: bool) -> String {
    let mut out = String::new();
    for finding in findings.iter().filter(|finding| all || finding.severity > Severity::Ok) {
        let word = match finding.severity {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Problem => "problem",
        };
        // Writing to a String does not fail.
        let _ = writeln!(out, "{word:<8} {} ({})", finding.what, finding.id);
        if !finding.remedy.is_empty() {
            let _ = writeln!(out, "         -> {}", finding.remedy);
        }
    }
    let fine = findings.iter().filter(|finding| finding.severity == Severity::Ok).count();
    let _ = writeln!(out, "{fine} checks are fine{}", if all || fine == 0 { "" } else { "; --all shows them" });
    out
}

/// Some of a list, and how many more there are.
fn some_of(list: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if list.len() > SHOWN { format!("{shown}; and {} more", list.len() - SHOWN) } else { shown }
}
