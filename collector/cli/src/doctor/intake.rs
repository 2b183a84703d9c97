//! What the collector is to read, and whether it may.

use super::{AS_ROOT, Finding, Severity};
use crate::programs;
use firebell_collector::{
    accounts::Accounts,
    config::{Intake, Source},
    intake::{
        USUAL_FILES, kmsg,
        pattern::{self, is_pattern},
    },
    privilege,
};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Looks at each input of the configuration.
pub(super) fn check(intake: &Intake, findings: &mut Vec<Finding>) {
    match Accounts::read() {
        Ok(accounts) if accounts.user(privilege::USER).is_none() => findings.push(Finding::new(
            "user",
            Severity::Problem,
            format!("there is no user {}, which the collector runs as", privilege::USER),
            format!("useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin {}", privilege::USER),
        )),
        Ok(_) => findings.push(Finding::ok("user", format!("the user {} is there", privilege::USER))),
        Err(error) => findings.push(Finding::unseen("user", error, AS_ROOT)),
    }
    for source in intake.source.iter() {
        match source {
            Source::Auto | Source::Kmsg => kernel_log(source, findings),
            Source::Journal => match programs::find("journalctl") {
                _ if intake.journalctl.path().is_file() => findings.push(Finding::ok("intake", "journalctl is there to read the journal")),
                Some(path) => findings.push(Finding::new(
                    "intake",
                    Severity::Problem,
                    format!("{} is not there", intake.journalctl.path().display()),
                    format!("journalctl = \"{}\" below [intake] in /etc/firebell/firebell.toml", path.display()),
                )),
                None => findings.push(Finding::new(
                    "intake",
                    Severity::Problem,
                    "the journal is to be read, and there is no journalctl",
                    "source = \"kmsg\" below [intake] in /etc/firebell/firebell.toml",
                )),
            },
            Source::File => files(intake, findings),
        }
    }
}

fn kernel_log(source: Source, findings: &mut Vec<Finding>) {
    match kmsg::open(false) {
        Ok(_) => findings.push(Finding::ok("intake", format!("{} can be opened", kmsg::PATH))),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !privilege::is_root() => {
            findings.push(Finding::unseen("intake", format!("{} may not be opened by this user", kmsg::PATH), AS_ROOT));
        }
        Err(error) => {
            let severity = if source == Source::Kmsg { Severity::Problem } else { Severity::Warning };
            let remedy = "a container has no kernel log of its own: source = \"file\" below [intake] in /etc/firebell/firebell.toml, or run firebelld on the host";
            findings.push(Finding::new("intake", severity, format!("{}: {error}", kmsg::PATH), remedy));
        }
    }
}

fn files(intake: &Intake, findings: &mut Vec<Finding>) {
    let configured: Vec<PathBuf> = intake.files.iter().map(|file| file.path().to_owned()).collect();
    let usual: Vec<PathBuf> = USUAL_FILES.iter().map(PathBuf::from).filter(|path| path.exists()).take(1).collect();
    let files = if configured.is_empty() { usual } else { configured };
    if files.is_empty() {
        let text = format!("a log file is to be read, and there is none of {}", USUAL_FILES.join(", "));
        findings.push(Finding::new(
            "intake",
            Severity::Problem,
            text,
            "files = [\"/your/log\"] below [intake] in /etc/firebell/firebell.toml",
        ));
    }
    for file in &files {
        if !is_pattern(file.as_os_str()) {
            findings.push(one_file(file, intake.read_root_only));
            continue;
        }
        let found = pattern::files(file);
        if found.is_empty() {
            let text = format!("no file fits {} yet", file.display());
            findings.push(Finding::new(
                "intake",
                Severity::Warning,
                text,
                "see that whoever writes the logs is there, and that the pattern is right",
            ));
        }
        findings.extend(found.iter().map(|file| one_file(file, intake.read_root_only)));
    }
}

/// After a rotation the collector opens the new file as the user that it has become, with the group of the old one; `reads_all`: with
/// `[intake] read-root-only`.
fn one_file(path: &Path, reads_all: bool) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::new(
            "intake",
            Severity::Warning,
            format!("{shown} is not there yet"),
            "see that rsyslog writes it: kern.* in /etc/rsyslog.conf",
        ),
        Err(error) => Finding::unseen("intake", format!("{shown}: {error}"), AS_ROOT),
        Ok(_) if reads_all => Finding::ok("intake", format!("{shown} is read with CAP_DAC_READ_SEARCH, if firebelld was started with it")),
        Ok(metadata) if metadata.mode() & 0o004 != 0 || (metadata.mode() & 0o040 != 0 && metadata.gid() != 0) => {
            Finding::ok("intake", format!("{shown} can be read, also after a rotation"))
        }
        Ok(_) => Finding::new(
            "intake",
            Severity::Warning,
            format!("{shown} may be read by root alone, so after a rotation the collector cannot read it any more"),
            format!(
                "chgrp adm {shown} && chmod g+r {shown}, and `create 0640 root adm` for it in /etc/logrotate.d; or source = \"kmsg\"; or read-root-only = true (firebell.toml(5))"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_log_that_only_root_may_read_is_told_with_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        let finding = one_file(file.path(), false);
        assert!(finding.severity == Severity::Warning && finding.remedy.contains("chgrp adm"), "{finding:?}");
        assert_eq!(one_file(file.path(), true).severity, Severity::Ok);
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(one_file(file.path(), false).severity, Severity::Ok);
        assert!(one_file(Path::new("/no/such/file"), false).what.contains("not there"));
    }
}
