//! Titles and bodies in the user's own words: text with fields, `Intrusion detected from {{ source }}`.
//!
//! Fields and nothing else: no conditions, no loops, no filters. So a template that was read cannot fail, take long or
//! grow, and needs no engine (that of minijinja, which reads the same fields, has errors that come only when the
//! popup is made). What a condition would be for is a rule instead: a line whose fields are all empty is left out.
//!
//! Values are put in as they are and never looked at again, so nothing in an alert can be a field or markup.

use std::{fmt, ops::Range};

/// The longest template, in bytes; a popup has less.
const MAX_TEMPLATE: usize = 4096;

/// What a template may name.
macro_rules! fields {
    ($($(#[doc = $doc:literal])* $field:ident = $name:literal,)*) => {
        /// What a template may name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Field { $($(#[doc = $doc])* $field,)* }

        impl Field {
            /// All of them, in the order of the documentation.
            pub(crate) const ALL: &[(&str, Self)] = &[$(($name, Self::$field)),*];
        }
    };
}

fields! {
    /// The title as it would be without a template.
    Title = "title",
    /// The body as it would be without a template, several lines.
    Body = "body",
    /// What happened, how much, how fast: a sentence.
    What = "what",
    /// What the firewall did: a sentence.
    Did = "did",
    /// How sure the source is: a sentence.
    Sure = "sure",
    /// What to do: a sentence.
    Advice = "advice",
    /// The address or network; of several the first three; of our own `this computer`.
    Source = "source",
    /// What this computer calls the source.
    Name = "name",
    /// The addresses that it was aimed at, the first three.
    Targets = "targets",
    /// The ports, `22-25,80`.
    Ports = "ports",
    /// `tcp`, `udp`, ...
    Protocol = "protocol",
    /// Logged packets.
    Packets = "packets",
    /// Distinct destinations and ports.
    Contacts = "contacts",
    /// How long it took, `in 5 seconds`.
    Took = "took",
    /// The kind, `syn-scan`.
    Kind = "kind",
    /// 1 to 5.
    Severity = "severity",
    /// The scanner, where it was recognised.
    Tool = "tool",
    /// The title of the rule that its packets fit.
    Known = "known",
    /// The interface.
    Interface = "interface",
    /// The prefix of the log lines.
    Prefix = "prefix",
    /// The MAC address of the last hop.
    Mac = "mac",
    /// The incident's number, for `firebell show`.
    Id = "id",
}

/// Text with fields in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    lines: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// The templates of the user, where there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Templates {
    pub(crate) title: Option<Template>,
    pub(crate) body: Option<Template>,
}

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("a template of {0} bytes is longer than any popup; use at most {MAX_TEMPLATE}")]
    TooLong(usize),
    #[error("`{{{{ {name} }}}}` is no field; use one of {list}", list = Names)]
    NoField { mark: Mark, name: String },
    #[error("`{{{{` without a `}}}}` after it in the same line")]
    Open(Mark),
    #[error("`{text}`: only fields are replaced, like {{{{ source }}}}; a line whose fields are all empty is left out", text = .0.text)]
    Statement(Mark),
}

/// Where a mistake is: which one of all the `{{`, or `{%`, or `{#`, in the text, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    text: &'static str,
    number: usize,
}

impl TemplateError {
    /// Where the mistake is in `source`, the text as it stands in a file, with its quotation marks and escapes. Nothing where
    /// that cannot be told: it is too long as a whole, or a brace of it is written as an escape.
    pub(crate) fn place(&self, source: &str) -> Option<Range<usize>> {
        let (Self::NoField { mark, .. } | Self::Open(mark) | Self::Statement(mark)) = self else { return None };
        let (start, _) = source.match_indices(mark.text).nth(mark.number)?;
        let line = source.get(start..)?.lines().next()?;
        let length = match self {
            Self::NoField { .. } => line.find("}}").map(|end| end + 2)?,
            _ => mark.text.len(),
        };
        Some(start..start + length)
    }
}

/// All fields, for a message.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Field::ALL.iter().map(|(name, _)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

