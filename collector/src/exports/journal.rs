//! Alerts as records of the journal with fields of their own: `journalctl MESSAGE_ID=... FIREBELL_KIND=syn-scan`.
//!
//! A record is one datagram to journald's socket: `NAME=value` and an end of line for each field, or, where the value has an end of
//! line in it, the name, its length in 64 bits and the value (systemd, "Native Journal Protocol"). That is all of the protocol which
//! is used, so it stands here instead of a crate: `tracing-journald` cannot name fields at run time or repeat one, and libsystemd
//! would be linked. Our records fit into a datagram, so none has to go by a file descriptor.

use firebell_shared::{alert::Alert, severity::Severity, text::safe};
use std::{io, os::unix::net::UnixDatagram, path::Path, time::Duration};

/// The `MESSAGE_ID` of every alert (journalctl(1), `systemd/firebell.catalog`). Never another.
pub const MESSAGE_ID: &str = "cf40cc91797e49b58564ed3b79a6cad4";
/// journald's socket.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// That of syslog: journald's, or rsyslog's where there is no systemd.
const SYSLOG: &str = "/dev/log";
/// A reader that is busy is waited for so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest value of a field, in bytes. An alert has some hundred fields at most, and a datagram carries 200 KiB.
const MAX_VALUE: usize = 1024;
/// `daemon` of syslog(3), in the place where a priority has it.
const DAEMON: u8 = 3 << 3;

/// A socket to tell alerts to those two.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UnixDatagram,
    /// Our own messages go to the journal as well.
    is_ours: bool,
}

impl Socket {
    /// # Errors
    /// When the system gives none.
    pub(super) fn open() -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, is_ours: is_in_the_journal() })
    }

    /// Tells the journal. False: it does not hear us otherwise either, so there is no journal to tell.
    pub(super) fn journal(&self, alert: &Alert) -> io::Result<bool> {
        if self.is_ours {
            self.send(&record(alert), JOURNAL)?;
        }
        Ok(self.is_ours)
    }

    /// Tells syslog a line as psad would.
    pub(super) fn syslog(&self, alert: &Alert, line: &str) -> io::Result<()> {
        // Without a time: whoever takes it knows that better.
        self.send(format!("<{}>psad: {line}", DAEMON | priority(alert)).as_bytes(), SYSLOG)
    }

    /// Not connected: another journald or rsyslog may have the name by now.
    fn send(&self, bytes: &[u8], to: &str) -> io::Result<()> {
        self.socket.send_to(bytes, Path::new(to)).map(drop)
    }
}

/// Is our standard error the journal's? By hand it is a terminal, and what is said there is not to be in the journal (systemd.exec(5),
/// `JOURNAL_STREAM`: device and inode).
fn is_in_the_journal() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let stderr = rustix::fs::fstat(io::stderr()).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
    stderr.is_ok_and(|stderr| stderr == named)
}

/// As syslog(3) counts: what has ended or became part of another one is no more than a note.
fn priority(alert: &Alert) -> u8 {
    const INFO: u8 = 6;
    const NOTICE: u8 = 5;
    match alert.severity {
        _ if !alert.is_open() => INFO,
        Severity::CRITICAL => 2,
        Severity::BROAD => 3,
        Severity::AIMED => 4,
        Severity::NOTABLE => NOTICE,
        _ => INFO,
    }
}

