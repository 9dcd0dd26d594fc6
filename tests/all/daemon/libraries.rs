//! Libraries of a running daemon as `[library.NAME]` says: as whom their workers run and what these see, and pins that change.

use super::plugins::world_with_plugins;
use super::{World, custom};
use pm_tests::sandbox::{Sandbox, built};
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const CUSTOM: &str = "libpm_plugin_custom.so";

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The workers of a daemon: their pids.
fn workers(daemon: u32) -> Vec<u32> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_its = |pid: &u32| status(*pid, "PPid") == daemon.to_string();
    let is_worker = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"plugin-worker")
    };
    pids.filter(is_its).filter(is_worker).collect()
}

/// The first word of a line of `/proc/PID/status`.
fn status(pid: u32, line: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = text.lines().find_map(|own| own.strip_prefix(line)?.strip_prefix(':'));
    value.and_then(|value| value.split_whitespace().next()).unwrap_or_default().to_owned()
}

fn environment(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/environ")).unwrap()).replace('\0', "\n")
}

#[test]
fn a_worker_and_its_commands_get_neither_the_password_nor_what_else_is_in_pms_environment() {
    let section = custom("web", "restart_command = env > @DIR@/seen");
    let secrets = ["env", "PM_DATABASE_PASSWORD=hunter2", "AWS_SECRET_ACCESS_KEY=hunter3", "LC_TIME=C"];
    let mut world = World::launched(&secrets, &Sandbox::on_sqlite(&section));
    let daemon = world.start();
    world.handled("web");
    let workers = workers(daemon);
    assert_eq!(workers.len(), 1, "{}", world.log());
    assert!(environment(daemon).contains("hunter2"), "what the test is about");
    let of_worker = environment(workers[0]);
    assert!(!of_worker.contains("hunter") && of_worker.contains("LC_TIME=C"), "{of_worker}");
    let seen = world.read("seen");
    assert!(!seen.contains("hunter") && seen.contains("PROCESS_NAME=web"), "{seen}");
}

#[test]
fn a_worker_runs_as_its_user_without_capabilities_and_the_one_of_its_checks_as_another() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else can become another user; pm check says so, see the fixtures of the configuration.
        return;
    }
    let section = custom(
        "web",
        "restart_command = id -un >> @DIR@/open/restarted\nhealth_check_command = id -un >> @DIR@/open/checked",
    );
    let rule = "[library.custom]\nuser = daemon\ncheck_user = nobody\nno_new_privs = yes\n\n";
    let mut world = World::of(&Sandbox::on_sqlite(&format!("{rule}{section}")));
    let open = world.dir().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(world.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = world.start();
    world.handled("web");
    assert_eq!(
        (world.lines("open/restarted"), world.lines("open/checked")),
        (vec!["daemon".into()], vec!["nobody".into()])
    );
    let mut seen: Vec<_> = workers(daemon)
        .into_iter()
        .map(|pid| {
            (status(pid, "Uid"), status(pid, "NoNewPrivs"), status(pid, "CapEff"), status(pid, "CapBnd"))
        })
        .collect();
    seen.sort();
    let confined = |uid: &str| (uid.to_owned(), "1".to_owned(), "0000000000000000".to_owned());
    let without_bound: Vec<_> =
        seen.iter().cloned().map(|(uid, privs, caps, _)| (uid, privs, caps)).collect();
    assert_eq!(without_bound, [confined("1"), confined("65534")], "{seen:?}");
    assert_eq!(status(daemon, "Uid"), "0");
}

#[test]
fn a_pin_holds_with_sighup_and_one_that_would_leave_nothing_to_restart_with_is_refused() {
    let section = custom("web", "restart_command = echo restarted >> @DIR@/ran");
    let mut world = world_with_plugins(&section);
    let before = fs::read_to_string(world.config()).unwrap();
    let pinned = |sum: &str| format!("{before}\n[library.custom]\nsha256 = {sum}\n");
    world.start();
    world.handled("web");

    world.configure(&pinned(&"0".repeat(64)));
    world.signal(Signal::HUP);
    world.until_log("cannot be used, the configuration stays as it was");
    world.until_log("[process.web] restart_strategy: no strategy \"custom\"; there are: none; ");
    assert!(world.said("was refused: has the SHA-256 sum") > 0, "{}", world.log());
    world.handled("web");

    let original = fs::read(built().join(CUSTOM)).unwrap();
    world.configure(&pinned(&sum(&original)));
    world.signal(Signal::HUP);
    world.until_log("all of it is in effect");
    world.handled("web");

    // Another file comes, and is not used before its sum is written.
    let mut other = original.clone();
    other.push(0);
    let (copy, file) = (world.dir().join("plugins/.copy"), world.dir().join("plugins").join(CUSTOM));
    fs::write(&copy, &other).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(copy, file).unwrap();
    world.until("the new file to be seen", |world| {
        world.ok(&["plugins", "list"]).contains("has the SHA-256 sum")
    });
    world.handled("web");
    world.configure(&pinned(&sum(&other)));
    world.signal(Signal::HUP);
    world.until_log("plugin \"custom\" ");
    world.until("the new one to be put in place", |world| world.log().contains(" was put in place of "));
    world.handled("web");
    assert_eq!(world.lines("ran"), ["restarted"; 5]);
}
