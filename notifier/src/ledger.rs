//! Which popup belongs to which incident, and when there is reason to show one. Pure: time comes in
//! as a value, commands come out.
//!
//! - One incident, one popup. What changes is shown in it, never beside it.
//! - A popup that somebody closed stays closed, unless the incident becomes worse.
//! - An update needs a reason: worse, over, grown tenfold, or quiet after a change. So 1,000 ports make at most three.
//! - Six popups an hour (severity 5 excepted). The last of them gathers all further incidents, so nothing is
//!   silent; the same happens with more than eight new sources in a minute, which are cheap to forge.
//! - What the user has muted takes no popup and no budget. When it becomes worse than that it is shown; when the mute ends it is not.
//! - One popup more says that nobody watches: the collector is blind or gone for a minute. It goes when that is over.
//! - Everything is bounded: incidents, budgets, retries.

use crate::{
    collector::Sight,
    present::{self, Popup},
    words::Words,
};
use firebell_shared::{
    alert::{Alert, Delivery, Phase},
    severity::Severity,
};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// So many incidents are kept; the one not heard of for the longest time goes first. Six popups an hour
/// and one that gathers make this many only in an attack on ourselves.
const MAX_INCIDENTS: usize = 256;
/// New single sources in a minute before they share a popup.
const MAX_NEWCOMERS: usize = 8;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Shortest time between two plain updates of a popup; doubles with each, up to [`MAX_SETTLE`].
const SETTLE: Duration = Duration::from_secs(10);
/// Shortest time between two changes of one popup, whatever their reason.
const BLINK: Duration = Duration::from_secs(1);
const MAX_SETTLE: Duration = Duration::from_secs(600);
/// An incident that grew by this factor is news at once.
const GROWTH: u64 = 10;
/// A popup that the server refuses is tried so often, and shown again so often after the server restarted.
const MAX_TRIES: u32 = 3;
/// Time before the next try, times the number of tries.
const RETRY: Duration = Duration::from_secs(30);
/// A collector that begins anew says after a minute that it is blind, if it is; then it has had time enough.
const FRESH: Duration = Duration::from_secs(75);
/// Titles that the gathering popup shows.
const SHOWN_TITLES: usize = 5;

/// What the user chose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Popups from this severity on stay until they are closed.
    pub(crate) stay_from: Severity,
    /// Popups from this severity on; without it the collector's advice decides.
    pub(crate) popup_from: Option<Severity>,
    /// New popups an hour; severity 5 is not counted.
    pub(crate) per_hour: u32,
}

/// What a popup is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// One incident.
    Incident(u64),
    /// Several that share a popup.
    Gathering,
    /// Nobody watches the firewall log.
    Sight,
    /// What somebody asked for: see [`Ledger::say`].
    Said,
}

/// What to do on the desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Show `popup`, in the place of the popup `replaces` unless that is 0. Then tell the ledger how it went.
    Show { key: Key, replaces: u32, popup: Popup },
    /// Take a popup away.
    Close { id: u32 },
}

/// Why a popup could not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no notification server, and none could be started.
    NoServer,
    /// The server said no.
    Refused,
    /// The server said nothing. It may or may not show the popup.
    Silent,
}

/// What happened so far; all only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// New popups.
    pub(crate) shown: u64,
    /// Popups that changed.
    pub(crate) updated: u64,
    /// Alerts that do not call for a popup.
    pub(crate) quiet: u64,
    /// Incidents without a popup of their own, for want of budget.
    pub(crate) gathered: u64,
    /// Incidents without any popup, for want of budget.
    pub(crate) held: u64,
    /// Incidents without a popup, or whose popup was taken away, because the user has muted them.
    pub(crate) muted: u64,
    /// Incidents that were forgotten to make room.
    pub(crate) evicted: u64,
    /// Popups given up after several tries.
    pub(crate) given_up: u64,
}

/// The books. See the module.
#[derive(Debug)]
pub(crate) struct Ledger {
    rules: Rules,
    words: Words,
    incidents: HashMap<u64, Incident>,
    gathering: Option<Gathering>,
    blindness: Option<Blindness>,
    said: Option<(Popup, Slot)>,
    /// When a popup was taken out of the budget, oldest first; at most `rules.per_hour` of the last hour.
    spent: VecDeque<Duration>,
    /// When a new single-source incident came, oldest first; at most [`MAX_NEWCOMERS`] + 1 of the last minute.
    newcomers: VecDeque<Duration>,
    closes: VecDeque<u32>,
    counters: Counters,
}

#[derive(Debug)]
struct Incident {
    alert: Alert,
    heard: Duration,
    /// `None`: it shares the gathering popup.
    slot: Option<Slot>,
}

/// Nobody watches the firewall log.
#[derive(Debug)]
struct Blindness {
    slot: Slot,
    /// Why; nothing where there is no collector at all.
    reason: Option<String>,
    /// When it is over, unless something else is heard before.
    over: Option<Duration>,
}

/// Incidents that share a popup.
#[derive(Debug)]
struct Gathering {
    opened: Duration,
    slot: Slot,
    count: u64,
    worst: Severity,
    titles: Vec<String>,
    /// The only incident in it, which is then shown as if it had a popup of its own.
    only: Option<Alert>,
}

/// A place on the screen.
#[derive(Debug)]
struct Slot {
    window: Window,
    /// The worst severity that was shown.
    severity: Option<Severity>,
    /// Size at that time.
    size: u64,
    at: Duration,
    /// Updates without a special reason.
    plain_updates: u32,
    /// Tries and restarts that failed in a row.
    tries: u32,
    /// The newest change that is not shown yet.
    change: Option<Change>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    since: Duration,
    is_urgent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    /// Not on the screen but should be, from then on; `None`: as soon as there is a server.
    Wanted(Option<Duration>),
    /// On the screen, by the server's id.
    Shown(u32),
    /// The server was silent; whether it is on the screen is not known.
    Unknown,
    /// Closed, expired, given up or without budget.
    Gone,
}

