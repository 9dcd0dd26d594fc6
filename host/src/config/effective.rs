//! The effective settings as JSON, for `pm check --format json`. Secrets are masked; problems are part of it.
//!
//! ```json
//! { "file": "config.ini", "usable": true, "dialect": "with_default | sections_only",
//!   "host_id": 1, "database": { "engine": "mysql", … }, "monitor": { … }, "logging": { … },
//!   "history": { "days": 90, "size": 256, "publish": true },
//!   "self_recovery": null,
//!   "plugins": { "dir": null, "only_pinned": false, "isolation": "worker", "memory_max": 268435456, "idle_time": 60,
//!                "libraries": { "NAME": { "isolation": "worker", "user": null, … } },
//!                "sections": { "NAME": { "KEY": "TEXT" } } },
//!   "criticality": { "critical": { … }, … }, "groups": { "NAME": { … } },
//!   "notify": [ { "name": "ops", "notifier": "webhook", "events": [ "restart_failed", … ], … } ],
//!   "default": null, "processes": [ { "name": "web", "group": null, "depends_on": [ "db" ], … } ],
//!   "maintenance": [ { "name": "patches", "line": 40, "all": false, "processes": [ "web" ], "groups": [],
//!                      "from_ms": null, "until_ms": null, "cron": "0 22 * * 6", "duration": 7200, … } ],
//!   "problems": [ { "severity": "error | warning", "file": "…", "line": 12, "section": "process.web",
//!                   "key": "max_attempts", "message": "…", "hint": "…" } ] }
//! ```
//!
//! Durations are seconds as numbers, memory is in bytes, absent things are `null`, and without a configuration everything
//! but `file`, `usable` and `problems` is missing. Programs read this: names and meanings stay, new names may come.

use super::control::{Control, Criticality};
use super::database::{Address, Database, Server, TlsMode};
use super::group::Group;
use super::library::Library;
use super::loaded::Loaded;
use super::model::{Config, Dialect, LogFormat, LogLevel, Logging, Monitor, Plugins};
use super::problem::Problem;
use super::process::{Process, Setting};
use super::secret::{MASK, masked, names_a_secret};
use crate::policy::model::{Name, Verify};
use crate::policy::relations::{Related, Relations};
use crate::policy::window::{Definition, Scope, When};
use crate::spec::Receiver;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that was read, for programs.
#[must_use]
pub fn to_json(loaded: &Loaded) -> Value {
    let mut out = loaded.config.as_ref().map_or_else(|| json!({}), config);
    out["file"] = json!(loaded.file);
    out["usable"] = json!(loaded.usable());
    out["problems"] = loaded.problems.iter().map(problem).collect();
    out
}

fn config(config: &Config) -> Value {
    let related = Related::merge(&config.declared(), &Relations::default());
    json!({
        "dialect": match config.dialect {
            Dialect::WithDefault => "with_default",
            Dialect::SectionsOnly => "sections_only",
        },
        "host_id": config.host_id,
        "database": database(&config.database),
        "monitor": monitor(&config.monitor),
        "logging": logging(&config.logging),
        "history": { "days": config.history.days, "size": config.history.size_mib, "publish": config.history.publish },
        "self_recovery": config.self_recovery.as_ref().map(|recovery| json!({
            "heartbeat_file": recovery.heartbeat_file,
            "stale_after_seconds": seconds(recovery.stale_after),
            "restart_command": recovery.restart_command.as_deref().map(masked),
            "precheck_command": recovery.precheck_command.as_deref().map(masked),
        })),
        "plugins": plugins(&config.plugins),
        "notify": config.notify.iter().map(receiver).collect::<Vec<_>>(),
        "default": config.default.as_ref().map(|default| {
            let mut shown = process(default, &related);
            shown["system_name"] = json!(default.system_name);
            shown
        }),
        "processes": config.processes.values().map(|own| process(own, &related)).collect::<Vec<_>>(),
        "criticality": Criticality::ALL.iter()
            .map(|level| (level.word(), control(config.levels.of(*level))))
            .collect::<BTreeMap<_, _>>(),
        "groups": config.groups.iter().map(|(name, own)| (name, group(own))).collect::<BTreeMap<_, _>>(),
        "maintenance": config.maintenance.iter().map(|window| maintenance(window, config)).collect::<Vec<_>>(),
    })
}

fn database(database: &Database) -> Value {
    match database {
        Database::Sqlite { path, push } => json!({ "engine": database.engine(), "path": path, "push": push }),
        Database::Mysql(own) | Database::Postgres(own) => server(database.engine(), own),
    }
}

