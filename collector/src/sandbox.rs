//! What is left to the process after it gave up its privileges: the files that it needs (landlock) and the system calls that
//! it makes (seccomp).
//!
//! Both belong to the thread that asks for them and to all that it starts, so [`Limits::enforce`] comes before any other
//! thread; [`crate::privilege::drop()`] calls it. What is forbidden fails with an error (EACCES, EPERM) and ends nothing. A kernel
//! without one of the two is told about once and in `Status()` ([`Report`]), and no reason not to start: whoever lacks them has
//! the unit's own limits, or those of an ordinary user.
//!
//! Sources: Linux Documentation/userspace-api/landlock.rst and seccomp_filter.rst. `landlock` (its maintainer wrote the kernel's part)
//! and `seccompiler` (of the rust-vmm project, from Firecracker) make the three calls that need `unsafe`.

// For the architectures that seccompiler makes filters for.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod calls;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
#[path = "sandbox/no_calls.rs"]
mod calls;
mod loader;

use crate::{
    config::{self, Config, Source},
    intake::{AllNetns, USUAL_FILES},
    privilege::Keep,
};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Rights on files up to this version are forbidden unless granted. Later ones would forbid to connect to the bus.
const FILES: ABI = ABI::V5;
/// Where programs and their libraries are; nothing in there is secret.
const PROGRAMS: [&str; 6] = ["/usr", "/lib", "/lib64", "/lib32", "/nix/store", "/gnu/store"];

/// What the process needs after it gave up its privileges.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Files and folders to read.
    read: Vec<PathBuf>,
    /// Folders to keep files in.
    write: Vec<PathBuf>,
    /// The program that it may start.
    program: Option<PathBuf>,
    /// Neither of the two is asked for.
    is_off: bool,
}

/// What of it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Files: `landlock 7`, or why not.
    pub files: String,
    /// System calls: `seccomp`, or why not.
    pub calls: String,
    /// Both are in force, or nobody wanted them.
    pub is_whole: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files: {}; system calls: {}", self.files, self.calls)
    }
}

impl Limits {
    /// None: for programs in the place of `journalctl` that start others.
    #[must_use]
    pub fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    /// For a collector with this configuration, which came from `file` where somebody named one, and which keeps files in the folders
    /// `written`.
    /// `reads_journal`, `reads_files`: it has such an intake. With every file open to it ([`Keep::Reading`]) it gets of `/etc` only what it needs.
    #[must_use]
    pub fn of(config: &Config, file: Option<&Path>, written: &[&Path], keep: Keep, reads_journal: bool) -> Self {
        let mut limits = Self::default();
        match keep {
            // What everybody may read in there: users and groups, whose files are replaced when one is added.
            Keep::Nothing => limits.reads(Path::new("/etc")),
            Keep::Reading => ["/etc/firebell", "/etc/passwd", "/etc/group", "/etc/machine-id", "/etc/ld.so.cache", "/etc/localtime"]
                .iter()
                .for_each(|path| limits.reads(Path::new(path))),
        }
        for path in ["/usr/lib/firebell", "/usr/share/zoneinfo", "/dev/urandom", "/proc/sys/net/netfilter", "/proc/sys/kernel/random"] {
            limits.reads(Path::new(path));
        }
        limits.reads_beside(Path::new(AllNetns::SHOWN));
        file.into_iter().for_each(|file| limits.reads_beside(file));
        let lists = config.lists.reputation_files.iter().chain(config.lists.scanner_files.iter().flatten());
        lists.for_each(|list| limits.reads_beside(list.path()));
        config.signatures.folders.iter().for_each(|folder| limits.reads(folder.path()));
        if config.intake.source.has(Source::File) || config.intake.source.has(Source::Auto) {
            let named = config.intake.files.iter().map(config::FilePath::path);
            let usual = USUAL_FILES.iter().map(Path::new).filter(|_| config.intake.files.is_empty());
            named.chain(usual).for_each(|file| limits.reads_log(file));
        }
        if reads_journal {
            ["/var/log/journal", "/run/log/journal"].iter().for_each(|path| limits.reads(Path::new(path)));
            PROGRAMS.iter().for_each(|path| limits.reads(Path::new(path)));
            limits.program = Some(config.intake.journalctl.path().to_owned());
        }
        limits.write.extend(written.iter().map(|folder| (*folder).to_owned()));
        // Beside it the new one is made, which takes its place.
        limits.write.extend(config.exports.prometheus.iter().filter_map(|file| file.path().parent()).map(Path::to_owned));
        limits
    }

