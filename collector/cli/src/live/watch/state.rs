//! What is on the screen, and what keys do to it. Pure.

use super::feed::{MAX_INCIDENTS, News, Order};
use firebell_shared::alert::Alert;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

/// Rates that are remembered, one a second.
const RATES: usize = 30;
/// Bytes of a filter.
const MAX_FILTER: usize = 64;
/// Incidents that a page key goes over.
const PAGE: isize = 10;

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    alerts: BTreeMap<u64, Alert>,
    pub(super) counters: BTreeMap<String, Value>,
    pub(super) hour: BTreeMap<String, Value>,
    /// Packets that came in each of the last seconds.
    pub(super) rates: VecDeque<u64>,
    packets: Option<u64>,
    /// Why there is no collector.
    pub(super) gone: Option<String>,
    pub(super) filter: String,
    pub(super) is_filtering: bool,
    pub(super) shows_all: bool,
    chosen: Option<u64>,
    /// The chosen one is shown as a whole, from this line on.
    pub(super) details: Option<u16>,
    /// What is done when somebody says yes.
    question: Option<Order>,
    /// What is to be said at the bottom.
    pub(super) said: String,
    pub(super) has_colours: bool,
}

/// What a key asks for outside of the screen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Quit,
    Order(Order),
}

impl State {
    pub(super) fn new(filter: String, shows_all: bool, has_colours: bool) -> Self {
        Self {
            alerts: BTreeMap::new(),
            counters: BTreeMap::new(),
            hour: BTreeMap::new(),
            rates: VecDeque::new(),
            packets: None,
            gone: None,
            filter,
            is_filtering: false,
            shows_all,
            chosen: None,
            details: None,
            question: None,
            said: String::new(),
            has_colours,
        }
    }

    /// Something has happened.
    pub(super) fn take(&mut self, news: News) {
        match news {
            News::Alerts(alerts) => {
                self.gone = None;
                self.alerts.extend(alerts.into_iter().map(|alert| (alert.id, alert)));
                while self.alerts.len() > MAX_INCIDENTS {
                    let oldest = self.alerts.values().min_by_key(|alert| alert.details.seq).map(|alert| alert.id);
                    oldest.and_then(|id| self.alerts.remove(&id));
                }
            }
            News::Anew => self.alerts.clear(),
            News::Status(counters) => {
                let packets = counters.get("packets").and_then(Value::as_u64).unwrap_or(0);
                if let Some(before) = self.packets.replace(packets) {
                    self.rates.push_back(packets.saturating_sub(before));
                    if self.rates.len() > RATES {
                        self.rates.pop_front();
                    }
                }
                (self.counters, self.gone) = (counters, None);
            }
            News::Hour(summary) => self.hour = summary,
            News::Answer(sentence) => self.said = sentence,
            News::Gone(why) => (self.gone, self.packets) = (Some(why), None),
            News::Refused(_) => {}
        }
    }

    /// The order was passed on, or there was no room for it.
    pub(super) fn ordered(&mut self, is_passed_on: bool) {
        self.said = if is_passed_on { "asking the collector" } else { "too many orders wait; try again" }.to_owned();
    }

    /// The incidents to show, in this order: what goes on, the worst first; with those that are over, the newest first.
    pub(super) fn rows(&self) -> Vec<&Alert> {
        let wanted = self.filter.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let fits = |alert: &&Alert| {
            (self.shows_all || alert.is_open())
                && (wanted.is_empty()
                    || has(&alert.source)
                    || has(&alert.kind)
                    || has(&alert.summary)
                    || alert.details.sources.iter().any(|s| has(s)))
        };
        let mut rows: Vec<&Alert> = self.alerts.values().filter(fits).collect();
        rows.sort_by_key(|alert| {
            let severity = if self.shows_all { 0 } else { alert.severity.get() };
            Reverse((severity, alert.details.last_seen, alert.id))
        });
        rows
    }

