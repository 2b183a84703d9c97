//! `firebell.toml`: what the administrator decides.
//!
//! Three layers, each over the one before: the vendor's `/usr/lib/firebell/firebell.toml`,
//! `/etc/firebell/firebell.toml`, and `/etc/firebell/conf.d/*.toml` in the order of their names. None of
//! them has to exist. A key that a layer leaves out keeps its value; a key that it gives replaces the
//! whole value, lists included. Every file is read on its own, so that an error names the place in the
//! file where the mistake is.

use firebell_engine::engine;
use firebell_shared::{
    config::{self, ConfigError, MAX_BYTES},
    severity::Severity,
};
use ipnet::IpNet;
use rustix::fs::OFlags;
use serde::{Deserialize, Deserializer, de};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Read as _},
    marker::PhantomData,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The vendor's defaults.
pub const VENDOR_FILE: &str = "/usr/lib/firebell/firebell.toml";
/// The administrator's file.
pub const FILE: &str = "/etc/firebell/firebell.toml";
/// The folder of small files that go over [`FILE`].
pub const FOLDER: &str = "/etc/firebell/conf.d";

/// Everything that can be configured, with every default filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `[intake]`
    pub intake: Intake,
    /// `[bus]`
    pub bus: Bus,
    /// `[engine]`
    pub engine: Engine,
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

/// How packets are judged. Each key is the field of [`engine::Config`] of the same name, which says what it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Engine {
    /// All but the next field.
    parameters: engine::Config,
    /// `unverified-max-severity`; without it 2 where an intake vouches for its lines, else no limit.
    unverified_max_severity: Option<Severity>,
}

impl Engine {
    /// The parameters of the engine. `is_vouched`: there is an intake that vouches for its lines.
    #[must_use]
    pub fn parameters(&self, is_vouched: bool) -> engine::Config {
        let default = is_vouched.then_some(Severity::NOTABLE);
        engine::Config { unverified_max_severity: self.unverified_max_severity.or(default).map(Severity::get), ..self.parameters.clone() }
    }
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// `max-alerts`: the newest so many incidents are kept.
    pub max_alerts: Count<1_000_000>,
}

impl Default for History {
    fn default() -> Self {
        Self { max_alerts: Count(10_000) }
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

/// A number from 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Count<const MAX: u32>(u32);

impl<const MAX: u32> Count<MAX> {
    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl<const MAX: u32> TryFrom<u32> for Count<MAX> {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        if (1..=MAX).contains(&count) { Ok(Self(count)) } else { Err(format!("{count} is out of range; use 1 to {MAX}")) }
    }
}

/// A time as `90s`, `10m`, `1h` or `2d`: at least a second, at most 30 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time(Duration);

impl TryFrom<&str> for Time {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time; use a number and a unit from 1s to 30d: 90s, 10m, 1h, 2d");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
        let secs = number.parse::<u32>().ok().filter(|_| !number.starts_with('+')).map(|number| u64::from(number) * unit);
        secs.filter(|secs| (1..=30 * 86_400).contains(secs)).map(|secs| Self(Duration::from_secs(secs))).ok_or_else(wrong)
    }
}

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// The shortest form that [`Time`] reads as the same.
fn time_text(time: Duration) -> String {
    let secs = time.as_secs();
    let (name, unit) = UNITS.iter().find(|(_, unit)| secs.is_multiple_of(*unit)).unwrap_or(&("s", 1));
    quoted(&format!("{}{name}", secs / unit))
}

/// A positive number of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
struct Score(f64);

impl TryFrom<f64> for Score {
    type Error = String;

    fn try_from(score: f64) -> Result<Self, String> {
        if (0.01..=1000.0).contains(&score) { Ok(Self(score)) } else { Err(format!("{score} is out of range; use 0.01 to 1000")) }
    }
}

/// A network, as `192.0.2.0/24`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network(IpNet);

impl TryFrom<&str> for Network {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let network =
            crate::history::network_of(text).ok_or_else(|| format!("`{text}` is no network; write 192.0.2.0/24 or 2001:db8::/32"))?;
        if network.trunc() == network {
            Ok(Self(network))
        } else {
            Err(format!("`{text}` has bits behind the prefix; write {}", network.trunc()))
        }
    }
}

/// A word in a log prefix: letters and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word(String);

impl TryFrom<&str> for Word {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        let is_word = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_word { Ok(Self(text.to_owned())) } else { Err(format!("`{text}` is no word of 1 to 32 letters and digits")) }
    }
}

macro_rules! from_text {
    ($($name:ident $expected:literal)*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text($expected, PhantomData))
            }
        }
    )* };
}

from_text! {
    LogFile "a path in quotes"
    Prefix "a log prefix in quotes"
    Viewer "a user or group in quotes"
    Time "a time in quotes, as \"10m\""
    Network "a network in quotes"
    Word "a word in quotes"
}

