use super::*;
use crate::present::tests::{alert, english};
use firebell_shared::kind::KINDS;
use proptest::prelude::*;

const RULES: Rules = Rules {
    stay_from: Severity::AIMED,
    popup_from: None,
    per_hour: 6,
    when_over: WhenOver::Say,
    kinds: Kinds([None; KINDS.len()]),
    every_alert: false,
    digest_every: None,
};

/// A desktop that shows whatever it is told, and a clock.
struct Desk {
    ledger: Ledger,
    now: Duration,
    next_id: u32,
    /// By id: what is on the screen.
    screen: std::collections::BTreeMap<u32, Popup>,
    opened: usize,
    /// Among them: of severity 5, and of what happened meanwhile, which is at most one for each time that somebody was away.
    opened_free: usize,
    updated: usize,
    /// Its agent was killed and cannot know what was closed meanwhile.
    is_heir: bool,
}

impl Desk {
    fn new(rules: Rules) -> Self {
        Self {
            ledger: Ledger::new(rules, english()),
            now: HOUR,
            next_id: 0,
            screen: Default::default(),
            opened: 0,
            opened_free: 0,
            updated: 0,
            is_heir: false,
        }
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
                        self.opened_free += usize::from(key == Key::Away || popup.severity == Severity::CRITICAL);
                        self.next_id += 1;
                        self.opened += 1;
                        self.next_id
                    } else if self.is_heir && !self.screen.contains_key(&replaces) {
                        self.next_id += 1;
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

    /// The agent is killed, and the next one begins with what it left. `closed`: what the server says is closed.
    fn kill(&mut self, closed: &[u32], renews: bool) -> &mut Self {
        let left: Screen = serde_json::from_str(&serde_json::to_string(&self.ledger.screen()).unwrap()).unwrap();
        assert_eq!(left, self.ledger.screen());
        self.ledger = Ledger::new(self.ledger.rules, english());
        self.ledger.take_over(left, closed, renews, self.now);
        self.is_heir = true;
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
fn a_popup_goes_away_at_the_end_where_that_is_wished() {
    let mut desk = Desk::new(Rules { when_over: WhenOver::Close, ..RULES });
    desk.see(&opened(1, 3)).see(&opened(2, 3)).wait(HOUR).see(&revision(1, 2, Phase::Closed, 3, 9));
    assert_eq!((desk.titles(), desk.opened, desk.updated), (vec!["Port scan from 198.51.100.2"], 2, 0));
    assert_eq!(desk.ledger.incidents.len(), 1, "its books are closed");
    desk.see(&revision(1, 3, Phase::Reopened, 3, 20));
    assert_eq!(desk.opened, 3);
    // What was not on the screen yet is told as it is.
    desk.ledger.observe(&opened(3, 3), desk.now, false, false);
    desk.ledger.observe(&revision(3, 2, Phase::Closed, 3, 9), desk.now, false, false);
    desk.settle();
    assert_eq!(desk.titles().last(), Some(&"Port scan from 198.51.100.3 (ended)"));
}

#[test]
fn the_only_incident_of_a_gathering_takes_its_popup_along_where_that_is_wished() {
    let mut desk = Desk::new(Rules { when_over: WhenOver::Close, ..RULES });
    desk.see(&opened(1, 3)).see(&opened(2, 3)).wait(MINUTE).see(&revision(2, 2, Phase::Closed, 3, 9));
    assert_eq!((desk.titles(), desk.ledger.incidents.len()), (vec!["Port scan from 198.51.100.1"], 1));
    desk.see(&opened(3, 3)).see(&opened(4, 3)).see(&opened(5, 3)).wait(MINUTE).see(&revision(5, 2, Phase::Closed, 3, 9)).wait(MINUTE);
    assert_eq!(desk.titles().last(), Some(&"2 more firewall incidents"), "what several share stays");
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
        desk.see(&opened(id, 3)).wait(SECOND);
    }
    desk.wait(MINUTE * 2);
    assert_eq!(desk.opened, 9);
    assert_eq!(desk.titles().last(), Some(&"192 more firewall incidents"));
    assert!(desk.updated <= 6, "{} updates", desk.updated);
    desk.wait(MINUTE).see(&opened(201, 3));
    assert_eq!(desk.opened, 10, "a quiet minute later a source has its own popup again");
}

#[test]
fn a_thousand_new_sources_in_a_second_are_one_popup_and_the_one_that_gathers() {
    let mut desk = Desk::new(Rules { per_hour: 1000, ..RULES });
    for id in 1..=1000 {
        desk.see(&opened(id, 3)).wait(SECOND / 1000);
    }
    desk.wait(MINUTE);
    assert_eq!((desk.titles(), desk.opened), (vec!["Port scan from 198.51.100.1", "999 more firewall incidents"], 2));
    assert!(desk.updated <= 3 && desk.ledger.incidents.len() <= MAX_INCIDENTS, "{} updates", desk.updated);
    assert_eq!(desk.ledger.spent.len(), 2, "what comes later in this hour has popups left");
}

#[test]
fn a_second_attack_right_after_the_first_looks_as_if_it_had_a_popup_of_its_own() {
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3)).see(&opened(2, 4)).wait(SECOND);
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.1", "Port scan from 198.51.100.2"]);
    desk.see(&revision(2, 2, Phase::Closed, 4, 9)).wait(HOUR);
    assert_eq!(desk.titles().last(), Some(&"Port scan from 198.51.100.2 (ended)"));
    // The worst has its own in any burst.
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3)).see(&opened(2, 3)).see(&opened(3, 3)).see(&opened(4, 5)).wait(MINUTE);
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.1", "2 more firewall incidents", "Port scan from 198.51.100.4"]);
}

