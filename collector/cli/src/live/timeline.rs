//! How an incident went: packets as a line of bars, what was told when, and the lines of the log that made firebell tell it.

use crate::times;
use firebell_collector::store::MomentRow;
use firebell_engine::tick::Tick;
use firebell_shared::{client::CollectorProxy, text::thousands};
use serde_json::{Value, json};
use std::time::Duration;
use zbus::fdo;

/// Bars of the line.
const BARS: usize = 40;
/// Moments that text shows of the beginning, and of the end.
const SHOWN: (usize, usize) = (4, 8);

/// What was told once.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    time_usec: u64,
    phase: String,
    severity: u8,
    packets: u64,
    contacts: u32,
    /// Made safe by the collector, and again where it is shown.
    pub(super) line: String,
}

/// All that is kept of it, from the first moment on.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) moments: Vec<Moment>,
    /// The first packet and the last one, microseconds since the Unix epoch.
    seen: (u64, u64),
}

impl Timeline {
    /// Asks for it. `seen`: the first packet and the last one, microseconds since the Unix epoch. A collector from before there were any,
    /// which still runs after an upgrade, has none.
    ///
    /// # Errors
    /// What the collector answers.
    pub(super) async fn ask(collector: &CollectorProxy<'_>, id: u64, seen: (u64, u64)) -> zbus::Result<Self> {
        let moments = match collector.timeline(id).await {
            Err(zbus::Error::FDO(error)) if matches!(*error, fdo::Error::UnknownMethod(_)) => Vec::new(),
            moments => moments?,
        };
        Ok(Self::of(moments, seen))
    }

    /// The same of rows as the bus tells them.
    pub(super) fn of(rows: impl IntoIterator<Item = MomentRow>, seen: (u64, u64)) -> Self {
        let moment = |(time_usec, phase, severity, packets, contacts, line)| Moment { time_usec, phase, severity, packets, contacts, line };
        Self { moments: rows.into_iter().map(moment).collect(), seen }
    }

    /// Packets from the first to the last one, a bar for each step; nothing where they all came at once.
    pub(super) fn bars(&self) -> Option<String> {
        let (first, last) = self.seen;
        let width = last.checked_sub(first).filter(|width| *width > 0)?;
        let mut steps = [0.0_f64; BARS];
        let mut before = (first, 0);
        for moment in &self.moments {
            // What came between two moments is spread over the steps from the one to the other. The last one is told some time after the
            // last packet.
            let step = |time: u64| {
                let part = u128::from(time.saturating_sub(first).min(width)) * (BARS as u128 - 1) / u128::from(width);
                usize::try_from(part).unwrap_or(0)
            };
            let (from, to) = (step(before.0), step(moment.time_usec));
            let each = moment.packets.saturating_sub(before.1) as f64 / (to.saturating_sub(from) + 1) as f64;
            steps.iter_mut().take(to + 1).skip(from).for_each(|sum| *sum += each);
            before = (moment.time_usec, moment.packets);
        }
        let most = steps.iter().copied().fold(0.0, f64::max);
        let bar = |count: f64| {
            let height = (count * 8.0 / most).ceil();
            (1_u32..=8)
                .rev()
                .find(|eighths| height >= f64::from(*eighths))
                .and_then(|eighths| char::from_u32(0x2580 + eighths))
                .unwrap_or(' ')
        };
        Some(steps.into_iter().map(bar).collect())
    }

    /// A row for each moment: when, what happened, severity, packets and contacts so far.
    pub(super) fn rows(&self) -> Vec<[String; 5]> {
        let row = |moment: &Moment| {
            let (packets, contacts) = (thousands(moment.packets), thousands(moment.contacts.into()));
            [times::plain(Tick::from_micros(moment.time_usec)), moment.phase.clone(), moment.severity.to_string(), packets, contacts]
        };
        self.moments.iter().map(row).collect()
    }

    /// For people; empty where nothing is known.
    pub(super) fn text(&self) -> String {
        let Some(last) = self.moments.last() else { return String::new() };
        let mut out = "\ntimeline\n".to_owned();
        if let Some(bars) = self.bars() {
            let span = times::span(Duration::from_micros(self.seen.1.saturating_sub(self.seen.0)));
            out += &format!("  {bars}  {} packets in {span}\n", thousands(last.packets));
        }
        for [when, what, severity, packets, contacts] in some(&self.rows()) {
            out += &format!("  {when:<19}  {what:<9}  severity {severity}  {packets:>9} packets  {contacts:>6} contacts\n");
        }
        let lines: Vec<_> = self.moments.iter().filter(|moment| !moment.line.is_empty()).collect();
        if !lines.is_empty() {
            out += "\nlog lines that made firebell tell it\n";
            for moment in some(&lines) {
                out += &format!("  {}\n", moment.line);
            }
        }
        out
    }

    /// One with this text wherever somebody else may have written one.
    #[cfg(test)]
    pub(super) fn hostile(text: &str) -> Self {
        let moment = Moment { time_usec: 1, phase: text.into(), severity: 3, packets: 1, contacts: 1, line: text.into() };
        Self { moments: vec![moment], seen: (0, 1) }
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        let moment = |moment: &Moment| {
            json!({
                "time": times::rfc3339(Tick::from_micros(moment.time_usec)), "phase": moment.phase, "severity": moment.severity,
                "packets": moment.packets, "contacts": moment.contacts, "line": moment.line,
            })
        };
        self.moments.iter().map(moment).collect()
    }
}

/// The first and the last ones.
fn some<T>(all: &[T]) -> impl Iterator<Item = &T> {
    let left_out = SHOWN.0..all.len().saturating_sub(SHOWN.1).max(SHOWN.0);
    all.iter().enumerate().filter(move |(at, _)| !left_out.contains(at)).map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(steps: &[(u64, u64)]) -> Timeline {
        let moment = |(time_usec, packets): &(u64, u64)| Moment {
            time_usec: *time_usec,
            phase: "updated".into(),
            severity: 3,
            packets: *packets,
            contacts: 1,
            line: format!("line {packets}"),
        };
        Timeline { moments: steps.iter().map(moment).collect(), seen: (1_000, steps.last().map_or(1_000, |(time, _)| *time)) }
    }

    #[test]
    fn bars_stand_where_the_packets_came_and_the_highest_is_full() {
        let bars = timeline(&[(2_000, 10), (3_000, 10), (41_000, 1_000)]).bars().unwrap();
        assert_eq!((bars.chars().count(), bars.chars().filter(|bar| *bar == '\u{2588}').count()), (BARS, 39), "{bars}");
        assert!(timeline(&[(1_000, 7)]).bars().is_none() && timeline(&[]).bars().is_none());
        let odd = timeline(&[(u64::MAX, u64::MAX), (5, 0), (u64::MAX, 3)]).bars().unwrap();
        assert_eq!(odd.chars().count(), BARS);
    }

    #[test]
    fn of_a_long_timeline_text_shows_both_ends() {
        let text = timeline(&(1..=32).map(|n| (1_000 * n, n)).collect::<Vec<_>>()).text();
        let shown: Vec<_> = text.lines().filter(|line| line.starts_with("  line ")).collect();
        assert_eq!((shown.len(), shown[3], shown[4]), (12, "  line 4", "  line 25"));
    }
}
