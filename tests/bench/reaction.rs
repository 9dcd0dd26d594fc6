//! From the committed alarm to the restart command's first instruction; and from the start of pm to the same.

use crate::floor::{nanos, spawn};
use crate::world::{Daemon, World};
use crate::{Figure, compared, median};
use mysql::Conn;
use mysql::prelude::Queryable as _;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 24;

pub(crate) fn measure(world: &World) -> Vec<Figure> {
    let stamp = world.dir().join("stamp");
    let this = std::env::current_exe().unwrap();
    let line = format!("{} stamp {}", this.display(), stamp.display());
    let process = format!("restart_strategy = custom\nrestart_command = {line}");
    let mut conn = world.database("bench_reaction", 10);

    let spawned = median((0..ROUNDS).map(|_| floor(&this, &stamp)).collect());
    let mut figures = Vec::new();
    for interval in [1.0, 0.1] {
        let daemon = world.start("bench_reaction", &format!("check_interval = {interval}"), &process).ready();
        let took = (0..ROUNDS).map(|round| once(&mut conn, &stamp, round, interval, &daemon)).collect();
        // A poller cannot see an alarm before its next look, which is half an interval away on the average.
        let least = Duration::from_secs_f64(interval / 2.0) + spawned;
        let what = format!("alarm committed to restart command started, polling every {interval} s");
        figures.push(compared(what, median(took), least));
    }
    let starts = (0..9).map(|round| start_up(world, &mut conn, &stamp, &process, round)).collect();
    let least = (0..9).map(|_| connect_query_spawn(world, &this, &stamp)).collect();
    figures.push(compared("pm started to first restart command started", median(starts), median(least)));
    figures
}

pub(crate) fn since(stamp: &Path, began: i64) -> Option<Duration> {
    let text = std::fs::read_to_string(stamp).ok().filter(|text| !text.is_empty())?;
    // Others may hear of a commit before it is told to who made it.
    Some(Duration::from_nanos(u64::try_from(text.parse::<i64>().ok()? - began).unwrap_or(0)))
}

fn floor(this: &Path, stamp: &Path) -> Duration {
    let _ = std::fs::remove_file(stamp);
    let began = nanos();
    spawn(&[&this.to_string_lossy(), "stamp", &stamp.to_string_lossy()]);
    since(stamp, began).unwrap()
}

fn raise(conn: &mut Conn) {
    conn.query_drop("UPDATE STATUS_PROCESS SET alarma = 1, notes = NULL WHERE process_id = 1").unwrap();
}

pub(crate) fn wait(stamp: &Path, began: i64, conn: &mut Conn, why: &dyn Fn() -> String) -> Duration {
    let until = Instant::now() + Duration::from_secs(20);
    let took = loop {
        assert!(Instant::now() < until, "no restart: {}", why());
        if let Some(took) = since(stamp, began) {
            break took;
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    while conn.query_first::<i64, _>("SELECT alarma FROM STATUS_PROCESS WHERE process_id = 1").unwrap()
        == Some(1)
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    took
}

fn once(conn: &mut Conn, stamp: &Path, round: usize, interval: f64, daemon: &Daemon) -> Duration {
    // Moments spread evenly over the interval, so that the waiting for the poll is measured fairly.
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let offset = interval * (round as f64 + 0.5) / ROUNDS as f64;
    std::thread::sleep(Duration::from_secs_f64(offset));
    let _ = std::fs::remove_file(stamp);
    raise(conn);
    wait(stamp, nanos(), conn, &|| daemon.log())
}

fn start_up(world: &World, conn: &mut Conn, stamp: &Path, process: &str, round: usize) -> Duration {
    let _ = std::fs::remove_file(stamp);
    let _ = std::fs::remove_dir_all(world.dir().join("bench_reaction/state"));
    assert!(round < 100);
    raise(conn);
    let began = nanos();
    let daemon = world.start("bench_reaction", "check_interval = 1", process);
    wait(stamp, began, conn, &|| daemon.log())
}

fn connect_query_spawn(world: &World, this: &Path, stamp: &Path) -> Duration {
    let _ = std::fs::remove_file(stamp);
    let began = nanos();
    let mut conn = world.connect(Some("bench_reaction"));
    let _: Vec<mysql::Row> = conn.query("SELECT * FROM STATUS_PROCESS WHERE alarma = 1").unwrap();
    spawn(&[&this.to_string_lossy(), "stamp", &stamp.to_string_lossy()]);
    since(stamp, began).unwrap()
}
