//! How many log lines a second one core reads: `cargo bench -p firebell-engine --bench parse`.
//!
//! Each case reads the lines of one file of the corpus in turn, as an intake does: envelope off, parse, judge.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use divan::{Bencher, counter::ItemsCount};
use firebell_engine::{
    origin::{Origin, judge},
    parse::Parser,
    record::{Record, RecordReader},
};

fn main() {
    divan::main();
}

/// The lines of a file of the corpus, newlines off.
fn lines(file: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/../../tests/corpus/dev/{file}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect(&path);
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn read(bencher: Bencher<'_, '_>, lines: &[Vec<u8>]) {
    bencher.counter(ItemsCount::new(lines.len())).bench(|| {
        let (mut reader, mut parser) = (RecordReader::default(), Parser::default());
        lines
            .iter()
            .filter(|line| {
                let record = reader.read(divan::black_box(line));
                matches!(parser.parse_into(record.text, &mut None), Ok(packet) if judge(true, divan::black_box(packet), record.text) == Origin::Kernel)
            })
            .count()
    });
}

/// A scan over IPv4, over IPv6, and rare shapes, as the kernel hands them out.
#[divan::bench(args = ["syn.kmsg.log", "v6-syn.kmsg.log", "udp.kmsg.log", "edge.kmsg.log"])]
fn kmsg(bencher: Bencher<'_, '_>, file: &str) {
    read(bencher, &lines(file));
}

/// The same scan with the envelope of `imklog`.
#[divan::bench]
fn syslog(bencher: Bencher<'_, '_>) {
    let envelope = b"Nov 22 07:36:51 desk kernel: [ 2451.192320] ";
    let lines: Vec<_> = lines("syn.kmsg.log").iter().map(|line| [&envelope[..], Record::read(line).text].concat()).collect();
    read(bencher, &lines);
}

/// What the rest of the system writes.
#[divan::bench]
fn not_netfilter(bencher: Bencher<'_, '_>) {
    let lines = [
        "4,1,2,-;usb 1-3: new high-speed USB device number 4 using xhci_hcd",
        "30,2,3,-;systemd[1]: Started Session 12 of User alice.",
        "5,3,4,-;audit: type=1400 audit(1763800000.618:77): apparmor=\"DENIED\" operation=\"open\" profile=\"a\" name=\"/etc/b\" pid=7 comm=\"c\" fsuid=0 ouid=0",
        "6,4,5,-;EXT4-fs (sda2): mounted filesystem r/w with ordered data mode. Quota mode: none.",
    ];
    read(bencher, &lines.map(|line| line.as_bytes().to_vec()));
}
