//! A host with pm on it: the loop of the daemon, with simulated time and everything at hand that the daemon asks for.
//!
//! It does what the daemon does and in that order: news are taken in, then time passes, then it is decided; rows of a
//! job that ended are out of sight until the next poll; clearings are made before the poll.

use super::life::Life;
use super::setup::{Setup, millis};
use super::words::{self, Kind, Log};
use super::world::Effect;
use pm_policy::advance::advance;
use pm_policy::decide::decide;
use pm_policy::hold::Hold;
use pm_policy::model::{
    Alarm, Cause, Clear, Configured, End, Intake, Job, Name, Notice, Outcome, Override, RowId, Rules,
    Settlement, Sight, Table, Verify, View,
};
use pm_policy::settle::{count, settle};
use pm_policy::state::State;
use pm_policy::time::{Now, Ticks, Wall};
use std::collections::{BTreeMap, HashMap};

/// Milliseconds between polls.
const POLL: i64 = 5_000;
/// How long a check takes.
pub(super) const LOOK: i64 = 1_000;
/// How long a check waits for health when it is patient.
const PATIENCE: i64 = 30_000;
/// How long a clearing waits that was refused.
const READ_ONLY_PAUSE: i64 = 60_000;
/// So often the loop may wake without anything having changed before it is said to spin.
const SPINNING: u32 = 20;

/// The host.
pub(super) struct Host {
    pub(super) setup: Setup,
    pub(super) state: State,
    pub(super) overrides: Vec<Override>,
    pub(super) log: Log,
    pub(super) now: i64,
    /// When the boot clock showed 0.
    pub(super) booted: i64,
    /// How far the clock of the host is ahead of the true time.
    pub(super) ahead: i64,
    pub(super) alarms: Vec<Alarm>,
    pub(super) known: Option<u64>,
    pub(super) polled: Ticks,
    pub(super) sight: Option<Sight>,
    pub(super) table: Table,
    pub(super) database: Database,
    pub(super) life: Life,
    pub(super) running: BTreeMap<Name, Running>,
    /// Clearings that wait.
    pub(super) pending: Vec<Clear>,
    not_before: i64,
    pub(super) next_poll: i64,
    /// When the loop looks again although nothing happened.
    pub(super) wake_at: Option<i64>,
    pub(super) said: HashMap<RowId, String>,
    pub(super) said_due: HashMap<Name, String>,
    levels: HashMap<Name, u8>,
    spins: u32,
}

/// How the database is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Works,
    ReadOnly,
    Away,
}

pub(super) struct Running {
    pub(super) job: Job,
    /// What the configuration said when it began.
    pub(super) rules: Rules,
    pub(super) phase: Phase,
    /// When the phase ends.
    pub(super) at: i64,
}

#[derive(Clone, Copy)]
pub(super) enum Phase {
    /// Looks at the process; again until then, when it is patient.
    Look { until: i64 },
    /// Restarts it.
    Act(Effect),
    /// Looks what came of a restart that a pm which was killed had begun.
    Verify,
}

impl Host {
    pub(super) fn new(setup: Setup) -> Self {
        let mut log = Log::default();
        setup.left_out().iter().for_each(|what| log.say(0, Kind::Notice, "", what));
        Self {
            setup,
            state: State::default(),
            overrides: Vec::new(),
            log,
            now: 0,
            booted: -3_600_000,
            ahead: 0,
            alarms: Vec::new(),
            known: None,
            polled: Ticks(0),
            sight: None,
            table: Table::Writable,
            database: Database::Works,
            life: Life::Up,
            running: BTreeMap::new(),
            pending: Vec::new(),
            not_before: 0,
            next_poll: 0,
            wake_at: None,
            said: HashMap::new(),
            said_due: HashMap::new(),
            levels: HashMap::new(),
            spins: 0,
        }
    }

    pub(super) fn transcript(&self) -> String {
        self.log.text()
    }

