//! `pm plan`: what the next round of the daemon would begin and what it would hold, without doing any of it.

use crate::cli::arguments::{Format, FormatOptions, Global};
use crate::cli::compose::{Context, Picture};
use crate::cli::table::table;
use crate::cli::{Failure, Terminal, json};
use crate::policy::decide::{Examiner, decide};
use crate::policy::hold::counted;
use crate::policy::model::{Alarm, Cause, Hold, Intake, Job, Name, Plan, Trial, Verify};
use crate::policy::sentence::lasting;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) fn plan(
    global: &Global,
    options: &FormatOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let picture = context.picture()?;
    let plan = decide(&picture.view(Intake::Open), &picture.state, picture.now);
    match (options.format, &picture.database) {
        (Format::Text, Ok(())) => text(&plan, &picture, terminal)?,
        (Format::Json, Ok(())) => json::write(&as_json(&plan, &picture), terminal.out)?,
        // Without the alarms there is no plan; none at all must not look like nothing to do.
        (Format::Text, Err(_)) => writeln!(
            terminal.out,
            "What the next round would do is not known: the database does not answer, so nobody sees an alarm."
        )?,
        (Format::Json, Err(error)) => {
            let unknown =
                json!({"begin": null, "hold": null, "daemon_pid": picture.daemon, "database_error": error});
            json::write(&unknown, terminal.out)?;
        }
    }
    match picture.database {
        Ok(()) => Ok(()),
        Err(error) => Err(Failure::Database(error)),
    }
}

fn text(plan: &Plan, picture: &Picture, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let out = &mut *terminal.out;
    let count = |length: usize, what: &str| counted(u32::try_from(length).unwrap_or(u32::MAX), what);
    let held = plan.held.len() + plan.due_held.len();
    writeln!(
        out,
        "The next round would begin {} and hold {}.",
        count(plan.start.len(), "job"),
        count(held, "alarm")
    )?;
    let view = picture.view(Intake::Open);
    let examiner = Examiner::new(&view, &picture.state, picture.now);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (place, job) in (1..).zip(&plan.start) {
        let what = format!("{place}. {}", what(job));
        rows.push(vec!["begin".to_owned(), job.name.to_string(), examiner.wave(&job.name).to_string(), what]);
    }
    let mut hold = |name: &Name, shown: String, hold: &Hold| {
        let wave = examiner.wave(name).to_string();
        let why = format!("{}: {}", hold.word(), hold.sentence(picture.now));
        rows.push(vec!["hold".to_owned(), shown, wave, why]);
    };
    let mut rows_of: BTreeMap<&Name, u32> = BTreeMap::new();
    for alarm in &picture.alarms {
        *rows_of.entry(&alarm.name).or_default() += 1;
    }
    for (index, reason) in &plan.held {
        let Alarm { name, row, .. } = &picture.alarms[*index];
        // Two rows of one name are told apart.
        let several = rows_of.get(name).is_some_and(|count| *count > 1);
        let shown = if several { format!("{name} (row {})", row.0) } else { name.to_string() };
        hold(name, shown, reason);
    }
    for (name, reason) in &plan.due_held {
        hold(name, name.to_string(), reason);
    }
    if !rows.is_empty() {
        write!(out, "\n{}", table(&["", "PROCESS", "WAVE", "WHAT AND WHY"], rows))?;
    }
    if let Some(at) = plan.wake_at {
        let left = lasting(at.since(picture.now.boot));
        writeln!(out, "\nThe next of these reasons ends by itself in {left}.")?;
    }
    if picture.daemon.is_none() {
        writeln!(out, "\nThe daemon is not running: nothing happens until it is started (pm run).")?;
    }
    Ok(())
}

fn what(job: &Job) -> String {
    let how = match job.verify {
        Verify::Only => "only look whether it is healthy",
        Verify::First => "look first, restart when it is not healthy",
        Verify::Patiently => "wait for it to recover with what it depends on, restart when it does not",
        Verify::AfterOnly => "restart, then verify",
    };
    let trial = if job.trial == Trial::Probe { "; the one trial of a half-open breaker" } else { "" };
    let cause = match &job.cause {
        Cause::Dependency(name) => format!("; because {name} was restarted"),
        Cause::MassAlarm => "; because so many are in alarm at once".to_owned(),
        Cause::Alarm | Cause::Operator => String::new(),
    };
    format!("{how}{trial}{cause}")
}

fn as_json(plan: &Plan, picture: &Picture) -> Value {
    let verify = |job: &Job| match job.verify {
        Verify::Only => "only-look",
        Verify::First => "look-first",
        Verify::Patiently => "look-patiently",
        Verify::AfterOnly => "restart",
    };
    let begin: Vec<_> = plan
        .start
        .iter()
        .map(|job| {
            json!({
                "name": job.name.as_str(),
                "rows": job.alarms.iter().map(|alarm| alarm.row.0).collect::<Vec<_>>(),
                "how": verify(job),
                "trial": job.trial == Trial::Probe,
                "checks": job.chain.iter().map(|(check, saw)| json!({"check": check.word(), "saw": saw})).collect::<Vec<_>>(),
            })
        })
        .collect();
    let held = plan.held.iter().map(|(index, hold)| {
        let alarm = &picture.alarms[*index];
        (alarm.name.as_str(), Some(alarm.row.0), hold)
    });
    let due = plan.due_held.iter().map(|(name, hold)| (name.as_str(), None, hold));
    let hold: Vec<_> = held
        .chain(due)
        .map(|(name, row, hold)| json!({"name": name, "row": row, "hold": hold.word(), "why": hold.sentence(picture.now)}))
        .collect();
    json!({"begin": begin, "hold": hold, "daemon_pid": picture.daemon, "database_error": null})
}
