//! How the runner of versions sees the tables of a server.
//!
//! DDL can be rolled back here, so all of it is one transaction, under a lock that a second pm waits for. Names are
//! found as the statements find them, by the `search_path` of the account.

use super::bell::CHANNEL;
use super::cells::Value;
use super::failure::ALREADY_THERE;
use super::line::Line;
use crate::ports::{StoreError, Trouble};
use crate::store::rows::Cell;
use crate::store::schema::{NEWEST, Ran, Tables};
use std::collections::BTreeMap;

const READING: &str = "reading the definition of the tables";
/// What making tables is called in messages.
pub(super) const MAKING: &str = "creating the tables of the alarms";
/// What a migration begins with: one at a time, and whoever waits does so for as long as a statement may take. The number is
/// `pm` and means nothing.
pub(super) const ALONE: &[&str] = &["SET LOCAL lock_timeout = 0", "SELECT pg_advisory_xact_lock(28781)"];

pub(super) struct PostgresTables<'a> {
    pub(super) line: &'a mut Line,
    pub(super) by_host: bool,
}

impl PostgresTables<'_> {
    /// A table of that name in quoted capitals, when there is none that the statements would find.
    fn refuse_capitals(&mut self, table: &str) -> Result<(), StoreError> {
        let sql = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE lower(c.relname) = lower($1::text) AND c.relname <> lower($1::text) \
                   AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname = ANY (current_schemas(false)) LIMIT 1";
        let found = self.line.rows::<2>(READING, sql, &[Value::text(table)])?;
        let Some([Cell::Text(schema), Cell::Text(name)]) = found.first() else { return Ok(()) };
        Err(StoreError {
            trouble: Trouble::Schema,
            attempted: format!("{READING} at {}", self.line.at()),
            why: format!(
                "there is a table {schema}.\"{name}\" in quoted capitals, and none named {}",
                table.to_lowercase()
            ),
            hint: Some("make a view of it in small letters, as docs/database.md shows"),
        })
    }
}

impl Tables for PostgresTables<'_> {
    fn by_host(&self) -> bool {
        self.by_host
    }

    fn version(&mut self) -> Result<Option<u32>, StoreError> {
        let doing = "reading the version of the tables from pm_schema";
        // Asked first: an error would end the transaction.
        let readable = "SELECT COALESCE(has_table_privilege(to_regclass('pm_schema')::oid, 'SELECT'), false)";
        if !matches!(self.line.rows::<1>(doing, readable, &[])?.as_slice(), [[Cell::Int(1)]]) {
            return Ok(None);
        }
        let sql = "SELECT MAX(version)::bigint FROM pm_schema";
        match self.line.rows::<1>(doing, sql, &[])?.as_slice() {
            [[Cell::Int(version)]] => Ok(Some(u32::try_from(*version).unwrap_or(u32::MAX))),
            _ => Ok(None),
        }
    }

    fn columns(&mut self, table: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1::text) \
                   AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let rows = self.line.rows::<1>(READING, sql, &[Value::text(table)])?;
        if rows.is_empty() {
            self.refuse_capitals(table)?;
        }
        Ok(rows.into_iter().filter_map(|[name]| text(name)).collect())
    }

    fn indexes(&mut self) -> Result<Vec<Vec<String>>, StoreError> {
        // One that holds only the alarms finds them whatever its columns are. What is behind a view is not seen
        // from here, so that nothing is said to be missing.
        let sql = "SELECT i.indexrelid::bigint, CASE WHEN i.indpred IS NULL THEN a.attname::text ELSE 'alarma' END \
                   FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place) \
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
                   WHERE i.indrelid = to_regclass('STATUS_PROCESS') AND i.indisvalid \
                   AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(alarma = 1)') \
                   UNION ALL SELECT 0, 'alarma' FROM pg_class \
                   WHERE oid = to_regclass('STATUS_PROCESS') AND relkind NOT IN ('r', 'p', 'm') \
                   ORDER BY 1";
        let mut indexes: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for [index, column] in self.line.rows::<2>(READING, sql, &[])? {
            if let Cell::Int(index) = index {
                indexes.entry(index).or_default().extend(text(column));
            }
        }
        Ok(indexes.into_values().collect())
    }

    fn exact_text(&self) -> &'static str {
        "VARCHAR(100) COLLATE \"C\""
    }

    fn moment(&self) -> &'static str {
        "TIMESTAMP(3)"
    }

    fn small_number(&self) -> &'static str {
        "SMALLINT"
    }

    fn make(&mut self, statement: &str) -> Result<Ran, StoreError> {
        self.line.run_unless(MAKING, "SAVEPOINT pm_step", &[])?;
        let done = self.line.run_unless(MAKING, statement, ALREADY_THERE)?;
        let (end, ran) = if done {
            ("RELEASE SAVEPOINT pm_step", Ran::Done)
        } else {
            ("ROLLBACK TO SAVEPOINT pm_step", Ran::AlreadyThere)
        };
        self.line.run_unless(MAKING, end, &[])?;
        Ok(ran)
    }

    fn record(&mut self, version: u32, what: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO pm_schema (version, what) VALUES ($1::bigint, $2::text) ON CONFLICT DO NOTHING";
        let values = [Value::Int(i64::from(version)), Value::text(what)];
        self.line.added("noting the version of the tables in pm_schema", sql, &values, &[]).map(drop)
    }

    /// The trigger that tells a listening pm of changes. It is not part of a version: it is made when it is wanted.
    fn more(&mut self) -> Result<Vec<String>, StoreError> {
        if self.line.address().push.is_none() {
            return Ok(Vec::new());
        }
        let there = "SELECT 1::bigint FROM pg_trigger WHERE tgrelid = to_regclass('STATUS_PROCESS') AND tgname = $1::text";
        if !self.line.rows::<1>(READING, there, &[Value::text(CHANNEL)])?.is_empty() {
            return Ok(Vec::new());
        }
        self.line.run_unless(
            MAKING,
            "CREATE OR REPLACE FUNCTION pm_alarm() RETURNS trigger LANGUAGE plpgsql \
             AS 'BEGIN NOTIFY pm_alarm; RETURN NULL; END'",
            &[],
        )?;
        let made = self.make(
            "CREATE TRIGGER pm_alarm AFTER INSERT OR UPDATE OF alarma ON STATUS_PROCESS \
             FOR EACH STATEMENT EXECUTE PROCEDURE pm_alarm()",
        )?;
        Ok((made == Ran::Done)
            .then(|| "created the trigger pm_alarm on STATUS_PROCESS".to_owned())
            .into_iter()
            .collect())
    }

    fn newer(&self, version: u32) -> StoreError {
        StoreError {
            trouble: Trouble::Schema,
            attempted: format!("bringing the tables at {} to version {NEWEST}", self.line.at()),
            why: format!("a newer pm has brought them to version {version}, this one knows {NEWEST}"),
            hint: Some("use the newer pm"),
        }
    }
}

fn text(cell: Cell) -> Option<String> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}
