//! An alert of the running collector.

use crate::{Failure, live::ask};
use serde_json::Value;
use std::io::Write as _;

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus, no such alert, or it does not tell this user.
pub(super) fn run(out: &mut Vec<u8>, id: u64, is_json: bool) -> Result<(), Failure> {
    let answer = ask(async |collector| collector.explain(id).await)?;
    if is_json {
        out.extend(answer.as_bytes());
        out.push(b'\n');
        return Ok(());
    }
    let document: Value = serde_json::from_str(&answer).map_err(anyhow::Error::from)?;
    text(out, &document);
    Ok(())
}

/// For people. Writing into memory does not fail.
fn text(out: &mut Vec<u8>, document: &Value) {
    let word = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| document.get(key).and_then(Value::as_u64).unwrap_or_default();
    let _ = writeln!(out, "{} {}, told as {}", word("kind"), number("severity"), word("delivery"));
    let _ = writeln!(out, "  {}\n  {}", word("summary"), word("why"));
    for (title, key) in [("\nDetectors", "detectors"), ("\nWhat would silence it", "silenced_by")] {
        let entries = document.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !entries.is_empty() {
            let _ = writeln!(out, "{title}");
        }
        for entry in entries {
            let field =
                |key: &str| entry.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default();
            let _ = if key == "detectors" {
                writeln!(
                    out,
                    "  {:<6} {:<7} {} of {}  {}  {}",
                    field("state"),
                    field("id"),
                    field("value"),
                    field("threshold"),
                    field("what"),
                    field("parameter")
                )
            } else {
                writeln!(out, "  {}", field("toml").trim_end().replace('\n', "\n  "))
            };
        }
    }
}
