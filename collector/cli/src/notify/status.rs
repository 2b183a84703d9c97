//! `firebell notify status`.

use super::ask;
use crate::{
    Failure,
    live::{Form, json, lines, plain},
    times,
};
use firebell_engine::tick::Tick;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Asks, and prints.
///
/// # Errors
/// There is no agent in this session.
pub(super) fn run(out: &mut Vec<u8>, form: Form) -> Result<(), Failure> {
    let status = ask(async |agent| agent.status().await)?;
    let mut status: Vec<(String, Value)> = status.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
    status.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let status: Map<String, Value> = status.into_iter().collect();
    match form {
        Form::Json => json(out, &Value::Object(status)),
        Form::Text => lines(out, &text(&status)),
    }
    Ok(())
}

fn text(status: &Map<String, Value>) -> String {
    let word = |key: &str| status.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| status.get(key).and_then(Value::as_u64).unwrap_or_default();
    let list = |key: &str| status.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let collector = match word("collector") {
        "ok" => "alerts of the collector arrive".to_owned(),
        "blind" => format!("the collector sees nothing: {}", word("collector_reason")),
        _ => "there is no collector on the system bus, or it does not serve this user".to_owned(),
    };
    let server = if word("server") == "absent" { "there is no notification server" } else { "popups can be shown" };
    let mut out = String::new();
    // Writing to a String does not fail, neither here nor below.
    let _ = writeln!(out, "firebell-notifier {}, {collector}, {server}", word("version"));
    let _ = writeln!(
        out,
        "popups   {} shown, {} times changed, {} left in this hour; {} incidents on record",
        number("popups_shown"),
        number("popups_updated"),
        number("popups_left"),
        number("incidents")
    );
    let _ = writeln!(
        out,
        "no popup {} alerts called for none, {} incidents were muted, {} shared one, {} had none for want of budget",
        number("alerts_quiet"),
        number("incidents_muted"),
        number("incidents_gathered"),
        number("incidents_held")
    );
    let quiet: Vec<&str> = list("quiet").iter().filter_map(Value::as_str).collect();
    if !quiet.is_empty() {
        let _ = writeln!(out, "quiet    {}: {} incidents wait to be told", quiet.join(", "), number("incidents_waiting"));
    }
    for (n, source) in list("muted").iter().filter_map(Value::as_str).enumerate() {
        let until = match list("muted_until").get(n).and_then(Value::as_u64) {
            None | Some(0) => "until you end it".to_owned(),
            Some(seconds) => format!("until {} UTC", times::plain(Tick::from_secs(seconds))),
        };
        let _ = writeln!(out, "muted    {source} {until}: firebell notify unmute {source}");
    }
    for source in list("trusted").iter().filter_map(Value::as_str) {
        let _ = writeln!(out, "trusted  {source}: firebell notify untrust {source}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_muted_source_has_a_line_with_its_end_and_how_to_undo_it() {
        let status = json!({ "version": "1", "collector": "ok", "server": "ok", "popups_left": 5,
            "quiet": ["hours", "locked"], "incidents_waiting": 3, "muted": ["192.0.2.7", "192.0.2.8"], "muted_until": [0, 1_790_000_000], "trusted": ["2001:db8::/64"] });
        let text = text(status.as_object().unwrap());
        assert!(text.starts_with("firebell-notifier 1, alerts of the collector arrive, popups can be shown\n"), "{text}");
        assert!(text.contains("\nquiet    hours, locked: 3 incidents wait to be told\n"), "{text}");
        assert!(text.contains("\nmuted    192.0.2.7 until you end it: firebell notify unmute 192.0.2.7\n"), "{text}");
        assert!(text.contains("\nmuted    192.0.2.8 until 2026-09-21 14:13:20 UTC: "), "{text}");
        assert!(text.ends_with("trusted  2001:db8::/64: firebell notify untrust 2001:db8::/64\n"), "{text}");
    }
}
