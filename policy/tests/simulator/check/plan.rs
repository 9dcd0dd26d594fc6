//! The rules of a plan and of each job that begins: nothing lost, nothing twice, nothing that anybody forbade.

use super::{Check, Moment, Verdict, covered, ensure, in_window};
use pm_policy::breaker::State as BreakerState;
use pm_policy::model::{
    Alarm, Cause, Checked, Configured, End, Hold, Intake, Job, Name, Notice, Order, Outcome, Plan, RowId,
    Rules, Settlement, Sight, Table, Verify, View,
};
use pm_policy::state::State;
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) fn rules<'a>(view: &View<'a>, name: &Name) -> Option<&'a Rules> {
    match view.configured.get(name) {
        Some(Configured::Yes(rules)) => Some(rules),
        _ => None,
    }
}

/// How a job ended, and what followed.
pub(crate) struct Ended<'a> {
    pub(crate) job: &'a Job,
    pub(crate) outcome: &'a Outcome,
    pub(crate) settled: &'a Settlement,
    pub(crate) rules: &'a Rules,
}

/// Whether a row stands in alarm and was not handled.
pub(crate) fn is_live(alarm: &Alarm, state: &State, at: Moment) -> bool {
    let mark = state.standing(&alarm.name).and_then(|standing| standing.handled(alarm));
    mark.is_none_or(|mark| mark.recheck <= at.now.boot)
}

impl Check {
    /// pm looks at its alarms.
    pub(crate) fn looks(&mut self, view: &View<'_>, state: &State, at: Moment) {
        self.tally.polls += 1;
        let live = view.alarms.iter().filter(|alarm| is_live(alarm, state, at));
        let names: BTreeSet<&Name> = live.map(|alarm| &alarm.name).collect();
        for group in self.groups.values_mut() {
            group.looks(&names, view.sight, at.t);
        }
        for (name, life) in &mut self.lives {
            if !names.contains(name) {
                (life.seen_since, life.in_window) = (None, false);
            }
        }
        for name in names {
            let work = in_window(view, name, at.now);
            let life = self.life(name);
            life.seen_since.get_or_insert(at.t);
            if work {
                life.worked_on();
            }
        }
        for (name, life) in &mut self.lives {
            if view.configured.get(name) == Some(&Configured::No) {
                life.removed();
            }
        }
        let checked = |name: &Name| rules(view, name).is_some_and(|its| its.check == Checked::ByCheck);
        let left_over = self.lives.iter().filter(|(name, life)| life.left_over && checked(name));
        let left_over = left_over.map(|(name, _)| name.clone()).collect();
        self.mass.looks(view, left_over, state, at);
    }

    pub(crate) fn planned(&mut self, plan: &Plan, view: &View<'_>, state: &State, at: Moment) -> Verdict {
        self.mass.noticed(view, state, at)?;
        let mut rows: Vec<i64> =
            plan.start.iter().flat_map(|job| &job.alarms).map(|alarm| alarm.row.0).collect();
        rows.extend(plan.held.iter().map(|(index, _)| view.alarms[*index].row.0));
        rows.sort_unstable();
        let mut all: Vec<i64> = view.alarms.iter().map(|alarm| alarm.row.0).collect();
        all.sort_unstable();
        ensure(rows == all, "every alarm is started or held, once", || {
            format!("{rows:?} of {all:?} at {}", at.t)
        })?;
        let names: BTreeSet<&Name> = plan.start.iter().map(|job| &job.name).collect();
        ensure(names.len() == plan.start.len(), "one job for a name", || format!("{names:?}"))?;
        let running = state.running() + plan.start.len();
        let most = view.limits.parallel.max(state.running());
        ensure(running <= most, "so many at once", || format!("{running} of {most}"))?;
        for (_, hold) in &plan.held {
            *self.tally.holds.entry(hold.word()).or_default() += 1;
        }
        let ended = plan.held.iter().filter_map(|(_, hold)| hold.ends(at.now));
        let due = plan.due_held.iter().filter_map(|(_, hold)| hold.ends(at.now));
        let first = ended.chain(due).min();
        ensure(plan.wake_at == first, "the plan knows when to look again", || {
            format!("{:?} {first:?}", plan.wake_at)
        })?;
        self.in_order(plan, view, at)
    }

    /// Who is held for want of a place or of the storm limit is not more urgent than who is started.
    fn in_order(&self, plan: &Plan, view: &View<'_>, at: Moment) -> Verdict {
        let rank = |name: &Name| rules(view, name).map(|its| (its.criticality, view.related.depth(name)));
        for (index, hold) in &plan.held {
            let restarts_only = match hold {
                Hold::Capacity { .. } => false,
                Hold::Storm { .. } => true,
                _ => continue,
            };
            let name = &view.alarms[*index].name;
            // Who was tried in vain comes last while a group is let go.
            let group = view.related.group_of(name).and_then(|group| self.groups.get(group));
            if group.is_some_and(|group| group.may_come_last(name)) {
                continue;
            }
            let before = plan.start.iter().filter(|job| !job.alarms.is_empty());
            for job in before.filter(|job| !restarts_only || job.verify != Verify::Only) {
                let right = rank(&job.name) <= rank(name);
                ensure(right, "the urgent ones first", || format!("{} before {name} at {}", job.name, at.t))?;
            }
        }
        Ok(())
    }

