//! `firebell.toml`: what the administrator decides.
//!
//! Three layers, each over the one before: the vendor's `/usr/lib/firebell/firebell.toml`,
//! `/etc/firebell/firebell.toml`, and `/etc/firebell/conf.d/*.toml` in the order of their names. None of
//! them has to exist. A key that a layer leaves out keeps its value; a key that it gives replaces the
//! whole value, lists included. Every file is read on its own, so that an error names the place in the
//! file where the mistake is.

use firebell_shared::config::{self, ConfigError, MAX_BYTES};
use rustix::fs::OFlags;
use serde::{Deserialize, Deserializer, de};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Read as _},
    marker::PhantomData,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The vendor's defaults.
pub const VENDOR_FILE: &str = "/usr/lib/firebell/firebell.toml";
/// The administrator's file.
pub const FILE: &str = "/etc/firebell/firebell.toml";
/// The folder of small files that go over [`FILE`].
pub const FOLDER: &str = "/etc/firebell/conf.d";

/// Everything that can be configured, with every default filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[intake]`
    pub intake: Intake,
    /// `[bus]`
    pub bus: Bus,
    /// `[history]`
    pub history: History,
}

/// Where the log comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// `source`
    pub source: Source,
    /// `files`: the log files to follow; empty: the usual places are tried.
    pub files: Vec<LogFile>,
    /// `from`: where to begin.
    pub from: From,
    /// `prefixes`: when not empty, lines with other log prefixes are left alone.
    pub prefixes: Vec<Prefix>,
    /// `vouched-prefixes`: lines with these prefixes count as this machine's even while
    /// `net.netfilter.nf_log_all_netns` lets other network namespaces write to the kernel log.
    pub vouched_prefixes: Vec<Prefix>,
}

/// Who hears what on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// `viewers`: users and groups that may hear alerts without asking polkit.
    pub viewers: Vec<Viewer>,
    /// `groups`: groups whose members may read the kernel log anyway.
    pub groups: Vec<String>,
    /// `broadcast`: alerts go to everybody whom the bus policy lets receive them.
    pub broadcast: bool,
}

impl Default for Bus {
    fn default() -> Self {
        // Debian's groups for reading logs, and systemd's.
        Self { viewers: Vec::new(), groups: vec!["adm".into(), "systemd-journal".into()], broadcast: false }
    }
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// `max-alerts`: the newest so many incidents are kept.
    pub max_alerts: MaxAlerts,
}

impl Default for History {
    fn default() -> Self {
        Self { max_alerts: MaxAlerts(10_000) }
    }
}

/// Which kind of intake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The kernel log where it can be opened, else a log file.
    #[default]
    Auto,
    /// `/dev/kmsg`.
    Kmsg,
    /// Log files.
    File,
}

/// Where to begin reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// With the oldest line there is.
    Start,
    /// With the next line that is written.
    #[default]
    End,
}

/// The absolute path of a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile(PathBuf);

impl LogFile {
    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl TryFrom<&str> for LogFile {
    type Error = String;

    fn try_from(path: &str) -> Result<Self, String> {
        if path.starts_with('/') { Ok(Self(path.into())) } else { Err(format!("`{path}` is not an absolute path; write it from `/`")) }
    }
}

/// A log prefix as a rule gives it. The space that ends it does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Is this the prefix of a line, given without the space that ends it?
    #[must_use]
    pub fn is(&self, prefix: &[u8]) -> bool {
        self.0.as_bytes() == prefix.trim_ascii_end()
    }
}

impl TryFrom<&str> for Prefix {
    type Error = String;

    fn try_from(prefix: &str) -> Result<Self, String> {
        let prefix = prefix.trim_end();
        // Linux include/uapi/linux/netfilter/nf_log.h: NF_LOG_PREFIXLEN is 128 with the final zero.
        if (1..=127).contains(&prefix.len()) {
            Ok(Self(prefix.to_owned()))
        } else {
            Err(format!("a log prefix has 1 to 127 bytes, this one has {}", prefix.len()))
        }
    }
}

