//! All that is kept of one attempt: why it was begun, what was done step by step, what was said, what was seen before.

use super::{Hands, as_json, under};
use crate::cli::arguments::HistoryFormat;
use crate::cli::table::local;
use crate::cli::{Failure, Terminal, json};
use crate::policy::model::{AttemptId, printable};
use crate::policy::sentence::lasting;
use crate::ports::{Answer, Attempt, Journal, JournalError, Step};
use serde_json::{Value, json};
use std::time::Duration;

/// What was seen of a process before it was restarted.
pub(super) fn evidence(
    journal: &dyn Journal,
    id: AttemptId,
    format: HistoryFormat,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match journal.evidence_of(id).map_err(|error| Failure::failed(&error))? {
        Some(text) if format == HistoryFormat::Json => {
            json::write(&json!({"attempt": id.0, "evidence": text.trim_end()}), terminal.out)
        }
        Some(text) => Ok(writeln!(terminal.out, "{}", text.trim_end())?),
        None => Err(Failure::Failed(format!(
            "no evidence is kept of attempt {}; see which attempts there are: pm history",
            id.0
        ))),
    }
}

/// What was done, in the order in which it was done.
pub(super) fn steps(
    journal: &dyn Journal,
    id: AttemptId,
    format: HistoryFormat,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let failed = |error: JournalError| Failure::failed(&error);
    let Some(attempt) = journal.attempt(id).map_err(failed)? else {
        return Err(Failure::Failed(format!(
            "attempt {} is not kept; see which attempts there are: pm history",
            id.0
        )));
    };
    let steps = journal.steps_of(id).map_err(failed)?;
    let chain = journal.explanation(id).map_err(failed)?;
    let hands = Hands::of(journal, std::slice::from_ref(&attempt))?;
    if format == HistoryFormat::Json {
        let mut shown = as_json(&attempt, &hands);
        shown["steps"] = steps.iter().map(step_json).collect();
        let asked = chain.iter().map(|asked| {
            json!({ "check": asked.check, "passed": asked.answer == Answer::Passed, "saw": asked.saw })
        });
        shown["decision"] = asked.collect();
        return json::write(&shown, terminal.out);
    }
    head(&attempt, &hands, terminal)?;
    for asked in &chain {
        writeln!(terminal.out, "  ok   {:<13} {}", printable(&asked.check), printable(&asked.saw))?;
    }
    if steps.is_empty() {
        writeln!(terminal.out, "\nNo steps are kept of it.")?;
        return Ok(());
    }
    writeln!(terminal.out)?;
    steps.iter().try_for_each(|step| write_step(&attempt, step, terminal))
}

fn head(attempt: &Attempt, hands: &Hands, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let cause = match attempt.cause.split_once(' ') {
        Some((_, because)) => format!("because of {}, on which it depends", printable(because)),
        None if attempt.cause == "operator" => {
            let by = hands.behind(attempt).map(|request| format!(", {}", request.in_words()));
            format!("by hand{}", by.unwrap_or_default())
        }
        None => "by an alarm".to_owned(),
    };
    let seen =
        attempt.seen.map(|seen| format!(", {} after the alarm was seen", took(attempt.began.since(seen))));
    writeln!(
        terminal.out,
        "Attempt {} of {} began {}, {cause}{}. {}\n",
        attempt.id.0,
        attempt.name,
        local(attempt.began),
        seen.unwrap_or_default(),
        under(attempt)
    )?;
    Ok(())
}

/// `+0.216 s    118 ms  restart service   done`, and what was said under it.
fn write_step(attempt: &Attempt, step: &Step, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (mark, detail) = match &step.result {
        Ok(detail) => ("ok  ", detail),
        Err(why) => ("FAIL", why),
    };
    let after = step.at.since(attempt.began).as_secs_f64();
    let what = format!("{} {}", step.kind.word(), printable(&step.by));
    writeln!(
        terminal.out,
        "  {:>10}  {mark} {:<17} {:>9}  {}",
        format!("+{after:.3} s"),
        what.trim_end(),
        took(step.took),
        printable(detail)
    )?;
    for line in step.output.lines() {
        writeln!(terminal.out, "              | {}", printable(line))?;
    }
    Ok(())
}

fn took(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ ..10_000 => format!("{millis} ms"),
        _ => lasting(duration),
    }
}

pub(super) fn step_json(step: &Step) -> Value {
    let (good, detail) = match &step.result {
        Ok(detail) => (true, detail),
        Err(why) => (false, why),
    };
    json!({
        "step": step.kind.word(),
        "by": Some(&step.by).filter(|by| !by.is_empty()),
        "at_ms": step.at.0,
        "took_ms": super::millis(step.took),
        "good": good,
        "detail": detail,
        "output": step.output,
    })
}
