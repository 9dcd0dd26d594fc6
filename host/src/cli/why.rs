//! `pm why NAME`: what would happen to an alarm of NAME now, and why. Asks the same `decide` as the daemon.

use crate::cli::arguments::{Format, Global, WhyOptions};
use crate::cli::compose::{Context, Picture};
use crate::cli::{Failure, Terminal, json};
use crate::policy::decide::{Check, examine};
use crate::policy::model::{
    Alarm, Clear, Configured, Handled, Hold, Intake, Name, RowId, Standing, Table, View, printable,
};
use crate::policy::time::{Now, Ticks};
use crate::ports::Row;
use crate::spec::Spec;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is asked about, and what came out.
struct Answer<'a> {
    alarm: Alarm,
    stands: Stands,
    chain: Vec<(Check, Result<String, Hold>)>,
    spec: Option<Spec>,
    picture: &'a Picture,
    now: Now,
}

/// How far the alarm is real.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// The row is in alarm.
    Raised,
    /// The row is not in alarm.
    Supposed,
    /// There is no such row.
    WithoutRow,
    /// The database does not tell.
    Unknown,
}

pub(crate) fn why(global: &Global, options: &WhyOptions, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let name = Name::new(&options.name);
    let picture = context.picture()?;
    let (alarm, stands) = alarm(&picture, &name);
    let (configured, spec) = context.look_up(&name);
    let now = context.now();
    let chain = chain(&context, &picture, &alarm, &configured, now);
    let answer = Answer { alarm, stands, chain, spec, picture: &picture, now };
    match options.format {
        Format::Text => answer.write(terminal)?,
        Format::Json => json::write(&answer.as_json(), terminal.out)?,
    }
    match &picture.database {
        Ok(()) => Ok(()),
        Err(error) => Err(Failure::Database(error.clone())),
    }
}

/// The row that the daemon would act on first; else the row as it would be in alarm; else a row that nobody has.
fn alarm(picture: &Picture, name: &Name) -> (Alarm, Stands) {
    let rows = || picture.rows.iter().filter(|row| row.name == *name);
    let of = |row: &Row| Alarm {
        row: row.row,
        name: row.name.clone(),
        notes: row.notes.clone(),
        acknowledged: row.sound != 0,
    };
    let raised = || rows().filter(|row| row.alarm == 1);
    if let Some(row) = raised().find(|row| row.sound == 0).or_else(|| raised().next()) {
        return (of(row), Stands::Raised);
    }
    if let Some(row) = rows().next() {
        return (of(row), Stands::Supposed);
    }
    let stands = if picture.database.is_ok() { Stands::WithoutRow } else { Stands::Unknown };
    (Alarm { row: RowId(0), name: name.clone(), notes: None, acknowledged: false }, stands)
}

fn chain(
    context: &Context,
    picture: &Picture,
    alarm: &Alarm,
    configured: &Configured,
    now: Now,
) -> Vec<(Check, Result<String, Hold>)> {
    let mut standings = picture.standings.clone();
    if let Some(handled) = handled(picture, alarm, configured, now) {
        standings.entry(alarm.name.clone()).or_default().handled.push(handled);
    }
    let configured = BTreeMap::from([(alarm.name.clone(), configured.clone())]);
    let running = standings.values().filter(|standing: &&Standing| standing.in_flight.is_some()).count();
    let view = View {
        alarms: std::slice::from_ref(alarm),
        configured: &configured,
        standings: &standings,
        limit: context.config.monitor.max_parallel_restarts.into(),
        running,
        table: Table::Writable,
        intake: Intake::Open,
    };
    examine(alarm, &view, now)
}

/// The mark that the daemon has of a row whose clearing waits: the outbox is the memory of both.
fn handled(picture: &Picture, alarm: &Alarm, configured: &Configured, now: Now) -> Option<Handled> {
    let Configured::Yes(rules) = configured else { return None };
    let waits = |clear: &&Clear| clear.row == alarm.row && clear.notes == alarm.notes;
    picture.waiting.iter().find(waits)?;
    let (ended, ..) = picture.last(&alarm.name)?.ended.as_ref()?;
    let ago = u64::try_from(now.wall.0.saturating_sub(ended.0)).unwrap_or_default();
    let recheck = Ticks(now.boot.0.saturating_sub(ago)).after(rules.grace);
    Some(Handled { row: alarm.row, notes: alarm.notes.clone(), recheck })
}

