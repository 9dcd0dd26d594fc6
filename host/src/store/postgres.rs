//! The alarms in a PostgreSQL server.
//!
//! A connection is kept and its statements stay prepared, so that an idle poll is one round trip and nothing else.
//! After any error that leaves a connection in doubt it is dropped (see `line`). Names are written without quotes:
//! the server folds them to small letters, `status_process` and `procese`.
//!
//! All texts go as bound parameters with their type, so that a column of another type is the server's to convert. A
//! clearing is compare-and-set. Notes and names are compared byte for byte (`COLLATE "C"`), whatever the collation of
//! the column. Nothing but this file and its parts names the driver.

mod bell;
mod cells;
mod connect;
mod failure;
mod line;
mod publish;
mod session;
mod statements;
mod tables;
mod tls;

use super::ServerAddress;
use super::lease;
use super::notes;
use super::relations::{DEPENDENCIES, GROUPS, Pairs};
use super::rows::{self, Cell, Left, ROW_COLUMNS};
use super::schema::{self, Tables as _};
use super::several::{Member, Mode};
use crate::policy::model::{Alarm, Clear, Name, RowId};
use crate::policy::relations::Relations;
use crate::policy::time::Wall;
use crate::ports::{
    AlarmStore, Bell, Cleared, Clock, Host, Lease, Publication, Published, Row, Rows, Schema, ServerTime,
    Speaker, StoreError, Trouble, Waited,
};
use cells::Value;
use failure::{NO_TABLE, NOT_FOR_US, TAKEN};
use jiff::tz::TimeZone;
use line::Line;
use statements::Statements;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tables::{ALONE, MAKING, PostgresTables};
use tracing::debug;

/// How often a statement is made anew after a deadlock or a lock that was not released.
const REPEATS: u32 = 5;
/// `notes` of the contract, when the server does not tell.
const CONTRACT_LENGTH: usize = 100;
/// The same for a column without a length: more than anybody reads.
const ENOUGH: usize = 65_535;
/// The two tables together.
const JOINED: &str = "STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id";

/// The alarms in a server.
pub(super) struct PostgresStore {
    line: Line,
    clock: Arc<dyn Clock>,
    host_id: Option<i64>,
    statements: Statements,
    /// The lease that clearings are bound to.
    fence: Option<i64>,
    /// The length of `notes`, once it is known.
    limit: Option<usize>,
    left: Left,
    left_of_list: Left,
    left_of_pairs: [Left; 2],
}

impl PostgresStore {
    pub(super) fn new(address: ServerAddress, clock: Arc<dyn Clock>) -> Self {
        let host_id = address.host_id;
        Self {
            line: Line::new(address),
            clock,
            host_id,
            statements: Statements::new(host_id, None),
            fence: None,
            limit: None,
            left: Left::default(),
            left_of_list: Left::default(),
            left_of_pairs: Default::default(),
        }
    }

    /// The length of `notes` in characters, read once.
    fn limit(&mut self) -> Result<usize, StoreError> {
        if let Some(limit) = self.limit {
            return Ok(limit);
        }
        // Of a text with a length the modifier is four more than that; without one it is negative.
        let sql = "SELECT CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END - 4 \
                   FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
                   WHERE a.attrelid = to_regclass('STATUS_PROCESS') AND a.attname = 'notes' AND NOT a.attisdropped";
        let lengths = self.line.rows::<1>("reading the length of STATUS_PROCESS.notes", sql, &[])?;
        let limit = match lengths.first() {
            Some([Cell::Int(length)]) => usize::try_from(*length).unwrap_or(ENOUGH),
            _ => CONTRACT_LENGTH,
        };
        self.limit = Some(limit);
        Ok(limit)
    }

