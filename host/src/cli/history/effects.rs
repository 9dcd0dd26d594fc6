//! `pm history --effect`: per process and strategy, how often a restart lasted, relapsed or failed. A step of the ladder
//! that was tried in vain before the next one helped has failed, whatever became of the attempt.

use crate::cli::table::table;
use crate::cli::{Failure, Terminal};
use crate::policy::model::{End, Name, printable};
use crate::ports::{Attempt, Effect, Step, StepKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What restarts of one process by one strategy came to.
#[derive(Default)]
struct Tally {
    lasted: u32,
    relapsed: u32,
    failed: u32,
    open: u32,
    /// What it depends on (the bus, a plugin, a right) failed: that says nothing about what it does.
    not_tried: u32,
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

/// The strategies that acted in an attempt before the one that acted last, each once.
fn in_vain<'a>(steps: &'a [Step], last: &str) -> BTreeSet<&'a str> {
    let acted = steps.iter().filter(|step| step.kind == StepKind::Restart).map(|step| step.by.as_str());
    acted.filter(|by| !by.is_empty() && *by != last).collect()
}

/// An attempt, and what was done in it.
pub(super) type Told<'a> = (&'a Attempt, Vec<Step>);

fn tallies(attempts: &[Told<'_>]) -> BTreeMap<(Name, String), Tally> {
    let mut tallies: BTreeMap<_, Tally> = BTreeMap::new();
    for (attempt, steps) in attempts {
        let Some((ended, end, tries, _)) = &attempt.ended else { continue };
        let by = attempt.by.clone().unwrap_or_else(|| attempt.strategy.clone());
        for other in in_vain(steps, &by) {
            tallies.entry((attempt.name.clone(), other.to_owned())).or_default().failed += 1;
        }
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
            // A command before it failed: no step was tried.
            (End::Failed, _) if *tries == 0 => {}
            (End::Failed, _) => tally.failed += 1,
            (End::Infrastructure, _) => tally.not_tried += 1,
            _ => {}
        }
    }
    tallies.retain(|_, tally| tally.judged() + tally.open + tally.not_tried > 0);
    tallies
}

pub(super) fn write(attempts: &[Told<'_>], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let tallies = tallies(attempts);
    if tallies.is_empty() {
        writeln!(terminal.out, "No restarts.")?;
        return Ok(());
    }
    let verdict = |tally: &Tally| {
        let not_tried = format!("driver failed {} times", tally.not_tried).replace(" 1 times", " once");
        let helps = match tally.helps() {
            None if tally.open == 0 && tally.not_tried > 0 => return not_tried,
            None => "not known yet".to_owned(),
            Some(0) if tally.judged() >= 3 => "never helps".to_owned(),
            Some(share) => format!("helps in {share} %"),
        };
        if tally.not_tried > 0 { format!("{helps}; {not_tried}") } else { helps }
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

pub(super) fn to_json(attempts: &[Told<'_>]) -> Value {
    let one = |((name, by), tally): (&(Name, String), &Tally)| {
        json!({
            "name": name.as_str(), "by": by, "lasted": tally.lasted, "relapsed": tally.relapsed,
            "failed": tally.failed, "not_known_yet": tally.open,
            "driver_failed": tally.not_tried, "mean_ms": tally.recovery_ms(),
            "helps_percent": tally.helps(),
        })
    };
    tallies(attempts).iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::AttemptId;
    use crate::policy::time::Wall;
    use std::time::Duration;

    fn attempt(id: i64, by: &str, end: End, effect: Option<Effect>) -> Attempt {
        Attempt {
            id: AttemptId(id),
            name: Name::new("web"),
            strategy: "service".to_owned(),
            by: Some(by.to_owned()),
            cause: "alarm".to_owned(),
            seen: None,
            began: Wall(0),
            ended: Some((Wall(40), end, 1, String::new())),
            under_way: false,
            effect,
        }
    }

    fn step(kind: StepKind, by: &str, result: Result<&str, &str>) -> Step {
        Step {
            kind,
            by: by.to_owned(),
            at: Wall(0),
            took: Duration::ZERO,
            result: result.map(str::to_owned).map_err(str::to_owned),
            output: String::new(),
        }
    }

    #[test]
    fn steps_that_were_tried_in_vain_have_failed_and_a_driver_that_failed_is_said() {
        let ladder = || {
            vec![
                step(StepKind::Evidence, "", Ok("")),
                step(StepKind::Restart, "service", Err("no systemd")),
                step(StepKind::Restart, "process", Ok("started")),
                step(StepKind::Check, "http", Err("500")),
                step(StepKind::Restart, "process", Ok("started")),
                step(StepKind::Restart, "custom", Ok("done")),
                step(StepKind::Check, "http", Ok("200")),
            ]
        };
        let good = attempt(1, "custom", End::Restarted, Some(Effect::Lasted));
        let bad = attempt(2, "custom", End::Failed, None);
        let away = attempt(3, "docker", End::Infrastructure, None);
        let told = [(&good, ladder()), (&bad, ladder()), (&away, Vec::new()), (&away, Vec::new())];
        let found: Vec<_> = tallies(&told)
            .into_iter()
            .map(|((_, by), tally)| (by, tally.lasted, tally.failed, tally.not_tried))
            .collect();
        let row = |by: &str, lasted, failed, not_tried| (by.to_owned(), lasted, failed, not_tried);
        assert_eq!(
            found,
            [
                row("custom", 1, 1, 0),
                row("docker", 0, 0, 2),
                row("process", 0, 2, 0),
                row("service", 0, 2, 0)
            ]
        );
        let mut out = Vec::new();
        write(&told, &mut Terminal { out: &mut out, err: &mut std::io::sink() }).unwrap();
        let text = String::from_utf8(out).unwrap();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("driver failed 2 times") && words.contains("helps in 50 %"), "{text}");
    }
}
