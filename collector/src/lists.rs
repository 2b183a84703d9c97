//! Files of addresses that the engine is given: addresses reputed bad, and research scanners.
//!
//! A file that is missing or wrong never keeps firebell from its work: what was read before stays in force, and the
//! administrator is told once, until the file changes. Files are looked at again at most once a minute, and only when lines come
//! in: an idle machine is not woken for them.

use crate::config::{self, Config, FilePath, Name, Network};
use firebell_engine::{
    config::{Lists, Network as Range, Scanner},
    tick::Tick,
};
use firebell_shared::config::{ConfigError, parse};
use serde::Deserialize;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Networks in all files of one kind together: 100,000 take 5 MB at most.
pub const MAX_NETWORKS: usize = 100_000;
/// How often a file is looked at.
const EVERY: Duration = Duration::from_secs(60);
/// The research scanners that firebell ships.
const SHIPPED: &str = include_str!("../data/research-scanners.toml");

/// The files, and what they said when they were last read.
#[derive(Debug, Default)]
pub struct Files {
    reputation: Vec<File<Vec<Range>>>,
    scanners: Vec<File<Vec<Scanner>>>,
    next: Tick,
}

/// A file, and what it said.
#[derive(Debug)]
struct File<T> {
    path: PathBuf,
    /// As it was when it was last read; nothing while it cannot be opened.
    version: Option<(SystemTime, u64)>,
    is_known_missing: bool,
    content: T,
}

/// What an administrator should know of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint(String);

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Files {
    /// Reads the files that the configuration names, for the first time.
    #[must_use]
    pub fn read(config: &Config) -> (Self, Vec<Complaint>) {
        let mut files = Self::named(config);
        let complaints = files.reread().1;
        (files, complaints)
    }

    /// The files that the configuration names, not yet read.
    fn named(config: &Config) -> Self {
        let mut files = Self { reputation: config.lists.reputation_files.iter().map(File::new).collect(), ..Self::default() };
        match &config.lists.scanner_files {
            Some(paths) => files.scanners = paths.iter().map(File::new).collect(),
            None => files.scanners.push(File {
                // No path has this form, so it is never read again.
                path: PathBuf::new(),
                version: None,
                is_known_missing: true,
                content: scanners(Path::new("research-scanners.toml"), SHIPPED).unwrap_or_default(),
            }),
        }
        files
    }

    /// Reads the files that another configuration names. Of those that it names as well, what was read stays in force.
    #[must_use]
    pub fn adopt(self, config: &Config) -> (Self, Vec<Complaint>) {
        let mut files = Self::named(config);
        keep(&mut files.reputation, self.reputation);
        keep(&mut files.scanners, self.scanners);
        let complaints = files.reread().1;
        (files, complaints)
    }

    /// Puts what the files say into the parameters of the engine.
    pub fn fill(&self, lists: &mut Lists) {
        (lists.reputation, lists.scanners) = (self.reputation(), self.scanners());
    }

    /// Addresses reputed bad.
    #[must_use]
    pub fn reputation(&self) -> Vec<Range> {
        self.reputation.iter().flat_map(|file| &file.content).copied().take(MAX_NETWORKS).collect()
    }

    /// Research scanners.
    #[must_use]
    pub fn scanners(&self) -> Vec<Scanner> {
        self.scanners.iter().flat_map(|file| &file.content).cloned().collect()
    }

    /// Is it time for [`Files::refresh`]?
    #[must_use]
    pub fn is_due(&self, now: Tick) -> bool {
        now >= self.next
    }

    /// Reads the files that have changed. True: the engine should have them.
    pub fn refresh(&mut self, now: Tick) -> (bool, Vec<Complaint>) {
        self.next = now.after(EVERY);
        self.reread()
    }

    fn reread(&mut self) -> (bool, Vec<Complaint>) {
        let (mut is_changed, mut complaints) = (false, Vec::new());
        for file in &mut self.reputation {
            is_changed |= file.reread(networks, &mut complaints);
        }
        for file in &mut self.scanners {
            is_changed |= file.reread(|path, text| scanners(path, text).map(|scanners| (scanners, None)), &mut complaints);
        }
        if is_changed && self.reputation.iter().map(|file| file.content.len()).sum::<usize>() > MAX_NETWORKS {
            complaints
                .push(Complaint(format!("[lists] reputation-files hold more than {MAX_NETWORKS} networks; the last ones are left out")));
        }
        (is_changed, complaints)
    }
}

