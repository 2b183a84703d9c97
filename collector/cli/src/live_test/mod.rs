//! `firebell test --live`: known scans through this machine's own kernel log, and how far each gets: log, alert, popup.
//!
//! The packets come out of a private network namespace into this one, over a pair of interfaces made for it, and meet a rule that
//! logs and drops all that comes from there, before any other rule. So it is the machine's real way: the same log, the same
//! collector that believes it for the same reasons; `net.netfilter.nf_log_all_netns` stays what it is, and no packet reaches a
//! program or the network. What is made lives as long as two helpers of ours that end when we do (see `field`), so nothing
//! is left behind, not even after kill -9.

mod field;
mod packets;
mod popups;
mod sender;
mod watch;

use crate::{Failure, form::Form};
use clap::Args;
use field::Field;
use firebell_collector::privilege;
use firebell_shared::{client::CollectorProxy, text::safe};
use packets::Scan;
use serde::Serialize;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use watch::Event;

/// Sends known scans through the machine's own kernel log and tells which were seen, from packet to popup. Needs root.
///
/// They come from made-up sources of networks that belong to nobody, over an interface made for the test, are dropped before any
/// other rule, and stay in the history as alerts. Nothing else is left behind. Popups are seen where the agent runs in the
/// session of whoever calls it, also by sudo. Exit status 1 when one was not seen.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// With real packets.
    #[arg(long, required = true)]
    live: bool,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
    /// The other end, for this program itself.
    #[arg(long, hide = true)]
    send: bool,
    /// The listener in a session, for this program itself.
    #[arg(long, hide = true)]
    popups: bool,
}

/// The prefix of the rule; it says what became of the packets.
const PREFIX: &str = "firebell TEST DROP ";
/// Probes of a scan: enough for any detector, and little for a log.
const PROBES: u16 = 40;
/// The longest wait for the lines of a scan, for its alert, and for a popup. The agent may fold and merge for a moment.
const LOG_PATIENCE: Duration = Duration::from_secs(2);
const ALERT_PATIENCE: Duration = Duration::from_secs(5);
const POPUP_PATIENCE: Duration = Duration::from_secs(5);

/// After it the collector begins to count anew how many attacks it tells one by one.
const MINUTE: Duration = Duration::from_secs(61);

/// What became of one scan.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    scan: &'static str,
    source: String,
    sent: u16,
    logged: u16,
    /// All in milliseconds after the first packet.
    log_ms: Option<f64>,
    alert_ms: Option<f64>,
    alert: Option<String>,
    popup_ms: Option<f64>,
}

/// What listens, besides the log.
#[derive(Clone, Copy, Debug, Serialize)]
struct Listeners {
    collector: bool,
    agent: bool,
}

/// Builds, sends, watches, prints.
///
/// # Errors
/// Not root, no collector, something that could not be made, or a scan that was not seen.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.send {
        return sender::run().map_err(Failure::from);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    if arguments.popups {
        return runtime.block_on(popups::run()).map_err(|error| Failure::Other(error.into()));
    }
    if !privilege::is_root() {
        return Err(Failure::NotPermitted("packets and the kernel log are root's: sudo firebell test --live".to_owned()));
    }
    let (outcomes, listeners, no_collector) = runtime.block_on(watch_scans())?;
    let text = match arguments.output {
        Form::Json => {
            let document = serde_json::json!({ "schema": 1, "listeners": listeners, "scans": outcomes });
            serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)? + "\n"
        }
        Form::Text => text(&outcomes, listeners),
    };
    io::stdout().write_all(text.as_bytes()).map_err(anyhow::Error::from)?;
    let unseen = outcomes
        .iter()
        .filter(|outcome| outcome.sent < PROBES || outcome.logged < outcome.sent || (listeners.collector && outcome.alert.is_none()))
        .count();
    let has_popup = !listeners.agent || outcomes.iter().any(|outcome| outcome.popup_ms.is_some());
    match no_collector {
        _ if unseen > 0 => {
            Err(anyhow::anyhow!("{unseen} of {} scans were not seen all the way; firebell doctor may tell why", outcomes.len()).into())
        }
        Some(failure) => Err(failure),
        None if !has_popup => {
            Err(anyhow::anyhow!("no popup came; the agent shows only so many an hour (popups-per-hour in notifier.toml)").into())
        }
        None => Ok(()),
    }
}

