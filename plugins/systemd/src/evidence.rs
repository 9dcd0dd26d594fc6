//! What systemd says of a unit before it is restarted, as facts for people, and the processes to look at.
//!
//! Pure but for the [`Driver`]. Whatever kind of unit it is, what it does not have is left out. Nothing is judged here: a
//! unit that is masked may be looked at all the same.

use crate::answer::Report;
use crate::codes;
use crate::driver::Driver;
use crate::names::Unit;
use crate::state::{Subject, UnitState};
use pm_plugin_api::{Error, Evidence, Result};

/// The properties that are facts.
const FACTS: [&str; 10] = [
    "StateChangeTimestamp",
    "Result",
    "MainPID",
    "ControlPID",
    "ExecMainCode",
    "ExecMainStatus",
    "NRestarts",
    "MemoryCurrent",
    "TasksCurrent",
    "InvocationID",
];

/// Looks at a unit; answers it under the name that systemd uses, which is that of the journal.
///
/// # Errors
/// `NotFound` when there is no such unit; nobody answered.
pub(crate) fn look(driver: &mut dyn Driver, asked: &Subject) -> Result<(Subject, Evidence)> {
    let state = driver.look(asked)?;
    if state.load == "not-found" {
        state.usable(asked)?;
    }
    let unit = if state.id.is_empty() { asked.unit.clone() } else { Unit::known(&state.id) };
    let subject = Subject { unit, scope: asked.scope };
    let report = driver.properties(&subject, &FACTS)?;
    let evidence = facts(&subject, &state, &report);
    Ok((subject, evidence))
}

/// The evidence when systemd could not be asked.
pub(crate) fn unknown(subject: &Subject, error: &Error) -> Evidence {
    Evidence::default().fact("unit", subject.name()).fact("unit state", format!("not available: {error}"))
}

fn facts(subject: &Subject, state: &UnitState, report: &Report) -> Evidence {
    let since = moment(report.text("StateChangeTimestamp")).map(|at| format!(" since {at}"));
    let mut evidence = Evidence::default()
        .fact("unit", subject.name())
        .fact("unit state", format!("{state}{}", since.unwrap_or_default()));
    if state.load != "loaded" {
        evidence = evidence.fact("load state", &state.load);
    }
    let number = |key: &str| report.text(key).parse::<i32>().unwrap_or_default();
    let end = codes::ended(number("ExecMainCode"), number("ExecMainStatus"));
    let text = |key: &str| Some(report.text(key).to_owned()).filter(|text| !text.is_empty());
    let pid = |key: &str| report.text(key).parse::<u32>().ok().filter(|pid| *pid > 0);
    let main = pid("MainPID");
    for (what, known) in [
        ("result", text("Result")),
        ("main process", text("MainPID").map(|text| main.map_or("none".to_owned(), |_| text))),
        // While the main process runs these are the numbers of the one before it, or none.
        ("last main process", end),
        ("restarts by systemd", text("NRestarts")),
        ("memory", report.text("MemoryCurrent").parse().ok().and_then(bytes)),
        (
            "tasks",
            report
                .text("TasksCurrent")
                .parse::<u64>()
                .ok()
                .filter(|tasks| *tasks != u64::MAX)
                .map(|tasks| tasks.to_string()),
        ),
        ("invocation", text("InvocationID").filter(|id| id.bytes().any(|digit| digit != b'0'))),
    ] {
        if let Some(text) = known {
            evidence = evidence.fact(what, text);
        }
    }
    evidence.pids.extend(main);
    evidence.pids.extend(pid("ControlPID"));
    evidence
}

/// `12.3 MiB`; none for the number that stands for "not accounted".
fn bytes(bytes: u64) -> Option<String> {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    (bytes != u64::MAX).then(|| format!("{mebibytes:.1} MiB"))
}

/// `2026-01-31 12:00:00 UTC` from the microseconds that the bus tells; what `systemctl` tells is one already.
fn moment(told: &str) -> Option<String> {
    let Ok(micros) = told.parse::<u64>() else {
        return Some(told.to_owned()).filter(|text| !text.is_empty() && text != "n/a");
    };
    if micros == 0 {
        return None;
    }
    let seconds = micros / 1_000_000;
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"))
}

/// Year, month and day of the so many-th day after 1970-01-01; years are counted from March, so that a leap day is the
/// last one of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scope;

    fn web() -> Subject {
        Subject { unit: Unit::named("web").unwrap(), scope: Scope::System }
    }

    fn state(load: &str, active: &str, sub: &str) -> UnitState {
        let [load, active, sub] = [load, active, sub].map(str::to_owned);
        UnitState { load, active, sub, ..UnitState::default() }
    }

    fn report(pairs: &[(&str, &str)]) -> Report {
        Report(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn shown(evidence: &Evidence) -> Vec<String> {
        evidence.facts.iter().map(|(what, text)| format!("{what}: {text}")).collect()
    }

    #[test]
    fn a_running_unit_is_told_with_its_processes() {
        let report = report(&[
            ("StateChangeTimestamp", "1767225600123456"),
            ("Result", "success"),
            ("MainPID", "4711"),
            ("ControlPID", "0"),
            ("ExecMainCode", "0"),
            ("ExecMainStatus", "0"),
            ("NRestarts", "3"),
            ("MemoryCurrent", "12897485"),
            ("TasksCurrent", "4"),
            ("InvocationID", "0a1b"),
        ]);
        let evidence = facts(&web(), &state("loaded", "active", "running"), &report);
        let expected = [
            "unit: web.service",
            "unit state: active (running) since 2026-01-01 00:00:00 UTC",
            "result: success",
            "main process: 4711",
            "restarts by systemd: 3",
            "memory: 12.3 MiB",
            "tasks: 4",
            "invocation: 0a1b",
        ];
        assert_eq!(shown(&evidence), expected);
        assert_eq!(evidence.pids, [4711]);
    }

    #[test]
    fn a_failed_unit_tells_how_it_ended_and_what_is_not_accounted_is_left_out() {
        let report = report(&[
            ("Result", "exit-code"),
            ("MainPID", "0"),
            ("ExecMainCode", "1"),
            ("ExecMainStatus", "7"),
            ("MemoryCurrent", "18446744073709551615"),
            ("TasksCurrent", "18446744073709551615"),
            ("InvocationID", "0000"),
        ]);
        let evidence = facts(&web(), &state("masked", "failed", "failed"), &report);
        let expected = [
            "unit: web.service",
            "unit state: failed (failed)",
            "load state: masked",
            "result: exit-code",
            "main process: none",
            "last main process: exited with status 7",
        ];
        assert_eq!(shown(&evidence), expected);
        assert!(evidence.pids.is_empty());
    }

    #[test]
    fn a_socket_has_fewer_facts() {
        let evidence =
            facts(&web(), &state("loaded", "active", "listening"), &report(&[("Result", "success")]));
        assert_eq!(shown(&evidence)[1..], ["unit state: active (listening)", "result: success"]);
    }

    #[test]
    fn moments_are_told_in_utc_whoever_told_them() {
        for (told, shown) in [
            ("951782400000000", Some("2000-02-29 00:00:00 UTC")),
            ("1798761599999999", Some("2026-12-31 23:59:59 UTC")),
            ("Thu 2026-01-01 00:00:00 UTC", Some("Thu 2026-01-01 00:00:00 UTC")),
            ("0", None),
            ("n/a", None),
            ("", None),
        ] {
            assert_eq!(moment(told).as_deref(), shown, "{told}");
        }
    }
}
