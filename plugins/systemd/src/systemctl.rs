//! The way to systemd where there is no bus: the program `systemctl`, which reaches systemd's own socket.
//!
//! It takes several processes where the bus takes a few messages, and tells the result of a job only as its exit
//! status, so it comes second. Arguments of `systemctl` are patterns: only names that have passed
//! [`names`](crate::names) get here, and they stand behind `--`.

use crate::answer::{self, Report};
use crate::driver::{Driver, Ended};
use crate::scope::{self, Scope};
use crate::state::{Step, Subject, UnitState};
use pm_plugin_api::command::{self, End, Finished, Limits};
use pm_plugin_api::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// One call's use of the program.
pub(crate) struct Systemctl {
    program: PathBuf,
    scope: Scope,
    deadline: Instant,
}

impl Systemctl {
    /// None when there is no such program in `PATH`.
    pub(crate) fn find(scope: Scope, deadline: Instant) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let program = command::find_program("systemctl", &path)?;
        Some(Self { program, scope, deadline })
    }

    fn call(&self, options: &[&str], subject: &Subject) -> Result<Finished> {
        let mut command = Command::new(&self.program);
        // Nothing of pm's own environment, which may hold a password, is any of its business.
        command.env_clear().env("LC_ALL", "C");
        if self.scope == Scope::User {
            command.arg("--user").env("XDG_RUNTIME_DIR", scope::runtime_dir());
            command.envs(
                std::env::var_os("DBUS_SESSION_BUS_ADDRESS").map(|at| ("DBUS_SESSION_BUS_ADDRESS", at)),
            );
        }
        command.args(["--no-ask-password", "--no-pager"]).args(options).arg("--").arg(subject.unit.as_str());
        let left = self.deadline.saturating_duration_since(Instant::now());
        command::run(&mut command, &Limits::within(left))
            .map_err(|error| Error::unavailable(format!("cannot ask systemd for {subject}: {error}")))
    }

    fn show(&self, subject: &Subject, names: &[&str]) -> Result<BTreeMap<String, String>> {
        let finished = self.call(&["show", &format!("--property={}", names.join(","))], subject)?;
        if !finished.success() {
            return Err(failure(subject, "look at", &finished));
        }
        Ok(properties(&finished.output))
    }
}

impl Driver for Systemctl {
    fn look(&mut self, subject: &Subject) -> Result<UnitState> {
        self.invocation(subject)
    }

    fn invocation(&mut self, subject: &Subject) -> Result<UnitState> {
        let mut shown =
            self.show(subject, &["Id", "LoadState", "ActiveState", "SubState", "InvocationID"])?;
        let mut take = |key: &str| shown.remove(key).unwrap_or_default();
        Ok(UnitState {
            id: take("Id"),
            load: take("LoadState"),
            active: take("ActiveState"),
            sub: take("SubState"),
            job: None,
            invocation: Some(take("InvocationID")).filter(|id| !id.is_empty()),
        })
    }

    fn run(&mut self, subject: &Subject, step: Step) -> Result<Ended> {
        let finished = self.call(&[step.verb()], subject)?;
        match result(&finished) {
            Some(result) => Ok(Ended::Result(result.to_owned())),
            None => Err(failure(subject, step.verb(), &finished)),
        }
    }

    fn properties(&mut self, subject: &Subject, names: &[&str]) -> Result<Report> {
        self.show(subject, names).map(Report)
    }

    fn reset_failed(&mut self, subject: &Subject) -> Result<()> {
        let finished = self.call(&["reset-failed"], subject)?;
        if finished.success() { Ok(()) } else { Err(failure(subject, "reset-failed", &finished)) }
    }
}

/// The lines `KEY=VALUE` of `systemctl show`.
fn properties(output: &str) -> BTreeMap<String, String> {
    output
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The result of the job by the words of `systemctl` (in the locale C); none when no job was made.
fn result(finished: &Finished) -> Option<&'static str> {
    const WORDS: [(&str, &str); 5] = [
        ("A dependency job for ", "dependency"),
        (" canceled.", "canceled"),
        (" timed out.", "timeout"),
        ("Assertion failed on job for ", "assert"),
        ("Job for ", "failed"),
    ];
    if finished.success() {
        return Some("done");
    }
    WORDS.iter().find(|(words, _)| finished.output.contains(words)).map(|(_, result)| *result)
}

