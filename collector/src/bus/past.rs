//! Alerts of earlier, from memory or from the disk.

use super::{Board, service::Error};
use crate::{
    digest::Digest,
    history::{Filter, Page},
    remark::Remark,
    store::{Desk, Import, Imported, Moment, MomentRow, NotWritten, Question},
};
use firebell_shared::{
    alert::Alert,
    names::{MAX_ID, MAX_LIST},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A summary looks at incidents for so long at most, other calls and alerts in between.
const MAX_LOOK: Duration = Duration::from_secs(5);

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

    /// Sums over the incidents that fit. False: there was no time for all of them.
    pub(super) async fn digest(&self, filter: &Filter) -> Result<(Digest, bool), Error> {
        let place = self.summaries.try_acquire();
        let _place = place.map_err(|_| Error::LimitExceeded("too many summaries are being made; try again".into()))?;
        let (mut digest, mut after, begun) = (Box::<Digest>::default(), 0, Instant::now());
        loop {
            let missing_to = self.lock().history.missing_to();
            if after < missing_to && self.past.get().is_some() {
                let question = |answer| Question::Digest { after_seq: after, last_seq: missing_to, filter: filter.clone(), digest, answer };
                let Some((more, reached)) = self.ask_past(question).await?.flatten() else {
                    return Err(Error::NotReady("the history cannot be read; try again".into()));
                };
                (digest, after) = (more, reached.unwrap_or(missing_to));
            } else {
                let page = self.lock().history.list(after, MAX_LIST as usize, filter);
                page.alerts.iter().for_each(|alert| digest.add(alert));
                if !page.more || page.last_seq <= after || page.last_seq >= MAX_ID {
                    return Ok((*digest, true));
                }
                after = page.last_seq;
            }
            if begun.elapsed() >= MAX_LOOK {
                return Ok((*digest, false));
            }
            tokio::task::yield_now().await;
        }
    }

    /// How the incident `id` went; nothing where no history is on a disk.
    pub(super) async fn moments(&self, id: u64) -> Result<Vec<MomentRow>, Error> {
        let moments = self.ask_past(|answer| Question::Moments { id, answer }).await?.flatten().unwrap_or_default();
        Ok(moments.into_iter().map(Moment::row).collect())
    }

    /// Forgets incidents that are over; see [`crate::store::Database::forget`]. Alerts are written in between. Gives how many.
    pub(super) async fn forget(&self, before: u64, keep: u64) -> Result<u64, Error> {
        let mut sum = 0;
        loop {
            let gone = self.ask_past(|answer| Question::Forget { before, keep, answer }).await?;
            let gone = gone.unwrap_or(Err(NotWritten)).map_err(not_written)?;
            if gone.is_empty() {
                return Ok(sum);
            }
            self.lock().history.forget(&gone);
            sum += gone.len() as u64;
        }
    }

    /// Takes incidents in, under the numbers of `import`.
    pub(super) async fn import(&self, import: Import, alerts: Vec<Alert>) -> Result<Imported, Error> {
        let last_seq = import.after_seq + alerts.len() as u64;
        let done = self.ask_past(|answer| Question::Import { import, alerts, answer }).await?;
        let done = done.unwrap_or(Err(NotWritten)).map_err(not_written)?;
        if done.taken > 0 {
            self.lock().history.miss_to(last_seq);
        }
        Ok(done)
    }

    /// Says something of the incident `id`, on the disk and in memory. Gives the incident as it was before.
    pub(super) async fn remark(&self, id: u64, remark: Remark) -> Result<Arc<Alert>, Error> {
        let missing = || Error::NotFound(format!("there is no incident {id}"));
        let here = self.lock().history.get(id);
        if self.past.get().is_some() {
            let written = self.ask_past(|answer| Question::Remark { id, remark: remark.clone(), answer }).await?;
            let before = written.unwrap_or(Ok(None)).map_err(not_written)?;
            return match before {
                Some(before) => {
                    self.lock().history.remark(id, &remark);
                    Ok(before)
                }
                None if here.is_some() => Err(Error::NotReady("the incident is not written to the history yet; try again".into())),
                None => Err(missing()),
            };
        }
        self.lock().history.remark(id, &remark);
        here.ok_or_else(missing)
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

fn not_written(error: NotWritten) -> Error {
    Error::NotReady(format!("{error}; nothing has changed"))
}
