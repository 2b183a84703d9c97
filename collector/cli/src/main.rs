//! `firebell`: what firebell knows, for people.

mod analyze;
mod compare;
mod input;
mod packets;
mod report;
mod times;

use clap::{Parser, Subcommand};
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// Bad configuration (sysexits.h `EX_CONFIG`).
const EXIT_BAD_CONFIGURATION: u8 = 78;

/// Tells what the firewall log says.
///
/// Exit status: 0 ok, 1 failed, 2 usage, 78 bad configuration.
#[derive(Debug, Parser)]
#[command(name = "firebell", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads recorded logs and tells which scans and attacks are in them. Needs neither daemon, bus nor root.
    Analyze(analyze::Arguments),
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration is wrong; the text says where.
    #[error("{0}")]
    Configuration(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

fn main() -> ExitCode {
    let Arguments { command: Command::Analyze(arguments) } = Arguments::parse();
    match analyze::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has had enough, as `head` has.
        Err(Failure::Other(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without a standard error there is only the exit status.
            let _ = writeln!(io::stderr(), "firebell: {failure}");
            match failure {
                Failure::Configuration(_) => ExitCode::from(EXIT_BAD_CONFIGURATION),
                Failure::Other(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
