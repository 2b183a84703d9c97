//! Who reads `/proc/kmsg`: it gives each line to one reader only (`do_syslog()` in Linux `kernel/printk/printk.c`).
//!
//! `/dev/kmsg`, which firebelld reads, gives every line to each.

use super::{AS_ROOT, Finding, Severity};
use std::{fs, path::Path};

/// Looks at what every process has open.
pub(super) fn check(findings: &mut Vec<Finding>) {
    let mut readers = Vec::new();
    let mut hidden = 0_usize;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else { continue };
        match fs::read_dir(entry.path().join("fd")) {
            Ok(descriptors) => {
                let reads =
                    descriptors.flatten().any(|one| fs::read_link(one.path()).is_ok_and(|target| target == Path::new("/proc/kmsg")));
                if reads {
                    let program = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                    readers.push(format!("{} (process {pid})", program.trim()));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => hidden += 1,
            // It has ended.
            Err(_) => {}
        }
    }
    match readers.as_slice() {
        [_, _, ..] => findings.push(Finding::new(
            "kmsg-readers",
            Severity::Warning,
            format!("{} read /proc/kmsg and take lines from each other; what they write to files is incomplete", readers.join(" and ")),
            "end one of them: systemctl disable --now klogd, or in /etc/rsyslog.conf: #module(load=\"imklog\")",
        )),
        [one] => findings.push(Finding::ok(
            "kmsg-readers",
            format!("{one} alone reads /proc/kmsg; firebelld reads /dev/kmsg, which takes nothing from it"),
        )),
        [] if hidden > 0 => findings.push(Finding::unseen("kmsg-readers", format!("what {hidden} processes of others have open"), AS_ROOT)),
        [] => findings.push(Finding::ok("kmsg-readers", "nobody reads /proc/kmsg")),
    }
}
