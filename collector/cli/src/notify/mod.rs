//! `firebell notify`: the popups of the person at the desk, asked of their agent over the session bus.

mod status;

use crate::{
    Failure,
    live::{Form, at_bus, json, lines, print},
};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use firebell_shared::{client::NotifierProxy, kind::KINDS, names::ERROR_PREFIX};
use serde_json::json as value;
use std::net::IpAddr;
use zbus::fdo;

/// The longest mute with an end, in seconds: 30 days.
const MAX_SECONDS: u64 = 2_592_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
    /// text for people, json for one document.
    #[arg(short, long, global = true, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tells whether the agent hears the collector and can show popups, what is muted, and what it has shown.
    Status,
    /// Shows no more popups of a source until it becomes worse. Detection goes on, and other users see theirs.
    Mute {
        #[command(flatten)]
        of: Source,
        /// End it after this time by itself: 30m, 8h, 7d; at most 30d. Without it: until `unmute`.
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        seconds: Option<u64>,
    },
    /// Ends a mute. What the source did meanwhile is not shown again.
    Unmute(Source),
    /// Shows no popups of a device that you know, except of severity 5 ("act now").
    Trust(Source),
    /// Ends that.
    Untrust(Source),
    /// Shows a test popup, to see whether popups reach you.
    Test,
    /// Shows how a popup of a kind looks. The last one of these makes way.
    Preview {
        /// The kind of incident.
        #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(KINDS))]
        kind: String,
    },
    /// Lets the agent read notifier.toml again.
    Reload,
}

/// Whose popups.
#[derive(Debug, Args)]
struct Source {
    /// An address (192.0.2.7, 2001:db8::7) or a network (192.0.2.0/24).
    #[arg(value_name = "SOURCE", value_parser = source)]
    source: String,
}

/// Asks, and prints.
///
/// # Errors
/// There is no agent in this session, or it says no.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    print(|out| match &arguments.what {
        What::Status => status::run(out, arguments.output),
        what => {
            let sentence = ask(async |agent| match what {
                What::Mute { of, seconds } => agent.mute(&of.source, seconds.unwrap_or(0)).await,
                What::Unmute(of) => agent.unmute(&of.source).await,
                What::Trust(of) => agent.trust(&of.source).await,
                What::Untrust(of) => agent.untrust(&of.source).await,
                What::Preview { kind } => agent.preview(kind).await,
                What::Test | What::Status => agent.preview("test").await,
                What::Reload => agent.reload().await,
            })?;
            match arguments.output {
                Form::Json => json(out, &value!({ "answer": sentence })),
                Form::Text => lines(out, &sentence),
            }
            Ok(())
        }
    })
}

/// Asks the agent of this session.
fn ask<T>(question: impl AsyncFnOnce(NotifierProxy<'_>) -> zbus::Result<T>) -> Result<T, Failure> {
    at_bus(zbus::connection::Builder::session(), async |connection| question(NotifierProxy::new(connection).await?).await)
        .map_err(|error| failure(&error))
}

fn failure(error: &zbus::Error) -> Failure {
    match error {
        zbus::Error::FDO(error) => match &**error {
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
                Failure::NoCollector("no agent runs in this session; start firebell-notifier".to_owned())
            }
            other => Failure::Other(anyhow::anyhow!("the agent does not answer: {other}")),
        },
        zbus::Error::MethodError(name, text, _) => {
            let text = text.clone().unwrap_or_else(|| name.to_string());
            match name.as_str().strip_prefix(ERROR_PREFIX) {
                // Arguments are checked here already, so it is the file.
                Some(".InvalidArgument") => Failure::Configuration(text),
                _ => Failure::Other(anyhow::anyhow!(text)),
            }
        }
        zbus::Error::Connection(..) | zbus::Error::InputOutput(_) | zbus::Error::Address(_) | zbus::Error::Handshake(_) => {
            Failure::NoCollector(format!("this is no desktop session: {error}"))
        }
        other => Failure::Other(anyhow::anyhow!("the agent does not answer: {other}")),
    }
}

/// What looks like an address or a network; the agent knows better which of them it takes.
pub(crate) fn source(text: &str) -> Result<String, String> {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    match address.parse::<IpAddr>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("write an address (192.0.2.7, 2001:db8::7) or a network (192.0.2.0/24)".to_owned()),
    }
}

/// Reads `90s`, `30m`, `8h`, `7d`.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let read = units.iter().find_map(|(unit, seconds)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*seconds));
    match read {
        Some(seconds @ 1..=MAX_SECONDS) => Ok(seconds),
        _ => Err("write a number and a unit, 30m, 8h or 7d, at most 30d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sources_are_read_or_say_how_to_write_them() {
        assert_eq!((seconds("90s"), seconds("30m"), seconds("8h"), seconds("30d")), (Ok(90), Ok(1_800), Ok(28_800), Ok(MAX_SECONDS)));
        for text in ["", "0m", "31d", "8", "h", "-1h", "1.5h", "99999999999999999999d", "8 h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(source("192.0.2.7").is_ok() && source("2001:db8::/32").is_ok());
        assert!(source("example.org").is_err() && source("").is_err());
    }
}