/// The error when `systemctl` could not even make a job.
fn failure(subject: &Subject, verb: &str, finished: &Finished) -> Error {
    const NAMES: [(&str, &str); 6] = [
        ("Access denied", "AccessDenied"),
        ("nteractive authentication required", "InteractiveAuthorizationRequired"),
        (" not found.", "NoSuchUnit"),
        (" is masked.", "UnitMasked"),
        ("may be requested by dependency only", "OnlyByDependency"),
        (" is destructive ", "TransactionIsDestructive"),
    ];
    let said = command::last_line(&finished.output).unwrap_or_else(|| finished.describe());
    if let End::TimedOut { .. } = finished.end {
        return Error::timeout(format!(
            "cannot {verb} {subject}: systemctl {}; systemd may go on with it",
            finished.describe()
        ));
    }
    if finished.output.contains("Failed to connect to bus") {
        return Error::unavailable(format!(
            "cannot {verb} {subject}: {said}; without a bus only root reaches systemd: see systemctl status dbus"
        ));
    }
    let known = NAMES.iter().find_map(|(words, name)| {
        Some((name, command::lines(&finished.output).find(|line| line.contains(words))?))
    });
    match known {
        Some((name, line)) => {
            answer::refused(subject, verb, &format!("org.freedesktop.systemd1.{name}"), &line)
        }
        None => Error::failed(format!("cannot {verb} {subject}: systemctl {}", finished.explain())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Unit;
    use pm_plugin_api::ErrorKind;
    use std::time::Duration;

    fn finished(status: i32, output: &str) -> Finished {
        Finished { end: End::Exited(status), output: output.to_owned(), dropped: 0, took: Duration::ZERO }
    }

    fn web() -> Subject {
        Subject { unit: Unit::named("web").unwrap(), scope: Scope::System }
    }

    #[test]
    fn the_result_of_the_job_is_in_the_words() {
        for (status, output, job) in [
            (0, "", Some("done")),
            (0, "Warning: The unit file of web.service changed on disk.\n", Some("done")),
            (
                1,
                "Job for web.service failed because the control process exited with error code.\nSee \"systemctl\".\n",
                Some("failed"),
            ),
            (
                1,
                "A dependency job for web.service failed. See 'journalctl -xe' for details.\n",
                Some("dependency"),
            ),
            (1, "Job for web.service canceled.\n", Some("canceled")),
            (1, "Assertion failed on job for web.service.\n", Some("assert")),
            (1, "Job for web.service timed out.\n", Some("timeout")),
            (5, "Failed to restart web.service: Unit web.service not found.\n", None),
        ] {
            assert_eq!(result(&finished(status, output)), job, "{output}");
        }
    }

    #[test]
    fn refusals_are_those_of_the_bus() {
        for (output, kind, part) in [
            (
                "Failed to start web.service: Unit web.service not found.",
                ErrorKind::NotFound,
                "there is no unit",
            ),
            (
                "Failed to start web.service: Unit web.service is masked.",
                ErrorKind::Config,
                "unmask web.service",
            ),
            (
                "Failed to start web.service: Operation refused, unit web.service may be requested by dependency only \
                 (x).\nSee system logs.",
                ErrorKind::Config,
                "dependency only (x); restart the unit that pulls it in",
            ),
            ("Failed to start web.service: Access denied", ErrorKind::Permission, "verb start"),
            (
                "Failed to start web.service: Interactive authentication required.\nSee logs.",
                ErrorKind::Permission,
                "polkit",
            ),
            (
                "Failed to start web.service: Transaction for web.service/start is destructive (a has 'stop').",
                ErrorKind::Unavailable,
                "going down",
            ),
            (
                "Failed to connect to bus: Connection refused",
                ErrorKind::Unavailable,
                "only root reaches systemd",
            ),
            ("Something else", ErrorKind::Failed, "systemctl exited with status 1: Something else"),
            ("", ErrorKind::Failed, "systemctl exited with status 1"),
        ] {
            let error = failure(&web(), "start", &finished(1, output));
            assert_eq!(error.kind, kind, "{output}: {error}");
            assert!(error.message.contains(part), "{output}: {error}");
        }
    }

    #[test]
    fn values_keep_their_equals_signs() {
        let shown = properties("Id=web.service\nResult=exit-code\n\nDescription=a=b\nno pair\n");
        assert_eq!(shown["Description"], "a=b");
        assert_eq!((shown.len(), shown["Id"].as_str()), (3, "web.service"));
    }

    /// A program in place of `systemctl` that writes down how it was called.
    fn stand_in(script: &str, millis: u64) -> (tempfile::TempDir, Systemctl) {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("systemctl");
        let text =
            format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >>'{}/args'\n{script}\n", directory.path().display());
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let deadline = Instant::now() + Duration::from_millis(millis);
        (directory, Systemctl { program, scope: Scope::User, deadline })
    }

    #[test]
    fn the_name_stands_behind_the_options_and_nobody_is_asked_for_a_password() {
        let (directory, mut systemctl) = stand_in("exit 0", 5000);
        let subject = Subject { unit: Unit::named("--now").unwrap(), scope: Scope::User };
        assert_eq!(systemctl.run(&subject, Step::Restart), Ok(Ended::Result("done".to_owned())));
        let args = std::fs::read_to_string(directory.path().join("args")).unwrap();
        assert_eq!(args, "--user\n--no-ask-password\n--no-pager\nrestart\n--\n--now.service\n");
    }

    #[test]
    fn a_hanging_program_is_a_timeout() {
        let (_directory, mut systemctl) = stand_in("sleep 60", 300);
        let began = Instant::now();
        let error = systemctl.run(&web(), Step::Restart).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}
