//! The newest revision of each incident, in memory. [`crate::store`] has older ones.

use crate::remark::{self, Remark};
use firebell_shared::{alert::Alert, severity::Severity};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

/// A page ends when its alerts take about so many bytes, so that the answer stays far below what the bus
/// carries (dbus-daemon(1): `max_message_size` is 32 MiB on the system bus).
pub(crate) const PAGE_BYTES: usize = 1 << 20;
/// A page ends after looking at so many alerts, matching or not: some milliseconds.
const PAGE_LOOKS: usize = 20_000;

/// Alerts by incident and by sequence number, at most a fixed number of incidents. The one that was told
/// longest ago makes room.
#[derive(Debug)]
pub struct History {
    by_seq: BTreeMap<u64, Arc<Alert>>,
    seq_of: HashMap<u64, u64>,
    max: usize,
    last_seq: u64,
    /// Up to this sequence number something may be missing.
    missing_to: u64,
    evicted: u64,
}

/// One answer of [`History::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The alerts, oldest first.
    pub alerts: Vec<Arc<Alert>>,
    /// Where the next page begins: everything up to here was looked at.
    pub last_seq: u64,
    /// There is a next page.
    pub more: bool,
}

/// Which alerts to list; everything that is set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// At least this severe.
    pub min_severity: u8,
    /// Of this kind.
    pub kind: Option<String>,
    /// Whose source, or one of whose sources, lies in this network.
    pub source: Option<IpNet>,
    /// Told at this time or later, microseconds since the Unix epoch.
    pub since: Option<u64>,
    /// Told at this time or earlier.
    pub until: Option<u64>,
}

impl History {
    /// An empty history of at most `max` incidents.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { by_seq: BTreeMap::new(), seq_of: HashMap::new(), max: max.max(1), last_seq: 0, missing_to: 0, evicted: 0 }
    }

    /// Goes on with what was found: `newest`, oldest first; with `has_older` there are others before them.
    #[must_use]
    pub fn resume(max: usize, newest: Vec<Arc<Alert>>, has_older: bool, last_seq: u64) -> Self {
        let mut history = Self::new(max);
        if has_older {
            history.missing_to = newest.first().map_or(last_seq, |oldest| oldest.details.seq.saturating_sub(1));
        }
        for alert in newest {
            history.put(alert);
        }
        history.last_seq = history.last_seq.max(last_seq);
        history
    }

    /// Keeps `max` incidents from here on.
    pub fn bound(&mut self, max: usize) {
        self.max = max;
        self.make_room();
    }

    /// Takes a revision, unless there is a newer one of its incident. What people said of the one before stays.
    pub fn put(&mut self, mut alert: Arc<Alert>) {
        let (id, seq) = (alert.id, alert.details.seq);
        self.last_seq = self.last_seq.max(seq);
        if self.seq_of.get(&id).is_some_and(|newest| *newest >= seq) {
            return;
        }
        if let Some(old) = self.seq_of.insert(id, seq).and_then(|old| self.by_seq.remove(&old)) {
            alert = remark::carry(&old, alert);
        }
        self.by_seq.insert(seq, alert);
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.by_seq.len() > self.max {
            if let Some((_, oldest)) = self.by_seq.pop_first() {
                self.seq_of.remove(&oldest.id);
                self.missing_to = self.missing_to.max(oldest.details.seq);
                self.evicted += 1;
            }
        }
    }

    /// The newest revision of the incident `id`.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<Arc<Alert>> {
        self.seq_of.get(&id).and_then(|seq| self.by_seq.get(seq)).cloned()
    }

    /// These incidents are gone.
    pub fn forget(&mut self, ids: &[u64]) {
        for id in ids {
            if let Some(seq) = self.seq_of.remove(id) {
                self.by_seq.remove(&seq);
            }
        }
    }

    /// Alerts up to this sequence number were written elsewhere, and not told.
    pub fn miss_to(&mut self, seq: u64) {
        self.missing_to = self.missing_to.max(seq);
        self.last_seq = self.last_seq.max(seq);
    }

    /// Says something of the incident `id`. False: it is not here.
    pub fn remark(&mut self, id: u64, remark: &Remark) -> bool {
        let alert = self.seq_of.get(&id).and_then(|seq| self.by_seq.get_mut(seq));
        alert.map(|alert| remark.apply(Arc::make_mut(alert))).is_some()
    }

    /// The worst incident of a source in this network.
    #[must_use]
    pub fn worst_of(&self, network: IpNet) -> Option<Severity> {
        let is_of = |alert: &&Arc<Alert>| network_of(&alert.source).is_some_and(|source| network.contains(&source));
        self.by_seq.values().filter(is_of).map(|alert| alert.severity).max()
    }

    /// Every incident that is remembered, the one told longest ago first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Alert>> {
        self.by_seq.values()
    }

    /// The highest sequence number so far; 0 before the first alert.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Alerts after this sequence number are all here; others may be missing.
    #[must_use]
    pub fn missing_to(&self) -> u64 {
        self.missing_to
    }

    /// Incidents that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_seq.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    /// Incidents that made room for others.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Alerts after `after_seq` that fit `filter`, oldest first, at most `limit` (and what a page holds).
    #[must_use]
    pub fn list(&self, after_seq: u64, limit: usize, filter: &Filter) -> Page {
        let mut page = Page { alerts: Vec::new(), last_seq: self.last_seq.max(after_seq), more: false };
        let (mut bytes, mut looks, mut looked_at) = (0, 0, after_seq);
        for (seq, alert) in self.by_seq.range(after_seq.saturating_add(1)..) {
            if page.alerts.len() >= limit || bytes >= PAGE_BYTES || looks >= PAGE_LOOKS {
                return Page { last_seq: looked_at, more: true, ..page };
            }
            looks += 1;
            looked_at = *seq;
            if filter.fits(alert) {
                bytes += size(alert);
                page.alerts.push(Arc::clone(alert));
            }
        }
        page
    }
}