/// The record of an alert. A list is a field that comes again.
pub(super) fn record(alert: &Alert) -> Vec<u8> {
    let d = &alert.details;
    let mut out = Vec::with_capacity(2048);
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            field(&mut out, name, &safe(value.as_bytes(), MAX_VALUE));
        }
    };
    let who = if alert.source.is_empty() { String::new() } else { format!("{}: ", alert.source) };
    let over = if alert.is_open() { "" } else { " (over)" };
    put("MESSAGE", &format!("{who}{}{over}", alert.summary));
    put("MESSAGE_ID", MESSAGE_ID);
    put("PRIORITY", &priority(alert).to_string());
    put("SYSLOG_IDENTIFIER", "firebelld");
    put("SYSLOG_FACILITY", &(DAEMON >> 3).to_string());
    for (name, number) in [
        ("FIREBELL_ID", Some(alert.id)),
        ("FIREBELL_SEQ", Some(d.seq)),
        ("FIREBELL_REVISION", Some(d.revision.into())),
        ("FIREBELL_SEVERITY", Some(alert.severity.get().into())),
        ("FIREBELL_TIME_USEC", Some(alert.time_usec)),
        ("FIREBELL_FIRST_SEEN", Some(d.first_seen)),
        ("FIREBELL_LAST_SEEN", Some(d.last_seen)),
        ("FIREBELL_PACKETS", Some(d.packets)),
        ("FIREBELL_CONTACTS", Some(d.contacts.into())),
        ("FIREBELL_MERGED_INTO", d.merged_into),
        ("FIREBELL_UID", d.uid.map(Into::into)),
    ] {
        put(name, &number.map(|number| number.to_string()).unwrap_or_default());
    }
    for (name, text) in [
        ("FIREBELL_KIND", alert.kind.as_str()),
        ("FIREBELL_SOURCE", &alert.source),
        ("FIREBELL_PHASE", d.phase.as_str()),
        ("FIREBELL_PROTOCOL", &d.protocol),
        ("FIREBELL_PORTS", &d.ports),
        ("FIREBELL_ACTION", d.action.as_str()),
        ("FIREBELL_ORIGIN", d.origin.as_str()),
        ("FIREBELL_ATTRIBUTION", d.attribution.as_str()),
        ("FIREBELL_DELIVERY", d.delivery.as_str()),
        ("FIREBELL_TOOL", &d.tool),
        ("FIREBELL_KNOWN", &d.known),
        ("FIREBELL_INTERFACE", &d.interface),
        ("FIREBELL_PREFIX", &d.prefix),
        ("FIREBELL_MAC", &d.mac),
        ("FIREBELL_WHY", &d.why),
        ("FIREBELL_ADVICE", &d.advice),
    ] {
        put(name, text);
    }
    for (name, list) in [
        ("FIREBELL_SOURCES", &d.sources),
        ("FIREBELL_TARGETS", &d.targets),
        ("FIREBELL_SIGNATURES", &d.signatures),
        ("FIREBELL_ATTACK", &d.attack),
    ] {
        list.iter().for_each(|text| put(name, text));
    }
    out
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend(name.bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend((value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend(value.bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::tests::{hostile, sample};

    fn text(alert: &Alert) -> String {
        String::from_utf8(record(alert)).unwrap()
    }

    #[test]
    fn a_record_has_a_message_the_fixed_id_and_every_field_that_is_known() {
        let text = text(&sample());
        for line in [
            "MESSAGE=198.51.100.66: SYN scan of 1000 TCP ports",
            "MESSAGE_ID=cf40cc91797e49b58564ed3b79a6cad4",
            "PRIORITY=4",
            "FIREBELL_ID=7",
            "FIREBELL_KIND=syn-scan",
            "FIREBELL_PHASE=opened",
            "FIREBELL_PORTS=22-25,80",
            "FIREBELL_SIGNATURES=SID1234: Nmap OS detection x3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(!text.contains("FIREBELL_UID") && !text.contains("FIREBELL_MERGED_INTO"), "{text}");
    }

    #[test]
    fn a_value_with_an_end_of_line_has_its_length_before_it() {
        let mut out = Vec::new();
        field(&mut out, "A", "one");
        field(&mut out, "B", "two\nMESSAGE_ID=forged");
        assert_eq!(out, b"A=one\nB\n\x15\0\0\0\0\0\0\0two\nMESSAGE_ID=forged\n");
    }

    #[test]
    fn hostile_text_makes_no_field() {
        let record = record(&hostile());
        assert!(record.len() < 100_000);
        let text = String::from_utf8(record).unwrap();
        assert!(
            text.lines()
                .all(|line| line.starts_with("FIREBELL_") || ["MESSAGE", "PRIORITY", "SYSLOG_"].iter().any(|name| line.starts_with(name)))
        );
        assert_eq!(text.matches("\nMESSAGE_ID=").count(), 1, "{text}");
    }
}
