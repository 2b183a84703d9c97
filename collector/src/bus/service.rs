//! The interface `org.firebell.Collector1`: what callers may ask.

use super::{Board, Out, Question, Value, callers::identify, rights::Who};
use crate::{
    digest::SourceRow,
    explain,
    history::{Filter, network_of},
    store::MomentRow,
};
use firebell_shared::{
    alert::{Alert, Delivery, Details, OriginWord, Wire},
    kind,
    mutes::Manner,
    names::{ACTION_MANAGE, ACTION_VIEW, COLLECTOR_INTERFACE, MAX_LIST},
    severity::Severity,
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::oneshot;
use zbus::{
    Connection, DBusError,
    message::Header,
    names::OwnedUniqueName,
    object_server::{Interface, SignalEmitter},
    proxy::CacheProperties,
    wire::{OwnedVariant, Variant},
};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

/// The object at [`firebell_shared::names::COLLECTOR_PATH`].
#[derive(Debug)]
pub(super) struct Collector {
    board: Arc<Board>,
}

/// Why a call has no answer: `org.firebell.Error.*`.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.firebell.Error")]
pub(super) enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    NotAuthorized(String),
    NotFound(String),
    InvalidArgument(String),
    LimitExceeded(String),
    NotReady(String),
}

impl Collector {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self { board }
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }
}

/// Methods end with one that has an `out` argument: `busctl introspect` of systemd 252 shows the signals
/// after them wrongly otherwise.
#[zbus::interface(name = "org.firebell.Collector1")]
impl Collector {
    /// Asks for the `Alert` signals; gives the sequence number of the newest alert.
    #[zbus(out_args("seq"))]
    async fn subscribe(&self, #[zbus(header)] header: Header<'_>, #[zbus(connection)] connection: &Connection) -> Result<u64, Error> {
        let call = self.viewer(&header, connection).await?;
        let mut state = self.board.lock();
        // Whoever left while polkit was asked would be a subscriber for ever: its end has been heard already.
        if !state.callers.are_watching(&call.name) {
            return Err(Error::NotReady("the caller was lost sight of; call again".into()));
        }
        if !state.subscribers.add(call.name.clone()) {
            return Err(Error::LimitExceeded("there are 32 subscriptions already".into()));
        }
        Ok(state.history.last_seq())
    }

    /// Ends the subscription of the caller; without one it does nothing.
    async fn unsubscribe(&self, #[zbus(header)] header: Header<'_>, #[zbus(connection)] connection: &Connection) -> Result<(), Error> {
        let call = self.begin(&header, connection).await?;
        self.board.lock().subscribers.remove(&call.name);
        Ok(())
    }

    /// Says that all alerts up to `seq` have arrived.
    async fn received(
        &self,
        seq: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        let call = self.begin(&header, connection).await?;
        let mut state = self.board.lock();
        let missed = state.subscribers.received(&call.name, seq);
        match missed {
            None => Err(Error::NotFound("the caller has no subscription; call Subscribe first".into())),
            Some(None) => Ok(()),
            Some(Some(missed)) => {
                if self.board.outbox.try_send(Out::Missed(call.name.clone(), missed)).is_err() {
                    // Told the next time.
                    state.subscribers.put_back(&call.name, missed);
                }
                Ok(())
            }
        }
    }