    /// A job begins: called in the order of the plan.
    pub(crate) fn begins(&mut self, job: &Job, view: &View<'_>, state: &State, at: Moment) -> Verdict {
        let name = &job.name;
        let told = || format!("{name} at {}: {job:?}", at.t);
        ensure(!covered(view, Order::Hold, name, at.now), "never while it is held", told)?;
        ensure(!in_window(view, name, at.now), "never in a maintenance window", told)?;
        ensure(!covered(view, Order::Observe, name, at.now), "never while it is observed", told)?;
        ensure(view.intake == Intake::Open, "never while pm only observes or stops", told)?;
        ensure(self.running.insert(name.clone()), "never two of one name", told)?;
        let ticked = view.alarms.iter().filter(|alarm| alarm.acknowledged);
        let ticked: BTreeSet<i64> = ticked.map(|alarm| alarm.row.0).collect();
        let is_ticked = job.alarms.iter().any(|alarm| ticked.contains(&alarm.row.0));
        ensure(!is_ticked, "never what is ticked", told)?;
        let rules = rules(view, name).ok_or_else(|| format!("never what is not configured: {name}"))?;
        ensure(job.chain.iter().all(|(_, saw)| !saw.is_empty()), "each check says what it saw", told)?;
        self.mass.begins(job, at)?;
        let bypassed = covered(view, Order::Bypass, name, at.now);
        self.life(name).runs(at.t);
        if job.verify == Verify::Only {
            self.tally.looks += 1;
            return ensure(rules.check == Checked::ByCheck, "only a check can look", told);
        }
        self.tally.restarts += 1;
        self.dependencies(name, view, state, at)?;
        // A bypass passes the breaker, and waits for ten seconds at the most.
        let longest = if bypassed { Duration::from_secs(10) } else { Duration::MAX };
        self.life(name).pauses(rules, job, longest, at.t)?;
        if !bypassed {
            self.life(name).begins(rules, job, at.t)?;
        }
        if let Some(group) = view.related.group_of(name).filter(|group| view.groups.contains_key(group)) {
            self.group(group, view).begins(name, bypassed, at.t)?;
        }
        let budget = view.limits.storm;
        ensure(self.storm.take(budget, at.t), "no storm of restarts", || format!("{name} at {}", at.t))?;
        if let Some(driver) = rules.ladder.get(job.rung as usize) {
            let early = self.drivers.get(driver).is_some_and(|until| at.t < *until);
            ensure(!early, "nobody asks a driver that is away", told)?;
        }
        self.doubts(job, rules, view, at)
    }

    /// Nothing is restarted while anything that it depends on is in trouble.
    fn dependencies(&self, name: &Name, view: &View<'_>, state: &State, at: Moment) -> Verdict {
        for needed in needed(name, view) {
            let alarmed = view.alarms.iter().any(|alarm| alarm.name == needed && is_live(alarm, state, at))
                && !self.mass.disbelieves(&needed);
            let standing = state.standing(&needed).cloned().unwrap_or_default();
            let open = matches!(standing.breaker.state, BreakerState::Open { until } if at.now.boot < until);
            let held = covered(view, Order::Hold, &needed, at.now);
            // Who is only looked at is not restarted.
            let busy = standing.in_flight.is_some_and(|job| job.verify != Verify::Only);
            let trouble = alarmed || open || held || busy || state.due.contains_key(&needed);
            ensure(!trouble, "what it depends on comes first", || {
                format!("{name} before {needed} at {}", at.t)
            })?;
        }
        Ok(())
    }

    /// Whatever a check can still refute is looked at before it is restarted.
    fn doubts(&mut self, job: &Job, rules: &Rules, view: &View<'_>, at: Moment) -> Verdict {
        if rules.check == Checked::Unchecked || job.cause != Cause::Alarm || job.verify != Verify::AfterOnly {
            return Ok(());
        }
        let suspect = self.mass.is_suspect(&job.name);
        let doubt = rules.doubt.as_millis() as u64;
        let back: Vec<_> =
            needed(&job.name, view).iter().filter_map(|name| self.life(name).good_at).collect();
        let life = self.life(&job.name);
        let since = life.seen_since.unwrap_or(at.t);
        let just_behind = |good: u64| since < good + doubt;
        let short = rules.stable.min(rules.window).as_millis() as u64;
        let tried = life.last_end();
        let restored = back
            .into_iter()
            .any(|good| just_behind(good) && at.t - good < short / 2 && tried.is_none_or(|end| end < good));
        let reasons = [
            ("the table cannot be written", view.table == Table::ReadOnly),
            ("many others are in alarm", suspect && !life.bad),
            ("somebody worked on it", life.in_window),
            ("pm has just restarted it", life.good_at.is_some_and(just_behind)),
            ("what it depends on has come back", restored),
            ("the table cannot be read", view.sight == Sight::Blind),
            ("the operator wants it so", rules.verify == Verify::First),
        ];
        let reasons: Vec<_> = reasons.iter().filter(|(_, holds)| *holds).map(|(reason, _)| *reason).collect();
        ensure(reasons.is_empty(), "look before what can be refuted", || {
            format!("{} at {}: {reasons:?}", job.name, at.t)
        })
    }

