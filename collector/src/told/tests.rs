//! A machine that loses its power: the history has what was told, the engine is that of the checkpoint, and the lines in between are gone.

use super::*;
use crate::{
    intake::{Batch, Time},
    store::{Checkpoint, Database, Lines, Numbers},
    watch::{
        Watch,
        tests::{checkpoint, go_on},
    },
};
use std::path::Path;

const BEGIN: u64 = 1_763_800_000;
const US: &str = "198.51.100.10";
const SCANNER: &str = "203.0.113.66";
const HOUR: u64 = 3600;

struct Machine<'d> {
    dir: &'d Path,
    database: Option<Database>,
    watch: Watch,
    /// Seconds since [`BEGIN`].
    now: u64,
    /// Everything that was told.
    told: Vec<Alert>,
}

impl<'d> Machine<'d> {
    fn new(dir: &'d Path) -> Self {
        let (database, watch) = Self::boot(dir, 0);
        let mut machine = Self { dir, database: Some(database), watch, now: 0, told: Vec::new() };
        machine.watch.catch_up(Tick::from_secs(BEGIN));
        machine.check();
        machine
    }

    fn boot(dir: &Path, now: u64) -> (Database, Watch) {
        let (mut database, _) = Database::open(dir, &Numbers::new("a".into()), false).unwrap();
        let mut watch = go_on(&database.start().unwrap(), Tick::from_secs(BEGIN + now));
        watch.number_after(database.numbers().last_id, database.numbers().last_seq);
        (database, watch)
    }

    /// The power goes, and comes back after some seconds; not everything is read yet.
    fn lose_power(&mut self, after: u64) {
        self.database = None;
        self.now += after;
        let (database, watch) = Self::boot(self.dir, self.now);
        (self.database, self.watch) = (Some(database), watch);
    }

    fn catch_up(&mut self) -> Vec<Alert> {
        self.watch.catch_up(Tick::from_secs(BEGIN + self.now));
        self.pass(0)
    }

    /// Writes a checkpoint.
    fn check(&mut self) {
        self.write(&[], Some(&checkpoint(&self.watch)));
    }

    fn write(&mut self, alerts: &[Alert], checkpoint: Option<&Checkpoint>) {
        let alerts: Vec<_> = alerts.iter().cloned().map(Arc::new).collect();
        self.database.as_mut().unwrap().commit(alerts.iter(), &Lines::new(), checkpoint).unwrap();
    }

    /// Writes and tells what there is to be told.
    fn tell(&mut self) -> Vec<Alert> {
        let alerts: Vec<Alert> = std::iter::from_fn(|| self.watch.next_alert()).collect();
        self.write(&alerts, None);
        self.told.extend(alerts.iter().cloned());
        alerts
    }

    /// So many seconds pass.
    fn pass(&mut self, seconds: u64) -> Vec<Alert> {
        self.now += seconds;
        self.watch.advance(Tick::from_secs(BEGIN + self.now));
        self.tell()
    }

    fn line(&mut self, source: &str, target: &str, rest: &str) -> Vec<Alert> {
        let now = Tick::from_secs(BEGIN + self.now);
        let line = format!(
            "4,1,1,-;DROP IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC={source} DST={target} LEN=44 TTL=41 {rest}"
        );
        let mut batch = Batch::default();
        batch.push(0, Time::At(now), line.as_bytes(), b"");
        self.watch.line(batch.lines().next().unwrap(), std::iter::empty(), now);
        self.tell()
    }

    /// A port each tenth of a second, about.
    fn scan(&mut self, source: &str, ports: std::ops::RangeInclusive<u16>) -> Vec<Alert> {
        let target = if source.contains(':') { "2001:db8:51::a" } else { US };
        ports
            .flat_map(|port| {
                self.now += u64::from(port % 10 == 0);
                self.line(source, target, &format!("PROTO=TCP SPT=40000 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0 "))
            })
            .collect()
    }

