//! The work of a job: it looks, it restarts, once or several times, and ends.

use crate::check::{Ended, Moment, Verdict};
use crate::host::view;
use crate::world::{MINUTE, Ms, SECOND};
use crate::year::{Event, Year};
use pm_policy::model::{Checked, Configured, End, Job, Name, Order, Outcome, Rules, Trial, Verify};
use pm_policy::settle::settle;

/// Restarts of one job at the most.
const MOST: u32 = 3;

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Work {
    pub(crate) name: Name,
    pub(crate) id: u64,
    /// Restarts that were made.
    pub(crate) attempts: u32,
    /// The step of the ladder that made the last one, or makes the first.
    pub(crate) rung: u32,
}

impl Work {
    pub(crate) fn new(name: &Name, id: u64) -> Self {
        Self { name: name.clone(), id, attempts: 0, rung: 0 }
    }
}

/// How a job ended without a restart that could be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    Healthy,
    Unhealthy,
    /// What the step of the ladder works with does not answer.
    Infrastructure,
    /// pm has no right to do it.
    Forbidden,
    Cancelled,
    /// The restart says itself that it did not work, or what comes before it did not.
    Failed,
}

impl Year {
    /// The job of `name`, if it still is the one with this number.
    fn job(&self, name: &Name, id: u64) -> Option<Job> {
        let running = self.pm.as_ref()?.running.get(name)?;
        (running.id == id).then(|| running.job.clone())
    }

    pub(crate) fn rules(&self, name: &Name) -> Rules {
        self.world.processes[self.world.index(name)].rules.clone()
    }

    pub(crate) fn ordered(&self, order: Order, name: &Name) -> bool {
        let (now, group) = (self.now().wall, self.world.related.group_of(name));
        let mut orders = self.desk.overrides.iter();
        orders.any(|o| o.order == order && o.scope.covers(name, group) && o.is_in_force(now))
    }

    /// Whether what a step of the ladder works with is away.
    pub(crate) fn is_away(&self, name: &Name, rung: u32) -> bool {
        let rules = self.rules(name);
        rules.ladder.get(rung as usize).is_some_and(|driver| self.world.drivers_away.contains(driver))
    }

    /// A job looks, and acts if it has to.
    pub(crate) fn act(&mut self, name: &Name, id: u64, patient: bool) {
        let Some(job) = self.job(name, id) else { return };
        let work = Work { rung: job.rung, ..Work::new(name, id) };
        let healthy = self.world.healthy(self.world.index(name));
        let away = self.is_away(name, work.rung);
        let ending = match job.verify {
            // The claim is refused.
            _ if self.ordered(Order::Hold, name) || self.journal.by_hand.contains_key(name) => {
                Some(Ending::Cancelled)
            }
            Verify::Only if away && self.dice.percent(30) => Some(Ending::Infrastructure),
            Verify::Only if !healthy => Some(Ending::Unhealthy),
            Verify::Only | Verify::First | Verify::Patiently if healthy => Some(Ending::Healthy),
            Verify::Patiently if !patient => {
                let (name, patient) = (name.clone(), true);
                return self.after(25 * SECOND, Event::Act { name, id, patient });
            }
            _ if self.troubled && self.dice.percent(1) => Some(Ending::Forbidden),
            // What was to be done before the restart has failed.
            _ if self.troubled && self.dice.percent(1) => Some(Ending::Failed),
            _ => None,
        };
        match ending {
            Some(_) => self.after(10, Event::Done { work, end: ending }),
            None => self.attempt(work),
        }
    }

    /// A job makes a restart.
    fn attempt(&mut self, work: Work) {
        let work = Work { attempts: work.attempts + 1, ..work };
        if self.is_away(&work.name, work.rung) {
            return self.after(10, Event::Done { work, end: Some(Ending::Infrastructure) });
        }
        let process = self.world.index(&work.name);
        let (up, lasts) = self.restart(process, work.rung);
        let unchecked = self.world.processes[process].rules.check == Checked::Unchecked;
        let says_so = unchecked && !up && self.dice.percent(50);
        self.after(lasts, Event::Done { work, end: says_so.then_some(Ending::Failed) });
    }

