//! Real lines of real scans are read to their last byte, in every form in which a system keeps them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use firebell_engine::{
    origin::{Origin, judge},
    packet::Packet,
    parse::parse,
    record::Record,
    replay::{Moment, ReplayClock},
};
use firebell_tests::corpus;
use std::{collections::BTreeSet, fs};

/// The packet of a line that must be one, whole, with a time stamp.
fn read<'a>(capture: &str, line: &'a [u8]) -> (Record<'a>, Packet<'a>) {
    let record = Record::read(line);
    let shown = String::from_utf8_lossy(line);
    let packet = parse(record.text).unwrap_or_else(|error| panic!("{capture}: {error:?} in {shown}"));
    assert!(packet.is_whole, "{capture}: not whole: {shown}");
    assert!(record.stamp.is_some(), "{capture}: no time stamp: {shown}");
    (record, packet)
}

#[test]
fn every_line_of_the_corpus_is_one_whole_record() {
    let mut total = 0;
    for capture in corpus::captures().unwrap() {
        for form in corpus::FORMS {
            for line in corpus::lines(&capture, form).unwrap().unwrap_or_default() {
                let (record, packet) = read(&capture, &line);
                total += 1;
                // The rules of `judge` must not cost a real line its standing.
                assert_eq!(judge(true, &packet, record.text), Origin::Kernel, "{capture}");
                assert_eq!(record.seq.is_some(), form == "kmsg");
            }
        }
    }
    assert!(total > 34_000, "{total} lines");
}

#[test]
fn the_four_forms_of_a_capture_are_the_same_packets() {
    let mut compared = 0;
    for capture in corpus::captures().unwrap() {
        let kmsg = corpus::lines(&capture, "kmsg").unwrap().unwrap();
        for form in &corpus::FORMS[1..] {
            let Some(other) = corpus::lines(&capture, form).unwrap() else {
                assert_eq!(capture, "edge", "no {form}");
                continue;
            };
            assert_eq!(kmsg.len(), other.len(), "{capture}.{form}");
            for (left, right) in kmsg.iter().zip(&other) {
                assert_eq!(read(&capture, left).1, read(&capture, right).1, "{capture}.{form}");
                compared += 1;
            }
        }
    }
    assert!(compared > 25_000, "{compared}");
}

#[test]
fn the_kernels_clock_gives_the_same_spacing_in_every_form_that_keeps_it() {
    for capture in ["syn", "udp", "syn-paced", "v6-syn"] {
        let spacing = |form: &str| {
            let mut clock = ReplayClock::new(2026, 0);
            let lines = corpus::lines(capture, form).unwrap().unwrap();
            let ticks: Vec<_> = lines.iter().map(|line| clock.tick(Moment::of(&Record::read(line)), [])).collect();
            ticks.iter().map(|tick| tick.since(ticks[0]).as_micros()).collect::<Vec<_>>()
        };
        let kmsg = spacing("kmsg");
        assert!(kmsg[kmsg.len() - 1] > 0);
        assert_eq!(spacing("syslog"), kmsg, "{capture}");
        assert_eq!(spacing("rfc5424"), kmsg, "{capture}");
    }
}

#[test]
fn fingerprints_are_whole_records() {
    let mut total = 0;
    for entry in fs::read_dir(corpus::directory().join("fingerprints")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            for line in fs::read(&path).unwrap().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                read(&path.display().to_string(), line);
                total += 1;
            }
        }
    }
    assert!(total > 250, "{total}");
}

#[test]
fn every_capture_is_labelled() {
    let labels = fs::read_to_string(corpus::directory().join("dev/labels.tsv")).unwrap();
    let labelled: BTreeSet<_> = labels.lines().skip(1).filter_map(|line| line.split('\t').next()?.strip_suffix(".kmsg.log")).collect();
    for capture in corpus::captures().unwrap() {
        assert!(capture == "edge" || labelled.contains(capture.as_str()), "{capture}");
    }
}
