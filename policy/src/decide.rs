//! `decide`: a view becomes a plan. Every alarm is either started or held with a named reason.
//!
//! Pure, total and deterministic: same view and `now`, same plan. The order of the checks is fixed, it is the
//! order of [`Check::ALL`], and the first that objects gives the reason. Places are kept, in this order, for what
//! the next stages of pm add: operator holds and maintenance after `Running`, dependencies before `Breaker`,
//! the group's breaker and the backoff behind it, the storm limit before `Capacity`.

use crate::breaker::Admission;
use crate::hold::counted;
use crate::model::{
    Alarm, Checked, Configured, Hold, Intake, Job, Name, Plan, Rules, Standing, Table, Trial, Verify, View,
};
use crate::time::{Now, Ticks};
use std::collections::BTreeMap;

/// One question that an alarm has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Has the row a name?
    Named,
    /// Is there a usable section for it?
    Configured,
    /// Has no operator ticked it?
    Unacknowledged,
    /// Is no job for it running?
    NotRunning,
    /// Was it not handled already?
    NotHandled,
    /// Does the driver behind its strategy answer, as far as known?
    Driver,
    /// Does the breaker admit it?
    Breaker,
    /// Does pm take on work?
    Intake,
    /// Is there a free place?
    Capacity,
}

impl Check {
    /// All checks in the order in which they are asked.
    pub const ALL: [Self; 9] = [
        Self::Named,
        Self::Configured,
        Self::Unacknowledged,
        Self::NotRunning,
        Self::NotHandled,
        Self::Driver,
        Self::Breaker,
        Self::Intake,
        Self::Capacity,
    ];

    /// The word for people and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Named => "name",
            Self::Configured => "configured",
            Self::Unacknowledged => "acknowledged",
            Self::NotRunning => "in flight",
            Self::NotHandled => "handled",
            Self::Driver => "driver",
            Self::Breaker => "breaker",
            Self::Intake => "intake",
            Self::Capacity => "capacity",
        }
    }
}

/// What a check sees of one alarm.
struct Case<'a> {
    alarm: &'a Alarm,
    configured: &'a Configured,
    standing: &'a Standing,
    view: &'a View<'a>,
    now: Now,
    running: usize,
}

/// Turns a view into a plan.
pub fn decide(view: &View<'_>, now: Now) -> Plan {
    let mut plan = Plan { start: Vec::new(), held: Vec::new(), wake_at: None };
    let mut started: BTreeMap<&Name, usize> = BTreeMap::new();
    let clean = Standing::default();
    for (index, alarm) in view.alarms.iter().enumerate() {
        if let Some(job) = started.get(&alarm.name).copied() {
            // Another row of the same name: the same restart answers it, unless this very row is held.
            match row_hold(alarm, view.standings.get(&alarm.name).unwrap_or(&clean), now) {
                None => plan.start[job].alarms.push(alarm.clone()),
                Some(hold) => plan.hold(index, hold),
            }
            continue;
        }
        let case = case(alarm, view, &clean, now, view.running + plan.start.len());
        match Check::ALL.iter().find_map(|check| case.hold(*check)) {
            Some(hold) => plan.hold(index, hold),
            None => {
                started.insert(&alarm.name, plan.start.len());
                plan.start.push(case.job());
            }
        }
    }
    plan
}

/// The chain of checks for one alarm, up to the first that objects: what `pm why` shows.
#[must_use]
pub fn examine(alarm: &Alarm, view: &View<'_>, now: Now) -> Vec<(Check, Result<String, Hold>)> {
    let clean = Standing::default();
    let case = case(alarm, view, &clean, now, view.running);
    let mut chain = Vec::new();
    for check in Check::ALL {
        match case.hold(check) {
            Some(hold) => {
                chain.push((check, Err(hold)));
                break;
            }
            None => chain.push((check, Ok(case.saw(check)))),
        }
    }
    chain
}

fn case<'a>(alarm: &'a Alarm, view: &'a View<'a>, clean: &'a Standing, now: Now, running: usize) -> Case<'a> {
    Case {
        alarm,
        configured: view.configured.get(&alarm.name).unwrap_or(&Configured::No),
        standing: view.standings.get(&alarm.name).unwrap_or(clean),
        view,
        now,
        running,
    }
}

