//! What the documentation says can be done, can be done.

use anyhow::{Context, Result, bail, ensure};
use firebell_tests::{
    program::{built, repository, run},
    rig::{Desktop, VIEWER, bus_policy, script, with_rigs},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Fenced blocks of `text` in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_end() == fence {
            found.push(lines.by_ref().take_while(|line| !line.starts_with("```")).fold(String::new(), |block, line| block + line + "\n"));
        }
    }
    found
}

/// README and everything below `docs`.
fn documents() -> Result<Vec<PathBuf>> {
    let mut found = vec![repository().join("README.md")];
    for entry in fs::read_dir(repository().join("docs"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "md") {
            found.push(path);
        }
    }
    Ok(found)
}

#[test]
fn every_configuration_in_the_documents_is_valid() -> Result<()> {
    let mut seen = 0;
    for document in documents()? {
        for block in blocks(&fs::read_to_string(&document)?, "toml") {
            // The first line names the file.
            let (program, arguments): (_, &[&str]) = match block.lines().next().unwrap_or_default() {
                first if first.ends_with("/firebell.toml") => ("firebelld", &["--check", "--config"]),
                first if first.ends_with("/notifier.toml") => ("firebell-notifier", &["--check", "--config"]),
                // Reads the file, and runs the tests of its rules.
                first if first.contains("/rules.d/") => ("firebell", &["rules", "test"]),
                first => bail!("{}: a TOML block begins with a comment that names its file, not with {first:?}", document.display()),
            };
            let file = tempfile::NamedTempFile::with_suffix(".toml")?;
            fs::write(file.path(), &block)?;
            run(Command::new(built()?.join(program)).args(arguments).arg(file.path()))
                .with_context(|| format!("{}:\n{block}", document.display()))?;
            seen += 1;
        }
    }
    ensure!(seen >= 2, "only {seen} TOML blocks");
    Ok(())
}

#[test]
fn every_make_target_and_analyze_command_of_the_readme_works() -> Result<()> {
    let commands = readme_commands()?;
    for words in &commands {
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            // Installs; `tests/rigs/packages` is what does that.
            ["apt-get", "install", "make"] => {}
            ["make", target] => drop(run(Command::new("make").arg("-n").arg(target).current_dir(repository()))?),
            // Their status tells of this machine, and of who asks.
            ["firebell", "doctor"] | ["firebell", "setup", "--print"] => {
                let output = Command::new(built()?.join("firebell")).args(words.get(1..).unwrap_or_default()).output()?;
                if words.last().is_some_and(|word| word == "--print") {
                    let is_root = run(Command::new("id").arg("-u"))?.trim() == "0";
                    ensure!(output.status.code() == Some(if is_root { 0 } else { 77 }), "{words:?}: {output:?}");
                    continue;
                }
                ensure!(output.status.code().is_some_and(|code| code < 2) && !output.stdout.is_empty(), "{words:?}: {output:?}");
            }
            ["firebell", rest @ ..] => {
                let said = run(Command::new(built()?.join("firebell")).args(rest).current_dir(repository()))?;
                ensure!(!said.trim().is_empty(), "{words:?} says nothing");
            }
            // The next test.
            ["busctl", ..] => {}
            _ => bail!("this test does not know how to try {words:?}"),
        }
    }
    ensure!(commands.iter().any(|words| words.first().is_some_and(|word| word == "firebell")), "no firebell command in the README");
    Ok(())
}

#[test]
fn every_busctl_command_of_the_readme_works() -> Result<()> {
    with_rigs("the README's busctl commands", || {
        let desktop = Desktop::up("none", VIEWER, &["--no-screen", "--policy", &bus_policy()])?;
        let scan = fs::File::open(repository().join("tests/corpus/dev/syn.kmsg.log"))?;
        let _collector = desktop.collector(&built()?.join("firebelld"), "", &["--replay", "-", "--vouch"], Stdio::from(scan))?;
        let mut tried = 0;
        for words in readme_commands()?.iter().filter(|words| words.first().is_some_and(|word| word == "busctl")) {
            let mut command = Command::new("timeout");
            command.arg("5").args(words).env("DBUS_SYSTEM_BUS_ADDRESS", desktop.system_bus()?);
            if words.iter().any(|word| word == "monitor") {
                // It runs until it is ended; `timeout` says so with 124.
                let status = command.args(["--quiet"]).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
                ensure!(status.code() == Some(124), "{words:?} ended by itself with {status}");
            } else {
                let said = run(&mut command)?;
                ensure!(!said.trim().is_empty(), "{words:?} says nothing");
            }
            tried += 1;
        }
        ensure!(tried >= 4, "only {tried} busctl commands");
        Ok(())
    })
}

