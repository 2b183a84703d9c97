//! What `firebell rules import-psad` makes of psad's own rules finds the same packets as psad does, side by side.
//!
//! psad and its rules are Debian's package, fetched for the test and not kept. The packets are the recorded scans, and for
//! every rule some that are made to fit it, and to fail it by one in each of the numbers that it asks for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use anyhow::{Context, Result, ensure};
use firebell_collector::rules::{Loaded, Source};
use firebell_engine::{
    engine::{Config, Engine},
    origin::Origin,
    packet::TcpFlags,
    parse::parse,
    record::Record,
    signature::{Condition, Field, Numbers, Place, Range, Relation, Rule, RuleSet, Sids},
    tick::Tick,
};
use firebell_tests::{
    corpus,
    program::built,
    rig::{CannotRun, run_script, script, with_rigs},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

/// Where psad and its own documentation, or Snort's, say different things: psad's number, and why we side with the latter.
const KNOWN: [(&[u32], &str); 5] = [
    (&[623], "flags:0 is a packet without flags; psad compares its empty text with the word NULL, and never finds one"),
    (&[207], "psad takes every SYN for one with 44 bytes of options; we go by the options, or by the most there can be"),
    (&[375, 381, 469, 471, 478, 499], "dsize of ICMP: psad takes the header for 4 bytes long; it has 8 (RFC 792)"),
    (&[224, 228, 251], "icmp_id and icmp_seq: psad reads the code for the identifier, and that for the sequence number"),
    (&[524, 525, 561, 562, 563, 564, 565], "<> means both ways; psad looks only the way it is written"),
];

fn is_known(number: u32) -> bool {
    KNOWN.iter().any(|(numbers, _)| numbers.contains(&number))
}

/// Packets by psad's number of the rule.
type Hits = BTreeMap<u32, u64>;

#[test]
fn imported_rules_find_what_psad_finds() -> Result<()> {
    with_rigs("psad beside our import of its rules", || {
        let folder = tempfile::tempdir()?;
        let captures = captures(folder.path())?;
        let of_captures = match verdict(folder.path(), &captures) {
            // It is not this machine's fault when a mirror does not answer.
            Err(error) if error.is::<CannotRun>() => return Ok(writeln!(std::io::stderr(), "left out: {error}")?),
            verdict => verdict?,
        };

        as_it_comes(&folder.path().join("psad"))?;

        let output =
            Command::new(built()?.join("firebell")).args(["rules", "import-psad"]).arg(folder.path().join("signatures")).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{said}");
        writeln!(std::io::stderr(), "{said}")?;
        let source = Source { path: PathBuf::from("psad.toml"), text: String::from_utf8(output.stdout)? };
        let loaded = Loaded::of(&[source]);
        ensure!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        let rules: Vec<Rule> = loaded.rules.entries().iter().map(|entry| entry.rule.clone()).collect();
        let numbers: BTreeSet<u32> = rules.iter().map(number).collect();
        ensure!(numbers.len() > 180, "only {} rules", numbers.len());

        let mut seen = compare(&rules, &captures, &of_captures)?;
        let made = folder.path().join("made.log");
        fs::write(&made, rules.iter().flat_map(packets).fold(String::new(), |log, line| log + &line + "\n"))?;
        seen.append(&mut compare(&rules, &made, &verdict(folder.path(), &made)?)?);

        let missed: Vec<_> = numbers.difference(&seen).filter(|number| !is_known(**number)).collect();
        ensure!(missed.is_empty(), "rules that fit none of the packets: {missed:?}");
        let (differ, agree): (Vec<u32>, Vec<u32>) = numbers.iter().partition(|number| is_known(**number));
        writeln!(std::io::stderr(), "{} rules find the same packets here and by psad; {} are known to differ:", agree.len(), differ.len())?;
        for (numbers, why) in KNOWN {
            writeln!(std::io::stderr(), "  {numbers:?}: {why}")?;
        }
        Ok(())
    })
}

/// Every variable of the psad.conf that psad comes with is known, with its value, and asks for no key of ours.
fn as_it_comes(folder: &Path) -> Result<()> {
    let output = Command::new(built()?.join("firebell")).args(["import-psad", "-o", "json"]).arg(folder).output()?;
    ensure!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let variables = report["variables"].as_array().context("no variables")?;
    let odd: Vec<_> = variables.iter().filter(|variable| variable["fate"] == "unknown" || variable["changed"] == true).collect();
    ensure!(variables.len() > 150 && odd.is_empty(), "{} variables: {odd:?}", variables.len());
    ensure!(report["lines_not_understood"] == Value::Array(Vec::new()), "{report}");
    ensure!(report["files"][0]["file"].is_null() && report["files"][1]["converted"].as_u64() > Some(180), "{report}");
    Ok(())
}

/// The recorded scans as syslog wrote them, each from one firewall, in one log: psad takes a second to start. Not those over IPv6,
/// whose lines psad cannot read where the sequence number is logged.
fn captures(folder: &Path) -> Result<PathBuf> {
    let (path, mut log, mut count) = (folder.join("captures.log"), Vec::new(), 0);
    for name in corpus::captures()?.into_iter().filter(|name| !name.starts_with("v6-") && !name.contains('.')) {
        for line in corpus::lines(&name, "syslog")?.unwrap_or_default() {
            log.extend_from_slice(&line);
            log.push(b'\n');
        }
        count += 1;
    }
    ensure!(count > 30, "only {count} captures");
    fs::write(&path, log)?;
    Ok(path)
}

/// psad's verdict on a log.
fn verdict(folder: &Path, log: &Path) -> Result<Hits> {
    run_script(script("psad-hits").arg("--out").arg(folder).arg(log))?;
    let mut hits = Hits::new();
    for line in fs::read_to_string(folder.join("verdicts.tsv"))?.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [_, number, packets] = columns[..] else { anyhow::bail!("{line:?}") };
        hits.insert(number.parse()?, packets.parse()?);
    }
    Ok(hits)
}

