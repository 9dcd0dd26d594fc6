//! `pm history`: attempts with cause, strategy, outcome and effect, as text, JSON or CSV.
//!
//! Its parts sum up: `effects` which strategies help at all, `trends` what happens per day; `one` shows all that is kept
//! of one attempt.

mod csv;
mod effects;
mod one;
mod trends;

use crate::cli::arguments::{Global, HistoryFormat, HistoryOptions};
use crate::cli::compose::Context;
use crate::cli::status::word;
use crate::cli::table::{local, table};
use crate::cli::{Failure, Terminal, json, whom};
use crate::policy::model::{AttemptId, End, Name, printable};
use crate::policy::sentence::lasting;
use crate::policy::time::Wall;
use crate::ports::overrides::{Entry, Request, Wanted};
use crate::ports::{Attempt, Effect, Journal, JournalError};
use serde_json::{Value, json};

/// More attempts than anybody reads are not loaded to be counted.
const MOST_COUNTED: usize = 100_000;

pub(crate) fn history(
    global: &Global,
    options: &HistoryOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let journal = context.journal_read_only()?;
    if options.format == HistoryFormat::Csv
        && (options.effect || options.trends || options.evidence.is_some() || options.steps.is_some())
    {
        return Err(Failure::Usage(
            "--format csv is for the list of restarts; for sums: --format json".to_owned(),
        ));
    }
    if let Some(id) = options.evidence {
        return one::evidence(&journal, AttemptId(id), options.format, terminal);
    }
    if let Some(id) = options.steps {
        return one::steps(&journal, AttemptId(id), options.format, terminal);
    }
    let since = options.since.as_deref().map(|text| context.past("--since", text)).transpose()?;
    if options.trends {
        let period = trends::Period::new(since, context.now().wall);
        let attempts = wanted(&context, &journal, options, period.from)?;
        return trends::tell(&attempts, &period, options.format, terminal);
    }
    let attempts = wanted(&context, &journal, options, since.unwrap_or(Wall(i64::MIN)))?;
    if options.effect {
        let told: Result<Vec<effects::Told<'_>>, JournalError> =
            attempts.iter().map(|attempt| Ok((attempt, journal.steps_of(attempt.id)?))).collect();
        let told = told.map_err(|error| Failure::failed(&error))?;
        return match options.format {
            HistoryFormat::Json => json::write(&effects::to_json(&told), terminal.out),
            HistoryFormat::Text | HistoryFormat::Csv => effects::write(&told, terminal),
        };
    }
    match options.format {
        HistoryFormat::Text if attempts.is_empty() => {
            let known = journal.standings().map_err(|error| Failure::failed(&error))?.into_keys();
            let name = options.name.as_deref().map(Name::new);
            // The table is asked only then: what is kept of others can be told without it.
            let rows = name.as_ref().and_then(|_| context.store().list().ok()).unwrap_or_default();
            let names = known.chain(rows.into_iter().map(|row| row.name));
            let stranger = name.and_then(|name| whom::stranger(&context, &name, names));
            let why = stranger.map_or_else(String::new, |stranger| format!(" {}", stranger.told));
            Ok(writeln!(terminal.out, "No attempts.{why}")?)
        }
        HistoryFormat::Text => list(&attempts, &Hands::of(&journal, &attempts)?, terminal),
        HistoryFormat::Json => {
            let hands = Hands::of(&journal, &attempts)?;
            let all: Result<Value, JournalError> =
                attempts.iter().map(|attempt| with_steps(&journal, attempt, &hands)).collect();
            json::write(&all.map_err(|error| Failure::failed(&error))?, terminal.out)
        }
        HistoryFormat::Csv => csv::write(&attempts, terminal),
    }
}

/// The attempts that were asked for, newest first.
fn wanted(
    context: &Context,
    journal: &dyn Journal,
    options: &HistoryOptions,
    since: Wall,
) -> Result<Vec<Attempt>, Failure> {
    let name = options.name.as_deref().map(Name::new);
    let sums = options.effect || options.trends;
    let limit = if sums || options.group.is_some() { MOST_COUNTED } else { options.limit };
    let mut attempts =
        journal.history(name.as_ref(), since, limit).map_err(|error| Failure::failed(&error))?;
    if let Some(group) = options.group.as_deref().map(Name::new) {
        let related = &context.arrangement().related;
        if !related.groups().contains_key(&group) {
            return Err(Failure::Failed(format!("there is no group {group}; see which there are: pm check")));
        }
        attempts.retain(|attempt| related.group_of(&attempt.name) == Some(&group));
        if !sums {
            attempts.truncate(options.limit);
        }
    }
    Ok(attempts)
}

/// Who made restarts by hand, as the audit tells.
struct Hands(Vec<Entry>);

impl Hands {
    fn of(journal: &dyn Journal, attempts: &[Attempt]) -> Result<Self, Failure> {
        let by_hand = attempts.iter().filter(|attempt| attempt.cause == "operator");
        let Some(since) = by_hand.map(|attempt| attempt.began).min() else { return Ok(Self(Vec::new())) };
        let wanted = Wanted { of: None, group: None, since: Some(since), limit: MOST_COUNTED };
        let audited = journal.audited(&wanted).map_err(|error| Failure::failed(&error))?;
        let entries = audited.into_iter().map(|one| one.entry);
        Ok(Self(entries.filter(|entry| entry.verb.starts_with("restart")).collect()))
    }

