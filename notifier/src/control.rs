//! `org.firebell.Notifier1` on the session bus: what the user, and programs of theirs, may ask of the agent.
//!
//! Arguments are checked here; the loop of the agent answers, one call after the other, between two popups.
//! A session bus belongs to one user, so nobody is refused; but calls are bounded: [`MAX_WAITING`] that wait, [`PER_SECOND`].

use crate::mutes::{self, Manner, Source};
use firebell_shared::{kind, text};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use zbus::{
    DBusError,
    wire::{OwnedVariant, Variant},
};

/// Calls that wait for the loop.
pub(crate) const MAX_WAITING: usize = 16;
/// Calls that are answered in a second; more are refused. As at the collector.
const PER_SECOND: u32 = 20;

/// What the loop is asked, and where the answer goes.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) question: Question,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What can be asked. All of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Status,
    /// `seconds` 0: until somebody ends it.
    Hide {
        manner: Manner,
        source: Source,
        seconds: u64,
    },
    Unhide {
        manner: Manner,
        source: Source,
    },
    /// One of [`kind::KINDS`].
    Preview(&'static str),
    Reload,
}

/// What the loop says.
pub(crate) type Answer = Result<Said, Error>;

/// An answer that is no error.
#[derive(Debug)]
pub(crate) enum Said {
    /// A sentence for people.
    Sentence(String),
    Status(Status),
}

/// Names and values.
pub(crate) type Status = HashMap<&'static str, Variant<'static>>;

/// Why a call has no answer: `org.firebell.Error.*`.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.firebell.Error")]
pub(crate) enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    NotFound(String),
    InvalidArgument(String),
    LimitExceeded(String),
    NotReady(String),
}

/// The object at [`firebell_shared::names::NOTIFIER_PATH`].
#[derive(Debug)]
pub(crate) struct Control {
    requests: mpsc::Sender<Request>,
    calls: Mutex<Calls>,
}

/// Calls of the current second.
#[derive(Debug)]
struct Calls {
    since: Instant,
    count: u32,
}

impl Control {
    pub(crate) fn new(requests: mpsc::Sender<Request>) -> Self {
        Self { requests, calls: Mutex::new(Calls { since: Instant::now(), count: 0 }) }
    }

    async fn ask(&self, question: Question) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.requests
            .try_send(Request { question, answer })
            .map_err(|_| Error::LimitExceeded(format!("{MAX_WAITING} calls wait already; try again")))?;
        answered.await.map_err(|_| Error::NotReady("the agent ends".to_owned()))?
    }

    async fn sentence(&self, question: Question) -> Result<String, Error> {
        match self.ask(question).await? {
            Said::Sentence(sentence) => Ok(sentence),
            Said::Status(_) => Ok(String::new()),
        }
    }

    /// Refuses those who call too often.
    fn count(&self) -> Result<(), Error> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.since.elapsed() >= Duration::from_secs(1) {
            *calls = Calls { since: Instant::now(), count: 0 };
        }
        calls.count = calls.count.saturating_add(1);
        if calls.count > PER_SECOND {
            return Err(Error::LimitExceeded(format!("more than {PER_SECOND} calls in a second; try again later")));
        }
        Ok(())
    }
}

