//! The configuration of a running daemon: edits that take effect, edits that are refused, and SIGHUP.

use super::{World, custom};
use pm_tests::sandbox::Sandbox;
use rustix::process::Signal;

fn writes(what: &str) -> String {
    custom("web", &format!("restart_command = echo {what} >> @DIR@/ran"))
}

#[test]
fn an_edit_of_a_process_section_takes_effect_with_the_next_round() {
    let mut world = World::with(&writes("old"));
    world.start();
    world.handled("web");
    world.edit(&(writes("new") + &custom("fresh", "restart_command = echo fresh >> @DIR@/ran")));
    world.handled("web");
    world.handled("fresh");
    assert_eq!(world.lines("ran"), ["old", "new", "fresh"]);
    assert_eq!(
        world.said("Configuration changed, in effect now: [process.fresh], [process.web]"),
        1,
        "{}",
        world.log()
    );
    // A section that goes is not handled any more, without a word of restart.
    world.edit(&writes("new"));
    world.alarm("fresh");
    world.until_log("Ignoring process without config section: fresh");
    // Global keys wait for SIGHUP: the interval of this file is not taken over.
    world.configure(
        &Sandbox::on_sqlite(&(writes("newer") + super::MARKER))
            .replace("check_interval = 0.1", "check_interval = 60"),
    );
    world.handled("web");
    world.round();
    assert_eq!(world.lines("ran").last().unwrap(), "newer");
}

#[test]
fn a_broken_edit_keeps_the_configuration_and_says_so_once() {
    let mut world = World::with(&writes("old"));
    world.start();
    world.handled("web");
    let broken = Sandbox::on_sqlite(&(writes("new") + super::MARKER))
        .replace("[process.marker]", "max_attempts = many\n[process.marker]");
    world.configure(&broken);
    world.handled("web");
    world.round();
    world.round();
    assert_eq!(world.lines("ran"), ["old", "old"]);
    assert_eq!(world.said("cannot be used, the configuration stays as it was"), 1, "{}", world.log());
    let line = world.messages().into_iter().find(|line| line.contains("max_attempts")).unwrap();
    assert!(line.starts_with("ERROR ") && line.contains("config.ini:") && line.contains("many"), "{line}");
    assert!(!line.contains("until then"), "the running pm uses no default: {line}");
    world.configure(&(Sandbox::on_sqlite(&(writes("old") + super::MARKER))));
    world.until_log("config.ini can be used again");
    world.edit(&writes("repaired"));
    world.handled("web");
    assert_eq!(world.lines("ran").last().unwrap(), "repaired");
    // A file that vanishes is as bad as a broken one, and as harmless.
    let away = world.dir().join("away.ini");
    std::fs::rename(world.config(), &away).unwrap();
    world.handled("web");
    std::fs::rename(&away, world.config()).unwrap();
    world.handled("web");
    assert_eq!(world.lines("ran"), ["old", "old", "repaired", "repaired", "repaired"]);
}

#[test]
fn sighup_takes_over_everything_or_nothing() {
    let mut world = World::with(&writes("old"));
    let pm = world.start();
    world.round();
    let good = Sandbox::on_sqlite(&(writes("new") + super::MARKER))
        .replace("pm.log", "other.log")
        .replace("check_interval = 0.1", "check_interval = 0.2");
    world.configure(&good.replace("check_interval = 0.2", "check_interval = often"));
    world.signal(Signal::HUP);
    world.until_log("Reading the configuration again (SIGHUP)");
    world.until_log("cannot be used, the configuration stays as it was");
    world.handled("web");
    assert_eq!(world.lines("ran"), ["old"]);
    world.configure(&good);
    world.signal(Signal::HUP);
    world.until("the other log", |world| world.read("other.log").contains("all of it is in effect"));
    world.handled("web");
    assert_eq!(world.lines("ran"), ["old", "new"]);
    assert!(super::alive(pm));
    // Another database by SIGHUP: the alarms of the other one count from now on.
    world.configure(&good.replace("alarms.db", "second.db"));
    world.signal(Signal::HUP);
    world.until("the second database", |world| {
        world.read("other.log").matches("all of it is in effect").count() == 2
    });
    world.ok(&["alarm", "add", "web"]);
    world.ok(&["alarm", "raise", "web"]);
    world.until("an alarm of the second database", |world| world.read("ran").matches("new").count() == 2);
}

#[test]
fn a_start_with_mistakes_in_processes_uses_defaults_and_says_them_all() {
    let sections =
        writes("x").replace("[process.web]", "[process.web]\nmax_attempts = many\nrestart_delai = 5");
    let mut world = World::with(&sections);
    world.start();
    world.handled("web");
    for (level, key) in [("ERROR", "max_attempts"), ("", "restart_delai")] {
        let line = world
            .messages()
            .into_iter()
            .find(|line| line.contains(key))
            .unwrap_or_else(|| panic!("{}", world.log()));
        assert!(line.starts_with(level) && line.contains("config.ini:"), "{line}");
    }
}

#[test]
fn a_section_that_goes_during_its_restart_lets_it_finish() {
    let waits = "restart_command = echo x >> @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.02; done";
    let mut world = World::with(&custom("web", waits));
    world.start();
    let id = world.alarm("web");
    world.until_count("begun", 1);
    world.edit("");
    world.round();
    world.write("go", "", 0o644);
    assert!(world.cleared(id).starts_with("down - Restarted at"));
    world.again(id);
    world.until_log("Ignoring process without config section: web");
    assert_eq!(world.count("begun"), 1);
}
