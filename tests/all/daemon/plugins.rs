//! Plugins of a running daemon: dropped in, missing, broken, panicking, hanging.

use super::World;
use pm_tests::sandbox::{Sandbox, built};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const MISBEHAVE: &str = "libpm_test_plugin_misbehave.so";

/// A daemon with a plugin directory of its own that holds `custom`.
pub(super) fn world_with_plugins(sections: &str) -> World {
    let config =
        Sandbox::on_sqlite(&format!("[plugins]\ndir = @DIR@/plugins\n\n{sections}{}", super::MARKER));
    let sandbox = Sandbox::new(&config);
    fs::create_dir(sandbox.dir().join("plugins")).unwrap();
    install(sandbox.dir(), "libpm_plugin_custom.so");
    sandbox.ok(&["db", "migrate"]);
    let table = super::open(&sandbox.dir().join("alarms.db"));
    World { sandbox, table }
}

/// As an installer does it: beside it first, then by rename.
fn install(folder: &std::path::Path, library: &str) {
    let (copy, file) = (folder.join("plugins/.copy"), folder.join("plugins").join(library));
    fs::copy(built().join(library), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(copy, file).unwrap();
}

#[test]
fn a_strategy_that_is_dropped_in_works_by_name_without_a_restart() {
    let mut world = world_with_plugins("[process.late]\nrestart_strategy = counts\n\n");
    world.start();
    let late = world.alarm("late");
    world.until_log("WARNING] - Not acting on late (ID: 1): its configuration cannot be used:");
    let why = world.ok(&["why", "late"]);
    assert!(
        why.contains("HOLD configured    its configuration cannot be used:") && why.contains("counts"),
        "{why}"
    );
    world.round();
    assert_eq!(world.state(late).0, 1, "the others are handled meanwhile");
    install(world.dir(), MISBEHAVE);
    world.cleared(late);
    assert_eq!(world.said("INFO] - Plugins changed in"), 1, "{}", world.log());
    let listed = world.ok(&["plugins", "list"]);
    assert!(listed.contains("counts"), "{listed}");
}

#[test]
fn a_broken_library_is_one_line_and_stops_nobody() {
    let mut world = world_with_plugins("[process.web]\nrestart_strategy = elsewhere\n\n");
    fs::write(world.dir().join("plugins/libelsewhere.so"), "no library").unwrap();
    world.start();
    world.round();
    assert_eq!(world.said("WARNING] - plugin "), 1, "{}", world.log());
    assert!(
        world.said("libelsewhere.so is not a shared library")
            + world.said("libelsewhere.so: is not a shared")
            >= 1,
        "{}",
        world.log()
    );
    let id = world.alarm("web");
    world.until_log("Not acting on web");
    world.round();
    assert_eq!(world.state(id).0, 1);
}

#[test]
fn a_plugin_that_panics_costs_its_own_restart_and_no_breaker() {
    let mut world =
        world_with_plugins("[process.bad]\nrestart_strategy = panics\nmax_restart_failures = 1\n\n");
    install(world.dir(), MISBEHAVE);
    world.start();
    let id = world.alarm("bad");
    world.until_log("Failed to handle alarm for bad");
    world.until_log("Not acting on bad (ID: 1): its last restart could not be carried out");
    world.round();
    assert_eq!((world.state(id).0, world.said("Circuit breaker opened")), (1, 0), "{}", world.log());
}

#[test]
fn a_plugin_in_pms_own_process_that_ends_it_is_survived_like_a_kill() {
    let mut world = world_with_plugins(
        "[library.pm-test-plugin-misbehave]\nisolation = in-process\n\n\
         [process.bad]\nrestart_strategy = panics\nplace = abort @DIR@/once\n\n\
         [process.web]\nrestart_strategy = custom\nrestart_command = echo x >> @DIR@/ran\n\n",
    );
    install(world.dir(), MISBEHAVE);
    let bad = world.alarm("bad");
    world.start_at_once();
    assert_eq!(world.ended(), -1, "{}", world.log());
    let web = world.alarm("web");
    world.start();
    world.cleared(bad);
    world.cleared(web);
    world.round();
    assert_eq!(world.count("ran"), 1, "{}", world.log());
    assert_eq!(world.said("Restart of bad was cut off when pm was stopped or killed; doing it now"), 1);
}

#[test]
fn a_plugin_that_ends_its_worker_costs_its_own_restart_and_nothing_else() {
    let mut world = world_with_plugins(
        "[process.bad]\nrestart_strategy = panics\nplace = abort @DIR@/once\ncircuit_reset_time = 1\n\n\
         [process.web]\nrestart_strategy = custom\nrestart_command = echo x >> @DIR@/ran\n\n",
    );
    install(world.dir(), MISBEHAVE);
    world.start();
    let bad = world.alarm("bad");
    world.until_log(
        "WARNING] - plugin \"pm-test-plugin-misbehave\": its worker died (signal 6, SIGABRT); it is replaced, crash 1 of 5",
    );
    world.until_log(
        "Failed to handle alarm for bad: plugin \"pm-test-plugin-misbehave\": its worker died (signal 6, SIGABRT) during \
         restart of \"bad\"",
    );
    let web = world.alarm("web");
    world.cleared(web);
    assert_eq!((world.state(bad).0, world.said("Circuit breaker opened")), (1, 0), "{}", world.log());
    world.ok(&["restart", "bad", "--force"]);
    assert_eq!(world.count("ran"), 1, "{}", world.log());
}
