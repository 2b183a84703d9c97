//! The body of a popup about one incident: what, how much, how fast, what the firewall did, how sure we are, what to do.

use super::{
    MAX_TITLE,
    ports::{port_count, which_ports},
    sentences::{capital, sentence, took},
    source::{device, is_near, listed, source},
};
use crate::words::Words;
use firebell_shared::{
    alert::{Action, Alert, Attribution, MAX_ENTRIES, OriginWord, Phase},
    text,
};

/// What follows the title, one sentence a line.
pub(super) fn body(words: &Words, alert: &Alert, name: &str) -> Vec<String> {
    let d = &alert.details;
    let mut lines = vec![what(words, alert)];
    lines.extend(aimed_at(words, alert));
    if d.phase == Phase::Closed {
        lines.extend(words.say_time("over", d.last_seen, alert.time_usec, ""));
    }
    lines.extend(device(words, alert, name));
    lines.extend(known(words, alert));
    if !d.tool.is_empty() {
        lines.push(words.say("known-tool", &[("tool", (&text::safe(d.tool.as_bytes(), 64)).into())]));
    }
    lines.push(did(words, alert));
    lines.extend(certainty(alert, name).map(|id| words.say(id, &[("name", name.into())])));
    lines.push(advice(words, alert));
    lines
}

pub(super) fn test_body(words: &Words, alert: &Alert) -> Vec<String> {
    let is_said = words.is_english() && !alert.summary.trim().is_empty();
    let asked = if is_said { capital(&sentence(&alert.summary)) } else { words.say("test-asked", &[]) };
    vec![asked, words.say("test-seen", &[])]
}

/// What happened, how much of it, how fast.
pub(super) fn what(words: &Words, alert: &Alert) -> String {
    let d = &alert.details;
    let took = took(words, alert);
    let which = which_ports(words, &d.ports);
    let amount = |id: &str, n: u64| words.say(id, &[("n", n.into()), ("took", (&took).into()), ("which", (&which).into())]);
    let contacts = u64::from(d.contacts);
    match alert.kind.as_str() {
        "syn-scan" | "connect-scan" | "fin-scan" | "null-scan" | "xmas-scan" | "maimon-scan" | "ack-scan" | "udp-scan" | "slow-scan" => {
            ports(words, alert, &format!("technique-{}", alert.kind), &took, &which)
        }
        "decoy-scan" | "distributed-scan" => {
            let from = words.say("what-from", &[("sources", (&listed(words, &d.sources)).into())]);
            let probes = ports(words, alert, "technique-set", &took, &which);
            words.say("what-two", &[("first", (&probes).into()), ("second", (&from).into())])
        }
        "protocol-scan" => amount("what-protocols", contacts),
        "ping-sweep" => amount("what-ping-sweep", contacts),
        "port-sweep" => amount("what-port-sweep", contacts),
        "insistent-tries" => amount("what-packets", d.packets),
        "flood" => match d.targets.as_slice() {
            [target] => {
                let target = text::safe(target.as_bytes(), 64);
                let variables =
                    [("n", d.packets.into()), ("took", (&took).into()), ("which", (&which).into()), ("target", (&target).into())];
                words.say("what-packets-to", &variables)
            }
            _ => amount("what-packets", d.packets),
        },
        "backscatter" => {
            let who = source(alert);
            let id = if who.is_empty() { "what-backscatter.alone" } else { "what-backscatter" };
            words.say(id, &[("source", (&who).into()), ("n", d.packets.into()), ("took", (&took).into())])
        }
        "egress-scan" => {
            let (id, uid) = d.uid.map_or(("what-egress", String::new()), |uid| ("what-egress.user", uid.to_string()));
            words.say(id, &[("n", contacts.into()), ("took", (&took).into()), ("which", (&which).into()), ("uid", (&uid).into())])
        }
        // The collector's own sentence says more about these than their numbers, to those who read English.
        _ if words.is_english() && !alert.summary.trim().is_empty() => capital(&sentence(&alert.summary)),
        "os-detection" => amount("what-os-detection", d.packets),
        "signature" if !d.known.trim().is_empty() => {
            let known = text::safe(d.known.trim().as_bytes(), MAX_TITLE);
            let variables = [("known", (&known).into()), ("n", d.packets.into()), ("took", (&took).into()), ("which", (&which).into())];
            words.say("what-signature", &variables)
        }
        "visibility" => words.say("what-visibility", &[]),
        _ => amount("what-packets", d.packets),
    }
}