#[test]
fn many_small_ones_do_not_hide_a_worse_one_among_them() {
    let mut desk = Desk::new(RULES);
    for id in 1..=50 {
        desk.see(&opened(id, if id == 40 { 4 } else { 3 }));
    }
    desk.see(&revision(30, 2, Phase::Escalated, 4, 900)).wait(MINUTE);
    let popup = &desk.screen[&2];
    assert!(
        popup.body.starts_with("Port scan from 198.51.100.40.\nPort scan from 198.51.100.30.\nPort scan from 198.51.100.2.\n"),
        "{popup:?}"
    );
    assert!(popup.severity == Severity::BROAD && popup.body.contains("\nAnd 44 more.\n"), "{popup:?}");
}

#[test]
fn a_gathering_that_somebody_closed_hides_the_burst_that_it_was_about_and_none_that_comes_later() {
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3)).see(&opened(2, 3)).see(&opened(3, 3)).wait(MINUTE).close(2);
    for id in 4..=40 {
        desk.see(&opened(id, 3)).wait(SECOND / 2);
    }
    assert_eq!(desk.titles()[1], "Port scan from 198.51.100.4", "the first of the next burst has its own");
    assert!(desk.opened == 4 && desk.titles()[2].ends_with("more firewall incidents"), "{:?}", desk.titles());
    desk.close(4);
    for id in 41..=200 {
        desk.see(&opened(id, 3)).wait(SECOND / 2);
    }
    assert_eq!(desk.opened, 4, "it goes on, and was closed");
    desk.wait(MINUTE).see(&opened(201, 3)).see(&opened(202, 3));
    assert_eq!(desk.titles()[2..], ["Port scan from 198.51.100.201", "Port scan from 198.51.100.202"], "a quiet minute later");
}