    /// The same probes from four addresses.
    fn decoys(&mut self, sport: u16, ports: std::ops::RangeInclusive<u16>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for port in ports {
            for last in 1..=4 {
                let probe = format!("ID={} PROTO=TCP SPT={sport} DPT={port} WINDOW=1024 SYN ", 1000 + port);
                alerts.extend(self.line(&format!("203.0.{last}.9"), US, &probe));
            }
            self.now += 1;
        }
        alerts
    }

    fn row(&self, id: u64) -> Alert {
        Alert::clone(&self.database.as_ref().unwrap().get(id).unwrap().unwrap())
    }

    fn rows(&self) -> Vec<Arc<Alert>> {
        self.database.as_ref().unwrap().newest(100).unwrap()
    }

    /// What must hold of everything that was told, over all power cuts.
    fn check_told(&self) {
        for (n, alert) in self.told.iter().enumerate() {
            let before = self.told[..n].iter().rev().find(|earlier| earlier.id == alert.id);
            if let Some(before) = before {
                let (then, now) = (&before.details, &alert.details);
                assert_eq!(now.revision, then.revision + 1, "{before:?}\n{alert:?}");
                assert!(now.packets >= then.packets && now.contacts >= then.contacts, "{before:?}\n{alert:?}");
                assert!(alert.severity >= before.severity && now.seq > then.seq, "{before:?}\n{alert:?}");
                let is_again = matches!(now.phase, Phase::Opened | Phase::Reopened);
                assert_eq!(is_again, !before.is_open(), "{before:?}\n{alert:?}");
            } else {
                assert_eq!((alert.details.phase, alert.details.revision), (Phase::Opened, 1), "{alert:?}");
            }
            let same = |other: &&Alert| other.source == alert.source && other.summary == alert.summary && other.id != alert.id;
            assert_eq!(self.told.iter().find(same), None, "{alert:?} was told under two numbers");
        }
    }
}

/// Once with new lines that are there before everything was read after the boot, and once with lines that come later.
fn with_power_cuts(test: impl Fn(&mut Machine<'_>, bool)) {
    for is_behind in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(dir.path());
        test(&mut machine, is_behind);
        machine.check_told();
    }
}

/// Boots after `after` seconds; gives whatever `attack` makes the new collector say until it is quiet.
fn boot_and(machine: &mut Machine<'_>, is_behind: bool, after: u64, attack: impl Fn(&mut Machine<'_>) -> Vec<Alert>) -> Vec<Alert> {
    machine.lose_power(after);
    let mut alerts = Vec::new();
    if is_behind {
        alerts.extend(attack(machine));
        alerts.extend(machine.catch_up());
    } else {
        alerts.extend(machine.catch_up());
        alerts.extend(attack(machine));
    }
    alerts.extend(machine.pass(120));
    alerts
}

/// The last that was told of the incident, and that everything since is about it.
fn goes_on(machine: &Machine<'_>, before: &Alert, alerts: &[Alert]) -> Alert {
    assert!(!alerts.is_empty() && alerts.iter().all(|alert| alert.id == before.id), "{before:?}\n{alerts:?}");
    assert_eq!(alerts[0].details.revision, before.details.revision + 1);
    machine.row(before.id)
}

#[test]
fn an_attack_that_began_behind_the_checkpoint_goes_on_under_its_number() {
    with_power_cuts(|machine, is_behind| {
        machine.scan("203.0.200.7", 1..=20);
        let before = machine.scan(SCANNER, 1..=40).pop().unwrap();
        let alerts = boot_and(machine, is_behind, 30, |machine| {
            // Somebody else comes first, and must not get the number.
            let others = machine.scan("203.0.150.8", 2001..=2020);
            assert!(others.iter().all(|alert| alert.id > before.id), "{others:?}");
            machine.scan(SCANNER, 1001..=1200)
        });
        let own: Vec<Alert> = alerts.into_iter().filter(|alert| alert.source == SCANNER).collect();
        let last = goes_on(machine, &before, &own);
        assert!(last.details.packets >= 200 && last.details.contacts >= 200, "{last:?}");
        assert!(is_behind || last.details.packets == before.details.packets + 200, "{last:?}");
        assert!(is_behind || last.details.ports == before.details.ports.clone() + ",1001-1200", "{last:?}");
        assert_eq!(machine.rows().iter().filter(|alert| alert.source == SCANNER).count(), 1);
    });
}

