//! What systemd's words mean: job results, refusals and properties become healths and errors for people.
//!
//! Pure: both ways to systemd (the bus and `systemctl`) end here, so they give the same answers. Every refusal says what to
//! do next, and tells "no such unit" and "not allowed" apart from "it did not work".

use crate::codes;
use crate::state::{Subject, UnitState};
use pm_plugin_api::command::printable;
use pm_plugin_api::{Error, Health, Result};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// Properties that tell why a unit is as it is, as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report(pub(crate) BTreeMap<String, String>);

/// The properties that a [`Report`] is read for.
pub(crate) const REPORTED: [&str; 7] = [
    "Result",
    "Type",
    "ExecMainCode",
    "ExecMainStatus",
    "ConditionResult",
    "ConditionTimestamp",
    "InvocationID",
];

const LIMIT: &str = "start-limit-hit";

impl Report {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    fn number(&self, key: &str) -> i32 {
        self.text(key).parse().unwrap_or(0)
    }

    /// Whether a failed start job never began because of the start limit, `before` being the unit before it.
    ///
    /// systemd keeps the result of the start before ("exit-code") when there is one, so that the result alone does not
    /// tell; every start that really begins has an id of its own.
    pub(crate) fn hit_start_limit(&self, before: &UnitState) -> bool {
        let began = before.invocation.as_deref() != Some(self.text("InvocationID"));
        self.text("Result") == LIMIT || (before.invocation.is_some() && !began)
    }

    /// The conditions were looked at, and one was not met; without the time it is the value of a unit never started.
    fn condition_failed(&self) -> bool {
        self.text("ConditionResult") == "no" && !matches!(self.text("ConditionTimestamp"), "" | "0")
    }

    /// `Result` in words, with how the main process ended.
    fn cause(&self, subject: &Subject) -> String {
        let result = self.text("Result");
        match result {
            "" | "success" => "systemd gives no reason".to_owned(),
            "exit-code" | "signal" | "core-dump" => match self.end() {
                Some(end) => format!("{result}, main process {end}"),
                None => {
                    format!(
                        "{result}, of a command beside the main process (ExecStartPre=, ExecStartPost=, …)"
                    )
                }
            },
            LIMIT => self.limit(subject),
            "timeout" => {
                "timeout, it was not ready or did not stop within systemd's limit (TimeoutStartSec=, \
                          TimeoutStopSec=)"
                    .to_owned()
            }
            "protocol" => "protocol, it did not report that it is ready in the way of its Type=".to_owned(),
            "resources" => "resources, systemd could not prepare its start".to_owned(),
            other => other.to_owned(),
        }
    }

    fn limit(&self, subject: &Subject) -> String {
        let before = self.end().map_or_else(String::new, |end| format!(", after its main process {end}"));
        format!(
            "{LIMIT}, it was started too often (StartLimitBurst=) and systemd refuses for now{before}; systemctl \
             {}reset-failed {} lifts that, reset_failed = yes does so at every restart",
            subject.scope.flag(),
            subject.name()
        )
    }

    /// How the main process ended.
    fn end(&self) -> Option<String> {
        codes::ended(self.number("ExecMainCode"), self.number("ExecMainStatus"))
    }
}

/// The error for a job that ended otherwise than `done`; `before` is the unit before it.
pub(crate) fn job_failed(subject: &Subject, result: &str, report: &Report, before: &UnitState) -> Error {
    let log = subject.log();
    Error::failed(match result {
        "failed" if report.hit_start_limit(before) => {
            format!("{subject}: job failed: {}; {log}", report.limit(subject))
        }
        "failed" => format!("{subject}: job failed: {}; {log}", report.cause(subject)),
        "dependency" => format!("{subject}: job failed: a unit that it requires did not start; {log}"),
        "canceled" => {
            format!("{subject}: job canceled: somebody else's stop, start or shutdown took its place")
        }
        "timeout" => format!("{subject}: job timed out (JobTimeoutSec=); {log}"),
        "assert" => format!("{subject}: job refused: an Assert…= of the unit is not met; {log}"),
        "unsupported" => format!("{subject}: job refused: this system does not support units of that kind"),
        "invalid" => format!("{subject}: job refused: it does not apply to this unit; {log}"),
        other => format!("{subject}: job ended with {other:?}; {log}"),
    })
}

