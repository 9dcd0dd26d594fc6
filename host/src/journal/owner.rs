//! Who owns an attempt, and whether that process is still there.
//!
//! A pid alone is not enough, it is used again; with the time at which the process began and the boot it is unique.

use rustix::process::getpid;

/// A process of some boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pid: i64,
    /// Clock ticks after the boot at which it began; 0 when unknown.
    pub(super) start: i64,
    pub(super) boot: String,
}

impl Owner {
    /// This process.
    pub(super) fn this(boot: &str) -> Self {
        let pid = i64::from(getpid().as_raw_nonzero().get());
        Self { pid, start: started(pid).unwrap_or_default(), boot: boot.to_owned() }
    }

    /// Whether it runs, as seen in the boot `boot`.
    pub(super) fn lives(&self, boot: &str) -> bool {
        self.boot == boot && started(self.pid) == Some(self.start)
    }
}

/// When the process began; `None` when it is not there, or only its exit status is.
fn started(pid: i64) -> Option<i64> {
    fields(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// State (3) and start (22) of a line of `/proc/PID/stat`; the name (2) may hold anything, also `)` and blanks.
fn fields(stat: &str) -> Option<i64> {
    let mut rest = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = rest.next()?;
    if matches!(state, "Z" | "X" | "x") { None } else { rest.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_with_its_pid_does_not() {
        let this = Owner::this("b");
        assert!(this.start > 0 && this.lives("b"));
        assert!(!this.lives("another boot"));
        assert!(!Owner { start: this.start - 1, ..this.clone() }.lives("b"));
        assert!(!Owner { pid: i64::from(i32::MAX), ..this }.lives("b"));
    }

    #[test]
    fn the_line_is_read_behind_the_name() {
        let line = |name: &str, state: &str| {
            format!("7 ({name}) {state} 1 7 7 0 -1 4194304 5 0 0 0 0 0 0 0 20 0 1 0 4711 9 9 9")
        };
        assert_eq!(fields(&line("a) Z (b", "S")), Some(4711));
        assert_eq!(fields(&line("x", "Z")), None, "a zombie does nothing any more");
        assert_eq!(fields("garbage"), None);
    }
}
