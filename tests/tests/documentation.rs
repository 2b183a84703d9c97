//! What the documentation says can be done, can be done.

use anyhow::{Context, Result, bail, ensure};
use firebell_tests::{
    bus::need_root,
    program::{Program, built, repository, run},
    rig::{Desktop, VIEWER, bus_policy, script, with_rigs},
    stage::Stage,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
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
    commands_of(&repository().join("README.md"))
}

/// Every command of a document's shell blocks, in words, without `sudo`.
fn commands_of(document: &Path) -> Result<Vec<Vec<String>>> {
    let lines = blocks(&fs::read_to_string(document)?, "sh").concat();
    Ok(lines.lines().map(|line| line.split_whitespace().filter(|word| *word != "sudo").map(str::to_owned).collect()).collect())
}

#[test]
fn every_command_of_the_page_on_debugging_works() -> Result<()> {
    with_rigs("the commands of docs/DEBUGGING.md", || {
        let desktop = Desktop::up("dunst", VIEWER, &["--policy", &bus_policy()])?;
        let scan = fs::File::open(repository().join("tests/corpus/dev/syn.kmsg.log"))?;
        let _collector = desktop.collector(&built()?.join("firebelld"), "", &["--replay", "-", "--vouch"], Stdio::from(scan))?;
        let agent = Program::start("firebell-notifier", &mut desktop.our_command(&built()?.join("firebell-notifier"))?)?;
        agent.wait_for(Duration::from_secs(10), |line| line.text.contains("listening to the collector"))?;
        let mut tried = 0;
        for words in commands_of(&repository().join("docs/DEBUGGING.md"))? {
            ensure!(words.first().is_some_and(|word| word == "busctl"), "this test does not know how to try {words:?}");
            // On the bus of the session as the person whose it is.
            let is_users = words.iter().any(|word| word == "--user");
            let mut command = if is_users { desktop.command(Path::new("timeout"))? } else { Command::new("timeout") };
            command.arg("3").args(&words).env("DBUS_SYSTEM_BUS_ADDRESS", desktop.system_bus()?).stdin(Stdio::null());
            if words.iter().any(|word| word == "monitor" || word == "capture") {
                // It runs until it is ended; `timeout` says so with 124.
                let output = command.output()?;
                ensure!(output.status.code() == Some(124), "{words:?} ended by itself with {output:?}");
            } else {
                let said = run(&mut command).with_context(|| words.join(" "))?;
                ensure!(!said.trim().is_empty() || words.iter().any(|word| word == "Reload"), "{words:?} says nothing");
            }
            tried += 1;
            // No more calls a second than the collector answers.
            thread::sleep(Duration::from_millis(50));
        }
        ensure!(tried >= 25, "only {tried} commands");
        Ok(())
    })
}

