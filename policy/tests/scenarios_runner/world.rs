//! The world outside of pm: the alarm table, how the processes are, and what comes of restarts.

use super::script::{Words, lasting, names};
use pm_policy::model::{Alarm, Clear, Name, RowId};
use std::collections::BTreeMap;
use std::time::Duration;

/// The world.
#[derive(Default)]
pub(super) struct World {
    pub(super) rows: Vec<TableRow>,
    pub(super) processes: BTreeMap<Name, Process>,
    /// Processes that will fail again, and when.
    pub(super) relapses: BTreeMap<Name, i64>,
}

/// A row of the alarm table.
pub(super) struct TableRow {
    pub(super) alarm: Alarm,
    pub(super) raised: bool,
}

/// A process.
#[derive(Default)]
pub(super) struct Process {
    pub(super) sick: bool,
    /// What restarts do, by step of the ladder; `None` is any step.
    effects: BTreeMap<Option<Name>, (Duration, Effect)>,
    /// It becomes healthy when this one is restarted.
    recovers_with: Option<Name>,
}

/// What comes of a restart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is healthy afterwards; for so long, if that is said.
    Helps(Option<Duration>),
    /// It is as sick as before.
    Fails,
    /// The pre-restart command fails, so it comes to no restart.
    NotPrepared,
    /// What the strategy depends on does not answer.
    NoBus,
}

/// How long a restart takes if nothing is said.
const USUAL: (Duration, Effect) = (Duration::from_secs(4), Effect::Helps(None));

impl World {
    pub(super) fn add(&mut self, name: &Name) {
        self.processes.entry(name.clone()).or_default();
    }

    pub(super) fn add_row(&mut self, name: &Name) {
        let row = RowId(i64::try_from(self.rows.len()).unwrap_or(i64::MAX) + 1);
        let alarm = Alarm { row, name: name.clone(), notes: None, acknowledged: false };
        self.rows.push(TableRow { alarm, raised: false });
    }

    /// How things are by nature: what restarts do, and who recovers with whom. Whether it was said.
    pub(super) fn nature(&mut self, words: &mut Words) -> Result<bool, String> {
        if words.take("restarts of") {
            self.restarts_do(words)?;
            return Ok(true);
        }
        let subjects = names(words.peek());
        let known = subjects.iter().all(|name| self.processes.contains_key(&Name::new(name)));
        if subjects.is_empty() || !known {
            return Ok(false);
        }
        words.next();
        if !words.take("recovers with") && !words.take("recover with") {
            return Err(format!("cannot be understood: {}", words.peek()));
        }
        let with = Name::new(&words.next());
        for name in subjects {
            self.process(&Name::new(&name))?.recovers_with = Some(with.clone());
        }
        Ok(true)
    }

    /// `restarts of web by service take 5s and help for 2m`
    fn restarts_do(&mut self, words: &mut Words) -> Result<(), String> {
        let subjects = names(&words.next());
        let step = words.take("by").then(|| Name::new(&words.next()));
        let mut lasts = USUAL.0;
        if words.take("take") {
            lasts = lasting(&words.next())?;
            words.take("and");
        }
        let effect = if words.take("find the bus gone") {
            Effect::NoBus
        } else if words.take("cannot be prepared") {
            Effect::NotPrepared
        } else {
            match words.next().as_str() {
                "fail" => Effect::Fails,
                "help" if words.take("for") => Effect::Helps(Some(lasting(&words.next())?)),
                "help" => Effect::Helps(None),
                other => return Err(format!("cannot be understood: {other}")),
            }
        };
        for name in subjects {
            self.process(&Name::new(&name))?.effects.insert(step.clone(), (lasts, effect));
        }
        Ok(())
    }

    pub(super) fn process(&mut self, name: &Name) -> Result<&mut Process, String> {
        self.processes.get_mut(name).ok_or_else(|| format!("there is no process {name}"))
    }

    pub(super) fn is_sick(&self, name: &Name) -> bool {
        self.processes.get(name).is_some_and(|process| process.sick)
    }

    /// How long a restart by `step` takes, and what comes of it.
    pub(super) fn effect(&self, name: &Name, step: &Name) -> (Duration, Effect) {
        let effects = self.processes.get(name).map(|process| &process.effects);
        let known = effects.and_then(|all| all.get(&Some(step.clone())).or_else(|| all.get(&None)));
        known.copied().unwrap_or(USUAL)
    }

    /// A restart was carried out at `now`; it is healthy afterwards or not.
    pub(super) fn restarted(&mut self, name: &Name, effect: Effect, now: i64) {
        let Some(process) = self.processes.get_mut(name) else { return };
        self.relapses.remove(name);
        process.sick = effect == Effect::Fails;
        let Effect::Helps(lasts) = effect else { return };
        if let Some(lasts) = lasts {
            self.relapses.insert(name.clone(), now + super::setup::millis(lasts));
        }
        for process in self.processes.values_mut().filter(|its| its.recovers_with.as_ref() == Some(name)) {
            process.sick = false;
        }
    }

    /// Raises the alarms of `name`, or of one of its rows.
    pub(super) fn raise(&mut self, name: &Name, row: Option<RowId>) -> Result<(), String> {
        let mut its = self.rows_of(name, row).peekable();
        if its.peek().is_none() {
            return Err(format!("there is no process {name}"));
        }
        its.for_each(|row| row.raised = true);
        Ok(())
    }

    pub(super) fn rows_of(&mut self, name: &Name, row: Option<RowId>) -> impl Iterator<Item = &mut TableRow> {
        let its = self.rows.iter_mut().filter(move |its| its.alarm.name == *name);
        its.filter(move |its| row.is_none_or(|row| its.alarm.row == row))
    }

    /// The rows in alarm.
    pub(super) fn alarms(&self) -> Vec<Alarm> {
        self.rows.iter().filter(|row| row.raised).map(|row| row.alarm.clone()).collect()
    }

    /// Clears a row if it still is as it was read; its process name.
    pub(super) fn clear(&mut self, clear: &Clear) -> Option<Name> {
        let row = self.rows.iter_mut().find(|row| row.alarm.row == clear.row && row.raised)?;
        if row.alarm.notes != clear.notes {
            return None;
        }
        (row.raised, row.alarm.acknowledged) = (false, false);
        Some(row.alarm.name.clone())
    }
}
