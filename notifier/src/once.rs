//! `--once TITLE BODY`: one plain popup for scripts.
//!
//! Through notify-rust, on a connection of its own: an independent client, so that it also proves that the server works
//! when our own way to it is in doubt. It starts its own event loop, so it must not run inside ours.

use firebell_shared::text;
use notify_rust::{Hint, Notification, Urgency};

/// The longest body, in bytes.
const MAX_BODY: usize = 4096;

/// Shows one popup and comes back at once.
///
/// # Errors
/// When there is no session bus or no notification server, or it says no.
pub(crate) fn show(title: &str, body: &str) -> Result<(), notify_rust::error::Error> {
    let capabilities = notify_rust::get_capabilities()?;
    let reads_markup = capabilities.iter().any(|capability| capability == "body-markup");
    Notification::new()
        .appname("Firebell")
        .icon("dialog-information")
        .summary(&text::safe(title.as_bytes(), text::MAX_FIELD))
        .body(&plain(body, reads_markup))
        .hint(Hint::Category("network".to_owned()))
        .hint(Hint::DesktopEntry("firebell".to_owned()))
        .urgency(Urgency::Normal)
        .show()?;
    Ok(())
}

/// Each line made safe, and escaped where the server reads markup.
fn plain(body: &str, reads_markup: bool) -> String {
    let lines: Vec<String> = body.lines().map(|line| text::safe(line.as_bytes(), MAX_BODY)).collect();
    let mut safe = lines.join("\n");
    safe.truncate(safe.floor_char_boundary(MAX_BODY));
    if reads_markup { text::escape_markup(&safe) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_its_lines_and_loses_its_markup() {
        assert_eq!(plain("a <b>\n\x1bc & d", true), "a &lt;b&gt;\n\\x1bc &amp; d");
        assert_eq!(plain("a <b>", false), "a <b>");
        assert!(plain(&"é\n".repeat(5000), false).len() <= MAX_BODY);
    }
}
