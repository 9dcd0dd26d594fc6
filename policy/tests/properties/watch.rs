//! What must hold whatever happens. It remembers on its own what was announced and what was begun, and knows the rules from the
//! book, not from the code: where it looks at what pm remembers, it asks whether a change had a reason.

use crate::rig::Broken;
use crate::shadow::{Breaker, Group, Stands, at_level};
use pm_policy::group::GroupState;
use pm_policy::model::{Cause, Configured, End, Job, Name, Notice, Order, Outcome, Rules, Sight, Verify};
use pm_policy::state::State;
use pm_policy::testing::{World, secs};
use pm_policy::time::Ticks;
use std::collections::{BTreeMap, BTreeSet};

/// The watch.
#[derive(Default)]
pub(crate) struct Watch {
    breakers: BTreeMap<Name, Breaker>,
    group: Group,
    driver: Option<Away>,
    /// Who was in alarm when a mass alarm began that is still being looked at.
    suspects: BTreeSet<Name>,
    /// When each job that runs began.
    began: BTreeMap<Name, Ticks>,
}

/// A driver that failed too often.
struct Away {
    until: Ticks,
    /// Whose job finds out.
    finds_out: Option<Name>,
}

/// Says which rule was broken, unless it holds.
macro_rules! must {
    ($holds:expr, $($rule:tt)+) => {
        if !$holds {
            return Err(format!($($rule)+));
        }
    };
}

impl Watch {
    /// Time has passed: everything that changed had a reason.
    pub(crate) fn passed(&mut self, before: &State, world: &World, notices: &[Notice]) -> Result<(), Broken> {
        for (name, standing) in &before.standings {
            let after = world.state.standing(name).cloned().unwrap_or_default();
            let shadow = self.breakers.entry(name.clone()).or_default();
            let judged = |notice: &Notice| matches!(notice, Notice::Lasted { name: its } | Notice::Relapsed { name: its, .. } if its == name);
            if standing.trial.is_some() && after.trial.is_none() && !notices.iter().any(judged) {
                shadow.unjudged();
                continue;
            }
            let counted = |its: &pm_policy::breaker::Breaker| its.failures > 0 || !its.useless.is_empty();
            if counted(&standing.breaker) && !counted(&after.breaker) {
                let seen_up_to = world.polled.unwrap_or(world.now.boot);
                let quiet = seen_up_to.since(shadow.last_counted());
                must!(
                    quiet >= rules(world, name).stable && world.sight == Sight::Clear,
                    "{name} was forgiven after {quiet:?} only"
                );
                shadow.counted.clear();
            }
        }
        self.told(world, notices)?;
        if self.suspects.is_empty() {
            return Ok(());
        }
        // Whoever is not in alarm any more is no suspect; whose row is out of sight may still be.
        let alarmed = |name: &Name| world.alarms.iter().any(|alarm| alarm.name == *name);
        let hidden = world.polled.is_some() || world.sight == Sight::Blind;
        self.suspects.retain(|name| hidden || alarmed(name));
        Ok(())
    }

    /// A job begins that `decide` wants.
    pub(crate) fn begins(
        &mut self,
        world: &World,
        job: &Job,
        running: &BTreeMap<Name, Job>,
    ) -> Result<(), Broken> {
        let (name, now) = (&job.name, world.now.boot);
        let group = world.related.group_of(name);
        let ordered = |order: Order| {
            let in_force = world.overrides.iter().filter(|its| its.is_in_force(world.now.wall));
            in_force.filter(|its| its.order == order).any(|its| its.scope.covers(name, group))
        };
        must!(!running.contains_key(name), "{name} runs twice");
        must!(!ordered(Order::Hold), "{name} begins while it is held");
        must!(!ordered(Order::Observe), "{name} begins while it is only observed");
        let in_window = world.windows.iter().any(|window| {
            window.from <= world.now.wall && world.now.wall < window.until && window.covers(name, group)
        });
        must!(!in_window, "{name} begins in a maintenance window");
        self.began.insert(name.clone(), now);
        if job.verify == Verify::Only {
            return Ok(());
        }
        must!(
            !self.suspects.contains(name),
            "{name} is restarted while the alarms of a mass alarm are looked at"
        );
        let shadow = self.breakers.entry(name.clone()).or_default();
        if !ordered(Order::Bypass) {
            shadow.begins(rules(world, name), now).map_err(|why| format!("{name}: {why}"))?;
            if group.is_some_and(|group| world.groups.contains_key(group)) {
                self.group.begins(name, now)?;
            }
        } else if group.is_some() {
            self.group.bypassed(name, now);
        }
        self.driver_is_asked(name, now)
    }

    fn driver_is_asked(&mut self, name: &Name, now: Ticks) -> Result<(), Broken> {
        let Some(away) = &mut self.driver else { return Ok(()) };
        must!(now >= away.until, "{name} asks a driver that is paused");
        let other = away.finds_out.replace(name.clone());
        must!(
            other.is_none(),
            "{name} asks a driver that is away, while {} finds out",
            other.as_ref().map_or("?", Name::as_str)
        );
        Ok(())
    }