#[test]
fn what_is_told_afterwards_did_not_come_in_a_burst() {
    let mut desk = Desk::new(RULES);
    for id in 1..=4 {
        desk.hear_late(&opened(id, 3));
    }
    desk.close(4).see(&opened(5, 3)).wait(SECOND);
    assert_eq!(desk.titles().len(), 4, "{:?}", desk.titles());
    assert!(desk.ledger.gathering.as_ref().is_some_and(|gathering| gathering.count == 1));
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
    desk.hear_late(&over).hear_late(&over).hear_late(&revision(2, 9, Phase::Closed, 4, 10)).hear_late(&opened(3, 3));
    assert!(desk.ledger.is_holding(), "what waits for others of its kind is not shown yet");
    desk.wait(SECOND);
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.3", "While you were away: 2 scans from 2 addresses"]);
    assert!(desk.screen[&2].body.starts_with("The worst: Port scan from 198.51.100.2.\n"), "{:?}", desk.screen[&2]);
    assert!(!desk.ledger.is_holding() && desk.ledger.incidents.len() == 1);
    // More of it is told in the same place, unless somebody has closed that.
    desk.hear_late(&revision(4, 2, Phase::Closed, 3, 10)).wait(MINUTE);
    assert_eq!(desk.titles().last(), Some(&"While you were away: 3 scans from 3 addresses"));
    desk.close(2).hear_late(&revision(5, 2, Phase::Closed, 3, 10)).wait(MINUTE);
    assert_eq!(desk.titles().last(), Some(&"While you were away: 1 scan from 1 address"));
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

const NIGHT: Quiet = Quiet { below: Some(Severity::CRITICAL), is_veiled: false };
const DAY: Quiet = Quiet { below: None, is_veiled: false };

impl Desk {
    fn hear_late(&mut self, alert: &Alert) -> &mut Self {
        self.ledger.observe(alert, self.now, true, false);
        self.settle()
    }

    fn set_quiet(&mut self, quiet: Quiet) -> &mut Self {
        self.ledger.set_quiet(quiet, self.now);
        self.settle()
    }
}

#[test]
fn a_night_is_told_in_one_popup_and_what_still_goes_on_in_its_own() {
    let mut desk = Desk::new(RULES);
    desk.set_quiet(NIGHT);
    for id in 1..=30 {
        desk.see(&opened(id, 3)).wait(MINUTE).see(&revision(id, 2, Phase::Closed, 3, 20));
    }
    desk.see(&opened(40, 4)).see(&opened(41, 5)).wait(HOUR);
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.41"], "only act now");
    assert!(desk.ledger.is_holding() && desk.ledger.waiting() == 31 && desk.ledger.spent.is_empty() && desk.ledger.deadline().is_none());
    desk.set_quiet(DAY);
    assert_eq!(
        desk.titles(),
        ["Port scan from 198.51.100.41", "Port scan from 198.51.100.40", "While you were away: 30 scans from 30 addresses"]
    );
    let popup = &desk.screen[&3];
    assert_eq!((popup.urgency(), popup.stays), (present::Urgency::Normal, true));
    assert!(popup.body.contains("And 25 more."), "{popup:?}");
    assert!(!desk.ledger.is_holding());
    // It goes on as always.
    desk.see(&revision(40, 2, Phase::Closed, 4, 20)).wait(MINUTE);
    assert_eq!(desk.titles()[1], "Port scan from 198.51.100.40 (ended)");
}

#[test]
fn in_the_night_a_popup_does_not_change_and_in_the_morning_it_is_as_it_is_by_then() {
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3)).wait(SECOND).see(&opened(2, 3)).set_quiet(NIGHT).close(2);
    desk.see(&revision(1, 2, Phase::Escalated, 4, 500)).see(&revision(2, 2, Phase::Escalated, 4, 500)).hear(blind()).wait(HOUR);
    assert_eq!((desk.titles(), desk.updated), (vec!["Port scan from 198.51.100.1"], 0));
    desk.see(&revision(1, 3, Phase::Closed, 4, 600)).wait(HOUR).set_quiet(DAY);
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.1 (ended)", BLIND, "Port scan from 198.51.100.2"]);
}

#[test]
fn what_becomes_as_bad_as_can_be_breaks_the_night() {
    let mut desk = Desk::new(RULES);
    desk.set_quiet(NIGHT).see(&opened(1, 3)).see(&revision(1, 2, Phase::Escalated, 5, 500));
    assert_eq!((desk.titles(), desk.ledger.waiting()), (vec!["Port scan from 198.51.100.1"], 0));
    let mut test = alert(9, "test", 1);
    test.details.delivery = Delivery::Log;
    desk.see(&test);
    assert_eq!(desk.titles().last(), Some(&"Firebell test"), "somebody asked for it");
}

