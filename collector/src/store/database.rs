//! The file `history.db`: one row for each incident, and what numbers come next.

use super::{
    folder,
    moments::{self, Lines, Moment},
};
use crate::{
    digest::Digest,
    history::{Filter, PAGE_BYTES, Page, size},
    intake::{MAX_LOGS, MAX_POSITION, Positions},
    remark::Remark,
};
use firebell_engine::engine::MAX_SNAPSHOT;
use firebell_shared::{
    alert::{Alert, Delivery, Phase},
    mutes::Mutes,
    severity::Severity,
};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, config::DbConfig, params};
use std::{
    collections::HashMap,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Its name in the folder.
pub const FILE: &str = "history.db";
/// One answer looks at so many rows that it reads as a whole.
const MAX_ROWS: usize = 1000;
/// One answer takes so long at most, since alerts wait meanwhile.
const MAX_LOOK: Duration = Duration::from_millis(250);
/// A file up to this size is read through at the start, to find damage before it is written to: 64 MiB, a tenth of a second.
const CHECK_UP_TO: u64 = 64 << 20;
/// Rows that are forgotten in one transaction.
const PRUNE_AT_ONCE: usize = 500;
/// Starts from one checkpoint are counted up to this.
const MAX_STARTS: usize = 1000;
/// Incidents that were told since a checkpoint, or are open, are looked for among so many of the newest: twenty megabytes at most.
const MAX_TOLD: usize = 10_000;
/// How much further numbers begin after an end that was not orderly: alerts may have been told that could not be written.
const LEAP: (u64, u64) = (1000, 1_000_000);

/// Each step brings the schema from the version that is its index to the next one. A step that was in a release stays
/// as it is.
///
/// Numbers are those of the bus; `details` is JSON with the names of the bus.
const SCHEMA: [&str; 6] = [
    "
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        history_id TEXT NOT NULL,
        last_id INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        is_orderly INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        time INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        kind TEXT NOT NULL,
        source TEXT NOT NULL,
        summary TEXT NOT NULL,
        details TEXT NOT NULL
    ) STRICT;
    CREATE INDEX alerts_by_time ON alerts (time);
",
    "
    CREATE TABLE positions (
        intake TEXT PRIMARY KEY,
        position BLOB NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE checkpoint (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        counters BLOB NOT NULL,
        engine BLOB NOT NULL,
        last_seq INTEGER NOT NULL,
        starts INTEGER NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE alerts ADD COLUMN acknowledged INTEGER;
    ALTER TABLE alerts ADD COLUMN note TEXT;
    CREATE TABLE mutes (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        list TEXT NOT NULL
    ) STRICT;
",
    moments::SCHEMA,
    "
    CREATE INDEX alerts_by_source ON alerts (source);
",
];

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or a file will not do.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// An alert does not become JSON, which is our mistake.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl StoreError {
    /// Is the file itself wrong, so that trying again is of no use?
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            // A schema without our tables gives `Unknown` ("no such table"), a row that we have not written one of the others.
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
            }
            Self::Sqlite(
                rusqlite::Error::SqlInputError { .. }
                | rusqlite::Error::QueryReturnedNoRows
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..),
            ) => true,
            _ => false,
        }
    }
}

/// The numbers that a history goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Names this count of incidents.
    pub history_id: String,
    /// The highest id so far.
    pub last_id: u64,
    /// The highest sequence number so far.
    pub last_seq: u64,
}

impl Numbers {
    /// Those of a history that begins.
    #[must_use]
    pub fn new(history_id: String) -> Self {
        Self { history_id, last_id: 0, last_seq: 0 }
    }
}

/// How far the lines of the log are taken in, and what was made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where the intakes stand.
    pub positions: Positions,
    /// The counters of the lines, for nobody but who wrote them.
    pub counters: Vec<u8>,
    /// The state of the engine, likewise.
    pub engine: Vec<u8>,
    /// The highest sequence number among the alerts up to here.
    pub last_seq: u64,
    /// It was written between two lines, one of which may have ended an earlier start.
    pub is_slow: bool,
}

