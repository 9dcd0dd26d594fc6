//! The loop of the daemon, as the policy is called by it: what pm sees, remembers, stores and has running.
//!
//! It follows the calling convention to the letter, because that is what is proved: rows of a job are out of sight from
//! its end to the next poll, marks of handled rows live until their clearing is delivered, and what is dirty is stored
//! before the loop waits again.

use crate::world::{World, Written};
use pm_policy::breaker::Admission;
use pm_policy::bucket::Bucket;
use pm_policy::driver::Driver;
use pm_policy::group::Group;
use pm_policy::mass::Mass;
use pm_policy::model::{
    Alarm, Cause, Clear, Configured, Due, Handled, Intake, Job, Name, Outcome, Override, RowId, Settlement,
    Sight, Standing, Table, Trial, View, Window,
};
use pm_policy::state::State;
use pm_policy::time::{Now, Ticks};
use pm_policy::window::Announced;
use std::collections::{BTreeMap, HashMap};

/// What operators have said.
pub(crate) struct Desk {
    pub(crate) overrides: Vec<Override>,
    pub(crate) windows: Vec<Window>,
    pub(crate) configured: HashMap<Name, Configured>,
    pub(crate) intake: Intake,
}

/// What pm has seen last.
pub(crate) struct Seen {
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) known: Option<u64>,
    pub(crate) sight: Sight,
    pub(crate) table: Table,
    /// The last poll, while a job has ended since; else what it saw still holds, because the year skips the polls that
    /// would see nothing else.
    pub(crate) outdated: Option<Ticks>,
    pub(crate) polled_at: Ticks,
}

/// What survives pm.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) standings: HashMap<Name, Standing>,
    pub(crate) groups: BTreeMap<Name, Group>,
    pub(crate) due: BTreeMap<Name, Due>,
    pub(crate) storm: Bucket,
    pub(crate) mass: Mass,
    pub(crate) windows: BTreeMap<Name, Announced>,
    pub(crate) drivers: BTreeMap<Name, Driver>,
    /// Up to when the alarms were seen.
    pub(crate) seen_until: Ticks,
    pub(crate) outbox: Vec<(Name, Clear)>,
    pub(crate) unfinished: BTreeMap<u64, Job>,
    pub(crate) last_id: u64,
    /// Who is being restarted by hand, under which number.
    pub(crate) by_hand: BTreeMap<Name, u64>,
    /// How restarts by hand have ended that the daemon has not counted yet.
    pub(crate) made_by_hand: Vec<(Name, Outcome)>,
}

/// A job that is running.
pub(crate) struct Running {
    pub(crate) id: u64,
    pub(crate) job: Job,
}

pub(crate) struct Host {
    pub(crate) state: State,
    pub(crate) seen: Seen,
    pub(crate) running: BTreeMap<Name, Running>,
    /// Clearings of an earlier pm; the name is known when the row is read.
    inherited: HashMap<RowId, Option<String>>,
}

pub(crate) fn view<'a>(seen: &'a Seen, desk: &'a Desk, world: &'a World, now: Now) -> View<'a> {
    View {
        alarms: &seen.alarms,
        known: seen.known,
        sight: seen.sight,
        polled: seen.outdated.unwrap_or(now.boot),
        configured: &desk.configured,
        related: &world.related,
        groups: &world.groups,
        windows: &desk.windows,
        overrides: &desk.overrides,
        limits: world.limits,
        table: seen.table,
        intake: desk.intake,
    }
}

impl Host {
    /// pm starts in the boot in which the journal was written.
    pub(crate) fn start(journal: &Journal, now: Now) -> Self {
        let mut state = State {
            standings: journal.standings.clone(),
            groups: journal.groups.clone(),
            due: journal.due.clone(),
            storm: journal.storm,
            mass: journal.mass.clone(),
            windows: journal.windows.clone(),
            drivers: journal.drivers.clone(),
            ..State::default()
        };
        // While it was away nobody has seen anything.
        state.unseen(journal.seen_until, now.boot);
        let inherited = journal.outbox.iter().map(|(_, clear)| (clear.row, clear.notes.clone())).collect();
        // Until the first poll nobody knows.
        let seen = Seen {
            alarms: Vec::new(),
            known: None,
            sight: Sight::Blind,
            table: Table::Writable,
            outdated: None,
            polled_at: Ticks(0),
        };
        Self { state, seen, running: BTreeMap::new(), inherited }
    }

    /// A job that an earlier pm had begun goes on.
    pub(crate) fn resume(&mut self, id: u64, job: &Job, desk: &Desk, now: Now) {
        let standing = self.state.standing(&job.name).cloned().unwrap_or_default();
        let Some(Configured::Yes(rules)) = desk.configured.get(&job.name) else { return };
        let trial = match standing.breaker.admits(rules, now.boot) {
            Admission::Probe => Trial::Probe,
            _ => Trial::No,
        };
        let rung = match job.cause {
            Cause::Alarm | Cause::MassAlarm => standing.step(rules),
            Cause::Dependency(_) => standing.rung,
            Cause::Operator => 0,
        };
        let (alarms, cause) = (job.alarms.clone(), job.cause.clone());
        let job = Job { alarms, cause, rung, ..Job::by_hand(&job.name, trial) };
        self.state.resumed(&job.name, now);
        self.running.insert(job.name.clone(), Running { id, job });
    }

