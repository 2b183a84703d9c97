//! Everything that is known of one incident, in the browser: what `firebell show --html` prints, as a file that only the user
//! can read.
//!
//! Both programs are started by path and arguments, never by a shell. The browser is nobody we wait for: it gets none of our
//! files, a process group of its own, and stays when we end.

use firebell_shared::text;
use std::{
    env, fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

/// Pages that are kept, the newest. Each has some ten kilobytes and lies in memory, as a rule.
const MAX_PAGES: usize = 16;
/// No page is longer than this, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The longest wait for `firebell`, which waits ten seconds for the collector.
const MAX_WAIT: Duration = Duration::from_secs(12);
/// What opens a file in the program that the user has chosen for it: the programs of xdg-utils and of GLib.
const OPENERS: [&[&str]; 2] = [&["xdg-open"], &["gio", "open"]];
/// One that has not failed after this time has not failed. With some desktops it becomes the browser and stays.
const OPENS_WITHIN: Duration = Duration::from_secs(5);

/// Opens the page of an incident. `token` lets the browser come to the front.
///
/// # Errors
/// In words, why there is no page or nothing to open it with.
pub(crate) async fn open(incident: u64, token: Option<String>) -> Result<(), String> {
    let page = make(incident).await?;
    let path = keep(incident, &page).map_err(|error| format!("cannot write the page: {error}"))?;
    let mut why = String::new();
    for opener in OPENERS {
        match start(opener, &path, token.as_deref()).await {
            Ok(()) => return Ok(()),
            Err(error) => why = error,
        }
    }
    Err(why)
}

async fn make(incident: u64) -> Result<Vec<u8>, String> {
    let mut firebell = Command::new(beside_us().unwrap_or_else(|| "firebell".into()));
    firebell.args(["show", "--html", &incident.to_string()]);
    firebell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = firebell.spawn().map_err(|error| format!("cannot start firebell: {error}"))?;
    let out = child.stdout.take();
    let run = async {
        let mut page = Vec::new();
        if let Some(out) = out {
            out.take(MAX_BYTES).read_to_end(&mut page).await?;
        }
        io::Result::Ok((child.wait().await?, page))
    };
    match timeout(MAX_WAIT, run).await {
        Ok(Ok((status, page))) if status.success() => Ok(page),
        Ok(Ok((status, _))) => Err(format!("firebell show --html {incident}: {status}")),
        Ok(Err(error)) => Err(format!("firebell show --html {incident}: {error}")),
        Err(_) => Err(format!("firebell show --html {incident} does not end")),
    }
}

/// The `firebell` that was installed, or built, with us.
fn beside_us() -> Option<PathBuf> {
    Some(env::current_exe().ok()?.with_file_name("firebell")).filter(|path| path.is_file())
}

/// Writes a page into the session's own folder, which is gone after it, and removes old ones.
fn keep(incident: u64, page: &[u8]) -> io::Result<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let runtime = runtime.ok_or_else(|| io::Error::other("XDG_RUNTIME_DIR is not set"))?;
    keep_in(&runtime.join("firebell"), incident, page)
}

fn keep_in(folder: &Path, incident: u64, page: &[u8]) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut old: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder)?
        .flatten()
        .filter(|entry| is_page(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    old.sort();
    let too_many = (old.len() + 1).saturating_sub(MAX_PAGES);
    for (_, path) in old.into_iter().take(too_many) {
        fs::remove_file(path)?;
    }
    let path = folder.join(format!("incident-{incident}.html"));
    // Somebody may be reading the one that is there: it is replaced, not changed.
    let new = folder.join("incident-new.html");
    let _ = fs::remove_file(&new);
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?.write_all(page)?;
    fs::rename(&new, &path)?;
    Ok(path)
}

fn is_page(name: &str) -> bool {
    name.starts_with("incident-") && name.ends_with(".html")
}

async fn start(opener: &[&str], path: &Path, token: Option<&str>) -> Result<(), String> {
    let Some((program, arguments)) = opener.split_first() else { return Err(String::new()) };
    let mut command = Command::new(program);
    command.args(arguments).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // A token that was meant for somebody else is worse than none. Source: the two specifications of startup notification
    // (X11) and xdg-activation (Wayland) take it from here.
    for variable in ["XDG_ACTIVATION_TOKEN", "DESKTOP_STARTUP_ID"] {
        match token {
            Some(token) => command.env(variable, token),
            None => command.env_remove(variable),
        };
    }
    let failed = |why: String| text::safe(format!("{program} {}: {why}", path.display()).as_bytes(), 200);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    match timeout(OPENS_WITHIN, child.wait()).await {
        Ok(Ok(status)) if !status.success() => Err(failed(status.to_string())),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Ok(Ok(_)) => Ok(()),
        Err(_) => {
            // It has become the browser. Somebody has to be told of its end, or it stays as a zombie.
            tokio::spawn(async move { child.wait().await });
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_the_newest_pages_are_kept_and_only_the_user_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("firebell");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("other"), "not ours").unwrap();
        for n in 1..=40 {
            let path = keep_in(&folder, n, format!("page {n}").as_bytes()).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let when = SystemTime::UNIX_EPOCH + Duration::from_secs(n);
            fs::File::options().write(true).open(&path).unwrap().set_modified(when).unwrap();
        }
        let path = keep_in(&folder, 40, b"again").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "again");
        let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert!(
            left.len() <= MAX_PAGES + 1 && left.contains(&"incident-39.html".to_owned()) && left.contains(&"other".to_owned()),
            "{left:?}"
        );
    }

    #[test]
    fn a_link_that_waits_there_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "precious").unwrap();
        for name in ["incident-7.html", "incident-new.html"] {
            std::os::unix::fs::symlink(&elsewhere, dir.path().join(name)).unwrap();
        }
        keep_in(dir.path(), 7, b"page").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
        assert_eq!(fs::read_to_string(dir.path().join("incident-7.html")).unwrap(), "page");
    }
}
