//! Attempts: the claim on a name, how far it came, how it ended, and the history.
//!
//! The partial index on names without an end makes the claim: two attempts for one name cannot both be open. Numbers
//! are never used twice.

use super::decisions::effect;
use super::memory::packed_chain;
use super::owner::Owner;
use crate::failpoint::{self, Point};
use crate::policy::model::{Alarm, AttemptId, Cause, End, Name, RowId};
use crate::policy::time::Wall;
use crate::ports::{Attempt, Boot, Intent, Record, Stage, Unfinished};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

/// Opens an attempt; the number of the one in the way if its owner lives.
pub(super) fn begin(
    tx: &Transaction<'_>,
    intent: &Intent,
    owner: &Owner,
) -> rusqlite::Result<Result<AttemptId, i64>> {
    let open = tx
        .prepare_cached(
            "SELECT id, owner_pid, owner_start, owner_boot FROM attempts WHERE name = ?1 AND ended_wall IS NULL",
        )?
        .query_row([intent.name.as_str()], |row| {
            Ok((row.get(0)?, Owner { pid: row.get(1)?, start: row.get(2)?, boot: row.get(3)? }))
        })
        .optional()?;
    if let Some((id, other)) = open {
        if other.lives(&owner.boot) {
            return Ok(Err(id));
        }
        tx.prepare_cached(
            "UPDATE attempts SET ended_wall = ?2, outcome = ?3, tries = 0, detail = ?4, revision = revision + 1 WHERE id = ?1",
        )?
        .execute(params![
            id,
            intent.at.wall.0,
            word(End::Cancelled),
            "its pm died; another attempt took its place"
        ])?;
    }
    tx.prepare_cached(
        "INSERT INTO attempts (name, strategy, alarms, boot, began_boot, began_wall, owner_pid, owner_start, \
         owner_boot, stage, cause, chain, member_of, seen_wall) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?4, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        intent.name.as_str(),
        intent.strategy,
        packed(&intent.alarms),
        owner.boot,
        i64::try_from(intent.at.boot.0).unwrap_or(i64::MAX),
        intent.at.wall.0,
        owner.pid,
        owner.start,
        stage_word(Stage::Intent),
        cause(&intent.cause),
        packed_chain(&intent.chain),
        intent.group.as_ref().map(Name::as_str),
        intent.seen.map(|at| at.0),
    ])?;
    failpoint::pass(Point::ClaimWritten);
    Ok(Ok(AttemptId(tx.last_insert_rowid())))
}

/// Notes how far an attempt has come; an identity stays until another one is noted.
pub(super) fn stage(
    tx: &Transaction<'_>,
    id: AttemptId,
    stage: Stage,
    identity: Option<&str>,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE attempts SET stage = ?2, identity = coalesce(?3, identity) WHERE id = ?1")?
        .execute(params![id.0, stage_word(stage), identity])?;
    if stage == Stage::Acting {
        failpoint::pass(Point::ActingWritten);
    }
    Ok(())
}

/// Ends an attempt.
pub(super) fn end(tx: &Transaction<'_>, id: AttemptId, record: &Record) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE attempts SET stage = ?2, ended_wall = ?3, outcome = ?4, tries = ?5, detail = ?6, by_strategy = ?7, \
         revision = revision + 1 WHERE id = ?1",
    )?
    .execute(params![
        id.0,
        stage_word(Stage::Ended),
        record.at.wall.0,
        word(record.end),
        record.attempts,
        record.detail,
        record.by,
    ])
    .map(drop)
}