/// The numbers of the rules that found packets, the same here and there.
fn compare(rules: &[Rule], log: &Path, theirs: &Hits) -> Result<BTreeSet<u32>> {
    let ours = hits(rules, &fs::read(log)?);
    let mut seen = BTreeSet::new();
    let mut differences = String::new();
    for number in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let (ours, theirs) = (ours.get(number), theirs.get(number));
        if ours == theirs {
            seen.insert(*number);
        } else if !is_known(*number) {
            writeln!(differences, "{}: rule {number}: {ours:?} here, {theirs:?} by psad", log.display())?;
        }
    }
    ensure!(differences.is_empty(), "{differences}");
    Ok(seen)
}

/// `sid-7` and `sid-7-2`, which psad has as one rule.
fn number(rule: &Rule) -> u32 {
    rule.id.split('-').nth(1).unwrap().parse().unwrap()
}

/// What our rules find.
fn hits(rules: &[Rule], log: &[u8]) -> Hits {
    let mut engine = Engine::new(Config::default(), [0; 16]);
    engine.replace_rules(RuleSet::new(rules.to_vec(), Sids::default()));
    for (n, line) in log.split(|byte| *byte == b'\n').enumerate() {
        let Ok(packet) = parse(Record::read(line).text) else { continue };
        engine.observe(&packet, Origin::Unverified, Tick::from_secs(n as u64));
        while engine.next_finding().is_some() {}
    }
    let mut all = Hits::new();
    for (rule, hits) in engine.rule_hits().filter(|(_, hits)| hits.packets > 0) {
        *all.entry(number(rule)).or_default() += hits.packets;
    }
    all
}

/// A packet that is being made.
#[derive(Clone, Debug)]
struct Shape {
    proto: u8,
    src: Ipv4Addr,
    dst: Ipv4Addr,
    flags: u8,
    ip_option: Option<u8>,
    numbers: BTreeMap<Field, u32>,
}

impl Shape {
    fn get(&self, field: Field, otherwise: u32) -> u32 {
        self.numbers.get(&field).copied().unwrap_or(otherwise)
    }

    /// The line that the kernel would write.
    fn line(&self) -> String {
        let (header, least) = match self.proto {
            6 => (40, 0),
            1 if matches!(self.get(Field::IcmpType, 8), 3 | 4 | 5 | 11 | 12) => (28, 28),
            _ => (28, 20),
        };
        let option = self.ip_option.map(|kind| format!("OPT ({kind:02X}07040A00000100) ")).unwrap_or_default();
        let payload = self.get(Field::Payload, least);
        let len = self.get(Field::Len, header + payload + if option.is_empty() { 0 } else { 8 });
        let mut line = format!(
            "Nov 22 07:39:04 desk kernel: [ 2584.756688] DROP IN=eth0 OUT= MAC=92:63:59:ce:24:8d:8e:df:66:3a:67:15:08:00 SRC={} DST={} LEN={len} \
             TOS=0x00 PREC=0x00 TTL={} ID={} {option}",
            self.src,
            self.dst,
            self.get(Field::Ttl, 64),
            self.get(Field::Id, 8271),
        );
        let (sport, dport) = (self.get(Field::Sport, 41_126), self.get(Field::Dport, 51_413));
        match self.proto {
            6 => {
                let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
                // The kernel prints them from the last to the first, but ACK before PSH and RST before SYN.
                let flags: String = [5, 4, 3, 2, 1, 0]
                    .iter()
                    .filter(|bit| self.flags >> *bit & 1 != 0)
                    .fold(String::new(), |all, bit| all + names[*bit] + " ");
                let (seq, ack, window) = (self.get(Field::Seq, 7_654_321), self.get(Field::Ack, 0), self.get(Field::Window, 1024));
                let _ = write!(line, "PROTO=TCP SPT={sport} DPT={dport} SEQ={seq} ACK={ack} WINDOW={window} RES=0x00 {flags}URGP=0 ");
            }
            17 => {
                let _ = write!(line, "PROTO=UDP SPT={sport} DPT={dport} LEN={} ", payload + 8);
            }
            _ => {
                let (kind, code) = (self.get(Field::IcmpType, 8), self.get(Field::IcmpCode, 0));
                let _ = write!(line, "PROTO=ICMP TYPE={kind} CODE={code} ");
                match kind {
                    0 | 8 => {
                        let _ = write!(line, "ID={} SEQ={} ", self.get(Field::IcmpId, 4711), self.get(Field::IcmpSeq, 1));
                    }
                    3 | 4 | 5 | 11 | 12 => {
                        let gateway = if kind == 5 { "GATEWAY=192.0.2.1 " } else { "" };
                        let _ = write!(
                            line,
                            "{gateway}[SRC={} DST={} LEN=44 TOS=0x00 PREC=0x00 TTL=1 ID=777 PROTO=UDP SPT=40000 DPT=33434 LEN=24 ] ",
                            self.dst, self.src
                        );
                    }
                    _ => {}
                }
            }
        }
        line
    }
}

