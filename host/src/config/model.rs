//! The configuration as the rest of pm sees it: typed, complete with defaults, immutable.
//!
//! Every value is already checked and every default of `[process.default]` already applied, so nobody outside this
//! module ever sees the text of a key. A changed file makes a new [`Config`]; nothing is changed in place.
//! The texts of plugin settings stay texts, because only the plugin knows what they mean.

use super::control::Levels;
use super::database::Database;
use super::group::Group;
use super::library::Library;
use super::process::{self, Process, Setting};
use crate::policy::driver::DriverRules;
use crate::policy::model::Name;
use crate::policy::relations::Declared;
use crate::policy::window::Definition;
use crate::spec::Receiver;
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::Texts;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// Everything one configuration file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file as it was named.
    pub file: PathBuf,
    /// What happens to rows without a section of their own.
    pub dialect: Dialect,
    /// `[host] host_id`: only rows of this host are read and cleared; `None` means no filter.
    pub host_id: Option<i64>,
    /// `[database]`: where the alarms are.
    pub database: Database,
    /// `[monitor]`: the loop.
    pub monitor: Monitor,
    /// `[logging]`.
    pub logging: Logging,
    /// `[history]`.
    pub history: History,
    /// `[self_recovery]`, when there is such a section: heartbeat file and watchdog commands.
    pub self_recovery: Option<SelfRecovery>,
    /// `[plugins]`, `[plugin.NAME]` and `[library.NAME]`.
    pub plugins: Plugins,
    /// `[notify.NAME]`, in the order of their names: those that were understood.
    pub notify: Vec<Receiver>,
    /// `[process.default]`; its `name` is `default`. Present exactly in [`Dialect::WithDefault`].
    pub default: Option<Process>,
    /// `[process.NAME]` by NAME, with the fallback to `[process.default]` already applied.
    pub processes: BTreeMap<String, Process>,
    /// The numbers of every criticality. Processes hold their own copy.
    pub levels: Levels,
    /// `[group.NAME]` by NAME; see [`group`](Self::group).
    pub groups: BTreeMap<String, Group>,
    /// `[maintenance.NAME]`: the windows that were understood, in the order of their names.
    pub maintenance: Vec<Definition>,
    /// The line of each header `[maintenance.NAME]`.
    pub maintenance_lines: BTreeMap<Name, u32>,
}

/// Which of the two file dialects it is; the presence of `[process.default]` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Missing and empty keys fall back to `[process.default]`; rows without a section are handled with it.
    WithDefault,
    /// Rows without a section are ignored.
    SectionsOnly,
}

/// `[monitor]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    /// `check_interval`: pause between two polls; at least 100 ms.
    pub check_interval: Duration,
    /// `max_restart_failures` (3), for the criticality `normal`. Processes hold their own copy.
    pub max_restart_failures: u32,
    /// `circuit_reset_time` (5 min), for the criticality `normal`. Processes hold their own copy.
    pub circuit_reset_time: Duration,
    /// `max_parallel_restarts` (4): jobs at the same time; 1 to 256.
    pub max_parallel_restarts: u16,
    /// `storm_limit` (10): so many restarts of this host may follow one another at once; 0 means no limit; to 1000.
    pub storm_limit: u32,
    /// `storm_refill` (6 s): after each such time one more is allowed; at least 100 ms.
    pub storm_refill: Duration,
    /// `mass_alarm_min` (10): fewer alarms are no mass alarm; 0 means that nothing is one.
    pub mass_alarm_min: u32,
    /// `mass_alarm_share` (50): alarms of more than so many percent of the known rows are a mass alarm; 1 to 100.
    pub mass_alarm_share: u32,
    /// `mass_alarm_look_time` (5 min): how long looking may take before it is concluded with what is known; at least a
    /// second.
    pub mass_alarm_look_time: Duration,
    /// `mass_alarm_recheck` (60 s): so often what was found healthy is looked at again while it is held; at least a second.
    pub mass_alarm_recheck: Duration,
    /// `driver_failures` (3), `driver_pause` (10 s), `driver_open_time` (10 s), `driver_open_max` (2 min), `driver_jitter`
    /// (15 %): when what strategies depend on is left alone, and for how long.
    pub driver: DriverRules,
    /// `shutdown_timeout` (30 s): how long running jobs may finish when pm is asked to stop.
    pub shutdown_timeout: Duration,
    /// `stable_time` (10 min), for the criticality `normal`. Processes hold their own copy.
    pub stable_time: Duration,
    /// `handled_grace` (5 min): how long a handled alarm that could not be cleared is left alone.
    pub handled_grace: Duration,
    /// `lease_time` (90 s): how long nobody else may speak for this host after this pm was heard of.
    pub lease_time: Duration,
    /// `state_dir` (`$STATE_DIRECTORY`, else `/var/lib/pm`): journal, lock, embedded alarm database.
    pub state_dir: PathBuf,
    /// `working_directory` (the directory of the file): where commands run.
    pub working_directory: PathBuf,
}

/// `[history]`: how long what happened is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// `days` (90): what ended so many days ago is dropped; 1 to 3650.
    pub days: u32,
    /// `size` (256) in MiB: when the journal holds more, the oldest is dropped; 16 to 1,000,000.
    pub size_mib: u32,
    /// `publish` (yes): whether restarts go into the table `pm_attempt`, if there is one.
    pub publish: bool,
}