#[test]
fn a_night_of_a_thousand_incidents_is_bounded_and_none_is_lost() {
    let mut desk = Desk::new(RULES);
    desk.set_quiet(NIGHT);
    for id in 1..=2000 {
        desk.see(&opened(id, 3));
    }
    assert!(desk.ledger.incidents.len() <= MAX_INCIDENTS && desk.ledger.waiting() == 2000);
    desk.set_quiet(DAY).wait(HOUR * 2);
    let titles = desk.titles().join("\n");
    assert!(titles.contains("While you were away: 1,744 scans from 1,024 addresses"), "{titles}");
    assert!(titles.contains("more firewall incidents") && desk.opened <= 7, "{titles}");
}

#[test]
fn a_history_that_starts_anew_loses_nothing_that_waits() {
    let mut desk = Desk::new(RULES);
    desk.set_quiet(NIGHT).see(&opened(1, 3));
    desk.ledger.start_anew(desk.now);
    desk.set_quiet(DAY);
    assert_eq!(desk.titles(), ["While you were away: 1 scan from 1 address"]);
}

#[test]
fn what_is_muted_while_it_waits_is_not_told() {
    let mut desk = Desk::new(RULES);
    desk.set_quiet(NIGHT).see(&opened(1, 3)).mute(1).see_muted(&revision(2, 1, Phase::Opened, 3, 7)).set_quiet(DAY).wait(HOUR);
    assert_eq!(desk.titles(), [""; 0]);
}

#[test]
fn on_a_locked_screen_there_are_no_addresses_and_they_come_back_with_their_reader() {
    let mut desk = Desk::new(Rules { per_hour: 2, ..RULES });
    desk.see(&opened(1, 4)).set_quiet(Quiet { below: None, is_veiled: true }).wait(SECOND);
    assert_eq!((desk.titles(), desk.updated), (vec!["Port scan"], 1), "what is there loses them too");
    desk.see(&opened(2, 3)).see(&opened(3, 3)).wait(MINUTE);
    for popup in desk.screen.values() {
        assert!(!format!("{popup:?}").contains("198.51"), "{popup:?}");
    }
    desk.set_quiet(DAY).wait(SECOND);
    assert_eq!(desk.titles()[0], "Port scan from 198.51.100.1");
    assert!(desk.screen[&2].body.contains("198.51.100.3"), "{:?}", desk.screen[&2]);
    // While popups wait, only what comes all the same is shown, without addresses, and nothing else changes.
    let updated = desk.updated;
    desk.set_quiet(Quiet { is_veiled: true, ..NIGHT }).wait(HOUR).see(&opened(9, 5));
    assert_eq!((desk.updated, desk.titles().last()), (updated, Some(&"Port scan")));
    desk.set_quiet(DAY).wait(SECOND);
    assert_eq!((desk.updated, desk.titles().last()), (updated + 1, Some(&"Port scan from 198.51.100.9")));
}

#[test]
fn thresholds_by_kind_come_before_everything_else() {
    let mut kinds = Kinds::default();
    kinds.set("syn-scan", Threshold::Never);
    kinds.set("port-sweep", Threshold::From(Severity::BROAD));
    kinds.set("ping-sweep", Threshold::Always);
    let mut desk = Desk::new(Rules { kinds, ..RULES });
    let of = |id: u64, kind: &str, severity: u8, delivery| {
        let mut alert = alert(id, kind, severity);
        alert.details.delivery = delivery;
        alert
    };
    desk.see(&of(1, "syn-scan", 5, Delivery::Popup)).see(&of(2, "port-sweep", 3, Delivery::Popup));
    assert_eq!(desk.opened, 0);
    desk.see(&of(3, "port-sweep", 4, Delivery::Log)).wait(SECOND).see(&of(4, "ping-sweep", 2, Delivery::Log));
    desk.wait(SECOND).see(&of(5, "udp-scan", 3, Delivery::Popup));
    assert_eq!(desk.opened, 3);
}

