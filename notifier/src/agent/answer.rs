//! What the agent answers when it is asked over the session bus.

use super::Agent;
use crate::{
    collector::Sight,
    config,
    control::{Answer, Error, Question, Request, Said, Status},
    mutes::{Entry, Manner, Source},
    present, sample,
    words::Words,
};
use std::time::{SystemTime, UNIX_EPOCH};
use zbus::wire::Variant;

impl Agent {
    /// Does what was asked, and says so.
    ///
    /// # Errors
    /// As [`Agent::perform`]; what the caller did wrong is an answer.
    pub(super) async fn answer(&mut self, request: Request) -> anyhow::Result<()> {
        let answer = match request.question {
            Question::Status => Ok(Said::Status(self.status())),
            Question::Hide { manner, source, seconds } => self.hide(manner, source, seconds).map(Said::Sentence),
            Question::Unhide { manner, source } => self.unhide(manner, source).map(Said::Sentence),
            Question::Preview(kind) => self.preview(kind).await?,
            Question::Reload => self.reload().map(Said::Sentence).map_err(|error| Error::InvalidArgument(format!("{error:#}"))),
        };
        // Whoever asked may be gone.
        let _ = request.answer.send(answer);
        Ok(())
    }

    /// Hides a source, takes its popups away, and says how to undo it. `seconds` 0: until somebody ends it.
    pub(super) fn hide(&mut self, manner: Manner, source: Source, seconds: u64) -> Result<String, Error> {
        let seen = self.ledger.worst(|alert| source.is_of(alert));
        let entry = self.hidden.hide(manner, source, seconds, seen).map_err(|error| Error::LimitExceeded(error.to_string()))?;
        self.ledger.mute(|alert| self.hidden.hides(alert), self.start.elapsed());
        Ok(present::hidden(self.ledger.words(), &entry, seconds))
    }

    /// Ends that, and says how to undo it.
    pub(super) fn unhide(&mut self, manner: Manner, source: Source) -> Result<String, Error> {
        if self.hidden.end(manner, source) {
            return Ok(present::shown_again(self.ledger.words(), manner, source));
        }
        let around = self.hidden.list().into_iter().find(|entry| entry.manner == manner && entry.source.contains(source));
        let hint = around.map_or_else(String::new, |entry| format!("; it is part of {}, which is", entry.source));
        Err(Error::NotFound(format!("{source} is not {}{hint}", manner.as_str())))
    }

    async fn preview(&mut self, kind: &str) -> anyhow::Result<Answer> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0));
        let popup = present::preview(self.ledger.words(), &sample::alert(kind, now));
        self.ledger.say(popup, self.start.elapsed());
        while let Some(command) = self.ledger.next(self.start.elapsed()) {
            self.perform(command).await?;
        }
        Ok(if self.ledger.is_said() {
            Ok(Said::Sentence(self.ledger.words().say("preview-shown", &[])))
        } else {
            Err(Error::NotReady(format!("the popup is not shown: {}", self.complaint)))
        })
    }

    /// Reads the configuration again; says what is in force.
    ///
    /// # Errors
    /// What is wrong in it. Then everything stays as it was.
    pub(super) fn reload(&mut self) -> anyhow::Result<String> {
        let (config, path) = config::load(self.config_path.as_deref())?;
        self.ledger.set_rules(config.rules());
        self.has_sound = config.has_sound();
        // The time zone and the names of addresses may be others by now. The environment, and so the language, is that of the start.
        self.ledger.set_words(Words::of_environment().telling(config.templates()));
        self.stillness.set(config.quiet());
        self.keep_still();
        Ok(match path {
            Some(path) => format!("{} is in force", path.display()),
            None => "no configuration file; the defaults are in force".to_owned(),
        })
    }

    fn status(&self) -> Status {
        let (collector, reason) = match &self.sight {
            None => ("unknown", ""),
            Some(Sight::Absent) => ("absent", ""),
            Some(Sight::Blind(reason)) => ("blind", reason.as_str()),
            Some(Sight::Back | Sight::Fresh) => ("ok", ""),
        };
        let hidden = self.hidden.list();
        let sources = |manner| -> Vec<String> { of(&hidden, manner).map(|entry| entry.source.to_string()).collect() };
        let (incidents, popups_left) = self.ledger.load(self.start.elapsed());
        let counters = self.ledger.counters();
        let count = |n: usize| Variant::from(n as u64);
        Status::from([
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("collector", collector.into()),
            ("collector_reason", reason.to_owned().into()),
            ("server", if self.has_said_no_server { "absent" } else { "ok" }.into()),
            ("muted", sources(Manner::Muted).into()),
            ("muted_until", of(&hidden, Manner::Muted).map(|entry| entry.until.unwrap_or(0)).collect::<Vec<u64>>().into()),
            ("trusted", sources(Manner::Trusted).into()),
            ("quiet", self.stillness.reasons().iter().map(|reason| (*reason).to_owned()).collect::<Vec<String>>().into()),
            ("incidents_waiting", count(self.ledger.waiting())),
            ("incidents", count(incidents)),
            ("popups_left", count(popups_left)),
            ("popups_shown", counters.shown.into()),
            ("popups_updated", counters.updated.into()),
            ("popups_given_up", counters.given_up.into()),
            ("popups_refused", self.failures.into()),
            ("alerts_quiet", counters.quiet.into()),
            ("incidents_postponed", counters.postponed.into()),
            ("incidents_told_late", counters.told_late.into()),
            ("incidents_muted", counters.muted.into()),
            ("incidents_gathered", counters.gathered.into()),
            ("incidents_held", counters.held.into()),
            ("incidents_evicted", counters.evicted.into()),
        ])
    }
}

fn of(hidden: &[Entry], manner: Manner) -> impl Iterator<Item = &Entry> {
    hidden.iter().filter(move |entry| entry.manner == manner)
}
