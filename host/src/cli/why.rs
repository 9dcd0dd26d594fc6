//! `pm why NAME`: what would happen to an alarm of NAME now, and why; with `--at`, what happened then. Asks the same
//! checks as the daemon, on the same picture of the world.

mod then;

use crate::cli::arguments::{Format, Global, WhyOptions};
use crate::cli::compose::{Context, Picture, alarm_of};
use crate::cli::whom::{self, Stranger};
use crate::cli::{Failure, Terminal, json};
use crate::policy::breaker::Admission;
use crate::policy::decide::{Check, Examiner};
use crate::policy::model::{Alarm, Hold, Intake, Job, Name, Notice, RowId, Trial, Verify, printable};
use crate::policy::time::Now;
use crate::ports::Row;
use crate::spec::Spec;
use serde_json::{Value, json};

/// What is asked about, and what came out.
struct Answer<'a> {
    alarm: Alarm,
    stands: Stands,
    chain: Vec<(Check, Result<String, Hold>)>,
    /// What the alarm leads to when nothing objects.
    job: Option<Job>,
    spec: Option<Spec>,
    /// Set when nobody of this name is known.
    stranger: Option<Stranger>,
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
    if let Some(at) = &options.at {
        return then::why(&context, &name, at, options.format, terminal);
    }
    let picture = context.picture_with(|rows| supposed(rows, &name))?;
    let (alarm, stands) = alarm(&picture, &name);
    let now = picture.now;
    let view = picture.view(Intake::Open);
    let examiner = Examiner::new(&view, &picture.state, now);
    let (chain, job) = (examiner.chain(&alarm), examiner.job(&alarm));
    let (_, spec) = context.look_up(&name);
    // What is remembered has the name that is only supposed, too; what was attempted has not.
    let known = picture.rows.iter().map(|row| &row.name).chain(picture.attempts.iter().map(|its| &its.name));
    let stranger = whom::stranger(&context, &name, known.cloned()).filter(|_| stands == Stands::WithoutRow);
    let answer = Answer { alarm: alarm.clone(), stands, chain, job, spec, stranger, picture: &picture, now };
    match options.format {
        Format::Text => answer.write(terminal)?,
        Format::Json => json::write(&answer.as_json(), terminal.out)?,
    }
    match &picture.database {
        Ok(()) => Ok(()),
        Err(error) => Err(Failure::Database(error.clone())),
    }
}

/// The alarm to suppose when there is none: of the row as it is, else of a row that nobody has.
fn supposed(rows: &[Row], name: &Name) -> Option<Alarm> {
    let mut its = rows.iter().filter(|row| row.name == *name);
    match its.clone().find(|row| row.alarm == 1) {
        Some(_) => None,
        None => Some(its.next().map_or_else(
            || Alarm { row: RowId(0), name: name.clone(), notes: None, acknowledged: false },
            alarm_of,
        )),
    }
}

/// The row that the daemon would act on first; else the one that was supposed.
fn alarm(picture: &Picture, name: &Name) -> (Alarm, Stands) {
    let rows = || picture.rows.iter().filter(|row| row.name == *name);
    let raised = || rows().filter(|row| row.alarm == 1);
    if let Some(row) = raised().find(|row| row.sound == 0).or_else(|| raised().next()) {
        return (alarm_of(row), Stands::Raised);
    }
    let stands = match (rows().next(), &picture.database) {
        (Some(_), _) => Stands::Supposed,
        (None, Ok(())) => Stands::WithoutRow,
        (None, Err(_)) => Stands::Unknown,
    };
    let alarm = picture.alarms.iter().rev().find(|alarm| alarm.name == *name).cloned();
    let none = Alarm { row: RowId(0), name: name.clone(), notes: None, acknowledged: false };
    (alarm.unwrap_or(none), stands)
}