    /// One clearing; `None` when the row changed in between and is again as it was read.
    fn clear_once(&mut self, doing: &str, clear: &Clear) -> Result<Option<Cleared>, StoreError> {
        let (row, read) = (Value::Int(clear.row.0), Value::Text(clear.notes.clone()));
        let changed = match clear.restarted_at {
            None => self.line.change(doing, &self.statements.clear, &[row.clone(), read])?,
            Some(at) => {
                let limit = self.limit()?;
                let stamp = notes::stamp(at, &TimeZone::system());
                let note = notes::appended(clear.notes.as_deref(), &stamp, Some(limit));
                let values = [row.clone(), read, Value::Text(Some(note))];
                self.line.change(doing, &self.statements.clear_with_note, &values)?
            }
        };
        if changed > 0 {
            return Ok(Some(Cleared::Done));
        }
        let now = self.line.rows::<2>(doing, &self.statements.look, &[row])?;
        Ok(rows::fate(now.into_iter().next(), clear))
    }

    fn set(&mut self, doing: &str, alarm: i64, which: &Rows, note: &str) -> Result<u64, StoreError> {
        let note = Value::text(notes::fitted(note, Some(self.limit()?)));
        let update = |named: &str| {
            format!(
                "UPDATE STATUS_PROCESS SET alarma = {alarm}, sound = 0, notes = $1::text \
                 WHERE process_id IN (SELECT process_id FROM PROCESE{named}){}",
                of_host("host_id", self.host_id)
            )
        };
        match which {
            Rows::All => self.line.change(doing, &update(""), &[note]),
            Rows::Named(names) => {
                let mut names: Vec<&Name> = names.iter().collect();
                names.sort();
                names.dedup();
                let update = update(&format!(" WHERE {}", same("process_name", "$2")));
                let mut change = |name: &Name| {
                    self.line.change(doing, &update, &[note.clone(), Value::text(name.as_str())])
                };
                names.into_iter().map(&mut change).sum()
            }
        }
    }

    /// Adds a process, unless it is there; `None` when its number was taken in between. One statement, whose foreign
    /// keys are looked at when all of it is done, so that either way round will do.
    fn add_once(&mut self, doing: &str, name: &Name) -> Result<Option<RowId>, StoreError> {
        let there = format!(
            "SELECT s.process_id::bigint FROM {JOINED} WHERE {}{} ORDER BY 1 LIMIT 1",
            same("p.process_name", "$1"),
            of_host("s.host_id", self.host_id)
        );
        let there = self.line.rows::<1>(doing, &there, &[Value::text(name.as_str())])?;
        if let Some([Cell::Int(row)]) = there.first() {
            return Ok(Some(RowId(*row)));
        }
        let (columns, host) =
            self.host_id.map_or_else(Default::default, |host| (", host_id", format!(", {host}")));
        let add = format!(
            "WITH next AS (SELECT GREATEST((SELECT COALESCE(MAX(process_id), 0) FROM STATUS_PROCESS), \
             (SELECT COALESCE(MAX(process_id), 0) FROM PROCESE)) + 1 AS id), \
             status AS (INSERT INTO STATUS_PROCESS (process_id, alarma, sound{columns}) \
             SELECT id, 0, 0{host} FROM next) \
             INSERT INTO PROCESE (process_id, process_name) SELECT id, $1::text FROM next \
             RETURNING process_id::bigint"
        );
        let added = self.line.added(doing, &add, &[Value::text(name.as_str())], &[TAKEN])?;
        Ok(match added.as_deref() {
            Some([[Cell::Int(row)]]) => Some(RowId(*row)),
            _ => None,
        })
    }

    /// The rows of an optional table; a table that is not there for us has none.
    fn pairs(&mut self, pairs: &Pairs, index: usize) -> Result<Vec<(Name, Name)>, StoreError> {
        let Some(rows) = self.line.rows_unless::<2>(&pairs.reading(), &pairs.question(), NOT_FOR_US)? else {
            debug!("{} is not there, or this account may not read it", pairs.table);
            return Ok(Vec::new());
        };
        let read = pairs.pairs(rows, self.line.at())?;
        Ok(self.left_of_pairs[index].out(read, &format!("{} at {}", pairs.table, self.line.at())))
    }

