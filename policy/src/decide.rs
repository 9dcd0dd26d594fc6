//! `decide`: a view and what is remembered become a plan. Every alarm is either started or held with a named reason.
//!
//! Pure, total and deterministic: same view, state and `now`, same plan. The order of the checks is fixed, it is the
//! order of [`Check::ALL`], and the first that objects gives the reason. Who is asked first, and so gets what is
//! scarce, goes by criticality, then by wave of the dependencies, then by age of the alarm.

use crate::case::{Answer, Case};
use crate::model::{Alarm, Hold, Job, Name, Plan, View};
use crate::round::Round;
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::{HashMap, HashSet};

/// One question that an alarm has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Has the row a name?
    Named,
    /// Is there a usable section for it?
    Configured,
    /// Has no operator ticked it?
    Unacknowledged,
    /// Is no job for it running?
    NotRunning,
    /// Does no operator hold it?
    Override,
    /// Is no maintenance window open for it?
    Maintenance,
    /// Was it not handled already?
    NotHandled,
    /// Is it believed although so many others are in alarm?
    MassAlarm,
    /// Is everything it depends on well?
    Dependency,
    /// Does the driver behind its strategy answer, as far as known?
    Driver,
    /// Does its breaker admit it?
    Breaker,
    /// Does the breaker of its group admit it?
    Group,
    /// Is the pause since its last restart over?
    Backoff,
    /// May this host begin another restart?
    Storm,
    /// Is it to be acted on, not only observed?
    Observe,
    /// Does pm take on work?
    Intake,
    /// Is there a free place?
    Capacity,
}

impl Check {
    /// All checks in the order in which they are asked.
    pub const ALL: [Self; 17] = [
        Self::Named,
        Self::Configured,
        Self::Unacknowledged,
        Self::NotRunning,
        Self::Override,
        Self::Maintenance,
        Self::NotHandled,
        Self::MassAlarm,
        Self::Dependency,
        Self::Driver,
        Self::Breaker,
        Self::Group,
        Self::Backoff,
        Self::Storm,
        Self::Observe,
        Self::Intake,
        Self::Capacity,
    ];

    /// What an operator's restart by hand is asked. What concerns only an alarm (is it ticked, was it handled) does not
    /// concern an operator, nor what is scarce for the host.
    pub const BY_HAND: [Self; 8] = [
        Self::NotRunning,
        Self::Override,
        Self::Maintenance,
        Self::Dependency,
        Self::Breaker,
        Self::Group,
        Self::Backoff,
        Self::Observe,
    ];

    /// The word for people and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Named => "name",
            Self::Configured => "configured",
            Self::Unacknowledged => "acknowledged",
            Self::NotRunning => "in flight",
            Self::Override => "override",
            Self::Maintenance => "maintenance",
            Self::NotHandled => "handled",
            Self::MassAlarm => "mass alarm",
            Self::Dependency => "dependency",
            Self::Driver => "driver",
            Self::Breaker => "breaker",
            Self::Group => "group",
            Self::Backoff => "backoff",
            Self::Storm => "storm limit",
            Self::Observe => "observe",
            Self::Intake => "intake",
            Self::Capacity => "capacity",
        }
    }

    /// Whether a job that only looks is asked this, too: it restarts nothing, so it wastes nothing that is scarce
    /// but a place. A driver that failed a moment ago would most likely fail again.
    pub(crate) fn concerns_looking(self) -> bool {
        matches!(self, Self::Driver | Self::Observe | Self::Intake | Self::Capacity)
    }
}

/// Turns a view into a plan.
pub fn decide(view: &View<'_>, state: &State, now: Now) -> Plan {
    let held = Vec::with_capacity(view.alarms.len());
    let mut plan = Plan { start: Vec::new(), held, due_held: Vec::new(), wake_at: None };
    let mut round = Round::new(view, state, now);
    let mut started: HashMap<&Name, usize> = HashMap::new();
    for (index, case) in cases(&round) {
        let alarm = &view.alarms[index];
        if let Some(job) = started.get(&alarm.name).copied() {
            // Another row of the same name: the same restart answers it, unless this very row is held.
            match case.of_row(&round) {
                None => plan.start[job].alarms.push(alarm.clone()),
                Some(hold) => plan.hold(index, hold, now),
            }
            continue;
        }
        match case.judge(&round) {
            Err(hold) => plan.hold(index, hold, now),
            Ok(job) => {
                round.begin(&job, &case);
                started.insert(&alarm.name, plan.start.len());
                plan.start.push(job);
            }
        }
    }
    for name in due(&plan, view, state) {
        let case = Case::due(&round, name);
        match case.judge(&round) {
            Err(hold) => {
                plan.wake_at = earliest(plan.wake_at, hold.wakes(now));
                plan.due_held.push((name.clone(), hold));
            }
            Ok(job) => {
                round.begin(&job, &case);
                plan.start.push(job);
            }
        }
    }
    for job in &mut plan.start {
        job.alarms.sort_by_key(|alarm| alarm.row);
    }
    plan.held.sort_by_key(|(index, _)| *index);
    plan
}

