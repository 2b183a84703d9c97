//! `firebell.toml`: what the administrator decides.
//!
//! Three layers, each over the one before: the vendor's `/usr/lib/firebell/firebell.toml`,
//! `/etc/firebell/firebell.toml`, and `/etc/firebell/conf.d/*.toml` in the order of their names. None of
//! them has to exist. A key that a layer leaves out keeps its value; a key that it gives replaces the
//! whole value, lists included. Every file is read on its own, so that an error names the place in the
//! file where the mistake is.

mod file;
mod value;

use firebell_engine::{
    config::{Ignore, Network as Range, SeverityRule},
    engine,
    parameters::Preset,
};
use firebell_shared::{
    config::{self, ConfigError, MAX_BYTES},
    services::SERVICES,
    severity::Severity,
};
use rustix::fs::OFlags;
use serde::Deserialize;
use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
pub use value::{Count, FilePath, Prefix, Viewer, Whole};
pub(crate) use value::{Name, Network, Time};

/// The vendor's defaults.
pub const VENDOR_FILE: &str = "/usr/lib/firebell/firebell.toml";
/// The administrator's file.
pub const FILE: &str = "/etc/firebell/firebell.toml";
/// The folder of small files that go over [`FILE`].
pub const FOLDER: &str = "/etc/firebell/conf.d";

/// The folder of the administrator's rule files.
pub const RULES_FOLDER: &str = "/etc/firebell/rules.d";

/// Everything that can be configured, with every default filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `preset`: what the parameters of the engine are where no key says otherwise.
    pub preset: Preset,
    /// `[intake]`
    pub intake: Intake,
    /// `[bus]`
    pub bus: Bus,
    /// `[engine]`
    pub engine: Engine,
    /// `[lists]`, `[[ignore]]` and `[[severity]]`
    pub lists: Lists,
    /// `[history]`
    pub history: History,
    /// `[exports]`
    pub exports: Exports,
    /// `[signatures]`
    pub signatures: Signatures,
}

/// Where the log comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// `source`
    pub source: Sources,
    /// `files`: the log files to follow; empty: the usual places are tried.
    pub files: Vec<FilePath>,
    /// `from`: where to begin.
    pub from: From,
    /// `prefixes`: when not empty, lines with other log prefixes are left alone.
    pub prefixes: Vec<Prefix>,
    /// `vouched-prefixes`: lines with these prefixes count as this machine's even while
    /// `net.netfilter.nf_log_all_netns` lets other network namespaces write to the kernel log.
    pub vouched_prefixes: Vec<Prefix>,
    /// `journalctl`: the program that reads the journal.
    pub journalctl: FilePath,
    /// `read-root-only`: keep the capability that reads files which only root may read.
    pub read_root_only: bool,
}

impl Default for Intake {
    fn default() -> Self {
        // Everywhere but where programs have places of their own (NixOS, Guix).
        let journalctl = FilePath::from_static("/usr/bin/journalctl");
        Self {
            source: Sources::default(),
            files: Vec::new(),
            from: From::End,
            prefixes: Vec::new(),
            vouched_prefixes: Vec::new(),
            journalctl,
            read_root_only: false,
        }
    }
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
    /// Without `unverified-max-severity`, that is 2 where an intake vouches for its lines, else no limit.
    parameters: engine::Config,
}

/// Whom to leave alone, and whose incidents weigh more or less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// `trusted`: sources that never alert.
    pub trusted: Vec<Range>,
    /// `reputation-files`: files of addresses reputed bad.
    pub reputation_files: Vec<FilePath>,
    /// `scanner-files`: files of research scanners; without it, the one that firebell ships.
    pub scanner_files: Option<Vec<FilePath>>,
    /// `[[ignore]]`
    pub ignored: Vec<Ignore>,
    /// `[[severity]]`
    pub severities: Vec<SeverityRule>,
}

