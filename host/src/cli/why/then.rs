//! `pm why NAME --at TIME`: what the checks saw then, from the journal: of the attempt that ran or was the last one, or
//! of the decision to hold, whichever is nearer to the moment asked about.

use crate::cli::arguments::Format;
use crate::cli::compose::Context;
use crate::cli::history::{effect, under};
use crate::cli::status::word;
use crate::cli::table::local;
use crate::cli::{Failure, Terminal, json, whom};
use crate::policy::model::Name;
use crate::policy::time::Wall;
use crate::ports::{Answer, Asked, Attempt, Decision, Journal};
use serde_json::{Value, json};

/// What is known of a moment.
enum Found {
    Attempt(Attempt, Vec<Asked>),
    /// Nothing was restarted.
    Alone(Decision),
    Nothing,
}

pub(super) fn why(
    context: &Context,
    name: &Name,
    at: &str,
    format: Format,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let at = context.up_to("--at", at)?;
    let journal = context.journal_read_only()?;
    let found = find(&journal, name, at)?;
    match format {
        Format::Text => {
            write(&found, name, at, terminal)?;
            if let (Found::Nothing, Some(stranger)) = (&found, whom::stranger(context, name, [])) {
                writeln!(terminal.out, "{}", stranger.told.replace(" or in the table", ""))?;
            }
            Ok(())
        }
        Format::Json => json::write(&as_json(&found, name, at), terminal.out),
    }
}

fn find(journal: &dyn Journal, name: &Name, at: Wall) -> Result<Found, Failure> {
    let failed = |error| Failure::failed(&error);
    let attempt = journal.last_before(name, at).map_err(failed)?;
    let held = journal.decisions(name, at, 1).map_err(failed)?.into_iter().next();
    match (attempt, held) {
        (Some(attempt), Some(held)) if held.at > attempt.began => Ok(Found::Alone(held)),
        (Some(attempt), _) => {
            let chain = journal.explanation(attempt.id).map_err(failed)?;
            Ok(Found::Attempt(attempt, chain))
        }
        (None, Some(held)) => Ok(Found::Alone(held)),
        (None, None) => Ok(Found::Nothing),
    }
}

fn write(found: &Found, name: &Name, at: Wall, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let out = &mut *terminal.out;
    match found {
        Found::Nothing => {
            writeln!(
                out,
                "Nothing is known of {name} at {} or before: no alarm was started or held.",
                local(at)
            )?;
        }
        Found::Alone(decision) => {
            let what = match decision.word.as_str() {
                Decision::HEALTHY => "leave it alone and clear its alarm, because it was healthy".to_owned(),
                word => format!("hold its alarm ({word})"),
            };
            let (at, made) = (local(at), local(decision.at));
            writeln!(out, "The last decision about {name} up to {at} was to {what}, at {made}.\n")?;
            checks(&decision.chain, terminal)?;
        }
        Found::Attempt(attempt, chain) => {
            let ran = attempt.ended.as_ref().is_none_or(|(ended, ..)| *ended >= at);
            let when = local(attempt.began);
            let (at, id) = (local(at), attempt.id.0);
            if ran {
                writeln!(out, "At {at}, {name} was being restarted: attempt {id}, begun {when}.\n")?;
            } else {
                writeln!(
                    out,
                    "The last decision about {name} up to {at} was to restart it: attempt {id}, begun {when}.\n"
                )?;
            }
            if chain.is_empty() {
                writeln!(out, "  It was asked for by an operator, so no check was asked.")?;
            }
            checks(chain, terminal)?;
            writeln!(terminal.out, "\n{}", under(attempt))?;
        }
    }
    Ok(())
}

fn checks(chain: &[Asked], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut objection = "HOLD";
    for Asked { check, answer, saw } in chain {
        let mark = match answer {
            Answer::Passed => "ok  ",
            Answer::Held => std::mem::replace(&mut objection, "also"),
        };
        writeln!(terminal.out, "  {mark} {check:<13} {saw}")?;
    }
    Ok(())
}

fn as_json(found: &Found, name: &Name, at: Wall) -> Value {
    let checks = |chain: &[Asked]| {
        let one = |asked: &Asked| json!({"check": asked.check, "passed": asked.answer == Answer::Passed, "saw": asked.saw});
        chain.iter().map(one).collect::<Vec<_>>()
    };
    let mut answer = json!({"name": name.as_str(), "at_ms": at.0, "verdict": null});
    match found {
        Found::Nothing => {}
        Found::Alone(decision) => {
            let healthy = decision.word == Decision::HEALTHY;
            answer["verdict"] = json!(if healthy { "healthy" } else { "held" });
            answer["hold"] = json!((!healthy).then_some(&decision.word));
            answer["since_ms"] = json!(decision.at.0);
            answer["checks"] = json!(checks(&decision.chain));
        }
        Found::Attempt(attempt, chain) => {
            answer["verdict"] = json!("started");
            answer["attempt"] = json!(attempt.id.0);
            answer["cause"] = json!(attempt.cause);
            answer["began_ms"] = json!(attempt.began.0);
            answer["ended_ms"] = json!(attempt.ended.as_ref().map(|(at, ..)| at.0));
            answer["end"] = json!(attempt.ended.as_ref().map(|(_, end, ..)| word(*end)));
            answer["effect"] = json!(effect(attempt));
            answer["checks"] = json!(checks(chain));
        }
    }
    answer
}
