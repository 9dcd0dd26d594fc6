//! Lies that are told to the policy, or done to its answers, while the checks know the truth: each must be noticed, or the
//! checks prove nothing.

use crate::host::Desk;
use pm_policy::breaker::{Breaker, State as BreakerState};
use pm_policy::bucket::Budget;
use pm_policy::group::{GroupRules, GroupState};
use pm_policy::model::{Intake, Name, Order, Override, Plan, Settlement, Standing, Table, View};
use pm_policy::relations::Related;
use pm_policy::state::State;
use pm_policy::time::Ticks;
use std::collections::HashMap;

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    Nothing,
    /// Holds are not told.
    NoHolds,
    NoWindows,
    NoObserving,
    NoIntake,
    /// Dependencies and groups are not told.
    NoRelations,
    NoStorm,
    NoParallel,
    NoGuard,
    NoReadOnly,
    /// Breakers forget that they are open.
    NoOpen,
    /// Restarts are not counted.
    NoCount,
    /// Open breakers stay open.
    NoHalfOpen,
    /// Half-open breakers forget that their restart was made.
    NoProbation,
    NoPause,
    /// Groups let everybody through.
    NoGroups,
    /// Groups forget who is their canary.
    NoCanary,
    /// Drivers are never away.
    NoDrivers,
    /// What was restarted is not remembered.
    NoDoubt,
    /// The end of a window leaves no mark.
    NoMarks,
    /// Held alarms get lost.
    NoHeld,
    /// Waiting clearings are not withdrawn.
    NoWithdrawal,
}

/// What a view is made of, where it is a lie.
#[derive(Default)]
pub(crate) struct Lies {
    overrides: Vec<Override>,
    related: Related,
    groups: HashMap<Name, GroupRules>,
}

impl Sabotage {
    /// Each with the rule that it breaks.
    pub(crate) const ALL: [(Self, &str); 21] = [
        (Self::NoHolds, "never while it is held"),
        (Self::NoWindows, "never in a maintenance window"),
        (Self::NoObserving, "never while it is observed"),
        (Self::NoIntake, "never while pm only observes or stops"),
        (Self::NoRelations, "what it depends on comes first"),
        (Self::NoStorm, "no storm of restarts"),
        (Self::NoParallel, "so many at once"),
        (Self::NoGuard, "a mass alarm is noticed"),
        (Self::NoReadOnly, "the table cannot be written"),
        (Self::NoOpen, "nothing while a breaker is open"),
        (Self::NoCount, "a pause between restarts"),
        (Self::NoHalfOpen, "what is repaired comes back"),
        (Self::NoProbation, "one restart decides"),
        (Self::NoPause, "a pause between restarts"),
        (Self::NoGroups, "a group lets nobody through out of turn"),
        (Self::NoCanary, "a group lets nobody through out of turn"),
        (Self::NoDrivers, "a driver that fails again and again is paused"),
        (Self::NoDoubt, "pm has just restarted it"),
        (Self::NoMarks, "somebody worked on it"),
        (Self::NoHeld, "every alarm is started or held, once"),
        (Self::NoWithdrawal, "no alarm of a process that is known to be bad is cleared"),
    ];

    pub(crate) fn lies(self, desk: &Desk) -> Lies {
        let told = |order: &&Override| match order.order {
            Order::Hold => self != Self::NoHolds,
            Order::Observe => self != Self::NoObserving,
            Order::Bypass => true,
        };
        Lies { overrides: desk.overrides.iter().filter(told).cloned().collect(), ..Lies::default() }
    }

    pub(crate) fn view<'a>(self, truth: View<'a>, lies: &'a Lies) -> View<'a> {
        let mut view = View { overrides: &lies.overrides, ..truth };
        match self {
            Self::NoWindows => view.windows = &[],
            Self::NoIntake => view.intake = Intake::Open,
            Self::NoRelations => view.related = &lies.related,
            Self::NoStorm => view.limits.storm = Budget::NONE,
            Self::NoParallel => view.limits.parallel = 100,
            Self::NoGuard => view.limits.mass_min = 0,
            Self::NoReadOnly => view.table = Table::Writable,
            Self::NoGroups => view.groups = &lies.groups,
            _ => {}
        }
        view
    }

    pub(crate) fn state(self, state: &mut State) {
        match self {
            Self::NoCanary => {
                for group in state.groups.values_mut() {
                    if matches!(group.state, GroupState::CanaryRuns(_) | GroupState::CanaryProbation { .. }) {
                        group.state = GroupState::CanaryDue;
                    }
                }
            }
            Self::NoDrivers => state.drivers.clear(),
            _ => state.standings.values_mut().for_each(|standing| self.standing(standing)),
        }
    }

    fn standing(self, standing: &mut Standing) {
        let breaker = &mut standing.breaker;
        match self {
            Self::NoOpen if breaker.state != BreakerState::Closed => *breaker = Breaker::default(),
            Self::NoCount => (breaker.failures, breaker.useless) = (0, Vec::new()),
            Self::NoHalfOpen => {
                if let BreakerState::Open { until } = &mut breaker.state {
                    *until = Ticks(u64::MAX);
                }
            }
            Self::NoProbation if matches!(breaker.state, BreakerState::HalfOpen(_)) => {
                breaker.state = BreakerState::HalfOpen(pm_policy::breaker::Probe::Due);
            }
            Self::NoPause => (standing.last_end, standing.pause) = (None, None),
            Self::NoDoubt => standing.last_good = None,
            Self::NoMarks => standing.after_window = false,
            _ => {}
        }
    }

    pub(crate) fn plan(self, plan: &mut Plan) {
        if self == Self::NoHeld {
            drop(plan.held.pop());
        }
    }

    pub(crate) fn settled(self, settled: &mut Settlement) {
        if self == Self::NoWithdrawal {
            settled.withdraw.clear();
        }
    }
}
