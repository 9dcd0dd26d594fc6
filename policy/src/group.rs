//! The breaker of a group of related processes: the same trouble in several of them has more likely one cause than many.
//!
//! Two things open it, independent of each other: more restarts than its budget allows, or trouble in several distinct
//! members within the window. Half-open, a single canary is restarted; when it has been stable, the others are let go
//! by 1, 2, 4, …, each batch only after all of the one before have succeeded.

use crate::breaker::open_time;
use crate::bucket::{Bucket, Budget};
use crate::dice::spread;
use crate::name::Name;
use crate::time::Ticks;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest memory of trouble.
const HIGHEST: u8 = 20;
/// How far open times are spread, in percent.
const JITTER: u8 = 15;

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
    /// How long the canary has to be quiet.
    pub stable: Duration,
    /// How many members there are.
    pub members: u32,
}

/// What is remembered of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Where its breaker stands.
    pub state: GroupState,
    /// How often it has opened without being forgiven; 0 to 20.
    pub level: u8,
    /// What was taken of its budget.
    pub bucket: Bucket,
    /// Members that failed, relapsed or tripped, and when.
    pub troubled: BTreeMap<Name, Ticks>,
    /// Members that were tried and did not help, and when: the next canary is one that was not, or whose turn is
    /// longest ago. Otherwise one broken member keeps all others from being tried.
    pub tried: BTreeMap<Name, Ticks>,
    /// Since when the present stable period counts.
    pub quiet_from: Option<Ticks>,
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

impl Group {
    /// Whether a member may be restarted now.
    #[must_use]
    pub fn admits(&self, rules: &GroupRules, now: Ticks) -> GroupAnswer {
        match &self.state {
            GroupState::Closed if self.bucket.left(rules.budget, now) == Some(0) => {
                GroupAnswer::Open { until: None }
            }
            GroupState::Closed => GroupAnswer::Allowed,
            GroupState::Open { until } if now < *until => GroupAnswer::Open { until: Some(*until) },
            GroupState::Open { .. } | GroupState::CanaryDue => GroupAnswer::Canary,
            GroupState::CanaryRuns(canary) | GroupState::CanaryProbation { canary, .. } => {
                GroupAnswer::Waiting { canary: canary.clone() }
            }
            GroupState::Releasing { batch, begun, .. } if begun < batch => GroupAnswer::Allowed,
            GroupState::Releasing { batch, .. } => GroupAnswer::Releasing { batch: *batch },
        }
    }

    /// A restart of a member begins.
    pub fn begun(&mut self, rules: &GroupRules, name: &Name, now: Ticks) {
        self.bucket = self.bucket.taken(rules.budget, now);
        match &mut self.state {
            GroupState::Releasing { begun, .. } => *begun += 1,
            GroupState::Open { until } if now < *until => {}
            GroupState::Open { .. } | GroupState::CanaryDue => {
                self.state = GroupState::CanaryRuns(name.clone());
            }
            _ => {}
        }
    }

    /// The restart of a member helped, as far as known; whether the last batch is complete by it, which closes it.
    pub fn good(&mut self, rules: &GroupRules, name: &Name, now: Ticks) -> Option<GroupChange> {
        match &mut self.state {
            GroupState::CanaryRuns(canary) if canary == name => {
                self.state = GroupState::CanaryProbation { canary: name.clone(), since: now };
            }
            GroupState::Releasing { batch, begun, good } => {
                *good += 1;
                if *good >= *batch {
                    (*batch, *begun, *good) = (batch.saturating_mul(2), 0, 0);
                }
                if *batch >= rules.members.max(1) {
                    self.close();
                    return Some(GroupChange::Closed);
                }
            }
            _ => {}
        }
        None
    }

    /// The job of a member ended without saying anything about it. A restart that was not made costs nothing.
    pub fn void(&mut self, rules: &GroupRules, name: &Name) {
        self.bucket = self.bucket.given_back(rules.budget);
        match &mut self.state {
            GroupState::CanaryRuns(canary) if canary == name => self.state = GroupState::CanaryDue,
            GroupState::Releasing { begun, .. } => *begun = begun.saturating_sub(1),
            _ => {}
        }
    }

    /// A member failed, relapsed or tripped.
    pub fn trouble(
        &mut self,
        rules: &GroupRules,
        group: &Name,
        name: &Name,
        now: Ticks,
    ) -> Option<GroupOpened> {
        self.quiet_from = None;
        self.prune(rules, now);
        self.troubled.insert(name.clone(), now);
        let cause = match &self.state {
            GroupState::Open { .. } | GroupState::CanaryDue => return None,
            GroupState::CanaryRuns(canary) | GroupState::CanaryProbation { canary, .. } if canary != name => {
                return None;
            }
            GroupState::CanaryRuns(_) | GroupState::CanaryProbation { .. } | GroupState::Releasing { .. } => {
                self.tried.insert(name.clone(), now);
                GroupCause::Trial
            }
            GroupState::Closed if self.correlates(rules) => GroupCause::Correlation,
            GroupState::Closed => return None,
        };
        Some(self.open(rules, group, cause, now))
    }

