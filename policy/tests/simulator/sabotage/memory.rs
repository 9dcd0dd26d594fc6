//! Lies in what the policy remembers.

use super::Sabotage;
use pm_policy::breaker::{Breaker, Probe, State as BreakerState};
use pm_policy::group::{Group, GroupState};
use pm_policy::mass::{Condition, Mass, Stage};
use pm_policy::model::{Name, Standing};
use pm_policy::state::State;
use pm_policy::time::Ticks;

impl Sabotage {
    pub(crate) fn state(self, state: &mut State) {
        self.mass(&mut state.mass);
        state.groups.values_mut().for_each(|group| self.group(group));
        state.standings.values_mut().for_each(|standing| self.standing(standing));
        match self {
            Self::NoDrivers => state.drivers.clear(),
            Self::NoDriverTime => {
                for driver in state.drivers.values_mut() {
                    driver.until = driver.until.map(|_| Ticks(0));
                }
            }
            Self::AwayTooSoon => {
                for driver in state.drivers.values_mut().filter(|driver| driver.until.is_none()) {
                    driver.until = Some(Ticks(0));
                }
            }
            Self::NoWindowMemory => state.windows.clear(),
            Self::GhostWindow => drop(state.windows.insert(Name::new("nobody's work"), Default::default())),
            _ => {}
        }
    }

    fn mass(self, mass: &mut Mass) {
        match (self, mass.stage) {
            (Self::MassBelieved, Stage::Looking { .. }) | (Self::MassLetGo, Stage::Held { .. }) => {
                mass.stage = Stage::Believed;
            }
            (Self::MassAnew, Stage::Held { .. }) => mass.stage = Stage::Looking { since: Ticks(0) },
            (Self::MassForgets, _) => mass.suspects.clear(),
            (Self::MassHealthy, _) => {
                mass.seen.values_mut().for_each(|(seen, _)| *seen = Condition::Healthy);
            }
            _ => {}
        }
    }

    fn group(self, group: &mut Group) {
        match (self, &mut group.state) {
            (Self::NoCanary, GroupState::CanaryRuns(_) | GroupState::CanaryProbation { .. }) => {
                group.state = GroupState::CanaryDue;
            }
            (Self::NoCanaryProof, _) => group.proving_from = group.proving_from.map(|_| Ticks(0)),
            (Self::NoGroupTime, GroupState::Open { until }) => *until = Ticks(0),
            (Self::NoTrouble, _) => group.troubled.clear(),
            _ => {}
        }
    }

    fn standing(self, standing: &mut Standing) {
        let breaker = &mut standing.breaker;
        match self {
            Self::NoOpen if breaker.state != BreakerState::Closed => *breaker = Breaker::default(),
            Self::NoCount => (breaker.failures, breaker.useless) = (0, Vec::new()),
            Self::HalfCount => {
                breaker.failures = breaker.failures.min(1);
                breaker.useless.drain(..breaker.useless.len().saturating_sub(1));
            }
            Self::NoFailures => (breaker.failures, breaker.useless) = (breaker.failures.min(1), Vec::new()),
            Self::ManyFailures if breaker.failures > 0 => breaker.failures = 20,
            Self::NoHalfOpen => {
                if let BreakerState::Open { until } = &mut breaker.state {
                    *until = Ticks(u64::MAX);
                }
            }
            Self::NoProbation if matches!(breaker.state, BreakerState::HalfOpen(_)) => {
                breaker.state = BreakerState::HalfOpen(Probe::Due);
            }
            Self::NoStableTime => breaker.quiet_from = breaker.quiet_from.map(|_| Ticks(0)),
            Self::NoForgiving => breaker.quiet_from = None,
            Self::LevelJump if breaker.level == 0 && breaker.failures > 0 => breaker.level = 4,
            Self::NoPause => (standing.last_end, standing.pause) = (None, None),
            Self::NoDriverPause => standing.pause = None,
            Self::NoDoubt => standing.last_good = None,
            Self::NoMarks => standing.after_window = false,
            Self::NoInFlight => standing.in_flight = None,
            _ => {}
        }
    }
}