impl Ledger {
    pub(crate) fn new(rules: Rules, words: Words) -> Self {
        Self {
            rules,
            words,
            incidents: HashMap::new(),
            gathering: None,
            blindness: None,
            said: None,
            spent: VecDeque::new(),
            newcomers: VecDeque::new(),
            closes: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    /// Incidents on record, and popups that are left of this hour's.
    pub(crate) fn load(&self, now: Duration) -> (usize, usize) {
        let spent = self.spent.iter().filter(|&&at| now.saturating_sub(at) < HOUR).count();
        (self.incidents.len(), usize::try_from(self.rules.per_hour).unwrap_or(usize::MAX).saturating_sub(spent))
    }

    /// Takes in one revision of one incident. `is_late`: it is told afterwards, so that an incident which
    /// is over already may be new to us. `is_muted`: the user does not want to hear of it as it is now.
    pub(crate) fn observe(&mut self, alert: &Alert, now: Duration, is_late: bool, is_muted: bool) {
        if alert.details.phase == Phase::Merged {
            self.forget(alert.id);
            return;
        }
        if let Some(known) = self.incidents.get(&alert.id) {
            if alert.details.revision > known.alert.details.revision {
                if is_muted { self.revise_muted(alert, now) } else { self.revise(alert, now) }
            }
            return;
        }
        if !self.calls_for_popup(alert) || (alert.details.phase == Phase::Closed && !is_late) {
            self.counters.quiet += 1;
            return;
        }
        let slot = if is_muted {
            self.counters.muted += 1;
            if alert.details.phase == Phase::Closed {
                return;
            }
            Some(Slot::hidden(Some(alert.severity), now))
        } else {
            self.place(alert, now)
        };
        self.make_room();
        if slot.is_none() {
            self.gather(alert, now);
        }
        // A test is asked for each time: nothing to keep books on, but it has to be shown first.
        self.incidents.insert(alert.id, Incident { alert: alert.clone(), heard: now, slot });
    }

    /// Takes the popups of what the user has muted by now off the screen. What they share with others stays.
    pub(crate) fn mute(&mut self, is_muted: impl Fn(&Alert) -> bool, now: Duration) {
        for incident in self.incidents.values_mut().filter(|incident| is_muted(&incident.alert)) {
            let shown = match &incident.slot {
                Some(slot) => Some((slot.window, slot.severity)),
                None => self
                    .gathering
                    .take_if(|gathering| gathering.only.as_ref().is_some_and(|only| only.id == incident.alert.id))
                    .map(|gathering| (gathering.slot.window, gathering.slot.severity)),
            };
            let (window, severity) = shown.unwrap_or((Window::Wanted(None), None));
            if let Window::Shown(id) = window {
                self.closes.push_back(id);
            }
            if window != Window::Gone {
                self.counters.muted += 1;
            }
            incident.slot = Some(Slot::hidden(severity.max(Some(incident.alert.severity)), now));
        }
        // They are over, and only waited to be shown.
        self.incidents.retain(|_, incident| incident.alert.details.phase != Phase::Closed || !is_muted(&incident.alert));
    }

    /// The worst of the incidents on record that `is_about` names.
    pub(crate) fn worst(&self, is_about: impl Fn(&Alert) -> bool) -> Option<Severity> {
        self.incidents.values().map(|incident| &incident.alert).filter(|alert| is_about(alert)).map(|alert| alert.severity).max()
    }

    /// Takes in whether anything watches the firewall log. Until it does there is one popup, whatever else happens meanwhile.
    pub(crate) fn see(&mut self, sight: Sight, now: Duration) {
        let reason = match sight {
            Sight::Back => return self.end_blindness(),
            Sight::Fresh => {
                match &mut self.blindness {
                    // It may be as blind as the one before it, and needs a minute to know.
                    Some(blindness) if blindness.reason.is_some() => blindness.over = Some(now + FRESH),
                    _ => self.end_blindness(),
                }
                return;
            }
            Sight::Blind(reason) => Some(reason),
            Sight::Absent => None,
        };
        if let (None, Some(blindness)) = (&reason, &mut self.blindness)
            && blindness.reason.is_some()
        {
            // Whoever was blind and is gone for a moment comes back as blind.
            blindness.over = None;
            return;
        }
        // A collector that is restarted is soon back; one that is blind has waited for a minute already.
        let show_at = if reason.is_some() { now } else { now + MINUTE };
        let blindness = self.blindness.get_or_insert_with(|| Blindness { slot: Slot::new(show_at), reason: reason.clone(), over: None });
        let has_changed = blindness.reason != reason;
        (blindness.reason, blindness.over) = (reason, None);
        match blindness.slot.window {
            Window::Shown(_) if has_changed => blindness.slot.change = Some(Change { since: now, is_urgent: true }),
            Window::Unknown if has_changed => blindness.slot.window = Window::Wanted(Some(now)),
            Window::Wanted(Some(at)) => blindness.slot.window = Window::Wanted(Some(at.min(show_at))),
            _ => {}
        }
    }

    fn end_blindness(&mut self) {
        if let Some(Blindness { slot: Slot { window: Window::Shown(id), .. }, .. }) = self.blindness.take() {
            self.closes.push_back(id);
        }
    }

    /// Shows what somebody asked for, outside every budget, in the place of what was asked for before. It is tried once.
    pub(crate) fn say(&mut self, popup: Popup, now: Duration) {
        let (content, slot) = self.said.get_or_insert_with(|| (popup.clone(), Slot::new(now)));
        *content = popup;
        slot.change = Some(Change { since: now, is_urgent: true });
        if !matches!(slot.window, Window::Shown(_)) {
            slot.window = Window::Wanted(Some(now));
        }
    }

    /// Is what was asked for last on the screen?
    pub(crate) fn is_said(&self) -> bool {
        self.said.as_ref().is_some_and(|(_, slot)| matches!(slot.window, Window::Shown(_)) && slot.change.is_none())
    }

    /// Goes by other rules from now on. What is on the screen stays as it is.
    pub(crate) fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// The ids of incidents start anew: none of ours is heard of again. What is on the screen stays there.
    pub(crate) fn start_anew(&mut self) {
        self.incidents.clear();
        self.gathering = None;
    }

    /// What to do now. Each `Show` has to be answered by [`Self::shown`] or [`Self::failed`] before the next call.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Command> {
        if self.blindness.as_ref().and_then(|blindness| blindness.over).is_some_and(|over| over <= now) {
            self.end_blindness();
        }
        if let Some(id) = self.closes.pop_front() {
            return Some(Command::Close { id });
        }
        let (key, _) = self.due().into_iter().filter(|&(_, at)| at <= now).min_by_key(|&(key, at)| (at, key))?;
        let stay_from = self.rules.stay_from;
        let (slot, popup) = match key {
            Key::Incident(id) => {
                let incident = self.incidents.get(&id)?;
                (incident.slot.as_ref()?, present::incident(&self.words, &incident.alert, stay_from))
            }
            Key::Gathering => {
                let gathering = self.gathering.as_ref()?;
                (&gathering.slot, gathering.popup(&self.words, stay_from))
            }
            Key::Sight => {
                let blindness = self.blindness.as_ref()?;
                (&blindness.slot, present::blindness(&self.words, blindness.reason.as_deref()))
            }
            Key::Said => {
                let (popup, slot) = self.said.as_ref()?;
                (slot, popup.clone())
            }
        };
        let replaces = if let Window::Shown(id) = slot.window { id } else { 0 };
        Some(Command::Show { key, replaces, popup })
    }

    /// When to ask [`Self::next`] again though nothing happened. `None`: never.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let over = self.blindness.as_ref().and_then(|blindness| blindness.over);
        if self.closes.is_empty() { self.due().into_iter().map(|(_, at)| at).chain(over).min() } else { Some(Duration::ZERO) }
    }

