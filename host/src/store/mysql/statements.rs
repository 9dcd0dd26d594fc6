//! The texts of the statements that are made again and again, and those about leases.
//!
//! Nothing in them comes from outside: numbers only; all texts are bound.

use super::MysqlStore;
use crate::ports::StoreError;
use crate::store::lease::{self, Leases};
use crate::store::rows::{ALARM_COLUMNS, Cell};

/// The texts of the statements that are used again and again; built once, so that they stay prepared.
pub(super) struct Statements {
    pub(super) poll: String,
    pub(super) clear: String,
    pub(super) clear_with_note: String,
    pub(super) look: String,
}

impl Statements {
    pub(super) fn new(host: Option<i64>, epoch: Option<i64>) -> Self {
        let fence = lease::fence(&lease::key(host), epoch);
        let (of_host, of_s_host) = (of_host("host_id", host), of_host("s.host_id", host));
        let as_read = format!(
            "WHERE process_id = ? AND alarma = 1 AND {} <=> CAST(? AS BINARY){of_host}",
            bytes_of("notes")
        );
        Self {
            poll: format!(
                "SELECT {ALARM_COLUMNS} FROM STATUS_PROCESS s JOIN PROCESE p ON p.process_id = s.process_id \
                 WHERE s.alarma = 1{of_s_host} ORDER BY s.process_id LIMIT ?"
            ),
            clear: format!("UPDATE STATUS_PROCESS SET alarma = 0 {as_read}{fence}"),
            clear_with_note: format!("UPDATE STATUS_PROCESS SET alarma = 0, notes = ? {as_read}{fence}"),
            look: format!("SELECT alarma, notes FROM STATUS_PROCESS WHERE process_id = ?{of_host}"),
        }
    }
}

impl Leases for MysqlStore {
    const NOW: &'static str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

    fn host(&self) -> String {
        lease::key(self.host_id)
    }

    fn ask<const N: usize>(&mut self, doing: &str, sql: &str) -> Result<Vec<[Cell; N]>, StoreError> {
        self.line.rows::<N>(doing, sql, Vec::new())
    }

    fn change(&mut self, doing: &str, sql: &str) -> Result<u64, StoreError> {
        self.line.change(doing, sql, Vec::new())
    }
}

/// A text column as the bytes of its UTF-8, whatever its character set and collation.
pub(super) fn bytes_of(column: &str) -> String {
    format!("CAST(CONVERT({column} USING utf8mb4) AS BINARY)")
}

/// The condition for one host; the number is no text from outside.
pub(super) fn of_host(column: &str, host: Option<i64>) -> String {
    host.map_or_else(String::new, |host| format!(" AND {column} = {host}"))
}
