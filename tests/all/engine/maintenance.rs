//! Maintenance windows of the file and of operators: announced, held, and what is left over at the end looked at again.

use super::{World, config, custom, history, in_order, programs, real, running, world};

/// A moment so many seconds from now, as the file and the command line read it.
fn moment(world: &World, seconds: i64) -> String {
    let text = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', ?1 || ' seconds')";
    world.table.query_row(text, [seconds], |row| row.get(0)).unwrap()
}

#[test]
fn a_window_of_the_file_holds_alarms_and_what_is_left_over_is_looked_at_at_its_end() {
    let sections = real("w1", "") + &real("w2", "");
    let mut world = world("", &sections);
    programs(&world, &["w1", "w2"], &["w1"]);
    let untouched = running(&world, "w1");
    let (from, until) = (moment(&world, -60), moment(&world, 3));
    let window = format!(
        "[maintenance.patches]\nfrom = {from}\nuntil = {until}\nprocess = w1, w2\nreason = new kernel\n\n"
    );
    world.configure(&config("", &(sections + &window)));
    let rows = ["w1", "w2"].map(|name| world.alarm(name));
    world.start();
    world.until_log("Maintenance window patches has begun (new kernel): no restarts in it for ");
    for (name, id) in ["w1", "w2"].into_iter().zip(rows) {
        world.until_log(&format!(
            "Not acting on {name} (ID: {id}): maintenance window patches (new kernel), for another "
        ));
    }
    let why = world.ok(&["why", "w2"]);
    assert!(why.starts_with("w2 is in alarm; the alarm is held (maintenance).\n"), "{why}");
    assert!(
        why.contains("HOLD maintenance   maintenance window patches (new kernel), for another "),
        "{why}"
    );
    let refused = world.pm(&["restart", "w2"]);
    assert!(
        refused.code == 1 && refused.err.contains("w2 was not restarted: maintenance window patches"),
        "{refused:?}"
    );
    // Whoever is not covered is restarted as ever.
    world.round();
    // The healthy one is cleared untouched, the bad one restarted.
    assert_eq!(world.cleared(rows[0]), "down");
    assert!(world.cleared(rows[1]).starts_with("down - Restarted at "));
    assert_eq!(
        (running(&world, "w1"), world.lines("started")),
        (untouched, vec!["w1".to_owned(), "w2".to_owned()])
    );
    let end = "Maintenance window patches has ended: what is still in alarm is looked at again";
    in_order(
        &world,
        &["Maintenance window patches has begun", end, "RESTART LOG: w1 is healthy, nothing to restart: "],
    );
    in_order(&world, &[end, "RESTART LOG: Beginning restart procedure for w2"]);
    assert_eq!((world.said("patches has begun"), world.said(end)), (1, 1));
}

#[test]
fn an_operators_window_is_open_when_the_command_returns_and_over_when_it_is_removed() {
    let mut world = world("", &custom("web", "restart_command = echo x >> @DIR@/ran"));
    let pid = world.start();
    world.round();
    let told = world.ok(&["maintenance", "add", "kernel", "--for", "1h", "--process", "web", "--by", "ana"]);
    assert!(
        told.starts_with("Added: kernel is open until ") && told.contains(", for process web.\n"),
        "{told}"
    );
    assert!(told.ends_with(&format!("The daemon (pid {pid}) has been told.\n")), "{told}");
    let id = world.alarm("web");
    world.until_log(&format!("Not acting on web (ID: {id}): maintenance window kernel, for another "));
    world.round();
    // Also a pm that dies meanwhile does not begin, nor announce it twice.
    world.kill();
    world.start();
    world.round();
    assert_eq!((world.count("ran"), world.state(id).0), (0, 1), "{}", world.log());
    assert_eq!(world.said("Maintenance window kernel has begun"), 1);
    let told = world.ok(&["maintenance", "remove", "kernel"]);
    assert!(told.starts_with("Removed: kernel.\nThe daemon (pid "), "{told}");
    world.cleared(id);
    assert_eq!((world.count("ran"), world.said("Maintenance window kernel has ended")), (1, 1));
    assert_eq!(history(&world, "web").len(), 1);
}

#[test]
fn recurring_windows_cover_groups_and_all_in_their_time_zone() {
    let sections = custom("web", "group = shop\nrestart_command = echo web >> @DIR@/ran")
        + &custom("db", "backoff = 0\nrestart_command = echo db >> @DIR@/ran");
    let mut world = world("", &sections);
    // It opened at the beginning of this minute, and again tomorrow.
    let cron: String =
        world.table.query_row("SELECT strftime('%M %H * * *', 'now')", [], |row| row.get(0)).unwrap();
    let window =
        format!("[maintenance.nightly]\ncron = {cron}\nduration = 2h\ntime_zone = UTC\ngroup = shop\n\n");
    world.configure(&config("", &(sections.clone() + &window)));
    let rows = ["web", "db"].map(|name| world.alarm(name));
    world.start();
    world.cleared(rows[1]);
    world.until_log("Not acting on web (ID: 1): maintenance window nightly, for another 2 h");
    assert_eq!((world.lines("ran"), world.state(rows[0]).0), (vec!["db".to_owned()], 1));
    // For all, in another zone: now both are covered.
    let words =
        ["maintenance", "add", "yearly", "--cron", &cron, "--zone", "Etc/UTC", "--for", "1h", "--all"];
    world.ok(&words);
    world.until_log("Maintenance window yearly has begun");
    world.again(rows[1]);
    world.until_log("Not acting on db (ID: 2): maintenance window yearly, for another ");
    // Without the window of the file and the other one both are restarted.
    world.configure(&config("", &sections));
    world.until_log("Maintenance window nightly has ended");
    assert_eq!(world.count("ran"), 1, "the other one still covers it\n{}", world.log());
    world.ok(&["maintenance", "remove", "yearly"]);
    for id in rows {
        world.cleared(id);
    }
    assert_eq!(world.count("ran"), 3);
}

#[test]
fn a_window_that_opens_stops_a_restart_by_hand_before_its_next_attempt_unless_it_is_forced() {
    // The first attempt itself opens the window, as somebody does who begins to work in the middle of it.
    let pm = pm_tests::sandbox::built().join("pm");
    let line = format!(
        "restart_command = echo x >> @DIR@/ran; {} --config @DIR@/config.ini maintenance add disks --for 1h --process bad \
         >/dev/null 2>&1; false\nmax_attempts = 5\nrestart_delay = 0.01",
        pm.display()
    );
    let world = world("", &custom("bad", &line));
    let stopped = world.pm(&["restart", "bad"]);
    assert!(
        stopped.code == 1 && stopped.err.contains("maintenance window disks, for another "),
        "{stopped:?}"
    );
    assert_eq!((world.count("ran"), &history(&world, "bad")[0]["end"]), (1, &"cancelled".into()));
    assert!(stopped.err.contains("Attempting restart (1 of 5)"), "{stopped:?}");
    assert!(
        !stopped.err.contains("Attempting restart (2 of 5)"),
        "it is told only when it is made: {stopped:?}"
    );
    let forced = world.pm(&["restart", "bad", "--force", "--why", "it is me who works there"]);
    assert!(forced.code == 1 && !forced.err.contains("maintenance window"), "{forced:?}");
    assert_eq!(world.count("ran"), 2);
}
