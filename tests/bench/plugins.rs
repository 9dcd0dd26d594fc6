//! Calls into a plugin, in this process and in a worker, beside a bare round trip over a socket pair; what a worker costs.
//!
//! The floor is a child that sends back what it gets, with the same bytes and nothing else: the least that another
//! process can cost. Calls are made one after the other from one thread, and then from four.

use crate::{Figure, compared, late, median, text};
use pm_host::plugins::{Isolation, Operation, Registry, Rule, Rules};
use pm_host::spec::PartRef;
use pm_plugin_api::Target;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CALLS: usize = 5_000;
const STARTS: usize = 60;

pub(crate) fn measure() -> Vec<Figure> {
    let plugins = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let body = serde_json::to_vec(&serde_json::json!({ "target": Target::named("web") })).unwrap();
    let mut echo = Echo::start();
    let bare: Vec<_> = (0..CALLS).map(|_| echo.round_trip(&body)).collect();
    let registry = |isolation| {
        let general = Rule { isolation, idle_time: Duration::from_secs(1), ..Rule::default() };
        let rules = Rules { program: plugins.join("pm"), general, ..Rules::default() };
        Registry::scan(&plugins, rules)
    };
    let (here, there) = (registry(Isolation::InProcess), registry(Isolation::Worker));
    let mut figures = Vec::new();
    for (what, registry) in [("in this process", &here), ("in a worker", &there)] {
        call(registry, &body);
        let calls: Vec<_> = (0..CALLS).map(|_| call(registry, &body)).collect();
        let name = format!("a call of a plugin {what}; floor: bare socket pair");
        figures.push(compared(&name, median(calls.clone()), median(bare.clone())));
        figures.push(compared(format!("{name}, 99 %"), late(&calls), late(&bare)));
    }
    figures.push(together(&there, &body, median(bare)));
    figures.extend(starts(&there));
    figures.push(memory(&there, &echo));
    figures.push(idle(&there));
    figures
}

fn part() -> PartRef {
    PartRef { name: "auto".to_owned(), settings: BTreeMap::new() }
}

/// The cheapest operation there is: it answers who is to be asked.
fn call(registry: &Registry, body: &[u8]) -> Duration {
    let timeout = Duration::from_secs(30);
    let operation = Operation { op: "restart", subject: "web", body, timeout, heard: None };
    let began = Instant::now();
    registry.call("strategy", &part(), operation).unwrap();
    began.elapsed()
}

/// Four callers at once.
fn together(registry: &Registry, body: &[u8], floor: Duration) -> Figure {
    let times = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..CALLS / 4).map(|_| call(registry, body)).collect::<Vec<_>>()))
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    compared("a call in a worker, four callers at once; floor: bare socket pair, one", median(times), floor)
}

/// Starting a worker, and putting another in its place.
fn starts(registry: &Registry) -> Vec<Figure> {
    let spawn = || {
        let began = Instant::now();
        assert!(Command::new("/bin/true").status().unwrap().success());
        began.elapsed()
    };
    let floor = median((0..STARTS).map(|_| spawn()).collect());
    let body = serde_json::to_vec(&serde_json::json!({ "target": Target::named("web") })).unwrap();
    let start = || {
        registry.stop("auto").unwrap();
        call(registry, &body)
    };
    let replace = || {
        let began = Instant::now();
        registry.reload("auto").unwrap();
        began.elapsed()
    };
    let (first, again) = ((0..STARTS).map(|_| start()).collect(), (0..STARTS).map(|_| replace()).collect());
    vec![
        compared("the first call of a worker, with its start; floor: /bin/true", median(first), floor),
        compared("replacing a worker while it is in use; floor: /bin/true", median(again), floor),
    ]
}

fn memory(registry: &Registry, echo: &Echo) -> Figure {
    let body = serde_json::to_vec(&serde_json::json!({ "target": Target::named("web") })).unwrap();
    call(registry, &body);
    let pids: Vec<u32> =
        registry.entries().iter().flat_map(|e| e.report.clone().unwrap_or_default().pids).collect();
    let (private, rss) = of(pids[0]);
    let (floor, floor_rss) = of(echo.child.id());
    Figure {
        what: "memory of a worker, its own (resident, most of it shared); floor: the child of the socket pair".to_owned(),
        pm: format!("{private:.1} MB ({rss:.1})"),
        floor: format!("{floor:.1} MB ({floor_rss:.1})"),
        ratio: format!("{:.2}", private / floor),
    }
}

/// Megabytes that are a process's alone because it has written them, and all that it uses.
fn of(pid: u32) -> (f64, f64) {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let sum = |keys: &[&str]| -> f64 {
        let of = |key: &&str| rollup.lines().find_map(|line| line.strip_prefix(*key)).unwrap_or(": 0 kB");
        let kilobytes = |line: &str| {
            line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<f64>().unwrap()
        };
        keys.iter().map(|key| kilobytes(of(key))).sum::<f64>() / 1e3
    };
    (sum(&["Private_Dirty"]), sum(&["Rss"]))
}

/// What is left of the workers when there is nothing to do.
fn idle(registry: &Registry) -> Figure {
    let began = Instant::now();
    let alive =
        || registry.entries().iter().map(|e| e.report.clone().unwrap_or_default().pids.len()).sum::<usize>();
    while alive() > 0 && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Figure {
        what: "processes of workers, and threads for them, when idle_time (1 s) is over".to_owned(),
        pm: format!("{} and {}", alive(), threads("pm-worker")),
        floor: "0 and 0".to_owned(),
        ratio: format!("after {}", text(began.elapsed())),
    }
}

fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|its| its.starts_with(name)).count()
}

/// The other end of the floor.
struct Echo {
    child: Child,
    socket: UnixStream,
}

impl Echo {
    fn start() -> Self {
        let (socket, other) = UnixStream::pair().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("echo")
            .stdin(Stdio::from(OwnedFd::from(other)))
            .spawn()
            .unwrap();
        let mut echo = Self { child, socket };
        echo.round_trip(b"ready?");
        echo
    }

    fn round_trip(&mut self, bytes: &[u8]) -> Duration {
        let mut answer = vec![0; bytes.len()];
        let began = Instant::now();
        self.socket.write_all(bytes).unwrap();
        self.socket.read_exact(&mut answer).unwrap();
        began.elapsed()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child: sends back what it gets.
pub(crate) fn echo() {
    let mut socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = socket.read(&mut buffer) {
        socket.write_all(&buffer[..length]).unwrap();
    }
}

/// The folder of the built programs, for those who start workers.
pub(crate) fn rules(folder: &Path) -> Rules {
    Rules { program: folder.join("pm"), ..Rules::default() }
}
