//! What watching costs when nothing is wrong: processor time and memory, with 10 and with 100,000 rows.

use crate::world::World;
use crate::{Figure, floor, text};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn measure(world: &World) -> Vec<Figure> {
    let process = "restart_strategy = auto";
    let mut figures = Vec::new();
    world.database("bench_idle_10", 10);
    world.database("bench_idle_100000", 100_000);
    let small = world.start("bench_idle_10", "check_interval = 1", process).ready();
    let large = world.start("bench_idle_100000", "check_interval = 1", process).ready();
    let mut least = floor::poller(world, "bench_idle_100000");
    std::thread::sleep(Duration::from_secs(3));
    let ids = [small.child.id(), large.child.id(), least.id()];
    let before = ids.map(cpu);
    let (threads, children) = (ids.map(threads), ids.map(children));
    std::thread::sleep(MINUTE);
    let after = ids.map(cpu);
    let used: Vec<_> = before.iter().zip(&after).map(|(before, after)| *after - *before).collect();
    for (index, rows) in [(0, "10"), (1, "100,000")] {
        let ratio = used[index].as_secs_f64() / used[2].as_secs_f64();
        figures.push(Figure {
            what: format!("processor time per minute, idle, {rows} rows, polling every 1 s"),
            pm: text(used[index]),
            floor: text(used[2]),
            ratio: format!("{ratio:.2}"),
        });
        let (pm, least) = (pss(ids[index]), pss(ids[2]));
        #[expect(clippy::cast_precision_loss, reason = "kilobytes")]
        figures.push(Figure {
            what: format!("memory (PSS), idle, {rows} rows, all plugins known"),
            pm: format!("{:.1} MB", pm as f64 / 1024.0),
            floor: format!("{:.1} MB", least as f64 / 1024.0),
            ratio: format!("{:.2}", pm as f64 / least as f64),
        });
    }
    println!("idle: threads {threads:?}, child processes {children:?} (pm, pm, floor)");
    let _ = least.kill();
    let _ = least.wait();
    figures
}

/// Time on a processor of all threads, from the scheduler's own account.
fn cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanos = tasks.map(|task| {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}

fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

fn children(pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default())
        .map(|text| text.split_whitespace().count())
        .sum()
}

/// Proportional set size in kilobytes.
fn pss(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
