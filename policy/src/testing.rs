//! Values for tests, here and in the host.

use crate::backoff::Backoff;
use crate::bucket::Budget;
use crate::driver::DriverRules;
use crate::group::{Group, GroupRules};
use crate::model::{
    Alarm, Cause, Checked, Configured, Criticality, Dependents, End, Intake, Job, Limits, Name, Notice,
    Outcome, Plan, RowId, Rules, Settlement, Sight, Standing, Table, Trial, Verify, View, Window,
};
use crate::relations::{Declaration, Declared, Membership, Related, Relations};
use crate::state::State;
use crate::time::{Now, Ticks, Wall};
use crate::window::{Order, Override, Scope};
use std::collections::HashMap;
use std::time::Duration;

/// The moment at which a [`World`] begins.
pub const NOON: Now = Now { boot: Ticks(1_000_000_000), wall: Wall(1_700_000_000_000) };

/// So many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The rules of an ordinary process with a check and one strategy.
#[must_use]
pub fn rules() -> Rules {
    Rules {
        criticality: Criticality::Normal,
        threshold: 3,
        window: secs(900),
        open_time: secs(300),
        open_max: secs(3600),
        open_jitter: 0,
        stable: secs(600),
        doubt: secs(60),
        pause: Backoff { base: Duration::ZERO, factor: 2.0, cap: secs(300) },
        pause_jitter: 0,
        check: Checked::ByCheck,
        verify: Verify::AfterOnly,
        grace: secs(60),
        ladder: vec![Name::new("service")],
        dependents: Dependents::Leave,
    }
}

/// The rules of a group of six with a budget of five, which opens when three of them are in trouble.
#[must_use]
pub fn group_rules() -> GroupRules {
    GroupRules {
        budget: Budget { size: 5, refill: secs(60) },
        correlation: 3,
        share: 0,
        window: secs(900),
        open_time: secs(300),
        open_max: secs(3600),
        stable: secs(600),
        open_jitter: 15,
        members: 6,
    }
}

/// The limits of a host: none but ten jobs at once.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        parallel: 10,
        storm: Budget::NONE,
        mass_min: 0,
        mass_share: 50,
        mass_look: secs(300),
        mass_recheck: secs(60),
        driver: DriverRules {
            failures: 3,
            pause: secs(10),
            open_time: secs(10),
            open_max: secs(120),
            jitter: 15,
        },
    }
}

/// A row in alarm.
#[must_use]
pub fn alarm(row: i64, name: &str) -> Alarm {
    Alarm { row: RowId(row), name: Name::new(name), notes: None, acknowledged: false }
}

/// A world that one test sets up and asks. Rows are numbered from 1, and every name has the ordinary [`rules`].
#[derive(Debug)]
pub struct World {
    /// What time it is.
    pub now: Now,
    /// When the last poll began; none: now.
    pub polled: Option<Ticks>,
    /// The rows in alarm.
    pub alarms: Vec<Alarm>,
    /// How many rows there are.
    pub known: Option<u64>,
    /// Whether the database answers.
    pub sight: Sight,
    /// What the configuration says.
    pub configured: HashMap<Name, Configured>,
    /// Who depends on whom.
    pub related: Related,
    /// The groups that have limits.
    pub groups: HashMap<Name, GroupRules>,
    /// Maintenance windows.
    pub windows: Vec<Window>,
    /// Orders of operators.
    pub overrides: Vec<Override>,
    /// The limits of the host: none but ten jobs at once.
    pub limits: Limits,
    /// Whether rows can be cleared.
    pub table: Table,
    /// Whether new work is taken on.
    pub intake: Intake,
    /// What is remembered.
    pub state: State,
}