#[test]
fn who_wants_every_alert_gets_a_popup_for_each_and_a_flood_shares_one() {
    let mut desk = Desk::new(Rules { every_alert: true, ..RULES });
    desk.see(&opened(1, 3)).see(&revision(1, 2, Phase::Updated, 3, 20)).see(&revision(1, 3, Phase::Closed, 3, 20));
    assert_eq!((desk.opened, desk.updated), (3, 0));
    assert_eq!(desk.titles().last(), Some(&"Port scan from 198.51.100.1 (ended)"));
    desk.see_muted(&revision(2, 1, Phase::Opened, 3, 7)).wait(MINUTE);
    assert_eq!(desk.opened, 3);
    for n in 0..1000 {
        desk.see(&revision(3, n + 1, Phase::Updated, 3, 20));
    }
    desk.wait(MINUTE);
    assert_eq!(desk.opened, 3 + MAX_SINGLES + 1);
    assert_eq!(desk.titles().last(), Some(&"940 more firewall incidents"));
    // A server that refuses is asked three times for each.
    desk.wait(HOUR);
    desk.ledger.observe(&opened(9, 3), desk.now, false, false);
    let mut tries = 0;
    while let Some(at) = desk.ledger.deadline() {
        desk.now = desk.now.max(at);
        let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) else { panic!() };
        desk.ledger.failed(key, Failure::Refused, desk.now);
        tries += 1;
    }
    assert!(tries == 3 && desk.ledger.singles.is_empty());
}

#[test]
fn a_digest_comes_at_most_once_in_its_time_and_only_for_those_who_want_one() {
    let small = |id: u64| {
        let mut alert = opened(id, 2);
        alert.details.delivery = Delivery::Digest;
        alert
    };
    let mut desk = Desk::new(RULES);
    desk.see(&small(1)).wait(HOUR * 100);
    assert_eq!(desk.opened, 0, "nobody asked for it");
    let day = HOUR * 24;
    let mut desk = Desk::new(Rules { digest_every: Some(day), ..RULES });
    for id in 1..=12 {
        let mut grown = small(id);
        (grown.details.revision, grown.details.phase) = (2, Phase::Updated);
        desk.see(&small(id)).see(&grown);
    }
    desk.wait(HOUR);
    assert_eq!(desk.titles(), ["12 sources probed you"]);
    let popup = &desk.screen[&1];
    assert!(popup.urgency() == present::Urgency::Low && popup.body.ends_with("Nothing of it was aimed at you."), "{popup:?}");
    desk.see(&small(13)).wait(day - HOUR * 2);
    assert_eq!(desk.opened, 1);
    desk.wait(HOUR * 2);
    assert_eq!(desk.titles().last(), Some(&"1 source probed you"));
    assert!(desk.ledger.spent.is_empty() && desk.ledger.deadline().is_none());
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
    desk.ledger.start_anew(desk.now);
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
    Quiet(bool, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u64..400, 0_u8..6, 1_u8..=5, any::<bool>(), any::<bool>()).prop_map(|(id, p, s, d, l)| Step::See(id, p, s, d, l)),
        4 => (0_u32..4_000_000).prop_map(Step::Wait),
        2 => (0_usize..20).prop_map(Step::Close),
        1 => Just(Step::Restart),
        1 => Just(Step::Refuse),
        1 => Just(Step::Silence),
        1 => any::<(bool, bool)>().prop_map(|(is_held, is_veiled)| Step::Quiet(is_held, is_veiled)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_course_of_events_stays_within_budget_and_bounds(steps in prop::collection::vec(any_step(), 0..600)) {
        let mut desk = Desk::new(RULES);
        let mut revisions: HashMap<u64, u32> = HashMap::new();
        let mut severities: HashMap<u64, u8> = HashMap::new();
        let mut openings: VecDeque<Duration> = VecDeque::new();
        let (mut mark, mut numbers) = (desk.ledger.mark(), desk.ledger.screen().numbers_and_closed());
        for step in steps {
            let before = desk.opened - desk.opened_free;
            let mut is_exempt = false;
            match step {
                Step::See(id, phase, severity, popup, is_late) => {
                    let n = revisions.entry(id).or_default();
                    *n += 1;
                    // It only ever rises.
                    let severity = *severities.entry(id).and_modify(|worst| *worst = severity.max(*worst)).or_insert(severity);
                    let phase = [Phase::Opened, Phase::Updated, Phase::Escalated, Phase::Closed, Phase::Reopened, Phase::Merged][usize::from(phase)];
                    let mut alert = revision(id, *n, phase, severity, *n * 10);
                    if !popup { alert.details.delivery = Delivery::Digest; }
                    desk.ledger.observe(&alert, desk.now, is_late, false);
                    desk.settle();
                }
                Step::Quiet(is_held, is_veiled) => { desk.set_quiet(Quiet { below: is_held.then_some(Severity::CRITICAL), is_veiled }); }
                Step::Wait(ms) => { desk.wait(Duration::from_millis(ms.into())); }
                Step::Close(n) => if let Some(&id) = desk.screen.keys().nth(n) { desk.close(id); },
                Step::Restart => {
                    desk.screen.clear();
                    desk.ledger.server_gone();
                    desk.ledger.server_back(desk.now);
                    // In a quiet time it would come back only after it, and be counted then.
                    desk.set_quiet(DAY);
                    // What was there before is no new popup.
                    is_exempt = true;
                }
                Step::Refuse | Step::Silence => if let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) {
                    desk.ledger.failed(key, if matches!(step, Step::Refuse) { Failure::Refused } else { Failure::Silent }, desk.now);
                },
            }
            if !is_exempt { (before..desk.opened - desk.opened_free).for_each(|_| openings.push_back(desk.now)); }
            expire(&mut openings, desk.now, HOUR);
            prop_assert!(desk.ledger.incidents.len() <= MAX_INCIDENTS && desk.ledger.spent.len() <= 6 && desk.ledger.newcomers.len() <= MAX_NEWCOMERS + 1);
            prop_assert_eq!(desk.ledger.next(desk.now), None, "everything due was done");
            let left = desk.ledger.screen();
            if mark == desk.ledger.mark() {
                prop_assert_eq!(numbers, left.numbers_and_closed(), "it would not be written down");
            }
            (mark, numbers) = (desk.ledger.mark(), left.numbers_and_closed());
        }
        // Whoever comes after us opens nothing and closes nothing of what is there.
        let (opened, there): (usize, Vec<u32>) = (desk.opened, desk.screen.keys().copied().collect());
        for renews in [false, true] {
            desk.kill(&[], renews).wait(SECOND * 2);
        }
        prop_assert_eq!((opened, there), (desk.opened, desk.screen.keys().copied().collect()));
        // Popups that had to be tried again later may come with others; never more than the budget allows in all.
        prop_assert!(openings.len() <= 12, "{} popups in an hour", openings.len());
    }
}

