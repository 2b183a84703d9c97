//! Event time of text logs.

#![allow(clippy::indexing_slicing)]

use firebell_engine::{
    record::Record,
    replay::{Moment, ReplayClock},
    stamp::Stamp,
    tick::Tick,
};
use proptest::prelude::*;
use std::time::Duration;

/// The ticks of some lines, each with those behind it as witnesses; as seconds behind the first.
fn replay(clock: &mut ReplayClock, lines: &[&str]) -> Vec<f64> {
    let moments: Vec<Option<Moment>> =
        lines.iter().map(|line| Moment::of(&Record::read(format!("{line} desk kernel: x").as_bytes()))).collect();
    seconds(&ticks(clock, &moments))
}

fn ticks(clock: &mut ReplayClock, moments: &[Option<Moment>]) -> Vec<Tick> {
    (0..moments.len()).map(|n| clock.tick(moments[n], moments[n + 1..].iter().copied().flatten())).collect()
}

fn seconds(ticks: &[Tick]) -> Vec<f64> {
    ticks.iter().map(|tick| tick.since(ticks[0]).as_secs_f64()).collect()
}

fn clock() -> ReplayClock {
    ReplayClock::new(2026, 0)
}

#[test]
fn the_first_stamp_sets_the_clock() {
    let mut clock = ReplayClock::new(2026, 3600);
    let line = Record::read(b"Nov 22 08:11:01 desk kernel: x");
    assert_eq!(clock.tick(Moment::of(&line), []), Tick::from_secs(1_795_331_461));
    assert_eq!(clock.tick(None, []), Tick::from_secs(1_795_331_461));
}

#[test]
fn time_advances_by_differences() {
    let lines = ["Nov 22 07:00:00", "Nov 22 07:00:00", "Nov 22 07:00:07", "Nov 22 07:59:07"];
    assert_eq!(replay(&mut clock(), &lines), [0.0, 0.0, 7.0, 3547.0]);
}

#[test]
fn a_line_that_comes_late_takes_no_time() {
    let lines = ["Nov 22 07:00:10", "Nov 22 07:00:08", "Nov 22 07:00:11"];
    assert_eq!(replay(&mut clock(), &lines), [0.0, 0.0, 1.0]);
}

#[test]
fn an_hour_of_silence_counts_when_the_lines_behind_it_agree() {
    let lines = ["Nov 22 07:00:00", "Nov 22 15:00:00", "Nov 22 15:00:01", "Nov 22 15:00:02", "Nov 22 15:00:03"];
    assert_eq!(replay(&mut clock(), &lines), [0.0, 28_800.0, 28_801.0, 28_802.0, 28_803.0]);
    // Rare lines confirm each other too, and so does the end of the log.
    let rare = ["Nov 22 07:00:00", "Nov 22 09:00:00", "Nov 22 11:00:00", "Nov 22 13:00:00", "Nov 22 15:00:00"];
    assert_eq!(replay(&mut clock(), &rare), [0.0, 7200.0, 14_400.0, 21_600.0, 28_800.0]);
}

