//! A simulated year of an unlucky machine: processes that crash, hang, flap and drag each other down, a table that tells
//! of it late or wrongly or not at all, a driver, a database and a pm that come and go, clocks that are set, and operators
//! with a mind of their own.
//!
//! At every step the rules of [`check`] must hold, and when everything has been repaired, pm must bring back what is still
//! down and the table must tell the truth, within the time that `quiet` works out.
//!
//! `PM_SIMULATED_DAYS` sets the length of the years, `PM_SIMULATED_CALM` for how many minutes nothing goes wrong on
//! average, `PM_SIMULATED_SEED` runs the year of one seed, or those of a range (`5-34`). Without it some fixed years are
//! lived, and two that nobody has seen before; their seeds are printed, and a failure says how it is repeated.
//! `each_lie_is_noticed` shows that the checks can fail.

#![allow(clippy::unwrap_used, reason = "what is not there in a simulated world ends it")]

mod check;
mod dice;
mod fault;
mod hand;
mod host;
mod quiet;
mod reload;
mod sabotage;
mod work;
mod world;
mod year;

use sabotage::Sabotage;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use world::{DAY, HOUR, MINUTE, Ms};
use year::Year;

/// Years that are always lived.
const FIXED: RangeInclusive<u64> = 1..=4;

/// How long a year is, and how long nothing goes wrong in it, on average.
#[derive(Debug, Clone, Copy)]
struct Setting {
    days: u64,
    calm: Ms,
}

/// Some bad days, which show as much as a year.
const BAD_DAYS: Setting = Setting { days: 5, calm: HOUR / 2 };

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

/// The seeds that were asked for, or the fixed ones and two new ones.
fn seeds() -> Vec<u64> {
    let Ok(text) = std::env::var("PM_SIMULATED_SEED") else {
        let new = [(); 2].map(|()| RandomState::new().build_hasher().finish() % 1_000_000_000);
        return FIXED.chain(new).collect();
    };
    let bounds = text.split_once('-').unwrap_or((&text, &text));
    let seed = |text: &str| -> u64 {
        text.parse().unwrap_or_else(|error| panic!("PM_SIMULATED_SEED={text}: {error}"))
    };
    (seed(bounds.0)..=seed(bounds.1)).collect()
}

/// Lives the year of `seed`; answers what was broken, and how to see it again.
fn live(seed: u64, setting: Setting, sabotage: Sabotage) -> Result<Year, String> {
    let Setting { days, calm } = setting;
    let again = format!(
        "PM_SIMULATED_SEED={seed} PM_SIMULATED_DAYS={days} PM_SIMULATED_CALM={} cargo nextest run -p pm-policy \
         --test simulator -E 'test(simulated_years)'",
        calm / MINUTE
    );
    let mut year = Year::new(seed, calm, sabotage);
    let lived = catch_unwind(AssertUnwindSafe(|| year.run(days * DAY).and_then(|()| end_well(&mut year))));
    match lived {
        Ok(Ok(())) => Ok(year),
        Ok(Err(rule)) => {
            Err(format!("seed {seed}, {} ms into the year: {rule}\n{}\n{again}", year.t, year.log.text()))
        }
        Err(_) => Err(format!("seed {seed} panicked, {} ms into the year\n{again}", year.t)),
    }
}

/// Does `work` for each of `all`, as many at once as there are processors; the answers in the order of `all`.
fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |count| count.get().max(2)) {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(one) = all.get(at)
                {
                    let answer = work(one);
                    done.lock().unwrap().push((at, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, answer)| answer).collect()
}

/// What is repaired comes back, and in the end everything is forgiven and forgotten.
fn end_well(year: &mut Year) -> Result<(), String> {
    year.over = true;
    if year.quiet.is_none() {
        quiet::tick(year)?;
    }
    while year.quiet.is_some() {
        year.run(MINUTE)?;
    }
    year.run(2 * DAY)?;
    let Some(pm) = &year.pm else { return Err("pm is down".to_owned()) };
    let forgiven = pm.state.is_at_rest() && year.journal.standings.is_empty();
    if !forgiven || !year.journal.outbox.is_empty() || year.world.rows.iter().any(|row| row.alarm) {
        return Err(format!(
            "everything is forgiven in the end: {:#?} {:#?}",
            pm.state, year.journal.standings
        ));
    }
    Ok(())
}

#[test]
fn simulated_years_keep_the_rules_and_end_well() {
    let setting = Setting {
        days: number("PM_SIMULATED_DAYS").unwrap_or(365),
        calm: number("PM_SIMULATED_CALM").unwrap_or(16 * 60) * MINUTE,
    };
    let seeds = seeds();
    eprintln!("the years of the seeds {seeds:?}, {setting:?}");
    let lived = each(&seeds, |seed| live(*seed, setting, Sabotage::Nothing));
    let failures: Vec<String> = lived.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), seeds.len(), failures.join("\n\n"));
}

/// Bad days that are clean without a lie, so that what is found in them is what a lie has done.
#[test]
fn each_lie_is_noticed() {
    let seeds: Vec<u64> = (1..=16).collect();
    let clean = each(&seeds, |seed| live(*seed, BAD_DAYS, Sabotage::Nothing));
    let broken: Vec<String> = clean.into_iter().filter_map(Result::err).collect();
    assert!(broken.is_empty(), "without a lie:\n{}", broken.join("\n\n"));
    let overlooked = each(Sabotage::ALL, |(sabotage, rule)| {
        let lived = || seeds.iter().filter_map(|seed| live(*seed, BAD_DAYS, *sabotage).err());
        let first = |broken: &String| broken.lines().next().unwrap_or_default().to_owned();
        match lived().find(|broken| first(broken).contains(rule)) {
            Some(broken) => {
                println!("{sabotage:?}: {}", first(&broken));
                None
            }
            None => Some(format!(
                "{sabotage:?}, {rule}: {:#?}",
                lived().map(|its| first(&its)).collect::<Vec<_>>()
            )),
        }
    });
    let overlooked: Vec<String> = overlooked.into_iter().flatten().collect();
    assert!(overlooked.is_empty(), "nobody noticed:\n{}", overlooked.join("\n"));
}
