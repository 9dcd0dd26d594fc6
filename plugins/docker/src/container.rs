//! A container as the daemon describes it, and what pm reads out of that: does it run, since when, is it healthy.
//!
//! Pure: no socket, no clock. Texts of the daemon and of health checks are cut and put on one line before they go
//! anywhere.

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as Status, Health as Probes,
    HealthStatusEnum as ProbeStatus,
};
use pm_plugin_api::Health;
use std::fmt;

const LONGEST_TEXT: usize = 300;

/// The parts of a container's description that pm uses.
#[derive(Debug)]
pub(crate) struct Container {
    /// All 64 digits.
    pub(crate) id: String,
    /// Without the leading slash of the interface.
    pub(crate) name: String,
    /// What it does at the moment.
    pub(crate) phase: Phase,
    /// How often the daemon has started it again by itself.
    pub(crate) restarts: Option<i64>,
    pub(crate) state: ContainerState,
}

/// What a container does, as far as a restart cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its program runs.
    Running,
    /// Its program is frozen.
    Paused,
    /// It ended and the daemon waits before it starts it again.
    Restarting,
    /// Never started, or ended; it can be started.
    Stopped,
    /// It is being removed, or its removal failed; it cannot be started.
    Gone,
}

impl Container {
    /// From the daemon's answer; a description without id or state is none.
    pub(crate) fn from_answer(answer: ContainerInspectResponse) -> Option<Self> {
        let (id, state) = (answer.id?, answer.state?);
        let name = answer.name.unwrap_or_default().trim_start_matches('/').to_owned();
        let phase = match state.status? {
            Status::RUNNING | Status::STOPPING => Phase::Running,
            Status::PAUSED => Phase::Paused,
            Status::RESTARTING => Phase::Restarting,
            Status::CREATED | Status::EXITED | Status::EMPTY => Phase::Stopped,
            Status::REMOVING | Status::DEAD => Phase::Gone,
        };
        Some(Self { id, name, phase, restarts: answer.restart_count, state })
    }

    /// Changes with every start; none when it does not run.
    pub(crate) fn identity(&self) -> Option<String> {
        let started_at = self.state.started_at.as_deref().unwrap_or_default();
        matches!(self.phase, Phase::Running | Phase::Paused).then(|| format!("{}@{started_at}", self.id))
    }

    /// What its own health check says when it has one; else whether it runs.
    pub(crate) fn health(&self) -> Health {
        match (self.phase, &self.state.health) {
            (Phase::Running, Some(probes)) => probed(probes),
            (Phase::Running, None) => running_without_check(),
            (Phase::Paused, _) => Health::unhealthy("paused"),
            (Phase::Restarting, _) => Health::unhealthy(format!("restarting after {}", self.end())),
            (Phase::Stopped, _) if self.was_never_started() => {
                Health::unhealthy(format!("created but never started{}", self.complaint()))
            }
            (Phase::Stopped, _) => Health::unhealthy(self.end()),
            (Phase::Gone, _) => Health::unhealthy("being removed, or its removal failed"),
        }
    }

    fn was_never_started(&self) -> bool {
        self.state.status == Some(Status::CREATED)
    }

    /// `exited with code 137, out of memory: …`
    fn end(&self) -> String {
        let code =
            self.state.exit_code.map_or_else(|| "an unknown code".to_owned(), |code| format!("code {code}"));
        let memory = if self.state.oom_killed == Some(true) { ", killed for lack of memory" } else { "" };
        format!("exited with {code}{memory}{}", self.complaint())
    }

