//! How pm and its host come and go: pm is killed, stopped and started, the host reboots, its clock is set.
//!
//! What survives is what the journal keeps; what goes on without pm is what a service manager finishes by itself.

use super::host::{Host, LOOK, Phase, Running};
use super::setup::millis;
use super::words::{self, Kind};
use super::world::Effect;
use pm_policy::breaker::Admission;
use pm_policy::model::{Cause, Checked, Handled, Job, Name, Rules, Standing, Trial};
use pm_policy::state::State;
use pm_policy::time::Ticks;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long running restarts get when pm is stopped: `shutdown_timeout`.
const SHUTDOWN: i64 = 30_000;

/// How pm is.
pub(super) enum Life {
    /// It runs.
    Up,
    /// It has been told to stop, and waits until then for what is running.
    Stopping { until: i64 },
    /// It does not run. What it had begun, and whether that has happened meanwhile.
    Down { left: BTreeMap<Name, Left> },
}

/// A restart that was begun by a pm that is gone.
pub(super) struct Left {
    job: Job,
    happened: Happened,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Happened {
    Yes,
    No,
}

impl Host {
    /// Takes in what becomes of pm, its host or its clock; whether it was that.
    pub(super) fn fares(&mut self, text: &str) -> Result<bool, String> {
        match text {
            "pm is killed" => self.killed(),
            "pm is told to stop" => self.life = Life::Stopping { until: self.now + SHUTDOWN },
            "pm is started" => self.started()?,
            "the host reboots" => self.reboot(),
            _ => {
                let Some(set) = text.strip_prefix("the clock is set ") else { return Ok(false) };
                return self.clock_set(set).map(|()| true);
            }
        }
        Ok(true)
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.life, Life::Down { .. })
    }

    /// When a pm that is stopping waits no longer.
    pub(super) fn stops_at(&self) -> Option<i64> {
        match self.life {
            Life::Stopping { until } => Some(until),
            Life::Up | Life::Down { .. } => None,
        }
    }

    /// A pm that is stopping ends when nothing runs any more, or when it has waited for long enough.
    pub(super) fn end_if_stopped(&mut self) {
        let Life::Stopping { until } = self.life else { return };
        if !self.running.is_empty() && self.now < until {
            return;
        }
        let cut_off: Vec<Name> = self.running.keys().cloned().collect();
        for name in cut_off {
            self.log.say(self.now, Kind::End, name.as_str(), "goes on without pm, which stops");
        }
        self.log.say(self.now, Kind::Script, "", "pm has stopped");
        self.killed();
    }

    /// Nothing is left of pm but its journal and the restarts that are under way.
    fn killed(&mut self) {
        for standing in self.state.standings.values_mut() {
            let kept = std::mem::take(standing);
            *standing = Standing {
                handled: Vec::new(),
                in_flight: None,
                ended: None,
                alarm_since: None,
                waited: false,
                ..kept
            };
        }
        self.state.standings.retain(|_, standing| *standing != Standing::default());
        // Who only looks has noted nothing yet.
        self.running.retain(|_, its| matches!(its.phase, Phase::Act(_) | Phase::Verify));
        let left = |its: &Running| Left { job: its.job.clone(), happened: Happened::No };
        let left = self.running.iter().map(|(name, its)| (name.clone(), left(its))).collect();
        self.life = Life::Down { left };
        self.nothing_is_known();
        self.wake_at = None;
    }

    /// What a restart comes to that pm does not see any more.
    pub(super) fn goes_on_without_pm(&mut self, running: Running) {
        let Running { job, phase: Phase::Act(effect), .. } = running else { return };
        if effect == Effect::NoBus {
            return;
        }
        self.setup.world.restarted(&job.name, effect, self.now);
        if let Life::Down { left } = &mut self.life {
            left.insert(job.name.clone(), Left { job, happened: Happened::Yes });
        }
    }

