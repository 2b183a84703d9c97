//! `firebell import-psad` and `firebell rules import-psad`: configuration, rules and lists of psad, and header rules of Snort, as
//! firebell's own.
//!
//! What a line says that we cannot look for is never dropped silently: the rule is refused, or becomes a hint that only
//! explains, and standard error tells which line and why. So no imported rule alerts on more than the original.
//!
//! Sources: psad 2.4.6 (`import_signatures`, `import_auto_dl`, `import_snort_rule_dl`) and its manual page; the Snort 2.9 manual,
//! chapter 3 "Writing Snort Rules".

mod addresses;
mod conf;
mod convert;
mod lines;
mod lists;
mod numbers;
mod settings;
mod variables;
pub(crate) mod whole;

use crate::Failure;
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use firebell_shared::text::safe;
use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};
use variables::Variables;

/// The largest file that is read: the full rule set of Snort has some 20 MB.
const MAX_FILE: u64 = 64 << 20;
/// Rules are made up to so many bytes: several times what can be loaded.
const MAX_OUTPUT: usize = 16 << 20;
/// So much is said of a file line by line; the rest is counted.
const MAX_NOTES: usize = 10_000;
/// The largest rule file that is loaded.
const MAX_RULE_FILE: u64 = 1 << 20;

/// Turns psad's signatures, or header rules of Snort, into firebell's rule language, on standard output.
///
/// Each keyword that has no counterpart is reported with its line on standard error, with counts at the end. A rule that looks
/// into the payload is refused; its title is kept for fwsnort's log prefixes (SID1234). A rule with another condition that a
/// log does not show becomes a hint, which explains an incident and never opens one, as does a rule that knows just a port.
///
/// HOME_NET and EXTERNAL_NET are "any", as psad.conf has them, unless --psad-conf or --variable says otherwise; their values
/// may be $home, $lan and $internet of firebell.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// What the file is [default: told by its name].
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// Reads variables such as HOME_NET from this psad.conf.
    #[arg(long, value_name = "FILE")]
    psad_conf: Option<PathBuf>,
    /// Sets a variable: HOME_NET='[192.168.1.0/24]'. Can be given several times.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// The file; - is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// psad's signatures, or a rule file of Snort: becomes a file for rules.d.
    Signatures,
    /// psad's auto_dl: becomes [[severity]] tables for firebell.toml or conf.d.
    AutoDl,
    /// psad's snort_rule_dl: becomes [[override]] tables for rules.d.
    SnortRuleDl,
}

impl Kind {
    fn of(path: &Path) -> Self {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("auto_dl") => Self::AutoDl,
            Some("snort_rule_dl") => Self::SnortRuleDl,
            _ => Self::Signatures,
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if variables::is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Why something was not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    reason: Reason,
    /// What exactly, in the words of the file.
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Payload,
    State,
    Keyword,
    Value,
    Syntax,
    Variable,
    Action,
    Protocol,
    Never,
    Number,
    Host,
    Unknown,
    TooMuch,
}

impl Refusal {
    fn new(reason: Reason, detail: impl AsRef<str>) -> Self {
        Self { reason, detail: safe(detail.as_ref().as_bytes(), 120) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Payload => "looks into the payload",
            Self::State => "remembers earlier packets",
            Self::Keyword => "has a keyword without counterpart",
            Self::Value => "has a value that is not understood",
            Self::Syntax => "is no rule",
            Self::Variable => "has a variable without value; set it with --variable NAME=VALUE",
            Self::Action => "is no alert",
            Self::Protocol => "has a protocol that a firewall log does not name",
            Self::Never => "can never match",
            Self::Number => "has no number of its own (sid or psad_id)",
            Self::Host => "names a host; write its address",
            Self::Unknown => "names a rule that is not converted",
            Self::TooMuch => "comes after more rules than can be loaded; import the file in parts",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// What a file became.
#[derive(Debug, Default)]
struct Imported {
    toml: String,
    /// With the number of its line; at most [`MAX_NOTES`].
    notes: Vec<(usize, String)>,
    /// Notes that are left out.
    unsaid: usize,
    converted: usize,
    weakened: usize,
    refused: BTreeMap<Reason, usize>,
}

impl Imported {
    fn note(&mut self, line: usize, note: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push((line, note));
        } else {
            self.unsaid += 1;
        }
    }

    fn refuse(&mut self, line: usize, whose: &str, refusal: &Refusal) {
        self.note(line, format!("{whose}refused: {refusal}"));
        *self.refused.entry(refusal.reason).or_default() += 1;
    }

    /// No more is made of the file from this line on.
    fn is_full(&mut self, line: usize) -> bool {
        let is_full = self.toml.len() > MAX_OUTPUT;
        if is_full {
            self.refuse(line, "", &Refusal::new(Reason::TooMuch, ""));
        }
        is_full
    }

    fn summary(&self) -> String {
        let mut out = format!("{} converted", self.converted);
        if self.weakened > 0 {
            out += &format!(" ({} of them only as hints, since a condition is not looked at)", self.weakened);
        }
        out += &format!(", {} refused", self.refused.values().sum::<usize>());
        for (n, (reason, count)) in self.refused.iter().enumerate() {
            out += if n == 0 { ": " } else { "; " };
            out += &format!("{count} {reason}");
        }
        out
    }
}

/// Reads and converts; the rules go to `out`, and what there is to say of them to standard error.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    let mut variables = Variables::of_psad();
    if let Some(path) = &arguments.psad_conf {
        variables.read_psad_conf(&read(path)?);
    }
    for (name, value) in &arguments.variables {
        variables.set(name, value);
    }
    let bytes = read(&arguments.file)?;
    let name = safe(arguments.file.display().to_string().as_bytes(), 200);
    let mut imported = match arguments.kind.unwrap_or_else(|| Kind::of(&arguments.file)) {
        Kind::Signatures => convert::signatures(&bytes, variables),
        Kind::AutoDl => lists::auto_dl(&bytes),
        Kind::SnortRuleDl => lists::snort_rule_dl(&bytes, |_| lists::Rule::Teller),
    };
    out.extend_from_slice(format!("# From {name}, by firebell rules import-psad.\n{}", imported.toml).as_bytes());
    let mut talk = io::stderr().lock();
    imported.notes.sort_by_key(|(line, _)| *line);
    for (line, note) in &imported.notes {
        // Without a standard error there is nobody to tell.
        let _ = writeln!(talk, "{name}:{line}: {note}");
    }
    if imported.unsaid > 0 {
        let _ = writeln!(talk, "{name}: and {} more", imported.unsaid);
    }
    let _ = writeln!(talk, "{name}: {}", imported.summary());
    if imported.toml.len() as u64 > MAX_RULE_FILE {
        let _ = writeln!(talk, "{name}: this is more than the {} MiB that a rule file may have; import it in parts", MAX_RULE_FILE >> 20);
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?)
    };
    let mut bytes = Vec::new();
    source.by_ref().take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{} is larger than {} MiB", path.display(), MAX_FILE >> 20);
    }
    Ok(bytes)
}

/// A TOML string. `text` has been through [`safe`], so it has no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A TOML array of strings.
fn quoted_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", texts.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests;
