//! `pm status`: processes, alarms, breakers and last attempts, from the table and the journal. Reads only, and works
//! whether or not the daemon runs or the database answers.

mod together;

use crate::cli::arguments::{Format, FormatOptions, Global};
use crate::cli::audit::scope_json;
use crate::cli::compose::{Context, Picture};
use crate::cli::table::{local, table};
use crate::cli::whom::group_of;
use crate::cli::{Failure, Terminal, json};
use crate::policy::breaker::{Probe, State};
use crate::policy::model::{End, Name, Standing};
use crate::policy::sentence::lasting;
use crate::policy::time::Now;
use crate::policy::window::{Override, Scope};
use crate::ports::overrides::whom;
use crate::ports::{Attempt, Row};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) fn status(
    global: &Global,
    options: &FormatOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let picture = context.picture()?;
    match options.format {
        Format::Text => text(&context, &picture, terminal)?,
        Format::Json => json::write(&as_json(&context, &picture), terminal.out)?,
    }
    match picture.database {
        Ok(()) => Ok(()),
        Err(error) => Err(Failure::Database(error)),
    }
}

/// Every name that is configured, in the table or remembered.
fn names(context: &Context, picture: &Picture) -> BTreeSet<Name> {
    let configured = context.config.processes.keys().map(|name| Name::new(name));
    let rows = picture.rows.iter().map(|row| row.name.clone());
    configured
        .chain(rows)
        .chain(picture.state.standings.keys().cloned())
        .filter(|name| !name.is_blank())
        .collect()
}

fn text(context: &Context, picture: &Picture, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let out = &mut *terminal.out;
    writeln!(out, "Configuration  {}", context.config.file.display())?;
    let answers = if picture.database.is_ok() { "" } else { " (does not answer)" };
    writeln!(out, "Database       {}{answers}", context.database_name())?;
    if let Some(address) = &picture.address {
        writeln!(out, "Address        {address}")?;
    }
    match picture.daemon {
        Some(pid) => writeln!(out, "Daemon         running, pid {pid}")?,
        None => writeln!(out, "Daemon         not running; start it with: pm run")?,
    }
    let overrides: Vec<_> = in_force(context, picture)
        .into_iter()
        .map(|given| override_row(given, covers_nobody(context, picture, given)))
        .collect();
    if !overrides.is_empty() {
        write!(out, "\n{}", table(&["OVERRIDE", "FOR", "UNTIL", "BY", "WHY"], overrides))?;
    }
    let together = together::rows(picture);
    if !together.is_empty() {
        write!(out, "\n{}", table(&["TOGETHER", "NAME", "STATE"], together))?;
    }
    let rows: Vec<_> = names(context, picture)
        .iter()
        .map(|name| {
            let standing = picture.standing(name);
            let last = picture.last(name).map_or_else(|| "-".to_owned(), last_attempt);
            vec![name.to_string(), alarm(context, picture, name), breaker(&standing, picture.now), last]
        })
        .collect();
    if rows.is_empty() {
        writeln!(out, "\nNo processes: neither a section nor a row in the table.")?;
    } else {
        write!(out, "\n{}", table(&["PROCESS", "ALARM", "BREAKER", "LAST ATTEMPT"], rows))?;
    }
    Ok(())
}

/// What operators have ordered and is not over.
fn in_force<'a>(context: &Context, picture: &'a Picture) -> Vec<&'a Override> {
    let now = context.now().wall;
    picture.overrides.iter().filter(|given| given.is_in_force(now)).collect()
}

/// Why an override covers nobody, if that is so: its process was renamed, its group has lost its members.
fn covers_nobody(context: &Context, picture: &Picture, given: &Override) -> Option<&'static str> {
    match &given.scope {
        Scope::All => None,
        Scope::Group(name) => {
            picture.arrangement.related.members(name).is_empty().then_some("nobody is in it")
        }
        Scope::Process(name) => {
            context.config.process(name.as_str()).is_none().then_some("no such process is configured")
        }
    }
}

fn override_row(given: &Override, nobody: Option<&str>) -> Vec<String> {
    let until = given.until.map_or_else(|| "released".to_owned(), local);
    let whom = whom(&given.scope) + &nobody.map_or_else(String::new, |why| format!(" ({why})"));
    vec![given.order.word().to_owned(), whom, until, given.by.clone(), given.why.clone()]
}

fn alarm(context: &Context, picture: &Picture, name: &Name) -> String {
    let rows: Vec<&Row> = picture.rows.iter().filter(|row| row.name == *name).collect();
    let mut text = if rows.is_empty() {
        if picture.database.is_ok() { "no row".to_owned() } else { "?".to_owned() }
    } else if rows.iter().any(|row| row.alarm == 1 && row.sound == 0) {
        "ALARM".to_owned()
    } else if rows.iter().any(|row| row.alarm == 1) {
        "ticked".to_owned()
    } else {
        "-".to_owned()
    };
    if context.config.process(name.as_str()).is_none() {
        text.push_str(" (not configured)");
    }
    text
}

