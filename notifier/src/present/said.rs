//! Popups that are about no incident: that nobody watches, and what came of what the user did.

use super::{
    About, MAX_TITLE, Popup, incident,
    sentences::{capital, lines, sentence},
};
use crate::{
    mutes::{Entry, Manner, Source},
    words::Words,
};
use firebell_shared::{alert::Alert, severity::Severity, text};

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
