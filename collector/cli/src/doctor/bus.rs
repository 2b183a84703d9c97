//! The system bus, its policy, and the collector on it.

use super::{Finding, Severity};
use crate::live::at_bus;
use firebell_shared::{client::CollectorProxy, names};
use std::{fs, path::Path};
use zbus::fdo::DBusProxy;

/// The bus policy as it is shipped.
const POLICY: &str = include_str!("../../../../dbus-policy/org.firebell.Collector1.conf");
/// Where the bus looks for it (dbus-daemon(1), `standard_session_servicedirs`): packages, administrators.
const PLACES: [&str; 2] = ["/usr/share/dbus-1/system.d/org.firebell.Collector1.conf", "/etc/dbus-1/system.d/org.firebell.Collector1.conf"];

/// What the bus answered.
struct Answer {
    has_collector: bool,
    has_polkit: bool,
    health: Option<zbus::Result<(String, String)>>,
    lost: Option<u64>,
}

/// Looks at the policy file, and asks the bus.
pub(super) fn check(findings: &mut Vec<Finding>) {
    let files: Vec<(&str, String)> = PLACES.iter().filter_map(|path| Some((*path, fs::read_to_string(path).ok()?))).collect();
    findings.push(policy(&files));
    let asked = at_bus(zbus::connection::Builder::system(), async |connection| {
        let bus = DBusProxy::new(connection).await?;
        let has_collector = bus.name_has_owner(names::COLLECTOR_NAME.try_into()?).await?;
        let has_polkit =
            bus.name_has_owner(POLKIT.try_into()?).await? || bus.list_activatable_names().await?.iter().any(|name| name.as_str() == POLKIT);
        let (mut health, mut lost) = (None, None);
        if has_collector {
            let collector = CollectorProxy::new(connection).await?;
            health = Some(collector.health().await);
            lost = collector.status().await.ok().and_then(|status| u64::try_from(&**status.get("lines_lost")?).ok());
        }
        Ok(Answer { has_collector, has_polkit, health, lost })
    });
    match asked {
        Err(error) => findings.push(Finding::new(
            "bus",
            Severity::Problem,
            format!("the system bus does not answer: {error}"),
            "apt-get install dbus (or your distribution's package), then systemctl start dbus",
        )),
        Ok(answer) => {
            findings.push(Finding::ok("bus", "the system bus answers"));
            collector(&answer, findings);
        }
    }
}

const POLKIT: &str = "org.freedesktop.PolicyKit1";

fn collector(answer: &Answer, findings: &mut Vec<Finding>) {
    if !answer.has_collector {
        let unit = "systemd/system/firebelld.service";
        let has_unit = ["/etc", "/usr/lib", "/lib", "/usr/local/lib"].iter().any(|folder| Path::new(folder).join(unit).exists());
        let by_hand = "firebelld, started as root (from firebell's sources: sudo make run)";
        let remedy = if has_unit { "systemctl enable --now firebelld" } else { by_hand };
        findings.push(Finding::new("collector", Severity::Problem, "no collector is on the system bus", remedy));
    }
    match &answer.health {
        None => {}
        Some(Ok((state, reason))) => findings.push(match state.as_str() {
            "ok" => Finding::ok("collector", "the collector runs and sees what it should"),
            "blind" => Finding::new("collector", Severity::Problem, format!("the collector is blind: {reason}"), "journalctl -u firebelld"),
            state => Finding::new("collector", Severity::Warning, format!("the collector is {state}: {reason}"), "firebell status"),
        }),
        Some(Err(error)) => {
            let what = format!("how well the collector sees: {error}");
            findings.push(Finding::unseen("collector", what, "run as root or a member of adm"));
        }
    }
    if let Some(lost) = answer.lost {
        findings.push(if lost == 0 {
            Finding::ok("losses", "the collector has lost no line")
        } else {
            let remedy = "log_buf_len=1M on the kernel's command line gives the kernel log more room; firebell status tells more";
            Finding::new("losses", Severity::Note, format!("the collector has lost {lost} lines since its start"), remedy)
        });
    }
    findings.push(if answer.has_polkit {
        Finding::ok("polkit", "polkit is there to say who may hear alerts")
    } else {
        Finding::new(
            "polkit",
            Severity::Note,
            "there is no polkit: only root, members of adm and systemd-journal, and whom [bus] viewers names hear alerts",
            "viewers = [\"YOUR NAME\"] below [bus] in /etc/firebell/firebell.toml, or install polkitd",
        )
    });
}

/// What of the policy has to be there: nobody else may speak in the collector's name.
const NEEDED: [&str; 2] =
    ["<deny own=\"org.firebell.Collector1\"/>", "<deny send_type=\"signal\" send_interface=\"org.firebell.Collector1\"/>"];

fn policy(files: &[(&str, String)]) -> Finding {
    let remedy = format!(
        "install -m 644 dbus-policy/org.firebell.Collector1.conf {} (from firebell's sources), then systemctl reload dbus",
        PLACES[0]
    );
    if files.is_empty() {
        return Finding::new(
            "bus-policy",
            Severity::Problem,
            "firebell's bus policy is not installed, so the collector may not take its name",
            remedy,
        );
    }
    for (path, text) in files {
        if !NEEDED.iter().all(|rule| text.contains(rule)) {
            return Finding::new("bus-policy", Severity::Problem, format!("{path} lets anybody speak in the collector's name"), remedy);
        }
    }
    let other: Vec<&str> = files.iter().filter(|(_, text)| text != POLICY).map(|(path, _)| *path).collect();
    if other.is_empty() {
        Finding::ok("bus-policy", "the bus policy is the shipped one")
    } else {
        Finding::new("bus-policy", Severity::Note, format!("{} is not the policy of this version", other.join(" and ")), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_lets_others_speak_is_a_problem() {
        let of = |text: &str| policy(&[("/p", text.to_owned())]).severity;
        assert_eq!(policy(&[]).severity, Severity::Problem);
        assert_eq!(of(POLICY), Severity::Ok);
        assert_eq!(of(&POLICY.replace("<deny own=\"org.firebell.Collector1\"/>", "")), Severity::Problem);
        assert_eq!(of(&format!("{POLICY}\n")), Severity::Note);
    }
}
