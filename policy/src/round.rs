//! One round of decisions: what is scarce, and how much of it is left as jobs take of it.

use crate::bucket::Bucket;
use crate::case::Case;
use crate::driver::Driver;
use crate::group::{Group, GroupAnswer, GroupState};
use crate::model::{Criticality, Job, Name, Verify, View};
use crate::sight::Sights;
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One round.
pub(crate) struct Round<'a> {
    pub(crate) view: &'a View<'a>,
    pub(crate) state: &'a State,
    pub(crate) now: Now,
    pub(crate) sights: Sights<'a>,
    pub(crate) storm: Bucket,
    pub(crate) running: usize,
    /// Those that a job of this round has changed.
    groups: HashMap<&'a Name, Group>,
    /// What is remembered of a group of which nothing is.
    clean: Group,
    /// Groups that are let go in batches.
    let_go: HashMap<&'a Name, &'a Group>,
    drivers: BTreeMap<Name, Driver>,
    canaries: HashMap<&'a Name, &'a Name>,
}

/// Who is the better canary: the one with the lesser rank.
type Rank = (Option<Ticks>, u32, Criticality, Ticks, usize);

impl<'a> Round<'a> {
    pub(crate) fn new(view: &'a View<'a>, state: &'a State, now: Now) -> Self {
        let mut round = Self {
            view,
            state,
            now,
            sights: Sights::new(view, state, now),
            storm: state.storm,
            running: state.running(),
            groups: HashMap::new(),
            clean: Group::default(),
            let_go: let_go(state),
            drivers: state.drivers.clone(),
            canaries: HashMap::new(),
        };
        round.canaries = round.choose_canaries();
        round
    }

    /// The canary of a half-open group is the member nearest to the root of the dependencies; of several, the most
    /// critical; of several, the one in alarm for the longest time. Those that were tried in vain come after all others.
    fn choose_canaries(&self) -> HashMap<&'a Name, &'a Name> {
        let mut best: HashMap<&'a Name, (Rank, &'a Name)> = HashMap::new();
        let half_open: HashSet<&Name> =
            self.state.groups.iter().filter_map(|its| self.half_open(its)).collect();
        if half_open.is_empty() {
            return HashMap::new();
        }
        for (index, alarm) in self.view.alarms.iter().enumerate() {
            let Some(group) = self.sights.group(&alarm.name) else { continue };
            let case = Case::of(self, alarm);
            if !half_open.contains(group) || !case.could_be_canary(self) {
                continue;
            }
            let (_, criticality, wave, since) = case.precedence(self);
            let tried = self.state.groups[group].tried.get(&alarm.name).copied();
            let candidate = ((tried, wave, criticality, since, index), &alarm.name);
            let chosen = best.entry(group).or_insert(candidate);
            *chosen = candidate.min(*chosen);
        }
        best.into_iter().map(|(group, (_, name))| (group, name)).collect()
    }

    /// A group that is to be tried with one member.
    fn half_open<'b>(&self, (group, its): (&'b Name, &Group)) -> Option<&'b Name> {
        let rules = self.view.groups.get(group)?;
        (its.admits(rules, self.now.boot) == GroupAnswer::Canary).then_some(group)
    }

    /// Who is the canary of a half-open group.
    pub(crate) fn canary(&self, group: &Name) -> Option<&'a Name> {
        self.canaries.get(group).copied()
    }

    pub(crate) fn group(&self, group: &Name) -> &Group {
        self.groups.get(group).or_else(|| self.state.groups.get(group)).unwrap_or(&self.clean)
    }

    /// When a member of a group that is let go was tried in vain.
    pub(crate) fn tried_in_vain(&self, name: &Name) -> Option<Ticks> {
        if self.let_go.is_empty() {
            return None;
        }
        let its = self.let_go.get(self.sights.group(name)?)?;
        its.tried.get(name).copied()
    }

    pub(crate) fn driver(&self, driver: &Name) -> Option<&Driver> {
        self.drivers.get(driver)
    }

    /// What a job takes of what is scarce.
    pub(crate) fn begin(&mut self, job: &Job, case: &Case<'a>) {
        self.running += 1;
        if job.verify == Verify::Only {
            return;
        }
        self.storm = self.storm.taken(self.view.limits.storm, self.now.boot);
        if let Some(driver) = case.driver().and_then(|driver| self.drivers.get_mut(driver)) {
            driver.begun(&job.name, self.now.boot);
        }
        if let Some((group, rules)) = case.group(self) {
            let mut its = self.group(group).clone();
            its.begun(rules, &job.name, self.now.boot);
            self.groups.insert(group, its);
        }
    }
}

fn let_go(state: &State) -> HashMap<&Name, &Group> {
    state.groups.iter().filter(|(_, its)| matches!(its.state, GroupState::Releasing { .. })).collect()
}
