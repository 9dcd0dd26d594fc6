//! Why alarms are held, and what became of restarts: the memory behind `pm why --at` and `pm history --effect`.

use super::memory::{packed_chain, unpacked_chain};
use crate::policy::model::{AttemptId, Name};
use crate::policy::time::Wall;
use crate::ports::{Asked, Decision, Effect};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// The tables and columns of decisions, effects and what is remembered beyond a standing's first columns.
pub(super) const TABLES: &str = "
    ALTER TABLE attempts ADD COLUMN cause TEXT NOT NULL DEFAULT 'alarm';
    ALTER TABLE attempts ADD COLUMN by_strategy TEXT;
    ALTER TABLE attempts ADD COLUMN effect TEXT;
    ALTER TABLE attempts ADD COLUMN chain TEXT NOT NULL DEFAULT '[]';
    CREATE INDEX attempts_began ON attempts (began_wall);
    ALTER TABLE standings ADD COLUMN memory TEXT;
    CREATE TABLE host (
        id INTEGER PRIMARY KEY,
        boot TEXT NOT NULL,
        memory TEXT NOT NULL
    ) STRICT;
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        at_wall INTEGER NOT NULL,
        word TEXT NOT NULL,
        chain TEXT NOT NULL
    ) STRICT;
    CREATE INDEX decisions_of_name ON decisions (name, at_wall);
";

/// So many decisions are kept.
const MOST: i64 = 50_000;

/// Notes decisions, and forgets the oldest.
pub(super) fn note(tx: &Transaction<'_>, decisions: &[Decision]) -> rusqlite::Result<()> {
    for decision in decisions {
        tx.prepare_cached("INSERT INTO decisions (name, at_wall, word, chain) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                decision.name.as_str(),
                decision.at.0,
                decision.word,
                packed_chain(&decision.chain)
            ])?;
    }
    tx.prepare_cached("DELETE FROM decisions WHERE id <= ?1")?
        .execute([tx.last_insert_rowid() - MOST])
        .map(drop)
}

/// The last decisions about a name, newest first.
pub(super) fn read(
    conn: &Connection,
    name: &Name,
    until: Wall,
    limit: usize,
) -> rusqlite::Result<Vec<Decision>> {
    conn.prepare_cached(
        "SELECT at_wall, word, chain FROM decisions WHERE name = ?1 AND at_wall <= ?2 ORDER BY at_wall DESC, id DESC \
         LIMIT ?3",
    )?
    .query_map(params![name.as_str(), until.0, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(Decision {
            name: name.clone(),
            at: Wall(row.get(0)?),
            word: row.get(1)?,
            chain: chain(row.get_ref(2)?.as_str()?, 2)?,
        })
    })?
    .collect()
}

/// What the checks saw when an attempt was begun.
pub(super) fn of_attempt(conn: &Connection, id: AttemptId) -> rusqlite::Result<Vec<Asked>> {
    let text: Option<String> = conn
        .prepare_cached("SELECT chain FROM attempts WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    text.map_or(Ok(Vec::new()), |text| chain(&text, 0))
}

/// Notes what became of the last restart of a name that had helped at first. One for the sake of a dependency is never on
/// trial.
pub(super) fn judged(tx: &Transaction<'_>, name: &Name, effect: Effect) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE attempts SET effect = ?2, revision = revision + 1 WHERE effect IS NULL AND id = \
         (SELECT MAX(id) FROM attempts WHERE name = ?1 AND outcome = 'restarted' AND cause NOT LIKE 'dependency %')",
    )?
    .execute(params![name.as_str(), word(effect)])
    .map(drop)
}

/// The word for an effect.
pub(super) fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Lasted => "lasted",
        Effect::Relapsed => "relapsed",
    }
}

/// The effect of a word.
pub(super) fn effect(word: &str) -> Option<Effect> {
    [Effect::Lasted, Effect::Relapsed].into_iter().find(|effect| self::word(*effect) == word)
}

fn chain(text: &str, column: usize) -> rusqlite::Result<Vec<Asked>> {
    unpacked_chain(text)
        .ok_or_else(|| rusqlite::Error::InvalidColumnType(column, "chain".to_owned(), Type::Text))
}
