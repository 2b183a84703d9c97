//! Several incidents in one popup: as they come, afterwards because nobody was there, and the digest.

use super::{About, MAX_TITLE, Popup, sentences::lines};
use crate::words::Words;
use firebell_shared::{severity::Severity, text};

/// What is told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    /// Different sources; 0 where none is known.
    pub(crate) sources: u64,
    /// There are more of them than were told from each other.
    pub(crate) has_more_sources: bool,
    /// Nothing but port scans of some kind.
    pub(crate) are_scans: bool,
    pub(crate) worst: Severity,
    /// The worst ones, the worst first.
    pub(crate) titles: Vec<String>,
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

/// Says what happened, and is over, while the user was not there. It is never urgent: nothing of it goes on.
pub(crate) fn away(words: &Words, it: &Summary, stay_from: Severity) -> Popup {
    let id = match (it.are_scans, it.sources) {
        (true, 0) => "away-scans.alone",
        (true, _) => "away-scans",
        (false, 0) => "away-incidents.alone",
        (false, _) => "away-incidents",
    };
    let what = words.say(id, &[("n", it.count.into()), ("sources", it.sources.into())]);
    let title = words.say("away-title", &[("what", (&what).into())]);
    let mut body = worst(words, it);
    body.push(words.say("away-over", &[]));
    popup(&title, &body, it.worst.min(Severity::AIMED), it.worst >= stay_from)
}

/// Says what was not worth a popup of its own.
pub(crate) fn digest(words: &Words, it: &Summary) -> Popup {
    let title = match it.sources {
        0 => words.say("digest-title.alone", &[("n", it.count.into())]),
        n => words.say("digest-title", &[("n", n.into())]),
    };
    let mut body = worst(words, it);
    body.push(words.say(if it.worst < Severity::AIMED { "digest-harmless" } else { "digest-advice" }, &[]));
    popup(&title, &body, Severity::BACKGROUND, false)
}

/// The worst one, others, and how many more there are.
fn worst(words: &Words, it: &Summary) -> Vec<String> {
    let mut titles = it.titles.iter();
    let mut body = Vec::new();
    if let Some(title) = titles.next() {
        let id = if it.count > 1 { "away-worst" } else { "several-item" };
        body.push(words.say(id, &[("title", title.into())]));
    }
    body.extend(titles.map(|title| words.say("several-item", &[("title", title.into())])));
    let rest = it.count.saturating_sub(it.titles.len() as u64);
    if rest > 0 {
        body.push(words.say("several-rest", &[("n", rest.into())]));
    }
    if it.has_more_sources {
        body.push(words.say("away-sources", &[("n", it.sources.into())]));
    }
    body
}

fn popup(title: &str, body: &[String], severity: Severity, stays: bool) -> Popup {
    Popup { title: text::safe(title.as_bytes(), MAX_TITLE), body: lines(body), severity, stays, is_test: false, about: About::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::{Urgency, tests::english};

    fn three_scans() -> Summary {
        Summary {
            count: 3,
            sources: 2,
            has_more_sources: false,
            are_scans: true,
            worst: Severity::CRITICAL,
            titles: vec!["Port scan from 192.0.2.1".into(), "UDP port scan from 192.0.2.2".into()],
        }
    }

    #[test]
    fn what_happened_meanwhile_is_counted_and_names_the_worst() {
        let popup = away(&english(), &three_scans(), Severity::AIMED);
        assert_eq!(popup.title, "While you were away: 3 scans from 2 addresses");
        assert_eq!(
            popup.body,
            "The worst: Port scan from 192.0.2.1.\nUDP port scan from 192.0.2.2.\nAnd 1 more.\nAll of it is over. To list it: firebell alerts"
        );
        assert_eq!((popup.urgency(), popup.stays), (Urgency::Normal, true), "what is over is not urgent");
        let one = Summary { count: 1, sources: 1, are_scans: false, titles: vec!["Packet flood".into()], ..three_scans() };
        let popup = away(&english(), &one, Severity::AIMED);
        assert_eq!(popup.title, "While you were away: 1 incident from 1 address");
        assert!(popup.body.starts_with("Packet flood.\n"), "{popup:?}");
        let nobody = Summary { sources: 0, ..three_scans() };
        assert_eq!(away(&english(), &nobody, Severity::AIMED).title, "While you were away: 3 scans");
    }

    #[test]
    fn a_digest_is_never_urgent_and_calls_harmless_only_what_is() {
        let quiet = Summary { worst: Severity::NOTABLE, sources: 1024, has_more_sources: true, ..three_scans() };
        let popup = digest(&english(), &quiet);
        assert_eq!((popup.title.as_str(), popup.urgency(), popup.stays), ("1,024 sources probed you", Urgency::Low, false));
        assert!(popup.body.ends_with("There are more than 1,024 sources.\nNothing of it was aimed at you."), "{popup:?}");
        let popup = digest(&english(), &three_scans());
        assert!(!popup.body.contains("aimed") && popup.urgency() == Urgency::Low, "{popup:?}");
    }
}
