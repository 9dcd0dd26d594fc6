//! The alarms in a file of SQLite: the engine when no server is configured.
//!
//! A file that does not exist yet is created with the tables of the alarms, for whoever may make it; one that was there
//! and is gone is never made anew, because an empty table looks like a quiet host. In a file of somebody else nothing is
//! created without `migrate`. One connection stays open with its statements prepared; it is opened anew when the
//! file behind the path is another one, and after any error of the file itself. Nothing but this file and its parts
//! names the driver.

mod bell;
mod failure;
mod open;
mod publish;
mod tables;

use super::notes;
use super::relations::{DEPENDENCIES, GROUPS, Pairs};
use super::rows::{self, ALARM_COLUMNS, Cell, Left, ROW_COLUMNS};
use super::schema;
use super::{Access, Push, SqliteAddress};
use crate::policy::model::{Alarm, Clear, Name, RowId};
use crate::policy::relations::Relations;
use crate::ports::{AlarmStore, Bell, Cleared, Publication, Published, Row, Rows, Schema, StoreError};
use failure::Place;
use jiff::tz::TimeZone;
use open::{Open, Without, identity, is_absent, migrate, open};
use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{OptionalExtension, TransactionBehavior};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tables::SqliteTables;

/// How often a clearing is made anew when the row changes at that very moment.
const REPEATS: u32 = 5;

/// The alarms in a file.
pub(super) struct SqliteStore {
    address: SqliteAddress,
    place: Place,
    /// Whether the file has been there, for this store and for those beside it.
    seen: Arc<AtomicBool>,
    open: Option<Open>,
    left: Left,
    left_of_list: Left,
    left_of_pairs: [Left; 2],
}

impl SqliteStore {
    pub(super) fn new(address: SqliteAddress) -> Self {
        let place = Place(address.path.clone());
        Self {
            address,
            place,
            seen: Arc::default(),
            open: None,
            left: Left::default(),
            left_of_list: Left::default(),
            left_of_pairs: Default::default(),
        }
    }

    /// Makes one call with an open connection, and closes it when the error leaves it in doubt.
    fn with<T>(
        &mut self,
        doing: &str,
        call: impl FnOnce(&mut Open, Option<i64>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let host = self.address.host_id;
        let result = call(self.opened()?, host);
        result.map_err(|error| {
            if failure::doubtful(&error) {
                self.open = None;
            }
            self.place.error(doing, &error)
        })
    }

    fn opened(&mut self) -> Result<&mut Open, StoreError> {
        let may_make = self.address.access == Access::Full && !self.seen.load(Ordering::Relaxed);
        self.opened_or(if may_make { Without::Make } else { Without::Say })
    }

    /// For those who are asked to make what is missing.
    fn made(&mut self) -> Result<&mut Open, StoreError> {
        let may_write = self.address.access != Access::ReadOnly;
        self.opened_or(if may_write { Without::Make } else { Without::Say })
    }

    fn opened_or(&mut self, without: Without) -> Result<&mut Open, StoreError> {
        let file = identity(&self.address.path);
        if self.open.as_ref().is_some_and(|open| open.file != file) {
            self.open = None;
        }
        match self.open {
            Some(ref mut open) => Ok(open),
            None => {
                if without == Without::Say && is_absent(&self.address.path) {
                    let seen = self.seen.load(Ordering::Relaxed);
                    return Err(if seen { self.place.gone() } else { self.place.not_yet() });
                }
                let open = open(&self.address, &self.place, without)?;
                self.seen.store(true, Ordering::Relaxed);
                Ok(self.open.insert(open))
            }
        }
    }

    /// A connection to a file that could not be written when it was opened never writes, whatever happens to the file.
    fn forget_if_read_only(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.conn.is_readonly("main").unwrap_or(false)) {
            self.open = None;
        }
    }

