//! The one connection to the server: made when needed, dropped as soon as it is in doubt.
//!
//! After anything but an orderly answer of the server the connection is never used again: with a late answer in the
//! pipe the next question would get the previous one's rows.

use super::connect::{Connector, guarded};
use super::failure::{self, Doing};
use crate::ports::StoreError;
use crate::store::ServerAddress;
use crate::store::rows::Cell;
use mysql::prelude::Queryable;
use mysql::{Conn, Error, Params, TxOpts, Value};

/// The connection, if there is one, and how to get one.
pub(super) struct Line {
    connector: Connector,
    conn: Option<Conn>,
}

impl Line {
    pub(super) fn new(address: ServerAddress) -> Self {
        Self { connector: Connector::new(address), conn: None }
    }

    pub(super) fn address(&self) -> &ServerAddress {
        &self.connector.address
    }

    /// Which server it is, for messages.
    pub(super) fn at(&self) -> &str {
        &self.connector.at
    }

    /// Whether there is a connection that is not in doubt.
    pub(super) fn is_open(&self) -> bool {
        self.conn.is_some()
    }

    /// Ends the connection; the next call makes another one.
    pub(super) fn hang_up(&mut self) {
        self.conn = None;
    }

    /// The table with the alarms, for messages.
    pub(super) fn table(&self) -> String {
        format!("STATUS_PROCESS at {}", self.at())
    }

    /// The rows of a question.
    pub(super) fn rows<const N: usize>(
        &mut self,
        doing: &str,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<[Cell; N]>, StoreError> {
        self.ask(doing, |conn| rows(conn, sql, values))?.map_err(|error| self.error(doing, &error))
    }

    /// The rows of a question, or `None` when the server answers with one of these error codes.
    pub(super) fn rows_unless<const N: usize>(
        &mut self,
        doing: &str,
        sql: &str,
        values: Vec<Value>,
        codes: &[u16],
    ) -> Result<Option<Vec<[Cell; N]>>, StoreError> {
        match self.ask(doing, |conn| rows(conn, sql, values))? {
            Ok(rows) => Ok(Some(rows)),
            Err(Error::MySqlError(error)) if codes.contains(&error.code) => Ok(None),
            Err(error) => Err(self.error(doing, &error)),
        }
    }

    /// Makes a change; answers how many rows are other than before.
    pub(super) fn change(&mut self, doing: &str, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        let changed = self.ask(doing, |conn| {
            conn.exec_drop(sql, positional(values))?;
            Ok(conn.affected_rows())
        })?;
        changed.map_err(|error| self.error(doing, &error))
    }

    /// Makes some changes in one transaction. `Some`: none was made, the server answered with this one of `codes`.
    pub(super) fn changes_unless(
        &mut self,
        doing: &str,
        changes: &[(&str, Vec<Value>)],
        codes: &[u16],
    ) -> Result<Option<u16>, StoreError> {
        let done = self.ask(doing, |conn| {
            let mut tx = conn.start_transaction(TxOpts::default())?;
            for (sql, values) in changes {
                tx.exec_drop(sql, positional(values.clone()))?;
            }
            tx.commit()
        })?;
        match done {
            Ok(()) => Ok(None),
            Err(Error::MySqlError(error)) if codes.contains(&error.code) => Ok(Some(error.code)),
            Err(error) => Err(self.error(doing, &error)),
        }
    }

    /// Runs a statement of the schema; false when the server answers with one of these error codes.
    pub(super) fn run_unless(&mut self, doing: &str, sql: &str, codes: &[u16]) -> Result<bool, StoreError> {
        match self.ask(doing, |conn| conn.query_drop(sql))? {
            Ok(()) => Ok(true),
            Err(Error::MySqlError(error)) if codes.contains(&error.code) => Ok(false),
            Err(error) => Err(self.error(doing, &error)),
        }
    }

    /// Makes one call with a connection and keeps that only if the server is known to have ended the exchange.
    fn ask<T>(
        &mut self,
        doing: &str,
        call: impl FnOnce(&mut Conn) -> mysql::Result<T>,
    ) -> Result<mysql::Result<T>, StoreError> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connector.connect(doing)?,
        };
        let result = guarded(|| call(&mut conn));
        if failure::keeps_connection(&result) {
            self.conn = Some(conn);
        }
        Ok(result)
    }

    fn error(&self, doing: &str, error: &Error) -> StoreError {
        let within = self.connector.address.read_timeout;
        failure::error(&Doing { what: doing, at: self.at(), within }, error)
    }
}

fn rows<const N: usize>(conn: &mut Conn, sql: &str, values: Vec<Value>) -> mysql::Result<Vec<[Cell; N]>> {
    conn.exec_iter(sql, positional(values))?.map(|row| row.map(cells)).collect()
}

fn positional(values: Vec<Value>) -> Params {
    if values.is_empty() { Params::Empty } else { Params::Positional(values) }
}

fn cells<const N: usize>(row: mysql::Row) -> [Cell; N] {
    let mut values = row.unwrap_raw().into_iter();
    std::array::from_fn(|_| match values.next().flatten() {
        None | Some(Value::NULL) => Cell::Null,
        Some(Value::Int(number)) => Cell::Int(number),
        Some(Value::UInt(number)) => {
            i64::try_from(number).map_or(Cell::Odd("a number that is too large"), Cell::Int)
        }
        Some(Value::Bytes(bytes)) => Cell::text(bytes),
        Some(Value::Float(_) | Value::Double(_)) => Cell::Odd("a fraction"),
        Some(Value::Date(..) | Value::Time(..)) => Cell::Odd("a date"),
    })
}
