//! `pm hold`, `observe`, `bypass`, `release`, `reset` and `audit`: what operators are told, what is refused, and what is
//! remembered of both.

use super::{custom, fits, json, shop};
use pm_tests::sandbox::{Answer, Sandbox, answer};
use std::process::Stdio;

const NOT_RUNNING: &str = "The daemon is not running; it will see this when it starts.\n";

/// The verbs of the audit with what came of them, oldest first.
fn audited(sandbox: &Sandbox) -> Vec<(String, String)> {
    let entries = json(&sandbox.ok(&["audit", "--format", "json"]));
    let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let all = entries.as_array().unwrap().iter().rev();
    all.map(|entry| (text(entry, "verb"), text(entry, "result"))).collect()
}

fn refused(answer: &Answer, code: i32, text: &str) {
    assert_eq!((answer.code, answer.out.as_str()), (code, ""), "{answer:?}");
    assert!(answer.err.starts_with("pm: ") && answer.err.contains(text), "{answer:?}");
    assert_eq!(answer.err.lines().count(), 1, "{answer:?}");
}

#[test]
fn a_hold_is_told_and_shown_and_refuses_every_restart_until_it_is_released() {
    let sandbox = shop();
    let told =
        sandbox.ok(&["hold", "web", "--until", "2099-12-01 22:00", "--why", "disk swap", "--by", "ana"]);
    let held = "web is held by ana until 2099-12-01 22:00:00 (disk swap). Nothing restarts it, not even pm restart --force.\n";
    assert_eq!(told, format!("{held}{NOT_RUNNING}"));
    let shown = sandbox.ok(&["status"]);
    fits(&shown, 80);
    assert!(shown.contains("OVERRIDE  FOR  UNTIL                BY   WHY\nhold      web  2099-12-01 22:00:00  ana  disk swap\n"), "{shown}");
    let all = json(&sandbox.ok(&["status", "--format", "json"]));
    let given = &all["overrides"][0];
    assert_eq!(
        (&given["order"], &given["by"], &given["why"]),
        (&"hold".into(), &"ana".into(), &"disk swap".into())
    );
    assert_eq!(given["scope"], serde_json::json!({"kind": "process", "name": "web"}));
    assert!(given["until_ms"].as_i64().unwrap() > given["since_ms"].as_i64().unwrap());
    let processes = all["processes"].as_array().unwrap();
    let of = |name: &str| &processes.iter().find(|one| one["name"] == name).unwrap()["overrides"];
    assert_eq!((of("web"), of("db")), (&serde_json::json!(["hold"]), &serde_json::json!([])));

    let why = "web was not restarted: \"web\" is held by ana until 2099-12-01 22:00:00 (disk swap); to end that: pm release web";
    for words in [&["restart", "web"][..], &["restart", "web", "--force"], &["--restart", "web"]] {
        let answer = sandbox.pm(words);
        refused(&answer, 1, why);
    }
    sandbox.ok(&["restart", "mail"]);
    let ended = sandbox.ok(&["release", "web"]);
    assert_eq!(
        ended,
        format!("Ended: hold of web by ana until 2099-12-01 22:00:00 (disk swap).\n{NOT_RUNNING}")
    );
    sandbox.ok(&["restart", "web"]);
    let none = sandbox.ok(&["release", "web"]);
    assert!(none.starts_with("There is nothing to release that was put on web.\n"), "{none}");
}