/// Someone who may hear alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A user by number.
    Uid(u32),
    /// A user by name or, when no user is called so, a group.
    Name(String),
    /// A group, written `@name`.
    Group(String),
}

impl TryFrom<&str> for Viewer {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        const FORMS: &str = "write a user (`ana`), a group (`@wheel`) or a user id (`1000`)";
        if let Ok(uid) = text.parse() {
            return Ok(Self::Uid(uid));
        }
        let (name, is_group) = text.strip_prefix('@').map_or((text, false), |name| (name, true));
        if name.is_empty() || name.len() > 256 || name.contains([':', ',', '@', '\n', ' ']) {
            return Err(format!("`{text}` is no viewer; {FORMS}"));
        }
        Ok(if is_group { Self::Group(name.to_owned()) } else { Self::Name(name.to_owned()) })
    }
}

impl fmt::Display for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => uid.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

/// How many incidents the history keeps, 1 to 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct MaxAlerts(u32);

impl MaxAlerts {
    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<u32> for MaxAlerts {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        if (1..=1_000_000).contains(&count) { Ok(Self(count)) } else { Err(format!("{count} alerts; use 1 to 1000000")) }
    }
}

macro_rules! from_text {
    ($($name:ident)*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(PhantomData))
            }
        }
    )* };
}

from_text! { LogFile Prefix Viewer }

/// Reads a string as a `T`. The check runs inside the visitor: `#[serde(try_from)]` checks later, when
/// the parser has forgotten which entry of a list it was.
struct Text<T>(PhantomData<T>);

impl<T: for<'a> TryFrom<&'a str, Error = String>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::try_from(text).map_err(E::custom)
    }
}

/// What one file says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Layer {
    intake: IntakeLayer,
    bus: BusLayer,
    history: HistoryLayer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct IntakeLayer {
    source: Option<Source>,
    files: Option<List<LogFile, 16>>,
    from: Option<From>,
    prefixes: Option<List<Prefix, 64>>,
    vouched_prefixes: Option<List<Prefix, 64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct BusLayer {
    viewers: Option<List<Viewer, 256>>,
    groups: Option<List<String, 64>>,
    broadcast: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct HistoryLayer {
    max_alerts: Option<MaxAlerts>,
}

/// A list of at most `MAX` entries.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<T>", bound = "T: Deserialize<'de>")]
struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> TryFrom<Vec<T>> for List<T, MAX> {
    type Error = String;

    fn try_from(list: Vec<T>) -> Result<Self, String> {
        if list.len() <= MAX { Ok(Self(list)) } else { Err(format!("{} entries; at most {MAX} are allowed", list.len())) }
    }
}

/// Puts what a layer says over what is there.
fn put<T>(value: &mut T, layer: Option<impl Into<Given<T>>>) {
    if let Some(layer) = layer {
        *value = layer.into().0;
    }
}

/// A value from a layer.
struct Given<T>(T);

impl<T> std::convert::From<T> for Given<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T, const MAX: usize> std::convert::From<List<T, MAX>> for Given<Vec<T>> {
    fn from(list: List<T, MAX>) -> Self {
        Self(list.0)
    }
}

impl Config {
    fn apply(&mut self, layer: Layer) {
        let Layer { intake, bus, history } = layer;
        put(&mut self.intake.source, intake.source);
        put(&mut self.intake.files, intake.files);
        put(&mut self.intake.from, intake.from);
        put(&mut self.intake.prefixes, intake.prefixes);
        put(&mut self.intake.vouched_prefixes, intake.vouched_prefixes);
        put(&mut self.bus.viewers, bus.viewers);
        put(&mut self.bus.groups, bus.groups);
        put(&mut self.bus.broadcast, bus.broadcast);
        put(&mut self.history.max_alerts, history.max_alerts);
    }

    /// Reads one text as the only layer. `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the first mistake.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.apply(config::parse(path, text)?);
        Ok(config)
    }
}

/// The configuration, and the files it came from.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// The files that were read, the strongest last.
    pub files: Vec<PathBuf>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// What it says is wrong.
    #[error(transparent)]
    Mistake(#[from] ConfigError),
    /// It cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// Reads the configuration: `file` alone when it is given, else the three layers.
///
/// # Errors
/// Every problem that was found, one for each file at most.
pub fn load(file: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    match file {
        // A file that somebody names must exist; the usual ones need not.
        Some(path) => load_files(vec![path.to_owned()], true),
        None => {
            let (mut files, mut problems) = (vec![PathBuf::from(VENDOR_FILE), PathBuf::from(FILE)], Vec::new());
            match folder(Path::new(FOLDER)) {
                Ok(found) => files.extend(found),
                Err(error) => problems.push(Problem::Unreadable { path: FOLDER.into(), error }),
            }
            match load_files(files, false) {
                Ok(loaded) if problems.is_empty() => Ok(loaded),
                Ok(_) => Err(problems),
                Err(more) => {
                    problems.extend(more);
                    Err(problems)
                }
            }
        }
    }
}

fn load_files(paths: Vec<PathBuf>, must_exist: bool) -> Result<Loaded, Vec<Problem>> {
    let (mut loaded, mut problems) = (Loaded::default(), Vec::new());
    for path in paths {
        let text = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => continue,
            Err(error) => {
                problems.push(Problem::Unreadable { path, error });
                continue;
            }
            Ok(bytes) => String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                ConfigError::new(&path, &text, Some(at..at + 1), "this is not UTF-8")
            }),
        };
        match text.and_then(|text| config::parse(&path, &text)) {
            Ok(layer) => {
                loaded.config.apply(layer);
                loaded.files.push(path);
            }
            Err(mistake) => problems.push(mistake.into()),
        }
    }
    if problems.is_empty() { Ok(loaded) } else { Err(problems) }
}

