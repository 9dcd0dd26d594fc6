//! Everything that is remembered, and what the beginning of a job changes in it.
//!
//! The other changes are made by [`advance`](crate::advance) (time and alarms) and [`settle`](crate::settle)
//! (outcomes). Whoever owns a state stores what is in [`State::dirty`].

use crate::bucket::Bucket;
use crate::driver::Driver;
use crate::group::Group;
use crate::mass::Mass;
use crate::model::{Due, InFlight, Job, Name, Rules, Standing, Verify, View};
use crate::time::{Now, Ticks};
use crate::window::Announced;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Everything that is remembered between polls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Of each process; a missing entry is a clean slate.
    pub standings: HashMap<Name, Standing>,
    /// Of each group; a missing entry is a clean slate.
    pub groups: BTreeMap<Name, Group>,
    /// Of each driver that failed.
    pub drivers: BTreeMap<Name, Driver>,
    /// Processes to restart because of what they depend on.
    pub due: BTreeMap<Name, Due>,
    /// The restarts of this host.
    pub storm: Bucket,
    /// The guard against a mass alarm.
    pub mass: Mass,
    /// Maintenance windows whose start was announced.
    pub windows: BTreeMap<Name, Announced>,
    /// What changed and is not stored yet.
    pub dirty: Dirty,
}

/// What changed and is not stored yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dirty {
    /// These standings.
    pub standings: BTreeSet<Name>,
    /// Something of the host: groups, drivers, what is due, the storm limit, the guard.
    pub host: bool,
}

impl State {
    /// What is remembered of a process.
    #[must_use]
    pub fn standing(&self, name: &Name) -> Option<&Standing> {
        self.standings.get(name)
    }

    /// Jobs that are running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.standings.values().filter(|standing| standing.in_flight.is_some()).count()
    }

    /// A job begins.
    pub fn begin(&mut self, view: &View<'_>, rules: &Rules, job: &Job, now: Now) {
        let standing = self.standings.entry(job.name.clone()).or_default();
        standing.in_flight = Some(InFlight { since: now.boot, verify: job.verify });
        if job.verify == Verify::Only {
            return;
        }
        self.dirty.host = true;
        self.storm = self.storm.taken(view.limits.storm, now.boot);
        if let Some(driver) = rules.ladder.get(job.rung as usize)
            && let Some(known) = self.drivers.get_mut(driver)
        {
            known.begun(&job.name, now.boot);
        }
        if let Some(group) = view.related.group_of(&job.name)
            && let Some(rules) = view.groups.get(group)
        {
            self.groups.entry(group.clone()).or_default().begun(rules, &job.name, now.boot);
        }
    }

    /// An operator believes the alarms of a mass alarm.
    pub fn believe(&mut self) {
        self.mass.believe();
        self.dirty.host = true;
    }

    /// What a driver got wrong may work now: it has been put right. Whoever waits for it need not.
    pub fn mended(&mut self, driver: &Name) {
        self.dirty.host |= self.drivers.remove(driver).is_some();
    }

    /// An operator makes the breaker of a process as new.
    pub fn reset(&mut self, name: &Name) {
        if let Some(standing) = self.standings.get_mut(name) {
            *standing = standing.forgiven();
            self.dirty.standings.insert(name.clone());
        }
    }

    /// An operator makes the breaker of a group as new.
    pub fn reset_group(&mut self, group: &Name) {
        self.dirty.host |= self.groups.remove(group).is_some();
    }

    /// pm did not run between `since` and `now`, so whoever was quiet before may not have been: that time proves nothing.
    pub fn unseen(&mut self, since: Ticks, now: Ticks) {
        for (name, standing) in &mut self.standings {
            let quiet = standing.breaker.quiet_from;
            standing.breaker.unseen(since, now);
            if standing.breaker.quiet_from != quiet {
                self.dirty.standings.insert(name.clone());
            }
        }
        self.groups.values_mut().for_each(|group| group.unseen(since, now));
        self.dirty.host |= !self.groups.is_empty();
    }

    /// What has changed since it was asked last.
    pub fn take_dirty(&mut self) -> Dirty {
        std::mem::take(&mut self.dirty)
    }

    /// A job goes on that an earlier pm had begun: what it takes of what is scarce was taken then.
    pub fn resumed(&mut self, name: &Name, now: Now) {
        self.standings.entry(name.clone()).or_default().in_flight =
            Some(InFlight { since: now.boot, verify: Verify::AfterOnly });
    }

    /// Whether there is nothing that time could change.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.standings.is_empty()
            && self.groups.is_empty()
            && self.due.is_empty()
            && self.mass.stage == crate::mass::Stage::None
    }
}

#[cfg(test)]
mod tests;
