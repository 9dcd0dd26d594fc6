//! Dependencies, written in the file or in the table: who waits, who comes first, and who is not touched at all.

use super::{World, custom, history, in_order, json, programs, real, running, status, world};

/// Says in the table what depends on what; pm reads it when there are alarms.
fn depend(world: &World, pairs: &[(&str, &str)]) {
    for (process, needs) in pairs {
        world.table.execute("INSERT INTO pm_dependency VALUES (?1, ?2)", [process, needs]).unwrap();
    }
}

#[test]
fn the_root_comes_first_and_a_dependent_that_recovered_with_it_is_not_touched() {
    let gate = "pre_restart_command = while [ ! -e @DIR@/go ]; do sleep 0.02; done";
    let mut world =
        world("", &(real("db", gate) + &real("web", "depends_on = db\nhealth_check_timeout = 5")));
    programs(&world, &["db", "web"], &["web"]);
    let untouched = running(&world, "web");
    // web is in alarm first, and comes first in the table.
    let web = world.alarm("web");
    let db = world.alarm("db");
    world.start();
    world.until_log(&format!("Not acting on web (ID: {web}): waits for db, which is "));
    world.until("db to be restarted", |_| status(&world, "db")["in_flight"] == true);
    let why = world.ok(&["why", "web"]);
    assert!(why.starts_with("web is in alarm; the alarm is held (waiting).\n"), "{why}");
    assert!(why.contains("HOLD dependency    waits for db, which is being restarted\n"), "{why}");
    let refused = world.pm(&["restart", "web"]);
    assert!(
        refused.code == 1 && refused.err.contains("waits for db, which is being restarted"),
        "{refused:?}"
    );
    world.write("go", "", 0o644);
    world.cleared(db);
    assert_eq!(world.cleared(web), "down", "not a restart, so no stamp");
    assert_eq!(
        (running(&world, "web"), world.lines("started")),
        (untouched, vec!["web".into(), "db".into()])
    );
    in_order(
        &world,
        &["Successfully handled alarm for db", "RESTART LOG: web is healthy, nothing to restart: "],
    );
    assert_eq!(history(&world, "web"), [] as [serde_json::Value; 0]);
    assert_eq!(status(&world, "web")["breaker"]["did_not_help"], 0, "a dependent is not to blame");
}

#[test]
fn a_dependent_that_did_not_recover_is_restarted_after_its_root() {
    let mut world = world("", &(real("db", "") + &real("web", "depends_on = db")));
    programs(&world, &["db", "web"], &[]);
    let rows = ["web", "db"].map(|name| world.alarm(name));
    let plan = json(&world.ok(&["plan", "--format", "json"]));
    assert_eq!((&plan["begin"][0]["name"], &plan["hold"][0]["hold"]), (&"db".into(), &"waiting".into()));
    world.start();
    for id in rows {
        assert!(world.cleared(id).starts_with("down - Restarted at "));
    }
    assert_eq!(world.lines("started"), ["db", "web"]);
    assert_eq!((running(&world, "db").len(), running(&world, "web").len()), (1, 1));
}

#[test]
fn dependencies_of_the_table_lead_to_the_root_over_those_that_are_well() {
    let sections = real("app", "")
        + &real("web", "")
        + &real("db", "restart_command = false\nmax_attempts = 1\nmax_restart_failures = 1");
    let mut world = world("", &sections);
    programs(&world, &["app", "web", "db"], &["web"]);
    depend(&world, &[("app", "web"), ("web", "db")]);
    let db = world.alarm("db");
    let app = world.alarm("app");
    world.start();
    world.until_log("Circuit breaker opened for db");
    world.until_log(&format!("Not acting on app (ID: {app}): waits for db, which "));
    world.round();
    assert_eq!((world.lines("started"), world.state(app).0), (vec!["web".to_owned()], 1), "{}", world.log());
    let why = world.ok(&["why", "app"]);
    assert!(
        why.contains("HOLD dependency    waits for db, which has an open breaker: one trial of it in "),
        "{why}"
    );
    assert!(why.contains(", or at once: pm reset db\n"), "{why}");
    // The source of the alarms takes the alarm of db back; its breaker is still open, until the operator says otherwise.
    world.ok(&["alarm", "clear", "db"]);
    world.round();
    assert_eq!(world.state(app).0, 1);
    world.ok(&["reset", "db"]);
    world.cleared(app);
    assert_eq!((world.lines("started"), world.state(db).0), (vec!["web".to_owned(), "app".to_owned()], 0));
}

