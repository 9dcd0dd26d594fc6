//! What happens in a script, beyond the passing of time: alarms, failures, operators, the database.

use super::host::{Database, Host};
use super::script::{Step, Words, lasting, names, number};
use super::setup::{millis, scopes};
use super::words::Kind;
use pm_policy::breaker::Admission;
use pm_policy::model::{Checked, Job, Name, Order, Override, RowId, Scope, Trial};
use pm_policy::time::Wall;

impl Host {
    /// Something happens.
    pub(super) fn happens(&mut self, step: &Step) -> Result<(), String> {
        if step.text.starts_with("wait until ") {
            return Ok(());
        }
        self.log.say(self.now, Kind::Script, "", &step.text);
        self.act_out(&step.text).map_err(|why| format!("line {}: {why}", step.line))
    }

    fn act_out(&mut self, text: &str) -> Result<(), String> {
        let mut words = Words::new(text);
        if words.take("alarm") {
            let who = words.next();
            let row = if words.take("row") { Some(RowId(number(&words.next())?)) } else { None };
            return names(&who).iter().try_for_each(|name| self.setup.world.raise(&Name::new(name), row));
        }
        if words.take("clear") {
            return self.cleared_by_others(&words.next());
        }
        if words.take("the database") || words.take("the table") {
            self.database = match text {
                "the database goes away" => Database::Away,
                "the database is back" | "the table becomes writable" => Database::Works,
                "the table becomes read-only" => Database::ReadOnly,
                _ => return Err(format!("cannot be understood: {text}")),
            };
            return Ok(());
        }
        if text == "the host reboots" {
            self.reboot();
            return Ok(());
        }
        if self.operator(&mut Words::new(text))? {
            self.wake_at = Some(self.now);
            return Ok(());
        }
        self.process_changes(text)
    }

    fn cleared_by_others(&mut self, who: &str) -> Result<(), String> {
        for name in names(who) {
            for row in self.setup.world.rows_of(&Name::new(&name), None) {
                (row.raised, row.alarm.acknowledged) = (false, false);
            }
        }
        Ok(())
    }

    fn process_changes(&mut self, text: &str) -> Result<(), String> {
        let mut words = Words::new(text);
        let subject = words.next();
        let failing = words.take("fails") || words.take("fail");
        let sick = words.take("is sick") || words.take("are sick");
        let healthy = words.take("is healthy") || words.take("are healthy");
        if !failing && !sick && !healthy {
            return match self.setup.world.nature(&mut Words::new(text))? {
                true => Ok(()),
                false => Err(format!("cannot be understood: {text}")),
            };
        }
        for name in names(&subject).iter().map(|name| Name::new(name)) {
            self.setup.world.process(&name)?.sick = !healthy;
            if failing {
                self.setup.world.raise(&name, None)?;
            }
        }
        Ok(())
    }

    /// `ana holds web for 2h "disk swap"`; whether it is something that an operator does.
    fn operator(&mut self, words: &mut Words) -> Result<bool, String> {
        let by = words.next();
        let verb = words.next();
        match verb.as_str() {
            "holds" => self.order(Order::Hold, &by, words)?,
            "observes" => self.order(Order::Observe, &by, words)?,
            "bypasses" => self.order(Order::Bypass, &by, words)?,
            "releases" => {
                let scopes = scopes(words);
                self.overrides.retain(|given| !scopes.contains(&given.scope));
            }
            "resets" => self.reset(&scopes(words)),
            "believes" => self.state.believe(),
            "ticks" => {
                let (who, row) = (words.next(), words.take("row"));
                let row = if row { Some(RowId(number(&words.next())?)) } else { None };
                for name in names(&who) {
                    self.setup
                        .world
                        .rows_of(&Name::new(&name), row)
                        .for_each(|its| its.alarm.acknowledged = true);
                }
            }
            "restarts" => names(&words.next()).iter().for_each(|name| self.by_hand(&Name::new(name))),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn order(&mut self, order: Order, by: &str, words: &mut Words) -> Result<(), String> {
        let scopes = scopes(words);
        let lasts = if words.take("for") { Some(lasting(&words.next())?) } else { None };
        let (why, since) = (words.next(), Wall(self.now));
        let until = lasts.map(|lasts| Wall(self.now + millis(lasts)));
        for scope in scopes {
            self.overrides.retain(|given| given.scope != scope || given.order != order);
            self.overrides.push(Override { scope, order, by: by.to_owned(), why: why.clone(), since, until });
        }
        Ok(())
    }

    fn reset(&mut self, scopes: &[Scope]) {
        let related = &self.setup.related;
        let covered = |name: &&Name| scopes.iter().any(|scope| scope.covers(name, related.group_of(name)));
        let covered: Vec<Name> = self.state.standings.keys().filter(covered).cloned().collect();
        covered.iter().for_each(|name| self.state.reset(name));
        for scope in scopes {
            match scope {
                Scope::All => self.state.groups.clear(),
                Scope::Group(group) => self.state.reset_group(group),
                Scope::Process(_) => {}
            }
        }
    }

    /// An operator restarts a process; the daemon counts it.
    fn by_hand(&mut self, name: &Name) {
        let Some(rules) = self.rules(name) else { return };
        let standing = self.state.standing(name);
        let trial = match standing.map(|standing| standing.breaker.admits(&rules, self.clock().boot)) {
            None | Some(Admission::Allowed) => Trial::No,
            Some(_) => Trial::Probe,
        };
        let in_alarm = standing.is_some_and(|its| its.alarm_since.is_some() && its.in_flight.is_none());
        let mut job = Job::by_hand(name, trial);
        if in_alarm && rules.check == Checked::Unchecked {
            job.alarms = self.setup.world.alarms();
            job.alarms.retain(|alarm| alarm.name == *name && !alarm.acknowledged);
        }
        let step = rules.ladder.first().cloned().unwrap_or_else(|| Name::new(""));
        let (_, effect) = self.setup.world.effect(name, &step);
        let outcome = self.act(&job, effect);
        self.ended(&job, &outcome);
    }
}
