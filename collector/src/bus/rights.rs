//! Who may hear alerts without asking polkit.

use crate::{
    accounts::Accounts,
    config::{self, Viewer},
};
use std::collections::HashSet;

/// Those who may.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    uids: HashSet<u32>,
    gids: HashSet<u32>,
    /// The user that the collector runs as.
    own: u32,
}

/// What the bus knows about a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) uid: u32,
    pub(super) gids: Vec<u32>,
}

impl Rights {
    /// The rights that the configuration gives: to root, to the user `own` that the collector runs as, to
    /// viewers, and to groups that may read the kernel log anyway. Second: names that nobody has.
    #[must_use]
    pub fn new(bus: &config::Bus, accounts: &Accounts, own: u32) -> (Self, Vec<String>) {
        let mut rights = Self { uids: HashSet::from([0, own]), gids: HashSet::new(), own };
        let mut unknown = Vec::new();
        for viewer in &bus.viewers {
            let known = match viewer {
                Viewer::Uid(uid) => rights.add_user(Some(*uid)),
                Viewer::Group(name) => rights.add_group(accounts, name),
                Viewer::Name(name) => rights.add_user(accounts.user(name).map(|user| user.uid)) || rights.add_group(accounts, name),
            };
            if !known {
                unknown.push(viewer.to_string());
            }
        }
        for name in &bus.groups {
            // The defaults name groups that not every system has.
            rights.add_group(accounts, name);
        }
        (rights, unknown)
    }

    fn add_user(&mut self, uid: Option<u32>) -> bool {
        self.uids.extend(uid);
        uid.is_some()
    }

    fn add_group(&mut self, accounts: &Accounts, name: &str) -> bool {
        let group = accounts.group(name);
        self.gids.extend(group.map(|group| group.gid));
        group.is_some()
    }

    /// May change something without asking polkit.
    pub(super) fn allow_managing(&self, who: &Who) -> bool {
        who.uid == 0 || who.uid == self.own
    }

    pub(super) fn allow(&self, who: &Who) -> bool {
        self.uids.contains(&who.uid) || who.gids.iter().any(|gid| self.gids.contains(gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(viewers: &[&str]) -> (Rights, Vec<String>) {
        let accounts = Accounts::parse(
            "ana:x:1000:1000::/:/\nbob:x:1001:1001::/:/\nwheel:x:1002:1002::/:/",
            "adm:x:4:ana\nwheel:x:10:bob\nstaff:x:50:bob",
        );
        let viewers = viewers.iter().map(|viewer| Viewer::try_from(*viewer).unwrap()).collect();
        Rights::new(&config::Bus { viewers, ..config::Bus::default() }, &accounts, 990)
    }

    fn who(uid: u32, gids: &[u32]) -> Who {
        Who { uid, gids: gids.to_vec() }
    }

    #[test]
    fn root_the_collector_and_those_who_read_the_log_anyway_may() {
        let (rights, unknown) = rights(&[]);
        assert!(unknown.is_empty());
        assert!(rights.allow(&who(0, &[])) && rights.allow(&who(990, &[])) && rights.allow(&who(1000, &[1000, 4])));
        assert!(!rights.allow(&who(1001, &[1001, 10])));
    }

    #[test]
    fn only_root_and_the_collector_change_something_without_being_asked() {
        let (rights, _) = rights(&["1005"]);
        assert!(rights.allow_managing(&who(0, &[])) && rights.allow_managing(&who(990, &[])));
        assert!(!rights.allow_managing(&who(1005, &[])) && !rights.allow_managing(&who(1000, &[1000, 4])));
    }

    #[test]
    fn viewers_are_users_first_and_groups_when_written_so() {
        let (rights, unknown) = rights(&["wheel", "staff", "1005", "nobody-knows"]);
        assert_eq!(unknown, ["nobody-knows"]);
        assert!(rights.allow(&who(1002, &[])), "the user of that name");
        assert!(!rights.allow(&who(9, &[10])), "not the group of the same name");
        assert!(rights.allow(&who(9, &[50])) && rights.allow(&who(1005, &[])));
        assert!(self::rights(&["@wheel"]).0.allow(&who(9, &[10])));
    }
}
