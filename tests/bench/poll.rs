//! One poll of pm's own store, on small and on large tables, with and without alarms.
//!
//! Beside it, as the floor, the bare prepared question on a kept connection. The two take turns.

use crate::floor::POLL;
use crate::table::{filled, open};
use crate::world::World;
use crate::{Figure, compared, late, median, text};
use mysql::prelude::Queryable as _;
use std::time::{Duration, Instant};

const ROUNDS: usize = 2_000;
/// As many rows as the daemon asks for.
const MOST: usize = 10_000;

pub(crate) fn measure(world: &World) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (rows, name) in [(1_000, "1,000"), (1_000_000, "1,000,000")] {
        let database = format!("bench_poll_{rows}");
        let began = Instant::now();
        let mut conn = filled(world, &database, rows, rows);
        println!("poll: {name} rows were made in {}", text(began.elapsed()));
        let mut bare = world.connect(Some(&database));
        let question = bare.prep(POLL).unwrap();
        let mut store = open(world, &database, 1);
        for (alarms, some) in [(0, "no alarms"), (10, "10 alarms")] {
            // Spread over the whole table.
            conn.exec_drop(
                "UPDATE STATUS_PROCESS SET alarma = 1 WHERE ? > 0 AND process_id % ? = 0",
                (alarms, rows / 10),
            )
            .unwrap();
            let mut took: Vec<Duration> = Vec::with_capacity(ROUNDS);
            let mut least = Vec::with_capacity(ROUNDS);
            for _ in 0..ROUNDS {
                let began = Instant::now();
                let seen = store.poll(MOST).unwrap();
                took.push(began.elapsed());
                let began = Instant::now();
                let rows: Vec<mysql::Row> = bare.exec(&question, ()).unwrap();
                least.push(began.elapsed());
                assert_eq!((seen.len(), rows.len()), (alarms, alarms));
            }
            let what = format!(
                "one poll, MariaDB, {name} rows, {some}, median of {ROUNDS} (99 %: {}, floor {})",
                text(late(&took)),
                text(late(&least))
            );
            figures.push(compared(what, median(took), median(least)));
        }
        conn.query_drop(format!("DROP DATABASE {database}")).unwrap();
    }
    figures
}