    /// The server shows the popup as `id`.
    pub(crate) fn shown(&mut self, key: Key, id: u32, now: Duration) {
        let (severity, size) = match key {
            Key::Incident(id) => match self.incidents.get(&id) {
                Some(incident) => (incident.alert.severity, size(&incident.alert)),
                None => return,
            },
            Key::Gathering => match &self.gathering {
                Some(gathering) => (gathering.worst, gathering.size()),
                None => return,
            },
            Key::Sight | Key::Said => (Severity::BACKGROUND, 1),
        };
        let Some(slot) = self.slot(key) else { return };
        let is_update = matches!(slot.window, Window::Shown(_));
        if is_update && slot.change.is_none_or(|change| !change.is_urgent) {
            slot.plain_updates += 1;
        }
        slot.window = Window::Shown(id);
        slot.severity = slot.severity.max(Some(severity));
        slot.size = size;
        slot.at = now;
        slot.change = None;
        if is_update {
            slot.tries = 0;
        }
        match key {
            Key::Said => {}
            _ if is_update => self.counters.updated += 1,
            _ => self.counters.shown += 1,
        }
        self.settle_books(key);
    }

    /// The server does not show the popup.
    pub(crate) fn failed(&mut self, key: Key, failure: Failure, now: Duration) {
        let severity = match key {
            Key::Incident(id) => self.incidents.get(&id).map(|incident| incident.alert.severity),
            Key::Gathering => self.gathering.as_ref().map(|gathering| gathering.worst),
            Key::Sight => None,
            Key::Said => {
                // Whoever asked is told.
                self.said = None;
                return;
            }
        };
        let Some(slot) = self.slot(key) else { return };
        slot.tries += 1;
        let is_last = slot.tries >= MAX_TRIES;
        match (slot.window, failure) {
            (_, Failure::NoServer) => {
                slot.tries -= 1;
                slot.window = Window::Wanted(None);
                return;
            }
            // What it shows is older than what we know; the next change tries again.
            (Window::Shown(_), _) => slot.change = None,
            (_, Failure::Refused) if !is_last => {
                slot.window = Window::Wanted(Some(now + RETRY * slot.tries));
                return;
            }
            // Trying again by ourselves could show it twice.
            (_, Failure::Silent) if !is_last => slot.window = Window::Unknown,
            _ => {
                slot.window = Window::Gone;
                slot.severity = slot.severity.max(severity);
                self.counters.given_up += 1;
            }
        }
        self.settle_books(key);
    }

    /// The server's popup `id` is no longer on the screen.
    pub(crate) fn popup_closed(&mut self, id: u32) {
        for slot in self.slots() {
            if slot.window == Window::Shown(id) {
                slot.window = Window::Gone;
                slot.change = None;
            }
        }
    }

    /// The server went away and took its popups along.
    pub(crate) fn server_gone(&mut self) {
        self.closes.clear();
        self.said = None;
        for slot in self.slots() {
            if matches!(slot.window, Window::Shown(_) | Window::Unknown) {
                slot.tries += 1;
                // Perhaps it is our popup that brings it down.
                slot.window = if slot.tries > MAX_TRIES { Window::Gone } else { Window::Wanted(None) };
            }
        }
    }

    /// There is a server, or another one.
    pub(crate) fn server_back(&mut self, now: Duration) {
        for slot in self.slots() {
            if slot.window == Window::Wanted(None) {
                slot.window = Window::Wanted(Some(now));
            }
        }
    }

    fn calls_for_popup(&self, alert: &Alert) -> bool {
        match (alert.kind.as_str(), self.rules.popup_from, alert.details.delivery) {
            ("test", _, _) | (_, None, Delivery::Popup) => true,
            (_, None, _) | (_, _, Delivery::Log) => false,
            (_, Some(from), _) => alert.severity >= from,
        }
    }

    /// A newer revision of an incident that we know.
    fn revise(&mut self, alert: &Alert, now: Duration) {
        let Some(known) = self.incidents.get_mut(&alert.id) else { return };
        let is_over = alert.details.phase == Phase::Closed;
        known.alert = alert.clone();
        known.heard = now;
        let Some(slot) = &mut known.slot else {
            // It shares a popup. If it is as bad as can be, it gets one of its own.
            if alert.severity == Severity::CRITICAL {
                known.slot = Some(Slot::new(now));
            } else if let Some(gathering) = &mut self.gathering {
                gathering.revise(alert, now);
                self.reopen_gathering(alert, now);
            }
            if is_over {
                self.incidents.remove(&alert.id);
            }
            return;
        };
        match slot.window {
            Window::Shown(_) => {
                let is_urgent = is_over || slot.severity < Some(alert.severity) || alert.details.phase == Phase::Reopened;
                slot.change = Some(Change { since: now, is_urgent: is_urgent || slot.change.is_some_and(|change| change.is_urgent) });
            }
            // It is shown as it is by then.
            Window::Wanted(_) => {}
            Window::Unknown => slot.window = Window::Wanted(Some(now)),
            Window::Gone if slot.severity < Some(alert.severity) && !is_over => {
                slot.severity = Some(alert.severity);
                if self.spend(alert, now) {
                    if let Some(slot) = self.slot(Key::Incident(alert.id)) {
                        slot.window = Window::Wanted(Some(now));
                        slot.tries = 0;
                    }
                } else {
                    self.gather(alert, now);
                    if let Some(known) = self.incidents.get_mut(&alert.id) {
                        known.slot = None;
                    }
                }
            }
            Window::Gone => {}
        }
        if is_over {
            self.settle_books(Key::Incident(alert.id));
        }
    }

    /// A newer revision of an incident that we know and that the user has muted.
    fn revise_muted(&mut self, alert: &Alert, now: Duration) {
        let Some(known) = self.incidents.get_mut(&alert.id) else { return };
        known.alert = alert.clone();
        known.heard = now;
        self.mute(|other| other.id == alert.id, now);
    }

