//! The document.

use super::{
    rows::{self, Pace, Scan, Side},
    transform,
    verdict::{self, Incident, Verdict, time},
};
use crate::corpus::Label;
use anyhow::{Context as _, Result};
use firebell_engine::{
    engine::Config,
    finding::{Delivery, Finding, Kind},
};
use firebell_shared::text::thousands;
use firebell_traffic::{
    DAY, START, desktop,
    diary::{History, popups},
    exposed,
};
use std::{collections::BTreeMap, fmt::Write as _, thread};

/// Everything that was judged.
struct Judged {
    scans: Vec<Judgement>,
    captures: Vec<(Label, Verdict)>,
    sweeps: Vec<(Label, Verdict, Verdict)>,
    week: Quiet,
    month: Quiet,
    all_ports: Verdict,
    exposed: Verdict,
    exposed_limited: Verdict,
}

/// One scan of nmap, by each log rule.
struct Judgement {
    scan: Scan,
    full: Verdict,
    plain: Verdict,
    limited: Verdict,
}

/// A history in which nothing happens.
struct Quiet {
    days: u64,
    packets: u64,
    popups: usize,
    most_a_day: usize,
    digests: usize,
}

/// The whole document; the same at any time, on any machine.
///
/// # Errors
/// When a recording cannot be read.
pub fn write() -> Result<String> {
    let judged = judge()?;
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = out.write_str(HEAD);
    let _ = targets(&mut out, &judged);
    let _ = glance(&mut out, &judged);
    let _ = misses(&mut out, &judged);
    let _ = nmap(&mut out, &judged);
    let _ = captures(&mut out, &judged);
    let _ = harmless(&mut out, &judged);
    Ok(out)
}

const HEAD: &str = "\
# What firebell finds, and what it misses

`tests/rigs/coverage` writes this document: it judges recorded scans and made-up traffic with the default parameters and the shipped rules, and a test of
`make check` fails when it would write something else. Each log behind it can be had: `tests/rigs/coverage --log NAME`, for
instance `tests/rigs/coverage --log sS.t0.lan | firebell analyze -`, or `--log desktop-week`.

*told* is what a desktop does: a **popup**, a line in the **digest**, or nothing (it is in the history). *packets*, *contacts* and
*after* are those of the moment at which it was told so: logged packets and distinct (address, protocol, port) of the incident,
and the time since the first packet.

";

fn judge() -> Result<Judged> {
    thread::scope(|scope| {
        let week = scope.spawn(|| quiet(&desktop::WEEK));
        let month = scope.spawn(|| quiet(&exposed::MONTH));
        let mut scans = Vec::new();
        for scan in Scan::all() {
            let lines = scan.lines()?;
            let of = |lines: &[String]| Verdict::of(lines, Config::default());
            let (plain, limited) = (of(&transform::without_options(&lines)), of(&transform::limited(&lines)));
            scans.push(Judgement { scan, full: of(&lines), plain, limited });
        }
        let (mut captures, mut sweeps) = (Vec::new(), Vec::new());
        for label in rows::captures()? {
            let lines = rows::recording(&label.capture)?;
            let verdict = Verdict::of(&lines, Config::default());
            if is_sweep(&label) {
                let near = transform::sent_by(
                    &lines,
                    if label.capture.contains("v6") { "2001:0db8:0051:0000:0000:0000:0000:0042" } else { "192.168.7.66" },
                );
                sweeps.push((label.clone(), verdict.clone(), Verdict::of(&near, Config::default())));
            }
            captures.push((label, verdict));
        }
        let mut all_ports = Vec::new();
        rows::write("all-ports", &mut all_ports)?;
        let all_ports: Vec<&[u8]> = all_ports.split(|byte| *byte == b'\n').collect();
        let exposed = rows::exposed_and_scanned()?;
        let of_exposed = |lines: &[String]| {
            let mut verdict = Verdict::of(lines, Config::default());
            verdict.incidents.retain(|incident| incident.kind == Kind::Visibility || incident.source == "192.0.2.67");
            verdict
        };
        let quiet = |handle: thread::ScopedJoinHandle<'_, Quiet>| handle.join().ok().context("a history could not be judged");
        Ok(Judged {
            scans,
            captures,
            sweeps,
            all_ports: Verdict::of(&all_ports, Config::default()),
            exposed_limited: of_exposed(&transform::limited(&exposed)),
            exposed: of_exposed(&exposed),
            week: quiet(week)?,
            month: quiet(month)?,
        })
    })
}

