//! Alarms are heard of, not only found by polling: with polls an hour apart only a ring can be why one is handled.

use super::World;
use pm_tests::sandbox::Sandbox;
use rustix::process::Signal;

/// Polls once an hour.
fn rarely(sections: &str, push: &str) -> String {
    Sandbox::on_sqlite(sections)
        .replace("check_interval = 0.1", "check_interval = 1h")
        .replace("engine = sqlite", &format!("engine = sqlite\n{push}"))
}

const WEB: &str = "[process.web]\nrestart_strategy = custom\nrestart_command = echo x >> @DIR@/ran\n";

#[test]
fn a_write_to_the_file_is_heard_in_both_modes_of_its_journal() {
    for mode in ["wal", "delete"] {
        let mut world = World::of(&rarely(WEB, ""));
        let ask = format!("PRAGMA journal_mode = {mode}");
        let now: String = world.table.query_row(&ask, [], |row| row.get(0)).unwrap();
        assert_eq!(now, mode);
        world.start();
        let file = world.dir().join("alarms.db");
        world.until_log(&format!("Listening for alarms: changes of the file {}", file.display()));
        let id = world.alarm("web");
        world.cleared(id);
        world.again(id);
        world.until_count("ran", 2);
        world.cleared(id);
    }
}

#[test]
fn an_alarm_raised_by_hand_is_heard_and_without_push_a_reload_finds_it() {
    let mut world = World::of(&rarely(WEB, "push = no"));
    world.start();
    world.until_log("Starting Process Monitor Service");
    // The first poll is over when this one is handled, which the reload finds.
    world.ok(&["alarm", "add", "web"]);
    world.ok(&["alarm", "raise", "web"]);
    world.signal(Signal::HUP);
    world.until_count("ran", 1);
    assert_eq!(world.said("Listening for alarms"), 0);
    world.configure(&rarely(WEB, "push = yes"));
    world.signal(Signal::HUP);
    world.until_log("Listening for alarms: ");
    world.until("the first alarm to be cleared", |world| world.row("web")["alarma"] == 0);
    world.ok(&["alarm", "raise", "web"]);
    world.until_count("ran", 2);
}
