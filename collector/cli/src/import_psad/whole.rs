//! `firebell import-psad`: all that is in psad's folder, at once.

use super::{
    Imported, MAX_RULE_FILE,
    conf::{Conf, Converted, Told},
    convert, lists, read,
    settings::Fate,
    variables::Variables,
};
use crate::{Failure, form::Form};
use anyhow::{Context as _, ensure};
use clap::Args;
use firebell_collector::{
    config::Config,
    rules::{Loaded, Source, shipped_sources},
};
use firebell_shared::text::safe;
use serde_json::json;
use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Notes that are told of one file; the rest is counted. `firebell rules import-psad` tells all.
const MAX_TOLD: usize = 20;

/// Takes over what psad was told: psad.conf, auto_dl, snort_rule_dl, signatures and Snort rules.
///
/// Without --into nothing is written, and the report says what would be. Nothing that has no counterpart is left out silently:
/// each variable that somebody changed is told with what becomes of it, or why nothing does. psad's files are only read.
/// Afterwards firebelld --check says what is in force, and firebell rules check whether the rules are right.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// psad's folder.
    #[arg(value_name = "FOLDER", default_value = "/etc/psad")]
    folder: PathBuf,
    /// Writes conf.d/psad.toml and rules.d/psad-*.toml in this folder, mostly /etc/firebell.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Replaces such files of an earlier run.
    #[arg(long, requires = "into")]
    replace: bool,
    /// Severity by the number of packets, as psad's danger levels, instead of what the packets are.
    #[arg(long)]
    levels: bool,
    /// text for people: changed variables. json for one document with every variable and the files.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// A file of ours, and what it came from.
struct Made {
    /// Under `--into`.
    name: String,
    from: String,
    imported: Imported,
    /// Why it is not written.
    problem: Option<String>,
}

/// Reads psad's folder, converts, checks, writes, reports.
///
/// # Errors
/// There is no psad.conf, or a file cannot be read or written.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = &arguments.folder;
    let text = read(&folder.join("psad.conf"))?;
    let mut variables = Variables::of_psad();
    variables.read_psad_conf(&text);
    let conf = Conf::read(&text);
    let converted = conf.convert(&variables, arguments.levels);
    let mut made = rule_files(folder, &variables)?;
    made.insert(0, configuration(folder, &converted)?);
    check(&mut made);
    if let Some(into) = &arguments.into {
        write(into, &made, arguments.replace)?;
    }
    let out = match arguments.output {
        Form::Text => text_report(&conf, &converted.told, &made, arguments.into.as_deref()),
        Form::Json => serde_json::to_string_pretty(&json_report(&conf, &converted.told, &made)).map_err(anyhow::Error::from)? + "\n",
    };
    io::stdout().write_all(out.as_bytes()).map_err(|error| Failure::Other(error.into()))
}

/// psad.conf and auto_dl together.
fn configuration(folder: &Path, converted: &Converted) -> anyhow::Result<Made> {
    let mut imported = optional(folder, "auto_dl")?.map(|bytes| lists::auto_dl(&bytes)).unwrap_or_default();
    let gap = if converted.toml.is_empty() { "" } else { "\n" };
    imported.toml = format!("{gap}{}{}", converted.toml, imported.toml);
    Ok(Made { name: "conf.d/psad.toml".to_owned(), from: "psad.conf and auto_dl".to_owned(), imported, problem: None })
}

/// The rules, and the levels of rules.
fn rule_files(folder: &Path, variables: &Variables) -> anyhow::Result<Vec<Made>> {
    let mut made = Vec::new();
    if let Some(bytes) = optional(folder, "signatures")? {
        let imported = convert::signatures(&bytes, variables.clone());
        made.push(Made { name: "rules.d/psad-signatures.toml".to_owned(), from: "signatures".to_owned(), imported, problem: None });
    }
    let rules = folder.join("snort_rules");
    let mut names: Vec<_> = match fs::read_dir(&rules) {
        Ok(entries) => {
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| name.ends_with(".rules")).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", rules.display())),
    };
    names.sort();
    for name in names {
        let bytes = read(&rules.join(&name))?;
        let imported = convert::signatures(&bytes, variables.clone());
        let stem: String =
            name.trim_end_matches(".rules").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(64).collect();
        made.push(Made {
            name: format!("rules.d/psad-snort-{stem}.toml"),
            from: format!("snort_rules/{}", safe(name.as_bytes(), 200)),
            imported,
            problem: None,
        });
    }
    if let Some(bytes) = optional(folder, "snort_rule_dl")? {
        // Overrides come after what they change: files are read in the order of their names.
        let imported = lists::snort_rule_dl(&bytes, |id| known(&made, id));
        made.push(Made { name: "rules.d/psad-z-levels.toml".to_owned(), from: "snort_rule_dl".to_owned(), imported, problem: None });
    }
    Ok(made)
}

/// What became of the rule with this number.
fn known(made: &[Made], id: u32) -> lists::Rule {
    let line = format!("\nid = \"sid-{id}\"\n");
    let mut rules = made.iter().flat_map(|made| made.imported.toml.split("[[rule]]"));
    match rules.find(|rule| rule.contains(&line)) {
        Some(rule) if rule.contains("\nconfidence = \"hint\"\n") => lists::Rule::Hint,
        Some(_) => lists::Rule::Teller,
        None => lists::Rule::Missing,
    }
}

