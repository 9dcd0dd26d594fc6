//! The stage of the demo: a temporary folder, two programs, an embedded alarm table, the daemon, and a look at what
//! became of them. Everything that was started is ended when the stage is dropped, also after Ctrl-C.

use crate::cli::arguments::Global;
use crate::cli::compose::{self, Context};
use crate::cli::{Arguments, Failure};
use crate::clock::{Stop, SystemClock};
use crate::policy::breaker::State;
use crate::policy::model::Name;
use crate::policy::time::Ticks;
use crate::ports::{AlarmStore, Clock, Rows, Strategies};
use crate::spec::PartRef;
use clap::Parser as _;
use pm_plugin_api::Target;
use pm_plugin_api::detach::{self, Program, Started};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The sample programs: the name in the table, and the beginning of the name that the system knows them by. That
/// has at most 15 characters, which is what the kernel keeps, and ends in digits of this demo's own, so that nobody
/// else's program is ever taken for it.
const PROGRAMS: [(&str, &str); 2] = [("demo-web", "demo-web"), ("demo-worker", "demo-wk")];
/// What they do.
const WORK: &str = "while :; do sleep 1; done";
const LOOK: Duration = Duration::from_millis(10);

pub(super) struct Stage {
    folder: PathBuf,
    context: Context,
    store: Box<dyn AlarmStore>,
    clock: SystemClock,
    until: Ticks,
    began: Ticks,
    raised: Ticks,
    read: usize,
    programs: Vec<(&'static str, Started)>,
    daemon: Option<Started>,
    interrupted: Arc<AtomicBool>,
    plugins_dir: PathBuf,
    tag: String,
}

impl Stage {
    /// Makes the folder, writes the configuration, fills the table and starts the programs.
    pub(super) fn set(global: &Global, patience: Duration) -> Result<Self, Failure> {
        let clock = SystemClock::new(Stop::new());
        let now = clock.now();
        let folder = std::env::temp_dir().join(format!("pm-demo-{}-{}", std::process::id(), now.boot.0));
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| {
            Failure::Failed(format!("making the folder {}: {error}; is it writable?", folder.display()))
        })?;
        let config = folder.join("config.ini");
        let tag = format!("{:04x}", (u64::from(std::process::id()) ^ now.boot.0) & 0xffff);
        fs::write(&config, configuration(&folder, &tag))?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
        let plugins_dir = compose::registry(global, None).directory().to_owned();
        let global = Global { config: Some(config), plugins_dir: Some(plugins_dir.clone()) };
        let context = Context::load(&global)?;
        let mut store = context.store();
        store.migrate().map_err(|error| Failure::database(&error))?;
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let mut stage = Self {
            folder,
            context,
            store,
            until: now.boot.after(patience),
            began: now.boot,
            raised: now.boot,
            clock,
            read: 0,
            programs: Vec::new(),
            daemon: None,
            interrupted,
            plugins_dir,
            tag,
        };
        for (name, _) in PROGRAMS {
            stage.write_program(name, WORK)?;
            let started = detach::spawn(&stage.program(name))?;
            stage.programs.push((name, started));
            stage.store.add(&Name::new(name)).map_err(|error| Failure::database(&error))?;
        }
        Ok(stage)
    }

