//! What there is when a scenario begins: processes, groups, windows, the limits of the host.

use super::script::{Words, lasting, moment, names, number};
use super::world::World;
use pm_policy::bucket::Budget;
use pm_policy::group::GroupRules;
use pm_policy::model::Checked;
use pm_policy::model::{
    Configured, Criticality, Dependents, Intake, Limits, Name, Rules, Scope, Verify, Window,
};
use pm_policy::relations::{Declaration, Declared, Membership, Related, Relations};
use pm_policy::testing;
use pm_policy::time::Wall;
use std::collections::HashMap;
use std::time::Duration;

/// What there is.
pub(super) struct Setup {
    pub(super) configured: HashMap<Name, Configured>,
    pub(super) groups: HashMap<Name, GroupRules>,
    pub(super) related: Related,
    pub(super) windows: Vec<Window>,
    pub(super) limits: Limits,
    pub(super) intake: Intake,
    pub(super) world: World,
    pub(super) declared: Declared,
    /// What the tables of groups and dependencies say.
    pub(super) table: Relations,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            configured: HashMap::new(),
            groups: HashMap::new(),
            related: Related::default(),
            windows: Vec::new(),
            limits: Limits {
                parallel: 4,
                storm: Budget { size: 10, refill: Duration::from_secs(6) },
                mass_min: 10,
                mass_share: 50,
                ..testing::limits()
            },
            intake: Intake::Open,
            world: World::default(),
            declared: Declared::default(),
            table: Relations::default(),
        }
    }
}

impl Setup {
    /// Takes in one line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), String> {
        let mut words = Words::new(line);
        match words.peek() {
            "process" => self.process(&mut words),
            "row" if line == "row without a name" => {
                self.world.add_row(&Name::new(""));
                Ok(())
            }
            "row" => {
                words.next();
                names(&words.next()).iter().for_each(|name| self.world.add_row(&Name::new(name)));
                Ok(())
            }
            "group" => self.group(&mut words),
            "limits" => self.limits(&mut words),
            "window" => self.window(&mut words),
            _ if line == "pm only observes" => {
                self.intake = Intake::Observing;
                Ok(())
            }
            _ => match self.table(&mut Words::new(line))? || self.world.nature(&mut words)? {
                true => Ok(()),
                false => Err(format!("cannot be understood: {line}")),
            },
        }
    }

    /// All lines have been read.
    pub(super) fn finish(&mut self) {
        self.related = Related::merge(&self.declared, &self.table);
        for (group, rules) in &mut self.groups {
            rules.members = u32::try_from(self.related.members(group).len()).unwrap_or(u32::MAX);
        }
    }

    /// Dependencies that cannot be followed, as people are told of them.
    pub(super) fn left_out(&self) -> Vec<String> {
        self.related.problems().iter().map(ToString::to_string).collect()
    }

    fn process(&mut self, words: &mut Words) -> Result<(), String> {
        words.next();
        let all = names(&words.next());
        let (mut rules, mut declaration, mut rows) = (testing::rules(), Declaration::default(), 1);
        let mut unusable = None;
        while !words.is_empty() {
            let word = words.next();
            if let Some(level) = Criticality::ALL.into_iter().find(|level| level.word() == word) {
                level_numbers(&mut rules, level);
                continue;
            }
            match (word.as_str(), word.split_once('=')) {
                ("depends", _) if words.take("on") => {
                    declaration.depends_on =
                        Some(names(&words.next()).iter().map(|n| Name::new(n)).collect());
                }
                ("check", _) => rules.check = Checked::ByCheck,
                ("unusable", _) => unusable = Some(words.next()),
                ("unchecked", _) => rules.check = Checked::Unchecked,
                ("verify-first", _) => rules.verify = Verify::First,
                ("restart-dependents", _) => rules.dependents = Dependents::Restart,
                (_, Some(("group", group))) => {
                    declaration.group = Some(Membership::Of(Name::new(group)));
                }
                (_, Some(("rows", count))) => rows = number(count)?,
                (_, Some((key, value))) => set(&mut rules, key, value)?,
                _ => return Err(format!("cannot be understood: {word}")),
            }
        }
        for name in all.iter().map(|name| Name::new(name)) {
            // A process that the file says something else of has its rows already.
            if self.world.rows_of(&name, None).next().is_none() {
                (0..rows).for_each(|_| self.world.add_row(&name));
            }
            self.world.add(&name);
            let usable = || Configured::Yes(rules.clone());
            let configured = unusable.clone().map_or_else(usable, Configured::Unusable);
            self.configured.insert(name.clone(), configured);
            self.declared.processes.insert(name, declaration.clone());
        }
        Ok(())
    }

    fn group(&mut self, words: &mut Words) -> Result<(), String> {
        words.next();
        let name = Name::new(&words.next());
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let mut rules = GroupRules {
            budget: Budget { size: 5, refill: minutes(1) },
            correlation: 3,
            share: 50,
            window: minutes(15),
            open_time: minutes(5),
            open_max: minutes(60),
            open_jitter: 15,
            stable: minutes(10),
            members: 0,
        };
        while !words.is_empty() {
            let word = words.next();
            let (key, value) = word.split_once('=').ok_or_else(|| format!("cannot be understood: {word}"))?;
            match key {
                "budget" => rules.budget.size = number(value)?,
                "refill" => rules.budget.refill = lasting(value)?,
                "correlation" => rules.correlation = number(value)?,
                "share" => rules.share = number(value)?,
                "window" => rules.window = lasting(value)?,
                "open" => rules.open_time = lasting(value)?,
                "open_max" => rules.open_max = lasting(value)?,
                "stable" => rules.stable = lasting(value)?,
                _ => return Err(format!("unknown key: {key}")),
            }
        }
        self.groups.insert(name, rules);
        Ok(())
    }

    fn limits(&mut self, words: &mut Words) -> Result<(), String> {
        words.next();
        while !words.is_empty() {
            let word = words.next();
            let (key, value) = word.split_once('=').ok_or_else(|| format!("cannot be understood: {word}"))?;
            match key {
                "parallel" => self.limits.parallel = number(value)?,
                "storm" => self.limits.storm.size = number(value)?,
                "refill" => self.limits.storm.refill = lasting(value)?,
                "mass_min" => self.limits.mass_min = number(value)?,
                "mass_share" => self.limits.mass_share = number(value)?,
                "driver_failures" => self.limits.driver.failures = number(value)?,
                "driver_pause" => self.limits.driver.pause = lasting(value)?,
                "driver_open" => self.limits.driver.open_time = lasting(value)?,
                "driver_open_max" => self.limits.driver.open_max = lasting(value)?,
                "mass_look" => self.limits.mass_look = lasting(value)?,
                "mass_recheck" => self.limits.mass_recheck = lasting(value)?,
                _ => return Err(format!("unknown key: {key}")),
            }
        }
        Ok(())
    }

    /// `window ID from 02:00 for 1h on group shop "why"`
    fn window(&mut self, words: &mut Words) -> Result<(), String> {
        words.next();
        let id = Name::new(&words.next());
        if !words.take("from") {
            return Err("a window says from when".to_owned());
        }
        let from = words.next();
        let from = moment(&from).ok_or_else(|| format!("not a time: {from}"))?;
        if !words.take("for") {
            return Err("a window says for how long".to_owned());
        }
        let until = from + millis(lasting(&words.next())?);
        if !words.take("on") {
            return Err("a window says on what".to_owned());
        }
        let scopes = scopes(words);
        let (from, until) = (Wall(from), Wall(until));
        self.windows.retain(|window| window.id != id);
        self.windows.push(Window { id, scopes, reason: words.next(), from, until });
        Ok(())
    }
}

