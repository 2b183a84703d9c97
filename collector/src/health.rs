//! Is what we say worth anything? The state on the bus, and its reason.

use crate::intake::Netns;
use firebell_engine::tick::Tick;
use std::{fmt, time::Duration};

/// So long may every intake be unreadable before we call ourselves blind: a rotation takes a moment.
pub const BLIND_AFTER: Duration = Duration::from_secs(60);
/// So long is a loss remembered.
pub const LOSS_COUNTS: Duration = Duration::from_secs(600);

/// How well we see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Everything that was written was read, and somebody vouches for it.
    #[default]
    Ok,
    /// Some of it is missing, or nobody vouches for any.
    Degraded,
    /// There is nothing that can be read.
    Blind,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Blind => "blind",
        })
    }
}

/// The property `Health`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How well.
    pub state: State,
    /// Why not better, and what to do; empty when all is well.
    pub reason: &'static str,
}

/// What the judgement is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Since when no intake can be read.
    pub unreadable_since: Option<Tick>,
    /// Since when one of several cannot be read.
    pub partly_since: Option<Tick>,
    /// One cannot be read because we may not.
    pub is_denied: bool,
    /// When a record was last found missing.
    pub last_loss: Option<Tick>,
    /// Alerts are told that are not written.
    pub is_history_failing: bool,
    /// An intake vouches for its lines.
    pub is_vouched: bool,
    /// Whose lines the kernel log holds: those of other network namespaces take that away from it.
    pub netns: Netns,
}

/// Judges the facts at `now`. Second: when to judge again if nothing changes before.
#[must_use]
pub fn judge(facts: &Facts, now: Tick) -> (Health, Option<Tick>) {
    let degraded = |reason| Health { state: State::Degraded, reason };
    let blind_at = facts.unreadable_since.map(|since| since.after(BLIND_AFTER));
    if blind_at.is_some_and(|at| at <= now) {
        let reason = if facts.is_denied {
            "no log may be read since a minute or longer; let its group be one of firebell's, or see read-root-only in firebell.toml(5) and the drop-in \
             firebell-collector.service.d/read-root-only-logs.conf"
        } else {
            "no log can be read since a minute or longer; see the journal of firebelld"
        };
        return (Health { state: State::Blind, reason }, None);
    }
    let loss_until = facts.last_loss.map(|loss| loss.after(LOSS_COUNTS)).filter(|until| *until > now);
    let partly_at = facts.partly_since.map(|since| since.after(BLIND_AFTER));
    let health = if partly_at.is_some_and(|at| at <= now) {
        degraded(if facts.is_denied {
            "one of the logs may not be read; let its group be one of firebell's, or see read-root-only in firebell.toml(5) and the drop-in \
             firebell-collector.service.d/read-root-only-logs.conf"
        } else {
            "one of the logs cannot be read; firebell status says which, and the journal of firebelld why"
        })
    } else if loss_until.is_some() {
        degraded("log records were lost in the last ten minutes; a larger kernel ring (log_buf_len=1M) holds more")
    } else if facts.is_history_failing {
        degraded("the history cannot be written, so alerts will be forgotten at a restart; see the journal of firebelld")
    } else if facts.is_vouched {
        Health::default()
    } else if facts.netns == Netns::All {
        degraded("net.netfilter.nf_log_all_netns is 1, so any user can write firewall lines; set it to 0")
    } else if facts.netns == Netns::Hidden {
        degraded(
            "net.netfilter.nf_log_all_netns cannot be seen from this network namespace, so any user may be able to write firewall lines; \
             start firebelld outside of it, let run-firebell-nf_log_all_netns.mount show it, or name the firewall's prefixes in [intake] vouched-prefixes",
        )
    } else {
        degraded("any user can write to the log that is read; let firebelld read /dev/kmsg")
    };
    (health, loss_until.into_iter().chain(blind_at).chain(partly_at.filter(|at| *at > now)).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Tick = Tick::from_secs(10_000);

    fn fine() -> Facts {
        Facts { is_vouched: true, ..Facts::default() }
    }

    #[test]
    fn no_news_is_good_news() {
        assert_eq!(judge(&fine(), NOW), (Health::default(), None));
    }

    #[test]
    fn unreadable_is_blind_after_a_minute_and_not_before() {
        let facts = Facts { unreadable_since: Some(Tick::from_secs(9_950)), ..fine() };
        let (health, again) = judge(&facts, NOW);
        assert_eq!((health.state, again), (State::Ok, Some(Tick::from_secs(10_010))));
        assert_eq!(judge(&facts, Tick::from_secs(10_010)).0.state, State::Blind);
        for facts in [facts, Facts { partly_since: facts.unreadable_since, unreadable_since: None, ..facts }] {
            for is_denied in [false, true] {
                let (health, _) = judge(&Facts { is_denied, ..facts }, Tick::from_secs(10_010));
                assert_eq!(health.reason.contains("read-root-only-logs.conf"), is_denied);
            }
        }
    }

    #[test]
    fn one_log_of_several_that_cannot_be_read_is_said_after_a_minute() {
        let facts = Facts { partly_since: Some(Tick::from_secs(9_950)), ..fine() };
        let (health, again) = judge(&facts, NOW);
        assert_eq!((health.state, again), (State::Ok, Some(Tick::from_secs(10_010))));
        let (health, again) = judge(&facts, Tick::from_secs(10_010));
        assert_eq!((health.state, again), (State::Degraded, None));
    }

    #[test]
    fn a_loss_is_forgotten_after_ten_minutes() {
        let facts = Facts { last_loss: Some(NOW), ..fine() };
        let (health, again) = judge(&facts, NOW);
        assert_eq!((health.state, again), (State::Degraded, Some(Tick::from_secs(10_600))));
        assert_eq!(judge(&facts, Tick::from_secs(10_600)).0.state, State::Ok);
    }

    #[test]
    fn alerts_that_will_be_forgotten_are_said() {
        let (health, again) = judge(&Facts { is_history_failing: true, ..fine() }, NOW);
        assert_eq!((health.state, again), (State::Degraded, None));
        assert!(health.reason.contains("history cannot be written"));
    }

    #[test]
    fn lines_that_nobody_vouches_for_are_half_the_truth() {
        for netns in [Netns::All, Netns::Hidden] {
            let (health, _) = judge(&Facts { netns, ..Facts::default() }, NOW);
            assert_eq!(health.state, State::Degraded);
            assert!(health.reason.contains("nf_log_all_netns"));
        }
        assert!(judge(&Facts::default(), NOW).0.reason.contains("/dev/kmsg"));
    }
}
