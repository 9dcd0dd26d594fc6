//! The strategy "process": find, decide what to start, stop, start, look whether it stays.

use crate::evidence;
use crate::find::{Finder, Found, members_of_sessions};
use crate::launch::{Launch, Plan};
use crate::proc::{self, Process};
use crate::stop::{Stopped, stop};
use pm_plugin_api::command::{End, last_line, signal_name};
use pm_plugin_api::detach::{Started, spawn_and_watch};
use pm_plugin_api::{Error, ErrorKind, Evidence, Outcome, Result, Strategy, Target};
use rustix::process::Signal;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a program that went into the background by itself may take to be found.
const APPEARING: Duration = Duration::from_secs(1);
/// As much of the end of an output file is read to tell why a program ended.
const LAST_OUTPUT: u64 = 4096;

pm_plugin_api::settings! {
    /// Settings of the strategy "process".
    pub(crate) struct ProcessSettings {
        /// The file in which the program writes its pid. The process it names must run `executable`, or be called like the
        /// system name, or `match = pid-file` says that the file can be trusted.
        pub(crate) pid_file: Option<PathBuf>,
        /// Absolute path of the program or script that the process runs.
        pub(crate) executable: Option<PathBuf>,
        /// How to find the process: pid-file, executable, name (exactly the system name), or pattern (the system name is a
        /// part of the first 15 characters of the name, ^ its beginning, $ its end: the original's way, which also hits
        /// others). Without it: by pid_file, executable or name, whichever is set.
        #[allowed = "pid-file|executable|name|pattern"]
        pub(crate) r#match: Option<String>,
        /// How long a process may take to end before it gets SIGKILL.
        pub(crate) stop_timeout: Duration = "10s",
        /// The signal that asks it to end: a name (TERM, HUP, INT, QUIT, USR1, ...) or a number.
        pub(crate) stop_signal: String = "TERM",
        /// The command that starts it, run by bash where it needs a shell. %s is the system name. Without it, what was
        /// running is started again as it was (arguments, directory, user, environment); if nothing was, the program that
        /// has the system name.
        pub(crate) start_command: Option<String>,
        /// The directory to start it in.
        pub(crate) start_directory: Option<PathBuf>,
        /// The user to start it as, by name or number; only root can be somebody else.
        pub(crate) start_user: Option<String>,
        /// The file that its output is appended to; without it the output is thrown away.
        pub(crate) output: Option<PathBuf>,
        /// How long to watch whether it ends again right after the start.
        pub(crate) start_grace: Duration = "200ms",
    }
}

/// Stops and starts programs without a service manager.
pub(crate) struct Restart {
    finder: Finder,
    stop_timeout: Duration,
    stop_signal: Signal,
    launch: Launch,
    start_grace: Duration,
}

impl Strategy for Restart {
    type Settings = ProcessSettings;

    fn new(settings: ProcessSettings) -> Result<Self> {
        Ok(Self {
            finder: Finder::new(settings.pid_file, settings.executable, settings.r#match.as_deref())?,
            stop_timeout: settings.stop_timeout,
            stop_signal: signal(&settings.stop_signal)?,
            launch: Launch {
                command: settings.start_command.filter(|line| !line.is_empty()),
                directory: settings.start_directory,
                user: settings.start_user.filter(|name| !name.is_empty()),
                output: settings.output,
            },
            start_grace: settings.start_grace,
        })
    }

    fn restart(&self, target: &Target) -> Result<Outcome> {
        let deadline = Instant::now() + target.timeout();
        let found = self.finder.find(&target.system_name)?;
        let plan = self.launch.plan(target, found.main())?;
        if found.running.is_empty() {
            return Ok(Outcome::started(self.start(&plan, target)?));
        }
        let stopped = self.stop_all(found, target, deadline)?;
        let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(self.start_grace);
        std::thread::sleep(target.restart_delay().min(left));
        if let Some(again) = self.finder.find(&target.system_name)?.main() {
            let again = again.shown();
            return Ok(Outcome::restarted(format!("{stopped}; something else has started process {again}")));
        }
        let started = self.start(&plan, target).map_err(|error| error.context(&stopped))?;
        Ok(Outcome::restarted(format!("{stopped}, {started}")))
    }

    fn identity(&self, target: &Target) -> Result<Option<String>> {
        let found = self.finder.find(&target.system_name)?;
        let Some(main) = found.main() else { return Ok(None) };
        let boot_id = proc::boot_id().map_err(|error| Error::from(error).context("reading the boot id"))?;
        Ok(Some(format!("{}:{}:{boot_id}", main.pid, main.start_ticks)))
    }

    fn evidence(&self, target: &Target) -> Result<Evidence> {
        evidence::look(&self.finder, self.launch.output.as_deref(), &target.system_name)
    }
}

impl Restart {
    /// Stops what was found, then what it has left behind or forked meanwhile. Returns what was done, in words.
    fn stop_all(&self, found: Found, target: &Target, deadline: Instant) -> Result<String> {
        let reserve = target.restart_delay() + self.start_grace + Duration::from_secs(3);
        let mut words = String::new();
        let mut processes = found.running;
        for _ in 0..2 {
            let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(reserve);
            let patience = self.stop_timeout.min(left);
            let stopped = stop(&processes, self.stop_signal, patience)?;
            words.push_str(if words.is_empty() { "stopped " } else { " and " });
            words.push_str(&in_words(&processes, stopped, patience));
            let behind = members_of_sessions(&processes)?;
            processes = self.finder.find(&target.system_name)?.running;
            processes.retain(|process| behind.iter().all(|other| other.pid != process.pid));
            processes.extend(behind);
            if processes.is_empty() {
                break;
            }
        }
        Ok(words)
    }