    /// A place for a new incident, or `None`: it has to share one.
    fn place(&mut self, alert: &Alert, now: Duration) -> Option<Slot> {
        if alert.kind == "test" {
            return Some(Slot::new(now));
        }
        if !alert.source.is_empty() {
            expire(&mut self.newcomers, now, MINUTE);
            self.newcomers.push_back(now);
            if self.newcomers.len() > MAX_NEWCOMERS + 1 {
                self.newcomers.pop_front();
            }
            if self.newcomers.len() > MAX_NEWCOMERS {
                return None;
            }
        }
        expire(&mut self.spent, now, HOUR);
        let left = usize::try_from(self.rules.per_hour).unwrap_or(usize::MAX).saturating_sub(self.spent.len());
        // The last one is for all who come later. Once it is open, they share it.
        let is_gathering = self.gathering.as_ref().is_some_and(|gathering| !gathering.is_past(now));
        let is_free = if is_gathering { left >= 1 } else { left >= 2 };
        if alert.severity == Severity::CRITICAL || (is_free && self.spend(alert, now)) { Some(Slot::new(now)) } else { None }
    }

    /// Takes a popup out of the budget. False: there is none left.
    fn spend(&mut self, alert: &Alert, now: Duration) -> bool {
        expire(&mut self.spent, now, HOUR);
        if alert.severity == Severity::CRITICAL {
            return true;
        }
        let is_left = self.spent.len() < usize::try_from(self.rules.per_hour).unwrap_or(usize::MAX);
        if is_left {
            self.spent.push_back(now);
        }
        is_left
    }

    /// Puts an incident into the popup for several.
    fn gather(&mut self, alert: &Alert, now: Duration) {
        self.counters.gathered += 1;
        if let Some(gathering) = &mut self.gathering
            && !gathering.is_past(now)
        {
            gathering.add(&self.words, alert, now);
            self.reopen_gathering(alert, now);
            return;
        }
        let mut slot = Slot::new(now);
        if !self.spend(alert, now) {
            // Only where the user allows fewer than one popup an hour, or has just had all of them.
            self.counters.held += 1;
            slot.window = Window::Gone;
        }
        self.gathering = Some(Gathering {
            opened: now,
            slot,
            count: 1,
            worst: alert.severity,
            titles: vec![present::incident(&self.words, alert, self.rules.stay_from).title],
            only: Some(alert.clone()),
        });
    }

    /// Shows the popup for several again, though it was closed, when what is in it became worse.
    fn reopen_gathering(&mut self, alert: &Alert, now: Duration) {
        let Some(slot) = self.gathering.as_ref().map(|gathering| &gathering.slot) else { return };
        let is_worse = slot.window == Window::Gone && slot.severity.is_some_and(|shown| shown < alert.severity);
        if is_worse
            && self.spend(alert, now)
            && let Some(slot) = self.slot(Key::Gathering)
        {
            slot.window = Window::Wanted(Some(now));
            slot.tries = 0;
        }
    }

    /// Removes an incident, and its popup from the screen.
    fn forget(&mut self, id: u64) {
        let Some(incident) = self.incidents.remove(&id) else { return };
        let window = match incident.slot {
            Some(slot) => slot.window,
            None if self.gathering.as_ref().is_some_and(|g| g.only.as_ref().is_some_and(|only| only.id == id)) => {
                self.gathering.take().map_or(Window::Gone, |gathering| gathering.slot.window)
            }
            None => return,
        };
        if let Window::Shown(id) = window {
            self.closes.push_back(id);
        }
    }

    /// Closes the books on an incident that is over and has nothing more to show.
    fn settle_books(&mut self, key: Key) {
        let Key::Incident(id) = key else { return };
        let Some(incident) = self.incidents.get(&id) else { return };
        let is_over = incident.alert.details.phase == Phase::Closed || incident.alert.kind == "test";
        let has_more = incident.slot.as_ref().is_some_and(|slot| slot.change.is_some() || matches!(slot.window, Window::Wanted(_)));
        if is_over && !has_more {
            self.incidents.remove(&id);
        }
    }

    fn make_room(&mut self) {
        if self.incidents.len() < MAX_INCIDENTS {
            return;
        }
        if let Some(id) = self.incidents.iter().min_by_key(|(id, incident)| (incident.heard, **id)).map(|(id, _)| *id) {
            self.incidents.remove(&id);
            self.counters.evicted += 1;
        }
    }

    /// All slots with something to show, and when.
    fn due(&self) -> Vec<(Key, Duration)> {
        let incidents = self
            .incidents
            .iter()
            .filter_map(|(&id, incident)| Some((Key::Incident(id), incident.slot.as_ref()?.due(size(&incident.alert))?)));
        let gathering = self.gathering.as_ref().and_then(|g| Some((Key::Gathering, g.slot.due(g.size())?)));
        let blindness = self.blindness.as_ref().and_then(|blindness| Some((Key::Sight, blindness.slot.due(1)?)));
        // Whoever asked waits for it, so it may blink.
        let said = self.said.as_ref().and_then(|(_, slot)| match slot.window {
            Window::Shown(_) => Some((Key::Said, slot.change?.since)),
            _ => Some((Key::Said, slot.due(1)?)),
        });
        incidents.chain(gathering).chain(blindness).chain(said).collect()
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        match key {
            Key::Incident(id) => self.incidents.get_mut(&id)?.slot.as_mut(),
            Key::Gathering => self.gathering.as_mut().map(|gathering| &mut gathering.slot),
            Key::Sight => self.blindness.as_mut().map(|blindness| &mut blindness.slot),
            Key::Said => self.said.as_mut().map(|(_, slot)| slot),
        }
    }

    fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        let incidents = self.incidents.values_mut().filter_map(|incident| incident.slot.as_mut());
        let gathering = self.gathering.as_mut().map(|gathering| &mut gathering.slot);
        let said = self.said.as_mut().map(|(_, slot)| slot);
        incidents.chain(gathering).chain(self.blindness.as_mut().map(|blindness| &mut blindness.slot)).chain(said)
    }
}

impl Slot {
    fn new(now: Duration) -> Self {
        Self { window: Window::Wanted(Some(now)), severity: None, size: 0, at: now, plain_updates: 0, tries: 0, change: None }
    }

    /// Of what the user does not want to see, up to this severity.
    fn hidden(severity: Option<Severity>, now: Duration) -> Self {
        Self { window: Window::Gone, severity, ..Self::new(now) }
    }

    /// When to show it, where there is something to show.
    fn due(&self, size: u64) -> Option<Duration> {
        match self.window {
            Window::Wanted(at) => at,
            Window::Shown(_) => {
                let change = self.change?;
                let settle = (SETTLE * 2_u32.saturating_pow(self.plain_updates.min(16))).min(MAX_SETTLE);
                Some(if change.is_urgent {
                    self.at + BLINK
                } else if size >= self.size.saturating_mul(GROWTH) {
                    self.at + SETTLE
                } else {
                    change.since.max(self.at) + settle
                })
            }
            Window::Unknown | Window::Gone => None,
        }
    }
}

