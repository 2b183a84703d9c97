//! `notifier.toml`: what the user chose. No file is needed.

use crate::{
    ledger::{Kinds, Rules, Threshold, WhenOver},
    quiet::{Hours, MAX_HOURS, Settings, WhenLocked},
    template::{Template, Templates},
};
use anyhow::Context as _;
use firebell_shared::{
    config::{self, ConfigError, Spanned},
    kind::KINDS,
    severity::Severity,
};
use serde::{Deserialize, Deserializer, de};
use std::{
    collections::BTreeMap,
    env, fmt, fs,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// For `--help`: every key with its default.
pub(crate) const HELP: &str = r#"Configuration: $XDG_CONFIG_HOME/firebell/notifier.toml (~/.config/firebell/notifier.toml). No file is needed; the defaults are

  stay-from-severity = 3    # popups from this severity on stay until you close them
  popups-per-hour = 6       # new ones; the last gathers all further incidents, severity 5 is not counted
  when-over = "say"         # what becomes of the popup when an attack is over: "say" it there, or "close" it
  sound = true              # severity 4 and 5 have a sound, where your desktop plays sounds
  # popup-from-severity = 3 # popups from this severity on; not given: as the collector advises
  # title = "Firewall Alert"                        # in place of our words; fields: docs/NOTIFIER.md
  # body = "Intrusion detected from {{ source }}"
  every-alert = false       # true: a popup for each single alert, beside those that are there; 60 a minute, the rest shares one
  quiet-hours = []          # no popups then: "22:00-07:00", or with days, "mon-fri 22:00-07:00", "sat,sun 00:00-24:00"
  do-not-disturb = true     # nor while your desktop's own do-not-disturb is on, where it can be asked
  when-locked = "hold"      # with a locked screen: "hold", "hide-addresses" or "show"
  quiet-from-severity = 5   # popups from this severity on come all the same; what waits is told afterwards in one
  digest-every-hours = 0    # at most so often one popup about what was not worth its own; 0: never
  # [kinds]                 # what pops up of single kinds, before everything else: "never", a severity, or "always"
  # port-sweep = 4

Severities: 1 background, 2 notable, 3 aimed at you, 4 broad or intrusive, 5 act now."#;

/// The file, key by key.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Popups from this severity on stay on the screen until you close them; the others go when your desktop says so.
    stay_from_severity: Severity,
    /// Popups from this severity on, whatever the collector advises. Not given: the collector's advice.
    popup_from_severity: Option<Severity>,
    /// New popups in an hour. The last one gathers all further incidents; severity 5 is not counted.
    popups_per_hour: PerHour,
    /// What becomes of the popup of an incident that is over.
    when_over: WhenOver,
    /// Popups of severity 4 and 5 have a sound.
    sound: bool,
    /// The title of an incident, in place of ours.
    title: Option<Spanned<String>>,
    /// The body of an incident, in place of ours.
    body: Option<Spanned<String>>,
    /// What these two are.
    #[serde(skip)]
    templates: Templates,
    /// Each alert has a popup of its own, of the same source too.
    every_alert: bool,
    /// When it is to be quiet, in local time.
    quiet_hours: QuietHours,
    /// Quiet also while the desktop does not want to be disturbed.
    do_not_disturb: bool,
    /// What to do while the screen is locked.
    when_locked: WhenLocked,
    /// Popups from this severity on come though it is quiet.
    quiet_from_severity: Severity,
    /// At most so often a popup about what was not worth its own. 0: never.
    digest_every_hours: DigestHours,
    /// When incidents of one kind pop up, whatever the other keys say.
    kinds: BTreeMap<Kind, KindThreshold>,
}

/// At most [`MAX_HOURS`].
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "Vec<Hours>")]
struct QuietHours(Vec<Hours>);

impl TryFrom<Vec<Hours>> for QuietHours {
    type Error = String;

    fn try_from(hours: Vec<Hours>) -> Result<Self, String> {
        if hours.len() <= MAX_HOURS {
            Ok(Self(hours))
        } else {
            Err(format!("{} spans of quiet hours; use at most {MAX_HOURS}", hours.len()))
        }
    }
}

/// 0 to 168, a week.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "u32")]
struct DigestHours(u32);

impl TryFrom<u32> for DigestHours {
    type Error = String;

    fn try_from(hours: u32) -> Result<Self, String> {
        if hours <= 168 { Ok(Self(hours)) } else { Err(format!("{hours} hours between digests; use 1 to 168, or 0 for none")) }
    }
}

