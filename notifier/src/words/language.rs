//! The languages there are, and which of them the environment asks for.

use super::number::Grouping;
use fluent_bundle::{FluentValue, memoizer::MemoizerKind};
use std::env;
use unic_langid::LanguageIdentifier;

/// A language with a catalogue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
}

impl Language {
    /// All of them, English first.
    pub(crate) const ALL: [Self; 1] = [Self::English];

    /// The language that the environment asks for.
    pub(crate) fn of_environment() -> Self {
        Self::asked_for(|name| env::var(name).ok())
    }

    /// As gettext chooses: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set names the locale; unless that is the one
    /// of programmers (`C`, `POSIX`), `LANGUAGE` may list languages in the order of preference. What we do not have is passed over.
    ///
    /// Source: GNU gettext manual, "Locale Environment Variables" and "The LANGUAGE variable".
    fn asked_for(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let Some(locale) = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set) else { return Self::English };
        if matches!(code(&locale), "C" | "POSIX") {
            return Self::English;
        }
        let list = set("LANGUAGE").unwrap_or_default();
        list.split(':').chain([locale.as_str()]).find_map(Self::of_locale).unwrap_or(Self::English)
    }

    /// `de_AT.UTF-8@euro` is German.
    fn of_locale(locale: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code(locale))
    }

    /// ISO 639-1.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
        }
    }

    pub(super) const fn catalogue(self) -> &'static str {
        match self {
            Self::English => include_str!("../../locales/en/notifier.ftl"),
        }
    }

    /// Decides the plural rules.
    pub(super) fn identifier(self) -> LanguageIdentifier {
        self.code().parse().unwrap_or_default()
    }

    pub(super) const fn grouping(self) -> Grouping {
        match self {
            Self::English => Grouping { separator: ',', first: 1 },
        }
    }

    /// Fluent asks a plain function how to write a number, so there is one for each language.
    pub(super) fn number_formatter<M: MemoizerKind>(self) -> fn(&FluentValue<'_>, &M) -> Option<String> {
        match self {
            Self::English => |value, _| write_number(value, Self::English),
        }
    }
}

/// The language in `de_AT.UTF-8@euro`: `de`.
fn code(locale: &str) -> &str {
    locale.split(['_', '-', '.', '@']).next().unwrap_or_default()
}

fn write_number(value: &FluentValue<'_>, language: Language) -> Option<String> {
    match value {
        // INVARIANT: made from a u64 of at most 2^53 by `Value`.
        FluentValue::Number(number) => Some(language.grouping().write(u64::from(number))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_for(variables: &[(&str, &str)]) -> Language {
        Language::asked_for(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn without_a_language_that_we_have_it_is_english() {
        for variables in
            [&[][..], &[("LANG", "tlh_QX.UTF-8")], &[("LANG", "C.UTF-8")], &[("LANG", "en_GB.UTF-8")], &[("LC_ALL", "\u{1b}[2J")]]
        {
            assert_eq!(asked_for(variables), Language::English, "{variables:?}");
        }
    }
}