    /// A job ended, or a restart by hand.
    pub(crate) fn ended(
        &mut self,
        before: &State,
        world: &World,
        job: &Job,
        outcome: &Outcome,
        notices: &[Notice],
    ) -> Result<(), Broken> {
        self.others_are_untouched(before, world, job)?;
        let (name, now, by_hand) = (&job.name, world.now.boot, job.cause == Cause::Operator);
        let began = if by_hand { now } else { self.began.remove(name).unwrap_or(now) };
        let shadow = self.breakers.entry(name.clone()).or_default();
        if job.verify != Verify::Only {
            shadow.ended(job, outcome.end, began, now);
        }
        let grouped = world.related.group_of(name).is_some();
        if grouped && !by_hand && job.verify != Verify::Only {
            self.group.ended(name, outcome.end);
        }
        self.told(world, notices)?;
        if let Some(away) = &mut self.driver
            && away.finds_out.as_ref() == Some(name)
            && !by_hand
            && job.verify != Verify::Only
        {
            away.finds_out = None;
            let again = world.state.drivers.get(&Name::new("service")).and_then(|its| its.until);
            away.until = again.unwrap_or(away.until);
            if outcome.end == End::Infrastructure {
                let pause = away.until.since(now);
                must!(
                    (secs(8)..=secs(138)).contains(&pause),
                    "the driver that {name} found away is paused for {pause:?}"
                );
            }
        }
        Ok(())
    }

    /// An attempt changes nothing of other processes, and one that is not the running one nothing of that.
    fn others_are_untouched(&self, before: &State, world: &World, job: &Job) -> Result<(), Broken> {
        let (name, after) = (&job.name, &world.state);
        let names: BTreeSet<&Name> = before.standings.keys().chain(after.standings.keys()).collect();
        for other in names.into_iter().filter(|other| *other != name) {
            must!(
                before.standing(other) == after.standing(other),
                "what came of {name} changed what is remembered of {other}"
            );
        }
        if job.cause != Cause::Operator {
            return Ok(());
        }
        let own =
            |state: &State| state.standing(name).map(|its| (its.in_flight, its.ended)).unwrap_or_default();
        must!(own(before) == own(after), "a restart of {name} by hand ended the one that runs");
        must!(before.storm == after.storm, "a restart of {name} by hand took of the storm limit");
        for (group, its) in &before.groups {
            let GroupState::CanaryRuns(canary) = &its.state else { continue };
            let still = after.groups.get(group).map(|its| &its.state);
            must!(
                canary == name || still == Some(&its.state),
                "a restart of {name} by hand ended the trial of {canary}"
            );
        }
        Ok(())
    }

    fn told(&mut self, world: &World, notices: &[Notice]) -> Result<(), Broken> {
        let now = world.now.boot;
        for notice in notices {
            match notice {
                Notice::BreakerOpened { name, level, until, .. } => {
                    let its = rules(world, name);
                    let time = at_level(its.open_time, its.open_max, *level);
                    stays_open(name, until.since(now), time, its.open_jitter)?;
                    self.breaker(name).stands = Stands::Open { until: *until };
                }
                Notice::BreakerHalfOpen { name } => {
                    let its = self.breaker(name);
                    let early = matches!(its.stands, Stands::Open { until } if now < until);
                    must!(!early, "the breaker of {name} is half-open before its time");
                    its.half_open();
                }
                Notice::BreakerClosed { name } => *self.breaker(name) = Breaker::default(),
                Notice::GroupOpened { group, until, .. } => {
                    let (its, level) =
                        (&world.groups[group], world.state.groups.get(group).map_or(0, |its| its.level));
                    let time = at_level(its.open_time, its.open_max, level);
                    stays_open(group, until.since(now), time, 15)?;
                    self.group.stands = Stands::Open { until: *until };
                }
                Notice::GroupHalfOpen { .. } => self.group.half_open(),
                Notice::GroupReleasing { .. } | Notice::GroupClosed { .. } => {
                    self.group.stands = Stands::Closed;
                }
                Notice::DriverPaused { until, .. } => {
                    self.driver = Some(Away { until: *until, finds_out: None });
                }
                Notice::DriverBack { .. } => self.driver = None,
                Notice::MassAlarm { alarms, .. } => {
                    self.suspects = world.state.mass.suspects.clone();
                    must!(
                        self.suspects.len() as u64 >= *alarms,
                        "{alarms} make a mass alarm, {} are looked at",
                        self.suspects.len()
                    );
                }
                Notice::MassHeld { .. } | Notice::MassBelieved { .. } | Notice::MassOver => {
                    self.suspects.clear();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn breaker(&mut self, name: &Name) -> &mut Breaker {
        self.breakers.entry(name.clone()).or_default()
    }

    /// An operator has reset a process.
    pub(crate) fn reset(&mut self, name: &Name) {
        self.breakers.remove(name);
    }

    /// An operator has reset the group.
    pub(crate) fn reset_group(&mut self) {
        self.group = Group::default();
    }

    /// An operator believes the mass alarm.
    pub(crate) fn believed(&mut self) {
        self.suspects.clear();
    }
}

/// Whether something that opened stays so for the time of its level, moved by no more than its jitter.
fn stays_open(
    who: &Name,
    stays: std::time::Duration,
    time: std::time::Duration,
    jitter: u8,
) -> Result<(), Broken> {
    let moved = time.mul_f64(f64::from(jitter) / 100.0) + std::time::Duration::from_millis(1);
    must!(stays + moved >= time && stays <= time + moved, "{who} opened for {stays:?}, and {time:?} was due");
    Ok(())
}

fn rules<'w>(world: &'w World, name: &Name) -> &'w Rules {
    match world.configured.get(name) {
        Some(Configured::Yes(rules)) => rules,
        _ => unreachable!("all are configured"),
    }
}
