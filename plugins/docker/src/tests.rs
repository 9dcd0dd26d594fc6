//! The strategy and the check against a daemon that answers as told, lies, hangs or goes away.

use crate::check::DockerCheck;
use crate::fake::{FakeDaemon, Reply, described, done, id, listed, section};
use crate::restart::Docker;
use pm_plugin_api::testing::{self, Tested};
use pm_plugin_api::{Error, ErrorKind, Health, Outcome, Target};
use std::time::{Duration, Instant};

fn strategy(daemon: &FakeDaemon, more: &[(&str, &str)]) -> Tested {
    testing::strategy::<Docker>(&section(&daemon.socket(), more)).unwrap()
}

fn check(daemon: &FakeDaemon, more: &[(&str, &str)]) -> Tested {
    testing::check::<DockerCheck>(&section(&daemon.socket(), more)).unwrap()
}

fn within(limit_ms: u64) -> Target {
    let mut target = Target::named("web");
    target.timeout_ms = limit_ms;
    target
}

fn restart_error(daemon: &FakeDaemon) -> Error {
    strategy(daemon, &[]).restart(&within(2_000)).unwrap_err()
}

fn web(status: &str) -> (&'static str, Reply) {
    ("GET /containers/web/json", described("abc", "web", status))
}

fn request(verb: &str, begin_of_id: &str, action: &str) -> String {
    format!("{verb} /containers/{}/{action}", id(begin_of_id))
}

#[test]
fn what_runs_is_restarted_by_its_id_with_the_stop_timeout() {
    for status in ["running", "restarting"] {
        let restart = request("POST", "abc", "restart");
        let daemon = FakeDaemon::answering([web(status), (&restart, done())]);
        let outcome = strategy(&daemon, &[("stop_timeout", "2500ms")]).restart(&within(5_000)).unwrap();
        assert_eq!(outcome, Outcome::restarted("container \"web\" (abc000000000)"), "{status}");
        // No version in the path: the daemon's own is right for every daemon.
        assert_eq!(daemon.requests(), ["GET /containers/web/json".to_owned(), format!("{restart}?t=3")]);
    }
}

#[test]
fn what_is_paused_is_woken_before_it_is_told_to_stop() {
    let (unpause, restart) = (request("POST", "abc", "unpause"), request("POST", "abc", "restart"));
    let daemon = FakeDaemon::answering([web("paused"), (&unpause, done()), (&restart, done())]);
    let outcome = strategy(&daemon, &[]).restart(&within(5_000)).unwrap();
    assert_eq!(outcome, Outcome::restarted("container \"web\" (abc000000000)"));
    assert_eq!(daemon.requests()[1..], [unpause, format!("{restart}?t=10")]);
}

#[test]
fn what_does_not_run_is_started() {
    for (status, reply) in [("exited", done()), ("created", Reply::Answer(304, String::new()))] {
        let start = request("POST", "abc", "start");
        let daemon = FakeDaemon::answering([web(status), (&start, reply)]);
        let outcome = strategy(&daemon, &[]).restart(&within(5_000)).unwrap();
        assert_eq!(outcome, Outcome::started("container \"web\" (abc000000000)"), "{status}");
        assert_eq!(daemon.requests()[1], start);
    }
}

#[test]
fn what_is_being_removed_is_left_alone() {
    let daemon = FakeDaemon::answering([web("removing")]);
    let error = restart_error(&daemon);
    assert_eq!(error.kind, ErrorKind::Failed);
    assert!(error.message.contains("is being removed"), "{error}");
    assert_eq!(daemon.requests().len(), 1);
}

#[test]
fn a_missing_container_is_not_found_and_named() {
    let daemon = FakeDaemon::answering([]);
    for error in [
        restart_error(&daemon),
        strategy(&daemon, &[]).identity(&within(2_000)).unwrap_err(),
        check(&daemon, &[]).check(&within(2_000)).unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.starts_with("no container \"web\" at the daemon behind /"), "{error}");
    }
}