/// The `*.toml` files of a folder in the order of their names; none when there is no folder.
fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| {
        file.extension().is_some_and(|extension| extension == "toml")
            && file.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
    });
    files.sort();
    Ok(files)
}

/// Reads a regular file of at most [`MAX_BYTES`].
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Not blocking: a FIFO in the place of the file must not hold the start up.
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

/// What is in force, as a configuration file that says the same.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { intake, bus, history } = self;
        let word = |word: &str| quoted(word);
        writeln!(f, "[intake]")?;
        writeln!(
            f,
            "source = {}",
            word(match intake.source {
                Source::Auto => "auto",
                Source::Kmsg => "kmsg",
                Source::File => "file",
            })
        )?;
        writeln!(f, "files = {}", list(intake.files.iter().map(|file| file.0.to_string_lossy().into_owned())))?;
        writeln!(
            f,
            "from = {}",
            word(match intake.from {
                From::Start => "start",
                From::End => "end",
            })
        )?;
        writeln!(f, "prefixes = {}", list(intake.prefixes.iter().map(|prefix| prefix.0.clone())))?;
        writeln!(f, "vouched-prefixes = {}", list(intake.vouched_prefixes.iter().map(|prefix| prefix.0.clone())))?;
        writeln!(f, "\n[bus]")?;
        writeln!(f, "viewers = {}", list(bus.viewers.iter().map(Viewer::to_string)))?;
        writeln!(f, "groups = {}", list(bus.groups.iter().cloned()))?;
        writeln!(f, "broadcast = {}", bus.broadcast)?;
        writeln!(f, "\n[history]")?;
        writeln!(f, "max-alerts = {}", history.max_alerts.0)
    }
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.map(|entry| quoted(&entry)).collect::<Vec<_>>().join(", "))
}

