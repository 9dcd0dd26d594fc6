//! What the loop knows: alarms of the last poll, what is remembered, running jobs, and which reasons have been said.
//!
//! Owned by the loop's thread alone. It judges nothing; `policy` does, on the view that it hands out.

use super::wall::WallClock;
use crate::policy::model::{
    Alarm, Cause, Configured, Handled, Hold, InFlight, Intake, Job, Limits, Name, Override, RowId, Sight,
    Table, Verify, View, Window,
};
use crate::policy::relations::Relations;
use crate::policy::state::State;
use crate::policy::time::{Now, Ticks, Wall};
use crate::ports::{Arrangement, Catalog, Cleared, HostMemory, Pending};
use crate::spec::Spec;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How much of what was seen a killed pm may take for unseen: while something waits for quiet, that is noted so often.
const NOTED_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Book {
    pub(super) alarms: Vec<Alarm>,
    /// When the last poll began whose news have been taken in.
    pub(super) polled_at: Ticks,
    /// How many rows there are, when it was asked.
    pub(super) known: Option<u64>,
    pub(super) state: State,
    pub(super) running: BTreeMap<Name, Running>,
    pub(super) table: Table,
    pub(super) database: Result<(), String>,
    /// Whether `alarms` are those of now; none before the database was first asked.
    sight: Option<Sight>,
    pub(super) arrangement: Arrangement,
    pub(super) windows: Vec<Window>,
    pub(super) overrides: Vec<Override>,
    configured: HashMap<Name, Configured>,
    specs: BTreeMap<Name, Arc<Spec>>,
    /// Whose mark of a handled row it is.
    marked: HashMap<RowId, Name>,
    /// Clearings of an earlier pm; the name is known when the row is read.
    inherited: HashMap<RowId, Option<String>>,
    said: HashMap<RowId, String>,
    /// How many waited for the storm limit when it was asked last.
    storm: usize,
    /// When somebody waited for it last.
    stormed: Option<Ticks>,
    /// Who is being restarted by hand.
    pub(super) by_hand: BTreeSet<Name>,
    /// Up to when the journal knows that the alarms were seen.
    noted: Ticks,
    /// Whether the clock that people read is set.
    pub(super) wall: WallClock,
}

/// A job that is running.
pub(super) struct Running {
    pub(super) job: Job,
    pub(super) spec: Arc<Spec>,
    /// Why it is to begin nothing more, once that is so; the job looks here before each restart.
    pub(super) called_off: Arc<OnceLock<String>>,
}

impl Book {
    /// What the journal remembers. Rows whose clearing waits count as handled until they are delivered.
    pub(super) fn open(state: State, arrangement: Arrangement, outbox: &[Pending]) -> Self {
        let inherited = outbox.iter().map(|Pending { clear, .. }| (clear.row, clear.notes.clone())).collect();
        Self {
            alarms: Vec::new(),
            polled_at: Ticks(0),
            known: None,
            state,
            running: BTreeMap::new(),
            table: Table::Writable,
            database: Ok(()),
            sight: None,
            arrangement,
            windows: Vec::new(),
            overrides: Vec::new(),
            configured: HashMap::new(),
            specs: BTreeMap::new(),
            marked: HashMap::new(),
            inherited,
            said: HashMap::new(),
            storm: 0,
            stormed: None,
            by_hand: BTreeSet::new(),
            noted: Ticks(0),
            wall: WallClock::default(),
        }
    }