fn breaker(standing: &Standing, now: Now) -> String {
    let breaker = &standing.breaker;
    match breaker.state {
        _ if standing.in_flight.is_some() => "restarting".to_owned(),
        State::Open { until } if now.boot < until => format!("open, {}", lasting(until.since(now.boot))),
        State::Open { .. } | State::HalfOpen(Probe::Due) => "half-open".to_owned(),
        State::HalfOpen(Probe::Used) => "half-open, on trial".to_owned(),
        State::Closed => {
            // The last one is the one on trial; whether that helps is not known yet.
            let on_trial = standing.trial.is_some();
            let recent = breaker.useless.len().saturating_sub(usize::from(on_trial));
            let trial = if on_trial { ", on trial" } else { "" };
            match recent.max(breaker.failures as usize) {
                0 => format!("closed{trial}"),
                count => format!("closed{trial}, {count} did not help"),
            }
        }
    }
}

fn last_attempt(attempt: &Attempt) -> String {
    match &attempt.ended {
        None if attempt.under_way => format!("{} under way", local(attempt.began)),
        None => format!("{} cut off: pm ended in the middle of it", local(attempt.began)),
        Some((at, end, _, detail)) => format!("{} {}: {detail}", local(*at), word(*end)),
    }
}

/// The word for the end of an attempt.
pub(crate) fn word(end: End) -> &'static str {
    match end {
        End::Restarted => "restarted",
        End::AlreadyHealthy => "healthy",
        End::Unhealthy => "not healthy",
        End::Failed => "failed",
        End::Infrastructure => "driver failed",
        End::HandedOver => "handed over",
        End::Cancelled => "cancelled",
    }
}

fn as_json(context: &Context, picture: &Picture) -> Value {
    let now = picture.now;
    let overrides = in_force(context, picture);
    let processes: Vec<_> = names(context, picture)
        .iter()
        .map(|name| {
            let standing = picture.standing(name);
            let until = match standing.breaker.state {
                State::Open { until } => Some(now.wall_at(until).0),
                State::Closed | State::HalfOpen(_) => None,
            };
            let rows = picture.rows.iter().filter(|row| row.name == *name);
            json!({
                "name": name.as_str(),
                "configured": context.config.process(name.as_str()).is_some(),
                "rows": rows.map(|row| json!({
                    "id": row.row.0, "alarma": row.alarm, "sound": row.sound, "notes": row.notes,
                })).collect::<Vec<_>>(),
                "breaker": {
                    "state": standing.breaker.word(now.boot),
                    "failures": standing.breaker.failures,
                    "level": standing.breaker.level,
                    "did_not_help": standing.breaker.useless.len(),
                    "open_until_ms": until,
                },
                "in_flight": standing.in_flight.is_some(),
                "overrides": overrides
                    .iter()
                    .filter(|given| given.scope.covers(name, group_of(context, name).as_ref()))
                    .map(|given| given.order.word())
                    .collect::<BTreeSet<_>>(),
                "last_attempt": picture.last(name).map(attempt_json),
            })
        })
        .collect();
    let (groups, windows, mass_alarm) = together::as_json(picture);
    json!({
        "configuration": context.config.file,
        "database": {
            "name": context.database_name(),
            "answers": picture.database.is_ok(),
            "error": picture.database.as_ref().err(),
            "address": picture.address,
        },
        "daemon_pid": picture.daemon,
        "overrides": overrides.into_iter().map(|given| {
            let mut shown = override_json(given);
            shown["covers_nobody"] = json!(covers_nobody(context, picture, given));
            shown
        }).collect::<Vec<_>>(),
        "groups": groups,
        "open_windows": windows,
        "mass_alarm": mass_alarm,
        "processes": processes,
    })
}

fn override_json(given: &Override) -> Value {
    json!({
        "order": given.order.word(),
        "scope": scope_json(&given.scope),
        "by": given.by,
        "why": given.why,
        "since_ms": given.since.0,
        "until_ms": given.until.map(|at| at.0),
    })
}

fn attempt_json(attempt: &Attempt) -> Value {
    let ended = attempt.ended.as_ref();
    json!({
        "id": attempt.id.0,
        "strategy": attempt.strategy,
        "began_ms": attempt.began.0,
        "ended_ms": ended.map(|(at, ..)| at.0),
        "end": ended.map(|(_, end, ..)| word(*end)),
        "attempts": ended.map(|(_, _, attempts, _)| attempts),
        "detail": ended.map(|(.., detail)| detail),
    })
}
