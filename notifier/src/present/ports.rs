//! Which ports, and what people call them.

use super::sentences::list;
use crate::words::Words;
use firebell_shared::{
    alert::Alert,
    services::{self, SERVICES},
};

/// So many ports are named at most.
const NAMED_PORTS: usize = 4;
/// A list of ports up to this length, in bytes, is shown as it is.
const SHORT_PORTS: usize = 36;

/// `, among them 22 (SSH), 80 (HTTP)`, or the list itself where it is short.
pub(super) fn which_ports(words: &Words, ports: &str) -> String {
    let Some(ranges) = ranges(ports) else { return String::new() };
    let known: Vec<u16> =
        SERVICES.iter().map(|&(port, _)| port).filter(|port| ranges.iter().any(|(low, high)| (low..=high).contains(&port))).collect();
    if let [(low, high)] = ranges.as_slice()
        && low == high
    {
        return words.say("which-one", &[("port", (&named(words, *low)).into())]);
    }
    if known.is_empty() {
        if ports.len() > SHORT_PORTS {
            return String::new();
        }
        return words.say("which-all", &[("ports", (&list(words, ports.split(',').map(str::to_owned))).into())]);
    }
    // The telling ones, in the order of a list of ports.
    let mut telling: Vec<u16> = known.into_iter().take(NAMED_PORTS).collect();
    telling.sort_unstable();
    words.say("which-known", &[("ports", (&list(words, telling.into_iter().map(|port| named(words, port)))).into())])
}

/// Ports that were tried. With one target that is the number of contacts, which stays exact where the
/// list of ports had to be cut.
pub(super) fn port_count(alert: &Alert) -> u64 {
    let contacts = u64::from(alert.details.contacts);
    match (alert.details.targets.len(), ranges(&alert.details.ports)) {
        (2.., Some(ranges)) => ranges.iter().map(|&(low, high)| u64::from(high - low) + 1).sum::<u64>().min(65_536),
        _ => contacts,
    }
}

/// The one port of the list, where it is one.
pub(super) fn single_port(ports: &str) -> Option<u16> {
    match ranges(ports)?.as_slice() {
        [(low, high)] if low == high => Some(*low),
        _ => None,
    }
}

/// `22 (SSH)`, or only the number.
pub(super) fn named(words: &Words, port: u16) -> String {
    let number = port.to_string();
    match services::name(port) {
        Some(name) => words.say("port-known", &[("port", (&number).into()), ("name", (&words.service(name)).into())]),
        None => words.say("port-unknown", &[("port", (&number).into())]),
    }
}

/// Reads `22-25,80`. `None` for an empty, cut or otherwise unreadable list.
fn ranges(ports: &str) -> Option<Vec<(u16, u16)>> {
    ports
        .split(',')
        .map(|range| {
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (low <= high).then_some((low, high))
        })
        .collect()
}
