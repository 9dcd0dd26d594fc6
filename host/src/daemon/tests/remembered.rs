//! What a loop that begins takes from the journal, also while the database is away, and what it hears of restarts that are
//! not its own.

use super::{Double, Event, Outside};
use crate::clock::{Stop, SystemClock};
use crate::policy::breaker::{Breaker, Probe, State};
use crate::policy::model::{Due, Name, OnTrial, Standing};
use crate::policy::relations::Relations;
use crate::policy::testing::secs;
use crate::policy::time::{Ticks, Wall};
use crate::policy::window::{Order, Override, Scope};
use crate::ports::{Clock as _, Effect, HostMemory, Trouble};
use std::collections::BTreeMap;

fn name(text: &str) -> Name {
    Name::new(text)
}

fn polls(world: &Double) {
    let polls = world.with(|o| o.polls);
    world.until("polls go on", |o| o.polls > polls + 3);
}

#[test]
fn restarts_that_do_not_help_open_the_breaker_which_outlives_the_daemon() {
    let world = Double::new();
    world.with(|o| o.broken.insert("web".to_owned()));
    world.raise(1, "web");
    let daemon = world.start(4);
    world.until("three failures", |o| o.restarts.len() == 3);
    let open = |o: &Outside| o.standings.values().any(|s| s.breaker.failures == 3);
    world.until("the breaker is stored", open);
    let polls = world.with(|o| o.polls);
    world.until("polls go on", |o| o.polls > polls + 3);
    daemon.stop();
    let daemon = world.start(4);
    let polls = world.with(|o| o.polls);
    world.until("polls go on", |o| o.polls > polls + 3);
    daemon.stop();
    world.with(|o| assert_eq!(o.restarts.len(), 3));
}

/// A restart that helped is on trial since an hour. Whether pm saw the process all the time, or was stopped right after it,
/// makes the difference.
#[test]
fn time_in_which_pm_did_not_run_proves_nothing() {
    let world = Double { stable: secs(100), ..Double::new() };
    let now = SystemClock::new(Stop::new()).now().boot;
    let began = Ticks(now.0.saturating_sub(3_600_000));
    let trial = Breaker {
        state: State::HalfOpen(Probe::Used),
        useless: vec![began],
        quiet_from: Some(began),
        ..Breaker::default()
    };
    let trial =
        Standing { breaker: trial, trial: Some(OnTrial { rung: 0, since: began }), ..Standing::default() };
    world.with(|o| {
        o.standings.insert(name("web"), trial.clone());
        o.host.seen_until = Some(began);
    });
    let half_open = |o: &Outside| o.standings[&name("web")].breaker.state == State::HalfOpen(Probe::Used);
    let daemon = world.start(4);
    polls(&world);
    daemon.stop();
    world.with(|o| {
        assert!(half_open(o) && o.effects.is_empty(), "{:?}", o.standings);
        // How far it has seen is noted for the next one.
        assert!(o.host.seen_until > Some(now), "{:?}", o.host);
        o.host.seen_until = Some(now);
        // Others were told at once that it has proven nothing.
        assert!(o.standings[&name("web")].breaker.quiet_from >= Some(now), "{:?}", o.standings);
        o.standings.insert(name("web"), trial);
    });
    let daemon = world.start(4);
    world.until("it has lasted", |o| o.effects == [(name("web"), Effect::Lasted)]);
    daemon.stop();
    world.with(|o| assert!(!half_open(o), "{:?}", o.standings));
}

#[test]
fn alarms_raised_while_the_database_is_away_are_handled_when_it_is_back() {
    let world = Double::new();
    world.with(|o| o.trouble = Some(Trouble::Away));
    world.raise(1, "web");
    let daemon = world.start(4);
    world.until("it was tried", |o| o.polls >= 2);
    world.with(|o| o.trouble = None);
    world.until("handled", |o| o.rows.is_empty());
    daemon.stop();
}

#[test]
fn what_the_tables_said_holds_while_the_database_is_away() {
    let world = Double::new();
    let hold = Override {
        scope: Scope::Group(name("front")),
        order: Order::Hold,
        by: "ana".to_owned(),
        why: String::new(),
        since: Wall(0),
        until: None,
    };
    let relations = Relations { groups: vec![(name("web"), name("front"))], dependencies: Vec::new() };
    let due = BTreeMap::from([(name("web"), Due { because: name("db"), since: Ticks(1) })]);
    world.with(|o| {
        o.host = HostMemory { relations: relations.clone(), due, ..HostMemory::default() };
        (o.overrides, o.trouble) = (vec![hold], Some(Trouble::Away));
    });
    let daemon = world.start(4);
    let polls = world.with(|o| o.polls);
    world.until("polls fail", |o| o.polls > polls);
    world.with(|o| assert!(o.restarts.is_empty(), "{:?}", o.restarts));
    world.with(|o| o.overrides.clear());
    daemon.events.send(Event::Orders).unwrap();
    world.until("it is released", |o| o.restarts == ["web"]);
    // What is read is remembered for the next time.
    let other = Relations { groups: vec![(name("web"), name("back"))], ..Relations::default() };
    world.with(|o| (o.relations, o.trouble) = (other.clone(), None));
    world.raise(1, "stranger");
    world.until("it is noted", |o| o.host.relations == other);
    daemon.stop();
}

#[test]
fn a_restart_by_hand_that_is_under_way_is_waited_for_until_it_ends_or_dies() {
    let world = Double::new();
    // It was begun after the loop has looked the last time: the claim refuses, and the loop hears why.
    let daemon = world.start(4);
    polls(&world);
    world.with(|o| o.elsewhere = vec![(name("web"), Wall(0))]);
    world.raise(1, "web");
    polls(&world);
    polls(&world);
    world.with(|o| {
        assert!(o.restarts.is_empty() && o.entries.is_empty(), "{:?}", o.restarts);
        assert!(o.standings.values().all(|standing| standing.pause.is_none()), "its driver has not failed");
        // Nobody tells that it was killed.
        o.elsewhere.clear();
    });
    world.until("it is handled", |o| o.restarts == ["web"] && o.rows.is_empty());
    daemon.stop();
}
