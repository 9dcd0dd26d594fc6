//! One alarm in front of the checks: what each of them answers, and the job that follows when none objects.
//!
//! The sentences about what a check saw are in [`saw`](crate::saw).

use crate::breaker::Admission;
use crate::decide::{Check, Round};
use crate::driver::Reach;
use crate::group::{GroupAnswer, GroupRules};
use crate::mass::{Guard, Stage};
use crate::model::{
    Alarm, Cause, Checked, Configured, Criticality, Hold, Intake, Job, Name, Rules, Standing, Table, Trial,
    Verify,
};
use crate::time::Ticks;
use std::time::Duration;

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// No objection.
    Pass,
    /// Not to be restarted before it was looked at.
    Look,
    /// Held.
    Hold(Hold),
}

/// What a check sees of one alarm, or of a process without an alarm that is due.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) name: &'a Name,
    pub(crate) alarm: Option<&'a Alarm>,
    pub(crate) configured: &'a Configured,
    pub(crate) standing: Option<&'a Standing>,
}

impl<'a> Case<'a> {
    pub(crate) fn of(round: &Round<'a>, alarm: &'a Alarm) -> Self {
        Self { alarm: Some(alarm), ..Self::due(round, &alarm.name) }
    }

    pub(crate) fn due(round: &Round<'a>, name: &'a Name) -> Self {
        Self {
            name,
            alarm: None,
            configured: round.view.configured.get(name).unwrap_or(&Configured::No),
            standing: round.state.standing(name),
        }
    }

    /// Who is asked first.
    pub(crate) fn precedence(&self, round: &Round<'_>) -> (Criticality, u32, Ticks) {
        let since = self.standing.and_then(|standing| standing.alarm_since).unwrap_or(round.now.boot);
        let criticality = self.rules().map_or(Criticality::Low, |rules| rules.criticality);
        (criticality, round.sights.wave(self.name), since)
    }

