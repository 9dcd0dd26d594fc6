//! From a file to a [`Config`] with all its problems. Never stops at the first mistake.
//!
//! Each section has its own file (`compile_*.rs`); here they are put together, and sections that nobody knows are
//! reported. A file that lost its `[database]` by a slip of the pen must not quietly run on the embedded database,
//! so that case ends without a configuration.

pub(in crate::config) mod commands;
mod database;
mod logging;
mod option_file;
mod parts;
mod password;
mod process;
pub(in crate::config) mod reader;

use self::parts::plugin_settings;
use self::password::Source;
use self::process::{Context, processes};
use self::reader::Reader;
use super::database::Database;
use super::environment::{Catalogue, Environment};
use super::ini::{self, Document, LARGEST_FILE};
use super::loaded::Loaded;
use super::model::{Config, Dialect, Monitor, Plugins, SelfRecovery};
use super::problem::{At, Problems, nearest};
use super::process::Setting;
use super::sections::{DEFAULT, Keys, PLUGIN, PROCESS, Sections, unify};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const GLOBAL: [&str; 7] =
    ["database", "monitor", "logging", "host", "self_recovery", "predictive", "plugins"];
/// Settings of the predictive branch: known, so that its files pass, and without effect.
const PREDICTIVE: [&str; 6] = [
    "enabled",
    "collection_interval",
    "history_retention_days",
    "confidence_threshold",
    "min_data_points",
    "resource_monitoring",
];
const DAY: Duration = Duration::from_secs(86_400);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Reads a configuration file. Every finding is in [`Loaded::problems`]; nothing is printed or logged.
#[must_use]
pub fn load(path: &Path, environment: &Environment, catalogue: &Catalogue) -> Loaded {
    let mut problems = Problems::of(path);
    let config = match environment.read(path, LARGEST_FILE) {
        Ok(file) => {
            let document = ini::read(&file.bytes, &mut problems);
            let base = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
            let base = base.unwrap_or_default();
            let world = World { path, mode: file.mode, base: &base, environment, catalogue };
            compile(&world, &document, &mut problems)
        }
        Err(error) => {
            let hint = "name another one with --config, or let the user that pm runs as read it";
            problems.error(&At::default(), format!("cannot be read: {error}"), hint);
            None
        }
    };
    Loaded { file: path.to_owned(), config, problems: problems.into_list() }
}

type PluginSections = BTreeMap<String, BTreeMap<String, Setting>>;

/// Everything besides the text.
struct World<'a> {
    path: &'a Path,
    mode: u32,
    base: &'a Path,
    environment: &'a Environment,
    catalogue: &'a Catalogue,
}

/// Where the readers of the global sections come from; a missing section reads as an empty one.
struct Sheet<'a> {
    sections: &'a Sections,
    empty: Keys,
    base: &'a Path,
}

impl Sheet<'_> {
    fn read<'r>(&'r self, name: &'static str, problems: &'r mut Problems) -> Reader<'r> {
        Reader::new(name, self.sections.get(name).unwrap_or(&self.empty), self.base, problems)
    }
}

fn compile(world: &World<'_>, document: &Document, problems: &mut Problems) -> Option<Config> {
    let sections = unify(document, problems);
    let database_is_lost = unknown_sections(&sections, document, problems);
    let with_server = sections.contains_key("database");
    let sheet = Sheet { sections: &sections, empty: Keys::default(), base: world.base };
    let monitor = monitor(sheet.read("monitor", problems), world);
    let logging = logging::logging(sheet.read("logging", problems));
    let plugins_dir = plugins_dir(sheet.read("plugins", problems));
    let self_recovery =
        sections.get("self_recovery").map(|_| self_recovery(sheet.read("self_recovery", problems)));
    let host_id = sections.get("host").map(|_| host_id(sheet.read("host", problems)));
    let mut predictive = sheet.read("predictive", problems);
    predictive.know(&PREDICTIVE);
    predictive.finish();
    let database = if with_server {
        let source = Source { environment: world.environment, file: world.path, mode: world.mode };
        database::database(sheet.read("database", problems), &source, &monitor.state_dir)
    } else {
        (!database_is_lost).then(|| Database::Sqlite { path: monitor.state_dir.join("alarms.db") })
    };
    if matches!(database, Some(Database::Mysql(_))) || (with_server && database.is_none()) {
        require_monitor(sheet.read("monitor", problems));
    }

    let context = Context { base: world.base, monitor: &monitor, catalogue: world.catalogue };
    let (default, processes) = processes(&sections, &context, problems);
    let plugins = Plugins { dir: plugins_dir, sections: plugin_sections(world, &sections, problems) };
    Some(Config {
        file: world.path.to_owned(),
        dialect: if default.is_some() { Dialect::WithDefault } else { Dialect::SectionsOnly },
        // A file that asks for a filter which cannot be read must not act on all hosts.
        host_id: host_id.map_or(Some(None), |id| id.map(Some))?,
        database: database?,
        monitor,
        logging,
        self_recovery,
        plugins,
        default,
        processes,
    })
}

