//! The lines of a rule file: comments, continued lines, and the parts of a rule.

use super::{Reason, Refusal};

/// A rule, with the lines that continue it, is at most so long: the longest of Snort's own have some 4 KB.
pub(super) const MAX_LINE: usize = 64 << 10;
/// Keywords of one rule.
const MAX_OPTIONS: usize = 256;

/// The lines that say something, each with the number of its first line; a line that ends with a backslash goes on.
pub(super) fn logical(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let mut lines = (1_usize..).zip(bytes.split(|byte| *byte == b'\n'));
    std::iter::from_fn(move || {
        loop {
            let (number, first) = lines.next()?;
            let mut line = first.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let mut whole = Vec::new();
            loop {
                let goes_on = line.strip_suffix(b"\\");
                let piece = goes_on.unwrap_or(line);
                // What is beyond the bound is read, and not kept.
                let room = (MAX_LINE + 1).saturating_sub(whole.len());
                whole.extend_from_slice(piece.get(..room).unwrap_or(piece));
                match goes_on.and_then(|_| lines.next()) {
                    Some((_, next)) => line = next.trim_ascii(),
                    None => return Some((number, whole)),
                }
            }
        }
    })
}

/// The parts of a rule: `action proto src sport -> dst dport (name:value; ...)`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule<'a> {
    pub(super) action: &'a str,
    pub(super) proto: &'a str,
    pub(super) src: &'a str,
    pub(super) sport: &'a str,
    pub(super) direction: Direction,
    pub(super) dst: &'a str,
    pub(super) dport: &'a str,
    /// Names in lower case.
    pub(super) options: Vec<(String, &'a str)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forth,
    Both,
}

impl<'a> Rule<'a> {
    /// Takes a logical line apart.
    pub(super) fn parse(line: &'a str) -> Result<Self, Refusal> {
        if line.len() > MAX_LINE {
            return Err(Refusal::new(Reason::Syntax, format!("longer than {MAX_LINE} bytes")));
        }
        let (header, options) = line.split_once('(').ok_or_else(|| Refusal::new(Reason::Syntax, "no ( ... ) with keywords"))?;
        let options = options.rsplit_once(')').ok_or_else(|| Refusal::new(Reason::Syntax, "the ( is not closed"))?.0;
        let [action, proto, src, sport, direction, dst, dport] = words(header)
            .try_into()
            .map_err(|_| Refusal::new(Reason::Syntax, "not `action protocol source port -> destination port` before the ("))?;
        let (direction, (src, sport), (dst, dport)) = match direction {
            "->" => (Direction::Forth, (src, sport), (dst, dport)),
            "<>" => (Direction::Both, (src, sport), (dst, dport)),
            "<-" => (Direction::Forth, (dst, dport), (src, sport)),
            other => return Err(Refusal::new(Reason::Syntax, format!("{other} is none of -> <> <-"))),
        };
        Ok(Self { action, proto, src, sport, direction, dst, dport, options: options_of(options)? })
    }

    /// The value of a keyword that is given once; the last of several counts.
    pub(super) fn option(&self, name: &str) -> Option<&'a str> {
        self.options.iter().rev().find(|(given, _)| given == name).map(|(_, value)| *value)
    }
}

/// The words of a header. What stands in brackets is one word, spaces and all.
fn words(header: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut depth, mut start) = (0_usize, None);
    for (at, c) in header.char_indices() {
        if c.is_ascii_whitespace() && depth == 0 {
            words.extend(start.take().and_then(|start| header.get(start..at)));
        } else {
            start.get_or_insert(at);
            depth = match c {
                '[' => depth + 1,
                ']' => depth.saturating_sub(1),
                _ => depth,
            };
        }
    }
    words.extend(start.and_then(|start| header.get(start..)));
    words
}

/// Splits `name:value; name;` at semicolons that are neither quoted nor escaped.
fn options_of(text: &str) -> Result<Vec<(String, &str)>, Refusal> {
    let mut options = Vec::new();
    let (mut is_quoted, mut is_escaped, mut start) = (false, false, 0);
    let ends = text.char_indices().filter_map(|(at, c)| {
        let is_end = c == ';' && !is_quoted && !is_escaped;
        if c == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = c == '\\' && !is_escaped;
        is_end.then_some(at)
    });
    for end in ends.chain([text.len()]) {
        let piece = text.get(start..end).unwrap_or_default().trim();
        start = end + 1;
        if piece.is_empty() {
            continue;
        }
        if options.len() == MAX_OPTIONS {
            return Err(Refusal::new(Reason::Syntax, format!("more than {MAX_OPTIONS} keywords")));
        }
        let (name, value) = piece.split_once(':').unwrap_or((piece, ""));
        options.push((name.trim().to_ascii_lowercase(), value.trim()));
    }
    Ok(options)
}

/// A quoted value without its quotes and backslashes.
pub(super) fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').map_or(value, |rest| rest.strip_suffix('"').unwrap_or(rest));
    let mut out = String::with_capacity(inner.len());
    let mut is_escaped = false;
    for c in inner.chars() {
        is_escaped = c == '\\' && !is_escaped;
        if !is_escaped {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_after_a_backslash_and_keeps_its_number() {
        let text = b"# a comment\n\nalert tcp \\\n  any any -> any 80 \\\n (sid:1;)\nlast\\";
        let lines: Vec<_> = logical(text).map(|(number, line)| (number, String::from_utf8(line).unwrap())).collect();
        assert_eq!(lines, [(3, "alert tcp any any -> any 80 (sid:1;)".to_owned()), (6, "last".to_owned())]);
    }

    #[test]
    fn what_is_quoted_or_escaped_does_not_end_a_keyword() {
        let rule = Rule::parse(
            r#"alert tcp [1.2.3.4, !1.2.3.5] 1: <- $HOME_NET any (msg:"a; \"b\" (c)"; reference:url,x?a=kb\;b; sameip ;; Sid:7;) ;"#,
        )
        .unwrap();
        assert_eq!((rule.src, rule.sport, rule.dst, rule.dport), ("$HOME_NET", "any", "[1.2.3.4, !1.2.3.5]", "1:"));
        let names: Vec<_> = rule.options.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(names, [("msg", r#""a; \"b\" (c)""#), ("reference", r"url,x?a=kb\;b"), ("sameip", ""), ("sid", "7")]);
        assert_eq!(unquoted(rule.option("msg").unwrap()), r#"a; "b" (c)"#);
    }

    #[test]
    fn what_is_no_rule_says_so() {
        for text in [
            "",
            "var HOME_NET any",
            "alert tcp any any -> any (sid:1;)",
            "alert tcp any any >> any 80 (sid:1;)",
            "alert tcp any any -> any 80 (sid:1;",
        ] {
            assert_eq!(Rule::parse(text).unwrap_err().reason, Reason::Syntax, "{text}");
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let text = "x".repeat(MAX_LINE) + "\\\n" + &"y".repeat(MAX_LINE);
        let (_, line) = logical(text.as_bytes()).next().unwrap();
        assert_eq!(line.len(), MAX_LINE + 1);
        assert!(Rule::parse(std::str::from_utf8(&line).unwrap()).unwrap_err().detail.contains("longer than"));
    }
}
