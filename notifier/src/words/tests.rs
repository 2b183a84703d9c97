use super::*;

fn english() -> Words {
    Words::new(Language::English)
}

#[test]
fn every_catalogue_is_read_without_an_error() {
    for language in Language::ALL {
        if let Err((_, errors)) = FluentResource::try_new(language.catalogue().to_owned()) {
            panic!("{language:?}: {errors:?}");
        }
    }
}

#[test]
fn a_variable_is_put_in_as_it_is_and_never_read_as_a_message() {
    let hostile = "{ title-test } { $n } -term <b>";
    assert_eq!(english().say("several-item", &[("title", hostile.into())]), format!("{hostile}."));
}

#[test]
fn no_number_is_too_large() {
    for number in [0, 1, MAX_NUMBER, u64::MAX] {
        assert!(english().say("several-rest", &[("n", number.into())]).starts_with("And "));
    }
    assert_eq!(english().say("several-rest", &[("n", 1_234_567_u64.into())]), "And 1,234,567 more.");
}

#[test]
fn no_invisible_character_is_put_around_a_variable() {
    let said = english().say("title-port-scan", &[("source", "192.0.2.1".into())]);
    assert_eq!(said, "Port scan from 192.0.2.1");
}

#[test]
fn no_message_is_left_that_nobody_says() {
    let mut code = String::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None => folders.push(path),
                Some(_) => code += std::fs::read_to_string(path).unwrap().split("#[cfg(test)]").next().unwrap(),
            }
        }
    }
    let ids: Vec<&str> = Language::English.catalogue().lines().filter_map(|line| line.split_once(" =")).map(|(id, _)| id).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| !id.starts_with([' ', '#'])).collect();
    assert!(ids.len() > 50, "{ids:?}");
    for id in ids {
        // Techniques are looked up by the kind of the incident.
        let kind = id.strip_prefix("technique-").unwrap_or(id);
        assert!(code.contains(&format!("\"{id}\"")) || code.contains(&format!("\"{kind}\"")), "nobody says {id}");
    }
}