fn server(engine: &str, server: &Server) -> Value {
    // With several, those of the first one; all of them are in `addresses` then.
    let (host, port, socket) = match server.addresses.first() {
        Some(Address::Socket(path)) => (None, None, Some(path)),
        Some(Address::Local { port }) => (Some("localhost"), Some(port), None),
        Some(Address::Tcp { host, port }) => (Some(host.as_str()), Some(port), None),
        None => (None, None, None),
    };
    let mut shown = json!({
        "engine": engine,
        "host": host,
        "port": port,
        "socket": socket,
        "user": server.logins.first().map(|login| &login.user),
        "password": MASK,
        "database": server.database,
        "tls": match server.tls.mode {
            TlsMode::Off => "off",
            TlsMode::Require => "require",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => "verify-full",
        },
        "tls_ca_file": server.tls.ca_file,
        "tls_cert_file": server.tls.client.as_ref().map(|client| &client.cert_file),
        "tls_key_file": server.tls.client.as_ref().map(|client| &client.key_file),
        "connect_timeout": seconds(server.connect_timeout),
        "read_timeout": seconds(server.read_timeout),
        "write_timeout": seconds(server.write_timeout),
        "pool_max": server.pool_max,
        "push": server.push,
        "push_server_id": server.push_server_id,
    });
    if server.addresses.len() > 1 {
        shown["addresses"] = server.addresses.iter().map(Address::name).collect();
    }
    shown
}

fn monitor(monitor: &Monitor) -> Value {
    json!({
        "check_interval": seconds(monitor.check_interval),
        "max_restart_failures": monitor.max_restart_failures,
        "circuit_reset_time": seconds(monitor.circuit_reset_time),
        "storm_limit": monitor.storm_limit,
        "storm_refill": seconds(monitor.storm_refill),
        "mass_alarm_min": monitor.mass_alarm_min,
        "mass_alarm_share": monitor.mass_alarm_share,
        "mass_alarm_look_time": seconds(monitor.mass_alarm_look_time),
        "mass_alarm_recheck": seconds(monitor.mass_alarm_recheck),
        "driver_failures": monitor.driver.failures,
        "driver_pause": seconds(monitor.driver.pause),
        "driver_open_time": seconds(monitor.driver.open_time),
        "driver_open_max": seconds(monitor.driver.open_max),
        "driver_jitter": monitor.driver.jitter,
        "max_parallel_restarts": monitor.max_parallel_restarts,
        "shutdown_timeout": seconds(monitor.shutdown_timeout),
        "stable_time": seconds(monitor.stable_time),
        "handled_grace": seconds(monitor.handled_grace),
        "lease_time": seconds(monitor.lease_time),
        "state_dir": monitor.state_dir,
        "working_directory": monitor.working_directory,
    })
}

fn logging(logging: &Logging) -> Value {
    json!({
        "file": logging.file,
        "max_log_size": logging.max_log_size_kib,
        "log_files_to_keep": logging.log_files_to_keep,
        "format": match logging.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        },
        "json_pretty": logging.json_pretty,
        "log_level": match logging.level {
            LogLevel::Error => "error",
            LogLevel::Warning => "warning",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        },
        "console_output": logging.console_output,
        "syslog": logging.syslog,
        "json_copy": logging.json_copy,
        "restart_stats": logging.restart_stats,
    })
}

fn plugins(plugins: &Plugins) -> Value {
    let libraries = plugins.libraries.iter().map(|(name, own)| (name, library(own)));
    let sections = plugins.sections.iter().map(|(name, settings)| (name, texts(settings)));
    json!({
        "dir": plugins.dir,
        "only_pinned": plugins.only_pinned,
        "isolation": plugins.general.isolation.word(),
        "memory_max": plugins.general.memory_max,
        "idle_time": seconds(plugins.general.idle_time),
        "libraries": libraries.collect::<BTreeMap<_, _>>(),
        "sections": sections.collect::<BTreeMap<_, _>>(),
    })
}

fn library(library: &Library) -> Value {
    json!({
        "isolation": library.isolation.word(),
        "user": library.user,
        "check_user": library.check_user,
        "no_new_privs": library.no_new_privs,
        "memory_max": library.memory_max,
        "idle_time": seconds(library.idle_time),
        "sha256": library.sha256,
        "required": library.required,
        "override": library.overrides,
        "missing": library.missing,
    })
}

fn group(group: &Group) -> Value {
    json!({
        "budget": group.budget,
        "budget_refill": seconds(group.budget_refill),
        "correlation": group.correlation,
        "correlation_share": group.correlation_share,
        "window": seconds(group.window),
        "circuit_reset_time": seconds(group.circuit_reset_time),
        "circuit_reset_max": seconds(group.circuit_reset_max),
        "circuit_jitter": group.circuit_jitter,
        "stable_time": seconds(group.stable_time),
    })
}

fn control(control: &Control) -> Value {
    json!({
        "max_restart_failures": control.max_restart_failures,
        "restart_window": seconds(control.restart_window),
        "circuit_reset_time": seconds(control.circuit_reset_time),
        "circuit_reset_max": seconds(control.circuit_reset_max),
        "circuit_jitter": control.circuit_jitter,
        "stable_time": seconds(control.stable_time),
        "doubt_time": seconds(control.doubt_time),
        "backoff": seconds(control.backoff),
        "backoff_factor": control.backoff_factor,
        "backoff_max": seconds(control.backoff_max),
        "backoff_jitter": control.backoff_jitter,
    })
}

