//! Charts as SVG: shapes with classes, so that the style of the page colours them, and a text for who cannot see them.

use super::tally::{Point, Series, Week};
use crate::{html::escape, times};
use firebell_shared::text::thousands;
use std::{collections::HashMap, fmt::Write as _, net::IpAddr};

const WIDTH: usize = 760;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Ports that are named below a chart.
pub(super) const PORTS: [u16; 8] = [22, 443, 1024, 3389, 8080, 16_384, 32_768, 65_535];
/// Bars of a chart over time.
pub(super) const BARS: usize = 120;

/// Opens a chart; `label` is read out.
fn open(height: usize, label: &str) -> String {
    let label = escape(label);
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\"><title>{label}</title>\n")
}

/// Packets over time, and below them incidents by severity: a step, severity, how many.
pub(super) fn over_time(series: &Series, incidents: &[(usize, u8, u64)]) -> String {
    const TOP: usize = 150;
    const ROW: usize = 14;
    const HEIGHT: usize = TOP + 20 + 5 * ROW + 4;
    let most = series.counts.iter().copied().max().unwrap_or(0).max(1);
    let steps = series.counts.len().max(1);
    let mut out = open(
        HEIGHT,
        &format!("Packets over time, at most {} in {}", thousands(most), times::span(std::time::Duration::from_secs(series.width))),
    );
    let x = |step: usize| 40.0 + (WIDTH as f64 - 50.0) * step as f64 / steps as f64;
    let wide = ((WIDTH as f64 - 50.0) / steps as f64 - 0.8).max(0.6);
    // Writing to a String does not fail, neither here nor below.
    let _ = writeln!(out, "<text class=\"dim\" x=\"36\" y=\"12\" text-anchor=\"end\">{}</text>", short(most));
    let _ = writeln!(out, "<text class=\"dim\" x=\"36\" y=\"{TOP}\" text-anchor=\"end\">0</text>");
    for (step, count) in series.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let high = ((TOP - 10) as f64 * *count as f64 / most as f64).max(1.0);
        let when = escape(&times::plain(series.at(step)));
        let _ = writeln!(
            out,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\"><title>{when}: {} packets</title></rect>",
            x(step),
            TOP as f64 - high,
            thousands(*count),
        );
    }
    let _ = writeln!(out, "<line class=\"axis\" x1=\"40\" x2=\"{}\" y1=\"{TOP}\" y2=\"{TOP}\"/>", WIDTH - 10);
    for (step, anchor) in [(0, "start"), (steps / 2, "middle"), (steps - 1, "end")] {
        let _ = writeln!(
            out,
            "<text class=\"dim\" x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            x(step) + wide / 2.0,
            TOP + 14,
            escape(&times::plain(series.at(step))),
        );
    }
    for severity in 1..=5_u8 {
        let y = TOP + 20 + usize::from(5 - severity) * ROW;
        let _ = writeln!(out, "<text class=\"dim\" x=\"36\" y=\"{}\" text-anchor=\"end\">{severity}</text>", y + ROW - 3);
        for (step, _, count) in incidents.iter().filter(|(_, of, _)| *of == severity) {
            let _ = writeln!(
                out,
                "<rect class=\"s{severity}\" x=\"{:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\"><title>{}: {count} of severity {severity}</title></rect>",
                x(*step),
                y + 1,
                wide.max(3.0),
                ROW - 2,
                escape(&times::plain(series.at(*step))),
            );
        }
    }
    out + "</svg>\n"
}

/// Packets by weekday and hour.
pub(super) fn week(week: &Week) -> String {
    const CELL: usize = 28;
    const ROW: usize = 20;
    let most = week.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut out = open(7 * ROW + 18, &format!("Packets by weekday and hour, at most {} in one hour of the week", thousands(most)));
    for (day, (name, hours)) in DAYS.iter().zip(week).enumerate() {
        let _ = writeln!(out, "<text class=\"dim\" x=\"36\" y=\"{}\" text-anchor=\"end\">{name}</text>", day * ROW + 14);
        for (hour, count) in hours.iter().enumerate() {
            // Nine shades by the logarithm, because one scan is a thousand times a quiet hour.
            let part = (*count as f64).ln_1p() / (most as f64).ln_1p();
            let shade = (0..=9).find(|shade| part <= f64::from(*shade) / 9.0).unwrap_or(9);
            let _ = writeln!(
                out,
                "<rect class=\"h{shade}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{name} {hour:02}:00: {} packets</title></rect>",
                40 + hour * CELL,
                day * ROW,
                CELL - 2,
                ROW - 2,
                thousands(*count),
            );
        }
    }
    for hour in (0..24).step_by(3) {
        let _ = writeln!(out, "<text class=\"dim\" x=\"{}\" y=\"{}\">{hour:02}</text>", 40 + hour * CELL, 7 * ROW + 14);
    }
    out + "</svg>\n"
}

/// Which source asked which port: a point each, sources in the order of their addresses, ports by their square roots, so that the low ones have room.
pub(super) fn sources_by_ports(points: &[Point], severities: &HashMap<IpAddr, u8>) -> String {
    const HEIGHT: usize = 320;
    let mut sources: Vec<IpAddr> = points.iter().map(|point| point.source).collect();
    sources.dedup();
    let mut out = open(
        HEIGHT + 20,
        &format!("{} pairs of source and port, of {} sources", thousands(points.len() as u64), thousands(sources.len() as u64)),
    );
    let x = |port: u16| 10.0 + (WIDTH as f64 - 20.0) * (f64::from(port) / 65_535.0).sqrt();
    let places: HashMap<IpAddr, usize> = sources.iter().enumerate().map(|(place, source)| (*source, place)).collect();
    for point in points {
        let place = places.get(&point.source).copied().unwrap_or(0);
        let y = 6.0 + (HEIGHT as f64 - 12.0) * (place as f64 + 0.5) / sources.len().max(1) as f64;
        let radius = (1.5 + (point.packets as f64).ln() * 0.6).min(6.0);
        let severity = severities.get(&point.source).copied().unwrap_or(0).min(5);
        let _ = writeln!(
            out,
            "<circle class=\"s{severity}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"><title>{} port {}: {} packets</title></circle>",
            x(point.port),
            point.source,
            point.port,
            thousands(point.packets),
        );
    }
    let _ = writeln!(out, "<line class=\"axis\" x1=\"10\" x2=\"{}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>", WIDTH - 10);
    for port in PORTS {
        let anchor = if port == 65_535 { "end" } else { "middle" };
        let _ = writeln!(out, "<text class=\"dim\" x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{port}</text>", x(port), HEIGHT + 14);
    }
    out + "</svg>\n"
}

/// `1,234` or `12k` or `3M`.
fn short(count: u64) -> String {
    match count {
        0..10_000 => thousands(count),
        10_000..10_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}