fn quiet(history: &History) -> Quiet {
    let mut engine = verdict::engine(Config::default());
    let said = history.judge(1, &mut engine);
    let popups = popups(&said);
    let mut of_day: BTreeMap<u64, usize> = BTreeMap::new();
    for popup in &popups {
        *of_day.entry(popup.at.as_micros().saturating_sub(START) / DAY).or_default() += 1;
    }
    let mut digests: Vec<u64> = said.iter().filter(|finding| finding.severity == 2).map(|finding: &Finding| finding.id).collect();
    digests.dedup();
    digests.sort_unstable();
    digests.dedup();
    Quiet {
        days: history.days,
        packets: engine.status().classes.iter().sum(),
        popups: popups.len(),
        most_a_day: of_day.into_values().max().unwrap_or_default(),
        digests: digests.len(),
    }
}

/// Few services on many addresses: from the Internet such things are background.
fn is_sweep(label: &Label) -> bool {
    matches!(label.scan_type.as_str(), "icmp-sweep" | "tcp-port-sweep" | "tcp-syn-zmap")
}

/// What is told of a log, all of it.
fn said(verdict: &Verdict) -> String {
    let said: Vec<String> =
        verdict.incidents.iter().map(|incident| format!("{} ({})", incident.kind.as_str(), told(Some(incident.delivery)))).collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

const fn told(delivery: Option<Delivery>) -> &'static str {
    match delivery {
        Some(Delivery::Popup) => "popup",
        Some(Delivery::Digest) => "digest",
        Some(Delivery::Log) => "history",
        None => "-",
    }
}

/// How many of them are told at least so.
fn share<'a>(verdicts: impl Iterator<Item = &'a Verdict>, least: Delivery) -> String {
    let (mut all, mut good) = (0, 0);
    for verdict in verdicts {
        all += 1;
        good += u32::from(verdict.delivery() >= Some(least));
    }
    format!("{good} of {all}")
}

