//! The strategy "custom" and the check "command": the operator's own command lines.
//!
//! Each runs in a `bash -c` of its own (or `sh`, or without a shell when it is nothing but plain words), in its own
//! process group, without input, within the time that pm waits. The output of a restart goes to the log; that of a check
//! only when it fails. Names are put into the lines by `pm_plugin_api::command::substitute` and in no other way.

#![forbid(unsafe_code)]

mod check;
mod restart;
mod source;

use check::Command;
use pm_plugin_api::command::{Finished, Leftovers, Limits, prepare, run};
use pm_plugin_api::{Error, ErrorKind, Result, Target};
use restart::Custom;
use std::io;

pm_plugin_api::export! {
    strategy "custom" => Custom,
    check "command" => Command,
}

/// Runs a line for `target`; `key` is where the line came from, `leftovers` what becomes of what it leaves behind.
fn run_line(key: &str, line: &str, leftovers: Leftovers, target: &Target) -> Result<Finished> {
    let mut command = prepare(line, &target.working_directory, &target.environment);
    run(&mut command, &Limits { leftovers, ..Limits::within(target.timeout()) })
        .map_err(|error| Error::new(kind_of(&error), format!("{key}: {error}")))
}

/// A line that cannot be run is a mistake in the file, or the host is short of something; neither is the target's fault.
fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::ArgumentListTooLong => ErrorKind::Config,
        io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        _ => ErrorKind::Unavailable,
    }
}
