//! `firebell`: what firebell knows, for people.

mod analyze;
mod choice;
mod compare;
mod completions;
mod doctor;
mod explain;
mod firewall;
mod form;
mod html;
mod import_psad;
mod input;
mod live;
mod live_test;
mod notify;
mod overview;
mod packets;
mod programs;
mod report;
mod rules;
mod setup;
mod times;
mod unpack;

use clap::{Parser, Subcommand};
use firebell_shared::text::safe;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// The collector cannot be reached (sysexits.h `EX_UNAVAILABLE`).
const EXIT_NO_COLLECTOR: u8 = 69;
/// Not permitted (sysexits.h `EX_NOPERM`).
const EXIT_NOT_PERMITTED: u8 = 77;
/// Bad configuration (sysexits.h `EX_CONFIG`).
const EXIT_BAD_CONFIGURATION: u8 = 78;
/// The longest line of a complaint, bytes.
const MAX_COMPLAINT: usize = 4_000;

/// Tells what the firewall log says.
///
/// Exit status: 0 ok, 1 failed or (doctor) something found, 2 usage, 69 no collector (notify: no agent), 77 not permitted, 78 bad configuration.
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
    /// Makes one page of log files, with charts: what happened, when, by whom.
    Report(overview::Arguments),
    /// Explains an alert, or why there is none: lines, scores beside thresholds, and what would have silenced it.
    Explain(explain::Arguments),
    /// How well the running collector sees, and what goes on now.
    Status(live::StatusArguments),
    /// The incidents of the running collector.
    Alerts(live::AlertsArguments),
    /// One incident of the running collector, with everything that is known of it.
    Show(live::ShowArguments),
    /// What goes on, while it goes on, on a whole screen.
    Watch(live::WatchArguments),
    /// What is kept of all incidents, also while the collector is stopped.
    #[command(subcommand)]
    History(live::HistoryCommand),
    /// Says that incidents are dealt with, until they become worse or begin again.
    Ack(live::AckArguments),
    /// Writes a note to an incident.
    Note(live::NoteArguments),
    /// Gives a source no popups on this machine for a time, for anybody, unless it becomes worse. It is seen and kept.
    Mute(live::MuteArguments),
    /// Ends a mute.
    Unmute(live::SourceArguments),
    /// Looks at nothing that a source sends; it is only counted.
    Trust(live::SourceArguments),
    /// Ends trust.
    Untrust(live::SourceArguments),
    /// Why nothing is seen, or not everything: looks at the firewall, the kernel, the bus and the desktop, and says what to do.
    Doctor(doctor::Arguments),
    /// Lets the firewall log what it refuses, and takes that away again (root).
    Setup(setup::Arguments),
    /// Sends known scans through the machine's own kernel log, and tells which were seen (root).
    Test(live_test::Arguments),
    /// The popups of your desktop: mute a source, trust a device, try how they look.
    Notify(notify::Arguments),
    ImportPsad(import_psad::whole::Arguments),
    /// Looks after the rules by which known packets are told.
    #[command(subcommand)]
    Rules(rules::Command),
    /// Prints what lets a shell complete the words of this command.
    Completions(completions::Arguments),
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration is wrong; the text says where.
    #[error("{0}")]
    Configuration(String),
    /// Nobody is there to answer.
    #[error("{0}")]
    NoCollector(String),
    /// The collector does not serve this user.
    #[error("{0}")]
    NotPermitted(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// What a call to the collector came to.
    fn from_bus(error: &zbus::Error) -> Self {
        use zbus::fdo;
        match error {
            zbus::Error::Connection(..) | zbus::Error::InputOutput(_) | zbus::Error::Address(_) | zbus::Error::Handshake(_) => {
                Self::NoCollector(format!("the system bus cannot be reached: {error}"))
            }
            zbus::Error::FDO(error) => match &**error {
                fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
                    Self::NoCollector("no collector is on the system bus; start firebelld".to_owned())
                }
                fdo::Error::AccessDenied(text) => Self::NotPermitted(text.clone()),
                other => Self::Other(anyhow::anyhow!("the collector does not answer: {other}")),
            },
            zbus::Error::MethodError(name, text, _) => {
                let text = text.clone().unwrap_or_else(|| name.to_string());
                if name.as_str().ends_with(".NotAuthorized") { Self::NotPermitted(text) } else { Self::Other(anyhow::anyhow!(text)) }
            }
            other => Self::Other(anyhow::anyhow!("the collector does not answer: {other}")),
        }
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Analyze(arguments) => analyze::run(&arguments),
        Command::Report(arguments) => overview::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Status(arguments) => live::status(&arguments),
        Command::Alerts(arguments) => live::alerts(&arguments),
        Command::Show(arguments) => live::show(&arguments),
        Command::Watch(arguments) => live::watch(&arguments),
        Command::History(command) => live::history(&command),
        Command::Ack(arguments) => live::ack(&arguments),
        Command::Note(arguments) => live::note(&arguments),
        Command::Mute(arguments) => live::mute(&arguments),
        Command::Unmute(arguments) => live::unmute(&arguments),
        Command::Trust(arguments) => live::trust(&arguments),
        Command::Untrust(arguments) => live::untrust(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Test(arguments) => live_test::run(&arguments),
        Command::Notify(arguments) => notify::run(&arguments),
        Command::ImportPsad(arguments) => import_psad::whole::run(&arguments),
        Command::Rules(command) => rules::run(&command),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has had enough, as `head` has.
        Err(Failure::Other(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without a standard error there is only the exit status.
            let _ = io::stderr().write_all(complaint(&failure).as_bytes());
            match failure {
                Failure::Configuration(_) => ExitCode::from(EXIT_BAD_CONFIGURATION),
                Failure::NoCollector(_) => ExitCode::from(EXIT_NO_COLLECTOR),
                Failure::NotPermitted(_) => ExitCode::from(EXIT_NOT_PERMITTED),
                Failure::Other(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// What is complained of may quote anything: a rule set, a file, another program.
fn complaint(failure: &Failure) -> String {
    let text = format!("firebell: {failure}");
    text.lines().map(|line| safe(line.as_bytes(), MAX_COMPLAINT) + "\n").collect()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