impl World {
    /// These are in alarm, one row each.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        let mut world = Self {
            now: NOON,
            polled: None,
            alarms: Vec::new(),
            known: None,
            sight: Sight::Clear,
            configured: HashMap::new(),
            related: Related::default(),
            groups: HashMap::new(),
            windows: Vec::new(),
            overrides: Vec::new(),
            limits: limits(),
            table: Table::Writable,
            intake: Intake::Open,
            state: State::default(),
        };
        world.alarm(names);
        world
    }

    /// From now on these are in alarm and no others.
    pub fn alarm(&mut self, names: &[&str]) {
        self.alarms = (1..).zip(names).map(|(row, name)| alarm(row, name)).collect();
        for name in names {
            self.rules(name);
        }
    }

    /// The rules of `name`, which is configured from now on.
    pub fn rules(&mut self, name: &str) -> &mut Rules {
        let configured = self.configured.entry(Name::new(name)).or_insert_with(|| Configured::Yes(rules()));
        if !matches!(configured, Configured::Yes(_)) {
            *configured = Configured::Yes(rules());
        }
        let Configured::Yes(rules) = configured else { unreachable!("it was just made one") };
        rules
    }

    /// What is remembered of `name`.
    pub fn standing(&mut self, name: &str) -> &mut Standing {
        self.state.standings.entry(Name::new(name)).or_default()
    }

    /// What is remembered of the group `name`.
    pub fn group(&mut self, name: &str) -> &mut Group {
        self.state.groups.entry(Name::new(name)).or_default()
    }

    /// `web>db` makes web depend on db, `web:front` a member of front; front gets the ordinary limits.
    pub fn relate(&mut self, text: &str) {
        let mut declared = Declared::default();
        for word in text.split_whitespace() {
            if let Some((name, to)) = word.split_once('>') {
                for section in [name, to] {
                    declared.processes.entry(Name::new(section)).or_default();
                }
                let section: &mut Declaration = declared.processes.entry(Name::new(name)).or_default();
                section.depends_on.get_or_insert_default().push(Name::new(to));
            } else if let Some((name, group)) = word.split_once(':') {
                let group = Name::new(group);
                self.groups.entry(group.clone()).or_insert_with(group_rules);
                declared.processes.entry(Name::new(name)).or_default().group = Some(Membership::Of(group));
            }
        }
        for name in declared.processes.keys() {
            self.configured.entry(name.clone()).or_insert_with(|| Configured::Yes(rules()));
        }
        self.related = Related::merge(&declared, &Relations::default());
    }

    /// An operator orders this, without an end.
    pub fn order(&mut self, order: Order, scope: Scope) {
        let (by, why) = ("anna".to_owned(), "test".to_owned());
        self.overrides.push(Override { scope, order, by, why, since: self.now.wall, until: None });
    }

    /// A maintenance window that opens now and lasts for an hour.
    pub fn maintain(&mut self, id: &str, scope: Scope) {
        self.windows.push(Window {
            id: Name::new(id),
            scopes: vec![scope],
            reason: "disks".to_owned(),
            from: self.now.wall,
            until: self.now.after(secs(3600)).wall,
        });
    }

    /// Lets so many seconds pass.
    pub fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(secs(seconds));
    }

    /// So many seconds before now.
    #[must_use]
    pub fn ago(&self, seconds: u64) -> Ticks {
        Ticks(self.now.boot.0 - seconds * 1000)
    }

    /// So many seconds from now.
    #[must_use]
    pub fn hence(&self, seconds: u64) -> Ticks {
        self.now.boot.after(secs(seconds))
    }

    /// What is seen.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            alarms: &self.alarms,
            known: self.known,
            sight: self.sight,
            polled: self.polled.unwrap_or(self.now.boot),
            configured: &self.configured,
            related: &self.related,
            groups: &self.groups,
            windows: &self.windows,
            overrides: &self.overrides,
            limits: self.limits,
            table: self.table,
            intake: self.intake,
        }
    }

    /// Decides, and changes nothing.
    pub fn decide(&self) -> Plan {
        crate::decide::decide(&self.view(), &self.state, self.now)
    }

    /// Lets the state catch up.
    pub fn advance(&mut self) -> Vec<Notice> {
        let mut state = std::mem::take(&mut self.state);
        let notices = crate::advance::advance(&mut state, &self.view(), self.now);
        self.state = state;
        notices
    }

    /// The job begins.
    pub fn begin(&mut self, job: &Job) {
        let mut state = std::mem::take(&mut self.state);
        let rules = self.rules(job.name.as_str()).clone();
        state.begin(&self.view(), &rules, job, self.now);
        self.state = state;
    }

    /// The job ends.
    pub fn settle(&mut self, job: &Job, outcome: &Outcome) -> Settlement {
        self.ends(crate::settle::settle, job, outcome)
    }

    /// Takes in how a restart by hand has ended.
    pub fn count(&mut self, job: &Job, outcome: &Outcome) -> Settlement {
        self.ends(crate::settle::count, job, outcome)
    }

    fn ends(&mut self, how: Taken, job: &Job, outcome: &Outcome) -> Settlement {
        let mut state = std::mem::take(&mut self.state);
        let rules = self.rules(job.name.as_str()).clone();
        let settled = how(&mut state, &self.view(), &rules, job, outcome, self.now);
        self.state = state;
        settled
    }
}

/// [`settle`](crate::settle::settle) or [`count`](crate::settle::count).
type Taken = fn(&mut State, &View<'_>, &Rules, &Job, &Outcome, Now) -> Settlement;

/// A job for the row 1 of `name` that was begun because of its alarm.
#[must_use]
pub fn job(name: &str) -> Job {
    Job {
        name: Name::new(name),
        alarms: vec![alarm(1, name)],
        cause: Cause::Alarm,
        verify: Verify::AfterOnly,
        trial: Trial::No,
        rung: 0,
        chain: Vec::new(),
    }
}

/// The outcome of a job after one attempt.
pub fn outcome(end: End) -> Outcome {
    Outcome::new(end, 1, "")
}
