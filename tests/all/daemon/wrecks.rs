//! One daemon and libraries that wreck their processes, one after the other, in every way there is: it survives each of
//! them, says what happened, and handles the alarms of others meanwhile.
//!
//! Every misbehaviour has a library of its own, made by writing other digits into one that was built: what one of them
//! does then counts against it alone.

use super::World;
use pm_tests::sandbox::{Sandbox, built};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const LIBRARY: &str = "libpm_test_plugin_wreck_00.so";

/// What a library does, and what pm says of it when it is asked to restart something.
const MISDEEDS: [(&str, &str); 19] = [
    ("panic", "plugin \"pm-test-plugin-wreck-NN\" panicked in restart at tests/plugins/wreck/src/lib.rs:"),
    ("abort", "its worker died (signal 6, SIGABRT) during restart of \"NAME\""),
    ("exit", "its worker ended by itself with status 0 during restart of \"NAME\""),
    ("segfault", "its worker died (signal 11, SIGSEGV) during restart of \"NAME\""),
    ("overflow", "its worker died (signal 6, SIGABRT) (thread '"),
    ("hang", "restart of \"NAME\" gave no answer within 1 s; its worker was replaced"),
    ("busy", "restart of \"NAME\" gave no answer within 1 s; its worker was replaced"),
    ("print", "restart of \"NAME\" gave no answer within 1 s; its worker was replaced"),
    ("fork", "restart of \"NAME\" gave no answer within 1 s; its worker was replaced"),
    ("stray", "restart of \"NAME\" gave no answer within 1 s; its worker was replaced"),
    // Who still waits at the socket keeps it open; who comes to it later finds it gone and leaves.
    (
        "close",
        "restart of \"NAME\" gave no answer within 1 s|its worker died (signal 9, SIGKILL) during restart of \"NAME\"",
    ),
    (
        "garbage",
        "its worker wrote something that is no answer (no message has the tag 116) during restart of \"NAME\"",
    ),
    (
        "short",
        "its worker wrote something that is no answer (1 bytes are too few for a message) during restart",
    ),
    ("large", "its answer has 1048620 bytes, more than 192 KiB"),
    ("huge", "restart of \"NAME\" gave no answer within 1 s|its answer has 10737"),
    ("deaf", "restart of \"NAME\" gave no answer within 1 s; its worker was replaced"),
    // These two do what they are asked to all the same.
    ("twice", "Successfully handled alarm for NAME"),
    ("leak", "Successfully handled alarm for NAME"),
    (
        "crash while loading",
        "worker of plugin \"pm-test-plugin-wreck-NN\" died (signal 6, SIGABRT) while it was loading",
    ),
];

fn number(place: usize) -> String {
    format!("{:02}", place + 1)
}

/// The bytes of the library with this number, which crashes at load when `place` exists.
fn library(number: &str, place: &Path) -> Vec<u8> {
    let bytes = fs::read(built().join(LIBRARY)).unwrap();
    let bytes = replaced(bytes, b"wreck-00", format!("wreck-{number}").as_bytes());
    let mut own = place.to_str().unwrap().as_bytes().to_vec();
    assert!(own.len() < 100, "the folder of the test has too long a name");
    let marker = b"/wreck-place/";
    own.resize(128, 0);
    let at = bytes.windows(marker.len()).position(|window| window == marker).unwrap();
    let mut bytes = bytes;
    bytes[at..at + 128].copy_from_slice(&own);
    bytes
}

fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// As an installer does it: beside it first, then by rename.
fn install(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let (copy, file) = (folder.join("plugins/.copy"), folder.join("plugins").join(name));
    fs::write(&copy, bytes).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(copy, &file).unwrap();
    file
}

/// A daemon with these libraries and one process for each, called as what it does.
fn world(misdeeds: &[&str], more: &str) -> World {
    let section = |(place, how): (usize, &&str)| {
        format!(
            "[process.{}]\nrestart_strategy = wreck-{}\nhow = {how}\nrestart_timeout = 1\nevidence = no\n\n\
             [library.pm-test-plugin-wreck-{}]\nmemory_max = 64M\n\n",
            how.replace(' ', "-"),
            number(place),
            number(place)
        )
    };
    let sections: String = misdeeds.iter().enumerate().map(section).collect();
    let config =
        Sandbox::on_sqlite(&format!("[plugins]\ndir = @DIR@/plugins\n\n{sections}{more}{}", super::MARKER));
    let sandbox = Sandbox::new(&config);
    fs::create_dir(sandbox.dir().join("plugins")).unwrap();
    install(sandbox.dir(), "libcustom.so", &fs::read(built().join("libpm_plugin_custom.so")).unwrap());
    for place in 0..misdeeds.len() {
        let number = number(place);
        let bytes = library(&number, &sandbox.dir().join(format!("crash-{number}")));
        install(sandbox.dir(), &format!("libwreck_{number}.so"), &bytes);
    }
    sandbox.ok(&["db", "migrate"]);
    let table = super::open(&sandbox.dir().join("alarms.db"));
    World { sandbox, table }
}

