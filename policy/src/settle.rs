//! `settle`: what follows from an outcome. With [`advance`](crate::advance) the only place where a breaker changes.

use crate::advance::{Word, group_told, relapsed};
use crate::breaker::Opened;
use crate::group::{Group, GroupRules};
use crate::mass::Condition;
use crate::model::{
    Alarm, Cause, Checked, Clear, Dependents, Due, End, Handled, Job, Name, Notice, OnTrial, Order, Outcome,
    RowId, Rules, Settlement, Standing, Trial, Verify, View,
};
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::BTreeSet;
use std::time::Duration;

/// One settlement in hand.
struct Settling<'a> {
    state: &'a mut State,
    view: &'a View<'a>,
    rules: &'a Rules,
    job: &'a Job,
    outcome: &'a Outcome,
    now: Now,
    settled: Settlement,
}

/// Takes in `outcome` of a restart that was made elsewhere, by hand, and answers what else follows from it; see
/// [`Job::by_hand`]. A job of the loop's own may run meanwhile; it goes on.
pub fn count(
    state: &mut State,
    view: &View<'_>,
    rules: &Rules,
    job: &Job,
    outcome: &Outcome,
    now: Now,
) -> Settlement {
    let standing = state.standings.entry(job.name.clone()).or_default();
    let own = (standing.in_flight.take(), standing.ended);
    let settled = settle(state, view, rules, job, outcome, now);
    let standing = state.standings.entry(job.name.clone()).or_default();
    (standing.in_flight, standing.ended) = own;
    settled
}

/// Takes in `outcome` of `job`, and answers what else follows from it.
///
/// Rows of a job that helped are marked as handled at once: until the clearing is confirmed the row still stands
/// in the table and must not start a second restart.
pub fn settle(
    state: &mut State,
    view: &View<'_>,
    rules: &Rules,
    job: &Job,
    outcome: &Outcome,
    now: Now,
) -> Settlement {
    let mut settling = Settling { state, view, rules, job, outcome, now, settled: Settlement::default() };
    settling.run();
    settling.settled
}

