//! Programs that keep the rules for their owner, and are told in their own words: ufw and firewalld.

use super::{Backend, Firewall, Place, Table};
use crate::live::at_bus;
use std::fs;
use zbus::fdo::DBusProxy;

/// ufw, as its files say and its chains show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ufw {
    /// `off`, `low`, `medium`, `high`, `full`.
    pub(crate) level: String,
}

/// `/etc/ufw/ufw.conf`.
pub(crate) const UFW_CONF: &str = "/etc/ufw/ufw.conf";

/// ufw where it keeps the rules of this network namespace.
pub(crate) fn ufw(firewall: &Firewall) -> Option<Ufw> {
    firewall
        .tables
        .iter()
        .any(is_ufws)
        .then(|| Ufw { level: value(&fs::read_to_string(UFW_CONF).unwrap_or_default(), "LOGLEVEL").unwrap_or_else(|| "low".to_owned()) })
}

/// The last value of a key in a file that a shell reads.
fn value(conf: &str, key: &str) -> Option<String> {
    let value = conf.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('=')).next_back();
    value.map(|value| value.trim_matches(['"', '\'', ' ']).to_owned())
}

/// firewalld keeps rules of this network namespace.
pub(crate) fn has_firewalld(firewall: &Firewall) -> bool {
    firewall.tables.iter().any(is_firewallds)
}

/// ufw and firewalld are both on. Each time firewalld loads its rules it takes ufw's away, but not the policies that ufw has set.
pub(crate) fn are_both_on(firewall: &Firewall) -> bool {
    let is_ufw_on = || value(&fs::read_to_string(UFW_CONF).unwrap_or_default(), "ENABLED").is_some_and(|on| on.eq_ignore_ascii_case("yes"));
    has_firewalld(firewall) && (ufw(firewall).is_some() || is_ufw_on())
}

/// The words of `are_both_on` for people, and what to do.
pub(crate) const BOTH_ON: (&str, &str) = (
    "ufw and firewalld are both on: a packet has to pass both, and whenever firewalld loads its rules it takes ufw's away, so that what ufw lets in is refused",
    "one of them: systemctl disable --now firewalld && ufw reload, or: ufw disable",
);

fn is_ufws(table: &Table) -> bool {
    table.backend != Backend::Nft && ["ufw-user-input", "ufw6-user-input"].iter().any(|chain| table.chains.contains_key(*chain))
}

/// Its own table, or its chains where it works with iptables.
fn is_firewallds(table: &Table) -> bool {
    match table.backend {
        Backend::Nft => table.name == "firewalld",
        Backend::IptablesNft | Backend::IptablesLegacy => table.chains.keys().any(|chain| chain.ends_with("_ZONES")),
    }
}

/// Who keeps the table of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The user.
    Nobody,
    Ufw,
    Firewalld,
}

/// Who is told when this place is to be changed.
pub(crate) fn keeper(firewall: &Firewall, place: &Place) -> Keeper {
    match firewall.table_at(place) {
        Some(table) if is_ufws(table) => Keeper::Ufw,
        Some(table) if is_firewallds(table) => Keeper::Firewalld,
        _ => Keeper::Nobody,
    }
}

/// Waits until firewalld has loaded its rules, where it runs: it is on the bus before that, and answers after it.
pub(crate) fn wait_for_firewalld() {
    let asked = at_bus(zbus::connection::Builder::system(), async |connection| {
        if DBusProxy::new(connection).await?.name_has_owner("org.fedoraproject.FirewallD1".try_into()?).await? {
            FirewalldProxy::new(connection).await?.get_log_denied().await?;
        }
        Ok(())
    });
    // Without a bus there is no firewalld; what else keeps it from answering is told when something is asked of it.
    let _ = asked;
}

/// firewalld over the system bus (firewalld.dbus(5)).
#[zbus::proxy(
    interface = "org.fedoraproject.FirewallD1",
    default_service = "org.fedoraproject.FirewallD1",
    default_path = "/org/fedoraproject/FirewallD1"
)]
pub(crate) trait Firewalld {
    /// What refused packets are logged: `all`, `unicast`, `broadcast`, `multicast` or `off`.
    #[zbus(name = "getLogDenied")]
    fn get_log_denied(&self) -> zbus::Result<String>;
    /// Sets it for now and for good; loads the rules again.
    #[zbus(name = "setLogDenied")]
    fn set_log_denied(&self, value: &str) -> zbus::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_level_of_ufw_counts() {
        let conf = "# LOGLEVEL=full\nENABLED=yes\nLOGLEVEL=low\nLOGLEVEL='medium'\n";
        assert_eq!((value(conf, "LOGLEVEL").as_deref(), value(conf, "ENABLED").as_deref()), (Some("medium"), Some("yes")));
        assert_eq!(value("LOGLEVELS=x\n", "LOGLEVEL"), None);
    }

    #[test]
    fn a_rule_belongs_to_whom_its_table_belongs_and_not_to_who_runs_besides() {
        let save = |chain: &str| format!("*filter\n:INPUT DROP [0:0]\n:{chain} - [0:0]\nCOMMIT\n");
        let mut firewall = crate::firewall::xtables::read(save("ufw-user-input").as_bytes(), Backend::IptablesNft, false);
        firewall.tables.extend(crate::firewall::xtables::read(save("INPUT_ZONES").as_bytes(), Backend::IptablesLegacy, false).tables);
        // What firewalld leaves of ufw's.
        firewall.tables.extend(crate::firewall::xtables::read(save("mine").as_bytes(), Backend::IptablesNft, true).tables);
        let keepers: Vec<Keeper> = firewall.tables.iter().map(|table| keeper(&firewall, &table.place("INPUT", None))).collect();
        assert_eq!(keepers, [Keeper::Ufw, Keeper::Firewalld, Keeper::Nobody]);
        assert!(are_both_on(&firewall) && has_firewalld(&firewall));
        firewall.tables.remove(1);
        assert!(!are_both_on(&firewall) && !has_firewalld(&firewall));
    }
}
