//! Rule files: what firebell ships, what a vendor puts in its place, and what the administrator adds.
//!
//! Shipped rules are in the binaries; `*.toml` files in [`VENDOR_FOLDER`] take their place where there are any. The
//! administrator's folders ([`config::RULES_FOLDER`] by default) add rules, and change the others with `[[override]]`. A file with a mistake
//! is refused as a whole. See docs/RULE-LANGUAGE.md for the language.

mod file;
mod shipped;
pub mod test;
mod value;

pub use shipped::SHIPPED;

use crate::config::{self, Problem, Signatures};
use file::{File, HINT_TOO_SEVERE, MAX_HINT, Override};
use firebell_engine::signature::{Condition, Confidence, Rule, RuleSet, Sids};
use firebell_shared::config::{ConfigError, Spanned, parse};
use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    path::{Path, PathBuf},
};

/// Where a vendor puts rule files that take the place of the shipped ones.
pub const VENDOR_FOLDER: &str = "/usr/lib/firebell/signatures";
/// Rules of all files together.
pub const MAX_RULES: usize = 10_000;
/// Titles of numbers that prefixes name, of all files together.
pub const MAX_SIDS: usize = 65_536;

/// Every rule that was read, in force or not.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    entries: Vec<Entry>,
    sids: BTreeMap<u32, String>,
    files: Vec<PathBuf>,
}

/// A rule, and where it is from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it says, with the overrides over it.
    pub rule: Rule,
    /// It is in force.
    pub is_enabled: bool,
    /// An `[[override]]` has changed it.
    pub is_changed: bool,
    /// Where it begins.
    pub place: Place,
    /// What it has to say of log lines.
    pub tests: Vec<Test>,
    /// As the file has it.
    pub text: String,
}

/// A line of a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file; a name without a folder for a shipped one.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Log lines, and whether a rule has to fit the last of them.
#[derive(Clone, Debug)]
pub struct Test {
    /// Where it begins.
    pub place: Place,
    /// One after the other.
    pub lines: Vec<String>,
    /// The rule fits the last line. Otherwise it fits none of them.
    pub expect: bool,
}

/// The text of a rule file.
#[derive(Clone, Debug)]
pub struct Source {
    /// For messages.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// What was read, and what was refused.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rules of the files without a mistake.
    pub rules: Rules,
    /// One for each file that was refused.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Reads what the configuration names: shipped or vendor's rules, and the folders. `instead`: a folder whose files take the
    /// place of the shipped ones.
    #[must_use]
    pub fn read(config: &Signatures, instead: Option<&Path>) -> Self {
        let (mut sources, mut problems) = (Vec::new(), Vec::new());
        match instead {
            Some(path) => sources.extend(must_be_there(path, &mut problems)),
            None if config.enabled && config.shipped => match folder(Path::new(VENDOR_FOLDER), &mut problems) {
                vendor if vendor.is_empty() => sources.extend(shipped_sources()),
                vendor => sources.extend(vendor),
            },
            None => {}
        }
        if config.enabled {
            for path in &config.folders {
                sources.extend(folder(path.path(), &mut problems));
            }
        }
        Self::with(&sources, problems)
    }

    /// The shipped rules.
    #[must_use]
    pub fn shipped() -> Self {
        Self::of(&shipped_sources())
    }

    /// The rules of all files of a folder, which must be there.
    #[must_use]
    pub fn folder(path: &Path) -> Self {
        let mut problems = Vec::new();
        let sources = must_be_there(path, &mut problems);
        Self::with(&sources, problems)
    }

