//! `firebell completions`: what lets a shell complete the words of this command.

use crate::Failure;
use anyhow::Context as _;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::{Shell, generate};
use std::io::{self, Write as _};

/// Made from the command line itself, so it knows every option of this version. `make install` puts it where the shell looks.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell that is to complete them.
    #[arg(value_name = "SHELL")]
    shell: Name,
}

/// Those whose completions are installed; each is tried by a test.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Bash,
    Fish,
    Zsh,
}

/// Prints the completions.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let shell = match arguments.shell {
        Name::Bash => Shell::Bash,
        Name::Fish => Shell::Fish,
        Name::Zsh => Shell::Zsh,
    };
    // Not straight to the standard output: whoever closes it would end us with a panic.
    let mut text = Vec::new();
    generate(shell, &mut crate::Arguments::command(), "firebell", &mut text);
    io::stdout().write_all(&text).context("writing to the standard output")?;
    Ok(())
}