impl Settling<'_> {
    fn run(&mut self) {
        let name = &self.job.name;
        let standing = self.state.standings.entry(name.clone()).or_default();
        let began = standing.in_flight.take().map_or(self.now.boot, |job| job.since);
        (standing.pause, standing.ended) = (None, Some(self.now.boot));
        self.state.dirty.standings.insert(name.clone());
        if self.outcome.end != End::HandedOver && self.job.verify != Verify::Only {
            self.give_back();
        }
        match self.outcome.end {
            End::Restarted => self.restarted(began),
            End::AlreadyHealthy => self.healthy(began),
            End::Unhealthy => self.unhealthy(),
            End::Failed => self.failed(began),
            End::Infrastructure => self.infrastructure(),
            End::Cancelled => self.cancelled(),
            // The next start goes on with it; until then nothing is known.
            End::HandedOver => {}
        }
    }

    /// A restart that was not made takes nothing of what is scarce.
    fn give_back(&mut self) {
        if self.outcome.attempts == 0 && self.job.cause != Cause::Operator {
            self.state.storm = self.state.storm.given_back(self.view.limits.storm);
            self.state.dirty.host = true;
        }
    }

    fn restarted(&mut self, began: Ticks) {
        let (rules, now) = (self.rules, self.now.boot);
        if self.had_to_be_restarted_again() {
            self.tell_group(Group::unrest);
        }
        // A restart for the sake of a dependency says nothing about the process itself, but a trial is a trial.
        let counts = !matches!(self.job.cause, Cause::Dependency(_)) || self.job.trial == Trial::Probe;
        // An alarm that the job was not about stands since before the restart, and is doubted for that reason.
        let answers = !self.answered().is_empty();
        let rung = self.outcome.rung.unwrap_or(self.job.rung);
        let standing = self.standing();
        (standing.last_good, standing.last_end) = (Some(now), Some(now));
        (standing.after_window, standing.waited) = (false, false);
        if answers {
            standing.alarm_since = None;
        }
        standing.breaker.prune(rules, now);
        standing.breaker.disturbed();
        if counts {
            standing.trial = Some(OnTrial { rung, since: now });
            standing.breaker.restarted(began);
        } else {
            standing.breaker.healthy(now, now);
        }
        standing.breaker.quiet(now);
        self.group_good();
        self.driver_answered();
        self.clear(&self.answered(), Some(self.now.wall));
        self.state.dirty.host |= self.state.due.remove(&self.job.name).is_some();
        if rules.dependents == Dependents::Restart {
            self.dependents_are_due();
        }
    }

    fn healthy(&mut self, began: Ticks) {
        if self.job.cause == Cause::MassAlarm {
            self.state.mass.looked(&self.job.name, Condition::Healthy, self.now.boot);
            self.state.dirty.host = true;
            return;
        }
        let now = self.now.boot;
        let standing = self.standing();
        (standing.after_window, standing.waited) = (false, false);
        let unknown = standing.alarm_since.take().map_or(began, |since| since.min(began));
        standing.breaker.healthy(unknown, now);
        if self.job.verify != Verify::Only {
            self.group_good();
            self.group_refund();
        }
        self.clear(&self.job.alarms, None);
    }

    /// It was only looked at: in a mass alarm, or because the alarm was doubted. Now it is believed.
    fn unhealthy(&mut self) {
        self.withdraw();
        if self.job.cause == Cause::MassAlarm {
            self.state.mass.looked(&self.job.name, Condition::Bad, self.now.boot);
            self.state.dirty.host = true;
            return;
        }
        let (rules, name, now) = (self.rules, &self.job.name, self.now.boot);
        let relapsed = self.had_to_be_restarted_again();
        let standing = self.standing();
        standing.last_good = None;
        let opened = standing.breaker.alarmed(rules, name, now);
        self.opened(opened);
        if relapsed || opened.is_some() {
            self.tell_group(Group::trouble);
        }
        self.tell_group(Group::alarmed);
    }

    /// The process is bad again, so what waits to clear its rows must not; also what an earlier pm had left to be cleared,
    /// of which there is no mark yet.
    fn withdraw(&mut self) {
        let handled = std::mem::take(&mut self.standing().handled);
        let marked = handled.into_iter().map(|handled| handled.row);
        let rows: BTreeSet<RowId> = self.job.alarms.iter().map(|alarm| alarm.row).chain(marked).collect();
        self.settled.withdraw = rows.into_iter().collect();
    }

    fn failed(&mut self, began: Ticks) {
        let (rules, name, now) = (self.rules, &self.job.name, self.now.boot);
        self.had_to_be_restarted_again();
        let acted = self.acted();
        let top = u32::try_from(rules.ladder.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let standing = self.standing();
        (standing.last_good, standing.last_end) = (None, Some(now));
        (standing.after_window, standing.waited) = (false, false);
        // A step that was not tried is not passed over.
        if let Some(acted) = acted {
            standing.rung = acted.saturating_add(1).min(top);
            // Whether an earlier restart would have lasted cannot be known any more.
            standing.trial = None;
        }
        standing.breaker.prune(rules, now);
        let opened = standing.breaker.failed(rules, name, began, now);
        self.withdraw();
        self.opened(opened);
        self.driver_answered();
        self.tell_group(Group::trouble);
    }

    /// The process is not to blame, so its breaker stays: a half-open one keeps its trial.
    fn infrastructure(&mut self) {
        let (rules, name, now) = (&self.view.limits.driver, &self.job.name, self.now.boot);
        self.standing().pause = Some(now.after(rules.pause));
        self.group_void();
        let Some(driver) = &self.outcome.driver else { return self.driver_unanswered() };
        let known = self.state.drivers.entry(driver.clone()).or_default();
        // While all wait for it, only the job that finds out has something to say; that is never one by hand.
        if self.job.cause == Cause::Operator && known.until.is_some() {
            return;
        }
        self.state.dirty.host = true;
        if let Some(until) = known.failed(rules, driver, name, now) {
            self.settled.notices.push(Notice::DriverPaused { driver: driver.clone(), until });
        }
    }

    fn cancelled(&mut self) {
        self.group_void();
        self.driver_unanswered();
    }

    /// Whether a restart was on trial, and another one was needed: it did not last.
    fn had_to_be_restarted_again(&mut self) -> bool {
        let asked = matches!(self.job.cause, Cause::Alarm | Cause::MassAlarm);
        asked && relapsed(self.state, self.rules, &self.job.name, self.now, &mut self.settled.notices)
    }

    fn opened(&mut self, opened: Option<Opened>) {
        let Some(Opened { count, level, until }) = opened else { return };
        let name = self.job.name.clone();
        self.settled.notices.push(Notice::BreakerOpened { name, count, level, until });
    }

    fn tell_group(&mut self, word: Word) {
        group_told(self.state, self.view, &self.job.name, word, self.now, &mut self.settled.notices);
    }

    fn dependents_are_due(&mut self) {
        let because = &self.job.name;
        for dependent in self.view.related.dependents_of(because) {
            let due = Due { because: because.clone(), since: self.now.boot };
            self.state.due.entry(dependent.clone()).or_insert(due);
            self.state.dirty.host = true;
        }
    }

    /// The alarms that a restart answers. Without a check nothing can tell later whether one that came during it, perhaps
    /// because of it, was older than its end, so it is believed for all that were seen by then.
    fn answered(&self) -> Vec<Alarm> {
        let mut answered = self.job.alarms.clone();
        // Which alarms one by hand answers is known to whoever counts it.
        if self.rules.check == Checked::Unchecked && self.job.cause != Cause::Operator {
            let its = self.view.alarms.iter().filter(|its| its.name == self.job.name && !its.acknowledged);
            let others = its.filter(|its| !self.job.alarms.iter().any(|done| done.row == its.row));
            answered.extend(others.cloned());
        }
        answered
    }

    /// These rows are handled, and to be cleared.
    fn clear(&mut self, alarms: &[Alarm], restarted_at: Option<crate::time::Wall>) {
        let recheck = self.now.boot.after(self.rules.grace);
        for alarm in alarms {
            let standing = self.state.standings.entry(self.job.name.clone()).or_default();
            // A mark means that the clearing of this very row waits in the outbox already.
            if standing.handled(alarm).is_none() {
                self.settled.clear.push(Clear { row: alarm.row, notes: alarm.notes.clone(), restarted_at });
            }
            standing.handled.retain(|handled| handled.row != alarm.row);
            standing.handled.push(Handled { row: alarm.row, notes: alarm.notes.clone(), recheck });
        }
    }

    fn standing(&mut self) -> &mut Standing {
        self.state.standings.entry(self.job.name.clone()).or_default()
    }

    /// The group of the process, if it has one with limits.
    fn group(&mut self) -> Option<(&Name, &mut Group, &GroupRules)> {
        let group = self.view.related.group_of(&self.job.name)?;
        let rules = self.view.groups.get(group)?;
        self.state.dirty.host = true;
        Some((group, self.state.groups.entry(group.clone()).or_default(), rules))
    }

    fn group_good(&mut self) {
        let (name, now) = (&self.job.name, self.now.boot);
        let Some((group, its, rules)) = self.group() else { return };
        let group = group.clone();
        if its.good(rules, name, now).is_some() {
            self.settled.notices.push(Notice::GroupClosed { group });
        }
    }

    fn group_void(&mut self) {
        if self.job.cause == Cause::Operator || self.job.verify == Verify::Only {
            return;
        }
        let (name, made) = (&self.job.name, self.made());
        if let Some((_, its, rules)) = self.group() {
            let bucket = its.bucket;
            its.void(rules, name);
            if made {
                its.bucket = bucket;
            }
        }
    }

    /// Whether a restart was made. An attempt that ended with the driver that failed was none.
    fn made(&self) -> bool {
        let in_vain = u32::from(self.outcome.end == End::Infrastructure);
        self.outcome.attempts > in_vain
    }

    fn group_refund(&mut self) {
        if let Some((_, its, rules)) = self.group() {
            its.bucket = its.bucket.given_back(rules.budget);
        }
    }

    /// The step of the ladder that acted last, or that the job began with when an earlier pm has made the restart. None
    /// when it came to none.
    fn acted(&self) -> Option<u32> {
        self.outcome.rung.or_else(|| (self.outcome.attempts > 0).then_some(self.job.rung))
    }

    fn driver_answered(&mut self) {
        let Some(acted) = self.acted() else { return self.driver_unanswered() };
        let Some(driver) = self.rules.ladder.get(acted as usize) else { return };
        let Some(mut known) = self.state.drivers.remove(driver) else { return };
        self.state.dirty.host = true;
        if known.answered() {
            self.settled.notices.push(Notice::DriverBack { driver: driver.clone() });
        }
    }

    /// The job ended without having found out about a driver. One by hand was not to: another of the same name may be.
    fn driver_unanswered(&mut self) {
        if self.job.cause == Cause::Operator {
            return;
        }
        for driver in self.state.drivers.values_mut() {
            driver.unanswered(&self.job.name);
        }
    }
}

/// Whether a bypass of an operator is so long that it must be refused: it always ends, within a day.
#[must_use]
pub fn is_too_long(order: Order, lasts: Option<Duration>) -> bool {
    order == Order::Bypass && lasts.is_none_or(|lasts| lasts > Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests;
