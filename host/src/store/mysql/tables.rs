//! How the runner of versions sees the tables of a server.
//!
//! Each step is one statement, because DDL cannot be rolled back here; "already there" from the server means that
//! another pm was faster.

use super::failure::{ALREADY_THERE, NOT_THERE};
use super::line::Line;
use crate::ports::{StoreError, Trouble};
use crate::store::rows::Cell;
use crate::store::schema::{NEWEST, Ran, Tables};
use mysql::Value;
use std::collections::BTreeMap;

const READING: &str = "reading the definition of the tables";

pub(super) struct MysqlTables<'a> {
    pub(super) line: &'a mut Line,
    pub(super) by_host: bool,
}

impl Tables for MysqlTables<'_> {
    fn by_host(&self) -> bool {
        self.by_host
    }

    fn version(&mut self) -> Result<Option<u32>, StoreError> {
        let doing = "reading the version of the tables from pm_schema";
        let sql = "SELECT CAST(MAX(version) AS SIGNED) FROM pm_schema";
        match self.line.rows_unless::<1>(doing, sql, Vec::new(), NOT_THERE)?.as_deref() {
            Some([[Cell::Int(version)]]) => Ok(Some(u32::try_from(*version).unwrap_or(u32::MAX))),
            _ => Ok(None),
        }
    }

    fn columns(&mut self, table: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT LOWER(column_name) FROM information_schema.columns \
                   WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
        let rows = self.line.rows::<1>(READING, sql, vec![Value::from(table)])?;
        Ok(rows.into_iter().filter_map(|[name]| text(name)).collect())
    }

    fn indexes(&mut self) -> Result<Vec<Vec<String>>, StoreError> {
        let sql = "SELECT index_name, LOWER(column_name) FROM information_schema.statistics \
                   WHERE table_schema = DATABASE() AND table_name = 'STATUS_PROCESS' \
                   ORDER BY index_name, seq_in_index";
        let mut indexes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for [index, column] in self.line.rows::<2>(READING, sql, Vec::new())? {
            indexes.entry(text(index).unwrap_or_default()).or_default().extend(text(column));
        }
        Ok(indexes.into_values().collect())
    }

    fn exact_text(&self) -> &'static str {
        "VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    }

    fn small_number(&self) -> &'static str {
        "TINYINT"
    }

    fn moment(&self) -> &'static str {
        "DATETIME(3)"
    }

    fn make(&mut self, statement: &str) -> Result<Ran, StoreError> {
        let done = self.line.run_unless("creating the tables of the alarms", statement, ALREADY_THERE)?;
        Ok(if done { Ran::Done } else { Ran::AlreadyThere })
    }

    fn record(&mut self, version: u32, what: &str) -> Result<(), StoreError> {
        let sql = "INSERT IGNORE INTO pm_schema (version, what) VALUES (?, ?)";
        let values = vec![Value::from(version), Value::from(what)];
        self.line.change("noting the version of the tables in pm_schema", sql, values).map(drop)
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
