//! Starts a program that outlives its starter.
//!
//! The program gets a session of its own, no input, a file or nothing for its output, default signals, no descriptor of
//! ours, and a parent that is not us (it never becomes our zombie). Under systemd it gets a scope of its own before its
//! first instruction, so that stopping pm's unit does not take it along; without that it is a plain session, which is
//! said at debug level.
//!
//! [`spawn`] says "started" only when the program has really been executed. Whether it stays alive is the caller's
//! question. Between fork and exec nothing runs but system calls; see `forked`, the only place with `unsafe` code.

mod forked;
mod held;
mod scope;
mod start;
mod user;

#[doc(hidden)]
pub use start::pass_nothing_on;
pub use user::User;

use crate::command::{End, kind_of_start};
use forked::Plan;
use held::{Held, Parent};
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A program and all that it gets; nothing else is passed on.
#[derive(Debug, Clone)]
pub struct Program {
    /// Absolute path of the file to execute.
    pub path: PathBuf,
    /// The arguments, the first being the name the program sees itself under.
    pub arguments: Vec<OsString>,
    /// The whole environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Where it starts.
    pub directory: PathBuf,
    /// Output and error output are appended to this file, which is created when needed (mode 0640); none throws them away.
    pub output: Option<PathBuf>,
    /// Who it runs as; none is who we are.
    pub user: Option<User>,
    /// Its file mode creation mask.
    pub umask: u32,
    /// Under systemd it gets the scope `pm-LABEL-….scope` of its own; none leaves it in our control group.
    pub scope: Option<String>,
}

impl Program {
    /// `path` without arguments and environment, in `/`, without output, as ourselves, with umask 022 and no scope.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            arguments: vec![path.clone().into()],
            path,
            environment: BTreeMap::new(),
            directory: PathBuf::from("/"),
            output: None,
            user: None,
            umask: 0o022,
            scope: None,
        }
    }
}

/// A program that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its process id; it leads its session and its process group.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: with the pid it names this process and no later one.
    pub start_ticks: u64,
    /// The scope it runs in; none when it has none of its own.
    pub scope: Option<String>,
}

/// Starts `program`; see the module for what is promised.
///
/// # Errors
/// When the output cannot be opened, no process can be made, or a step up to the execution fails (user, directory,
/// program): the text names the program, the step and the reason, [`kind`](io::Error::kind) is that of the reason.
pub fn spawn(program: &Program) -> io::Result<Started> {
    spawn_and_watch(program, Duration::ZERO).map(|(started, _)| started)
}

/// As [`spawn`], and tells how the program ended if it does so within `grace`; one that goes into the background by
/// itself exits with 0.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_and_watch(program: &Program, grace: Duration) -> io::Result<(Started, Option<End>)> {
    let input = File::open("/dev/null").map_err(|error| not_started(program, &error))?;
    let (started, parent) = start(program, input.into())?;
    Ok((started, parent.ended_within(grace)))
}

/// As [`spawn`], with an input.
pub(crate) fn spawn_reading(program: &Program, input: OwnedFd) -> io::Result<Started> {
    start(program, input).map(|(started, _)| started)
}

fn start(program: &Program, input: OwnedFd) -> io::Result<(Started, Parent)> {
    start_plainly(program, input).map_err(|error| not_started(program, &error))
}

fn not_started(program: &Program, error: &io::Error) -> io::Error {
    io::Error::new(kind_of_start(error), format!("cannot start {}: {error}", program.path.display()))
}

fn start_plainly(program: &Program, input: OwnedFd) -> io::Result<(Started, Parent)> {
    let held = Held::fork(&plan(program, input)?)?;
    let pid = held.pid();
    let start_ticks = start_ticks(pid).ok_or_else(|| io::Error::other("it was killed before it began"))?;
    let scope = program.scope.as_deref().and_then(|label| {
        scope::enclose(pid, start_ticks, label)
            .inspect_err(|why| tracing::debug!("no scope of its own for {}: {why}", program.path.display()))
            .ok()
    });
    Ok((Started { pid, start_ticks, scope }, held.release()?))
}

fn plan(program: &Program, input: OwnedFd) -> io::Result<Plan> {
    if !program.path.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not absolute"));
    }
    let text = |bytes: &[u8]| {
        CString::new(bytes).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "a text for it contains a NUL character")
        })
    };
    let variable =
        |(key, value): (&OsString, &OsString)| text(&[key.as_bytes(), b"=", value.as_bytes()].concat());
    Ok(Plan {
        path: text(program.path.as_os_str().as_bytes())?,
        arguments: program.arguments.iter().map(|word| text(word.as_bytes())).collect::<Result<_, _>>()?,
        environment: program.environment.iter().map(variable).collect::<Result<_, _>>()?,
        directory: text(program.directory.as_os_str().as_bytes())?,
        user: program.user.clone().filter(User::is_another),
        umask: program.umask,
        input,
        output: output(program.output.as_deref())?,
    })
}

fn output(file: Option<&Path>) -> io::Result<OwnedFd> {
    let opened = match file {
        None => OpenOptions::new().write(true).open("/dev/null"),
        // Without `O_NONBLOCK` a fifo without a reader would keep us here for ever.
        Some(file) => OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(file)
            .map_err(|error| {
                io::Error::new(error.kind(), format!("cannot open its output {}: {error}", file.display()))
            }),
    }?;
    rustix::io::ioctl_fionbio(&opened, false)?;
    Ok(opened.into())
}

/// When the process began, in ticks since boot.
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in the second field may hold blanks and brackets; the third field follows the last bracket.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}
