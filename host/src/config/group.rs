//! What a group of processes is allowed together, and when its troubles are taken for one.

use std::time::Duration;

/// `[group.NAME]`, or the defaults for a group that has no section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `budget` (5): so many restarts of its members may follow one another at once; 1 to 1000.
    pub budget: u32,
    /// `budget_refill` (60 s): after each such time one more is allowed; at least 100 ms.
    pub budget_refill: Duration,
    /// `correlation` (3): so many distinct members that failed or tripped within `window` open the group's breaker; 0
    /// means that they are never taken for one trouble.
    pub correlation: u32,
    /// `correlation_share` (50): the same for so many percent of the members, at least two of them; 1 to 100.
    pub correlation_share: u32,
    /// `window` (15 min): how far back failures of members count; at least a second.
    pub window: Duration,
    /// `circuit_reset_time` (5 min): how long the group's breaker stays open the first time.
    pub circuit_reset_time: Duration,
    /// `circuit_reset_max` (1 h): how long at the longest; never less than `circuit_reset_time`.
    pub circuit_reset_max: Duration,
    /// `circuit_jitter` (15): by so many percent, up or down, the open time is moved; 0 to 50.
    pub circuit_jitter: u32,
    /// `stable_time` (10 min): after so long without a failure of a member the first open time counts again.
    pub stable_time: Duration,
}

impl Default for Group {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            budget: 5,
            budget_refill: minutes(1),
            correlation: 3,
            correlation_share: 50,
            window: minutes(15),
            circuit_reset_time: minutes(5),
            circuit_reset_max: minutes(60),
            circuit_jitter: 15,
            stable_time: minutes(10),
        }
    }
}
