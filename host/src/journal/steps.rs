//! The steps of attempts with their times.
//!
//! Steps stand in a table of their own, so that the history is read without them; they go with their attempt.

use crate::policy::model::AttemptId;
use crate::policy::time::Wall;
use crate::ports::{Step, StepKind};
use rusqlite::types::Type;
use rusqlite::{Connection, Transaction, params};
use std::time::Duration;

/// The table, the moment of the alarm, and what `publishing` needs, as a step of the versions. What ended before is of
/// revision 1: it has not been published either.
pub(super) const TABLES: &str = "
    CREATE TABLE steps (
        attempt INTEGER NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        by_part TEXT NOT NULL,
        at_wall INTEGER NOT NULL,
        took_ms INTEGER NOT NULL,
        good INTEGER NOT NULL,
        detail TEXT NOT NULL,
        output TEXT NOT NULL,
        PRIMARY KEY (attempt, number)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE attempts ADD COLUMN seen_wall INTEGER;
    ALTER TABLE attempts ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
    UPDATE attempts SET revision = 1 WHERE ended_wall IS NOT NULL;
    CREATE INDEX attempts_unpublished ON attempts (id) WHERE revision > published;
    CREATE TABLE identity (id INTEGER PRIMARY KEY, journal TEXT NOT NULL) STRICT;
    INSERT INTO identity VALUES (1, lower(hex(randomblob(8))));
";

/// Adds a step behind those of its attempt.
pub(super) fn add(tx: &Transaction<'_>, id: AttemptId, step: &Step) -> rusqlite::Result<()> {
    let (good, detail) = match &step.result {
        Ok(detail) => (true, detail),
        Err(why) => (false, why),
    };
    tx.prepare_cached(
        "INSERT INTO steps (attempt, number, kind, by_part, at_wall, took_ms, good, detail, output) \
         VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM steps WHERE attempt = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        id.0,
        step.kind.word(),
        step.by,
        step.at.0,
        i64::try_from(step.took.as_millis()).unwrap_or(i64::MAX),
        good,
        detail,
        step.output,
    ])
    .map(drop)
}

/// The steps of an attempt, in their order.
pub(super) fn of(conn: &Connection, id: AttemptId) -> rusqlite::Result<Vec<Step>> {
    conn.prepare_cached(
        "SELECT kind, by_part, at_wall, took_ms, good, detail, output FROM steps WHERE attempt = ?1 ORDER BY number",
    )?
    .query_map([id.0], |row| {
        let unknown = || rusqlite::Error::InvalidColumnType(0, "kind".to_owned(), Type::Text);
        let detail: String = row.get(5)?;
        Ok(Step {
            kind: StepKind::of(row.get_ref(0)?.as_str()?).ok_or_else(unknown)?,
            by: row.get(1)?,
            at: Wall(row.get(2)?),
            took: Duration::from_millis(u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default()),
            result: if row.get(4)? { Ok(detail) } else { Err(detail) },
            output: row.get(6)?,
        })
    })?
    .collect()
}
