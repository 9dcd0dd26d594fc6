//! Restart control by the built daemon on the embedded database, with real processes: each rule once, from the alarm
//! to the sentence that an operator reads.
//!
//! A test writes the keys that its rule needs, with short times. It asserts what happened, how often and in which
//! order, and never that something was fast: times are compared from below only.

mod backoff;
mod breaker;
mod by_hand;
mod crash;
mod criticality;
mod dependencies;
mod driver;
mod explain;
mod groups;
mod ladder;
mod maintenance;
mod mass;
mod observe;
mod overrides;
mod storm;

use crate::daemon::{World, custom, kill, running};
use pm_tests::sandbox::answer;
use serde_json::Value;
use std::process::Command;

/// A process that is always restarted at once, so that [`World::round`] can be asked for; see there.
const MARKER: &str = "[process.marker]\nrestart_strategy = custom\nrestart_command = true\nstable_time = 0\n\
                      backoff = 0\nmax_restart_failures = 1000\n\n";

/// The embedded database, polled ten times a second, with these keys of `[monitor]` and these other sections.
fn config(monitor: &str, sections: &str) -> String {
    format!(
        "[database]\nengine = sqlite\npath = @DIR@/alarms.db\n\n[monitor]\ncheck_interval = 0.1\n\
         state_dir = @DIR@/state\n{monitor}\n\n[logging]\nfile = @DIR@/pm.log\nsyslog = no\n\n{MARKER}{sections}"
    )
}

/// A world with [`config`].
fn world(monitor: &str, sections: &str) -> World {
    World::of(&config(monitor, sections))
}

/// A section for the program `name` in the folder, which is found and started as a real process.
fn real(name: &str, keys: &str) -> String {
    format!(
        "[process.{name}]\nrestart_strategy = process\nexecutable = @DIR@/{name}\nstart_command = @DIR@/{name}\n\
         health_check = process\nhealth_check_timeout = 0.2\nstart_grace = 50ms\nrestart_delay = 0.01\n{keys}\n\n"
    )
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The attempts of a process as `pm history` tells them, oldest first.
fn history(world: &World, name: &str) -> Vec<Value> {
    let all = json(&world.ok(&["history", name, "--format", "json"]));
    all.as_array().unwrap().iter().rev().cloned().collect()
}

/// What `pm status` says of a process.
fn status(world: &World, name: &str) -> Value {
    pm_tests::commands::status(&**world, name)
}

/// The milliseconds between the end of each attempt and the beginning of the next one. An end is noted a moment after it
/// was judged, so what is compared with them must be generous.
fn pauses(attempts: &[Value]) -> Vec<i64> {
    let at = |attempt: &Value, key: &str| attempt[key].as_i64().unwrap_or_else(|| panic!("{attempt:#}"));
    attempts.windows(2).map(|pair| at(&pair[1], "began_ms") - at(&pair[0], "ended_ms")).collect()
}

/// Makes real programs with these names, each of which writes its name into `started`, and starts some of them, as
/// their operator has.
fn programs(world: &World, all: &[&str], started: &[&str]) {
    for name in all {
        world.program(name, &format!("echo {name} >> @DIR@/started"));
    }
    for name in started {
        let line = format!("{} >/dev/null 2>&1 &", world.path(name));
        assert_eq!(answer(Command::new("sh").arg("-c").arg(line)).code, 0);
    }
    world.until_count("started", started.len());
}

/// Asserts that texts stand in the log, each behind the one before.
fn in_order(world: &World, texts: &[&str]) {
    let log = world.log();
    let mut from = 0;
    for text in texts {
        let found = log[from..].find(text);
        from += found.unwrap_or_else(|| panic!("no {text:?} behind those before it in\n{log}")) + text.len();
    }
}
