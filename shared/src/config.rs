//! How a configuration file is read: strictly, and with errors that say where and what to do.
//!
//! Configuration structs use `deny_unknown_fields` and neither `flatten` nor `untagged`, which lose
//! the position in the file.

use std::{fmt, path::Path};
pub use toml::Spanned;

/// The largest configuration file we read, in bytes: more is a mistake or an attack.
pub const MAX_BYTES: u64 = 1 << 20;

/// Reads a TOML text as `T`. `path` is only for the message.
///
/// # Errors
/// [`ConfigError`], which prints as `path:line:col: message` with the line and a caret.
pub fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::new(path, text, error.span(), error.message()))
}

/// A mistake in a configuration file, ready to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    line: usize,
    column: usize,
    message: String,
    source_line: String,
    width: usize,
}

impl ConfigError {
    /// A mistake at the bytes `span` of `text`; without a span, at its first character.
    #[must_use]
    pub fn new(path: &Path, text: &str, span: Option<std::ops::Range<usize>>, message: &str) -> Self {
        let span = span.unwrap_or(0..0);
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let source_line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let rest = source_line.chars().count() + 1;
        let width = text.get(start..text.floor_char_boundary(span.end.clamp(start, text.len()))).unwrap_or_default().chars().count();
        Self {
            path: crate::text::safe(path.as_os_str().as_encoded_bytes(), 4096),
            line: before.matches('\n').count() + 1,
            column,
            message: crate::text::safe(message.replace('\n', "; ").as_bytes(), 2048),
            source_line: crate::text::safe(source_line.as_bytes(), 512),
            width: width.clamp(1, rest.saturating_sub(column).max(1)),
        }
    }

    /// Line and column of the mistake, both from 1.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, source_line, width } = self;
        writeln!(f, "{path}:{line}:{column}: {message}")?;
        writeln!(f, "{line:>5} | {source_line}")?;
        write!(f, "{:>5} | {:indent$}{}", "", "", "^".repeat(*width), indent = column - 1)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Config {
        stay_from_severity: crate::severity::Severity,
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_place_and_the_valid_ones() {
        let error = parse::<Config>(Path::new("/etc/firebell/x.toml"), "# hello\nstay-form-severity = 3\n").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.position(), (2, 1));
        assert!(text.starts_with("/etc/firebell/x.toml:2:1: unknown field `stay-form-severity`, expected `stay-from-severity`"), "{text}");
        assert!(text.ends_with("\n    2 | stay-form-severity = 3\n      | ^^^^^^^^^^^^^^^^^^"), "{text}");
    }

    #[test]
    fn a_bad_value_says_what_is_valid() {
        let error = parse::<Config>(Path::new("x.toml"), "stay-from-severity = 9").unwrap_err();
        assert_eq!(error.position(), (1, 22));
        assert!(error.to_string().contains("9 is not a severity; use 1 (background) to 5 (act now)"), "{error}");
    }
}