#[test]
fn a_container_that_merely_begins_so_is_not_touched() {
    let daemon = FakeDaemon::answering([("GET /containers/a/json", described("abc", "web", "running"))]);
    let error = strategy(&daemon, &[("container", "a")]).restart(&within(2_000)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(daemon.requests().len(), 1, "only looked at");
}

#[test]
fn removed_between_look_and_restart_is_not_found() {
    let error = restart_error(&FakeDaemon::answering([web("running")]));
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "container \"web\" (abc000000000) was removed before restarting it");
}

#[test]
fn the_daemons_refusal_is_told_on_one_line() {
    let restart = request("POST", "abc", "restart");
    let body = r#"{"message":"driver failed:\n\tport is already allocated"}"#;
    for (status, kind) in [
        (400, ErrorKind::Failed),
        (409, ErrorKind::Failed),
        (500, ErrorKind::Failed),
        (503, ErrorKind::Unavailable),
        (403, ErrorKind::Permission),
    ] {
        let daemon =
            FakeDaemon::answering([web("running"), (&restart, Reply::Answer(status, body.to_owned()))]);
        let error = restart_error(&daemon);
        assert_eq!(error.kind, kind, "{status}");
        let expected = format!(
            "restarting container \"web\" (abc000000000): the container daemon answered {status}: driver failed: port \
             is already allocated"
        );
        assert_eq!(error.message, expected);
    }
    // Something else is missing than the container: the image's program, a network.
    let missing = Reply::Answer(404, r#"{"message":"network x not found"}"#.to_owned());
    let error = restart_error(&FakeDaemon::answering([web("running"), (&restart, missing)]));
    assert_eq!(error.kind, ErrorKind::Failed);
}

#[test]
fn a_daemon_that_hangs_or_lies_is_unavailable_and_within_the_limit() {
    let restart = request("POST", "abc", "restart");
    // Once restarted is what the status says; the body of that answer does not matter.
    let restarted = Ok(Outcome::restarted("container \"web\" (abc000000000)"));
    for (reply, at_restart) in [
        (Reply::Silence, Err(ErrorKind::Timeout)),
        (Reply::Half, restarted.clone()),
        (Reply::HangUp, Err(ErrorKind::Interrupted)),
        (Reply::Garbage, Err(ErrorKind::Interrupted)),
        (Reply::Answer(200, "[]".into()), restarted.clone()),
        (Reply::Answer(200, "{}".into()), restarted),
        (Reply::Answer(500, "oops".into()), Err(ErrorKind::Failed)),
    ] {
        let begun = Instant::now();
        let daemon = FakeDaemon::answering([("GET /containers/web/json", reply.clone())]);
        let error = strategy(&daemon, &[]).restart(&within(500)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(error.message.starts_with("looking up container \"web\": "), "{error}");

        let daemon = FakeDaemon::answering([web("running"), (&restart, reply)]);
        let outcome = strategy(&daemon, &[]).restart(&within(500));
        assert_eq!(outcome.map_err(|error| error.kind), at_restart);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[test]
fn nobody_behind_the_socket_and_no_socket_at_all_are_not_the_fault_of_a_container() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let docker = testing::strategy::<Docker>(&section(&path, &[])).unwrap();
    let error = docker.restart(&within(2_000)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("nobody listens at the docker socket"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = docker.restart(&within(2_000)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.starts_with(&format!("no docker socket at {}", path.display())), "{error}");
}

#[test]
fn a_label_means_every_container_that_has_it() {
    let (first, second) = (request("POST", "aaa", "restart"), request("POST", "bbb", "start"));
    let daemon = FakeDaemon::answering([
        ("GET /containers/json", listed(&[("bbb", "web-2"), ("ccc", "web-3"), ("aaa", "web-1")])),
        (&request("GET", "aaa", "json"), described("aaa", "web-1", "running")),
        (&request("GET", "bbb", "json"), described("bbb", "web-2", "exited")),
        (&first, done()),
        (&second, done()),
    ]);
    let docker = strategy(&daemon, &[("label", "app=web")]);
    let outcome = docker.restart(&within(5_000)).unwrap();
    // web-3 was removed meanwhile.
    let detail = "2 containers with label \"app=web\": \"web-1\" (aaa000000000), \"web-2\" (bbb000000000)";
    assert_eq!(outcome, Outcome::restarted(detail));
    let requests = daemon.requests();
    assert!(requests[0].contains("all=true") && requests[0].contains("app%3Dweb"), "{requests:?}");
    let place = |request: &str| requests.iter().position(|seen| seen.starts_with(request)).unwrap();
    assert!(place(&first) < place(&second), "in the order of names: {requests:?}");

    let identity = docker.identity(&within(5_000)).unwrap();
    assert_eq!(identity, Some(format!("{}@2026-01-02T03:04:05Z", id("aaa"))));
    let health = check(&daemon, &[("label", "app=web")]).check(&within(5_000)).unwrap();
    assert_eq!(health, Health::unhealthy("\"web-2\" (bbb000000000) exited with code 3"));
}

#[test]
fn one_failure_does_not_keep_the_others_from_their_turn() {
    let daemon = FakeDaemon::answering([
        ("GET /containers/json", listed(&[("aaa", "web-1"), ("bbb", "web-2")])),
        (&request("GET", "aaa", "json"), described("aaa", "web-1", "running")),
        (&request("GET", "bbb", "json"), described("bbb", "web-2", "running")),
        (&request("POST", "aaa", "restart"), Reply::Answer(500, r#"{"message":"no space left"}"#.into())),
        (&request("POST", "bbb", "restart"), done()),
    ]);
    let error = strategy(&daemon, &[("label", "app")]).restart(&within(5_000)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Failed);
    assert_eq!(
        error.message,
        "1 of 2 containers with label \"app\" came back (\"web-2\" (bbb000000000)), then: restarting container \"web-1\" \
         (aaa000000000): the container daemon answered 500: no space left"
    );
}

#[test]
fn a_label_that_means_none_or_too_many_touches_nothing() {
    let many = [("aaa", "web-1"), ("bbb", "web-2"), ("ccc", "web-3")];
    let daemon = FakeDaemon::answering([("GET /containers/json", listed(&many))]);
    let docker = strategy(&daemon, &[("label", "app"), ("label_limit", "2")]);
    let error = docker.restart(&within(5_000)).unwrap_err();
    assert!(
        error.message.starts_with("3 containers have the label \"app\", more than label_limit = 2"),
        "{error}"
    );
    assert_eq!(daemon.requests().len(), 1);

    let daemon = FakeDaemon::answering([("GET /containers/json", listed(&[]))]);
    for error in [
        strategy(&daemon, &[("label", "app")]).restart(&within(5_000)).unwrap_err(),
        check(&daemon, &[("label", "app")]).check(&within(5_000)).unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
}

#[test]
fn identity_and_health_of_one_container() {
    let daemon = FakeDaemon::answering([web("running")]);
    let identity = strategy(&daemon, &[]).identity(&within(2_000)).unwrap();
    assert_eq!(identity, Some(format!("{}@2026-01-02T03:04:05Z", id("abc"))));
    let health = check(&daemon, &[]).check(&within(2_000)).unwrap();
    assert_eq!(health, Health::healthy("running (the container has no health check of its own)"));

    let daemon = FakeDaemon::answering([web("exited")]);
    assert_eq!(strategy(&daemon, &[]).identity(&within(2_000)), Ok(None));
    assert_eq!(check(&daemon, &[]).check(&within(2_000)), Ok(Health::unhealthy("exited with code 3")));
}