impl Template {
    /// The text with `value` in the place of each field; lines whose fields are all empty are left out.
    pub(crate) fn fill(&self, value: impl Fn(Field) -> String) -> String {
        let mut lines: Vec<String> = Vec::with_capacity(self.lines.len());
        for parts in &self.lines {
            let (mut line, mut has_field, mut has_value) = (String::new(), false, false);
            for part in parts {
                match part {
                    Part::Text(text) => line.push_str(text),
                    Part::Field(field) => {
                        let value = value(*field);
                        has_field = true;
                        has_value |= !value.is_empty();
                        line.push_str(&value);
                    }
                }
            }
            if has_value || !has_field {
                lines.push(line);
            }
        }
        lines.join("\n")
    }
}

impl TryFrom<&str> for Template {
    type Error = TemplateError;

    fn try_from(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(TemplateError::TooLong(text.len()));
        }
        if let Some(text) = ["{%", "{#"].into_iter().find(|mark| text.contains(mark)) {
            return Err(TemplateError::Statement(Mark { text, number: 0 }));
        }
        let mut number = 0;
        Ok(Self { lines: text.lines().map(|text| line(text, &mut number)).collect::<Result<_, _>>()? })
    }
}

/// `number`: how many `{{` there are before this line, and then after it.
fn line(mut text: &str, number: &mut usize) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    while let Some((before, rest)) = text.split_once("{{") {
        let mark = Mark { text: "{{", number: *number };
        let (name, after) = rest.split_once("}}").ok_or(TemplateError::Open(mark))?;
        *number += 1;
        let name = name.trim();
        let field = Field::ALL.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        let field = field.ok_or_else(|| TemplateError::NoField { mark, name: name.to_owned() })?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Field(field));
        text = after;
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, TemplateError> {
        Template::try_from(text)
    }

    fn fill(text: &str) -> String {
        template(text).unwrap().fill(|field| match field {
            Field::Source => "192.0.2.1".into(),
            Field::Known => "{{ tool }} <b>{{".into(),
            _ => String::new(),
        })
    }

    #[test]
    fn fields_are_replaced_and_everything_else_is_text() {
        assert_eq!(fill("Intrusion detected from {{ source }}"), "Intrusion detected from 192.0.2.1");
        assert_eq!(fill("{{source}}{{  source  }} } }} $ {x} %"), "192.0.2.1192.0.2.1 } }} $ {x} %");
        assert_eq!(fill(""), "");
    }

    #[test]
    fn a_line_whose_fields_are_all_empty_is_left_out() {
        assert_eq!(fill("a\nTool: {{ tool }}\n\nFrom {{ source }} {{ tool }}\n"), "a\n\nFrom 192.0.2.1 ");
    }

    #[test]
    fn a_value_is_never_a_field() {
        assert_eq!(fill("{{ known }} {{ source }}"), "{{ tool }} <b>{{ 192.0.2.1");
    }

    #[test]
    fn mistakes_are_told_when_it_is_read() {
        for (text, says) in [
            ("{{ sorce }}", "`{{ sorce }}` is no field; use one of title, body, what,"),
            ("a\n{{ source.x }}", "`{{ source.x }}` is no field"),
            ("{{}}", "`{{  }}` is no field"),
            ("{{ source", "`{{` without a `}}`"),
            ("{{ source\n}}", "`{{` without a `}}`"),
            ("{% if source %}", "`{%`: only fields are replaced"),
            ("{# no #}", "`{#`: only fields"),
            (&"x".repeat(5000), "a template of 5000 bytes"),
        ] {
            let error = template(text).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn the_documentation_names_every_field() {
        let text = include_str!("../../docs/NOTIFIER.md").split("\n## ").find(|section| section.starts_with("Templates\n")).unwrap();
        for (name, _) in Field::ALL {
            assert!(text.contains(&format!("| `{name}` | ")), "docs/NOTIFIER.md does not name {name}");
        }
        assert_eq!(text.matches("\n| `").count(), Field::ALL.len(), "docs/NOTIFIER.md names a field that is not there");
    }
}
