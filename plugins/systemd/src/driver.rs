//! The order of things in a restart, whatever the way to systemd: look, refuse or act, wait, look again.
//!
//! A request is made at most once per call, twice only when systemd has refused the first one because of its start limit
//! and the operator asked for `reset_failed`. It must not know D-Bus or `systemctl`: those are the [`Driver`]s.

use crate::answer::{self, REPORTED, Report};
use crate::names::Unit;
use crate::state::{Step, Subject, UnitState};
use pm_plugin_api::{Error, Health, Outcome, Result};
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this result, in systemd's words; `done` is the good one.
    Result(String),
    /// It is over, but the message that says how was lost; the unit itself has to tell.
    Unseen,
}

/// A way to systemd, for the length of one call; every method gives up in time.
pub(crate) trait Driver {
    /// The state of a unit, loading it when it is not loaded; a missing unit is a state (`not-found`), not an error.
    fn look(&mut self, subject: &Subject) -> Result<UnitState>;
    /// The state with the id of the unit's last start.
    fn invocation(&mut self, subject: &Subject) -> Result<UnitState>;
    /// Queues a job and waits for its end.
    fn run(&mut self, subject: &Subject, step: Step) -> Result<Ended>;
    /// These properties of the unit, by systemd's names for them, as far as its kind has them.
    fn properties(&mut self, subject: &Subject, names: &[&str]) -> Result<Report>;
    /// Why the unit is as it is.
    fn report(&mut self, subject: &Subject) -> Result<Report> {
        self.properties(subject, &REPORTED)
    }
    /// Forgets the failures of the unit, so that its start limit begins anew.
    fn reset_failed(&mut self, subject: &Subject) -> Result<()>;
}

/// Whether a start limit is lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartLimit {
    /// It is the operator's own rule and stands.
    Respect,
    /// Lifted when it stands in the way.
    Reset,
}

/// What a restart keeps to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) limit: StartLimit,
    /// The units that pm itself belongs to.
    pub(crate) own: &'a [String],
}

/// Restarts what runs, starts what does not, and waits for the result; `seen` saves the first look.
pub(crate) fn restart(
    driver: &mut dyn Driver,
    asked: &Subject,
    seen: Option<UnitState>,
    rules: &Rules<'_>,
) -> Result<Outcome> {
    let before = match seen {
        Some(state) => state,
        None => driver.invocation(asked)?,
    };
    before.usable(asked)?;
    let subject = &real(asked, &before, rules.own)?;
    let step = Step::after(&before);
    tracing::debug!("{subject} is {before}: {}", step.verb());

    let began = Instant::now();
    let mut ended = driver.run(subject, step)?;
    if ended == Ended::Result("failed".to_owned())
        && rules.limit == StartLimit::Reset
        && driver.report(subject)?.hit_start_limit(&before)
    {
        tracing::info!("{subject} has hit its start limit; resetting it");
        driver.reset_failed(subject)?;
        ended = driver.run(subject, Step::Start)?;
    }
    conclude(driver, subject, &before, &ended, began)
}

fn conclude(
    driver: &mut dyn Driver,
    subject: &Subject,
    before: &UnitState,
    ended: &Ended,
    began: Instant,
) -> Result<Outcome> {
    let step = Step::after(before);
    let took = in_words(began.elapsed());
    if let Ended::Result(result) = ended
        && result != "done"
    {
        // Why it failed is worth a question, and the failure stands without an answer.
        let report =
            if result == "failed" { driver.report(subject).unwrap_or_default() } else { Report::default() };
        return Err(answer::job_failed(subject, result, &report, before));
    }
    // A running unit was fit to run a moment ago. One that was down may have its reasons: a start whose Condition…= is not
    // met is "done" as well.
    if step == Step::Restart && *ended != Ended::Unseen {
        return Ok(Outcome::restarted(format!("job done in {took}")));
    }
    let after = driver.look(subject).and_then(|after| match after.active.as_str() {
        "inactive" | "failed" => Ok((driver.report(subject)?, after)),
        _ => Ok((Report::default(), after)),
    });
    let after = match after {
        Ok((report, after)) => match answer::down_after_done(subject, &after, &report) {
            Some(error) => return Err(error),
            None => after.to_string(),
        },
        Err(error) if *ended == Ended::Unseen => return Err(error),
        Err(error) => format!("but {}", error.message),
    };
    let job = if *ended == Ended::Unseen { "job over" } else { "job done" };
    let detail = format!("{job} in {took}, {after}");
    Ok(match step {
        Step::Restart => Outcome::restarted(detail),
        Step::Start => Outcome::started(detail),
        Step::Join => Outcome::restarted(format!("systemd was about to restart it (Restart=): {detail}")),
    })
}

/// What changes with every start of the unit; none while it is down.
pub(crate) fn identity(driver: &mut dyn Driver, asked: &Subject) -> Result<(UnitState, Option<String>)> {
    let state = driver.invocation(asked)?;
    state.usable(asked)?;
    let id = state.invocation.clone().filter(|_| state.runs());
    Ok((state, id))
}

/// Whether the unit is up.
pub(crate) fn check(driver: &mut dyn Driver, subject: &Subject) -> Result<Health> {
    let state = driver.look(subject)?;
    answer::health(subject, &state, || driver.report(subject))
}

/// The subject under its real name: signals carry that, and an alias must not lead to a unit that pm leaves alone.
fn real(asked: &Subject, state: &UnitState, own: &[String]) -> Result<Subject> {
    let unit = if state.id.is_empty() { asked.unit.clone() } else { Unit::known(&state.id) };
    unit.restartable().map_err(|error| if unit == asked.unit { error } else { error.context(asked) })?;
    if own.iter().any(|own| own == unit.as_str()) {
        return Err(Error::config(format!(
            "{asked} is not restarted by pm: pm runs inside of it and would end with it; restart it by hand"
        )));
    }
    Ok(Subject { unit, scope: asked.scope })
}

fn in_words(took: Duration) -> String {
    match took.as_millis() {
        millis @ ..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}