/// Each call takes a call of the second before anything else is done with it.
#[zbus::interface(name = "org.firebell.Notifier1")]
impl Control {
    /// Versions, state and counters of the agent.
    #[zbus(out_args("status"))]
    async fn status(&self) -> Result<HashMap<String, OwnedVariant>, Error> {
        self.count()?;
        let Said::Status(status) = self.ask(Question::Status).await? else { return Ok(HashMap::new()) };
        // A variant fails to be owned only when it holds a file descriptor; ours hold none.
        Ok(status.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.try_into().ok()?))).collect())
    }

    /// Shows no popups of a source (an address or a network) for so many seconds, 1 to 2,592,000, or with 0 until `Unmute`. What
    /// becomes worse than it is now shows. Gives a sentence that says how to undo it.
    #[zbus(out_args("sentence"))]
    async fn mute(&self, source: &str, seconds: u64) -> Result<String, Error> {
        self.count()?;
        if seconds > mutes::MAX_SECONDS {
            return Err(Error::InvalidArgument(format!("seconds is {seconds}; use 1 to {}, or 0 for no end", mutes::MAX_SECONDS)));
        }
        self.sentence(Question::Hide { manner: Manner::Muted, source: read(source)?, seconds }).await
    }

    /// Ends what `Mute` began, for exactly this source. Nothing old is shown.
    #[zbus(out_args("sentence"))]
    async fn unmute(&self, source: &str) -> Result<String, Error> {
        self.count()?;
        self.sentence(Question::Unhide { manner: Manner::Muted, source: read(source)? }).await
    }

    /// Shows no popups of a device that the user knows, until `Untrust`, except of severity 5.
    #[zbus(out_args("sentence"))]
    async fn trust(&self, source: &str) -> Result<String, Error> {
        self.count()?;
        self.sentence(Question::Hide { manner: Manner::Trusted, source: read(source)?, seconds: 0 }).await
    }

    /// Ends what `Trust` began, for exactly this source. Nothing old is shown.
    #[zbus(out_args("sentence"))]
    async fn untrust(&self, source: &str) -> Result<String, Error> {
        self.count()?;
        self.sentence(Question::Unhide { manner: Manner::Trusted, source: read(source)? }).await
    }

    /// Shows a popup as one of that kind looks, in the place of an earlier one of these. It comes back when the popup is on the screen.
    #[zbus(out_args("sentence"))]
    async fn preview(&self, kind: &str) -> Result<String, Error> {
        self.count()?;
        let known = kind::KINDS.into_iter().find(|known| *known == kind);
        let known = known.ok_or_else(|| Error::InvalidArgument(format!("there is no such kind; use one of {}", kind::KINDS.join(" "))))?;
        self.sentence(Question::Preview(known)).await
    }

    /// Reads notifier.toml again; says what is in force. A mistake in it leaves everything as it was, and is the error.
    #[zbus(out_args("in_force"))]
    async fn reload(&self) -> Result<String, Error> {
        self.count()?;
        self.sentence(Question::Reload).await
    }
}

fn read(source: &str) -> Result<Source, Error> {
    source.parse().map_err(|error| Error::InvalidArgument(format!("source {:?}: {error}", text::safe(source.as_bytes(), 64))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs to its end: nothing in here waits for a timer.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn what_is_no_argument_never_reaches_the_loop_and_says_what_is_one() {
        let (requests, mut asked) = mpsc::channel(MAX_WAITING);
        let control = Control::new(requests);
        let long = "x".repeat(65_536);
        for source in ["", "example.org", "0.0.0.0/0", long.as_str()] {
            let error = block_on(control.mute(source, 1)).unwrap_err().to_string();
            assert!(error.len() < 400 && (error.contains("192.0.2.7") || error.contains("/8 or longer")), "{error}");
        }
        let error = block_on(control.mute("192.0.2.7", mutes::MAX_SECONDS + 1)).unwrap_err().to_string();
        assert!(error.contains("use 1 to 2592000"), "{error}");
        let error = block_on(control.preview(&long)).unwrap_err().to_string();
        assert!(error.contains("egress-scan") && error.len() < 400, "{error}");
        assert!(asked.try_recv().is_err());
    }

    #[test]
    fn a_flood_of_calls_is_refused_and_waits_for_nobody() {
        let (requests, _asked) = mpsc::channel(MAX_WAITING);
        let control = Control::new(requests);
        let refused = block_on(async {
            let calls: Vec<_> = (0..100).map(|_| control.reload()).collect();
            let mut refused = 0;
            for call in calls {
                // Nobody answers: one that is taken in waits, one that is refused does not.
                let mut call = std::pin::pin!(call);
                tokio::select! { biased; answer = &mut call => refused += u32::from(answer.is_err()), () = std::future::ready(()) => {} }
            }
            refused
        });
        assert!(refused >= 80, "{refused}");
    }
}