/// Every command of the README's shell blocks, in words, without `sudo`.
fn readme_commands() -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(repository().join("README.md"))?;
    let lines = blocks(&text, "sh").concat();
    Ok(lines.lines().map(|line| line.split_whitespace().filter(|word| *word != "sudo").map(str::to_owned).collect()).collect())
}

#[test]
fn every_link_of_the_documents_leads_somewhere() -> Result<()> {
    for document in documents()?.into_iter().chain(["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(|name| repository().join(name))) {
        let text = fs::read_to_string(&document)?;
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let is_elsewhere = target.starts_with("https://") || target.starts_with('#');
            let path = document.parent().unwrap_or(Path::new("/")).join(target.split('#').next().unwrap_or_default());
            ensure!(is_elsewhere || path.exists(), "{}: {target} leads nowhere", document.display());
        }
    }
    Ok(())
}

/// The page without its mdoc marks, as words that stand apart.
fn page_words(name: &str) -> Result<Vec<String>> {
    let page = fs::read_to_string(repository().join("docs/man").join(name))?;
    Ok(page.replace("\\-", "-").split(|letter: char| letter.is_whitespace() || "\"(),".contains(letter)).map(str::to_owned).collect())
}

/// The help of a command and of all commands below it: the words that lead there, and what it prints.
fn helps(program: &str, words: &[String], found: &mut Vec<(Vec<String>, String)>) -> Result<()> {
    let help = run(Command::new(built()?.join(program)).args(words).arg("--help"))?;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
    for name in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        helps(program, &[words, &[name.to_owned()]].concat(), found)?;
    }
    found.push((words.to_vec(), help));
    Ok(())
}

#[test]
fn every_command_and_option_is_in_its_manual_page() -> Result<()> {
    for (program, page) in [("firebelld", "firebelld.8"), ("firebell-notifier", "firebell-notifier.1"), ("firebell", "firebell.1")] {
        let known = page_words(page)?;
        let mut found = Vec::new();
        helps(program, &[], &mut found)?;
        let mut options = std::collections::BTreeSet::from(["-help".to_owned(), "-version".to_owned()]);
        for (words, help) in &found {
            let in_order = words.is_empty() || known.windows(words.len()).any(|part| part == words.as_slice());
            ensure!(in_order, "{page} does not have the command {words:?}");
            for line in help.lines().map(str::trim_start).filter(|line| line.starts_with('-') && !line.starts_with("- ")) {
                let option = line.split([' ', ',', '=']).find(|word| word.starts_with("--")).context("an option without a long name")?;
                // mdoc prints the first of the two dashes itself.
                let option = option.get(1..).unwrap_or_default().to_owned();
                ensure!(known.contains(&option), "{page} does not have the option -{option} of {words:?}");
                options.insert(option);
            }
        }
        for word in known.windows(2).filter(|pair| pair.first().is_some_and(|word| word == "Fl")).filter_map(|pair| pair.last()) {
            ensure!(!word.starts_with('-') || options.contains(word), "{page} has an option -{word} that {program} does not have");
        }
    }
    Ok(())
}

#[test]
fn every_member_of_the_bus_interface_is_in_its_manual_page() -> Result<()> {
    let known = page_words("org.firebell.Collector1.5")?;
    let interface = fs::read_to_string(repository().join("dbus-policy/org.firebell.Collector1.xml"))?;
    let mut seen = 0;
    for kind in ["method", "signal", "property"] {
        for name in interface.split(&format!("<{kind} name=\"")).skip(1).filter_map(|rest| rest.split('"').next()) {
            let mark = if kind == "property" { "Ic" } else { "Fn" };
            ensure!(known.windows(2).any(|pair| pair == [mark, name]), "no {kind} {name}");
            seen += 1;
        }
    }
    ensure!(seen >= 15, "only {seen} members");
    Ok(())
}

#[test]
fn every_script_of_the_rigs_explains_itself() -> Result<()> {
    for name in [
        "check",
        "run",
        "demo",
        "packages",
        "netns-up",
        "netns-down",
        "scan",
        "desktop-up",
        "desktop-down",
        "desktop-shot",
        "bench-latency",
        "bench-idle",
        "coverage",
        "screenshots",
        "psad-levels",
        "psad-hits",
        "record-timings",
        "vm",
        "vm-guest",
        "vm-check",
    ] {
        let said = run(script(name).arg("--help"))?;
        ensure!(said.contains("usage: "), "{name} --help: {said}");
    }
    Ok(())
}
