//! pm and a real systemd: units that it restarts and looks at, and pm itself as a unit of the package.
//!
//! A test has units of its own in the systemd of the run. What stops or freezes parts of a system happens in a system
//! that the test has started for itself, and so does everything about `pm.service`, whose name and paths are fixed.

mod absent;
mod check;
mod doctor;
mod engine;
mod evidence;
mod failpoints;
mod faults;
mod hostile;
mod package;
mod package_life;
mod service;
mod user;

use pm_tests::commands::{Commands, raise, status, until_ended};
use pm_tests::components::{self, Private, Systemd};
use pm_tests::sandbox::{Answer, PATIENCE, Sandbox, answer};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A systemd and the units that a test has put there; they go when it is dropped.
struct Machine {
    systemd: Systemd,
    units: Vec<String>,
    /// Dropped last: nothing can be asked of a systemd that has ended.
    private: Option<Private>,
}

impl Machine {
    /// The systemd of the whole run; `None` when the short run leaves it out.
    fn shared() -> Option<Self> {
        Some(Self { systemd: components::systemd()?, units: Vec::new(), private: None })
    }

    /// A systemd of one's own, started now.
    fn private() -> Option<Self> {
        components::systemd()?;
        let private = Private::start("systemd");
        Some(Self { systemd: private.systemd().unwrap(), units: Vec::new(), private: Some(private) })
    }

    /// The path of an inner file as it is seen from here.
    fn outside(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.systemd.pid).into()
    }

    /// Runs a command inside to its end.
    fn run(&self, words: &[&str]) -> Answer {
        answer(Command::new(&self.systemd.enter).args(words))
    }

    /// As [`run`](Self::run), and it must succeed; answers its output without the last line feed.
    fn ok(&self, words: &[&str]) -> String {
        let answer = self.run(words);
        assert_eq!(answer.code, 0, "{words:?}: {answer:?}");
        answer.out.trim_end_matches('\n').to_owned()
    }

    /// Writes unit files and lets systemd read them. `@DIR@` is the directory of the sandbox.
    fn load(&mut self, sandbox: &Sandbox, units: &[(&str, &str)]) {
        for (name, text) in units {
            let text = text.replace("@DIR@", &sandbox.dir().to_string_lossy());
            self.write(&format!("/etc/systemd/system/{name}"), &text);
            self.units.push((*name).to_owned());
        }
        self.ok(&["systemctl", "daemon-reload"]);
    }

    /// Writes an inner file and the directories above it.
    fn write(&self, path: &str, text: &str) {
        let path = self.outside(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn property(&self, unit: &str, key: &str) -> String {
        self.ok(&["systemctl", "show", "--value", "--property", key, "--", unit])
    }

    /// What changes with every start of a unit.
    fn invocation(&self, unit: &str) -> String {
        self.property(unit, "InvocationID")
    }

    /// How often a unit was started, by the journal.
    fn starts(&self, unit: &str) -> usize {
        let field = format!("UNIT={unit}");
        // "Unit started": the catalogue's number for the message, whatever its words.
        let started = "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf";
        self.ok(&["journalctl", "--sync"]);
        self.ok(&["journalctl", "--quiet", "--output", "cat", &field, started]).lines().count()
    }

    /// A sandbox whose pm runs inside, outside of any unit.
    fn sandbox(&self, sections: &str) -> Sandbox {
        self.sandbox_by(&[], sections)
    }

    /// As [`sandbox`](Self::sandbox), pm being run by a command that is run inside.
    fn sandbox_by(&self, launcher: &[&str], sections: &str) -> Sandbox {
        let enter = self.systemd.enter.to_str().unwrap();
        let launcher = [&[enter], launcher].concat();
        Sandbox::within(&self.systemd.shared, &launcher, &Sandbox::on_sqlite(sections))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.private.is_some() || self.units.is_empty() {
            return;
        }
        let units: Vec<&str> = self.units.iter().map(String::as_str).collect();
        self.run(&[&["systemctl", "--quiet", "kill", "--signal=KILL", "--"][..], &units].concat());
        self.run(&[&["systemctl", "--quiet", "stop", "--"][..], &units].concat());
        for unit in &self.units {
            let _ = std::fs::remove_file(self.outside(&format!("/etc/systemd/system/{unit}")));
        }
        self.run(&["systemctl", "daemon-reload"]);
        self.run(&[&["systemctl", "--quiet", "reset-failed", "--"][..], &units].concat());
    }
}

/// Waits until something is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
