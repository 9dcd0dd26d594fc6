//! `pm history --effect`: per process and strategy, how often a restart lasted, relapsed or failed.

use crate::cli::table::table;
use crate::cli::{Failure, Terminal};
use crate::policy::model::{End, Name, printable};
use crate::ports::{Attempt, Effect};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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

pub(super) fn write(attempts: &[Attempt], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
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

pub(super) fn to_json(attempts: &[Attempt]) -> Value {
    let one = |((name, by), tally): (&(Name, String), &Tally)| {
        json!({
            "name": name.as_str(), "by": by, "lasted": tally.lasted, "relapsed": tally.relapsed,
            "failed": tally.failed, "not_known_yet": tally.open, "mean_ms": tally.recovery_ms(),
            "helps_percent": tally.helps(),
        })
    };
    tallies(attempts).iter().map(one).collect()
}
