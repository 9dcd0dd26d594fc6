//! The words of a group: its rules, where its breaker stands, what it is asked and what it answers. Nothing here decides.

use crate::bucket::Budget;
use crate::name::Name;
use crate::time::Ticks;
use std::time::Duration;

/// `[group.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRules {
    /// Restarts at once, and one more each so often.
    pub budget: Budget,
    /// So many distinct members in trouble open it; 0 switches this off.
    pub correlation: u32,
    /// Or this share of the members in percent, at least two of them; 0 switches this off.
    pub share: u8,
    /// How long trouble of a member counts.
    pub window: Duration,
    /// How long it stays open the first time.
    pub open_time: Duration,
    /// How long at the most.
    pub open_max: Duration,
    /// How far these times are spread, in percent.
    pub open_jitter: u8,
    /// How long the canary has to be quiet.
    pub stable: Duration,
    /// How many members there are.
    pub members: u32,
}

/// Where the breaker of a group stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GroupState {
    /// Members may be restarted within the budget.
    #[default]
    Closed,
    /// No member is restarted.
    Open {
        /// When one canary is allowed.
        until: Ticks,
    },
    /// One member may be restarted.
    CanaryDue,
    /// It is being restarted.
    CanaryRuns(Name),
    /// It was restarted and has to stay quiet.
    CanaryProbation {
        /// Who it is.
        canary: Name,
        /// Since when.
        since: Ticks,
    },
    /// Members are let go by 1, 2, 4, …
    Releasing {
        /// The size of this batch.
        batch: u32,
        /// Members of it that were begun.
        begun: u32,
        /// Members of it that succeeded.
        good: u32,
    },
}

/// What a group answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAnswer {
    /// Go.
    Allowed,
    /// It can be the canary.
    Canary,
    /// It is open, or its budget is spent, which opens it.
    Open {
        /// When one canary is allowed; none when it opens just now.
        until: Option<Ticks>,
    },
    /// The canary decides.
    Waiting {
        /// Who it is.
        canary: Name,
    },
    /// The batch before has not succeeded yet.
    Releasing {
        /// The size of this batch.
        batch: u32,
    },
}

/// Why a group opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupCause {
    /// More restarts than its budget.
    Budget,
    /// Trouble in several members.
    Correlation,
    /// The canary, or a member that was let go, did not help.
    Trial,
}

/// A group opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOpened {
    /// Why.
    pub cause: GroupCause,
    /// Members in trouble.
    pub troubled: Vec<Name>,
    /// When one canary is allowed.
    pub until: Ticks,
}

/// What the passing of time brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupChange {
    /// One canary is allowed.
    HalfOpen,
    /// The canary was stable: members are let go.
    Releasing,
    /// It closed.
    Closed,
    /// One level was forgiven.
    Level,
}

/// What one look shows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLook {
    /// The moment.
    pub now: Ticks,
    /// Up to when the alarms are known: quiet is proven so far and no further.
    pub proven: Ticks,
    /// The canary on probation.
    pub canary: Calm,
    /// All members.
    pub members: Calm,
}

/// Whether somebody is quiet: neither in alarm nor being restarted, as far as that can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calm {
    /// Quiet.
    Yes,
    /// In alarm for whatever reason, being restarted, or out of sight.
    No,
}