    fn started(&mut self) -> Result<(), String> {
        let Life::Down { left } = std::mem::replace(&mut self.life, Life::Up) else {
            return Err("pm runs".to_owned());
        };
        self.next_poll = self.now;
        self.running.clear();
        for (name, Left { job, happened }) in left {
            let Some(rules) = self.rules(&name) else { continue };
            let job = self.taken_up(&job, &rules);
            let now = self.clock();
            self.state.resumed(&name, now);
            if happened == Happened::Yes {
                self.log.say(
                    self.now,
                    Kind::Start,
                    name.as_str(),
                    "was restarted meanwhile, so it is only verified",
                );
                let takes = if rules.check == Checked::ByCheck { LOOK } else { 0 };
                let at = self.now + takes;
                self.running.insert(name, Running { job, rules, phase: Phase::Verify, at });
            } else {
                self.log.say(
                    self.now,
                    Kind::Start,
                    name.as_str(),
                    "was not restarted yet, so it is restarted now",
                );
                let running = self.acting(job, rules);
                self.running.insert(name, running);
            }
        }
        Ok(())
    }

    /// The job of an entry that is not finished; what was the one trial of a half-open breaker stays one.
    fn taken_up(&self, job: &Job, rules: &Rules) -> Job {
        let standing = self.state.standing(&job.name);
        let trial = match standing.map(|its| its.breaker.admits(rules, self.clock().boot)) {
            Some(Admission::Probe) => Trial::Probe,
            _ => Trial::No,
        };
        let rung = standing.map_or(0, |standing| match job.cause {
            Cause::Alarm | Cause::MassAlarm => standing.step(rules),
            Cause::Dependency(_) => standing.rung,
            Cause::Operator => 0,
        });
        let (alarms, cause) = (job.alarms.clone(), job.cause.clone());
        Job { alarms, cause, rung, ..Job::by_hand(&job.name, trial) }
    }

    /// Rows whose clearing waits since before pm was started are handled, as soon as it is known whose they are.
    pub(super) fn mark_inherited(&mut self) {
        for clear in &self.pending {
            let row = self.alarms.iter().find(|alarm| alarm.row == clear.row && alarm.notes == clear.notes);
            let Some(alarm) = row else { continue };
            let Some(rules) = self.rules(&alarm.name) else { continue };
            let recheck = self.clock().boot.after(rules.grace);
            let standing = self.state.standings.entry(alarm.name.clone()).or_default();
            if standing.handled(alarm).is_none() {
                standing.handled.push(Handled { row: alarm.row, notes: alarm.notes.clone(), recheck });
            }
        }
    }

    /// The host is switched off and on; pm finds what it stored.
    fn reboot(&mut self) {
        assert!(self.running.is_empty() && self.pending.is_empty(), "reboots are told while nothing runs");
        self.now += 60_000;
        self.booted = self.now - 20_000;
        for standing in self.state.standings.values_mut() {
            let breaker = standing.breaker.after_reboot();
            let (rung, after_window) = (standing.rung, standing.after_window);
            *standing = Standing { breaker, rung, after_window, ..Default::default() };
        }
        let State { standings, groups, mut due, windows, .. } = std::mem::take(&mut self.state);
        let groups = groups.into_iter().map(|(name, group)| (name, group.after_reboot())).collect();
        due.values_mut().for_each(|due| due.since = Ticks(0));
        self.state = State { standings, groups, due, windows, ..State::default() };
        self.nothing_is_known();
        self.next_poll = self.now;
    }

    /// Until the first poll.
    fn nothing_is_known(&mut self) {
        (self.sight, self.polled, self.known) = (None, Ticks(0), None);
        self.alarms.clear();
        self.said.clear();
        self.said_due.clear();
    }

    /// `forward by 2h`, `back by 30m`: the clock that people see, and windows go by.
    fn clock_set(&mut self, how: &str) -> Result<(), String> {
        let (direction, by) = how.split_once(" by ").ok_or_else(|| format!("cannot be understood: {how}"))?;
        let by: Duration = super::script::lasting(by)?;
        self.ahead += match direction {
            "forward" => millis(by),
            "back" => -millis(by),
            _ => return Err(format!("cannot be understood: {direction}")),
        };
        let shows = format!("it shows {}", words::time(self.clock().wall.0));
        self.log.say(self.now, Kind::Script, "", &shows);
        self.wake_at = Some(self.now);
        Ok(())
    }
}
