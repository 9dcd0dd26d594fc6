//! From a file to a [`Config`] with all its problems. Never stops at the first mistake.
//!
//! Each section has its own file (`compile_*.rs`); here they are put together, and sections that nobody knows are
//! reported. A file that lost its `[database]` by a slip of the pen must not quietly run on the embedded database,
//! so that case ends without a configuration.

pub(in crate::config) mod address;
mod commands;
mod control;
mod database;
mod globals;
mod library;
mod logging;
mod maintenance;
mod notify;
mod option_file;
mod parts;
mod password;
mod process;
pub(in crate::config) mod reader;
mod relations;
mod withheld;

use self::parts::plugin_settings;
use self::password::Source;
use self::process::{Context, processes};
use self::reader::Reader;
use super::control::Levels;
use super::database::Database;
use super::environment::{Catalogue, Environment};
use super::ini::{self, Document, LARGEST_FILE};
use super::loaded::Loaded;
use super::model::{Config, Dialect, Plugins};
use super::problem::{At, Problems, nearest};
use super::process::{Setting, declared};
use super::sections::{
    CRITICALITY, DEFAULT, GROUP, Keys, LIBRARY, MAINTENANCE, NOTIFY, PLUGIN, PROCESS, Sections, unify,
};
use std::collections::BTreeMap;
use std::path::Path;

const GLOBAL: [&str; 9] =
    ["database", "monitor", "logging", "host", "history", "self_recovery", "predictive", "plugins", "notify"];
/// Sections that go on with a name.
const NAMED: [&str; 7] = [PROCESS, PLUGIN, LIBRARY, GROUP, CRITICALITY, MAINTENANCE, NOTIFY];
/// Settings of the predictive branch: known, so that its files pass, and without effect.
const PREDICTIVE: [&str; 6] = [
    "enabled",
    "collection_interval",
    "history_retention_days",
    "confidence_threshold",
    "min_data_points",
    "resource_monitoring",
];

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
    if document.sections.is_empty() {
        let hint = "is it complete? Begin with [monitor] or [process.NAME]";
        problems.error(&At::default(), "the file holds no section", hint);
    }
    let sections = unify(document, problems);
    let database_is_lost = unknown_sections(&sections, document, problems);
    let with_server = sections.contains_key("database");
    let sheet = Sheet { sections: &sections, empty: Keys::default(), base: world.base };
    let monitor = globals::monitor(sheet.read("monitor", problems), world.environment, world.base);
    let logging = logging::logging(sheet.read("logging", problems));
    let history = globals::history(sheet.read("history", problems));
    let self_recovery =
        sections.get("self_recovery").map(|_| globals::self_recovery(sheet.read("self_recovery", problems)));
    let host_id = sections.get("host").map(|_| globals::host_id(sheet.read("host", problems)));
    let mut predictive = sheet.read("predictive", problems);
    predictive.know(&PREDICTIVE);
    predictive.finish();
    let database = if with_server {
        let source = Source { environment: world.environment, file: world.path, mode: world.mode };
        database::database(sheet.read("database", problems), &source, &monitor.state_dir)
    } else {
        (!database_is_lost)
            .then(|| Database::Sqlite { path: monitor.state_dir.join("alarms.db"), push: true })
    };
    if database.as_ref().is_some_and(|database| database.server().is_some())
        || (with_server && database.is_none())
    {
        globals::require_monitor(sheet.read("monitor", problems));
    }

    let levels = control::levels(&sheet, &monitor, problems);
    let context =
        Context { base: world.base, levels: &levels, catalogue: world.catalogue, sections: &sections };
    let (default, processes) = processes(&sections, &context, problems);
    let zone = &world.environment.zone;
    let (maintenance, maintenance_lines) = maintenance::windows(&sections, world.base, zone, problems);
    let plugins = library::plugins(sheet.read("plugins", problems));
    let plugins = Plugins {
        libraries: library::libraries(world, &sections, &plugins.general, problems),
        sections: plugin_sections(world, &sections, problems),
        ..plugins
    };
    let notify = notify::receivers(world, &sections, &plugins, problems);
    let groups = control::groups(&sheet, problems);
    relations::judge(&declared(default.as_ref(), &processes), &groups, &sections, problems);
    Some(Config {
        file: world.path.to_owned(),
        dialect: if default.is_some() { Dialect::WithDefault } else { Dialect::SectionsOnly },
        // A file that asks for a filter which cannot be read must not act on all hosts.
        host_id: host_id.map_or(Some(None), |id| id.map(Some))?,
        database: database?,
        monitor,
        logging,
        history,
        self_recovery,
        plugins,
        notify,
        default,
        processes,
        levels: Levels::from(|level| levels.of(level).clone().settled()),
        groups,
        maintenance,
        maintenance_lines,
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
        if NAMED.contains(&name.as_str()) {
            problems.warning(&at, "the section names nothing and is ignored", "write a name after the dot");
        } else if NAMED.iter().any(|kind| name.starts_with(kind)) {
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
                let near = nearest(name, candidates()).map(|near| format!("[{near}]"));
                near.or_else(|| kind_meant(name)).or_else(|| maintenance::meant(name))
            };
            let hint = meant.map_or("it is ignored".to_owned(), |meant| format!("did you mean {meant}?"));
            problems.warning(&at, "unknown section", hint);
        }
    }
    if !sections.contains_key("database") && document.lost.iter().any(|name| name.trim() == "database") {
        lost = true;
        let at = At { section: "database", ..At::default() };
        problems.error(
            &at,
            "the section has no readable header",
            "write it as [database] in the first column",
        );
    }
    lost
}

/// `[libary.net]`: the kind of a section that goes on with a name, misspelt.
fn kind_meant(name: &str) -> Option<String> {
    let (kind, rest) = name.split_once('.')?;
    let kinds = NAMED.iter().map(|kind| kind.trim_end_matches('.'));
    nearest(kind.trim(), kinds).map(|near| format!("[{near}.{rest}]"))
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