    /// Where the chosen one is among `rows`: the first, where it is gone.
    pub(super) fn place(&self, rows: &[&Alert]) -> usize {
        self.chosen.and_then(|id| rows.iter().position(|alert| alert.id == id)).unwrap_or(0)
    }

    /// How many go on.
    pub(super) fn open(&self) -> usize {
        self.alerts.values().filter(|alert| alert.is_open()).count()
    }

    /// What is asked at the bottom of the screen.
    pub(super) fn question(&self) -> Option<String> {
        match self.question.as_ref()? {
            Order::Mute(source) => Some(format!("Mute {source} for a day, for everybody on this machine? y/n")),
            Order::Acknowledge(..) => None,
        }
    }

    fn choose(&mut self, step: isize) {
        let rows = self.rows();
        let last = rows.len().saturating_sub(1);
        let place = self.place(&rows).saturating_add_signed(step).min(last);
        self.chosen = rows.get(place).map(|alert| alert.id);
    }

    /// A key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Wish::Quit);
        }
        if let Some(order) = self.question.take() {
            return matches!(key.code, KeyCode::Char('y' | 'Y')).then_some(Wish::Order(order));
        }
        self.said.clear();
        if self.is_filtering {
            self.press_in_filter(key.code);
            return None;
        }
        if let Some(line) = self.details {
            match key.code {
                KeyCode::Down | KeyCode::Char('j') => return self.scroll(line.saturating_add(1)),
                KeyCode::Up | KeyCode::Char('k') => return self.scroll(line.saturating_sub(1)),
                KeyCode::PageDown | KeyCode::Char(' ') => return self.scroll(line.saturating_add(10)),
                KeyCode::PageUp => return self.scroll(line.saturating_sub(10)),
                KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q') => {
                    self.details = None;
                    return None;
                }
                _ => {}
            }
        }
        match key.code {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            KeyCode::PageDown => self.choose(PAGE),
            KeyCode::PageUp => self.choose(-PAGE),
            KeyCode::Home => self.choose(isize::MIN),
            KeyCode::End => self.choose(isize::MAX),
            KeyCode::Enter if !self.rows().is_empty() => {
                // From here on it is that one, whatever comes before it.
                self.choose(0);
                self.details = Some(0);
            }
            KeyCode::Char('/') => self.is_filtering = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('o') => self.shows_all = !self.shows_all,
            KeyCode::Char('a') => return self.acknowledge(),
            KeyCode::Char('m') => self.ask_to_mute(),
            _ => {}
        }
        None
    }

    fn press_in_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_filtering = false,
            KeyCode::Esc => (self.is_filtering, self.filter) = (false, String::new()),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.len() < MAX_FILTER && !letter.is_control() => self.filter.push(letter),
            _ => {}
        }
    }

    fn scroll(&mut self, line: u16) -> Option<Wish> {
        self.details = Some(line);
        None
    }

    fn acknowledge(&self) -> Option<Wish> {
        let rows = self.rows();
        let alert = rows.get(self.place(&rows))?;
        Some(Wish::Order(Order::Acknowledge(alert.id, alert.details.acknowledged.is_none())))
    }

    fn ask_to_mute(&mut self) {
        let rows = self.rows();
        let source = rows.get(self.place(&rows)).map(|alert| alert.source.clone());
        match source {
            Some(source) if !source.is_empty() => self.question = Some(Order::Mute(source)),
            Some(_) => self.said = "this incident has no one source".to_owned(),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::sample;
    use firebell_shared::alert::Phase;

    fn state(ids: impl Iterator<Item = u64>) -> State {
        let mut state = State::new(String::new(), false, false);
        state.take(News::Alerts(
            ids.map(|id| {
                let mut alert = sample();
                (alert.id, alert.details.seq, alert.details.last_seen) = (id, id, id * 1_000_000);
                alert.source = format!("192.0.2.{}", id % 250);
                alert
            })
            .collect(),
        ));
        state
    }

    fn press(state: &mut State, keys: &[KeyCode]) -> Option<Wish> {
        keys.iter().fold(None, |_, key| state.press(KeyEvent::new(*key, KeyModifiers::NONE)))
    }

    fn chosen(state: &State) -> u64 {
        let rows = state.rows();
        rows[state.place(&rows)].id
    }

    #[test]
    fn the_chosen_incident_stays_chosen_while_others_come_before_it() {
        let mut state = state(1..=5);
        assert_eq!(chosen(&state), 5);
        press(&mut state, &[KeyCode::Down]);
        assert_eq!(chosen(&state), 4);
        let mut newer = sample();
        (newer.id, newer.details.seq, newer.details.last_seen) = (9, 9, 99_000_000);
        state.take(News::Alerts(vec![newer]));
        assert_eq!(chosen(&state), 4);
        press(&mut state, &[KeyCode::End]);
        assert_eq!(chosen(&state), 1);
        press(&mut state, &[KeyCode::Down, KeyCode::PageUp, KeyCode::Up]);
        assert_eq!(chosen(&state), 9);
    }

    #[test]
    fn muting_asks_first_and_any_other_key_is_no() {
        let mut state = state(1..=1);
        assert_eq!(press(&mut state, &[KeyCode::Char('m')]), None);
        assert!(state.question().unwrap().contains("192.0.2.1"));
        assert_eq!(press(&mut state, &[KeyCode::Char('n')]), None);
        assert_eq!(state.question(), None);
        let wish = press(&mut state, &[KeyCode::Char('m'), KeyCode::Char('y')]);
        assert_eq!(wish, Some(Wish::Order(Order::Mute("192.0.2.1".into()))));
        assert_eq!(press(&mut state, &[KeyCode::Char('a')]), Some(Wish::Order(Order::Acknowledge(1, true))));
    }

    #[test]
    fn a_filter_and_the_end_of_an_incident_take_rows_away() {
        let mut state = state(1..=12);
        press(
            &mut state,
            &[KeyCode::Char('/'), KeyCode::Char('2'), KeyCode::Char('.'), KeyCode::Char('q'), KeyCode::Backspace, KeyCode::Char('7')],
        );
        assert_eq!(state.rows().len(), 1, "q is a letter there");
        assert_eq!(press(&mut state, &[KeyCode::Enter, KeyCode::Char('q')]), Some(Wish::Quit));
        press(&mut state, &[KeyCode::Esc]);
        assert_eq!(state.rows().len(), 12);
        let mut over = state.alerts[&7].clone();
        over.details.phase = Phase::Closed;
        state.take(News::Alerts(vec![over]));
        assert_eq!((state.rows().len(), state.open()), (11, 11));
        press(&mut state, &[KeyCode::Char('o')]);
        assert_eq!(state.rows().len(), 12);
    }

    #[test]
    fn however_many_incidents_come_the_newest_thousand_are_kept() {
        let mut state = state(1..=3000);
        assert_eq!((state.alerts.len(), state.rows()[0].id), (MAX_INCIDENTS, 3000));
        for key in ['/'; 1000] {
            press(&mut state, &[KeyCode::Char('/'), KeyCode::Char(key)]);
        }
        assert!(state.filter.len() <= MAX_FILTER);
        state.take(News::Anew);
        assert!(state.rows().is_empty() && press(&mut state, &[KeyCode::Enter, KeyCode::Enter]).is_none() && state.details.is_none());
    }

    #[test]
    fn rates_are_what_came_in_between_and_none_over_a_restart() {
        let mut state = state(0..0);
        let status = |packets: u64| News::Status(BTreeMap::from([("packets".to_owned(), packets.into())]));
        for packets in [100, 100, 130] {
            state.take(status(packets));
        }
        state.take(News::Gone("no".into()));
        state.take(status(1_000_000));
        state.take(status(1_000_005));
        assert_eq!(state.rates, [0, 30, 5]);
    }
}
