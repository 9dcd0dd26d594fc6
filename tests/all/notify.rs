//! People are told: by real HTTP and real SMTP, also when a receiver is slow, away or flooded, and never at the expense of
//! a restart.

use pm_tests::sandbox::Sandbox;
use pm_wire::fake::Posted;
use serde_json::Value;
use std::fmt::Write as _;

mod limits;
mod slow;
mod told;
mod verb;

/// So many processes whose restarts fail at once; each is tried once per alarm.
fn failing(names: impl IntoIterator<Item = String>) -> String {
    let mut sections = String::new();
    for name in names {
        write!(sections, "[process.{name}]\nrestart_command = exit 3\nmax_attempts = 1\n\n").unwrap();
    }
    sections
}

/// A receiver at an address of this machine.
fn webhook(name: &str, port: u16, more: &str) -> String {
    format!(
        "[notify.{name}]\nnotifier = webhook\nurl = http://127.0.0.1:{port}/hunter2\nlanguage = en\n{more}\n"
    )
}

fn body(posted: &Posted) -> Value {
    serde_json::from_str(&posted.body).unwrap()
}

/// Whether a notice of this event about this subject is there.
fn is_there(posted: &[Posted], event: &str, subject: &str) -> bool {
    posted.iter().map(body).any(|body| body["event"] == event && body["subject"] == subject)
}

/// Threads of the daemon that deliver notices, and how often each has slept so far.
fn threads(pid: u32) -> Vec<(String, u64)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut all: Vec<(String, u64)> = tasks
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            let field =
                |key: &str| Some(status.lines().find_map(|line| line.strip_prefix(key))?.trim().to_owned());
            Some((field("Name:")?, field("voluntary_ctxt_switches:")?.parse().ok()?))
        })
        .collect();
    all.sort();
    all
}

fn slept(pid: u32, name: &str) -> Option<u64> {
    threads(pid).into_iter().find(|(its, _)| its == name).map(|(_, slept)| slept)
}

/// Gives each a row and puts it into alarm.
fn raise<S: AsRef<str>>(sandbox: &Sandbox, names: &[S]) {
    for word in ["add", "raise"] {
        let words = ["alarm", word].into_iter().chain(names.iter().map(AsRef::as_ref));
        sandbox.ok(&words.collect::<Vec<_>>());
    }
}
