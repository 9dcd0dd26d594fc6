//! The alarms in a MySQL or MariaDB server.
//!
//! A connection is kept and its statements stay prepared, so that an idle poll is one round trip and nothing else.
//! The pool is our own (`super::pool`): the driver's checks a connection at every use, which would double that price. After
//! any error that leaves a connection in doubt it is dropped (see `line`), because the driver would hand a late
//! answer to the next question.
//!
//! All texts go as bound parameters. A clearing is compare-and-set; the server counts changed rows, so the flag
//! that makes it count found rows must never be set. Notes and names are compared byte for byte: the collation of
//! the column would take `Web ` for `web`. Nothing but this file and its parts names the driver.

mod bell;
mod connect;
mod failure;
mod line;
mod mode;
mod publish;
mod statements;
mod tables;

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
use failure::{NO_PARENT, NO_TABLE, NOT_FOR_US, TAKEN};
use jiff::tz::TimeZone;
use line::Line;
use mysql::Value;
use statements::{Statements, bytes_of, of_host};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;

/// How often a statement is made anew after a deadlock or a lock that was not released.
const REPEATS: u32 = 5;
/// `notes` of the contract, when the server does not tell.
const CONTRACT_LENGTH: usize = 100;

/// The alarms in a server.
pub(super) struct MysqlStore {
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

impl MysqlStore {
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
        let lengths = self.line.rows::<1>(
            "reading the length of STATUS_PROCESS.notes",
            "SELECT CAST(character_maximum_length AS SIGNED) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = 'STATUS_PROCESS' AND column_name = 'notes'",
            Vec::new(),
        )?;
        let limit = match lengths.first() {
            Some([Cell::Int(length)]) => usize::try_from(*length).unwrap_or(CONTRACT_LENGTH),
            _ => CONTRACT_LENGTH,
        };
        self.limit = Some(limit);
        Ok(limit)
    }

    /// One clearing; `None` when the row changed in between and is again as it was read.
    fn clear_once(&mut self, doing: &str, clear: &Clear) -> Result<Option<Cleared>, StoreError> {
        let (row, read) = (Value::from(clear.row.0), Value::from(clear.notes.as_deref()));
        let changed = match clear.restarted_at {
            None => self.line.change(doing, &self.statements.clear, vec![row.clone(), read])?,
            Some(at) => {
                let limit = self.limit()?;
                let stamp = notes::stamp(at, &TimeZone::system());
                let note = notes::appended(clear.notes.as_deref(), &stamp, Some(limit));
                let values = vec![Value::from(note), row.clone(), read];
                self.line.change(doing, &self.statements.clear_with_note, values)?
            }
        };
        if changed > 0 {
            return Ok(Some(Cleared::Done));
        }
        let now = self.line.rows::<2>(doing, &self.statements.look, vec![row])?;
        Ok(rows::fate(now.into_iter().next(), clear))
    }

    fn set(&mut self, doing: &str, alarm: i64, which: &Rows, note: &str) -> Result<u64, StoreError> {
        let note = notes::fitted(note, Some(self.limit()?)).to_owned();
        let of_host = of_host("host_id", self.host_id);
        let change = |line: &mut Line, named: &str, name: Option<&Name>| {
            let which = format!("WHERE process_id IN (SELECT process_id FROM PROCESE{named}){of_host}");
            let name = name.map(|name| Value::from(name.as_str()));
            // The server counts only rows that changed; people ask how many there were.
            let count = format!("SELECT COUNT(*) FROM STATUS_PROCESS {which}");
            let there = line.rows::<1>(doing, &count, name.clone().into_iter().collect())?;
            let update = format!("UPDATE STATUS_PROCESS SET alarma = {alarm}, sound = 0, notes = ? {which}");
            let values = std::iter::once(Value::from(&note)).chain(name).collect();
            line.change(doing, &update, values)?;
            match there.first() {
                Some([Cell::Int(count)]) => Ok(u64::try_from(*count).unwrap_or_default()),
                _ => Ok(0),
            }
        };
        match which {
            Rows::All => change(&mut self.line, "", None),
            Rows::Named(names) => {
                let mut names: Vec<&Name> = names.iter().collect();
                names.sort();
                names.dedup();
                let named = format!(" WHERE {} = CAST(? AS BINARY)", bytes_of("process_name"));
                names.into_iter().map(|name| change(&mut self.line, &named, Some(name))).sum()
            }
        }
    }

