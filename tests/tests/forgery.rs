//! What an ordinary user, and a daemon of root, can make of each intake: the table in docs/FORGERY.md.
//!
//! The daemons are real: journald in a mount namespace of its own, rsyslog with a socket and a log file of its own, and the
//! kernel's one log. Each forgery has a sender of its own, so that other tests may use the kernel's log meanwhile.

use anyhow::{Context, Result, ensure};
use firebell_shared::{
    alert::{Alert, OriginWord},
    client::CollectorProxy,
};
use firebell_tests::{
    bus::{Bus, collector_command, folder_for_all, need_root, state_in, wait_until},
    program::{Program, as_user, repository, run},
    rig::{CannotRun, Network, with_rigs},
    rsyslog::Rsyslog,
    stage::EACH,
};
use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// A user who may do nothing.
const USER: &str = "nobody";
const SECONDS: Duration = Duration::from_secs(20);
/// Lines of one forgery: enough for a scan.
const PORTS: u16 = 20;
/// The kernel tells of ten crashes in five seconds (`printk_ratelimit()` in Linux kernel/printk/printk.c).
const CRASHES: u16 = 9;
const ALL_NETNS: &str = "/proc/sys/net/netfilter/nf_log_all_netns";

/// What becomes of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// They do not arrive, or are not looked at.
    NotTaken,
    /// They are an incident that nobody vouches for.
    Unverified,
    /// They are taken for the kernel's own.
    Kernel,
}
use Verdict::{Kernel, NotTaken, Unverified};

/// A way to make lines; the sender in them; what becomes of them from `/dev/kmsg`, from the journal, and from a log file.
struct Row {
    how: &'static str,
    sender: &'static str,
    verdicts: [Verdict; 3],
}

const INTAKES: [&str; 3] = ["`/dev/kmsg`", "journal", "log file"];
const FIREWALL: &str = "the kernel, for a rule of root";
const LOGGER: &str = "a user: `logger -t kernel -p kern.warn`";
const JOURNALD: &str = "a user: `logger --journald` with `_TRANSPORT=kernel`, `SYSLOG_FACILITY=0`, `SYSLOG_IDENTIFIER=kernel`";
const CRASH: &str = "a user: a program named like a log line crashes";
const NETNS_0: &str = "a user: a rule that logs in a network namespace of the user's, `nf_log_all_netns` is 0";
const NETNS_1: &str = "the same, `nf_log_all_netns` is 1";
const DEV_KMSG: &str = "root: a program writes to `/dev/kmsg`, with `<4>` in front";

const ROWS: [Row; 7] = [
    // The attacker of a test network.
    Row { how: FIREWALL, sender: "198.51.100.66", verdicts: [Kernel, Kernel, Unverified] },
    Row { how: LOGGER, sender: "203.0.113.11", verdicts: [NotTaken, NotTaken, Unverified] },
    Row { how: JOURNALD, sender: "203.0.113.12", verdicts: [NotTaken, NotTaken, NotTaken] },
    Row { how: CRASH, sender: "203.0.113.13", verdicts: [Unverified, Unverified, Unverified] },
    Row { how: NETNS_0, sender: "203.0.113.14", verdicts: [NotTaken, NotTaken, NotTaken] },
    Row { how: NETNS_1, sender: "203.0.113.15", verdicts: [Unverified, Unverified, Unverified] },
    Row { how: DEV_KMSG, sender: "203.0.113.16", verdicts: [Unverified, Unverified, Unverified] },
];

fn sender(how: &str) -> &'static str {
    ROWS.iter().find(|row| row.how == how).map_or("", |row| row.sender)
}

#[test]
fn the_table_in_the_documentation_is_the_one_that_is_tested() -> Result<()> {
    let mut table = format!("| who writes how | {} |\n| --- | --- | --- | --- |\n", INTAKES.join(" | "));
    for row in ROWS {
        let words = row.verdicts.map(|verdict| match verdict {
            NotTaken => "not taken",
            Unverified => "unverified",
            Kernel => "**kernel**",
        });
        writeln!(table, "| {} | {} |", row.how, words.join(" | "))?;
    }
    let text = fs::read_to_string(repository().join("docs/FORGERY.md"))?;
    ensure!(text.contains(&table), "docs/FORGERY.md has not this table:\n{table}");
    Ok(())
}