#[test]
fn an_attack_that_became_worse_behind_the_checkpoint_goes_on_from_there() {
    with_power_cuts(|machine, is_behind| {
        let id = machine.scan(SCANNER, 1..=12).pop().unwrap().id;
        machine.check();
        machine.scan(SCANNER, 13..=300);
        machine.pass(120);
        let before = machine.row(id);
        assert!(before.severity.get() >= 4 && before.details.packets == 300, "{before:?}");
        let alerts = boot_and(machine, is_behind, 30, |machine| machine.scan(SCANNER, 1001..=1700));
        let last = goes_on(machine, &before, &alerts);
        assert!(last.details.packets >= 700 && last.is_open(), "{last:?}");
        let end = machine.pass(3 * HOUR);
        assert_eq!(end.iter().map(|alert| (alert.id, alert.details.phase)).collect::<Vec<_>>(), [(id, Phase::Closed)]);
    });
}

#[test]
fn an_attack_that_ended_behind_the_checkpoint_and_begins_again_is_reopened() {
    for is_known in [true, false] {
        with_power_cuts(|machine, is_behind| {
            machine.scan(SCANNER, 1..=12);
            if is_known {
                machine.check();
            }
            machine.scan(SCANNER, 13..=40);
            let before = machine.pass(2 * HOUR).pop().unwrap();
            assert_eq!((before.details.phase, before.details.packets), (Phase::Closed, 40));
            let alerts = boot_and(machine, is_behind, 30, |machine| machine.scan(SCANNER, 1001..=1100));
            assert_eq!(alerts[0].details.phase, Phase::Reopened);
            assert!(goes_on(machine, &before, &alerts).is_open());
        });
    }
}

#[test]
fn an_attack_that_does_not_come_again_ends_once() {
    for is_known in [true, false] {
        with_power_cuts(|machine, _| {
            machine.scan(SCANNER, 1..=12);
            if is_known {
                machine.check();
            }
            machine.scan(SCANNER, 13..=300);
            let before = machine.pass(120).pop().unwrap();
            machine.lose_power(30);
            assert_eq!(machine.catch_up(), [], "it may come again");
            // Also where the power goes again, with or without a checkpoint.
            machine.lose_power(30);
            machine.catch_up();
            machine.check();
            machine.lose_power(30);
            machine.catch_up();
            let mut end = machine.pass(3 * HOUR);
            machine.lose_power(2 * HOUR);
            end.extend(machine.catch_up());
            end.extend(machine.pass(3 * HOUR));
            assert_eq!(end.iter().map(|alert| (alert.id, alert.details.phase)).collect::<Vec<_>>(), [(before.id, Phase::Closed)]);
            assert_eq!((end[0].details.packets, end[0].details.contacts), (before.details.packets, before.details.contacts));
        });
    }
}

#[test]
fn an_attack_that_was_over_when_the_machine_came_back_ends_with_what_was_told() {
    with_power_cuts(|machine, is_behind| {
        machine.scan(SCANNER, 1..=12);
        machine.check();
        machine.scan(SCANNER, 13..=300);
        let before = machine.pass(120).pop().unwrap();
        let alerts = boot_and(machine, is_behind, 3 * HOUR, |machine| machine.scan("203.0.150.8", 2001..=2020));
        let end: Vec<_> = alerts.iter().filter(|alert| alert.id == before.id).collect();
        assert_eq!(end.iter().map(|alert| (alert.details.phase, alert.details.packets)).collect::<Vec<_>>(), [(Phase::Closed, 300)]);
    });
}

#[test]
fn decoys_that_were_found_out_behind_the_checkpoint_stay_one_incident() {
    with_power_cuts(|machine, is_behind| {
        machine.decoys(50_000, 1..=20);
        let before = machine.rows().iter().rev().find(|alert| alert.kind == "decoy-scan").map(|alert| machine.row(alert.id)).unwrap();
        machine.pass(120);
        let before = machine.row(before.id);
        let alerts = boot_and(machine, is_behind, 30, |machine| machine.decoys(50_001, 1001..=1200));
        let open: Vec<_> = machine.rows().iter().filter(|alert| alert.is_open()).map(|alert| alert.id).collect();
        assert_eq!(open, [before.id], "{alerts:?}");
        let group: Vec<_> = alerts.iter().filter(|alert| alert.kind == "decoy-scan").cloned().collect();
        goes_on(machine, &before, &group);
        // Who became part of it says nothing again.
        if !is_behind {
            assert_eq!(group, alerts);
        }
    });
}

