//! The tables of the contract, the versions that pm has made of them, and the runner that gets there.
//!
//! `migrate` only adds: missing tables in the shape that the replaced service used, an index on the alarms, and the
//! optional tables of groups, dependencies, attempts and hosts; it never changes or drops what is there. It is safe to
//! repeat and safe when two run at once: each step is one statement that is made only when its result is missing, and "already there" from the engine counts as done. A
//! version newer than [`NEWEST`] is refused, because its meaning is unknown here.
//!
//! Why an own runner: refinery takes no lock on MySQL, where DDL cannot be rolled back either, unwraps on a history
//! it cannot read, pins the version of rusqlite and brings a C library; a few steps do not pay for that.

use super::attempts;
use super::relations::{DEPENDENCIES, GROUPS, Pairs};
use crate::ports::StoreError;

/// The newest version this pm knows.
pub(super) const NEWEST: u32 = 5;

/// The tables of the contract with their columns.
const CONTRACT: [(&str, &[&str]); 2] = [
    ("STATUS_PROCESS", &["process_id", "alarma", "sound", "notes"]),
    ("PROCESE", &["process_id", "process_name"]),
];

/// One row a host: who speaks for it, the number of its lease, and when it was heard of. Times in milliseconds since
/// 1970, by the clock of the server.
const HOSTS: &str = "CREATE TABLE pm_host (host VARCHAR(100) NOT NULL PRIMARY KEY, instance VARCHAR(100) NOT NULL, \
    name VARCHAR(100) NOT NULL, version VARCHAR(40) NOT NULL, epoch BIGINT NOT NULL, lease_until BIGINT NOT NULL, \
    heartbeat_at BIGINT NOT NULL, silent_epoch BIGINT NOT NULL DEFAULT 0)";

/// What a statement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// It was made.
    Done,
    /// Somebody else was faster.
    AlreadyThere,
}

