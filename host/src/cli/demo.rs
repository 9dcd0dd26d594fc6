//! `pm demo`: the real daemon on a small stage. Two sample programs, an alarm that becomes a verified restart, a program
//! that is broken until the breaker opens, one that waits for it, and how both come back.
//!
//! Nothing is pretended: the daemon is this very program on an embedded database in a temporary folder, the lines
//! shown are its log, and the demo ends with 0 only if processes, table and breaker are as they should be.

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

    say(out, "3. demo-worker is broken")?;
    stage.sabotage("demo-worker")?;
    let before = stage.kill("demo-worker")?;
    writeln!(out, "  pid {before} killed, and its program now ends at once with status 1.")?;
    stage.raise("demo-worker")?;
    stage.follow(out, "Circuit breaker opened for demo-worker")?;
    let left = stage.breaker_open("demo-worker")?;
    writeln!(out, "\n  The breaker is open: no restart for {left} s, then exactly one trial.")?;
    show(out, &stage, &["why", "demo-worker"])?;

    say(out, "4. demo-web, which depends on demo-worker, is in alarm, too")?;
    let web = stage.running("demo-web")?;
    stage.raise("demo-web")?;
    stage.follow(out, "Not acting on demo-web")?;
    show(out, &stage, &["plan"])?;

    say(out, "5. demo-worker is repaired, and somebody tells pm")?;
    stage.repair("demo-worker")?;
    show(out, &stage, &["reset", "demo-worker", "--why", "repaired"])?;
    writeln!(out)?;
    stage.follow(out, "DB UPDATE LOG: Successfully updated alarm status for process_id: 1")?;
    let after = stage.running_again("demo-worker", before)?;
    stage.cleared("demo-worker")?;
    stage.cleared("demo-web")?;
    if stage.running("demo-web")? != web {
        return Err(Failure::Failed("demo-web was restarted although it was healthy".to_owned()));
    }
    writeln!(out, "\n  The cause came first: demo-worker runs again, pid {after}.")?;
    writeln!(out, "  demo-web was looked at, found healthy and left alone: still pid {web}.")?;

    say(out, "6. What became of it")?;
    show(out, &stage, &["history"])?;
    show(out, &stage, &["status"])?;
    stage.stop_daemon()?;
    say(out, "All of it really happened. Try next:")?;
    let pm =
        std::env::args_os().next().map_or_else(|| "pm".into(), |word| word.to_string_lossy().into_owned());
    writeln!(out, "  {pm} plugins list            the strategies and checks there are")?;
    writeln!(out, "  {pm} plugins info process    every setting of one of them")?;
    writeln!(out, "  {pm} check --config FILE     what your own configuration means")?;
    Ok(())
}

/// What a command answers.
fn show(out: &mut dyn std::io::Write, stage: &Stage, words: &[&str]) -> Result<(), Failure> {
    writeln!(out, "\n  $ pm {}\n", words.join(" "))?;
    for line in stage.ask(words)?.lines() {
        writeln!(out, "{}", format!("  {line}").trim_end())?;
    }
    Ok(())
}

fn say(out: &mut dyn std::io::Write, title: &str) -> Result<(), Failure> {
    Ok(writeln!(out, "\n{title}\n{}", "-".repeat(title.chars().count()))?)
}