#[test]
fn what_else_is_in_force_is_told_with_every_order() {
    let sandbox = shop();
    let all = sandbox.ok(&["observe", "--all", "--by", "bob"]);
    assert!(all.starts_with("All processes are observed by bob until it is released. pm decides and tells, and does nothing.\n"), "{all}");
    let bypass = sandbox.ok(&["bypass", "web", "db", "--for", "30m", "--by", "ana"]);
    let observe = "Also in force: observe of all processes by bob until it is released.\n";
    assert_eq!(bypass.matches(observe).count(), 2, "{bypass}");
    assert!(
        bypass.contains("Breaker and group are ignored, and a restart waits for 10 s at the most; failures are still counted."),
        "{bypass}"
    );
    let again = sandbox.ok(&["bypass", "web", "--for", "1h", "--by", "eve"]);
    assert!(again.contains("\nThat replaces: bypass of web by ana until "), "{again}");
    // Plainly, an observed process is not restarted; by force it is.
    let answer = sandbox.pm(&["restart", "web"]);
    refused(
        &answer,
        1,
        "it is only observed, by bob until it is released; to restart it all the same: pm restart web --force",
    );
    sandbox.ok(&["restart", "web", "--force"]);
    let other = sandbox.ok(&["release", "--all", "--order", "hold"]);
    assert!(other.starts_with("There is no hold to release that was put on all processes.\n"), "{other}");
    let released = sandbox.ok(&["release", "--all"]);
    assert!(released.starts_with("Ended: observe of all processes by bob"), "{released}");
    assert_eq!(released.matches("Also in force: bypass of ").count(), 2, "single ones stay: {released}");
    sandbox.ok(&["release", "web", "db"]);
    assert!(!sandbox.ok(&["status"]).contains("OVERRIDE"));
}

#[test]
fn an_end_is_a_time_to_come_and_a_bypass_has_one_within_a_day() {
    let sandbox = shop();
    for (words, text) in [
        (&["bypass", "web"][..], "a bypass must end by itself; write --for 2h, or --until TIME"),
        (&["bypass", "web", "--for", "25h"], "a bypass lasts 24 hours at most"),
        (&["bypass", "web", "--until", "2099-01-01 22:00"], "a bypass lasts 24 hours at most"),
        (&["hold", "web", "--for", "0"], "it would be over at once"),
        (&["hold", "web", "--until", "2001-01-01 10:00"], "it would be over at once"),
        (&["observe", "web", "--for", "ever"], "--for: \"ever\" is not a duration"),
        (
            &["observe", "web", "--until", "soon"],
            "--until: \"soon\" is not a time; write 2026-12-01 22:00, 22:00, ",
        ),
        (&["hold", "web", "--until", "2099-01-01"], "--until: \"2099-01-01\" is not a time"),
        (&["observe", "web", "--until", "-2h"], "--until: \"-2h\" is not a time"),
    ] {
        refused(&sandbox.pm(words), 2, text);
    }
    sandbox.ok(&["bypass", "web", "--until", "+24h"]);
    sandbox.ok(&["bypass", "web", "--until", "23:59"]);
    sandbox.ok(&["hold", "web", "--for", "1d"]);
    let results: Vec<_> = audited(&sandbox).into_iter().map(|(_, result)| result).collect();
    assert_eq!(results.len(), 12);
    assert!(results[..9].iter().all(|result| result.starts_with("refused: ")), "{results:?}");
}

#[test]
fn names_that_nobody_knows_are_refused_with_what_was_meant() {
    let sandbox = shop();
    for verb in ["hold", "release", "reset"] {
        let wrong = sandbox.pm(&[verb, "web", "maill"]);
        refused(
            &wrong,
            2,
            "no process \"maill\" is configured or in the table, nothing was changed; did you mean \"mail\"?",
        );
        refused(
            &sandbox.pm(&[verb, "--group", "front"]),
            2,
            "no group \"front\" is configured, nothing was changed",
        );
        refused(&sandbox.pm(&[verb, ""]), 2, "no process \"\" is configured");
    }
    assert!(!sandbox.ok(&["status"]).contains("OVERRIDE"), "nothing of it is in force");
    // In the table without a section is known as well.
    sandbox.ok(&["hold", "stranger"]);

    // Without the database what is configured, and what the journal knows, can be held all the same.
    std::fs::write(sandbox.dir().join("alarms.db"), "no database ".repeat(1000)).unwrap();
    sandbox.ok(&["hold", "web"]);
    sandbox.ok(&["release", "stranger"]);
    let unknown = sandbox.pm(&["hold", "elsewhere"]);
    refused(
        &unknown,
        2,
        "no process \"elsewhere\" is configured, nothing was changed. Whether it is in the table is not known: ",
    );
    refused(&sandbox.pm(&["hold", "wbe"]), 2, "did you mean \"web\"?");
}