/// Who is due because of a dependency. The alarm of whoever is in alarm as well has been judged already, and speaks for
/// both; one that was handled says nothing.
fn due<'a>(plan: &Plan, view: &View<'_>, state: &'a State) -> Vec<&'a Name> {
    if state.due.is_empty() {
        return Vec::new();
    }
    let held = plan.held.iter().filter(|(_, hold)| !matches!(hold, Hold::Handled { .. }));
    let held = held.map(|(index, _)| &view.alarms[*index].name);
    let judged: HashSet<&Name> = plan.start.iter().map(|job| &job.name).chain(held).collect();
    state.due.keys().filter(|name| !judged.contains(name)).collect()
}

/// What the checks see, for one look at the world: the chains that `pm why` shows.
pub struct Examiner<'a>(Round<'a>);

impl<'a> Examiner<'a> {
    /// One look.
    #[must_use]
    pub fn new(view: &'a View<'a>, state: &'a State, now: Now) -> Self {
        Self(Round::new(view, state, now))
    }

    /// What every check says of one alarm. The first that objects is the reason; what else would object is told, too.
    #[must_use]
    pub fn chain(&self, alarm: &'a Alarm) -> Vec<(Check, Result<String, Hold>)> {
        let case = Case::of(&self.0, alarm);
        let mut chain = Vec::new();
        let mut looked_by = None;
        for check in Check::ALL {
            if looked_by.is_some() && !check.concerns_looking() {
                continue;
            }
            match case.ask_knowing(looked_by, check, &self.0) {
                Answer::Hold(hold) => {
                    chain.push((check, Err(hold)));
                    // Of what is not configured nothing else can be known.
                    if check <= Check::Configured {
                        break;
                    }
                }
                answer => {
                    if answer == Answer::Look {
                        looked_by = Some(check);
                    }
                    chain.push((check, Ok(case.saw(check, &self.0))));
                }
            }
        }
        chain
    }

    /// The job that an alarm leads to; none when it is held.
    #[must_use]
    pub fn job(&self, alarm: &'a Alarm) -> Option<Job> {
        Case::of(&self.0, alarm).judge(&self.0).ok()
    }

    /// The first of these checks that objects to a restart for this alarm.
    #[must_use]
    pub fn objection(&self, alarm: &'a Alarm, checks: &[Check]) -> Option<Hold> {
        let case = Case::of(&self.0, alarm);
        checks.iter().find_map(|check| match case.ask(*check, &self.0) {
            Answer::Hold(hold) => Some(hold),
            Answer::Pass | Answer::Look => None,
        })
    }

    /// The alarms, by their place in the view, in the order in which they are asked: who is asked first gets what is
    /// scarce.
    #[must_use]
    pub fn asked(&self) -> Vec<usize> {
        cases(&self.0).into_iter().map(|(index, _)| index).collect()
    }

    /// The step of the dependencies in which a name comes.
    #[must_use]
    pub fn wave(&self, name: &Name) -> u32 {
        self.0.sights.wave(name)
    }
}

/// What every check says of one alarm; the first that objects is the reason.
#[must_use]
pub fn examine(
    alarm: &Alarm,
    view: &View<'_>,
    state: &State,
    now: Now,
) -> Vec<(Check, Result<String, Hold>)> {
    Examiner::new(view, state, now).chain(alarm)
}

/// All alarms in the order in which they are asked.
fn cases<'a>(round: &Round<'a>) -> Vec<(usize, Case<'a>)> {
    let mut cases: Vec<_> =
        round.view.alarms.iter().map(|alarm| Case::of(round, alarm)).enumerate().collect();
    cases.sort_by_cached_key(|(index, case)| (case.precedence(round), *index));
    cases
}

impl Plan {
    fn hold(&mut self, index: usize, hold: Hold, now: Now) {
        self.wake_at = earliest(self.wake_at, hold.wakes(now));
        self.held.push((index, hold));
    }
}

fn earliest(a: Option<Ticks>, b: Option<Ticks>) -> Option<Ticks> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
