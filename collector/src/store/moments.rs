//! How an incident went: a moment for each revision that was told, with the line of the log that made us tell it.
//!
//! A line is copied when an alert is made, never for a packet. Of an incident the first and the last moments are kept, and of all
//! lines together the newest. Lines are as they were in the log: who shows one makes it safe.

use super::database::{signed, unsigned};
use firebell_shared::{alert::Alert, text::safe};
use rusqlite::{Connection, Statement, params};
use std::collections::HashMap;

/// Of an incident so many of its first moments are kept.
const FIRST: usize = 8;
/// And so many of its last ones.
const LAST: usize = 24;
/// Bytes of a line that are kept: a record of the kernel has some 250.
pub const MAX_LINE: usize = 512;
/// Bytes of all lines that are kept. Those of the incidents with the lowest numbers make room.
pub(super) const MAX_BYTES: u64 = 32 << 20;
/// Incidents that lose their lines at once.
const ROOM_AT_ONCE: usize = 100;

/// Lines of the log, by the sequence number of the alert that each has caused.
pub type Lines = HashMap<u64, Box<[u8]>>;

/// With an incident go its moments.
pub(super) const SCHEMA: &str = "
    CREATE TABLE moments (
        id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        time INTEGER NOT NULL,
        phase TEXT NOT NULL,
        severity INTEGER NOT NULL,
        packets INTEGER NOT NULL,
        contacts INTEGER NOT NULL,
        line BLOB,
        PRIMARY KEY (id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER moments_go AFTER DELETE ON alerts BEGIN
        DELETE FROM moments WHERE id = old.id;
    END;
";

/// One revision of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When it was told, microseconds since the Unix epoch.
    pub time_usec: u64,
    /// What happened, in the word of the bus.
    pub phase: String,
    /// How bad it was by then.
    pub severity: u8,
    /// Packets so far.
    pub packets: u64,
    /// Distinct contacts so far.
    pub contacts: u32,
    /// The line that made us tell it, any bytes, at most [`MAX_LINE`]; empty where none did.
    pub line: Vec<u8>,
}

/// A row of `Timeline` on the bus: when in microseconds since 1970, what happened, severity, packets and contacts so far, and the line
/// of the log, made safe.
pub type MomentRow = (u64, String, u8, u64, u32, String);

impl Moment {
    /// As the bus tells it.
    #[must_use]
    pub fn row(self) -> MomentRow {
        // In what is shown a byte of the line may take four.
        (self.time_usec, self.phase, self.severity, self.packets, self.contacts, safe(&self.line, 4 * MAX_LINE))
    }
}

/// Puts moments down.
pub(super) struct Keeper<'a> {
    put: Statement<'a>,
    count: Statement<'a>,
    thin: Statement<'a>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            put: connection.prepare(
                "INSERT OR IGNORE INTO moments (id, seq, time, phase, severity, packets, contacts, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            count: connection.prepare("SELECT count(*) FROM moments WHERE id = ?1")?,
            thin: connection.prepare(
                "DELETE FROM moments WHERE id = ?1 AND seq = (SELECT seq FROM moments WHERE id = ?1 ORDER BY seq LIMIT 1 OFFSET ?2)",
            )?,
        })
    }

    /// Keeps this revision. Gives the bytes of its line.
    pub(super) fn keep(&mut self, alert: &Alert, line: Option<&[u8]>) -> rusqlite::Result<u64> {
        let (id, d) = (signed(alert.id), &alert.details);
        let line = line.map(|line| line.get(..MAX_LINE).unwrap_or(line));
        let (severity, packets) = (alert.severity.get(), signed(d.packets));
        let time = signed(alert.time_usec);
        self.put.execute(params![id, signed(d.seq), time, d.phase.as_str(), severity, packets, d.contacts, line])?;
        if self.count.query_row([id], |row| unsigned(row, 0))? > (FIRST + LAST) as u64 {
            self.thin.execute([id, signed(FIRST)])?;
        }
        Ok(line.map_or(0, <[u8]>::len) as u64)
    }
}

/// Bytes of all lines.
pub(super) fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT ifnull(sum(length(line)), 0) FROM moments", [], |row| unsigned(row, 0))
}

/// Forgets lines until they are an eighth below `max` bytes. Gives the bytes that are left.
pub(super) fn make_room(connection: &Connection, max: u64) -> rusqlite::Result<u64> {
    let sql = "UPDATE moments SET line = NULL WHERE line IS NOT NULL AND id IN
               (SELECT DISTINCT id FROM moments WHERE line IS NOT NULL ORDER BY id LIMIT ?1)";
    let mut left = bytes(connection)?;
    while left > max - max / 8 && connection.execute(sql, [signed(ROOM_AT_ONCE)])? > 0 {
        left = bytes(connection)?;
    }
    Ok(left)
}

/// The moments of an incident.
pub(super) fn of(connection: &Connection, id: u64) -> rusqlite::Result<Vec<Moment>> {
    let sql = "SELECT time, phase, severity, packets, contacts, ifnull(substr(line, 1, ?2), x'') FROM moments WHERE id = ?1 ORDER BY seq LIMIT ?3";
    let mut select = connection.prepare(sql)?;
    let moments = select.query_map([signed(id), signed(MAX_LINE), signed(FIRST + LAST)], |row| {
        Ok(Moment {
            time_usec: unsigned(row, 0)?,
            phase: row.get(1)?,
            severity: row.get(2)?,
            packets: unsigned(row, 3)?,
            contacts: row.get(4)?,
            line: row.get(5)?,
        })
    })?;
    moments.collect()
}