impl Answer<'_> {
    fn held(&self) -> Option<&Hold> {
        self.chain.last().and_then(|(_, result)| result.as_ref().err())
    }

    /// What was seen, where there is a row to see it in.
    fn saw<'a>(&'a self, check: Check, saw: &'a str) -> &'a str {
        match (check, self.stands) {
            (Check::Named, Stands::WithoutRow) => "no row in the table has this name",
            (Check::Named | Check::Unacknowledged, Stands::Unknown) => "not known",
            (Check::Unacknowledged, Stands::WithoutRow) => "a new row has sound = 0",
            _ => saw,
        }
    }

    fn write(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let out = &mut *terminal.out;
        let name = &self.alarm.name;
        let (which, is) = match self.stands {
            Stands::Raised => (format!("{name} is in alarm; the alarm"), "is"),
            Stands::Supposed => (format!("{name} is not in alarm; an alarm now"), "would be"),
            Stands::WithoutRow => (format!("{name} is not in the table; an alarm of it"), "would be"),
            Stands::Unknown => (format!("Whether {name} is in alarm is not known; an alarm now"), "would be"),
        };
        let verdict = match self.held() {
            Some(hold) => format!("held ({})", hold.word()),
            None => "acted on".to_owned(),
        };
        writeln!(out, "{which} {is} {verdict}.\n")?;
        for (check, result) in &self.chain {
            match result {
                Ok(saw) => writeln!(out, "  ok   {:<13} {}", check.word(), self.saw(*check, saw))?,
                Err(hold) => writeln!(out, "  HOLD {:<13} {}", check.word(), hold.sentence(self.now))?,
            }
        }
        if let (Some(spec), None) = (&self.spec, self.held()) {
            writeln!(out, "\nWhat would be done:")?;
            for line in steps(spec) {
                writeln!(out, "  {line}")?;
            }
        }
        for remark in self.remarks() {
            writeln!(out, "\n{remark}")?;
        }
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.stands == Stands::WithoutRow && !self.alarm.name.is_blank() {
            remarks.push(format!("To add it to the table: pm alarm add {}", self.alarm.name));
        }
        if self.picture.daemon.is_none() {
            remarks
                .push("The daemon is not running: nothing happens until it is started (pm run).".to_owned());
        }
        remarks
    }

    fn as_json(&self) -> Value {
        let checks: Vec<_> = self
            .chain
            .iter()
            .map(|(check, result)| match result {
                Ok(saw) => json!({"check": check.word(), "passed": true, "saw": self.saw(*check, saw)}),
                Err(hold) => json!({
                    "check": check.word(), "passed": false, "hold": hold.word(), "saw": hold.sentence(self.now),
                }),
            })
            .collect();
        let row = matches!(self.stands, Stands::Raised | Stands::Supposed).then_some(self.alarm.row.0);
        let held = self.held().map(Hold::word);
        json!({
            "name": self.alarm.name.as_str(),
            "row": row,
            "in_alarm": (self.stands != Stands::Unknown).then_some(self.stands == Stands::Raised),
            "verdict": if held.is_some() { "held" } else { "started" },
            "hold": held,
            "checks": checks,
            "steps": self.spec.as_ref().map(steps),
            "daemon_pid": self.picture.daemon,
            "database_error": self.picture.database.as_ref().err(),
        })
    }
}

/// The procedure in the order in which it would run.
fn steps(spec: &Spec) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(command) = &spec.pre_restart {
        steps.push(format!("run pre_restart_command: {}", printable(command)));
    }
    let chain: Vec<_> = spec.chain.iter().map(|part| part.name.as_str()).collect();
    let times =
        if spec.max_attempts == 1 { "once".to_owned() } else { format!("up to {} times", spec.max_attempts) };
    steps.push(format!("restart {:?} with {}, {times}", spec.system_name, chain.join(", then ")));
    steps.push(match &spec.check {
        Some(check) => format!("check with {} for up to {} s", check.name, spec.check_timeout.as_secs_f64()),
        None => "no health check is configured: the restart's own result counts".to_owned(),
    });
    steps.push("clear the alarm when that was good; otherwise count a failure".to_owned());
    steps
}
