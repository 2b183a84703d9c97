//! The person's session: the agent, and who draws its popups.

use super::{Finding, Severity};
use crate::live::at_bus;
use firebell_shared::names;
use std::{env, path::Path};
use zbus::fdo::DBusProxy;

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    /// Name, vendor, version, and version of the specification.
    fn get_server_information(&self) -> zbus::Result<(String, String, String, String)>;
}

const AS_PERSON: &str = "run as the person at the desk, in their session";

/// Asks the session bus.
pub(super) fn check(findings: &mut Vec<Finding>) {
    let has_bus = env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).join("bus").exists());
    if !has_bus {
        findings.push(Finding::unseen("agent", "this is no desktop session", AS_PERSON));
        return;
    }
    let asked = at_bus(zbus::connection::Builder::session(), async |connection| {
        let has_agent = DBusProxy::new(connection).await?.name_has_owner(names::NOTIFIER_NAME.try_into()?).await?;
        let server = NotificationsProxy::new(connection).await?.get_server_information().await;
        Ok((has_agent, server))
    });
    match asked {
        Err(error) => findings.push(Finding::unseen("agent", format!("the session bus: {error}"), AS_PERSON)),
        Ok((has_agent, server)) => {
            findings.push(if has_agent {
                Finding::ok("agent", "the agent runs in this session")
            } else {
                Finding::new("agent", Severity::Problem, "no agent runs in this session, so there are no popups", "firebell-notifier &")
            });
            findings.push(match server {
                Ok((name, _, version, _)) => Finding::ok("notifications", format!("{name} {version} shows notifications")),
                Err(error) => Finding::new(
                    "notifications",
                    Severity::Problem,
                    format!("nobody shows notifications in this session: {error}"),
                    "apt-get install dunst && dunst &; most desktops have a notification server of their own",
                ),
            });
        }
    }
}