/// Rules on single packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// `enabled`
    pub enabled: bool,
    /// `shipped`: use the rules that firebell ships.
    pub shipped: bool,
    /// `folders`: where rule files of one's own are.
    pub folders: Vec<FilePath>,
    /// `sid-prefix`: what stands before the number of a rule in a log prefix, as in fwsnort's `SID1234`.
    pub sid_prefix: String,
    /// `sid-severity`: the severity of such a packet.
    pub sid_severity: u8,
}

impl Default for Signatures {
    fn default() -> Self {
        // fwsnort looks into packets for what attacks look like, so what it finds is aimed at us.
        let folders = FilePath::try_from(RULES_FOLDER).into_iter().collect();
        Self { enabled: true, shipped: true, folders, sid_prefix: "SID".to_owned(), sid_severity: Severity::AIMED.get() }
    }
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// `folder`: where; without it, what systemd says or [`History::FOLDER`].
    pub folder: Option<FilePath>,
    /// `max-alerts`: the newest so many incidents are kept.
    pub max_alerts: Count<1_000_000>,
    /// `max-age`: an incident that was last told so long ago is forgotten.
    pub max_age: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self { folder: None, max_alerts: Whole(10_000), max_age: Duration::from_secs(365 * 86_400) }
    }
}

impl History {
    /// Where the history is when nobody says otherwise.
    pub const FOLDER: &'static str = "/var/lib/firebell";

    /// The folder; `state_directory` is what systemd has set, `$STATE_DIRECTORY`.
    #[must_use]
    pub fn folder(&self, state_directory: Option<&OsStr>) -> PathBuf {
        folder_of(self.folder.as_ref(), state_directory, Self::FOLDER)
    }
}

/// What other tools are told, see [`crate::exports`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exports {
    /// `journal`: records of the journal, where firebelld's own messages go there.
    pub journal: bool,
    /// `json`: every revision, in `alerts.json`.
    pub json: bool,
    /// `eve`: events as Suricata has them, in `eve.json`.
    pub eve: bool,
    /// `ecs`: documents of the Elastic Common Schema, in `ecs.json`.
    pub ecs: bool,
    /// `psad-syslog`: psad's lines, to syslog.
    pub psad_syslog: bool,
    /// `prometheus`: the file for node_exporter.
    pub prometheus: Option<FilePath>,
    /// `folder`: where the files of `json`, `eve` and `ecs` are; without it, what systemd says or [`Exports::FOLDER`].
    pub folder: Option<FilePath>,
    /// `min-severity`: what is less severe is in `alerts.json` only.
    pub min_severity: u8,
    /// `records-per-minute`: no more alerts than so many.
    pub records_per_minute: Count<100_000>,
}

impl Default for Exports {
    fn default() -> Self {
        // What the bus signals. A line of each of three files takes 2 KiB, so 120 are a gigabyte a day at worst.
        let (min_severity, records_per_minute) = (Severity::NOTABLE.get(), Whole(120));
        Self {
            journal: true,
            json: true,
            eve: false,
            ecs: false,
            psad_syslog: false,
            prometheus: None,
            folder: None,
            min_severity,
            records_per_minute,
        }
    }
}

impl Exports {
    /// The folder when nobody says otherwise.
    pub const FOLDER: &'static str = "/var/log/firebell";

    /// The folder; `logs_directory` is what systemd has set, `$LOGS_DIRECTORY`.
    #[must_use]
    pub fn folder(&self, logs_directory: Option<&OsStr>) -> PathBuf {
        folder_of(self.folder.as_ref(), logs_directory, Self::FOLDER)
    }

    /// Is any of the files wanted?
    #[must_use]
    pub const fn has_files(&self) -> bool {
        self.json || self.eve || self.ecs
    }
}

