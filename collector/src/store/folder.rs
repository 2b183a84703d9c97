//! The folder of the history: made while we are root, looked at before anything in it is opened.

use crate::accounts::User;
use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// So many files of one kind that were moved aside are kept.
pub const KEPT_ASIDE: u32 = 3;

/// Makes the folder, for `user` alone. To be called as root, before privileges are given up. A folder that is there
/// stays as it is: whether it will do is for [`check`] to say.
///
/// # Errors
/// What the system says; the folder above has to exist.
pub fn make(path: &Path, user: &User) -> io::Result<()> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    // By its descriptor: where somebody else may rename things, the path may be another's by now.
    let folder = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if rustix::fs::fstat(&folder)?.st_uid != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "somebody else has put a folder in its place"));
    }
    rustix::fs::chownat(&folder, "", Some(user.uid()), Some(user.gid()), AtFlags::EMPTY_PATH)?;
    Ok(())
}

/// Refuses a folder in which somebody else could put something in the place of our files, and files that are not ours.
///
/// # Errors
/// Whose it is, and what to do.
pub fn check(folder: &Path, file: &Path) -> io::Result<()> {
    let ours = rustix::process::geteuid().as_raw();
    let refuse = |path: &Path, what: &str| {
        let text = format!("{} {what}; firebelld (user id {ours}) needs a folder of its own", path.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    };
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        return refuse(folder, "is no folder");
    }
    if metadata.uid() != ours {
        return refuse(folder, &format!("belongs to user id {}", metadata.uid()));
    }
    if metadata.mode() & 0o022 != 0 {
        return refuse(folder, "may be written to by others");
    }
    for path in [file.to_owned(), beside(file, "-wal"), beside(file, "-journal")] {
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(metadata) if !metadata.is_file() => return refuse(&path, "is no regular file"),
            Ok(metadata) if metadata.uid() != ours => return refuse(&path, &format!("belongs to user id {}", metadata.uid())),
            // Another name of it could be in a folder that is somebody else's.
            Ok(metadata) if metadata.nlink() != 1 => return refuse(&path, "has a second name (hard link)"),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Moves the database aside, with what SQLite keeps beside it. The newest is `FILE.WHY.1`; the oldest of
/// [`KEPT_ASIDE`] is removed. Gives the new name.
///
/// # Errors
/// What the system says.
pub fn move_aside(file: &Path, why: &str) -> io::Result<PathBuf> {
    let aside = |number: u32| beside(file, &format!(".{why}.{number}"));
    for number in (1..KEPT_ASIDE).rev() {
        rename(&aside(number), &aside(number + 1))?;
    }
    // The write-ahead log first: without it a database is an older one, with another's it is damaged.
    let moved = aside(1);
    rename(file, &moved)?;
    Ok(moved)
}

/// Renames a database and its write-ahead log, where they are.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    for suffix in ["-wal", ""] {
        let (from, to) = (beside(from, suffix), beside(to, suffix));
        let gone = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
        fs::rename(&from, &to).or_else(|error| {
            // A log that is left over from the one before does not belong to this database.
            gone(error).and_then(|()| if suffix.is_empty() { Ok(()) } else { fs::remove_file(&to).or_else(gone) })
        })?;
    }
    Ok(())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_folder_or_file_that_others_can_change_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, file) = (dir.path().join("state"), dir.path().join("state/history.db"));
        let refusal = || check(&folder, &file).unwrap_err().to_string();
        assert_eq!(check(&folder, &file).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(&folder).unwrap();
        check(&folder, &file).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(refusal().contains("may be written to by others"));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        symlink("/etc/passwd", &file).unwrap();
        assert!(refusal().contains("is no regular file"));
        fs::remove_file(&file).unwrap();
        fs::write(dir.path().join("other"), "").unwrap();
        fs::hard_link(dir.path().join("other"), &file).unwrap();
        assert!(refusal().contains("second name"));
        fs::remove_file(&file).unwrap();
        let link = dir.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(check(&link, &link.join("history.db")).unwrap_err().to_string().contains("is no folder"));
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused_and_what_root_makes_belongs_to_the_user() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (folder, user) = (dir.path().join("state"), User { name: "sys".into(), uid: 3, gid: 3 });
        make(&folder, &user).unwrap();
        let metadata = fs::metadata(&folder).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (3, 3, 0o700));
        assert!(check(&folder, &folder.join("history.db")).unwrap_err().to_string().contains("belongs to user id 3"));
        let nobody = User { name: "x".into(), uid: 9, gid: 9 };
        make(&folder, &nobody).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().uid(), 3, "what is there keeps its owner");
    }

    #[test]
    fn only_the_last_three_that_were_moved_aside_are_kept_each_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.db");
        for number in 1..=5 {
            fs::write(&file, number.to_string()).unwrap();
            if number != 4 {
                fs::write(beside(&file, "-wal"), number.to_string()).unwrap();
            }
            assert_eq!(move_aside(&file, "damaged").unwrap(), dir.path().join("history.db.damaged.1"));
        }
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let expected = [
            "history.db.damaged.1",
            "history.db.damaged.1-wal",
            "history.db.damaged.2",
            "history.db.damaged.3",
            "history.db.damaged.3-wal",
        ];
        assert_eq!(names, expected);
        for (name, text) in [("1", "5"), ("1-wal", "5"), ("2", "4"), ("3", "3"), ("3-wal", "3")] {
            assert_eq!(fs::read_to_string(dir.path().join(format!("history.db.damaged.{name}"))).unwrap(), text);
        }
    }
}
