//! Runs one command to its end: own process group, `/dev/null` as input, a time limit, bounded output.
//!
//! [`run`] always comes back: it waits for the *child*, never for the end of its output, so a grandchild that
//! keeps the pipe open delays nothing; what hangs gets SIGTERM and then SIGKILL, the whole group of it and whoever
//! else still descends from it. What a successful command leaves behind in the background is left alone, and can go
//! on writing.
//!
//! It stays on the `posix_spawn` path of std (no `pre_exec`), which is safe and cheap in a large threaded process.

mod environment;
mod family;
mod kept;
mod lingering;
mod running;
mod shell;
mod words;

#[doc(hidden)]
pub use environment::is_passed;
pub use environment::{environment, prepare};
#[doc(hidden)]
pub use family::Family;
pub use kept::{last_line, lines, printable};
pub use shell::{find_program, shell, simple};
pub use words::{PercentS, shell_word, substitute};

pub(crate) use running::{end_of, timespec};

use running::Running;
use std::fmt;
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The bounds of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// After this long the group gets SIGTERM.
    pub timeout: Duration,
    /// So long after SIGTERM the group gets SIGKILL.
    pub kill_after: Duration,
    /// How many bytes of output are kept: the first and the last half of this; the rest is read and counted.
    pub output: usize,
    /// What becomes of programs that the command leaves behind in its group.
    pub leftovers: Leftovers,
}

/// What becomes of programs that a command leaves behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Leftovers {
    /// They go on: a restart command may start what it restarts in the background.
    #[default]
    Leave,
    /// They are killed: a check that is made every second must not leave one behind each time.
    Kill,
}

impl Default for Limits {
    /// 30 s, 2 s of grace, 64 KiB.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            kill_after: Duration::from_secs(2),
            output: 64 * 1024,
            leftovers: Leftovers::Leave,
        }
    }
}

impl Limits {
    /// Limits under which [`run`] answers within `total`, a tenth of it (at most 2 s) being the grace between the two
    /// signals: who calls on behalf of somebody that waits `total` wants to say why *before* that is over.
    pub fn within(total: Duration) -> Self {
        let kill_after = (total / 10).min(Duration::from_secs(2));
        let slack = (total / 50).min(Duration::from_millis(100));
        Self { timeout: total - kill_after - slack, kill_after, ..Self::default() }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal that was not ours.
    Signaled(i32),
    /// It gave no result within this time, and its group was killed.
    TimedOut {
        /// The limit that was over.
        after: Duration,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Signaled(signal) => match signal_name(signal) {
                Some(name) => write!(f, "killed by signal {signal} ({name})"),
                None => write!(f, "killed by signal {signal}"),
            },
            Self::TimedOut { after } => {
                write!(f, "gave no result within {} and was killed", in_words(after))
            }
        }
    }
}

/// What [`run`] saw.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How the command ended.
    pub end: End,
    /// Standard output and standard error in the order they were written, bytes that are no UTF-8 replaced. When
    /// something was left out, a line in the middle says how much.
    pub output: String,
    /// How many bytes were left out of `output`.
    pub dropped: u64,
    /// From before the start to after the end.
    pub took: Duration,
}

impl Finished {
    /// Whether it exited with status 0.
    pub fn success(&self) -> bool {
        self.end == End::Exited(0)
    }
    /// The end in words that complete "the command …": `exited with status 3`.
    pub fn describe(&self) -> String {
        self.end.to_string()
    }
    /// The end in words and, when there is one, the last line of output: `exited with status 1: no such user`.
    pub fn explain(&self) -> String {
        match last_line(&self.output) {
            Some(line) => format!("{}: {line}", self.end),
            None => self.describe(),
        }
    }
}

/// Starts `command` and waits for its end; see the module for what is promised.
///
/// Input, output, error output and process group of `command` are set here. The group is killed only when the
/// time is over: a command that succeeded, or failed, by itself may have left programs running on purpose. What
/// they still write is read and thrown away, from the second second on by a `cat` of their own, because they may
/// outlive us. The time limit also reaches a program that has left the group (`setsid`), as long as its parent lives.
///
/// Where pm is protected from the kernel's choice of what to kill without memory, the command is not.
///
/// # Errors
/// When the command cannot be started; the text names the program and the reason, and the kind is that of the reason
/// ([`WouldBlock`](io::ErrorKind::WouldBlock) when the host has no process or descriptor left). Never for how it ended.
pub fn run(command: &mut Command, limits: &Limits) -> io::Result<Finished> {
    let began = Instant::now();
    let (reader, writer, second) = pipe().map_err(|error| not_started(command, &error))?;
    command.stdin(Stdio::null()).stdout(second).stderr(writer).process_group(0);
    let spawned = command.spawn();
    // The command keeps its write ends until they are replaced; with them there would never be an end of file.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = spawned.map_err(|error| not_started(command, &error))?;
    unprotect(child.id());

    let (end, output, dropped) = Running::new(child, reader, limits.output).finish(began, limits)?;
    Ok(Finished { end, output, dropped, took: began.elapsed() })
}

/// Takes from a process that was started the protection against the kernel's choice of what to kill when there is no
/// memory left, which it has inherited; only pm is meant to have it.
#[doc(hidden)]
pub fn unprotect(pid: u32) {
    static PROTECTED: OnceLock<bool> = OnceLock::new();
    let protected = || {
        let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
        own.trim().parse::<i32>().is_ok_and(|score| score < 0)
    };
    if *PROTECTED.get_or_init(protected) {
        // It has ended already, or the kernel has no such thing.
        let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "0");
    }
}

/// A pipe that is read without waiting, and both its write ends.
fn pipe() -> io::Result<(PipeReader, PipeWriter, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    let second = writer.try_clone()?;
    Ok((reader, writer, second))
}

/// std says "No such file or directory" of a program as of a working directory, without naming either.
fn not_started(command: &Command, error: &io::Error) -> io::Error {
    let program = printable(&command.get_program().to_string_lossy());
    let text = match command.get_current_dir().filter(|dir| !dir.is_dir()) {
        Some(dir) => format!("cannot start {program}: there is no directory {}", dir.display()),
        None => format!("cannot start {program}: {error}"),
    };
    io::Error::new(kind_of_start(error), text)
}

/// The kind of an error that kept something from being started. The standard library has none for a host that is short
/// of descriptors; like one that is short of processes ([`WouldBlock`](io::ErrorKind::WouldBlock)) it may have some later.
pub(crate) fn kind_of_start(error: &io::Error) -> io::ErrorKind {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => io::ErrorKind::WouldBlock,
        _ => error.kind(),
    }
}

fn in_words(duration: Duration) -> String {
    let millis = duration.as_millis();
    match (millis / 1000, millis % 1000 / 100) {
        (0, _) => format!("{millis} ms"),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenths) => format!("{seconds}.{tenths} s"),
    }
}

/// `SIGKILL` for 9: the name of a signal of this machine.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    const NAMES: [(i32, &str); 20] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGCONT, "SIGCONT"),
        (libc::SIGSTOP, "SIGSTOP"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    NAMES.iter().find(|(number, _)| *number == signal).map(|(_, name)| *name)
}
