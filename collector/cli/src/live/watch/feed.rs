//! The thread that asks the collector, so that a slow bus never holds a key.

use super::super::{PATIENCE, changes, pages, status::plain_all};
use crate::Failure;
use firebell_shared::{alert::Alert, client::CollectorProxy};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;

/// How often it asks.
const EVERY: Duration = Duration::from_secs(1);
/// The sums of the last hour are asked for once in so many rounds.
const SUMMARY_ROUNDS: u64 = 10;
/// How often it looks for a collector that has gone.
const EVERY_WITHOUT: Duration = Duration::from_secs(2);
/// News that may wait for the screen, and orders that may wait for the bus.
const WAITING: usize = 16;
/// So many of the newest incidents are shown.
pub(super) const MAX_INCIDENTS: usize = 1000;
/// A source that is muted from here is so for a day.
const MUTE_SECONDS: u64 = 86_400;

/// What the screen gets to know.
#[derive(Debug)]
pub(super) enum News {
    /// Newer revisions of incidents.
    Alerts(Vec<Alert>),
    /// Incidents are counted anew: those of before are gone.
    Anew,
    /// Counters of the collector.
    Status(BTreeMap<String, Value>),
    /// Sums of the last hour.
    Hour(BTreeMap<String, Value>),
    /// What became of an order.
    Answer(String),
    /// There is no collector at the moment, and why.
    Gone(String),
    /// There is no use in going on.
    Refused(Failure),
}

/// What the person at the screen wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Mute a source for a day.
    Mute(String),
    /// An incident is dealt with, or not after all.
    Acknowledge(u64, bool),
}

/// Both ends of it.
#[derive(Debug)]
pub(super) struct Feed {
    news: Receiver<News>,
    orders: mpsc::Sender<Order>,
}

impl Feed {
    /// Starts the thread. It ends with the feed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> io::Result<Self> {
        let ((send, news), (orders, mut wanted)) = (sync_channel(WAITING), mpsc::channel(WAITING));
        thread::Builder::new().name("feed".into()).spawn(move || run(&send, &mut wanted))?;
        Ok(Self { news, orders })
    }

    /// The next news, if there are any.
    pub(super) fn news(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// Gives an order. False: too many wait.
    pub(super) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }
}

fn run(news: &SyncSender<News>, orders: &mut mpsc::Receiver<Order>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let mut place = Place::default();
        loop {
            let news_of_the_end = match follow(news, orders, &mut place).await {
                Ok(()) => return,
                Err(error) => match Failure::from_bus(&error) {
                    failure @ Failure::NotPermitted(_) => News::Refused(failure),
                    failure => News::Gone(failure.to_string()),
                },
            };
            if news.send(news_of_the_end).is_err() {
                return;
            }
            tokio::time::sleep(EVERY_WITHOUT).await;
        }
    });
}

/// How far the incidents are known.
#[derive(Debug, Default)]
struct Place {
    history_id: String,
    last_seq: u64,
}

/// Asks until the screen is gone, which is no error.
async fn follow(news: &SyncSender<News>, orders: &mut mpsc::Receiver<Order>, place: &mut Place) -> zbus::Result<()> {
    let connection = zbus::connection::Builder::system().method_timeout(PATIENCE).build().await?;
    let collector = CollectorProxy::new(&connection).await?;
    let history_id = collector.history_id().await?;
    if place.history_id != history_id {
        *place = Place { history_id, last_seq: 0 };
        if news.send(News::Anew).is_err() {
            return Ok(());
        }
    }
    for round in 0_u64.. {
        let mut alerts = VecDeque::new();
        place.last_seq = pages(&collector, place.last_seq, &HashMap::new(), |alert| {
            alerts.push_back(alert);
            if alerts.len() > MAX_INCIDENTS {
                alerts.pop_front();
            }
        })
        .await?;
        let mut all = vec![News::Alerts(alerts.into()), News::Status(plain_all(&collector.status().await?))];
        if round.is_multiple_of(SUMMARY_ROUNDS) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
            let summary = collector.summary(now.saturating_sub(3_600_000_000), now).await?;
            all.push(News::Hour(plain_all(&summary)));
        }
        // Nothing is sent inside `select!`: it only chooses what to do.
        let order = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => return Ok(()),
            },
            () = tokio::time::sleep(EVERY) => None,
        };
        if let Some(order) = order {
            all.extend(carry_out(&collector, order).await);
        }
        for one in all {
            if news.send(one).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Does what is wanted, and says what came of it. That somebody may not is no reason to end.
async fn carry_out(collector: &CollectorProxy<'static>, order: Order) -> Vec<News> {
    let (answer, id) = match order {
        Order::Mute(source) => (changes::hide(collector, &source, MUTE_SECONDS).await, None),
        Order::Acknowledge(id, is_dealt_with) => (changes::acknowledge(collector, id, is_dealt_with).await, Some(id)),
    };
    let sentence = answer.unwrap_or_else(|error| Failure::from_bus(&error).to_string());
    let mut news = vec![News::Answer(sentence)];
    if let Some(id) = id
        && let Ok(wire) = collector.get_alert(id).await
    {
        news.extend(Alert::from_wire(wire).ok().map(|alert| News::Alerts(vec![alert])));
    }
    news
}
