//! Attempts into the table that all hosts share, in a file.

use super::SqliteStore;
use super::tables;
use crate::ports::{Publication, Published, StoreError};
use crate::store::attempts::{self, Field, PUBLISHING, TABLE};
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{TransactionBehavior, params_from_iter};

impl SqliteStore {
    pub(super) fn put(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        self.forget_if_read_only();
        self.with(PUBLISHING, |open, _| {
            if !tables::exists(&open.conn, TABLE)? {
                return Ok(Published::Nowhere);
            }
            let tx = open.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let sql = upsert();
            for publication in publications {
                tx.prepare_cached(&sql)?.execute(params_from_iter(attempts::fields(publication)))?;
            }
            tx.commit()?;
            Ok(Published::All)
        })
    }
}

fn upsert() -> String {
    let (key, others) = attempts::key_and_others();
    let names = attempts::names();
    let marks = vec!["?"; names.len()].join(", ");
    let newer: Vec<String> = others.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "INSERT INTO {TABLE} ({}) VALUES ({marks}) ON CONFLICT ({}) DO UPDATE SET {}",
        names.join(", "),
        key.join(", "),
        newer.join(", ")
    )
}

impl ToSql for Field {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Null => rusqlite::types::Null.to_sql(),
            Self::Int(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}