    /// The rules of these files; `under` are those that they may override, and are not part of what comes back.
    #[must_use]
    pub fn files(paths: &[PathBuf], under: &[Source]) -> Self {
        let (mut sources, mut problems) = (under.to_vec(), Vec::new());
        for path in paths {
            match read(path) {
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
        }
        let mut loaded = Self::with(&sources, problems);
        loaded.rules.entries.retain(|entry| paths.contains(&entry.place.file));
        loaded
    }

    fn with(sources: &[Source], mut problems: Vec<Problem>) -> Self {
        let mut loaded = Self::of(sources);
        problems.append(&mut loaded.problems);
        Self { problems, ..loaded }
    }

    /// The rules of these texts, in order. A text that has a mistake, names a rule that an earlier one has, or overrides one
    /// that is nowhere, is refused.
    #[must_use]
    pub fn of(sources: &[Source]) -> Self {
        let mut problems = Vec::new();
        let mut read: Vec<(&Source, File)> = Vec::new();
        for source in sources {
            match parse::<File>(&source.path, &source.text) {
                Ok(file) => read.push((source, file)),
                Err(mistake) => problems.push(mistake.into()),
            }
        }
        // Who is refused takes rules away that others may override, so until nobody is.
        loop {
            match Rules::of(&read) {
                Ok(rules) => return Self { rules, problems },
                Err((refused, mistake)) => {
                    problems.push(mistake.into());
                    read.remove(refused);
                }
            }
        }
    }
}

impl Rules {
    /// All rules, in force or not, in the order of their files.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The files that they came from.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The rule with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.rule.id == id)
    }

    /// What is in force, ready for the engine.
    #[must_use]
    pub fn set(&self, config: &Signatures) -> RuleSet {
        if !config.enabled {
            return RuleSet::default();
        }
        let rules = self.entries.iter().filter(|entry| entry.is_enabled).map(|entry| entry.rule.clone()).collect();
        let sids = Sids {
            before: config.sid_prefix.as_bytes().to_vec(),
            severity: config.sid_severity,
            titles: self.sids.iter().map(|(number, title)| (*number, title.clone())).collect(),
        };
        RuleSet::new(rules, sids)
    }

    /// Puts files together. The one that does not fit the others comes back by its place in the list, with its mistake.
    fn of(files: &[(&Source, File)]) -> Result<Self, (usize, ConfigError)> {
        let mut rules = Self::default();
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for (number, (source, file)) in files.iter().enumerate() {
            let mistake = |at: std::ops::Range<usize>, what: &str| (number, ConfigError::new(&source.path, &source.text, Some(at), what));
            let lines = Lines::new(source);
            for entry in &file.rule {
                let (at, entry) = (entry.span(), entry.get_ref());
                let place = lines.place(at.start);
                if let Some(other) = by_id.get(entry.rule.id.as_str()).and_then(|at| rules.entries.get(*at)) {
                    let hint = if other.place.file == place.file { "" } else { "; to change that one, use [[override]]" };
                    return Err(mistake(at, &format!("`{}` is a rule already, at {}{hint}", entry.rule.id, other.place)));
                }
                if rules.entries.len() == MAX_RULES {
                    return Err(mistake(at, &format!("more than {MAX_RULES} rules in all")));
                }
                by_id.insert(&entry.rule.id, rules.entries.len());
                let test = |test: &Spanned<file::TestEntry>| Test {
                    place: lines.place(test.span().start),
                    lines: test.get_ref().lines.clone(),
                    expect: test.get_ref().expect,
                };
                rules.entries.push(Entry {
                    rule: entry.rule.clone(),
                    is_enabled: entry.is_enabled,
                    is_changed: false,
                    place,
                    tests: entry.tests.iter().map(test).collect(),
                    text: text_from(&source.text, at.start),
                });
            }
            for sid in &file.sid {
                rules.sids.insert(sid.number.number(), sid.title.0.clone());
            }
            if rules.sids.len() > MAX_SIDS {
                return Err(mistake(0..0, &format!("more than {MAX_SIDS} [[sid]] titles in all")));
            }
            rules.files.push(source.path.clone());
        }
        for (number, (source, file)) in files.iter().enumerate() {
            for change in &file.r#override {
                let (at, change) = (change.span(), change.get_ref());
                let applied = match by_id.get(change.id.as_str()).and_then(|at| rules.entries.get_mut(*at)) {
                    None => Err(format!("there is no rule `{}` to override", change.id)),
                    Some(entry) => entry.change(change),
                };
                applied.map_err(|what| (number, ConfigError::new(&source.path, &source.text, Some(at), &what)))?;
            }
        }
        Ok(rules)
    }
}

