//! The one connection to the server: made when needed, dropped as soon as it is in doubt.
//!
//! After anything but an orderly answer of the server the connection is never used again. The driver is asynchronous;
//! it runs on a runtime of one thread, which is the caller's and lives only as long as this line.

use super::cells::Value;
use super::connect::{Connector, no_runtime};
use super::failure::{self, Act, Doing, Fault};
use super::session::Session;
use crate::ports::StoreError;
use crate::store::ServerAddress;
use crate::store::rows::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The connection, if there is one, and how to get one.
pub(super) struct Line {
    connector: Connector,
    runtime: Option<Runtime>,
    session: Option<Session>,
    /// Whether what is said belongs to a transaction, which no other connection can go on with.
    within: Transaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
}

impl Line {
    pub(super) fn new(address: ServerAddress) -> Self {
        Self { connector: Connector::new(address), runtime: None, session: None, within: Transaction::None }
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
        self.session.is_some()
    }

    /// Ends the connection; the next call makes another one.
    pub(super) fn hang_up(&mut self) {
        self.session.take().into_iter().for_each(Session::abandon);
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
        values: &[Value],
    ) -> Result<Vec<[Cell; N]>, StoreError> {
        let rows = self.ask(doing, &async |session, time| session.rows(sql, values, time).await)?;
        rows.map_err(|fault| self.error(doing, Act::Read, &fault))
    }

    /// The rows of a question, or `None` when the server answers with one of these codes.
    pub(super) fn rows_unless<const N: usize>(
        &mut self,
        doing: &str,
        sql: &str,
        codes: &[&str],
    ) -> Result<Option<Vec<[Cell; N]>>, StoreError> {
        match self.ask(doing, &async |session, time| session.rows(sql, &[], time).await)? {
            Ok(rows) => Ok(Some(rows)),
            Err(fault) if fault.is_one_of(codes) => Ok(None),
            Err(fault) => Err(self.error(doing, Act::Read, &fault)),
        }
    }

    /// Makes a change; answers how many rows it found.
    pub(super) fn change(&mut self, doing: &str, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        let changed = self.ask(doing, &async |session, time| session.change(sql, values, time).await)?;
        changed.map_err(|fault| self.error(doing, Act::Write, &fault))
    }

    /// Adds rows and answers the first column of what was added, or `None` when the server answers with one of these
    /// codes.
    pub(super) fn added(
        &mut self,
        doing: &str,
        sql: &str,
        values: &[Value],
        codes: &[&str],
    ) -> Result<Option<Vec<[Cell; 1]>>, StoreError> {
        match self.ask(doing, &async |session, time| session.rows(sql, values, time).await)? {
            Ok(rows) => Ok(Some(rows)),
            Err(fault) if fault.is_one_of(codes) => Ok(None),
            Err(fault) => Err(self.error(doing, Act::Make, &fault)),
        }
    }

    /// Runs a statement of the schema; false when the server answers with one of these codes.
    pub(super) fn run_unless(&mut self, doing: &str, sql: &str, codes: &[&str]) -> Result<bool, StoreError> {
        match self.ask(doing, &async |session, time| session.run(sql, time).await)? {
            Ok(()) => Ok(true),
            Err(fault) if fault.is_one_of(codes) => Ok(false),
            Err(fault) => Err(self.error(doing, Act::Make, &fault)),
        }
    }

    /// Does something in one transaction, all of it or nothing.
    pub(super) fn together<T>(
        &mut self,
        doing: &str,
        first: &[&str],
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run_unless(doing, "BEGIN", &[])?;
        self.within = Transaction::Open;
        let done = first
            .iter()
            .try_for_each(|sql| self.run_unless(doing, sql, &[]).map(drop))
            .and_then(|()| work(self))
            .and_then(|value| self.run_unless(doing, "COMMIT", &[]).map(|_| value));
        self.within = Transaction::None;
        if done.is_err() {
            // The end of the connection takes back what was begun.
            self.session.take().into_iter().for_each(Session::abandon);
        }
        done
    }

    /// Makes one call with a connection and keeps that only if the server is known to have ended the exchange.
    fn ask<T>(
        &mut self,
        doing: &str,
        call: &impl AsyncFn(&mut Session, Duration) -> Result<T, Fault>,
    ) -> Result<Result<T, Fault>, StoreError> {
        let mut repeated = false;
        loop {
            let mut session = match self.session.take() {
                Some(session) => session,
                None => self.connect(doing)?,
            };
            let time = self.connector.address.read_timeout;
            let runtime = self.runtime(doing)?;
            // The driver reads what comes from outside; a panic of it must not take the thread along.
            let call = || runtime.block_on(call(&mut session, time));
            let result = catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Fault::Garbage));
            match &result {
                Ok(_) => self.session = Some(session),
                Err(fault) if fault.is_outdated() && !repeated && self.within == Transaction::None => {
                    // Somebody changed the table: the statement was not run, and is prepared anew.
                    session.abandon();
                    repeated = true;
                    continue;
                }
                Err(fault) if fault.keeps_connection() => self.session = Some(session),
                Err(_) => session.abandon(),
            }
            return Ok(result);
        }
    }

    fn connect(&mut self, doing: &str) -> Result<Session, StoreError> {
        self.runtime(doing)?;
        let Self { connector, runtime: Some(runtime), .. } = self else { unreachable!("it was just made") };
        connector.connect(runtime, doing)
    }

    fn runtime(&mut self, doing: &str) -> Result<&Runtime, StoreError> {
        if self.runtime.is_none() {
            let made =
                Builder::new_current_thread().enable_io().enable_time().max_blocking_threads(4).build();
            self.runtime = Some(made.map_err(|error| no_runtime(doing, self.at(), &error))?);
        }
        Ok(self.runtime.as_ref().unwrap_or_else(|| unreachable!("it was just made")))
    }

    fn error(&self, doing: &str, act: Act, fault: &Fault) -> StoreError {
        let within = self.connector.address.read_timeout;
        failure::error(&Doing { what: doing, at: self.at(), act, within }, fault)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(session) = self.session.take() {
            // Without a goodbye the server would complain in its log.
            let ended = || runtime.block_on(session.end());
            let _ = catch_unwind(AssertUnwindSafe(ended));
        }
        // A name that is still being looked up must not hold up whoever drops this.
        runtime.shutdown_background();
    }
}