impl Answer<'_> {
    fn held(&self) -> Option<&Hold> {
        self.chain.iter().find_map(|(_, result)| result.as_ref().err())
    }

    /// The procedure in the order in which it would run; of what is held, as if nothing objected.
    fn steps(&self) -> Option<Vec<String>> {
        let spec = self.spec.as_ref()?;
        let standing = self.picture.standing(&self.alarm.name);
        // Behind an open breaker the next one is its one trial.
        let trial = match standing.breaker.admits(&spec.rules, self.now.boot) {
            Admission::Refused { .. } | Admission::Probe => Trial::Probe,
            Admission::Allowed | Admission::Spent => Trial::No,
        };
        let rung = standing.step(&spec.rules);
        let supposed = Job { rung, ..Job::by_hand(&self.alarm.name, trial) };
        Some(steps(spec, self.job.as_ref().unwrap_or(&supposed)))
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
            None if self.job.as_ref().is_some_and(|job| job.verify == Verify::Only) => {
                "only looked at".to_owned()
            }
            None => "acted on".to_owned(),
        };
        writeln!(out, "{which} {is} {verdict}.\n")?;
        let mut mark = "HOLD";
        for (check, result) in &self.chain {
            match result {
                Ok(saw) => writeln!(out, "  ok   {:<13} {}", check.word(), self.saw(*check, saw))?,
                Err(hold) => {
                    writeln!(out, "  {mark} {:<13} {}", check.word(), hold.sentence(self.now))?;
                    mark = "also";
                }
            }
        }
        if let (Some(steps), None) = (self.steps(), self.held()) {
            writeln!(out, "\nWhat would be done:")?;
            for line in steps {
                writeln!(out, "  {line}")?;
            }
        }
        for remark in self.remarks() {
            writeln!(out, "\n{remark}")?;
        }
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.picture.left_out(|problem| problem.concerns(&self.alarm.name));
        // A slip of the pen must not become a row.
        let slip = self.stranger.as_ref().filter(|stranger| stranger.resembles);
        if let Some(stranger) = slip {
            remarks.push(format!("{}.", stranger.told).replace("?.", "?"));
        } else if self.stands == Stands::WithoutRow && !self.alarm.name.is_blank() {
            remarks.push(format!("To add it to the table: pm alarm add {}", self.alarm.name));
        }
        let ended =
            |notice: &Notice| matches!(notice, Notice::Relapsed { name, .. } if *name == self.alarm.name);
        if self.stands != Stands::Raised && self.picture.notices.iter().any(ended) {
            remarks.push(
                "Its last restart is still on trial: an alarm now would mean that it did not help, and is judged so here.".to_owned(),
            );
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
            "steps": self.steps(),
            "left_out": self.picture.left_out(|problem| problem.concerns(&self.alarm.name)),
            "daemon_pid": self.picture.daemon,
            "database_error": self.picture.database.as_ref().err(),
        })
    }
}

fn steps(spec: &Spec, job: &Job) -> Vec<String> {
    let mut steps = Vec::new();
    let check = spec.check.as_ref().map_or("the check", |check| &check.name);
    match job.verify {
        Verify::Only => return vec![format!("look once with {check}, and restart nothing yet")],
        Verify::First => steps.push(format!(
            "look once with {check}; when it is healthy, clear the alarm and restart nothing"
        )),
        Verify::Patiently => steps.push(format!(
            "look with {check} for up to {} s, because what it depends on has just come back; when it is healthy, clear \
             the alarm and restart nothing",
            spec.check_timeout.as_secs_f64()
        )),
        Verify::AfterOnly => {}
    }
    if let Some(command) = &spec.pre_restart {
        steps.push(format!("run pre_restart_command: {}", printable(command)));
    }
    let rung = usize::try_from(job.rung).unwrap_or_default();
    let chain: Vec<_> = spec.chain.iter().skip(rung).map(|part| part.name.as_str()).collect();
    let times = match (job.trial, spec.max_attempts) {
        (Trial::Probe, _) | (Trial::No, 1) => "once".to_owned(),
        (Trial::No, most) => format!("up to {most} times"),
    };
    steps.push(format!("restart {:?} with {}, {times}", spec.system_name, chain.join(", then ")));
    steps.push(match &spec.check {
        Some(check) => format!("check with {} for up to {} s", check.name, spec.check_timeout.as_secs_f64()),
        None => "no health check is configured: the restart's own result counts".to_owned(),
    });
    steps.push("clear the alarm when that was good; otherwise count a failure".to_owned());
    steps
}