impl Entry {
    fn change(&mut self, change: &Override) -> Result<(), String> {
        let Override { id: _, enabled, severity, confidence } = *change;
        let rule = &mut self.rule;
        if let Some(confidence) = confidence {
            if confidence > rule.confidence {
                return Err(format!("`{}` is {}; an override can make a rule only less sure of itself", rule.id, rule.confidence.as_str()));
            }
            rule.confidence = confidence;
        }
        rule.severity = severity.unwrap_or(rule.severity);
        if rule.confidence == Confidence::Hint && rule.severity > MAX_HINT {
            if severity.is_some() {
                return Err(HINT_TOO_SEVERE.to_owned());
            }
            rule.severity = MAX_HINT;
        }
        self.is_enabled = enabled.unwrap_or(self.is_enabled);
        self.is_changed = true;
        Ok(())
    }

    /// It asks for a port, and perhaps for a protocol, addresses and a plain SYN: any client would fit it. Port 0 is that of
    /// no client.
    #[must_use]
    pub fn names_only_a_port(&self) -> bool {
        use firebell_engine::{packet::TcpFlags, signature::Field};
        let conditions = &self.rule.matching.conditions;
        let is_port =
            |condition: &Condition| matches!(condition, Condition::Number(Field::Dport, ports) if ports.ranges() != (&[(0, 0)], false));
        let is_plain = |condition: &Condition| match condition {
            Condition::Family(_) | Condition::Source(_) | Condition::Destination(_) => true,
            Condition::Flags { set, .. } => *set == TcpFlags::SYN,
            port => is_port(port),
        };
        self.rule.count.is_none() && conditions.iter().any(is_port) && conditions.iter().all(is_plain)
    }
}

/// Where the lines of a text begin.
struct Lines<'a> {
    path: &'a Path,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(source: &'a Source) -> Self {
        let ends = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { path: &source.path, starts: ends.map(|(at, _)| at + 1).collect() }
    }

    fn place(&self, at: usize) -> Place {
        Place { file: self.path.to_owned(), line: self.starts.partition_point(|start| *start <= at) + 1 }
    }
}

/// A table of the outermost level, with the tables inside it: to the next one, without the comments in front of that.
fn text_from(text: &str, start: usize) -> String {
    let mut lines = text.get(start..).unwrap_or_default().lines();
    let first = lines.next().unwrap_or_default();
    let is_next = |line: &&str| ["[[rule]]", "[[override]]", "[[sid]]"].iter().any(|head| line.trim_start().starts_with(head));
    let mut own: Vec<&str> = std::iter::once(first).chain(lines.take_while(|line| !is_next(line))).collect();
    while own.last().is_some_and(|line| line.trim().is_empty() || line.starts_with('#')) {
        own.pop();
    }
    own.join("\n")
}

/// The texts of the shipped files.
#[must_use]
pub fn shipped_sources() -> Vec<Source> {
    SHIPPED.iter().map(|(name, text)| Source { path: PathBuf::from(name), text: (*text).to_owned() }).collect()
}

/// As [`folder`], for one that somebody has named.
fn must_be_there(path: &Path, problems: &mut Vec<Problem>) -> Vec<Source> {
    if let Err(error) = std::fs::read_dir(path) {
        problems.push(Problem::Unreadable { path: path.to_owned(), error });
        return Vec::new();
    }
    folder(path, problems)
}

/// The rule files of a folder in the order of their names; none where there is no folder.
fn folder(path: &Path, problems: &mut Vec<Problem>) -> Vec<Source> {
    let mut sources = Vec::new();
    match config::folder(path) {
        Ok(files) => {
            for file in files {
                match read(&file) {
                    Ok(source) => sources.push(source),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Err(error) => problems.push(Problem::Unreadable { path: path.to_owned(), error }),
    }
    sources
}

/// Reads one file.
///
/// # Errors
/// It cannot be read, is no regular file, is larger than 1 MiB or is not UTF-8.
pub fn read(path: &Path) -> Result<Source, Problem> {
    let unreadable = |error: io::Error| Problem::Unreadable { path: path.to_owned(), error };
    let bytes = config::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ConfigError::new(path, &String::from_utf8_lossy(error.as_bytes()), Some(at..at + 1), "this is not UTF-8")
    })?;
    Ok(Source { path: path.to_owned(), text })
}
