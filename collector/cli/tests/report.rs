//! `firebell report` as people call it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test that cannot go on fails")]

use serde_json::Value;
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn corpus(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/dev").join(file)
}

fn report(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_firebell")).arg("report").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A day with a scan, a sweep of a hundred sources, and a file name that would like to be markup.
fn hostile_log(folder: &Path) -> PathBuf {
    let mut log = String::new();
    let mut line = |minute: usize, source: &str, port: usize| {
        log += &format!(
            "Nov 22 {:02}:{:02}:{:02} host kernel: <b>x IN=eth0 OUT= SRC={source} DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=52 ID=1 PROTO=TCP SPT=4000 DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0\n",
            minute / 60,
            minute % 60,
            port % 60,
        );
    };
    for n in 0..100 {
        line(n, &format!("198.51.100.{n}"), 22);
    }
    for port in 1..=40 {
        line(500, "203.0.113.9", 1_000 + port);
    }
    let path = folder.join("<script>alert(1)<_script>&\".log");
    fs::write(&path, log).unwrap();
    path
}

#[test]
fn the_page_says_what_the_document_says_and_nothing_in_it_is_markup_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let log = hostile_log(dir.path());
    let log = log.to_str().unwrap();
    let json: Value = serde_json::from_slice(&report(&["--year", "2026", "-o", "json", log]).stdout).unwrap();
    assert_eq!(json["analysis"]["input"]["packets"], 140);
    let week: u64 = json["packets_by_weekday_and_hour"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|day| day.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    let steps: u64 = json["packets_over_time"].as_array().unwrap().iter().map(|step| step["packets"].as_u64().unwrap()).sum();
    assert_eq!((week, steps, json["pairs"].as_array().unwrap().len()), (140, 140, 140));
    // 2026-11-22 is a Sunday.
    assert_eq!(json["packets_by_weekday_and_hour"][6][8], 40);

    let page = String::from_utf8(report(&["--year", "2026", "--title", "<i>Mine</i>", log]).stdout).unwrap();
    assert_eq!(page.as_bytes(), report(&["--year", "2026", "--title", "<i>Mine</i>", log]).stdout);
    let ours = [
        "!DOCTYPE", "html", "meta", "title", "style", "script", "h1", "h2", "p", "dl", "div", "dt", "dd", "svg", "text", "rect", "line",
        "circle", "table", "thead", "tbody", "tr", "th", "td", "footer", "code",
    ];
    let (before, rest) = page.split_once("<script>").unwrap();
    let (_, after) = rest.split_once("</script>").unwrap();
    for tag in [before, after].iter().flat_map(|part| part.split('<').skip(1)) {
        let name = tag.trim_start_matches('/').split([' ', '>', '\n', '/']).next().unwrap_or_default();
        assert!(ours.contains(&name), "{name} in {tag}");
    }
    assert!(page.contains("&lt;i&gt;Mine&lt;/i&gt;") && page.contains("&lt;script&gt;alert(1)"));
    assert!(page.contains(json["analysis"]["alerts"][0]["summary"].as_str().unwrap()));
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains(" style="));

    let markdown = String::from_utf8(report(&["--year", "2026", "-o", "markdown", log]).stdout).unwrap();
    assert!(markdown.contains("| 203.0.113.9 | 40 |") && markdown.contains("| 22 (SSH) | tcp | 100 |"), "{markdown}");
    let into = dir.path().join("page.html");
    report(&["--year", "2026", "--title", "<i>Mine</i>", "--into", into.to_str().unwrap(), log]);
    assert_eq!(fs::read_to_string(into).unwrap(), page);
}

