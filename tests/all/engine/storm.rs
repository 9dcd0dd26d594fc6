//! The storm limit: so many restarts of a host at once, the others one after the other.

use super::{custom, json, world};

#[test]
fn a_storm_is_let_through_one_by_one_the_most_critical_first() {
    let names = ["low", "normal", "high", "critical"];
    let sections = names.map(|name| {
        custom(name, &format!("criticality = {name}\nrestart_command = echo {name} >> @DIR@/ran"))
    });
    let mut world = world("storm_limit = 2\nstorm_refill = 1\nmax_parallel_restarts = 1", &sections.concat());
    let rows = names.map(|name| world.alarm(name));
    world.start();
    world.until_count("ran", 2);
    let why = world.ok(&["why", "low"]);
    assert!(why.starts_with("low is in alarm; the alarm is held (storm-limit).\n"), "{why}");
    assert!(
        why.contains("HOLD storm limit   this host has begun as many restarts as it may (storm_limit = 2); the next one in 1 s\n"),
        "{why}"
    );
    for id in rows {
        world.cleared(id);
    }
    assert_eq!(world.lines("ran"), ["critical", "high", "normal", "low"]);
    let all = json(&world.ok(&["history", "--format", "json"]));
    let began: Vec<_> =
        all.as_array().unwrap().iter().map(|attempt| attempt["began_ms"].as_i64().unwrap()).collect();
    assert!(began[0] - began[1] >= 900 && began[1] - began[2] >= 500, "newest first: {began:?}");
    let told = "This host has begun as many restarts as it may at once (storm_limit = 2): 2 more follow, one every 1 s";
    assert_eq!(world.said(told), 1, "{}", world.log());
}

#[test]
fn a_plan_lists_those_who_wait_by_their_turns() {
    let names = ["low", "normal", "critical"];
    let sections = names
        .map(|name| custom(name, &format!("criticality = {name}\nrestart_command = echo x >> @DIR@/ran")));
    let mut world = world("storm_limit = 1\nstorm_refill = 100", &sections.concat());
    let _ = names.map(|name| world.alarm(name));
    world.start();
    world.until_count("ran", 1);
    let mut plan = String::new();
    world.until("two to wait", |world| {
        plan = world.ok(&["plan"]);
        plan.matches("its turn comes in ").count() == 2
    });
    let turns: Vec<u32> = plan
        .split("its turn comes in ")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(turns[1] - turns[0] == 100 && turns[0] <= 100, "{plan}");
    assert!(plan.find(" normal ").unwrap() < plan.find(" low ").unwrap(), "{plan}");
    assert!(plan.contains(" s pm decides again by itself: "), "{plan}");
}

#[test]
fn without_a_limit_everything_is_restarted_at_once() {
    let names: Vec<String> = (0..30).map(|number| format!("p{number}")).collect();
    let sections: String =
        names.iter().map(|name| custom(name, "restart_command = echo x >> @DIR@/ran")).collect();
    let mut world = world("storm_limit = 0\nmass_alarm_min = 0", &sections);
    let rows: Vec<_> = names.iter().map(|name| world.alarm(name)).collect();
    world.start();
    for id in rows {
        world.cleared(id);
    }
    assert_eq!((world.count("ran"), world.said("storm_limit")), (30, 0));
}