/// What the firewall did with the packets; nothing where it is not about packets that somebody sent here.
pub(super) fn did(words: &Words, alert: &Alert) -> String {
    let id = match alert.details.action {
        _ if matches!(alert.kind.as_str(), "visibility" | "egress-scan") => return String::new(),
        Action::Dropped => "did-drop",
        Action::Rejected => "did-reject",
        Action::Accepted => "did-accept",
        Action::Unknown => "did-unknown",
    };
    words.say(id, &[])
}

/// The message that says how sure it is who did it, where anybody did.
pub(super) fn certainty(alert: &Alert, name: &str) -> Option<&'static str> {
    let d = &alert.details;
    if matches!(alert.kind.as_str(), "visibility") {
        return None;
    }
    if d.origin == OriginWord::Unverified || d.attribution == Attribution::ForgedLinePossible {
        return Some("doubt-line");
    }
    match d.attribution {
        Attribution::ForgedLinePossible => None,
        Attribution::Plausible | Attribution::Spoofable if matches!(alert.kind.as_str(), "egress-scan" | "backscatter") => None,
        Attribution::Plausible if alert.source.is_empty() => None,
        Attribution::Plausible => Some("sure-address"),
        Attribution::Spoofable if name.is_empty() => Some("doubt-address"),
        Attribution::Spoofable => Some("doubt-name"),
        Attribution::DecoySet => Some("doubt-decoys"),
    }
}

/// What to do: the collector knows best, but it speaks English. Otherwise what holds for everybody.
pub(super) fn advice(words: &Words, alert: &Alert) -> String {
    let given = alert.details.advice.trim();
    if words.is_english() && !given.is_empty() {
        return sentence(given);
    }
    let id = match (alert.kind.as_str(), alert.details.action) {
        ("egress-scan", _) => "advice-egress",
        ("visibility", _) => "advice-visibility",
        ("backscatter", _) => "advice-backscatter",
        ("flood", _) => "advice-flood",
        ("decoy-scan", _) => "advice-decoys",
        (_, Action::Dropped | Action::Rejected) if is_near(&alert.source) => "advice-near",
        (_, Action::Accepted) => "advice-accepted",
        (_, Action::Unknown) => "advice-unknown",
        _ => "advice-refused",
    };
    words.say(id, &[])
}

/// Which of several addresses it was aimed at, or which others, where we are the source.
fn aimed_at(words: &Words, alert: &Alert) -> Option<String> {
    let targets = &alert.details.targets;
    let is_telling = match alert.kind.as_str() {
        "visibility" | "backscatter" => false,
        "egress-scan" => !targets.is_empty(),
        _ => targets.len() > 1,
    };
    is_telling.then(|| words.say("what-aimed-at", &[("targets", (&listed(words, targets)).into())]))
}

/// So many ports with this technique, and on how many of our addresses where that is more than one.
fn ports(words: &Words, alert: &Alert, technique: &str, took: &str, which: &str) -> String {
    let targets = alert.details.targets.len();
    let id = match targets {
        0 | 1 => "what-ports",
        2..MAX_ENTRIES => "what-ports-on",
        _ => "what-ports-on.more",
    };
    let technique = words.say(technique, &[]);
    let variables = [
        ("technique", (&technique).into()),
        ("ports", port_count(alert).into()),
        ("targets", targets.into()),
        ("took", took.into()),
        ("which", which.into()),
    ];
    words.say(id, &variables)
}

/// What its packets are known as. A `signature` is that and nothing else, so there it is said already.
fn known(words: &Words, alert: &Alert) -> Option<String> {
    let d = &alert.details;
    let title = d.known.trim();
    if title.is_empty() || alert.kind == "signature" || title.eq_ignore_ascii_case(&d.tool) {
        return None;
    }
    // Some titles say themselves that it is only likely.
    let (title, is_likely) = title.strip_prefix("Looks like ").map_or((title, !d.known_surely), |rest| (rest, true));
    if words.is_english() && title.len() < d.known.trim().len() {
        return Some(sentence(&d.known));
    }
    let id = if is_likely { "known-likely" } else { "known-surely" };
    Some(sentence(&words.say(id, &[("what", title.into())])))
}
