//! What the collector gives up, it does not get back.

use anyhow::{Context, Result, ensure};
use firebell_tests::{
    bus::{Bus, collector_command, collector_user, need_root, scan_lines, wait_until},
    program::{Program, as_user, run},
    rig::with_rigs,
};
use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
    time::Duration,
};

const PROBE: &str = env!("CARGO_BIN_EXE_privilege-probe");
const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn after_the_drop_there_is_no_way_back_to_root() -> Result<()> {
    with_rigs("giving up root", || {
        need_root()?;
        let said = run(Command::new(PROBE).args([&collector_user()?, "4"]))?;
        let answers: HashMap<_, _> = said.lines().filter_map(|line| line.split_once(": ")).collect();
        let answer = |what: &str| answers.get(what).copied().with_context(|| format!("no {what} in\n{said}"));
        for what in ["setuid(0)", "setresuid(0, 0, 0)", "setgroups(0)", "write /dev/kmsg", "open /etc/shadow", "setuid(0) in a new thread"]
        {
            ensure!(
                answer(what)?.contains("Operation not permitted") || answer(what)?.contains("Permission denied"),
                "{what}: {}",
                answer(what)?
            );
        }
        // Where anybody may read the kernel log, so may we.
        let is_restricted = fs::read_to_string("/proc/sys/kernel/dmesg_restrict")?.trim() == "1";
        ensure!(!is_restricted || answer("open /dev/kmsg")? != "yes", "{said}");
        for set in ["Bounding", "Permitted", "Effective", "Inheritable", "Ambient"] {
            ensure!(answer(&format!("{set} capabilities"))? == "0", "{said}");
        }
        ensure!(answer("no_new_privs")? == "true" && answer("groups")? == "[4]", "{said}");
        ensure!(answer("kmsg stays open")? == "yes" && answer("shadow was readable before")? == "yes", "{said}");
        Ok(())
    })
}

#[test]
fn what_may_read_every_file_may_write_none_and_gives_nothing_to_what_it_starts() -> Result<()> {
    with_rigs("keeping the right to read", || {
        need_root()?;
        let said = run(Command::new(PROBE).args(["--reading", &collector_user()?]))?;
        let answers: HashMap<_, _> = said.lines().filter_map(|line| line.split_once(": ")).collect();
        for (what, expected) in [("open /etc/shadow", "yes"), ("Permitted capabilities", "1"), ("Effective capabilities", "1")] {
            ensure!(answers.get(what) == Some(&expected), "{what}\n{said}");
        }
        for set in ["Bounding", "Inheritable", "Ambient"] {
            ensure!(answers.get(format!("{set} capabilities").as_str()) == Some(&"0"), "{said}");
        }
        for what in ["setuid(0)", "setgroups(0)", "write /dev/kmsg", "write /etc/shadow", "cat /etc/shadow", "setuid(0) in a new thread"] {
            let answer = answers.get(what).copied().unwrap_or_default();
            ensure!(answer.contains("Operation not permitted") || answer.contains("Permission denied"), "{what}: {answer}");
        }
        Ok(())
    })
}

/// What the probe says within the limits of a collector with this configuration.
fn within_limits(config: &str, more: &[&str]) -> Result<HashMap<String, String>> {
    use std::os::unix::fs::PermissionsExt as _;
    need_root()?;
    // Out of the way of everything that the collector may read.
    let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir_in("/var/tmp")?;
    let (file, state, other) = (folder.path().join("etc/firebell.toml"), folder.path().join("state"), folder.path().join("other/file"));
    for folder in [&file, &state.join("x"), &other].iter().filter_map(|path| path.parent()) {
        fs::create_dir(folder)?;
    }
    fs::write(&file, config)?;
    fs::write(&other, "of somebody else")?;
    fs::set_permissions(&other, fs::Permissions::from_mode(0o666))?;
    run(Command::new("chown").arg(collector_user()?).arg(&state))?;
    let mut probe = Command::new(PROBE);
    probe.arg("--limited").args([&file, &state]).arg(collector_user()?).arg(&other).args(more);
    let said = run(&mut probe)?;
    Ok(said.lines().filter_map(|line| line.split_once(": ")).map(|(what, answer)| (what.to_owned(), answer.to_owned())).collect())
}