/// The open attempts whose owner has died; they become attempts of this process.
pub(super) fn take_over(tx: &Transaction<'_>, owner: &Owner) -> rusqlite::Result<Vec<Unfinished>> {
    let open: Vec<(Unfinished, Owner)> = tx
        .prepare(
            "SELECT id, name, alarms, stage, identity, boot, owner_pid, owner_start, owner_boot, cause FROM attempts \
             WHERE ended_wall IS NULL ORDER BY id",
        )?
        .query_map([], |row| {
            let boot: String = row.get(5)?;
            let entry = Unfinished {
                id: AttemptId(row.get(0)?),
                name: Name::new(row.get_ref(1)?.as_str()?),
                alarms: unpacked(row.get_ref(2)?.as_str()?).ok_or_else(|| unexpected(2, "alarms"))?,
                cause: cause_of(row.get_ref(9)?.as_str()?),
                stage: stage_of(row.get_ref(3)?.as_str()?).ok_or_else(|| unexpected(3, "stage"))?,
                identity: row.get(4)?,
                boot: if boot == owner.boot { Boot::Same } else { Boot::Earlier },
            };
            Ok((entry, Owner { pid: row.get(6)?, start: row.get(7)?, boot: row.get(8)? }))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let orphans: Vec<Unfinished> =
        open.into_iter().filter_map(|(entry, its)| (!its.lives(&owner.boot)).then_some(entry)).collect();
    for entry in &orphans {
        tx.prepare_cached(
            "UPDATE attempts SET owner_pid = ?2, owner_start = ?3, owner_boot = ?4 WHERE id = ?1",
        )?
        .execute(params![entry.id.0, owner.pid, owner.start, owner.boot])?;
    }
    failpoint::pass(Point::TakeoverWritten);
    Ok(orphans)
}

/// The open attempts of other processes that live, and since when.
pub(super) fn elsewhere(conn: &Connection, owner: &Owner) -> rusqlite::Result<Vec<(Name, Wall)>> {
    let open: Vec<(Name, Wall, Owner)> = conn
        .prepare_cached(
            "SELECT name, began_wall, owner_pid, owner_start, owner_boot FROM attempts WHERE ended_wall IS NULL",
        )?
        .query_map([], |row| {
            let its = Owner { pid: row.get(2)?, start: row.get(3)?, boot: row.get(4)? };
            Ok((Name::new(row.get_ref(0)?.as_str()?), Wall(row.get(1)?), its))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let others = open.into_iter().filter(|(_, _, its)| its != owner && its.lives(&owner.boot));
    Ok(others.map(|(name, began, _)| (name, began)).collect())
}

/// What is read of an attempt.
pub(super) const COLUMNS: &str = "SELECT id, name, strategy, began_wall, ended_wall, outcome, tries, detail, owner_pid, owner_start, \
                       owner_boot, cause, by_strategy, effect, seen_wall";

/// One attempt.
pub(super) fn one(conn: &Connection, id: AttemptId, boot: &str) -> rusqlite::Result<Option<Attempt>> {
    conn.prepare_cached(&format!("{COLUMNS} FROM attempts WHERE id = ?1"))?
        .query_row([id.0], |row| attempt(row, boot))
        .optional()
}

/// The last attempt of a name that began at `at` or before.
pub(super) fn last_before(
    conn: &Connection,
    name: &Name,
    at: Wall,
    boot: &str,
) -> rusqlite::Result<Option<Attempt>> {
    conn.prepare_cached(&format!(
        "{COLUMNS} FROM attempts WHERE name = ?1 AND began_wall <= ?2 ORDER BY id DESC LIMIT 1"
    ))?
    .query_row(params![name.as_str(), at.0], |row| attempt(row, boot))
    .optional()
}

/// The last attempts, newest first: of one name, or the last one of each. `boot` tells whose owner may be alive.
pub(super) fn last(
    conn: &Connection,
    of: Option<&Name>,
    limit: usize,
    boot: &str,
) -> rusqlite::Result<Vec<Attempt>> {
    let attempt = |row: &Row<'_>| attempt(row, boot);
    match of {
        Some(_) => history(conn, of, Wall(i64::MIN), limit, boot),
        None => conn
            .prepare_cached(&format!(
                "{COLUMNS} FROM attempts WHERE id IN (SELECT MAX(id) FROM attempts GROUP BY name) ORDER BY id DESC"
            ))?
            .query_map([], attempt)?
            .collect(),
    }
}

/// Attempts that began at `since` or later, newest first: of one name, or of all.
pub(super) fn history(
    conn: &Connection,
    of: Option<&Name>,
    since: Wall,
    limit: usize,
    boot: &str,
) -> rusqlite::Result<Vec<Attempt>> {
    let attempt = |row: &Row<'_>| attempt(row, boot);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match of {
        Some(name) => conn
            .prepare_cached(&format!(
                "{COLUMNS} FROM attempts WHERE name = ?1 AND began_wall >= ?2 ORDER BY id DESC LIMIT ?3"
            ))?
            .query_map(params![name.as_str(), since.0, limit], attempt)?
            .collect(),
        None => conn
            .prepare_cached(&format!(
                "{COLUMNS} FROM attempts WHERE began_wall >= ?1 ORDER BY id DESC LIMIT ?2"
            ))?
            .query_map(params![since.0, limit], attempt)?
            .collect(),
    }
}

pub(super) fn attempt(row: &Row<'_>, boot: &str) -> rusqlite::Result<Attempt> {
    let ended = match row.get::<_, Option<i64>>(4)? {
        None => None,
        Some(at) => Some((
            Wall(at),
            end_of(row.get_ref(5)?.as_str()?).ok_or_else(|| unexpected(5, "outcome"))?,
            row.get(6)?,
            row.get(7)?,
        )),
    };
    let owner = Owner { pid: row.get(8)?, start: row.get(9)?, boot: row.get(10)? };
    Ok(Attempt {
        under_way: ended.is_none() && owner.lives(boot),
        id: AttemptId(row.get(0)?),
        name: Name::new(row.get_ref(1)?.as_str()?),
        strategy: row.get(2)?,
        seen: row.get::<_, Option<i64>>(14)?.map(Wall),
        began: Wall(row.get(3)?),
        ended,
        cause: row.get(11)?,
        by: row.get(12)?,
        effect: row.get_ref(13)?.as_str_or_null()?.and_then(effect),
    })
}

fn unexpected(column: usize, name: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, name.to_owned(), Type::Text)
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Intent => "intent",
        Stage::Prepared => "prepared",
        Stage::Acting => "acting",
        Stage::Verifying => "verifying",
        Stage::Ended => "ended",
    }
}

fn stage_of(word: &str) -> Option<Stage> {
    [Stage::Intent, Stage::Prepared, Stage::Acting, Stage::Verifying, Stage::Ended]
        .into_iter()
        .find(|stage| stage_word(*stage) == word)
}

fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Alarm => "alarm".to_owned(),
        Cause::MassAlarm => "mass-alarm".to_owned(),
        Cause::Dependency(name) => format!("dependency {}", name.as_str()),
        Cause::Operator => "operator".to_owned(),
    }
}

