//! Evidence: what was seen of a process before its restart, one text per attempt, the latest thousand, and the latest
//! hundred of one process: one that is restarted every minute must not push out what was seen of the others.
//!
//! It is a table of its own, so that the history is read without it. It must not interpret the texts.

use crate::policy::model::AttemptId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// The table, as a step of the versions.
pub(super) const TABLE: &str = "
    CREATE TABLE evidence (
        attempt INTEGER PRIMARY KEY,
        text TEXT NOT NULL
    ) STRICT;
";

/// So many texts are kept, and so many of one process; who asks for evidence seldom goes back further.
const MOST: i64 = 1_000;
const MOST_OF_ONE: i64 = 100;

/// Keeps a text, and drops the two that may be one too many by it.
pub(super) fn keep(tx: &Transaction<'_>, id: AttemptId, text: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO evidence (attempt, text) VALUES (?1, ?2)")?
        .execute(params![id.0, text])?;
    tx.prepare_cached(
        "DELETE FROM evidence WHERE attempt = \
         (SELECT attempts.id FROM attempts JOIN evidence ON evidence.attempt = attempts.id \
          WHERE attempts.name = (SELECT name FROM attempts WHERE id = ?1) \
          AND attempts.id >= (SELECT MIN(attempt) FROM evidence) \
          ORDER BY attempts.id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute([id.0, MOST_OF_ONE])?;
    tx.prepare_cached(
        "DELETE FROM evidence WHERE attempt <= \
         (SELECT attempt FROM evidence ORDER BY attempt DESC LIMIT 1 OFFSET ?1)",
    )?
    .execute([MOST])
    .map(drop)
}

/// The text of an attempt.
pub(super) fn of(conn: &Connection, id: AttemptId) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT text FROM evidence WHERE attempt = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()
}
