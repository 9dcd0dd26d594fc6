//! Operators' overrides, the hold that stops a claim, and what the daemon has to do once.
//!
//! A change and its entry in the audit are one transaction. Nothing here decides: a hold either stands in the table and
//! is in force at the moment that is given, or it does not.

use super::{audit, standings};
use crate::policy::model::{AttemptId, Name, Standing};
use crate::policy::time::Wall;
use crate::policy::window::{Order, Override, Scope};
use crate::ports::overrides::{Ordered, Request, Verb, Wish, in_words};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

/// The tables of this file and of [`audit`].
pub(super) const TABLES: &str = "
    CREATE TABLE overrides (
        scope_kind TEXT NOT NULL,
        scope_name TEXT NOT NULL,
        kind TEXT NOT NULL,
        by_whom TEXT NOT NULL,
        why TEXT NOT NULL,
        since_wall INTEGER NOT NULL,
        until_wall INTEGER,
        PRIMARY KEY (scope_kind, scope_name, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        verb TEXT NOT NULL,
        scope_kind TEXT,
        scope_name TEXT,
        attempt INTEGER,
        by_whom TEXT NOT NULL,
        why TEXT NOT NULL,
        at_wall INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_wall INTEGER NOT NULL,
        by_whom TEXT NOT NULL,
        verb TEXT NOT NULL,
        scope_kind TEXT NOT NULL,
        scope_name TEXT NOT NULL,
        why TEXT NOT NULL,
        until_wall INTEGER,
        result TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT;
    ALTER TABLE attempts ADD COLUMN member_of TEXT;
";

const COLUMNS: &str =
    "SELECT scope_kind, scope_name, kind, by_whom, why, since_wall, until_wall FROM overrides";
/// So long after its end an override is kept, for a clock that is set back.
const KEPT: i64 = 7 * 86_400_000;

/// All overrides. A journal that no newer pm has opened for writing yet has none.
pub(super) fn load(conn: &Connection) -> rusqlite::Result<Vec<Override>> {
    conn.prepare_cached(&format!("{COLUMNS} ORDER BY scope_kind, scope_name, kind"))?
        .query_map([], given)?
        .collect()
}

/// The hold that is in force for a name and its group at `now`, the one that lasts longest.
pub(super) fn hold(
    conn: &Connection,
    name: &Name,
    group: Option<&Name>,
    now: Wall,
) -> rusqlite::Result<Option<Override>> {
    conn.prepare_cached(&format!(
        "{COLUMNS} WHERE kind = 'hold' AND (until_wall IS NULL OR until_wall > ?1) AND (scope_kind = 'all' \
         OR (scope_kind = 'group' AND scope_name = ?2) OR (scope_kind = 'process' AND scope_name = ?3)) \
         ORDER BY until_wall IS NULL DESC, until_wall DESC LIMIT 1"
    ))?
    .query_row(params![now.0, group.map(Name::as_str), name.as_str()], given)
    .optional()
}

/// The same for an attempt that was begun before, and its name.
pub(super) fn hold_of(
    conn: &Connection,
    id: AttemptId,
    now: Wall,
) -> rusqlite::Result<Option<(Name, Override)>> {
    let begun = conn
        .prepare_cached("SELECT name, member_of FROM attempts WHERE id = ?1")?
        .query_row([id.0], |row| {
            let group = row.get_ref(1)?.as_str_or_null()?.map(Name::new);
            Ok((Name::new(row.get_ref(0)?.as_str()?), group))
        })
        .optional()?;
    let Some((name, group)) = begun else { return Ok(None) };
    Ok(hold(conn, &name, group.as_ref(), now)?.map(|hold| (name, hold)))
}

/// Does one wish and notes it; answers the overrides in force that it replaced or took away.
pub(super) fn fulfil(
    tx: &Transaction<'_>,
    request: &Request,
    wish: &Wish,
    boot: &str,
) -> rusqlite::Result<Vec<Override>> {
    let (gone, result) = match wish {
        Wish::Override { scope, order, until } => {
            let gone = remove(tx, scope, Some(*order), request.at)?;
            put(tx, request, scope, *order, *until)?;
            let result = match gone.first() {
                None => "in force".to_owned(),
                Some(earlier) => format!("in force, in place of the {}", in_words(earlier)),
            };
            (gone, result)
        }
        Wish::Release { scope, order } => {
            let gone = remove(tx, scope, *order, request.at)?;
            let words: Vec<_> = gone.iter().map(in_words).collect();
            let result =
                if gone.is_empty() { "none was in force".to_owned() } else { words.join("; ") + " ended" };
            (gone, result)
        }
        Wish::Believe => {
            post(tx, request, &Verb::Believe)?;
            (Vec::new(), "ordered".to_owned())
        }
        Wish::Reset { scope, at_once } => {
            post(tx, request, &Verb::Reset(scope.clone()))?;
            let mut known = standings::load(tx, boot)?;
            for name in at_once {
                if let Some(standing) = known.remove(name) {
                    standings::store(tx, name, &standing.forgiven(), boot)?;
                }
            }
            (Vec::new(), "ordered".to_owned())
        }
    };
    // Those that nobody looked at since they ended.
    tx.prepare_cached("DELETE FROM overrides WHERE until_wall < ?1")?
        .execute([request.at.0.saturating_sub(KEPT)])?;
    audit::append(tx, &wish.entry(request, result))?;
    Ok(gone)
}

fn put(
    tx: &Transaction<'_>,
    request: &Request,
    scope: &Scope,
    order: Order,
    until: Option<Wall>,
) -> rusqlite::Result<()> {
    let (kind, name) = columns(scope);
    tx.prepare_cached(
        "INSERT INTO overrides (scope_kind, scope_name, kind, by_whom, why, since_wall, until_wall) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![kind, name, order.word(), request.by, request.why, request.at.0, until.map(|at| at.0)])
    .map(drop)
}

/// Takes overrides of a scope away; answers those of them that were in force.
fn remove(
    tx: &Transaction<'_>,
    scope: &Scope,
    order: Option<Order>,
    now: Wall,
) -> rusqlite::Result<Vec<Override>> {
    let (kind, name) = columns(scope);
    let its = params![kind, name, order.map(Order::word)];
    let which = "WHERE scope_kind = ?1 AND scope_name = ?2 AND (?3 IS NULL OR kind = ?3)";
    let mut there: Vec<Override> = tx
        .prepare_cached(&format!("{COLUMNS} {which} ORDER BY kind"))?
        .query_map(its, given)?
        .collect::<rusqlite::Result<_>>()?;
    tx.prepare_cached(&format!("DELETE FROM overrides {which}"))?.execute(its)?;
    there.retain(|earlier| earlier.is_in_force(now));
    Ok(there)
}

/// Leaves something for the daemon to do once.
pub(super) fn post(tx: &Transaction<'_>, request: &Request, verb: &Verb) -> rusqlite::Result<()> {
    let (scope, attempt) = match verb {
        Verb::Reset(scope) => (Some(columns(scope)), None),
        Verb::Believe => (None, None),
        Verb::Counted(attempt) => (None, Some(attempt.0)),
    };
    tx.prepare_cached(
        "INSERT INTO orders (verb, scope_kind, scope_name, attempt, by_whom, why, at_wall) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        verb_word(verb),
        scope.map(|(kind, _)| kind),
        scope.map(|(_, name)| name),
        attempt,
        request.by,
        request.why,
        request.at.0,
    ])
    .map(drop)
}

/// What waits for the daemon, oldest first. A verb that this pm does not know stays for one that does.
pub(super) fn orders(conn: &Connection) -> rusqlite::Result<Vec<Ordered>> {
    conn.prepare_cached(
        "SELECT id, verb, scope_kind, scope_name, attempt, by_whom, why, at_wall FROM orders \
         WHERE verb IN ('reset', 'believe', 'counted') ORDER BY id",
    )?
    .query_map([], |row| {
        let verb = match row.get_ref(1)?.as_str()? {
            "reset" => Verb::Reset(scope(row, 2)?),
            "believe" => Verb::Believe,
            _ => Verb::Counted(AttemptId(row.get(4)?)),
        };
        let request = Request { by: row.get(5)?, why: row.get(6)?, at: Wall(row.get(7)?) };
        Ok(Ordered { id: row.get(0)?, verb, request })
    })?
    .collect()
}

/// Takes orders away and stores what follows from them.
pub(super) fn obeyed(
    tx: &Transaction<'_>,
    ids: &[i64],
    changed: &[(Name, Standing)],
    boot: &str,
) -> rusqlite::Result<()> {
    for (name, standing) in changed {
        standings::store(tx, name, standing, boot)?;
    }
    for id in ids {
        tx.prepare_cached("DELETE FROM orders WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

/// A scope as its two columns.
pub(super) fn columns(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::All => ("all", ""),
        Scope::Group(name) => ("group", name.as_str()),
        Scope::Process(name) => ("process", name.as_str()),
    }
}

/// The scope in the columns `first` and the one after it.
pub(super) fn scope(row: &Row<'_>, first: usize) -> rusqlite::Result<Scope> {
    let name = Name::new(row.get_ref(first + 1)?.as_str()?);
    match row.get_ref(first)?.as_str()? {
        "all" => Ok(Scope::All),
        "group" => Ok(Scope::Group(name)),
        "process" => Ok(Scope::Process(name)),
        _ => Err(unexpected(first, "scope_kind")),
    }
}

fn given(row: &Row<'_>) -> rusqlite::Result<Override> {
    let word = row.get_ref(2)?.as_str()?;
    let order = [Order::Hold, Order::Observe, Order::Bypass].into_iter().find(|order| order.word() == word);
    Ok(Override {
        scope: scope(row, 0)?,
        order: order.ok_or_else(|| unexpected(2, "kind"))?,
        by: row.get(3)?,
        why: row.get(4)?,
        since: Wall(row.get(5)?),
        until: row.get::<_, Option<i64>>(6)?.map(Wall),
    })
}

fn verb_word(verb: &Verb) -> &'static str {
    match verb {
        Verb::Reset(_) => "reset",
        Verb::Believe => "believe",
        Verb::Counted(_) => "counted",
    }
}

fn unexpected(column: usize, name: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, name.to_owned(), Type::Text)
}
