//! How the screen looks. Pure: a state in, characters out. Everything is told without colours, too.

use super::{
    super::{show, timeline::Timeline},
    state::State,
};
use crate::times;
use firebell_engine::tick::Tick;
use firebell_shared::{
    alert::Alert,
    services,
    text::{safe, thousands},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::Line,
    widgets::{Paragraph, Wrap},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of a line: more than any screen is wide.
const MAX_LINE: usize = 1024;
/// From few to many.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const KEYS: &str = "Arrows choose  Enter details  / filter  o all  a acknowledge  m mute  q quit";

/// Draws all of it.
pub(super) fn screen(frame: &mut Frame<'_>, state: &State) {
    let [head, body, foot] = Layout::vertical([Constraint::Length(4), Constraint::Min(1), Constraint::Length(2)]).areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines(state)), head);
    match state.details {
        Some(line) => details(frame, body, state, line),
        None => incidents(frame, body, state),
    }
    frame.render_widget(Paragraph::new(foot_lines(state)), foot);
}

fn head_lines(state: &State) -> Vec<Line<'static>> {
    let word = |key: &str| state.counters.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| state.counters.get(key).and_then(Value::as_u64).unwrap_or_default();
    let (health, reason) = (word("health"), word("health_reason"));
    let health = match (&state.gone, health, reason) {
        (Some(why), ..) => format!("{why}; waiting for it"),
        (None, "", _) => "asking the collector".to_owned(),
        (None, health, "") => format!("firebelld {}: {health}", word("version")),
        (None, health, reason) => format!("firebelld {}: {health}: {reason}", word("version")),
    };
    let rate = state.rates.back().copied().unwrap_or(0);
    let lost = number("lines_lost") + number("lines_too_long");
    let now = times::plain(times::now());
    vec![
        line(&health).style(Style::new().add_modifier(Modifier::BOLD)),
        line(&format!(
            "{} packets a second {}  {} so far, {} lines lost",
            thousands(rate),
            bars(state),
            thousands(number("packets")),
            thousands(lost)
        )),
        line(&hour(&state.hour)),
        line(&format!(
            "{} on{}; it is {now} UTC",
            if state.open() == 1 { "1 incident goes".to_owned() } else { format!("{} incidents go", state.open()) },
            if state.shows_all { ", all are shown" } else { "" }
        ))
        .style(Style::new().add_modifier(Modifier::UNDERLINED)),
    ]
}

/// The rates of the last half minute, the highest as high as a line.
fn bars(state: &State) -> String {
    let most = u128::from(state.rates.iter().copied().max().unwrap_or(0).max(1));
    let bar = |rate: &u64| {
        // The highest rate has the last of the bars, and only silence the first.
        let step = (u128::from(*rate) * (BARS.len() as u128 - 1)).div_ceil(most);
        usize::try_from(step).ok().and_then(|step| BARS.get(step)).copied().unwrap_or('█')
    };
    state.rates.iter().map(bar).collect()
}

fn hour(summary: &BTreeMap<String, Value>) -> String {
    let words = |key: &str| summary.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let number = |key: &str| summary.get(key).and_then(Value::as_u64).unwrap_or_default();
    let ports: Vec<String> = words("top_ports")
        .take(4)
        .map(|port| port.split_once(' ').map_or_else(|| port.to_owned(), |(protocol, list)| format!("{protocol} {}", services::told(list))))
        .collect();
    let ports = if ports.is_empty() { String::new() } else { format!("; ports {}", ports.join(", ")) };
    let many = |count: u64, word: &str| format!("{} {word}{}", thousands(count), if count == 1 { "" } else { "s" });
    format!("last hour: {}, {}{ports}", many(number("incidents"), "incident"), many(number("sources"), "source"))
}

fn incidents(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.rows();
    if rows.is_empty() {
        let none = if state.filter.is_empty() { "Nothing goes on" } else { "Nothing that goes on has this in it" };
        return frame.render_widget(Paragraph::new(line(none)), area);
    }
    let (place, height) = (state.place(&rows), usize::from(area.height).max(1));
    let first = (place + 1).saturating_sub(height);
    let lines: Vec<Line<'_>> =
        (first..).zip(rows.iter().skip(first).take(height)).map(|(n, alert)| incident(alert, n == place, state.has_colours)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// One incident in a line. The chosen one has a mark of its own: not every terminal shows reversed text.
fn incident(alert: &Alert, is_chosen: bool, has_colours: bool) -> Line<'static> {
    let ago = times::now().since(Tick::from_micros(alert.details.last_seen));
    let state = match (alert.is_open(), alert.details.acknowledged.is_some()) {
        (true, false) => ' ',
        (true, true) => '+',
        (false, _) => '-',
    };
    let text = format!(
        "{}{:>6}{state} {} {:>9} ago  {}: {}",
        if is_chosen { '>' } else { ' ' },
        alert.id,
        alert.severity,
        short(ago),
        super::super::alerts::source(alert),
        alert.summary
    );
    let mut style = Style::new();
    if is_chosen {
        style = style.add_modifier(Modifier::REVERSED);
    }
    if alert.severity.get() >= 4 {
        style = style.add_modifier(Modifier::BOLD);
    }
    if has_colours && alert.is_open() {
        style = match alert.severity.get() {
            5 => style.fg(Color::Red),
            4 => style.fg(Color::LightRed),
            3 => style.fg(Color::Yellow),
            _ => style,
        };
    }
    line(&text).style(style)
}

/// The larger unit of a span.
fn short(span: std::time::Duration) -> String {
    let text = times::span(span);
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn details(frame: &mut Frame<'_>, area: Rect, state: &State, from: u16) {
    let rows = state.rows();
    let Some(alert) = rows.get(state.place(&rows)) else {
        return frame.render_widget(Paragraph::new(line("This one is over; o shows those, too")), area);
    };
    let lines: Vec<Line<'_>> = show::text(alert, &Timeline::default(), &[]).lines().map(line).collect();
    let last = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(1);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((from.min(last), 0)), area);
}

fn foot_lines(state: &State) -> Vec<Line<'static>> {
    let filter = match (state.is_filtering, state.filter.is_empty()) {
        (true, _) => format!("filter: {}_   Enter keeps it, Esc takes it away", state.filter),
        (false, false) => format!("filter: {}   Esc takes it away", state.filter),
        (false, true) if state.details.is_some() => "Up and Down scroll, Enter goes back, a acknowledges, m mutes".to_owned(),
        (false, true) => KEYS.to_owned(),
    };
    let said = state.question().unwrap_or_else(|| state.said.clone());
    vec![line(&said).style(Style::new().add_modifier(Modifier::BOLD)), line(&filter)]
}

