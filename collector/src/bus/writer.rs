//! The one task that sends.

use super::{
    Board, Out,
    limits::{ALERTS_PER_SECOND, Bucket},
    spoke,
    subscribers::Missed,
};
use firebell_shared::{
    alert::Alert,
    names::{COLLECTOR_INTERFACE, COLLECTOR_PATH},
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use zbus::{Connection, Message, MessageStream, names::OwnedUniqueName, wire::Variant};

/// What is held back is told as a number so long after the first of it.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// Sends what is in the outbox until the connection or the name is lost; says which.
///
/// Nothing is sent inside `select!`: it only chooses what to do.
pub(super) async fn run(
    board: &Arc<Board>,
    connection: &Connection,
    outbox: &mut mpsc::Receiver<Out>,
    lost: &mut MessageStream,
) -> &'static str {
    let mut bucket = Bucket::new(ALERTS_PER_SECOND, Instant::now());
    let mut held: Option<(Missed, tokio::time::Instant)> = None;
    loop {
        let due = held.map(|(_, due)| due);
        let out = tokio::select! {
            () = connection.closed() => return "the system bus has closed the connection",
            () = spoke(lost) => return "the name on the system bus is lost",
            out = outbox.recv() => match out {
                Some(out) => Some(out),
                None => return "the collector ends",
            },
            () = tokio::time::sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => None,
        };
        let sent = match out {
            None => match held.take() {
                Some((missed, _)) => send_suppressed(board, connection, missed).await,
                None => Ok(()),
            },
            Some(Out::Alert(alert)) => {
                let overflow = board.lock().missed.take();
                if bucket.take(Instant::now()) {
                    let sent = send_alert(board, connection, &alert).await;
                    hold(&mut held, overflow);
                    sent
                } else {
                    hold(&mut held, Some(Missed { first_seq: alert.details.seq, last_seq: alert.details.seq, count: 1 }));
                    hold(&mut held, overflow);
                    Ok(())
                }
            }
            Some(Out::Test(name, alert)) => send(connection, alert_message(Some(&name), &alert)).await,
            Some(Out::Missed(name, missed)) => send(connection, suppressed_message(Some(&name), missed)).await,
            Some(Out::Health) => send(connection, health_message(board)).await,
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "a message could not be sent");
            return "the system bus does not take messages";
        }
    }
}

/// Adds alerts to those that will be told as a number.
fn hold(held: &mut Option<(Missed, tokio::time::Instant)>, more: Option<Missed>) {
    match (held.as_mut(), more) {
        (Some((missed, _)), Some(more)) => {
            missed.first_seq = missed.first_seq.min(more.first_seq);
            missed.last_seq = missed.last_seq.max(more.last_seq);
            missed.count = missed.count.saturating_add(more.count);
        }
        (None, Some(more)) => *held = Some((more, tokio::time::Instant::now() + TELL_AFTER)),
        (_, None) => {}
    }
}

/// To every subscriber that keeps up, or to everybody. With nobody to hear it the signal goes to
/// ourselves, so that root's `busctl monitor` shows it all the same.
async fn send_alert(board: &Arc<Board>, connection: &Connection, alert: &Alert) -> zbus::Result<()> {
    if board.lock().broadcast {
        return send(connection, alert_message(None, alert)).await;
    }
    let names = board.lock().subscribers.send(alert.details.seq);
    let names = or_ourselves(board, connection, names);
    send_all(connection, names.iter().map(|name| alert_message(Some(name), alert))).await
}

async fn send_suppressed(board: &Arc<Board>, connection: &Connection, missed: Missed) -> zbus::Result<()> {
    let (names, broadcast) = {
        let mut state = board.lock();
        state.suppressed += u64::from(missed.count);
        (state.subscribers.names(), state.broadcast)
    };
    if broadcast {
        return send(connection, suppressed_message(None, missed)).await;
    }
    let names = or_ourselves(board, connection, names);
    send_all(connection, names.iter().map(|name| suppressed_message(Some(name), missed))).await
}

fn or_ourselves(board: &Arc<Board>, connection: &Connection, names: Vec<OwnedUniqueName>) -> Vec<OwnedUniqueName> {
    if board.lock().subscribers.len() > 0 { names } else { connection.unique_name().cloned().into_iter().collect() }
}

async fn send(connection: &Connection, message: zbus::Result<Message>) -> zbus::Result<()> {
    connection.send(&message?).await
}

async fn send_all(connection: &Connection, messages: impl Iterator<Item = zbus::Result<Message>>) -> zbus::Result<()> {
    let messages = messages.collect::<zbus::Result<Vec<_>>>()?;
    if messages.is_empty() { Ok(()) } else { connection.send_all(&messages).await }
}

fn alert_message(to: Option<&OwnedUniqueName>, alert: &Alert) -> zbus::Result<Message> {
    signal(to, "Alert", &alert.to_wire())
}

fn suppressed_message(to: Option<&OwnedUniqueName>, missed: Missed) -> zbus::Result<Message> {
    signal(to, "AlertsSuppressed", &(missed.first_seq, missed.last_seq, missed.count))
}

fn signal<B: serde::Serialize + zbus::DynamicType>(to: Option<&OwnedUniqueName>, member: &str, body: &B) -> zbus::Result<Message> {
    let builder = Message::signal(COLLECTOR_PATH, COLLECTOR_INTERFACE, member);
    match to {
        Some(name) => builder.destination(name.as_str()).build(body),
        None => builder.build(body),
    }
}

/// `PropertiesChanged`, as the D-Bus specification has it under "Standard Interfaces".
fn health_message(board: &Arc<Board>) -> zbus::Result<Message> {
    let health = board.lock().health;
    let changed = HashMap::from([("Health", Variant::from((health.state.to_string(), health.reason)))]);
    Message::signal(COLLECTOR_PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged").build(&(
        COLLECTOR_INTERFACE,
        changed,
        Vec::<&str>::new(),
    ))
}
