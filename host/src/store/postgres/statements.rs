//! The texts of the statements that are made again and again, and those about leases.
//!
//! Nothing in them comes from outside: numbers only; all texts are bound.

use super::JOINED;
use super::{PostgresStore, of_host, same};
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
        let as_read =
            format!("WHERE process_id = $1::bigint AND alarma = 1 AND {}{of_host}", same("notes", "$2"));
        Self {
            poll: format!(
                "SELECT {ALARM_COLUMNS} FROM {JOINED} WHERE s.alarma = 1{of_s_host} \
                 ORDER BY s.process_id LIMIT $1::bigint"
            ),
            clear: format!("UPDATE STATUS_PROCESS SET alarma = 0 {as_read}{fence}"),
            clear_with_note: format!(
                "UPDATE STATUS_PROCESS SET alarma = 0, notes = $3::text {as_read}{fence}"
            ),
            look: format!("SELECT alarma, notes FROM STATUS_PROCESS WHERE process_id = $1::bigint{of_host}"),
        }
    }
}

impl Leases for PostgresStore {
    const NOW: &'static str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

    fn host(&self) -> String {
        lease::key(self.host_id)
    }

    fn ask<const N: usize>(&mut self, doing: &str, sql: &str) -> Result<Vec<[Cell; N]>, StoreError> {
        self.line.rows::<N>(doing, sql, &[])
    }

    fn change(&mut self, doing: &str, sql: &str) -> Result<u64, StoreError> {
        self.line.change(doing, sql, &[])
    }
}
