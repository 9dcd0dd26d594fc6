//! web needs app, app and worker need db: the root comes first, and what recovers with it is not touched.

use super::{RUNS, Shop, at, until};

/// It starts when there is a file `go`, and then there is a file `up` as long as it runs and there is a file `storage`.
const DB: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\n\
    ExecStartPre=/bin/sh -c 'while ! test -e @DIR@/go; do sleep 0.05; done; test -e @DIR@/storage'\n\
    ExecStart=/bin/sh -c 'touch @DIR@/up; while test -e @DIR@/storage; do sleep 0.05; done; exit 1'\n\
    ExecStopPost=/bin/rm -f @DIR@/up\n";
/// It ends with db, and starts only with it.
const APP: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nExecStartPre=/bin/sh -c 'test -e @DIR@/up'\n\
    ExecStart=/bin/sh -c 'while test -e @DIR@/up; do sleep 0.05; done; exit 1'\n";
/// As app, but systemd brings it back by itself.
const WORKER: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nRestart=on-failure\nRestartSec=300ms\n\
    ExecStartPre=/bin/sh -c 'test -e @DIR@/up'\n\
    ExecStart=/bin/sh -c 'while test -e @DIR@/up; do sleep 0.05; done; exit 1'\n";

const UNITS: [(&str, &str); 4] = [("web", RUNS), ("app", APP), ("worker", WORKER), ("db", DB)];
const EDGES: &str = "INSERT INTO pm_dependency VALUES ('web', 'app'), ('app', 'db'), ('worker', 'db')";
/// web runs all the time, and works only when app does.
const SECTIONS: &str = "health_check_timeout = 2\nmax_attempts = 1\n\
    [process.web]\nhealth_check_command = systemctl is-active --quiet @UNIT@app\n";

/// All of them run.
fn up(sections: &str) -> Option<Shop> {
    let shop = Shop::new(&UNITS, EDGES, "stable_time = 1", sections)?;
    shop.write("storage", "", 0o644);
    shop.write("go", "", 0o644);
    shop.systemctl("start", &["db"]);
    until("db to be up", || shop.dir().join("up").exists());
    shop.systemctl("start", &["app", "web", "worker"]);
    Some(shop)
}

/// The storage fails, and all of them with it; it is repaired, but db waits for a file `go` when it is started.
fn fall(shop: &Shop) {
    let remove = |file: &str| std::fs::remove_file(shop.dir().join(file)).unwrap();
    remove("go");
    remove("storage");
    shop.until_state("db", "failed");
    shop.until_state("app", "failed");
    shop.until_state("worker", "activating");
    shop.write("storage", "", 0o644);
    shop.alarm(&["web", "app", "worker", "db"]);
}

#[test]
fn the_root_is_restarted_first_and_what_recovered_with_it_is_cleared_untouched() {
    let Some(mut shop) = up(SECTIONS) else { return };
    shop.start();
    let [web, app] = ["web", "app"].map(|name| shop.invocation(name));
    fall(&shop);
    shop.until("db to be restarted", |_| shop.hold("db") == "in-flight");
    for name in ["web", "app", "worker"] {
        let why = shop.ok(&["why", name]);
        assert!(why.contains("HOLD dependency    waits for db, which is being restarted\n"), "{why}");
    }
    let plan = shop.ok(&["plan"]);
    assert!(plan.contains("web      2     waiting: waits for db, which is being restarted"), "{plan}");
    assert_eq!([shop.invocation("web"), shop.invocation("app")], [web.clone(), app], "nobody is touched");
    shop.write("go", "", 0o644);
    assert!(shop.until_cleared("db").starts_with("down - Restarted at "));
    // systemd brings worker back while pm looks at it.
    assert_eq!(shop.until_cleared("worker"), "down", "no restart, so no stamp");
    assert!(shop.until_cleared("app").starts_with("down - Restarted at "));
    assert_eq!(shop.until_cleared("web"), "down", "no restart, so no stamp");
    assert_eq!(shop.invocation("web"), web, "it runs as before");
    shop.in_order(&[
        "Not acting on web (ID: 1): waits for db, which is in alarm and comes first",
        "Not acting on app (ID: 2): waits for db, which is in alarm and comes first",
        "Not acting on worker (ID: 3): waits for db, which is in alarm and comes first",
        "Successfully handled alarm for db",
        "Successfully handled alarm for app",
        "RESTART LOG: web is healthy, nothing to restart: ",
    ]);
    assert_eq!(shop.said("RESTART LOG: worker is healthy, nothing to restart: active (running)"), 1);
    assert_eq!(
        ["db", "app", "worker", "web"].map(|name| shop.ends(name).join(" ")),
        ["restarted", "restarted", "", ""]
    );
    let [db, app] = ["db", "app"].map(|name| shop.history(name).pop().unwrap());
    assert!(at(&app, "began_ms") >= at(&db, "ended_ms"), "{db:#} {app:#}");
    shop.table_is_true();
}

