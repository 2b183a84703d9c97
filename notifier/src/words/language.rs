//! The languages there are, and which of them the environment asks for.

use super::number::Grouping;
use fluent_bundle::{FluentValue, memoizer::MemoizerKind};
use std::env;
use unic_langid::LanguageIdentifier;

/// A language with a catalogue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
    French,
    Spanish,
    Portuguese,
    /// In simplified characters.
    Chinese,
}

impl Language {
    /// All of them, English first.
    pub(crate) const ALL: [Self; 6] = [Self::English, Self::German, Self::French, Self::Spanish, Self::Portuguese, Self::Chinese];

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
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
            Self::Chinese => "zh",
        }
    }

    pub(super) const fn catalogue(self) -> &'static str {
        match self {
            Self::English => include_str!("../../locales/en/notifier.ftl"),
            Self::German => include_str!("../../locales/de/notifier.ftl"),
            Self::French => include_str!("../../locales/fr/notifier.ftl"),
            Self::Spanish => include_str!("../../locales/es/notifier.ftl"),
            Self::Portuguese => include_str!("../../locales/pt/notifier.ftl"),
            Self::Chinese => include_str!("../../locales/zh/notifier.ftl"),
        }
    }

    /// Decides the plural rules.
    pub(super) fn identifier(self) -> LanguageIdentifier {
        self.code().parse().unwrap_or_default()
    }

    pub(super) const fn grouping(self) -> Grouping {
        match self {
            Self::English | Self::Chinese => Grouping { separator: ',', first: 1 },
            Self::German | Self::Portuguese => Grouping { separator: '.', first: 1 },
            // A narrow space where no line is broken.
            Self::French => Grouping { separator: '\u{202f}', first: 1 },
            Self::Spanish => Grouping { separator: '.', first: 2 },
        }
    }

    /// Fluent asks a plain function how to write a number, so there is one for each language.
    pub(super) fn number_formatter<M: MemoizerKind>(self) -> fn(&FluentValue<'_>, &M) -> Option<String> {
        match self {
            Self::English => |value, _| write_number(value, Self::English),
            Self::German => |value, _| write_number(value, Self::German),
            Self::French => |value, _| write_number(value, Self::French),
            Self::Spanish => |value, _| write_number(value, Self::Spanish),
            Self::Portuguese => |value, _| write_number(value, Self::Portuguese),
            Self::Chinese => |value, _| write_number(value, Self::Chinese),
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
            [&[][..], &[("LANG", "tlh_QX.UTF-8")], &[("LANG", "en_GB.UTF-8")], &[("LC_ALL", "\u{1b}[2J")], &[("LANGUAGE", "de")]]
        {
            assert_eq!(asked_for(variables), Language::English, "{variables:?}");
        }
    }

    #[test]
    fn the_locale_of_messages_decides_whatever_its_country_and_encoding() {
        for (variables, language) in [
            (&[("LANG", "de_AT.UTF-8@euro")][..], Language::German),
            (&[("LANG", "de_DE.UTF-8"), ("LC_MESSAGES", "fr_CA.UTF-8")], Language::French),
            (&[("LANG", "de_DE.UTF-8"), ("LC_MESSAGES", "fr_FR"), ("LC_ALL", "es_MX.UTF-8")], Language::Spanish),
            (&[("LANG", "pt_BR.UTF-8"), ("LC_ALL", "")], Language::Portuguese),
            (&[("LANG", "zh_CN.GB18030")], Language::Chinese),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C.UTF-8")], Language::English),
        ] {
            assert_eq!(asked_for(variables), language, "{variables:?}");
        }
    }

    #[test]
    fn the_list_of_languages_goes_before_the_locale_but_not_before_that_of_programmers() {
        for (variables, language) in [
            (&[("LANG", "en_US.UTF-8"), ("LANGUAGE", "eo:sv_SE:fr:de")][..], Language::French),
            (&[("LANG", "es_ES.UTF-8"), ("LANGUAGE", "eo:sv")], Language::Spanish),
            (&[("LANG", "de_DE.UTF-8"), ("LANGUAGE", "")], Language::German),
            (&[("LANG", "C"), ("LANGUAGE", "de")], Language::English),
            (&[("LC_ALL", "POSIX"), ("LANG", "de_DE"), ("LANGUAGE", "de")], Language::English),
        ] {
            assert_eq!(asked_for(variables), language, "{variables:?}");
        }
    }
}
