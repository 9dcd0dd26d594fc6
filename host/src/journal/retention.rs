//! How long things are kept: by age, and by the size of the file. Old ones go in rounds of a bounded size.
//!
//! An attempt goes with its steps and its evidence. One that has not ended is never touched, nor is the audit, whose
//! chain would break. What is free in the file is used again; a file that was made by this version or a later one also
//! gives it back, some pages with each round. One that is older keeps its size: to make it smaller it would have to be
//! written anew as a whole, and no restart may wait for that.

use crate::policy::time::Wall;
use crate::ports::{Retention, Tidied};
use rusqlite::{Transaction, params};

/// So many attempts are kept at the most, whatever their age.
const MOST: i64 = 100_000;
/// So many of the latest are kept, however large the file is.
const LEAST: i64 = 1_000;
/// So many are looked at in one round.
const ATTEMPTS: usize = 256;
/// So many decisions are.
const DECISIONS: usize = 2_000;
/// Free pages that stay for what comes next, and how many are given back at once.
const SPARE: i64 = 1_024;
const GIVEN_BACK: i64 = 512;
const DAY: i64 = 86_400_000;

/// One round.
pub(super) fn round(tx: &Transaction<'_>, keep: &Retention, now: Wall) -> rusqlite::Result<Tidied> {
    let before = now.0.saturating_sub(i64::from(keep.days).saturating_mul(DAY));
    let over = used(tx)? > keep.bytes;
    let dropped = attempts(tx, before, over)? + decisions(tx, before, over)?;
    give_back(tx)?;
    Ok(if dropped > 0 { Tidied::Some } else { Tidied::Nothing })
}

/// Bytes of the file that hold something.
fn used(tx: &Transaction<'_>) -> rusqlite::Result<u64> {
    let number = |pragma: &str| tx.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = number("page_count")? - number("freelist_count")?;
    Ok(u64::try_from(pages.saturating_mul(number("page_size")?)).unwrap_or_default())
}

fn attempts(tx: &Transaction<'_>, before: i64, over: bool) -> rusqlite::Result<usize> {
    let newest: i64 = tx.query_row("SELECT coalesce(max(id), 0) FROM attempts", [], |row| row.get(0))?;
    let too_many = newest - if over { LEAST } else { MOST };
    let old: Vec<i64> = tx
        .prepare_cached(
            "SELECT id FROM (SELECT id, ended_wall FROM attempts ORDER BY id LIMIT ?1) \
             WHERE ended_wall IS NOT NULL AND (id <= ?2 OR ended_wall < ?3)",
        )?
        .query_map(params![i64::try_from(ATTEMPTS).unwrap_or(i64::MAX), too_many, before], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &old {
        for sql in [
            "DELETE FROM steps WHERE attempt = ?1",
            "DELETE FROM evidence WHERE attempt = ?1",
            "DELETE FROM attempts WHERE id = ?1",
        ] {
            tx.prepare_cached(sql)?.execute([id])?;
        }
    }
    Ok(old.len())
}

fn decisions(tx: &Transaction<'_>, before: i64, over: bool) -> rusqlite::Result<usize> {
    let newest: i64 = tx.query_row("SELECT coalesce(max(id), 0) FROM decisions", [], |row| row.get(0))?;
    let too_many = if over { newest - LEAST } else { i64::MIN };
    tx.prepare_cached(
        "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions ORDER BY id LIMIT ?1) \
         AND (id <= ?2 OR at_wall < ?3)",
    )?
    .execute(params![i64::try_from(DECISIONS).unwrap_or(i64::MAX), too_many, before])
}

/// Gives pages back that nothing will need soon. Does nothing in a file without the list for it.
fn give_back(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let free: i64 = tx.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free <= SPARE {
        return Ok(());
    }
    let pages = (free - SPARE).min(GIVEN_BACK);
    let mut vacuum = tx.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = vacuum.query([])?;
    // Each step gives one page back.
    while rows.next()?.is_some() {}
    Ok(())
}
