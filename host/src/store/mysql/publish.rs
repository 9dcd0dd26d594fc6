//! Attempts into the table that all hosts share, on a server: one statement, and so all or none of them.

use super::MysqlStore;
use super::failure::NOT_FOR_US;
use crate::ports::{Publication, Published, StoreError};
use crate::store::attempts::{self, Field, PUBLISHING, TABLE};
use mysql::Value;

impl MysqlStore {
    pub(super) fn put(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        if publications.is_empty() {
            return Ok(Published::All);
        }
        let values: Vec<Value> = publications.iter().flat_map(attempts::fields).map(bound).collect();
        let refused =
            self.line.changes_unless(PUBLISHING, &[(&upsert(publications.len()), values)], NOT_FOR_US)?;
        Ok(if refused.is_some() { Published::Nowhere } else { Published::All })
    }
}

fn upsert(rows: usize) -> String {
    let names = attempts::names();
    let row = format!("({})", vec!["?"; names.len()].join(", "));
    let newer: Vec<String> =
        attempts::key_and_others().1.iter().map(|name| format!("{name} = VALUES({name})")).collect();
    format!(
        "INSERT INTO {TABLE} ({}) VALUES {} ON DUPLICATE KEY UPDATE {}",
        names.join(", "),
        vec![row; rows].join(", "),
        newer.join(", ")
    )
}

fn bound(field: Field) -> Value {
    match field {
        Field::Null => Value::NULL,
        Field::Int(number) => Value::from(number),
        Field::Text(text) => Value::from(text),
    }
}
