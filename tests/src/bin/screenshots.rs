//! Takes a picture of each popup on dunst and xfce4-notifyd, light and dark, into a folder, with the name of each. The way to
//! call it is `tests/rigs/screenshots`, which makes one sheet of them for each server and theme. With `terminal` it takes pictures of
//! the commands for people on a terminal, for `tests/rigs/pictures`.

use anyhow::{Context as _, Result, bail};
use firebell_shared::{
    alert::{Alert, Phase},
    kind::KINDS,
    severity::Severity,
};
use firebell_tests::{
    bus::wait_until,
    fake_collector::{FakeCollector, later, scan},
    private_bus::PrivateBus,
    program::{Program, repository, run},
    rig::{Desktop, VIEWER},
    stage::Stage,
    terminal::{Terminal, svg},
};
use firebell_traffic::{diary::History, exposed, line};
use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use zbus::wire::Variant;

/// What servers need to draw, and to take away what was there.
const MOMENT: Duration = Duration::from_millis(700);
/// Incidents have told everything by then.
const LONGEST: Duration = Duration::from_secs(120);
/// Longer than either server leaves a popup on the screen that does not ask to stay.
const EXPIRY: Duration = Duration::from_secs(12);
/// For everything, whatever the collector would advise.
const CONFIG: &str = "popup-from-severity = 2\npopups-per-hour = 1000\n";

/// A server, its theme, and an agent that shows on it what a collector of ours tells.
struct Studio {
    collector: FakeCollector,
    _agent: Program,
    desktop: Desktop,
    _system: PrivateBus,
    folder: PathBuf,
    taken: u32,
    seq: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [what, folder] = arguments.as_slice()
        && what == "terminal"
    {
        return terminal_pictures(Path::new(folder));
    }
    let [daemon, theme, folder] = arguments.as_slice() else {
        bail!("usage: screenshots DAEMON light|dark|hostile FOLDER, or screenshots terminal FOLDER")
    };
    let options: &[&str] = if theme == "dark" { &["--dark"] } else { &[] };
    let mut studio = Studio::new(daemon, options, folder.into())?;
    if theme == "hostile" { studio.hostile() } else { studio.kinds() }
}

/// What the pictures of the terminal show: a name, a command, and what stands there when it has said everything.
const COMMANDS: [(&str, &str, &str); 6] = [
    ("status", "status", "incidents"),
    ("alerts", "alerts | fold -sw 80", "203.0.113.77"),
    ("show", "show 1 | fold -sw 80 | head -22", "severity"),
    ("timeline", "show 1 | tail -14", "firebell explain 1"),
    ("watch", "watch", "FIN scan"),
    ("analyze", "analyze kern.log | fold -sw 80 | head -22", "records in"),
];

/// Commands for people, each on a terminal of its own, with a collector that has seen a little of everything.
fn terminal_pictures(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut week = String::new();
    // Writing to a String does not fail.
    History { days: 7, ..exposed::MONTH }.tell(1, |event| {
        let stamp = jiff::Timestamp::from_microsecond(i64::try_from(event.at()).unwrap_or(0)).unwrap_or_default();
        let _ = writeln!(week, "{stamp:.6} gate kernel: {}", line::line(&event.packet()));
    });
    fs::write(folder.join("kern.log"), week)?;
    let stage = Stage::new()?;
    let _collector = stage.follow()?;
    for (name, source) in [("version", "203.0.113.9"), ("fin", "203.0.113.40"), ("udp", "198.51.100.23"), ("connect", "203.0.113.77")] {
        let log = fs::read_to_string(repository().join(format!("tests/corpus/dev/{name}.kmsg.log")))?;
        // In three parts, so that there is something to tell of the time.
        let lines: Vec<&str> = log.lines().collect();
        for part in lines.chunks(lines.len().div_ceil(3).max(1)) {
            stage.write(&part.join("\n").replace("SRC=198.51.100.66 ", &format!("SRC={source} ")))?;
            thread::sleep(Duration::from_secs(2));
        }
        stage.wait_for(source)?;
    }
    // What came after the first alert is told when it has been quiet for a while.
    wait_until("every incident has a second revision", LONGEST, || Ok(stage.alerts(0)?.iter().all(|alert| alert.details.revision > 1)))?;
    let firebell = env::current_exe()?.with_file_name("firebell");
    for (name, command, last) in COMMANDS {
        let place = tempfile::tempdir()?;
        let line = format!(
            "cd {}; export DBUS_SYSTEM_BUS_ADDRESS={}; echo '$ firebell {}'; {} {command}; exec cat",
            folder.display(),
            stage.bus.address(),
            command.split(" |").next().unwrap_or_default(),
            firebell.display()
        );
        let terminal = Terminal::start(place.path(), &line)?;
        terminal.wait_for(&[last])?;
        thread::sleep(MOMENT);
        // Where the log of this collector happens to be is nothing to tell.
        let shown = terminal.shown()?.replace(&stage.log().display().to_string(), "/var/log/kern.log");
        fs::write(folder.join(format!("{name}.svg")), svg(&shown))?;
    }
    Ok(())
}

