//! The short global sections: `[monitor]`, `[host]`, `[self_recovery]`, `[plugins]`.

use super::commands::state_directory;
use super::control::{LEASE, PAUSE, REFILL, driver, unprotected};
use super::reader::Reader;
use crate::config::control::{Control, Criticality};
use crate::config::environment::Environment;
use crate::config::model::{History, Monitor, SelfRecovery};
use pm_plugin_api::value::Value as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Keys of a process or a level, of which `[monitor]` has three for all: whoever knows those writes these here, too.
const OF_PROCESSES: [&str; 8] = [
    "restart_window",
    "circuit_reset_max",
    "circuit_jitter",
    "doubt_time",
    "backoff",
    "backoff_factor",
    "backoff_max",
    "backoff_jitter",
];

/// Reads `[monitor]`.
pub(super) fn monitor(mut reader: Reader<'_>, environment: &Environment, base: &Path) -> Monitor {
    let seconds = Duration::from_secs;
    let mut check_interval = reader.duration("check_interval", DAY).unwrap_or(seconds(30));
    if check_interval < SHORTEST_INTERVAL {
        let message = "pm would poll without a pause; it polls every 100 ms";
        reader.warning("check_interval", message, "write at least 1");
        check_interval = SHORTEST_INTERVAL;
    }
    let state_dir = reader
        .path("state_dir")
        .unwrap_or_else(|| PathBuf::from(state_directory(environment).unwrap_or("/var/lib/pm")));
    let driver = driver(&mut reader);
    let normal = Control::built_in(Criticality::Normal);
    let monitor = Monitor {
        check_interval,
        max_restart_failures: reader.value("max_restart_failures").unwrap_or(normal.max_restart_failures),
        circuit_reset_time: reader
            .duration("circuit_reset_time", 366 * DAY)
            .unwrap_or(normal.circuit_reset_time),
        driver,
        max_parallel_restarts: reader.number("max_parallel_restarts", 1..=256).map_or(4, |n| n as u16),
        shutdown_timeout: reader.duration("shutdown_timeout", DAY).unwrap_or(seconds(30)),
        stable_time: reader.duration("stable_time", 7 * DAY).unwrap_or(normal.stable_time),
        storm_limit: reader.number("storm_limit", 0..=1000).unwrap_or(10),
        storm_refill: reader.duration_within("storm_refill", REFILL).unwrap_or(seconds(6)),
        mass_alarm_min: reader.number("mass_alarm_min", 0..=1_000_000).unwrap_or(10),
        mass_alarm_share: reader.number("mass_alarm_share", 1..=100).unwrap_or(50),
        mass_alarm_look_time: reader.duration_within("mass_alarm_look_time", PAUSE).unwrap_or(seconds(300)),
        mass_alarm_recheck: reader.duration_within("mass_alarm_recheck", PAUSE).unwrap_or(seconds(60)),
        handled_grace: reader.duration("handled_grace", 7 * DAY).unwrap_or(seconds(300)),
        lease_time: reader.duration_within("lease_time", LEASE).unwrap_or(seconds(90)),
        state_dir,
        working_directory: reader.path("working_directory").unwrap_or_else(|| base.to_owned()),
    };
    unprotected(&mut reader, monitor.circuit_reset_time);
    reader.misplaced(&OF_PROCESSES, "[process.default], [process.NAME] or [criticality.LEVEL]");
    reader.finish();
    monitor
}

/// The keys that a file for a server has always had to have. Without a server there are defaults.
pub(super) fn require_monitor(mut reader: Reader<'_>) {
    for (key, used) in
        [("check_interval", "30"), ("max_restart_failures", "3"), ("circuit_reset_time", "300")]
    {
        if reader.raw(key).is_none() {
            reader.error(key, "is required", format!("write {key} = {used}, which is used until then"));
        }
    }
}

/// Reads `[history]`.
pub(super) fn history(mut reader: Reader<'_>) -> History {
    let history = History {
        days: reader.number("days", 1..=3650).unwrap_or(90),
        size_mib: reader.number("size", 16..=1_000_000).unwrap_or(256),
        publish: reader.value("publish").unwrap_or(true),
    };
    reader.finish();
    history
}

/// `None` when the filter cannot be told.
pub(super) fn host_id(mut reader: Reader<'_>) -> Option<i64> {
    let id = match reader.raw("host_id") {
        None => Err("is required in [host]".to_owned()),
        Some(text) => u32::parse(text),
    };
    let hint =
        "write this host's number, or delete the section to act on all hosts; pm does not start without";
    let id = id.map_err(|why| reader.error("host_id", why, hint)).ok();
    reader.finish();
    id.map(i64::from)
}

/// Reads `[self_recovery]`.
pub(super) fn self_recovery(mut reader: Reader<'_>) -> SelfRecovery {
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
