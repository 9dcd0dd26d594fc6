//! The circuit breaker of one process. **closed = restarts allowed, open = restarts refused.**
//!
//! `max_failures` failed jobs in a row open it. When `open_time` has passed since the last failure it is
//! half-open: exactly one restart is tried as soon as an alarm is there; its success closes the breaker, its
//! failure opens it again at once. Half-open is not stored, it is what [`Breaker::admits`] answers then: nothing
//! happens at that moment by itself.

use crate::model::Rules;
use crate::time::Ticks;

/// What is stored of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Restarts are allowed.
    Closed {
        /// Failed jobs in a row.
        failures: u32,
    },
    /// Restarts are refused.
    Open {
        /// Failed jobs in a row.
        failures: u32,
        /// When one trial is allowed.
        until: Ticks,
    },
}

/// What a breaker answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Closed: go.
    Allowed,
    /// Half-open: exactly one restart.
    Probe,
    /// Open.
    Refused {
        /// Failed jobs in a row.
        failures: u32,
        /// When one trial is allowed.
        until: Ticks,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Whether a job may begin now.
    #[must_use]
    pub fn admits(self, now: Ticks) -> Admission {
        match self {
            Self::Closed { .. } => Admission::Allowed,
            Self::Open { until, .. } if now >= until => Admission::Probe,
            Self::Open { failures, until } => Admission::Refused { failures, until },
        }
    }
    /// The breaker after a job that helped.
    #[must_use]
    pub fn after_success(self) -> Self {
        Self::Closed { failures: 0 }
    }
    /// The breaker after a job that did not help.
    #[must_use]
    pub fn after_failure(self, rules: &Rules, now: Ticks) -> Self {
        let failures = self.failures().saturating_add(1);
        // A probe that fails opens at once: an open breaker has reached its threshold before.
        if matches!(self, Self::Open { .. }) || failures >= rules.max_failures.max(1) {
            Self::Open { failures, until: now.after(rules.open_time) }
        } else {
            Self::Closed { failures }
        }
    }
    /// The breaker after a reboot: the boot clock began anew, so an open one is due for its trial.
    #[must_use]
    pub fn after_reboot(self) -> Self {
        match self {
            Self::Closed { .. } => Self::default(),
            Self::Open { failures, .. } => Self::Open { failures, until: Ticks(0) },
        }
    }
    /// Failed jobs in a row.
    #[must_use]
    pub fn failures(self) -> u32 {
        match self {
            Self::Closed { failures } | Self::Open { failures, .. } => failures,
        }
    }
    /// `closed`, `open` or `half-open`.
    #[must_use]
    pub fn word(self, now: Ticks) -> &'static str {
        match self.admits(now) {
            Admission::Allowed => "closed",
            Admission::Probe => "half-open",
            Admission::Refused { .. } => "open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rules;
    use std::time::Duration;

    #[test]
    fn the_threshold_opens_and_the_time_allows_one_trial() {
        let rules = rules();
        let mut breaker = Breaker::default();
        for second in 0..2 {
            breaker = breaker.after_failure(&rules, Ticks(second * 1000));
            assert_eq!(breaker.admits(Ticks(second * 1000)), Admission::Allowed);
        }
        breaker = breaker.after_failure(&rules, Ticks(2000));
        let until = Ticks(2000).after(rules.open_time);
        assert_eq!(breaker.admits(Ticks(until.0 - 1)), Admission::Refused { failures: 3, until });
        assert_eq!(breaker.admits(until), Admission::Probe);
        assert_eq!(breaker.word(until), "half-open");
        let again = breaker.after_failure(&rules, until);
        assert_eq!(
            again.admits(until),
            Admission::Refused { failures: 4, until: until.after(rules.open_time) }
        );
        assert_eq!(breaker.after_success(), Breaker::default());
    }

    #[test]
    fn a_threshold_of_zero_opens_at_the_first_failure() {
        let rules = crate::model::Rules { max_failures: 0, ..rules() };
        let breaker = Breaker::default().after_failure(&rules, Ticks(0));
        assert_eq!(breaker, Breaker::Open { failures: 1, until: Ticks(0).after(rules.open_time) });
    }

    #[test]
    fn after_a_reboot_an_open_breaker_is_due_for_its_trial() {
        let open = Breaker::Open { failures: 3, until: Ticks(9_000_000) };
        assert_eq!(open.after_reboot().admits(Ticks(0)), Admission::Probe);
        assert_eq!(Breaker::Closed { failures: 2 }.after_reboot(), Breaker::default());
        assert_eq!(Ticks(0).after(Duration::ZERO), Ticks(0));
    }
}
