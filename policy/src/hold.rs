//! The named reasons for holding an alarm back: what the log, `pm why`, JSON and the tests all show.

use crate::time::{Now, Ticks};

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
                format!(
                    "its last restart could not be carried out, through no fault of its own (see the log); tried again in {} s",
                    left(until)
                )
            }
            Self::BreakerOpen { failures, until } => {
                format!("the breaker is open after {}; one trial in {} s", counted(*failures), left(until))
            }
            Self::Capacity { limit } => {
                format!("{limit} restarts are running, as many as max_parallel_restarts allows")
            }
            Self::Stopping => "pm is shutting down".to_owned(),
        }
    }
}

/// `1 failure`, `3 failures`.
#[must_use]
pub fn counted(failures: u32) -> String {
    if failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures") }
}
