//! Trees of processes in a `/proc` that a test has written, and the real one for what only the kernel can show.

use super::*;
use crate::policy::time::{Now, Wall};
use crate::ports::Waited;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A clock that goes on by some milliseconds with every look at it.
struct Steps(AtomicU64, u64);

impl Clock for Steps {
    fn now(&self) -> Now {
        Now { boot: Ticks(self.0.fetch_add(self.1, Ordering::Relaxed)), wall: Wall(0) }
    }
    fn wait(&self, _: Duration) -> Waited {
        Waited::Elapsed
    }
    fn boot_id(&self) -> &'static str {
        "boot"
    }
}

const HOUR: u64 = 3_600_000;
const NEVER: Ticks = Ticks(u64::MAX);

fn clock(step: u64) -> Arc<dyn Clock> {
    Arc::new(Steps(AtomicU64::new(HOUR), step))
}

/// A written `/proc`.
struct Written(TempDir);

impl Written {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }
    fn put(&self, pid: u32, comm: &str, parent: u32) -> PathBuf {
        let place = self.0.path().join(pid.to_string());
        fs::create_dir(&place).unwrap();
        let stat =
            format!("{pid} ({comm}) S {parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 60000 999 0\n");
        fs::write(place.join("stat"), stat).unwrap();
        place
    }
    fn look(&self, pids: &[u32]) -> Sight {
        Processes { clock: clock(0), proc: self.0.path().to_owned() }.look(pids, NEVER)
    }
}

fn tree(sight: &Sight) -> Vec<(u32, usize)> {
    sight.processes.iter().map(|seen| (seen.pid, seen.depth)).collect()
}

#[test]
fn a_process_is_told_with_what_its_files_say() {
    let proc = Written::new();
    let place = proc.put(7, "a) S 1 (\u{1b}[2J\nb", 1);
    fs::write(place.join("status"), "Name:\tx\nVmRSS:\t   12600 kB\nThreads:\t3\n").unwrap();
    let limits =
        "Limit            Soft Limit  Hard Limit  Units\nMax open files   1024        524288      files\n";
    fs::write(place.join("limits"), limits).unwrap();
    fs::write(place.join("wchan"), "ep_poll").unwrap();
    symlink("/usr/sbin/nginx (deleted)", place.join("exe")).unwrap();
    fs::create_dir(place.join("fd")).unwrap();
    for fd in 0..3 {
        fs::write(place.join("fd").join(fd.to_string()), "").unwrap();
    }
    let Sight { processes, remarks } = proc.look(&[7]);
    let [seen] = &processes[..] else { panic!("{processes:?}") };
    assert!(seen.files.is_some(), "how many depends on what a directory's size means to this file system");
    let expected = Seen {
        depth: 0,
        pid: 7,
        parent: 1,
        comm: "a) S 1 (\u{1b}[2J\nb".to_owned(),
        program: Some("/usr/sbin/nginx (deleted)".to_owned()),
        state: 'S',
        threads: 3,
        memory: Some(12_600),
        files: seen.files,
        most_files: Some(1024),
        age: Duration::from_secs(3_000),
        waits_in: Some("ep_poll".to_owned()),
    };
    assert_eq!((seen, remarks), (&expected, Vec::new()));
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let proc = Written::new();
    let place = proc.put(7, "x", 1);
    fs::write(place.join("wchan"), "0").unwrap();
    let seen = proc.look(&[7]).processes.remove(0);
    assert_eq!((seen.program, seen.memory, seen.files, seen.waits_in), (None, None, None, None));
    let gone = proc.look(&[8, 7]);
    assert_eq!(
        (tree(&gone), gone.remarks),
        (vec![(7, 0)], vec!["process 8 is not there, or hidden from pm".to_owned()])
    );
    let nowhere = Processes { clock: clock(0), proc: PathBuf::from("/nowhere") }.look(&[7], NEVER);
    assert!(nowhere.remarks[0].starts_with("not available: reading /nowhere: "), "{nowhere:?}");
    assert_eq!(
        Processes { clock: clock(0), proc: PathBuf::from("/nowhere") }.look(&[], NEVER),
        Sight::default()
    );
}

#[test]
fn a_process_stands_once_and_below_its_parent() {
    let proc = Written::new();
    for (pid, parent) in [(10, 1), (11, 10), (12, 11), (20, 1), (21, 20), (13, 10), (30, 1)] {
        proc.put(pid, "x", parent);
    }
    assert_eq!(tree(&proc.look(&[20, 12, 10])), [(20, 0), (21, 1), (10, 0), (11, 1), (12, 2), (13, 1)]);
    assert_eq!(tree(&proc.look(&[30, 30])), [(30, 0)]);
}

#[test]
fn many_processes_and_deep_ones_are_counted_and_left_out() {
    let proc = Written::new();
    proc.put(10, "x", 1);
    for pid in 100..200 {
        proc.put(pid, "x", 10);
    }
    let wide = proc.look(&[10]);
    assert_eq!(
        (wide.processes.len(), wide.remarks),
        (MOST, vec!["37 more of them were left out".to_owned()])
    );

    let proc = Written::new();
    for pid in 10..310 {
        proc.put(pid, "x", pid - 1);
    }
    let deep = proc.look(&[10]);
    assert_eq!(tree(&deep).last(), Some(&(18, DEEPEST)));
    assert_eq!(deep.remarks, ["291 more of them were left out"]);
    let given: Vec<u32> = (10..310).rev().collect();
    assert!(proc.look(&given).processes.len() <= MOST);
}

#[test]
fn a_circle_of_parents_ends() {
    let proc = Written::new();
    proc.put(10, "x", 11);
    proc.put(11, "x", 10);
    assert!(tree(&proc.look(&[10])).len() <= 2);
    assert!(tree(&proc.look(&[10, 11])).len() <= 2);
}

#[test]
fn the_look_ends_when_the_time_is_over() {
    let proc = Written::new();
    for pid in 10..40 {
        proc.put(pid, "x", 1);
    }
    let pids: Vec<u32> = (10..40).collect();
    // One step for the table, then two for each process.
    let slow = Processes { clock: clock(10), proc: proc.0.path().to_owned() };
    let some = slow.look(&pids, Ticks(HOUR + 205));
    assert!((5..15).contains(&some.processes.len()), "{}", some.processes.len());
    assert_eq!(some.remarks, ["the time was over before all of them were looked at"]);
    let none = slow.look(&pids, Ticks(HOUR));
    assert_eq!(none.remarks, ["not available: the time was over before all processes were read"]);
}

#[test]
fn the_kernel_tells_the_same_of_ourselves() {
    let clock = Arc::new(crate::clock::SystemClock::new(crate::clock::Stop::new()));
    let me = std::process::id();
    let files: Vec<_> = (0..5).map(|_| fs::File::open("/dev/null").unwrap()).collect();
    let sight = Processes::new(clock).look(&[me], NEVER);
    let seen = &sight.processes[0];
    assert_eq!((seen.pid, seen.parent, seen.depth), (me, std::os::unix::process::parent_id(), 0));
    let program = std::env::current_exe().unwrap();
    assert_eq!(seen.program.as_deref(), program.to_str());
    assert!(
        seen.threads >= 1 && seen.memory.unwrap() > 100 && seen.age < Duration::from_secs(600),
        "{seen:?}"
    );
    let open = seen.files.unwrap();
    assert!((5 + 3..100).contains(&open) && seen.most_files.unwrap() > open, "{seen:?}");
    assert_eq!(files.len(), 5);
}
