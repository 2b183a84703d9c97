//! `firebell analyze` as people call it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn corpus(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/dev").join(file)
}

fn firebell() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firebell"));
    // No time zone of the machine, no configuration of the machine.
    command.arg("analyze").env_remove("TZ").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn analyze(arguments: &[&str]) -> Output {
    firebell().args(arguments).output().unwrap()
}

/// The standard output of a call that must succeed, given `input` on its standard input.
fn fed(arguments: &[&str], input: &[u8]) -> String {
    let mut child = firebell().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn document(arguments: &[&str]) -> Value {
    let output = analyze(&[&["-o", "json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const LINE: &str = "DROP IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=52 ID=1 PROTO=TCP SPT=1 DPT=22 WINDOW=1 RES=0x00 SYN URGP=0 ";

#[test]
fn rare_shapes_mean_what_they_always_meant() {
    let output = analyze(&["--packets", corpus("edge.kmsg.log").to_str().unwrap()]);
    let found = String::from_utf8(output.stdout).unwrap();
    let expected = corpus("edge.packets.jsonl");
    if env::var_os("FIREBELL_BLESS").is_some() {
        fs::write(&expected, &found).unwrap();
    }
    assert_eq!(found.lines().count(), 55);
    let expected = fs::read_to_string(&expected).unwrap();
    for (n, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}; FIREBELL_BLESS=1 accepts it", n + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn a_packet_is_an_object_of_the_fields_its_line_has() {
    let line = LINE.replace("PROTO=TCP SPT=1", "MF OPT (94040000) PROTO=TCP SPT=1").replace("DROP ", "a\"\u{202e}\\ ");
    let out = fed(&["--packets", "-"], format!("2026-11-22T08:11:01.5+01:00 desk kernel: {line}\n").as_bytes());
    let expected = serde_json::json!({
        "in": "eth0", "out": "", "mac": "", "src": "203.0.113.9", "dst": "192.0.2.1", "len": 40, "tos": "0x00", "prec": "0x00", "ttl": 52, "id": 1,
        "mf": true, "ip_opt": ["94040000"], "proto": "TCP", "spt": 1, "dpt": 22, "window": 1, "res": "0x00", "flags": ["SYN"], "urgp": 0,
        "prefix": "a\"\\u{202e}\\", "time": "2026-11-22T07:11:01.500000Z", "host": "desk", "origin": "unverified",
    });
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
}

#[test]
fn an_arp_line_has_its_own_names() {
    let out = fed(&["--packets", "-"], b"IN=eth1 OUT= ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 MACSRC=02:00:00:00:00:02 IPSRC=192.0.2.2 MACDST=00:00:00:00:00:00 IPDST=192.0.2.1\n");
    let expected = serde_json::json!({
        "in": "eth1", "out": "", "macsrc": "02:00:00:00:00:02", "macdst": "00:00:00:00:00:00", "ipsrc": "192.0.2.2", "ipdst": "192.0.2.1", "proto": "ARP", "opcode": 1,
        "prefix": "", "origin": "unverified",
    });
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
}

#[test]
fn a_scan_is_one_alert_in_every_form_of_its_log() {
    for file in ["syn.syslog.log.gz", "syn.iso.log.gz", "syn.rfc5424.log.gz", "syn.kmsg.log"] {
        let found = document(&["--year", "2026", corpus(file).to_str().unwrap()]);
        assert_eq!(found["input"]["packets"], 1996, "{file}");
        let sum: u64 = found["classes"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(sum, 1996);
        assert_eq!(found["classes"].as_object().unwrap().len(), 12);
        let alerts = found["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 1, "{file}: {alerts:?}");
        assert_eq!(
            (alerts[0]["kind"].as_str(), alerts[0]["source"].as_str(), alerts[0]["delivery"].as_str()),
            (Some("syn-scan"), Some("198.51.100.66"), Some("popup"))
        );
        assert!(alerts[0]["updates"].as_u64().unwrap() <= 3);
        let source = &found["sources"][0];
        assert_eq!(
            (source["source"].as_str(), source["severity"].as_u64(), source["targets"].as_u64()),
            (Some("198.51.100.66"), Some(4), Some(1))
        );
        assert!(source["ports"]["tcp"].as_str().unwrap().starts_with("1,3-4,6-7,9"), "{}", source["ports"]);
        assert_eq!(source["protocols"], serde_json::json!([6]));
    }
}

#[test]
fn equal_options_and_files_give_equal_bytes() {
    let file = corpus("decoys.syslog.log.gz");
    let once = |zone: &str| firebell().args(["-o", "json", file.to_str().unwrap()]).env("TZ", zone).output().unwrap().stdout;
    assert!(!once("UTC").is_empty());
    assert_eq!(once("UTC"), once("Asia/Tokyo"), "the machine's time zone is none of the options");
}

/// A log of several buffers, whose stamps jump to and fro, so that the lines behind them are asked.
#[test]
fn any_number_of_threads_gives_equal_bytes() {
    let mut log = Vec::new();
    for name in ["syn", "udp", "connect", "v6-syn", "decoys"].iter().cycle().take(40) {
        let mut file = flate2::read::MultiGzDecoder::new(fs::File::open(corpus(&format!("{name}.syslog.log.gz"))).unwrap());
        file.read_to_end(&mut log).unwrap();
        log.extend(b"IN=cut OUT= SRC=192.0.2.1 DST=\nsshd[7]: nothing of ours\n\n");
    }
    assert!(log.len() > 6_000_000, "{}", log.len());
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &log).unwrap();
    let path = file.path().to_str().unwrap();
    for form in [&["-o", "json"][..], &["--packets"]] {
        let of = |jobs| {
            let output = analyze(&[form, &["--year", "2026", "--jobs", jobs, path]].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let alone = of("1");
        assert!(alone.len() > 2_000, "{}", String::from_utf8_lossy(&alone));
        for jobs in ["2", "4"] {
            assert!(of(jobs) == alone, "{form:?} --jobs {jobs}");
        }
    }
}

#[test]
fn harmless_traffic_gives_no_popup() {
    let mut files = 0;
    for entry in fs::read_dir(corpus("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("quiet-") {
            files += 1;
            let found = document(&["--year", "2026", path.to_str().unwrap()]);
            assert!(found["alerts"].as_array().unwrap().iter().all(|alert| alert["delivery"] != "popup"), "{name}: {}", found["alerts"]);
        }
    }
    assert!(files >= 40, "{files}");
}

#[test]
fn a_year_and_a_time_zone_stand_in_for_what_a_stamp_does_not_say() {
    let line = format!("Nov 22 08:11:01 desk kernel: {LINE}\n");
    for (options, time) in [
        (["--year=2024", "--timezone=UTC"], "2024-11-22T08:11:01.000000Z"),
        (["--year=2024", "--timezone=Europe/Berlin"], "2024-11-22T07:11:01.000000Z"),
        (["--year=2026", "--timezone=-03:30"], "2026-11-22T11:41:01.000000Z"),
    ] {
        let out: Value = serde_json::from_str(&fed(&[options[0], options[1], "--packets", "-"], line.as_bytes())).unwrap();
        assert_eq!(out["time"], time);
    }
}

#[test]
fn without_a_year_the_file_says_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kern.log");
    // Written on 3 January 2024 at noon UTC.
    for (stamp, year) in [("Dec 31 23:59:59", 2023), ("Jan  3 11:59:59", 2024), ("Jan  3 18:00:00", 2024), ("Jan  9 00:00:00", 2023)] {
        fs::write(&path, format!("{stamp} desk kernel: {LINE}\n")).unwrap();
        let written = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_704_283_200);
        fs::File::open(&path).unwrap().set_modified(written).unwrap();
        let found = document(&[path.to_str().unwrap()]);
        assert!(found["input"]["first"].as_str().unwrap().starts_with(&year.to_string()), "{stamp}: {}", found["input"]["first"]);
    }
}

#[test]
fn several_files_are_one_log_in_the_order_of_their_times() {
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, hour) in [("kern.log", 9), ("kern.log.1", 8)] {
        let path = directory.path().join(name);
        fs::write(&path, format!("2026-11-22T{hour:02}:00:00Z desk kernel: {LINE}\n")).unwrap();
        paths.push(path.to_str().unwrap().to_owned());
    }
    let found = document(&[&paths[0], &paths[1]]);
    assert_eq!(
        (found["input"]["first"].as_str(), found["input"]["last"].as_str()),
        (Some("2026-11-22T08:00:00.000000Z"), Some("2026-11-22T09:00:00.000000Z"))
    );
    assert_eq!(found["input"]["files"], serde_json::json!(paths));
    assert_eq!(found["input"]["packets"], 2);
}

#[test]
fn every_line_is_counted_once_as_one_thing() {
    let log = format!("{LINE}\nhello\n{}\n\n{}", LINE.replace("203.0.113.9", "203.0.113.999"), LINE.trim_end());
    let found: Value = serde_json::from_str(&fed(&["-o", "json", "-"], log.as_bytes())).unwrap();
    assert_eq!(
        found["input"],
        serde_json::json!({"files": ["-"], "lines": 5, "packets": 2, "not_netfilter": 2, "malformed": 1, "first": null, "last": null})
    );
    let nothing: Value = serde_json::from_str(&fed(&["-o", "json", "-"], b"")).unwrap();
    assert_eq!(nothing["input"]["lines"], 0);
}

#[test]
fn a_configuration_changes_what_is_found_and_a_wrong_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("firebell.toml");
    let log = corpus("syn.kmsg.log");
    let with = |text: &str| {
        fs::write(&path, text).unwrap();
        analyze(&["-o", "json", "--config", path.to_str().unwrap(), log.to_str().unwrap()])
    };
    let other_prefix: Value = serde_json::from_slice(&with("[intake]\nprefixes = [\"REJECT\"]\n").stdout).unwrap();
    assert_eq!((&other_prefix["input"]["packets"], &other_prefix["input"]["not_netfilter"]), (&Value::from(0), &Value::from(1996)));
    let blunt: Value = serde_json::from_slice(&with("[detect.fast-scan]\nthreshold = 1000.0\n").stdout).unwrap();
    let at_open = |found: &Value| found["alerts"][0]["contacts_at_open"].as_u64();
    assert_eq!(at_open(&document(&[log.to_str().unwrap()])), Some(7));
    assert_ne!(at_open(&blunt), Some(7), "the threshold was ignored");
    let wrong = with("[engine]\nscan-treshold = 1\n");
    assert_eq!(wrong.status.code(), Some(78));
    let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(message.contains("firebell.toml:2:1: unknown field `scan-treshold`"), "{message}");
}

#[test]
fn text_says_what_was_found_and_what_an_empty_log_means() {
    let output = analyze(&["--year=2026", corpus("syn.syslog.log.gz").to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "1,996 firewall records in 1,996 lines\n",
        "from 2026-11-22 07:36:18 to 2026-11-22 07:36:22 UTC (4 s)",
        "\n1 alert\n",
        "198.51.100.66    1,996",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a file");
    assert!(fed(&["-"], b"hello\n").contains("the firewall logs nothing"));
}

#[test]
fn json_lines_are_one_alert_each() {
    let output = analyze(&["-o", "jsonl", corpus("syn.kmsg.log").to_str().unwrap(), corpus("null.kmsg.log").to_str().unwrap()]);
    let lines: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty() && lines.iter().all(|alert| alert["kind"].is_string() && alert["id"].is_u64()), "{lines:?}");
}

#[test]
fn only_what_is_asked_for_is_judged_and_the_rest_is_counted() {
    let log = corpus("syn.kmsg.log");
    let log = log.to_str().unwrap();
    let all = document(&[log]);
    assert!(all["input"].get("left_out").is_none());
    let (packets, source) = (all["input"]["packets"].as_u64().unwrap(), all["sources"][0]["source"].as_str().unwrap().to_owned());
    let other = document(&["--source", "192.0.2.250", log]);
    assert_eq!((other["input"]["packets"].as_u64(), other["input"]["left_out"].as_u64()), (Some(0), Some(packets)));
    let same = document(&["--source", &format!("{source},").replace(',', "/32"), log]);
    assert_eq!(same["alerts"][0]["kind"], all["alerts"][0]["kind"]);
    let low = document(&["--where", "dpt=1-100", "--where", "proto=tcp", log]);
    let (kept, left_out) = (low["input"]["packets"].as_u64().unwrap(), low["input"]["left_out"].as_u64().unwrap());
    assert!(kept > 0 && kept < packets && kept + left_out == packets, "{kept} and {left_out} of {packets}");

    // A log that counts from boot has no calendar.
    assert_eq!(document(&["--since", "2001-01-01", log])["input"]["packets"], 0);

    let dated: String = (0..60).map(|minute| format!("Nov 22 07:{minute:02}:00 host kernel: {LINE}\n")).collect();
    let within =
        fed(&["--year", "2026", "--since", "2026-11-22 07:10", "--until", "2026-11-22T07:15:00Z", "-o", "json", "-"], dated.as_bytes());
    let within: Value = serde_json::from_str(&within).unwrap();
    let input = &within["input"];
    assert_eq!((input["packets"].as_u64(), input["left_out"].as_u64(), input["lines"].as_u64()), (Some(5), Some(55), Some(60)));
    assert_eq!((&input["first"], &input["last"]), (&"2026-11-22T07:10:00.000000Z".into(), &"2026-11-22T07:14:00.000000Z".into()));
    for wrong in [["--since", "soon"], ["--source", "host"], ["--where", "port=1"]] {
        assert_eq!(analyze(&[&wrong[..], &[log]].concat()).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn csv_has_a_row_for_each_packet_and_for_each_alert() {
    let log = corpus("syn.kmsg.log");
    let log = log.to_str().unwrap();
    let all = document(&[log]);
    let rows = |arguments: &[&str]| {
        let output = analyze(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut reader = csv::Reader::from_reader(&output.stdout[..]);
        let names = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
        (names, rows)
    };
    let (names, packets) = rows(&["--packets", "-o", "csv", log]);
    assert_eq!(packets.len() as u64, all["input"]["packets"].as_u64().unwrap());
    let source = names.iter().position(|name| name == "src").unwrap();
    assert!(packets.iter().any(|row| row[source] == *all["sources"][0]["source"].as_str().unwrap()));
    let (names, alerts) = rows(&["-o", "csv", log]);
    assert_eq!(alerts.len(), all["alerts"].as_array().unwrap().len());
    let kind = names.iter().position(|name| name == "kind").unwrap();
    assert_eq!(&alerts[0][kind], all["alerts"][0]["kind"].as_str().unwrap());
    assert_eq!(analyze(&["--packets", "-o", "json", log]).status.code(), Some(2));
}

#[test]
fn what_other_tools_read_has_the_alerts_of_the_document() {
    let log = corpus("syn.kmsg.log");
    let log = log.to_str().unwrap();
    let alerts = document(&[log])["alerts"].as_array().unwrap().clone();
    let lines = |form: &str| {
        let output = analyze(&["-o", form, log]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let json = |form: &str| lines(form).iter().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let (eve, ecs) = (json("eve"), json("ecs"));
    assert_eq!((eve.len(), ecs.len()), (alerts.len(), alerts.len()));
    for ((eve, ecs), alert) in eve.iter().zip(&ecs).zip(&alerts) {
        assert_eq!((&eve["src_ip"], &ecs["source"]["ip"]), (&alert["source"], &alert["source"]));
        assert_eq!((&eve["flow_id"], &ecs["event"]["action"]), (&alert["id"], &alert["kind"]));
    }
    let scan = format!("psad: scan detected: {} -> ", alerts[0]["source"].as_str().unwrap());
    assert!(lines("psad").iter().any(|line| line.starts_with(&scan)), "{scan}");
    assert_eq!(analyze(&["--packets", "-o", "eve", log]).status.code(), Some(2));
}

#[test]
fn packed_logs_say_what_the_plain_one_says() {
    let dir = tempfile::tempdir().unwrap();
    let plain = fs::read(corpus("syn.kmsg.log")).unwrap();
    let whole = fed(&["-o", "csv", "-"], &plain);
    for program in ["gzip", "zstd", "xz"] {
        let path = dir.path().join("log");
        fs::write(&path, &plain).unwrap();
        // Whatever the name: it is the content that tells.
        let Ok(output) = Command::new(program).arg("-c").arg(&path).output() else {
            eprintln!("left out: {program} is not installed");
            continue;
        };
        assert!(output.status.success() && output.stdout.len() < plain.len() / 2, "{program}");
        assert_eq!(fed(&["-o", "csv", "-"], &output.stdout), whole, "{program}");
    }
}

#[test]
fn mistakes_have_their_exit_status() {
    for (arguments, status) in [
        (&["/nonexistent/kern.log"][..], 1),
        (&["/"][..], 1),
        (&[][..], 2),
        (&["--packets", "-o", "json", "x"][..], 2),
        (&["-o", "xml", "x"][..], 2),
        (&["--timezone", "Mars/Olympus", "x"][..], 2),
        (&["--year", "12", "x"][..], 2),
        (&["--config", "/nonexistent.toml", "x"][..], 78),
    ] {
        let output = analyze(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_reader_who_has_had_enough_is_no_failure() {
    let files = vec![corpus("syn.kmsg.log"); 8];
    let mut child = firebell().arg("--packets").args(files).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Every line shape that was seen in the wild, kept outside of the tree: `formats.log` and `formats.expected.jsonl` in the
/// folder that `FIREBELL_FORMATS` names.
#[test]
#[ignore = "needs FIREBELL_FORMATS, a folder of lines under mixed licences"]
fn every_shape_seen_in_the_wild_is_read() {
    let folder = PathBuf::from(env::var_os("FIREBELL_FORMATS").expect("FIREBELL_FORMATS"));
    let lines = fs::read(folder.join("formats.log")).unwrap();
    let expected = fs::read_to_string(folder.join("formats.expected.jsonl")).unwrap();
    let mut wrong = Vec::new();
    let lines: Vec<_> = lines.split(|byte| *byte == b'\n').collect();
    for expected in expected.lines() {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let number = usize::try_from(expected["line"].as_u64().unwrap()).unwrap();
        let line = lines[number - 1];
        let packets = fed(&["--packets", "-"], line);
        let counts: Value = serde_json::from_str(&fed(&["-o", "json", "-"], line)).unwrap();
        let found = packets.lines().next().map(|packet| serde_json::from_str::<Value>(packet).unwrap());
        let kind = match &found {
            Some(packet) if packet["proto"] == "ARP" => "arp",
            Some(_) => "packet",
            None if counts["input"]["malformed"] == 1 => "malformed",
            None => "not-a-packet",
        };
        let is_accepted = expected["accept"].as_array().is_some_and(|kinds| kinds.iter().any(|accepted| accepted == kind));
        let is_right = expected["kind"] == kind && found.as_ref().is_none_or(|found| is_same(&expected, found));
        if !is_right && !is_accepted {
            wrong.push(format!(
                "line {number} ({}): {kind}\n  {}\n  expected {expected}\n  found    {found:?}",
                expected["id"],
                String::from_utf8_lossy(line)
            ));
        }
    }
    assert_eq!(lines.len(), 135, "134 lines and the end");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares by value: numbers may be written as text, addresses in another way, absent may be null. `line`, `kind`, `accept` and a
/// textual `id` are about the test; `urgn` is a typing error that its line makes.
fn is_same(expected: &Value, found: &Value) -> bool {
    let (expected, found) = (expected.as_object().unwrap(), found.as_object().unwrap());
    let is_about_the_test = |key: &str, value: &Value| {
        ["line", "kind", "accept", "urgn", "why"].contains(&key)
            || (key == "id" && value.as_str().is_some_and(|id| id.parse::<u32>().is_err()))
    };
    let text = |value: &Value| match value {
        Value::String(text) => text.parse::<IpAddr>().map_or_else(|_| text.clone(), |address| address.to_string()),
        other => other.to_string(),
    };
    let is_known = |key: &String| {
        ["prefix", "time", "host", "origin", "proto", "mac", "macsrc", "macdst", "macproto", "vproto", "vid", "out"].contains(&key.as_str())
    };
    let is_arp = expected.get("kind").is_some_and(|kind| kind == "arp");
    let all_there =
        expected.iter().filter(|(key, value)| !is_about_the_test(key, value) && !value.is_null()).all(|(key, value)| {
            match found.get(key) {
                Some(other) if value.is_object() => is_same(value, other),
                Some(other) => text(value) == text(other) || serde_json::to_string(value).unwrap() == serde_json::to_string(other).unwrap(),
                None => false,
            }
        });
    // Nothing is read that is not there. An `id` that only names the test may have stood for a real one.
    let nothing_more = found
        .keys()
        .all(|key| expected.contains_key(key) || ["prefix", "time", "host", "origin"].contains(&key.as_str()) || (is_arp && is_known(key)));
    all_there && nothing_more
}
