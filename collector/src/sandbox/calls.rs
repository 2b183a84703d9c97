//! The system calls that are left.
//!
//! A list of what is allowed; the rest fails with EPERM, so that a library which tries something new goes on without it.
//! `clone3` fails with ENOSYS instead: a filter cannot look at its flags, and libraries fall back to `clone`, whose flags it
//! can look at. Gathered with strace over the whole test suite, and widened to what the C libraries may use in their place.

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};
use std::collections::BTreeMap;

/// Reading, writing, memory, threads, time: what every program does.
const EVERYBODY: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpeername,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_renameat2,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_umask,
    libc::SYS_uname,
    libc::SYS_unlinkat,
    libc::SYS_connect,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The same by the older names that an architecture has, for libraries that still use them.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getdents,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(target_arch = "aarch64")]
const OLD: &[c_long] = &[libc::SYS_renameat];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const OLD: &[c_long] = &[];

/// What it takes to start a program, to end it, and what journalctl does beyond the rest.
const STARTING: &[c_long] = &[
    libc::SYS_capget,
    libc::SYS_chdir,
    libc::SYS_execve,
    libc::SYS_fadvise64,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_kill,
    libc::SYS_mincore,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_set_tid_address,
    libc::SYS_signalfd4,
    libc::SYS_wait4,
    libc::SYS_waitid,
];
#[cfg(target_arch = "x86_64")]
const OLD_STARTING: &[c_long] = &[libc::SYS_arch_prctl, libc::SYS_vfork, libc::SYS_getpgrp, libc::SYS_getrlimit];
#[cfg(not(target_arch = "x86_64"))]
const OLD_STARTING: &[c_long] = &[];

/// Namespaces, which `clone` could make: `CLONE_NEW*` in Linux include/uapi/linux/sched.h.
const NAMESPACES: u64 = 0x7e02_0080;
/// `PROT_EXEC` of mmap(2).
const EXECUTABLE: u64 = 4;
/// Of prctl(2): names of threads (`PR_SET_NAME`, `PR_GET_NAME`) and of memory (`PR_SET_VMA`).
const NAMES: [u64; 3] = [15, 16, 0x5356_4d41];
/// Of ioctl(2): `TCGETS`, `TIOCGWINSZ`, `FIONREAD`, `FIONBIO`, `FIOCLEX` (Linux include/uapi/asm-generic/ioctls.h).
const TERMINALS: [u64; 5] = [0x5401, 0x5413, 0x541b, 0x5421, 0x5451];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Leaves no other calls to this thread and what it starts; with `is_starting` it may start programs.
pub(super) fn limit(is_starting: bool) -> Result<String, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|_| format!("no filter for {}", std::env::consts::ARCH))?;
    let rules = rules(is_starting).map_err(|error| text(&error))?;
    let clone3 = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let (allow, eperm, enosys) =
        (SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.cast_unsigned()), SeccompAction::Errno(libc::ENOSYS.cast_unsigned()));
    // The last one forbids to set any more.
    let filters = [SeccompFilter::new(clone3, allow.clone(), enosys, arch), SeccompFilter::new(rules, eperm, allow, arch)];
    let mut programs: Vec<BpfProgram> = Vec::new();
    for filter in filters {
        programs.push(filter.and_then(TryInto::try_into).map_err(|error| text(&error))?);
    }
    for program in &programs {
        apply_filter(program).map_err(|error| text(&error))?;
    }
    Ok("seccomp".into())
}

fn rules(is_starting: bool) -> Result<Rules, seccompiler::BackendError> {
    let when = |number: u8, operator: SeccompCmpOp, value: u64| SeccompCondition::new(number, Dword, operator, value);
    let one = |condition: SeccompCondition| SeccompRule::new(vec![condition]);
    let mut rules: Rules = EVERYBODY.iter().chain(OLD).map(|call| (*call, Vec::new())).collect();
    // The bus and systemd are there; nothing else is.
    let unix = libc::AF_UNIX.unsigned_abs().into();
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        rules.insert(call, vec![one(when(0, SeccompCmpOp::Eq, unix)?)?]);
    }
    // Threads and children, but no namespaces.
    rules.insert(libc::SYS_clone, vec![one(when(0, SeccompCmpOp::MaskedEq(NAMESPACES), 0)?)?]);
    // Is it a terminal, and how wide; not waiting; closing at exec.
    let terminals = TERMINALS.map(|request| one(when(1, SeccompCmpOp::Eq, request)?));
    rules.insert(libc::SYS_ioctl, terminals.into_iter().collect::<Result<_, _>>()?);
    let names = NAMES.map(|option| one(when(0, SeccompCmpOp::Eq, option)?));
    rules.insert(libc::SYS_prctl, names.into_iter().collect::<Result<_, _>>()?);
    // Its own limits.
    rules.insert(libc::SYS_prlimit64, vec![one(when(0, SeccompCmpOp::Eq, 0)?)?]);
    if is_starting {
        rules.extend(STARTING.iter().chain(OLD_STARTING).map(|call| (*call, Vec::new())));
        // Libraries are loaded.
        rules.extend([libc::SYS_mmap, libc::SYS_mprotect].map(|call| (call, Vec::new())));
    } else {
        // What is written is never run.
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            rules.insert(call, vec![one(when(2, SeccompCmpOp::MaskedEq(EXECUTABLE), 0)?)?]);
        }
    }
    Ok(rules)
}
