//! Popups on the terminal, where there is no desktop: `--print`.

use crate::{
    present::{Popup, Urgency},
    words::Words,
};
use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
};

/// Writes popups to standard output: one line with severity and title, the body indented below.
#[derive(Debug)]
pub(crate) struct Terminal {
    next_id: u32,
    has_colours: bool,
}

impl Terminal {
    /// Colours only on a terminal, and not with `NO_COLOR` (<https://no-color.org>).
    pub(crate) fn new() -> Self {
        let has_colours = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { next_id: 0, has_colours }
    }

    /// Prints a popup; gives its id.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(crate) fn show(&mut self, words: &Words, popup: &Popup, replaces: u32) -> io::Result<u32> {
        let mut out = io::stdout().lock();
        out.write_all(self.text(words, popup, replaces != 0).as_bytes())?;
        out.flush()?;
        if replaces != 0 {
            return Ok(replaces);
        }
        self.next_id += 1;
        Ok(self.next_id)
    }

    fn text(&self, words: &Words, popup: &Popup, is_update: bool) -> String {
        let severity = popup.severity.to_string();
        let id = if is_update { "print-head.update" } else { "print-head" };
        let head = words.say(id, &[("severity", (&severity).into()), ("title", (&popup.title).into())]);
        let (colour, plain) = match popup.urgency() {
            _ if !self.has_colours => ("", ""),
            Urgency::Critical => ("\x1b[1;31m", "\x1b[0m"),
            Urgency::Normal | Urgency::Low => ("\x1b[1m", "\x1b[0m"),
        };
        let mut text = format!("{colour}{head}{plain}\n");
        for line in popup.body.lines() {
            text.push_str("    ");
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::{
        incident,
        tests::{alert, english},
    };
    use firebell_shared::severity::Severity;

    #[test]
    fn a_popup_is_a_line_and_an_indented_body_and_an_update_says_so() {
        let popup = incident(&english(), &alert(1, "syn-scan", 4), Severity::AIMED);
        let plain = Terminal { next_id: 0, has_colours: false };
        let text = plain.text(&english(), &popup, false);
        assert!(text.starts_with("severity 4, Port scan from 198.51.100.66\n    TCP SYN scan: 1,000 ports"), "{text}");
        assert!(!text.contains('\x1b') && text.ends_with('\n'));
        assert!(plain.text(&english(), &popup, true).starts_with("severity 4 (update), Port scan"), "{text}");
    }

    #[test]
    fn what_an_outsider_wrote_cannot_control_the_terminal() {
        let mut evil = alert(1, "newer-kind", 3);
        evil.source = "\x1b]0;owned\x07\r\nseverity 5, forged".into();
        evil.summary = "\x1b[2J\u{202e}x\nseverity 5, forged too".into();
        let text = Terminal { next_id: 0, has_colours: false }.text(&english(), &incident(&english(), &evil, Severity::AIMED), false);
        assert!(!text.contains(['\x1b', '\x07', '\r', '\u{202e}']), "{text:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("severity")).count(), 1, "{text}");
    }
}
