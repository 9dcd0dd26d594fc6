//! SQLite's write-ahead mode, for every file that pm writes. It must not know what is in the file.
//!
//! Writers and readers then do not wait for each other. The mode stays with the file.

use rusqlite::{Connection, ErrorCode};

/// How often the mode is asked for while others use the file.
const TURNS: u32 = 100;

/// Switches a file to write-ahead mode, unless somebody goes on reading it in the other mode, in which it works as well.
///
/// SQLite does not wait for its turn to change the mode, so after a refusal the turn is waited for with a transaction,
/// for which it waits as long as the connection's `busy_timeout` says.
///
/// # Errors
/// Whatever SQLite says but "busy".
pub(crate) fn write_ahead(conn: &Connection) -> Result<(), rusqlite::Error> {
    for _ in 0..TURNS {
        match conn.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                conn.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            result => return result,
        }
    }
    Ok(())
}