#[test]
fn who_asks_is_the_option_the_caller_of_sudo_or_the_login() {
    let sandbox = shop();
    let hold = |sudo: Option<&str>, words: &[&str]| {
        let mut command = sandbox.command(&[&["hold", "web"], words].concat());
        command.env_remove("SUDO_USER").envs(sudo.map(|name| ("SUDO_USER", name)));
        answer(&mut command)
    };
    let login = answer(std::process::Command::new("id").arg("-un")).out;
    for (sudo, words, by) in [
        (Some("ana"), &[][..], "ana"),
        (Some(""), &[], login.trim()),
        (None, &[], login.trim()),
        (Some("ana"), &["--by", "bob of the night shift"], "bob of the night shift"),
    ] {
        let told = hold(sudo, words);
        assert!(told.out.starts_with(&format!("web is held by {by} until it is released. ")), "{told:?}");
    }
    refused(&hold(None, &["--by", " "]), 2, "--by is blank");
    refused(&hold(None, &["--by", &"x".repeat(101)]), 2, "--by is longer than 100 characters");
    refused(&hold(None, &["--why", &"x".repeat(1001)]), 2, "--why is longer than 1000 characters");
}

#[test]
fn what_operators_and_names_contain_cannot_draw_on_a_terminal() {
    let name = "w\u{1b}[2J$(id)";
    let sandbox = Sandbox::sqlite("");
    sandbox.ok(&["alarm", "add", name]);
    let evil = "x\u{1b}[31m\n\u{202e}y";
    let mut shown = sandbox.ok(&["hold", name, "--by", evil, "--why", evil]);
    shown += &sandbox.ok(&["status"]);
    shown += &sandbox.ok(&["status", "--format", "json"]);
    shown += &sandbox.pm(&["restart", name]).err;
    shown += &sandbox.ok(&["audit"]);
    shown += &sandbox.ok(&["audit", "--format", "json"]);
    shown += &sandbox.ok(&["release", name]);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
    assert!(shown.contains("w\\u{1b}[2J$(id) is held by x\\u{1b}[31m\\u{a}\\u{202e}y until"), "{shown}");
    let entries = json(&sandbox.ok(&["audit", name, "--format", "json"]));
    assert_eq!(entries[0]["scope"]["name"], name, "kept as it was given");
    assert_eq!(entries.as_array().unwrap().last().unwrap()["by"], evil);
}

#[test]
fn everything_that_was_asked_for_is_audited_and_tampering_shows() {
    let sandbox = shop();
    assert_eq!(sandbox.ok(&["audit"]), "No entries.\n");
    assert_eq!(sandbox.ok(&["audit", "--verify"]), "The audit is empty.\n");
    sandbox.ok(&["hold", "web", "--why", "disk swap"]);
    sandbox.pm(&["restart", "web", "--force"]);
    sandbox.ok(&["release", "web", "--order", "hold"]);
    sandbox.ok(&["restart", "web"]);
    sandbox.pm(&["--restart", "db"]);
    sandbox.pm(&["restart", "nobody"]);
    sandbox.ok(&["reset", "--all"]);
    let expected = [
        ("hold", "in force"),
        ("restart --force", "asked for"),
        ("restart --force", "refused: web was not restarted: \"web\" is held by "),
        ("release hold", "hold of web by "),
        ("restart", "asked for"),
        ("restart", "attempt 1: restarted: "),
        ("restart --force", "asked for"),
        ("restart --force", "attempt 2: failed: "),
        ("restart", "refused: \"nobody\" is not configured: "),
        ("reset", "ordered"),
    ];
    let all = audited(&sandbox);
    assert_eq!(all.len(), expected.len(), "{all:?}");
    for ((verb, result), (its, begin)) in all.iter().zip(expected) {
        assert!(verb == its && result.starts_with(begin), "{verb}: {result}, expected {its}: {begin}");
    }
    let text = sandbox.ok(&["audit", "--limit", "3"]);
    fits(&text, 80);
    assert!(text.contains("reset --all: ordered") && !text.contains("hold web"), "{text}");
    let of_db = json(&sandbox.ok(&["audit", "db", "--format", "json"]));
    assert_eq!(of_db.as_array().unwrap().len(), 3, "its own and what was for all: {of_db:#}");
    assert_eq!(sandbox.ok(&["audit", "--since", "now"]), "No entries.\n");
    assert!(sandbox.ok(&["audit", "--since", "-1h"]).contains("reset --all"));
    refused(&sandbox.pm(&["audit", "--since", "soon"]), 2, "--since: \"soon\" is not a time");
    refused(&sandbox.pm(&["audit", "--since", "2099-01-01"]), 2, "is in the future");
    let intact = sandbox.ok(&["audit", "--verify"]);
    assert!(
        intact.starts_with("The audit is as it was written: entries 1 to 10.\nHash of entry 10: "),
        "{intact}"
    );
    let verified = json(&sandbox.ok(&["audit", "--verify", "--format", "json"]));
    assert_eq!((&verified["intact"], &verified["entries"]), (&true.into(), &10.into()));

    let journal = rusqlite::Connection::open(sandbox.dir().join("state/journal.db")).unwrap();
    journal.execute("UPDATE audit SET by_whom = 'somebody else' WHERE id = 3", []).unwrap();
    let found = sandbox.pm(&["audit", "--verify"]);
    refused(&found, 1, "the audit is not as it was written: entry 3 is not as it was written; ");
    let found = sandbox.pm(&["audit", "--verify", "--format", "json"]);
    assert_eq!((found.code, &json(&found.out)["intact"]), (1, &false.into()));
}

