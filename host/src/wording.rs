//! The sentences of the log, in the original's wording, because people search for them.
//!
//! Pure text. `P` is the logical name, `S` the system name. Nothing is decided here; where the original said
//! less, the reason is appended.

use crate::policy::bucket::Budget;
use crate::policy::group::GroupCause;
use crate::policy::model::{Alarm, End, Hold, Name, Notice, Outcome, RowId, Verify, printable};
use crate::policy::sentence::lasting;
use crate::policy::time::{Now, Ticks};
use crate::policy::window::{Override, Scope};
use crate::ports::overrides::{Request, in_words, whom};
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

pub(crate) fn because_of(name: &Name, dependency: &Name) -> String {
    format!(
        "{RESTART} {name} is restarted because {dependency}, on which it depends, was (restart_dependents)"
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

/// The plugin died in the middle of a restart that was carried out.
pub(crate) fn done_all_the_same(name: &Name, why: &str) -> String {
    format!("RESTART LOG: {why}; another instance of {name} runs now, so it is not restarted again")
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

pub(crate) fn only_looked(name: &Name, why: &str) -> String {
    format!("{RESTART} {name} is not healthy; only looked at, not restarted yet: {why}")
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

pub(crate) fn another_speaks(machine: &str, left: Duration) -> String {
    format!(
        "Another pm, on {}, speaks for this host: this one only observes, until that lease ends (in {} at the earliest). \
         Is this a copy of a machine? Give it a host_id of its own",
        printable(machine),
        lasting(left)
    )
}

pub(crate) fn speaks_now() -> String {
    "This pm speaks for this host now: alarms are acted on".to_owned()
}

pub(crate) fn silent_host(host: &str, machine: &str, heard: Duration) -> String {
    format!(
        "Host {} ({}) has been silent for {}: nobody restarts anything there. Does it run, and does pm run on it?",
        printable(host),
        printable(machine),
        lasting(heard)
    )
}

pub(crate) fn cancelled(name: &Name, why: &str) -> String {
    format!("{RESTART} Unfinished restart of {name} cancelled: {why}")
}

pub(crate) fn not_begun(name: &Name, why: &str) -> String {
    format!("{RESTART} Restart of {name} not begun: {why}")
}

pub(crate) fn believed(request: &Request) -> String {
    let why = if request.why.is_empty() { String::new() } else { format!(" ({})", printable(&request.why)) };
    format!("The alarms of the mass alarm are believed, by order of {}{why}", printable(&request.by))
}

pub(crate) fn nothing_to_believe(request: &Request) -> String {
    format!("There is no mass alarm, so {} asked for nothing that could be believed", printable(&request.by))
}

pub(crate) fn by_hand(name: &Name, outcome: &Outcome) -> String {
    let detail = &outcome.detail;
    match outcome.end {
        End::Restarted | End::AlreadyHealthy => format!("{RESTART} {name} was restarted by hand: {detail}"),
        _ => format!("{RESTART} {name} was not restarted by hand: {detail}"),
    }
}

pub(crate) fn clock_set(moved: i64) -> String {
    let how = if moved > 0 { "forward" } else { "back" };
    // The two clocks are read one after the other.
    let by = Duration::from_secs(moved.unsigned_abs().saturating_add(500) / 1_000);
    format!(
        "The clock of this machine was put {how} by {}: maintenance windows and the ends of overrides are looked at anew by the \
         new time. Breakers, pauses and time limits do not follow it",
        lasting(by)
    )
}

pub(crate) fn storm(waiting: usize, budget: Budget) -> String {
    let (follow, refill) = (if waiting == 1 { "follows" } else { "follow" }, budget.refill.as_secs_f64());
    format!(
        "This host has begun as many restarts as it may at once (storm_limit = {}): {waiting} more {follow}, one every \
         {refill} s, the most critical first",
        budget.size
    )
}

pub(crate) fn ordered(given: &Override) -> String {
    format!("OPERATOR LOG: In force: {}", in_words(given))
}

pub(crate) fn ended(given: &Override) -> String {
    format!("OPERATOR LOG: Ended by itself: {}", in_words(given))
}

pub(crate) fn released(over: &Override, by: Option<&Request>) -> String {
    let by = by.map(|request| format!("; released {}", request.in_words())).unwrap_or_default();
    format!("OPERATOR LOG: Not in force any more: {}{by}", in_words(over))
}

pub(crate) fn reset(scope: &Scope, request: &Request) -> String {
    let why = if request.why.is_empty() { String::new() } else { format!(" ({})", request.why) };
    format!(
        "OPERATOR LOG: Failures of {} are forgotten, breakers are closed: reset by {}{why}",
        whom(scope),
        request.by
    )
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

/// The end of a restart that was not made for an alarm.
pub(crate) fn done(name: &Name) -> String {
    format!("{RESTART} {name}, which was not in alarm, was restarted")
}

/// The end of a restart that was not made for an alarm.
pub(crate) fn not_done(name: &Name, why: &str) -> String {
    format!("{RESTART} {name}, which was not in alarm, was not restarted: {why}")
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

fn mass_believed(looked: u64, healthy: u64) -> String {
    match looked {
        0 => "Mass alarm: none of the processes has a check, so nothing speaks against the alarms and they are believed"
            .to_owned(),
        _ => format!(
            "Mass alarm: {healthy} of the {looked} processes looked at are healthy, so the alarms are believed"
        ),
    }
}

/// What people should know, and whether it is worth a warning.
pub(crate) fn notice(notice: &Notice, now: Now) -> String {
    let left = |until: &Ticks| until.since(now.boot).as_secs_f64().ceil();
    match notice {
        Notice::BreakerOpened { name, count, level, until } => {
            let again = if *level > 1 { format!(", level {level}") } else { String::new() };
            format!(
                "Circuit breaker opened for {name} after {count} failures (one trial in {} s{again})",
                left(until)
            )
        }
        Notice::BreakerHalfOpen { name } => {
            format!("Circuit breaker half-open for {name}: one restart decides")
        }
        Notice::BreakerClosed { name } => format!("Circuit breaker reset for {name}"),
        Notice::FailuresForgotten { name } => {
            format!("Reset failure count for process: {name} after successful restart")
        }
        Notice::Relapsed { name, after_ms, .. } => {
            let after = lasting(Duration::from_millis(*after_ms));
            format!(
                "The restart of {name} did not last: in alarm again after {after}; it counts as one that did not help"
            )
        }
        Notice::Lasted { name } => format!("The restart of {name} lasted: no alarm for its stable time"),
        Notice::GroupOpened { group, cause, troubled, until } => {
            let why = match cause {
                GroupCause::Budget => "its budget of restarts is used up".to_owned(),
                GroupCause::Correlation => format!("several members are in trouble: {}", names(troubled)),
                GroupCause::Trial => "the restart that was tried did not help".to_owned(),
            };
            format!(
                "Circuit breaker opened for the group {group}: {why} (one trial of one member in {} s)",
                left(until)
            )
        }
        Notice::GroupHalfOpen { group } => {
            format!("Circuit breaker half-open for the group {group}: one member is tried first")
        }
        Notice::GroupReleasing { group } => {
            format!("The first member of the group {group} stayed well: the others follow by 1, 2, 4, ...")
        }
        Notice::GroupClosed { group } => format!("Circuit breaker reset for the group {group}"),
        Notice::DriverPaused { driver, until } => format!(
            "What the strategy {driver} depends on fails again and again: nothing is restarted by it for {} s, then one \
             restart finds out. No process is blamed",
            left(until)
        ),
        Notice::DriverBack { driver } => format!("What the strategy {driver} depends on works again"),
        Notice::MassAlarm { alarms, known } => format!(
            "Mass alarm: {alarms} of {known} processes are in alarm at once. Each is looked at before anything is restarted"
        ),
        Notice::MassHeld { looked, healthy } => format!(
            "Mass alarm: {healthy} of the {looked} processes looked at are healthy, so the alarms are not believed. Only \
             what a check finds bad is restarted. Clear the wrong alarms (pm alarm clear), or make pm believe them: \
             pm release --mass-alarm"
        ),
        Notice::MassBelieved { looked, healthy } => mass_believed(*looked, *healthy),
        Notice::MassOver => "The mass alarm is over".to_owned(),
        Notice::WindowStarted { id, reason, until } => {
            let reason = if reason.is_empty() { String::new() } else { format!(" ({})", printable(reason)) };
            format!(
                "Maintenance window {id} has begun{reason}: no restarts in it for {}",
                lasting(until.since(now.wall))
            )
        }
        Notice::WindowEnded { id } => {
            format!("Maintenance window {id} has ended: what is still in alarm is looked at again")
        }
    }
}

/// Whether a notice is good news.
pub(crate) fn is_good_news(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::BreakerClosed { .. }
            | Notice::FailuresForgotten { .. }
            | Notice::BreakerHalfOpen { .. }
            | Notice::Lasted { .. }
            | Notice::GroupHalfOpen { .. }
            | Notice::GroupReleasing { .. }
            | Notice::GroupClosed { .. }
            | Notice::DriverBack { .. }
            | Notice::MassOver
            | Notice::WindowStarted { .. }
            | Notice::WindowEnded { .. }
    )
}

fn names(names: &[Name]) -> String {
    let mut text = names.iter().take(5).map(Name::to_string).collect::<Vec<_>>().join(", ");
    if names.len() > 5 {
        text.push_str(&format!(" and {} more", names.len() - 5));
    }
    text
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
        Hold::Observed { verify, by, why } => {
            let (what, then) = match verify {
                Verify::AfterOnly => ("restart", ""),
                Verify::First | Verify::Patiently => ("look at", ", and restart it if it is not healthy"),
                Verify::Only => ("look at", ""),
            };
            let why = if why.is_empty() { String::new() } else { format!(", {}", printable(why)) };
            format!(
                "Would {what} {name} (ID: {row}) now{then}; nothing is done, it is only observed ({}{why})",
                printable(by)
            )
        }
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
