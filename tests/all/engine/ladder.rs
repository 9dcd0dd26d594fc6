//! The ladder `restart_strategy = a, b`: the next step comes when the one before failed, or did not last.

use super::{custom, history, json, kill, real, running, status, world};

/// The strategies that acted, oldest first.
fn by(world: &super::World, name: &str) -> Vec<String> {
    let word = |attempt: &serde_json::Value| attempt["by"].as_str().unwrap_or("-").to_owned();
    history(world, name).iter().map(word).collect()
}

/// A real process that is restarted by `process`, and when that does not help by a command.
fn ladder(keys: &str) -> String {
    real("web", &format!("restart_command = @DIR@/rescue\n{keys}"))
        .replace("restart_strategy = process", "restart_strategy = process, custom")
}

#[test]
fn the_next_step_comes_when_the_one_before_failed() {
    let mut world = world("", &ladder("max_attempts = 2\nstable_time = 60\nbackoff = 0"));
    // It ends at once until it has been rescued.
    world.program("web", "echo x >> @DIR@/started; [ -e @DIR@/rescued ] || exit 3");
    world.script("rescue", "echo x >> @DIR@/rescues; touch @DIR@/rescued; @DIR@/web >/dev/null 2>&1 &");
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    assert_eq!((world.count("rescues"), running(&world, "web").len()), (1, 1), "{}", world.log());
    assert_eq!(by(&world, "web"), ["custom"], "both steps are one attempt");
    let tried = "RESTART LOG: Strategy process did not restart web, trying the next one: ";
    assert_eq!(world.said(tried), 1, "{}", world.log());
    assert_eq!(world.said("(strategy: process, custom, system_name: web)"), 1);
}

#[test]
fn the_next_step_comes_when_the_one_before_did_not_last_and_effects_are_counted_per_step() {
    let mut world = world("", &ladder("stable_time = 1\nbackoff = 0\nmax_restart_failures = 10"));
    world.program("web", "echo x >> @DIR@/started");
    world.script("rescue", "echo x >> @DIR@/rescues; @DIR@/web >/dev/null 2>&1 &");
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    assert_eq!(by(&world, "web"), ["process"]);
    kill(&world, running(&world, "web")[0]);
    world.again(id);
    world.until_count("rescues", 1);
    world.cleared(id);
    world.until_log("Reset failure count for process: web after successful restart");
    assert_eq!(by(&world, "web"), ["process", "custom"]);
    let effects: Vec<_> = history(&world, "web").iter().map(|attempt| attempt["effect"].clone()).collect();
    assert_eq!(effects, ["relapsed", "lasted"]);
    let effects = json(&world.ok(&["history", "web", "--effect", "--format", "json"]));
    let tally = |by: &str| {
        let of = effects.as_array().unwrap().iter().find(|tally| tally["by"] == by).unwrap();
        ["lasted", "relapsed", "failed", "not_known_yet"].map(|key| of[key].as_i64().unwrap())
    };
    assert_eq!((tally("process"), tally("custom")), ([0, 1, 0, 0], [1, 0, 0, 0]), "{effects:#}");
    let shown = world.ok(&["history", "web", "--effect"]);
    assert!(shown.contains("helps in 100 %") && shown.contains("helps in 0 %"), "{shown}");
    // What has lasted begins with the first step again.
    kill(&world, running(&world, "web")[0]);
    world.again(id);
    world.cleared(id);
    assert_eq!(by(&world, "web"), ["process", "custom", "process"], "{}", world.log());
    assert_eq!(status(&world, "web")["breaker"]["did_not_help"], 1);
}

#[test]
fn an_attempt_that_failed_leaves_the_next_step_for_the_next_one() {
    let keys = "restart_command = touch @DIR@/healthy\nhealth_check_command = test -e @DIR@/healthy\n\
                health_check_timeout = 0.1\nmax_attempts = 1\nbackoff = 0";
    let section = custom("web", keys).replace("= custom", "= process, custom") + "executable = @DIR@/web\n";
    let mut world = world("", &format!("{section}start_command = @DIR@/web\nstart_grace = 50ms\n"));
    // It starts, and is of no use.
    world.program("web", "");
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    assert_eq!(by(&world, "web"), ["process", "custom"], "{}", world.log());
    let why = world.ok(&["why", "web"]);
    assert!(why.contains("restart \"web\" with custom"), "what would come next is told: {why}");
}
