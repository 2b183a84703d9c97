//! An alert in the words of the person at the desk. Pure: the same alert in the same words is always the same popup.
//!
//! A popup answers, in this order: who does what, how much of it and how fast, what the firewall did
//! about it, how sure we are, what to do.

mod together;

use crate::{
    mutes::{Entry, Manner, Source},
    names::{Maker, Name},
    template::{Field, Template, Templates},
    words::Words,
};
use firebell_shared::{
    alert::{Action, Alert, Attribution, MAX_ENTRIES, OriginWord, Phase},
    services::{self, SERVICES},
    severity::Severity,
    text,
};
use std::{fmt::Write as _, net::IpAddr};
pub(crate) use together::{Summary, away, digest};

/// The longest title, in bytes. Servers cut one-line titles at about 60 characters.
pub(crate) const MAX_TITLE: usize = 160;
/// The longest body, in bytes.
pub(crate) const MAX_BODY: usize = 1200;
/// The longest sentence that comes from the collector, in bytes.
const MAX_SENTENCE: usize = 240;
/// So many ports are named at most.
const NAMED_PORTS: usize = 4;
/// What went on for this long, in microseconds, is told with its beginning.
const LONG: u64 = 5 * 60 * 1_000_000;
/// A list of ports up to this length, in bytes, is shown as it is.
const SHORT_PORTS: usize = 36;

/// One notification: plain text, bounded, nothing in it that a terminal or a server obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Popup {
    /// One line.
    pub(crate) title: String,
    /// A few lines, separated by newlines. Not escaped: only the server's side knows whether it has to be.
    pub(crate) body: String,
    /// How bad it is; urgency and icon follow from it.
    pub(crate) severity: Severity,
    /// Stays until somebody closes it. Otherwise the server decides.
    pub(crate) stays: bool,
    /// Asked for by a person, to see whether popups work.
    pub(crate) is_test: bool,
    /// What its buttons are about.
    pub(crate) about: About,
}

/// What a popup is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// One incident. `kind` is a word of the bus; `source` an address or a network, empty where it is not one source, or this
    /// computer.
    Incident { id: u64, kind: String, source: String },
    /// A source that the user has just hidden.
    Hidden { manner: Manner, source: Source },
    /// Several incidents, or none.
    Nothing,
}

/// Urgency in the sense of the Desktop Notifications Specification 1.2, section "Urgency Levels".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    Low = 0,
    Normal = 1,
    Critical = 2,
}

impl Popup {
    /// Urgency by severity: critical from 4 on (broad or intrusive), low below 3 (not aimed at this machine).
    pub(crate) fn urgency(&self) -> Urgency {
        match self.severity.get() {
            _ if self.is_test => Urgency::Normal,
            4.. => Urgency::Critical,
            3 => Urgency::Normal,
            _ => Urgency::Low,
        }
    }

    /// A name from the Icon Naming Specification 0.8 that every theme has. (`security-high` would mean "all is safe".)
    pub(crate) fn icon(&self) -> &'static str {
        match self.urgency() {
            _ if self.is_test => "dialog-information",
            Urgency::Critical => "dialog-error",
            Urgency::Normal => "dialog-warning",
            Urgency::Low => "dialog-information",
        }
    }

    /// A name of the Sound Naming Specification 0.8, section "Alerts", for what should be heard: severity 4 and 5.
    pub(crate) fn sound(&self) -> Option<&'static str> {
        match self.severity.get() {
            _ if self.is_test => None,
            5.. => Some("dialog-error"),
            4 => Some("dialog-warning"),
            _ => None,
        }
    }
}

/// Writes one incident. Popups from severity `stay_from` on stay until they are closed.
pub(crate) fn incident(words: &Words, alert: &Alert, stay_from: Severity) -> Popup {
    let is_test = alert.kind == "test";
    let name = name(words, alert);
    let Templates { title: title_template, body: body_template } = if is_test { &Templates::default() } else { words.templates() };
    let wished = |template: &Option<Template>| {
        let text = template.as_ref().map(|template| template.fill(|field| value(words, alert, &name, field)));
        // Where nothing is left of it, our own words are better than none.
        text.filter(|text| !text.trim().is_empty())
    };
    let mut title = wished(title_template).unwrap_or_else(|| title(words, alert, &name));
    if alert.details.phase == Phase::Closed {
        title = words.say("title-ended", &[("title", (&title).into())]);
    }
    let body = match wished(body_template) {
        Some(body) => body.lines().map(str::to_owned).collect(),
        None if is_test => test_body(words, alert),
        None => body(words, alert, &name),
    };
    Popup {
        title: text::safe(title.as_bytes(), MAX_TITLE),
        body: lines(&body),
        severity: alert.severity,
        stays: alert.severity >= stay_from && !is_test,
        is_test,
        about: About::Incident { id: alert.id, kind: text::safe(alert.kind.as_bytes(), 64), source: source(alert) },
    }
}