#[test]
fn a_server_that_has_had_enough_is_asked_for_less_and_nothing_is_lost() {
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3));
    // From here on it refuses.
    for id in 2..=4 {
        desk.ledger.observe(&opened(id, 3), desk.now, false, false);
    }
    desk.ledger.observe(&revision(1, 2, Phase::Escalated, 4, 9), desk.now, false, false);
    let mut asked = 0;
    let end = desk.now + SECOND * 25;
    loop {
        while let Some(command) = desk.ledger.next(desk.now) {
            let Command::Show { key, .. } = command else { panic!("{command:?}") };
            asked += 1;
            desk.ledger.failed(key, Failure::Excess, desk.now);
        }
        match desk.ledger.deadline().filter(|&at| at <= end) {
            Some(at) => desk.now = desk.now.max(at),
            None => break,
        }
    }
    assert!(asked <= 4, "asked {asked} times in 25 s");
    // Now it shows again what it is given.
    desk.wait(MINUTE);
    let mut titles = desk.titles();
    titles.sort_unstable();
    assert_eq!(titles, ["3 more firewall incidents", "Port scan from 198.51.100.1"]);
    assert_eq!(desk.screen[&1].severity, Severity::BROAD, "the change is shown too");
    assert_eq!(desk.ledger.counters().given_up, 0);
    assert_eq!(desk.ledger.load(desk.now).1, 4, "two popups, two out of the budget");
}

#[test]
fn the_worst_keeps_a_popup_of_its_own_also_when_the_server_has_had_enough() {
    let mut desk = Desk::new(RULES);
    desk.ledger.observe(&opened(1, 5), desk.now, false, false);
    for _ in 0..10 {
        let Some(Command::Show { key, .. }) = desk.ledger.next(desk.now) else { panic!() };
        assert_eq!(key, Key::Incident(1));
        desk.ledger.failed(key, Failure::Excess, desk.now);
        assert_eq!(desk.ledger.next(desk.now), None);
        desk.now = desk.ledger.deadline().unwrap();
    }
    desk.settle();
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.1"]);
}

