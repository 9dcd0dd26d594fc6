//! Opening the file of the alarms, and making it with its tables where it may be made.
//!
//! It must not decide whether a file may be made: the store knows whether there was one.

use super::failure::Place;
use super::tables::{self, SqliteTables};
use crate::ports::{StoreError, Trouble};
use crate::store::schema;
use crate::store::{Access, SqliteAddress};
use crate::write_ahead::write_ahead;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is done where there is no file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    /// It is made.
    Make,
    /// That is said.
    Say,
}

pub(super) struct Open {
    pub(super) conn: Connection,
    /// Which file it is, by device and inode.
    pub(super) file: Option<(u64, u64)>,
    /// The declared length of `notes`; none when the column has none.
    pub(super) limit: Option<usize>,
    /// What was made when there was no file, until somebody asks.
    pub(super) made: Vec<String>,
}

pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

pub(super) fn is_absent(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

pub(super) fn open(address: &SqliteAddress, place: &Place, without: Without) -> Result<Open, StoreError> {
    let path = &address.path;
    let make = without == Without::Make;
    let directory = path.parent().filter(|directory| make && !directory.as_os_str().is_empty());
    if let Some(directory) = directory {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
            StoreError {
                trouble: Trouble::Away,
                attempted: format!("creating the directory {} for the alarm database", directory.display()),
                why: error.to_string(),
                hint: Some("create it, or set another path in [database]"),
            }
        })?;
    }
    let fresh = make && std::fs::metadata(path).map_or(true, |file| file.len() == 0);
    let opening = |error| place.error("opening the alarm database", &error);
    let flags = match (address.access, without) {
        (Access::ReadOnly, _) => OpenFlags::SQLITE_OPEN_READ_ONLY,
        (_, Without::Make) => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        (_, Without::Say) => OpenFlags::SQLITE_OPEN_READ_WRITE,
    } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(opening)?;
    conn.busy_timeout(PATIENCE).map_err(opening)?;
    let mut made = Vec::new();
    if fresh {
        // The tables first, in one step: whoever opens the file at the same moment finds it empty, or all of them.
        made = migrate(&mut conn, place, address.host_id.is_some())?;
        write_ahead(&conn).map_err(opening)?;
    }
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(opening)?;
    if mode.eq_ignore_ascii_case("wal") {
        // In this mode it costs no consistency; a clearing lost with the power leaves the alarm standing.
        conn.pragma_update(None, "synchronous", "NORMAL").map_err(opening)?;
    }
    let limit = tables::declared_length(&conn).map_err(opening)?;
    Ok(Open { conn, file: identity(path), limit, made })
}

/// All steps in one transaction: of two at once, the second waits and finds everything made.
pub(super) fn migrate(
    conn: &mut Connection,
    place: &Place,
    by_host: bool,
) -> Result<Vec<String>, StoreError> {
    let doing = |error| place.error("creating the tables of the alarms", &error);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(doing)?;
    let done = schema::migrate(&mut SqliteTables { conn: &tx, place, by_host })?;
    tx.commit().map_err(doing)?;
    Ok(done)
}
