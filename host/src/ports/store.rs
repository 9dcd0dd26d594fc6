//! The port to the alarm database: what it answers, what may be wrong with it, and what may be asked of it.

use super::{Bell, Host, Lease, Publication, Published, Speaker};
use crate::policy::model::{Alarm, Clear, Name, RowId};
use crate::policy::relations::Relations;
use crate::policy::time::Wall;
use std::time::Duration;

/// Why the alarm database did not do what was asked; decides what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Not reachable, cut, or slower than its time limit: try again later. What was sent may have happened.
    Away,
    /// The server or the account does not allow writing.
    ReadOnly,
    /// Refused credentials: do not hammer.
    Refused,
    /// A table, a column or the database is missing.
    Schema,
    /// A deadlock or lock wait: the statement did not happen, try again soon.
    Conflict,
    /// Anything else; the text says what.
    Other,
}

impl Trouble {
    /// Whether the next statement would meet the same trouble.
    #[must_use]
    pub fn concerns_all(self) -> bool {
        match self {
            Self::Away | Self::ReadOnly | Self::Refused | Self::Schema => true,
            Self::Conflict | Self::Other => false,
        }
    }
}

/// An error of the alarm database.
#[derive(Debug, thiserror::Error)]
#[error("{attempted}: {why}{}", hint.map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct StoreError {
    /// What decides the next step.
    pub trouble: Trouble,
    /// What was attempted on what: `reading the alarms from STATUS_PROCESS at db1:3306`.
    pub attempted: String,
    /// Why it failed, without secrets.
    pub why: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

/// What a clearing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleared {
    /// The row was as it had been read and is cleared.
    Done,
    /// The row is not in alarm any more; somebody else cleared it.
    Already,
    /// The row is in alarm with other notes: it was raised anew and stays.
    Changed,
    /// There is no such row any more.
    Gone,
}

/// One process of the table, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `process_id`.
    pub row: RowId,
    /// `process_name`; blank when there is none.
    pub name: Name,
    /// `alarma`, whatever its value.
    pub alarm: i64,
    /// `sound`.
    pub sound: i64,
    /// `notes`.
    pub notes: Option<String>,
}

/// Which rows an operator's command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// All rows of this host.
    All,
    /// Those with these names.
    Named(Vec<Name>),
}

/// The state of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// `mysql 10.11.19-MariaDB`, `sqlite 3.54.1`.
    pub engine: String,
    /// The version that `pm db migrate` recorded; none when it never ran.
    pub version: Option<u32>,
    /// The newest version this pm knows.
    pub newest: u32,
    /// What is missing: tables, columns, the index on the alarms.
    pub missing: Vec<String>,
    /// The tables of groups and dependencies that this account may not read, whether they are there or not.
    pub denied: Vec<&'static str>,
}

/// The clock of a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTime {
    /// What it shows.
    pub at: Wall,
    /// Minutes that the local time of its sessions is ahead of UTC.
    pub ahead: i32,
}