#[test]
fn a_person_who_has_never_seen_it_is_answered_by_the_commands_of_the_page() -> Result<()> {
    with_rigs("the commands of docs/ANSWERS.md", || {
        need_root()?;
        let stage = Stage::new()?;
        let mut collector = Some(stage.follow()?);
        for source in ["203.0.113.9", "192.168.1.20"] {
            stage.scan(source, 20)?;
            stage.wait_for(source)?;
        }
        // One of yesterday, which is over.
        let firebell = |words: &[&str]| -> Result<std::process::Output> {
            let mut command = Command::new(built()?.join("firebell"));
            command.args(words).env("DBUS_SYSTEM_BUS_ADDRESS", stage.bus.address()).env("COLUMNS", "80");
            // The collector answers twenty calls a second.
            thread::sleep(Duration::from_millis(100));
            Ok(command.output()?)
        };
        let export = firebell(&["history", "export"])?;
        let line = String::from_utf8(export.stdout)?.lines().next().context("no incident")?.to_owned();
        let mut old: serde_json::Value = serde_json::from_str(&line)?;
        let yesterday = old["time_usec"].as_u64().context("no time")? - 86_400_000_000;
        (old["history"], old["source"], old["time_usec"]) = ("elsewhere".into(), "198.51.100.7".into(), yesterday.into());
        let file = stage.folder.path().join("yesterday.jsonl");
        fs::write(&file, format!("{old}\n"))?;
        let taken = firebell(&["history", "import", &file.display().to_string()])?;
        ensure!(taken.status.success(), "{taken:?}");
        let answers = [
            ("alerts --open", "203.0.113.9"),
            ("status", "incidents"),
            ("show 1", "SRC=203.0.113.9"),
            ("alerts --source 203.0.113.9", "SYN scan"),
            ("explain 1", "spoke"),
            ("alerts --severity 2", "dropped"),
            ("mute 192.168.1.20 --for 30d", "firebell unmute 192.168.1.20"),
            ("unmute 192.168.1.20", "not muted any more"),
            ("trust 192.168.1.20", "firebell untrust 192.168.1.20"),
            ("untrust 192.168.1.20", "not trusted any more"),
            ("alerts --since 2d --until 1h", "198.51.100.7"),
            ("history stats --since 2d", "3 incidents"),
            ("show 3", "told as log"),
        ];
        let mut tried = 0;
        for words in commands_of(&repository().join("docs/ANSWERS.md"))? {
            let words = words.join(" ");
            let words = words.strip_prefix("firebell ").with_context(|| format!("{words} is no command of ours"))?;
            // A whole screen has tests of its own, and the firewall of this machine is nobody's to know.
            if ["watch", "doctor"].contains(&words) {
                continue;
            }
            let output = firebell(&words.split(' ').collect::<Vec<_>>())?;
            let (_, answer) = answers.iter().find(|(asked, _)| *asked == words).with_context(|| format!("no answer to {words}"))?;
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(output.status.success() && said.contains(answer), "{words}: {output:?}");
            tried += 1;
        }
        ensure!(tried >= 12, "only {tried} commands");

        // The report has the same history, from the collector and, while it is stopped, from its files.
        let state = stage.state().display().to_string();
        let report = || firebell(&["report", "--history", "--folder", &state, "-o", "json"]);
        let running: serde_json::Value = serde_json::from_slice(&report()?.stdout)?;
        collector.take().map(Program::stop).transpose()?;
        let stopped: serde_json::Value = serde_json::from_slice(&report()?.stdout)?;
        ensure!(running["analysis"]["alerts"] == stopped["analysis"]["alerts"], "{running:#} {stopped:#}");
        ensure!(running["analysis"]["sources"].as_array().is_some_and(|all| all.len() == 3), "{running:#}");
        ensure!(
            running["packets_over_time"] == stopped["packets_over_time"] && running["pairs"].as_array().is_some_and(|all| all.len() >= 21)
        );
        Ok(())
    })
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
            let marked = [&["Ic".to_owned()], words.as_slice()].concat();
            let in_order = words.is_empty() || known.windows(marked.len()).any(|part| part == marked.as_slice());
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

/// Files of Rust below `folder`, but what was built.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                sources(&path, found)?;
            }
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a test of this name is in the text of a file: its attribute stands in the lines before it.
fn has_test(text: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().filter(|(_, line)| line.starts_with(&head) || line.starts_with(&format!("async {head}"))).any(|(at, _)| {
        lines.iter().take(at).rev().take_while(|line| line.starts_with("#[") || line.starts_with("//")).any(|line| line.contains("test]"))
    })
}

#[test]
fn every_row_of_the_threat_model_names_tests_that_exist() -> Result<()> {
    let mut files = Vec::new();
    for folder in ["shared", "collector", "notifier", "tests"] {
        sources(&repository().join(folder), &mut files)?;
    }
    let (mut rows, mut in_table) = (0, false);
    for line in fs::read_to_string(repository().join("docs/THREAT-MODEL.md"))?.lines() {
        if !line.starts_with('|') {
            in_table = false;
        } else if line.ends_with("| tests |") {
            in_table = true;
        } else if in_table && !line.starts_with("| ---") {
            let named = line.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
            for test in named.split(", ") {
                let (file, name) = test.trim_matches('`').split_once("::").with_context(|| format!("{test:?} names no test: {line}"))?;
                let mut of_that_name = files.iter().filter(|path| path.ends_with(file));
                let is_there = of_that_name.any(|path| fs::read_to_string(path).is_ok_and(|text| has_test(&text, name)));
                ensure!(is_there, "there is no test {name} in {file}");
            }
            rows += 1;
        }
    }
    ensure!(rows >= 40, "only {rows} rows");
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
        "exposure",
        "screenshots",
        "pictures",
        "psad-levels",
        "psad-hits",
        "record-timings",
        "vm",
        "vm-guest",
        "vm-guest-qemu",
        "vm-check",
        "package-check",
        "nightly",
    ] {
        let said = run(script(name).arg("--help"))?;
        ensure!(said.contains("usage: "), "{name} --help: {said}");
    }
    Ok(())
}
