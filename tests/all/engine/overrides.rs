//! The operator's word beside a running daemon: hold, observe, bypass, release, reset and restart --force.

use super::{World, custom, history, in_order, json, kill, programs, real, running, status, world};

/// A command that is noted and never helps, with a breaker that opens at once and for long.
fn hopeless(name: &str) -> String {
    let keys = "max_attempts = 1\nmax_restart_failures = 1\ncircuit_reset_time = 600\nbackoff = 600";
    custom(name, &format!("restart_command = echo {name} >> @DIR@/ran; test -e @DIR@/repaired\n{keys}"))
}

fn open_breaker(world: &World, name: &str) -> i64 {
    let id = world.alarm(name);
    world.until_log(&format!("Circuit breaker open for {name}. Skipping restart."));
    id
}

#[test]
fn a_hold_of_a_group_of_the_table_stops_its_members_and_nobody_else() {
    let mut world = world("", &(real("w1", "") + &real("w2", "")));
    world.table.execute("INSERT INTO pm_group VALUES ('w1', 'front')", []).unwrap();
    programs(&world, &["w1", "w2"], &[]);
    world.start();
    let told = world.ok(&["hold", "--group", "front", "--by", "ana", "--why", "new racks"]);
    assert!(told.starts_with("The group front is held by ana until it is released (new racks). "), "{told}");
    let rows = ["w1", "w2"].map(|name| world.alarm(name));
    world.cleared(rows[1]);
    world.until_log(&format!(
        "Not acting on w1 (ID: {}): held by ana (new racks), until it is released",
        rows[0]
    ));
    world.round();
    for force in [&["restart", "w1"][..], &["restart", "w1", "--force"]] {
        let refused = world.pm(force);
        assert!(
            refused.code == 1 && refused.err.contains("held") && refused.err.contains("ana"),
            "{refused:?}"
        );
    }
    assert_eq!((world.lines("started"), world.state(rows[0]).0), (vec!["w2".to_owned()], 1));
    world.ok(&["release", "--group", "front"]);
    world.cleared(rows[0]);
    assert_eq!(
        (running(&world, "w1").len(), status(&world, "w1")["breaker"]["level"].clone()),
        (1, 0.into())
    );
}

#[test]
fn what_is_observed_is_decided_and_told_once_per_row_and_not_touched() {
    let mut world = world("", &(real("w1", "") + &real("w2", "depends_on = w1")));
    programs(&world, &["w1", "w2"], &["w1", "w2"]);
    let untouched = [running(&world, "w1"), running(&world, "w2")];
    world.start();
    world.ok(&["observe", "w1", "--by", "ana", "--why", "new release"]);
    let id = world.alarm("w1");
    let told =
        format!("Would restart w1 (ID: {id}) now; nothing is done, it is only observed (ana, new release)");
    world.until_log(&told);
    for _ in 0..3 {
        world.round();
    }
    assert_eq!((world.said(&told), world.state(id)), (1, (1, 0, Some("down".to_owned()))));
    let why = world.ok(&["why", "w1"]);
    assert!(
        why.contains(
            "HOLD observe       it would be restarted now; only observed, by order of ana (new release)\n"
        ),
        "{why}"
    );
    let refused = world.pm(&["restart", "w1"]);
    assert!(refused.code == 1 && refused.err.contains("only observed"), "{refused:?}");
    assert_eq!([running(&world, "w1"), running(&world, "w2")], untouched);
    assert!(history(&world, "w1").is_empty());
    world.ok(&["release", "w1"]);
    world.cleared(id);
    assert_ne!(running(&world, "w1"), untouched[0]);
}

#[test]
fn a_bypass_lets_a_restart_pass_breaker_and_backoff_and_is_counted_all_the_same() {
    let mut world = world("", &hopeless("bad"));
    world.start();
    let id = open_breaker(&world, "bad");
    let told = world.ok(&["bypass", "bad", "--for", "1h", "--by", "ana"]);
    assert!(told.starts_with("bad is bypassed by ana until "), "{told}");
    let ignored = "Breaker and group are ignored, and a restart waits for 10 s at the most; failures are still counted.";
    assert!(told.contains(ignored), "{told}");
    world.until_count("ran", 2);
    let why = world.ok(&["why", "bad"]);
    assert!(why.contains("bypassed by an operator (open, "), "{why}");
    // Failures count, but an open breaker is not opened once more by what passes it by order.
    let breaker = &status(&world, "bad")["breaker"];
    assert!(breaker["failures"].as_i64().unwrap() >= 2 && breaker["level"] == 1, "{breaker:#}");
    world.ok(&["release", "bad"]);
    let ran = world.count("ran");
    world.until_log("OPERATOR LOG: Not in force any more: bypass of bad by ana");
    world.round();
    // One that had begun may have ended meanwhile.
    let after = world.count("ran");
    assert!(after <= ran + 1);
    world.round();
    assert_eq!((world.count("ran"), world.state(id).0), (after, 1));
    for (words, why) in [
        (&["bypass", "bad"][..], "a bypass must end by itself"),
        (&["bypass", "bad", "--for", "25h"], "a bypass lasts 24 hours at most"),
    ] {
        let refused = world.pm(words);
        assert!(refused.code == 2 && refused.err.contains(why), "{refused:?}");
    }
}

