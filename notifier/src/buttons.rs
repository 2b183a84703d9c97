//! What a person can do in a popup, and which click means what. Pure.
//!
//! At most three buttons: a fourth does not fit on most servers. Blocking a source is to take the place that trusting it has
//! where the source is not near.

use crate::{
    mutes::{Manner, Source},
    present::{About, is_near},
};
use std::collections::VecDeque;

/// Popups whose buttons we know; the oldest go first. More than any server shows.
const MAX_OFFERS: usize = 64;
/// The longest token, in bytes. Compositors make them of some 40.
const MAX_TOKEN: usize = 256;
/// The key of what a click beside all buttons means. Source: Desktop Notifications Specification 1.2, "Actions".
pub(crate) const DEFAULT: &str = "default";

/// A button, and what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Button {
    /// Shows everything that is known of an incident.
    Details(u64),
    /// Shows no more popups of a source.
    Mute(Source),
    /// The same of a device that the user knows.
    Trust(Source),
    /// Ends one of these two.
    Undo(Manner, Source),
}

/// A click on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Press {
    pub(crate) button: Button,
    /// Lets what is started come to the front. Source: Desktop Notifications Specification 1.3, "ActivationToken".
    pub(crate) token: Option<String>,
}

impl Button {
    /// Its name between the server and us.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Details(_) => "details",
            Self::Mute(_) => "mute",
            Self::Trust(_) => "trust",
            Self::Undo(..) => "undo",
        }
    }

    /// The message that stands on it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Details(_) => "button-details",
            Self::Mute(_) => "button-mute",
            Self::Trust(_) => "button-trust",
            Self::Undo(..) => "button-undo",
        }
    }
}

/// The buttons of a popup. A click beside them means the first, where that is no change.
pub(crate) fn of(about: &About) -> Vec<Button> {
    match about {
        // It is in no history, and nobody attacks.
        About::Incident { kind, .. } if kind == "test" => Vec::new(),
        About::Incident { id, source, .. } => {
            let one = source.parse::<Source>().ok();
            let near = one.filter(|_| is_near(source));
            [Some(Button::Details(*id)), one.map(Button::Mute), near.map(Button::Trust)].into_iter().flatten().collect()
        }
        About::Hidden { manner, source } => vec![Button::Undo(*manner, *source)],
        About::Nothing => Vec::new(),
    }
}

/// The buttons on the screen, by the server's ids.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    offers: VecDeque<(u32, Vec<Button>, bool)>,
    token: Option<(u32, String)>,
}

impl Offers {
    /// A popup has these buttons from now on. `is_loud`: it is one that is heard.
    pub(crate) fn put(&mut self, id: u32, buttons: Vec<Button>, is_loud: bool) {
        self.offers.retain(|(other, ..)| *other != id);
        self.offers.push_back((id, buttons, is_loud));
        if self.offers.len() > MAX_OFFERS {
            self.offers.pop_front();
        }
    }

    /// Was the popup in whose place another one comes not heard yet? 0: it comes in the place of none.
    pub(crate) fn becomes_loud(&self, replaces: u32) -> bool {
        !self.offers.iter().any(|(id, _, is_loud)| *id == replaces && *is_loud)
    }

