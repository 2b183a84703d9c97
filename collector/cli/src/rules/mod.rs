//! `firebell rules`: the rules by which known packets are told.

mod show;
mod stats;

use crate::{Failure, form::Form, import_psad, report};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use firebell_collector::{
    config::{self, Signatures},
    rules::{Loaded, Rules, shipped_sources},
};
use std::{
    io::{self, Write as _},
    path::PathBuf,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists every rule: its id, severity, confidence and title, and whether it is in force.
    List(List),
    /// Shows one rule: what it says, why, where it is from, and its text.
    Show(Show),
    /// Reads rule files and says what is wrong in them, and where.
    Check(Check),
    /// Runs the tests that rules carry: log lines, and whether the rule fits them.
    Test(Test),
    /// Prints a rule file to begin with, with every key explained.
    New,
    ImportPsad(import_psad::Arguments),
    /// Tells how many packets each rule of the running collector has fitted.
    Stats(stats::Arguments),
}

/// Which rules.
#[derive(Debug, Args)]
struct Which {
    /// The configuration that names the rules, instead of /etc/firebell/firebell.toml and the files beside it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rules from the *.toml files in this folder, in place of those that firebell ships.
    #[arg(long, value_name = "DIR")]
    signatures: Option<PathBuf>,
    /// Only the rules that firebell ships, whatever the configuration says.
    #[arg(long, conflicts_with_all = ["config", "signatures"])]
    shipped: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// text for people, json for one document, markdown for docs/RULES.md.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: ListForm,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ListForm {
    Text,
    Json,
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id of the rule.
    id: String,
    #[command(flatten)]
    which: Which,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Rule files. They may override shipped rules.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Rule files [default: every rule that the configuration names].
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// A rule file to begin with.
const TEMPLATE: &str = include_str!("template.toml");

/// Does what the command says.
///
/// # Errors
/// A rule file is wrong or cannot be read, a test fails, or the collector does not answer.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let mut out = Vec::new();
    let result = match command {
        Command::List(List { which, output }) => {
            let rules = which.load()?;
            match output {
                ListForm::Text => show::list_text(&mut out, &rules),
                ListForm::Json => show::list_json(&mut out, &rules),
                ListForm::Markdown => show::list_markdown(&mut out, &rules),
            }
            Ok(())
        }
        Command::Show(Show { id, which, output }) => {
            let rules = which.load()?;
            let entry = rules.get(id).with_context(|| format!("there is no rule {id}; firebell rules list names them"))?;
            match output {
                Form::Text => show::rule_text(&mut out, entry),
                Form::Json => show::rule_json(&mut out, entry),
            }
            Ok(())
        }
        Command::Check(Check { files, output }) => check(&mut out, files, *output),
        Command::Test(Test { files, which, output }) => {
            let rules = if files.is_empty() { which.load()? } else { accept(Loaded::files(files, &shipped_sources()))? };
            test(&mut out, &rules, *output)
        }
        Command::New => {
            out.extend_from_slice(TEMPLATE.as_bytes());
            Ok(())
        }
        Command::ImportPsad(arguments) => import_psad::run(&mut out, arguments),
        Command::Stats(arguments) => stats::run(&mut out, arguments),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(&out).and_then(|()| stdout.flush()).context("writing to the standard output")?;
    result
}

impl Which {
    fn load(&self) -> Result<Rules, Failure> {
        if self.shipped {
            return accept(Loaded::shipped());
        }
        let config = config::load(self.config.as_deref()).map_err(|problems| Failure::Configuration(report::list(&problems)))?.config;
        // Rules that are turned off can be looked at.
        let signatures = Signatures { enabled: true, ..config.signatures };
        accept(Loaded::read(&signatures, self.signatures.as_deref()))
    }
}

fn accept(loaded: Loaded) -> Result<Rules, Failure> {
    if loaded.problems.is_empty() { Ok(loaded.rules) } else { Err(Failure::Configuration(report::list(&loaded.problems))) }
}

fn check(out: &mut Vec<u8>, files: &[PathBuf], form: Form) -> Result<(), Failure> {
    let loaded = Loaded::files(files, &shipped_sources());
    let rules = loaded.rules.entries().len();
    let is_good = loaded.problems.is_empty();
    match form {
        Form::Json => {
            let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
            show::json(out, &serde_json::json!({ "ok": is_good, "rules": rules, "problems": problems }));
        }
        Form::Text if is_good => {
            // Writing into memory does not fail, neither here nor below.
            let _ = writeln!(out, "no mistake: {}", show::plural(rules, "rule"));
        }
        Form::Text => {}
    }
    if is_good { Ok(()) } else { Err(Failure::Configuration(report::list(&loaded.problems))) }
}

fn test(out: &mut Vec<u8>, rules: &Rules, form: Form) -> Result<(), Failure> {
    let outcome = rules.run_tests();
    let failures = &outcome.failures;
    match form {
        Form::Json => {
            let failures: Vec<_> = failures
                .iter()
                .map(|failure| {
                    serde_json::json!({
                        "id": failure.id, "file": failure.place.file, "line": failure.place.line, "reason": failure.reason,
                    })
                })
                .collect();
            show::json(
                out,
                &serde_json::json!({
                    "rules": outcome.rules, "tests": outcome.tests, "untested": outcome.untested, "failures": failures,
                }),
            );
        }
        Form::Text => {
            let (tests, tested) = (show::plural(outcome.tests, "test"), show::plural(outcome.rules, "rule"));
            let _ = writeln!(out, "{tests} of {tested}: {} failed", failures.len());
            if !outcome.untested.is_empty() {
                let _ = writeln!(out, "without a test: {}", outcome.untested.join(" "));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(anyhow::anyhow!("{}", report::list(failures)).into()) }
}
