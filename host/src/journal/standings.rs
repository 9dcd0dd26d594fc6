//! What is remembered of each process, and the clearings that wait.
//!
//! Moments are of the boot clock and carry the boot they belong to. Read in another boot, an open breaker is due for
//! its trial, marks of handled rows are due to be looked at, and what only meant "a while ago" is forgotten.

use super::memory;
use crate::failpoint::{self, Point};
use crate::policy::breaker::State;
use crate::policy::model::{Clear, Handled, Name, RowId, Standing};
use crate::policy::time::{Ticks, Wall};
use crate::ports::{HostMemory, Pending};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::collections::BTreeMap;

/// Stores a standing; a clean slate is not stored.
pub(super) fn store(
    tx: &Transaction<'_>,
    name: &Name,
    standing: &Standing,
    boot: &str,
) -> rusqlite::Result<()> {
    let kept =
        Standing { in_flight: None, ended: None, alarm_since: None, waited: false, ..standing.clone() };
    if kept == Standing::default() {
        return tx
            .prepare_cached("DELETE FROM standings WHERE name = ?1")?
            .execute([name.as_str()])
            .map(drop);
    }
    let open_until = match kept.breaker.state {
        State::Open { until } => Some(stored(until)),
        State::Closed | State::HalfOpen(_) => None,
    };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO standings (name, boot, failures, open_until, pause, last_good, handled, memory) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        name.as_str(),
        boot,
        kept.breaker.failures,
        open_until,
        kept.pause.map(stored),
        kept.last_good.map(stored),
        packed(&kept.handled),
        memory::packed(&kept),
    ])
    .map(drop)
}

/// All standings, with moments of the boot `boot`.
pub(super) fn load(conn: &Connection, boot: &str) -> rusqlite::Result<BTreeMap<Name, Standing>> {
    let mut standings = BTreeMap::new();
    let mut statement = conn.prepare(
        "SELECT name, boot, failures, open_until, pause, last_good, handled, memory FROM standings",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut standing = standing(row)?;
        if row.get_ref(1)?.as_str()? != boot {
            standing = after_reboot(standing);
        }
        if standing != Standing::default() {
            standings.insert(Name::new(row.get_ref(0)?.as_str()?), standing);
        }
    }
    Ok(standings)
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let unexpected =
        |column, name: &str| rusqlite::Error::InvalidColumnType(column, name.to_owned(), Type::Text);
    let open_until = row.get::<_, Option<i64>>(3)?.map(loaded);
    let rest = memory::unpacked(row.get_ref(7)?.as_str_or_null()?, row.get(2)?, open_until);
    Ok(Standing {
        pause: row.get::<_, Option<i64>>(4)?.map(loaded),
        last_good: row.get::<_, Option<i64>>(5)?.map(loaded),
        handled: unpacked(row.get_ref(6)?.as_str()?).ok_or_else(|| unexpected(6, "handled"))?,
        ..rest.ok_or_else(|| unexpected(7, "memory"))?
    })
}

fn after_reboot(standing: Standing) -> Standing {
    let mut handled = standing.handled;
    for mark in &mut handled {
        mark.recheck = Ticks(0);
    }
    let Standing { rung, after_window, .. } = standing;
    Standing { breaker: standing.breaker.after_reboot(), handled, rung, after_window, ..Standing::default() }
}

/// Stores what is remembered of the host.
pub(super) fn store_host(tx: &Transaction<'_>, host: &HostMemory, boot: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO host (id, boot, memory) VALUES (1, ?1, ?2)")?
        .execute(params![boot, memory::packed_host(host)])
        .map(drop)
}

/// What is remembered of the host, with moments of the boot `boot`.
pub(super) fn load_host(conn: &Connection, boot: &str) -> rusqlite::Result<HostMemory> {
    let row = conn
        .prepare_cached("SELECT boot, memory FROM host WHERE id = 1")?
        .query_row([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((its_boot, text)) = row else { return Ok(HostMemory::default()) };
    let host = memory::unpacked_host(&text)
        .ok_or_else(|| rusqlite::Error::InvalidColumnType(1, "memory".to_owned(), Type::Text))?;
    Ok(if its_boot == boot { host } else { memory::after_reboot(host) })
}

/// Puts clearings into the outbox.
pub(super) fn post(tx: &Transaction<'_>, clears: &[Clear]) -> rusqlite::Result<()> {
    for clear in clears {
        tx.prepare_cached("INSERT INTO outbox (process_id, notes, restarted_wall) VALUES (?1, ?2, ?3)")?
            .execute(params![clear.row.0, clear.notes, clear.restarted_at.map(|at| at.0)])?;
    }
    Ok(())
}

/// The clearings that wait, oldest first.
pub(super) fn outbox(conn: &Connection) -> rusqlite::Result<Vec<Pending>> {
    conn.prepare_cached("SELECT id, process_id, notes, restarted_wall FROM outbox ORDER BY id")?
        .query_map([], |row| {
            Ok(Pending {
                id: row.get(0)?,
                clear: Clear {
                    row: RowId(row.get(1)?),
                    notes: row.get(2)?,
                    restarted_at: row.get::<_, Option<i64>>(3)?.map(Wall),
                },
            })
        })?
        .collect()
}

/// Takes clearings out of the outbox.
pub(super) fn delivered(tx: &Transaction<'_>, ids: &[i64]) -> rusqlite::Result<()> {
    for id in ids {
        tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
    }
    failpoint::pass(Point::DeliveryWritten);
    Ok(())
}

fn stored(ticks: Ticks) -> i64 {
    i64::try_from(ticks.0).unwrap_or(i64::MAX)
}

fn loaded(stored: i64) -> Ticks {
    Ticks(u64::try_from(stored).unwrap_or_default())
}

/// Marks in one column: `[[process_id, notes, recheck], …]`.
fn packed(handled: &[Handled]) -> String {
    let marks: Vec<_> =
        handled.iter().map(|mark| (mark.row.0, mark.notes.as_deref(), mark.recheck.0)).collect();
    serde_json::to_string(&marks).unwrap_or_else(|_| "[]".to_owned())
}

fn unpacked(text: &str) -> Option<Vec<Handled>> {
    let marks: Vec<(i64, Option<String>, u64)> = serde_json::from_str(text).ok()?;
    Some(
        marks
            .into_iter()
            .map(|(row, notes, recheck)| Handled { row: RowId(row), notes, recheck: Ticks(recheck) })
            .collect(),
    )
}