    /// Nothing of it is on the screen any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The server tells the token of a click that is to follow. What cannot be in the environment of a program is none.
    pub(crate) fn token(&mut self, id: u32, token: &str) {
        let is_token = (1..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        self.token = (is_token && self.offers.iter().any(|(known, ..)| *known == id)).then(|| (id, token.to_owned()));
    }

    /// A click. `None`: the popup is not ours, or has no such button. A popup that was closed a moment ago is still known,
    /// because servers do not agree on what they tell first.
    pub(crate) fn press(&mut self, id: u32, key: &str) -> Option<Press> {
        let (_, buttons, _) = self.offers.iter().find(|(known, ..)| *known == id)?;
        let button = match key {
            DEFAULT => buttons.first().copied().filter(|button| matches!(button, Button::Details(_)))?,
            key => buttons.iter().copied().find(|button| button.key() == key)?,
        };
        Some(Press { button, token: self.token.take_if(|(of, _)| *of == id).map(|(_, token)| token) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::{
        incident, preview,
        tests::{alert, english},
    };
    use firebell_shared::severity::Severity;

    fn keys(source: &str, kind: &str) -> Vec<&'static str> {
        let mut alert = alert(7, kind, 4);
        alert.source = source.to_owned();
        of(&incident(&english(), &alert, Severity::AIMED).about).into_iter().map(Button::key).collect()
    }

    #[test]
    fn only_a_device_nearby_can_be_trusted_and_only_one_source_muted() {
        assert_eq!(keys("198.51.100.66", "syn-scan"), ["details", "mute"]);
        assert_eq!(keys("192.168.1.7", "syn-scan"), ["details", "mute", "trust"]);
        assert_eq!(keys("fe80::1", "syn-scan"), ["details", "mute", "trust"]);
        assert_eq!(keys("203.0.113.0/24", "port-sweep"), ["details", "mute"]);
        for nobody in ["", "no address", "0.0.0.0/0", "192.168.1.7; rm -rf /"] {
            assert_eq!(keys(nobody, "decoy-scan"), ["details"], "{nobody}");
        }
        assert_eq!(keys("", "test"), [""; 0]);
        assert_eq!(of(&preview(&english(), &alert(0, "syn-scan", 4)).about), []);
    }

    #[test]
    fn a_click_means_what_the_popup_said_when_it_was_shown_last() {
        let source: Source = "192.0.2.7".parse().unwrap();
        let mut offers = Offers::default();
        offers.put(1, vec![Button::Details(40), Button::Mute(source)], false);
        offers.put(2, vec![Button::Undo(Manner::Muted, source)], false);
        let mut pressed = |id, key| offers.press(id, key).map(|press| press.button);
        assert_eq!(pressed(1, "details"), Some(Button::Details(40)));
        assert_eq!(pressed(1, DEFAULT), Some(Button::Details(40)));
        assert_eq!(pressed(1, "mute"), Some(Button::Mute(source)));
        assert_eq!(pressed(2, "undo"), Some(Button::Undo(Manner::Muted, source)));
        // A click beside the buttons changes nothing; foreign popups and keys mean nothing.
        for (id, key) in [(2, DEFAULT), (1, "undo"), (2, "details"), (3, "details"), (1, ""), (1, "Details")] {
            assert_eq!(pressed(id, key), None, "{id} {key}");
        }
        offers.put(1, vec![Button::Details(41)], false);
        assert_eq!(offers.press(1, DEFAULT).unwrap().button, Button::Details(41));
        assert_eq!(offers.press(1, "mute"), None);
        offers.clear();
        assert_eq!(offers.press(1, DEFAULT), None);
    }

    #[test]
    fn a_token_goes_with_one_click_on_its_own_popup() {
        let mut offers = Offers::default();
        offers.put(1, vec![Button::Details(40)], false);
        offers.put(2, vec![Button::Details(41)], false);
        offers.token(1, "gnome-shell/x/1-2-host_TIME3");
        assert_eq!(offers.press(2, DEFAULT).unwrap().token, None);
        assert_eq!(offers.press(1, DEFAULT).unwrap().token.as_deref(), Some("gnome-shell/x/1-2-host_TIME3"));
        assert_eq!(offers.press(1, DEFAULT).unwrap().token, None);
        for bad in ["", "a b", "a\nb", "a\0b", "é", "\x1b[31m", &"x".repeat(65_536)] {
            offers.token(1, bad);
            assert_eq!(offers.press(1, DEFAULT).unwrap().token, None, "{bad:.20}");
        }
        // Of popups that are not ours nothing is kept.
        offers.token(9, "token");
        assert_eq!(offers.token, None);
    }

    #[test]
    fn the_number_of_popups_that_are_known_is_bounded() {
        let mut offers = Offers::default();
        (0..100_000).for_each(|id| offers.put(id, vec![Button::Details(u64::from(id))], false));
        assert_eq!(offers.offers.len(), MAX_OFFERS);
        assert!(offers.press(99_999, DEFAULT).is_some() && offers.press(0, DEFAULT).is_none());
    }
}