    /// Alerts after `after_seq`, oldest first, the newest revision of each incident.
    #[zbus(out_args("alerts", "last_seq", "more"))]
    async fn list_alerts(
        &self,
        after_seq: u64,
        limit: u32,
        filter: HashMap<String, OwnedVariant>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(Vec<Wire>, u64, bool), Error> {
        self.viewer(&header, connection).await?;
        if limit == 0 || limit > MAX_LIST {
            return Err(Error::InvalidArgument(format!("limit is {limit}; use 1 to {MAX_LIST}")));
        }
        let filter = read_filter(&filter)?;
        let page = self.board.list(after_seq, limit as usize, &filter).await?;
        Ok((page.alerts.iter().map(|alert| alert.to_wire()).collect(), page.last_seq, page.more))
    }

    /// The newest revision of the incident `id`.
    #[zbus(out_args("alert"))]
    async fn get_alert(
        &self,
        id: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(Wire,), Error> {
        self.viewer(&header, connection).await?;
        let alert = self.board.get(id).await?;
        alert.map(|alert| (alert.to_wire(),)).ok_or_else(|| Error::NotFound(format!("there is no incident {id}")))
    }

    /// Why there is the incident `id`, and what would silence it, as JSON.
    #[zbus(out_args("explanation"))]
    async fn explain(
        &self,
        id: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Error> {
        self.viewer(&header, connection).await?;
        let alert = self.board.lock().history.get(id);
        let alert = alert.ok_or_else(|| Error::NotFound(format!("there is no incident {id}")))?;
        let found = self.ask(|answer| Question::Explain(id, answer)).await?;
        Ok(explain::document(&alert, found.as_ref()))
    }

    /// State and counters.
    #[zbus(out_args("status"))]
    async fn status(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<HashMap<String, OwnedVariant>, Error> {
        self.viewer(&header, connection).await?;
        let counters = self.ask(Question::Status).await?;
        Ok(self.read_status(&counters))
    }

    /// The rules in force: id, packets that fitted, and when the last one did in microseconds since 1970 (0: never).
    #[zbus(out_args("rules"))]
    async fn rule_hits(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<(String, u64, u64)>, Error> {
        self.viewer(&header, connection).await?;
        self.ask(Question::RuleHits).await
    }

    /// How the incident `id` went, from its first moment on: when in microseconds since 1970, what happened, severity, packets and contacts
    /// so far, and the line of the log that made firebelld tell it.
    #[zbus(out_args("moments"))]
    async fn timeline(
        &self,
        id: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<MomentRow>, Error> {
        self.viewer(&header, connection).await?;
        self.board.moments(id).await
    }

    /// The sources of all incidents, the most severe first and of these the one that was seen last: source, highest severity, packets,
    /// contacts, when it was last seen in microseconds since 1970.
    #[zbus(out_args("sources"))]
    async fn list_sources(
        &self,
        limit: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<SourceRow>, Error> {
        self.viewer(&header, connection).await?;
        Ok(self.sources_from(0, limit).await?.0)
    }

    /// The same without the first `skip`; and how many sources there are.
    #[zbus(out_args("sources", "all"))]
    async fn page_sources(
        &self,
        skip: u32,
        limit: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(Vec<SourceRow>, u32), Error> {
        self.viewer(&header, connection).await?;
        self.sources_from(skip, limit).await
    }

    /// What the incidents come to that were last told between two moments, in microseconds since 1970.
    #[zbus(out_args("summary"))]
    async fn summary(
        &self,
        since: u64,
        until: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<HashMap<String, OwnedVariant>, Error> {
        self.viewer(&header, connection).await?;
        if since > until {
            return Err(Error::InvalidArgument(format!("since is {since} and later than until, {until}")));
        }
        let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
        let (digest, is_whole) = self.board.digest(&filter).await?;
        Ok(digest.summary(since, until, is_whole).iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.to_wire()?))).collect())
    }

    /// For 1 to 2,592,000 seconds an address or a network is seen and kept and has no popup for anybody, unless it becomes worse.
    async fn mute(
        &self,
        source: &str,
        seconds: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.manager(&header, connection).await?;
        self.mute_source(source, seconds).await
    }

    /// Ends `Mute`, for exactly this source.
    async fn unmute(
        &self,
        source: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.manager(&header, connection).await?;
        self.end_hiding(Manner::Muted, source).await
    }

    /// Looks at nothing that comes from an address or a network, until `Untrust`.
    async fn trust(
        &self,
        source: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.manager(&header, connection).await?;
        self.trust_source(source).await
    }

    /// Ends `Trust`, for exactly this source.
    async fn untrust(
        &self,
        source: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.manager(&header, connection).await?;
        self.end_hiding(Manner::Trusted, source).await
    }

    /// Writes a note of at most 512 bytes to the incident `id`, in the place of the one before; an empty one takes it away.
    async fn note(
        &self,
        id: u64,
        note: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.manager(&header, connection).await?;
        self.note_incident(id, note).await
    }

    /// Says that the incident `id` is dealt with, until it becomes worse or begins again.
    async fn acknowledge(
        &self,
        id: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.manager(&header, connection).await?;
        self.acknowledge_incident(id).await
    }

    /// Takes `Acknowledge` back.
    async fn unacknowledge(
        &self,
        id: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        self.manager(&header, connection).await?;
        self.unacknowledge_incident(id).await
    }

    /// Forgets incidents that are over and were last told before `before`, in microseconds since 1970, or are not among the newest `keep`;
    /// gives how many.
    #[zbus(out_args("removed"))]
    async fn prune_history(
        &self,
        before: u64,
        keep: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<u64, Error> {
        self.manager(&header, connection).await?;
        self.board.forget(before, keep).await
    }

    /// Takes in at most 500 incidents, as `ListAlerts` gives them, of the history with this name; gives how many are new, and how many are
    /// here already.
    #[zbus(out_args("taken", "known"))]
    async fn import_history(
        &self,
        history_id: String,
        alerts: Vec<Wire>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(u64, u64), Error> {
        self.manager(&header, connection).await?;
        self.import_incidents(history_id, alerts).await
    }

    /// Reads the configuration, rule files and lists again; says what is in force now, and which keys need a restart. A mistake in
    /// any of them leaves everything as it was, and is the error.
    #[zbus(out_args("in_force"))]
    async fn reload(&self, #[zbus(header)] header: Header<'_>, #[zbus(connection)] connection: &Connection) -> Result<String, Error> {
        self.manager(&header, connection).await?;
        self.ask(Question::Reload).await?.map_err(Error::InvalidArgument)
    }

    /// Sends an alert of kind `test` to the caller alone; gives its id.
    #[zbus(out_args("id"))]
    async fn send_test(&self, #[zbus(header)] header: Header<'_>, #[zbus(connection)] connection: &Connection) -> Result<u64, Error> {
        let call = self.viewer(&header, connection).await?;
        let alert = test_alert(self.board.next_test());
        let id = alert.id;
        let out = Out::Test(call.name.clone(), Arc::new(alert));
        self.board.outbox.try_send(out).map_err(|_| Error::LimitExceeded("too many alerts wait to be sent; try again".into()))?;
        Ok(id)
    }

    /// One revision of one incident.
    #[zbus(signal)]
    async fn alert(
        emitter: &SignalEmitter<'_>,
        id: u64,
        time_usec: u64,
        severity: u8,
        kind: &str,
        source: &str,
        summary: &str,
        details: HashMap<&str, Variant<'_>>,
    ) -> zbus::Result<()>;

    /// Alerts that were held back: first and last sequence number, how many.
    #[zbus(signal)]
    async fn alerts_suppressed(emitter: &SignalEmitter<'_>, first_seq: u64, last_seq: u64, count: u32) -> zbus::Result<()>;

    /// Version of the collector.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Changes when ids start anew.
    #[zbus(property(emits_changed_signal = "const"))]
    fn history_id(&self) -> &str {
        &self.board.history_id
    }

    /// State (`ok`, `degraded`, `blind`) and its reason.
    #[zbus(property)]
    fn health(&self) -> (String, String) {
        let state = self.board.lock();
        (state.health.state.to_string(), state.health.reason.to_owned())
    }
}

/// A call that is being worked on.
struct Call {
    board: Arc<Board>,
    name: OwnedUniqueName,
    who: Who,
}

/// A place among the calls that are worked on.
struct Place<'a>(&'a Arc<Board>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().calls.end();
    }
}

/// A question to polkit that waits for its answer.
struct Check<'a>(&'a Call);

impl Drop for Check<'_> {
    fn drop(&mut self) {
        self.0.board.lock().calls.end_check(self.0.who.uid);
    }
}

impl Collector {
    /// Finds out who calls, and refuses those who call too often.
    async fn begin(&self, header: &Header<'_>, connection: &Connection) -> Result<Call, Error> {
        let name: OwnedUniqueName = header.sender().ok_or_else(|| Error::NotAuthorized("the call has no sender".into()))?.to_owned().into();
        if !self.board.lock().calls.begin() {
            return Err(Error::LimitExceeded("too many calls at once; try again".into()));
        }
        let _place = Place(&self.board);
        let who = identify(&self.board, connection, &name)
            .await
            .map_err(|error| Error::NotReady(format!("the bus does not say who calls: {error}")))?;
        if !self.board.lock().calls.count(who.uid, Instant::now()) {
            return Err(Error::LimitExceeded("more than 20 calls in a second; try again later".into()));
        }
        Ok(Call { board: Arc::clone(&self.board), name, who })
    }

    async fn sources_from(&self, skip: u32, limit: u32) -> Result<(Vec<SourceRow>, u32), Error> {
        if limit == 0 || limit > MAX_LIST {
            return Err(Error::InvalidArgument(format!("limit is {limit}; use 1 to {MAX_LIST}")));
        }
        let (digest, _) = self.board.digest(&Filter::default()).await?;
        let all = u32::try_from(digest.count_sources()).unwrap_or(u32::MAX);
        Ok((digest.sources(skip as usize, limit as usize), all))
    }

    /// Asks the loop.
    pub(super) async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.board.questions.try_send(question(answer)).map_err(|_| Error::LimitExceeded("too many ask at once; try again".into()))?;
        answered.await.map_err(|_| Error::NotReady("the collector ends".into()))
    }

    /// `begin`, and refuses those who may not hear alerts.
    async fn viewer(&self, header: &Header<'_>, connection: &Connection) -> Result<Call, Error> {
        let call = self.begin(header, connection).await?;
        if self.board.lock().rights.allow(&call.who) {
            return Ok(call);
        }
        let refusal = "this user may not see firewall alerts";
        match self.asks_polkit(&call, header, connection, ACTION_VIEW).await? {
            Ok(true) => Ok(call),
            Ok(false) => Err(Error::NotAuthorized(format!("{refusal}; ask the administrator to add it to [bus] viewers"))),
            Err(error) => Err(Error::NotAuthorized(format!("{refusal} unless polkit says so, which does not answer: {error}"))),
        }
    }

    /// `begin`, and refuses those who may not change anything.
    async fn manager(&self, header: &Header<'_>, connection: &Connection) -> Result<Call, Error> {
        let call = self.begin(header, connection).await?;
        if self.board.lock().rights.allow_managing(&call.who) {
            return Ok(call);
        }
        match self.asks_polkit(&call, header, connection, ACTION_MANAGE).await? {
            Ok(true) => Ok(call),
            _ => Err(Error::NotAuthorized("this user may not change what the collector does; do it as root".into())),
        }
    }

    /// May the caller change how much is said? The reason, where it may not.
    pub(super) async fn may_change(&self, header: &Header<'_>, connection: &Connection) -> Result<(), String> {
        self.manager(header, connection).await.map(drop).map_err(|error| error.to_string())
    }

    async fn asks_polkit(
        &self,
        call: &Call,
        header: &Header<'_>,
        connection: &Connection,
        action: &str,
    ) -> Result<zbus::Result<bool>, Error> {
        if !self.board.lock().calls.begin_check(call.who.uid) {
            return Err(Error::LimitExceeded("4 questions to polkit wait for this user already".into()));
        }
        let _check = Check(call);
        Ok(ask_polkit(header, connection, action).await)
    }

    fn read_status(&self, counters: &[(&str, Value)]) -> HashMap<String, OwnedVariant> {
        let state = self.board.lock();
        let mut status: HashMap<String, OwnedVariant> = HashMap::new();
        status.extend(counters.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.to_wire()?))));
        let mut put = |key: &str, value: Variant<'_>| {
            // A variant fails to be owned only when it holds a file descriptor; ours hold none.
            if let Ok(value) = value.try_to_owned() {
                status.insert(key.to_owned(), value);
            }
        };
        put("version", env!("CARGO_PKG_VERSION").into());
        put("history_id", self.board.history_id.as_str().into());
        put("health", state.health.state.to_string().into());
        put("health_reason", state.health.reason.into());
        put("started", self.board.started_usec.into());
        put("last_seq", state.history.last_seq().into());
        put("history_alerts", (state.history.len() as u64).into());
        put("history_evicted", state.history.evicted().into());
        put("subscribers", (state.subscribers.len() as u64).into());
        put("alerts_suppressed", state.suppressed.into());
        put("calls_refused", state.calls.refused().into());
        status
    }
}

