//! What pm says of itself: `pm plan` before the fact, `pm why --at` and the evidence after it.

use super::{World, config, custom, history, json, programs, real, world};

/// A moment of the boot's milliseconds as the command line reads it.
fn at(world: &World, ms: i64) -> String {
    let text = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?1 / 1000.0, 'unixepoch')";
    world.table.query_row(text, [ms], |row| row.get(0)).unwrap()
}

fn why(world: &World, name: &str, ms: i64) -> String {
    world.ok(&["why", name, "--at", &at(world, ms)])
}

/// Tells what was seen when the attempt began, and how it ended.
fn during_the_attempt(during: &str, number: i64, id: i64, saw: &str) {
    assert!(
        during.starts_with("At ")
            && during.contains(&format!(", bad was being restarted: attempt {number}, begun ")),
        "{during}"
    );
    for line in [
        format!("  ok   name          bad (row {id})\n"),
        format!("  ok   breaker       {saw}\n"),
        "  ok   acknowledged  sound = 0\n".to_owned(),
        "  ok   storm limit   ".to_owned(),
    ] {
        assert!(during.contains(&line), "no {line:?} in\n{during}");
    }
    assert!(
        during.contains("\nIt ended ") && during.contains(", failed: restart_command exited with status 1."),
        "{during}"
    );
}

#[test]
fn why_tells_what_was_seen_now_while_it_was_held_and_at_every_attempt() {
    let keys = "restart_command = sleep 0.2; test -e @DIR@/repaired\nmax_attempts = 1\nmax_restart_failures = 2\nbackoff = 0\n\
                circuit_reset_time = 600\ncircuit_jitter = 0\ngroup = shop";
    let mut world = world("", &custom("bad", keys));
    world.start();
    let id = world.alarm("bad");
    world.until_log("Circuit breaker open for bad. Skipping restart.");
    world.round();
    let attempts = history(&world, "bad");
    let (began, ended) = (
        |n: usize| attempts[n]["began_ms"].as_i64().unwrap(),
        |n: usize| attempts[n]["ended_ms"].as_i64().unwrap(),
    );
    let before = why(&world, "bad", began(0) - 1000);
    assert!(before.starts_with("Nothing is known of bad at "), "{before}");
    assert!(before.ends_with(" or before: no alarm was started or held.\n"), "{before}");
    // Both attempts, each with the values of its own moment, while it ran and behind it.
    for (attempt, number, saw) in [
        (
            0,
            attempts[0]["id"].as_i64().unwrap(),
            "closed, 0 restarts that did not help yet (opens at 2), level 0",
        ),
        (
            1,
            attempts[1]["id"].as_i64().unwrap(),
            "closed, 1 restart that did not help yet (opens at 2), level 0",
        ),
    ] {
        during_the_attempt(&why(&world, "bad", began(attempt) + 100), number, id, saw);
    }
    let told = json(&world.ok(&["why", "bad", "--at", &at(&world, began(0) + 100), "--format", "json"]));
    assert_eq!(
        (&told["verdict"], &told["end"], &told["cause"]),
        (&"started".into(), &"failed".into(), &"alarm".into())
    );
    let checks = |told: &serde_json::Value| told["checks"].as_array().unwrap().len();
    assert_eq!(checks(&told), 17, "the whole chain: {told:#}");
    // Held since the second failure, and what each check saw then.
    let then = at(&world, ended(1) + 300);
    world.until("that moment to be past", |world| world.pm(&["why", "bad", "--at", &then]).code == 0);
    let held = why(&world, "bad", ended(1) + 300);
    assert!(
        held.starts_with("The last decision about bad up to ")
            && held.contains(" was to hold its alarm (breaker-open), at "),
        "{held}"
    );
    assert!(
        held.contains(
            "HOLD breaker       the breaker is open after 2 restarts that did not help; one trial in 10 min\n"
        ),
        "{held}"
    );
    let now = world.ok(&["why", "bad"]);
    assert!(now.starts_with("bad is in alarm; the alarm is held (breaker-open).\n"), "{now}");
    // By hand nothing is asked, and that is said.
    world.write("repaired", "", 0o644);
    world.ok(&["restart", "bad", "--force"]);
    let by_hand = world.ok(&["why", "bad", "--at", "now"]);
    assert!(by_hand.contains("  It was asked for by an operator, so no check was asked.\n"), "{by_hand}");
    let wrong = world.pm(&["why", "bad", "--at", "2099-01-01 00:00"]);
    assert!(
        wrong.code == 2 && wrong.err.contains("is in the future; write a moment of the past"),
        "{wrong:?}"
    );
}

