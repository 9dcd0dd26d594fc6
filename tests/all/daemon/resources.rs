//! A host without disk space or without descriptors: pm goes on, blames no process, and puts things right afterwards.

use super::{World, custom, running};
use pm_tests::commands::status;
use pm_tests::components;
use pm_tests::sandbox::{Sandbox, answer, built};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;

/// Puts a small file system of its own where the state directory is, for pm alone.
const SMALL: [&str; 7] = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    "mkdir -p state && mount -t tmpfs -o size=2m,mode=700 tmpfs state && exec \"$@\"",
    "sh",
];

#[test]
fn a_full_disk_under_the_state_directory_stops_no_restart_and_is_said_once() {
    // Mounting needs the rights that the component needs.
    if components::systemd().is_none() {
        return;
    }
    let sections = custom("web", "restart_command = echo x >> @DIR@/ran");
    let marker = super::MARKER;
    let mut world = World::launched(&SMALL, &Sandbox::on_sqlite(&format!("{sections}{marker}")));
    let pm = world.start();
    let id = world.handled("web");
    let state = format!("/proc/{pm}/root{}", world.path("state"));
    let filler = format!("{state}/filler");
    let mut file = File::create(&filler).unwrap();
    // To the last byte: the smaller pieces fill what the greater ones leave.
    for size in [1 << 16, 1 << 10, 1] {
        while file.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
    }
    // What is free inside the journal's file is used up by some attempts.
    let mut before = 1;
    while world.said("Working without memory") == 0 {
        world.again(id);
        world.cleared(id);
        before += 1;
        assert!(before < 500, "the disk is not full\n{}", world.log());
    }
    for _ in 0..3 {
        world.again(id);
        world.cleared(id);
    }
    world.round();
    assert_eq!(world.count("ran"), before + 3, "{}", world.log());
    assert_eq!(world.said("Working without memory"), 1, "{}", world.log());
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    world.again(id);
    world.cleared(id);
    world.until_log("Memory is back");
    world.round();
    assert_eq!(world.count("ran"), before + 4);
    // Its directory is seen by pm alone: the command is run where pm is.
    let mut history = std::process::Command::new("nsenter");
    history.args(["--target", &pm.to_string(), "--mount"]).arg(built().join("pm"));
    history.args(["history", "web", "--limit", "1000", "--format", "json", "--config"]).arg(world.config());
    let history: serde_json::Value = serde_json::from_str(&answer(&mut history).out).unwrap();
    let ends: BTreeSet<_> = history.as_array().unwrap().iter().map(|one| one["end"].to_string()).collect();
    assert_eq!(ends, BTreeSet::from(["\"restarted\"".to_owned()]), "nothing is open\n{}", world.log());
}

/// How many descriptors a process may have; none for as many as ever.
fn allow(pm: u32, descriptors: Option<u64>) {
    let ours = getrlimit(Resource::Nofile);
    let limit = Rlimit { current: descriptors.or(ours.current), ..ours };
    let pm = Pid::from_raw(pm.cast_signed()).unwrap();
    prlimit(Some(pm), Resource::Nofile, limit).unwrap();
}

#[test]
fn without_descriptors_no_process_is_blamed_or_started_twice_and_the_database_stays() {
    let sections = custom("web", "restart_command = echo x >> @DIR@/ran\nmax_restart_failures = 1")
        + &custom(
            "prep",
            "pre_restart_command = true\nrestart_command = echo x >> @DIR@/prepared\nmax_restart_failures = 1",
        )
        + "[process.shop]\nrestart_strategy = process\nexecutable = @DIR@/shop\nstart_command = @DIR@/shop\n\
           start_grace = 20ms\nrestart_delay = 0\nmax_restart_failures = 1\n\n";
    let mut world = World::with(&sections);
    world.program("shop", "echo $$ >> @DIR@/started");
    let pm = world.start();
    let names = ["web", "prep", "shop"];
    let rows = names.map(|name| world.handled(name));
    let open = std::fs::read_dir(format!("/proc/{pm}/fd")).unwrap().count();
    for spare in [0, 1, 2, 3, 5, 8] {
        let (ran, started) = (world.count("ran"), world.count("started"));
        allow(pm, u64::try_from(open + spare).ok());
        let attempts = |world: &World| world.said("RESTART LOG: Beginning restart procedure");
        let before = attempts(&world);
        rows.iter().for_each(|id| world.again(*id));
        world.until("pm to try", |_| attempts(&world) >= before + names.len());
        allow(pm, None);
        // What needs a driver that failed waits for ten seconds, unless somebody says that it is over.
        let blamed = names.map(|name| status(&*world, name)["breaker"]["failures"] != 0);
        assert_eq!(blamed, [false; 3], "{spare} spare\n{}", world.log());
        world.ok(&["reset", "web", "prep", "shop"]);
        rows.iter().for_each(|id| drop(world.cleared(*id)));
        world.round();
        let log = world.log();
        assert_eq!(
            (world.count("ran"), world.count("started")),
            (ran + 1, started + 1),
            "{spare} spare\n{log}"
        );
        assert_eq!(running(&world, "shop").len(), 1, "{spare} spare\n{log}");
        assert_eq!(world.said("Trying again until it works"), 0, "the database was lost\n{log}");
        assert_eq!(world.said("Circuit breaker"), 0, "{spare} spare\n{log}");
    }
    world.stop();
}
