//! What one look at the alarms shows: who is in alarm, and which root cause everybody waits for.
//!
//! Worked out once per round, in time proportional to the alarms and the edges.

use crate::breaker;
use crate::hold::Trouble;
use crate::model::{Alarm, Name, Order, Override, Standing, View, Window};
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::HashSet;

/// One look.
pub(crate) struct Sights<'a> {
    pub(crate) view: &'a View<'a>,
    pub(crate) now: Now,
    /// Names with an alarm that was not handled.
    pub(crate) alarmed: HashSet<&'a Name>,
    /// By node of the graph: the root cause it waits for.
    causes: Vec<Option<(Name, Trouble)>>,
    /// By node of the graph: when the last of all that it depends on was brought back.
    restored: Vec<Option<Ticks>>,
    holds: Vec<&'a Override>,
    bypasses: Vec<&'a Override>,
    observes: Vec<&'a Override>,
    open: Vec<&'a Window>,
}

impl<'a> Sights<'a> {
    pub(crate) fn new(view: &'a View<'a>, state: &State, now: Now) -> Self {
        let live = |alarm: &&Alarm| {
            let handled = state.standing(&alarm.name).and_then(|standing| standing.handled(alarm));
            !alarm.name.is_blank() && handled.is_none_or(|handled| handled.recheck <= now.boot)
        };
        let alarmed = view.alarms.iter().filter(live).map(|alarm| &alarm.name).collect();
        let in_force = |order: Order| -> Vec<&Override> {
            view.overrides.iter().filter(|o| o.order == order && o.is_in_force(now.wall)).collect()
        };
        let mut sights = Self {
            view,
            now,
            alarmed,
            causes: Vec::new(),
            restored: Vec::new(),
            holds: in_force(Order::Hold),
            bypasses: in_force(Order::Bypass),
            observes: in_force(Order::Observe),
            open: view.windows.iter().filter(|window| window.is_open(now.wall)).collect(),
        };
        if !view.graph.is_empty() {
            sights.causes = view.graph.inherited(
                &None,
                |name| sights.trouble(state, name).map(|trouble| (name.clone(), trouble)),
                // The cause behind a dependency is nearer to the root than the dependency itself.
                |found, behind, own| found.clone().or_else(|| behind.clone()).or_else(|| own.clone()),
            );
            sights.restored = view.graph.inherited(
                &None,
                |name| state.standing(name).and_then(|standing| standing.last_good),
                |found, behind, own| *found.max(behind).max(own),
            );
        }
        sights
    }

    /// Why whoever depends on `name` has to wait.
    fn trouble(&self, state: &State, name: &Name) -> Option<Trouble> {
        let clean = Standing::default();
        let standing = state.standing(name).unwrap_or(&clean);
        if self.held(name).is_some() {
            Some(Trouble::Held)
        } else if standing.in_flight.is_some() {
            Some(Trouble::Restarting)
        } else if matches!(standing.breaker.state, breaker::State::Open { until } if self.now.boot < until) {
            Some(Trouble::BreakerOpen)
        } else if self.alarmed.contains(name) {
            Some(Trouble::InAlarm)
        } else {
            state.due.contains_key(name).then_some(Trouble::Due)
        }
    }

    pub(crate) fn group(&self, name: &Name) -> Option<&'a Name> {
        self.view.member_of.get(name)
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

    /// The root cause that `name` waits for.
    pub(crate) fn cause(&self, name: &Name) -> Option<&(Name, Trouble)> {
        if self.causes.is_empty() {
            return None;
        }
        self.view.graph.index(name).and_then(|node| self.causes[node as usize].as_ref())
    }

    /// When the last of all that `name` depends on was brought back by a restart.
    pub(crate) fn restored(&self, name: &Name) -> Option<Ticks> {
        if self.restored.is_empty() {
            return None;
        }
        self.view.graph.index(name).and_then(|node| self.restored[node as usize])
    }

    /// The wave of `name`.
    pub(crate) fn wave(&self, name: &Name) -> u32 {
        if self.causes.is_empty() {
            return 0;
        }
        self.view.graph.index(name).map_or(0, |node| self.view.graph.depth(node))
    }
}