#[test]
fn a_root_that_does_not_come_back_is_tried_alone() {
    let Some(mut shop) =
        up(&format!("{SECTIONS}[process.db]\nmax_restart_failures = 3\ncircuit_reset_time = 60\n"))
    else {
        return;
    };
    shop.start();
    let web = shop.invocation("web");
    std::fs::remove_file(shop.dir().join("storage")).unwrap();
    shop.until_state("app", "failed");
    shop.alarm(&["web", "app", "worker", "db"]);
    shop.until_log("Circuit breaker opened for db after 3 failures");
    shop.until("the reason to be told", |_| {
        shop.said("(ID: 2): waits for db, which has an open breaker") == 1
    });
    assert_eq!(shop.ends("db"), ["failed"; 3]);
    for name in ["web", "app", "worker"] {
        assert_eq!(
            (shop.hold(name).as_str(), shop.history(name).len()),
            ("waiting", 0),
            "{name}\n{}",
            shop.log()
        );
        assert!(shop.in_alarm(name));
    }
    assert_eq!(shop.invocation("web"), web);
    // The operator repairs the cause and db, and says so.
    shop.write("storage", "", 0o644);
    shop.ok(&["restart", "db", "--force"]);
    for name in ["web", "app", "worker", "db"] {
        shop.until_cleared(name);
    }
    assert_eq!(shop.invocation("web"), web);
    shop.table_is_true();
}

#[test]
fn restart_dependents_restarts_what_depends_on_it_in_waves() {
    let keys = format!("restart_dependents = yes\nstable_time = 60\n{SECTIONS}[process.other]\n");
    let Some(mut shop) = up(&keys) else { return };
    shop.start();
    let all = ["web", "app", "worker", "db"];
    let before = all.map(|name| shop.invocation(name));
    shop.alarm(&["db"]);
    shop.until_cleared("db");
    shop.until("web to be restarted", |_| shop.ends("web") == ["restarted"]);
    shop.until("worker to be restarted", |_| shop.ends("worker") == ["restarted"]);
    for (name, before) in all.iter().zip(before) {
        assert_ne!(shop.invocation(name), before, "{name}");
        assert_eq!(shop.ends(name), ["restarted"], "once each");
    }
    let [web, app, worker, db] = all.map(|name| shop.history(name).pop().unwrap());
    for (first, then) in [(&db, &app), (&db, &worker), (&app, &web)] {
        assert!(at(then, "began_ms") >= at(first, "ended_ms"), "{first:#} {then:#}");
    }
    assert_eq!(
        [&web, &app, &worker, &db].map(|one| one["cause"].as_str().unwrap().to_owned()),
        ["dependency app", "dependency db", "dependency db", "alarm"]
    );
    // It was for the sake of another, and says nothing about them: there is nothing to be known later.
    assert_eq!(
        [&web, &db].map(|one| one["effect"].clone()),
        [serde_json::Value::Null, "not known yet".into()]
    );
    shop.table_is_true();
}

#[test]
fn a_cycle_in_the_table_is_told_with_its_path_and_its_last_step_left_out() {
    let units = [("app", RUNS), ("db", RUNS), ("web", RUNS)];
    let cycle = "INSERT INTO pm_dependency VALUES ('app', 'db'), ('db', 'web'), ('web', 'app')";
    let keys = "health_check_timeout = 0.5\n";
    let Some(mut shop) = Shop::new(&units, cycle, "stable_time = 60", keys) else { return };
    shop.alarm(&["app", "db", "web"]);
    shop.start();
    shop.until_log(
        "app → db → web → app is a cycle (in pm_dependency); until one of these is deleted, web does not wait for app",
    );
    for name in ["app", "db", "web"] {
        assert!(shop.until_cleared(name).starts_with("down - Restarted at "), "{name}");
    }
    // The other steps hold.
    let [app, db, web] = ["app", "db", "web"].map(|name| shop.history(name).pop().unwrap());
    for (first, then) in [(&web, &db), (&db, &app)] {
        assert!(at(then, "began_ms") >= at(first, "ended_ms"), "{first:#} {then:#}");
    }
    shop.table_is_true();
}