    pub(super) fn clock(&self) -> Now {
        let boot = u64::try_from(self.now - self.booted).unwrap_or_default();
        Now { boot: Ticks(boot), wall: Wall(self.now + self.ahead) }
    }

    /// The same, for the times in the transcript: these are true, whatever the clock of the host shows.
    fn true_clock(&self) -> Now {
        Now { wall: Wall(self.now), ..self.clock() }
    }

    /// Lets time pass up to `at`; what is due at that very moment is still to come.
    pub(super) fn run_until(&mut self, at: i64) {
        while self.next() < at {
            self.now = self.next().max(self.now);
            self.look();
        }
        self.now = at;
    }

    fn next(&self) -> i64 {
        let jobs = self.running.values().map(|running| running.at);
        let relapses = self.setup.world.relapses.values().copied();
        let stops = self.stops_at();
        let next = jobs.chain(relapses).chain(self.wake_at).chain(stops).chain([self.next_poll]).min();
        next.unwrap_or(self.next_poll)
    }

    /// Takes in everything that has happened, and decides.
    pub(super) fn look(&mut self) {
        self.fail_again();
        let due: Vec<Name> =
            self.running.iter().filter(|(_, its)| its.at <= self.now).map(|(name, _)| name.clone()).collect();
        for name in due {
            self.phase_ends(&name);
        }
        if self.next_poll <= self.now {
            self.next_poll = self.now + POLL;
            if !self.is_down() {
                self.poll();
            }
        }
        if !self.is_down() {
            self.decide();
            self.end_if_stopped();
        }
    }