fn cause_of(text: &str) -> Cause {
    match text {
        "mass-alarm" => Cause::MassAlarm,
        "operator" => Cause::Operator,
        _ => text.strip_prefix("dependency ").map_or(Cause::Alarm, |name| Cause::Dependency(Name::new(name))),
    }
}

fn word(end: End) -> &'static str {
    match end {
        End::Restarted => "restarted",
        End::AlreadyHealthy => "already-healthy",
        End::Unhealthy => "unhealthy",
        End::Failed => "failed",
        End::Infrastructure => "infrastructure",
        End::HandedOver => "handed-over",
        End::Cancelled => "cancelled",
    }
}

fn end_of(word: &str) -> Option<End> {
    const ALL: [End; 7] = [
        End::Restarted,
        End::AlreadyHealthy,
        End::Unhealthy,
        End::Failed,
        End::Infrastructure,
        End::HandedOver,
        End::Cancelled,
    ];
    ALL.into_iter().find(|end| self::word(*end) == word)
}

/// Rows in one column: `[[process_id, notes, acknowledged], …]`. Their name is the attempt's.
fn packed(alarms: &[Alarm]) -> String {
    let rows: Vec<_> = alarms
        .iter()
        .map(|alarm| (alarm.row.0, alarm.name.as_str(), alarm.notes.as_deref(), alarm.acknowledged))
        .collect();
    serde_json::to_string(&rows).unwrap_or_else(|_| "[]".to_owned())
}

fn unpacked(text: &str) -> Option<Vec<Alarm>> {
    let rows: Vec<(i64, String, Option<String>, bool)> = serde_json::from_str(text).ok()?;
    Some(
        rows.into_iter()
            .map(|(row, name, notes, acknowledged)| Alarm {
                row: RowId(row),
                name: Name::new(&name),
                notes,
                acknowledged,
            })
            .collect(),
    )
}
