//! The floors: the least that must be done, done by the least code, in the same run.

use crate::world::World;
use mysql::prelude::Queryable as _;
use mysql::{Conn, Opts, OptsBuilder};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The least question about the alarms of host 1.
pub(crate) const POLL: &str = "SELECT s.process_id, p.process_name, s.notes FROM STATUS_PROCESS s JOIN PROCESE p \
                    USING (process_id) WHERE s.alarma = 1 AND s.sound = 0 AND s.host_id = 1";

/// What the measured restart command does: notes the moment at which it runs.
pub(crate) fn stamp(file: &str) {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    std::fs::write(file, format!("{}", now.tv_sec * 1_000_000_000 + now.tv_nsec)).unwrap();
}

/// The same clock as [`stamp`]'s, in nanoseconds.
pub(crate) fn nanos() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// One query a second on a kept connection and nothing else: the floor of watching.
pub(crate) fn poll_for_ever(address: &str) {
    let mut parts = address.split('\t');
    let mut part = || parts.next().map(str::to_owned);
    let options =
        OptsBuilder::from_opts(Opts::default()).socket(part()).user(part()).pass(part()).db_name(part());
    let mut conn = Conn::new(options).unwrap();
    let statement = conn.prep(POLL).unwrap();
    loop {
        let rows: Vec<mysql::Row> = conn.exec(&statement, ()).unwrap();
        assert!(rows.is_empty());
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Starts [`poll_for_ever`].
pub(crate) fn poller(world: &World, database: &str) -> std::process::Child {
    let server = &world.server;
    let address = format!("{}\t{}\t{}\t{database}", server.socket.display(), server.user, server.password);
    Command::new(std::env::current_exe().unwrap()).args(["poll-for-ever", &address]).spawn().unwrap()
}

/// fork + exec + exit of a program, once.
pub(crate) fn spawn(command: &[&str]) {
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// `count` programs, `parallel` at a time, each followed by the UPDATE that clears its row.
pub(crate) fn burst(
    world: &World,
    database: &str,
    count: u32,
    parallel: usize,
    command: &[&str],
) -> Duration {
    let next = AtomicU32::new(1);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..parallel {
            scope.spawn(|| {
                let mut conn = world.connect(Some(database));
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id > count {
                        return;
                    }
                    spawn(command);
                    conn.exec_drop("UPDATE STATUS_PROCESS SET alarma = 0 WHERE process_id = ?", (id,))
                        .unwrap();
                }
            });
        }
    });
    began.elapsed()
}
