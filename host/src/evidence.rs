//! Looks at processes through `/proc`: the trees below some pids, and what each process says of itself.
//!
//! Only files that give short answers at once are read. `cmdline`, `environ` and everything about memory maps is left
//! alone: it holds secrets, and reading it waits for a lock that a stuck process may never release. A process may end
//! between two looks at it; what is missing then is left out, or is a remark.
//!
//! It must not touch a process, and it must stay cheap: a restart waits for it.

use crate::policy::time::Ticks;
use crate::ports::{Clock, Seen, Sight, Witness};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many processes are looked at.
const MOST: usize = 64;
/// So far below a root.
const DEEPEST: usize = 8;
/// Where the kernel does not tell the number of open files, so many are counted.
const MOST_COUNTED: u64 = 10_000;
/// Milliseconds per tick of the times in `/proc`, on every machine that Linux runs on today.
const TICK: u64 = 10;

/// The processes of this machine.
pub struct Processes {
    clock: Arc<dyn Clock>,
    proc: PathBuf,
}

impl Processes {
    /// Looks through `/proc`; the clock tells when to end.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, proc: PathBuf::from("/proc") }
    }

    fn is_late(&self, until: Ticks) -> bool {
        self.clock.now().boot >= until
    }

    /// Every process of the machine, by its parent. One pass, because the kernel keeps no list of children that can be
    /// relied on.
    fn children(&self, until: Ticks) -> Result<Family, String> {
        let entries =
            fs::read_dir(&self.proc).map_err(|error| format!("reading {}: {error}", self.proc.display()))?;
        let mut family = Family::default();
        for (number, entry) in entries.flatten().enumerate() {
            if number % 64 == 0 && self.is_late(until) {
                return Err("the time was over before all processes were read".to_owned());
            }
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Some(stat) = fs::read(entry.path().join("stat")).ok().and_then(|text| Stat::parse(&text)) {
                family.children.entry(stat.parent).or_default().insert(pid);
                family.stats.insert(pid, stat);
            }
        }
        Ok(family)
    }

    fn see(&self, pid: u32, depth: usize, stat: &Stat) -> Seen {
        let place = self.proc.join(pid.to_string());
        let started = Ticks(stat.started.saturating_mul(TICK));
        let program = fs::read_link(place.join("exe")).ok();
        let waits_in = fs::read_to_string(place.join("wchan")).ok();
        let status = read(&place.join("status"));
        Seen {
            depth,
            pid,
            parent: stat.parent,
            comm: stat.comm.clone(),
            program: program.map(|path| path.to_string_lossy().into_owned()),
            state: stat.state,
            threads: stat.threads,
            memory: number_of(&status, "VmRSS:"),
            files: open_files(&place.join("fd")),
            most_files: number_of(&read(&place.join("limits")), "Max open files"),
            age: self.clock.now().boot.since(started),
            waits_in: waits_in.filter(|name| !matches!(name.as_str(), "" | "0")),
        }
    }
}

impl Witness for Processes {
    fn look(&self, pids: &[u32], until: Ticks) -> Sight {
        let mut sight = Sight::default();
        if pids.is_empty() {
            return sight;
        }
        let family = match self.children(until) {
            Ok(family) => family,
            Err(why) => {
                sight.remarks.push(format!("not available: {why}"));
                return sight;
            }
        };
        let tree = family.below(pids);
        for (pid, depth) in tree.order {
            if self.is_late(until) {
                sight.remarks.push("the time was over before all of them were looked at".to_owned());
                break;
            }
            match family.stats.get(&pid) {
                Some(stat) => sight.processes.push(self.see(pid, depth, stat)),
                None => sight.remarks.push(format!("process {pid} is not there, or hidden from pm")),
            }
        }
        if tree.left_out > 0 {
            sight.remarks.push(format!("{} more of them were left out", tree.left_out));
        }
        sight
    }
}

/// Who descends from whom.
#[derive(Default)]
struct Family {
    stats: BTreeMap<u32, Stat>,
    children: BTreeMap<u32, BTreeSet<u32>>,
}

/// The processes to look at, with their depths.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tree {
    order: Vec<(u32, usize)>,
    left_out: usize,
}

impl Family {
    /// The trees below `pids`, a pid inside of another one's tree only there.
    fn below(&self, pids: &[u32]) -> Tree {
        let given: BTreeSet<u32> = pids.iter().copied().take(MOST).collect();
        let mut tree = Tree { order: Vec::new(), left_out: pids.len().saturating_sub(MOST) };
        let mut met = BTreeSet::new();
        // A stack, and no recursion: a chain of forks may be as long as there are pids.
        let roots = pids.iter().take(MOST).filter(|pid| !self.descends_from_one_of(**pid, &given));
        let mut next: Vec<(u32, usize)> = roots.rev().map(|pid| (*pid, 0)).collect();
        while let Some((pid, depth)) = next.pop() {
            if !met.insert(pid) {
                continue;
            }
            if tree.order.len() == MOST || depth > DEEPEST {
                tree.left_out += 1;
            } else {
                tree.order.push((pid, depth));
            }
            let children = self.children.get(&pid).into_iter().flatten();
            next.extend(children.rev().map(|child| (*child, depth + 1)));
        }
        tree
    }

    fn descends_from_one_of(&self, pid: u32, given: &BTreeSet<u32>) -> bool {
        let parent = |pid: u32| self.stats.get(&pid).map(|stat| stat.parent);
        // A table that was read while processes came and went could hold a circle.
        std::iter::successors(parent(pid), |above| parent(*above))
            .take(self.stats.len())
            .any(|above| given.contains(&above) && above != pid)
    }
}

/// The parts of `/proc/PID/stat` that are used.
struct Stat {
    comm: String,
    state: char,
    parent: u32,
    threads: u64,
    /// In ticks since boot.
    started: u64,
}

impl Stat {
    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        // The name may hold anything, brackets as well.
        let (start, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            comm: start.split_once('(')?.1.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            threads: fields.get(17)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

fn read(file: &Path) -> String {
    fs::read(file).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// The first number of the line that begins so.
fn number_of(text: &str, line: &str) -> Option<u64> {
    let rest = text.lines().find_map(|found| found.strip_prefix(line))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// How many entries a directory of descriptors has: newer kernels say it as its size, with older ones it is counted.
fn open_files(directory: &Path) -> Option<u64> {
    let told = fs::metadata(directory).ok()?.len();
    let entries = fs::read_dir(directory).ok()?;
    if told > 0 {
        return Some(told);
    }
    u64::try_from(entries.take(usize::try_from(MOST_COUNTED).ok()?).count()).ok()
}

#[cfg(test)]
mod tests;