/// Packets that fit a rule, and packets that differ from these in one number, flag or address.
fn packets(rule: &Rule) -> Vec<String> {
    let matching = &rule.matching;
    let mut base = Shape {
        // Rules for any protocol are tried with TCP.
        proto: matching.protocols.first().copied().unwrap_or(6),
        src: Ipv4Addr::new(198, 51, 100, 66),
        dst: Ipv4Addr::new(198, 51, 100, 10),
        flags: TcpFlags::SYN,
        ip_option: None,
        numbers: BTreeMap::new(),
    };
    let mut edges: Vec<(Field, Vec<u32>)> = Vec::new();
    for condition in &matching.conditions {
        match condition {
            Condition::Number(field, numbers) => {
                base.numbers.insert(*field, one_of(*field, numbers));
                edges.push((*field, around(*field, numbers)));
            }
            Condition::Flags { set, .. } => base.flags = *set,
            Condition::Source(addresses) => base.src = addresses.within.first().map_or(base.src, address),
            Condition::Destination(addresses) => base.dst = addresses.within.first().map_or(base.dst, address),
            Condition::Relation(Relation::SrcIsDst) => base.src = base.dst,
            Condition::IpOptions(lists) => base.ip_option = lists.first().and_then(|kinds| kinds.first()).copied(),
            // Every packet here comes in by eth0.
            Condition::Text(Place::In, _) => {}
            other => panic!("{}: the test makes no packet for {other:?}", rule.id),
        }
    }
    let mut shapes = vec![base.clone()];
    for (field, values) in edges {
        shapes.extend(values.into_iter().map(|value| {
            let mut shape = base.clone();
            shape.numbers.insert(field, value);
            shape
        }));
    }
    // As psad reads a rule, "any" port is 1 to 65535: what a packet to port 0 fits is for the rules on port 0 alone to say.
    let is_port_0 = [Field::Dport, Field::Sport].iter().any(|port| base.get(*port, 1) == 0);
    if base.proto == 6 && !is_port_0 {
        shapes.extend([TcpFlags::ACK, TcpFlags::FIN, TcpFlags::SYN].map(|flag| Shape { flags: base.flags ^ flag, ..base.clone() }));
    }
    shapes.push(Shape { src: Ipv4Addr::new(203, 0, 113, 7), ..base.clone() });
    shapes.push(Shape { ip_option: None, ..base });
    shapes.iter().map(Shape::line).collect()
}

/// A number that fits.
fn one_of(field: Field, numbers: &Numbers) -> u32 {
    around(field, numbers).into_iter().find(|number| numbers.contains(*number)).unwrap()
}

/// The ends of each range, and the numbers next to them.
fn around(field: Field, numbers: &Numbers) -> Vec<u32> {
    let ends = numbers.ranges().0.iter().flat_map(|(first, last)| [Some(*first), Some(*last), first.checked_sub(1), last.checked_add(1)]);
    let most = match field {
        // A packet cannot be longer.
        Field::Payload => 1400,
        Field::IcmpId | Field::IcmpSeq => 0xffff,
        _ => field.max(),
    };
    let ends: BTreeSet<u32> = ends.flatten().filter(|number| *number <= most).collect();
    ends.into_iter().collect()
}

/// An address of a network.
fn address(range: &Range) -> Ipv4Addr {
    match range {
        Range::Network((std::net::IpAddr::V4(address), length)) => Ipv4Addr::from_bits(address.to_bits() | u32::from(*length < 32)),
        other => panic!("no address of {other:?}"),
    }
}
