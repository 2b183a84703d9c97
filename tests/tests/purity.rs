//! The engine is pure: it opens nothing, asks no clock, waits for nothing. Any incident then replays from a file.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the engine may stand on. Each of these only computes; `hashbrown` without its default features brings no hasher of
/// its own, so that none is seeded by chance. `regex-automata` builds tables of the administrator's patterns and searches them.
/// `serde` and `postcard` turn a state into bytes and back, with `cobs` for a framing that is not used.
const ALLOWED: &[&str] =
    &["cobs", "hashbrown", "memchr", "postcard", "regex-automata", "regex-syntax", "serde", "serde_core", "siphasher", "thiserror"];

/// What runs in the compiler only, and what that stands on.
const IN_THE_COMPILER: &[&str] = &["proc-macro2", "quote", "serde_derive", "syn", "thiserror-impl", "unicode-ident"];

/// What a pure source does not mention: input and output, clocks, threads, the environment, randomness, async.
const FORBIDDEN: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net::Tcp",
    "std::net::Udp",
    "std::net::ToSocketAddrs",
    "std::os",
    "std::thread",
    "std::env",
    "std::process",
    "std::sync",
    "std::path",
    "Instant",
    "SystemTime",
    "RandomState",
    "HashMap::new",
    "HashSet::new",
    "DefaultHasher",
    "thread_local!",
    "static mut",
    "OnceLock",
    "LazyLock",
    "OnceCell",
    "println!",
    "eprintln!",
    "print!(",
    "dbg!",
    "include_str!",
    "include_bytes!",
    "extern ",
    "async ",
    ".await",
    "tokio",
    "unsafe ",
];

/// Parts of the standard library that `use std::{…}` names without `std::` in front.
const FORBIDDEN_PARTS: &[&str] = &["fs", "io", "os", "thread", "env", "process", "sync", "path", "net::TcpStream", "net::UdpSocket"];

/// The forbidden words of a source, as `line: word`. Comments may speak of them.
fn impurities(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(source.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        found.extend(FORBIDDEN.iter().filter(|word| code.contains(**word)).map(|word| format!("{number}: {word}")));
        if let Some((_, group)) = code.split_once("use std::{") {
            let names = group.split([',', '}']).map(str::trim);
            let is_forbidden = |name: &&str| {
                FORBIDDEN_PARTS.iter().any(|part| name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
            };
            found.extend(names.filter(is_forbidden).map(|name| format!("{number}: {name}")));
        }
    }
    found
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_engine_names_no_file_clock_thread_or_runtime() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/engine/src");
    let files = sources(&source);
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert_eq!(impurities(shipped), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn the_scan_finds_what_it_looks_for() {
    for impure in [
        "use std::fs;",
        "use std::{fmt, fs};",
        "use std::{io::Read, fmt};",
        "use std::{net::TcpStream};",
        "    let now = std::time::Instant::now();",
        "    let now = SystemTime::now();",
        "async fn f() {}",
        "    tokio::spawn(x);",
        "static mut X: u8 = 0;",
        "    let map = HashMap::new();",
        "thread_local! {}",
    ] {
        assert_eq!(impurities(impure).len(), 1, "{impure}");
    }
    for pure in ["use std::{fmt, net::IpAddr, time::Duration};", "// A HashMap would be seeded by chance: std::fs.", "let synchronous = 1;"]
    {
        assert!(impurities(pure).is_empty(), "{pure}");
    }
}

#[test]
fn the_engine_depends_on_nothing_that_does_more_than_compute() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "firebell-engine", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && tree.starts_with("firebell-engine "), "{tree}{}", String::from_utf8_lossy(&output.stderr));
    for line in tree.lines().skip(1) {
        let name = line.split(' ').next().unwrap_or_default();
        assert!(ALLOWED.contains(&name) || IN_THE_COMPILER.contains(&name), "the engine gained {line}: is it pure?");
    }
}
