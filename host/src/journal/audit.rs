//! The audit: what operators asked for and what came of it. Entries are added and never changed.
//!
//! Each entry has a number without gaps, the hash of the entry before it, and a hash over all of that and its own
//! columns. So an entry that was changed, taken out or put in later shows, unless whoever did it computed everything
//! behind it anew: against that helps only a hash that was written down elsewhere.

use super::overrides::{columns, scope};
use crate::policy::time::Wall;
use crate::ports::overrides::{Audited, Chain, Entry, Request, Wanted};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

/// So many entries are kept at the least.
pub(super) const MOST: i64 = 100_000;
/// Every so many entries those beyond [`MOST`] are dropped.
const PRUNE_EVERY: i64 = 256;

const COLUMNS: &str = "SELECT id, at_wall, by_whom, verb, scope_kind, scope_name, why, until_wall, result, hash, \
                       previous FROM audit";

/// Adds an entry and answers its number.
pub(super) fn append(tx: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<i64> {
    // Not only the greatest number there is: an end that was cut off must leave a gap.
    let last: i64 = tx
        .prepare_cached(
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0), \
             coalesce((SELECT max(id) FROM audit), 0))",
        )?
        .query_row([], |row| row.get(0))?;
    let previous: String = tx
        .prepare_cached("SELECT hash FROM audit WHERE id = ?1")?
        .query_row([last], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let number = last + 1;
    let (kind, name) = columns(&entry.scope);
    let Entry { request, verb, until, result, .. } = entry;
    tx.prepare_cached(
        "INSERT INTO audit (id, at_wall, by_whom, verb, scope_kind, scope_name, why, until_wall, result, previous, \
         hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        number,
        request.at.0,
        request.by,
        verb,
        kind,
        name,
        request.why,
        until.map(|at| at.0),
        result,
        previous,
        hash(number, entry, &previous),
    ])?;
    if number % PRUNE_EVERY == 0 {
        tx.prepare_cached("DELETE FROM audit WHERE id <= ?1")?.execute([number - MOST])?;
    }
    Ok(number)
}

/// Entries, newest first.
pub(super) fn entries(conn: &Connection, wanted: &Wanted) -> rusqlite::Result<Vec<Audited>> {
    conn.prepare_cached(&format!(
        "{COLUMNS} WHERE (?1 IS NULL OR scope_kind = 'all' OR (scope_kind = 'process' AND scope_name = ?1) \
         OR (scope_kind = 'group' AND scope_name = ?2)) AND (?3 IS NULL OR at_wall >= ?3) ORDER BY id DESC LIMIT ?4"
    ))?
    .query_map(
        params![
            wanted.of.as_ref().map(|name| name.as_str()),
            wanted.group.as_ref().map(|name| name.as_str()),
            wanted.since.map(|at| at.0),
            i64::try_from(wanted.limit).unwrap_or(i64::MAX),
        ],
        audited,
    )?
    .collect()
}

/// Goes through all entries and tells whether they are as they were written.
pub(super) fn chain(conn: &Connection) -> rusqlite::Result<Chain> {
    let mut chain = Chain { entries: 0, first: None, last: None, flaw: None };
    let mut statement = conn.prepare(&format!("{COLUMNS} ORDER BY id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let entry = audited(row)?;
        let previous: String = row.get(10)?;
        if chain.flaw.is_none() {
            chain.flaw = flaw(&entry, &previous, chain.last.as_ref());
        }
        chain.first.get_or_insert(entry.number);
        chain.last = Some((entry.number, entry.hash));
        chain.entries += 1;
    }
    let given: Option<i64> = conn
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'audit'", [], |row| row.get(0))
        .optional()?;
    let last = chain.last.as_ref().map_or(0, |(number, _)| *number);
    if chain.flaw.is_none() && given.unwrap_or(0) != last {
        chain.flaw = Some(missing(last + 1, given.unwrap_or(0)));
    }
    // Only entries that came before the newest MOST are dropped.
    let first = chain.first.unwrap_or(1);
    if chain.flaw.is_none() && first > 1 && last - first < MOST - 1 {
        chain.flaw = Some(missing((last - MOST + 1).max(1), first - 1));
    }
    Ok(chain)
}

/// What is wrong with an entry behind `before`.
fn flaw(entry: &Audited, previous: &str, before: Option<&(i64, String)>) -> Option<String> {
    let number = entry.number;
    if let Some((last, _)) = before
        && last + 1 != number
    {
        return Some(missing(last + 1, number - 1));
    }
    if hash(number, &entry.entry, previous) != entry.hash {
        return Some(format!("entry {number} is not as it was written"));
    }
    // The first one of all follows nothing; the first one that is kept follows one that is not.
    let follows = match before {
        Some((_, hash)) => hash == previous,
        None => number != 1 || previous.is_empty(),
    };
    (!follows)
        .then(|| format!("entry {number} does not follow the one before it: one of the two is another one"))
}

fn missing(from: i64, to: i64) -> String {
    match to - from {
        0 => format!("entry {from} is missing"),
        1.. => format!("entries {from} to {to} are missing"),
        _ => format!("there are entries behind number {to}, the last one that was given"),
    }
}

fn audited(row: &Row<'_>) -> rusqlite::Result<Audited> {
    let entry = Entry {
        request: Request { at: Wall(row.get(1)?), by: row.get(2)?, why: row.get(6)? },
        verb: row.get(3)?,
        scope: scope(row, 4)?,
        until: row.get::<_, Option<i64>>(7)?.map(Wall),
        result: row.get(8)?,
    };
    Ok(Audited { number: row.get(0)?, entry, hash: row.get(9)? })
}

/// Each text is preceded by its length, so that no two entries are the same bytes.
fn hash(number: i64, entry: &Entry, previous: &str) -> String {
    let mut hasher = Sha256::new();
    let (kind, name) = columns(&entry.scope);
    let Entry { request, verb, until, result, .. } = entry;
    hasher.update(number.to_be_bytes());
    hasher.update(request.at.0.to_be_bytes());
    match until {
        None => hasher.update([0]),
        Some(at) => {
            hasher.update([1]);
            hasher.update(at.0.to_be_bytes());
        }
    }
    for text in [&request.by, verb, kind, name, &request.why, result, previous] {
        hasher.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