/// Puts files that are known already in the places of those that are not yet read.
fn keep<T>(files: &mut [File<T>], known: Vec<File<T>>) {
    for known in known {
        if let Some(file) = files.iter_mut().find(|file| file.path == known.path) {
            *file = known;
        }
    }
}

impl<T: Default> File<T> {
    fn new(path: &FilePath) -> Self {
        Self { path: path.path().to_owned(), version: None, is_known_missing: false, content: T::default() }
    }

    /// Reads the file if it has changed. True: its content is new.
    fn reread(&mut self, read: impl Fn(&Path, &str) -> Result<(T, Option<Complaint>), Complaint>, complaints: &mut Vec<Complaint>) -> bool {
        if self.path.as_os_str().is_empty() {
            return false;
        }
        let content = match fs::metadata(&self.path).and_then(|data| Ok((data.modified()?, data.len()))) {
            Ok(version) if self.version == Some(version) => return false,
            Ok(version) => {
                self.version = Some(version);
                config::read(&self.path)
            }
            Err(error) => {
                self.version = None;
                Err(error)
            }
        };
        let is_missing = self.version.is_none();
        let content = content
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "this is not UTF-8")))
            .map_err(|error| Complaint(format!("{}: {error}", self.path.display())))
            .and_then(|text| read(&self.path, &text));
        let was_missing = std::mem::replace(&mut self.is_known_missing, is_missing);
        match content {
            Ok((content, complaint)) => {
                self.content = content;
                complaints.extend(complaint);
                true
            }
            Err(complaint) => {
                if !(is_missing && was_missing) {
                    complaints.push(complaint);
                }
                false
            }
        }
    }
}

