//! Envelopes of log lines, and the moments their stamps mean.

#![allow(clippy::expect_used)]

use firebell_engine::{
    record::{Record, RecordReader},
    stamp::Stamp,
};
use proptest::prelude::*;

const TEXT: &str = "DROP IN=eth0 OUT= SRC=203.0.113.9 DST=192.0.2.1 PROTO=47 ";

/// Puts an envelope around a record, and reads it: the text must come back as it was.
fn read(envelope: &str) -> Record<'static> {
    let line: &'static str = String::leak(format!("{envelope}{TEXT}"));
    let record = Record::read(line.as_bytes());
    assert_eq!(String::from_utf8_lossy(record.text), TEXT, "{envelope}");
    record
}

/// The moment of a stamp without year in 2026, one hour east.
fn unix(record: &Record<'_>) -> i64 {
    record.stamp.expect("a stamp").unix_micros(2026, 3600)
}

/// 2026-11-22 07:11:01 UTC (`date -d … +%s`).
const NOON: i64 = 1_795_331_461_000_000;

#[test]
fn a_kmsg_record_brings_priority_sequence_and_uptime() {
    let record = read("4,354645,2451192320,-;");
    assert_eq!((record.priority, record.seq), (Some(4), Some(354_645)));
    assert_eq!((record.stamp, record.uptime), (Some(Stamp::Uptime { micros: 2_451_192_320 }), Some(2_451_192_320)));
    assert_eq!(read("30,1,0,c,caller=T1;").priority, Some(30));
    // The kernel's text holds no further envelope, whatever it looks like.
    let record = Record::read(b"4,1,2,-;desk kernel: [ 1.5] x");
    assert_eq!(record.text, b"desk kernel: [ 1.5] x");
    assert_eq!(Record::read(b"4,1,2,-;").text, b"");
}

#[test]
fn rfc_3164_comes_with_and_without_year_uptime_and_priority() {
    for envelope in [
        "Nov 22 08:11:01 desk kernel: ",
        "<4>Nov 22 08:11:01 desk kernel: ",
        "Nov 22 2026 08:11:01 desk kernel: ",
        "Nov 22 08:11:01 2026 desk kernel: ",
        "Sun Nov 22 08:11:01 2026 kern.warn kernel: ",
    ] {
        let record = read(envelope);
        assert_eq!((unix(&record), record.tag), (NOON, Some(&b"kernel"[..])), "{envelope}");
    }
    let record = read("Nov  2 08:11:01.250 desk kernel: [  449.059230] ");
    assert_eq!((unix(&record), record.uptime, record.host), (NOON - 20 * 86_400_000_000 + 250_000, Some(449_059_230), Some(&b"desk"[..])));
    assert_eq!(unix(&read("Nov 2 08:11:01 desk kernel: ")), NOON - 20 * 86_400_000_000);
    assert_eq!(read("<4>Nov 22 08:11:01 desk kernel: ").priority, Some(4));
    assert_eq!(read("Sun Nov 22 08:11:01 2026 kern.warn kernel: [ 1.0] ").priority, Some(4));
    assert_eq!(read("kern.info: Nov 22 08:11:01 desk kernel: ").priority, Some(6));
}

#[test]
fn rfc_3339_comes_with_every_kind_of_offset() {
    for envelope in [
        "2026-11-22T07:11:01Z desk kernel: ",
        "2026-11-22T07:11:01.000000+00:00 desk kernel: ",
        "2026-11-22T08:11:01+0100 desk kernel: ",
        "2026-11-22T02:11:01-05 desk kernel: ",
        "2026-11-22 08:11:01 desk kernel: ",
        "2026-11-22T08:11:01 [ 5.000001] ",
        "<6>2026-11-22T07:11:01Z desk kernel: ",
    ] {
        assert_eq!(unix(&read(envelope)), NOON, "{envelope}");
    }
    assert_eq!(unix(&read("2026-11-22T07:11:01,123456789Z desk kernel: ")), NOON + 123_456);
    assert_eq!(unix(&read("0 3 PVEFW-HOST-IN 22/Nov/2026:08:11:01 +0100 ")), NOON);
}

