//! A case, as text and as JSON.

use super::case::{Case, Peak, figure};
use crate::times;
use firebell_shared::text::thousands;
use std::io::Write as _;

/// One document. Writing into memory does not fail, neither here nor below.
pub(super) fn json(into: &mut Vec<u8>, case: &Case) {
    let _ = serde_json::to_writer_pretty(&mut *into, case);
    into.push(b'\n');
}

/// For people.
pub(super) fn text(into: &mut Vec<u8>, case: &Case) {
    let near = if case.is_near { ", a neighbour" } else { "" };
    let tool = case.tool.map_or_else(String::new, |tool| format!(", sent by {tool}"));
    let _ = writeln!(
        into,
        "{}{near}: {} packets, {} distinct contacts{tool}",
        case.source,
        thousands(case.packets),
        thousands(case.contacts.into())
    );
    if let (Some(first), Some(last)) = (case.first, case.last) {
        let _ = writeln!(into, "from {} to {} ({})", times::plain(first.0), times::plain(last.0), times::span(last.0.since(first.0)));
    }
    let classes: Vec<String> =
        case.classes.iter().map(|(class, count)| format!("{} {}", thousands(*count), class.replace('_', " "))).collect();
    let _ = writeln!(into, "what they are: {}", classes.join(", "));
    for alert in &case.alerts {
        let _ = writeln!(into, "\n{} {}, told as {}, by line {}", alert.kind, alert.severity, alert.delivery, alert.line);
        let _ = writeln!(into, "  {}", alert.summary);
        let _ = writeln!(into, "  {}", alert.why);
    }
    if !case.why_not.is_empty() {
        let _ = writeln!(into, "\nWhy nothing is told");
        for reason in &case.why_not {
            let _ = writeln!(into, "  {reason}");
        }
    }
    if !case.detectors.is_empty() {
        let _ = writeln!(into, "\nDetectors, at most");
    }
    for Peak { heard, line } in &case.detectors {
        let figures = format!("{} of {}", figure(heard.value), figure(heard.threshold));
        let line = line.map_or_else(String::new, |line| format!("  line {line}"));
        let _ = writeln!(into, "  {:<6} {:<7} {figures:>14}  {:<39} {}{line}", heard.state, heard.id, heard.what, heard.parameter);
    }
    for (n, way) in case.silenced_by.iter().enumerate() {
        let _ = writeln!(into, "\n{} ({})", if n == 0 { "What would have silenced it" } else { "or" }, way.how);
        for line in way.toml.lines() {
            let _ = writeln!(into, "  {line}");
        }
    }
    if let Some(line) = &case.line {
        let _ = writeln!(into, "\nLine {}, {}\n  {}", line.number, line.class.replace('_', " "), line.text);
    }
    let _ = writeln!(into, "\nIts lines");
    for (n, line) in case.lines.iter().enumerate() {
        if case.lines_left_out > 0 && n + 3 == case.lines.len() {
            let _ = writeln!(into, "  and {} more", thousands(case.lines_left_out));
        }
        let _ = writeln!(into, "  {:>6}  {}  {:<13} {}", line.number, times::plain(line.time.0), line.class.replace('_', " "), line.text);
    }
}