#[test]
fn a_forged_stamp_moves_nothing() {
    for forged in ["Nov 22 19:00:00", "Nov 21 07:00:00", "Nov 22 2099 07:00:00", "Nov 22 1999 07:00:00"] {
        let lines = ["Nov 22 07:00:00", forged, "Nov 22 07:00:01", "Nov 22 07:00:02", "Nov 22 07:00:03"];
        assert_eq!(replay(&mut clock(), &lines), [0.0, 0.0, 1.0, 2.0, 3.0], "{forged}");
    }
    // Two of them are outvoted by the third line behind the first.
    let lines = ["Nov 22 07:00:00", "Nov 22 19:00:00", "Nov 22 19:00:01", "Nov 22 07:00:01", "Nov 22 07:00:02", "Nov 22 07:00:03"];
    assert_eq!(replay(&mut clock(), &lines), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn the_end_of_daylight_saving_takes_no_time_and_stops_none() {
    let lines = ["Oct 25 02:59:58", "Oct 25 02:00:00", "Oct 25 02:00:05", "Oct 25 02:00:10", "Oct 25 02:00:15"];
    assert_eq!(replay(&mut clock(), &lines), [0.0, 0.0, 5.0, 10.0, 15.0]);
}

#[test]
fn a_reboot_takes_no_time_where_only_uptime_is_known() {
    let lines = ["[ 9000.0]", "[ 9001.0]", "[    0.5]", "[    1.5]", "[    2.5]", "[    3.5]"];
    assert_eq!(replay(&mut clock(), &lines), [0.0, 1.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_reboot_takes_as_long_as_the_calendar_says() {
    let lines =
        ["Nov 22 07:00:00 desk kernel: [ 9000.0]", "Nov 22 07:02:00 desk kernel: [   20.25]", "Nov 22 07:02:01 desk kernel: [   21.5]"];
    assert_eq!(replay(&mut clock(), &lines), [0.0, 120.0, 121.25]);
}

#[test]
fn the_kernels_clock_refines_whole_seconds() {
    let lines = [
        "Nov 22 07:00:00 desk kernel: [ 100.000000]",
        "Nov 22 07:00:00 desk kernel: [ 100.250000]",
        "Nov 22 07:00:01 desk kernel: [ 100.300000]",
        // Two hours of suspend: the kernel's log clock stood still.
        "Nov 22 09:00:01 desk kernel: [ 100.400000]",
        "Nov 22 09:00:01 desk kernel: [ 100.500000]",
    ];
    let found = replay(&mut clock(), &lines);
    let expected = [0.0, 0.25, 0.3, 7201.0, 7201.1];
    assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{found:?}");
}

#[test]
fn the_year_of_a_stamp_without_one_changes_with_the_year() {
    let mut clock = clock();
    assert_eq!(replay(&mut clock, &["Dec 31 23:59:59", "Jan  1 00:00:01", "Jan  1 00:00:02"]), [0.0, 2.0, 3.0]);
    assert_eq!(clock.year(), 2027);
    // A late line of the old year is late by a second, not early by one year.
    assert_eq!(replay(&mut clock, &["Dec 31 23:59:59", "Jan  1 00:00:03"]), [0.0, 1.0]);
}

#[test]
fn lines_without_stamp_take_no_time() {
    assert_eq!(replay(&mut clock(), &["Nov 22 07:00:00", "x", "Nov 22 07:00:01"]), [0.0, 0.0, 1.0]);
    assert_eq!(replay(&mut clock(), &["x", "y"]), [0.0, 0.0]);
}

fn moment() -> impl Strategy<Value = Option<Moment>> {
    let wall = (
        prop::option::of(1900..2200_i32),
        1..=12_u8,
        1..=28_u8,
        0..24_u8,
        0..60_u8,
        0..=60_u8,
        0..1_000_000_u32,
        prop::option::of(-64_800..64_800_i32),
    )
        .prop_map(|(year, month, day, hour, minute, second, micros, offset_secs)| Stamp::Wall {
            year,
            month,
            day,
            hour,
            minute,
            second,
            micros,
            offset_secs,
        });
    let stamp = prop_oneof![3 => wall, 1 => any::<u64>().prop_map(|micros| Stamp::Uptime { micros })];
    prop::option::weighted(
        0.9,
        (stamp, prop::option::of(prop_oneof![0..10_000_000_000_u64, any::<u64>()])).prop_map(|(stamp, uptime)| Moment { stamp, uptime }),
    )
}

proptest! {
    #[test]
    fn time_never_runs_back_whatever_the_stamps_say(moments in prop::collection::vec(moment(), 1..40), year in 1900..2200_i32) {
        let ticks = ticks(&mut ReplayClock::new(year, 0), &moments);
        prop_assert!(ticks.is_sorted());
    }

    #[test]
    fn an_honest_log_takes_as_long_as_its_stamps_say(gaps in prop::collection::vec(0..3_000_000_000_u64, 1..40)) {
        let mut at = 1_795_331_461_000_000;
        let mut moments = Vec::new();
        for gap in &gaps {
            at += gap;
            moments.push(Some(Moment { stamp: Stamp::Uptime { micros: at }, uptime: Some(at) }));
        }
        let ticks = ticks(&mut ReplayClock::new(2026, 0), &moments);
        prop_assert_eq!(ticks[ticks.len() - 1].since(ticks[0]), Duration::from_micros(gaps[1..].iter().sum()));
    }

    #[test]
    fn one_forged_line_in_an_honest_log_costs_no_more_than_an_hour(place in 1..20_usize, forged in moment()) {
        let honest = |second: u64| Some(Moment { stamp: Stamp::Wall { year: Some(2026), month: 11, day: 22, hour: 7, minute: 0, second: u8::try_from(second).unwrap_or(0), micros: 0, offset_secs: Some(0) }, uptime: None });
        let mut moments: Vec<_> = (0..25).map(honest).collect();
        moments.insert(place, forged.filter(|moment| matches!(moment.stamp, Stamp::Wall { .. })));
        let ticks = ticks(&mut ReplayClock::new(2026, 0), &moments);
        prop_assert!(ticks[ticks.len() - 1].since(ticks[0]) <= Duration::from_secs(24 + 3600));
    }
}
