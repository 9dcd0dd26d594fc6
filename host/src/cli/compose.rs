//! Puts the parts of pm together for a command: reads the configuration, finds the plugins, opens store and journal.
//!
//! This is where plain data of one edge becomes plain data of another, because edges never import each other.

use crate::cli::arguments::Global;
use crate::cli::{Failure, addresses};
use crate::clock::{Stop, SystemClock};
use crate::config::{self, Catalogue, Config, Environment, Loaded, Problem, Refused, Severity};
use crate::journal;
use crate::plugins::{self, Registry};
use crate::policy::model::{Clear, Configured, InFlight, Name, Standing};
use crate::policy::time::{Now, Ticks};
use crate::policy::window::Override;
use crate::ports::{AlarmStore, Attempt, Clock, Journal, Row};
use crate::presence::StateLock;
use crate::spec::Spec;
use crate::store;
use std::collections::BTreeMap;
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
}

/// What table and journal say at one moment.
pub(crate) struct Picture {
    pub(crate) rows: Vec<Row>,
    pub(crate) standings: BTreeMap<Name, Standing>,
    pub(crate) attempts: Vec<Attempt>,
    /// Clearings that could not be made yet.
    pub(crate) waiting: Vec<Clear>,
    pub(crate) database: Result<(), String>,
    pub(crate) daemon: Option<u32>,
    /// Operators' overrides, some of them over.
    pub(crate) overrides: Vec<Override>,
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
pub(crate) fn registry(global: &Global, configured: Option<&Path>) -> Registry {
    let exe = std::env::current_exe().unwrap_or_default();
    Registry::scan(&plugins::directory(global.plugins_dir.as_deref(), configured, &exe))
}

/// Reads the configuration: once to learn where the plugins are, and again knowing their settings.
pub(crate) fn read(global: &Global) -> Result<Read, Failure> {
    let environment = Environment::of_this_process();
    let file = config_file(global, &environment)?;
    let first = config::load(&file, &environment, &Catalogue::default());
    let configured = first.config.as_ref().and_then(|config| config.plugins.dir.clone());
    let registry = Arc::new(registry(global, configured.as_deref()));
    let mut loaded = config::load(&file, &environment, &catalogue(&registry));
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

/// What the registry knows, as the configuration wants it.
pub(crate) fn catalogue(registry: &Registry) -> Catalogue {
    let refused = registry
        .refused()
        .into_iter()
        .map(|refusal| Refused { file: refusal.file.clone(), reason: refusal.reason.to_string() })
        .collect();
    Catalogue { offers: registry.offers(), refused }
}

impl Context {
    /// Reads the configuration; problems that leave something to work with are told by `pm check`, not here.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let Read { loaded, registry, .. } = read(global)?;
        let Some(config) = loaded.config else {
            let errors: Vec<_> =
                loaded.problems.iter().map(|problem| format!("{}: {problem}", problem.severity)).collect();
            return Err(Failure::Usage(format!("the configuration cannot be used\n{}", errors.join("\n"))));
        };
        Ok(Self { config, registry, clock: Arc::new(SystemClock::new(Stop::new())) })
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
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

    /// A connection of its own to the alarm database, made by its first call.
    pub(crate) fn store(&self) -> Box<dyn AlarmStore> {
        store::open(addresses::translate(&self.config.database, self.config.host_id), self.clock())
    }

    /// The journal, for writing.
    pub(crate) fn journal(&self) -> Result<journal::FileJournal, Failure> {
        let opened = journal::open(&self.config.monitor.state_dir, self.clock.boot_id());
        opened.map(|opened| opened.journal).map_err(|error| Failure::failed(&error))
    }

    /// The journal, for reading; an empty one when there is none.
    pub(crate) fn journal_to_read(&self) -> Result<journal::FileJournal, Failure> {
        journal::open_read_only(&self.config.monitor.state_dir, self.clock.boot_id())
            .map_err(|error| Failure::failed(&error))
    }

    pub(crate) fn look_up(&self, name: &Name) -> (Configured, Option<Spec>) {
        config::look_up(&self.config, &self.registry.offers(), name)
    }

    /// Looks at table and journal; a database that does not answer leaves the journal's part.
    pub(crate) fn picture(&self) -> Result<Picture, Failure> {
        let state_dir = &self.config.monitor.state_dir;
        let journal = self.journal_to_read()?;
        let overrides = journal.overrides().map_err(|error| Failure::failed(&error))?;
        let mut standings = journal.standings().map_err(|error| Failure::failed(&error))?;
        let attempts = journal.attempts(None, 1).map_err(|error| Failure::failed(&error))?;
        let waiting = journal.outbox().map_err(|error| Failure::failed(&error))?;
        let waiting = waiting.into_iter().map(|pending| pending.clear).collect();
        let (now, daemon) = (self.now(), StateLock::holder(state_dir));
        for attempt in attempts.iter().filter(|attempt| attempt.under_way) {
            let ago = u64::try_from(now.wall.0 - attempt.began.0).unwrap_or_default();
            let since = Ticks(now.boot.0.saturating_sub(ago));
            standings.entry(attempt.name.clone()).or_default().in_flight = Some(InFlight { since });
        }
        let (rows, database) = match self.store().list() {
            Ok(rows) => (rows, Ok(())),
            Err(error) => (Vec::new(), Err(error.to_string())),
        };
        Ok(Picture { rows, standings, attempts, waiting, database, daemon, overrides })
    }
}

impl Picture {
    /// The last attempt of a name.
    pub(crate) fn last(&self, name: &Name) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.name == *name)
    }
}
