//! The command line: what the operator can ask for, and the one place where the parts of pm are put together.
//!
//! A library function that takes arguments and writers, so that tests call it as the binary does. One file per
//! verb; nothing here decides about restarts. Exit codes are decided in [`failure`] alone.

mod addresses;
mod alarm;
mod arguments;
mod arrange;
mod audit;
mod catalog;
mod check;
mod compose;
mod db;
mod demo;
mod doctor;
mod failure;
mod history;
mod hosts;
mod json;
mod libraries;
mod logs;
mod maintenance;
mod notify;
mod operator;
mod overrides;
mod plan;
mod plugins;
mod restart;
mod run;
mod shell;
mod status;
mod table;
mod who;
mod whom;
mod why;

pub use arguments::{Arguments, Command, Format, Global};
pub use failure::Failure;

use crate::policy::window::Order;
use clap::Parser as _;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::io::Write;

/// What a verb works with.
pub(crate) struct Terminal<'a> {
    /// For results.
    pub(crate) out: &'a mut dyn Write,
    /// For what is not the result and must be seen all the same.
    pub(crate) err: &'a mut dyn Write,
}

/// Runs pm with `arguments` (the program's name first) and answers its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|verb| verb == crate::plugins::WORKER) {
        // Nothing that a worker does not need: it begins in a millisecond, and a restart waits for it.
        return worker(&arguments[2..], err);
    }
    let arguments = arguments::translate(arguments);
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, out, err),
    };
    match dispatch(parsed, &mut Terminal { out, err: &mut *err }) {
        Ok(()) => 0,
        Err(failure) => {
            // An unwritable stderr leaves nobody to tell; the exit code remains.
            let _ = failure.write(err);
            failure.code()
        }
    }
}

/// Runs as a worker of pm; comes back only when it cannot.
fn worker(arguments: &[OsString], err: &mut dyn Write) -> u8 {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let why = crate::plugins::serve(&words);
    let _ = writeln!(err, "pm: {why}");
    Failure::USAGE
}

fn usage(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let text = error.render();
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let _ = if asked { write!(out, "{text}") } else { write!(err, "{text}") };
    if asked { 0 } else { Failure::USAGE }
}

fn dispatch(parsed: Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Arguments { global, command } = parsed;
    match command {
        Command::Run(options) => run::run(&global, options),
        Command::Demo => demo::demo(&global, terminal),
        Command::Check(options) => check::check(&global, &options, terminal),
        Command::Doctor(options) => doctor::doctor(&global, &options, terminal),
        Command::Status(options) => status::status(&global, &options, terminal),
        Command::Hosts(options) => hosts::hosts(&global, &options, terminal),
        Command::Restart(options) => restart::restart(&global, &options, terminal),
        Command::Hold(options) => overrides::give(&global, Order::Hold, &options, terminal),
        Command::Observe(options) => overrides::give(&global, Order::Observe, &options, terminal),
        Command::Bypass(options) => overrides::give(&global, Order::Bypass, &options, terminal),
        Command::Release(options) => overrides::release(&global, &options, terminal),
        Command::Reset(options) => overrides::reset(&global, &options, terminal),
        Command::Audit(options) => audit::audit(&global, &options, terminal),
        Command::Why(options) => why::why(&global, &options, terminal),
        Command::Plan(options) => plan::plan(&global, &options, terminal),
        Command::History(options) => history::history(&global, &options, terminal),
        Command::Plugins(verb) => plugins::plugins(&global, &verb, terminal),
        Command::Alarm(verb) => alarm::alarm(&global, &verb, terminal),
        Command::Db(verb) => db::db(&global, &verb, terminal),
        Command::Maintenance(verb) => maintenance::maintenance(&global, &verb, terminal),
        Command::Notify(verb) => notify::notify(&global, &verb, terminal),
        Command::Completions(options) => shell::completions(&options, terminal),
        Command::Man => shell::man(terminal),
    }
}