impl Studio {
    fn new(daemon: &str, options: &[&str], folder: PathBuf) -> Result<Self> {
        let desktop =
            Desktop::up(daemon, VIEWER, &[&["--size", if daemon == "dunst" { "460x330" } else { "1024x400" }], options].concat())?;
        let system = PrivateBus::start()?;
        let address = system.address();
        let collector = FakeCollector::start(&address, "a")?;
        let config = desktop.runtime()?.join("firebell.toml");
        fs::write(&config, CONFIG)?;
        let mut command = desktop.our_command(&env::current_exe()?.with_file_name("firebell-notifier"))?;
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &address).env("LC_ALL", "C.UTF-8").arg("--config").arg(config);
        let agent = Program::start("firebell-notifier", &mut command)?;
        agent.wait_for(Duration::from_secs(10), |line| line.text.contains("listening to the collector"))?;
        fs::create_dir_all(&folder)?;
        Ok(Self { collector, _agent: agent, desktop, _system: system, folder, taken: 0, seq: 0 })
    }

    /// Every severity with its buttons, and blindness; each kind as `firebell notify preview` shows it; an end.
    fn kinds(&mut self) -> Result<()> {
        for severity in 2..=5 {
            let mut alert = scan(severity, 0);
            alert.source = if severity == 3 { "192.168.1.7".to_owned() } else { alert.source };
            alert.severity = Severity::try_from(u8::try_from(severity)?)?;
            let alert = self.tell(alert)?;
            self.picture(&format!("severity {severity}"))?;
            self.forget(&alert)?;
        }
        self.collector.blind(Some("no log can be read since a minute or longer; see the journal of firebelld"))?;
        self.picture("blind")?;
        self.collector.blind(None)?;
        thread::sleep(MOMENT);
        for kind in KINDS {
            let mut firebell = self.desktop.our_command(&env::current_exe()?.with_file_name("firebell"))?;
            run(firebell.args(["notify", "preview", kind])).with_context(|| kind.to_owned())?;
            self.picture(kind)?;
        }
        // The last preview goes by itself.
        thread::sleep(EXPIRY);
        let alert = self.tell(scan(9, 0))?;
        self.tell(later(&alert, 0, Phase::Closed, alert.severity))?;
        self.picture("over")
    }

    /// Strings that want to be something else, in every field that can carry one.
    fn hostile(&mut self) -> Result<()> {
        let markup = "<b>bold</b><a href=\"http://198.51.100.1/\">link</a><img src=\"http://198.51.100.1/x.png\"/>&amp;&lt;i&gt;";
        for (name, text) in [
            ("markup", markup.to_owned()),
            ("controls", "\x1b[31mred\x1b[0m\x07\r\n\tsecond line\u{85}\x7f".to_owned()),
            ("bidi", "abc\u{202e}gnp.exe\u{2066}x\u{2069}\u{200b}\u{feff}\u{2028}end".to_owned()),
            ("64 KiB", "A very long one. ".repeat(4096)),
            ("invalid UTF-8", "caf\\xe9 \u{fffd}\u{fffd}".to_owned()),
            ("a template, a message", "{{ title }} {% if %} { $source } %s %n $(reboot) `id`".to_owned()),
        ] {
            self.seq += 1;
            let mut wire = scan(self.seq, self.seq).to_wire();
            "newer-kind".clone_into(&mut wire.3);
            text.clone_into(&mut wire.4);
            text.clone_into(&mut wire.5);
            for key in ["ports", "protocol", "tool", "known", "interface", "prefix", "mac", "why", "advice"] {
                wire.6.insert(key.to_owned(), Variant::from(text.clone()).try_to_owned()?);
            }
            for key in ["targets", "sources", "signatures", "attack"] {
                wire.6.insert(key.to_owned(), Variant::from(vec![text.clone(); 4]).try_to_owned()?);
            }
            let alert = scan(self.seq, self.seq);
            self.collector.send_raw("Alert", &wire)?;
            self.picture(name)?;
            self.forget(&alert)?;
        }
        Ok(())
    }

    fn tell(&mut self, mut alert: Alert) -> Result<Alert> {
        self.seq += 1;
        alert.details.seq = self.seq;
        self.collector.tell(&alert)?;
        Ok(alert)
    }

    /// Takes its popup away.
    fn forget(&mut self, alert: &Alert) -> Result<()> {
        let mut merged = later(alert, 0, Phase::Merged, alert.severity);
        merged.details.merged_into = Some(4711);
        self.tell(merged)?;
        thread::sleep(MOMENT);
        Ok(())
    }

    fn picture(&mut self, name: &str) -> Result<()> {
        thread::sleep(MOMENT);
        self.taken += 1;
        self.desktop.picture(&self.folder.join(format!("{:02} {name}.png", self.taken)))
    }
}
