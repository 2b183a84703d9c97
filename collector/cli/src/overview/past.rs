//! A report of the history: what the collector has kept, in the place of log files.

use super::Tally;
use crate::{
    Failure,
    live::{HistoryPart, each_of_history},
    report::{self, Document, Time},
};
use firebell_collector::digest::ports;
use firebell_engine::tick::Tick;
use firebell_shared::{alert::Alert, kind::KINDS};
use jiff::tz::TimeZone;
use std::{collections::BTreeMap, net::IpAddr};

/// Incidents of one report; of more, the newest.
const MAX_INCIDENTS: usize = 65_536;
/// Steps over which the packets of an incident are spread.
const SPREAD: u64 = 64;
/// Ports of an incident that are counted.
const MAX_PORTS: usize = 256;

/// Reads the history, and counts.
///
/// # Errors
/// There is neither a collector nor a history that this user may read.
pub(super) fn read(from: &HistoryPart, zone: TimeZone) -> Result<(Document, Box<Tally>), Failure> {
    let mut kept: BTreeMap<(u64, u64), Kept> = BTreeMap::new();
    let mut left_out = 0;
    let place = each_of_history(from, |alert, _| {
        // What was merged is told by the one that it became part of.
        if alert.details.merged_into.is_none() {
            kept.insert((alert.details.first_seen, alert.id), Kept::of(alert));
            if kept.len() > MAX_INCIDENTS {
                kept.pop_first();
                left_out += 1;
            }
        }
        Ok(())
    })?;
    let mut tally = Box::new(Tally::new(zone));
    kept.values().for_each(|incident| incident.count(&mut tally));
    Ok((report::of_history(place, kept.into_values().collect(), left_out), tally))
}

/// What a report needs of an incident.
pub(crate) struct Kept {
    pub(crate) alert: report::Alert,
    pub(crate) packets: u64,
    pub(crate) contacts: u32,
    pub(crate) targets: usize,
    /// `22-25,80`
    pub(crate) ports: String,
    /// 6 for TCP, 17 for UDP, 0 for others.
    pub(crate) protocol: u8,
    pub(crate) last: Tick,
}

impl Kept {
    fn of(alert: &Alert) -> Self {
        let d = &alert.details;
        let last = Tick::from_micros(d.last_seen.max(d.first_seen));
        Self {
            alert: report::Alert {
                id: alert.id,
                severity: alert.severity.get(),
                kind: KINDS.iter().find(|kind| **kind == alert.kind).copied().unwrap_or("other"),
                source: alert.source.clone(),
                sources: d.sources.clone(),
                delivery: d.delivery.as_str(),
                opened: Time(Tick::from_micros(d.first_seen)),
                closed: (!alert.is_open()).then_some(Time(last)),
                packet_at_open: 0,
                contacts_at_open: 0,
                updates: d.revision.saturating_sub(1),
                summary: alert.summary.clone(),
                latest: None,
            },
            packets: d.packets,
            contacts: d.contacts,
            targets: d.targets.len(),
            ports: d.ports.clone(),
            protocol: match d.protocol.as_str() {
                "tcp" => 6,
                "udp" => 17,
                _ => 0,
            },
            last,
        }
    }

    /// Packets are spread evenly over the time and the ports of the incident: the history does not say more.
    fn count(&self, tally: &mut Tally) {
        let Time(first) = self.alert.opened;
        let width = self.last.since(first);
        let steps = (width.as_secs() + 1).min(SPREAD).min(self.packets.max(1));
        for step in 0..steps {
            let tick = first.after(width.mul_f64(step as f64 / steps as f64));
            tally.note_time(tick, share(self.packets, step, steps));
        }
        let Ok(source) = self.alert.source.parse::<IpAddr>() else { return };
        tally.note_source(source, self.packets);
        if self.protocol != 0 {
            let ports = ports(&self.ports, MAX_PORTS);
            for (at, port) in ports.iter().enumerate() {
                tally.note_port(self.protocol, source, *port, share(self.packets, at as u64, ports.len() as u64));
            }
        }
    }
}

/// The part `at` of `parts` that together are `all`.
fn share(all: u64, at: u64, parts: u64) -> u64 {
    all / parts.max(1) + u64::from(at < all % parts.max(1))
}