    pub(crate) fn rules(&self) -> Option<&'a Rules> {
        match self.configured {
            Configured::Yes(rules) => Some(rules),
            Configured::No | Configured::Unusable(_) => None,
        }
    }

    pub(crate) fn group(&self, round: &Round<'a>) -> Option<(&'a Name, &'a GroupRules)> {
        let group = round.sights.group(self.name)?;
        Some((group, round.view.groups.get(group)?))
    }

    /// The strategy that would act.
    pub(crate) fn driver(&self) -> Option<&'a Name> {
        let rung = self.standing.map_or(0, |standing| standing.rung);
        self.rules()?.ladder.get(rung as usize)
    }

    /// The first objection, or the job.
    pub(crate) fn judge(&self, round: &Round<'a>) -> Result<Job, Hold> {
        let mut looked_by = None;
        for check in Check::ALL {
            if looked_by.is_some() && !check.concerns_looking() {
                continue;
            }
            match self.ask(check, round) {
                Answer::Pass => {}
                Answer::Look => looked_by = Some(check),
                Answer::Hold(hold) => return Err(hold),
            }
        }
        Ok(self.job(looked_by, round))
    }

    /// Whether nothing but its group stands against a restart.
    pub(crate) fn could_be_canary(&self, round: &Round<'a>) -> bool {
        let but_group =
            Check::ALL.iter().take_while(|check| **check != Check::Group).chain(&[Check::Backoff]);
        but_group.copied().all(|check| self.ask(check, round) == Answer::Pass)
    }

    /// The reasons that belong to a row rather than to its name.
    pub(crate) fn of_row(&self, round: &Round<'a>) -> Option<Hold> {
        let answers = [Check::Unacknowledged, Check::NotHandled].map(|check| self.ask(check, round));
        answers.into_iter().find_map(|answer| match answer {
            Answer::Hold(hold) => Some(hold),
            Answer::Pass | Answer::Look => None,
        })
    }

    pub(crate) fn ask(&self, check: Check, round: &Round<'a>) -> Answer {
        let hold = match check {
            Check::Named => self.name.is_blank().then_some(Hold::Unnamed),
            Check::Configured => self.not_configured(),
            Check::Unacknowledged => {
                self.alarm.is_some_and(|alarm| alarm.acknowledged).then_some(Hold::Acknowledged)
            }
            Check::NotRunning => {
                let job = self.standing.and_then(|standing| standing.in_flight);
                job.map(|job| Hold::InFlight { since: job.since })
            }
            Check::Override => round.sights.held(self.name).map(|its| Hold::Overridden {
                by: its.by.clone(),
                why: its.why.clone(),
                until: its.until,
            }),
            Check::Maintenance => round.sights.window(self.name).map(|window| Hold::Maintenance {
                id: window.id.clone(),
                reason: window.reason.clone(),
                until: window.until,
            }),
            Check::NotHandled => self.handled(round),
            Check::MassAlarm => return self.mass_alarm(round),
            Check::Dependency => round
                .sights
                .cause(self.name)
                .map(|(cause, trouble)| Hold::Waiting { cause: cause.clone(), trouble }),
            Check::Driver => self.driver_away(round),
            Check::Breaker => return self.breaker(round),
            Check::Group => self.group_refuses(round),
            Check::Backoff => self.backoff(round),
            Check::Storm => self.storm(round),
            Check::Observe => observed(self.name, round),
            Check::Intake => (round.view.intake == Intake::Stopping).then_some(Hold::Stopping),
            Check::Capacity => {
                let limit = round.view.limits.parallel;
                (round.running >= limit).then_some(Hold::Capacity { limit })
            }
        };
        hold.map_or(Answer::Pass, Answer::Hold)
    }

    fn not_configured(&self) -> Option<Hold> {
        match self.configured {
            Configured::Yes(_) => None,
            Configured::No => Some(Hold::NotConfigured),
            Configured::Unusable(why) => Some(Hold::Unusable(why.clone())),
        }
    }

    fn handled(&self, round: &Round<'_>) -> Option<Hold> {
        let handled = self.standing?.handled(self.alarm?)?;
        (handled.recheck > round.now.boot).then_some(Hold::Handled { recheck: handled.recheck })
    }

    fn mass_alarm(&self, round: &Round<'_>) -> Answer {
        // What is due is no alarm, so there is nothing to disbelieve.
        let (Some(rules), Some(_)) = (self.rules(), self.alarm) else { return Answer::Pass };
        let mass = &round.state.mass;
        match mass.guard(self.name, rules.check, round.now.boot) {
            Guard::Pass => Answer::Pass,
            Guard::Look => Answer::Look,
            Guard::Hold => Answer::Hold(Hold::MassAlarm {
                healthy: match mass.stage {
                    Stage::Held { looked, healthy } => Some((looked, healthy)),
                    Stage::None | Stage::Looking { .. } | Stage::Believed => None,
                },
                recheck: mass.next(self.name),
            }),
        }
    }

    fn driver_away(&self, round: &Round<'_>) -> Option<Hold> {
        let now = round.now.boot;
        let pause = self.standing.and_then(|standing| standing.pause).filter(|until| *until > now);
        if let Some(until) = pause {
            return Some(Hold::DriverPause { until });
        }
        let driver = self.driver()?;
        match round.driver(driver)?.reach(now) {
            Reach::Works | Reach::Trial => None,
            Reach::Paused { until } => Some(Hold::DriverOpen { driver: driver.clone(), until }),
        }
    }

    fn breaker(&self, round: &Round<'_>) -> Answer {
        let (Some(rules), Some(standing), now) = (self.rules(), self.standing, round.now.boot) else {
            return Answer::Pass;
        };
        if self.bypassed(round) {
            return Answer::Pass;
        }
        let count = standing.breaker.count(rules, now);
        match standing.breaker.admits(rules, now) {
            Admission::Allowed | Admission::Probe => Answer::Pass,
            Admission::Spent if self.is_doubted(now) => Answer::Look,
            // It opens as soon as the alarm is taken in; until then this is what it comes to.
            Admission::Spent => Answer::Hold(Hold::BreakerOpen { count, until: now }),
            Admission::Refused { until } => Answer::Hold(Hold::BreakerOpen { count, until }),
        }
    }

    fn group_refuses(&self, round: &Round<'a>) -> Option<Hold> {
        let (group, rules) = self.group(round)?;
        if self.bypassed(round) {
            return None;
        }
        let canary = |canary: &Name| Hold::GroupCanary { group: group.clone(), canary: canary.clone() };
        match round.group(group).admits(rules, round.now.boot) {
            GroupAnswer::Allowed => None,
            // What has no alarm is no canary: whether it works again cannot be told.
            GroupAnswer::Canary => round.canary(group).filter(|its| *its != self.name).map(canary),
            GroupAnswer::Waiting { canary: its } => Some(canary(&its)),
            GroupAnswer::Open { until } => Some(Hold::GroupOpen { group: group.clone(), until }),
            GroupAnswer::Releasing { batch } => Some(Hold::GroupReleasing { group: group.clone(), batch }),
        }
    }

    fn backoff(&self, round: &Round<'_>) -> Option<Hold> {
        let (rules, standing) = (self.rules()?, self.standing?);
        let count = standing.breaker.count(rules, round.now.boot);
        let until = pause_ends(self.name, rules, standing, round.now.boot)?;
        // The trial of a half-open breaker has waited longer than any pause.
        let waits = until > round.now.boot && !self.bypassed(round) && self.trial(round) == Trial::No;
        waits.then_some(Hold::Backoff { count, until })
    }

    fn storm(&self, round: &Round<'_>) -> Option<Hold> {
        let budget = round.view.limits.storm;
        let spent = round.storm.left(budget, round.now.boot) == Some(0);
        spent.then(|| Hold::Storm { limit: budget.size, until: round.storm.next(budget, round.now.boot) })
    }

    pub(crate) fn bypassed(&self, round: &Round<'_>) -> bool {
        round.sights.bypass(self.name).is_some()
    }

    /// Whether the alarm may be older than the restart that is just behind it.
    pub(crate) fn is_doubted(&self, now: Ticks) -> bool {
        let (Some(rules), Some(standing)) = (self.rules(), self.standing) else { return false };
        rules.check == Checked::ByCheck
            && standing.last_good.is_some_and(|good| now.since(good) < rules.doubt)
    }

    fn trial(&self, round: &Round<'_>) -> Trial {
        let admission = self.rules().zip(self.standing).map(|(r, s)| s.breaker.admits(r, round.now.boot));
        if admission == Some(Admission::Probe) && !self.bypassed(round) { Trial::Probe } else { Trial::No }
    }

    fn job(&self, looked_by: Option<Check>, round: &Round<'a>) -> Job {
        let due = round.state.due.get(self.name);
        let cause = match (looked_by, due) {
            (Some(Check::MassAlarm), _) => Cause::MassAlarm,
            (_, Some(due)) => Cause::Dependency(due.because.clone()),
            (_, None) => Cause::Alarm,
        };
        let asked = Check::ALL
            .iter()
            .filter(|check| looked_by.is_none_or(|by| **check <= by || check.concerns_looking()));
        Job {
            name: self.name.clone(),
            alarms: self.alarm.cloned().into_iter().collect(),
            verify: if looked_by.is_some() { Verify::Only } else { self.verify(&cause, round) },
            cause,
            trial: self.trial(round),
            rung: self.standing.map_or(0, |standing| standing.rung),
            chain: asked.map(|check| (*check, self.saw(*check, round))).collect(),
        }
    }

    /// Whether the alarm is believed: not when pm itself restored the process a moment ago, nor when the row was
    /// handled before, nor while the table cannot be written (its source may simply not know yet), nor after a
    /// maintenance window or a mass alarm, nor when what it depends on has come back since.
    fn verify(&self, cause: &Cause, round: &Round<'_>) -> Verify {
        let (Some(rules), Some(alarm)) = (self.rules(), self.alarm) else { return Verify::AfterOnly };
        if rules.check == Checked::Unchecked || matches!(cause, Cause::Dependency(_)) {
            return Verify::AfterOnly;
        }
        let since = self.standing.and_then(|standing| standing.alarm_since).unwrap_or(round.now.boot);
        let back = |at: Ticks| at >= since || round.now.boot.since(at) < rules.doubt;
        if round.sights.restored(self.name).is_some_and(back) {
            return Verify::Patiently;
        }
        let left_over = |standing: &Standing| standing.after_window || standing.handled(alarm).is_some();
        let doubted = self.is_doubted(round.now.boot)
            || self.standing.is_some_and(left_over)
            || round.state.mass.stage != Stage::None
            || round.view.table == Table::ReadOnly;
        if doubted { Verify::First } else { rules.verify }
    }
}

/// When the pause since the last restart that did not help is over; none when there was none.
pub(crate) fn pause_ends(name: &Name, rules: &Rules, standing: &Standing, now: Ticks) -> Option<Ticks> {
    let count = standing.breaker.count(rules, now);
    let ended = standing.last_end?;
    let pause = if count == 0 { Duration::ZERO } else { rules.pause.after(count) };
    let pause = crate::dice::spread(pause, rules.pause_jitter, name, ended.0);
    (!pause.is_zero()).then(|| ended.after(pause))
}

fn observed(name: &Name, round: &Round<'_>) -> Option<Hold> {
    if round.view.intake == Intake::Observing {
        return Some(Hold::Observed { by: "pm run --observe".to_owned(), why: String::new() });
    }
    let its = round.sights.observed(name)?;
    Some(Hold::Observed { by: its.by.clone(), why: its.why.clone() })
}
