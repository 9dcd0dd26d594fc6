//! pm and a real Docker daemon: containers that it restarts and looks at.
//!
//! A test has containers of its own in the daemon of the run; what freezes or kills the daemon has one for itself. The
//! daemon is spoken to over its socket with `curl`, past the code that is tested.

mod check;
mod evidence;
mod failpoints;
mod faults;
mod restart;

use pm_tests::components::{self, Docker, Private};
use pm_tests::sandbox::{PATIENCE, Sandbox, answer};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// A Docker daemon and the containers that a test has made there; they go when it is dropped.
struct Dockerd {
    docker: Docker,
    containers: Vec<String>,
    private: Option<Private>,
}

/// Runs until somebody ends it, and does that at once.
const RUNS: &str = "exec sleep 1000000";

impl Dockerd {
    /// The daemon of the whole run; `None` when the short run leaves it out.
    fn shared() -> Option<Self> {
        Some(Self { docker: components::docker()?, containers: Vec::new(), private: None })
    }

    /// A daemon of one's own, started now.
    fn private() -> Option<Self> {
        components::docker()?;
        let private = Private::start("docker");
        Some(Self { docker: private.docker().unwrap(), containers: Vec::new(), private: Some(private) })
    }

    /// A request and the answer's body; any answer but 2xx and 304 fails the test.
    fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--max-time", "30"]);
        curl.arg("--unix-socket").arg(&self.docker.socket).args(["--request", method]);
        if let Some(body) = body {
            curl.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
        }
        let done = answer(curl.arg(format!("http://docker{path}")));
        assert_eq!(done.code, 0, "{method} {path}: {done:?}");
        if done.out.trim().is_empty() { Value::Null } else { serde_json::from_str(&done.out).unwrap() }
    }

    /// Creates a container that runs a shell command, with further settings; it is not started.
    fn create(&mut self, name: &str, command: &str, more: Value) -> String {
        let mut body = json!({
            "Image": self.docker.image,
            "Cmd": ["/bin/sh", "-c", command],
            "StopSignal": "SIGKILL",
            "HostConfig": {"NetworkMode": "none"},
        });
        let Value::Object(more) = more else { panic!("{more} is no object") };
        body.as_object_mut().unwrap().extend(more);
        let made = self.api("POST", &format!("/containers/create?name={name}"), Some(&body));
        self.containers.push(name.to_owned());
        made["Id"].as_str().unwrap().to_owned()
    }

    fn start(&self, name: &str) {
        self.api("POST", &format!("/containers/{name}/start"), None);
    }

    /// Creates a container and starts it.
    fn run(&mut self, name: &str, command: &str, more: Value) -> String {
        let id = self.create(name, command, more);
        self.start(name);
        id
    }

    fn remove(&mut self, name: &str) {
        self.api("DELETE", &format!("/containers/{name}?force=true"), None);
        self.containers.retain(|container| container != name);
    }

    fn state(&self, name: &str) -> Value {
        self.api("GET", &format!("/containers/{name}/json"), None)["State"].take()
    }

    fn started_at(&self, name: &str) -> String {
        self.state(name)["StartedAt"].as_str().unwrap().to_owned()
    }

    fn until_state(&self, name: &str, what: &str, so: impl Fn(&Value) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let state = self.state(name);
            if so(&state) {
                return;
            }
            assert!(Instant::now() < until, "waited in vain for {name} to be {what}: {state}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A sandbox whose processes use this daemon; the sections come after `[process.default]`.
    fn sandbox(&self, sections: &str) -> Sandbox {
        Sandbox::sqlite(&format!(
            "[plugin.docker]\nsocket = {}\n[process.default]\nrestart_strategy = docker\nmax_attempts = 1\n\
             max_restart_failures = 1\n{sections}",
            self.docker.socket.display()
        ))
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        if self.private.is_some() {
            return;
        }
        for name in &self.containers {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--noproxy", "*", "--max-time", "30", "--request", "DELETE"]);
            curl.arg("--unix-socket").arg(&self.docker.socket);
            answer(curl.arg(format!("http://docker/containers/{name}?force=true")));
        }
    }
}
