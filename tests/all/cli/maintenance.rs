//! `pm maintenance`: windows of the file and of operators side by side, their times in every zone, and every refusal.

use super::{custom, fits, json};
use pm_tests::sandbox::{Answer, Sandbox, answer};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

const HOUR: i64 = 3_600_000;

/// Two processes and a weekly window, in a zone of its own.
fn shop() -> Sandbox {
    let window = "[maintenance.weekly]\ncron = 0 22 * * SAT\nduration = 2h\n\
        time_zone = Europe/Bucharest\nall = yes\nreason = patches of the system\n";
    let processes =
        custom("web", "restart_command = true\ngroup = front") + &custom("db", "restart_command = true");
    Sandbox::sqlite(&(processes + window))
}

/// pm for somebody in New York, on a host that has no data of time zones.
fn pm(sandbox: &Sandbox, words: &[&str]) -> Answer {
    let mut command = sandbox.command(words);
    command.env("TZ", "America/New_York").env("TZDIR", "/nonexistent").env("SUDO_USER", "ana");
    answer(&mut command)
}

fn add(sandbox: &Sandbox, words: &[&str]) -> Answer {
    pm(sandbox, &[&["maintenance", "add"], words].concat())
}

fn added(sandbox: &Sandbox, words: &[&str]) -> String {
    let answer = add(sandbox, words);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{words:?}");
    answer.out
}

