//! What changes while pm runs: the configuration file, which is read anew, and the tables of groups and dependencies.

use super::host::Host;
use super::script::{Words, names};
use super::setup::Setup;
use super::words::Kind;
use pm_policy::model::{Configured, Name};

impl Host {
    /// Takes in a change of the file or of a table; whether it was one.
    pub(super) fn reads(&mut self, text: &str) -> Result<bool, String> {
        let before = self.setup.left_out();
        if !self.setup.changes(text)? {
            return Ok(false);
        }
        self.setup.finish();
        for what in self.setup.left_out().iter().filter(|what| !before.contains(what)) {
            self.log.say(self.now, Kind::Notice, "", what);
        }
        self.wake_at = Some(self.now);
        Ok(true)
    }
}

impl Setup {
    /// Takes in a change; whether it was one.
    fn changes(&mut self, text: &str) -> Result<bool, String> {
        if let Some(line) = text.strip_prefix("the file now says ") {
            self.line(line)?;
            return Ok(true);
        }
        let mut words = Words::new(text);
        if words.take("the file no longer says") {
            self.no_longer(&mut words)?;
            return Ok(true);
        }
        self.table(&mut Words::new(text))
    }

    fn no_longer(&mut self, words: &mut Words) -> Result<(), String> {
        let what = words.next();
        for name in names(&words.next()).iter().map(|name| Name::new(name)) {
            match what.as_str() {
                "process" => {
                    self.configured.insert(name.clone(), Configured::No);
                    self.declared.processes.remove(&name);
                }
                "group" => drop(self.groups.remove(&name)),
                "window" => self.windows.retain(|window| window.id != name),
                _ => return Err(format!("cannot be understood: {what}")),
            }
        }
        Ok(())
    }

    /// `the table puts web1..3 into group shop`, `the table says web depends on db`, `the table says nothing of web`;
    /// whether it was one of these.
    pub(super) fn table(&mut self, words: &mut Words) -> Result<bool, String> {
        if words.take("the table puts") {
            let who = names(&words.next());
            if !words.take("into group") {
                return Err("the table puts names into a group".to_owned());
            }
            let group = Name::new(&words.next());
            self.table.groups.extend(who.iter().map(|name| (Name::new(name), group.clone())));
            return Ok(true);
        }
        if words.take("the table says nothing of") {
            let who: Vec<Name> = names(&words.next()).iter().map(|name| Name::new(name)).collect();
            self.table.groups.retain(|(name, _)| !who.contains(name));
            self.table.dependencies.retain(|(name, _)| !who.contains(name));
            return Ok(true);
        }
        if !words.take("the table says") {
            return Ok(false);
        }
        let who = names(&words.next());
        if !words.take("depends on") && !words.take("depend on") {
            return Err(format!("cannot be understood: {}", words.peek()));
        }
        for to in names(&words.next()) {
            let edges = who.iter().map(|name| (Name::new(name), Name::new(&to)));
            self.table.dependencies.extend(edges);
        }
        Ok(true)
    }
}