/// The processes of workers of the library with this number, and what they have forked.
fn workers(world: &Sandbox, number: &str) -> Vec<u32> {
    let ours = format!("plugin-worker\0pm-test-plugin-wreck-{number}\0");
    let mark = world.dir().join(format!("plugins/libwreck_{number}.so"));
    let of_this_test = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&ours) && maps.contains(mark.to_str().unwrap())
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| of_this_test(*pid)).collect()
}

fn children(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn one_daemon_survives_every_misbehaviour_in_a_row_while_the_others_are_handled() {
    let hows: Vec<_> = MISDEEDS.iter().map(|(how, _)| *how).collect();
    let mut world = world(&hows, "");
    let daemon = world.start();
    for (place, (how, expected)) in MISDEEDS.iter().enumerate() {
        let (number, name) = (number(place), how.replace(' ', "-"));
        if how.starts_with("crash") {
            world.write(&format!("crash-{number}"), "", 0o644);
        }
        let id = world.alarm(&name);
        // Others are handled before, while and after it does its worst.
        world.round();
        let expected = expected.replace("NN", &number).replace("NAME", &name);
        world.until(&format!("pm says {expected:?}"), |world| {
            expected.split('|').any(|text| world.log().contains(text))
        });
        world.table.execute("UPDATE STATUS_PROCESS SET alarma = 0 WHERE process_id = ?1", [id]).unwrap();
        world.round();
        assert!(super::alive(daemon), "{how}: the daemon is the same\n{}", world.log());
        if expected.contains("gave no answer") || expected.contains("died") {
            world.until(&format!("nothing is left of the worker that did {how}"), |world| {
                workers(world, &number).is_empty()
            });
        }
    }
    world.until_log("worker of plugin \"pm-test-plugin-wreck-18\" uses ");
    world.until("the worker that had grown is gone", |world| workers(world, "18").is_empty());
    assert_eq!(world.said("Circuit breaker opened"), 0, "no process is blamed\n{}", world.log());
    let listed = world.ok(&["plugins", "list", "--format", "json"]);
    let listed = serde_json::from_str::<serde_json::Value>(&listed).unwrap();
    let crashes = |number: &str| {
        let all = listed["running"]["plugins"].as_array().unwrap();
        let name = format!("pm-test-plugin-wreck-{number}");
        all.iter().find(|plugin| plugin["name"] == name.as_str()).unwrap()["crashes"].as_u64().unwrap()
    };
    assert_eq!((crashes("01"), crashes("02"), crashes("06"), crashes("17"), crashes("18")), (0, 1, 0, 0, 0));
    // A gigabyte was never in the daemon, and no zombie is.
    let status = fs::read_to_string(format!("/proc/{daemon}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak < 200_000, "the daemon's memory peaked at {peak} kB");
    world.until("no zombie is left", |_| {
        let stat = |pid: &String| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !children(daemon).iter().any(|pid| stat(pid).contains(") Z "))
    });
}

#[test]
fn whatever_happens_to_its_file_a_library_that_is_in_use_is_replaced_or_said_to_be_broken() {
    let mut world = world(&["nothing"], "");
    let daemon = world.start();
    let file = world.dir().join("plugins/libwreck_01.so");
    let place = world.dir().join("crash-01");
    let whole = library("01", &place);
    let newer = replaced(whole.clone(), b"\x000.1.0\0", b"\x000.1.1\0");
    let handled = |world: &mut World| {
        let id = world.alarm("nothing");
        world.cleared(id);
        world.round();
    };
    handled(&mut world);

    // Replaced by rename: the new one takes over.
    install(world.dir(), "libwreck_01.so", &newer);
    world.until_log("INFO] - plugin \"pm-test-plugin-wreck-01\" 0.1.1 was put in place of 0.1.0, in ");
    handled(&mut world);

    // By one that crashes while it is loaded: the old one goes on.
    world.write("crash-01", "", 0o644);
    install(world.dir(), "libwreck_01.so", &whole);
    world.until_log("its worker died (signal 6, SIGABRT) while it was loading. The one that is in use stays");
    handled(&mut world);
    fs::remove_file(&place).unwrap();

    // By one that does not offer what is in use: the old one goes on.
    let mut without = whole.clone();
    let offer = b"strategy:wreck-01 ";
    let at = without.windows(offer.len()).position(|window| window == offer).unwrap();
    without[at..at + offer.len()].fill(b' ');
    install(world.dir(), "libwreck_01.so", &without);
    world.until_log("libwreck_01.so: no longer offers the strategy \"wreck-01\", which is in use");
    handled(&mut world);

    // Deleted: it goes on, also in a new worker.
    fs::remove_file(&file).unwrap();
    world.until("it is seen", |world| world.ok(&["plugins", "list"]).contains("the file is gone"));
    let stopped = world.ok(&["plugins", "stop", "wreck-01", "--format", "json"]);
    let stopped: serde_json::Value = serde_json::from_str(&stopped).unwrap();
    assert!(
        stopped["done"].as_str().unwrap().contains("was ended; the next call starts another"),
        "{stopped}"
    );
    handled(&mut world);

    // Back again, then overwritten in place: what is in use may crash of it, pm does not.
    install(world.dir(), "libwreck_01.so", &whole);
    world.until_log("0.1.0 was put in place of 0.1.1, in ");
    handled(&mut world);
    fs::write(&file, &newer).unwrap();
    world.until("the new one is in use", |world| {
        world.log().matches("0.1.1 was put in place of 0.1.0, in ").count() == 2
    });
    handled(&mut world);

    // Truncated: said with what to do, and as soon as it is whole again it is used.
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(50_000).unwrap();
    world.until_log("libwreck_01.so: is truncated: ");
    let id = world.alarm("nothing");
    world.round();
    fs::write(&file, &whole).unwrap();
    world.cleared(id);
    assert!(super::alive(daemon), "{}", world.log());
    assert_eq!(world.said("Circuit breaker opened") + world.said("did you mean"), 0, "{}", world.log());
}

#[test]
fn nothing_that_pm_has_inherited_reaches_what_it_starts() {
    let shell = "trap '' QUIT USR1; exec 77</etc/passwd; exec \"$@\"";
    let seen = "ls -l /proc/self/fd >> @DIR@/seen; grep SigIgn /proc/self/status >> @DIR@/seen";
    let config = Sandbox::on_sqlite(&format!(
        "[process.web]\nrestart_strategy = custom\nrestart_command = ls -l /proc/$PPID/fd >> @DIR@/seen; {seen}\npre_restart_command = {seen}\n{}",
        super::MARKER
    ));
    let mut world = World::launched(&["/bin/bash", "-c", shell, "shell"], &config);
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    let seen = world.read("seen");
    assert!(seen.contains("SigIgn") && !seen.contains("passwd"), "{seen}");
    for line in seen.lines().filter_map(|line| line.strip_prefix("SigIgn:")) {
        let ignored = u64::from_str_radix(line.trim(), 16).unwrap();
        assert_eq!(ignored & (1 << 2 | 1 << 9), 0, "{seen}");
    }
}

#[test]
fn a_plugin_that_crashes_again_and_again_is_told_of_and_tried_on() {
    let more = "[process.checked]\nrestart_strategy = custom\nrestart_command = true\nmax_attempts = 1\n\
                health_check = wreck-01\nhow = abort\nhealth_check_timeout = 25\nhealth_check_interval = 1\n\n\
                [library.notify]\nisolation = worker\n\n\
                [notify.operators]\nnotifier = command\nevents = plugin_failing\n\
                notify_command = echo \"$PM_EVENT $PM_NAME\" >> @DIR@/told\n\n";
    let mut world = world(&["nothing"], more);
    install(world.dir(), "libnotify.so", &fs::read(built().join("libpm_plugin_notify.so")).unwrap());
    world.start();
    world.alarm("checked");
    world.until_log(
        "plugin \"pm-test-plugin-wreck-01\" crashed 5 times or more in 10 minutes: its worker died",
    );
    world.until_count("told", 1);
    assert!(world.lines("told")[0].starts_with("plugin_failing "), "{:?}", world.lines("told"));
    let listed = world.ok(&["plugins", "list"]);
    assert!(listed.contains("failing"), "{listed}");
    world.until_log("Failed to handle alarm for checked");
    world.round();
    // An operator who has mended it need not wait.
    let reloaded = world.ok(&["plugins", "reload", "wreck-01"]);
    assert!(reloaded.starts_with("plugin \"wreck-01\": 0.1.0 was put in place of 0.1.0, in "), "{reloaded}");
    assert_eq!(world.count("told"), 1, "once");
}

#[test]
fn no_worker_outlives_the_daemon_that_was_killed() {
    let mut world = world(&["hang", "fork", "busy"], "");
    world.start();
    for name in ["hang", "fork", "busy"] {
        world.alarm(name);
    }
    for number in ["01", "02", "03"] {
        world.until("the workers run", |world| !workers(world, number).is_empty());
    }
    world.until("it has forked", |world| workers(world, "02").len() > 60);
    let began = std::time::Instant::now();
    world.kill();
    world.until("all of them are gone", |world| {
        ["01", "02", "03"].iter().all(|number| workers(world, number).is_empty())
    });
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
}
