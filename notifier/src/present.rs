//! An alert in the words of the person at the desk. Pure: the same alert in the same words is always the same popup.
//!
//! A popup answers, in this order: who does what, how much of it and how fast, what the firewall did
//! about it, how sure we are, what to do.

mod body;
mod fields;
mod ports;
mod said;
mod sentences;
mod source;
mod title;
mod together;

use crate::{
    mutes::{Manner, Source},
    template::{Template, Templates},
    words::Words,
};
use firebell_shared::{
    alert::{Alert, Phase},
    severity::Severity,
    text,
};
pub(crate) use said::{answer, blindness, hidden, preview, shown_again};
pub(crate) use source::is_near;
pub(crate) use together::{Summary, away, digest, several};

/// The longest title, in bytes. Servers cut one-line titles at about 60 characters.
pub(crate) const MAX_TITLE: usize = 160;
/// The longest body, in bytes.
pub(crate) const MAX_BODY: usize = 1200;

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
    let name = source::name(words, alert);
    let Templates { title: title_template, body: body_template } = if is_test { &Templates::default() } else { words.templates() };
    let wished = |template: &Option<Template>| {
        let text = template.as_ref().map(|template| template.fill(|field| fields::value(words, alert, &name, field)));
        // Where nothing is left of it, our own words are better than none.
        text.filter(|text| !text.trim().is_empty())
    };
    let mut title = wished(title_template).unwrap_or_else(|| title::title(words, alert, &name));
    if alert.details.phase == Phase::Closed {
        title = words.say("title-ended", &[("title", (&title).into())]);
    }
    let body = match wished(body_template) {
        Some(body) => body.lines().map(str::to_owned).collect(),
        None if is_test => body::test_body(words, alert),
        None => body::body(words, alert, &name),
    };
    Popup {
        title: text::safe(title.as_bytes(), MAX_TITLE),
        body: sentences::lines(&body),
        severity: alert.severity,
        stays: alert.severity >= stay_from && !is_test,
        is_test,
        about: About::Incident { id: alert.id, kind: text::safe(alert.kind.as_bytes(), 64), source: source::source(alert) },
    }
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

/// The title of an incident among others, which has to tell it from them whatever the user's template is.
pub(crate) fn headline(words: &Words, alert: &Alert) -> String {
    text::safe(title::title(words, alert, &source::name(words, alert)).as_bytes(), MAX_TITLE)
}

#[cfg(test)]
pub(crate) mod tests;
