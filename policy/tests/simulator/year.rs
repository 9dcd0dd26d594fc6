//! The loop of time: events in their order, pm among them. Idle time is skipped.

use crate::check::{Check, Moment, Verdict};
use crate::dice::Dice;
use crate::fault::Fault;
use crate::hand::Hand;
use crate::host::{Desk, Host, Journal, Running, view};
use crate::quiet::Quiet;
use crate::sabotage::{Lies, Sabotage};
use crate::work::{Ending, Work};
use crate::world::{DAY, HOUR, MINUTE, Ms, SECOND, World, Written};
use pm_policy::advance::advance;
use pm_policy::decide::decide;
use pm_policy::model::{Configured, Intake, Job, Name, Notice, Sight, Verify};
use pm_policy::time::{Now, Ticks, Wall};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// The wall clock at the beginning of the year.
const NEW_YEAR: i64 = 1_700_000_000_000;

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The next fault or whim, whichever it is.
    Fate,
    /// The source of a row tells what it saw.
    Report {
        row: usize,
        healthy: bool,
    },
    /// The sources of a process look again.
    Patrol {
        process: usize,
    },
    /// It dies again, if it is still the one that was started then.
    Die {
        process: usize,
        life: u64,
    },
    Fault(Fault),
    /// Everything is repaired for a while, or somebody looks what has become of it.
    Quiet,
    /// pm is started.
    Start,
    /// pm polls; only the last one that was ordered counts.
    Poll {
        order: u64,
    },
    /// A job has come to the point where it looks or acts.
    Act {
        name: Name,
        id: u64,
        patient: bool,
    },
    /// A restart has been made and is verified.
    Done {
        work: Work,
        end: Option<Ending>,
    },
    /// Something happens to a restart by hand.
    Hand(Hand),
    /// What waits to be written is tried.
    Flush,
}

pub(crate) struct Year {
    pub(crate) t: Ms,
    pub(crate) dice: Dice,
    pub(crate) world: World,
    pub(crate) desk: Desk,
    pub(crate) journal: Journal,
    pub(crate) pm: Option<Host>,
    pub(crate) check: Check,
    pub(crate) sabotage: Sabotage,
    lies: Lies,
    /// When the machine was booted.
    pub(crate) booted: Ms,
    /// How far the wall clock was set, in milliseconds.
    pub(crate) wall_shift: i64,
    /// Whether anything may still go wrong.
    pub(crate) troubled: bool,
    /// How long nothing goes wrong, on average.
    pub(crate) calm: Ms,
    /// The present time in which nothing goes wrong.
    pub(crate) quiet: Option<Quiet>,
    /// It is over: nothing goes wrong any more.
    pub(crate) over: bool,
    queue: BinaryHeap<Reverse<(Ms, u64, Event)>>,
    sequence: u64,
    poll_order: u64,
    poll_at: Ms,
    lull: Ms,
    /// What was begun, ended and told last.
    pub(crate) log: Log,
}

/// The last of what happened.
#[derive(Default)]
pub(crate) struct Log(VecDeque<String>);

impl Log {
    const LINES: usize = 1500;

    pub(crate) fn note(&mut self, t: Ms, what: impl FnOnce() -> String) {
        if self.0.len() == Self::LINES {
            self.0.pop_front();
        }
        self.0.push_back(format!("{:>6}.{:03} s  {}", t / SECOND, t % SECOND, what()));
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }
}

impl Year {
    pub(crate) fn new(seed: u64, calm: Ms, sabotage: Sabotage) -> Self {
        let mut dice = Dice::new(seed);
        let world = World::new(&mut dice);
        let configured = world
            .processes
            .iter()
            .map(|its| (its.name.clone(), Configured::Yes(its.rules.clone())))
            .collect();
        let (journal, check) = (Journal::default(), Check::new(&world));
        let mut year = Self {
            t: DAY,
            dice,
            world,
            desk: Desk { overrides: Vec::new(), windows: Vec::new(), configured, intake: Intake::Open },
            pm: Some(Host::start(&journal, Now { boot: Ticks(DAY), wall: Wall(NEW_YEAR) })),
            journal,
            check,
            sabotage,
            lies: Lies::default(),
            booted: 0,
            wall_shift: 0,
            troubled: true,
            calm,
            quiet: None,
            over: false,
            queue: BinaryHeap::new(),
            sequence: 0,
            poll_order: 0,
            poll_at: Ms::MAX,
            lull: SECOND,
            log: Log::default(),
        };
        year.after(0, Event::Fate);
        let until_quiet = year.dice.wait(60 * calm);
        year.after(until_quiet, Event::Quiet);
        year.poll_within(SECOND);
        year
    }

