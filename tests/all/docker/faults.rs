//! A Docker daemon that hangs, dies and is not there: no container is blamed, and all are served when it is back.

use super::{Dockerd, RUNS};
use pm_tests::commands::{raise, status, until_ended};
use pm_tests::sandbox::{Sandbox, processes_of};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// The daemon proper, among all that belongs to a directory.
fn dockerd(docker: &Dockerd) -> Pid {
    let place = docker.private.as_ref().unwrap().place().to_string_lossy().into_owned();
    let is_dockerd = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "dockerd\n")
    };
    let found: Vec<_> = processes_of(&place).into_iter().filter(is_dockerd).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    Pid::from_raw(found[0]).unwrap()
}

/// The breaker has counted nothing, and the alarm waits for the driver.
fn not_blamed(sandbox: &Sandbox, name: &str) {
    let breaker = &status(sandbox, name)["breaker"];
    assert_eq!((&breaker["state"], &breaker["failures"]), (&"closed".into(), &0.into()), "{name}");
    assert_eq!(sandbox.row(name)["alarma"], 1, "{name}");
}

#[test]
fn a_daemon_that_hangs_or_dies_is_not_the_fault_of_a_container() {
    let Some(mut docker) = Dockerd::private() else { return };
    docker.run("pmt-frozen", RUNS, json!({}));
    let before = docker.started_at("pmt-frozen");
    let mut sandbox = docker.sandbox(
        "restart_timeout = 2\nevidence_timeout = 0.5\nhealth_check = docker\n[process.frozen]\ncontainer = pmt-frozen\n\
         [process.dead]\ncontainer = pmt-frozen\n",
    );
    sandbox.start();
    let daemon = dockerd(&docker);
    kill_process(daemon, Signal::STOP).unwrap();
    raise(&sandbox, &["frozen"]);
    let detail = until_ended(&sandbox, "frozen", "driver failed");
    kill_process(daemon, Signal::CONT).unwrap();
    assert!(detail.contains("did not answer within") && detail.contains("does it hang?"), "{detail}");
    let last = &status(&sandbox, "frozen")["last_attempt"];
    let took = last["ended_ms"].as_u64().unwrap() - last["began_ms"].as_u64().unwrap();
    assert!((1_000..3_500).contains(&took), "one time limit, not one for each question: {took} ms");
    not_blamed(&sandbox, "frozen");
    assert_eq!(docker.started_at("pmt-frozen"), before);
    sandbox.until_cleared("frozen");
    let last = &status(&sandbox, "frozen")["last_attempt"];
    assert_eq!((&last["end"], &last["attempts"]), (&"restarted".into(), &1.into()));
    assert_ne!(docker.started_at("pmt-frozen"), before);

    kill_process(daemon, Signal::KILL).unwrap();
    raise(&sandbox, &["dead"]);
    let detail = until_ended(&sandbox, "dead", "driver failed");
    assert!(detail.contains("nobody listens at the docker socket"), "{detail}");
    not_blamed(&sandbox, "dead");
    sandbox.until_log("Not acting on dead (ID: 2): ");
}

#[test]
fn without_docker_a_chain_goes_on_and_no_container_is_blamed() {
    let mut sandbox = Sandbox::sqlite(
        "[process.default]\nsocket = @DIR@/no.sock\nmax_restart_failures = 1\n\
         [process.alone]\nrestart_strategy = docker\n\
         [process.chain]\nrestart_strategy = docker, custom\nrestart_command = touch @DIR@/ran\n",
    );
    sandbox.start();
    raise(&sandbox, &["alone"]);
    let detail = until_ended(&sandbox, "alone", "driver failed");
    assert!(detail.contains("no docker socket at ") && detail.contains("is the daemon running?"), "{detail}");
    not_blamed(&sandbox, "alone");
    raise(&sandbox, &["chain"]);
    sandbox.until_cleared("chain");
    assert!(sandbox.dir().join("ran").exists());
}