impl Filter {
    /// May an alert fit that is of this severity, kind and time?
    pub(crate) fn may_fit(&self, severity: u8, kind: &str, time_usec: u64) -> bool {
        severity >= self.min_severity
            && self.kind.as_ref().is_none_or(|wanted| wanted == kind)
            && self.since.is_none_or(|since| time_usec >= since)
            && self.until.is_none_or(|until| time_usec <= until)
    }

    pub(crate) fn fits(&self, alert: &Alert) -> bool {
        self.may_fit(alert.severity.get(), &alert.kind, alert.time_usec)
            && self.source.is_none_or(|network| {
                std::iter::once(&alert.source)
                    .chain(&alert.details.sources)
                    .filter_map(|source| network_of(source))
                    .any(|source| network.contains(&source))
            })
    }
}

/// Reads an address or a network in CIDR form.
#[must_use]
pub fn network_of(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// About what an alert takes on the bus, in bytes.
pub(crate) fn size(alert: &Alert) -> usize {
    let d = &alert.details;
    let texts = [
        &d.note,
        &alert.kind,
        &alert.source,
        &alert.summary,
        &d.ports,
        &d.protocol,
        &d.tool,
        &d.interface,
        &d.prefix,
        &d.mac,
        &d.why,
        &d.advice,
    ];
    let lists = [&d.targets, &d.sources, &d.signatures, &d.attack];
    700 + texts.iter().map(|text| text.len()).sum::<usize>()
        + lists.iter().flat_map(|list| list.iter()).map(|entry| entry.len() + 8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert;

    fn alert(id: u64, seq: u64, change: impl FnOnce(&mut Alert)) -> Arc<Alert> {
        let mut alert = convert::alert(&convert::tests::finding());
        (alert.id, alert.details.seq, alert.time_usec) = (id, seq, seq * 100);
        change(&mut alert);
        Arc::new(alert)
    }

    fn seqs(page: &Page) -> Vec<u64> {
        page.alerts.iter().map(|alert| alert.details.seq).collect()
    }

    #[test]
    fn only_the_newest_revision_of_an_incident_is_kept() {
        let mut history = History::new(10);
        history.put(alert(1, 1, |_| ()));
        history.put(alert(2, 2, |_| ()));
        history.put(alert(1, 3, |_| ()));
        assert_eq!(seqs(&history.list(0, 10, &Filter::default())), [2, 3]);
        assert_eq!(history.get(1).unwrap().details.seq, 3);
        assert_eq!(history.get(9), None);
        assert_eq!(history.last_seq(), 3);
    }

    #[test]
    fn a_revision_that_comes_late_does_not_take_the_place_of_a_newer_one() {
        let mut history = History::new(10);
        history.put(alert(1, 3, |_| ()));
        history.put(alert(1, 1, |_| ()));
        assert_eq!(seqs(&history.list(0, 10, &Filter::default())), [3]);
    }

    #[test]
    fn what_was_said_of_an_incident_stays_until_it_becomes_worse_or_begins_again() {
        let mut history = History::new(10);
        history.put(alert(1, 1, |_| ()));
        assert!(history.remark(1, &Remark::Acknowledged(5)) && history.remark(1, &Remark::Note("the printer".into())));
        assert!(!history.remark(2, &Remark::Unacknowledged));
        let said = |history: &History| {
            let details = history.get(1).unwrap().details.clone();
            (details.acknowledged, details.note)
        };
        history.put(alert(1, 2, |_| ()));
        assert_eq!(said(&history), (Some(5), "the printer".into()));
        history.put(alert(1, 3, |alert| alert.details.phase = firebell_shared::alert::Phase::Reopened));
        assert_eq!(said(&history), (None, "the printer".into()));
        history.remark(1, &Remark::Acknowledged(6));
        history.put(alert(1, 4, |alert| alert.severity = Severity::CRITICAL));
        assert_eq!(said(&history), (None, "the printer".into()));
        history.remark(1, &Remark::Note(String::new()));
        history.put(alert(1, 5, |alert| alert.severity = Severity::CRITICAL));
        assert_eq!(said(&history), (None, String::new()));
        assert_eq!(history.worst_of(network_of("198.51.100.0/24").unwrap()), Some(Severity::CRITICAL));
        assert_eq!(history.worst_of(network_of("192.0.2.0/24").unwrap()), None);
    }

    #[test]
    fn it_is_known_up_to_where_something_may_be_missing() {
        let mut history = History::new(2);
        assert_eq!(history.missing_to(), 0);
        for seq in 1..=3 {
            history.put(alert(seq, seq, |_| ()));
        }
        assert_eq!(history.missing_to(), 1);
        let newest = vec![alert(8, 18, |_| ()), alert(9, 19, |_| ())];
        let resumed = History::resume(10, newest.clone(), true, 25);
        assert_eq!((resumed.missing_to(), resumed.last_seq(), seqs(&resumed.list(17, 9, &Filter::default()))), (17, 25, vec![18, 19]));
        assert_eq!(History::resume(10, newest, false, 25).missing_to(), 0);
        assert_eq!(History::resume(10, Vec::new(), true, 25).missing_to(), 25);
    }

    #[test]
    fn the_one_told_longest_ago_makes_room() {
        let mut history = History::new(2);
        for (id, seq) in [(1, 1), (2, 2), (1, 3), (3, 4)] {
            history.put(alert(id, seq, |_| ()));
        }
        assert_eq!(history.get(2), None);
        assert_eq!((history.len(), history.evicted()), (2, 1));
        assert_eq!(history.seq_of.len(), 2);
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let mut history = History::new(100);
        for seq in 1..=50 {
            history.put(alert(seq, seq, |alert| alert.severity = u8::try_from(1 + seq % 2).unwrap().try_into().unwrap()));
        }
        let filter = Filter { min_severity: 2, ..Filter::default() };
        let (mut after, mut all, mut pages) = (0, Vec::new(), 0);
        loop {
            let page = history.list(after, 7, &filter);
            all.extend(seqs(&page));
            assert!(page.last_seq > after || !page.more);
            after = page.last_seq;
            pages += 1;
            if !page.more {
                break;
            }
        }
        assert_eq!(all, (1..=50).filter(|seq| seq % 2 == 1).collect::<Vec<_>>());
        assert_eq!((pages, after), (4, 50));
    }

    #[test]
    fn a_page_of_large_alerts_ends_early() {
        let mut history = History::new(2000);
        for seq in 1..=1000 {
            history.put(alert(seq, seq, |alert| alert.details.signatures = vec!["x".repeat(512); 16]));
        }
        let page = history.list(0, 1000, &Filter::default());
        assert!(page.more && page.alerts.len() < 200 && !page.alerts.is_empty());
    }

    #[test]
    fn each_part_of_a_filter_leaves_out_what_does_not_fit() {
        let mut history = History::new(10);
        history.put(alert(1, 1, |_| ()));
        history.put(alert(2, 2, |alert| alert.kind = "flood".into()));
        history.put(alert(3, 3, |alert| alert.source = "2001:db8::1".into()));
        history.put(alert(4, 4, |alert| {
            alert.source = String::new();
            alert.details.sources = vec!["203.0.113.9".into()];
        }));
        history.put(alert(5, 5, |alert| alert.source = "198.51.100.0/24".into()));
        let list = |filter: Filter| seqs(&history.list(0, 10, &filter));
        assert_eq!(list(Filter { kind: Some("flood".into()), ..Filter::default() }), [2]);
        assert_eq!(list(Filter { source: network_of("198.51.100.66"), ..Filter::default() }), [1, 2]);
        assert_eq!(list(Filter { source: network_of("198.51.0.0/16"), ..Filter::default() }), [1, 2, 5]);
        assert_eq!(list(Filter { source: network_of("203.0.113.0/24"), ..Filter::default() }), [4]);
        assert_eq!(list(Filter { source: network_of("2001:db8::/32"), ..Filter::default() }), [3]);
        assert_eq!(list(Filter { since: Some(200), until: Some(400), ..Filter::default() }), [2, 3, 4]);
        assert_eq!(list(Filter { min_severity: 4, ..Filter::default() }), [0; 0]);
    }
}