    fn write_program(&self, name: &str, body: &str) -> Result<(), Failure> {
        let file = self.file(name);
        // Written beside and renamed: a program that runs must not be overwritten.
        let fresh = self.folder.join(format!("{name}.new"));
        fs::write(&fresh, format!("#!/bin/sh\n{body}\n"))?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o700))?;
        Ok(fs::rename(&fresh, &file)?)
    }

    /// The file of a program; its name is the one that the system knows it by.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(system_name(name, &self.tag))
    }

    fn program(&self, name: &str) -> Program {
        Program { environment: environment(), ..Program::new(self.file(name)) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("config.ini")
    }
    pub(super) fn config_text(&self) -> String {
        fs::read_to_string(self.config()).unwrap_or_default()
    }
    pub(super) fn programs(&self) -> Vec<(&'static str, u32)> {
        self.programs.iter().map(|(name, started)| (*name, started.pid)).collect()
    }

    /// Starts this very program as the daemon.
    pub(super) fn start_daemon(&mut self) -> Result<(), Failure> {
        let mut program = Program::new(std::env::current_exe()?);
        for word in ["run".into(), "--config".into(), self.config().into_os_string()] {
            program.arguments.push(word);
        }
        program.arguments.extend(["--plugins-dir".into(), self.plugins_dir.clone().into_os_string()]);
        program.environment = environment();
        program.output = Some(self.folder.join("daemon.out"));
        self.daemon = Some(detach::spawn(&program)?);
        Ok(())
    }

    /// Kills a program the hard way and answers its pid.
    pub(super) fn kill(&mut self, name: &str) -> Result<u32, Failure> {
        let pid = self.running(name)?;
        signal(pid, Signal::KILL)?;
        self.wait_for(&format!("{name} to die"), |_| Ok((!alive(pid)).then_some(())))?;
        Ok(pid)
    }

    /// What the outside world does: raises the alarm in the table.
    pub(super) fn raise(&mut self, name: &str) -> Result<(), Failure> {
        self.raised = self.clock.now().boot;
        let rows = Rows::Named(vec![Name::new(name)]);
        self.store.raise(&rows, "demo").map_err(|error| Failure::database(&error))?;
        Ok(())
    }

    /// Makes a program end at once with an error, from its next start on.
    pub(super) fn sabotage(&self, name: &str) -> Result<(), Failure> {
        self.write_program(name, "exit 1")
    }

    /// Makes it work again.
    pub(super) fn repair(&self, name: &str) -> Result<(), Failure> {
        self.write_program(name, WORK)
    }

    /// Shows the daemon's log, with times since the start of the demo, up to the line that contains `text`.
    pub(super) fn follow(&mut self, out: &mut dyn Write, text: &str) -> Result<(), Failure> {
        let log = self.folder.join("pm.log");
        loop {
            let all = fs::read_to_string(&log).unwrap_or_default();
            let whole = all.rfind('\n').map_or(0, |at| at + 1);
            let fresh: Vec<_> = all[self.read.min(whole)..whole].lines().map(str::to_owned).collect();
            self.read = whole;
            let mut found = false;
            for line in fresh {
                let seconds = self.clock.now().boot.since(self.began).as_secs_f64();
                let message = line.split_once("  [").map_or(line.as_str(), |(_, rest)| rest);
                if !message.starts_with("DEBUG") {
                    writeln!(out, "  +{seconds:6.3} s  [{message}")?;
                }
                found |= line.contains(text);
            }
            out.flush()?;
            if found {
                return Ok(());
            }
            self.patience(&format!("the log line {text:?}"))?;
        }
    }

    /// Milliseconds since the last alarm was raised.
    pub(super) fn took(&self) -> u128 {
        self.clock.now().boot.since(self.raised).as_millis()
    }

    /// The pid of a program.
    pub(super) fn running(&self, name: &str) -> Result<u32, Failure> {
        self.pid_of(name)?.ok_or_else(|| Failure::Failed(format!("{name} does not run")))
    }

    /// The pid under which a program runs again.
    pub(super) fn running_again(&mut self, name: &str, before: u32) -> Result<u32, Failure> {
        let name = name.to_owned();
        self.wait_for(&format!("{name} to run again"), move |stage| {
            Ok(stage.pid_of(&name)?.filter(|pid| *pid != before))
        })
    }

    /// The notes of a row whose alarm is cleared.
    pub(super) fn cleared(&mut self, name: &str) -> Result<String, Failure> {
        let rows = self.store.list().map_err(|error| Failure::database(&error))?;
        let row = rows.into_iter().find(|row| row.name.as_str() == name && row.alarm == 0);
        row.and_then(|row| row.notes)
            .ok_or_else(|| Failure::Failed(format!("the alarm of {name} still stands")))
    }

    /// Seconds for which the breaker of a program is open.
    pub(super) fn breaker_open(&mut self, name: &str) -> Result<u64, Failure> {
        let key = Name::new(name);
        self.wait_for("the breaker to be stored as open", move |stage| {
            let picture = stage.context.picture()?;
            let now = picture.now.boot;
            Ok(match picture.standing(&key).breaker.state {
                State::Open { until } if now < until => Some(until.since(now).as_secs()),
                _ => None,
            })
        })
    }

    /// What a command of pm answers.
    pub(super) fn ask(&self, words: &[&str]) -> Result<String, Failure> {
        let (config, plugins) = (self.config(), &self.plugins_dir);
        let options = [Path::new("--config"), &config, Path::new("--plugins-dir"), plugins];
        let line = std::iter::once("pm").chain(words.iter().copied()).map(Path::new).chain(options);
        let parsed = Arguments::try_parse_from(line.map(Path::as_os_str)).map_err(|e| Failure::failed(&e))?;
        let mut answer = Vec::new();
        let mut terminal = crate::cli::Terminal { out: &mut answer, err: &mut std::io::sink() };
        crate::cli::dispatch(parsed, &mut terminal)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Ends the daemon in good order.
    pub(super) fn stop_daemon(&mut self) -> Result<(), Failure> {
        let Some(daemon) = self.daemon.take() else { return Ok(()) };
        signal(daemon.pid, Signal::TERM)?;
        self.wait_for("the daemon to stop", |_| Ok((!alive(daemon.pid)).then_some(())))
    }

    /// The pid of a program, asked of the same plugin that restarts it.
    fn pid_of(&self, name: &str) -> Result<Option<u32>, Failure> {
        let part = PartRef { name: "process".to_owned(), settings: BTreeMap::new() };
        let target = Target::named(system_name(name, &self.tag));
        let identity = self.context.strategies().identity(&part, &target);
        let identity = identity.map_err(|error| Failure::Plugin(error.message))?;
        Ok(identity.and_then(|text| text.split(':').next()?.parse().ok()))
    }

    fn wait_for<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            self.patience(what)?;
        }
    }

    fn patience(&self, what: &str) -> Result<(), Failure> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Failed("the demo was interrupted".to_owned()));
        }
        if self.clock.now().boot >= self.until {
            let said = fs::read_to_string(self.folder.join("daemon.out")).unwrap_or_default();
            return Err(Failure::Failed(format!(
                "the demo waited for {what} in vain. The daemon said:\n{said}"
            )));
        }
        let _ = self.clock.wait(LOOK);
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            let _ = signal(daemon.pid, Signal::KILL);
        }
        for pid in started_from(&self.folder) {
            let _ = signal(pid, Signal::KILL);
        }
        // What is left of a demo that could not clean up is a folder in /tmp.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The programs whose command line names the folder, which is this demo's alone. The plugin that restarts them is not
