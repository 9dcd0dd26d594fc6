//! `kill -9` at every stage of a restart: the journal and the identity decide what the next start does.

use super::{World, alive, custom, running};
use pm_tests::findings::Findings;
use pm_tests::sandbox::built;
use std::process::{Command, Stdio};

#[test]
fn a_command_that_was_cut_off_is_run_again_by_the_next_start() {
    let keys = "restart_command = echo $attempt >> @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.02; done";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    world.until_count("begun", 1);
    world.kill();
    let status = world.ok(&["status"]);
    assert!(status.contains("Daemon         not running") && status.contains(" cut off"), "{status}");
    world.start();
    world.until_log("RESTART LOG: Restart of web was cut off when pm was stopped or killed; doing it now");
    let why = world.ok(&["why", "web"]);
    assert!(why.contains("HOLD in flight"), "the alarm and the resumed restart are one: {why}");
    world.write("go", "", 0o644);
    assert!(world.cleared(id).starts_with("down - Restarted at"));
    world.round();
    assert_eq!(world.lines("begun"), ["1", "1"], "once before the kill, once after it");
}

#[test]
fn a_restart_that_had_not_begun_is_forgotten_and_its_alarm_handled_anew() {
    let keys = "pre_restart_command = echo x >> @DIR@/prepared; while [ ! -e @DIR@/go ]; do sleep 0.02; done\n\
                restart_command = echo x >> @DIR@/ran";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    world.until_count("prepared", 1);
    world.kill();
    world.write("go", "", 0o644);
    world.start();
    world.cleared(id);
    assert_eq!((world.count("prepared"), world.count("ran")), (2, 1));
    let cancelled = "RESTART LOG: Unfinished restart of web cancelled: pm ended before the restart began";
    assert_eq!(world.said(cancelled), 1, "{}", world.log());
}

#[test]
fn a_restart_that_was_being_verified_is_verified_and_not_repeated() {
    let keys = "restart_command = echo x >> @DIR@/ran\n\
                health_check_command = echo x >> @DIR@/looked; test -e @DIR@/healthy\nhealth_check_timeout = 60";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    world.until_count("looked", 1);
    world.kill();
    world.write("healthy", "", 0o644);
    world.start();
    world.cleared(id);
    world.round();
    assert_eq!(world.count("ran"), 1, "{}", world.log());
    assert_eq!(world.said("Not restarting web again: the restart was carried out before pm ended"), 1);
}

/// pm is killed while the strategy still watches the new instance; whether one ran before makes no difference.
#[test]
fn a_program_that_was_up_again_before_the_kill_is_not_restarted_twice() {
    for ran_before in [true, false] {
        let section = "[process.web]\nrestart_strategy = process\nexecutable = @DIR@/web\nstart_command = @DIR@/web\n\
                       health_check = process\nstart_grace = 60\nrestart_delay = 0\n\n";
        let mut world = World::with(section);
        let script = world.program("web", "echo $$ >> @DIR@/started");
        let mut before = ran_before.then(|| std::process::Command::new(&script).spawn().unwrap());
        let already = usize::from(ran_before);
        world.until_count("started", already);
        world.start();
        let id = world.alarm("web");
        if let Some(child) = &mut before {
            // The strategy waits for its end, and a zombie has not ended for everybody.
            child.wait().unwrap();
        }
        world.until_count("started", already + 1);
        world.kill();
        world.start();
        assert!(world.cleared(id).starts_with("down - Restarted at"));
        world.round();
        assert_eq!(world.count("started"), already + 1, "ran before: {ran_before}\n{}", world.log());
        let new: u32 = world.lines("started").last().unwrap().parse().unwrap();
        assert!(alive(new));
        assert_eq!(running(&world, "web"), [new]);
        let said =
            "Not restarting web again: the restart happened before pm ended: the instance is another one";
        assert_eq!(world.said(said), 1, "{}", world.log());
    }
}

#[test]
fn a_restart_of_a_process_that_is_not_configured_any_more_is_closed() {
    let keys = "restart_command = echo x >> @DIR@/begun; sleep 300";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    world.until_count("begun", 1);
    world.kill();
    world.edit("");
    world.start();
    world.round();
    assert_eq!(world.said("Unfinished restart of web cancelled: it is not configured any more"), 1);
    assert_eq!((world.state(id).0, world.count("begun")), (1, 1));
    let status = world.ok(&["status"]);
    assert!(status.contains("cancelled"), "{status}");
}