    /// Adds a process, unless it is there; `None` when its number was taken in between.
    fn add_once(&mut self, doing: &str, name: &Name) -> Result<Option<RowId>, StoreError> {
        let there = format!(
            "SELECT s.process_id FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
             WHERE {} = CAST(? AS BINARY){} ORDER BY s.process_id LIMIT 1",
            bytes_of("p.process_name"),
            of_host("s.host_id", self.host_id)
        );
        let there = self.line.rows::<1>(doing, &there, vec![Value::from(name.as_str())])?;
        if let Some([Cell::Int(row)]) = there.first() {
            return Ok(Some(RowId(*row)));
        }
        let next = "SELECT CAST(GREATEST((SELECT COALESCE(MAX(process_id), 0) FROM STATUS_PROCESS), \
                    (SELECT COALESCE(MAX(process_id), 0) FROM PROCESE)) + 1 AS SIGNED)";
        let next = self.line.rows::<1>(doing, next, Vec::new())?;
        let Some([Cell::Int(row)]) = next.first() else { return Ok(None) };
        let (columns, host) =
            self.host_id.map_or_else(Default::default, |host| (", host_id", format!(", {host}")));
        let status =
            format!("INSERT INTO STATUS_PROCESS (process_id, alarma, sound{columns}) VALUES (?, 0, 0{host})");
        let process = "INSERT INTO PROCESE (process_id, process_name) VALUES (?, ?)";
        let mut changes = [
            (status.as_str(), vec![Value::from(*row)]),
            (process, vec![Value::from(*row), Value::from(name.as_str())]),
        ];
        let mut answer = self.line.changes_unless(doing, &changes, &[TAKEN, NO_PARENT])?;
        if answer == Some(NO_PARENT) {
            // Some installations have the foreign key the other way round.
            changes.reverse();
            answer = self.line.changes_unless(doing, &changes, &[TAKEN])?;
        }
        Ok(answer.is_none().then_some(RowId(*row)))
    }

    /// The rows of an optional table; a table that is not there for us has none.
    fn pairs(&mut self, pairs: &Pairs, index: usize) -> Result<Vec<(Name, Name)>, StoreError> {
        let (doing, question) = (pairs.reading(), pairs.question());
        let Some(rows) = self.line.rows_unless::<2>(&doing, &question, Vec::new(), NOT_FOR_US)? else {
            debug!("{} is not there, or this account may not read it", pairs.table);
            return Ok(Vec::new());
        };
        let read = pairs.pairs(rows, self.line.at())?;
        Ok(self.left_of_pairs[index].out(read, &format!("{} at {}", pairs.table, self.line.at())))
    }

    /// Whether the server does not let this account read an optional table. It says so also when there is none. Any other
    /// trouble is for those to tell who want the rows.
    fn denies(&mut self, pairs: &Pairs) -> bool {
        let (doing, probe) = (pairs.reading(), pairs.probe());
        let mut ask = |codes: &[u16]| self.line.rows_unless::<2>(&doing, &probe, Vec::new(), codes);
        matches!(ask(NOT_FOR_US), Ok(None)) && ask(&[NO_TABLE]).is_err()
    }

    /// Waits before a statement is made anew; false when pm is to stop.
    fn pause(&self, repeat: u32) -> bool {
        let dice = RandomState::new().build_hasher().finish() % 100;
        let pause = Duration::from_millis(u64::from(repeat) * 20 + dice);
        self.clock.wait(pause) == Waited::Elapsed
    }
}

impl AlarmStore for MysqlStore {
    fn poll(&mut self, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let doing = "reading the alarms from STATUS_PROCESS";
        let rows = self.line.rows::<4>(doing, &self.statements.poll, vec![Value::from(limit)])?;
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
        let sql = format!(
            "SELECT {ROW_COLUMNS} FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
             WHERE 1 = 1{} ORDER BY s.process_id",
            of_host("s.host_id", self.host_id)
        );
        let rows =
            self.line.rows::<5>("reading the processes from PROCESE and STATUS_PROCESS", &sql, Vec::new())?;
        let rows = rows.into_iter().map(rows::row).collect();
        Ok(self.left_of_list.out(rows, &self.line.table()))
    }

    fn known(&mut self) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT COUNT(*) FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
             WHERE 1 = 1{}",
            of_host("s.host_id", self.host_id)
        );
        let counted = self.line.rows::<1>("counting the processes in STATUS_PROCESS", &sql, Vec::new())?;
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
            match self.add_once(&doing, name)? {
                Some(row) => return Ok(row),
                // Somebody took the number in between.
                None => continue,
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
        let version =
            self.line.rows::<1>("reading the version of the server", "SELECT VERSION()", Vec::new())?;
        let engine = match version.into_iter().next() {
            Some([Cell::Text(version)]) => format!("mysql {version}"),
            _ => "mysql".to_owned(),
        };
        let optional = [&GROUPS, &DEPENDENCIES].into_iter();
        let denied = optional.filter(|pairs| self.denies(pairs)).map(|pairs| pairs.table).collect();
        let mut tables = tables::MysqlTables { line: &mut self.line, by_host: self.host_id.is_some() };
        Ok(Schema {
            engine,
            version: tables.version()?,
            newest: schema::NEWEST,
            missing: schema::missing(&mut tables)?,
            denied,
        })
    }

    fn time(&mut self) -> Result<Option<ServerTime>, StoreError> {
        let sql = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED), \
                   CAST(TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW()) AS SIGNED)";
        let told = self.line.rows::<2>("reading the clock of the server", sql, Vec::new())?;
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

    fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        self.limit = None;
        schema::migrate(&mut tables::MysqlTables { line: &mut self.line, by_host: self.host_id.is_some() })
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
        address.push.map(|number| Box::new(bell::LogBell::new(address.clone(), number)) as Box<dyn Bell>)
    }
}

impl Member for MysqlStore {
    fn at(&self) -> &str {
        self.line.at()
    }

    fn is_open(&self) -> bool {
        self.line.is_open()
    }

    fn mode(&mut self) -> Result<Mode, StoreError> {
        mode::of(&mut self.line)
    }

    fn again(&self) -> Box<dyn Member> {
        Box::new(Self::new(self.line.address().clone(), Arc::clone(&self.clock)))
    }

    fn leave(&mut self) {
        self.line.hang_up();
    }
}
