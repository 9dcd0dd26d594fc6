//! What the tables say of dependencies, and what a loop that sees only polls may conclude from an alarm that is out of
//! sight.

use super::{Double, Outside};
use crate::policy::model::Name;
use crate::policy::relations::Relations;
use crate::ports::Trouble;

/// web and app, in alarm with what they depend on, whose restart does not help.
fn shop() -> Double {
    let world = Double::new();
    let pair = |from: &str, to: &str| (Name::new(from), Name::new(to));
    let dependencies = vec![pair("app", "db"), pair("web", "app")];
    world.with(|o| o.relations = Relations { groups: Vec::new(), dependencies });
    world.with(|o| o.broken.insert("db".to_owned()));
    for (row, name) in [(1, "web"), (2, "app"), (3, "db")] {
        world.raise(row, name);
    }
    world
}

/// Lets polls go on for a while.
fn polls(world: &Double) {
    let polls = world.with(|o| o.polls);
    world.until("polls go on", |o| o.polls > polls + 3);
}

fn only_db(outside: &mut Outside) {
    assert!(outside.restarts.iter().all(|name| name == "db"), "{:?}", outside.restarts);
}

#[test]
fn a_restart_that_did_not_help_lets_nobody_go_that_waits_for_it() {
    let world = shop();
    let daemon = world.start(4);
    world.until("it failed until its breaker opened", |o| o.restarts.len() == 3);
    polls(&world);
    world.with(only_db);
    world.with(|o| {
        o.broken.clear();
        // Its source says that it is well again.
        o.rows.remove(&3);
    });
    daemon.events.send(super::Event::Orders).unwrap();
    polls(&world);
    world.with(only_db);
    daemon.stop();
}

#[test]
fn while_the_database_is_away_nobody_is_let_go_whose_dependency_failed() {
    let world = shop();
    world.with(|o| o.stuck.insert("db".to_owned()));
    let daemon = world.start(4);
    world.until("it runs", |o| o.running == 1);
    world.with(|o| o.trouble = Some(Trouble::Away));
    polls_fail(&world);
    world.with(|o| o.gate_open = true);
    world.until("it ended", |o| o.entries.values().any(|(_, end)| end.is_some()));
    polls_fail(&world);
    world.with(only_db);
    world.with(|o| o.trouble = None);
    world.until("it is tried again", |o| o.restarts.len() == 3);
    world.with(only_db);
    daemon.stop();
}

fn polls_fail(world: &Double) {
    let polls = world.with(|o| o.polls);
    world.until("polls fail", |o| o.polls > polls);
}

#[test]
fn what_could_not_be_read_is_read_again_with_the_next_poll() {
    let world = shop();
    world.with(|o| (o.rows, o.unrelated) = (std::collections::BTreeMap::new(), 3));
    let daemon = world.start(4);
    world.until("polls begin", |o| o.polls >= 1);
    // Somebody whom nothing depends on is in alarm all the time.
    world.with(|o| o.broken.insert("other".to_owned()));
    world.raise(4, "other");
    world.until("they are read", |o| o.unrelated == 0);
    polls(&world);
    for (row, name) in [(1, "web"), (2, "app"), (3, "db")] {
        world.raise(row, name);
    }
    world.until("db has failed", |o| o.restarts.iter().filter(|name| *name == "db").count() == 3);
    daemon.stop();
    world
        .with(|o| assert!(o.restarts.iter().all(|name| name == "db" || name == "other"), "{:?}", o.restarts));
}
