//! Any `firebell.toml` and any `notifier.toml`: an error names a place in the file, and prints in bounded space.
#![no_main]

use firebell_shared::config::ConfigError;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

// The files themselves rather than their crates, which would bring the bus along.
#[allow(dead_code, unused_imports)]
#[path = "../../../collector/src/config/mod.rs"]
mod collector;
#[allow(dead_code)]
#[path = "../../../notifier/src/config.rs"]
mod notifier;
#[allow(dead_code)]
#[path = "../../../notifier/src/ledger/rules.rs"]
mod ledger;
#[allow(dead_code)]
#[path = "../../../notifier/src/quiet.rs"]
mod quiet;
#[allow(dead_code)]
#[path = "../../../notifier/src/template.rs"]
mod template;

/// What `collector/src/config` asks of its crate.
mod history {
    pub(crate) fn network_of(text: &str) -> Option<ipnet::IpNet> {
        text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check(text, collector::Config::parse(Path::new("firebell.toml"), text).err());
    check(text, notifier::read(Path::new("notifier.toml"), text).err());
});

fn check(text: &str, error: Option<ConfigError>) {
    let Some(error) = error else { return };
    let (line, column) = error.position();
    assert!(line >= 1 && line <= text.matches('\n').count() + 1 && column >= 1, "{line}:{column}");
    let printed = error.to_string();
    assert!(printed.len() < 16_384 && !printed.bytes().any(|byte| byte < b' ' && byte != b'\n'), "{printed:?}");
}
