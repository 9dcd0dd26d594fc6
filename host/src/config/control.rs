//! The numbers of restart control: how many restarts that do not help are too many, how long to wait between them,
//! how long a breaker stays open. They come by criticality, and each one can be set for a process or for a level.
//!
//! Plain data with the built-in numbers; what they do is for the policy.

pub use crate::policy::model::Criticality;
use std::time::Duration;

/// What restarts of one process are measured against.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// `max_restart_failures`: so many failures within `restart_window` open the breaker; 0 counts as 1.
    pub max_restart_failures: u32,
    /// `restart_window`: how far back failures count; at least a second.
    pub restart_window: Duration,
    /// `circuit_reset_time`: how long the breaker stays open the first time.
    pub circuit_reset_time: Duration,
    /// `circuit_reset_max`: how long it stays open at the longest; never less than `circuit_reset_time`.
    pub circuit_reset_max: Duration,
    /// `circuit_jitter`: by so many percent, up or down, the open time is moved; 0 to 50.
    pub circuit_jitter: u32,
    /// `stable_time`: a restart that is not followed by this long without an alarm did not help.
    pub stable_time: Duration,
    /// `doubt_time`: an alarm so soon after a restart that left the process healthy is looked at before it is believed.
    pub doubt_time: Duration,
    /// `backoff`: the first pause between two restarts.
    pub backoff: Duration,
    /// `backoff_factor`: each further pause is this many times the one before; 1 to 100.
    pub backoff_factor: f64,
    /// `backoff_max`: the longest pause; never less than `backoff`.
    pub backoff_max: Duration,
    /// `backoff_jitter`: by so many percent, up or down, a pause is moved; 0 to 50.
    pub backoff_jitter: u32,
}

/// The numbers of every level, as `[criticality.LEVEL]`, `[monitor]` (for `normal`) and what is built in make them.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels([Control; 4]);

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

impl Control {
    /// The numbers of a level when the file says nothing.
    #[must_use]
    pub const fn built_in(level: Criticality) -> Self {
        let (failures, window, backoff, first, longest, stable) = match level {
            Criticality::Critical => (5, 15, 5, 2, 30, 10),
            Criticality::High => (4, 15, 10, 3, 45, 10),
            Criticality::Normal => (3, 15, 10, 5, 60, 10),
            Criticality::Low => (2, 30, 30, 15, 6 * 60, 20),
        };
        Self {
            max_restart_failures: failures,
            restart_window: minutes(window),
            circuit_reset_time: minutes(first),
            circuit_reset_max: minutes(longest),
            circuit_jitter: 15,
            stable_time: minutes(stable),
            doubt_time: minutes(1),
            backoff: Duration::from_secs(backoff),
            backoff_factor: 2.0,
            backoff_max: minutes(5),
            backoff_jitter: 10,
        }
    }

    /// How long after a verified restart an alarm is looked at before it is believed: the shorter of `stable_time`
    /// and `doubt_time`.
    #[must_use]
    pub fn doubt(&self) -> Duration {
        self.stable_time.min(self.doubt_time)
    }

    /// The same with each longest time raised to the first one.
    #[must_use]
    pub(super) fn settled(mut self) -> Self {
        self.circuit_reset_max = self.circuit_reset_max.max(self.circuit_reset_time);
        self.backoff_max = self.backoff_max.max(self.backoff);
        self
    }
}

impl Levels {
    /// What `of` says of every level.
    pub(super) fn from(of: impl FnMut(Criticality) -> Control) -> Self {
        Self(Criticality::ALL.map(of))
    }

    /// The numbers of a level.
    #[must_use]
    pub fn of(&self, level: Criticality) -> &Control {
        &self.0[level as usize]
    }
}