fn targets(out: &mut String, judged: &Judged) -> std::fmt::Result {
    let scans = |wanted: &dyn Fn(&Scan) -> bool| -> Vec<&Verdict> {
        judged.scans.iter().filter(|judgement| wanted(&judgement.scan)).map(|judgement| &judgement.full).collect()
    };
    let is_usual = |scan: &Scan| matches!(scan.pace, Pace::Template(_));
    let is_fast = |scan: &Scan| matches!(scan.pace, Pace::Template(3..=5));
    let is_slow = |scan: &Scan| matches!(scan.pace, Pace::Pause(_));
    let most = |verdicts: &[&Verdict]| {
        verdicts.iter().map(|verdict| verdict.main().map_or(u32::MAX, |main| main.contacts)).max().unwrap_or_default()
    };
    let contacts = |kinds: &'static [&'static str]| most(&scans(&|scan| is_fast(scan) && kinds.contains(&scan.kind)));
    let captured = |wanted: &dyn Fn(&Label) -> bool| -> Vec<&Verdict> {
        judged.captures.iter().filter(|(label, _)| wanted(label)).map(|(_, verdict)| verdict).collect()
    };
    let one = |name: &str| {
        captured(&|label: &Label| label.capture == name).first().and_then(|verdict| verdict.main()).map_or(0, |main| main.updates)
    };
    let all_ports = judged.all_ports.main().map_or(0, |main| main.updates);
    let mut named = 0;
    let mut wrong = 0;
    for (label, verdict) in &judged.captures {
        for tool in verdict.incidents.iter().filter_map(|incident| incident.tool) {
            named += 1;
            wrong += u32::from(tool != label.tool);
        }
    }
    for tool in judged
        .scans
        .iter()
        .flat_map(|judgement| [&judgement.full, &judgement.plain, &judgement.limited])
        .filter_map(|verdict| verdict.main()?.tool)
    {
        named += 1;
        wrong += u32::from(tool != "nmap");
    }

    out.push_str("## Targets\n\n");
    let coverage = "`tests/rigs/coverage`";
    let rows: [(&str, &str, String, &str); 14] = [
        (
            "ten kinds of nmap scan at T1 to T5, IPv4 and IPv6, from the Internet and the LAN",
            "all as popup",
            share(scans(&is_usual).into_iter(), Delivery::Popup),
            coverage,
        ),
        (
            "sweeps of hosts and pings over 7 and more addresses",
            "named; popup from the LAN, digest from outside",
            format!(
                "{} in the digest from outside; {} as popup from the LAN",
                share(judged.sweeps.iter().map(|(_, far, _)| far), Delivery::Digest),
                share(judged.sweeps.iter().map(|(_, _, near)| near), Delivery::Popup)
            ),
            coverage,
        ),
        (
            "T0 (one probe in 5 minutes), and one in 30 minutes",
            "all at least in the digest, from the LAN as popup",
            format!(
                "{} in the digest; {} as popup from the LAN",
                share(scans(&|scan| is_slow(scan) && scan.side == Side::Far).into_iter(), Delivery::Digest),
                share(scans(&|scan| is_slow(scan) && scan.side == Side::Near).into_iter(), Delivery::Popup)
            ),
            coverage,
        ),
        (
            "distinct contacts to the alert, T3 to T5: SYN, connect, ACK, Maimon, protocol / null, FIN, Xmas / UDP",
            "7 / 2 / 9",
            format!("{} / {} / {}", contacts(&["sS", "sT", "sA", "sW", "sM", "sO"]), contacts(&["sN", "sF", "sX"]), contacts(&["sU"])),
            coverage,
        ),
        (
            "the same at T0 and slower",
            "12",
            most(&scans(&|scan| is_slow(scan) && !matches!(scan.kind, "sN" | "sF" | "sX"))).to_string(),
            coverage,
        ),
        (
            "the same from source port 443 or 53, looking like replies",
            "15",
            most(&captured(&|label| {
                matches!(label.scan_type.as_str(), "tcp-ack-source-port" | "tcp-maimon-source-port" | "udp-source-port")
            }))
            .to_string(),
            coverage,
        ),
        (
            "popups in a desktop's quiet week",
            "0",
            format!("{} ({} packets)", judged.week.popups, thousands(judged.week.packets)),
            "`tests/rigs/coverage`; with more seeds `cargo test --release -p firebell-traffic`",
        ),
        (
            "popups a day on an exposed host",
            "at most 1",
            format!(
                "at most {}, {} in {} days ({} packets)",
                judged.month.most_a_day,
                judged.month.popups,
                judged.month.days,
                thousands(judged.month.packets)
            ),
            "`tests/rigs/coverage`; with more seeds `cargo test --release -p firebell-traffic`",
        ),
        (
            "notifications for one attack: 1,000 ports / all 65,535",
            "1 and 3 updates / 1 and 5 updates",
            format!("1 and {} / 1 and {all_ports}", one("syn")),
            coverage,
        ),
        (
            "the same for any scan of nmap, also the slowest",
            "",
            format!(
                "1 and at most {}",
                judged.scans.iter().filter_map(|judgement| judgement.full.main()).map(|main| main.updates).max().unwrap_or_default()
            ),
            coverage,
        ),
        ("wrong names of tools", "0", format!("{wrong} of {named} named"), coverage),
        (
            "a scanner hidden by 20,000 spoofed packets a second",
            "found with 99 of 100 seeds",
            "asserted".to_owned(),
            "`cargo test --release -p firebell-engine --test hostile`",
        ),
        (
            "memory: a source; with 10 million spoofed ones",
            "128 bytes; 24 MiB",
            "see [PERFORMANCE.md](PERFORMANCE.md)",
            "`cargo test --release -p firebell-engine --test memory`",
        )
            .map_measured(),
        ("lines a second; probe to popup", "", "see [PERFORMANCE.md](PERFORMANCE.md)", "`make bench-parse`, `make bench-latency`")
            .map_measured(),
    ];
    out.push_str("| what | target | measured | command |\n|---|---|---|---|\n");
    for (what, target, measured, command) in rows {
        writeln!(out, "| {what} | {target} | {measured} | {command} |")?;
    }
    out.push('\n');
    Ok(())
}

