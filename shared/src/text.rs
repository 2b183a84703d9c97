//! Bytes from outside become text for people here, and nowhere else.
//!
//! A log prefix, an interface name or a bus message may hold anything: terminal controls, bidi marks
//! that turn a line around, markup, a megabyte. What leaves [`safe`] is printable and bounded.

/// The longest string that a field of an alert may have, in bytes.
pub const MAX_FIELD: usize = 512;

/// Makes `bytes` fit to show: at most `max` bytes of printable UTF-8.
///
/// Controls, bidi and other invisible format characters, line separators and invalid UTF-8 are
/// written as `\xNN` or `\u{NNNN}`; a longer text ends with `…`. The result is plain text: where a
/// reader takes markup, [`escape_markup`] comes after it.
#[must_use]
pub fn safe(bytes: &[u8], max: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(max));
    let mut room = Room { out: &mut out, max };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let fits = if is_hidden(c) {
                if u32::from(c) < 0x100 {
                    room.push(&format!("\\x{:02x}", u32::from(c)))
                } else {
                    room.push(&format!("\\u{{{:x}}}", u32::from(c)))
                }
            } else {
                room.push(c.encode_utf8(&mut [0; 4]))
            };
            if !fits {
                return out;
            }
        }
        for byte in chunk.invalid() {
            if !room.push(&format!("\\x{byte:02x}")) {
                return out;
            }
        }
    }
    out
}

/// The end of a bounded text that is being written.
struct Room<'a> {
    out: &'a mut String,
    max: usize,
}

impl Room<'_> {
    /// Appends `piece`, or an ellipsis where it does not fit. False: full.
    fn push(&mut self, piece: &str) -> bool {
        const ELLIPSIS: &str = "…";
        if self.out.len() + piece.len() <= self.max {
            self.out.push_str(piece);
            return true;
        }
        while self.out.len() + ELLIPSIS.len() > self.max {
            if self.out.pop().is_none() {
                return false;
            }
        }
        self.out.push_str(ELLIPSIS);
        false
    }
}

/// `1996` as `1,996`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Characters that do something else than show themselves.
///
/// Unicode general categories Cc, Cf, Zl and Zp, plus the tag and variation blocks that hide text
/// (Unicode 16.0, `UnicodeData.txt`; bidi controls: UAX #9 section 2).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{115f}'..='\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Escapes `text` for a notification body, where servers with `body-markup` read a little XML.
///
/// Source: Desktop Notifications Specification 1.2, "Markup".
#[must_use]
pub fn escape_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_bidi_and_bad_utf8_are_shown_as_escapes() {
        assert_eq!(safe(b"DROP \x1b[2J\xff", 80), r"DROP \x1b[2J\xff");
        assert_eq!(safe("a\u{202e}b\n".as_bytes(), 80), r"a\u{202e}b\x0a");
        assert_eq!(safe("Größe 22–25".as_bytes(), 80), "Größe 22–25");
    }

    #[test]
    fn a_long_text_ends_with_an_ellipsis_inside_the_bound() {
        assert_eq!(safe(b"abcdefgh", 6), "abc…");
        assert_eq!(safe(b"abcdef", 6), "abcdef");
        assert_eq!(safe(b"abc", 2), "");
    }

    #[test]
    fn markup_is_inert() {
        assert_eq!(escape_markup("<a href='x'>&\"</a>"), "&lt;a href=&apos;x&apos;&gt;&amp;&quot;&lt;/a&gt;");
    }

    proptest! {
        #[test]
        fn any_bytes_become_bounded_printable_text(bytes: Vec<u8>, max in 0_usize..300) {
            let text = safe(&bytes, max);
            prop_assert!(text.len() <= max);
            prop_assert!(!text.chars().any(is_hidden));
        }
    }
}