    fn complaint(&self) -> String {
        match self.state.error.as_deref().map(one_line) {
            Some(text) if !text.is_empty() => format!(": {text}"),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Container {
    /// `"web" (c1d28a34baed)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.id.chars().take(12).collect();
        write!(f, "{:?} ({short})", self.name)
    }
}

fn running_without_check() -> Health {
    Health::healthy("running (the container has no health check of its own)")
}

fn probed(probes: &Probes) -> Health {
    let streak = probes.failing_streak.unwrap_or_default();
    match probes.status {
        Some(ProbeStatus::HEALTHY) => Health::healthy("running, its own health check says healthy"),
        Some(ProbeStatus::STARTING) => {
            Health::unknown(format!("its own health check has not decided yet{}", last_answer(probes)))
        }
        Some(ProbeStatus::UNHEALTHY) => Health::unhealthy(format!(
            "its own health check failed {streak} times in a row{}",
            last_answer(probes)
        )),
        Some(ProbeStatus::NONE | ProbeStatus::EMPTY) | None => running_without_check(),
    }
}

/// `; last: exit code 1, "connection refused"`
fn last_answer(probes: &Probes) -> String {
    let Some(last) = probes.log.as_ref().and_then(|log| log.last()) else {
        return String::new();
    };
    let output = last.output.as_deref().unwrap_or_default();
    let line = one_line(output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default());
    let code = last.exit_code.unwrap_or_default();
    if line.is_empty() {
        return format!("; last: exit code {code}, no output");
    }
    format!("; last: exit code {code}, {line:?}")
}

/// The text without control characters, on one line, cut to a length for a log.
pub(crate) fn one_line(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let flat: String = text.trim().chars().take(LONGEST_TEXT).map(visible).collect();
    let words: Vec<&str> = flat.split_whitespace().collect();
    let cut = if text.trim().chars().count() > LONGEST_TEXT { "…" } else { "" };
    format!("{}{cut}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::HealthcheckResult;

    fn container(state: ContainerState) -> Container {
        let answer = ContainerInspectResponse {
            id: Some("c1d28a34baed456d".into()),
            name: Some("/web".into()),
            state: Some(state),
            ..Default::default()
        };
        Container::from_answer(answer).unwrap()
    }

    fn in_status(status: Status) -> ContainerState {
        ContainerState {
            status: Some(status),
            started_at: Some("2026-01-02T03:04:05.6Z".into()),
            ..Default::default()
        }
    }

    fn probing(status: ProbeStatus, output: &str) -> ContainerState {
        let last =
            HealthcheckResult { exit_code: Some(1), output: Some(output.into()), ..Default::default() };
        let health = Probes { status: Some(status), failing_streak: Some(4), log: Some(vec![last]) };
        ContainerState { health: Some(health), ..in_status(Status::RUNNING) }
    }

    #[test]
    fn a_container_has_an_identity_while_its_program_exists() {
        let identity = Some("c1d28a34baed456d@2026-01-02T03:04:05.6Z".to_owned());
        for (status, phase, expected) in [
            (Status::RUNNING, Phase::Running, &identity),
            (Status::STOPPING, Phase::Running, &identity),
            (Status::PAUSED, Phase::Paused, &identity),
            (Status::RESTARTING, Phase::Restarting, &None),
            (Status::CREATED, Phase::Stopped, &None),
            (Status::EXITED, Phase::Stopped, &None),
            (Status::REMOVING, Phase::Gone, &None),
            (Status::DEAD, Phase::Gone, &None),
        ] {
            let container = container(in_status(status));
            assert_eq!((container.phase, &container.identity()), (phase, expected), "{status:?}");
        }
    }

    #[test]
    fn the_containers_own_health_check_decides() {
        let health = |state| container(state).health();
        assert_eq!(
            health(probing(ProbeStatus::HEALTHY, "")),
            Health::healthy("running, its own health check says healthy")
        );
        assert_eq!(
            health(probing(ProbeStatus::STARTING, "")),
            Health::unknown("its own health check has not decided yet; last: exit code 1, no output")
        );
        assert_eq!(
            health(probing(ProbeStatus::UNHEALTHY, "first\nconnection\u{1b}[31m refused\n\n")),
            Health::unhealthy(
                "its own health check failed 4 times in a row; last: exit code 1, \"connection [31m refused\""
            )
        );
        let none = Health::healthy("running (the container has no health check of its own)");
        assert_eq!(health(probing(ProbeStatus::NONE, "")), none);
        assert_eq!(health(in_status(Status::RUNNING)), none);
    }

    #[test]
    fn what_does_not_run_is_unhealthy_and_says_why() {
        let unhealthy = |state| match container(state).health() {
            Health::Unhealthy { why } => why,
            other => panic!("{other:?}"),
        };
        let exited = ContainerState {
            exit_code: Some(137),
            oom_killed: Some(true),
            error: Some("shim\ndied".into()),
            ..in_status(Status::EXITED)
        };
        assert_eq!(unhealthy(exited), "exited with code 137, killed for lack of memory: shim died");
        // The verdict of a health check is that of the run before.
        let stale = ContainerState {
            status: Some(Status::EXITED),
            exit_code: Some(0),
            ..probing(ProbeStatus::HEALTHY, "")
        };
        assert_eq!(unhealthy(stale), "exited with code 0");
        let failed = ContainerState { error: Some("no such file".into()), ..in_status(Status::CREATED) };
        assert_eq!(unhealthy(failed), "created but never started: no such file");
        let restarting = ContainerState { exit_code: Some(3), ..in_status(Status::RESTARTING) };
        assert_eq!(unhealthy(restarting), "restarting after exited with code 3");
        assert_eq!(unhealthy(in_status(Status::PAUSED)), "paused");
    }

    #[test]
    fn foreign_texts_are_cut_to_one_line() {
        assert_eq!(one_line(" a\r\n\tb\0c "), "a b c");
        let long = one_line(&"é".repeat(LONGEST_TEXT + 1));
        assert_eq!(long.chars().count(), LONGEST_TEXT + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn an_answer_without_id_or_state_is_no_container() {
        assert!(Container::from_answer(ContainerInspectResponse::default()).is_none());
    }
}