#[test]
fn the_plan_is_what_the_daemon_then_does() {
    let quick =
        |name: &str, keys: &str| custom(name, &format!("restart_command = echo {name} >> @DIR@/ran\n{keys}"));
    let sections = quick("low", "criticality = low")
        + &quick("high", "criticality = high")
        + &quick("dependent", "depends_on = root")
        + &quick("root", "")
        + &quick("held", "")
        + &quick("seen", "")
        + &quick("planned", "")
        + "[maintenance.work]\nfrom = 2020-01-01 00:00\nuntil = 2099-01-01 00:00\nprocess = planned\n\n";
    let mut world = World::of(&config("max_parallel_restarts = 2\nmass_alarm_min = 0", &sections));
    world.ok(&["hold", "held", "--by", "ana"]);
    world.ok(&["observe", "seen", "--by", "ana"]);
    let names = ["low", "dependent", "root", "held", "seen", "planned", "high", "stranger"];
    let rows = names.map(|name| (world.alarm(name), name));
    world.put(90, &"low", 1, 1, None);
    let plan = json(&world.ok(&["plan", "--format", "json"]));
    let begin: Vec<_> =
        plan["begin"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(begin, ["high", "root"], "{plan:#}");
    let held = plan["hold"].as_array().unwrap().clone();
    let text = world.ok(&["plan"]);
    assert!(text.starts_with("The next round would begin 2 jobs and hold 7 alarms.\n"), "{text}");
    assert!(
        text.ends_with("\nThe daemon is not running: nothing happens until it is started (pm run).\n"),
        "{text}"
    );
    assert_eq!(world.count("ran"), 0, "a plan does nothing");
    world.start();
    for (id, name) in rows {
        if ["low", "dependent", "root", "high"].contains(&name) {
            world.cleared(id);
        }
    }
    let log = world.log();
    let found: Vec<_> = log
        .lines()
        .filter_map(|line| {
            line.split_once("Found process in alarm: ").map(|(_, rest)| rest.split(' ').next().unwrap())
        })
        .collect();
    assert_eq!(found[..2], ["high", "root"], "{log}");
    // Every reason of the plan is one that the daemon gave, but for those that pass by themselves in a moment.
    for reason in &held {
        let (name, row, hold) = (&reason["name"], &reason["row"], reason["hold"].as_str().unwrap());
        let (name, row) = (name.as_str().unwrap(), row.as_i64().unwrap());
        let said = match hold {
            "capacity" => continue,
            "observed" => format!("Would restart {name} (ID: {row}) now; "),
            "not-configured" => format!("Ignoring process without config section: {name} (ID: {row})"),
            "maintenance" => {
                format!("Not acting on {name} (ID: {row}): maintenance window work, for another ")
            }
            _ => format!("Not acting on {name} (ID: {row}): {}", reason["why"].as_str().unwrap()),
        };
        assert!(log.contains(&said), "no {said:?} in\n{log}");
    }
    let words: Vec<_> = held.iter().map(|reason| reason["hold"].as_str().unwrap()).collect();
    let expected =
        ["capacity", "waiting", "held", "observed", "maintenance", "not-configured", "acknowledged"];
    assert_eq!(words, expected);
    // Nothing is left to begin, and that is what it says.
    let plan = json(&world.ok(&["plan", "--format", "json"]));
    assert_eq!(plan["begin"].as_array().unwrap().len(), 0, "{plan:#}");
}

#[test]
fn evidence_is_gathered_before_the_restart_and_shown_with_its_attempt() {
    let keys = "evidence_command = echo \"load: $PROCESS_NAME\"; cat @DIR@/started | wc -l\nbackoff = 0\noutput = @DIR@/web.log";
    let mut world =
        world("", &(real("web", keys) + &custom("quiet", "restart_command = true\nevidence = no")));
    programs(&world, &["web"], &["web"]);
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    world.handled("quiet");
    let attempt = |name: &str| history(&world, name).last().unwrap()["id"].as_i64().unwrap().to_string();
    let shown = world.ok(&["history", "--evidence", &attempt("web")]);
    for part in ["strategy: process", "processes:", "load: web", "\n  1\n"] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    assert_eq!(world.count("started"), 2, "the evidence is from before");
    let none = world.pm(&["history", "--evidence", &attempt("quiet")]);
    assert_eq!(none.code, 1);
    assert!(
        none.err.contains("no evidence is kept of attempt ") && none.err.contains("pm history"),
        "{none:?}"
    );
    let list = world.ok(&["history", "web"]);
    assert!(
        list.lines().nth(1).unwrap().starts_with(&attempt("web")),
        "the number is where one looks for it: {list}"
    );
}

#[test]
fn a_time_copied_from_the_history_or_the_log_finds_what_it_stands_beside() {
    let mut world =
        world("", &custom("bad", "restart_command = false\nmax_attempts = 1\nmax_restart_failures = 1"));
    world.start();
    world.alarm("bad");
    world.until_log("Circuit breaker open for bad. Skipping restart.");
    let line = |text: &str| {
        let log = world.log();
        let line =
            log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text:?} in {log}"));
        line[.."2026-11-28 01:50:38".len()].to_owned()
    };
    let told = |at: &str| world.ok(&["why", "bad", "--at", at]);
    let begun = told(&line("Found process in alarm: bad"));
    assert!(begun.contains("bad was being restarted: attempt 1, ") || begun.contains("was to "), "{begun}");
    assert!(!begun.starts_with("Nothing is known"), "{begun}");
    let held = told(&line("Circuit breaker open for bad. Skipping restart."));
    assert!(held.contains(" was to hold its alarm (breaker-open), at "), "{held}");
    let minute = told(&line("Found process in alarm: bad")[..16]);
    assert!(!minute.starts_with("Nothing is known"), "{minute}");
    let history = world.ok(&["history", "bad"]);
    let began = history.lines().nth(1).unwrap()[4..23].to_owned();
    assert!(!told(&began).starts_with("Nothing is known"), "{history}");
}