    pub(crate) fn now(&self) -> Now {
        Now { boot: Ticks(self.t - self.booted), wall: Wall(NEW_YEAR + self.t as i64 + self.wall_shift) }
    }

    pub(crate) fn after(&mut self, wait: Ms, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((self.t + wait, self.sequence, event)));
    }

    /// Lets `lasts` pass.
    pub(crate) fn run(&mut self, lasts: Ms) -> Verdict {
        let end = self.t + lasts;
        while let Some(Reverse((at, _, _))) = self.queue.peek()
            && *at < end
        {
            let Some(Reverse((at, _, event))) = self.queue.pop() else { break };
            self.t = at;
            self.happen(event)?;
        }
        self.t = end;
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Verdict {
        match event {
            Event::Fate if self.troubled => {
                crate::fault::strike(self)?;
                // Quiet for long, and then everything at once.
                let calm = self.dice.percent(75);
                let wait = self.dice.wait(if calm { self.calm } else { 5 * MINUTE });
                self.after(wait, Event::Fate);
            }
            Event::Fate => self.after(10 * MINUTE, Event::Fate),
            Event::Quiet if self.over && self.quiet.is_none() => {}
            Event::Quiet => crate::quiet::tick(self)?,
            Event::Fault(fault) => {
                self.log.note(self.t, || format!("{fault:?}"));
                crate::fault::happen(self, fault)?;
            }
            Event::Report { row, healthy } => {
                self.world.report(row, healthy);
                self.poll_within(10 * SECOND);
            }
            Event::Patrol { process } => self.patrol(process),
            Event::Die { process, life } => {
                if self.world.processes[process].life == life {
                    self.world.processes[process].up = false;
                    self.notice_changes();
                }
            }
            Event::Start => self.start()?,
            Event::Poll { order } if order == self.poll_order => self.poll()?,
            Event::Poll { .. } => {}
            Event::Act { name, id, patient } => self.act(&name, id, patient),
            Event::Done { work, end } => self.done(&work, end)?,
            Event::Hand(hand) => crate::hand::happen(self, hand)?,
            Event::Flush => self.flush()?,
        }
        crate::quiet::look(self);
        Ok(())
    }

    /// Health has changed: the sources will tell, each after a while.
    pub(crate) fn notice_changes(&mut self) {
        for process in self.world.changes() {
            let healthy = self.world.healthy(process);
            for row in 0..self.world.rows.len() {
                if self.world.rows[row].process == process {
                    let lag = if self.troubled { self.world.rows[row].lag } else { SECOND };
                    let lag = self.dice.between(1, lag);
                    self.after(lag, Event::Report { row, healthy });
                }
            }
            if !healthy {
                self.after(10 * MINUTE, Event::Patrol { process });
            }
        }
    }

    fn patrol(&mut self, process: usize) {
        let healthy = self.world.healthy(process);
        for row in 0..self.world.rows.len() {
            if self.world.rows[row].process == process {
                self.world.report(row, healthy);
            }
        }
        self.poll_within(10 * SECOND);
        if !healthy {
            self.after(10 * MINUTE, Event::Patrol { process });
        }
    }

    /// The machine sleeps: nothing happens for a while, and both clocks go on.
    pub(crate) fn suspend(&mut self) {
        let lasts = self.dice.wait(2 * HOUR);
        let queue = std::mem::take(&mut self.queue);
        let later =
            queue.into_iter().map(|Reverse((at, number, event))| Reverse((at + lasts, number, event)));
        self.queue = later.collect();
        self.poll_at = self.poll_at.saturating_add(lasts);
    }

    /// pm polls soon, if it would not do so anyway.
    pub(crate) fn poll_within(&mut self, wait: Ms) {
        let wait = self.dice.between(0, wait);
        if self.poll_at > self.t + wait || self.poll_at < self.t {
            self.poll_order += 1;
            self.poll_at = self.t + wait;
            self.after(wait, Event::Poll { order: self.poll_order });
        }
    }

    fn start(&mut self) -> Verdict {
        if self.pm.is_some() {
            return Ok(());
        }
        self.log.note(self.t, || "pm starts".to_owned());
        let now = self.now();
        let mut pm = Host::start(&self.journal, now);
        for (id, job) in std::mem::take(&mut self.journal.unfinished) {
            // Half of them had not begun to act, and are cancelled.
            if job.verify == Verify::Only || self.dice.percent(50) {
                continue;
            }
            pm.resume(id, &job, &self.desk, now);
            if pm.running.contains_key(&job.name) {
                self.check.runs(&job.name, self.t);
                self.journal.unfinished.insert(id, job.clone());
                let work =
                    Work { rung: pm.running[&job.name].job.rung, attempts: 1, ..Work::new(&job.name, id) };
                self.after(2 * SECOND, Event::Done { work, end: None });
            }
        }
        self.pm = Some(pm);
        // What waits to be cleared is tried before the first poll.
        self.flush()?;
        crate::hand::obey(self)
    }

    fn poll(&mut self) -> Verdict {
        self.poll_at = Ms::MAX;
        let now = self.now();
        let Some(pm) = &mut self.pm else { return Ok(()) };
        let before = pm.seen.alarms.len();
        pm.polled(&self.world, now);
        if pm.seen.sight == Sight::Clear {
            self.check.polled(&pm.seen.alarms, self.t);
        }
        if pm.seen.alarms.len() != before {
            self.lull = SECOND;
        }
        self.judge()
    }

    /// The heart of the daemon: lets time pass, decides, begins jobs, stores what changed.
    pub(crate) fn judge(&mut self) -> Verdict {
        let (now, at) = (self.now(), Moment { t: self.t, now: self.now() });
        let Some(pm) = &mut self.pm else { return Ok(()) };
        let all = self.world.processes.iter().map(|its| (its.name.clone(), its.rules.clone()));
        self.lies = self.sabotage.lies(&self.desk, &pm.seen.alarms, all);
        let truth = view(&pm.seen, &self.desk, &self.world, now);
        let seen = self.sabotage.view(truth, &self.lies);
        self.sabotage.state(&mut pm.state);
        self.check.looks(&truth, &pm.state, at);
        let mut notices = advance(&mut pm.state, &seen, now);
        self.sabotage.notices(&mut notices);
        for notice in &notices {
            self.log.note(self.t, || format!("{notice:?}"));
        }
        self.check.told(&notices, &truth, &pm.state, at)?;
        let asked = !self.troubled && notices.iter().any(|its| matches!(its, Notice::MassHeld { .. }));
        let mut plan = decide(&seen, &pm.state, now);
        self.sabotage.plan(&mut plan, &pm.state);
        self.check.planned(&plan, &truth, &pm.state, at)?;
        if self.t.is_multiple_of(16) && plan != decide(&seen, &pm.state, now) {
            return Err("the same view gives the same plan".to_owned());
        }
        let acts = |job: &Job| job.verify != Verify::Only;
        let running = pm.running.values().any(|running| acts(&running.job));
        let eventful = !notices.is_empty() || plan.start.iter().any(acts) || running;
        let (wake_at, at_rest) = (plan.wake_at, pm.state.is_at_rest() && pm.seen.alarms.is_empty());
        for job in plan.start {
            self.log.note(self.t, || {
                format!("{} begins: {:?} {:?} {:?}", job.name, job.cause, job.verify, job.trial)
            });
            self.check.begins(&job, &truth, &pm.state, at)?;
            let Some(Configured::Yes(rules)) = self.desk.configured.get(&job.name) else { continue };
            pm.state.begin(&truth, rules, &job, now);
            let (id, name) = (self.journal.claim(&job), job.name.clone());
            self.check.numbered(id)?;
            pm.running.insert(name.clone(), Running { id, job });
            let wait = self.dice.between(SECOND / 10, 3 * SECOND);
            self.sequence += 1;
            self.queue.push(Reverse((self.t + wait, self.sequence, Event::Act { name, id, patient: false })));
        }
        pm.keep(&mut self.journal);
        if asked {
            self.after(MINUTE, Event::Fault(Fault::Believe));
        }
        self.plan_next_poll(eventful, at_rest, wake_at.map(|until| until.since(now.boot).as_millis() as Ms));
        Ok(())
    }

    fn plan_next_poll(&mut self, eventful: bool, at_rest: bool, wake: Option<Ms>) {
        self.lull = if eventful { SECOND } else { (self.lull * 2).min(2 * MINUTE) };
        if at_rest {
            return self.poll_within(2 * HOUR);
        }
        let longest = self.lull.max(5 * SECOND);
        self.poll_within(wake.map_or(longest, |wake| longest.min(wake.max(SECOND))));
    }

    fn flush(&mut self) -> Verdict {
        let Some(pm) = &mut self.pm else { return Ok(()) };
        for (name, _, written) in pm.flush(&mut self.world, &mut self.journal) {
            if written == Written::Cleared {
                let process = self.world.index(&name);
                let left = self.world.rows.iter().any(|row| row.process == process && row.alarm);
                self.check.cleared(&name, left, self.t)?;
            }
        }
        if !self.journal.outbox.is_empty() {
            self.after(30 * SECOND, Event::Flush);
        }
        self.poll_within(5 * SECOND);
        Ok(())
    }
}
