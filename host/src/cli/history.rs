//! `pm history`: attempts with cause, strategy, outcome and effect; `--effect` tells which restarts help at all.

use crate::cli::arguments::{Format, Global, HistoryOptions};
use crate::cli::compose::Context;
use crate::cli::status::word;
use crate::cli::table::{local, table};
use crate::cli::{Failure, Terminal, json};
use crate::policy::model::{AttemptId, End, Name, printable};
use crate::policy::sentence::lasting;
use crate::policy::time::Wall;
use crate::ports::{Attempt, Effect, Journal};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// More attempts than anybody reads are not loaded to be counted.
const MOST_COUNTED: usize = 100_000;

pub(crate) fn history(
    global: &Global,
    options: &HistoryOptions,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let journal = context.journal_read_only()?;
    if let Some(id) = options.evidence {
        return evidence(&journal, AttemptId(id), terminal);
    }
    let since = options.since.as_deref().map(|text| context.past("--since", text)).transpose()?;
    let name = options.name.as_deref().map(Name::new);
    let limit = if options.effect { MOST_COUNTED } else { options.limit };
    let attempts = journal
        .history(name.as_ref(), since.unwrap_or(Wall(i64::MIN)), limit)
        .map_err(|error| Failure::failed(&error))?;
    match (options.format, options.effect) {
        (Format::Text, false) => list(&attempts, terminal),
        (Format::Text, true) => effects(&attempts, terminal),
        (Format::Json, false) => json::write(&attempts.iter().map(as_json).collect(), terminal.out),
        (Format::Json, true) => json::write(&effects_json(&attempts), terminal.out),
    }
}

fn list(attempts: &[Attempt], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if attempts.is_empty() {
        writeln!(terminal.out, "No attempts.")?;
        return Ok(());
    }
    let row = |attempt: &Attempt| {
        vec![
            attempt.id.0.to_string(),
            local(attempt.began),
            attempt.name.to_string(),
            attempt.by.as_ref().unwrap_or(&attempt.strategy).clone(),
            came_of_it(attempt),
        ]
    };
    let head = ["ID", "BEGAN", "PROCESS", "BY", "WHAT CAME OF IT"];
    write!(terminal.out, "{}", table(&head, attempts.iter().map(row)))?;
    Ok(())
}

/// `failed after 5014 ms: why`, `restarted in 216 ms, lasted: how`. One column, so that sentences have room.
fn came_of_it(attempt: &Attempt) -> String {
    let Some((_, its, _, detail)) = &attempt.ended else { return end(attempt) };
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
    format!("{} {took}{effect}: {detail}", end(attempt))
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

/// What restarts of one process by one strategy came to.
#[derive(Default)]
struct Tally {
    lasted: u32,
    relapsed: u32,
    failed: u32,
    open: u32,
    /// All that helped at first, and how long they took together.
    restarts: u32,
    took: i64,
}

impl Tally {
    fn judged(&self) -> u32 {
        self.lasted + self.relapsed + self.failed
    }
    /// The share of judged restarts that lasted, in percent.
    fn helps(&self) -> Option<u32> {
        (self.lasted * 100).checked_div(self.judged())
    }
    fn recovery_ms(&self) -> Option<i64> {
        self.took.checked_div(self.restarts.into())
    }
}

fn tallies(attempts: &[Attempt]) -> BTreeMap<(Name, String), Tally> {
    let mut tallies: BTreeMap<_, Tally> = BTreeMap::new();
    for attempt in attempts {
        let Some((ended, end, ..)) = &attempt.ended else { continue };
        let by = attempt.by.clone().unwrap_or_else(|| attempt.strategy.clone());
        let tally = tallies.entry((attempt.name.clone(), by)).or_default();
        match (end, attempt.effect) {
            (End::Restarted, effect) => {
                (tally.restarts, tally.took) = (tally.restarts + 1, tally.took + ended.0 - attempt.began.0);
                match effect {
                    Some(Effect::Lasted) => tally.lasted += 1,
                    Some(Effect::Relapsed) => tally.relapsed += 1,
                    None if attempt.is_for_a_dependency() => {}
                    None => tally.open += 1,
                }
            }
            (End::Failed, _) => tally.failed += 1,
            _ => {}
        }
    }
    tallies.retain(|_, tally| tally.judged() + tally.open > 0);
    tallies
}

fn effects(attempts: &[Attempt], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let tallies = tallies(attempts);
    if tallies.is_empty() {
        writeln!(terminal.out, "No restarts.")?;
        return Ok(());
    }
    let verdict = |tally: &Tally| match tally.helps() {
        None => "not known yet".to_owned(),
        Some(0) if tally.judged() >= 3 => "never helps".to_owned(),
        Some(share) => format!("helps in {share} %"),
    };
    let rows = tallies.iter().map(|((name, by), tally)| {
        vec![
            name.to_string(),
            printable(by),
            tally.lasted.to_string(),
            tally.relapsed.to_string(),
            tally.failed.to_string(),
            tally.open.to_string(),
            tally.recovery_ms().map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
            verdict(tally),
        ]
    });
    let head = ["PROCESS", "BY", "LASTED", "RELAPSED", "FAILED", "PENDING", "MEAN TIME", "VERDICT"];
    write!(terminal.out, "{}", table(&head, rows))?;
    Ok(())
}

fn effects_json(attempts: &[Attempt]) -> Value {
    let one = |((name, by), tally): (&(Name, String), &Tally)| {
        json!({
            "name": name.as_str(), "by": by, "lasted": tally.lasted, "relapsed": tally.relapsed,
            "failed": tally.failed, "not_known_yet": tally.open, "mean_ms": tally.recovery_ms(),
            "helps_percent": tally.helps(),
        })
    };
    tallies(attempts).iter().map(one).collect()
}

fn as_json(attempt: &Attempt) -> Value {
    let ended = attempt.ended.as_ref();
    json!({
        "id": attempt.id.0,
        "name": attempt.name.as_str(),
        "cause": attempt.cause,
        "strategy": attempt.strategy,
        "by": attempt.by,
        "began_ms": attempt.began.0,
        "ended_ms": ended.map(|(at, ..)| at.0),
        "end": end(attempt),
        "attempts": ended.map(|(_, _, attempts, _)| attempts),
        "effect": effect(attempt),
        "detail": ended.map(|(.., detail)| detail),
    })
}

/// What was seen of a process before it was restarted.
fn evidence(journal: &dyn Journal, id: AttemptId, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    match journal.evidence_of(id).map_err(|error| Failure::failed(&error))? {
        Some(text) => {
            writeln!(terminal.out, "{}", text.trim_end())?;
            Ok(())
        }
        None => Err(Failure::Failed(format!(
            "no evidence is kept of attempt {}; see which attempts there are: pm history",
            id.0
        ))),
    }
}
