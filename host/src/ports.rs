//! The seams between the judgement and the world: what the core needs, as contracts in prose.
//!
//! Adapters implement these and never know each other; tests implement them in memory. The values that cross are
//! the policy's own and, for plugins, the plain data of `pm-plugin-api` (a second set of identical types would only
//! need translating).

mod attempt;
mod bell;
mod exec;
mod heard;
mod herald;
mod journal;
mod lease;
mod memory;
pub mod overrides;
mod store;
mod windows;
mod witness;

pub use attempt::{Attempt, Effect, Publication, Published, Step, StepKind};
pub use bell::{Bell, Ring};
pub use exec::{Captured, CommandFailed, CommandLine, Exec, Fault};
pub use heard::{Heard, bounded};
pub use herald::{Happened, Herald, Notifiers};
pub use journal::{
    Answer, Asked, Boot, Decision, Intent, Journal, JournalError, Pending, Record, Retention, Stage, Tidied,
    Unfinished,
};
pub use lease::{Host, Lease, Speaker};
pub use memory::HostMemory;
pub use store::{AlarmStore, Cleared, Row, Rows, Schema, ServerTime, StoreError, Trouble};
pub use windows::{Added, Windows};
pub use witness::{Seen, Sight, Witness};

use crate::policy::group::GroupRules;
use crate::policy::model::{Configured, Limits, Name, Window};
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
