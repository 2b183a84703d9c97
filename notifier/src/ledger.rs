//! Which popup belongs to which incident, and when there is reason to show one. Pure: time comes in
//! as a value, commands come out.
//!
//! - One incident, one popup. What changes is shown in it, never beside it.
//! - A popup that somebody closed stays closed, unless the incident becomes worse.
//! - An update needs a reason: worse, over, grown tenfold, or quiet after a change. So 1,000 ports make at most three.
//! - Six popups an hour (severity 5 excepted). The last of them gathers all further incidents, so nothing is
//!   silent. New sources are cheap to forge, so one that comes within a second of the one before (severity 5 excepted again)
//!   goes there too, as do more than eight in a minute: 1,000 sources in a second are one popup and the one that gathers.
//! - What the user has muted takes no popup and no budget. When it becomes worse than that it is shown; when the mute ends it is not.
//! - While it is to be quiet ([`Quiet`]) nothing less severe comes or changes. Afterwards what still goes on gets its popup, and one
//!   more says what is over by then. The same one says what was over before we heard of it.
//! - One popup more says that nobody watches: the collector is blind or gone for a minute. It goes when that is over.
//! - Everything is bounded: incidents, budgets, retries.

mod gathering;
mod rules;
mod screen;
mod slot;
mod together;

use crate::{
    collector::Sight,
    present::{self, Popup},
    words::Words,
};
use firebell_shared::{
    alert::{Alert, Delivery, Phase},
    severity::Severity,
};
use gathering::{Gathering, size};
pub(crate) use rules::{Kinds, Quiet, Rules, Threshold, WhenOver};
pub(crate) use screen::Screen;
#[cfg(test)]
pub(crate) use screen::tests::screen_of;
use slot::{BLINK, Change, Slot, Window};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use together::Together;

/// So many incidents are kept; the one not heard of for the longest time goes first. Six popups an hour
/// and one that gathers make this many only in an attack on ourselves.
const MAX_INCIDENTS: usize = 256;
/// New single sources in a minute before they share a popup.
const MAX_NEWCOMERS: usize = 8;
/// A new single source that comes this soon after another one shares a popup at once.
const NEWCOMERS_APART: Duration = Duration::from_secs(1);
/// Alerts a minute that have a popup each, for those who want that; the rest of them shares one.
const MAX_SINGLES: usize = 60;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// A popup that the server refuses is tried so often, and shown again so often after the server restarted.
const MAX_TRIES: u32 = 3;
/// Time before the next try, times the number of tries.
const RETRY: Duration = Duration::from_secs(30);
/// A collector that begins anew says after a minute that it is blind, if it is; then it has had time enough.
const FRESH: Duration = Duration::from_secs(75);

/// What a popup is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// One incident.
    Incident(u64),
    /// Several that share a popup.
    Gathering,
    /// Nobody watches the firewall log.
    Sight,
    /// What happened while it was quiet, or nobody was there.
    Away,
    /// What is not worth a popup of its own.
    Digest,
    /// One alert, for those who want to see each of them.
    Single,
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
    /// The server has had enough for a while (KDE Plasma).
    Excess,
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
    /// Incidents that had to wait until popups might come again.
    pub(crate) postponed: u64,
    /// Incidents that were over before they could be shown, and are told together.
    pub(crate) told_late: u64,
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
    quiet: Quiet,
    away: Option<Together>,
    digest: Option<Together>,
    /// Not before then is there another digest.
    next_digest: Duration,
    /// Alerts that wait to be shown one by one, and when one came, oldest first: at most [`MAX_SINGLES`] each.
    singles: VecDeque<(Alert, Slot)>,
    single_times: VecDeque<Duration>,
    /// When a popup was taken out of the budget, oldest first; at most `rules.per_hour` of the last hour.
    spent: VecDeque<Duration>,
    /// When a new single-source incident came, oldest first; at most [`MAX_NEWCOMERS`] + 1 of the last minute.
    newcomers: VecDeque<Duration>,
    /// Popups of incidents that are over, by the server's ids: on the screen, but nothing changes them any more. At most
    /// [`screen::MAX_OVER`], the newest.
    over: VecDeque<(u32, Alert)>,
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