/// The title of an incident among others, which has to tell it from them whatever the user's template is.
pub(crate) fn headline(words: &Words, alert: &Alert) -> String {
    text::safe(title(words, alert, &name(words, alert)).as_bytes(), MAX_TITLE)
}

/// What stands for a field of a template. Not yet safe: whatever is made of it will be.
fn value(words: &Words, alert: &Alert, name: &str, field: Field) -> String {
    let d = &alert.details;
    let number = |n: u64| words.say("number", &[("n", n.into())]);
    match field {
        Field::Title => title(words, alert, name),
        Field::Body => body(words, alert, name).join("\n"),
        Field::What => what(words, alert),
        Field::Did => did(words, alert),
        Field::Sure => certainty(alert, name).map(|id| words.say(id, &[("name", name.into())])).unwrap_or_default(),
        Field::Advice => advice(words, alert),
        Field::Source if !alert.source.trim().is_empty() => source(alert),
        Field::Source if alert.kind == "egress-scan" => words.say("name-self", &[]),
        Field::Source => listed(words, &d.sources),
        Field::Name => name.to_owned(),
        Field::Targets if d.targets.is_empty() => String::new(),
        Field::Targets => listed(words, &d.targets),
        Field::Ports => d.ports.clone(),
        Field::Protocol => d.protocol.clone(),
        Field::Packets => number(d.packets),
        Field::Contacts => number(d.contacts.into()),
        Field::Took => took(words, alert),
        Field::Kind => alert.kind.clone(),
        Field::Severity => alert.severity.to_string(),
        Field::Tool => d.tool.clone(),
        Field::Known => d.known.clone(),
        Field::Interface => d.interface.clone(),
        Field::Prefix => d.prefix.clone(),
        Field::Mac => d.mac.clone(),
        Field::Id => alert.id.to_string(),
    }
    .replace('\n', if field == Field::Body { "\n" } else { " " })
}

/// The same; `is_veiled`: without addresses, for a screen that strangers see.
pub(crate) fn incident_veiled(words: &Words, alert: &Alert, stay_from: Severity, is_veiled: bool) -> Popup {
    if !is_veiled {
        return incident(words, alert, stay_from);
    }
    let mut alert = alert.clone();
    // The sentences of the collector may name them too.
    for text in [&mut alert.source, &mut alert.summary, &mut alert.details.advice, &mut alert.details.mac] {
        text.clear();
    }
    alert.details.sources.clear();
    alert.details.targets.clear();
    incident(words, &alert, stay_from)
}

/// Writes several incidents that share one popup: how many, the titles of the worst ones.
pub(crate) fn several(words: &Words, count: u64, first: &[&str], worst: Severity, stay_from: Severity) -> Popup {
    // Full stops, because GNOME shows the lines of a body in one.
    let mut body: Vec<String> = first.iter().map(|title| words.say("several-item", &[("title", (*title).into())])).collect();
    let rest = count.saturating_sub(first.len() as u64);
    if rest > 0 {
        body.push(words.say("several-rest", &[("n", rest.into())]));
    }
    body.push(words.say("several-why", &[]));
    Popup {
        title: words.say("several-title", &[("n", count.into())]),
        body: lines(&body),
        severity: worst,
        stays: worst >= stay_from,
        is_test: false,
        about: About::Nothing,
    }
}

/// Says that nobody watches the firewall log: because of `reason`, or because there is no collector. Quiet, and there until it is over.
pub(crate) fn blindness(words: &Words, reason: Option<&str>) -> Popup {
    let (title, why) = match reason {
        Some(reason) => ("blind-title", words.say("blind-why", &[("reason", (&capital(&sentence(reason))).into())])),
        None => ("absent-title", words.say("absent-why", &[])),
    };
    Popup {
        title: words.say(title, &[]),
        body: lines(&[why, words.say("unwatched", &[])]),
        severity: Severity::BACKGROUND,
        stays: true,
        is_test: false,
        about: About::Nothing,
    }
}

/// Shows how an incident of that kind looks, and that it is none.
pub(crate) fn preview(words: &Words, alert: &Alert) -> Popup {
    let popup = incident(words, alert, Severity::CRITICAL);
    let body: Vec<String> = popup.body.lines().map(str::to_owned).chain([words.say("preview-body", &[])]).collect();
    let title = words.say("preview-title", &[("title", (&popup.title).into())]);
    Popup { title: text::safe(title.as_bytes(), MAX_TITLE), body: lines(&body), stays: false, about: About::Nothing, ..popup }
}

