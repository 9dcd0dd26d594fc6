//! The nouns: alarm, view, plan, job, outcome, settlement, and the reasons for holding an alarm back.
//!
//! Every enum carries exactly the data that is valid in that situation. Nothing here can be serialised: the
//! edges own the forms in which these values are stored and shown.

use crate::policy::breaker::Breaker;
use crate::policy::time::{Now, Ticks, Wall};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A process name: data from the database or the configuration, never a command, a unit pattern or a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Takes any text as it is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
    /// The text as it is; use `Display` for people.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether there is nothing to name a process by.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

/// Shows control characters and direction marks escaped, so that no name can draw on a terminal or a log.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&printable(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// `text` with control characters, line separators and direction marks escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    out
}

/// Whether a character can be shown as it is; those that cannot are below U+10000.
#[must_use]
pub fn is_printable(c: char) -> bool {
    let hidden =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !(c.is_control() || hidden)
}

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

/// Why an alarm is not acted on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// The row has no process name.
    Unnamed,
    /// No section and no default for this name.
    NotConfigured,
    /// The section cannot be used; says why.
    Unusable(String),
    /// An operator has ticked the row (`sound = 1`).
    Acknowledged,
    /// A job for this name is running.
    InFlight {
        /// Since when.
        since: Ticks,
    },
    /// It was handled; the row waits to be cleared or for its source to clear it.
    Handled {
        /// When it is looked at again.
        recheck: Ticks,
    },
    /// The driver behind the strategy (bus, daemon, plugin) failed a moment ago.
    DriverPause {
        /// When it is tried again.
        until: Ticks,
    },
    /// Restarts did not help.
    BreakerOpen {
        /// Failures in a row.
        failures: u32,
        /// When one trial is allowed.
        until: Ticks,
    },
    /// As many jobs as allowed are running.
    Capacity {
        /// `max_parallel_restarts`.
        limit: usize,
    },
    /// pm is shutting down.
    Stopping,
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
    /// Nothing was done: an entry of a killed pm that had not begun to act. The alarm is handled anew.
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
}

impl Hold {
    /// The moment at which this reason ends by itself.
    #[must_use]
    pub fn ends(&self) -> Option<Ticks> {
        match self {
            Self::Handled { recheck: until }
            | Self::DriverPause { until }
            | Self::BreakerOpen { until, .. } => Some(*until),
            _ => None,
        }
    }
    /// The word for logs, JSON and tests.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unnamed => "unnamed",
            Self::NotConfigured => "not-configured",
            Self::Unusable(_) => "unusable",
            Self::Acknowledged => "acknowledged",
            Self::InFlight { .. } => "in-flight",
            Self::Handled { .. } => "handled",
            Self::DriverPause { .. } => "driver-pause",
            Self::BreakerOpen { .. } => "breaker-open",
            Self::Capacity { .. } => "capacity",
            Self::Stopping => "stopping",
        }
    }
    /// The sentence for people, as of `now`.
    #[must_use]
    pub fn sentence(&self, now: Now) -> String {
        let left = |until: &Ticks| until.since(now.boot).as_secs_f64().ceil();
        match self {
            Self::Unnamed => "the row has no process name; give it one in PROCESE".to_owned(),
            Self::NotConfigured => {
                "no [process.NAME] section for it and no [process.default]; add one to handle it".to_owned()
            }
            Self::Unusable(why) => format!("its configuration cannot be used: {why}"),
            Self::Acknowledged => "an operator has ticked it (sound = 1), so it is left alone".to_owned(),
            Self::InFlight { since } => {
                format!("a restart is under way, for {:.0} s", now.boot.since(*since).as_secs_f64())
            }
            Self::Handled { recheck } => format!(
                "it was handled and its row is not cleared yet; it is looked at again in {} s",
                left(recheck)
            ),
            Self::DriverPause { until } => {
                format!("what its strategy works with did not answer; tried again in {} s", left(until))
            }
            Self::BreakerOpen { failures, until } => {
                format!("the breaker is open after {failures} failures; one trial in {} s", left(until))
            }
            Self::Capacity { limit } => {
                format!("{limit} restarts are running, as many as max_parallel_restarts allows")
            }
            Self::Stopping => "pm is shutting down".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_draw_on_a_terminal() {
        let name = Name::new("a\u{1b}[2J\nb\u{202e}c");
        assert_eq!(name.to_string(), "a\\u{1b}[2J\\u{a}b\\u{202e}c");
    }
}