#[test]
fn a_dependent_waits_for_what_an_operator_holds_and_goes_on_when_that_is_released() {
    let mut world = world("", &(real("db", "") + &real("web", "depends_on = db")));
    programs(&world, &["db", "web"], &["db"]);
    let untouched = running(&world, "db");
    world.start();
    world.ok(&["hold", "db", "--by", "ana", "--why", "its disk is copied"]);
    // db is not in alarm, and nothing is the matter with it: who needs it is not started beside work on it.
    let web = world.alarm("web");
    world.until_log(&format!("Not acting on web (ID: {web}): waits for db, which is held by an operator"));
    world.round();
    assert_eq!((world.lines("started"), world.state(web).0), (vec!["db".to_owned()], 1), "{}", world.log());
    let why = world.ok(&["why", "web"]);
    assert!(
        why.contains(
            "HOLD dependency    waits for db, which is held by an operator (who, and until when: pm why db)\n"
        ),
        "{why}"
    );
    let refused = world.pm(&["restart", "web"]);
    assert!(refused.code == 1 && refused.err.contains("waits for db, which is held"), "{refused:?}");
    world.ok(&["release", "db"]);
    assert!(world.cleared(web).starts_with("down - Restarted at "));
    assert_eq!(world.lines("started"), ["db", "web"]);
    assert_eq!(running(&world, "db"), untouched, "db is not touched");
}

#[test]
fn who_depends_on_what_was_restarted_is_restarted_after_it_when_that_is_wanted() {
    let sections = real("db", "restart_dependents = yes\nstable_time = 60")
        + &real("web", "depends_on = db\nrestart_dependents = yes\nstable_time = 60")
        + &real("app", "depends_on = web\nstable_time = 60")
        + &real("other", "");
    let mut world = world("", &sections);
    let all = ["db", "web", "app", "other"];
    programs(&world, &all, &["web", "app", "other"]);
    let before = running(&world, "other");
    world.start();
    let db = world.alarm("db");
    world.cleared(db);
    world.until_count("started", 6);
    world.round();
    // The first three were started side by side.
    assert_eq!(world.lines("started")[3..], ["db", "web", "app"], "{}", world.log());
    assert_eq!(running(&world, "other"), before);
    for (name, because) in [("web", "db"), ("app", "web")] {
        let said =
            format!("{name} is restarted because {because}, on which it depends, was (restart_dependents)");
        assert_eq!(world.said(&said), 1, "{}", world.log());
        assert_eq!(history(&world, name).last().unwrap()["cause"], format!("dependency {because}"));
        assert_eq!(running(&world, name).len(), 1);
        world.until_log(&format!("{name}, which was not in alarm, was restarted"));
        assert_eq!(world.said(&format!("handled alarm for {name}")), 0, "{}", world.log());
    }
    // It says nothing about them.
    assert_eq!(status(&world, "web")["breaker"]["did_not_help"], 0, "{:#}", status(&world, "web"));
    assert_eq!(status(&world, "db")["breaker"]["did_not_help"], 1);
}

#[test]
fn a_cycle_is_refused_by_pm_check_with_its_path_and_left_out_by_the_daemon() {
    let section = |name: &str, needs: &str| {
        custom(name, &format!("restart_command = echo {name} >> @DIR@/ran\ndepends_on = {needs}"))
    };
    let sections = section("a", "b") + &section("b", "c") + &section("c", "a, nobody");
    let mut world = world("", &sections);
    let check = world.pm(&["check"]);
    assert_eq!(check.code, 2, "{check:?}");
    for text in ["a → b → c → a is a cycle (lines ", "until then c does not wait for a", "nobody"] {
        assert!(check.out.contains(text), "no {text:?} in\n{}", check.out);
    }
    let rows = ["a", "b", "c"].map(|name| world.alarm(name));
    world.start();
    for id in rows {
        world.cleared(id);
    }
    assert_eq!(world.lines("ran"), ["c", "b", "a"], "the last step of the path is left out, the others hold");
    assert_eq!(world.said("a → b → c → a is a cycle"), 1, "{}", world.log());
    for told in [world.ok(&["why", "c"]), world.ok(&["why", "a"])] {
        assert!(told.contains("\nLeft out of the dependencies: a → b → c → a is a cycle "), "{told}");
    }
    // A running pm does not take such a file.
    let config = world.read("config.ini");
    world.configure(&config.replace("depends_on = b", "depends_on = c"));
    world.until_log("cannot be used, the configuration stays as it was");
}