impl Incident {
    /// Until popups may come again.
    fn waits(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| slot.window == Window::Held)
    }
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
            quiet: Quiet::default(),
            away: None,
            digest: None,
            next_digest: Duration::ZERO,
            singles: VecDeque::new(),
            single_times: VecDeque::new(),
            spent: VecDeque::new(),
            newcomers: VecDeque::new(),
            over: VecDeque::new(),
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

    /// Says everything in these words from now on. What is on the screen stays as it is until it changes.
    pub(crate) fn set_words(&mut self, words: Words) {
        self.words = words;
    }

    /// Incidents on record, and popups that are left of this hour's.
    pub(crate) fn load(&self, now: Duration) -> (usize, usize) {
        let spent = self.spent.iter().filter(|&&at| now.saturating_sub(at) < HOUR).count();
        (self.incidents.len(), self.budget().saturating_sub(spent))
    }

    /// Takes in one revision of one incident. `is_late`: it is told afterwards, so that an incident which
    /// is over already may be new to us. `is_muted`: the user does not want to hear of it as it is now.
    pub(crate) fn observe(&mut self, alert: &Alert, now: Duration, is_late: bool, is_muted: bool) {
        if alert.details.phase == Phase::Merged {
            self.forget(alert.id);
            return;
        }
        if self.rules.every_alert && alert.kind != "test" {
            self.observe_single(alert, now, is_late, is_muted);
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
            if !is_muted {
                self.add_to_digest(alert, now, is_late);
            }
            return;
        }
        let is_over = alert.details.phase == Phase::Closed;
        let slot = if is_muted {
            self.counters.muted += 1;
            if is_over {
                return;
            }
            Some(Slot::hidden(Some(alert.severity), now))
        } else if is_over {
            self.tell_late(alert, now);
            return;
        } else if self.holds(alert) {
            self.counters.postponed += 1;
            Some(Slot { window: Window::Held, ..Slot::new(now) })
        } else {
            self.place(alert, now, is_late)
        };
        self.make_room(now);
        if slot.is_none() {
            self.gather(alert, now);
        }
        // A test is asked for each time: nothing to keep books on, but it has to be shown first.
        self.incidents.insert(alert.id, Incident { alert: alert.clone(), heard: now, slot });
    }

    /// From now on popups may come, or not. What waited and still goes on is shown, the worst first, and what is over together.
    pub(crate) fn set_quiet(&mut self, quiet: Quiet, now: Duration) {
        self.quiet = quiet;
        for slot in self.slots() {
            // What was shown without addresses gets them back. What has some loses them only where popups may change.
            let is_wrong = slot.is_veiled != quiet.is_veiled && (slot.is_veiled || quiet.below.is_none());
            if is_wrong && matches!(slot.window, Window::Shown(_)) {
                slot.change = Some(Change { since: now, is_urgent: true });
            }
        }
        if let Some(away) = self.away.as_mut().filter(|away| quiet.below.is_none() && away.slot.window == Window::Held) {
            away.slot.window = Window::Wanted(Some(now));
        }
        let free = self.incidents.values().filter(|incident| incident.waits() && !self.holds(&incident.alert));
        let mut free: Vec<Alert> = free.map(|incident| incident.alert.clone()).collect();
        free.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
        for alert in free {
            let slot = self.place(&alert, now, true);
            if slot.is_none() {
                self.gather(&alert, now);
            }
            if let Some(incident) = self.incidents.get_mut(&alert.id) {
                incident.slot = slot;
            }
        }
    }

    /// Does something wait that would be lost if we ended now?
    pub(crate) fn is_holding(&self) -> bool {
        let away = self.away.as_ref().is_some_and(|away| matches!(away.slot.window, Window::Held | Window::Wanted(Some(_))));
        away || self.incidents.values().any(Incident::waits)
    }

    /// Incidents that wait until popups may come again, those included that are over by now.
    pub(crate) fn waiting(&self) -> usize {
        let away = self.away.as_ref().filter(|away| away.slot.window == Window::Held).map_or(0, |away| away.count);
        self.incidents.values().filter(|incident| incident.waits()).count() + usize::try_from(away).unwrap_or(usize::MAX)
    }

    /// How often there may be a digest.
    pub(crate) fn digest_every(&self) -> Option<Duration> {
        self.rules.digest_every
    }

    /// There was a digest that long ago, when another agent ran, so the next one is not before `at`.
    pub(crate) fn set_next_digest(&mut self, at: Duration) {
        self.next_digest = at;
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
    pub(crate) fn start_anew(&mut self, now: Duration) {
        // What waits is told with what is over.
        let waiting: Vec<Alert> =
            std::mem::take(&mut self.incidents).into_values().filter(Incident::waits).map(|incident| incident.alert).collect();
        for alert in waiting {
            self.tell_late(&alert, now);
        }
        self.gathering = None;
        self.over.clear();
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
        let (stay_from, is_veiled) = (self.rules.stay_from, self.quiet.is_veiled);
        let (slot, popup) = match key {
            Key::Incident(id) => {
                let incident = self.incidents.get(&id)?;
                (incident.slot.as_ref()?, present::incident_veiled(&self.words, &incident.alert, stay_from, is_veiled))
            }
            Key::Gathering => {
                let gathering = self.gathering.as_ref()?;
                (&gathering.slot, gathering.popup(&self.words, stay_from, is_veiled))
            }
            Key::Sight => {
                let blindness = self.blindness.as_ref()?;
                (&blindness.slot, present::blindness(&self.words, blindness.reason.as_deref()))
            }
            Key::Away => {
                let away = self.away.as_ref()?;
                (&away.slot, present::away(&self.words, &away.summary(), stay_from))
            }
            Key::Digest => {
                let digest = self.digest.as_ref()?;
                (&digest.slot, present::digest(&self.words, &digest.summary()))
            }
            Key::Single => {
                let (alert, slot) = self.singles.front()?;
                (slot, present::incident_veiled(&self.words, alert, stay_from, is_veiled))
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
            Key::Away => (Severity::BACKGROUND, self.away.as_ref().map_or(0, |away| away.count)),
            Key::Sight | Key::Said | Key::Digest | Key::Single => (Severity::BACKGROUND, 1),
        };
        let is_veiled = self.quiet.is_veiled;
        let Some(slot) = self.slot(key) else { return };
        if slot.is_gone(id) && slot.severity >= Some(severity) {
            // Somebody closed it while there was no agent, and it has not become worse.
            slot.window = Window::Gone;
            slot.change = None;
            self.closes.push_back(id);
            self.settle_books(key);
            return;
        }
        let is_update = matches!(slot.window, Window::Shown(_));
        if is_update && slot.change.is_none_or(|change| !change.is_urgent) {
            slot.plain_updates += 1;
        }
        slot.window = Window::Shown(id);
        slot.severity = slot.severity.max(Some(severity));
        slot.size = size;
        slot.at = now;
        slot.change = None;
        slot.is_veiled = is_veiled && matches!(key, Key::Incident(_) | Key::Gathering);
        if is_update {
            slot.tries = 0;
        }
        if let (Key::Digest, Some(every)) = (key, self.rules.digest_every) {
            self.next_digest = now + every;
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
            Key::Sight | Key::Away | Key::Digest | Key::Single => None,
            Key::Said => {
                // Whoever asked is told.
                self.said = None;
                return;
            }
        };
        if failure == Failure::Excess {
            return self.back_off(key, now);
        }
        let Some(slot) = self.slot(key) else { return };
        slot.tries += 1;
        let is_last = slot.tries >= MAX_TRIES;
        match (slot.window, failure) {
            (_, Failure::NoServer) => {
                slot.tries -= 1;
                slot.window = Window::Wanted(None);
                return;
            }
            // It lets nobody have what another connection has shown, so the next change needs a popup of its own.
            (Window::Shown(_), Failure::Refused) if slot.is_inherited => {
                slot.window = Window::Unknown;
                slot.change = None;
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

    /// Waits, and asks for less: what is not on the screen yet goes into one popup. Nothing is lost, however long it takes.
    fn back_off(&mut self, key: Key, now: Duration) {
        let again = Window::Wanted(Some(now + RETRY));
        if let Key::Incident(id) = key
            && let Some(incident) = self.incidents.get_mut(&id)
            && incident.alert.kind != "test"
            && incident.alert.severity < Severity::CRITICAL
            && incident.slot.take_if(|slot| !matches!(slot.window, Window::Shown(_))).is_some()
        {
            let alert = incident.alert.clone();
            // What it took out of the budget is for the popup that it shares now.
            self.spent.pop_back();
            self.gather(&alert, now);
            if let Some(Gathering { slot, .. }) = &mut self.gathering
                && matches!(slot.window, Window::Wanted(_))
            {
                slot.window = again;
            }
            if alert.details.phase == Phase::Closed {
                self.incidents.remove(&id);
            }
        } else if let Some(slot) = self.slot(key) {
            match slot.window {
                // Its change stays due, and counts from then on.
                Window::Shown(_) => slot.at = now + RETRY,
                _ => slot.window = again,
            }
        }
    }

    /// The server's popup `id` is no longer on the screen.
    pub(crate) fn popup_closed(&mut self, id: u32) {
        self.over.retain(|(popup, _)| *popup != id);
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
        self.over.clear();
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

    /// Has it to wait now? A test never has: somebody asked for it.
    fn holds(&self, alert: &Alert) -> bool {
        alert.kind != "test" && self.holds_severity(alert.severity)
    }

    fn holds_severity(&self, severity: Severity) -> bool {
        self.quiet.below.is_some_and(|below| severity < below)
    }

    /// Puts an incident that is over before it was shown to the others of its kind.
    fn tell_late(&mut self, alert: &Alert, now: Duration) {
        self.counters.told_late += 1;
        let window = if self.quiet.below.is_some() { Window::Held } else { Window::Wanted(Some(now + BLINK)) };
        // What somebody has closed is known by now.
        if self.away.as_ref().is_some_and(|away| away.slot.window == Window::Gone) {
            self.away = None;
        }
        self.away.get_or_insert_with(|| Together::new(window, now)).add(&self.words, alert, now);
    }

    /// Puts an incident that deserves no popup into the digest, where the user wants one.
    fn add_to_digest(&mut self, alert: &Alert, now: Duration, is_late: bool) {
        let Some(every) = self.rules.digest_every else { return };
        // The first revision of each that is told as it happens; of what is told afterwards, any.
        if alert.details.delivery != Delivery::Digest || !(is_late || alert.details.phase == Phase::Opened) {
            return;
        }
        let at = self.next_digest.max(now + every.min(HOUR));
        self.digest.get_or_insert_with(|| Together::new(Window::Wanted(Some(at)), now)).add(&self.words, alert, now);
    }

    /// One revision, for those who want to see each. When there are too many they share a popup.
    fn observe_single(&mut self, alert: &Alert, now: Duration, is_late: bool, is_muted: bool) {
        if is_muted {
            self.counters.muted += 1;
        } else if !self.calls_for_popup(alert) {
            self.counters.quiet += 1;
            self.add_to_digest(alert, now, is_late);
        } else if self.holds(alert) || (is_late && alert.details.phase == Phase::Closed) {
            self.tell_late(alert, now);
        } else {
            expire(&mut self.single_times, now, MINUTE);
            if self.single_times.len() < MAX_SINGLES && self.singles.len() < MAX_SINGLES {
                self.single_times.push_back(now);
                self.singles.push_back((alert.clone(), Slot::new(now)));
            } else {
                self.gather(alert, now);
            }
        }
    }

    fn calls_for_popup(&self, alert: &Alert) -> bool {
        match self.rules.kinds.of(&alert.kind) {
            Some(Threshold::Never) => return false,
            Some(Threshold::Always) => return true,
            Some(Threshold::From(from)) => return alert.severity >= from,
            None => {}
        }
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
        let holds = self.quiet.below.is_some_and(|below| alert.severity < below);
        let goes = self.rules.when_over == WhenOver::Close;
        let Some(slot) = &mut known.slot else {
            // It shares a popup. If it is as bad as can be, it gets one of its own.
            if alert.severity == Severity::CRITICAL {
                known.slot = Some(Slot::new(now));
            } else if let Some(id) = self.gathering.as_ref().filter(|_| is_over && goes).and_then(|gathering| gathering.shown_for(alert.id))
            {
                // It is the only one there.
                self.closes.push_back(id);
                self.gathering = None;
            } else if let Some(gathering) = &mut self.gathering {
                gathering.revise(&self.words, alert, now);
                self.reopen_gathering(alert, now);
            }
            if is_over {
                self.incidents.remove(&alert.id);
            }
            return;
        };
        match slot.window {
            Window::Shown(id) if is_over && goes => {
                self.closes.push_back(id);
                slot.window = Window::Gone;
                slot.change = None;
            }
            Window::Shown(_) => {
                let is_urgent = is_over || slot.severity < Some(alert.severity) || alert.details.phase == Phase::Reopened;
                slot.change = Some(Change { since: now, is_urgent: is_urgent || slot.change.is_some_and(|change| change.is_urgent) });
            }
            // It is shown as it is by then.
            Window::Wanted(_) => {}
            Window::Held if is_over => {
                self.incidents.remove(&alert.id);
                self.tell_late(alert, now);
                return;
            }
            Window::Held if holds => {}
            Window::Gone if slot.severity < Some(alert.severity) && !is_over && holds => {
                slot.severity = Some(alert.severity);
                slot.window = Window::Held;
                self.counters.postponed += 1;
            }
            Window::Unknown => slot.window = Window::Wanted(Some(now)),
            Window::Gone | Window::Held if slot.severity < Some(alert.severity) && !is_over => {
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
            Window::Gone | Window::Held => {}
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

    /// A place for a new incident, or `None`: it has to share one. `is_late`: that it is told now says nothing of when it came.
    fn place(&mut self, alert: &Alert, now: Duration, is_late: bool) -> Option<Slot> {
        if alert.kind == "test" {
            return Some(Slot::new(now));
        }
        if !alert.source.is_empty() {
            expire(&mut self.newcomers, now, MINUTE);
            let is_next = self.newcomers.back().is_some_and(|&before| now.saturating_sub(before) < NEWCOMERS_APART);
            self.newcomers.push_back(now);
            if self.newcomers.len() > MAX_NEWCOMERS + 1 {
                self.newcomers.pop_front();
            }
            let is_in_burst = is_next && !is_late && alert.severity < Severity::CRITICAL;
            if is_in_burst || self.newcomers.len() > MAX_NEWCOMERS {
                return None;
            }
        }
        expire(&mut self.spent, now, HOUR);
        let left = self.budget().saturating_sub(self.spent.len());
        // The last one is for all who come later. Once it is open, they share it.
        let is_gathering = self.is_gathering(now);
        let is_free = if is_gathering { left >= 1 } else { left >= 2 };
        if alert.severity == Severity::CRITICAL || (is_free && self.spend(alert, now)) { Some(Slot::new(now)) } else { None }
    }

    /// Takes a popup out of the budget. False: there is none left.
    fn spend(&mut self, alert: &Alert, now: Duration) -> bool {
        expire(&mut self.spent, now, HOUR);
        if alert.severity == Severity::CRITICAL {
            return true;
        }
        let is_left = self.spent.len() < self.budget();
        if is_left {
            self.spent.push_back(now);
        }
        is_left
    }

    /// Popups an hour.
    fn budget(&self) -> usize {
        usize::try_from(self.rules.per_hour).unwrap_or(usize::MAX)
    }

    /// Is there a popup for several that takes in what comes? One that somebody closed does while more and more comes, and when
    /// there can be no other; otherwise what comes later would be hidden by it.
    fn is_gathering(&mut self, now: Duration) -> bool {
        expire(&mut self.spent, now, HOUR);
        let can_replace = self.spent.len() < self.budget();
        self.gathering.as_ref().is_some_and(|gathering| !(gathering.is_past(now) || can_replace && gathering.is_left_alone(now)))
    }

    /// Puts an incident into the popup for several.
    fn gather(&mut self, alert: &Alert, now: Duration) {
        self.counters.gathered += 1;
        if self.is_gathering(now)
            && let Some(gathering) = &mut self.gathering
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
        self.gathering = Some(Gathering::new(&self.words, alert, slot, now));
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
        let id = match key {
            Key::Incident(id) => id,
            Key::Single => {
                self.singles.pop_front();
                return;
            }
            Key::Digest => {
                // What comes from now on is for the next one.
                self.digest = None;
                return;
            }
            _ => return,
        };
        let Some(incident) = self.incidents.get(&id) else { return };
        let is_over = incident.alert.details.phase == Phase::Closed || incident.alert.kind == "test";
        let has_more =
            incident.slot.as_ref().is_some_and(|slot| slot.change.is_some() || matches!(slot.window, Window::Wanted(_) | Window::Held));
        if is_over
            && !has_more
            && let Some(Incident { alert, slot: Some(Slot { window: Window::Shown(popup), .. }), .. }) = self.incidents.remove(&id)
            && alert.kind != "test"
        {
            self.over.push_back((popup, alert));
            if self.over.len() > screen::MAX_OVER {
                self.over.pop_front();
            }
        }
    }

    fn make_room(&mut self, now: Duration) {
        if self.incidents.len() < MAX_INCIDENTS {
            return;
        }
        if let Some(id) = self.incidents.iter().min_by_key(|(id, incident)| (incident.heard, **id)).map(|(id, _)| *id) {
            let evicted = self.incidents.remove(&id);
            self.counters.evicted += 1;
            if let Some(Incident { alert, slot: Some(Slot { window: Window::Held, .. }), .. }) = evicted {
                self.tell_late(&alert, now);
            }
        }
    }

    /// All slots with something to show, and when.
    fn due(&self) -> Vec<(Key, Duration)> {
        let incidents = self
            .incidents
            .iter()
            .filter(|(_, incident)| !self.holds(&incident.alert))
            .filter_map(|(&id, incident)| Some((Key::Incident(id), incident.slot.as_ref()?.due(size(&incident.alert))?)));
        let gathering = self.gathering.as_ref().filter(|gathering| !self.holds_severity(gathering.worst));
        let gathering = gathering.and_then(|g| Some((Key::Gathering, g.slot.due(g.size())?)));
        let is_quiet = self.quiet.below.is_some();
        let single = self.singles.front().filter(|(alert, _)| !self.holds(alert)).and_then(|(_, slot)| Some((Key::Single, slot.due(1)?)));
        let away = self.away.as_ref().filter(|_| !is_quiet).and_then(|away| Some((Key::Away, away.slot.due(away.count)?)));
        let digest = self.digest.as_ref().filter(|_| !is_quiet).and_then(|digest| Some((Key::Digest, digest.slot.due(1)?)));
        let blindness = self.blindness.as_ref().filter(|_| !is_quiet).and_then(|blindness| Some((Key::Sight, blindness.slot.due(1)?)));
        // Whoever asked waits for it, so it may blink.
        let said = self.said.as_ref().and_then(|(_, slot)| match slot.window {
            Window::Shown(_) => Some((Key::Said, slot.change?.since)),
            _ => Some((Key::Said, slot.due(1)?)),
        });
        incidents.chain(gathering).chain(single).chain(away).chain(digest).chain(blindness).chain(said).collect()
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        match key {
            Key::Incident(id) => self.incidents.get_mut(&id)?.slot.as_mut(),
            Key::Gathering => self.gathering.as_mut().map(|gathering| &mut gathering.slot),
            Key::Sight => self.blindness.as_mut().map(|blindness| &mut blindness.slot),
            Key::Away => self.away.as_mut().map(|away| &mut away.slot),
            Key::Digest => self.digest.as_mut().map(|digest| &mut digest.slot),
            Key::Single => self.singles.front_mut().map(|(_, slot)| slot),
            Key::Said => self.said.as_mut().map(|(_, slot)| slot),
        }
    }

    fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        let incidents = self.incidents.values_mut().filter_map(|incident| incident.slot.as_mut());
        let gathering = self.gathering.as_mut().map(|gathering| &mut gathering.slot);
        let said = self.said.as_mut().map(|(_, slot)| slot);
        let together = [&mut self.away, &mut self.digest].into_iter().flatten().map(|together| &mut together.slot);
        let singles = self.singles.iter_mut().map(|(_, slot)| slot);
        let blindness = self.blindness.as_mut().map(|blindness| &mut blindness.slot);
        incidents.chain(gathering).chain(singles).chain(together).chain(blindness).chain(said)
    }
}

/// Drops what is older than `span` from a list that is sorted by time.
fn expire(times: &mut VecDeque<Duration>, now: Duration, span: Duration) {
    while times.front().is_some_and(|&at| now.saturating_sub(at) >= span) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests;
