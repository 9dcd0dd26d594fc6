//! The configuration kept current: the port [`Catalog`] over file, plugins and logging.
//!
//! Process and maintenance sections take effect when the file changes, everything else on SIGHUP. A file with errors
//! changes nothing at all, and says so once per version of the file.

use crate::calendar::{Agenda, Problem};
use crate::cli::arrange::arrangement;
use crate::cli::libraries::{self, catalogue};
use crate::cli::{addresses, logs};
use crate::clock::SystemClock;
use crate::config::{self, Catalogue, Config, Environment, Loaded};
use crate::notify::Office;
use crate::plugins::{Registry, Rules};
use crate::policy::model::{Configured, Intake, Name, Window};
use crate::policy::relations::Relations;
use crate::policy::time::Wall;
use crate::ports::{AlarmStore, Arrangement, Catalog, Knobs, Refresh, Refreshed, Retention, Windows};
use crate::spec::{Receiver, Spec};
use crate::store::{self, Access, Address};
use crate::telemetry::{LogSettings, Telemetry};
use pm_plugin_api::manifest::Offer;
use std::fmt::Display;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use tracing::{error, info, warn};

/// What tells one version of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// The current configuration.
pub(crate) struct Current {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    pub(crate) environment: Environment,
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: Arc<SystemClock>,
    /// Whoever only observes writes neither into the log file nor into the database.
    intake: Intake,
    /// Who tells people.
    office: Arc<Office>,
    agenda: Agenda,
    seen: Option<Print>,
    /// The file was refused, and has not been good since.
    refused: bool,
    /// What the plugins offer, as of the last look at them; a burst of a thousand names asks a thousand times.
    offers: Vec<Offer>,
}

impl Current {
    pub(crate) fn new(
        (config, environment, intake): (Config, Environment, Intake),
        registry: Arc<Registry>,
        telemetry: Telemetry,
        clock: Arc<SystemClock>,
        windows: Arc<dyn Windows>,
        office: Arc<Office>,
    ) -> Self {
        let (agenda, problems) = Agenda::new(config.maintenance.clone(), windows);
        say_windows(&problems);
        let seen = print(&config.file);
        let offers = registry.offers();
        let refused = false;
        Self {
            config,
            registry,
            environment,
            telemetry,
            clock,
            intake,
            office,
            agenda,
            seen,
            refused,
            offers,
        }
    }

    fn load(&mut self) -> Loaded {
        self.load_against(&Arc::clone(&self.registry))
    }

    fn load_against(&mut self, registry: &Registry) -> Loaded {
        self.seen = print(&self.config.file);
        self.offers = self.registry.offers();
        config::load(&self.config.file, &self.environment, &catalogue(registry))
    }

    fn processes(&mut self, plugins_changed: bool) -> Refreshed {
        let loaded = self.load();
        let Some(newer) = loaded.config.as_ref().filter(|_| loaded.usable()) else {
            self.refuse(&loaded);
            return if plugins_changed { Refreshed::Processes } else { Refreshed::Unchanged };
        };
        self.accept();
        let processes = self.config.changed_processes(newer);
        let windows = self.config.changed_maintenance(newer);
        let groups = self.config.changed_groups(newer);
        let section = |kind: &str, name: &dyn Display, stays: bool| (format!("[{kind}.{name}]"), stays);
        let stays = |name: &str| match name {
            "default" => newer.default.is_some(),
            name => newer.processes.contains_key(name),
        };
        let windows_of = |config: &Config, id: &Name| config.maintenance_lines.contains_key(id);
        let changed = processes
            .iter()
            .map(|name| section("process", name, stays(name)))
            .chain(groups.iter().map(|name| section("group", name, newer.groups.contains_key(name))))
            .chain(windows.iter().map(|name| section("maintenance", name, windows_of(newer, name))));
        let (changed, removed): (Vec<_>, Vec<_>) = changed.partition(|(_, stays)| *stays);
        if changed.is_empty() && removed.is_empty() && !plugins_changed {
            return Refreshed::Unchanged;
        }
        let told = |sections: &[(String, bool)]| {
            sections.iter().map(|(section, _)| section.as_str()).collect::<Vec<_>>().join(", ")
        };
        match (told(&changed).as_str(), told(&removed).as_str()) {
            ("", "") => {}
            (changed, "") => info!("Configuration changed, in effect now: {changed}"),
            ("", removed) => info!("Configuration changed, no longer there: {removed}"),
            (changed, removed) => {
                info!("Configuration changed, in effect now: {changed}; no longer there: {removed}");
            }
        }
        self.config = self.config.with_processes_of(newer);
        say_windows(&self.agenda.configure(self.config.maintenance.clone()));
        Refreshed::Processes
    }

    /// Other rules for the libraries than those in force, if the file has them.
    fn other_rules(&self) -> Option<Rules> {
        let first = config::load(&self.config.file, &self.environment, &Catalogue::default());
        let config = first.config.as_ref().filter(|_| first.usable())?;
        Some(libraries::rules(&config.plugins))
            .filter(|rules| *rules != libraries::rules(&self.config.plugins))
    }