/// So that rows which only point elsewhere read as the others.
trait Measured {
    fn map_measured(self) -> (&'static str, &'static str, String, &'static str);
}

impl Measured for (&'static str, &'static str, &'static str, &'static str) {
    fn map_measured(self) -> (&'static str, &'static str, String, &'static str) {
        (self.0, self.1, self.2.to_owned(), self.3)
    }
}

/// Ten lines and seven columns: how each kind at each pace is told.
fn glance(out: &mut String, judged: &Judged) -> std::fmt::Result {
    out.push_str("## nmap at a glance\n\nTwenty ports or protocols. Where the Internet and the LAN differ: Internet / LAN. IPv4 and IPv6 are told alike unless it says so.\n\n| scan |");
    rows::PACES.iter().try_for_each(|pace| write!(out, " {pace} |"))?;
    out.push_str("\n|---|---|---|---|---|---|---|---|\n");
    for kind in rows::KINDS {
        write!(out, "| -{kind} |")?;
        for pace in rows::PACES {
            let cell = |is_v6: bool| {
                let of = |side| {
                    let judgement = judged.scans.iter().find(|judgement| judgement.scan == Scan { kind, is_v6, side, pace });
                    told(judgement.and_then(|judgement| judgement.full.delivery()))
                };
                let (far, near) = (of(Side::Far), of(Side::Near));
                if far == near { far.to_owned() } else { format!("{far} / {near}") }
            };
            let (v4, v6) = (cell(false), cell(true));
            if v4 == v6 { write!(out, " {v4} |")? } else { write!(out, " {v4}; IPv6 {v6} |")? }
        }
        out.push('\n');
    }
    out.push('\n');
    Ok(())
}

/// What cannot be recorded, or is not worth a recording.
const NEVER_SEEN: [(&str, &str); 7] = [
    ("host discovery on the own link (`nmap -sn`)", "nmap asks by ARP there, and a firewall logs no ARP"),
    (
        "one port in two hours and slower, over a day",
        "fewer than twelve ports of one source in 24 hours; a longer memory would call every regular visitor a scanner",
    ),
    ("what the firewall lets through", "nothing is logged of it: a scan of open ports alone leaves no line"),
    ("who is behind an idle scan (`nmap -sI`)", "the packets are the zombie's; it is told as the source, as far as the log goes"),
    ("SCTP scans (`sctp`, `more/sctp-y`)", "SCTP counts as one more protocol, and its ports are not told apart"),
    ("which of the decoys is real", "their packets are alike; the set is told, with grade `decoy-set`"),
    (
        "a distributed scan whose sources ask for one or two ports each, over hours",
        "each looks like the background, and the count of ports on one address does not rise over the usual",
    ),
];

/// What stands where a reason is missing. A test finds it.
pub const UNEXPLAINED: &str = "**nobody has said why** (`REASONS` in `tests/src/coverage/document.rs`)";

/// Why something recorded is not told: the first that fits its name.
const REASONS: [(&str, &str); 2] = [
    ("sU", "the limit lets ten lines through at once; nmap sends two payloads to some ports, so that they hold fewer than nine ports"),
    (
        ".t2",
        "the limit lets ten lines through at once and then one in 20 seconds; nmap asks for each port twice, so that they hold fewer than seven",
    ),
];

fn misses(out: &mut String, judged: &Judged) -> std::fmt::Result {
    let mut missed: Vec<String> = Vec::new();
    for (label, verdict) in &judged.captures {
        if label.expect == "alert" && verdict.delivery() < Some(Delivery::Digest) {
            missed.push(label.capture.clone());
        }
    }
    for Judgement { scan, full, plain, limited } in &judged.scans {
        for (verdict, suffix) in [(full, ""), (plain, ".plain"), (limited, ".ufw")] {
            if verdict.delivery() < Some(Delivery::Digest) {
                missed.push(format!("{scan}{suffix}"));
            }
        }
    }
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for name in missed {
        let reason = REASONS.iter().find(|(part, _)| name.contains(part)).map_or(UNEXPLAINED, |(_, reason)| reason);
        by_reason.entry(reason).or_default().push(name);
    }
    out.push_str("## Misses\n\n| what is not told | why |\n|---|---|\n");
    for (reason, names) in by_reason {
        writeln!(out, "| {} | {reason} |", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" "))?;
    }
    writeln!(
        out,
        "| `exposed-and-scanned.ufw`: twenty ports on a busy exposed host behind ufw's rules | the limit is used up by the background, and no line of the scan is left. What is told instead: {}. Without the limit: {} |",
        said(&judged.exposed_limited),
        judged
            .exposed
            .main()
            .map_or_else(|| "nothing".to_owned(), |main| format!("{} ({})", main.kind.as_str(), told(Some(main.delivery)))),
    )?;
    for (what, why) in NEVER_SEEN {
        writeln!(out, "| {what} | {why} |")?;
    }
    out.push('\n');
    Ok(())
}

/// Kind, severity, told, packets, contacts, time, tool.
fn cells(incident: Option<&Incident>) -> String {
    let Some(main) = incident else { return "- | - | - | - | - | - | -".to_owned() };
    format!(
        "{} | {} | {} | {} | {} | {} | {}",
        main.kind.as_str(),
        main.severity,
        told(Some(main.delivery)),
        main.packets,
        main.contacts,
        time(main.after),
        main.tool.unwrap_or("-")
    )
}