/// What fails within the limits, whatever is read.
const FORBIDDEN: [&str; 14] = [
    "open /dev/kmsg",
    "open /etc/shadow",
    "open another file",
    "write another file",
    "list /",
    "make a file",
    "make a link",
    "listen on TCP",
    "connect by TCP",
    "send UDP",
    "start a program",
    "signal its parent",
    "look into its parent",
    "become root",
];

#[test]
fn within_its_limits_the_collector_has_its_files_and_the_bus_and_nothing_else() -> Result<()> {
    with_rigs("the limits of the collector", || {
        let answers = within_limits("[intake]\nsource = \"kmsg\"\n", &[])?;
        is_limited(&answers)
    })
}

fn is_limited(answers: &HashMap<String, String>) -> Result<()> {
    let answer = |what: &str| answers.get(what).map(String::as_str).with_context(|| format!("no {what} in {answers:?}"));
    if !answer("files")?.starts_with("landlock") {
        return Err(firebell_tests::rig::CannotRun(answer("files")?.to_owned()).into());
    }
    ensure!(answer("calls")? == "seccomp", "{answers:?}");
    let needed = [
        "thread",
        "read its configuration",
        "read the users",
        "keep a file",
        "remove a file",
        "connect to a socket",
        "send a datagram",
        "read what is open",
    ];
    for what in needed {
        ensure!(answer(what)? == "yes", "{what}: {}", answer(what)?);
    }
    for what in FORBIDDEN {
        let answer = answer(what)?;
        ensure!(answer.contains("not permitted") || answer.contains("Permission denied"), "{what}: {answer}");
    }
    Ok(())
}

/// Tries from inside of a program what only a program can that calls the kernel as it likes.
const ATTEMPTS: &str = r#"
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(what, *arguments):
    ctypes.set_errno(0)
    answer = libc.syscall(*arguments)
    print(what + ":", "yes" if answer >= 0 else os.strerror(ctypes.get_errno()))
number = {"x86_64": dict(ptrace=101, unshare=272, mount=165, setns=308, keyctl=250, bpf=321, perf=298, userfault=323, io_uring=425, seccomp=317,
                         clone3=435, vm_read=310, memfd=319, chroot=161, kexec=246, module=313, capset=126, clone=56, setuid=105),
          "aarch64": dict(ptrace=117, unshare=97, mount=40, setns=268, keyctl=219, bpf=280, perf=241, userfault=282, io_uring=425, seccomp=277,
                          clone3=435, vm_read=270, memfd=279, chroot=51, kexec=104, module=273, capset=91, clone=220, setuid=146)}[os.uname().machine]
call("ptrace", number["ptrace"], 16, os.getppid(), 0, 0)
call("unshare", number["unshare"], 0x10000000)
call("clone of a user namespace", number["clone"], 0x10000000 | 17, 0, 0, 0, 0)
for name in ["mount", "setns", "keyctl", "bpf", "perf", "userfault", "io_uring", "seccomp", "vm_read", "memfd", "chroot", "kexec", "module", "capset", "setuid"]:
    call(name, number[name], 0, 0, 0, 0, 0, 0)
call("clone3", number["clone3"], 0, 0)
for family in ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"]:
    try: socket.socket(getattr(socket, family), socket.SOCK_RAW if family == "AF_PACKET" else socket.SOCK_DGRAM); print(family + ": yes")
    except OSError as error: print(family + ":", error.strerror)
try: os.execv("/bin/sh", ["sh", "-c", "echo a shell: yes"])
except OSError as error: print("a shell:", error.strerror)
"#;

#[test]
fn the_program_that_reads_the_journal_is_within_the_same_limits_and_can_start_no_other() -> Result<()> {
    with_rigs("the limits of journalctl", || {
        // Another program in its place, which can try what journalctl does not.
        let python = fs::canonicalize("/usr/bin/python3").map_err(|_| firebell_tests::rig::CannotRun("no python3".into()))?;
        let answers = within_limits(&format!("[intake]\nsource = \"journal\"\njournalctl = {python:?}\n"), &["-I", "-S", "-c", ATTEMPTS])?;
        is_limited(&answers)?;
        ensure!(answers.get("start its program").is_some_and(|answer| answer == "yes"), "{answers:?}");
        for what in [
            "ptrace",
            "unshare",
            "clone of a user namespace",
            "mount",
            "setns",
            "keyctl",
            "bpf",
            "perf",
            "userfault",
            "io_uring",
            "seccomp",
            "vm_read",
            "memfd",
            "chroot",
            "kexec",
            "module",
            "capset",
            "setuid",
            "AF_INET",
            "AF_INET6",
            "AF_NETLINK",
            "AF_PACKET",
            "a shell",
        ] {
            let answer = answers.get(what).with_context(|| format!("no {what} in {answers:?}"))?;
            ensure!(answer.contains("not permitted") || answer.contains("Permission denied"), "{what}: {answer}");
        }
        ensure!(answers.get("clone3").is_some_and(|answer| answer == "Function not implemented"), "{answers:?}");
        Ok(())
    })
}