/// Nothing that a terminal would obey.
fn line(text: &str) -> Line<'static> {
    Line::raw(safe(text.as_bytes(), MAX_LINE))
}

#[cfg(test)]
mod tests {
    use super::{super::feed::News, *};
    use crate::live::sample;
    use ratatui::{
        Terminal,
        backend::TestBackend,
        crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    };
    use serde_json::json;

    fn shown(state: &State, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen(frame, state)).unwrap();
        let buffer = terminal.backend().buffer();
        let rows = buffer.content().chunks(usize::from(width));
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()).collect()
    }

    fn state() -> State {
        let mut state = State::new(String::new(), false, true);
        let counters = json!({ "health": "ok", "version": "0.1.0", "packets": 1234, "lines_lost": 2 });
        state.take(News::Status(serde_json::from_value(counters).unwrap()));
        state.take(News::Hour(serde_json::from_value(json!({ "incidents": 3, "sources": 2, "top_ports": ["tcp 22"] })).unwrap()));
        let alerts = (1..=40).map(|id| {
            let mut alert = sample();
            (alert.id, alert.details.last_seen) = (id, alert.details.last_seen + id);
            alert
        });
        state.take(News::Alerts(alerts.collect()));
        state
    }

    #[test]
    fn on_80_columns_and_24_lines_stand_health_rate_ports_and_the_chosen_incident() {
        let mut state = state();
        let rows = shown(&state, 80, 24);
        assert!(rows[0].starts_with("firebelld 0.1.0: ok") && rows[1].contains("1,234 so far, 2 lines lost"), "{rows:#?}");
        assert_eq!(rows[2], "last hour: 3 incidents, 2 sources; ports tcp 22 (SSH)");
        assert!(rows[4].starts_with(">    40  3 ") && rows[4].contains("198.51.100.66: SYN scan of 7 TCP ports"), "{rows:#?}");
        assert_eq!(rows[23], KEYS);
        state.press(KeyEvent::new(KeyCode::End, KeyModifiers::NONE));
        let rows = shown(&state, 80, 24);
        assert!(rows[21].starts_with(">     1  3 "), "the last one is scrolled to: {rows:#?}");
        state.press(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
        let rows = shown(&state, 80, 24);
        assert!(
            rows[4].starts_with("1: SYN scan") && rows.iter().any(|row| row.contains("packets     14, 7 distinct contacts")),
            "{rows:#?}"
        );
    }

    #[test]
    fn any_size_of_a_screen_will_do_and_nothing_hostile_gets_through() {
        let mut state = state();
        let mut alert = sample();
        (alert.id, alert.summary) = (99, "\u{1b}[2J\u{202e}evil\n\n".repeat(100));
        alert.details.why.clone_from(&alert.summary);
        state.take(News::Alerts(vec![alert]));
        state.take(News::Gone("\u{1b}]0;x\u{7}".into()));
        for details in [None, Some(0), Some(9), Some(u16::MAX)] {
            state.details = details;
            for (width, height) in [(1, 1), (80, 24), (10, 3), (200, 60), (80, 6), (20, 7)] {
                let text = shown(&state, width, height).concat();
                assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
            }
        }
    }

    #[test]
    fn the_highest_rate_has_the_highest_bar_and_silence_the_lowest() {
        let mut state = state();
        for rates in [[0, 0, 0], [0, 5, 10], [u64::MAX, 1, 0]] {
            state.rates = rates.into();
            let bars: Vec<char> = bars(&state).chars().collect();
            let highest = rates.iter().max().unwrap();
            for (rate, bar) in rates.iter().zip(bars) {
                assert!(bar == '█' || *highest == 0 || rate != highest, "{rates:?}");
                assert_eq!(bar == '▁', *rate == 0, "{rates:?}");
            }
        }
    }
}
