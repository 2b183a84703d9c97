//! Gives up its privileges as the collector does, and then tries to get them back. `tests/privilege.rs` starts it: a test
//! process has more than one thread, and privileges belong to a thread.
//!
//! usage: privilege-probe USER [GID...]      prints one `what: answer` a line
//!        privilege-probe --thread USER      the same, with a second thread already there
//!        privilege-probe --reading USER     the same, but it may go on reading every file

use anyhow::{Context, Result};
use firebell_collector::{accounts::Accounts, intake, privilege};
use rustix::{
    fs::{Mode, OFlags},
    thread::{Gid, Uid, set_thread_groups, set_thread_res_uid, set_thread_uid},
};
use std::{
    fs::File,
    io::{Write, stdout},
};

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    if arguments.first().is_some_and(|first| first == "--thread") {
        arguments.remove(0);
        std::thread::spawn(move || stopped.recv());
    }
    let mut keep = privilege::Keep::Nothing;
    if arguments.first().is_some_and(|first| first == "--reading") {
        arguments.remove(0);
        keep = privilege::Keep::Reading;
    }
    let accounts = Accounts::read()?;
    let user = arguments.first().context("no user")?;
    let groups = arguments.iter().skip(1).map(|gid| gid.parse()).collect::<Result<Vec<u32>, _>>()?;
    // What is open before stays usable after.
    let shadow = File::open("/etc/shadow");
    let kmsg = intake::kmsg::open(false);
    privilege::drop(accounts.user(user), &groups, keep)?;
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
    let cat = std::process::Command::new("cat").arg("/etc/shadow").output()?;
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

fn text<T, E: ToString>(result: Result<T, E>) -> Result<(), String> {
    result.map(|_| ()).map_err(|error| error.to_string())
}
