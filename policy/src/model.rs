//! The nouns: alarm, view, plan, job, outcome, settlement, and the reasons for holding an alarm back.
//!
//! Every enum carries exactly the data that is valid in that situation. Nothing here can be serialised: the
//! edges own the forms in which these values are stored and shown.

use crate::breaker::Breaker;
pub use crate::hold::Hold;
pub use crate::name::{Name, is_printable, printable};
use crate::time::{Ticks, Wall};
use std::collections::BTreeMap;
use std::time::Duration;

/// `process_id` of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// Number of an attempt in the journal; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub i64);

/// A row in alarm as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The row.
    pub row: RowId,
    /// Its process name; may be blank, may be shared with other rows.
    pub name: Name,
    /// Its notes as read; `None` is SQL's NULL.
    pub notes: Option<String>,
    /// `sound = 1`: an operator has ticked it, so nobody acts on it.
    pub acknowledged: bool,
}

/// What the policy needs to know of a configured process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `max_restart_failures`: failures in a row that open the breaker; 0 counts as 1.
    pub max_failures: u32,
    /// `circuit_reset_time`: how long the breaker stays open.
    pub open_time: Duration,
    /// Whether a health check is configured.
    pub check: Checked,
    /// `verify_before`: look before restarting.
    pub verify: Verify,
    /// How long after a restart an alarm is verified before it is believed again.
    pub stable: Duration,
    /// How long a handled alarm that could not be cleared is left alone before it is looked at again.
    pub grace: Duration,
}

/// Whether a health check exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// One is configured.
    ByCheck,
    /// None: the action's own result counts.
    Unchecked,
}

/// Whether a job looks before it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// The check runs first; a healthy process is not restarted.
    First,
    /// The alarm is believed.
    AfterOnly,
}

/// What the configuration says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Configured {
    /// It can be handled.
    Yes(Rules),
    /// No section and no default.
    No,
    /// It has a section that cannot be used now; says why.
    Unusable(String),
}

/// What is remembered of a process between polls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its breaker.
    pub breaker: Breaker,
    /// The job that is running for it.
    pub in_flight: Option<InFlight>,
    /// Alarms that were handled but still stand in the table; each has its clearing in the outbox.
    pub handled: Vec<Handled>,
    /// Until when it is left alone because the driver behind its strategy failed, not the process.
    pub pause: Option<Ticks>,
    /// When pm last saw it healthy after a job.
    pub last_good: Option<Ticks>,
}

/// A running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// When it began.
    pub since: Ticks,
}

/// An alarm that was handled but whose row could not be cleared yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled {
    /// The row.
    pub row: RowId,
    /// Its notes when it was handled; other notes mean a new alarm.
    pub notes: Option<String>,
    /// When it is looked at again.
    pub recheck: Ticks,
}

/// One poll's picture of the world.
#[derive(Debug)]
pub struct View<'a> {
    /// Rows in alarm, in the order of the table.
    pub alarms: &'a [Alarm],
    /// What the configuration says of each name in `alarms`.
    pub configured: &'a BTreeMap<Name, Configured>,
    /// What is remembered of each name; a missing entry is a clean slate.
    pub standings: &'a BTreeMap<Name, Standing>,
    /// How many jobs may run at once.
    pub limit: usize,
    /// How many are running.
    pub running: usize,
    /// Whether rows can be cleared.
    pub table: Table,
    /// Whether new work is taken on.
    pub intake: Intake,
}

/// Whether pm can write to the alarm table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// As far as it is known, it can.
    Writable,
    /// The last write was refused: server or account is read-only.
    ReadOnly,
}

/// Whether new jobs may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// They may.
    Open,
    /// pm is shutting down.
    Stopping,
}

/// What to do about the alarms of one view.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Plan {
    /// Jobs to begin now, in this order.
    pub start: Vec<Job>,
    /// Every alarm that is in no job, by its index in the view, and why.
    pub held: Vec<(usize, Hold)>,
    /// When a held alarm could be decided otherwise without any other event.
    pub wake_at: Option<Ticks>,
}

/// The work for one name; all its rows are handled by one restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Whom it is about.
    pub name: Name,
    /// Its rows in alarm.
    pub alarms: Vec<Alarm>,
    /// Whether it looks before it acts.
    pub verify: Verify,
    /// Whether it is the one trial of a half-open breaker, which gets exactly one restart.
    pub trial: Trial,
}

/// Whether a job is a half-open breaker's trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// Exactly one restart.
    Probe,
    /// As many attempts as configured.
    No,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// What came of it.
    pub end: End,
    /// Restarts that were attempted.
    pub attempts: u32,
    /// One line for the log and the history.
    pub detail: String,
}

/// What came of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Restarted and verified (or not checked, when no check is configured).
    Restarted,
    /// The check was good before anything was done.
    AlreadyHealthy,
    /// It was tried and did not help.
    Failed,
    /// The driver (bus, daemon, plugin) failed, not the process.
    Infrastructure,
    /// Cut off by the shutdown; the journal knows how far it came.
    HandedOver,
    /// It ended before it came to anything: an entry of a killed pm that had not begun to act, or an operator's hold.
    /// Counts against nobody; the alarm is handled anew.
    Cancelled,
}

/// What follows from an outcome. The only place where a breaker changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Settlement {
    /// The standing from now on.
    pub standing: Standing,
    /// Rows to clear.
    pub clear: Vec<Clear>,
    /// Rows whose waiting clearing must not be made any more: the process is bad again.
    pub withdraw: Vec<RowId>,
    /// What to tell people.
    pub notices: Vec<Notice>,
}

/// A row to clear, if it still is as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clear {
    /// The row.
    pub row: RowId,
    /// Its notes when it was read.
    pub notes: Option<String>,
    /// What to append to the notes; `None` leaves them.
    pub restarted_at: Option<Wall>,
}

/// Something people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The breaker opened.
    BreakerOpened {
        /// Failures in a row.
        failures: u32,
        /// When one trial is allowed.
        until: Ticks,
    },
    /// The breaker closed after a successful trial.
    BreakerClosed,
    /// Failures had been counted and are forgotten.
    FailuresForgotten,
}

impl Standing {
    /// The mark of a handled row, while the row still is what was handled.
    #[must_use]
    pub fn handled(&self, alarm: &Alarm) -> Option<&Handled> {
        self.handled.iter().find(|handled| handled.row == alarm.row && handled.notes == alarm.notes)
    }
    /// The standing without the memory of failures, as an operator's reset leaves it: the breaker closed, no pause.
    /// What runs and what was handled stays.
    #[must_use]
    pub fn forgiven(&self) -> Self {
        Self { breaker: Breaker::default(), pause: None, ..self.clone() }
    }
}
