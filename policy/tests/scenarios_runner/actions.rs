//! What happens in a script, beyond the passing of time: alarms, failures, operators, the database.

use super::hand::asked;
use super::host::{Database, Host};
use super::script::{Step, Words, lasting, names, number};
use super::setup::{millis, scopes};
use super::words::Kind;
use pm_policy::model::{Name, Order, Override, RowId, Scope};
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
        if self.fares(text)? || self.reads(text)? {
            return Ok(());
        }
        let mut words = Words::new(text);
        if words.take("alarm the row without a name") {
            return self.setup.world.raise(&Name::new(""), None);
        }
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
            "restarts" => {
                let who = names(&words.next());
                let asked = asked(words.take("by force"));
                who.iter().for_each(|name| self.by_hand(&Name::new(name), asked));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn order(&mut self, order: Order, by: &str, words: &mut Words) -> Result<(), String> {
        let scopes = scopes(words);
        let lasts = if words.take("for") { Some(lasting(&words.next())?) } else { None };
        let (why, since) = (words.next(), self.clock().wall);
        let until = lasts.map(|lasts| Wall(since.0 + millis(lasts)));
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
}