/// The folder that is `configured`, else the first of systemd's `paths` with colons between them (systemd.exec(5)), else the `usual` one.
fn folder_of(configured: Option<&FilePath>, paths: Option<&OsStr>, usual: &str) -> PathBuf {
    let first = |paths: &OsStr| std::env::split_paths(paths).find(|path| path.is_absolute());
    configured.map(|folder| folder.path().to_owned()).or_else(|| paths.and_then(first)).unwrap_or_else(|| usual.into())
}

/// Which kind of intake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The kernel log where it can be opened, else the journal where it may be read, else a log file.
    #[default]
    Auto,
    /// `/dev/kmsg`.
    Kmsg,
    /// systemd's journal.
    Journal,
    /// Log files.
    File,
}

/// Which kinds of intake are read: one, or several of those that are not [`Source::Auto`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Default for Sources {
    fn default() -> Self {
        Self(vec![Source::default()])
    }
}

impl Sources {
    /// In the order in which they are named; at least one, each once.
    pub fn iter(&self) -> impl Iterator<Item = Source> {
        self.0.iter().copied()
    }

    /// Is this one of them?
    #[must_use]
    pub fn has(&self, source: Source) -> bool {
        self.0.contains(&source)
    }
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

impl Config {
    /// The parameters of the engine, but for what the files of `[lists]` say. `is_vouched`: there is an intake that vouches for
    /// its lines.
    #[must_use]
    pub fn parameters(&self, is_vouched: bool) -> engine::Config {
        let mut parameters = self.engine.parameters.clone();
        let default = is_vouched.then(|| Severity::NOTABLE.get());
        parameters.unverified_max_severity = parameters.unverified_max_severity.or(default);
        parameters.services = SERVICES;
        parameters.lists.trusted.clone_from(&self.lists.trusted);
        parameters.lists.ignored.clone_from(&self.lists.ignored);
        parameters.lists.severities.clone_from(&self.lists.severities);
        parameters
    }

    /// Takes `new` while running. First: what is in force then; second: the keys that say something else and count only from
    /// the next start on, as they decide what was opened or made at the start.
    #[must_use]
    pub fn adopt(&self, new: Self) -> (Self, Vec<&'static str>) {
        let (mut now, mut waiting) = (new, Vec::new());
        let mut keep = |is_same: bool, key: &'static str| {
            if !is_same {
                waiting.push(key);
            }
        };
        let (here, there) = (&self.intake, &mut now.intake);
        keep(here.source == there.source, "[intake] source");
        keep(here.files == there.files, "[intake] files");
        keep(here.from == there.from, "[intake] from");
        keep(here.journalctl == there.journalctl, "[intake] journalctl");
        keep(here.read_root_only == there.read_root_only, "[intake] read-root-only");
        there.source.clone_from(&here.source);
        (there.from, there.read_root_only) = (here.from, here.read_root_only);
        there.files.clone_from(&here.files);
        there.journalctl.clone_from(&here.journalctl);
        let (here, there) = (&self.engine.parameters, &mut now.engine.parameters);
        keep(here.max_sources == there.max_sources, "[engine] max-sources");
        keep(here.max_near_sources == there.max_near_sources, "[engine] max-near-sources");
        (there.max_sources, there.max_near_sources) = (here.max_sources, here.max_near_sources);
        keep(self.history.folder == now.history.folder, "[history] folder");
        now.history.folder.clone_from(&self.history.folder);
        let (here, there) = (&self.exports, &mut now.exports);
        keep(here.folder == there.folder, "[exports] folder");
        keep(here.prometheus == there.prometheus, "[exports] prometheus");
        there.folder.clone_from(&here.folder);
        there.prometheus.clone_from(&here.prometheus);
        (now, waiting)
    }

