//! Texts that a rule looks for, matched without a heap and in bounded time.

use regex_automata::{
    Anchored, Input,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson,
    util::syntax,
};
use std::fmt;

/// A text, or what it may look like. Bytes; case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Exactly(Vec<u8>),
    StartsWith(Vec<u8>),
    Glob(Vec<u8>),
    Regex(Box<Regex>),
}

/// A regular expression as a table: searching it allocates nothing and looks at each byte once.
#[derive(Clone)]
struct Regex {
    source: String,
    table: dense::DFA<Vec<u32>>,
}

/// The table of one expression, in bytes; what needs more is refused.
const MAX_TABLE: usize = 64 * 1024;
/// What building it may take meanwhile.
const MAX_BUILDING: usize = 1024 * 1024;

impl Pattern {
    /// The text itself and nothing more.
    #[must_use]
    pub fn exactly(text: &[u8]) -> Self {
        Self(Form::Exactly(text.to_vec()))
    }

    /// A name, in which `+` at the end stands for anything, as in iptables(8).
    #[must_use]
    pub fn interface(name: &str) -> Self {
        Self(
            name.strip_suffix('+')
                .map_or_else(|| Form::Exactly(name.as_bytes().to_vec()), |start| Form::StartsWith(start.as_bytes().to_vec())),
        )
    }

    /// The whole text, in which `*` stands for any bytes and `?` for one.
    #[must_use]
    pub fn glob(glob: &str) -> Self {
        Self(Form::Glob(glob.as_bytes().to_vec()))
    }

    /// A regular expression, found anywhere in the text. Bytes: `.` and classes are ASCII.
    ///
    /// # Errors
    /// What is wrong with it, or that its table would take more than 64 KiB.
    pub fn regex(source: &str) -> Result<Self, String> {
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(MAX_TABLE))
            .determinize_size_limit(Some(MAX_BUILDING));
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let steps = thompson::Config::new().nfa_size_limit(Some(MAX_BUILDING));
        let built = dense::Builder::new().configure(config).syntax(syntax).thompson(steps).build(source);
        match built {
            Ok(table) => Ok(Self(Form::Regex(Box::new(Regex { source: source.to_owned(), table })))),
            Err(error) if error.is_size_limit_exceeded() => Err(format!("`{source}` needs a table of more than {} KiB", MAX_TABLE / 1024)),
            Err(error) => Err(reason(&error)),
        }
    }

    /// Does `text` look like this?
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.0 {
            Form::Exactly(wanted) => wanted == text,
            Form::StartsWith(start) => text.starts_with(start),
            Form::Glob(glob) => fits(glob, text),
            Form::Regex(regex) => {
                let input = Input::new(text).anchored(Anchored::No).earliest(true);
                regex.table.try_search_fwd(&input).is_ok_and(|found| found.is_some())
            }
        }
    }

    /// The text, where only this one matches.
    pub(super) fn literal(&self) -> Option<&[u8]> {
        if let Form::Exactly(text) = &self.0 { Some(text) } else { None }
    }
}

/// The innermost reason: what a person can mend.
fn reason(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), reason)
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.source).finish()
    }
}

/// Goes back to the last `*` where the rest does not fit: length of the glob times length of the text at most.
fn fits(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match glob.get(g) {
            Some(b'*') => {
                last_star = Some((g, t));
                g += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                g += 1;
                t += 1;
            }
            _ => {
                let Some((star, start)) = last_star else { return false };
                last_star = Some((star, start + 1));
                (g, t) = (star + 1, start + 1);
            }
        }
    }
    glob.get(g..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_form_takes_its_texts_and_no_other() {
        let glob = Pattern::glob("[UFW *] ?x*");
        assert!(glob.matches(b"[UFW BLOCK] ax") && glob.matches(b"[UFW ] ax and more"));
        assert!(!glob.matches(b"[UFW BLOCK] x") && !glob.matches(b" [UFW BLOCK] ax") && !glob.matches(b""));
        let eth = Pattern::interface("eth+");
        assert!(eth.matches(b"eth0") && eth.matches(b"eth") && !eth.matches(b"veth0"));
        assert!(Pattern::interface("eth0").matches(b"eth0") && !Pattern::interface("eth0").matches(b"eth01"));
        let regex = Pattern::regex("^DROP-(wan|lan)[0-9]+$").unwrap();
        assert!(regex.matches(b"DROP-wan12") && !regex.matches(b"DROP-wan") && !regex.matches(b"xDROP-lan1"));
        assert!(Pattern::regex("attack").unwrap().matches(b"an \xff attack!"));
    }

    #[test]
    fn a_regex_that_is_wrong_or_large_is_refused() {
        let error = Pattern::regex("a(b").unwrap_err();
        assert!(error.contains("unclosed group"), "{error}");
        let error = Pattern::regex("[ab]*a[ab]{12}").unwrap_err();
        assert!(error.contains("64 KiB"), "{error}");
        assert!(Pattern::regex("a{1000}{1000}{1000}").is_err());
    }

    proptest! {
        #[test]
        fn a_glob_agrees_with_the_regex_that_says_the_same(glob in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let regex = glob.chars().map(|c| match c {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                c => c.to_string(),
            });
            let regex = Pattern::regex(&format!("^(?s:{})$", regex.collect::<String>()));
            prop_assert_eq!(Pattern::glob(&glob).matches(text.as_bytes()), regex.unwrap().matches(text.as_bytes()));
        }
    }
}
