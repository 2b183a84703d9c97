//! The way of a line from an intake to the engine's verdict takes no memory.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use firebell_collector::{
    config::Config,
    intake::{AllNetns, Batch, Counters, Info, Time},
    watch::{Recorded, Watch},
};
use firebell_engine::{replay::ReplayClock, tick::Tick};
use std::{path::Path, process::Command, sync::Arc};

#[global_allocator]
static GUARD: AllocDisabler = AllocDisabler;

/// With this in the environment the test breaks the rule.
const BREAK: &str = "FIREBELL_TEST_ALLOCATES";

fn watch() -> Watch {
    let config = Config::parse(Path::new("t.toml"), "[intake]\nvouched-prefixes = [\"DROP\"]\n").unwrap_or_default();
    let info = Info { name: "test".into(), vouches: true, is_kmsg: true, files: 0, groups: Vec::new(), counters: Counters::default() };
    Watch::new(&config, [7; 16], vec![Arc::new(info)], AllNetns::open(), Recorded::new(ReplayClock::new(2026, 0), Tick::ZERO), false)
}

/// Each port of a scan, and what else is in a kernel log.
fn lines() -> Batch {
    let mut batch = Batch::default();
    for port in 1..=500_u64 {
        let time = Time::At(Tick::from_secs(1_763_800_000 + port / 100));
        let line = format!(
            "4,{port},{port}000,-;DROP IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC=198.51.100.66 DST=198.51.100.10 LEN=44 \
             TOS=0x00 PREC=0x00 TTL=41 ID=7 PROTO=TCP SPT=40000 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0 "
        );
        batch.push(0, time, line.as_bytes(), b"");
        batch.push(0, time, b"6,1,1,-;usb 1-1: new high-speed USB device number 2", b"");
        batch.push(0, time, b"4,1,1,-;DROP IN=eth0 OUT= SRC=198.51.100.300 DST=198.51.100.10 LEN=44", b"");
        batch.push(
            0,
            Time::Stamped,
            b"Nov 22 07:11:01 host kernel: DROP IN=eth0 OUT= SRC=203.0.113.7 DST=198.51.100.10 LEN=44 PROTO=UDP SPT=1 DPT=53 LEN=24",
            b"",
        );
    }
    batch
}

fn feed(watch: &mut Watch, batch: &Batch) {
    let mut lines = batch.lines();
    while let Some(line) = lines.next() {
        watch.line(line, lines.clone(), Tick::from_secs(1_763_900_000));
    }
}

#[test]
fn a_line_takes_no_memory_once_its_source_is_known() {
    let (mut watch, batch) = (watch(), lines());
    feed(&mut watch, &batch);
    while watch.next_alert().is_some() {}
    let breaks = std::env::var_os(BREAK).is_some();
    assert_no_alloc(|| {
        feed(&mut watch, &batch);
        if breaks {
            drop(std::hint::black_box(vec![0_u8; 32]));
        }
    });
}

#[test]
fn the_guard_aborts_when_the_rule_is_broken() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    let again = again.args(["--exact", "a_line_takes_no_memory_once_its_source_is_known"]).env(BREAK, "1").output().unwrap();
    assert!(!again.status.success(), "{again:?}");
}
