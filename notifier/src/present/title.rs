//! The title of a popup: what it is and who does it.

use super::{
    ports::{named, single_port},
    source::source,
};
use crate::words::Words;
use firebell_shared::alert::{Alert, MAX_ENTRIES};

/// The title of an incident: what it is and who does it. `name`: what the source is called, if it is called anything.
pub(super) fn title(words: &Words, alert: &Alert, name: &str) -> String {
    let d = &alert.details;
    let mut who = source(alert);
    if !name.is_empty() {
        who = words.say("source-named", &[("source", (&who).into()), ("name", name.into())]);
    }
    let port = single_port(&d.ports).map(|port| named(words, port)).unwrap_or_default();
    let by = |id: &str| {
        let id = if who.is_empty() { &format!("{id}.alone") } else { id };
        words.say(id, &[("source", (&who).into()), ("port", (&port).into())])
    };
    let by_port = |general: &str, special: &str| by(if port.is_empty() { general } else { special });
    match alert.kind.as_str() {
        "syn-scan" | "connect-scan" => by("title-port-scan"),
        "fin-scan" | "null-scan" | "xmas-scan" | "maimon-scan" => by("title-stealth-scan"),
        "ack-scan" => by("title-ack-scan"),
        "udp-scan" => by("title-udp-scan"),
        "protocol-scan" => by("title-protocol-scan"),
        "ping-sweep" => by("title-ping-sweep"),
        "port-sweep" => by_port("title-port-sweep", "title-service-search"),
        "slow-scan" => by("title-slow-scan"),
        "decoy-scan" => among(words, "title-decoy-scan", d.sources.len()),
        "distributed-scan" => among(words, "title-distributed-scan", d.sources.len()),
        "os-detection" => by("title-os-detection"),
        "flood" => by_port("title-flood", "title-flood-on"),
        "backscatter" => words.say("title-backscatter", &[]),
        "insistent-tries" => by_port("title-tries", "title-tries-at"),
        "egress-scan" => words.say("title-egress-scan", &[]),
        "signature" => by("title-signature"),
        "visibility" => words.say("title-visibility", &[]),
        "test" => words.say("title-test", &[]),
        // A newer collector may know more kinds than we do.
        _ => by("title-other"),
    }
}

/// The title of a scan from `n` addresses. A list of 16 was probably cut, so there it is `16 or more`.
fn among(words: &Words, id: &str, n: usize) -> String {
    let id = match n {
        0 | 1 => format!("{id}.unknown"),
        2..MAX_ENTRIES => id.to_owned(),
        _ => format!("{id}.more"),
    };
    words.say(&id, &[("n", n.into())])
}
