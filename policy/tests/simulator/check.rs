//! What must hold at every step, whatever happens: each rule is worked out here a second time, from what was announced
//! and begun, without asking what the policy remembers.
//!
//! Where the policy may know better (a stable period was forgiven in silence), the check gives it the benefit of the
//! doubt; it never demands more than the rules say.

mod breaker;
mod group;
mod mass;
mod plan;
mod tokens;

use crate::world::{Ms, World};
use breaker::Shadow;
use group::GroupShadow;
use mass::MassShadow;
pub(crate) use plan::Ended;
use pm_policy::model::{Alarm, Name, Notice, Order, Rules, View};
use pm_policy::state::State;
use pm_policy::time::{Now, Ticks};
use std::collections::{BTreeMap, BTreeSet};
use tokens::Tokens;

/// A rule that was broken, and how.
pub(crate) type Verdict = Result<(), String>;

/// The moment of a step.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) t: Ms,
    pub(crate) now: Now,
}

impl Moment {
    /// A moment of the boot clock as one of the year.
    fn of(self, ticks: Ticks) -> Ms {
        (self.t + ticks.0).saturating_sub(self.now.boot.0)
    }
}

/// What was counted, to know that the year was not an idle one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) polls: u64,
    pub(crate) restarts: u64,
    pub(crate) looks: u64,
    pub(crate) holds: BTreeMap<&'static str, u64>,
    pub(crate) notices: BTreeMap<&'static str, u64>,
    pub(crate) ends: BTreeMap<String, u64>,
    pub(crate) quiet: u64,
}

#[derive(Default)]
pub(crate) struct Check {
    pub(crate) tally: Tally,
    rules: BTreeMap<Name, Rules>,
    lives: BTreeMap<Name, Shadow>,
    groups: BTreeMap<Name, GroupShadow>,
    storm: Tokens,
    mass: MassShadow,
    /// Until when nobody may ask a driver.
    drivers: BTreeMap<Name, Ms>,
    driver_failures: BTreeMap<Name, u32>,
    windows: BTreeSet<Name>,
    /// Who has a job.
    running: BTreeSet<Name>,
    /// The highest number of an attempt.
    last_id: u64,
}

/// `rule` is broken unless `holds`.
fn ensure(holds: bool, rule: &str, detail: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(format!("{rule}: {}", detail())) }
}

fn covered(view: &View<'_>, order: Order, name: &Name, now: Now) -> bool {
    let group = view.related.group_of(name);
    view.overrides.iter().any(|o| {
        o.order == order && o.scope.covers(name, group) && o.until.is_none_or(|until| now.wall < until)
    })
}

fn in_window(view: &View<'_>, name: &Name, now: Now) -> bool {
    let group = view.related.group_of(name);
    view.windows
        .iter()
        .any(|w| w.from <= now.wall && now.wall < w.until && w.scopes.iter().any(|s| s.covers(name, group)))
}

impl Check {
    pub(crate) fn new(world: &World) -> Self {
        let rules = world.processes.iter().map(|its| (its.name.clone(), its.rules.clone())).collect();
        Self { rules, ..Self::default() }
    }

    fn life(&mut self, name: &Name) -> &mut Shadow {
        self.lives.entry(name.clone()).or_default()
    }

