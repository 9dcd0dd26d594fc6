//! Signs of life: the heartbeat file of the original, also while restarts run, and readiness for systemd.

use super::{World, custom};
use pm_tests::sandbox::Sandbox;
use std::os::unix::net::UnixDatagram;

#[test]
fn the_heartbeat_goes_on_while_a_restart_runs() {
    let waiting =
        custom("web", "restart_command = echo x > @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.05; done");
    let config = Sandbox::on_sqlite(&waiting)
        .replace("check_interval = 0.1", "check_interval = 60")
        .replace("[monitor]", "[self_recovery]\nheartbeat_file = @DIR@/run/pm/heartbeat\n\n[monitor]");
    let mut world = World::of(&config);
    let id = world.alarm("web");
    world.start();
    world.until_count("begun", 1);
    let beat = |world: &World| -> u64 { world.read("run/pm/heartbeat").trim().parse().unwrap_or(0) };
    world.until("a first heartbeat", |_| beat(&world) > 0);
    let first = beat(&world);
    // One line of seconds, nothing else; and a later one although no poll is due and the restart still runs.
    assert_eq!(world.read("run/pm/heartbeat"), format!("{first}\n"));
    world.until("a later heartbeat", |_| beat(&world) > first);
    assert_eq!(world.state(id).0, 1);
    assert!(beat(&world) - first <= 6, "an old watchdog expects one every five seconds");
    world.write("go", "", 0o644);
    world.cleared(id);
}

#[test]
fn the_service_manager_is_told_when_pm_is_ready_reloads_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(pm_tests::sandbox::PATIENCE)).unwrap();
    let address = format!("NOTIFY_SOCKET={}", path.display());
    let mut world = World::launched(&["env", &address], &Sandbox::on_sqlite(super::MARKER));
    let heard = |word: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length =
                socket.recv(&mut buffer).unwrap_or_else(|error| panic!("waiting for {word}: {error}"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.contains(word) {
                return text;
            }
        }
    };
    world.start_at_once();
    heard("READY=1");
    heard("STATUS=");
    world.signal(rustix::process::Signal::HUP);
    assert!(heard("RELOADING=1").contains("MONOTONIC_USEC="));
    heard("READY=1");
    world.signal(rustix::process::Signal::TERM);
    heard("STOPPING=1");
    assert_eq!(world.ended(), 0);
}
