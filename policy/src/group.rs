//! The breaker of a group of related processes: the same trouble in several of them has more likely one cause than many.
//!
//! Two things open it, independent of each other: more restarts than its budget allows, or trouble in several distinct
//! members within the window. Half-open, a single canary is restarted; when it has been stable, the others are let go
//! by 1, 2, 4, …, each batch only after all of the one before have succeeded.

mod words;

pub use words::{Calm, GroupAnswer, GroupCause, GroupChange, GroupLook, GroupOpened, GroupRules, GroupState};

use crate::breaker::{open_time, without};
use crate::bucket::Bucket;
use crate::dice::spread;
use crate::name::Name;
use crate::time::Ticks;
use std::collections::BTreeMap;

/// The longest memory of trouble.
const HIGHEST: u8 = 20;

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
    /// Since when the canary on probation has been without an alarm, as far as that could be seen.
    pub proving_from: Option<Ticks>,
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
                self.proving_from = Some(now);
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

    /// Lets time pass; ask again until there is no change.
    pub fn elapse(&mut self, rules: &GroupRules, look: GroupLook) -> Option<GroupChange> {
        let GroupLook { now, proven, canary, members } = look;
        self.prune(rules, now);
        match self.state {
            GroupState::Open { until } if until <= now => {
                (self.state, self.quiet_from) = (GroupState::CanaryDue, None);
                return Some(GroupChange::HalfOpen);
            }
            GroupState::CanaryProbation { .. } if canary == Calm::Yes => {
                let from = *self.proving_from.get_or_insert(now);
                if proven.since(from) >= rules.stable {
                    (self.state, self.proving_from) =
                        (GroupState::Releasing { batch: 1, begun: 0, good: 0 }, None);
                    return Some(GroupChange::Releasing);
                }
            }
            _ => self.proving_from = None,
        }
        if members == Calm::No {
            self.quiet_from = None;
            return None;
        }
        let from = *self.quiet_from.get_or_insert(now);
        if proven.since(from) < rules.stable {
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

    /// Nobody could see the members between `since` and `now`: what is quiet goes on without that time.
    pub fn unseen(&mut self, since: Ticks, now: Ticks) {
        self.quiet_from = without(self.quiet_from, since, now);
        self.proving_from = without(self.proving_from, since, now);
    }

    /// The canary that has to prove itself.
    #[must_use]
    pub fn on_probation(&self) -> Option<&Name> {
        match &self.state {
            GroupState::CanaryProbation { canary, .. } => Some(canary),
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
        let until = now.after(spread(time, rules.open_jitter, group, now.0));
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

#[cfg(test)]
mod tests;
