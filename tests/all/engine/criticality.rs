//! Criticality: how often something is tried, how long its breaker stays open, and who goes first.

use super::{World, custom, json, world};

const LEVELS: [(&str, usize, &str); 4] =
    [("low", 2, "900"), ("normal", 3, "300"), ("high", 4, "180"), ("critical", 5, "120")];

/// One process of each level, by its word.
fn one_of_each(keys: &str) -> String {
    let section = |(level, ..): (&str, usize, &str)| {
        custom(level, &format!("criticality = {level}\nrestart_command = echo {level} >> @DIR@/ran; {keys}"))
    };
    LEVELS.map(section).concat()
}

fn ran(world: &World, level: &str) -> usize {
    world.lines("ran").iter().filter(|line| *line == level).count()
}

#[test]
fn thresholds_and_open_times_go_by_criticality() {
    let numbers =
        LEVELS.map(|(level, ..)| format!("[criticality.{level}]\nbackoff = 0\ncircuit_jitter = 0\n\n"));
    let mut world = world("storm_limit = 0", &(one_of_each("false\nmax_attempts = 1") + &numbers.concat()));
    world.start();
    let rows = LEVELS.map(|(level, ..)| world.alarm(level));
    for (level, most, open) in LEVELS {
        world.until_log(&format!(
            "Circuit breaker opened for {level} after {most} failures (one trial in {open} s)"
        ));
    }
    world.round();
    for ((level, most, _), id) in LEVELS.into_iter().zip(rows) {
        assert_eq!((ran(&world, level), world.state(id).0), (most, 1), "{level}\n{}", world.log());
    }
}

#[test]
fn every_number_of_a_level_can_be_set_and_a_process_comes_before_its_level() {
    let level = "[criticality.low]\nmax_restart_failures = 1\nbackoff = 0\ncircuit_reset_time = 77\ncircuit_jitter = 0\n\n";
    let own = custom(
        "own",
        "criticality = low\nrestart_command = false\nmax_attempts = 1\nmax_restart_failures = 2",
    );
    let mut world = world("", &(one_of_each("false\nmax_attempts = 1") + level + &own));
    world.start();
    world.alarm("low");
    world.alarm("own");
    world.until_log("Circuit breaker opened for low after 1 failures (one trial in 77 s)");
    world.until_log("Circuit breaker opened for own after 2 failures (one trial in 77 s)");
}

#[test]
fn when_not_all_can_the_most_critical_goes_first_whatever_the_order_of_the_rows() {
    let mut world = world("storm_limit = 0\nmax_parallel_restarts = 1", &one_of_each("true"));
    // In alarm before pm starts, so that one poll sees them all.
    let rows = LEVELS.map(|(level, ..)| world.alarm(level));
    let plan = json(&world.ok(&["plan", "--format", "json"]));
    assert_eq!(plan["begin"][0]["name"], "critical");
    let held: Vec<_> =
        plan["hold"].as_array().unwrap().iter().map(|held| held["why"].as_str().unwrap()).collect();
    assert_eq!(held, ["as many restarts are running as max_parallel_restarts allows (1)"; 3]);
    world.start();
    for id in rows {
        world.cleared(id);
    }
    assert_eq!(world.lines("ran"), ["critical", "high", "normal", "low"]);
}