/// `[logging]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Logging {
    /// `file` (`/var/log/monitor_service.log`); `None` for `file = none`.
    pub file: Option<PathBuf>,
    /// `max_log_size` (5120) in KiB: a file that has reached it is rotated; at least 1.
    pub max_log_size_kib: u64,
    /// `log_files_to_keep` (5): backups besides the live file; at least 1, as ever.
    pub log_files_to_keep: u32,
    /// `format`.
    pub format: LogFormat,
    /// `json_pretty`: JSON over several lines on the console; a file always has one line per event.
    pub json_pretty: bool,
    /// `log_level` (`info`).
    pub level: LogLevel,
    /// `console_output` (yes).
    pub console_output: bool,
    /// `syslog` (yes): errors also go to syslog.
    pub syslog: bool,
    /// `json_logging = true` of the colour branch: a second log in JSON, `/var/log/monitor_service.json`.
    pub json_copy: Option<PathBuf>,
    /// `track_restart_stats = true` of the colour branch: one CSV line per attempt, `/var/log/restart_stats.csv`.
    pub restart_stats: Option<PathBuf>,
}

/// `logging.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-01-31 12:00:00  [INFO] - message`.
    Text,
    /// One JSON object per line.
    Json,
}

/// `logging.log_level`: what is written at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warning,
    Info,
    Debug,
    Trace,
}

/// `[self_recovery]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfRecovery {
    /// `heartbeat_file` (`/var/run/monitor_service.heartbeat`): one line, epoch seconds.
    pub heartbeat_file: PathBuf,
    /// `stale_after_seconds` (300).
    pub stale_after: Duration,
    /// `restart_command`, run by the watchdog only; `None` means it tries the service managers.
    pub restart_command: Option<String>,
    /// `precheck_command`: when it fails, the watchdog does not restart the monitor.
    pub precheck_command: Option<String>,
}

/// `[plugins]`, `[plugin.NAME]` and `[library.NAME]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plugins {
    /// `dir`: the plugin directory, when the file names one.
    pub dir: Option<PathBuf>,
    /// `only_pinned` (no): whether libraries without a `sha256` are refused.
    pub only_pinned: bool,
    /// `isolation`, `memory_max` and `idle_time` of `[plugins]`: for libraries without a section of their own.
    pub general: Library,
    /// `[library.NAME]` by NAME, with the fallback to `[plugins]` already applied.
    pub libraries: BTreeMap<String, Library>,
    /// `[plugin.NAME]` by NAME: settings of the strategy or check NAME for all processes, below their own.
    pub sections: BTreeMap<String, BTreeMap<String, Setting>>,
}

impl Config {
    /// What is configured for the process called `name` (exactly), by its section or by `[process.default]`;
    /// `None` means that its rows are to be logged and ignored.
    #[must_use]
    pub fn process(&self, name: &str) -> Option<Cow<'_, Process>> {
        if let Some(process) = self.processes.get(name) {
            return Some(Cow::Borrowed(process));
        }
        let default = self.default.as_ref()?;
        Some(Cow::Owned(Process { name: name.to_owned(), ..default.clone() }))
    }

    /// The settings of one strategy or check for one process: the keys that the part declares, from the section of
    /// the process (or `[process.default]`), else from `[plugin.NAME]`. Empty values count as absent.
    #[must_use]
    pub fn settings(&self, process: &Process, part: &Offer) -> Texts {
        let general = self.plugins.sections.get(&part.name);
        let find = |key: &str| {
            let own = process.settings.get(key).filter(|setting| !setting.value.is_empty());
            own.or_else(|| general?.get(key).filter(|setting| !setting.value.is_empty()))
        };
        part.keys.iter().filter_map(|key| Some((key.name.clone(), find(&key.name)?.value.clone()))).collect()
    }

    /// The settings of a group; the defaults when it has no section.
    #[must_use]
    pub fn group(&self, name: &str) -> Cow<'_, Group> {
        self.groups.get(name).map_or_else(|| Cow::Owned(Group::default()), Cow::Borrowed)
    }

    /// What the file says of groups and dependencies, to be merged with what the tables say.
    #[must_use]
    pub fn declared(&self) -> Declared {
        process::declared(self.default.as_ref(), &self.processes)
    }

    /// This configuration with the process sections of a newer reading of the file, and what belongs to them: levels
    /// of criticality, groups and maintenance windows. These take effect when the file changes, everything else when pm is told to reload.
    #[must_use]
    pub fn with_processes_of(&self, newer: &Self) -> Self {
        Self {
            dialect: newer.dialect,
            default: newer.default.clone(),
            processes: newer.processes.clone(),
            levels: newer.levels.clone(),
            groups: newer.groups.clone(),
            maintenance: newer.maintenance.clone(),
            maintenance_lines: newer.maintenance_lines.clone(),
            ..self.clone()
        }
    }

    /// Names of the sections that `newer` adds, removes or changes, `default` among them. Moved lines do not count.
    #[must_use]
    pub fn changed_processes(&self, newer: &Self) -> BTreeSet<String> {
        let all = |config: &Self| -> BTreeMap<String, Process> {
            config
                .processes
                .values()
                .chain(&config.default)
                .map(|p| (p.name.clone(), p.without_lines()))
                .collect()
        };
        changed(&all(self), &all(newer))
    }

    /// Names of the groups whose section `newer` adds, removes or changes.
    #[must_use]
    pub fn changed_groups(&self, newer: &Self) -> BTreeSet<String> {
        changed(&self.groups, &newer.groups)
    }

    /// Names of the maintenance windows that `newer` adds, removes or changes.
    #[must_use]
    pub fn changed_maintenance(&self, newer: &Self) -> BTreeSet<Name> {
        let all = |config: &Self| -> BTreeMap<Name, Definition> {
            config.maintenance.iter().map(|window| (window.id.clone(), window.clone())).collect()
        };
        let (old, new) = (all(self), all(newer));
        old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
    }
}

/// The keys whose value is another one, or only in one of the two.
fn changed<T: PartialEq>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> BTreeSet<String> {
    old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}
