//! A thousand alarms at once: time until the last row is cleared.

use crate::floor;
use crate::world::World;
use crate::{Figure, compared};
use mysql::prelude::Queryable as _;
use std::time::{Duration, Instant};

const ROWS: u32 = 1_000;

pub(crate) fn measure(world: &World) -> Vec<Figure> {
    let cases = [
        ("true", "max_parallel_restarts = 4", 2, vec!["/bin/true"]),
        ("sleep 0.2", "max_parallel_restarts = 64", 64, vec!["/bin/sleep", "0.2"]),
    ];
    let mut figures = Vec::new();
    for (command, parallel, at_a_time, program) in cases {
        let mut conn = world.database("bench_burst", ROWS);
        let least = floor::burst(world, "bench_burst", ROWS, at_a_time, &program);
        let process = format!("restart_strategy = custom\nrestart_command = {command}");
        let daemon =
            world.start("bench_burst", &format!("check_interval = 0.1\n{parallel}"), &process).ready();
        let began = Instant::now();
        conn.query_drop("UPDATE STATUS_PROCESS SET alarma = 1").unwrap();
        while conn.query_first("SELECT COUNT(*) FROM STATUS_PROCESS WHERE alarma = 1").unwrap() != Some(0) {
            assert!(began.elapsed() < Duration::from_secs(300), "never cleared: {}", daemon.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        let took = began.elapsed();
        let what = format!("{ROWS} alarms with `{command}`, {parallel}; floor {at_a_time} at a time");
        figures.push(compared(what, took, least));
        let rate = f64::from(ROWS) / took.as_secs_f64();
        println!("burst with `{command}`: {rate:.0} alarms per second");
    }
    figures
}
