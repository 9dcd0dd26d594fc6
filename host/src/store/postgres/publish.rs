//! Attempts into the table that all hosts share, on a PostgreSQL server: one statement, and so all or none of them.

use super::PostgresStore;
use super::cells::Value;
use super::failure::NOT_FOR_US;
use crate::ports::{Publication, Published, StoreError};
use crate::store::attempts::{self, Field, Kind, PUBLISHING, TABLE};

impl PostgresStore {
    pub(super) fn put(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        if publications.is_empty() {
            return Ok(Published::All);
        }
        let values: Vec<Value> = publications.iter().flat_map(attempts::fields).map(bound).collect();
        let added = self.line.added(PUBLISHING, &upsert(publications.len()), &values, NOT_FOR_US)?;
        Ok(if added.is_some() { Published::All } else { Published::Nowhere })
    }
}

fn upsert(rows: usize) -> String {
    let (names, kinds) = (attempts::names(), attempts::kinds());
    let (key, others) = attempts::key_and_others();
    let newer: Vec<String> = others.iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect();
    let row = |row: usize| {
        let value = |(column, kind): (usize, &Kind)| {
            let number = row * kinds.len() + column + 1;
            match kind {
                Kind::Text(_) => format!("${number}::text"),
                Kind::Number => format!("${number}::text::bigint"),
                Kind::Moment => format!("${number}::text::timestamp"),
            }
        };
        format!("({})", kinds.iter().enumerate().map(value).collect::<Vec<_>>().join(", "))
    };
    format!(
        "INSERT INTO {TABLE} ({}) VALUES {} ON CONFLICT ({}) DO UPDATE SET {} RETURNING attempt_id",
        names.join(", "),
        (0..rows).map(row).collect::<Vec<_>>().join(", "),
        key.join(", "),
        newer.join(", ")
    )
}

/// Everything as a text, which the statement turns into what the column is: so NULL needs no type.
fn bound(field: Field) -> Value {
    match field {
        Field::Null => Value::Text(None),
        Field::Int(number) => Value::Text(Some(number.to_string())),
        Field::Text(text) => Value::Text(Some(text)),
    }
}