/// Makes a log that only root may read, in the place of `path`.
fn root_only(path: &std::path::Path, lines: &str) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, lines)?;
    run(Command::new("chmod").arg("600").arg(&new))?;
    Ok(fs::rename(&new, path)?)
}

/// Reads the log before and after it was rotated.
fn follows_over_a_rotation(bus: &Bus, path: &std::path::Path, last: u8) -> Result<()> {
    let append = |lines: &str| fs::File::options().append(true).open(path)?.write_all(lines.as_bytes());
    append(&scan_lines("DROP", &format!("203.0.113.{last}"), 20))?;
    wait_until("an alert", SECONDS, || Ok(list(bus)?.contains(&format!("203.0.113.{last}\""))))?;
    fs::rename(path, path.with_extension("log.1"))?;
    root_only(path, &scan_lines("DROP", &format!("203.0.113.{}", last + 1), 20))?;
    wait_until("an alert of the new file", SECONDS, || Ok(list(bus)?.contains(&format!("203.0.113.{}\"", last + 1))))
}

/// The capabilities of every thread, which are the same.
fn capabilities(program: &Program) -> Result<[String; 4]> {
    let mut all = Vec::new();
    for thread in fs::read_dir(format!("/proc/{}/task", program.pid()))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        all.push(["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"].map(field));
    }
    all.dedup();
    let [one] = all.as_slice() else { anyhow::bail!("{all:?}") };
    Ok(one.clone())
}

#[test]
fn a_log_that_only_root_may_read_is_followed_with_that_capability_and_no_other() -> Result<()> {
    const NONE: &str = "0000000000000000";
    // Bit 2 is CAP_DAC_READ_SEARCH (Linux include/uapi/linux/capability.h).
    const READING: &str = "0000000000000004";
    with_rigs("a log of root's", || {
        need_root()?;
        let folder = tempfile::tempdir()?;
        run(Command::new("chmod").arg("755").arg(folder.path()))?;
        let path = folder.path().join("messages.log");
        root_only(&path, "")?;
        let config = |more: &str| format!("[intake]\nsource = \"file\"\nfiles = [{path:?}]\n{more}");

        let bus = Bus::up(true)?;
        let collector = bus.collector(&config("read-root-only = true\n"), &[], Stdio::null())?;
        follows_over_a_rotation(&bus, &path, 1)?;
        ensure!(capabilities(&collector)? == [READING, READING, NONE, NONE], "{:?}", capabilities(&collector)?);
        collector.stop()?;

        // Without the key it is given up, and the next file of the name cannot be read.
        let bus = Bus::up(true)?;
        let collector = bus.collector(&config(""), &[], Stdio::null())?;
        ensure!(capabilities(&collector)? == [NONE; 4], "{:?}", capabilities(&collector)?);
        root_only(&path, "")?;
        collector.wait_for(SECONDS, |line| line.text.contains("cannot be read") && line.text.contains("read-root-only-logs.conf"))?;
        collector.stop()?;

        // As the system unit with its drop-in starts it.
        let (bus, built, user) = (Bus::up(true)?, built_for_others()?, collector_user()?);
        let state = built.path().join("state");
        fs::create_dir(&state)?;
        run(Command::new("chown").arg(&user).arg(&state))?;
        fs::write(built.path().join("firebell.toml"), config("read-root-only = true\n"))?;
        let start = |capabilities: &str| {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={user}")).args(["--regid=65534", "--clear-groups"]);
            command.arg(format!("--inh-caps=-all,{capabilities}")).arg(format!("--ambient-caps=-all,{capabilities}"));
            command.arg(built.path().join("firebelld")).arg("--config").arg(built.path().join("firebell.toml"));
            command.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address()).env("STATE_DIRECTORY", &state).current_dir("/").stdin(Stdio::null());
            command
        };
        let collector = Program::start("firebelld", &mut start("+syslog,+dac_read_search"))?;
        collector.wait_for(SECONDS, |line| line.text.contains("ready"))?;
        follows_over_a_rotation(&bus, &path, 3)?;
        ensure!(capabilities(&collector)? == [READING, READING, NONE, NONE], "{:?}", capabilities(&collector)?);
        collector.stop()?;
        let output = start("+syslog").output()?;
        ensure!(output.status.code() == Some(77) && said(&output).contains("read-root-only-logs.conf"), "{output:?}");

        // A link of somebody else is no way to any file.
        fs::rename(&path, folder.path().join("hidden"))?;
        std::os::unix::fs::symlink("/etc/shadow", &path)?;
        run(Command::new("chown").args(["-h", "games"]).arg(&path))?;
        let output = start("+syslog,+dac_read_search").output()?;
        ensure!(output.status.code() == Some(1) && said(&output).contains("neither root nor the owner"), "{output:?}");
        Ok(())
    })
}