/// The error when a job is `done` and the unit is down all the same; none when that is how it should be, as for a oneshot
/// that has done its work.
///
/// systemd calls a start `done` when a condition keeps it from starting anything, and forgets all about a unit that is
/// down and needed by nobody, so the reason is not always to be had.
pub(crate) fn down_after_done(subject: &Subject, state: &UnitState, report: &Report) -> Option<Error> {
    let log = subject.log();
    Some(Error::failed(match state.active.as_str() {
        "failed" => format!("{subject}: started and at once {state}: {}; {log}", report.cause(subject)),
        "inactive" if report.condition_failed() => {
            format!("{subject}: not started, because a Condition…= of the unit is not met; {log}")
        }
        "inactive" if report.text("Type") != "oneshot" => format!(
            "{subject}: the job is done and it is {state}: a Condition…= of the unit is not met, or it ended at once; {log}"
        ),
        _ => return None,
    }))
}

/// The error for a request that systemd or the bus refused, by the name of the D-Bus error.
pub(crate) fn refused(subject: &Subject, verb: &str, name: &str, text: &str) -> Error {
    let short = name.rsplit_once('.').map_or(name, |(_, short)| short);
    let said = format!("cannot {verb} {subject}: {}", printable(text).trim_end_matches('.'));
    match short {
        "NoSuchUnit" => Error::not_found(format!("there is no {subject}")),
        "UnitMasked" => {
            Error::config(format!("{said}; systemctl {}unmask {}", subject.scope.flag(), subject.name()))
        }
        "BadUnitSetting" | "LoadFailed" | "InvalidArgs" | "InvalidName" => Error::config(format!(
            "{said}; systemctl {}status {} tells more",
            subject.scope.flag(),
            subject.name()
        )),
        "OnlyByDependency" => {
            Error::config(format!("{said}; restart the unit that pulls it in (RefuseManualStart=)"))
        }
        "JobTypeNotApplicable" => Error::config(said),
        "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed" => Error::permission(format!(
            "{said}; run pm as root, or allow its user in a polkit rule: action \
             org.freedesktop.systemd1.manage-units, unit {}, verb {verb}",
            subject.name()
        )),
        "TransactionIsDestructive" | "ShuttingDown" => {
            Error::unavailable(format!("{said}; the system is going down"))
        }
        _ if nobody_answered(name) => {
            Error::unavailable(format!("{said} ({name}); systemd does not answer on the bus"))
        }
        _ => Error::failed(format!("{said} ({name})")),
    }
}

/// The errors with which a bus says that the other side is not there; as opposed to an answer of the other side.
fn nobody_answered(name: &str) -> bool {
    name.strip_prefix("org.freedesktop.DBus.Error.").is_some_and(|short| {
        let gone = [
            "ServiceUnknown",
            "NameHasNoOwner",
            "NoReply",
            "Timeout",
            "TimedOut",
            "Disconnected",
            "LimitsExceeded",
        ];
        gone.contains(&short) || short.starts_with("Spawn.")
    })
}

/// What a check says of a unit; `report` is asked for only when it is down.
pub(crate) fn health(
    subject: &Subject,
    state: &UnitState,
    report: impl FnOnce() -> Result<Report>,
) -> Result<Health> {
    state.usable_for_a_check(subject)?;
    match state.active.as_str() {
        "active" => Ok(Health::healthy(state.to_string())),
        "reloading" | "refreshing" | "activating" | "deactivating" => Ok(Health::unknown(state.to_string())),
        _ => {
            let report = report()?;
            Ok(Health::unhealthy(match (report.text("Result"), report.text("Type")) {
                ("success", "oneshot") => {
                    format!("{state}, its work is done; RemainAfterExit=yes keeps such a unit active")
                }
                ("" | "success", _) => state.to_string(),
                _ => format!("{state}: {}", report.cause(subject)),
            }))
        }
    }
}
