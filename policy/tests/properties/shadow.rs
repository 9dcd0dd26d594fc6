//! Breakers as the watch understands them: from what was announced and what was begun, by the words of the book.

use pm_policy::model::{Cause, End, Job, Name, Rules};
use pm_policy::time::Ticks;
use std::time::Duration;

/// Where something stands, as far as it was announced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stands {
    #[default]
    Closed,
    Open {
        until: Ticks,
    },
    HalfOpen,
}

/// The breaker of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaker {
    pub(crate) stands: Stands,
    /// Restarts that did not help, or of which it is not known yet: when they began, and when they ended.
    pub(crate) counted: Vec<(Ticks, Ticks)>,
    /// Whether the one restart of a half-open breaker was begun.
    trial: Trial,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Trial {
    #[default]
    Due,
    Begun,
}

impl Breaker {
    /// A restart for an alarm begins, without a bypass.
    pub(crate) fn begins(&mut self, rules: &Rules, now: Ticks) -> Result<(), String> {
        match self.stands {
            Stands::Closed => {
                let recent =
                    self.counted.iter().filter(|(began, _)| now.since(*began) < rules.window).count();
                if recent >= rules.threshold as usize {
                    return Err(format!(
                        "one restart more after {recent} within the window, {} are allowed",
                        rules.threshold
                    ));
                }
            }
            Stands::Open { until } if now < until => {
                return Err(format!("a restart {:?} before its open time is over", until.since(now)));
            }
            Stands::Open { .. } | Stands::HalfOpen if self.trial == Trial::Begun => {
                return Err("a second restart of a half-open breaker".to_owned());
            }
            Stands::Open { .. } | Stands::HalfOpen => self.trial = Trial::Begun,
        }
        Ok(())
    }

    /// A restart, or a job that could have become one, ended.
    pub(crate) fn ended(&mut self, job: &Job, end: End, began: Ticks, now: Ticks) {
        match end {
            End::Restarted => {
                self.counted.push((began, now));
                if self.stands != Stands::Closed {
                    (self.stands, self.trial) = (Stands::HalfOpen, Trial::Begun);
                }
            }
            End::Failed => self.counted.push((began, now)),
            // Nothing was found out, so the trial is still to be made.
            End::AlreadyHealthy | End::Infrastructure | End::Cancelled if job.cause != Cause::Operator => {
                self.trial = Trial::Due;
            }
            _ => {}
        }
    }

    /// A restart that seemed to help cannot prove itself any more.
    pub(crate) fn unjudged(&mut self) {
        self.counted.pop();
        self.trial = Trial::Due;
    }

    pub(crate) fn half_open(&mut self) {
        (self.stands, self.trial) = (Stands::HalfOpen, Trial::Due);
    }

    /// When the last restart ended that counts.
    pub(crate) fn last_counted(&self) -> Ticks {
        self.counted.last().map_or(Ticks(0), |(_, ended)| *ended)
    }
}

/// The breaker of a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) stands: Stands,
    canary: Option<Name>,
}

impl Group {
    /// A restart of a member begins, without a bypass.
    pub(crate) fn begins(&mut self, name: &Name, now: Ticks) -> Result<(), String> {
        match (self.stands, &self.canary) {
            (Stands::Closed, _) => Ok(()),
            (Stands::Open { until }, _) if now < until => {
                Err(format!("{name} begins while its group is open"))
            }
            (_, Some(canary)) => Err(format!("{name} begins while {canary} is tried for its group")),
            (_, None) => {
                self.canary = Some(name.clone());
                Ok(())
            }
        }
    }

    /// A restart of a member begins by a bypass: where one is due, it is the canary.
    pub(crate) fn bypassed(&mut self, name: &Name, now: Ticks) {
        let due = match self.stands {
            Stands::Closed => false,
            Stands::Open { until } => now >= until,
            Stands::HalfOpen => true,
        };
        if due && self.canary.is_none() {
            self.canary = Some(name.clone());
        }
    }

    /// A restart of a member ended, or was not made.
    pub(crate) fn ended(&mut self, name: &Name, end: End) {
        let void = matches!(end, End::Infrastructure | End::Cancelled);
        if void && self.canary.as_ref() == Some(name) {
            self.canary = None;
        }
    }

    pub(crate) fn half_open(&mut self) {
        (self.stands, self.canary) = (Stands::HalfOpen, None);
    }
}

/// The open time of a level: doubled with each, up to the longest.
pub(crate) fn at_level(first: Duration, longest: Duration, level: u8) -> Duration {
    let doubled = (1..level).fold(first, |time, _| (time * 2).min(longest.max(first)));
    doubled.min(longest.max(first))
}