    /// A process is restarted by a step of its ladder; whether it is up, and how long that takes.
    pub(crate) fn restart(&mut self, process: usize, rung: u32) -> (bool, Ms) {
        let up = self.world.restart(process, rung, self.t);
        let lasts = match self.dice.below(100) {
            0 if self.troubled => self.dice.between(10 * MINUTE, 40 * MINUTE),
            _ => self.dice.between(SECOND, 40 * SECOND),
        };
        self.world.processes[process].up = false;
        self.notice_changes();
        self.world.processes[process].up = up;
        self.notice_changes();
        if let Some((dies_after, until)) = self.world.processes[process].flaps
            && self.t < until
        {
            let life = self.world.processes[process].life;
            self.after(lasts + dies_after, Event::Die { process, life });
        }
        (up, lasts)
    }

    /// A restart was verified, or a job ends without one.
    pub(crate) fn done(&mut self, work: &Work, ending: Option<Ending>) -> Verdict {
        let Work { name, id, attempts, rung } = work;
        let Some(job) = self.job(name, *id) else { return Ok(()) };
        let healthy = self.world.healthy(self.world.index(name));
        let good = self.rules(name).check == Checked::Unchecked || healthy;
        let end = match ending {
            Some(Ending::Healthy) => End::AlreadyHealthy,
            Some(Ending::Unhealthy) => End::Unhealthy,
            Some(Ending::Infrastructure | Ending::Forbidden) => End::Infrastructure,
            Some(Ending::Cancelled) => End::Cancelled,
            None if good => End::Restarted,
            Some(Ending::Failed) | None => End::Failed,
        };
        let again = (1..MOST).contains(attempts) && job.trial == Trial::No;
        if end == End::Failed && again && self.dice.percent(50) {
            return self.again(work);
        }
        let acted = (*attempts > 0).then_some(*rung);
        let driver = (ending == Some(Ending::Infrastructure))
            .then(|| self.rules(name).ladder.get(*rung as usize).cloned())
            .flatten();
        let outcome = Outcome { end, attempts: *attempts, rung: acted, driver, detail: String::new() };
        self.settle(&job, &outcome)
    }

    /// The next restart of a job, with the next step of the ladder, unless somebody has said no meanwhile.
    fn again(&mut self, work: &Work) -> Verdict {
        if self.ordered(Order::Hold, &work.name) {
            let (work, end) = (work.clone(), Some(Ending::Cancelled));
            self.after(10, Event::Done { work, end });
            return Ok(());
        }
        let steps = self.rules(&work.name).ladder.len() as u32;
        self.attempt(Work { rung: (work.rung + 1).min(steps - 1), ..work.clone() });
        Ok(())
    }

    /// Takes in how a job ended.
    fn settle(&mut self, job: &Job, outcome: &Outcome) -> Verdict {
        let (now, at) = (self.now(), Moment { t: self.t, now: self.now() });
        let rules = self.rules(&job.name);
        let Some(pm) = &mut self.pm else { return Ok(()) };
        let truth = view(&pm.seen, &self.desk, &self.world, now);
        let told = self.sabotage.rules(&rules);
        let mut settled = settle(&mut pm.state, &truth, &told, job, outcome, now);
        self.sabotage.settled(&mut settled, job, outcome.end);
        self.log.note(self.t, || {
            format!("{} ends: {:?} {} {settled:?}", job.name, outcome.end, outcome.attempts)
        });
        let ended = Ended { job, outcome, settled: &settled, rules: &rules };
        self.check.settled(&ended, &truth, &pm.state, at)?;
        if let Some(running) = pm.running.remove(&job.name) {
            self.journal.unfinished.remove(&running.id);
        }
        pm.settled(job, &settled, &mut self.journal);
        pm.keep(&mut self.journal);
        if !settled.clear.is_empty() {
            let wait = self.dice.between(10, 3 * SECOND);
            self.after(wait, Event::Flush);
        }
        self.judge()
    }

    /// Whether the configuration has a usable section for a name.
    pub(crate) fn is_configured(&self, name: &Name) -> bool {
        matches!(self.desk.configured.get(name), Some(Configured::Yes(_)))
    }
}