    /// Reads what is there.
    fn reads(&mut self, path: &Path) {
        self.read.push(path.to_owned());
    }

    /// Reads a file that may be replaced, so the right is to its folder; where that is not there, to the one above.
    fn reads_beside(&mut self, file: &Path) {
        let folder = file.ancestors().skip(1).find(|folder| folder.is_dir());
        // Everything would be no limit.
        if let Some(folder) = folder.filter(|folder| folder.parent().is_some()) {
            self.reads(folder);
        }
    }

    /// Reads a log, what it is a link to, and whatever a pattern fits.
    fn reads_log(&mut self, file: &Path) {
        let is_plain = |part: &std::path::Component<'_>| !crate::intake::pattern::is_pattern(part.as_os_str());
        let fixed: PathBuf = file.components().take_while(is_plain).collect();
        // Its folders come and go, as those of remote machines do.
        let folder = Path::new("/var/log");
        if fixed.starts_with(folder) {
            self.reads(folder);
        } else if fixed == file {
            self.reads_beside(file);
        } else {
            self.reads_beside(&fixed.join("pattern"));
        }
        if let Ok(target) = file.canonicalize() {
            self.reads_beside(&target);
        }
    }

    /// Leaves nothing else to this thread and what it starts. `no_new_privs` must be set already.
    pub(crate) fn enforce(&self) -> Report {
        if self.is_off {
            return Report { files: "off (--no-sandbox)".into(), calls: "off (--no-sandbox)".into(), is_whole: true };
        }
        let (files, calls) = (self.limit_files(), calls::limit(self.program.is_some()));
        let is_whole = files.is_ok() && calls.is_ok();
        let text = |answer: Result<String, String>| answer.unwrap_or_else(|why| format!("not limited: {why}"));
        Report { files: text(files), calls: text(calls), is_whole }
    }

    /// What of it this kernel can do.
    fn limit_files(&self) -> Result<String, String> {
        let refused = |error: &dyn fmt::Display| error.to_string();
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
        let mut granted: Vec<(&Path, BitFlags<AccessFs>)> = Vec::new();
        granted.extend(self.read.iter().map(|path| (path.as_path(), read)));
        granted.extend(self.write.iter().map(|path| (path.as_path(), write)));
        granted.push((Path::new("/dev/null"), AccessFs::ReadFile | AccessFs::WriteFile));
        let loader = self.program.as_deref().and_then(|program| loader::of(program).ok().flatten());
        let started = self.program.as_deref().into_iter().chain(loader.as_deref());
        granted.extend(started.map(|path| (path, AccessFs::Execute | AccessFs::ReadFile)));

        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(FILES))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V4)))
            .and_then(|ruleset| ruleset.scope(Scope::Signal))
            .and_then(Ruleset::create);
        let mut ruleset = ruleset.map_err(|error| refused(&error))?;
        for (path, access) in granted {
            // What is not there needs no right.
            let Ok(opened) = PathFd::new(path) else { continue };
            let access = if path.is_dir() { access } else { access & AccessFs::from_file(FILES) };
            ruleset = ruleset.add_rule(PathBeneath::new(opened, access)).map_err(|error| refused(&error))?;
        }
        let status = ruleset.restrict_self().map_err(|error| refused(&error))?;
        match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
                Err("this kernel has landlock, but it is not enabled (lsm=)".into())
            }
            (RulesetStatus::NotEnforced, _) => Err("there is no landlock (Linux 5.13), or it is forbidden here".into()),
            (_, LandlockStatus::Available { effective_abi, kernel_abi }) => {
                Ok(format!("landlock {}", kernel_abi.unwrap_or(effective_abi as i32)))
            }
            (..) => Ok("landlock".into()),
        }
    }
}
