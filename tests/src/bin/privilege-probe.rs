//! Gives up its privileges as the collector does, and then tries to get them back. `tests/privilege.rs` starts it: a test
//! process has more than one thread, and privileges belong to a thread.
//!
//! usage: privilege-probe USER [GID...]      prints one `what: answer` a line
//!        privilege-probe --thread USER      the same, with a second thread already there
//!        privilege-probe --reading USER     the same, but it may go on reading every file
//!        privilege-probe --limited CONFIG STATE USER OTHER [ARG...]
//!                                           within the limits of a collector with that configuration file, and its history in STATE: tries
//!                                           what it has to be able to do and what not, OTHER being a file that is none of its business, and
//!                                           with more arguments starts the configuration's journalctl with them

use anyhow::{Context, Result};
use firebell_collector::{
    accounts::Accounts,
    config, intake,
    privilege::{self, Keep},
    sandbox::Limits,
};
use rustix::{
    fs::{Mode, OFlags},
    thread::{Gid, Uid, set_thread_groups, set_thread_res_uid, set_thread_uid},
};
use std::{
    fs::File,
    io::{Read as _, Write, stdout},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::Path,
    process::Command,
};

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, config, state, user, other, more @ ..] = arguments.as_slice()
        && first == "--limited"
    {
        return limited(Path::new(config), Path::new(state), user, Path::new(other), more);
    }
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    if arguments.first().is_some_and(|first| first == "--thread") {
        arguments.remove(0);
        std::thread::spawn(move || stopped.recv());
    }
    let mut keep = Keep::Nothing;
    if arguments.first().is_some_and(|first| first == "--reading") {
        arguments.remove(0);
        keep = Keep::Reading;
    }
    let accounts = Accounts::read()?;
    let user = arguments.first().context("no user")?;
    let groups = arguments.iter().skip(1).map(|gid| gid.parse()).collect::<Result<Vec<u32>, _>>()?;
    // What is open before stays usable after.
    let shadow = File::open("/etc/shadow");
    let kmsg = intake::kmsg::open(false);
    privilege::drop(accounts.user(user), &groups, keep, &Limits::off())?;
    drop(stop);

    let mut out = stdout();
    let mut say = |what: &str, answer: Result<(), String>| writeln!(out, "{what}: {}", answer.err().unwrap_or_else(|| "yes".to_owned()));
    say("setuid(0)", text(set_thread_uid(Uid::ROOT)))?;
    say("setresuid(0, 0, 0)", text(set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)))?;
    say("setgroups(0)", text(set_thread_groups(&[Gid::ROOT])))?;
    say("open /dev/kmsg", text(intake::kmsg::open(false)))?;
    say("write /dev/kmsg", text(rustix::fs::open("/dev/kmsg", OFlags::WRONLY, Mode::empty())))?;
    say("open /etc/shadow", text(File::open("/etc/shadow")))?;
    say("write /etc/shadow", text(File::options().write(true).open("/etc/shadow")))?;
    // Of a program that it starts.
    let cat = Command::new("cat").arg("/etc/shadow").output()?;
    say("cat /etc/shadow", if cat.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&cat.stderr).trim().to_owned()) })?;
    say("kmsg stays open", kmsg.map(|_| ()).map_err(|error| error.to_string()))?;
    say("shadow was readable before", shadow.map(|_| ()).map_err(|error| error.to_string()))?;
    for set in [caps::CapSet::Bounding, caps::CapSet::Permitted, caps::CapSet::Effective, caps::CapSet::Inheritable, caps::CapSet::Ambient]
    {
        say(&format!("{set:?} capabilities"), Err(caps::read(None, set)?.len().to_string()))?;
    }
    // A program that is started gets nothing back either: `su` is setuid root.
    say("no_new_privs", Err(rustix::thread::no_new_privs()?.to_string()))?;
    let status = std::fs::read_to_string("/proc/thread-self/status").map_err(|error| error.to_string());
    say("look into itself", status.map(|_| ()))?;
    say("groups", Err(format!("{:?}", rustix::process::getgroups()?.iter().map(|gid| gid.as_raw()).collect::<Vec<_>>())))?;

    // Threads that are started now are as poor as this one.
    let thread = std::thread::spawn(|| text(set_thread_uid(Uid::ROOT))).join();
    say("setuid(0) in a new thread", thread.unwrap_or(Ok(())))?;
    Ok(())
}

