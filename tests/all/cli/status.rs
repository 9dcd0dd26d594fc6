//! `pm status` and `pm why`: every state that a process can be in, as text and as JSON, with and without a database.

use super::{custom, fits, json, shop};
use pm_tests::sandbox::Sandbox;

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .find(|line| line.split_whitespace().next() == Some(name))
        .unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

#[test]
fn status_shows_every_process_whether_configured_in_the_table_or_both() {
    let sandbox = shop();
    sandbox.ok(&["alarm", "raise", "web", "stranger"]);
    for words in [&["status"][..], &["--status"]] {
        let shown = sandbox.ok(words);
        fits(&shown, 80);
        assert!(shown.contains("Daemon         not running; start it with: pm run"), "{shown}");
        assert!(line(&shown, "web").contains("ALARM"), "{shown}");
        assert!(line(&shown, "stranger").contains("ALARM (not configured)"), "{shown}");
        assert_eq!(line(&shown, "mail").split_whitespace().collect::<Vec<_>>(), ["mail", "-", "closed", "-"]);
    }
    let all = json(&sandbox.ok(&["status", "--format", "json"]));
    assert_eq!((&all["daemon_pid"], &all["database"]["answers"]), (&serde_json::Value::Null, &true.into()));
    let names: Vec<_> =
        all["processes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["db", "mail", "stranger", "web"]);
    assert_eq!(all["processes"][2]["configured"], false);
    assert_eq!(all["processes"][3]["rows"][0]["alarma"], 1);
}

#[test]
fn looking_before_the_first_start_makes_nothing_and_says_who_makes_the_table() {
    let sandbox = Sandbox::sqlite(&custom("web", "restart_command = true"));
    let files = || {
        let mut names: Vec<_> =
            std::fs::read_dir(sandbox.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    for words in [
        &["status"][..],
        &["why", "web"],
        &["why", "web", "--at", "now"],
        &["plan"],
        &["history"],
        &["history", "--effect"],
        &["audit"],
        &["check"],
        &["hosts"],
        &["alarm", "list"],
        &["alarm", "raise", "web"],
        &["db", "status"],
        &["maintenance", "list"],
    ] {
        let answer = sandbox.pm(words);
        assert_eq!(files(), before, "pm {words:?} made something: {answer:?}");
        if answer.code == 3 {
            let text = "there is no such file yet; pm run makes it, or pm db migrate, with its tables\n";
            assert!(answer.err.ends_with(text), "{words:?}: {answer:?}");
        }
    }
    for words in [&["status"][..], &["why", "web"], &["plan"], &["alarm", "list"], &["db", "status"]] {
        assert_eq!(sandbox.pm(words).code, 3, "pm {words:?}");
    }
    assert!(sandbox.ok(&["db", "migrate"]).starts_with("created STATUS_PROCESS\n"));
    sandbox.ok(&["status"]);
}

#[test]
fn status_shows_the_last_attempt_and_the_running_daemon() {
    let mut sandbox = shop();
    let pid = sandbox.start();
    sandbox.ok(&["alarm", "raise", "web", "db"]);
    sandbox.until_cleared("web");
    sandbox.until_log("Circuit breaker opened for db");
    let shown = sandbox.ok(&["status"]);
    fits(&shown, 80);
    assert!(shown.contains(&format!("Daemon         running, pid {pid}")), "{shown}");
    assert!(line(&shown, "web").contains("closed") && line(&shown, "web").contains("restarted:"), "{shown}");
    assert!(line(&shown, "db").contains("open, ") && line(&shown, "db").contains("failed:"), "{shown}");
    let all = json(&sandbox.ok(&["status", "--format", "json"]));
    let db = &all["processes"][0];
    assert_eq!(
        (&db["name"], &db["breaker"]["state"], &db["in_flight"]),
        (&"db".into(), &"open".into(), &false.into())
    );
    assert_eq!((&db["last_attempt"]["end"], &db["last_attempt"]["attempts"]), (&"failed".into(), &1.into()));
    assert!(
        db["breaker"]["open_until_ms"].as_i64().unwrap() > db["last_attempt"]["ended_ms"].as_i64().unwrap()
    );
}

#[test]
fn why_tells_whether_it_would_be_looked_at_before_it_is_restarted() {
    let keys = "restart_command = true\nhealth_check_command = true\nhealth_check_timeout = 7\n";
    let sections = custom("web", &format!("{keys}verify_before = yes")) + &custom("db", keys);
    let sandbox = Sandbox::sqlite(&sections);
    sandbox.ok(&["alarm", "add", "web", "db"]);
    let first = "look once with command; when it is healthy, clear the alarm and restart nothing";
    assert!(sandbox.ok(&["why", "web"]).contains(first));
    assert!(!sandbox.ok(&["why", "db"]).contains("look"));
}

#[test]
fn why_tells_what_would_happen_to_an_alarm_and_the_first_objection() {
    let sandbox = shop();
    sandbox.ok(&["alarm", "raise", "web"]);
    let table = rusqlite::Connection::open(sandbox.dir().join("alarms.db")).unwrap();
    let tick = "UPDATE STATUS_PROCESS SET alarma = ?1, sound = 1 WHERE process_id = 3";
    for (name, alarm, first, parts) in [
        (
            "web",
            0,
            "web is in alarm; the alarm is acted on.",
            &["ok   breaker", "What would be done:", "restart \"web\" with custom, up to 2 times"][..],
        ),
        ("db", 0, "db is not in alarm; an alarm now would be acted on.", &["up to 1 times", "once"][1..]),
        (
            "mail",
            1,
            "mail is in alarm; the alarm is held (acknowledged).",
            &["HOLD acknowledged  an operator has ticked it"],
        ),
        (
            "mail",
            0,
            "mail is not in alarm; an alarm now would be held (acknowledged).",
            &["HOLD acknowledged"],
        ),
        (
            "stranger",
            0,
            "stranger is not in alarm; an alarm now would be held (not-configured).",
            &["HOLD configured"],
        ),
        (
            "nobody",
            0,
            "nobody is not in the table; an alarm of it would be held (not-configured).",
            &["pm alarm add nobody"],
        ),
        ("", 0, " is not in the table; an alarm of it would be held (unnamed).", &["HOLD name"]),
    ] {
        table.execute(tick, [alarm]).unwrap();
        let shown = sandbox.ok(&["why", name]);
        fits(&shown, 100);
        assert_eq!(shown.lines().next().unwrap(), first);
        for part in parts {
            assert!(shown.contains(part), "no {part:?} in\n{shown}");
        }
        assert!(shown.contains("The daemon is not running"), "{shown}");
        let same = json(&sandbox.ok(&["why", name, "--format", "json"]));
        let held = first.split_once('(').map(|(_, rest)| rest.trim_end_matches(").").to_owned());
        assert_eq!(same["hold"].as_str().map(str::to_owned), held, "{same:#}");
        assert_eq!(same["verdict"], if held.is_some() { "held" } else { "started" });
        assert_eq!(same["in_alarm"], first.contains("is in alarm"));
        assert_eq!(same["row"].is_null(), ["nobody", ""].contains(&name));
    }
}

#[test]
fn why_knows_of_a_row_that_was_handled_and_cannot_be_cleared() {
    let mut sandbox = shop();
    let table = rusqlite::Connection::open(sandbox.dir().join("alarms.db")).unwrap();
    table
        .execute_batch("CREATE TRIGGER keep BEFORE UPDATE OF alarma ON STATUS_PROCESS WHEN NEW.alarma = 0 BEGIN SELECT RAISE(ABORT, 'not now'); END")
        .unwrap();
    sandbox.start();
    sandbox.ok(&["alarm", "raise", "web"]);
    sandbox.until_log("Successfully handled alarm for web");
    sandbox.until("the mark", |sandbox| sandbox.ok(&["why", "web"]).contains("HOLD handled"));
    let shown = sandbox.ok(&["why", "web"]);
    assert!(
        shown.contains("it was handled and its row is not cleared yet; it is looked at again in "),
        "{shown}"
    );
    table.execute_batch("DROP TRIGGER keep").unwrap();
    sandbox.until_cleared("web");
    assert!(sandbox.ok(&["why", "web"]).starts_with("web is not in alarm; an alarm now would be acted on"));
}

#[test]
fn without_the_database_both_tell_what_they_know_and_end_with_3() {
    let sandbox = Sandbox::sqlite(&custom("web", "restart_command = true"));
    std::fs::write(sandbox.dir().join("alarms.db"), "no database ".repeat(1000)).unwrap();
    for words in [
        &["status"][..],
        &["why", "web"],
        &["status", "--format", "json"],
        &["why", "web", "--format", "json"],
    ] {
        let shown = sandbox.pm(words);
        assert_eq!(shown.code, 3, "{words:?}");
        assert!(shown.out.contains("web"), "{words:?}: {}", shown.out);
        assert!(shown.err.starts_with("pm: ") && shown.err.contains("alarms.db"), "{words:?}: {}", shown.err);
        assert_eq!(shown.err.lines().count(), 1, "{}", shown.err);
        if words.contains(&"json") {
            let value = json(&shown.out);
            assert!(value.to_string().contains("alarms.db"), "{value}");
        }
    }
    let shown = sandbox.pm(&["why", "web"]).out;
    assert!(
        shown.starts_with("Whether web is in alarm is not known; an alarm now would be acted on."),
        "{shown}"
    );
}

#[test]
fn a_name_that_nobody_has_is_answered_with_the_one_that_was_meant() {
    let sandbox = shop();
    let why = sandbox.ok(&["why", "wbe"]);
    assert!(
        why.contains("\nNo process \"wbe\" is configured or in the table; did you mean \"web\"?\n"),
        "{why}"
    );
    assert!(!why.contains("pm alarm add"), "{why}");
    let nobody = sandbox.ok(&["why", "zzzzzzzz"]);
    assert!(nobody.contains("\nNo process \"zzzzzzzz\" is configured or in the table.\n"), "{nobody}");
    let then = sandbox.ok(&["why", "wbe", "--at", "now"]);
    assert!(then.ends_with("\nNo process \"wbe\" is configured; did you mean \"web\"?\n"), "{then}");
    let history = sandbox.ok(&["history", "wbe"]);
    let expected = "No attempts. No process \"wbe\" is configured or in the table; did you mean \"web\"?\n";
    assert_eq!(history, expected);
    assert_eq!(sandbox.ok(&["history", "web"]), "No attempts.\n");
    assert_eq!(sandbox.ok(&["history", "stranger"]), "No attempts.\n", "it has a row");
}

#[test]
fn a_plan_tells_rows_of_one_name_apart_and_why_promises_one_trial_behind_an_open_breaker() {
    let mut sandbox = shop();
    sandbox.ok(&["hold", "web"]);
    let table = rusqlite::Connection::open(sandbox.dir().join("alarms.db")).unwrap();
    table
        .execute_batch(
            "PRAGMA foreign_keys = OFF; INSERT INTO STATUS_PROCESS (process_id, alarma, sound) VALUES (9, 0, 0); \
             INSERT INTO PROCESE (process_id, process_name) VALUES (9, 'web')",
        )
        .unwrap();
    sandbox.ok(&["alarm", "raise", "web", "db"]);
    let plan = sandbox.ok(&["plan"]);
    assert!(plan.contains("web (row 1)") && plan.contains("web (row 9)"), "{plan}");
    assert!(!plan.contains("db (row"), "{plan}");
    sandbox.start();
    sandbox.until_log("Circuit breaker opened for db");
    let why = json(&sandbox.ok(&["why", "db", "--format", "json"]));
    assert_eq!(why["steps"][0], "restart \"db\" with custom, once", "{why:#}");
}