/// The alarm database. Owned by one thread at a time; a connection that had any I/O error is never used again.
pub trait AlarmStore: Send {
    /// Rows with `alarma = 1` of this host, acknowledged ones too, in key order, at most `limit`.
    ///
    /// A row with values that cannot be read is left out and reported once, never fatal.
    ///
    /// # Errors
    /// [`StoreError`]; nothing has changed.
    fn poll(&mut self, limit: usize) -> Result<Vec<Alarm>, StoreError>;
    /// Clears one row if it still is as it was read: compare-and-set, safe to repeat.
    ///
    /// # Errors
    /// [`StoreError`]; after [`Trouble::Away`] the row may be cleared all the same, and repeating tells.
    fn clear(&mut self, clear: &Clear) -> Result<Cleared, StoreError>;
    /// Clears several rows, side by side where the engine can; answers index and result of each one that was tried.
    /// An error that concerns one row does not stop the others, one that concerns the connection or a right does.
    fn clear_all(&mut self, clears: &[Clear]) -> Vec<(usize, Result<Cleared, StoreError>)> {
        let mut results = Vec::with_capacity(clears.len());
        for (index, clear) in clears.iter().enumerate() {
            let result = self.clear(clear);
            let stop = result.as_ref().is_err_and(|error| error.trouble.concerns_all());
            results.push((index, result));
            if stop {
                break;
            }
        }
        results
    }
    /// All processes of this host.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(&mut self) -> Result<Vec<Row>, StoreError>;
    /// How many processes this host has: the rows that [`list`](Self::list) would read.
    ///
    /// # Errors
    /// [`StoreError`].
    fn known(&mut self) -> Result<u64, StoreError>;
    /// Groups and dependencies as the optional tables have them, for all hosts: names decide. A table that is
    /// missing or that this account may not read is an empty one; a row that cannot be read is left out and reported
    /// once.
    ///
    /// # Errors
    /// [`StoreError`], as every question; what was read before stays good, and no poll depends on it.
    fn relations(&mut self) -> Result<Relations, StoreError>;
    /// Adds a process to the two tables, with the next free `process_id` and this host's `host_id`, not in alarm; a
    /// name that has a row already gets no second one. Answers its row.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add(&mut self, name: &Name) -> Result<RowId, StoreError>;
    /// Puts rows into alarm (`alarma = 1`, `sound = 0`, the note); answers how many rows there were.
    ///
    /// # Errors
    /// [`StoreError`].
    fn raise(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError>;
    /// Takes rows out of alarm (`alarma = 0`, `sound = 0`, the note); answers how many rows there were.
    ///
    /// # Errors
    /// [`StoreError`].
    fn reset(&mut self, rows: &Rows, note: &str) -> Result<u64, StoreError>;
    /// The state of the tables.
    ///
    /// # Errors
    /// [`StoreError`].
    fn schema(&mut self) -> Result<Schema, StoreError>;
    /// The clock of the server; none for an engine without one of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    fn time(&mut self) -> Result<Option<ServerTime>, StoreError> {
        Ok(None)
    }
    /// Puts attempts into the table `pm_attempt`, all or none; one that stands there gets its newer state, so it is safe
    /// to repeat. Texts are cut to their columns, and what looks like a secret is masked.
    ///
    /// # Errors
    /// [`StoreError`].
    fn publish(&mut self, publications: &[Publication]) -> Result<Published, StoreError> {
        let _ = publications;
        Ok(Published::Nowhere)
    }
    /// Another store on the same database, with a connection of its own; none where there cannot be one.
    fn another(&self) -> Option<Box<dyn AlarmStore>> {
        None
    }
    /// Brings the tables to the newest version, additively; answers what was done.
    ///
    /// # Errors
    /// [`StoreError`]; refuses a version newer than it knows.
    fn migrate(&mut self) -> Result<Vec<String>, StoreError>;
    /// Takes the lease of this host, or renews the one with this number.
    ///
    /// # Errors
    /// [`StoreError`]; who speaks for the host is not known then.
    fn hold(&mut self, _speaker: &Speaker, _epoch: Option<i64>) -> Result<Lease, StoreError> {
        Ok(Lease::None { why: "this database serves one machine".to_owned() })
    }
    /// From now on clearings are made only while the lease with this number is the last one; none: whoever speaks.
    fn fence(&mut self, _epoch: Option<i64>) {}
    /// Ends the lease with this number in good order.
    ///
    /// # Errors
    /// [`StoreError`]; it ends by itself then.
    fn let_go(&mut self, _epoch: i64) -> Result<(), StoreError> {
        Ok(())
    }
    /// Hosts that have been silent for so long and of which nobody has told yet; whoever is answered one tells.
    ///
    /// # Errors
    /// [`StoreError`].
    fn silent(&mut self, _after: Duration) -> Result<Vec<Host>, StoreError> {
        Ok(Vec::new())
    }
    /// All hosts that have ever had a lease; none where there are no leases.
    ///
    /// # Errors
    /// [`StoreError`].
    fn hosts(&mut self) -> Result<Vec<Host>, StoreError> {
        Ok(Vec::new())
    }
    /// What tells of changes of the alarms, where that is wanted and the engine can.
    fn bell(&self) -> Option<Box<dyn Bell>> {
        None
    }
    /// Which one of several addresses serves now, and what was wrong with those that were given up; none when there is
    /// only one, or none of them serves.
    fn address(&self) -> Option<String> {
        None
    }
}