fn nmap(out: &mut String, judged: &Judged) -> std::fmt::Result {
    out.push_str(
        "## nmap, by kind, side and pace\n\nTwenty ports or protocols, each asked twice, recorded with `tests/rigs/record-timings`; T0 and slower by setting the probes of T1 further \
         apart. The rule logs sequence numbers and options; *plain* is without them. *ufw* is ufw's limit of 3 lines a minute, 10 at once.\n\n\
         | log | kind | severity | told | packets | contacts | after | tool | updates | plain | ufw |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for Judgement { scan, full, plain, limited } in &judged.scans {
        let (Some(main), plain) = (full.main(), plain.main()) else {
            writeln!(out, "| {scan} | {} | - | - | - |", cells(None))?;
            continue;
        };
        let plain = match plain {
            Some(plain) if plain == main => "same".to_owned(),
            Some(plain) if Incident { tool: main.tool, ..plain.clone() } == *main => format!("tool {}", plain.tool.unwrap_or("-")),
            Some(plain) => format!("{}, {} contacts", told(Some(plain.delivery)), plain.contacts),
            None => "**missed**".to_owned(),
        };
        let limited = match limited.main() {
            Some(limited) if (limited.kind, limited.delivery, limited.contacts) == (main.kind, main.delivery, main.contacts) => {
                "same".to_owned()
            }
            Some(limited) => format!(
                "{} {}, {} contacts, {}",
                limited.kind.as_str(),
                told(Some(limited.delivery)),
                limited.contacts,
                time(limited.after)
            ),
            None => "**missed**".to_owned(),
        };
        writeln!(out, "| {scan} | {} | {} | {plain} | {limited} |", cells(Some(main)), main.updates)?;
    }
    out.push('\n');
    Ok(())
}

fn captures(out: &mut String, judged: &Judged) -> std::fmt::Result {
    out.push_str(
        "## Other scans and attacks\n\nRecorded once each; commands and origin are in `tests/corpus`. *grade* is how sure the source is, *updates* are the notices behind the first.\n\n\
         | log | sent by | kind | severity | told | packets | contacts | after | tool | source | grade | updates |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (label, verdict) in judged.captures.iter().filter(|(label, _)| label.expect == "alert") {
        capture(out, label, verdict)?;
    }
    out.push_str("\nA judgement call:\n\n| log | sent by | kind | severity | told | packets | contacts | after | tool | source | grade | updates |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (label, verdict) in judged.captures.iter().filter(|(label, _)| label.expect == "any") {
        capture(out, label, verdict)?;
    }
    out.push_str("\nSweeps, from a neighbour instead:\n\n| log | kind | severity | told | packets | contacts | after | tool |\n|---|---|---|---|---|---|---|---|\n");
    for (label, _, near) in &judged.sweeps {
        writeln!(out, "| {} | {} |", label.capture, cells(near.main()))?;
    }
    writeln!(
        out,
        "\nAll 65,535 ports, a thousand a second:\n\n| log | kind | severity | told | packets | contacts | after | tool |\n|---|---|---|---|---|---|---|---|"
    )?;
    writeln!(out, "| all-ports | {} |\n", cells(judged.all_ports.main()))
}

fn capture(out: &mut String, label: &Label, verdict: &Verdict) -> std::fmt::Result {
    if verdict.incidents.is_empty() {
        return writeln!(out, "| {} | {} | {} | - | - | - |", label.capture, label.tool, cells(None));
    }
    for incident in &verdict.incidents {
        let Incident { source, attribution, updates, .. } = incident;
        writeln!(out, "| {} | {} | {} | {source} | {attribution} | {updates} |", label.capture, label.tool, cells(Some(incident)))?;
    }
    Ok(())
}

fn harmless(out: &mut String, judged: &Judged) -> std::fmt::Result {
    out.push_str("## Harmless traffic\n\n| log | what | told |\n|---|---|---|\n");
    for (label, verdict) in judged.captures.iter().filter(|(label, _)| label.expect == "quiet") {
        writeln!(out, "| {} | {} | {} |", label.capture, label.scan_type, said(verdict))?;
    }
    let parts = desktop::PARTS.map(|(name, _)| name).join("; ");
    for (name, what, quiet) in [
        ("desktop-week", parts.as_str(), &judged.week),
        ("exposed-month", "background of the Internet by published shares (`tests/traffic/src/exposed.rs`)", &judged.month),
    ] {
        writeln!(
            out,
            "| {name} | {what}; {} packets in {} days | {} popups, at most {} a day; {} lines in the digest |",
            thousands(quiet.packets),
            quiet.days,
            quiet.popups,
            quiet.most_a_day,
            quiet.digests
        )?;
    }
    Ok(())
}