#[test]
fn force_makes_one_attempt_which_counts_and_a_reset_closes_breaker_and_group() {
    let group = "[group.shop]\nbudget = 1\nbudget_refill = 1d\ncircuit_reset_time = 600\n\n";
    let mut world = world("", &(hopeless("bad") + "group = shop\n\n" + group));
    world.start();
    let id = open_breaker(&world, "bad");
    let refused = world.pm(&["restart", "bad"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains(
            "bad was not restarted: the breaker is open after 1 restart that did not help; one trial in "
        ) && refused.err.contains("; to restart it all the same: pm restart bad --force\n"),
        "{refused:?}"
    );
    assert_eq!(world.pm(&["restart", "bad", "--force"]).code, 1);
    // It counts, and leaves the breaker open as it was.
    world.round();
    let breaker = &status(&world, "bad")["breaker"];
    assert_eq!((&breaker["failures"], &breaker["level"], world.count("ran")), (&2.into(), &1.into(), 2));
    world.write("repaired", "", 0o644);
    world.round();
    assert_eq!((world.count("ran"), world.state(id).0), (2, 1));
    let told = world.ok(&["reset", "bad", "--by", "ana"]);
    assert!(told.starts_with("Reset of bad: breaker closed, failures forgotten.\n"), "{told}");
    // What is left is the budget of its group, which is reset by its own name.
    world.until_log("Circuit breaker opened for the group shop: its budget of restarts is used up");
    world.ok(&["reset", "--group", "shop", "--by", "ana"]);
    world.cleared(id);
    assert_eq!(world.count("ran"), 3);
    let audit = json(&world.ok(&["audit", "--format", "json"]));
    let verbs: Vec<_> =
        audit.as_array().unwrap().iter().rev().map(|entry| entry["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["restart", "restart --force", "restart --force", "reset", "reset"], "{audit:#}");
    in_order(
        &world,
        &["bad was not restarted by hand", "OPERATOR LOG: Failures of bad are forgotten", "reset by ana"],
    );
    assert_eq!(world.ok(&["audit", "--verify"]).lines().count(), 2);
}

#[test]
fn by_hand_a_half_open_breaker_gets_one_restart_as_well_and_a_running_one_is_not_overtaken() {
    let keys = "max_attempts = 3\nmax_restart_failures = 1\nstable_time = 60\ncircuit_reset_time = 1\ncircuit_jitter = 0";
    let slow = custom(
        "slow",
        "restart_command = echo x >> @DIR@/slow; while [ ! -e @DIR@/go ]; do sleep 0.02; done",
    );
    let mut world = world("", &(real("web", keys) + &slow));
    programs(&world, &["web"], &[]);
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    kill(&world, running(&world, "web")[0]);
    world.again(id);
    world.until_log("Circuit breaker opened for web");
    world.ok(&["alarm", "clear", "web"]);
    world.write("web", "#!/bin/sh\necho no >> $(dirname $0)/tried; exit 1\n", 0o755);
    world.until_log("Circuit breaker half-open for web");
    let tried = world.pm(&["restart", "web"]);
    assert_eq!((tried.code, world.count("tried")), (1, 1), "{tried:?}");
    world.until_log("Circuit breaker opened for web after 2 failures");
    let slow = world.alarm("slow");
    world.until_count("slow", 1);
    for words in [&["restart", "slow"][..], &["restart", "slow", "--force"]] {
        let refused = world.pm(words);
        assert!(refused.code == 1 && refused.err.contains("under way"), "{refused:?}");
    }
    world.write("go", "", 0o644);
    world.cleared(slow);
    assert_eq!(world.count("slow"), 1);
}
