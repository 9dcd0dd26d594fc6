//! Puts the parts of pm together for a command: reads the configuration, finds the plugins, opens store and journal.
//!
//! This is where plain data of one edge becomes plain data of another, because edges never import each other.

use crate::calendar::{Agenda, Zone, when};
use crate::cli::arguments::Global;
use crate::cli::arrange::arrangement;
use crate::cli::{Failure, addresses, libraries};
use crate::clock::{Stop, SystemClock};
use crate::config::{self, Catalogue, Config, Environment, Loaded, Problem, Severity};
use crate::journal;
use crate::plugins::{self, Registry};
use crate::policy::advance::advance;
use crate::policy::mass::{Condition, Mass, Stage};
use crate::policy::model::{
    Alarm, Checked, Clear, Configured, Handled, Hold, InFlight, Intake, Name, Notice, Override, Sight,
    Standing, Table, Verify, View, Window,
};
use crate::policy::relations;
use crate::policy::state::State;
use crate::policy::time::{Now, Ticks, Wall};
use crate::ports::{
    AlarmStore, Arrangement, Attempt, Clock, HostMemory, Journal, JournalError, Row, Windows,
};
use crate::presence::StateLock;
use crate::spec::Spec;
use crate::store;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a configuration is looked for when none is named. Never the working directory: whoever can write there
/// would decide what pm runs.
const USUAL_FILES: [&str; 3] =
    ["/etc/pm/config.ini", "/opt/monitor_service/config.ini", "/etc/process_monitor/config.ini"];

/// A configuration file as read, with the plugins it is checked against.
pub(crate) struct Read {
    pub(crate) loaded: Loaded,
    pub(crate) registry: Arc<Registry>,
    pub(crate) environment: Environment,
}

/// What most commands work with.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    clock: Arc<SystemClock>,
    arrangement: OnceCell<Arrangement>,
}

/// What table, file and journal say at one moment: all that the daemon would judge by.
pub(crate) struct Picture {
    pub(crate) rows: Vec<Row>,
    /// The rows in alarm.
    pub(crate) alarms: Vec<Alarm>,
    /// What is remembered, caught up with the moment.
    pub(crate) state: State,
    /// What has changed by that.
    pub(crate) notices: Vec<Notice>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) arrangement: Arrangement,
    pub(crate) windows: Vec<Window>,
    pub(crate) overrides: Vec<Override>,
    pub(crate) configured: HashMap<Name, Configured>,
    pub(crate) database: Result<(), String>,
    /// Which of several addresses answered.
    pub(crate) address: Option<String>,
    pub(crate) daemon: Option<u32>,
    pub(crate) now: Now,
}

/// The configuration file that is meant.
pub(crate) fn config_file(global: &Global, environment: &Environment) -> Result<PathBuf, Failure> {
    if let Some(file) = &global.config {
        return Ok(file.clone());
    }
    let named = ["PM_CONFIG", "CONFIG_FILE"].into_iter().find_map(|key| environment.variables.get(key));
    if let Some(file) = named.filter(|file| !file.is_empty()) {
        return Ok(PathBuf::from(file));
    }
    USUAL_FILES.iter().map(PathBuf::from).find(|file| file.exists()).ok_or_else(|| {
        Failure::Usage(format!(
            "no configuration file: none of {} exists; name one with --config FILE, or see pm work with: pm demo",
            USUAL_FILES.join(", ")
        ))
    })
}

/// Finds the plugins as the options and the configuration say.
pub(crate) fn registry(global: &Global, configured: Option<&config::Plugins>) -> Registry {
    let exe = std::env::current_exe().unwrap_or_default();
    let dir = configured.and_then(|plugins| plugins.dir.as_deref());
    let directory = plugins::directory(global.plugins_dir.as_deref(), dir, &exe);
    Registry::scan(&directory, configured.map(libraries::rules).unwrap_or_default())
}

