//! What stands for the fields of the user's templates.

use super::{
    body::{advice, body, certainty, did, what},
    sentences::took,
    source::{listed, source},
    title::title,
};
use crate::{template::Field, words::Words};
use firebell_shared::alert::Alert;

/// What stands for a field of a template, as it is: what is made of it is made safe.
pub(super) fn value(words: &Words, alert: &Alert, name: &str, field: Field) -> String {
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
