//! The log of a running daemon: JSON that stays JSON, rotation, and disks that are full.

use super::{World, custom, message};
use pm_tests::sandbox::Sandbox;
use serde_json::Value;

fn config(logging: &str) -> String {
    let talks = custom(
        "web",
        "restart_command = for i in $(seq 40); do echo \"line $i of some length, so that it fills\"; done",
    );
    Sandbox::on_sqlite(&(talks + super::MARKER)).replace("[logging]", &format!("[logging]\n{logging}"))
}

/// The files of the log, the live one first.
fn files(world: &World) -> Vec<String> {
    let name = |number: usize| if number == 0 { "pm.log".to_owned() } else { format!("pm.log.{number}") };
    (0..).map(name).take_while(|name| world.dir().join(name).exists()).map(|name| world.read(&name)).collect()
}

/// Waits for the end of the first job whose name is not looked for in a log that rotates.
fn work(world: &World) {
    for _ in 0..3 {
        world.handled("web");
    }
}

#[test]
fn json_stays_json_line_by_line_across_rotations() {
    let mut world = World::of(&config("format = json\nmax_log_size = 2\nlog_files_to_keep = 3"));
    world.start_at_once();
    work(&world);
    world.stop();
    let files = files(&world);
    assert_eq!(files.len(), 4, "the live file and three backups");
    let mut rotations = 0;
    for line in files.iter().flat_map(|text| text.lines()) {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let keys: Vec<_> = line.split('"').skip(1).step_by(2).take(1).collect();
        assert_eq!(keys, ["timestamp"]);
        assert_eq!((&event["service"], event["pid"].is_u64()), (&"monitor_service".into(), true));
        assert!(["debug", "info", "warning", "error"].contains(&event["level"].as_str().unwrap()), "{line}");
        rotations += usize::from(event["message"].as_str().unwrap().contains("otat"));
    }
    assert!(rotations >= 1, "the rotation itself is told, in JSON:\n{}", files.concat());
    // The console has the same lines, all of them, in order.
    let printed = world.read("out");
    let texts: Vec<_> =
        printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].clone()).collect();
    assert!(texts.len() > 100 && texts[0] == "Starting Process Monitor Service");
}

#[test]
fn the_text_log_is_rotated_at_its_size_and_keeps_as_many_as_wanted() {
    let mut world = World::of(&config("max_log_size = 1\nlog_files_to_keep = 2"));
    world.start_at_once();
    work(&world);
    world.stop();
    let files = files(&world);
    assert_eq!(files.len(), 3);
    for text in &files {
        // A line that comes when the file is not full yet may go beyond the size, once.
        assert!(text.len() < 2048, "{} bytes", text.len());
        text.lines().map(message).for_each(drop);
    }
    assert!(files[0].ends_with("[INFO] - Process Monitor Service stopped\n"), "{}", files[0]);
}

#[test]
fn a_full_disk_under_the_log_stops_nothing() {
    let config = config("").replace("file = @DIR@/pm.log", "file = /dev/full");
    let mut world = World::of(&config);
    world.start_at_once();
    world.handled("web");
    world.handled("web");
    // The console still tells everything, and of the trouble once.
    let printed = world.read("out");
    assert_eq!(printed.matches("Successfully handled alarm for web").count(), 2, "{printed}");
    assert_eq!(printed.matches("/dev/full").count(), 1, "{printed}");
    world.stop();
}

#[test]
fn a_console_that_nobody_reads_stops_nothing() {
    let world = World::of(&config(""));
    let mut pm = world.command(&["run"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    // The reader is gone at once.
    drop(pm.stdout.take());
    world.handled("web");
    world.handled("marker");
    assert!(pm.try_wait().unwrap().is_none(), "pm ended");
    pm.kill().unwrap();
    pm.wait().unwrap();
    assert_eq!(world.said("Successfully handled alarm for"), 2);
}
