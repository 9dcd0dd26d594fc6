//! What the configuration says that the policy needs to know.

use crate::backoff::Backoff;
use crate::name::Name;
use std::time::Duration;

/// What the policy needs to know of a configured process.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// `criticality`: who goes first when not all can.
    pub criticality: Criticality,
    /// `max_restart_failures`: so many restarts that did not help open the breaker; 0 counts as 1.
    pub threshold: u32,
    /// `restart_window`: how long a restart that did not help counts.
    pub window: Duration,
    /// `circuit_reset_time`: how long the breaker stays open the first time.
    pub open_time: Duration,
    /// `circuit_reset_max`: how long at the most.
    pub open_max: Duration,
    /// `circuit_jitter`: how far that time is spread, in percent.
    pub open_jitter: u8,
    /// `stable_time`: a restart that is not followed by this long without an alarm did not help.
    pub stable: Duration,
    /// How long after a restart that left it healthy an alarm is verified before it is believed.
    pub doubt: Duration,
    /// `backoff`, `backoff_factor`, `backoff_max`: the pause between one restart that did not help and the next.
    pub pause: Backoff,
    /// `backoff_jitter`: how far that pause is spread, in percent.
    pub pause_jitter: u8,
    /// Whether a health check is configured.
    pub check: Checked,
    /// `verify_before`: look before restarting.
    pub verify: Verify,
    /// How long a handled alarm that could not be cleared is left alone before it is looked at again.
    pub grace: Duration,
    /// `restart_strategy`: the ladder, tried from the left.
    pub ladder: Vec<Name>,
    /// `restart_dependents`.
    pub dependents: Dependents,
}

/// How much depends on a process. The order is the order of precedence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criticality {
    /// First, and tried most often.
    Critical,
    /// Before the ordinary ones.
    High,
    /// Ordinary.
    #[default]
    Normal,
    /// Last.
    Low,
}

impl Criticality {
    /// All levels, the most important first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    /// The word in the configuration, in logs and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// What becomes of those that depend on a process when it was restarted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dependents {
    /// They are looked at when they are in alarm.
    #[default]
    Leave,
    /// They are restarted as well.
    Restart,
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
    /// The check runs once first; a healthy process is not restarted.
    First,
    /// The check gets its whole time first: what it depends on has just come back.
    Patiently,
    /// The check runs once, and nothing is restarted whatever it says.
    Only,
    /// The alarm is believed.
    AfterOnly,
}

/// What the configuration says of a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Configured {
    /// It can be handled.
    Yes(Rules),
    /// No section and no default.
    No,
    /// It has a section that cannot be used now; says why.
    Unusable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_criticality_is_that_of_precedence_and_each_has_its_word() {
        assert!(Criticality::ALL.is_sorted());
        assert_eq!(Criticality::ALL.map(Criticality::word), ["critical", "high", "normal", "low"]);
        assert_eq!(Criticality::default(), Criticality::Normal);
        assert_eq!(Dependents::default(), Dependents::Leave);
    }
}