#[test]
fn the_next_agent_changes_the_popups_of_one_that_was_killed_in_their_places() {
    for renews in [true, false] {
        change_popups_of_others(renews);
    }
}

fn change_popups_of_others(renews: bool) {
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3)).wait(MINUTE);
    desk.see(&opened(2, 3)).wait(MINUTE);
    desk.see(&revision(2, 2, Phase::Closed, 3, 7)).wait(MINUTE);
    desk.see(&opened(3, 3)).close(3);
    let before: Vec<(u32, Popup)> = desk.screen.clone().into_iter().collect();
    desk.kill(&[], renews).wait(SECOND);
    // Where it has to, it has shown each of them once, in its place.
    assert_eq!((before, desk.opened), (desk.screen.clone().into_iter().collect(), 3));
    assert_eq!(desk.updated, if renews { 3 } else { 1 });
    let updated = desk.updated;
    // What is known already changes nothing; what was closed stays closed.
    desk.see(&opened(1, 3)).see(&revision(3, 2, Phase::Reopened, 3, 9)).wait(MINUTE);
    assert_eq!((desk.titles(), desk.updated), (vec!["Port scan from 198.51.100.1", "Port scan from 198.51.100.2 (ended)"], updated));
    desk.see(&revision(1, 2, Phase::Updated, 3, 700)).wait(MINUTE);
    desk.see(&revision(1, 3, Phase::Escalated, 4, 800)).wait(MINUTE);
    desk.kill(&[], renews).wait(MINUTE);
    desk.see(&revision(1, 4, Phase::Closed, 4, 900)).wait(MINUTE);
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.1 (ended)", "Port scan from 198.51.100.2 (ended)"]);
    desk.see(&revision(3, 3, Phase::Escalated, 4, 99)).wait(MINUTE);
    assert_eq!((desk.opened, desk.screen.len()), (4, 3), "it became worse");
    // Those of the ones that are over are remembered until somebody closes them.
    desk.close(1);
    desk.kill(&[], renews).wait(MINUTE);
    assert_eq!((desk.titles().len(), desk.opened), (2, 4));
}

#[test]
fn what_somebody_closed_while_there_was_no_agent_comes_back_only_when_it_is_worse() {
    for server_tells in [true, false] {
        let mut desk = Desk::new(RULES);
        desk.see(&opened(1, 3)).wait(MINUTE);
        desk.see(&opened(2, 3)).wait(MINUTE);
        desk.see(&revision(2, 2, Phase::Closed, 3, 7)).wait(MINUTE);
        let closed: Vec<u32> = std::mem::take(&mut desk.screen).into_keys().collect();
        desk.kill(if server_tells { &closed } else { &[] }, true).wait(SECOND);
        assert_eq!(desk.titles(), [""; 0], "{server_tells}");
        assert_eq!(desk.next_id, if server_tells { 2 } else { 4 }, "a server that is not asked is told to take it away at once");
        desk.see(&revision(1, 2, Phase::Updated, 3, 1000)).wait(HOUR);
        assert_eq!(desk.titles(), [""; 0]);
        desk.see(&revision(1, 3, Phase::Escalated, 4, 1000)).wait(MINUTE);
        assert_eq!(desk.titles(), ["Port scan from 198.51.100.1"]);
    }
    // What became worse meanwhile stays, under its new number.
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3)).wait(MINUTE);
    desk.screen.clear();
    desk.kill(&[], true).see(&revision(1, 2, Phase::Escalated, 5, 9)).wait(SECOND);
    assert_eq!((desk.titles(), desk.next_id), (vec!["Port scan from 198.51.100.1"], 2));
}

