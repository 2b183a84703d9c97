//! Who vouches for a record.

use crate::packet::Packet;
use serde::{Deserialize, Serialize};

/// Says whether the kernel vouches for a record. Travels with it into the alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// Any user may have written it.
    Unverified,
    /// The kernel wrote it.
    Kernel,
}

impl Origin {
    /// The word for it on the bus and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Kernel => "kernel",
        }
    }
}

/// The longest prefix a rule can have, bytes: `NF_LOG_PREFIXLEN - 1` in Linux `include/uapi/linux/netfilter/nf_log.h`.
pub const MAX_PREFIX: usize = 127;

/// Decides who vouches for a line that was read as `packet` from `text`.
///
/// `vouched`: the intake vouches for the kernel (for kmsg: facility 0). That is not enough. The kernel also prints
/// strings that any user chooses, such as the names of programs and files when they crash:
/// `NAME[pid]: segfault at … in FILE[…]`, `traps: NAME[pid] …`, `cgroup: fork rejected by pids controller in NAME`. So
/// the line must be one record to its last byte, its prefix no longer than a rule's can be, and not one of those messages.
#[must_use]
pub fn judge(vouched: bool, packet: &Packet<'_>, text: &[u8]) -> Origin {
    // INVARIANT: the prefix is the start of the text; `parse` sees to it (tests/parse.rs).
    let is_start = text.as_ptr() == packet.prefix.as_ptr() || text.starts_with(packet.prefix);
    let is_ours = is_start && packet.prefix.len() <= MAX_PREFIX && !quotes_a_user(packet.prefix);
    if vouched && packet.is_whole && is_ours { Origin::Kernel } else { Origin::Unverified }
}

/// Starts of kernel messages that print a string from outside, long enough to hold a record.
///
/// Sources in Linux: `kernel/cgroup/pids.c` (path of a control group, which a user may create; nothing stands behind it),
/// `mm/memcontrol.c` and `mm/oom_kill.c` (the same), `arch/x86/kernel/traps.c`, `fs/exec.c` (file name),
/// `drivers/usb/core/hub.c` (strings of a device that was plugged in; nothing stands behind them), `kernel/audit.c`. Not here,
/// since people name rules so and the kernel always prints more behind the name: `input: NAME as /devices/…`.
const QUOTING: [&[u8]; 9] =
    [b"cgroup:", b"memory:", b"Memory cgroup ", b"Tasks in ", b"oom-kill:", b"traps:", b"process '", b"usb ", b"audit"];

/// Whether a prefix is the beginning of a message that quotes a user: one of [`QUOTING`], or `name[pid]: ` and
/// `name[pid] ` anywhere.
fn quotes_a_user(prefix: &[u8]) -> bool {
    // Most rules write capitals.
    let may_quote = matches!(prefix.first(), Some(b'a'..=b'z' | b'M' | b'T'));
    (may_quote && QUOTING.iter().any(|start| prefix.starts_with(start))) || names_a_process(prefix)
}

/// `[digits]:` anywhere, or `x[digits]` where a space or the end follows.
///
/// A program may be named `a [7]` or ` `, so only the digits and the colon can be relied on.
fn names_a_process(prefix: &[u8]) -> bool {
    if !prefix.contains(&b'[') {
        return false;
    }
    for open in memchr::memchr_iter(b'[', prefix) {
        let inside = prefix.get(open + 1..).unwrap_or_default();
        let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let after = inside.get(digits..).unwrap_or_default();
        let is_glued = open > 0 && prefix.get(open - 1).is_some_and(|byte| *byte != b' ');
        if digits > 0 && (after.starts_with(b"]:") || (is_glued && (after == b"]" || after.starts_with(b"] ")))) {
            return true;
        }
    }
    false
}
