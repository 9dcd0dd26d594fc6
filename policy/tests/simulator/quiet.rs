//! Liveness: once what was wrong is put right, every alarm is handled in time.
//!
//! At random moments of a year, and at its end, everything is repaired: processes can be started, drivers, database and
//! sources work, operators take back what they have ordered and answer when they are asked about a mass alarm. When the
//! jobs of before have ended the time is taken. Then each process has to be well (running, and no row of it in alarm)
//! within the sum of
//!
//! * what comes first: the longest such time of anything that it depends on,
//! * one open period of its own breaker, at its level of then and one more,
//! * one open period of its group at the longest, and the stable time of the canary,
//! * the grace of a row that was handled and could not be cleared,
//! * [`MARGIN`], for the pause between restarts, that of a driver, and the restart itself.
//!
//! And when all are, the table must be equal to what is.

use crate::check::Verdict;
use crate::fault;
use crate::world::{MINUTE, Ms, SECOND};
use crate::year::{Event, Year};
use std::collections::BTreeSet;
use std::time::Duration;

/// The longest backoff is 5 min 30 s, the longest pause of a driver 2 min 18 s, a restart takes less than one.
const MARGIN: Ms = 12 * MINUTE;
/// When all have been well, all are well at once so much later.
const TOGETHER: Ms = 5 * MINUTE;
/// So often somebody looks.
const TICK: Ms = 20 * SECOND;
/// What sources had seen before is told by then.
const TOLD: Ms = 2 * MINUTE;

/// A time in which nothing goes wrong.
pub(crate) struct Quiet {
    since: Ms,
    /// Jobs of before, until they have ended.
    before: BTreeSet<u64>,
    /// When each process has to be well; empty until the time is taken.
    due: Vec<Ms>,
    well: Vec<bool>,
}

/// The next look at a quiet time, or its beginning.
pub(crate) fn tick(year: &mut Year) -> Verdict {
    let Some(quiet) = &year.quiet else {
        begin(year);
        return Ok(());
    };
    if quiet.due.is_empty() {
        let ended = quiet.before.iter().all(|id| !year.journal.unfinished.contains_key(id));
        if ended && year.pm.is_some() && year.t >= quiet.since + TOLD {
            fault::believe(year);
            let due = (0..year.world.processes.len()).map(|process| year.t + bound(year, process)).collect();
            if let Some(quiet) = &mut year.quiet {
                quiet.due = due;
            }
        }
    } else {
        let all_at_once = (0..year.world.processes.len()).all(|process| is_well(year, process));
        if all_at_once && quiet.well.iter().all(|well| *well) {
            end(year);
            return Ok(());
        }
        in_time(year, quiet)?;
    }
    year.after(TICK, Event::Quiet);
    Ok(())
}

fn begin(year: &mut Year) {
    fault::repair(year);
    let before = year.journal.unfinished.keys().copied().collect();
    let well = vec![false; year.world.processes.len()];
    year.quiet = Some(Quiet { since: year.t, before, due: Vec::new(), well });
    year.after(TICK, Event::Quiet);
}

fn end(year: &mut Year) {
    year.check.tally.quiet += 1;
    year.quiet = None;
    if !year.over {
        year.troubled = true;
        let wait = year.dice.wait(60 * year.calm);
        year.after(wait, Event::Quiet);
    }
}

/// Takes in who is well by now.
pub(crate) fn look(year: &mut Year) {
    let Some(mut quiet) = year.quiet.take() else { return };
    if !quiet.due.is_empty() {
        for (process, well) in quiet.well.iter_mut().enumerate() {
            *well = *well || is_well(year, process);
        }
    }
    year.quiet = Some(quiet);
}

fn is_well(year: &Year, process: usize) -> bool {
    let world = &year.world;
    world.healthy(process) && !world.rows.iter().any(|row| row.process == process && row.alarm)
}

fn in_time(year: &Year, quiet: &Quiet) -> Verdict {
    let late = |process: &usize| !quiet.well[*process] && year.t > quiet.due[*process];
    let last = quiet.due.iter().max().copied().unwrap_or_default() + TOGETHER;
    let at_last = |process: &usize| year.t > last && !is_well(year, *process);
    let Some(process) = (0..quiet.due.len()).find(|process| late(process) || at_last(process)) else {
        return Ok(());
    };
    let (name, state) = (&year.world.processes[process].name, year.pm.as_ref().map(|pm| &pm.state));
    let rule = if year.world.healthy(process) {
        "the table tells the truth when all is well"
    } else {
        "what is repaired comes back"
    };
    let due = quiet.due[process];
    Err(format!("{rule}: {name}, repaired at {}, by {due}; {state:#?}", quiet.since))
}

/// How long it may take until a process is well.
fn bound(year: &Year, process: usize) -> Ms {
    let its = &year.world.processes[process];
    let first = its.needs.iter().map(|needed| bound(year, *needed)).max().unwrap_or_default();
    let group = its.group.as_ref().and_then(|group| year.world.groups.get(group));
    let of_group = group.map_or(0, |group| ms(group.open_max.mul_f64(1.15) + group.stable) + MARGIN);
    first + year.check.open_for(&its.name, year.t) + of_group + ms(its.rules.grace) + MARGIN
}

fn ms(duration: Duration) -> Ms {
    duration.as_millis() as Ms
}