    /// Whether the server does not let this account read an optional table that is there.
    fn denies(&mut self, pairs: &Pairs) -> bool {
        let (doing, probe) = (pairs.reading(), pairs.probe());
        let mut ask = |codes: &[&str]| self.line.rows_unless::<2>(&doing, &probe, codes);
        matches!(ask(NOT_FOR_US), Ok(None)) && ask(&[NO_TABLE]).is_err()
    }

    /// Waits before a statement is made anew; false when pm is to stop.
    fn pause(&self, repeat: u32) -> bool {
        let dice = RandomState::new().build_hasher().finish() % 100;
        let pause = Duration::from_millis(u64::from(repeat) * 20 + dice);
        self.clock.wait(pause) == Waited::Elapsed
    }
}

impl AlarmStore for PostgresStore {
    fn poll(&mut self, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        let limit = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
        let doing = "reading the alarms from STATUS_PROCESS";
        let rows = self.line.rows::<4>(doing, &self.statements.poll, &[limit])?;
        let rows = rows.into_iter().map(rows::alarm).collect();
        Ok(self.left.out(rows, &self.line.table()))
    }

    fn clear(&mut self, clear: &Clear) -> Result<Cleared, StoreError> {
        let doing = format!("clearing the alarm of process_id {} in STATUS_PROCESS", clear.row.0);
        let mut repeat = 0;
        loop {
            repeat += 1;
            match self.clear_once(&doing, clear) {
                Ok(Some(how)) => return Ok(how),
                Ok(None) if repeat >= REPEATS => return Ok(Cleared::Changed),
                Ok(None) => {}
                // The column may be shorter than when its length was read: once more with the length of now.
                Err(error) if error.trouble == Trouble::Other && repeat == 1 => self.limit = None,
                Err(error) if error.trouble != Trouble::Conflict || repeat >= REPEATS => return Err(error),
                Err(error) => {
                    if !self.pause(repeat) {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Row>, StoreError> {
        let of_host = of_host("s.host_id", self.host_id);
        let sql = format!("SELECT {ROW_COLUMNS} FROM {JOINED} WHERE true{of_host} ORDER BY s.process_id");
        let doing = "reading the processes from PROCESE and STATUS_PROCESS";
        let rows = self.line.rows::<5>(doing, &sql, &[])?.into_iter().map(rows::row).collect();
        Ok(self.left_of_list.out(rows, &self.line.table()))
    }

    fn known(&mut self) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {JOINED} WHERE true{}", of_host("s.host_id", self.host_id));
        let counted = self.line.rows::<1>("counting the processes in STATUS_PROCESS", &sql, &[])?;
        match counted.first() {
            Some([Cell::Int(count)]) => Ok(u64::try_from(*count).unwrap_or_default()),
            _ => Ok(0),
        }
    }

    fn relations(&mut self) -> Result<Relations, StoreError> {
        Ok(Relations { groups: self.pairs(&GROUPS, 0)?, dependencies: self.pairs(&DEPENDENCIES, 1)? })
    }

    fn add(&mut self, name: &Name) -> Result<RowId, StoreError> {
        let doing = format!("adding the process \"{name}\" to PROCESE and STATUS_PROCESS");
        for _ in 0..REPEATS {
            // Without a row somebody took the number in between.
            if let Some(row) = self.add_once(&doing, name)? {
                return Ok(row);
            }
        }
        Err(StoreError {
            trouble: Trouble::Conflict,
            attempted: format!("{doing} at {}", self.line.at()),
            why: "others keep taking the next process_id".to_owned(),
            hint: Some("try again"),
        })
    }

    fn raise(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.set("raising alarms in STATUS_PROCESS", 1, rows, note)
    }

    fn reset(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.set("resetting alarms in STATUS_PROCESS", 0, rows, note)
    }

    fn schema(&mut self) -> Result<Schema, StoreError> {
        let sql = "SELECT current_setting('server_version')";
        let version = self.line.rows::<1>("reading the version of the server", sql, &[])?;
        let engine = match version.into_iter().next() {
            Some([Cell::Text(version)]) => format!("postgresql {version}"),
            _ => "postgresql".to_owned(),
        };
        let optional = [&GROUPS, &DEPENDENCIES].into_iter();
        let denied = optional.filter(|pairs| self.denies(pairs)).map(|pairs| pairs.table).collect();
        let mut tables = PostgresTables { line: &mut self.line, by_host: self.host_id.is_some() };
        Ok(Schema {
            engine,
            version: tables.version()?,
            newest: schema::NEWEST,
            missing: schema::missing(&mut tables)?,
            denied,
        })
    }

    fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        self.limit = None;
        let by_host = self.host_id.is_some();
        self.line.together(MAKING, ALONE, |line| schema::migrate(&mut PostgresTables { line, by_host }))
    }

    fn time(&mut self) -> Result<Option<ServerTime>, StoreError> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
                   (extract(timezone FROM clock_timestamp()) / 60)::bigint";
        let told = self.line.rows::<2>("reading the clock of the server", sql, &[])?;
        Ok(match told.first() {
            Some([Cell::Int(at), Cell::Int(ahead)]) => {
                Some(ServerTime { at: Wall(*at), ahead: i32::try_from(*ahead).unwrap_or_default() })
            }
            _ => None,
        })
    }

    fn publish(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        self.put(publications)
    }

    fn hold(&mut self, speaker: &Speaker, epoch: Option<i64>) -> Result<Lease, StoreError> {
        lease::hold(self, speaker, epoch)
    }

    fn fence(&mut self, epoch: Option<i64>) {
        if self.fence != epoch {
            self.fence = epoch;
            self.statements = Statements::new(self.host_id, epoch);
        }
    }

    fn let_go(&mut self, epoch: i64) -> Result<(), StoreError> {
        lease::let_go(self, epoch)
    }

    fn silent(&mut self, after: Duration) -> Result<Vec<Host>, StoreError> {
        lease::silent(self, after)
    }

    fn hosts(&mut self) -> Result<Vec<Host>, StoreError> {
        lease::hosts(self)
    }

    fn bell(&self) -> Option<Box<dyn Bell>> {
        let address = self.line.address();
        address.push.map(|_| Box::new(bell::NoticeBell::new(address.clone())) as Box<dyn Bell>)
    }
}

impl Member for PostgresStore {
    fn at(&self) -> &str {
        self.line.at()
    }

    fn is_open(&self) -> bool {
        self.line.is_open()
    }

    fn mode(&mut self) -> Result<Mode, StoreError> {
        // A standby is in recovery; others may be told to read only.
        let sql = "SELECT current_setting('transaction_read_only')";
        let doing = "asking whether the server takes changes";
        Ok(match self.line.rows::<1>(doing, sql, &[])?.as_slice() {
            [[Cell::Text(word)]] if word == "on" => Mode::Reads,
            _ => Mode::Writes,
        })
    }

    fn again(&self) -> Box<dyn Member> {
        Box::new(Self::new(self.line.address().clone(), Arc::clone(&self.clock)))
    }

    fn leave(&mut self) {
        self.line.hang_up();
    }
}

/// The condition that a text column is a text, byte for byte; NULL is NULL.
fn same(column: &str, value: &str) -> String {
    format!("({column}::text COLLATE \"C\") IS NOT DISTINCT FROM {value}::text")
}

/// The condition for one host; the number is no text from outside.
fn of_host(column: &str, host: Option<i64>) -> String {
    host.map_or_else(String::new, |host| format!(" AND {column} = {host}"))
}