fn listed(sandbox: &Sandbox) -> Vec<Value> {
    let shown = pm(sandbox, &["maintenance", "list", "--format", "json"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    json(&shown.out).as_array().unwrap().clone()
}

fn window(sandbox: &Sandbox, name: &str) -> Value {
    let all = listed(sandbox);
    all.iter()
        .find(|window| window["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {all:#?}"))
        .clone()
}

/// The line of the file on which the weekly window begins.
fn line_of_weekly(sandbox: &Sandbox) -> usize {
    let text = sandbox.read("config.ini");
    text.lines().position(|line| line == "[maintenance.weekly]").unwrap() + 1
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn a_window_that_begins_now_is_open_and_ends_after_its_time() {
    let sandbox = shop();
    let before = now();
    let told = added(&sandbox, &["kernel", "--for", "2h", "--all", "--reason", "reboot \u{1b}[2J"]);
    assert!(
        told.starts_with("Added: kernel is open until ") && told.ends_with(", for all processes.\n"),
        "{told}"
    );
    let kernel = window(&sandbox, "kernel");
    let (from, until) = (kernel["from_ms"].as_i64().unwrap(), kernel["until_ms"].as_i64().unwrap());
    assert!(until - from == 2 * HOUR && (before..=now()).contains(&from), "{kernel:#}");
    for (key, expected) in [
        ("state", Value::from("open")),
        ("source", "journal".into()),
        ("by", "ana".into()),
        ("all", true.into()),
        ("line", Value::Null),
        ("cron", Value::Null),
        ("problem", Value::Null),
        ("occurrence", serde_json::json!({ "from_ms": from, "until_ms": until })),
    ] {
        assert_eq!(kernel[key], expected, "{key}");
    }
    let shown = pm(&sandbox, &["maintenance", "list"]).out;
    assert!(shown.contains("kernel: OPEN until ") && shown.contains("reason   reboot \\u{1b}[2J"), "{shown}");
    // A beginning that has passed is now.
    let from = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour')";
    let from: String =
        rusqlite::Connection::open_in_memory().unwrap().query_row(from, [], |row| row.get(0)).unwrap();
    added(&sandbox, &["late", "--from", &from, "--until", "+2h", "--process", "web"]);
    assert!(window(&sandbox, "late")["from_ms"].as_i64().unwrap() >= before);
}

#[test]
fn windows_of_the_file_and_of_operators_are_listed_with_their_times_here_and_there() {
    let sandbox = shop();
    sandbox.ok(&["db", "migrate"]);
    assert_eq!(
        sandbox
            .ok(&["check"])
            .matches("weekly  all processes  0 22 * * SAT for 2h (Europe/Bucharest)")
            .count(),
        1
    );
    let words = [
        "move",
        "--from",
        "2098-12-01 22:00",
        "--until",
        "02:00",
        "--group",
        "front",
        "--process",
        "web",
        "db",
    ];
    let told = added(&sandbox, &[&words[..], &["--by", "the night shift"]].concat());
    assert_eq!(
        told,
        "Added: move opens at 2098-12-01 22:00 until 2098-12-02 02:00, for process web, process db, group front.\n"
    );
    added(&sandbox, &["nightly", "--cron", "30 2 * * *", "--for", "90m", "--process", "web"]);
    let shown = pm(&sandbox, &["maintenance", "list"]).out;
    fits(&shown, 100.max(sandbox.config().as_os_str().len() + 40));
    let blocks: Vec<_> = shown.split("\n\n").collect();
    let line = line_of_weekly(&sandbox);
    assert_eq!(blocks.len(), 3, "{shown}");
    for parts in [
        &[
            "weekly: ",
            "  planned  0 22 * * SAT for 2h (Europe/Bucharest)\n",
            // At seven hours' distance, except for two or three weeks around the changes of the clock.
            " (America/New_York)\n",
            " 22:00 to ",
            " 00:00 (Europe/Bucharest)\n",
            &format!("  by       configuration ({}, line {line})\n", sandbox.config().display()),
            "  reason   patches of the system",
        ][..],
        &[
            "move: opens at 2098-12-01 22:00\n",
            "  covers   process web, process db, group front\n",
            "  planned  2098-12-01 22:00 to 2098-12-02 02:00\n",
            "  by       the night shift",
        ],
        &["nightly: ", "  planned  30 2 * * * for 90m (America/New_York)\n", " 02:30 to ", "  by       ana"],
    ] {
        let block = blocks.iter().find(|block| block.starts_with(parts[0])).unwrap();
        for part in parts {
            assert!(block.contains(part), "no {part:?} in\n{block}");
        }
    }
    let weekly = window(&sandbox, "weekly");
    assert_eq!((&weekly["source"], &weekly["line"]), (&"configuration".into(), &line.into()));
    assert_eq!((&weekly["time_zone"], &weekly["duration"]), (&"Europe/Bucharest".into(), &7200.into()));
    let moved = window(&sandbox, "move");
    assert_eq!(
        (&moved["processes"], &moved["groups"]),
        (&serde_json::json!(["web", "db"]), &serde_json::json!(["front"]))
    );
    assert_eq!(moved["until_ms"].as_i64().unwrap() - moved["from_ms"].as_i64().unwrap(), 4 * HOUR);
}

#[test]
fn what_was_added_is_removed_and_what_is_in_the_file_is_left_to_its_editor() {
    let sandbox = shop();
    added(&sandbox, &["kernel", "--for", "1h", "--all"]);
    assert_eq!(sandbox.ok(&["maintenance", "remove", "kernel"]), "Removed: kernel.\n");
    let delete = format!("delete the section [maintenance.weekly], line {} of ", line_of_weekly(&sandbox));
    for (name, part) in [
        ("kernel", "there is no window \"kernel\" that could be removed; there are: none"),
        ("weekly", &delete),
    ] {
        let told = sandbox.pm(&["maintenance", "remove", name]);
        assert_eq!((told.code, told.out.as_str()), (1, ""), "{name}");
        assert!(told.err.contains(part), "{}", told.err);
    }
    let empty = Sandbox::sqlite(&custom("web", "restart_command = true"));
    assert!(
        empty
            .ok(&["maintenance", "list"])
            .starts_with("No maintenance windows. To add one: pm maintenance add")
    );
    assert_eq!(listed(&empty), Vec::<Value>::new());
    assert!(!empty.dir().join("state").exists(), "looking makes nothing");
}

#[test]
fn a_name_that_is_taken_is_refused_and_the_file_comes_first() {
    let sandbox = shop();
    added(&sandbox, &["kernel", "--for", "1h", "--all"]);
    for name in ["kernel", "weekly"] {
        let told = add(&sandbox, &[name, "--for", "1h", "--all"]);
        assert_eq!((told.code, told.out.as_str()), (1, ""), "{name}");
        assert!(told.err.contains(&format!("there is a window \"{name}\" already")), "{}", told.err);
    }
    // When it is over its name is free again.
    let journal = rusqlite::Connection::open(sandbox.dir().join("state/journal.db")).unwrap();
    let until = now() - 1;
    let over = format!(
        r#"{{"scopes":["all"],"reason":"","by":"bob","when":{{"once":{{"from_ms":1,"until_ms":{until}}}}}}}"#
    );
    assert_eq!(journal.execute("UPDATE windows SET definition = ?1", [over]).unwrap(), 1);
    drop(journal);
    let told = added(&sandbox, &["kernel", "--for", "1h", "--all"]);
    assert!(told.contains("\nIt takes the place of a window of that name that was over.\n"), "{told}");
    // Somebody writes one of the same name into the file later.
    sandbox.configure(
        &(sandbox.read("config.ini") + "[maintenance.kernel]\ncron = @daily\nduration = 1h\nall = yes\n"),
    );
    let both: Vec<_> = listed(&sandbox).into_iter().filter(|window| window["name"] == "kernel").collect();
    assert_eq!((&both[0]["source"], &both[1]["state"]), (&"configuration".into(), &"unusable".into()));
    assert!(both[1]["problem"].as_str().unwrap().contains("pm maintenance remove kernel"), "{both:#?}");
    assert_eq!(sandbox.ok(&["maintenance", "remove", "kernel"]), "Removed: kernel.\n");
    assert_eq!(window(&sandbox, "kernel")["source"], "configuration");
}

#[test]
fn a_window_that_makes_no_sense_is_refused_and_nothing_is_added() {
    let sandbox = shop();
    // Without the tables nobody can tell an unknown group from one of theirs.
    sandbox.ok(&["db", "migrate"]);
    for (words, text) in [
        (&["x", "--for", "1h"][..], "--process <NAME>...|--group <NAME>...|--all"),
        (&["x", "--all"], "--until <TIME>|--for <DURATION>"),
        (&["x", "--all", "--for", "1h", "--until", "22:00"], "cannot be used with"),
        (&["x", "--all", "--cron", "@daily", "--until", "22:00"], "cannot be used with"),
        (&["x", "--all", "--from", "now", "--cron", "@daily", "--for", "1h"], "cannot be used with"),
        (&["x", "--all", "--process", "web", "--for", "1h"], "cannot be used with"),
        (&["--process", "web", "x", "--for", "1h"], "<NAME>"),
        (&[" ", "--all", "--for", "1h"], "a maintenance window needs a name"),
        (&["x", "--process", "wbe", "--for", "1h"], "\"wbe\" is not configured, nothing was added"),
        (&["x", "--group", "", "--for", "1h"], "a process and a group have a name"),
        (
            &["x", "--group", "fornt", "--for", "1h"],
            "no group \"fornt\" is configured, nothing was changed; did you mean \"front\"?",
        ),
        (&["x", "--all", "--for", "soon"], "--for: \"soon\" is not a duration"),
        (&["x", "--all", "--for", "0"], "is not after its beginning"),
        (&["x", "--all", "--for", "40d"], "--for: a window lasts from 1 minute to 31 days; "),
        (&["x", "--all", "--for", "10s"], "it would last 10s. Without an end: pm hold"),
        (
            &["x", "--all", "--until", "2099-01-01 00:00"],
            "--until: a window lasts from 1 minute to 31 days; ",
        ),
        (&["x", "--all", "--from", "tomorrow", "--for", "1h"], "--from: \"tomorrow\" is not a time; write "),
        (&["x", "--all", "--until", "2020-01-01 00:00"], "is not after its beginning"),
        (
            &["x", "--all", "--from", "2020-01-01 00:00", "--for", "1h"],
            "would be over already: it ends at 2020-01-01 01:00",
        ),
        (
            &["x", "--all", "--from", "2026-03-08 02:30", "--for", "1h"],
            "does not exist in America/New_York: the clock goes",
        ),
        (
            &["x", "--all", "--for", "1h", "--zone", "Bucharest"],
            "--zone: \"Bucharest\" is no time zone; did you mean \"Europe/Bucharest\"?",
        ),
        (
            &["x", "--all", "--for", "1h", "--cron", "0 25 * * *"],
            "--cron: \"0 25 * * *\" is no cron expression: its hour is \"25\"",
        ),
        (
            &["x", "--all", "--for", "2h", "--cron", "@hourly"],
            "--for: \"@hourly\" comes again before the window has closed",
        ),
    ] {
        let told = add(&sandbox, words);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{words:?}");
        assert!(told.err.contains(text), "{words:?}: no {text:?} in\n{}", told.err);
    }
    assert_eq!(listed(&sandbox).len(), 1);
}

#[test]
fn a_window_with_an_error_is_not_forgotten_in_the_list() {
    let sandbox = shop();
    sandbox.configure(&sandbox.read("config.ini").replace("0 22 * * SAT", "0 22 * * SATURDAY"));
    let check = sandbox.pm(&["check"]);
    assert!(check.code == 2 && check.out.contains("its day of the week is \"SATURDAY\""), "{}", check.out);
    let shown = sandbox.ok(&["maintenance", "list"]);
    let unusable = format!("weekly: cannot be used as line {} of ", line_of_weekly(&sandbox));
    assert!(shown.contains(&unusable) && shown.contains("see: pm check"), "{shown}");
    assert_eq!(window(&sandbox, "weekly")["state"], "unusable");
}

#[test]
fn windows_of_the_file_take_effect_when_it_changes() {
    let mut sandbox = shop();
    sandbox.ok(&["alarm", "add", "web"]);
    sandbox.ok(&["alarm", "raise", "web"]);
    sandbox.start();
    sandbox.until_cleared("web");
    sandbox.configure(&sandbox.read("config.ini").replace("duration = 2h", "duration = 3h"));
    sandbox.until_log("Configuration changed, in effect now: [maintenance.weekly]");
    sandbox.configure(&sandbox.read("config.ini").replace("duration = 3h", "duration = soon"));
    sandbox.until_log("cannot be used, the configuration stays as it was");
    sandbox.until_log("[maintenance.weekly] duration: \"soon\" is not a duration");
    sandbox.stop();
}

#[test]
fn who_added_and_removed_a_window_and_what_was_refused_is_audited() {
    let sandbox = shop();
    added(&sandbox, &["patches", "--for", "2h", "--process", "web", "db", "--reason", "kernel"]);
    assert_eq!(add(&sandbox, &["patches", "--for", "1h", "--all"]).code, 1);
    assert_eq!(add(&sandbox, &["other", "--for", "1h", "--process", "nobody"]).code, 2);
    assert_eq!(pm(&sandbox, &["maintenance", "remove", "patches", "--by", "bob", "--why", "done"]).code, 0);
    assert_eq!(pm(&sandbox, &["maintenance", "remove", "weekly"]).code, 1);
    let audit = pm(&sandbox, &["audit", "--format", "json"]);
    let told: Vec<_> = json(&audit.out)
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let result: String = text("result").split(';').next().unwrap().to_owned();
            (text("verb"), text("by"), text("why"), entry["scope"]["name"].clone(), result)
        })
        .collect();
    let entry = |verb: &str, by: &str, why: &str, whom: Value, result: String| {
        (format!("maintenance {verb}"), by.to_owned(), why.to_owned(), whom, result)
    };
    let gone = "removed the window patches, which was added by ana";
    let line = line_of_weekly(&sandbox);
    let file = sandbox.config().display().to_string();
    let expected = [
        entry("add", "ana", "kernel", "web".into(), "added the window patches".to_owned()),
        entry("add", "ana", "kernel", "db".into(), "added the window patches".to_owned()),
        entry("add", "ana", "", Value::Null, "refused: there is a window \"patches\" already".to_owned()),
        entry(
            "add",
            "ana",
            "",
            "nobody".into(),
            "refused: \"nobody\" is not configured, nothing was added".to_owned(),
        ),
        entry("remove", "bob", "done", "web".into(), gone.to_owned()),
        entry("remove", "bob", "done", "db".into(), gone.to_owned()),
        entry(
            "remove",
            "ana",
            "",
            Value::Null,
            format!(
                "refused: the window \"weekly\" is one of the configuration: delete the section [maintenance.weekly], line {line} of {file}"
            ),
        ),
    ];
    assert_eq!(told, expected);
    assert_eq!(pm(&sandbox, &["audit", "--verify"]).code, 0);
    // One process is asked for: what was about others is left out.
    let of_db = pm(&sandbox, &["audit", "db", "--format", "json"]);
    assert_eq!(json(&of_db.out).as_array().unwrap().len(), 4, "{}", of_db.out);
}
