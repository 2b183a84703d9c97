//! Giving up what the process was started with.
//!
//! Everything here is of one *thread*: the kernel keeps user, groups and capabilities for each thread, and
//! the calls that change a whole process live in the C library. So [`drop()`] comes before any thread is
//! started (it checks that), and every later thread inherits what is left.

use crate::{
    accounts::User,
    sandbox::{Limits, Report},
};
use caps::{CapSet, Capability, CapsHashSet};
use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{
        Gid, Uid, set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid, set_thread_uid,
    },
};
use std::{fs, io};

/// The user that a process belongs to which was started as root.
pub const USER: &str = "firebell";
/// `nobody`: what it may do, everything else that runs as nobody may do to us.
const NOBODY: u32 = 65534;

/// Proof that privileges are gone: what reads hostile bytes asks for it.
#[derive(Debug)]
pub struct Unprivileged(Report);

impl Unprivileged {
    /// What of the limits is in force.
    #[must_use]
    pub fn limits(&self) -> &Report {
        &self.0
    }
}

/// Why privileges could not be given up.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// The user to become is the wrong one.
    #[error("firebelld does not run as {name} ({uid}); use a user of its own, made with `useradd --system {USER}`")]
    WrongUser {
        /// Its name.
        name: String,
        /// Its id.
        uid: u32,
    },
    /// Threads run already and would keep what they have.
    #[error("{0} threads run already; privileges are given up before the first is started")]
    Threads(usize),
    /// The system refused.
    #[error("{what}: {error}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// Something is left.
    #[error("after giving up privileges there is still {0}")]
    Left(&'static str),
}

/// Is this process root's?
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What is not given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything is.
    Nothing,
    /// `CAP_DAC_READ_SEARCH`, where the process has it: it reads every file, and writes none. A log that only root may read is opened
    /// with it, and the next one of its name.
    Reading,
}

/// May this thread read every file?
#[must_use]
pub fn may_read_all() -> bool {
    caps::has_cap(None, CapSet::Effective, Capability::CAP_DAC_READ_SEARCH).unwrap_or(false)
}

/// Gives up all privileges for good: becomes `user` with `groups` when root, and in any case clears every
/// capability set but for what `keep` says, sets `no_new_privs` and forbids to look into the process. Programs that it starts get
/// nothing of what is kept. At last it leaves the process nothing but what `limits` say; a kernel that cannot do that is no error.
///
/// Not root: `user` and `groups` are not looked at, the process stays who it is.
///
/// # Errors
/// [`DropError`]. The process must end then: it is neither what it was nor what it should be.
pub fn drop(user: Option<&User>, groups: &[u32], keep: Keep, limits: &Limits) -> Result<Unprivileged, DropError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads != 1 {
        return Err(DropError::Threads(threads));
    }
    let mut kept = caps::read(None, CapSet::Permitted).map_err(refused("read a capability set"))?;
    kept.retain(|capability| keep == Keep::Reading && *capability == Capability::CAP_DAC_READ_SEARCH);
    // The bounding set first: shrinking it needs a capability itself (CAP_SETPCAP, capabilities(7)).
    let bounding = caps::read(None, CapSet::Bounding).map_err(refused("read the bounding set"))?;
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).unwrap_or(false) {
        for capability in bounding {
            caps::drop(None, CapSet::Bounding, capability).map_err(refused("shrink the bounding set"))?;
        }
    }
    if is_root() {
        let user = user.ok_or(DropError::WrongUser { name: "root".into(), uid: 0 })?;
        if user.uid == 0 || user.uid == NOBODY || user.gid == 0 || groups.contains(&0) {
            return Err(DropError::WrongUser { name: user.name.clone(), uid: user.uid });
        }
        // Else the change of the user takes the permitted ones as well.
        set_keep_capabilities(!kept.is_empty()).map_err(refused("keep a capability"))?;
        let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
        set_thread_groups(&groups).map_err(refused("set the groups"))?;
        set_thread_res_gid(user.gid(), user.gid(), user.gid()).map_err(refused("change the group"))?;
        set_thread_res_uid(user.uid(), user.uid(), user.uid()).map_err(refused("change the user"))?;
    }
    // Ambient before the others: a capability leaves it with the permitted and inheritable ones anyway.
    if caps::runtime::ambient_set_supported().is_ok() {
        caps::clear(None, CapSet::Ambient).map_err(refused("clear the ambient set"))?;
    }
    for (set, kept) in [(CapSet::Inheritable, &CapsHashSet::new()), (CapSet::Effective, &kept), (CapSet::Permitted, &kept)] {
        // A unit without capabilities may not even have the call (`SystemCallFilter=~@privileged`).
        if caps::read(None, set).map_err(refused("read a capability set"))? != *kept {
            caps::set(None, set, kept).map_err(refused("clear a capability set"))?;
        }
    }
    set_keep_capabilities(false).map_err(refused("keep nothing more"))?;
    set_no_new_privs(true).map_err(refused("set no_new_privs"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("forbid core dumps"))?;
    check(&kept)?;
    Ok(Unprivileged(limits.enforce()))
}

/// Tries the way back.
fn check(kept: &CapsHashSet) -> Result<(), DropError> {
    if is_root() || rustix::process::getuid().is_root() || set_thread_uid(Uid::ROOT).is_ok() {
        return Err(DropError::Left("a way to be root"));
    }
    let none = CapsHashSet::new();
    for (set, expected) in [(CapSet::Effective, kept), (CapSet::Permitted, kept), (CapSet::Inheritable, &none), (CapSet::Ambient, &none)] {
        if caps::read(None, set).map_err(refused("read a capability set"))? != *expected {
            return Err(DropError::Left("a capability"));
        }
    }
    Ok(())
}

fn refused<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl Fn(E) -> DropError {
    move |error| DropError::Refused { what, error: io::Error::other(error.to_string()) }
}