#[test]
fn a_damaged_journal_is_set_aside_and_work_goes_on() {
    let mut world = World::with(&custom("web", "restart_command = echo x >> @DIR@/ran"));
    world.start();
    world.handled("web");
    world.stop();
    let journal = world.dir().join("state/journal.db");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.dir().join(format!("state/journal.db{suffix}")));
    }
    std::fs::write(&journal, "this is no journal ".repeat(1000)).unwrap();
    let looked = world.pm(&["status"]);
    assert_eq!(looked.code, 1);
    assert!(looked.err.contains("journal.db") && looked.err.contains("restart the daemon"), "{}", looked.err);
    world.start();
    world.handled("web");
    assert_eq!(world.count("ran"), 2);
    assert_eq!(world.said("[WARNING] - The journal"), 1, "{}", world.log());
    let aside = std::fs::read_dir(world.dir().join("state")).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("journal.db.corrupt-")
    });
    assert_eq!(aside.count(), 1);
    world.ok(&["status"]);
}

#[test]
fn an_order_that_finds_the_journal_damaged_says_what_is_forgotten_and_doctor_keeps_it_in_mind() {
    let sections = custom("web", "restart_command = true") + &custom("db", "restart_command = true");
    let world = World::with(&sections);
    world.ok(&["hold", "web", "--why", "disk swap"]);
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.dir().join(format!("state/journal.db{suffix}")));
    }
    world.write("state/journal.db", "junk\n", 0o600);
    let told = world.pm(&["hold", "db"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.starts_with("db is held "), "{told:?}");
    assert!(told.err.starts_with("pm: The journal ") && told.err.contains(" is set aside as "), "{told:?}");
    assert!(told.err.trim_end().ends_with("put holds in force again"), "{told:?}");
    assert_eq!(world.pm(&["hold", "web"]).err, "", "it is said once");
    let found = Findings::new(&world);
    let said = found.worst("journal");
    assert!(said.starts_with("warning: a damaged journal was set aside as "), "{said}");
}

#[test]
fn a_second_daemon_on_the_same_state_directory_is_refused() {
    let mut world = World::with("");
    let pm = world.start();
    let second = world.pm(&["run"]);
    assert_eq!(second.code, 1);
    let state = world.path("state");
    let why = format!(
        "pm: another pm (pid {pm}) works in the state directory {state}: stop it, or give this one a state_dir of its own\n"
    );
    assert_eq!(second.err, why);
    world.round();
    // With a directory of its own it runs; both act on the table then, as two hosts without host_id do.
    let config = world.read("config.ini").replace("/state", "/state-2").replace("pm.log", "third.log");
    let config = world.write("third.ini", &config, 0o600);
    let mut third = Command::new(built().join("pm"));
    let mut third = third.arg("run").arg("--config").arg(config).stdout(Stdio::null()).spawn().unwrap();
    world.until("the third to start", |world| world.dir().join("state-2/journal.db").exists());
    assert!(third.try_wait().unwrap().is_none());
    third.kill().unwrap();
    third.wait().unwrap();
    world.kill();
    // What a killed one leaves behind locks nobody out.
    world.start();
    world.round();
}

/// At moments that nobody has chosen: whatever is lost, every alarm is handled in the end and nothing runs twice.
#[test]
fn killed_again_and_again_pm_leaves_one_instance_of_each_program_and_no_alarm() {
    let names = ["a", "b", "c", "d"];
    let sections = names.map(|name| {
        format!(
            "[process.{name}]\nrestart_strategy = process\nexecutable = @DIR@/prog-{name}\nstart_command = @DIR@/prog-{name}\n\
             health_check = process\nstart_grace = 30ms\nrestart_delay = 0.01\n\n"
        )
    });
    let config = pm_tests::sandbox::Sandbox::on_sqlite(&sections.concat());
    let mut world = World::of(&config);
    let rows = names.map(|name| {
        world.program(&format!("prog-{name}"), "");
        world.alarm(name)
    });
    // A generator of its own, so that a failure can be repeated with the seed that it prints.
    let seed = u64::from(std::process::id());
    let mut random = seed | 1;
    for round in 0..15 {
        world.start_at_once();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(std::time::Duration::from_millis(20 + random % 180));
        world.kill();
        world.again(rows[round % 4]);
    }
    world.start();
    for row in rows {
        world.cleared(row);
    }
    for name in names {
        let pids = running(&world, &format!("prog-{name}"));
        assert_eq!(pids.len(), 1, "seed {seed}: {name} runs as {pids:?}\n{}", world.log());
    }
    let status = world.ok(&["status"]);
    assert!(!status.contains("under way"), "{status}");
    // No clearing is left over that could wipe a later alarm.
    let journal = super::open(&world.dir().join("state/journal.db"));
    world.until("the outbox to be empty", |_| {
        journal.query_row("SELECT COUNT(*) FROM outbox", [], |row| row.get::<_, i64>(0)).unwrap() == 0
    });
}
