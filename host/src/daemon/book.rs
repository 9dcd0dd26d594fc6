//! What the loop knows: alarms of the last poll, standings, running jobs, and which reasons have been said.
//!
//! Owned by the loop's thread alone. It judges nothing; `policy` does, on the view that it hands out.

use crate::policy::model::{
    Alarm, Configured, Handled, Hold, Intake, Job, Name, RowId, Standing, Table, View,
};
use crate::policy::time::Now;
use crate::policy::window::Override;
use crate::ports::{Catalog, Cleared, Pending};
use crate::spec::Spec;
use crate::wording;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tracing::{info, warn};

pub(super) struct Book {
    pub(super) alarms: Vec<Alarm>,
    pub(super) standings: BTreeMap<Name, Standing>,
    pub(super) running: BTreeMap<Name, (Job, Arc<Spec>)>,
    pub(super) table: Table,
    pub(super) database: Result<(), String>,
    /// What operators have ordered; some of it may be over.
    pub(super) overrides: Vec<Override>,
    configured: BTreeMap<Name, Configured>,
    specs: BTreeMap<Name, Arc<Spec>>,
    /// Whose mark of a handled row it is.
    marked: HashMap<RowId, Name>,
    /// Clearings of an earlier pm; the name is known when the row is read.
    inherited: HashMap<RowId, Option<String>>,
    said: HashMap<RowId, &'static str>,
}

impl Book {
    /// What the journal remembers. Rows whose clearing waits count as handled until they are delivered.
    pub(super) fn open(standings: BTreeMap<Name, Standing>, outbox: &[Pending]) -> Self {
        let inherited = outbox.iter().map(|Pending { clear, .. }| (clear.row, clear.notes.clone())).collect();
        Self {
            alarms: Vec::new(),
            standings,
            running: BTreeMap::new(),
            table: Table::Writable,
            database: Ok(()),
            overrides: Vec::new(),
            configured: BTreeMap::new(),
            specs: BTreeMap::new(),
            marked: HashMap::new(),
            inherited,
            said: HashMap::new(),
        }
    }

    /// Asks the configuration about names that are new since it last changed.
    pub(super) fn look_up(&mut self, catalog: &mut dyn Catalog, now: Now) {
        for alarm in &self.alarms {
            if !self.configured.contains_key(&alarm.name) {
                let (configured, spec) = catalog.look_up(&alarm.name);
                self.configured.insert(alarm.name.clone(), configured);
                self.specs.extend(spec.map(|spec| (alarm.name.clone(), spec)));
            }
            if self.inherited.get(&alarm.row).is_some_and(|notes| *notes == alarm.notes)
                && let Some(Configured::Yes(rules)) = self.configured.get(&alarm.name)
            {
                self.inherited.remove(&alarm.row);
                let recheck = now.boot.after(rules.grace);
                let mark = Handled { row: alarm.row, notes: alarm.notes.clone(), recheck };
                self.standings.entry(alarm.name.clone()).or_default().handled.push(mark);
                self.marked.insert(alarm.row, alarm.name.clone());
            }
        }
    }

    pub(super) fn forget_configured(&mut self) {
        self.configured.clear();
        self.specs.clear();
    }

    pub(super) fn spec(&self, name: &Name) -> Option<Arc<Spec>> {
        self.specs.get(name).map(Arc::clone)
    }

    pub(super) fn view(&self, limit: usize, intake: Intake) -> View<'_> {
        View {
            alarms: &self.alarms,
            configured: &self.configured,
            standings: &self.standings,
            limit,
            running: self.running.len(),
            table: self.table,
            intake,
        }
    }

    /// Takes in what a poll read. Reasons that were said for rows that are gone are forgotten.
    pub(super) fn polled(&mut self, alarms: Vec<Alarm>) {
        self.alarms = alarms;
        if !self.said.is_empty() {
            let rows: HashSet<RowId> = self.alarms.iter().map(|alarm| alarm.row).collect();
            self.said.retain(|row, _| rows.contains(row));
        }
    }

    /// Says a reason once, when it is new for its row.
    pub(super) fn say_held(&mut self, held: &[(usize, Hold)], now: Now) {
        for (index, hold) in held {
            // These end by themselves within moments, and in a burst there are thousands of them; the restart that
            // they wait for is in the log.
            if matches!(hold, Hold::Capacity { .. } | Hold::InFlight { .. } | Hold::Handled { .. }) {
                continue;
            }
            let alarm = &self.alarms[*index];
            if self.said.insert(alarm.row, hold.word()) == Some(hold.word()) {
                continue;
            }
            let text = wording::held(alarm, hold, now);
            match hold {
                Hold::BreakerOpen { .. } | Hold::Unusable(_) | Hold::Unnamed => warn!("{text}"),
                _ => info!("{text}"),
            }
        }
    }

    /// A job ended: its alarms count again when the next poll still finds them.
    pub(super) fn settled(&mut self, name: &Name, standing: Standing, job: &Job) {
        for Alarm { row, .. } in &job.alarms {
            self.marked.remove(row);
            self.said.remove(row);
        }
        for mark in &standing.handled {
            self.marked.insert(mark.row, name.clone());
        }
        self.alarms
            .retain(|alarm| alarm.name != *name || !job.alarms.iter().any(|done| done.row == alarm.row));
        self.stands(name, standing);
    }

    /// Remembers how a name stands; a clean slate is not remembered.
    pub(super) fn stands(&mut self, name: &Name, standing: Standing) {
        if standing == Standing::default() {
            self.standings.remove(name);
        } else {
            self.standings.insert(name.clone(), standing);
        }
    }

    /// Clearings came to an end: the marks go, and so do the alarms they were about.
    pub(super) fn delivered(&mut self, rows: &[(RowId, Cleared)]) {
        let gone: HashSet<RowId> = rows.iter().map(|(row, _)| *row).collect();
        for row in &gone {
            self.inherited.remove(row);
            if let Some(name) = self.marked.remove(row)
                && let Some(standing) = self.standings.get_mut(&name)
            {
                standing.handled.retain(|mark| mark.row != *row);
            }
        }
        self.alarms.retain(|alarm| !gone.contains(&alarm.row));
    }
}