/// The points of a PNG with a palette, a byte each, and its width.
fn points(png: &[u8]) -> (Vec<u8>, usize) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xaeB`\x82"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    let (width, height) = (number(16), number(20));
    let at = png.windows(4).position(|name| name == b"IDAT").unwrap();
    let mut rows = Vec::new();
    let packed = &png[at + 4..at + 4 + number(at - 4)];
    flate2::read::ZlibDecoder::new(packed).read_to_end(&mut rows).unwrap();
    assert_eq!(rows.len(), (width + 1) * height);
    (rows.chunks(width + 1).flat_map(|row| &row[1..]).copied().collect(), width)
}

#[test]
fn charts_are_drawn_as_png_and_countries_are_told_where_a_file_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let log = hostile_log(dir.path());
    let (log, charts) = (log.to_str().unwrap(), dir.path().join("charts"));
    let places = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/test.mmdb");
    let places = places.to_str().unwrap();
    let title = format!("{}\u{e9}<b>", "A long title ".repeat(20));
    let options = ["--year", "2026", "--geoip", places, "--png", charts.to_str().unwrap(), "--title", &title];
    let page = String::from_utf8(report(&[&options[..], &[log]].concat()).stdout).unwrap();
    assert!(page.contains("<td>&lt;b&gt;Nowhere\\x1b<td>AS64500 Example Net") && page.contains("<td>unknown<td"), "{page}");
    let json: Value = serde_json::from_slice(&report(&[&options[..], &["-o", "json", log]].concat()).stdout).unwrap();
    assert_eq!(json["places"]["203.0.113.9"]["network"], "AS64500 Example Net");
    for (name, colour) in [("packets.png", 9), ("ports.png", 3)] {
        let (points, width) = points(&fs::read(charts.join(name)).unwrap());
        // In the chart, and not in its legend.
        let is_drawn = points.chunks(width).skip(80).take(530).any(|row| row[115..1_160].contains(&colour));
        assert!(is_drawn, "{name} has nothing of colour {colour}");
    }
    let refused = Command::new(env!("CARGO_BIN_EXE_firebell")).args(["report", "--geoip", log, log]).output().unwrap();
    assert!(
        refused.status.code() == Some(1) && String::from_utf8_lossy(&refused.stderr).contains("no file of MaxMind's form"),
        "{refused:?}"
    );
}

#[test]
fn a_log_without_a_calendar_or_without_records_has_a_page_too() {
    let page = String::from_utf8(report(&[corpus("syn.kmsg.log").to_str().unwrap()]).stdout).unwrap();
    assert!(page.contains("Packets and incidents over time") && !page.contains("Hours of the week") && page.contains("after boot"));
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::write(&empty, "nothing\n").unwrap();
    assert!(String::from_utf8(report(&[empty.to_str().unwrap()]).stdout).unwrap().contains("no firewall record"));
}

/// With a browser that may run what the policy of the page allows: it sorts, it filters, and it complains of nothing.
#[test]
fn a_browser_shows_it_and_complains_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = hostile_log(dir.path());
    let page = String::from_utf8(report(&["--year", "2026", log.to_str().unwrap()]).stdout).unwrap();
    let browse = |name: &str, page: &str| {
        let path = dir.path().join(name);
        fs::write(&path, page).unwrap();
        let mut browser = Command::new("chromium");
        browser.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]);
        browser.arg(format!("--user-data-dir={}", dir.path().join("profile").display()));
        browser.arg(format!("file://{}", path.display())).output()
    };
    let Ok(output) = browse("page.html", &page) else {
        eprintln!("left out: chromium is not installed");
        return;
    };
    let (shown, said) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(!said.contains("CONSOLE"), "{said}");
    let tables = page.matches("<table class=\"data\">").count();
    assert!(tables == 3 && shown.matches("<input type=\"search\"").count() == tables, "{shown}");

    // A script of ours, which the policy would refuse, clicks and types.
    let policy = page.find("<meta http-equiv").unwrap();
    let end = page[policy..].find('\n').unwrap();
    let click = "<script>const t=document.querySelectorAll('table.data')[1];t.querySelectorAll('button')[2].click();\
                 const first=t.tBodies[0].rows[0].cells[1].textContent;const field=document.querySelectorAll('input')[1];field.value='198.51.100.7';\
                 field.dispatchEvent(new Event('input'));const left=[...t.tBodies[0].rows].filter(row=>!row.hidden).length;\
                 document.body.dataset.result=first.trim()+' '+left</script>";
    let tried = page.replace(&page[policy..policy + end], "").replace("</html>", &format!("{click}</html>"));
    let output = browse("tried.html", &tried).unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    // The busiest source comes first; 198.51.100.7 and .70 to .79 are left.
    assert!(shown.contains("data-result=\"203.0.113.9 11\""), "{}", shown.chars().rev().take(400).collect::<String>());
    let refused = browse("refused.html", &page.replace("</html>", &format!("{click}</html>"))).unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("Content Security Policy")
            && !String::from_utf8_lossy(&refused.stdout).contains("data-result")
    );
}
