//! psad's lists: `auto_dl`, levels of sources, and `snort_rule_dl`, levels of rules.

use super::{Imported, Reason, Refusal, addresses, lines, quoted};
use std::fmt::Write as _;

/// `[[severity]]` tables that a configuration may have.
const MAX_SEVERITIES: usize = 256;

/// `ADDRESS LEVEL [PROTOCOL[/PORTS][, ...]];` becomes `[[severity]]` tables.
///
/// psad raises a source to the level; 0 is to ignore it.
pub(super) fn auto_dl(bytes: &[u8]) -> Imported {
    let mut imported = Imported::default();
    let mut tables = 0;
    for (number, line) in lines::logical(bytes) {
        match source_level(&String::from_utf8_lossy(&line)) {
            Ok(some) => {
                tables += some.len();
                if tables > MAX_SEVERITIES {
                    imported.refuse(number, "", &Refusal::new(Reason::Value, format!("more than {MAX_SEVERITIES} tables")));
                    break;
                }
                for table in some {
                    // Writing to a String cannot fail.
                    let _ = write!(imported.toml, "\n# Line {number}.\n[[severity]]\n{table}");
                }
                imported.converted += 1;
            }
            Err(refusal) => imported.refuse(number, "", &refusal),
        }
    }
    imported
}

/// The tables of one line, a protocol each.
fn source_level(line: &str) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::new(Reason::Syntax, line);
    let (line, _) = line.split_once(';').ok_or_else(wrong)?;
    // `10.0.0.0 / 8` is allowed.
    let line = line.split('/').map(str::trim).collect::<Vec<_>>().join("/");
    let mut words = line.splitn(3, |c: char| c.is_ascii_whitespace()).map(str::trim);
    let (source, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut criteria = words.next().unwrap_or_default();
    // More than one blank between the words.
    let mut level = rest;
    while level.is_empty() && !criteria.is_empty() {
        (level, criteria) = criteria.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((criteria, ""));
        criteria = criteria.trim();
    }
    let level: u8 = level.parse().ok().filter(|level| *level <= 5).ok_or_else(wrong)?;
    let Some(source) = addresses::entry(source).filter(|source| !source.starts_with('$')) else {
        let is_host = source.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        return Err(Refusal::new(if is_host { Reason::Host } else { Reason::Value }, source));
    };
    let level = if level == 0 { "fixed = 0".to_owned() } else { format!("minimum = {level}") };
    let table = |protocol: &str, ports: &[String]| {
        let mut table = format!("source = {}\n", quoted(&source));
        if !protocol.is_empty() {
            let _ = writeln!(table, "protocol = {}", quoted(protocol));
        }
        if !ports.is_empty() {
            let _ = writeln!(table, "ports = [{}]", ports.join(", "));
        }
        let _ = writeln!(table, "{level}");
        table
    };
    if criteria.is_empty() {
        return Ok(vec![table("", &[])]);
    }
    let mut protocols: Vec<(&str, Vec<String>)> = Vec::new();
    for item in criteria.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (protocol, ports) = item.split_once('/').unwrap_or((item, ""));
        let protocol = ["tcp", "udp", "udplite", "icmp"]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(protocol.trim()))
            .ok_or_else(|| Refusal::new(Reason::Protocol, protocol))?;
        let ports = if ports.is_empty() {
            None
        } else {
            Some(ports_of(ports).ok_or_else(|| Refusal::new(Reason::Value, format!("port {ports}")))?)
        };
        match protocols.iter_mut().find(|(known, _)| *known == protocol) {
            Some((_, known)) => match ports {
                // Some ports and others; or all, of which some are a part.
                Some(more) if !known.is_empty() => known.push(more),
                _ => known.clear(),
            },
            None => protocols.push((protocol, ports.into_iter().collect())),
        }
    }
    Ok(protocols.iter().map(|(protocol, ports)| table(protocol, ports)).collect())
}

pub(super) fn ports_of(text: &str) -> Option<String> {
    match text.split_once('-') {
        Some((low, high)) => {
            let (low, high): (u16, u16) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (low <= high).then(|| quoted(&format!("{low}-{high}")))
        }
        None => text.trim().parse::<u16>().ok().map(|port| port.to_string()),
    }
}

/// What is known of the rule whose level is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is not there.
    Missing,
    /// It only explains.
    Hint,
    /// It tells.
    Teller,
}

/// The highest severity of a rule that only explains.
const MAX_HINT: u8 = 2;

/// `NUMBER LEVEL;` becomes an `[[override]]` of the imported rule with that number; `rule` says what that is.
pub(super) fn snort_rule_dl(bytes: &[u8], rule: impl Fn(u32) -> Rule) -> Imported {
    let mut imported = Imported::default();
    for (number, line) in lines::logical(bytes) {
        if imported.is_full(number) {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split_once(';').map_or(line.as_ref(), |(line, _)| line).split_ascii_whitespace();
        let (Some(Ok(id)), Some(level), None) = (words.next().map(str::parse::<u32>), words.next(), words.next()) else {
            imported.refuse(number, "", &Refusal::new(Reason::Syntax, &line));
            continue;
        };
        let rule = rule(id);
        let what = match level.parse::<u8>() {
            _ if rule == Rule::Missing => {
                imported.refuse(number, "", &Refusal::new(Reason::Unknown, id.to_string()));
                continue;
            }
            Ok(0) => "enabled = false".to_owned(),
            Ok(level @ 1..=5) if rule == Rule::Hint && level > MAX_HINT => {
                let note =
                    format!("rule {id} only explains, so severity {MAX_HINT} instead of {level}; with confidence = \"sure\" it tells");
                imported.note(number, note);
                format!("severity = {MAX_HINT}")
            }
            Ok(level @ 1..=5) => format!("severity = {level}"),
            _ => {
                imported.refuse(number, "", &Refusal::new(Reason::Value, format!("level {level}")));
                continue;
            }
        };
        let _ = write!(imported.toml, "\n# Line {number}.\n[[override]]\nid = \"sid-{id}\"\n{what}\n");
        imported.converted += 1;
    }
    imported
}