    /// A job ended, and this is what followed.
    pub(crate) fn settled(
        &mut self,
        ended: &Ended<'_>,
        view: &View<'_>,
        state: &State,
        at: Moment,
    ) -> Verdict {
        let Ended { job, outcome, settled, rules } = ended;
        self.running.remove(&job.name);
        *self.tally.ends.entry(format!("{:?}", outcome.end)).or_default() += 1;
        let told = || format!("{} at {}: {:?}", job.name, at.t, settled.notices);
        let counted = job.verify != Verify::Only && job.cause != Cause::Operator;
        if counted && outcome.attempts == 0 && outcome.end != End::HandedOver {
            self.storm.give_back(view.limits.storm, at.t);
        }
        self.mass.settled(job, outcome.end);
        self.drivers(outcome, rules, settled)?;
        let must_open = self.life(&job.name).settled(rules, job, outcome.end, at.t);
        let opened = settled
            .notices
            .iter()
            .any(|n| matches!(n, Notice::BreakerOpened { name, .. } if *name == job.name));
        ensure(opened || !must_open, "failures in a row open the breaker", told)?;
        if let Some(group) = view.related.group_of(&job.name).filter(|group| view.groups.contains_key(group))
        {
            let must_open = self.group(group, view).settled(job, outcome, at.t);
            let opened = settled.notices.iter().any(|n| matches!(n, Notice::GroupOpened { .. }));
            ensure(opened || !must_open, "trouble in several members opens their group", told)?;
        }
        let helped =
            matches!(outcome.end, End::Restarted | End::AlreadyHealthy) && job.cause != Cause::MassAlarm;
        ensure(settled.clear.is_empty() || helped, "only what is well is cleared", told)?;
        // Without a check a restart answers whatever of it was in alarm before it ended.
        let of_name = |row: RowId| view.alarms.iter().any(|its| its.row == row && its.name == job.name);
        let answered = |row: RowId| rules.check == Checked::Unchecked && of_name(row);
        let of_job = |row: RowId| job.alarms.iter().any(|alarm| alarm.row == row);
        let its_rows = settled.clear.iter().all(|clear| of_job(clear.row) || answered(clear.row));
        ensure(its_rows, "only rows of the job are cleared", told)?;
        self.told(&settled.notices, view, state, at)
    }

    /// A restart that was made by hand is counted; a job of the daemon's own may run meanwhile.
    pub(crate) fn counted(
        &mut self,
        ended: &Ended<'_>,
        view: &View<'_>,
        state: &State,
        at: Moment,
    ) -> Verdict {
        let name = &ended.job.name;
        let (own, runs) = (self.life(name).restarts_at(at.t), self.running.contains(name));
        self.settled(ended, view, state, at)?;
        if runs {
            self.running.insert(name.clone());
        }
        self.life(name).runs(own);
        Ok(())
    }

    /// A driver that fails three times in a row is left alone.
    fn drivers(&mut self, outcome: &Outcome, rules: &Rules, settled: &Settlement) -> Verdict {
        let answered = matches!(outcome.end, End::Restarted | End::Failed);
        if let Some(driver) =
            outcome.rung.filter(|_| answered).and_then(|rung| rules.ladder.get(rung as usize))
        {
            self.driver_failures.remove(driver);
        }
        let Some(driver) = &outcome.driver else { return Ok(()) };
        let failures = self.driver_failures.entry(driver.clone()).or_default();
        *failures += 1;
        let paused = settled
            .notices
            .iter()
            .any(|n| matches!(n, Notice::DriverPaused { driver: its, .. } if its == driver));
        ensure(paused || *failures != 3, "a driver that fails again and again is paused", || {
            driver.to_string()
        })
    }

    /// A clearing reached the table; `left` is whether another row still tells of the process.
    pub(crate) fn cleared(&mut self, name: &Name, left: bool, t: u64) -> Verdict {
        let bad = self.life(name).bad && !left;
        ensure(!bad, "no alarm of a process that is known to be bad is cleared", || format!("{name} at {t}"))
    }
}

/// All that `name` depends on, directly or not.
fn needed(name: &Name, view: &View<'_>) -> BTreeSet<Name> {
    let (mut all, mut open) = (BTreeSet::new(), vec![name.clone()]);
    while let Some(next) = open.pop() {
        for needed in view.related.depends_on(&next) {
            if all.insert(needed.clone()) {
                open.push(needed.clone());
            }
        }
    }
    all
}
