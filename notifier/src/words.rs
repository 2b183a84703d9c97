//! What the agent says, in the language of the person at the desk.
//!
//! Sentences live in catalogues (`locales/LANGUAGE/notifier.ftl`, Project Fluent), one for each language and all in the
//! program. [`Words`] is the one value that everybody who says something takes: chosen at the start and when the configuration is read again.
//!
//! What comes from outside is only ever a variable of a message: it is put in as it is and never read as a message.

mod language;
mod number;
mod time;

use crate::{names::Names, template::Templates};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use jiff::tz::TimeZone;
pub(crate) use language::Language;
use std::fmt;

/// More than this is not told apart by a language's plural rules, which count with floating point.
const MAX_NUMBER: u64 = 1 << 53;

/// All that the agent can say.
pub(crate) struct Words {
    language: Language,
    chosen: Catalogue,
    /// For what is missing there; none where English is the language that was chosen.
    english: Option<Catalogue>,
    /// Where the person at the desk is.
    zone: TimeZone,
    names: Names,
    templates: Templates,
}

type Catalogue = FluentBundle<FluentResource>;

/// A variable of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// Counted and grouped as the language does it.
    Number(u64),
    /// Put in as it is.
    Text(&'a str),
}

impl Words {
    /// The words of one language, with the times of `zone`. They know no addresses.
    pub(crate) fn new(language: Language, zone: TimeZone) -> Self {
        let english = (language != Language::English).then(|| catalogue(Language::English));
        Self { language, chosen: catalogue(language), english, zone, names: Names::default(), templates: Templates::default() }
    }

    /// The words of the language that the environment asks for, with the times and names of this computer.
    pub(crate) fn of_environment() -> Self {
        Self::new(Language::of_environment(), TimeZone::system()).knowing(Names::of_this_computer())
    }

    /// The same words, with these names for addresses.
    pub(crate) fn knowing(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// The same words, but incidents are told as these templates say.
    pub(crate) fn telling(self, templates: Templates) -> Self {
        Self { templates, ..self }
    }

    /// How the user wants incidents to be told.
    pub(crate) fn templates(&self) -> &Templates {
        &self.templates
    }

    /// What addresses are called.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Are sentences that others wrote in English in the language of these words?
    pub(crate) fn is_english(&self) -> bool {
        self.language == Language::English
    }

    /// Says the message `id`, or its attribute where it is `id.attribute`. A message that a language lacks is said in English.
    pub(crate) fn say(&self, id: &str, variables: &[(&str, Value<'_>)]) -> String {
        let mut arguments = FluentArgs::with_capacity(variables.len());
        for (name, value) in variables {
            arguments.set(*name, FluentValue::from(*value));
        }
        [Some(&self.chosen), self.english.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|catalogue| said(catalogue, id, &arguments))
            .unwrap_or_else(|| {
                debug_assert!(false, "{id} is no message, or it wants another variable");
                id.to_owned()
            })
    }
}

impl Words {
    /// What people call a port: `SSH`, `remote desktop`. Words are translated, names are not.
    pub(crate) fn service(&self, name: &str) -> String {
        if let Some(name) = name.strip_suffix(" over TLS") {
            return self.say("service-over-tls", &[("name", (&self.service(name)).into())]);
        }
        if let Some((first, second)) = name.split_once(" or ") {
            return self.say("service-or", &[("first", (&self.service(first)).into()), ("second", (&self.service(second)).into())]);
        }
        let plain = name.split(" (").next().unwrap_or(name);
        let id = format!("service-{}", plain.to_ascii_lowercase().replace(' ', "-"));
        if self.chosen.has_message(&id) { self.say(&id, &[]) } else { name.to_owned() }
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").field("language", &self.language).finish_non_exhaustive()
    }
}

/// `None` where the catalogue does not have it, or it wants a variable that it was not given.
fn said(catalogue: &Catalogue, id: &str, arguments: &FluentArgs<'_>) -> Option<String> {
    let (message, attribute) = id.split_once('.').map_or((id, None), |(message, attribute)| (message, Some(attribute)));
    let message = catalogue.get_message(message)?;
    let pattern = match attribute {
        Some(attribute) => message.get_attribute(attribute)?.value(),
        None => message.value()?,
    };
    let mut errors = Vec::new();
    let text = catalogue.format_pattern(pattern, Some(arguments), &mut errors);
    errors.is_empty().then(|| text.into_owned())
}

fn catalogue(language: Language) -> Catalogue {
    // What can be read of a damaged one is kept; a test holds that none is.
    let resource = FluentResource::try_new(language.catalogue().to_owned()).unwrap_or_else(|(resource, _)| resource);
    let mut catalogue = Catalogue::new_concurrent(vec![language.identifier()]);
    // The isolates that Fluent puts around variables are invisible characters, which `text::safe` would show as such.
    // None of our languages is written from right to left, so there is nothing to isolate.
    catalogue.set_use_isolating(false);
    catalogue.set_formatter(Some(language.number_formatter()));
    catalogue.add_resource_overriding(resource);
    catalogue
}

impl From<Value<'_>> for FluentValue<'static> {
    fn from(value: Value<'_>) -> Self {
        match value {
            // Fluent panics on numbers that a u64 cannot hold once they were rounded up.
            Value::Number(number) => FluentValue::from(number.min(MAX_NUMBER)),
            Value::Text(text) => FluentValue::from(text.to_owned()),
        }
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

#[cfg(test)]
mod tests;
