//! A host on which events happen: pm looks after each of them, begins what it decides to begin, and settles what ends. The
//! watch looks on.

use crate::event::{Comes, Event, NAMES, Present, Setting, Who, Word, said};
use crate::watch::Watch;
use pm_policy::bucket::Budget;
use pm_policy::model::{
    Checked, Configured, End, Job, Limits, Name, Order, Outcome, RowId, Scope, Sight, Trial, Verify, Window,
};
use pm_policy::testing::{World, alarm, group_rules, rules, secs};
use std::collections::BTreeMap;

/// The host.
pub(crate) struct Rig {
    pub(crate) world: World,
    /// Which rows are in alarm in the table.
    raised: [Raised; 5],
    pub(crate) running: BTreeMap<Name, Job>,
    bus: Bus,
    watch: Watch,
    windows: u32,
    /// What has happened, for people.
    story: Vec<String>,
}

/// What the strategy works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bus {
    Works,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Raised {
    Yes,
    No,
}

/// A rule was broken: which, and all that led to it.
pub(crate) type Broken = String;

impl Rig {
    pub(crate) fn new(setting: Setting) -> Self {
        let mut world = World::new(&[]);
        let storm = Budget { size: setting.storm, refill: secs(6) };
        world.limits =
            Limits { parallel: 10, storm, mass_min: setting.mass_min, mass_share: 50, ..world.limits };
        let mut relations = String::new();
        if setting.group == Present::Yes {
            relations.push_str("web:shop api:shop cart:shop ");
        }
        if setting.depends == Present::Yes {
            relations.push_str("api>db");
        }
        world.relate(&relations);
        if setting.group == Present::Yes {
            let budget = Budget { size: setting.budget, refill: secs(60) };
            let its = pm_policy::group::GroupRules {
                budget,
                correlation: 2,
                members: 3,
                open_max: secs(600),
                ..group_rules()
            };
            world.groups.insert(Name::new("shop"), its);
        }
        for name in NAMES {
            let mut its = rules();
            (its.threshold, its.open_jitter) = (setting.threshold, setting.jitter);
            (its.open_max, its.pause.base) = (secs(1_200), secs(setting.backoff));
            let checked = setting.checked == Present::Yes && name != "mail";
            its.check = if checked { Checked::ByCheck } else { Checked::Unchecked };
            world.configured.insert(Name::new(name), Configured::Yes(its));
        }
        let (running, story) = (BTreeMap::new(), Vec::new());
        Self {
            world,
            raised: [Raised::No; 5],
            running,
            bus: Bus::Works,
            watch: Watch::default(),
            windows: 0,
            story,
        }
    }

    /// Lets these events happen; the first rule that is broken.
    pub(crate) fn live(&mut self, events: &[Event]) -> Result<(), Broken> {
        for event in events {
            self.say(&format!("> {event:?}"));
            let happened = self.happens(*event).and_then(|()| self.turn());
            happened.map_err(|rule| format!("{rule}\n{}", self.story.join("\n")))?;
        }
        Ok(())
    }

