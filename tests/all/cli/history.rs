//! `pm history` after real restarts: steps and what commands printed, trends, groups, CSV; also after a kill.

use super::{custom, fits, json};
use pm_tests::commands::{raise, until_ended};
use pm_tests::sandbox::{Sandbox, answer};

/// One that works at the second look, one that never does; both in groups.
fn worked() -> Sandbox {
    let sections = custom(
        "web",
        "pre_restart_command = echo preparing\nrestart_command = echo stopping; echo started >&2\n\
         health_check_command = test -e @DIR@/up || { touch @DIR@/up; false; }\ngroup = shop",
    ) + &custom(
        "db",
        "restart_command = echo broken; false\nmax_attempts = 1\nmax_restart_failures = 1\ngroup = store",
    );
    let mut sandbox = Sandbox::sqlite(&sections);
    sandbox.start();
    raise(&sandbox, &["web"]);
    sandbox.until_cleared("web");
    raise(&sandbox, &["db"]);
    until_ended(&sandbox, "db", "failed");
    sandbox.until_log("Circuit breaker open for db");
    sandbox.stop();
    sandbox
}

#[test]
fn each_step_of_a_restart_is_shown_with_its_time_and_what_was_printed() {
    let sandbox = worked();
    let all = json(&sandbox.ok(&["history", "web", "--format", "json"]));
    let web = &all[0];
    let told: Vec<_> =
        web["steps"].as_array().unwrap().iter().map(|step| (&step["step"], &step["by"])).collect();
    let by = |kind: &str, by: Option<&str>| (serde_json::json!(kind), serde_json::json!(by));
    let expected = [
        by("evidence", None),
        by("pre-restart", None),
        by("restart", Some("custom")),
        by("check", Some("command")),
    ];
    assert_eq!(told, expected.iter().map(|(kind, by)| (kind, by)).collect::<Vec<_>>(), "{all:#}");
    assert_eq!(web["steps"][1]["output"], "preparing\n");
    let printed = web["steps"][2]["output"].as_str().unwrap();
    assert!(printed.contains("web: stopping\n") && printed.contains("web: started\n"), "{printed}");
    let (seen, began) = (web["seen_ms"].as_i64().unwrap(), web["began_ms"].as_i64().unwrap());
    assert!(seen <= began && web["recovery_ms"].as_i64().unwrap() >= 50, "{web:#}");
    let text = sandbox.ok(&["history", "--steps", &web["id"].to_string()]);
    for line in
        ["by an alarm, ", "  ok   breaker ", "ok   restart custom", "| web: started", "ok   check command"]
    {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let failed = json(&sandbox.ok(&["history", "db", "--format", "json"]));
    let step = &failed[0]["steps"][1];
    assert_eq!((&step["good"], &step["step"]), (&false.into(), &"restart".into()));
    assert_eq!(failed[0]["recovery_ms"], serde_json::Value::Null);
    let unknown = sandbox.pm(&["history", "--steps", "4711"]);
    assert!(unknown.code == 1 && unknown.err.contains("attempt 4711 is not kept"), "{unknown:?}");
}

#[test]
fn groups_sums_and_csv_are_told_of_the_same_restarts() {
    let sandbox = worked();
    let names = |words: &[&str]| -> Vec<String> {
        let all = json(&sandbox.ok(&[&["history", "--format", "json"], words].concat()));
        let all = all.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
        all.collect()
    };
    assert_eq!(names(&[]), ["db", "web"]);
    assert_eq!(names(&["--group", "shop"]), ["web"]);
    let none = sandbox.pm(&["history", "--group", "nobody"]);
    assert!(none.code == 1 && none.err.contains("there is no group nobody"), "{none:?}");

    let trends = json(&sandbox.ok(&["history", "--trends", "--format", "json"]));
    assert_eq!(trends["days"].as_array().unwrap().len(), 14);
    let total = &trends["total"];
    assert_eq!((&total["restarts"], &total["failed"]), (&2.into(), &1.into()), "{trends:#}");
    assert_eq!(total["per_day"].as_array().unwrap().last().unwrap(), 2);
    assert!(total["recovery_median_ms"].as_i64().unwrap() >= 50, "{trends:#}");
    let bars = |locale: &str| {
        let mut command = sandbox.command(&["history", "--trends", "--since", "-2h"]);
        command.env_remove("LC_CTYPE").env_remove("LANG").env("LC_ALL", locale);
        answer(&mut command).out
    };
    let (plain, blocks) = (bars("C"), bars("C.UTF-8"));
    fits(&plain, 80);
    assert!(plain.is_ascii() && plain.contains('#'), "{plain}");
    assert!(blocks.contains('█') && blocks.lines().any(|line| line.starts_with("all ")), "{blocks}");

    let csv = sandbox.ok(&["history", "--format", "csv"]);
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!((lines.len(), lines[3]), (4, ""), "{csv}");
    assert!(
        lines[0].starts_with("id,process,cause,") && lines[2].contains(",\"web\",\"alarm\",\"custom\","),
        "{csv}"
    );
    let sums = sandbox.pm(&["history", "--trends", "--format", "csv"]);
    assert!(sums.code == 2 && sums.err.contains("--format json"), "{sums:?}");
}

#[test]
fn steps_that_had_ended_are_known_after_a_kill() {
    let keys =
        "pre_restart_command = echo before\nrestart_command = touch @DIR@/begun; sleep 600\nmax_attempts = 1";
    let mut sandbox = Sandbox::sqlite(&custom("web", keys));
    sandbox.start();
    raise(&sandbox, &["web"]);
    sandbox.until("the restart to begin", |sandbox| sandbox.dir().join("begun").exists());
    sandbox.kill();
    let all = json(&sandbox.ok(&["history", "--format", "json"]));
    assert_eq!(all[0]["end"], "cut off");
    let steps = all[0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["output"], "before\n", "{all:#}");
}

#[test]
fn what_is_older_than_it_is_kept_goes_while_the_daemon_works() {
    let mut sandbox = worked();
    let journal = rusqlite::Connection::open(sandbox.dir().join("state/journal.db")).unwrap();
    journal
        .execute("UPDATE attempts SET ended_wall = ended_wall - 2 * 86400000 WHERE name = 'web'", [])
        .unwrap();
    drop(journal);
    let config = sandbox.read("config.ini");
    sandbox.start();
    sandbox.until("a round of the daemon", |sandbox| sandbox.ok(&["status"]).contains("running, pid "));
    assert!(sandbox.ok(&["history"]).contains("web"), "ninety days are kept");
    sandbox.configure(&format!("{config}[history]\ndays = 1\n"));
    sandbox.signal(rustix::process::Signal::HUP);
    sandbox.until_log("Dropped old history ([history] days = 1, size = 256)");
    let all = json(&sandbox.ok(&["history", "--format", "json"]));
    let mut names = all.as_array().unwrap().iter().map(|one| &one["name"]);
    assert!(names.all(|name| name == "db"), "{all:#}");
    sandbox.stop();
}

#[test]
fn a_row_that_the_table_does_not_take_holds_up_no_other() {
    let mut sandbox = worked();
    let alarms = rusqlite::Connection::open(sandbox.dir().join("alarms.db")).unwrap();
    let told = |what: &str| -> i64 {
        alarms
            .query_row(&format!("SELECT COUNT(*) FROM pm_attempt WHERE {what}"), [], |row| row.get(0))
            .unwrap()
    };
    // The alarm of db stands: when it is decided about anew, the daemon works.
    let decided = |sandbox: &Sandbox| sandbox.log().matches("Circuit breaker open for db").count();
    let before = decided(&sandbox);
    sandbox.start();
    sandbox.until("both to be published", |sandbox| {
        decided(sandbox) > before && told("process_name IN ('web', 'db')") == 2
    });
    sandbox.stop();
    alarms
        .execute_batch(
            "DELETE FROM pm_attempt; CREATE TRIGGER picky BEFORE INSERT ON pm_attempt WHEN NEW.process_name = 'web' \
             BEGIN SELECT RAISE(ABORT, 'web is not wanted here'); END",
        )
        .unwrap();
    let journal = rusqlite::Connection::open(sandbox.dir().join("state/journal.db")).unwrap();
    journal.execute("UPDATE attempts SET published = 0", []).unwrap();
    drop(journal);
    sandbox.start();
    sandbox.until_log("is not published: publishing attempts in pm_attempt");
    sandbox.until("the others to be published", |_| told("process_name = 'db'") >= 1);
    assert_eq!(told("process_name = 'web'"), 0);
    sandbox.stop();
    let said = sandbox.log().matches("web is not wanted here").count();
    assert_eq!(said, 1, "{}", sandbox.log());
}

#[test]
fn who_made_a_restart_by_hand_is_told_with_it() {
    let sandbox = Sandbox::sqlite(&custom("web", "restart_command = true"));
    sandbox.ok(&["restart", "web", "--by", "ana", "--why", "new certificate"]);
    let list = sandbox.ok(&["history"]);
    assert!(list.contains("restarted in ") && list.contains(", by hand (ana)"), "{list}");
    let steps = sandbox.ok(&["history", "--steps", "1"]);
    assert!(steps.contains(", by hand, by ana (new certificate)"), "{steps}");
    let all = json(&sandbox.ok(&["history", "--format", "json"]));
    assert_eq!((&all[0]["asked_by"], &all[0]["asked_why"]), (&"ana".into(), &"new certificate".into()));
    let evidence = json(&sandbox.ok(&["history", "--evidence", "1", "--format", "json"]));
    let text = sandbox.ok(&["history", "--evidence", "1"]);
    assert_eq!((&evidence["attempt"], evidence["evidence"].as_str().unwrap()), (&1.into(), text.trim_end()));
}

#[test]
fn a_step_of_the_ladder_that_is_tried_in_vain_is_counted_beside_the_one_that_helped() {
    let keys = "executable = @DIR@/nothing\nrestart_command = true\nmax_attempts = 1";
    let section = format!("[process.web]\nrestart_strategy = process, custom\n{keys}\n\n");
    let sandbox = Sandbox::sqlite(&section);
    sandbox.ok(&["restart", "web"]);
    let sums = json(&sandbox.ok(&["history", "--effect", "--format", "json"]));
    let told: Vec<_> = sums
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| (&sum["by"], &sum["failed"], &sum["not_known_yet"]))
        .collect();
    let expected = [("custom", 0, 1), ("process", 1, 0)].map(|(by, failed, open)| {
        (serde_json::json!(by), serde_json::json!(failed), serde_json::json!(open))
    });
    assert_eq!(
        told,
        expected.iter().map(|(by, failed, open)| (by, failed, open)).collect::<Vec<_>>(),
        "{sums:#}"
    );
}