    /// The rows of an optional table; a table that is not there has none.
    fn pairs(&mut self, pairs: &Pairs, index: usize) -> Result<Vec<(Name, Name)>, StoreError> {
        let rows = self.with(&pairs.reading(), |open, _| {
            if !tables::exists(&open.conn, pairs.table)? {
                return Ok(Vec::new());
            }
            open.conn.prepare(&pairs.question())?.query_map([], cells)?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let at = self.address.path.display();
        let read = pairs.pairs(rows, &at.to_string())?;
        Ok(self.left_of_pairs[index].out(read, &format!("{} at {at}", pairs.table)))
    }

    fn set(&mut self, doing: &str, alarm: i64, which: &Rows, note: &str) -> Result<u64, StoreError> {
        self.with(doing, |open, host| {
            let note = notes::fitted(note, open.limit).to_owned();
            let of_host = of_host("host_id", host);
            let set = format!(
                "UPDATE STATUS_PROCESS SET alarma = {alarm}, sound = 0, notes = ?1 WHERE process_id IN"
            );
            let tx = open.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let changed = match which {
                Rows::All => {
                    tx.execute(&format!("{set} (SELECT process_id FROM PROCESE){of_host}"), [&note])?
                }
                Rows::Named(names) => {
                    let sql =
                        format!("{set} (SELECT process_id FROM PROCESE WHERE process_name = ?2){of_host}");
                    let mut statement = tx.prepare(&sql)?;
                    let mut names: Vec<&Name> = names.iter().collect();
                    names.sort();
                    names.dedup();
                    let mut changed = 0;
                    for name in names {
                        changed += statement.execute([note.as_str(), name.as_str()])?;
                    }
                    changed
                }
            };
            tx.commit()?;
            Ok(u64::try_from(changed).unwrap_or(u64::MAX))
        })
    }
}

impl AlarmStore for SqliteStore {
    fn poll(&mut self, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.with("reading the alarms from STATUS_PROCESS", |open, host| {
            let sql = format!(
                "SELECT {ALARM_COLUMNS} FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
                 WHERE s.alarma = 1{} ORDER BY s.process_id LIMIT ?1",
                of_host("s.host_id", host)
            );
            let mut statement = open.conn.prepare_cached(&sql)?;
            statement
                .query_map([limit], |row| Ok(rows::alarm(cells(row)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(self.left.out(rows, &self.place.table()))
    }

    fn clear(&mut self, clear: &Clear) -> Result<Cleared, StoreError> {
        self.forget_if_read_only();
        let doing = format!("clearing the alarm of process_id {} in STATUS_PROCESS", clear.row.0);
        self.with(&doing, |open, host| {
            let of_host = of_host("host_id", host);
            let note = clear.restarted_at.map(|at| {
                let stamp = notes::stamp(at, &TimeZone::system());
                notes::appended(clear.notes.as_deref(), &stamp, open.limit)
            });
            let set = if note.is_some() { ", notes = ?3" } else { "" };
            // The cast compares what was read: a number in a column without a type was read as text.
            let update = format!(
                "UPDATE STATUS_PROCESS SET alarma = 0{set} \
                 WHERE process_id = ?1 AND alarma = 1 AND CAST(notes AS TEXT) IS ?2{of_host}"
            );
            let look = format!(
                "SELECT alarma, CAST(notes AS TEXT) FROM STATUS_PROCESS WHERE process_id = ?1{of_host}"
            );
            for _ in 0..REPEATS {
                let mut values: Vec<&dyn ToSql> = vec![&clear.row.0, &clear.notes];
                values.extend(note.as_ref().map(|note| note as &dyn ToSql));
                if open.conn.prepare_cached(&update)?.execute(&*values)? > 0 {
                    return Ok(Cleared::Done);
                }
                let now = open.conn.prepare_cached(&look)?.query_row([clear.row.0], cells).optional()?;
                if let Some(fate) = rows::fate(now, clear) {
                    return Ok(fate);
                }
            }
            Ok(Cleared::Changed)
        })
    }

    fn list(&mut self) -> Result<Vec<Row>, StoreError> {
        let rows = self.with("reading the processes from PROCESE and STATUS_PROCESS", |open, host| {
            let sql = format!(
                "SELECT {ROW_COLUMNS} FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
                 WHERE 1 = 1{} ORDER BY s.process_id",
                of_host("s.host_id", host)
            );
            let mut statement = open.conn.prepare(&sql)?;
            statement.query_map([], |row| Ok(rows::row(cells(row)?)))?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(self.left_of_list.out(rows, &self.place.table()))
    }

    fn known(&mut self) -> Result<u64, StoreError> {
        self.with("counting the processes in STATUS_PROCESS", |open, host| {
            let sql = format!(
                "SELECT COUNT(*) FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
                 WHERE 1 = 1{}",
                of_host("s.host_id", host)
            );
            let counted: i64 = open.conn.query_row(&sql, [], |row| row.get(0))?;
            Ok(u64::try_from(counted).unwrap_or_default())
        })
    }

    fn relations(&mut self) -> Result<Relations, StoreError> {
        Ok(Relations { groups: self.pairs(&GROUPS, 0)?, dependencies: self.pairs(&DEPENDENCIES, 1)? })
    }

    fn add(&mut self, name: &Name) -> Result<RowId, StoreError> {
        let doing = format!("adding the process \"{name}\" to PROCESE and STATUS_PROCESS");
        self.made()?;
        self.with(&doing, |open, host| {
            let tx = open.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Some installations have the foreign key the other way round.
            tx.pragma_update(None, "defer_foreign_keys", true)?;
            let there = format!(
                "SELECT s.process_id FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
                 WHERE p.process_name = ?1{} ORDER BY s.process_id LIMIT 1",
                of_host("s.host_id", host)
            );
            if let Some(row) = tx.query_row(&there, [name.as_str()], |row| row.get(0)).optional()? {
                return Ok(RowId(row));
            }
            let next = "SELECT 1 + MAX((SELECT COALESCE(MAX(process_id), 0) FROM STATUS_PROCESS), \
                        (SELECT COALESCE(MAX(process_id), 0) FROM PROCESE))";
            let row: i64 = tx.query_row(next, [], |row| row.get(0))?;
            let (column, value) =
                host.map_or_else(Default::default, |host| (", host_id", format!(", {host}")));
            let status = format!(
                "INSERT INTO STATUS_PROCESS (process_id, alarma, sound{column}) VALUES (?1, 0, 0{value})"
            );
            tx.execute(&status, [row])?;
            tx.execute(
                "INSERT INTO PROCESE (process_id, process_name) VALUES (?1, ?2)",
                (row, name.as_str()),
            )?;
            tx.commit()?;
            Ok(RowId(row))
        })
    }

    fn raise(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.set("raising alarms in STATUS_PROCESS", 1, rows, note)
    }

    fn reset(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError> {
        self.set("resetting alarms in STATUS_PROCESS", 0, rows, note)
    }

    fn schema(&mut self) -> Result<Schema, StoreError> {
        let by_host = self.address.host_id.is_some();
        let place = self.place.clone();
        let open = self.opened()?;
        let mut tables = SqliteTables { conn: &open.conn, place: &place, by_host };
        Ok(Schema {
            engine: format!("sqlite {}", rusqlite::version()),
            version: schema::Tables::version(&mut tables)?,
            newest: schema::NEWEST,
            missing: schema::missing(&mut tables)?,
            denied: Vec::new(),
        })
    }

    fn publish(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        self.put(publications)
    }

    fn another(&self) -> Option<Box<dyn AlarmStore>> {
        Some(Box::new(Self { seen: Arc::clone(&self.seen), ..Self::new(self.address.clone()) }))
    }

    fn migrate(&mut self) -> Result<Vec<String>, StoreError> {
        let by_host = self.address.host_id.is_some();
        let place = self.place.clone();
        let open = self.made()?;
        let mut done = std::mem::take(&mut open.made);
        done.extend(migrate(&mut open.conn, &place, by_host)?);
        // The declared length of a column may be known only now.
        self.open = None;
        Ok(done)
    }

    fn bell(&self) -> Option<Box<dyn Bell>> {
        (self.address.push == Push::On)
            .then(|| Box::new(bell::FileBell::new(self.place.clone())) as Box<dyn Bell>)
    }
}

/// The condition for one host; the number is no text from outside.
fn of_host(column: &str, host: Option<i64>) -> String {
    host.map_or_else(String::new, |host| format!(" AND {column} = {host}"))
}

fn cells<const N: usize>(row: &rusqlite::Row<'_>) -> rusqlite::Result<[Cell; N]> {
    let mut cells = [const { Cell::Null }; N];
    for (index, cell) in cells.iter_mut().enumerate() {
        *cell = match row.get_ref(index)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Int(number),
            ValueRef::Real(_) => Cell::Odd("a fraction"),
            ValueRef::Text(bytes) => Cell::text(bytes.to_vec()),
            ValueRef::Blob(_) => Cell::Odd("binary data"),
        };
    }
    Ok(cells)
}
