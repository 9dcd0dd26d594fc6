//! `kill -9` of pm in every state of restart control: the next start goes on from there, neither forgetting nor repeating.

use super::{World, config, custom, history, in_order, kill, programs, real, running, status, world};
use pm_tests::components;

/// A command that is noted and runs until the file `go` is there.
fn slow(name: &str, keys: &str) -> String {
    let command = "restart_command = echo %{name} >> @DIR@/ran; while [ ! -e @DIR@/go ]; do sleep 0.02; done";
    custom(name, &format!("{command}\n{keys}"))
}

fn go(world: &World) {
    world.write("go", "", 0o644);
}

#[test]
fn an_open_breaker_stays_open_until_the_same_moment_and_at_its_level() {
    let keys = "restart_command = echo x >> @DIR@/ran; false\nmax_attempts = 1\nmax_restart_failures = 1\nbackoff = 0\n\
                circuit_reset_time = 0.5\ncircuit_reset_max = 2m\nstable_time = 60\ncircuit_jitter = 0";
    let mut world = world("", &custom("bad", keys));
    world.start();
    let id = world.alarm("bad");
    world.until_log("(one trial in 4 s, level 4)");
    let until = |world: &World| status(world, "bad")["breaker"]["open_until_ms"].as_i64().unwrap();
    let before = until(&world);
    world.kill();
    let ran = world.count("ran");
    world.start();
    world.until("the open breaker to be said again", |world| {
        world
            .log()
            .rsplit("Starting Process Monitor Service")
            .next()
            .unwrap()
            .contains("Circuit breaker open for bad.")
    });
    // The two clocks are read one after the other, so they may differ by a little.
    assert!((until(&world) - before).abs() < 500 && world.count("ran") == ran, "{}", world.log());
    world.until_log("(one trial in 8 s, level 5)");
    assert_eq!((world.count("ran"), world.state(id).0), (ran + 1, 1), "exactly one trial\n{}", world.log());
}

/// Tells pm of another boot than that of this machine, once there is a file that names one.
const ANOTHER_BOOT: [&str; 7] = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    "if [ -e boot ]; then mount --bind boot /proc/sys/kernel/random/boot_id; fi && exec \"$@\"",
    "sh",
];

#[test]
fn after_a_reboot_an_open_breaker_is_due_for_its_one_trial_and_a_hold_still_holds() {
    // Mounting needs the rights that the component needs.
    if components::systemd().is_none() {
        return;
    }
    let keys = "restart_command = echo x >> @DIR@/ran; false\nmax_attempts = 1\nmax_restart_failures = 1\nbackoff = 0\n\
                circuit_reset_time = 600\ncircuit_jitter = 0";
    let sections = custom("bad", keys) + &custom("quiet", "restart_command = echo x >> @DIR@/quiet");
    let mut world = World::launched(&ANOTHER_BOOT, &config("", &sections));
    world.start();
    let bad = world.alarm("bad");
    world.until_log("Circuit breaker opened for bad after 1 failures (one trial in 600 s)");
    world.ok(&["hold", "quiet", "--by", "ana", "--why", "new disks"]);
    let quiet = world.alarm("quiet");
    let held = format!("Not acting on quiet (ID: {quiet}): held by ana (new disks), until it is released");
    world.until_log(&held);
    world.kill();
    // Only that pm was killed changes nothing.
    assert_eq!(status(&world, "bad")["breaker"]["state"], "open");
    world.write("boot", "8d1f0c6e-0000-4000-8000-000000000001\n", 0o644);
    let breaker = status(&world, "bad")["breaker"].clone();
    assert_eq!((&breaker["state"], &breaker["level"]), (&"half-open".into(), &1.into()), "{breaker:#}");
    world.start();
    // Of the failures before nothing is left, of the level it is.
    world.until_log("Circuit breaker opened for bad after 1 failures (one trial in 1200 s, level 2)");
    world.until("the hold to be said again", |world| world.log().matches(&held).count() == 2);
    world.round();
    assert_eq!((world.count("ran"), world.count("quiet")), (2, 0), "one trial\n{}", world.log());
    assert_eq!((world.state(bad).0, world.state(quiet).0), (1, 1));
    world.ok(&["release", "quiet"]);
    world.cleared(quiet);
}

#[test]
fn a_trial_that_was_made_is_not_made_again_and_its_relapse_is_noticed() {
    let keys =
        "max_restart_failures = 1\nstable_time = 60\nbackoff = 0\ncircuit_reset_time = 1\ncircuit_jitter = 0";
    let mut world = world("", &real("web", keys));
    programs(&world, &["web"], &[]);
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    kill(&world, running(&world, "web")[0]);
    world.again(id);
    world.until_log("Circuit breaker half-open for web");
    world.cleared(id);
    world.kill();
    let shown = world.ok(&["status"]);
    assert!(
        shown.lines().any(|line| line.starts_with("web ") && line.contains("half-open, on trial")),
        "{shown}"
    );
    kill(&world, running(&world, "web")[0]);
    world.again(id);
    world.start();
    world.until_log("Circuit breaker opened for web after 2 failures (one trial in 2 s, level 2)");
    assert_eq!(world.count("started"), 2, "{}", world.log());
    assert_eq!(history(&world, "web").last().unwrap()["effect"], "relapsed");
}