    pub(crate) fn polled(&mut self, world: &World, now: Now) {
        if !world.reachable {
            self.seen.sight = Sight::Blind;
            return;
        }
        let in_alarm = world.rows.iter().filter(|row| row.alarm);
        let name = |process: usize| world.processes[process].name.clone();
        self.seen.alarms = in_alarm
            .map(|row| Alarm {
                row: row.id,
                name: name(row.process),
                notes: row.notes.clone(),
                acknowledged: row.ticked,
            })
            .collect();
        let many = self.seen.alarms.len() >= world.limits.mass_min as usize;
        let rows = world.rows.iter().filter(|row| row.there).count() as u64;
        self.seen.known = many.then_some(rows);
        self.seen.sight = Sight::Clear;
        (self.seen.outdated, self.seen.polled_at) = (None, now.boot);
        for alarm in &self.seen.alarms {
            if self.inherited.get(&alarm.row).is_some_and(|notes| *notes == alarm.notes) {
                self.inherited.remove(&alarm.row);
                let recheck = now.boot.after(world.processes[world.index(&alarm.name)].rules.grace);
                let mark = Handled { row: alarm.row, notes: alarm.notes.clone(), recheck };
                self.state.standings.entry(alarm.name.clone()).or_default().handled.push(mark);
            }
        }
    }

    /// What follows from a settlement, outside of what is remembered.
    pub(crate) fn settled(&mut self, job: &Job, settled: &Settlement, journal: &mut Journal) {
        journal.outbox.extend(settled.clear.iter().map(|clear| (job.name.clone(), clear.clone())));
        journal.outbox.retain(|(_, clear)| !settled.withdraw.contains(&clear.row));
        self.inherited.retain(|row, _| !settled.withdraw.contains(row));
        let done =
            |alarm: &Alarm| alarm.name == job.name && job.alarms.iter().any(|its| its.row == alarm.row);
        self.seen.alarms.retain(|alarm| !done(alarm));
        self.seen.outdated = Some(self.seen.polled_at);
    }

    /// Tries to write what waits; which clearings have come to an end.
    pub(crate) fn flush(&mut self, world: &mut World, journal: &mut Journal) -> Vec<(Name, Clear, Written)> {
        let mut ended = Vec::new();
        for (name, clear) in std::mem::take(&mut journal.outbox) {
            let written = world.clear(&clear);
            match written {
                Written::Refused => self.seen.table = Table::ReadOnly,
                Written::Cleared => self.seen.table = Table::Writable,
                Written::NotMatched | Written::Unreachable => {}
            }
            if matches!(written, Written::Refused | Written::Unreachable) {
                journal.outbox.push((name, clear));
                continue;
            }
            self.inherited.remove(&clear.row);
            if let Some(standing) = self.state.standings.get_mut(&name) {
                standing.handled.retain(|mark| mark.row != clear.row);
            }
            self.seen.alarms.retain(|alarm| alarm.row != clear.row);
            ended.push((name, clear, written));
        }
        ended
    }

    /// Stores what is dirty. Marks of handled rows are not stored: the outbox is their memory.
    pub(crate) fn keep(&mut self, journal: &mut Journal) {
        let dirty = self.state.take_dirty();
        for name in dirty.standings {
            let its = self.state.standing(&name).cloned().unwrap_or_default();
            let kept = Standing {
                handled: Vec::new(),
                in_flight: None,
                ended: None,
                alarm_since: None,
                waited: false,
                ..its
            };
            if kept == Standing::default() {
                journal.standings.remove(&name);
            } else {
                journal.standings.insert(name, kept);
            }
        }
        if dirty.host {
            journal.groups = self.state.groups.clone();
            journal.due = self.state.due.clone();
            journal.storm = self.state.storm;
            journal.mass = self.state.mass.clone();
            journal.windows = self.state.windows.clone();
            journal.drivers = self.state.drivers.clone();
        }
        journal.seen_until = self.seen.polled_at;
    }
}

impl Journal {
    /// An entry for a job that begins; its number.
    pub(crate) fn claim(&mut self, job: &Job) -> u64 {
        self.last_id += 1;
        self.unfinished.insert(self.last_id, job.clone());
        self.last_id
    }

    /// An entry for a restart by hand; its number.
    pub(crate) fn claim_by_hand(&mut self, name: &Name) -> u64 {
        self.last_id += 1;
        self.by_hand.insert(name.clone(), self.last_id);
        self.last_id
    }

    /// The machine was rebooted: moments of the boot clock mean nothing any more.
    pub(crate) fn rebooted(&mut self) {
        for standing in self.standings.values_mut() {
            let Standing { rung, after_window, .. } = *standing;
            let breaker = standing.breaker.after_reboot();
            *standing = Standing { breaker, rung, after_window, ..Standing::default() };
        }
        self.standings.retain(|_, standing| *standing != Standing::default());
        for group in self.groups.values_mut() {
            *group = group.after_reboot();
        }
        for due in self.due.values_mut() {
            due.since = Ticks(0);
        }
        (self.storm, self.mass) = (Bucket::default(), Mass::default());
        self.unfinished.clear();
        self.by_hand.clear();
        self.drivers.clear();
        self.seen_until = Ticks(0);
    }
}
