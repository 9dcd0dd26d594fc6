//! The check "docker" through the daemon: the container's own health check, else whether it runs.

use super::{Dockerd, RUNS};
use pm_tests::commands::{raise, until_ended};
use serde_json::{Value, json};

/// A health check of a container, ten times a second.
fn probe(command: &str) -> Value {
    let tenth = 100_000_000;
    json!({"Healthcheck": {"Test": ["CMD-SHELL", command], "Interval": tenth, "Timeout": 10 * tenth, "Retries": 2}})
}

#[test]
fn the_containers_own_health_check_decides() {
    let Some(mut docker) = Dockerd::shared() else { return };
    // Healthy a moment after its second start.
    let heals = "test -e /tmp/ran && { sleep 0.5; touch /tmp/good; }; touch /tmp/ran; exec sleep 1000000";
    docker.run("pmt-heals", heals, probe("test -e /tmp/good"));
    docker.run("pmt-sick", RUNS, probe("echo it is sick; exit 1"));
    docker.run("pmt-undecided", RUNS, probe("sleep 60"));
    docker.run("pmt-plain", RUNS, json!({}));
    docker.until_state("pmt-heals", "unhealthy", |state| state["Health"]["Status"] == "unhealthy");
    let mut sandbox = docker.sandbox(
        "health_check = docker\nhealth_check_timeout = 3\n\
         [process.heals]\ncontainer = pmt-heals\nhealth_check_timeout = 20\n\
         [process.sick]\ncontainer = pmt-sick\n\
         [process.undecided]\ncontainer = pmt-undecided\nhealth_check_timeout = 0.5\n\
         [process.plain]\ncontainer = pmt-plain\n",
    );
    sandbox.start();
    raise(&sandbox, &["heals", "sick", "undecided", "plain"]);
    for (name, end, part) in [
        ("heals", "restarted", "running, its own health check says healthy"),
        ("sick", "failed", "times in a row; last: exit code 1, \"it is sick\""),
        ("undecided", "failed", "not healthy: its own health check has not decided yet"),
        ("plain", "restarted", "running (the container has no health check of its own)"),
    ] {
        let detail = until_ended(&sandbox, name, end);
        assert!(detail.contains(part), "{name}: {detail}");
    }
}
