//! `make install` and `make uninstall`: everything where a system looks for it, and nothing of it left.

use anyhow::{Context, Result, ensure};
use firebell_tests::program::{built, repository, run};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// `make TARGET` with the programs that were built for the tests.
fn make(target: &str, destination: &Path, prefix: &str) -> Result<String> {
    run(Command::new("make")
        .current_dir(repository())
        .arg(target)
        .env("DESTDIR", destination)
        .env("PREFIX", prefix)
        .env("BIN", built()?)
        .env_remove("ZSH"))
}

/// Every file below `folder`, as a path from there.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { walk(&entry.path(), found)? } else { found.push(entry.path()) }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, &mut found)?;
    Ok(found.into_iter().filter_map(|path| Some(Path::new("/").join(path.strip_prefix(folder).ok()?))).collect())
}

fn at(destination: &Path, path: &str) -> PathBuf {
    destination.join(path.trim_start_matches('/'))
}

#[test]
fn what_is_installed_is_where_a_system_looks_for_it() -> Result<()> {
    for prefix in ["/usr", "/usr/local", "/opt/firebell"] {
        let destination = tempfile::tempdir()?;
        make("install", destination.path(), prefix)?;
        for path in ["sbin/firebelld", "bin/firebell", "bin/firebell-notifier"] {
            let program = at(destination.path(), &format!("{prefix}/{path}"));
            ensure!(run(Command::new(&program).arg("--version"))?.starts_with("firebell"), "{program:?}");
            ensure!(fs::metadata(&program)?.permissions().mode() & 0o7777 == 0o755, "{program:?}");
        }
        for path in [
            "share/man/man1/firebell.1",
            "share/man/man1/firebell-notifier.1",
            "share/man/man5/firebell.toml.5",
            "share/man/man5/notifier.toml.5",
            "share/man/man5/org.firebell.Collector1.5",
            "share/man/man8/firebelld.8",
            "share/bash-completion/completions/firebell",
            "share/fish/vendor_completions.d/firebell.fish",
            "share/zsh/site-functions/_firebell",
            "share/applications/firebell.desktop",
            "share/metainfo/org.firebell.firebell.metainfo.xml",
            "share/icons/hicolor/scalable/apps/firebell.svg",
            "share/icons/hicolor/symbolic/apps/firebell-symbolic.svg",
            "share/dbus-1/interfaces/org.firebell.Collector1.xml",
            "share/doc/firebell/README.md",
            "share/doc/firebell/LICENSE-MIT",
            "share/doc/firebell/examples/read-root-only-logs.conf",
            "lib/systemd/system/firebell-collector.service",
            "lib/systemd/user/firebell-notifier.service",
            "lib/systemd/system-preset/90-firebell.preset",
            "lib/systemd/user-preset/90-firebell.preset",
            "lib/sysusers.d/firebell.conf",
            "lib/tmpfiles.d/firebell.conf",
            "lib/systemd/catalog/firebell.catalog",
        ] {
            ensure!(at(destination.path(), &format!("{prefix}/{path}")).is_file(), "no {prefix}/{path}");
        }
        // Nobody looks for these anywhere else.
        for path in [
            "/usr/share/dbus-1/system.d/org.firebell.Collector1.conf",
            "/usr/share/polkit-1/actions/org.firebell.policy",
            "/etc/xdg/autostart/firebell-notifier.desktop",
            "/etc/logrotate.d/firebell",
        ] {
            ensure!(at(destination.path(), path).is_file(), "no {path}");
        }
        ensure!(at(destination.path(), "/etc/firebell/rules.d").is_dir(), "no folder for rules");
    }
    Ok(())
}

#[test]
fn every_program_that_an_installed_file_starts_is_installed() -> Result<()> {
    let destination = tempfile::tempdir()?;
    make("install", destination.path(), "/opt/firebell")?;
    let mut seen = 0;
    for file in files(destination.path())? {
        let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if !["service", "desktop"].contains(&kind) {
            continue;
        }
        let text = fs::read_to_string(at(destination.path(), &file.to_string_lossy()))?;
        for line in text.lines().filter(|line| line.starts_with("Exec") && line.contains("firebell")) {
            let program = line.split_once('=').and_then(|(_, command)| command.split(' ').next()).context("no command")?;
            if program.contains("firebell") {
                ensure!(at(destination.path(), program).is_file(), "{}: {line}", file.display());
                seen += 1;
            }
        }
    }
    ensure!(seen >= 4, "only {seen} files start something");
    Ok(())
}

