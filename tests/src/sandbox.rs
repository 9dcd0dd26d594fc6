//! A folder, a configuration and the built program: how system tests drive pm as an operator does.
//!
//! Nothing is mocked. Every wait is for something visible (a line of the log, a row, a process) and ends with an
//! explanation: the log so far. Everything that was started is killed when the sandbox is dropped.

use pm_host::failpoint::Point;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The longest wait for anything; on a busy machine things take their time.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the built programs and plugins are: beside the folder of the test program.
///
/// # Panics
/// When pm has not been built.
pub fn built() -> PathBuf {
    let test = std::env::current_exe().expect("the test program has a path");
    let folder = test.parent().and_then(Path::parent).expect("it lies in target/PROFILE/deps").to_owned();
    assert!(
        folder.join("pm").exists(),
        "{} is missing: run `cargo build --workspace` first",
        folder.display()
    );
    folder
}

/// A folder with a configuration.
pub struct Sandbox {
    folder: TempDir,
    /// A program and its arguments that run pm, whose command line follows; empty for none.
    launcher: Vec<String>,
    /// Where pm kills itself from now on, as `PM_FAILPOINT` says it.
    failpoint: Option<String>,
    daemons: Vec<Child>,
}

/// What a command of pm answered.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Keys of `[monitor]` for tests that raise the same alarms again and again: a restart that helped has helped at once,
/// and nobody waits between two. What restart control does by itself is tested where it is switched on.
pub const UNHURRIED: &str = "stable_time = 0\nstorm_limit = 0\nmass_alarm_min = 0\n\n[criticality.normal]\nbackoff = 0\ncircuit_jitter = 0\n";