impl Value {
    /// As the bus carries it. Nothing only for what holds a file descriptor; ours hold none.
    fn to_wire(&self) -> Option<OwnedVariant> {
        let value: Variant<'_> = match self {
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(list) => list.clone().into(),
            Self::Numbers(numbers) => numbers.clone().into(),
            Self::Truth(truth) => (*truth).into(),
        };
        value.try_to_owned().ok()
    }
}

/// May the caller do this? Asked by its unique name, which nobody can take over; nobody is asked for a
/// password, since the caller did not say that there is somebody to ask.
async fn ask_polkit(header: &Header<'_>, connection: &Connection, action: &str) -> zbus::Result<bool> {
    let subject = Subject::new_for_message_header(header).map_err(|error| zbus::Error::Failure(error.to_string()))?;
    let polkit = AuthorityProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    let answer = polkit.check_authorization(&subject, action, &HashMap::new(), CheckAuthorizationFlags::empty(), "").await?;
    Ok(answer.is_authorized)
}

fn read_filter(given: &HashMap<String, OwnedVariant>) -> Result<Filter, Error> {
    let mut filter = Filter::default();
    for (key, value) in given {
        let wrong = |expected: &str| Error::InvalidArgument(format!("filter `{key}` takes {expected}"));
        match key.as_str() {
            "min_severity" => {
                let level = u8::try_from(&**value).ok().and_then(|level| Severity::try_from(level).ok());
                filter.min_severity = level.ok_or_else(|| wrong("a byte from 1 to 5"))?.get();
            }
            "kind" => {
                let kind = <&str>::try_from(&**value).ok().filter(|kind| kind::is_known(kind));
                filter.kind = Some(kind.ok_or_else(|| wrong(&format!("one of {}", kind::KINDS.join(" "))))?.to_owned());
            }
            "source" => {
                let network = <&str>::try_from(&**value).ok().and_then(network_of);
                filter.source = Some(network.ok_or_else(|| wrong("an address or a network such as 198.51.100.0/24"))?);
            }
            "since" => filter.since = Some(u64::try_from(&**value).map_err(|_| wrong("microseconds since 1970, type t"))?),
            "until" => filter.until = Some(u64::try_from(&**value).map_err(|_| wrong("microseconds since 1970, type t"))?),
            _ => return Err(Error::InvalidArgument("a filter has min_severity, kind, source, since and until".into())),
        }
    }
    Ok(filter)
}

