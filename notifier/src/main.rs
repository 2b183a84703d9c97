//! `firebell-notifier`: turns the alerts of the collector into popups of the user's desktop.
//!
//! ```text
//! system bus --> collector --> agent <--> ledger --> present --> server   --> session bus
//!                (listens)     (loop)     (books)    (popups)    terminal --> standard output
//!                                                                program  --> its standard input
//! ```
//! `present` says everything with `words`, in the language of the person. `ledger` and `present` are pure; the others carry.

mod agent;
mod alarm;
mod backoff;
mod buttons;
mod clock;
mod collector;
mod config;
mod control;
mod desk;
mod hidden;
mod kept;
mod ledger;
mod names;
mod once;
mod page;
mod present;
mod program;
mod quiet;
mod sample;
mod seen;
mod server;
mod state;
mod template;
mod terminal;
mod words;

use crate::{
    agent::{Desktop, Start},
    control::MAX_WAITING,
    hidden::Hidden,
    program::Program,
    seen::Seen,
    server::Server,
    state::StateFile,
    terminal::Terminal,
    words::Words,
};
use clap::Parser;
use firebell_shared::{config::ConfigError, mutes, names::NOTIFIER_NAME};
use std::{
    ffi::OsString,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tracing::info;

/// Exit codes of sysexits(3).
const UNAVAILABLE: u8 = 69;
const BAD_CONFIG: u8 = 78;

/// Shows what the firewall saw as notifications on your desktop. Needs the collector, firebelld, on the system bus.
#[derive(Debug, Parser)]
#[command(version, after_help = config::HELP)]
struct Args {
    /// Read this file instead of $XDG_CONFIG_HOME/firebell/notifier.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only check the configuration.
    #[arg(long, conflicts_with_all = ["print", "once"])]
    check: bool,
    /// Write popups to standard output instead of the session's notification server.
    #[arg(long, conflicts_with = "once")]
    print: bool,
    /// Run PROGRAM for each popup that is shown, changed or taken away, with a JSON document on its standard input. Comes last. Needs no
    /// session.
    #[arg(long, num_args = 1.., allow_hyphen_values = true, value_names = ["PROGRAM", "ARG"], conflicts_with_all = ["print", "once", "check"])]
    exec: Option<Vec<OsString>>,
    /// Show one popup and end.
    #[arg(long, num_args = 2, value_names = ["TITLE", "BODY"], conflicts_with_all = ["config"])]
    once: Option<Vec<String>>,
    /// How much to say on standard error: error, warn, info or debug.
    #[arg(long, default_value = "info", value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug"])]
    log_level: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_max_level(args.log_level.parse().unwrap_or(tracing::Level::INFO))
        .init();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            // Nobody left to tell if this fails.
            let _ = writeln!(io::stderr(), "firebell-notifier: {error:#}");
            if error.is::<ConfigError>() { ExitCode::from(BAD_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some([title, body]) = args.once.as_deref() {
        return Ok(match once::show(title, body) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                writeln!(io::stderr(), "firebell-notifier: the popup was not shown: {error}")?;
                ExitCode::from(UNAVAILABLE)
            }
        });
    }
    let (config, path) = config::load(args.config.as_deref())?;
    if args.check {
        match path {
            Some(path) => writeln!(io::stdout(), "{} is valid", path.display())?,
            None => writeln!(io::stdout(), "no configuration file; the defaults are valid")?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // Ending in the middle of a call is fine: the connections end with us.
        tokio::select! {
            code = serve(config, args) => code,
            _ = terminate.recv() => Ok(ExitCode::SUCCESS),
            _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
        }
    })
}

fn digest_file() -> StateFile {
    StateFile::in_state_dir("notifier-digest", "cannot remember when there was a digest; after a restart there is one sooner")
}

async fn serve(config: config::Config, args: &Args) -> anyhow::Result<ExitCode> {
    let (ask, requests) = mpsc::channel(MAX_WAITING);
    let (desktop, seen, hidden, digest_file) = if let Some(command) = &args.exec {
        // Nor for the program; and what it was told has nothing to do with what the desktop has shown.
        (Desktop::Program(Program::new(command)?), Seen::in_state_dir("exec-seen"), Hidden::nothing(), StateFile::nowhere())
    } else if args.print {
        // What is muted in the desktop is not meant for whoever reads this.
        (Desktop::Terminal(Terminal::new()), Seen::nowhere(), Hidden::nothing(), StateFile::nowhere())
    } else {
        match Server::connect(ask.clone()).await {
            Ok(server) => (Desktop::Server(server), Seen::in_state_dir("notifier-seen"), Hidden::in_state_dir(), digest_file()),
            Err(zbus::Error::NameTaken) => {
                info!("another firebell-notifier serves this session ({} is taken); nothing to do", NOTIFIER_NAME);
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => {
                writeln!(
                    io::stderr(),
                    "firebell-notifier: no session bus ({error}); start me inside a desktop session, or use --print or --exec"
                )?;
                return Ok(ExitCode::from(UNAVAILABLE));
            }
        }
    };
    let words = Words::of_environment().telling(config.templates());
    let config_path = args.config.clone();
    agent::run(Start { config, config_path, words, desktop, seen, hidden, digest_file, requests, ask }).await?;
    Ok(ExitCode::SUCCESS)
}