/// Reports unknown sections; answers whether one of them was probably meant to be `[database]`.
fn unknown_sections(sections: &Sections, document: &Document, problems: &mut Problems) -> bool {
    let mut lost = false;
    let candidates = || GLOBAL.into_iter().chain([DEFAULT]);
    let looks_like_database = |name: &str| {
        !sections.contains_key("database") && matches!(name.trim(), "database")
            || nearest(name.trim(), ["database"]).is_some() && !sections.contains_key("database")
    };
    for (name, keys) in sections {
        let at = At { line: Some(keys.line), section: name, key: None };
        if GLOBAL.contains(&name.as_str()) {
            continue;
        }
        if matches!(name.as_str(), PROCESS | PLUGIN) {
            problems.warning(&at, "the section names nothing and is ignored", "write a name after the dot");
        } else if name.starts_with(PROCESS) || name.starts_with(PLUGIN) {
            continue;
        } else if looks_like_database(name) {
            lost = true;
            problems.error(&at, "unknown section", "did you mean [database]?");
        } else {
            let meant = if GLOBAL.contains(&name.trim()) {
                Some(format!("[{}], without blanks", name.trim()))
            } else if name.starts_with("process") && name.len() > "process".len() + 1 && !name.contains('.') {
                name.get("process".len() + 1..).map(|rest| format!("[{PROCESS}{rest}]"))
            } else {
                nearest(name, candidates()).map(|near| format!("[{near}]"))
            };
            let hint = meant.map_or("it is ignored".to_owned(), |meant| format!("did you mean {meant}?"));
            problems.warning(&at, "unknown section", hint);
        }
    }
    if !sections.contains_key("database") && document.lost.iter().any(|name| name.trim() == "database") {
        lost = true;
        let at = At { section: "database", ..At::default() };
        problems.error(&at, "the header is indented and therefore not one", "begin it in the first column");
    }
    lost
}

fn monitor(mut reader: Reader<'_>, world: &World<'_>) -> Monitor {
    let seconds = Duration::from_secs;
    let mut check_interval = reader.duration("check_interval", DAY).unwrap_or(seconds(30));
    if check_interval < SHORTEST_INTERVAL {
        let message = "pm would poll without a pause; it polls every 100 ms";
        reader.warning("check_interval", message, "write at least 1");
        check_interval = SHORTEST_INTERVAL;
    }
    let state_dir = reader.path("state_dir").unwrap_or_else(|| {
        PathBuf::from(commands::state_directory(world.environment).unwrap_or("/var/lib/pm"))
    });
    let monitor = Monitor {
        check_interval,
        max_restart_failures: reader.value("max_restart_failures").unwrap_or(3),
        circuit_reset_time: reader.duration("circuit_reset_time", 366 * DAY).unwrap_or(seconds(600)),
        max_parallel_restarts: reader.number("max_parallel_restarts", 1..=256).map_or(4, |n| n as u16),
        shutdown_timeout: reader.duration("shutdown_timeout", DAY).unwrap_or(seconds(30)),
        stable_time: reader.duration("stable_time", 7 * DAY).unwrap_or(seconds(60)),
        handled_grace: reader.duration("handled_grace", 7 * DAY).unwrap_or(seconds(300)),
        state_dir,
        working_directory: reader.path("working_directory").unwrap_or_else(|| world.base.to_owned()),
    };
    reader.finish();
    monitor
}

/// The keys that a file for a server has always had to have. Without a server there are defaults.
fn require_monitor(mut reader: Reader<'_>) {
    for (key, used) in
        [("check_interval", "30"), ("max_restart_failures", "3"), ("circuit_reset_time", "600")]
    {
        if reader.raw(key).is_none() {
            reader.error(key, "is required", format!("write it; {used} is used until then"));
        }
    }
}

/// `None` when the filter cannot be told.
fn host_id(mut reader: Reader<'_>) -> Option<i64> {
    if reader.raw("host_id").is_none() {
        reader.error("host_id", "is required in [host]", "write this host's number, or delete the section");
    }
    let id = reader.value::<u32>("host_id").map(i64::from);
    reader.finish();
    id
}

fn self_recovery(mut reader: Reader<'_>) -> SelfRecovery {
    let heartbeat_file = reader.path("heartbeat_file");
    let recovery = SelfRecovery {
        heartbeat_file: heartbeat_file.unwrap_or_else(|| PathBuf::from("/var/run/monitor_service.heartbeat")),
        stale_after: reader.duration("stale_after_seconds", 7 * DAY).unwrap_or(Duration::from_secs(300)),
        restart_command: reader.command("restart_command"),
        precheck_command: reader.command("precheck_command"),
    };
    reader.finish();
    recovery
}

fn plugins_dir(mut reader: Reader<'_>) -> Option<PathBuf> {
    let dir = reader.path("dir");
    reader.finish();
    dir
}

fn plugin_sections(world: &World<'_>, sections: &Sections, problems: &mut Problems) -> PluginSections {
    let named = sections.iter().filter_map(|(name, keys)| Some((name, name.strip_prefix(PLUGIN)?, keys)));
    named
        .filter(|(_, plugin, _)| !plugin.is_empty())
        .map(|(section, plugin, keys)| {
            let mut reader = Reader::new(section, keys, world.base, problems);
            (plugin.to_owned(), plugin_settings(&mut reader, plugin, world.catalogue))
        })
        .collect()
}
