//! The breaker of a group, written in the file or in the table: budget, correlation, one canary, release by 1, 2, 4.

use super::{World, custom, history, json, world};
use serde_json::Value;

/// Members of the group shop whose restart takes a moment, is noted in `ran`, and helps once `fixed` is there.
fn members(names: &[&str], keys: &str) -> String {
    let command =
        "restart_command = echo %{name} >> @DIR@/ran; sleep 0.1; test -e @DIR@/fixed\nmax_attempts = 1";
    let section =
        |name: &&str| custom(name, &format!("{command}\nbackoff = 0\nmax_restart_failures = 50\n{keys}"));
    names.iter().map(section).collect()
}

/// Says in the table who is a member of shop; pm reads it when there are alarms.
fn enlist(world: &World, names: &[&str]) {
    for name in names {
        world.table.execute("INSERT INTO pm_group VALUES (?1, 'shop')", [name]).unwrap();
    }
}

/// All attempts of members, oldest first: name, beginning, end.
fn attempts(world: &World) -> Vec<(String, i64, i64)> {
    let all = json(&world.ok(&["history", "--format", "json"]));
    let number = |attempt: &Value, key: &str| attempt[key].as_i64().unwrap_or(i64::MAX);
    let one = |attempt: &Value| {
        let name = attempt["name"].as_str().unwrap().to_owned();
        (name, number(attempt, "began_ms"), number(attempt, "ended_ms"))
    };
    all.as_array().unwrap().iter().rev().filter(|attempt| attempt["name"] != "marker").map(one).collect()
}

#[test]
fn a_spent_budget_opens_the_group_and_nobody_else() {
    let group = "[group.shop]\nbudget = 2\nbudget_refill = 1d\ncorrelation = 0\ncorrelation_share = 100\n\
                 circuit_reset_time = 600\n\n";
    let mut world = world("", &(members(&["a", "b", "c"], "group = shop") + group));
    world.write("fixed", "", 0o644);
    world.start();
    world.handled("a");
    world.handled("b");
    let id = world.alarm("c");
    world.until_log(
        "WARNING] - Circuit breaker opened for the group shop: its budget of restarts is used up (one trial of one member in ",
    );
    world.until_log(&format!(
        "Not acting on c (ID: {id}): the breaker of the group shop is open; one trial of one member in "
    ));
    world.round();
    assert_eq!((world.lines("ran"), world.state(id).0), (vec!["a".to_owned(), "b".to_owned()], 1));
    let why = world.ok(&["why", "c"]);
    assert!(why.starts_with("c is in alarm; the alarm is held (group-open).\n"), "{why}");
    // By hand it is refused with the same reason, and made all the same when that is asked for.
    let refused = world.pm(&["restart", "c"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("c was not restarted: the breaker of the group shop is open; "),
        "{refused:?}"
    );
    world.ok(&["restart", "c", "--force"]);
    assert_eq!(world.count("ran"), 3);
}

#[test]
fn trouble_in_a_share_of_the_members_opens_a_group_that_is_too_small_for_the_number() {
    let names = ["a", "b", "c", "d"];
    let group = "[group.shop]\nbudget = 100\ncorrelation = 4\ncorrelation_share = 50\n\n";
    let mut world = world("storm_limit = 0", &(members(&names, "group = shop") + group));
    world.start();
    world.alarm("a");
    world.until("two failures of one of four", |_| history(&world, "a").len() >= 2);
    world.round();
    assert_eq!(world.said("Circuit breaker opened for the group shop"), 0, "{}", world.log());
    world.ok(&["hold", "a"]);
    world.alarm("b");
    world.until_log(
        "Circuit breaker opened for the group shop: several members are in trouble: a, b (one trial of one member in ",
    );
    let id = world.alarm("c");
    world.until_log(&format!("Not acting on c (ID: {id}): the breaker of the group shop is open; "));
    world.round();
    assert!(!world.lines("ran").contains(&"c".to_owned()), "{}", world.log());
}

#[test]
fn trouble_in_several_members_is_one_trouble_and_holds_the_healthy_ones_back() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let mut world = world("storm_limit = 0", &(members(&names, "") + "[group.shop]\nbudget = 100\n\n"));
    enlist(&world, &["a", "b", "c", "d", "e", "f", "g"]);
    world.start();
    for name in ["a", "b"] {
        // More than once, so that it is members that are counted and not failures.
        world.alarm(name);
        world.until("two failures", |_| history(&world, name).len() >= 2);
        world.ok(&["hold", name]);
        assert_eq!(world.said("Circuit breaker opened for the group shop"), 0, "{}", world.log());
    }
    world.alarm("c");
    world.until_log(
        "Circuit breaker opened for the group shop: several members are in trouble: a, b, c (one trial of one member in ",
    );
    world.write("fixed", "", 0o644);
    let id = world.alarm("d");
    world.until_log(&format!("Not acting on d (ID: {id}): the breaker of the group shop is open; "));
    world.round();
    assert!(!world.lines("ran").contains(&"d".to_owned()), "{}", world.log());
    // One order closes it.
    world.ok(&["reset", "--group", "shop", "--why", "the cable is plugged in"]);
    world.cleared(id);
}