/// Tells what came of a click.
pub(crate) fn answer(sentence: &str, about: About) -> Popup {
    Popup {
        title: "Firebell".to_owned(),
        body: lines(&[sentence.to_owned()]),
        severity: Severity::BACKGROUND,
        stays: false,
        is_test: false,
        about,
    }
}

/// Says that a source is hidden now, for `seconds` unless that is 0, and how to undo it.
pub(crate) fn hidden(words: &Words, entry: &Entry, seconds: u64) -> String {
    let source = entry.source.to_string();
    let (n, id) = match (entry.manner, seconds) {
        (Manner::Trusted, _) => (0, "hidden-trusted"),
        (Manner::Muted, 0) => (0, "hidden-muted"),
        // Rather a little longer than it is.
        (Manner::Muted, 1..=7_199) => (seconds.div_ceil(60), "hidden-muted-minutes"),
        (Manner::Muted, 7_200..=172_799) => (seconds.div_ceil(3_600), "hidden-muted-hours"),
        (Manner::Muted, _) => (seconds.div_ceil(86_400), "hidden-muted-days"),
    };
    let command = match entry.manner {
        Manner::Trusted => format!("firebell notify untrust {source}"),
        Manner::Muted => format!("firebell notify unmute {source}"),
    };
    let worse = words.say("hidden-up-to", &[("severity", u64::from(entry.up_to.get()).into())]);
    format!("{} {worse} {}", words.say(id, &[("source", (&source).into()), ("n", n.into())]), undo(words, &command))
}

/// Says that a source is not hidden any more, and how to undo it.
pub(crate) fn shown_again(words: &Words, manner: Manner, source: Source) -> String {
    let source = source.to_string();
    let (id, command) = match manner {
        Manner::Muted => ("hidden-unmuted", format!("firebell notify mute {source}")),
        Manner::Trusted => ("hidden-untrusted", format!("firebell notify trust {source}")),
    };
    format!("{} {}", words.say(id, &[("source", (&source).into())]), undo(words, &command))
}

fn undo(words: &Words, command: &str) -> String {
    words.say("hidden-undo", &[("command", command.into())])
}