/// A file that need not be there.
fn optional(folder: &Path, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => read(&path).map(Some),
    }
}

/// What is not right is not written: the collector would refuse it.
fn check(made: &mut [Made]) {
    let mut sources = shipped_sources();
    for made in made {
        let text = made.text();
        if made.imported.toml.trim().is_empty() {
            continue;
        }
        if text.len() as u64 > MAX_RULE_FILE {
            made.problem = Some(format!("it is more than the {} MiB that a file may have; import it in parts", MAX_RULE_FILE >> 20));
        } else if made.name.starts_with("conf.d/") {
            made.problem = Config::parse(Path::new(&made.name), &text).err().map(|error| error.to_string());
        } else {
            let before = Loaded::of(&sources).problems.len();
            sources.push(Source { path: PathBuf::from(&made.name), text });
            if let Some(problem) = Loaded::of(&sources).problems.get(before) {
                made.problem = Some(problem.to_string());
                sources.pop();
            }
        }
    }
}

impl Made {
    fn text(&self) -> String {
        format!("# From psad's {}, by firebell import-psad.\n{}", self.from, self.imported.toml)
    }

    /// Is there something to write?
    fn is_good(&self) -> bool {
        self.problem.is_none() && !self.imported.toml.trim().is_empty()
    }

    fn becomes(&self) -> String {
        match &self.problem {
            Some(problem) => format!("left out: {problem}"),
            None if self.imported.toml.trim().is_empty() => "nothing to write".to_owned(),
            None => self.name.clone(),
        }
    }
}

/// Writes all files, or, when one is in the way, none.
fn write(into: &Path, made: &[Made], may_replace: bool) -> anyhow::Result<()> {
    let files: Vec<_> = made.iter().filter(|made| made.is_good()).map(|made| (into.join(&made.name), made.text())).collect();
    for (path, _) in &files {
        ensure!(may_replace || fs::symlink_metadata(path).is_err(), "{} is there already; --replace replaces it", path.display());
    }
    for (path, text) in files {
        let folder = path.parent().unwrap_or(into);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // The new file takes the place of the old one in one step, whatever that was.
        let new = path.with_extension("toml.new");
        let _ = fs::remove_file(&new);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn text_report(conf: &Conf, told: &[Told], made: &[Made], into: Option<&Path>) -> String {
    let mut out = String::new();
    // Writing to a String does not fail, neither here nor below.
    for made in made {
        let _ = writeln!(out, "{}: {}", made.from, made.imported.summary());
        let _ = writeln!(out, "  {} {}", if into.is_some() { "->" } else { "would be" }, made.becomes());
        let notes = &made.imported.notes;
        for (line, note) in notes.iter().take(MAX_TOLD) {
            let _ = writeln!(out, "  line {line}: {note}");
        }
        let more = notes.len().saturating_sub(MAX_TOLD) + made.imported.unsaid;
        if more > 0 {
            let _ = writeln!(out, "  and {more} more; firebell rules import-psad FILE tells all");
        }
    }
    for line in &conf.not_understood {
        let _ = writeln!(out, "psad.conf:{line}: not `NAME value;`, left out");
    }
    for fate in [Some(Fate::Converted), Some(Fate::Agent), Some(Fate::Always), Some(Fate::None), None] {
        let of_it: Vec<_> = told.iter().filter(|told| told.fate == fate && told.is_changed).collect();
        if of_it.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{}", fate.map_or_else(|| "unknown".to_owned(), |fate| fate.to_string()));
        for Told { line, name, value, answer, .. } in of_it {
            let _ = writeln!(out, "  {name} {value} (line {line})\n    {}", answer.replace('`', ""));
        }
    }
    let same = told.iter().filter(|told| !told.is_changed).count();
    let _ = writeln!(out, "\n{same} other variables are as psad came with them; -o json has them all.");
    match into {
        Some(_) => out.push_str("Now: firebelld --check, then systemctl reload firebell-collector.\n"),
        None => out.push_str("Nothing was written; --into /etc/firebell writes.\n"),
    }
    out
}

fn json_report(conf: &Conf, told: &[Told], made: &[Made]) -> serde_json::Value {
    let files: Vec<_> = made
        .iter()
        .map(|made| {
            let notes: Vec<_> = made.imported.notes.iter().map(|(line, note)| json!({ "line": line, "note": note })).collect();
            json!({
                "from": made.from, "file": made.is_good().then_some(&made.name), "problem": made.problem, "converted": made.imported.converted,
                "hints": made.imported.weakened, "refused": made.imported.refused.values().sum::<usize>(), "notes": notes,
                "notes_left_out": made.imported.unsaid, "text": made.is_good().then(|| made.text()),
            })
        })
        .collect();
    let variables: Vec<_> = told
        .iter()
        .map(|told| {
            json!({
                "name": told.name, "value": told.value, "line": told.line, "changed": told.is_changed,
                "fate": told.fate.map_or("unknown", |fate| match fate {
                    Fate::Converted => "converted",
                    Fate::Agent => "agent",
                    Fate::Always => "always",
                    Fate::None => "none",
                }),
                "answer": told.answer,
            })
        })
        .collect();
    json!({ "schema": 1, "files": files, "variables": variables, "lines_not_understood": conf.not_understood })
}