fn limited(file: &Path, state: &Path, user: &str, other: &Path, more: &[String]) -> Result<()> {
    let config = config::load(Some(file)).map_err(|problems| anyhow::anyhow!("{problems:?}"))?.config;
    let limits = Limits::of(&config, Some(file), &[state], Keep::Nothing, !more.is_empty());
    let kmsg = intake::kmsg::open(false);
    let (listener, socket) = (UnixListener::bind(state.join("socket"))?, state.join("socket"));
    // Everybody's, as that of the bus.
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777))?;
    let token = privilege::drop(Accounts::read()?.user(user), &[], Keep::Nothing, &limits)?;
    let mut out = stdout();
    writeln!(out, "files: {}\ncalls: {}", token.limits().files, token.limits().calls)?;
    let mut say = |what: &str, answer: Result<(), String>| writeln!(out, "{what}: {}", answer.err().unwrap_or_else(|| "yes".to_owned()));
    // What it needs.
    say("thread", std::thread::spawn(|| ()).join().map_err(|_| "no".to_owned()))?;
    say("read its configuration", text(std::fs::read(file)))?;
    say("read the users", text(std::fs::read("/etc/passwd")))?;
    say("keep a file", text(std::fs::write(state.join("a"), "a").and_then(|()| std::fs::rename(state.join("a"), state.join("b")))))?;
    say("remove a file", text(std::fs::remove_file(state.join("b"))))?;
    say("connect to a socket", text(UnixStream::connect(&socket)))?;
    say("send a datagram", text(UnixDatagram::unbound()))?;
    say(
        "read what is open",
        text(kmsg.map_err(|error| error.to_string()).and_then(|mut file| {
            // Empty is as good as a record; not permitted is not.
            match file.read(&mut [0; 8192]) {
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Err(error.to_string()),
                _ => Ok(()),
            }
        })),
    )?;
    // What it does not.
    say("open /dev/kmsg", text(intake::kmsg::open(false)))?;
    say("open /etc/shadow", text(File::open("/etc/shadow")))?;
    say("open another file", text(File::open(other)))?;
    say("write another file", text(File::options().append(true).open(other)))?;
    say("list /", text(std::fs::read_dir("/")))?;
    say("make a file", text(File::create(std::env::temp_dir().join("firebell-probe"))))?;
    say("make a link", text(std::os::unix::fs::symlink("/etc/shadow", state.join("link"))))?;
    say("listen on TCP", text(TcpListener::bind("127.0.0.1:0")))?;
    say("connect by TCP", text(TcpStream::connect("127.0.0.1:9")))?;
    say("send UDP", text(UdpSocket::bind("127.0.0.1:0")))?;
    say("start a program", text(Command::new("/bin/true").output()))?;
    if let Some(parent) = rustix::process::getppid() {
        say("signal its parent", text(rustix::process::kill_process(parent, rustix::process::Signal::WINCH)))?;
        say("look into its parent", text(File::open(format!("/proc/{}/mem", parent.as_raw_nonzero()))))?;
    }
    say("become root", text(set_thread_uid(Uid::ROOT)))?;
    drop(listener);
    if !more.is_empty() {
        let output = Command::new(config.intake.journalctl.path()).args(more).output();
        say("start its program", text(output.as_ref()))?;
        let output = output?;
        out.write_all(&output.stdout)?;
        out.write_all(&output.stderr)?;
    }
    Ok(())
}

fn text<T, E: ToString>(result: Result<T, E>) -> Result<(), String> {
    result.map(|_| ()).map_err(|error| error.to_string())
}
