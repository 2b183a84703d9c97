//! Listens to the kernel log and to the collector.

use anyhow::Context as _;
use firebell_collector::intake::kmsg;
use firebell_engine::parse::parse;
use firebell_shared::{alert::Alert, client::CollectorProxy};
use futures_util::StreamExt as _;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use std::{
    io::Read as _,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;
use zbus::{Connection, connection::Builder};

/// Something that was seen, and when.
#[derive(Debug)]
pub(super) enum Event {
    /// The sender has sent so many packets.
    Sent(u16),
    /// A line about this source.
    Line(IpAddr, Instant),
    /// An alert, with its kind.
    Alert(String, String, Instant),
    /// The summary of a popup.
    Popup(String, Instant),
}

/// Reads the kernel log from now on, in a thread that ends with the program or when nobody listens.
///
/// # Errors
/// It cannot be opened.
pub(super) fn log(interface: &str, prefix: &'static str, events: &UnboundedSender<Event>) -> anyhow::Result<()> {
    let mut file = kmsg::open(false).with_context(|| format!("{} (a container has none of its own: run it on the host)", kmsg::PATH))?;
    let (interface, events) = (interface.to_owned(), events.clone());
    thread::spawn(move || {
        let mut record = [0; 8_192];
        while !events.is_closed() {
            match file.read(&mut record) {
                Ok(length) => {
                    let now = Instant::now();
                    let record = record.get(..length).unwrap_or_default();
                    // `level,sequence,time,flags;text`, then lines of more.
                    let text = record.splitn(2, |byte| *byte == b';').nth(1).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
                    if let Some(text) = text
                        && let Ok(packet) = parse(text)
                        && packet.prefix == prefix.as_bytes().trim_ascii_end()
                        && packet.in_iface == Some(interface.as_bytes())
                    {
                        let _ = events.send(Event::Line(packet.header.src, now));
                    }
                }
                Err(error) if error.raw_os_error() == Some(Errno::AGAIN.raw_os_error()) => {
                    let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                    let _ = poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&wait));
                }
                // What we have not read was overwritten (EPIPE); go on with the oldest.
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
    });
    Ok(())
}

/// Subscribes to the collector's alerts.
///
/// # Errors
/// There is no collector, or it does not serve us.
pub(super) async fn alerts(events: &UnboundedSender<Event>) -> zbus::Result<CollectorProxy<'static>> {
    let connection: Connection = Builder::system().method_timeout(Duration::from_secs(10)).build().await?;
    let collector = CollectorProxy::new(&connection).await?;
    let mut alerts = collector.receive_alert().await?;
    collector.subscribe().await?;
    let (events, answers) = (events.clone(), collector.clone());
    tokio::spawn(async move {
        while let Some(signal) = alerts.next().await {
            let now = Instant::now();
            let Ok(args) = signal.args() else { continue };
            let wire = (args.id, args.time_usec, args.severity, args.kind, args.source, args.summary, args.details);
            let Ok(alert) = Alert::from_wire(wire) else { continue };
            let seq = alert.details.seq;
            let kind = format!("{} of severity {}", alert.kind, alert.severity);
            if events.send(Event::Alert(alert.source, kind, now)).is_err() || answers.received(seq).await.is_err() {
                return;
            }
        }
    });
    Ok(collector)
}

/// Sources that the collector has told as parts of one incident of many, because they came too many a minute.
pub(super) async fn folded(collector: &CollectorProxy<'_>) -> u64 {
    let status = collector.status().await.unwrap_or_default();
    status.get("sources_folded").and_then(|value| u64::try_from(&**value).ok()).unwrap_or(0)
}