    /// Takes in what people were told.
    pub(crate) fn told(&mut self, notices: &[Notice], view: &View<'_>, state: &State, at: Moment) -> Verdict {
        for notice in notices {
            *self.tally.notices.entry(word(notice)).or_default() += 1;
            match notice {
                Notice::BreakerOpened { name, level, until, .. } => {
                    let rules = &self.rules[name].clone();
                    self.life(name).opened(rules, name, *level, at.of(*until), at.t)?;
                }
                Notice::BreakerClosed { name } | Notice::Lasted { name } => {
                    let rules = &self.rules[name].clone();
                    self.life(name).proved(rules, name, at.t)?;
                    if matches!(notice, Notice::BreakerClosed { .. }) {
                        self.life(name).closed();
                    }
                }
                Notice::GroupOpened { group, until, .. } => self.group(group, view).opened(at.of(*until)),
                Notice::GroupHalfOpen { group } => self.group(group, view).half_open(group, at.t)?,
                Notice::GroupReleasing { group } => self.group(group, view).releasing(group, at.t)?,
                Notice::GroupClosed { group } => self.group(group, view).closed(at.t),
                Notice::DriverPaused { driver, until } => {
                    self.drivers.insert(driver.clone(), at.of(*until));
                }
                Notice::DriverBack { driver } => {
                    let paused = self.drivers.remove(driver).is_some();
                    ensure(paused, "a driver comes back that was away", || driver.to_string())?;
                }
                Notice::WindowStarted { id, .. } => {
                    ensure(self.windows.insert(id.clone()), "a window is announced once", || id.to_string())?;
                }
                Notice::WindowEnded { id, .. } => {
                    ensure(self.windows.remove(id), "a window ends once", || id.to_string())?;
                }
                Notice::MassAlarm { .. }
                | Notice::MassHeld { .. }
                | Notice::MassBelieved { .. }
                | Notice::MassOver => {
                    self.mass.told(notice, view, state, at)?;
                }
                Notice::BreakerHalfOpen { .. }
                | Notice::FailuresForgotten { .. }
                | Notice::Relapsed { .. } => {}
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &Name, view: &View<'_>) -> &mut GroupShadow {
        let rules = view.groups[group].clone();
        self.groups.entry(group.clone()).or_insert_with(|| GroupShadow::new(rules))
    }

    /// pm was killed: what its jobs took and did not settle is not known any more.
    pub(crate) fn crashed(&mut self, running: impl Iterator<Item = Name>) {
        self.running.clear();
        for name in running {
            self.life(&name).lost();
            for group in self.groups.values_mut() {
                group.lost(&name);
            }
        }
        self.lives.values_mut().for_each(|life| life.seen_since = None);
    }

    /// The machine was rebooted: open breakers are due for a trial, and restarts before it say nothing.
    pub(crate) fn rebooted(&mut self, t: Ms) {
        self.lives.values_mut().for_each(|life| life.rebooted(t));
        self.groups.values_mut().for_each(|group| group.rebooted(t));
        self.drivers.clear();
        self.driver_failures.clear();
        self.storm = Tokens::default();
        self.mass = MassShadow::default();
    }

    /// A job begins that nobody but an operator, or an earlier pm, has decided.
    pub(crate) fn runs(&mut self, name: &Name, t: Ms) {
        self.running.insert(name.clone());
        self.life(name).runs(t);
    }

    /// An attempt has got its number.
    pub(crate) fn numbered(&mut self, id: u64) -> Verdict {
        ensure(id > self.last_id, "a number is never used again", || format!("{id} after {}", self.last_id))?;
        self.last_id = id;
        Ok(())
    }

    /// Numbers, groups and dependencies are others than before.
    pub(crate) fn reloaded(&mut self, world: &World) {
        for its in &world.processes {
            if self.rules.insert(its.name.clone(), its.rules.clone()).as_ref() != Some(&its.rules) {
                self.life(&its.name).reloaded();
            }
        }
        for (name, group) in &mut self.groups {
            group.reloaded(world.groups[name].clone());
        }
        self.storm = Tokens::default();
    }

    pub(crate) fn reset(&mut self, name: &Name) {
        self.life(name).reset();
    }

    pub(crate) fn reset_group(&mut self, group: &Name, t: Ms) {
        if let Some(group) = self.groups.get_mut(group) {
            group.closed(t);
        }
    }

    /// How long the breaker of a process can stay open, if what is wrong is put right now.
    pub(crate) fn open_for(&self, name: &Name, t: Ms) -> Ms {
        self.lives.get(name).map_or(0, |life| life.open_for(&self.rules[name], t))
    }

    /// A poll shows who is in alarm.
    pub(crate) fn polled(&mut self, in_alarm: &[Alarm], t: Ms) {
        for (name, life) in &mut self.lives {
            life.polled(in_alarm.iter().any(|alarm| alarm.name == *name), t);
        }
        self.mass.polled(in_alarm);
    }

    /// An operator believes a mass alarm.
    pub(crate) fn believed(&mut self) {
        self.mass.believed();
    }
}

fn word(notice: &Notice) -> &'static str {
    match notice {
        Notice::BreakerOpened { .. } => "breaker-opened",
        Notice::BreakerHalfOpen { .. } => "breaker-half-open",
        Notice::BreakerClosed { .. } => "breaker-closed",
        Notice::FailuresForgotten { .. } => "failures-forgotten",
        Notice::Relapsed { .. } => "relapsed",
        Notice::Lasted { .. } => "lasted",
        Notice::GroupOpened { .. } => "group-opened",
        Notice::GroupHalfOpen { .. } => "group-half-open",
        Notice::GroupReleasing { .. } => "group-releasing",
        Notice::GroupClosed { .. } => "group-closed",
        Notice::DriverPaused { .. } => "driver-paused",
        Notice::DriverBack { .. } => "driver-back",
        Notice::MassAlarm { .. } => "mass-alarm",
        Notice::MassHeld { .. } => "mass-held",
        Notice::MassBelieved { .. } => "mass-believed",
        Notice::MassOver => "mass-over",
        Notice::WindowStarted { .. } => "window-started",
        Notice::WindowEnded { .. } => "window-ended",
    }
}