/// Reads the configuration: once to learn where the plugins are, and again knowing their settings.
pub(crate) fn read(global: &Global) -> Result<Read, Failure> {
    let environment = Environment::of_this_process();
    let file = config_file(global, &environment)?;
    let first = config::load(&file, &environment, &Catalogue::default());
    let configured = first.config.as_ref().map(|config| &config.plugins);
    let registry = Arc::new(registry(global, configured));
    let mut loaded = config::load(&file, &environment, &libraries::catalogue(&registry));
    if let Some(refusal) = registry.refusal() {
        loaded.problems.push(without_plugins(&file, refusal.to_string()));
    }
    Ok(Read { loaded, registry, environment })
}

/// A plugin directory that cannot be used leaves nothing that could restart anything.
fn without_plugins(file: &Path, refusal: String) -> Problem {
    Problem {
        severity: Severity::Error,
        file: file.to_owned(),
        line: None,
        section: "plugins".to_owned(),
        key: Some("dir".to_owned()),
        message: refusal,
        hint: None,
    }
}

impl Context {
    /// Reads the configuration; problems that leave something to work with are told by `pm check`, not here.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let Read { loaded, registry, .. } = read(global)?;
        Self::of(&loaded, &registry).ok_or_else(|| {
            let errors: Vec<_> =
                loaded.problems.iter().map(|problem| format!("{}: {problem}", problem.severity)).collect();
            Failure::Usage(format!("the configuration cannot be used\n{}", errors.join("\n")))
        })
    }

    /// Of a file that was read; none when it leaves nothing to work with.
    pub(crate) fn of(loaded: &Loaded, registry: &Arc<Registry>) -> Option<Self> {
        let config = loaded.config.clone()?;
        let clock = Arc::new(SystemClock::new(Stop::new()));
        Some(Self { config, registry: Arc::clone(registry), clock, arrangement: OnceCell::new() })
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }
    /// Reads the moment of an option of those who look back.
    pub(crate) fn past(&self, option: &str, text: &str) -> Result<Wall, Failure> {
        when::past(text, self.now().wall, &Zone::system())
            .map_err(|why| Failure::Usage(format!("{option}: {why}")))
    }
    /// As [`past`](Self::past), up to the end of the day, minute or second that was written.
    pub(crate) fn up_to(&self, option: &str, text: &str) -> Result<Wall, Failure> {
        when::up_to(text, self.now().wall, &Zone::system())
            .map_err(|why| Failure::Usage(format!("{option}: {why}")))
    }
    pub(crate) fn clock(&self) -> Arc<SystemClock> {
        Arc::clone(&self.clock)
    }
    pub(crate) fn strategies(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }
    pub(crate) fn database_name(&self) -> String {
        addresses::name(&self.config.database)
    }

    /// How processes belong together, as file and tables say; of tables that do not answer, what the journal remembers.
    pub(crate) fn arrangement(&self) -> &Arrangement {
        self.arrangement.get_or_init(|| {
            let remembered = || self.journal_read_only().ok()?.host().ok().map(|host| host.relations);
            let relations = self.store().relations().ok().or_else(remembered).unwrap_or_default();
            arrangement(&self.config, &relations)
        })
    }

    /// A connection of its own to the alarm database, made by its first call. Looking makes no file.
    pub(crate) fn store(&self) -> Box<dyn AlarmStore> {
        let address =
            addresses::with_access(&self.config.database, self.config.host_id, store::Access::Existing);
        store::open(address, self.clock())
    }

    /// The journal, for writing; what was done to a damaged one has to be told.
    pub(crate) fn journal(&self) -> Result<journal::Opened, Failure> {
        journal::open(&self.config.monitor.state_dir, self.clock.boot_id())
            .map_err(|error| Failure::failed(&error))
    }

    /// The journal, for reading; empty when there is none.
    pub(crate) fn journal_read_only(&self) -> Result<journal::FileJournal, Failure> {
        journal::open_read_only(&self.config.monitor.state_dir, self.clock.boot_id())
            .map_err(|error| Failure::failed(&error))
    }

    /// The maintenance window that is open for a process now, in words. What cannot be read stops nothing.
    pub(crate) fn window_over(&self, name: &Name) -> Option<String> {
        let now = self.clock.now();
        let group = self.arrangement().related.group_of(name);
        let windows = self.windows(&Arc::new(self.journal_read_only().ok()?), now).ok()?;
        let over =
            windows.into_iter().find(|window| window.is_open(now.wall) && window.covers(name, group))?;
        let Window { id, reason, until, .. } = over;
        Some(Hold::Maintenance { id, reason, until }.sentence(now))
    }

    /// The present or next occurrence of each maintenance window of file and journal.
    fn windows(&self, journal: &Arc<journal::FileJournal>, now: Now) -> Result<Vec<Window>, Failure> {
        let windows: Arc<dyn Windows> = journal.clone();
        let (mut agenda, _) = Agenda::new(self.config.maintenance.clone(), windows);
        agenda.reread().map_err(|error| Failure::failed(&error))?;
        Ok(agenda.windows(now.wall))
    }

    pub(crate) fn look_up(&self, name: &Name) -> (Configured, Option<Spec>) {
        config::look_up(&self.config, &self.registry.offers(), name)
    }

    /// Looks at table and journal as the daemon would judge them now; a database that does not answer leaves the
    /// journal's part.
    pub(crate) fn picture(&self) -> Result<Picture, Failure> {
        self.picture_with(|_| None)
    }

    /// As [`picture`](Self::picture), with an alarm that is only supposed, made from the rows.
    pub(crate) fn picture_with(
        &self,
        supposed: impl FnOnce(&[Row]) -> Option<Alarm>,
    ) -> Result<Picture, Failure> {
        let state_dir = &self.config.monitor.state_dir;
        let failed = |error: JournalError| Failure::failed(&error);
        let journal = Arc::new(self.journal_read_only()?);
        let remembered = journal.host().map_err(failed)?;
        let HostMemory { groups, drivers, due, storm, mass, windows, relations, seen_until } = remembered;
        let standings = journal.standings().map_err(failed)?.into_iter().collect();
        let mut state = State { standings, groups, drivers, due, storm, mass, windows, ..State::default() };
        let daemon = StateLock::holder(state_dir);
        let attempts = journal.attempts(None, 1).map_err(failed)?;
        let waiting = journal.outbox().map_err(failed)?;
        let mut store = self.store();
        let (rows, database) = match store.list() {
            Ok(rows) => (rows, Ok(())),
            Err(error) => (Vec::new(), Err(error.to_string())),
        };
        // The same connection serves; a second one would have to be made.
        self.arrangement.get_or_init(|| {
            let read = if database.is_ok() { store.relations().ok() } else { None };
            arrangement(&self.config, &read.unwrap_or(relations))
        });
        let now = self.now();
        if daemon.is_none() {
            state.unseen(seen_until.unwrap_or(Ticks(0)), now.boot);
        }
        let mut alarms: Vec<Alarm> = rows.iter().filter(|row| row.alarm == 1).map(alarm_of).collect();
        alarms.extend(supposed(&rows));
        let configured =
            alarms.iter().map(|alarm| &alarm.name).chain(state.standings.keys()).chain(state.due.keys());
        let configured: HashMap<_, _> = configured.map(|name| (name.clone(), self.look_up(name).0)).collect();
        let waiting: Vec<Clear> = waiting.into_iter().map(|pending| pending.clear).collect();
        recall(&mut state, &attempts, &alarms, &waiting, &configured, now);
        let mut picture = Picture {
            arrangement: self.arrangement().clone(),
            windows: self.windows(&journal, now)?,
            overrides: journal.overrides().map_err(failed)?,
            daemon,
            rows,
            alarms,
            state,
            notices: Vec::new(),
            attempts,
            configured,
            database,
            address: store.address(),
            now,
        };
        let mut state = picture.state.clone();
        picture.notices = advance(&mut state, &picture.view(Intake::Open), now);
        picture.state = state;
        Ok(picture)
    }
}

