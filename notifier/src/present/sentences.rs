//! How sentences, lists and spans of time are put together, and bounded.

use super::MAX_BODY;
use crate::words::Words;
use firebell_shared::{alert::Alert, text};
use std::fmt::Write as _;

/// The longest sentence that comes from the collector, in bytes.
pub(super) const MAX_SENTENCE: usize = 240;
/// What went on for this long, in microseconds, is told with its beginning.
const LONG: u64 = 5 * 60 * 1_000_000;

/// Joins sentences to a bounded body; each is safe on its own line.
pub(super) fn lines(sentences: &[String]) -> String {
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

/// Somebody else's sentence: safe, bounded, with a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut out = text::safe(words.trim().as_bytes(), MAX_SENTENCE);
    if !out.ends_with(['.', '!', '?', '…']) {
        out.push('.');
    }
    out
}

/// The same with a capital letter at its beginning.
pub(super) fn capital(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Joins the parts of a list.
pub(super) fn list(words: &Words, parts: impl Iterator<Item = String>) -> String {
    parts.reduce(|list, next| words.say("list-next", &[("list", (&list).into()), ("next", (&next).into())])).unwrap_or_default()
}

/// How long it took, and since when where that is long: `in 2 hours (since 14:05)`.
pub(super) fn took(words: &Words, alert: &Alert) -> String {
    let d = &alert.details;
    let length = d.last_seen.saturating_sub(d.first_seen);
    let took = duration(words, length);
    let since = if length < LONG { None } else { words.say_time("since", d.first_seen, alert.time_usec, &took) };
    since.unwrap_or(took)
}

/// `in 12 seconds`, from microseconds.
pub(super) fn duration(words: &Words, micros: u64) -> String {
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