/// asked: it may be what is missing.
fn started_from(folder: &Path) -> Vec<u32> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let names_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.windows(folder.len()).any(|part| part == folder)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != std::process::id()).filter(names_it).collect()
}

fn system_name(name: &str, tag: &str) -> String {
    let start = PROGRAMS.iter().find(|(its, _)| *its == name).map_or(name, |(_, start)| start);
    format!("{start}-{tag}")
}

fn configuration(folder: &Path, tag: &str) -> String {
    let (web, worker) = (system_name("demo-web", tag), system_name("demo-worker", tag));
    let folder = folder.display();
    format!(
        "[database]\nengine = sqlite\npath = {folder}/alarms.db\n\n\
         [monitor]\ncheck_interval = 1\nmax_restart_failures = 1\ncircuit_reset_time = 300\n\
         state_dir = {folder}/state\n\n\
         [logging]\nfile = {folder}/pm.log\nsyslog = no\n\n\
         [process.default]\nrestart_strategy = process\nhealth_check = process\nhealth_check_timeout = 1\n\
         max_attempts = 2\nrestart_delay = 0.5\n\n\
         [process.demo-web]\nsystem_name = {web}\nstart_command = {folder}/{web}\n\
         depends_on = demo-worker\n\n\
         [process.demo-worker]\nsystem_name = {worker}\nstart_command = {folder}/{worker}\n"
    )
}

fn environment() -> BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    ["PATH", "HOME", "TZ"].into_iter().filter_map(|key| Some((key.into(), std::env::var_os(key)?))).collect()
}

fn process(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn alive(pid: u32) -> bool {
    process(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn signal(pid: u32, signal: Signal) -> Result<(), Failure> {
    let Some(process) = process(pid) else { return Ok(()) };
    kill_process(process, signal)
        .map_err(|error| Failure::Failed(format!("signalling process {pid}: {error}")))
}