/// The row as an alarm.
pub(crate) fn alarm_of(row: &Row) -> Alarm {
    Alarm { row: row.row, name: row.name.clone(), notes: row.notes.clone(), acknowledged: row.sound != 0 }
}

/// What the daemon has in its head besides what is stored: running jobs, marks of rows whose clearing waits, of which
/// the outbox is the memory, and who of a mass alarm was healthy when it was looked at, which is each minute.
fn recall(
    state: &mut State,
    attempts: &[Attempt],
    alarms: &[Alarm],
    waiting: &[Clear],
    configured: &HashMap<Name, Configured>,
    now: Now,
) {
    let ago =
        |at: Wall| Ticks(now.boot.0.saturating_sub(u64::try_from(now.wall.0 - at.0).unwrap_or_default()));
    for attempt in attempts.iter().filter(|attempt| attempt.under_way) {
        let since = ago(attempt.began);
        state.standings.entry(attempt.name.clone()).or_default().in_flight =
            Some(InFlight { since, verify: Verify::AfterOnly });
    }
    if matches!(state.mass.stage, Stage::Held { .. }) {
        let Mass { suspects, seen, .. } = &mut state.mass;
        let checked = |name: &Name| {
            let its = configured.get(name);
            matches!(its, Some(Configured::Yes(rules)) if rules.check == Checked::ByCheck)
        };
        for alarm in alarms.iter().filter(|alarm| suspects.contains(&alarm.name) && checked(&alarm.name)) {
            seen.entry(alarm.name.clone()).or_insert((Condition::Healthy, now.boot));
        }
    }
    for alarm in alarms.iter().filter(|a| waiting.iter().any(|c| c.row == a.row && c.notes == a.notes)) {
        let last = attempts.iter().find(|attempt| attempt.name == alarm.name);
        let ended = last.and_then(|attempt| attempt.ended.as_ref()).map(|(at, ..)| ago(*at));
        if let (Some(Configured::Yes(rules)), Some(ended)) = (configured.get(&alarm.name), ended) {
            let recheck = ended.after(rules.grace);
            let mark = Handled { row: alarm.row, notes: alarm.notes.clone(), recheck };
            state.standings.entry(alarm.name.clone()).or_default().handled.push(mark);
        }
    }
}

impl Picture {
    /// The last attempt of a name.
    pub(crate) fn last(&self, name: &Name) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.name == *name)
    }

    /// The dependencies that are left out because they cannot be followed: of these problems.
    pub(crate) fn left_out(&self, wanted: impl Fn(&relations::Problem) -> bool) -> Vec<String> {
        let problems = self.arrangement.related.problems().iter().filter(|problem| wanted(problem));
        problems.map(|problem| format!("Left out of the dependencies: {problem}.")).collect()
    }

    /// What is remembered of a name.
    pub(crate) fn standing(&self, name: &Name) -> Standing {
        self.state.standing(name).cloned().unwrap_or_default()
    }

    /// What the daemon would see.
    pub(crate) fn view(&self, intake: Intake) -> View<'_> {
        let Arrangement { related, groups, limits } = &self.arrangement;
        View {
            alarms: &self.alarms,
            known: self.database.is_ok().then_some(self.rows.len() as u64),
            sight: if self.database.is_ok() { Sight::Clear } else { Sight::Blind },
            polled: self.now.boot,
            configured: &self.configured,
            related,
            groups,
            windows: &self.windows,
            overrides: &self.overrides,
            limits: *limits,
            table: Table::Writable,
            intake,
        }
    }
}
