//! The port to the processes of this machine: what can be seen of them from outside, without touching them.

use crate::policy::time::Ticks;
use std::time::Duration;

/// Looks at processes.
pub trait Witness: Send + Sync {
    /// The trees below `pids`: each process once, parents before their children, bounded in number and depth. What had
    /// to be left out, or cannot be read, is a remark. Ends by itself soon after `until`, with what there is by then.
    ///
    /// Never looks at arguments, environments or memory: they hold secrets, and reading them can hang with the process.
    fn look(&self, pids: &[u32], until: Ticks) -> Sight;
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// The processes, in the order of the trees.
    pub processes: Vec<Seen>,
    /// Why something is missing, one line each.
    pub remarks: Vec<String>,
}

/// One process. Texts are as they were read: the process itself chooses its short name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How far below the root it stands; a root has 0.
    pub depth: usize,
    /// Its pid.
    pub pid: u32,
    /// Its parent's pid.
    pub parent: u32,
    /// The short name (`comm`), at most 15 bytes.
    pub comm: String,
    /// The file it executes; none when it has none or pm may not know.
    pub program: Option<String>,
    /// One letter, as in `ps`: R, S, D, T, Z.
    pub state: char,
    /// How many threads it has.
    pub threads: u64,
    /// Memory that is in use (`VmRSS`), in KiB; none when it has ended.
    pub memory: Option<u64>,
    /// How many files it has open; none when pm may not know.
    pub files: Option<u64>,
    /// How many it may have open (the soft limit).
    pub most_files: Option<u64>,
    /// Since its start.
    pub age: Duration,
    /// The function of the kernel that it waits in, if it does and pm may know.
    pub waits_in: Option<String>,
}