/// Reads a string as a `T`; first what is expected instead of anything else. The check runs inside the
/// visitor: `#[serde(try_from)]` checks later, when the parser has forgotten which entry of a list it was.
struct Text<T>(&'static str, PhantomData<T>);

impl<T: for<'a> TryFrom<&'a str, Error = String>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
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
    engine: EngineLayer,
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
struct EngineLayer {
    max_sources: Option<Count<1_000_000>>,
    max_near_sources: Option<Count<100_000>>,
    max_incidents: Option<Count<100_000>>,
    half_life: Option<Time>,
    contact_weight: Option<Score>,
    scan_threshold: Option<Score>,
    illegal_packets: Option<Count<255>>,
    broad_contacts: Option<Count<1_000_000>>,
    critical_contacts: Option<Count<1_000_000>>,
    update_every: Option<Time>,
    settle: Option<Time>,
    idle_close: Option<Time>,
    reopen_within: Option<Time>,
    unverified_max_severity: Option<Severity>,
    accepted_words: Option<List<Word, 32>>,
    home: Option<List<Network, 64>>,
    incidents_per_minute: Option<Count<1000>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct HistoryLayer {
    max_alerts: Option<Count<1_000_000>>,
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

impl<const MAX: u32> std::convert::From<Count<MAX>> for Given<usize> {
    fn from(count: Count<MAX>) -> Self {
        Self(count.get())
    }
}

impl<const MAX: u32> std::convert::From<Count<MAX>> for Given<u32> {
    fn from(count: Count<MAX>) -> Self {
        Self(count.0)
    }
}

impl std::convert::From<Time> for Given<Duration> {
    fn from(time: Time) -> Self {
        Self(time.0)
    }
}

impl std::convert::From<Score> for Given<f64> {
    fn from(score: Score) -> Self {
        Self(score.0)
    }
}

impl<const MAX: usize> std::convert::From<List<Word, MAX>> for Given<Vec<String>> {
    fn from(list: List<Word, MAX>) -> Self {
        Self(list.0.into_iter().map(|word| word.0).collect())
    }
}

impl<const MAX: usize> std::convert::From<List<Network, MAX>> for Given<Vec<(IpAddr, u8)>> {
    fn from(list: List<Network, MAX>) -> Self {
        Self(list.0.into_iter().map(|network| (network.0.network(), network.0.prefix_len())).collect())
    }
}

impl Config {
    fn apply(&mut self, layer: Layer) {
        let Layer { intake, bus, engine, history } = layer;
        put(&mut self.intake.source, intake.source);
        put(&mut self.intake.files, intake.files);
        put(&mut self.intake.from, intake.from);
        put(&mut self.intake.prefixes, intake.prefixes);
        put(&mut self.intake.vouched_prefixes, intake.vouched_prefixes);
        put(&mut self.bus.viewers, bus.viewers);
        put(&mut self.bus.groups, bus.groups);
        put(&mut self.bus.broadcast, bus.broadcast);
        let parameters = &mut self.engine.parameters;
        put(&mut parameters.max_sources, engine.max_sources);
        put(&mut parameters.max_near_sources, engine.max_near_sources);
        put(&mut parameters.max_incidents, engine.max_incidents);
        put(&mut parameters.half_life, engine.half_life);
        put(&mut parameters.contact_weight, engine.contact_weight);
        put(&mut parameters.scan_threshold, engine.scan_threshold);
        put(&mut parameters.illegal_packets, engine.illegal_packets);
        put(&mut parameters.broad_contacts, engine.broad_contacts);
        put(&mut parameters.critical_contacts, engine.critical_contacts);
        put(&mut parameters.update_every, engine.update_every);
        put(&mut parameters.settle, engine.settle);
        put(&mut parameters.idle_close, engine.idle_close);
        put(&mut parameters.reopen_within, engine.reopen_within);
        put(&mut parameters.accepted_words, engine.accepted_words);
        put(&mut parameters.home, engine.home);
        put(&mut parameters.incidents_per_minute, engine.incidents_per_minute);
        self.engine.unverified_max_severity = engine.unverified_max_severity.or(self.engine.unverified_max_severity);
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
        let Self { intake, bus, engine, history } = self;
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
        let parameters = &engine.parameters;
        writeln!(f, "\n[engine]")?;
        writeln!(f, "max-sources = {}", parameters.max_sources)?;
        writeln!(f, "max-near-sources = {}", parameters.max_near_sources)?;
        writeln!(f, "max-incidents = {}", parameters.max_incidents)?;
        writeln!(f, "half-life = {}", time_text(parameters.half_life))?;
        writeln!(f, "contact-weight = {:?}", parameters.contact_weight)?;
        writeln!(f, "scan-threshold = {:?}", parameters.scan_threshold)?;
        writeln!(f, "illegal-packets = {}", parameters.illegal_packets)?;
        writeln!(f, "broad-contacts = {}", parameters.broad_contacts)?;
        writeln!(f, "critical-contacts = {}", parameters.critical_contacts)?;
        writeln!(f, "update-every = {}", time_text(parameters.update_every))?;
        writeln!(f, "settle = {}", time_text(parameters.settle))?;
        writeln!(f, "idle-close = {}", time_text(parameters.idle_close))?;
        writeln!(f, "reopen-within = {}", time_text(parameters.reopen_within))?;
        if let Some(severity) = engine.unverified_max_severity {
            writeln!(f, "unverified-max-severity = {severity}")?;
        }
        writeln!(f, "accepted-words = {}", list(parameters.accepted_words.iter().cloned()))?;
        writeln!(f, "home = {}", list(parameters.home.iter().map(|(address, length)| format!("{address}/{length}"))))?;
        writeln!(f, "incidents-per-minute = {}", parameters.incidents_per_minute)?;
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
                    [engine]\nmax-sources = 9\nhalf-life = \"90s\"\nidle-close = \"2d\"\nscan-threshold = 0.1\nunverified-max-severity = 3\n\
                    accepted-words = [\"OK\"]\nhome = [\"192.0.2.0/24\", \"2001:db8::1\"]\n[history]\nmax-alerts = 5\n";
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
        assert!(text.starts_with("f.toml:2:14: 0 is out of range; use 1 to 1000000"), "{text}");
        let text = mistake("[intake]\nfiles = [\"/a\",\n  \"b\"]\n");
        assert!(text.starts_with("f.toml:3:3: `b` is not an absolute path"), "{text}");
        let text = mistake("[engine]\nhalf-life = \"10 minutes\"\n");
        assert!(text.starts_with("f.toml:2:13: `10 minutes` is no time; use a number and a unit"), "{text}");
        let text = mistake("[engine]\nhalf-life = 600\n");
        assert!(text.starts_with("f.toml:2:13: invalid type: integer `600`, expected a time"), "{text}");
        let text = mistake("[engine]\nhome = [\"192.0.2.7/24\"]\n");
        assert!(text.starts_with("f.toml:2:9: `192.0.2.7/24` has bits behind the prefix; write 192.0.2.0/24"), "{text}");
        let text = mistake("[engine]\nunverified-max-severity = 9\n");
        assert!(text.starts_with("f.toml:2:27: 9 is not a severity; use 1 (background) to 5 (act now)"), "{text}");
        let text = mistake("[engine]\nscan-threshold = -1.0\n");
        assert!(text.starts_with("f.toml:2:18: -1 is out of range; use 0.01 to 1000"), "{text}");
        let text = mistake("[bus]\nviewers = [\"a b\"]\n");
        assert!(text.starts_with("f.toml:2:12: `a b` is no viewer; write a user"), "{text}");
        let text = mistake(&format!("[intake]\nfiles = [{}]\n", "\"/x\",".repeat(17)));
        assert!(text.starts_with("f.toml:2:9: 17 entries; at most 16 are allowed"), "{text}");
        let text = mistake(&format!("[intake]\nprefixes = [\"{}\"]\n", "x".repeat(128)));
        assert!(text.contains("1 to 127 bytes, this one has 128"), "{text}");
    }

    #[test]
    fn what_nobody_vouches_for_is_held_low_only_where_somebody_vouches() {
        let plain = Config::default();
        assert_eq!(plain.engine.parameters(true).unverified_max_severity, Some(2));
        assert_eq!(plain.engine.parameters(false).unverified_max_severity, None);
        let config = Config::parse(Path::new("f.toml"), "[engine]\nunverified-max-severity = 4\n").unwrap();
        assert_eq!(config.engine.parameters(true).unverified_max_severity, Some(4));
    }

    #[test]
    fn the_documented_file_says_the_defaults() {
        let text = include_str!("../../docs/BUS.md").split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let documented = Config::parse(Path::new("docs/BUS.md"), text).unwrap();
        assert_eq!(documented.engine.parameters(true), Config::default().engine.parameters(true));
        assert_eq!(Config { engine: Engine::default(), ..documented }, Config::default());
    }

    #[test]
    fn times_are_read_and_nonsense_is_not() {
        for (text, secs) in [("1s", 1), ("90s", 90), ("10m", 600), ("2h", 7200), ("30d", 2_592_000)] {
            let time = Time::try_from(text).unwrap();
            assert_eq!(time.0.as_secs(), secs);
            assert_eq!(Time::try_from(time_text(time.0).trim_matches('"')), Ok(time));
        }
        for text in ["", "s", "0s", "31d", "-1s", "+1s", "1", "1.5h", "1 h", "99999999999d", "1\u{e9}"] {
            assert!(Time::try_from(text).is_err(), "{text}");
        }
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
