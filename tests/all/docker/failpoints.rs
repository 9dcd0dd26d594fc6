//! pm dies at the points at which only the start time of a container tells whether it was restarted.

use super::Dockerd;
use pm_host::failpoint::Point;
use pm_tests::commands::{raise, status};
use serde_json::json;

#[test]
fn killed_around_the_restart_pm_restarts_a_container_exactly_once() {
    let Some(mut docker) = Dockerd::shared() else { return };
    for point in [Point::ActingNoted, Point::RestartReturned, Point::VerifyingNoted] {
        let name = format!("pmt-dies-{}", point.word());
        docker.run(&name, "echo begun; exec sleep 1000000", json!({}));
        let before = docker.started_at(&name);
        let sections = format!("health_check = docker\n[process.web]\ncontainer = {name}\n");
        let mut sandbox = docker.sandbox(&sections);
        raise(&sandbox, &["web"]);
        sandbox.dies_at(point);
        sandbox.start();
        sandbox.until_cleared("web");
        assert_ne!(docker.started_at(&name), before, "{point:?}");
        let mut curl = std::process::Command::new("curl");
        curl.args(["--silent", "--noproxy", "*", "--output", "-", "--unix-socket"])
            .arg(&docker.docker.socket);
        let output =
            pm_tests::sandbox::answer(curl.arg(format!("http://docker/containers/{name}/logs?stdout=1"))).out;
        assert_eq!(output.matches("begun").count(), 2, "{point:?}: once more\n{}", sandbox.log());
        assert_eq!(status(&sandbox, "web")["last_attempt"]["end"], "restarted", "{point:?}");
        sandbox.kill();
    }
}
