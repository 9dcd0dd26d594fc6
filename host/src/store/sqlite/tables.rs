//! How the runner of versions sees the tables of an SQLite file.

use super::failure::Place;
use crate::ports::{StoreError, Trouble};
use crate::store::schema::{NEWEST, Ran, Tables};
use rusqlite::Connection;

/// Where the columns and indexes are, for messages.
const READING: &str = "reading the definition of the tables";

pub(super) struct SqliteTables<'a> {
    pub(super) conn: &'a Connection,
    pub(super) place: &'a Place,
    pub(super) by_host: bool,
}

/// The length in the declared type of `notes`: `varchar(100)` gives 100. SQLite itself does not keep to it, the
/// readers of the column may.
pub(super) fn declared_length(conn: &Connection) -> rusqlite::Result<Option<usize>> {
    let types: Vec<String> =
        texts(conn, "SELECT type FROM pragma_table_info('STATUS_PROCESS') WHERE lower(name) = 'notes'")?;
    let inside = types.first().and_then(|declared| declared.split_once('(')?.1.split_once(')'));
    Ok(inside.and_then(|(length, _)| length.trim().parse().ok()))
}

/// Whether there is a table or a view of this name.
pub(super) fn exists(conn: &Connection, table: &str) -> rusqlite::Result<bool> {
    Ok(!texts(conn, &format!("SELECT name FROM pragma_table_info('{table}')"))?.is_empty())
}

fn texts(conn: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

impl SqliteTables<'_> {
    fn texts(&self, sql: &str) -> Result<Vec<String>, StoreError> {
        texts(self.conn, sql).map_err(|error| self.place.error(READING, &error))
    }
}

impl Tables for SqliteTables<'_> {
    fn by_host(&self) -> bool {
        self.by_host
    }

    fn version(&mut self) -> Result<Option<u32>, StoreError> {
        if self.columns("pm_schema")?.is_empty() {
            return Ok(None);
        }
        let reading = |error| self.place.error("reading the version of the tables from pm_schema", &error);
        self.conn.query_row("SELECT MAX(version) FROM pm_schema", [], |row| row.get(0)).map_err(reading)
    }

    fn columns(&mut self, table: &str) -> Result<Vec<String>, StoreError> {
        self.texts(&format!("SELECT lower(name) FROM pragma_table_info('{table}')"))
    }

    fn indexes(&mut self) -> Result<Vec<Vec<String>>, StoreError> {
        let joined = self.texts(
            "SELECT (SELECT group_concat(lower(name), ',') FROM \
             (SELECT name FROM pragma_index_info(list.name) ORDER BY seqno)) FROM pragma_index_list('STATUS_PROCESS') list \
             WHERE list.partial = 0",
        )?;
        Ok(joined.iter().map(|columns| columns.split(',').map(str::to_owned).collect()).collect())
    }

    fn exact_text(&self) -> &'static str {
        "VARCHAR(100)"
    }

    fn small_number(&self) -> &'static str {
        "TINYINT"
    }

    fn moment(&self) -> &'static str {
        "DATETIME(3)"
    }

    fn make(&mut self, statement: &str) -> Result<Ran, StoreError> {
        match self.conn.execute_batch(statement) {
            Ok(()) => Ok(Ran::Done),
            Err(error) if error.to_string().contains("already exists") => Ok(Ran::AlreadyThere),
            Err(error) => Err(self.place.error("creating the tables of the alarms", &error)),
        }
    }

    fn record(&mut self, version: u32, what: &str) -> Result<(), StoreError> {
        self.conn
            .execute("INSERT OR IGNORE INTO pm_schema (version, what) VALUES (?1, ?2)", (version, what))
            .map(drop)
            .map_err(|error| self.place.error("noting the version of the tables in pm_schema", &error))
    }

    fn newer(&self, version: u32) -> StoreError {
        StoreError {
            trouble: Trouble::Schema,
            attempted: format!("bringing the tables at {} to version {NEWEST}", self.place.0.display()),
            why: format!("a newer pm has brought them to version {version}, this one knows {NEWEST}"),
            hint: Some("use the newer pm"),
        }
    }
}
