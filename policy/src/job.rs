//! What is done and what came of it: plan, job, outcome, settlement.

use crate::decide::Check;
use crate::hold::Hold;
use crate::model::{Alarm, RowId};
use crate::name::Name;
use crate::notice::Notice;
use crate::rules::Verify;
use crate::time::{Ticks, Wall};

/// What to do about the alarms of one view.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Plan {
    /// Jobs to begin now, in this order.
    pub start: Vec<Job>,
    /// Every alarm that is in no job, by its index in the view, and why.
    pub held: Vec<(usize, Hold)>,
    /// Processes without an alarm that are due because of what they depend on, and why they wait.
    pub due_held: Vec<(Name, Hold)>,
    /// When a held alarm could be decided otherwise without any other event.
    pub wake_at: Option<Ticks>,
}

/// The work for one name; all its rows are handled by one restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Whom it is about.
    pub name: Name,
    /// Its rows in alarm; none for one that is due, or by hand.
    pub alarms: Vec<Alarm>,
    /// Why there is one.
    pub cause: Cause,
    /// Whether it looks before it acts.
    pub verify: Verify,
    /// Whether it is the one trial of a half-open breaker, which gets exactly one restart.
    pub trial: Trial,
    /// The step of the ladder to begin with, from 0.
    pub rung: u32,
    /// What each check saw.
    pub chain: Vec<(Check, String)>,
}

/// Why there is a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is in alarm.
    Alarm,
    /// So many are in alarm that it is only looked at, for the guard.
    MassAlarm,
    /// What it depends on was restarted.
    Dependency(Name),
    /// An operator asked for it.
    Operator,
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
    /// The step of the ladder that acted last; none when none did.
    pub rung: Option<u32>,
    /// The driver that failed, if it was one.
    pub driver: Option<Name>,
    /// One line for the log and the history.
    pub detail: String,
}

impl Outcome {
    /// An outcome that names neither a step of the ladder nor a driver.
    pub fn new(end: End, attempts: u32, detail: impl Into<String>) -> Self {
        Self { end, attempts, rung: None, driver: None, detail: detail.into() }
    }
}

impl Job {
    /// A restart of `name` that an operator asked for.
    #[must_use]
    pub fn by_hand(name: &Name, trial: Trial) -> Self {
        Self {
            name: name.clone(),
            alarms: Vec::new(),
            cause: Cause::Operator,
            verify: Verify::AfterOnly,
            trial,
            rung: 0,
            chain: Vec::new(),
        }
    }
}

/// What came of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Restarted and verified (or not checked, when no check is configured).
    Restarted,
    /// The check was good before anything was done.
    AlreadyHealthy,
    /// It was only looked at, and the check was bad.
    Unhealthy,
    /// It was tried and did not help.
    Failed,
    /// The driver (bus, daemon, plugin) failed, not the process.
    Infrastructure,
    /// Cut off by the shutdown; the journal knows how far it came.
    HandedOver,
    /// Nothing was done: an entry of a killed pm that had not begun to act, or a claim that an operator's hold refused.
    /// The alarm is handled anew.
    Cancelled,
}

/// What follows from an outcome, besides what it changes in the [`State`](crate::state::State).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Settlement {
    /// Rows to clear.
    pub clear: Vec<Clear>,
    /// Rows whose clearing, if one waits, must not be made any more: the process is bad again.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_by_hand_is_about_no_row_and_believes_the_operator() {
        let job = Job::by_hand(&Name::new("web"), Trial::Probe);
        assert_eq!((job.name.as_str(), &job.cause, job.trial), ("web", &Cause::Operator, Trial::Probe));
        assert_eq!((job.verify, job.rung), (Verify::AfterOnly, 0));
        assert!(job.alarms.is_empty() && job.chain.is_empty());
    }

    #[test]
    fn a_plain_outcome_names_neither_step_nor_driver() {
        let outcome = Outcome::new(End::Failed, 2, "exit 1");
        assert_eq!((outcome.end, outcome.attempts, outcome.detail.as_str()), (End::Failed, 2, "exit 1"));
        assert_eq!((outcome.rung, outcome.driver), (None, None));
    }
}
