//! What one look at the alarms shows: who is in alarm, and which root cause everybody waits for.
//!
//! Worked out once per round, in time proportional to the alarms and the edges.

use crate::breaker;
use crate::hold::Trouble;
use crate::model::{Alarm, Configured, Name, Order, Override, Standing, Verify, View, Window};
use crate::relations::{Restored, Waits};
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::{HashMap, HashSet};

/// One look.
pub(crate) struct Sights<'a> {
    pub(crate) view: &'a View<'a>,
    pub(crate) now: Now,
    /// Names with an alarm that was not handled.
    pub(crate) alarmed: HashSet<&'a Name>,
    /// Those of them with a row that nobody has ticked; none when nobody has ticked any, or nobody waits for others.
    unticked: Option<HashSet<&'a Name>>,
    /// Who waits for whom, and what was brought back when; none when nothing depends on anything.
    links: Option<Links<'a>>,
    holds: Vec<&'a Override>,
    bypasses: Vec<&'a Override>,
    observes: Vec<&'a Override>,
    open: Vec<&'a Window>,
}

/// Whether a row has a name and was not handled, or is due to be looked at again.
fn is_live(alarm: &Alarm, state: &State, now: Now) -> bool {
    let handled = state.standing(&alarm.name).and_then(|standing| standing.handled(alarm));
    !alarm.name.is_blank() && handled.is_none_or(|handled| handled.recheck <= now.boot)
}

impl<'a> Sights<'a> {
    pub(crate) fn new(view: &'a View<'a>, state: &State, now: Now) -> Self {
        let live = || view.alarms.iter().filter(|alarm| is_live(alarm, state, now));
        let mut alarmed = HashSet::with_capacity(view.alarms.len());
        alarmed.extend(live().map(|alarm| &alarm.name));
        let somebody_asks = !view.related.is_flat() && view.alarms.iter().any(|alarm| alarm.acknowledged);
        let unticked = || live().filter(|alarm| !alarm.acknowledged).map(|alarm| &alarm.name).collect();
        let in_force = |order: Order| -> Vec<&Override> {
            view.overrides.iter().filter(|o| o.order == order && o.is_in_force(now.wall)).collect()
        };
        let mut sights = Self {
            view,
            now,
            alarmed,
            unticked: somebody_asks.then(unticked),
            links: None,
            holds: in_force(Order::Hold),
            bypasses: in_force(Order::Bypass),
            observes: in_force(Order::Observe),
            open: view.windows.iter().filter(|window| window.is_open(now.wall)).collect(),
        };
        if !view.related.is_flat() {
            let names = view.related.graph().order().iter();
            let troubled = names.filter_map(|name| Some((name, sights.trouble(state, name)?)));
            let troubles: HashMap<&Name, Trouble> = troubled.collect();
            let good =
                state.standings.iter().filter_map(|(name, standing)| Some((name, standing.last_good?)));
            sights.links = Some(Links {
                waits: view.related.waits(troubles.keys().copied()),
                restored: view.related.restored(good),
                troubles,
            });
        }
        sights
    }

    /// Why whoever depends on `name` has to wait.
    fn trouble(&self, state: &State, name: &Name) -> Option<Trouble> {
        let clean = Standing::default();
        let standing = state.standing(name).unwrap_or(&clean);
        if self.held(name).is_some() {
            Some(Trouble::Held)
        } else if standing.in_flight.is_some_and(|job| job.verify != Verify::Only) {
            Some(Trouble::Restarting)
        } else if let breaker::State::Open { until } = standing.breaker.state
            && self.now.boot < until
        {
            Some(Trouble::BreakerOpen { until })
        } else if self.is_alarmed(state, name) {
            Some(self.alarm(name))
        } else if self.is_unproven(standing) {
            Some(if self.window(name).is_some() { Trouble::InWindow } else { Trouble::InAlarm })
        } else {
            state.due.contains_key(name).then_some(Trouble::Due)
        }
    }

    /// What its alarm means for whoever waits: first why pm is not going to restart it by itself.
    fn alarm(&self, name: &Name) -> Trouble {
        if !matches!(self.view.configured.get(name), Some(Configured::Yes(_))) {
            Trouble::Unusable
        } else if self.unticked.as_ref().is_some_and(|unticked| !unticked.contains(name)) {
            Trouble::Ticked
        } else if self.observed(name).is_some() {
            Trouble::Observed
        } else if self.window(name).is_some() {
            Trouble::InWindow
        } else {
            Trouble::InAlarm
        }
    }

    /// Whether it is in alarm, and that is not known to be wrong.
    fn is_alarmed(&self, state: &State, name: &Name) -> bool {
        self.alarmed.contains(name) && !state.mass.disbelieves(name)
    }

    /// Whether it was not brought back by its last job, and no poll has told since then how it is: its row is out of
    /// sight meanwhile, and those that need it must not be let go by that.
    fn is_unproven(&self, standing: &Standing) -> bool {
        standing.alarm_since.is_some() && standing.is_out_of_sight(self.view.polled)
    }

    /// Whether a row calls for something: its name is in alarm, nobody has ticked it and nobody works on it.
    pub(crate) fn calls(&self, alarm: &Alarm) -> bool {
        let name = &alarm.name;
        let left_alone = alarm.acknowledged || self.held(name).is_some() || self.window(name).is_some();
        !left_alone && self.alarmed.contains(name)
    }

    pub(crate) fn group(&self, name: &Name) -> Option<&'a Name> {
        self.view.related.group_of(name)
    }

    /// The hold of an operator that covers `name`.
    pub(crate) fn held(&self, name: &Name) -> Option<&'a Override> {
        self.covering(&self.holds, name)
    }

    pub(crate) fn bypass(&self, name: &Name) -> Option<&'a Override> {
        self.covering(&self.bypasses, name)
    }

    pub(crate) fn observed(&self, name: &Name) -> Option<&'a Override> {
        self.covering(&self.observes, name)
    }

    fn covering(&self, overrides: &[&'a Override], name: &Name) -> Option<&'a Override> {
        if overrides.is_empty() {
            return None;
        }
        let group = self.group(name);
        overrides.iter().copied().find(|its| its.scope.covers(name, group))
    }

    /// The open window that covers `name`; the one that ends last.
    pub(crate) fn window(&self, name: &Name) -> Option<&'a Window> {
        if self.open.is_empty() {
            return None;
        }
        let group = self.group(name);
        self.open
            .iter()
            .copied()
            .filter(|window| window.covers(name, group))
            .max_by_key(|window| window.until)
    }

    /// The root cause that `name` waits for, and what is the matter with it.
    pub(crate) fn cause(&self, name: &Name) -> Option<(&'a Name, Trouble)> {
        let links = self.links.as_ref()?;
        let cause = links.waits.of(name)?;
        Some((cause, *links.troubles.get(cause)?))
    }

    /// When a restart left the last of all that `name` depends on healthy.
    pub(crate) fn restored(&self, name: &Name) -> Option<Ticks> {
        self.links.as_ref()?.restored.of(name)
    }

    /// The wave of `name`.
    pub(crate) fn wave(&self, name: &Name) -> u32 {
        if self.links.is_some() { self.view.related.depth(name) } else { 0 }
    }
}

/// What comes down along dependencies.
struct Links<'a> {
    waits: Waits<'a>,
    restored: Restored<'a>,
    troubles: HashMap<&'a Name, Trouble>,
}

#[cfg(test)]
mod tests;