/// What `SendTest` sends: no sequence number, since it is in no history.
fn test_alert(id: u64) -> Alert {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0));
    Alert {
        id,
        time_usec: now,
        severity: Severity::AIMED,
        kind: "test".into(),
        source: String::new(),
        summary: "Test: alerts of firebell arrive".into(),
        details: Details {
            revision: 1,
            first_seen: now,
            last_seen: now,
            origin: OriginWord::Kernel,
            delivery: Delivery::Popup,
            why: "somebody asked for it with SendTest".into(),
            advice: "nothing to do".into(),
            ..Details::default()
        },
    }
}

/// The interface as introspection describes it, in a document that others can be held against.
#[must_use]
pub fn introspection() -> String {
    let (board, ..) = Board::new(crate::history::History::new(1), super::Rights::default(), false, String::new());
    let mut interface = String::new();
    Collector::new(board).introspect_to_writer(&mut interface, 2);
    format!(
        "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
         \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n\
         <!-- {COLLECTOR_INTERFACE} as firebelld offers it. Kept by a test: FIREBELL_BLESS=1 cargo test rewrites it. -->\n\
         <node name=\"{}\">\n{interface}</node>\n",
        firebell_shared::names::COLLECTOR_PATH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(value: &Variant<'_>) -> OwnedVariant {
        value.try_to_owned().unwrap()
    }

    #[test]
    fn a_filter_is_read_and_what_is_no_filter_says_what_is() {
        let filter = read_filter(&HashMap::from([
            ("min_severity".into(), owned(&3_u8.into())),
            ("kind".into(), owned(&"syn-scan".into())),
            ("source".into(), owned(&"198.51.100.0/24".into())),
            ("since".into(), owned(&5_u64.into())),
        ]))
        .unwrap();
        assert_eq!((filter.min_severity, filter.kind.as_deref(), filter.since, filter.until), (3, Some("syn-scan"), Some(5), None));
        for (key, value) in [
            ("min_severity", owned(&9_u8.into())),
            ("min_severity", owned(&3_u32.into())),
            ("kind", owned(&"sin-scan".into())),
            ("source", owned(&"here".into())),
            ("since", owned(&"yesterday".into())),
            ("severity", owned(&3_u8.into())),
        ] {
            let error = read_filter(&HashMap::from([(key.into(), value)])).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{key}: {error:?}");
        }
    }

    #[test]
    fn a_test_is_an_alert_that_survives_the_wire() {
        let alert = test_alert(firebell_shared::names::MAX_ID - 1);
        assert_eq!(Alert::from_wire(alert.to_wire()), Ok(alert));
    }
}