#[test]
fn no_line_that_an_ordinary_user_can_write_is_taken_for_the_kernel_s() -> Result<()> {
    with_rigs("forged lines", || {
        need_root()?;
        for (program, package) in
            [("rsyslogd", "rsyslog"), ("logger", "bsdutils"), ("python3", "python3"), ("cc", "gcc"), ("nft", "nftables")]
        {
            if run(Command::new("which").arg(program)).is_err() {
                return Err(CannotRun(format!("no {program} (Debian: {package})")).into());
            }
        }
        let forger = Forger::new()?;
        let (journald, rsyslog) = (Journald::start()?, Rsyslog::start()?);
        // What the ring holds of earlier days is not of this test.
        let begin = format!("firebell test of forged lines begins, {}", std::process::id());
        write_to_kmsg(&begin)?;
        wait_until("rsyslog is there", SECONDS, || rsyslog.has(&begin))?;
        wait_until("journald is there", SECONDS, || journald.has(&begin))?;
        let (mut seen, buses) = (HashMap::new(), [Bus::up(true)?, Bus::up(true)?, Bus::up(true)?]);

        {
            let collectors = start(&buses, &journald, &rsyslog, "")?;
            forger.logger(&journald, &rsyslog)?;
            forger.journald(&journald)?;
            forger.crash()?;
            {
                let _closed = closed_namespaces()?;
                forger.in_a_namespace(sender(NETNS_0), "DROP ")?;
            }
            for how in [LOGGER, JOURNALD] {
                wait_until(how, SECONDS, || journald.has(sender(how)))?;
            }
            for how in [LOGGER, CRASH] {
                wait_until(how, SECONDS, || rsyslog.has(sender(how)))?;
            }
            // The last lines reach every intake: what came before them and is not there was not taken.
            for line in lines(sender(DEV_KMSG)) {
                write_to_kmsg(&format!("<4>{line}"))?;
            }
            collect(&mut seen, &collectors, sender(DEV_KMSG))?;
        }
        {
            let prefix = format!("FBF{} ", std::process::id());
            let network = Network::up(&prefix, &[])?;
            // The setting is looked at once a minute: these collectors come later.
            let collectors = start(&buses, &journald, &rsyslog, &prefix)?;
            forger.in_a_namespace(sender(NETNS_1), "DROP ")?;
            network.scan("syn", &[("SCAN_PORTS", "1-40")])?;
            collect(&mut seen, &collectors, sender(FIREWALL))?;
        }
        for row in ROWS {
            for (at, intake) in INTAKES.iter().enumerate() {
                let found = seen.get(&(at, row.sender.to_owned()));
                let verdict = match found {
                    None => NotTaken,
                    Some((OriginWord::Kernel, _)) => Kernel,
                    Some(_) => Unverified,
                };
                ensure!(Some(&verdict) == row.verdicts.get(at), "{}, from {intake}: {verdict:?} {found:?}", row.how);
                // A collector that has nothing but a file goes by what there is.
                let is_vouching = at < 2;
                ensure!(
                    verdict != Unverified || !is_vouching || found.is_some_and(|(_, severity)| *severity <= 2),
                    "{}, from {intake}: {found:?}",
                    row.how
                );
            }
        }
        Ok(())
    })
}

/// Lines of a rule that logs what it drops: a scan, as the kernel would log it.
fn lines(source: &str) -> impl Iterator<Item = String> {
    (1..=PORTS).map(move |port| line(source, port))
}

fn line(source: &str, port: u16) -> String {
    format!(
        "DROP IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC={source} DST=198.51.100.10 LEN=44 TOS=0x00 PREC=0x00 TTL=41 ID=7 \
         PROTO=TCP SPT=40000 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0 "
    )
}

/// One record. The file is opened for each: the kernel takes ten in five seconds from one opening (`printk.devkmsg=ratelimit`).
/// One write is one record. Without its newline nobody would see it before the next one (`vprintk_store()` in Linux
/// kernel/printk/printk.c).
fn write_to_kmsg(text: &str) -> Result<()> {
    Ok(fs::File::options().write(true).open("/dev/kmsg")?.write_all(format!("{text}\n").as_bytes())?)
}

