use super::*;
use fluent_syntax::ast;
use std::collections::{BTreeMap, BTreeSet};

fn words(language: Language) -> Words {
    Words::new(language, TimeZone::UTC)
}

/// Each message and attribute with the variables that it uses.
fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let resource =
        FluentResource::try_new(language.catalogue().to_owned()).unwrap_or_else(|(_, errors)| panic!("{language:?}: {errors:?}"));
    let mut all = BTreeMap::new();
    for entry in resource.entries() {
        let ast::Entry::Message(message) = entry else {
            assert!(matches!(entry, ast::Entry::Comment(_) | ast::Entry::GroupComment(_) | ast::Entry::ResourceComment(_)), "{entry:?}");
            continue;
        };
        let id = message.id.name.to_owned();
        let attributes = message.attributes.iter().map(|attribute| (format!("{id}.{}", attribute.id.name), &attribute.value));
        for (id, pattern) in message.value.iter().map(|pattern| (id.clone(), pattern)).chain(attributes) {
            let mut variables = BTreeSet::new();
            variables_of(pattern, &mut variables);
            assert!(all.insert(id.clone(), variables).is_none(), "{language:?} has {id} twice");
        }
    }
    all
}

fn variables_of(pattern: &ast::Pattern<&str>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        match element {
            ast::PatternElement::TextElement { .. } => {}
            ast::PatternElement::Placeable { expression: ast::Expression::Inline(inline) } => inline_variable(inline, found),
            ast::PatternElement::Placeable { expression: ast::Expression::Select { selector, variants } } => {
                inline_variable(selector, found);
                variants.iter().for_each(|variant| variables_of(&variant.value, found));
            }
        }
    }
}

fn inline_variable(inline: &ast::InlineExpression<&str>, found: &mut BTreeSet<String>) {
    match inline {
        ast::InlineExpression::VariableReference { id } => drop(found.insert(id.name.to_owned())),
        ast::InlineExpression::StringLiteral { .. } => {}
        other => panic!("a message has only variables in it, not {other:?}"),
    }
}

#[test]
fn every_catalogue_has_the_messages_and_variables_of_english() {
    let english = messages(Language::English);
    assert!(english.len() > 100, "{}", english.len());
    for language in Language::ALL {
        let there = messages(language);
        let missing: Vec<_> = english.keys().filter(|id| !there.contains_key(*id)).collect();
        let extra: Vec<_> = there.keys().filter(|id| !english.contains_key(*id)).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{language:?} lacks {missing:?} and has {extra:?} too many");
        for (id, variables) in &there {
            assert_eq!(Some(variables), english.get(id), "{language:?}: {id}");
        }
    }
}

#[test]
fn no_sentence_was_left_in_english() {
    let english = texts(Language::English);
    // Only a form, or a name that is the same in these languages.
    let same = [
        "port-known",
        "port-unknown",
        "number",
        "what-two",
        "list-next",
        "several-item",
        "which-one",
        "which-all",
        "source-named",
        "service-",
        "technique-udp",
        "button-details",
    ];
    for language in Language::ALL.into_iter().skip(1) {
        for (id, text) in texts(language) {
            let is_form = same.iter().any(|same| id.starts_with(same));
            assert!(is_form || english.get(&id) != Some(&text), "{language:?}: {id} is as in English: {text}");
        }
    }
}

