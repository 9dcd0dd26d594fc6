//! Restarts by hand: what refuses them, and how the daemon counts them.

use super::host::Host;
use super::words::{self, Kind};
use pm_policy::breaker::Admission;
use pm_policy::decide::{Check, Examiner};
use pm_policy::hold::Hold;
use pm_policy::model::{Alarm, Checked, Job, Name, RowId, Trial, View};

/// What refuses it even when it is forced.
const ABSOLUTE: [Check; 2] = [Check::NotRunning, Check::Override];

impl Host {
    /// An operator restarts a process; the daemon counts it.
    pub(super) fn by_hand(&mut self, name: &Name, asked: &[Check]) {
        let Some(rules) = self.rules(name) else { return };
        if let Some(hold) = self.objection(name, asked) {
            let refused = format!("refused: {}", words::held(&hold, self.clock()));
            self.log.say(self.now, Kind::Hand, name.as_str(), &refused);
            return;
        }
        let standing = self.state.standing(name);
        let trial = match standing.map(|standing| standing.breaker.admits(&rules, self.clock().boot)) {
            None | Some(Admission::Allowed) => Trial::No,
            Some(_) => Trial::Probe,
        };
        let in_alarm = standing.is_some_and(|its| its.alarm_since.is_some() && its.in_flight.is_none());
        let mut job = Job::by_hand(name, trial);
        if in_alarm && rules.check == Checked::Unchecked {
            job.alarms = self.setup.world.alarms();
            job.alarms.retain(|alarm| alarm.name == *name && !alarm.acknowledged);
        }
        let step = rules.ladder.first().cloned().unwrap_or_else(|| Name::new(""));
        let (_, effect) = self.setup.world.effect(name, &step);
        let outcome = self.act(&job, &rules, effect);
        self.ended(&job, &rules, &outcome);
    }

    /// What stands against a restart now, as if the process were in alarm.
    fn objection(&mut self, name: &Name, asked: &[Check]) -> Option<Hold> {
        let now = self.clock();
        let supposed = Alarm { row: RowId(0), name: name.clone(), notes: None, acknowledged: false };
        let mut alarms = self.alarms.clone();
        alarms.push(supposed.clone());
        let (state, view) = self.judged();
        let view = View { alarms: &alarms, ..view };
        Examiner::new(&view, state, now).objection(&supposed, asked)
    }
}

/// What a restart by hand is asked: with `by force` only what nobody passes.
pub(super) fn asked(forced: bool) -> &'static [Check] {
    if forced { &ABSOLUTE } else { &Check::BY_HAND }
}