impl Sandbox {
    /// A sandbox whose `config.ini` is `config` with `@DIR@` replaced by the folder.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn new(config: &str) -> Self {
        Self::within(&std::env::temp_dir(), &[], config)
    }

    /// As [`new`](Self::new), with the folder in `place`, and pm is run by the program `launcher`, as its last arguments.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn within(place: &Path, launcher: &[&str], config: &str) -> Self {
        let folder =
            tempfile::Builder::new().prefix("pm-test-").tempdir_in(place).expect("a folder for the test");
        let launcher = launcher.iter().map(|&word| word.to_owned()).collect();
        let sandbox = Self { folder, launcher, failpoint: None, daemons: Vec::new() };
        sandbox.configure(config);
        sandbox
    }

    /// A sandbox on the embedded database, polling ten times a second, with these process sections.
    pub fn sqlite(sections: &str) -> Self {
        Self::new(&Self::on_sqlite(sections))
    }

    /// The configuration of [`sqlite`](Self::sqlite).
    pub fn on_sqlite(sections: &str) -> String {
        format!(
            "[database]\nengine = sqlite\npath = @DIR@/alarms.db\n\n[monitor]\ncheck_interval = 0.1\n\
             max_restart_failures = 3\ncircuit_reset_time = 600\nstate_dir = @DIR@/state\n{UNHURRIED}\n\
             [logging]\nfile = @DIR@/pm.log\nsyslog = no\n\n{sections}"
        )
    }

    /// Writes another configuration, by rename as an editor does.
    pub fn configure(&self, config: &str) {
        let fresh = self.write("config.new", &config.replace("@DIR@", &self.dir().to_string_lossy()), 0o600);
        fs::rename(fresh, self.config()).expect("renaming the configuration");
    }

    /// Writes a file with a mode and answers its path.
    pub fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, text).expect("writing a file of the test");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("setting its mode");
        path
    }

    /// An executable script.
    pub fn script(&self, name: &str, body: &str) -> PathBuf {
        let body = body.replace("@DIR@", &self.dir().to_string_lossy());
        self.write(name, &format!("#!/bin/sh\n{body}\n"), 0o755)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir().join("config.ini")
    }

    /// The text of a file of the folder; empty when there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir().join(name)).unwrap_or_default()
    }

    /// The command line of pm with this sandbox's configuration.
    pub fn command(&self, words: &[&str]) -> Command {
        let pm = built().join("pm");
        let mut command = match self.launcher.split_first() {
            None => Command::new(pm),
            Some((launcher, arguments)) => {
                let mut command = Command::new(launcher);
                command.args(arguments).arg(pm);
                command
            }
        };
        command.args(words).arg("--config").arg(self.config()).current_dir(self.dir());
        for key in [
            "PM_CONFIG",
            "CONFIG_FILE",
            "STATE_DIRECTORY",
            "NOTIFY_SOCKET",
            "PM_DATABASE_PASSWORD",
            "PM_FAILPOINT",
        ] {
            command.env_remove(key);
        }
        command.envs(self.failpoint.iter().map(|point| ("PM_FAILPOINT", point)));
        command
    }

    /// Runs a command of pm to its end.
    pub fn pm(&self, words: &[&str]) -> Answer {
        answer(&mut self.command(words))
    }

    /// As [`pm`](Self::pm), and it must succeed; answers standard output.
    pub fn ok(&self, words: &[&str]) -> String {
        let answer = self.pm(words);
        assert_eq!(answer.code, 0, "pm {words:?} failed: {answer:?}\nlog:\n{}", self.log());
        answer.out
    }

    /// Starts the daemon and waits until it works.
    pub fn start(&mut self) -> u32 {
        let before = self.log().matches("Starting Process Monitor Service").count();
        let pid = self.start_at_once();
        self.until("the daemon to start", |sandbox| {
            sandbox.log().matches("Starting Process Monitor Service").count() > before
        });
        pid
    }

    /// Starts the daemon and waits for nothing.
    pub fn start_at_once(&mut self) -> u32 {
        let out = fs::File::options().create(true).append(true).open(self.dir().join("out")).expect("out");
        let err = out.try_clone().expect("a second handle");
        let mut command = self.command(&["run"]);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("starting pm");
        let pid = child.id();
        self.daemons.push(child);
        pid
    }

    /// Starts the daemon and waits until it has killed itself at a point (see `host/src/failpoint.rs`).
    ///
    /// # Panics
    /// When it never comes there, or was built without failpoints.
    pub fn dies_at(&mut self, point: Point) {
        self.fail_at(Some(point));
        let pid = self.start_at_once();
        self.until(&format!("pm to die at {} (built by cargo build --workspace?)", point.word()), |_| {
            !lives(pid)
        });
        self.fail_at(None);
        // A launcher tells the signal of what it ran as a shell does.
        let end = self.ended();
        assert!(
            [-1, 137].contains(&end),
            "pm ended with {end} before {}; log:\n{}",
            point.word(),
            self.log()
        );
    }

    /// Where every pm that is started from now on kills itself.
    pub fn fail_at(&mut self, point: Option<Point>) {
        self.failpoint = point.map(|point| point.word().to_owned());
    }

    /// Sends a signal, by number, to the daemon that was started last.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let daemon = self.daemons.last().expect("a daemon was started");
        let pid = rustix::process::Pid::from_child(daemon);
        rustix::process::kill_process(pid, signal).expect("signalling the daemon");
    }

    /// Waits for the end of the daemon that was started last and answers its exit code; -1 for a signal.
    pub fn ended(&mut self) -> i32 {
        let mut daemon = self.daemons.pop().expect("a daemon was started");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = daemon.try_wait().expect("asking for the daemon") {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < until, "the daemon does not end; log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the daemon to stop and waits; it must end in good order.
    pub fn stop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        assert_eq!(self.ended(), 0, "log:\n{}", self.log());
    }

    /// Kills the daemon as a crash would.
    pub fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.ended();
    }

    /// The log file.
    pub fn log(&self) -> String {
        self.read("pm.log")
    }

    /// Waits until something is so.
    pub fn until(&self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            let (log, out) = (self.log(), self.read("out"));
            assert!(Instant::now() < until, "waited in vain for {what}\nlog:\n{log}\noutput:\n{out}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a text in the log.
    pub fn until_log(&self, text: &str) {
        self.until(&format!("{text:?} in the log"), |sandbox| sandbox.log().contains(text));
    }

    /// Rows of the table as `pm alarm list` tells them.
    pub fn rows(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["alarm", "list", "--format", "json"])).expect("a list in JSON")
    }

    /// The row of a process.
    pub fn row(&self, name: &str) -> serde_json::Value {
        let rows = self.rows();
        let found = rows.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name));
        found.unwrap_or_else(|| panic!("no row {name} in {rows}")).clone()
    }

    /// Waits until the alarm of a process is cleared, and answers its notes.
    pub fn until_cleared(&self, name: &str) -> String {
        self.until(&format!("the alarm of {name} to be cleared"), |sandbox| sandbox.row(name)["alarma"] == 0);
        self.row(name)["notes"].as_str().unwrap_or_default().to_owned()
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn answer(command: &mut Command) -> Answer {
    let output = command.stdin(Stdio::null()).output().expect("starting the command");
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        // Whatever a test left running below its folder.
        let folder = self.dir().to_string_lossy().into_owned();
        for pid in processes_of(&folder) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Whether a process is there and no zombie.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Pids whose command line names a folder, zombies left out.
pub fn processes_of(folder: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let names = String::from_utf8_lossy(&line).contains(folder);
            (names && pid != i32::try_from(std::process::id()).ok()?).then_some(pid)
        })
        .collect()
}