#[test]
fn a_second_thread_would_keep_its_privileges_so_the_drop_is_refused() -> Result<()> {
    let output = Command::new(PROBE).args(["--thread", &collector_user()?]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("2 threads run already"), "{output:?}");
    Ok(())
}

#[test]
fn root_and_nobody_are_refused_and_a_missing_user_is_named() -> Result<()> {
    with_rigs("users that are refused", || {
        need_root()?;
        for (user, expected) in
            [("root", "does not run as root (0)"), ("nobody", "does not run as nobody (65534)"), ("no-such", "there is no user no-such")]
        {
            let output = firebelld(&["--replay", "/dev/null", "--user", user])?;
            ensure!(output.status.code() == Some(78) && said(&output).contains(expected), "{user}: {output:?}");
        }
        Ok(())
    })
}

#[test]
fn a_user_who_may_not_read_the_kernel_log_hears_what_to_do() -> Result<()> {
    with_rigs("a normal user", || {
        need_root()?;
        if fs::read_to_string("/proc/sys/kernel/dmesg_restrict")?.trim() != "1" {
            return Err(firebell_tests::rig::CannotRun("kernel.dmesg_restrict is 0: anybody may read the kernel log".into()).into());
        }
        let built = built_for_others()?;
        let output = as_user("games", &built.path().join("firebelld"))?.stdin(Stdio::null()).current_dir("/").output()?;
        ensure!(output.status.code() == Some(77), "{output:?}");
        ensure!(said(&output).contains("/dev/kmsg may not be read by this user"), "{output:?}");
        ensure!(said(&output).contains("start firebelld as root or with CAP_SYSLOG"), "{output:?}");
        Ok(())
    })
}

/// A copy of the collector where other users get to it.
fn built_for_others() -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("firebell-built").tempdir()?;
    run(Command::new("chmod").arg("755").arg(folder.path()))?;
    fs::copy(firebell_tests::program::built()?.join("firebelld"), folder.path().join("firebelld"))?;
    Ok(folder)
}

#[test]
fn the_collector_is_poor_on_the_live_kernel_log_and_believes_no_program_in_it() -> Result<()> {
    with_rigs("the live kernel log", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let prefix = format!("FBK{}", std::process::id());
        let config = format!("[intake]\nsource = \"kmsg\"\nprefixes = [\"{prefix}\"]");
        let collector = bus.collector(&config, &[], Stdio::null())?;
        let status = fs::read_to_string(format!("/proc/{}/status", collector.pid()))?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        let uid = run(Command::new("id").args(["-u", &collector_user()?]))?;
        ensure!(field("Uid:").split_whitespace().all(|one| one == uid.trim()), "{status}");
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            ensure!(field(set) == "0000000000000000", "{set} {status}");
        }
        ensure!(field("NoNewPrivs:") == "1" && field("Groups:").is_empty(), "{status}");
        for thread in fs::read_dir(format!("/proc/{}/task", collector.pid()))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            ensure!(status.contains("CapEff:\t0000000000000000"), "{status}");
        }

        // What a program writes there gets facility 1 (user), whatever it asks for.
        for line in scan_lines(&prefix, "198.51.100.66", 20).lines() {
            let text = line.split_once(';').context("no text")?.1;
            // One write is one record.
            fs::File::options().write(true).open("/dev/kmsg")?.write_all(format!("<4>{text}\n").as_bytes())?;
        }
        wait_until("an alert", SECONDS, || Ok(list(&bus)?.contains("198.51.100.66")))?;
        let alerts = list(&bus)?;
        ensure!(alerts.contains("\"origin\":{\"type\":\"s\",\"data\":\"unverified\"}"), "{alerts}");
        ensure!(!alerts.contains("\"kernel\""), "{alerts}");
        let (status, said) = collector.stop()?;
        // What it reads and why, that it is there, and nothing for any line of a stranger.
        let said: Vec<&str> = said.lines().map(str::trim).collect();
        let expected = ["INFO reading intakes=/dev/kmsg why=[intake] source = \"kmsg\"", "INFO ready intakes=/dev/kmsg"];
        ensure!(status.success() && said == expected, "{said:?}");
        Ok(())
    })
}