/// Reads a list of networks: one a line, first word; `#` and `;` begin a comment.
///
/// Lists are made by others, so a line that is no network is left out and told, and so is a network that is wider than /8
/// or, of IPv6, /16: a mistake there would name half the Internet.
fn networks(path: &Path, text: &str) -> Result<(Vec<Range>, Option<Complaint>), Complaint> {
    let (mut networks, mut wrong, mut first) = (Vec::new(), 0_usize, None);
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.split(['#', ';']).next().unwrap_or_default();
        let Some(word) = line.split_ascii_whitespace().next() else { continue };
        let network = crate::history::network_of(word).filter(|network| {
            let least = if network.addr().is_ipv4() { 8 } else { 16 };
            network.prefix_len() >= least
        });
        match network {
            Some(network) => networks.push((network.network(), network.prefix_len())),
            None => {
                wrong += 1;
                first.get_or_insert((number, word));
            }
        }
        if networks.len() > MAX_NETWORKS {
            return Err(Complaint(format!("{}: more than {MAX_NETWORKS} networks; none of them is used", path.display())));
        }
    }
    let complaint = first.map(|(number, word)| {
        let word = firebell_shared::text::safe(word.as_bytes(), 64);
        let others = if wrong > 1 { format!(" and {} other lines", wrong - 1) } else { String::new() };
        Complaint(format!("{}:{number}: `{word}` is no network, or wider than /8 (IPv6: /16); this line{others} left out", path.display()))
    });
    Ok((networks, complaint))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScannerFile {
    scanner: Vec<ScannerEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScannerEntry {
    name: Name,
    /// Where it is published. Nobody reads it but people; an entry without it is not worth much.
    #[expect(dead_code, reason = "required, so that every entry has one")]
    source: String,
    networks: Vec<Network>,
}

pub(crate) fn scanners(path: &Path, text: &str) -> Result<Vec<Scanner>, Complaint> {
    let file: ScannerFile = parse(path, text).map_err(|error: ConfigError| Complaint(error.to_string()))?;
    if file.scanner.iter().map(|scanner| scanner.networks.len()).sum::<usize>() > MAX_NETWORKS {
        return Err(Complaint(format!("{}: more than {MAX_NETWORKS} networks; none of them is used", path.display())));
    }
    let scanner =
        |entry: ScannerEntry| Scanner { name: entry.name.into(), networks: entry.networks.into_iter().map(Network::range).collect() };
    Ok(file.scanner.into_iter().map(scanner).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::FileTimes;

    fn config(text: &str) -> Config {
        Config::parse(Path::new("f.toml"), text).unwrap()
    }

    fn write(path: &Path, text: &str, secs: u64) {
        fs::write(path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        fs::File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    #[test]
    fn the_shipped_scanners_are_read_and_a_file_or_none_replaces_them() {
        let (files, complaints) = Files::read(&config(""));
        assert_eq!(complaints, []);
        let scanners = files.scanners();
        assert!(scanners.iter().any(|scanner| scanner.name == "Censys" && scanner.networks.len() == 20), "{scanners:?}");
        assert_eq!(Files::read(&config("[lists]\nscanner-files = []\n")).0.scanners(), []);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        write(&path, "[[scanner]]\nname = \"Us\"\nsource = \"here\"\nnetworks = [\"192.0.2.0/24\", \"2001:db8::1\"]\n", 1);
        let (mut files, complaints) = Files::read(&config(&format!("[lists]\nscanner-files = [{path:?}]\n")));
        assert_eq!((complaints, files.scanners().len(), files.scanners()[0].networks.len()), (vec![], 1, 2));
        write(&path, "[[scanner]]\nname = \"Us\"\nnetworks = [\"192.0.2.0/24\"]\n", 2);
        let (is_changed, complaints) = files.refresh(Tick::ZERO);
        assert!(!is_changed && complaints[0].to_string().contains("mine.toml:1:1: missing field `source`"), "{complaints:?}");
        assert_eq!(files.scanners().len(), 1, "what was read before stays in force");
    }

    #[test]
    fn a_list_of_bad_addresses_is_read_again_when_it_has_changed_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.txt");
        let text = "# bad\n192.0.2.7\n198.51.100.9/24 ; host bits do not matter\n\n2001:db8::/32 rest\nnonsense\n0.0.0.0/0\n";
        write(&path, text, 1);
        let (mut files, complaints) = Files::read(&config(&format!("[lists]\nreputation-files = [{path:?}]\n")));
        let text: Vec<_> = files.reputation().iter().map(|(address, length)| format!("{address}/{length}")).collect();
        assert_eq!(text, ["192.0.2.7/32", "198.51.100.0/24", "2001:db8::/32"]);
        assert!(
            complaints[0]
                .to_string()
                .ends_with("bad.txt:6: `nonsense` is no network, or wider than /8 (IPv6: /16); this line and 1 other lines left out"),
            "{complaints:?}"
        );

        let minute = Tick::from_secs(60);
        assert_eq!(files.refresh(minute), (false, vec![]));
        assert!(!files.is_due(Tick::from_secs(119)) && files.is_due(Tick::from_secs(120)));
        write(&path, "203.0.113.0/24\n", 2);
        assert_eq!(files.refresh(minute), (true, vec![]));
        assert_eq!(files.reputation().len(), 1);

        fs::remove_file(&path).unwrap();
        let (is_changed, complaints) = files.refresh(minute);
        assert!(!is_changed && complaints[0].to_string().contains("No such file"), "{complaints:?}");
        assert_eq!(files.refresh(minute), (false, vec![]), "a missing file is told once");
        assert_eq!(files.reputation().len(), 1, "what was read before stays in force");
        write(&path, &"192.0.2.7\n".repeat(MAX_NETWORKS + 1), 3);
        let (is_changed, complaints) = files.refresh(minute);
        assert!(!is_changed && complaints[0].to_string().contains("more than 100000 networks; none"), "{complaints:?}");
        write(&path, &"#".repeat(1 + (1 << 20)), 4);
        assert!(files.refresh(minute).1[0].to_string().contains("larger than 1048576 bytes"));
        assert_eq!(files.reputation().len(), 1);
    }
}