    /// A member had to be restarted again, and that helped: whoever is let go has not failed by it.
    pub fn unrest(
        &mut self,
        rules: &GroupRules,
        group: &Name,
        name: &Name,
        now: Ticks,
    ) -> Option<GroupOpened> {
        if self.state == GroupState::Closed { self.trouble(rules, group, name, now) } else { None }
    }

    /// A member is in alarm, and that is believed: a canary on probation was not stable.
    pub fn alarmed(
        &mut self,
        rules: &GroupRules,
        group: &Name,
        name: &Name,
        now: Ticks,
    ) -> Option<GroupOpened> {
        let on_probation =
            matches!(&self.state, GroupState::CanaryProbation { canary, .. } if canary == name);
        if on_probation { self.trouble(rules, group, name, now) } else { None }
    }

    /// A member wants a restart and the budget is spent.
    pub fn overdrawn(&mut self, rules: &GroupRules, group: &Name, now: Ticks) -> Option<GroupOpened> {
        let spent = self.state == GroupState::Closed && self.bucket.left(rules.budget, now) == Some(0);
        spent.then(|| self.open(rules, group, GroupCause::Budget, now))
    }

    /// Lets time pass to `now`; ask again until there is no change. `calm`: no member is in alarm or being restarted.
    pub fn elapse(&mut self, rules: &GroupRules, calm: Calm, now: Ticks) -> Option<GroupChange> {
        self.prune(rules, now);
        match (&self.state, calm) {
            (GroupState::Open { until }, _) if *until <= now => {
                (self.state, self.quiet_from) = (GroupState::CanaryDue, None);
                return Some(GroupChange::HalfOpen);
            }
            (GroupState::CanaryProbation { since, .. }, _) if now.since(*since) >= rules.stable => {
                self.state = GroupState::Releasing { batch: 1, begun: 0, good: 0 };
                return Some(GroupChange::Releasing);
            }
            _ => {}
        }
        if calm == Calm::No {
            self.quiet_from = None;
            return None;
        }
        let from = *self.quiet_from.get_or_insert(now);
        if now.since(from) < rules.stable {
            return None;
        }
        match self.state {
            GroupState::CanaryDue | GroupState::Releasing { .. } => {
                self.quiet_from = Some(from.after(rules.stable));
                self.close();
                Some(GroupChange::Closed)
            }
            GroupState::Closed if self.level > 0 => {
                self.level -= 1;
                self.quiet_from = Some(from.after(rules.stable));
                Some(GroupChange::Level)
            }
            _ => None,
        }
    }

    /// The group after a reboot: like its members, it is due for its trial.
    #[must_use]
    pub fn after_reboot(&self) -> Self {
        let state = match self.state {
            GroupState::Closed => GroupState::Closed,
            _ => GroupState::CanaryDue,
        };
        Self { state, level: self.level, ..Self::default() }
    }

    /// `closed`, `open`, `half-open` or `releasing`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.state {
            GroupState::Closed => "closed",
            GroupState::Open { .. } => "open",
            GroupState::CanaryDue | GroupState::CanaryRuns(_) | GroupState::CanaryProbation { .. } => {
                "half-open"
            }
            GroupState::Releasing { .. } => "releasing",
        }
    }

    fn correlates(&self, rules: &GroupRules) -> bool {
        let troubled = u32::try_from(self.troubled.len()).unwrap_or(u32::MAX);
        let many = rules.correlation > 0 && troubled >= rules.correlation;
        let share = u64::from(troubled) * 100 >= u64::from(rules.share) * u64::from(rules.members);
        many || (rules.share > 0 && troubled >= 2 && share)
    }

    fn open(&mut self, rules: &GroupRules, group: &Name, cause: GroupCause, now: Ticks) -> GroupOpened {
        self.level = self.level.saturating_add(1).min(HIGHEST);
        let time = open_time(rules.open_time, rules.open_max, self.level);
        let until = now.after(spread(time, JITTER, group, now.0));
        (self.state, self.quiet_from) = (GroupState::Open { until }, None);
        GroupOpened { cause, troubled: self.troubled.keys().cloned().collect(), until }
    }

    /// Like a breaker that closes it begins anew; a spent budget would open it again with the next restart.
    fn close(&mut self) {
        (self.state, self.bucket) = (GroupState::Closed, Bucket::default());
        self.troubled.clear();
        self.tried.clear();
    }

    fn prune(&mut self, rules: &GroupRules, now: Ticks) {
        self.troubled.retain(|_, at| now.since(*at) < rules.window);
    }
}

/// Whether a group is quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calm {
    /// No member is in alarm or being restarted.
    Yes,
    /// One is.
    No,
}

#[cfg(test)]
mod tests;
