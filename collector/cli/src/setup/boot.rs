//! A small unit that runs `firebell setup --yes` after the firewall's own units, at every boot and whenever they load again.
//!
//! After `multi-user.target`, so that whatever loads rules at boot has done so, a script of the user's too: a look at rules that are
//! not there yet would find no firewall.
//!
//! Not the user's own files: `nftables.conf` may be made by another program, and saving the rules that are loaded (as
//! `netfilter-persistent save` does) would also save those of Docker and others, which come and go.

use super::{Change, change};
use anyhow::Context as _;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

const NAME: &str = "firebell-log.service";
const PATH: &str = "/etc/systemd/system/firebell-log.service";
/// What loads rules, and takes others away by that.
const FIREWALLS: &str = "nftables.service iptables.service ip6tables.service netfilter-persistent.service ufw.service firewalld.service";

/// The unit, where it is not there as it should be. `is_new`: rules are added now, so it has to be said when they will not last.
pub(super) fn add(is_new: bool) -> Option<Change> {
    let advice = |why: &str| {
        let text = format!("not for good: {why}; run `firebell setup --yes` after the firewall is loaded");
        is_new.then(|| Change::new(text, || Ok(())))
    };
    if !Path::new("/run/systemd/system").exists() {
        return advice("this system was not booted by systemd");
    }
    let Some(program) = installed() else { return advice("this program is in no system folder such as /usr/bin") };
    let unit = unit(&program);
    if fs::read_to_string(PATH).is_ok_and(|text| text == unit) {
        return None;
    }
    Some(Change::new(format!("{PATH}: the same after every boot\nsystemctl enable --now {NAME}"), move || {
        fs::write(PATH, &unit).context(PATH)?;
        change("systemctl", &["daemon-reload"], b"")?;
        // Started as well, or it would not follow when the firewall's units load again. It finds nothing to do now.
        change("systemctl", &["enable", "--now", NAME], b"")
    }))
}

/// Where this program is, if nobody but root can put another in its place.
fn installed() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt"]
        .iter()
        .any(|folder| program.starts_with(folder))
        .then_some(program)
}

fn unit(program: &Path) -> String {
    let program = program.display();
    format!(
        "# Made by `firebell setup`; `firebell setup --undo` takes it away.\n[Unit]\nDescription=Log rules for firebell\n\
         After=multi-user.target {FIREWALLS} docker.service libvirtd.service\n\
         PartOf={FIREWALLS}\nReloadPropagatedFrom={FIREWALLS}\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={program} setup --yes\nExecReload={program} setup --yes\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    )
}

/// Takes the unit away.
pub(super) fn undo() -> Option<Change> {
    Path::new(PATH).exists().then(|| {
        Change::new(format!("systemctl disable --now {NAME}; rm {PATH}"), || {
            change("systemctl", &["disable", "--now", NAME], b"")?;
            fs::remove_file(PATH).context(PATH)?;
            change("systemctl", &["daemon-reload"], b"")
        })
    })
}