impl Gathering {
    /// After an hour the budget has room again, for a new one too.
    fn is_past(&self, now: Duration) -> bool {
        now.saturating_sub(self.opened) >= HOUR
    }

    fn size(&self) -> u64 {
        self.only.as_ref().map_or(self.count, size)
    }

    fn add(&mut self, words: &Words, alert: &Alert, now: Duration) {
        // From one to several is the change that matters; after that it may settle.
        let is_urgent = self.only.take().is_some();
        if is_urgent {
            self.slot.size = 1;
        }
        self.count += 1;
        if self.titles.len() < SHOWN_TITLES {
            self.titles.push(present::incident(words, alert, Severity::AIMED).title);
        }
        self.worsen(alert.severity, now, is_urgent);
    }

    fn revise(&mut self, alert: &Alert, now: Duration) {
        let is_only = self.only.as_ref().is_some_and(|only| only.id == alert.id);
        if is_only {
            self.only = Some(alert.clone());
        }
        if is_only || alert.severity > self.worst {
            self.worsen(alert.severity, now, is_only && alert.details.phase == Phase::Closed);
        }
    }

    fn worsen(&mut self, severity: Severity, now: Duration, is_urgent: bool) {
        let is_worse = severity > self.worst;
        self.worst = self.worst.max(severity);
        match self.slot.window {
            Window::Shown(_) => {
                let is_urgent = is_urgent || is_worse || self.slot.change.is_some_and(|change| change.is_urgent);
                // Counted from the last update: with always more of them there may never be a quiet moment.
                self.slot.change = Some(Change { since: self.slot.at, is_urgent });
            }
            Window::Unknown => self.slot.window = Window::Wanted(Some(now)),
            Window::Gone | Window::Wanted(_) => {}
        }
    }

    fn popup(&self, words: &Words, stay_from: Severity) -> Popup {
        match &self.only {
            Some(alert) => present::incident(words, alert, stay_from),
            None => present::several(words, self.count, &self.titles, self.worst, stay_from),
        }
    }
}

/// What grows while an incident goes on.
fn size(alert: &Alert) -> u64 {
    u64::from(alert.details.contacts).max(alert.details.packets).max(1)
}