/// A TOML basic string (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        Config::parse(Path::new("f.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn no_file_at_all_gives_the_defaults() {
        let config = Config::default();
        assert_eq!(config.intake.source, Source::Auto);
        assert_eq!(config.bus.groups, ["adm", "systemd-journal"]);
        assert_eq!(config.history.max_alerts.get(), 10_000);
    }

    #[test]
    fn what_is_in_force_is_itself_a_file_that_says_the_same() {
        let text = "[intake]\nsource = \"file\"\nfiles = [\"/var/log/a \\\"b\\\"\\u0007\"]\nfrom = \"start\"\nprefixes = [\"X \"]\n\
                    vouched-prefixes = [\"FBDEMO \"]\n[bus]\nviewers = [\"ana\", \"@wheel\", \"1000\"]\ngroups = []\nbroadcast = true\n\
                    [history]\nmax-alerts = 5\n";
        let config = Config::parse(Path::new("f.toml"), text).unwrap();
        assert_eq!(config.bus.viewers, [Viewer::Name("ana".into()), Viewer::Group("wheel".into()), Viewer::Uid(1000)]);
        assert!(config.intake.prefixes[0].is(b"X") && config.intake.prefixes[0].is(b"X ") && !config.intake.prefixes[0].is(b"XX"));
        assert_eq!(Config::parse(Path::new("again.toml"), &config.to_string()).unwrap(), config);
        let plain = Config::default();
        assert_eq!(Config::parse(Path::new("again.toml"), &plain.to_string()).unwrap(), plain);
    }

    #[test]
    fn mistakes_say_where_they_are_and_what_is_valid() {
        let text = mistake("[intake]\nsource = \"kmesg\"\n");
        assert!(text.starts_with("f.toml:2:10: unknown variant `kmesg`, expected one of `auto`, `kmsg`, `file`"), "{text}");
        let text = mistake("[intake]\nprefix = [\"x\"]\n");
        assert!(text.starts_with("f.toml:2:1: unknown field `prefix`, expected one of `source`, `files`, `from`, `prefixes`"), "{text}");
        let text = mistake("[history]\nmax-alerts = 0\n");
        assert!(text.starts_with("f.toml:2:14: 0 alerts; use 1 to 1000000"), "{text}");
        let text = mistake("[intake]\nfiles = [\"/a\",\n  \"b\"]\n");
        assert!(text.starts_with("f.toml:3:3: `b` is not an absolute path"), "{text}");
        let text = mistake("[bus]\nviewers = [\"a b\"]\n");
        assert!(text.starts_with("f.toml:2:12: `a b` is no viewer; write a user"), "{text}");
        let text = mistake(&format!("[intake]\nfiles = [{}]\n", "\"/x\",".repeat(17)));
        assert!(text.starts_with("f.toml:2:9: 17 entries; at most 16 are allowed"), "{text}");
        let text = mistake(&format!("[intake]\nprefixes = [\"{}\"]\n", "x".repeat(128)));
        assert!(text.contains("1 to 127 bytes, this one has 128"), "{text}");
    }

    #[test]
    fn later_files_win_key_by_key_and_every_bad_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let first = file("10.toml", b"[bus]\nviewers = [\"ana\"]\nbroadcast = true\n");
        let second = file("20.toml", b"[bus]\nviewers = [\"bob\"]\n");
        file(".hidden.toml", b"nonsense");
        file("readme.txt", b"nonsense");
        assert_eq!(folder(dir.path()).unwrap(), [first.clone(), second.clone()]);
        let loaded = load_files(vec![dir.path().join("missing"), first.clone(), second.clone()], false).unwrap();
        assert_eq!(loaded.config.bus.viewers, [Viewer::Name("bob".into())]);
        assert!(loaded.config.bus.broadcast);
        assert_eq!(loaded.files, [first, second]);

        let bad = file("30.toml", b"[bus]\nviewer = []\n");
        let bytes = file("40.toml", b"[bus]\n# \xff\n");
        let large = file("50.toml", &vec![b'#'; 1 + usize::try_from(MAX_BYTES).unwrap()]);
        let problems = load_files(vec![bad, bytes, large, dir.path().join("missing")], true).unwrap_err();
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(texts[0].contains("30.toml:2:1: unknown field `viewer`"), "{texts:?}");
        assert!(texts[1].contains("40.toml:2:3: this is not UTF-8"), "{texts:?}");
        assert!(texts[2].contains("larger than 1048576 bytes"), "{texts:?}");
        assert!(texts[3].contains("missing: No such file"), "{texts:?}");
    }

    #[test]
    fn a_fifo_in_the_place_of_the_file_does_not_hold_the_start_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.toml");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(load(Some(&path)).unwrap_err()[0].to_string().contains("not a regular file"));
    }
}