/// Groups and dependencies as the file has them; the tables may add to them.
fn process(process: &Process, related: &Related) -> Value {
    let name = Name::new(&process.name);
    let mut shown = json!({
        "name": process.name,
        "line": process.line,
        "unusable": process.unusable,
        "restart_strategy": process.strategies,
        "acts": process.chain(),
        "system_name": process.system_name(),
        "max_attempts": process.max_attempts,
        "restart_delay": seconds(process.restart_delay),
        "restart_delay_factor": process.restart_delay_factor,
        "restart_delay_max": seconds(process.restart_delay_max),
        "health_check": process.check(),
        "health_check_timeout": seconds(process.health_check_timeout),
        "health_check_interval": seconds(process.health_check_interval),
        "verify_before": process.verify_before == Verify::First,
        "pre_restart_command": process.pre_restart_command.as_deref().map(masked),
        "pre_restart_timeout": seconds(process.pre_restart_timeout),
        "evidence": process.evidence,
        "evidence_command": process.evidence_command.as_deref().map(masked),
        "evidence_timeout": seconds(process.evidence_timeout),
        "restart_timeout": seconds(process.restart_timeout),
        "criticality": process.criticality.word(),
        "group": related.group_of(&name).map(Name::as_str),
        "depends_on": related.depends_on(&name).into_iter().map(Name::as_str).collect::<Vec<_>>(),
        "restart_dependents": process.restart_dependents,
        "settings": texts(&process.settings),
    });
    if let (Value::Object(all), Value::Object(numbers)) = (&mut shown, control(&process.control)) {
        all.extend(numbers);
    }
    shown
}

fn receiver(receiver: &Receiver) -> Value {
    let shown = |(key, value): (&String, &String)| {
        // The path of a webhook is its key.
        let value = if names_a_secret(key) || key == "url" { MASK.to_owned() } else { masked(value) };
        (key.clone(), value)
    };
    json!({
        "name": receiver.name,
        "notifier": receiver.part.name,
        "events": receiver.events.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
        "min_severity": receiver.min_severity.word(),
        "processes": receiver.processes.iter().map(Name::as_str).collect::<Vec<_>>(),
        "groups": receiver.groups.iter().map(Name::as_str).collect::<Vec<_>>(),
        "language": receiver.language.word(),
        "rate_limit": receiver.rate.size,
        "rate_refill": seconds(receiver.rate.refill),
        "deduplicate": seconds(receiver.deduplicate),
        "retry_for": seconds(receiver.retry_for),
        "notify_timeout": seconds(receiver.timeout),
        "settings": receiver.part.settings.iter().map(shown).collect::<BTreeMap<_, _>>(),
    })
}

fn maintenance(window: &Definition, config: &Config) -> Value {
    let mut out = planned(window);
    out["line"] = json!(config.maintenance_lines.get(&window.id));
    out
}

/// A maintenance window as it was planned; moments are milliseconds since 1970.
#[must_use]
pub fn planned(window: &Definition) -> Value {
    let named = |pick: fn(&Scope) -> Option<&Name>| -> Vec<_> {
        window.scopes.iter().filter_map(pick).map(Name::as_str).collect()
    };
    let (once, recurring) = match &window.when {
        When::Once { from, until } => (Some((from.0, until.0)), None),
        When::Recurring { cron, duration, zone } => (None, Some((cron, seconds(*duration), zone))),
    };
    json!({
        "name": window.id.as_str(),
        "all": window.scopes.contains(&Scope::All),
        "processes": named(|scope| if let Scope::Process(name) = scope { Some(name) } else { None }),
        "groups": named(|scope| if let Scope::Group(name) = scope { Some(name) } else { None }),
        "reason": window.reason,
        "by": window.by,
        "from_ms": once.map(|(from, _)| from),
        "until_ms": once.map(|(_, until)| until),
        "cron": recurring.as_ref().map(|(cron, ..)| cron),
        "duration": recurring.as_ref().map(|(_, duration, _)| duration),
        "time_zone": recurring.as_ref().map(|(.., zone)| zone).filter(|zone| !zone.is_empty()),
    })
}

fn texts(settings: &BTreeMap<String, Setting>) -> BTreeMap<&str, String> {
    let shown = |key: &str, value: &str| if names_a_secret(key) { MASK.to_owned() } else { masked(value) };
    settings.iter().map(|(key, setting)| (key.as_str(), shown(key, &setting.value))).collect()
}

fn problem(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity.word(),
        "file": problem.file,
        "line": problem.line,
        "section": Some(&problem.section).filter(|section| !section.is_empty()),
        "key": problem.key,
        "message": problem.message,
        "hint": problem.hint,
    })
}

/// Whole seconds as an integer, so that `30` reads as in the file.
fn seconds(duration: Duration) -> Value {
    if duration.subsec_nanos() == 0 { json!(duration.as_secs()) } else { json!(duration.as_secs_f64()) }
}
