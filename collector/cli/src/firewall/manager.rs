//! Programs that keep the rules for their owner, and are told in their own words: ufw and firewalld.

use super::Firewall;
use std::fs;

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
    let is_there =
        firewall.tables.iter().any(|table| table.chains.contains_key("ufw-user-input") || table.chains.contains_key("ufw6-user-input"));
    is_there.then(|| Ufw { level: level(&fs::read_to_string(UFW_CONF).unwrap_or_default()) })
}

fn level(conf: &str) -> String {
    let value = conf.lines().filter_map(|line| line.trim().strip_prefix("LOGLEVEL=")).next_back();
    value.unwrap_or("low").trim_matches(['"', '\'', ' ']).to_owned()
}

/// firewalld's own table, or its chains where it works with iptables.
pub(crate) fn has_firewalld(firewall: &Firewall) -> bool {
    firewall.tables.iter().any(|table| table.name == "firewalld" || table.chains.contains_key("INPUT_ZONES"))
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
        assert_eq!(level("# LOGLEVEL=full\nENABLED=yes\nLOGLEVEL=low\nLOGLEVEL='medium'\n"), "medium");
        assert_eq!(level(""), "low");
    }
}