#[test]
fn rfc_5424_comes_with_and_without_structured_data() {
    let record = read("<4>1 2026-11-22T07:11:01.5+00:00 desk kernel - - - [ 2451.192320] ");
    assert_eq!((unix(&record), record.uptime, record.priority), (NOON + 500_000, Some(2_451_192_320), Some(4)));
    assert_eq!((record.host, record.tag), (Some(&b"desk"[..]), Some(&b"kernel"[..])));
    let record = read("<174>1 2003-08-24T05:14:15+00:00 - - - - - ");
    assert_eq!((record.host, record.tag, record.priority), (None, None, Some(174)));
    read("<13>1 - - - - - [a@1 b=\"c ] \\\" d\"][e] ");
    read("<13>1 - - - - - - \u{feff}");
}

#[test]
fn dmesg_comes_with_uptime_or_with_a_date() {
    let record = read("[    1.5] ");
    assert_eq!((record.stamp, record.uptime), (Some(Stamp::Uptime { micros: 1_500_000 }), Some(1_500_000)));
    assert_eq!(unix(&read("[Sun Nov 22 08:11:01 2026] ")), NOON);
    assert_eq!(read("<4>[33225.531584] ").priority, Some(4));
    let record = read("[ 2451.192320] desk kernel: ");
    assert_eq!((record.host, record.tag), (Some(&b"desk"[..]), Some(&b"kernel"[..])));
}

#[test]
fn a_prefix_is_not_taken_for_an_envelope() {
    for line in [
        "Shorewall:net2fw:DROP:IN=eth0 OUT=",
        "DENY: IN=eth0 OUT=",
        "[UFW BLOCK] IN=eth0 OUT=",
        "[ [UFW BLOCK] IN=eth0 OUT=",
        "RULE 4 -- ACCEPT IN= OUT=",
        "INBOUND TCP: IN=br0 OUT=br0",
        "UDM-Pro [LAN_LOCAL-RET-2147483647] DESCR=\"x\" IN=a OUT=",
        "policy DROP: IN=vmbr0",
        "<300>x",
        "<4 IN=",
        "1,2,3 IN=",
    ] {
        let record = Record::read(line.as_bytes());
        assert_eq!((record.text, record.stamp, record.host), (line.as_bytes(), None, None), "{line}");
        let stamped: &str = &format!("Nov 22 08:11:01 desk kernel: {line}");
        assert_eq!(Record::read(stamped.as_bytes()).text, line.as_bytes(), "{line}");
    }
    assert_eq!(Record::read(b"Nov 22 08:11:01 DENY: IN=eth0").text, b"DENY: IN=eth0");
    assert_eq!(Record::read(b"Nov 22 08:11:01 fw Shorewall:loc2fw:ACCEPT: IN=eth2").text, b"Shorewall:loc2fw:ACCEPT: IN=eth2");
    assert_eq!(Record::read(b"Nov 22 08:11:01 fw fw-new  IN=eth0").text, b"fw-new  IN=eth0");
    assert_eq!(Record::read(b"Nov 22 08:11:01 kernel: [a-1-C]IN=eth1").text, b"[a-1-C]IN=eth1");
}

#[test]
fn the_program_of_a_line_is_known() {
    let record = read("Nov 22 08:11:01 desk ulogd[4242]: ");
    assert_eq!((record.tag, record.host), (Some(&b"ulogd"[..]), Some(&b"desk"[..])));
    let record = read("Nov 22 08:11:01 desk,a2ed,udm-1.10 kernel: [1670546.400229] ");
    assert_eq!(record.host, Some(&b"desk,a2ed,udm-1.10"[..]));
    assert_eq!(Record::read(b"x\r").text, b"x");
}

#[test]
fn impossible_stamps_are_text() {
    for stamp in [
        "Nov 31 08:11:01",
        "Nov 22 24:11:01",
        "Nov 22 08:61:01",
        "Nov 0 08:11:01",
        "Nox 22 08:11:01",
        "2026-13-22T07:11:01Z",
        "2025-02-29T07:11:01Z",
        "2026-11-22T07:11Z",
        "2026-11-22T07:11:01x",
        "0000-11-22T07:11:01Z",
        "[1234]",
        "[ 1.]",
        "[99999999999999.5]",
    ] {
        let line = format!("{stamp} desk kernel: x");
        assert_eq!(Record::read(line.as_bytes()).stamp, None, "{stamp}");
    }
    assert!(Record::read(b"2028-02-29T07:11:01Z x").stamp.is_some());
    assert!(Record::read(b"Feb 29 07:11:01 desk x").stamp.is_some());
}