    /// Asks the configuration about names that are new since it last changed.
    pub(super) fn look_up(&mut self, catalog: &mut dyn Catalog, now: Now) {
        let remembered = self.state.standings.keys().chain(self.state.due.keys());
        let names = self.alarms.iter().map(|alarm| &alarm.name).chain(remembered);
        for name in names {
            if !self.configured.contains_key(name) {
                let (configured, mut spec) = catalog.look_up(name);
                self.configured.insert(name.clone(), configured);
                if let Some(spec) = &mut spec {
                    Arc::make_mut(spec).group = self.arrangement.related.group_of(name).cloned();
                }
                self.specs.extend(spec.map(|spec| (name.clone(), spec)));
            }
        }
        if self.inherited.is_empty() {
            return;
        }
        for alarm in &self.alarms {
            if self.inherited.get(&alarm.row).is_some_and(|notes| *notes == alarm.notes)
                && let Some(Configured::Yes(rules)) = self.configured.get(&alarm.name)
            {
                self.inherited.remove(&alarm.row);
                let recheck = now.boot.after(rules.grace);
                let mark = Handled { row: alarm.row, notes: alarm.notes.clone(), recheck };
                self.state.standings.entry(alarm.name.clone()).or_default().handled.push(mark);
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

    /// Calls off what is running for processes that a maintenance window covers by now. Who is asked for by an operator
    /// is restarted in a window as well.
    pub(super) fn call_off(&self, now: Now) {
        for (name, Running { job, called_off, .. }) in &self.running {
            let group = self.arrangement.related.group_of(name);
            let covers = |window: &&Window| window.is_open(now.wall) && window.covers(name, group);
            if job.cause != Cause::Operator
                && let Some(Window { id, reason, until, .. }) = self.windows.iter().find(covers)
            {
                let (id, reason, until) = (id.clone(), reason.clone(), *until);
                called_off.get_or_init(|| Hold::Maintenance { id, reason, until }.sentence(now));
            }
        }
    }

    /// Whether nothing could come of looking, or nothing is known yet.
    pub(super) fn is_at_rest(&self) -> bool {
        let nothing = self.alarms.is_empty()
            && self.state.is_at_rest()
            && self.state.windows.is_empty()
            && self.windows.is_empty();
        nothing || self.sight.is_none()
    }

    /// What is remembered, to be changed, and the view that it is judged with.
    pub(super) fn judged(&mut self, intake: Intake) -> (&mut State, View<'_>) {
        let Arrangement { related, groups, limits } = &self.arrangement;
        let view = View {
            alarms: &self.alarms,
            known: self.known,
            sight: self.sight.unwrap_or(Sight::Blind),
            polled: self.polled_at,
            configured: &self.configured,
            related,
            groups,
            windows: &self.windows,
            overrides: &self.overrides,
            limits: *limits,
            table: self.table,
            intake,
        };
        (&mut self.state, view)
    }

    pub(super) fn limits(&self) -> Limits {
        self.arrangement.limits
    }

    /// What is to be stored of the host, with what the tables say.
    pub(super) fn host(&mut self, table: &Relations) -> HostMemory {
        self.noted = self.polled_at;
        let State { groups, drivers, due, storm, mass, windows, .. } = self.state.clone();
        let (relations, seen_until) = (table.clone(), Some(self.polled_at));
        HostMemory { groups, drivers, due, storm, mass, windows, relations, seen_until }
    }

    /// Whether it has to be noted again up to when the alarms were seen; only while something waits for quiet.
    pub(super) fn is_note_due(&self) -> bool {
        !self.state.is_at_rest() && self.polled_at.since(self.noted) >= NOTED_EVERY
    }

    /// Takes in which restarts are under way that are not the loop's: they count like its own until they end.
    pub(super) fn elsewhere(&mut self, under_way: Vec<(Name, Wall)>, now: Now) {
        let names: BTreeSet<Name> = under_way.iter().map(|(name, _)| name.clone()).collect();
        for name in std::mem::replace(&mut self.by_hand, names) {
            if !self.running.contains_key(&name)
                && !self.by_hand.contains(&name)
                && let Some(standing) = self.state.standings.get_mut(&name)
            {
                standing.in_flight = None;
            }
        }
        for (name, began) in under_way {
            let lasts = Duration::from_millis(u64::try_from(now.wall.0 - began.0).unwrap_or_default());
            let since =
                Ticks(now.boot.0.saturating_sub(u64::try_from(lasts.as_millis()).unwrap_or_default()));
            let job = InFlight { since, verify: Verify::AfterOnly };
            self.state.standings.entry(name).or_default().in_flight.get_or_insert(job);
        }
    }

    /// Takes in whether the database answers. What is known of the alarms is older than the answer, so only the poll
    /// that follows gives back the sight of them.
    pub(super) fn linked(&mut self, database: Result<(), String>) {
        if database.is_err() {
            self.sight = Some(Sight::Blind);
        }
        self.database = database;
    }

    /// Takes in what a poll read. Reasons that were said for rows that are gone are forgotten.
    pub(super) fn polled(&mut self, alarms: Vec<Alarm>, known: Option<u64>) {
        self.alarms = alarms;
        self.known = known;
        self.sight = Some(Sight::Clear);
        if !self.said.is_empty() {
            let rows: HashSet<RowId> = self.alarms.iter().map(|alarm| alarm.row).collect();
            self.said.retain(|row, _| rows.contains(row));
        }
    }

    /// Those of the reasons that are new for their row, and worth saying.
    pub(super) fn new_reasons(&mut self, held: Vec<(usize, Hold)>) -> Vec<(usize, Hold)> {
        // Some end by themselves within moments, and in a burst there are thousands of them; the restart that
        // they wait for is in the log.
        let passing = |hold: &Hold| {
            matches!(
                hold,
                Hold::Capacity { .. } | Hold::InFlight { .. } | Hold::Handled { .. } | Hold::Storm { .. }
            )
        };
        let mut new = Vec::new();
        for (index, hold) in held.into_iter().filter(|(_, hold)| !passing(hold)) {
            let (row, essence) = (self.alarms[index].row, essence(&hold));
            if !self.said.get(&row).is_some_and(|said| said.starts_with(&essence)) {
                self.said.insert(row, essence);
                new.push((index, hold));
            }
        }
        new
    }

    /// Since when a name is in alarm, as far as this pm has seen it.
    pub(super) fn alarm_since(&self, name: &Name, now: Now) -> Option<Wall> {
        Some(now.wall_at(self.state.standing(name)?.alarm_since?))
    }

    /// The rows of a name that nobody has ticked and no job is about, when it has been in alarm since before a moment.
    pub(super) fn alarms_before(&self, name: &Name, moment: Wall, now: Now) -> Vec<Alarm> {
        let standing = self.state.standing(name).filter(|standing| standing.in_flight.is_none());
        let since = standing.and_then(|standing| standing.alarm_since);
        if since.is_none_or(|since| now.wall_at(since) > moment) {
            return Vec::new();
        }
        let its = self.alarms.iter().filter(|alarm| alarm.name == *name && !alarm.acknowledged);
        its.cloned().collect()
    }

    /// Takes in how many wait for the storm limit; whether they are the first. Whoever is looked at first may turn out
    /// healthy and give the place back, so who waits only for such looks is in no storm yet.
    pub(super) fn storm_begins(&mut self, waiting: usize, now: Now) -> bool {
        let budget = self.limits().storm;
        let looks_first = |its: &&Running| matches!(its.job.verify, Verify::First | Verify::Patiently);
        let looks = self.running.values().filter(looks_first);
        let restarts = looks.fold(self.state.storm, |bucket, _| bucket.given_back(budget));
        let waiting = if restarts.left(budget, now.boot) == Some(0) { waiting } else { 0 };
        let first = std::mem::replace(&mut self.storm, waiting) == 0 && waiting > 0;
        // Looks give their places back, so that nobody waits for a moment; that is no end of the storm.
        let begins = first && self.stormed.is_none_or(|at| now.boot.since(at) > budget.refill * budget.size);
        if waiting > 0 {
            self.stormed = Some(now.boot);
        }
        begins
    }

    /// A job ended: its alarms count again when the next poll still finds them.
    pub(super) fn settled(&mut self, job: &Job) {
        for Alarm { row, .. } in &job.alarms {
            self.marked.remove(row);
            // In a mass alarm that is held each row is looked at again and again, and its reason stays.
            if job.cause != Cause::MassAlarm {
                self.said.remove(row);
            }
        }
        if let Some(standing) = self.state.standing(&job.name) {
            for mark in &standing.handled {
                self.marked.insert(mark.row, job.name.clone());
            }
        }
        self.alarms
            .retain(|alarm| alarm.name != job.name || !job.alarms.iter().any(|done| done.row == alarm.row));
    }

    /// Clearings came to an end: the marks go, and so do the alarms they were about.
    pub(super) fn delivered(&mut self, rows: &[(RowId, Cleared)]) {
        let gone: HashSet<RowId> = rows.iter().map(|(row, _)| *row).collect();
        for row in &gone {
            self.inherited.remove(row);
            if let Some(name) = self.marked.remove(row)
                && let Some(standing) = self.state.standings.get_mut(&name)
            {
                standing.handled.retain(|mark| mark.row != *row);
            }
        }
        self.alarms.retain(|alarm| !gone.contains(&alarm.row));
    }
}

/// What has to change for a reason to be a new one; what begins another is contained in it. Whoever waits for another
/// root, or for one that pm does not restart any more, should know, and whoever is asked whether to believe a mass alarm.
/// That restarts and looks begin and end is no news.
fn essence(hold: &Hold) -> String {
    let word = hold.word();
    match hold {
        Hold::Waiting { cause, trouble } if trouble.is_in_hand() => format!("{word}\n{cause}\n"),
        Hold::Waiting { cause, trouble } => format!("{word}\n{cause}\n{}", trouble.word()),
        Hold::Maintenance { id, .. } => format!("{word}\n{id}\n"),
        Hold::MassAlarm { healthy: Some(_), .. } => format!("{word}\nheld"),
        _ => format!("{word}\n"),
    }
}
