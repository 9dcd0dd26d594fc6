//! What the daemon says of containers before they are restarted, as facts for people, and their processes.
//!
//! A daemon may count its processes in another namespace than pm (one in a container, or of another user), where the same
//! number means somebody else: a process is named only when its control group is that of the container.

use crate::container::{Container, one_line};
use crate::session::Session;
use pm_plugin_api::{Evidence, Health};

/// So many lines of the end of the output, of all containers together.
const LINES: usize = 20;
/// Each container of a label gets so many at least.
const LEAST_LINES: usize = 3;

/// Looks at containers that were found a moment ago; what they have written is asked for now.
pub(crate) fn look(session: &Session, containers: &[Container]) -> Evidence {
    let mut evidence = Evidence::default();
    let share = (LINES / containers.len().max(1)).max(LEAST_LINES);
    for container in containers {
        evidence = facts(evidence, container);
        if let Some(pid) = container.state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
        {
            if is_of(pid, &container.id) {
                evidence = evidence.pid(pid);
            } else {
                let text = format!("{pid} of the daemon's own namespace, which pm does not see");
                evidence = evidence.fact("main process", text);
            }
        }
        evidence = match session.output(container, share) {
            Ok(lines) if containers.len() == 1 => evidence.lines(lines),
            Ok(lines) => evidence.lines(lines.iter().map(|line| format!("{}: {line}", container.name))),
            Err(error) => evidence.fact("output", format!("not available: {error}")),
        };
    }
    evidence
}

fn facts(evidence: Evidence, container: &Container) -> Evidence {
    let state = &container.state;
    let status = state.status.map(|status| status.to_string());
    let health = match container.health() {
        Health::Healthy { detail } => detail,
        Health::Unhealthy { why } | Health::Unknown { why } => why,
        _ => String::new(),
    };
    let truth = |truth: bool| if truth { "yes" } else { "no" }.to_owned();
    // Docker writes year 1 for "never".
    let moment = |at: &Option<String>| at.as_deref().filter(|at| !at.starts_with("0001-")).map(one_line);
    let mut evidence = evidence.fact("container", container.to_string());
    for (what, known) in [
        ("state", status),
        ("health", Some(health)),
        ("exit code", state.exit_code.map(|code| code.to_string())),
        ("killed for lack of memory", state.oom_killed.map(truth)),
        ("started at", moment(&state.started_at)),
        ("ended at", moment(&state.finished_at)),
        ("restarts by the daemon", container.restarts.map(|count| count.to_string())),
        ("error", state.error.as_deref().map(one_line)),
    ] {
        if let Some(text) = known.filter(|text| !text.is_empty()) {
            evidence = evidence.fact(what, text);
        }
    }
    evidence
}

/// Whether this process of our own namespace belongs to the container.
fn is_of(pid: u32, id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(id))
}

#[cfg(test)]
mod tests {
    use crate::fake::{FakeDaemon, Reply, described, id, listed, section};
    use crate::restart::Docker;
    use pm_plugin_api::{ErrorKind, Evidence, Result, Target, testing};

    fn evidence(daemon: &FakeDaemon, more: &[(&str, &str)]) -> Result<Evidence> {
        let mut target = Target::named("web");
        target.timeout_ms = 2_000;
        testing::strategy::<Docker>(&section(&daemon.socket(), more)).unwrap().evidence(&target)
    }

    fn shown(evidence: &Evidence) -> Vec<String> {
        evidence.facts.iter().map(|(what, text)| format!("{what}: {text}")).collect()
    }

    fn logs(begin_of_id: &str) -> String {
        format!("GET /containers/{}/logs", id(begin_of_id))
    }

    /// As the daemon sends it: the stream, three zeros, the length, the text.
    fn written(text: &str) -> Reply {
        let head = [1, 0, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap()];
        Reply::Answer(200, String::from_utf8(head.to_vec()).unwrap() + text)
    }

    #[test]
    fn a_container_is_told_with_the_end_of_its_output() {
        let state = r#"{"Status":"exited","StartedAt":"2026-01-02T03:04:05Z","FinishedAt":"0001-01-01T00:00:00Z",
            "ExitCode":137,"OOMKilled":true,"Error":"","Pid":0}"#;
        let id = id("abc");
        let body = format!(r#"{{"Id":"{id}","Name":"/web","RestartCount":2,"State":{state}}}"#);
        let logs = logs("abc");
        let daemon = FakeDaemon::answering([
            ("GET /containers/web/json", Reply::Answer(200, body)),
            (&logs, written("2026-01-02T03:04:06Z a\n2026-01-02T03:04:07Z \u{1b}[31mred\n")),
        ]);
        let evidence = evidence(&daemon, &[]).unwrap();
        let expected = [
            "container: \"web\" (abc000000000)",
            "state: exited",
            "health: exited with code 137, killed for lack of memory",
            "exit code: 137",
            "killed for lack of memory: yes",
            "started at: 2026-01-02T03:04:05Z",
            "restarts by the daemon: 2",
        ];
        assert_eq!(shown(&evidence), expected);
        assert_eq!(evidence.log, ["2026-01-02T03:04:06Z a", "2026-01-02T03:04:07Z \\u{1b}[31mred"]);
        assert!(evidence.pids.is_empty());
        assert!(daemon.requests()[1].contains("tail=20"), "{:?}", daemon.requests());
    }

    #[test]
    fn a_process_of_another_namespace_is_not_taken_for_one_of_ours() {
        let state = r#"{"Status":"running","Pid":1}"#;
        let body = format!(r#"{{"Id":"{}","Name":"/web","State":{state}}}"#, id("abc"));
        let daemon = FakeDaemon::answering([("GET /containers/web/json", Reply::Answer(200, body))]);
        let evidence = evidence(&daemon, &[]).unwrap();
        let text = shown(&evidence).join("\n");
        assert!(text.contains("main process: 1 of the daemon's own namespace"), "{text}");
        assert!(text.contains("output: not available: reading the output of \"web\""), "{text}");
        assert!(evidence.pids.is_empty());
    }

    #[test]
    fn all_containers_of_a_label_are_told_and_a_missing_one_is_not_found() {
        let (one, two, log_of_one) = (id("a1"), id("b2"), logs("a1"));
        let (one, two) = (format!("GET /containers/{one}/json"), format!("GET /containers/{two}/json"));
        let daemon = FakeDaemon::answering([
            ("GET /containers/json", listed(&[("a1", "web-1"), ("b2", "web-2")])),
            (&one, described("a1", "web-1", "running")),
            (&two, described("b2", "web-2", "exited")),
            (&log_of_one, written("hello\n")),
        ]);
        let both = evidence(&daemon, &[("label", "app=web")]).unwrap();
        let text = shown(&both).join("\n");
        assert!(text.contains("container: \"web-1\"") && text.contains("container: \"web-2\""), "{text}");
        assert_eq!(both.log, ["web-1: hello"]);
        let error = evidence(&FakeDaemon::answering([]), &[]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
}
