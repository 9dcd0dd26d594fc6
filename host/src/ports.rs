//! The seams between the judgement and the world: what the core needs, as contracts in prose.
//!
//! Adapters implement these and never know each other; tests implement them in memory. The values that cross are
//! the policy's own and, for plugins, the plain data of `pm-plugin-api` (a second set of identical types would only
//! need translating).

mod attempt;
mod bell;
mod exec;
mod heard;
mod journal;
mod lease;
pub mod overrides;
mod windows;
mod witness;

pub use attempt::{Attempt, Effect, Publication, Published, Step, StepKind};
pub use bell::{Bell, Ring};
pub use exec::{Captured, CommandFailed, CommandLine, Exec, Fault};
pub use heard::{Heard, bounded};
pub use journal::{
    Answer, Asked, Boot, Decision, HostMemory, Intent, Journal, JournalError, Pending, Record, Retention,
    Stage, Tidied, Unfinished,
};
pub use lease::{Host, Lease, Speaker};
pub use windows::{Added, Windows};
pub use witness::{Seen, Sight, Witness};

use crate::policy::group::GroupRules;
use crate::policy::model::{Alarm, Clear, Configured, Limits, Name, RowId, Window};
use crate::policy::relations::{Related, Relations};
use crate::policy::time::{Now, Wall};
use crate::spec::{PartRef, Spec};
use pm_plugin_api::{Error as PluginError, Evidence, Health, Outcome as PluginOutcome, Target};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Tells the time and waits.
pub trait Clock: Send + Sync {
    /// Both clocks, read together.
    fn now(&self) -> Now;
    /// Waits; returns early, with `true`, when the program is asked to stop.
    fn wait(&self, duration: Duration) -> Waited;
    /// Identifies this boot; moments of another boot cannot be compared.
    fn boot_id(&self) -> &str;
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Waited {
    /// The time has passed.
    Elapsed,
    /// The program is to stop.
    Interrupted,
}

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

/// Restarts and checks, by the name of the part. The implementation finds, loads and isolates the plugins.
pub trait Strategies: Send + Sync {
    /// Runs `restart` of a strategy.
    ///
    /// # Errors
    /// The plugin's own error, or one of the host: no such strategy, refused library, no answer in time.
    fn restart(&self, part: &PartRef, target: &Target) -> Result<PluginOutcome, PluginError>;
    /// As [`restart`](Self::restart); what the library logs meanwhile, from the level info on, is kept in `heard`.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    fn restart_heard(
        &self,
        part: &PartRef,
        target: &Target,
        heard: &Heard,
    ) -> Result<PluginOutcome, PluginError> {
        let _ = heard;
        self.restart(part, target)
    }
    /// Runs `identity` of a strategy.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    fn identity(&self, part: &PartRef, target: &Target) -> Result<Option<String>, PluginError>;
    /// Runs `evidence` of a strategy: it looks and changes nothing. Calls that hang are not held against the others.
    ///
    /// # Errors
    /// As [`restart`](Self::restart); "unsupported" also from a library that is older than the operation.
    fn evidence(&self, part: &PartRef, target: &Target) -> Result<Evidence, PluginError>;
    /// Runs a check once.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    fn check(&self, part: &PartRef, target: &Target) -> Result<Health, PluginError>;
}

/// Is told of every single attempt, good or bad; the journal knows whole procedures only.
pub trait Chronicle: Send + Sync {
    /// One attempt has ended.
    fn attempt(&self, tried: &Tried<'_>);
}

/// One attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried<'a> {
    /// Whom it was about.
    pub name: &'a Name,
    /// Which attempt, from 1, and of how many.
    pub attempt: (u32, u32),
    /// Whether it was verified as good.
    pub result: Result<(), ()>,
    /// How long it took.
    pub took: Duration,
    /// When it ended.
    pub at: Wall,
}

/// What the configuration says, kept current with its file.
pub trait Catalog: Send {
    /// What is configured for a name, and how it is handled when it can be.
    fn look_up(&mut self, name: &Name) -> (Configured, Option<Arc<Spec>>);
    /// Groups, dependencies and limits, as the file and the tables of the alarm database (`table`) say together.
    fn arrange(&mut self, table: &Relations) -> Arrangement;
    /// The present or next occurrence of each maintenance window.
    fn windows(&mut self, now: Wall) -> Vec<Window>;
    /// Another process may have added or removed windows: reads them again.
    fn reread_windows(&mut self);
    /// Reads the file again if it changed (process sections only) or in any case (everything).
    fn refresh(&mut self, how: Refresh) -> Refreshed;
}

/// How processes belong together, and the limits of this host.
#[derive(Debug, Clone)]
pub struct Arrangement {
    /// Groups and dependencies.
    pub related: Related,
    /// The groups that have limits.
    pub groups: HashMap<Name, GroupRules>,
    /// The limits of this host.
    pub limits: Limits,
}

/// What to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// The process sections, if the file or the plugins have changed.
    IfChanged,
    /// Everything, because the operator asked (SIGHUP).
    Everything,
}

/// What reading again brought.
pub enum Refreshed {
    /// Nothing new, or nothing usable (which has been said in the log): all stays as it was.
    Unchanged,
    /// Other process sections.
    Processes,
    /// Everything; with a store when the database is another one.
    Everything(Knobs, Option<Box<dyn AlarmStore>>),
}

/// The daemon's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knobs {
    /// `check_interval`: the pause between two polls.
    pub interval: Duration,
    /// `max_parallel_restarts`.
    pub parallel: usize,
    /// `shutdown_timeout`: how long running jobs get to finish.
    pub shutdown: Duration,
    /// `[history]`: how long it is kept.
    pub keep: Retention,
    /// `[history] publish`: whether attempts go into the table `pm_attempt`.
    pub publish: bool,
}

/// How pm shows that it lives: to the service manager, to an old watchdog, to a person at a terminal.
pub trait Presence: Send {
    /// The daemon works; called at start, with each round and at least every five seconds, also during restarts.
    fn alive(&mut self, now: Now, state: &Alive);
    /// It is ready for the first time, or again after a reload.
    fn ready(&mut self);
    /// It reads its configuration again.
    fn reloading(&mut self);
    /// It is about to stop.
    fn stopping(&mut self);
    /// How often [`alive`](Self::alive) should be called at the least; a terminal wants every second.
    fn beat(&self) -> Duration;
}

/// The daemon at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// Rows in alarm.
    pub alarms: usize,
    /// Names of running jobs.
    pub running: Vec<Name>,
    /// Whether polls succeed, or why not.
    pub database: Result<(), String>,
    /// When the next poll begins.
    pub next_poll: Option<Wall>,
}