    fn everything(&mut self) -> Refreshed {
        self.registry.rescan();
        self.environment =
            Environment { files: self.environment.files.clone(), ..Environment::of_this_process() };
        let rules = self.other_rules();
        // Judged against the libraries as these rules would leave them: a new sum may be what makes one usable, or the
        // opposite. What is in use is not touched before the whole file is known to be good.
        let trial = rules.clone().map(|rules| Registry::scan(self.registry.directory(), rules));
        let loaded = self.load_against(trial.as_ref().unwrap_or(&Arc::clone(&self.registry)));
        let Some(newer) = loaded.config.clone().filter(|_| loaded.usable()) else {
            self.refuse(&loaded);
            return Refreshed::Unchanged;
        };
        self.accept();
        if let Some(rules) = rules {
            self.obey(rules);
        }
        for warning in loaded.warnings() {
            warn!("{warning}");
        }
        let store = self.other_store(&newer);
        self.telemetry.reload(log_settings(&newer, self.intake));
        self.office.configure(told(&newer, self.intake));
        for (key, same) in [
            ("[monitor] state_dir", newer.monitor.state_dir == self.config.monitor.state_dir),
            ("[plugins] dir", newer.plugins.dir == self.config.plugins.dir),
            ("[self_recovery] heartbeat_file", newer.self_recovery == self.config.self_recovery),
        ] {
            if !same {
                warn!("{key} was changed; that takes effect with the next start of pm");
            }
        }
        self.config = newer;
        say_windows(&self.agenda.configure(self.config.maintenance.clone()));
        info!("Configuration read again from {}; all of it is in effect", self.config.file.display());
        Refreshed::Everything(knobs(&self.config), store)
    }

    fn obey(&mut self, rules: Rules) {
        for name in self.registry.obey(rules) {
            warn!(
                "[library.{name}] was changed; that takes effect with the next start of pm, because it runs in pm's own process"
            );
        }
        for refusal in self.registry.refused() {
            warn!("{refusal}");
        }
        self.offers = self.registry.offers();
    }

    /// Another store when the database is another one.
    fn other_store(&self, newer: &Config) -> Option<Box<dyn AlarmStore>> {
        let same = newer.database == self.config.database && newer.host_id == self.config.host_id;
        let clock = Arc::clone(&self.clock);
        (!same).then(|| store::open(address(newer, self.intake), clock))
    }

    fn refuse(&mut self, loaded: &Loaded) {
        self.refused = true;
        let file = self.config.file.display();
        error!(
            "{file} cannot be used, the configuration stays as it was; to see all: pm check --config {file}"
        );
        for problem in loaded.errors() {
            error!("{}", problem.without_meanwhile());
        }
    }

    /// Says that a file that was refused is good again.
    fn accept(&mut self) {
        if std::mem::take(&mut self.refused) {
            info!("{} can be used again", self.config.file.display());
        }
    }
}

impl Catalog for Current {
    fn look_up(&mut self, name: &Name) -> (Configured, Option<Arc<Spec>>) {
        let (configured, spec) = config::look_up(&self.config, &self.offers, name);
        (configured, spec.map(Arc::new))
    }

    fn arrange(&mut self, table: &Relations) -> Arrangement {
        let arrangement = arrangement(&self.config, table);
        for problem in arrangement.related.problems() {
            warn!("{problem}");
        }
        let foreign: Vec<_> = arrangement.related.foreign().iter().take(5).map(Name::to_string).collect();
        if !foreign.is_empty() {
            let more = arrangement.related.foreign().len() - foreign.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            info!(
                "The tables of groups and dependencies also name what is not configured here: {}{more}",
                foreign.join(", ")
            );
        }
        arrangement
    }

    fn windows(&mut self, now: Wall) -> Vec<Window> {
        self.agenda.windows(now)
    }

    fn reread_windows(&mut self) {
        match self.agenda.reread() {
            Ok(problems) => say_windows(&problems),
            Err(error) => warn!("{error}. The maintenance windows stay as they were"),
        }
    }

    fn refresh(&mut self, how: Refresh) -> Refreshed {
        if how == Refresh::Everything {
            return self.everything();
        }
        let plugins_changed = self.registry.rescan_if_changed();
        if plugins_changed {
            info!("Plugins changed in {}", self.registry.directory().display());
            for refusal in self.registry.refused() {
                warn!("{refusal}");
            }
        }
        if plugins_changed || print(&self.config.file) != self.seen {
            return self.processes(plugins_changed);
        }
        Refreshed::Unchanged
    }
}

/// Where the alarms are, and whether anything may be written there.
pub(crate) fn address(config: &Config, intake: Intake) -> Address {
    let access = if intake == Intake::Observing { Access::ReadOnly } else { Access::Full };
    addresses::with_access(&config.database, config.host_id, access)
}

/// Who is told. Whoever only observes tells nobody: the pm that acts does.
pub(crate) fn told(config: &Config, intake: Intake) -> &[Receiver] {
    if intake == Intake::Observing { &[] } else { &config.notify }
}

/// What is logged, and where.
pub(crate) fn log_settings(config: &Config, intake: Intake) -> LogSettings {
    if intake == Intake::Observing { logs::observing(config) } else { logs::settings(config) }
}

fn say_windows(problems: &[Problem]) {
    for problem in problems {
        warn!("The maintenance window {} is not used: {}", problem.id, problem.why);
    }
}

/// The daemon's own settings out of the configuration.
pub(crate) fn knobs(config: &Config) -> Knobs {
    Knobs {
        interval: config.monitor.check_interval,
        parallel: config.monitor.max_parallel_restarts.into(),
        shutdown: config.monitor.shutdown_timeout,
        keep: Retention { days: config.history.days, bytes: u64::from(config.history.size_mib) << 20 },
        publish: config.history.publish,
    }
}

fn print(file: &Path) -> Option<Print> {
    let about = std::fs::metadata(file).ok()?;
    Some(Print { inode: about.ino(), size: about.size(), changed: (about.mtime(), about.mtime_nsec()) })
}
