//! The named reasons for holding an alarm back: what the log, `pm why`, JSON and the tests all show.

use crate::name::Name;
use crate::rules::Verify;
use crate::time::{Now, Ticks, Wall};

/// Why others have to wait for a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is in alarm.
    InAlarm,
    /// It is in alarm, and a maintenance window is open for it.
    InWindow,
    /// It is being restarted.
    Restarting,
    /// Its breaker is open.
    BreakerOpen,
    /// An operator holds it.
    Held,
    /// It is about to be restarted because of what it depends on itself.
    Due,
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
    /// An operator holds it.
    Overridden {
        /// Who.
        by: String,
        /// Why; may be empty.
        why: String,
        /// Until when; none: until it is released.
        until: Option<Wall>,
    },
    /// A maintenance window covers it.
    Maintenance {
        /// Which.
        id: Name,
        /// Why there is one; may be empty.
        reason: String,
        /// When it ends.
        until: Wall,
    },
    /// So many are in alarm at once that nothing is restarted before it was looked at.
    MassAlarm {
        /// Processes that were looked at, and those of them that are healthy; none while they are being looked at.
        healthy: Option<(u64, u64)>,
        /// When it is looked at again.
        recheck: Option<Ticks>,
    },
    /// What it depends on comes first.
    Waiting {
        /// The root cause.
        cause: Name,
        /// What is the matter with it.
        trouble: Trouble,
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
    /// The driver failed for several processes; one job finds out whether it works again.
    DriverOpen {
        /// Which.
        driver: Name,
        /// When it is tried again; none while a job finds out.
        until: Option<Ticks>,
    },
    /// Restarts did not help.
    BreakerOpen {
        /// Restarts that did not help.
        count: u32,
        /// When one trial is allowed.
        until: Ticks,
    },
    /// The breaker of its group is open.
    GroupOpen {
        /// Which.
        group: Name,
        /// When one canary is allowed; none when it opens just now.
        until: Option<Ticks>,
    },
    /// One member of its group is tried first.
    GroupCanary {
        /// Which group.
        group: Name,
        /// Which member.
        canary: Name,
    },
    /// Its group is let go in batches.
    GroupReleasing {
        /// Which.
        group: Name,
        /// The size of the batch that has to succeed first.
        batch: u32,
    },
    /// The pause since its last restart is not over.
    Backoff {
        /// Restarts that did not help; 0 when the only one is on trial.
        count: u32,
        /// When it is over.
        until: Ticks,
    },
    /// This host has begun as many restarts as it may.
    Storm {
        /// `storm_limit`.
        limit: u32,
        /// When the next one may begin.
        until: Ticks,
    },
    /// It would be acted on now, and nothing is done.
    Observed {
        /// Whether it would be looked at before it is restarted, or only that.
        verify: Verify,
        /// Who ordered that.
        by: String,
        /// Why; may be empty.
        why: String,
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
    pub fn ends(&self, now: Now) -> Option<Ticks> {
        let at = |wall: &Wall| now.boot.after(wall.since(now.wall));
        match self {
            Self::Handled { recheck: until }
            | Self::DriverPause { until }
            | Self::Backoff { until, .. }
            | Self::Storm { until, .. }
            | Self::BreakerOpen { until, .. } => Some(*until),
            Self::Overridden { until, .. } => until.as_ref().map(at),
            Self::Maintenance { until, .. } => Some(at(until)),
            Self::MassAlarm { recheck: until, .. }
            | Self::DriverOpen { until, .. }
            | Self::GroupOpen { until, .. } => *until,
            Self::Unnamed
            | Self::NotConfigured
            | Self::Unusable(_)
            | Self::Acknowledged
            | Self::InFlight { .. }
            | Self::Waiting { .. }
            | Self::GroupCanary { .. }
            | Self::GroupReleasing { .. }
            | Self::Observed { .. }
            | Self::Capacity { .. }
            | Self::Stopping => None,
        }
    }
    /// When it is worth looking again: when it ends, unless that moment has passed and it has not. Whoever asks again at
    /// once would ask for ever.
    pub(crate) fn wakes(&self, now: Now) -> Option<Ticks> {
        self.ends(now).filter(|at| *at > now.boot)
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
            Self::Overridden { .. } => "held",
            Self::Maintenance { .. } => "maintenance",
            Self::MassAlarm { .. } => "mass-alarm",
            Self::Waiting { .. } => "waiting",
            Self::DriverPause { .. } => "driver-pause",
            Self::DriverOpen { .. } => "driver-open",
            Self::BreakerOpen { .. } => "breaker-open",
            Self::GroupOpen { .. } => "group-open",
            Self::GroupCanary { .. } => "group-canary",
            Self::GroupReleasing { .. } => "group-releasing",
            Self::Backoff { .. } => "backoff",
            Self::Storm { .. } => "storm-limit",
            Self::Observed { .. } => "observed",
            Self::Capacity { .. } => "capacity",
            Self::Stopping => "stopping",
        }
    }
}

impl Trouble {
    /// What is the matter: `db, which …`.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::InAlarm => "is in alarm and comes first",
            Self::InWindow => "is in alarm in a maintenance window",
            Self::Restarting => "is being restarted",
            Self::BreakerOpen => "has an open breaker",
            Self::Held => "is held by an operator",
            Self::Due => "is about to be restarted",
        }
    }
}

/// `1 failure`, `3 failures`: `counted(3, "failure")`.
#[must_use]
pub fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