    fn fail_again(&mut self) {
        let now = self.now;
        let due: Vec<Name> = self
            .setup
            .world
            .relapses
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.setup.world.relapses.remove(&name);
            self.log.say(now, Kind::Script, "", &format!("{name} fails again"));
            if let Ok(process) = self.setup.world.process(&name) {
                process.sick = true;
            }
            let _ = self.setup.world.raise(&name, None);
        }
    }

    fn poll(&mut self) {
        if self.database == Database::Away {
            self.sight = Some(Sight::Blind);
            return;
        }
        self.flush();
        self.alarms = self.setup.world.alarms();
        self.mark_inherited();
        let many = self.setup.limits.mass_min as usize;
        self.known = (many > 0 && self.alarms.len() >= many).then_some(self.setup.world.rows.len() as u64);
        (self.sight, self.polled) = (Some(Sight::Clear), self.clock().boot);
        let rows: Vec<RowId> = self.alarms.iter().map(|alarm| alarm.row).collect();
        self.said.retain(|row, _| rows.contains(row));
    }

    /// Makes the clearings that wait.
    fn flush(&mut self) {
        if self.pending.is_empty() || self.database == Database::Away || self.now < self.not_before {
            return;
        }
        if self.database == Database::ReadOnly {
            self.not_before = self.now + READ_ONLY_PAUSE;
            if self.table == Table::Writable {
                self.log.say(self.now, Kind::Clear, "", "refused: the table is read-only");
            }
            self.table = Table::ReadOnly;
            return;
        }
        (self.table, self.not_before) = (Table::Writable, 0);
        for clear in std::mem::take(&mut self.pending) {
            if let Some(name) = self.setup.world.clear(&clear) {
                let how = if clear.restarted_at.is_some() { "restarted" } else { "not restarted" };
                self.log.say(self.now, Kind::Clear, &format!("row {} of {name}", clear.row.0), how);
            }
            for standing in self.state.standings.values_mut() {
                standing.handled.retain(|mark| mark.row != clear.row);
            }
            self.alarms.retain(|alarm| alarm.row != clear.row);
        }
    }

    /// What is remembered, to be changed, and the view that it is judged with.
    pub(super) fn judged(&mut self) -> (&mut State, View<'_>) {
        let stopping = matches!(self.life, Life::Stopping { .. });
        let intake = if stopping { Intake::Stopping } else { self.setup.intake };
        let view = View {
            alarms: &self.alarms,
            known: self.known,
            sight: self.sight.unwrap_or(Sight::Blind),
            polled: self.polled,
            configured: &self.setup.configured,
            related: &self.setup.related,
            groups: &self.setup.groups,
            windows: &self.setup.windows,
            overrides: &self.overrides,
            limits: self.setup.limits,
            table: self.table,
            intake,
        };
        (&mut self.state, view)
    }

    fn decide(&mut self) {
        let now = self.clock();
        self.wake_at = None;
        let rest = self.alarms.is_empty() && self.state.is_at_rest() && self.setup.windows.is_empty();
        if self.sight.is_none() || (rest && self.state.windows.is_empty()) {
            return;
        }
        let (state, view) = self.judged();
        let notices = advance(state, &view, now);
        let plan = decide(&view, state, now);
        self.wake(plan.wake_at, now);
        self.tell(&notices);
        self.tell_levels();
        self.tell_held(plan.held, plan.due_held, now);
        for job in plan.start {
            let Some(rules) = self.rules(&job.name) else { continue };
            let (state, view) = self.judged();
            state.begin(&view, &rules, &job, now);
            self.begin(job, &rules);
        }
    }

    fn wake(&mut self, at: Option<Ticks>, now: Now) {
        let at = at.map(|at| now.wall_at(at).0 - self.ahead);
        self.spins = if at.is_some_and(|at| at <= self.now) { self.spins + 1 } else { 0 };
        assert!(self.spins < SPINNING, "the loop spins at {}", words::time(self.now));
        self.wake_at = at.map(|at| at.max(self.now + 1));
    }

    fn begin(&mut self, job: Job, rules: &Rules) {
        self.log.say(self.now, Kind::Start, job.name.as_str(), &words::start(&job, rules));
        for alarm in &job.alarms {
            self.said.remove(&alarm.row);
        }
        self.said_due.remove(&job.name);
        let (now, rules) = (self.now, rules.clone());
        let running = match job.verify {
            Verify::AfterOnly => self.acting(job, rules),
            Verify::Patiently => {
                Running { job, rules, phase: Phase::Look { until: now + PATIENCE }, at: now + LOOK }
            }
            Verify::First | Verify::Only => {
                Running { job, rules, phase: Phase::Look { until: now + LOOK }, at: now + LOOK }
            }
        };
        self.running.insert(running.job.name.clone(), running);
    }

    pub(super) fn acting(&self, job: Job, rules: Rules) -> Running {
        let step = rules.ladder.get(job.rung as usize).cloned().unwrap_or_else(|| Name::new(""));
        let (lasts, effect) = self.setup.world.effect(&job.name, &step);
        Running { job, rules, phase: Phase::Act(effect), at: self.now + millis(lasts) }
    }

    fn phase_ends(&mut self, name: &Name) {
        let Some(running) = self.running.remove(name) else { return };
        if self.is_down() {
            return self.goes_on_without_pm(running);
        }
        let Running { job, rules, phase, .. } = running;
        let sick = self.setup.world.is_sick(name);
        match phase {
            Phase::Look { .. } if !sick => {
                self.ended(&job, &rules, &Outcome::new(End::AlreadyHealthy, 0, ""));
            }
            Phase::Look { until } if self.now < until => {
                let again = Running { job, rules, phase, at: self.now + LOOK };
                self.running.insert(name.clone(), again);
            }
            Phase::Look { .. } if job.verify == Verify::Only => {
                self.ended(&job, &rules, &Outcome::new(End::Unhealthy, 0, ""));
            }
            Phase::Look { .. } => {
                self.log.say(self.now, Kind::Look, name.as_str(), "not healthy, so it is restarted");
                let running = self.acting(job, rules);
                self.running.insert(name.clone(), running);
            }
            Phase::Act(effect) => {
                let outcome = self.act(&job, &rules, effect);
                self.ended(&job, &rules, &outcome);
            }
            Phase::Verify => {
                let end = if sick { End::Failed } else { End::Restarted };
                let outcome = Outcome { rung: Some(job.rung), ..Outcome::new(end, 1, "") };
                self.ended(&job, &rules, &outcome);
            }
        }
    }

    /// Carries a restart out.
    pub(super) fn act(&mut self, job: &Job, rules: &Rules, effect: Effect) -> Outcome {
        if effect == Effect::NoBus {
            let driver = rules.ladder.get(job.rung as usize).cloned();
            let rung = Some(job.rung);
            return Outcome { driver, rung, ..Outcome::new(End::Infrastructure, 1, "") };
        }
        if effect == Effect::NotPrepared {
            return Outcome::new(End::Failed, 0, "");
        }
        self.setup.world.restarted(&job.name, effect, self.now);
        let end = if effect == Effect::Fails { End::Failed } else { End::Restarted };
        Outcome { rung: Some(job.rung), ..Outcome::new(end, 1, "") }
    }

    /// Takes in how a job ended.
    pub(super) fn ended(&mut self, job: &Job, rules: &Rules, outcome: &Outcome) {
        let now = self.clock();
        let by_hand = job.cause == Cause::Operator;
        let kind = if by_hand { Kind::Hand } else { Kind::End };
        self.log.say(self.now, kind, job.name.as_str(), words::end(job, outcome.end));
        let (state, view) = self.judged();
        let taken = if by_hand { count } else { settle };
        let Settlement { clear, withdraw, notices } = taken(state, &view, rules, job, outcome, now);
        self.tell(&notices);
        self.pending.retain(|clear| !withdraw.contains(&clear.row));
        self.pending.extend(clear);
        for alarm in &job.alarms {
            self.said.remove(&alarm.row);
        }
        self.alarms
            .retain(|alarm| alarm.name != job.name || !job.alarms.iter().any(|done| done.row == alarm.row));
        self.flush();
    }

    pub(super) fn rules(&self, name: &Name) -> Option<Rules> {
        match self.setup.configured.get(name) {
            Some(Configured::Yes(rules)) => Some(rules.clone()),
            _ => None,
        }
    }

    pub(super) fn tell(&mut self, notices: &[Notice]) {
        let now = self.true_clock();
        for notice in notices {
            self.log.say(self.now, Kind::Notice, "", &words::notice(notice, now));
        }
    }

    fn tell_levels(&mut self) {
        let standings = &self.state.standings;
        let levels: HashMap<Name, u8> =
            standings.iter().map(|(name, its)| (name.clone(), its.breaker.level)).collect();
        let mut before: Vec<_> = self.levels.drain().collect();
        before.sort();
        for (name, level) in before {
            let after = levels.get(&name).copied().unwrap_or(0);
            if after < level {
                let text = format!("{name}: level {level} is forgiven, now {after}");
                self.log.say(self.now, Kind::Notice, "", &text);
            }
        }
        self.levels = levels;
    }

    /// Says a reason once, when it is new for its row.
    fn tell_held(&mut self, held: Vec<(usize, Hold)>, due: Vec<(Name, Hold)>, now: Now) {
        for (index, hold) in held {
            let alarm = &self.alarms[index];
            let key = words::key(&hold, now);
            if matches!(hold, Hold::InFlight { .. }) || self.said.get(&alarm.row) == Some(&key) {
                continue;
            }
            self.said.insert(alarm.row, key);
            let several = self.setup.world.rows.iter().filter(|row| row.alarm.name == alarm.name).count() > 1;
            let who = match several {
                _ if alarm.name.is_blank() => format!("row {}", alarm.row.0),
                true => format!("{} row {}", alarm.name, alarm.row.0),
                false => alarm.name.to_string(),
            };
            self.log.say(self.now, Kind::Held, &who, &words::held(&hold, now));
        }
        for (name, hold) in due {
            let key = words::key(&hold, now);
            if !matches!(hold, Hold::InFlight { .. }) && self.said_due.get(&name) != Some(&key) {
                self.said_due.insert(name.clone(), key);
                self.log.say(self.now, Kind::Held, &format!("{name}, due"), &words::held(&hold, now));
            }
        }
    }
}
