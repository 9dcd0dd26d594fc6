//! A simulated year of an unlucky machine: processes that crash, hang, flap and drag each other down, a table that tells
//! of it late or wrongly or not at all, a driver, a database and a pm that come and go, clocks that are set, and operators
//! with a mind of their own.
//!
//! At every step the rules of [`check`] must hold, and when everything has been repaired, pm must bring back what is still
//! down and the table must tell the truth, within the longest time that anything stays open.
//!
//! `PM_SIMULATED_DAYS` sets the length of the years, `PM_SIMULATED_CALM` for how many minutes nothing goes wrong on
//! average, `PM_SIMULATED_SEED` runs the one year of a seed (printed when it fails). `each_lie_is_noticed` shows that the checks can fail.

#![allow(clippy::unwrap_used, reason = "what is not there in a simulated world ends it")]

mod check;
mod dice;
mod fault;
mod host;
mod sabotage;
mod world;
mod year;

use sabotage::Sabotage;
use world::{DAY, HOUR, MINUTE, Ms};
use year::Year;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Runs the year of `seed`; answers what was broken.
fn live(seed: u64, days: u64, calm: Ms, sabotage: Sabotage) -> Result<Year, String> {
    let mut year = Year::new(seed, calm, sabotage);
    let lived = year.run(days * DAY).and_then(|()| end_well(&mut year));
    match lived {
        Ok(()) => Ok(year),
        Err(rule) => Err(format!("seed {seed}, {} ms into the year: {rule}\n{}", year.t, year.log.text())),
    }
}

/// What is repaired comes back, within one longest open time of everything that can be open, one after the other.
fn end_well(year: &mut Year) -> Result<(), String> {
    fault::repair(year);
    let longest = year.world.processes.iter().map(|its| its.rules.open_max).max().unwrap_or_default();
    let of_groups =
        year.world.groups.values().map(|group| group.open_max * 2 + group.stable).max().unwrap_or_default();
    let bound = (longest + of_groups).as_millis() as Ms * 6 / 5 + 30 * MINUTE;
    year.run(bound)?;
    let state = year.pm.as_ref().map(|pm| &pm.state);
    for (index, process) in year.world.processes.iter().enumerate() {
        if !year.world.healthy(index) {
            return Err(format!("what is repaired comes back: {} is down; {state:#?}", process.name));
        }
    }
    for row in &year.world.rows {
        if row.alarm {
            let name = &year.world.processes[row.process].name;
            return Err(format!("the table tells the truth in the end: {name} is in alarm; {state:#?}"));
        }
    }
    // And in the end everything is forgiven and forgotten.
    year.run(2 * DAY)?;
    let Some(pm) = &year.pm else { return Err("pm is down".to_owned()) };
    if !pm.state.is_at_rest() || !year.journal.standings.is_empty() || !year.journal.outbox.is_empty() {
        return Err(format!(
            "everything is forgiven in the end: {:#?} {:#?}",
            pm.state, year.journal.standings
        ));
    }
    Ok(())
}

#[test]
fn simulated_years_keep_the_rules_and_end_well() {
    let days = number("PM_SIMULATED_DAYS").unwrap_or(365);
    let calm = number("PM_SIMULATED_CALM").unwrap_or(16 * 60) * MINUTE;
    let seeds = number("PM_SIMULATED_SEED").map_or(1..5, |seed| seed..seed + 1);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let years: Vec<_> = seeds
            .map(|seed| scope.spawn(move || (seed, live(seed, days, calm, Sabotage::Nothing))))
            .collect();
        let lived = years.into_iter().map(|year| year.join().expect("no year panics"));
        lived
            .filter_map(|(seed, lived)| match lived {
                Ok(year) => {
                    println!("seed {seed}: {:#?}", year.check.tally);
                    None
                }
                Err(rule) => Some(rule),
            })
            .collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn each_lie_is_noticed() {
    let mut overlooked = Vec::new();
    for (sabotage, rule) in Sabotage::ALL {
        // Some bad days show as much as a year.
        let broken = (1..100).filter_map(|seed| live(seed, 5, HOUR / 2, sabotage).err());
        match broken.into_iter().find(|broken| broken.contains(rule)) {
            Some(broken) => println!("{sabotage:?}: {}", broken.lines().next().unwrap_or_default()),
            None => overlooked.push(format!("{sabotage:?}: {rule}")),
        }
    }
    assert!(overlooked.is_empty(), "nobody noticed: {overlooked:#?}");
}