    /// Keys that contradict each other. Only seen when all files are read.
    fn contradictions(&self) -> Vec<String> {
        let parameters = &self.engine.parameters;
        let (tries, visibility) = (&parameters.detect.insistent_tries, &parameters.detect.visibility);
        let time = value::time_text;
        let mut found = Vec::new();
        if parameters.critical_contacts < parameters.broad_contacts {
            found.push(format!(
                "[engine] critical-contacts is {}, less than broad-contacts, which is {}",
                parameters.critical_contacts, parameters.broad_contacts
            ));
        }
        if tries.slow_within < tries.within {
            found.push(format!(
                "[detect.insistent-tries] slow-within is {}, less than within, which is {}",
                time(tries.slow_within),
                time(tries.within)
            ));
        }
        if visibility.slack >= visibility.period {
            let (slack, period) = (time(visibility.slack), time(visibility.period));
            found.push(format!("[detect.visibility] slack is {slack}, no less than period, which is {period}"));
        }
        if let Some(file) = self.exports.prometheus.as_ref().filter(|file| file.path().extension() != Some(OsStr::new("prom"))) {
            found.push(format!("[exports] prometheus is {}; node_exporter reads files whose names end with .prom", file.path().display()));
        }
        found
    }

    /// Reads one text as the only layer. `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the first mistake.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Ok(Self::of(vec![config::parse(path, text)?]))
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
    /// Two keys, maybe of two files, do not go together.
    #[error("{0}")]
    Contradiction(String),
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
    let (mut layers, mut files, mut problems) = (Vec::new(), Vec::new(), Vec::new());
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
                layers.push(layer);
                files.push(path);
            }
            Err(mistake) => problems.push(mistake.into()),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let config = Config::of(layers);
    let contradictions = config.contradictions();
    if contradictions.is_empty() {
        Ok(Loaded { config, files })
    } else {
        Err(contradictions.into_iter().map(Problem::Contradiction).collect())
    }
}

