//! The sentences of the log, in the original's wording, because people search for them.
//!
//! Pure text. `P` is the logical name, `S` the system name. Nothing is decided here; where the original said
//! less, the reason is appended.

use crate::policy::model::{Alarm, Hold, Name, Notice, RowId};
use crate::policy::time::Now;
use crate::ports::{Cleared, JournalError};
use crate::spec::PartRef;
use pm_plugin_api::Action;
use std::fmt::Display;
use std::time::Duration;

const RESTART: &str = "RESTART LOG:";

pub(crate) fn found(alarm: &Alarm) -> String {
    format!("Found process in alarm: {} (ID: {})", alarm.name, alarm.row.0)
}

pub(crate) fn beginning(name: &Name, strategy: &str, system_name: &str) -> String {
    format!(
        "{RESTART} Beginning restart procedure for {name} (strategy: {strategy}, system_name: {system_name})"
    )
}

pub(crate) fn attempting(name: &Name, attempt: u32, most: u32) -> String {
    format!("Attempting restart ({attempt} of {most}) for {name}")
}

pub(crate) fn evidence_kept(name: &Name, bytes: usize) -> String {
    format!("{RESTART} Evidence of {name} gathered before the restart ({bytes} bytes)")
}

pub(crate) fn pre_restart(name: &Name, line: &str) -> String {
    format!("Executing pre-restart command for {name}: {line}")
}

pub(crate) fn pre_restart_failed(name: &Name, why: &str) -> String {
    format!("Pre-restart command failed for {name}: {why}")
}

pub(crate) fn acted(name: &Name, strategy: &str, action: Action, system_name: &str, detail: &str) -> String {
    let what = if strategy == "process" { "Process" } else { "Service" };
    match action {
        Action::Started => format!("{what} start command executed for: {system_name} ({detail})"),
        Action::Restarted => format!("{what} restart command executed for: {system_name} ({detail})"),
        _ => format!("Custom restart command executed for: {name} ({detail})"),
    }
}

pub(crate) fn not_acted(name: &Name, strategy: &str, system_name: &str, why: &str) -> String {
    match strategy {
        "custom" => format!("Custom restart command failed for: {name}: {why}"),
        "process" => format!("Process restart command failed for: {system_name}: {why}"),
        _ => format!("Service restart command failed for: {system_name}: {why}"),
    }
}

pub(crate) fn next_link(name: &Name, strategy: &str, why: &str) -> String {
    format!("{RESTART} Strategy {strategy} did not restart {name}, trying the next one: {why}")
}

pub(crate) fn restarted(system_name: &str, strategy: &str) -> String {
    let what = if strategy == "process" { "process" } else { "service" };
    format!("{RESTART} Successfully started/restarted and verified {what}: {system_name}")
}

pub(crate) fn already_healthy(name: &Name, detail: &str) -> String {
    format!("{RESTART} {name} is healthy, nothing to restart: {detail}")
}

pub(crate) fn attempt_failed(name: &Name, attempt: u32, why: &str) -> String {
    format!("{RESTART} Attempt {attempt} failed for {name}: {why}")
}

pub(crate) fn given_up(name: &Name, why: &str) -> String {
    format!("{RESTART} Restart of {name} given up: {why}")
}

pub(crate) fn all_failed(name: &Name) -> String {
    format!("{RESTART} All restart attempts failed for {name}")
}

pub(crate) fn check_failed_after(system_name: &str) -> String {
    format!("{RESTART} Start/Restart command succeeded but health check failed for: {system_name}")
}

pub(crate) fn handed_over(name: &Name) -> String {
    format!("{RESTART} Restart of {name} handed over: pm is stopping, the next start goes on")
}

pub(crate) fn cancelled(name: &Name, why: &str) -> String {
    format!("{RESTART} Unfinished restart of {name} cancelled: {why}")
}

pub(crate) fn resuming(name: &Name) -> String {
    format!("{RESTART} Restart of {name} was cut off when pm was stopped or killed; doing it now")
}

pub(crate) fn verifying_only(name: &Name, why: &str) -> String {
    format!("{RESTART} Not restarting {name} again: {why}")
}

pub(crate) fn no_check(name: &Name) -> String {
    format!("No health check command configured for {name}, assuming success")
}

pub(crate) fn checking(name: &Name, check: &PartRef) -> String {
    let what = check.settings.get("health_check_command").unwrap_or(&check.name);
    format!("Performing health check for {name}: {what}")
}

pub(crate) fn check_passed(name: &Name) -> String {
    format!("Health check passed for {name}")
}

pub(crate) fn check_failed(name: &Name, after: Duration, why: &str) -> String {
    format!("Health check failed for {name} after {} seconds: {why}", after.as_secs_f64())
}

pub(crate) fn no_journal(error: &JournalError) -> String {
    format!("Not noted: {error}")
}

pub(crate) fn handled(name: &Name) -> String {
    format!("Successfully handled alarm for {name}")
}

pub(crate) fn not_handled(name: &Name, why: &str) -> String {
    format!("Failed to handle alarm for {name}: {why}")
}

pub(crate) fn stopping(running: usize, patience: Duration) -> String {
    let patience = patience.as_secs_f64();
    match running {
        0 => "Stopping: no restart is running".to_owned(),
        1 => format!("Stopping: no new restarts; 1 is running and gets up to {patience} s to finish"),
        _ => format!("Stopping: no new restarts; {running} are running and get up to {patience} s to finish"),
    }
}

pub(crate) fn notice(name: &Name, notice: &Notice, now: Now) -> String {
    match notice {
        Notice::BreakerOpened { failures, until } => format!(
            "Circuit breaker opened for {name} after {failures} failures (one trial in {} s)",
            until.since(now.boot).as_secs()
        ),
        Notice::BreakerClosed => format!("Circuit breaker reset for {name}"),
        Notice::FailuresForgotten => {
            format!("Reset failure count for process: {name} after successful restart")
        }
    }
}

pub(crate) fn held(alarm: &Alarm, hold: &Hold, now: Now) -> String {
    let (name, row) = (&alarm.name, alarm.row.0);
    match hold {
        Hold::NotConfigured => format!("Ignoring process without config section: {name} (ID: {row})"),
        Hold::Unnamed => format!("Ignoring row without a process name (ID: {row}); give it one in PROCESE"),
        Hold::BreakerOpen { until, .. } => format!(
            "Circuit breaker open for {name}. Skipping restart. One trial in {} s",
            until.since(now.boot).as_secs_f64().ceil()
        ),
        _ => format!("Not acting on {name} (ID: {row}): {}", hold.sentence(now)),
    }
}

pub(crate) fn cleared(row: RowId, how: Cleared) -> String {
    let id = row.0;
    match how {
        Cleared::Done => format!("DB UPDATE LOG: Successfully updated alarm status for process_id: {id}"),
        Cleared::Already => format!("DB UPDATE LOG: Alarm was cleared already, process_id: {id}"),
        Cleared::Changed => {
            format!("DB UPDATE LOG: Alarm was raised anew meanwhile and stays, process_id: {id}")
        }
        Cleared::Gone => format!("DB UPDATE LOG: The row is gone, process_id: {id}"),
    }
}

pub(crate) fn not_cleared(row: RowId, why: &dyn Display) -> String {
    format!(
        "DB UPDATE LOG: Failed to update alarm status for process_id: {}: {why}. The clearing is kept and repeated",
        row.0
    )
}