#[test]
fn records_that_the_kernel_overwrote_before_we_came_are_counted_and_said() -> Result<()> {
    with_rigs("lost records", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let config = "[intake]\nsource = \"kmsg\"\nprefixes = [\"FBLOST\"]";
        let collector = bus.collector(config, &[], Stdio::null())?;
        ensure!(property(&bus, "Health")?.contains("ok"), "{}", property(&bus, "Health")?);
        let pid = rustix::process::Pid::from_raw(i32::try_from(collector.pid())?).context("no pid")?;
        let filler = "x".repeat(900);
        let mut written = 0_u64;
        // 256 KiB are more than most rings; a larger one needs more.
        for count in [300, 1200, 4800, 19_200] {
            rustix::process::kill_process(pid, rustix::process::Signal::STOP)?;
            for number in 0..count {
                // Opened for each: the kernel takes ten records in five seconds from one opening (`printk.devkmsg=ratelimit`).
                let text = format!("<7>firebell test of lost records {number} {filler}\n");
                fs::File::options().write(true).open("/dev/kmsg")?.write_all(text.as_bytes())?;
                if number % 8 == 7 {
                    // Slowly enough for other readers.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            written += count;
            rustix::process::kill_process(pid, rustix::process::Signal::CONT)?;
            if wait_until("the loss in Status", Duration::from_secs(1), || Ok(counter(&bus, "lines_lost")? > 0)).is_ok() {
                break;
            }
        }
        let (lost, overruns) = (counter(&bus, "lines_lost")?, counter(&bus, "intake_overruns")?);
        ensure!(overruns >= 1 && lost >= 1 && lost <= written + 1000, "{lost} of {written} lost in {overruns} overruns");
        ensure!(property(&bus, "Health")?.contains("log records were lost in the last ten minutes"), "{}", property(&bus, "Health")?);
        Ok(())
    })
}

fn property(bus: &Bus, name: &str) -> Result<String> {
    busctl(bus, &["get-property", "org.firebell.Collector1", "/org/firebell/Collector1", "org.firebell.Collector1", name])
}

fn counter(bus: &Bus, name: &str) -> Result<u64> {
    let status = busctl(bus, &["call", "org.firebell.Collector1", "/org/firebell/Collector1", "org.firebell.Collector1", "Status"])?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    status.pointer(&format!("/data/0/{name}/data")).and_then(serde_json::Value::as_u64).with_context(|| format!("no {name} in {status}"))
}

#[test]
fn a_log_file_is_followed_from_its_end_with_the_group_that_may_read_it() -> Result<()> {
    with_rigs("a log file", || {
        need_root()?;
        let bus = Bus::up(true)?;
        let folder = tempfile::tempdir()?;
        run(Command::new("chmod").arg("755").arg(folder.path()))?;
        let path = folder.path().join("kern.log");
        fs::write(&path, scan_lines("DROP", "203.0.113.1", 20))?;
        run(Command::new("chown").arg("root:adm").arg(&path))?;
        run(Command::new("chmod").arg("640").arg(&path))?;
        let config = format!("[intake]\nsource = \"file\"\nfiles = [\"{}\"]", path.display());
        let collector = bus.collector(&config, &[], Stdio::null())?;
        let append = |lines: &str| fs::File::options().append(true).open(&path)?.write_all(lines.as_bytes());
        append(&scan_lines("DROP", "203.0.113.2", 20))?;
        wait_until("an alert", SECONDS, || Ok(list(&bus)?.contains("203.0.113.2\"")))?;
        ensure!(!list(&bus)?.contains("203.0.113.1\""), "what was written before the start was read");

        // Rotated: the new file can be opened with the group that was kept.
        fs::rename(&path, folder.path().join("kern.log.1"))?;
        let new = folder.path().join("new");
        fs::write(&new, scan_lines("DROP", "203.0.113.3", 20))?;
        run(Command::new("chown").arg("root:adm").arg(&new))?;
        run(Command::new("chmod").arg("640").arg(&new))?;
        fs::rename(&new, &path)?;
        wait_until("an alert from the new file", SECONDS, || Ok(list(&bus)?.contains("203.0.113.3\"")))?;
        let status = fs::read_to_string(format!("/proc/{}/status", collector.pid()))?;
        ensure!(status.contains("Groups:\t4 \n"), "{status}");
        Ok(())
    })
}

#[test]
fn an_idle_collector_does_not_wake_up() -> Result<()> {
    with_rigs("an idle collector", || {
        let bus = Bus::up(true)?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("kern.log");
        fs::write(&path, "")?;
        run(Command::new("chmod").args(["-R", "a+rX"]).arg(folder.path()))?;
        let collector = bus.collector(&format!("[intake]\nsource = \"file\"\nfiles = [\"{}\"]", path.display()), &[], Stdio::null())?;
        // What belongs to the start.
        std::thread::sleep(Duration::from_secs(1));
        let before = switches(&collector)?;
        std::thread::sleep(Duration::from_secs(4));
        let after = switches(&collector)?;
        ensure!(before == after, "it woke up {} times", after - before);
        // The measure can tell.
        fs::File::options().append(true).open(&path)?.write_all(b"a line\n")?;
        wait_until("waking up", SECONDS, || Ok(switches(&collector)? > after))
    })
}

/// How often the threads of a program have gone to sleep.
fn switches(program: &Program) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", program.pid()))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).context("no count")?;
        sum += line.trim().parse::<u64>()?;
    }
    Ok(sum)
}