    /// Starts it and looks whether it stays. Returns what was done, in words.
    fn start(&self, plan: &Plan, target: &Target) -> Result<String> {
        let output = plan.program.output.as_deref();
        let before = output.and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
        let (started, end) =
            spawn_and_watch(&plan.program, self.start_grace).map_err(|error| cannot_start(&error))?;
        match end {
            None => {
                self.warn_if_not_found(&started, target);
                let scope = started.scope.map(|scope| format!(" in {scope}")).unwrap_or_default();
                Ok(format!("started process {}{scope}: {}", started.pid, plan.shown))
            }
            Some(End::Exited(0)) => match self.appeared(&started, target, APPEARING)? {
                Some(process) => {
                    Ok(format!("started process {} in the background: {}", process.shown(), plan.shown))
                }
                None => Err(Error::failed(format!(
                    "{} exited with status 0, and no process {} after that{}",
                    plan.shown,
                    self.finder.describe(&target.system_name),
                    last_words(output, before)
                ))),
            },
            Some(end) => Err(Error::failed(format!(
                "{} {end} within {} ms of its start{}",
                plan.shown,
                self.start_grace.as_millis(),
                last_words(output, before)
            ))),
        }
    }

    /// The process that is found and was not there before `started`.
    fn appeared(&self, started: &Started, target: &Target, limit: Duration) -> Result<Option<Process>> {
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_millis(2);
        loop {
            let found = self.finder.find(&target.system_name)?;
            if let Some(main) = found.main().filter(|main| main.start_ticks >= started.start_ticks) {
                return Ok(Some(main.clone()));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// What is started but not found is started once more at the next alarm. A pid file is often written later.
    fn warn_if_not_found(&self, started: &Started, target: &Target) {
        let by_file = matches!(self.finder, Finder::PidFile(..));
        if !by_file && matches!(self.appeared(started, target, Duration::from_millis(300)), Ok(None)) {
            tracing::warn!(
                "process {} was started, but none {}: the next restart would start another one; set pid_file, executable \
                 or system_name",
                started.pid,
                self.finder.describe(&target.system_name)
            );
        }
    }
}

fn in_words(processes: &[Process], stopped: Stopped, patience: Duration) -> String {
    let who = match processes {
        [one] => format!("process {}", one.shown()),
        _ => format!("{} processes", stopped.count),
    };
    let how = if stopped.killed {
        format!(", with SIGKILL after it ignored the signal for {} ms", patience.as_millis())
    } else {
        format!(" in {} ms", stopped.took.as_millis())
    };
    who + &how
}

/// A missing program is a mistake in the file, not a target that does not exist: nothing else is to be tried.
fn cannot_start(error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => {
            ErrorKind::Config
        }
        io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory | io::ErrorKind::TimedOut => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Failed,
    };
    Error::new(kind, error.to_string())
}

/// The last line that was written to the output since it was `before` bytes long, or how to get one.
fn last_words(output: Option<&Path>, before: u64) -> String {
    let Some(file) = output else {
        return "; to see why, let its output go to a file: output = /var/log/NAME.log".to_owned();
    };
    let read = || -> io::Result<String> {
        let mut opened = File::open(file)?;
        let end = opened.metadata()?.len();
        opened.seek(SeekFrom::Start(before.max(end.saturating_sub(LAST_OUTPUT))))?;
        let mut text = Vec::new();
        opened.take(LAST_OUTPUT).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    match read().ok().as_deref().and_then(last_line) {
        Some(line) => format!(": {line}"),
        None => format!("; it wrote nothing to {}", file.display()),
    }
}

/// TERM, SIGTERM or 15.
fn signal(text: &str) -> Result<Signal> {
    let text = text.trim().to_ascii_uppercase();
    let name = format!("SIG{}", text.strip_prefix("SIG").unwrap_or(&text));
    let number = text.parse().ok().or_else(|| (1..32).find(|number| signal_name(*number) == Some(&name)));
    number.and_then(Signal::from_named_raw).ok_or_else(|| {
        Error::config(format!(
            "stop_signal: {text:?} is no signal; write TERM, INT, QUIT, HUP, USR1, USR2, KILL or a number"
        ))
    })
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod tests;