#[test]
fn one_canary_decides_and_the_others_follow_by_1_2_4() {
    let names = ["m1", "m2", "m3", "m4", "m5", "m6", "m7"];
    // m8 comes last in the table and is the least critical, but nearest to the root.
    let sections = custom("base", "restart_command = true")
        + &members(&names, "depends_on = base\ncriticality = high")
        + &members(&["m8"], "criticality = low")
        + "[group.shop]\nbudget = 100\ncorrelation = 2\ncircuit_reset_time = 2\nstable_time = 1\n\n";
    // The eight fail a moment apart: whoever is first must not be tried again before the second opens the group.
    let sections = sections.replace("backoff = 0", "backoff = 900ms\nbackoff_factor = 1");
    let mut world = world("storm_limit = 0\nmass_alarm_min = 0\nmax_parallel_restarts = 8", &sections);
    let names: Vec<_> = names.into_iter().chain(["m8"]).collect();
    enlist(&world, &names);
    let rows: Vec<_> = names.iter().map(|name| world.alarm(name)).collect();
    world.start();
    world.until_log("Circuit breaker opened for the group shop: several members are in trouble: ");
    // A canary that fails opens it again, for longer, and nobody else is tried.
    world.until_log("Circuit breaker opened for the group shop: the restart that was tried did not help ");
    let before = attempts(&world);
    assert_eq!((before.len(), before[8].0.as_str()), (9, "m8"), "eight at once, then one\n{}", world.log());
    world.write("fixed", "", 0o644);
    for id in rows {
        world.cleared(id);
    }
    world.until_log("Circuit breaker reset for the group shop");
    let after = attempts(&world).split_off(before.len());
    // Whoever was tried in vain is not tried again before the others.
    assert_eq!((after.len(), after[0].0.as_str()), (8, "m1"), "{after:?}\n{}", world.log());
    let (mut batches, mut rest) = (Vec::new(), &after[..]);
    for size in [1, 1, 2, 4] {
        let (batch, others) = rest.split_at(size);
        (batches, rest) = ([batches, vec![batch]].concat(), others);
    }
    for pair in batches.windows(2) {
        let ended = pair[0].iter().map(|(_, _, ended)| ended).max();
        let began = pair[1].iter().map(|(_, began, _)| began).min();
        assert!(ended <= began, "{after:?}");
    }
    let log = world.log();
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{log}"));
    let half_open = place("Circuit breaker half-open for the group shop: one member is tried first");
    let behind = place("the group shop is tried with one member first: m8");
    let stayed = place("The first member of the group shop stayed well: the others follow by 1, 2, 4, ...");
    let batch = place("the group shop is let go in batches; the present one, of 1, has to succeed first");
    assert!(half_open < behind && behind < stayed && stayed < batch, "{log}");
    assert!(batch < place("Circuit breaker reset for the group shop"), "{log}");
}
