//! What tests ask of pm on its command line, wherever that pm runs.
//!
//! It must not look into pm's files: what cannot be learned here, an operator cannot learn either.

use crate::sandbox::{PATIENCE, Sandbox};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Something that pm's command line can be put to.
pub trait Commands {
    /// Runs a command of pm, which must succeed; answers its output.
    fn say(&self, words: &[&str]) -> String;
    /// What the daemon has said, for the message of a test that failed.
    fn heard(&self) -> String;
}

impl Commands for Sandbox {
    fn say(&self, words: &[&str]) -> String {
        self.ok(words)
    }
    fn heard(&self) -> String {
        self.log() + &self.read("out")
    }
}

/// Adds processes to the table and puts them into alarm.
pub fn raise(pm: &impl Commands, names: &[&str]) {
    pm.say(&[&["alarm", "add"], names].concat());
    pm.say(&[&["alarm", "raise"], names].concat());
}

/// What `pm status` says of a process.
///
/// # Panics
/// When it says nothing of it.
pub fn status(pm: &impl Commands, name: &str) -> Value {
    let all: Value =
        serde_json::from_str(&pm.say(&["status", "--format", "json"])).expect("a status in JSON");
    let found = all["processes"].as_array().into_iter().flatten().find(|process| process["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {all}")).clone()
}

/// Waits until the last attempt of a process has ended so, and answers its detail.
///
/// # Panics
/// When it does not in time.
pub fn until_ended(pm: &impl Commands, name: &str, end: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let last = &status(pm, name)["last_attempt"];
        if last["end"] == end {
            return last["detail"].as_str().unwrap_or_default().to_owned();
        }
        let late = Instant::now() > until;
        assert!(!late, "{name} was to end {end:?}, but the last attempt is {last}\n{}", pm.heard());
        std::thread::sleep(Duration::from_millis(20));
    }
}
