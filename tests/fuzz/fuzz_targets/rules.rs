//! Any rule file: an error names a place in the file and prints in bounded space; rules that are accepted run their own
//! tests, compile, and meet a packet of each kind.
#![no_main]

use firebell_engine::{
    engine::{self, Engine},
    origin::Origin,
    parse::parse,
    tick::Tick,
};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;

// The files themselves rather than their crate, which would bring the bus along.
#[allow(dead_code, unused_imports)]
#[path = "../../../collector/src/config/mod.rs"]
mod config;
#[allow(dead_code, unused_imports)]
#[path = "../../../collector/src/rules/mod.rs"]
mod rules;

/// What `collector/src/config` asks of its crate.
mod history {
    pub(crate) fn network_of(text: &str) -> Option<ipnet::IpNet> {
        text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
    }
}

const LINES: [&str; 4] = [
    "DROP IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC=198.51.100.7 DST=203.0.113.1 LEN=44 TOS=0x00 PREC=0x20 TTL=50 ID=54321 PROTO=TCP SPT=40000 DPT=23 SEQ=3405803777 ACK=0 WINDOW=1024 RES=0x03 ECE SYN URGP=0 OPT (020405B4) MARK=0x2a ",
    "SID7 IN=eth0 OUT=eth1 SRC=2001:db8::1 DST=2001:db8::2 LEN=60 TC=0 HOPLIMIT=64 FLOWLBL=7 PROTO=UDP SPT=53 DPT=53 LEN=20 ",
    "IN=eth0 OUT= SRC=198.51.100.7 DST=203.0.113.1 LEN=52 TTL=50 ID=1 OPT (89070483) PROTO=ICMP TYPE=3 CODE=4 [SRC=203.0.113.1 DST=198.51.100.9 LEN=1500 TTL=64 ID=2 DF PROTO=TCP SPT=99 DPT=443 WINDOW=1 RES=0x00 ACK URGP=0 ] MTU=68 ",
    "ACCEPT IN= OUT=eth0 SRC=192.168.1.2 DST=198.51.100.7 LEN=28 TTL=64 ID=1 MF FRAG:16 PROTO=47 UID=1000 GID=100 ",
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source = rules::Source { path: PathBuf::from("rules.toml"), text: text.to_owned() };
    let loaded = rules::Loaded::of(&[source]);
    for problem in &loaded.problems {
        let config::Problem::Mistake(error) = problem else { unreachable!("no file was read") };
        let (line, column) = error.position();
        assert!(line >= 1 && line <= text.matches('\n').count() + 1 && column >= 1, "{line}:{column}");
        let printed = error.to_string();
        assert!(printed.len() < 16_384 && !printed.bytes().any(|byte| byte < b' ' && byte != b'\n'), "{printed:?}");
    }
    let _ = loaded.rules.run_tests();
    let mut engine = Engine::new(engine::Config::default(), [0; 16]);
    engine.replace_rules(loaded.rules.set(&config::Signatures::default()));
    for (second, line) in (1..).zip(LINES) {
        if let Ok(packet) = parse(line.as_bytes()) {
            engine.observe(&packet, Origin::Kernel, Tick::from_secs(second));
            engine.check_invariants().unwrap();
        }
    }
});
