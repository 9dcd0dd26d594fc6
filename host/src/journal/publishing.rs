//! What a table of the alarm database still has to be told of attempts.
//!
//! An attempt has a revision, which grows with its end and when its effect is known, and the revision that was
//! published last. What is to be told is the difference, so nothing is lost by a kill, and nothing waits in a second
//! list. Each journal has a name of its own, made with its tables: numbers of attempts begin anew with a new file.

use super::attempts::{COLUMNS, attempt};
use crate::ports::Publication;
use rusqlite::{Connection, Transaction, params};

/// The oldest attempts whose present state is not published.
pub(super) fn waiting(
    conn: &Connection,
    host: &str,
    limit: usize,
    boot: &str,
) -> rusqlite::Result<Vec<Publication>> {
    let journal: String =
        conn.prepare_cached("SELECT journal FROM identity WHERE id = 1")?.query_row([], |row| row.get(0))?;
    conn.prepare_cached(&format!(
        "{COLUMNS}, revision FROM attempts WHERE revision > published AND ended_wall IS NOT NULL \
         ORDER BY id LIMIT ?1"
    ))?
    .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(Publication {
            host: host.to_owned(),
            journal: journal.clone(),
            attempt: attempt(row, boot)?,
            revision: row.get("revision")?,
        })
    })?
    .collect()
}

/// These states stand in the table.
pub(super) fn done(tx: &Transaction<'_>, publications: &[Publication]) -> rusqlite::Result<()> {
    for publication in publications {
        tx.prepare_cached("UPDATE attempts SET published = max(published, ?2) WHERE id = ?1")?
            .execute(params![publication.attempt.id.0, publication.revision])?;
    }
    Ok(())
}
