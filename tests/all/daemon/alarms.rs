//! From the alarm to the cleared row: which rows are acted on, what becomes of them, and the words in the log.

use super::{World, custom};
use pm_tests::sandbox::Sandbox;

#[test]
fn an_alarm_becomes_a_verified_restart_in_the_words_and_order_of_the_original() {
    let keys = "system_name = nginx\npre_restart_command = mkdir -p @DIR@/ready\n\
                restart_command = touch @DIR@/ready/%s; echo done\nhealth_check_command = test -e @DIR@/ready/nginx";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    let notes = world.cleared(id);
    let stamp = notes.strip_prefix("down - Restarted at ").unwrap();
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00 00:00:00", "{notes}");
    assert_eq!(world.state(id).1, 0, "sound is never written");
    world.until_log("DB UPDATE LOG");
    let messages = world.messages();
    let begin = messages.iter().position(|line| line.starts_with("INFO Found")).unwrap();
    let folder = world.path("ready");
    let expected = [
        "INFO Found process in alarm: web (ID: 1)".to_owned(),
        "INFO RESTART LOG: Beginning restart procedure for web (strategy: custom, system_name: nginx)"
            .to_owned(),
        format!("INFO Executing pre-restart command for web: mkdir -p {folder}"),
        "INFO Attempting restart (1 of 2) for web".to_owned(),
        format!("INFO Executing custom restart command for web: touch {folder}/%s; echo done"),
        "INFO web: done".to_owned(),
        "INFO Custom restart command executed for: web (exited with status 0 in N ms)".to_owned(),
        format!("INFO Performing health check for web: test -e {folder}/nginx"),
        "INFO Health check passed for web".to_owned(),
        "INFO RESTART LOG: Successfully started/restarted and verified service: nginx".to_owned(),
        "INFO Successfully handled alarm for web".to_owned(),
        "INFO DB UPDATE LOG: Successfully updated alarm status for process_id: 1".to_owned(),
    ];
    let time = |line: &String| match line.split_once("status 0 in ") {
        Some((before, _)) => format!("{before}status 0 in N ms)"),
        None => line.clone(),
    };
    assert_eq!(messages[begin..].iter().map(time).collect::<Vec<_>>(), expected);
    assert_eq!(messages[0], "INFO Starting Process Monitor Service");
}

#[test]
fn only_rows_with_alarm_1_that_nobody_ticked_are_acted_on() {
    let mut world = World::with(&custom("web", "restart_command = echo $process_id >> @DIR@/ran"));
    let long = "ș".repeat(100);
    let full = format!("{} - Restarted at 2020-01-01 00:00:00", "x".repeat(65));
    // id, name, alarm, sound, notes, whether it is restarted
    let rows = [
        (1_i64, "web", 1_i64, 0_i64, None, true),
        (2, "web", 1, 0, Some(long.as_str()), true),
        (3, "web", 1, 0, Some(&full), true),
        (4, "web", 0, 0, None, false),
        (5, "web", 2, 0, None, false),
        (6, "web", -1, 0, None, false),
        (7, "web", 1, 1, Some("ticked"), false),
        (8, "", 1, 0, Some("nameless"), false),
        (9, "Web", 1, 0, Some("names are case-sensitive"), false),
    ];
    for (id, name, alarm, sound, notes, _) in rows {
        world.put(id, &name, alarm, sound, notes);
    }
    world.start();
    for (id, _, alarm, sound, notes, acted) in rows {
        if acted {
            let after = world.cleared(id);
            assert!(after.contains(" - Restarted at 20") && after.chars().count() <= 100, "{after}");
            let kept = notes.unwrap_or_default().chars().take(65).collect::<String>();
            assert!(after.starts_with(&kept), "{id}: {after}");
            assert!(!after.contains("2020-01-01"), "the oldest stamp makes room: {after}");
        } else {
            world.round();
            assert_eq!(world.state(id), (alarm, sound, notes.map(str::to_owned)), "row {id}");
        }
    }
    // Three rows of one name are one restart, made for the first of them.
    assert_eq!(world.lines("ran"), ["1"]);
    // Each reason is said once, whatever number of rounds it lasts.
    world.round();
    for (text, count) in [
        ("INFO Not acting on web (ID: 7): an operator has ticked it (sound = 1), so it is left alone", 1),
        ("WARNING Ignoring row without a process name (ID: 8); give it one in PROCESE", 1),
        ("INFO Ignoring process without config section: Web (ID: 9)", 1),
    ] {
        assert_eq!(world.messages().iter().filter(|line| *line == text).count(), count, "{}", world.log());
    }
    let why = world.ok(&["why", "web"]);
    assert!(why.contains("HOLD acknowledged  an operator has ticked it (sound = 1)"), "{why}");
}