/// Keeps test networks, which change the setting, from coming up until this is dropped; waits until none is there.
fn closed_namespaces() -> Result<fs::File> {
    let folder = std::env::var_os("RIG_NET_STATE").map_or_else(|| PathBuf::from("/run/firebell-rigs/net"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let mut closed = None;
    wait_until("closed", 6 * SECONDS, || {
        // As `lock` in tests/rigs/net-lib.sh.
        let lock = fs::File::options().create(true).append(true).open(folder.join(".lock"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)?;
        // It appears with the first rule that logs.
        if fs::read_to_string(ALL_NETNS).map_or(true, |value| value.trim() == "0") {
            closed = Some(lock);
        }
        Ok(closed.is_some())
    })
    .map_err(|_| CannotRun(format!("{ALL_NETNS} is not 0")))?;
    closed.context("it was there")
}

/// An ordinary user.
struct Forger {
    folder: tempfile::TempDir,
}

impl Forger {
    fn new() -> Result<Self> {
        let folder = folder_for_all()?;
        fs::copy(repository().join("tests/rigs/pkt.py"), folder.path().join("pkt.py"))?;
        fs::set_permissions(folder.path().join("pkt.py"), fs::Permissions::from_mode(0o755))?;
        fs::write(folder.path().join("lines"), lines(sender(LOGGER)).map(|line| line + "\n").collect::<String>())?;
        let source = folder.path().join("crash.c");
        fs::write(&source, "int main(void) { *(volatile int *)0 = 1; return 0; }\n")?;
        run(Command::new("cc").arg("-o").arg(folder.path().join("crash")).arg(source))?;
        Ok(Self { folder })
    }

    fn logger(&self, journald: &Journald, rsyslog: &Rsyslog) -> Result<()> {
        let arguments = ["-t", "kernel", "-p", "kern.warn", "-f"];
        let lines = self.folder.path().join("lines");
        run(as_user(USER, Path::new("logger"))?.arg("-u").arg(rsyslog.socket()).args(arguments).arg(&lines))?;
        run(journald
            .command(&as_user(USER, Path::new("logger"))?)
            .args(["-u", "/run/systemd/journal/dev-log"])
            .args(arguments)
            .arg(&lines))?;
        Ok(())
    }

    fn journald(&self, journald: &Journald) -> Result<()> {
        for line in lines(sender(JOURNALD)) {
            let entry = self.folder.path().join("entry");
            let fields = "_TRANSPORT=kernel\nSYSLOG_FACILITY=0\nPRIORITY=4\nSYSLOG_IDENTIFIER=kernel\n";
            fs::write(&entry, format!("MESSAGE={line}\n{fields}"))?;
            run(journald.command(&as_user(USER, Path::new("logger"))?).arg(format!("--journald={}", entry.display())))?;
        }
        Ok(())
    }

    /// The kernel prints the name of the file that a program crashed in (`print_vma_addr()` in Linux mm/memory.c).
    fn crash(&self) -> Result<()> {
        let program = self.folder.path().join("crash");
        for port in 1..=CRASHES {
            let named = self.folder.path().join(line(sender(CRASH), port));
            fs::hard_link(&program, &named)?;
            let status = as_user(USER, Path::new("prlimit"))?.arg("--core=0").arg(&named).current_dir("/").stdin(Stdio::null()).status()?;
            ensure!(!status.success(), "it does not crash");
        }
        Ok(())
    }

    /// Packets of `source`, and a rule that logs them, where the user may do as it likes.
    fn in_a_namespace(&self, source: &str, prefix: &str) -> Result<()> {
        let script = format!(
            "ip link add eth0 type veth peer name eth1; ip link set eth0 address 52:54:00:00:00:0a
            for one in lo eth0 eth1; do ip link set $one up; done
            ip addr add 198.51.100.1/32 dev eth1; ip route add 198.51.100.10 dev eth1
            ip neigh replace 198.51.100.10 lladdr 52:54:00:00:00:0a dev eth1
            nft 'add table ip t; add chain ip t p {{ type filter hook prerouting priority -300; }}; add rule ip t p iifname eth0 ip saddr {source} counter log prefix \"{prefix}\" drop'
            python3 -I {} p=tcp,s={source},d=198.51.100.10,dp=1-{PORTS},f=S,dev=eth1
            nft list ruleset",
            self.folder.path().join("pkt.py").display()
        );
        let mut command = as_user(USER, Path::new("unshare"))?;
        command.args(["--user", "--map-root-user", "--net", "sh", "-euc", &script]).current_dir("/");
        let rules = run(&mut command).map_err(|error| CannotRun(format!("a user may make no network namespace that logs: {error:#}")))?;
        ensure!(rules.contains(&format!("counter packets {PORTS} ")), "the rule has met other packets: {rules}");
        Ok(())
    }
}

/// systemd's journald with a journal in memory, where nobody else sees it. The kernel's log it reads is the machine's.
struct Journald {
    program: Program,
}

impl Journald {
    fn start() -> Result<Self> {
        let script = "mount -t tmpfs -o mode=755 tmpfs /run
            mkdir -p /run/systemd/journald.conf.d /run/log/journal/$(cat /etc/machine-id)
            chgrp systemd-journal /run/log/journal/*; chmod 2755 /run/log/journal/*
            printf '[Journal]\\nStorage=volatile\\nAudit=no\\nReadKMsg=yes\\n' >/run/systemd/journald.conf.d/test.conf
            exec /lib/systemd/systemd-journald";
        if !Path::new("/lib/systemd/systemd-journald").exists()
            || fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().is_empty()
        {
            return Err(CannotRun("no journald, or no /etc/machine-id (Debian: systemd)".to_owned()).into());
        }
        let program = Program::start("journald", Command::new("unshare").args(["--mount", "sh", "-euc", script]).stdin(Stdio::null()))?;
        let journald = Self { program };
        wait_until("journald answers", SECONDS, || Ok(journald.text().is_ok()))
            .with_context(|| format!("{:?}", journald.program.lines()))?;
        Ok(journald)
    }

    /// `command`, where this journal is the machine's.
    fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--mount=/proc/{}/ns/mnt", self.program.pid())).arg("--").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        inside.current_dir("/").stdin(Stdio::null());
        inside
    }

    fn text(&self) -> Result<String> {
        run(self.command(&Command::new("journalctl")).args(["--quiet", "--no-pager"]))
    }

    fn has(&self, text: &str) -> Result<bool> {
        Ok(self.text()?.contains(text))
    }
}

/// A collector at work, and where it is to be asked.
struct Collector {
    address: String,
    _state: tempfile::TempDir,
    _program: Program,
}

/// One collector for each intake.
fn start(buses: &[Bus; 3], journald: &Journald, rsyslog: &Rsyslog, vouched: &str) -> Result<Vec<Collector>> {
    let vouched = if vouched.is_empty() { String::new() } else { format!("vouched-prefixes = [\"{vouched}\"]\n") };
    let sources =
        ["source = \"kmsg\"".to_owned(), "source = \"journal\"".to_owned(), format!("source = \"file\"\nfiles = [{:?}]", rsyslog.log())];
    let mut collectors = Vec::new();
    for (at, (bus, source)) in buses.iter().zip(sources).enumerate() {
        let (state, address) = (folder_for_all()?, bus.address());
        let mut command = collector_command(&format!("[intake]\n{source}\n{vouched}{EACH}"), &[])?;
        state_in(state.path(), &mut command)?;
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        if at == 1 {
            command = journald.command(&command);
        }
        let program = Program::start("firebelld", &mut command)?;
        program.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        collectors.push(Collector { address, _state: state, _program: program });
    }
    // A `journalctl` that has nothing to say yet is taken for one that works after two seconds.
    thread::sleep(Duration::from_secs(3));
    Ok(collectors)
}

/// Waits until `last` is an incident everywhere, and notes what each collector makes of each sender.
fn collect(seen: &mut HashMap<(usize, String), (OriginWord, u8)>, collectors: &[Collector], last: &str) -> Result<()> {
    for (at, collector) in collectors.iter().enumerate() {
        wait_until(last, SECONDS, || Ok(collector.alerts()?.iter().any(|alert| alert.source == last)))
            .with_context(|| format!("{:?}: {:?}", INTAKES.get(at), collector.alerts()))?;
        for alert in collector.alerts()? {
            seen.insert((at, alert.source), (alert.details.origin, alert.severity.get()));
        }
    }
    Ok(())
}

impl Collector {
    fn alerts(&self) -> Result<Vec<Alert>> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let connection = zbus::connection::Builder::address(self.address.as_str()).method_timeout(SECONDS).build().await?;
            let (alerts, ..) = CollectorProxy::new(&connection).await?.list_alerts(0, 1000, HashMap::new()).await?;
            alerts.into_iter().map(|alert| Ok(Alert::from_wire(alert)?)).collect()
        })
    }
}