#[test]
fn a_leap_second_is_the_second_before_it_once_more() {
    let (leap, _) = Stamp::read_wall(b"2016-12-31T23:59:60Z").unwrap();
    let (before, _) = Stamp::read_wall(b"2016-12-31T23:59:59Z").unwrap();
    assert_eq!(leap.unix_micros(0, 0), before.unix_micros(0, 0));
}

#[test]
fn a_line_behind_another_is_read_as_it_is_alone() {
    let envelopes = [
        "Nov 22 07:11:01 desk kernel: [ 2451.192320] ",
        "Nov 22 07:11:01 desk kernel: [ 2451.192321] ",
        "Nov 22 07:11:01 desk kernel: ",
        "Nov 22 07:11:02 desk kernel: [ 2451.192320] ",
        "Nov 22 07:11:01 fw kernel: [ 2451.192320] ",
        "Nov 22 07:11:01 desk kernel[7]: [ 2451.192320] ",
        "Nov 22 07:11:01 desk ulogd[77]: ",
        "Nov 22 07:11:01 [ 2451.192320] kernel: ",
        "Nov 22 07:11:01 kern.warn kernel: [ 2451.192320] ",
        "2026-11-22T07:11:01+00:00 desk kernel: [ 2451.192320] ",
        "2026-11-22T07:11:01.5+00:00 desk kernel: [ 2451.192320] ",
        "[Sun Nov 22 07:11:01 2026] desk kernel: ",
        "<4>Nov 22 07:11:01 desk kernel: [ 2451.192320] ",
        "4,1,2451192320,-;",
    ];
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for envelope in envelopes {
        let line = format!("{envelope}{TEXT}").into_bytes();
        lines.push([&line[..], b"\r"].concat());
        for at in 0..line.len() {
            lines.push(line[..at].to_vec());
            for byte in *b" :[k\xff" {
                let mut other = line.clone();
                other[at] = byte;
                lines.push(other);
            }
        }
        lines.push(line);
    }
    for before in envelopes.map(|envelope| format!("{envelope}{TEXT}").into_bytes()) {
        for line in &lines {
            let mut reader = RecordReader::default();
            reader.read(&before);
            for _ in 0..2 {
                assert_eq!(reader.read(line), Record::read(line), "{}", String::from_utf8_lossy(line));
            }
            assert_eq!(reader.read(&before), Record::read(&before), "{}", String::from_utf8_lossy(line));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_whose_text_ends_the_line(start in prop::sample::select(vec!["", "<4>", "<4>1 ", "[", "[ 1.", "4,1,", "Nov 22 ", "2026-11-22T", "1 2 X 22/"]), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut line = start.as_bytes().to_vec();
        line.extend(bytes);
        let record = Record::read(&line);
        prop_assert!(line.strip_suffix(b"\r").unwrap_or(&line).ends_with(record.text));
    }

    #[test]
    fn a_written_stamp_is_read_as_the_moment_it_was_written_for(secs in 0_i64..4_000_000_000, micros in 0_u32..1_000_000, offset_minutes in -840_i32..840) {
        let local = secs + i64::from(offset_minutes) * 60;
        let (days, rest) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        // Counts the days up, so that it shares nothing with the arithmetic it checks.
        let (mut year, mut month, mut left) = (1970_i64, 1, days);
        if left < 0 { year = 1969; month = 12; left += 31; }
        loop {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month { 2 if is_leap => 29, 2 => 28, 4 | 6 | 9 | 11 => 30, _ => 31 };
            if left < length { break; }
            left -= length;
            if month == 12 { month = 1; year += 1; } else { month += 1; }
        }
        let sign = if offset_minutes < 0 { '-' } else { '+' };
        let text = format!("{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}.{micros:06}{sign}{:02}:{:02}", left + 1, rest / 3600, rest / 60 % 60, rest % 60, offset_minutes.abs() / 60, offset_minutes.abs() % 60);
        let (stamp, length) = Stamp::read_wall(text.as_bytes()).expect(&text);
        prop_assert_eq!(length, text.len());
        prop_assert_eq!(stamp.unix_micros(1, 1), secs * 1_000_000 + i64::from(micros));
    }
}
