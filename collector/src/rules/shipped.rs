//! The rule files that firebell ships, inside the binaries.

macro_rules! shipped {
    ($($name:literal)*) => {
        /// Name and text of each shipped file, by theme.
        pub const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../signatures/", $name))),)*];
    };
}

shipped! {
    "amplification.toml"
    "ddos-tools.toml"
    "icmp.toml"
    "illegal-packets.toml"
    "ip-options.toml"
    "services.toml"
    "tools.toml"
    "trojans.toml"
    "tunnels.toml"
    "worms.toml"
}

#[cfg(test)]
mod tests {
    use super::SHIPPED;
    use crate::rules::Loaded;
    use firebell_engine::signature::Confidence;
    use std::path::Path;

    #[test]
    fn every_file_of_the_folder_is_in_the_list_and_has_no_mistake() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        there.retain(|name| name.ends_with(".toml"));
        there.sort();
        assert_eq!(there, SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let problems: Vec<String> = Loaded::shipped().problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn every_shipped_rule_says_its_source_and_has_a_line_that_fits_and_one_that_does_not() {
        for entry in Loaded::shipped().rules.entries() {
            let (id, rule) = (&entry.rule.id, &entry.rule);
            assert!(!rule.references.is_empty() && entry.is_enabled, "{id}");
            for expect in [true, false] {
                assert!(entry.tests.iter().any(|test| test.expect == expect), "{id}: no test that expects {expect}");
            }
            assert!(!entry.names_only_a_port() || rule.confidence == Confidence::Hint, "{id}: a port alone is a hint");
        }
    }

    #[test]
    fn every_test_of_the_shipped_rules_passes() {
        let failures: Vec<String> = Loaded::shipped().rules.run_tests().failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