/// The title of an incident: what it is and who does it. `name`: what the source is called, if it is called anything.
fn title(words: &Words, alert: &Alert, name: &str) -> String {
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

/// What follows the title, one sentence a line.
fn body(words: &Words, alert: &Alert, name: &str) -> Vec<String> {
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

/// What the firewall did with the packets; nothing where it is not about packets that somebody sent here.
fn did(words: &Words, alert: &Alert) -> String {
    let id = match alert.details.action {
        _ if matches!(alert.kind.as_str(), "visibility" | "egress-scan") => return String::new(),
        Action::Dropped => "did-drop",
        Action::Rejected => "did-reject",
        Action::Accepted => "did-accept",
        Action::Unknown => "did-unknown",
    };
    words.say(id, &[])
}

/// What happened, how much of it, how fast.
fn what(words: &Words, alert: &Alert) -> String {
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

/// The message that says how sure it is who did it, where anybody did.
fn certainty(alert: &Alert, name: &str) -> Option<&'static str> {
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
fn advice(words: &Words, alert: &Alert) -> String {
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

/// Is this an address, or a network, that the Internet does not route?
pub(crate) fn is_near(source: &str) -> bool {
    match source.split('/').next().unwrap_or_default().parse() {
        Ok(IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        Err(_) => false,
    }
}

fn test_body(words: &Words, alert: &Alert) -> Vec<String> {
    let is_said = words.is_english() && !alert.summary.trim().is_empty();
    let asked = if is_said { capital(&sentence(&alert.summary)) } else { words.say("test-asked", &[]) };
    vec![asked, words.say("test-seen", &[])]
}

/// What this computer calls the source, or nothing.
fn name(words: &Words, alert: &Alert) -> String {
    match words.names().name(&alert.source) {
        Some(Name::Called(name)) => name,
        Some(Name::Router) => words.say("name-router", &[]),
        Some(Name::Ourselves) => words.say("name-self", &[]),
        None => String::new(),
    }
}

/// What device the source is, where it is in our own network and its maker is known.
fn device(words: &Words, alert: &Alert, name: &str) -> Option<String> {
    Some(match words.names().maker(&alert.source, &alert.details.mac)? {
        Maker::Of(maker) if name.is_empty() => words.say("device", &[("maker", (&maker).into())]),
        Maker::Of(maker) => words.say("device-named", &[("name", name.into()), ("maker", (&maker).into())]),
        Maker::Hidden => words.say("device-random", &[]),
    })
}

/// The source, where it is one: an address or a network.
fn source(alert: &Alert) -> String {
    text::safe(alert.source.trim().as_bytes(), 64)
}

/// Ports that were tried. With one target that is the number of contacts, which stays exact where the
/// list of ports had to be cut.
fn port_count(alert: &Alert) -> u64 {
    let contacts = u64::from(alert.details.contacts);
    match (alert.details.targets.len(), ranges(&alert.details.ports)) {
        (2.., Some(ranges)) => ranges.iter().map(|&(low, high)| u64::from(high - low) + 1).sum::<u64>().min(65_536),
        _ => contacts,
    }
}

/// `, among them 22 (SSH), 80 (HTTP)`, or the list itself where it is short.
fn which_ports(words: &Words, ports: &str) -> String {
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

/// `22 (SSH)`, or only the number.
fn named(words: &Words, port: u16) -> String {
    let number = port.to_string();
    match services::name(port) {
        Some(name) => words.say("port-known", &[("port", (&number).into()), ("name", (&words.service(name)).into())]),
        None => words.say("port-unknown", &[("port", (&number).into())]),
    }
}

/// The one port of the list, where it is one.
fn single_port(ports: &str) -> Option<u16> {
    match ranges(ports)?.as_slice() {
        [(low, high)] if low == high => Some(*low),
        _ => None,
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

/// The first few addresses of a list. What is no address is not shown as one.
fn listed(words: &Words, addresses: &[String]) -> String {
    let shown: Vec<String> = addresses.iter().filter_map(|a| a.parse::<IpAddr>().ok()).take(3).map(|a| a.to_string()).collect();
    if shown.is_empty() {
        return words.say("addresses-unlisted", &[]);
    }
    let shown = list(words, shown.into_iter());
    match addresses.len().saturating_sub(3) {
        0 => shown,
        // The collector cuts its lists there, so nobody knows how many more.
        _ if addresses.len() >= MAX_ENTRIES => words.say("list-others", &[("list", (&shown).into())]),
        rest => words.say("list-more", &[("list", (&shown).into()), ("n", rest.into())]),
    }
}

/// Joins the parts of a list.
fn list(words: &Words, parts: impl Iterator<Item = String>) -> String {
    parts.reduce(|list, next| words.say("list-next", &[("list", (&list).into()), ("next", (&next).into())])).unwrap_or_default()
}

/// How long it took, and since when where that is long: `in 2 hours (since 14:05)`.
fn took(words: &Words, alert: &Alert) -> String {
    let d = &alert.details;
    let length = d.last_seen.saturating_sub(d.first_seen);
    let took = duration(words, length);
    let since = if length < LONG { None } else { words.say_time("since", d.first_seen, alert.time_usec, &took) };
    since.unwrap_or(took)
}

/// `in 12 seconds`, from microseconds.
fn duration(words: &Words, micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let (n, id) = match seconds {
        0 => return words.say("took-moment", &[]),
        1..=119 => (seconds, "took-seconds"),
        120..=7_199 => (seconds / 60, "took-minutes"),
        7_200..=172_799 => (seconds / 3_600, "took-hours"),
        _ => (seconds / 86_400, "took-days"),
    };
    words.say(id, &[("n", n.into())])
}

/// Somebody else's sentence: safe, bounded, with a full stop.
fn sentence(words: &str) -> String {
    let mut out = text::safe(words.trim().as_bytes(), MAX_SENTENCE);
    if !out.ends_with(['.', '!', '?', '…']) {
        out.push('.');
    }
    out
}

/// The same with a capital letter at its beginning.
fn capital(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Joins sentences to a bounded body; each is safe on its own line.
fn lines(sentences: &[String]) -> String {
    let mut body = String::new();
    for sentence in sentences.iter().filter(|sentence| !sentence.is_empty()) {
        let room = MAX_BODY.saturating_sub(body.len() + 1);
        let line = text::safe(sentence.as_bytes(), room);
        if line.is_empty() {
            break;
        }
        let newline = if body.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = write!(body, "{newline}{line}");
    }
    body
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::words::Language;
    use firebell_shared::{alert::Details, kind::KINDS};
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    pub(crate) fn words(language: Language) -> Words {
        Words::new(language, TimeZone::UTC)
    }

    pub(crate) fn english() -> Words {
        words(Language::English)
    }

    pub(crate) fn alert(id: u64, kind: &str, severity: u8) -> Alert {
        Alert {
            id,
            time_usec: 1_763_800_000_000_000,
            severity: Severity::try_from(severity).unwrap(),
            kind: kind.into(),
            source: "198.51.100.66".into(),
            summary: "something happened".into(),
            details: Details {
                seq: id,
                revision: 1,
                packets: 1996,
                contacts: 1000,
                ports: "1-1000".into(),
                targets: vec!["198.51.100.10".into()],
                protocol: "tcp".into(),
                first_seen: 1_763_800_000_000_000,
                last_seen: 1_763_800_005_000_000,
                action: Action::Dropped,
                origin: OriginWord::Kernel,
                attribution: Attribution::Plausible,
                delivery: firebell_shared::alert::Delivery::Popup,
                ..Details::default()
            },
        }
    }

    #[test]
    fn a_scan_is_told_in_the_words_of_the_person_at_the_desk() {
        let popup = incident(&english(), &alert(1, "syn-scan", 4), Severity::AIMED);
        assert_eq!(popup.title, "Port scan from 198.51.100.66");
        assert_eq!(
            popup.body,
            "TCP SYN scan: 1,000 ports in 5 seconds, among them 22 (SSH), 80 (HTTP), 443 (HTTPS), 445 (Windows shares).\n\
             The firewall dropped the packets.\n\
             The sender's address is most likely real.\n\
             Nothing to do as long as your firewall holds."
        );
        assert_eq!((popup.urgency(), popup.icon(), popup.stays), (Urgency::Critical, "dialog-error", true));
    }

    #[test]
    fn every_kind_has_a_title_of_its_own_words() {
        for kind in KINDS {
            let popup = incident(&english(), &alert(1, kind, 3), Severity::AIMED);
            assert!(!popup.title.starts_with("Firewall alert"), "{kind} has no words");
            assert!(!kind.contains('-') || !popup.title.contains(kind), "{kind} is shown raw: {}", popup.title);
            assert!(popup.title.chars().next().unwrap().is_uppercase() && popup.body.lines().count() >= 2, "{popup:?}");
        }
        assert_eq!(incident(&english(), &alert(1, "newer-kind", 3), Severity::AIMED).title, "Firewall alert from 198.51.100.66");
    }

    #[test]
    fn what_is_known_is_one_sentence_and_no_surer_than_the_rule() {
        let mut scan = alert(1, "insistent-tries", 3);
        let second = |scan: &Alert| incident(&english(), scan, Severity::AIMED).body.lines().nth(1).unwrap().to_owned();
        assert_eq!(second(&scan), "The firewall dropped the packets.");
        scan.details.known = "Mirai looks for \u{1b}[31m<b>victims</b>".into();
        assert_eq!(second(&scan), r"Looks like: Mirai looks for \x1b[31m<b>victims</b>.");
        scan.details.known_surely = true;
        assert!(second(&scan).starts_with("Recognised: Mirai looks for "), "{}", second(&scan));
        scan.details.known = "Looks like hping".into();
        assert_eq!(second(&scan), "Looks like hping.");
        scan.details.known = "x".repeat(1000);
        assert!(second(&scan).len() <= MAX_SENTENCE + 1);
        (scan.details.known, scan.details.tool) = ("masscan".into(), "masscan".into());
        assert_eq!(second(&scan), "Tool: masscan.");
        scan.kind = "signature".into();
        scan.details.known = "SQL Slammer".into();
        assert!(!incident(&english(), &scan, Severity::AIMED).body.contains("Recognised"), "its own sentence says that");
    }

    #[test]
    fn a_set_of_sources_does_not_name_one_of_them_as_the_culprit() {
        let mut decoys = alert(1, "decoy-scan", 3);
        decoys.source = String::new();
        decoys.details.sources = (1..=5).map(|n| format!("203.0.113.{n}")).collect();
        decoys.details.attribution = Attribution::DecoySet;
        let popup = incident(&english(), &decoys, Severity::AIMED);
        assert_eq!(popup.title, "Port scan hidden among 5 addresses");
        assert!(popup.body.contains("From 203.0.113.1, 203.0.113.2, 203.0.113.3 and 2 more."), "{}", popup.body);
        assert!(popup.body.contains("At most one of these addresses is the real one."), "{}", popup.body);
    }

    #[test]
    fn doubt_is_said_and_certainty_is_not_claimed() {
        let mut scan = alert(1, "udp-scan", 3);
        scan.details.attribution = Attribution::Spoofable;
        assert!(incident(&english(), &scan, Severity::AIMED).body.contains("address may be forged"));
        scan.details.origin = OriginWord::Unverified;
        assert!(incident(&english(), &scan, Severity::AIMED).body.contains("any program on this computer can write such log lines"));
        scan.details.action = Action::Unknown;
        let body = incident(&english(), &scan, Severity::AIMED).body;
        assert!(body.contains("The log does not say") && !body.contains("dropped"), "{body}");
    }

    #[test]
    fn every_kind_and_phase_is_told_in_every_language_without_a_word_of_english() {
        let phases = [Phase::Opened, Phase::Updated, Phase::Escalated, Phase::Closed, Phase::Reopened];
        for language in Language::ALL {
            let words = words(language);
            for kind in KINDS.into_iter().chain(["newer-kind"]) {
                for (phase, action) in phases
                    .into_iter()
                    .flat_map(|phase| [Action::Dropped, Action::Rejected, Action::Accepted, Action::Unknown].map(|action| (phase, action)))
                {
                    for attribution in
                        [Attribution::Plausible, Attribution::Spoofable, Attribution::DecoySet, Attribution::ForgedLinePossible]
                    {
                        let mut alert = alert(1, kind, 3);
                        (alert.details.phase, alert.details.action, alert.details.attribution) = (phase, action, attribution);
                        alert.details.advice = "Unplug it".into();
                        alert.details.last_seen += 3_600_000_000;
                        alert.details.targets.push("198.51.100.11".into());
                        alert.details.sources.clone_from(&alert.details.targets);
                        let popup = incident(&words, &alert, Severity::AIMED);
                        let text = format!("{}\n{}", popup.title, popup.body);
                        assert!(popup.title.len() < MAX_TITLE && popup.body.len() < MAX_BODY, "{text}");
                        assert!(!text.contains(['{', '}', '$']), "{text}");
                        assert!(!kind.contains('-') || !text.contains(kind), "{text}");
                        assert_eq!(text::safe(text.replace('\n', " ").as_bytes(), usize::MAX), text.replace('\n', " "));
                        if language == Language::English {
                            continue;
                        }
                        assert!(!text.contains("something happened") && !text.contains("Unplug"), "{language:?}: {text}");
                        let english = incident(&english(), &alert, Severity::AIMED);
                        let english: Vec<&str> = english.body.lines().chain([english.title.as_str()]).collect();
                        assert!(!text.lines().any(|line| english.contains(&line)), "{language:?}: {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_went_on_for_long_is_told_with_its_beginning_and_what_is_over_with_its_end() {
        let mut scan = alert(1, "slow-scan", 3);
        scan.details.last_seen = scan.details.first_seen + 7_200_000_000;
        scan.time_usec = scan.details.last_seen;
        let first = incident(&english(), &scan, Severity::AIMED).body;
        assert!(first.starts_with("A few ports at a time: 1,000 ports in 2 hours (since 08:26), among them"), "{first}");
        scan.details.phase = Phase::Closed;
        scan.time_usec += 86_400_000_000;
        let over = incident(&words(Language::German), &scan, Severity::AIMED);
        assert_eq!(over.title, "Langsamer Portscan von 198.51.100.66 (beendet)");
        assert!(over.body.contains("in 2 Stunden (seit 22. November, 08:26 Uhr), darunter 22 (SSH)"), "{}", over.body);
        assert!(over.body.contains("\nVorbei: kein Paket mehr seit 22. November, 10:26 Uhr.\n"), "{}", over.body);
    }

    #[test]
    fn several_targets_are_named() {
        let mut scan = alert(1, "port-sweep", 3);
        scan.details.targets = (1..=5).map(|n| format!("198.51.100.{n}")).collect();
        let aimed = |scan: &Alert| incident(&english(), scan, Severity::AIMED).body.lines().nth(1).unwrap().to_owned();
        assert_eq!(aimed(&scan), "Aimed at 198.51.100.1, 198.51.100.2, 198.51.100.3 and 2 more.");
        scan.details.targets = (1..=16).map(|n| format!("198.51.100.{n}")).collect();
        assert_eq!(aimed(&scan), "Aimed at 198.51.100.1, 198.51.100.2, 198.51.100.3 and others.");
        let mut egress = alert(1, "egress-scan", 5);
        egress.source = String::new();
        assert_eq!(aimed(&egress), "Aimed at 198.51.100.10.");
    }

    #[test]
    fn a_source_that_this_computer_knows_is_named() {
        let home = crate::names::tests::home();
        let words = english().knowing(crate::names::Names::below(home.path()));
        let mut scan = alert(1, "syn-scan", 3);
        scan.source = "192.168.1.7".into();
        scan.details.mac = "00:80:77:ab:cd:0f".into();
        let popup = incident(&words, &scan, Severity::AIMED);
        assert_eq!(popup.title, "Port scan from 192.168.1.7 (printer)");
        assert!(popup.body.contains("\nprinter, a device of Somebody Small.\n"), "{}", popup.body);
        assert!(popup.body.contains("\nThe sender's address is most likely real.\n"), "{}", popup.body);
        scan.details.attribution = Attribution::Spoofable;
        let body = incident(&words, &scan, Severity::AIMED).body;
        assert!(body.contains("\nThe sender's address may be forged; printer is only what the address is called here.\n"), "{body}");
        scan.source = "192.168.1.20".into();
        scan.details.mac = String::new();
        let popup = incident(&words, &scan, Severity::AIMED);
        assert_eq!(popup.title, r"Port scan from 192.168.1.20 (my-phone\x1b[2J<b>)");
        assert!(popup.body.contains("\nA device that hides its maker"), "{}", popup.body);
        scan.source = "192.168.1.5".into();
        assert_eq!(incident(&words, &scan, Severity::AIMED).title, "Port scan from 192.168.1.5 (this computer)");
        scan.source = "203.0.113.7".into();
        assert_eq!(incident(&words, &scan, Severity::AIMED).title, "Port scan from 203.0.113.7");
    }

    fn templates(title: &str, body: &str) -> Templates {
        let template = |text: &str| Some(Template::try_from(text.to_owned()).unwrap());
        Templates { title: template(title), body: template(body) }
    }

    #[test]
    fn incidents_are_told_as_the_user_wishes() {
        let words = english().telling(templates("Firewall Alert", "Intrusion detected from {{ source }}"));
        let popup = incident(&words, &alert(1, "syn-scan", 3), Severity::AIMED);
        assert_eq!((popup.title.as_str(), popup.body.as_str()), ("Firewall Alert", "Intrusion detected from 198.51.100.66"));
        let mut over = alert(1, "egress-scan", 3);
        (over.source, over.details.phase) = (String::new(), Phase::Closed);
        let popup = incident(&words, &over, Severity::AIMED);
        assert_eq!((popup.title.as_str(), popup.body.as_str()), ("Firewall Alert (ended)", "Intrusion detected from this computer"));
        assert_eq!(incident(&words, &alert(1, "test", 1), Severity::AIMED).title, "Firebell test", "a test tests what is there");
        assert_eq!(headline(&words, &alert(1, "syn-scan", 3)), "Port scan from 198.51.100.66");
        let words = english().telling(templates("{{ tool }}", "{{ tool }}\n{{ known }}"));
        let plain = incident(&english(), &alert(1, "syn-scan", 3), Severity::AIMED);
        assert_eq!(incident(&words, &alert(1, "syn-scan", 3), Severity::AIMED), plain, "nothing left of it");
    }

    #[test]
    fn every_field_has_a_value_and_the_body_keeps_its_lines() {
        let mut full = alert(7, "syn-scan", 3);
        let home = crate::names::tests::home();
        full.source = "192.168.1.7".into();
        let d = &mut full.details;
        (d.tool, d.known, d.interface, d.prefix, d.mac) =
            ("nmap".into(), "a rule".into(), "eth0".into(), "DROP ".into(), "00:80:77:ab:cd:0f".into());
        let words = english().knowing(crate::names::Names::below(home.path()));
        for (name, field) in Field::ALL {
            assert!(!value(&words, &full, "printer", *field).is_empty(), "{name}");
        }
        let plain = incident(&words, &full, Severity::AIMED);
        let wrapped = incident(&words.telling(templates("{{ title }}", "{{ body }}")), &full, Severity::AIMED);
        assert_eq!(wrapped, plain);
    }

    #[test]
    fn the_collectors_english_is_for_those_who_read_english() {
        let mut rule = alert(1, "signature", 3);
        rule.details.known = "SQL Slammer".into();
        rule.details.advice = "Unplug it".into();
        let body = |language| incident(&words(language), &rule, Severity::AIMED).body;
        assert!(body(Language::English).starts_with("Something happened.\n") && body(Language::English).ends_with("\nUnplug it."));
        assert!(
            body(Language::French).starts_with("SQL Slammer\u{a0}: 1\u{202f}996 paquets en 5 secondes, dont 22 (SSH)"),
            "{}",
            body(Language::French)
        );
        let mut near = alert(1, "syn-scan", 3);
        near.source = "192.168.1.7".into();
        near.details.advice = "Unplug it".into();
        let body = incident(&words(Language::Spanish), &near, Severity::AIMED).body;
        assert!(body.ends_with("\nEl origen está en su propia red: averigüe qué dispositivo es y qué se ejecuta en él."), "{body}");
        let blind = blindness(&words(Language::German), Some("no log can be read"));
        assert_eq!(blind.body, "Der Sammeldienst meldet: No log can be read.\nBis sich das ändert, erfahren Sie nichts von Angriffen.");
    }

    #[test]
    fn an_end_is_said_in_the_title() {
        let mut scan = alert(1, "syn-scan", 3);
        scan.details.phase = Phase::Closed;
        assert_eq!(incident(&english(), &scan, Severity::AIMED).title, "Port scan from 198.51.100.66 (ended)");
    }

    #[test]
    fn few_ports_are_listed_and_one_port_is_named() {
        assert_eq!(which_ports(&english(), "1000-1007"), ": 1000-1007");
        assert_eq!(which_ports(&english(), "22"), ": 22 (SSH)");
        assert_eq!(which_ports(&english(), "4444"), ": port 4444");
        assert_eq!(which_ports(&english(), "21-23,80"), ", among them 21 (FTP), 22 (SSH), 23 (Telnet), 80 (HTTP)");
        assert_eq!(which_ports(&english(), "22-25,8…"), "", "a list that was cut is not taken for whole");
        assert_eq!(which_ports(&english(), ""), "");
    }

    #[test]
    fn only_popups_from_the_chosen_severity_on_stay() {
        assert!(!incident(&english(), &alert(1, "syn-scan", 3), Severity::BROAD).stays);
        assert!(incident(&english(), &alert(1, "syn-scan", 4), Severity::BROAD).stays);
        assert!(!incident(&english(), &alert(1, "test", 5), Severity::AIMED).stays, "a test does not have to be closed");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(&english(), 999_999), "in less than a second");
        assert_eq!(duration(&english(), 1_000_000), "in 1 second");
        assert_eq!(duration(&english(), 300_000_000), "in 5 minutes");
        assert_eq!(duration(&english(), 86_400_000_000), "in 24 hours");
        assert_eq!(duration(&english(), u64::MAX), "in 213,503,982 days");
    }

    prop_compose! {
        fn any_text()(bytes in prop::collection::vec(any::<u8>(), 0..1500)) -> String { String::from_utf8_lossy(&bytes).into_owned() }
    }

    prop_compose! {
        fn any_alert()(
            kind in prop_oneof![Just(0_usize), 0..KINDS.len()], odd_kind in prop::option::of(any_text()), severity in 1_u8..=5,
            texts in prop::array::uniform9(any_text()), list in prop::collection::vec(any_text(), 0..20),
            numbers in any::<(u64, u64, u64, u32, Option<u32>)>(), phase in 0_usize..6,
        ) -> Alert {
            let mut a = alert(1, KINDS[kind], severity);
            if let Some(odd) = odd_kind { a.kind = odd; }
            [&mut a.source, &mut a.summary, &mut a.details.ports, &mut a.details.protocol, &mut a.details.tool, &mut a.details.known, &mut a.details.advice, &mut a.details.why, &mut a.details.prefix]
                .into_iter().zip(texts).for_each(|(field, text)| *field = text);
            a.details.targets.clone_from(&list);
            a.details.sources = list;
            (a.details.packets, a.details.first_seen, a.details.last_seen, a.details.contacts, a.details.uid) = numbers;
            a.details.phase = [Phase::Opened, Phase::Updated, Phase::Escalated, Phase::Closed, Phase::Reopened, Phase::Merged][phase];
            a
        }
    }

    proptest! {
        #[test]
        fn any_alert_in_any_language_is_bounded_safe_text(alert in any_alert(), language in prop::sample::select(&Language::ALL[..]), is_wished: bool) {
            let mut words = words(language);
            if is_wished {
                let all: Vec<String> = Field::ALL.iter().map(|(name, _)| format!("{{{{ {name} }}}}")).collect();
                words = words.telling(templates(&all.join(" "), &all.join("\n")));
            }
            let popup = incident(&words, &alert, Severity::AIMED);
            prop_assert!(popup.title.len() <= MAX_TITLE && popup.body.len() <= MAX_BODY);
            prop_assert!(!popup.title.contains('\n'));
            for line in std::iter::once(popup.title.as_str()).chain(popup.body.split('\n')) {
                // What is safe already is not changed by being made safe.
                prop_assert_eq!(text::safe(line.as_bytes(), usize::MAX), line);
            }
        }
    }
}