#[test]
fn with_a_default_section_rows_without_their_own_are_handled_by_it() {
    let default = "[process.default]\nrestart_strategy = custom\nrestart_command = echo $process_name %s >> @DIR@/ran\n";
    let mut world = World::with(default);
    world.start();
    world.handled("anything");
    assert_eq!(world.lines("ran"), ["anything anything"]);
}

#[test]
fn a_healthy_process_is_not_restarted_when_the_check_comes_first() {
    let keys = |verify: &str| {
        format!(
            "verify_before = {verify}\nrestart_command = echo x >> @DIR@/ran-{verify}\nhealth_check_command = true"
        )
    };
    let mut world = World::with(&(custom("sure", &keys("yes")) + &custom("eager", &keys("no"))));
    world.start();
    let (sure, eager) = (world.alarm("sure"), world.alarm("eager"));
    assert_eq!(world.cleared(sure), "down", "nothing was restarted, so no note says so");
    assert!(world.cleared(eager).contains("Restarted at"));
    assert_eq!((world.count("ran-yes"), world.count("ran-no")), (0, 1));
    assert_eq!(world.said("RESTART LOG: sure is healthy, nothing to restart: exited with status 0"), 1);
}

#[test]
fn without_a_check_the_status_of_the_command_decides_and_with_one_the_check() {
    let sections = custom("no-check-good", "restart_command = true\n")
        + &custom("no-check-bad", "restart_command = exit 3\nmax_attempts = 1")
        + &custom("check-good", "restart_command = exit 3\nhealth_check_command = true")
        + &custom(
            "check-bad",
            "restart_command = true\nhealth_check_command = false\nhealth_check_timeout = 0.1\nmax_attempts = 1",
        );
    let mut world = World::with(&sections);
    world.start();
    for (name, good) in
        [("no-check-good", true), ("no-check-bad", false), ("check-good", true), ("check-bad", false)]
    {
        let id = world.alarm(name);
        let end = if good { "Successfully handled alarm for" } else { "Failed to handle alarm for" };
        world.until_log(&format!("{end} {name}"));
        world.round();
        assert_eq!(world.state(id).0, i64::from(!good), "{name}");
    }
    for line in [
        "INFO No health check command configured for no-check-good, assuming success",
        "ERROR Custom restart command failed for: no-check-bad: restart_command exited with status 3",
        "ERROR Custom restart command failed for: check-good: restart_command exited with status 3",
        "ERROR RESTART LOG: Start/Restart command succeeded but health check failed for: check-bad",
        "ERROR Health check failed for check-bad after 0.1 seconds: exited with status 1",
        "WARNING RESTART LOG: Attempt 1 failed for check-bad: not healthy: exited with status 1",
        "ERROR RESTART LOG: All restart attempts failed for check-bad",
    ] {
        assert!(world.messages().iter().any(|message| message == line), "{line}\n{}", world.log());
    }
}

#[test]
fn only_rows_of_its_own_host_are_read_and_cleared() {
    let config = Sandbox::on_sqlite(
        &(custom("web", "restart_command = echo $process_id >> @DIR@/ran") + super::MARKER),
    );
    let mut world = World::of(&format!("[host]\nhost_id = 7\n\n{config}"));
    for (id, host) in [(1, 7), (2, 8), (3, 1)] {
        world.put(id, &"web", 1, 0, Some("down"));
        world
            .table
            .execute("UPDATE STATUS_PROCESS SET host_id = ?2 WHERE process_id = ?1", [id, host])
            .unwrap();
    }
    world.put(4, &"marker", 1, 0, None);
    world.table.execute("UPDATE STATUS_PROCESS SET host_id = 7 WHERE process_id = 4", []).unwrap();
    world.start();
    world.cleared(1);
    world.cleared(4);
    assert_eq!(world.lines("ran"), ["1"]);
    for id in [2, 3] {
        assert_eq!(world.state(id), (1, 0, Some("down".to_owned())), "row {id} belongs to another host");
    }
    let listed = world.ok(&["alarm", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
}

#[test]
fn an_alarm_that_is_raised_anew_during_its_restart_is_not_wiped() {
    let keys = "restart_command = echo x >> @DIR@/ran; while [ ! -e @DIR@/go ]; do sleep 0.02; done";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    world.until_count("ran", 1);
    world.again(id);
    world.write("go", "", 0o644);
    let notes = world.cleared(id);
    assert!(notes.starts_with("again - Restarted at"), "{notes}");
    assert_eq!(world.count("ran"), 2, "the second alarm had a restart of its own");
    assert_eq!(world.said("Alarm was raised anew meanwhile and stays, process_id: 1"), 1);
}