/// One of [`KINDS`], by its place there.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
struct Kind(usize);

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = KINDS.iter().position(|known| *known == name);
        known.map(Self).ok_or_else(|| format!("there is no such kind; use one of {}", KINDS.join(", ")))
    }
}

/// `"never"`, `"always"` or a severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KindThreshold(Threshold);

impl<'de> Deserialize<'de> for KindThreshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl de::Visitor<'_> for Words {
            type Value = KindThreshold;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"never\", \"always\" or a severity from 1 to 5")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<KindThreshold, E> {
                match word {
                    "never" => Ok(KindThreshold(Threshold::Never)),
                    "always" => Ok(KindThreshold(Threshold::Always)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, level: i64) -> Result<KindThreshold, E> {
                let severity = u8::try_from(level).ok().and_then(|level| Severity::try_from(level).ok());
                let severity = severity.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(level), &self))?;
                Ok(KindThreshold(Threshold::From(severity)))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// 0 to 1000.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "u32")]
struct PerHour(u32);

impl TryFrom<u32> for PerHour {
    type Error = String;

    fn try_from(n: u32) -> Result<Self, String> {
        if n <= 1000 { Ok(Self(n)) } else { Err(format!("{n} popups an hour are more than anybody reads; use 0 to 1000")) }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stay_from_severity: Severity::AIMED,
            popup_from_severity: None,
            popups_per_hour: PerHour(6),
            when_over: WhenOver::Say,
            sound: true,
            title: None,
            body: None,
            templates: Templates::default(),
            every_alert: false,
            quiet_hours: QuietHours::default(),
            do_not_disturb: true,
            // Who could act on a popup is not there to see it; who is there has no business with it. Held, it is neither shown to
            // strangers nor gone when its reader comes back.
            when_locked: WhenLocked::Hold,
            quiet_from_severity: Severity::CRITICAL,
            // There is nothing in it to act on, so it is for those who ask for it.
            digest_every_hours: DigestHours(0),
            kinds: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Is a new popup of severity 4 or 5 to be heard?
    pub(crate) fn has_sound(&self) -> bool {
        self.sound
    }

    /// What it means for the ledger.
    pub(crate) fn rules(&self) -> Rules {
        let mut kinds = Kinds::default();
        for (kind, threshold) in &self.kinds {
            kinds.set(KINDS.get(kind.0).unwrap_or(&""), threshold.0);
        }
        let digest_hours = u64::from(self.digest_every_hours.0);
        Rules {
            stay_from: self.stay_from_severity,
            popup_from: self.popup_from_severity,
            per_hour: self.popups_per_hour.0,
            when_over: self.when_over,
            kinds,
            every_alert: self.every_alert,
            digest_every: (digest_hours > 0).then(|| Duration::from_secs(digest_hours * 3600)),
        }
    }

    /// How incidents are to be told.
    pub(crate) fn templates(&self) -> Templates {
        self.templates.clone()
    }

    /// When it is to be quiet.
    pub(crate) fn quiet(&self) -> Settings {
        Settings {
            hours: self.quiet_hours.0.clone(),
            from: self.quiet_from_severity,
            obeys_do_not_disturb: self.do_not_disturb,
            when_locked: self.when_locked,
        }
    }
}

/// Reads `path`, or the user's file where none is given. Only that one may be absent. Gives the path too.
///
/// # Errors
/// [`ConfigError`] for what is written in the file; others where it cannot be read.
pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<(Config, Option<PathBuf>)> {
    let (path, may_be_absent) = match path {
        Some(path) => (path.to_owned(), false),
        None => match user_dir("XDG_CONFIG_HOME", ".config") {
            Some(dir) => (dir.join("notifier.toml"), true),
            None => return Ok((Config::default(), None)),
        },
    };
    let file = match fs::File::open(&path) {
        Err(error) if may_be_absent && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok((Config::default(), None));
        }
        file => file.with_context(|| format!("cannot open {}", path.display()))?,
    };
    let mut bytes = Vec::new();
    file.take(config::MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > config::MAX_BYTES {
        return Err(ConfigError::new(&path, "", None, "larger than 1 MiB; that is no configuration").into());
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            return Err(ConfigError::new(&path, &text, Some(valid..valid + 1), "not valid UTF-8; save the file as UTF-8").into());
        }
    };
    Ok((read(&path, &text)?, Some(path)))
}

/// Reads the text of a file. `path` is only for the message.
///
/// # Errors
/// What is wrong in it.
pub(crate) fn read(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let mut config: Config = config::parse(path, text)?;
    let template = |value: &Option<Spanned<String>>| {
        let Some(value) = value else { return Ok(None) };
        let whole = value.span();
        Template::try_from(value.as_ref().as_str()).map(Some).map_err(|error| {
            let place = text.get(whole.clone()).and_then(|source| error.place(source));
            let place = place.map_or(whole.clone(), |place| whole.start + place.start..whole.start + place.end);
            ConfigError::new(path, text, Some(place), &error.to_string())
        })
    };
    config.templates = Templates { title: template(&config.title)?, body: template(&config.body)? };
    Ok(config)
}

/// `firebell` in one of the user's base directories. Source: XDG Base Directory Specification 0.8; relative
/// paths in the variables are to be ignored.
pub(crate) fn user_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below_home)))?.join("firebell"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &[u8]) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notifier.toml");
        fs::write(&path, text).unwrap();
        load(Some(&path)).map(|(config, _)| config)
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(load_text(b"").unwrap(), Config::default());
    }

    #[test]
    fn the_help_names_every_key_with_its_default() {
        let keys: Vec<&str> = HELP.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert_eq!(load_text(keys.join("\n").as_bytes()).unwrap(), Config::default());
        let all = load_text(keys.iter().map(|key| key.trim_start_matches("# ")).collect::<Vec<_>>().join("\n").as_bytes()).unwrap();
        assert_eq!((all.popup_from_severity, all.when_over), (Some(Severity::AIMED), WhenOver::Say));
        let source = all.templates().body.unwrap().fill(|_| "x".to_owned());
        assert_eq!(source, "Intrusion detected from x");
        assert_eq!(all.kinds.len(), 1);
        let valid = load_text(b"x = 1").unwrap_err().to_string();
        let valid: Vec<&str> = valid.lines().next().unwrap().split('`').skip(3).step_by(2).collect();
        assert_eq!(valid.len() + 1, keys.len(), "a line for each key, and one below [kinds]");
        assert!(valid.iter().all(|key| HELP.contains(&format!("{key} =")) || HELP.contains(&format!("[{key}]"))), "{valid:?}");
    }

    #[test]
    fn the_manual_names_every_key_with_its_default() {
        let page = include_str!("../../docs/man/notifier.toml.5").replace("\\(dq", "\"").replace("\\-", "-");
        let entries: Vec<&str> = page.split("\n.It Ic ").skip(1).map(|entry| entry.split("\n.El").next().unwrap()).collect();
        let keys: Vec<&str> = HELP.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        let keys = &keys[..keys.iter().position(|key| key.starts_with("# [kinds]")).unwrap()];
        assert_eq!(entries.len(), keys.len(), "{entries:?}");
        for key in keys {
            let setting = key.split(" #").next().unwrap().trim();
            match key.strip_prefix("# ") {
                None => assert!(entries.iter().any(|entry| entry.starts_with(&format!("{setting}\n"))), "{setting}"),
                Some(key) => {
                    let name = key.split(' ').next().unwrap();
                    assert!(entries.iter().any(|e| e.starts_with(&format!("{name}\n")) && e.contains("\nDefault: none")), "{name}");
                }
            }
        }
        for range in ["1 to 5.", "0 to 1000.", "0 to 168.", "At most 32 spans."] {
            assert!(entries.iter().any(|entry| entry.contains(range)), "{range}");
        }
        assert_eq!(MAX_HOURS, 32);
        let kinds = page.split("\nThe kinds are\n").nth(1).unwrap().split("\n.Sh").next().unwrap();
        let named: Vec<&str> = kinds.split([' ', '\n', ',', '.']).filter(|word| !word.is_empty() && *word != "and").collect();
        assert_eq!(named, KINDS);
        let example = page.split(".Bd -literal -offset indent\n").nth(1).unwrap().split(".Ed").next().unwrap();
        assert!(load_text(example.as_bytes()).is_ok());
    }

    #[test]
    fn every_key_is_read() {
        let rules = load_text(b"stay-from-severity = 5\npopup-from-severity = 2\npopups-per-hour = 0\n").unwrap().rules();
        assert_eq!((rules.stay_from, rules.popup_from, rules.per_hour), (Severity::CRITICAL, Some(Severity::NOTABLE), 0));
        let config = load_text(
            b"every-alert = true\nquiet-hours = [\"22:00-07:00\"]\ndo-not-disturb = false\nwhen-locked = \"hide-addresses\"\n\
              quiet-from-severity = 4\ndigest-every-hours = 24\n[kinds]\nport-sweep = \"never\"\nflood = 4\ntest = \"always\"\n",
        )
        .unwrap();
        let (rules, quiet) = (config.rules(), config.quiet());
        let mut kinds = Kinds::default();
        assert!(kinds.set("port-sweep", Threshold::Never) && kinds.set("flood", Threshold::From(Severity::BROAD)));
        assert!(kinds.set("test", Threshold::Always) && !kinds.set("love", Threshold::Always));
        assert_eq!((rules.kinds, rules.every_alert, rules.digest_every), (kinds, true, Some(Duration::from_secs(86_400))));
        assert_eq!((quiet.hours.len(), quiet.from, quiet.obeys_do_not_disturb), (1, Severity::BROAD, false));
        assert_eq!(quiet.when_locked, WhenLocked::HideAddresses);
    }

    #[test]
    fn mistakes_are_shown_with_their_place_and_what_is_valid() {
        for (text, place, says) in [
            (
                &b"\nstay-form-severity = 3"[..],
                ":2:1: ",
                "unknown field `stay-form-severity`, expected one of `stay-from-severity`, `popup-from-severity`, `popups-per-hour`, ",
            ),
            (
                b"title = \"x\"\nbody = \"Seen: {{ sorce }}\"",
                ":2:15: ",
                "`{{ sorce }}` is no field; use one of title, body, what, did, sure, advice, source,",
            ),
            (b"when-over = \"never\"", ":1:13: ", "unknown variant `never`, expected `say` or `close`"),
            (b"popup-from-severity = 6", ":1:23: ", "use 1 (background) to 5 (act now)"),
            (b"popup-from-severity = 0", ":1:23: ", "0 is not a severity; use 1 (background) to 5 (act now)"),
            (b"popups-per-hour = 5000", ":1:19: ", "use 0 to 1000"),
            (b"popups-per-hour = -1", ":1:19: ", "invalid value: integer `-1`"),
            (b"popups-per-hour = 6\n# M\xfcller", ":2:4: ", "not valid UTF-8"),
            (b"popups-per-hour = = 6", ":1:19: ", ""),
            (b"quiet-hours = [\"22-7\"]", ":1:15: ", "write \"22:00-07:00\""),
            (b"when-locked = \"maybe\"", ":1:15: ", "expected one of `show`, `hide-addresses`, `hold`"),
            (b"digest-every-hours = 200", ":1:22: ", "use 1 to 168, or 0"),
            (b"[kinds]\nlove = 3", ":2:1: ", "there is no such kind; use one of syn-scan, "),
            (b"[kinds]\nflood = 9", ":2:9: ", "expected \"never\", \"always\" or a severity from 1 to 5"),
            (b"[kinds]\nflood = \"often\"", ":2:9: ", "expected \"never\", \"always\" or a severity from 1 to 5"),
        ] {
            let message = load_text(text).unwrap_err().to_string();
            assert!(message.contains(&format!("notifier.toml{place}")) && message.contains(says), "{message}");
        }
        assert!(load_text(&vec![b'#'; 2_000_000]).unwrap_err().to_string().contains("larger than 1 MiB"));
    }

    #[test]
    fn a_mistake_in_a_template_is_shown_at_its_column_however_it_is_quoted() {
        for (text, place, line, carets) in [
            ("title = \"{{ source }} {{ sorce }} {{ id }}\"", "1:23", "title = \"{{ source }} {{ sorce }} {{ id }}\"", 11),
            ("body = \"\"\"\n{{ what }}\nTool: {{ tol }}\n\"\"\"", "3:7", "Tool: {{ tol }}", 9),
            ("body = '''\n\n{{ what }\n'''", "3:1", "{{ what }", 2),
            ("body = 'a {% if tool %}'", "1:11", "body = 'a {% if tool %}'", 2),
            // Two lines in one, and a letter of more than one byte before it.
            ("body = \"\\u00e4\\nä {{ x }}\"", "1:19", "body = \"\\u00e4\\nä {{ x }}\"", 7),
            // Nobody writes a brace so; then it is the whole value.
            ("title = \"\\u007b{ x }}\"", "1:9", "title = \"\\u007b{ x }}\"", 14),
        ] {
            let message = load_text(text.as_bytes()).unwrap_err().to_string();
            let lines: Vec<&str> = message.lines().collect();
            assert!(lines[0].contains(&format!("notifier.toml:{place}: `")), "{message}");
            assert!(lines[1].ends_with(&format!("| {line}")), "{message}");
            assert_eq!(lines[2].matches('^').count(), carets, "{message}");
        }
    }

    #[test]
    fn a_file_that_was_named_has_to_exist() {
        assert!(load(Some(Path::new("/nonexistent/notifier.toml"))).unwrap_err().to_string().contains("cannot open /nonexistent"));
    }
}