#[test]
fn the_popup_of_several_and_that_of_blindness_are_taken_over_too() {
    let mut desk = Desk::new(RULES);
    desk.ledger.see(Sight::Blind("no log".into()), desk.now);
    desk.settle();
    for id in 1..=40 {
        desk.see(&opened(id, 3)).wait(SECOND / 10);
    }
    desk.wait(MINUTE);
    assert_eq!(desk.titles(), ["Firebell cannot see the firewall log", "Port scan from 198.51.100.1", "39 more firewall incidents"]);
    desk.kill(&[], true).wait(MINUTE);
    for id in 1..=40 {
        desk.see(&revision(id, 2, Phase::Updated, 3, 8)).see(&revision(id, 3, Phase::Closed, 3, 8));
    }
    desk.wait(MINUTE);
    desk.see(&opened(41, 3)).see(&opened(42, 3)).wait(HOUR / 2);
    desk.ledger.see(Sight::Back, desk.now);
    desk.settle();
    assert_eq!(desk.screen.keys().copied().collect::<Vec<u32>>(), [2, 3, 4], "{:?}", desk.titles());
    assert!(desk.titles().contains(&"40 more firewall incidents"), "{:?}", desk.titles());
    // One that was closed stays closed for those that go on.
    let mut desk = Desk::new(RULES);
    for id in 1..=40 {
        desk.see(&opened(id, 3)).wait(SECOND / 10);
    }
    desk.wait(MINUTE).close(2);
    desk.kill(&[], true);
    for id in 2..=40 {
        desk.see(&revision(id, 2, Phase::Updated, 3, 8)).see(&revision(id, 3, Phase::Closed, 3, 8));
    }
    desk.wait(MINUTE);
    assert_eq!(desk.titles(), ["Port scan from 198.51.100.1"]);
}

#[test]
fn a_server_that_keeps_popups_for_whoever_made_them_has_one_more_at_the_next_change() {
    let mut desk = Desk::new(RULES);
    desk.see(&opened(1, 3)).wait(MINUTE);
    let left = desk.ledger.screen();
    desk.ledger = Ledger::new(RULES, english());
    desk.ledger.take_over(left, &[], true, desk.now);
    desk.now += SECOND;
    let Some(Command::Show { key, replaces: 1, .. }) = desk.ledger.next(desk.now) else { panic!("it is not shown again") };
    desk.ledger.failed(key, Failure::Refused, desk.now);
    desk.wait(MINUTE);
    assert_eq!(desk.opened, 1);
    desk.see(&revision(1, 2, Phase::Closed, 3, 9)).wait(MINUTE);
    assert_eq!((desk.opened, desk.titles()[1]), (2, "Port scan from 198.51.100.1 (ended)"));
}

#[test]
fn what_is_left_is_bounded_and_whatever_stands_in_a_file_is_taken_within_bounds() {
    let mut ledger = Ledger::new(Rules { per_hour: 1000, ..RULES }, english());
    for id in 1..=1000 {
        let now = MINUTE * id;
        ledger.observe(&opened(id.into(), 3), now, false, false);
        while let Some(Command::Show { key, .. }) = ledger.next(now) {
            ledger.shown(key, id, now);
        }
    }
    let left = ledger.screen();
    assert_eq!(left.count(), 32);
    assert!(serde_json::to_string(&left).unwrap().contains("\"popup\":1000,"), "the newest");
    let many: Vec<String> = (1..=5000).map(|id| format!(r#"{{"id":{id},"revision":0,"severity":5,"shown":null}}"#)).collect();
    let many = many.join(",");
    let title = "\\u001b[31m".repeat(10_000);
    let text = format!(
        r#"{{"popups":[],"closed":[{many}],"gathering":{{"popup":4294967295,"shown":null,"count":18446744073709551615,"worst":5,
            "titles":[{{"severity":1,"id":0,"text":"{title}"}}],"only":null,"shared":[{many}]}},"blindness":{{"popup":7,"reason":"{title}"}}}}"#
    );
    let mut desk = Desk::new(RULES);
    desk.is_heir = true;
    for (_, popup) in desk.ledger.take_over(serde_json::from_str(&text).unwrap(), &[], true, HOUR) {
        assert!(popup.body.len() <= present::MAX_BODY && !popup.body.contains('\x1b'));
    }
    assert!(desk.ledger.incidents.len() <= MAX_INCIDENTS);
    desk.see(&opened(6000, 3)).see(&revision(1, 9, Phase::Escalated, 5, 9)).wait(HOUR);
    assert!(desk.ledger.incidents.len() <= MAX_INCIDENTS);
}
