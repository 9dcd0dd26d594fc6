//! The rules of a group: a budget, one canary, batches of 1, 2, 4, …

use super::tokens::Tokens;
use super::{Verdict, ensure};
use crate::world::Ms;
use pm_policy::group::GroupRules;
use pm_policy::model::{Cause, End, Job, Name, Outcome, Sight, Verify};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Ms },
    HalfOpen { canary: Option<Name>, good_at: Option<Ms> },
    Releasing { begun: u32, good: u32 },
}

/// What is known of a group by what was announced.
#[derive(Debug)]
pub(crate) struct GroupShadow {
    rules: GroupRules,
    phase: Phase,
    tokens: Tokens,
    failed: BTreeMap<Name, Ms>,
    /// Who was let through since it opened.
    tried: BTreeSet<Name>,
    /// Its members have changed since it is half-open.
    vague: bool,
}

impl GroupShadow {
    pub(crate) fn new(rules: GroupRules) -> Self {
        Self {
            rules,
            phase: Phase::Closed,
            tokens: Tokens::default(),
            failed: BTreeMap::new(),
            tried: BTreeSet::new(),
            vague: false,
        }
    }

    /// A restart of a member begins; `bypassed` ones are counted and not limited.
    pub(crate) fn begins(&mut self, name: &Name, bypassed: bool, t: Ms) -> Verdict {
        let left = self.tokens.take(self.rules.budget, t);
        if self.phase != Phase::Closed {
            self.tried.insert(name.clone());
        }
        let phase = format!("{:?}", self.phase);
        let lawful = match &mut self.phase {
            Phase::Closed => left,
            Phase::Open { .. } => false,
            // Who is the canary since the members are others is not known.
            Phase::HalfOpen { .. } if self.vague => true,
            Phase::HalfOpen { canary, .. } => {
                let first = canary.is_none();
                canary.get_or_insert_with(|| name.clone());
                first
            }
            Phase::Releasing { .. } if bypassed => true,
            Phase::Releasing { begun, good } => {
                // 1, then 2 more, then 4 more, each after all of the batch before.
                let mut allowed = 1;
                while *good >= allowed {
                    allowed = allowed * 2 + 1;
                }
                *begun += 1;
                *begun <= allowed
            }
        };
        ensure(lawful || bypassed, "a group lets nobody through out of turn", || {
            format!("{name} at {t}: {phase}")
        })
    }

    /// pm looks: a canary that is in alarm, for whatever reason, or cannot be seen proves nothing.
    pub(crate) fn looks(&mut self, in_alarm: &BTreeSet<&Name>, sight: Sight, t: Ms) {
        if let Phase::HalfOpen { canary: Some(canary), good_at: Some(good_at) } = &mut self.phase
            && (sight == Sight::Blind || in_alarm.contains(canary))
        {
            *good_at = t;
        }
    }

    /// Its numbers or its members are others. Of who is no member any more the group hears nothing.
    pub(crate) fn reloaded(&mut self, rules: GroupRules) {
        (self.rules, self.tokens) = (rules, Tokens::default());
        self.failed.clear();
        match &mut self.phase {
            Phase::HalfOpen { canary, good_at } => (*canary, *good_at, self.vague) = (None, None, true),
            Phase::Releasing { begun, good } => *begun = *good,
            Phase::Closed | Phase::Open { .. } => {}
        }
    }

    /// Whether it may be one that was tried in vain, whose turn comes last.
    pub(crate) fn may_come_last(&self, name: &Name) -> bool {
        matches!(self.phase, Phase::Releasing { .. }) && self.tried.contains(name)
    }

    /// The job of a member ended; whether the policy must have opened the group by it.
    pub(crate) fn settled(&mut self, job: &Job, outcome: &Outcome, t: Ms) -> bool {
        let end = outcome.end;
        if job.verify == Verify::Only {
            return false;
        }
        let void = matches!(end, End::Infrastructure | End::Cancelled) && job.cause != Cause::Operator;
        // An attempt that ended with the driver that failed was no restart.
        let made = outcome.attempts > u32::from(end == End::Infrastructure);
        if void && !made || end == End::AlreadyHealthy {
            self.tokens.give_back(self.rules.budget, t);
        }
        match &mut self.phase {
            Phase::HalfOpen { canary, good_at } if canary.as_ref() == Some(&job.name) => match end {
                End::Restarted | End::AlreadyHealthy => *good_at = good_at.or(Some(t)),
                _ if void => *canary = None,
                _ => {}
            },
            Phase::Releasing { begun, good } => match end {
                End::Restarted | End::AlreadyHealthy => *good += 1,
                _ if void => *begun = begun.saturating_sub(1),
                _ => {}
            },
            _ => {}
        }
        if end != End::Failed {
            return false;
        }
        self.failed.insert(job.name.clone(), t);
        self.failed.retain(|_, at| u128::from(t - *at) < self.rules.window.as_millis());
        let failed = self.failed.len() as u32;
        let share = failed >= 2 && failed * 100 >= self.rules.members * u32::from(self.rules.share);
        // 0 switches one of them off.
        let many = self.rules.correlation > 0 && failed >= self.rules.correlation;
        let many = many || self.rules.share > 0 && share;
        match &self.phase {
            Phase::Closed => many,
            Phase::Open { .. } => false,
            Phase::HalfOpen { canary, .. } => canary.as_ref() == Some(&job.name),
            Phase::Releasing { .. } => true,
        }
    }

    pub(crate) fn opened(&mut self, until: Ms) {
        self.phase = Phase::Open { until };
    }

    pub(crate) fn half_open(&mut self, group: &Name, t: Ms) -> Verdict {
        let due = matches!(self.phase, Phase::Open { until } if until <= t);
        ensure(due, "a group stays open for its time", || format!("{group} at {t}: {:?}", self.phase))?;
        (self.phase, self.vague) = (Phase::HalfOpen { canary: None, good_at: None }, false);
        Ok(())
    }

    pub(crate) fn releasing(&mut self, group: &Name, t: Ms) -> Verdict {
        let stable = self.rules.stable.as_millis();
        let proved = match self.phase {
            Phase::HalfOpen { good_at, .. } => good_at.is_none_or(|good| u128::from(t - good) >= stable),
            _ => false,
        };
        ensure(proved, "a canary proves itself first", || format!("{group} at {t}: {:?}", self.phase))?;
        self.phase = Phase::Releasing { begun: 0, good: 0 };
        Ok(())
    }

    pub(crate) fn closed(&mut self, t: Ms) {
        *self = Self { tokens: Tokens::default(), ..Self::new(self.rules.clone()) };
        self.tokens.give_back(self.rules.budget, t);
    }

    /// The job of a member got lost with pm.
    pub(crate) fn lost(&mut self, name: &Name) {
        match &mut self.phase {
            Phase::HalfOpen { canary, good_at: None } if canary.as_ref() == Some(name) => *canary = None,
            Phase::Releasing { begun, .. } => *begun = begun.saturating_sub(1),
            _ => {}
        }
    }

    pub(crate) fn rebooted(&mut self, t: Ms) {
        let phase = match self.phase {
            Phase::Closed => Phase::Closed,
            _ => Phase::HalfOpen { canary: None, good_at: None },
        };
        *self = Self { phase, ..Self::new(self.rules.clone()) };
        self.tokens.give_back(self.rules.budget, t);
    }
}