/// What the runner needs of an engine.
pub(super) trait Tables {
    /// Whether only rows of one host are read.
    fn by_host(&self) -> bool;
    /// The newest version in `pm_schema`; none when there is no such table, or an empty one.
    fn version(&mut self) -> Result<Option<u32>, StoreError>;
    /// The columns of a table in lower case; empty when there is no such table.
    fn columns(&mut self, table: &str) -> Result<Vec<String>, StoreError>;
    /// The columns of each index on `STATUS_PROCESS`, in lower case and in their order.
    fn indexes(&mut self) -> Result<Vec<Vec<String>>, StoreError>;
    /// The type of a column for names that are compared byte for byte.
    fn exact_text(&self) -> &'static str;
    /// The type of a column for small numbers.
    fn small_number(&self) -> &'static str;
    /// The type of a column for moments with milliseconds, which are stored as they are given.
    fn moment(&self) -> &'static str;
    /// Makes one table or index.
    fn make(&mut self, statement: &str) -> Result<Ran, StoreError>;
    /// Notes in `pm_schema` that a version has been reached, if that is not noted yet.
    fn record(&mut self, version: u32, what: &str) -> Result<(), StoreError>;
    /// Makes what only this engine needs; answers what was done.
    fn more(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
    /// The error for a version that is newer than [`NEWEST`].
    fn newer(&self, version: u32) -> StoreError;
}

/// What a pm needs and does not find: tables, columns, the index.
pub(super) fn missing(tables: &mut dyn Tables) -> Result<Vec<String>, StoreError> {
    let mut missing = Vec::new();
    let mut status = Vec::new();
    for (table, columns) in CONTRACT {
        let found = tables.columns(table)?;
        if found.is_empty() {
            missing.push(format!("table {table}"));
            continue;
        }
        let absent = columns.iter().filter(|column| !found.iter().any(|name| name == *column));
        missing.extend(absent.map(|column| format!("column {table}.{column}")));
        if table == "STATUS_PROCESS" {
            if tables.by_host() && !found.iter().any(|name| name == "host_id") {
                missing.push("column STATUS_PROCESS.host_id (host_id is configured)".to_owned());
            }
            status = found;
        }
    }
    if !status.is_empty() && !indexed(tables)? {
        missing.push(format!("index on STATUS_PROCESS ({})", wanted_index(tables, &status)));
    }
    Ok(missing)
}

/// Brings the tables to [`NEWEST`]; answers what was done.
pub(super) fn migrate(tables: &mut dyn Tables) -> Result<Vec<String>, StoreError> {
    let before = tables.version()?;
    if let Some(version) = before.filter(|version| *version > NEWEST) {
        return Err(tables.newer(version));
    }
    let mut done = Vec::new();
    if before.is_none() {
        tables.make(
            "CREATE TABLE pm_schema (version INTEGER NOT NULL PRIMARY KEY, what VARCHAR(100) NOT NULL, \
         applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
        )?;
    }
    contract(tables, &mut done)?;
    note(tables, before, 1, "the tables of the alarms", &mut done)?;
    index(tables, &mut done)?;
    note(tables, before, 2, "an index on the alarms", &mut done)?;
    for pairs in [GROUPS, DEPENDENCIES] {
        relation(tables, &pairs, &mut done)?;
    }
    note(tables, before, 3, "groups and dependencies", &mut done)?;
    published(tables, &mut done)?;
    note(tables, before, 4, "attempts of all hosts", &mut done)?;
    if tables.columns("pm_host")?.is_empty() {
        let made = tables.make(HOSTS)?;
        done.extend((made == Ran::Done).then(|| "created pm_host".to_owned()));
    }
    note(tables, before, 5, "the leases of hosts", &mut done)?;
    done.extend(tables.more()?);
    Ok(done)
}

fn note(
    tables: &mut dyn Tables,
    before: Option<u32>,
    version: u32,
    what: &str,
    done: &mut Vec<String>,
) -> Result<(), StoreError> {
    if before.is_none_or(|before| before < version) {
        tables.record(version, what)?;
        done.push(format!("version {version}: {what}"));
    }
    Ok(())
}

/// Version 1: the two tables, in the shape of the last release of the replaced service.
fn contract(tables: &mut dyn Tables, done: &mut Vec<String>) -> Result<(), StoreError> {
    let status_is_new = tables.columns("STATUS_PROCESS")?.is_empty();
    if status_is_new {
        let small = tables.small_number();
        let made = tables.make(&format!(
            "CREATE TABLE STATUS_PROCESS (process_id INTEGER NOT NULL PRIMARY KEY, alarma {small} NOT NULL DEFAULT 0, \
             sound {small} NOT NULL DEFAULT 0, notes VARCHAR(100) NULL, host_id INTEGER NOT NULL DEFAULT 1)"
        ))?;
        done.extend((made == Ran::Done).then(|| "created STATUS_PROCESS".to_owned()));
    }
    if tables.columns("PROCESE")?.is_empty() {
        // A foreign key needs the very type of the other column, which is known only of a table made here.
        let key = if status_is_new {
            ", FOREIGN KEY (process_id) REFERENCES STATUS_PROCESS (process_id)"
        } else {
            ""
        };
        let made = tables.make(&format!(
            "CREATE TABLE PROCESE (process_id INTEGER NOT NULL PRIMARY KEY, process_name VARCHAR(100) NOT NULL{key})"
        ))?;
        done.extend((made == Ran::Done).then(|| "created PROCESE".to_owned()));
    }
    Ok(())
}

/// Version 2: without an index each poll reads the whole table.
fn index(tables: &mut dyn Tables, done: &mut Vec<String>) -> Result<(), StoreError> {
    if indexed(tables)? {
        return Ok(());
    }
    let status = tables.columns("STATUS_PROCESS")?;
    let columns = wanted_index(tables, &status);
    if tables.make(&format!(
        "CREATE INDEX pm_alarms_{} ON STATUS_PROCESS ({columns})",
        columns.replace(", ", "_")
    ))? == Ran::Done
    {
        done.push(format!("created an index on STATUS_PROCESS ({columns})"));
    }
    Ok(())
}

/// Version 3: tables that pm can do without; one of somebody else by that name is left as it is.
fn relation(tables: &mut dyn Tables, pairs: &Pairs, done: &mut Vec<String>) -> Result<(), StoreError> {
    if tables.columns(pairs.table)?.is_empty() {
        let made = tables.make(&pairs.definition(tables))?;
        done.extend((made == Ran::Done).then(|| format!("created {}", pairs.table)));
    }
    Ok(())
}

/// Version 4: likewise, the attempts of all hosts.
fn published(tables: &mut dyn Tables, done: &mut Vec<String>) -> Result<(), StoreError> {
    if tables.columns(attempts::TABLE)?.is_empty() {
        let made = tables.make(&attempts::definition(tables))?;
        done.extend((made == Ran::Done).then(|| format!("created {}", attempts::TABLE)));
    }
    Ok(())
}

/// Whether an index finds the alarms without reading the table. `alarma` alone is enough also with a host: alarms
/// are few.
fn indexed(tables: &mut dyn Tables) -> Result<bool, StoreError> {
    let by_host = tables.by_host();
    Ok(tables.indexes()?.iter().any(|columns| {
        match columns.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["alarma", ..] => true,
            ["host_id", "alarma", ..] => by_host,
            _ => false,
        }
    }))
}

fn wanted_index(tables: &dyn Tables, status: &[String]) -> &'static str {
    if tables.by_host() && status.iter().any(|column| column == "host_id") {
        "host_id, alarma"
    } else {
        "alarma"
    }
}
