//! `pm why NAME`: what would happen to an alarm of NAME now, and why. Asks the same `decide` as the daemon.

use crate::cli::arguments::{Format, Global, WhyOptions};
use crate::cli::compose::{Context, Picture};
use crate::cli::{Failure, Terminal};
use crate::policy::decide::{Check, examine};
use crate::policy::model::{Alarm, Configured, Hold, Intake, Name, RowId, Standing, Table, View, printable};
use crate::spec::Spec;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Chain = Vec<(Check, Result<String, Hold>)>;

pub(crate) fn why(global: &Global, options: &WhyOptions, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let name = Name::new(&options.name);
    let picture = context.picture()?;
    let alarm = picture.alarm(&name).unwrap_or_else(|| supposed(&name));
    let (configured, spec) = context.look_up(&name);
    let chain = chain(&context, &picture, &alarm, &configured);
    let in_alarm = picture.alarm(&name).is_some();
    match options.format {
        Format::Text => text(&context, &picture, &alarm, &chain, in_alarm, spec.as_ref(), terminal),
        Format::Json => {
            let value = as_json(&context, &picture, &alarm, &chain, in_alarm, spec.as_ref());
            Ok(writeln!(terminal.out, "{value:#}")?)
        }
    }
}

/// An alarm that nobody has raised.
fn supposed(name: &Name) -> Alarm {
    Alarm { row: RowId(0), name: name.clone(), notes: None, acknowledged: false }
}

fn chain(context: &Context, picture: &Picture, alarm: &Alarm, configured: &Configured) -> Chain {
    let configured = BTreeMap::from([(alarm.name.clone(), configured.clone())]);
    let running = picture.standings.values().filter(|standing: &&Standing| standing.in_flight.is_some()).count();
    let view = View {
        alarms: std::slice::from_ref(alarm),
        configured: &configured,
        standings: &picture.standings,
        limit: context.config.monitor.max_parallel_restarts.into(),
        running,
        table: Table::Writable,
        intake: Intake::Open,
    };
    examine(alarm, &view, context.now())
}

fn text(
    context: &Context,
    picture: &Picture,
    alarm: &Alarm,
    chain: &Chain,
    in_alarm: bool,
    spec: Option<&Spec>,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let out = &mut *terminal.out;
    let now = context.now();
    let which = if in_alarm { "is in alarm; the alarm" } else { "is not in alarm; an alarm now" };
    let verdict = match chain.last() {
        Some((_, Err(hold))) => format!("is held ({})", hold.word()),
        _ => "is acted on".to_owned(),
    };
    writeln!(out, "{} {which} {verdict}.\n", alarm.name)?;
    for (check, result) in chain {
        match result {
            Ok(saw) => writeln!(out, "  ok   {:<13} {saw}", check.word())?,
            Err(hold) => writeln!(out, "  HOLD {:<13} {}", check.word(), hold.sentence(now))?,
        }
    }
    if let (Some(spec), Some((_, Ok(_)))) = (spec, chain.last()) {
        writeln!(out, "\nWhat would be done:")?;
        for line in steps(spec) {
            writeln!(out, "  {line}")?;
        }
    }
    for warning in remarks(picture) {
        writeln!(out, "\n{warning}")?;
    }
    Ok(())
}

/// The procedure in the order in which it would run.
fn steps(spec: &Spec) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(command) = &spec.pre_restart {
        steps.push(format!("run pre_restart_command: {}", printable(command)));
    }
    let chain: Vec<_> = spec.chain.iter().map(|part| part.name.as_str()).collect();
    let times = if spec.max_attempts == 1 { "once".to_owned() } else { format!("up to {} times", spec.max_attempts) };
    steps.push(format!("restart {:?} with {}, {times}", spec.system_name, chain.join(", then ")));
    steps.push(match &spec.check {
        Some(check) => format!("check with {} for up to {} s", check.name, spec.check_timeout.as_secs_f64()),
        None => "no health check is configured: the restart's own result counts".to_owned(),
    });
    steps.push("clear the alarm when that was good; otherwise count a failure".to_owned());
    steps
}

fn remarks(picture: &Picture) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Err(error) = &picture.database {
        remarks.push(format!("The alarm database does not answer, so this is about a supposed alarm. {error}"));
    }
    if picture.daemon.is_none() {
        remarks.push("The daemon is not running: nothing happens until it is started (pm run).".to_owned());
    }
    remarks
}

fn as_json(
    context: &Context,
    picture: &Picture,
    alarm: &Alarm,
    chain: &Chain,
    in_alarm: bool,
    spec: Option<&Spec>,
) -> Value {
    let now = context.now();
    let checks: Vec<_> = chain
        .iter()
        .map(|(check, result)| match result {
            Ok(saw) => json!({"check": check.word(), "passed": true, "saw": saw}),
            Err(hold) => {
                json!({"check": check.word(), "passed": false, "hold": hold.word(), "saw": hold.sentence(now)})
            }
        })
        .collect();
    let held = chain.last().and_then(|(_, result)| result.as_ref().err()).map(Hold::word);
    json!({
        "name": alarm.name.as_str(),
        "in_alarm": in_alarm,
        "verdict": if held.is_some() { "held" } else { "started" },
        "hold": held,
        "checks": checks,
        "steps": spec.map(steps),
        "daemon_pid": picture.daemon,
        "database_error": picture.database.as_ref().err(),
    })
}
