//! One alarm in front of the checks: what each of them answers, and the job that follows when none objects.
//!
//! The sentences about what a check saw are in [`saw`](crate::saw).

use crate::breaker::Admission;
use crate::decide::Check;
use crate::driver::Reach;
use crate::group::{GroupAnswer, GroupRules};
use crate::mass::{Guard, Stage};
use crate::model::{
    Alarm, Cause, Checked, Configured, Criticality, Hold, Intake, Job, Name, Rules, Sight, Standing, Table,
    Trial, Verify,
};
use crate::round::Round;
use crate::time::Ticks;
use std::time::Duration;

/// The longest pause under a bypass. Without any, one broken process would take all that this host may restart.
const BYPASSED: Duration = Duration::from_secs(10);

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

    /// Who is asked first. Whoever was tried in vain comes last while its group is let go: its next failure closes the
    /// group again, for all that have not had their turn.
    pub(crate) fn precedence(&self, round: &Round<'_>) -> (Option<Ticks>, Criticality, u32, Ticks) {
        let tried = round.tried_in_vain(self.name);
        let since = self.standing.and_then(|standing| standing.alarm_since).unwrap_or(round.now.boot);
        let criticality = self.rules().map_or(Criticality::Low, |rules| rules.criticality);
        (tried, criticality, round.sights.wave(self.name), since)
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
        self.rules()?.ladder.get(self.rung() as usize)
    }

    /// The step of the ladder that a restart would begin with.
    fn rung(&self) -> u32 {
        match (self.standing, self.rules(), self.alarm) {
            (Some(standing), Some(rules), Some(_)) => standing.step(rules),
            (standing, ..) => standing.map_or(0, |standing| standing.rung),
        }
    }

    /// The first objection, or the job.
    pub(crate) fn judge(&self, round: &Round<'a>) -> Result<Job, Hold> {
        let mut looked_by = None;
        for check in Check::ALL {
            if looked_by.is_some() && !check.concerns_looking() {
                continue;
            }
            match self.ask_knowing(looked_by, check, round) {
                Answer::Pass => {}
                Answer::Look => looked_by = Some(check),
                Answer::Hold(hold) => return Err(hold),
            }
        }
        Ok(self.job(looked_by, round))
    }

    /// What a check answers when one before it may have wanted no more than a look.
    pub(crate) fn ask_knowing(&self, looked_by: Option<Check>, check: Check, round: &Round<'a>) -> Answer {
        match (self.ask(check, round), looked_by) {
            (Answer::Hold(Hold::Observed { by, why, .. }), Some(_)) => {
                Answer::Hold(Hold::Observed { verify: Verify::Only, by, why })
            }
            (answer, _) => answer,
        }
    }

    /// Whether nothing but its group stands against a restart, besides what is over in a moment.
    pub(crate) fn could_be_canary(&self, round: &Round<'a>) -> bool {
        let before = Check::ALL.iter().take_while(|check| **check != Check::Group);
        let but_group = before.chain(&[Check::Backoff, Check::Observe]);
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
            Check::Group => return self.group_answer(round),
            Check::Backoff => return self.backoff(round),
            Check::Storm => self.storm(round),
            Check::Observe => self.observed(round),
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
        let (mass, limits) = (&round.state.mass, &round.view.limits);
        match mass.guard(self.name, rules.check, limits, round.now.boot) {
            Guard::Pass => Answer::Pass,
            Guard::Look => Answer::Look,
            Guard::Hold => Answer::Hold(Hold::MassAlarm {
                healthy: match mass.stage {
                    Stage::Held { looked, healthy } => Some((looked, healthy)),
                    Stage::None | Stage::Looking { .. } | Stage::Believed => None,
                },
                recheck: mass.next(self.name, limits).filter(|at| *at > round.now.boot),
            }),
        }
    }

    fn driver_away(&self, round: &Round<'_>) -> Option<Hold> {
        let now = round.now.boot;
        let pause = self.standing.and_then(|standing| standing.pause).filter(|until| *until > now);
        let driver = self.driver().and_then(|driver| Some((driver, round.driver(driver)?.reach(now))));
        match (driver, pause) {
            // Of the two that what ends later: nothing happens before that.
            (Some((driver, Reach::Paused { until })), pause) if until.is_none_or(|at| pause <= Some(at)) => {
                Some(Hold::DriverOpen { driver: driver.clone(), until })
            }
            (_, pause) => pause.map(|until| Hold::DriverPause { until }),
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
            // A restart for the sake of a dependency says nothing about the process, so it is not one too many.
            Admission::Spent if self.alarm.is_none() => Answer::Pass,
            Admission::Spent if self.doubt(round).is_some() => Answer::Look,
            // It opens as soon as the alarm is taken in; until then this is what it comes to.
            Admission::Spent => Answer::Hold(Hold::BreakerOpen { count, until: now }),
            Admission::Refused { until } => Answer::Hold(Hold::BreakerOpen { count, until }),
        }
    }

    fn group_answer(&self, round: &Round<'a>) -> Answer {
        let Some((group, rules)) = self.group(round) else { return Answer::Pass };
        if self.bypassed(round) {
            return Answer::Pass;
        }
        let behind = |canary: &Name| Hold::GroupCanary { group: group.clone(), canary: canary.clone() };
        Answer::Hold(match round.group(group).admits(rules, round.now.boot) {
            GroupAnswer::Allowed => return Answer::Pass,
            GroupAnswer::Canary => match round.canary(group) {
                Some(canary) if canary != self.name => behind(canary),
                // Without a member in alarm, one that is due for the sake of a dependency is the canary.
                Some(_) | None => return Answer::Pass,
            },
            // Whether the canary is bad again decides about all others, so it is not left open.
            GroupAnswer::Waiting { canary } if canary == *self.name && self.doubt(round).is_some() => {
                return Answer::Look;
            }
            GroupAnswer::Waiting { canary } => behind(&canary),
            GroupAnswer::Open { until } => Hold::GroupOpen { group: group.clone(), until },
            GroupAnswer::Releasing { batch } => Hold::GroupReleasing { group: group.clone(), batch },
        })
    }

    fn backoff(&self, round: &Round<'_>) -> Answer {
        let Some((count, until)) = self.waits_until(round) else { return Answer::Pass };
        // Whether its last restart has helped after all need not wait for the next one.
        if self.just_restored(round) { Answer::Look } else { Answer::Hold(Hold::Backoff { count, until }) }
    }

    /// How many restarts did not help, and until when the next one has to wait for that.
    fn waits_until(&self, round: &Round<'_>) -> Option<(u32, Ticks)> {
        let (rules, standing) = (self.rules()?, self.standing?);
        let count = standing.in_vain(rules, round.now.boot);
        let mut until = pause_ends(self.name, rules, standing, round.now.boot)?;
        if self.bypassed(round) {
            until = until.min(standing.last_end?.after(BYPASSED));
        }
        // The trial of a half-open breaker has waited longer than any pause.
        (until > round.now.boot && self.trial(round) == Trial::No).then_some((count, until))
    }

    fn storm(&self, round: &Round<'_>) -> Option<Hold> {
        let budget = round.view.limits.storm;
        let spent = round.storm.left(budget, round.now.boot) == Some(0);
        spent.then(|| Hold::Storm { limit: budget.size, until: round.storm.next(budget, round.now.boot) })
    }

    fn observed(&self, round: &Round<'a>) -> Option<Hold> {
        let (by, why) = match round.view.intake {
            Intake::Observing => ("pm run --observe", ""),
            Intake::Silenced => ("pm_host", "another pm speaks for this host"),
            Intake::Open | Intake::Stopping => {
                let its = round.sights.observed(self.name)?;
                (its.by.as_str(), its.why.as_str())
            }
        };
        let verify = self.doubt(round).unwrap_or(Verify::AfterOnly);
        Some(Hold::Observed { verify, by: by.to_owned(), why: why.to_owned() })
    }

    pub(crate) fn bypassed(&self, round: &Round<'_>) -> bool {
        round.sights.bypass(self.name).is_some()
    }

    /// How the alarm is looked at before it is believed, when it is doubted and there is a check: patiently, when it had
    /// to wait for what it depends on, or that was brought back since; once, when pm itself restored the process just before, when the row
    /// was handled before, when the table cannot be written (its source may simply not know yet) or read (it may have been
    /// cleared since), when it is left over from a maintenance window or a mass alarm, and when the operator wants it so.
    pub(crate) fn doubt(&self, round: &Round<'_>) -> Option<Verify> {
        let (rules, alarm) = (self.rules()?, self.alarm?);
        if rules.check == Checked::Unchecked {
            return None;
        }
        let waited = self.standing.is_some_and(|standing| standing.waited);
        let tried = self.standing.and_then(|standing| standing.last_end);
        let back =
            |at: &Ticks| self.is_just_behind(*at, rules, round) && tried.is_none_or(|tried| tried < *at);
        if waited || round.sights.restored(self.name).is_some_and(|at| back(&at)) {
            return Some(Verify::Patiently);
        }
        let left_over = |standing: &Standing| standing.after_window || standing.handled(alarm).is_some();
        let doubted = rules.verify == Verify::First
            || self.just_restored(round)
            || self.standing.is_some_and(left_over)
            || round.state.mass.suspects.contains(self.name)
            || round.view.table == Table::ReadOnly
            || round.view.sight == Sight::Blind;
        doubted.then_some(Verify::First)
    }

    /// Whether pm itself restored the process just before its alarm.
    fn just_restored(&self, round: &Round<'_>) -> bool {
        let Some(rules) = self.rules().filter(|rules| rules.check == Checked::ByCheck) else { return false };
        let good = self.standing.and_then(|standing| standing.last_good);
        self.alarm.is_some() && good.is_some_and(|at| self.is_just_behind(at, rules, round))
    }

    /// Whether the alarm began before a moment, or so shortly after it that its source may not have heard.
    fn is_just_behind(&self, moment: Ticks, rules: &Rules, round: &Round<'_>) -> bool {
        let since = self.standing.and_then(|standing| standing.alarm_since).unwrap_or(round.now.boot);
        moment >= since || since.since(moment) < rules.doubt
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
            verify: match (looked_by, &cause) {
                (Some(_), _) => Verify::Only,
                (None, Cause::Dependency(_)) => Verify::AfterOnly,
                (None, _) => self.doubt(round).unwrap_or(Verify::AfterOnly),
            },
            cause,
            trial: self.trial(round),
            rung: self.rung(),
            chain: asked.map(|check| (*check, self.saw(*check, round))).collect(),
        }
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

#[cfg(test)]
mod tests;