#[test]
fn without_a_daemon_a_reset_changes_what_is_stored_and_the_next_start_keeps_to_it() {
    let mut sandbox = shop();
    sandbox.start();
    sandbox.ok(&["alarm", "raise", "db"]);
    sandbox.until_log("Circuit breaker opened for db");
    sandbox.stop();
    let state = |sandbox: &Sandbox| {
        let all = json(&sandbox.ok(&["status", "--format", "json"]));
        all["processes"][0]["breaker"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&sandbox), "open");
    sandbox.ok(&["reset", "web"]);
    assert_eq!(state(&sandbox), "open", "that was another one");
    let told = sandbox.ok(&["reset", "db", "--by", "ana"]);
    assert_eq!(told, format!("Reset of db: breaker closed, failures forgotten.\n{NOT_RUNNING}"));
    assert_eq!(state(&sandbox), "closed");
    sandbox.start();
    sandbox.until_log("OPERATOR LOG: Failures of db are forgotten, breakers are closed: reset by ana");
    sandbox.until("the second failure", |sandbox| {
        sandbox.log().matches("Circuit breaker opened for db").count() == 2
    });
}

#[test]
fn several_operators_at_once_are_all_heard() {
    let sandbox = shop();
    let names = ["ana", "bob", "eve", "kim", "leo", "mia", "noa", "pat"];
    let children = names.map(|by| {
        let words = ["hold", "web", "db", "--by", by];
        sandbox
            .command(&words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let verified = json(&sandbox.ok(&["audit", "--verify", "--format", "json"]));
    assert_eq!((&verified["intact"], &verified["entries"]), (&true.into(), &16.into()));
    let entries = json(&sandbox.ok(&["audit", "--format", "json"]));
    let last = &entries[0]["by"];
    let all = json(&sandbox.ok(&["status", "--format", "json"]));
    assert_eq!(
        (&all["overrides"][0]["by"], &all["overrides"][1]["by"]),
        (last, last),
        "the last word counts"
    );
}

#[test]
fn a_restart_by_force_is_one_attempt() {
    let keys = "restart_command = echo x >> @DIR@/ran; false\nmax_attempts = 3\nrestart_delay = 0.01";
    let sandbox = Sandbox::sqlite(&custom("bad", keys));
    let count = |sandbox: &Sandbox| sandbox.read("ran").lines().count();
    assert_eq!(sandbox.pm(&["restart", "bad", "--force"]).code, 1);
    assert_eq!(count(&sandbox), 1);
    assert_eq!(sandbox.pm(&["restart", "bad"]).code, 1);
    assert_eq!(count(&sandbox), 4);
}

#[test]
fn a_duration_that_makes_no_sense_is_told_with_what_to_write() {
    let sandbox = shop();
    refused(
        &sandbox.pm(&["hold", "web", "--for", "-5s"]),
        2,
        "--for: \"-5s\" is not a duration; write seconds or a unit",
    );
    refused(&sandbox.pm(&["hold", "web", "--for", "soon"]), 2, "30s, 2m, 1h, 1d");
    refused(&sandbox.pm(&["hold", "web", "--until", "soon"]), 2, "22:00, +2h or ");
}