#[test]
fn check_says_what_is_in_force_or_what_is_wrong_and_where() -> Result<()> {
    let mut good = collector_command("[bus]\nviewers = [\"no-such-viewer\"]\n", &["--check"])?;
    let output = good.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && text.contains("viewers = [\"no-such-viewer\"]") && text.contains("half-life = \"10m\""),
        "{output:?}"
    );
    ensure!(said(&output).contains("there is no user or group no-such-viewer"), "{output:?}");

    let output = collector_command("[bus]\nviewer = []\n", &["--check"])?.output()?;
    ensure!(output.status.code() == Some(78), "{output:?}");
    ensure!(said(&output).contains(":2:1: unknown field `viewer`, expected one of `viewers`, `groups`, `broadcast`"), "{output:?}");
    ensure!(said(&output).contains("\n    2 | viewer = []\n      | ^^^^^^"), "{output:?}");
    Ok(())
}

#[test]
fn a_second_collector_and_a_bus_without_our_policy_are_explained() -> Result<()> {
    with_rigs("two collectors", || {
        let bus = Bus::up(true)?;
        let _first = bus.collector("", &["--replay", "/dev/null"], Stdio::null())?;
        let second = collector_command("", &["--replay", "/dev/null"])?.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address()).output()?;
        ensure!(second.status.code() == Some(1) && said(&second).contains("stop the other firebelld first"), "{second:?}");
        let bare = Bus::up(false)?;
        let denied = collector_command("", &["--replay", "/dev/null"])?.env("DBUS_SYSTEM_BUS_ADDRESS", bare.address()).output()?;
        ensure!(
            denied.status.code() == Some(77) && said(&denied).contains("install dbus-policy/org.firebell.Collector1.conf"),
            "{denied:?}"
        );
        Ok(())
    })
}

fn firebelld(arguments: &[&str]) -> Result<Output> {
    let firebelld = firebell_tests::program::built()?.join("firebelld");
    let config = tempfile::NamedTempFile::with_suffix(".toml")?;
    Ok(Command::new(firebelld).arg("--config").arg(config.path()).args(arguments).stdin(Stdio::null()).output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything in the history, as JSON.
fn list(bus: &Bus) -> Result<String> {
    let object = ["call", "org.firebell.Collector1", "/org/firebell/Collector1", "org.firebell.Collector1"];
    busctl(bus, &[&object[..], &["ListAlerts", "tua{sv}", "0", "1000", "0"]].concat())
}

fn busctl(bus: &Bus, arguments: &[&str]) -> Result<String> {
    run(Command::new("busctl").arg(format!("--address={}", bus.address())).arg("--json=short").args(arguments))
}