/// The `*.toml` files of a folder in the order of their names; none when there is no folder.
pub(crate) fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
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
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::{
        value::{Time, time_text},
        *,
    };

    fn mistake(text: &str) -> String {
        Config::parse(Path::new("f.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn no_file_at_all_gives_the_defaults() {
        let config = Config::default();
        assert_eq!(config.intake.source.iter().collect::<Vec<_>>(), [Source::Auto]);
        assert_eq!(config.bus.groups, ["adm", "systemd-journal"]);
        assert_eq!(config.history.max_alerts.get(), 10_000);
    }

    #[test]
    fn the_history_is_where_the_file_says_else_where_systemd_says() {
        let (mut history, system) = (History::default(), Some(OsStr::new("/srv/state:/srv/other")));
        assert_eq!(history.folder(None), Path::new("/var/lib/firebell"));
        assert_eq!(history.folder(system), Path::new("/srv/state"));
        assert_eq!(history.folder(Some(OsStr::new("relative"))), Path::new("/var/lib/firebell"));
        history.folder = FilePath::try_from("/mine").ok();
        assert_eq!(history.folder(system), Path::new("/mine"));
        assert_eq!(Exports::default().folder(None), Path::new("/var/log/firebell"));
    }

    #[test]
    fn what_is_in_force_is_itself_a_file_that_says_the_same() {
        let text = "[intake]\nsource = \"file\"\nfiles = [\"/var/log/a \\\"b\\\"\\u0007\"]\nfrom = \"start\"\nprefixes = [\"X \"]\n\
                    vouched-prefixes = [\"FBDEMO \"]\njournalctl = \"/a\"\nread-root-only = true\n[bus]\nviewers = [\"ana\", \"@wheel\", \"1000\"]\ngroups = []\nbroadcast = true\n\
                    [engine]\nmax-sources = 9\nidle-close = \"2d\"\nunverified-max-severity = 3\n\
                    accepted-words = [\"OK\"]\nhome = [\"192.0.2.0/24\", \"2001:db8::1\"]\n[history]\nfolder = \"/var/lib/x\"\nmax-alerts = 5\nmax-age = \"3650d\"\n\
                    [detect.fast-scan]\nhalf-life = \"90s\"\nthreshold = 0.1\nudp-weight = 1.0\n[detect.slow-scan]\nenabled = false\n\
                    [detect.insistent-tries]\nports = [22, \"80-90\"]\nwithin = \"1500ms\"\n[detect.egress]\nworm-ports = [1, 2]\n\
                    [detect.packet-count]\nlevels = [1, 2, 3, 4, 5]\n[lists]\ntrusted = [\"192.0.2.0/24\"]\nreputation-files = [\"/a\"]\nscanner-files = []\n\
                    [[ignore]]\nsource = \"2001:db8::/32\"\nprotocol = \"udp\"\nports = [53, \"6000-6010\"]\ninterface = \"br-+\"\nprefix = \"X \"\n\
                    [signatures]\nenabled = false\nshipped = false\nfolders = []\nsid-prefix = \"\"\nsid-severity = 5\n\
                    [[ignore]]\nprotocol = 132\n[[severity]]\nsource = \"203.0.113.0/24\"\nminimum = 3\n\
                    [[severity]]\nsource = \"203.0.113.9\"\nprotocol = \"tcp\"\nports = [22]\nfixed = 0\n";
        let config = Config::parse(Path::new("f.toml"), text).unwrap();
        assert_eq!(config.bus.viewers, [Viewer::Name("ana".into()), Viewer::Group("wheel".into()), Viewer::Uid(1000)]);
        assert!(config.intake.prefixes[0].is(b"X") && config.intake.prefixes[0].is(b"X ") && !config.intake.prefixes[0].is(b"XX"));
        assert_eq!(Config::parse(Path::new("again.toml"), &config.to_string()).unwrap(), config);
        let several = Config::parse(Path::new("f.toml"), "[intake]\nsource = [\"kmsg\", \"file\"]\n").unwrap();
        assert_eq!(several.intake.source.to_string(), "[\"kmsg\", \"file\"]");
        assert_eq!(Config::parse(Path::new("again.toml"), &several.to_string()).unwrap(), several);
        let plain = Config::default();
        assert_eq!(Config::parse(Path::new("again.toml"), &plain.to_string()).unwrap(), plain);
    }

    #[test]
    fn mistakes_say_where_they_are_and_what_is_valid() {
        let text = mistake("[intake]\nsource = \"kmesg\"\n");
        assert!(text.starts_with("f.toml:2:10: unknown variant `kmesg`, expected one of `auto`, `kmsg`, `journal`, `file`"), "{text}");
        for (list, expected) in [
            ("[]", "f.toml:2:10: an empty list; name kmsg, journal or file"),
            ("[\"kmsg\", \"kmsg\"]", "f.toml:2:10: this list names a source twice"),
            ("[\"auto\"]", "f.toml:2:10: auto chooses one"),
            ("[\"kmsg\", \"fil\"]", "f.toml:2:19: unknown variant `fil`"),
        ] {
            let text = mistake(&format!("[intake]\nsource = {list}\n"));
            assert!(text.starts_with(expected), "{text}");
        }
        let text = mistake("[intake]\nprefix = [\"x\"]\n");
        assert!(text.starts_with("f.toml:2:1: unknown field `prefix`, expected one of `source`, `files`, `from`, `prefixes`"), "{text}");
        let text = mistake("[history]\nmax-alerts = 0\n");
        assert!(text.starts_with("f.toml:2:14: 0 is out of range; use 1 to 1000000"), "{text}");
        let text = mistake("[intake]\nfiles = [\"/a\",\n  \"b\"]\n");
        assert!(text.starts_with("f.toml:3:3: `b` is not an absolute path"), "{text}");
        let text = mistake("[detect.fast-scan]\nhalf-life = \"10 minutes\"\n");
        assert!(text.starts_with("f.toml:2:13: `10 minutes` is no time; use a number and a unit"), "{text}");
        let text = mistake("[detect.fast-scan]\nhalf-life = 600\n");
        assert!(text.starts_with("f.toml:2:13: invalid type: integer `600`, expected a time"), "{text}");
        let text = mistake("[engine]\nhome = [\"192.0.2.7/24\"]\n");
        assert!(text.starts_with("f.toml:2:9: `192.0.2.7/24` has bits behind the prefix; write 192.0.2.0/24"), "{text}");
        let text = mistake("[engine]\nunverified-max-severity = 9\n");
        assert!(text.starts_with("f.toml:2:27: 9 is not a severity; use 1 (background) to 5 (act now)"), "{text}");
        let text = mistake("[detect.fast-scan]\nthreshold = -1.0\n");
        assert!(text.starts_with("f.toml:2:13: -1 is out of range; use 0.01 to 1000"), "{text}");
        let text = mistake("[[ignore]]\nprotocol = \"tcp\"\n[[ignore]]\n");
        assert!(text.starts_with("f.toml:3:1: this would ignore every packet; give source, protocol"), "{text}");
        let text = mistake("[detect.slow-scan]\nports = 13\n");
        assert!(text.starts_with("f.toml:2:9: 13 is out of range; use 2 to 12"), "{text}");
        let text = mistake("[detect.fast-scann]\n");
        assert!(text.starts_with("f.toml:1:9: unknown field `fast-scann`, expected one of `fast-scan`, `slow-scan`"), "{text}");
        let text = mistake("[detect.packet-count]\nlevels = [5, 15, 15, 1500, 10000]\n");
        assert!(text.starts_with("f.toml:2:10: write five numbers of packets, each larger"), "{text}");
        let text = mistake("preset = \"laptop\"\n");
        assert!(
            text.starts_with("f.toml:1:10: unknown variant `laptop`, expected one of `desktop`, `server`, `honeynet`, `psad`"),
            "{text}"
        );
        let text = mistake("[[ignore]]\nport = [22]\n");
        assert!(text.starts_with("f.toml:2:1: unknown field `port`, expected one of `source`, `protocol`, `ports`"), "{text}");
        let text = mistake("[[ignore]]\nports = [22, \"9-8\"]\n");
        assert!(text.starts_with("f.toml:2:14: `9-8` is no range of ports; write 22 or \"6000-6010\""), "{text}");
        let text = mistake("[[ignore]]\nprotocol = \"TCP\"\n");
        assert!(text.starts_with("f.toml:2:12: `TCP` is no protocol; use tcp, udp, icmp"), "{text}");
        let text = mistake("[[severity]]\nsource = \"192.0.2.1\"\nminimum = 2\nfixed = 2\n");
        assert!(text.starts_with("f.toml:1:1: give either minimum (1 to 5) or fixed (0 to 5)"), "{text}");
        let text = mistake("[[severity]]\nsource = \"192.0.2.1\"\nfixed = 6\n");
        assert!(text.starts_with("f.toml:3:9: 6 is out of range; use 0 to 5"), "{text}");
        let text = mistake("[bus]\nviewers = [\"a b\"]\n");
        assert!(text.starts_with("f.toml:2:12: `a b` is no viewer; write a user"), "{text}");
        let text = mistake(&format!("[intake]\nfiles = [{}]\n", "\"/x\",".repeat(17)));
        assert!(text.starts_with("f.toml:2:9: 17 entries; at most 16 are allowed"), "{text}");
        let text = mistake(&format!("[intake]\nprefixes = [\"{}\"]\n", "x".repeat(128)));
        assert!(text.contains("1 to 127 bytes, this one has 128"), "{text}");
    }

    #[test]
    fn every_preset_is_itself_a_file_and_keys_of_any_layer_go_over_it() {
        for preset in [Preset::Desktop, Preset::Server, Preset::Honeynet, Preset::Psad] {
            let config = Config { preset, engine: Engine { parameters: preset.config() }, ..Config::default() };
            assert_eq!(Config::parse(Path::new("again.toml"), &config.to_string()).unwrap(), config);
        }
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("10.toml"), dir.path().join("20.toml"));
        fs::write(&first, "preset = \"server\"\n[detect.sweep]\ntargets = 9\n[detect.flood]\nalarm = 30\n").unwrap();
        fs::write(&second, "preset = \"honeynet\"\n[detect.flood]\nalarm = 31\n").unwrap();
        let config = load_files(vec![first, second], true).unwrap().config;
        let mut expected = Preset::Honeynet.config();
        (expected.detect.sweep.targets, expected.detect.flood.alarm, expected.services) = (9, 31, SERVICES);
        assert_eq!((config.preset, config.parameters(false)), (Preset::Honeynet, expected));
    }

    #[test]
    fn what_was_made_at_the_start_stays_until_the_next_one_and_is_named() {
        let start = Config::parse(Path::new("f.toml"), "[intake]\nfrom = \"start\"\n[engine]\nmax-incidents = 9\n").unwrap();
        let text = "[intake]\nsource = \"file\"\nfiles = [\"/a\"]\njournalctl = \"/j\"\nread-root-only = true\nprefixes = [\"X\"]\n\
                    [engine]\nmax-sources = 1\nmax-near-sources = 2\nmax-incidents = 3\n[history]\nfolder = \"/h\"\nmax-alerts = 4\n";
        let new = Config::parse(Path::new("f.toml"), text).unwrap();
        let (now, waiting) = start.adopt(new.clone());
        let keys = [
            "[intake] source",
            "[intake] files",
            "[intake] from",
            "[intake] journalctl",
            "[intake] read-root-only",
            "[engine] max-sources",
        ];
        assert_eq!(waiting, [keys.as_slice(), &["[engine] max-near-sources", "[history] folder"]].concat());
        // What is kept back keeps back again, and everything else is new.
        assert_eq!(now.adopt(new.clone()), (now.clone(), waiting));
        assert_eq!((&now.intake.files, now.history.folder.is_none()), (&start.intake.files, true));
        assert_eq!((&now.intake.prefixes, now.engine.parameters.max_incidents, now.history.max_alerts.get()), (&new.intake.prefixes, 3, 4));
    }

    #[test]
    fn keys_of_two_files_that_contradict_each_other_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("10.toml"), dir.path().join("20.toml"));
        fs::write(&first, "[engine]\nbroad-contacts = 500\n[detect.visibility]\nperiod = \"4s\"\n").unwrap();
        fs::write(&second, "[engine]\ncritical-contacts = 499\n[detect.insistent-tries]\nslow-within = \"9m\"\n").unwrap();
        let problems = load_files(vec![first, second], true).unwrap_err();
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(texts[0], "[engine] critical-contacts is 499, less than broad-contacts, which is 500");
        assert_eq!(texts[1], "[detect.insistent-tries] slow-within is \"9m\", less than within, which is \"10m\"");
        assert_eq!(texts[2], "[detect.visibility] slack is \"5s\", no less than period, which is \"4s\"");
    }

    #[test]
    fn what_nobody_vouches_for_is_held_low_only_where_somebody_vouches() {
        let plain = Config::default();
        assert_eq!(plain.parameters(true).unverified_max_severity, Some(2));
        assert_eq!(plain.parameters(false).unverified_max_severity, None);
        let config = Config::parse(Path::new("f.toml"), "[engine]\nunverified-max-severity = 4\n").unwrap();
        assert_eq!(config.parameters(true).unverified_max_severity, Some(4));
    }

    #[test]
    fn the_documented_file_says_the_defaults() {
        let text = include_str!("../../../docs/BUS.md").split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let documented = Config::parse(Path::new("docs/BUS.md"), text).unwrap();
        assert_eq!(documented.parameters(true), Config::default().parameters(true));
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
