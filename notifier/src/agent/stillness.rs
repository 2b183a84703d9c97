//! When the agent keeps still: brings together what the user chose, what time it is and what the desktop says.

use super::{Agent, Desktop};
use crate::{
    alarm::Alarm,
    desk::{self, Voices, Watch},
    quiet::{self, Minute, Settings, WhenLocked},
    server::Server,
    state::StateFile,
};
use jiff::{ToSpan as _, ZonedDateTime};
use std::{
    future,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;
use tracing::{info, warn};

/// The longest wait for what the desktop says first.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest text in the file of the last digest.
const MAX_BYTES: u64 = 32;

/// All that decides.
pub(super) struct Stillness {
    settings: Settings,
    is_quiet_hour: bool,
    voices: Voices,
    said: mpsc::Receiver<desk::Said>,
    tell: mpsc::Sender<desk::Said>,
    session: Option<Watch>,
    login: Option<Watch>,
    /// Only where there are quiet hours.
    alarm: Option<Alarm>,
    digest_file: StateFile,
    /// The reasons that were told last.
    told: Vec<&'static str>,
}

impl Stillness {
    pub(super) fn new(settings: Settings, digest_file: StateFile) -> Self {
        let (tell, said) = mpsc::channel(desk::MAX_QUEUE);
        let voices = Voices::default();
        let told = Vec::new();
        Self { settings, is_quiet_hour: false, voices, said, tell, session: None, login: None, alarm: None, digest_file, told }
    }

    /// Listens to what the session of this server says of the person.
    pub(super) fn watch(&mut self, server: &Server) {
        self.session = Some(Watch::session(server.connection(), &self.tell));
        if self.login.is_none() {
            self.login = Some(Watch::login(self.tell.clone()));
        }
    }

    /// Hears how it is, before the first popup, which somebody may see who should not. Nobody is waited for longer than a second.
    async fn hear_all(&mut self) {
        let all = async {
            while !self.voices.are_complete() {
                match self.said.recv().await {
                    Some(said) => self.voices.hear(said),
                    None => return,
                }
            }
        };
        // Who is silent now is heard later.
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }

    pub(super) fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Waits until something is different, perhaps. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        let ring = async {
            match &mut self.alarm {
                Some(alarm) => alarm.ring().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            Some(said) = self.said.recv() => self.voices.hear(said),
            () = ring => {}
        }
    }

    /// Why it is quiet.
    pub(super) fn reasons(&self) -> Vec<&'static str> {
        let desk = self.voices.desk();
        let locked = desk.is_locked && self.settings.when_locked != WhenLocked::Show;
        let busy = desk.does_not_disturb && self.settings.obeys_do_not_disturb;
        [(self.is_quiet_hour, "hours"), (busy, "do-not-disturb"), (locked, "locked")]
            .into_iter()
            .filter_map(|(holds, reason)| holds.then_some(reason))
            .collect()
    }

    /// There is a digest on the screen now.
    pub(super) fn note_digest(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.digest_file.write(&format!("{now}\n"));
    }

    /// How long ago there was one, as far as is known.
    fn last_digest(&self) -> Option<Duration> {
        let text = self.digest_file.read(MAX_BYTES).ok()??;
        let then = UNIX_EPOCH.checked_add(Duration::from_secs(text.trim_end().parse().ok()?))?;
        SystemTime::now().duration_since(then).ok()
    }

    /// Looks at the clock, and sets the alarm for the next change.
    fn look_at_clock(&mut self) {
        let now = ZonedDateTime::now();
        let minute = minute_of(&now);
        self.is_quiet_hour = quiet::is_quiet_hour(&self.settings.hours, minute);
        if self.settings.hours.is_empty() {
            self.alarm = None;
            return;
        }
        let at = quiet::minutes_to_change(&self.settings.hours, minute).and_then(|minutes| later(&now, minutes));
        let set = || -> std::io::Result<Alarm> {
            let alarm = Alarm::new()?;
            alarm.set(at)?;
            Ok(alarm)
        };
        let result = match &self.alarm {
            Some(alarm) => alarm.set(at).map(|()| None),
            None => set().map(Some),
        };
        match result {
            Ok(None) => {}
            Ok(alarm) => self.alarm = alarm,
            Err(error) => warn!(%error, "no timer for the quiet hours; they begin and end with the next alert"),
        }
    }
}

impl Agent {
    /// Once, at the start.
    pub(super) async fn begin_stillness(&mut self) {
        if let Desktop::Server(server) = &self.desktop {
            self.stillness.watch(server);
            self.stillness.hear_all().await;
        }
        if let (Some(every), Some(ago)) = (self.ledger.digest_every(), self.stillness.last_digest()) {
            self.ledger.set_next_digest(self.start.elapsed() + every.saturating_sub(ago));
        }
        self.keep_still();
    }

    /// Tells the ledger whether popups may come now.
    pub(super) fn keep_still(&mut self) {
        self.stillness.look_at_clock();
        let quiet = quiet::quiet(&self.stillness.settings, self.stillness.is_quiet_hour, self.stillness.voices.desk());
        self.ledger.set_quiet(quiet, self.start.elapsed());
        let reasons = self.stillness.reasons();
        if reasons != self.stillness.told {
            info!(?reasons, "{}", if quiet.below.is_some() { "popups wait now" } else { "popups come now" });
            self.stillness.told = reasons;
        }
    }
}

fn minute_of(now: &ZonedDateTime) -> Minute {
    let part = |n: i8| u16::try_from(n).unwrap_or(0);
    Minute::new(part(now.weekday().to_monday_zero_offset()), part(now.hour()), part(now.minute()))
}

/// The second since 1970 at which the clock on the wall shows so many minutes more, its own seconds aside. Where summer time
/// begins or ends meanwhile, that is not so many minutes from now.
fn later(now: &ZonedDateTime, minutes: u16) -> Option<i64> {
    let minute = now.datetime().with().second(0).subsec_nanosecond(0).build().ok()?;
    let then = minute.checked_add(i64::from(minutes).minutes()).ok()?;
    Some(then.to_zoned_datetime(now.time_zone().clone()).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_night_is_on_the_wall_clock_also_when_the_clocks_go_forward() {
        // Central Europe, 2026: on 29 March 02:00 becomes 03:00. As a POSIX rule, so that no time zone database is needed.
        let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let evening = jiff::civil::date(2026, 3, 28).at(22, 0, 30, 5).to_zoned_datetime(zone).unwrap();
        assert_eq!(minute_of(&evening), Minute::new(5, 22, 0));
        let morning = later(&evening, 9 * 60).unwrap();
        assert_eq!(morning - evening.timestamp().as_second(), 8 * 3600 - 30, "it is an hour shorter");
    }
}