#[test]
fn uninstall_leaves_what_others_put_there_and_nothing_else() -> Result<()> {
    let destination = tempfile::tempdir()?;
    make("install", destination.path(), "/usr/local")?;
    let others: BTreeSet<PathBuf> = ["/etc/firebell/firebell.toml", "/usr/local/bin/other", "/usr/local/share/doc/other/README"]
        .into_iter()
        .map(PathBuf::from)
        .collect();
    for path in &others {
        let path = at(destination.path(), &path.to_string_lossy());
        fs::create_dir_all(path.parent().context("a file in a folder")?)?;
        fs::write(path, "")?;
    }
    make("uninstall", destination.path(), "/usr/local")?;
    let left = files(destination.path())?;
    ensure!(left == others, "left {left:?}");
    ensure!(!at(destination.path(), "/usr/local/share/doc/firebell").exists(), "its folder of documents is left");

    // Without a configuration there is no reason for the folder either, and a second time there is nothing to do.
    fs::remove_file(at(destination.path(), "/etc/firebell/firebell.toml"))?;
    make("uninstall", destination.path(), "/usr/local")?;
    ensure!(!at(destination.path(), "/etc/firebell").exists(), "/etc/firebell is left");
    Ok(())
}

#[test]
fn an_install_over_an_older_one_keeps_the_configuration() -> Result<()> {
    let destination = tempfile::tempdir()?;
    make("install", destination.path(), "/usr")?;
    let config = at(destination.path(), "/etc/firebell/firebell.toml");
    fs::write(&config, "[bus]\nviewers = [\"ana\"]\n")?;
    let before = files(destination.path())?;
    make("install", destination.path(), "/usr")?;
    ensure!(files(destination.path())? == before, "other files than before");
    ensure!(fs::read_to_string(config)?.contains("ana"), "the configuration was written over");
    Ok(())
}

#[test]
fn install_without_built_programs_says_what_comes_first() -> Result<()> {
    let (destination, empty) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let output =
        Command::new(repository().join("systemd/package/install")).env("DESTDIR", destination.path()).env("BIN", empty.path()).output()?;
    ensure!(!output.status.success(), "it went well: {output:?}");
    ensure!(String::from_utf8_lossy(&output.stderr).contains("make build"), "{output:?}");
    ensure!(files(destination.path())?.is_empty(), "something was installed");
    Ok(())
}

#[test]
fn bash_completes_commands_and_their_options() -> Result<()> {
    let script = run(Command::new(built()?.join("firebell")).args(["completions", "bash"]))?;
    // What bash does when somebody presses the tabulator key.
    let complete = |words: &str| -> Result<String> {
        let number = words.split(' ').count() - 1;
        run(Command::new("bash").arg("-c").arg(format!(
            "{script}\nCOMP_WORDS=({words} ''); COMP_WORDS=(\"${{COMP_WORDS[@]:0:{}}}\"); COMP_CWORD={number}; \
             _firebell firebell \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            number + 1
        )))
    };
    ensure!(complete("firebell ana")?.trim() == "analyze", "{}", complete("firebell ana")?);
    ensure!(complete("firebell analyze --pack")?.trim() == "--packets", "{}", complete("firebell analyze --pack")?);
    ensure!(complete("firebell rules imp")?.trim() == "import-psad", "{}", complete("firebell rules imp")?);
    Ok(())
}

#[test]
fn every_shell_reads_its_completions() -> Result<()> {
    for shell in ["bash", "fish", "zsh"] {
        let script = run(Command::new(built()?.join("firebell")).args(["completions", shell]))?;
        ensure!(script.contains("analyze") && script.contains("import-psad"), "{shell}: {script}");
        // The others are not everywhere; bash is.
        if shell != "bash" && Command::new(shell).arg("--version").output().is_err() {
            eprintln!("left out: no {shell}");
            continue;
        }
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), script)?;
        run(Command::new(shell).arg("-n").arg(file.path()))?;
    }
    Ok(())
}