    /// Who asked for an attempt and why; none while it runs, and when an operator did not ask for it.
    fn behind(&self, attempt: &Attempt) -> Option<&Request> {
        // Its end is audited with its number.
        let begins = format!("attempt {}: ", attempt.id.0);
        let its = |entry: &&Entry| attempt.cause == "operator" && entry.result.starts_with(&begins);
        self.0.iter().find(its).map(|entry| &entry.request)
    }
}

fn list(attempts: &[Attempt], hands: &Hands, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let row = |attempt: &Attempt| {
        vec![
            attempt.id.0.to_string(),
            local(attempt.began),
            attempt.name.to_string(),
            attempt.by.as_ref().unwrap_or(&attempt.strategy).clone(),
            came_of_it(attempt, hands),
        ]
    };
    let head = ["ID", "BEGAN", "PROCESS", "BY", "WHAT CAME OF IT"];
    write!(terminal.out, "{}", table(&head, attempts.iter().map(row)))?;
    Ok(())
}

/// `failed after 5014 ms: why`, `restarted in 216 ms, lasted: how`. One column, so that sentences have room.
fn came_of_it(attempt: &Attempt, hands: &Hands) -> String {
    let hand = match (attempt.cause.as_str(), hands.behind(attempt)) {
        ("operator", None) => ", by hand".to_owned(),
        (_, by) => by.map_or_else(String::new, |request| format!(", by hand ({})", printable(&request.by))),
    };
    let Some((_, its, _, detail)) = &attempt.ended else { return end(attempt) + &hand };
    let took = match its {
        End::Restarted => format!("in {}", took(attempt)),
        _ => format!("after {}", took(attempt)),
    };
    let effect = match (attempt.effect, its) {
        (None, End::Restarted) => ", on trial",
        (Some(Effect::Lasted), _) => ", lasted",
        (Some(Effect::Relapsed), _) => ", did not last",
        (None, _) => "",
    };
    format!("{} {took}{hand}{effect}: {detail}", end(attempt))
}

/// One line about the end of an attempt.
pub(crate) fn under(attempt: &Attempt) -> String {
    let detail =
        attempt.ended.as_ref().map(|(.., detail)| format!(": {}", printable(detail))).unwrap_or_default();
    let became = match attempt.effect {
        Some(Effect::Lasted) => " It lasted.",
        Some(Effect::Relapsed) => {
            " It did not last: the process was in alarm again before its stable time was over."
        }
        None => "",
    };
    match &attempt.ended {
        Some((at, ..)) => {
            format!("It ended {} after {}, {}{detail}.{became}", local(*at), took(attempt), end(attempt))
        }
        None if attempt.under_way => "It is under way.".to_owned(),
        None => "It was cut off: pm ended in the middle of it.".to_owned(),
    }
}

fn end(attempt: &Attempt) -> String {
    match &attempt.ended {
        Some((_, end, ..)) => word(*end).to_owned(),
        None if attempt.under_way => "under way".to_owned(),
        None => "cut off".to_owned(),
    }
}

fn took(attempt: &Attempt) -> String {
    match &attempt.ended {
        Some((at, ..)) if at.0 - attempt.began.0 < 10_000 => format!("{} ms", at.0 - attempt.began.0),
        Some((at, ..)) => lasting(at.since(attempt.began)),
        None => "-".to_owned(),
    }
}

/// The word for what became of a restart.
pub(crate) fn effect(attempt: &Attempt) -> Option<&'static str> {
    match (attempt.effect, attempt.ended.as_ref().map(|(_, end, ..)| *end)) {
        (Some(Effect::Lasted), _) => Some("lasted"),
        (Some(Effect::Relapsed), _) => Some("relapsed"),
        (None, Some(End::Restarted)) if !attempt.is_for_a_dependency() => Some("not known yet"),
        _ => None,
    }
}

fn as_json(attempt: &Attempt, hands: &Hands) -> Value {
    let ended = attempt.ended.as_ref();
    let by_hand = hands.behind(attempt);
    json!({
        "asked_by": by_hand.map(|request| &request.by),
        "asked_why": by_hand.map(|request| &request.why),
        "id": attempt.id.0,
        "name": attempt.name.as_str(),
        "cause": attempt.cause,
        "strategy": attempt.strategy,
        "by": attempt.by,
        "seen_ms": attempt.seen.map(|at| at.0),
        "began_ms": attempt.began.0,
        "ended_ms": ended.map(|(at, ..)| at.0),
        "end": end(attempt),
        "attempts": ended.map(|(_, _, attempts, _)| attempts),
        "effect": effect(attempt),
        "recovery_ms": attempt.recovery().map(millis),
        "detail": ended.map(|(.., detail)| detail),
    })
}

fn with_steps(journal: &dyn Journal, attempt: &Attempt, hands: &Hands) -> Result<Value, JournalError> {
    let mut shown = as_json(attempt, hands);
    shown["steps"] = journal.steps_of(attempt.id)?.iter().map(one::step_json).collect();
    Ok(shown)
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
