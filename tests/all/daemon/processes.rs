//! The strategy "process" with real programs that die, are deaf, fail, and outlive pm.

use super::{World, alive, kill, running};
use std::time::Instant;

/// A section for the program `name` in the folder.
fn program(name: &str, keys: &str) -> String {
    format!(
        "[process.{name}]\nrestart_strategy = process\nexecutable = @DIR@/{name}\nstart_command = @DIR@/{name}\n\
         health_check = process\nstart_grace = 50ms\nrestart_delay = 0.05\n{keys}\n\n"
    )
}

/// The only process of a program.
fn only(world: &World, name: &str) -> u32 {
    let pids = running(world, name);
    assert_eq!(pids.len(), 1, "{name}: {pids:?}\n{}", world.log());
    pids[0]
}

#[test]
fn a_dead_program_is_started_a_running_one_replaced_and_both_outlive_pm() {
    let mut world = World::with(&program("web", ""));
    world.program("web", "");
    let pm = world.start();
    world.handled("web");
    let first = only(&world, "web");
    assert_eq!(world.said("INFO] - Process start command executed for: web"), 1, "{}", world.log());
    assert_eq!(world.said("Successfully started/restarted and verified process: web"), 1);
    // A session of its own, nothing of pm's: it is neither in pm's group nor does it hold pm's files open.
    let stat = std::fs::read_to_string(format!("/proc/{first}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[3], first.to_string(), "the session of the program is its own");
    for entry in std::fs::read_dir(format!("/proc/{first}/fd")).unwrap() {
        let file = std::fs::read_link(entry.unwrap().path()).unwrap_or_default();
        let own = file == world.dir().join("web") || file == std::path::Path::new("/dev/null");
        assert!(own, "pm has left {} open in what it started", file.display());
    }
    world.handled("web");
    let second = only(&world, "web");
    assert!(second != first && !alive(first));
    assert_eq!(world.said("INFO] - Process restart command executed for: web"), 1);
    world.stop();
    assert!(alive(second) && !alive(pm), "the program outlives the end of pm");
    world.start();
    world.round();
    world.kill();
    assert!(alive(second), "the program outlives the death of pm");
    world.start();
    world.round();
    assert_eq!(only(&world, "web"), second);
}

#[test]
fn what_was_running_is_started_again_as_it_was_when_no_command_is_given() {
    let mut world = World::with(&program("web", "").replace("start_command = @DIR@/web\n", ""));
    world.program("web", "echo \"$@ in $PWD with $COLOUR\" >> @DIR@/seen");
    std::fs::create_dir(world.dir().join("home")).unwrap();
    let mut child = std::process::Command::new(world.dir().join("web"))
        .args(["--port", "80 81"])
        .current_dir(world.dir().join("home"))
        .env("COLOUR", "green")
        .spawn()
        .unwrap();
    world.until_count("seen", 1);
    world.start();
    let id = world.alarm("web");
    // Until it is reaped the killed program is still there, as a zombie.
    child.wait().unwrap();
    world.cleared(id);
    world.until_count("seen", 2);
    let expected = format!("--port 80 81 in {} with green", world.path("home"));
    assert_eq!(world.lines("seen"), [expected.clone(), expected]);
}

#[test]
fn a_deaf_program_is_killed_after_its_stop_timeout() {
    let mut world = World::with(&program("deaf", "stop_timeout = 0.3"));
    world.program("deaf", "trap '' TERM\necho ready >> @DIR@/ready");
    world.start();
    world.handled("deaf");
    let first = only(&world, "deaf");
    // The trap is set when it says so.
    world.until_count("ready", 1);
    let began = Instant::now();
    world.handled("deaf");
    assert!(began.elapsed().as_millis() >= 300, "SIGKILL came before the time was over");
    assert!(!alive(first) && only(&world, "deaf") != first);
    assert_eq!(world.said("with SIGKILL after it ignored the signal for 300 ms"), 1, "{}", world.log());
}

#[test]
fn a_program_that_cannot_run_is_a_failure_that_says_why() {
    let keys = "max_attempts = 2\nhealth_check_timeout = 0.1\noutput = @DIR@/broken.log";
    let sections = program("broken", keys) + &program("missing", "health_check_timeout = 0.1");
    let mut world = World::with(&sections);
    world.script("broken", "echo no such port; exit 7");
    world.start();
    let (broken, missing) = (world.alarm("broken"), world.alarm("missing"));
    world.until_log("Failed to handle alarm for broken");
    world.until_log("Failed to handle alarm for missing");
    assert!(
        world.said("exited with status 7 within 50 ms of its start: no such port") >= 2,
        "{}",
        world.log()
    );
    assert_eq!(world.said("RESTART LOG: Attempt 2 failed for broken"), 1);
    assert!(world.said(&format!("{} exited with status 127", world.path("missing"))) >= 1, "{}", world.log());
    assert_eq!((world.state(broken).0, world.state(missing).0), (1, 1));
}

#[test]
fn a_program_that_dies_after_its_restart_is_restarted_by_its_next_alarm() {
    let mut world = World::with(&program("web", ""));
    world.program("web", "");
    world.start();
    let id = world.handled("web");
    let first = only(&world, "web");
    kill(&world, first);
    world.again(id);
    assert!(world.cleared(id).starts_with("again - Restarted at"));
    assert_ne!(only(&world, "web"), first);
}

#[test]
fn what_dies_at_once_after_a_good_start_is_noticed_by_the_check() {
    let keys = "max_attempts = 1\nstart_grace = 0\nhealth_check_command = sleep 0.2; test -e @DIR@/never\nhealth_check_timeout = 0.1";
    let mut world = World::with(&program("web", keys).replace("health_check = process\n", ""));
    world.script("web", "exit 0");
    world.start();
    let id = world.alarm("web");
    world.until_log("Failed to handle alarm for web");
    assert_eq!(world.state(id).0, 1);
}
