//! What to start: the operator's command, or what was running, or the program of that name.
//!
//! It is decided before anything is stopped. What cannot be started again is not stopped.

use crate::proc::{self, Process};
use pm_plugin_api::command::{PercentS, environment, find_program, prepare, printable, substitute};
use pm_plugin_api::detach::{Program, User};
use pm_plugin_api::{Error, ErrorKind, Result, Target};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Variables that belong to one start of a systemd unit; to another process they are lies.
const OF_ONE_START: [&str; 13] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "MAINPID",
    "MANAGERPID",
    "SYSTEMD_EXEC_PID",
    "CREDENTIALS_DIRECTORY",
    "MEMORY_PRESSURE_WATCH",
];

/// Programs that end more than themselves when they are run without arguments. A row of the table must not be enough.
const NEVER_BY_NAME: [&str; 25] = [
    "coldreboot",
    "ctrlaltdel",
    "halt",
    "hibernate",
    "init",
    "kexec",
    "killall",
    "killall5",
    "pm-hibernate",
    "pm-suspend",
    "pm-suspend-hybrid",
    "poweroff",
    "reboot",
    "rtcwake",
    "runlevel",
    "s2disk",
    "s2ram",
    "shutdown",
    "soft-reboot",
    "suspend",
    "switch_root",
    "systemctl",
    "systemd",
    "telinit",
    "unattended-upgrade",
];

/// The settings that say what to start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Launch {
    pub(crate) command: Option<String>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) output: Option<PathBuf>,
}

/// What will be started, and how to call it in messages.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) program: Program,
    pub(crate) shown: String,
}

impl Launch {
    /// `main` is what runs now.
    pub(crate) fn plan(&self, target: &Target, main: Option<&Process>) -> Result<Plan> {
        let (mut program, shown) = match (&self.command, main) {
            (Some(line), _) => of_line(line, self.directory.as_ref(), target)?,
            (None, Some(process)) => match captured(process)? {
                Some(captured) => captured,
                None => by_name(target).map_err(|error| {
                    error.context(format!("process {} hides how it was started", process.shown()))
                })?,
            },
            (None, None) => by_name(target)?,
        };
        if let Some(directory) = &self.directory {
            program.directory.clone_from(directory);
            program.environment.insert("PWD".into(), directory.into());
        }
        if let Some(name) = &self.user {
            become_user(&mut program, name)?;
        }
        program.output.clone_from(&self.output);
        program.scope = Some(target.name.clone());
        Ok(Plan { program, shown })
    }
}

/// The operator's command, with the environment of all their commands.
fn of_line(line: &str, directory: Option<&PathBuf>, target: &Target) -> Result<(Program, String)> {
    let line = substitute(line, &target.name, &target.system_name, PercentS::SystemName)
        .map_err(|error| error.context("start_command"))?;
    let directory = directory.unwrap_or(&target.working_directory);
    let command = prepare(&line, directory, &target.environment);
    let mut program = Program::new(command.get_program());
    program.arguments.extend(command.get_args().map(OsStr::to_owned));
    program.environment =
        command.get_envs().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect();
    program.directory.clone_from(directory);
    Ok((program, printable(&line)))
}

/// What the process was started with; none when it has written something else over that.
fn captured(process: &Process) -> Result<Option<(Program, String)>> {
    let arguments = process.arguments();
    let Some(first) = arguments.first() else { return Ok(None) };
    // "nginx: master process /usr/sbin/nginx": a title, not arguments.
    if first.as_bytes().contains(&b' ') || first.as_bytes().ends_with(b":") {
        return Ok(None);
    }
    let path = process.executable().map_err(|error| cannot_look(process, &error))?;
    if !path.is_file() {
        return Err(Error::config(format!(
            "process {} runs {}, which is not there any more: install it again, or set start_command",
            process.shown(),
            path.display()
        )));
    }
    let shown = arguments.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let mut program = Program::new(path);
    program.arguments = arguments;
    program.environment = variables(process);
    program.directory = std::fs::read_link(format!("/proc/{}/cwd", process.pid))
        .ok()
        .filter(|directory| directory.is_dir())
        .unwrap_or_else(|| PathBuf::from("/"));
    program.user = user_of(process.pid);
    program.umask = proc::status(process.pid, "Umask")
        .and_then(|mask| u32::from_str_radix(&mask, 8).ok())
        .unwrap_or(program.umask);
    Ok(Some((program, printable(&shown))))
}

fn cannot_look(process: &Process, error: &io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::PermissionDenied {
        ErrorKind::Permission
    } else {
        ErrorKind::Failed
    };
    Error::new(
        kind,
        format!(
            "pm runs as user {} and cannot see how process {} was started ({error}): set start_command, or run pm as \
             root or as the user of the process",
            rustix::process::geteuid().as_raw(),
            process.shown()
        ),
    )
}

fn variables(process: &Process) -> BTreeMap<OsString, OsString> {
    let block = std::fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
    proc::split(&block)
        .iter()
        .filter_map(|variable| {
            let bytes = variable.as_bytes();
            let equals = bytes.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
            Some((OsStr::from_bytes(&bytes[..equals]).into(), OsStr::from_bytes(&bytes[equals + 1..]).into()))
        })
        .filter(|(key, _): &(OsString, OsString)| !OF_ONE_START.iter().any(|name| key == name))
        .collect()
}

fn user_of(pid: u32) -> Option<User> {
    let real = |key| proc::status(pid, key)?.split_whitespace().next()?.parse().ok();
    let groups =
        proc::status(pid, "Groups")?.split_whitespace().filter_map(|group| group.parse().ok()).collect();
    Some(User { uid: real("Uid")?, gid: real("Gid")?, groups, account: None })
}

/// The original's way: the program of that name in `PATH`, without arguments.
fn by_name(target: &Target) -> Result<(Program, String)> {
    let name = &target.system_name;
    let environment = environment(&target.working_directory, &BTreeMap::new());
    let path = environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let file = find_program(name, &path).ok_or_else(|| {
        Error::not_found(format!(
            "{name:?} does not run, and there is no program of that name in PATH ({}): set start_command, or \
             system_name",
            path.display()
        ))
    })?;
    if ends_more_than_itself(name) || ends_more_than_itself(&base_name(&file)) {
        return Err(Error::config(format!(
            "the program {name:?} is not started by its name alone, it would stop more than itself; if that is what you \
             want, set start_command"
        )));
    }
    let mut program = Program::new(&file);
    program.environment = environment;
    program.directory.clone_from(&target.working_directory);
    Ok((program, file.display().to_string()))
}

fn ends_more_than_itself(name: &str) -> bool {
    NEVER_BY_NAME.contains(&name)
}

/// The name of the file behind all links: `/sbin/reboot` is `systemctl` on many systems.
fn base_name(file: &Path) -> String {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn become_user(program: &mut Program, name: &str) -> Result<()> {
    let user = User::named(name).map_err(|error| {
        let kind =
            if error.kind() == io::ErrorKind::NotFound { ErrorKind::Config } else { ErrorKind::Unavailable };
        Error::new(kind, format!("start_user: {error}"))
    })?;
    if let Some(account) = &user.account {
        let mut set = |key: &str, value: &OsStr| program.environment.insert(key.into(), value.to_owned());
        set("USER", account.name.as_ref());
        set("LOGNAME", account.name.as_ref());
        set("HOME", account.home.as_ref());
        set("SHELL", account.shell.as_ref());
    }
    program.user = Some(user);
    Ok(())
}