#[test]
fn a_scan_shared_by_many_that_was_found_out_behind_the_checkpoint_stays_one_incident() {
    with_power_cuts(|machine, is_behind| {
        let shared = |machine: &mut Machine<'_>, ports: std::ops::RangeInclusive<u16>| {
            let mut alerts = Vec::new();
            for port in ports {
                alerts.extend(machine.scan(&format!("203.0.113.{}", 1 + port % 8), port..=port));
            }
            alerts
        };
        shared(machine, 1..=60);
        machine.pass(120);
        let before = machine.rows().iter().rev().find(|alert| alert.kind == "distributed-scan").map(|alert| machine.row(alert.id)).unwrap();
        let alerts = boot_and(machine, is_behind, 30, |machine| shared(machine, 1001..=1700));
        let open: Vec<_> = machine.rows().iter().filter(|alert| alert.is_open()).map(|alert| alert.id).collect();
        assert_eq!(open, [before.id], "{alerts:?}");
    });
}

#[test]
fn unasked_answers_stay_one_incident() {
    with_power_cuts(|machine, is_behind| {
        let answers = |machine: &mut Machine<'_>, count: u64| -> Vec<Alert> {
            let answer = |n| format!("ID={n} PROTO=TCP SPT=443 DPT={} WINDOW=1024 ACK SYN ", 20_000 + n);
            (0..count).flat_map(|n| machine.line(SCANNER, US, &answer(n))).collect()
        };
        let before = answers(machine, 60).pop().unwrap();
        assert_eq!(before.kind, "backscatter");
        let alerts = boot_and(machine, is_behind, 30, |machine| answers(machine, 2000));
        goes_on(machine, &before, &alerts);
    });
}

#[test]
fn one_network_of_ipv6_is_one_source_whatever_its_address_after_the_boot() {
    with_power_cuts(|machine, is_behind| {
        let before = machine.scan("2001:db8:1:2::1", 1..=40).pop().unwrap();
        let alerts = boot_and(machine, is_behind, 30, |machine| machine.scan("2001:db8:1:2::2", 1001..=1200));
        let last = goes_on(machine, &before, &alerts);
        assert_eq!((last.source.as_str(), machine.rows().len()), ("2001:db8:1:2::1", 1));
    });
}

#[test]
fn an_attack_goes_on_where_the_state_is_no_use() {
    with_power_cuts(|machine, is_behind| {
        let before = machine.scan(SCANNER, 1..=40).pop().unwrap();
        let mut of_another_version = checkpoint(&machine.watch);
        of_another_version.engine[0] += 1;
        machine.write(&[], Some(&of_another_version));
        let alerts = boot_and(machine, is_behind, 30, |machine| machine.scan(SCANNER, 1001..=1200));
        goes_on(machine, &before, &alerts);
    });
}

#[test]
fn lines_that_are_read_again_after_a_kill_are_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(dir.path());
    let attack = |machine: &mut Machine<'_>| {
        machine.scan(SCANNER, 1..=40);
        machine.scan("203.0.150.8", 1..=200);
        machine.decoys(50_000, 1..=20);
    };
    attack(&mut machine);
    let (ids, count) = (machine.rows(), machine.told.len());
    machine.lose_power(0);
    // The same lines, at the times they had.
    machine.now = 0;
    attack(&mut machine);
    assert_eq!((machine.rows(), machine.told.len()), (ids, count));
    machine.catch_up();
    machine.pass(120);
    machine.check_told();
    let packets: Vec<u64> = [SCANNER, "203.0.150.8"]
        .iter()
        .map(|source| machine.rows().iter().find(|alert| alert.source == *source).unwrap().details.packets)
        .collect();
    assert_eq!(packets, [40, 200]);
}