/// `everything`, `group NAME` or names.
pub(super) fn scopes(words: &mut Words) -> Vec<Scope> {
    if words.take("everything") {
        return vec![Scope::All];
    }
    if words.take("group") {
        return vec![Scope::Group(Name::new(&words.next()))];
    }
    names(&words.next()).iter().map(|name| Scope::Process(Name::new(name))).collect()
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The numbers of a level as the configuration has them when it says nothing else, without the spread.
fn level_numbers(rules: &mut Rules, level: Criticality) {
    let (threshold, window, backoff, open, longest, stable) = match level {
        Criticality::Critical => (5, 15, 5, 2, 30, 10),
        Criticality::High => (4, 15, 10, 3, 45, 10),
        Criticality::Normal => (3, 15, 10, 5, 60, 10),
        Criticality::Low => (2, 30, 30, 15, 6 * 60, 20),
    };
    let minutes = |count: u64| Duration::from_secs(60 * count);
    (rules.criticality, rules.threshold) = (level, threshold);
    (rules.window, rules.stable) = (minutes(window), minutes(stable));
    (rules.open_time, rules.open_max) = (minutes(open), minutes(longest));
    rules.pause.base = Duration::from_secs(backoff);
}

fn set(rules: &mut Rules, key: &str, value: &str) -> Result<(), String> {
    match key {
        "threshold" => rules.threshold = number(value)?,
        "window" => rules.window = lasting(value)?,
        "open" => rules.open_time = lasting(value)?,
        "open_max" => rules.open_max = lasting(value)?,
        "jitter" => rules.open_jitter = number(value)?,
        "stable" => rules.stable = lasting(value)?,
        "doubt" => rules.doubt = lasting(value)?,
        "backoff" => rules.pause.base = lasting(value)?,
        "backoff_max" => rules.pause.cap = lasting(value)?,
        "grace" => rules.grace = lasting(value)?,
        "ladder" => rules.ladder = names(value).iter().map(|step| Name::new(step)).collect(),
        _ => return Err(format!("unknown key: {key}")),
    }
    Ok(())
}