/// Drops what is older than `span` from a list that is sorted by time.
fn expire(times: &mut VecDeque<Duration>, now: Duration, span: Duration) {
    while times.front().is_some_and(|&at| now.saturating_sub(at) >= span) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::tests::{alert, english};
    use proptest::prelude::*;

    const RULES: Rules = Rules { stay_from: Severity::AIMED, popup_from: None, per_hour: 6 };

    /// A desktop that shows whatever it is told, and a clock.
    struct Desk {
        ledger: Ledger,
        now: Duration,
        next_id: u32,
        /// By id: what is on the screen.
        screen: std::collections::BTreeMap<u32, Popup>,
        opened: usize,
        updated: usize,
    }

    impl Desk {
        fn new(rules: Rules) -> Self {
            Self { ledger: Ledger::new(rules, english()), now: HOUR, next_id: 0, screen: Default::default(), opened: 0, updated: 0 }
        }

        fn see(&mut self, alert: &Alert) -> &mut Self {
            self.ledger.observe(alert, self.now, false, false);
            self.settle()
        }

        fn settle(&mut self) -> &mut Self {
            while let Some(command) = self.ledger.next(self.now) {
                match command {
                    Command::Close { id } => {
                        self.screen.remove(&id);
                    }
                    Command::Show { key, replaces, popup } => {
                        let id = if replaces == 0 {
                            self.next_id += 1;
                            self.opened += 1;
                            self.next_id
                        } else {
                            assert!(self.screen.contains_key(&replaces), "an update of a popup that is closed opens it again");
                            self.updated += 1;
                            replaces
                        };
                        self.screen.insert(id, popup);
                        self.ledger.shown(key, id, self.now);
                    }
                }
            }
            self
        }

        /// Lets time pass, and does what is due in it.
        fn wait(&mut self, time: Duration) -> &mut Self {
            let end = self.now + time;
            while let Some(at) = self.ledger.deadline().filter(|&at| at <= end) {
                self.now = self.now.max(at);
                self.settle();
            }
            self.now = end;
            self
        }

        /// A person closes the popup, or its time is over.
        fn close(&mut self, id: u32) -> &mut Self {
            assert!(self.screen.remove(&id).is_some());
            self.ledger.popup_closed(id);
            self.settle()
        }

        fn titles(&self) -> Vec<&str> {
            self.screen.values().map(|popup| popup.title.as_str()).collect()
        }
    }

    fn revision(id: u64, revision: u32, phase: Phase, severity: u8, contacts: u32) -> Alert {
        let mut alert = alert(id, "syn-scan", severity);
        alert.source = format!("198.51.100.{id}");
        alert.details.revision = revision;
        alert.details.phase = phase;
        alert.details.contacts = contacts;
        alert.details.packets = u64::from(contacts) * 2;
        alert
    }

    fn opened(id: u64, severity: u8) -> Alert {
        revision(id, 1, Phase::Opened, severity, 7)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_thousand_ports_are_one_popup_with_at_most_three_updates() {
        // Fast and slow, and told in as many revisions as there are ports.
        for step in [SECOND / 500, SECOND / 10, SECOND / 2, SECOND * 2] {
            let mut desk = Desk::new(RULES);
            for n in 7..=1000_u32 {
                let phase = if n == 150 { Phase::Escalated } else { Phase::Updated };
                desk.see(&revision(1, n, phase, if n >= 150 { 4 } else { 3 }, n)).wait(step);
            }
            desk.wait(MINUTE);
            assert_eq!((desk.opened, desk.screen.len()), (1, 1));
            assert!(desk.updated <= 3, "{} updates at a port every {step:?}", desk.updated);
            assert!(desk.screen[&1].body.contains("1,000 ports"), "the last state is shown: {}", desk.screen[&1].body);
            assert_eq!(desk.screen[&1].severity, Severity::BROAD);
        }
    }

    #[test]
    fn an_escalation_is_shown_at_once() {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3)).wait(SECOND * 2).see(&revision(1, 2, Phase::Escalated, 4, 150));
        assert_eq!((desk.updated, desk.screen[&1].severity), (1, Severity::BROAD));
    }

    #[test]
    fn a_popup_that_was_closed_stays_closed_unless_it_becomes_worse() {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3)).close(1).see(&revision(1, 2, Phase::Updated, 3, 5000)).wait(HOUR);
        assert!(desk.screen.is_empty());
        desk.see(&revision(1, 3, Phase::Escalated, 4, 6000));
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.1"]);
        desk.close(2).see(&revision(1, 4, Phase::Updated, 4, 60_000)).see(&revision(1, 5, Phase::Closed, 4, 60_000)).wait(HOUR);
        assert!(desk.screen.is_empty() && desk.ledger.incidents.is_empty());
    }

    #[test]
    fn an_end_is_written_into_the_popup_and_closes_the_books() {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3)).wait(HOUR).see(&revision(1, 2, Phase::Closed, 3, 9));
        assert_eq!((desk.titles(), desk.opened), (vec!["Port scan from 198.51.100.1 (ended)"], 1));
        assert!(desk.ledger.incidents.is_empty() && desk.ledger.deadline().is_none());
        // The same source again is news.
        desk.see(&revision(1, 3, Phase::Reopened, 3, 20));
        assert_eq!(desk.opened, 2);
    }

    #[test]
    fn a_merged_incident_takes_its_popup_along() {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3)).see(&opened(2, 3)).see(&revision(1, 2, Phase::Merged, 3, 9));
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.2"]);
    }

    #[test]
    fn six_popups_an_hour_and_the_last_gathers_the_rest() {
        let mut desk = Desk::new(RULES);
        for id in 1..=20 {
            desk.see(&opened(id, 4)).wait(MINUTE);
        }
        desk.wait(MINUTE * 10);
        assert_eq!(desk.opened, 6);
        assert_eq!(desk.titles().last(), Some(&"15 more firewall incidents"));
        let body = &desk.screen[&6].body;
        assert!(body.starts_with("Port scan from 198.51.100.6.\nPort scan") && body.contains("\nAnd 10 more.\n"), "{body}");
        assert!(desk.updated <= 8, "{} updates of the gathering", desk.updated);
        desk.wait(HOUR).see(&opened(21, 3));
        assert_eq!(desk.titles().last(), Some(&"Port scan from 198.51.100.21"), "an hour later there is room again");
    }

    #[test]
    fn the_sixth_popup_looks_like_any_other_while_it_is_alone() {
        let mut desk = Desk::new(RULES);
        for id in 1..=6 {
            desk.see(&opened(id, 3)).wait(MINUTE);
        }
        assert_eq!(desk.titles().last(), Some(&"Port scan from 198.51.100.6"));
        desk.see(&revision(6, 2, Phase::Closed, 3, 9));
        assert_eq!(desk.titles().last(), Some(&"Port scan from 198.51.100.6 (ended)"));
    }

    #[test]
    fn with_one_popup_an_hour_everything_shares_it() {
        let mut desk = Desk::new(Rules { per_hour: 1, ..RULES });
        desk.see(&opened(1, 3));
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.1"]);
        desk.see(&opened(2, 3)).see(&opened(3, 3)).wait(MINUTE);
        assert_eq!(desk.titles(), ["3 more firewall incidents"]);
        // Closed, it stays closed: worse would be a new popup, and there is none left.
        desk.close(1).see(&opened(4, 4)).wait(MINUTE);
        assert!(desk.screen.is_empty());
    }

    #[test]
    fn severity_five_is_never_held_back() {
        let mut desk = Desk::new(Rules { per_hour: 0, ..RULES });
        desk.see(&opened(1, 4));
        assert!(desk.screen.is_empty());
        for id in 2..=8 {
            desk.see(&opened(id, 5));
        }
        assert_eq!(desk.opened, 7);
        desk.see(&revision(1, 2, Phase::Escalated, 5, 2000));
        assert_eq!(desk.opened, 8, "also one that had to wait");
    }

    #[test]
    fn more_than_eight_new_sources_in_a_minute_share_a_popup() {
        let mut desk = Desk::new(Rules { per_hour: 1000, ..RULES });
        for id in 1..=200 {
            desk.see(&opened(id, 3)).wait(SECOND / 20);
        }
        desk.wait(MINUTE);
        assert_eq!(desk.opened, 9);
        assert_eq!(desk.titles().last(), Some(&"192 more firewall incidents"));
        assert!(desk.updated <= 5, "{} updates", desk.updated);
        desk.wait(MINUTE).see(&opened(201, 3));
        assert_eq!(desk.opened, 10, "a quiet minute later a source has its own popup again");
    }

    #[test]
    fn only_what_the_collector_advises_or_the_user_wants_pops_up() {
        let quiet = |severity, delivery| {
            let mut alert = opened(1, severity);
            alert.details.delivery = delivery;
            alert
        };
        let mut desk = Desk::new(RULES);
        desk.see(&quiet(5, Delivery::Digest)).see(&quiet(5, Delivery::Log));
        assert!(desk.screen.is_empty() && desk.ledger.counters().quiet == 2);
        let mut desk = Desk::new(Rules { popup_from: Some(Severity::NOTABLE), ..RULES });
        desk.see(&quiet(5, Delivery::Log));
        assert!(desk.screen.is_empty(), "log means log");
        desk.see(&quiet(2, Delivery::Digest));
        assert_eq!(desk.opened, 1);
        let mut desk = Desk::new(Rules { popup_from: Some(Severity::BROAD), ..RULES });
        desk.see(&quiet(3, Delivery::Popup));
        assert!(desk.screen.is_empty());
        let mut test = alert(9, "test", 1);
        test.details.delivery = Delivery::Log;
        desk.see(&test);
        assert_eq!(desk.titles(), ["Firebell test"], "a test is shown because somebody asked for it");
    }

    #[test]
    fn a_digest_that_becomes_a_popup_pops_up_then() {
        let mut desk = Desk::new(RULES);
        let mut slow = opened(1, 2);
        slow.details.delivery = Delivery::Digest;
        desk.see(&slow).see(&revision(1, 2, Phase::Escalated, 3, 20));
        assert_eq!(desk.opened, 1);
    }

    #[test]
    fn without_a_server_popups_wait_and_are_shown_as_they_are_by_then() {
        let mut desk = Desk::new(RULES);
        desk.ledger.observe(&opened(1, 3), desk.now, false, false);
        let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) else { panic!() };
        desk.ledger.failed(key, Failure::NoServer, desk.now);
        assert_eq!((desk.ledger.next(desk.now), desk.ledger.deadline()), (None, None), "waiting costs nothing");
        desk.ledger.observe(&revision(1, 2, Phase::Escalated, 4, 500), desk.now, false, false);
        assert_eq!(desk.ledger.next(desk.now), None);
        desk.ledger.server_back(desk.now);
        desk.settle();
        assert_eq!((desk.opened, desk.screen[&1].severity), (1, Severity::BROAD));
    }

    #[test]
    fn a_server_that_restarts_shows_again_what_it_showed_but_not_for_ever() {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3)).see(&opened(2, 3)).close(2);
        for restart in 1..=5 {
            desk.screen.clear();
            desk.ledger.server_gone();
            assert_eq!(desk.ledger.next(desk.now), None);
            desk.ledger.server_back(desk.now);
            desk.settle();
            assert_eq!(desk.screen.len(), usize::from(restart <= 3), "restart {restart}");
        }
        assert_eq!(desk.ledger.spent.len(), 2, "that is not taken out of the budget");
    }

    #[test]
    fn a_server_that_refuses_is_asked_three_times() {
        let mut desk = Desk::new(RULES);
        desk.ledger.observe(&opened(1, 3), desk.now, false, false);
        let mut tries = 0;
        while let Some(at) = desk.ledger.deadline() {
            desk.now = desk.now.max(at);
            let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) else { panic!() };
            desk.ledger.failed(key, Failure::Refused, desk.now);
            tries += 1;
        }
        assert_eq!((tries, desk.ledger.counters().given_up), (3, 1));
        desk.see(&revision(1, 2, Phase::Updated, 3, 500)).wait(HOUR);
        assert_eq!(desk.opened, 0);
        desk.see(&revision(1, 3, Phase::Escalated, 4, 600));
        assert_eq!(desk.opened, 1, "worse is a reason to try again");
    }

    #[test]
    fn a_silent_server_is_not_shown_the_same_twice() {
        let mut desk = Desk::new(RULES);
        desk.ledger.observe(&opened(1, 3), desk.now, false, false);
        let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) else { panic!() };
        desk.ledger.failed(key, Failure::Silent, desk.now);
        assert_eq!(desk.ledger.deadline(), None);
        desk.see(&revision(1, 2, Phase::Updated, 3, 500));
        assert_eq!(desk.opened, 1);
    }

    #[test]
    fn what_is_over_is_news_only_when_it_is_told_late() {
        let mut desk = Desk::new(RULES);
        let over = revision(1, 4, Phase::Closed, 3, 100);
        desk.see(&over);
        assert!(desk.screen.is_empty());
        desk.ledger.observe(&over, desk.now, true, false);
        desk.settle();
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.1 (ended)"]);
        assert!(desk.ledger.incidents.is_empty());
    }

    impl Desk {
        fn hear(&mut self, sight: Sight) -> &mut Self {
            self.ledger.see(sight, self.now);
            self.settle()
        }
    }

    const BLIND: &str = "Firebell cannot see the firewall log";
    const ABSENT: &str = "Firebell is not watching";

    fn blind() -> Sight {
        Sight::Blind("no log can be read".into())
    }

    #[test]
    fn blindness_is_one_quiet_popup_that_goes_when_it_is_over() {
        let mut desk = Desk::new(RULES);
        desk.hear(Sight::Fresh).wait(HOUR).hear(blind()).hear(blind()).wait(HOUR);
        assert_eq!((desk.titles(), desk.opened, desk.updated), (vec![BLIND], 1, 0));
        let popup = &desk.screen[&1];
        assert_eq!((popup.urgency(), popup.stays), (present::Urgency::Low, true));
        assert!(popup.body.starts_with("No log can be read.\n"), "{popup:?}");
        desk.hear(Sight::Back);
        assert_eq!(desk.titles(), [""; 0]);
        desk.hear(blind());
        assert_eq!((desk.titles(), desk.opened), (vec![BLIND], 2), "another time is told again");
        assert_eq!(desk.ledger.spent.len(), 0, "it takes no popup of an incident away");
    }

    #[test]
    fn a_collector_that_is_gone_is_told_after_a_minute_and_one_that_restarts_is_not() {
        let mut desk = Desk::new(RULES);
        desk.hear(Sight::Absent).wait(MINUTE - SECOND).hear(Sight::Fresh).wait(HOUR);
        assert_eq!(desk.opened, 0);
        desk.hear(Sight::Absent).wait(MINUTE);
        assert_eq!((desk.titles(), desk.opened), (vec![ABSENT], 1));
        desk.wait(HOUR).hear(Sight::Fresh);
        assert!(desk.screen.is_empty());
        desk.hear(Sight::Absent).wait(MINUTE).hear(blind()).wait(BLINK);
        assert_eq!((desk.titles(), desk.opened, desk.updated), (vec![BLIND], 2, 1), "what is known better is said in its place");
    }

    #[test]
    fn restarts_of_a_blind_collector_and_of_the_server_never_make_a_second_popup() {
        let mut desk = Desk::new(RULES);
        desk.hear(blind());
        for _ in 0..5 {
            // It begins anew, seems well for a minute, and is as blind as before.
            desk.hear(Sight::Absent).wait(SECOND * 5).hear(Sight::Fresh).wait(MINUTE).hear(blind()).wait(SECOND);
            assert_eq!((desk.titles(), desk.opened), (vec![BLIND], 1));
        }
        desk.screen.clear();
        desk.ledger.server_gone();
        assert_eq!(desk.ledger.next(desk.now), None);
        let now = desk.now;
        desk.hear(Sight::Absent).ledger.server_back(now);
        desk.wait(SECOND);
        assert_eq!(desk.titles(), [BLIND]);
        desk.hear(Sight::Fresh).wait(FRESH);
        assert!(desk.screen.is_empty(), "a collector that is well for longer is well");
    }

    #[test]
    fn blindness_that_somebody_closed_stays_closed_until_it_is_over() {
        let mut desk = Desk::new(RULES);
        desk.hear(blind()).close(1).hear(Sight::Absent).wait(HOUR).hear(blind()).wait(HOUR);
        assert_eq!(desk.opened, 1);
        desk.hear(Sight::Back).hear(blind());
        assert_eq!(desk.opened, 2);
    }

    impl Desk {
        /// As [`Self::see`], of a source that is muted up to severity 3.
        fn see_muted(&mut self, alert: &Alert) -> &mut Self {
            self.ledger.observe(alert, self.now, false, alert.severity <= Severity::AIMED);
            self.settle()
        }

        fn mute(&mut self, id: u64) -> &mut Self {
            self.ledger.mute(|alert| alert.id == id, self.now);
            self.settle()
        }
    }

    #[test]
    fn a_mute_takes_the_popup_away_and_worse_brings_the_incident_back() {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3)).see(&opened(2, 3)).mute(1);
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.2"]);
        desk.see_muted(&revision(1, 2, Phase::Updated, 3, 500)).see_muted(&revision(1, 3, Phase::Reopened, 3, 9000)).wait(HOUR);
        assert_eq!((desk.titles().len(), desk.opened), (1, 2));
        desk.see_muted(&revision(1, 4, Phase::Escalated, 4, 9001));
        assert_eq!((desk.titles().len(), desk.opened, desk.ledger.counters().muted), (2, 3, 1));
    }

    #[test]
    fn a_muted_source_takes_no_budget_and_the_end_of_a_mute_brings_nothing_old_back() {
        let mut desk = Desk::new(RULES);
        for id in 1..=20 {
            desk.see_muted(&opened(id, 3)).wait(MINUTE);
        }
        assert_eq!((desk.opened, desk.ledger.spent.len(), desk.ledger.counters().muted), (0, 0, 20));
        desk.see(&revision(1, 2, Phase::Updated, 3, 500)).see(&revision(1, 3, Phase::Reopened, 3, 600)).wait(HOUR);
        assert_eq!(desk.opened, 0, "it is as it was when it was muted");
        desk.see(&revision(1, 4, Phase::Closed, 3, 600)).see(&revision(1, 5, Phase::Reopened, 3, 700));
        assert_eq!(desk.opened, 1, "another time is news");
        desk.see_muted(&revision(2, 2, Phase::Closed, 3, 7)).see_muted(&revision(30, 1, Phase::Closed, 3, 7));
        assert!(!desk.ledger.incidents.contains_key(&2) && !desk.ledger.incidents.contains_key(&30), "what is over is forgotten");
    }

    #[test]
    fn muting_what_shares_a_popup_takes_it_away_only_when_nothing_else_is_in_it() {
        let mut desk = Desk::new(Rules { per_hour: 2, ..RULES });
        desk.see(&opened(1, 3)).see(&opened(2, 3)).mute(2);
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.1"]);
        let mut desk = Desk::new(Rules { per_hour: 2, ..RULES });
        desk.see(&opened(1, 3)).see(&opened(2, 3)).see(&opened(3, 3)).wait(MINUTE).mute(2);
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.1", "2 more firewall incidents"]);
        desk.see_muted(&revision(2, 2, Phase::Escalated, 4, 900));
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.1", "3 more firewall incidents"], "without budget it shares again");
        let sources = |alert: &Alert| alert.source.ends_with(".1");
        assert_eq!(desk.ledger.worst(sources), Some(Severity::AIMED));
    }

    #[test]
    fn what_was_asked_for_is_shown_at_once_in_one_place_and_outside_the_budget() {
        let mut desk = Desk::new(Rules { per_hour: 0, ..RULES });
        for _ in 0..3 {
            desk.ledger.say(present::preview(&english(), &alert(1, "syn-scan", 3)), desk.now);
            desk.settle();
            assert!(desk.ledger.is_said());
        }
        assert_eq!((desk.titles(), desk.opened, desk.ledger.counters().shown), (vec!["Preview: Port scan from 198.51.100.66"], 1, 0));
        desk.close(1);
        assert!(!desk.ledger.is_said());
        desk.ledger.say(present::preview(&english(), &alert(1, "syn-scan", 3)), desk.now);
        let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) else { panic!() };
        desk.ledger.failed(key, Failure::Silent, desk.now);
        assert!(!desk.ledger.is_said() && desk.ledger.deadline().is_none(), "whoever asked knows that it failed");
    }

    #[test]
    fn an_older_revision_changes_nothing() {
        let mut desk = Desk::new(RULES);
        desk.see(&revision(1, 5, Phase::Escalated, 4, 500)).see(&revision(1, 4, Phase::Updated, 3, 10)).wait(HOUR);
        assert_eq!((desk.updated, desk.screen[&1].severity), (0, Severity::BROAD));
    }

    #[test]
    fn when_ids_start_anew_an_old_popup_is_not_taken_for_the_new_incident() {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3));
        desk.ledger.start_anew();
        desk.see(&opened(1, 3));
        assert_eq!((desk.opened, desk.screen.len()), (2, 2));
    }

    #[derive(Clone, Debug)]
    enum Step {
        See(u64, u8, u8, bool, bool),
        Wait(u32),
        Close(usize),
        Restart,
        Refuse,
        Silence,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            12 => (0_u64..400, 0_u8..6, 1_u8..=5, any::<bool>(), any::<bool>()).prop_map(|(id, p, s, d, l)| Step::See(id, p, s, d, l)),
            4 => (0_u32..4_000_000).prop_map(Step::Wait),
            2 => (0_usize..20).prop_map(Step::Close),
            1 => Just(Step::Restart),
            1 => Just(Step::Refuse),
            1 => Just(Step::Silence),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_course_of_events_stays_within_budget_and_bounds(steps in prop::collection::vec(any_step(), 0..600)) {
            let mut desk = Desk::new(RULES);
            let mut revisions: HashMap<u64, u32> = HashMap::new();
            let mut openings: VecDeque<Duration> = VecDeque::new();
            for step in steps {
                let before = desk.opened;
                let mut is_exempt = false;
                match step {
                    Step::See(id, phase, severity, popup, is_late) => {
                        let n = revisions.entry(id).or_default();
                        *n += 1;
                        let phase = [Phase::Opened, Phase::Updated, Phase::Escalated, Phase::Closed, Phase::Reopened, Phase::Merged][usize::from(phase)];
                        let mut alert = revision(id, *n, phase, severity, *n * 10);
                        if !popup { alert.details.delivery = Delivery::Digest; }
                        is_exempt = severity == 5;
                        desk.ledger.observe(&alert, desk.now, is_late, false);
                        desk.settle();
                    }
                    Step::Wait(ms) => { desk.wait(Duration::from_millis(ms.into())); }
                    Step::Close(n) => if let Some(&id) = desk.screen.keys().nth(n) { desk.close(id); },
                    Step::Restart => {
                        desk.screen.clear();
                        desk.ledger.server_gone();
                        desk.ledger.server_back(desk.now);
                        desk.settle();
                        // What was there before is no new popup.
                        is_exempt = true;
                    }
                    Step::Refuse | Step::Silence => if let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) {
                        desk.ledger.failed(key, if matches!(step, Step::Refuse) { Failure::Refused } else { Failure::Silent }, desk.now);
                    },
                }
                if !is_exempt { (before..desk.opened).for_each(|_| openings.push_back(desk.now)); }
                expire(&mut openings, desk.now, HOUR);
                prop_assert!(desk.ledger.incidents.len() <= MAX_INCIDENTS && desk.ledger.spent.len() <= 6 && desk.ledger.newcomers.len() <= MAX_NEWCOMERS + 1);
                prop_assert_eq!(desk.ledger.next(desk.now), None, "everything due was done");
            }
            // Popups that had to be tried again later may come with others; never more than the budget allows in all.
            prop_assert!(openings.len() <= 12, "{} popups in an hour", openings.len());
        }
    }
}
