//! What a click on a button does.

use super::Agent;
use crate::{
    buttons::{Button, Press},
    control::Error,
    mutes::{Manner, Source},
    page, present,
};
use tracing::{debug, warn};

/// Pages that are made at the same time. Who clicks faster than they come waits for those.
const MAX_PAGES: usize = 4;

/// A page that could not be shown.
#[derive(Debug)]
pub(super) struct NoPage {
    incident: u64,
    why: String,
}

impl Agent {
    /// Does what somebody clicked.
    pub(super) fn press(&mut self, press: Press) {
        debug!(button = press.button.key(), "pressed");
        match press.button {
            Button::Details(incident) => {
                if self.pages.len() < MAX_PAGES {
                    self.pages.spawn(async move { page::open(incident, press.token).await.map_err(|why| NoPage { incident, why }) });
                }
            }
            Button::Mute(source) => self.hide_and_say(Manner::Muted, source),
            Button::Trust(source) => self.hide_and_say(Manner::Trusted, source),
            Button::Undo(manner, source) => {
                let sentence = self.unhide(manner, source).unwrap_or_else(|error| error.to_string());
                self.say(&sentence, present::About::Nothing);
            }
        }
    }

    /// Says what to do where a page could not be shown.
    pub(super) fn no_page(&mut self, NoPage { incident, why }: NoPage) {
        warn!("cannot show incident {incident} in a browser: {why}");
        let id = incident.to_string();
        let sentence = self.ledger.words().say("details-failed", &[("id", (&id).into())]);
        self.say(&sentence, present::About::Nothing);
    }

    fn hide_and_say(&mut self, manner: Manner, source: Source) {
        match self.hide(manner, source, 0) {
            Ok(sentence) => self.say(&sentence, present::About::Hidden { manner, source }),
            Err(Error::LimitExceeded(why)) => self.say(&why, present::About::Nothing),
            Err(error) => debug!(%error, "not hidden"),
        }
    }

    fn say(&mut self, sentence: &str, about: present::About) {
        self.ledger.say(present::answer(sentence, about), self.start.elapsed());
    }
}