/// The last checkpoint as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// What was written.
    pub checkpoint: Checkpoint,
    /// How many starts began with it, this one included: those before have ended without another one.
    pub starts: u32,
    /// Incidents of which something was told since, as they were told last, and those that are open.
    pub told: Vec<Arc<Alert>>,
    /// The highest number of an incident that was imported, which the state of the engine does not know of.
    pub imported_to: u64,
}

/// What became of incidents that somebody wanted to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// These are new here.
    pub taken: u64,
    /// These were here already.
    pub known: u64,
}

/// Whence incidents are imported, and the numbers that those get which cannot keep their own.
#[derive(Clone, Debug)]
pub struct Import {
    /// The history that has written them, if they say so.
    pub history_id: String,
    /// Numbers of incidents behind this one are theirs, as many as there are incidents.
    pub after_id: u64,
    /// Sequence numbers, likewise.
    pub after_seq: u64,
}

/// What was in the way of the file and is now beside it.
#[derive(Debug)]
pub struct Aside {
    /// Its new name.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// The open database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    numbers: Numbers,
    rows: usize,
    /// Bytes of log lines that are kept.
    line_bytes: u64,
    /// And so many at most.
    max_line_bytes: u64,
    file: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Database {
    /// Opens the history in `folder`, or begins one with `fresh` numbers. A file that is damaged or of a newer version is
    /// moved aside. With `is_fixed` the numbers are those of `fresh` in any case, since they have been told already: a
    /// history with other ones is moved aside as well.
    ///
    /// # Errors
    /// [`StoreError`]; trying again later may help.
    pub fn open(folder: &Path, fresh: &Numbers, is_fixed: bool) -> Result<(Self, Vec<Aside>), StoreError> {
        let file = folder.join(FILE);
        folder::check(folder, &file)?;
        let mut aside = Vec::new();
        // A second one is ours, and a third is never needed.
        for _ in 0..2 {
            let (name, why) = match Self::try_open(&file, fresh) {
                Ok(Opened::Fit(database)) if !is_fixed || database.numbers.history_id == fresh.history_id => return Ok((database, aside)),
                Ok(Opened::Fit(_)) => ("earlier", "it could not be opened at the start, and other numbers are in use by now".to_owned()),
                Ok(Opened::Newer(version)) => {
                    ("newer", format!("a newer firebelld has written it (schema {version}, here {})", SCHEMA.len()))
                }
                Err(error) if error.is_damage() => ("damaged", error.to_string()),
                Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, _))) if error.code == ErrorCode::DatabaseBusy => {
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another firebelld writes to it").into());
                }
                Err(error) => return Err(error),
            };
            aside.push(Aside { path: folder::move_aside(&file, name)?, why });
        }
        match Self::try_open(&file, fresh)? {
            Opened::Fit(database) => Ok((database, aside)),
            Opened::Newer(_) => Err(io::Error::other("a newer firebelld writes to it at this moment").into()),
        }
    }

    /// Opens the history that is in `folder` while no collector does, and changes nothing of a file that is not one.
    ///
    /// # Errors
    /// [`StoreError`], also where there is none, or a collector writes to it.
    pub fn open_existing(folder: &Path) -> Result<Self, StoreError> {
        let file = folder.join(FILE);
        folder::check(folder, &file)?;
        std::fs::metadata(&file)?;
        match Self::try_open(&file, &Numbers::new(String::new()))? {
            Opened::Fit(database) => Ok(database),
            Opened::Newer(version) => Err(io::Error::other(format!("a newer firebelld has written it (schema {version})")).into()),
        }
    }

    fn try_open(file: &Path, fresh: &Numbers) -> Result<Opened, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(file, flags)?;
        // A collector that is about to end may still have it.
        connection.busy_timeout(Duration::from_secs(1))?;
        // One of a newer version is left exactly as it is.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // Nobody else: two collectors would give the same numbers to different incidents. And the index of the write-ahead
        // log is then in memory and not in a file that others could map.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let version = connection.pragma_query_value(None, "user_version", |row| unsigned(row, 0))?;
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        if version > SCHEMA.len() {
            return Ok(Opened::Newer(version));
        }
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        // In force only before the first table is made.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // With a write-ahead log, NORMAL would keep the file whole over a power cut but might lose the last transactions: an
        // alert that was told would be gone, and its number given to another one. FULL waits for the disk once for each
        // transaction, and one transaction holds all alerts that have gathered.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // No files elsewhere, which the process may not write.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // What the log keeps of a burst, and what is kept in memory: 256 KiB are enough to look through a page of alerts.
        connection.pragma_update_and_check(None, "journal_size_limit", 1 << 20, |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", -256)?;
        // In pages of 4 KiB: the log is taken over into the file often, so that a small disk holds both.
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 64, |_| Ok(()))?;
        connection.pragma_update(None, "cell_size_check", true)?;
        if std::fs::metadata(file)?.len() <= CHECK_UP_TO {
            let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(damage(&found));
            }
        }
        let numbers = begin(&mut connection, version, fresh)?;
        let rows = connection.query_row("SELECT count(*) FROM alerts", [], |row| unsigned(row, 0))?;
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let line_bytes = moments::bytes(&connection)?;
        Ok(Opened::Fit(Self {
            connection,
            numbers,
            rows,
            line_bytes,
            max_line_bytes: moments::MAX_BYTES,
            id: id(file)?,
            file: file.to_owned(),
        }))
    }

    /// Is the file that is open still the one of its name? SQLite would write to one that was removed.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        id(&self.file).is_ok_and(|id| id == self.id)
    }

    /// The numbers so far.
    #[must_use]
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Incidents that are kept.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The last checkpoint, and counts this start from it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn start(&mut self) -> Result<Saved, StoreError> {
        let positions = self.positions()?;
        let sql = "UPDATE checkpoint SET starts = min(starts, ?1) + 1 RETURNING
                   CASE WHEN length(counters) <= ?2 THEN counters ELSE x'' END, CASE WHEN length(engine) <= ?2 THEN engine ELSE x'' END, last_seq, starts";
        let row = self.connection.query_row(sql, [MAX_STARTS, MAX_SNAPSHOT].map(signed), |row| {
            let (counters, engine, last_seq) = (row.get(0)?, row.get(1)?, unsigned(row, 2)?);
            let checkpoint = Checkpoint { counters, engine, last_seq, ..Checkpoint::default() };
            Ok((checkpoint, row.get(3)?))
        });
        let (checkpoint, starts) = row.optional()?.unwrap_or_default();
        let sql = format!(
            "SELECT * FROM (SELECT {COLUMNS} FROM alerts ORDER BY seq DESC LIMIT ?2) WHERE details ->> 'imported' IS NULL
             AND (seq > ?1 OR details ->> 'phase' NOT IN ('closed', 'merged'))"
        );
        let mut select = self.connection.prepare(&sql)?;
        let told = select.query_map([signed(checkpoint.last_seq), signed(MAX_TOLD)], |row| Ok(Arc::new(read(row)?)))?;
        let told = told.collect::<Result<_, _>>()?;
        let imported = "SELECT ifnull(max(id), 0) FROM alerts WHERE details ->> 'imported'";
        let imported_to = self.connection.query_row(imported, [], |row| unsigned(row, 0))?;
        Ok(Saved { checkpoint: Checkpoint { positions, ..checkpoint }, starts, told, imported_to })
    }

    fn positions(&self) -> Result<Positions, StoreError> {
        // What is longer is none of ours, and not worth its memory.
        let sql = "SELECT intake, substr(position, 1, ?1) FROM positions LIMIT ?2";
        let mut select = self.connection.prepare(sql)?;
        let rows = select.query_map([MAX_POSITION + 1, MAX_LOGS].map(signed), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes alerts and, with them, what they rest on in one transaction: when this is `Ok` they are on the disk. Of an incident
    /// the highest revision stays, whatever the order. Of each revision a moment is kept, with its line among `lines`. Gives what
    /// people have said of these incidents.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is written.
    pub fn commit<'a>(
        &mut self,
        alerts: impl Iterator<Item = &'a Arc<Alert>>,
        lines: &Lines,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<HashMap<u64, Vec<Remark>>, StoreError> {
        let mut said = HashMap::new();
        let transaction = self.connection.transaction()?;
        let (mut last_id, mut last_seq, mut rows) = (self.numbers.last_id, self.numbers.last_seq, self.rows);
        let mut line_bytes = self.line_bytes;
        {
            let mut is_there = transaction.prepare("SELECT 1 FROM alerts WHERE id = ?1")?;
            let mut keeper = moments::Keeper::new(&transaction)?;
            let mut put = transaction.prepare(
                "INSERT INTO alerts (id, seq, revision, time, severity, kind, source, summary, details)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (id) DO UPDATE SET seq = ?2, revision = ?3, time = ?4, severity = ?5, kind = ?6, source = ?7, summary = ?8,
                 details = ?9, acknowledged = iif(excluded.severity > severity OR ?10, NULL, acknowledged) WHERE excluded.seq > seq",
            )?;
            let mut remarks = transaction.prepare("SELECT acknowledged, note FROM alerts WHERE id = ?1")?;
            for alert in alerts {
                let (details, d) = (serde_json::to_string(&alert.details)?, &alert.details);
                let (id, seq, time) = (signed(alert.id), signed(d.seq), signed(alert.time_usec));
                let was_there = is_there.exists([id])?;
                let (severity, is_again) = (alert.severity.get(), d.phase == Phase::Reopened);
                put.execute(params![id, seq, d.revision, time, severity, alert.kind, alert.source, alert.summary, details, is_again])?;
                if was_there {
                    let remarks = remarks.query_row([id], |row| read_remarks(row, 0))?;
                    said.extend((!remarks.is_empty()).then_some((alert.id, remarks)));
                } else {
                    rows += 1;
                }
                line_bytes += keeper.keep(alert, lines.get(&d.seq).map(AsRef::as_ref))?;
                (last_id, last_seq) = (last_id.max(alert.id), last_seq.max(d.seq));
            }
        }
        if line_bytes > self.max_line_bytes {
            line_bytes = moments::make_room(&transaction, self.max_line_bytes)?;
        }
        transaction.execute("UPDATE state SET last_id = ?1, last_seq = ?2", [signed(last_id), signed(last_seq)])?;
        if let Some(Checkpoint { positions, counters, engine, last_seq, is_slow }) = checkpoint {
            transaction.execute(
                "INSERT OR REPLACE INTO checkpoint (one, counters, engine, last_seq, starts) VALUES (1, ?1, ?2, ?3, ?4)",
                params![counters, engine, signed(*last_seq), is_slow],
            )?;
            // Those of intakes that are not read any more would lead far back when they are read again.
            transaction.execute("DELETE FROM positions", [])?;
            let mut put = transaction.prepare("INSERT INTO positions (intake, position) VALUES (?1, ?2)")?;
            for (intake, position) in positions {
                put.execute(params![intake, position])?;
            }
        }
        transaction.commit()?;
        (self.rows, self.line_bytes) = (rows, line_bytes);
        (self.numbers.last_id, self.numbers.last_seq) = (last_id, last_seq);
        Ok(said)
    }

    /// Writes down what somebody says of the incident `id`. Gives the incident as it was before; nothing where there is none.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is written.
    pub fn remark(&mut self, id: u64, remark: &Remark) -> Result<Option<Arc<Alert>>, StoreError> {
        let Some(before) = self.get(id)? else { return Ok(None) };
        let id = signed(id);
        match remark {
            Remark::Acknowledged(time_usec) => {
                self.connection.execute("UPDATE alerts SET acknowledged = ?2 WHERE id = ?1", [id, signed(*time_usec)])?
            }
            Remark::Unacknowledged => self.connection.execute("UPDATE alerts SET acknowledged = NULL WHERE id = ?1", [id])?,
            Remark::Note(note) => self.connection.execute("UPDATE alerts SET note = nullif(?2, '') WHERE id = ?1", params![id, note])?,
        };
        Ok(Some(before))
    }

    /// Whom nobody wants to hear of. A list that cannot be read is an empty one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn mutes(&self) -> Result<Mutes, StoreError> {
        let list = self.connection.query_row("SELECT list FROM mutes", [], |row| row.get::<_, String>(0)).optional()?;
        Ok(list.and_then(|list| Mutes::from_text(&list)).unwrap_or_default())
    }

    /// Writes that down.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is written.
    pub fn keep_mutes(&mut self, mutes: &Mutes) -> Result<(), StoreError> {
        self.connection.execute("INSERT OR REPLACE INTO mutes (one, list) VALUES (1, ?1)", [mutes.to_text()])?;
        Ok(())
    }

    /// Forgets some of the incidents that are older than `before` (microseconds since the Unix epoch) or more than the
    /// newest `max`. True: there are more of them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn prune(&mut self, before: u64, max: usize) -> Result<bool, StoreError> {
        let too_many = self.rows.saturating_sub(max).min(PRUNE_AT_ONCE);
        let transaction = self.connection.transaction()?;
        let mut gone = transaction.execute(
            "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE time < ?1 ORDER BY time LIMIT ?2)",
            [signed(before), signed(PRUNE_AT_ONCE)],
        )?;
        let too_many = too_many.saturating_sub(gone);
        gone += transaction.execute("DELETE FROM alerts WHERE id IN (SELECT id FROM alerts ORDER BY seq LIMIT ?1)", [signed(too_many)])?;
        transaction.commit()?;
        self.have_gone(gone)?;
        Ok(gone >= PRUNE_AT_ONCE || self.rows > max)
    }

    /// Forgets some of the incidents that do not go on any more, and were last told before `before` (microseconds since the Unix epoch)
    /// or are not among the newest `keep`, those that go on included. Gives their numbers: none when there are no more of them.
    ///
    /// # Errors
    /// [`StoreError`]; then all of them are there still.
    pub fn forget(&mut self, before: u64, keep: u64) -> Result<Vec<u64>, StoreError> {
        let sql = "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts
                   WHERE details ->> 'phase' IN ('closed', 'merged')
                   AND (time < ?1 OR seq < (SELECT ifnull(min(seq), 0) FROM (SELECT seq FROM alerts ORDER BY seq DESC LIMIT ?2)) OR ?2 = 0)
                   ORDER BY seq LIMIT ?3) RETURNING id";
        let transaction = self.connection.transaction()?;
        let gone = {
            let mut delete = transaction.prepare(sql)?;
            let gone = delete.query_map([signed(before), signed(keep), signed(PRUNE_AT_ONCE)], |row| unsigned(row, 0))?;
            gone.collect::<Result<Vec<_>, _>>()?
        };
        transaction.commit()?;
        self.have_gone(gone.len())?;
        Ok(gone)
    }

    /// So many incidents were deleted: what they took goes back to the file system, a page with each step.
    fn have_gone(&mut self, gone: usize) -> Result<(), StoreError> {
        self.rows = self.rows.saturating_sub(gone);
        if gone > 0 {
            self.line_bytes = moments::bytes(&self.connection)?;
            let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum")?;
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
        }
        Ok(())
    }

    /// Takes in incidents of this history, or of another one, that are not here. They are over, whatever they say, and told to nobody.
    /// One of this history keeps its number; the same incident under another number is the same one by its source and its first packet.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them is taken.
    pub fn import(&mut self, import: &Import, alerts: &[Alert]) -> Result<Imported, StoreError> {
        let mut done = Imported::default();
        let (is_ours, transaction) = (import.history_id == self.numbers.history_id, self.connection.transaction()?);
        let (mut id, mut seq) = (import.after_id, import.after_seq);
        {
            let mut has_number = transaction.prepare("SELECT 1 FROM alerts WHERE id = ?1")?;
            let mut is_same = transaction
                .prepare("SELECT 1 FROM alerts WHERE source = ?1 AND details ->> 'first_seen' = ?2 AND (source <> '' OR kind = ?3)")?;
            let mut put = transaction.prepare(
                "INSERT INTO alerts (id, seq, revision, time, severity, kind, source, summary, details, acknowledged, note)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, nullif(?11, ''))",
            )?;
            for alert in alerts {
                let has_own = is_ours && alert.id <= self.numbers.last_id;
                let is_known = (has_own && has_number.exists([signed(alert.id)])?)
                    || is_same.exists(params![alert.source, signed(alert.details.first_seen), alert.kind])?;
                if is_known {
                    done.known += 1;
                    continue;
                }
                seq += 1;
                id += u64::from(!has_own);
                let number = if has_own { alert.id } else { id };
                let mut d = alert.details.clone();
                (d.seq, d.imported, d.delivery) = (seq, true, Delivery::Log);
                if alert.is_open() {
                    d.phase = Phase::Closed;
                }
                let details = serde_json::to_string(&d)?;
                let (number, seq, time) = (signed(number), signed(seq), signed(alert.time_usec));
                let said = (d.acknowledged.map(signed), &d.note);
                put.execute(params![
                    number,
                    seq,
                    d.revision,
                    time,
                    alert.severity.get(),
                    alert.kind,
                    alert.source,
                    alert.summary,
                    details,
                    said.0,
                    said.1
                ])?;
                done.taken += 1;
            }
        }
        let (last_id, last_seq) = (self.numbers.last_id.max(id), self.numbers.last_seq.max(seq));
        transaction.execute("UPDATE state SET last_id = ?1, last_seq = ?2", [signed(last_id), signed(last_seq)])?;
        transaction.commit()?;
        (self.numbers.last_id, self.numbers.last_seq) = (last_id, last_seq);
        self.rows += usize::try_from(done.taken).unwrap_or(0);
        Ok(done)
    }

    /// How the incident `id` went, from its first moment on.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn moments(&self, id: u64) -> Result<Vec<Moment>, StoreError> {
        Ok(moments::of(&self.connection, id)?)
    }

    /// The newest `max` incidents, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn newest(&self, max: usize) -> Result<Vec<Arc<Alert>>, StoreError> {
        let mut select = self.connection.prepare(&format!("SELECT {COLUMNS} FROM alerts ORDER BY seq DESC LIMIT ?1"))?;
        let mut rows = select.query([signed(max)])?;
        let mut alerts = Vec::new();
        while let Some(row) = rows.next()? {
            alerts.push(Arc::new(read(row)?));
        }
        alerts.reverse();
        Ok(alerts)
    }

    /// The newest revision of the incident `id`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn get(&self, id: u64) -> Result<Option<Arc<Alert>>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM alerts WHERE id = ?1");
        Ok(self.connection.query_row(&sql, [signed(id)], read).optional()?.map(Arc::new))
    }

    /// Alerts after `after_seq` up to `last_seq` that fit `filter`, oldest first, at most `limit`, and what one answer holds.
    /// There is always a next page: that of what is in memory.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn list(&self, after_seq: u64, last_seq: u64, limit: usize, filter: &Filter) -> Result<Page, StoreError> {
        let mut page = Page { alerts: Vec::new(), last_seq: last_seq.max(after_seq), more: true };
        let (mut whole, mut bytes) = (0, 0);
        let reached = self.walk(after_seq, last_seq, filter, |alert| {
            whole += 1;
            if let Some(alert) = alert {
                bytes += size(&alert);
                page.alerts.push(Arc::new(alert));
            }
            page.alerts.len() < limit && whole < MAX_ROWS && bytes < PAGE_BYTES
        })?;
        page.last_seq = reached.unwrap_or(page.last_seq);
        Ok(page)
    }

    /// Adds to `digest` the incidents after `after_seq` up to `last_seq` that fit `filter`, as far as one answer goes. Gives where the next
    /// question goes on; nothing when all were added.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn digest(&self, after_seq: u64, last_seq: u64, filter: &Filter, digest: &mut Digest) -> Result<Option<u64>, StoreError> {
        self.walk(after_seq, last_seq, filter, |alert| {
            alert.iter().for_each(|alert| digest.add(alert));
            true
        })
    }

    /// Reads rows after `after_seq` up to `last_seq` in their order, for a time at most and at least one. Those that may fit go to `take`,
    /// as nothing where they do not after all, until it wants no more. Gives the last one looked at, or nothing when there are no more.
    fn walk(
        &self,
        after_seq: u64,
        last_seq: u64,
        filter: &Filter,
        mut take: impl FnMut(Option<Alert>) -> bool,
    ) -> Result<Option<u64>, StoreError> {
        let begun = Instant::now();
        let mut select = self.connection.prepare(&format!("SELECT {COLUMNS} FROM alerts WHERE seq > ?1 AND seq <= ?2 ORDER BY seq"))?;
        let mut rows = select.query([signed(after_seq), signed(last_seq)])?;
        let (mut looked_at, mut is_full) = (after_seq, false);
        while let Some(row) = rows.next()? {
            // At least one row each time, or the next question would be the same.
            if is_full || (looked_at > after_seq && begun.elapsed() >= MAX_LOOK) {
                return Ok(Some(looked_at));
            }
            looked_at = unsigned(row, 1)?;
            if filter.may_fit(row.get(4)?, row.get_ref(5)?.as_str().unwrap_or_default(), unsigned(row, 3)?) {
                is_full = !take(Some(read(row)?).filter(|alert| filter.fits(alert)));
            }
        }
        Ok(None)
    }

    /// Ends in order: everything that was told is written, so that numbers go on without a leap.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn close(self) -> Result<(), StoreError> {
        self.connection.execute("UPDATE state SET is_orderly = 1", [])?;
        Ok(self.connection.close().map_err(|(_, error)| error)?)
    }

    #[cfg(test)]
    pub(crate) fn bound_lines(&mut self, max_line_bytes: u64) {
        self.max_line_bytes = max_line_bytes;
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

enum Opened {
    Fit(Database),
    Newer(usize),
}

/// Brings the schema up to date and takes the numbers, in one transaction.
fn begin(connection: &mut Connection, version: usize, fresh: &Numbers) -> Result<Numbers, StoreError> {
    let transaction = connection.transaction()?;
    for step in SCHEMA.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", signed(SCHEMA.len()))?;
    transaction.execute(
        "INSERT OR IGNORE INTO state (one, history_id, last_id, last_seq, is_orderly) VALUES (1, ?1, ?2, ?3, 1)",
        params![fresh.history_id, signed(fresh.last_id), signed(fresh.last_seq)],
    )?;
    let (mut numbers, is_orderly) = transaction.query_row("SELECT history_id, last_id, last_seq, is_orderly FROM state", [], |row| {
        Ok((Numbers { history_id: row.get(0)?, last_id: unsigned(row, 1)?, last_seq: unsigned(row, 2)? }, row.get::<_, bool>(3)?))
    })?;
    if !is_orderly {
        numbers.last_id += LEAP.0;
        numbers.last_seq += LEAP.1;
    }
    let (last_id, last_seq) = (signed(numbers.last_id), signed(numbers.last_seq));
    transaction.execute("UPDATE state SET last_id = ?1, last_seq = ?2, is_orderly = 0", [last_id, last_seq])?;
    transaction.commit()?;
    Ok(numbers)
}

/// The columns that [`read`] reads, in its order.
const COLUMNS: &str = "id, seq, revision, time, severity, kind, source, summary, details, acknowledged, note";

fn read(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let wrong = |column, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    let details = serde_json::from_str(row.get_ref(8)?.as_str()?).map_err(|error| wrong(8, error.into()))?;
    let severity = Severity::try_from(row.get::<_, u8>(4)?).map_err(|error| wrong(4, error.into()))?;
    let mut alert = Alert {
        id: unsigned(row, 0)?,
        time_usec: unsigned(row, 3)?,
        severity,
        kind: row.get(5)?,
        source: row.get(6)?,
        summary: row.get(7)?,
        details,
    };
    read_remarks(row, 9)?.iter().for_each(|remark| remark.apply(&mut alert));
    Ok(alert)
}

/// What stands in the columns `acknowledged` and `note`, which begin at `column`.
fn read_remarks(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Remark>> {
    let acknowledged = row.get::<_, Option<i64>>(column)?.and_then(|time_usec| u64::try_from(time_usec).ok());
    let note = row.get::<_, Option<String>>(column + 1)?;
    Ok(acknowledged.map(Remark::Acknowledged).into_iter().chain(note.map(Remark::Note)).collect())
}

fn id(file: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(file).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn damage(found: &str) -> StoreError {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(found.to_owned())).into()
}

/// SQLite's numbers have a sign. Ours are below 2^53, and times end there in the year 292277.
pub(super) fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or(0))
}
