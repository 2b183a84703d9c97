//! Names of users and groups, from `/etc/passwd` and `/etc/group`.
//!
//! Read directly: the C library's lookup needs `unsafe` here, and loads plug-ins into a process that
//! is about to read hostile bytes. The price: accounts of a directory service (LDAP, systemd-homed) are
//! found by number only.

use rustix::thread::{Gid, Uid};
use std::{fs, io, path::Path};

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
}

/// A group of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Names of the members; those who have it as their primary group are not listed.
    pub members: Vec<String>,
}

/// Everyone that the two files name.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
}

impl Accounts {
    /// Reads `/etc/passwd` and `/etc/group`.
    ///
    /// # Errors
    /// What the system says, with the path in it. Lines that do not have the form of passwd(5) or
    /// group(5) are left out.
    pub fn read() -> io::Result<Self> {
        let read = |path: &str| {
            fs::read(Path::new(path))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
        };
        Ok(Self::parse(&read("/etc/passwd")?, &read("/etc/group")?))
    }

    /// Reads the text of both files.
    #[must_use]
    pub fn parse(passwd: &str, group: &str) -> Self {
        Self { users: passwd.lines().filter_map(user).collect(), groups: group.lines().filter_map(group_line).collect() }
    }

    /// The user called `name`.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The group called `name`.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Every group that the files give to the user `uid`, its primary one included.
    #[must_use]
    pub fn groups_of(&self, uid: u32) -> Vec<u32> {
        let mut gids = Vec::new();
        for user in self.users.iter().filter(|user| user.uid == uid) {
            gids.push(user.gid);
            gids.extend(self.groups.iter().filter(|group| group.members.contains(&user.name)).map(|group| group.gid));
        }
        gids
    }
}

impl User {
    /// The user id, for system calls.
    #[must_use]
    pub fn uid(&self) -> Uid {
        Uid::from_raw(self.uid)
    }

    /// The primary group, for system calls.
    #[must_use]
    pub fn gid(&self) -> Gid {
        Gid::from_raw(self.gid)
    }
}

fn user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let (name, uid, gid) = (fields.next()?, fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    is_name(name).then(|| User { name: name.to_owned(), uid, gid })
}

fn group_line(line: &str) -> Option<Group> {
    let mut fields = line.split(':');
    let (name, gid, members) = (fields.next()?, fields.nth(1)?.parse().ok()?, fields.next()?);
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    is_name(name).then(|| Group { name: name.to_owned(), gid, members })
}

/// Leaves out comments and the `+`/`-` lines of the old NIS form.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['#', '+', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_and_odd_lines_left_out() {
        let accounts = Accounts::parse(
            "root:x:0:0:root:/root:/bin/sh\n# a comment\n+::::::\nana:x:1000:1000:Ana,,,:/home/ana:/bin/bash\nbroken:x:ten:1::\nshort:x\n",
            "root:x:0:\nadm:x:4:syslog,ana\nana:x:1000:\n\n-nis:x:9:\n",
        );
        assert_eq!(accounts.user("ana"), Some(&User { name: "ana".into(), uid: 1000, gid: 1000 }));
        assert_eq!(accounts.group("adm").map(|group| group.gid), Some(4));
        assert_eq!(accounts.groups_of(1000), [1000, 4]);
        assert_eq!(accounts.user("broken"), None);
        assert_eq!(accounts.user("+"), None);
        assert_eq!(accounts.group("-nis"), None);
    }
}
