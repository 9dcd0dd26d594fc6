//! The nouns of the judgement. Each has its file; this one holds what is read and what is remembered of a process.
//!
//! Every enum carries exactly the data that is valid in that situation. Nothing here can be serialised: the
//! edges own the forms in which these values are stored and shown.

use crate::breaker::Breaker;
pub use crate::decide::Check;
pub use crate::hold::{Hold, Trouble};
pub use crate::job::{Cause, Clear, End, Job, Outcome, Plan, Settlement, Trial};
pub use crate::name::{Name, is_printable, printable};
pub use crate::notice::Notice;
pub use crate::rules::{Checked, Configured, Criticality, Dependents, Rules, Verify};
use crate::time::Ticks;
pub use crate::view::{Intake, Limits, Sight, Table, View};
pub use crate::window::{Order, Override, Scope, Window};

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
    /// When a restart last left it healthy. A look that finds it healthy changes nothing: a check that sees too little
    /// must not make others hold back for ever.
    pub last_good: Option<Ticks>,
    /// When its last restart ended, good or bad.
    pub last_end: Option<Ticks>,
    /// When its last job ended, until a poll has looked again: its alarms are out of sight meanwhile.
    pub ended: Option<Ticks>,
    /// Since when it has been in alarm, while it is.
    pub alarm_since: Option<Ticks>,
    /// The next step of the ladder, from 0.
    pub rung: u32,
    /// The restart that seemed to help and has to prove itself.
    pub trial: Option<OnTrial>,
    /// It was in alarm while a maintenance window was open, so the alarm may be a leftover of the work.
    pub after_window: bool,
    /// It was in alarm while it waited for what it depends on, so it may have recovered with that. Not stored: whoever
    /// still waits when pm starts is seen waiting again.
    pub waited: bool,
}

/// A restart that seemed to help and has to be followed by a stable period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnTrial {
    /// The step of the ladder that made it.
    pub rung: u32,
    /// When it ended.
    pub since: Ticks,
}

/// A running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// When it began.
    pub since: Ticks,
    /// Whether it looks before it acts, so that it may come to nothing.
    pub verify: Verify,
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

/// A process that is to be restarted because what it depends on was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What it depends on.
    pub because: Name,
    /// Since when.
    pub since: Ticks,
}

impl Standing {
    /// How many restarts did not help, as far as that is known: without the one that is on trial.
    #[must_use]
    pub fn in_vain(&self, rules: &Rules, now: Ticks) -> u32 {
        if self.trial.is_none() {
            return self.breaker.count(rules, now);
        }
        let mut others = self.breaker.clone();
        others.useless.pop();
        others.count(rules, now)
    }

    /// The mark of a handled row, while the row still is what was handled.
    #[must_use]
    pub fn handled(&self, alarm: &Alarm) -> Option<&Handled> {
        self.handled.iter().find(|handled| handled.row == alarm.row && handled.notes == alarm.notes)
    }
    /// The step of the ladder, from 0, that a restart for an alarm begins with. While a restart has to prove itself, an
    /// alarm that is true says that it has not lasted, so it is the step after that one.
    #[must_use]
    pub fn step(&self, rules: &Rules) -> u32 {
        let top = u32::try_from(rules.ladder.len()).unwrap_or(u32::MAX).saturating_sub(1);
        self.trial.map_or(self.rung, |trial| trial.rung.saturating_add(1)).min(top)
    }
    /// Whether no poll since the end of its last job has told how it is; a poll of the same moment may have been earlier.
    #[must_use]
    pub fn is_out_of_sight(&self, polled: Ticks) -> bool {
        self.ended.is_some_and(|ended| polled <= ended)
    }
    /// The standing without the memory of failures, as an operator's reset leaves it: the breaker closed, no pause.
    /// What runs and what was handled stays.
    #[must_use]
    pub fn forgiven(&self) -> Self {
        Self {
            breaker: Breaker::default(),
            pause: None,
            last_end: None,
            rung: 0,
            trial: None,
            ..self.clone()
        }
    }
}
