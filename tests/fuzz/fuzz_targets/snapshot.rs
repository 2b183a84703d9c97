//! Any state from the disk: it is refused, or is one that an engine can have and go on from.
#![no_main]

use firebell_engine::{
    engine::{Config, Engine},
    origin::Origin,
    parse::parse,
    signature::{RuleSet, Sids},
    tick::Tick,
};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// Small tables, which an input fills and that take no time to make.
fn config() -> Config {
    Config { max_sources: 64, max_near_sources: 32, ..Config::default() }
}

fn rules() -> RuleSet {
    RuleSet::new(Vec::new(), Sids::default())
}

/// The state of an engine that has seen something of everything.
fn genuine() -> &'static [u8] {
    static GENUINE: OnceLock<Vec<u8>> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let mut engine = Engine::new(config(), [7; 16]);
        engine.replace_rules(rules());
        for number in 0..400_u64 {
            observe(&mut engine, number);
            while engine.next_finding().is_some() {}
        }
        engine.snapshot()
    })
}

fn observe(engine: &mut Engine, number: u64) {
    let (host, port) = (number % 7, 20 + number % 41);
    let line = match number % 5 {
        0 => format!(
            "DROP IN=eth0 OUT= SRC=198.51.100.{host} DST=203.0.113.1 LEN=44 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=4000 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0 "
        ),
        1 => format!(
            "DROP IN=eth0 OUT= SRC=198.51.100.{host} DST=203.0.113.{port} LEN=44 TOS=0x00 PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=4000 DPT=22 WINDOW=1024 RES=0x00 FIN URGP=0 "
        ),
        2 => format!(
            "IN=eth0 OUT= SRC=2001:db8::{host} DST=2001:db8:1::1 LEN=60 TC=0 HOPLIMIT=64 FLOWLBL=0 PROTO=UDP SPT=53 DPT={port} LEN=20 "
        ),
        3 => format!(
            "IN= OUT=eth0 SRC=192.168.1.2 DST=198.51.100.{port} LEN=44 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=TCP SPT=4000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0 UID=1000 GID=1000 "
        ),
        _ => format!(
            "IN=eth0 OUT= SRC=198.51.100.{host} DST=203.0.113.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=ICMP TYPE=8 CODE=0 ID={port} SEQ=1 "
        ),
    };
    if let Ok(packet) = parse(line.as_bytes()) {
        engine.observe(&packet, Origin::Kernel, engine.now().max(Tick::from_secs(1)).max(Tick::from_secs(number)));
    }
}

fn check(bytes: &[u8]) {
    let Ok(mut engine) = Engine::restore(config(), rules(), bytes) else { return };
    engine.check_invariants().unwrap();
    let again = engine.snapshot();
    assert!(Engine::restore(config(), rules(), &again).is_ok(), "what was taken over is written so that it can be taken over");
    for number in 0..8 {
        observe(&mut engine, number);
    }
    engine.check_invariants().unwrap();
    while engine.next_finding().is_some() {}
}

fuzz_target!(|input: &[u8]| {
    // Bytes from nowhere seldom come past the first length; four at a time they change a genuine state: where, and to what.
    check(input);
    let mut bytes = genuine().to_vec();
    for change in input.chunks_exact(4).take(16) {
        let at = usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        let length = bytes.len();
        bytes[at % length] = change[3];
    }
    if input.len() % 4 == 1 {
        bytes.truncate(usize::from(input[0]) * 64 % bytes.len());
    }
    check(&bytes);
});
