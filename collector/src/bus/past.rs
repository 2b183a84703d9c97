//! Alerts of earlier, from memory or from the disk.

use super::{Board, service::Error};
use crate::{
    history::{Filter, Page},
    store::{Desk, Question},
};
use firebell_shared::alert::Alert;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Board {
    /// From now on alerts that memory does not hold are looked for there.
    pub fn remember_with(&self, desk: Arc<Desk>) {
        // There is one store in a process.
        let _ = self.past.set(desk);
    }

    /// Alerts after `after_seq` that fit, a page of them.
    pub(super) async fn list(&self, after_seq: u64, limit: usize, filter: &Filter) -> Result<Page, Error> {
        let last_seq = {
            let history = &self.lock().history;
            if after_seq >= history.missing_to() || self.past.get().is_none() {
                return Ok(history.list(after_seq, limit, filter));
            }
            history.missing_to()
        };
        let question = |answer| Question::List { after_seq, last_seq, limit, filter: filter.clone(), answer };
        // What the disk does not give, memory may still have.
        let page = self.ask_past(question).await?.flatten();
        Ok(page.unwrap_or_else(|| self.lock().history.list(after_seq, limit, filter)))
    }

    /// The newest revision of the incident `id`.
    pub(super) async fn get(&self, id: u64) -> Result<Option<Arc<Alert>>, Error> {
        {
            let history = &self.lock().history;
            let alert = history.get(id);
            if alert.is_some() || history.missing_to() == 0 {
                return Ok(alert);
            }
        }
        Ok(self.ask_past(|answer| Question::Get { id, answer }).await?.flatten())
    }

    async fn ask_past<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<Option<T>, Error> {
        let Some(desk) = self.past.get() else { return Ok(None) };
        let (answer, answered) = oneshot::channel();
        if desk.ask(question(answer)) {
            // No answer: the collector ends.
            Ok(answered.await.ok())
        } else {
            Err(Error::LimitExceeded("too many ask for old alerts at once; try again".into()))
        }
    }
}
