//! The commands of the built program as operators and scripts use them: words, exit codes, widths, silence.

mod alarm;
mod check;
mod doctor;
mod help;
mod history;
mod maintenance;
mod overrides;
mod restart;
mod status;
mod tables;

use pm_tests::sandbox::{Answer, Sandbox, answer, built};
use std::path::Path;
use std::process::Command;

/// pm without a configuration, in a folder of its own.
fn bare(words: &[&str], folder: &Path) -> Answer {
    let mut command = Command::new(built().join("pm"));
    command.args(words).current_dir(folder);
    for key in ["PM_CONFIG", "CONFIG_FILE", "PM_DATABASE_PASSWORD", "COLUMNS"] {
        command.env_remove(key);
    }
    answer(&mut command)
}

/// No line is longer than `most` characters.
fn fits(text: &str, most: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= most, "longer than {most} columns: {line}\n{text}");
    }
}

/// A process with a custom command.
fn custom(name: &str, keys: &str) -> String {
    format!("[process.{name}]\nrestart_strategy = custom\n{keys}\n\n")
}

/// Some processes in a table, none of them in alarm, and no daemon.
fn shop() -> Sandbox {
    let sections = custom("web", "restart_command = true\nhealth_check_command = true")
        + &custom("db", "restart_command = false\nmax_attempts = 1\nmax_restart_failures = 1")
        + &custom("mail", "restart_command = true");
    let sandbox = Sandbox::sqlite(&sections);
    sandbox.ok(&["alarm", "add", "web", "db", "mail", "stranger"]);
    sandbox
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