/// Each message with a letter for each variable.
fn texts(language: Language) -> BTreeMap<String, String> {
    let words = words(language);
    let say = |id: &String, variables: &BTreeSet<String>| {
        let variables: Vec<(&str, Value<'_>)> = variables.iter().map(|name| (name.as_str(), Value::from("7"))).collect();
        words.say(id, &variables)
    };
    messages(language).iter().map(|(id, variables)| (id.clone(), say(id, variables))).collect()
}

#[test]
fn plurals_are_those_of_the_language() {
    let minutes = |language, n: u64| words(language).say("took-minutes", &[("n", n.into())]);
    for (language, forms) in [
        (Language::English, ["in 0 minutes", "in 1 minute", "in 2 minutes", "in 5 minutes", "in 21 minutes"]),
        (Language::German, ["in 0 Minuten", "in 1 Minute", "in 2 Minuten", "in 5 Minuten", "in 21 Minuten"]),
        (Language::French, ["en 0 minute", "en 1 minute", "en 2 minutes", "en 5 minutes", "en 21 minutes"]),
        (Language::Spanish, ["en 0 minutos", "en 1 minuto", "en 2 minutos", "en 5 minutos", "en 21 minutos"]),
        (Language::Portuguese, ["em 0 minuto", "em 1 minuto", "em 2 minutos", "em 5 minutos", "em 21 minutos"]),
        (Language::Chinese, ["0 分钟内", "1 分钟内", "2 分钟内", "5 分钟内", "21 分钟内"]),
    ] {
        assert_eq!([0, 1, 2, 5, 21].map(|n| minutes(language, n)), forms, "{language:?}");
    }
}

#[test]
fn numbers_are_grouped_as_the_language_does_it() {
    for (language, said) in [
        (Language::English, "And 1,234,567 more."),
        (Language::German, "Und 1.234.567 weitere."),
        (Language::French, "Et 1\u{202f}234\u{202f}567 autres."),
        (Language::Spanish, "Y 1.234.567 más."),
        (Language::Portuguese, "E mais 1.234.567."),
        (Language::Chinese, "以及另外 1,234,567 个。"),
    ] {
        assert_eq!(words(language).say("several-rest", &[("n", 1_234_567_u64.into())]), said);
    }
    let four = |language| words(language).say("several-rest", &[("n", 1996_u64.into())]);
    assert_eq!((four(Language::Spanish), four(Language::German)), ("Y 1996 más.".into(), "Und 1.996 weitere.".into()));
}

#[test]
fn a_time_is_told_with_its_day_where_that_is_another() {
    // Saturday, 22 November 2025, 08:26:40 UTC.
    let (then, later) = (1_763_800_000_000_000, 1_763_803_600_000_000);
    for (language, today, other) in [
        (Language::English, "x (since 08:26)", "x (since 22 November, 08:26)"),
        (Language::German, "x (seit 08:26 Uhr)", "x (seit 22. November, 08:26 Uhr)"),
        (Language::French, "x (depuis 08:26)", "x (depuis le 22 novembre à 08:26)"),
        (Language::Spanish, "x (desde las 08:26)", "x (desde el 22 de noviembre a las 08:26)"),
        (Language::Portuguese, "x (desde 08:26)", "x (desde 22 de novembro, 08:26)"),
        (Language::Chinese, "自 08:26 起 x", "自 11月22日 08:26 起 x"),
    ] {
        let words = words(language);
        assert_eq!(words.say_time("since", then, later, "x").unwrap(), today);
        assert_eq!(words.say_time("since", then, later + 86_400_000_000, "x").unwrap(), other);
    }
    for no_time in [0, u64::MAX, i64::MAX as u64] {
        assert_eq!(words(Language::English).say_time("since", no_time, later, "x"), None);
    }
    let first = words(Language::French).say_time("since", 1_764_576_000_000_000, later, "x").unwrap();
    assert_eq!(first, "x (depuis le 1er décembre à 08:00)");
}

#[test]
fn what_people_call_a_port_is_translated_where_it_is_a_word() {
    let services = |language: Language| {
        let words = words(language);
        firebell_shared::services::SERVICES.iter().map(move |(_, name)| (*name, words.service(name)))
    };
    for (name, english) in services(Language::English) {
        assert_eq!(name, english, "the English catalogue and the table of services differ");
    }
    // Names that are the same everywhere.
    const NAMES: &[&str] = &[
        "Windows RPC",
        "SQL Server",
        "Siemens S7",
        "Java RMI",
        "Active Directory",
        "IEC 104",
        "OPC UA",
        "MikroTik Winbox",
        "MikroTik API",
        "Redis Sentinel",
        "echo",
        "discard",
        "systat",
        "chargen",
        "whois",
        "finger",
        "ident",
        "rexec",
        "rlogin",
        "rsync",
        "memcached",
        "etcd",
        "mDNS",
        "iSCSI",
        "daytime",
    ];
    for (name, german) in services(Language::German) {
        let is_word = name.contains(' ') || name.starts_with(char::is_lowercase);
        assert!(!is_word || NAMES.contains(&name) || name != german, "{name} is not translated");
    }
    assert_eq!(words(Language::French).service("SMTP over TLS"), "SMTP sur TLS");
    assert_eq!(words(Language::Spanish).service("syslog or rsh"), "syslog o rsh");
}

#[test]
fn a_variable_is_put_in_as_it_is_and_never_read_as_a_message() {
    let hostile = "{ title-test } { $n } -term <b>";
    assert_eq!(words(Language::English).say("several-item", &[("title", hostile.into())]), format!("{hostile}."));
}

#[test]
fn no_number_is_too_large() {
    for language in Language::ALL {
        for number in [0, 1, MAX_NUMBER, u64::MAX] {
            assert!(words(language).say("several-rest", &[("n", number.into())]).len() > 3);
        }
    }
}

#[test]
fn no_invisible_character_is_put_around_a_variable() {
    let said = words(Language::English).say("title-port-scan", &[("source", "192.0.2.1".into())]);
    assert_eq!(said, "Port scan from 192.0.2.1");
}

#[test]
fn what_a_language_lacks_is_said_in_english() {
    let mut words = words(Language::German);
    words.chosen = Catalogue::new_concurrent(Vec::new());
    assert_eq!(words.say("unwatched", &[]), "Until that changes you will not hear of attacks.");
}

#[test]
fn no_message_is_left_that_nobody_says() {
    let mut code = String::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                code += std::fs::read_to_string(path).unwrap().split("#[cfg(test)]").next().unwrap();
            }
        }
    }
    let services: Vec<String> = firebell_shared::services::SERVICES.iter().map(|(_, name)| (*name).to_owned()).collect();
    for id in messages(Language::English).into_keys().filter(|id| !id.contains('.')) {
        // These are put together: techniques by the kind of the incident, times by whether it is today, services by their name.
        let stem = id.strip_prefix("technique-").or_else(|| id.strip_suffix("-time")).or_else(|| id.strip_suffix("-day")).unwrap_or(&id);
        let service = id.strip_prefix("service-").unwrap_or_default().replace('-', " ");
        let is_service = !service.is_empty() && services.iter().any(|name| name.to_lowercase().replace('-', " ").starts_with(&service));
        assert!(is_service || [&id, stem].iter().any(|id| code.contains(&format!("\"{id}\""))), "nobody says {id}");
    }
}

/// What polkit asks is our text too, in a file of its own.
#[test]
fn polkit_asks_in_every_language_too() {
    let policy = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../dbus-policy/org.firebell.policy")).unwrap();
    let actions: Vec<&str> = policy.split("<action ").skip(1).collect();
    assert!(actions.len() >= 2);
    for action in actions {
        for tag in ["description", "message"] {
            let texts: BTreeSet<&str> = Language::ALL
                .into_iter()
                .map(|language| {
                    let open = match language {
                        Language::English => format!("<{tag}>"),
                        language => format!("<{tag} xml:lang=\"{}\">", language.code()),
                    };
                    let mut found = action.split(&open).skip(1).map(|rest| rest.split("</").next().unwrap());
                    let text = found.next().unwrap_or_else(|| panic!("no {open} in {action}"));
                    assert!(!text.trim().is_empty() && found.next().is_none(), "{action}");
                    text
                })
                .collect();
            assert_eq!(texts.len(), Language::ALL.len(), "two languages say the same: {texts:?}");
        }
    }
}
