//! `pm demo`: the real daemon on a small stage. Two sample programs, an alarm that becomes a verified restart, and a
//! program that is broken for good until the breaker opens.
//!
//! Nothing is pretended: the daemon is this very program on an embedded database in a temporary folder, the lines
//! shown are its log, and the demo ends with 0 only if process, table and breaker are as they should be.

mod stage;

use crate::cli::arguments::Global;
use crate::cli::{Failure, Terminal};
use stage::Stage;
use std::time::Duration;

/// The demo gives up after this time; it usually takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(18);

pub(crate) fn demo(global: &Global, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut stage = Stage::set(global, PATIENCE)?;
    let out = &mut *terminal.out;
    say(out, "pm demo: an alarm in a table becomes a verified restart")?;
    writeln!(out, "\nTwo sample programs run in {}:", stage.folder().display())?;
    for (name, pid) in stage.programs() {
        writeln!(out, "  {name:<14} pid {pid}")?;
    }
    writeln!(out, "\nThe configuration, {}:\n", stage.config().display())?;
    for line in stage.config_text().lines() {
        writeln!(out, "  {line}")?;
    }
    say(out, "1. The daemon starts")?;
    stage.start_daemon()?;
    stage.follow(out, "Starting Process Monitor Service")?;

    say(out, "2. demo-web is killed, and whoever watches it raises its alarm")?;
    let before = stage.kill("demo-web")?;
    writeln!(out, "  pid {before} killed; UPDATE STATUS_PROCESS SET alarma = 1 ...")?;
    stage.raise("demo-web")?;
    stage.follow(out, "DB UPDATE LOG: Successfully updated")?;
    let took = stage.took();
    let after = stage.running_again("demo-web", before)?;
    let note = stage.cleared("demo-web")?;
    writeln!(out, "\n  It runs again: pid {after}, {took} ms after the alarm.")?;
    writeln!(out, "  The row: alarma = 0, notes = \"{}\"", note.trim())?;

    say(out, "3. demo-worker is broken for good")?;
    stage.sabotage("demo-worker")?;
    let before = stage.kill("demo-worker")?;
    writeln!(out, "  pid {before} killed, and its program now ends at once with status 1.")?;
    stage.raise("demo-worker")?;
    stage.follow(out, "Circuit breaker opened for demo-worker")?;
    let left = stage.breaker_open("demo-worker")?;
    writeln!(out, "\n  The breaker is open: no restart for {left} s, then exactly one trial.")?;

    say(out, "4. What the operator sees")?;
    writeln!(out, "  $ pm why demo-worker\n")?;
    for line in stage.ask(&["why", "demo-worker"])?.lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\n  $ pm status\n")?;
    for line in stage.ask(&["status"])?.lines() {
        writeln!(out, "  {line}")?;
    }
    stage.stop_daemon()?;
    say(out, "All of it really happened. Try next:")?;
    let pm =
        std::env::args_os().next().map_or_else(|| "pm".into(), |word| word.to_string_lossy().into_owned());
    writeln!(out, "  {pm} plugins list            the strategies and checks there are")?;
    writeln!(out, "  {pm} plugins info process    every setting of one of them")?;
    writeln!(out, "  {pm} check --config FILE     what your own configuration means")?;
    Ok(())
}

fn say(out: &mut dyn std::io::Write, title: &str) -> Result<(), Failure> {
    Ok(writeln!(out, "\n{title}\n{}", "-".repeat(title.chars().count()))?)
}