/// The reasons that belong to a row rather than to its name.
fn row_hold(alarm: &Alarm, standing: &Standing, now: Now) -> Option<Hold> {
    if alarm.acknowledged {
        return Some(Hold::Acknowledged);
    }
    standing
        .handled(alarm)
        .filter(|handled| handled.recheck > now.boot)
        .map(|handled| Hold::Handled { recheck: handled.recheck })
}

impl Plan {
    fn hold(&mut self, index: usize, hold: Hold) {
        self.wake_at = earliest(self.wake_at, hold.ends());
        self.held.push((index, hold));
    }
}

fn earliest(a: Option<Ticks>, b: Option<Ticks>) -> Option<Ticks> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

impl Case<'_> {
    fn hold(&self, check: Check) -> Option<Hold> {
        match check {
            Check::Named => self.alarm.name.is_blank().then_some(Hold::Unnamed),
            Check::Configured => match self.configured {
                Configured::Yes(_) => None,
                Configured::No => Some(Hold::NotConfigured),
                Configured::Unusable(why) => Some(Hold::Unusable(why.clone())),
            },
            Check::Unacknowledged => self.alarm.acknowledged.then_some(Hold::Acknowledged),
            Check::NotRunning => self.standing.in_flight.map(|job| Hold::InFlight { since: job.since }),
            Check::NotHandled => row_hold(self.alarm, self.standing, self.now),
            Check::Driver => self
                .standing
                .pause
                .filter(|until| *until > self.now.boot)
                .map(|until| Hold::DriverPause { until }),
            Check::Breaker => match self.standing.breaker.admits(self.now.boot) {
                Admission::Allowed | Admission::Probe => None,
                Admission::Refused { failures, until } => Some(Hold::BreakerOpen { failures, until }),
            },
            Check::Intake => (self.view.intake == Intake::Stopping).then_some(Hold::Stopping),
            Check::Capacity => {
                (self.running >= self.view.limit).then_some(Hold::Capacity { limit: self.view.limit })
            }
        }
    }

    fn saw(&self, check: Check) -> String {
        match check {
            Check::Named => format!("{} (row {})", self.alarm.name, self.alarm.row.0),
            Check::Configured => "a section that can be used".to_owned(),
            Check::Unacknowledged => "sound = 0".to_owned(),
            Check::NotRunning => "no restart under way".to_owned(),
            Check::NotHandled => match self.standing.handled(self.alarm) {
                Some(_) => "handled before, due to be looked at again".to_owned(),
                None => "not handled yet".to_owned(),
            },
            Check::Driver => "no failure of its driver a moment ago".to_owned(),
            Check::Breaker => format!(
                "{}, {} in a row",
                self.standing.breaker.word(self.now.boot),
                counted(self.standing.breaker.failures())
            ),
            Check::Intake => "pm takes on work".to_owned(),
            Check::Capacity => format!("{} of {} restarts running", self.running, self.view.limit),
        }
    }

    fn job(&self) -> Job {
        let trial = match self.standing.breaker.admits(self.now.boot) {
            Admission::Probe => Trial::Probe,
            Admission::Allowed | Admission::Refused { .. } => Trial::No,
        };
        Job { name: self.alarm.name.clone(), alarms: vec![self.alarm.clone()], verify: self.verify(), trial }
    }

    /// Whether the alarm is believed: not when pm itself restored the process a moment ago, nor when the row was
    /// handled before, nor while the table cannot be written (its source may simply not know yet).
    fn verify(&self) -> Verify {
        let Configured::Yes(rules) = self.configured else { return Verify::AfterOnly };
        let doubted = self.recently_good(rules)
            || self.standing.handled(self.alarm).is_some()
            || self.view.table == Table::ReadOnly;
        match (rules.check, doubted) {
            (Checked::Unchecked, _) => Verify::AfterOnly,
            (Checked::ByCheck, true) => Verify::First,
            (Checked::ByCheck, false) => rules.verify,
        }
    }

    fn recently_good(&self, rules: &Rules) -> bool {
        self.standing.last_good.is_some_and(|good| self.now.boot.since(good) < rules.stable)
    }
}