#[test]
fn a_canary_stays_the_only_one_while_it_runs_and_while_it_has_to_prove_itself() {
    let member = |name: &str| {
        slow(name, "max_attempts = 1\nbackoff = 0\ngroup = shop\nstable_time = 60\nmax_restart_failures = 9")
    };
    let group = "[group.shop]\nbudget = 2\nbudget_refill = 1d\ncorrelation = 0\ncircuit_reset_time = 1\nstable_time = 2\n\n";
    let mut world = world("", &(member("m1") + &member("m2") + &member("m3") + group));
    go(&world);
    world.start();
    let rows = ["m1", "m2", "m3"].map(|name| world.alarm(name));
    world.cleared(rows[0]);
    world.cleared(rows[1]);
    world.until_log("Circuit breaker opened for the group shop: its budget of restarts is used up");
    std::fs::remove_file(world.dir().join("go")).unwrap();
    world.again(rows[0]);
    world.until_log("Circuit breaker half-open for the group shop");
    world.until_count("ran", 3);
    // The canary runs.
    let canary = world.lines("ran")[2].clone();
    world.kill();
    world.start();
    world.until_count("ran", 4);
    world.round();
    assert_eq!(
        world.lines("ran")[2..],
        [canary.clone(), canary.clone()],
        "a command may run twice, but nobody else's"
    );
    go(&world);
    let its = rows[canary[1..].parse::<usize>().unwrap() - 1];
    world.cleared(its);
    // It has to prove itself.
    world.kill();
    world.start();
    let behind = format!("the group shop is tried with one member first: {canary}");
    world.until("the others to be held again", |world| {
        world.log().rsplit("Starting Process Monitor Service").next().unwrap().contains(&behind)
    });
    for id in rows {
        world.cleared(id);
    }
    world.until_log("Circuit breaker reset for the group shop");
    assert_eq!(world.count("ran"), 5, "{}", world.log());
    in_order(
        &world,
        &[
            &behind,
            "The first member of the group shop stayed well",
            "Circuit breaker reset for the group shop",
        ],
    );
}

#[test]
fn what_is_due_is_done_once_by_the_next_start_also_when_it_was_held() {
    let sections =
        custom("db", "restart_command = echo db >> @DIR@/ran\nrestart_dependents = yes\nbackoff = 0")
            + &custom("web", "restart_command = echo web >> @DIR@/ran\ndepends_on = db\nbackoff = 0");
    let mut world = world("", &sections);
    world.start();
    world.ok(&["hold", "web"]);
    let db = world.handled("db");
    world.round();
    let plan = world.ok(&["plan"]);
    assert!(plan.contains("hold  web") && plan.contains("held: held by "), "{plan}");
    world.kill();
    world.start();
    world.round();
    assert_eq!(world.lines("ran"), ["db"]);
    world.ok(&["release", "web"]);
    world.until_count("ran", 2);
    world.round();
    assert_eq!(world.lines("ran"), ["db", "web"]);
    assert_eq!(history(&world, "web").last().unwrap()["cause"], "dependency db");
    // And it is over: the next alarm of both is like any other.
    world.again(db);
    world.cleared(db);
    world.until_count("ran", 4);
    world.handled("web");
    assert_eq!(world.lines("ran"), ["db", "web", "db", "web", "web"]);
}

#[test]
fn a_restart_for_the_sake_of_a_dependency_or_by_hand_that_was_cut_off_leaves_nothing_behind() {
    let sections = custom("db", "restart_command = true\nrestart_dependents = yes\nbackoff = 0")
        + &slow("web", "depends_on = db\nbackoff = 0\nstable_time = 60\nmax_attempts = 1");
    let mut world = world("", &sections);
    world.start();
    world.handled("db");
    world.until_count("ran", 1);
    world.kill();
    world.start();
    world.until_count("ran", 2);
    go(&world);
    world.until("the second run to end", |world| history_ended(world, 1));
    world.round();
    assert_eq!(history(&world, "web")[0]["cause"], "dependency db");
    assert_eq!(status(&world, "web")["breaker"]["did_not_help"], 0, "it says nothing about web");
    assert_eq!(status(&world, "web")["in_flight"], false);
    world.handled("web");
    assert_eq!(world.count("ran"), 3, "{}", world.log());
    // By hand, and the pm of the operator dies.
    std::fs::remove_file(world.dir().join("go")).unwrap();
    world.stop();
    let mut by_hand = world.command(&["restart", "web", "--force"]).spawn().unwrap();
    world.until_count("ran", 4);
    by_hand.kill().unwrap();
    by_hand.wait().unwrap();
    go(&world);
    world.start();
    world.until("the restart by hand to end", |world| history_ended(world, 3));
    world.round();
    world.handled("web");
    assert_eq!(world.count("ran"), 6, "{}", world.log());
}

/// Whether so many attempts of web have ended, and none is under way.
fn history_ended(sandbox: &pm_tests::sandbox::Sandbox, count: usize) -> bool {
    let all: serde_json::Value =
        serde_json::from_str(&sandbox.ok(&["history", "web", "--format", "json"])).unwrap();
    let all = all.as_array().unwrap();
    all.len() >= count && all.iter().all(|attempt| attempt["ended_ms"].is_i64())
}
