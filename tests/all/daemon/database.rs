//! The alarm database fails: read-only, gone, garbage, locked. One line per change of state, and nothing is lost.

use super::{World, custom, open};
use pm_tests::sandbox::Sandbox;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

/// Root may read and write every file; without these capabilities it is bound by modes like everybody else.
const BOUND: [&str; 2] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

fn bound() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() { &BOUND } else { &[] }
}

fn mode(world: &World, mode: u32) {
    fs::set_permissions(world.dir().join("alarms.db"), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn with_a_table_that_cannot_be_written_each_alarm_is_acted_on_once() {
    let keys = "restart_command = echo x >> @DIR@/ran\nhealth_check_command = echo x >> @DIR@/looked; test -e @DIR@/healthy";
    let sections = custom("web", keys) + &custom("other", "restart_command = echo x >> @DIR@/other");
    let config = Sandbox::on_sqlite(&sections).replace("[monitor]", "[monitor]\nhandled_grace = 1");
    let mut world = World::launched(bound(), &config);
    // In the mode of a journal file, a reader needs to write nothing.
    let journal_mode: String =
        world.table.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).unwrap();
    assert_eq!(journal_mode, "delete");
    let (id, other) = (world.alarm("web"), world.alarm("other"));
    world.write("healthy", "", 0o644);
    mode(&world, 0o444);
    world.start();
    world.until_log("Successfully handled alarm for web");
    world.until_log("DB UPDATE LOG: Failed to update alarm status for process_id: ");
    assert_eq!(world.state(id).0, 1);
    // After the grace its health is looked at, and while that is good it is left alone.
    world.until_count("looked", 3);
    let counts = |world: &World| (world.count("ran"), world.count("other"));
    assert_eq!((counts(&world), world.said("Failed to update")), ((1, 1), 1), "{}", world.log());
    let why = world.ok(&["why", "web"]);
    assert!(why.contains("in alarm"), "{why}");
    // The next start knows of it, too.
    world.kill();
    let looked = world.count("looked");
    world.start();
    world.until_count("looked", looked + 1);
    assert_eq!(
        counts(&world),
        (1, 1),
        "without a check, only time or another note can tell: {}",
        world.log()
    );
    // It breaks: then it is restarted again.
    fs::remove_file(world.dir().join("healthy")).unwrap();
    world.until_count("ran", 2);
    world.write("healthy", "", 0o644);
    // The table can be written again: what waited is made good.
    mode(&world, 0o644);
    world.stop();
    assert!(world.state(id).2.unwrap().starts_with("down - Restarted at"), "{}", world.log());
    assert_eq!((world.state(id).0, world.state(other).0, counts(&world)), (0, 0, (2, 1)));
}

/// Each gets the name of the other, in one step: a pm that finds no file between two would make one.
fn swap(one: &Path, other: &Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

#[test]
fn a_database_that_is_not_there_is_one_line_and_no_end() {
    let mut world = World::with(&custom("web", "restart_command = true"));
    world.start();
    world.round();
    let (file, away) = (world.dir().join("alarms.db"), world.dir().join("away.db"));
    for (trouble, word) in [("garbage", "file is not a database"), ("a directory", "unable to open")] {
        world.table.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        if trouble == "garbage" {
            fs::write(&away, "no database at all ".repeat(500)).unwrap();
        } else {
            fs::create_dir(&away).unwrap();
        }
        let before = world.said("Trying again until it works");
        swap(&file, &away);
        for companion in ["-wal", "-shm"] {
            let _ = fs::remove_file(world.dir().join(format!("alarms.db{companion}")));
        }
        world.until(trouble, |world| world.log().matches("Trying again until it works").count() > before);
        let status = world.pm(&["status"]);
        assert_eq!(status.code, 3, "{}", status.out);
        assert!(status.out.contains("(does not answer)") && status.err.contains("alarms.db"), "{status:?}");
        swap(&file, &away);
        let removed = if trouble == "garbage" { fs::remove_file(&away) } else { fs::remove_dir(&away) };
        removed.unwrap();
        world.table = open(&file);
        world.until_log("Database connection is back after");
        world.handled("web");
        assert_eq!(world.said("Trying again until it works"), before + 1, "{}", world.log());
        assert!(world.log().contains(word), "{word}\n{}", world.log());
    }
}

#[test]
fn a_file_that_vanishes_is_said_and_not_made_anew_and_work_goes_on_when_it_is_back() {
    let mut world = World::with(&custom("web", "restart_command = true"));
    world.start();
    world.round();
    world.table.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let (file, away) = (world.dir().join("alarms.db"), world.dir().join("away.db"));
    fs::rename(&file, &away).unwrap();
    for companion in ["-wal", "-shm"] {
        let _ = fs::remove_file(world.dir().join(format!("alarms.db{companion}")));
    }
    world.until_log("alarms.db: the file is gone, so no alarm can be seen; put it back");
    let status = world.pm(&["status"]);
    assert_eq!(status.code, 3, "{status:?}");
    let plan = world.pm(&["plan"]);
    assert!(plan.code == 3 && plan.out.contains("is not known: the database does not answer"), "{plan:?}");
    let programs: serde_json::Value =
        serde_json::from_str(&world.pm(&["plan", "--format", "json"]).out).unwrap();
    assert!(programs["begin"].is_null() && programs["hold"].is_null(), "{programs:#}");
    let error = programs["database_error"].as_str().unwrap();
    assert!(error.contains("there is no such file yet"), "{programs:#}");
    assert!(!file.exists(), "nobody makes it anew");
    fs::rename(&away, &file).unwrap();
    world.table = open(&file);
    world.until_log("Database connection is back after");
    world.handled("web");
    assert_eq!(world.said("Trying again until it works"), 1, "{}", world.log());
}

#[test]
fn a_file_that_cannot_be_read_is_said_with_what_to_do() {
    let mut world = World::launched(bound(), &Sandbox::on_sqlite(super::MARKER));
    mode(&world, 0o000);
    world.start();
    world.until_log("Trying again until it works");
    let line = world.messages().into_iter().find(|line| line.contains("Trying again")).unwrap();
    assert!(line.starts_with("ERROR ") && line.contains("alarms.db"), "{line}");
    let listed = world.pm(&["alarm", "list"]);
    assert_eq!((listed.code, listed.out.as_str()), (3, ""), "{}", listed.err);
    mode(&world, 0o644);
    world.until_log("Database connection is back after");
    world.round();
}

#[test]
fn a_lock_of_another_program_is_waited_for() {
    let mut world = World::with(&custom("web", "restart_command = echo x >> @DIR@/ran"));
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    world.again(id);
    let blocker = open(&world.dir().join("alarms.db"));
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.until_count("ran", 2);
    world.until("the end of the job", |world| {
        world.log().matches("Successfully handled alarm for web").count() == 2
    });
    blocker.execute_batch("COMMIT").unwrap();
    world.cleared(id);
    world.round();
    assert_eq!(world.count("ran"), 2, "{}", world.log());
}

#[test]
fn tables_that_are_missing_are_named_and_found_when_they_come() {
    let mut world = World::with("");
    world.table.execute_batch("ALTER TABLE STATUS_PROCESS RENAME TO ELSEWHERE").unwrap();
    world.start();
    world.until_log("Trying again until it works");
    assert!(world.log().contains("STATUS_PROCESS"), "{}", world.log());
    world.table.execute_batch("ALTER TABLE ELSEWHERE RENAME TO STATUS_PROCESS").unwrap();
    world.until_log("Database connection is back after");
    world.round();
}

#[test]
fn whoever_meets_a_new_file_at_the_same_moment_finds_the_tables() {
    for _ in 0..4 {
        let mut sandbox = Sandbox::sqlite(&custom("web", "restart_command = true"));
        sandbox.start_at_once();
        let add =
            |name: &str| sandbox.command(&["alarm", "add", name]).stdout(Stdio::null()).spawn().unwrap();
        let children = ["web", "db", "mail"].map(add);
        for mut child in children {
            assert!(child.wait().unwrap().success(), "{}", sandbox.log());
        }
        assert_eq!(sandbox.rows().as_array().unwrap().len(), 3);
        sandbox.ok(&["alarm", "raise", "web"]);
        sandbox.until_cleared("web");
        assert!(!sandbox.log().contains("ERROR"), "{}", sandbox.log());
    }
}
