//! Opens a file while we are root, and follows a link only where whoever made it could have read the file.
//!
//! Who may write to a folder of logs could put a link to `/etc/shadow` in the place of a log. Nothing of it would be told, but
//! its descriptor would stay open in a process that gave up root for good. So the way is walked folder by folder, each held open while
//! the next is looked at: what was looked at is what is gone through, whatever happens to the names meanwhile.

use rustix::{
    fs::{FileType, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Component, Path, PathBuf},
};

/// As many as the kernel follows (`MAXSYMLINKS`, path_resolution(7)).
const MAX_LINKS: usize = 40;

const MAX_TRIES: usize = 10;

/// Opens a regular file for reading, not blocking. Nothing else is opened, not even for a moment: a device may do something then.
///
/// # Errors
/// What the system says; for a link in a folder that everybody may write to, and one that neither root nor the owner of the file has made; and
/// for anything that is not a regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // A log is rotated while it is opened, and rarely twice.
    for _ in 0..MAX_TRIES {
        if let Some(file) = walk(path)? {
            return Ok(file);
        }
    }
    refused("it was replaced again and again while it was opened")
}

/// As [`open`]; nothing when another file has taken the place of the one that was looked at.
fn walk(path: &Path) -> io::Result<Option<File>> {
    let mut folder = root()?;
    let mut rest: Vec<OsString> = names(path);
    let (mut makers, mut is_last_seen) = (Vec::new(), None);
    while let Some(name) = rest.pop() {
        let here = rustix::fs::openat(&folder, &name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rustix::fs::fstat(&here)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                if rustix::fs::fstat(&folder)?.st_mode & 0o002 != 0 {
                    return refused(
                        "it is reached by a link in a folder that everybody may write to; name the file itself in [intake] files",
                    );
                }
                makers.push(stat.st_uid);
                if makers.len() > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = PathBuf::from(OsString::from_vec(rustix::fs::readlinkat(&here, "", Vec::new())?.into_bytes()));
                if target.is_absolute() {
                    folder = root()?;
                }
                rest.extend(names(&target));
            }
            FileType::Directory => folder = here,
            FileType::RegularFile if rest.is_empty() => is_last_seen = Some((name, stat)),
            _ if rest.is_empty() => return refused("not a regular file"),
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
    let Some((name, seen)) = is_last_seen else { return refused("not a regular file") };
    if makers.iter().any(|maker| *maker != 0 && *maker != seen.st_uid) {
        return refused(
            "it is reached by a link that neither root nor the owner of the file has made; name the file itself in [intake] files",
        );
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&folder, &name, flags, Mode::empty())?;
    let is_same = |now: Stat| (now.st_dev, now.st_ino) == (seen.st_dev, seen.st_ino);
    Ok(is_same(rustix::fs::fstat(&file)?).then(|| file.into()))
}

fn root() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The steps of a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let steps = path.components().filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir));
    steps.map(|step| step.as_os_str().to_owned()).rev().collect()
}

/// No lack of rights: root has them all, and more of them would not help.
fn refused<T>(why: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, lchown, symlink},
    };

    const ANA: u32 = 12_345;
    const BEN: u32 = 12_346;

    fn why(path: &Path) -> String {
        open(path).map_or_else(|error| error.to_string(), |_| "opened".into())
    }

    /// A folder of logs below one that nobody else may write to. Only root can make what others have made.
    fn folder() -> Option<tempfile::TempDir> {
        crate::privilege::is_root().then(|| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("log"), "a line\n").unwrap();
            fs::create_dir(dir.path().join("logs")).unwrap();
            dir
        })
    }

    #[test]
    fn links_of_root_and_of_the_owner_are_followed() {
        let Some(dir) = folder() else { return };
        let at = |name: &str| dir.path().join(name);
        symlink("../log", at("logs/one")).unwrap();
        symlink(at("logs"), at("elsewhere")).unwrap();
        assert_eq!(why(&at("log")), "opened");
        assert_eq!(why(&at("elsewhere/one")), "opened");
        assert_eq!(why(&at("elsewhere/../log")), "opened");
        lchown(at("logs/one"), Some(ANA), None).unwrap();
        lchown(at("log"), Some(ANA), None).unwrap();
        assert_eq!(why(&at("elsewhere/one")), "opened");
    }

    #[test]
    fn a_link_that_somebody_else_has_made_is_refused_wherever_it_stands() {
        let Some(dir) = folder() else { return };
        let at = |name: &str| dir.path().join(name);
        symlink("../log", at("logs/one")).unwrap();
        symlink(at("logs"), at("elsewhere")).unwrap();
        for link in ["logs/one", "elsewhere"] {
            lchown(at("log"), Some(BEN), None).unwrap();
            lchown(at(link), Some(ANA), None).unwrap();
            assert!(why(&at("elsewhere/one")).contains("neither root nor the owner"), "{link}");
            lchown(at(link), Some(0), None).unwrap();
        }
        lchown(at("elsewhere"), Some(ANA), None).unwrap();
        assert!(why(Path::new("/proc/self/root").join(at("elsewhere/one").strip_prefix("/").unwrap()).as_path()).contains("neither root"));
    }

    #[test]
    fn a_link_in_a_folder_that_everybody_may_write_to_is_refused_and_a_file_there_is_not() {
        let Some(dir) = folder() else { return };
        let at = |name: &str| dir.path().join(name);
        symlink("../log", at("logs/one")).unwrap();
        fs::write(at("logs/two"), "").unwrap();
        fs::set_permissions(at("logs"), fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(why(&at("logs/one")).contains("everybody may write to"));
        assert_eq!(why(&at("logs/two")), "opened");
    }

    #[test]
    fn what_is_no_file_is_refused_and_a_loop_ends() {
        let Some(dir) = folder() else { return };
        let at = |name: &str| dir.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("null"), FileType::CharacterDevice, Mode::RUSR, rustix::fs::makedev(1, 3)).unwrap();
        for name in ["fifo", "null", "logs"] {
            assert_eq!(why(&at(name)), "not a regular file", "{name}");
        }
        symlink("round", at("round")).unwrap();
        assert_eq!(open(&at("round")).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        assert_eq!(open(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(open(&at("log/x")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }
}