    fn happens(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Pass(seconds) => {
                self.world.pass(u64::from(seconds));
                self.poll();
            }
            Event::Wait(seconds) => {
                self.world.polled.get_or_insert(self.world.now.boot);
                self.world.pass(u64::from(seconds));
            }
            Event::Alarm(who) => self.raised[who] = Raised::Yes,
            Event::Clear(who) => self.raised[who] = Raised::No,
            Event::Ends(who, comes) => return self.ends(&Name::new(NAMES[who]), comes),
            Event::ByHand(who, comes) => return self.by_hand(who, comes.by_hand()),
            Event::Orders(word, whom) => {
                let order = match word {
                    Word::Hold => Order::Hold,
                    Word::Observe => Order::Observe,
                    Word::Bypass => Order::Bypass,
                };
                self.world.order(order, scope(whom));
            }
            Event::Release => self.world.overrides.clear(),
            Event::Window(whom, minutes) => self.window(whom, minutes),
            Event::BusGone => self.bus = Bus::Gone,
            Event::BusBack => self.bus = Bus::Works,
            Event::Away => self.world.sight = Sight::Blind,
            Event::Back => {
                self.world.sight = Sight::Clear;
                self.poll();
            }
            Event::Reset(Some(who)) => {
                self.world.state.reset(&Name::new(NAMES[who]));
                self.watch.reset(&Name::new(NAMES[who]));
            }
            Event::Reset(None) => {
                self.world.state.reset_group(&Name::new("shop"));
                self.watch.reset_group();
            }
            Event::Believe => {
                self.world.state.believe();
                self.watch.believed();
            }
        }
        Ok(())
    }

    fn window(&mut self, whom: Option<Who>, minutes: u32) {
        self.windows += 1;
        let (from, until) = (self.world.now.wall, self.world.now.after(secs(60 * u64::from(minutes))).wall);
        let id = Name::new(&format!("w{}", self.windows));
        self.world.windows.push(Window { id, scopes: vec![scope(whom)], reason: String::new(), from, until });
    }

    /// Reads the table, if the database answers.
    pub(crate) fn poll(&mut self) {
        if self.world.sight == Sight::Blind {
            self.world.polled.get_or_insert(self.world.now.boot);
            return;
        }
        let rows = (1_i64..).zip(NAMES).zip(self.raised);
        let raised = rows.filter(|(_, raised)| *raised == Raised::Yes);
        self.world.alarms = raised.map(|((row, name), _)| alarm(row, name)).collect();
        self.world.known = Some(NAMES.len() as u64);
        // Nobody has said anything else since.
        self.world.polled = None;
    }

    /// pm looks and decides.
    pub(crate) fn turn(&mut self) -> Result<(), Broken> {
        let now = self.world.now;
        let now_open = |window: &Window| window.until > now.wall;
        self.world.windows.retain(now_open);
        let before = self.world.state.clone();
        let notices = self.world.advance();
        notices.iter().for_each(|notice| self.say(&format!("  {notice:?}")));
        self.watch.passed(&before, &self.world, &notices)?;
        for job in self.world.decide().start {
            let admits = self.world.state.standing(&job.name).map(|standing| {
                let Some(Configured::Yes(rules)) = self.world.configured.get(&job.name) else { return "?" };
                said(standing.breaker.admits(rules, now.boot))
            });
            let (verify, cause) = (job.verify, &job.cause);
            let breaker = admits.unwrap_or("closed");
            self.say(&format!("  begins {}: {verify:?}, {cause:?}, {breaker}", job.name));
            self.watch.begins(&self.world, &job, &self.running)?;
            self.world.begin(&job);
            self.running.insert(job.name.clone(), job);
        }
        Ok(())
    }

    /// The job that runs for `name` ends like this.
    pub(crate) fn ends(&mut self, name: &Name, comes: Comes) -> Result<(), Broken> {
        let Some(job) = self.running.remove(name) else { return Ok(()) };
        let comes = match (self.bus, comes) {
            (Bus::Gone, Comes::Good | Comes::Bad) if job.verify != Verify::Only => Comes::NoDriver,
            _ => comes,
        };
        let outcome = outcome(&job, comes);
        self.say(&format!("  {name} ends: {:?} after {} attempts", outcome.end, outcome.attempts));
        let before = self.world.state.clone();
        let settled = self.world.settle(&job, &outcome);
        settled.notices.iter().for_each(|notice| self.say(&format!("  {notice:?}")));
        for clear in &settled.clear {
            self.cleared(clear.row);
        }
        // Out of sight until the next poll.
        let polled = self.world.now.boot;
        self.world.polled.get_or_insert(polled);
        self.world.alarms.retain(|alarm| alarm.name != *name || job.alarms.is_empty());
        self.watch.ended(&before, &self.world, &job, &outcome, &settled.notices)
    }

    fn by_hand(&mut self, who: Who, end: End) -> Result<(), Broken> {
        let job = Job::by_hand(&Name::new(NAMES[who]), Trial::No);
        let attempts = u32::from(end != End::Cancelled);
        let driver = (end == End::Infrastructure).then(|| Name::new("service"));
        let outcome = Outcome { rung: Some(0), driver, ..Outcome::new(end, attempts, "") };
        let before = self.world.state.clone();
        let settled = self.world.count(&job, &outcome);
        settled.notices.iter().for_each(|notice| self.say(&format!("  {notice:?}")));
        self.watch.ended(&before, &self.world, &job, &outcome, &settled.notices)
    }

    fn cleared(&mut self, row: RowId) {
        if let Some(raised) = usize::try_from(row.0 - 1).ok().and_then(|at| self.raised.get_mut(at)) {
            *raised = Raised::No;
        }
        for standing in self.world.state.standings.values_mut() {
            standing.handled.retain(|mark| mark.row != row);
        }
    }

    /// Everything is put right: what is wrong with a process ends with its next restart.
    pub(crate) fn repaired(&mut self) {
        self.world.overrides.clear();
        self.world.windows.clear();
        self.world.sight = Sight::Clear;
        self.bus = Bus::Works;
        self.poll();
    }

    /// Who is in alarm in the table, and what is remembered of them.
    pub(crate) fn in_alarm(&self) -> Vec<&'static str> {
        let all = NAMES.into_iter().zip(self.raised);
        all.filter(|(_, raised)| *raised == Raised::Yes).map(|(name, _)| name).collect()
    }

    /// Whether no check can tell how those are that are still in alarm.
    pub(crate) fn nothing_left_has_a_check(&self) -> bool {
        let unchecked = |name: &&str| match self.world.configured.get(&Name::new(name)) {
            Some(Configured::Yes(rules)) => rules.check == Checked::Unchecked,
            _ => true,
        };
        self.in_alarm().iter().all(unchecked)
    }

    pub(crate) fn told(&self, rule: &str) -> Broken {
        format!("{rule}\n{}", self.story.join("\n"))
    }

    fn say(&mut self, text: &str) {
        let seconds = self.world.now.boot.since(pm_policy::testing::NOON.boot).as_secs();
        self.story.push(format!("{seconds:>6} s {text}"));
    }
}

fn scope(whom: Option<Who>) -> Scope {
    whom.map_or(Scope::All, |who| Scope::Process(Name::new(NAMES[who])))
}

/// What can come of this job.
fn outcome(job: &Job, comes: Comes) -> Outcome {
    let only = job.verify == Verify::Only;
    let (end, attempts) = match comes {
        Comes::Good if only => (End::AlreadyHealthy, 0),
        Comes::Healthy if job.verify != Verify::AfterOnly => (End::AlreadyHealthy, 0),
        Comes::Bad if only => (End::Unhealthy, 0),
        Comes::Good | Comes::Healthy => (End::Restarted, 1),
        Comes::Bad => (End::Failed, 1),
        Comes::NoDriver => (End::Infrastructure, u32::from(!only)),
        Comes::CalledOff => (End::Cancelled, 0),
    };
    let driver = (end == End::Infrastructure).then(|| Name::new("service"));
    Outcome { driver, rung: (attempts > 0).then_some(job.rung), ..Outcome::new(end, attempts, "") }
}