async fn watch_scans() -> Result<(Vec<Outcome>, Listeners, Option<Failure>), Failure> {
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut field = Field::build(&sender)?;
    watch::log(&field.interface, PREFIX, &sender)?;
    let collector = watch::alerts(&sender).await.map_err(|error| Failure::from_bus(&error));
    let popups = if collector.is_ok() { popups::start(&sender) } else { None };
    let agent = popups.is_some();
    let listeners = Listeners { collector: collector.is_ok(), agent };
    let mut outcomes = Vec::new();
    for (n, scan) in scans().into_iter().enumerate() {
        let is_first = outcomes.is_empty();
        let folded = folded(&collector).await;
        let mut outcome = one(&mut field, &scan, listeners, &mut events, is_first).await?;
        if outcome.alert.is_none() && self::folded(&collector).await > folded {
            let said = "The collector has told enough attacks in this minute one by one (incidents-per-minute); once more in the next one";
            let _ = writeln!(io::stderr(), "{said}");
            tokio::time::sleep(MINUTE).await;
            if let Some(scan) = scans().into_iter().nth(n) {
                outcome = one(&mut field, &scan, listeners, &mut events, is_first).await?;
            }
        }
        outcomes.push(outcome);
        // Incidents that begin together may be told as one.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok((outcomes, listeners, collector.err()))
}

/// As [`watch::folded`]; none without a collector.
async fn folded(collector: &Result<CollectorProxy<'_>, Failure>) -> u64 {
    match collector {
        Ok(collector) => watch::folded(collector).await,
        Err(_) => 0,
    }
}

/// Each from another network, which nobody has; drawn by chance, since a source is judged by what it asks for the first time.
fn scans() -> Vec<Scan> {
    let chance = |n: u8| {
        use std::hash::{BuildHasher as _, RandomState};
        u64::to_le_bytes(RandomState::new().hash_one(n))
    };
    let mut scans = Vec::new();
    for (n, kind) in (0..).zip(packets::Kind::ALL) {
        let [a, b, c, d, e, f, ..] = chance(n);
        // For tests of networks (RFC 2544), and for documentation (RFC 3849). No two scans share a network.
        let (source, target) = match kind {
            packets::Kind::SynV6 => (
                Ipv6Addr::new(0x2001, 0xdb8, u16::from_le_bytes([a, b]) | 0x8000, 0, 0, 0, 0, u16::from(c) + 1).into(),
                packets::target6(u16::from_le_bytes([e, f])).into(),
            ),
            _ => (Ipv4Addr::new(198, 18 + (a & 1), b & 0xf8 | n, c.clamp(1, 254)).into(), packets::target4(e.clamp(1, 254)).into()),
        };
        let first_port = 10_000 + u16::from_le_bytes([c, d]) % 40_000;
        scans.push(Scan { kind, source, target, first_port, count: PROBES });
    }
    if !crate::firewall::gather::has_v6() {
        scans.retain(|scan| scan.source.is_ipv4());
    }
    scans
}

/// Sends one scan and waits until it was seen, or for so long as it may take.
async fn one(
    field: &mut Field,
    scan: &Scan,
    listeners: Listeners,
    events: &mut UnboundedReceiver<Event>,
    waits_for_popup: bool,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    field.send(scan)?;
    let mut outcome = Outcome { scan: scan.kind.as_str(), source: scan.source.to_string(), ..Outcome::default() };
    let ms = |moment: Instant| Some(moment.saturating_duration_since(start).as_secs_f64() * 1e3);
    loop {
        let patience = if outcome.logged < scan.count || outcome.sent < scan.count {
            LOG_PATIENCE
        } else if listeners.collector && outcome.alert.is_none() {
            ALERT_PATIENCE
        } else if listeners.agent && waits_for_popup && outcome.popup_ms.is_none() {
            POPUP_PATIENCE
        } else {
            return Ok(outcome);
        };
        let Ok(Some(event)) = tokio::time::timeout(patience.saturating_sub(start.elapsed()), events.recv()).await else {
            return Ok(outcome);
        };
        match event {
            Event::Sent(count) => outcome.sent = count,
            Event::Line(source, moment) if source == scan.source => {
                outcome.logged += 1;
                outcome.log_ms = outcome.log_ms.or(ms(moment));
            }
            Event::Alert(source, kind, moment) if is_about(&source, scan.source) => {
                outcome.alert_ms = outcome.alert_ms.or(ms(moment));
                outcome.alert = outcome.alert.or(Some(kind));
            }
            Event::Popup(summary, moment) if summary.contains(&outcome.source) => outcome.popup_ms = outcome.popup_ms.or(ms(moment)),
            // Of another scan, or not ours.
            _ => {}
        }
    }
}

/// A source on the bus is an address, or for IPv6 its network.
fn is_about(source: &str, address: IpAddr) -> bool {
    let text = address.to_string();
    match (source.split_once("::/"), text.split_once("::")) {
        (Some((network, _)), Some((start, _))) => network == start,
        _ => source == text,
    }
}

fn text(outcomes: &[Outcome], listeners: Listeners) -> String {
    let mut out = String::new();
    // Writing to a String does not fail, neither here nor below.
    let _ = writeln!(
        out,
        "Scans from a private network into this machine's own kernel log; dropped before any other rule, and all that was made for it is gone.\n"
    );
    for outcome in outcomes {
        let _ = writeln!(out, "{} from {}: {} packets", outcome.scan, outcome.source, outcome.sent);
        let after = |ms: Option<f64>| ms.map_or_else(|| "not seen".to_owned(), |ms| format!("{ms:.1} ms after the first packet"));
        let _ = writeln!(out, "  log     {} of {}, first {}", outcome.logged, outcome.sent, after(outcome.log_ms));
        if listeners.collector {
            let kind = outcome.alert.as_deref().map(|kind| safe(kind.as_bytes(), 100) + ", ").unwrap_or_default();
            let _ = writeln!(out, "  alert   {kind}{}", after(outcome.alert_ms));
        }
        if listeners.agent {
            let _ = writeln!(out, "  popup   {}", after(outcome.popup_ms));
        }
    }
    if listeners.collector && !listeners.agent {
        out.push_str("\nPopups were not looked for: no agent runs in this session\n");
    }
    out
}
